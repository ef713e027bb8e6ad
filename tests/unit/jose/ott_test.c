#include "../crypto/check.h"
#include "rfc_samples.h"
#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwk.h"
#include "jose/ott.h"
#include "fail.h"

static struct jwk key;

static int load_key(void **state)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *v = NULL;
	(void)state;
	assert_ok(jsonio_parse(slice_cstr(RFC7515_A3_KEY), JSONIO_STRICT, &v, &e));
	assert_ok(jwk_parse(v, &key, &e));
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	jwk_done(&key);
	return 0;
}

/* A token with these claims and a signature of nonsense: parsing verifies nothing. */
static void token(struct buf *out, const char *claims)
{
	buf_adds(out, "eyJhbGciOiJFUzI1NiJ9.");
	b64_encode(out, slice_cstr(claims), B64_URL_RAW);
	buf_adds(out, ".AAAA");
}

static void reads_all_claims(void **state)
{
	static const char claims[] =
		"{\"aud\":\"https://ca.example:9000/1.0/sign\",\"exp\":1700000300,\"iat\":1700000000,"
		"\"nbf\":1700000001,\"iss\":\"ops\",\"jti\":\"j\",\"sans\":[\"a.example\",\"10.0.0.1\"],"
		"\"sha\":\"f00\",\"sub\":\"a.example\",\"cnf\":{\"x5rt#S256\":\"abc\"},"
		"\"step\":{\"ssh\":{},\"revoke\":{\"scope\":\"lineage\"}}}";
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(2000);
	AUTO(ott_done) struct ott t = { 0 };
	char id[SHA256_HEX];
	(void)state;
	token(&text, claims);
	assert_ok(ott_parse(buf_slice(&text), &t, &e));
	assert_int_equal(1, t.aud_n);
	assert_string_equal("https://ca.example:9000/1.0/sign", t.aud[0]);
	assert_string_equal("ops", t.iss);
	assert_string_equal("j", t.jti);
	assert_string_equal("f00", t.sha);
	assert_string_equal("a.example", t.sub);
	assert_string_equal("abc", t.cnf_x5rt);
	assert_string_equal("lineage", t.revoke_scope);
	assert_int_equal(2, t.sans_n);
	assert_string_equal("10.0.0.1", t.sans[1]);
	assert_true(t.has_exp && t.has_iat && t.has_nbf);
	assert_int_equal(1700000300, t.exp.s);
	assert_int_equal(1700000000, t.iat.s);
	assert_int_equal(1700000001, t.nbf.s);
	assert_ok(digest_sha256_hex(slice_of(text.p, text.n - 5), id, &e)); /* without ".AAAA" */
	assert_string_equal(id, t.id);
}

static void reads_what_is_absent(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"aud\":null,\"exp\":null,\"iat\":null,\"nbf\":null,\"iss\":null,\"jti\":null,\"sans\":null,\"sha\":"
		"null,"
		"\"sub\":null,\"cnf\":null}",
		"{\"step\":null}",
		"{\"step\":\"x\"}", /* the peer's business */
		"{\"step\":{\"revoke\":null}}",
		"{\"step\":{\"revoke\":{\"Scope\":\"lineage\"}}}",
		"{\"Aud\":\"x\",\"EXP\":1,\"Sub\":\"x\",\"cnf\":{}}", /* RFC 7515 §5.3: names are compared as they are
		                                                       */
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(2000);
		AUTO(ott_done) struct ott t = { 0 };
		token(&text, rows[i]);
		assert_ok(ott_parse(buf_slice(&text), &t, &e));
		assert_null(t.iss);
		assert_null(t.sub);
		assert_null(t.jti);
		assert_null(t.sha);
		assert_null(t.cnf_x5rt);
		assert_null(t.revoke_scope);
		assert_int_equal(0, t.aud_n + t.sans_n);
		assert_false(t.has_exp || t.has_iat || t.has_nbf);
	}
}

