#include "renewal/retry.h"

#include "dice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { MIN = 60, HOUR = 3600, DAY = 86400, ROUNDS = 100000, NEVER = -1 };

#define HALF (UINT64_C(1) << 63)

static void table(void **state)
{
	(void)state;
	static const struct {
		enum retry_kind kind;
		int repeats;
		int64_t validity_s, left_s, retry_after_s;
		int64_t earliest_s, middle_s, latest_s;
	} rows[] = {
		/* a day's certificate with a third left: a minute, doubled, an hour */
		{ RETRY_SOON, 1, DAY, 8 * HOUR, NEVER, 45, 60, 75 },
		{ RETRY_SOON, 2, DAY, 8 * HOUR, NEVER, 90, 120, 150 },
		{ RETRY_SOON, 5, DAY, 8 * HOUR, NEVER, 720, 960, 1200 },
		{ RETRY_SOON, 7, DAY, 8 * HOUR, NEVER, 2700, 3600, 4500 },
		{ RETRY_SOON, 1000000, DAY, 8 * HOUR, NEVER, 2700, 3600, 4500 },
		/* an eighth of what is left */
		{ RETRY_SOON, 9, DAY, 4 * HOUR, NEVER, 1350, 1800, 2250 },
		{ RETRY_SOON, 9, DAY, 2 * HOUR + 2400, NEVER, 756, 1008, 1260 }, /* not into the last tenth */
		/* the last tenth: five minutes */
		{ RETRY_SOON, 9, DAY, 8641, NEVER, 180, 240, 300 },
		{ RETRY_SOON, 9, DAY, 8640, NEVER, 180, 240, 300 },
		{ RETRY_SOON, 9, DAY, HOUR, NEVER, 180, 240, 300 },
		{ RETRY_SOON, 9, DAY, 800, NEVER, 75, 100, 125 },
		{ RETRY_SOON, 1, DAY, 80, NEVER, 8, 11, 13 },
		{ RETRY_SOON, 1, DAY, 1, NEVER, 8, 11, 13 },
		{ RETRY_SOON, 9, 90 * DAY, 9 * DAY, NEVER, 180, 240, 300 },
		/* expired */
		{ RETRY_SOON, 1, DAY, 0, NEVER, 45, 60, 75 },
		{ RETRY_SOON, 9, DAY, 0, NEVER, 180, 240, 300 },
		{ RETRY_SOON, 9, DAY, -900 * DAY, NEVER, 180, 240, 300 },
		/* five minutes, with the backdate six */
		{ RETRY_SOON, 1, 360, 120, NEVER, 12, 16, 19 },
		{ RETRY_SOON, 4, 360, 36, NEVER, 8, 11, 13 },
		{ RETRY_SOON, 4, 360, -1, NEVER, 36, 48, 60 },
		{ RETRY_SOON, 1, 20, 10, NEVER, 1, 1, 1 },
		{ RETRY_SOON, 1, 0, 0, NEVER, 36, 48, 60 },
		{ RETRY_SOON, 1, -5, -5, NEVER, 36, 48, 60 },
		/* the clock is before the certificate */
		{ RETRY_SOON, 1, DAY, INT64_C(1900000000), NEVER, 45, 60, 75 },
		{ RETRY_SOON, 1, DAY, INT64_C(1900000000), 9 * DAY, 31104, 34992, 38880 },
		/* what the CA says: not sooner, a little later, and never so that the certificate ends */
		{ RETRY_SOON, 1, DAY, 8 * HOUR, 0, 45, 60, 75 },
		{ RETRY_SOON, 1, DAY, 8 * HOUR, 30, 45, 60, 75 },
		{ RETRY_SOON, 1, DAY, 8 * HOUR, 1000, 1000, 1125, 1250 },
		{ RETRY_SOON, 1, DAY, 8 * HOUR, DAY, 8064, 9072, 10080 }, /* (8h - 2.4h) / 2 */
		{ RETRY_SOON, 1, DAY, 2 * HOUR, DAY, 240, 270, 300 },
		{ RETRY_SOON, 1, DAY, -HOUR, INT32_MAX, 240, 270, 300 },
		{ RETRY_SOON, 9, DAY, 2 * HOUR + 2400, 1201, 1008, 1134, 1260 },
		/* refused */
		{ RETRY_SELDOM, 1, DAY, 8 * HOUR, NEVER, 675, 900, 1125 },
		{ RETRY_SELDOM, 2, DAY, 8 * HOUR, NEVER, 1350, 1800, 2250 },
		{ RETRY_SELDOM, 3, DAY, 8 * HOUR, NEVER, 2700, 3600, 4500 },
		{ RETRY_SELDOM, 999, DAY, HOUR, NEVER, 2700, 3600, 4500 },
		{ RETRY_SELDOM, 999, 900 * DAY, -HOUR, NEVER, 2700, 3600, 4500 },
		{ RETRY_SELDOM, 1, 360, 100, NEVER, 45, 60, 75 },
		{ RETRY_SELDOM, 1, DAY, 8 * HOUR, 1800, 1800, 2025, 2250 },
		{ RETRY_SELDOM, 1, DAY, 8 * HOUR, DAY, 3600, 4050, 4500 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct retry_case c = { rows[i].kind, rows[i].repeats, rows[i].validity_s, rows[i].left_s,
			                      rows[i].retry_after_s };
		int64_t a = retry_delay_s(&c, 0), b = retry_delay_s(&c, HALF), z = retry_delay_s(&c, UINT64_MAX);
		if (a != rows[i].earliest_s || b != rows[i].middle_s || z != rows[i].latest_s)
			fail_msg("row %zu: %lld, %lld, %lld s", i, (long long)a, (long long)b, (long long)z);
	}
}

/* For any case: never in the same second, never apart by more than the promise, a burst of equals is spread. */
static void bounds(void **state)
{
	(void)state;
	struct dice dice = { 4 };
	for (int i = 0; i < ROUNDS; i++) {
		int64_t validity = 1 + dice_below(&dice, i % 2 ? 2 * HOUR : 800 * DAY);
		struct retry_case c = { (enum retry_kind)dice_below(&dice, RETRY_KINDS), 1 + (int)dice_below(&dice, 12),
			                validity, dice_below(&dice, validity + DAY) - DAY,
			                dice_below(&dice, 2) ? NEVER : dice_below(&dice, 2 * DAY) };
		int64_t s = retry_delay_s(&c, dice_roll(&dice)), tenth = validity / 10;
		assert_true(s >= 1 && s <= retry_bound_s(validity));
		if (c.kind == RETRY_SELDOM) {
			assert_true(s >= 45 && s <= RETRY_LAST_S + RETRY_LAST_S / 4);
			continue;
		}
		if (c.left_s <= tenth)
			assert_true(s <= RETRY_DYING_S);
		else
			assert_true(s <=
			            c.left_s - tenth + RETRY_DYING_S); /* the next one is in time for the last tenth */
		if (c.retry_after_s == NEVER && c.left_s > 8 * RETRY_LEAST_S)
			assert_true(s <= c.left_s / 8 + c.left_s / 32 + 1);
		assert_true(s <= RETRY_LAST_S + RETRY_LAST_S / 4 || c.retry_after_s > RETRY_LAST_S);
	}
}

/* While a CA is away, attempts never lie further apart than five minutes in the last tenth, whatever the chance. */
static void last_tenth_is_never_slept_through(void **state)
{
	(void)state;
	static const int64_t lives[] = { 6 * MIN, HOUR, DAY, 7 * DAY, 90 * DAY };
	struct dice dice = { 5 };
	for (size_t k = 0; k < COUNT_OF(lives); k++)
		for (int round = 0; round < 200; round++) {
			int64_t left = lives[k] / 3, before = left;
			for (int n = 1; left > 0; n++) {
				const struct retry_case c = { RETRY_SOON, n, lives[k], left,
					                      dice_below(&dice, 3) ? NEVER : dice_below(&dice, DAY) };
				before = left;
				left -= retry_delay_s(&c, dice_roll(&dice));
				if (left < lives[k] / 10)
					assert_true((before < lives[k] / 10 ? before : lives[k] / 10) - left <=
					            RETRY_DYING_S);
			}
			/* The last attempt while it lived was near its end. */
			assert_true(before <= RETRY_DYING_S);
		}
}

/* Two hundred that fail in the same second do not come back in the same second. */
static void spread(void **state)
{
	(void)state;
	struct dice dice = { 6 };
	int hits[76] = { 0 };
	const struct retry_case c = { RETRY_SOON, 1, DAY, 8 * HOUR, NEVER };
	for (int i = 0; i < 3100; i++)
		hits[retry_delay_s(&c, dice_roll(&dice))]++;
	for (int s = 45; s <= 75; s++)
		assert_in_range(hits[s], 60, 150); /* 100 each, where uniform */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(bounds),
		cmocka_unit_test(last_tenth_is_never_slept_through),
		cmocka_unit_test(spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
