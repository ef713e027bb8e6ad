#include "base/buf.h"
#include "os/auto.h"
#include "store/look.h"
#include "store/upkeep.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
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

static enum status put(const char *part, const char *to, struct error *e)
{
	struct stat st;
	if (lstat(to, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(e, ST_INVALID, "%s is not a file; give a name of its own", to);
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
