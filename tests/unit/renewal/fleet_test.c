/* Fleets of daemons on a virtual clock, each of them plan_next() and nothing else: what does a CA see that was away?
 * Deterministic; the histograms are printed as TAP comments. */
#include "renewal/plan.h"

#include "dice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MIN = 60, HOUR = 3600, DAY = 86400, DAEMONS_MAX = 200, TRIP_S = 2 };

#define START INT64_C(1900000000)

struct fleet {
	const char *name;
	size_t daemons;
	int64_t life_s;        /* from the issue on; backdated by a minute */
	int64_t boot_s;        /* all are installed within this time */
	int64_t away_s, for_s; /* the CA, since the start */
	int64_t run_s;
	int64_t bucket_s; /* of the histogram */
};

struct daemon {
	struct pair_cert cert;
	struct record record;
	int64_t wake;
	int serial;
	bool ended; /* its certificate was over before there was a new one */
	int64_t ended_s;
};

struct outcome {
	int asked, refused, renewed, expired, restarts;
	int per_second_max, per_minute_max; /* that the CA saw: what reached it while it was there */
	int away_per_minute_max;            /* attempts while it was away */
	int64_t out_s_max;                  /* longest time without a valid certificate */
	int64_t closest_s;                  /* least life left at a renewal */
};

static int *counts_new(int64_t n)
{
	int *p = calloc((size_t)n, sizeof *p);
	assert_non_null(p);
	return p;
}

static int most(const int *v, int64_t from, int64_t to)
{
	int m = 0;
	for (int64_t i = from; i < to; i++)
		m = v[i] > m ? v[i] : m;
	return m;
}

static void issue(struct daemon *d, const struct fleet *f, int64_t now)
{
	snprintf(d->cert.serial, sizeof d->cert.serial, "%d", ++d->serial);
	d->cert.not_before.s = now - MIN;
	d->cert.not_after.s = now + f->life_s;
}

/* A machine that restarts forgets all but the text beside its certificate. */
static void restart(struct daemon *d)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	assert_int_equal(record_format(&d->record, &text, &e), ST_OK);
	assert_int_equal(record_parse(buf_slice(&text), &d->record, &e), ST_OK);
}

static void look_at_expiry(struct daemon *d, int64_t now, struct outcome *o)
{
	if (now > d->cert.not_after.s && !d->ended) {
		d->ended = true;
		d->ended_s = d->cert.not_after.s;
		o->expired++;
	}
}

static bool is_away(const struct fleet *f, int64_t s)
{
	return s >= f->away_s && s < f->away_s + f->for_s;
}

/* One attempt; it takes a moment. */
static void ask(struct daemon *d, const struct fleet *f, int64_t s, struct dice *dice, int *seen, int *missed,
                struct outcome *o)
{
	const struct plan_now now = { { START + s }, dice_roll(dice), { 0 } };
	o->asked++;
	if (is_away(f, s)) {
		const struct plan_failure away = { RETRY_SOON, -1, "connection refused" };
		missed[s]++;
		o->refused++;
		plan_failed(&d->record, &d->cert, &away, &now);
		return;
	}
	int64_t left = d->cert.not_after.s - now.wall.s;
	seen[s]++;
	o->renewed++;
	if (left < o->closest_s)
		o->closest_s = left;
	if (d->ended && now.wall.s - d->ended_s > o->out_s_max)
		o->out_s_max = now.wall.s - d->ended_s;
	d->ended = false;
	issue(d, f, now.wall.s);
	plan_renewed(&d->record, &d->cert, &now);
}

static void wake(struct daemon *d, const struct fleet *f, int64_t s, struct dice *dice, int *seen, int *missed,
                 struct outcome *o)
{
	static const struct plan_rule third;
	struct plan p;
	look_at_expiry(d, START + s, o);
	if (!dice_below(dice, 20)) {
		restart(d);
		o->restarts++;
	}
	const struct plan_now now = { { START + s }, dice_roll(dice), { 0 } };
	plan_next(&third, &d->cert, &now, &d->record, &p);
	if (p.step == PLAN_RENEW)
		ask(d, f, s, dice, seen, missed, o);
	d->wake = p.step == PLAN_RENEW ? s + TRIP_S : p.wake.s - START;
	assert_true(d->wake > s);
}

