/* Renew tokens: what the peer's client sends, and everything that must not pass. */
#include "decide.h"

#include "authority/change.h"
#include "base/b64.h"
#include "jose/auto.h"
#include "x509/certwriter.h"
#include "x509/name.h"
#include "x509/profile.h"

#include <stdlib.h>

#define TOLD "error validating renew token"
#define AUD "https://ca.example:9000/1.0/renew"

enum { LIFE_S = 86400, LATE_S = 365 * 86400 };

/* --- tokens --- */

static void add_x5c(json_t *list, const struct cert *c)
{
	AUTO(buf_done) struct buf text = BUF_INIT(2 * CERT_MAX);
	b64_encode(&text, cert_facts(c)->der, B64_STD);
	assert_int_equal(json_array_append_new(list, json_string(buf_cstr(&text))), 0);
}

/* What may be wrong with a token; all zero: a good one. */
struct wish {
	const char *member; /* NULL: x5cInsecure */
	bool alone;         /* without the intermediate */
	const char *claims; /* over the good ones, as JSON */
	int64_t after_s;    /* TESTCA_NOW plus this is now, and the token's iat */
	EVP_PKEY *key;      /* NULL: the certificate's */
};

static void make_token(const struct testca *t, const struct cert *leaf, EVP_PKEY *leaf_key, const struct wish *x,
                       struct buf *out)
{
	struct error e = ERROR_INIT;
	struct wall now = { TESTCA_NOW.s + x->after_s };
	json_t *list = json_array();
	AUTO(json_decref_p)
	json_t *header = json_pack("{s:s, s:o}", "typ", "JWT", x->member ? x->member : "x5cInsecure", list);
	AUTO(json_decref_p)
	json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "aud", AUD, "iss", "step-ca-client/1.0",
	                           "sub", cert_facts(leaf)->common_name, "jti", "one", "iat", (json_int_t)now.s, "nbf",
	                           (json_int_t)now.s, "exp", (json_int_t)now.s + 300);
	AUTO(json_decref_p) json_t *over = json_loads(x->claims ? x->claims : "{}", 0, NULL);
	assert_non_null(over);
	add_x5c(list, leaf);
	if (!x->alone)
		add_x5c(list, t->issuer);
	const char *name;
	json_t *v;
	json_object_foreach(over, name, v)
	{
		if (json_is_null(v))
			json_object_del(claims, name);
		else
			json_object_set(claims, name, v);
	}
	char *text = json_dumps(claims, 0);
	assert_ok(jws_sign(x->key ? x->key : leaf_key, header, slice_cstr(text), out, &e));
	free(text);
}

static void judge(const struct testca *t, struct slice token, int64_t after_s, struct renew_token *ret,
                  struct verdict *v)
{
	struct error e = ERROR_INIT;
	assert_ok(authorize_renew_token(t->a, token, (struct wall){ TESTCA_NOW.s + after_s }, TESTCA_STORE_CREATED, ret,
	                                v, &e));
}

struct fixture {
	struct testca *t;
	EVP_PKEY *key;
	struct issued leaf;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->t = testca_new(NULL);
	f->key = testca_key(KEY_EC, "P-256", 0);
	testca_issue(f->t, f->key, "a.example", TESTCA_NOW, &f->leaf);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	issued_done(&f->leaf);
	EVP_PKEY_free(f->key);
	testca_free(f->t);
	free(f);
	return 0;
}

/* --- good ones --- */

static void good(void **state)
{
	const struct fixture *f = *state;
	static const struct wish rows[] = {
		{ 0 },
		{ .alone = true }, /* the issuers are anchors of their own */
		{ .after_s = LIFE_S - 1 },
		{ .after_s = LIFE_S + 1 }, /* expired: whether that is allowed is renew_decide's */
		{ .after_s = LATE_S },
		{ .claims = "{\"aud\":\"https://127.0.0.1/renew\"}" },
		{ .claims = "{\"aud\":[\"https://elsewhere/renew\",\"https://[::1]:1/1.0/renew\"]}" },
		{ .claims = "{\"jti\":null}" },
		{ .claims = "{\"iat\":null,\"nbf\":null}" },
		{ .claims = "{\"exp\":1899999940}" }, /* the last second, with 60 s of leeway */
		{ .claims = "{\"nbf\":1900000060,\"iat\":1900000060}" },
		{ .claims = "{\"exp\":253402300799}" },
		{ .claims = "{\"iss\":\"anything\"}" }, /* renew_decide's too */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		AUTO(renew_token_done) struct renew_token r = { 0 };
		make_token(f->t, f->leaf.cert, f->key, &rows[i], &token);
		judge(f->t, buf_slice(&token), rows[i].after_s, &r, &v);
		if (v.refusal)
			fail_msg("row %zu: %s", i, v.reason);
		assert_true(slice_eq(cert_facts(r.certs.v[0])->der, cert_facts(f->leaf.cert)->der));
		assert_int_equal(strlen(r.token_id), 64);
		assert_int_equal(r.token_exp.s, r.ott.exp.s);
	}
}

