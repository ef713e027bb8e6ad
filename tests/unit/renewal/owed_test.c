#include "renewal/owed.h"

#include "dice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { HOUR = 3600, DAY = 86400 };

#define NOW INT64_C(1900000000)
#define HALF (UINT64_C(1) << 63)

static const struct pair_cert cert = { "1", { NOW - 60 }, { NOW + DAY } };

static struct owed_id id_of(int n)
{
	struct owed_id id = { { 0 } };
	id.b[0] = (uint8_t)n;
	return id;
}

static struct wall at(int64_t s)
{
	return (struct wall){ NOW + s };
}

/* Hooks of a usual pair, in this order: 0 reload, 1 notify, 2 probe, 3 on failure, 4 on expiring. */
enum { RELOAD, NOTIFY, PROBE, MAIL, PAGE, HOOKS };

struct bench {
	struct owed_hook v[HOOKS];
	struct owed_hooks h;
	struct record r;
};

static struct bench *bench_new(struct bench *b)
{
	static const struct {
		enum owed_when when;
		bool probe;
	} kinds[HOOKS] = { { OWED_ON_DEPLOY, false },
		           { OWED_ON_DEPLOY, false },
		           { OWED_ON_DEPLOY, true },
		           { OWED_ON_FAILURE, false },
		           { OWED_ON_EXPIRING, false } };
	b->r = RECORD_NONE;
	for (int i = 0; i < HOOKS; i++)
		b->v[i] = (struct owed_hook){ id_of(i + 1), kinds[i].when, kinds[i].probe };
	b->h = (struct owed_hooks){ b->v, HOOKS };
	return b;
}

static int due(const struct bench *b, int64_t s)
{
	size_t i;
	return owed_due(&b->r, &b->h, at(s), &i) ? (int)i : -1;
}

static void ran(struct bench *b, size_t i, const char *error, int64_t s)
{
	owed_ran(&b->r, &b->h, i, error, at(s), HALF);
}

static int64_t wake(const struct bench *b)
{
	struct wall w;
	assert_true(owed_wake(&b->r, &b->h, &w));
	return w.s - NOW;
}

static void restart(struct record *r)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	assert_int_equal(record_format(r, &text, &e), ST_OK);
	*r = RECORD_NONE;
	assert_int_equal(record_parse(buf_slice(&text), r, &e), ST_OK);
}

static void nothing_is_owed_before_an_event(void **state)
{
	(void)state;
	struct bench b;
	struct wall w;
	size_t n;
	bench_new(&b);
	assert_int_equal(due(&b, 0), -1);
	assert_false(owed_wake(&b.r, &b.h, &w));
	assert_false(record_owes_deployment(&b.r));
	assert_false(owed_review(&b.r, &b.h, at(0), &n));
	assert_int_equal(n, 0);
	ran(&b, RELOAD, "crossed off by somebody else meanwhile", 0);
	assert_int_equal(b.r.owed_n, 0);
}

static void deployment_runs_in_order(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b)->r.served = SERVED_NEW;
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	assert_int_equal(b.r.owed_n, 3);
	assert_int_equal(b.r.served, SERVED_UNKNOWN);
	assert_true(record_owes_deployment(&b.r));
	for (int i = RELOAD; i <= PROBE; i++) {
		restart(&b.r); /* killed after each: nothing is forgotten, nothing is done twice */
		assert_int_equal(due(&b, i), i);
		assert_int_equal(owed_find(&b.r, &b.v[i].id)->event, OWED_RENEWED);
		ran(&b, (size_t)i, NULL, i);
	}
	assert_int_equal(due(&b, 100), -1);
	assert_int_equal(b.r.owed_n, 0);
	assert_false(record_owes_deployment(&b.r));
}

