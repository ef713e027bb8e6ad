/* p12.h - PKCS#12 (RFC 7292). */
#pragma once
#include "x509/cert.h"

struct p12_draft {
	const struct chain *chain; /* leaf first; may be NULL for a trust store */
	const struct chain *cas;   /* further CA certificates; may be NULL */
	EVP_PKEY *key;             /* NULL for a trust store */
	struct slice password;     /* may be empty */
	bool legacy;               /* RC2-40 certificates, 3DES key, SHA-1 MAC; else PBES2 AES-256-CBC, SHA-256 MAC,
	                              2048 iterations, 16-byte salts (spec/client.md §8.2) */
};
/* Appends the file's DER; out should be BUF_SECRET. A trust store's entries bear the friendly name
 * "<subject DN> - <SHA-256>" and the attribute by which Java knows an anchor.
 * ST_INVALID: no certificate, a key that is not the first certificate's, a password with NUL or beyond 1024 bytes;
 * ST_MISSING: legacy without OpenSSL's legacy provider; ST_CRYPTO. */
MUST_USE enum status p12_format(const struct p12_draft *d, struct buf *out, struct error *e);
