#include "agent/agent.h"

#include "os/auto.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/notify.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

enum {
	REST_S = 10,       /* a sleep that is worth giving memory back for */
	BUSY_S = 5,        /* somebody else works on the pair: look again */
	UNREADABLE_S = 60, /* a pair that cannot be read */
};

struct agent_pair {
	const struct pair_conf *conf;
	struct wall wake;
	bool started;             /* "first renewal in" was told */
	struct record *memory;    /* where nothing can be stored on disk; else NULL */
	char serial[SERIAL_TEXT]; /* of the certificate seen last */
	char trouble[256];        /* that was told last, so that it is not told each minute */
	enum clock_doubt doubt;   /* told last */
	bool skewed;              /* told: the CA's clock shows another time */
	bool forced;              /* a SIGHUP that is not served yet: somebody else had the pair */
	bool ailing;              /* unreadable, failing, or something is owed */
};

struct agent {
	struct agent_pair *v;
	size_t n;
	size_t *heap; /* indices into v; the earliest wake first */
	const struct agent_world *world;
	const struct voice *voice;
};

static void agent_done(struct agent *a)
{
	for (size_t i = 0; a->v && i < a->n; i++)
		free(a->v[i].memory);
	free(a->v);
	free(a->heap);
}

/* ---- the heap of deadlines ---- */

static bool earlier(const struct agent *a, size_t i, size_t k)
{
	return a->v[a->heap[i]].wake.s < a->v[a->heap[k]].wake.s;
}

static void swap(struct agent *a, size_t i, size_t k)
{
	size_t was = a->heap[i];
	a->heap[i] = a->heap[k];
	a->heap[k] = was;
}

static void sift_down(struct agent *a, size_t at)
{
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < a->n; child++)
			if (earlier(a, child, least))
				least = child;
		if (least == at)
			return;
		swap(a, at, least);
		at = least;
	}
}

static void heapify(struct agent *a)
{
	for (size_t i = a->n / 2; i-- > 0;)
		sift_down(a, i);
}

/* ---- one pair ---- */

static struct wall time_now(const struct agent *a)
{
	return clock_wall(a->world->clock);
}

static void say_trouble(struct agent *a, struct agent_pair *p, const char *text)
{
	if (strncmp(p->trouble, text, sizeof p->trouble - 1) == 0)
		return;
	snprintf(p->trouble, sizeof p->trouble, "%s", text);
	voice_say(a->voice, VOICE_ERROR, "%s", text);
}

static void say_clock(struct agent *a, struct agent_pair *p, const struct plan *plan, struct wall now)
{
	AUTO(buf_done) struct buf words = BUF_INIT(1024);
	if (plan->clock == p->doubt)
		return;
	p->doubt = plan->clock;
	if (plan->clock == CLOCK_FINE)
		return;
	plan_clock_words(plan, now, &words);
	voice_say(a->voice, VOICE_ERROR, "%s", buf_cstr(&words));
}

static const char *left(struct wall due, struct wall now, char out[DURATION_TEXT])
{
	return duration_format_s(due.s > now.s ? duration_of_s(due.s - now.s) : 0, out);
}

/* When to look at a pair again: at the plan's time, or when something that is owed may be tried. */
static struct wall wake_of(const struct pair_conf *c, const struct record *r, const struct plan *plan)
{
	struct wall owed;
	if (!c->deploy || !c->deploy->n)
		return plan->wake;
	struct owed_hooks hooks = deploy_hooks(c->deploy);
	return owed_wake(r, &hooks, &owed) && owed.s < plan->wake.s ? owed : plan->wake;
}

/* What a pair looks like from outside: no lock, no key. */
struct look {
	struct pair_cert cert;
	char name[256]; /* common name */
	struct plan plan;
	struct wall now, wake;
};

static enum status look(const struct agent_pair *p, struct look *ret, struct error *e)
{
	const struct pair_conf *c = p->conf;
	AUTO(chain_done) struct chain chain = { 0 };
	const char *path;
	struct record record = RECORD_NONE;
	struct recordfile file;
	struct error ignored = ERROR_INIT;
	enum status st = pair_load_chain(c, &chain, &path, e);
	if (st)
		return st;
	const struct cert_facts *f = cert_facts(chain.v[0]);
	struct plan_now now = pair_now(c);
	ret->cert = pair_cert_of(f);
	ret->now = now.wall;
	snprintf(ret->name, sizeof ret->name, "%s", f->common_name);
	if (p->memory)
		record = *p->memory;
	else if (recordfile_load(c->crt, c->state_dir, &file, &record, &ignored))
		record = RECORD_NONE; /* the turn tells why */
	plan_next(&c->rule, &ret->cert, &now, &record, &ret->plan);
	ret->wake = wake_of(c, &record, &ret->plan);
	return ST_OK;
}

