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
		"keys in files.\n\nOptions may stand anywhere on the line; `--` ends them. One that is not given is "
		"looked up in the environment, then in `$(step path)/config/defaults.json`.",
	.opts = opts,
	.args_size = sizeof(struct root_args),
	.exit_codes =
		"0: success. 1: any error. 3: no such command. Where a command has others, its own help names them.",
	.environment =
		"`STEPPATH` names the folder of configuration, certificates and keys; else it is `.step` in the home "
		"folder.\n\n"
		"An option that is not on the command line is looked up as `STEP_` and its first name in capitals, "
		"with `-` written as `_`: `STEP_CA_URL` for `--ca-url`; `STEP_F` or `STEP_FORCE` for `--force`. Lists "
		"are separated by commas. Not looked up is what makes sense in one command only, such as `--admin`, "
		"`--revoked` and `--version`.\n\n"
		"`STEP_NON_INTERACTIVE=1` has nothing asked at a terminal. `STEPDEBUG=1` tells more of what went "
		"wrong. `HTTPS_PROXY` and `NO_PROXY` lead to the CA through a proxy. `NO_COLOR` and `CLICOLOR_FORCE` "
		"are heeded.",
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
