#include "server/inventory_ask.h"

#include "base/b64.h"
#include "base/num.h"

#include <inttypes.h>

enum { PATTERN_MAX = 256, WIDTH_MIN_S = 60 };

const struct inventory_kind inventory_kinds[INVENTORY_KINDS] = {
	{ INVENTORY_REVOKED, "revoked" }, { INVENTORY_CLOSED, "closed" }, { INVENTORY_EXPIRED, "expired" },
	{ INVENTORY_RENEWED, "renewed" }, { INVENTORY_DUE, "due" },
};

static enum status text_member(const json_t *o, const char *name, struct slice *ret, struct error *e)
{
	const json_t *v = jsonio_field(o, name);
	if (v && !json_is_null(v) && !json_is_string(v))
		return error_set(e, ST_INVALID, "%s: not a string", name);
	*ret = jsonio_text(v);
	return ST_OK;
}

static enum status read_number(const json_t *o, const char *name, int64_t min, int64_t max, int64_t *ret,
                               struct error *e)
{
	const json_t *v = jsonio_field(o, name);
	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return error_set(e, ST_INVALID, "%s: not a number from %" PRId64 " to %" PRId64, name, min, max);
	*ret = json_integer_value(v);
	return ST_OK;
}

static enum status read_serial(const json_t *o, const char *name, char buf[SERIAL_TEXT], const char **ret,
                               struct error *e)
{
	struct slice s;
	if (text_member(o, name, &s, e))
		return e->status;
	if (!s.n)
		return ST_OK;
	if (serial_normalize(s, buf, e))
		return error_wrap(e, "%s", name);
	*ret = buf;
	return ST_OK;
}

static enum status read_pattern(const json_t *o, const char *name, const char **ret, struct error *e)
{
	struct slice s;
	if (text_member(o, name, &s, e))
		return e->status;
	if (s.n > PATTERN_MAX)
		return error_set(e, ST_INVALID, "%s: longer than %d bytes", name, PATTERN_MAX);
	*ret = s.n ? (const char *)s.p : NULL;
	return ST_OK;
}

static enum status read_key(const json_t *o, struct inventory_filter *f, struct error *e)
{
	struct slice s;
	AUTO(buf_done) struct buf raw = BUF_INIT(KEY_FINGERPRINT);
	if (text_member(o, "key", &s, e))
		return e->status;
	if (!s.n)
		return ST_OK;
	if (s.n != 2 * KEY_FINGERPRINT || hex_decode(&raw, s, e))
		return error_set(e, ST_INVALID, "key: not the %d hexadecimal digits of a SHA-256", 2 * KEY_FINGERPRINT);
	memcpy(f->key, raw.p, KEY_FINGERPRINT);
	f->has_key = true;
	return ST_OK;
}

static enum status read_kinds(const json_t *o, const char *name, unsigned *ret, struct error *e)
{
	const json_t *list = jsonio_field(o, name), *v;
	size_t at;
	if (list && !json_is_null(list) && !json_is_array(list))
		return error_set(e, ST_INVALID, "%s: not an array", name);
	json_array_foreach(list, at, v)
	{
		size_t i = 0;
		while (i < INVENTORY_KINDS && !slice_is(jsonio_text(v), inventory_kinds[i].name))
			i++;
		if (i == INVENTORY_KINDS)
			return error_set(e, ST_INVALID, "%s[%zu]: no such state", name, at);
		*ret |= inventory_kinds[i].is;
	}
	return ST_OK;
}

/* "not-after.row" */
static enum status read_cursor(const json_t *o, struct inventory_cursor *ret, struct error *e)
{
	struct slice s;
	struct inventory_cursor c;
	if (text_member(o, "cursor", &s, e))
		return e->status;
	if (!s.n)
		return ST_OK;
	size_t dot = slice_find(s, '.'), tail = dot < s.n ? dot + 1 : s.n;
	if (num_parse(slice_of(s.p, dot), WALL_MIN_S, WALL_MAX_S, &c.not_after_s, e) ||
	    num_parse(slice_of(s.p + tail, s.n - tail), 0, INT64_MAX, &c.id, e))
		return error_wrap(e, "cursor");
	*ret = c;
	return ST_OK;
}

static enum status read_filter(const json_t *o, struct inventory_ask *a, struct error *e)
{
	struct inventory_filter *f = &a->f;
	if (read_serial(o, "serial", a->serials[0], &f->serial, e) ||
	    read_serial(o, "line", a->serials[1], &f->line, e) ||
	    read_serial(o, "parent", a->serials[2], &f->parent, e) || read_pattern(o, "name", &f->name, e) ||
	    read_pattern(o, "provisioner", &f->provisioner, e) || read_key(o, f, e) ||
	    read_number(o, "from", WALL_MIN_S, WALL_MAX_S + 1, &f->from.s, e) ||
	    read_number(o, "before", WALL_MIN_S, WALL_MAX_S + 1, &f->before.s, e) ||
	    read_kinds(o, "skip", &f->skip, e) || read_kinds(o, "only", &f->only, e))
		return e->status;
	return ST_OK;
}

enum status inventory_ask_read(const json_t *o, struct wall now, struct inventory_ask *ret, struct error *e)
{
	struct inventory_ask *a = ret;
	int64_t rows = INVENTORY_ROWS;
	*a = (struct inventory_ask){ .from = INVENTORY_START };
	a->f = (struct inventory_filter){ .from = INVENTORY_EVER_FROM, .before = INVENTORY_EVER_BEFORE, .now = now };
	if (read_filter(o, a, e) || read_number(o, "rows", 0, INVENTORY_ROWS, &rows, e) ||
	    read_number(o, "width", WIDTH_MIN_S, WALL_MAX_S, &a->width_s, e) || read_cursor(o, &a->from, e))
		return e->status;
	a->rows = rows || a->width_s ? (size_t)rows : INVENTORY_ROWS; /* nothing shown and nothing counted */
	return ST_OK;
}
