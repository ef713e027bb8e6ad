/* db.h - one connection to the database: opened hardened, its statements prepared once and kept, SQLite's answers
 * turned into ours. A connection is used by one thread at a time. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <sqlite3.h>

enum db_role {
	DB_WRITER, /* WAL, synchronous=FULL; checkpoints only when told to (db_checkpoint) */
	DB_READER, /* cannot change anything */
};

/* Every statement that runs more than once; its text is in db.c. */
enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SAVEPOINT,
	SQL_RELEASE,
	SQL_UNDO,
	SQL_TOKEN_ADD,
	SQL_TOKEN_SERIAL,
	SQL_TOKEN_CLEAR,
	SQL_KEY_BLOCKED,
	SQL_REVOCATION,
	SQL_REVOCATION_ADD,
	SQL_CREDENTIAL_BAD,
	SQL_OWN,
	SQL_PARENT,
	SQL_CHILD,
	SQL_GRANDCHILD,
	SQL_LINE,
	SQL_LINE_ADD,
	SQL_LINE_CLOSE,
	SQL_LINE_BLOCK_KEYS,
	SQL_LINE_REVOKE,
	SQL_LINE_CERTS,
	SQL_LINE_KEY_CERTS,
	SQL_CERT,
	SQL_CERT_DER,
	SQL_CERT_ADD,
	SQL_PRUNE_TOKENS,
	SQL_PRUNE_REVOCATIONS,
	SQL_PRUNE_LOOK,
	SQL_PRUNE_CERT,
	SQL_PRUNE_LINE,
	SQL_STATS,
	SQL_COUNT
};

struct db {
	sqlite3 *h;
	sqlite3_stmt *statements[SQL_COUNT];
	int wal_pages; /* in the log after the last commit (writer) */
};

/* path NULL: in memory, gone with the connection. The file must exist; SQLite gives -wal and -shm its mode.
 * ST_INVALID: the file is no database; ST_IO; ST_NOMEM. */
MUST_USE enum status db_new(const char *path, enum db_role role, struct db **ret, struct error *e);
void db_free(struct db *db);
static inline void db_free_p(struct db **db)
{
	db_free(*db);
}

/* Writer: WAL and its durability. Not part of db_new, because it changes the file, which may not be ours. */
MUST_USE enum status db_set_durable(struct db *db, struct error *e);

/* Statements without parameters or results, one or several. */
MUST_USE enum status db_exec(struct db *db, const char *sql, struct error *e);

/* The one number that a statement gives. */
MUST_USE enum status db_number(struct db *db, const char *sql, int64_t *ret, struct error *e);

/* Brings the log into the database file. whole: waits for readers and empties the log (after an I/O error, see
 * writer.c); else as much as goes without waiting. */
MUST_USE enum status db_checkpoint(struct db *db, bool whole, struct error *e);

/* What a result code of SQLite means. ST_IO or ST_NOMEM: the connection, or the disk behind it, is unwell, and with it
 * the transaction that ran. ST_CONFLICT, ST_INVALID: only this statement was bad. */
enum status db_fail(struct db *db, int rc, struct error *e);

/* One run of a prepared statement. Parameters are bound in order and borrowed until query_done; the first failure
 * sticks and comes out of query_row. */
struct query {
	struct db *db;
	sqlite3_stmt *s;
	int bound, rc;
};
struct query query_of(struct db *db, enum sql id);
void query_done(struct query *q);		 /* for AUTO */
void query_text(struct query *q, const char *s); /* NULL: NULL */
void query_int(struct query *q, int64_t v);
void query_blob(struct query *q, struct slice s);

/* Steps once: *ret_row says whether there is a row to read with query_get_*. */
MUST_USE enum status query_row(struct query *q, bool *ret_row, struct error *e);
int64_t query_get_int(struct query *q, int column);
/* "" for NULL. Both valid until the next step. */
const char *query_get_text(struct query *q, int column);
struct slice query_get_blob(struct query *q, int column);
