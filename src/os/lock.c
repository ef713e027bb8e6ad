#include "os/lock.h"

#include "base/num.h"
#include "os/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

static enum status open_file(int dir, const char *name, const char *what, uid_t owner, int *ret, struct stat *ret_st,
                             struct error *e)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	AUTO(fd_close_p) int fd = openat(dir, name, flags | O_CREAT | O_EXCL, 0600);
	bool made = fd >= 0;
	bool there = !made && errno == EEXIST;
	if (there)
		fd = openat(dir, name, flags);
	/* Where a new file finds no place it is the folder that is gone, or that takes none. */
	if (fd < 0 && there && errno == ENOENT)
		return error_set(e, ST_CONFLICT, "lock %s went away", name);
	if (fd < 0 || fstat(fd, ret_st))
		return error_os(e, errno, "locking %s failed: open %s beside it", what, name);
	uid_t me = geteuid();
	/* Best effort: if it fails, the other user is told whose lock it is. */
	if (made && me == 0 && owner != 0 && fchown(fd, owner, (gid_t)-1) == 0)
		ret_st->st_uid = owner;
	bool friendly = ret_st->st_uid == 0 || ret_st->st_uid == me || ret_st->st_uid == owner;
	if (!S_ISREG(ret_st->st_mode) || ret_st->st_nlink > 1 || !friendly)
		return error_set(
			e, ST_DENIED,
			"locking %s failed: %s beside it belongs to another user (%u) or is no plain file; remove it",
			what, name, (unsigned)ret_st->st_uid);
	*ret = FD_TAKE(fd);
	return ST_OK;
}

static enum status busy(int fd, const char *what, struct error *e)
{
	char text[24];
	int64_t pid;
	ssize_t n = pread(fd, text, sizeof text, 0);
	struct slice s = slice_trim(slice_of(text, n > 0 ? (size_t)n : 0));
	if (num_parse(s, 1, INT_MAX, &pid, e))
		return error_set(e, ST_AGAIN, "%s is being renewed by another process", what);
	return error_set(e, ST_AGAIN, "%s is being renewed by process %d", what, (int)pid);
}

/* ST_CONFLICT: the file was removed, or replaced, by its last holder meanwhile; try again. */
static enum status take_once(int dir, const char *name, const char *what, uid_t owner, bool wait, int *ret,
                             struct error *e)
{
	AUTO(fd_close_p) int fd = -1;
	struct stat mine, now;
	enum status st = open_file(dir, name, what, owner, &fd, &mine, e);
	if (st)
		return st;
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &whole)) {
		if (errno == EAGAIN || errno == EACCES)
			return busy(fd, what, e);
		st = error_os(e, errno, "locking %s failed", what);
		return errno == EINTR ? (e->status = ST_AGAIN) : st;
	}
	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) || now.st_dev != mine.st_dev || now.st_ino != mine.st_ino)
		return error_set(e, ST_CONFLICT, "lock %s went away", name);
	*ret = FD_TAKE(fd);
	return ST_OK;
}

static void sign_with_pid(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	/* A courtesy to whoever is kept waiting; the lock holds without it. */
	bool told = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
	(void)told;
}

enum status lock_take(int dir, const char *name, const char *what, uid_t owner, bool wait, struct lock *ret,
                      struct error *e)
{
	struct lock l = LOCK_NONE;
	snprintf(l.name, sizeof l.name, "%s", name);
	AUTO(fd_close_p) int folder = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (folder < 0)
		return error_os(e, errno, "locking %s failed", what);
	enum status st;
	do
		st = take_once(dir, name, what, owner, wait, &l.fd, e);
	while (st == ST_CONFLICT);
	if (st)
		return st;
	sign_with_pid(l.fd);
	l.dir = FD_TAKE(folder);
	*ret = l;
	return ST_OK;
}

/* Removed while still locked: who waits for the removed file sees, once it has the lock, that it is another one. */
void lock_drop(struct lock *l)
{
	if (l->fd >= 0)
		unlinkat(l->dir, l->name, 0);
	fd_close_p(&l->fd);
	fd_close_p(&l->dir);
	*l = LOCK_NONE;
}
