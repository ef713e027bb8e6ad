#include "decide.h"

#include "base/b64.h"
#include "crypto/digest.h"
#include "jose/auto.h"
#include <openssl/bn.h>

#include <stdlib.h>

/* --- audiences --- */

static void audiences(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL); /* ca.example, 127.0.0.1, ::1 */
	static const struct {
		enum operation op;
		const char *aud, *fragment;
		bool want;
	} rows[] = {
		{ OP_SIGN, "https://ca.example/1.0/sign", NULL, true },
		{ OP_SIGN, "https://ca.example/sign", NULL, true },
		{ OP_SIGN, "https://ca.example/1.0/ssh/sign", NULL, true },
		{ OP_SIGN, "https://ca.example/ssh/sign", NULL, true },
		{ OP_SIGN, "step-certificate-authority", NULL, true },
		{ OP_SIGN, "https://ca.example:9000/1.0/sign", NULL, true },
		{ OP_SIGN, "https://ca.example:1/sign", NULL, true },
		{ OP_SIGN, "https://ca.example:/sign", NULL, true },
		{ OP_SIGN, "https://127.0.0.1:9000/1.0/sign", NULL, true },
		{ OP_SIGN, "https://[::1]/1.0/sign", NULL, true },
		{ OP_SIGN, "https://[::1]:9000/1.0/sign", NULL, true },
		{ OP_REVOKE, "https://ca.example/1.0/revoke", NULL, true },
		{ OP_REVOKE, "https://ca.example:443/revoke", NULL, true },
		{ OP_REVOKE, "step-certificate-authority", NULL, true },
		{ OP_RENEW, "https://ca.example/1.0/renew", NULL, true },
		{ OP_RENEW, "https://ca.example/renew", NULL, true },
		{ OP_REKEY, "https://ca.example/1.0/rekey", NULL, true },
		{ OP_SIGN, "https://ca.example/1.0/sign#x5c/ops", "x5c/ops", true },
		{ OP_SIGN, "https://ca.example:9000/sign#x5c/ops", "x5c/ops", true },
		{ OP_SIGN, "/step-certificate-authority#x5c/ops", "x5c/ops", true },

		{ OP_SIGN, "", NULL, false },
		{ OP_SIGN, "https://", NULL, false },
		{ OP_SIGN, "https:///1.0/sign", NULL, false },
		{ OP_SIGN, "https://:9000/1.0/sign", NULL, false },
		{ OP_SIGN, "ca.example/1.0/sign", NULL, false },
		{ OP_SIGN, "http://ca.example/1.0/sign", NULL, false },
		{ OP_SIGN, "https://CA.example/1.0/sign", NULL, false },
		{ OP_SIGN, "https://other.example/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example.evil/1.0/sign", NULL, false },
		{ OP_SIGN, "https://evil@ca.example/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example@evil/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example:80x/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example:80:90/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example:-1/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example", NULL, false },
		{ OP_SIGN, "https://ca.example/", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/sign/", NULL, false },
		{ OP_SIGN, "https://ca.example//1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/Sign", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/sign?x=1", NULL, false },
		{ OP_SIGN, "https://ca.example?/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example/2.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/revoke", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/renew", NULL, false },
		{ OP_SIGN, "https://::1/1.0/sign", NULL, false },
		{ OP_SIGN, "https://::1:9000/1.0/sign", NULL, false },
		{ OP_SIGN, "https://[::2]/1.0/sign", NULL, false },
		{ OP_SIGN, "https://[::1/1.0/sign", NULL, false },
		{ OP_SIGN, "https://[::1]x/1.0/sign", NULL, false },
		{ OP_SIGN, "https://[]/1.0/sign", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/sign#x5c/ops", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/sign#", NULL, false },
		{ OP_SIGN, "https://ca.example/1.0/sign", "x5c/ops", false },
		{ OP_SIGN, "https://ca.example/1.0/sign#x5c/other", "x5c/ops", false },
		{ OP_SIGN, "https://ca.example/1.0/sign#x5c/ops#x5c/ops", "x5c/ops", false },
		{ OP_SIGN, "step-certificate-authority#x5c/ops", "x5c/ops", false },
		{ OP_SIGN, "/step-certificate-authority", NULL, false },
		{ OP_SIGN, "step-certificate-authority/", NULL, false },
		{ OP_REVOKE, "https://ca.example/1.0/sign", NULL, false },
		{ OP_RENEW, "step-certificate-authority", NULL, false },
		{ OP_RENEW, "https://ca.example/1.0/sign", NULL, false },
		{ OP_REKEY, "step-certificate-authority", NULL, false },
		{ OP_REKEY, "https://ca.example/1.0/renew", NULL, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (audience_matches(t->a, rows[i].op, rows[i].aud, rows[i].fragment) != rows[i].want)
			fail_msg("%s: wanted %d", rows[i].aud, rows[i].want);
}

/* What dnsNames may hold: a port goes on this side too, brackets may be there already. */
static void names_of_the_ca(void **state)
{
	(void)state;
	static const struct {
		const char *name, *aud;
		bool want;
	} rows[] = {
		{ "ca.example:9000", "https://ca.example/sign", true },
		{ "ca.example:9000", "https://ca.example:443/sign", true },
		{ "[fd00::1]", "https://[fd00::1]:9000/sign", true },
		{ "[fd00::1]:9000", "https://[fd00::1]/sign", true },
		{ "fd00::1", "https://[fd00::1]/sign", true },
		{ "fd00::1", "https://fd00::1/sign", false },
		{ "[fd00::1]", "https://fd00::1/sign", false },
		{ "fd00::1", "https://[fd00::1%eth0]/sign", false },
		{ "", "https:///sign", false },
		{ "", "https://:9000/sign", false },
		{ "ca.example", "https://ca.example./sign", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char name[64];
		char *names[] = { name };
		struct authority a = { .dns_names = names, .dns_n = 1 };
		snprintf(name, sizeof name, "%s", rows[i].name);
		if (audience_matches(&a, OP_SIGN, rows[i].aud, NULL) != rows[i].want)
			fail_msg("%s at %s: wanted %d", rows[i].aud, rows[i].name, rows[i].want);
	}
}

/* --- tokens --- */

static enum status judge(const struct testca *t, enum operation op, const char *claims, struct authorization *ret,
                         struct verdict *v, struct error *e)
{
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	testca_claims_token(t, NULL, NULL, claims, &token);
	return authorize_token(t->a, op, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, ret, v, e);
}

#define AUD "\"aud\":\"https://ca.example:9000/1.0/sign\""
#define ISS "\"iss\":\"ops\""
#define SUB "\"sub\":\"a\""
#define EXP "\"exp\":1900000300"

static void good_tokens(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	static const struct {
		enum operation op;
		const char *claims;
	} rows[] = {
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP "}" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1900000000,\"nbf\":1900000000,\"jti\":\"x\"}" },
		/* 60 seconds of leeway on each */
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":1899999940}" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":1899999940.9}" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"nbf\":1900000060}" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1900000060}" },
		/* the very second the store was made */
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1899996400}" },
		/* one audience of several suffices */
		{ OP_SIGN,
		  "{\"aud\":[\"https://elsewhere/sign\",\"https://ca.example/sign\"]," ISS "," SUB "," EXP "}" },
		{ OP_SIGN, "{\"aud\":\"step-certificate-authority\"," ISS "," SUB "," EXP "}" },
		{ OP_REVOKE, "{\"aud\":\"https://ca.example/1.0/revoke\"," ISS "," SUB "," EXP "}" },
		{ OP_REVOKE, "{\"aud\":\"step-certificate-authority\"," ISS "," SUB "," EXP "}" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(authorization_done) struct authorization auth = { 0 };
		assert_ok(judge(t, rows[i].op, rows[i].claims, &auth, &v, &e));
		assert_granted(v);
		assert_ptr_equal(auth.prov, &t->a->provs[TESTCA_OPS]);
		assert_string_equal(auth.ott.sub, "a");
		assert_int_equal(auth.token_exp.s, auth.ott.exp.s);
		assert_int_equal(strlen(auth.token_id), 64);
	}
}

/* Indistinguishable on the wire, told apart in the log. */
static void bad_tokens(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	static const struct {
		enum operation op;
		const char *claims, *reason;
	} rows[] = {
		{ OP_SIGN, "{" AUD "," ISS "," SUB "}", "no exp" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":null}", "exp" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":\"1900000300\"}", "exp" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":1899999939}",
		  "expired (exp) on 2030-03-17 17:45:39 +0000 UTC" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":0}", "expired" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":-1}", "expired" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"nbf\":1900000061}",
		  "not valid before (nbf) 2030-03-17 17:47:41" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1900000061}", "issued in the future (iat)" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1899996399}", "older than this CA's store (iat)" },
		{ OP_SIGN, "{" AUD "," ISS ",\"sub\":\"\"," EXP "}", "subject (sub) is empty" },
		{ OP_SIGN, "{" AUD "," ISS "," EXP "}", "subject (sub) is empty" },
		{ OP_SIGN, "{" AUD "," ISS ",\"sub\":7," EXP "}", "sub" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"jti\":7}", "jti" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"jti\":[\"x\"]}", "jti" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"sans\":\"a\"}", "sans" },
		{ OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"sans\":[1]}", "sans" },
		{ OP_SIGN, "{" AUD ",\"iss\":\"other\"," SUB "," EXP "}", "no provisioner fits" },
		{ OP_SIGN, "{" AUD "," SUB "," EXP "}", "no provisioner fits" },
		{ OP_SIGN, "{" AUD ",\"iss\":\"acme\"," SUB "," EXP "}", "no provisioner fits" },
		{ OP_SIGN, "{" ISS "," SUB "," EXP "}", "no provisioner fits" },
		{ OP_SIGN, "{\"aud\":[]," ISS "," SUB "," EXP "}", "" },
		{ OP_SIGN, "{\"aud\":\"https://elsewhere/1.0/sign\"," ISS "," SUB "," EXP "}", "no provisioner fits" },
		{ OP_SIGN, "{\"aud\":\"https://ca.example/1.0/revoke\"," ISS "," SUB "," EXP "}",
		  "not for this operation" },
		{ OP_SIGN, "{\"aud\":\"https://ca.example/1.0/renew\"," ISS "," SUB "," EXP "}",
		  "not for this operation" },
		{ OP_REVOKE, "{" AUD "," ISS "," SUB "," EXP "}", "not for this operation" },
		{ OP_RENEW, "{" AUD "," ISS "," SUB "," EXP "}", "not for this operation" },
		/* a fragment is another type's; nobody has this one */
		{ OP_SIGN, "{\"aud\":\"https://ca.example/1.0/sign#x5c/ops\"," ISS "," SUB "," EXP "}",
		  "no provisioner fits" },
		{ OP_SIGN, "{\"aud\":\"https://ca.example/1.0/sign#ops\"," ISS "," SUB "," EXP "}",
		  "no provisioner fits" },
		/* the names by which OIDC tokens find their provisioner do not find a JWK one */
		{ OP_SIGN, "{\"aud\":\"https://elsewhere/1.0/sign\",\"azp\":\"ops:KID\"," ISS "," SUB "," EXP "}",
		  "no provisioner fits" },
		{ OP_SIGN, "[]", "" },
		{ OP_SIGN, "null", "" },
		{ OP_SIGN, "", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		struct authorization auth = { .token_id = "untouched" };
		assert_ok(judge(t, rows[i].op, rows[i].claims, &auth, &v, &e));
		if (v.refusal != REFUSAL_UNAUTHORIZED)
			fail_msg("%s: not refused", rows[i].claims);
		assert_refused(v, REFUSAL_UNAUTHORIZED, "", rows[i].reason);
		assert_string_equal(auth.token_id, "untouched");
	}
}

/* RFC 7519 sets no end to a NumericDate; ours does. */
static void endless_token(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(authorization_done) struct authorization auth = { 0 };
	enum status st = judge(t, OP_SIGN, "{" AUD "," ISS "," SUB ",\"exp\":9e15}", &auth, &v, &e);
	assert_ok(st);
	if (!v.refusal)
		assert_int_equal(auth.token_exp.s, WALL_MAX_S);
}

static void issued_at_check_can_be_lifted(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(authorization_done) struct authorization auth = { 0 };
	t->a->disable_issued_at_check = true;
	assert_ok(judge(t, OP_SIGN, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1}", &auth, &v, &e));
	assert_granted(v);
}

/* It would be new again after a restart. */
static void without_a_database_a_token_says_its_age(void **state)
{
	(void)state;
	static const struct {
		bool forgets, lifted;
		const char *claims;
		enum refusal want;
	} rows[] = {
		{ true, false, "{" AUD "," ISS "," SUB "," EXP "}", REFUSAL_UNAUTHORIZED },
		{ true, false, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":null}", REFUSAL_UNAUTHORIZED },
		{ true, false, "{" AUD "," ISS "," SUB "," EXP ",\"nbf\":1900000000}", REFUSAL_UNAUTHORIZED },
		{ true, false, "{" AUD "," ISS "," SUB "," EXP ",\"iat\":1900000000}", REFUSAL_NONE },
		{ true, true, "{" AUD "," ISS "," SUB "," EXP "}", REFUSAL_NONE },
		{ false, false, "{" AUD "," ISS "," SUB "," EXP "}", REFUSAL_NONE },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(testca_free_p) struct testca *t = testca_new(NULL);
		AUTO(authorization_done) struct authorization auth = { 0 };
		t->a->store_forgets = rows[i].forgets;
		t->a->disable_issued_at_check = rows[i].lifted;
		assert_ok(judge(t, OP_SIGN, rows[i].claims, &auth, &v, &e));
		if (rows[i].want)
			assert_refused(v, rows[i].want, "", "token has no iat claim");
		else
			assert_granted(v);
	}
}

/* --- provisioners that give no way in --- */

static void no_token_flow(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	static const char *const auds[] = { "https://ca.example/1.0/sign#acme/acme",
		                            "https://ca.example:9000/sign#acme/acme",
		                            "/step-certificate-authority#acme/acme",
		                            "https://ca.example/1.0/revoke#acme/acme" };
	for (size_t i = 0; i < COUNT_OF(auds); i++) {
		for (int disabled = 0; disabled < 2; disabled++) {
			struct error e = ERROR_INIT;
			struct verdict v;
			struct authorization auth = { 0 };
			char claims[256];
			char why[] = "not built here";
			t->a->provs[TESTCA_ACME].disabled = disabled ? why : NULL;
			snprintf(claims, sizeof claims, "{\"aud\":\"%s\",\"iss\":\"acme\"," SUB "," EXP "}", auds[i]);
			assert_ok(judge(t, strstr(auds[i], "revoke") ? OP_REVOKE : OP_SIGN, claims, &auth, &v, &e));
			assert_refused(v, REFUSAL_MALFORMED, "token flow is not supported", "no token flow");
			assert_false(v.bare);
			t->a->provs[TESTCA_ACME].disabled = NULL;
		}
	}
}

/* A type whose tokens we cannot judge is never a way in, enabled or not. */
static void unbuilt_types(void **state)
{
	(void)state;
	static const enum provisioner_type types[] = { PROV_OIDC,  PROV_GCP,    PROV_AWS,  PROV_AZURE, PROV_ACME,
		                                       PROV_K8SSA, PROV_SSHPOP, PROV_SCEP, PROV_NEBULA };
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		struct authorization auth = { 0 };
		char claims[256];
		AUTO(testca_free_p) struct testca *t = testca_new(NULL);
		struct provisioner *p = &t->a->provs[TESTCA_ACME];
		p->type = types[i];
		json_object_set_new(p->json, "clientID", json_string("client"));
		json_object_set_new(p->json, "tenantID", json_string("client"));
		assert_ok(provisioner_name_ids(p, TESTCA_ACME, &e));
		snprintf(claims, sizeof claims,
		         "{\"aud\":\"https://ca.example/sign%s%s\",\"azp\":\"%s\"," SUB "," EXP "}",
		         strchr(p->id, '/') ? "#" : "/none", strchr(p->id, '/') ? p->id : "", p->id);
		assert_ok(judge(t, OP_SIGN, claims, &auth, &v, &e));
		assert_refused(v, REFUSAL_MALFORMED, "token flow is not supported", "no token flow");
	}
}

static void disabled(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	struct authorization auth = { 0 };
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	assert_ok(judge(t, OP_SIGN, "{" AUD ",\"iss\":\"broken\"," SUB "," EXP "}", &auth, &v, &e));
	assert_refused(v, REFUSAL_UNAUTHORIZED, "provisioner \"broken\" is disabled due to an initialization error",
	               "options.x509.template is not supported");
	assert_true(v.bare);
	/* a key that could not be read */
	EVP_PKEY_free(t->a->provs[TESTCA_OPS].key.key);
	t->a->provs[TESTCA_OPS].key.key = NULL;
	assert_ok(judge(t, OP_SIGN, "{" AUD "," ISS "," SUB "," EXP "}", &auth, &v, &e));
	assert_refused(v, REFUSAL_UNAUTHORIZED, "provisioner \"ops\" is disabled due to an initialization error",
	               "no key");
}

/* OIDC and Azure tokens name their provisioner by azp, aud or tid. */
static void disabled_by_client_id(void **state)
{
	(void)state;
	static const char *const claims[] = {
		"{\"aud\":\"x\",\"azp\":\"client\"," SUB "," EXP "}",
		"{\"aud\":\"client\"," SUB "," EXP "}",
		"{\"aud\":\"x\",\"tid\":\"client\"," SUB "," EXP "}",
	};
	for (size_t i = 0; i < COUNT_OF(claims); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		struct authorization auth = { 0 };
		AUTO(testca_free_p) struct testca *t = testca_new(NULL);
		struct provisioner *p = &t->a->provs[TESTCA_BROKEN];
		p->type = PROV_OIDC;
		json_object_set_new(p->json, "clientID", json_string("client"));
		assert_ok(provisioner_name_ids(p, TESTCA_BROKEN, &e));
		assert_ok(judge(t, OP_SIGN, claims[i], &auth, &v, &e));
		assert_refused(v, REFUSAL_UNAUTHORIZED,
		               "provisioner \"broken\" is disabled due to an initialization error", "");
	}
}

/* --- signatures --- */

static void forged(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	struct authorization auth = { 0 };
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *other = testca_key(KEY_EC, "P-256", 0);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *wider = testca_key(KEY_EC, "P-384", 0);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *rsa = testca_key(KEY_RSA, NULL, 2048);
	const struct {
		EVP_PKEY *key;
		const char *kid, *reason;
	} rows[] = {
		{ other, NULL, "signature" },        { wider, NULL, "signature" },
		{ rsa, NULL, "signature" },          { NULL, "wrong-kid", "no provisioner fits" },
		{ NULL, "", "no provisioner fits" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		testca_claims_token(t, rows[i].kid, rows[i].key, "{" AUD "," ISS "," SUB "," EXP "}", &token);
		assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v,
		                          &e));
		assert_refused(v, REFUSAL_UNAUTHORIZED, "", rows[i].reason);
	}
}

/* "ops" and a kid "x:y", or "ops:x" and a kid "y"? The issuer must be the provisioner's name. */
static void ambiguous_id(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	struct provisioner *ops = &t->a->provs[TESTCA_OPS];
	free(ops->key.kid);
	ops->key.kid = text_dup(slice_cstr("x:y"));
	assert_ok(provisioner_name_ids(ops, 0, &e));
	static const struct {
		const char *iss, *kid;
		enum refusal want;
		const char *reason;
	} rows[] = {
		{ "ops", "x:y", REFUSAL_NONE, "" },
		{ "ops:x", "y", REFUSAL_UNAUTHORIZED, "issuer (iss) is not the provisioner's name" },
		{ "ops:x:y", "", REFUSAL_UNAUTHORIZED, "no provisioner fits" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		AUTO(authorization_done) struct authorization auth = { 0 };
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		char claims[256];
		snprintf(claims, sizeof claims, "{" AUD ",\"iss\":\"%s\"," SUB "," EXP "}", rows[i].iss);
		testca_claims_token(t, rows[i].kid, NULL, claims, &token);
		assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v,
		                          &e));
		assert_refused(v, rows[i].want, "", rows[i].reason);
	}
}

/* Neither text that is no token nor one without signature. Every single changed byte is seen. */
static void broken(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	struct authorization auth = { 0 };
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(buf_done) struct buf none = BUF_INIT(JWS_MAX);
	struct ott_draft d = testca_draft("a");
	static const char *const texts[] = { "", ".", "..", "...", "null", "{}", "[]", "garbage", "a.b.c" };
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		assert_ok(authorize_token(t->a, OP_SIGN, slice_cstr(texts[i]), TESTCA_NOW, TESTCA_STORE_CREATED, &auth,
		                          &v, &e));
		assert_refused(v, REFUSAL_UNAUTHORIZED, "", "token");
	}
	testca_token(t, &d, &token);
	for (size_t i = 0; i < token.n; i++) {
		uint8_t was = token.p[i];
		token.p[i] = was == 'A' ? 'B' : 'A';
		assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v,
		                          &e));
		if (!v.refusal)
			fail_msg("byte %zu was changed from %c, and nobody saw it", i, was);
		token.p[i] = was;
	}
	/* RFC 8725 §2.1: alg none */
	b64_encode(&none, SLICE_LIT("{\"alg\":\"none\"}"), B64_URL_RAW);
	size_t dot = slice_find(buf_slice(&token), '.'), end = token.n;
	while (token.p[end - 1] != '.')
		end--;
	buf_add(&none, token.p + dot, end - dot);
	assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&none), TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v, &e));
	assert_refused(v, REFUSAL_UNAUTHORIZED, "", "");
}

