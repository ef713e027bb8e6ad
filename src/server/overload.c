#include "server/overload.h"

#include "authority/rate.h"
#include "authority/urgency.h"
#include "os/process.h"
#include "server/state.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LINES_KNOWN = 1 << 16, /* 1 MiB */
	TELL_A_SECOND = 20,
	DESCRIPTORS_BESIDE = 128, /* listeners, database, files, epoll */
};

struct overload {
	pthread_mutex_t lock;
	struct rate *lines; /* guarded by lock */
	uint64_t seed;      /* of the keys, so that nobody can choose whose place he shares */
	struct mono second; /* guarded by lock: in which so many were told */
	int told;
	int64_t untold;
};

enum status overload_new(struct overload **ret, struct error *e)
{
	struct overload *o = calloc(1, sizeof *o);
	if (!o)
		return error_nomem(e);
	pthread_mutex_init(&o->lock, NULL);
	if (rate_new(LINES_KNOWN, &o->lines, e) ||
	    entropy_fill(&entropy_system, (uint8_t *)&o->seed, sizeof o->seed, e)) {
		overload_free(o);
		return e->status;
	}
	*ret = o;
	return ST_OK;
}

void overload_free(struct overload *o)
{
	if (!o)
		return;
	rate_free(o->lines);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* --- when to come again ------------------------------------------------------------------------------------------- */

/* Where there is no chance to be had, the seconds will do. */
static uint64_t chance_of(const struct exchange *x)
{
	uint64_t chance = (uint64_t)x->now.s << 40;
	struct error e = ERROR_INIT;
	st_ignore(entropy_fill(x->server->conf.entropy, (uint8_t *)&chance, sizeof chance, &e), "see above");
	return chance;
}

int64_t overload_retry_s(const struct exchange *x)
{
	int64_t left_s = x->parent ? cert_facts(x->parent)->not_after.s - x->now.s : 0;
	return x->retry_s > 0 ? x->retry_s : urgency_retry_s(left_s, chance_of(x));
}

/* --- turning away ------------------------------------------------------------------------------------------------- */

bool overload_admit_spare(struct request *r, bool vital)
{
	static const char text[] =
		"{\"status\":503,\"message\":\"The certificate authority is busy; try again later.\"}\n";
	if (vital || !request_is_spare(r) || request_peer(r)) /* who shows a certificate has something to lose */
		return true;
	metrics_count(METRIC_TURNED_AWAY_FULL);
	request_reply(r, &(struct response){ .status = 503,
	                                     .content_type = "application/json",
	                                     .body = slice_cstr(text),
	                                     .headers = { { "Retry-After", "10" } } });
	return false;
}

static bool admit(struct exchange *x, int urgency)
{
	if (store_has_room(x->server->store, &x->error)) {
		exchange_fail(x);
		return false;
	}
	const struct caconf *c = x->snap->conf;
	int64_t lag_ms = request_lag_ms(x->request);
	if (urgency_admits(urgency, lag_ms, c->overload.busy_ms))
		return true;
	metrics_count(METRIC_TURNED_AWAY_BUSY);
	verdict_refuse(&x->verdict, REFUSAL_UNAVAILABLE,
	               "the server is %lld ms behind, and more urgent requests go first", (long long)lag_ms);
	verdict_tell(&x->verdict,
	             "The certificate authority is busy, and more urgent requests go first; try again later.");
	exchange_refuse(x);
	return false;
}

bool overload_admit_new(struct exchange *x)
{
	return admit(x, URGENCY_NEW);
}

static uint64_t key_of(const struct overload *o, const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ o->seed; /* FNV-1a */
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return h ^ h >> 29;
}

static bool admit_line(struct exchange *x, const char *line)
{
	struct overload *o = x->server->overload;
	int per_hour = x->snap->conf->overload.renewals_per_hour;
	int64_t now_ms = clock_mono(x->server->conf.clock).ns / DURATION_MS;
	uint64_t key = key_of(o, line);

	pthread_mutex_lock(&o->lock);
	int64_t wait_s = rate_take(o->lines, key, per_hour, now_ms);
	pthread_mutex_unlock(&o->lock);
	if (!wait_s)
		return true;
	metrics_count(METRIC_TURNED_AWAY_TOO_OFTEN);
	x->retry_s = wait_s + (int64_t)(chance_of(x) % (uint64_t)(wait_s / 4 + 2));
	verdict_refuse(&x->verdict, REFUSAL_TOO_OFTEN, "renewed too often: limits.renewalsPerHour is %d", per_hour);
	verdict_tell(&x->verdict,
	             "The certificate has been renewed too often (%d within an hour are allowed); does something renew "
	             "it in a loop? Try again in %lld s.",
	             per_hour, (long long)x->retry_s);
	verdict_advise(&x->verdict, "find out what renews it so often, or raise limits.renewalsPerHour");
	exchange_refuse(x);
	return false;
}

bool overload_admit_renewal(struct exchange *x, const char *line)
{
	const struct cert_facts *f = cert_facts(x->parent);
	/* In this order: who is told to come again has not renewed. */
	return admit(x, urgency_of_life(f->not_before, f->not_after, x->now)) &&
	       admit_line(x, *line ? line : f->serial_text);
}

/* --- the log, and the system -------------------------------------------------------------------------------------- */

bool overload_may_tell(struct overload *o, struct mono now, int64_t *ret_untold)
{
	*ret_untold = 0;
	pthread_mutex_lock(&o->lock);
	if (now.ns - o->second.ns >= DURATION_S) {
		o->second = now;
		o->told = 0;
		*ret_untold = o->untold;
		o->untold = 0;
	}
	bool may = o->told < TELL_A_SECOND;
	o->told += may;
	o->untold += !may;
	pthread_mutex_unlock(&o->lock);
	return may;
}

void overload_fit_descriptors(struct listener_limits *l, int others)
{
	int64_t beside = l->connections_spare + others + DESCRIPTORS_BESIDE, want = l->connections + beside;
	int64_t got = process_descriptors(want);
	if (got >= want)
		return;
	int64_t fit = got - beside;
	log_line(LOG_WARN,
	         "limits.connections: %d connections need %lld open files, and the system allows %lld: only %lld "
	         "connections are taken; raise LimitNOFILE= of the unit (or ulimit -Hn)",
	         l->connections, (long long)want, (long long)got, (long long)(fit > 1 ? fit : 1));
	l->connections = fit > 1 ? (int)fit : 1;
}
