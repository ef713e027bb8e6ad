#include "base/buf.h"
#include "fail.h"
#include "unit.h"

static void grows(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf b = BUF_INIT(100000);
	assert_string_equal(buf_cstr(&b), "");
	for (int i = 0; i < 10000; i++)
		buf_addf(&b, "%04d", i);
	assert_int_equal(b.failed, ST_OK);
	assert_int_equal(b.n, 40000);
	assert_memory_equal(b.p + 4 * 9999, "9999", 5);
	buf_reset(&b);
	assert_string_equal(buf_cstr(&b), "");
	buf_add(&b, NULL, 0);
	buf_add_slice(&b, SLICE_LIT("a\0b"));
	buf_addc(&b, 'c');
	assert_int_equal(b.n, 4);
	assert_memory_equal(b.p, "a\0bc", 5);
}

static void stops_at_the_ceiling(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	for (size_t max = 0; max < 200; max++) {
		AUTO(buf_done) struct buf b = BUF_INIT(max);
		for (size_t i = 0; i < max; i++)
			buf_addc(&b, 'x');
		assert_int_equal(buf_check(&b, &e), ST_OK);
		buf_addc(&b, 'y');
		assert_int_equal(buf_check(&b, &e), ST_LIMIT);
		buf_adds(&b, ""); /* sticky, even for nothing */
		buf_addf(&b, "%s", "");
		assert_int_equal(b.n, max);
		assert_null(buf_reserve(&b, 0));
		assert_null(buf_take(&b));
		buf_reset(&b);
		assert_int_equal(buf_check(&b, &e), ST_OK);
	}
}

static void survives_huge_numbers(void **state)
{
	(void)state;
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2, SIZE_MAX / 2 + 1 };
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		AUTO(buf_done) struct buf b = BUF_INIT(SIZE_MAX); /* no ceiling is one, too */
		buf_adds(&b, "text");
		assert_int_equal(b.failed, ST_OK);
		assert_null(buf_reserve(&b, sizes[i]));
		assert_int_not_equal(b.failed, ST_OK);
		AUTO(buf_done) struct buf small = BUF_INIT(10);
		assert_null(buf_reserve(&small, sizes[i]));
		assert_int_equal(small.failed, ST_LIMIT);
	}
}

static void hands_over(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf b = BUF_INIT(10);
	AUTO(text_free_p) char *empty = buf_take(&b);
	assert_string_equal(empty, "");
	buf_adds(&b, "one");
	AUTO(text_free_p) char *one = buf_take(&b);
	assert_string_equal(one, "one");
	assert_null(b.p);
	buf_adds(&b, "two");
	assert_string_equal(buf_cstr(&b), "two");
	AUTO(text_free_p) char *copy = text_dup(SLICE_LIT("abc"));
	AUTO(text_free_p) char *nothing = text_dup(SLICE_NONE);
	assert_string_equal(copy, "abc");
	assert_string_equal(nothing, "");
	text_wipe_free(NULL);
}

static void forgets_secrets(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf b = BUF_SECRET(100);
	buf_adds(&b, "hunter2");
	buf_reset(&b);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
}

static void says_out_of_memory(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf b = BUF_INIT(1000);
	buf_adds(&b, "kept");
	fail_arm(FAIL_ALLOC, 1, ENOMEM);
	buf_addf(&b, "%0200d", 1);
	assert_true(fail_disarm());
	assert_int_equal(buf_check(&b, &e), ST_NOMEM);
	assert_string_equal(buf_cstr(&b), "kept");
	fail_arm(FAIL_ALLOC, 1, ENOMEM);
	assert_null(text_dup(SLICE_LIT("x")));
	assert_true(fail_disarm());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(stops_at_the_ceiling),
		cmocka_unit_test(survives_huge_numbers),
		cmocka_unit_test(hands_over),
		cmocka_unit_test(forgets_secrets),
		cmocka_unit_test(says_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
