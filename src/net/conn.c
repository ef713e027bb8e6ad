/* One connection, from accept to close. Each state waits for one thing under one timer; conn.h has the diagram.
 *
 *   SILENT     STREAM_KNOCK, the first byte: until then it costs some hundred bytes, and TLS would cost thousands
 *   HANDSHAKE  on_stream -> handshake_done, handshake_failed; a plain listener's connections begin behind it
 *   IDLE       step_idle: the first byte of a request
 *   HEAD       step_head: the empty line
 *   BODY       step_body: as many bytes as the head promised; then hand_over
 *   RUNNING    conn_take_reply, or give_up
 *   WRITING    on_sent -> next request, or finish
 *   LINGER     on_linger: reading what is still on its way, since closing over unread bytes makes the kernel send a
 *              reset, which may overtake the answer or the alert */
#include "net/conn.h"

#include "crypto/ossl.h"
#include "net/input.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINGER_MS = 2000,
	LINGER_MAX = 4 << 20
}; /* a refused body of a few MiB is read to its end, so that the 413 arrives */

static const struct listener_conf *conf_of(const struct conn *c)
{
	return &c->w->l->conf;
}

/* The one timer: whatever it was set to before is forgotten. */
static void arm(struct conn *c, int64_t ms)
{
	if (ms < 0)
		ms = 0;
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	if (event_add(c->timer, &tv))
		conn_kill(c);
}

/* -- where it stands ------------------------------------------------------------------------------------------- */

enum {
	EVICT_LOOK = 8, /* of each kind */
};

/* A connection that has just come is not slow: it may be us who have no time for it. */
static const int64_t grace_ms[] = { [WAIT_GONE] = 0, [WAIT_IDLE] = 0, [WAIT_SILENT] = 50, [WAIT_CLIENT] = 1000 };

static const enum wait waits[] = {
	[CONN_SILENT] = WAIT_SILENT,  [CONN_HANDSHAKE] = WAIT_CLIENT, [CONN_IDLE] = WAIT_CLIENT,
	[CONN_HEAD] = WAIT_CLIENT,    [CONN_BODY] = WAIT_CLIENT,      [CONN_RUNNING] = WAIT_NONE,
	[CONN_WRITING] = WAIT_CLIENT, [CONN_LINGER] = WAIT_GONE,      [CONN_DEAD] = WAIT_NONE,
};

static void enter(struct conn *c, enum conn_state state)
{
	enum wait before = c->wait;
	c->state = state;
	c->wait = state == CONN_IDLE && c->served ? WAIT_IDLE : waits[state];
	if (c->wait == before)
		return;
	if (before != WAIT_NONE)
		TAILQ_REMOVE(&c->w->waiting[before], c, waiters);
	if (c->wait == WAIT_NONE)
		return;
	c->since = clock_mono(conf_of(c)->clock);
	TAILQ_INSERT_TAIL(&c->w->waiting[c->wait], c, waiters);
}

static bool may_evict(const struct conn *c, struct mono now)
{
	int64_t grace_ns = 4 * c->w->lag_ns + grace_ms[c->wait] * 1000000;
	return c->wait == WAIT_GONE || now.ns - c->since.ns > grace_ns;
}

/* Of those that wait longest: one whose address has the most connections. */
bool conn_evict(struct worker *w)
{
	struct mono now = clock_mono(w->l->conf.clock);
	struct conn *victim = NULL;
	int most = -1;
	for (size_t kind = 0; kind < WAIT_KINDS; kind++) {
		struct conn *c = TAILQ_FIRST(&w->waiting[kind]);
		for (int i = 0; c && i < EVICT_LOOK && may_evict(c, now); i++, c = TAILQ_NEXT(c, waiters)) {
			int n = kind == WAIT_GONE ? INT_MAX : quota_count(w->l->quota, &c->from);
			if (n > most) {
				victim = c;
				most = n;
			}
		}
	}
	if (!victim)
		return false;
	listener_note(w->l, LISTENER_EVICTED);
	if (victim->state == CONN_IDLE)
		stream_close_notify(victim->stream);
	conn_kill(victim);
	return true;
}

