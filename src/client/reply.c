#include "client/reply.h"
#include "base/num.h"
#include "base/utf8.h"
#include "crypto/pem.h"
#include "jose/auto.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 600, RETRY_AFTER_MAX_S = 7 * 86400 };

/* ---- text from the other side ---- */

void text_escape(struct buf *out, struct slice text, size_t max)
{
	for (size_t at = 0, shown = 0; at < text.n && !out->failed; shown++) {
		struct slice rest = slice_of(text.p + at, text.n - at);
		uint32_t c;
		size_t n = utf8_next(rest, &c);
		if (shown == max) {
			buf_adds(out, "...");
			return;
		}
		if (n && !utf8_is_hostile(c))
			buf_add(out, rest.p, n);
		else
			for (size_t k = 0; k < (n ? n : 1); k++)
				buf_addf(out, "\\x%02x", rest.p[k]);
		at += n ? n : 1;
	}
}

static struct slice first_line(struct slice s)
{
	s = slice_trim(s);
	size_t n = slice_find(s, '\n');
	return slice_trim(slice_of(s.p, n));
}

/* ---- refusals ---- */

static enum status status_of_http(int http)
{
	static const struct {
		int http;
		enum status status;
	} map[] = {
		{ 400, ST_INVALID },  { 401, ST_DENIED }, { 403, ST_DENIED }, { 404, ST_MISSING },
		{ 409, ST_CONFLICT }, { 429, ST_AGAIN },  { 503, ST_AGAIN },
	};
	for (size_t i = 0; i < COUNT_OF(map); i++)
		if (map[i].http == http)
			return map[i].status;
	return ST_PEER;
}

/* {"status","message"} or {"type","detail","message"} (spec/server.md §0.1). */
static struct slice message_of(const json_t *o)
{
	struct slice message = jsonio_text(jsonio_field(o, "message"));
	return message.n ? message : jsonio_text(jsonio_field(o, "detail"));
}

static enum status not_json(const struct ca_reply *r, enum status st, struct error *e)
{
	AUTO(buf_done) struct buf shown = BUF_INIT(4 * REPLY_LINE_MAX + 16);
	struct slice line = first_line(r->body);
	if (!line.n)
		return error_set(e, st,
		                 "the answer has HTTP status %d and no content; is there a proxy between this machine "
		                 "and the CA (HTTPS_PROXY, NO_PROXY)?",
		                 r->status);
	text_escape(&shown, line, REPLY_LINE_MAX);
	return error_set(
		e, st,
		"the answer has HTTP status %d and is not JSON, as a CA's would be: %s; is there a proxy between this "
		"machine and the CA (HTTPS_PROXY, NO_PROXY)?",
		r->status, buf_cstr(&shown));
}

/* otherwise: the status where it is no object. */
static enum status parse_object(const struct ca_reply *r, enum status otherwise, json_t **ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	enum status st = jsonio_parse(r->body, JSONIO_FIRST, &o, e);
	if (st == ST_NOMEM)
		return st;
	if (st || !json_is_object(o))
		return not_json(r, otherwise, e);
	*ret = TAKE(o);
	return ST_OK;
}

/* RFC 9110 §10.2.3: "The Retry-After field value can be either an HTTP-date or a number of seconds": a CA sends the
 * latter; a date is not worth a parser that trusts the peer's clock. */
static int64_t retry_after(const char *value)
{
	struct error why = ERROR_INIT;
	int64_t s;
	if (!value || num_parse(slice_trim(slice_cstr(value)), 0, RETRY_AFTER_MAX_S, &s, &why))
		return -1;
	return s;
}

enum status reply_check(const struct ca_reply *r, bool *from_ca, int64_t *retry_after_s, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	AUTO(buf_done) struct buf message = BUF_INIT(4 * MESSAGE_MAX + 16);
	*from_ca = false;
	*retry_after_s = -1;
	if (r->status == 200 || r->status == 201)
		return ST_OK;
	enum status st = status_of_http(r->status);
	if (st == ST_AGAIN)
		*retry_after_s = retry_after(r->retry_after);
	if (parse_object(r, st, &o, e))
		return e->status;
	text_escape(&message, slice_trim(message_of(o)), MESSAGE_MAX);
	if (!message.n)
		return error_set(e, st, "the CA answered with HTTP status %d and no message", r->status);
	*from_ca = true;
	return error_set(e, st, "%s", buf_cstr(&message));
}

/* ---- contents ---- */

enum status reply_object(const struct ca_reply *r, json_t **ret, struct error *e)
{
	return parse_object(r, ST_PEER, ret, e);
}

