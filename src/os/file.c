#include "os/file.h"

#include "os/auto.h"
#include "os/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { READ_AT_ONCE = 4096 };

void fd_close_p(int *fd)
{
	int os = errno;
	if (*fd >= 0)
		close(*fd);
	errno = os;
}

enum status fd_write_all(int fd, struct slice s, const char *what, struct error *e)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_os(e, n < 0 ? errno : EIO, "write %s failed", what);
		s = slice_of(s.p + n, s.n - (size_t)n);
	}
	return ST_OK;
}

enum status fd_read_all(int fd, struct buf *ret, const char *what, struct error *e)
{
	for (;;) {
		/* At the ceiling one byte more is asked for, to tell "full" from "too long". */
		size_t room = ret->max - ret->n;
		uint8_t past, *at = room ? buf_reserve(ret, room < READ_AT_ONCE ? room : READ_AT_ONCE) : &past;
		if (!at)
			return error_nomem(e);
		ssize_t n = read(fd, at, !room ? 1 : room < READ_AT_ONCE ? room : READ_AT_ONCE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_os(e, errno, "read %s failed", what);
		if (n == 0)
			return ST_OK;
		if (!room)
			return error_set(e, ST_LIMIT, "read %s failed: larger than %zu bytes", what, ret->max);
		ret->n += (size_t)n;
		ret->p[ret->n] = '\0';
	}
}

static enum status open_to_read(const char *path, int flags, int *ret, struct error *e)
{
	*ret = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
	if (*ret >= 0)
		return ST_OK;
	int os = errno;
	enum status st = error_os(e, os, "open %s failed", path);
	return os == ENOENT ? (e->status = ST_MISSING) : st;
}

enum status file_read(const char *path, struct buf *ret, struct error *e)
{
	if (strcmp(path, "-") == 0)
		return fd_read_all(STDIN_FILENO, ret, "standard input", e);
	AUTO(fd_close_p) int fd = -1;
	enum status st = open_to_read(path, 0, &fd, e);
	return st ? st : fd_read_all(fd, ret, path, e);
}

enum status file_read_regular(const char *path, struct buf *ret, struct error *e)
{
	static const char given[] = "/dev/fd/";
	if (strncmp(path, given, strlen(given)) == 0)
		return file_read(path, ret, e);
	AUTO(fd_close_p) int fd = -1;
	struct stat info;
	enum status st = open_to_read(path, O_NONBLOCK, &fd, e);
	if (st)
		return st;
	if (fstat(fd, &info))
		return error_os(e, errno, "open %s failed", path);
	if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) /* reading a folder says what is wrong */
		return error_set(e, ST_INVALID, "open %s failed: not a regular file", path);
	return fd_read_all(fd, ret, path, e);
}

enum status file_read_password(const char *path, struct buf *ret, struct error *e)
{
	ret->secret = true;
	enum status st = file_read(path, ret, e);
	if (st)
		return st;
	while (ret->n && strchr(" \t\r\n\v\f", ret->p[ret->n - 1]))
		ret->p[--ret->n] = '\0';
	return ST_OK;
}

bool file_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

enum { STALE_S = 3600 };

/* What killed runs left for this file. There is no lock here: of two writers each must leave the other's alone. */
static void sweep_stale(const struct target *t, const struct target_owner *owner)
{
	struct stat now;
	if (t->tmp >= 0 && fstat(t->tmp, &now) == 0)
		target_sweep_before(t->place.dir, owner, now.st_mtime - STALE_S);
}

static enum status replace(struct target *t, struct slice content, struct error *e)
{
	struct target_owner owner;
	target_owner_init(&owner, t->place.path, "tmp");
	enum status st = target_prepare(t, &owner, e);
	if (!st)
		st = target_stage(t, &owner, -1, content, e);
	if (st)
		return st;
	sweep_stale(t, &owner);
	if (t->way == TARGET_RENAME) {
		st = target_rename(t, e);
		if (!st)
			return folder_sync(t->place.dir)
				       ? error_os(e, errno, "fsync the folder of %s failed", t->place.given)
				       : ST_OK;
		if (!target_falls_back(t, e->os))
			return st;
	}
	st = target_reserve(t, content.n, e);
	return st ? st : target_overwrite(t, content, e);
}

enum status file_replace(const char *path, struct slice content, mode_t mode, struct error *e)
{
	AUTO(target_done) struct target t = TARGET_NONE;
	enum status st = target_find(&t, path, PLACE_FOLLOW, mode, e);
	return st ? st : replace(&t, content, e);
}

static enum status make_folder(const char *path, mode_t mode, struct error *e)
{
	AUTO(fd_close_p) int there = -1;
	enum status st = place_folder(path, &there, e);
	if (st != ST_MISSING)
		return st;
	AUTO(place_done) struct place p = PLACE_NONE;
	st = place_find(path, PLACE_FOLLOW, &p, e);
	if (st)
		return st;
	if (p.exists)
		return error_os(e, ENOTDIR, "mkdir %s failed", path);
	/* Narrow first, so that it is never wider than asked for; what somebody else makes meanwhile is his. */
	if (mkdirat(p.dir, p.name, mode & 0700))
		return errno == EEXIST ? ST_OK : error_os(e, errno, "mkdir %s failed", path);
	if (fchmodat(p.dir, p.name, mode, AT_SYMLINK_NOFOLLOW))
		return error_os(e, errno, "mkdir %s failed", path);
	return ST_OK;
}

enum status file_mkdirs(const char *path, mode_t mode, struct error *e)
{
	char prefix[PATH_MAX];
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0 || n >= sizeof prefix)
		return error_os(e, n ? ENAMETOOLONG : ENOENT, "mkdir %s failed", path);
	AUTO(fd_close_p) int there = -1;
	if (place_folder(path, &there, e) == ST_OK)
		return ST_OK;
	for (size_t end = 1; end <= n; end++) {
		if (end < n && (path[end] != '/' || path[end - 1] == '/'))
			continue;
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		enum status st = make_folder(prefix, mode, e);
		if (st)
			return st;
	}
	return ST_OK;
}
