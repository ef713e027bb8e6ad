#include "fixture.h"

#include "base/macros.h"
#include <pthread.h>
#include <stdio.h>

static void test_find_cert(void **state)
{
	(void)state;
	static const enum store_kind kinds[] = { STORE_SQLITE, STORE_MEMORY };
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct world *w = world_begin(kinds[i]);
		struct cert_row r = { 0 };
		struct error e = ERROR_INIT;
		world_open(w);
		struct change *c = change_issue("t", "340282366920938463463374607431768211455");
		c->cert.not_before.s = -5; /* before 1970: the store keeps what it is given */
		world_apply(w, c);
		world_apply(w, change_renew(NULL, "340282366920938463463374607431768211455", "2"));
		assert_int_equal(store_find_cert(w->store, "340282366920938463463374607431768211455", &r, &e), ST_OK);
		assert_string_equal(r.serial, "340282366920938463463374607431768211455");
		assert_int_equal(r.der.n, 900);
		assert_memory_equal(r.der.p, "340282366920938463463374607431768211455.3402", 44);
		assert_string_equal(r.subject, "host.example");
		assert_string_equal(r.sans, "host.example\n10.0.0.1");
		assert_string_equal(r.provisioner_id, "admin:KID");
		assert_string_equal(r.provisioner_name, "admin");
		assert_int_equal(r.provisioner_type, 1);
		assert_int_equal(r.key_fingerprint[31], 'K');
		assert_int_equal(r.not_before.s, -5);
		assert_int_equal(r.not_after.s, NOW_S + 3600);
		assert_int_equal(r.granted_s, 3660);
		assert_string_equal(r.parent, "");
		assert_string_equal(r.line, "340282366920938463463374607431768211455");
		assert_int_equal(r.generation, 0);
		assert_int_equal(r.created.s, NOW_S);
		cert_row_done(&r);
		assert_int_equal(store_find_cert(w->store, "2", &r, &e), ST_OK);
		assert_string_equal(r.parent, "340282366920938463463374607431768211455");
		assert_string_equal(r.line, "340282366920938463463374607431768211455");
		assert_int_equal(r.generation, 1);
		cert_row_done(&r);
		world_end(w);
	}
}

/* A change whose texts are missing is written with empty ones, and read back so. */
static void test_missing_texts(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct cert_row r = { 0 };
	struct error e = ERROR_INIT;
	world_open(w);
	struct change *c = change_new(CHANGE_ISSUE), *v = change_new(CHANGE_REVOKE);
	snprintf(c->cert.serial, sizeof(c->cert.serial), "7");
	snprintf(v->serial, sizeof(v->serial), "7");
	change_fill_der(c, 10);
	assert_int_equal(world_apply(w, c), OUTCOME_DONE);
	assert_int_equal(world_apply(w, v), OUTCOME_DONE);
	assert_int_equal(store_find_cert(w->store, "7", &r, &e), ST_OK);
	assert_string_equal(r.subject, "");
	assert_string_equal(r.provisioner_id, "");
	assert_string_equal(r.line, "7");
	cert_row_done(&r);
	world_end(w);
}

static void test_unknown(void **state)
{
	(void)state;
	static const char *const serials[] = { "", "2", "01", "1 ", "abc", "' OR 1 --" };
	struct world *w = world_begin(STORE_SQLITE);
	struct cert_row r = { .generation = 77 };
	struct error e = ERROR_INIT;
	bool yes = true;
	world_open(w);
	world_apply(w, change_issue("t", "1"));
	world_apply(w, change_revoke(NULL, "1"));
	for (size_t i = 0; i < COUNT_OF(serials); i++) {
		assert_int_equal(store_find_cert(w->store, serials[i], &r, &e), ST_MISSING);
		assert_int_equal(r.generation, 77); /* untouched */
		yes = true;
		assert_int_equal(store_is_revoked(w->store, serials[i], &yes, &e), ST_OK);
		assert_false(yes);
		yes = true;
		assert_int_equal(store_token_used(w->store, serials[i], &yes, &e), ST_OK);
		assert_false(yes);
	}
	assert_int_equal(store_is_revoked(w->store, "1", &yes, &e), ST_OK);
	assert_true(yes);
	yes = false;
	assert_int_equal(store_token_used(w->store, "t", &yes, &e), ST_OK);
	assert_true(yes);
	world_end(w);
}

