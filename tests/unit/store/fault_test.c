/* A disk that fails in every way and at every point: the batch fails as a whole, the store recovers when the disk does,
 * and nothing that was acknowledged is ever lost. */
#include "faultvfs.h"
#include "fixture.h"

#include "base/macros.h"
#include "fail.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PERENNIAL_TORTURE: every point, instead of a sample that the seed draws. */
static bool torture(void)
{
	return getenv("PERENNIAL_TORTURE") != NULL;
}

static const struct {
	const char *name;
	unsigned kinds, times;
	enum fault how;
	const char *text;
} faults[] = {
	{ "write: EIO", FAULT_WRITE, 1, FAULT_EIO, "the disk failed" },
	{ "write: EIO, for a while", FAULT_WRITE, 30, FAULT_EIO, "the disk failed" },
	{ "write: full", FAULT_WRITE, 1, FAULT_FULL, "the disk is full; free some space, no restart is needed" },
	{ "write: full, for a while", FAULT_WRITE, 30, FAULT_FULL, "the disk is full; free some space" },
	{ "write: cut short", FAULT_WRITE, 1, FAULT_SHORT, "the disk is full; free some space" },
	{ "sync", FAULT_SYNC, 1, FAULT_EIO, "the disk failed" },
	{ "sync, for a while", FAULT_SYNC, 3, FAULT_EIO, "the disk failed" },
	{ "truncate", FAULT_TRUNCATE, 1, FAULT_EIO, "the disk failed" },
	{ "all", FAULT_ANY, 1000, FAULT_EIO, "the disk failed" },
};

/* What a change's answer says about the database. */
struct deed {
	bool answered;
	enum status st;
	enum outcome outcome;
	char text[320], hint[128];
};

static void note(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	struct deed *d = ctx;
	d->answered = true;
	d->st = st;
	d->outcome = o;
	snprintf(d->text, sizeof(d->text), "%s", e->text);
	snprintf(d->hint, sizeof(d->hint), "%s", e->hint);
}

/* Certificate and token of number i: both there or neither. */
static bool stands(struct world *w, int i)
{
	char sql[160];
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM certs WHERE serial = '%d'", 1000 + i);
	int64_t cert = world_number(w, sql);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM tokens WHERE id = 't%d' AND serial = '%d'", i, 1000 + i);
	assert_int_equal(world_number(w, sql), cert);
	return cert;
}

static struct change *numbered(int i, size_t der)
{
	char token[32], serial[32];
	snprintf(token, sizeof(token), "t%d", i);
	snprintf(serial, sizeof(serial), "%d", 1000 + i);
	struct change *c = change_issue(token, serial);
	if (der)
		change_fill_der(c, der);
	return c;
}

static void check_deeds(struct world *w, const struct deed *d, int n, const char *name, unsigned at, const char *text)
{
	for (int i = 0; i < n; i++) {
		if (d[i].st == ST_OK) {
			if (!stands(w, i))
				fail_msg("%s %u: change %d was acknowledged and is lost", name, at, i);
			continue;
		}
		if (d[i].st != ST_IO || !strstr(d[i].text, text) || !strstr(d[i].text, "perennial.db: ") ||
		    !d[i].hint[0])
			fail_msg("%s %u: %s: %s (%s)", name, at, status_name(d[i].st), d[i].text, d[i].hint);
		stands(w, i); /* may or may not, but whole */
	}
}

/* One change, a batch of three, one more; the disk fails at its n-th operation from the batch on. */
static bool fail_at(size_t row, unsigned n)
{
	enum { DEEDS = 5 };
	struct world *w = world_begin(STORE_SQLITE);
	struct deed d[DEEDS] = { 0 };
	struct gate gate;
	world_open(w);
	store_submit(w->store, numbered(0, 0), note, &d[0]);
	gate_shut(&gate, w);
	faultvfs_arm(faults[row].kinds, n, faults[row].times, faults[row].how);
	for (int i = 1; i < 4; i++)
		store_submit(w->store, numbered(i, 0), note, &d[i]);
	gate_open(&gate);
	struct error e = ERROR_INIT;
	enum outcome o = OUTCOME_COUNT;
	d[4].st = store_apply(w->store, numbered(4, 0), &o, &e);
	snprintf(d[4].text, sizeof(d[4].text), "%s", e.text);
	snprintf(d[4].hint, sizeof(d[4].hint), "%s", e.hint);
	bool struck = faultvfs_disarm() > 0;
	assert_int_equal(d[0].st, ST_OK);
	assert_int_equal(d[1].st, d[2].st); /* a batch stands or falls as one */
	assert_int_equal(d[1].st, d[3].st);

	/* The disk is well again, and so is the store: what failed is tried again and finds itself, or is new. */
	for (int i = 0; i < DEEDS; i++)
		assert_int_equal(world_apply(w, numbered(i, 0)), OUTCOME_DONE);
	if (!struck)
		for (int i = 0; i < DEEDS; i++)
			assert_int_equal(d[i].st, ST_OK);
	check_deeds(w, d, DEEDS, faults[row].name, n, faults[row].text);
	world_check(w);
	world_end(w);
	return struck;
}