/* --- the token's id --- */

static void id_of(const struct testca *t, const char *iss, const char *more, char ret[65])
{
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(authorization_done) struct authorization auth = { 0 };
	char claims[512];
	snprintf(claims, sizeof claims, "{" AUD ",\"iss\":\"%s\"," SUB "," EXP "%s}", iss, more);
	assert_ok(judge(t, OP_SIGN, claims, &auth, &v, &e));
	assert_granted(v);
	snprintf(ret, 65, "%s", auth.token_id);
}

static void token_ids(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(buf_done) struct buf want = BUF_INIT(512);
	char a[65], b[65], other_prov[65], other_jti[65], none[65], empty[65], none_again[65], hex[65];

	free(t->a->provs[TESTCA_BROKEN].disabled);
	t->a->provs[TESTCA_BROKEN].disabled = NULL;
	id_of(t, "ops", ",\"jti\":\"one\"", a);
	id_of(t, "ops", ",\"jti\":\"one\",\"sans\":[\"b\"]", b);
	id_of(t, "ops", ",\"jti\":\"two\"", other_jti);
	id_of(t, "broken", ",\"jti\":\"one\"", other_prov);
	id_of(t, "ops", "", none);
	id_of(t, "ops", "", none_again);
	id_of(t, "ops", ",\"jti\":\"\"", empty);

	buf_addf(&want, "ops:%s", t->kid);
	buf_addc(&want, '\0');
	buf_adds(&want, "one");
	assert_ok(digest_sha256_hex(buf_slice(&want), hex, &e));
	assert_string_equal(a, hex);
	assert_string_equal(a, b); /* the jti names it, whatever else it says */
	assert_string_not_equal(a, other_jti);
	assert_string_not_equal(a, other_prov); /* ids are kept apart by provisioner */
	assert_string_equal(none, none_again);  /* signed twice, the same token */
	assert_string_not_equal(none, empty);
	assert_string_not_equal(none, a);
}

