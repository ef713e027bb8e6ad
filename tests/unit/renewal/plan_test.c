#include "renewal/plan.h"

#include "base/duration.h"
#include "dice.h"
#include "renewal/retry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { MIN = 60, HOUR = 3600, DAY = 86400, ROUNDS = 2000 };

#define ISSUED INT64_C(1900000000) /* 2030-03-17T17:46:40Z */
#define HALF (UINT64_C(1) << 63)

/* As the peer issues it: valid since a minute. */
static struct pair_cert cert_for(const char *serial, int64_t issued, int64_t life_s)
{
	struct pair_cert c = { .not_before = { issued - MIN }, .not_after = { issued + life_s } };
	memcpy(c.serial, serial, strlen(serial) + 1);
	return c;
}

static struct plan_now at(int64_t s, uint64_t chance)
{
	return (struct plan_now){ .wall = { s }, .chance = chance };
}

static const struct plan_rule third;

static struct plan next(const struct pair_cert *c, struct plan_now now, struct record *r)
{
	struct plan p;
	plan_next(&third, c, &now, r, &p);
	return p;
}

/* What a restart does to a record: through its text and back. */
static void restart(struct record *r)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	assert_int_equal(record_format(r, &text, &e), ST_OK);
	*r = RECORD_NONE;
	assert_int_equal(record_parse(buf_slice(&text), r, &e), ST_OK);
}

/* --- the peer's schedule --- */

static void schedule_is_the_peers(void **state)
{
	(void)state;
	static const struct {
		int64_t life_s, now_s; /* after issue */
		int64_t expires_in_ns, period_ns;
		uint64_t chance;
		int64_t want_ns;
	} rows[] = {
		/* 24h1m: 14h47m..15h59m40s, measured of the peer */
		{ DAY, 0, 0, 0, 0, 57580 * DURATION_S },
		{ DAY, 0, 0, 0, UINT64_MAX, (57580 - 4323) * DURATION_S + 1 },
		{ DAY, 0, 0, 0, HALF, 57580 * DURATION_S - 4323 * DURATION_S / 2 },
		/* the remaining time decides, not the age */
		{ DAY, 10 * HOUR, 0, 0, 0, 21580 * DURATION_S },
		/* nearer than the width of the jitter */
		{ DAY, 57580 - 600, 0, 0, 0, 0 },
		{ DAY, 57580 - 600, 0, 0, HALF, 300 * DURATION_S },
		{ DAY, 57580 - 600, 0, 0, UINT64_MAX, 600 * DURATION_S - 1 },
		{ DAY, 57580 - 4323, 0, 0, UINT64_MAX, 1 },
		/* at the point, beyond it, after the end */
		{ DAY, 57580, 0, 0, HALF, 0 },
		{ DAY, 57581, 0, 0, HALF, 0 },
		{ DAY, DAY + 1, 0, 0, HALF, 0 },
		{ DAY, 400 * DAY, 0, 0, HALF, 0 },
		/* --expires-in */
		{ DAY, 0, 4 * DURATION_H, 0, 0, 20 * DURATION_H },
		{ DAY, 0, DAY * DURATION_S, 0, 0, 0 },
		{ DAY, 0, DAY * DURATION_S - 1, 0, UINT64_MAX, 0 },
		{ DAY, 0, 2 * DAY * DURATION_S, 0, HALF, 0 },
		{ DAY, 0, -DURATION_H, 0, 0, 57580 * DURATION_S },
		{ DAY, 0, 1, 0, 0, DAY * DURATION_S - 1 },
		{ DAY, 0, INT64_MAX, 0, HALF, 0 },
		/* --renew-period: no jitter */
		{ DAY, 0, 0, 16 * DURATION_H, HALF, 16 * DURATION_H },
		{ DAY, 0, 0, DURATION_S, HALF, DURATION_S },
		{ DAY, 0, 0, DAY * DURATION_S, HALF, 0 },
		{ DAY, 9 * HOUR, 0, 16 * DURATION_H, HALF, 0 },
		{ DAY, 8 * HOUR - 1, 0, 16 * DURATION_H, HALF, 16 * DURATION_H },
		/* five minutes, with the peer's backdate */
		{ 5 * MIN, 0, 0, 0, 0, 180 * DURATION_S },
		{ 5 * MIN, 0, 0, 0, UINT64_MAX, 162 * DURATION_S + 1 },
		/* lives of a second and of 8000 years */
		{ 1, 0, 0, 0, 0, 0 },
		{ WALL_MAX_S - ISSUED, 0, 0, 0, 0, INT64_MAX - INT64_MAX / 3 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct plan_rule rule = { rows[i].expires_in_ns, rows[i].period_ns };
		struct pair_cert c = cert_for("1", ISSUED, rows[i].life_s);
		int64_t got = plan_delay_ns(&rule, &c, (struct wall){ ISSUED + rows[i].now_s }, rows[i].chance);
		if (got != rows[i].want_ns)
			fail_msg("row %zu: %lld ns, not %lld", i, (long long)got, (long long)rows[i].want_ns);
	}
}

static void first_plan_is_the_schedule(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	struct plan p = next(&c, at(ISSUED, 0), &r);
	assert_int_equal(p.step, PLAN_WAIT);
	assert_int_equal(p.why, PLAN_SCHEDULE);
	assert_int_equal(p.due.s, ISSUED + 57580);
	assert_int_equal(p.wake.s, ISSUED + PLAN_SLEEP_MAX_S);
	assert_int_equal(p.clock, CLOCK_FINE);
	assert_int_equal(p.left, PLAN_LEFT_NONE);
	assert_true(p.changed);
	assert_false(p.adopted);
	assert_string_equal(r.cert.serial, "1");
	assert_true(r.drawn);
	assert_int_equal(r.since.s, ISSUED);
	assert_int_equal(r.due.s, p.due.s);
	/* Asked again, there is nothing to store; later the sleep ends at the deadline. */
	assert_false(next(&c, at(ISSUED + 1, HALF), &r).changed);
	p = next(&c, at(ISSUED + 57580 - 10, HALF), &r);
	assert_int_equal(p.wake.s, ISSUED + 57580);
	assert_int_equal(next(&c, at(ISSUED + 57580 - 1, HALF), &r).step, PLAN_WAIT);
	p = next(&c, at(ISSUED + 57580, HALF), &r);
	assert_int_equal(p.step, PLAN_RENEW);
	assert_int_equal(p.wake.s, ISSUED + 57580);
}

static void jitter_is_drawn_once_and_kept(void **state)
{
	(void)state;
	struct dice dice = { 1 };
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct pair_cert c = cert_for("77", ISSUED, MIN + dice_below(&dice, 90 * DAY));
		struct record r = RECORD_NONE;
		int64_t now = ISSUED + dice_below(&dice, 30);
		struct plan first = next(&c, at(now, dice_roll(&dice)), &r);
		while ((now += 1 + dice_below(&dice, (c.not_after.s - ISSUED) / 20 + 1)) < first.due.s) {
			if (dice_below(&dice, 2))
				restart(&r);
			struct plan p = next(&c, at(now, dice_roll(&dice)), &r);
			assert_int_equal(p.due.s, first.due.s);
			assert_int_equal(p.step, PLAN_WAIT);
			assert_false(p.adopted);
		}
	}
}