static void test_batch(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		unsigned n = 1;
		while (fail_at(i, n))
			n++;
		/* nothing is truncated on this path, except after a failure */
		assert_true(n > 1 || faults[i].kinds == FAULT_TRUNCATE);
	}
}

static bool fail_open_at(size_t row, unsigned n)
{
	struct world *w = world_begin(STORE_SQLITE);
	struct error e = ERROR_INIT;
	faultvfs_arm(faults[row].kinds, n, faults[row].times, faults[row].how);
	enum status st = store_open(&w->conf, &w->store, &e);
	bool struck = faultvfs_disarm() > 0;
	if (st && (st != ST_IO || !strstr(e.text, faults[row].text)))
		fail_msg("%s %u: %s: %s", faults[row].name, n, status_name(st), e.text);
	if (st) {
		assert_null(w->store);
		assert_true(struck);
		world_open(w);
	}
	assert_int_equal(world_apply(w, numbered(0, 0)), OUTCOME_DONE);
	world_close(w);
	assert_true(stands(w, 0));
	world_check(w);
	world_end(w);
	return struck;
}

static void test_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		for (unsigned n = 1; fail_open_at(i, n); n++)
			;
}

/* Certificates so long that the log is brought into the database every few dozen; the disk fails somewhere. */
enum { LONG_DEEDS = 60, LONG_DER = 200000 };

static void long_run(struct world *w, struct deed *d)
{
	for (int i = 0; i < LONG_DEEDS; i++) {
		struct error e = ERROR_INIT;
		d[i].st = store_apply(w->store, numbered(i, LONG_DER), &d[i].outcome, &e);
		snprintf(d[i].text, sizeof(d[i].text), "%s", e.text);
		snprintf(d[i].hint, sizeof(d[i].hint), "%s", e.hint);
	}
}

static void test_checkpoint(void **state)
{
	(void)state;
	uint64_t seed = seed_start("store/fault checkpoint");
	static struct deed d[LONG_DEEDS];
	for (int round = 0; round < (torture() ? 100 : 8); round++) {
		size_t row = seed_next(&seed) % COUNT_OF(faults);
		unsigned span = faults[row].kinds == FAULT_WRITE ? 9000 : faults[row].kinds == FAULT_SYNC ? 70 : 4;
		unsigned n = 1 + (unsigned)(seed_next(&seed) % span);
		struct world *w = world_begin(STORE_SQLITE);
		world_open(w);
		faultvfs_arm(faults[row].kinds, n, faults[row].times, faults[row].how);
		long_run(w, d);
		faultvfs_disarm();
		assert_int_equal(world_apply(w, change_burn("well again")), OUTCOME_DONE);
		world_close(w);
		check_deeds(w, d, LONG_DEEDS, faults[row].name, n, faults[row].text);
		world_check(w);
		world_end(w);
	}
}

