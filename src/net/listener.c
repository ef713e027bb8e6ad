/* Starting and stopping: the socket, the threads, accept. */
#include "net/conn.h"

#include "net/url.h"
#include "os/auto.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

enum { ACCEPT_BATCH = 16 /* then the other events of the thread have a turn */, ACCEPT_AGAIN_MS = 100 };

static _Thread_local const struct worker *here;

bool worker_is_here(const struct worker *w)
{
	return here == w;
}

void worker_check_idle(struct worker *w)
{
	if (w->stopping && !w->conns && !w->requests)
		event_base_loopbreak(w->base);
}

/* -- accept --------------------------------------------------------------------------------------------------- */

static struct in6_addr address_of(const struct sockaddr_storage *sa, int *ret_port)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;
		*ret_port = ntohs(six->sin6_port);
		return six->sin6_addr;
	}
	if (sa->ss_family != AF_INET) { /* a unix socket: all are of this machine */
		*ret_port = 0;
		return in6addr_loopback;
	}
	const struct sockaddr_in *four = (const struct sockaddr_in *)sa;
	*ret_port = ntohs(four->sin_port);
	memcpy(&a.s6_addr[12], &four->sin_addr, 4);
	return a;
}

static void turn_away(struct worker *w, const struct sockaddr_storage *sa, enum place p)
{
	static const char *const whys[] = { [PLACE_FULL] = "too many connections",
		                            [PLACE_CROWDED] = "too many connections from this address",
		                            [PLACE_NOMEM] = "out of memory" };
	char remote[NI_MAXHOST] = "?";
	if (p == PLACE_CROWDED)
		listener_note(w->l, LISTENER_CROWDED);
	if (!w->l->conf.refused)
		return;
	getnameinfo((const struct sockaddr *)sa, sizeof *sa, remote, sizeof remote, NULL, 0, NI_NUMERICHOST);
	w->l->conf.refused(w->l->conf.ctx, remote, LISTENER_FULL, whys[p]);
}

static void accepted(struct worker *w, int fd, const struct sockaddr_storage *sa)
{
	int port;
	struct in6_addr from = address_of(sa, &port);
	enum place p = quota_enter(w->l->quota, &from, false);
	if (p == PLACE_FULL)
		p = quota_enter(w->l->quota, &from, !conn_evict(w));
	if (p == PLACE_FULL) /* another thread took the place that was made */
		p = quota_enter(w->l->quota, &from, true);
	if (p == PLACE_SPARE)
		listener_note(w->l, LISTENER_SPARE);
	if (p == PLACE_GIVEN || p == PLACE_SPARE) {
		conn_open(w, fd, &from, port, p == PLACE_SPARE);
		return;
	}
	close(fd);
	turn_away(w, sa, p);
}

static bool is_passing(int os)
{
	return os == EINTR || os == ECONNABORTED || os == EPROTO;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	(void)what;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage sa = { 0 };
		socklen_t n = sizeof sa;
		int got = accept4(fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			accepted(w, got, &sa);
		} else if (!is_passing(errno)) {
			if (errno != EAGAIN) { /* out of descriptors or memory: the waiting connection would spin us */
				event_del(w->accept_ev);
				event_add(w->accept_again_ev, &(struct timeval){ .tv_usec = ACCEPT_AGAIN_MS * 1000 });
			}
			return;
		}
	}
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	(void)fd;
	(void)what;
	if (!w->stopping)
		event_add(w->accept_ev, NULL);
}

/* -- lag ------------------------------------------------------------------------------------------------------ */

#define LAG_FRESH_NS INT64_C(1000000000) /* and 16 times the lag: what was measured longer ago says nothing */
#define LAG_IDLE_NS INT64_C(5000000)     /* a shorter turn leaves no queue */
#define LAG_MOST_NS INT64_C(10000000000) /* longer ones are no load: the machine slept, or we were stopped */

void worker_probe(struct worker *w)
{
	if (w->probed.ns)
		return;
	w->probed = clock_mono(w->l->conf.clock);
	event_active(w->lag_ev, EV_TIMEOUT, 0); /* behind everything that waits for its turn now */
}