/* One JSON string with one or more PEM blocks. */
static enum status add_certs(const json_t *v, const char *shown, struct chain *to, struct error *e)
{
	AUTO(chain_done) struct chain got = { 0 };
	if (!json_is_string(v))
		return error_set(e, ST_PEER, "the CA's answer has no certificate in %s", shown);
	if (chain_parse(jsonio_text(v), &got, e)) {
		if (e->status == ST_NOMEM)
			return ST_NOMEM;
		error_wrap(e, "the CA's answer: %s", shown);
		return e->status = ST_PEER;
	}
	if (to->n + got.n > REPLY_CERTS_MAX)
		return error_set(e, ST_PEER, "the CA's answer has more than %d certificates", REPLY_CERTS_MAX);
	for (size_t i = 0; i < got.n; i++)
		if (chain_add(to, got.v[i], e))
			return e->status;
	return ST_OK;
}

static enum status add_array(const json_t *list, const char *shown, struct chain *to, struct error *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		char item[64];
		snprintf(item, sizeof item, "%s[%zu]", shown, i);
		if (add_certs(json_array_get(list, i), item, to, e))
			return e->status;
	}
	return ST_OK;
}

static bool present(const json_t *v)
{
	return v && !json_is_null(v) && !(json_is_string(v) && !json_string_length(v));
}

/* crt and certChain[0] are the same certificate, or one of them is not the answer to this request. Where the bytes are
 * those of the other, reading them once more would tell nothing new, and OpenSSL takes its time over a key. */
static enum status check_alike(const json_t *crt, const struct chain *got, struct error *e)
{
	AUTO(pem_block_done) struct pem_block block = { 0 };
	AUTO(chain_done) struct chain leaf = { 0 };
	struct slice text = jsonio_text(crt);
	if (!present(crt))
		return ST_OK;
	if (json_is_string(crt) && pem_next(&text, &block, e) == ST_OK && !strcmp(block.label, "CERTIFICATE") &&
	    slice_eq(buf_slice(&block.der), cert_facts(got->v[0])->der))
		return ST_OK;
	if (add_certs(crt, "crt", &leaf, e))
		return e->status;
	if (!slice_eq(cert_facts(leaf.v[0])->der, cert_facts(got->v[0])->der))
		return error_set(e, ST_PEER, "the CA's answer contradicts itself: crt is not the first of certChain");
	return ST_OK;
}

static void move_chain(struct chain *from, struct chain *ret)
{
	*ret = *from;
	*from = (struct chain){ 0 };
}

enum status reply_chain(const struct ca_reply *r, struct chain *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	AUTO(chain_done) struct chain got = { 0 };
	if (reply_object(r, &o, e))
		return e->status;
	const json_t *crt = jsonio_field(o, "crt"), *ca = jsonio_field(o, "ca"), *all = jsonio_field(o, "certChain");
	if (json_array_size(all)) {
		if (add_array(all, "certChain", &got, e) || check_alike(crt, &got, e))
			return e->status;
	} else if (add_certs(crt, "crt", &got, e) || (present(ca) && add_certs(ca, "ca", &got, e))) {
		return e->status;
	}
	if (cert_facts(got.v[0])->is_ca)
		return error_set(e, ST_PEER, "the CA's answer begins with a CA certificate, \"%s\"",
		                 cert_facts(got.v[0])->common_name);
	move_chain(&got, ret);
	return ST_OK;
}

enum status reply_bundle(const struct ca_reply *r, struct chain *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	AUTO(chain_done) struct chain got = { 0 };
	if (reply_object(r, &o, e))
		return e->status;
	const json_t *list = jsonio_field(o, "crts");
	if (!json_array_size(list))
		return error_set(e, ST_PEER, "the CA's answer has no certificates in crts");
	if (add_array(list, "crts", &got, e))
		return e->status;
	move_chain(&got, ret);
	return ST_OK;
}

enum status reply_root(const struct ca_reply *r, const char fingerprint[FINGERPRINT_TEXT], struct cert **ret,
                       struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	AUTO(chain_done) struct chain got = { 0 };
	char found[FINGERPRINT_TEXT];
	if (reply_object(r, &o, e) || add_certs(jsonio_field(o, "ca"), "ca", &got, e))
		return e->status;
	if (got.n != 1)
		return error_set(e, ST_PEER, "the CA's answer has %zu certificates where one root was asked for",
		                 got.n);
	if (cert_fingerprint(got.v[0], found, e))
		return e->status;
	if (!slice_eq_consttime(slice_cstr(found), slice_cstr(fingerprint)))
		return error_set(
			e, ST_DENIED,
			"the root certificate that was sent has the fingerprint %s, not %s: is the fingerprint right, "
			"and is this the CA?",
			found, fingerprint);
	*ret = cert_ref(got.v[0]);
	return ST_OK;
}

