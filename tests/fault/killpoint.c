/* killpoint - runs a command and kills it, with all that it started, at its n-th call that changes a file below a
 * folder or speaks to the network.
 *
 *   killpoint [-d DIR]... [-o FILE] [-n N] [-w before|after|half] COMMAND [ARGUMENT]...
 *
 * -o writes one line per call, "7 renameat /dir/file"; -n kills at that call, before it happens, after it has happened
 * (the default), or, of a write, after the first half of its bytes. Ends with 137 where it has killed, else as the
 * command did; 126: the system lets nobody trace. Follows forks, threads and exec. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIRS = 8, TIDS = 256, KILLED = 137, REFUSED = 126, FAILED = 125 };
enum when { BEFORE, AFTER, HALF };

/* Where a call names its file: which arguments are what. */
enum how {
	ON_FD,  /* arg 0 is the descriptor */
	PATHS,  /* a path at each bit of `at` */
	AT,     /* a folder's descriptor at each bit of `at`, its path behind it */
	OPEN,   /* path, flags */
	OPENAT, /* folder, path, flags */
	CONNECT,
};

struct call {
	long nr;
	const char *name;
	enum how how;
	unsigned at;
};

#define CALL(n, how, at)                                                                                               \
	{                                                                                                              \
		SYS_##n, #n, how, at                                                                                   \
	}
static const struct call calls[] = {
	CALL(write, ON_FD, 0),      CALL(writev, ON_FD, 0),    CALL(pwrite64, ON_FD, 0),  CALL(pwritev, ON_FD, 0),
	CALL(fsync, ON_FD, 0),      CALL(fdatasync, ON_FD, 0), CALL(ftruncate, ON_FD, 0), CALL(fallocate, ON_FD, 0),
	CALL(fchmod, ON_FD, 0),     CALL(fchown, ON_FD, 0),    CALL(fsetxattr, ON_FD, 0), CALL(fremovexattr, ON_FD, 0),
	CALL(sendto, ON_FD, 0),     CALL(sendmsg, ON_FD, 0),   CALL(connect, CONNECT, 0), CALL(openat, OPENAT, 0),
	CALL(mkdirat, AT, 1),       CALL(unlinkat, AT, 1),     CALL(fchmodat, AT, 1),     CALL(fchownat, AT, 1),
	CALL(renameat2, AT, 1 | 4), CALL(linkat, AT, 1 | 4),   CALL(symlinkat, AT, 2),    CALL(truncate, PATHS, 1),
#ifdef SYS_renameat
	CALL(renameat, AT, 1 | 4),
#endif
#ifdef SYS_open
	CALL(open, OPEN, 0),        CALL(creat, PATHS, 1),     CALL(mkdir, PATHS, 1),     CALL(rmdir, PATHS, 1),
	CALL(unlink, PATHS, 1),     CALL(chmod, PATHS, 1),     CALL(chown, PATHS, 1),     CALL(rename, PATHS, 1 | 2),
	CALL(link, PATHS, 1 | 2),   CALL(symlink, PATHS, 2),
#endif
};

static struct {
	const char *dirs[DIRS];
	size_t dirs_n;
	FILE *out;
	unsigned long kill_at, seen;
	enum when when;
	pid_t main_pid, tids[TIDS], armed; /* armed: whose call is let happen, and is the last */
	size_t tids_n;
} k;

static void die(const char *what)
{
	fprintf(stderr, "killpoint: %s: %m\n", what);
	exit(errno == EPERM ? REFUSED : FAILED);
}

/* --- what a call is about ----------------------------------------------------------------------------------------- */

