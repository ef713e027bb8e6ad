/* claims.h - what a provisioner's certificates may be (spec/server.md §3.4). */
#pragma once
#include "base/duration.h"
#include "base/error.h"
#include <stdbool.h>

struct claims {
	int64_t min_ns, max_ns, default_ns;
	bool disable_renewal, allow_renewal_after_expiry, disable_extensions;
	int64_t renewal_after_expiry_ns; /* how long after expiry; 0: no bound */
};

/* 5m, 24h, 24h, all false. */
extern const struct claims claims_builtin;

/* What a JSON claims object sets; absent members inherit. */
struct claims_patch {
	bool has_min, has_max, has_default, has_disable_renewal, has_after_expiry, has_disable_extensions,
		has_after_expiry_ns;
	struct claims v;
};

/* A bound that is inherited follows a default that is given and lies outside it. ST_INVALID names the member of the
 * JSON object: min > max, default outside, a duration <= 0. */
MUST_USE enum status claims_merge(const struct claims *base, const struct claims_patch *patch, struct claims *ret,
				  struct error *e);
