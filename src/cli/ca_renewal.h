/* ca_renewal.h - what `ca renew` and `ca rekey` share: the pair as it stands on disk, and whether its time has come. */
#pragma once
#include "cli/ca_common.h"
#include "crypto/auto.h"

struct pair {
	struct chain chain; /* leaf first */
	EVP_PKEY *key;
};
void pair_done(struct pair *p);

/* Loads certificate and key and checks that they belong together. ST_INVALID where not. */
MUST_USE enum status pair_load(const char *crt, const char *key, const char *password_file, struct pair *ret,
                               struct error *e);

/* --expires-in may not exceed the certificate's own span. flag: "expires-in". */
MUST_USE enum status check_within_validity(const char *flag, const struct opt_duration *d, const struct cert *leaf,
                                           struct error *e);

/* By --expires-in with its jitter; without it, always. *ret false: "certificate not <verb>: expires in ..." was said.
 */
MUST_USE enum status is_due(struct invocation *inv, const struct opt_duration *expires_in, const struct cert *leaf,
                            const char *verb, bool *ret, struct error *e);
