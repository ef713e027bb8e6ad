#include "args/render.h"

enum { WIDTH = 80, TEXT = 6, DEEP = 10 };

/* Columns that the bytes take: UTF-8 continuation bytes take none. */
static size_t columns(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

static void spaces(struct buf *out, size_t n)
{
	buf_addf(out, "%*s", (int)n, "");
}

static void add_plain(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '`')
			buf_addc(out, (char)s.p[i]);
}

static size_t plain_columns(struct slice s)
{
	size_t ticks = 0;
	for (size_t i = 0; i < s.n; i++)
		ticks += s.p[i] == '`';
	return columns(s) - ticks;
}

/* One paragraph, filled; what is already on the line is `used` columns wide. Back quotes are left out. */
static void fill(struct buf *out, struct slice text, size_t indent, size_t used)
{
	while ((text = slice_trim(text)).n) {
		size_t n = 0;
		while (n < text.n && text.p[n] != ' ' && text.p[n] != '\n')
			n++;
		struct slice word = slice_of(text.p, n);
		size_t wide = plain_columns(word);
		if (used > indent && used + 1 + wide > WIDTH) {
			buf_addc(out, '\n');
			used = 0;
		}
		if (used < indent) {
			spaces(out, indent - used);
			used = indent;
		} else if (used > indent) {
			buf_addc(out, ' ');
			used++;
		}
		add_plain(out, word);
		used += wide;
		text = slice_of(text.p + n, text.n - n);
	}
	buf_addc(out, '\n');
}

static void head(struct buf *out, const char *name)
{
	buf_addf(out, "%s%s\n", out->n ? "\n" : "", name);
}

/* Lines that begin with white space stand as they are. */
static void verbatim(struct buf *out, struct slice text, size_t indent)
{
	while (text.n) {
		size_t n = slice_find(text, '\n');
		spaces(out, indent);
		add_plain(out, slice_of(text.p, n));
		buf_addc(out, '\n');
		text = slice_of(text.p + n + (n < text.n), text.n - n - (n < text.n));
	}
}

static void paragraphs(struct buf *out, const char *text, size_t indent)
{
	for (bool first = true; text && *text; first = false) {
		const char *end = strstr(text, "\n\n");
		struct slice one = end ? slice_of(text, (size_t)(end - text)) : slice_cstr(text);
		if (!first)
			buf_addc(out, '\n');
		if (*text == ' ' || *text == '\t')
			verbatim(out, one, indent);
		else
			fill(out, one, indent, 0);
		text = end ? end + 2 : NULL;
	}
}

static void full_name(struct buf *out, const struct command_set *set, const struct command *c)
{
	buf_addf(out, "%s%s%s", set->program, c->path[0] ? " " : "", c->path);
}

static void add_flag_name(struct buf *out, const char *name, struct slice word)
{
	buf_addf(out, "%s%s", name[1] ? "--" : "-", name);
	if (word.n)
		buf_addf(out, "=%.*s", SLICE_FMT(word));
}

static void usage_of_rows(struct buf *line, const struct opt *rows)
{
	for (size_t i = 0; i < opt_count(rows); i++) {
		if (rows[i].flags & OPT_HIDDEN)
			continue;
		struct slice word = opt_value_word(&rows[i]);
		buf_addf(line, " [--%s", rows[i].name);
		if (word.n)
			buf_addf(line, "=<%.*s>", SLICE_FMT(word));
		buf_adds(line, rows[i].type == OPT_TYPE_LIST ? "]..." : "]");
	}
}

static void usage(const struct command_set *set, const struct command *c, struct buf *out)
{
	AUTO(buf_done) struct buf line = BUF_INIT(8192);
	full_name(&line, set, c);
	if (command_is_group(set, c))
		buf_adds(&line, " <command> [<arguments>] [<options>]");
	if (c->usage && c->usage[0])
		buf_addf(&line, " %s", c->usage);
	usage_of_rows(&line, c->opts);
	head(out, "USAGE");
	fill(out, buf_slice(&line), TEXT, 0);
	if (line.failed)
		out->failed = line.failed;
}

