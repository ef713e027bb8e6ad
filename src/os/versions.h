/* versions.h - files that change together because one symbolic link does (--pair-dir; design "Files"):
 *
 *   DIR/current -> versions/000007         all that ever changes: one rename
 *   DIR/versions/000007/foo.crt foo.key
 *   DIR/versions/000006/...                older ones, a few, for who still reads them
 *
 * Who resolves the link once - by opening the folder, realpath, cd - reads files of one version, whenever he does. No
 * file in a version is ever written again. Versions are numbered, not dated: clocks go back. Names that are not numbers
 * are somebody else's and stay.
 *
 *   (opened) --files made in `next`--> versions_switch: link or copy what did not change, next -> versions/000008,
 * switch, remove what is too old
 *
 * Killed before the switch, the old version is the current one and what was begun is removed by the next versions_open;
 * killed behind it, the new one is. There is no journal. The caller holds the lock in DIR. */
#pragma once
#include "base/error.h"
#include "os/target.h"
#include <limits.h>

enum { VERSIONS_KEEP = 3, VERSIONS_KEEP_MAX = 1000, VERSIONS_FILES = 64 /* in a version */ };

struct versions {
	int base, all, now, next; /* DIR, DIR/versions, the current version, the one that is made; base borrowed */
	char path[PATH_MAX];      /* canonical, of DIR */
	char next_name[32];       /* in versions/; changes when it is complete */
	char now_name[32];
	bool switched;
};
#define VERSIONS_NONE ((struct versions){ .base = -1, .all = -1, .now = -1, .next = -1 })

/* Does this path lead into a version? Then ret_dir (of PATH_MAX) gets the canonical DIR. */
bool versions_lead(const struct place *file, char *ret_dir);

/* Makes DIR with an empty version 000000 unless it has a current one. Folders are 0700, or as wide as dress's mode, and
 * of its group. ST_DENIED: others may write in DIR; ST_CONFLICT: DIR/current is something else. */
MUST_USE enum status versions_make(const char *dir, const struct target_dress *dress, struct error *e);

/* Removes what killed runs left, and makes the folder for the next version, with group and mode of the current one.
 * dir: canonical; base: the same, open. ST_LIMIT, ST_INVALID: the current version holds what cannot be carried over. */
MUST_USE enum status versions_open(const char *dir, int base, struct versions *v, struct error *e);

/* Lets in whom files dressed like that are for: the group, and everybody where the mode or another owner say so. */
void versions_admit(const struct versions *v, const struct target_dress *dress);

/* Is this place in the current version? */
bool versions_hold(const struct versions *v, const struct place *file);

/* What is not in `next` yet comes over from the current version, as it is; then the switch. keep: how many older
 * versions stay. On failure the old version is the current one. */
MUST_USE enum status versions_switch(struct versions *v, size_t keep, struct error *e);

/* Removes a next version that has not become the current one. */
void versions_close(struct versions *v);
