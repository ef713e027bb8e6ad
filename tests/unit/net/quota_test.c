#include "net/quota.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct in6_addr address(const char *text)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	if (inet_pton(AF_INET, text, &a.s6_addr[12]) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static struct quota *quota(int total, int spare, int per_address, const struct netset *exempt)
{
	static const struct netset nobody;
	const struct quota_rule rule = { total, spare, per_address, exempt ? exempt : &nobody };
	struct quota *q;
	struct error e = ERROR_INIT;
	assert_int_equal(quota_new(&rule, &q, &e), ST_OK);
	return q;
}

static enum place enter(struct quota *q, const char *from, bool may_spare)
{
	struct in6_addr a = address(from);
	return quota_enter(q, &a, may_spare);
}

static void leave(struct quota *q, const char *from)
{
	struct in6_addr a = address(from);
	quota_leave(q, &a);
}

static void the_total_and_the_spare(void **state)
{
	struct quota *q = quota(2, 1, 0, NULL);
	(void)state;
	assert_int_equal(enter(q, "192.0.2.1", true), PLACE_GIVEN);
	assert_int_equal(enter(q, "192.0.2.1", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "192.0.2.1", false), PLACE_FULL);
	assert_int_equal(enter(q, "192.0.2.2", true), PLACE_SPARE);
	assert_int_equal(enter(q, "192.0.2.3", true), PLACE_FULL);
	leave(q, "192.0.2.1"); /* one too many still */
	assert_int_equal(enter(q, "192.0.2.3", false), PLACE_FULL);
	assert_int_equal(enter(q, "192.0.2.3", true), PLACE_SPARE);
	leave(q, "192.0.2.1");
	leave(q, "192.0.2.2");
	assert_int_equal(enter(q, "192.0.2.3", false), PLACE_GIVEN);
	quota_free(q);
}

static void one_address_is_a_64_of_ipv6(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct quota *q = quota(10, 0, 1, NULL);
		struct in6_addr one = address(rows[i].one);
		assert_int_equal(quota_count(q, &one), 0);
		assert_int_equal(enter(q, rows[i].one, false), PLACE_GIVEN);
		assert_int_equal(quota_count(q, &one), 1);
		assert_int_equal(enter(q, rows[i].other, false), rows[i].same ? PLACE_CROWDED : PLACE_GIVEN);
		assert_int_equal(quota_count(q, &one), 1);
		leave(q, rows[i].one);
		assert_int_equal(quota_count(q, &one), 0);
		assert_int_equal(enter(q, rows[i].one, false), PLACE_GIVEN);
		quota_free(q);
	}
}

static void proxies_are_exempt_from_theirs_only(void **state)
{
	static struct netset exempt;
	struct error e = ERROR_INIT;
	(void)state;
	assert_int_equal(netset_add(&exempt, SLICE_LIT("10.0.0.0/24"), &e), ST_OK);
	struct quota *q = quota(4, 0, 1, &exempt);
	struct in6_addr proxy = address("10.0.0.9");
	for (int i = 0; i < 3; i++)
		assert_int_equal(enter(q, "10.0.0.9", false), PLACE_GIVEN);
	assert_int_equal(quota_count(q, &proxy), 0);
	assert_int_equal(enter(q, "10.0.1.9", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "10.0.0.9", false), PLACE_FULL);
	leave(q, "10.0.1.9");
	assert_int_equal(enter(q, "10.0.1.9", false), PLACE_GIVEN);
	leave(q, "10.0.1.9");
	leave(q, "10.0.0.9");
	assert_int_equal(enter(q, "10.0.1.9", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "10.0.1.9", false), PLACE_CROWDED);
	quota_free(q);
}

/* Or the listener would make room for him, at somebody else's cost, and then send him away. */
static void who_is_over_his_bound_is_told_that(void **state)
{
	struct quota *q = quota(2, 0, 1, NULL);
	(void)state;
	assert_int_equal(enter(q, "192.0.2.1", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "192.0.2.2", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "192.0.2.1", false), PLACE_CROWDED);
	assert_int_equal(enter(q, "192.0.2.3", false), PLACE_FULL);
	quota_free(q);
}

enum { THREADS = 4, TURNS = 20000 };

static void *come_and_go(void *arg)
{
	struct quota *q = arg;
	struct in6_addr from = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	long bad = 0;
	for (int i = 0; i < TURNS; i++) {
		from.s6_addr[15] = (uint8_t)i;
		enum place p = quota_enter(q, &from, i % 2);
		bad += p != PLACE_GIVEN && p != PLACE_SPARE && p != PLACE_FULL && p != PLACE_CROWDED;
		if (p == PLACE_GIVEN || p == PLACE_SPARE)
			quota_leave(q, &from);
	}
	return (void *)bad;
}

static void threads(void **state)
{
	struct quota *q = quota(2, 1, 1, NULL);
	pthread_t t[THREADS];
	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, come_and_go, q), 0);
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(enter(q, "192.0.2.1", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "192.0.2.2", false), PLACE_GIVEN);
	assert_int_equal(enter(q, "192.0.2.3", false), PLACE_FULL);
	quota_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_total_and_the_spare),
		cmocka_unit_test(one_address_is_a_64_of_ipv6),
		cmocka_unit_test(proxies_are_exempt_from_theirs_only),
		cmocka_unit_test(who_is_over_his_bound_is_told_that),
		cmocka_unit_test(threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
