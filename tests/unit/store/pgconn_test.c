/* What ca.json's dataSource may say, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "store/libpq.h"
#include "store/pgconn.h"
#include <stdbool.h>
#include <string.h>

static const char *value(const struct pgconn *c, const char *key)
{
	const char *found = NULL;
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->keys[i], key)) {
			assert_null(found); /* once */
			found = c->values[i];
		}
	assert_null(c->keys[c->n]);
	return found;
}

static void expect(const char *source, const char *database, const char *key, const char *want)
{
	struct error e = ERROR_INIT;
	struct pgconn c = { 0 };
	if (pgconn_parse(source, database, &c, &e))
		fail_msg("%s: %s", source, e.text);
	const char *got = value(&c, key);
	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s: %s is %s, not %s", source, key, got ? got : "-", want ? want : "-");
	assert_null(strstr(c.shown, "s3cr3t"));
	assert_null(strstr(c.warning, "s3cr3t"));
	pgconn_done(&c);
}

static void ours_and_theirs(void **state)
{
	(void)state;
	const char *url = "postgresql://u:s3cr3t@db1,db2:5433/ca?sslmode=verify-full";
	expect(url, NULL, "host", "db1,db2");
	expect(url, NULL, "password", "s3cr3t");
	expect(url, NULL, "dbname", "ca");
	expect(url, "other", "dbname", "other");
	expect("postgresql://u@h", "other", "dbname", "other");
	expect("host=h user=u password=s3cr3t dbname=ca", NULL, "dbname", "ca");
	expect(url, NULL, "target_session_attrs", "read-write");
	expect("postgresql://h/ca?target_session_attrs=primary", NULL, "target_session_attrs", "primary");
	expect(url, NULL, "connect_timeout", "3");
	expect("postgresql://h/ca?connect_timeout=9", NULL, "connect_timeout", "9");
	expect(url, NULL, "tcp_user_timeout", "8000");
	expect(url, NULL, "application_name", "step-ca");
	expect(url, NULL, "options", NULL);
}

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *source, *want;
	} rows[] = {
		{ "postgresql://u:s3cr3t@h/ca?options=-csynchronous_commit%3Doff",
		  "the parameter options is not taken" },
		{ "service=s3cr3t", "the parameter service is not taken" },
		{ "postgresql://h/ca?replication=true", "the parameter replication is not taken" },
		{ "postgresql://u:s3cr3t@h/ca?target_session_attrs=any", "the CA writes" },
		{ "postgresql://u:s3cr3t@h/ca?target_session_attrs=standby", "the CA writes" },
		{ "postgresql://u:s3cr3t@h/ca?connect_timeout=0", "connect_timeout" },
		{ "postgresql://u:s3cr3t@h/ca?connect_timeout=61", "connect_timeout" },
		{ "postgresql://u:s3cr3t@h/ca?connect_timeout=x", "connect_timeout" },
		{ "postgresql://u:s3cr3t@h/ca?pool_max_conns=3", "libpq knows no parameter pool_max_conns" },
		{ "postgresql://u:s3cr3t%zz@h/ca", "not an address" },
		{ "postgresql://u:s3cr3t@[h/ca", "not an address" },
		{ "mysql://u:s3cr3t@h/ca", "not an address" },
		{ "u:s3cr3t@h/ca", "not an address" },
		{ "password='s3cr3t", "not an address" },
		{ "/var/lib/step-ca/s3cr3t", "not an address" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct pgconn c = { 0 };
		if (pgconn_parse(rows[i].source, NULL, &c, &e) != ST_INVALID)
			fail_msg("%s was taken: %s", rows[i].source, e.text);
		if (!strstr(e.text, rows[i].want) || strstr(e.text, "s3cr3t") || strstr(e.hint, "s3cr3t"))
			fail_msg("%s: %s", rows[i].source, e.text);
		assert_int_equal(c.n, 0);
	}
}

