#include "common.h"
#include "base/b64.h"
#include "client/bootstrap.h"
#include "client/token.h"
#include "config/cainit.h"
#include "jose/jwe.h"
#include "jose/ott.h"
#include "testca.h"
#include "tmpdir.h"

#include <unistd.h>

#define NOW TESTCA_NOW /* 2030-03-17T17:46:40Z */

/* ---- time ---- */

static const struct span_row {
	const char *nbf, *exp;
	int64_t nbf_s, exp_s; /* from now */
	const char *text;     /* refused */
} spans[] = {
	{ NULL, NULL, 0, 300, NULL },
	{ "10m", NULL, 600, 900, NULL },
	{ NULL, "10s", 0, 10, NULL },
	{ NULL, "1h", 0, 3600, NULL },
	{ "30m", "90m", 1800, 5400, NULL },
	{ "-10m", "50m", -600, 3000, NULL },
	{ "2030-03-17T17:50:00Z", "2030-03-17T18:00:00Z", 200, 800, NULL },
	{ NULL, "9s", 0, 0, "requested token validity is too short: 9s, at least 10s" },
	{ NULL, "1h0m1s", 0, 0, "requested token validity is too long: 1h0m1s, at most 1h0m0s" },
	{ "-1m", "1h", 0, 0, "requested token validity is too long: 1h1m0s, at most 1h0m0s" },
	{ "30m1s", NULL, 0, 0, "requested validity delay is too long: 30m1s, at most 30m0s" },
	{ NULL, "0", 0, 0,
	  "nbf < exp: the token would end (2030-03-17T17:46:40Z) before it begins (2030-03-17T17:46:40Z)" },
	{ "10m", "5m", 0, 0,
	  "nbf < exp: the token would end (2030-03-17T17:51:40Z) before it begins (2030-03-17T17:56:40Z)" },
	{ "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 0, 0,
	  "requested token validity is too long: centuries, at most 1h0m0s" },
	{ "9999-12-31T23:59:00Z", "9999-12-31T23:59:59Z", 0, 0, "requested validity delay is too long: *" },
	{ NULL, "1d", 0, 0, "invalid value '1d' for flag '--not-after'" },
	{ "", NULL, 0, 0, "invalid value '' for flag '--not-before'" },
	{ "tomorrow", NULL, 0, 0, "invalid value 'tomorrow' for flag '--not-before'" },
	{ NULL, "300", 0, 0, "invalid value '300' for flag '--not-after'" },
};

static void a_tokens_life_is_bounded(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(spans); i++) {
		struct error e = ERROR_INIT;
		struct token_span s = { { -1 }, { -1 } };
		enum status st = token_span_make(spans[i].nbf, spans[i].exp, NOW, &s, &e);
		if (spans[i].text) {
			assert_int_equal(st, ST_USAGE);
			assert_text(e.text, spans[i].text);
			assert_int_equal(s.nbf.s, -1);
			continue;
		}
		assert_ok(st);
		assert_int_equal(s.nbf.s, NOW.s + spans[i].nbf_s);
		assert_int_equal(s.exp.s, NOW.s + spans[i].exp_s);
	}
}

/* ---- which provisioner ---- */

#define JWK(name, kid) "{\"type\":\"JWK\",\"name\":\"" name "\",\"key\":{\"kid\":\"" kid "\"}}"
#define X5C(name) "{\"type\":\"X5C\",\"name\":\"" name "\",\"roots\":\"LS0t\"}"
#define ACME "{\"type\":\"ACME\",\"name\":\"acme\"}"
#define OIDC "{\"type\":\"OIDC\",\"name\":\"Google\",\"clientID\":\"abc\"}"
#define OFF                                                                                                            \
	"{\"type\":\"JWK\",\"name\":\"off\",\"key\":{\"kid\":\"k9\"},\"state\":\"Uninitialized\",\"stateReason\":"     \
	"\"options\\u001b: "                                                                                           \
	"templates\"}"