/* Connections that the kernel holds for us: each turn of a loop takes ACCEPT_BATCH of them. */
static int64_t turns_waiting(const struct listener *l)
{
	struct tcp_info info;
	socklen_t n = sizeof info;
	if (getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &n))
		return 0;
	return info.tcpi_unacked /
	       (ACCEPT_BATCH * (int64_t)l->workers_n); /* of a listening socket: its queue's length */
}

static void on_lag(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	(void)fd;
	(void)what;
	w->lag_seen = clock_mono(w->l->conf.clock);
	int64_t turn_ns = w->lag_seen.ns - w->probed.ns;
	int64_t lag_ns = turn_ns > LAG_IDLE_NS && turn_ns < LAG_MOST_NS ? turn_ns * (1 + turns_waiting(w->l)) : turn_ns;
	w->lag_ns = lag_ns < LAG_MOST_NS ? lag_ns : LAG_MOST_NS;
	w->probed.ns = 0;
}

int64_t request_lag_ms(const struct request *r)
{
	const struct worker *w = r->w;
	int64_t ms = w->lag_ns / 1000000;
	int64_t age_ns = clock_mono(w->l->conf.clock).ns - w->lag_seen.ns;
	bool fresh = age_ns < LAG_FRESH_NS + 16 * w->lag_ns;
	return fresh ? ms : 0;
}

/* -- gathering ------------------------------------------------------------------------------------------------ */

enum {
	GATHER_MS = 2, /* less than a disk's fsync, or a journey to a database */
	PRIORITIES = 3 /* events have the middle one of themselves */
};

/* Whoever has not come further for so long is far away, slow, or hostile: nobody waits for him. */
static bool is_coming(const struct worker *w, enum wait kind, struct mono now)
{
	const struct conn *last = TAILQ_LAST(&w->waiting[kind], waiters);
	return last && now.ns - last->since.ns <= GATHER_MS * INT64_C(1000000);
}

static void gathered(struct worker *w)
{
	if (!w->gathering)
		return;
	w->gathering = false;
	event_del(w->late_ev);
	w->l->conf.gathered(w->l->conf.ctx);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	gathered(arg);
}

/* Of the lowest priority: no other event of the thread waits for its turn. Where memory was out for the timer, nobody
 * is waited for. */
static void on_calm(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct mono now = clock_mono(w->l->conf.clock);
	(void)fd;
	(void)what;
	if (!evtimer_pending(w->late_ev, NULL) || (!is_coming(w, WAIT_CLIENT, now) && !is_coming(w, WAIT_SILENT, now)))
		gathered(w);
}

void request_gather(const struct request *r)
{
	struct worker *w = r->w;
	const struct timeval late = { .tv_usec = GATHER_MS * 1000 };
	if (!w->gathering)
		event_add(w->late_ev, &late);
	w->gathering = true;
	event_active(w->calm_ev, EV_TIMEOUT, 0);
}

/* -- a worker's other events ---------------------------------------------------------------------------------- */

static void for_each_conn(struct worker *w, void (*fn)(struct conn *))
{
	for (struct conn *c = w->conns, *next; c; c = next) {
		next = c->next;
		fn(c);
	}
}

static void start_stopping(struct worker *w)
{
	int64_t ms = w->limits.drain_ms;
	w->stopping = true;
	event_del(w->accept_ev);
	event_add(w->drain_ev, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 });
	for_each_conn(w, conn_drain);
	worker_check_idle(w);
}

static void take_mail(struct worker *w)
{
	bool stop;
	for (struct request *r = mailbox_empty(w->box, &stop, &w->limits), *next; r; r = next) {
		next = r->next;
		conn_take_reply(r);
	}
	if (stop && !w->stopping)
		start_stopping(w);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	take_mail(arg);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_reap(arg);
}

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	(void)fd;
	(void)what;
	event_base_loopbreak(w->base);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	here = w;
	event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
	for_each_conn(w, conn_kill);
	take_mail(w);
	conn_reap(w);
	return NULL;
}

/* -- start and stop ------------------------------------------------------------------------------------------- */