static void positionals(const struct command *c, struct buf *out)
{
	const struct positional *p = c->positionals;
	if (!p || !p->name)
		return;
	head(out, "POSITIONAL ARGUMENTS");
	for (bool first = true; p->name; p++, first = false) {
		buf_adds(out, first ? "" : "\n");
		spaces(out, TEXT);
		buf_addf(out, "%s\n", p->name);
		fill(out, slice_cstr(p->help), DEEP, 0);
	}
}

static void option(const struct opt *o, struct buf *out)
{
	struct opt_names names;
	opt_names_of(o, &names);
	spaces(out, TEXT);
	for (size_t i = 0; i < names.n; i++) {
		buf_adds(out, i ? ", " : "");
		add_flag_name(out, names.v[i], opt_value_word(o));
	}
	buf_addc(out, '\n');
	if (!o->help)
		return;
	AUTO(buf_done) struct buf text = BUF_INIT(8192);
	buf_addf(&text, "%s.", o->help);
	if (o->choices) {
		buf_adds(&text, " Options are ");
		for (const char *s = o->choices; *s; s++)
			buf_adds(&text, *s == ' ' ? ", " : (const char[]){ *s, '\0' });
		buf_addc(&text, '.');
	}
	if (o->type == OPT_TYPE_LIST)
		buf_adds(&text, " May be given more than once.");
	fill(out, buf_slice(&text), DEEP, 0);
	if (text.failed)
		out->failed = text.failed;
}

static void options(const struct command_set *set, const struct command *c, struct buf *out)
{
	static const struct opt help = {
		.type = OPT_TYPE_FLAG, .name = "help", .letter = 'h', .env = "STEP_H", .help = "Show this help"
	};
	const struct opt *const parts[] = { c->opts, set->global };
	head(out, "OPTIONS");
	for (size_t k = 0; k < COUNT_OF(parts); k++) {
		for (size_t i = 0; i < opt_count(parts[k]); i++) {
			if (parts[k][i].flags & OPT_HIDDEN)
				continue;
			option(&parts[k][i], out);
			buf_addc(out, '\n');
		}
	}
	option(&help, out);
}

static void commands(const struct command_set *set, const struct command *c, struct buf *out)
{
	size_t widest = 0;
	for (const struct command *const *k = set->commands; *k; k++) {
		size_t n = strlen(command_name(*k));
		if (command_is_child(c, *k) && !(*k)->hidden && n > widest)
			widest = n;
	}
	if (!widest)
		return;
	head(out, "COMMANDS");
	for (const struct command *const *k = set->commands; *k; k++) {
		if (!command_is_child(c, *k) || (*k)->hidden)
			continue;
		spaces(out, TEXT);
		buf_addf(out, "%-*s", (int)widest + 2, command_name(*k));
		fill(out, slice_cstr((*k)->summary), TEXT + widest + 2, TEXT + widest + 2);
	}
}

static void examples(const struct command *c, struct buf *out)
{
	const struct example *x = c->examples;
	if (!x || !x->line)
		return;
	head(out, "EXAMPLES");
	for (bool first = true; x->line; x++, first = false) {
		buf_adds(out, first ? "" : "\n");
		fill(out, slice_cstr(x->about), TEXT, 0);
		buf_addc(out, '\n');
		spaces(out, DEEP);
		buf_addf(out, "$ %s\n", x->line);
	}
}

void render_help(const struct command_set *set, const struct command *c, struct buf *out)
{
	AUTO(buf_done) struct buf page = BUF_INIT(out->max);
	AUTO(buf_done) struct buf line = BUF_INIT(4096);
	full_name(&line, set, c);
	buf_addf(&line, " -- %s", c->summary);
	head(&page, "NAME");
	fill(&page, buf_slice(&line), TEXT, 0);
	usage(set, c, &page);
	if (c->description) {
		head(&page, "DESCRIPTION");
		paragraphs(&page, c->description, TEXT);
	}
	positionals(c, &page);
	options(set, c, &page);
	commands(set, c, &page);
	if (c->exit_codes) {
		head(&page, "EXIT CODES");
		paragraphs(&page, c->exit_codes, TEXT);
	}
	if (c->environment) {
		head(&page, "ENVIRONMENT");
		paragraphs(&page, c->environment, TEXT);
	}
	examples(c, &page);
	buf_add_slice(out, buf_slice(&page));
	if (page.failed || line.failed)
		out->failed = page.failed ? page.failed : line.failed;
}
