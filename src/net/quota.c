#include "net/quota.h"

#include <pthread.h>

enum { BUCKETS = 1024 };

struct guest {
	struct guest *next;
	struct in6_addr from;
	int n;
};

struct quota {
	pthread_mutex_t lock;
	int total, total_max, per_address_max;
	struct guest *buckets[BUCKETS];
};

enum status quota_new(int total, int per_address, struct quota **ret, struct error *e)
{
	struct quota *q = calloc(1, sizeof *q);
	if (!q)
		return error_nomem(e);
	pthread_mutex_init(&q->lock, NULL);
	q->total_max = total;
	q->per_address_max = per_address;
	*ret = q;
	return ST_OK;
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

/* The link that points to the address's guest, or to the end of its bucket. A poor hash costs a walk over at most as
 * many guests as there are connections. */
static struct guest **place(struct quota *q, const struct in6_addr *from)
{
	uint32_t h = 2166136261;
	for (size_t i = 0; i < sizeof from->s6_addr; i++)
		h = (h ^ from->s6_addr[i]) * 16777619;
	struct guest **at = &q->buckets[h % BUCKETS];
	while (*at && memcmp(&(*at)->from, from, sizeof *from))
		at = &(*at)->next;
	return at;
}

static const char *enter_address(struct quota *q, const struct in6_addr *from)
{
	struct guest **at = place(q, from);
	if (!*at && !(*at = calloc(1, sizeof **at)))
		return "out of memory";
	struct guest *g = *at;
	g->from = *from;
	if (g->n == q->per_address_max)
		return "too many connections from this address";
	g->n++;
	return NULL;
}

const char *quota_enter(struct quota *q, const struct in6_addr *from)
{
	const char *why = NULL;
	pthread_mutex_lock(&q->lock);
	if (q->total >= q->total_max)
		why = "too many connections";
	else if (q->per_address_max)
		why = enter_address(q, from);
	if (!why)
		q->total++;
	pthread_mutex_unlock(&q->lock);
	return why;
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
	pthread_mutex_lock(&q->lock);
	q->total--;
	if (q->per_address_max) {
		struct guest **at = place(q, from), *g = *at;
		if (g && --g->n == 0) {
			*at = g->next;
			free(g);
		}
	}
	pthread_mutex_unlock(&q->lock);
}
