/* restore.c - a backup in the place of the database.
 *
 *   lock ──> copy of the backup, checked ──> what the database knows besides is put in ──> one file, on the disk
 *        ──> the database gets a second name ──> its log goes ──> the new one takes its name
 *
 * A kill before the last step leaves the database where it is; after it, all is done. */
#include "base/buf.h"
#include "os/auto.h"
#include "store/folder.h"
#include "store/look.h"
#include "store/schema.h"
#include "store/upkeep.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COPY_BYTES = 1 << 16,
	TOKEN_EARLY_S = 61, /* a token may be from so far in the future (authorize.h) */
	CRL_GAP = 1 << 20,  /* lists that may have been made meanwhile: numbers never go back */
};

struct restore {
	struct folder folder;
	struct buf fresh; /* the file that is made */
	struct wall now;
	struct upkeep_restored r;
};

static void restore_done(struct restore *s)
{
	folder_done(&s->folder);
	buf_done(&s->fresh);
}

/* --- the copy ----------------------------------------------------------------------------------------------------- */

static enum status copy_bytes(int from, int to, struct error *e)
{
	char block[COPY_BYTES];
	for (;;) {
		ssize_t n = read(from, block, sizeof(block));
		if (n == 0)
			return ST_OK;
		if (n < 0 || write(to, block, (size_t)n) != n)
			return error_os(e, errno, n < 0 ? "read" : "write the copy");
	}
}

/* maybe: a log, which need not be there. */
static enum status copy_file(const char *from, const char *to, bool maybe, struct error *e)
{
	AUTO(fd_close_p) int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe does not hold it up */
	struct stat st;
	if (unlink(to) < 0 && errno != ENOENT)
		return error_os(e, errno, "remove %s", to);
	if (in < 0)
		return maybe && errno == ENOENT ? ST_OK : error_os(e, errno, "open %s", from);
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, ST_INVALID, "%s is not a file", from);
	AUTO(fd_close_p) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return error_os(e, errno, "create %s", to);
	return copy_bytes(in, out, e) ? error_wrap(e, "%s", from) : ST_OK;
}

static enum status with_log(const char *from, const char *to,
                            enum status (*run)(const char *, const char *, struct error *), struct error *e)
{
	AUTO(buf_done) struct buf a = BUF_INIT(8192), b = BUF_INIT(8192);
	buf_addf(&a, "%s-wal", from);
	buf_addf(&b, "%s-wal", to);
	if (buf_check(&a, e) || buf_check(&b, e))
		return e->status;
	return run(buf_cstr(&a), buf_cstr(&b), e);
}

static enum status copy_log(const char *from, const char *to, struct error *e)
{
	return copy_file(from, to, true, e);
}

/* Ours, sound, and of today's form. */
static enum status ready(const char *path, struct wall now, struct error *e)
{
	AUTO(db_free_p) struct db *db = NULL;
	int64_t version;
	{
		AUTO(raw_close_p) sqlite3 *h = NULL;
		if (raw_open(path, &h, e) || raw_whole(h, e))
			return e->status;
	}
	const struct db_where where = { .file = path };
	if (db_new(&where, DB_WRITER, &db, e) || schema_check(db, e) || db_schema_version(db, &version, e))
		return e->status;
	if (!version)
		return error_set(e, ST_INVALID, "it is empty");
	return schema_migrate(db, now, e);
}

static enum status give(const struct restore *s, const char *file, struct error *e)
{
	AUTO(fd_close_p) int folder = open(s->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd_close_p) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return folder < 0 || fd < 0 ? error_os(e, errno, "open %s", file) : folder_give(folder, fd, e);
}

static enum status take_copy(struct restore *s, const char *from, struct error *e)
{
	const char *to = buf_cstr(&s->fresh);
	if (same_file(from, s->folder.database))
		return error_set(e, ST_INVALID, "%s is the database itself", from);
	if (copy_file(from, to, false, e) || with_log(from, to, copy_log, e) || give(s, to, e))
		return error_wrap(e, "backup");
	if (ready(to, s->now, e)) {
		e->status = e->status == ST_NOMEM ? ST_NOMEM : ST_INVALID;
		return error_wrap(e, "backup %s", from);
	}
	return ST_OK;
}

/* --- what the database knows besides ------------------------------------------------------------------------------ */

