/* When the listener's own certificate is renewed. */
#include "server/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { HOUR = 3600, NOW = 1800000000 };

/* A certificate of the listener, made at NOW. */
static struct cert_facts lives(int64_t s)
{
	return (struct cert_facts){ .not_before = { NOW - 60 }, .not_after = { NOW + s } };
}

static void renews_at_two_thirds_less_a_twentieth(void **state)
{
	(void)state;
	struct cert_facts f = lives(24 * HOUR - 60);
	struct wall now = { NOW };
	assert_int_equal(leaf_next(&f, now, true, 0).s, NOW - 60 + 16 * HOUR);
	for (uint64_t chance = 1; chance; chance <<= 1) {
		int64_t due = leaf_next(&f, now, true, chance).s;
		assert_true(due <= NOW - 60 + 16 * HOUR && due > NOW - 60 + 16 * HOUR - 24 * HOUR / 20);
	}
}

static void tries_again_after_a_failure(void **state)
{
	(void)state;
	struct cert_facts f = lives(24 * HOUR - 60);
	struct wall later = { NOW + 16 * HOUR };
	assert_int_equal(leaf_next(&f, later, false, 0).s, later.s + 36 * 60);
	assert_true(leaf_next(&f, later, false, UINT64_MAX).s < later.s + 72 * 60);
}

/* Seen: a new certificate and a log record every second, for the last minute of the issuer's life and ever after. */
static void an_issuer_at_its_end_made_it_spin(void **state)
{
	(void)state;
	for (int64_t left = 0; left < 120; left++) {
		struct cert_facts f = lives(left);
		assert_true(leaf_next(&f, (struct wall){ NOW }, true, 0).s >= NOW + 60);
		assert_true(leaf_next(&f, (struct wall){ NOW + left + 1 }, false, 0).s >= NOW + left + 61);
	}
}

/* Seen: after the clock was put back, clients were shown a certificate of the future until that came. */
static void a_clock_put_back_left_a_certificate_of_the_future(void **state)
{
	(void)state;
	struct cert_facts f = lives(24 * HOUR);
	struct wall due = { NOW + 16 * HOUR };
	assert_true(leaf_is_due(&f, due, (struct wall){ NOW - 61 }));
	assert_true(leaf_is_due(&f, due, (struct wall){ NOW - 10 * 365 * 24 * (int64_t)HOUR }));
	assert_false(leaf_is_due(&f, due, (struct wall){ NOW - 60 }));
	assert_false(leaf_is_due(&f, due, (struct wall){ due.s - 1 }));
	assert_true(leaf_is_due(&f, due, due));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renews_at_two_thirds_less_a_twentieth),
		cmocka_unit_test(tries_again_after_a_failure),
		cmocka_unit_test(an_issuer_at_its_end_made_it_spin),
		cmocka_unit_test(a_clock_put_back_left_a_certificate_of_the_future),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
