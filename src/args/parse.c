#include "args/parse.h"
#include "args/table.h"
#include "base/num.h"

#include <stdlib.h>

/* What args_parse keeps behind struct args. The rows of the command come first, the global ones after them. */
struct block { /* a text of our own: one part of a comma-separated list */
	struct block *next;
	char text[];
};
struct row_state {
	enum args_origin origin;
	struct slice spelled; /* the name it was given by on the command line */
};
struct state {
	const struct opt *own, *global;
	size_t own_n, global_n;
	struct block *blocks;
	struct row_state rows[];
};

struct parse {
	const struct command_set *set;
	const struct command *c;
	const struct args_source *source;
	struct args *a;
	struct state *s;
	struct error *e;
};

static const size_t field_bytes[] = {
	[OPT_TYPE_END] = 0,
	[OPT_TYPE_FLAG] = sizeof(bool),
	[OPT_TYPE_STR] = sizeof(const char *),
	[OPT_TYPE_LIST] = sizeof(struct text_list),
	[OPT_TYPE_INT] = sizeof(struct opt_int),
	[OPT_TYPE_DURATION] = sizeof(struct opt_duration),
};

static const struct opt *row_at(const struct state *s, size_t i)
{
	return i < s->own_n ? &s->own[i] : &s->global[i - s->own_n];
}

static void *field_at(const struct args *a, size_t i)
{
	const struct state *s = a->internal;
	return (char *)(i < s->own_n ? a->values : a->globals) + row_at(s, i)->at;
}

void args_done(struct args *a)
{
	struct state *s = a->internal;
	for (size_t i = 0; s && i < s->own_n + s->global_n; i++)
		if (row_at(s, i)->type == OPT_TYPE_LIST)
			text_list_done(field_at(a, i));
	while (s && s->blocks) {
		struct block *b = s->blocks;
		s->blocks = b->next;
		free(b);
	}
	free(s);
	free(a->values);
	free(a->globals);
	free(a->pos);
	*a = (struct args){ 0 };
}

static size_t struct_bytes(const struct opt *rows)
{
	size_t most = 1;
	for (size_t i = 0; i < opt_count(rows); i++) {
		size_t end = rows[i].at + field_bytes[rows[i].type];
		most = end > most ? end : most;
	}
	return most;
}

static enum status start(struct parse *p, int argc)
{
	size_t own_n = opt_count(p->c->opts), global_n = opt_count(p->set->global);
	struct args *a = p->a;

	struct state *s = calloc(1, sizeof *s + (own_n + global_n) * sizeof s->rows[0]);
	if (!s)
		return error_nomem(p->e);
	size_t least = struct_bytes(p->c->opts);
	a->values = calloc(1, p->c->args_size > least ? p->c->args_size : least);
	a->globals = calloc(1, struct_bytes(p->set->global));
	a->pos = calloc((size_t)(argc > 0 ? argc : 0) + 1, sizeof *a->pos);
	if (!a->values || !a->globals || !a->pos) {
		free(s);
		return error_nomem(p->e);
	}
	*s = (struct state){ .own = p->c->opts, .own_n = own_n, .global = p->set->global, .global_n = global_n };
	a->internal = p->s = s;
	return ST_OK;
}

/* ---- values ---- */

/* The words of Go's strconv.ParseBool. */
static bool read_bool(const char *text, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };
	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
			*ret = !strcmp(text, yes[i]);
			return true;
		}
	}
	return false;
}

static const char *shown(const struct opt *o, const char *text)
{
	return o->flags & OPT_SECRET ? "(not shown)" : text;
}

/* A value that cannot be read, in the peer's words for where it came from. */
static enum status unreadable(struct parse *p, size_t i, const char *type, const char *text)
{
	const struct opt *o = row_at(p->s, i);
	const struct row_state *r = &p->s->rows[i];
	bool is_bool = o->type == OPT_TYPE_FLAG;