static void tell_refused(const struct conn *c, enum listener_refusal kind, const char *why)
{
	if (conf_of(c)->refused)
		conf_of(c)->refused(conf_of(c)->ctx, c->remote, kind, why);
}

/* -- the end -------------------------------------------------------------------------------------------------- */

static void unlink_conn(struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->w->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

/* The handler may still have the request; then it only learns that nobody waits for it any more. */
static void drop_request(struct conn *c)
{
	struct request *r = TAKE(c->req);
	if (!r)
		return;
	r->conn = NULL;
	if (c->state != CONN_RUNNING)
		request_end(r, 0, 0);
}

void conn_kill(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	drop_request(c);
	enter(c, CONN_DEAD);
	if (c->stream)
		stream_stop(c->stream);
	if (c->timer)
		event_del(c->timer);
	if (c->linger_ev)
		event_del(c->linger_ev);
	unlink_conn(c);
	c->next = c->w->dead;
	c->w->dead = c;
	if (c->restless >= RESTLESS_CUT)
		listener_note(c->w->l, LISTENER_RESTLESS);
	quota_leave(c->w->l->quota, &c->from);
	event_active(c->w->reap_ev, EV_TIMEOUT, 0);
	worker_check_idle(c->w);
}

static void conn_free(struct conn *c)
{
	stream_free(c->stream);
	SSL_free(c->ssl);
	if (c->timer)
		event_free(c->timer);
	if (c->linger_ev)
		event_free(c->linger_ev);
	close(c->fd);
	cert_unref(c->peer);
	free(c);
}

void conn_reap(struct worker *w)
{
	while (w->dead) {
		struct conn *c = w->dead;
		w->dead = c->next;
		conn_free(c);
	}
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	char scratch[4096];
	(void)what;
	ssize_t n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
	c->lingered += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->lingered > LINGER_MAX)
		conn_kill(c);
}

static void linger(struct conn *c)
{
	stream_stop(c->stream);
	shutdown(c->fd, SHUT_WR);
	enter(c, CONN_LINGER);
	c->linger_ev = event_new(c->w->base, c->fd, EV_READ | EV_PERSIST, on_linger, c);
	if (!c->linger_ev || event_add(c->linger_ev, NULL)) {
		conn_kill(c);
		return;
	}
	arm(c, LINGER_MS);
}

static void finish(struct conn *c)
{
	bool more = c->refused || evbuffer_get_length(stream_input(c->stream)) > 0;
	stream_close_notify(c->stream);
	if (more)
		linger(c);
	else
		conn_kill(c);
}

/* -- answers -------------------------------------------------------------------------------------------------- */

/* What the output has taken over, it frees. */
static bool write_tail(struct conn *c, struct request *r)
{
	struct response *t = &r->tail;
	if (!t->body_free)
		return true;
	if (evbuffer_add_reference(stream_output(c->stream), t->body.p, t->body.n, t->body_free, t->body_owner))
		return false;
	t->body_free = NULL;
	return true;
}

/* r: whose body follows; NULL: none */
static void write_bytes(struct conn *c, const struct buf *b, struct request *r)
{
	struct error e = ERROR_INIT;
	enter(c, CONN_WRITING);
	stream_enable(c->stream, false);
	if (buf_check(b, &e) || evbuffer_add(stream_output(c->stream), b->p, b->n) || (r && !write_tail(c, r))) {
		conn_kill(c);
		return;
	}
	arm(c, c->w->limits.request_ms);
	stream_send(c->stream, c->close);
}

void conn_take_reply(struct request *r)
{
	struct conn *c = r->conn;
	if (!c) {
		request_end(r, r->late_status, r->late_body_n);
		return;
	}
	c->close |= r->close;
	write_bytes(c, &r->reply, r);
}

