/* bootstrap.h - how a client that knows nothing comes to trust a CA: by the root's fingerprint, typed or in a one-time
 * token (spec/client.md §3, §5.1). */
#pragma once
#include "client/ca.h"

/* What a token says of its CA. Borrowed from nothing: copies. */
struct token_hint {
	char fingerprint[FINGERPRINT_TEXT]; /* "" where the token carries none: roots must come from elsewhere */
	struct buf url;                     /* clean; empty where no audience is a URL */
	struct buf subject;                 /* claim sub; empty where absent */
};
void token_hint_done(struct token_hint *h);

/* Reads a token without verifying it: it was given to us, and is verified by the CA. A fingerprint counts only where an
 * audience begins with http, as in the peer. ST_INVALID: not a token, sha that is no fingerprint. */
MUST_USE enum status token_hint_read(struct slice token, struct token_hint *ret, struct error *e);

/* Sets c->url, where it is not set, from the hint, fetches the root by its fingerprint and makes it the only one that c
 * trusts. ST_MISSING: the hint has no fingerprint, or nobody says where the CA is. */
MUST_USE enum status bootstrap_by_hint(struct ca *c, const struct token_hint *h, struct error *e);

/* The same by a typed fingerprint; c->url must be set. ret_root may be NULL; a new reference. */
MUST_USE enum status bootstrap_by_fingerprint(struct ca *c, const char *fingerprint, struct cert **ret_root,
                                              struct error *e);