	if (r->origin == ARGS_ENV) {
		AUTO(buf_done) struct buf names = BUF_INIT(512);
		opt_names_join(o, &names);
		return error_set(p->e, ST_USAGE, "could not parse %s as %s value for flag %s: invalid syntax",
		                 shown(o, text), type, buf_cstr(&names));
	}
	if (r->origin == ARGS_DEFAULTS)
		return error_set(p->e, ST_INVALID, "invalid value '%s' for flag '--%s' in defaults.json",
		                 shown(o, text), o->name);
	return error_set(p->e, ST_USAGE, "invalid %svalue \"%s\" for %s-%.*s: parse error", is_bool ? "boolean " : "",
	                 shown(o, text), is_bool ? "" : "flag ", SLICE_FMT(r->spelled));
}

static enum status set_flag(struct parse *p, size_t i, const char *text)
{
	bool *field = field_at(p->a, i);
	if (p->s->rows[i].origin == ARGS_ENV && !*text) {
		*field = false; /* set but empty is false (spec/client.md §1.3) */
		return ST_OK;
	}
	return read_bool(text, field) ? ST_OK : unreadable(p, i, "bool", text);
}

static enum status set_str(struct parse *p, size_t i, const char *text)
{
	const char **field = field_at(p->a, i);
	*field = text;
	return ST_OK;
}

static enum status list_append(struct parse *p, size_t i, const char *text)
{
	struct text_list *l = field_at(p->a, i);
	if (l->n == ARGS_LIST_MAX)
		return error_set(p->e, ST_LIMIT, "flag '--%s' has more than %d values", row_at(p->s, i)->name,
		                 ARGS_LIST_MAX);
	if ((l->n & (l->n - 1)) == 0) { /* full at every power of two */
		const char **more = realloc(l->v, (l->n ? l->n * 2 : 1) * sizeof *more);
		if (!more)
			return error_nomem(p->e);
		l->v = more;
	}
	l->v[l->n++] = text;
	return ST_OK;
}

/* The lists of environment and defaults are split at commas, the command line's are not. */
static enum status list_split(struct parse *p, size_t i, const char *text)
{
	struct slice rest = slice_cstr(text);
	enum status st = ST_OK;
	while (!st && rest.n) {
		size_t comma = slice_find(rest, ',');
		struct slice part = slice_trim(slice_of(rest.p, comma));
		rest.p += comma < rest.n ? comma + 1 : comma;
		rest.n -= comma < rest.n ? comma + 1 : comma;
		struct block *b = malloc(sizeof *b + part.n + 1);
		if (!b)
			return error_nomem(p->e);
		memcpy(b->text, part.p, part.n);
		b->text[part.n] = '\0';
		b->next = p->s->blocks;
		p->s->blocks = b;
		st = list_append(p, i, b->text);
	}
	return st;
}

static enum status set_list(struct parse *p, size_t i, const char *text)
{
	bool whole = p->s->rows[i].origin == ARGS_LINE || (row_at(p->s, i)->flags & OPT_NO_SPLIT);
	return whole ? list_append(p, i, text) : list_split(p, i, text);
}

static enum status set_int(struct parse *p, size_t i, const char *text)
{
	struct opt_int *field = field_at(p->a, i);
	int64_t v;
	if (num_parse(slice_cstr(text), INT64_MIN, INT64_MAX, &v, p->e))
		return unreadable(p, i, "int", text);
	*field = (struct opt_int){ .set = true, .v = v };
	return ST_OK;
}

static enum status set_duration(struct parse *p, size_t i, const char *text)
{
	struct opt_duration *field = field_at(p->a, i);
	const struct opt *o = row_at(p->s, i);
	int64_t ns;
	if (duration_parse(slice_cstr(text), &ns, p->e))
		return error_set(p->e, ST_INVALID, "invalid value '%s' for flag '--%s'", shown(o, text), o->name);
	*field = (struct opt_duration){ .set = true, .ns = ns };
	return ST_OK;
}

static enum status (*const setters[])(struct parse *p, size_t i, const char *text) = {
	[OPT_TYPE_FLAG] = set_flag, [OPT_TYPE_STR] = set_str,           [OPT_TYPE_LIST] = set_list,
	[OPT_TYPE_INT] = set_int,   [OPT_TYPE_DURATION] = set_duration,
};

