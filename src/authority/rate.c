#include "authority/rate.h"

#include <stdlib.h>

enum { WAYS = 4, HOUR_MS = 3600000 };

struct debtor {
	uint64_t key;
	int64_t until_ms; /* by then it has paid; a free place owes nothing */
};

struct rate {
	size_t sets; /* a power of two */
	struct debtor v[];
};

enum status rate_new(size_t keys, struct rate **ret, struct error *e)
{
	size_t sets = 1;
	while (sets * WAYS < keys)
		sets *= 2;
	struct rate *r = calloc(1, sizeof *r + sets * WAYS * sizeof *r->v);
	if (!r)
		return error_nomem(e);
	r->sets = sets;
	*ret = r;
	return ST_OK;
}

void rate_free(struct rate *r)
{
	free(r);
}

/* The key's place, or the one of whoever in its set owes least. */
static struct debtor *find(struct rate *r, uint64_t key)
{
	struct debtor *set = &r->v[(key ^ key >> 32) % r->sets * WAYS], *least = set;
	for (struct debtor *d = set; d < set + WAYS; d++) {
		if (d->key == key)
			return d;
		if (d->until_ms < least->until_ms)
			least = d;
	}
	return least;
}

int64_t rate_take(struct rate *r, uint64_t key, int per_hour, int64_t now_ms)
{
	if (per_hour <= 0)
		return 0;
	struct debtor *d = find(r, key);
	int64_t each_ms = HOUR_MS / per_hour, most_ms = each_ms * (per_hour + RATE_BURST);
	int64_t until_ms = d->key == key && d->until_ms > now_ms ? d->until_ms : now_ms;
	if (until_ms + each_ms - now_ms > most_ms)
		return (until_ms + each_ms - now_ms - most_ms + 999) / 1000;
	*d = (struct debtor){ key, until_ms + each_ms };
	return 0;
}
