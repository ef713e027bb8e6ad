#include "client/ca.h"
#include "client/reply.h"
#include "crypto/random.h"
#include "jose/auto.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#define CA_ARCH "amd64"
#elif defined(__aarch64__)
#define CA_ARCH "arm64"
#elif defined(__arm__)
#define CA_ARCH "arm"
#elif defined(__i386__)
#define CA_ARCH "386"
#elif defined(__riscv)
#define CA_ARCH "riscv64"
#elif defined(__powerpc64__)
#define CA_ARCH "ppc64le"
#elif defined(__s390x__)
#define CA_ARCH "s390x"
#else
#define CA_ARCH "unknown"
#endif

const char ca_platform[] = "linux/" CA_ARCH;
const char ca_user_agent[] = "Perennial CLI/" PERENNIAL_VERSION " (linux/" CA_ARCH ")";

enum { URL_MAX = 4096, PAGES_MAX = 200, REQUEST_MAX = 1 << 20, BEARER_MAX = 512 * 1024, LIST_MAX = 16 << 20 };

void ca_done(struct ca *c)
{
	free(c->url);
	while (c->others_n)
		free(c->others[--c->others_n]);
	chain_done(&c->roots);
	*c = (struct ca){ 0 };
}

/* ---- one call ---- */

struct call {
	const char *method, *path; /* path with query */
	struct slice body;
	const struct chain *client;
	EVP_PKEY *key;
	const char *bearer;
	bool insecure;
};