static void put(char c, int n, int scale)
{
	for (int i = 0; i < (n + scale - 1) / scale; i++)
		putchar(c);
}

/* From five buckets before the CA goes to twenty after it has come back. */
static void print_histogram(const struct fleet *f, const int *seen, const int *missed)
{
	enum { BAR = 60, BEFORE = 5, AFTER = 20 };
	int64_t from = f->away_s - BEFORE * f->bucket_s, n = BEFORE + f->for_s / f->bucket_s + AFTER;
	int *x = counts_new(n), *o = counts_new(n), top = 1;
	for (int64_t s = from; s < from + n * f->bucket_s && s < f->run_s; s++) {
		x[(s - from) / f->bucket_s] += missed[s];
		o[(s - from) / f->bucket_s] += seen[s];
	}
	for (int64_t i = 0; i < n; i++)
		top = x[i] + o[i] > top ? x[i] + o[i] : top;
	int scale = (top + BAR - 1) / BAR;
	printf("# %s: the CA is away for %lld s; attempts in each %lld s, a mark for %d; x: missed, o: answered\n",
	       f->name, (long long)f->for_s, (long long)f->bucket_s, scale);
	for (int64_t i = 0; i < n; i++) {
		printf("# %+7lld s %4d ", (long long)((i - BEFORE) * f->bucket_s), x[i] + o[i]);
		put('x', x[i], scale);
		put('o', o[i], scale);
		putchar('\n');
	}
	free(x);
	free(o);
}

static void sum_up(const struct fleet *f, const int *seen, const int *missed, struct outcome *o)
{
	int *minutes = counts_new(f->run_s / MIN + 1), *away = counts_new(f->run_s / MIN + 1);
	for (int64_t s = 0; s < f->run_s; s++) {
		minutes[s / MIN] += seen[s];
		away[s / MIN] += missed[s];
	}
	o->per_second_max = most(seen, 0, f->run_s);
	o->per_minute_max = most(minutes, 0, f->run_s / MIN + 1);
	o->away_per_minute_max = most(away, 0, f->run_s / MIN + 1);
	free(minutes);
	free(away);
}

static int64_t next_wake(const struct daemon *d, size_t n)
{
	int64_t s = INT64_MAX;
	for (size_t i = 0; i < n; i++)
		s = d[i].wake < s ? d[i].wake : s;
	return s;
}

static struct outcome run(const struct fleet *f, uint64_t seed, bool print)
{
	static struct daemon d[DAEMONS_MAX];
	struct dice dice = { seed };
	struct outcome o = { .closest_s = f->life_s };
	int *seen = counts_new(f->run_s), *missed = counts_new(f->run_s);
	memset(d, 0, sizeof d);
	for (size_t i = 0; i < f->daemons; i++) {
		d[i].wake = dice_below(&dice, f->boot_s);
		issue(&d[i], f, START + d[i].wake);
	}
	for (int64_t s; (s = next_wake(d, f->daemons)) < f->run_s;)
		for (size_t i = 0; i < f->daemons; i++)
			if (d[i].wake == s)
				wake(&d[i], f, s, &dice, seen, missed, &o);
	for (size_t i = 0; i < f->daemons; i++)
		look_at_expiry(&d[i], START + f->run_s, &o);
	sum_up(f, seen, missed, &o);
	if (print)
		print_histogram(f, seen, missed);
	printf("# %d asked, %d missed (at most %d a minute), %d renewed, %d expired (longest %lld s), %d restarts; at "
	       "most %d a "
	       "second, %d a "
	       "minute; least life left %lld s\n",
	       o.asked, o.refused, o.away_per_minute_max, o.renewed, o.expired, (long long)o.out_s_max, o.restarts,
	       o.per_second_max, o.per_minute_max, (long long)o.closest_s);
	free(seen);
	free(missed);
	return o;
}

enum { SEEDS = 5 };

/* Two hundred daemons, installed within a minute (the worst case: their renewals fall into one jitter window of 72
 * minutes), and a CA that is away for ten minutes in the middle of it.
 *
 * What the plan says: r = 200 / 72 min = 2.8 new ones a minute. Who comes in vain tries again after 45..75 s, 90..150
 * s, 180..300 s, 360..600 s, so that those waiting for their n-th try come at the rate r for each n: the CA, when it is
 * back, sees r + 4 r = 14 a minute at first, and r again when the last delay is over. Chance makes no 28 of them in a
 * minute, and no 5 in a second. */