/* Answers without the handler; the connection ends with it, for nobody knows where the next request would begin. */
static void refuse(struct conn *c, int status, const char *text)
{
	char body[256];
	snprintf(body, sizeof body, "%d %s%s%s\n", status, http1_reason(status), *text ? ": " : "", text);
	struct response resp = {
		.status = status, .content_type = "text/plain; charset=utf-8", .body = slice_cstr(body), .close = true
	};
	struct error e = ERROR_INIT;

	if (!c->req)
		st_ignore(request_new(c, SLICE_NONE, &c->req, &e), "without an id, or without a request, we go on");
	if (!c->req) {
		conn_kill(c);
		return;
	}
	c->close = c->refused = true;
	request_set_reply(c->req, &resp, clock_wall(conf_of(c)->clock));
	write_bytes(c, &c->req->reply, NULL);
}

/* The handler has the request and may be answering it in another thread this very moment: only what never changes in
 * it is looked at. */
static void give_up(struct conn *c)
{
	static const char text[] = "503 Service Unavailable: no answer in time\n";
	struct response resp = { .status = 503,
		                 .content_type = "text/plain; charset=utf-8",
		                 .body = slice_cstr(text),
		                 .headers = { { "Retry-After", "30" } } };
	AUTO(buf_done) struct buf b = BUF_INIT(4096);
	struct request *late = TAKE(c->req);

	late->conn = NULL;
	late->late_status = resp.status;
	late->late_body_n = request_format_reply(late, &resp, true, clock_wall(conf_of(c)->clock), &b);
	c->close = c->refused = true;
	write_bytes(c, &b, NULL);
}

/* -- requests ------------------------------------------------------------------------------------------------- */

static void hand_over(struct conn *c)
{
	enter(c, CONN_RUNNING);
	stream_enable(c->stream, false); /* what is sent on waits in the kernel, within its bounds */
	c->req->handed_over = true;
	c->req->spare = c->spare;
	c->close |= c->spare;
	c->w->requests++;
	worker_probe(c->w);
	conf_of(c)->handler(conf_of(c)->ctx, c->req);
}

/* True where the state changed and the next step may find what it waits for in the input. */
static bool step_idle(struct conn *c)
{
	struct evbuffer *in = stream_input(c->stream);
	char two[2];
	/* RFC 9112 §2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one
	 * empty line (CRLF) received prior to the request-line". The idle timer bounds them. */
	while (evbuffer_copyout(in, two, 2) == 2 && two[0] == '\r' && two[1] == '\n')
		evbuffer_drain(in, 2);
	if (!evbuffer_get_length(in) ||
	    (evbuffer_get_length(in) == 1 && evbuffer_copyout(in, two, 1) && two[0] == '\r'))
		return false;
	c->begun = clock_mono(conf_of(c)->clock);
	c->scanned = 0;
	enter(c, CONN_HEAD);
	arm(c, c->w->limits.header_ms);
	return true;
}

static bool is_method(const char *s)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE" };
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (strcmp(methods[i], s) == 0)
			return true;
	return false;
}

static int status_of(enum status st)
{
	return st == ST_LIMIT ? 431 : st == ST_INVALID ? 400 : 503;
}

static int64_t ms_since(struct conn *c, struct mono then)
{
	return (clock_mono(conf_of(c)->clock).ns - then.ns) / 1000000;
}

/* Where memory is out the client goes on without being told, a little later. */
static void tell_continue(struct conn *c)
{
	if (!evbuffer_add(stream_output(c->stream), "HTTP/1.1 100 Continue\r\n\r\n", 25))
		stream_send(c->stream, false);
}

static bool accept_head(struct conn *c)
{
	const struct listener_limits *limits = &c->w->limits;
	const struct http1_head *head = &c->req->head;

	if (!is_method(c->req->method)) {
		refuse(c, 501, "unknown method");
		return false;
	}
	if (head->framing == HTTP1_LENGTH && head->length > limits->body_bytes) {
		refuse(c, 413, "");
		return false;
	}
	if (head->expect_continue && head->framing != HTTP1_EMPTY && !evbuffer_get_length(stream_input(c->stream)))
		tell_continue(c);
	c->chunked = HTTP1_CHUNKED_INIT;
	enter(c, CONN_BODY);
	arm(c, limits->request_ms - ms_since(c, c->begun));
	return true;
}

