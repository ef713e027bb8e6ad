/* urgency.h - who goes first when not all can be served at once, and when shall come again who is turned away. Numbers
 * only (docs/design/overload.md).
 *
 * What counts is the fraction of its life that a certificate has left. Renewers retry at intervals that go with what is
 * left, so the fraction says how many tries remain, however long the life is. Class 0 is the most urgent:
 *
 *    0        revocations
 *    1 .. 8   less than an eighth of the life left
 *    9        expired already: nothing more is lost by waiting for those who are about to be
 *   10 .. 63  the rest, by what is left; first certificates stand as if they had a quarter left */
#pragma once
#include "base/wall.h"
#include <stdbool.h>

enum {
	URGENCY_CLASSES = 64,
	URGENCY_REVOKE = 0,
	URGENCY_DYING = 8, /* never turned away for the sake of the others */
	URGENCY_EXPIRED = 9,
	URGENCY_NEW = 16,
};

int urgency_of_life(struct wall not_before, struct wall not_after, struct wall now);

/* A server whose newcomers wait for lag_ms: is this one taken on? Up to busy_ms all are; from there to four times as
 * much the bar falls to URGENCY_DYING. busy_ms 0: all are, always. */
bool urgency_admits(int urgency, int64_t lag_ms, int64_t busy_ms);

/* Retry-After for who is turned away: between a sixteenth and an eighth of the life that is left (<= 0: unknown, or
 * over), which those who are turned away together spread over; at least 10 s, at most half an hour. */
int64_t urgency_retry_s(int64_t left_s, uint64_t chance);