static const struct choice_row {
	const char *list, *name, *kid;
	int answer; /* what the person says; -1: is not asked */
	enum status st;
	const char *want; /* label or error */
	bool x5c;
} choices[] = {
	{ "[" JWK("admin", "k1") "]", NULL, NULL, -1, ST_OK, "admin (JWK) [kid: k1]" },
	{ "[" JWK("admin", "k1") "," ACME "]", NULL, NULL, -1, ST_OK, "admin (JWK) [kid: k1]" },
	{ "[" JWK("admin", "k1") "," JWK("ops", "k2") "]", "ops", NULL, -1, ST_OK, "ops (JWK) [kid: k2]" },
	{ "[" JWK("admin", "k1") "," JWK("ops", "k2") "]", NULL, "k1", -1, ST_OK, "admin (JWK) [kid: k1]" },
	{ "[" JWK("admin", "k1") "," JWK("admin", "k2") "]", "admin", "k2", -1, ST_OK, "admin (JWK) [kid: k2]" },
	{ "[" JWK("admin", "k1") "," JWK("ops", "k2") "]", NULL, NULL, 1, ST_OK, "ops (JWK) [kid: k2]" },
	{ "[" JWK("admin", "k1") "," JWK("admin", "k2") "]", "admin", NULL, 0, ST_OK, "admin (JWK) [kid: k1]" },
	{ "[" OFF "," JWK("ops", "k2") "]", NULL, NULL, -1, ST_OK, "ops (JWK) [kid: k2]" },
	{ "[]", NULL, NULL, -1, ST_MISSING,
	  "cannot create a new token: the CA does not have any provisioner configured" },
	{ "[]", "x", NULL, -1, ST_MISSING,
	  "cannot create a new token: the CA does not have any provisioner configured" },
	{ "[" JWK("admin", "k1") "]", "Admin", NULL, -1, ST_USAGE, "invalid value 'Admin' for flag '--provisioner'" },
	{ "[" JWK("admin", "k1") "]", NULL, "K1", -1, ST_USAGE, "invalid value 'K1' for flag '--kid'" },
	{ "[" JWK("admin", "k1") "," JWK("ops", "k2") "]", "ops", "k1", -1, ST_USAGE,
	  "invalid value 'ops' for flag '--provisioner'" },
	{ "[" ACME "]", NULL, NULL, -1, ST_INVALID,
	  "cannot create a new token: only JWK provisioners make tokens here, and there is none but acme (ACME)" },
	{ "[" OIDC "," ACME "]", NULL, NULL, -1, ST_INVALID,
	  "cannot create a new token: only JWK provisioners make tokens here, and there is none but Google (OIDC) "
	  "[client: "
	  "abc] and others" },
	{ "[" JWK("admin", "k1") "," OIDC "]", "Google", NULL, -1, ST_INVALID,
	  "cannot create a new token: only JWK provisioners make tokens here, and there is none but Google (OIDC) "
	  "[client: "
	  "abc]" },
	{ "[" OFF "," ACME "]", NULL, NULL, -1, ST_INVALID,
	  "the CA has disabled the provisioner off (JWK) [kid: k9]: options\\x1b: templates" },
	{ "[" OFF "," JWK("ops", "k2") "]", "off", NULL, -1, ST_INVALID,
	  "the CA has disabled the provisioner off (JWK) [kid: k9]: options\\x1b: templates" },
	{ "[{}]", NULL, NULL, -1, ST_INVALID,
	  "cannot create a new token: only JWK provisioners make tokens here, and there is none but  ()" },
	{ "[" JWK("admin", "k1") "," JWK("ops", "k2") "]", NULL, NULL, 7, ST_BUG, "no provisioner 7" },
	{ "[" JWK("admin", "k1") "," X5C("x") "]", NULL, NULL, -1, ST_OK, "admin (JWK) [kid: k1]" },
	{ "[" JWK("admin", "k1") "," X5C("x") "]", NULL, NULL, -1, ST_OK, "x (X5C)", .x5c = true },
	{ "[" X5C("y") "," X5C("x") "]", "x", NULL, -1, ST_OK, "x (X5C)", .x5c = true },
	{ "[" JWK("admin", "k1") "]", NULL, NULL, -1, ST_INVALID,
	  "cannot create a new token: only X5C provisioners make tokens of a certificate's key, and there is none but "
	  "admin (JWK) [kid: k1]",
	  .x5c = true },
};

static enum status person(void *ctx, const char *const *labels, size_t n, size_t *ret, struct error *e)
{
	int *answer = ctx;
	if (*answer < 0)
		return error_set(e, ST_BUG, "was asked");
	assert_int_equal(n, 2);
	assert_non_null(strstr(labels[0], "admin (JWK) [kid: k1]"));
	*ret = (size_t)*answer;
	return ST_OK;
}

static void one_left_is_taken_and_more_are_asked_about(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(choices); i++) {
		struct error e = ERROR_INIT;
		int answer = choices[i].answer;
		const json_t *got = NULL;
		struct provisioner_filter f = { .name = choices[i].name, .kid = choices[i].kid, .x5c = choices[i].x5c };
		AUTO(json_decref_p) json_t *list = json_loads(choices[i].list, 0, NULL);
		AUTO(buf_done) struct buf label = BUF_INIT(1000);
		assert_non_null(list);
		enum status st = provisioner_choose(list, &f, person, &answer, &got, &e);
		assert_int_equal(st, choices[i].st);
		if (st) {
			assert_string_equal(e.text, choices[i].want);
			assert_null(got);
			continue;
		}
		provisioner_label(got, &label);
		assert_string_equal(buf_cstr(&label), choices[i].want);
	}
}