/* Said where the way to the database is not this machine's and not verified. */
static void warned_of(void **state)
{
	(void)state;
	static const struct {
		const char *source;
		bool warned;
	} rows[] = {
		{ "postgresql://db.example/ca", true },
		{ "postgresql://db.example/ca?sslmode=require", true },
		{ "postgresql://db.example/ca?sslmode=verify-ca", true },
		{ "postgresql://db.example/ca?sslmode=verify-full", false },
		{ "postgresql://localhost,db.example/ca", true },
		{ "postgresql://10.0.0.1/ca", true },
		{ "host=localhost hostaddr=10.0.0.1 dbname=ca", true },
		{ "postgresql://localhost/ca", false },
		{ "postgresql://127.0.0.1,[::1]/ca", false },
		{ "postgresql:///ca?host=/run/postgresql", false },
		{ "dbname=ca", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct pgconn c = { 0 };
		assert_int_equal(pgconn_parse(rows[i].source, NULL, &c, &e), ST_OK);
		if ((c.warning[0] != 0) != rows[i].warned)
			fail_msg("%s: \"%s\"", rows[i].source, c.warning);
		pgconn_done(&c);
	}
}

static int setup(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	return libpq_load(&e);
}

static const char *given(const struct pgconn_one *one, const char *key)
{
	for (size_t i = 0; one->keys[i]; i++)
		if (!strcmp(one->keys[i], key))
			return one->values[i];
	return "-";
}

/* Each server alone; where the lists do not fit each other, all as they stand, for libpq to say so. */
static void one_by_one(void **state)
{
	(void)state;
	static const struct {
		const char *source;
		size_t n, i;
		const char *host, *hostaddr, *port, *shown;
	} rows[] = {
		{ "postgresql://u@db1,db2:5433/ca", 2, 0, "db1", "-", "", "db1" },
		{ "postgresql://u@db1,db2:5433/ca", 2, 1, "db2", "-", "5433", "db2:5433" },
		{ "postgresql://a,b,c,d/ca", 4, 3, "d", "-", "", "d" },
		{ "host=a,b port=7 dbname=ca", 2, 0, "a", "-", "7", "a:7" },
		{ "host=a,b port=7 dbname=ca", 2, 1, "b", "-", "7", "b:7" },
		{ "host=a,b hostaddr=10.0.0.1,10.0.0.2 dbname=ca", 2, 1, "b", "10.0.0.2", "-", "b" },
		{ "hostaddr=10.0.0.1,10.0.0.2 port=1,2 dbname=ca", 2, 1, "-", "10.0.0.2", "2", "10.0.0.2:2" },
		{ "host=a hostaddr=10.0.0.1 dbname=ca", 1, 0, "a", "10.0.0.1", "-", "ca on a" },
		{ "host=a,b hostaddr=10.0.0.1 dbname=ca", 1, 0, "a,b", "10.0.0.1", "-", "ca on a,b" },
		{ "host=a,b,c port=1,2 dbname=ca", 1, 0, "a,b,c", "-", "1,2", "ca on a,b,c:1,2" },
		{ "host=a,b port=12345678901234567,2 dbname=ca", 1, 0, "a,b", "-", "12345678901234567,2",
		  "ca on a,b:12345678901234567,2" },
		{ "dbname=ca", 1, 0, "-", "-", "-", "ca on this machine" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct pgconn c = { 0 };
		struct pgconn_one one;
		if (pgconn_parse(rows[i].source, NULL, &c, &e))
			fail_msg("%s: %s", rows[i].source, e.text);
		assert_int_equal(pgconn_hosts(&c), rows[i].n);
		pgconn_one(&c, rows[i].i, &one);
		assert_string_equal(given(&one, "host"), rows[i].host);
		assert_string_equal(given(&one, "hostaddr"), rows[i].hostaddr);
		assert_string_equal(given(&one, "port"), rows[i].port);
		assert_string_equal(given(&one, "dbname"), "ca");
		assert_string_equal(given(&one, "target_session_attrs"), "read-write");
		assert_string_equal(one.shown, rows[i].shown);
		pgconn_done(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_and_theirs),
		cmocka_unit_test(refused),
		cmocka_unit_test(warned_of),
		cmocka_unit_test(one_by_one),
	};
	return cmocka_run_group_tests_name("store/pgconn", tests, setup, NULL);
}
