#include "fixture.h"

#include "base/macros.h"
#include <stdio.h>
#include <string.h>

#define H INT64_C(3600)
#define DAY (24 * H)

/* A certificate, its line given by serial of the first; times relative to NOW_S. */
struct cert_fact {
	const char *serial, *parent;
	int64_t not_after;
};

static struct change *change_at(const struct cert_fact *f)
{
	struct change *c = f->parent ? change_renew(NULL, f->parent, f->serial) : change_issue(NULL, f->serial);
	c->cert.not_after.s = NOW_S + f->not_after;
	return c;
}

/* Prunes until nothing more goes; how much went. */
static int64_t prune_all(struct world *w)
{
	int64_t sum = 0, removed = 1;
	struct error e = ERROR_INIT;
	while (removed) {
		if (store_prune(w->store, &removed, &e))
			fail_msg("store_prune: %s", e.text);
		sum += removed;
	}
	return sum;
}

struct prune_row {
	const char *name;
	int64_t keep_expired_s, renewable_after_expiry_s;
	struct cert_fact certs[6];
	const char *revoked[3];
	const char *sql; /* done to the database before */
	int64_t later;   /* the clock moves by this before pruning */
	const char *certs_left, *revocations_left, *lines_left;
};

static const struct prune_row rows[] = {
	{ "nothing has expired", 0, 0, { { "1", NULL, 10 } }, { "1" }, NULL, 0, "1", "1", "1" },
	{ "expires this second", 0, 0, { { "1", NULL, 10 } }, { "1" }, NULL, 10, "1", "1", "1" },
	{ "expired a second ago", 0, 0, { { "1", NULL, 10 } }, { "1" }, NULL, 11, "-", "-", "-" },
	{ "kept for a day", DAY, 0, { { "1", NULL, 10 } }, { "1" }, NULL, DAY + 10, "1", "1", "1" },
	{ "kept for a day, which is over", DAY, 0, { { "1", NULL, 10 } }, { "1" }, NULL, DAY + 11, "-", "-", "-" },
	{ "kept for ever", -1, 0, { { "1", NULL, 10 } }, { "1" }, NULL, 9000 * DAY, "1", "1", "1" },

	{ "renewable for ever", 0, -1, { { "1", NULL, 10 } }, { "1" }, NULL, 9000 * DAY, "-", "1", "-" },
	{ "renewable for a week", 0, 7 * DAY, { { "1", NULL, 10 } }, { "1" }, NULL, 7 * DAY + 10, "-", "1", "-" },
	{ "renewable for a week, which is over",
	  0,
	  7 * DAY,
	  { { "1", NULL, 10 } },
	  { "1" },
	  NULL,
	  7 * DAY + 11,
	  "-",
	  "-",
	  "-" },
	{ "revoked, but nobody knows until when it is valid",
	  0,
	  0,
	  { { "1", NULL, 10 } },
	  { "77" },
	  NULL,
	  9000 * DAY,
	  "-",
	  "77",
	  "-" },
	{ "a revocation stays as long as its certificate is shown",
	  30 * DAY,
	  0,
	  { { "1", NULL, 10 } },
	  { "1" },
	  NULL,
	  DAY,
	  "1",
	  "1",
	  "1" },

	{ "a living child keeps its ancestors",
	  0,
	  0,
	  { { "1", NULL, 10 }, { "2", "1", 20 }, { "3", "2", 5 * DAY } },
	  { "1" },
	  NULL,
	  DAY,
	  "1,2,3",
	  "1",
	  "1" },
	{ "a living sibling too",
	  0,
	  0,
	  { { "1", NULL, 10 }, { "2", "1", 20 }, { "3", "1", 5 * DAY } },
	  { NULL },
	  NULL,
	  DAY,
	  "1,2,3",
	  "-",
	  "1" },
	{ "a living parent keeps an expired child",
	  0,
	  0,
	  { { "1", NULL, 5 * DAY }, { "2", "1", 20 } },
	  { NULL },
	  NULL,
	  DAY,
	  "1,2",
	  "-",
	  "1" },
	{ "an expired line goes whole",
	  0,
	  0,
	  { { "1", NULL, 10 }, { "2", "1", 20 }, { "3", "2", 5 * DAY } },
	  { NULL },
	  NULL,
	  5 * DAY + 1,
	  "-",
	  "-",
	  "-" },
	{ "a line that is just not old enough goes not at all",
	  H,
	  0,
	  { { "1", NULL, 10 }, { "2", "1", 20 } },
	  { NULL },
	  NULL,
	  H + 20,
	  "1,2",
	  "-",
	  "1" },
	{ "lines do not keep each other",
	  0,
	  0,
	  { { "1", NULL, 10 }, { "5", NULL, 5 * DAY }, { "2", "1", 20 } },
	  { NULL },
	  NULL,
	  DAY,
	  "5",
	  "-",
	  "5" },
	{ "an imported line",
	  0,
	  0,
	  { { "2", "900", 10 }, { "3", "901", 5 * DAY } },
	  { NULL },
	  NULL,
	  DAY,
	  "3",
	  "-",
	  "901" },

	{ "a closed line stays while its certificates could be renewed",
	  0,
	  7 * DAY,
	  { { "1", NULL, 10 }, { "2", "1", 20 }, { "5", NULL, 10 } },
	  { NULL },
	  "UPDATE lines SET closed_at = 1 WHERE serial = '1'",
	  DAY,
	  "1,2",
	  "-",
	  "1" },
	{ "a closed line, renewable for ever",
	  0,
	  -1,
	  { { "1", NULL, 10 } },
	  { NULL },
	  "UPDATE lines SET closed_at = 1",
	  9000 * DAY,
	  "1",
	  "-",
	  "1" },
	{ "a closed line that nobody could renew from",
	  0,
	  7 * DAY,
	  { { "1", NULL, 10 }, { "2", "1", 20 } },
	  { NULL },
	  "UPDATE lines SET closed_at = 1",
	  7 * DAY + 21,
	  "-",
	  "-",
	  "-" },
	{ "a closed line is kept as the rule says",
	  9 * DAY,
	  7 * DAY,
	  { { "1", NULL, 10 } },
	  { NULL },
	  "UPDATE lines SET closed_at = 1",
	  8 * DAY,
	  "1",
	  "-",
	  "1" },
	{ "blocked keys stay",
	  0,
	  0,
	  { { "1", NULL, 10 } },
	  { NULL },
	  "INSERT INTO blocked_keys VALUES (x'00', '', 1); INSERT INTO revocations VALUES ('k', 0, '', '', 0, NULL, 0, "
	  "NULL, 0)",
	  9000 * DAY,
	  "-",
	  "k",
	  "-" },
};

