/* schema.h - the tables, and the steps that lead from every older form of them to this one (docs/design/store.md). */
#pragma once
#include "base/wall.h"
#include "store/db.h"

/* Is this database ours, or empty? Changes nothing. ST_INVALID: another program's, or written by a newer version. */
MUST_USE enum status schema_check(struct db *db, struct error *e);

/* Takes the steps that are missing, all in one transaction; a new database remembers `now` as its birth. */
MUST_USE enum status schema_migrate(struct db *db, struct wall now, struct error *e);

MUST_USE enum status schema_created(struct db *db, struct wall *ret, struct error *e);
