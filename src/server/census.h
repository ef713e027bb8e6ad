/* census.h - how many certificates run out when, for the metrics. A thread of its own counts again and again, in small
 * steps with long rests between them, so that neither a scrape nor a renewal waits for it, however many there are. */
#pragma once
#include "os/clock.h"
#include "store/gauges.h"

struct census;

/* Begins to count at once. store and clock must stay good until census_stop. */
MUST_USE enum status census_start(struct store *s, const struct clock *clock, struct census **ret, struct error *e);
void census_stop(struct census *c); /* NULL is fine */

/* The last whole count and when it was begun; false before the first one. */
bool census_get(struct census *c, struct store_census *ret, struct wall *ret_at);
