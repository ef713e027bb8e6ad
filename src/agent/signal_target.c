#include "agent/signal_target.h"

#include "base/num.h"
#include "os/auto.h"
#include "os/file.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/pidfd.h>

enum { PID_FILE_MAX = 4096, TRIES = 3 };

enum status pid_file_read(const char *path, pid_t *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(PID_FILE_MAX);
	struct error why = ERROR_INIT;
	int64_t pid;
	enum status st = file_read(path, &text, e);
	if (st)
		return st;
	struct slice s = slice_trim(buf_slice(&text));
	if (num_parse(s, INT_MIN, INT_MAX, &pid, &why))
		return error_set(e, ST_INVALID, "error converting %.64s to integer process id: %s", buf_cstr(&text),
		                 why.text);
	if (pid <= 0)
		return error_set(e, ST_INVALID, "invalid value '%d' for flag '--pid-file'", (int)pid);
	*ret = (pid_t)pid;
	return ST_OK;
}

void signal_target_hold(struct signal_target *t)
{
	if (t->pid > 0 && t->pidfd < 0)
		t->pidfd = pidfd_open(t->pid, 0);
}

void signal_target_done(struct signal_target *t)
{
	fd_close_p(&t->pidfd);
	t->pidfd = -1;
}

static enum status failed(pid_t pid, int sig, int os, struct error *e)
{
	return error_os(e, os, "kill %d with signal %d failed", (int)pid, sig);
}

static enum status send_to(int pidfd, pid_t pid, int sig, struct error *e)
{
	return pidfd_send_signal(pidfd, sig, NULL, 0) ? failed(pid, sig, errno, e) : ST_OK;
}

/* Before Linux 5.3 there is only the number. */
static enum status open_process(pid_t pid, int sig, int *ret, struct error *e)
{
	*ret = pidfd_open(pid, 0);
	if (*ret >= 0)
		return ST_OK;
	if (errno != ENOSYS)
		return failed(pid, sig, errno, e);
	return kill(pid, sig) ? failed(pid, sig, errno, e) : ST_OK;
}

/* The file is read again once the process is held: where it names another now, that one is meant. */
static enum status send_by_file(const struct signal_target *t, struct error *e)
{
	pid_t pid, again;
	enum status st = pid_file_read(t->file, &pid, e);
	for (int i = 0; !st && i < TRIES; i++) {
		AUTO(fd_close_p) int fd = -1;
		st = open_process(pid, t->sig, &fd, e);
		if (st || fd < 0)
			return st;
		st = pid_file_read(t->file, &again, e);
		if (!st && again == pid)
			return send_to(fd, pid, t->sig, e);
		pid = again;
	}
	return st ? st : error_set(e, ST_AGAIN, "%s does not stop changing", t->file);
}

enum status signal_target_send(const struct signal_target *t, struct error *e)
{
	if (t->file)
		return send_by_file(t, e);
	if (t->pidfd >= 0)
		return send_to(t->pidfd, t->pid, t->sig, e);
	AUTO(fd_close_p) int fd = -1;
	enum status st = open_process(t->pid, t->sig, &fd, e);
	return st || fd < 0 ? st : send_to(fd, t->pid, t->sig, e);
}
