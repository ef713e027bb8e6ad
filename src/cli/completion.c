#include "cli/cli.h"
#include "cli/commands.h"

static const struct positional pos[] = { { "shell", "`bash`, `zsh` or `fish`.", 0 }, { 0 } };
static const struct example examples[] = {
	{ "Complete in every bash to come:", "step completion bash | sudo tee /etc/bash_completion.d/step" },
	{ "In zsh, in a folder of `$fpath`:", "step completion zsh > ~/.zsh/completions/_step" },
	{ 0 }
};

static enum status run(struct invocation *inv, struct error *e)
{
	static const char *const shells[] = { [RENDER_BASH] = "bash", [RENDER_ZSH] = "zsh", [RENDER_FISH] = "fish" };
	for (size_t i = 0; i < COUNT_OF(shells); i++) {
		if (!strcmp(inv_pos(inv, 0), shells[i])) {
			render_completion(inv->set, (enum render_shell)i, &inv->out);
			return ST_OK;
		}
	}
	return error_set(e, ST_INVALID, "unsupported shell '%s'; options are bash, zsh, fish", inv_pos(inv, 0));
}

const struct command cmd_completion = {
	.path = "completion",
	.summary = "print a completion script",
	.usage = "<shell>",
	.description = "The script stands on its own: it never runs `step`.",
	.positionals = pos,
	.pos_min = 1,
	.pos_max = 1,
	.examples = examples,
	.run = run,
};
