/* common.h - what the tests of the client share. */
#pragma once
#include "base/buf.h"
#include "crypto/auto.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

/* The whole text, or, where want ends in '*', its beginning. */
static inline void assert_text(const char *got, const char *want)
{
	size_t n = strlen(want);
	if (n && want[n - 1] == '*' ? strncmp(got, want, n - 1) != 0 : strcmp(got, want) != 0)
		fail_msg("\"%s\" is not \"%s\"", got, want);
}
