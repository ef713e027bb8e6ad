/* slim.h - a library context in which reading a certificate's public key costs a third. Inside src/net only.
 *
 * OpenSSL 3.0 sets up its search for a decoder anew for every public key, over every format and every algorithm that it
 * knows: more than a quarter of all a renewal costs, and it only ever finds one of three. Here a provider of our own
 * stands before "default": it hands on all of it, but of the decoders only those of SubjectPublicKeyInfo for EC, RSA
 * and Ed25519, which are the keys that certificates here may have. Nothing is implemented anew, and nothing is
 * replaced.
 *
 * Limits: a context made here reads no private keys and no PEM; tls.c moves such values in. Measured on OpenSSL 3.0
 * (docs/performance.md). Later ones remember decoders themselves, so from 3.2 on there is no slim context. */
#pragma once
#include <openssl/types.h>

/* The context, made at the first call and kept for the life of the process; any thread. NULL where OpenSSL is later or
 * something failed: then the default context serves just as well. */
OSSL_LIB_CTX *slim_context(void);
