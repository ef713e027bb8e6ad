/* jws.h - JSON Web Signatures (RFC 7515, 7518 §3): compact, flattened and general serialization in; compact out.
 * Algorithms: ES256 ES384 ES512 (each with its own curve), RS256/384/512, PS256/384/512 (from 2048 bits), EdDSA
 * (Ed25519). `none`, MACs, critical headers (RFC 7515 §4.1.11) and unencoded payloads (RFC 7797) are refused.
 *
 * A signature does not name a JWS: of an ECDSA signature (r, s) anybody makes (r, n - s), which verifies too. What is
 * remembered of a JWS is taken from signed_part. */
#pragma once
#include "base/buf.h"
#include <jansson.h>
#include <openssl/types.h>

enum { JWS_MAX = 256 * 1024 };

struct jwk;

struct jws {
	json_t *header;         /* of the one signature: protected, joined with unprotected; owned */
	struct buf signed_part; /* "protected.payload": what is signed */
	struct buf payload;     /* decoded */
	struct buf signature;   /* decoded */
};
void jws_done(struct jws *j);

/* White space anywhere in compact form is dropped, as the peer does. A general serialization has exactly one signature;
 * alg must be in the protected header. ST_INVALID, also for an algorithm that is not offered. Nothing is verified. */
MUST_USE enum status jws_parse(struct slice in, struct jws *ret, struct error *e);

/* Header members as text; empty where absent or of another type. */
struct slice jws_alg(const struct jws *j);
struct slice jws_kid(const struct jws *j);

/* ST_OK; ST_DENIED where the signature is wrong, ST_INVALID where alg does not suit the key. */
MUST_USE enum status jws_verify(const struct jws *j, EVP_PKEY *key, struct error *e);

/* The same for a key that is a JWK: ST_INVALID also where its use, key_ops or alg reserve it for something else. */
MUST_USE enum status jws_verify_jwk(const struct jws *j, const struct jwk *key, struct error *e);

/* "ES256" by the key's kind and curve; RSA gives RS256. NULL for a key that cannot sign here. */
const char *jws_alg_for_key(const EVP_PKEY *key);

/* header is an object without alg; alg is put first. Appends the compact form. */
MUST_USE enum status jws_sign(EVP_PKEY *key, const json_t *header, struct slice payload, struct buf *out,
                              struct error *e);
