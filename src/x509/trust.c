#include "x509/trust.h"

#include "crypto/ossl.h"
#include "x509/auto.h"
#include "x509/ip.h"
#include "x509/name.h"
#include "x509/show.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { DEPTH_MAX = 10 }; /* intermediates in a path */

struct trust {
	X509_STORE *store;
	bool partial_chain;
};

typedef STACK_OF(X509) x509_stack;
/* Borrows its certificates. */
static void x509_stack_free(x509_stack *s)
{
	sk_X509_free(s);
}
DEFINE_AUTO(x509_stack *, x509_stack_free);

void trust_free(struct trust *t)
{
	if (!t)
		return;
	X509_STORE_free(t->store);
	free(t);
}

static enum status new_empty(bool partial_chain, struct trust **ret, struct error *e)
{
	AUTO(trust_free_p) struct trust *t = calloc(1, sizeof *t);
	if (!t || !(t->store = X509_STORE_new()))
		return error_nomem(e);
	t->partial_chain = partial_chain;
	*ret = TAKE(t);
	return ST_OK;
}

enum status trust_new(const struct chain *anchors, bool partial_chain, struct trust **ret, struct error *e)
{
	AUTO(trust_free_p) struct trust *t = NULL;
	if (new_empty(partial_chain, &t, e))
		return e->status;
	for (size_t i = 0; i < anchors->n; i++)
		if (X509_STORE_add_cert(t->store, cert_x509(anchors->v[i])) != 1)
			return error_ossl(e, ST_CRYPTO, "cannot add a trust anchor");
	*ret = TAKE(t);
	return ST_OK;
}

enum status trust_new_system(struct trust **ret, struct error *e)
{
	AUTO(trust_free_p) struct trust *t = NULL;
	if (new_empty(false, &t, e))
		return e->status;
	if (X509_STORE_set_default_paths(t->store) != 1)
		return error_ossl(e, ST_CRYPTO, "cannot open the system's trust store");
	*ret = TAKE(t);
	return ST_OK;
}

static bool same_time(int code)
{
	return code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID;
}

/* Reasons that all say: no path to an anchor. */
static bool no_path(int code)
{
	static const int codes[] = {
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,       X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,     X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
		X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED,
	};
	for (size_t i = 0; i < COUNT_OF(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* The certificate that the refusal is about, for the message. */
static void about(X509 *x, char *out, size_t n)
{
	AUTO(buf_done) struct buf text = BUF_INIT(3 * CERT_MAX);
	struct error ignored;
	uint8_t *der = NULL;
	int len = x ? i2d_X509_NAME(X509_get_subject_name(x), &der) : 0;
	if (len > 0 && name_text(slice_of(der, (size_t)len), &text, &ignored))
		buf_reset(&text);
	OPENSSL_free(der);
	show_cut(text.n ? buf_slice(&text) : SLICE_LIT("no subject"), out, n);
}

static enum status expired(X509 *x, int code, struct wall at, const char *subject, struct error *e)
{
	struct error ignored;
	AUTO(cert_unref_p) struct cert *c = NULL;
	char now[WALL_TEXT], limit[WALL_TEXT];
	if (!x || cert_of_x509(x, &c, &ignored))
		return error_set(e, ST_EXPIRED, "x509: certificate has expired or is not yet valid (%s)", subject);
	bool late = code == X509_V_ERR_CERT_HAS_EXPIRED;
	const struct cert_facts *f = cert_facts(c);
	return error_set(e, ST_EXPIRED,
	                 "x509: certificate has expired or is not yet valid: current time %s is %s %s (%s)",
	                 wall_rfc3339(at, now), late ? "after" : "before",
	                 wall_rfc3339(late ? f->not_after : f->not_before, limit), subject);
}

static enum status refuse(X509_STORE_CTX *ctx, struct wall at, struct error *e)
{
	char subject[200];
	int code = X509_STORE_CTX_get_error(ctx);
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	ossl_forget_errors();
	if (code == X509_V_ERR_OUT_OF_MEM)
		return error_nomem(e);
	about(x, subject, sizeof subject);
	if (same_time(code))
		return expired(x, code, at, subject, e);
	if (no_path(code))
		return error_set(e, ST_DENIED, "x509: certificate signed by unknown authority (%s)", subject);
	return error_set(e, ST_DENIED, "x509: %s (%s)", X509_verify_cert_error_string(code), subject);
}

/* RFC 5280 §4.2.1.12: "If the extension is present, then the certificate MUST only be used for one of the purposes
 * indicated." Issuers limit what is under them, as Go, OpenSSL and the browsers see it. Not OpenSSL's own purposes:
 * they ask for key usages that the peer does not ask for, and do not take anyExtendedKeyUsage. */
static enum status check_use(X509_STORE_CTX *ctx, enum trust_use use, struct error *e)
{
	STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
	for (int i = 0; i < sk_X509_num(path); i++) {
		AUTO(cert_unref_p) struct cert *c = NULL;
		char subject[200];
		if (cert_of_x509(sk_X509_value(path, i), &c, e))
			return e->status == ST_NOMEM ? ST_NOMEM : error_set(e, ST_DENIED, "x509: malformed issuer");
		const struct cert_facts *f = cert_facts(c);
		bool fits = use == TRUST_CLIENT ? f->eku_client_auth : f->eku_server_auth;
		if (!f->has_ext_key_usage || f->eku_any || fits)
			continue;
		about(cert_x509(c), subject, sizeof subject);
		return error_set(e, ST_DENIED, "x509: certificate specifies an incompatible key usage (%s)", subject);
	}
	return ST_OK;
}

/* RFC 5280 §4.1.2.5: "from notBefore through notAfter, inclusive"; OpenSSL leaves the last second out. */
static int on_problem(int ok, X509_STORE_CTX *ctx)
{
	time_t at = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(ctx));
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	if (!ok && x && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_HAS_EXPIRED &&
	    ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), at) == 0) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	return ok;
}

