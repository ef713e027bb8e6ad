/* dbexport.h - `step-ca db export`: the database as JSON, one object a line (docs/database.md). */
#pragma once
#include "config/caconf.h"

/* Takes each line, newline included, and empties it. Its failure ends the export. */
typedef enum status dbexport_line_fn(void *ctx, struct buf *line, struct error *e);
MUST_USE enum status dbexport_run(const struct caconf *conf, dbexport_line_fn *line, void *ctx, struct error *e);
