/* The revocation list under a clock that the test moves: never old, and back by itself after a failure. */
#include "server/crl.h"

#include "crypto/keyfile.h"
#include "server/state.h"
#include "testca.h"
#include "tmpdir.h"
#include "x509/crl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

static void when_the_next_is_made(void **state)
{
	static const struct {
		int64_t cache_s, renew_s, after_s;
	} rows[] = {
		{ 86400, 57600, 57600 }, { 86400, 86400, 82080 }, { 86400, 1, 1 },
		{ 100, 96, 95 },         { 10, 10, 9 },           { 1, 1, 0 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(crl_renew_at((struct wall){ 1000 }, rows[i].cache_s, rows[i].renew_s).s,
		                 1000 + rows[i].after_s);
}

static void what_has_left_the_list(void **state)
{
	static const struct wall now = { 1000000 };
	(void)state;
	assert_int_equal(crl_ended_before(now, 60, false, now).s, 1000000 - 3600);
	assert_int_equal(crl_ended_before(now, 86400, false, now).s, 1000000 - 86400);
	/* after a long stop: what ended since the last list has never been on one issued after its end */
	assert_int_equal(crl_ended_before(now, 60, true, (struct wall){ 5 }).s, 5);
	assert_int_equal(crl_ended_before(now, 60, true, (struct wall){ 999999 }).s, 1000000 - 3600);
}

static void how_soon_again(void **state)
{
	(void)state;
	assert_int_equal(crl_retry_ms(1), 1000);
	assert_int_equal(crl_retry_ms(2), 2000);
	assert_int_equal(crl_retry_ms(6), 32000);
	assert_int_equal(crl_retry_ms(7), 60000);
	assert_int_equal(crl_retry_ms(UINT32_MAX), 60000);
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

struct world {
	char dir[TMPDIR_PATH];
	struct testca *t;
	struct wall born;
	int64_t after_s; /* the server's clock: born plus this */
	struct clock clock;
	struct server *server;
};

static struct wall world_wall(void *ctx)
{
	struct world *w = ctx;
	return (struct wall){ w->born.s + __atomic_load_n(&w->after_s, __ATOMIC_SEQ_CST) };
}

static struct mono world_mono(void *ctx)
{
	(void)ctx;
	return clock_mono(&clock_system);
}

static void go_on(struct world *w, int64_t s)
{
	__atomic_add_fetch(&w->after_s, s, __ATOMIC_SEQ_CST);
}

static void save(const struct world *w, const char *name, const struct buf *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text->p, 1, text->n, f), text->n);
	fclose(f);
}

static void save_cert(const struct world *w, const char *name, const struct cert *c)
{
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	cert_format_pem(c, &text);
	save(w, name, &text);
}

static void write_config(const struct world *w, const char *crl)
{
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	buf_addf(
		&text,
		"{\"root\":\"%s/root\",\"crt\":\"%s/crt\",\"key\":\"%s/key\",\"address\":\"127.0.0.1:0\",\"threads\":1,"
		"\"adminSocket\":\"%s/admin.sock\",\"crl\":%s,\"db\":{\"type\":\"sqlite\",\"dataSource\":\"%s/db\"},"
		"\"authority\":{\"provisioners\":[]}}",
		w->dir, w->dir, w->dir, w->dir, crl, w->dir);
	save(w, "ca.json", &text);
}

static void start(struct world *w)
{
	struct error e = ERROR_INIT;
	char path[128];
	snprintf(path, sizeof path, "%s/ca.json", w->dir);
	struct server_conf conf = {
		.config_path = path, .clock = &w->clock, .entropy = &entropy_system, .quiet = true
	};
	assert_ok(server_start(&conf, &w->server, &e));
}

static void stop(struct world *w)
{
	server_stop(w->server);
	w->server = NULL;
}

static void restart(struct world *w)
{
	stop(w);
	start(w);
}

static int set_up(void **state)
{
	struct error e = ERROR_INIT;
	struct world *w = calloc(1, sizeof *w);
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	w->born.s = time(NULL);
	w->clock = (struct clock){ world_wall, world_mono, w };
	w->t = testca_new(&(struct testca_opts){ .now = w->born });
	tmpdir_make(w->dir);
	save_cert(w, "root", w->t->root);
	save_cert(w, "crt", w->t->issuer);
	assert_ok(keyfile_format(w->t->issuer_key, KEYFILE_NATIVE, SLICE_NONE, &text, &e));
	save(w, "key", &text);
	write_config(w, "{\"enabled\":true,\"generateOnRevoke\":true,\"cacheDuration\":\"1h\"}");
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	server_stop(w->server);
	testca_free(w->t);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static void db_exec_outside(const struct world *w, const char *sql)
{
	char path[128];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/db/perennial.db", w->dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Number of the list that is served now; -1: none. It is good at this time, whatever else. */
static int64_t served(struct world *w)
{
	struct wall now = world_wall(w);
	struct crl_doc *d = crl_doc_get(w->server, now);
	if (!d)
		return -1;
	int64_t number = crl_doc_facts(d)->number;
	assert_true(now.s < crl_doc_facts(d)->next_update.s);
	crl_doc_unref(d);
	return number;
}

/* Until a list above this number is served. */
static void wait_for_list(struct world *w, int64_t above)
{
	for (int i = 0; i < 6000 && served(w) <= above; i++)
		usleep(10000);
	assert_true(served(w) > above);
}

static bool is_listed(struct world *w, const char *serial)
{
	struct error e;
	struct crl_facts f;
	struct crl_entry entry;
	bool found = false;
	struct crl_doc *d = crl_doc_get(w->server, world_wall(w));
	assert_non_null(d);
	assert_ok(crl_parse(crl_doc_facts(d)->der, &f, &e));
	assert_ok(crl_signed_by(&f, w->t->issuer, &e));
	assert_ok(crl_find(&f, serial, &found, &entry, &e));
	crl_doc_unref(d);
	return found;
}

static void revoke_one(struct world *w, const char *serial, int64_t ends_s)
{
	char sql[256];
	snprintf(sql, sizeof sql,
	         "INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, revoked_at, not_after)"
	         " VALUES ('%s', 1, '', '', 0, %lld, %lld)",
	         serial, (long long)world_wall(w).s, (long long)(w->born.s + ends_s));
	db_exec_outside(w, sql);
	crl_service_revoked(w->server->crl);
}

/* --- stories ------------------------------------------------------------------------------------------------------ */

static void fresh_whatever_the_clock_does(void **state)
{
	struct world *w = *state;
	start(w);
	assert_int_equal(served(w), 0); /* there before the first request */
	go_on(w, 3599);
	assert_int_equal(served(w), 0);
	go_on(w, 1);
	assert_int_equal(served(w), -1); /* asks for the next */
	wait_for_list(w, 0);
	assert_int_equal(served(w), 1);
	go_on(w, 1000000);
	assert_int_equal(served(w), -1);
	wait_for_list(w, 1);
	go_on(w, -1000000); /* put back: nobody else takes it for valid yet */
	crl_service_nudge(w->server->crl);
	wait_for_list(w, 2);
}

static void before_its_end(void **state)
{
	struct world *w = *state;
	start(w);
	go_on(w, 2399); /* two thirds of an hour, less one */
	crl_service_nudge(w->server->crl);
	revoke_one(w, "7", 90000);
	wait_for_list(w, 0);
	assert_true(is_listed(w, "7"));
	assert_int_equal(served(w), 1); /* for the revocation alone */
	go_on(w, 2400);
	crl_service_nudge(w->server->crl);
	wait_for_list(w, 1);
}

static void the_stored_one_is_served(void **state)
{
	struct world *w = *state;
	start(w);
	restart(w);
	assert_int_equal(served(w), 0);
	go_on(w, 2400);
	restart(w);
	assert_int_equal(served(w), 1); /* due at the start */
	stop(w);
	write_config(w, "{\"enabled\":true,\"cacheDuration\":\"2h\",\"idpURL\":\"http://x/y\"}");
	start(w);
	assert_int_equal(served(w), 2); /* another configuration */
	restart(w);
	assert_int_equal(served(w), 2);
	revoke_one(w, "7", 90000); /* without generateOnRevoke: at the next start */
	restart(w);
	assert_int_equal(served(w), 3);
	assert_true(is_listed(w, "7"));
}

static void a_bad_one_is_not_served(void **state)
{
	static const char *const damage[] = {
		"UPDATE crls SET der = x'00'",
		"UPDATE crls SET der = x''",
		"UPDATE crls SET der = CAST(substr(der, 1, length(der) - 1) || x'00' AS BLOB)",
		"UPDATE crls SET der = zeroblob(40000000)",
	};
	struct world *w = *state;
	start(w);
	for (size_t i = 0; i < COUNT_OF(damage); i++) {
		int64_t before = served(w);
		stop(w);
		db_exec_outside(w, damage[i]);
		start(w);
		wait_for_list(w, before);
		assert_false(is_listed(w, "7"));
	}
}

static void off_the_list_after_its_end(void **state)
{
	struct world *w = *state;
	start(w);
	revoke_one(w, "7", 1800);
	wait_for_list(w, 0);
	assert_true(is_listed(w, "7"));
	/* it stands on one list that is issued after its end, however late that is */
	go_on(w, 100000);
	wait_for_list(w, 1);
	assert_true(is_listed(w, "7"));
	go_on(w, 3601);
	wait_for_list(w, 2);
	assert_false(is_listed(w, "7"));
}

static uint64_t failures(void)
{
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	metrics_write(&text);
	const char *at = strstr(buf_cstr(&text), "\nstep_ca_crl_failures_total ");
	assert_non_null(at);
	return strtoull(at + 28, NULL, 10);
}

static void back_after_a_failure(void **state)
{
	struct world *w = *state;
	start(w);
	uint64_t before = failures();
	db_exec_outside(w, "ALTER TABLE crl_number RENAME TO away");
	go_on(w, 2400);
	crl_service_nudge(w->server->crl);
	for (int i = 0; i < 6000 && failures() == before; i++)
		usleep(10000);
	assert_true(failures() > before);
	assert_int_equal(served(w), 0); /* still good */
	go_on(w, 1200);
	assert_int_equal(served(w), -1); /* not any more */
	db_exec_outside(w, "ALTER TABLE away RENAME TO crl_number");
	wait_for_list(w, 0); /* by itself */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_the_next_is_made),
		cmocka_unit_test(what_has_left_the_list),
		cmocka_unit_test(how_soon_again),
		cmocka_unit_test_setup_teardown(fresh_whatever_the_clock_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(before_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_stored_one_is_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bad_one_is_not_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(off_the_list_after_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(back_after_a_failure, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
