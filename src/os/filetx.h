/* filetx.h - several files replaced as one transaction (design "Files", promise 2). Used for certificate and key, and
 * for every further output of the same renewal.
 *
 *   open     resolve each path safely, take the lock beside the first file's real path (else in the state folder),
 *            finish or drop what an earlier, killed run left, and check that every file can be kept -- before
 *            anything is asked of a CA
 *   stage    new content into an O_EXCL 0600 temporary file, fsync'ed. A new private key is staged before the CA is
 *            asked, so that it is never in memory alone
 *   commit   journal (fsync'ed) -> rename each (or write in place) -> fsync folders -> drop the journal.
 *            One file that can be renamed needs no journal: the rename is the commit
 *   close    drops temporary files that were not committed, and the lock
 *
 * After a crash at any instant: before the journal the old files stand; from the journal on, the next open completes
 * the new ones. */
#pragma once
#include "base/buf.h"
#include <sys/types.h>

enum { FILETX_FILES = 8 };

struct filetx_file {
	const char *path;   /* as given; borrowed */
	mode_t mode;        /* for a file that does not exist yet */
	bool must_be_new;   /* ST_CONFLICT where it exists */
};

struct filetx;

/* state_dir: where lock, journal and temporary files go when the first file's folder is not writable
 * ($STATE_DIRECTORY or $STEPPATH/renew); created 0700 where needed; NULL: refuse then.
 * wait: for the lock, else ST_AGAIN where somebody else holds it ("... is being renewed by process 123").
 * ret_recovered: an earlier run's transaction was completed just now.
 * ST_IO, ST_MISSING (folder), ST_DENIED (a link or folder that cannot be trusted) -- each names path and remedy. */
MUST_USE enum status filetx_open(const struct filetx_file *files, size_t n, const char *state_dir, bool wait,
                                 struct filetx **ret, bool *ret_recovered, struct error *e);
MUST_USE enum status filetx_stage(struct filetx *t, size_t index, struct slice content, struct error *e);
/* Files that were not staged stay as they are. */
MUST_USE enum status filetx_commit(struct filetx *t, struct error *e);
void filetx_close(struct filetx *t); /* NULL is fine */
static inline void filetx_close_p(struct filetx **t)
{
	filetx_close(*t);
}

/* Is a journal open for the certificate at this path? Reads only, takes no lock. false where nothing can be read. */
bool filetx_pending(const char *cert_path, const char *state_dir);
