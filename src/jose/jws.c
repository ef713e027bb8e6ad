#include "jose/jws.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwk.h"

#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "crypto/sign.h"
#include <openssl/ec.h>

DEFINE_AUTO(ECDSA_SIG *, ECDSA_SIG_free);

enum { RSA_MIN_BITS = 2048, COORDINATE_MAX = 66 };

/* RFC 7518 §3.1, RFC 8037 §3.1: which key each algorithm takes. Nothing else decides. */
static const struct alg {
	const char *name;
	enum key_kind kind;
	const char *curve; /* NULL: RSA */
	enum sign_alg sign;
	size_t coordinate; /* ECDSA: bytes of r, and of s */
} algs[] = {
	{ "ES256", KEY_EC, "P-256", SIGN_ECDSA_SHA256, 32 }, { "ES384", KEY_EC, "P-384", SIGN_ECDSA_SHA384, 48 },
	{ "ES512", KEY_EC, "P-521", SIGN_ECDSA_SHA512, 66 }, { "EdDSA", KEY_OKP, "Ed25519", SIGN_ED25519, 0 },
	{ "RS256", KEY_RSA, NULL, SIGN_RSA_SHA256, 0 },      { "RS384", KEY_RSA, NULL, SIGN_RSA_SHA384, 0 },
	{ "RS512", KEY_RSA, NULL, SIGN_RSA_SHA512, 0 },      { "PS256", KEY_RSA, NULL, SIGN_PSS_SHA256, 0 },
	{ "PS384", KEY_RSA, NULL, SIGN_PSS_SHA384, 0 },      { "PS512", KEY_RSA, NULL, SIGN_PSS_SHA512, 0 },
};

static const struct alg *alg_find(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(algs); i++)
		if (slice_is(name, algs[i].name))
			return &algs[i];
	return NULL;
}

static bool alg_takes(const struct alg *alg, const struct key_facts *f)
{
	return alg->kind == f->kind && (alg->curve ? strcmp(alg->curve, f->curve) == 0 : f->bits >= RSA_MIN_BITS);
}

static const struct alg *alg_for_key(const EVP_PKEY *key)
{
	struct key_facts f = key_facts_of(key);
	for (size_t i = 0; i < COUNT_OF(algs); i++)
		if (alg_takes(&algs[i], &f))
			return &algs[i];
	return NULL;
}

const char *jws_alg_for_key(const EVP_PKEY *key)
{
	const struct alg *alg = alg_for_key(key);
	return alg ? alg->name : NULL;
}

void jws_done(struct jws *j)
{
	json_decref(j->header);
	buf_done(&j->signed_part);
	buf_done(&j->payload);
	buf_done(&j->signature);
	*j = (struct jws){ 0 };
}

/* --- reading --- */

/* The three texts of any serialization, still base64url, and the unprotected header (borrowed) or NULL. */
struct parts {
	struct slice protected, payload, signature;
	const json_t *unprotected;
};

/* RFC 7515 §4: "the Header Parameter names in the two locations MUST be disjoint". */
static enum status join_headers(json_t *header, const json_t *unprotected, struct error *e)
{
	json_t *from = (json_t *)(uintptr_t)unprotected; /* jansson's iterators are not const; it stays as it is */
	if (!from)
		return ST_OK;
	if (!json_is_object(from))
		return error_set(e, ST_INVALID, "JWS: the unprotected header is not an object");
	for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at))
		if (json_object_get(header, json_object_iter_key(at)))
			return error_set(e, ST_INVALID, "JWS: a header member is both protected and unprotected");
	return jsonio_add_missing(header, from, e);
}

/* Before joining: who may change alg chooses how the signature is read. */
static enum status check_alg(const json_t *header, struct error *e)
{
	struct slice name = jsonio_text(json_object_get(header, "alg"));
	if (!name.n)
		return error_set(e, ST_INVALID, "JWS: the protected header has no alg");
	if (!alg_find(name))
		return error_set(e, ST_INVALID,
		                 "JWS: alg is not one of ES256 ES384 ES512 EdDSA RS256 RS384 RS512 PS256 "
		                 "PS384 PS512");
	return ST_OK;
}

static enum status check_extensions(const json_t *header, struct error *e)
{
	/* RFC 7515 §4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the
	 * recipient, then the JWS is invalid." We support none, and the list may not be empty. */
	if (json_object_get(header, "crit"))
		return error_set(e, ST_INVALID, "JWS: critical header members (crit) are not supported");
	const json_t *b64 = json_object_get(header, "b64");
	if (b64 && !json_is_true(b64))
		return error_set(e, ST_INVALID, "JWS: an unencoded payload (b64) is not supported");
	return ST_OK;
}

