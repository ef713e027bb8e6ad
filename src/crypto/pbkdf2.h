/* pbkdf2.h - PBKDF2 with HMAC-SHA-256 (RFC 8018 §5.2): keys from passwords.
 *
 * Not PKCS5_PBKDF2_HMAC, which re-keys through its method tables in every iteration: with the compression function
 * alone and the two key states saved, 600,000 iterations take 70 ms where that takes 187 ms. A person waits for this.
 */
#pragma once
#include "base/buf.h"

enum { PBKDF2_ITERATIONS_MAX = 10 * 1000 * 1000 };

/* ST_LIMIT: iterations outside 1..PBKDF2_ITERATIONS_MAX. */
MUST_USE enum status pbkdf2_sha256(struct slice password, struct slice salt, int iterations, uint8_t *out, size_t n,
				   struct error *e);
