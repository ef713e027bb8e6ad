/* POST /certificates on the admin socket: a page of the inventory. A question (inventory_ask.h) gives
 * {"certificates":[...],"counts":[[n, certificates], ...],"cursor"}. counts stands where a width was given: how many end
 * in the n-th span of that width behind `from`; certificates then has no more than `rows`, while all of the page are
 * counted. No cursor: that was the last page. */
#include "base/b64.h"
#include "base/utf8.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "server/inventory_ask.h"
#include "server/state.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAGE_BYTES = 2 << 20 }; /* rows with many names make a page shorter, not larger */

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
	for (size_t i = 0; i < INVENTORY_KINDS; i++) {
		if (!(is & inventory_kinds[i].is))
			continue;
		buf_addf(out, "%s\"%s\"", state ? "," : "", inventory_kinds[i].name);
		state = state ? state : inventory_kinds[i].name;
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
static void add_counts(struct buf *out, const struct inventory_ask *a, const struct inventory_page *p)
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

static void add_page(struct buf *out, const struct inventory_ask *a, struct inventory_page *p)
{
	size_t rows = a->rows < p->n ? a->rows : p->n;
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
	AUTO(json_decref_p) json_t *body = NULL;
	struct inventory_ask a;
	AUTO(inventory_page_done) struct inventory_page page = { 0 };
	if (body_object(x, &body, &x->error) || inventory_ask_read(body, x->now, &a, &x->error)) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, x->error.text);
		return;
	}
	x->log_quiet = a.from.id != INVENTORY_START.id;
	/* counting takes whole pages: what is not shown counts too */
	if (store_inventory(x->server->store, &a.f, a.from, a.width_s ? INVENTORY_ROWS : a.rows, &page, &x->error)) {
		exchange_fail(x);
		return;
	}
	add_page(&x->body, &a, &page);
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_json(x, 200, buf_slice(&x->body));
}
