/* target.h - one file that is to get new content, and how: by a temporary file renamed over it, or in place.
 *
 * Renaming is the rule: readers see the old or the new file, never half of one. It breaks hard links (the other names
 * keep the old content). In place is for where a rename is impossible (no right on the folder, a bind-mounted file) or
 * could not keep owner, group or ACL; it keeps the inode and with it all names.
 *
 * Used by file_replace (one file) and filetx (several, with a journal). */
#pragma once
#include "base/buf.h"
#include "os/place.h"

enum target_way { TARGET_RENAME, TARGET_IN_PLACE };

enum { TARGET_ID = 17, TARGET_TEMP = 256, TARGET_NAME_KEPT = 200 };

/* Whose temporary files they are: ".NAME.ID.RANDOM.SUFFIX". */
struct target_owner {
	char id[TARGET_ID];
	const char *suffix;
};
/* From the canonical path of a transaction's first file (FNV-1a, 64 bits, in hexadecimal). */
void target_owner_init(struct target_owner *o, const char *path, const char *suffix);

/* What a file is to get in place of what it has. All zero: nothing. */
struct target_dress {
	bool has_owner, has_group, has_mode;
	uid_t owner;
	gid_t group;
	mode_t mode;
};

struct target {
	struct place place;
	enum target_way way;
	mode_t mode; /* of a file that does not exist yet */
	struct target_dress dress;
	bool undressed; /* the owner or group asked for could not be given; the mode was narrowed in turn */
	int fd;         /* in place: the file, open for writing */
	int tmp;        /* the temporary file, or -1 */
	int tmp_dir;    /* its folder (ours) */
	int staging;    /* a folder where the new file gets the old one's name, and which takes the old folder's place as a
	                 * whole (versions.h); borrowed; -1: none. Then nothing is renamed, and never written in place */
	char tmp_name[TARGET_TEMP];
};
#define TARGET_NONE ((struct target){ .place = PLACE_NONE, .fd = -1, .tmp = -1, .tmp_dir = -1, .staging = -1 })

/* Resolves the path and refuses what must not be written: devices, FIFOs, and another user's file in a folder where
 * others may write (it would keep its owner, who could then read a key). */
MUST_USE enum status target_find(struct target *t, const char *path, enum place_links links, mode_t mode,
                                 struct error *e);

/* Chooses the way and proves it: the temporary file is made here, with the owner, mode and attributes of the file it
 * will replace, or the file is opened for writing. */
MUST_USE enum status target_prepare(struct target *t, const struct target_owner *o, struct error *e);

/* Content into the temporary file, fsync'ed. In place there is none yet: it is made in `home`, or nothing is done where
 * home is -1. */
MUST_USE enum status target_stage(struct target *t, const struct target_owner *o, int home, struct slice content,
                                  struct error *e);

/* Once prepared: takes n bytes of the disk for what will be staged, and gives back what was too much when it is. In
 * place nothing is taken: the file has its room. */
MUST_USE enum status target_claim(struct target *t, size_t n, struct error *e);

/* In place: makes sure that the disk has room, before a byte is changed. */
MUST_USE enum status target_reserve(struct target *t, size_t n, struct error *e);

/* A rename failed with this errno: would writing in place help? Switches to it then. */
MUST_USE bool target_falls_back(struct target *t, int os);

/* Renames the staged file over the target. errno in e->os. */
MUST_USE enum status target_rename(struct target *t, struct error *e);
MUST_USE enum status target_overwrite(struct target *t, struct slice content, struct error *e);

/* Gives the file as it stands its dress, where that was not done when it was written. What we have no right to stays. */
void target_redress(struct target *t);

/* The content as it stands; *ret_readable is false where we have no right to read it. */
MUST_USE enum status target_read(const struct target *t, struct buf *ret, bool *ret_readable, struct error *e);

/* Removes temporary files of this owner that a killed run left in a folder; only our
 * user's (root: anybody's, since it gives them away). Never fails: what cannot
 * be removed now is found again the next time. */
void target_sweep(int dir, const struct target_owner *o);
/* The same for writers without a lock: only what was written before this time (of the file system's clock), so that
 * another's file that is about to be renamed stays. */
void target_sweep_before(int dir, const struct target_owner *o, time_t before_s);

/* The temporary file in `staging` stays; or any temporary file goes. */
void target_keep(struct target *t);
void target_drop(struct target *t);

/* Removes the temporary file if it is still there. */
void target_done(struct target *t);
