/* {
 *     "version": 1,
 *     "serial": "123", "notBefore": "2026-11-23T10:51:57Z", "notAfter": ...,
 *     "chance": "0123456789abcdef", "since": ..., "seen": ..., "due": ...,
 *     "renewed": ..., "failures": 2, "repeats": 1, "kind": "soon", "failed": ..., "retry": ..., "error": "...",
 *     "told": [ 50, 25 ],
 *     "owed": [ { "hook": "64 hex digits", "event": "renewed", "attempts": 1, "next": ..., "until": ...,
 *                 "elsewhere": true } ],
 *     "hookError": "...", "hookFailed": ...,
 *     "served": "new", "servedAt": ...
 * }
 * What is 0 or empty is left out. A member is added without a new version where old programs may overlook it. */
#include "renewal/record.h"

#include "base/b64.h"
#include "base/utf8.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "renewal/owed.h"

enum { VERSION = 1, COUNT_MAX = 1000000, CHANCE_BYTES = 8, INDENT = 2 };

const int record_threshold[RECORD_THRESHOLDS] = { 50, 25, 10, 0 };

struct pair_cert pair_cert_of(const struct cert_facts *f)
{
	struct pair_cert c = { .not_before = f->not_before, .not_after = f->not_after };
	memcpy(c.serial, f->serial_text, sizeof c.serial);
	return c;
}

bool pair_cert_same(const struct pair_cert *a, const struct pair_cert *b)
{
	return !strcmp(a->serial, b->serial) && a->not_before.s == b->not_before.s && a->not_after.s == b->not_after.s;
}

bool record_owes_deployment(const struct record *r)
{
	for (size_t i = 0; i < r->owed_n; i++)
		if (r->owed[i].event == OWED_RENEWED || r->owed[i].event == OWED_REKEYED)
			return true;
	return false;
}

void record_text(char out[RECORD_TEXT], const char *text)
{
	size_t at = 0;
	for (struct slice rest = slice_cstr(text); rest.n;) {
		uint32_t c;
		size_t n = utf8_next(rest, &c);
		bool fit = n && !utf8_is_hostile(c);
		if (at + (fit ? n : 1) >= RECORD_TEXT)
			break;
		if (fit)
			memcpy(out + at, rest.p, n);
		else
			out[at] = '?';
		at += fit ? n : 1;
		rest = slice_of(rest.p + (n ? n : 1), rest.n - (n ? n : 1));
	}
	out[at] = '\0';
}

/* --- the table --- */

enum row_type { ROW_SERIAL, ROW_TEXT, ROW_WALL, ROW_COUNT, ROW_WORD };

struct row {
	const char *name;
	enum row_type type;
	size_t at;
	const char *const *words; /* ROW_WORD: of an enum, by value */
	int words_n;
};

static const char *const kinds[] = { [RETRY_SOON] = "soon", [RETRY_SELDOM] = "seldom" };
static const char *const served[] = {
	[SERVED_UNKNOWN] = "unknown", [SERVED_NEW] = "new", [SERVED_OTHER] = "other", [SERVED_SILENT] = "silent"
};
_Static_assert(COUNT_OF(kinds) == RETRY_KINDS, "a kind without a word");
_Static_assert(COUNT_OF(served) == SERVED_STATES, "a state without a word");
_Static_assert(sizeof(enum retry_kind) == sizeof(int) && sizeof(enum record_served) == sizeof(int), "as read here");

