/* look.h - a connection to the store's database beside the CA that holds it, and what upkeep.h's parts share. */
#pragma once
#include "store/db.h"
#include "store/pgconn.h"
#include "store/store.h"

struct look {
	struct db *db;
	char *file; /* SQLite's */
	struct pgconn pg;
	struct pg_mark mark;
};
void look_done(struct look *l); /* for AUTO */

/* For reading; nothing is created. ST_MISSING, ST_INVALID as upkeep_check. */
MUST_USE enum status look_open(const struct store_conf *conf, struct look *ret, struct error *e);

/* The path of SQLite's file. ST_INVALID for another kind of store: `verb` ("backed up") and the tool that does it.
 * Owned. */
MUST_USE enum status look_file(const struct store_conf *conf, const char *verb, char **ret, struct error *e);

struct upkeep_reader;
/* upkeep_export on a connection. */
MUST_USE enum status upkeep_read(struct db *db, const struct upkeep_reader *r, struct error *e);

/* --- SQLite itself, for copies: no statement cache, no roles --- */
struct sqlite3;
struct sqlite3_stmt;

/* An existing file. Nothing in it runs code. */
MUST_USE enum status raw_open(const char *path, struct sqlite3 **ret, struct error *e);
void raw_close_p(struct sqlite3 **h);
MUST_USE enum status raw_exec(struct sqlite3 *h, const char *sql, struct error *e);
/* The number that a statement gives; `otherwise` where it gives none. */
MUST_USE enum status raw_number(struct sqlite3 *h, const char *sql, int64_t otherwise, int64_t *ret, struct error *e);
/* ST_INVALID with the first complaint where the file is not whole. */
MUST_USE enum status raw_whole(struct sqlite3 *h, struct error *e);
enum status raw_fail(struct sqlite3 *h, int rc, struct error *e);

/* fsync of a file, and of the folder that it is in. */
MUST_USE enum status sync_file(const char *path, struct error *e);
MUST_USE enum status sync_folder_of(const char *path, struct error *e);
bool same_file(const char *a, const char *b);

#define BACKUP_TABLE "perennial_backup"
