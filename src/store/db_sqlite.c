#include "store/db_engine.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

enum {
	BUSY_MS = 5000,          /* how long another program's lock (sqlite3, a backup) is waited for */
	CACHE_WRITER_KIB = 5120, /* more gave no speed, and took the program above 20 MiB */
	CACHE_READER_KIB = 256,
	CHECKPOINT_PAGES = 2048,   /* log pages (8 MiB) after which they are brought into the database */
	SHORT_LOG_PAGES = 32,      /* the same on a full disk */
	WAL_KEEP_BYTES = 32 << 20, /* a log that grew beyond is cut back to this */
};

struct lite {
	struct db db;
	sqlite3 *h;
	sqlite3_stmt *statements[SQL_COUNT];
	int wal_pages; /* in the log after the last commit (writer) */
};

static struct lite *lite_of(struct db *db)
{
	return (struct lite *)db;
}

static const struct {
	int rc;
	enum status st;
	const char *text;
} meanings[] = {
	{ SQLITE_FULL, ST_IO, "the disk is full; free some space, no restart is needed" },
	{ SQLITE_NOMEM, ST_NOMEM, "out of memory" },
	{ SQLITE_BUSY, ST_IO, "another program keeps the database locked; end it" },
	{ SQLITE_LOCKED, ST_IO, "another program keeps the database locked; end it" },
	{ SQLITE_READONLY, ST_IO,
	  "the database cannot be written; check the rights on the folder and its file system" },
	{ SQLITE_CANTOPEN, ST_IO, "a file of the database cannot be opened" },
	{ SQLITE_CORRUPT, ST_IO, "the database is damaged; stop the CA and restore a backup" },
	{ SQLITE_IOERR, ST_IO, "the disk failed" },
	{ SQLITE_NOTADB, ST_INVALID, "the file is not a database" },
	{ SQLITE_CONSTRAINT, ST_CONFLICT, "a rule of the table is broken" },
	{ SQLITE_MISMATCH, ST_INVALID, "a value of the wrong type" },
	{ SQLITE_TOOBIG, ST_INVALID, "a value is too long" },
};

/* Why the last call to the log's or the database's file failed. The errno of the whole may be that of what SQLite did
 * about it. */
static int file_errno(sqlite3 *h, int which)
{
	sqlite3_file *f = NULL;
	int os = 0;
	if (sqlite3_file_control(h, NULL, which, &f) || !f || !f->pMethods ||
	    f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &os))
		return 0;
	return os;
}

static bool is_full(sqlite3 *h, int os)
{
	const int known[] = { os, file_errno(h, SQLITE_FCNTL_JOURNAL_POINTER), file_errno(h, SQLITE_FCNTL_FILE_POINTER) };
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (known[i] == ENOSPC || known[i] == EDQUOT)
			return true;
	return false;
}

/* What a result code of SQLite means. */
static enum status lite_fail(struct lite *db, int rc, struct error *e)
{
	int os = db->h ? sqlite3_system_errno(db->h) : 0;
	if ((rc & 0xff) == SQLITE_IOERR && is_full(db->h, os)) /* SQLite itself knows of some writes alone */
		rc = SQLITE_FULL;
	for (size_t i = 0; i < COUNT_OF(meanings); i++) {
		if (meanings[i].rc != (rc & 0xff))
			continue;
		if (rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM)
			return error_nomem(e);
		bool disk = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
		if (disk && os)
			return error_os(e, os, "%s", meanings[i].text);
		if (disk || meanings[i].st == ST_CONFLICT)
			return error_set(e, meanings[i].st, "%s (%s)", meanings[i].text,
			                 disk ? sqlite3_errstr(rc) : sqlite3_errmsg(db->h));
		error_set(e, meanings[i].st, "%s", meanings[i].text);
		if (rc == SQLITE_FULL)
			e->os = ENOSPC; /* for room.c */
		return e->status;
	}
	return error_set(e, ST_IO, "SQLite: %s (%d)", db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc), rc);
}

static int wal_hook(void *ctx, sqlite3 *h, const char *name, int pages)
{
	(void)h;
	(void)name;
	((struct lite *)ctx)->wal_pages = pages;
	return SQLITE_OK;
}

