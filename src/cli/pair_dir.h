/* pair_dir.h - --pair-dir: names of files in a versioned directory (os/versions.h). A name without a slash is one in
 * the current version; any other has to lead there. */
#pragma once
#include "cli/cli.h"

enum { PAIR_DIR_NAMES = 8 };

struct pair_dir {
	const char *dir; /* borrowed; NULL or "": none, and all names stay what they are */
	struct buf names[PAIR_DIR_NAMES];
	size_t n;
};
void pair_dir_done(struct pair_dir *p);

/* *name becomes a path in p (valid until pair_dir_done), where it is one of the directory's. NULL stays. ST_NOMEM,
 * ST_LIMIT. */
MUST_USE enum status pair_dir_name(struct pair_dir *p, const char **name, struct error *e);

/* Is this path one of the current version? ST_INVALID says which would be; ST_MISSING: there is no such directory yet;
 * ST_CONFLICT: it is no versioned directory, or the file is a link out of it. */
MUST_USE enum status pair_dir_check(const struct pair_dir *p, const char *path, struct error *e);

#define PAIR_DIR_HELP                                                                                                  \
	"A directory of versions: certificate, key and what else is written lie in its folder `current`, and change "  \
	"together when that link does. A name without a slash is one in there"
