#include "base/duration.h"
#include "unit.h"

static void reads(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "+0", 0 },
		{ "0s", 0 },
		{ "1ns", 1 },
		{ "1us", 1000 },
		{ "1\xc2\xb5s", 1000 },
		{ "1\xce\xbcs", 1000 },
		{ "1ms", 1000000 },
		{ "24h", 24 * DURATION_H },
		{ "-1h30m", -90 * DURATION_MIN },
		{ "+5s", 5 * DURATION_S },
		{ "1.5s", 1500000000 },
		{ ".5s", 500000000 },
		{ "1.s", DURATION_S },
		{ "0.1h", 6 * DURATION_MIN },
		{ "1h1h", 2 * DURATION_H },
		{ "39h9m14.425s", (39 * 3600 + 9 * 60 + 14) * DURATION_S + 425000000 },
		{ "0.3333333333333333333h", 1200 * DURATION_S },
		{ "0.100000000000000000000h", 6 * DURATION_MIN },
		{ "9223372036854775807ns", INT64_MAX },
		{ "-9223372036854775808ns", INT64_MIN },
		{ "2562047h47m16.854775807s", INT64_MAX },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		int64_t ns = 77;
		print_message("# row %zu\n", i);
		assert_int_equal(duration_parse(slice_cstr(rows[i].text), &ns, &e), ST_OK);
		assert_int_equal(ns, rows[i].ns);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"1",
		"5",
		"3000",
		"1d",
		"1w",
		"s",
		".",
		"-",
		"+",
		".s",
		"-.s",
		"+.s",
		"1h ",
		" 1h",
		"1 h",
		"--1h",
		"+-1h",
		"1h-30m",
		"1H",
		"1.5.5s",
		"1e3s",
		"0x1s",
		"1hh",
		"h1",
		"00",
		"1,5s",
		"24h5",
		"-",
		"1m s",
		"1\xc2",
		"1\xb5s",
		"nan",
		"inf",
		"1s\n",
		"9223372036854775808ns",
		"-9223372036854775809ns",
		"9223372036854775808s",
		"99999999999999999999999h",
		"2562047h47m16.854775808s",
		"9223372036854775807ns1ns",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		int64_t ns = 77;
		print_message("# row %zu\n", i);
		assert_int_equal(duration_parse(slice_cstr(rows[i]), &ns, &e), ST_INVALID);
		assert_int_equal(ns, 77);
	}
	struct error e = ERROR_INIT;
	int64_t ns;
	assert_int_equal(duration_parse(SLICE_LIT("1h\0"), &ns, &e), ST_INVALID);
}

static void prints(void **state)
{
	(void)state;
	static const struct {
		int64_t ns;
		const char *text, *seconds;
	} rows[] = {
		{ 0, "0s", "0s" },
		{ 1, "1ns", "0s" },
		{ 1100, "1.1\xc2\xb5s", "0s" },
		{ 2200000, "2.2ms", "0s" },
		{ 499999999, "499.999999ms", "0s" },
		{ 500000000, "500ms", "1s" },
		{ -500000000, "-500ms", "-1s" },
		{ -499999999, "-499.999999ms", "0s" },
		{ 3300000000, "3.3s", "3s" },
		{ 245 * DURATION_S, "4m5s", "4m5s" },
		{ 245001 * DURATION_MS, "4m5.001s", "4m5s" },
		{ 18367001 * DURATION_MS, "5h6m7.001s", "5h6m7s" },
		{ 480000000001, "8m0.000000001s", "8m0s" },
		{ 24 * DURATION_H, "24h0m0s", "24h0m0s" },
		{ 86399500 * DURATION_MS, "23h59m59.5s", "24h0m0s" },
		{ INT64_MAX, "2562047h47m16.854775807s", "2562047h47m16.854775807s" },
		{ INT64_MIN, "-2562047h47m16.854775808s", "-2562047h47m16.854775808s" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[DURATION_TEXT];
		assert_string_equal(duration_format(rows[i].ns, out), rows[i].text);
		assert_string_equal(duration_format_s(rows[i].ns, out), rows[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads), cmocka_unit_test(refuses),
					    cmocka_unit_test(prints) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