/* The database is data, not a program: nothing in the file may run code or reach beyond it. */
static int db_harden(sqlite3 *h)
{
	static const struct {
		int option, on;
	} options[] = {
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		int rc = sqlite3_db_config(h, options[i].option, options[i].on, (int *)NULL);
		if (rc)
			return rc;
	}
	sqlite3_limit(h, SQLITE_LIMIT_ATTACHED, 0);
	return sqlite3_busy_timeout(h, BUSY_MS);
}

static const struct db_engine engine;

static void lite_free(struct db *db)
{
	struct lite *l = lite_of(db);
	for (size_t i = 0; i < COUNT_OF(l->statements); i++)
		sqlite3_finalize(l->statements[i]);
	sqlite3_close(l->h);
	free(l);
}

enum status db_sqlite_new(const struct db_where *where, enum db_role role, struct db **ret, struct error *e)
{
	struct lite *l = calloc(1, sizeof(*l));
	if (!l)
		return error_nomem(e);
	l->db.engine = &engine;
	AUTO(db_free_p) struct db *db = &l->db;
	int rc = sqlite3_open_v2(
		where->file ? where->file : ":memory:", &l->h,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
	if (!rc)
		rc = db_harden(l->h);
	if (rc)
		return lite_fail(l, rc, e);
	char sql[160];
	snprintf(sql, sizeof(sql),
	         "PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;%s",
	         role == DB_WRITER ? CACHE_WRITER_KIB : CACHE_READER_KIB,
	         role == DB_WRITER ? "" : "PRAGMA query_only = ON;");
	if (db_exec(db, sql, e))
		return e->status;
	if (role == DB_WRITER)
		sqlite3_wal_hook(l->h, wal_hook, l); /* which also ends SQLite's own checkpoints inside COMMIT */
	*ret = TAKE(db);
	return ST_OK;
}

static enum status lite_exec(struct db *db, const char *sql, struct error *e)
{
	struct lite *l = lite_of(db);
	int rc = sqlite3_exec(l->h, sql, NULL, NULL, NULL);
	return rc ? lite_fail(l, rc, e) : ST_OK;
}

static enum status lite_number(struct db *db, const char *sql, int64_t *ret, struct error *e)
{
	struct lite *l = lite_of(db);
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->h, sql, -1, &s, NULL);
	if (!rc)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc == SQLITE_ROW)
		return ST_OK;
	return rc == SQLITE_DONE ? error_set(e, ST_BUG, "no answer to %s", sql) : lite_fail(l, rc, e);
}

static enum status lite_set_durable(struct db *db, struct error *e)
{
	struct lite *l = lite_of(db);
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->h, "PRAGMA journal_mode = WAL", -1, &s, NULL);
	if (!rc)
		rc = sqlite3_step(s);
	bool wal = rc == SQLITE_ROW && sqlite3_stricmp((const char *)sqlite3_column_text(s, 0), "wal") == 0;
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return lite_fail(l, rc, e);
	if (!wal)
		return error_set(e, ST_IO, "its file system has no shared memory for SQLite's log; use a local one");
	char sql[96];
	snprintf(sql, sizeof(sql), "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = %d", WAL_KEEP_BYTES);
	return db_exec(db, sql, e);
}

static enum status lite_tidy(struct db *db, enum db_tidy how, struct error *e)
{
	struct lite *l = lite_of(db);
	if (how != DB_TIDY_WHOLE && l->wal_pages < (how == DB_TIDY_SHORT ? SHORT_LOG_PAGES : CHECKPOINT_PAGES))
		return ST_OK;
	l->wal_pages = 0;
	int rc = sqlite3_wal_checkpoint_v2(l->h, NULL, how == DB_TIDY_WHOLE ? SQLITE_CHECKPOINT_TRUNCATE :
	                                                              SQLITE_CHECKPOINT_PASSIVE,
	                                   NULL, NULL);
	/* Busy: a reader of another program still needs the log. What could be brought over was. */
	return rc && (rc & 0xff) != SQLITE_BUSY ? lite_fail(l, rc, e) : ST_OK;
}

static enum status lite_begin(struct db *db, struct error *e)
{
	return db_run(db, SQL_BEGIN, e);
}

static enum status lite_commit(struct db *db, struct error *e)
{
	return db_run(db, SQL_COMMIT, e);
}

static void lite_rollback(struct db *db)
{
	struct error ignored;
	if (!sqlite3_get_autocommit(lite_of(db)->h)) /* SQLite may have rolled back by itself */
		st_ignore(db_exec(db, "ROLLBACK", &ignored), "the first error is the one to tell");
}

