#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
	unsigned kinds, left;
	int os;
	bool armed, hit, kill;
} plan;

static bool strike(unsigned kind)
{
	if (!plan.armed || !(plan.kinds & kind) || plan.hit)
		return false;
	if (--plan.left)
		return false;
	plan.hit = true;
	if (plan.kill)
		_exit(137);
	errno = kind == FAIL_ALLOC ? ENOMEM : plan.os;
	return true;
}

void fail_arm(unsigned kinds, unsigned n, int os)
{
	plan.kinds = kinds;
	plan.left = n;
	plan.os = os;
	plan.hit = plan.kill = false;
	plan.armed = true;
}

void fail_arm_kill(unsigned kinds, unsigned n)
{
	fail_arm(kinds, n, 0);
	plan.kill = true;
}

bool fail_disarm(void)
{
	plan.armed = false;
	return plan.hit;
}

#define WRAP(ret, failed, kind, name, params, args)                      \
	ret __real_##name params;                                        \
	ret __wrap_##name params;                                        \
	ret __wrap_##name params                                         \
	{                                                                \
		return strike(kind) ? (failed) : __real_##name args;     \
	}

WRAP(void *, NULL, FAIL_ALLOC, malloc, (size_t n), (n))
WRAP(void *, NULL, FAIL_ALLOC, calloc, (size_t n, size_t m), (n, m))
WRAP(void *, NULL, FAIL_ALLOC, realloc, (void *p, size_t n), (p, n))
WRAP(ssize_t, -1, FAIL_WRITE, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(ssize_t, -1, FAIL_WRITE, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(int, -1, FAIL_WRITE, ftruncate, (int fd, off_t n), (fd, n))
WRAP(int, -1, FAIL_SYNC, fsync, (int fd), (fd))
WRAP(int, -1, FAIL_SYNC, fdatasync, (int fd), (fd))
WRAP(int, -1, FAIL_RENAME, rename, (const char *a, const char *b), (a, b))
WRAP(int, -1, FAIL_RENAME, renameat, (int d, const char *a, int f, const char *b), (d, a, f, b))
WRAP(int, -1, FAIL_RENAME, linkat, (int d, const char *a, int f, const char *b, int fl), (d, a, f, b, fl))
WRAP(int, -1, FAIL_RENAME, unlinkat, (int d, const char *a, int fl), (d, a, fl))
WRAP(int, -1, FAIL_ATTR, fchmod, (int fd, mode_t m), (fd, m))
WRAP(int, -1, FAIL_ATTR, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))

static bool takes_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; /* O_TMPFILE holds O_DIRECTORY's bit */
}

#define WRAP_OPEN(name, params, args)                                                       \
	int __real_##name params;                                                           \
	int __wrap_##name params;                                                           \
	int __wrap_##name params                                                            \
	{                                                                                   \
		va_list ap;                                                                 \
		va_start(ap, flags);                                                        \
		mode_t mode = takes_mode(flags) ? va_arg(ap, mode_t) : 0;                     \
		va_end(ap);                                                                 \
		return strike(FAIL_OPEN) ? -1 : __real_##name args;                         \
	}

WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

/* With 64-bit file offsets, as meson sets them, libc's headers turn the names above into these. */
WRAP(ssize_t, -1, FAIL_WRITE, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(int, -1, FAIL_WRITE, ftruncate64, (int fd, off_t n), (fd, n))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
