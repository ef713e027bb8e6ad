/* filetx.h - several files replaced as one transaction (design "Files", promise 2). Used for certificate and key, and
 * for every further output of the same renewal.
 *
 *   open     resolve each path safely, take the lock beside the first file's real path (else in the state folder),
 *            finish or drop what an earlier, killed run left, and check that every file can be kept, with room for
 *            it on the disk -- before anything is asked of a CA
 *   stage    new content into an O_EXCL 0600 temporary file, fsync'ed. A new private key is staged before the CA is
 *            asked, so that it is never in memory alone
 *   commit   journal (fsync'ed) -> rename each (or write in place) -> fsync folders -> drop the journal.
 *            One file that can be renamed needs no journal: the rename is the commit
 *   close    drops temporary files that were not committed, and the lock
 *
 * After a crash at any instant: before the journal the old files stand; from the journal on, the next open completes
 * the new ones -- unless somebody else has written one of them since, which makes the journal void. A commit that fails
 * halfway (an I/O error between two renames) says so and leaves the journal for the next open.
 *
 * What a file keeps: owner, group, mode (without set-id bits), ACL, SELinux label and user attributes. A new one gets
 * exactly the given mode. Renaming breaks hard links: other names of the file keep the old content; writing in place
 * keeps them. The ways are chosen in target.h, the safe walk of the path is place.h's.
 *
 * Lock (.NAME.lock), journal (.NAME.journal) and temporary files (.NAME.*.new) all begin with a dot and are gone after
 * close; NAME is that of the first file, by which two runs for the same pair meet. */
#pragma once
#include "base/buf.h"
#include "os/target.h"
#include <sys/types.h>

enum { FILETX_FILES = 8, FILETX_BYTES = 1 << 20 };

struct filetx_file {
	const char *path; /* as given; borrowed */
	mode_t mode;      /* for a file that does not exist yet */
	bool must_be_new; /* ST_CONFLICT where it exists */
	bool aside;       /* in a versioned directory: lies in DIR itself and is written before the switch */
	/* Owner, group and mode in place of the existing ones (or the new file's). Where we have no right to give a
	 * file away it keeps the owner that it gets, with a mode that is no wider for it, and filetx_note says so.
	 * They stand in the journal: a run that completes an interrupted one gives them, too. */
	struct target_dress dress;
};

/* A versioned directory (versions.h): where the first file lies in the current version of one, all others that are not
 * `aside` must as well (ST_INVALID). Then commit makes a new version of it and switches; lock and temporary links are in
 * DIR, there is no journal, and nothing falls back to writing in place. What was not staged comes over as it is. */
struct filetx;

/* state_dir: where lock, journal and temporary files go when the first file's folder is not writable
 * ($STATE_DIRECTORY or $STEPPATH/renew); created 0700 where needed; NULL: refuse then.
 * wait: for the lock, else ST_AGAIN where somebody else holds it ("... is being renewed by process 123").
 * ret_recovered: an earlier run's transaction was completed just now.
 * ST_IO, ST_MISSING (folder), ST_DENIED (a link or folder that cannot be trusted) -- each names path and remedy. */
MUST_USE enum status filetx_open(const struct filetx_file *files, size_t n, const char *state_dir, bool wait,
                                 struct filetx **ret, bool *ret_recovered, struct error *e);
/* At most FILETX_BYTES; a second content for the same file replaces the first. ST_IO with "no space left on device"
 * where the disk is full: nothing has changed then. */
MUST_USE enum status filetx_stage(struct filetx *t, size_t index, struct slice content, struct error *e);
/* In a versioned directory: how many older versions stay, 1 .. VERSIONS_KEEP_MAX; default VERSIONS_KEEP. */
void filetx_keep(struct filetx *t, size_t versions);

/* Files that were not staged stay as they are. On failure the text says whether the old files stand or the next open
 * will complete the new ones; only filetx_close may follow, either way. */
MUST_USE enum status filetx_commit(struct filetx *t, struct error *e);
/* Has a commit failed behind the point where the new files stand, or will at the next open? Then nothing may be written
 * over them in this run, the record of what is owed least of all: it would make the journal void. */
bool filetx_unsettled(const struct filetx *t);
/* What open found and a person should know (a damaged or void journal that was put aside, an owner that cannot be
 * given), or NULL. */
const char *filetx_note(const struct filetx *t);
void filetx_close(struct filetx *t); /* NULL is fine */
static inline void filetx_close_p(struct filetx **t)
{
	filetx_close(*t);
}

/* Is a journal open for the pair whose first file is at this path? Reads only, takes no lock. false where nothing can
 * be read. */
bool filetx_pending(const char *cert_path, const char *state_dir);
