/* ott.h - the one-time token: a JWT (RFC 7519) whose claims name what may be issued, renewed or revoked once
 * (spec/server.md §2.1, spec/client.md §4). This is its text form; whether it is good is authority's to say. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"
#include "jose/jws.h"

enum {
	OTT_AUD_MAX = 16,
	OTT_SAN_MAX = 256,
};

struct ott {
	struct jws jws;
	json_t *claims;              /* owned; the strings below borrow from it */
	const char *iss, *sub, *jti; /* NULL where absent */
	const char *aud[OTT_AUD_MAX];
	size_t aud_n;
	const char *sans[OTT_SAN_MAX];
	size_t sans_n;
	const char *sha;      /* root fingerprint, for the client's bootstrap */
	const char *cnf_x5rt; /* cnf."x5rt#S256" */
	const char *revoke_scope; /* step.revoke.scope: the token is for a whole line (ours) */
	bool has_exp, has_nbf, has_iat;
	struct wall exp, nbf, iat; /* fractions are cut */
	char id[65];               /* hex SHA-256 of "protected.payload": names a token that has no jti */
};
void ott_done(struct ott *t);
static inline void ott_done_p(struct ott **t)
{
	ott_done(*t);
}

/* ST_INVALID: not a JWS, payload not an object, a claim of a wrong type, too many names. Verifies nothing. */
MUST_USE enum status ott_parse(struct slice in, struct ott *ret, struct error *e);

struct ott_draft {
	const char *aud, *iss, *sub, *jti, *sha, *cnf_x5rt, *revoke_scope; /* NULL: left out */
	const char *const *sans;                            /* NULL: left out */
	size_t sans_n;
	struct wall iat, nbf, exp;
	bool with_user; /* "user":{} as 0.28.5+ sends with sign tokens */
};

/* Claims in alphabetical order. header: kid, x5c, x5cInsecure as the caller wants; alg and typ JWT are added, and the
 * rest is sorted behind alg. ST_INVALID: a text that is not UTF-8. */
MUST_USE enum status ott_format(const struct ott_draft *d, const json_t *header, EVP_PKEY *key, struct buf *out,
                                struct error *e);