static bool is_choice(const char *choices, const char *text)
{
	struct slice rest = slice_cstr(choices);
	while (rest.n) {
		size_t space = slice_find(rest, ' ');
		if (slice_is(slice_of(rest.p, space), text))
			return true;
		rest.p += space < rest.n ? space + 1 : space;
		rest.n -= space < rest.n ? space + 1 : space;
	}
	return false;
}

static enum status check_choice(struct parse *p, size_t i, const char *text)
{
	const struct opt *o = row_at(p->s, i);
	bool empty = !*text && p->s->rows[i].origin != ARGS_LINE; /* as good as unset */
	if (!o->choices || o->flags & OPT_NO_CHECK || empty || is_choice(o->choices, text))
		return ST_OK;
	AUTO(buf_done) struct buf options = BUF_INIT(1024);
	for (const char *c = o->choices; *c; c++)
		buf_adds(&options, *c == ' ' ? ", " : (const char[]){ *c, '\0' });
	return error_set(p->e, ST_INVALID, "invalid value '%s' for flag '--%s'; options are %s", shown(o, text),
	                 o->name, buf_cstr(&options));
}

static enum status set_value(struct parse *p, size_t i, const char *text, enum args_origin origin)
{
	const struct opt *o = row_at(p->s, i);
	p->s->rows[i].origin = origin;
	if (strlen(text) > ARGS_VALUE_MAX)
		return error_set(p->e, ST_LIMIT, "the value of flag '--%s' is longer than %d bytes", o->name,
		                 ARGS_VALUE_MAX);
	enum status st = check_choice(p, i, text);
	return st ? st : setters[o->type](p, i, text);
}

/* ---- the command line ---- */

static bool find_row(const struct parse *p, struct slice name, size_t *ret)
{
	const struct opt *o = opt_find(p->c->opts, name);
	if (o) {
		*ret = (size_t)(o - p->s->own);
		return true;
	}
	o = opt_find(p->set->global, name);
	if (o)
		*ret = p->s->own_n + (size_t)(o - p->s->global);
	return o;
}

/* "--out a --output-file b" (spec/client.md §1.4). */
static enum status check_forms(struct parse *p, size_t i, struct slice name)
{
	struct row_state *r = &p->s->rows[i];
	if (!r->spelled.p)
		r->spelled = name;
	if (slice_eq(r->spelled, name))
		return ST_OK;
	struct opt_names names;
	opt_names_of(row_at(p->s, i), &names);
	struct slice early = name, late = r->spelled;
	for (size_t k = names.n; k-- > 0;)
		if (slice_is(r->spelled, names.v[k]) || slice_is(name, names.v[k]))
			early = slice_cstr(names.v[k]);
	if (slice_eq(early, late))
		late = name;
	return error_set(p->e, ST_USAGE, "Cannot use two forms of the same flag: %.*s %.*s", SLICE_FMT(late),
	                 SLICE_FMT(early));
}

/* One flag at *at, which moves to the last word that belongs to it. */
static enum status take_flag(struct parse *p, int argc, char *const argv[], int *at, const struct flag_word *w)
{
	size_t i;
	if (!w->name.n || w->name.p[0] == '-')
		return error_set(p->e, ST_USAGE, "bad flag syntax: %.*s",
		                 (int)(w->name.n + (size_t)((const char *)w->name.p - argv[*at])), argv[*at]);
	if (!find_row(p, w->name, &i))
		return error_set(p->e, ST_USAGE, "flag provided but not defined: -%.*s", SLICE_FMT(w->name));
	enum status st = check_forms(p, i, w->name);
	if (st)
		return st;
	const char *value = w->value ? w->value : "true";
	if (opt_takes_word(row_at(p->s, i), w)) {
		if (*at + 1 >= argc)
			return error_set(p->e, ST_USAGE, "flag needs an argument: -%.*s", SLICE_FMT(w->name));
		value = argv[++*at];
	}
	return set_value(p, i, value, ARGS_LINE);
}

static size_t path_words(const struct command *c)
{
	size_t n = c->path[0] != '\0';
	for (const char *s = c->path; *s; s++)
		n += *s == ' ';
	return n;
}