static void times(void **state)
{
	static const struct {
		const char *exp;
		bool ok;
		int64_t want;
	} rows[] = {
		{ "0", true, 0 },
		{ "-1", true, -1 },
		{ "1.9", true, 1 },
		{ "-1.5", true, -2 },
		{ "1.7e9", true, 1700000000 },
		{ "253402300799", true, WALL_MAX_S },
		{ "253402300800", false, 0 },
		{ "253402300799.5", false, 0 },
		{ "-62135596800", true, WALL_MIN_S },
		{ "-62135596801", false, 0 },
		{ "9223372036854775807", false, 0 },
		{ "1e300", false, 0 },
		{ "\"1700000000\"", false, 0 },
		{ "true", false, 0 },
		{ "[]", false, 0 },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(2000);
		AUTO(ott_done) struct ott t = { 0 };
		char claims[100];
		snprintf(claims, sizeof claims, "{\"exp\":%s}", rows[i].exp);
		token(&text, claims);
		enum status st = ott_parse(buf_slice(&text), &t, &e);
		if (st != (rows[i].ok ? ST_OK : ST_INVALID))
			fail_msg("%s: %s", claims, status_name(st));
		if (rows[i].ok)
			assert_int_equal(rows[i].want, t.exp.s);
		else
			assert_says("claim exp");
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *claims, *says;
	} rows[] = {
		{ "", "token: claims: not JSON" },
		{ "x", "token: claims: not JSON" },
		{ "[]", "claims are not an object" },
		{ "\"sub\"", "claims are not an object" },
		{ "{} ", "" },
		{ "{}{}", "token: claims: not JSON" },
		{ "{\"sub\":\"a\",\"sub\":\"b\"}", "duplicate" },
		{ "{\"sub\":1}", "claim sub is not text" },
		{ "{\"sub\":\"a\\u0000b\"}", "not JSON" },
		{ "{\"iss\":[]}", "claim iss is not text" },
		{ "{\"jti\":1}", "claim jti is not text" },
		{ "{\"sha\":{}}", "claim sha is not text" },
		{ "{\"aud\":1}", "claim aud is not a list" },
		{ "{\"aud\":[\"a\",1]}", "claim aud has an entry" },
		{ "{\"aud\":[\"a\",null]}", "claim aud has an entry" },
		{ "{\"sans\":\"a\"}", "claim sans is not a list" },
		{ "{\"sans\":[[]]}", "claim sans has an entry" },
		{ "{\"step\":{\"revoke\":1}}", "claim step.revoke is not an object" },
		{ "{\"step\":{\"revoke\":{\"scope\":1}}}", "step.revoke.scope is not text" },
		{ "{\"cnf\":\"a\"}", "claim cnf is not an object" },
		{ "{\"cnf\":{\"x5rt#S256\":1}}", "cnf.x5rt#S256 is not text" },
		{ "{\"nbf\":\"1\"}", "claim nbf" },
		{ "{\"iat\":{}}", "claim iat" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(2000);
		AUTO(ott_done) struct ott t = { 0 };
		token(&text, rows[i].claims);
		enum status st = ott_parse(buf_slice(&text), &t, &e);
		if (st != (rows[i].says[0] ? ST_INVALID : ST_OK))
			fail_msg("%s: %s", rows[i].claims, status_name(st));
		if (st) {
			assert_says(rows[i].says);
			assert_null(t.claims);
		}
	}
	struct ott t = { 0 };
	assert_st(ST_INVALID, ott_parse(SLICE_LIT("no token"), &t, &e));
	assert_says("token: not a JWS");
}

static void too_many_names(void **state)
{
	static const struct {
		const char *claim;
		int max;
	} rows[] = { { "aud", OTT_AUD_MAX }, { "sans", OTT_SAN_MAX } };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int more = 0; more < 2; more++) {
			AUTO(buf_done) struct buf claims = BUF_INIT(20000);
			AUTO(buf_done) struct buf text = BUF_INIT(40000);
			AUTO(ott_done) struct ott t = { 0 };
			buf_addf(&claims, "{\"%s\":[\"x\"", rows[i].claim);
			for (int k = 1; k < rows[i].max + more; k++)
				buf_adds(&claims, ",\"x\"");
			buf_adds(&claims, "]}");
			token(&text, buf_cstr(&claims));
			if (more) {
				assert_st(ST_LIMIT, ott_parse(buf_slice(&text), &t, &e));
				assert_says("more than");
			} else {
				assert_ok(ott_parse(buf_slice(&text), &t, &e));
			}
		}
	}
}

static void part_is(const struct buf *text, int part, const char *want)
{
	struct error e = ERROR_INIT;
	struct slice s = buf_slice(text);
	for (; part; part--) {
		size_t dot = slice_find(s, '.');
		s = slice_of(s.p + dot + 1, s.n - dot - 1);
	}
	AUTO(buf_done) struct buf raw = BUF_INIT(4096);
	assert_ok(b64_decode(&raw, slice_of(s.p, slice_find(s, '.')), B64_URL_RAW, &e));
	assert_string_equal(want, buf_cstr(&raw));
}

