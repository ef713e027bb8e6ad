#include "base/duration.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", DURATION_US },
	{ "\xc2\xb5s", DURATION_US }, /* U+00B5 micro sign */
	{ "\xce\xbcs", DURATION_US }, /* U+03BC Greek mu */
	{ "ms", DURATION_MS },
	{ "s", DURATION_S },
	{ "m", DURATION_MIN },
	{ "h", DURATION_H },
};

static int64_t unit_ns(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (slice_is(name, units[i].name))
			return units[i].ns;
	return 0;
}

static bool digit(struct slice s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* One "12.5m" at the front of *s, added to *sum (which runs downwards, so that the least int64_t fits). */
static bool term(struct slice *s, int64_t *sum)
{
	size_t i = 0, start;
	int64_t whole = 0;
	uint64_t fraction = 0;
	double scale = 1;
	bool any = false, overflow = false;

	for (; digit(*s, i); i++, any = true)
		overflow |= __builtin_mul_overflow(whole, 10, &whole) ||
		            __builtin_sub_overflow(whole, s->p[i] - '0', &whole);
	if (i < s->n && s->p[i] == '.') {
		for (i++; digit(*s, i); i++, any = true) {
			if (fraction > INT64_MAX / 10) /* further digits are below any unit's grain */
				continue;
			scale *= 10;
			fraction = fraction * 10 + (uint64_t)(s->p[i] - '0');
		}
	}
	for (start = i; i < s->n && s->p[i] != '.' && !digit(*s, i);)
		i++;
	int64_t ns = unit_ns(slice_of(s->p + start, i - start));
	if (!any || !ns || overflow)
		return false;
	/* In doubles, as Go: the same text gives the same nanosecond. */
	int64_t part = (int64_t)((double)fraction * ((double)ns / scale));
	if (__builtin_mul_overflow(whole, ns, &whole) || __builtin_sub_overflow(whole, part, &whole) ||
	    __builtin_add_overflow(*sum, whole, sum))
		return false;
	s->p += i;
	s->n -= i;
	return true;
}

enum status duration_parse(struct slice s, int64_t *ret_ns, struct error *e)
{
	int64_t sum = 0;
	bool negative = s.n && s.p[0] == '-';
	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s.p++, s.n--;
	if (slice_is(s, "0")) {
		*ret_ns = 0;
		return ST_OK;
	}
	bool ok = s.n > 0;
	while (ok && s.n)
		ok = term(&s, &sum);
	if (ok && !negative)
		ok = !__builtin_sub_overflow(0, sum, &sum);
	if (!ok)
		return error_set(e, ST_INVALID, "not a duration such as 24h, 30m or 1h30m");
	*ret_ns = sum;
	return ST_OK;
}

/* value/unit with up to `places` decimals and no trailing zeros */
static void fraction(char *out, size_t n, uint64_t value, uint64_t unit, int places, const char *suffix)
{
	char dec[16];
	snprintf(dec, sizeof dec, "%0*" PRIu64, places, value % unit);
	int last = places;
	while (last > 0 && dec[last - 1] == '0')
		last--;
	snprintf(out, n, "%" PRIu64 "%s%.*s%s", value / unit, last ? "." : "", last, dec, suffix);
}

const char *duration_format(int64_t ns, char out[DURATION_TEXT])
{
	uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	char tail[24];
	const char *sign = ns < 0 ? "-" : "";

	if (v == 0) {
		snprintf(out, DURATION_TEXT, "0s");
	} else if (v < (uint64_t)DURATION_S) {
		if (v < (uint64_t)DURATION_US)
			snprintf(tail, sizeof tail, "%" PRIu64 "ns", v);
		else if (v < (uint64_t)DURATION_MS)
			fraction(tail, sizeof tail, v, (uint64_t)DURATION_US, 3, "\xc2\xb5s");
		else
			fraction(tail, sizeof tail, v, (uint64_t)DURATION_MS, 6, "ms");
		snprintf(out, DURATION_TEXT, "%s%s", sign, tail);
	} else {
		uint64_t h = v / (uint64_t)DURATION_H, m = v / (uint64_t)DURATION_MIN % 60;
		fraction(tail, sizeof tail, v % (uint64_t)DURATION_MIN, (uint64_t)DURATION_S, 9, "s");
		if (h)
			snprintf(out, DURATION_TEXT, "%s%" PRIu64 "h%" PRIu64 "m%s", sign, h, m, tail);
		else if (m)
			snprintf(out, DURATION_TEXT, "%s%" PRIu64 "m%s", sign, m, tail);
		else
			snprintf(out, DURATION_TEXT, "%s%s", sign, tail);
	}
	return out;
}

int64_t duration_of_s(int64_t s)
{
	int64_t ns;
	if (__builtin_mul_overflow(s, DURATION_S, &ns))
		return s < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

const char *duration_format_s(int64_t ns, char out[DURATION_TEXT])
{
	int64_t s = ns / DURATION_S, rest = ns % DURATION_S;
	if (rest >= DURATION_S / 2)
		s++;
	else if (rest <= -DURATION_S / 2)
		s--;
	if (s > INT64_MAX / DURATION_S || s < INT64_MIN / DURATION_S)
		return duration_format(ns, out);
	return duration_format(s * DURATION_S, out);
}
