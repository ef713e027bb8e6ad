#include "renewal/due.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void parses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool by_percent;
		int64_t value;
	} rows[] = {
		{ "0%", true, 0 },
		{ "66%", true, 66 },
		{ "100%", true, 100 },
		{ "+5%", true, 5 },
		{ "007%", true, 7 },
		{ "4h", false, 4 * DURATION_H },
		{ "0", false, 0 },
		{ "0s", false, 0 },
		{ "1h30m", false, 90 * DURATION_MIN },
		{ "-1h", false, -DURATION_H },
		{ "1ns", false, 1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct due_rule r = { 0 };
		assert_int_equal(due_parse(slice_cstr(rows[i].text), &r, &e), ST_OK);
		assert_int_equal(r.by_percent, rows[i].by_percent);
		assert_int_equal(r.by_percent ? r.percent_used : r.remaining_ns, rows[i].value);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "invalid value '' for flag '--expires-in'" },
		{ "%", "invalid value '%' for flag '--expires-in'" },
		{ "50.5%", "invalid value '50.5%' for flag '--expires-in'" },
		{ "5 %", "invalid value '5 %' for flag '--expires-in'" },
		{ " 5%", "invalid value ' 5%' for flag '--expires-in'" },
		{ "5%%", "invalid value '5%%' for flag '--expires-in'" },
		{ "4h%", "invalid value '4h%' for flag '--expires-in'" },
		{ "99999999999999999999%", "invalid value '99999999999999999999%' for flag '--expires-in'" },
		{ "101%", "invalid value '101%' for flag '--expires-in'; value must be in range 0-100%" },
		{ "-1%", "invalid value '-1%' for flag '--expires-in'; value must be in range 0-100%" },
		{ "1d", "invalid value '1d' for flag '--expires-in'" },
		{ "24", "invalid value '24' for flag '--expires-in'" },
		{ "4h ", "invalid value '4h ' for flag '--expires-in'" },
		{ "soon", "invalid value 'soon' for flag '--expires-in'" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct due_rule r = { .percent_used = 77 };
		assert_int_equal(due_parse(slice_cstr(rows[i].text), &r, &e), ST_INVALID);
		assert_string_equal(e.text, rows[i].why);
		assert_int_equal(r.percent_used, 77);
	}
}

#define FROM 1000000
#define LIFE 10000 /* to 1010000 */

static void by_percent(void **state)
{
	(void)state;
	static const struct {
		int percent;
		int64_t used_s; /* since notBefore */
		bool want;
	} rows[] = {
		{ 66, 6599, false }, /* 65.99 % */
		{ 66, 6600, true },  /* exactly */
		{ 66, 6700, true },      { 66, 0, false },     { 0, 0, true },     { 1, 99, false }, { 1, 100, true },
		{ 100, 9999, false },    { 100, 10000, true }, /* the last second */
		{ 100, 10001, true },                          /* expired */
		{ 66, 1000000, true },   { 66, -1, false },    /* not yet valid */
		{ 66, -1000000, false }, { 1, -1, false },     { 0, -100, false }, { 0, -99, true }, /* -0.99 % is cut
		                                                                                        to 0, as in the
		                                                                                        peer */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct due_rule r = { .by_percent = true, .percent_used = rows[i].percent };
		assert_int_equal(due_needs_renewal(&r, (struct wall){ FROM }, (struct wall){ FROM + LIFE },
		                                   (struct wall){ FROM + rows[i].used_s }),
		                 rows[i].want);
	}
	assert_int_equal(DUE_DEFAULT.percent_used, 66);
	assert_true(DUE_DEFAULT.by_percent);
}

/* In floating point, 1 - 0.34 times 100 is 65.99...: each whole per cent must count from its very second. */
static void whole_percents(void **state)
{
	(void)state;
	for (int64_t life = 100; life <= 86500; life += 43200 - 200) {
		for (int percent = 0; percent <= 100; percent++) {
			struct due_rule r = { .by_percent = true, .percent_used = percent };
			struct wall from = { FROM }, to = { FROM + life };
			int64_t first = (percent * life + 99) / 100;
			assert_true(due_needs_renewal(&r, from, to, (struct wall){ FROM + first }));
			if (first)
				assert_false(due_needs_renewal(&r, from, to, (struct wall){ FROM + first - 1 }));
		}
	}
}