static void nobody_to_ask_is_an_error(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	const json_t *got = NULL;
	struct provisioner_filter f = { 0 };
	AUTO(json_decref_p) json_t *list = json_loads("[" JWK("admin", "k1") "," JWK("ops", "k2") "]", 0, NULL);
	assert_int_equal(provisioner_choose(list, &f, NULL, NULL, &got, &e), ST_MISSING);
	assert_string_equal(e.text, "the CA has 2 provisioners; choose one with --provisioner or --kid");
}

static void labels_fit_a_terminal(void **state)
{
	(void)state;
	static const struct {
		const char *json, *want;
	} rows[] = {
		{ "{\"type\":\"Azure\",\"name\":\"az\",\"tenantID\":\"t\"}", "az (Azure) [tenant: t]" },
		{ "{\"type\":\"x5c\",\"name\":\"x\"}", "x (x5c)" },
		{ "{\"type\":\"JWK\",\"name\":\"a\\u001b[1m\",\"key\":{\"kid\":\"k\\n\"}}",
		  "a\\x1b[1m (JWK) [kid: k\\x0a]" },
		{ "{\"type\":\"JWK\",\"name\":7}", " (JWK) [kid: ]" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf label = BUF_INIT(1000);
		AUTO(json_decref_p) json_t *p = json_loads(rows[i].json, 0, NULL);
		provisioner_label(p, &label);
		assert_string_equal(buf_cstr(&label), rows[i].want);
	}
}

/* ---- its key ---- */

struct passwords {
	const char *v[4]; /* NULL: ST_MISSING */
	int asked;
};

static enum status next_password(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	struct passwords *p = ctx;
	assert_int_equal(attempt, p->asked++);
	assert_true(attempt < TOKEN_TRIES);
	if (!p->v[attempt])
		return error_set(e, ST_MISSING, "no password");
	buf_adds(ret, p->v[attempt]);
	return buf_check(ret, e);
}

static const struct password_row {
	struct passwords p;
	enum status st;
	int asked;
	const char *text;
} tries[] = {
	{ { { "pass" }, 0 }, ST_OK, 1, NULL },
	{ { { "a", "b", "pass" }, 0 }, ST_OK, 3, NULL },
	{ { { "a", "b", "c", "pass" }, 0 }, ST_DENIED, 3, "failed to decrypt JWE: invalid password" },
	{ { { "a" }, 0 }, ST_DENIED, 2, "failed to decrypt JWE: invalid password" },
	{ { { "" }, 0 }, ST_DENIED, 2, "failed to decrypt JWE: invalid password" },
	{ { { NULL }, 0 }, ST_MISSING, 1, "no password" },
};

static json_t *sealed_provisioner(EVP_PKEY *key)
{
	struct error e = ERROR_INIT;
	json_t *p = NULL;
	assert_ok(provisioner_new_json("admin", key, SLICE_LIT("pass"), JWE_P2C_MIN, &p, &e));
	return p;
}

static void a_key_opens_with_its_password(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(json_decref_p) json_t *p = sealed_provisioner(key);
	struct slice jwe = jsonio_text(json_object_get(p, "encryptedKey"));
	for (size_t i = 0; i < COUNT_OF(tries); i++) {
		struct error e = ERROR_INIT;
		struct passwords words = tries[i].p;
		struct password_source source = { next_password, &words };
		AUTO(jwk_done) struct jwk got = { 0 };
		assert_int_equal(provisioner_open_key(p, jwe, &source, &got, &e), tries[i].st);
		assert_int_equal(words.asked, tries[i].asked);
		if (tries[i].st)
			assert_string_equal(e.text, tries[i].text);
		else
			assert_true(got.is_private && key_equal(got.key, key));
	}
	struct error e = ERROR_INIT;
	struct jwk got = { 0 };
	assert_int_equal(provisioner_open_key(p, jwe, NULL, &got, &e), ST_MISSING);
	assert_text(e.text, "the provisioner's key is encrypted; name a file*");
	struct passwords words = { { "pass" }, 0 };
	struct password_source source = { next_password, &words };
	assert_int_equal(provisioner_open_key(p, SLICE_LIT("not.a.jwe"), &source, &got, &e), ST_INVALID);
	assert_text(e.text, "failed to decrypt JWE: *");
}

/* A CA that hands out another key than it shows is told, not obeyed. */
static void a_key_of_somebody_else_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *other = testca_key(KEY_EC, "P-256", 0);
	AUTO(json_decref_p) json_t *p = sealed_provisioner(key);
	AUTO(json_decref_p) json_t *q = sealed_provisioner(other);
	struct passwords words = { { "pass" }, 0 };
	struct password_source source = { next_password, &words };
	struct jwk got = { 0 };
	assert_int_equal(provisioner_open_key(p, jsonio_text(json_object_get(q, "encryptedKey")), &source, &got, &e),
	                 ST_PEER);
	assert_string_equal(e.text, "the provisioner's encrypted key is not the private half of its key");

	AUTO(buf_done) struct buf text = BUF_INIT(1 << 16), sealed = BUF_INIT(1 << 16);
	assert_ok(jsonio_format(json_object_get(p, "key"), &text, &e));
	assert_ok(jwe_seal(buf_slice(&text), SLICE_LIT("pass"), JWE_P2C_MIN, &sealed, &e));
	words.asked = 0;
	assert_int_equal(provisioner_open_key(p, buf_slice(&sealed), &source, &got, &e), ST_PEER);
	assert_string_equal(e.text, "the provisioner's encrypted key holds no private key");
}