static void expect_serials(struct world *w, const struct prune_row *r, const char *table, const char *want)
{
	char sql[160], text[256];
	snprintf(sql, sizeof(sql), "SELECT group_concat(serial) FROM (SELECT serial FROM %s ORDER BY serial) o", table);
	world_text(w, sql, text, sizeof(text));
	if (strcmp(text, want) != 0)
		fail_msg("%s: %s holds %s, not %s", r->name, table, text, want);
}

static void test_policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct prune_row *r = &rows[i];
		struct world *w = world_begin(STORE_SQLITE);
		w->conf.keep_expired_s = r->keep_expired_s;
		w->conf.renewable_after_expiry_s = r->renewable_after_expiry_s;
		world_open(w);
		for (size_t k = 0; k < COUNT_OF(r->certs) && r->certs[k].serial; k++)
			world_apply(w, change_at(&r->certs[k]));
		for (size_t k = 0; k < COUNT_OF(r->revoked) && r->revoked[k]; k++)
			world_apply(w, change_revoke(NULL, r->revoked[k]));
		if (r->sql)
			world_exec(w, r->sql);
		w->wall_s += r->later;
		prune_all(w);
		expect_serials(w, r, "certs", r->certs_left);
		expect_serials(w, r, "revocations", r->revocations_left);
		expect_serials(w, r, "lines", r->lines_left);
		assert_int_equal(prune_all(w), 0);
		world_end(w);
	}
}