/* Nothing that failed is trusted. */
static bool lite_sound(struct db *db)
{
	(void)db;
	return false;
}

/* --- schema ------------------------------------------------------------------------------------------------------- */

/* "PREN" in the file's header: file(1) shows it, and we know our own. */
#define APPLICATION_ID 0x5052454e

static enum status lite_schema_version(struct db *db, int64_t *ret, struct error *e)
{
	int64_t version, application, tables;
	if (db_number(db, "PRAGMA user_version", &version, e) ||
	    db_number(db, "PRAGMA application_id", &application, e) ||
	    db_number(db, "SELECT count(*) FROM sqlite_schema", &tables, e))
		return e->status;
	bool empty = application == 0 && version == 0 && tables == 0;
	if (!empty && (application != APPLICATION_ID || version < 1))
		return error_set(e, ST_INVALID, "it belongs to another program; give the CA a folder of its own");
	*ret = version;
	return ST_OK;
}

static enum status lite_schema_set(struct db *db, int64_t version, struct error *e)
{
	char sql[96];
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %lld", APPLICATION_ID,
	         (long long)version);
	return db_exec(db, sql, e);
}

/* --- statements --------------------------------------------------------------------------------------------------- */

static void lite_start(struct query *q, enum sql id)
{
	struct lite *l = lite_of(q->db);
	if (!l->statements[id])
		q->rc = sqlite3_prepare_v3(l->h, sql_texts[id].sqlite, -1, SQLITE_PREPARE_PERSISTENT,
		                           &l->statements[id], NULL);
	q->s = l->statements[id];
}

static void lite_done(struct query *q)
{
	if (!q->s)
		return;
	sqlite3_reset(q->s);
	if (q->bound)
		sqlite3_clear_bindings(q->s);
	q->s = NULL;
}

static void lite_text(struct query *q, const char *s)
{
	if (!q->rc)
		q->rc = sqlite3_bind_text(q->s, ++q->bound, s, -1, SQLITE_STATIC);
}

static void lite_int(struct query *q, int64_t v)
{
	if (!q->rc)
		q->rc = sqlite3_bind_int64(q->s, ++q->bound, v);
}

static void lite_blob(struct query *q, struct slice s)
{
	if (!q->rc)
		q->rc = sqlite3_bind_blob64(q->s, ++q->bound, s.n ? (const void *)s.p : "", s.n, SQLITE_STATIC);
}

static enum status lite_row(struct query *q, bool *ret_row, struct error *e)
{
	int rc = q->rc ? q->rc : sqlite3_step(q->s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return lite_fail(lite_of(q->db), rc, e);
	*ret_row = rc == SQLITE_ROW;
	return ST_OK;
}

static int64_t lite_changes(struct query *q)
{
	return sqlite3_changes64(lite_of(q->db)->h);
}

static int64_t lite_get_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->s, column);
}

static const char *lite_get_text(struct query *q, int column)
{
	const char *s = (const char *)sqlite3_column_text(q->s, column);
	return s ? s : "";
}

static struct slice lite_get_blob(struct query *q, int column)
{
	const void *p = sqlite3_column_blob(q->s, column);
	return slice_of(p, p ? (size_t)sqlite3_column_bytes(q->s, column) : 0);
}

static enum status lite_each(struct db *db, const struct db_ask *ask, void *const *items, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		AUTO(lite_done) struct query q = { .db = db };
		bool row;
		lite_start(&q, ask->id);
		ask->bind(&q, items[i]);
		if (lite_row(&q, &row, e) || ask->take(&q, row, items[i], e))
			return e->status;
	}
	return ST_OK;
}

static const struct db_engine engine = {
	.kind = DB_SQLITE,
	.savepoints = true,
	.free = lite_free,
	.exec = lite_exec,
	.number = lite_number,
	.begin = lite_begin,
	.commit = lite_commit,
	.rollback = lite_rollback,
	.sound = lite_sound,
	.set_durable = lite_set_durable,
	.tidy = lite_tidy,
	.schema_version = lite_schema_version,
	.schema_set = lite_schema_set,
	.start = lite_start,
	.done = lite_done,
	.bind_text = lite_text,
	.bind_int = lite_int,
	.bind_blob = lite_blob,
	.row = lite_row,
	.changes = lite_changes,
	.get_int = lite_get_int,
	.get_text = lite_get_text,
	.get_blob = lite_get_blob,
	.each = lite_each,
};