static enum status take_line(struct parse *p, int argc, char *const argv[])
{
	size_t skip = path_words(p->c);
	bool flags_end = false;
	enum status st = ST_OK;
	for (int i = 0; !st && i < argc; i++) {
		struct flag_word w;
		if (!flags_end && flag_word_read(argv[i], &w))
			st = take_flag(p, argc, argv, &i, &w);
		else if (!flags_end && !strcmp(argv[i], "--"))
			flags_end = true;
		else if (skip)
			skip--;
		else
			p->a->pos[p->a->pos_n++] = argv[i];
	}
	return st;
}

static enum status check_count(struct parse *p)
{
	const struct command *c = p->c;
	size_t n = p->a->pos_n;
	if (n >= c->pos_min && n <= c->pos_max)
		return ST_OK;
	bool path = c->path[0], usage = c->usage && c->usage[0];
	return error_set(p->e, ST_INVALID, "%s positional arguments were provided in '%s%s%s%s%s'",
	                 n < c->pos_min ? "not enough" : "too many", p->set->program, path ? " " : "", c->path,
	                 usage ? " " : "", usage ? c->usage : "");
}

/* ---- environment and defaults ---- */

/* STEP_ and the first name in capitals, '-' as '_'. */
static const char *rule_name(const struct opt *o, char out[64])
{
	static const char prefix[] = "STEP_";
	size_t n = strlen(prefix);
	memcpy(out, prefix, n);
	for (const char *s = o->name; *s && n < 63; s++)
		out[n++] = (char)(*s == '-' ? '_' : *s >= 'a' && *s <= 'z' ? *s - 32 : *s);
	out[n] = '\0';
	return out;
}

static const char *from_env(const struct parse *p, const struct opt *o)
{
	const struct args_source *src = p->source;
	char name[64];
	const char *v = o->env ? src->getenv(src->ctx, o->env) : NULL;
	return v ? v : src->getenv(src->ctx, rule_name(o, name));
}

static const char *from_defaults(const struct parse *p, const struct opt *o)
{
	struct opt_names names;
	const char *v = NULL;
	opt_names_of(o, &names);
	for (size_t i = 0; !v && i < names.n; i++)
		v = p->source->defaults(p->source->ctx, names.v[i]);
	return v;
}

static enum status take_sources(struct parse *p)
{
	enum status st = ST_OK;
	if (p->source && p->source->line_read)
		p->source->line_read(p->source->ctx, p->a->globals);
	for (size_t i = 0; p->source && !st && i < p->s->own_n + p->s->global_n; i++) {
		const struct opt *o = row_at(p->s, i);
		if (p->s->rows[i].origin || o->flags & OPT_NO_ENV)
			continue;
		const char *v = p->source->getenv ? from_env(p, o) : NULL;
		enum args_origin origin = ARGS_ENV;
		if (!v && p->source->defaults) {
			v = from_defaults(p, o);
			origin = ARGS_DEFAULTS;
		}
		st = v ? set_value(p, i, v, origin) : ST_OK;
	}
	return st;
}

/* What was typed is repeated in errors, which are one line each and go to a terminal. */
static enum status printable(struct error *e, enum status st)
{
	for (char *s = e->text; st && *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	return st;
}

enum status args_parse(const struct command_set *set, const struct command *c, int argc, char *const argv[],
                       const struct args_source *source, struct args *ret, struct error *e)
{
	AUTO(args_done) struct args a = { 0 };
	struct parse p = { .set = set, .c = c, .source = source, .a = &a, .e = e };
	enum status st = start(&p, argc);
	if (!st)
		st = take_line(&p, argc, argv);
	if (!st)
		st = take_sources(&p);
	if (!st)
		st = check_count(&p);
	if (st)
		return printable(e, st);
	*ret = a;
	a = (struct args){ 0 };
	return ST_OK;
}

enum args_origin args_origin(const struct args *a, const char *name)
{
	const struct state *s = a->internal;
	for (size_t i = 0; s && i < s->own_n + s->global_n; i++)
		if (!strcmp(row_at(s, i)->name, name))
			return s->rows[i].origin;
	return ARGS_UNSET;
}

bool args_given(const struct args *a, const char *name)
{
	return args_origin(a, name) != ARGS_UNSET;
}
