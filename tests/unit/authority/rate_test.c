#include "authority/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { HOUR_MS = 3600000 };

static struct rate *table(size_t keys)
{
	struct rate *r;
	struct error e = ERROR_INIT;
	assert_int_equal(rate_new(keys, &r, &e), ST_OK);
	return r;
}

static void an_hours_number_and_the_retries(void **state)
{
	static const int rows[] = { 1, 2, 7, 120, 3600, 1000000 };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rate *r = table(16);
		int64_t now = 5 * HOUR_MS;
		for (int n = 0; n < rows[i] + RATE_BURST; n++)
			assert_int_equal(rate_take(r, 42, rows[i], now), 0);
		int64_t wait_s = rate_take(r, 42, rows[i], now);
		assert_in_range(wait_s, 1, 3600 / rows[i] + 1);
		assert_int_equal(rate_take(r, 42, rows[i], now), wait_s);            /* asking costs nothing */
		assert_int_equal(rate_take(r, 43, rows[i], now), 0);                 /* nor others */
		assert_int_equal(rate_take(r, 42, rows[i], now + wait_s * 1000), 0); /* as it was told */
		rate_free(r);
	}
}

/* In the long run what was set, however it is asked. */
static void over_hours(void **state)
{
	struct rate *r = table(16);
	int granted = 0;
	(void)state;
	for (int64_t now = 0; now < 10 * (int64_t)HOUR_MS; now += 1000)
		granted += !rate_take(r, 7, 60, now);
	assert_in_range(granted, 600, 600 + RATE_BURST + 60);
	rate_free(r);
}

static void no_bound(void **state)
{
	struct rate *r = table(4);
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(rate_take(r, 1, 0, 0), 0);
		assert_int_equal(rate_take(r, 1, -1, 0), 0);
	}
	rate_free(r);
}

/* More who owe something than there are places: nobody is held back who did nothing. */
static void a_full_table_errs_to_the_callers_favour(void **state)
{
	struct rate *r = table(8);
	(void)state;
	for (uint64_t key = 1; key < 10000; key++)
		assert_int_equal(rate_take(r, key, 1, 0), 0);
	for (int i = 0; i < 5; i++) /* who owes most keeps its place */
		(void)rate_take(r, 5000, 1, 0);
	assert_in_range(rate_take(r, 5000, 1, 0), 1, 3600);
	for (uint64_t key = 1; key < 10000; key++)
		if (key != 5000)
			assert_int_equal(rate_take(r, key, 1, 0), 0);
	assert_in_range(rate_take(r, 5000, 1, 0), 1, 3600);
	rate_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hours_number_and_the_retries),
		cmocka_unit_test(over_hours),
		cmocka_unit_test(no_bound),
		cmocka_unit_test(a_full_table_errs_to_the_callers_favour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
