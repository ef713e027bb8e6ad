#include "cli/ca_common.h"

struct health_args {
	struct ca_flags ca;
};

static enum status run(struct invocation *inv, struct error *e)
{
	const struct health_args *o = INV_ARGS(inv, health_args);
	AUTO(ca_done) struct ca c = { 0 };
	inv_crypto(inv);
	enum status st = ca_open(inv, &o->ca, &c, e);
	if (st)
		return st;
	if (ca_health(&c, e))
		return ca_fail(inv, &c, NULL, e);
	buf_adds(&inv->out, "ok\n");
	return ST_OK;
}

static const struct opt opts[] = { CA_URL_OPT(struct health_args), CA_ROOT_OPT(struct health_args), OPT_END };

const struct command cmd_ca_health = {
	.path = "ca health",
	.summary = "ask a CA whether it is well",
	.description = "Prints `ok` where the CA answers and is the one whose root we trust.",
	.opts = opts,
	.args_size = sizeof(struct health_args),
	.needs_defaults = true,
	.run = run,
};
