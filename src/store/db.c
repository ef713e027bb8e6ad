#include "store/db.h"

#include <stdlib.h>

enum {
	BUSY_MS = 5000, /* how long another program's lock (sqlite3, a backup) is waited for */
	CACHE_WRITER_KIB = 5120, /* more gave no speed, and took the program above 20 MiB */
	CACHE_READER_KIB = 256,
	WAL_KEEP_BYTES = 32 << 20, /* a log that grew beyond is cut back to this */
};

static const char *const sql_text[] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT change",
	[SQL_RELEASE] = "RELEASE change",
	[SQL_UNDO] = "ROLLBACK TO change",

	[SQL_TOKEN_ADD] = "INSERT INTO tokens (id, serial, exp) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING RETURNING 1",
	[SQL_TOKEN_SERIAL] = "SELECT serial FROM tokens WHERE id = ?1",
	[SQL_TOKEN_CLEAR] = "UPDATE tokens SET serial = NULL WHERE id = ?1",
	[SQL_KEY_BLOCKED] = "SELECT 1 FROM blocked_keys WHERE key_fp = ?1",
	[SQL_REVOCATION] = "SELECT 1 FROM revocations WHERE serial = ?1",
	[SQL_REVOCATION_ADD] =
		"INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, token, revoked_at, not_after)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT not_after FROM certs WHERE serial = ?1))"
		" ON CONFLICT DO NOTHING RETURNING 1",
	/* ?1 key, ?2 serial ("" where it is not ours) */
	[SQL_CREDENTIAL_BAD] = "SELECT 1 WHERE EXISTS (SELECT 1 FROM blocked_keys WHERE key_fp = ?1)"
			       " OR EXISTS (SELECT 1 FROM revocations WHERE serial = ?2)"
			       " OR EXISTS (SELECT 1 FROM certs c JOIN lines l ON l.id = c.line"
			       " WHERE c.serial = ?2 AND l.closed_at IS NOT NULL)"
			       " OR EXISTS (SELECT 1 FROM lines WHERE serial = ?2 AND closed_at IS NOT NULL)",
	[SQL_OWN] = "SELECT 1 FROM certs WHERE serial = ?1 AND provisioner_id = ?2",
	[SQL_PARENT] = "SELECT c.line, c.generation, l.closed_at IS NOT NULL, c.not_before, c.not_after"
		       " FROM certs c JOIN lines l ON l.id = c.line WHERE c.serial = ?1",
	/* Both look at no more than ?4 certificates: a client can make a line as long as it likes, and this is the
	 * writer's time. The first that was renewed from ?3; one ends no earlier (?2) than its parent. */
	[SQL_CHILD] = "SELECT serial, key_fp, created FROM (SELECT serial, key_fp, created, parent FROM certs"
		      " WHERE line = ?1 AND not_after >= ?2 ORDER BY not_after, id LIMIT ?4) WHERE parent = ?3 LIMIT 1",
	/* How many were looked at, and whether one of them was renewed from a certificate that was renewed from ?3.
	 * Nothing ends before its parent's parent began (?2), whatever the issuer cut off. */
	[SQL_GRANDCHILD] = "SELECT count(*), max(EXISTS (SELECT 1 FROM certs c WHERE c.serial = g.parent AND c.parent = ?3))"
			   " FROM (SELECT parent FROM certs WHERE line = ?1 AND not_after >= ?2"
			   " ORDER BY not_after, id LIMIT ?4) g",
	[SQL_LINE] = "SELECT id, closed_at IS NOT NULL FROM lines WHERE serial = ?1",
	[SQL_LINE_ADD] = "INSERT INTO lines (serial) VALUES (?1) RETURNING id",
	[SQL_LINE_CLOSE] = "UPDATE lines SET closed_at = ?2, closed_by = ?3 WHERE id = ?1 AND closed_at IS NULL"
			   " RETURNING 1",
	[SQL_LINE_BLOCK_KEYS] = "INSERT INTO blocked_keys (key_fp, reason, blocked_at)"
				" SELECT DISTINCT key_fp, ?2, ?3 FROM certs WHERE line = ?1 ON CONFLICT DO NOTHING",
	[SQL_LINE_REVOKE] =
		"INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, token, revoked_at, not_after)"
		" SELECT serial, ?2, ?3, ?4, 0, ?5, ?6, not_after FROM certs WHERE line = ?1 AND not_after >= ?6"
		" ON CONFLICT DO NOTHING",
	[SQL_LINE_CERTS] =
		"SELECT c.serial, c.parent, c.subject, c.not_before, c.not_after,"
		" EXISTS (SELECT 1 FROM revocations r WHERE r.serial = c.serial), l.serial"
		" FROM certs c JOIN lines l ON l.id = c.line WHERE c.line = ?1 ORDER BY c.generation, c.id",
	[SQL_LINE_KEY_CERTS] =
		"WITH k AS MATERIALIZED (SELECT DISTINCT key_fp FROM certs WHERE line = ?1)"
		" SELECT c.serial, c.parent, c.subject, c.not_before, c.not_after,"
		" EXISTS (SELECT 1 FROM revocations r WHERE r.serial = c.serial), l.serial"
		" FROM certs c JOIN lines l ON l.id = c.line WHERE c.line <> ?1 AND c.key_fp IN (SELECT key_fp FROM k)"
		" AND c.line IN (SELECT o.line FROM certs o WHERE o.new_key = 1 AND o.key_fp IN (SELECT key_fp FROM k))"
		" ORDER BY c.line, c.id",
	[SQL_CERT] =
		"SELECT c.der, c.subject, c.sans, c.provisioner_id, c.provisioner_name, c.provisioner_type, c.key_fp,"
		" c.not_before, c.not_after, c.granted_s, c.parent, l.serial, c.generation, c.created"
		" FROM certs c JOIN lines l ON l.id = c.line WHERE c.serial = ?1",
	[SQL_CERT_DER] = "SELECT der FROM certs WHERE serial = ?1",
	[SQL_CERT_ADD] = "INSERT INTO certs (serial, der, subject, sans, provisioner_id, provisioner_name,"
			 " provisioner_type, key_fp, not_before, not_after, granted_s, parent, line, generation, "
	                 "created, new_key, again)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
			 " ON CONFLICT DO NOTHING RETURNING 1",

	/* The policy is in prune.c. */
	[SQL_PRUNE_TOKENS] =
		"DELETE FROM tokens WHERE rowid IN (SELECT rowid FROM tokens WHERE exp < ?1 ORDER BY exp LIMIT ?2)",
	[SQL_PRUNE_REVOCATIONS] =
		"DELETE FROM revocations WHERE rowid IN (SELECT r.rowid FROM revocations r WHERE r.not_after < ?1"
		" AND NOT EXISTS (SELECT 1 FROM certs c WHERE c.serial = r.serial) LIMIT ?2)",
	[SQL_PRUNE_LOOK] =
		"SELECT c.id, c.not_after, c.line, NOT EXISTS (SELECT 1 FROM certs d WHERE d.line = c.line AND"
		" d.not_after >= CASE WHEN l.closed_at IS NULL THEN ?3 ELSE ?4 END)"
		" FROM certs c CROSS JOIN lines l ON l.id = c.line WHERE (c.not_after, c.id) > (?1, ?2) AND "
		"c.not_after < ?3"
		" ORDER BY c.not_after, c.id LIMIT ?5",
	[SQL_PRUNE_CERT] = "DELETE FROM certs WHERE id = ?1",
	[SQL_PRUNE_LINE] = "DELETE FROM lines WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM certs WHERE line = ?1)",
	[SQL_STATS] = "SELECT (SELECT count(*) FROM certs), (SELECT count(*) FROM revocations),"
		      " (SELECT count(*) FROM tokens)",
};
_Static_assert(COUNT_OF(sql_text) == SQL_COUNT, "a text for every statement");

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