static void say_help(struct agent *a, const struct turn *t)
{
	AUTO(buf_done) struct buf help = BUF_INIT(8192);
	if (t->attempt.end != LADDER_END)
		return;
	ladder_help(cert_facts(t->chain.v[0]), t->conf->crt, t->conf->key, &help);
	voice_say(a->voice, VOICE_ERROR, "a new certificate is had by: %s", buf_cstr(&help));
}

static void say_left(struct agent *a, struct turn *t, const struct plan *plan, struct wall now)
{
	const struct pair_conf *c = t->conf;
	if (plan->left == PLAN_LEFT_NONE)
		return;
	if (plan->left)
		voice_say(a->voice, VOICE_ERROR, "%s: less than %d %% of its life is left, and it is not renewed",
		          pair_out(c), plan->left);
	else
		voice_say(a->voice, VOICE_ERROR, "%s has expired", pair_out(c));
	if (!c->deploy || !c->deploy->n)
		return;
	struct owed_hooks hooks = deploy_hooks(c->deploy);
	owed_raise(&t->record, &hooks, OWED_EXPIRING, &t->cert, now);
}

static void say_first(struct agent *a, struct agent_pair *p, const struct plan *plan, struct wall now)
{
	char in[DURATION_TEXT];
	if (!p->started)
		voice_say(a->voice, VOICE_INFO, "first renewal in %s", left(plan->due, now, in));
	p->started = true;
}

static void say_skew(struct agent *a, struct agent_pair *p, const struct turn *t)
{
	AUTO(buf_done) struct buf words = BUF_INIT(1024);
	bool skewed = t->ca_date.s && plan_skew_words(t->asked, t->ca_date, PLAN_CLOCK_SLACK_S, &words);
	if (skewed && !p->skewed)
		voice_say(a->voice, VOICE_ERROR, "%s", buf_cstr(&words));
	if (t->ca_date.s)
		p->skewed = skewed;
}

static bool renew(struct agent *a, struct agent_pair *p, struct turn *t)
{
	struct error e = ERROR_INIT;
	enum status st = turn_renew(t, &e);
	say_skew(a, p, t);
	if (!st)
		return true;
	bool news = turn_failed(t, &e);
	voice_say(a->voice, VOICE_ERROR, "error %s certificate: %s", t->conf->rekey ? "rekeying" : "renewing", e.text);
	if (news)
		say_help(a, t);
	return false;
}

/* Without a place on disk the jitter would be drawn anew at each look. */
static void keep_in_memory(struct agent_pair *p, const struct turn *t)
{
	if (t->tx && t->record_usable) {
		free(p->memory);
		p->memory = NULL;
		return;
	}
	if (!p->memory)
		p->memory = malloc(sizeof *p->memory);
	if (p->memory)
		*p->memory = t->record;
}

static void say_renewed(struct agent *a, const struct turn *t, const struct plan *plan, struct wall now)
{
	char in[DURATION_TEXT];
	voice_say(a->voice, VOICE_INFO, "%s certificate %s, next in %s", cert_facts(t->chain.v[0])->common_name,
	          t->conf->rekey ? "rekeyed" : "renewed", left(plan->due, now, in));
}

static void say_adopted(struct agent *a, struct agent_pair *p, const char *name, const struct pair_cert *cert,
                        const struct plan *plan, struct wall now)
{
	char in[DURATION_TEXT];
	if (p->serial[0] && strcmp(p->serial, cert->serial) != 0)
		voice_say(a->voice, VOICE_INFO, "%s certificate was renewed by another process, next in %s", name,
		          left(plan->due, now, in));
	snprintf(p->serial, sizeof p->serial, "%s", cert->serial);
}

/* The attempt, and what it makes of the plan. */
static void attempt(struct agent *a, struct agent_pair *p, struct turn *t, struct plan *plan)
{
	char in[DURATION_TEXT];
	bool renewed = renew(a, p, t);
	struct plan_now now = pair_now(p->conf);
	plan_next(&p->conf->rule, &t->cert, &now, &t->record, plan);
	plan->changed = true;
	if (renewed)
		say_renewed(a, t, plan, now.wall);
	else
		voice_say(a->voice, VOICE_INFO, "next attempt in %s", left(plan->due, now.wall, in));
	snprintf(p->serial, sizeof p->serial, "%s", t->cert.serial);
}