static void events_choose_their_hooks(void **state)
{
	(void)state;
	static const struct {
		enum owed_event ev;
		int first;
		size_t n;
		bool deployment;
		const char *name;
	} rows[] = {
		{ OWED_RENEWED, RELOAD, 3, true, "renewed" },
		{ OWED_REKEYED, RELOAD, 3, true, "rekeyed" },
		{ OWED_FAILED, MAIL, 1, false, "failed" },
		{ OWED_EXPIRING, PAGE, 1, false, "expiring" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bench b;
		bench_new(&b);
		owed_raise(&b.r, &b.h, rows[i].ev, &cert, at(0));
		assert_int_equal(b.r.owed_n, rows[i].n);
		assert_int_equal(due(&b, 0), rows[i].first);
		assert_int_equal(record_owes_deployment(&b.r), rows[i].deployment);
		assert_string_equal(owed_event_name(rows[i].ev), rows[i].name);
	}
}

static void failed_hook_is_tried_again_until_it_works(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b)->h.n = 2; /* no probe */
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	int64_t now = 0, gap = OWED_FIRST_S;
	for (int n = 1; n <= 8; n++) {
		assert_int_equal(due(&b, now), RELOAD);
		ran(&b, RELOAD, "exit status 1", now);
		if (n == 1) {
			assert_int_equal(due(&b, now), NOTIFY); /* the other one has its turn all the same */
			ran(&b, NOTIFY, NULL, now);
		}
		const struct owed *o = owed_find(&b.r, &b.v[RELOAD].id);
		assert_int_equal(o->attempts, n);
		assert_in_range(o->next.s - NOW - now, gap - 1, gap + 1);
		assert_int_equal(due(&b, o->next.s - NOW - 1), -1);
		restart(&b.r);
		now = wake(&b);
		gap = gap * 2 > OWED_LAST_S ? OWED_LAST_S : gap * 2;
	}
	assert_string_equal(b.r.hook_error, "exit status 1");
	assert_true(record_owes_deployment(&b.r));
	ran(&b, RELOAD, NULL, now);
	assert_false(record_owes_deployment(&b.r));
}

static void retries_scale_with_the_time_that_is_left(void **state)
{
	(void)state;
	struct dice dice = { 7 };
	for (int i = 0; i < 2000; i++) {
		struct bench b;
		const struct pair_cert c = { "1", { NOW }, { NOW + 90 + dice_below(&dice, 2 * DAY) } };
		bench_new(&b)->h.n = 1;
		owed_raise(&b.r, &b.h, OWED_RENEWED, &c, at(0));
		int64_t now = 0;
		for (size_t given = 0; !given;) {
			owed_ran(&b.r, &b.h, RELOAD, "no", at(now), dice_roll(&dice));
			int64_t next = wake(&b), left = c.not_after.s - NOW - now;
			assert_true(next > now);
			assert_true(next - now <= OWED_LAST_S * 5 / 4 + 1);
			assert_true(next - now <= left / 8 * 5 / 4 + OWED_LEAST_S + 2);
			now = next;
			owed_review(&b.r, &b.h, at(now), &given);
		}
		assert_true(now >= c.not_after.s - NOW); /* given up at the end, not before */
		assert_int_equal(b.r.owed_n, 0);
	}
}

static void probe_comes_last_and_puts_all_back(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_REKEYED, &cert, at(0));
	ran(&b, RELOAD, NULL, 0);
	assert_int_equal(due(&b, 0), NOTIFY);
	ran(&b, NOTIFY, NULL, 0);
	assert_int_equal(due(&b, 0), PROBE);
	ran(&b, PROBE, "still serves serial 1", 0);
	/* Once more after a moment: a service may take its time to reload. */
	assert_int_equal(b.r.owed_n, 1);
	assert_int_equal(wake(&b), OWED_LEAST_S);
	assert_int_equal(due(&b, OWED_LEAST_S), PROBE);
	ran(&b, PROBE, "still serves serial 1", OWED_LEAST_S);
	/* Then the deployment has failed, and all of it is owed. */
	assert_int_equal(b.r.owed_n, 3);
	int64_t now = wake(&b);
	assert_in_range(now, OWED_LEAST_S + OWED_FIRST_S, OWED_LEAST_S + 2 * OWED_FIRST_S + 2);
	restart(&b.r);
	for (int i = RELOAD; i <= PROBE; i++) {
		assert_int_equal(due(&b, now), i);
		assert_int_equal(owed_find(&b.r, &b.v[i].id)->event, OWED_REKEYED);
		ran(&b, (size_t)i, NULL, now);
	}
	assert_int_equal(b.r.owed_n, 0);
}

static void probe_comes_last_wherever_it_stands(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b);
	b.v[RELOAD].probe = true;
	b.v[PROBE].probe = false;
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	static const int order[] = { NOTIFY, PROBE, RELOAD };
	for (size_t i = 0; i < COUNT_OF(order); i++) {
		assert_int_equal(due(&b, 0), order[i]);
		ran(&b, (size_t)order[i], NULL, 0);
	}
}

static void probe_does_not_wait_for_a_hook_that_fails(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	ran(&b, RELOAD, NULL, 0);
	ran(&b, NOTIFY, "curl: no", 0);
	assert_int_equal(due(&b, 0), PROBE);
	ran(&b, PROBE, NULL, 0);
	assert_int_equal(b.r.owed_n, 1);
	assert_true(record_owes_deployment(&b.r));
}

