/* shim - a disk that fails on command, for the real programs. Loaded by LD_PRELOAD; the file named by FAULT_CONTROL is
 * mapped and tells what to do, so that a test can break and mend the disk under a running server:
 *
 *   struct control, then the folder below which the disk fails.
 *
 * While `times` is not 0, calls of `kinds` below the folder are counted in `seen`; from the n-th on, `times` of them
 * fail with errno `how`, counted in `struck`. SHORT: the first failing write keeps half of its bytes, and the rest of
 * them fail with ENOSPC. CUT: the power goes at the n-th call, which does not happen any more.
 *
 * While `quota_kib` is not 0, the folder's files may not hold more than that: what would make them grow beyond fails
 * with EDQUOT, and statvfs does not know.
 *
 * FAULT_RECORD names a file (empty) that tells what became of the folder's files, so that what a power cut leaves of
 * them can be made: for each write, truncation, sync, creation and removal, in the order in which they happened, a
 * struct record, the path, and the bytes. A sync stands behind all that it made last. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
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
enum { SHORT = 1000, CUT = 1001 };

struct control {
	_Atomic uint32_t kinds, n, times, how, seen, struck, quota_kib;
	char folder[];
};

static struct control *control;

enum op { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_CREATE, OP_REMOVE };
struct record {
	uint32_t op, path_n;
	int64_t at, n; /* of a write; at: the new length of a truncation */
};

static int record_fd = -1;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;

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
	name = getenv("FAULT_RECORD");
	if (name && (record_fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0) {
		fprintf(stderr, "shim: FAULT_RECORD: %m\n");
		_exit(125);
	}
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
	if (how == CUT)
		kill(getpid(), SIGKILL);
	return how == SHORT && !(first && kind == WRITE) ? ENOSPC : how;
}

