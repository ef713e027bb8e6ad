#include "decide.h"

#include "x509/trust.h"

#include <stdlib.h>

static void listener(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(cert_unref_p) struct cert *c = NULL;
	AUTO(trust_free_p) struct trust *trust = NULL;
	static const char *const want[] = { OID_KEY_USAGE, OID_EXT_KEY_USAGE, OID_SUBJECT_KEY_ID, OID_AUTHORITY_KEY_ID,
		                            OID_SUBJECT_ALT_NAME };
	static const char *const hosts[] = { "ca.example", "127.0.0.1", "::1" };
	struct ext x;
	size_t n = 0;

	t->a->backdate_ns = DURATION_H;                       /* always one minute, whatever is configured */
	t->a->provs[TESTCA_OPS].claims.max_ns = DURATION_MIN; /* no claims count */
	t->a->subject.country = text_dup(slice_cstr("DE"));   /* nor the template */
	assert_ok(issue_listener(t->a, key, TESTCA_NOW, test_serial, &c, &e));
	const struct cert_facts *f = cert_facts(c);
	assert_string_equal(f->common_name, "Step Online CA");
	assert_int_equal(f->not_before.s, TESTCA_NOW.s - 60);
	assert_int_equal(f->not_after.s, TESTCA_NOW.s + 86400);
	assert_false(f->has_provisioner || f->is_ca);
	assert_int_equal(f->key_usage, KU_DIGITAL_SIGNATURE);
	assert_true(f->eku_server_auth && f->eku_client_auth);
	for (struct slice rest = f->extensions; rest.n; n++) {
		assert_ok(ext_next(&rest, &x, &e));
		assert_true(n < COUNT_OF(want));
		assert_string_equal(x.oid, want[n]);
	}
	assert_int_equal(n, COUNT_OF(want));
	assert_ok(trust_new(&t->a->roots, false, &trust, &e));
	assert_ok(trust_verify(trust, c, &t->a->issuers, TESTCA_NOW, TRUST_SERVER, &e));
	for (size_t i = 0; i < COUNT_OF(hosts); i++)
		assert_ok(cert_matches_host(c, hosts[i], &e));
	assert_int_equal(cert_matches_host(c, "other.example", &e), ST_DENIED);
}

static void listener_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum status want;
		enum san_type type;
		const char *text;
	} rows[] = {
		{ "[fd00::1]", ST_OK, SAN_IP, "fd00::1" }, /* brackets are for URLs */
		{ "fd00::1", ST_OK, SAN_IP, "fd00::1" },
		{ "10.0.0.1", ST_OK, SAN_IP, "10.0.0.1" },
		{ "ca.internal", ST_OK, SAN_DNS, "ca.internal" },
		{ "[]", ST_OK, SAN_DNS, "[]" },
		{ "c\xc3\xa4.internal", ST_INVALID, SAN_DNS, NULL },
		{ "c\na", ST_INVALID, SAN_DNS, NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(testca_free_p) struct testca *t = testca_new(NULL);
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
		AUTO(cert_unref_p) struct cert *c = NULL;
		free(t->a->dns_names[0]);
		t->a->dns_names[0] = text_dup(slice_cstr(rows[i].name));
		assert_int_equal(issue_listener(t->a, key, TESTCA_NOW, test_serial, &c, &e), rows[i].want);
		if (rows[i].want)
			assert_non_null(strstr(e.text, "dnsNames[0]: "));
		else
			assert_true(san_list_has(cert_facts(c)->sans, rows[i].type, rows[i].text));
	}
}

static void listener_at_the_end(void **state)
{
	(void)state;
	static const struct {
		int64_t left_s;
		enum status want;
		int64_t to;
	} rows[] = { { 3600, ST_OK, 3600 }, { 86400, ST_OK, 86400 }, { 86401, ST_OK, 86400 }, { -1, ST_EXPIRED, 0 } };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(testca_free_p)
		struct testca *t = testca_new(&(struct testca_opts){ .issuer_left_s = rows[i].left_s });
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
		AUTO(cert_unref_p) struct cert *c = NULL;
		assert_int_equal(issue_listener(t->a, key, TESTCA_NOW, test_serial, &c, &e), rows[i].want);
		if (rows[i].want)
			assert_non_null(strstr(e.text, "issuer certificate expired on 2030-03-17 17:46:39 +0000 UTC"));
		else
			assert_int_equal(cert_facts(c)->not_after.s - TESTCA_NOW.s, rows[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listener),
		cmocka_unit_test(listener_names),
		cmocka_unit_test(listener_at_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
