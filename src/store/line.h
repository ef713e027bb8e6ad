/* line.h - a certificate and all that were renewed or rekeyed from one first certificate: who is in it, and how it ends
 * (docs/design/store.md). */
#pragma once
#include "authority/change.h"
#include "store/db.h"
#include "store/store.h"

/* Applies a CHANGE_REVOKE_LINE, behind its token: inside the writer's transaction. */
MUST_USE enum status line_revoke(struct db *db, const struct change *c, enum outcome *ret, struct error *e);

/* What line_revoke would take, of what has not expired at `now`. */
MUST_USE enum status line_read(struct db *db, const char *serial, enum line_scope scope, struct wall now,
                               struct store_line *ret, struct error *e);
