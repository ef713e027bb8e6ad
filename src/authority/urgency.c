#include "authority/urgency.h"

enum { BUSY_TIMES = 4, RETRY_LEAST_S = 10, RETRY_MOST_S = 900 };

int urgency_of_life(struct wall not_before, struct wall not_after, struct wall now)
{
	int64_t life_s = not_after.s - not_before.s, left_s = not_after.s - now.s;
	if (left_s <= 0 || life_s <= 0)
		return URGENCY_EXPIRED;
	if (left_s >= life_s)
		return URGENCY_CLASSES - 1;
	int class = 1 + (int)((unsigned __int128)left_s * (URGENCY_CLASSES - 2) / (uint64_t)life_s);
	return class <= URGENCY_DYING || class > URGENCY_EXPIRED ? class : URGENCY_EXPIRED + 1;
}

bool urgency_admits(int urgency, int64_t lag_ms, int64_t busy_ms)
{
	if (busy_ms <= 0 || lag_ms <= busy_ms)
		return true;
	int64_t range_ms = (BUSY_TIMES - 1) * busy_ms, over_ms = lag_ms - busy_ms;
	if (over_ms > range_ms)
		over_ms = range_ms;
	return urgency <= URGENCY_CLASSES - 1 - (URGENCY_CLASSES - 1 - URGENCY_DYING) * over_ms / range_ms;
}

int64_t urgency_retry_s(int64_t left_s, uint64_t chance)
{
	int64_t s = left_s / 16;
	s = s < RETRY_LEAST_S ? RETRY_LEAST_S : s > RETRY_MOST_S ? RETRY_MOST_S : s;
	return s + (int64_t)((unsigned __int128)chance * (uint64_t)(s + 1) >> 64);
}
