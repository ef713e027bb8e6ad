/* prune.h - forgetting, in small steps, what protects nobody any more. */
#pragma once
#include "base/wall.h"
#include "store/db.h"

struct prune_rule {
	int64_t keep_expired_s;		  /* < 0: for ever */
	int64_t renewable_after_expiry_s; /* < 0: no bound */
};

/* Where the sweep over the certificates stands. Born zeroed. */
struct prune_cursor {
	bool sweeping;
	int64_t not_after, id;
};

/* One step in a transaction of its own. *ret_more is false when the sweep has come to its end; the next step starts a
 * new one. On failure the transaction is undone. */
MUST_USE enum status prune_step(struct db *db, const struct prune_rule *rule, struct wall now, struct prune_cursor *c,
				int64_t *ret_removed, bool *ret_more, struct error *e);