#define AT(field) offsetof(struct record, field)
static const struct row rows[] = {
	{ "serial", ROW_SERIAL, AT(cert.serial), NULL, 0 },
	{ "notBefore", ROW_WALL, AT(cert.not_before), NULL, 0 },
	{ "notAfter", ROW_WALL, AT(cert.not_after), NULL, 0 },
	{ "since", ROW_WALL, AT(since), NULL, 0 },
	{ "seen", ROW_WALL, AT(seen), NULL, 0 },
	{ "due", ROW_WALL, AT(due), NULL, 0 },
	{ "renewed", ROW_WALL, AT(renewed), NULL, 0 },
	{ "failures", ROW_COUNT, AT(failures), NULL, 0 },
	{ "repeats", ROW_COUNT, AT(repeats), NULL, 0 },
	{ "kind", ROW_WORD, AT(kind), kinds, COUNT_OF(kinds) },
	{ "failed", ROW_WALL, AT(failed), NULL, 0 },
	{ "retry", ROW_WALL, AT(retry), NULL, 0 },
	{ "error", ROW_TEXT, AT(error), NULL, 0 },
	{ "hookError", ROW_TEXT, AT(hook_error), NULL, 0 },
	{ "hookFailed", ROW_WALL, AT(hook_failed), NULL, 0 },
	{ "served", ROW_WORD, AT(served), served, COUNT_OF(served) },
	{ "servedAt", ROW_WALL, AT(served_at), NULL, 0 },
};

/* --- text to value --- */

static enum status read_wall(const json_t *v, struct wall *ret, struct error *e)
{
	return wall_parse_rfc3339(jsonio_text(v), ret, e);
}

static enum status read_count(const json_t *v, int *ret, struct error *e)
{
	json_int_t n = json_integer_value(v);
	if (!json_is_integer(v) || n < 0 || n > COUNT_MAX)
		return error_set(e, ST_INVALID, "not a number between 0 and %d", COUNT_MAX);
	*ret = (int)n;
	return ST_OK;
}

static enum status read_word(const json_t *v, const char *const *words, int n, int *ret, struct error *e)
{
	struct slice text = jsonio_text(v);
	for (int i = 0; i < n; i++)
		if (slice_is(text, words[i])) {
			*ret = i;
			return ST_OK;
		}
	return error_set(e, ST_INVALID, "none of the words known here");
}

static enum status read_hex(const json_t *v, uint8_t *out, size_t n, struct error *e)
{
	AUTO(buf_done) struct buf bytes = BUF_INIT(n);
	if (jsonio_text(v).n != 2 * n)
		return error_set(e, ST_INVALID, "not %zu hexadecimal digits", 2 * n);
	if (hex_decode(&bytes, jsonio_text(v), e))
		return e->status;
	memcpy(out, bytes.p, n);
	return ST_OK;
}

static enum status read_serial(const json_t *v, char out[SERIAL_TEXT], struct error *e)
{
	struct slice text = jsonio_text(v);
	bool digits = text.n > 0 && text.n < SERIAL_TEXT;
	for (size_t i = 0; digits && i < text.n; i++)
		digits = text.p[i] >= '0' && text.p[i] <= '9';
	if (!digits)
		return error_set(e, ST_INVALID, "not a decimal number");
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return ST_OK;
}

static enum status read_text(const json_t *v, char out[RECORD_TEXT], struct error *e)
{
	if (!json_is_string(v))
		return error_set(e, ST_INVALID, "not a string");
	record_text(out, json_string_value(v));
	return ST_OK;
}

static enum status read_row(const struct row *w, const json_t *v, struct record *r, struct error *e)
{
	void *field = (char *)r + w->at;
	switch (w->type) {
	case ROW_SERIAL:
		return read_serial(v, field, e);
	case ROW_TEXT:
		return read_text(v, field, e);
	case ROW_WALL:
		return read_wall(v, field, e);
	case ROW_COUNT:
		return read_count(v, field, e);
	case ROW_WORD:
		return read_word(v, w->words, w->words_n, field, e);
	}
	return error_set(e, ST_BUG, "a row without type");
}

static enum status read_rows(const json_t *o, struct record *r, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const json_t *v = json_object_get(o, rows[i].name);
		if (v && read_row(&rows[i], v, r, e))
			return error_wrap(e, "'%s'", rows[i].name);
	}
	return ST_OK;
}