/* More readers than connections, while the writer writes: every acknowledged change is seen. */
enum { READERS = 12, READS = 60 };

static void *reader_main(void *arg)
{
	struct world *w = arg;
	static int next;
	for (int i = 0; i < READS; i++) {
		char serial[32];
		struct cert_row r = { 0 };
		struct error e;
		enum outcome o;
		snprintf(serial, sizeof(serial), "%d", 1 + __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST));
		if (store_apply(w->store, change_issue(NULL, serial), &o, &e) || o != OUTCOME_DONE ||
		    store_find_cert(w->store, serial, &r, &e) || strcmp(r.serial, serial) != 0)
			return arg;
		cert_row_done(&r);
	}
	return NULL;
}

static void read_own_writes(enum store_kind kind)
{
	struct world *w = world_begin(kind);
	pthread_t threads[READERS];
	world_open(w);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader_main, w), 0);
	for (int i = 0; i < READERS; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	world_end(w);
}

static void test_read_own_writes(void **state)
{
	(void)state;
	read_own_writes(STORE_SQLITE);
}

static void test_read_own_writes_in_memory(void **state)
{
	(void)state;
	read_own_writes(STORE_MEMORY);
}

static void test_import(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct error e = ERROR_INIT;
	size_t fresh = 99;
	bool yes;
	struct store_revocation v[] = {
		{ "11", 1, "key compromise", { 1700000000 } },
		{ "12", 0, NULL, { 1700000001 } },
		{ "11", 4, "again", { 1700000002 } },
		{ "13", 0, "", { 1700000003 } },
	};
	world_open(w);
	world_apply(w, change_issue("t", "13"));
	world_apply(w, change_revoke(NULL, "13"));
	assert_int_equal(store_import_revocations(w->store, v, COUNT_OF(v), &fresh, &e), ST_OK);
	assert_int_equal(fresh, 2);
	assert_int_equal(store_import_revocations(w->store, v, COUNT_OF(v), &fresh, &e), ST_OK);
	assert_int_equal(fresh, 0);
	assert_int_equal(store_import_revocations(w->store, v, 0, &fresh, &e), ST_OK);
	assert_int_equal(fresh, 0);
	assert_int_equal(world_number(w, "SELECT reason_code FROM revocations WHERE serial = '11'"), 1);
	assert_int_equal(world_number(w, "SELECT revoked_at FROM revocations WHERE serial = '12'"), 1700000001);
	assert_int_equal(world_apply(w, change_renew(NULL, "12", "50")), OUTCOME_PARENT_REVOKED);

	/* All or none, and the store lives on. */
	struct store_revocation bad[] = { { "21", 0, "", { 0 } }, { "0x16", 0, "", { 0 } } };
	fresh = 99;
	assert_int_equal(store_import_revocations(w->store, bad, COUNT_OF(bad), &fresh, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "revocation 2"));
	assert_int_equal(fresh, 99);
	assert_int_equal(store_is_revoked(w->store, "21", &yes, &e), ST_OK);
	assert_false(yes);
	assert_int_equal(world_apply(w, change_issue("t2", "14")), OUTCOME_DONE);
	world_end(w);
}

static void test_import_to_memory(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_MEMORY);
	struct error e = ERROR_INIT;
	struct store_revocation v = { "11", 1, "", { 0 } };
	size_t fresh;
	world_open(w);
	assert_int_equal(store_import_revocations(w->store, &v, 1, &fresh, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "keeps no revocations"));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_cert),
		cmocka_unit_test(test_missing_texts),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_read_own_writes),
		cmocka_unit_test(test_read_own_writes_in_memory),
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_import_to_memory),
	};
	return cmocka_run_group_tests_name("store/read", tests, NULL, NULL);
}
