#include "jose/jwk.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/digest.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <stdlib.h>

DEFINE_AUTO(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free);
DEFINE_AUTO(OSSL_PARAM *, OSSL_PARAM_free);

enum {
	POINT_MAX = 66, /* P-521 */
	RSA_INT_MAX = 2048 + 1,
	MEMBER_MAX = RSA_INT_MAX, /* bytes of the longest value */
};

static const struct curve {
	const char *name, *group;
	size_t bytes; /* of a coordinate, and of d */
} curves[] = {
	{ "P-256", "prime256v1", 32 },
	{ "P-384", "secp384r1", 48 },
	{ "P-521", "secp521r1", 66 },
};

static const struct curve *curve_find(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (slice_is(name, curves[i].name))
			return &curves[i];
	return NULL;
}

/* RFC 7518 §6.3, in the order in which they are written. The private ones come all or none, save that d may be alone.
 */
static const struct rsa_member {
	const char *name, *param;
} rsa_members[] = {
	{ "n", OSSL_PKEY_PARAM_RSA_N },          { "e", OSSL_PKEY_PARAM_RSA_E },
	{ "d", OSSL_PKEY_PARAM_RSA_D },          { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
	{ "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
	{ "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};
enum { RSA_PUBLIC = 2, RSA_WITH_D = 3, RSA_ALL = COUNT_OF(rsa_members) };

void jwk_done(struct jwk *k)
{
	EVP_PKEY_free(k->key);
	free(k->kid);
	free(k->alg);
	free(k->use);
	*k = (struct jwk){ 0 };
}

/* --- reading --- */

/* The bytes of a base64url member; exactly n of them where n is not 0. */
static enum status member(const json_t *v, const char *name, size_t n, struct buf *out, struct error *e)
{
	const json_t *text = json_object_get(v, name);
	if (!json_is_string(text))
		return error_set(e, ST_INVALID, "JWK: member %s is missing or not text", name);
	if (b64_decode(out, jsonio_text(text), B64_URL_RAW, e))
		return error_wrap(e, "JWK: member %s", name);
	if (n && out->n != n)
		return error_set(e, ST_INVALID, "JWK: member %s has %zu bytes instead of %zu", name, out->n, n);
	if (!out->n)
		return error_set(e, ST_INVALID, "JWK: member %s is empty", name);
	return ST_OK;
}

/* Absent gives NULL; a type other than text is an error. */
static enum status optional_text(const json_t *v, const char *name, char **ret, struct error *e)
{
	const json_t *text = json_object_get(v, name);
	if (!text)
		return ST_OK;
	if (!json_is_string(text))
		return error_set(e, ST_INVALID, "JWK: member %s is not text", name);
	*ret = text_dup(jsonio_text(text));
	return *ret ? ST_OK : error_nomem(e);
}

/* Takes the builder's content as a key. */
static enum status from_params(const char *type, OSSL_PARAM_BLD *build, bool is_private, EVP_PKEY **ret,
                               struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(OSSL_PARAM_free_p) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	AUTO(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1)
		return error_ossl(e, ST_CRYPTO, "JWK");
	if (EVP_PKEY_fromdata(ctx, &key, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		return error_ossl(e, ST_INVALID, "JWK: not a key of type %s", type);
	*ret = TAKE(key);
	return ST_OK;
}

/* RFC 7518 §6.2.1.2: "The length of this octet string MUST be the full size of a coordinate for the curve". */
static enum status parse_ec(const json_t *v, bool is_private, EVP_PKEY **ret, struct error *e)
{
	const struct curve *curve = curve_find(jsonio_text(json_object_get(v, "crv")));
	if (!curve)
		return error_set(e, ST_INVALID, "JWK: member crv must be P-256, P-384 or P-521");
	AUTO(buf_done) struct buf x = BUF_INIT(MEMBER_MAX);
	AUTO(buf_done) struct buf y = BUF_INIT(MEMBER_MAX);
	AUTO(buf_done) struct buf d = BUF_SECRET(MEMBER_MAX);
	AUTO(buf_done) struct buf point = BUF_INIT(1 + 2 * POINT_MAX);
	AUTO(BN_clear_free_p) BIGNUM *secret = NULL;
	if (member(v, "x", curve->bytes, &x, e) || member(v, "y", curve->bytes, &y, e))
		return e->status;
	if (is_private && member(v, "d", curve->bytes, &d, e))
		return e->status;
	buf_addc(&point, POINT_CONVERSION_UNCOMPRESSED);
	buf_add_slice(&point, buf_slice(&x));
	buf_add_slice(&point, buf_slice(&y));
	if (buf_check(&point, e))
		return e->status;

	AUTO(OSSL_PARAM_BLD_free_p) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	bool ok = build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) &&
	          OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n);
	if (ok && is_private) {
		secret = BN_secure_new();
		ok = secret && BN_bin2bn(d.p, (int)d.n, secret) &&
		     OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	}
	if (!ok)
		return error_nomem(e);
	return from_params("EC", build, is_private, ret, e);
}

static enum status parse_rsa(const json_t *v, bool is_private, EVP_PKEY **ret, struct error *e)
{
	AUTO(OSSL_PARAM_BLD_free_p) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *numbers[RSA_ALL] = { NULL }; /* the builder points to them until it is read */
	size_t n = !is_private ? RSA_PUBLIC : json_object_get(v, "p") ? RSA_ALL : RSA_WITH_D;
	enum status st = build ? ST_OK : error_nomem(e);

	if (!st && json_object_get(v, "oth"))
		st = error_set(e, ST_INVALID, "JWK: RSA keys of more than two primes are not supported");
	for (size_t i = 0; !st && i < n; i++) {
		AUTO(buf_done) struct buf raw = BUF_SECRET(MEMBER_MAX);
		st = member(v, rsa_members[i].name, 0, &raw, e);
		if (st)
			break;
		numbers[i] = BN_secure_new();
		if (!numbers[i] || !BN_bin2bn(raw.p, (int)raw.n, numbers[i]) ||
		    !OSSL_PARAM_BLD_push_BN(build, rsa_members[i].param, numbers[i]))
			st = error_nomem(e);
	}
	if (!st)
		st = from_params("RSA", build, is_private, ret, e);
	for (size_t i = 0; i < n; i++)
		BN_clear_free(numbers[i]);
	return st;
}

/* RFC 8037 §2 */
static enum status parse_okp(const json_t *v, bool is_private, EVP_PKEY **ret, struct error *e)
{
	enum { BYTES = 32 };
	AUTO(buf_done) struct buf x = BUF_INIT(MEMBER_MAX);
	AUTO(buf_done) struct buf d = BUF_SECRET(MEMBER_MAX);
	if (!slice_is(jsonio_text(json_object_get(v, "crv")), "Ed25519"))
		return error_set(e, ST_INVALID, "JWK: member crv must be Ed25519");
	if (member(v, "x", BYTES, &x, e) || (is_private && member(v, "d", BYTES, &d, e)))
		return e->status;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.p, x.n);
	if (!pub)
		return error_ossl(e, ST_INVALID, "JWK: not an Ed25519 key");
	if (!is_private) {
		*ret = TAKE(pub);
		return ST_OK;
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d.p, d.n);
	if (!key)
		return error_ossl(e, ST_INVALID, "JWK: not an Ed25519 key");
	/* OpenSSL derives x from d: what the text says of x must be the same. */
	if (!key_equal(key, pub))
		return error_set(e, ST_INVALID, "JWK: members x and d do not belong together");
	*ret = TAKE(key);
	return ST_OK;
}

static const struct {
	const char *kty;
	enum status (*parse)(const json_t *v, bool is_private, EVP_PKEY **ret, struct error *e);
} kinds[] = {
	{ "EC", parse_ec },
	{ "RSA", parse_rsa },
	{ "OKP", parse_okp },
};

/* An EC scalar beyond the order gives the same point; OpenSSL looks at its range only when asked. */
static enum status check_private(EVP_PKEY *key, struct error *e)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
		AUTO(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		if (!ctx || EVP_PKEY_private_check(ctx) != 1)
			return error_ossl(e, ST_INVALID, "JWK: member d is out of range");
	}
	if (key_check_pair(key, e))
		return error_wrap(e, "JWK");
	return ST_OK;
}

static bool listed(const json_t *array, const char *what)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (slice_is(jsonio_text(json_array_get(array, i)), what))
			return true;
	return false;
}

static enum status parse_purpose(const json_t *v, struct jwk *k, struct error *e)
{
	const json_t *ops = json_object_get(v, "key_ops");
	if (optional_text(v, "kid", &k->kid, e) || optional_text(v, "alg", &k->alg, e) ||
	    optional_text(v, "use", &k->use, e))
		return e->status;
	if (ops && !json_is_array(ops))
		return error_set(e, ST_INVALID, "JWK: member key_ops is not a list");
	bool other_use = k->use && strcmp(k->use, "sig") != 0;
	k->no_sign = other_use || (ops && !listed(ops, "sign"));
	k->no_verify = other_use || (ops && !listed(ops, "verify") && !listed(ops, "sign"));
	return ST_OK;
}

enum status jwk_parse(const json_t *v, struct jwk *ret, struct error *e)
{
	AUTO(jwk_done) struct jwk k = { 0 };
	struct slice kty = jsonio_text(json_object_get(v, "kty"));
	size_t i = 0;
	if (!json_is_object(v))
		return error_set(e, ST_INVALID, "JWK: not a JSON object");
	while (i < COUNT_OF(kinds) && !slice_is(kty, kinds[i].kty))
		i++;
	if (i == COUNT_OF(kinds))
		return error_set(e, ST_INVALID, "JWK: member kty must be EC, RSA or OKP");
	k.is_private = json_object_get(v, "d") != NULL;
	if (kinds[i].parse(v, k.is_private, &k.key, e) || parse_purpose(v, &k, e))
		return e->status;
	if (key_supported(k.key, e))
		return error_wrap(e, "JWK");
	if (k.is_private && check_private(k.key, e))
		return e->status;
	*ret = k;
	k = (struct jwk){ 0 };
	return ST_OK;
}

/* --- writing --- */

/* False where memory ran out. Takes value. */
static bool put(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0;
}

static bool put_text(json_t *object, const char *name, const char *text)
{
	return !text || put(object, name, json_string(text));
}

static bool put_bytes(json_t *object, const char *name, struct slice bytes)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(2 * MEMBER_MAX);
	b64_encode(&text, bytes, B64_URL_RAW);
	return !text.failed && put(object, name, json_stringn(buf_cstr(&text), text.n));
}

