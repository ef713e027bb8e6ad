#include "net/http.h"

#include "net/input.h"
#include "net/url.h"
#include "os/auto.h"
#include "os/clock.h"
#include "os/unixsocket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { REQUEST_BYTES = 1 << 20, HEAD_BYTES = 64 << 10, READ_BYTES = 64 << 10, TIMEOUT_MS = 60000 };

struct call {
	char name[AUTHORITY_MAX]; /* for the Host field */
	int fd;
	struct mono until;
	struct evbuffer *in;
	char *head_bytes; /* what head's slices point into */
	struct http1_head head;
	struct http_response r;
};

void http_response_done(struct http_response *r)
{
	buf_done(&r->body);
}

static void call_done(struct call *c)
{
	fd_close_p(&c->fd);
	if (c->in)
		evbuffer_free(c->in);
	free(c->head_bytes);
	http_response_done(&c->r);
}

static enum status wait_for(const struct call *c, short events, struct error *e)
{
	for (;;) {
		int64_t ms = (c->until.ns - clock_mono(&clock_system).ns) / 1000000;
		struct pollfd p = { .fd = c->fd, .events = events };
		int n = ms > 0 ? poll(&p, 1, (int)(ms < INT32_MAX ? ms : INT32_MAX)) : 0;
		if (n > 0)
			return ST_OK;
		if (n == 0)
			return error_set(e, ST_AGAIN, "no answer in time");
		if (errno != EINTR)
			return error_os(e, errno, "poll");
	}
}

static enum status send_all(const struct call *c, struct slice s, struct error *e)
{
	while (s.n) {
		if (wait_for(c, POLLOUT, e))
			return e->status;
		ssize_t n = send(c->fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return error_os(e, errno, "send");
		if (n > 0)
			s = slice_of(s.p + n, s.n - (size_t)n);
	}
	return ST_OK;
}

static enum status send_request(const struct call *c, const struct http_request *q, struct error *e)
{
	AUTO(buf_done) struct buf b = BUF_INIT(REQUEST_BYTES);
	buf_addf(&b, "%s %s HTTP/1.1\r\n", q->method, q->target);
	http1_add_field(&b, "Host", c->name);
	if (q->body.n)
		buf_addf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", q->body.n);
	buf_adds(&b, "Connection: close\r\n\r\n");
	buf_add_slice(&b, q->body);
	return buf_check(&b, e) ? e->status : send_all(c, buf_slice(&b), e);
}

static enum status receive(const struct call *c, bool *ret_end, struct error *e)
{
	if (wait_for(c, POLLIN, e))
		return e->status;
	int n = evbuffer_read(c->in, c->fd, READ_BYTES);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return error_os(e, errno, "receive");
	*ret_end = n == 0;
	return ST_OK;
}

static enum status read_head(struct call *c, struct error *e)
{
	bool end = false;
	size_t n = 0;
	for (size_t scanned = 0; !(n = input_head_size(c->in, &scanned));) {
		if (end || evbuffer_get_length(c->in) > HEAD_BYTES)
			return error_set(e, ST_PEER,
			                 end ? "the connection ended before the answer"
			                     : "the answer's header is too large");
		if (receive(c, &end, e))
			return e->status;
	}
	if (!(c->head_bytes = malloc(n)))
		return error_nomem(e);
	evbuffer_remove(c->in, c->head_bytes, n);
	if (http1_parse_response(slice_of(c->head_bytes, n), false, &c->head, e))
		return e->status == ST_NOMEM ? e->status : error_set(e, ST_PEER, "malformed HTTP response");
	c->r.status = c->head.status;
	return ST_OK;
}

static enum status read_body(struct call *c, struct error *e)
{
	struct http1_chunked chunked = HTTP1_CHUNKED_INIT;
	for (bool whole = false, end = false;;) {
		enum status st = input_take_body(c->in, &c->head, &chunked, &c->r.body, &whole, e);
		if (st)
			return st == ST_INVALID ? error_set(e, ST_PEER, "malformed HTTP response") : st;
		if (whole || (end && c->head.framing == HTTP1_UNTIL_CLOSE))
			return ST_OK;
		if (end)
			return error_set(e, ST_PEER, "the connection ended within the answer");
		if (receive(c, &end, e))
			return e->status;
	}
}

/* One address of the host, within the deadline. */
static enum status dial(struct call *c, const struct addrinfo *ai, struct error *e)
{
	AUTO(fd_close_p) int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int os = 0;
	socklen_t n = sizeof os;
	if (fd < 0)
		return error_os(e, errno, "socket");
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) && errno != EINPROGRESS)
		return error_os(e, errno, "connect");
	c->fd = fd;
	enum status st = wait_for(c, POLLOUT, e);
	c->fd = -1;
	if (st)
		return st;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &os, &n);
	if (os)
		return error_os(e, os, "connect");
	c->fd = FD_TAKE(fd);
	return ST_OK;
}

DEFINE_AUTO(struct addrinfo *, freeaddrinfo);

static enum status dial_host(struct call *c, const struct http_request *q, struct error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *ai;
	AUTO(freeaddrinfo_p) struct addrinfo *found = NULL;
	char port[8];
	snprintf(port, sizeof port, "%d", q->port);
	int failed = getaddrinfo(q->host, port, &hints, &found);
	if (failed)
		return error_set(e, ST_IO, "lookup: %s", gai_strerror(failed));
	for (ai = found; ai && dial(c, ai, e); ai = ai->ai_next)
		;
	return ai ? ST_OK : e->status;
}

static enum status name_and_connect(struct call *c, const struct http_request *q, struct error *e)
{
	struct url u = { .port = q->port };
	if (q->socket) {
		snprintf(c->name, sizeof c->name, "localhost");
		return unix_socket_connect(q->socket, &c->fd, e);
	}
	snprintf(u.host, sizeof u.host, "%s", q->host);
	url_authority(&u, 80, c->name);
	return dial_host(c, q, e) ? error_wrap(e, "%s", c->name) : ST_OK;
}

enum status http_call(const struct http_request *q, struct http_response *ret, struct error *e)
{
	AUTO(call_done) struct call c = { .fd = -1, .r.body = BUF_INIT(HTTP_BODY_MAX) };
	c.until.ns = clock_mono(&clock_system).ns + (q->timeout_ms > 0 ? q->timeout_ms : TIMEOUT_MS) * 1000000;
	*ret = (struct http_response){ 0 };
	if (name_and_connect(&c, q, e))
		return e->status;
	if (!(c.in = evbuffer_new()))
		return error_nomem(e);
	if (send_request(&c, q, e) || read_head(&c, e) || read_body(&c, e))
		return error_wrap(e, "%s", q->socket ? q->socket : c.name);
	*ret = c.r;
	c.r = (struct http_response){ 0 };
	return ST_OK;
}
