#include "cli/certcrl.h"

#include "client/ca.h"
#include "crypto/pem.h"
#include "net/https.h"
#include "net/http.h"
#include "net/url.h"
#include "os/file.h"
#include "x509/crl.h"

#include <stdlib.h>

enum { FETCH_MS = 15000 };

/* ---- where it is ---- */

static enum status find_points(const struct cert *c, struct slice *ret_rest, struct error *e)
{
	struct ext x;
	for (struct slice rest = cert_facts(c)->extensions; rest.n;) {
		if (ext_next(&rest, &x, e))
			return e->status;
		if (!strcmp(x.oid, OID_CRL_POINTS))
			return ext_crl_points(x.value, ret_rest, e);
	}
	*ret_rest = SLICE_NONE;
	return ST_OK;
}

static bool is_http(struct slice url)
{
	return (url.n > 7 && !memcmp(url.p, "http://", 7)) || (url.n > 8 && !memcmp(url.p, "https://", 8));
}

/* The certificate's first place that can be asked. */
static enum status find_endpoint(const struct crl_question *q, char **ret, struct error *e)
{
	struct slice rest, url = SLICE_NONE;
	if (opt_is_set(q->endpoint)) {
		*ret = text_dup(slice_cstr(q->endpoint));
		return *ret ? ST_OK : error_nomem(e);
	}
	if (find_points(q->certs->v[0], &rest, e))
		return e->status;
	while (rest.n) {
		if (ext_next_crl_point(&rest, &url, e))
			return e->status;
		if (!is_http(url) || slice_find(url, '\0') < url.n)
			continue;
		*ret = text_dup(url);
		return *ret ? ST_OK : error_nomem(e);
	}
	return error_set(e, ST_MISSING,
	                 "the certificate does not say where its revocation list is: give it with "
	                 "'--crl-endpoint', a URL or a file");
}

/* ---- fetching ---- */

static enum status check_status(int status, const char *url, struct error *e)
{
	return status == 200 ? ST_OK : error_set(e, ST_PEER, "%s: the answer is HTTP status %d", url, status);
}

static enum status fetch_http(const char *url, struct buf *out, struct error *e)
{
	AUTO(http_response_done) struct http_response r = { 0 };
	struct url u;
	if (url_parse_http(url, &u, e))
		return error_wrap(e, "%s", url);
	AUTO(text_free_p) char *target = text_dup(u.target);
	if (!target)
		return error_nomem(e);
	const struct http_request q = {
		.host = u.host, .port = u.port, .method = "GET", .target = target, .timeout_ms = FETCH_MS
	};
	if (http_call(&q, &r, e) || check_status(r.status, url, e))
		return e->status;
	buf_add_slice(out, buf_slice(&r.body));
	return buf_check(out, e);
}

static const char *from_env(const char *upper, const char *lower)
{
	const char *v = getenv(upper);
	return opt_is_set(v) ? v : getenv(lower);
}

/* Unverified: the list is signed. Asking for the server's certificate first would go in circles. */
static enum status fetch_https(const char *url, struct buf *out, struct error *e)
{
	AUTO(https_response_done) struct https_response r = { 0 };
	struct https_outcome outcome;
	const char *proxy =
		https_proxy_for(url, from_env("HTTPS_PROXY", "https_proxy"), from_env("NO_PROXY", "no_proxy"));
	const struct https_conf conf = {
		.insecure = true, .timeout_ms = FETCH_MS, .user_agent = ca_user_agent, .proxy = proxy
	};
	const struct https_request q = { .method = "GET", .url = url };
	if (https_call(&conf, &q, &r, &outcome, e) || check_status(r.status, url, e))
		return e->status;
	buf_add_slice(out, buf_slice(&r.body));
	return buf_check(out, e);
}

static enum status fetch(const char *from, struct buf *out, struct error *e)
{
	if (!strncmp(from, "http://", 7))
		return fetch_http(from, out, e);
	if (!strncmp(from, "https://", 8))
		return fetch_https(from, out, e);
	return file_read(from, out, e);
}