/* A number of the key as bytes, n wide or as short as it can be. */
static enum status number(const EVP_PKEY *key, const char *param, size_t n, struct buf *out, struct error *e)
{
	AUTO(BN_clear_free_p) BIGNUM *v = NULL;
	if (EVP_PKEY_get_bn_param(key, param, &v) != 1)
		return error_ossl(e, ST_INVALID, "JWK: the key has no %s", param);
	if (!n)
		n = (size_t)BN_num_bytes(v);
	uint8_t *at = buf_reserve(out, n);
	if (!at)
		return buf_check(out, e);
	if (BN_bn2binpad(v, at, (int)n) < 0)
		return error_ossl(e, ST_CRYPTO, "JWK");
	out->n += n;
	return ST_OK;
}

static enum status put_number(json_t *object, const char *name, const EVP_PKEY *key, const char *param, size_t n,
                              struct error *e)
{
	AUTO(buf_done) struct buf raw = BUF_SECRET(MEMBER_MAX);
	if (number(key, param, n, &raw, e))
		return e->status;
	return put_bytes(object, name, buf_slice(&raw)) ? ST_OK : error_nomem(e);
}

static enum status put_ec(json_t *object, const EVP_PKEY *key, bool with_private, struct error *e)
{
	struct key_facts f = key_facts_of(key);
	const struct curve *curve = curve_find(slice_cstr(f.curve));
	if (!curve)
		return error_set(e, ST_INVALID, "JWK: no name for a key of type %s", f.label);
	if (put_number(object, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, curve->bytes, e) ||
	    put_number(object, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, curve->bytes, e))
		return e->status;
	return with_private ? put_number(object, "d", key, OSSL_PKEY_PARAM_PRIV_KEY, curve->bytes, e) : ST_OK;
}

