#include "../crypto/check.h"
#include "base/b64.h"
#include "crypto/keyfile.h"
#include "crypto/ossl.h"
#include "crypto/pbkdf2.h"
#include "jose/jwe.h"
#include "fail.h"

#include <string.h>

/* Made with another implementation (Python's hashlib and cryptography); the header of each stands above it. */

/* {"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","p2c":1000,"p2s":"surRHQOQpRC8Ez8GlzFdqg"} */
#define JWE_A256                                                                                                       \
	"eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjEwMDAsInAy"         \
	"cyI6InN1clJIUU9RcFJDOEV6OEdsekZkcWcifQ.br8hCzI8dgrw7ZlbM2xDmlUCGxAVnGzn9fef-nl4RoW8xSlV4fq2WA.X2xCuh"         \
	"I-Mxn68Z4q.Hs2AVmVDbxZnFrJF.5AdftNSdtN5tith0NopOIQ"

/* {"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A128GCM","p2c":2000,"p2s":"JQATDkDyIlVT-h-fTrmxHg"} */
#define JWE_A128                                                                                                       \
	"eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkExMjhHQ00iLCJwMmMiOjIwMDAsInAy"         \
	"cyI6IkpRQVREa0R5SWxWVC1oLWZUcm14SGcifQ.TG8kmG5VSVaM2dEyn7LyRH7i6MV_tfP4.2PqsB-mKsuWhcXoI.YA.TfpbnTXX"         \
	"jn7_pYhW6bfSSg"

/* {"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","p2c":1000,"p2s":"TqxKxkmcJ7auaDMChrC1jg"} */
#define JWE_EMPTY                                                                                                      \
	"eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjEwMDAsInAy"         \
	"cyI6IlRxeEt4a21jSjdhdWFETUNockMxamcifQ.qRyOsAEW9GqdmdJVtTRpFk9XN9AU96KCj3ePtS7kOOP-96__6IfcYA.50PKm5"         \
	"S-6_SDAwrL..pozwNgWh1ypOK5xI8ffygg"

/* {"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A256GCM","p2c":600000,"p2s":"ktyXM_o1VMuffBAXXfplSw"} */
#define JWE_600000                                                                                                     \
	"eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjYwMDAwMCwi"         \
	"cDJzIjoia3R5WE1fbzFWTXVmZkJBWFhmcGxTdyJ9.bm7PJ3DUbU3j_xsQwpl5XlXJrTSUCW_q8nzk7CEqXP4w-tEExY7NBQ.JXjy"         \
	"js-q_DMs1fXO.Lxg3OASa93f9WCn8.tiDlJ5KdjvF-Z7ckysd2yg"

/* {"alg":"PBES2-HS256+A128KW","cty":"jwk+json","enc":"A192GCM","p2c":1000,"p2s":"nw7qX2VGW80a5yLJsq11wA"} */
#define JWE_A192                                                                                                       \
	"eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkExOTJHQ00iLCJwMmMiOjEwMDAsInAy"         \
	"cyI6Im53N3FYMlZHVzgwYTV5TEpzcTExd0EifQ.j_p-2cxJkdw0ELm2u6mSbOVCBLGPyXQTSUN4J5LgBqA.l1P02boHKUOGpckx."         \
	"1w.K6oUVV7Q8I6hp0NPp7oF5w"

static void opens(void **state)
{
	static const struct {
		const char *jwe, *password, *plaintext;
	} rows[] = {
		{ JWE_A256, "password", "{\"kty\":\"EC\"}" },
		{ JWE_A128, "p\xc3\xa4ss word", "x" },
		{ JWE_EMPTY, "", "" },
		{ JWE_600000, "password", "{\"kty\":\"EC\"}" },
		{ " \n" JWE_A256 "\n", "password", "{\"kty\":\"EC\"}" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_SECRET(1000);
		buf_adds(&out, "before:");
		assert_ok(jwe_open(slice_cstr(rows[i].jwe), slice_cstr(rows[i].password), &out, &e));
		assert_memory_equal("before:", out.p, 7);
		assert_string_equal(rows[i].plaintext, buf_cstr(&out) + 7);
	}
}

static void wrong_passwords(void **state)
{
	static const struct {
		const char *jwe, *password;
	} rows[] = {
		{ JWE_A256, "" },          { JWE_A256, "Password" }, { JWE_A256, "password " },
		{ JWE_A128, "pass word" }, { JWE_EMPTY, "x" },
	};
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_SECRET(1000);
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_st(ST_DENIED, jwe_open(slice_cstr(rows[i].jwe), slice_cstr(rows[i].password), &out, &e));
		assert_says("wrong password");
		assert_int_equal(0, out.n);
	}
}

