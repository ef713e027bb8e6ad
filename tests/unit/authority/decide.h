/* decide.h - what the tests of decisions share. */
#pragma once
#include "crypto/auto.h"
#include "testca.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

#define assert_granted(v)                                                                                              \
	do {                                                                                                           \
		if ((v).refusal)                                                                                       \
			fail_msg("refused: %s", (v).reason);                                                           \
	} while (0)

/* The refusal, the exact message, and a part of the reason. */
#define assert_refused(v, want, want_message, want_reason)                                                             \
	do {                                                                                                           \
		assert_int_equal((v).refusal, want);                                                                   \
		assert_string_equal((v).message, want_message);                                                        \
		if (!strstr((v).reason, want_reason))                                                                  \
			fail_msg("reason is \"%s\", not \"...%s...\"", (v).reason, want_reason);                       \
	} while (0)

static const uint8_t test_serial[ISSUE_SERIAL_BYTES] = { 0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