static enum status stack_of(const struct chain *untrusted, x509_stack *ret, struct error *e)
{
	for (size_t i = 0; untrusted && i < untrusted->n; i++)
		if (!sk_X509_push(ret, cert_x509(untrusted->v[i])))
			return error_nomem(e);
	return ST_OK;
}

enum status trust_verify(const struct trust *t, const struct cert *leaf, const struct chain *untrusted, struct wall at,
                         enum trust_use use, struct error *e)
{
	AUTO(x509_stack_free_p) x509_stack *stack = sk_X509_new_null();
	AUTO(X509_STORE_CTX_free_p) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	if (!stack || !ctx)
		return error_nomem(e);
	if (stack_of(untrusted, stack, e))
		return e->status;
	if (X509_STORE_CTX_init(ctx, t->store, cert_x509(leaf), stack) != 1)
		return error_ossl(e, ST_CRYPTO, "cannot verify a certificate");
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)at.s);
	X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, 1); /* no MD5, no SHA-1, no RSA below 1024 bits; as Go */
	X509_VERIFY_PARAM_set_flags(param,
	                            X509_V_FLAG_TRUSTED_FIRST | (t->partial_chain ? X509_V_FLAG_PARTIAL_CHAIN : 0UL));
	X509_STORE_CTX_set_verify_cb(ctx, on_problem);
	if (X509_verify_cert(ctx) != 1)
		return refuse(ctx, at, e);
	return use == TRUST_ANY ? ST_OK : check_use(ctx, use, e);
}

/* "a, b and 3 more" */
static void add_names(struct buf *out, const struct san_list *l, enum san_type one, enum san_type other)
{
	enum { SHOWN = 8 };
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].type != one && l->v[i].type != other)
			continue;
		if (n++ < SHOWN)
			buf_addf(out, "%s%.200s", n > 1 ? ", " : "", l->v[i].text);
	}
	if (n > SHOWN)
		buf_addf(out, " and %zu more", n - SHOWN);
}

static enum status wrong_host(const struct cert *c, const char *host, struct error *e)
{
	AUTO(buf_done) struct buf names = BUF_INIT(4096);
	char shown[300];
	show_cut(slice_cstr(host), shown, sizeof shown);
	add_names(&names, cert_facts(c)->sans, SAN_DNS, SAN_IP);
	if (!names.n)
		return error_set(e, ST_DENIED, "x509: certificate is not valid for any names, but wanted to match %s",
		                 shown);
	return error_set(e, ST_DENIED, "x509: certificate is valid for %.400s, not %s", buf_cstr(&names), shown);
}

enum status cert_matches_host(const struct cert *c, const char *host, struct error *e)
{
	struct slice name = slice_cstr(host);
	uint8_t ip[16], ip_n;
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = slice_of(name.p + 1, name.n - 2);
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--; /* the root's dot is not part of the name that was certified */
	if ((ip_n = ip_parse(name, ip))) {
		const struct san_list *l = cert_facts(c)->sans;
		for (size_t i = 0; i < l->n; i++)
			if (l->v[i].type == SAN_IP && slice_eq(slice_of(l->v[i].ip, l->v[i].ip_n), slice_of(ip, ip_n)))
				return ST_OK;
		return wrong_host(c, host, e);
	}
	if (!name.n || name.p[0] == '.') /* for OpenSSL the latter means: any name below */
		return wrong_host(c, host, e);
	/* RFC 6125 §6.4.4 lets a common name count where there is no other; Go does not, and neither do we. */
	int match = X509_check_host(cert_x509(c), (const char *)name.p, name.n,
	                            X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL);
	ossl_forget_errors();
	return match == 1 ? ST_OK : wrong_host(c, host, e);
}
