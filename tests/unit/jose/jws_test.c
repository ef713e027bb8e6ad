#include "../crypto/check.h"
#include "rfc_samples.h"
#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwk.h"
#include "jose/jws.h"
#include "fail.h"

static struct jwk key_of(const char *text)
{
	struct error e = ERROR_INIT;
	struct jwk k = { 0 };
	AUTO(json_decref_p) json_t *v = NULL;
	assert_ok(jsonio_parse(slice_cstr(text), JSONIO_STRICT, &v, &e));
	assert_ok(jwk_parse(v, &k, &e));
	return k;
}

static json_t *json_of(const char *text)
{
	struct error e = ERROR_INIT;
	json_t *v = NULL;
	assert_ok(jsonio_parse(slice_cstr(text), JSONIO_STRICT, &v, &e));
	return v;
}

/* RFC 7515's general form with one signature, and its A.7 */
#define FLAT(protected, more)                                                                                          \
	"{\"payload\":\"" RFC7515_A3_PAYLOAD                                                                           \
	"\",\"protected\":\"" protected "\"," more "\"signature\":\"" RFC7515_A3_SIGNATURE "\"}"
#define ES256_B64 "eyJhbGciOiJFUzI1NiJ9"
#define GENERAL                                                                                                        \
	"{\"payload\":\"" RFC7515_A3_PAYLOAD "\",\"signatures\":[{\"protected\":\"" ES256_B64                          \
	"\",\"header\":{\"kid\":\"e9bc\"},\"signature\":\"" RFC7515_A3_SIGNATURE "\"}]}"

static void examples(void **state)
{
	static const struct {
		const char *jws, *key, *alg, *kid, *payload;
	} rows[] = {
		{ RFC7515_A2_JWS, RFC7515_A2_KEY, "RS256", "", RFC7515_CLAIMS },
		{ RFC7515_A3_JWS, RFC7515_A3_KEY, "ES256", "", RFC7515_CLAIMS },
		{ RFC7515_A4_JWS, RFC7515_A4_KEY, "ES512", "", "Payload" },
		{ RFC8037_A4_JWS, RFC8037_A1, "EdDSA", "", "Example of Ed25519 signing" },
		{ FLAT(ES256_B64, "\"header\":{\"kid\":\"e9bc097a\"},"), RFC7515_A3_PUBLIC, "ES256", "e9bc097a",
		  RFC7515_CLAIMS },
		{ FLAT(ES256_B64, ""), RFC7515_A3_PUBLIC, "ES256", "", RFC7515_CLAIMS },
		{ " \n" GENERAL "\n", RFC7515_A3_PUBLIC, "ES256", "e9bc", RFC7515_CLAIMS },
		{ " \t" ES256_B64 " .\n" RFC7515_A3_PAYLOAD "\r\n.\v" RFC7515_A3_SIGNATURE "\f\n", RFC7515_A3_PUBLIC,
		  "ES256", "", RFC7515_CLAIMS },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(jwk_done) struct jwk k = key_of(rows[i].key);
		AUTO(jws_done) struct jws j = { 0 };
		assert_ok(jws_parse(slice_cstr(rows[i].jws), &j, &e));
		assert_slice(slice_cstr(rows[i].alg), jws_alg(&j));
		assert_slice(slice_cstr(rows[i].kid), jws_kid(&j));
		assert_slice(slice_cstr(rows[i].payload), buf_slice(&j.payload));
		assert_ok(jws_verify(&j, k.key, &e));
		assert_ok(jws_verify_jwk(&j, &k, &e));
		j.signed_part.p[j.signed_part.n - 1] ^= 1;
		assert_st(ST_DENIED, jws_verify(&j, k.key, &e));
		j.signed_part.p[j.signed_part.n - 1] ^= 1;
		j.signature.p[0] ^= 1;
		assert_st(ST_DENIED, jws_verify(&j, k.key, &e));
		j.signature.n--;
		assert_st(ST_DENIED, jws_verify(&j, k.key, &e));
		j.signature.n = 0;
		assert_st(ST_DENIED, jws_verify(&j, k.key, &e));
	}
}

