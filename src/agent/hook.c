#include "agent/hook.h"

#include "os/auto.h"
#include "os/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>

enum { GRACE_MS = 5000 /* between SIGTERM and SIGKILL */ };

/* ---- the environment ---- */

bool hook_env_passes(const char *variable)
{
	static const char *const ours[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "STEP_HOOK_" };
	static const char *const secret[] = { "PASSWORD", "TOKEN", "SECRET" };
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		if (strncmp(variable, ours[i], strlen(ours[i])) == 0)
			return false;
	if (strncmp(variable, "STEP_", 5) != 0)
		return true;
	const char *end = strchr(variable, '=');
	for (size_t i = 0; i < COUNT_OF(secret); i++) {
		const char *at = strstr(variable, secret[i]);
		if (at && (!end || at < end))
			return false;
	}
	return true;
}

static void add(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(out, "STEP_HOOK_%s=%s", name, value);
	buf_addc(out, '\0');
}

void hook_env_done(struct hook_env *env)
{
	buf_done(&env->text);
	free(env->vars);
	env->vars = NULL;
}

static enum status index_vars(struct hook_env *env, struct error *e)
{
	size_t n = 0, at = 0;
	for (size_t i = 0; i < env->text.n; i++)
		n += env->text.p[i] == '\0';
	env->vars = calloc(n + 1, sizeof *env->vars);
	if (!env->vars)
		return error_nomem(e);
	for (size_t i = 0; i < n; i++) {
		env->vars[i] = (const char *)env->text.p + at;
		at += strlen(env->vars[i]) + 1;
	}
	return ST_OK;
}

enum status hook_env_make(const char *const *ours, const struct hook_facts *f, struct hook_env *ret, struct error *e)
{
	AUTO(hook_env_done) struct hook_env env = { .text = BUF_INIT(HOOK_ENV_MAX) };
	char attempt[16];
	for (; *ours; ours++)
		if (hook_env_passes(*ours))
			buf_add(&env.text, *ours, strlen(*ours) + 1);
	snprintf(attempt, sizeof attempt, "%d", f->attempt);
	add(&env.text, "CERT_FILE", f->cert_file);
	add(&env.text, "KEY_FILE", f->key_file);
	add(&env.text, "CHAIN_FILE", f->chain_file);
	add(&env.text, "BUNDLE_FILE", f->bundle_file);
	add(&env.text, "SERIAL", f->serial);
	add(&env.text, "COMMON_NAME", f->common_name);
	add(&env.text, "NAMES", f->names);
	add(&env.text, "NOT_AFTER", f->not_after);
	add(&env.text, "EVENT", f->event);
	add(&env.text, "ERROR", f->error);
	add(&env.text, "ATTEMPT", attempt);
	if (buf_check(&env.text, e) || index_vars(&env, e))
		return e->status;
	*ret = env;
	env = (struct hook_env){ 0 };
	return ST_OK;
}

/* ---- the output ---- */

struct lines {
	const struct hook *hook;
	int fd; /* -1: ended */
	size_t n;
	char text[HOOK_LINE_MAX];
};

static void tell(struct lines *l)
{
	if (l->hook->line)
		l->hook->line(l->hook->ctx, slice_of(l->text, l->n));
	l->n = 0;
}

/* Reads what is there; at the end of the output the descriptor is forgotten (its owner closes it). */
static void read_lines(struct lines *l)
{
	char block[HOOK_LINE_MAX];
	while (l->fd >= 0) {
		ssize_t n = read(l->fd, block, sizeof block);
		if (n < 0 && (errno == EINTR))
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			l->fd = -1;
		for (ssize_t i = 0; i < n; i++) {
			if (block[i] != '\n')
				l->text[l->n++] = block[i];
			if (block[i] == '\n' || l->n == sizeof l->text)
				tell(l);
		}
	}
}

static void last_line(struct lines *l)
{
	read_lines(l);
	if (l->n)
		tell(l);
}

/* ---- the run ---- */

struct deadline {
	int64_t at_ns; /* monotonic; 0: none */
	int sig;       /* that is sent then */
};

