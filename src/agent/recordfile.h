/* recordfile.h - where a pair's record (renewal/record.h) lives: ".NAME.state" beside the certificate's real path, or,
 * where that folder is not ours to write in, ".NAME.ID.state" in the state folder. By it timer, cron, daemon and a
 * person know of each other's work. Of a certificate in a versioned directory (os/versions.h) it lies in the directory
 * itself: it outlives the versions.
 *
 * A record is trusted only where root, we or the certificate's owner own it and nobody else may write it
 * (design "Files"). It never holds a command. */
#pragma once
#include "renewal/record.h"

enum { RECORDFILE_PATH = 4096 };

struct recordfile {
	char path[RECORDFILE_PATH]; /* canonical */
	bool exists;
};

/* Finds the place; state_dir may be NULL. ST_MISSING, ST_IO where there is none: nothing can be remembered then. */
MUST_USE enum status recordfile_find(const char *cert, const char *state_dir, struct recordfile *ret, struct error *e);

/* RECORD_NONE where the file does not exist. ST_DENIED: it is not to be trusted; ST_INVALID, ST_CONFLICT: it is broken;
 * each names the file and what to do. Then go on with RECORD_NONE; one that is not trusted is not written over. */
MUST_USE enum status recordfile_load(const char *cert, const char *state_dir, struct recordfile *ret_file,
                                     struct record *ret, struct error *e);

/* Atomically; 0600. The caller holds the pair's lock. */
MUST_USE enum status recordfile_save(struct recordfile *f, const struct record *r, struct error *e);

/* Does the record of this certificate say that a deployment is owed? false where nothing can be read. */
bool recordfile_owes(const char *cert, const char *state_dir);