static void refused_text(const char *text, const char *says)
{
	struct error e = ERROR_INIT;
	struct jws j = { 0 };
	enum status st = jws_parse(slice_cstr(text), &j, &e);
	if (st != ST_INVALID && st != ST_LIMIT)
		fail_msg("%s: %s", text, status_name(st));
	assert_says(says);
	assert_null(j.header);
	assert_null(j.payload.p);
}

static void refuses_text(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "three parts" },
		{ "abc", "three parts" },
		{ ES256_B64 "." RFC7515_A3_PAYLOAD, "three parts" },
		{ RFC7515_A3_JWS ".", "JWS signature: not base64url" },
		{ RFC7515_A3_JWS ".e30", "JWS signature: not base64url" },
		{ "." RFC7515_A3_PAYLOAD "." RFC7515_A3_SIGNATURE, "JWS header: not JSON" },
		{ "..", "JWS header: not JSON" },
		{ ES256_B64 "=." RFC7515_A3_PAYLOAD "." RFC7515_A3_SIGNATURE, "JWS header: not base64url" },
		{ ES256_B64 ".e3*.AAAA", "JWS payload: not base64url" },
		{ ES256_B64 ".e31.AAAA", "JWS payload: not base64url" }, /* trailing bits */
		{ ES256_B64 ".e30=.AAAA", "JWS payload: not base64url" },
		{ ES256_B64 ".e30.AA+A", "JWS signature: not base64url" },
		{ ES256_B64 ".e30.AAAA\xc2\xa0", "JWS signature: not base64url" },
		{ "{", "not JSON" },
		{ "{}", "payload, protected or signature" },
		{ "{\"payload\":\"e30\",\"signatures\":[]}", "exactly one signature" },
		{ "{\"payload\":\"e30\",\"signatures\":{}}", "exactly one signature" },
		{ "{\"payload\":\"e30\",\"signatures\":[{},{}]}", "exactly one signature" },
		{ "{\"payload\":\"e30\",\"signatures\":[1]}", "payload, protected or signature" },
		{ "{\"payload\":\"e30\",\"signatures\":[{\"protected\":\"" ES256_B64
		  "\",\"signature\":\"AA\"}],\"signature\":\"AA\"}",
		  "exactly one signature" },
		{ "{\"payload\":1,\"protected\":\"" ES256_B64 "\",\"signature\":\"AA\"}", "is missing or not text" },
		{ "{\"payload\":\"e30\",\"header\":{\"alg\":\"ES256\"},\"signature\":\"AA\"}",
		  "is missing or not text" },
		{ "{\"payload\":\"e30\",\"protected\":\"e30\",\"header\":{\"alg\":\"ES256\"},\"signature\":\"AA\"}",
		  "protected header has no alg" },
		{ FLAT(ES256_B64, "\"header\":{\"alg\":\"ES256\"},"), "both protected and unprotected" },
		{ FLAT(ES256_B64, "\"header\":[],"), "not an object" },
		{ FLAT(ES256_B64, "\"header\":{\"crit\":[\"exp\"]},"), "crit" },
		{ FLAT(ES256_B64, "\"header\":{\"b64\":false},"), "b64" },
		{ FLAT(ES256_B64, "\"payload\":\"e30\","), "duplicate" },
		{ FLAT(ES256_B64, "") "x", "not JSON" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		refused_text(rows[i].text, rows[i].says);
	AUTO(buf_done) struct buf big = BUF_INIT(2 * JWS_MAX);
	while (big.n <= JWS_MAX)
		buf_adds(&big, "AAAA");
	refused_text(buf_cstr(&big), "longer than");
}