static enum status worker_init(struct worker *w, struct listener *l, struct error *e)
{
	AUTO(event_config_free_p) struct event_config *config = event_config_new();
	w->l = l;
	w->limits = l->conf.limits;
	for (size_t i = 0; i < WAIT_KINDS; i++)
		TAILQ_INIT(&w->waiting[i]);
	if (mailbox_new(&w->box, e))
		return e->status;
	w->room = stream_room_new();
	if (!w->room)
		return error_nomem(e);
	/* One thread uses it; others speak to it through the mailbox. */
	if (!config || event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) ||
	    !(w->base = event_base_new_with_config(config)) || event_base_priority_init(w->base, PRIORITIES))
		return error_set(e, ST_IO, "event loop cannot be made");
	w->accept_ev = event_new(w->base, l->fd, EV_READ | EV_PERSIST, on_accept, w);
	w->accept_again_ev = evtimer_new(w->base, on_accept_again, w);
	w->wake_ev = event_new(w->base, w->box->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
	w->reap_ev = evtimer_new(w->base, on_reap, w);
	w->drain_ev = evtimer_new(w->base, on_drained, w);
	w->lag_ev = evtimer_new(w->base, on_lag, w);
	w->calm_ev = evtimer_new(w->base, on_calm, w);
	w->late_ev = evtimer_new(w->base, on_late, w);
	if (!w->accept_ev || !w->accept_again_ev || !w->wake_ev || !w->reap_ev || !w->drain_ev || !w->lag_ev ||
	    !w->calm_ev || !w->late_ev || event_priority_set(w->calm_ev, PRIORITIES - 1) ||
	    event_add(w->accept_ev, NULL) || event_add(w->wake_ev, NULL))
		return error_set(e, ST_IO, "event loop cannot be made");
	return ST_OK;
}

static void worker_done(struct worker *w)
{
	struct event *events[] = { w->accept_ev, w->accept_again_ev, w->wake_ev, w->reap_ev,
		                   w->drain_ev,  w->lag_ev,          w->calm_ev, w->late_ev };
	for (size_t i = 0; i < COUNT_OF(events); i++)
		if (events[i])
			event_free(events[i]);
	if (w->base)
		event_base_free(w->base);
	stream_room_free(w->room);
	mailbox_unref(w->box);
}

/* Answers that came after the thread's last look are told to `done`; later ones go nowhere. */
static void close_mailbox(struct worker *w)
{
	pthread_mutex_lock(&w->box->lock);
	w->box->closed = true;
	pthread_mutex_unlock(&w->box->lock);
	take_mail(w);
}

static void listener_free(struct listener *l)
{
	for (size_t i = 0; i < l->workers_n; i++)
		worker_done(&l->workers[i]);
	free(l->workers);
	quota_free(l->quota);
	fd_close_p(&l->fd);
	free(l->address);
	free(l);
}

static void listener_free_p(struct listener **l)
{
	if (*l)
		listener_free(*l);
}

/* The first `n` workers have threads. */
static void stop_threads(struct listener *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mailbox_post_stop(l->workers[i].box);
	for (size_t i = 0; i < n; i++)
		pthread_join(l->workers[i].thread, NULL);
	for (size_t i = 0; i < n; i++)
		close_mailbox(&l->workers[i]);
}

bool listener_alive(struct listener *l)
{
	bool all = true;
	for (size_t i = 0; i < l->workers_n; i++)
		all &= mailbox_ask(l->workers[i].box);
	return all;
}

void listener_stop(struct listener *l)
{
	if (!l)
		return;
	/* From here on who connects is refused. Otherwise the kernel would go on to take connections that nobody
	 * answers until the last running request is finished. */
	shutdown(l->fd, SHUT_RDWR);
	stop_threads(l, l->workers_n);
	listener_free(l);
}

static enum status start_threads(struct listener *l, struct error *e)
{
	sigset_t all, old;
	int failed = 0;
	size_t n = 0;
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; n < l->workers_n && !failed; n++)
		failed = pthread_create(&l->workers[n].thread, NULL, worker_main, &l->workers[n]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!failed)
		return ST_OK;
	stop_threads(l, n - 1);
	return error_os(e, failed, "thread");
}

/* ret: a bound and listening socket; the failed call in *ret_call otherwise. */
static int listen_on(int family, const struct sockaddr *sa, socklen_t n, const char **ret_call)
{
	AUTO(fd_close_p) int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	*ret_call = "socket";
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (family == AF_INET6) { /* IPv4 comes in too, where the address is "any" */
		bool any = IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)sa)->sin6_addr);
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ !any }, sizeof(int));
	}
	*ret_call = "bind";
	if (bind(fd, sa, n))
		return -1;
	*ret_call = "listen";
	if (listen(fd, SOMAXCONN))
		return -1;
	return FD_TAKE(fd);
}