/* A version 4 UUID (RFC 9562 §5.4). */
static enum status make_request_id(char out[CA_REQUEST_ID], struct error *e)
{
	uint8_t b[16];
	if (random_bytes(b, sizeof b, e))
		return e->status;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(out, CA_REQUEST_ID, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
	         b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return ST_OK;
}

static enum status call_one(struct ca *c, const struct call *q, struct https_response *resp, struct ca_reply *reply,
                           struct error *e)
{
	AUTO(buf_done) struct buf url = BUF_INIT(URL_MAX);
	AUTO(buf_done) struct buf bearer = BUF_SECRET(BEARER_MAX);
	c->answer = (struct ca_answer){ .retry_after_s = -1 };
	buf_addf(&url, "%s%s", c->url, q->path);
	if (q->bearer)
		buf_addf(&bearer, "Bearer %s", q->bearer);
	if (buf_check(&url, e) || buf_check(&bearer, e) || make_request_id(c->answer.request_id, e))
		return e->status;
	struct https_conf conf = {
		.roots = q->insecure ? NULL : &c->roots,
		.insecure = q->insecure,
		.client_chain = q->client,
		.client_key = q->key,
		.timeout_ms = c->timeout_ms,
		.user_agent = c->user_agent ? c->user_agent : ca_user_agent,
		.proxy = https_proxy_for(buf_cstr(&url), c->proxy_env, c->no_proxy_env),
		.socket_path = c->socket_path,
	};
	struct https_request request = {
		.method = q->method,
		.url = buf_cstr(&url),
		.headers = { { "X-Request-Id", c->answer.request_id },
		             { q->bearer ? "Authorization" : NULL, buf_cstr(&bearer) } },
		.content_type = strcmp(q->method, "POST") ? NULL : "application/json",
		.body = q->body,
	};
	if (https_call(&conf, &request, resp, &c->answer.net, e))
		return e->status;
	c->answer.http = resp->status;
	c->answer.date = resp->date;
	*reply = (struct ca_reply){ .status = resp->status,
		                    .body = buf_slice(&resp->body),
		                    .retry_after = resp->retry_after[0] ? resp->retry_after : NULL };
	return reply_check(reply, &c->answer.from_ca, &c->answer.retry_after_s, e);
}

/* To the next node: nothing was said to this one, or it says that it cannot record anything now. */
static bool other_node(struct ca *c)
{
	const struct ca_answer *a = &c->answer;
	bool move = a->http == 503 || a->net.failure == HTTPS_CONNECT || a->net.failure == HTTPS_RESOLVE;
	if (!move || !c->others_n)
		return false;
	char *first = c->url;
	c->url = c->others[0];
	for (size_t i = 1; i < c->others_n; i++)
		c->others[i - 1] = c->others[i];
	c->others[c->others_n - 1] = first;
	return true;
}

/* Fills resp (which the caller frees in every case) and c->answer; a refusal by the CA is an error. */
static enum status do_call(struct ca *c, const struct call *q, struct https_response *resp, struct ca_reply *reply,
                           struct error *e)
{
	enum status st = call_one(c, q, resp, reply, e);
	struct ca_answer said = c->answer;
	struct error why = *e;
	for (size_t i = 0; i < c->others_n && other_node(c); i++) {
		https_response_done(resp);
		*resp = (struct https_response){ 0 };
		st = call_one(c, q, resp, reply, e);
		if (c->answer.http) {
			said = c->answer;
			why = *e;
		}
	}
	if (st && !c->answer.http && said.http) { /* what a CA said tells more than that another is not there */
		c->answer = said;
		*e = why;
	}
	return st ? e->status : ST_OK;
}

static enum status tell(const struct ca *c, struct ca_answer *a, enum status st)
{
	if (a)
		*a = c->answer;
	return st;
}

/* ---- what anybody may ask ---- */

enum status ca_health(struct ca *c, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	if (do_call(c, &(struct call){ .method = "GET", .path = "/health" }, &resp, &r, e))
		return e->status;
	return reply_ok(&r, e);
}

enum status ca_hearsay_date(struct ca *c, struct wall *ret, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	enum status st =
		do_call(c, &(struct call){ .method = "GET", .path = "/health", .insecure = true }, &resp, &r, e);
	if (!c->answer.date.s)
		return st ? st : error_set(e, ST_MISSING, "no Date");
	*ret = c->answer.date;
	return ST_OK;
}

enum status fingerprint_clean(const char *typed, char ret[FINGERPRINT_TEXT], struct error *e)
{
	char clean[FINGERPRINT_TEXT] = "";
	size_t n = 0;
	bool fit = true;
	for (const char *p = typed; *p && fit; p++) {
		if (*p == '-' || *p == ':')
			continue;
		fit = isxdigit((unsigned char)*p) && n < sizeof clean - 1;
		if (fit)
			clean[n++] = (char)tolower((unsigned char)*p);
	}
	if (!fit || n != sizeof clean - 1)
		return error_set(e, ST_INVALID,
		                 "a fingerprint is the SHA-256 of the root certificate: 64 hexadecimal digits");
	memcpy(ret, clean, sizeof clean);
	return ST_OK;
}

enum status ca_root(struct ca *c, const char *fingerprint, struct cert **ret, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	char clean[FINGERPRINT_TEXT], path[FINGERPRINT_TEXT + 8];
	struct ca_reply r;
	if (fingerprint_clean(fingerprint, clean, e))
		return e->status;
	snprintf(path, sizeof path, "/root/%s", clean);
	/* Nothing is trusted yet, so TLS proves nothing; the fingerprint does. */
	if (do_call(c, &(struct call){ .method = "GET", .path = path, .insecure = true }, &resp, &r, e))
		return e->status;
	return reply_root(&r, clean, ret, e);
}

enum status ca_bundle(struct ca *c, enum ca_bundle which, struct chain *ret, struct error *e)
{
	static const char *const paths[] = {
		[CA_ROOTS] = "/roots",
		[CA_FEDERATION] = "/federation",
		[CA_INTERMEDIATES] = "/intermediates",
	};
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	if (do_call(c, &(struct call){ .method = "GET", .path = paths[which] }, &resp, &r, e))
		return e->status;
	return reply_bundle(&r, ret, e);
}

enum status ca_provisioners(struct ca *c, json_t **ret, struct error *e)
{
	AUTO(json_decref_p) json_t *all = json_array();
	size_t bytes = 0;
	char next[REPLY_CURSOR_MAX] = "", cursor[REPLY_CURSOR_MAX], path[REPLY_CURSOR_MAX + 64];
	if (!all)
		return error_nomem(e);
	for (int page = 0; page < PAGES_MAX; page++) {
		AUTO(https_response_done) struct https_response resp = { 0 };
		struct ca_reply r;
		memcpy(cursor, next, sizeof cursor);
		snprintf(path, sizeof path, "/provisioners?limit=100%s%s", *cursor ? "&cursor=" : "", cursor);
		if (do_call(c, &(struct call){ .method = "GET", .path = path }, &resp, &r, e) ||
		    reply_page(&r, all, next, e))
			return e->status;
		bytes += r.body.n;
		if (bytes > LIST_MAX)
			return error_set(e, ST_PEER, "the CA's list of provisioners is larger than %d bytes", LIST_MAX);
		if (!*next) {
			*ret = TAKE(all);
			return ST_OK;
		}
		if (!strcmp(cursor, next))
			return error_set(e, ST_PEER, "the CA's list of provisioners goes in circles");
	}
	return error_set(e, ST_PEER, "the CA's list of provisioners has no end (%d pages)", PAGES_MAX);
}

enum status ca_encrypted_key(struct ca *c, const char *kid, struct buf *ret, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	AUTO(buf_done) struct buf path = BUF_INIT(URL_MAX);
	struct ca_reply r;
	buf_adds(&path, "/provisioners/");
	for (const char *p = kid; *p; p++) { /* RFC 3986 §2.3 */
		if (isalnum((unsigned char)*p) || strchr("-._~", *p))
			buf_addc(&path, *p);
		else
			buf_addf(&path, "%%%02X", (unsigned char)*p);
	}
	buf_adds(&path, "/encrypted-key");
	if (buf_check(&path, e) || do_call(c, &(struct call){ .method = "GET", .path = buf_cstr(&path) }, &resp, &r, e))
		return e->status;
	return reply_encrypted_key(&r, ret, e);
}

/* ---- certificates ---- */

/* Formats and frees the body. */
static enum status post(struct ca *c, struct call *q, json_t *body, struct https_response *resp, struct ca_reply *r,
                        struct error *e)
{
	AUTO(json_decref_p) json_t *owned = body;
	AUTO(buf_done) struct buf text = BUF_SECRET(REQUEST_MAX); /* holds a token */
	if (!owned)
		return error_set(e, ST_INVALID, "the request cannot be written as JSON: is an argument not UTF-8?");
	if (jsonio_format(owned, &text, e))
		return e->status;
	q->method = "POST";
	q->body = buf_slice(&text);
	return do_call(c, q, resp, r, e);
}

static enum status pem_of_csr(const struct csr *csr, struct buf *out, struct error *e)
{
	csr_format_pem(csr, out);
	return buf_check(out, e);
}

static enum status sign(struct ca *c, const struct ca_sign_request *q, struct chain *ret, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	AUTO(buf_done) struct buf pem = BUF_INIT(REQUEST_MAX);
	struct ca_reply r;
	c->answer = (struct ca_answer){ .retry_after_s = -1 };
	if (pem_of_csr(q->csr, &pem, e))
		return e->status;
	json_t *body = json_pack("{s:s, s:s, s:s*, s:s*}", "csr", buf_cstr(&pem), "ott", q->ott, "notBefore",
	                         q->not_before, "notAfter", q->not_after);
	if (post(c, &(struct call){ .path = "/sign" }, body, &resp, &r, e))
		return e->status;
	return reply_chain(&r, ret, e);
}

enum status ca_sign(struct ca *c, const struct ca_sign_request *q, struct chain *ret, struct ca_answer *a,
                    struct error *e)
{
	return tell(c, a, sign(c, q, ret, e));
}

enum status ca_renew(struct ca *c, const struct chain *client, EVP_PKEY *key, const char *token, struct chain *ret,
                     struct ca_answer *a, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	struct call q = { .method = "POST", .path = "/renew", .bearer = token };
	if (!token) {
		q.client = client;
		q.key = key;
	}
	enum status st = do_call(c, &q, &resp, &r, e);
	return tell(c, a, st ? st : reply_chain(&r, ret, e));
}

enum status ca_renewable(struct ca *c, const struct chain *client, EVP_PKEY *key, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	struct call q = { .method = "GET", .path = "/renewable", .client = client, .key = key };
	return do_call(c, &q, &resp, &r, e);
}

static enum status rekey(struct ca *c, const struct chain *client, EVP_PKEY *key, const struct csr *csr,
                         struct chain *ret, struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	AUTO(buf_done) struct buf pem = BUF_INIT(REQUEST_MAX);
	struct ca_reply r;
	c->answer = (struct ca_answer){ .retry_after_s = -1 };
	if (pem_of_csr(csr, &pem, e))
		return e->status;
	struct call q = { .path = "/rekey", .client = client, .key = key };
	if (post(c, &q, json_pack("{s:s}", "csr", buf_cstr(&pem)), &resp, &r, e))
		return e->status;
	return reply_chain(&r, ret, e);
}

enum status ca_rekey(struct ca *c, const struct chain *client, EVP_PKEY *key, const struct csr *csr, struct chain *ret,
                     struct ca_answer *a, struct error *e)
{
	return tell(c, a, rekey(c, client, key, csr, ret, e));
}

static enum status revoke(struct ca *c, const struct ca_revoke_request *q, const struct chain *client, EVP_PKEY *key,
                          struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	c->answer = (struct ca_answer){ .retry_after_s = -1 };
	json_t *body =
		json_pack("{s:s, s:s, s:i, s:s, s:b}", "serial", q->serial, "ott", q->ott && !client ? q->ott : "",
	                  "reasonCode", q->reason_code, "reason", q->reason ? q->reason : "", "passive", 1);
	if (post(c, &(struct call){ .path = "/revoke", .client = client, .key = key }, body, &resp, &r, e))
		return e->status;
	return reply_ok(&r, e);
}

enum status ca_revoke(struct ca *c, const struct ca_revoke_request *q, const struct chain *client, EVP_PKEY *key,
                      struct ca_answer *a, struct error *e)
{
	return tell(c, a, revoke(c, q, client, key, e));
}

void ca_line_done(struct ca_line *l)
{
	free(l->v);
	*l = (struct ca_line){ 0 };
}

static enum status revoke_line(struct ca *c, const struct ca_revoke_line_request *q, struct ca_line *ret,
                               struct error *e)
{
	AUTO(https_response_done) struct https_response resp = { 0 };
	struct ca_reply r;
	c->answer = (struct ca_answer){ .retry_after_s = -1 };
	json_t *body =
		json_pack("{s:s, s:s, s:s, s:i, s:s, s:b}", "serial", q->serial, "ott", q->ott, "scope", q->scope,
	                  "reasonCode", q->reason_code, "reason", q->reason ? q->reason : "", "dryRun", q->dry_run);
	if (post(c, &(struct call){ .path = "/revoke-line" }, body, &resp, &r, e)) {
		if (e->status == ST_MISSING)
			return error_set(e, ST_MISSING,
			                 "this CA cannot revoke a line; revoke its certificates one by one");
		return e->status;
	}
	return reply_line(&r, ret, e);
}

enum status ca_revoke_line(struct ca *c, const struct ca_revoke_line_request *q, struct ca_line *ret,
                           struct ca_answer *a, struct error *e)
{
	return tell(c, a, revoke_line(c, q, ret, e));
}
