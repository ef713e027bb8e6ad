/* authorize_internal.h - what every way of judging a token shares. For authorize*.c only. */
#pragma once
#include "authority/authorize.h"

/* Is one of the token's audiences one of these operations (a mask of 1 << OP_...) of this CA? */
bool authorize_audience(const struct authority *a, unsigned ops, const struct ott *t, const char *fragment);

enum token_fault {
	TOKEN_IN_TIME,
	TOKEN_ENDLESS,
	TOKEN_EXPIRED,
	TOKEN_TOO_EARLY,
	TOKEN_FROM_FUTURE,
	TOKEN_TOO_OLD,
	TOKEN_FAULT_COUNT
};
/* exp, nbf and iat; a fault is refused in v, for the log alone. */
enum token_fault authorize_time(const struct authority *a, const struct ott *t, struct wall now,
                                struct wall store_created, struct verdict *v);

/* The used-token key: whose token it is, and its jti or, without one, its hash. */
MUST_USE enum status authorize_token_id(struct slice whose, const struct ott *t, char out[TOKEN_ID_TEXT],
                                        struct error *e);

/* A failure of a lower floor that is the token's fault is an answer. */
MUST_USE enum status authorize_refuse_or_fail(enum status st, const char *what, struct verdict *v,
                                              const struct error *e);

/* The certificates in this member of the token's header (RFC 7515 §4.1.6), in their order. ST_INVALID: absent, empty,
 * or not certificates; ST_LIMIT: too many. */
MUST_USE enum status credential_parse(const struct ott *t, const char *member, struct chain *ret, struct error *e);

/* X5C: takes the token's x5c into auth->credential and judges it (spec/server.md §2.4): a path to the provisioner's
 * roots now, for TLS clients, and a key that may sign. */
MUST_USE enum status credential_take(const struct authority *a, struct authorization *auth, struct wall now,
                                     struct verdict *v, struct error *e);