static const struct table {
	const char *name, *select, *insert;
	size_t taken; /* where the new rows are counted in struct upkeep_restored */
} tables[] = {
	{ "lines", "SELECT serial, closed_at, closed_by FROM lines ORDER BY rowid",
	  "INSERT INTO lines (serial, closed_at, closed_by) VALUES (?1, ?2, ?3) ON CONFLICT (serial) DO UPDATE"
	  " SET closed_at = excluded.closed_at, closed_by = excluded.closed_by"
	  " WHERE lines.closed_at IS NULL AND excluded.closed_at IS NOT NULL",
	  0 },
	{ "certs",
	  "SELECT serial, subject, sans, provisioner_id, provisioner_name, provisioner_type, key_fp, new_key, "
	  "not_before,"
	  " not_after, granted_s, parent, generation, created, der, again,"
	  " (SELECT l.serial FROM lines l WHERE l.id = certs.line) FROM certs ORDER BY rowid",
	  "INSERT OR IGNORE INTO certs (serial, subject, sans, provisioner_id, provisioner_name, provisioner_type, "
	  "key_fp,"
	  " new_key, not_before, not_after, granted_s, parent, generation, created, der, again, line)"
	  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
	  " (SELECT id FROM lines WHERE serial = ?17))",
	  offsetof(struct upkeep_restored, taken_certificates) },
	{ "revocations",
	  "SELECT serial, reason_code, reason, provisioner, mtls, token, revoked_at, not_after FROM revocations"
	  " ORDER BY rowid",
	  "INSERT OR IGNORE INTO revocations (serial, reason_code, reason, provisioner, mtls, token, revoked_at,"
	  " not_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	  offsetof(struct upkeep_restored, taken_revocations) },
	{ "tokens", "SELECT id, serial, exp FROM tokens ORDER BY rowid",
	  "INSERT OR IGNORE INTO tokens (id, serial, exp) VALUES (?1, ?2, ?3)",
	  offsetof(struct upkeep_restored, taken_tokens) },
	{ "blocked_keys", "SELECT key_fp, reason, blocked_at FROM blocked_keys ORDER BY rowid",
	  "INSERT OR IGNORE INTO blocked_keys (key_fp, reason, blocked_at) VALUES (?1, ?2, ?3)",
	  offsetof(struct upkeep_restored, taken_closed) },
};

DEFINE_AUTO(sqlite3_stmt *, sqlite3_finalize);

static enum status prepare(sqlite3 *h, const char *sql, const char *more, sqlite3_stmt **ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(4096);
	buf_addf(&text, "%s%s", sql, more);
	if (buf_check(&text, e))
		return e->status;
	int rc = sqlite3_prepare_v2(h, buf_cstr(&text), -1, ret, NULL);
	return rc ? raw_fail(h, rc, e) : ST_OK;
}

/* *read_st: how the reading ended; what was read until then is kept. The status is that of the writing. */
static enum status take_rows(sqlite3 *from, sqlite3 *to, const struct table *t, const char *order, int64_t *taken,
                             enum status *read_st, struct error *read_e, struct error *e)
{
	AUTO(sqlite3_finalize_p) sqlite3_stmt *select = NULL;
	AUTO(sqlite3_finalize_p) sqlite3_stmt *insert = NULL;
	*read_st = prepare(from, t->select, order, &select, read_e);
	if (*read_st)
		return ST_OK;
	if (prepare(to, t->insert, "", &insert, e))
		return e->status;
	int rc;
	while ((rc = sqlite3_step(select)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(select); i++)
			if ((rc = sqlite3_bind_value(insert, i + 1, sqlite3_column_value(select, i))))
				return raw_fail(to, rc, e);
		/* A rule of the table that a damaged row breaks: the row is lost, and nothing else. */
		rc = sqlite3_step(insert);
		if (rc != SQLITE_DONE && (rc & 0xff) != SQLITE_CONSTRAINT)
			return raw_fail(to, rc, e);
		if (rc == SQLITE_DONE)
			*taken += sqlite3_changes64(to);
		sqlite3_reset(insert);
	}
	if (rc != SQLITE_DONE)
		*read_st = raw_fail(from, rc, read_e);
	return ST_OK;
}

static void unknown(struct upkeep_restored *r, const char *what, const struct error *e)
{
	if (r->complete)
		snprintf(r->cause, sizeof(r->cause), "%s%s%.200s", what, *what ? ": " : "", e->text);
	r->complete = false;
}

/* A table that cannot be read to its end is read from its end too. */
static enum status take_table(sqlite3 *from, sqlite3 *to, const struct table *t, struct upkeep_restored *r,
                              struct error *e)
{
	struct error read_e;
	enum status read_st;
	int64_t taken = 0;
	if (take_rows(from, to, t, "", &taken, &read_st, &read_e, e))
		return e->status;
	if (read_st) {
		struct error again;
		unknown(r, t->name, &read_e);
		if (take_rows(from, to, t, " DESC", &taken, &read_st, &again, e))
			return e->status;
	}
	if (t->taken)
		*(int64_t *)(void *)((char *)r + t->taken) += taken;
	return ST_OK;
}

static enum status take_all(sqlite3 *from, sqlite3 *to, struct upkeep_restored *r, struct error *e)
{
	struct error why;
	int64_t closed = 0, number, created = 0;
	if (raw_whole(from, &why))
		unknown(r, "", &why);
	if (raw_number(to, "SELECT count(*) FROM lines WHERE closed_at IS NOT NULL", 0, &closed, e))
		return e->status;
	r->taken_closed -= closed;
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		if (take_table(from, to, &tables[i], r, e))
			return e->status;
	if (raw_number(to, "SELECT count(*) FROM lines WHERE closed_at IS NOT NULL", 0, &closed, e))
		return e->status;
	r->taken_closed += closed;
	if (raw_number(from, "SELECT next FROM crl_number", 0, &number, &why))
		number = 0; /* told by raw_whole above, or of an older form, without lists */
	if (raw_number(from, "SELECT created FROM meta", 0, &created, &why))
		unknown(r, "meta", &why);
	char sql[192];
	snprintf(sql, sizeof(sql),
	         "UPDATE crl_number SET next = max(next, %lld); UPDATE meta SET created = max(created, %lld)",
	         (long long)number, (long long)created);
	return raw_exec(to, sql, e);
}

/* Another CA began anew in the meantime: what was before it is in neither. */
static enum status same_instance(sqlite3 *from, sqlite3 *to, struct upkeep_restored *r, struct error *e)
{
	AUTO(sqlite3_finalize_p) sqlite3_stmt *a = NULL;
	AUTO(sqlite3_finalize_p) sqlite3_stmt *b = NULL;
	struct error why;
	if (prepare(to, "SELECT instance FROM meta", "", &a, e))
		return e->status;
	if (prepare(from, "SELECT instance FROM meta", "", &b, &why) || sqlite3_step(b) != SQLITE_ROW) {
		error_set(&why, ST_INVALID, "it has no name");
		unknown(r, "meta", &why);
	} else if (sqlite3_step(a) == SQLITE_ROW &&
	           sqlite3_stricmp((const char *)sqlite3_column_text(a, 0), (const char *)sqlite3_column_text(b, 0))) {
		error_set(&why, ST_INVALID, "it was begun anew, without what the backup holds");
		unknown(r, "", &why);
	}
	return ST_OK;
}

static enum status made_at(sqlite3 *h, struct wall *ret, struct error *e)
{
	int64_t told;
	if (raw_number(h, "SELECT count(*) FROM sqlite_schema WHERE name = '" BACKUP_TABLE "'", 0, &told, e))
		return e->status;
	return raw_number(h,
	                  told ? "SELECT max(made) FROM " BACKUP_TABLE
	                       : "SELECT max(coalesce((SELECT max(created) FROM certs), 0),"
	                         " coalesce((SELECT max(revoked_at) FROM revocations), 0), (SELECT created FROM meta))",
	                  0, &ret->s, e);
}

/* One row each, without which no CA starts. */
static enum status has_its_own(sqlite3 *h, struct error *e)
{
	int64_t whole;
	if (raw_number(h, "SELECT (SELECT count(*) FROM meta) = 1 AND (SELECT count(*) FROM crl_number) = 1", 0, &whole,
	               e))
		return e->status;
	return whole ? ST_OK : error_set(e, ST_INVALID, "the backup has no name or no number for the next CRL");
}

static bool holds_something(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && st.st_size > 0;
}

/* The database that is replaced; a failure of it is no failure of the restoring. */
static enum status take_over(struct restore *s, sqlite3 *to, struct error *e)
{
	struct error why;
	AUTO(raw_close_p) sqlite3 *from = NULL;
	if (!holds_something(s->folder.database)) {
		error_set(&why, ST_MISSING, "there was no database");
		unknown(&s->r, "", &why);
		return ST_OK;
	}
	if (raw_open(s->folder.database, &from, &why)) {
		unknown(&s->r, "", &why);
		return ST_OK;
	}
	/* It is kept as it is, log and all. */
	sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	if (take_all(from, to, &s->r, e) || same_instance(from, to, &s->r, e))
		return e->status;
	if (s->r.complete && raw_exec(from, "PRAGMA wal_checkpoint(TRUNCATE)", &why))
		unknown(&s->r, "", &why);
	return ST_OK;
}

static enum status settle(struct restore *s, sqlite3 *to, struct error *e)
{
	char sql[320];
	int64_t from_s = s->now.s + TOKEN_EARLY_S;
	snprintf(sql, sizeof(sql),
	         "DELETE FROM crls; DROP TABLE IF EXISTS " BACKUP_TABLE
	         "; UPDATE crl_number SET next = next + %d WHERE %d; UPDATE meta SET created = max(created, %lld) "
	         "WHERE %d",
	         CRL_GAP, !s->r.complete, (long long)from_s, !s->r.complete);
	s->r.until = s->now;
	return raw_exec(to, sql, e);
}

static enum status fill(struct restore *s, struct error *e)
{
	AUTO(raw_close_p) sqlite3 *to = NULL;
	s->r.complete = true;
	if (raw_open(buf_cstr(&s->fresh), &to, e) || raw_exec(to, "PRAGMA journal_mode = DELETE", e) ||
	    has_its_own(to, e) || made_at(to, &s->r.made, e) || raw_exec(to, "BEGIN IMMEDIATE", e) ||
	    take_over(s, to, e) || settle(s, to, e) || raw_exec(to, "COMMIT", e) || raw_whole(to, e) ||
	    raw_number(to, "SELECT count(*) FROM certs", 0, &s->r.certificates, e) ||
	    raw_number(to, "SELECT count(*) FROM revocations", 0, &s->r.revocations, e))
		return error_wrap(e, "%s", buf_cstr(&s->fresh));
	return ST_OK;
}

/* --- in its place ------------------------------------------------------------------------------------------------- */

static enum status name_kept(struct restore *s, struct error *e)
{
	char when[WALL_TEXT];
	AUTO(buf_done) struct buf name = BUF_INIT(sizeof(s->r.kept));
	buf_addf(&name, "%s.replaced-", s->folder.database);
	for (const char *p = wall_rfc3339(s->now, when); *p; p++)
		if (*p != '-' && *p != ':')
			buf_addc(&name, *p);
	if (buf_check(&name, e))
		return e->status;
	snprintf(s->r.kept, sizeof(s->r.kept), "%s", buf_cstr(&name));
	return ST_OK;
}

/* Where a file system has no second names, there is a moment without a database. */
static enum status keep(const char *from, const char *to, struct error *e)
{
	if (link(from, to) == 0 || errno == ENOENT)
		return ST_OK;
	if (errno == EEXIST)
		return error_set(e, ST_CONFLICT, "%s is there already; move it away", to);
	return rename(from, to) < 0 ? error_os(e, errno, "rename %s", from) : ST_OK;
}

static enum status keep_log(const char *from, const char *to, struct error *e)
{
	return holds_something(from) ? keep(from, to, e) : ST_OK;
}

static enum status drop_beside(const char *database, const char *what, struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(8192);
	buf_addf(&path, "%s-%s", database, what);
	if (buf_check(&path, e))
		return e->status;
	return unlink(buf_cstr(&path)) < 0 && errno != ENOENT ? error_os(e, errno, "remove %s", buf_cstr(&path))
	                                                      : ST_OK;
}

/* A log that stayed would be read into the new database. */
static enum status put(struct restore *s, struct error *e)
{
	const char *database = s->folder.database, *fresh = buf_cstr(&s->fresh);
	if (sync_file(fresh, e))
		return e->status;
	if (holds_something(database) && (name_kept(s, e) || keep(database, s->r.kept, e) ||
	                                  with_log(database, s->r.kept, keep_log, e) || sync_folder_of(database, e)))
		return e->status;
	if (drop_beside(database, "wal", e) || drop_beside(database, "shm", e) || drop_beside(database, "journal", e) ||
	    sync_folder_of(database, e))
		return e->status;
	if (rename(fresh, database) < 0)
		return error_os(e, errno, "rename %s", fresh);
	return sync_folder_of(database, e);
}

static void clear(const char *fresh)
{
	struct error ignored;
	unlink(fresh);
	st_ignore(drop_beside(fresh, "wal", &ignored), "what is left is removed by the next run");
	st_ignore(drop_beside(fresh, "shm", &ignored), "the same");
	st_ignore(drop_beside(fresh, "journal", &ignored), "the same");
}

enum status upkeep_restore(const struct store_conf *conf, const char *from, struct wall now,
                           struct upkeep_restored *ret, struct error *e)
{
	AUTO(text_free_p) char *unused = NULL;
	AUTO(restore_done) struct restore s = { .folder = FOLDER_NONE, .fresh = BUF_INIT(8192), .now = now };
	if (conf->kind != STORE_SQLITE)
		return look_file(conf, "restored", &unused, e) ? e->status : error_set(e, ST_BUG, "no such store");
	if (folder_take(conf->folder, &s.folder, e))
		return e->status;
	buf_addf(&s.fresh, "%s.restore", s.folder.database);
	if (buf_check(&s.fresh, e))
		return e->status;
	clear(buf_cstr(&s.fresh));
	if (take_copy(&s, from, e) || fill(&s, e) || put(&s, e)) {
		clear(buf_cstr(&s.fresh));
		return e->status;
	}
	*ret = s.r;
	return ST_OK;
}
