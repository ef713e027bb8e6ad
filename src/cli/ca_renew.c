#include "cli/ca_renewal.h"

struct ca_renew_args {
	struct ca_flags ca;
	struct renewal_flags r;
	const char *out;
	bool mtls;
};

static void saved(const struct renewal *r)
{
	inv_say(r->inv, "Your certificate has been saved in %s.", pair_out(&r->conf));
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_renew_args *o = INV_ARGS(inv, ca_renew_args);
	struct renewal r = {
		.inv = inv,
		.flags = &o->r,
		.ca = &o->ca,
		.period_flag = "renew-period",
		.done = "renewed",
		.doing = "error renewing certificate",
		.conf = { .crt = inv_pos(inv, 0),
		          .key = inv_pos(inv, 1),
		          .out_crt = opt_is_set(o->out) ? o->out : NULL,
		          .no_mtls = args_given(&inv->args, "mtls") && !o->mtls },
		.saved = saved,
	};
	return renewal_run(&r, e);
}

static const struct opt opts[] = {
	RENEWAL_OPTS(struct ca_renew_args, "a renewal", "renew-period"),
	OPT_STR(struct ca_renew_args, out, .name = "out", .alias = "output-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the new certificate there; default: replace the old one"),
	OPT_FLAG(struct ca_renew_args, mtls, .name = "mtls",
	         .help = "`--mtls=false` renews with a token in place of a TLS client certificate, as is done by "
	                 "itself where the certificate has ended or cannot be a client's"),
	CA_URL_OPT(struct ca_renew_args),
	CA_ROOT_OPT(struct ca_renew_args),
	OPT_END,
};

#define FOLLOWS                                                                                                        \
	"What follows a renewal - signal, commands, units, looks - is written down with the certificate and owed "     \
	"until "                                                                                                       \
	"it has succeeded: what fails is tried again, across restarts, and `step certificate needs-renewal` says yes " \
	"meanwhile; the next run finishes it without asking for a new certificate (with `--force`, after getting "     \
	"one). Commands run in a session of "                                                                          \
	"their own, without our secrets, and find in their environment: `STEP_HOOK_CERT_FILE`, "                       \
	"`STEP_HOOK_KEY_FILE`, `STEP_HOOK_CHAIN_FILE`, `STEP_HOOK_BUNDLE_FILE`, `STEP_HOOK_SERIAL`, "                  \
	"`STEP_HOOK_COMMON_NAME`, `STEP_HOOK_NAMES` (one a line), `STEP_HOOK_NOT_AFTER` (RFC 3339), "                  \
	"`STEP_HOOK_EVENT` (renewed, rekeyed, failed, expiring), `STEP_HOOK_ERROR` and `STEP_HOOK_ATTEMPT` (from 1)."

const struct command cmd_ca_renew = {
	.path = "ca renew",
	.summary = "renew a certificate",
	.usage = "<crt-file> <key-file>",
	.description =
		"Asks the CA for a new certificate with the same names, key and lifetime, authenticated by the old "
		"one. "
		"The answer is checked (key, names, chain, dates) before it replaces the file; a file is replaced "
		"whole "
		"or not at all and keeps its owner and mode. Nothing is asked of the CA before it is known that the "
		"answer can be kept.\n\n"
		"Where the certificate has expired, or cannot serve as a TLS client's, a token signed by its key is "
		"tried in its place; the CA takes it after the end only where its provisioner says so.\n\n"
		"With `--expires-in` the command fits cron: it renews only what is near its end, and says so and ends "
		"with 0 where it does not.\n\n"
		"With `--daemon` it stays and renews when about two thirds of the lifetime are over, or by "
		"`--expires-in` "
		"or `--renew-period`. Certificate and key are read from disk before every attempt; a renewal by "
		"somebody "
		"else is noticed. What fails is tried again after about a minute, then more seldom, and more often "
		"again "
		"near the end; a refusal by the CA does not end the daemon. SIGHUP renews at once, SIGTERM and SIGINT "
		"end "
		"it.\n\n" FOLLOWS,
	.positionals =
		(const struct positional[]){ { "crt-file", "The certificate (PEM or DER), with its chain", OPT_FILE },
	                                     { "key-file", "Its private key", OPT_FILE },
	                                     { 0 } },
	.pos_min = 2,
	.pos_max = 2,
	.opts = opts,
	.args_size = sizeof(struct ca_renew_args),
	.exit_codes = RENEWAL_EXIT_CODES,
	.needs_defaults = true,
	.examples =
		(const struct example[]){
			{ "Renew now", "step ca renew --force foo.crt foo.key" },
			{ "Renew where less than four hours are left",
	                  "step ca renew --force --expires-in 4h foo.crt foo.key" },
			{ "Keep it renewed, have nginx take it up, and see that it did",
	                  "step ca renew --daemon --pid-file /run/nginx.pid --verify localhost:443 foo.crt foo.key" },
			{ "A file with key and chain for HAProxy, and its reload",
	                  "step ca renew --daemon --bundle-out foo.pem --reload-unit haproxy.service foo.crt foo.key" },
			{ "See, long before it matters, whether it would work",
	                  "step ca renew --check foo.crt foo.key" },
			{ 0 } },
	.run = run,
};
