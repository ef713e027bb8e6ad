/* local_ca.h - signing certificates with an authority's files, without a CA: `certificate create` and `sign`. */
#pragma once
#include "cli/cli.h"
#include "x509/cert.h"
#include "x509/san.h"

#define LEAF_SPAN_S (INT64_C(24) * 3600)
#define CA_SPAN_S (INT64_C(10) * 365 * 24 * 3600)

/* An issuer's certificate (its chain behind it) and key. */
struct local_ca {
	struct chain chain;
	EVP_PKEY *key;
};
void local_ca_done(struct local_ca *c);

/* Reads both and checks that they belong together and may sign (RFC 5280 §4.2.1.9, §4.2.1.3). ST_INVALID names what is
 * wrong. */
MUST_USE enum status local_ca_load(struct invocation *inv, const char *cert_path, const char *key_path,
                                   struct ask_password *ask, struct local_ca *ret, struct error *e);
/* May it issue an authority with this path length (-1: unbounded)? */
MUST_USE enum status local_ca_check_path_len(const struct local_ca *c, int path_len, struct error *e);
/* Its subject key identifier; empty for NULL. */
struct slice local_ca_key_id(const struct local_ca *c);

struct local_life {
	struct wall not_before, not_after;
};
/* From --not-before and --not-after, NULL where absent: now, and span_s after not_before. */
MUST_USE enum status local_life_make(struct invocation *inv, const char *not_before, const char *not_after,
                                     int64_t span_s, struct local_life *ret, struct error *e);

struct local_draft {
	const struct local_ca *ca; /* NULL: self-signed by `key` */
	EVP_PKEY *key;             /* for self-signed ones */
	struct slice subject, spki, extensions;
	struct local_life life;
};
/* A random 128-bit serial; tells on stderr where the certificate outlives its issuer. */
MUST_USE enum status local_sign(struct invocation *inv, const struct local_draft *d, struct cert **ret,
                                struct error *e);