/* Seen: a reload that allowed renewal long after expiry, and revocations that went by the rule of before it. */
static void a_reload_left_the_old_rule(void **state)
{
	(void)state;
	const struct cert_fact one = { "1", NULL, 10 };
	struct world *w = world_begin(STORE_SQLITE);
	char text[64];
	w->conf.keep_expired_s = 0;
	w->conf.renewable_after_expiry_s = 7 * DAY;
	world_open(w);
	world_apply(w, change_at(&one));
	world_apply(w, change_revoke(NULL, "1"));
	store_set_rule(w->store, &(struct store_conf){ .keep_expired_s = 0, .renewable_after_expiry_s = 30 * DAY });
	w->wall_s += 20 * DAY;
	prune_all(w);
	world_text(w, "SELECT group_concat(serial) FROM revocations", text, sizeof(text));
	assert_string_equal(text, "1");
	store_set_rule(w->store, &w->conf);
	prune_all(w);
	world_text(w, "SELECT group_concat(serial) FROM revocations", text, sizeof(text));
	assert_string_equal(text, "-");
	world_end(w);
}

/* A token stays for exp + leeway + 1 h, and however short it was, as long from the moment it was used. */
static void test_tokens(void **state)
{
	(void)state;
	static const struct {
		int64_t exp, later;
		bool stays;
	} token_rows[] = {
		{ 300, 0, true },
		{ 300, 301, true },
		{ 300, 300 + 60 + H, true },
		{ 300, 300 + 60 + H + 1, false },
		{ 300, 100 * DAY, false },
		{ -NOW_S, 60 + H, true }, /* no exp at all: counted from its use */
		{ -NOW_S, 60 + H + 1, false },
		{ -50, 60 + H, true },
		{ 365 * DAY, 364 * DAY, true },
	};
	for (size_t i = 0; i < COUNT_OF(token_rows); i++) {
		struct world *w = world_begin(i % 2 ? STORE_SQLITE : STORE_MEMORY);
		struct change *c = change_burn("t");
		struct error e;
		bool used;
		c->token_exp.s = NOW_S + token_rows[i].exp;
		world_open(w);
		world_apply(w, c);
		w->wall_s += token_rows[i].later;
		assert_int_equal(prune_all(w), !token_rows[i].stays);
		assert_int_equal(store_token_used(w->store, "t", &used, &e), ST_OK);
		assert_int_equal(used, token_rows[i].stays);
		world_end(w);
	}
}

/* Serials 1 .. n, each a line of `generations`, all expired after an hour but those divisible by `alive`. */
static void fill(struct world *w, int n, int alive)
{
	char sql[600];
	snprintf(sql, sizeof(sql),
	         "WITH RECURSIVE s(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM s WHERE i < %d) INSERT INTO lines "
	         "(id, serial)"
	         " SELECT i, CAST(i AS TEXT) FROM s",
	         n);
	world_exec(w, sql);
	snprintf(sql, sizeof(sql),
	         "WITH RECURSIVE s(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM s WHERE i < %d) INSERT INTO certs"
	         " SELECT i, CAST(i AS TEXT), '', '', '', '', 0, x'00', 1, 0, %lld + (CASE WHEN i %% %d <> 0 THEN 0 "
	         "ELSE 864000 END), 0, "
	         "NULL, i, 0, 0,"
	         " x'00', 0 FROM s",
	         n, (long long)NOW_S, alive);
	world_exec(w, sql);
	/* and an ancestor of each, expired long ago, so that a sweep meets the unprunable first */
	snprintf(sql, sizeof(sql),
	         "INSERT INTO certs SELECT 100000 + id, 'p' || serial, '', '', '', '', 0, x'00', 1, 0, 1000, 0, NULL, "
	         "line, 0, "
	         "0, x'00', 0"
	         " FROM certs");
	world_exec(w, sql);
}

