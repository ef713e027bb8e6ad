#include "os/memory.h"

#include "scratch.h"

#include <ctype.h>

static long resident_pages(void)
{
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
	fclose(f);
	return resident;
}

static int written = 1; /* .data: must survive */
static const char *const relocated[] = { "one", "two", "three" };

static void memory_is_given_back_and_nothing_is_lost(void **state)
{
	(void)state;
	char *block = malloc(1 << 20);
	memset(block, 7, 1 << 20);
	written = 42;
	long before = resident_pages();
	for (int i = 0; i < 3; i++) {
		memory_rest();
		assert_true(resident_pages() < before);
		assert_int_equal(written, 42);
		assert_int_equal(block[12345], 7);
		assert_string_equal(relocated[2], "three");
		assert_true(isalpha('x'));
	}
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(memory_is_given_back_and_nothing_is_lost) };
	return cmocka_run_group_tests_name("os/memory", tests, NULL, NULL);
}