static void a_day_and_ten_minutes_away(void **state)
{
	(void)state;
	const struct fleet f = { "200 daemons, 24 h", DAEMONS_MAX, DAY, MIN, 57580 - 2160, 10 * MIN, 2 * DAY, MIN };
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(&f, seed, seed == 1);
		assert_int_equal(o.expired, 0);
		assert_int_equal(o.renewed, 3 * DAEMONS_MAX);
		assert_in_range(o.refused, 28, 5 * 28);
		assert_true(o.per_minute_max <= 28);
		assert_true(o.per_second_max <= 4);
		assert_true(o.away_per_minute_max <= 28);
		assert_true(o.closest_s >= 28820 - 750); /* two thirds, and the longest delay */
	}
}

/* Away for six hours, over the whole window: all wait for it. At the return 4 h are left; the delays are an eighth of
 * what is left, 23 to 43 minutes, over which 200 come back: five to nine a minute. */
static void a_day_and_six_hours_away(void **state)
{
	(void)state;
	const struct fleet f = { "200 daemons, 24 h", DAEMONS_MAX, DAY,     MIN,
		                 57580 - 2 * HOUR,    6 * HOUR,    2 * DAY, 15 * MIN };
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(&f, seed, seed == 1);
		assert_int_equal(o.expired, 0);
		assert_int_equal(o.renewed, 2 * DAEMONS_MAX);
		assert_true(o.per_minute_max <= 25);
		assert_true(o.per_second_max <= 5);
		assert_true(o.away_per_minute_max <= 45);
		assert_true(o.closest_s >= 14420 - 2604);
	}
}

/* Certificates of five minutes: due after three, at most 18 s earlier, two before the end. A CA that is away for a
 * minute costs none. 200 in 171 s are 1.2 a second; 70 have missed it and ask every 12 to 19 s: 7 a second at the
 * return. */
static void five_minutes_and_one_away(void **state)
{
	(void)state;
	const struct fleet f = { "200 daemons, 5 min", DAEMONS_MAX, 5 * MIN, 5 * MIN, HOUR, MIN, 2 * HOUR, 5 };
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(&f, seed, seed == 1);
		assert_int_equal(o.expired, 0);
		assert_true(o.closest_s >= 120 - MIN - 19);
		assert_true(o.per_minute_max <= 180);
		assert_true(o.per_second_max <= 18);
	}
}

/* Away for longer than they live: all expire, and all are back within what the plan says, a minute. (That a CA renews
 * after the end is its provisioner's business.) */
static void five_minutes_and_ten_away(void **state)
{
	(void)state;
	const struct fleet f = { "200 daemons, 5 min", DAEMONS_MAX, 5 * MIN, 5 * MIN, HOUR, 10 * MIN, 2 * HOUR, 30 };
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(&f, seed, seed == 1);
		assert_int_equal(o.expired, DAEMONS_MAX);
		assert_true(o.out_s_max <= 10 * MIN - 102 + MIN);
		assert_true(o.per_minute_max <= DAEMONS_MAX);
		assert_true(o.per_second_max <= 18);
		assert_true(o.away_per_minute_max <= DAEMONS_MAX * MIN / 10);
	}
}

/* Without any trouble not one attempt is too many, and the jitter spreads them. */
static void no_trouble(void **state)
{
	(void)state;
	const struct fleet f = { "200 daemons, 24 h", DAEMONS_MAX, DAY, DAY, 0, 0, 5 * DAY, HOUR };
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct outcome o = run(&f, seed, false);
		assert_int_equal(o.expired, 0);
		assert_int_equal(o.asked, o.renewed);
		assert_in_range(o.renewed, 5 * DAEMONS_MAX, 8 * DAEMONS_MAX);
		assert_true(o.closest_s >= 28820); /* never later than the two thirds */
		assert_true(o.per_minute_max <= 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_and_ten_minutes_away),
		cmocka_unit_test(a_day_and_six_hours_away),
		cmocka_unit_test(five_minutes_and_one_away),
		cmocka_unit_test(five_minutes_and_ten_away),
		cmocka_unit_test(no_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
