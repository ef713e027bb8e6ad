#include "cli/ca_provisioner.h"
#include "jose/auto.h"

struct add_args {
	struct provisioner_flags f;
	const char *type;
};

/* What the peer writes where there are no templates. */
static enum status set_options(json_t *object, struct error *e)
{
	return caedit_set(object, "options", json_pack("{s:{}, s:{}}", "x509", "ssh"), e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct add_args *o = INV_ARGS(inv, add_args);
	AUTO(ca_edit_done) struct ca_edit edit = { 0 };
	AUTO(json_decref_p) json_t *object = NULL;
	const char *kind, *name = inv_pos(inv, 0);
	inv_crypto(inv);
	if (provisioner_kind(opt_is_set(o->type) ? o->type : "JWK", &kind, e) ||
	    ca_edit_open(inv, o->f.ca_config, &edit, e) || caedit_new(kind, name, &object, e) ||
	    caedit_add(edit.file, object, e) || provisioner_fill(inv, &o->f, kind, true, object, e) ||
	    provisioner_fill_claims(inv, &o->f, true, object, e) || set_options(object, e))
		return e->status;
	return ca_edit_save(inv, &edit, name, e);
}

static const struct opt opts[] = {
	OPT_STR(struct add_args, type, .name = "type", .arg = "<type>", .choices = "JWK X5C ACME",
	        .flags = OPT_NO_CHECK,
	        .help = "Kind of provisioner: `JWK`, `X5C` or `ACME` (written down, and disabled until it is built); "
	                "default JWK"),
	PROVISIONER_OPTS(struct add_args),
	OPT_END,
};

static const struct example examples[] = {
	{ "One with a key of its own, whose password is asked for:",
	  "step ca provisioner add you@example.com --create" },
	{ "One for certificates of an hour:",
	  "step ca provisioner add short --create --password-file pw.txt --x509-default-dur 1h --x509-max-dur 1h" },
	{ "One for holders of certificates of another CA:",
	  "step ca provisioner add machines --type X5C --x5c-root other_ca.crt" },
	{ 0 }
};

const struct command cmd_ca_provisioner_add = {
	.path = "ca provisioner add",
	.summary = "add a provisioner to the CA's configuration",
	.usage = "<name>",
	.description = "Edits ca.json on the CA's machine: in one step, keeping its owner, its mode and everything in "
	               "it. What "
		       "step-ca would refuse is not written. A running step-ca reads it at the next SIGHUP.",
	.positionals =
		(const struct positional[]){ { "name", "The provisioner's name, which no other has", 0 }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct add_args),
	.examples = examples,
	.needs_defaults = true,
	.run = run,
};