static void never_later_than_two_thirds(void **state)
{
	(void)state;
	struct dice dice = { 2 };
	for (int i = 0; i < ROUNDS; i++) {
		int64_t life_s = 5 * MIN + dice_below(&dice, 400 * DAY);
		struct pair_cert c = cert_for("77", ISSUED, life_s);
		struct record r = RECORD_NONE;
		int64_t v = life_s + MIN;
		plan_renewed(&r, &c, &(struct plan_now){ .wall = { ISSUED } });
		struct plan p = next(&c, at(ISSUED, dice_roll(&dice)), &r);
		assert_true(p.due.s <= c.not_after.s - v / 3);
		assert_true(p.due.s >= c.not_after.s - v / 3 - v / 20 - 2);
	}
}

/* Whatever is fed in, the answer makes sense. */
static void answers_make_sense(void **state)
{
	(void)state;
	struct dice dice = { 3 };
	struct record r = RECORD_NONE;
	for (int i = 0; i < 20 * ROUNDS; i++) {
		static const int64_t widths[] = { 10, HOUR, 30 * DAY, WALL_MAX_S / 2 };
		int64_t w = widths[dice_below(&dice, COUNT_OF(widths))];
		int64_t now = ISSUED + dice_below(&dice, w) - dice_below(&dice, w) / 8;
		struct pair_cert c = cert_for("5", ISSUED - dice_below(&dice, w), dice_below(&dice, w));
		const struct plan_rule rule = { (int64_t)dice_roll(&dice) >> dice_below(&dice, 64),
			                        (int64_t)dice_roll(&dice) >> dice_below(&dice, 64) };
		const struct plan_now n = { { now }, dice_roll(&dice), { ISSUED } };
		const struct plan_failure f = { (enum retry_kind)dice_below(&dice, 2), dice_below(&dice, w) - 1, "no" };
		struct plan p;
		if (dice_below(&dice, 3))
			c = r.cert.serial[0] ? r.cert : c;
		if (!dice_below(&dice, 9))
			plan_renewed(&r, &c, &n);
		if (!dice_below(&dice, 3))
			plan_failed(&r, &c, &f, &n);
		plan_next(&rule, &c, &n, &r, &p);
		assert_true(p.wake.s >= now && p.wake.s <= now + PLAN_SLEEP_MAX_S);
		if (p.why == PLAN_CLOCK) {
			assert_int_equal(p.step, PLAN_WAIT);
			assert_int_equal(p.clock, CLOCK_BEFORE_CERT);
		} else {
			assert_int_equal(p.step == PLAN_RENEW, p.due.s <= now);
		}
		if (p.why == PLAN_RETRY)
			assert_true(p.due.s <= now + retry_bound_s(c.not_after.s - c.not_before.s));
	}
}

