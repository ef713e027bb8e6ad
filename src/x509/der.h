/* der.h - DER (X.690) as far as certificates need it: a reader that walks TLVs of borrowed bytes, a writer that appends
 * to a buf. Definite lengths only, minimal length octets are demanded on reading, tags are single-octet. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_IA5 = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};

struct der {
	uint8_t tag;
	struct slice whole; /* tag, length and content */
	struct slice body;  /* content */
};

/* Takes the next TLV off the front of *rest. ST_MISSING at the end, ST_INVALID where it is not DER. */
MUST_USE enum status der_next(struct slice *rest, struct der *ret, struct error *e);
/* The same, and the tag must be this one. */
MUST_USE enum status der_expect(struct slice *rest, uint8_t tag, struct der *ret, struct error *e);

/* The first byte of rest is this tag: for OPTIONAL fields. */
static inline bool der_has(struct slice rest, uint8_t tag)
{
	return rest.n && rest.p[0] == tag;
}

/* The one value in `whole`, which must have this tag and nothing behind it. */
MUST_USE enum status der_only(struct slice whole, uint8_t tag, struct der *ret, struct error *e);
/* ST_OK where nothing is left. */
MUST_USE enum status der_end(struct slice rest, struct error *e);

/* For the end of a run of readers: what is missing there is broken. Prepends the noun; returns the status. */
enum status der_broken(struct error *e, const char *noun);

/* Readers of the content of one value. All ST_INVALID where it breaks DER or does not fit. */
enum { OID_TEXT = 128 };
MUST_USE enum status der_read_oid(struct slice body, char out[OID_TEXT], struct error *e); /* dotted */
MUST_USE enum status der_read_bool(struct slice body, bool *ret, struct error *e);         /* 00 or ff */
MUST_USE enum status der_read_small(struct slice body, int *ret, struct error *e);         /* 0 .. 2^31-1 */
/* ret: the octets behind the count of unused bits, which must be zero bits. */
MUST_USE enum status der_read_bits(struct slice body, struct slice *ret, unsigned *ret_unused, struct error *e);
/* UTCTime or GeneralizedTime in RFC 5280's only forms (§4.1.2.5: seconds, Z). */
MUST_USE enum status der_read_time(const struct der *d, struct wall *ret, struct error *e);

/* Appends one TLV. */
void der_add(struct buf *out, uint8_t tag, struct slice body);
/* Wraps what was appended since offset `start` (out->n then) into a TLV with this tag. */
void der_wrap(struct buf *out, size_t start, uint8_t tag);
/* INTEGER of an unsigned big-endian magnitude (leading zeros dropped, a 00 added where the top bit is set). */
void der_add_uint(struct buf *out, struct slice magnitude);
/* OBJECT IDENTIFIER from dotted text that is known to be good ("2.5.29.15"). */
void der_add_oid(struct buf *out, const char *dotted);
/* UTCTime from 1950 through 2049, else GeneralizedTime (RFC 5280 §4.1.2.5). ST_LIMIT (sticky) outside years 1-9999. */
void der_add_time(struct buf *out, struct wall t);
