#include "server/census.h"

#include "base/duration.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum {
	REST_S = 60,    /* between two counts */
	REST_RATIO = 20 /* a step is followed by a rest so many times as long: at most a 20th of a core */
};

struct census {
	struct store *store;
	const struct clock *clock;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t stopping;
	bool stop, known;
	struct store_census last;
	struct wall at;
};

/* False where it is to stop. */
static bool rest(struct census *c, int64_t ns)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / DURATION_S;
	until.tv_nsec = ns % DURATION_S;
	pthread_mutex_lock(&c->lock);
	while (!c->stop && pthread_cond_timedwait(&c->stopping, &c->lock, &until) == 0)
		;
	bool go_on = !c->stop;
	pthread_mutex_unlock(&c->lock);
	return go_on;
}

/* What cannot be read now is tried again: that the figure has grown old is told by its time. */
static bool count(struct census *c)
{
	struct store_census now = { 0 };
	struct wall at = clock_wall(c->clock);
	for (bool more = true; more;) {
		struct error e;
		int64_t begun_ns = clock_mono(c->clock).ns;
		if (store_count(c->store, at, STORE_CENSUS_LINES, &now, &more, &e))
			return true;
		if (more && !rest(c, REST_RATIO * (clock_mono(c->clock).ns - begun_ns)))
			return false;
	}
	pthread_mutex_lock(&c->lock);
	c->last = now;
	c->at = at;
	c->known = true;
	pthread_mutex_unlock(&c->lock);
	return true;
}

static void *census_main(void *arg)
{
	struct census *c = arg;
	while (count(c) && rest(c, REST_S * DURATION_S))
		;
	return NULL;
}

static void census_free(struct census *c)
{
	pthread_cond_destroy(&c->stopping);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

enum status census_start(struct store *s, const struct clock *clock, struct census **ret, struct error *e)
{
	pthread_condattr_t monotonic;
	sigset_t all, before;
	struct census *c = calloc(1, sizeof *c);
	if (!c)
		return error_nomem(e);
	c->store = s;
	c->clock = clock;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->stopping, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&c->thread, NULL, census_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		census_free(c);
		return error_os(e, failed, "thread");
	}
	*ret = c;
	return ST_OK;
}

void census_stop(struct census *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->stopping);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	census_free(c);
}

bool census_get(struct census *c, struct store_census *ret, struct wall *ret_at)
{
	pthread_mutex_lock(&c->lock);
	bool known = c->known;
	*ret = c->last;
	*ret_at = c->at;
	pthread_mutex_unlock(&c->lock);
	return known;
}