/* ---- tokens ---- */

static json_t *claims_of(const struct buf *token, EVP_PKEY *key, json_t **ret_header)
{
	struct error e = ERROR_INIT;
	AUTO(ott_done) struct ott t = { 0 };
	assert_ok(ott_parse(buf_slice(token), &t, &e));
	assert_ok(jws_verify(&t.jws, key, &e));
	if (ret_header)
		*ret_header = json_incref(t.jws.header);
	return json_incref(t.claims);
}

static void assert_claims(const json_t *claims, const char *want)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	assert_ok(jsonio_format(claims, &got, &e));
	assert_string_equal(buf_cstr(&got), want);
}

/* 64 lower-case hexadecimal digits; replaced by a word, so that the rest can be compared. */
static void take_jti(json_t *claims)
{
	const char *jti = json_string_value(json_object_get(claims, "jti"));
	assert_non_null(jti);
	assert_int_equal(strlen(jti), 64);
	assert_int_equal(strspn(jti, "0123456789abcdef"), 64);
	json_object_set_new(claims, "jti", json_string("JTI"));
}

static const char *const two_names[] = { "a.example", "10.0.0.1" };

static const struct token_row {
	struct token_draft d;
	const char *claims;
} tokens[] = {
	{ { .kind = TOKEN_SIGN,
	    .audience = "https://ca/1.0/sign",
	    .provisioner = "ops",
	    .kid = "k",
	    .subject = "x.example" },
	  "{\"aud\":\"https://ca/1.0/sign\",\"exp\":1900000300,\"iat\":1900000000,\"iss\":\"ops\",\"jti\":\"JTI\","
	  "\"nbf\":1900000000,\"sans\":[\"x.example\"],\"sub\":\"x.example\",\"user\":{}}" },
	{ { .kind = TOKEN_SIGN,
	    .audience = "https://ca/1.0/sign",
	    .provisioner = "ops",
	    .kid = "k",
	    .subject = "x.example",
	    .sans = two_names,
	    .sans_n = 2,
	    .sha = "ab",
	    .cnf = "CNF" },
	  "{\"aud\":\"https://ca/1.0/sign\",\"cnf\":{\"x5rt#S256\":\"CNF\"},\"exp\":1900000300,\"iat\":1900000000,"
	  "\"iss\":\"ops\",\"jti\":\"JTI\",\"nbf\":1900000000,\"sans\":[\"a.example\",\"10.0.0.1\"],\"sha\":\"ab\","
	  "\"sub\":\"x.example\",\"user\":{}}" },
	{ { .kind = TOKEN_SIGN,
	    .audience = "https://ca/sign",
	    .provisioner = "ops",
	    .kid = "k",
	    .subject = "x.example",
	    .offline = true },
	  "{\"aud\":\"https://ca/sign\",\"exp\":1900000300,\"iat\":1900000000,\"iss\":\"ops\",\"jti\":\"JTI\","
	  "\"nbf\":1900000000,\"sans\":[\"x.example\"],\"sub\":\"x.example\"}" },
	{ { .kind = TOKEN_REVOKE,
	    .audience = "https://ca/1.0/revoke",
	    .provisioner = "ops",
	    .kid = "k",
	    .subject = "123",
	    .sans = two_names,
	    .sans_n = 2,
	    .sha = "ab",
	    .cnf = "CNF" },
	  "{\"aud\":\"https://ca/1.0/revoke\",\"exp\":1900000300,\"iat\":1900000000,\"iss\":\"ops\",\"jti\":\"JTI\","
	  "\"nbf\":1900000000,\"sha\":\"ab\",\"sub\":\"123\"}" },
	{ { .kind = TOKEN_REVOKE_LINE,
	    .audience = "https://ca/1.0/revoke-line",
	    .provisioner = "ops",
	    .kid = "k",
	    .subject = "123",
	    .scope = "descendants" },
	  "{\"aud\":\"https://ca/1.0/revoke-line\",\"exp\":1900000300,\"iat\":1900000000,\"iss\":\"ops\","
	  "\"jti\":\"JTI\",\"nbf\":1900000000,\"step\":{\"revoke\":{\"scope\":\"descendants\"}},\"sub\":\"123\"}" },
	/* the scope is of no other token */
	{ { .kind = TOKEN_REVOKE,
	    .audience = "u",
	    .provisioner = "ops",
	    .kid = "k",
	    .subject = "123",
	    .scope = "lineage" },
	  "{\"aud\":\"u\",\"exp\":1900000300,\"iat\":1900000000,\"iss\":\"ops\",\"jti\":\"JTI\","
	  "\"nbf\":1900000000,\"sub\":\"123\"}" },
};

