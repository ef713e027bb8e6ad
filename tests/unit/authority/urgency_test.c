#include "authority/urgency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { DAY = 86400, BORN = 1900000000 };

static int at(int64_t life_s, int64_t left_s)
{
	return urgency_of_life((struct wall){ BORN }, (struct wall){ BORN + life_s },
	                       (struct wall){ BORN + life_s - left_s });
}

static void by_the_fraction_that_is_left(void **state)
{
	static const struct {
		int64_t life_s, left_s;
		int least, most;
	} rows[] = {
		{ DAY, DAY, 63, 63 },
		{ DAY, DAY + 60, 63, 63 }, /* a clock before its begin */
		{ DAY, DAY / 2, 31, 33 },
		{ DAY, DAY / 3, 20, 22 },
		{ DAY, DAY / 8 - 1, 8, 8 },
		{ DAY, 60, 1, 1 },
		{ DAY, 1, 1, 1 },
		{ DAY, 0, 9, 9 },
		{ DAY, -1, 9, 9 },
		{ DAY, -400 * DAY, 9, 9 },
		{ 300, 100, 20, 22 },
		{ 300, 37, 8, 8 },
		{ 1, 1, 63, 63 },
		{ 0, 0, 9, 9 },
		{ 0, 5, 9, 9 },
		{ -5, 5, 9, 9 },
		{ WALL_MAX_S - BORN, (WALL_MAX_S - BORN) / 3, 20, 22 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_in_range(at(rows[i].life_s, rows[i].left_s), rows[i].least, rows[i].most);
}

static void less_left_is_never_less_urgent(void **state)
{
	(void)state;
	for (int64_t left_s = 1; left_s < DAY; left_s += 7) {
		assert_true(at(DAY, left_s) <= at(DAY, left_s + 7));
		assert_int_not_equal(at(DAY, left_s), URGENCY_EXPIRED);
		assert_int_not_equal(at(DAY, left_s), URGENCY_REVOKE);
		assert_in_range(at(DAY, left_s), 1, URGENCY_CLASSES - 1);
	}
}

static void the_bar_falls_with_the_lag(void **state)
{
	static const struct {
		int urgency;
		int64_t lag_ms, busy_ms;
		bool admitted;
	} rows[] = {
		{ 63, 0, 1000, true },      { 63, 1000, 1000, true },    { 63, 1100, 1000, false },
		{ 21, 1100, 1000, true },   { 60, 1100, 1000, true },    { 21, 3000, 1000, true },
		{ 32, 3000, 1000, false },  { 21, 4000, 1000, false },   { 16, 3000, 1000, true },
		{ 16, 4000, 1000, false },  { 8, 4000, 1000, true },     { 9, 4000, 1000, false },
		{ 8, INT64_MAX, 1, true },  { 9, INT64_MAX, 1, false },  { 0, INT64_MAX, 1, true },
		{ 63, INT64_MAX, 0, true }, { 63, INT64_MAX, -1, true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (urgency_admits(rows[i].urgency, rows[i].lag_ms, rows[i].busy_ms) != rows[i].admitted)
			fail_msg("row %zu", i);
}

static void come_again(void **state)
{
	static const struct {
		int64_t left_s, least, most;
	} rows[] = {
		{ 8 * 3600, 900, 1800 }, { 4 * 3600, 900, 1800 }, { 3600, 225, 450 }, { 600, 37, 74 },
		{ 100, 10, 20 },         { 0, 10, 20 },           { -5, 10, 20 },     { INT64_MAX, 900, 1800 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(urgency_retry_s(rows[i].left_s, 0), rows[i].least);
		assert_int_equal(urgency_retry_s(rows[i].left_s, UINT64_MAX), rows[i].most);
		assert_in_range(urgency_retry_s(rows[i].left_s, UINT64_MAX / 2), (rows[i].least + rows[i].most) / 2 - 1,
		                (rows[i].least + rows[i].most) / 2 + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_fraction_that_is_left),
		cmocka_unit_test(less_left_is_never_less_urgent),
		cmocka_unit_test(the_bar_falls_with_the_lag),
		cmocka_unit_test(come_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
