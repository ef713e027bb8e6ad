#include "x509/netset.h"

#include "base/num.h"
#include "x509/ip.h"

#include <string.h>

enum { V4_AT = 96 /* ::ffff:0:0/96 */ };

/* The first `bits` of both are the same. */
static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, int bits)
{
	size_t whole = (size_t)bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));
	return !memcmp(a->s6_addr, b->s6_addr, whole) && (!mask || !((a->s6_addr[whole] ^ b->s6_addr[whole]) & mask));
}

static bool ends_at(const struct net *n)
{
	struct in6_addr cut = { 0 };
	memcpy(cut.s6_addr, n->base.s6_addr, (size_t)n->bits / 8);
	if (n->bits % 8)
		cut.s6_addr[n->bits / 8] = n->base.s6_addr[n->bits / 8] & (uint8_t)(0xff00 >> (n->bits % 8));
	return !memcmp(&cut, &n->base, sizeof cut);
}

enum status net_parse(struct slice text, struct net *ret, struct error *e)
{
	size_t slash = slice_find(text, '/');
	struct net n = { .base.s6_addr = { [10] = 0xff, [11] = 0xff } };
	struct error why = ERROR_INIT;
	uint8_t ip[16];
	uint8_t size = ip_parse(slice_of(text.p, slash), ip);
	int64_t bits = size * 8;
	if (!size)
		return error_set(e, ST_INVALID, "\"%.*s\" is no address or network, such as 192.0.2.7 or 10.0.0.0/8",
		                 SLICE_FMT(text));
	if (slash < text.n && num_parse(slice_of(text.p + slash + 1, text.n - slash - 1), 0, bits, &bits, &why))
		return error_set(e, ST_INVALID, "\"%.*s\": the prefix must be a number from 0 to %d", SLICE_FMT(text),
		                 size * 8);
	memcpy(n.base.s6_addr + 16 - size, ip, size);
	n.bits = (size == 4 ? V4_AT : 0) + (int)bits;
	if (!ends_at(&n))
		return error_set(e, ST_INVALID,
		                 "\"%.*s\": the address has bits behind the prefix; write the network's own",
		                 SLICE_FMT(text));
	*ret = n;
	return ST_OK;
}

enum status netset_add(struct netset *s, struct slice text, struct error *e)
{
	if (s->n == NETSET_MAX)
		return error_set(e, ST_LIMIT, "more than %d networks", NETSET_MAX);
	if (net_parse(text, &s->v[s->n], e))
		return e->status;
	s->n++;
	return ST_OK;
}

bool netset_holds(const struct netset *s, const struct in6_addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (same_prefix(&s->v[i].base, a, s->v[i].bits))
			return true;
	return false;
}
