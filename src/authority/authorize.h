/* authorize.h - is this one-time token good for this operation, now? (spec/server.md §2.2-2.6, without its defects:
 * a token is verified before anything is stored, exp is required, ids are kept apart by provisioner.) */
#pragma once
#include "authority/authority.h"
#include "jose/ott.h"

enum operation { OP_SIGN, OP_RENEW, OP_REKEY, OP_REVOKE, OP_COUNT };

struct authorization {
	const struct provisioner *prov; /* borrowed from the authority */
	struct ott ott;
	char token_id[160]; /* hex SHA-256 over provisioner id, NUL, jti (or the ott's id): the used-token key */
};
void authorization_done(struct authorization *a);

/* The audiences of spec/server.md §2.2: exact, or equal after removing the port from both. */
bool audience_matches(const struct authority *a, enum operation op, const char *aud, const char *fragment);

/* not_before_s: the store's creation time; tokens issued earlier are refused unless disableIssuedAtCheck. */
MUST_USE enum status authorize_token(const struct authority *a, enum operation op, struct slice token, struct wall now,
                                     struct wall store_created, struct authorization *ret, struct verdict *v,
                                     struct error *e);
