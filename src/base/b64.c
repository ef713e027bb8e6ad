#include "base/b64.h"

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool url_form(enum b64_form form)
{
	return form == B64_URL || form == B64_URL_RAW;
}

static bool padded(enum b64_form form)
{
	return form == B64_URL || form == B64_STD;
}

void b64_encode(struct buf *out, struct slice in, enum b64_form form)
{
	const char *d = url_form(form) ? url_digits : std_digits;
	if (in.n > SIZE_MAX / 2) {
		out->failed = ST_LIMIT;
		return;
	}
	size_t tail = in.n % 3; /* exact, so that a ceiling is one */
	char *at = (char *)buf_reserve(out, in.n / 3 * 4 + (!tail ? 0 : padded(form) ? 4 : tail + 1));
	if (!at)
		return;
	char *start = at;
	for (; in.n >= 3; in.p += 3, in.n -= 3) {
		uint32_t v = (uint32_t)in.p[0] << 16 | (uint32_t)in.p[1] << 8 | in.p[2];
		*at++ = d[v >> 18];
		*at++ = d[v >> 12 & 63];
		*at++ = d[v >> 6 & 63];
		*at++ = d[v & 63];
	}
	if (in.n) {
		uint32_t v = (uint32_t)in.p[0] << 16 | (in.n == 2 ? (uint32_t)in.p[1] << 8 : 0);
		*at++ = d[v >> 18];
		*at++ = d[v >> 12 & 63];
		if (in.n == 2)
			*at++ = d[v >> 6 & 63];
		if (padded(form)) {
			*at++ = '=';
			if (in.n == 1)
				*at++ = '=';
		}
	}
	out->n += (size_t)(at - start);
	out->p[out->n] = '\0';
}

static int value_of(uint8_t c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

enum status b64_decode(struct buf *out, struct slice in, enum b64_form form, struct error *e)
{
	const char *what = url_form(form) ? "base64url" : "base64";
	size_t start = out->n;
	if (padded(form)) {
		if (in.n % 4)
			return error_set(e, ST_INVALID, "not %s: bad padding", what);
		if (in.n && in.p[in.n - 1] == '=')
			in.n -= in.p[in.n - 2] == '=' ? 2 : 1;
	}
	if (in.n % 4 == 1)
		return error_set(e, ST_INVALID, "not %s: bad length", what);
	uint8_t *at = buf_reserve(out, in.n / 4 * 3 + (in.n % 4 ? in.n % 4 - 1 : 0));
	if (!at)
		return buf_check(out, e);
	uint32_t v = 0;
	size_t i = 0, n = 0;
	for (; i < in.n; i++) {
		int digit = value_of(in.p[i], url_form(form));
		if (digit < 0)
			goto bad;
		v = v << 6 | (uint32_t)digit;
		if (i % 4 == 3) {
			at[n++] = (uint8_t)(v >> 16);
			at[n++] = (uint8_t)(v >> 8);
			at[n++] = (uint8_t)v;
			v = 0;
		}
	}
	if (i % 4 == 2) {
		if (v & 0xf)
			goto bad;
		at[n++] = (uint8_t)(v >> 4);
	} else if (i % 4 == 3) {
		if (v & 0x3)
			goto bad;
		at[n++] = (uint8_t)(v >> 10);
		at[n++] = (uint8_t)(v >> 2);
	}
	out->n = start + n;
	out->p[out->n] = '\0';
	return ST_OK;
bad:
	out->p[start] = '\0';
	return error_set(e, ST_INVALID, "not %s: bad character", what);
}

void hex_encode(struct buf *out, struct slice in)
{
	static const char digits[] = "0123456789abcdef";
	if (in.n > SIZE_MAX / 2) {
		out->failed = ST_LIMIT;
		return;
	}
	uint8_t *at = buf_reserve(out, in.n * 2);
	if (!at)
		return;
	for (size_t i = 0; i < in.n; i++) {
		at[2 * i] = (uint8_t)digits[in.p[i] >> 4];
		at[2 * i + 1] = (uint8_t)digits[in.p[i] & 15];
	}
	out->n += in.n * 2;
	out->p[out->n] = '\0';
}

static int nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum status hex_decode(struct buf *out, struct slice in, struct error *e)
{
	if (in.n % 2)
		return error_set(e, ST_INVALID, "not hexadecimal: odd length");
	uint8_t *at = buf_reserve(out, in.n / 2);
	if (!at)
		return buf_check(out, e);
	for (size_t i = 0; i < in.n; i += 2) {
		int hi = nibble(in.p[i]), lo = nibble(in.p[i + 1]);
		if (hi < 0 || lo < 0) {
			out->p[out->n] = '\0';
			return error_set(e, ST_INVALID, "not hexadecimal: bad character");
		}
		at[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	out->n += in.n / 2;
	out->p[out->n] = '\0';
	return ST_OK;
}
