/* netset.h - a list of networks, as an operator writes them: "10.0.0.0/8", "2001:db8::/32", or one address. Pure. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <netinet/in.h>
#include <stdbool.h>

enum { NETSET_MAX = 256 };

struct net {
	struct in6_addr base; /* IPv4 as IPv4-mapped IPv6 */
	int bits;             /* of 128 */
};

struct netset {
	struct net v[NETSET_MAX];
	size_t n;
};

/* ST_INVALID: no address, a prefix that is too long, or bits set behind it (a slip of the pen: which network is
 * meant?). */
MUST_USE enum status net_parse(struct slice text, struct net *ret, struct error *e);
/* ST_INVALID as above, ST_LIMIT: more than NETSET_MAX. */
MUST_USE enum status netset_add(struct netset *s, struct slice text, struct error *e);
bool netset_holds(const struct netset *s, const struct in6_addr *a);
