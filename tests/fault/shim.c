/* shim - a disk that fails on command, for the real programs. Loaded by LD_PRELOAD; the file named by FAULT_CONTROL is
 * mapped and tells what to do, so that a test can break and mend the disk under a running server:
 *
 *   struct control, then the folder below which the disk fails.
 *
 * While `times` is not 0, calls of `kinds` below the folder are counted in `seen`; from the n-th on, `times` of them
 * fail with errno `how`, counted in `struck`. SHORT: the first failing write keeps half of its bytes, and the rest of
 * them fail with ENOSPC. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, CREATE = 8, SPACE = 16 /* ftruncate, fallocate */ };
enum { SHORT = 1000 };

struct control {
	_Atomic uint32_t kinds, n, times, how, seen, struck;
	char folder[];
};

static struct control *control;

__attribute__((constructor)) static void shim_start(void)
{
	const char *name = getenv("FAULT_CONTROL");
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	struct stat st;
	if (fd < 0 || fstat(fd, &st) || (size_t)st.st_size <= sizeof *control) {
		fprintf(stderr, "shim: FAULT_CONTROL: %m\n");
		_exit(125);
	}
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		_exit(125);
	control = p;
}

/* --- is it our turn? ---------------------------------------------------------------------------------------------- */

static bool is_below(const char *path)
{
	size_t n = strlen(control->folder);
	return !strncmp(path, control->folder, n) && (path[n] == '/' || path[n] == '\0');
}

static bool path_of_fd(int fd, char out[PATH_MAX])
{
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool names_ours(int dir, const char *path)
{
	char folder[PATH_MAX];
	if (path[0] == '/')
		return is_below(path);
	if (dir == AT_FDCWD)
		return getcwd(folder, sizeof folder) && is_below(folder);
	return path_of_fd(dir, folder) && is_below(folder);
}

static bool on(void) /* the common case costs one load */
{
	return control && atomic_load(&control->times);
}

/* errno of the failure that is due, or 0. The caller has seen that the call is below the folder. */
static int due(unsigned kind)
{
	if (!(atomic_load(&control->kinds) & kind))
		return 0;
	uint32_t at = atomic_fetch_add(&control->seen, 1) + 1, n = atomic_load(&control->n);
	if (at < n || at - n >= atomic_load(&control->times))
		return 0;
	bool first = atomic_fetch_add(&control->struck, 1) == 0;
	int how = (int)atomic_load(&control->how);
	return how == SHORT && !(first && kind == WRITE) ? ENOSPC : how;
}

static int due_fd(unsigned kind, int fd)
{
	char path[PATH_MAX];
	int kept = errno;
	int os = on() && path_of_fd(fd, path) && is_below(path) ? due(kind) : 0;
	errno = os ? os : kept;
	return os;
}

static int due_name(unsigned kind, int dir, const char *name)
{
	int kept = errno;
	int os = on() && names_ours(dir, name) ? due(kind) : 0;
	errno = os ? os : kept;
	return os;
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define EXPORT __attribute__((visibility("default")))

EXPORT ssize_t write(int fd, const void *p, size_t n)
{
	int os = due_fd(WRITE, fd);
	return os == SHORT ? REAL(write)(fd, p, n / 2) : os ? -1 : REAL(write)(fd, p, n);
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	int os = due_fd(WRITE, fd);
	return os == SHORT ? REAL(pwrite)(fd, p, n / 2, at) : os ? -1 : REAL(pwrite)(fd, p, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	int os = due_fd(WRITE, fd);
	return os == SHORT ? REAL(pwrite64)(fd, p, n / 2, at) : os ? -1 : REAL(pwrite64)(fd, p, n, at);
}

EXPORT int fsync(int fd)
{
	return due_fd(SYNC, fd) ? -1 : REAL(fsync)(fd);
}

EXPORT int fdatasync(int fd)
{
	return due_fd(SYNC, fd) ? -1 : REAL(fdatasync)(fd);
}

EXPORT int ftruncate(int fd, off_t n)
{
	return due_fd(SPACE, fd) ? -1 : REAL(ftruncate)(fd, n);
}

EXPORT int ftruncate64(int fd, off64_t n)
{
	return due_fd(SPACE, fd) ? -1 : REAL(ftruncate64)(fd, n);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t n)
{
	return due_fd(SPACE, fd) ? -1 : REAL(fallocate)(fd, mode, at, n);
}

EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
	return due_fd(SPACE, fd) ? -1 : REAL(fallocate64)(fd, mode, at, n);
}

/* These two return the errno. */
EXPORT int posix_fallocate(int fd, off_t at, off_t n)
{
	int os = due_fd(SPACE, fd);
	return os ? os : REAL(posix_fallocate)(fd, at, n);
}

EXPORT int posix_fallocate64(int fd, off64_t at, off64_t n)
{
	int os = due_fd(SPACE, fd);
	return os ? os : REAL(posix_fallocate64)(fd, at, n);
}

EXPORT int rename(const char *from, const char *to)
{
	return due_name(RENAME, AT_FDCWD, to) ? -1 : REAL(rename)(from, to);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return due_name(RENAME, to_dir, to) ? -1 : REAL(renameat)(from_dir, from, to_dir, to);
}

static mode_t mode_of(int flags, va_list *more)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(*more, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
	EXPORT int name(const char *path, int flags, ...)                                                              \
	{                                                                                                              \
		va_list more;                                                                                          \
		va_start(more, flags);                                                                                 \
		mode_t mode = mode_of(flags, &more);                                                                   \
		va_end(more);                                                                                          \
		if ((flags & O_CREAT) && due_name(CREATE, AT_FDCWD, path))                                             \
			return -1;                                                                                     \
		return REAL(name)(path, flags, mode);                                                                  \
	}

#define OPENAT(name)                                                                                                   \
	EXPORT int name(int dir, const char *path, int flags, ...)                                                     \
	{                                                                                                              \
		va_list more;                                                                                          \
		va_start(more, flags);                                                                                 \
		mode_t mode = mode_of(flags, &more);                                                                   \
		va_end(more);                                                                                          \
		if ((flags & O_CREAT) && due_name(CREATE, dir, path))                                                  \
			return -1;                                                                                     \
		return REAL(name)(dir, path, flags, mode);                                                             \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
