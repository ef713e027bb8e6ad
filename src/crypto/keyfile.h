/* keyfile.h - private and public keys as PEM, plain and under a password (spec/server.md §4.7).
 *
 * Read: SEC1, PKCS#1, PKCS#8, plain DER of these; RFC 1423 DES/3DES/AES-128/192/256-CBC; PKCS#8 PBES2 with
 * PBKDF2 (HMAC with SHA-1 or SHA-2) and DES/3DES/AES-CBC. Written: EC as SEC1, RSA as PKCS#1, Ed25519 as PKCS#8. */
#pragma once
#include "base/buf.h"
#include <openssl/types.h>

enum {
	KEYFILE_MAX = 64 * 1024,
	PASSWORD_MAX = 1024,
	PASSWORD_TRIES = 10, /* of one key, whatever the source offers */
};

/* Where a password comes from when one is needed. get() appends to a BUF_SECRET; attempt counts from 0; ST_MISSING
 * (with a text that names the flag, variable or file to give) where there is none (left). */
struct password_source {
	enum status (*get)(void *ctx, int attempt, struct buf *ret, struct error *e);
	void *ctx;
	bool asks; /* a person, who is not to be bothered where another password does */
};

/* Asks the source until use() is content with a password. use() answers ST_DENIED for a wrong one; anything else ends
 * the loop. After a wrong password the source's ST_MISSING becomes that ST_DENIED. source may be NULL (ST_MISSING).
 * For every place that needs a password: key files here, a provisioner's JWE elsewhere. */
MUST_USE enum status password_try(const struct password_source *source,
				  enum status (*use)(void *ctx, struct slice password, struct error *e), void *ctx,
				  struct error *e);

/* Reads the first private key block of PEM text, or DER. source may be NULL (then an encrypted key is ST_MISSING).
 * ST_DENIED after a wrong password that the source did not replace, ST_INVALID where it is no key, or one whose halves
 * do not belong together; ST_LIMIT where in is longer than KEYFILE_MAX or asks for more iterations than
 * PBKDF2_ITERATIONS_MAX. */
MUST_USE enum status keyfile_parse(struct slice in, const struct password_source *source, EVP_PKEY **ret,
				   struct error *e);

enum keyfile_form {
	KEYFILE_NATIVE, /* SEC1 / PKCS#1 / PKCS#8 by kind, as the peer writes */
	KEYFILE_PKCS8,
};

/* password.n == 0: not encrypted. Else NATIVE uses RFC 1423 AES-256-CBC with a lower-case IV (the peer's form; Ed25519:
 * PBES2, PBKDF2-HMAC-SHA256 with 600,000 iterations, AES-256-CBC), PKCS8 uses PBES2. out should be BUF_SECRET. */
MUST_USE enum status keyfile_format(EVP_PKEY *key, enum keyfile_form form, struct slice password, struct buf *out,
				    struct error *e);

/* "PUBLIC KEY" block. */
MUST_USE enum status keyfile_format_public(const EVP_PKEY *key, struct buf *out, struct error *e);

/* Public key of a PEM file that holds a PUBLIC KEY, a private key, a certificate or a request (first block). */
MUST_USE enum status keyfile_parse_public(struct slice in, const struct password_source *source, EVP_PKEY **ret,
					  struct error *e);