static int listen_any(int port, const char **ret_call)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = listen_on(AF_INET6, (const struct sockaddr *)&six, sizeof six, ret_call);
	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) /* a machine without IPv6 */
		fd = listen_on(AF_INET, (const struct sockaddr *)&four, sizeof four, ret_call);
	return fd;
}

DEFINE_AUTO(struct addrinfo *, freeaddrinfo);

static enum status open_socket(struct listener *l, struct error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *ai = NULL;
	AUTO(freeaddrinfo_p) struct addrinfo *found = NULL;
	struct url u;
	char port[8];
	const char *call = "bind";

	if (url_parse_listen(l->address, &u, e))
		return error_wrap(e, "address '%s'", l->address);
	snprintf(port, sizeof port, "%d", u.port);
	if (!u.host[0]) {
		l->fd = listen_any(u.port, &call);
	} else {
		int failed = getaddrinfo(u.host, port, &hints, &found);
		if (failed)
			return error_set(e, ST_IO, "listen tcp %s: %s", l->address, gai_strerror(failed));
		for (ai = found; ai && l->fd < 0; ai = ai->ai_next)
			l->fd = listen_on(ai->ai_family, ai->ai_addr, ai->ai_addrlen, &call);
	}
	return l->fd < 0 ? error_os(e, errno, "listen tcp %s: %s", l->address, call) : ST_OK;
}

static int bound_port(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof sa;
	int port = 0;
	if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
		address_of(&sa, &port);
	return port;
}

enum status listener_start(const struct listener_conf *conf, struct listener **ret, struct error *e)
{
	AUTO(fd_close_p) int given = conf->address ? -1 : conf->socket;
	AUTO(listener_free_p) struct listener *l = calloc(1, sizeof *l);
	if (!l)
		return error_nomem(e);
	l->fd = FD_TAKE(given);
	l->conf = *conf;
	l->address = conf->address ? text_dup(slice_cstr(conf->address)) : NULL;
	l->workers = calloc((size_t)conf->threads, sizeof *l->workers);
	if ((conf->address && !l->address) || !l->workers)
		return error_nomem(e);
	if (conf->exempt)
		l->exempt = *conf->exempt;
	const struct quota_rule rule = { conf->limits.connections, conf->limits.connections_spare,
		                         conf->limits.connections_per_address, &l->exempt };
	if ((conf->address && open_socket(l, e)) || quota_new(&rule, &l->quota, e))
		return e->status;
	l->port = bound_port(l->fd);
	for (; l->workers_n < (size_t)conf->threads; l->workers_n++)
		if (worker_init(&l->workers[l->workers_n], l, e)) {
			worker_done(&l->workers[l->workers_n]);
			return e->status;
		}
	signal(SIGPIPE, SIG_IGN);
	if (start_threads(l, e))
		return e->status;
	*ret = TAKE(l);
	return ST_OK;
}

void listener_set_limits(struct listener *l, const struct listener_limits *limits)
{
	quota_set(l->quota, limits->connections, limits->connections_spare, limits->connections_per_address);
	for (size_t i = 0; i < l->workers_n; i++)
		mailbox_post_limits(l->workers[i].box, limits);
}

int listener_port(const struct listener *l)
{
	return l->port;
}

int listener_connections(struct listener *l)
{
	return quota_total(l->quota);
}

/* -- counts --------------------------------------------------------------------------------------------------- */

static const char *const count_names[] = {
	[LISTENER_SPARE] = "spare",
	[LISTENER_CROWDED] = "crowded",
	[LISTENER_EVICTED] = "evicted",
	[LISTENER_RESTLESS] = "restless",
};
_Static_assert(COUNT_OF(count_names) == LISTENER_COUNTS, "a count has no name");

const char *listener_count_name(enum listener_count c)
{
	return count_names[c];
}

int64_t listener_count(const struct listener *l, enum listener_count c)
{
	return atomic_load_explicit(&l->counts[c], memory_order_relaxed);
}