static void refuses_headers(void **state)
{
	static const struct {
		const char *header, *says;
	} rows[] = {
		{ "[]", "not an object" },
		{ "\"ES256\"", "not an object" },
		{ "{}", "no alg" },
		{ "{\"alg\":256}", "no alg" },
		{ "{\"alg\":\"\"}", "no alg" },
		{ "{\"alg\":null}", "no alg" },
		{ "{\"Alg\":\"ES256\"}", "no alg" },
		{ "{\"alg\":\"none\"}", "alg is not one of" },
		{ "{\"alg\":\"NONE\"}", "alg is not one of" },
		{ "{\"alg\":\"HS256\"}", "alg is not one of" },
		{ "{\"alg\":\"es256\"}", "alg is not one of" },
		{ "{\"alg\":\"ES256K\"}", "alg is not one of" },
		{ "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", "duplicate" },
		{ "{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"b\"}", "duplicate" },
		{ "{\"alg\":\"ES256\"} ", "" },
		{ "{\"alg\":\"ES256\"}x", "not JSON" },
		{ "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", "crit" },
		{ "{\"alg\":\"ES256\",\"crit\":[]}", "crit" },
		{ "{\"alg\":\"ES256\",\"b64\":false}", "b64" },
		{ "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}", "crit" },
		{ "{\"alg\":\"ES256\",\"b64\":\"true\"}", "b64" },
		{ "{\"alg\":\"ES256\",\"b64\":true}", "" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(1000);
		AUTO(jws_done) struct jws j = { 0 };
		b64_encode(&text, slice_cstr(rows[i].header), B64_URL_RAW);
		buf_adds(&text, ".e30.AAAA");
		if (rows[i].says[0])
			refused_text(buf_cstr(&text), rows[i].says);
		else
			assert_ok(jws_parse(buf_slice(&text), &j, &e));
	}
}

static const char *const key_texts[] = { RFC7515_A3_KEY, RFC7515_A4_KEY, RFC7517_A2_RSA, RFC8037_A1 };
static const char *const key_algs[] = { "ES256", "ES512", "RS256", "EdDSA" };

static void signs(void **state)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *header = json_of("{\"kid\":\"<k>\",\"typ\":\"JWT\"}");
	(void)state;
	for (size_t i = 0; i < COUNT_OF(key_texts); i++) {
		AUTO(jwk_done) struct jwk k = key_of(key_texts[i]);
		AUTO(buf_done) struct buf out = BUF_INIT(10000);
		AUTO(jws_done) struct jws j = { 0 };
		AUTO(buf_done) struct buf head = BUF_INIT(1000);
		assert_string_equal(key_algs[i], jws_alg_for_key(k.key));
		buf_adds(&out, "Bearer ");
		assert_ok(jws_sign(k.key, header, SLICE_LIT("pay\0load"), &out, &e));
		assert_memory_equal("Bearer ", out.p, 7);
		assert_ok(jws_parse(slice_of(out.p + 7, out.n - 7), &j, &e));
		assert_slice(SLICE_LIT("pay\0load"), buf_slice(&j.payload));
		assert_ok(jws_verify(&j, k.key, &e));
		assert_ok(b64_decode(&head, slice_of(j.signed_part.p, slice_find(buf_slice(&j.signed_part), '.')),
		                     B64_URL_RAW, &e));
		char want[100];
		snprintf(want, sizeof want, "{\"alg\":\"%s\",\"kid\":\"\\u003ck\\u003e\",\"typ\":\"JWT\"}",
		         key_algs[i]);
		assert_string_equal(want, buf_cstr(&head));
	}
	assert_int_equal(2, json_object_size(header)); /* the caller's header stays as it was */
}

