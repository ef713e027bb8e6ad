/* check.h - assertions on statuses, for tests that have a `struct error e` in scope. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

/* Also: what a failing function says of itself is what it returns, and it says something. */
#define assert_st(want, call)                                                                                          \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_ != (want) || e.status != (want) || !e.text[0])                                                 \
			fail_msg("%s: %s (%s) instead of %s", #call, status_name(st_), e.text, status_name(want));     \
	} while (0)

#define assert_text(want) assert_string_equal(want, e.text)
#define assert_says(part)                                                                                              \
	do {                                                                                                           \
		if (!strstr(e.text, part))                                                                             \
			fail_msg("\"%s\" does not say \"%s\"", e.text, part);                                          \
	} while (0)

#define assert_slice(want, got)                                                                                        \
	do {                                                                                                           \
		struct slice want_ = (want), got_ = (got);                                                             \
		if (!slice_eq(want_, got_))                                                                            \
			fail_msg("\"%.*s\" instead of \"%.*s\"", SLICE_FMT(got_), SLICE_FMT(want_));                   \
	} while (0)