/* --- bad ones --- */

static void bad_claims(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		struct wish x;
		const char *message, *reason;
	} rows[] = {
		{ { .member = "x5c" }, TOLD, "no certificates in x5cInsecure" },
		{ { .member = "X5cInsecure" }, TOLD, "no certificates in x5cInsecure" },
		{ { .claims = "{\"sub\":\"b.example\"}" }, TOLD ": invalid subject claim (sub)", "subject (sub)" },
		{ { .claims = "{\"sub\":\"\"}" }, TOLD ": invalid subject claim (sub)", "subject (sub)" },
		{ { .claims = "{\"sub\":null}" }, TOLD ": invalid subject claim (sub)", "subject (sub)" },
		{ { .claims = "{\"exp\":1899999939}" }, TOLD ": token is expired (exp)", "expired (exp)" },
		{ { .claims = "{\"exp\":null}" }, TOLD ": token without expiry (exp)", "no exp claim" },
		{ { .claims = "{\"nbf\":1900000061}" }, TOLD ": token not valid yet (nbf)", "(nbf)" },
		{ { .claims = "{\"iat\":1900000061}" }, TOLD ": token issued in the future (iat)", "(iat)" },
		{ { .claims = "{\"iat\":1899996399}" },
		  TOLD ": token issued before this certificate authority's database (iat)",
		  "older than this CA's store" },
		{ { .claims = "{\"aud\":\"https://ca.example/1.0/sign\"}" },
		  TOLD ": invalid audience claim (aud)",
		  "(aud)" },
		{ { .claims = "{\"aud\":\"https://ca.example/1.0/rekey\"}" },
		  TOLD ": invalid audience claim (aud)",
		  "(aud)" },
		{ { .claims = "{\"aud\":\"https://elsewhere/renew\"}" },
		  TOLD ": invalid audience claim (aud)",
		  "(aud)" },
		{ { .claims = "{\"aud\":\"step-certificate-authority\"}" },
		  TOLD ": invalid audience claim (aud)",
		  "(aud)" },
		{ { .claims = "{\"aud\":\"https://ca.example/renew#x5c/x5c\"}" },
		  TOLD ": invalid audience claim (aud)",
		  "(aud)" },
		{ { .claims = "{\"aud\":null}" }, TOLD ": invalid audience claim (aud)", "(none)" },
		{ { .claims = "{\"aud\":7}" }, TOLD, "aud" },
		{ { .claims = "{\"jti\":7}" }, TOLD, "jti" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		struct renew_token r = { .token_id = "untouched" };
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		make_token(f->t, f->leaf.cert, f->key, &rows[i].x, &token);
		judge(f->t, buf_slice(&token), rows[i].x.after_s, &r, &v);
		if (v.refusal != REFUSAL_UNAUTHORIZED)
			fail_msg("row %zu: not refused", i);
		assert_refused(v, REFUSAL_UNAUTHORIZED, rows[i].message, rows[i].reason);
		assert_true(v.bare);
		assert_string_equal(r.token_id, "untouched");
	}
}

static void not_tokens(void **state)
{
	const struct fixture *f = *state;
	static const char *const texts[] = {
		"",
		"x",
		"a.b.c",
		"Bearer x",
		"eyJhbGciOiJub25lIn0.e30.",
		"eyJhbGciOiJFUzI1NiIsIng1Y0luc2VjdXJlIjoiYWJjIn0.e30.AA",     /* x5cInsecure is text */
		"eyJhbGciOiJFUzI1NiIsIng1Y0luc2VjdXJlIjpbMV19.e30.AA",        /* [1] */
		"eyJhbGciOiJFUzI1NiIsIng1Y0luc2VjdXJlIjpbIkFBQUEiXX0.e30.AA", /* ["AAAA"] */
	};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct verdict v;
		struct renew_token r = { 0 };
		judge(f->t, slice_cstr(texts[i]), 0, &r, &v);
		assert_refused(v, REFUSAL_UNAUTHORIZED, TOLD, "renew token");
	}
}