/* A turn's work under the pair's lock; everything is read and decided anew there. */
static void work(struct agent *a, struct agent_pair *p, struct turn *t, bool force)
{
	struct plan_now now = pair_now(p->conf);
	struct plan plan;
	struct error e = ERROR_INIT;
	plan_next(&p->conf->rule, &t->cert, &now, &t->record, &plan);
	say_clock(a, p, &plan, now.wall);
	say_first(a, p, &plan, now.wall);
	say_adopted(a, p, cert_facts(t->chain.v[0])->common_name, &t->cert, &plan, now.wall);
	say_left(a, t, &plan, now.wall);
	bool changed = plan.changed || plan.left != PLAN_LEFT_NONE;
	if (force || plan.step == PLAN_RENEW)
		attempt(a, p, t, &plan);
	if (changed || plan.changed)
		turn_remember(t);
	st_ignore(turn_deploy(t, force, &e), "each failure was told, and is owed");
	p->wake = wake_of(p->conf, &t->record, &plan);
	p->ailing = t->record.failures > 0 || record_owes_deployment(&t->record);
	p->forced = false;
}

static enum status take_turn(struct agent *a, struct agent_pair *p, bool force, struct error *e)
{
	struct turn t;
	enum status st = turn_open(p->conf, false, &t, e);
	if (!st) {
		if (p->memory)
			t.record = *p->memory;
		work(a, p, &t, force);
		keep_in_memory(p, &t);
	}
	turn_done(&t);
	return st;
}

/* Is there anything to do that needs the lock and the key? */
static bool needs_turn(const struct look *l)
{
	return l->plan.step == PLAN_RENEW || l->plan.changed || l->plan.left != PLAN_LEFT_NONE || l->wake.s <= l->now.s;
}

static void step(struct agent *a, struct agent_pair *p, bool force)
{
	struct look l;
	struct error e = ERROR_INIT;
	enum status st = look(p, &l, &e);
	p->forced |= force;
	if (!st && (p->forced || needs_turn(&l))) {
		st = take_turn(a, p, p->forced, &e);
	} else if (!st) {
		say_clock(a, p, &l.plan, l.now);
		say_first(a, p, &l.plan, l.now);
		say_adopted(a, p, l.name, &l.cert, &l.plan, l.now);
		p->wake = l.wake;
	}
	if (!st) {
		p->trouble[0] = '\0';
		return;
	}
	if (st != ST_AGAIN) {
		p->ailing = true;
		say_trouble(a, p, e.text);
	}
	p->wake.s = time_now(a).s + (st == ST_AGAIN ? BUSY_S : UNREADABLE_S);
}

/* ---- the loop ---- */

static void tell_status(const struct agent *a)
{
	char when[WALL_TEXT];
	size_t ailing = 0;
	for (size_t i = 0; i < a->n; i++)
		ailing += a->v[i].ailing;
	notify_sendf("STATUS=%zu certificate%s, %zu failing or with a command owed, next look at %s", a->n,
	             a->n == 1 ? "" : "s", ailing, wall_rfc3339(a->v[a->heap[0]].wake, when));
}

static void step_due(struct agent *a, bool all, bool force)
{
	struct wall now = time_now(a);
	if (!all && !force && a->v[a->heap[0]].wake.s > now.s)
		return;
	for (size_t i = 0; i < a->n && (all || force); i++)
		step(a, &a->v[i], force);
	while (!all && !force && a->v[a->heap[0]].wake.s <= now.s) {
		struct agent_pair *p = &a->v[a->heap[0]];
		step(a, p, false);
		if (p->wake.s <= now.s) /* whatever the reason: never a busy loop */
			p->wake.s = now.s + 1;
		sift_down(a, 0);
	}
	heapify(a);
	tell_status(a);
}

static enum status run(struct agent *a, struct error *e)
{
	for (;;) {
		enum agent_event event;
		if (a->world->wait(a->world->ctx, a->v[a->heap[0]].wake, &event, e))
			return e->status;
		if (event == AGENT_STOP)
			return ST_OK;
		step_due(a, event == AGENT_CLOCK_SET || event == AGENT_RENEW_NOW, event == AGENT_RENEW_NOW);
	}
}