static void writes(void **state)
{
	static const char *const sans[] = { "a.example", "10.0.0.1" };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(4096);
	AUTO(json_decref_p) json_t *kid = json_pack("{s:s}", "kid", "k");
	AUTO(json_decref_p) json_t *chain = json_pack("{s:[s],s:s}", "x5cInsecure", "MII", "kid", "k");
	struct ott_draft d = { .aud = "https://ca/1.0/sign",
		               .iss = "ops",
		               .sub = "a&b",
		               .jti = "j",
		               .sha = "f00",
		               .sans = sans,
		               .sans_n = 2,
		               .iat = { 10 },
		               .nbf = { 11 },
		               .exp = { 310 },
		               .cnf_x5rt = "c",
		               .with_user = true };
	(void)state;
	assert_ok(ott_format(&d, kid, key.key, &out, &e));
	part_is(&out, 0, "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\"}");
	part_is(&out, 1,
	        "{\"aud\":\"https://ca/1.0/sign\",\"cnf\":{\"x5rt#S256\":\"c\"},\"exp\":310,\"iat\":10,\"iss\":\"ops\","
	        "\"jti\":\"j\",\"nbf\":11,\"sans\":[\"a.example\",\"10.0.0.1\"],\"sha\":\"f00\",\"sub\":\"a\\u0026b\","
	        "\"user\":{}}");
	AUTO(ott_done) struct ott t = { 0 };
	assert_ok(ott_parse(buf_slice(&out), &t, &e));
	assert_ok(jws_verify(&t.jws, key.key, &e));
	assert_string_equal("a&b", t.sub);

	/* one that revokes a line */
	struct ott_draft line = { .aud = "u", .iss = "ops", .sub = "1", .revoke_scope = "lineage" };
	AUTO(ott_done) struct ott again = { 0 };
	buf_reset(&out);
	assert_ok(ott_format(&line, kid, key.key, &out, &e));
	part_is(&out, 1,
	        "{\"aud\":\"u\",\"exp\":0,\"iat\":0,\"iss\":\"ops\",\"nbf\":0,"
	        "\"step\":{\"revoke\":{\"scope\":\"lineage\"}},\"sub\":\"1\"}");
	assert_ok(ott_parse(buf_slice(&out), &again, &e));
	assert_string_equal("lineage", again.revoke_scope);
	buf_reset(&out);

	/* a renew token: no jti, sha, sans */
	struct ott_draft renew = { .aud = "https://ca/1.0/renew",
		                   .iss = "step-ca-client/1.0",
		                   .sub = "cn",
		                   .iat = { 10 },
		                   .nbf = { 10 },
		                   .exp = { 310 } };
	buf_reset(&out);
	assert_ok(ott_format(&renew, chain, key.key, &out, &e));
	part_is(&out, 0, "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\",\"x5cInsecure\":[\"MII\"]}");
	part_is(&out, 1,
	        "{\"aud\":\"https://ca/1.0/renew\",\"exp\":310,\"iat\":10,\"iss\":\"step-ca-client/1.0\","
	        "\"nbf\":10,\"sub\":\"cn\"}");
	/* no names are not the same as an empty list of them */
	renew.sans = sans;
	buf_reset(&out);
	assert_ok(ott_format(&renew, chain, key.key, &out, &e));
	part_is(&out, 1,
	        "{\"aud\":\"https://ca/1.0/renew\",\"exp\":310,\"iat\":10,\"iss\":\"step-ca-client/1.0\","
	        "\"nbf\":10,\"sans\":[],\"sub\":\"cn\"}");
}

static void cannot_write(void **state)
{
	static const char *const sans[] = { "ok", "\xff" };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(4096);
	AUTO(json_decref_p) json_t *header = json_object();
	const struct ott_draft rows[] = { { .sub = "\xff" }, { .iss = "\xc3" }, { .sans = sans, .sans_n = 2 } };
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_st(ST_INVALID, ott_format(&rows[i], header, key.key, &out, &e));
		assert_says("not UTF-8");
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	assert_st(ST_INVALID, ott_format(&(struct ott_draft){ .sub = "x" }, header, x25519, &out, &e));
	assert_int_equal(0, out.n);
}

static void out_of_memory(void **state)
{
	static const char *const sans[] = { "a.example", "10.0.0.1" };
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *header = json_pack("{s:s}", "kid", "k");
	const struct ott_draft d = { .aud = "a",
		                     .iss = "i",
		                     .sub = "s",
		                     .jti = "j",
		                     .sans = sans,
		                     .sans_n = 2,
		                     .cnf_x5rt = "c",
		                     .revoke_scope = "lineage",
		                     .with_user = true };
	(void)state;
	for (unsigned n = 1;; n++) {
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		AUTO(ott_done) struct ott t = { 0 };
		fail_arm(FAIL_ALLOC, n, 0);
		enum status st = ott_format(&d, header, key.key, &out, &e);
		if (!st)
			st = ott_parse(buf_slice(&out), &t, &e);
		if (!fail_disarm()) {
			assert_int_equal(ST_OK, st);
			assert_true(n > 60);
			break;
		}
		assert_int_equal(ST_NOMEM, st);
		assert_null(t.claims);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_claims), cmocka_unit_test(reads_what_is_absent), cmocka_unit_test(times),
		cmocka_unit_test(refuses),          cmocka_unit_test(too_many_names),       cmocka_unit_test(writes),
		cmocka_unit_test(cannot_write),     cmocka_unit_test(out_of_memory),
	};
	ossl_start();
	return cmocka_run_group_tests_name("ott", tests, load_key, free_key);
}