static void tokens_say_what_the_peers_say(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	for (size_t i = 0; i < COUNT_OF(tokens); i++) {
		struct error e = ERROR_INIT;
		struct token_draft d = tokens[i].d;
		AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
		AUTO(json_decref_p) json_t *header = NULL;
		d.now = NOW;
		d.span = (struct token_span){ NOW, { NOW.s + 300 } };
		assert_ok(token_sign(&d, key, &token, &e));
		AUTO(json_decref_p) json_t *claims = claims_of(&token, key, &header);
		take_jti(claims);
		assert_claims(claims, tokens[i].claims);
		assert_claims(header, "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\"}");
	}
}

static void a_token_of_ours_opens_our_authority(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *ca = testca_new(NULL);
	AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
	const struct token_draft d = { .kind = TOKEN_SIGN,
		                       .audience = TESTCA_AUD,
		                       .provisioner = "ops",
		                       .kid = ca->kid,
		                       .subject = "x.example",
		                       .now = NOW,
		                       .span = { NOW, { NOW.s + 300 } } };
	AUTO(authorization_done) struct authorization auth = { 0 };
	assert_ok(token_sign(&d, ca->prov_key, &token, &e));
	assert_ok(authorize_token(ca->a, OP_SIGN, buf_slice(&token), NOW, TESTCA_STORE_CREATED, &auth, &v, &e));
	assert_int_equal(v.refusal, REFUSAL_NONE);
	assert_string_equal(auth.ott.sub, "x.example");
}

/* An X5C token: named by the audience, the certificates go along, and the authority takes it. */
static void a_certificates_token_opens_our_authority(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *other = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued leaf = { 0 };
	AUTO(authorization_done) struct authorization auth = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
	testca_issue(t, key, "alice", NOW, &leaf);
	struct chain certs = { (struct cert *[]){ leaf.cert, t->issuer }, 2 };
	struct ca c = { .url = (char[]){ "https://ca.example:9000" } };
	struct token_ask ask = { .kind = TOKEN_SIGN,
		                 .subject = "srv.example",
		                 .filter = { .name = "x5c" }, /* so that nobody is asked */
		                 .key = key,
		                 .x5c = &certs,
		                 .now = NOW };
	assert_ok(token_get(&c, NULL, &ask, &token, &e));
	assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), NOW, TESTCA_STORE_CREATED, &auth, &v, &e));
	assert_int_equal(v.refusal, REFUSAL_NONE);
	assert_string_equal(auth.ott.aud[0], "https://ca.example:9000/1.0/sign#x5c/x5c");
	assert_int_equal(auth.credential.n, 2);

	buf_reset(&token);
	ask.key = other;
	assert_int_equal(token_get(&c, NULL, &ask, &token, &e), ST_INVALID);
	assert_string_equal(e.text, "the key is not the certificate's");
	assert_int_equal(token.n, 0);
}

static void two_tokens_are_never_one(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_OKP, "Ed25519", 0); /* whose signatures repeat */
	AUTO(buf_done) struct buf a = BUF_INIT(TOKEN_MAX), b = BUF_INIT(TOKEN_MAX);
	const struct token_draft d = {
		.kind = TOKEN_SIGN, .audience = "a", .provisioner = "p", .kid = "k", .subject = "s"
	};
	assert_ok(token_sign(&d, key, &a, &e));
	assert_ok(token_sign(&d, key, &b, &e));
	assert_false(slice_eq(buf_slice(&a), buf_slice(&b)));
}

