/* jwk.h - JSON Web Keys (RFC 7517, 7518 §6, 8037) and their thumbprints (RFC 7638). kty EC (P-256, P-384, P-521), RSA,
 * OKP (Ed25519); oct, a shared secret, is refused. */
#pragma once
#include "base/buf.h"
#include <jansson.h>
#include <openssl/types.h>

enum { JWK_THUMBPRINT = 44 }; /* base64url of SHA-256, with NUL */

struct jwk {
	EVP_PKEY *key; /* public or private */
	bool is_private;
	bool no_sign, no_verify; /* `use` or `key_ops` (RFC 7517 §4.2, §4.3) reserve the key for something else */
	char *kid, *alg, *use;   /* NULL where absent */
};
void jwk_done(struct jwk *k);

/* ST_INVALID: missing or oversized members, point not on the curve, d that does not fit, kty/crv that is unknown, an
 * RSA key that key_supported() refuses. */
MUST_USE enum status jwk_parse(const json_t *v, struct jwk *ret, struct error *e);

/* The public members, and d (and RSA's primes) where with_private. Order as the peer writes: use, kty, kid, crv, alg,
 * x, y[, d]; kid/alg/use left out where NULL. New reference in *ret. */
MUST_USE enum status jwk_format(const struct jwk *k, bool with_private, json_t **ret, struct error *e);

MUST_USE enum status jwk_thumbprint(const EVP_PKEY *key, char out[JWK_THUMBPRINT], struct error *e);
