/* The walk: members are looked up among the rows without regard to case, as Go decodes them; what has no row, or a row
 * that is not served, fails closed unless it limits nothing (docs/design/config.md). */
#include "config/caschema.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH = 320, KEY_SHOWN = 48 };

static const char *const use_names[] = {
	[CKEY_USE] = "used",
	[CKEY_INERT] = "no effect",
	[CKEY_WARN] = "warned about and ignored",
	[CKEY_DISABLE] = "disables its provisioner",
	[CKEY_STOP] = "start-up refused",
};
_Static_assert(COUNT_OF(use_names) == CKEY_USE_COUNT, "a use has no name");

const char *ckey_use_name(enum ckey_use use)
{
	return use_names[use];
}

/* The file's own spelling of a key, fit for a message. */
static const char *key_shown(const char *key, char out[KEY_SHOWN])
{
	size_t n = 0;
	for (; key[n] && n < KEY_SHOWN - 1; n++)
		out[n] = (unsigned char)key[n] < 0x20 || key[n] == 0x7f ? '?' : key[n];
	out[n] = '\0';
	return out;
}

static void path_join(char *out, size_t n, const char *prefix, const char *key)
{
	snprintf(out, n, "%s%s%s", prefix, *prefix ? "." : "", key);
}

static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

static bool has_prefix(const struct ckey *row, const char *prefix)
{
	size_t n = strlen(prefix);
	const char *part = last_part(row->path);
	if (!n)
		return part == row->path;
	return (size_t)(part - row->path) == n + 1 && !strncmp(row->path, prefix, n);
}

static const struct ckey *row_find(const char *prefix, const char *key)
{
	size_t n;
	const struct ckey *rows = caschema_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (has_prefix(&rows[i], prefix) &&
		    slice_eq_nocase(slice_cstr(last_part(rows[i].path)), slice_cstr(key)))
			return &rows[i];
	return NULL;
}

/* null, false, 0, "", [] and {} switch nothing on: the peer writes them out for what was never set. */
static bool is_off(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_NULL:
	case JSON_FALSE:
		return true;
	case JSON_STRING:
		return !json_string_length(v);
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(v) == 0;
	case JSON_ARRAY:
		return !json_array_size(v);
	case JSON_OBJECT:
		return !json_object_size(v);
	case JSON_TRUE:
		break;
	}
	return false;
}

enum status caconf_warn(struct caconf *c, struct error *e, const char *fmt, ...)
{
	AUTO(buf_done) struct buf text = BUF_INIT(2048);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (buf_check(&text, e))
		return e->status;
	char **grown = realloc(c->warnings, (c->warnings_n + 1) * sizeof *grown);
	if (!grown)
		return error_nomem(e);
	c->warnings = grown;
	grown[c->warnings_n] = buf_take(&text);
	if (!grown[c->warnings_n])
		return error_nomem(e);
	c->warnings_n++;
	return ST_OK;
}

/* ---- values ---- */