static enum status put_rsa(json_t *object, const EVP_PKEY *key, bool with_private, struct error *e)
{
	BIGNUM *prime = NULL;
	bool primes = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR1, &prime) == 1;
	BN_clear_free(prime);
	ossl_forget_errors();
	size_t n = !with_private ? RSA_PUBLIC : primes ? RSA_ALL : RSA_WITH_D;
	for (size_t i = 0; i < n; i++)
		if (put_number(object, rsa_members[i].name, key, rsa_members[i].param, 0, e))
			return e->status;
	return ST_OK;
}

static enum status put_okp(json_t *object, const EVP_PKEY *key, bool with_private, struct error *e)
{
	uint8_t raw[32];
	size_t n = sizeof raw;
	if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1)
		return error_ossl(e, ST_INVALID, "JWK: no public half");
	bool ok = put_bytes(object, "x", slice_of(raw, n));
	n = sizeof raw;
	if (ok && with_private) {
		if (EVP_PKEY_get_raw_private_key(key, raw, &n) != 1)
			return error_ossl(e, ST_INVALID, "JWK: no private half");
		ok = put_bytes(object, "d", slice_of(raw, n));
		OPENSSL_cleanse(raw, sizeof raw);
	}
	return ok ? ST_OK : error_nomem(e);
}