/* JWE_A256 with one of its parts, counted from 0, replaced. */
static void with_part(struct buf *out, int part, const char *by)
{
	const char *at = JWE_A256;
	for (int i = 0; i < 5; i++) {
		size_t n = strcspn(at, ".");
		if (i)
			buf_addc(out, '.');
		if (i == part)
			buf_adds(out, by);
		else
			buf_add(out, at, n);
		at += n + 1;
	}
}

static void refused(struct slice jwe, const char *says)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_SECRET(1000);
	enum status st = jwe_open(jwe, SLICE_LIT("password"), &out, &e);
	if (st != ST_INVALID && st != ST_LIMIT)
		fail_msg("%.*s: %s (%s)", SLICE_FMT(jwe), status_name(st), e.text);
	assert_says(says);
	assert_int_equal(0, out.n);
}

static void refuses_parts(void **state)
{
	static const struct {
		int part;
		const char *by, *says;
	} rows[] = {
		{ 0, "", "JWE header: not JSON" },
		{ 0, "e30=", "JWE header: not base64url" },
		{ 1, "", "not as long as enc asks" },
		{ 1, "AAAA", "not as long as enc asks" },
		{ 1, "TG8kmG5VSVaM2dEyn7LyRH7i6MV_tfP4", "not as long as enc asks" }, /* a key for A128GCM */
		{ 1, "*", "not base64url" },
		{ 2, "", "not as long as enc asks" },
		{ 2, "AAAA", "not as long as enc asks" },
		{ 2, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "larger than" },
		{ 3, "A", "not base64url" },
		{ 4, "", "not as long as enc asks" },
		{ 4, "AAAA", "not as long as enc asks" },
		{ 4, "5AdftNSdtN5tith0NopO", "not as long as enc asks" }, /* a tag cut by a byte */
		{ 4, "AAAA.AAAA", "five parts" },
		/* the right password, and another text */
		{ 2, "AAAAAAAAAAAAAAAA", "it was altered" },
		{ 3, "", "it was altered" },
		{ 3, "AAAAAAAAAAAAAAAA", "it was altered" },
		{ 4, "AAAAAAAAAAAAAAAAAAAAAA", "it was altered" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(1000);
		with_part(&text, rows[i].part, rows[i].by);
		refused(buf_slice(&text), rows[i].says);
	}
	refused(SLICE_NONE, "five parts");
	refused(SLICE_LIT("a.b.c"), "");
	refused(slice_cstr(JWE_A192), "A256GCM nor A128GCM");
	AUTO(buf_done) struct buf big = BUF_INIT(2 * JWE_MAX);
	while (big.n <= JWE_MAX)
		buf_addc(&big, 'A');
	refused(buf_slice(&big), "longer than");
}

/* Each is refused before an iteration is spent: with 10,000,000 and more the test would be seen to wait. */
static void refuses_headers(void **state)
{
#define HEADER(alg, enc, p2c, p2s, more)                                                                               \
	"{\"alg\":\"" alg "\",\"enc\":\"" enc "\",\"p2c\":" p2c ",\"p2s\":" p2s more "}"
#define GOOD "PBES2-HS256+A128KW"
#define SALT "\"c3VyUkhRT1FwUkM\""
	static const struct {
		const char *header, *says;
	} rows[] = {
		{ "[]", "alg is not" },
		{ "{}", "alg is not" },
		{ HEADER("PBES2-HS512+A256KW", "A256GCM", "1000", SALT, ""), "alg is not" },
		{ HEADER("dir", "A256GCM", "1000", SALT, ""), "alg is not" },
		{ HEADER("pbes2-hs256+a128kw", "A256GCM", "1000", SALT, ""), "alg is not" },
		{ HEADER(GOOD, "A128CBC-HS256", "1000", SALT, ""), "enc is neither" }, /* RFC 7517 C's */
		{ HEADER(GOOD, "", "1000", SALT, ""), "enc is neither" },
		{ HEADER(GOOD, "A256GCM", "999", SALT, ""), "p2c must be from 1000 to 10000000" },
		{ HEADER(GOOD, "A256GCM", "0", SALT, ""), "p2c must be" },
		{ HEADER(GOOD, "A256GCM", "-1000", SALT, ""), "p2c must be" },
		{ HEADER(GOOD, "A256GCM", "10000001", SALT, ""), "p2c must be" },
		{ HEADER(GOOD, "A256GCM", "4294968296", SALT, ""), "p2c must be" },
		{ HEADER(GOOD, "A256GCM", "1e3", SALT, ""), "p2c is missing or not a whole number" },
		{ HEADER(GOOD, "A256GCM", "\"1000\"", SALT, ""), "p2c is missing or not a whole number" },
		{ HEADER(GOOD, "A256GCM", "null", SALT, ""), "p2c is missing or not a whole number" },
		{ HEADER(GOOD, "A256GCM", "1000", "\"\"", ""), "p2s is missing or shorter" },
		{ HEADER(GOOD, "A256GCM", "1000", "8", ""), "p2s is missing or shorter" },
		{ HEADER(GOOD, "A256GCM", "1000", "\"c3VyUkhRT1E\"", ",\"p2c\":1000"), "duplicate" },
		{ HEADER(GOOD, "A256GCM", "1000", "\"c3VyUkhRTw\"", ""), "p2s is missing or shorter" },
		{ HEADER(GOOD, "A256GCM", "1000", "\"c3VyUkhRT1FwUkM=\"", ""), "p2s: not base64url" },
		{ HEADER(GOOD, "A256GCM", "1000", SALT, ",\"zip\":\"DEF\""), "crit and zip" },
		{ HEADER(GOOD, "A256GCM", "1000", SALT, ",\"crit\":[\"exp\"]"), "crit and zip" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf header = BUF_INIT(1000);
		AUTO(buf_done) struct buf text = BUF_INIT(2000);
		b64_encode(&header, slice_cstr(rows[i].header), B64_URL_RAW);
		with_part(&text, 0, buf_cstr(&header));
		refused(buf_slice(&text), rows[i].says);
	}
}

static void seals(void **state)
{
	static const char head[] =
		"{\"alg\":\"PBES2-HS256+A128KW\",\"cty\":\"jwk+json\",\"enc\":\"A256GCM\",\"p2c\":1000,"
		"\"p2s\":\"";
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 300, 5000 };
	uint8_t plaintext[5000];
	struct error e = ERROR_INIT;
	(void)state;
	memset(plaintext, 'x', sizeof plaintext);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		AUTO(buf_done) struct buf a = BUF_INIT(JWE_MAX);
		AUTO(buf_done) struct buf b = BUF_INIT(JWE_MAX);
		AUTO(buf_done) struct buf back = BUF_SECRET(10000);
		AUTO(buf_done) struct buf header = BUF_INIT(1000);
		struct slice text = slice_of(plaintext, sizes[i]);
		assert_ok(jwe_seal(text, SLICE_LIT("pass\0word"), 1000, &a, &e));
		assert_ok(jwe_seal(text, SLICE_LIT("pass\0word"), 1000, &b, &e));
		assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
		assert_ok(jwe_open(buf_slice(&a), SLICE_LIT("pass\0word"), &back, &e));
		assert_slice(text, buf_slice(&back));
		assert_st(ST_DENIED, jwe_open(buf_slice(&a), SLICE_LIT("pass"), &back, &e));
		assert_ok(b64_decode(&header, slice_of(a.p, slice_find(buf_slice(&a), '.')), B64_URL_RAW, &e));
		assert_int_equal(sizeof head - 1 + 22 + 2, header.n);
		assert_memory_equal(head, header.p, sizeof head - 1);
	}
}

