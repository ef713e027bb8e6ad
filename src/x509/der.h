/* der.h - DER (X.690) as far as certificates need it: a reader that walks TLVs of borrowed bytes, a writer that appends
 * to a buf. Definite lengths only, minimal length octets are demanded on reading, tags are single-octet. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"

enum {
	DER_BOOLEAN = 0x01, DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_OCTET_STRING = 0x04, DER_NULL = 0x05,
	DER_OID = 0x06, DER_UTF8 = 0x0c, DER_PRINTABLE = 0x13, DER_IA5 = 0x16, DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18, DER_SEQUENCE = 0x30, DER_SET = 0x31,
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

/* Appends one TLV. */
void der_add(struct buf *out, uint8_t tag, struct slice body);
/* Wraps what was appended since offset `start` (out->n then) into a TLV with this tag. */
void der_wrap(struct buf *out, size_t start, uint8_t tag);
/* INTEGER of an unsigned big-endian magnitude (leading zeros dropped, a 00 added where the top bit is set). */
void der_add_uint(struct buf *out, struct slice magnitude);
/* OBJECT IDENTIFIER from dotted text that is known to be good ("2.5.29.15"). */
void der_add_oid(struct buf *out, const char *dotted);
/* UTCTime through 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
void der_add_time(struct buf *out, struct wall t);