/* --- time is not what it was --- */

struct moment {
	const char *what;
	int64_t now_s; /* since the issue */
	enum plan_step step;
	enum plan_why why;
	enum clock_doubt clock;
	int64_t due_s;  /* since the issue; -1: not looked at */
	int64_t wake_s; /* since the issue; -1: not looked at */
	bool restarted; /* the machine, or the daemon, has started anew */
	bool fails;     /* the CA is asked (PLAN_RENEW), and is not there */
};

static void tell_story(const struct moment *m, size_t n, int64_t built)
{
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	for (size_t i = 0; i < n; i++) {
		const struct plan_now now = { { ISSUED + m[i].now_s }, 0, { built } };
		struct plan p;
		if (m[i].restarted)
			restart(&r);
		plan_next(&third, &c, &now, &r, &p);
		if (p.step != m[i].step || p.why != m[i].why || p.clock != m[i].clock ||
		    (m[i].due_s != -1 && p.due.s != (m[i].due_s ? ISSUED + m[i].due_s : 0)) ||
		    (m[i].wake_s != -1 && p.wake.s != ISSUED + m[i].wake_s))
			fail_msg("%s: step %d, why %d, clock %d, due %lld, wake %lld", m[i].what, p.step, p.why,
			         p.clock, (long long)(p.due.s - ISSUED), (long long)(p.wake.s - ISSUED));
		if (m[i].fails)
			plan_failed(&r, &c, &(struct plan_failure){ RETRY_SOON, -1, "no CA" }, &now);
	}
}

#define DUE 57580

static void suspend_over_the_deadline(void **state)
{
	(void)state;
	static const struct moment story[] = {
		{ "asleep at noon", 4 * HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, 4 * HOUR + PLAN_SLEEP_MAX_S },
		{ "awake in the night", DUE + 2 * HOUR, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_FINE, DUE, DUE + 2 * HOUR,
		  .fails = true },
		{ "and the network is not up", DUE + 2 * HOUR, PLAN_WAIT, PLAN_RETRY, CLOCK_FINE, DUE + 2 * HOUR + 45,
		  -1 },
		{ "now it is", DUE + 2 * HOUR + 45, PLAN_RENEW, PLAN_RETRY, CLOCK_FINE, -1, -1 },
	};
	tell_story(story, COUNT_OF(story), 0);
}

