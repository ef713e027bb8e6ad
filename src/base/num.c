#include "base/num.h"

#include <inttypes.h>

enum status num_parse(struct slice s, int64_t min, int64_t max, int64_t *ret, struct error *e)
{
	size_t i = 0;
	bool negative = s.n && s.p[0] == '-';
	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		i = 1;
	if (i == s.n)
		return error_set(e, ST_INVALID, "not a number");
	int64_t v = 0; /* built downwards, so that INT64_MIN fits */
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return error_set(e, ST_INVALID, "not a number");
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, s.p[i] - '0', &v))
			goto out_of_range;
	}
	if (!negative && __builtin_sub_overflow(0, v, &v))
		goto out_of_range;
	if (v < min || v > max)
		goto out_of_range;
	*ret = v;
	return ST_OK;
out_of_range:
	return error_set(e, ST_INVALID, "must be from %" PRId64 " to %" PRId64, min, max);
}