static enum status parse_header(struct slice b64, const json_t *unprotected, json_t **ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	AUTO(json_decref_p) json_t *header = NULL;
	if (b64_decode(&text, b64, B64_URL_RAW, e) || jsonio_parse(buf_slice(&text), JSONIO_STRICT, &header, e))
		return error_wrap(e, "JWS header");
	if (!json_is_object(header))
		return error_set(e, ST_INVALID, "JWS: the header is not an object");
	if (check_alg(header, e) || join_headers(header, unprotected, e) || check_extensions(header, e))
		return e->status;
	*ret = TAKE(header);
	return ST_OK;
}

static enum status assemble(const struct parts *p, struct jws *ret, struct error *e)
{
	AUTO(jws_done)
	struct jws j = {
		.signed_part = BUF_INIT(JWS_MAX),
		.payload = BUF_INIT(JWS_MAX),
		.signature = BUF_INIT(JWS_MAX),
	};
	if (parse_header(p->protected, p->unprotected, &j.header, e))
		return e->status;
	if (b64_decode(&j.payload, p->payload, B64_URL_RAW, e))
		return error_wrap(e, "JWS payload");
	if (b64_decode(&j.signature, p->signature, B64_URL_RAW, e))
		return error_wrap(e, "JWS signature");
	buf_add_slice(&j.signed_part, p->protected);
	buf_addc(&j.signed_part, '.');
	buf_add_slice(&j.signed_part, p->payload);
	if (buf_check(&j.signed_part, e))
		return e->status;
	*ret = j;
	j = (struct jws){ 0 };
	return ST_OK;
}

static bool blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum status parse_compact(struct slice in, struct jws *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	for (size_t i = 0; i < in.n; i++)
		if (!blank(in.p[i]))
			buf_addc(&text, (char)in.p[i]);
	if (buf_check(&text, e))
		return e->status;
	struct slice s = buf_slice(&text);
	size_t dot = slice_find(s, '.');
	struct slice rest = dot < s.n ? slice_of(s.p + dot + 1, s.n - dot - 1) : SLICE_NONE;
	size_t second = slice_find(rest, '.');
	if (dot == s.n || second == rest.n)
		return error_set(e, ST_INVALID, "not a JWS: it has not three parts");
	struct parts p = {
		.protected = slice_of(s.p, dot),
		.payload = slice_of(rest.p, second),
		.signature = slice_of(rest.p + second + 1, rest.n - second - 1),
	};
	return assemble(&p, ret, e);
}

/* RFC 7515 §7.2: flattened, or general with one signature. The peer, too, refuses several. */
static enum status parse_json(struct slice in, struct jws *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *v = NULL;
	if (jsonio_parse(in, JSONIO_STRICT, &v, e))
		return error_wrap(e, "JWS");
	const json_t *list = json_object_get(v, "signatures");
	const json_t *one = list ? json_array_get(list, 0) : v;
	if (list && (json_array_size(list) != 1 || json_object_get(v, "signature")))
		return error_set(e, ST_INVALID, "JWS: exactly one signature is expected");
	const json_t *payload = json_object_get(v, "payload"), *protected = json_object_get(one, "protected"),
		     *signature = json_object_get(one, "signature");
	if (!json_is_string(payload) || !json_is_string(protected) || !json_is_string(signature))
		return error_set(e, ST_INVALID, "JWS: payload, protected or signature is missing or not text");
	struct parts p = {
		.protected = jsonio_text(protected),
		.payload = jsonio_text(payload),
		.signature = jsonio_text(signature),
		.unprotected = json_object_get(one, "header"),
	};
	return assemble(&p, ret, e);
}

enum status jws_parse(struct slice in, struct jws *ret, struct error *e)
{
	in = slice_trim(in);
	if (in.n > JWS_MAX)
		return error_set(e, ST_LIMIT, "JWS: longer than %d bytes", JWS_MAX);
	if (in.n && in.p[0] == '{')
		return parse_json(in, ret, e);
	return parse_compact(in, ret, e);
}

struct slice jws_alg(const struct jws *j)
{
	return jsonio_text(json_object_get(j->header, "alg"));
}

struct slice jws_kid(const struct jws *j)
{
	return jsonio_text(json_object_get(j->header, "kid"));
}

/* --- ECDSA's two forms: r||s of fixed width here, a DER SEQUENCE in OpenSSL --- */

