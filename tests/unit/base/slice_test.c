#include "base/slice.h"
#include "unit.h"

static void compares(void **state)
{
	(void)state;
	static const struct {
		struct slice a, b;
		bool same, nocase;
	} rows[] = {
		{ { NULL, 0 }, { NULL, 0 }, true, true },
		{ { NULL, 0 }, { (const uint8_t *)"", 0 }, true, true },
		{ { (const uint8_t *)"aB", 2 }, { (const uint8_t *)"aB", 2 }, true, true },
		{ { (const uint8_t *)"aB", 2 }, { (const uint8_t *)"Ab", 2 }, false, true },
		{ { (const uint8_t *)"a\0b", 3 }, { (const uint8_t *)"a\0c", 3 }, false, false },
		{ { (const uint8_t *)"a\0b", 3 }, { (const uint8_t *)"a", 1 }, false, false },
		{ { (const uint8_t *)"@[`{", 4 }, { (const uint8_t *)"`{@[", 4 }, false, false },
		{ { (const uint8_t *)"\xc4", 1 }, { (const uint8_t *)"\xe4", 1 }, false, false },
		{ { (const uint8_t *)"a", 1 }, { NULL, 0 }, false, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(slice_eq(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(slice_eq_consttime(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(slice_eq_nocase(rows[i].a, rows[i].b), rows[i].nocase);
	}
	assert_true(slice_is(SLICE_LIT("x"), "x"));
	assert_false(slice_is(SLICE_LIT("x\0"), "x"));
	assert_true(slice_is(slice_cstr(NULL), ""));
}

static void trims(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "", "" },
		{ " ", "" },
		{ " \t\r\n\v\f", "" },
		{ "a", "a" },
		{ " a b ", "a b" },
		{ "a\n", "a" },
		{ "\xa0"
		  "a",
		  "\xa0"
		  "a" },
		{ "\x1f"
		  "a\x08",
		  "\x1f"
		  "a\x08" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_true(slice_is(slice_trim(slice_cstr(rows[i][0])), rows[i][1]));
	assert_int_equal(slice_trim(SLICE_LIT("\0 ")).n, 1);
	assert_int_equal(slice_trim(SLICE_NONE).n, 0);
}

static void finds(void **state)
{
	(void)state;
	assert_int_equal(slice_find(SLICE_LIT("abcb"), 'b'), 1);
	assert_int_equal(slice_find(SLICE_LIT("abc"), 'x'), 3);
	assert_int_equal(slice_find(SLICE_LIT("a\0b"), '\0'), 1);
	assert_int_equal(slice_find(SLICE_NONE, 'x'), 0);
	assert_int_equal(slice_find(slice_of("abc", 2), 'c'), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(compares), cmocka_unit_test(trims),
					    cmocka_unit_test(finds) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
