/* siege - clients of a CA. Those that mean no good, in one event loop, from addresses all over 127.0.0.0/8, each
 * connecting anew when it is thrown out:
 *
 *   siege PORT SECONDS KIND N [KIND N]...
 *     half         connects and says nothing            garbage      random bytes in place of a handshake
 *     idle         a handshake, and no request          drip         a request, a byte at a time
 *     headers      header lines without end             renegotiate  TLS 1.2 renegotiation without end
 *     update       TLS 1.3 key updates without end      abort        half a request, then a reset
 *
 * says "ready" when all of half, idle and drip are there, or after RAMP_S; SECONDS begin then. At the end it
 * prints for each kind: kind N opened O shaken S ended E refused R most M  (opened: connections, shaken: handshakes
 * done, ended: by the server, refused: that could not be made, most: open and shaken at one time). And honest ones, in
 * threads:
 *
 *   siege PORT SECONDS honest THREADS PEM PAUSE_MS
 *
 * each of which renews PEM over a new connection, rests, and begins again. Prints: honest N ok O later L bad B p50 US
 * p99 US max US  (later: 429 and 503; bad: anything else, or no answer). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 100,
	EVENTS = 512,
	LINE = 1024,
	RAMP_S = 60,
	KINDS_MAX = 16,
	DIAL_MAX = 512 /* each tick: an accept queue is short */
};

static uint16_t port;
static int64_t end_ms;

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static struct sockaddr_in loopback(uint32_t host, uint16_t at)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(at), .sin_addr.s_addr = htonl(host) };
}

/* -- those that mean no good --------------------------------------------------------------------------------------- */

enum stage { GONE, DIALING, SHAKING, THERE };

struct foe;

static const struct kind {
	const char *name;
	int stays;                  /* until it is thrown out */
	int tls;                    /* highest version; 0: none */
	void (*act)(struct foe *f); /* each tick, once THERE; NULL: nothing */
} kinds[];

struct foe {
	const struct kind *kind;
	enum stage stage;
	int fd;
	SSL *ssl;
	long acts;
};

struct crowd {
	const struct kind *kind;
	struct foe *v;
	int n;
	long opened, shaken, ended, refused;
	int most;
};

static int loop;
static SSL_CTX *contexts[2]; /* any version; TLS 1.2 at most */

static void leave(struct foe *f)
{
	SSL_free(f->ssl);
	f->ssl = NULL;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->stage = GONE;
	f->acts = 0;
	ERR_clear_error();
}

static void reset(struct foe *f)
{
	setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	SSL_set_quiet_shutdown(f->ssl, 1);
	leave(f);
}

static void say(struct foe *f, const char *text, size_t n)
{
	SSL_write(f->ssl, text, (int)n); /* what does not go out does not go out */
	ERR_clear_error();
}

static void drip(struct foe *f)
{
	static const char head[] = "POST /renew HTTP/1.1\r\nHost: ca\r\nX-Slow: ";
	char c = (size_t)f->acts < sizeof head - 1 ? head[f->acts] : 'z';
	say(f, &c, 1);
}

static void headers(struct foe *f)
{
	static char line[LINE];
	static const char start[] = "GET /health HTTP/1.1\r\nHost: ca\r\n";
	if (!*line) {
		memset(line, 'x', sizeof line);
		for (size_t i = 0; i + 8 < sizeof line; i += 64)
			memcpy(line + i, "\r\nX-Y: ", 7);
	}
	if (!f->acts)
		say(f, start, sizeof start - 3); /* its last line is ended by the next */
	say(f, line, sizeof line);
}

static void renegotiate(struct foe *f)
{
	SSL_renegotiate(f->ssl);
	SSL_do_handshake(f->ssl);
	ERR_clear_error();
}

static void update(struct foe *f)
{
	SSL_key_update(f->ssl, SSL_KEY_UPDATE_REQUESTED);
	SSL_do_handshake(f->ssl);
	ERR_clear_error();
}

