/* due.h - is it time? Pure decisions of the renewer; every instant is an argument. */
#pragma once
#include "base/duration.h"
#include "base/wall.h"
#include "base/slice.h"
#include <stdbool.h>

/* `certificate needs-renewal`: by percentage used (default 66) or by what remains (spec/client.md §7). */
struct due_rule {
	bool by_percent;
	int percent_used;     /* 0..100; due where int(used) >= this */
	int64_t remaining_ns; /* due where this >= remaining */
};
#define DUE_DEFAULT ((struct due_rule){ .by_percent = true, .percent_used = 66 })

/* "75%" or "4h". ST_INVALID with the peer's words. */
MUST_USE enum status due_parse(struct slice s, struct due_rule *ret, struct error *e);

bool due_needs_renewal(const struct due_rule *r, struct wall not_before, struct wall not_after, struct wall now);

/* `ca renew --expires-in D`: renew where remaining <= D + jitter, jitter uniform in [0, D/20); chance is a uniform
 * 64-bit number. (spec/client.md §6.3) */
bool due_expires_in(int64_t expires_in_ns, uint64_t chance, struct wall not_after, struct wall now);
