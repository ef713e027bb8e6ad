#include "renewal/facts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void names(void **state)
{
	(void)state;
	struct san sans[] = { { .type = SAN_DNS, .text = (char[]){ "a.example" } },
		              { .type = SAN_URI, .text = (char[]){ "spiffe://a/b\\c" } },
		              { .type = SAN_DNS, .text = (char[]){ "x\ny" } },
		              { .type = SAN_IP, .text = (char[]){ "::1" } } };
	const struct san_list lists[] = { { 0 }, { sans, 1 }, { sans, COUNT_OF(sans) } };
	static const char *const want[] = { "", "a.example", "a.example\nspiffe://a/b\\\\c\nx\\x0ay\n::1" };
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1024);
		const struct cert_facts f = { .sans = &lists[i] };
		facts_names(&f, &out);
		assert_string_equal(buf_cstr(&out), want[i]);
	}
	AUTO(buf_done) struct buf out = BUF_INIT(1024);
	facts_names(&(struct cert_facts){ 0 }, &out);
	assert_int_equal(out.n, 0);
}

static void lines(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} rows[] = {
		{ "plain", 99, "plain" },   { "a\nb\tc\x7f", 99, "a\\x0ab\\x09c\\x7f" },
		{ "\\x0a", 99, "\\\\x0a" }, { "\xc3\xa9\xff", 99, "\\xc3\\xa9\\xff" },
		{ "abcdef", 3, "abc" },     { "", 3, "" },
		{ "a\nb", 2, "a\\x0a" },    { "abc", 0, "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1024);
		facts_line(&out, rows[i].text, rows[i].max);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
}

static void percent_left(void **state)
{
	(void)state;
	static const struct {
		int64_t from, to, now;
		int want;
	} rows[] = {
		{ 0, 99, -5, 100 }, { 0, 99, 0, 100 }, { 0, 99, 1, 99 },  { 0, 99, 50, 50 },
		{ 0, 99, 99, 1 },   { 0, 99, 100, 0 }, { 0, 99, 999, 0 }, { 0, 999, 501, 50 },
		{ 0, 999, 999, 1 }, { 5, 4, 0, 0 },    { 5, -9, 0, 0 },   { WALL_MIN_S, WALL_MAX_S, 0, 81 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(facts_left_percent((struct wall){ rows[i].from }, (struct wall){ rows[i].to },
		                                    (struct wall){ rows[i].now }),
		                 rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(lines),
		cmocka_unit_test(percent_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
