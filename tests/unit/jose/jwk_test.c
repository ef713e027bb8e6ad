#include "../crypto/check.h"
#include "rfc_samples.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwk.h"
#include "fail.h"

static enum status parse(const char *text, struct jwk *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *v = NULL;
	enum status st = jsonio_parse(slice_cstr(text), JSONIO_STRICT, &v, e);
	return st ? st : jwk_parse(v, ret, e);
}

#define EC_XY                                                                                                          \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                                       \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define OKP_X "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static void reads(void **state)
{
	static const struct {
		const char *text;
		bool is_private, no_sign, no_verify;
		const char *label, *kid, *alg, *use;
	} rows[] = {
		{ RFC7515_A2_KEY, false, false, false, "RSA 2048", NULL, NULL, NULL },
		{ RFC7515_A3_PUBLIC, false, false, false, "ECDSA P-256", NULL, NULL, NULL },
		{ RFC7515_A3_KEY, true, false, false, "ECDSA P-256", NULL, NULL, NULL },
		{ RFC7515_A4_KEY, true, false, false, "ECDSA P-521", NULL, NULL, NULL },
		{ RFC7517_A2_EC, true, true, true, "ECDSA P-256", "1", NULL, "enc" },
		{ RFC7517_A2_RSA, true, false, false, "RSA 2048", "2011-04-29", "RS256", NULL },
		{ "{\"kty\":\"RSA\",\"n\":\"" RFC7517_N "\",\"e\":\"AQAB\",\"d\":\"" RFC7517_D "\"}", true, false,
		  false, "RSA 2048", NULL, NULL, NULL },
		{ RFC8037_A1, true, false, false, "Ed25519 256", NULL, NULL, NULL },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," OKP_X ",\"unknown\":{\"x\":1}}", false, false, false,
		  "Ed25519 256", NULL, NULL, NULL },
		{ "{\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY ",\"use\":\"sig\",\"key_ops\":[\"verify\"]}", false, true,
		  false, "ECDSA P-256", NULL, NULL, "sig" },
		{ "{\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY ",\"key_ops\":[\"encrypt\"]}", false, true, true,
		  "ECDSA P-256", NULL, NULL, NULL },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(jwk_done) struct jwk k = { 0 };
		assert_ok(parse(rows[i].text, &k, &e));
		assert_string_equal(rows[i].label, key_facts_of(k.key).label);
		assert_int_equal(rows[i].is_private, k.is_private);
		assert_int_equal(rows[i].no_sign, k.no_sign);
		assert_int_equal(rows[i].no_verify, k.no_verify);
		assert_string_equal(rows[i].kid ? rows[i].kid : "-", k.kid ? k.kid : "-");
		assert_string_equal(rows[i].alg ? rows[i].alg : "-", k.alg ? k.alg : "-");
		assert_string_equal(rows[i].use ? rows[i].use : "-", k.use ? k.use : "-");
	}
}