static void by_remaining(void **state)
{
	(void)state;
	static const struct {
		int64_t remaining_ns, left_s;
		bool want;
	} rows[] = {
		{ 3600 * DURATION_S, 3601, false },
		{ 3600 * DURATION_S, 3600, true },
		{ 3600 * DURATION_S + DURATION_S / 2, 3600, true },
		{ 3600 * DURATION_S - 1, 3600, false },
		{ 0, 1, false },
		{ 0, 0, true },
		{ 0, -1, true },
		{ INT64_MAX, 1, true },
		{ DURATION_H, INT64_C(9000000000000), false }, /* more than nanoseconds hold */
		/* expired is due, whatever the rule */
		{ -DURATION_H, -1, true },
		{ -DURATION_H, 0, false },
		{ INT64_MIN, -1, true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct due_rule r = { .remaining_ns = rows[i].remaining_ns };
		struct wall now = { FROM };
		assert_int_equal(due_needs_renewal(&r, (struct wall){ FROM - LIFE },
		                                   (struct wall){ FROM + rows[i].left_s }, now),
		                 rows[i].want);
	}
}

/* A certificate that ends before it begins is of no use. */
static void no_life(void **state)
{
	(void)state;
	struct due_rule percent = DUE_DEFAULT, remaining = { .remaining_ns = 0 };
	for (int64_t life = -1; life <= 0; life++) {
		struct wall from = { FROM }, to = { FROM + life }, now = { FROM - 100 };
		assert_true(due_needs_renewal(&percent, from, to, now));
		assert_true(due_needs_renewal(&remaining, from, to, now));
	}
}

static void one_shot(void **state)
{
	(void)state;
	static const struct {
		int64_t expires_in_ns;
		uint64_t chance;
		int64_t left_s;
		bool want;
	} rows[] = {
		/* 20 h: jitter in [0, 1 h) */
		{ 20 * DURATION_H, 0, 20 * 3600, true },
		{ 20 * DURATION_H, 0, 20 * 3600 + 1, false },
		{ 20 * DURATION_H, UINT64_MAX, 21 * 3600 - 1, true },
		{ 20 * DURATION_H, UINT64_MAX, 21 * 3600, false },
		{ 20 * DURATION_H, UINT64_C(1) << 63, 20 * 3600 + 1800, true },
		{ 20 * DURATION_H, UINT64_C(1) << 63, 20 * 3600 + 1801, false },
		/* none and less: renew always */
		{ 0, 0, 1000000, true },
		{ -1, UINT64_MAX, 1000000, true },
		{ INT64_MIN, 0, INT64_C(9000000000000), true },
		/* too little for a jitter (the peer panics below 20 ns) */
		{ 1, UINT64_MAX, 1, false },
		{ 1, UINT64_MAX, 0, true },
		{ 19, UINT64_MAX, 0, true },
		{ 1, UINT64_MAX, -5, true },
		/* the edges of the numbers */
		{ INT64_MAX, UINT64_MAX, 9000000000, true },
		{ INT64_MAX, UINT64_MAX, INT64_C(9000000000000), true },
		{ DURATION_H, UINT64_MAX, INT64_C(9000000000000), false },
		{ DURATION_H, 0, INT64_C(-9000000000000), true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(due_expires_in(rows[i].expires_in_ns, rows[i].chance,
		                                (struct wall){ FROM + rows[i].left_s }, (struct wall){ FROM }),
		                 rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),         cmocka_unit_test(refuses),      cmocka_unit_test(by_percent),
		cmocka_unit_test(whole_percents), cmocka_unit_test(by_remaining), cmocka_unit_test(no_life),
		cmocka_unit_test(one_shot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