static void what_is_not_utf8_makes_no_token(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	const struct token_draft good = {
		.kind = TOKEN_SIGN, .audience = "a", .provisioner = "p", .kid = "k", .subject = "s"
	};
	struct token_draft bad[] = { good, good, good };
	bad[0].kid = "\xff";
	bad[1].subject = "\xff";
	bad[2].provisioner = "\xff";
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
		assert_true(token_sign(&bad[i], key, &token, &e) != ST_OK);
		assert_int_equal(token.n, 0);
	}
}

/* ---- renew tokens ---- */

static void a_renew_token_carries_its_chain(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char kid[JWK_THUMBPRINT];
	AUTO(testca_free_p) struct testca *ca = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-384", 0);
	AUTO(issued_done) struct issued leaf = { 0 };
	AUTO(chain_done) struct chain chain = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX), der = BUF_INIT(CERT_MAX);
	AUTO(json_decref_p) json_t *header = NULL;
	testca_issue(ca, key, "x.example", NOW, &leaf);
	assert_ok(chain_add(&chain, leaf.cert, &e));
	assert_ok(chain_add(&chain, ca->issuer, &e));
	assert_ok(token_renew(&chain, key, "https://ca:9000/renew", NOW, &token, &e));
	AUTO(json_decref_p) json_t *claims = claims_of(&token, key, &header);
	take_jti(claims);
	assert_claims(claims,
	              "{\"aud\":\"https://ca:9000/renew\",\"exp\":1900000300,\"iat\":1900000000,"
	              "\"iss\":\"step-ca-client/1.0\",\"jti\":\"JTI\",\"nbf\":1900000000,\"sub\":\"x.example\"}");
	assert_ok(jwk_thumbprint(key, kid, &e));
	assert_string_equal(json_string_value(json_object_get(header, "kid")), kid);
	assert_string_equal(json_string_value(json_object_get(header, "alg")), "ES384");
	const json_t *x5c = json_object_get(header, "x5cInsecure");
	assert_int_equal(json_array_size(x5c), 2);
	for (size_t i = 0; i < 2; i++) {
		buf_reset(&der);
		assert_ok(b64_decode(&der, jsonio_text(json_array_get(x5c, i)), B64_STD, &e));
		assert_true(slice_eq(buf_slice(&der), cert_facts(chain.v[i])->der));
	}
	assert_null(json_object_get(header, "x5c"));
}

static void a_renew_token_needs_the_certificates_key(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *ca = testca_new(NULL);
	AUTO(issued_done) struct issued leaf = { 0 };
	AUTO(chain_done) struct chain chain = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
	assert_int_equal(token_renew(&chain, ca->prov_key, "a", NOW, &token, &e), ST_INVALID);
	assert_string_equal(e.text, "there is no certificate to renew");
	testca_issue(ca, ca->prov_key, "x.example", NOW, &leaf);
	assert_ok(chain_add(&chain, leaf.cert, &e));
	assert_int_equal(token_renew(&chain, ca->issuer_key, "a", NOW, &token, &e), ST_INVALID);
	assert_string_equal(e.text, "the key is not the certificate's");
	assert_int_equal(token.n, 0);
}

/* ---- offline ---- */

static const struct offline_row {
	const char *text, *host, *root; /* host NULL: refused, root is the error */
} offlines[] = {
	{ "{\"authority\":{\"provisioners\":[]},\"dnsNames\":[\"ca.example\",\"b\"],\"root\":\"/"
	  "r\",\"db\":{\"type\":\"badgerv2\"}}",
	  "ca.example", "/r" },
	{ "{\"Authority\":{\"Provisioners\":[]},\"root\":[\"/a\",\"/b\"]}", "localhost", "/a" },
	{ "{\"authority\":{\"provisioners\":[]},\"dnsNames\":[\"::1\"]}", "[::1]", NULL },
	{ "{\"authority\":{\"provisioners\":[]},\"dnsNames\":[\"[::1]\"]}", "[::1]", NULL },
	{ "{\"authority\":{\"provisioners\":[]},\"dnsNames\":[7],\"root\":{}}", "localhost", NULL },
	{ "", NULL, "*" },
	{ "[]", NULL, "not a JSON object" },
	{ "{}", NULL, "authority.provisioners: missing" },
	{ "{\"authority\":[]}", NULL, "authority.provisioners: missing" },
	{ "{\"authority\":{\"provisioners\":{}}}", NULL, "authority.provisioners: missing" },
};

static void any_ca_json_serves_offline(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(offlines); i++) {
		struct error e = ERROR_INIT;
		AUTO(offline_done) struct offline o = { 0 };
		enum status st = offline_parse(slice_cstr(offlines[i].text), &o, &e);
		if (!offlines[i].host) {
			assert_int_equal(st, ST_INVALID);
			assert_text(e.text, offlines[i].root);
			assert_null(o.json);
			continue;
		}
		assert_ok(st);
		assert_string_equal(buf_cstr(&o.host), offlines[i].host);
		if (offlines[i].root)
			assert_string_equal(o.root, offlines[i].root);
		else
			assert_null(o.root);
	}
}

