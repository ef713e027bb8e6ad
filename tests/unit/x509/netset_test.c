#include "testing.h"

#include "x509/netset.h"

#include <arpa/inet.h>

static struct in6_addr address(const char *text)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	if (inet_pton(AF_INET, text, &a.s6_addr[12]) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static void holds(void **state)
{
	static const struct {
		const char *net, *in, *out;
	} rows[] = {
		{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
		{ "192.0.2.7/32", "192.0.2.7", "192.0.2.71" },
		{ "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
		{ "192.0.2.128/25", "192.0.2.129", "192.0.2.127" },
		{ "192.0.2.64/26", "192.0.2.127", "192.0.2.128" },
		{ "0.0.0.0/0", "8.8.8.8", "2001:db8::1" },
		{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
		{ "::1", "::1", "::2" },
		{ "::/0", "10.0.0.1", NULL },
		{ "::ffff:10.0.0.0/8", "10.1.2.3", "11.1.2.3" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct netset s = { .n = 0 };
		struct error e = ERROR_INIT;
		struct in6_addr in = address(rows[i].in), out = address(rows[i].out ? rows[i].out : rows[i].in);
		if (netset_add(&s, slice_cstr(rows[i].net), &e))
			fail_msg("%s: %s", rows[i].net, e.text);
		if (!netset_holds(&s, &in) || (rows[i].out && netset_holds(&s, &out)))
			fail_msg("%s", rows[i].net);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *net, *why;
	} rows[] = {
		{ "", "is no address" },
		{ "/8", "is no address" },
		{ "localhost", "is no address" },
		{ "10.0.0/8", "is no address" },
		{ "fe80::1%eth0", "is no address" },
		{ "10.0.0.0 /8", "is no address" },
		{ "10.0.0.0/", "the prefix must be a number from 0 to 32" },
		{ "10.0.0.0/33", "the prefix must be a number from 0 to 32" },
		{ "10.0.0.0/-1", "the prefix must be a number from 0 to 32" },
		{ "10.0.0.0/8/8", "the prefix must be a number from 0 to 32" },
		{ "::/129", "the prefix must be a number from 0 to 128" },
		{ "10.0.0.1/8", "has bits behind the prefix" },
		{ "192.0.2.65/26", "has bits behind the prefix" },
		{ "2001:db8::1/64", "has bits behind the prefix" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct netset s = { .n = 0 };
		struct error e = ERROR_INIT;
		assert_int_equal(netset_add(&s, slice_cstr(rows[i].net), &e), ST_INVALID);
		if (!strstr(e.text, rows[i].why))
			fail_msg("%s: %s", rows[i].net, e.text);
		assert_int_equal(s.n, 0);
	}
}

static void is_bounded(void **state)
{
	static struct netset s;
	struct error e = ERROR_INIT;
	struct in6_addr a = address("10.0.0.1");
	(void)state;
	assert_false(netset_holds(&s, &a));
	for (int i = 0; i < NETSET_MAX; i++)
		assert_int_equal(netset_add(&s, SLICE_LIT("10.0.0.1"), &e), ST_OK);
	assert_int_equal(netset_add(&s, SLICE_LIT("10.0.0.1"), &e), ST_LIMIT);
	assert_true(netset_holds(&s, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds),
		cmocka_unit_test(refuses),
		cmocka_unit_test(is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