/* For each ECDSA signature (r, s), (r, n-s) verifies as well: a second text of the same token. */
static void flip(struct buf *token)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf raw = BUF_INIT(64);
	AUTO(BN_clear_free_p) BIGNUM *n = NULL;
	AUTO(BN_clear_free_p) BIGNUM *s = NULL;
	uint8_t flipped[64];
	size_t start = token->n;
	while (token->p[start - 1] != '.')
		start--;
	assert_ok(b64_decode(&raw, slice_of(token->p + start, token->n - start), B64_URL_RAW, &e));
	assert_int_equal(raw.n, 64);
	assert_int_equal(BN_hex2bn(&n, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"), 64);
	s = BN_bin2bn(raw.p + 32, 32, NULL);
	assert_int_equal(BN_sub(s, n, s), 1);
	memcpy(flipped, raw.p, 32);
	assert_int_equal(BN_bn2binpad(s, flipped + 32, 32), 32);
	token->n = start;
	b64_encode(token, slice_of(flipped, sizeof flipped), B64_URL_RAW);
}

static void flipped_signature(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	for (int with_jti = 0; with_jti < 2; with_jti++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		AUTO(buf_done) struct buf before = BUF_INIT(JWS_MAX);
		AUTO(authorization_done) struct authorization first = { 0 };
		AUTO(authorization_done) struct authorization second = { 0 };
		struct ott_draft d = testca_draft("a");
		if (!with_jti)
			d.jti = NULL;
		testca_token(t, &d, &token);
		buf_add_slice(&before, buf_slice(&token));
		assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &first,
		                          &v, &e));
		assert_granted(v);
		flip(&token);
		assert_false(slice_eq(buf_slice(&before), buf_slice(&token)));
		assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &second,
		                          &v, &e));
		assert_granted(v);
		assert_string_equal(first.token_id, second.token_id);
	}
}

