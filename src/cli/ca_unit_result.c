/* How a systemd unit's run ended, as its ExecStopPost tells: a deployment by ExecStartPost that failed is owed.
 *
 * Without it the certificate is fresh after a failed ExecStartPost, needs-renewal says so, and the unit is skipped
 * until the next renewal: the service keeps the old certificate and nobody tries again. */
#include "agent/recordfile.h"
#include "cli/ca_common.h"
#include "renewal/owed.h"

static const char *env(const char *name)
{
	const char *v = getenv(name);
	return v ? v : "";
}

enum verdict { NOTHING, SETTLED, OWED };

/* systemd.exec(5), $SERVICE_RESULT. Where ExecStart itself failed there is nothing new to deploy, and what was owed is
 * owed still. */
static enum verdict judge(void)
{
	const char *result = env("SERVICE_RESULT");
	bool started = !strcmp(env("EXIT_CODE"), "exited") && !strcmp(env("EXIT_STATUS"), "0");
	if (!strcmp(result, "success"))
		return started ? SETTLED : NOTHING;
	return started && *result && strcmp(result, "exec-condition") != 0 ? OWED : NOTHING;
}

static enum status write_down(struct invocation *inv, const char *crt, enum verdict v, const struct owed_id *id,
                              struct error *e)
{
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	AUTO(chain_done) struct chain chain = { 0 };
	AUTO(buf_done) struct buf state = BUF_INIT(1 << 13);
	const struct filetx_file file = { .path = crt, .mode = 0600 };
	struct recordfile at;
	struct record r;
	inv_state_dir(inv, &state);
	if (open_files(inv, &file, 1, &tx, e) || load_chain(crt, &chain, e) ||
	    recordfile_load(crt, state.n ? buf_cstr(&state) : NULL, &at, &r, e))
		return e->status;
	struct pair_cert c = pair_cert_of(cert_facts(chain.v[0]));
	if (v == OWED)
		owed_mark(&r, id, OWED_RENEWED, &c, inv_now(inv));
	else
		owed_cross_off(&r, id);
	return v == OWED || at.exists ? recordfile_save(&at, &r, e) : ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const char *const unit[] = { inv_pos(inv, 0) };
	const char *crt = inv_pos(inv, 1);
	enum verdict v = judge();
	struct owed_id id;
	if (v == NOTHING)
		return ST_OK;
	inv_crypto(inv);
	if (owed_id_make(OWED_ON_DEPLOY, "unit", unit, 1, &id, e) || write_down(inv, crt, v, &id, e))
		return e->status;
	if (v == OWED)
		inv_say(inv,
		        "%s: the certificate is new, and what had to follow it has failed (%s). It is owed: the next "
		        "run "
		        "tries it again.",
		        unit[0], env("SERVICE_RESULT"));
	return ST_OK;
}

const struct command cmd_ca_unit_result = {
	.path = "ca unit-result",
	.summary = "write down how a renewal unit ended, for its ExecStopPost",
	.usage = "<unit> <crt-file>",
	.description =
		"Reads `$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS` as systemd sets them for an "
		"ExecStopPost. Where "
		"the renewal worked and an ExecStartPost did not, that is owed from now on: `step certificate "
		"needs-renewal` "
		"says yes, `step ca renew --owed-first` ends well without asking for a new certificate, and the unit's "
		"ExecStartPost "
		"lines run again, until they succeed or the certificate ends.",
	.positionals = (const struct positional[]){ { "unit", "The unit's name, `%n`", 0 },
	                                            { "crt-file", "The certificate", OPT_FILE },
	                                            { 0 } },
	.pos_min = 2,
	.pos_max = 2,
	.hidden = true,
	.run = run,
};