#define EC(rest) "{\"kty\":\"EC\"," rest "}"
#define P256(rest) EC("\"crv\":\"P-256\"," rest)
#define RSA_KEY(rest) "{\"kty\":\"RSA\",\"n\":\"" RFC7517_N "\"," rest "}"
#define OKP(rest) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," rest "}"
#define ZERO32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void refuses(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[]", "not a JSON object" },
		{ "\"EC\"", "not a JSON object" },
		{ "{}", "kty must be" },
		{ "{\"kty\":1}", "kty must be" },
		{ "{\"kty\":\"ec\"," EC_XY "}", "kty must be" },
		{ "{\"kty\":\"oct\",\"k\":\"AAAA\"}", "kty must be" },
		{ EC(EC_XY), "crv must be" },
		{ EC("\"crv\":\"P-224\"," EC_XY), "crv must be" },
		{ EC("\"crv\":\"secp256k1\"," EC_XY), "crv must be" },
		{ EC("\"crv\":\"P-384\"," EC_XY), "member x has 32 bytes instead of 48" },
		{ P256("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""), "member y is missing" },
		{ P256("\"x\":1,\"y\":2"), "member x is missing" },
		{ P256("\"x\":\"\",\"y\":\"\""), "member x has 0 bytes" },
		/* a coordinate without its leading zero, and one with one more */
		{ P256("\"x\":\"zc4ncPbEXUGDy-5v20t7WAczNXvp7xO6z248e9FURQ\",\"y\":\"" ZERO32 "\""),
		  "member x has 31" },
		{ P256("\"x\":\"AH_NzidwPbEXUGDy-5v20t7WAczNXvp7xO6z248e9FU\",\"y\":\"AAAAAAAA\""), "member y has 6" },
		{ P256("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=\",\"y\":\"AA\""), "not base64url" },
		{ P256("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV\",\"y\":\"AA\""), "not base64url" },
		{ P256("\"x\":\"" ZERO32 "\",\"y\":\"" ZERO32 "\""), "not a key of type EC" },
		/* off the curve by one bit, and by more */
		{ P256("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		       "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\""),
		  "not a key of type EC" },
		{ P256("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		       "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5bA\""),
		  "not a key of type EC" },
		/* d: too short, of another key, zero, the order, beyond it */
		{ P256(EC_XY ",\"d\":\"AAAA\""), "member d has 3 bytes" },
		{ P256(EC_XY ",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\""), "do not belong together" },
		{ P256(EC_XY ",\"d\":\"" ZERO32 "\""), "" },
		{ P256(EC_XY ",\"d\":\"_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE\""), "" },
		{ P256(EC_XY ",\"d\":\"__________________________________________8\""), "" },
		{ P256(EC_XY ",\"kid\":1"), "kid is not text" },
		{ P256(EC_XY ",\"alg\":[]"), "alg is not text" },
		{ P256(EC_XY ",\"use\":{}"), "use is not text" },
		{ P256(EC_XY ",\"key_ops\":\"sign\""), "key_ops is not a list" },
		{ RSA_KEY("\"x\":1"), "member e is missing" },
		{ RSA_KEY("\"e\":\"\""), "member e is empty" },
		{ RSA_KEY("\"e\":\"AQ\""), "exponent" },
		{ RSA_KEY("\"e\":\"AQAA\""), "exponent" },
		{ RSA_KEY("\"e\":\"AQAB\",\"d\":\"AQAB\""), "do not belong together" },
		{ RSA_KEY("\"e\":\"AQAB\",\"d\":\"" RFC7517_D "\",\"p\":\"AQAB\""), "member q is missing" },
		{ RSA_KEY("\"e\":\"AQAB\",\"d\":\"" RFC7517_D "\",\"oth\":[]"), "two primes" },
		{ "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "bits" },
		{ "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "member n is missing" },
		{ "{\"kty\":\"OKP\"," OKP_X "}", "crv must be Ed25519" },
		{ "{\"kty\":\"OKP\",\"crv\":\"X25519\"," OKP_X "}", "crv must be Ed25519" },
		{ OKP("\"x\":\"AAAA\""), "member x has 3 bytes" },
		{ OKP(OKP_X ",\"d\":\"AAAA\""), "member d has 3 bytes" },
		{ OKP(OKP_X ",\"d\":\"" ZERO32 "\""), "do not belong together" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct jwk k = { 0 };
		if (parse(rows[i].text, &k, &e) != ST_INVALID)
			fail_msg("row %zu, %s: not refused", i, rows[i].text);
		assert_says(rows[i].says);
		assert_null(k.key);
		assert_null(k.kid);
	}
}

static void oversized(void **state)
{
	AUTO(buf_done) struct buf text = BUF_INIT(20000);
	struct jwk k = { 0 };
	struct error e = ERROR_INIT;
	(void)state;
	buf_adds(&text, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
	for (int i = 0; i < 4000; i++)
		buf_adds(&text, "_");
	buf_adds(&text, "\"}");
	assert_st(ST_LIMIT, parse(buf_cstr(&text), &k, &e));
	assert_null(k.key);
}

static void writes(void **state)
{
	static const struct {
		const char *in, *kid, *alg, *use, *public, *private;
	} rows[] = {
		{ RFC7515_A3_KEY, "k<1", "ES256", "sig",
		  "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"k\\u003c1\",\"crv\":\"P-256\",\"alg\":\"ES256\"," EC_XY
		  "}",
		  "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"k\\u003c1\",\"crv\":\"P-256\",\"alg\":\"ES256\"," EC_XY
		  ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}" },
		{ RFC8037_A1, NULL, NULL, NULL, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," OKP_X "}",
		  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," OKP_X
		  ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}" },
		{ RFC7517_A2_RSA, "x", NULL, NULL,
		  "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"" RFC7517_N "\",\"e\":\"AQAB\"}",
		  "{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"" RFC7517_N "\",\"e\":\"AQAB\",\"d\":\"" RFC7517_D
		  "\"," RFC7517_PRIMES "}" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(jwk_done) struct jwk k = { 0 };
		AUTO(buf_done) struct buf out = BUF_INIT(8192);
		AUTO(json_decref_p) json_t *pub = NULL;
		AUTO(json_decref_p) json_t *priv = NULL;
		assert_ok(parse(rows[i].in, &k, &e));
		struct jwk named = { .key = k.key, .is_private = true };
		char kid[8], alg[8], use[8]; /* the fields are not const */
		snprintf(kid, sizeof kid, "%s", rows[i].kid ? rows[i].kid : "");
		snprintf(alg, sizeof alg, "%s", rows[i].alg ? rows[i].alg : "");
		snprintf(use, sizeof use, "%s", rows[i].use ? rows[i].use : "");
		named.kid = rows[i].kid ? kid : NULL;
		named.alg = rows[i].alg ? alg : NULL;
		named.use = rows[i].use ? use : NULL;
		assert_ok(jwk_format(&named, false, &pub, &e));
		assert_ok(jsonio_format(pub, &out, &e));
		assert_string_equal(rows[i].public, buf_cstr(&out));
		buf_reset(&out);
		assert_ok(jwk_format(&named, true, &priv, &e));
		assert_ok(jsonio_format(priv, &out, &e));
		assert_string_equal(rows[i].private, buf_cstr(&out));
	}
}

static void cannot_write(void **state)
{
	AUTO(jwk_done) struct jwk k = { 0 };
	struct error e = ERROR_INIT;
	json_t *v = NULL;
	(void)state;
	assert_ok(parse(RFC7515_A3_PUBLIC, &k, &e));
	assert_st(ST_INVALID, jwk_format(&k, true, &v, &e));
	k.is_private = true; /* said, but there is none */
	assert_int_not_equal(ST_OK, jwk_format(&k, true, &v, &e));
	AUTO(EVP_PKEY_free_p) EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	AUTO(EVP_PKEY_free_p) EVP_PKEY *p224 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224");
	assert_st(ST_INVALID, jwk_format(&(struct jwk){ .key = x25519 }, false, &v, &e));
	assert_st(ST_INVALID, jwk_format(&(struct jwk){ .key = p224 }, false, &v, &e));
	char thumb[JWK_THUMBPRINT];
	assert_st(ST_INVALID, jwk_thumbprint(x25519, thumb, &e));
	assert_null(v);
}

static void thumbprints(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{\"kty\":\"RSA\",\"n\":\"" RFC7517_N "\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}",
		  "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" }, /* RFC 7638 §3.1 */
		{ RFC7517_A2_RSA, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
		{ RFC8037_A1, RFC8037_THUMBPRINT },
		/* as computed with sha256sum over {"crv":"P-256","kty":"EC","x":...,"y":...} */
		{ RFC7515_A3_KEY, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(jwk_done) struct jwk k = { 0 };
		char thumb[JWK_THUMBPRINT];
		assert_ok(parse(rows[i].text, &k, &e));
		assert_ok(jwk_thumbprint(k.key, thumb, &e));
		assert_string_equal(rows[i].want, thumb);
	}
}

/* A coordinate or scalar that begins with zero bytes keeps its width. About 1 key in 128 has one. */
static void leading_zeros(void **state)
{
	struct error e = ERROR_INIT;
	int seen = 0;
	(void)state;
	for (int i = 0; i < 2000 && seen < 2; i++) {
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		AUTO(json_decref_p) json_t *v = NULL;
		AUTO(jwk_done) struct jwk back = { 0 };
		assert_ok(key_generate(&KEY_SPEC_DEFAULT, &key, &e));
		assert_ok(jwk_format(&(struct jwk){ .key = key, .is_private = true }, true, &v, &e));
		assert_int_equal(43, json_string_length(json_object_get(v, "x")));
		assert_int_equal(43, json_string_length(json_object_get(v, "d")));
		if (memcmp(json_string_value(json_object_get(v, "x")), "AA", 2) != 0 &&
		    json_string_value(json_object_get(v, "d"))[0] != 'A')
			continue;
		seen++;
		assert_ok(jwk_parse(v, &back, &e));
		assert_true(key_equal(key, back.key));
	}
	assert_int_equal(2, seen);
}

static void out_of_memory(void **state)
{
	static const char *const texts[] = { RFC7515_A3_KEY, RFC7517_A2_RSA, RFC8037_A1, RFC7517_A2_EC };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		for (unsigned n = 1;; n++) {
			AUTO(jwk_done) struct jwk k = { 0 };
			json_t *v = NULL;
			char thumb[JWK_THUMBPRINT];
			fail_arm(FAIL_ALLOC, n, 0);
			enum status st = parse(texts[i], &k, &e);
			if (!st)
				st = jwk_format(&k, true, &v, &e);
			if (!st)
				st = jwk_thumbprint(k.key, thumb, &e);
			bool more = fail_disarm();
			json_decref(v);
			if (!more) {
				assert_int_equal(ST_OK, st);
				assert_true(n > 20);
				break;
			}
			assert_int_equal(ST_NOMEM, st);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),         cmocka_unit_test(refuses),       cmocka_unit_test(oversized),
		cmocka_unit_test(writes),        cmocka_unit_test(cannot_write),  cmocka_unit_test(thumbprints),
		cmocka_unit_test(leading_zeros), cmocka_unit_test(out_of_memory),
	};
	ossl_start();
	return cmocka_run_group_tests_name("jwk", tests, NULL, NULL);
}
