#include "base/buf.h"
#include "os/auto.h"
#include "store/look.h"
#include "store/upkeep.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_TRIES = 50, BUSY_PAUSE_MS = 100 };

/* In one step, and so in one read transaction: the CA goes on writing, and the copy is of one moment. */
static enum status copy_pages(sqlite3 *from, sqlite3 *to, struct error *e)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	if (!b)
		return raw_fail(to, sqlite3_errcode(to), e);
	int rc = sqlite3_backup_step(b, -1);
	for (int i = 0; (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) && i < BUSY_TRIES; i++) {
		sqlite3_sleep(BUSY_PAUSE_MS);
		rc = sqlite3_backup_step(b, -1);
	}
	sqlite3_backup_finish(b);
	return rc == SQLITE_DONE ? ST_OK : raw_fail(to, rc, e);
}

/* One file, without a log beside it, that tells when it was made. */
static enum status seal(sqlite3 *h, struct wall now, struct error *e)
{
	char sql[256];
	snprintf(sql, sizeof(sql),
	         "PRAGMA journal_mode = DELETE; CREATE TABLE IF NOT EXISTS " BACKUP_TABLE
	         " (made INTEGER NOT NULL) STRICT; DELETE FROM " BACKUP_TABLE "; INSERT INTO " BACKUP_TABLE
	         " VALUES (%lld)",
	         (long long)now.s);
	return raw_exec(h, sql, e);
}

static enum status copy(const char *from, const char *to, struct wall now, struct upkeep_copied *ret, struct error *e)
{
	AUTO(raw_close_p) sqlite3 *source = NULL;
	AUTO(raw_close_p) sqlite3 *target = NULL;
	if (raw_open(from, &source, e))
		return error_wrap(e, "database %s", from);
	if (raw_open(to, &target, e) || copy_pages(source, target, e) || seal(target, now, e) || raw_whole(target, e) ||
	    raw_number(target, "SELECT count(*) FROM certs", 0, &ret->certificates, e) ||
	    raw_number(target, "SELECT count(*) FROM revocations", 0, &ret->revocations, e))
		return error_wrap(e, "backup %s", to);
	return ST_OK;
}

static enum status make(const char *path, struct error *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return error_os(e, errno, "remove %s", path);
	AUTO(fd_close_p) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? error_os(e, errno, "create %s", path) : ST_OK;
}

/* The log, the lock, the reserve: a CA that runs has them open, and would go on with files without a name. */
static bool is_cas_own(const char *database, const char *to)
{
	static const char *const names[] = { "perennial.db",         "perennial.db-wal", "perennial.db-shm",
		                             "perennial.db-journal", "perennial.lock",   "perennial.reserve" };
	const char *slash = strrchr(to, '/');
	const char *name = slash ? slash + 1 : to;
	bool taken = false;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		taken = taken || strcmp(name, names[i]) == 0;
	AUTO(buf_done) struct buf folder = BUF_INIT(8192), own = BUF_INIT(8192);
	buf_add(&folder, slash ? to : ".", slash ? (size_t)(slash - to) + 1 : 1);
	buf_add(&own, database, (size_t)(strrchr(database, '/') - database) + 1);
	return taken && (folder.failed || own.failed || same_file(buf_cstr(&folder), buf_cstr(&own)));
}

/* A backup is replaced by the next one, and so is an empty file; a key, say, is not. */
static enum status may_replace(const char *database, const char *to, struct error *e)
{
	static const char head[] = "SQLite format 3";
	struct stat st;
	char begin[sizeof head];
	if (!*to)
		return error_set(e, ST_INVALID, "the copy has no name; give one");
	if (is_cas_own(database, to))
		return error_set(e, ST_INVALID, "%s is the database itself, or belongs to it; give another file", to);
	if (lstat(to, &st) < 0)
		return ST_OK;
	if (!S_ISREG(st.st_mode))
		return error_set(e, ST_INVALID, "%s is not a file; give a name of its own", to);
	if (!st.st_size)
		return ST_OK;
	AUTO(fd_close_p) int fd = open(to, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_os(e, errno, "open %s", to);
	if (read(fd, begin, sizeof begin) == sizeof begin && memcmp(begin, head, sizeof head) == 0)
		return ST_OK;
	return error_set(e, ST_CONFLICT, "%s is there and is no backup; remove it, or give another name", to);
}

static enum status put(const char *part, const char *to, struct error *e)
{
	if (sync_file(part, e))
		return e->status;
	if (rename(part, to) < 0)
		return error_os(e, errno, "rename %s", part);
	return sync_folder_of(to, e);
}

enum status upkeep_backup(const struct store_conf *conf, const char *to, struct wall now, struct upkeep_copied *ret,
                          struct error *e)
{
	AUTO(text_free_p) char *from = NULL;
	AUTO(look_done) struct look ours = { 0 };
	AUTO(buf_done) struct buf part = BUF_INIT(8192);
	if (look_file(conf, "backed up", &from, e) || look_open(conf, &ours, e))
		return e->status;
	if (same_file(from, to))
		return error_set(e, ST_INVALID, "%s is the database itself; give another file", to);
	if (may_replace(from, to, e))
		return e->status;
	buf_addf(&part, "%s.part", to);
	if (buf_check(&part, e) || make(buf_cstr(&part), e))
		return e->status;
	struct upkeep_copied copied;
	if (copy(from, buf_cstr(&part), now, &copied, e) || put(buf_cstr(&part), to, e)) {
		unlink(buf_cstr(&part));
		return e->status;
	}
	*ret = copied;
	return ST_OK;
}