static void cannot_seal(void **state)
{
	static const int p2c[] = { 0, -1, JWE_P2C_MIN - 1, JWE_P2C_MAX + 1 };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(JWE_MAX);
	AUTO(buf_done) struct buf small = BUF_INIT(20);
	(void)state;
	for (size_t i = 0; i < COUNT_OF(p2c); i++)
		assert_st(ST_INVALID, jwe_seal(SLICE_LIT("x"), SLICE_LIT("y"), p2c[i], &out, &e));
	assert_int_equal(0, out.n);
	assert_st(ST_LIMIT, jwe_seal(SLICE_LIT("x"), SLICE_LIT("y"), 1000, &small, &e));
	assert_st(ST_LIMIT, jwe_open(slice_cstr(JWE_A256), SLICE_LIT("password"), &(struct buf){ .max = 3 }, &e));
}

/* RFC 7517 C.4: the key from "Thus from my lips, by yours, my sin is purged." */
static void derivation_of_rfc7517(void **state)
{
	static const uint8_t want[16] = { 110, 171, 169, 92, 129, 92, 109, 117, 233, 242, 116, 233, 170, 14, 24, 75 };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf salt = BUF_INIT(100);
	uint8_t kek[16];
	(void)state;
	buf_add(&salt, "PBES2-HS256+A128KW", 19);
	assert_ok(b64_decode(&salt, SLICE_LIT("2WCTcJZ1Rvd_CJuJripQ1w"), B64_URL_RAW, &e));
	assert_ok(pbkdf2_sha256(SLICE_LIT("Thus from my lips, by yours, my sin is purged."), buf_slice(&salt), 4096,
	                        kek, sizeof kek, &e));
	assert_memory_equal(want, kek, sizeof want);
}

