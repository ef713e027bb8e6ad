/* db.h - one connection to the database, whatever engine is behind it: opened hardened, its statements prepared once
 * and kept, the engine's answers turned into ours. A connection is used by one thread at a time. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

enum db_kind { DB_SQLITE, DB_POSTGRESQL, DB_KINDS };

enum db_role {
	DB_WRITER,
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
	SQL_HOLD,
	SQL_TOKEN_ADD,
	SQL_TOKEN_SERIAL,
	SQL_TOKEN_CLEAR,
	SQL_ALLOWED,
	SQL_REVOCATION,
	SQL_REVOCATION_ADD,
	SQL_CREDENTIAL_BAD,
	SQL_OWN,
	SQL_PARENT,
	SQL_CHILD,
	SQL_GRANDCHILD,
	SQL_PLACE,
	SQL_PLACE_HOLD,
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
	SQL_PRUNE_LINE_HOLD,
	SQL_PRUNE_LINE,
	SQL_STATS,
	SQL_CENSUS,
	SQL_AUDIT_WHOLE,
	SQL_AUDIT_LINE,
	SQL_AUDIT_DESCENT,
	SQL_AUDIT_TOKEN,
	SQL_AUDIT_CLOSED,
	SQL_AUDIT_KEY,
	SQL_AUDIT_NEW_KEY,
	SQL_AUDIT_META,
	SQL_AUDIT_REVOCATION,
	SQL_AUDIT_CRL_NUMBER,
	SQL_DUMP_CERTS,
	SQL_DUMP_REVOCATIONS,
	SQL_DUMP_LINES,
	SQL_DUMP_KEYS,
	SQL_INVENTORY_SAME,
	SQL_INVENTORY_LATER,
	SQL_INVENTORY_LINE_SAME,
	SQL_INVENTORY_LINE_LATER,
	SQL_INVENTORY_STATE,
	SQL_CRL,
	SQL_CRL_UNLISTED,
	SQL_CRL_CLAIM,
	SQL_CRL_NUMBER,
	SQL_CRL_LIST,
	SQL_CRL_ENTRIES,
	SQL_CRL_KEEP,
	SQL_CRL_ABANDON,
	SQL_CRL_RAISE,
	SQL_COUNT
};

/* What every connection of any engine begins with. */
struct db {
	const struct db_engine *engine;
};

/* PostgreSQL: by which number a writer knows its last batch again, from connection to connection. */
struct pg_mark {
	/* Readers in other threads share these two, so they are atomic. Which history the writer's last connection was
	 * in: cluster and timeline, see db_pg.c; 0: none yet. And how often a server gave no answer in time: what was
	 * connected before that is no longer trusted. */
	int64_t era, silences;
	char writer[40]; /* "" before the first connection */
	int64_t batch;
	bool unsure; /* its COMMIT was sent, and the answer lost */
	bool stands; /* what the next connection found of that */
};

struct db_where {
	/* SQLite's file; NULL: in memory, gone with the connection. It must exist; -wal and -shm get its mode. */
	const char *file;
	const struct pgconn *pg; /* not NULL: PostgreSQL, and the writer's mark */
	struct pg_mark *mark;
};

/* ST_INVALID: the file is no database, the server not fit; ST_DENIED: the server is there and does not let us in;
 * ST_IO; ST_NOMEM. */
MUST_USE enum status db_new(const struct db_where *where, enum db_role role, struct db **ret, struct error *e);
enum db_kind db_kind(const struct db *db);
/* Do other processes write at the same time? */
bool db_shared(const struct db *db);
/* A change that is bad can be taken back alone (SQL_SAVEPOINT); else the whole transaction goes with it. */
bool db_savepoints(const struct db *db);
void db_free(struct db *db);
static inline void db_free_p(struct db **db)
{
	db_free(*db);
}

/* Writer: a commit that has returned outlives a power cut. Not part of db_new, because for SQLite it changes the file
 * (WAL), which may not be ours. */
MUST_USE enum status db_set_durable(struct db *db, struct error *e);