static bool step_head(struct conn *c)
{
	struct evbuffer *in = stream_input(c->stream);
	size_t n = input_head_size(in, &c->scanned), max = c->w->limits.header_bytes;
	struct error e = ERROR_INIT;

	if (n > max || (!n && evbuffer_get_length(in) > max)) {
		refuse(c, 431, "");
		return false;
	}
	if (!n)
		return false;
	const uint8_t *p = evbuffer_pullup(in, (ev_ssize_t)n);
	enum status st = p ? request_new(c, slice_of(p, n), &c->req, &e) : error_nomem(&e);
	evbuffer_drain(in, n);
	if (st) {
		refuse(c, status_of(st), e.text);
		return false;
	}
	return accept_head(c);
}

static bool step_body(struct conn *c)
{
	struct error e = ERROR_INIT;
	bool whole;
	enum status st =
		input_take_body(stream_input(c->stream), &c->req->head, &c->chunked, &c->req->body, &whole, &e);
	if (st)
		refuse(c, st == ST_LIMIT ? 413 : status_of(st), st == ST_LIMIT ? "" : e.text);
	else if (whole)
		hand_over(c);
	return false;
}

static bool (*const steps[])(struct conn *) = {
	[CONN_IDLE] = step_idle,
	[CONN_HEAD] = step_head,
	[CONN_BODY] = step_body,
	[CONN_DEAD] = NULL,
};

static void advance(struct conn *c)
{
	while (steps[c->state] && steps[c->state](c))
		;
}

/* -- events --------------------------------------------------------------------------------------------------- */

static void handshake_done(struct conn *c)
{
	X509 *x = SSL_get0_peer_certificate(c->ssl);
	struct error e = ERROR_INIT;

	if (conf_of(c)->greeted)
		conf_of(c)->greeted(conf_of(c)->ctx, clock_mono(conf_of(c)->clock).ns - c->begun.ns);
	if (x && SSL_get_verify_result(c->ssl) == X509_V_OK && cert_of_x509(x, &c->peer, &e)) {
		tell_refused(c, LISTENER_HANDSHAKE_FAILED, e.text);
		conn_kill(c);
		return;
	}
	enter(c, CONN_IDLE);
	arm(c, c->w->limits.idle_ms);
}

/* Why: the first of OpenSSL's reasons. */
static const char *handshake_failure(struct conn *c, bool *ret_plain_http)
{
	const char *why = NULL;
	for (unsigned long code; (code = ERR_get_error());) {
		if (ERR_GET_LIB(code) != ERR_LIB_SSL)
			continue;
		*ret_plain_http |= ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
		if (!why)
			why = ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "TLS handshake failed";
	}
	if (SSL_get_verify_result(c->ssl) != X509_V_OK)
		why = X509_verify_cert_error_string(SSL_get_verify_result(c->ssl));
	return why ? why : "connection closed during the TLS handshake";
}

