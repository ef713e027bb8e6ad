#include "os/process.h"

#include "os/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { CHILD_FDS = 4, ABOVE = 16 };

/* Sources are first moved above all targets, so that no dup2 overwrites a source of a later one. */
struct sources {
	int fd[CHILD_FDS];
};

static void sources_done(struct sources *s)
{
	for (size_t i = 0; i < CHILD_FDS; i++)
		fd_close_p(&s->fd[i]);
}

static enum status sources_open(struct sources *s, const struct process_spec *spec, struct error *e)
{
	const int from[CHILD_FDS] = { spec->in, spec->out, spec->err, spec->fd3 };
	for (size_t i = 0; i < CHILD_FDS; i++) {
		if (from[i] < 0 && i == 3)
			continue;
		AUTO(fd_close_p) int null = from[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
		if (from[i] < 0 && null < 0)
			return error_os(e, errno, "open /dev/null failed");
		s->fd[i] = fcntl(from[i] < 0 ? null : from[i], F_DUPFD_CLOEXEC, ABOVE);
		if (s->fd[i] < 0)
			return error_os(e, errno, "starting %s: descriptor %d", spec->argv[0], from[i]);
	}
	return ST_OK;
}

static int plan_files(posix_spawn_file_actions_t *files, const struct sources *s)
{
	int bad = 0, last = -1;
	for (int i = 0; i < CHILD_FDS && !bad; i++) {
		if (s->fd[i] < 0)
			continue;
		bad = posix_spawn_file_actions_adddup2(files, s->fd[i], i);
		last = i;
	}
	/* Ours are all close-on-exec; a library's may not be. */
	return bad ? bad : posix_spawn_file_actions_addclosefrom_np(files, last + 1);
}

static int plan_attributes(posix_spawnattr_t *attr, bool session)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	int bad = posix_spawnattr_setsigdefault(attr, &all);
	if (!bad)
		bad = posix_spawnattr_setsigmask(attr, &none);
	int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (session ? POSIX_SPAWN_SETSID : 0);
	return bad ? bad : posix_spawnattr_setflags(attr, (short)flags);
}

static int spawn(const struct process_spec *s, const struct sources *from, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int bad = posix_spawn_file_actions_init(&files);
	if (bad)
		return bad;
	bad = posix_spawnattr_init(&attr);
	if (!bad) {
		bad = plan_files(&files, from);
		if (!bad)
			bad = plan_attributes(&attr, s->session);
		/* posix_spawn promises not to write to them; its prototype is older than const. */
		union {
			const char *const *promised;
			char *const *wanted;
		} argv = { s->argv }, env = { s->env };
		if (!bad)
			bad = posix_spawnp(ret, s->argv[0], &files, &attr, argv.wanted, s->env ? env.wanted : environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
	return bad;
}

enum status process_spawn(const struct process_spec *s, struct process *ret, struct error *e)
{
	AUTO(sources_done) struct sources from = { .fd = { -1, -1, -1, -1 } };
	enum status st = sources_open(&from, s, e);
	if (st)
		return st;
	pid_t pid = 0;
	int bad = spawn(s, &from, &pid);
	/* A folder in PATH that we may not enter does not hold it either. */
	if ((bad == ENOENT || bad == EACCES) && !strchr(s->argv[0], '/')) {
		st = error_set(e, ST_MISSING, "exec: \"%s\": executable file not found in $PATH", s->argv[0]);
	} else if (bad) {
		st = error_os(e, bad, "fork/exec %s", s->argv[0]);
		if (bad == ENOENT)
			st = e->status = ST_MISSING;
	} else {
		*ret = (struct process){ .pid = pid, .group = s->session };
	}
	if (bad)
		e->os = bad;
	return st;
}

static enum status reap(struct process *p, int flags, bool *ret_ended, struct process_end *ret, struct error *e)
{
	if (!p->pid)
		return error_set(e, ST_BUG, "there is no child to wait for");
	int how = 0;
	pid_t got;
	do
		got = waitpid(p->pid, &how, flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_os(e, errno, "waiting for process %d failed", (int)p->pid);
	*ret_ended = got != 0;
	if (got) {
		p->pid = 0;
		*ret = (struct process_end){ .status = WIFEXITED(how) ? WEXITSTATUS(how) : 0,
			                     .signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0 };
	}
	return ST_OK;
}

enum status process_wait(struct process *p, struct process_end *ret, struct error *e)
{
	bool ended;
	return reap(p, 0, &ended, ret, e);
}

enum status process_poll(struct process *p, bool *ret_ended, struct process_end *ret, struct error *e)
{
	return reap(p, WNOHANG, ret_ended, ret, e);
}

void process_kill(const struct process *p, int sig)
{
	if (p->pid)
		kill(p->group ? -p->pid : p->pid, sig);
}

void process_done(struct process *p)
{
	struct error e = ERROR_INIT;
	struct process_end end;
	process_kill(p, SIGKILL);
	if (p->pid)
		st_ignore(process_wait(p, &end, &e), "it was killed; there is nothing left to tell");
	p->pid = 0;
}

int64_t process_descriptors(int64_t want)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r))
		return INT64_MAX; /* not known: what cannot be opened is met when it is */
	if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < (rlim_t)want) {
		struct rlimit more = { r.rlim_max == RLIM_INFINITY || (rlim_t)want < r.rlim_max ? (rlim_t)want
			                                                                        : r.rlim_max,
			               r.rlim_max };
		if (!setrlimit(RLIMIT_NOFILE, &more))
			r = more;
	}
	return r.rlim_cur == RLIM_INFINITY || r.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)r.rlim_cur;
}
