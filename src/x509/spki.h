/* spki.h - SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), read so strictly that a key has one encoding only: keys are known
 * here by the digest of it, and a blocked key must not come back in other clothes. */
#pragma once
#include "x509/der.h"

/* Spans of what was read. */
struct spki {
	struct slice bits;        /* the whole bit string */
	struct slice x, y;        /* EC: the point; else empty */
	struct slice n, exponent; /* RSA, without leading zeros; else empty */
};

/* EC (RFC 5480): named curve, uncompressed point. RSA (RFC 3279 §2.3.1, RFC 4055): NULL as parameters, except for
 * RSASSA-PSS; two positive minimal integers. Ed25519 and its kin (RFC 8410): no parameters. Of other algorithms only
 * the frame is read. ST_INVALID. */
MUST_USE enum status spki_read(struct slice der, struct spki *ret, struct error *e);
