/* keys.h - key pairs and public keys as values. A key is OpenSSL's counted EVP_PKEY; what is returned is owned by the
 * caller (EVP_PKEY_free). Supported: EC P-224 (public only), P-256, P-384, P-521; RSA; Ed25519. */
#pragma once
#include "base/buf.h"
#include <openssl/types.h>

enum key_kind { KEY_EC, KEY_RSA, KEY_OKP, KEY_OTHER };

struct key_spec {
	enum key_kind kind;
	char curve[16]; /* "P-256", "Ed25519"; empty for RSA */
	int bits;	/* RSA modulus; 0 else */
};

#define KEY_SPEC_DEFAULT ((struct key_spec){ .kind = KEY_EC, .curve = "P-256" })

/* From --kty, --crv and --size as typed (NULL or 0 where absent; spec/client.md §5.1): defaults, combinations and the
 * peer's messages. insecure lifts the 2048-bit floor. ST_USAGE. */
MUST_USE enum status key_spec_make(const char *kty, const char *crv, int64_t size, bool insecure, struct key_spec *ret,
				   struct error *e);

MUST_USE enum status key_generate(const struct key_spec *spec, EVP_PKEY **ret, struct error *e);

struct key_facts {
	enum key_kind kind;
	char curve[16];
	int bits;
	char label[32]; /* "ECDSA P-256", "RSA 2048", "Ed25519 256": as `certificate inspect --short` prints */
};
struct key_facts key_facts_of(const EVP_PKEY *key);

/* ST_OK for a key of a kind, curve and size that we take: no DSA, no curve written out as numbers, RSA from 1024 to
 * 16384 bits with a sane exponent and no modulus of the ROCA family. ST_INVALID names what it is instead. */
MUST_USE enum status key_supported(const EVP_PKEY *key, struct error *e);

/* ST_OK where the private half belongs to the public half (a file can say anything); ST_INVALID where it does not. */
MUST_USE enum status key_check_pair(EVP_PKEY *key, struct error *e);

/* A key that holds only the public half. */
MUST_USE enum status key_public_of(const EVP_PKEY *key, EVP_PKEY **ret, struct error *e);

/* Same public key. */
bool key_equal(const EVP_PKEY *a, const EVP_PKEY *b);

/* DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
MUST_USE enum status key_spki(const EVP_PKEY *key, struct buf *out, struct error *e);
/* ST_INVALID: malformed, bytes behind it, or not key_supported(). */
MUST_USE enum status key_of_spki(struct slice der, EVP_PKEY **ret, struct error *e);

/* SHA-256 of the SubjectPublicKeyInfo: how the store and the logs name a key. */
MUST_USE enum status key_fingerprint(const EVP_PKEY *key, uint8_t out[32], struct error *e);