enum status db_fail(struct db *db, int rc, struct error *e)
{
	int os = db && db->h ? sqlite3_system_errno(db->h) : 0;
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
		return error_set(e, meanings[i].st, "%s", meanings[i].text);
	}
	return error_set(e, ST_IO, "SQLite: %s (%d)", db && db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc), rc);
}

static int wal_hook(void *ctx, sqlite3 *h, const char *name, int pages)
{
	(void)h;
	(void)name;
	((struct db *)ctx)->wal_pages = pages;
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

enum status db_new(const char *path, enum db_role role, struct db **ret, struct error *e)
{
	AUTO(db_free_p) struct db *db = calloc(1, sizeof(*db));
	if (!db)
		return error_nomem(e);
	int rc = sqlite3_open_v2(
		path ? path : ":memory:", &db->h,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
	if (!rc)
		rc = db_harden(db->h);
	if (rc)
		return db_fail(db, rc, e);
	char sql[160];
	snprintf(sql, sizeof(sql),
	         "PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;%s",
	         role == DB_WRITER ? CACHE_WRITER_KIB : CACHE_READER_KIB,
	         role == DB_WRITER ? "" : "PRAGMA query_only = ON;");
	if (db_exec(db, sql, e))
		return e->status;
	if (role == DB_WRITER)
		sqlite3_wal_hook(db->h, wal_hook, db); /* which also ends SQLite's own checkpoints inside COMMIT */
	*ret = TAKE(db);
	return ST_OK;
}

void db_free(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < COUNT_OF(db->statements); i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->h);
	free(db);
}

enum status db_set_durable(struct db *db, struct error *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->h, "PRAGMA journal_mode = WAL", -1, &s, NULL);
	if (!rc)
		rc = sqlite3_step(s);
	bool wal = rc == SQLITE_ROW && sqlite3_stricmp((const char *)sqlite3_column_text(s, 0), "wal") == 0;
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return db_fail(db, rc, e);
	if (!wal)
		return error_set(e, ST_IO, "its file system has no shared memory for SQLite's log; use a local one");
	char sql[96];
	snprintf(sql, sizeof(sql), "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = %d", WAL_KEEP_BYTES);
	return db_exec(db, sql, e);
}

