/* answer.h - what a new certificate must satisfy before it may replace an old one. */
#pragma once
#include "x509/cert.h"
#include "x509/trust.h"

struct answer_terms {
	const struct cert *old;    /* NULL for a first issuance */
	const EVP_PKEY *key;       /* the pair's private (or public) key */
	const struct trust *trust; /* NULL: the chain is not checked */
	struct wall now;
};

struct answer_notes { /* for the user; not refusals */
	bool shorter; /* the granted life is shorter than the old one's by more than a minute */
	int64_t old_life_s, new_life_s;
	bool not_yet_valid; /* notBefore lies ahead of our clock */
};

/* ST_PEER with the reason: key does not fit, chain does not build to our root, names differ from the old ones, already
 * expired, is a CA, is the old one itself. */
MUST_USE enum status answer_check(const struct chain *got, const struct answer_terms *t, struct answer_notes *ret,
                                  struct error *e);
