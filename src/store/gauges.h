/* gauges.h - how the store is doing: counted in memory, or asked of the file system; and, in small steps, how many
 * certificates would run out when. For who watches it. */
#pragma once
#include "store/store.h"

/* Commits by how many changes they held: at most 1, 2, 4, ... 256. */
enum { STORE_BATCH_BOUNDS = 9 };

struct store_gauges {
	int64_t queue, queue_max;         /* changes that wait now */
	int64_t changes, commits, failed; /* failed: transactions that were lost */
	int64_t pruned;                   /* rows */
	int64_t batches[STORE_BATCH_BOUNDS];
	/* -1: not known, or there is none (in memory, or on a server) */
	int64_t database_bytes, log_bytes;
	int64_t free_bytes; /* on their disk, for who is not root */
	enum store_room room;
};
/* Never waits for the database. */
void store_gauges(struct store *s, struct store_gauges *ret);

/* The newest certificate of each line that is not closed, by how much of its life is left: what runs out if nothing
 * more is renewed. Revoked ones count until their end. */
enum store_left {
	STORE_LEFT_NONE, /* ended, within the last day */
	STORE_LEFT_HOUR, /* ends within */
	STORE_LEFT_6_HOURS,
	STORE_LEFT_DAY,
	STORE_LEFT_3_DAYS,
	STORE_LEFT_WEEK,
	STORE_LEFT_30_DAYS,
	STORE_LEFT_90_DAYS,
	STORE_LEFT_ALL, /* not ended */
	STORE_LEFTS
};
struct store_census {
	int64_t n[STORE_LEFTS];
	int64_t line; /* that was counted last; begin with all zero */
};
enum { STORE_CENSUS_LINES = 2000 };
/* Counts the next `max` lines into it. *ret_more: there may be further ones. A line takes one look into an index. */
MUST_USE enum status store_count(struct store *s, struct wall now, int max, struct store_census *io, bool *ret_more,
                                 struct error *e);