/* The same token in white space, and in flattened JSON serialization (RFC 7515 §7.2.2). */
static void other_spellings(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(buf_done) struct buf spaced = BUF_INIT(JWS_MAX);
	AUTO(buf_done) struct buf json = BUF_INIT(JWS_MAX);
	AUTO(authorization_done) struct authorization first = { 0 };
	struct ott_draft d = testca_draft("a");

	d.jti = NULL;
	testca_token(t, &d, &token);
	assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &first, &v, &e));
	assert_granted(v);
	buf_addf(&spaced, " \n%.30s\n  %s\n", buf_cstr(&token), buf_cstr(&token) + 30);
	size_t dot1 = slice_find(buf_slice(&token), '.');
	size_t dot2 = dot1 + 1 + slice_find(slice_of(token.p + dot1 + 1, token.n - dot1 - 1), '.');
	const char *s = buf_cstr(&token);
	buf_addf(&json, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%s\",\"header\":{\"x\":\"y\"}}",
	         (int)dot1, s, (int)(dot2 - dot1 - 1), s + dot1 + 1, s + dot2 + 1);
	const struct buf *texts[] = { &spaced, &json };
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		AUTO(authorization_done) struct authorization again = { 0 };
		assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(texts[i]), TESTCA_NOW, TESTCA_STORE_CREATED, &again,
		                          &v, &e));
		assert_granted(v);
		assert_string_equal(first.token_id, again.token_id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(audiences),
		cmocka_unit_test(names_of_the_ca),
		cmocka_unit_test(good_tokens),
		cmocka_unit_test(bad_tokens),
		cmocka_unit_test(endless_token),
		cmocka_unit_test(issued_at_check_can_be_lifted),
		cmocka_unit_test(without_a_database_a_token_says_its_age),
		cmocka_unit_test(no_token_flow),
		cmocka_unit_test(unbuilt_types),
		cmocka_unit_test(disabled),
		cmocka_unit_test(disabled_by_client_id),
		cmocka_unit_test(forged),
		cmocka_unit_test(ambiguous_id),
		cmocka_unit_test(broken),
		cmocka_unit_test(token_ids),
		cmocka_unit_test(flipped_signature),
		cmocka_unit_test(other_spellings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
