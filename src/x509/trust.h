/* trust.h - path validation (RFC 5280 §6) by OpenSSL, at a time that the caller gives. */
#pragma once
#include "x509/cert.h"

struct trust; /* a set of anchors; immutable, may be shared between threads */

/* anchors are trusted as they are; partial_chain lets an intermediate be one. */
MUST_USE enum status trust_new(const struct chain *anchors, bool partial_chain, struct trust **ret, struct error *e);
/* The system's default store, for `certificate verify` without --roots. */
MUST_USE enum status trust_new_system(struct trust **ret, struct error *e);
void trust_free(struct trust *t);
static inline void trust_free_p(struct trust **t)
{
	trust_free(*t);
}

enum trust_use { TRUST_ANY, TRUST_CLIENT, TRUST_SERVER };

/* Path validation of leaf at the instant `at`, both ends of a validity period included; at most 10 intermediates;
 * MD5, SHA-1 and RSA below 1024 bits do not count (an anchor's own signature is not looked at). TRUST_CLIENT and
 * TRUST_SERVER ask that every certificate of the path that has an extended key usage has this one or any.
 *   untrusted  intermediates that came along; may be NULL
 *   ST_DENIED no path, wrong use, broken constraint; ST_EXPIRED outside validity; ST_NOMEM
 * The text is Go's ("x509: certificate signed by unknown authority (CN=foo)"), else OpenSSL's reason, with the
 * subject it is about in parentheses, fit for a terminal. */
MUST_USE enum status trust_verify(const struct trust *t, const struct cert *leaf, const struct chain *untrusted,
                                  struct wall at, enum trust_use use, struct error *e);

/* Host name (RFC 6125: wildcards for one whole leftmost label; the common name never counts) or IP address, with or
 * without brackets, among the leaf's alternative names. ST_DENIED. */
MUST_USE enum status cert_matches_host(const struct cert *c, const char *host, struct error *e);