static int64_t now_ns(void)
{
	return clock_mono(&clock_system).ns;
}

static int wait_ms(const struct deadline *d)
{
	int64_t left = d->at_ns ? (d->at_ns - now_ns()) / DURATION_MS + 1 : HOOK_PULSE_MS;
	return left < 0 ? 0 : left < HOOK_PULSE_MS ? (int)left : HOOK_PULSE_MS;
}

/* Polls until the child has ended; it is not reaped yet, so that its process group keeps its number. */
static void watch(const struct hook *h, const struct process *p, int pidfd, struct lines *l, struct hook_end *end)
{
	struct deadline d = { h->timeout_ms ? now_ns() + h->timeout_ms * DURATION_MS : 0, SIGTERM };
	for (;;) {
		struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = l->fd, .events = POLLIN } };
		poll(fds, COUNT_OF(fds), wait_ms(&d));
		read_lines(l);
		if (fds[0].revents)
			return;
		if (d.at_ns && now_ns() >= d.at_ns) {
			end->timed_out = true;
			process_kill(p, d.sig);
			d = (struct deadline){ d.sig == SIGTERM ? now_ns() + GRACE_MS * DURATION_MS : 0, SIGKILL };
		}
		if (h->pulse)
			h->pulse(h->ctx);
	}
}

static enum status attend(const struct hook *h, struct process *p, struct lines *l, struct hook_end *ret,
                          struct error *e)
{
	struct hook_end end = { 0 };
	AUTO(fd_close_p) int pidfd = pidfd_open(p->pid, 0);
	if (pidfd < 0)
		return error_os(e, errno, "watching process %d failed", (int)p->pid);
	watch(h, p, pidfd, l, &end);
	if (end.timed_out) /* whoever of its group outlived it */
		process_kill(p, SIGKILL);
	last_line(l);
	enum status st = process_wait(p, &end.how, e);
	if (!st)
		*ret = end;
	return st;
}

static enum status run_attached(const struct hook *h, struct hook_end *ret, struct error *e)
{
	struct process_spec spec = { .argv = h->argv, .env = h->env, .in = 0, .out = 1, .err = 2, .fd3 = -1 };
	AUTO(process_done) struct process p = PROCESS_NONE;
	struct lines none = { .hook = h, .fd = -1 };
	/* From a terminal it stays in our session, so that it can ask for a password and ^C reaches it. */
	spec.session = !isatty(STDIN_FILENO);
	enum status st = process_spawn(&spec, &p, e);
	return st ? st : attend(h, &p, &none, ret, e);
}

enum status hook_run(const struct hook *h, struct hook_end *ret, struct error *e)
{
	if (h->attached)
		return run_attached(h, ret, e);
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return error_os(e, errno, "pipe");
	AUTO(fd_close_p) int from = ends[0];
	AUTO(fd_close_p) int to = ends[1];
	struct process_spec spec = {
		.argv = h->argv, .env = h->env, .in = -1, .out = to, .err = to, .fd3 = -1, .session = true
	};
	AUTO(process_done) struct process p = PROCESS_NONE;
	if (fcntl(from, F_SETFL, O_NONBLOCK))
		return error_os(e, errno, "pipe");
	enum status st = process_spawn(&spec, &p, e);
	if (st)
		return st;
	fd_close_p(&to);
	to = -1;
	struct lines l = { .hook = h, .fd = from };
	return attend(h, &p, &l, ret, e);
}

enum status hook_judge(const struct hook *h, const struct hook_end *end, struct error *e)
{
	char limit[DURATION_TEXT];
	if (end->timed_out)
		return error_set(e, ST_IO, "%s: killed after %s", h->argv[0],
		                 duration_format(h->timeout_ms * DURATION_MS, limit));
	if (end->how.signal) {
		char name[64];
		snprintf(name, sizeof name, "%s", sigdescr_np(end->how.signal));
		for (char *c = name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		return error_set(e, ST_IO, "signal: %s", name);
	}
	if (end->how.status)
		return error_set(e, ST_IO, "exit status %d", end->how.status);
	return ST_OK;
}