enum status db_exec(struct db *db, const char *sql, struct error *e)
{
	int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
	return rc ? db_fail(db, rc, e) : ST_OK;
}

enum status db_number(struct db *db, const char *sql, int64_t *ret, struct error *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->h, sql, -1, &s, NULL);
	if (!rc)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc == SQLITE_ROW)
		return ST_OK;
	return rc == SQLITE_DONE ? error_set(e, ST_BUG, "no answer to %s", sql) : db_fail(db, rc, e);
}

enum status db_checkpoint(struct db *db, bool whole, struct error *e)
{
	int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, whole ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
	                                   NULL, NULL);
	/* Busy: a reader of another program still needs the log. What could be brought over was. */
	return rc && (rc & 0xff) != SQLITE_BUSY ? db_fail(db, rc, e) : ST_OK;
}

struct query query_of(struct db *db, enum sql id)
{
	struct query q = { .db = db };
	if (!db->statements[id])
		q.rc = sqlite3_prepare_v3(db->h, sql_text[id], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[id],
		                          NULL);
	q.s = db->statements[id];
	return q;
}

void query_done(struct query *q)
{
	if (!q->s)
		return;
	sqlite3_reset(q->s);
	sqlite3_clear_bindings(q->s);
	q->s = NULL;
}

void query_text(struct query *q, const char *s)
{
	if (!q->rc)
		q->rc = sqlite3_bind_text(q->s, ++q->bound, s, -1, SQLITE_STATIC);
}

void query_int(struct query *q, int64_t v)
{
	if (!q->rc)
		q->rc = sqlite3_bind_int64(q->s, ++q->bound, v);
}

void query_blob(struct query *q, struct slice s)
{
	if (!q->rc)
		q->rc = sqlite3_bind_blob64(q->s, ++q->bound, s.n ? (const void *)s.p : "", s.n, SQLITE_STATIC);
}

enum status query_row(struct query *q, bool *ret_row, struct error *e)
{
	int rc = q->rc ? q->rc : sqlite3_step(q->s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_fail(q->db, rc, e);
	*ret_row = rc == SQLITE_ROW;
	return ST_OK;
}

int64_t query_get_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->s, column);
}

const char *query_get_text(struct query *q, int column)
{
	const char *s = (const char *)sqlite3_column_text(q->s, column);
	return s ? s : "";
}

struct slice query_get_blob(struct query *q, int column)
{
	const void *p = sqlite3_column_blob(q->s, column);
	return slice_of(p, p ? (size_t)sqlite3_column_bytes(q->s, column) : 0);
}
