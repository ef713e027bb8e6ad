#include "agent/deploy.h"

#include "os/clock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void deploy_done(struct deploy *d)
{
	for (size_t i = 0; i < d->n; i++) {
		words_done(&d->v[i].words);
		signal_target_done(&d->v[i].target);
	}
	d->n = 0;
}

/* ---- adding ---- */

/* The step is taken; words name it in the record. */
static enum status add(struct deploy *d, enum owed_when when, const char *kind, struct deploy_step *s,
                       const char *const *words, size_t n, struct error *e)
{
	struct owed_hook *h = &d->hooks[d->n];
	enum status st = d->n == OWED_HOOKS_MAX
	                         ? error_set(e, ST_LIMIT, "more than %d commands for one certificate", OWED_HOOKS_MAX)
	                         : ST_OK;
	if (!st) {
		*h = (struct owed_hook){ .when = when, .probe = s->kind == DEPLOY_VERIFY };
		st = owed_id_make(when, kind, words, n, &h->id, e);
	}
	if (st)
		words_done(&s->words);
	else
		d->v[d->n++] = *s;
	return st;
}

enum status deploy_add_exec(struct deploy *d, enum owed_when when, const char *flag, const char *command,
                            struct error *e)
{
	struct deploy_step s = { .kind = DEPLOY_EXEC, .target = SIGNAL_TARGET_NONE };
	if (words_parse(slice_cstr(command), &s.words, e))
		return error_wrap(e, "invalid value '%s' for flag '--%s'", command, flag);
	return add(d, when, "exec", &s, (const char *const *)s.words.v, s.words.n, e);
}

enum status deploy_add_signal(struct deploy *d, pid_t pid, const char *pid_file, int sig, struct error *e)
{
	struct deploy_step s = { .kind = DEPLOY_SIGNAL, .target = SIGNAL_TARGET_NONE };
	char number[16], sig_text[16];
	snprintf(number, sizeof number, "%d", (int)pid);
	snprintf(sig_text, sizeof sig_text, "%d", sig);
	s.target.pid = pid;
	s.target.file = pid_file;
	s.target.sig = sig;
	const char *const words[] = { sig_text, pid_file ? "file" : "pid", pid_file ? pid_file : number };
	return add(d, OWED_ON_DEPLOY, "signal", &s, words, COUNT_OF(words), e);
}

enum status deploy_add_reload(struct deploy *d, const char *unit, struct error *e)
{
	struct deploy_step s = { .kind = DEPLOY_RELOAD, .target = SIGNAL_TARGET_NONE };
	AUTO(buf_done) struct buf quoted = BUF_INIT(8192);
	/* Never an option of systemctl's, never a pattern. */
	if (!unit[0] || unit[0] == '-' || strpbrk(unit, "*?[ \t\n/"))
		return error_set(e, ST_INVALID, "invalid value '%s' for flag '--reload-unit'; it is the name of a unit",
		                 unit);
	words_quote(&quoted, slice_cstr(unit));
	if (buf_check(&quoted, e) || words_parse(buf_slice(&quoted), &s.words, e))
		return e->status;
	return add(d, OWED_ON_DEPLOY, "reload-unit", &s, &unit, 1, e);
}

enum status deploy_add_verify(struct deploy *d, const char *where, struct error *e)
{
	struct deploy_step s = { .kind = DEPLOY_VERIFY, .target = SIGNAL_TARGET_NONE };
	enum status st = served_parse(where, &s.served, e);
	return st ? st : add(d, OWED_ON_DEPLOY, "verify", &s, &where, 1, e);
}

void deploy_hold(struct deploy *d)
{
	for (size_t i = 0; i < d->n; i++)
		signal_target_hold(&d->v[i].target);
}

/* ---- running ---- */

struct teller {
	const struct deploy_context *context;
	const char *name;
};

static void tell_line(void *ctx, struct slice line)
{
	const struct teller *t = ctx;
	voice_say(t->context->voice, VOICE_INFO, "%s: %.*s", t->name, SLICE_FMT(line));
}

static void pulse(void *ctx)
{
	const struct teller *t = ctx;
	if (t->context->pulse)
		t->context->pulse();
}

static enum status run_argv(const struct deploy *d, const char *const *argv, const struct deploy_context *c,
                            struct hook_end *ret_end, struct error *e)
{
	AUTO(hook_env_done) struct hook_env env = { 0 };
	struct teller teller = { c, argv[0] };
	struct hook h = { .argv = argv,
		          .timeout_ms = d->exec_timeout_ms,
		          .attached = d->attached,
		          .line = tell_line,
		          .pulse = pulse,
		          .ctx = &teller };
	struct hook_end end = { 0 };
	enum status st = hook_env_make((const char *const *)environ, &c->facts, &env, e);
	h.env = env.vars;
	if (!st)
		st = hook_run(&h, &end, e);
	if (!st) {
		st = hook_judge(&h, &end, e);
		*ret_end = end;
	}
	return st;
}

/* A service that has just been told to reload may take a while: it is looked at again and again. */
static enum status verify(const struct served *s, const struct deploy_context *c, struct error *e)
{
	int64_t until = clock_mono(&clock_system).ns + DEPLOY_SETTLE_MS * DURATION_MS;
	for (int pause_ms = 100;; pause_ms = pause_ms < 1000 ? pause_ms * 2 : 1000) {
		int64_t left_ms = (until - clock_mono(&clock_system).ns) / DURATION_MS;
		enum status st = served_check(s, c->cert, left_ms > 1 ? left_ms : 1, e);
		if (!st || left_ms <= pause_ms)
			return st;
		if (c->pulse)
			c->pulse();
		poll(NULL, 0, pause_ms);
	}
}

enum status deploy_run(const struct deploy *d, size_t i, const struct deploy_context *c, struct hook_end *ret_end,
                       struct error *e)
{
	const struct deploy_step *s = &d->v[i];
	const char *const reload[] = { "systemctl", "--no-ask-password", "reload-or-restart",
		                       s->words.n ? s->words.v[0] : "", NULL };
	*ret_end = (struct hook_end){ 0 };
	switch (s->kind) {
	case DEPLOY_SIGNAL:
		return signal_target_send(&s->target, e);
	case DEPLOY_EXEC:
		return run_argv(d, (const char *const *)s->words.v, c, ret_end, e);
	case DEPLOY_RELOAD:
		return run_argv(d, reload, c, ret_end, e) ? error_wrap(e, "reloading %s", s->words.v[0]) : ST_OK;
	case DEPLOY_VERIFY:
		return verify(&s->served, c, e);
	}
	return error_set(e, ST_BUG, "no such step");
}