static void cannot_sign(void **state)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *header = json_object();
	AUTO(jwk_done) struct jwk k = key_of(RFC7515_A3_KEY);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	AUTO(EVP_PKEY_free_p) EVP_PKEY *p224 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224");
	AUTO(EVP_PKEY_free_p) EVP_PKEY *rsa1024 = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *pub = NULL;
	EVP_PKEY *const keys[] = { x25519, p224, rsa1024 };
	AUTO(buf_done) struct buf out = BUF_INIT(10000);
	AUTO(buf_done) struct buf small = BUF_INIT(60);
	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		assert_null(jws_alg_for_key(keys[i]));
		assert_st(ST_INVALID, jws_sign(keys[i], header, SLICE_LIT("x"), &out, &e));
	}
	assert_ok(key_public_of(k.key, &pub, &e));
	assert_int_not_equal(ST_OK, jws_sign(pub, header, SLICE_LIT("x"), &out, &e));
	assert_int_equal(0, out.n);
	assert_st(ST_LIMIT, jws_sign(k.key, header, SLICE_LIT("x"), &small, &e));
	assert_int_equal(0, small.n);
}

/* Each algorithm with each key: only its own is taken, and the others are refused before any arithmetic. */
static void algorithm_and_key(void **state)
{
	static const struct {
		const char *alg;
		int key; /* index in key_texts; -1: none of them */
	} rows[] = {
		{ "ES256", 0 }, { "ES384", -1 }, { "ES512", 1 }, { "RS256", 2 }, { "RS384", 2 },
		{ "RS512", 2 }, { "PS256", 2 },  { "PS384", 2 }, { "PS512", 2 }, { "EdDSA", 3 },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(1000);
		AUTO(jws_done) struct jws j = { 0 };
		char header[40];
		snprintf(header, sizeof header, "{\"alg\":\"%s\"}", rows[i].alg);
		b64_encode(&text, slice_cstr(header), B64_URL_RAW);
		buf_adds(&text, ".e30." RFC7515_A3_SIGNATURE);
		assert_ok(jws_parse(buf_slice(&text), &j, &e));
		for (size_t k = 0; k < COUNT_OF(key_texts); k++) {
			AUTO(jwk_done) struct jwk key = key_of(key_texts[k]);
			bool suits = rows[i].key == (int)k;
			assert_st(suits ? ST_DENIED : ST_INVALID, jws_verify(&j, key.key, &e));
			if (!suits)
				assert_says("does not suit");
		}
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *rsa1024 = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	AUTO(jws_done) struct jws j = { 0 };
	assert_ok(jws_parse(slice_cstr(RFC7515_A2_JWS), &j, &e));
	assert_st(ST_INVALID, jws_verify(&j, rsa1024, &e)); /* RFC 7518 §3.3: 2048 bits or larger */
}

static void purpose_of_a_jwk(void **state)
{
	static const struct {
		const char *extra;
		enum status want;
	} rows[] = {
		{ "\"use\":\"sig\"", ST_OK },
		{ "\"alg\":\"ES256\"", ST_OK },
		{ "\"key_ops\":[\"sign\",\"verify\"]", ST_OK },
		{ "\"use\":\"enc\"", ST_INVALID },
		{ "\"use\":\"\"", ST_INVALID },
		{ "\"alg\":\"ES384\"", ST_INVALID },
		{ "\"alg\":\"ECDH-ES\"", ST_INVALID },
		{ "\"key_ops\":[]", ST_INVALID },
		{ "\"key_ops\":[\"deriveKey\",1]", ST_INVALID },
	};
	struct error e = ERROR_INIT;
	AUTO(jws_done) struct jws j = { 0 };
	(void)state;
	assert_ok(jws_parse(slice_cstr(RFC7515_A3_JWS), &j, &e));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[400];
		snprintf(text, sizeof text, "{%s,%s", rows[i].extra, &RFC7515_A3_PUBLIC[1]);
		AUTO(jwk_done) struct jwk k = key_of(text);
		enum status st = jws_verify_jwk(&j, &k, &e);
		if (st != rows[i].want)
			fail_msg("%s: %s", rows[i].extra, status_name(st));
	}
}