static void given_up_in_time(void **state)
{
	(void)state;
	static const struct {
		enum owed_event ev;
		int64_t not_after; /* from now */
		int64_t over_s;
	} rows[] = {
		{ OWED_RENEWED, DAY, DAY },
		{ OWED_REKEYED, 300, 300 },
		{ OWED_RENEWED, 10, 60 }, /* a moment to try, whatever the clocks say */
		{ OWED_RENEWED, -DAY, 60 },
		{ OWED_FAILED, 300, OWED_NOTICE_S },
		{ OWED_EXPIRING, -10, OWED_NOTICE_S }, /* that it has expired is told after the end, too */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bench b;
		size_t n;
		const struct pair_cert c = { "1", { NOW }, at(rows[i].not_after) };
		bench_new(&b);
		owed_raise(&b.r, &b.h, rows[i].ev, &c, at(0));
		size_t owed = b.r.owed_n;
		assert_false(owed_review(&b.r, &b.h, at(rows[i].over_s - 1), &n));
		assert_int_equal(n, 0);
		assert_true(owed_review(&b.r, &b.h, at(rows[i].over_s), &n));
		assert_int_equal(n, owed);
		assert_int_equal(b.r.owed_n, 0);
	}
}

static void success_overtakes_notices(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	ran(&b, RELOAD, "no", 0);
	ran(&b, RELOAD, "no", 30);
	owed_raise(&b.r, &b.h, OWED_FAILED, &cert, at(60));
	owed_raise(&b.r, &b.h, OWED_EXPIRING, &cert, at(60));
	assert_int_equal(b.r.owed_n, 5);
	const struct pair_cert c = { "2", { NOW }, at(2 * DAY) };
	owed_raise(&b.r, &b.h, OWED_RENEWED, &c, at(70));
	assert_int_equal(b.r.owed_n, 3);
	assert_null(owed_find(&b.r, &b.v[MAIL].id));
	const struct owed *o = owed_find(&b.r, &b.v[RELOAD].id);
	assert_int_equal(o->attempts, 0); /* for the new certificate it begins anew */
	assert_int_equal(o->next.s, NOW + 70);
	assert_int_equal(o->until.s, NOW + 2 * DAY);
}

static void notice_that_fails_keeps_its_back_off(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_FAILED, &cert, at(0));
	for (int i = 0; i < 4; i++)
		ran(&b, MAIL, "no mail", 0);
	int64_t next = wake(&b);
	owed_raise(&b.r, &b.h, OWED_FAILED, &cert, at(1));
	assert_int_equal(wake(&b), next);
	assert_int_equal(owed_find(&b.r, &b.v[MAIL].id)->attempts, 4);
}

static void replaced_command_takes_the_place(void **state)
{
	(void)state;
	struct bench b;
	size_t n;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	owed_raise(&b.r, &b.h, OWED_FAILED, &cert, at(0));
	ran(&b, RELOAD, "exec: \"ngnix\": executable file not found in $PATH", 0);
	ran(&b, NOTIFY, NULL, 0);
	ran(&b, PROBE, NULL, 0);
	/* The typo is put right: another hash. All of the deployment runs, since nobody knows what replaced what. */
	b.v[RELOAD].id = id_of(99);
	assert_true(owed_review(&b.r, &b.h, at(10), &n));
	assert_int_equal(n, 0);
	assert_int_equal(b.r.owed_n, 4);
	const struct owed *o = owed_find(&b.r, &b.v[RELOAD].id);
	assert_int_equal(o->attempts, 0);
	assert_int_equal(o->next.s, NOW + 10);
	assert_int_equal(o->until.s, cert.not_after.s);
	assert_int_equal(due(&b, 10), RELOAD);
	assert_false(owed_review(&b.r, &b.h, at(10), &n));
	/* An entry that is owed already keeps its count. */
	ran(&b, NOTIFY, "no", 10);
	b.v[RELOAD].id = id_of(98);
	assert_true(owed_review(&b.r, &b.h, at(11), &n));
	assert_int_equal(owed_find(&b.r, &b.v[NOTIFY].id)->attempts, 1);
}

