/* A call's life: its start, its end, and the waiting in between (job.h has the map). */
#include "net/job.h"

#include "base/duration.h"
#include "os/auto.h"
#include "os/clock.h"

#include <netdb.h>
#include <signal.h>

enum { TIMEOUT_MS = 15000, CONNECT_MAX = 8192, REQUEST_MAX = 8 << 20 };

const char *const job_waiting_for[] = {
	[JOB_DIAL] = "connecting",
	[JOB_PROXY] = "waiting for the proxy",
	[JOB_TLS] = "waiting for the TLS handshake",
	[JOB_HEAD] = "waiting for the answer",
	[JOB_BODY] = "reading the answer",
	[JOB_ENDED] = "",
};

void https_response_done(struct https_response *r)
{
	buf_done(&r->body);
	chain_done(&r->peer);
}

/* -- the end -------------------------------------------------------------------------------------------------- */

void job_hang_up(struct https_job *j)
{
	if (j->bev) {
		bufferevent_setcb(j->bev, NULL, NULL, NULL, NULL);
		bufferevent_free(j->bev);
	}
	j->bev = NULL;
	SSL_free(TAKE(j->ssl));
	fd_close_p(&j->fd);
	j->fd = -1;
}

static void job_free(struct https_job *j)
{
	struct event *events[] = { j->deadline_ev, j->dial_ev, j->look_ev, j->end_ev };
	for (size_t i = 0; i < COUNT_OF(events); i++)
		if (events[i])
			event_free(events[i]);
	job_hang_up(j);
	if (j->in)
		evbuffer_free(j->in);
	if (j->addresses)
		freeaddrinfo(j->addresses);
	SSL_CTX_free(j->ctx);
	buf_done(&j->connect);
	buf_done(&j->request);
	https_response_done(&j->resp);
	free(j->method);
	free(j->url_text);
	free(j->head_bytes);
	free(j);
}

static void job_free_p(struct https_job **j)
{
	if (*j)
		job_free(*j);
}

void https_cancel(struct https_job *j)
{
	if (j)
		job_free(j);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	struct https_response resp = { .body = BUF_INIT(HTTPS_BODY_MAX) };
	struct https_outcome outcome = j->outcome;
	struct error e = j->error;
	enum status st = j->status;
	https_done *done = j->done;
	(void)fd;
	(void)what;

	if (st) {
		error_wrap(&e, "client %s %s failed", j->method, j->url_text);
	} else {
		resp = j->resp;
		j->resp = (struct https_response){ 0 };
	}
	void *done_arg = j->arg;
	job_free(j);
	done(done_arg, st, &resp, &outcome, &e);
}

void job_end(struct https_job *j, enum https_failure failure, enum status st)
{
	if (j->phase == JOB_ENDED)
		return;
	j->phase = JOB_ENDED;
	j->status = st;
	j->outcome = (struct https_outcome){ .failure = failure, .alert = failure == HTTPS_ALERT ? j->alert : 0 };
	if (j->bev) {
		bufferevent_setcb(j->bev, NULL, NULL, NULL, NULL);
		bufferevent_disable(j->bev, EV_READ | EV_WRITE);
	}
	event_del(j->deadline_ev);
	event_active(j->end_ev, EV_TIMEOUT, 0);
}

void job_end_nomem(struct https_job *j)
{
	job_end(j, HTTPS_LOCAL, error_nomem(&j->error));
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	char limit[DURATION_TEXT];
	(void)fd;
	(void)what;
	error_set(&j->error, ST_AGAIN, "no answer within %s (%s)", duration_format(j->timeout_ms * DURATION_MS, limit),
	          job_waiting_for[j->phase]);
	job_end(j, HTTPS_TIMEOUT, ST_AGAIN);
}

/* -- the beginning -------------------------------------------------------------------------------------------- */

static enum status make_events(struct https_job *j, struct error *e)
{
	struct timeval tv = { .tv_sec = j->timeout_ms / 1000, .tv_usec = j->timeout_ms % 1000 * 1000 };
	j->in = evbuffer_new();
	j->deadline_ev = evtimer_new(j->base, on_deadline, j);
	j->dial_ev = evtimer_new(j->base, job_on_dial, j);
	j->look_ev = evtimer_new(j->base, job_on_look, j);
	j->end_ev = evtimer_new(j->base, on_end, j);
	if (!j->in || !j->deadline_ev || !j->dial_ev || !j->look_ev || !j->end_ev || event_add(j->deadline_ev, &tv))
		return error_nomem(e);
	return ST_OK;
}

enum status https_start(struct event_base *base, const struct https_conf *c, const struct https_request *q,
                        https_done *done, void *arg, struct https_job **ret, struct error *e)
{
	AUTO(job_free_p) struct https_job *j = calloc(1, sizeof *j);
	if (!j)
		return error_nomem(e);
	*j = (struct https_job){ .base = base,
		                 .done = done,
		                 .arg = arg,
		                 .fd = -1,
		                 .timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS,
		                 .connect = BUF_SECRET(CONNECT_MAX),
		                 .request = BUF_SECRET(REQUEST_MAX),
		                 .resp.body = BUF_INIT(HTTPS_BODY_MAX) };
	j->until.ns = clock_mono(&clock_system).ns + j->timeout_ms * DURATION_MS;
	j->method = text_dup(slice_cstr(q->method));
	j->url_text = text_dup(slice_cstr(q->url));
	if (!j->method || !j->url_text)
		return error_nomem(e);
	if (url_parse_https(j->url_text, &j->url, e) || job_write_request(j, c, q, e) ||
	    (c->proxy && !c->socket_path && job_write_connect(j, c, e)) || job_make_context(j, c, e) || make_events(j, e))
		return error_wrap(e, "client %s %s failed", q->method, q->url);
	j->socket_path = c->socket_path;
	job_dial(j);
	*ret = TAKE(j);
	return ST_OK;
}

/* -- waiting -------------------------------------------------------------------------------------------------- */

struct call {
	enum status st;
	struct https_response *resp;
	struct https_outcome *outcome;
	struct error *e;
};

static void on_call_done(void *arg, enum status st, struct https_response *r, const struct https_outcome *o,
                         const struct error *e)
{
	struct call *call = arg;
	call->st = st;
	*call->resp = *r;
	*call->outcome = *o;
	*call->e = *e;
}

enum status https_call(const struct https_conf *c, const struct https_request *q, struct https_response *ret,
                       struct https_outcome *ret_outcome, struct error *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct https_job *job;
	struct call call = { .st = ST_BUG, .resp = ret, .outcome = ret_outcome, .e = e };
	AUTO(event_base_free_p) struct event_base *base = event_base_new();

	*ret = (struct https_response){ .body = BUF_INIT(HTTPS_BODY_MAX) };
	*ret_outcome = (struct https_outcome){ .failure = HTTPS_LOCAL };
	if (!base)
		return error_set(e, ST_IO, "event loop cannot be made");
	if (https_start(base, c, q, on_call_done, &call, &job, e))
		return e->status;
	sigaction(SIGPIPE, &ignore, &old);
	event_base_dispatch(base); /* until the job has no event left: it has told us */
	sigaction(SIGPIPE, &old, NULL);
	return call.st;
}
