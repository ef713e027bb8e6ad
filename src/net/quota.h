/* quota.h - how many connections there are, in all and from one address; shared by all threads.
 *
 * An address is an IPv4 address or an IPv6 /64, which is what one host or one customer has. Addresses of the exempt
 * networks (proxies, load balancers) have no bound of their own. Beyond the total there are a few spare places, so that
 * a full server can still say so, and can still be asked for its health. */
#pragma once
#include "x509/netset.h"

struct quota;

struct quota_rule {
	int total, spare;
	int per_address;             /* 0: no bound */
	const struct netset *exempt; /* borrowed for as long as the quota lives */
};
MUST_USE enum status quota_new(const struct quota_rule *rule, struct quota **ret, struct error *e);
void quota_free(struct quota *q);

/* Other bounds, from now on; nobody who is in has to leave. */
void quota_set(struct quota *q, int total, int spare, int per_address);

enum place {
	PLACE_GIVEN,
	PLACE_SPARE,   /* given, beyond the total */
	PLACE_FULL,    /* refused: not even a spare one is left */
	PLACE_CROWDED, /* refused: the address has all it may have */
	PLACE_NOMEM,   /* refused */
};

/* A place that was given is handed back by quota_leave with the same address. Where may_spare is false a spare place is
 * not taken: PLACE_FULL then. */
enum place quota_enter(struct quota *q, const struct in6_addr *from, bool may_spare);
int quota_total(struct quota *q);
void quota_leave(struct quota *q, const struct in6_addr *from);
/* How many places the address (the /64) has; 0 for an exempt one. */
int quota_count(struct quota *q, const struct in6_addr *from);
