/* rate.h - how often may one do something? A table of fixed size that knows, for each key, until when it has used up
 * what it may (the generic cell rate algorithm); a key that owes nothing needs no place. Where too many owe something,
 * the one that owes least is forgotten, so that it errs to the caller's favour. Pure but for its memory; not for two
 * threads at once. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct rate;

enum { RATE_BURST = 4 }; /* on top of an hour's number: retries of what was answered into the void */

/* keys: rounded up to a power of two. Memory is touched as it is used. */
MUST_USE enum status rate_new(size_t keys, struct rate **ret, struct error *e);
void rate_free(struct rate *r);

/* Once more? 0: yes, and it is counted. Else the seconds until it may. per_hour times an hour, at any pace and
 * RATE_BURST times more at once; per_hour <= 0: always. now_ms: a clock that does not go back. */
int64_t rate_take(struct rate *r, uint64_t key, int per_hour, int64_t now_ms);
