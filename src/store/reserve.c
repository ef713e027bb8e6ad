#include "store/reserve.h"

#include "base/slice.h"
#include "os/auto.h"
#include "store/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE_NAME "perennial.reserve"

/* Somebody else's log that grows without end shall not take all of it at once. */
enum { STEPS = 4 };

void reserve_done(struct reserve *r)
{
	if (r->fd >= 0)
		close(r->fd);
	*r = RESERVE_NONE;
}

/* A file with holes holds nothing, whatever its length. */
static int64_t held(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return 0;
	int64_t blocks = (int64_t)st.st_blocks * 512;
	return blocks < st.st_size ? blocks : st.st_size;
}

static enum status unkeep(int dir, struct reserve *ret, struct error *e)
{
	if (unlinkat(dir, RESERVE_NAME, 0) < 0 && errno != ENOENT)
		return error_os(e, errno, "remove %s", RESERVE_NAME);
	*ret = RESERVE_NONE;
	return ST_OK;
}

enum status reserve_open(const char *folder, int64_t bytes, struct reserve *ret, struct error *e)
{
	AUTO(fd_close_p) int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_os(e, errno, "open %s", folder);
	if (bytes <= 0)
		return unkeep(dir, ret, e);
	AUTO(fd_close_p) int fd = openat(dir, RESERVE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_os(e, errno, "open %s/%s", folder, RESERVE_NAME);
	if (folder_give(dir, fd, e))
		return error_wrap(e, "%s/%s", folder, RESERVE_NAME);
	int64_t left = held(fd);
	if (left > bytes && ftruncate(fd, bytes) == 0) /* the setting was lowered */
		left = bytes;
	*ret = (struct reserve){ .fd = FD_TAKE(fd), .bytes = bytes, .left = left };
	return ST_OK;
}

/* What a user that is not root may still take; quotas are told by the taking. */
static enum status look(const struct reserve *r, int64_t need, struct error *e)
{
	struct statvfs disk;
	if (fstatvfs(r->fd, &disk) < 0)
		return error_os(e, errno, "%s", RESERVE_NAME);
	int64_t avail;
	if (__builtin_mul_overflow((int64_t)disk.f_bavail, (int64_t)disk.f_frsize, &avail))
		avail = INT64_MAX;
	if (avail >= need)
		return ST_OK;
	return error_set(e, ST_LIMIT, "%lld MiB are free, and %lld MiB are needed", (long long)(avail >> 20),
	                 (long long)(need >> 20));
}

enum status reserve_fill(struct reserve *r, struct error *e)
{
	int64_t spare = r->bytes / 4;
	if (r->fd < 0)
		return ST_OK;
	if (look(r, r->bytes - r->left + spare, e))
		return e->status;
	int os = posix_fallocate(r->fd, 0, r->bytes + spare);
	int64_t left = os ? r->left : r->bytes;
	if (ftruncate(r->fd, left) < 0 && !os)
		os = errno;
	r->left = left;
	if (os == ENOSPC || os == EDQUOT)
		return error_set(e, ST_LIMIT, "what is free is not ours to take (a quota?)");
	return os ? error_os(e, os, "fill %s", RESERVE_NAME) : ST_OK;
}

bool reserve_give(struct reserve *r)
{
	int64_t left = r->left - (r->bytes + STEPS - 1) / STEPS;
	if (r->fd < 0 || r->left <= 0 || ftruncate(r->fd, left > 0 ? left : 0) < 0)
		return false;
	r->left = left > 0 ? left : 0;
	/* Some file systems give blocks out again only when it is on the disk that they are free; if not, the next
	 * write says so. */
	return fsync(r->fd) == 0 || errno != EBADF;
}