static void throw_garbage(struct foe *f)
{
	uint32_t bytes[128];
	for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
		bytes[i] = (uint32_t)random();
	if (!f->acts && send(f->fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		leave(f);
}

static void begin_and_reset(struct foe *f)
{
	static const char half[] = "POST /renew HTTP/1.1\r\nHost: ca\r\nContent-Length: 100\r\n\r\nhalf of i";
	say(f, half, sizeof half - 1);
	reset(f);
}

static const struct kind kinds[] = {
	{ "half", 1, 0, NULL },
	{ "garbage", 0, 0, throw_garbage },
	{ "idle", 1, TLS1_3_VERSION, NULL },
	{ "drip", 1, TLS1_3_VERSION, drip },
	{ "headers", 0, TLS1_3_VERSION, headers },
	{ "renegotiate", 0, TLS1_2_VERSION, renegotiate },
	{ "update", 0, TLS1_3_VERSION, update },
	{ "abort", 0, TLS1_3_VERSION, begin_and_reset },
};

/* From an address of its own, nearly: a million of them. */
static void dial(struct crowd *c, struct foe *f)
{
	struct sockaddr_in from = loopback(0x7f100000 + (uint32_t)(random() % 0xfffff), 0),
			   to = loopback(INADDR_LOOPBACK, port);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		die("socket");
	setsockopt(f->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = f };
	if (bind(f->fd, (struct sockaddr *)&from, sizeof from) ||
	    (connect(f->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, f->fd, &ev)) {
		c->refused++;
		leave(f);
		return;
	}
	f->stage = DIALING;
}

static void arrive(struct crowd *c, struct foe *f)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = f };
	epoll_ctl(loop, EPOLL_CTL_MOD, f->fd, &ev);
	f->stage = THERE;
	c->shaken += f->kind->tls != 0;
}

static void connected(struct crowd *c, struct foe *f)
{
	int failed = 0;
	socklen_t n = sizeof failed;
	getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &failed, &n);
	if (failed) {
		c->refused++;
		leave(f);
		return;
	}
	c->opened++;
	if (!f->kind->tls) {
		arrive(c, f);
		return;
	}
	f->ssl = SSL_new(contexts[f->kind->tls == TLS1_2_VERSION]);
	if (!f->ssl)
		die("SSL_new");
	SSL_set_fd(f->ssl, f->fd);
	f->stage = SHAKING;
}

static void shake(struct crowd *c, struct foe *f)
{
	int n = SSL_connect(f->ssl);
	if (n == 1) {
		arrive(c, f);
		return;
	}
	int why = SSL_get_error(f->ssl, n);
	struct epoll_event ev = { .events = why == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN, .data.ptr = f };
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
		epoll_ctl(loop, EPOLL_CTL_MOD, f->fd, &ev);
		return;
	}
	c->ended++;
	leave(f);
}

/* Reads to see the end. */
static void hear(struct crowd *c, struct foe *f)
{
	char scratch[4096];
	ssize_t n;
	if (f->ssl) {
		n = SSL_read(f->ssl, scratch, sizeof scratch);
		if (n > 0 || SSL_get_error(f->ssl, (int)n) == SSL_ERROR_WANT_READ)
			return;
	} else {
		n = recv(f->fd, scratch, sizeof scratch, MSG_DONTWAIT);
		if (n > 0 || (n < 0 && errno == EAGAIN))
			return;
	}
	c->ended++;
	leave(f);
}

static struct crowd *crowd_of(struct crowd *crowds, int n, const struct foe *f)
{
	for (int i = 0; i < n; i++)
		if (f >= crowds[i].v && f < crowds[i].v + crowds[i].n)
			return &crowds[i];
	abort();
}

static void on_event(struct crowd *c, struct foe *f)
{
	if (f->stage == DIALING)
		connected(c, f);
	if (f->stage == SHAKING)
		shake(c, f);
	else if (f->stage == THERE)
		hear(c, f);
}

/* Returns whether all who stay are there. */
static int tick(struct crowd *c)
{
	int dialed = 0, there = 0;
	for (struct foe *f = c->v; f < c->v + c->n; f++) {
		if (f->stage == GONE && dialed < DIAL_MAX) {
			dial(c, f);
			dialed++;
		} else if (f->stage == THERE) {
			there++;
			if (f->kind->act)
				f->kind->act(f);
			f->acts++;
		}
	}
	c->most = there > c->most ? there : c->most;
	return !c->kind->stays || there == c->n;
}

static void besiege(struct crowd *crowds, int n)
{
	static struct epoll_event events[EVENTS];
	int64_t next_us = 0, ramp_end_us = now_us() + RAMP_S * INT64_C(1000000), seconds_ms = end_ms - now_us() / 1000;
	int ready = 0;
	loop = epoll_create1(EPOLL_CLOEXEC);
	end_ms = INT64_MAX;
	while (now_us() / 1000 < end_ms) {
		if (now_us() >= next_us) {
			next_us = now_us() + TICK_MS * 1000;
			int all = 1;
			for (int i = 0; i < n; i++)
				all &= tick(&crowds[i]);
			if (!ready && (all || now_us() > ramp_end_us)) {
				ready = puts("ready") >= 0 && !fflush(stdout);
				end_ms = now_us() / 1000 + seconds_ms;
			}
		}
		int wait_ms = (int)((next_us - now_us()) / 1000);
		int got = epoll_wait(loop, events, EVENTS, wait_ms > 0 ? wait_ms : 0);
		for (int i = 0; i < got; i++) {
			struct foe *f = events[i].data.ptr;
			on_event(crowd_of(crowds, n, f), f);
		}
	}
	for (int i = 0; i < n; i++)
		printf("%s %d opened %ld shaken %ld ended %ld refused %ld most %d\n", crowds[i].kind->name, crowds[i].n,
		       crowds[i].opened, crowds[i].shaken, crowds[i].ended, crowds[i].refused, crowds[i].most);
}

