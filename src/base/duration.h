/* duration.h - spans of time in Go's notation ("24h", "-1h30m", "1.5s"), which is what ca.json, the wire and the
 * command line speak. A duration is an int64_t of nanoseconds, named *_ns. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

#define DURATION_US INT64_C(1000)
#define DURATION_MS INT64_C(1000000)
#define DURATION_S INT64_C(1000000000)
#define DURATION_MIN (60 * DURATION_S)
#define DURATION_H (3600 * DURATION_S)

enum { DURATION_TEXT = 32 };

/* Units ns us µs ms s m h, fractions, a sign, concatenation; "0" alone is allowed. ST_INVALID otherwise. */
MUST_USE enum status duration_parse(struct slice s, int64_t *ret_ns, struct error *e);

/* As Go's Duration.String(): "15h17m0s", "1.5s", "350ms", "0s". */
const char *duration_format(int64_t ns, char out[DURATION_TEXT]);

/* Whole seconds as a duration; what is longer than 292 years is the longest one: a certificate may end in 9999. */
int64_t duration_of_s(int64_t s);

/* Rounded half away from zero to whole seconds first, as the peer's messages are: "23h58m44s". */
const char *duration_format_s(int64_t ns, char out[DURATION_TEXT]);
