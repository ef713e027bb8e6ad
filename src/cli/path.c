#include "cli/cli.h"
#include "cli/commands.h"

struct path_args {
	bool base, profile;
};

static const struct opt opts[] = { OPT_FLAG(struct path_args, base, .name = "base", .flags = OPT_NO_ENV,
	                                    .help = "Print the folder that holds everything, without a context's part"),
	                           OPT_FLAG(struct path_args, profile, .name = "profile", .flags = OPT_NO_ENV,
	                                    .help = "Print the folder of the context's profile"),
	                           OPT_END };

static enum status run(struct invocation *inv, struct error *e)
{
	const char *path;
	enum status st = INV_ARGS(inv, path_args)->base ? inv_base(inv, &path, e) : inv_path(inv, &path, e);
	if (!st)
		buf_addf(&inv->out, "%s\n", path);
	return st;
}

const struct command cmd_path = {
	.path = "path",
	.summary = "print the folder of configuration, certificates and keys",
	.description =
		"`$STEPPATH`, else `.step` in the home folder. Nothing is created, and a broken `defaults.json` does "
		"not matter.",
	.opts = opts,
	.args_size = sizeof(struct path_args),
	.pos_max = -1u,
	.run = run,
};