static void clock_steps(void **state)
{
	(void)state;
	static const struct moment story[] = {
		{ "start", HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, HOUR + PLAN_SLEEP_MAX_S },
		{ "set forward by five hours", 6 * HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
		{ "back by nine minutes", 6 * HOUR - 9 * MIN, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
		{ "back by five hours: said", HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_WENT_BACK, DUE,
		  HOUR + PLAN_DOUBT_SLEEP_S },
		{ "once", HOUR + 1, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
		{ "forward over the deadline", DUE + 1, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_FINE, DUE, DUE + 1 },
		{ "and back before it was done", 2 * HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_WENT_BACK, DUE, -1 },
		{ "and there again", DUE, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
	};
	tell_story(story, COUNT_OF(story), 0);
}

static void clock_of_1970(void **state)
{
	(void)state;
	static const struct moment story[] = {
		{ "no battery", 7 - ISSUED, PLAN_WAIT, PLAN_CLOCK, CLOCK_BEFORE_CERT, 0, 67 - ISSUED },
		{ "still none", 67 - ISSUED, PLAN_WAIT, PLAN_CLOCK, CLOCK_BEFORE_CERT, 0, -1 },
		{ "the network's time", HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, HOUR + PLAN_SLEEP_MAX_S },
		{ "power cut", 8 - ISSUED, PLAN_WAIT, PLAN_CLOCK, CLOCK_BEFORE_CERT, 0, -1, .restarted = true },
		{ "after the deadline", DUE + 5, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
	};
	tell_story(story, COUNT_OF(story), 0);
}

static void clock_a_little_behind_the_ca(void **state)
{
	(void)state;
	static const struct moment story[] = {
		{ "five minutes before it begins", -MIN - PLAN_CLOCK_SLACK_S, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE,
		  -1 },
		{ "and a second", -MIN - PLAN_CLOCK_SLACK_S - 1, PLAN_WAIT, PLAN_CLOCK, CLOCK_BEFORE_CERT, 0, -1 },
	};
	tell_story(story, COUNT_OF(story), 0);
}

static void clock_before_the_program(void **state)
{
	(void)state;
	static const struct moment story[] = {
		{ "older than the program, as the certificate is", HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_BEFORE_BUILD,
		  DUE, HOUR + PLAN_DOUBT_SLEEP_S },
		{ "that keeps nobody from renewing", DUE, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_BEFORE_BUILD, DUE, -1 },
		{ "right", 20 * HOUR, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
	};
	tell_story(story, COUNT_OF(story), ISSUED + 17 * HOUR);
}

static void power_off_over_the_deadline(void **state)
{
	(void)state;
	static const struct moment story[] = {
		{ "running", 12 * HOUR, PLAN_WAIT, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1 },
		{ "on again", 23 * HOUR, PLAN_RENEW, PLAN_SCHEDULE, CLOCK_FINE, DUE, -1, .restarted = true,
		  .fails = true },
		{ "crash loop", 23 * HOUR + 1, PLAN_WAIT, PLAN_RETRY, CLOCK_FINE, 23 * HOUR + 45, -1,
		  .restarted = true },
		{ "crash loop", 23 * HOUR + 2, PLAN_WAIT, PLAN_RETRY, CLOCK_FINE, 23 * HOUR + 45, -1,
		  .restarted = true },
		{ "off until it has expired", 30 * HOUR, PLAN_RENEW, PLAN_RETRY, CLOCK_FINE, 23 * HOUR + 45, -1,
		  .restarted = true },
	};
	tell_story(story, COUNT_OF(story), 0);
}

static void clock_ran_ahead(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	const struct plan_failure away = { RETRY_SOON, -1, "no" };
	const struct plan_now wrong = at(ISSUED + 20000 * (int64_t)DAY, 0), right = at(ISSUED + HOUR, 0);

	assert_int_equal(next(&c, wrong, &r).step, PLAN_RENEW); /* 2084: expired, as it seems */
	plan_failed(&r, &c, &away, &wrong);
	r.told = 15;
	r.renewed = wrong.wall;
	restart(&r);

	struct plan p = next(&c, right, &r);
	assert_int_equal(p.clock, CLOCK_WENT_BACK);
	assert_true(p.changed);
	assert_int_equal(r.since.s, right.wall.s);
	assert_int_equal(r.told, 0);
	assert_int_equal(r.renewed.s, right.wall.s);
	assert_int_equal(r.seen.s, right.wall.s);
	assert_int_equal(p.step, PLAN_RENEW); /* the failure stands, its deadline of 2084 does not */
	plan_renewed(&r, &c, &right);
	p = next(&c, right, &r);
	assert_int_equal(p.due.s, ISSUED + DUE);
	assert_int_equal(p.clock, CLOCK_FINE);
}

/* What was told truly is not told again because the clock went back. */
static void clock_back_keeps_what_was_told(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	next(&c, at(ISSUED + 23 * HOUR, 0), &r);
	r.told = 1 << 1 | 1 << 2;
	r.seen.s = ISSUED + 23 * HOUR;
	struct plan p = next(&c, at(ISSUED + 20 * HOUR, 0), &r); /* a sixth is left */
	assert_int_equal(p.clock, CLOCK_WENT_BACK);
	assert_int_equal(r.told, 1 << 1);
}

static void clock_words(void **state)
{
	(void)state;
	static const struct {
		enum clock_doubt doubt;
		const char *want;
	} rows[] = {
		{ CLOCK_FINE, "" },
		{ CLOCK_BEFORE_BUILD, "the clock says 1970-01-01T00:00:07Z, but this program was made at "
		                      "2030-03-17T17:46:40Z: the clock is behind" },
		{ CLOCK_BEFORE_CERT, "the clock says 1970-01-01T00:00:07Z, but the certificate begins at "
		                     "2030-03-17T17:46:40Z: the clock is behind, or the certificate is not yet valid" },
		{ CLOCK_WENT_BACK, "the clock says 1970-01-01T00:00:07Z, but it has shown 2030-03-17T17:46:40Z before: "
		                   "it was wrong then, or is now" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(1024);
		const struct plan p = { .clock = rows[i].doubt, .clock_ref = { ISSUED } };
		plan_clock_words(&p, (struct wall){ 7 }, &text);
		assert_string_equal(buf_cstr(&text), rows[i].want);
	}
}

/* --- the floor --- */

/* Renewals in a day where each gives a fresh certificate at once. */
static int renewals_a_day(const struct plan_rule *rule, int64_t life_s, bool restarts)
{
	struct record r = RECORD_NONE;
	struct pair_cert c = cert_for("1", ISSUED, life_s);
	int n = 0;
	for (int64_t now = ISSUED; now < ISSUED + DAY;) {
		struct plan_now at_now = at(now, HALF);
		struct plan p;
		plan_next(rule, &c, &at_now, &r, &p);
		if (p.step == PLAN_RENEW) {
			char serial[SERIAL_TEXT];
			snprintf(serial, sizeof serial, "%d", ++n + 1);
			c = cert_for(serial, now, life_s);
			plan_renewed(&r, &c, &at_now);
			if (restarts)
				restart(&r);
			continue;
		}
		assert_true(p.wake.s > now);
		now = p.wake.s;
	}
	return n;
}

static void floor_between_renewals(void **state)
{
	(void)state;
	static const struct {
		int64_t expires_in_ns, period_ns, life_s;
		int least, most; /* renewals a day */
	} rows[] = {
		{ 0, 0, DAY, 1, 2 },
		{ DAY * DURATION_S, 0, DAY, 90, 101 }, /* 500 a second with the peer */
		{ 30 * DURATION_H, 0, DAY, 90, 101 },
		{ 23 * DURATION_H, 0, DAY, 40, 101 },
		{ 0, 16 * DURATION_H, DAY, 1, 1 },
		{ 0, DURATION_MIN, DAY, 1439, 1440 },  /* as asked */
		{ 0, 1, 100, DAY, DAY + 1 },           /* one a second is the end of what can be asked */
		{ 0, DAY * DURATION_S, DAY, 90, 101 }, /* no more than that remains, ever */
		{ 5 * DURATION_MIN, 0, 5 * MIN, 28000, 28801 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct plan_rule rule = { rows[i].expires_in_ns, rows[i].period_ns };
		for (int restarts = 0; restarts <= (rows[i].most < 200); restarts++) {
			int n = renewals_a_day(&rule, rows[i].life_s, restarts);
			if (n < rows[i].least || n > rows[i].most)
				fail_msg("row %zu: %d renewals", i, n);
		}
	}
}

static void floor_is_no_later_than_half_of_the_rest(void **state)
{
	(void)state;
	struct pair_cert c = { "1", { ISSUED - 1000 * (int64_t)DAY }, { ISSUED + HOUR } }; /* backdated, or cut short */
	assert_int_equal(plan_floor_s(&third, &c, (struct wall){ ISSUED }), HOUR / 2);
	assert_int_equal(plan_floor_s(&third, &c, (struct wall){ ISSUED + HOUR }), 1);
	c = cert_for("1", ISSUED, DAY);
	assert_int_equal(plan_floor_s(&third, &c, (struct wall){ ISSUED }), 864);
	struct record r = RECORD_NONE;
	const struct plan_rule always = { .expires_in_ns = DAY * DURATION_S };
	const struct plan_now now = at(ISSUED, 0);
	struct plan p;
	plan_renewed(&r, &c, &now);
	plan_next(&always, &c, &now, &r, &p);
	assert_int_equal(p.why, PLAN_FLOOR);
	assert_int_equal(p.due.s, ISSUED + 864);
}

/* --- failures --- */

static void failures_are_remembered(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	const struct plan_failure away = { RETRY_SOON, -1, "dial tcp:\nconnection \x1b[31mrefused" },
				  no = { RETRY_SELDOM, -1, "no right" };
	int64_t now = ISSUED + DUE, gap = 0;
	next(&c, at(ISSUED, 0), &r);
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(next(&c, at(now, 0), &r).step, PLAN_RENEW);
		struct plan_now at_now = at(now, HALF);
		assert_int_equal(plan_failed(&r, &c, &away, &at_now), i == 1);
		assert_int_equal(r.failures, i);
		assert_int_equal(r.failed.s, now);
		assert_true(r.retry.s - now > gap);
		gap = r.retry.s - now;
		assert_int_equal(gap, 60 << (i - 1));
		restart(&r);
		assert_int_equal(next(&c, at(now + gap - 1, 0), &r).step, PLAN_WAIT);
		now += gap;
	}
	assert_string_equal(r.error, "dial tcp:?connection ?[31mrefused");
	/* The CA is back, and says no: that is news, and has a rhythm of its own. */
	struct plan_now at_now = at(now, HALF);
	assert_true(plan_failed(&r, &c, &no, &at_now));
	assert_int_equal(r.failures, 6);
	assert_int_equal(r.repeats, 1);
	assert_int_equal(r.retry.s, now + RETRY_SELDOM_S);
	assert_false(plan_failed(&r, &c, &no, &at_now));
	assert_int_equal(r.retry.s, now + 2 * RETRY_SELDOM_S);
	assert_true(plan_failed(&r, &c, &away, &at_now));
	/* Success ends it; what went wrong last can still be read. */
	c = cert_for("2", now, DAY);
	plan_renewed(&r, &c, &at_now);
	struct plan p = next(&c, at_now, &r);
	assert_int_equal(p.step, PLAN_WAIT);
	assert_int_equal(p.why, PLAN_SCHEDULE);
	assert_int_equal(r.failures, 0);
	assert_int_equal(r.renewed.s, now);
	assert_string_equal(r.error, "dial tcp:?connection ?[31mrefused");
	assert_true(plan_failed(&r, &c, &away, &at_now));
}

static void failures_are_counted_to_a_bound(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	struct plan_now now = at(ISSUED + DUE, HALF);
	const struct plan_failure away = { RETRY_SOON, -1, "" };
	next(&c, now, &r);
	plan_failed(&r, &c, &away, &now);
	r.failures = r.repeats = 1000000;
	plan_failed(&r, &c, &away, &now);
	assert_int_equal(r.failures, 1000000);
	restart(&r);
	assert_int_equal(r.repeats, 1000000);
}

static void failure_before_it_was_due(void **state)
{
	(void)state; /* SIGHUP: "renew now", and now it does not work */
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	struct plan_now now = at(ISSUED + HOUR, HALF);
	next(&c, at(ISSUED, 0), &r);
	plan_failed(&r, &c, &(struct plan_failure){ RETRY_SOON, -1, "x" }, &now);
	struct plan p = next(&c, now, &r);
	assert_int_equal(p.why, PLAN_RETRY);
	assert_int_equal(p.due.s, now.wall.s + 60);
	assert_int_equal(p.left, PLAN_LEFT_NONE);
}

static void retry_after_is_kept(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	struct plan_now now = at(ISSUED + DUE, 0);
	next(&c, now, &r);
	plan_failed(&r, &c, &(struct plan_failure){ RETRY_SOON, 1000, "busy" }, &now);
	assert_int_equal(next(&c, now, &r).due.s, now.wall.s + 1000);
}

static void another_certificate_begins_anew(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY), other = cert_for("2", ISSUED + DUE + 10, DAY);
	struct record r = RECORD_NONE;
	struct plan_now now = at(ISSUED + DUE, 1);
	next(&c, now, &r);
	plan_failed(&r, &c, &(struct plan_failure){ RETRY_SELDOM, -1, "revoked" }, &now);
	r.told = 6;
	r.owed_n = 1;
	struct plan p = next(&other, at(ISSUED + DUE + 20, 0), &r);
	assert_true(p.adopted);
	assert_true(p.changed);
	assert_int_equal(p.step, PLAN_WAIT);
	assert_int_equal(p.why, PLAN_SCHEDULE);
	assert_int_equal(p.due.s, ISSUED + DUE + 10 + DUE);
	assert_int_equal(r.failures, 0);
	assert_int_equal(r.told, 0);
	assert_int_equal(r.chance, 0);
	assert_int_equal(r.owed_n, 1); /* hooks are owed by the pair, not by the certificate */
	assert_false(next(&other, at(ISSUED + DUE + 21, 0), &r).adopted);
	/* Same serial, another certificate: also another. */
	other.not_after.s++;
	assert_true(next(&other, at(ISSUED + DUE + 22, 0), &r).adopted);
}

/* --- how much life is left --- */

static void thresholds_are_told_once(void **state)
{
	(void)state;
	/* V = 86460: 25 % left at +64785, 10 % at +77754, expired at +86401. All lie behind the due time, 50 % does
	 * not. */
	static const struct {
		int64_t now_s;
		int left;
		int64_t wake_s; /* 0: not looked at */
	} rows[] = {
		{ DUE + 1, PLAN_LEFT_NONE, 0 }, { 64784, PLAN_LEFT_NONE, 64785 }, { 64785, 25, 0 },
		{ 64786, PLAN_LEFT_NONE, 0 },   { 77753, PLAN_LEFT_NONE, 77754 }, { 77754, 10, 0 },
		{ 77754, PLAN_LEFT_NONE, 0 },   { 86400, PLAN_LEFT_NONE, 86401 }, { 86401, 0, 0 },
		{ 90000, PLAN_LEFT_NONE, 0 },
	};
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	const struct plan_failure away = { RETRY_SOON, -1, "no" };
	next(&c, at(ISSUED, 0), &r);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct plan_now now = at(ISSUED + rows[i].now_s, HALF);
		plan_failed(&r, &c, &away, &now);
		r.retry.s = now.wall.s + HOUR; /* so that the threshold decides about the sleep */
		restart(&r);
		struct plan p = next(&c, now, &r);
		if (p.left != rows[i].left || (rows[i].wake_s && p.wake.s != ISSUED + rows[i].wake_s))
			fail_msg("row %zu: %d %% left, wake %lld", i, p.left, (long long)(p.wake.s - ISSUED));
		if (p.left != PLAN_LEFT_NONE)
			assert_true(p.changed);
	}
	assert_int_equal(r.told, 1 << 1 | 1 << 2 | 1 << 3);
}

static void thresholds_before_the_renewal_are_no_news(void **state)
{
	(void)state;
	static const struct {
		int64_t expires_in_ns;
		int64_t seen_s, now_s; /* first seen, failing */
		int left;
	} rows[] = {
		{ 0, 0, 12 * HOUR, PLAN_LEFT_NONE },         /* half is over, but the renewal is not due */
		{ 20 * DURATION_H, 0, 12 * HOUR, 50 },       /* planned at 4h */
		{ 0, 20 * HOUR, 20 * HOUR, PLAN_LEFT_NONE }, /* came here with a sixth left: 25 % was before us */
		{ 0, 20 * HOUR, 23 * HOUR, 10 },
		{ 0, 25 * HOUR, 25 * HOUR, PLAN_LEFT_NONE }, /* came expired */
		{ 20 * DURATION_H, 0, 25 * HOUR, 0 },        /* off meanwhile: of four, the last */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct plan_rule rule = { .expires_in_ns = rows[i].expires_in_ns };
		struct pair_cert c = cert_for("1", ISSUED, DAY);
		struct record r = RECORD_NONE;
		struct plan_now seen = at(ISSUED + rows[i].seen_s, 0), now = at(ISSUED + rows[i].now_s, 0);
		struct plan p;
		plan_next(&rule, &c, &seen, &r, &p);
		plan_next(&rule, &c, &now, &r, &p);
		assert_int_equal(p.left, PLAN_LEFT_NONE); /* before anything was tried */
		plan_failed(&r, &c, &(struct plan_failure){ RETRY_SOON, -1, "no" }, &now);
		plan_next(&rule, &c, &now, &r, &p);
		if (p.left != rows[i].left)
			fail_msg("row %zu: %d", i, p.left);
		plan_next(&rule, &c, &now, &r, &p);
		assert_int_equal(p.left, PLAN_LEFT_NONE);
	}
}

/* A record is stored when something has changed, and now and then for the clock's sake; not at each wake-up. */
static void writes_are_few(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	int writes = 0, wakes = 0;
	for (int64_t now = ISSUED;; wakes++) {
		struct plan p = next(&c, at(now, 0), &r);
		writes += p.changed;
		if (p.step == PLAN_RENEW)
			break;
		now = p.wake.s;
	}
	assert_int_equal(wakes, 64); /* DUE / PLAN_SLEEP_MAX_S, rounded up */
	assert_in_range(writes, 2, 8);
}

/* Cron comes by again and again: a failure sets a rhythm, and near the end every five minutes are often enough. */
static void polls_are_held_back(void **state)
{
	(void)state;
	static const struct {
		int64_t failed_s, retry_s, now_s; /* after issue */
		int failures;
		const char *serial;
		int64_t want_s; /* 0: not held back */
	} rows[] = {
		{ 20 * HOUR, 20 * HOUR + 900, 20 * HOUR + 300, 5, "1", 20 * HOUR + 900 },
		{ 20 * HOUR, 20 * HOUR + 900, 20 * HOUR + 899, 5, "1", 20 * HOUR + 900 },
		{ 20 * HOUR, 20 * HOUR + 900, 20 * HOUR + 900, 5, "1", 0 },
		{ 20 * HOUR, 20 * HOUR + 900, 20 * HOUR + 300, 0, "1", 0 }, /* nothing has failed */
		{ 20 * HOUR, 20 * HOUR + 900, 20 * HOUR + 300, 5, "2", 0 }, /* not this certificate */
		/* less than a tenth left: whatever the CA asked for */
		{ 22 * HOUR, 23 * HOUR, 22 * HOUR + 239, 5, "1", 22 * HOUR + 240 },
		{ 22 * HOUR, 23 * HOUR, 22 * HOUR + 240, 5, "1", 0 },
		{ 22 * HOUR, 22 * HOUR + 60, 22 * HOUR + 59, 5, "1", 22 * HOUR + 60 },
		{ 25 * HOUR, 25 * HOUR + 300, 25 * HOUR + 239, 5, "1", 25 * HOUR + 240 },
		{ 25 * HOUR, 25 * HOUR + 300, 25 * HOUR + 240, 5, "1", 0 },
		/* written by a clock that ran ahead */
		{ 20 * HOUR, 20 * HOUR + 900, 19 * HOUR, 5, "1", 0 },
		{ 20 * HOUR, 400 * DAY, 20 * HOUR + 300, 5, "1", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct pair_cert c = cert_for("1", ISSUED, DAY), of = cert_for(rows[i].serial, ISSUED, DAY);
		struct record r = { .cert = of,
			            .failures = rows[i].failures,
			            .failed = { ISSUED + rows[i].failed_s },
			            .retry = { ISSUED + rows[i].retry_s } };
		struct wall until = { 0 };
		bool held = plan_holds_back(&r, &c, (struct wall){ ISSUED + rows[i].now_s }, &until);
		if (held != (rows[i].want_s != 0) || (held && until.s != ISSUED + rows[i].want_s))
			fail_msg("row %zu: %d, %lld", i, held, (long long)(until.s - ISSUED));
	}
}

/* Whatever failed before: of ticks five minutes apart, none in the last tenth finds the door shut. */
static void a_poll_every_five_minutes_is_never_skipped_near_the_end(void **state)
{
	(void)state;
	struct pair_cert c = cert_for("1", ISSUED, DAY);
	struct record r = RECORD_NONE;
	size_t asked = 0;
	for (int64_t now = ISSUED + 16 * HOUR; now < ISSUED + 26 * HOUR; now += 300) {
		struct wall until;
		bool dying = c.not_after.s - now < (DAY + MIN) / 10;
		if (plan_holds_back(&r, &c, (struct wall){ now }, &until)) {
			assert_false(dying);
			continue;
		}
		/* The CA takes its time until it says no, and wants an hour. */
		const struct plan_failure f = { .kind = RETRY_SOON, .retry_after_s = HOUR, .text = "busy" };
		const struct plan_now n = at(now + 15, UINT64_MAX);
		plan_failed(&r, &c, &f, &n);
		asked++;
	}
	assert_in_range(asked, 50, 60); /* 53 ticks in the last tenth and behind it, a few before */
}

static void clocks_are_compared(void **state)
{
	(void)state;
	static const struct {
		int64_t ours, ca, slack_s;
		const char *want; /* NULL: nothing */
	} rows[] = {
		{ ISSUED, ISSUED, 0, NULL },
		{ ISSUED + 60, ISSUED, 60, NULL },
		{ ISSUED - 60, ISSUED, 60, NULL },
		{ ISSUED + 61, ISSUED, 60,
		  "this machine's clock is 1m1s ahead of the CA's (2030-03-17T17:47:41Z against "
		  "2030-03-17T17:46:40Z): set " },
		{ ISSUED, INT64_C(253402300799), 60, /* no duration is so long */
		  "this machine's clock is 2562047h47m16.854775807s behind the CA's (2030-03-17T17:46:40Z against "
		  "9999-12-" },
		{ 0, ISSUED, 60,
		  "this machine's clock is 527777h46m40s behind the CA's (1970-01-01T00:00:00Z against " },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf words = BUF_INIT(1024);
		bool told = plan_skew_words((struct wall){ rows[i].ours }, (struct wall){ rows[i].ca }, rows[i].slack_s,
		                            &words);
		assert_int_equal(told, rows[i].want != NULL);
		if (rows[i].want && strncmp(buf_cstr(&words), rows[i].want, strlen(rows[i].want)))
			fail_msg("row %zu: %s", i, buf_cstr(&words));
		assert_int_equal(words.n > 0, told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedule_is_the_peers),
		cmocka_unit_test(first_plan_is_the_schedule),
		cmocka_unit_test(jitter_is_drawn_once_and_kept),
		cmocka_unit_test(never_later_than_two_thirds),
		cmocka_unit_test(answers_make_sense),
		cmocka_unit_test(suspend_over_the_deadline),
		cmocka_unit_test(clock_steps),
		cmocka_unit_test(clock_of_1970),
		cmocka_unit_test(clock_a_little_behind_the_ca),
		cmocka_unit_test(clock_before_the_program),
		cmocka_unit_test(power_off_over_the_deadline),
		cmocka_unit_test(clock_ran_ahead),
		cmocka_unit_test(clock_back_keeps_what_was_told),
		cmocka_unit_test(clock_words),
		cmocka_unit_test(floor_between_renewals),
		cmocka_unit_test(floor_is_no_later_than_half_of_the_rest),
		cmocka_unit_test(failures_are_remembered),
		cmocka_unit_test(failures_are_counted_to_a_bound),
		cmocka_unit_test(failure_before_it_was_due),
		cmocka_unit_test(retry_after_is_kept),
		cmocka_unit_test(another_certificate_begins_anew),
		cmocka_unit_test(thresholds_are_told_once),
		cmocka_unit_test(thresholds_before_the_renewal_are_no_news),
		cmocka_unit_test(writes_are_few),
		cmocka_unit_test(polls_are_held_back),
		cmocka_unit_test(a_poll_every_five_minutes_is_never_skipped_near_the_end),
		cmocka_unit_test(clocks_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
