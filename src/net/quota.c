#include "net/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

struct guest {
	struct guest *next;
	struct in6_addr from;
	int n;
};

struct quota {
	pthread_mutex_t lock;
	struct quota_rule rule;
	int total;
	struct guest *buckets[BUCKETS];
};

enum status quota_new(const struct quota_rule *rule, struct quota **ret, struct error *e)
{
	struct quota *q = calloc(1, sizeof *q);
	if (!q)
		return error_nomem(e);
	pthread_mutex_init(&q->lock, NULL);
	q->rule = *rule;
	*ret = q;
	return ST_OK;
}

void quota_set(struct quota *q, int total, int spare, int per_address)
{
	pthread_mutex_lock(&q->lock);
	q->rule.total = total;
	q->rule.spare = spare;
	q->rule.per_address = per_address;
	pthread_mutex_unlock(&q->lock);
}

void quota_free(struct quota *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct guest *g = q->buckets[i], *next; g; g = next) {
			next = g->next;
			free(g);
		}
	}
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/* What counts as one address: IPv4 whole, of IPv6 the first 64 bits. */
static struct in6_addr home_of(const struct in6_addr *from)
{
	struct in6_addr home = *from;
	if (!IN6_IS_ADDR_V4MAPPED(from))
		memset(home.s6_addr + 8, 0, 8);
	return home;
}

/* The link that points to the address's guest, or to the end of its bucket. A poor hash costs a walk over at most as
 * many guests as there are connections. */
static struct guest **place(struct quota *q, const struct in6_addr *home)
{
	uint32_t h = 2166136261;
	for (size_t i = 0; i < sizeof home->s6_addr; i++)
		h = (h ^ home->s6_addr[i]) * 16777619;
	struct guest **at = &q->buckets[h % BUCKETS];
	while (*at && memcmp(&(*at)->from, home, sizeof *home))
		at = &(*at)->next;
	return at;
}

/* The address's place is looked at first: who is over his own bound must not cost another his connection. */
static enum place enter(struct quota *q, const struct in6_addr *from, bool may_spare)
{
	bool full = q->total >= q->rule.total, exempt = netset_holds(q->rule.exempt, from);
	struct in6_addr home = home_of(from);
	struct guest **at = place(q, &home);
	if (!exempt && *at && q->rule.per_address && (*at)->n >= q->rule.per_address)
		return PLACE_CROWDED;
	if (full && (!may_spare || q->total >= q->rule.total + q->rule.spare))
		return PLACE_FULL;
	if (!exempt && !*at && !(*at = calloc(1, sizeof **at)))
		return PLACE_NOMEM;
	if (!exempt) {
		(*at)->from = home;
		(*at)->n++;
	}
	q->total++;
	return full ? PLACE_SPARE : PLACE_GIVEN;
}

enum place quota_enter(struct quota *q, const struct in6_addr *from, bool may_spare)
{
	pthread_mutex_lock(&q->lock);
	enum place p = enter(q, from, may_spare);
	pthread_mutex_unlock(&q->lock);
	return p;
}

int quota_total(struct quota *q)
{
	pthread_mutex_lock(&q->lock);
	int n = q->total;
	pthread_mutex_unlock(&q->lock);
	return n;
}

void quota_leave(struct quota *q, const struct in6_addr *from)
{
	struct in6_addr home = home_of(from);
	bool counted = !netset_holds(q->rule.exempt, from);
	pthread_mutex_lock(&q->lock);
	q->total--;
	struct guest **at = counted ? place(q, &home) : NULL, *g = at ? *at : NULL;
	if (g && --g->n == 0) {
		*at = g->next;
		free(g);
	}
	pthread_mutex_unlock(&q->lock);
}

int quota_count(struct quota *q, const struct in6_addr *from)
{
	struct in6_addr home = home_of(from);
	pthread_mutex_lock(&q->lock);
	struct guest *g = *place(q, &home);
	int n = g ? g->n : 0;
	pthread_mutex_unlock(&q->lock);
	return n;
}
