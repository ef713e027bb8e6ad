/* authorize.h - is this one-time token good for this operation, now? (spec/server.md §2.2-2.6, without its defects:
 * a token is verified before anything is stored, exp is required, ids are kept apart by provisioner.) */
#pragma once
#include "authority/authority.h"
#include "jose/ott.h"

enum operation { OP_SIGN, OP_RENEW, OP_REKEY, OP_REVOKE, OP_REVOKE_LINE, OP_COUNT };

enum { TOKEN_ID_TEXT = 65 };

struct authorization {
	const struct provisioner *prov; /* borrowed from the authority */
	struct ott ott;
	struct wall token_exp;        /* ott.exp, not later than WALL_MAX_S */
	char token_id[TOKEN_ID_TEXT]; /* hex SHA-256 over provisioner id, NUL, jti (or the ott's id): the used-token key
	                               */
	/* X5C: the certificates of the token, the one whose key signed it first; else none. */
	struct chain credential;
	bool credential_ours; /* this CA has issued it: the store can say whether it is revoked */
};
void authorization_done(struct authorization *a);

struct change;
/* The change costs this token, and holds only while the certificate behind the token does. ST_NOMEM, ST_CRYPTO. */
MUST_USE enum status authorization_book(const struct authorization *a, struct change *c, struct error *e);

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

/* --- renewal by a token (spec/server.md §2.5, client.md §6.5) --- */

/* A token that a certificate's own key has signed and that carries the certificate. Owned. */
struct renew_token {
	struct chain certs; /* x5cInsecure; the certificate to renew is the first */
	struct ott ott;
	struct wall token_exp;
	char token_id[TOKEN_ID_TEXT]; /* kept apart by the certificate's key */
};
void renew_token_done(struct renew_token *t);

/* Judges the token, but for its issuer, which renew_decide compares with the provisioner; touches nothing. The chain
 * must lead to a root or issuer of this CA at the end of the certificate's life, so that an expired one passes here.
 *   token  borrowed; white space in it is ignored
 *   ret    owned, renew_token_done(); set only where v grants */
MUST_USE enum status authorize_renew_token(const struct authority *a, struct slice token, struct wall now,
                                           struct wall store_created, struct renew_token *ret, struct verdict *v,
                                           struct error *e);
/* The change costs this token. ST_NOMEM. */
MUST_USE enum status renew_token_book(const struct renew_token *t, struct change *c, struct error *e);