/* Every pair must be readable. Its first step stores what is drawn, and runs what is owed. */
static enum status start(struct agent *a, struct error *e)
{
	for (size_t i = 0; i < a->n; i++) {
		struct agent_pair *p = &a->v[i];
		struct look l;
		enum status st = look(p, &l, e);
		if (st)
			return st;
		snprintf(p->serial, sizeof p->serial, "%s", l.cert.serial);
		p->wake = l.now;
	}
	heapify(a);
	return ST_OK;
}

enum status agent_run_in(const struct agent_world *world, const struct pair_conf *const *confs, size_t n,
                         const struct voice *voice, struct error *e)
{
	AUTO(agent_done)
	struct agent a = { .n = n, .voice = voice, .world = world };
	if (!n || n > AGENT_PAIRS_MAX)
		return error_set(e, ST_LIMIT, "%zu certificates", n);
	a.v = calloc(n, sizeof *a.v);
	a.heap = calloc(n, sizeof *a.heap);
	if (!a.v || !a.heap)
		return error_nomem(e);
	for (size_t i = 0; i < n; i++) {
		a.v[i].conf = confs[i];
		a.heap[i] = i;
	}
	if (start(&a, e))
		return e->status;
	notify_send("READY=1");
	enum status st = run(&a, e);
	notify_send("STOPPING=1");
	return st;
}

/* ---- the system's world ---- */

struct sleeper {
	int timer, signals, watchdog_ms; /* -1: none */
};

static void sleeper_done(struct sleeper *w)
{
	fd_close_p(&w->timer);
	fd_close_p(&w->signals);
}

static enum status sleeper_open(struct sleeper *w, struct error *e)
{
	int64_t watchdog_ms = notify_watchdog_ns() / DURATION_MS;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1); /* ignored, as by the peer */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return error_os(e, errno, "signals");
	w->watchdog_ms = watchdog_ms > 0 && watchdog_ms < INT_MAX ? (int)watchdog_ms : -1;
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return w->signals < 0 || w->timer < 0 ? error_os(e, errno, "timer or signals") : ST_OK;
}

static enum status arm(const struct sleeper *w, struct wall until, struct error *e)
{
	struct itimerspec at = { .it_value.tv_sec = (time_t)until.s };
	if (at.it_value.tv_sec <= 0)
		at.it_value.tv_sec = 1; /* 0 would disarm it */
	/* ECANCELED: the clock was set between our look at it and now; the read says so, too. */
	if (timerfd_settime(w->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) && errno != ECANCELED)
		return error_os(e, errno, "timer");
	return ST_OK;
}

static enum agent_event of_timer(const struct sleeper *w)
{
	uint64_t times;
	bool was_set = read(w->timer, &times, sizeof times) < 0 && errno == ECANCELED;
	return was_set ? AGENT_CLOCK_SET : AGENT_LOOK;
}

static enum agent_event of_signal(const struct sleeper *w)
{
	struct signalfd_siginfo s;
	if (read(w->signals, &s, sizeof s) != sizeof s)
		return AGENT_LOOK;
	return s.ssi_signo == SIGHUP                             ? AGENT_RENEW_NOW
	       : s.ssi_signo == SIGINT || s.ssi_signo == SIGTERM ? AGENT_STOP
	                                                         : AGENT_LOOK;
}

static enum status sleeper_wait(void *ctx, struct wall until, enum agent_event *ret, struct error *e)
{
	const struct sleeper *w = ctx;
	struct pollfd fds[] = { { .fd = w->signals, .events = POLLIN }, { .fd = w->timer, .events = POLLIN } };
	if (arm(w, until, e))
		return e->status;
	if (until.s > clock_wall(&clock_system).s + REST_S)
		memory_rest();
	if (w->watchdog_ms > 0)
		notify_send("WATCHDOG=1");
	if (poll(fds, COUNT_OF(fds), w->watchdog_ms) < 0 && errno != EINTR)
		return error_os(e, errno, "poll");
	*ret = fds[0].revents ? of_signal(w) : fds[1].revents ? of_timer(w) : AGENT_LOOK;
	return ST_OK;
}

void agent_pulse(void)
{
	if (notify_watchdog_ns() > 0)
		notify_send("WATCHDOG=1");
}

enum status agent_run(const struct pair_conf *const *confs, size_t n, const struct voice *voice, struct error *e)
{
	AUTO(sleeper_done) struct sleeper sleeper = { .timer = -1, .signals = -1 };
	const struct agent_world world = { &clock_system, sleeper_wait, &sleeper };
	return sleeper_open(&sleeper, e) ? e->status : agent_run_in(&world, confs, n, voice, e);
}
