#include "authority/claims.h"

const struct claims claims_builtin = {
	.min_ns = 5 * DURATION_MIN,
	.max_ns = 24 * DURATION_H,
	.default_ns = 24 * DURATION_H,
};

struct member {
	const char *name;
	int64_t ns;
};

static enum status in_order(const struct member *less, const struct member *more, struct error *e)
{
	char a[DURATION_TEXT], b[DURATION_TEXT];
	if (less->ns <= more->ns)
		return ST_OK;
	return error_set(e, ST_INVALID, "%s: %s is more than %s (%s)", less->name, duration_format(less->ns, a),
	                 more->name, duration_format(more->ns, b));
}

static enum status check(const struct claims *c, struct error *e)
{
	enum { DEFAULT, MIN, MAX };
	const struct member d[] = {
		{ "defaultTLSCertDuration", c->default_ns }, /* first: the others may have followed it */
		{ "minTLSCertDuration", c->min_ns },
		{ "maxTLSCertDuration", c->max_ns },
	};
	enum status st;
	for (size_t i = 0; i < COUNT_OF(d); i++)
		if (d[i].ns <= 0)
			return error_set(e, ST_INVALID, "%s: must be more than 0", d[i].name);
	if (c->renewal_after_expiry_ns < 0)
		return error_set(e, ST_INVALID, "renewalAfterExpiry: must not be negative");
	if ((st = in_order(&d[MIN], &d[MAX], e)) || (st = in_order(&d[MIN], &d[DEFAULT], e)))
		return st;
	return in_order(&d[DEFAULT], &d[MAX], e);
}

enum status claims_merge(const struct claims *base, const struct claims_patch *patch, struct claims *ret,
                         struct error *e)
{
	const struct claims_patch *p = patch;
	struct claims c = *base;
	enum status st;

	if (p->has_default) {
		c.default_ns = p->v.default_ns;
		if (c.default_ns < c.min_ns)
			c.min_ns = c.default_ns;
		if (c.default_ns > c.max_ns)
			c.max_ns = c.default_ns;
	}
	if (p->has_min)
		c.min_ns = p->v.min_ns;
	if (p->has_max)
		c.max_ns = p->v.max_ns;
	if (p->has_disable_renewal)
		c.disable_renewal = p->v.disable_renewal;
	if (p->has_after_expiry)
		c.allow_renewal_after_expiry = p->v.allow_renewal_after_expiry;
	if (p->has_disable_extensions)
		c.disable_extensions = p->v.disable_extensions;
	if (p->has_after_expiry_ns)
		c.renewal_after_expiry_ns = p->v.renewal_after_expiry_ns;
	if ((st = check(&c, e)))
		return st;
	*ret = c;
	return ST_OK;
}