static bool link_of(pid_t tid, const char *what, long n, char out[PATH_MAX])
{
	char name[64];
	if (n < 0)
		snprintf(name, sizeof name, "/proc/%d/%s", (int)tid, what);
	else
		snprintf(name, sizeof name, "/proc/%d/%s/%ld", (int)tid, what, n);
	ssize_t len = readlink(name, out, PATH_MAX - 1);
	out[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static ssize_t read_memory(pid_t tid, uint64_t from, void *to, size_t n)
{
	struct iovec here = { to, n }, there = { (void *)(uintptr_t)from, n };
	return process_vm_readv(tid, &here, 1, &there, 1, 0);
}

/* Up to the end of a page at a time: a text may end where memory does. */
static bool read_text(pid_t tid, uint64_t from, char out[PATH_MAX])
{
	size_t n = 0;
	while (n < PATH_MAX) {
		size_t want = 4096 - ((from + n) & 4095);
		if (want > PATH_MAX - n)
			want = PATH_MAX - n;
		ssize_t got = read_memory(tid, from + n, out + n, want);
		if (got <= 0)
			return false;
		if (memchr(out + n, '\0', (size_t)got))
			return true;
		n += (size_t)got;
	}
	return false;
}

static bool is_below(const char *path)
{
	for (size_t i = 0; i < k.dirs_n; i++) {
		size_t n = strlen(k.dirs[i]);
		if (!strncmp(path, k.dirs[i], n) && (path[n] == '/' || path[n] == '\0' || path[n] == ' '))
			return true;
	}
	return false;
}

/* The path behind a folder's descriptor (AT_FDCWD: the current one) and a text. */
static bool path_of(pid_t tid, long dir, uint64_t text, char out[PATH_MAX])
{
	char folder[PATH_MAX], name[PATH_MAX];
	if (!read_text(tid, text, name))
		return false;
	if (name[0] == '/') {
		snprintf(out, PATH_MAX, "%s", name);
		return true;
	}
	bool here = (int)dir == AT_FDCWD;
	if (!link_of(tid, here ? "cwd" : "fd", here ? -1 : dir, folder))
		return false;
	return snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static bool writes(uint64_t flags)
{
	return !(flags & O_PATH) && ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)));
}

static bool is_network(pid_t tid, uint64_t address, char out[PATH_MAX])
{
	struct sockaddr sa;
	snprintf(out, PATH_MAX, "socket");
	return read_memory(tid, address, &sa, sizeof sa.sa_family) == sizeof sa.sa_family &&
	       (sa.sa_family == AF_INET || sa.sa_family == AF_INET6);
}

static bool matters(const struct call *c, pid_t tid, const uint64_t a[6], char path[PATH_MAX])
{
	switch (c->how) {
	case ON_FD:
		return link_of(tid, "fd", (long)a[0], path) && (is_below(path) || !strncmp(path, "socket:", 7));
	case OPEN:
		return writes(a[1]) && path_of(tid, AT_FDCWD, a[0], path) && is_below(path);
	case OPENAT:
		return writes(a[2]) && path_of(tid, (long)a[0], a[1], path) && is_below(path);
	case CONNECT:
		return is_network(tid, a[1], path);
	case PATHS:
	case AT:
		break;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (!(c->at & 1u << i))
			continue;
		bool got = c->how == AT ? path_of(tid, (long)a[i], a[i + 1], path) : path_of(tid, AT_FDCWD, a[i], path);
		if (got && is_below(path))
			return true;
	}
	return false;
}

static const struct call *find(uint64_t nr)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if ((uint64_t)calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void kill_all(void)
{
	for (size_t i = 0; i < k.tids_n; i++)
		kill(k.tids[i], SIGKILL);
	int status;
	while (waitpid(-1, &status, __WALL) >= 0 || errno == EINTR)
		;
	if (k.out && fclose(k.out))
		die("write");
	exit(KILLED);
}

/* Position and flags of a descriptor. */
static void descriptor(pid_t tid, uint64_t fd, long long *ret_pos, unsigned *ret_flags)
{
	char name[64], text[128];
	snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", (int)tid, (int)fd);
	FILE *info = fopen(name, "re");
	size_t n = info ? fread(text, 1, sizeof text - 1, info) : 0;
	text[n] = '\0';
	if (sscanf(text, "pos: %lld flags: %o", ret_pos, ret_flags) != 2)
		die(name);
	fclose(info);
}

/* Does the first half of a write in the command's place. */
static void write_half(const struct call *c, pid_t tid, const uint64_t a[6])
{
	long long pos;
	unsigned flags;
	char name[64];
	if (c->nr != SYS_pwrite64 && c->nr != SYS_write)
		return;
	descriptor(tid, a[0], &pos, &flags);
	if (c->nr == SYS_pwrite64)
		pos = (long long)a[3];
	snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)tid, (int)a[0]);
	size_t n = (size_t)a[2] / 2;
	void *bytes = malloc(n + 1);
	int fd = open(name, O_WRONLY | O_CLOEXEC | (int)(flags & O_APPEND));
	if (fd >= 0 &&
	    (!bytes || read_memory(tid, a[1], bytes, n) != (ssize_t)n || pwrite(fd, bytes, n, pos) != (ssize_t)n))
		die(name);
	free(bytes);
	if (fd >= 0) /* else it was a socket */
		close(fd);
}