static void handshake_failed(struct conn *c, bool eof)
{
	static const char answer[] =
		"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
	bool plain_http = false;

	tell_refused(c, LISTENER_HANDSHAKE_FAILED, handshake_failure(c, &plain_http));
	if (plain_http && send(c->fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		conn_kill(c);
		return;
	}
	if (eof)
		conn_kill(c);
	else
		linger(c);
}

static void on_sent(struct conn *c)
{
	if (c->state != CONN_WRITING) /* 100 Continue */
		return;
	struct request *r = TAKE(c->req);
	if (r)
		request_end(r, r->status, r->body_n);
	c->served = true;
	if (c->close || c->w->stopping) {
		finish(c);
		return;
	}
	enter(c, CONN_IDLE);
	stream_enable(c->stream, true);
	arm(c, c->w->limits.idle_ms);
	advance(c);
}

/* The rest of what was begun will not come. */
static void on_eof(struct conn *c)
{
	if (c->state == CONN_IDLE)
		stream_close_notify(c->stream);
	conn_kill(c);
}

static bool start_tls(struct conn *c)
{
	const struct listener_conf *conf = conf_of(c);
	AUTO(SSL_CTX_free_p) SSL_CTX *ctx = conf->tls(conf->ctx);

	c->ssl = ctx ? SSL_new(ctx) : NULL;
	if (!c->ssl)
		return false;
	enter(c, CONN_HANDSHAKE);
	SSL_set_app_data(c->ssl, &c->restless);
	X509_VERIFY_PARAM_set_time(SSL_get0_param(c->ssl), clock_wall(conf->clock).s);
	return stream_secure(c->stream, c->ssl);
}

static void on_knock(struct conn *c)
{
	if (!start_tls(c))
		conn_kill(c);
	ossl_forget_errors();
}

static void on_stream(void *ctx, enum stream_event event)
{
	struct conn *c = ctx;
	if (event == STREAM_KNOCK)
		on_knock(c);
	else if (event == STREAM_OPEN)
		handshake_done(c);
	else if (event == STREAM_INPUT)
		advance(c);
	else if (event == STREAM_SENT)
		on_sent(c);
	else if (c->state == CONN_HANDSHAKE)
		handshake_failed(c, event == STREAM_EOF);
	else if (event == STREAM_EOF)
		on_eof(c);
	else
		conn_kill(c);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	(void)fd;
	(void)what;
	if (c->state == CONN_SILENT || c->state == CONN_HANDSHAKE)
		tell_refused(c, LISTENER_HANDSHAKE_LATE, "TLS handshake took too long");
	if (c->state == CONN_IDLE)
		stream_close_notify(c->stream);
	if (c->state == CONN_RUNNING)
		give_up(c);
	else if ((c->state == CONN_HEAD || c->state == CONN_BODY))
		refuse(c, 408, "");
	else
		conn_kill(c);
}

void conn_drain(struct conn *c)
{
	if (c->state == CONN_IDLE)
		stream_close_notify(c->stream);
	if (c->state == CONN_IDLE || c->state == CONN_HANDSHAKE || c->state == CONN_SILENT)
		conn_kill(c);
}

/* -- the beginning -------------------------------------------------------------------------------------------- */

/* The process that connected; it cannot say anything else. */
static void find_user(struct conn *c)
{
	struct ucred who;
	socklen_t n = sizeof who;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &n))
		return;
	c->has_user = true;
	c->user = who.uid;
	snprintf(c->remote, sizeof c->remote, "uid %u pid %d", (unsigned)who.uid, (int)who.pid);
}

static void format_remote(struct conn *c, int port)
{
	char text[INET6_ADDRSTRLEN];
	if (IN6_IS_ADDR_V4MAPPED(&c->from)) {
		inet_ntop(AF_INET, &c->from.s6_addr[12], text, sizeof text);
		snprintf(c->remote, sizeof c->remote, "%s:%d", text, port);
	} else {
		inet_ntop(AF_INET6, &c->from, text, sizeof text);
		snprintf(c->remote, sizeof c->remote, "[%s]:%d", text, port);
	}
}

static bool start(struct conn *c)
{
	bool tls = conf_of(c)->tls;
	c->timer = evtimer_new(c->w->base, on_timer, c);
	if (!c->timer)
		return false;
	if (!tls)
		enter(c, CONN_IDLE);
	c->stream = stream_new(c->w->base, c->w->room, c->fd, tls, on_stream, c);
	return c->stream;
}

void conn_open(struct worker *w, int fd, const struct in6_addr *from, int port, bool spare)
{
	struct conn *c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		quota_leave(w->l->quota, from);
		return;
	}
	*c = (struct conn){ .w = w, .fd = fd, .from = *from, .spare = spare, .wait = WAIT_NONE, .next = w->conns };
	c->begun = clock_mono(conf_of(c)->clock);
	if (c->next)
		c->next->prev = c;
	w->conns = c;
	enter(c, CONN_SILENT);
	worker_probe(w);
	if (conf_of(c)->address) {
		format_remote(c, port);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	} else {
		find_user(c);
	}
	if (start(c))
		arm(c, conf_of(c)->tls ? c->w->limits.handshake_ms : c->w->limits.idle_ms);
	else
		conn_kill(c);
	ossl_forget_errors();
}
