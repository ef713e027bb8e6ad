/* X5C tokens: whose certificates make them, and how far they go. */
#include "decide.h"

#include "authority/revoke.h"
#include "base/b64.h"
#include "jose/auto.h"
#include "x509/certwriter.h"
#include "x509/name.h"
#include "x509/profile.h"

#include <stdlib.h>

#define AUD "https://ca.example:9000/1.0/sign#x5c/x5c"

struct fixture {
	struct testca *t, *other; /* "x5c" of t trusts the root of other */
	EVP_PKEY *key;
	struct issued leaf; /* of other */
};

static void trust_root_of(struct testca *t, const struct testca *whose)
{
	struct error e = ERROR_INIT;
	struct provisioner *p = &t->a->provs[TESTCA_X5C];
	chain_done(&p->roots);
	trust_free(TAKE(p->credentials));
	assert_ok(chain_add(&p->roots, whose->root, &e));
	assert_ok(trust_new(&p->roots, false, &p->credentials, &e));
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->t = testca_new(NULL);
	f->other = testca_new(NULL);
	f->key = testca_key(KEY_EC, "P-256", 0);
	trust_root_of(f->t, f->other);
	testca_issue(f->other, f->key, "alice", TESTCA_NOW, &f->leaf);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	issued_done(&f->leaf);
	EVP_PKEY_free(f->key);
	testca_free(f->t);
	testca_free(f->other);
	free(f);
	return 0;
}

static void add_x5c(json_t *list, const struct cert *c)
{
	AUTO(buf_done) struct buf text = BUF_INIT(2 * CERT_MAX);
	b64_encode(&text, cert_facts(c)->der, B64_STD);
	assert_int_equal(json_array_append_new(list, json_string(buf_cstr(&text))), 0);
}

/* What is unusual about a token; all zero: a good one of f->leaf. */
struct wish {
	const struct cert *leaf, *intermediate; /* NULL: f->leaf, and its issuer */
	EVP_PKEY *key;
	const char *member, *aud, *iss, *sub;
	bool alone;
	int64_t after_s; /* TESTCA_NOW plus this is now, and the token's iat */
};

static void make_token(const struct fixture *f, const struct wish *x, struct buf *out)
{
	struct error e = ERROR_INIT;
	json_t *list = json_array();
	AUTO(json_decref_p) json_t *header = json_pack("{s:s, s:o}", "kid", "any", x->member ? x->member : "x5c", list);
	struct wall now = { TESTCA_NOW.s + x->after_s };
	add_x5c(list, x->leaf ? x->leaf : f->leaf.cert);
	if (!x->alone)
		add_x5c(list, x->intermediate ? x->intermediate : f->other->issuer);
	struct ott_draft d = { .aud = x->aud ? x->aud : AUD,
		               .iss = x->iss ? x->iss : "x5c",
		               .sub = x->sub ? x->sub : "srv.example",
		               .jti = "one",
		               .iat = now,
		               .nbf = now,
		               .exp = { now.s + 300 } };
	assert_ok(ott_format(&d, header, x->key ? x->key : f->key, out, &e));
}

static void judge(const struct fixture *f, enum operation op, const struct wish *x, struct authorization *ret,
                  struct verdict *v)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	make_token(f, x, &token);
	assert_ok(authorize_token(f->t->a, op, buf_slice(&token), (struct wall){ TESTCA_NOW.s + x->after_s },
	                          TESTCA_STORE_CREATED, ret, v, &e));
}

static void good(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		enum operation op;
		struct wish x;
	} rows[] = {
		{ OP_SIGN, { 0 } },
		{ OP_SIGN, { .aud = "https://127.0.0.1/sign#x5c/x5c" } },
		{ OP_SIGN, { .aud = "/step-certificate-authority#x5c/x5c" } },
		{ OP_SIGN, { .after_s = 86400 } }, /* its last second */
		{ OP_REVOKE, { .aud = "https://ca.example/1.0/revoke#x5c/x5c", .sub = "123" } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		AUTO(authorization_done) struct authorization auth = { 0 };
		judge(f, rows[i].op, &rows[i].x, &auth, &v);
		assert_granted(v);
		assert_ptr_equal(auth.prov, &f->t->a->provs[TESTCA_X5C]);
		assert_int_equal(auth.credential.n, 2);
		assert_false(auth.credential_ours);
	}
}

static struct cert *shaped(const struct testca *t, EVP_PKEY *key, unsigned key_usage, const char *eku)
{
	struct error e = ERROR_INIT;
	struct cert *cert;
	AUTO(buf_done) struct buf subject = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf spki = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf x = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	struct name_attrs names = { .common_name = "alice" };
	assert_ok(name_encode(&names, &subject, &e));
	assert_ok(key_spki(key, &spki, &e));
	if (key_usage)
		ext_add_key_usage(&x, key_usage);
	if (eku)
		ext_add_ext_key_usage(&x, &eku, 1);
	ext_add_authority_key_id(&x, cert_facts(t->issuer)->subject_key_id);
	struct cert_draft d = { .serial = SLICE_LIT("\x11"),
		                .issuer = cert_facts(t->issuer)->subject,
		                .subject = buf_slice(&subject),
		                .spki = buf_slice(&spki),
		                .not_before = { TESTCA_NOW.s - 60 },
		                .not_after = { TESTCA_NOW.s + 3600 },
		                .extensions = buf_slice(&x) };
	assert_ok(cert_write(&d, t->a->signer, &der, &e));
	assert_ok(cert_parse(buf_slice(&der), &cert, &e));
	return cert;
}

