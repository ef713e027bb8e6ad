/* place.h - where a path really leads: an open folder and a name in it, found component by component with O_NOFOLLOW,
 * so that nobody can lead us elsewhere between the look and the deed (design "Files").
 *
 * A symbolic link, in the middle or at the end, is followed only if its owner is root or the running user and its
 * folder cannot be written by others; else ST_DENIED with path and remedy. A last name that is a link is replaced by
 * what it points to, which need not exist. Texts begin "open PATH failed: " as the peer's do. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <sys/stat.h>

struct place {
	const char *given; /* the path as given, for messages; borrowed */
	int dir;	   /* the real folder (O_PATH) */
	char *path;	   /* canonical and absolute: no link, no "." or ".." in it */
	const char *name;  /* its last component, inside path */
	bool exists;
	struct stat st; /* of the file itself, where it exists; never of a link */
	struct stat folder;
};
#define PLACE_NONE ((struct place){ .dir = -1 })

enum place_links { PLACE_FOLLOW, PLACE_NO_LINKS };

/* ST_MISSING where the folder does not exist, ST_INVALID where the path names a folder. */
MUST_USE enum status place_find(const char *path, enum place_links links, struct place *ret, struct error *e);
void place_done(struct place *p);

/* The folder at this path, by the same rules (O_PATH). */
MUST_USE enum status place_folder(const char *path, int *ret_dir, struct error *e);

/* The same file, or the same name in the same folder? */
bool place_same(const struct place *a, const struct place *b);

/* May others than root and the running user add, remove and rename in a folder? A group's right counts unless it is our
 * own primary group or root's, since many systems give every user a group of his own and a umask of 002. */
bool folder_is_shared(const struct stat *folder);
/* Whether we may create, rename and remove in it. */
bool folder_writable(int dir);
/* Makes renames and removals in it durable. A folder that we may write but not read cannot be fsync'ed; the order in it
 * is then the file system's own. */
int folder_sync(int dir);
