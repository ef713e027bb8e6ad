#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "os/file.h"

struct docs_args {
	bool json;
};

static const struct opt opts[] = { OPT_FLAG(struct docs_args, json, .name = "json", .flags = OPT_NO_ENV,
	                                    .help = "Print the command table instead"),
	                           OPT_END };
static const struct positional pos[] = { { "folder", "Where the files go: `/usr/share` or its like.", OPT_DIR },
	                                 { 0 } };

enum { PAGE_MAX = 1 << 20, PATH_TEXT = 1 << 13 };

/* One file below the folder, whose own folder is made. */
static enum status save(const char *folder, const char *below, const char *name, const struct buf *content,
                        struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(PATH_TEXT);
	buf_addf(&path, "%s/%s", folder, below);
	enum status st = buf_check(content, e);
	if (!st)
		st = buf_check(&path, e);
	if (!st)
		st = file_mkdirs(buf_cstr(&path), 0755, e);
	buf_addf(&path, "/%s", name);
	if (!st)
		st = buf_check(&path, e);
	return st ? st : file_replace(buf_cstr(&path), buf_slice(content), 0644, e);
}

/* "man/man1/step-ca-renew.1" */
static enum status man_page(const struct invocation *inv, const struct command *c, const char *folder, struct error *e)
{
	AUTO(buf_done) struct buf page = BUF_INIT(PAGE_MAX);
	AUTO(buf_done) struct buf name = BUF_INIT(256), below = BUF_INIT(32);
	char date[VERSION_DATE];
	buf_addf(&below, "man/man%d", man_section(inv->set));
	buf_addf(&name, "%s%s%s.%d", inv->set->program, c->path[0] ? "-" : "", c->path, man_section(inv->set));
	if (buf_check(&below, e) || buf_check(&name, e))
		return e->status;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == ' ')
			name.p[i] = '-';
	render_man(inv->set, c, version_date(date), &page);
	return save(folder, buf_cstr(&below), buf_cstr(&name), &page, e);
}

static enum status completions(const struct invocation *inv, const char *folder, struct error *e)
{
	static const struct {
		const char *below, *before, *behind;
	} places[] = {
		[RENDER_BASH] = { "bash-completion/completions", "", "" },
		[RENDER_ZSH] = { "zsh/site-functions", "_", "" },
		[RENDER_FISH] = { "fish/vendor_completions.d", "", ".fish" },
	};
	enum status st = ST_OK;
	for (size_t i = 0; !st && i < COUNT_OF(places); i++) {
		AUTO(buf_done) struct buf script = BUF_INIT(PAGE_MAX), name = BUF_INIT(256);
		buf_addf(&name, "%s%s%s", places[i].before, inv->set->program, places[i].behind);
		render_completion(inv->set, (enum render_shell)i, &script);
		st = buf_check(&name, e);
		if (!st)
			st = save(folder, places[i].below, buf_cstr(&name), &script, e);
	}
	return st;
}

static enum status run(struct invocation *inv, struct error *e)
{
	if (INV_ARGS(inv, docs_args)->json) {
		render_json(inv->set, &inv->out);
		return ST_OK;
	}
	const char *folder = inv_pos(inv, 0);
	if (!folder)
		return error_set(e, ST_INVALID, "not enough positional arguments were provided in '%s %s %s'",
		                 inv->set->program, inv->command->path, inv->command->usage);
	enum status st = ST_OK;
	for (const struct command *const *c = inv->set->commands; !st && *c; c++)
		if (!(*c)->hidden)
			st = man_page(inv, *c, folder, e);
	return st ? st : completions(inv, folder, e);
}

const struct command cmd_internal_docs = {
	.path = "internal-docs",
	.summary = "write man pages and completion scripts, for the build",
	.usage = "<folder>",
	.positionals = pos,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct docs_args),
	.hidden = true,
	.run = run,
};
