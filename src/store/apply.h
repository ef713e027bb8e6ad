/* apply.h - the transaction decides: one change inside the writer's transaction (design; docs/design/store.md). */
#pragma once
#include "authority/change.h"
#include "store/db.h"

/* Checks the change's conditions and, where they hold, writes its effects; where one does not, *ret names it and only
 * the token, if any, is recorded. Runs in a savepoint of its own.
 * ST_INVALID, ST_CONFLICT: this change is bad and has left no trace, the transaction goes on. ST_IO, ST_NOMEM: the
 * transaction is lost. */
MUST_USE enum status apply_change(struct db *db, const struct change *c, bool keeps_revocations, enum outcome *ret,
                                  struct error *e);

/* What takes the same locks: certificates, revocations, the ends of lines. A batch that is sorted by it has them in
 * step and in the order that all nodes keep to. */
static inline int apply_class(const struct change *c)
{
	return c->kind == CHANGE_REVOKE_LINE ? 2 : c->kind == CHANGE_REVOKE ? 1 : 0;
}

/* Up to 256 changes in one transaction without savepoints; on PostgreSQL, where each statement is a journey, they go in
 * step (instep.c). The outcome is that of one after the other by round, and in a round in this order; two that name the
 * same token, serial or line, or are of different classes, keep this order. ret has room for n, ret_round (or NULL)
 * too. Any failure loses the transaction. */
MUST_USE enum status apply_batch(struct db *db, const struct change *const *c, size_t n, bool keeps_revocations,
                                 enum outcome *ret, unsigned *ret_round, struct error *e);

/* The steps of deciding; a decision goes through them from above to below and leaves most of them out. */
enum step {
	STEP_TOKEN,
	STEP_TOKEN_OWN,
	STEP_CREDENTIAL,
	STEP_PARENT,
	STEP_HOLD_PARENT,
	STEP_HOLD_LINE,
	STEP_LINE,
	STEP_ALLOWED,
	STEP_LINE_ADD,
	STEP_LINE_AGAIN,
	STEP_GRANDCHILD,
	STEP_CHILD,
	STEP_CERT,
	STEP_CERT_OWN,
	STEP_OWN,
	STEP_REVOKE,
	STEP_REVOKE_LINE, /* is many statements */
	STEP_TOKEN_CLEAR,
	STEP_END,
};

/* A change on its way to its outcome. */
struct decision {
	const struct change *c; /* borrowed */
	enum step next;
	enum outcome outcome; /* at STEP_END */
	bool keeps_revocations, shared;
	bool closed, known;       /* the line is; the parent's row is here */
	const char *line_name;    /* of the change; where the line is not known by the parent's row */
	int64_t line, generation; /* line 0: not yet there */
	int64_t began, ends;      /* the parent's validity; the beginning of time where it is not known */
};

/* ST_INVALID, ST_BUG: the change is bad. */
MUST_USE enum status decision_begin(struct decision *d, struct db *db, const struct change *c, bool keeps_revocations,
                                    struct error *e);
/* One step of those whose next it is. They must not have to do with each other, but for STEP_TOKEN. */
MUST_USE enum status decision_step(struct db *db, enum step step, struct decision *const *d, size_t n, struct error *e);

struct revocation {
	const char *serial, *reason, *provisioner, *token; /* NULL: none */
	int reason_code;
	bool mtls;
	struct wall at;
};
/* *ret_added is false where the serial was revoked before. */
MUST_USE enum status revocation_add(struct db *db, const struct revocation *r, bool *ret_added, struct error *e);

/* A revocation known from elsewhere; *ret_new is false where it was there already. */
MUST_USE enum status apply_revocation(struct db *db, const char *serial, int reason_code, const char *reason,
                                      struct wall at, bool *ret_new, struct error *e);

/* True where the transaction cannot go on after this status. */
static inline bool apply_fatal(enum status st)
{
	return st == ST_IO || st == ST_NOMEM;
}