static const struct {
	const char *kty;
	enum status (*put)(json_t *object, const EVP_PKEY *key, bool with_private, struct error *e);
} writers[] = {
	[KEY_EC] = { "EC", put_ec },
	[KEY_RSA] = { "RSA", put_rsa },
	[KEY_OKP] = { "OKP", put_okp },
};

enum status jwk_format(const struct jwk *k, bool with_private, json_t **ret, struct error *e)
{
	struct key_facts f = key_facts_of(k->key);
	if (f.kind == KEY_OTHER)
		return key_supported(k->key, e);
	if (with_private && !k->is_private)
		return error_set(e, ST_INVALID, "JWK: the key has no private half");
	AUTO(json_decref_p) json_t *object = json_object();
	if (!object || !put_text(object, "use", k->use) || !put_text(object, "kty", writers[f.kind].kty) ||
	    !put_text(object, "kid", k->kid) || !put_text(object, "crv", f.curve[0] ? f.curve : NULL) ||
	    !put_text(object, "alg", k->alg))
		return error_nomem(e);
	if (writers[f.kind].put(object, k->key, with_private, e))
		return e->status;
	*ret = TAKE(object);
	return ST_OK;
}

/* RFC 7638 §3: the required members only, in lexicographic order, without white space. */
enum status jwk_thumbprint(const EVP_PKEY *key, char out[JWK_THUMBPRINT], struct error *e)
{
	static const char *const order[] = { "crv", "e", "kty", "n", "x", "y" };
	struct jwk bare = { .key = (EVP_PKEY *)(uintptr_t)key }; /* only read */
	AUTO(json_decref_p) json_t *v = NULL;
	AUTO(buf_done) struct buf text = BUF_INIT(8 * 1024);
	AUTO(buf_done) struct buf b64 = BUF_INIT(JWK_THUMBPRINT);
	uint8_t sha[SHA256_BYTES];

	if (jwk_format(&bare, false, &v, e))
		return e->status;
	AUTO(json_decref_p) json_t *sorted = json_object();
	for (size_t i = 0; i < COUNT_OF(order); i++) {
		json_t *m = json_object_get(v, order[i]);
		if (m && json_object_set(sorted, order[i], m) != 0)
			return error_nomem(e);
	}
	if (jsonio_format(sorted, &text, e) || digest_sha256(buf_slice(&text), sha, e))
		return e->status;
	b64_encode(&b64, slice_of(sha, sizeof sha), B64_URL_RAW);
	if (buf_check(&b64, e))
		return e->status;
	memcpy(out, b64.p, b64.n);
	out[b64.n] = '\0';
	return ST_OK;
}
