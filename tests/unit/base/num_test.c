#include "base/num.h"
#include "unit.h"

static void reads(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t min, max, want;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "-12", -12, 0, -12 },
		{ "+3", 0, 3, 3 },
		{ "007", 0, 9, 7 },
		{ "-0", 0, 9, 0 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		int64_t v = 77;
		assert_int_equal(num_parse(slice_cstr(rows[i].text), rows[i].min, rows[i].max, &v, &e), ST_OK);
		assert_int_equal(v, rows[i].want);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t min, max;
		const char *why;
	} rows[] = {
		{ "", 0, 9, "not a number" },
		{ "-", -9, 9, "not a number" },
		{ "+", 0, 9, "not a number" },
		{ "--1", -9, 9, "not a number" },
		{ "+-1", -9, 9, "not a number" },
		{ " 1", 0, 9, "not a number" },
		{ "1 ", 0, 9, "not a number" },
		{ "1.0", 0, 9, "not a number" },
		{ "1e1", 0, 99, "not a number" },
		{ "0x1", 0, 9, "not a number" },
		{ "1_0", 0, 99, "not a number" },
		{ "\xd9\xa1", 0, 9, "not a number" },
		{ "10", 0, 9, "must be from 0 to 9" },
		{ "-1", 0, 9, "must be from 0 to 9" },
		{ "9223372036854775808", INT64_MIN, INT64_MAX,
		  "must be from -9223372036854775808 to 9223372036854775807" },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX,
		  "must be from -9223372036854775808 to 9223372036854775807" },
		{ "99999999999999999999999999", 0, 9, "must be from 0 to 9" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		int64_t v = 77;
		print_message("# row %zu\n", i);
		assert_int_equal(num_parse(slice_cstr(rows[i].text), rows[i].min, rows[i].max, &v, &e), ST_INVALID);
		assert_string_equal(e.text, rows[i].why);
		assert_int_equal(v, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads), cmocka_unit_test(refuses) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
