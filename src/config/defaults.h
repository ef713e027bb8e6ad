/* defaults.h - $STEPPATH and config/defaults.json (spec/client.md §1.1, §1.3): where a client's settings come from. */
#pragma once
#include "base/buf.h"
#include <jansson.h>

/* $STEPPATH, else $HOME/.step, lexically cleaned; values come in. ST_MISSING where neither is known.
 * home: $HOME, or the passwd entry where that is unset. */
MUST_USE enum status steppath_of(const char *steppath, const char *home, struct buf *ret, struct error *e);

enum { DEFAULTS_MAX = 1 << 20 };

struct defaults {
	json_t *json;    /* object of strings, as option text; NULL where there is no file */
	char notes[256]; /* for stderr: "cannot set 'context' attribute in config files", one a line; "" where none */
};
void defaults_done(struct defaults *d);

/* The file's content; path only names it. ST_INVALID: "failed loading context configuration: error parsing FILE: ...".
 */
MUST_USE enum status defaults_parse(struct slice text, const char *path, struct defaults *ret, struct error *e);
/* A missing file is an empty one; a broken or unreadable one is an error that names it. */
MUST_USE enum status defaults_load(const char *path, struct defaults *ret, struct error *e);

/* The value of a key as option text: "true", "4h", "5"; an array's values joined by commas, as in the environment. NULL
 * where absent, null or an object. Valid until defaults_done. */
const char *defaults_get(const struct defaults *d, const char *name);
