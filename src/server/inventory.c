/* POST /certificates on the admin socket: a page of the inventory.
 *
 * {"serial","line","parent": decimal; "name","provisioner": patterns; "key": SHA-256 in hex; "from","before": seconds
 * since 1970, ends of life in [from, before); "skip","only": ["renewed", ...]; "rows": how many at most; "width":
 * seconds; "cursor": of the page before}, all optional, gives {"certificates":[...],"counts":[[n, certificates],
 * ...],"cursor"}. counts stands where a width was given: how many end in the n-th span of that width behind `from`;
 * certificates then has no more than `rows`, while all of the page are counted. No cursor: that was the last page. */
#include "base/b64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "server/state.h"
#include "store/inventory.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	PAGE_BYTES = 2 << 20, /* rows with many names make a page shorter, not larger */
	PATTERN_MAX = 256,
	WIDTH_MIN_S = 60,
};

static const struct {
	enum inventory_is is;
	const char *name;
} kinds[] = {
	/* the first that holds is the state */
	{ INVENTORY_REVOKED, "revoked" }, { INVENTORY_CLOSED, "closed" }, { INVENTORY_EXPIRED, "expired" },
	{ INVENTORY_RENEWED, "renewed" }, { INVENTORY_DUE, "due" },
};

/* What was asked; the texts are the JSON's. */
struct ask {
	json_t *json;
	struct inventory_filter f;
	char serials[3][SERIAL_TEXT];
	struct inventory_cursor from;
	int64_t rows, width_s;
};

static void ask_done(struct ask *a)
{
	json_decref(a->json);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

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
	if (body_text(o, name, &s, e))
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
	if (body_text(o, name, &s, e))
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
	if (body_text(o, "key", &s, e))
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
		while (i < COUNT_OF(kinds) && !slice_is(jsonio_text(v), kinds[i].name))
			i++;
		if (i == COUNT_OF(kinds))
			return error_set(e, ST_INVALID, "%s[%zu]: no such state", name, at);
		*ret |= kinds[i].is;
	}
	return ST_OK;
}

/* "not-after.row" */
static enum status read_cursor(const json_t *o, struct inventory_cursor *ret, struct error *e)
{
	struct slice s;
	struct inventory_cursor c;
	if (body_text(o, "cursor", &s, e))
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

static enum status read_ask(struct exchange *x, struct ask *a, struct error *e)
{
	struct inventory_filter *f = &a->f;
	*a = (struct ask){ .from = INVENTORY_START, .rows = INVENTORY_ROWS };
	*f = (struct inventory_filter){ .from = INVENTORY_EVER_FROM, .before = INVENTORY_EVER_BEFORE, .now = x->now };
	if (body_object(x, &a->json, e) || read_serial(a->json, "serial", a->serials[0], &f->serial, e) ||
	    read_serial(a->json, "line", a->serials[1], &f->line, e) ||
	    read_serial(a->json, "parent", a->serials[2], &f->parent, e) ||
	    read_pattern(a->json, "name", &f->name, e) || read_pattern(a->json, "provisioner", &f->provisioner, e) ||
	    read_key(a->json, f, e) || read_number(a->json, "from", WALL_MIN_S, WALL_MAX_S + 1, &f->from.s, e) ||
	    read_number(a->json, "before", WALL_MIN_S, WALL_MAX_S + 1, &f->before.s, e) ||
	    read_kinds(a->json, "skip", &f->skip, e) || read_kinds(a->json, "only", &f->only, e) ||
	    read_number(a->json, "rows", 0, INVENTORY_ROWS, &a->rows, e) ||
	    read_number(a->json, "width", WIDTH_MIN_S, WALL_MAX_S, &a->width_s, e) || read_cursor(a->json, &a->from, e))
		return e->status;
	if (!a->rows && !a->width_s) /* nothing shown and nothing counted */
		a->rows = INVENTORY_ROWS;
	return ST_OK;
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

/* Names are what somebody chose: JSON is made of them whatever they hold. */
static void add_text(struct buf *out, struct slice s)
{
	AUTO(buf_done) struct buf clean = BUF_INIT(4 * CERT_MAX);
	while (s.n) {
		uint32_t c;
		size_t n = utf8_next(s, &c);
		if (n)
			buf_add(&clean, s.p, n);
		else
			buf_adds(&clean, "\xef\xbf\xbd"); /* U+FFFD */
		n = n ? n : 1;
		s = slice_of(s.p + n, s.n - n);
	}
	if (clean.failed)
		out->failed = clean.failed;
	body_add_text(out, buf_slice(&clean));
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "\"%s\":", name);
	add_text(out, slice_cstr(text));
	buf_addc(out, ',');
}

static void add_time(struct buf *out, const char *name, struct wall t)
{
	char text[WALL_TEXT];
	buf_addf(out, "\"%s\":\"%s\",", name, wall_rfc3339(t, text));
}

static void add_sans(struct buf *out, const char *sans)
{
	buf_adds(out, "\"sans\":[");
	for (const char *at = sans; *at;) {
		size_t n = strcspn(at, "\n");
		if (at != sans)
			buf_addc(out, ',');
		add_text(out, slice_of(at, n));
		at += n + (at[n] == '\n');
	}
	buf_adds(out, "],");
}

static void add_states(struct buf *out, unsigned is)
{
	const char *state = NULL;
	buf_adds(out, "\"is\":[");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!(is & kinds[i].is))
			continue;
		buf_addf(out, "%s\"%s\"", state ? "," : "", kinds[i].name);
		state = state ? state : kinds[i].name;
	}
	buf_addf(out, "],\"state\":\"%s\",", state ? state : "active");
}

