/* arith.h - the renewer's sums: seconds as nanoseconds, and a share of chance. */
#pragma once
#include "base/duration.h"

/* Saturates: 292 years are for ever. */
static inline int64_t arith_ns_of_s(int64_t s)
{
	int64_t ns;
	if (__builtin_mul_overflow(s, DURATION_S, &ns))
		return s < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

/* Uniform in [0, width), out of a uniform 64-bit number; 0 where width <= 0. */
static inline int64_t arith_below(uint64_t chance, int64_t width)
{
	return width <= 0 ? 0 : (int64_t)((unsigned __int128)chance * (uint64_t)width >> 64);
}

static inline int64_t arith_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}
static inline int64_t arith_clamp(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : arith_min(v, most);
}
