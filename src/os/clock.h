/* clock.h - the only readers of the time. A struct of functions, so that tests put a clock of their own in its place.
 */
#pragma once
#include "base/wall.h"

struct clock {
	struct wall (*wall)(void *ctx);
	struct mono (*mono)(void *ctx);
	void *ctx;
};
extern const struct clock clock_system;

static inline struct wall clock_wall(const struct clock *c)
{
	return c->wall(c->ctx);
}
static inline struct mono clock_mono(const struct clock *c)
{
	return c->mono(c->ctx);
}

/* The system's wall time with its fraction (0 .. 999,999,999), for log records. */
struct wall clock_now(int64_t *ret_ns);