/* A step is small; a sweep finds everything, behind however much that stays. */
static void test_steps(void **state)
{
	(void)state;
	enum { N = 3000, ALIVE = 3 };
	struct world *w = world_begin(STORE_SQLITE);
	struct error e;
	int64_t removed, sum = 0, steps = 0;
	struct store_stats stats;
	w->conf.keep_expired_s = 0;
	w->conf.renewable_after_expiry_s = 0;
	world_open(w);
	fill(w, N, ALIVE);
	w->wall_s += H;
	for (;; steps++) {
		assert_int_equal(store_prune(w->store, &removed, &e), ST_OK);
		if (!removed)
			break;
		assert_true(removed <= 200);
		sum += removed;
	}
	assert_int_equal(sum, 2 * (N - N / ALIVE));
	assert_true(steps >= sum / 200);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 2 * (N / ALIVE));
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs WHERE line % 3 <> 0"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM lines"), N / ALIVE);
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.pruned, sum);
	world_check(w);
	world_end(w);
}

/* In the background, when its time has come by the store's clock and nobody waits. */
static void test_background(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct store_stats stats = { 0 };
	struct error e;
	w->conf.keep_expired_s = 0;
	w->conf.prune_interval_s = 600;
	world_open(w);
	fill(w, 500, 2);
	__atomic_store_n(&w->wall_s, NOW_S + H, __ATOMIC_SEQ_CST);
	world_apply(w, change_burn("early"));
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.pruned, 0);
	__atomic_store_n(&w->mono_ns, INT64_C(600) * 1000000000, __ATOMIC_SEQ_CST);
	world_apply(w, change_burn("due")); /* wakes the writer, which then finds that it is time */
	while (stats.pruned < 500)
		assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.pruned, 500);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 500);
	world_end(w);
}

/* The sweep must not sort or scan what it does not need. */
static void test_plans(void **state)
{
	(void)state;
	static const char *const plans[] = {
		"EXPLAIN QUERY PLAN SELECT c.id, NOT EXISTS (SELECT 1 FROM certs d WHERE d.line = c.line AND "
		"d.not_after >= 5)"
		" FROM certs c CROSS JOIN lines l ON l.id = c.line WHERE (c.not_after, c.id) > (1, 2) AND c.not_after "
		"< 9"
		" ORDER BY c.not_after, c.id LIMIT 5",
		"EXPLAIN QUERY PLAN SELECT rowid FROM tokens WHERE exp < 5 ORDER BY exp LIMIT 5",
		"EXPLAIN QUERY PLAN SELECT 1 FROM certs WHERE line = 5",
	};
	sqlite_only();
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	for (size_t i = 0; i < COUNT_OF(plans); i++) {
		char text[512], sql[700];
		sqlite3 *h = NULL;
		sqlite3_stmt *s = NULL;
		snprintf(sql, sizeof(sql), "%s", plans[i]);
		assert_int_equal(sqlite3_open(w->database, &h), SQLITE_OK);
		assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &s, NULL), SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW) {
			snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(s, 3));
			if (strstr(text, "TEMP B-TREE") || strncmp(text, "SCAN c", 6) == 0 ||
			    strncmp(text, "SCAN t", 6) == 0)
				fail_msg("plan %zu: %s", i, text);
		}
		sqlite3_finalize(s);
		sqlite3_close(h);
	}
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy), cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_steps),  cmocka_unit_test(test_background),
		cmocka_unit_test(test_plans),  cmocka_unit_test(a_reload_left_the_old_rule),
	};
	return cmocka_run_group_tests_name("store/prune", tests, NULL, NULL);
}