/* For schema.c: in a transaction, keeps other processes from changing the schema to its end. */
MUST_USE enum status db_schema_lock(struct db *db, struct error *e);
/* How many of its steps this database has taken; 0: it is empty. ST_INVALID: another program's. */
MUST_USE enum status db_schema_version(struct db *db, int64_t *ret, struct error *e);
MUST_USE enum status db_schema_set(struct db *db, int64_t version, struct error *e);

/* Statements without parameters or results, one or several. */
MUST_USE enum status db_exec(struct db *db, const char *sql, struct error *e);

/* The one number that a statement gives. */
MUST_USE enum status db_number(struct db *db, const char *sql, int64_t *ret, struct error *e);

/* A statement of the table that has neither parameters nor a result. */
MUST_USE enum status db_run(struct db *db, enum sql id, struct error *e);

/* A transaction that writes. */
MUST_USE enum status db_begin(struct db *db, struct error *e);
MUST_USE enum status db_commit(struct db *db, struct error *e);
/* The same; where the answer to it is lost, the next writer's connection finds out whether it stands (pg_mark). */
MUST_USE enum status db_commit_batch(struct db *db, struct error *e);
void db_rollback(struct db *db); /* wherever it stands, also outside of one */

/* Of a connection that was idle: is the other side still there, as far as can be told without asking it? */
bool db_alive(struct db *db);
/* After a failure: may the connection be used again? */
bool db_sound(struct db *db);

/* Until the end of the transaction, nobody else holds this name: for what has no row that could be locked. */
MUST_USE enum status db_hold(struct db *db, const char *name, struct error *e);

/* In a transaction: is it this process that prunes, of all on this database? */
MUST_USE enum status db_prune_lock(struct db *db, bool *ret_mine, struct error *e);

/* Between batches. SQLite: brings its log into the database file. */
enum db_tidy {
	DB_TIDY_LONG,  /* when it is long */
	DB_TIDY_SHORT, /* when it has become any length: the disk is full, and must hold both the log and what comes of
	                  it */
	DB_TIDY_WHOLE, /* now, all of it, waiting for readers: after an I/O error, see writer.c */
};
MUST_USE enum status db_tidy(struct db *db, enum db_tidy how, struct error *e);

/* One run of a prepared statement; at most one of a kind at a time. Parameters are bound in order and borrowed until
 * query_done; the first failure sticks and comes out of query_row. */
struct query {
	struct db *db;
	void *s; /* the engine's */
	int bound, rc;
};
struct query query_of(struct db *db, enum sql id);
void query_done(struct query *q);                /* for AUTO */
void query_text(struct query *q, const char *s); /* NULL: NULL */
void query_int(struct query *q, int64_t v);
void query_blob(struct query *q, struct slice s);

/* Steps once: *ret_row says whether there is a row to read with query_get_*.
 * ST_IO or ST_NOMEM: the connection, or the disk behind it, is unwell, and with it the transaction that ran.
 * ST_AGAIN: others were in the way; the transaction is lost, and may work the next time.
 * ST_CONFLICT, ST_INVALID: only this statement was bad; without savepoints the transaction is lost with it. */
MUST_USE enum status query_row(struct query *q, bool *ret_row, struct error *e);
int64_t query_changes(struct query *q);             /* rows that it wrote or deleted, once stepped to its end */
int64_t query_get_int(struct query *q, int column); /* truth is 0 or 1 */
/* "" for NULL. Both valid until the next step. */
const char *query_get_text(struct query *q, int column);
struct slice query_get_blob(struct query *q, int column);

/* One statement for many: what it is asked of each item, and what is made of the answer. take() reads the first row,
 * where there is one, and runs no statement itself. */
struct db_ask {
	enum sql id;
	bool waits; /* it may, for what others hold: each answer is to come by itself, lest a long wait looks like a dead server */
	void (*bind)(struct query *q, void *item);
	enum status (*take)(struct query *q, bool row, void *item, struct error *e);
};
/* Asks for n items, one after the other; on PostgreSQL the journey is one for all of them. Errors as of query_row, or
 * the first of take(): then the rest may have been asked, or not. */
MUST_USE enum status db_each(struct db *db, const struct db_ask *ask, void *const *items, size_t n, struct error *e);
