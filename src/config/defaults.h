/* defaults.h - $STEPPATH and config/defaults.json (spec/client.md §1.1, §1.3): where a client's settings come from. */
#pragma once
#include "base/buf.h"
#include <jansson.h>

/* $STEPPATH, else $HOME/.step, lexically cleaned; values come in. ST_MISSING where neither is known.
 * home: $HOME, or the passwd entry where that is unset. */
MUST_USE enum status steppath_of(const char *steppath, const char *home, struct buf *ret, struct error *e);

struct defaults {
	json_t *json; /* object; NULL where there is no file */
	struct buf text_; /* arena of formatted values */
};
void defaults_done(struct defaults *d);
/* A missing file is an empty one; a broken or unreadable one is an error that names it. */
MUST_USE enum status defaults_load(const char *path, struct defaults *ret, struct error *e);
/* The value of a key as option text (true, 4h, 5); NULL where absent. Valid until defaults_done. */
const char *defaults_get(struct defaults *d, const char *name);