/* (r, n - s) is as good a signature as (r, s): it verifies, and what names the JWS is the same. */
static void flipped_signature(void **state)
{
	static const uint8_t n_bytes[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
		                             0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
		                             0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
	AUTO(jwk_done) struct jwk k = key_of(RFC7515_A3_KEY);
	AUTO(jws_done) struct jws j = { 0 };
	AUTO(jws_done) struct jws flipped = { 0 };
	AUTO(BN_clear_free_p) BIGNUM *n = BN_bin2bn(n_bytes, sizeof n_bytes, NULL);
	struct error e = ERROR_INIT;
	(void)state;
	assert_ok(jws_parse(slice_cstr(RFC7515_A3_JWS), &j, &e));
	AUTO(BN_clear_free_p) BIGNUM *s = BN_bin2bn(j.signature.p + 32, 32, NULL);
	assert_int_equal(1, BN_sub(s, n, s));
	BN_bn2binpad(s, j.signature.p + 32, 32);
	AUTO(buf_done) struct buf text = BUF_INIT(1000);
	buf_adds(&text, ES256_B64 "." RFC7515_A3_PAYLOAD ".");
	b64_encode(&text, buf_slice(&j.signature), B64_URL_RAW);
	assert_string_not_equal(RFC7515_A3_JWS, buf_cstr(&text));
	assert_ok(jws_parse(buf_slice(&text), &flipped, &e));
	assert_ok(jws_verify(&flipped, k.key, &e));
	assert_slice(slice_cstr(ES256_B64 "." RFC7515_A3_PAYLOAD), buf_slice(&flipped.signed_part));
}

/* DER, X.509's form, is not JOSE's; and r || s has one width only. */
static void width_of_ecdsa(void **state)
{
	AUTO(jwk_done) struct jwk k = key_of(RFC7515_A3_KEY);
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		AUTO(jws_done) struct jws j = { 0 };
		assert_ok(jws_parse(slice_cstr(RFC7515_A3_JWS), &j, &e));
		while (j.signature.n < n)
			buf_addc(&j.signature, 0);
		j.signature.n = n;
		if (n == 64)
			assert_ok(jws_verify(&j, k.key, &e));
		else
			assert_st(ST_DENIED, jws_verify(&j, k.key, &e));
	}
}

static void out_of_memory(void **state)
{
	AUTO(jwk_done) struct jwk k = key_of(RFC7515_A3_KEY);
	AUTO(json_decref_p) json_t *header = json_of("{\"kid\":\"k\"}");
	struct error e = ERROR_INIT;
	(void)state;
	for (unsigned n = 1;; n++) {
		AUTO(jws_done) struct jws compact = { 0 };
		AUTO(jws_done) struct jws general = { 0 };
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		fail_arm(FAIL_ALLOC, n, 0);
		enum status st = jws_sign(k.key, header, SLICE_LIT("x"), &out, &e);
		if (!st)
			st = jws_parse(buf_slice(&out), &compact, &e);
		if (!st)
			st = jws_verify(&compact, k.key, &e);
		if (!st)
			st = jws_parse(slice_cstr(GENERAL), &general, &e);
		if (!fail_disarm()) {
			assert_int_equal(ST_OK, st);
			assert_true(n > 40);
			break;
		}
		assert_int_equal(ST_NOMEM, st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),         cmocka_unit_test(refuses_text),
		cmocka_unit_test(refuses_headers),  cmocka_unit_test(signs),
		cmocka_unit_test(cannot_sign),      cmocka_unit_test(algorithm_and_key),
		cmocka_unit_test(purpose_of_a_jwk), cmocka_unit_test(flipped_signature),
		cmocka_unit_test(width_of_ecdsa),   cmocka_unit_test(out_of_memory),
	};
	ossl_start();
	return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}
