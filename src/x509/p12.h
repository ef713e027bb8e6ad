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
MUST_USE enum status p12_format(const struct p12_draft *d, struct buf *out, struct error *e);
