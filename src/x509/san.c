#include "x509/san.h"

#include "x509/der.h"
#include "x509/ip.h"
#include "x509/show.h"
#include "x509/uri.h"

#include <stdlib.h>

/* GeneralName's context tags (RFC 5280 §4.2.1.6) and what becomes of each. */
static const struct {
	uint8_t tag;
	enum san_type type;
	const char *other; /* text of the kinds that are not printed */
} kinds[] = {
	{ 0x82, SAN_DNS, NULL },
	{ 0x81, SAN_EMAIL, NULL },
	{ 0x87, SAN_IP, NULL },
	{ 0x86, SAN_URI, NULL },
	{ 0xa0, SAN_OTHER, "otherName" },
	{ 0xa3, SAN_OTHER, "x400Address" },
	{ 0xa4, SAN_OTHER, "directoryName" },
	{ 0xa5, SAN_OTHER, "ediPartyName" },
	{ 0x88, SAN_OTHER, "registeredID" },
};

void san_list_done(struct san_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
	*l = (struct san_list){ 0 };
}

/* Room for one more: the capacity is 8, then the next power of two. */
static enum status grow(struct san_list *l, struct error *e)
{
	if (l->n >= SAN_LIST_MAX)
		return error_set(e, ST_LIMIT, "more than %d subject alternative names", SAN_LIST_MAX);
	if (l->n && (l->n < 8 || (l->n & (l->n - 1))))
		return ST_OK;
	struct san *v = realloc(l->v, (l->n ? 2 * l->n : 8) * sizeof *v);
	if (!v)
		return error_nomem(e);
	l->v = v;
	return ST_OK;
}

static enum status push(struct san_list *l, enum san_type type, struct slice text, struct slice ip, struct error *e)
{
	if (grow(l, e))
		return e->status;
	struct san s = { .type = type, .text = text_dup(text), .ip_n = (uint8_t)ip.n };
	if (!s.text)
		return error_nomem(e);
	if (ip.n)
		memcpy(s.ip, ip.p, ip.n);
	l->v[l->n++] = s;
	return ST_OK;
}

static enum status push_ip(struct san_list *l, struct slice ip, struct error *e)
{
	char text[IP_TEXT];
	return push(l, SAN_IP, slice_cstr(ip_text(ip.p, ip.n, text)), ip, e);
}

/* IA5String holds no more than ASCII, and names with controls in them are somebody's trick. */
static enum status check_text(struct slice s, struct error *e)
{
	char shown[64];
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 0x20 && s.p[i] < 0x7f)
			continue;
		return error_set(e, ST_INVALID, "subject alternative name '%s' holds a character that is %s",
		                 show_cut(s, shown, sizeof shown), s.p[i] < 0x80 ? "a control" : "not ASCII");
	}
	return ST_OK;
}

enum status san_list_add(struct san_list *l, struct slice text, struct error *e)
{
	uint8_t ip[16], ip_n;
	if (!text.n)
		return ST_OK;
	if (text.n > SAN_TEXT_MAX)
		return error_set(e, ST_INVALID, "subject alternative name is longer than %d bytes", SAN_TEXT_MAX);
	if (check_text(text, e))
		return e->status;
	if ((ip_n = ip_parse(text, ip)))
		return push_ip(l, slice_of(ip, ip_n), e);
	AUTO(buf_done) struct buf uri = BUF_INIT(3 * SAN_TEXT_MAX); /* escaping may triple it */
	if (uri_normalize(text, &uri)) {
		if (buf_check(&uri, e))
			return e->status;
		return push(l, SAN_URI, buf_slice(&uri), SLICE_NONE, e);
	}
	return push(l, slice_find(text, '@') < text.n ? SAN_EMAIL : SAN_DNS, text, SLICE_NONE, e);
}

bool san_list_has(const struct san_list *l, enum san_type type, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].type == type && !strcmp(l->v[i].text, text))
			return true;
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The different texts of one type, sorted. */
static size_t sorted_set(const struct san_list *l, enum san_type type, const char *ret[SAN_LIST_MAX])
{
	size_t n = 0, kept = 0;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].type == type)
			ret[n++] = l->v[i].text;
	qsort(ret, n, sizeof *ret, by_text);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(ret[kept - 1], ret[i]))
			ret[kept++] = ret[i];
	return kept;
}

bool san_list_same(const struct san_list *a, const struct san_list *b, enum san_type type)
{
	const char *of_a[SAN_LIST_MAX], *of_b[SAN_LIST_MAX];
	size_t n = sorted_set(a, type, of_a);
	if (n != sorted_set(b, type, of_b))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(of_a[i], of_b[i]))
			return false;
	return true;
}

enum status san_list_encode(const struct san_list *l, struct buf *out, struct error *e)
{
	size_t start = out->n;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].type == SAN_OTHER)
			return error_set(e, ST_INVALID, "a subject alternative name of the kind %s cannot be written",
			                 l->v[i].text);
	/* the peer's order: all names of a kind, kind by kind (spec/server.md §3.2) */
	for (size_t k = 0; kinds[k].type != SAN_OTHER; k++)
		for (size_t i = 0; i < l->n; i++) {
			const struct san *s = &l->v[i];
			if (s->type == kinds[k].type)
				der_add(out, kinds[k].tag,
				        s->type == SAN_IP ? slice_of(s->ip, s->ip_n) : slice_cstr(s->text));
		}
	der_wrap(out, start, DER_SEQUENCE);
	return buf_check(out, e);
}

static enum status decode_one(const struct der *d, struct san_list *l, struct error *e)
{
	size_t k = 0;
	while (k < COUNT_OF(kinds) && kinds[k].tag != d->tag)
		k++;
	if (k == COUNT_OF(kinds))
		return error_set(e, ST_INVALID, "subject alternative name of an unknown kind (tag 0x%02x)", d->tag);
	if (kinds[k].type == SAN_OTHER)
		return push(l, SAN_OTHER, slice_cstr(kinds[k].other), SLICE_NONE, e);
	if (kinds[k].type == SAN_IP) {
		if (d->body.n != 4 && d->body.n != 16)
			return error_set(e, ST_INVALID, "subject alternative name: an IP address of %zu bytes",
			                 d->body.n);
		return push_ip(l, d->body, e);
	}
	if (check_text(d->body, e))
		return e->status;
	return push(l, kinds[k].type, d->body, SLICE_NONE, e);
}

enum status san_list_decode(struct slice general_names, struct san_list *ret, struct error *e)
{
	AUTO(san_list_done) struct san_list l = { 0 };
	struct der d;
	if (der_only(general_names, DER_SEQUENCE, &d, e))
		return error_wrap(e, "subject alternative names");
	struct slice rest = d.body;
	while (rest.n) {
		if (der_next(&rest, &d, e))
			return error_wrap(e, "subject alternative names");
		if (decode_one(&d, &l, e))
			return e->status;
	}
	*ret = l;
	l = (struct san_list){ 0 };
	return ST_OK;
}