static enum status read_chance(const json_t *o, struct record *r, struct error *e)
{
	const json_t *v = json_object_get(o, "chance");
	uint8_t b[CHANCE_BYTES];
	if (!v)
		return ST_OK;
	if (read_hex(v, b, sizeof b, e))
		return error_wrap(e, "'chance'");
	for (size_t i = 0; i < sizeof b; i++)
		r->chance = r->chance << 8 | b[i];
	r->drawn = true;
	return ST_OK;
}

static enum status read_told(const json_t *o, struct record *r, struct error *e)
{
	const json_t *list = json_object_get(o, "told");
	if (list && !json_is_array(list))
		return error_set(e, ST_INVALID, "'told': not a list");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		size_t k = 0;
		while (k < RECORD_THRESHOLDS && !(json_is_integer(v) && json_integer_value(v) == record_threshold[k]))
			k++;
		if (k == RECORD_THRESHOLDS)
			return error_set(e, ST_INVALID, "'told': none of 50, 25, 10, 0");
		r->told |= 1u << k;
	}
	return ST_OK;
}

static enum status read_event(const json_t *v, enum owed_event *ret, struct error *e)
{
	const char *names[OWED_EVENTS];
	int n = 0;
	for (enum owed_event ev = 0; ev < OWED_EVENTS; ev++)
		names[ev] = owed_event_name(ev);
	if (read_word(v, names, OWED_EVENTS, &n, e))
		return e->status;
	*ret = (enum owed_event)n;
	return ST_OK;
}

static enum status read_owed(const json_t *o, struct owed *ret, struct error *e)
{
	struct owed w = { 0 };
	if (read_hex(json_object_get(o, "hook"), w.id.b, sizeof w.id.b, e) ||
	    read_event(json_object_get(o, "event"), &w.event, e) ||
	    read_count(json_object_get(o, "attempts"), &w.attempts, e) ||
	    read_wall(json_object_get(o, "next"), &w.next, e) || read_wall(json_object_get(o, "until"), &w.until, e))
		return e->status;
	w.elsewhere = json_is_true(json_object_get(o, "elsewhere"));
	*ret = w;
	return ST_OK;
}

static enum status read_debts(const json_t *o, struct record *r, struct error *e)
{
	const json_t *list = json_object_get(o, "owed");
	if (list && !json_is_array(list))
		return error_set(e, ST_INVALID, "'owed': not a list");
	if (json_array_size(list) > RECORD_OWED)
		return error_set(e, ST_LIMIT, "'owed': more than %d", RECORD_OWED);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct owed w;
		if (read_owed(json_array_get(list, i), &w, e))
			return error_wrap(e, "'owed', entry %zu", i + 1);
		if (owed_find(r, &w.id))
			return error_set(e, ST_INVALID, "'owed', entry %zu: twice", i + 1);
		r->owed[r->owed_n++] = w;
	}
	return ST_OK;
}

static enum status read_version(const json_t *o, struct error *e)
{
	const json_t *v = json_object_get(o, "version");
	if (!json_is_integer(v))
		return error_set(e, ST_INVALID, "not a record: no version");
	if (json_integer_value(v) != VERSION)
		return error_set(e, ST_CONFLICT, "version %" JSON_INTEGER_FORMAT " is not known here",
		                 json_integer_value(v));
	return ST_OK;
}

enum status record_parse(struct slice text, struct record *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	struct record r = RECORD_NONE;
	if (text.n > RECORD_MAX)
		return error_set(e, ST_LIMIT, "larger than %d bytes", RECORD_MAX);
	if (jsonio_parse(text, JSONIO_STRICT, &o, e) || read_version(o, e) || read_rows(o, &r, e) ||
	    read_chance(o, &r, e) || read_told(o, &r, e) || read_debts(o, &r, e))
		return e->status;
	*ret = r;
	return ST_OK;
}

/* --- value to text --- */