/* What the folder's files hold. */
static int64_t used(void)
{
	int64_t sum = 0;
	DIR *dir = opendir(control->folder);
	for (struct dirent *d; dir && (d = readdir(dir));) {
		struct stat st;
		if (!fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			sum += (int64_t)st.st_blocks * 512;
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* Would a file that reaches to `end` be more than the quota allows? */
static int beyond(int fd, int64_t end)
{
	char path[PATH_MAX];
	struct stat st;
	int64_t quota = control ? (int64_t)atomic_load(&control->quota_kib) << 10 : 0;
	if (!quota || !path_of_fd(fd, path) || !is_below(path) || fstat(fd, &st))
		return 0;
	int64_t more = end - (int64_t)st.st_blocks * 512;
	return more > 0 && used() + more > quota ? EDQUOT : 0;
}

static int due_fd(unsigned kind, int fd, int64_t end)
{
	char path[PATH_MAX];
	int kept = errno;
	int os = on() && path_of_fd(fd, path) && is_below(path) ? due(kind) : beyond(fd, end);
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

/* --- the record --------------------------------------------------------------------------------------------------- */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define EXPORT __attribute__((visibility("default")))

static void record(enum op op, const char *path, int64_t at, const void *p, int64_t n)
{
	struct record r = { op, (uint32_t)strlen(path), at, n };
	struct iovec v[] = { { &r, sizeof r },
		             { (void *)(uintptr_t)path, r.path_n },
		             { (void *)(uintptr_t)p, p ? (size_t)n : 0 } };
	if (writev(record_fd, v, 3) < (ssize_t)(sizeof r + r.path_n + v[2].iov_len))
		_exit(125);
}

/* Nothing else of ours happens between a call and its record. path is empty where nothing is recorded. */
static void record_begin(int fd, char path[PATH_MAX])
{
	int kept = errno;
	if (record_fd < 0 || !path_of_fd(fd, path) || !is_below(path))
		path[0] = '\0';
	else
		pthread_mutex_lock(&record_lock);
	errno = kept;
}

static void record_end(const char *path, enum op op, int64_t at, const void *p, int64_t n)
{
	int kept = errno;
	if (!path[0])
		return;
	if (n >= 0)
		record(op, path, at, p, n);
	pthread_mutex_unlock(&record_lock);
	errno = kept;
}

static ssize_t recorded_pwrite(int fd, const void *p, size_t n, off_t at)
{
	char path[PATH_MAX];
	record_begin(fd, path);
	ssize_t done = REAL(pwrite)(fd, p, n, at);
	record_end(path, OP_WRITE, at, p, done);
	return done;
}

static ssize_t recorded_write(int fd, const void *p, size_t n)
{
	char path[PATH_MAX];
	record_begin(fd, path);
	off_t at = path[0] ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = REAL(write)(fd, p, n);
	record_end(path, OP_WRITE, at, p, done);
	return done;
}

static int recorded(int fd, enum op op, int64_t at, int (*call)(int fd, int64_t at))
{
	char path[PATH_MAX];
	record_begin(fd, path);
	int rc = call(fd, at);
	record_end(path, op, at, NULL, rc);
	return rc;
}

static int real_fsync(int fd, int64_t at)
{
	(void)at;
	return REAL(fsync)(fd);
}

static int real_fdatasync(int fd, int64_t at)
{
	(void)at;
	return REAL(fdatasync)(fd);
}

static int real_ftruncate(int fd, int64_t at)
{
	return REAL(ftruncate)(fd, at);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

EXPORT ssize_t write(int fd, const void *p, size_t n)
{
	int os = due_fd(WRITE, fd, lseek(fd, 0, SEEK_CUR) + (off_t)n);
	return os == SHORT ? recorded_write(fd, p, n / 2) : os ? -1 : recorded_write(fd, p, n);
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	int os = due_fd(WRITE, fd, at + (off_t)n);
	return os == SHORT ? recorded_pwrite(fd, p, n / 2, at) : os ? -1 : recorded_pwrite(fd, p, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	int os = due_fd(WRITE, fd, at + (off_t)n);
	return os == SHORT ? recorded_pwrite(fd, p, n / 2, at) : os ? -1 : recorded_pwrite(fd, p, n, at);
}

EXPORT int fsync(int fd)
{
	return due_fd(SYNC, fd, 0) ? -1 : recorded(fd, OP_SYNC, 0, real_fsync);
}

EXPORT int fdatasync(int fd)
{
	return due_fd(SYNC, fd, 0) ? -1 : recorded(fd, OP_SYNC, 0, real_fdatasync);
}

EXPORT int ftruncate(int fd, off_t n)
{
	return due_fd(SPACE, fd, 0) ? -1 : recorded(fd, OP_TRUNCATE, n, real_ftruncate);
}

EXPORT int ftruncate64(int fd, off64_t n)
{
	return due_fd(SPACE, fd, 0) ? -1 : recorded(fd, OP_TRUNCATE, n, real_ftruncate);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t n)
{
	return due_fd(SPACE, fd, at + n) ? -1 : REAL(fallocate)(fd, mode, at, n);
}

EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
	return due_fd(SPACE, fd, at + n) ? -1 : REAL(fallocate64)(fd, mode, at, n);
}

/* These two return the errno. */
EXPORT int posix_fallocate(int fd, off_t at, off_t n)
{
	int os = due_fd(SPACE, fd, at + n);
	return os ? os : REAL(posix_fallocate)(fd, at, n);
}

EXPORT int posix_fallocate64(int fd, off64_t at, off64_t n)
{
	int os = due_fd(SPACE, fd, at + n);
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

EXPORT int unlink(const char *path)
{
	if (record_fd < 0 || !names_ours(AT_FDCWD, path))
		return REAL(unlink)(path);
	pthread_mutex_lock(&record_lock);
	int rc = REAL(unlink)(path);
	if (!rc)
		record(OP_REMOVE, path, 0, NULL, 0);
	pthread_mutex_unlock(&record_lock);
	return rc;
}

/* Whether this call may create a file of ours, whose path is then in path. */
static bool creates(int dir, const char *name, int flags, char path[PATH_MAX])
{
	char folder[PATH_MAX];
	if (record_fd < 0 || !(flags & O_CREAT) || !names_ours(dir, name) || !faccessat(dir, name, F_OK, 0))
		return false;
	if (name[0] == '/' || !(dir == AT_FDCWD ? getcwd(folder, sizeof folder) != NULL : path_of_fd(dir, folder)))
		folder[0] = '\0';
	return snprintf(path, PATH_MAX, "%s%s%s", folder, folder[0] ? "/" : "", name) < PATH_MAX;
}

static int created(int fd, const char *path)
{
	if (fd >= 0) {
		pthread_mutex_lock(&record_lock);
		record(OP_CREATE, path, 0, NULL, 0);
		pthread_mutex_unlock(&record_lock);
	}
	return fd;
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
		char made[PATH_MAX];                                                                                   \
		if (creates(AT_FDCWD, path, flags, made))                                                              \
			return created(REAL(name)(path, flags, mode), made);                                           \
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
		char made[PATH_MAX];                                                                                   \
		if (creates(dir, path, flags, made))                                                                   \
			return created(REAL(name)(dir, path, flags, mode), made);                                      \
		return REAL(name)(dir, path, flags, mode);                                                             \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
