#include "decide.h"
#include "fail.h"

#include <stdlib.h>

static void names(void **state)
{
	(void)state;
	for (enum outcome o = 0; o < OUTCOME_COUNT; o++) {
		assert_non_null(outcome_name(o));
		for (enum outcome p = 0; p < o; p++)
			assert_string_not_equal(outcome_name(o), outcome_name(p));
	}
	assert_string_equal(outcome_name(OUTCOME_DONE), "done");
	assert_string_equal(outcome_name(OUTCOME_TOKEN_USED), "token-used");
	assert_string_equal(outcome_name(OUTCOME_COUNT), "?");
	assert_string_equal(line_scope_name(SCOPE_LINEAGE), "lineage");
	assert_string_equal(line_scope_name(SCOPE_DESCENDANTS), "descendants");
	assert_string_equal(line_scope_name(SCOPE_COUNT), "?");
	assert_string_equal(outcome_name((enum outcome) - 1), "?");
}

static void row_of_a_leaf(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued i = { 0 };
	AUTO(cert_row_done) struct cert_row r = { 0 };
	uint8_t fingerprint[32];
	char id[64];

	testca_issue(t, key, "10.0.0.1", TESTCA_NOW, &i);
	assert_ok(cert_row_of(i.cert, (struct wall){ 42 }, &r, &e));
	assert_string_equal(r.serial, cert_facts(i.cert)->serial_text);
	assert_string_equal(r.line, r.serial);
	assert_string_equal(r.parent, "");
	assert_int_equal(r.generation, 0);
	assert_true(slice_eq(buf_slice(&r.der), cert_facts(i.cert)->der));
	assert_string_equal(r.subject, "10.0.0.1");
	assert_string_equal(r.sans, "10.0.0.1");
	snprintf(id, sizeof id, "ops:%s", t->kid);
	assert_string_equal(r.provisioner_id, id);
	assert_string_equal(r.provisioner_name, "ops");
	assert_int_equal(r.provisioner_type, PROV_JWK);
	assert_ok(key_fingerprint(key, fingerprint, &e));
	assert_memory_equal(r.key_fingerprint, fingerprint, sizeof fingerprint);
	assert_int_equal(r.not_before.s, TESTCA_NOW.s - 60);
	assert_int_equal(r.not_after.s, TESTCA_NOW.s + 86400);
	assert_int_equal(r.granted_s, 86460);
	assert_int_equal(r.created.s, 42);
}

/* Strings are never NULL, also where there is nothing to say. */
static void row_of_a_root(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(cert_row_done) struct cert_row r = { 0 };
	assert_ok(cert_row_of(t->root, TESTCA_NOW, &r, &e));
	assert_string_equal(r.serial, "1");
	assert_string_equal(r.subject, "Test Root CA");
	assert_string_equal(r.sans, "");
	assert_string_equal(r.provisioner_id, "");
	assert_string_equal(r.provisioner_name, "");
	assert_int_equal(r.provisioner_type, 0);
}

static void memory_runs_out(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued i = { 0 };
	unsigned n = 1;

	testca_issue(t, key, "a.example", TESTCA_NOW, &i);
	for (;; n++) {
		AUTO(cert_row_done) struct cert_row r = { 0 };
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = cert_row_of(i.cert, TESTCA_NOW, &r, &e);
		if (!fail_disarm())
			break;
		assert_int_equal(st, ST_NOMEM);
		assert_null(r.subject);
	}
	assert_true(n > 4);
	change_free(NULL);
	struct change *c = change_new(CHANGE_BURN);
	assert_int_equal(c->kind, CHANGE_BURN);
	change_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(row_of_a_leaf),
		cmocka_unit_test(row_of_a_root),
		cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
