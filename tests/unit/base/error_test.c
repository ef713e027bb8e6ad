#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include "unit.h"

static void tells(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	assert_int_equal(error_set(&e, ST_INVALID, "not %s", "PEM"), ST_INVALID);
	assert_int_equal(error_hint(&e, "try %d", 7), ST_INVALID);
	assert_int_equal(error_wrap(&e, "certificate %s", "a.crt"), ST_INVALID);
	assert_string_equal(e.text, "certificate a.crt: not PEM");
	assert_string_equal(e.hint, "try 7");
	assert_int_equal(error_nomem(&e), ST_NOMEM);
	assert_string_equal(e.text, "out of memory");
	assert_string_equal(e.hint, "");
}

static void adds_the_reason(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	assert_int_equal(error_os(&e, ENOENT, "open %s failed", "x"), ST_IO);
	assert_string_equal(e.text, "open x failed: no such file or directory");
	assert_int_equal(e.os, ENOENT);
	char out[64];
	assert_string_equal(errno_text(EIO, out, sizeof out), "input/output error");
	assert_string_equal(errno_text(EPERM, out, 4), "ope");
}

/* However long the path, the reason is there and the text ends. */
static void keeps_the_cause(void **state)
{
	(void)state;
	char path[2000];
	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	struct error e = ERROR_INIT;
	error_os(&e, ENOSPC, "write %s", path);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_non_null(strstr(e.text, ": no space left on device"));
	error_wrap(&e, "renew %s", path);
	assert_non_null(strstr(e.text, ": no space left on device"));
	error_set(&e, ST_IO, "cause");
	error_wrap(&e, "%s", path);
	assert_string_equal(e.text + strlen(e.text) - 8, "p: cause");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	error_hint(&e, "%s", path);
	assert_int_equal(strlen(e.hint), sizeof e.hint - 1);
}

/* An error may be told anew from its own text. */
static void may_hold_itself(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	error_set(&e, ST_PEER, "inner");
	error_hint(&e, "hint");
	error_set(&e, ST_IO, "outer (%s, %s)", e.text, e.hint);
	assert_string_equal(e.text, "outer (inner, hint)");
	error_hint(&e, "see %s", e.text);
	error_hint(&e, "%s!", e.hint);
	assert_string_equal(e.hint, "see outer (inner, hint)!");
}

static void names_every_status(void **state)
{
	(void)state;
	for (int i = 0; i < ST_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(status_name((enum status)i), status_name((enum status)k));
	assert_string_equal(status_name(ST_COUNT), "?");
	assert_string_equal(status_name((enum status) - 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tells), cmocka_unit_test(adds_the_reason),
					    cmocka_unit_test(keeps_the_cause), cmocka_unit_test(may_hold_itself),
					    cmocka_unit_test(names_every_status) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
