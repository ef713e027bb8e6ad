#include "base/wall.h"

#include <stdio.h>

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, by counting 400-year eras from March. */
static int64_t days_of(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

struct civil civil_of_wall(struct wall t)
{
	int64_t days = t.s / 86400, rest = t.s % 86400;
	if (rest < 0)
		rest += 86400, days--;
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);
	int64_t wd = (days % 7 + 11) % 7; /* 1970-01-01 was a Thursday */
	return (struct civil){
		.year = (int)(yoe + era * 400 + (month <= 2)),
		.month = month,
		.day = (int)(doy - (153 * mp + 2) / 5 + 1),
		.hour = (int)(rest / 3600),
		.minute = (int)(rest / 60 % 60),
		.second = (int)(rest % 60),
		.weekday = (int)wd,
	};
}

bool wall_of_civil(const struct civil *c, struct wall *ret)
{
	static const int len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12)
		return false;
	bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
	int last = len[c->month - 1] + (c->month == 2 && leap);
	if (c->day < 1 || c->day > last || c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 ||
	    c->second < 0 || c->second > 60)
		return false;
	int second = c->second == 60 ? 59 : c->second;
	ret->s = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + second;
	return true;
}

/* Reads exactly n digits. */
static bool digits(struct slice *s, int n, int *ret)
{
	int v = 0;
	if (s->n < (size_t)n)
		return false;
	for (int i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->n -= (size_t)n;
	*ret = v;
	return true;
}

static bool literal(struct slice *s, const char *one_of)
{
	if (!s->n || !s->p[0] || !strchr(one_of, s->p[0]))
		return false;
	s->p++;
	s->n--;
	return true;
}

enum status wall_parse_rfc3339(struct slice s, struct wall *ret, struct error *e)
{
	struct civil c = { 0 };
	struct wall t;
	int zone_h = 0, zone_m = 0, sign = 0;
	bool ok = digits(&s, 4, &c.year) && literal(&s, "-") && digits(&s, 2, &c.month) && literal(&s, "-") &&
	          digits(&s, 2, &c.day) && literal(&s, "Tt") && digits(&s, 2, &c.hour) && literal(&s, ":") &&
	          digits(&s, 2, &c.minute) && literal(&s, ":") && digits(&s, 2, &c.second);
	if (ok && s.n && s.p[0] == '.') {
		int digit;
		s.p++, s.n--;
		ok = digits(&s, 1, &digit);
		while (ok && digits(&s, 1, &digit))
			;
	}
	if (ok && !literal(&s, "Zz")) {
		sign = s.n && s.p[0] == '-' ? -1 : 1;
		ok = literal(&s, "+-") && digits(&s, 2, &zone_h) && literal(&s, ":") && digits(&s, 2, &zone_m) &&
		     zone_h < 24 && zone_m < 60;
	}
	if (!ok || s.n || !wall_of_civil(&c, &t))
		return error_set(e, ST_INVALID, "not a time such as 2026-11-23T10:51:57Z");
	t.s -= sign * (zone_h * 3600 + zone_m * 60);
	if (t.s < WALL_MIN_S || t.s > WALL_MAX_S)
		return error_set(e, ST_INVALID, "not a time of the years 1 to 9999");
	*ret = t;
	return ST_OK;
}

const char *wall_rfc3339(struct wall t, char out[WALL_TEXT])
{
	struct civil c = civil_of_wall(t);
	snprintf(out, WALL_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
	return out;
}

const char *wall_go(struct wall t, char out[WALL_TEXT])
{
	struct civil c = civil_of_wall(t);
	snprintf(out, WALL_TEXT, "%04d-%02d-%02d %02d:%02d:%02d +0000 UTC", c.year, c.month, c.day, c.hour, c.minute,
	         c.second);
	return out;
}
