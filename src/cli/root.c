#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/version.h"

struct root_args {
	bool version;
};

static const struct opt opts[] = { OPT_FLAG(struct root_args, version, .name = "version", .letter = 'v',
	                                    .flags = OPT_NO_ENV, .help = "Print the version"),
	                           OPT_END };

static enum status run(struct invocation *inv, struct error *e)
{
	(void)e;
	if (INV_ARGS(inv, root_args)->version)
		version_print(&inv->out);
	else
		render_help(inv->set, inv->command, &inv->out);
	return ST_OK;
}

const struct command cmd_root = {
	.path = "",
	.summary = "certificates that renew themselves, from a private certificate authority",
	.description =
		"`step` gets certificates from a `step-ca` authority, renews them, and works with certificates and "
		"keys in files.\n\nOptions may stand anywhere on the line; `--` ends them. An option that is not "
		"given is looked up in the environment (`STEP_CA_URL` for `--ca-url`; `STEP_F` or `STEP_FORCE` for "
		"`--force`) and in `$(step path)/config/defaults.json`.",
	.opts = opts,
	.args_size = sizeof(struct root_args),
	.exit_codes =
		"0: success. 1: any error. 3: no such command. Where a command has others, its own help names them.",
	.run = run,
};

static const struct positional help_pos[] = { { "command", "The command's words.", 0 }, { 0 } };

/* args_find answers it; here it is for the list of commands. */
const struct command cmd_help = {
	.path = "help",
	.summary = "show the help of a command",
	.usage = "[<command>]...",
	.positionals = help_pos,
};
