#include "cli/ca_common.h"
#include "config/cainit.h"
#include "os/file.h"

struct bootstrap_args {
	struct ca_flags ca;
	const char *fingerprint;
	bool force, install;
	const char *team, *context;
};

/* Root and settings become one transaction: a client never has the one without the other. */
static enum status save(struct invocation *inv, const struct bootstrap_args *o, const struct ca *c, struct error *e)
{
	AUTO(buf_done) struct buf root = BUF_INIT(1 << 14), defaults = BUF_INIT(1 << 14), text = BUF_INIT(1 << 16);
	AUTO(buf_done) struct buf certs = BUF_INIT(1 << 14), config = BUF_INIT(1 << 14);
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	char fingerprint[FINGERPRINT_TEXT];
	enum status st = inv_file(inv, "certs", &certs, e);
	if (st || inv_file(inv, "config", &config, e) || inv_file(inv, "certs/root_ca.crt", &root, e) ||
	    inv_file(inv, "config/defaults.json", &defaults, e) || cert_fingerprint(c->roots.v[0], fingerprint, e))
		return e->status;
	struct filetx_file files[] = { { .path = buf_cstr(&root), .mode = 0600 },
		                       { .path = buf_cstr(&defaults), .mode = 0644 } };
	AUTO(buf_done) struct buf urls = BUF_INIT(1 << 14);
	if (ca_add_urls(c, &urls, e))
		return e->status;
	struct defaults_draft d = { .ca_url = buf_cstr(&urls), .fingerprint = fingerprint, .root = buf_cstr(&root) };
	if (file_mkdirs(buf_cstr(&certs), 0700, e) || file_mkdirs(buf_cstr(&config), 0700, e) ||
	    ask_and_open_files(inv, files, COUNT_OF(files), o->force, &tx, e) ||
	    defaults_new_text(&d, DEFAULTS_BOOTSTRAP, &text, e) || stage_chain(tx, 0, &c->roots, e) ||
	    filetx_stage(tx, 1, buf_slice(&text), e) || filetx_commit(tx, e))
		return e->status;
	inv_say(inv, "The root certificate has been saved in %s.", buf_cstr(&root));
	inv_say(inv, "The authority configuration has been saved in %s.", buf_cstr(&defaults));
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	static const char *const not_built[] = { "install", "team", "context", NULL };
	const struct bootstrap_args *o = INV_ARGS(inv, bootstrap_args);
	AUTO(ca_done) struct ca c = { 0 };
	inv_crypto(inv);
	enum status st = usage_not_built(inv, not_built, e);
	if (!st)
		st = ca_set_url(inv, &o->ca, &c, e);
	if (st)
		return st;
	if (!opt_is_set(o->fingerprint))
		return usage_required(inv, "fingerprint", e);
	if (bootstrap_by_fingerprint(&c, o->fingerprint, NULL, e))
		return ca_fail(inv, &c, NULL, e);
	return save(inv, o, &c, e);
}

static const struct opt opts[] = {
	CA_URL_OPT(struct bootstrap_args),
	OPT_STR(struct bootstrap_args, fingerprint, .name = "fingerprint", .arg = "<fingerprint>",
	        .help = "SHA-256 of the CA's root certificate, as `step certificate fingerprint` prints it"),
	FORCE_OPT(struct bootstrap_args),
	OPT_FLAG(struct bootstrap_args, install, .name = "install", .flags = OPT_HIDDEN, .help = "Not built"),
	OPT_STR(struct bootstrap_args, team, .name = "team", .flags = OPT_HIDDEN, .help = "Not built"),
	OPT_STR(struct bootstrap_args, context, .name = "context", .flags = OPT_HIDDEN, .help = "Not built"),
	OPT_END,
};

const struct command cmd_ca_bootstrap = {
	.path = "ca bootstrap",
	.summary = "come to trust a CA by its root's fingerprint",
	.description =
		"Downloads the root certificate, checks it against the fingerprint, and writes certs/root_ca.crt and "
		"config/defaults.json below $(step path), so that other commands need neither `--ca-url` nor `--root`.",
	.opts = opts,
	.args_size = sizeof(struct bootstrap_args),
	.examples = (const struct example[]){ { "Trust the CA on this machine",
	                                        "step ca bootstrap --ca-url https://localhost --fingerprint "
	                                        "d9d0978692f1c7cc791f5c343ce98771900721405e834cd27b9502cc719f5097" },
	                                      { 0 } },
	.run = run,
};
