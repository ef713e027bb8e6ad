#include "decide.h"

#include "authority/constraints.h"

/* A certificate of these names; nobody asked whether it may be. */
static struct cert *leaf_of(const char *const *names, size_t n)
{
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *free_ca = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(authorization_done) struct authorization auth = { 0 };
	AUTO(issued_done) struct issued i = { 0 };
	struct ott_draft d = testca_draft("any common name");
	d.sans = names;
	d.sans_n = n;
	testca_token(free_ca, &d, &token);
	testca_csr(key, "", NULL, 0, &csr);
	assert_ok(authorize_token(free_ca->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v,
	                          &e));
	assert_ok(issue_sign(free_ca->a, &auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, test_serial, &i, &v,
	                     &e));
	assert_granted(v);
	return TAKE(i.cert);
}

static void names(void **state)
{
	(void)state;
	static const struct {
		const char *issuer, *root; /* permitted DNS */
		const char *names[3];
		const char *message;
	} rows[] = {
		{ NULL, NULL, { "anything" }, "" },
		{ "example", NULL, { "a.example" }, "" },
		{ "example", NULL, { "example" }, "" },
		{ "example", NULL, { "a.example", "b.c.example" }, "" },
		{ "example", NULL, { "*.example" }, "" },
		{ NULL, "example", { "a.example" }, "" },
		{ "a.example", "example", { "x.a.example" }, "" },
		/* RFC 5280 §4.2.1.10: a constraint restricts names of its own form only */
		{ "example", NULL, { "a.example", "10.0.0.1", "m@elsewhere" }, "" },
		{ "example", NULL, { "a.elsewhere" }, "DNS name \"a.elsewhere\" is not permitted by any constraint" },
		{ "example", NULL, { "notexample" }, "DNS name \"notexample\" is not permitted by any constraint" },
		{ "example",
		  NULL,
		  { "a.example", "10.0.0.1", "b.elsewhere" },
		  "DNS name \"b.elsewhere\" is not permitted by any constraint" },
		{ NULL, "example", { "a.elsewhere" }, "DNS name \"a.elsewhere\" is not permitted by any constraint" },
		{ "a.example",
		  "example",
		  { "b.example" },
		  "DNS name \"b.example\" is not permitted by any constraint" },
		{ "example",
		  "a.example",
		  { "b.example" },
		  "DNS name \"b.example\" is not permitted by any constraint" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v = VERDICT_GRANTED;
		size_t n = 0;
		while (n < COUNT_OF(rows[i].names) && rows[i].names[n])
			n++;
		AUTO(testca_free_p)
		struct testca *t = testca_new(
			&(struct testca_opts){ .permitted_dns = rows[i].issuer, .root_permitted_dns = rows[i].root });
		AUTO(cert_unref_p) struct cert *leaf = leaf_of(rows[i].names, n);
		assert_ok(constraints_check(t->a, leaf, &v, &e));
		assert_refused(v, *rows[i].message ? REFUSAL_FORBIDDEN : REFUSAL_NONE, rows[i].message,
		               rows[i].message);
		assert_int_equal(v.bare, v.refusal != REFUSAL_NONE);
	}
}

/* At signing, at renewal (of a certificate from before the constraint), and for the CA's own certificate. */
static void everywhere(void **state)
{
	(void)state;
	static const char denied[] = "DNS name \"a.elsewhere\" is not permitted by any constraint";
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(&(struct testca_opts){ .permitted_dns = "example" });
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(authorization_done) struct authorization auth = { 0 };
	AUTO(issued_done) struct issued i = { 0 };
	AUTO(cert_unref_p) struct cert *old = leaf_of((const char *[]){ "a.elsewhere" }, 1);
	AUTO(cert_unref_p) struct cert *own = NULL;
	struct ott_draft d = testca_draft("a.elsewhere");
	struct parent_facts facts = { 0 };

	testca_token(t, &d, &token);
	testca_csr(key, "", NULL, 0, &csr);
	assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v, &e));
	assert_ok(issue_sign(t->a, &auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, test_serial, &i, &v, &e));
	assert_refused(v, REFUSAL_FORBIDDEN, denied, "");
	assert_null(i.cert);
	assert_ok(issue_renewed(t->a, old, &facts, NULL, NULL, TESTCA_NOW, test_serial, &i, &v, &e));
	assert_refused(v, REFUSAL_FORBIDDEN, denied, "");
	assert_null(i.cert);
	assert_null(i.change);

	assert_ok(issue_listener(t->a, key, TESTCA_NOW, test_serial, &own, &e)); /* ca.example */
	cert_unref(TAKE(own));
	memcpy(t->a->dns_names[0], "elsewhere!", sizeof "ca.example" - 1);
	assert_int_equal(issue_listener(t->a, key, TESTCA_NOW, test_serial, &own, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "DNS name \"elsewhere!\" is not permitted by any constraint"));
	assert_null(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
