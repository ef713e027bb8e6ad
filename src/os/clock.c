#include "os/clock.h"

#include "base/duration.h"

#include <time.h>

static struct timespec now(clockid_t which)
{
	struct timespec t = { 0 };
	/* These two clocks exist on every Linux, so the call cannot fail. */
	clock_gettime(which, &t);
	return t;
}

static struct wall wall_now(void *ctx)
{
	(void)ctx;
	return (struct wall){ now(CLOCK_REALTIME).tv_sec };
}

static struct mono mono_now(void *ctx)
{
	(void)ctx;
	struct timespec t = now(CLOCK_MONOTONIC);
	return (struct mono){ (int64_t)t.tv_sec * DURATION_S + t.tv_nsec };
}

const struct clock clock_system = { .wall = wall_now, .mono = mono_now };

struct wall clock_now(int64_t *ret_ns)
{
	struct timespec t = now(CLOCK_REALTIME);
	*ret_ns = t.tv_nsec;
	return (struct wall){ t.tv_sec };
}
