/* jwe.h - password-encrypted JSON Web Keys (RFC 7516, 7518 §4.8): PBES2-HS256+A128KW with A128GCM or A256GCM, the form
 * of a provisioner's encryptedKey. Never run on what a network peer sent unasked: p2c is bounded to
 * JWE_P2C_MIN..JWE_P2C_MAX, and each iteration costs the reader. */
#pragma once
#include "base/buf.h"

enum {
	JWE_MAX = 64 * 1024,
	JWE_P2C_MIN = 1000,
	JWE_P2C_MAX = 10 * 1000 * 1000,
	JWE_P2C_WRITE = 600 * 1000,
};

/* Appends the plaintext to out (BUF_SECRET). ST_DENIED: wrong password; ST_INVALID: not such a JWE. */
MUST_USE enum status jwe_open(struct slice compact, struct slice password, struct buf *out, struct error *e);

/* Protected header members in the peer's order: alg, cty "jwk+json", enc A256GCM, p2c, p2s. */
MUST_USE enum status jwe_seal(struct slice plaintext, struct slice password, int p2c, struct buf *out, struct error *e);
