#include "renewal/retry.h"

#include "renewal/arith.h"

/* first, 2 first, 4 first, ... */
static int64_t doubled(int64_t first, int repeats, int64_t most)
{
	int64_t s = first;
	for (int i = 1; i < repeats && s < most; i++)
		s *= 2;
	return arith_min(s, most);
}

/* s and a quarter of it to either side; where no_sooner, to the later one. */
static int64_t spread(int64_t s, bool no_sooner, uint64_t chance)
{
	return no_sooner ? s + arith_below(chance, s / 4 + 1) : s - s / 4 + arith_below(chance, s / 2 + 1);
}

/* No spread goes beyond this: the last tenth of the life is never slept through, and in it nobody waits long. */
static int64_t longest(const struct retry_case *c)
{
	int64_t tenth = c->validity_s / 10;
	if (c->left_s <= 0)
		return arith_clamp(tenth, RETRY_FIRST_S, RETRY_DYING_S);
	return c->left_s > tenth ? c->left_s - tenth + RETRY_DYING_S : RETRY_DYING_S;
}

static int64_t soon(const struct retry_case *c, uint64_t chance)
{
	int64_t tenth = c->validity_s / 10, most = longest(c);
	int64_t s = doubled(RETRY_FIRST_S, c->repeats, RETRY_LAST_S);
	if (c->left_s > 0)
		s = arith_min(s, c->left_s / 8);
	s = arith_min(s, most * 4 / 5);
	int64_t least = arith_clamp(c->validity_s / 30, 1, RETRY_LEAST_S);
	if (s < least)
		s = least;
	if (c->retry_after_s <= s)
		return arith_min(spread(s, false, chance), most);
	int64_t later = c->left_s > tenth ? (c->left_s - tenth) / 2 : 0;
	if (later < RETRY_DYING_S)
		later = RETRY_DYING_S;
	int64_t asked = arith_min(c->retry_after_s, later * 4 / 5);
	return arith_min(spread(asked > s ? asked : s, true, chance), most);
}

static int64_t seldom(const struct retry_case *c, uint64_t chance)
{
	int64_t first = arith_clamp(c->validity_s / 24, RETRY_FIRST_S, RETRY_SELDOM_S);
	int64_t s = doubled(first, c->repeats, RETRY_LAST_S);
	if (c->retry_after_s <= s)
		return spread(s, false, chance);
	return spread(arith_min(c->retry_after_s, RETRY_LAST_S), true, chance);
}

int64_t retry_delay_s(const struct retry_case *c, uint64_t chance)
{
	struct retry_case k = *c;
	k.validity_s = arith_clamp(k.validity_s, 1, WALL_MAX_S);
	k.left_s = arith_min(k.left_s, k.validity_s); /* a clock before the certificate's begin */
	int64_t s = k.kind == RETRY_SELDOM ? seldom(&k, chance) : soon(&k, chance);
	return s < 1 ? 1 : s;
}

int64_t retry_bound_s(int64_t validity_s)
{
	int64_t asked = validity_s / 2, own = RETRY_LAST_S + RETRY_LAST_S / 4;
	return asked > own ? asked : own;
}
