/* tls.h - what the listener's and the client's SSL_CTX have in common. Inside src/net only. */
#pragma once
#include "net/auto.h"
#include "x509/cert.h"

/* What a listener's client may do of the handshake after its end; one that does more is cut off. The counter is the SSL's
 * app data, an int; NULL: nobody counts. */
enum { RESTLESS_CUT = 5 };

/* A context that read no configuration and trusts nobody: no tickets, no session cache, no renegotiation.
 * libctx: NULL for OpenSSL's default, or slim_context(). */
MUST_USE enum status tls_context(OSSL_LIB_CTX *libctx, const SSL_METHOD *method, int min_version, int max_version,
                                 SSL_CTX **ret, struct error *e);

/* The chain to send, leaf first, and the leaf's key. ST_INVALID where they do not belong together.
 * libctx: as it was for ctx. */
MUST_USE enum status tls_use_pair(OSSL_LIB_CTX *libctx, SSL_CTX *ctx, const struct chain *chain, EVP_PKEY *key,
                                  struct error *e);

MUST_USE enum status tls_add_anchors(OSSL_LIB_CTX *libctx, SSL_CTX *ctx, const struct chain *anchors, struct error *e);

/* Verify callback. OpenSSL wants serverAuth or clientAuth by name; like the peer we also take anyExtendedKeyUsage
 * (RFC 5280 §4.2.1.12) in a leaf whose key usage allows signatures. Everything else stays as OpenSSL judged. */
int tls_verify(int ok, X509_STORE_CTX *store);

/* "unknown certificate authority": an alert's name (RFC 8446 §6) in the peer's words; "alert(N)" for others. */
const char *tls_alert_text(int alert, char out[32]);