enum status reply_ok(const struct ca_reply *r, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	AUTO(buf_done) struct buf shown = BUF_INIT(256);
	if (reply_object(r, &o, e))
		return e->status;
	struct slice status = jsonio_text(jsonio_field(o, "status"));
	if (slice_is(status, "ok"))
		return ST_OK;
	text_escape(&shown, status, 40);
	return error_set(e, ST_PEER, "the CA's status is \"%s\", not \"ok\"", buf_cstr(&shown));
}

enum status reply_encrypted_key(const struct ca_reply *r, struct buf *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	if (reply_object(r, &o, e))
		return e->status;
	struct slice key = jsonio_text(jsonio_field(o, "key"));
	if (!key.n)
		return error_set(e, ST_PEER, "the CA's answer has no encrypted key");
	buf_add_slice(ret, key);
	return buf_check(ret, e);
}

/* A cursor goes into a URL as it is: the peer's are hexadecimal. */
static enum status take_cursor(struct slice s, char next[REPLY_CURSOR_MAX], struct error *e)
{
	static const char fit[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~";
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(fit, s.p[i]))
			return error_set(e, ST_PEER, "the CA's nextCursor is not one");
	if (s.n >= REPLY_CURSOR_MAX)
		return error_set(e, ST_PEER, "the CA's nextCursor is longer than %d bytes", REPLY_CURSOR_MAX - 1);
	memcpy(next, s.p ? s.p : (const uint8_t *)"", s.n);
	next[s.n] = '\0';
	return ST_OK;
}

enum status reply_page(const struct ca_reply *r, json_t *all, char next[REPLY_CURSOR_MAX], struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	if (reply_object(r, &o, e))
		return e->status;
	const json_t *list = jsonio_field(o, "provisioners");
	if (list && !json_is_array(list) && !json_is_null(list)) /* Go writes null for an empty slice */
		return error_set(e, ST_PEER, "the CA's list of provisioners is none");
	if (json_array_size(list) > REPLY_PAGE_MAX)
		return error_set(e, ST_PEER, "the CA sent more than %d provisioners at once", REPLY_PAGE_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);
		if (!json_is_object(one))
			return error_set(e, ST_PEER, "the CA's provisioner %zu is not an object", i);
		if (json_array_append(all, one))
			return error_nomem(e);
	}
	return take_cursor(jsonio_text(jsonio_field(o, "nextCursor")), next, e);
}

/* ---- a line ---- */

static enum status serial_member(const json_t *o, const char *name, char ret[SERIAL_TEXT], struct error *e)
{
	struct error why = ERROR_INIT;
	if (!serial_normalize(jsonio_text(jsonio_field(o, name)), ret, &why))
		return ST_OK;
	return error_set(e, ST_PEER, "the CA's answer has no serial number in %s", name);
}

static enum status line_cert(const json_t *o, struct ca_line_cert *ret, struct error *e)
{
	AUTO(buf_done) struct buf subject = BUF_INIT(sizeof ret->subject - 1);
	struct error why = ERROR_INIT;
	if (serial_member(o, "serial", ret->serial, e) || serial_member(o, "line", ret->line, e))
		return e->status;
	if (wall_parse_rfc3339(jsonio_text(jsonio_field(o, "notAfter")), &ret->not_after, &why))
		return error_set(e, ST_PEER, "the CA's answer has no time in notAfter");
	text_escape(&subject, jsonio_text(jsonio_field(o, "subject")), 60);
	snprintf(ret->subject, sizeof ret->subject, "%s", buf_cstr(&subject));
	ret->revoked = json_is_true(jsonio_field(o, "revoked"));
	ret->same_key_only = json_is_true(jsonio_field(o, "sameKeyOnly"));
	return ST_OK;
}

static int64_t count_of(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) > 0 ? json_integer_value(v) : 0;
}

enum status reply_line(const struct ca_reply *r, struct ca_line *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = NULL;
	AUTO(ca_line_done) struct ca_line l = { 0 };
	if (reply_object(r, &o, e))
		return e->status;
	const json_t *list = jsonio_field(o, "certificates");
	size_t n = json_array_size(list);
	if (!slice_is(jsonio_text(jsonio_field(o, "status")), "ok") || !json_is_array(list) || n > REPLY_LINE_CERTS_MAX)
		return error_set(e, ST_PEER, "the CA's answer does not list the line");
	if (!(l.v = calloc(n ? n : 1, sizeof *l.v)))
		return error_nomem(e);
	for (; l.n < n; l.n++)
		if (line_cert(json_array_get(list, l.n), &l.v[l.n], e))
			return e->status;
	l.more = count_of(jsonio_field(o, "more"));
	l.expired = count_of(jsonio_field(o, "expired"));
	l.closed = json_is_true(jsonio_field(o, "closed"));
	*ret = l;
	l = (struct ca_line){ 0 };
	return ST_OK;
}
