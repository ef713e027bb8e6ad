/* sign.h - signatures by key and algorithm. ECDSA signatures are DER here (X.509's form); JOSE's raw r||s is jose's. */
#pragma once
#include "base/buf.h"
#include <openssl/types.h>

enum sign_alg {
	SIGN_ECDSA_SHA256,
	SIGN_ECDSA_SHA384,
	SIGN_ECDSA_SHA512,
	SIGN_RSA_SHA256,
	SIGN_RSA_SHA384,
	SIGN_RSA_SHA512,
	SIGN_PSS_SHA256,
	SIGN_PSS_SHA384,
	SIGN_PSS_SHA512,
	SIGN_ED25519,
	SIGN_ALG_COUNT
};

/* The algorithm that fits the key: ECDSA by curve (P-256 SHA-256, ...), RSA PKCS#1 SHA-256, Ed25519.
 * ST_INVALID for another key. */
MUST_USE enum status sign_alg_for_key(const EVP_PKEY *key, enum sign_alg *ret, struct error *e);

/* DER AlgorithmIdentifier (RFC 5280 §4.1.1.2) as X.509 wants it, and "ECDSA-SHA256" as inspect prints it. */
struct slice sign_alg_der(enum sign_alg alg);
const char *sign_alg_name(enum sign_alg alg);

/* A key with its signing context made once; signing copies the context. Immutable: may be shared between threads. */
struct signer;
MUST_USE enum status signer_new(EVP_PKEY *key, enum sign_alg alg, struct signer **ret, struct error *e);
void signer_free(struct signer *s);
static inline void signer_free_p(struct signer **s)
{
	signer_free(*s);
}
enum sign_alg signer_alg(const struct signer *s);
EVP_PKEY *signer_key(const struct signer *s); /* borrowed */

/* Appends the signature over tbs. */
MUST_USE enum status signer_sign(const struct signer *s, struct slice tbs, struct buf *out, struct error *e);

/* ST_OK where the signature is good, ST_DENIED where it is not. */
MUST_USE enum status sign_verify(EVP_PKEY *key, enum sign_alg alg, struct slice tbs, struct slice signature,
				 struct error *e);
