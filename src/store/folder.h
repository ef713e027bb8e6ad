/* folder.h - where the database lives, held against every other process. */
#pragma once
#include "base/error.h"

/* The database file in it. */
#define FOLDER_DATABASE "perennial.db"

struct folder {
	char *path;     /* real path: no link in it */
	char *database; /* path of the database file in it */
	int lock;
};
#define FOLDER_NONE ((struct folder){ .lock = -1 })

/* A file that root makes in the folder of the CA's user belongs to that user, who could not open it otherwise. */
MUST_USE enum status folder_give(int folder, int file, struct error *e);

/* Makes what is missing (folder 0700, files 0600, whatever the umask) and takes the lock, which ends with the process
 * at the latest. ST_CONFLICT names the process that holds it; ST_INVALID: the path is no folder; ST_IO. */
MUST_USE enum status folder_take(const char *path, struct folder *ret, struct error *e);
void folder_done(struct folder *f); /* for AUTO */