static enum status take_text(const struct ckey *row, const char *shown, const json_t *v, char **field, struct error *e)
{
	if (!json_is_string(v))
		return error_set(e, ST_INVALID, "%s: not a string", shown);
	const char *s = json_string_value(v);
	for (const char *p = s; row->type != CKEY_SECRET && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return error_set(e, ST_INVALID, "%s: holds a control character", shown);
	char *copy = text_dup(slice_cstr(s));
	if (!copy)
		return error_nomem(e);
	text_wipe_free(*field);
	*field = copy;
	return ST_OK;
}

static enum status take_texts(const struct ckey *row, const char *shown, const json_t *v, char ***field, size_t *count,
                              struct error *e)
{
	bool single = row->type == CKEY_TEXT_OR_TEXTS && json_is_string(v);
	if (!single && !json_is_array(v))
		return error_set(e, ST_INVALID, "%s: not %s", shown,
		                 row->type == CKEY_TEXTS ? "an array of strings" : "a string or an array of strings");
	if (single && !json_string_length(v))
		return ST_OK; /* nothing given */
	size_t n = single ? 1 : json_array_size(v);
	char **list = calloc(n ? n : 1, sizeof *list);
	enum status st = list ? ST_OK : error_nomem(e);
	size_t i = 0;
	for (; !st && i < n; i++) {
		char item[PATH + 24];
		snprintf(item, sizeof item, single ? "%s" : "%s[%zu]", shown, i);
		const json_t *one = single ? v : json_array_get(v, i);
		if (json_is_string(one) && !json_string_length(one))
			st = error_set(e, ST_INVALID, "%s: empty", item);
		else
			st = take_text(row, item, one, &list[i], e);
	}
	if (st) {
		while (i)
			free(list[--i]);
		free(list);
		return st;
	}
	while (*count)
		free((*field)[--*count]);
	free(*field);
	*field = list;
	*count = n;
	return ST_OK;
}

static void put_int(void *field, size_t size, int64_t v)
{
	if (size == sizeof(int))
		*(int *)field = (int)v;
	else
		*(int64_t *)field = v;
}

static enum status take_int(const struct ckey *row, const char *shown, const json_t *v, void *field, struct error *e)
{
	if (!json_is_integer(v))
		return error_set(e, ST_INVALID, "%s: not a whole number", shown);
	int64_t n = json_integer_value(v);
	if (n < row->min || n > row->max)
		return error_set(e, ST_INVALID, "%s: must be between %lld and %lld", shown, (long long)row->min,
		                 (long long)row->max);
	put_int(field, row->size, n);
	return ST_OK;
}

static enum status take_duration(const struct ckey *row, const char *shown, const json_t *v, void *field,
                                 struct error *e)
{
	char least[DURATION_TEXT], most[DURATION_TEXT];
	struct error why = ERROR_INIT;
	int64_t ns;
	const char *s = json_string_value(v);
	if (s && row->type == CKEY_DURATION_OR_FOREVER && !strcmp(s, "forever")) {
		put_int(field, row->size, -1);
		return ST_OK;
	}
	if (!s || duration_parse(slice_cstr(s), &ns, &why))
		return error_set(e, ST_INVALID, "%s: not a duration such as 24h%s", shown,
		                 row->type == CKEY_DURATION ? "" : ", nor \"forever\"");
	if (ns < row->min || ns > row->max) {
		if (row->max == INT64_MAX)
			return error_set(e, ST_INVALID, "%s: must be at least %s", shown,
			                 duration_format(row->min, least));
		return error_set(e, ST_INVALID, "%s: must be between %s and %s", shown,
		                 duration_format(row->min, least), duration_format(row->max, most));
	}
	put_int(field, row->size, ns / row->unit);
	return ST_OK;
}

static enum status take_value(struct walk *w, const struct ckey *row, const char *shown, json_t *v, struct error *e)
{
	char *home = w->home[row->home], *field = home + row->at;
	enum status st = ST_OK;
	switch (row->type) {
	case CKEY_TEXT:
	case CKEY_SECRET:
		st = take_text(row, shown, v, (char **)(void *)field, e);
		break;
	case CKEY_TEXTS:
	case CKEY_TEXT_OR_TEXTS:
		st = take_texts(row, shown, v, (char ***)(void *)field, (size_t *)(void *)(home + row->extra), e);
		break;
	case CKEY_BOOL:
		if (!json_is_boolean(v))
			return error_set(e, ST_INVALID, "%s: neither true nor false", shown);
		*(bool *)field = json_is_true(v);
		break;
	case CKEY_INT:
		st = take_int(row, shown, v, field, e);
		break;
	case CKEY_NUMBER:
		if (!json_is_number(v))
			return error_set(e, ST_INVALID, "%s: not a number", shown);
		*(double *)(void *)field = json_number_value(v);
		break;
	case CKEY_DURATION:
	case CKEY_DURATION_OR_FOREVER:
		st = take_duration(row, shown, v, field, e);
		break;
	case CKEY_LIST:
		if (!json_is_array(v))
			return error_set(e, ST_INVALID, "%s: not an array of objects", shown);
		*(json_t **)(void *)field = v;
		break;
	case CKEY_JSON:
		if (!json_is_object(v))
			return error_set(e, ST_INVALID, "%s: not an object", shown);
		*(json_t **)(void *)field = v;
		break;
	case CKEY_OBJECT:
	case CKEY_ANY:
	case CKEY_TYPE_COUNT:
		break;
	}
	bool array = row->type == CKEY_TEXTS || row->type == CKEY_TEXT_OR_TEXTS;
	if (!st && row->extra && !array)
		*(bool *)(home + row->extra) = true;
	return st;
}

/* ---- defaults ---- */

/* The JSON value that a row's default stands for. */
static json_t *default_json(const struct ckey *row)
{
	switch (row->type) {
	case CKEY_BOOL:
		return json_boolean(!strcmp(row->dflt, "true"));
	case CKEY_INT:
	case CKEY_NUMBER:
		return json_loads(row->dflt, JSON_DECODE_ANY, NULL);
	case CKEY_TEXTS: {
		json_t *list = json_array();
		for (const char *p = row->dflt; list && *p; p += strspn(p, " ")) {
			size_t n = strcspn(p, " ");
			if (json_array_append_new(list, json_stringn(p, n))) {
				json_decref(list);
				return NULL;
			}
			p += n;
		}
		return list;
	}
	case CKEY_TEXT:
	case CKEY_SECRET:
	case CKEY_TEXT_OR_TEXTS:
	case CKEY_DURATION:
	case CKEY_DURATION_OR_FOREVER:
	case CKEY_OBJECT:
	case CKEY_LIST:
	case CKEY_JSON:
	case CKEY_ANY:
	case CKEY_TYPE_COUNT:
		break;
	}
	return json_string(row->dflt);
}

enum status caschema_defaults(struct walk *w, struct error *e)
{
	size_t n;
	const struct ckey *rows = caschema_rows(&n);
	for (size_t i = 0; i < n; i++) {
		if (!rows[i].dflt || rows[i].home != HOME_CONF)
			continue; /* what drafts default to is inherited, not set */
		json_t *v = default_json(&rows[i]);
		enum status st = v ? take_value(w, &rows[i], rows[i].path, v, e) : error_nomem(e);
		json_decref(v);
		if (st)
			return st;
	}
	return ST_OK;
}

/* ---- the walk ---- */

/* A key of this name belongs under `authority`: at the top it would be ignored, and with it a limit. */
static bool belongs_to_authority(const char *schema, const char *key)
{
	return !*schema && row_find("authority", key);
}

void provisioner_disable(struct provisioner_draft *p, const char *fmt, ...)
{
	size_t n = strlen(p->disabled);
	va_list ap;
	if (n)
		n += (size_t)snprintf(p->disabled + n, sizeof p->disabled - n, "; ");
	if (n >= sizeof p->disabled)
		return;
	va_start(ap, fmt);
	vsnprintf(p->disabled + n, sizeof p->disabled - n, fmt, ap);
	va_end(ap);
}

static enum status disable(struct walk *w, const char *shown, const char *why, struct error *e)
{
	struct provisioner_draft *p = w->home[HOME_PROVISIONER];
	if (!p)
		return error_set(e, ST_BUG, "%s: no provisioner to disable", shown);
	const char *inside = strchr(shown, ']'); /* GET /provisioners shows the reason: the path within is enough */
	provisioner_disable(p, "%s: %s", inside && inside[1] ? inside + 2 : shown, why);
	return ST_OK;
}

static enum status judge_unknown(struct walk *w, const char *schema, const char *shown, const char *key,
                                 enum ckey_use use, struct error *e)
{
	static const char why[] = "not a key of this place";
	if (strchr("_#/$", *key)) /* how people write comments into JSON; "" too has nothing to say */
		return ST_OK;
	if (belongs_to_authority(schema, key))
		return error_set(e, ST_INVALID, "%s: has no effect here; move it to authority.%s, or remove it", shown,
		                 last_part(row_find("authority", key)->path));
	switch (use) {
	case CKEY_USE:
	case CKEY_INERT:
		return ST_OK;
	case CKEY_WARN:
		return caconf_warn(w->c, e, "%s: %s; ignored", shown, why);
	case CKEY_DISABLE:
		return w->foreign ? ST_OK : disable(w, shown, why, e);
	case CKEY_STOP:
	case CKEY_USE_COUNT:
		break;
	}
	return error_set(e, ST_INVALID, "%s: %s, where it could be meant as a limit; check its spelling, or remove it",
	                 shown, why);
}

static enum status judge_row(struct walk *w, const struct ckey *row, const char *shown, json_t *v, struct error *e)
{
	if (json_is_null(v)) /* Go leaves the field as it was */
		return ST_OK;
	bool off = is_off(v);
	if (row->use == CKEY_STOP && !off)
		return error_set(e, ST_INVALID, "%s: %s", shown, row->help);
	if (row->use == CKEY_DISABLE && !off)
		return w->foreign ? ST_OK : disable(w, shown, row->help, e);
	if (row->use == CKEY_WARN && !off && !w->foreign && caconf_warn(w->c, e, "%s: ignored: %s", shown, row->help))
		return e->status;
	if (row->type == CKEY_OBJECT) {
		if (!json_is_object(v))
			return error_set(e, ST_INVALID, "%s: not an object", shown);
		return caschema_walk(w, row->path, shown, v, row->inside, e);
	}
	/* What is on by default is not left on by a 0 or "" that was meant to switch it off. */
	bool on = row->type == CKEY_BOOL && row->dflt && strcmp(row->dflt, "true") == 0;
	bool stays_default =
		row->dflt && row->home == HOME_CONF && off && !json_is_boolean(v) && row->type != CKEY_INT && !on;
	if (row->home == HOME_NONE || !w->home[row->home] || stays_default)
		return row->check ? row->check(shown, v, e) : ST_OK;
	if (take_value(w, row, shown, v, e))
		return e->status;
	return row->check ? row->check(shown, v, e) : ST_OK;
}

static enum status demand_required(const char *schema, const char *shown, const bool *seen, struct error *e)
{
	size_t n;
	const struct ckey *rows = caschema_rows(&n);
	for (size_t i = 0; i < n; i++) {
		char path[PATH];
		if (!rows[i].required || seen[i] || !has_prefix(&rows[i], schema))
			continue;
		path_join(path, sizeof path, shown, last_part(rows[i].path));
		return error_set(e, ST_INVALID, "%s: missing; give %s", path, rows[i].help);
	}
	return ST_OK;
}

enum status caschema_walk(struct walk *w, const char *schema, const char *shown, json_t *object, enum ckey_use unknown,
                          struct error *e)
{
	size_t n;
	const struct ckey *rows = caschema_rows(&n);
	bool *seen = calloc(n, sizeof *seen), *given = calloc(n, sizeof *given);
	enum status st = seen && given ? ST_OK : error_nomem(e);
	for (void *i = json_object_iter(object); !st && i; i = json_object_iter_next(object, i)) {
		const char *key = json_object_iter_key(i);
		json_t *v = json_object_iter_value(i);
		const struct ckey *row = row_find(schema, key);
		char path[PATH], name[KEY_SHOWN];
		path_join(path, sizeof path, shown, row ? last_part(row->path) : key_shown(key, name));
		if (!row) {
			st = judge_unknown(w, schema, path, key, unknown, e);
			continue;
		}
		size_t at = (size_t)(row - rows);
		if (seen[at])
			st = error_set(e, ST_INVALID, "%s: given twice (upper and lower case are the same key)", path);
		seen[at] = true;
		given[at] = !json_is_null(v) && !(json_is_string(v) && !json_string_length(v)) &&
		            !(json_is_array(v) && !json_array_size(v));
		if (!st)
			st = judge_row(w, row, path, v, e);
	}
	if (!st)
		st = demand_required(schema, shown, given, e);
	free(seen);
	free(given);
	return st;
}

/* ---- the manual ---- */

static const char *const type_names[] = {
	[CKEY_TEXT] = "text",
	[CKEY_SECRET] = "text",
	[CKEY_TEXTS] = "[text]",
	[CKEY_TEXT_OR_TEXTS] = "text or [text]",
	[CKEY_BOOL] = "true or false",
	[CKEY_INT] = "whole number",
	[CKEY_NUMBER] = "number",
	[CKEY_DURATION] = "duration",
	[CKEY_DURATION_OR_FOREVER] = "duration or \"forever\"",
	[CKEY_OBJECT] = "object",
	[CKEY_LIST] = "[object]",
	[CKEY_JSON] = "object",
	[CKEY_ANY] = "any",
};
_Static_assert(COUNT_OF(type_names) == CKEY_TYPE_COUNT, "a type has no name");

static void add_range(struct buf *out, const struct ckey *r)
{
	char least[DURATION_TEXT], most[DURATION_TEXT];
	bool span = r->type == CKEY_DURATION || r->type == CKEY_DURATION_OR_FOREVER;
	if (r->type == CKEY_INT)
		buf_addf(out, " %lld to %lld", (long long)r->min, (long long)r->max);
	else if (span && r->max < INT64_MAX)
		buf_addf(out, " %s to %s", duration_format(r->min, least), duration_format(r->max, most));
	if (r->required)
		buf_adds(out, ", required");
	if (r->dflt)
		buf_addf(out, "; default %s", *r->dflt ? r->dflt : "empty");
}

/* Wraps words at 78 columns behind six spaces. */
static void add_wrapped(struct buf *out, const char *text)
{
	size_t column = 0;
	for (const char *p = text; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		if (column == 0 || column + 1 + n > 78) {
			buf_adds(out, column ? "\n      " : "      ");
			column = 6;
		} else {
			buf_addc(out, ' ');
			column++;
		}
		buf_add(out, p, n);
		column += n;
		p += n;
	}
	buf_addc(out, '\n');
}

static void add_cell(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '|')
			buf_addc(out, '\\');
		buf_addc(out, *p);
	}
}

void caconf_schema_text(struct buf *out, enum caconf_doc form)
{
	size_t n;
	const struct ckey *rows = caschema_rows(&n);
	if (form == CACONF_DOC_MARKDOWN)
		buf_adds(out, "| key | value | what we do | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		const struct ckey *r = &rows[i];
		const char *ours = r->ours ? " (ours)" : "";
		if (form == CACONF_DOC_MARKDOWN) {
			buf_addf(out, "| `%s`%s | %s", r->path, ours, type_names[r->type]);
			add_range(out, r);
			buf_addf(out, " | %s | ", use_names[r->use]);
			add_cell(out, r->help);
			buf_adds(out, " |\n");
			continue;
		}
		buf_addf(out, "%s%s\n      %s", r->path, ours, type_names[r->type]);
		add_range(out, r);
		buf_addf(out, "; %s\n", use_names[r->use]);
		add_wrapped(out, r->help);
	}
}