static void on_call(pid_t tid)
{
	struct __ptrace_syscall_info info;
	char path[PATH_MAX];
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) < 0)
		return; /* it is dying */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && tid == k.armed)
		kill_all();
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	uint64_t a[6];
	memcpy(a, info.entry.args, sizeof a);
	const struct call *c = find(info.entry.nr);
	if (!c || !matters(c, tid, a, path))
		return;
	k.seen++;
	if (k.out)
		fprintf(k.out, "%lu %s %s\n", k.seen, c->name, path);
	if (k.seen != k.kill_at)
		return;
	if (k.when == AFTER) {
		k.armed = tid;
		return;
	}
	if (k.when == HALF)
		write_half(c, tid, a);
	kill_all();
}

/* --- following ---------------------------------------------------------------------------------------------------- */

static bool is_new(pid_t tid)
{
	for (size_t i = 0; i < k.tids_n; i++)
		if (k.tids[i] == tid)
			return false;
	if (k.tids_n == TIDS) {
		errno = E2BIG;
		die("threads");
	}
	k.tids[k.tids_n++] = tid;
	return true;
}

static void forget(pid_t tid)
{
	for (size_t i = 0; i < k.tids_n; i++)
		if (k.tids[i] == tid)
			k.tids[i] = k.tids[--k.tids_n];
}

static void on_stop(pid_t tid, int status)
{
	int sig = WSTOPSIG(status);
	bool fresh = is_new(tid);
	if (sig == (SIGTRAP | 0x80))
		on_call(tid);
	bool ours = sig == (SIGTRAP | 0x80) || status >> 16 || (fresh && sig == SIGSTOP);
	ptrace(PTRACE_SYSCALL, tid, 0, ours ? 0 : (void *)(uintptr_t)sig);
}

static int follow(void)
{
	int status, ended = 0;
	pid_t tid;
	while ((tid = waitpid(-1, &status, __WALL)) >= 0 || errno == EINTR) {
		if (tid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			on_stop(tid, status);
			continue;
		}
		forget(tid);
		if (tid == k.main_pid)
			ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return ended;
}

static void start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
	                     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	k.main_pid = fork();
	if (k.main_pid < 0)
		die("fork");
	if (k.main_pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			die("ptrace");
		raise(SIGSTOP);
		execvp(argv[0], argv);
		fprintf(stderr, "killpoint: %s: %m\n", argv[0]);
		_exit(127);
	}
	int status;
	if (waitpid(k.main_pid, &status, __WALL) < 0)
		die("waitpid");
	if (!WIFSTOPPED(status))
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : FAILED);
	if (ptrace(PTRACE_SETOPTIONS, k.main_pid, 0, options) < 0)
		die("ptrace");
	is_new(k.main_pid);
	ptrace(PTRACE_SYSCALL, k.main_pid, 0, 0);
}

static int usage(void)
{
	fputs("usage: killpoint [-d DIR]... [-o FILE] [-n N] [-w before|after|half] COMMAND [ARGUMENT]...\n", stderr);
	return FAILED;
}

static bool parse_when(const char *s)
{
	static const char *const names[] = { [BEFORE] = "before", [AFTER] = "after", [HALF] = "half" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(s, names[i]) != 0)
			continue;
		k.when = (enum when)i;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	k.when = AFTER;
	for (int c; (c = getopt(argc, argv, "+d:o:n:w:")) != -1;) {
		if (c == 'd' && k.dirs_n < DIRS)
			k.dirs[k.dirs_n++] = realpath(optarg, NULL);
		else if (c == 'n')
			k.kill_at = strtoul(optarg, NULL, 10);
		else if (c == 'o')
			k.out = fopen(optarg, "we");
		else if (c != 'w' || !parse_when(optarg))
			return usage();
		if ((c == 'd' && !k.dirs[k.dirs_n - 1]) || (c == 'o' && !k.out))
			die(optarg);
	}
	if (optind == argc)
		return usage();
	start(argv + optind);
	int ended = follow();
	if (k.out && fclose(k.out))
		die("write");
	return ended;
}
