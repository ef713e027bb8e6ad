/* quota.h - how many connections there are, in all and from one address; shared by all threads. */
#pragma once
#include "base/error.h"
#include <netinet/in.h>
#include <stdbool.h>

struct quota;

/* per_address 0: no bound. */
MUST_USE enum status quota_new(int total, int per_address, struct quota **ret, struct error *e);
void quota_free(struct quota *q);

/* Takes a place for a connection from this address; NULL: it was had, else what was exceeded. A place that was had is
 * given back by quota_leave with the same address. IPv4 in IPv6 counts as IPv4. */
const char *quota_enter(struct quota *q, const struct in6_addr *from);
int quota_total(struct quota *q);
void quota_leave(struct quota *q, const struct in6_addr *from);
