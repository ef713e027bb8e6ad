#include "renewal/due.h"

#include "base/num.h"
#include "renewal/arith.h"

enum status due_parse(struct slice s, struct due_rule *ret, struct error *e)
{
	struct error why = ERROR_INIT;
	int64_t n;
	if (s.n && s.p[s.n - 1] == '%') {
		if (num_parse(slice_of(s.p, s.n - 1), INT32_MIN, INT32_MAX, &n, &why))
			return error_set(e, ST_INVALID, "invalid value '%.*s' for flag '--expires-in'", SLICE_FMT(s));
		if (n < 0 || n > 100)
			return error_set(e, ST_INVALID,
			                 "invalid value '%.*s' for flag '--expires-in'; value must be in range 0-100%%",
			                 SLICE_FMT(s));
		*ret = (struct due_rule){ .by_percent = true, .percent_used = (int)n };
		return ST_OK;
	}
	if (duration_parse(s, &n, &why))
		return error_set(e, ST_INVALID, "invalid value '%.*s' for flag '--expires-in'", SLICE_FMT(s));
	*ret = (struct due_rule){ .remaining_ns = n };
	return ST_OK;
}

bool due_needs_renewal(const struct due_rule *r, struct wall not_before, struct wall not_after, struct wall now)
{
	int64_t total_s = not_after.s - not_before.s, used_s = now.s - not_before.s;
	if (now.s > not_after.s || total_s <= 0)
		return true;
	if (!r->by_percent)
		return r->remaining_ns >= arith_ns_of_s(not_after.s - now.s);
	/* In whole numbers, so that 66 % exactly are 66 %. */
	return used_s * 100 / total_s >= r->percent_used;
}

bool due_expires_in(int64_t expires_in_ns, uint64_t chance, struct wall not_after, struct wall now)
{
	int64_t left_ns = arith_ns_of_s(not_after.s - now.s), due_ns;
	if (expires_in_ns <= 0)
		return true;
	if (__builtin_add_overflow(expires_in_ns, arith_below(chance, expires_in_ns / 20), &due_ns))
		due_ns = INT64_MAX;
	return left_ns <= due_ns;
}