/* ---- judging ---- */

/* Who signed the certificate. */
static enum status find_issuer(const struct crl_question *q, struct cert **ret, struct error *e)
{
	AUTO(chain_done) struct chain known = { 0 };
	struct error why;
	if (opt_is_set(q->issuing_ca) ? cert_roots_read(q->issuing_ca, &known, e)
	    : opt_is_set(q->roots)    ? cert_roots_read(q->roots, &known, e)
	                              : ST_OK)
		return e->status;
	for (size_t i = 1; i < q->certs->n && !opt_is_set(q->issuing_ca); i++)
		if (chain_add(&known, q->certs->v[i], e))
			return e->status;
	for (size_t i = 0; i < known.n; i++)
		if (!cert_signed_by(q->certs->v[0], known.v[i], &why)) {
			*ret = cert_ref(known.v[i]);
			return ST_OK;
		}
	if (opt_is_set(q->issuing_ca))
		return error_set(e, ST_DENIED, "the certificate was not issued by %s", q->issuing_ca);
	return error_set(e, ST_MISSING,
	                 "the issuer's certificate is not known, which signs the revocation list: give it "
	                 "with '--issuing-ca'");
}

static enum status check_time(const struct crl_facts *f, struct wall now, struct error *e)
{
	char t[WALL_TEXT];
	if (f->this_update.s > now.s)
		return error_set(e, ST_EXPIRED, "the revocation list is not good before %s",
		                 wall_rfc3339(f->this_update, t));
	if (f->has_next_update && f->next_update.s <= now.s)
		return error_set(e, ST_EXPIRED, "the revocation list ended at %s", wall_rfc3339(f->next_update, t));
	return ST_OK;
}

static enum status judge(const struct crl_facts *f, const struct cert *c, struct error *e)
{
	struct crl_entry entry;
	bool revoked;
	char t[WALL_TEXT];
	if (crl_find(f, cert_facts(c)->serial_text, &revoked, &entry, e))
		return e->status;
	if (revoked) {
		const char *reason = crl_reason_name(entry.reason);
		return error_set(e, ST_DENIED, "certificate %s was revoked at %s (%s)", entry.serial,
		                 wall_rfc3339(entry.revoked_at, t), reason ? reason : "unspecified");
	}
	return f->partial ? error_set(e, ST_DENIED, "the revocation list does not name all that is revoked") : ST_OK;
}

static enum status read_crl(struct slice in, struct buf *der, struct crl_facts *ret, struct error *e)
{
	AUTO(pem_block_done) struct pem_block block = { 0 };
	if (in.n > 1 && in.p[0] == DER_SEQUENCE && in.p[1] >= 0x80)
		buf_add_slice(der, in);
	else if (pem_next(&in, &block, e))
		return error_set(e, ST_INVALID, "not a revocation list, neither PEM nor DER");
	else
		buf_add_slice(der, buf_slice(&block.der));
	return buf_check(der, e) ? e->status : crl_parse(buf_slice(der), ret, e);
}

enum status cert_check_crl(struct invocation *inv, const struct crl_question *q, struct error *e)
{
	AUTO(cert_unref_p) struct cert *issuer = NULL;
	AUTO(text_free_p) char *from = NULL;
	AUTO(buf_done) struct buf bytes = BUF_INIT(2 * (size_t)CRL_MAX);
	AUTO(buf_done) struct buf der = BUF_INIT(CRL_MAX);
	struct crl_facts f;
	if (find_issuer(q, &issuer, e) || find_endpoint(q, &from, e) || fetch(from, &bytes, e))
		return e->status;
	if (read_crl(buf_slice(&bytes), &der, &f, e) || crl_signed_by(&f, issuer, e) || check_time(&f, inv_now(inv), e))
		return error_wrap(e, "%s", from);
	return judge(&f, q->certs->v[0], e);
}
