#include "cli/ca_common.h"

struct root_args {
	struct ca_flags ca;
	const char *fingerprint;
	bool force;
};

static enum status run(struct invocation *inv, struct error *e)
{
	const struct root_args *o = INV_ARGS(inv, root_args);
	AUTO(ca_done) struct ca c = { 0 };
	inv_crypto(inv);
	enum status st = ca_set_url(inv, &o->ca, &c, e);
	if (st)
		return st;
	if (!opt_is_set(o->fingerprint))
		return usage_required(inv, "fingerprint", e);
	if (bootstrap_by_fingerprint(&c, o->fingerprint, NULL, e))
		return ca_fail(inv, &c, NULL, e);
	const char *file = inv_pos(inv, 0);
	st = save_or_print(inv, file, &c.roots, o->force, e);
	if (!st && file)
		inv_say(inv, "The root certificate has been saved in %s.", file);
	return st;
}

static const struct opt opts[] = {
	CA_URL_OPT(struct root_args),
	OPT_STR(struct root_args, fingerprint, .name = "fingerprint", .arg = "<fingerprint>",
	        .help = "SHA-256 of the root certificate; default: the one in defaults.json"),
	FORCE_OPT(struct root_args),
	OPT_END,
};

const struct command cmd_ca_root = {
	.path = "ca root",
	.summary = "download a CA's root certificate",
	.usage = "[<root-file>]",
	.description = "Fetches the root certificate with the given fingerprint, checks it against the fingerprint, "
		       "and prints "
		       "it or saves it in a file.",
	.positionals =
		(const struct positional[]){ { "root-file", "File to write; default: standard output", OPT_FILE },
	                                     { 0 } },
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct root_args),
	.needs_defaults = true,
	.run = run,
};
