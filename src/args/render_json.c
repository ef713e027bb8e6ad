#include "args/render.h"

static void text(struct buf *out, const char *s)
{
	if (!s) {
		buf_adds(out, "null");
		return;
	}
	buf_addc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static void member(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, ",\"%s\":", name);
	text(out, value);
}

static void boolean(struct buf *out, const char *name, bool value)
{
	buf_addf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void option(struct buf *out, const struct opt *o)
{
	static const char *const types[] = {
		[OPT_TYPE_END] = "",	  [OPT_TYPE_FLAG] = "flag",  [OPT_TYPE_STR] = "text",
		[OPT_TYPE_LIST] = "list", [OPT_TYPE_INT] = "number", [OPT_TYPE_DURATION] = "duration",
	};
	struct opt_names names;
	opt_names_of(o, &names);
	buf_adds(out, "{\"names\":[");
	for (size_t i = 0; i < names.n; i++) {
		buf_adds(out, i ? "," : "");
		text(out, names.v[i]);
	}
	buf_addc(out, ']');
	member(out, "type", types[o->type]);
	member(out, "arg", o->arg);
	member(out, "help", o->help);
	member(out, "choices", o->choices);
	member(out, "env", o->env);
	boolean(out, "hidden", o->flags & OPT_HIDDEN);
	boolean(out, "no_env", o->flags & OPT_NO_ENV);
	boolean(out, "file", o->flags & (OPT_FILE | OPT_DIR));
	boolean(out, "secret", o->flags & OPT_SECRET);
	buf_addc(out, '}');
}

static void options(struct buf *out, const struct opt *rows)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < opt_count(rows); i++) {
		buf_adds(out, i ? "," : "");
		option(out, &rows[i]);
	}
	buf_addc(out, ']');
}

static void command(struct buf *out, const struct command *c)
{
	buf_adds(out, "{\"path\":");
	text(out, c->path);
	member(out, "summary", c->summary);
	member(out, "usage", c->usage);
	member(out, "description", c->description);
	member(out, "exit_codes", c->exit_codes);
	member(out, "environment", c->environment);
	boolean(out, "hidden", c->hidden);
	boolean(out, "runs", c->run);
	buf_addf(out, ",\"pos_min\":%u,\"pos_max\":%u,\"positionals\":[", c->pos_min, c->pos_max);
	for (const struct positional *p = c->positionals; p && p->name; p++) {
		buf_adds(out, p == c->positionals ? "{\"name\":" : ",{\"name\":");
		text(out, p->name);
		member(out, "help", p->help);
		buf_addc(out, '}');
	}
	buf_adds(out, "],\"options\":");
	options(out, c->opts);
	buf_adds(out, ",\"examples\":[");
	for (const struct example *x = c->examples; x && x->line; x++) {
		buf_adds(out, x == c->examples ? "{\"about\":" : ",{\"about\":");
		text(out, x->about);
		member(out, "line", x->line);
		buf_addc(out, '}');
	}
	buf_adds(out, "]}");
}

void render_json(const struct command_set *set, struct buf *out)
{
	buf_adds(out, "{\"program\":");
	text(out, set->program);
	buf_adds(out, ",\"global\":");
	options(out, set->global);
	buf_adds(out, ",\"commands\":[\n");
	for (const struct command *const *c = set->commands; *c; c++) {
		buf_adds(out, c == set->commands ? "" : ",\n");
		command(out, *c);
	}
	buf_adds(out, "\n]}\n");
}
