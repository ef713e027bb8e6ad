#include "store/look.h"

#include "base/buf.h"
#include "os/auto.h"
#include "store/folder.h"
#include "store/libpq.h"
#include "store/schema.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum status look_file(const struct store_conf *conf, const char *verb, char **ret, struct error *e)
{
	if (conf->kind == STORE_MEMORY)
		return error_set(e, ST_INVALID, "no database is configured, so there is nothing to be %s", verb);
	if (conf->kind != STORE_SQLITE)
		return error_set(e, ST_INVALID,
		                 "a PostgreSQL database is %s with its own tools: pg_dump and pg_restore", verb);
	AUTO(buf_done) struct buf path = BUF_INIT(8192);
	AUTO(text_free_p) char *folder = realpath(conf->folder, NULL);
	if (!folder)
		return error_os(e, errno, "database folder %s", conf->folder);
	buf_addf(&path, "%s/" FOLDER_DATABASE, folder);
	if (buf_check(&path, e))
		return e->status;
	*ret = buf_take(&path);
	return ST_OK;
}

static enum status look_check(struct db *db, struct error *e)
{
	int64_t version;
	if (schema_check(db, e) || db_schema_version(db, &version, e))
		return e->status;
	return version ? ST_OK : error_set(e, ST_MISSING, "it is empty: no CA has used it yet");
}

void look_done(struct look *l)
{
	db_free(l->db);
	free(l->file);
	pgconn_done(&l->pg);
	*l = (struct look){ 0 };
}

static enum status look_where(const struct store_conf *conf, struct look *l, struct db_where *ret, struct error *e)
{
	if (conf->kind == STORE_POSTGRESQL) {
		if (libpq_load(e) || pgconn_parse(conf->source, conf->database, &l->pg, e))
			return e->status;
		*ret = (struct db_where){ .pg = &l->pg, .mark = &l->mark };
		return ST_OK;
	}
	if (look_file(conf, "looked at", &l->file, e))
		return e->status;
	if (access(l->file, F_OK) < 0)
		return error_set(e, ST_MISSING, "there is no database %s", l->file);
	*ret = (struct db_where){ .file = l->file };
	return ST_OK;
}

enum status look_open(const struct store_conf *conf, struct look *ret, struct error *e)
{
	struct db_where where;
	if (look_where(conf, ret, &where, e))
		return e->status;
	if (db_new(&where, DB_READER, &ret->db, e) || look_check(ret->db, e))
		return error_wrap(e, "database %s", where.pg ? ret->pg.shown : ret->file);
	return ST_OK;
}

/* --- SQLite itself ------------------------------------------------------------------------------------------------ */

enum status raw_fail(sqlite3 *h, int rc, struct error *e)
{
	if ((rc & 0xff) == SQLITE_NOMEM)
		return error_nomem(e);
	if ((rc & 0xff) == SQLITE_FULL)
		return error_set(e, ST_IO, "the disk is full");
	enum status st = (rc & 0xff) == SQLITE_NOTADB || (rc & 0xff) == SQLITE_CORRUPT ? ST_INVALID : ST_IO;
	return error_set(e, st, "%s", h ? sqlite3_errmsg(h) : sqlite3_errstr(rc));
}

void raw_close_p(sqlite3 **h)
{
	sqlite3_close(*h);
}

enum status raw_open(const char *path, sqlite3 **ret, struct error *e)
{
	AUTO(raw_close_p) sqlite3 *h = NULL;
	int rc = sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
	if (!rc)
		rc = sqlite3_db_config(h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	if (!rc)
		rc = sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	if (!rc)
		rc = sqlite3_busy_timeout(h, 5000);
	if (rc)
		return raw_fail(h, rc, e);
	if (raw_exec(h, "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON", e))
		return e->status;
	*ret = TAKE(h);
	return ST_OK;
}

enum status raw_exec(sqlite3 *h, const char *sql, struct error *e)
{
	int rc = sqlite3_exec(h, sql, NULL, NULL, NULL);
	return rc ? raw_fail(h, rc, e) : ST_OK;
}

enum status raw_number(sqlite3 *h, const char *sql, int64_t otherwise, int64_t *ret, struct error *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(h, sql, -1, &s, NULL);
	if (!rc)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc == SQLITE_DONE)
		*ret = otherwise;
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? ST_OK : raw_fail(h, rc, e);
}

enum status raw_whole(sqlite3 *h, struct error *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(h, "PRAGMA integrity_check(1)", -1, &s, NULL);
	if (!rc)
		rc = sqlite3_step(s);
	const char *said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	enum status st = !said                     ? raw_fail(h, rc, e)
	                 : strcmp(said, "ok") == 0 ? ST_OK
	                                           : error_set(e, ST_INVALID, "it is damaged: %.200s", said);
	sqlite3_finalize(s);
	return st;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

enum status sync_file(const char *path, struct error *e)
{
	AUTO(fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? error_os(e, errno, "fsync %s", path) : ST_OK;
}

enum status sync_folder_of(const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');
	AUTO(text_free_p)
	char *folder =
		slash ? text_dup(slice_of(path, slash == path ? 1 : (size_t)(slash - path))) : text_dup(SLICE_LIT("."));
	return folder ? sync_file(folder, e) : error_nomem(e);
}

bool same_file(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}
