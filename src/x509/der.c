#include "x509/der.h"

enum { HEAD_MAX = 6 }; /* tag, 0x84, four length octets */

static enum status bad(struct error *e, const char *what)
{
	return error_set(e, ST_INVALID, "not DER: %s", what);
}

/* X.690 §10.1: "The definite form of length encoding shall be used, encoded in the minimum number of octets." */
static enum status length_of(struct slice in, size_t *ret_head, size_t *ret_n, struct error *e)
{
	size_t n = in.p[1], head = 2;
	if (n & 0x80) {
		size_t octets = n & 0x7f;
		if (!octets)
			return bad(e, "indefinite length");
		if (octets > 4)
			return bad(e, "absurd length");
		if (in.n < 2 + octets)
			return bad(e, "cut short");
		n = 0;
		for (; head < 2 + octets; head++)
			n = n << 8 | in.p[head];
		if (in.p[2] == 0 || n < 0x80)
			return bad(e, "length is not minimal");
	}
	if (n > in.n - head)
		return bad(e, "cut short");
	*ret_head = head;
	*ret_n = n;
	return ST_OK;
}

enum status der_next(struct slice *rest, struct der *ret, struct error *e)
{
	size_t head, n;
	if (!rest->n)
		return error_set(e, ST_MISSING, "no further DER value");
	if (rest->n < 2)
		return bad(e, "cut short");
	if ((rest->p[0] & 0x1f) == 0x1f)
		return bad(e, "tag of several octets");
	if (length_of(*rest, &head, &n, e))
		return e->status;
	*ret = (struct der){ rest->p[0], { rest->p, head + n }, { rest->p + head, n } };
	rest->p += head + n;
	rest->n -= head + n;
	return ST_OK;
}

enum status der_expect(struct slice *rest, uint8_t tag, struct der *ret, struct error *e)
{
	struct slice ahead = *rest;
	struct der d;
	if (der_next(&ahead, &d, e))
		return e->status;
	if (d.tag != tag)
		return error_set(e, ST_INVALID, "not the DER expected: tag 0x%02x in place of 0x%02x", d.tag, tag);
	*rest = ahead;
	*ret = d;
	return ST_OK;
}

enum status der_end(struct slice rest, struct error *e)
{
	return rest.n ? bad(e, "trailing bytes") : ST_OK;
}

enum status der_only(struct slice whole, uint8_t tag, struct der *ret, struct error *e)
{
	struct der d;
	if (!whole.n)
		return bad(e, "empty");
	if (der_expect(&whole, tag, &d, e) || der_end(whole, e))
		return e->status;
	*ret = d;
	return ST_OK;
}

enum status der_broken(struct error *e, const char *noun)
{
	if (e->status == ST_MISSING)
		e->status = ST_INVALID;
	return error_wrap(e, "%s", noun);
}

/* One base-128 number off the front. 128 bits, because 2.25 has arcs as long as a UUID. */
static bool subidentifier(struct slice *s, unsigned __int128 *ret)
{
	unsigned __int128 v = 0;
	if (!s->n || s->p[0] == 0x80) /* X.690 §8.19.2: the leading octet shall not be 0x80 */
		return false;
	for (; s->n; s->p++, s->n--) {
		if (v >> 121)
			return false;
		v = v << 7 | (s->p[0] & 0x7f);
		if (s->p[0] & 0x80)
			continue;
		s->p++, s->n--;
		*ret = v;
		return true;
	}
	return false;
}

/* Writes "." and v at out; returns the bytes written, 0 where they do not fit. */
static size_t arc_text(unsigned __int128 v, char *out, size_t n)
{
	char digits[40];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + (int)(v % 10));
		v /= 10;
	} while (v);
	size_t len = sizeof digits - at;
	if (n < len + 2)
		return 0;
	out[0] = '.';
	memcpy(out + 1, digits + at, len);
	out[len + 1] = '\0';
	return len + 1;
}

enum status der_read_oid(struct slice body, char out[OID_TEXT], struct error *e)
{
	char text[OID_TEXT];
	unsigned __int128 v;
	if (!subidentifier(&body, &v))
		return bad(e, "object identifier");
	/* X.690 §8.19.4: the first two arcs share a number, X * 40 + Y */
	int first = v < 80 ? (int)(v / 40) : 2;
	size_t at = 1, step;
	text[0] = (char)('0' + first);
	v -= (unsigned)first * 40;
	do {
		step = arc_text(v, text + at, sizeof text - at);
		if (!step)
			return bad(e, "object identifier is too long");
		at += step;
		if (!body.n) {
			memcpy(out, text, at + 1);
			return ST_OK;
		}
	} while (subidentifier(&body, &v));
	return bad(e, "object identifier");
}

enum status der_read_bool(struct slice body, bool *ret, struct error *e)
{
	if (body.n != 1 || (body.p[0] != 0 && body.p[0] != 0xff))
		return bad(e, "boolean");
	*ret = body.p[0] != 0;
	return ST_OK;
}

enum status der_read_small(struct slice body, int *ret, struct error *e)
{
	unsigned v = 0;
	if (!body.n || (body.n > 1 && body.p[0] == 0 && !(body.p[1] & 0x80)))
		return bad(e, "integer");
	if (body.n > 4 || (body.p[0] & 0x80))
		return bad(e, "integer is negative or too large");
	for (size_t i = 0; i < body.n; i++)
		v = v << 8 | body.p[i];
	*ret = (int)v;
	return ST_OK;
}