static void offline_files_are_named(void **state)
{
	(void)state;
	char dir[TMPDIR_PATH], path[TMPDIR_PATH + 8], want[256];
	struct error e = ERROR_INIT;
	struct offline o = { 0 };
	tmpdir_make(dir);
	snprintf(path, sizeof path, "%s/ca.json", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("{}", f);
	fclose(f);
	assert_int_equal(offline_load(path, &o, &e), ST_INVALID);
	snprintf(want, sizeof want, "%s: authority.provisioners: missing", path);
	assert_string_equal(e.text, want);
	unlink(path);
	rmdir(dir);
	assert_int_equal(offline_load(path, &o, &e), ST_MISSING);
}

/* ---- all of it, offline ---- */

struct told {
	char label[256];
	int n;
};

static void tell(void *ctx, const char *label)
{
	struct told *t = ctx;
	snprintf(t->label, sizeof t->label, "%s", label);
	t->n++;
}

static void offline_of(EVP_PKEY *key, bool with_jwe, struct offline *ret)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 16);
	json_t *p = sealed_provisioner(key);
	if (!with_jwe)
		json_object_del(p, "encryptedKey");
	AUTO(json_decref_p)
	json_t *file = json_pack("{s:[s], s:{s:[o]}}", "dnsNames", "ca.example", "authority", "provisioners", p);
	assert_ok(jsonio_format(file, &text, &e));
	assert_ok(offline_parse(buf_slice(&text), ret, &e));
}

static void a_token_is_made_from_the_file(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char kid[JWK_THUMBPRINT], label[128];
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(offline_done) struct offline o = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
	AUTO(json_decref_p) json_t *header = NULL;
	struct passwords words = { { "wrong", "pass" }, 0 };
	struct password_source source = { next_password, &words };
	struct told told = { "", 0 };
	offline_of(key, true, &o);
	const struct token_ask ask = { .kind = TOKEN_SIGN,
		                       .subject = "x.example",
		                       .password = &source,
		                       .chosen = tell,
		                       .ctx = &told,
		                       .now = NOW,
		                       .sha = "ab" };
	assert_ok(token_get(NULL, &o, &ask, &token, &e));
	AUTO(json_decref_p) json_t *claims = claims_of(&token, key, &header);
	take_jti(claims);
	assert_claims(
		claims,
		"{\"aud\":\"https://ca.example/sign\",\"exp\":1900000300,\"iat\":1900000000,\"iss\":\"admin\","
		"\"jti\":\"JTI\",\"nbf\":1900000000,\"sans\":[\"x.example\"],\"sha\":\"ab\",\"sub\":\"x.example\"}");
	assert_ok(jwk_thumbprint(key, kid, &e));
	assert_string_equal(json_string_value(json_object_get(header, "kid")), kid);
	snprintf(label, sizeof label, "admin (JWK) [kid: %s]", kid);
	assert_string_equal(told.label, label);
	assert_int_equal(told.n, 1);
	assert_int_equal(words.asked, 2);
}

static const struct ask_row {
	struct token_ask ask;
	bool with_jwe, with_key;
	enum status st;
	int asked; /* passwords */
	const char *text;
} asks[] = {
	{ { .subject = "s", .not_after = "2h" }, true, false, ST_USAGE, 0, "requested token validity is too long: *" },
	{ { .subject = "s", .filter = { .name = "x" } },
	  true,
	  false,
	  ST_USAGE,
	  0,
	  "invalid value 'x' for flag '--provisioner'" },
	{ { .subject = "s" },
	  false,
	  false,
	  ST_MISSING,
	  0,
	  "the provisioner has no encrypted key; give its key with --key" },
	{ { .subject = "s" }, true, false, ST_DENIED, 2, "failed to decrypt JWE: invalid password" },
	{ { .subject = "s" }, false, true, ST_OK, 0, NULL },
	{ { .subject = "s", .filter = { .name = "who" } }, false, true, ST_OK, 0, NULL },
	{ { .subject = "s", .filter = { .kid = "nobody" } },
	  false,
	  true,
	  ST_USAGE,
	  0,
	  "invalid value 'nobody' for flag '--kid'" },
};

