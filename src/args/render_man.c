#include "args/render.h"

/* man(7) rather than mdoc: its few macros say all that the table knows. */

/* roff text: back quotes switch to bold; what roff would read as a request or an escape is made harmless. */
static void text_n(struct buf *out, struct slice s, bool *bold)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = (char)s.p[i];
		bool line_start = i == 0 && (out->n == 0 || out->p[out->n - 1] == '\n');
		if (c == '`') {
			*bold = !*bold;
			buf_adds(out, *bold ? "\\fB" : "\\fR");
			continue;
		}
		if (line_start && (c == '.' || c == '\''))
			buf_adds(out, "\\&");
		switch (c) {
		case '\\':
			buf_adds(out, "\\e");
			break;
		case '-':
			buf_adds(out, "\\-");
			break;
		case '\'':
			buf_adds(out, "\\(aq");
			break;
		case '~':
			buf_adds(out, "\\(ti");
			break;
		case '^':
			buf_adds(out, "\\(ha");
			break;
		default:
			buf_addc(out, c);
		}
	}
}

static void text(struct buf *out, const char *s)
{
	bool bold = false;
	text_n(out, slice_cstr(s), &bold);
	if (bold)
		buf_adds(out, "\\fR");
}

static void paragraph(struct buf *out, struct slice s)
{
	bool bold = false, lines = s.n && (s.p[0] == ' ' || s.p[0] == '\t');
	if (lines)
		buf_adds(out, ".nf\n");
	while (s.n) {
		size_t n = slice_find(s, '\n');
		struct slice line = slice_of(s.p, n);
		text_n(out, lines ? line : slice_trim(line), &bold);
		buf_addc(out, '\n');
		s = slice_of(s.p + n + (n < s.n), s.n - n - (n < s.n));
	}
	if (lines)
		buf_adds(out, ".fi\n");
}

static void paragraphs(struct buf *out, const char *s)
{
	for (bool first = true; s && *s; first = false) {
		const char *end = strstr(s, "\n\n");
		buf_adds(out, first ? "" : ".PP\n");
		paragraph(out, end ? slice_of(s, (size_t)(end - s)) : slice_cstr(s));
		s = end ? end + 2 : NULL;
	}
}

/* "step-ca-renew"; the program itself: "step". */
static void page_name(struct buf *out, const struct command_set *set, const struct command *c)
{
	buf_adds(out, set->program);
	for (const char *s = c->path[0] ? c->path : NULL; s; s = strchr(s, ' ') ? strchr(s, ' ') + 1 : NULL) {
		const char *space = strchr(s, ' ');
		buf_addf(out, "-%.*s", space ? (int)(space - s) : (int)strlen(s), s);
	}
}

int man_section(const struct command_set *set)
{
	return set->man_section ? set->man_section : 1;
}

static void title(const struct command_set *set, const struct command *c, const char *date, struct buf *out)
{
	AUTO(buf_done) struct buf name = BUF_INIT(256);
	page_name(&name, set, c);
	buf_adds(out, ".TH ");
	for (size_t i = 0; i < name.n; i++) {
		uint8_t ch = name.p[i];
		if (ch == '-')
			buf_adds(out, "\\-");
		else
			buf_addc(out, (char)(ch >= 'a' && ch <= 'z' ? ch - 32 : ch));
	}
	buf_addf(out, " %d \"%s\" \"Perennial " PERENNIAL_VERSION "\" \"Perennial Manual\"\n.SH NAME\n",
	         man_section(set), date);
	text(out, buf_cstr(&name));
	buf_adds(out, " \\- ");
	text(out, c->summary);
	buf_addc(out, '\n');
}

static void flag_name(struct buf *out, const char *name, struct slice word)
{
	buf_adds(out, name[1] ? "\\fB\\-\\-" : "\\fB\\-");
	text(out, name);
	buf_adds(out, "\\fR");
	if (word.n) {
		bool bold = false;
		buf_adds(out, "=\\fI");
		text_n(out, word, &bold);
		buf_adds(out, "\\fR");
	}
}

static void synopsis(const struct command_set *set, const struct command *c, struct buf *out)
{
	buf_adds(out, ".SH SYNOPSIS\n.ad l\n.nh\n\\fB");
	text(out, set->program);
	if (c->path[0]) {
		buf_addc(out, ' ');
		text(out, c->path);
	}
	buf_adds(out, "\\fR");
	if (command_is_group(set, c))
		buf_adds(out, " \\fIcommand\\fR [\\fIarguments\\fR] [\\fIoptions\\fR]");
	if (c->usage && c->usage[0]) {
		buf_adds(out, " \\fI");
		text(out, c->usage);
		buf_adds(out, "\\fR");
	}
	buf_addc(out, '\n');
	for (size_t i = 0; i < opt_count(c->opts); i++) {
		if (c->opts[i].flags & OPT_HIDDEN)
			continue;
		buf_addc(out, '[');
		flag_name(out, c->opts[i].name, opt_value_word(&c->opts[i]));
		buf_adds(out, c->opts[i].type == OPT_TYPE_LIST ? "]...\n" : "]\n");
	}
	buf_adds(out, ".hy\n.ad b\n");
}

