/* authorize.h - is this one-time token good for this operation, now? (spec/server.md §2.2-2.6, without its defects:
 * a token is verified before anything is stored, exp is required, ids are kept apart by provisioner.) */
#pragma once
#include "authority/authority.h"
#include "jose/ott.h"

enum operation { OP_SIGN, OP_RENEW, OP_REKEY, OP_REVOKE, OP_COUNT };

struct authorization {
	const struct provisioner *prov; /* borrowed from the authority */
	struct ott ott;
	struct wall token_exp; /* ott.exp, not later than WALL_MAX_S */
	char token_id[160];    /* hex SHA-256 over provisioner id, NUL, jti (or the ott's id): the used-token key */
};
void authorization_done(struct authorization *a);

enum { TOKEN_LEEWAY_S = 60 }; /* on exp, nbf and iat */

/* The audiences of spec/server.md §2.2: equal after removing the port from both. Scheme, host case, path and fragment
 * must be exact, an IPv6 host must have its brackets. fragment NULL: aud must have none. */
bool audience_matches(const struct authority *a, enum operation op, const char *aud, const char *fragment);

/* Judges a token; touches nothing. Every failure is REFUSAL_UNAUTHORIZED with the stock sentence, so that a stranger
 * learns nothing, except: a provisioner that is disabled says so, and one whose type has no token flow (an audience
 * such as "...#acme/NAME") is REFUSAL_MALFORMED, never a way in. token          borrowed; white space in it is ignored
 *   store_created  tokens issued before it are refused unless disableIssuedAtCheck
 *   ret            owned, authorization_done(); set only where v grants. Borrows prov from a: keep a referenced. */
MUST_USE enum status authorize_token(const struct authority *a, enum operation op, struct slice token, struct wall now,
				     struct wall store_created, struct authorization *ret, struct verdict *v,
				     struct error *e);
