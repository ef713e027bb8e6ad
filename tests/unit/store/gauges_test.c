#include "store/gauges.h"

#include "faultvfs.h"
#include "fixture.h"

#include "base/macros.h"

/* --- what runs out ------------------------------------------------------------------------------------------------ */

enum { HOUR = 3600, DAY = 86400 };

static void add(struct world *w, const char *serial, const char *parent, int64_t left_s)
{
	struct change *c = parent ? change_renew(NULL, parent, serial) : change_issue(NULL, serial);
	c->cert.not_before.s = NOW_S - 100 * DAY;
	c->cert.not_after.s = NOW_S + left_s;
	memset(c->cert.key_fingerprint, serial[0], KEY_FINGERPRINT);
	memset(c->parent_key, serial[0], KEY_FINGERPRINT);
	assert_true(outcome_granted(world_apply(w, c)));
}

/* In steps of `max` lines; fails where that does not end. */
static struct store_census census(struct world *w, int max)
{
	struct store_census c = { 0 };
	bool more = true;
	for (int steps = 0; more; steps++) {
		struct error e = ERROR_INIT;
		assert_true(steps < 100);
		if (store_count(w->store, (struct wall){ NOW_S }, max, &c, &more, &e))
			fail_msg("%s", e.text);
	}
	return c;
}

static void assert_counts(const struct store_census *c, const int64_t want[STORE_LEFTS])
{
	for (int i = 0; i < STORE_LEFTS; i++)
		if (c->n[i] != want[i])
			fail_msg("kind %d: %lld, not %lld", i, (long long)c->n[i], (long long)want[i]);
}

static void lines_are_counted_by_their_newest_certificate(void **state)
{
	static const struct {
		const char *serial, *parent;
		int64_t left_s;
	} certs[] = {
		{ "10", NULL, -2 * DAY },                    /* ended too long ago to tell */
		{ "20", NULL, -DAY },                        /* just so */
		{ "30", NULL, -DAY + 1 }, { "40", NULL, 0 }, /* ended this second */
		{ "50", NULL, 1 },        { "60", NULL, HOUR },     { "70", NULL, HOUR + 1 },
		{ "80", NULL, 10 },       { "81", "80", 2 * DAY }, /* its successor counts, not it */
		{ "82", "81", 8 * DAY },  { "90", NULL, 90 * DAY }, { "100", NULL, 365 * DAY },
	};
	static const int64_t want[STORE_LEFTS] = { 2, 2, 3, 3, 3, 3, 4, 5, 6 }, none[STORE_LEFTS];
	static const enum store_kind kinds[] = { STORE_SQLITE, STORE_MEMORY };
	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		struct world *w = world_begin(kinds[k]);
		world_open(w);
		struct store_census c = census(w, 5);
		assert_counts(&c, none);
		for (size_t i = 0; i < COUNT_OF(certs); i++)
			add(w, certs[i].serial, certs[i].parent, certs[i].left_s);
		for (int max = 1; max <= 12; max++) {
			c = census(w, max);
			assert_counts(&c, want);
		}
		world_end(w);
	}
}

static void closed_lines_do_not_count(void **state)
{
	static const int64_t want[STORE_LEFTS] = { 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct world *w = world_begin(STORE_SQLITE);
	(void)state;
	world_open(w);
	add(w, "10", NULL, 200 * DAY);
	add(w, "20", NULL, 200 * DAY);
	struct change *close = change_revoke("t", "10");
	close->kind = CHANGE_REVOKE_LINE;
	close->scope = SCOPE_LINEAGE;
	assert_int_equal(world_apply(w, close), OUTCOME_DONE);
	struct store_census c = census(w, 100);
	assert_counts(&c, want);
	world_end(w);
}

/* --- how it is doing ---------------------------------------------------------------------------------------------- */

static void commits_and_files(void **state)
{
	struct store_gauges g;
	sqlite_only();
	struct world *w = world_begin(STORE_SQLITE);
	int64_t in_batches = 0;
	(void)state;
	w->conf.queue_max = 7;
	world_open(w);
	store_gauges(w->store, &g);
	assert_int_equal(g.commits, 0);
	assert_int_equal(g.queue_max, 7);
	assert_true(g.database_bytes > 0);
	assert_true(g.free_bytes > 0);
	add(w, "10", NULL, DAY);
	add(w, "20", NULL, DAY);
	store_gauges(w->store, &g);
	assert_int_equal(g.commits, 2);
	assert_int_equal(g.changes, 2);
	assert_int_equal(g.failed, 0);
	assert_int_equal(g.queue, 0);
	assert_int_equal(g.batches[0], 2);
	for (int i = 0; i < STORE_BATCH_BOUNDS; i++)
		in_batches += g.batches[i];
	assert_int_equal(in_batches, g.commits);
	assert_true(g.log_bytes > 0);
	world_end(w);
}

static void a_failed_commit_is_counted(void **state)
{
	struct store_gauges g;
	sqlite_only();
	struct world *w = world_begin(STORE_SQLITE);
	struct error e;
	enum outcome o;
	(void)state;
	world_open(w);
	faultvfs_arm(FAULT_ANY, 1, 1000, FAULT_EIO);
	assert_int_equal(store_apply(w->store, change_issue("t", "1"), &o, &e), ST_IO);
	assert_true(faultvfs_disarm() > 0);
	store_gauges(w->store, &g);
	assert_int_equal(g.failed, 1);
	assert_int_equal(g.commits, 0);
	assert_int_equal(g.changes, 0);
	assert_int_equal(world_apply(w, change_issue("t", "1")), OUTCOME_DONE);
	store_gauges(w->store, &g);
	assert_int_equal(g.failed, 1);
	assert_int_equal(g.commits, 1);
	world_end(w);
}

static void in_memory_there_are_no_files(void **state)
{
	struct store_gauges g;
	struct world *w = world_begin(STORE_MEMORY);
	(void)state;
	world_open(w);
	store_gauges(w->store, &g);
	assert_int_equal(g.database_bytes, -1);
	assert_int_equal(g.log_bytes, -1);
	assert_int_equal(g.free_bytes, -1);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_counted_by_their_newest_certificate),
		cmocka_unit_test(closed_lines_do_not_count),
		cmocka_unit_test(commits_and_files),
		cmocka_unit_test(a_failed_commit_is_counted),
		cmocka_unit_test(in_memory_there_are_no_files),
	};
	faultvfs_install();
	return cmocka_run_group_tests_name("store/gauges", tests, NULL, NULL);
}