static enum status raw_to_der(struct slice raw, size_t coordinate, struct buf *out, struct error *e)
{
	/* RFC 7518 §3.4: "If it is not, the validation has failed" */
	if (raw.n != 2 * coordinate)
		return error_set(e, ST_DENIED, "the signature does not verify: it has not the length of r and s");
	AUTO(ECDSA_SIG_free_p) ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw.p, (int)coordinate, NULL), *s = BN_bin2bn(raw.p + coordinate, (int)coordinate, NULL);
	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return error_nomem(e);
	}
	unsigned char *der = NULL;
	int n = i2d_ECDSA_SIG(sig, &der);
	if (n <= 0)
		return error_ossl(e, ST_CRYPTO, "JWS signature");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_check(out, e);
}

static enum status der_to_raw(struct slice der, size_t coordinate, struct buf *out, struct error *e)
{
	const unsigned char *p = der.p;
	AUTO(ECDSA_SIG_free_p) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
	if (!sig)
		return error_ossl(e, ST_CRYPTO, "JWS signature");
	uint8_t *at = buf_reserve(out, 2 * coordinate);
	if (!at)
		return buf_check(out, e);
	if (BN_bn2binpad(ECDSA_SIG_get0_r(sig), at, (int)coordinate) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), at + coordinate, (int)coordinate) < 0)
		return error_ossl(e, ST_CRYPTO, "JWS signature");
	out->n += 2 * coordinate;
	return ST_OK;
}

/* --- verifying and signing --- */

enum status jws_verify(const struct jws *j, EVP_PKEY *key, struct error *e)
{
	struct key_facts f = key_facts_of(key);
	const struct alg *alg = alg_find(jws_alg(j));
	if (!alg)
		return error_set(e, ST_INVALID, "JWS: unknown alg");
	if (!alg_takes(alg, &f))
		return error_set(e, ST_INVALID, "JWS: alg %s does not suit a key of type %s", alg->name, f.label);
	AUTO(buf_done) struct buf der = BUF_INIT(JWS_MAX);
	struct slice signature = buf_slice(&j->signature);
	if (alg->coordinate) {
		if (raw_to_der(signature, alg->coordinate, &der, e))
			return e->status;
		signature = buf_slice(&der);
	}
	return sign_verify(key, alg->sign, buf_slice(&j->signed_part), signature, e);
}

enum status jws_verify_jwk(const struct jws *j, const struct jwk *key, struct error *e)
{
	if (key->no_verify)
		return error_set(e, ST_INVALID, "the key is not meant for signatures (use, key_ops)");
	/* RFC 7517 §4.4: "alg" names "the algorithm intended for use with the key" */
	if (key->alg && !slice_is(jws_alg(j), key->alg))
		return error_set(e, ST_INVALID, "JWS: alg is not the one that the key is meant for");
	return jws_verify(j, key->key, e);
}

static enum status add_json_b64(const json_t *v, struct buf *out, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	if (jsonio_format(v, &text, e))
		return e->status;
	b64_encode(out, buf_slice(&text), B64_URL_RAW);
	return buf_check(out, e);
}

static enum status sign_text(EVP_PKEY *key, const struct alg *alg, struct slice text, struct buf *out, struct error *e)
{
	AUTO(signer_free_p) struct signer *signer = NULL;
	AUTO(buf_done) struct buf der = BUF_INIT(4096);
	AUTO(buf_done) struct buf raw = BUF_INIT(2 * COORDINATE_MAX);
	if (signer_new(key, alg->sign, &signer, e) || signer_sign(signer, text, &der, e))
		return e->status;
	if (alg->coordinate && der_to_raw(buf_slice(&der), alg->coordinate, &raw, e))
		return e->status;
	b64_encode(out, buf_slice(alg->coordinate ? &raw : &der), B64_URL_RAW);
	return buf_check(out, e);
}

enum status jws_sign(EVP_PKEY *key, const json_t *header, struct slice payload, struct buf *out, struct error *e)
{
	const struct alg *alg = alg_for_key(key);
	AUTO(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	AUTO(json_decref_p) json_t *full = json_object();
	if (!alg)
		return error_set(e, ST_INVALID, "JWS: a key of type %s cannot sign", key_facts_of(key).label);
	if (json_object_set_new(full, "alg", json_string(alg->name)) != 0)
		return error_nomem(e);
	if (jsonio_add_missing(full, header, e) || add_json_b64(full, &text, e))
		return e->status;
	buf_addc(&text, '.');
	b64_encode(&text, payload, B64_URL_RAW);
	if (buf_check(&text, e))
		return e->status;
	size_t start = out->n;
	buf_add_slice(out, buf_slice(&text));
	buf_addc(out, '.');
	if (buf_check(out, e) || sign_text(key, alg, buf_slice(&text), out, e)) {
		out->n = start; /* half a token is none */
		return e->status;
	}
	return ST_OK;
}
