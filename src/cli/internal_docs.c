#include "cli/cli.h"
#include "cli/commands.h"
#include "os/file.h"

struct docs_args {
	const char *date;
};

static const struct opt opts[] = { OPT_STR(struct docs_args, date, .name = "date", .arg = "<date>", .flags = OPT_NO_ENV,
	                                   .help = "The date in the man pages, such as 2026-11-23"),
	                           OPT_END };
static const struct positional pos[] = { { "folder", "Where the files go; made where it does not exist.", OPT_DIR },
	                                 { 0 } };

enum { PAGE_MAX = 1 << 20 };

static enum status save(const char *folder, const char *name, const struct buf *content, struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(1 << 13);
	buf_addf(&path, "%s/%s", folder, name);
	enum status st = buf_check(content, e);
	if (!st)
		st = buf_check(&path, e);
	return st ? st : file_replace(buf_cstr(&path), buf_slice(content), 0644, e);
}

/* "step-ca-renew.1" */
static enum status man_page(const struct invocation *inv, const struct command *c, const char *folder, struct error *e)
{
	AUTO(buf_done) struct buf page = BUF_INIT(PAGE_MAX);
	AUTO(buf_done) struct buf name = BUF_INIT(256);
	const char *date = INV_ARGS(inv, docs_args)->date;
	buf_addf(&name, "%s%s%s.1", inv->set->program, c->path[0] ? "-" : "", c->path);
	if (buf_check(&name, e))
		return e->status;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == ' ')
			name.p[i] = '-';
	render_man(inv->set, c, opt_is_set(date) ? date : "", &page);
	return save(folder, buf_cstr(&name), &page, e);
}

static enum status completions(const struct invocation *inv, const char *folder, struct error *e)
{
	static const char *const names[] = {
		[RENDER_BASH] = "step.bash", [RENDER_ZSH] = "_step", [RENDER_FISH] = "step.fish"
	};
	enum status st = ST_OK;
	for (size_t i = 0; !st && i < COUNT_OF(names); i++) {
		AUTO(buf_done) struct buf script = BUF_INIT(PAGE_MAX);
		render_completion(inv->set, (enum render_shell)i, &script);
		st = save(folder, names[i], &script, e);
	}
	return st;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const char *folder = inv_pos(inv, 0);
	enum status st = file_mkdirs(folder, 0755, e);
	for (const struct command *const *c = inv->set->commands; !st && *c; c++)
		if (!(*c)->hidden)
			st = man_page(inv, *c, folder, e);
	if (!st)
		st = completions(inv, folder, e);
	if (st)
		return st;
	AUTO(buf_done) struct buf json = BUF_INIT(PAGE_MAX);
	render_json(inv->set, &json);
	return save(folder, "step.json", &json, e);
}

const struct command cmd_internal_docs = {
	.path = "internal-docs",
	.summary = "write man pages, completion scripts and the command table as JSON",
	.usage = "<folder>",
	.positionals = pos,
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct docs_args),
	.hidden = true,
	.run = run,
};
