/* From a name to a connection: addresses, and CONNECT through a proxy. */
#include "net/job.h"

#include "base/duration.h"
#include "os/auto.h"
#include "os/clock.h"
#include "os/unixsocket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { DIAL_LEAST_MS = 2000 };

static void proxy_said(struct https_job *j, const char *what)
{
	char proxy[AUTHORITY_MAX], host[AUTHORITY_MAX];
	error_set(&j->error, ST_PEER, "proxy %s: CONNECT %s: %s", url_authority(&j->proxy, 0, proxy),
	          url_authority(&j->url, 0, host), what);
	job_end(j, HTTPS_PROXY, ST_PEER);
}

static void on_proxy_read(struct bufferevent *bev, void *arg)
{
	struct https_job *j = arg;
	struct error e = ERROR_INIT;
	char text[160];
	size_t n;

	evbuffer_add_buffer(j->in, bufferevent_get_input(bev));
	const char *bytes = job_take_head(j, &n);
	if (!bytes)
		return;
	if (http1_parse_response(slice_of(bytes, n), false, &j->head, &e)) {
		snprintf(text, sizeof text, "malformed answer: %.100s", e.text);
		proxy_said(j, text);
	} else if (j->head.status < 200) {
		on_proxy_read(bev, arg); /* interim: the next head */
	} else if (j->head.status > 299) {
		snprintf(text, sizeof text, "%d %.100s", j->head.status, http1_reason(j->head.status));
		proxy_said(j, text);
	} else if (evbuffer_get_length(j->in)) {
		proxy_said(j, "bytes behind the answer");
	} else {
		bufferevent_free(TAKE(j->bev));
		job_start_tls(j);
	}
}

static void on_proxy_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	proxy_said(arg, "connection closed");
}

static void start_proxy(struct https_job *j)
{
	j->phase = JOB_PROXY;
	j->bev = bufferevent_socket_new(j->base, j->fd, 0);
	if (!j->bev || bufferevent_write(j->bev, j->connect.p, j->connect.n)) {
		job_end_nomem(j);
		return;
	}
	bufferevent_setcb(j->bev, on_proxy_read, NULL, on_proxy_event, j);
	bufferevent_enable(j->bev, EV_READ | EV_WRITE);
}

static void note_dial_error(struct https_job *j, int os)
{
	char host[INET6_ADDRSTRLEN + 20] = "?", port[8] = "?";
	bool six = j->at->ai_family == AF_INET6;
	getnameinfo(j->at->ai_addr, j->at->ai_addrlen, host, sizeof host, port, sizeof port,
	            NI_NUMERICHOST | NI_NUMERICSERV);
	if (!j->error.status) /* the first address's error is the one to tell */
		error_os(&j->error, os, "%sdial tcp %s%s%s:%s: connect", j->has_proxy ? "proxyconnect tcp: " : "",
		         six ? "[" : "", host, six ? "]" : "", port);
}

/* An equal share of the time that is left for each address that is left, but not less than two seconds. */
static struct timeval dial_share(const struct https_job *j)
{
	int64_t left_ms = (j->until.ns - clock_mono(&clock_system).ns) / DURATION_MS, n = 0;
	for (const struct addrinfo *ai = j->at; ai; ai = ai->ai_next)
		n++;
	int64_t ms = left_ms / n > DIAL_LEAST_MS ? left_ms / n : DIAL_LEAST_MS;
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

/* True where the connection is under way. */
static bool dial(struct https_job *j)
{
	struct timeval share = dial_share(j);
	AUTO(fd_close_p) int fd = socket(j->at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		note_dial_error(j, errno);
		return false;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(fd, j->at->ai_addr, j->at->ai_addrlen) && errno != EINPROGRESS) {
		note_dial_error(j, errno);
		return false;
	}
	if (event_assign(j->dial_ev, j->base, fd, EV_WRITE, job_on_dial, j) || event_add(j->dial_ev, &share)) {
		note_dial_error(j, ENOMEM);
		return false;
	}
	j->fd = FD_TAKE(fd);
	return true;
}

static void dial_next(struct https_job *j)
{
	for (; j->at; j->at = j->at->ai_next)
		if (dial(j))
			return;
	job_end(j, j->has_proxy ? HTTPS_PROXY : HTTPS_CONNECT, j->error.status);
}

void job_on_dial(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	int os = ETIMEDOUT;
	socklen_t n = sizeof os;
	if (what & EV_WRITE)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &os, &n);
	if (os) {
		note_dial_error(j, os);
		job_hang_up(j);
		j->at = j->at->ai_next;
		dial_next(j);
		return;
	}
	j->error = ERROR_INIT;
	if (j->has_proxy)
		start_proxy(j);
	else
		job_start_tls(j);
}

/* On this machine a connection stands at once, or not at all. */
static void dial_socket(struct https_job *j)
{
	AUTO(fd_close_p) int fd = -1;
	if (unix_socket_connect(j->socket_path, &fd, &j->error)) {
		job_end(j, HTTPS_CONNECT, ST_IO);
		return;
	}
	evutil_make_socket_nonblocking(fd);
	j->fd = FD_TAKE(fd);
	job_start_tls(j);
}

/* Waits for the resolver. What it says is told from the loop, like all that the network says. */
void job_dial(struct https_job *j)
{
	const struct url *to = j->has_proxy ? &j->proxy : &j->url;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	char port[8];
	if (j->socket_path) {
		dial_socket(j);
		return;
	}
	snprintf(port, sizeof port, "%d", to->port);
	int failed = getaddrinfo(to->host, port, &hints, &j->addresses);
	if (failed) {
		bool none = failed == EAI_NONAME || failed == EAI_NODATA;
		error_set(&j->error, ST_IO, "%sdial tcp: lookup %s: %s", j->has_proxy ? "proxyconnect tcp: " : "",
		          to->host, none ? "no such host" : gai_strerror(failed));
		job_end(j, j->has_proxy ? HTTPS_PROXY : HTTPS_RESOLVE, ST_IO);
		return;
	}
	j->at = j->addresses;
	dial_next(j);
}
