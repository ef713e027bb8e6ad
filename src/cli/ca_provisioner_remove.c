#include "cli/ca_provisioner.h"

struct remove_args {
	struct provisioner_flags f;
};

static enum status run(struct invocation *inv, struct error *e)
{
	AUTO(ca_edit_done) struct ca_edit edit = { 0 };
	const char *name = inv_pos(inv, 0);
	inv_crypto(inv);
	if (ca_edit_open(inv, INV_ARGS(inv, remove_args)->f.ca_config, &edit, e) || caedit_remove(edit.file, name, e))
		return e->status;
	inv_say(inv, "Note: certificates that were issued through \"%s\" will be refused when they are to be renewed.",
	        name);
	return ca_edit_save(inv, &edit, NULL, e);
}

static const struct opt opts[] = { CA_CONFIG_OPT(struct remove_args), OPT_END };

const struct command cmd_ca_provisioner_remove = {
	.path = "ca provisioner remove",
	.summary = "remove a provisioner from the CA's configuration",
	.usage = "<name>",
	.description = "Edits ca.json on the CA's machine: in one step, keeping its owner, its mode and everything "
	               "else in it. A "
		       "running step-ca reads it at the next SIGHUP. Certificates that were issued through the "
	               "provisioner stay "
		       "valid until they expire; they are not renewed.",
	.positionals = (const struct positional[]){ { "name", "The provisioner's name", 0 }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct remove_args),
	.needs_defaults = true,
	.run = run,
};