static void option(const struct opt *o, struct buf *out)
{
	struct opt_names names;
	opt_names_of(o, &names);
	buf_adds(out, ".TP\n");
	for (size_t i = 0; i < names.n; i++) {
		buf_adds(out, i ? ", " : "");
		flag_name(out, names.v[i], opt_value_word(o));
	}
	buf_addc(out, '\n');
	text(out, o->help ? o->help : o->name);
	buf_adds(out, ".");
	if (o->choices) {
		buf_adds(out, " Options are");
		for (const char *s = o->choices; *s;) {
			const char *space = strchr(s, ' ');
			size_t n = space ? (size_t)(space - s) : strlen(s);
			bool bold = false;
			buf_adds(out, " \\fB");
			text_n(out, slice_of(s, n), &bold);
			buf_adds(out, space ? "\\fR," : "\\fR.");
			s += n + (space != NULL);
		}
	}
	if (o->type == OPT_TYPE_LIST)
		buf_adds(out, " May be given more than once.");
	buf_addc(out, '\n');
}

static void options(const struct command_set *set, const struct command *c, struct buf *out)
{
	const struct opt *const parts[] = { c->opts, set->global };
	buf_adds(out, ".SH OPTIONS\n");
	for (size_t k = 0; k < COUNT_OF(parts); k++)
		for (size_t i = 0; i < opt_count(parts[k]); i++)
			if (!(parts[k][i].flags & OPT_HIDDEN))
				option(&parts[k][i], out);
	buf_adds(out, ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nShow the help.\n");
}

static void positionals(const struct command *c, struct buf *out)
{
	const struct positional *p = c->positionals;
	if (!p || !p->name)
		return;
	buf_adds(out, ".SH \"POSITIONAL ARGUMENTS\"\n");
	for (; p->name; p++) {
		buf_adds(out, ".TP\n\\fI");
		text(out, p->name);
		buf_adds(out, "\\fR\n");
		text(out, p->help);
		buf_addc(out, '\n');
	}
}

static void commands(const struct command_set *set, const struct command *c, struct buf *out)
{
	if (!command_is_group(set, c))
		return;
	buf_adds(out, ".SH COMMANDS\n");
	for (const struct command *const *k = set->commands; *k; k++) {
		if (!command_is_child(c, *k) || (*k)->hidden)
			continue;
		AUTO(buf_done) struct buf name = BUF_INIT(256);
		page_name(&name, set, *k);
		buf_adds(out, ".TP\n\\fB");
		text(out, buf_cstr(&name));
		buf_addf(out, "\\fR(%d)\n", man_section(set));
		text(out, (*k)->summary);
		buf_adds(out, ".\n");
	}
}

static void examples(const struct command *c, struct buf *out)
{
	const struct example *x = c->examples;
	if (!x || !x->line)
		return;
	buf_adds(out, ".SH EXAMPLES\n");
	for (bool first = true; x->line; x++, first = false) {
		buf_adds(out, first ? "" : ".PP\n");
		text(out, x->about);
		buf_adds(out, "\n.PP\n.nf\n.RS\n$ ");
		text(out, x->line);
		buf_adds(out, "\n.RE\n.fi\n");
	}
}

/* What holds for every command stands in the program's own page. */
static void see_also(const struct command_set *set, const struct command *c, struct buf *out)
{
	if (!c->path[0])
		return;
	buf_adds(out, ".SH \"SEE ALSO\"\n.BR ");
	text(out, set->program);
	buf_addf(out, " (%d)\n", man_section(set));
}

void render_man(const struct command_set *set, const struct command *c, const char *date, struct buf *out)
{
	title(set, c, date, out);
	synopsis(set, c, out);
	buf_adds(out, ".SH DESCRIPTION\n");
	if (c->description) {
		paragraphs(out, c->description);
	} else {
		text(out, c->summary);
		buf_adds(out, ".\n");
	}
	positionals(c, out);
	options(set, c, out);
	commands(set, c, out);
	if (c->exit_codes) {
		buf_adds(out, ".SH \"EXIT STATUS\"\n");
		paragraphs(out, c->exit_codes);
	}
	examples(c, out);
	if (c->environment) {
		buf_adds(out, ".SH ENVIRONMENT\n");
		paragraphs(out, c->environment);
	}
	see_also(set, c, out);
}
