/* certwriter.h - writes certificates (RFC 5280 §4.1) from parts that are DER already: a renewal splices the old
 * subject, key and extensions in, byte for byte. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"
#include "crypto/sign.h"

struct cert_draft {
	struct slice serial;  /* unsigned magnitude, big-endian */
	struct slice issuer;  /* DER Name */
	struct slice subject; /* DER Name */
	struct slice spki;    /* DER SubjectPublicKeyInfo */
	struct wall not_before, not_after;
	struct slice extensions; /* DER Extensions one after the other; empty: none */
};

/* Appends the certificate's DER, signed by s. */
MUST_USE enum status cert_write(const struct cert_draft *d, const struct signer *s, struct buf *out, struct error *e);