static void forged(void **state)
{
	const struct fixture *f = *state;
	AUTO(testca_free_p) struct testca *other = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued foreign = { 0 };
	testca_issue(other, f->key, "a.example", TESTCA_NOW, &foreign);
	const struct {
		const struct testca *t;
		const struct cert *leaf;
		struct wish x;
		const char *reason;
	} rows[] = {
		{ f->t, f->leaf.cert, { .key = key }, "signature" },
		{ other, foreign.cert, { 0 }, "unknown authority" },
		{ f->t, foreign.cert, { 0 }, "x509: " }, /* with our intermediate, whose name is the same */
		{ f->t, f->t->root, { .key = f->t->root_key }, "" },
		{ f->t, f->t->issuer, { .key = f->t->issuer_key }, "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		struct renew_token r = { 0 };
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		make_token(rows[i].t, rows[i].leaf, f->key, &rows[i].x, &token);
		judge(f->t, buf_slice(&token), 0, &r, &v);
		if (!v.refusal)
			fail_msg("row %zu: not refused", i);
		assert_refused(v, REFUSAL_UNAUTHORIZED, TOLD, rows[i].reason);
	}
	/* every changed byte of the signed part is seen */
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	make_token(f->t, f->leaf.cert, f->key, &(struct wish){ 0 }, &token);
	size_t signed_n = (size_t)((uint8_t *)memrchr(token.p, '.', token.n) - token.p);
	for (size_t i = 0; i < signed_n; i += 97) {
		struct verdict v;
		struct renew_token r = { 0 };
		char *c = (char *)token.p + i, was = *c;
		*c = was == 'A' ? 'B' : 'A';
		judge(f->t, buf_slice(&token), 0, &r, &v);
		assert_int_equal(v.refusal, REFUSAL_UNAUTHORIZED);
		*c = was;
	}
}

/* --- certificates of other shapes --- */

struct shape {
	int64_t from_s, to_s; /* TESTCA_NOW plus these */
	unsigned key_usage;   /* 0: no such extension */
	const char *eku[2];   /* NULL: no such extension */
};

static struct cert *shaped(const struct testca *t, EVP_PKEY *key, const struct shape *s)
{
	struct error e = ERROR_INIT;
	struct cert *cert;
	AUTO(buf_done) struct buf subject = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf spki = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf x = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	struct name_attrs names = { .common_name = "a.example" };
	assert_ok(name_encode(&names, &subject, &e));
	assert_ok(key_spki(key, &spki, &e));
	if (s->key_usage)
		ext_add_key_usage(&x, s->key_usage);
	if (s->eku[0])
		ext_add_ext_key_usage(&x, s->eku, s->eku[1] ? 2 : 1);
	ext_add_authority_key_id(&x, cert_facts(t->issuer)->subject_key_id);
	struct cert_draft d = { .serial = SLICE_LIT("\x11"),
		                .issuer = cert_facts(t->issuer)->subject,
		                .subject = buf_slice(&subject),
		                .spki = buf_slice(&spki),
		                .not_before = { TESTCA_NOW.s + s->from_s },
		                .not_after = { TESTCA_NOW.s + s->to_s },
		                .extensions = buf_slice(&x) };
	assert_ok(cert_write(&d, t->a->signer, &der, &e));
	assert_ok(cert_parse(buf_slice(&der), &cert, &e));
	return cert;
}

static void shapes(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		struct shape s;
		const char *reason; /* NULL: it passes */
	} rows[] = {
		{ { -60, 3600, KU_DIGITAL_SIGNATURE, { OID_CLIENT_AUTH } }, NULL },
		{ { -60, 3600, 0, { NULL } }, NULL },
		{ { -60, 3600, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT, { "2.5.29.37.0" } }, NULL },
		/* TLS would refuse it as a client: this is its only way */
		{ { -60, 3600, KU_DIGITAL_SIGNATURE, { OID_SERVER_AUTH } }, NULL },
		{ { -60, 3600, KU_DIGITAL_SIGNATURE, { "1.3.6.1.5.5.7.3.3" } }, "incompatible key usage" },
		{ { -60, 3600, KU_KEY_ENCIPHERMENT, { OID_CLIENT_AUTH } }, "lacks digitalSignature" },
		/* less than a minute, in the future, of no length */
		{ { -5, 20, KU_DIGITAL_SIGNATURE, { OID_CLIENT_AUTH } }, NULL },
		{ { -5, -5, KU_DIGITAL_SIGNATURE, { OID_CLIENT_AUTH } }, NULL },
		{ { 1000, 2000, KU_DIGITAL_SIGNATURE, { OID_CLIENT_AUTH } }, NULL }, /* renew_decide refuses it */
		/* beyond its issuer's end */
		{ { -60, INT64_C(11) * 365 * 86400, KU_DIGITAL_SIGNATURE, { OID_CLIENT_AUTH } }, "expired" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		AUTO(cert_unref_p) struct cert *leaf = shaped(f->t, f->key, &rows[i].s);
		AUTO(renew_token_done) struct renew_token r = { 0 };
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		make_token(f->t, leaf, f->key, &(struct wish){ 0 }, &token);
		judge(f->t, buf_slice(&token), 0, &r, &v);
		if (!v.refusal != !rows[i].reason)
			fail_msg("row %zu: %s", i, v.refusal ? v.reason : "not refused");
		if (rows[i].reason)
			assert_refused(v, REFUSAL_UNAUTHORIZED, TOLD, rows[i].reason);
	}
}

/* --- which token is which --- */

static void id_of(const struct fixture *f, const struct cert *leaf, EVP_PKEY *key, const char *claims,
                  char out[TOKEN_ID_TEXT])
{
	struct verdict v;
	AUTO(renew_token_done) struct renew_token r = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	make_token(f->t, leaf, key, &(struct wish){ .claims = claims }, &token);
	judge(f->t, buf_slice(&token), 0, &r, &v);
	assert_granted(v);
	memcpy(out, r.token_id, TOKEN_ID_TEXT);
}

/* One jti of one key is one token, whatever certificate goes along; without one the signed part is. */
static void ids(void **state)
{
	const struct fixture *f = *state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key2 = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued sibling = { 0 };
	AUTO(issued_done) struct issued other = { 0 };
	char a[TOKEN_ID_TEXT], b[TOKEN_ID_TEXT];
	testca_issue(f->t, f->key, "a.example", TESTCA_NOW, &sibling);
	testca_issue(f->t, key2, "a.example", TESTCA_NOW, &other);
	const struct {
		const struct cert *leaf;
		EVP_PKEY *key;
		const char *first, *second;
		bool same;
	} rows[] = {
		{ f->leaf.cert, f->key, "{}", "{}", true },
		{ f->leaf.cert, f->key, "{}", "{\"exp\":1900000200}", true },
		{ sibling.cert, f->key, "{}", "{}", true },
		{ f->leaf.cert, f->key, "{}", "{\"jti\":\"two\"}", false },
		{ other.cert, key2, "{}", "{}", false },
		{ f->leaf.cert, f->key, "{\"jti\":null}", "{\"jti\":null}", true },
		{ f->leaf.cert, f->key, "{\"jti\":null}", "{\"jti\":null,\"exp\":1900000200}", false },
		{ f->leaf.cert, f->key, "{}", "{\"jti\":null}", false },
		{ f->leaf.cert, f->key, "{\"jti\":\"\"}", "{\"jti\":\"\",\"exp\":1900000200}", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		id_of(f, f->leaf.cert, f->key, rows[i].first, a);
		id_of(f, rows[i].leaf, rows[i].key, rows[i].second, b);
		if (!strcmp(a, b) != rows[i].same)
			fail_msg("row %zu", i);
	}
}

/* The token goes into the change, and with it what the store must check. */
static void booked(void **state)
{
	const struct fixture *f = *state;
	struct error e = ERROR_INIT;
	static const struct {
		int64_t after_s;
		bool expired;
	} rows[] = { { 0, false }, { LIFE_S, false }, { LIFE_S + 1, true }, { LATE_S, true } };
	f->t->a->renewal_window_ns = 90 * DURATION_S;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		AUTO(renew_token_done) struct renew_token r = { 0 };
		AUTO(issued_done) struct issued out = { 0 };
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		const struct parent_facts unknown = { 0 };
		make_token(f->t, f->leaf.cert, f->key, &(struct wish){ .after_s = rows[i].after_s }, &token);
		judge(f->t, buf_slice(&token), rows[i].after_s, &r, &v);
		assert_granted(v);
		assert_ok(issue_renewed(f->t->a, r.certs.v[0], &unknown, &f->t->a->provs[TESTCA_OPS], NULL,
		                        (struct wall){ TESTCA_NOW.s + rows[i].after_s }, test_serial, &out, &v, &e));
		assert_granted(v);
		assert_ok(renew_token_book(&r, out.change, &e));
		assert_string_equal(out.change->token_id, r.token_id);
		assert_int_equal(out.change->token_exp.s, r.token_exp.s);
		assert_int_equal(out.change->after_expiry, rows[i].expired);
		assert_int_equal(out.change->window_s, 90);
		assert_memory_equal(out.change->parent_key, out.change->cert.key_fingerprint, KEY_FINGERPRINT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_claims, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shapes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(booked, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
