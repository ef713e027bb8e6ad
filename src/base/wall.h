/* wall.h - instants. Wall time (whole seconds since 1970-01-01 UTC) is for certificates and tokens, monotonic time (ns)
 * for time-outs. Two types, so that mixing them does not compile. Nothing here reads a clock. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

struct wall {
	int64_t s;
};

struct mono {
	int64_t ns;
};

/* 0001-01-01T00:00:00Z .. 9999-12-31T23:59:59Z: what RFC 3339 and GeneralizedTime can say. */
#define WALL_MIN_S INT64_C(-62135596800)
#define WALL_MAX_S INT64_C(253402300799)

struct civil {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second;
	int weekday; /* 0 = Sunday; ignored by wall_of_civil */
};

struct civil civil_of_wall(struct wall t);

/* False where a field is out of range (31 April, 24:00). A leap second (60) counts as 59. */
bool wall_of_civil(const struct civil *c, struct wall *ret);

/* RFC 3339 date-time; a fraction is cut. ST_INVALID otherwise. */
MUST_USE enum status wall_parse_rfc3339(struct slice s, struct wall *ret, struct error *e);

enum { WALL_TEXT = 40 };

/* "2026-11-23T10:51:57Z" */
const char *wall_rfc3339(struct wall t, char out[WALL_TEXT]);

/* "2026-11-23 10:51:57 +0000 UTC", as Go prints a time in the peer's messages. */
const char *wall_go(struct wall t, char out[WALL_TEXT]);
