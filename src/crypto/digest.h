/* digest.h - message digests (FIPS 180-4). */
#pragma once
#include "base/buf.h"

enum { SHA1_BYTES = 20, SHA256_BYTES = 32, DIGEST_MAX = 64 };

MUST_USE enum status digest_sha256(struct slice in, uint8_t out[SHA256_BYTES], struct error *e);
MUST_USE enum status digest_sha1(struct slice in, uint8_t out[SHA1_BYTES], struct error *e);

/* Lower-case hex of SHA-256. */
enum { SHA256_HEX = 65 };
MUST_USE enum status digest_sha256_hex(struct slice in, char out[SHA256_HEX], struct error *e);