static void bad(void **state)
{
	const struct fixture *f = *state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued ours = { 0 };
	AUTO(cert_unref_p) struct cert *server = shaped(f->other, f->key, KU_DIGITAL_SIGNATURE, OID_SERVER_AUTH);
	AUTO(cert_unref_p) struct cert *mute = shaped(f->other, f->key, KU_KEY_ENCIPHERMENT, OID_CLIENT_AUTH);
	AUTO(cert_unref_p) struct cert *silent = shaped(f->other, f->key, 0, OID_CLIENT_AUTH);
	testca_issue(f->t, f->key, "alice", TESTCA_NOW, &ours);
	const struct {
		struct wish x;
		const char *reason;
	} rows[] = {
		{ { .key = key }, "signature" },
		{ { .leaf = ours.cert, .intermediate = f->t->issuer }, "unknown authority" },
		{ { .alone = true }, "unknown authority" },
		{ { .intermediate = f->t->issuer }, "x509: " },
		{ { .after_s = 86401 }, "expired" },
		{ { .after_s = -61 }, "not yet valid" },
		{ { .leaf = server }, "incompatible key usage" },
		{ { .leaf = mute }, "lacks digitalSignature" },
		{ { .leaf = silent }, "lacks digitalSignature" },
		{ { .leaf = f->other->root, .key = f->other->root_key }, "lacks digitalSignature" },
		{ { .leaf = f->other->issuer, .key = f->other->issuer_key }, "lacks digitalSignature" },
		{ { .member = "x5cInsecure" }, "no certificates in x5c" },
		{ { .iss = "ops" }, "issuer (iss)" },
		{ { .sub = "" }, "subject (sub)" },
		/* another operation's, or none of ours */
		{ { .aud = "https://ca.example/1.0/revoke#x5c/x5c" }, "not for this operation" },
		{ { .aud = "https://elsewhere/1.0/sign#x5c/x5c" }, "no provisioner fits" },
		/* without the fragment it is a JWK provisioner's, and there is none of that name */
		{ { .aud = "https://ca.example/1.0/sign" }, "no provisioner fits" },
		{ { .aud = "https://ca.example/1.0/sign#x5c/other" }, "no provisioner fits" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		struct authorization auth = { .token_id = "untouched" };
		judge(f, OP_SIGN, &rows[i].x, &auth, &v);
		if (v.refusal != REFUSAL_UNAUTHORIZED)
			fail_msg("row %zu: not refused", i);
		assert_refused(v, REFUSAL_UNAUTHORIZED, "", rows[i].reason);
		assert_string_equal(auth.token_id, "untouched");
	}
}

static void without_roots(void **state)
{
	const struct fixture *f = *state;
	struct verdict v;
	struct authorization auth = { 0 };
	trust_free(TAKE(f->t->a->provs[TESTCA_X5C].credentials));
	judge(f, OP_SIGN, &(struct wish){ 0 }, &auth, &v);
	assert_refused(v, REFUSAL_UNAUTHORIZED, "provisioner \"x5c\" is disabled due to an initialization error",
	               "no roots");
}

/* A JWK provisioner's token is judged by its key, whatever certificates it brings along. */
static void x5c_in_a_jwk_token(void **state)
{
	const struct fixture *f = *state;
	struct error e = ERROR_INIT;
	struct verdict v;
	json_t *list = json_array();
	AUTO(json_decref_p) json_t *header = json_pack("{s:s, s:o}", "kid", f->t->kid, "x5c", list);
	add_x5c(list, f->leaf.cert);
	for (int own = 0; own < 2; own++) {
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		AUTO(authorization_done) struct authorization auth = { 0 };
		struct ott_draft d = testca_draft("a.example");
		assert_ok(ott_format(&d, header, own ? f->t->prov_key : f->key, &token, &e));
		assert_ok(authorize_token(f->t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth,
		                          &v, &e));
		assert_int_equal(v.refusal, own ? REFUSAL_NONE : REFUSAL_UNAUTHORIZED);
		assert_int_equal(auth.credential.n, 0);
	}
}

/* --- how far it goes --- */

static void sign(const struct fixture *f, const struct wish *x, const char *cn, const char *not_before,
                 const char *not_after, struct issued *ret, struct verdict *v)
{
	struct error e = ERROR_INIT;
	AUTO(authorization_done) struct authorization auth = { 0 };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(csr_done) struct csr csr = { 0 };
	judge(f, OP_SIGN, x, &auth, v);
	assert_granted(*v);
	testca_csr(key, cn, NULL, 0, &csr);
	struct sign_request q = { &csr, slice_cstr(not_before), slice_cstr(not_after) };
	assert_ok(issue_sign(f->t->a, &auth, &q, (struct wall){ TESTCA_NOW.s + x->after_s }, test_serial, ret, v, &e));
}

static void limits(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		int64_t after_s;
		const char *cn, *not_before, *not_after;
		const char *refused; /* NULL: granted */
		int64_t end_s;       /* TESTCA_NOW plus this */
	} rows[] = {
		/* the default is cut to the credential's end, 2030-03-18 17:46:40 */
		{ 0, "", NULL, NULL, NULL, 86400 },
		{ 3600, "srv.example", NULL, NULL, NULL, 86400 },
		{ 0, "", NULL, "8h", NULL, 8 * 3600 },
		{ 0, "", NULL, "2030-03-18T17:46:40Z", NULL, 86400 },
		{ 0, "", "1h", "8h", NULL, 9 * 3600 },
		{ 0, "", "-1m", NULL, NULL, 86400 - 60 }, /* the very first second */
		{ 0, "", NULL, "2030-03-18T17:46:41Z",
		  "requested certificate notAfter (2030-03-18 17:46:41 +0000 UTC) is after the expiration of the "
		  "provisioning credential (2030-03-18 17:46:40 +0000 UTC)",
		  0 },
		{ 3600, "", NULL, "24h",
		  "requested certificate notAfter (2030-03-18 18:46:40 +0000 UTC) is after the expiration of the "
		  "provisioning credential (2030-03-18 17:46:40 +0000 UTC)",
		  0 },
		{ 0, "", "-61s", NULL,
		  "requested certificate notBefore (2030-03-17 17:45:39 +0000 UTC) is before the active validity "
		  "window of "
		  "the provisioning credential (2030-03-17 17:45:40 +0000 UTC)",
		  0 },
		/* what is left may be too short */
		{ 86400 - 60, "", NULL, NULL,
		  "requested duration of 2m0s is less than the authorized minimum certificate duration of 5m0s", 0 },
		/* the common name is the subject, not any name */
		{ 0, "other.example", NULL, NULL,
		  "certificate request does not contain the valid common name - got other.example, want srv.example",
		  0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		AUTO(issued_done) struct issued out = { 0 };
		sign(f, &(struct wish){ .after_s = rows[i].after_s }, rows[i].cn, rows[i].not_before, rows[i].not_after,
		     &out, &v);
		if (rows[i].refused) {
			assert_refused(v, REFUSAL_FORBIDDEN, rows[i].refused, "");
			continue;
		}
		if (v.refusal)
			fail_msg("row %zu: %s", i, v.reason);
		assert_int_equal(cert_facts(out.cert)->not_after.s, TESTCA_NOW.s + rows[i].end_s);
		assert_false(out.clamped); /* not by the issuer */
		assert_int_equal(cert_facts(out.cert)->provisioner.type, PROV_X5C);
		assert_string_equal(cert_facts(out.cert)->provisioner.name, "x5c");
		assert_string_equal(cert_facts(out.cert)->provisioner.credential_id, "");
		assert_string_equal(out.change->cert.provisioner_id, "x5c/x5c");
	}
}

/* The store is told whose key signed; a serial only where it is one of ours. */
static void booked(void **state)
{
	const struct fixture *f = *state;
	for (int own = 0; own < 2; own++) {
		struct verdict v;
		struct cert_row row;
		struct error e = ERROR_INIT;
		AUTO(issued_done) struct issued leaf = { 0 };
		AUTO(issued_done) struct issued out = { 0 };
		trust_root_of(f->t, own ? f->t : f->other);
		testca_issue(own ? f->t : f->other, f->key, "alice", TESTCA_NOW, &leaf);
		sign(f, &(struct wish){ .leaf = leaf.cert, .intermediate = own ? f->t->issuer : NULL }, "", NULL, NULL,
		     &out, &v);
		assert_granted(v);
		assert_true(out.change->has_credential);
		assert_string_equal(out.change->credential, own ? cert_facts(leaf.cert)->serial_text : "");
		assert_ok(cert_row_of(leaf.cert, TESTCA_NOW, &row, &e));
		assert_memory_equal(out.change->credential_key, row.key_fingerprint, KEY_FINGERPRINT);
		assert_int_equal(strlen(out.change->token_id), 64);
		cert_row_done(&row);
	}
}

static void revokes_its_own_only(void **state)
{
	const struct fixture *f = *state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(authorization_done) struct authorization auth = { 0 };
	AUTO(change_free_p) struct change *c = NULL;
	const struct revoke_request q = { SLICE_LIT("123"), 1, SLICE_NONE, true };
	judge(f, OP_REVOKE, &(struct wish){ .aud = "https://ca.example/1.0/revoke#x5c/x5c", .sub = "123" }, &auth, &v);
	assert_granted(v);
	assert_ok(revoke_decide(&q, "123", &auth, NULL, TESTCA_NOW, &c, &v, &e));
	assert_granted(v);
	assert_true(c->own_only);
	assert_true(c->has_credential);
	assert_string_equal(c->provisioner_id, "x5c/x5c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_roots, set_up, tear_down),
		cmocka_unit_test_setup_teardown(x5c_in_a_jwk_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(booked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(revokes_its_own_only, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