/* The power goes at any instant, also some time after a sync that failed and took its writes with it. */
static void power_cut(uint64_t *seed, size_t der, unsigned span)
{
	static struct deed d[LONG_DEEDS];
	struct world *w = world_begin(STORE_SQLITE);
	memset(d, 0, sizeof(d));
	world_open(w);
	faultvfs_record();
	bool ghosts = seed_next(seed) % 2;
	int done = 0;
	struct error e;
	if (ghosts) {
		faultvfs_arm(FAULT_SYNC, 1 + (unsigned)(seed_next(seed) % 12), 1 + (unsigned)(seed_next(seed) % 2),
		             FAULT_EIO);
		for (; done < 20; done++)
			d[done].st = store_apply(w->store, numbered(done, der), &d[done].outcome, &e);
		faultvfs_disarm();
	}
	unsigned at = 1 + (unsigned)(seed_next(seed) % span);
	faultvfs_arm(FAULT_ANY, at, 1, FAULT_CUT);
	for (; done < LONG_DEEDS; done++)
		d[done].st = store_apply(w->store, numbered(done, der), &d[done].outcome, &e);
	world_close(w);
	faultvfs_disarm();
	faultvfs_power_back(seed);
	char shm[220];
	snprintf(shm, sizeof(shm), "%s-shm", w->database); /* shared memory does not survive */
	remove(shm);

	world_open(w);
	for (int i = 0; i < done; i++)
		if (!d[i].st && !stands(w, i))
			fail_msg("power cut at %u%s: change %d was acknowledged and is lost", at,
			         ghosts ? " after a failed sync" : "", i);
	world_check(w);
	assert_int_equal(world_apply(w, change_burn("power is back")), OUTCOME_DONE);
	world_end(w);
}

static void test_power_cut(void **state)
{
	(void)state;
	uint64_t seed = seed_start("store/fault power cut");
	for (int i = 0; i < (torture() ? 500 : 40); i++)
		power_cut(&seed, 0, 600);
	for (int i = 0; i < (torture() ? 60 : 5); i++)
		power_cut(&seed, LONG_DER, 8000);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* SQLite's memory through our own malloc, which fail.h makes fail. */
static void *mem_get(int n)
{
	return malloc((size_t)n);
}

static void *mem_change(void *p, int n)
{
	return realloc(p, (size_t)n);
}

static int mem_size(void *p)
{
	return p ? (int)malloc_usable_size(p) : 0;
}

static int mem_round(int n)
{
	return (n + 7) & ~7;
}

static int mem_init(void *ctx)
{
	(void)ctx;
	return SQLITE_OK;
}

static void mem_done(void *ctx)
{
	(void)ctx;
}

static void memory_through_us(void)
{
	static sqlite3_mem_methods mem = { mem_get, free, mem_change, mem_size, mem_round, mem_init, mem_done, NULL };
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mem), SQLITE_OK);
}

/* Opens, applies, reads, closes; the n-th allocation fails. */
static bool nomem_at(enum store_kind kind, unsigned n)
{
	struct world *w = world_begin(kind);
	struct error e = ERROR_INIT;
	enum outcome o = OUTCOME_COUNT;
	struct cert_row r = { 0 };
	struct change *c = numbered(0, 0);
	enum status applied = ST_AGAIN, found = ST_AGAIN;
	fail_arm(FAIL_ALLOC, n, 0);
	enum status st = store_open(&w->conf, &w->store, &e);
	if (!st) {
		applied = store_apply(w->store, c, &o, &e);
		c = NULL;
		found = store_find_cert(w->store, "1000", &r, &e);
	}
	bool struck = fail_disarm();
	change_free(c);
	cert_row_done(&r);
	if (st && st != ST_NOMEM)
		fail_msg("allocation %u: %s: %s", n, status_name(st), e.text);
	if (!st) {
		assert_true(applied == ST_OK || applied == ST_NOMEM);
		assert_true(found == ST_OK || found == ST_NOMEM || (applied && found == ST_MISSING));
		assert_int_equal(world_apply(w, numbered(0, 0)), OUTCOME_DONE);
	}
	if (kind == STORE_SQLITE) {
		if (st)
			world_open(w);
		world_close(w);
		assert_true(st || stands(w, 0));
		world_check(w);
	}
	world_end(w);
	return struck;
}

static void nomem_everywhere(enum store_kind kind, uint64_t *seed)
{
	unsigned stride = torture() ? 1 : 16;
	for (unsigned n = 1; nomem_at(kind, n); n += n < 40 ? 1 : 1 + (unsigned)(seed_next(seed) % stride))
		;
}

static void test_nomem(void **state)
{
	(void)state;
	uint64_t seed = seed_start("store/fault memory");
	nomem_everywhere(STORE_SQLITE, &seed);
	nomem_everywhere(STORE_MEMORY, &seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch),     cmocka_unit_test(test_open),  cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_power_cut), cmocka_unit_test(test_nomem),
	};
	memory_through_us();
	faultvfs_install();
	return cmocka_run_group_tests_name("store/fault", tests, NULL, NULL);
}
