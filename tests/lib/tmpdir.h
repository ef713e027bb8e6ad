/* tmpdir.h - where a test makes what is its own: in TMPDIR, else in /tmp. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum { TMPDIR_PATH = 96 }; /* a socket's address has 108 bytes */

/* Makes a folder, which the test removes. Fails the test where TMPDIR is too long for ret. */
static inline void tmpdir_make(char ret[static TMPDIR_PATH])
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(ret, TMPDIR_PATH, "%s/perennial-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_in_range(n, 1, TMPDIR_PATH - 1);
	assert_non_null(mkdtemp(ret));
}
