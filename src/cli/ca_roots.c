/* `ca roots` and `ca federation`: the same question about two bundles. */
#include "cli/ca_common.h"

struct roots_args {
	struct ca_flags ca;
	bool force;
};

static enum status fetch(struct invocation *inv, enum ca_bundle which, const char *noun, struct error *e)
{
	const struct roots_args *o = INV_ARGS(inv, roots_args);
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(chain_done) struct chain got = { 0 };
	inv_crypto(inv);
	enum status st = ca_open(inv, &o->ca, &c, e);
	if (st)
		return st;
	if (ca_bundle(&c, which, &got, e))
		return ca_fail(inv, &c, NULL, e);
	const char *file = inv_pos(inv, 0);
	st = save_or_print(inv, file, &got, o->force, e);
	if (!st && file)
		inv_say(inv, "The %s certificate bundle has been saved in %s.", noun, file);
	return st;
}

static enum status run_roots(struct invocation *inv, struct error *e)
{
	return fetch(inv, CA_ROOTS, "root", e);
}

static enum status run_federation(struct invocation *inv, struct error *e)
{
	return fetch(inv, CA_FEDERATION, "federation", e);
}

static const struct opt opts[] = { CA_URL_OPT(struct roots_args), CA_ROOT_OPT(struct roots_args),
	                           FORCE_OPT(struct roots_args), OPT_END };
static const struct positional positionals[] = { { "file", "File to write; default: standard output", OPT_FILE },
	                                         { 0 } };

const struct command cmd_ca_roots = {
	.path = "ca roots",
	.summary = "download all root certificates of a CA",
	.usage = "[<file>]",
	.description = "Prints or saves the bundle of the CA's root certificates, over TLS verified by the root that "
		       "is trusted "
		       "already.",
	.positionals = positionals,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct roots_args),
	.needs_defaults = true,
	.run = run_roots,
};

const struct command cmd_ca_federation = {
	.path = "ca federation",
	.summary = "download the roots of a CA and of those it is federated with",
	.usage = "[<file>]",
	.description = "Prints or saves the bundle of the CA's own roots and of its federation's.",
	.positionals = positionals,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct roots_args),
	.needs_defaults = true,
	.run = run_federation,
};