static void strange_entry_stays(void **state)
{
	(void)state;
	struct bench b;
	size_t n;
	const struct owed_id unit = id_of(200);
	bench_new(&b)->h.n = 0; /* a run without hooks of its own: `step ca renew` in a unit */
	owed_mark(&b.r, &unit, OWED_RENEWED, &cert, at(0));
	assert_true(record_owes_deployment(&b.r));
	assert_false(owed_review(&b.r, &b.h, at(10), &n));
	assert_int_equal(due(&b, 10), -1);
	struct wall w;
	assert_false(owed_wake(&b.r, &b.h, &w));
	/* Hooks of another kind do not take its place. */
	b.h = (struct owed_hooks){ &b.v[MAIL], 1 };
	assert_false(owed_review(&b.r, &b.h, at(10), &n));
	assert_int_equal(b.r.owed_n, 1);
	owed_cross_off(&b.r, &unit);
	assert_int_equal(b.r.owed_n, 0);
	owed_cross_off(&b.r, &unit);
	/* Marked again, the count stands; at its end it goes. */
	owed_mark(&b.r, &unit, OWED_RENEWED, &cert, at(0));
	b.r.owed[0].attempts = 3;
	owed_mark(&b.r, &unit, OWED_RENEWED, &cert, at(5));
	assert_int_equal(b.r.owed_n, 1);
	assert_int_equal(b.r.owed[0].attempts, 3);
	assert_true(owed_review(&b.r, &b.h, at(DAY), &n));
	assert_int_equal(n, 1);
}

static void what_runs_elsewhere_is_not_replaced(void **state)
{
	(void)state;
	struct bench b;
	size_t n;
	const struct owed_id unit = id_of(200), lost = id_of(201);
	const struct pair_cert newer = { "2", at(0), at(2 * DAY) };
	bench_new(&b);
	owed_mark(&b.r, &unit, OWED_RENEWED, &cert, at(0));
	owed_mark(&b.r, &lost, OWED_RENEWED, &cert, at(0));
	b.r.owed[1].elsewhere = false; /* a command that is not configured any more */
	owed_review(&b.r, &b.h, at(1), &n);
	assert_non_null(owed_find(&b.r, &unit));
	assert_null(owed_find(&b.r, &lost));
	/* A new certificate: the unit's lines are owed for that one. */
	owed_raise(&b.r, &b.h, OWED_RENEWED, &newer, at(1));
	assert_int_equal(owed_find(&b.r, &unit)->until.s, newer.not_after.s);
	assert_int_equal(owed_find(&b.r, &b.v[RELOAD].id)->until.s, newer.not_after.s);
	b.h.n = 0;
	owed_raise(&b.r, &b.h, OWED_RENEWED, &newer, at(1));
	assert_non_null(owed_find(&b.r, &unit));
}

static void clock_that_ran_ahead_delays_nothing(void **state)
{
	(void)state;
	struct bench b;
	size_t n;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	b.r.owed[RELOAD].next.s = NOW + 30 * (int64_t)DAY;
	b.r.owed[NOTIFY].next.s = NOW + OWED_LAST_S;
	assert_true(owed_review(&b.r, &b.h, at(0), &n));
	assert_int_equal(b.r.owed[RELOAD].next.s, NOW);
	assert_int_equal(b.r.owed[NOTIFY].next.s, NOW + OWED_LAST_S);
}

static void record_has_room_for_ours(void **state)
{
	(void)state;
	struct owed_hook v[OWED_HOOKS_MAX];
	const struct owed_hooks h = { v, OWED_HOOKS_MAX };
	struct record r = RECORD_NONE;
	for (int i = 0; i < OWED_HOOKS_MAX; i++)
		v[i] = (struct owed_hook){ id_of(100 + i), i % 2 ? OWED_ON_FAILURE : OWED_ON_EXPIRING, false };
	for (int i = 0; i < 2 * RECORD_OWED; i++) {
		struct owed_id id = id_of(i + 1);
		const struct pair_cert c = { "1", { NOW }, at(HOUR + (i * 7) % 50) };
		owed_mark(&r, &id, OWED_RENEWED, &c, at(0));
	}
	assert_int_equal(r.owed_n, RECORD_OWED);
	owed_raise(&r, &h, OWED_FAILED, &cert, at(0));
	owed_raise(&r, &h, OWED_EXPIRING, &cert, at(0));
	assert_int_equal(r.owed_n, RECORD_OWED);
	for (int i = 0; i < OWED_HOOKS_MAX; i++)
		assert_non_null(owed_find(&r, &v[i].id));
	/* What made room was over before what stayed. */
	for (size_t i = 0; i < r.owed_n; i++)
		if (r.owed[i].event == OWED_RENEWED)
			assert_true(r.owed[i].until.s >= NOW + HOUR + 41);
}