enum status der_read_bits(struct slice body, struct slice *ret, unsigned *ret_unused, struct error *e)
{
	if (!body.n || body.p[0] > 7 || (body.n == 1 && body.p[0]))
		return bad(e, "bit string");
	if (body.n > 1 && (body.p[body.n - 1] & ((1u << body.p[0]) - 1)))
		return bad(e, "bit string ends in bits that are not zero");
	*ret = slice_of(body.p + 1, body.n - 1);
	*ret_unused = body.p[0];
	return ST_OK;
}

static int digits(const uint8_t *p, int n)
{
	int v = 0;
	for (int i = 0; i < n; i++)
		v = v * 10 + (p[i] - '0');
	return v;
}

enum status der_read_time(const struct der *d, struct wall *ret, struct error *e)
{
	size_t year_n = d->tag == DER_GENERALIZED_TIME ? 4 : 2;
	if ((d->tag != DER_UTC_TIME && d->tag != DER_GENERALIZED_TIME) || d->body.n != year_n + 11 ||
	    d->body.p[d->body.n - 1] != 'Z')
		return bad(e, "time");
	for (size_t i = 0; i + 1 < d->body.n; i++)
		if (d->body.p[i] < '0' || d->body.p[i] > '9')
			return bad(e, "time");
	const uint8_t *p = d->body.p + year_n;
	struct civil c = { digits(d->body.p, (int)year_n),
		           digits(p, 2),
		           digits(p + 2, 2),
		           digits(p + 4, 2),
		           digits(p + 6, 2),
		           digits(p + 8, 2),
		           0 };
	/* RFC 5280 §4.1.2.5.1: "Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY" */
	if (year_n == 2)
		c.year += c.year >= 50 ? 1900 : 2000;
	/* No leap seconds: nobody writes them, OpenSSL and Go refuse them, and an instant has one encoding. */
	if (c.second == 60 || !wall_of_civil(&c, ret))
		return bad(e, "time");
	return ST_OK;
}

/* Tag and length; returns their size, 0 where n is too large to say. */
static size_t head_of(uint8_t tag, size_t n, uint8_t head[HEAD_MAX])
{
	head[0] = tag;
	if (n < 0x80) {
		head[1] = (uint8_t)n;
		return 2;
	}
	if (n > UINT32_MAX)
		return 0;
	size_t octets = n > 0xffffff ? 4 : n > 0xffff ? 3 : n > 0xff ? 2 : 1;
	head[1] = (uint8_t)(0x80 | octets);
	for (size_t i = 0; i < octets; i++)
		head[2 + i] = (uint8_t)(n >> 8 * (octets - 1 - i));
	return 2 + octets;
}

void der_add(struct buf *out, uint8_t tag, struct slice body)
{
	size_t start = out->n;
	buf_add_slice(out, body);
	der_wrap(out, start, tag);
}

void der_wrap(struct buf *out, size_t start, uint8_t tag)
{
	uint8_t head[HEAD_MAX];
	if (out->failed)
		return;
	size_t n = out->n - start, head_n = head_of(tag, n, head);
	if (!head_n) {
		out->failed = ST_LIMIT;
		return;
	}
	if (!buf_reserve(out, head_n))
		return;
	memmove(out->p + start + head_n, out->p + start, n);
	memcpy(out->p + start, head, head_n);
	out->n += head_n;
	out->p[out->n] = '\0';
}

void der_add_uint(struct buf *out, struct slice magnitude)
{
	size_t start = out->n;
	while (magnitude.n && !magnitude.p[0])
		magnitude.p++, magnitude.n--;
	if (!magnitude.n || (magnitude.p[0] & 0x80))
		buf_addc(out, '\0');
	buf_add_slice(out, magnitude);
	der_wrap(out, start, DER_INTEGER);
}

static void add_subidentifier(struct buf *out, unsigned __int128 v)
{
	uint8_t octets[19];
	size_t at = sizeof octets;
	octets[--at] = (uint8_t)(v & 0x7f);
	while (v >>= 7)
		octets[--at] = (uint8_t)(0x80 | (v & 0x7f));
	buf_add(out, octets + at, sizeof octets - at);
}

void der_add_oid(struct buf *out, const char *dotted)
{
	size_t start = out->n;
	unsigned __int128 v = 0, first = 0;
	unsigned arcs = 0;
	for (const char *p = dotted;; p++) {
		if (*p >= '0' && *p <= '9') {
			v = v * 10 + (unsigned)(*p - '0');
			continue;
		}
		if (arcs == 0)
			first = v * 40;
		else
			add_subidentifier(out, arcs == 1 ? first + v : v);
		arcs++;
		v = 0;
		if (!*p)
			break;
	}
	der_wrap(out, start, DER_OID);
}

static void add_two_digits(struct buf *out, int v)
{
	buf_add(out, (char[]){ (char)('0' + v / 10 % 10), (char)('0' + v % 10) }, 2);
}

void der_add_time(struct buf *out, struct wall t)
{
	if (t.s < WALL_MIN_S || t.s > WALL_MAX_S) {
		out->failed = ST_LIMIT;
		return;
	}
	struct civil c = civil_of_wall(t);
	size_t start = out->n;
	bool utc = c.year >= 1950 && c.year < 2050;
	int rest[] = { c.year % 100, c.month, c.day, c.hour, c.minute, c.second };
	if (!utc)
		add_two_digits(out, c.year / 100);
	for (size_t i = 0; i < COUNT_OF(rest); i++)
		add_two_digits(out, rest[i]);
	buf_addc(out, 'Z');
	der_wrap(out, start, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME);
}
