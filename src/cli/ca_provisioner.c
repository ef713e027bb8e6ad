/* `ca provisioner` and the two commands of it that ask the CA. */
#include "cli/ca_common.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

struct ask_args {
	struct ca_flags ca;
};

static enum status run_list(struct invocation *inv, struct error *e)
{
	enum { INDENT = 3 };
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(json_decref_p) json_t *list = NULL;
	inv_crypto(inv);
	enum status st = ca_open(inv, &INV_ARGS(inv, ask_args)->ca, &c, e);
	if (st)
		return st;
	if (ca_provisioners(&c, &list, e))
		return ca_fail(inv, &c, NULL, e);
	st = jsonio_format_indent(list, INDENT, &inv->out, e);
	buf_addc(&inv->out, '\n');
	return st ? st : buf_check(&inv->out, e);
}

static enum status run_jwe_key(struct invocation *inv, struct error *e)
{
	AUTO(ca_done) struct ca c = { 0 };
	inv_crypto(inv);
	enum status st = ca_open(inv, &INV_ARGS(inv, ask_args)->ca, &c, e);
	if (st)
		return st;
	if (ca_encrypted_key(&c, inv_pos(inv, 0), &inv->out, e))
		return ca_fail(inv, &c, NULL, e);
	buf_addc(&inv->out, '\n');
	return buf_check(&inv->out, e);
}

static const struct opt opts[] = { CA_URL_OPT(struct ask_args), CA_ROOT_OPT(struct ask_args), OPT_END };

const struct command cmd_ca_provisioner = {
	.path = "ca provisioner",
	.summary = "the provisioners of a CA: who may ask for certificates",
};

const struct command cmd_ca_provisioner_list = {
	.path = "ca provisioner list",
	.summary = "list the provisioners of a CA",
	.usage = "",
	.description = "Prints what the CA tells everybody of its provisioners, as a JSON array.",
	.opts = opts,
	.args_size = sizeof(struct ask_args),
	.needs_defaults = true,
	.examples =
		(const struct example[]){ { "Their names:", "step ca provisioner list | jq -r '.[].name'" }, { 0 } },
	.run = run_list,
};

const struct command cmd_ca_provisioner_jwe_key = {
	.path = "ca provisioner jwe-key",
	.summary = "print a provisioner's encrypted private key",
	.usage = "<kid>",
	.description =
		"Prints the private key of a JWK provisioner as the CA keeps it: under its password, as a compact JWE.",
	.positionals = (const struct positional[]){ { "kid", "Id of the key", 0 }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct ask_args),
	.needs_defaults = true,
	.run = run_jwe_key,
};