static void nothing_is_asked_that_is_not_needed(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	for (size_t i = 0; i < COUNT_OF(asks); i++) {
		struct error e = ERROR_INIT;
		AUTO(offline_done) struct offline o = { 0 };
		AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
		struct passwords words = { { "wrong" }, 0 };
		struct password_source source = { next_password, &words };
		struct token_ask ask = asks[i].ask;
		ask.now = NOW;
		ask.password = &source;
		ask.key = asks[i].with_key ? key : NULL;
		offline_of(key, asks[i].with_jwe, &o);
		assert_int_equal(token_get(NULL, &o, &ask, &token, &e), asks[i].st);
		assert_int_equal(words.asked, asks[i].asked);
		if (asks[i].text) {
			assert_text(e.text, asks[i].text);
			continue;
		}
		AUTO(json_decref_p) json_t *claims = claims_of(&token, key, NULL);
		assert_string_equal(json_string_value(json_object_get(claims, "iss")),
		                    ask.filter.name ? ask.filter.name : "admin");
	}
}

/* ---- hints in tokens ---- */

#define SHA "aa00000000000000000000000000000000000000000000000000000000000001"

static const struct hint_row {
	const char *claims, *url, *fingerprint, *text; /* text: refused */
} hints[] = {
	{ "{\"aud\":\"https://ca:9000/1.0/sign\",\"sha\":\"" SHA "\",\"sub\":\"s\"}", "https://ca:9000", SHA, NULL },
	{ "{\"aud\":[\"x\",\"https://ca/sign#x5c/n\"],\"sha\":\"AA"
	  "00000000000000000000000000000000000000000000000000000000000001"
	  "\"}",
	  "https://ca", SHA, NULL },
	{ "{\"aud\":\"https://ca:9000/1.0/sign\"}", "https://ca:9000", "", NULL },
	{ "{\"aud\":\"https://ca:9000/1.0/sign\",\"sha\":\"\"}", "https://ca:9000", "", NULL },
	{ "{\"aud\":\"step-certificate-authority\",\"sha\":\"" SHA "\"}", "", "", NULL },
	{ "{\"sha\":\"junk\"}", "", "", NULL },
	{ "{\"aud\":\"https://ca/sign\",\"sha\":\"junk\"}", NULL, NULL,
	  "error parsing token: sha: a fingerprint is *" },
	{ "{\"aud\":\"http://ca/sign\",\"sha\":\"" SHA "\"}", NULL, NULL,
	  "error parsing token: the token's audience 'http://ca/sign' does not name a CA" },
	{ "{\"aud\":\"https://a\\u001b[2Jb/sign\"}", NULL, NULL,
	  "error parsing token: the token's audience 'https://a\\x1b[2Jb/sign' does not name a CA" },
	{ "[]", NULL, NULL, "error parsing token: *" },
	{ "{\"aud\":7}", NULL, NULL, "error parsing token: *" },
};

static void a_token_tells_where_its_ca_is(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *ca = testca_new(NULL);
	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
		AUTO(token_hint_done) struct token_hint h = { 0 };
		testca_claims_token(ca, NULL, NULL, hints[i].claims, &token);
		enum status st = token_hint_read(buf_slice(&token), &h, &e);
		if (hints[i].text) {
			assert_int_equal(st, ST_INVALID);
			assert_text(e.text, hints[i].text);
			continue;
		}
		assert_ok(st);
		assert_string_equal(buf_cstr(&h.url), hints[i].url);
		assert_string_equal(h.fingerprint, hints[i].fingerprint);
	}
	struct error e = ERROR_INIT;
	struct token_hint h = { 0 };
	assert_int_equal(token_hint_read(SLICE_LIT("junk"), &h, &e), ST_INVALID);
	assert_text(e.text, "error parsing token: *");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tokens_life_is_bounded),
		cmocka_unit_test(one_left_is_taken_and_more_are_asked_about),
		cmocka_unit_test(nobody_to_ask_is_an_error),
		cmocka_unit_test(labels_fit_a_terminal),
		cmocka_unit_test(a_key_opens_with_its_password),
		cmocka_unit_test(a_key_of_somebody_else_is_refused),
		cmocka_unit_test(tokens_say_what_the_peers_say),
		cmocka_unit_test(a_token_of_ours_opens_our_authority),
		cmocka_unit_test(a_certificates_token_opens_our_authority),
		cmocka_unit_test(two_tokens_are_never_one),
		cmocka_unit_test(what_is_not_utf8_makes_no_token),
		cmocka_unit_test(a_renew_token_carries_its_chain),
		cmocka_unit_test(a_renew_token_needs_the_certificates_key),
		cmocka_unit_test(any_ca_json_serves_offline),
		cmocka_unit_test(offline_files_are_named),
		cmocka_unit_test(a_token_is_made_from_the_file),
		cmocka_unit_test(nothing_is_asked_that_is_not_needed),
		cmocka_unit_test(a_token_tells_where_its_ca_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