/* With the loop that asks for passwords, as a provisioner's key is opened. */
struct open {
	struct buf out;
};

static enum status try_password(void *ctx, struct slice password, struct error *e)
{
	return jwe_open(slice_cstr(JWE_A256), password, &((struct open *)ctx)->out, e);
}

static enum status third_is_right(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_adds(ret, attempt == 2 ? "password" : "wrong");
	return ST_OK;
}

static void passwords_in_turn(void **state)
{
	struct error e = ERROR_INIT;
	struct open o = { BUF_SECRET(1000) };
	(void)state;
	assert_ok(password_try(&(struct password_source){ third_is_right, NULL }, try_password, &o, &e));
	assert_string_equal("{\"kty\":\"EC\"}", buf_cstr(&o.out));
	buf_done(&o.out);
}

static void out_of_memory(void **state)
{
	struct error e = ERROR_INIT;
	(void)state;
	for (unsigned n = 1;; n++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		AUTO(buf_done) struct buf back = BUF_SECRET(1000);
		fail_arm(FAIL_ALLOC, n, 0);
		enum status st = jwe_seal(SLICE_LIT("{}"), SLICE_LIT("x"), 1000, &out, &e);
		if (!st)
			st = jwe_open(buf_slice(&out), SLICE_LIT("x"), &back, &e);
		if (!fail_disarm()) {
			assert_int_equal(ST_OK, st);
			assert_true(n > 15);
			break;
		}
		assert_int_equal(ST_NOMEM, st);
		assert_int_equal(0, back.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens),
		cmocka_unit_test(wrong_passwords),
		cmocka_unit_test(refuses_parts),
		cmocka_unit_test(refuses_headers),
		cmocka_unit_test(seals),
		cmocka_unit_test(cannot_seal),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(derivation_of_rfc7517),
		cmocka_unit_test(passwords_in_turn),
	};
	ossl_start();
	return cmocka_run_group_tests_name("jwe", tests, NULL, NULL);
}