static void add_cert(struct buf *out, const struct inventory_cert *c)
{
	buf_addc(out, '{');
	add_member(out, "serial", c->serial);
	add_member(out, "subject", c->subject);
	add_sans(out, c->sans);
	add_member(out, "provisioner", c->provisioner);
	add_time(out, "notBefore", c->not_before);
	add_time(out, "notAfter", c->not_after);
	add_states(out, c->is);
	if (c->is & INVENTORY_REVOKED) {
		add_time(out, "revokedAt", c->revoked_at);
		buf_addf(out, "\"reasonCode\":%d,", c->reason_code);
	}
	add_member(out, "line", c->line);
	if (*c->parent)
		add_member(out, "parent", c->parent);
	buf_addf(out, "\"generation\":%" PRId64 ",\"key\":\"", c->generation);
	hex_encode(out, slice_of(c->key, sizeof c->key));
	buf_adds(out, "\"}");
}

/* In the order of their ends, so those of one span stand together. */
static void add_counts(struct buf *out, const struct ask *a, const struct inventory_page *p)
{
	buf_adds(out, "\"counts\":[");
	for (size_t i = 0, next; i < p->n; i = next) {
		int64_t span = (p->v[i].not_after.s - a->f.from.s) / a->width_s;
		for (next = i + 1; next < p->n && (p->v[next].not_after.s - a->f.from.s) / a->width_s == span; next++)
			;
		buf_addf(out, "%s[%" PRId64 ",%zu]", i ? "," : "", span, next - i);
	}
	buf_adds(out, "],");
}

static void add_page(struct buf *out, const struct ask *a, struct inventory_page *p)
{
	size_t rows = (size_t)a->rows < p->n ? (size_t)a->rows : p->n;
	buf_addc(out, '{');
	if (a->width_s)
		add_counts(out, a, p);
	buf_adds(out, "\"certificates\":[");
	for (size_t i = 0; i < rows && out->n < PAGE_BYTES; i++) {
		if (i)
			buf_addc(out, ',');
		add_cert(out, &p->v[i]);
		if (a->width_s || out->n < PAGE_BYTES || i + 1 == p->n)
			continue;
		p->more = true;
		p->next = p->v[i].at;
	}
	buf_addc(out, ']');
	if (p->more)
		buf_addf(out, ",\"cursor\":\"%" PRId64 ".%" PRId64 "\"", p->next.not_after_s, p->next.id);
	buf_adds(out, "}\n");
}

void resource_admin_certificates(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(ask_done) struct ask a = { 0 };
	AUTO(inventory_page_done) struct inventory_page page = { 0 };
	if (read_ask(x, &a, &x->error)) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, x->error.text);
		return;
	}
	x->log_quiet = a.from.id != INVENTORY_START.id;
	/* counting takes whole pages: what is not shown counts too */
	if (store_inventory(x->server->store, &a.f, a.from, a.width_s ? INVENTORY_ROWS : (size_t)a.rows, &page,
	                    &x->error)) {
		exchange_fail(x);
		return;
	}
	add_page(&x->body, &a, &page);
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_json(x, 200, buf_slice(&x->body));
}
