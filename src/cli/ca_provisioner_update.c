#include "cli/ca_provisioner.h"
#include "jose/jsonio.h"

struct update_args {
	struct provisioner_flags f;
	const char *name;
};

static const char *kind_of(const json_t *object)
{
	const char *type = json_string_value(jsonio_field(object, "type")), *kind;
	struct error e = ERROR_INIT;
	return type && !provisioner_kind(type, &kind, &e) ? kind : type ? type : "unknown";
}

static enum status rename_to(struct invocation *inv, struct ca_edit *edit, const char *old, const char *new,
                             struct error *e)
{
	if (!opt_is_set(new) || !strcmp(old, new))
		return ST_OK;
	inv_say(inv,
	        "Note: certificates that were issued through \"%s\" name it, and will be refused when they are to be "
	        "renewed.",
	        old);
	return caedit_rename(edit->file, old, new, e);
}

/* A kind that is not built may still get claims and another name. */
static enum status fill(struct invocation *inv, const struct provisioner_flags *f, json_t *object, struct error *e)
{
	const char *kind = kind_of(object), *built;
	struct error ignored = ERROR_INIT;
	if (!provisioner_kind(kind, &built, &ignored) && provisioner_fill(inv, f, built, false, object, e))
		return e->status;
	return provisioner_fill_claims(inv, f, false, object, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct update_args *o = INV_ARGS(inv, update_args);
	AUTO(ca_edit_done) struct ca_edit edit = { 0 };
	const char *name = inv_pos(inv, 0);
	json_t *object;
	inv_crypto(inv);
	if (ca_edit_open(inv, o->f.ca_config, &edit, e) || caedit_find(edit.file, name, &object, e) ||
	    fill(inv, &o->f, object, e) || rename_to(inv, &edit, name, o->name, e))
		return e->status;
	return ca_edit_save(inv, &edit, opt_is_set(o->name) ? o->name : name, e);
}

static const struct opt opts[] = {
	OPT_STR(struct update_args, name, .name = "name", .arg = "<name>", .flags = OPT_NO_ENV, .help = "A new name"),
	PROVISIONER_OPTS(struct update_args),
	OPT_LIST(struct update_args, f.no_challenges, .name = "remove-challenge", .arg = "<type>",
	         .help = "ACME: a challenge that may no longer be used"),
	OPT_END,
};

static const struct example examples[] = {
	{ "Certificates of up to a week:", "step ca provisioner update admin --x509-max-dur 168h" },
	{ "Expired certificates may renew themselves, for 30 days:",
	  "step ca provisioner update admin --allow-renewal-after-expiry" },
	{ "No longer:", "step ca provisioner update admin --allow-renewal-after-expiry=false" },
	{ 0 }
};

const struct command cmd_ca_provisioner_update = {
	.path = "ca provisioner update",
	.summary = "change a provisioner in the CA's configuration",
	.usage = "<name>",
	.description =
		"Changes what flags are given for, and nothing else. Edits ca.json on the CA's machine: in one step, "
		"keeping its owner, its mode and everything in it. What step-ca would refuse is not written. A running "
		"step-ca reads it at the next SIGHUP.",
	.positionals = (const struct positional[]){ { "name", "The provisioner's name", 0 }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct update_args),
	.examples = examples,
	.needs_defaults = true,
	.run = run,
};