/* NULL where memory ran out; nothing is left out by that, since json_object_set_new refuses NULL. */
static json_t *wall_json(struct wall t)
{
	char text[WALL_TEXT];
	return json_string(wall_rfc3339(t, text));
}

static json_t *hex_json(const uint8_t *p, size_t n)
{
	AUTO(buf_done) struct buf hex = BUF_INIT(2 * n);
	hex_encode(&hex, slice_of(p, n));
	return hex.failed ? NULL : json_string(buf_cstr(&hex));
}

static json_t *text_json(const char *text)
{
	char fit[RECORD_TEXT];
	record_text(fit, text);
	return json_string(fit);
}

static int add_number(json_t *o, const char *name, int n)
{
	return n ? json_object_set_new(o, name, json_integer(n)) : 0;
}

/* 0, or -1 where memory ran out. */
static int write_row(const struct row *w, const struct record *r, json_t *o)
{
	const void *field = (const char *)r + w->at;
	const char *text = field;
	const int *n = field;
	const struct wall *t = field;
	switch (w->type) {
	case ROW_SERIAL:
	case ROW_TEXT:
		return *text ? json_object_set_new(o, w->name, text_json(text)) : 0;
	case ROW_WALL:
		return t->s ? json_object_set_new(o, w->name, wall_json(*t)) : 0;
	case ROW_COUNT:
		return add_number(o, w->name, *n);
	case ROW_WORD:
		return *n ? json_object_set_new(o, w->name, json_string(w->words[*n])) : 0;
	}
	return -1;
}

static int write_rows(const struct record *r, json_t *o)
{
	int failed = json_object_set_new(o, "version", json_integer(VERSION));
	for (size_t i = 0; i < COUNT_OF(rows) && !failed; i++)
		failed = write_row(&rows[i], r, o);
	return failed;
}

static int write_chance(const struct record *r, json_t *o)
{
	uint8_t b[CHANCE_BYTES];
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)(r->chance >> (8 * (sizeof b - 1 - i)));
	return r->drawn ? json_object_set_new(o, "chance", hex_json(b, sizeof b)) : 0;
}

static int write_told(const struct record *r, json_t *o)
{
	json_t *list = json_array();
	int failed = r->told ? json_object_set_new(o, "told", json_incref(list)) : 0;
	for (size_t i = 0; i < RECORD_THRESHOLDS && !failed; i++)
		if (r->told & 1u << i)
			failed = json_array_append_new(list, json_integer(record_threshold[i]));
	json_decref(list);
	return failed;
}

static int write_owed(const struct owed *w, json_t *list)
{
	json_t *o = json_object();
	int failed = json_object_set_new(o, "hook", hex_json(w->id.b, sizeof w->id.b)) ||
	             json_object_set_new(o, "event", json_string(owed_event_name(w->event))) ||
	             json_object_set_new(o, "attempts", json_integer(w->attempts)) ||
	             json_object_set_new(o, "next", wall_json(w->next)) ||
	             json_object_set_new(o, "until", wall_json(w->until)) ||
	             (w->elsewhere && json_object_set_new(o, "elsewhere", json_true()));
	failed |= json_array_append_new(list, o);
	return failed;
}

static int write_debts(const struct record *r, json_t *o)
{
	json_t *list = json_array();
	int failed = r->owed_n ? json_object_set_new(o, "owed", json_incref(list)) : 0;
	for (size_t i = 0; i < r->owed_n && !failed; i++)
		failed = write_owed(&r->owed[i], list);
	json_decref(list);
	return failed;
}

enum status record_format(const struct record *r, struct buf *out, struct error *e)
{
	AUTO(json_decref_p) json_t *o = json_object();
	if (!o || write_rows(r, o) || write_chance(r, o) || write_told(r, o) || write_debts(r, o))
		return error_nomem(e);
	if (jsonio_format_indent(o, INDENT, out, e))
		return e->status;
	buf_addc(out, '\n');
	return buf_check(out, e);
}
