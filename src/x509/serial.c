/* Serial numbers: 160 bits between decimal text and octets. Declared in cert.h. */
#include "x509/cert.h"

#include "base/duration.h"
#include "x509/show.h"

enum { SERIAL_INPUT_MAX = 256 };

/* v = v * base + digit; false where that needs more than 20 octets. */
static bool push_digit(uint8_t v[SERIAL_OCTETS], unsigned base, unsigned digit)
{
	unsigned carry = digit;
	for (size_t i = SERIAL_OCTETS; i-- > 0;) {
		unsigned x = v[i] * base + carry;
		v[i] = (uint8_t)x;
		carry = x >> 8;
	}
	return carry == 0;
}

enum { WORDS = SERIAL_OCTETS / 4, DIGITS = 9, BILLION = 1000000000 };

/* v = v / 10^9; returns the remainder: nine digits at once. */
static uint32_t pop_digits(uint32_t v[WORDS])
{
	uint64_t rest = 0;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t x = rest << 32 | v[i];
		v[i] = (uint32_t)(x / BILLION);
		rest = x % BILLION;
	}
	return (uint32_t)rest;
}

enum status serial_format(struct slice magnitude, char out[SERIAL_TEXT], struct error *e)
{
	uint32_t v[WORDS] = { 0 };
	char digits[6 * DIGITS + 1]; /* 2^160 has 49 */
	size_t at = sizeof digits;
	while (magnitude.n && !magnitude.p[0])
		magnitude.p++, magnitude.n--;
	/* RFC 5280 §4.1.2.2: "Certificate users MUST be able to handle serialNumber values up to 20 octets." */
	if (magnitude.n > SERIAL_OCTETS)
		return error_set(e, ST_INVALID, "serial number is longer than %d octets", SERIAL_OCTETS);
	for (size_t i = 0, place = SERIAL_OCTETS - magnitude.n; i < magnitude.n; i++, place++)
		v[place / 4] = v[place / 4] << 8 | magnitude.p[i];
	digits[--at] = '\0';
	while (at > 0) {
		uint32_t nine = pop_digits(v);
		for (int i = 0; i < DIGITS; i++, nine /= 10)
			digits[--at] = (char)('0' + nine % 10);
	}
	while (digits[at] == '0' && digits[at + 1])
		at++;
	memcpy(out, digits + at, sizeof digits - at);
	return ST_OK;
}

static unsigned digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10u : 99;
}

/* Takes "0x", "0b", "0o" or the "0" of an octal number off the front; returns the base. */
static unsigned take_base(struct slice *s, bool *ret_prefixed)
{
	static const struct {
		char letter;
		unsigned base;
	} prefixes[] = { { 'x', 16 }, { 'b', 2 }, { 'o', 8 } };
	*ret_prefixed = s->n > 1 && s->p[0] == '0';
	if (!*ret_prefixed)
		return 10;
	for (size_t i = 0; i < COUNT_OF(prefixes); i++)
		if ((s->p[1] | 0x20) == prefixes[i].letter) {
			s->p += 2, s->n -= 2;
			return prefixes[i].base;
		}
	s->p++, s->n--;
	return 8;
}

enum status serial_normalize(struct slice in, char out[SERIAL_TEXT], struct error *e)
{
	uint8_t v[SERIAL_OCTETS] = { 0 };
	char shown[48];
	bool separable; /* '_' may stand between a prefix and a digit, and between two digits */
	struct slice s = in;
	if (s.n > 1 && s.p[0] == '+')
		s.p++, s.n--;
	unsigned base = take_base(&s, &separable);
	bool good = s.n > 0 && s.n <= SERIAL_INPUT_MAX, fits = true;
	for (size_t i = 0; good && i < s.n; i++) {
		if (s.p[i] == '_') {
			good = separable && i + 1 < s.n;
			separable = false;
			continue;
		}
		unsigned digit = digit_value(s.p[i]);
		good = digit < base;
		fits = fits && push_digit(v, base, digit);
		separable = true;
	}
	if (!good)
		return error_set(e, ST_INVALID,
		                 "'%s' is not a valid serial number - use a base 10 representation or a base 16 "
		                 "representation with '0x' prefix",
		                 show_cut(in, shown, sizeof shown));
	if (!fits)
		return error_set(e, ST_INVALID, "serial number is longer than %d octets", SERIAL_OCTETS);
	return serial_format(slice_of(v, sizeof v), out, e);
}

enum status serial_octets(const char *decimal, uint8_t out[SERIAL_OCTETS], struct slice *ret, struct error *e)
{
	uint8_t v[SERIAL_OCTETS] = { 0 };
	bool good = *decimal;
	for (const char *p = decimal; good && *p; p++)
		good = *p >= '0' && *p <= '9' && push_digit(v, 10, (unsigned)(*p - '0'));
	if (!good)
		return error_set(e, ST_INVALID, "not a decimal serial number of at most %d octets", SERIAL_OCTETS);
	size_t zeros = 0;
	while (zeros < SERIAL_OCTETS && !v[zeros])
		zeros++;
	memcpy(out, v, SERIAL_OCTETS);
	*ret = slice_of(out + zeros, SERIAL_OCTETS - zeros);
	return ST_OK;
}

void serial_stamp(uint8_t serial[SERIAL_NEW], struct wall now, struct mono tick)
{
	uint64_t fraction = (uint64_t)(tick.ns % DURATION_S) * 32 / DURATION_S;
	/* RFC 5280 §4.1.2.2: "The serial number MUST be a positive integer". 2^127 > v > 10^38: no leading zero either.
	 */
	uint64_t front = UINT64_C(3) << 37 | (uint64_t)(uint32_t)now.s << 5 | fraction;
	for (int i = 4; i >= 0; i--, front >>= 8)
		serial[i] = (uint8_t)front;
}