static SSL_CTX *context(int max)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(c, max);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
	return c;
}

static struct crowd muster(const char *name, int n)
{
	struct crowd c = { .n = n };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			c.kind = &kinds[i];
	if (!c.kind || n < 1 || !(c.v = calloc((size_t)n, sizeof *c.v))) {
		fprintf(stderr, "siege: no kind %s\n", name);
		exit(2);
	}
	for (int i = 0; i < n; i++)
		c.v[i] = (struct foe){ .kind = c.kind, .fd = -1 };
	return c;
}

/* -- honest ones --------------------------------------------------------------------------------------------------- */

struct honest {
	pthread_t thread;
	SSL_CTX *ctx;
	int64_t *took_us;
	size_t n, room;
	long ok, later, bad;
	int pause_ms;
};

/* The status of the answer; 0: none. */
static int renew(SSL_CTX *ctx)
{
	static const char request[] = "POST /1.0/renew HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
	struct sockaddr_in to = loopback(INADDR_LOOPBACK, port);
	struct timeval limit = { .tv_sec = 60 };
	char answer[16384];
	int status = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (!connect(fd, (struct sockaddr *)&to, sizeof to) && SSL_connect(ssl) == 1 &&
	    SSL_write(ssl, request, sizeof request - 1) > 0) {
		int n = SSL_read(ssl, answer, sizeof answer - 1);
		if (n > 12 && !memcmp(answer, "HTTP/1.1 ", 9))
			status = (int)strtol(answer + 9, NULL, 10);
	}
	SSL_free(ssl);
	close(fd);
	ERR_clear_error();
	return status;
}

static void *honest_main(void *arg)
{
	struct honest *h = arg;
	while (now_us() / 1000 < end_ms) {
		int64_t begun_us = now_us();
		int status = renew(h->ctx);
		for (int again = 0; !status && again < 2; again++) /* its place went to another: it comes back, as step does */
			status = renew(h->ctx);
		h->ok += status == 201;
		h->later += status == 429 || status == 503;
		h->bad += status != 201 && status != 429 && status != 503;
		if (h->n < h->room)
			h->took_us[h->n++] = now_us() - begun_us;
		usleep((useconds_t)h->pause_ms * 1000); /* the pace is what is asked for */
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static void serve_honestly(int threads, const char *pem, int pause_ms)
{
	enum { ROOM = 1 << 20 };
	struct honest *h = calloc((size_t)threads, sizeof *h), sum = { 0 };
	SSL_CTX *ctx = context(TLS1_3_VERSION);
	if (SSL_CTX_use_certificate_chain_file(ctx, pem) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) != 1)
		die(pem);
	sum.took_us = calloc(ROOM, sizeof *sum.took_us);
	for (int i = 0; i < threads; i++) {
		h[i] = (struct honest){ .ctx = ctx, .room = ROOM / (size_t)threads, .pause_ms = pause_ms };
		h[i].took_us = calloc(h[i].room, sizeof *h[i].took_us);
		if (pthread_create(&h[i].thread, NULL, honest_main, &h[i]))
			die("thread");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(h[i].thread, NULL);
		memcpy(sum.took_us + sum.n, h[i].took_us, h[i].n * sizeof *h[i].took_us);
		sum.n += h[i].n;
		sum.ok += h[i].ok;
		sum.later += h[i].later;
		sum.bad += h[i].bad;
	}
	qsort(sum.took_us, sum.n, sizeof *sum.took_us, by_size);
	printf("honest %zu ok %ld later %ld bad %ld p50 %lld p99 %lld max %lld\n", sum.n, sum.ok, sum.later, sum.bad,
	       (long long)sum.took_us[sum.n / 2], (long long)sum.took_us[sum.n * 99 / 100],
	       (long long)sum.took_us[sum.n ? sum.n - 1 : 0]);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct crowd crowds[KINDS_MAX];
	int n = 0;
	if (argc < 5) {
		fprintf(stderr,
		        "usage: siege PORT SECONDS KIND N... | siege PORT SECONDS honest THREADS PEM PAUSE_MS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	port = (uint16_t)strtol(argv[1], NULL, 10);
	end_ms = now_us() / 1000 + strtol(argv[2], NULL, 10) * 1000;
	if (!strcmp(argv[3], "honest") && argc == 7) {
		serve_honestly((int)strtol(argv[4], NULL, 10), argv[5], (int)strtol(argv[6], NULL, 10));
		return 0;
	}
	contexts[0] = context(TLS1_3_VERSION);
	contexts[1] = context(TLS1_2_VERSION);
	for (int i = 3; i + 1 < argc && n < KINDS_MAX; i += 2, n++)
		crowds[n] = muster(argv[i], (int)strtol(argv[i + 1], NULL, 10));
	besiege(crowds, n);
	return 0;
}