static void ids_tell_commands_apart(void **state)
{
	(void)state;
	static const struct {
		enum owed_when when;
		const char *kind;
		const char *words[3];
		size_t n;
	} rows[] = {
		{ OWED_ON_DEPLOY, "exec", { "a", "b" }, 2 },   { OWED_ON_DEPLOY, "exec", { "a b" }, 1 },
		{ OWED_ON_DEPLOY, "exec", { "ab" }, 1 },       { OWED_ON_DEPLOY, "exec", { "a", "b", "" }, 3 },
		{ OWED_ON_DEPLOY, "exec", { "b", "a" }, 2 },   { OWED_ON_FAILURE, "exec", { "a", "b" }, 2 },
		{ OWED_ON_DEPLOY, "verify", { "a", "b" }, 2 }, { OWED_ON_DEPLOY, "exec", { "" }, 1 },
		{ OWED_ON_DEPLOY, "exec", { NULL }, 0 },       { OWED_ON_DEPLOY, "", { "exec", "a", "b" }, 3 },
	};
	struct owed_id ids[COUNT_OF(rows)];
	struct error e = ERROR_INIT;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct owed_id again;
		assert_int_equal(owed_id_make(rows[i].when, rows[i].kind, rows[i].words, rows[i].n, &ids[i], &e),
		                 ST_OK);
		assert_int_equal(owed_id_make(rows[i].when, rows[i].kind, rows[i].words, rows[i].n, &again, &e), ST_OK);
		assert_memory_equal(&ids[i], &again, sizeof again);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(&ids[i], &ids[k], sizeof ids[i]);
	}
	/* printf 'deploy\0exec\0a\0b\0' | sha256sum: one version has stored it, the next must know it */
	static const uint8_t known[RECORD_HOOK_ID] = { 0x04, 0x61, 0x4c, 0x45, 0x3f, 0x41, 0x0e, 0x9b, 0x14, 0xf6, 0xa0,
		                                       0x51, 0x34, 0x5f, 0xf7, 0x1a, 0x54, 0x8b, 0x6c, 0x8d, 0x57, 0x3b,
		                                       0xba, 0x8b, 0xec, 0x90, 0x63, 0x4a, 0x16, 0xf3, 0xf4, 0xb1 };
	assert_memory_equal(ids[0].b, known, sizeof known);
}

static void hurry_overrides_the_times_of_our_hooks_only(void **state)
{
	(void)state;
	struct bench b;
	bench_new(&b);
	owed_raise(&b.r, &b.h, OWED_RENEWED, &cert, at(0));
	struct owed_id other = id_of(99);
	owed_mark(&b.r, &other, OWED_RENEWED, &cert, at(0));
	owed_ran(&b.r, &b.h, RELOAD, "no", at(0), HALF);
	owed_ran(&b.r, &b.h, NOTIFY, NULL, at(0), HALF);
	owed_ran(&b.r, &b.h, PROBE, NULL, at(0), HALF);
	assert_int_equal(due(&b, 1), -1);
	struct owed_hooks none = { 0 };
	owed_hurry(&b.r, &none, at(1));
	assert_int_equal(due(&b, 1), -1);
	owed_hurry(&b.r, &b.h, at(1));
	assert_int_equal(due(&b, 1), RELOAD);
	assert_int_equal(owed_find(&b.r, &b.v[RELOAD].id)->attempts, 1);
	assert_non_null(owed_find(&b.r, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_owed_before_an_event),
		cmocka_unit_test(deployment_runs_in_order),
		cmocka_unit_test(events_choose_their_hooks),
		cmocka_unit_test(failed_hook_is_tried_again_until_it_works),
		cmocka_unit_test(retries_scale_with_the_time_that_is_left),
		cmocka_unit_test(probe_comes_last_and_puts_all_back),
		cmocka_unit_test(probe_comes_last_wherever_it_stands),
		cmocka_unit_test(probe_does_not_wait_for_a_hook_that_fails),
		cmocka_unit_test(given_up_in_time),
		cmocka_unit_test(success_overtakes_notices),
		cmocka_unit_test(notice_that_fails_keeps_its_back_off),
		cmocka_unit_test(replaced_command_takes_the_place),
		cmocka_unit_test(strange_entry_stays),
		cmocka_unit_test(what_runs_elsewhere_is_not_replaced),
		cmocka_unit_test(clock_that_ran_ahead_delays_nothing),
		cmocka_unit_test(record_has_room_for_ours),
		cmocka_unit_test(ids_tell_commands_apart),
		cmocka_unit_test(hurry_overrides_the_times_of_our_hooks_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
