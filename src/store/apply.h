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
