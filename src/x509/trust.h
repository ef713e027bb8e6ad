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

/* ST_DENIED: no path, wrong use, name constraint; ST_EXPIRED: outside validity at `at`. The text is OpenSSL's reason
 * with the subject it is about. untrusted may be NULL. */
MUST_USE enum status trust_verify(const struct trust *t, const struct cert *leaf, const struct chain *untrusted,
                                  struct wall at, enum trust_use use, struct error *e);

/* RFC 6125 host name or IP match of the leaf. ST_DENIED. */
MUST_USE enum status cert_matches_host(const struct cert *c, const char *host, struct error *e);
