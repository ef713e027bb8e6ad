/* The listener on loopback, against a client that does what it should not. Limits are tens of milliseconds where a test
 * waits for one; nothing sleeps. */
#include "net/listener.h"
#include "fail.h"
#include "net/auto.h"
#include "os/auto.h"
#include "os/unixsocket.h"
#include "tmpdir.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pki pki;
static int given_socket = -1; /* for a listener without an address */
static bool slim;             /* for the listeners that a test starts */

static bool is_slim(void)
{
	return slim && OpenSSL_version_num() < 0x30200000;
}

enum { HELD_MAX = 16 };

/* A listener with a handler, and what it was told. */
struct stage {
	struct listener *l;
	SSL_CTX *tls;
	int port;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int handled, done, died, refused, freed, greeted;
	enum listener_refusal refusal;
	int last_status;
	size_t last_bytes;
	char why[256], last_path[64];
	int shared_freed;
	int stalled;
	bool go;
	struct request *held[HELD_MAX];
	int held_n;
	_Atomic int arrived; /* counted before the lock is taken */
};

static SSL_CTX *give_tls(void *ctx)
{
	struct stage *s = ctx;
	SSL_CTX_up_ref(s->tls);
	return s->tls;
}

static void answer(struct request *r, int status, const char *text)
{
	struct response resp = { .status = status, .content_type = "text/plain", .body = slice_cstr(text) };
	resp.headers[0].name = "X-Extra";
	resp.headers[0].value = "one\r\nX-Evil: two";
	request_reply(r, &resp);
}

static void *answer_elsewhere(void *arg)
{
	answer(arg, 200, "from another thread");
	return NULL;
}

static void note_freed(void *ctx)
{
	struct stage *s = ctx;
	pthread_mutex_lock(&s->lock);
	s->freed++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void hold(struct stage *s, struct request *r)
{
	pthread_mutex_lock(&s->lock);
	if (s->held_n == HELD_MAX)
		abort();
	s->held[s->held_n++] = r;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void stall(struct stage *s, struct request *r)
{
	pthread_mutex_lock(&s->lock);
	s->stalled++;
	pthread_cond_broadcast(&s->changed);
	while (!s->go)
		pthread_cond_wait(&s->changed, &s->lock);
	s->go = false;
	pthread_mutex_unlock(&s->lock);
	answer(r, 200, "went on");
}

static void answer_gathered(void *ctx)
{
	struct stage *s = ctx;
	char text[32];
	snprintf(text, sizeof text, "one of %d", s->held_n);
	while (s->held_n > 0)
		answer(s->held[--s->held_n], 200, text);
}

enum { SHARED_BYTES = 3 << 20 };
static char shared_body[SHARED_BYTES];

static void note_shared_freed(const void *body, size_t n, void *ctx)
{
	struct stage *s = ctx;
	pthread_mutex_lock(&s->lock);
	s->shared_freed += body == shared_body && n == SHARED_BYTES;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void handle(void *ctx, struct request *r)
{
	struct stage *s = ctx;
	s->arrived++;
	struct cert *peer = request_peer(r);
	char text[512];
	pthread_t thread;

	pthread_mutex_lock(&s->lock);
	s->handled++;
	pthread_mutex_unlock(&s->lock);
	request_set_context(r, s, note_freed);
	if (!strcmp(request_path(r), "/hold")) {
		hold(s, r);
	} else if (!strcmp(request_path(r), "/gather")) {
		request_gather(r);
		hold(s, r);
	} else if (!strcmp(request_path(r), "/stall")) {
		stall(s, r);
	} else if (!strcmp(request_path(r), "/thread")) {
		pthread_create(&thread, NULL, answer_elsewhere, r);
		pthread_detach(thread);
	} else if (!strcmp(request_path(r), "/close")) {
		request_reply(r, &(struct response){ .status = 200, .body = SLICE_LIT("bye"), .close = true });
	} else if (!strcmp(request_path(r), "/shared")) {
		request_reply(r, &(struct response){ .status = 200,
		                                     .body = slice_of(shared_body, SHARED_BYTES),
		                                     .body_free = note_shared_freed,
		                                     .body_owner = s });
	} else if (!strcmp(request_path(r), "/spare")) {
		answer(r, 200, request_is_spare(r) ? "a spare place" : "a place of its own");
	} else if (!strcmp(request_path(r), "/empty")) {
		request_reply(r, &(struct response){ .status = 204 });
	} else if (!strcmp(request_path(r), "/who")) {
		uid_t uid = 4711;
		bool has = request_user(r, &uid);
		snprintf(text, sizeof text, "%s has=%d uid=%d", request_remote(r), has, (int)uid);
		answer(r, 200, text);
	} else {
		const char *agent = request_header(r, "user-agent");
		snprintf(text, sizeof text, "%s %s ?%s %s peer=%s body=%zu:%.*s", request_method(r), request_path(r),
		         request_query(r), agent ? agent : "-", peer ? cert_facts(peer)->common_name : "none",
		         request_body(r).n, (int)(request_body(r).n > 40 ? 40 : request_body(r).n),
		         (const char *)request_body(r).p);
		answer(r, 200, text);
	}
}

static void note_done(void *ctx, struct request *r, int status, size_t bytes)
{
	struct stage *s = ctx;
	pthread_mutex_lock(&s->lock);
	s->done++;
	s->died += status == 0;
	s->last_status = status;
	s->last_bytes = bytes;
	snprintf(s->last_path, sizeof s->last_path, "%s", request_path(r));
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void note_refused(void *ctx, const char *remote, enum listener_refusal kind, const char *why)
{
	struct stage *s = ctx;
	pthread_mutex_lock(&s->lock);
	s->refused++;
	s->refusal = kind;
	snprintf(s->why, sizeof s->why, "%s %s", remote, why);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void note_greeted(void *ctx, int64_t took_ns)
{
	struct stage *s = ctx;
	pthread_mutex_lock(&s->lock);
	s->greeted++;
	if (took_ns <= 0 || took_ns > 60 * INT64_C(1000000000))
		abort();
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Until the counter is at least n; fails after ten seconds. */
static void wait_for(struct stage *s, const int *counter, int n)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&s->lock);
	while (*counter < n)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until))
			break;
	int got = *counter;
	pthread_mutex_unlock(&s->lock);
	assert_in_range(got, n, INT32_MAX);
}

static struct listener_limits roomy(void)
{
	struct listener_limits l = LISTENER_LIMITS_DEFAULT;
	l.body_bytes = 4096;
	l.header_bytes = 2048;
	return l;
}

static void stage_start_with(struct stage *s, struct listener_limits limits, int threads, const char *address,
                             const struct listener_tls_conf *tls)
{
	struct error e = ERROR_INIT;
	*s = (struct stage){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	struct listener_conf conf = { .address = address,
		                      .socket = given_socket,
		                      .threads = threads,
		                      .limits = limits,
		                      .clock = &clock_system,
		                      .handler = handle,
		                      .tls = give_tls,
		                      .done = note_done,
		                      .refused = note_refused,
		                      .greeted = note_greeted,
		                      .gathered = answer_gathered,
		                      .ctx = s };
	if (!tls)
		conf.tls = NULL;
	if ((tls && listener_tls_new(tls, &s->tls, &e)) || listener_start(&conf, &s->l, &e))
		fail_msg("%s", e.text);
	s->port = listener_port(s->l);
	assert_int_equal(s->port == 0, !address);
}

static struct listener_tls_conf tls_conf(void)
{
	return (struct listener_tls_conf){
		.chain = &pki.server.chain, .key = pki.server.key, .client_roots = &pki.client_roots, .slim = slim
	};
}

static void stage_start(struct stage *s, struct listener_limits limits, int threads)
{
	struct listener_tls_conf tls = tls_conf();
	stage_start_with(s, limits, threads, "127.0.0.1:0", &tls);
}

/* Whatever a test did: every request that was handed over is told of once, and its context freed once. */
static void stage_stop(struct stage *s)
{
	listener_stop(s->l);
	s->l = NULL;
	assert_int_equal(s->freed, s->handled);
	assert_in_range(s->done, s->handled, INT32_MAX);
	SSL_CTX_free(s->tls);
}

static void assert_has(const struct buf *b, const char *what)
{
	if (!strstr(buf_cstr(b), what))
		fail_msg("'%s' is not in: %s", what, buf_cstr(b));
}

static void assert_has_not(const struct buf *b, const char *what)
{
	if (strstr(buf_cstr(b), what))
		fail_msg("'%s' is in: %s", what, buf_cstr(b));
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: ca\r\n"

/* -- what is done together ------------------------------------------------------------------------------------ */

/* Requests that come in one turn of the loop are gathered, if the machine lets that turn be shorter than what is waited
 * at most: in one of many tries it does. A request that is never told of gets no answer. */
static void what_comes_together_is_gathered(void **state)
{
	enum { N = 4, TRIES = 100 };
	struct stage s;
	struct wire first, w[N];
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	bool together = false;
	(void)state;

	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&first, s.port, NULL));
	for (int i = 0; i < N; i++) {
		assert_true(wire_open(&w[i], s.port, NULL));
		assert_true(wire_puts(&w[i], GET("/gather") "\r\n")); /* alone */
		assert_true(wire_read_answer(&w[i], false, &got));
		assert_has(&got, "one of 1");
	}
	for (int k = 0; k < TRIES && !together; k++) {
		assert_true(wire_puts(&first, GET("/stall") "\r\n"));
		wait_for(&s, &s.stalled, k + 1);
		for (int i = 0; i < N; i++)
			assert_true(wire_puts(&w[i], GET("/gather") "\r\n"));
		pthread_mutex_lock(&s.lock);
		s.go = true;
		pthread_cond_broadcast(&s.changed);
		pthread_mutex_unlock(&s.lock);
		assert_true(wire_read_answer(&first, false, &got));
		for (int i = 0; i < N; i++) {
			assert_true(wire_read_answer(&w[i], false, &got));
			together |= strstr(buf_cstr(&got), "one of 4") != NULL;
		}
	}
	assert_true(together);
	wire_close(&first);
	for (int i = 0; i < N; i++)
		wire_close(&w[i]);
	stage_stop(&s);
}

/* -- what works ----------------------------------------------------------------------------------------------- */

static void answers(void **state)
{
	static const struct {
		const char *request;
		bool to_head;
		const char *has[4], *has_not;
	} rows[] = {
		{ GET("/a?b=c") "User-Agent: me\r\n\r\n",
		  false,
		  { "HTTP/1.1 200 OK\r\n", "\r\n\r\nGET /a ?b=c me peer=none body=0:", " GMT\r\n", "Content-Length: " },
		  "Connection" },
		{ "HEAD /a HTTP/1.1\r\nHost: ca\r\n\r\n",
		  true,
		  { "HTTP/1.1 200 OK\r\n", "Content-Length: 29\r\n" },
		  "peer=" },
		{ "POST /a HTTP/1.1\r\nHost: ca\r\nContent-Length: 5\r\n\r\nhello", false, { "body=5:hello" }, NULL },
		{ "PUT /a HTTP/1.1\r\nHost: ca\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: "
		  "v\r\n\r\n",
		  false,
		  { "PUT /a", "body=5:hello" },
		  NULL },
		{ "DELETE /x HTTP/1.1\r\nHost: ca\r\n\r\n", false, { "DELETE /x" }, NULL },
		{ "OPTIONS * HTTP/1.1\r\nHost: ca\r\n\r\n", false, { "OPTIONS *" }, NULL },
		{ "PATCH /x HTTP/1.1\r\nHost: ca\r\n\r\n", false, { "PATCH /x" }, NULL },
		{ "\r\n\r\n" GET("/crlf") "\r\n", false, { "GET /crlf" }, NULL },
		{ GET("/thread") "\r\n", false, { "from another thread" }, NULL },
		{ GET("/empty") "\r\n", true, { "HTTP/1.1 204 No Content\r\n" }, "Content-Length" },
		{ GET("/a") "\r\n", false, { "X-Extra: one??X-Evil: two\r\n" }, "\nX-Evil" },
		{ GET("/a") "X-Request-Id: req-1\r\n\r\n", false, { "X-Request-Id: req-1\r\n" }, NULL },
		{ GET("/a") "X-Smallstep-Id: smid\r\n\r\n", false, { "X-Request-Id: smid\r\n" }, NULL },
		{ GET("/a") "X-Request-Id: two words\r\nX-Smallstep-Id: smid\r\n\r\n",
		  false,
		  { "X-Request-Id: smid\r\n" },
		  NULL },
		{ GET("/a") "X-Request-Id: 01234567890123456789012345678901234567890123456789012345678901234\r\n\r\n",
		  false,
		  { "X-Request-Id: " },
		  "X-Request-Id: 0123456789012345678901234567890" },
		{ "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		  false,
		  { "GET /old", "Connection: keep-alive\r\n" },
		  NULL },
	};
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;

	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	for (size_t i = 0; i < COUNT_OF(rows); i++) { /* all on one connection */
		assert_true(wire_puts(&w, rows[i].request));
		if (!wire_read_answer(&w, rows[i].to_head, &got))
			fail_msg("row %zu: no answer, only '%s'", i, buf_cstr(&got));
		for (size_t k = 0; k < COUNT_OF(rows[i].has) && rows[i].has[k]; k++)
			assert_has(&got, rows[i].has[k]);
		if (rows[i].has_not)
			assert_has_not(&got, rows[i].has_not);
	}
	wire_close(&w);
	wait_for(&s, &s.done, COUNT_OF(rows));
	assert_int_equal(s.done, COUNT_OF(rows));
	assert_int_equal(s.died, 0);
	stage_stop(&s);
}

static void request_id_is_a_uuid(void **state)
{
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf one = BUF_INIT(1 << 16), two = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, GET("/a") "\r\n") && wire_read_answer(&w, false, &one));
	assert_true(wire_puts(&w, GET("/a") "\r\n") && wire_read_answer(&w, false, &two));
	const char *a = strstr(buf_cstr(&one), "X-Request-Id: "), *b = strstr(buf_cstr(&two), "X-Request-Id: ");
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(a[14 + 14], '4');
	assert_true(strchr("89ab", a[14 + 19]));
	assert_memory_equal(a + 14 + 36, "\r\n", 2);
	assert_memory_not_equal(a, b, 14 + 36);
	wire_close(&w);
	stage_stop(&s);
}

/* Three requests in one write, answered in order, the second by another thread. */
static void pipelining(void **state)
{
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(
		&w, GET("/1") "\r\n" GET("/thread") "\r\nPOST /3 HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n"
						    "Content-Length: 2\r\n\r\nokGET /never HTTP/1.1\r\n\r\n"));
	assert_true(wire_read_all(&w, &got));
	const char *one = strstr(buf_cstr(&got), "GET /1 "), *two = strstr(buf_cstr(&got), "another thread"),
		   *three = strstr(buf_cstr(&got), "POST /3 ");
	assert_true(one && two && three && one < two && two < three);
	assert_has(&got, "body=2:ok");
	assert_has(&got, "Connection: close\r\n");
	assert_has_not(&got, "never");
	wire_close(&w);
	assert_int_equal(s.handled, 3);
	stage_stop(&s);
}

static void continues_when_asked(void **state)
{
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, "POST /x HTTP/1.1\r\nHost: ca\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
	assert_true(wire_read_answer(&w, true, &got));
	assert_string_equal(buf_cstr(&got), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_true(wire_puts(&w, "ok"));
	assert_true(wire_read_answer(&w, false, &got));
	assert_has(&got, "body=2:ok");
	wire_close(&w);
	stage_stop(&s);
}

/* A client that ends its side at once after the request (openssl s_client with its input closed). */
static void half_close(void **state)
{
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	for (int dirty = 0; dirty < 2; dirty++) {
		buf_reset(&got);
		assert_true(wire_open(&w, s.port, NULL));
		assert_true(wire_puts(&w, GET("/thread") "\r\n"));
		if (!dirty)
			SSL_shutdown(w.ssl);
		shutdown(w.fd, SHUT_WR);
		assert_true(wire_read_all(&w, &got));
		assert_has(&got, "from another thread");
		wire_close(&w);
	}
	stage_stop(&s);
}

/* The last bytes of a body and the end of the client's side come in one segment, and the answer takes its time. */
static void the_end_comes_with_the_last_bytes(void **state)
{
	static const char *const rows[][2] = {
		{ "Content-Length: 2\r\n", "ok" },
		{ "Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n" },
	};
	struct stage s;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	for (int i = 0; i < 20; i++) {
		const char *const *row = rows[i % 2];
		struct wire w;
		char asked[64] = "", head[256];
		snprintf(head, sizeof head, "POST /hold HTTP/1.1\r\nHost: ca\r\nExpect: 100-continue\r\n%s\r\n",
		         row[0]);
		assert_true(wire_open(&w, s.port, NULL));
		assert_true(wire_puts(&w, head));
		assert_true(SSL_read(w.ssl, asked, sizeof asked - 1) > 0); /* it waits for the body */
		assert_memory_equal(asked, "HTTP/1.1 100 ", 13);
		setsockopt(w.fd, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int));
		assert_true(wire_puts(&w, row[1]));
		SSL_shutdown(w.ssl);
		shutdown(w.fd, SHUT_WR);
		wait_for(&s, &s.held_n, 1);
		struct request *r = s.held[0];
		s.held_n = 0;
		for (int turns = 0; turns < 3; turns++) { /* of the loop: a timer that is due would strike */
			while (!listener_alive(s.l))
				sched_yield();
		}
		answer(r, 200, "in the end");
		buf_reset(&got);
		assert_true(wire_read_all(&w, &got));
		assert_has(&got, "in the end");
		wire_close(&w);
	}
	stage_stop(&s);
}

/* -- what is refused ------------------------------------------------------------------------------------------ */

#define LIT(s) s, sizeof(s) - 1

static void hostile_requests(void **state)
{
	static char huge[8192];
	static const struct {
		const char *bytes;
		size_t n;
		const char *status;
	} rows[] = {
		{ LIT(GET("/") "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), "400 Bad Request" },
		{ LIT(GET("/") "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), "400 Bad Request" },
		{ LIT(GET("/") "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "Content-Length: -1\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "Transfer-Encoding: gzip\r\n\r\n"), "400 Bad Request" },
		{ LIT("GET / HTTP/1.1\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "Host: ca\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "A: b\r\n c\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "A: b\0c\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "A: b\x1b\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "A: b\rc\r\n\r\n"), "400 Bad Request" },
		{ LIT(GET("/") "A : b\r\n\r\n"), "400 Bad Request" },
		{ LIT("GET / HTTP/1.1\nHost: ca\n\n"), "400 Bad Request" },
		{ LIT("GET x HTTP/1.1\r\nHost: ca\r\n\r\n"), "400 Bad Request" },
		{ LIT("GET /%2 HTTP/1.1\r\nHost: ca\r\n\r\n"), "400 Bad Request" },
		{ LIT("GET / HTTP/3.0\r\nHost: ca\r\n\r\n"), "400 Bad Request" },
		{ LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "400 Bad Request" },
		{ LIT("\0\0\0\n\n"), "400 Bad Request" },
		{ LIT("BREW /pot HTTP/1.1\r\nHost: ca\r\n\r\n"), "501 Not Implemented" },
		{ LIT("get / HTTP/1.1\r\nHost: ca\r\n\r\n"), "501 Not Implemented" },
		{ LIT("POST / HTTP/1.1\r\nHost: ca\r\nContent-Length: 4097\r\n\r\n"), "413 Request Entity Too Large" },
		{ LIT("POST / HTTP/1.1\r\nHost: ca\r\nContent-Length: 9223372036854775807\r\n\r\n"),
		  "413 Request Entity Too Large" },
		{ LIT("POST / HTTP/1.1\r\nHost: ca\r\nContent-Length: 9223372036854775808\r\n\r\n"),
		  "400 Bad Request" },
		{ LIT("POST / HTTP/1.1\r\nHost: ca\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "400 Bad Request" },
		{ LIT("POST / HTTP/1.1\r\nHost: ca\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"),
		  "400 Bad Request" },
		{ huge, sizeof huge, "431 Request Header Fields Too Large" },
	};
	struct stage s;
	(void)state;
	memset(huge, 'x', sizeof huge);
	memcpy(huge, LIT(GET("/") "A: "));
	stage_start(&s, roomy(), 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
		struct wire w;
		assert_true(wire_open(&w, s.port, NULL));
		assert_true(wire_write(&w, rows[i].bytes, rows[i].n));
		bool clean = wire_read_all(&w, &got);
		if (!strstr(buf_cstr(&got), rows[i].status) || !clean)
			fail_msg("row %zu: %s: clean %d, '%s'", i, rows[i].status, clean, buf_cstr(&got));
		assert_has(&got, "Content-Type: text/plain");
		assert_has(&got, "Connection: close\r\n");
		assert_has(&got, "X-Request-Id: ");
		wire_close(&w);
	}
	assert_int_equal(s.handled, 0);
	wait_for(&s, &s.done, COUNT_OF(rows));
	stage_stop(&s);
}

/* The body of a refused request is still on its way: the answer arrives all the same, not a reset. */
static void body_too_large(void **state)
{
	static char chunk[64 << 10];
	static const char *const heads[] = { "Content-Length: 200000\r\n\r\n",
		                             "Transfer-Encoding: chunked\r\n\r\n10000\r\n" };
	struct stage s;
	(void)state;
	stage_start(&s, roomy(), 1);
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
		struct wire w;
		assert_true(wire_open(&w, s.port, NULL));
		assert_true(wire_puts(&w, "POST / HTTP/1.1\r\nHost: ca\r\n") && wire_puts(&w, heads[i]));
		assert_true(wire_write(&w, chunk, sizeof chunk));
		assert_true(wire_read_all(&w, &got));
		assert_has(&got, "HTTP/1.1 413 ");
		wire_close(&w);
	}
	assert_int_equal(s.handled, 0);
	stage_stop(&s);
}

/* A pipelined bad request does not spoil the good one before it. */
static void refusal_behind_a_good_request(void **state)
{
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, GET("/thread") "\r\nGET /evil HTTP/1.1\r\n\r\n" GET("/never") "\r\n"));
	assert_true(wire_read_all(&w, &got));
	assert_has(&got, "from another thread");
	assert_has(&got, "400 Bad Request: missing required Host header\n");
	assert_has_not(&got, "never");
	wire_close(&w);
	stage_stop(&s);
}

static void plain_http(void **state)
{
	struct stage s;
	(void)state;
	stage_start(&s, roomy(), 1);
	static const char request[] =
		"GET /health HTTP/1.1\r\nHost: ca\r\nA: some more bytes that nobody reads\r\n\r\n";
	char got[256] = "";
	size_t n = 0;
	int fd = wire_dial(s.port);
	assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
	for (ssize_t k; n < sizeof got - 1 && (k = recv(fd, got + n, sizeof got - 1 - n, 0)) > 0;)
		n += (size_t)k;
	assert_string_equal(got, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
	close(fd);
	wait_for(&s, &s.refused, 1);
	assert_non_null(strstr(s.why, "127.0.0.1:"));
	assert_int_equal(s.refusal, LISTENER_HANDSHAKE_FAILED);
	assert_int_equal(s.greeted, 0);
	stage_stop(&s);
}

/* A body that is not copied: whole, freed once, also where nobody reads it. */
static void shared_bodies(void **state)
{
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(SHARED_BYTES + (1 << 16));
	(void)state;
	for (size_t i = 0; i < SHARED_BYTES; i++)
		shared_body[i] = (char)('a' + i % 23);
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, "HEAD /shared HTTP/1.1\r\nHost: ca\r\n\r\n") && wire_read_answer(&w, true, &got));
	assert_has(&got, "Content-Length: 3145728\r\n");
	wait_for(&s, &s.shared_freed, 1);
	buf_reset(&got);
	assert_true(wire_puts(&w, GET("/shared") "\r\n") && wire_read_answer(&w, false, &got));
	assert_memory_equal(got.p + got.n - SHARED_BYTES, shared_body, SHARED_BYTES);
	wait_for(&s, &s.shared_freed, 2);
	assert_true(wire_puts(&w, GET("/shared") "\r\n"));
	wait_for(&s, &s.handled, 3);
	wire_drop(&w);
	wait_for(&s, &s.shared_freed, 3);
	wait_for(&s, &s.done, 3);
	stage_stop(&s);
	assert_int_equal(s.shared_freed, 3);
}

/* -- without TLS ---------------------------------------------------------------------------------------------- */

static void read_end(int fd, struct buf *got)
{
	char bytes[4096];
	for (ssize_t k; (k = recv(fd, bytes, sizeof bytes, 0)) > 0;)
		buf_add(got, bytes, (size_t)k);
	close(fd);
}

/* The same requests are refused, and the same limits hold, without a handshake in front. */
static void plain_listener(void **state)
{
	static const struct {
		const char *request, *has, *has_too;
	} rows[] = {
		{ GET("/1") "\r\n" GET("/2") "Connection: close\r\n\r\n", "GET /1 ", "GET /2 " },
		{ GET("/shared") "Connection: close\r\n\r\n", "Content-Length: 3145728\r\n", "klmnopqrstuvw" },
		{ GET("/thread") "Connection: close\r\n\r\n", "from another thread", "" },
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "Connection: close\r\n" },
		{ "BREW / HTTP/1.1\r\nHost: ca\r\n\r\n", "HTTP/1.1 501 ", "unknown method" },
		{ "POST / HTTP/1.1\r\nHost: ca\r\nContent-Length: 4097\r\n\r\n", "HTTP/1.1 413 ", "" },
		{ GET("/"), "HTTP/1.1 408 ", "" },
		{ "\x16\x03\x01\x02\x00\x01\r\n\r\n", "HTTP/1.1 400 ", "" },
		{ "", "", "" },
	};
	struct listener_limits limits = roomy();
	struct stage s;
	(void)state;
	limits.header_ms = limits.idle_ms = 60;
	stage_start_with(&s, limits, 1, "127.0.0.1:0", NULL);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf got = BUF_INIT(8 << 20);
		int fd = wire_dial(s.port);
		size_t n = i == 7 ? 10 : strlen(rows[i].request); /* the one with NULs */
		assert_int_equal(send(fd, rows[i].request, n, MSG_NOSIGNAL), n);
		read_end(fd, &got);
		assert_has(&got, rows[i].has);
		assert_has(&got, rows[i].has_too);
		assert_int_equal(got.n == 0, i == COUNT_OF(rows) - 1);
	}
	stage_stop(&s);
	assert_int_equal(s.handled, 4);
	assert_int_equal(s.shared_freed, 1);
	assert_int_equal(s.refused, 0);
}

/* Over a unix socket the kernel says who is there; over TCP nobody does. */
static void unix_listener(void **state)
{
	char dir[TMPDIR_PATH], path[TMPDIR_PATH + 8], want[64];
	AUTO(buf_done) struct buf local = BUF_INIT(1 << 16), tcp = BUF_INIT(1 << 16);
	struct unix_socket at = UNIX_SOCKET_NONE;
	struct error e = ERROR_INIT;
	struct stage s;
	int fd;
	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof path, "%s/sock", dir);
	assert_int_equal(unix_socket_listen(path, &at, &e), ST_OK);
	given_socket = FD_TAKE(at.fd);
	stage_start_with(&s, roomy(), 1, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unix_socket_connect(path, &fd, &e), ST_OK);
		const char *get = GET("/who") "\r\n" GET("/who") "Connection: close\r\n\r\n";
		assert_int_equal(send(fd, get, strlen(get), MSG_NOSIGNAL), strlen(get));
		read_end(fd, &local);
	}
	stage_stop(&s);
	snprintf(want, sizeof want, "uid %d pid %d has=1 uid=%d", (int)geteuid(), (int)getpid(), (int)geteuid());
	assert_has(&local, want);
	assert_int_equal(s.done, 4);
	assert_int_equal(unix_socket_connect(path, &fd, &e), ST_MISSING); /* the listener closed it */
	unix_socket_done(&at);
	assert_int_equal(rmdir(dir), 0);

	stage_start_with(&s, roomy(), 1, "127.0.0.1:0", NULL);
	fd = wire_dial(s.port);
	const char *get = GET("/who") "Connection: close\r\n\r\n";
	assert_int_equal(send(fd, get, strlen(get), MSG_NOSIGNAL), strlen(get));
	read_end(fd, &tcp);
	stage_stop(&s);
	assert_has(&tcp, " has=0 ");
}

/* -- time ----------------------------------------------------------------------------------------------------- */

/* Each row: what is sent, piece by piece, and how the listener ends it. Were a byte to prolong a limit, reading would
 * run into the client's ten seconds. */
static void slow_clients(void **state)
{
	static const struct {
		const char *first, *drip;
		int64_t header_ms, request_ms, idle_ms;
		const char *status; /* NULL: close_notify without a word */
	} rows[] = {
		{ "", "", 10000, 10000, 60, NULL },
		{ "", "\r\n", 10000, 10000, 60, NULL },
		{ "G", "", 60, 10000, 10000, "408 Request Timeout" },
		{ GET("/"), "A: b\r\n", 60, 10000, 10000, "408 Request Timeout" },
		{ "POST / HTTP/1.1\r\nHost: ca\r\nContent-Length: 4000\r\n\r\n", "x", 10000, 60, 10000,
		  "408 Request Timeout" },
		{ "POST / HTTP/1.1\r\nHost: ca\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 10000, 60, 10000,
		  "408 Request Timeout" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
		struct listener_limits limits = roomy();
		struct stage s;
		struct wire w;
		limits.header_ms = rows[i].header_ms;
		limits.request_ms = rows[i].request_ms;
		limits.idle_ms = rows[i].idle_ms;
		stage_start(&s, limits, 1);
		assert_true(wire_open(&w, s.port, NULL));
		if (rows[i].first[0])
			assert_true(wire_puts(&w, rows[i].first));
		SSL_set_mode(w.ssl, SSL_MODE_AUTO_RETRY);
		struct timeval pace = { .tv_usec = 5000 };
		setsockopt(w.fd, SOL_SOCKET, SO_RCVTIMEO, &pace, sizeof pace);
		bool ended = false, clean = false;
		for (int k = 0; k < 1000 && !ended; k++) { /* five seconds at most */
			char bytes[512];
			int n = SSL_read(w.ssl, bytes, sizeof bytes), why = SSL_get_error(w.ssl, n);
			if (n > 0)
				buf_add(&got, bytes, (size_t)n);
			else if (why == SSL_ERROR_WANT_READ && rows[i].drip[0])
				wire_puts(&w, rows[i].drip);
			ended = n <= 0 && why != SSL_ERROR_WANT_READ;
			clean = n <= 0 && why == SSL_ERROR_ZERO_RETURN;
		}
		if (!ended || !clean)
			fail_msg("row %zu: ended %d, clean %d, '%s'", i, ended, clean, buf_cstr(&got));
		if (rows[i].status)
			assert_has(&got, rows[i].status);
		else
			assert_int_equal(got.n, 0);
		wire_close(&w);
		assert_int_equal(s.handled, 0);
		stage_stop(&s);
	}
}

static void handshake_that_does_not_come(void **state)
{
	struct listener_limits limits = roomy();
	struct stage s;
	char byte;
	(void)state;
	limits.handshake_ms = 50;
	stage_start(&s, limits, 1);
	int fd = wire_dial(s.port);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	wait_for(&s, &s.refused, 1);
	assert_non_null(strstr(s.why, "took too long"));
	assert_int_equal(s.refusal, LISTENER_HANDSHAKE_LATE);
	assert_int_equal(s.greeted, 0);
	stage_stop(&s);
}

/* The client hears 503; the handler's answer, late, goes nowhere, and the record says what the client heard. */
static void handler_that_is_late(void **state)
{
	struct listener_limits limits = roomy();
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	limits.request_ms = 60;
	stage_start(&s, limits, 1);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, GET("/hold") "\r\n"));
	assert_true(wire_read_all(&w, &got));
	assert_has(&got, "HTTP/1.1 503 ");
	assert_has(&got, "\r\nRetry-After: 30\r\n");
	wire_close(&w);
	assert_int_equal(s.done, 0);
	answer(s.held[0], 200, "too late");
	wait_for(&s, &s.done, 1);
	assert_int_equal(s.last_status, 503);
	assert_int_equal(s.last_bytes, strlen("503 Service Unavailable: no answer in time\n"));
	stage_stop(&s);
}

/* -- clients that leave --------------------------------------------------------------------------------------- */

static void clients_that_leave(void **state)
{
	struct stage s;
	struct wire w;
	(void)state;
	stage_start(&s, roomy(), 1);
	for (int i = 0; i < 3; i++) {
		assert_true(wire_open(&w, s.port, NULL));
		assert_true(wire_puts(&w, GET("/hold") "\r\n"));
		wait_for(&s, &s.held_n, i + 1);
		if (i == 0)
			wire_drop(&w);
		else if (i == 1)
			wire_close(&w);
		else
			shutdown(w.fd, SHUT_RDWR);
		answer(s.held[i], 200, "anybody there?");
		wait_for(&s, &s.done, i + 1);
		if (i == 2)
			wire_drop(&w);
	}
	/* in the middle of a header, and of a body */
	assert_true(wire_open(&w, s.port, NULL) && wire_puts(&w, "GET / HT"));
	wire_drop(&w);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, "POST /half HTTP/1.1\r\nHost: ca\r\nContent-Length: 9\r\n\r\nhalf"));
	wire_drop(&w);
	wait_for(&s, &s.done, 4);
	assert_int_equal(s.handled, 3);
	assert_int_equal(s.last_status, 0);
	assert_string_equal(s.last_path, "/half");
	stage_stop(&s);
}

/* -- client certificates -------------------------------------------------------------------------------------- */

static void client_certificates(void **state)
{
	enum { UNSUPPORTED = 43, EXPIRED = 45, BAD = 42, UNKNOWN_CA = 48 };
	struct cred stranger_root = cred_make(NULL, &(struct cred_spec){ .cn = "Stranger", .ca = true });
	struct cred rows_cred[] = {
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "good", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "noeku" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "any", .eku = "anyExtendedKeyUsage" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "serveronly", .eku = "serverAuth" }),
		cred_make(&pki.inter,
		          &(struct cred_spec){ .cn = "expired", .eku = "clientAuth", .from_s = -7200, .until_s = -60 }),
		cred_make(&pki.inter,
		          &(struct cred_spec){ .cn = "early", .eku = "clientAuth", .from_s = 600, .until_s = 7200 }),
		cred_make(&stranger_root, &(struct cred_spec){ .cn = "foreign", .eku = "clientAuth" }),
		cred_make(NULL, &(struct cred_spec){ .cn = "selfsigned", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "anyku",
		                                           .eku = "anyExtendedKeyUsage",
		                                           .ku = "critical,keyEncipherment" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "rsa", .key = "RSA", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "ed25519", .key = "ED25519", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "p384", .key = "P-384", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "p521", .key = "P-521", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "expired rsa",
		                                           .key = "RSA",
		                                           .eku = "clientAuth",
		                                           .from_s = -7200,
		                                           .until_s = -60 }),
		cred_make(&stranger_root,
		          &(struct cred_spec){ .cn = "foreign ed25519", .key = "ED25519", .eku = "clientAuth" }),
		cred_make(&stranger_root,
		          &(struct cred_spec){ .cn = "foreign rsa", .key = "RSA", .eku = "clientAuth" }),
	};
	static const struct {
		const char *peer; /* NULL: refused */
		int alert;
	} rows[] = {
		{ "peer=good", 0 },    { "peer=noeku", 0 }, { "peer=any", 0 },     { NULL, UNSUPPORTED },
		{ NULL, EXPIRED },     { NULL, BAD },       { NULL, UNKNOWN_CA },  { NULL, UNKNOWN_CA },
		{ NULL, UNSUPPORTED }, { "peer=rsa", 0 },   { "peer=ed25519", 0 }, { "peer=p384", 0 },
		{ "peer=p521", 0 },    { NULL, EXPIRED },   { NULL, UNKNOWN_CA },  { NULL, UNKNOWN_CA },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct stage s;
	int refused = 0;
	(void)state;
	_Static_assert(COUNT_OF(rows) == COUNT_OF(rows_cred), "a row without a certificate");
	stage_start(&s, roomy(), 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t v = 0; v < COUNT_OF(versions); v++) {
			for (int leaf_only = 0; leaf_only < 2; leaf_only++) {
				AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
				struct wire_opts opts = { .cred = &rows_cred[i],
					                  .min = versions[v],
					                  .max = versions[v],
					                  .leaf_only = leaf_only };
				struct wire w;
				if (wire_open(&w, s.port, &opts))
					(void)(wire_puts(&w, GET("/") "\r\n") && wire_read_answer(&w, false, &got));
				if (wire_alert(&w) != rows[i].alert)
					fail_msg("%s: alert %d", cert_facts(rows_cred[i].chain.v[0])->common_name,
					         wire_alert(&w));
				if (rows[i].peer)
					assert_has(&got, rows[i].peer);
				else
					assert_int_equal(got.n, 0);
				wire_close(&w);
				if (!rows[i].peer)
					wait_for(&s, &s.refused, ++refused);
			}
		}
	}
	assert_int_equal(s.handled, 28);
	stage_stop(&s);
	for (size_t i = 0; i < COUNT_OF(rows_cred); i++)
		cred_done(&rows_cred[i]);
	cred_done(&stranger_root);
}

/* A key of a kind that the CA never certifies is nothing that the slim context can read: refused, and the next client
 * is served. */
static void key_of_another_kind(void **state)
{
	struct cred odd =
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "odd", .key = "ED448", .eku = "clientAuth" });
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 1);
	if (wire_open(&w, s.port, &(struct wire_opts){ .cred = &odd }))
		(void)(wire_puts(&w, GET("/") "\r\n") && wire_read_answer(&w, false, &got));
	assert_has(&got, is_slim() ? "peer=none" : "peer=odd");
	wire_close(&w);
	buf_reset(&got);
	assert_true(wire_open(&w, s.port, &(struct wire_opts){ .cred = &pki.client }));
	assert_true(wire_puts(&w, GET("/") "\r\n") && wire_read_answer(&w, false, &got));
	assert_has(&got, "peer=client");
	wire_close(&w);
	stage_stop(&s);
	cred_done(&odd);
}

/* What is slim about it: the key came out of another library context than ours, where there is one. */
static void slim_context_is_used(void **state)
{
	struct stage s;
	struct wire w;
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, &(struct wire_opts){ .cred = &pki.client }));
	assert_true(wire_puts(&w, GET("/hold") "\r\n"));
	wait_for(&s, &s.held_n, 1);
	EVP_PKEY *key = cert_key(request_peer(s.held[0]));
	const char *from = OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key));
	assert_string_equal(from, is_slim() ? "slim" : "default");
	assert_int_equal(EVP_PKEY_eq(key, pki.client.key), 1);
	answer(s.held[0], 200, "");
	wire_drop(&w);
	wait_for(&s, &s.done, 1);
	stage_stop(&s);
}

/* The certificate stays the request's when its connection is gone. */
static void peer_outlives_its_connection(void **state)
{
	struct stage s;
	struct wire w;
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, &(struct wire_opts){ .cred = &pki.client }));
	assert_true(wire_puts(&w, GET("/hold") "\r\n"));
	wait_for(&s, &s.held_n, 1);
	wire_drop(&w);
	assert_string_equal(cert_facts(request_peer(s.held[0]))->common_name, "client");
	answer(s.held[0], 200, "");
	wait_for(&s, &s.done, 1);
	stage_stop(&s);
}

/* -- TLS ------------------------------------------------------------------------------------------------------ */

static void tls_terms(void **state)
{
	static const struct {
		struct wire_opts opts;
		bool opens;
		int alert;
		const char *alpn; /* NULL: none chosen */
	} rows[] = {
		{ { .max = TLS1_2_VERSION }, true, 0, NULL },
		{ { .alpn = "\x02h2\x08http/1.1" }, true, 0, "http/1.1" },
		{ { .alpn = "\x02h2" }, true, 0, NULL },
		{ { .min = TLS1_1_VERSION, .max = TLS1_1_VERSION, .tls12_suites = "ALL:@SECLEVEL=0" },
		  false,
		  70,
		  NULL },
		{ { .max = TLS1_2_VERSION, .tls12_suites = "ECDHE-ECDSA-AES256-GCM-SHA384" }, false, 40, NULL },
		{ { .max = TLS1_2_VERSION, .tls12_suites = "ECDHE-ECDSA-AES128-GCM-SHA256" }, true, 0, NULL },
		{ { .max = TLS1_2_VERSION, .tls12_suites = "ECDHE-ECDSA-CHACHA20-POLY1305" }, true, 0, NULL },
	};
	struct stage s;
	(void)state;
	stage_start(&s, roomy(), 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
		struct wire w;
		const unsigned char *alpn;
		unsigned alpn_n;
		if (wire_open(&w, s.port, &rows[i].opts) != rows[i].opens)
			fail_msg("row %zu: opened %d", i, !rows[i].opens);
		assert_int_equal(wire_alert(&w), rows[i].alert);
		if (rows[i].opens) {
			SSL_get0_alpn_selected(w.ssl, &alpn, &alpn_n);
			assert_true(slice_eq(slice_of(alpn, alpn_n), slice_cstr(rows[i].alpn)));
			assert_true(wire_puts(&w, GET("/close") "\r\n") && wire_read_all(&w, &got));
			assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(w.ssl)), 0);
			/* both issuers are named */
			assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(w.ssl)), 2);
		}
		wire_close(&w);
	}
	stage_stop(&s);
}

static void tls_settings(void **state)
{
	static const struct {
		const char *suites[3];
		int min, max;
		const char *error; /* NULL: accepted */
		int open_max;
		bool opens;
	} rows[] = {
		{ { "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" }, 0, 0, NULL, TLS1_2_VERSION, true },
		{ { "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "TLS_AES_128_GCM_SHA256" },
		  0,
		  0,
		  NULL,
		  TLS1_2_VERSION,
		  true },
		{ { "TLS_ECDHE_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
		  0,
		  0,
		  NULL,
		  TLS1_2_VERSION,
		  true },
		{ { "TLS_AES_256_GCM_SHA384" }, 0, 0, NULL, TLS1_2_VERSION, false },
		{ { "TLS_AES_256_GCM_SHA384" }, 0, 0, NULL, TLS1_3_VERSION, true },
		{ { NULL }, TLS1_3_VERSION, TLS1_3_VERSION, NULL, TLS1_2_VERSION, false },
		{ { NULL }, TLS1_2_VERSION, TLS1_2_VERSION, NULL, TLS1_3_VERSION, true },
		{ { "TLS_AES_256_GCM_SHA384" }, TLS1_2_VERSION, TLS1_2_VERSION, "maxVersion", 0, false },
		{ { "TLS_FOO_WITH_BAR" }, 0, 0, "unknown cipher suite 'TLS_FOO_WITH_BAR'", 0, false },
		{ { "ECDHE-ECDSA-AES128-GCM-SHA256" }, 0, 0, "unknown cipher suite", 0, false },
		{ { "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "" }, 0, 0, "unknown cipher suite ''", 0, false },
		{ { "TLS_RSA_WITH_RC4_128_SHA" }, 0, 0, "none of the cipher suites is available", 0, false },
		{ { NULL }, TLS1_3_VERSION, TLS1_2_VERSION, "minVersion is above maxVersion", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct listener_tls_conf conf = tls_conf();
		struct error e = ERROR_INIT;
		SSL_CTX *tls;
		conf.suites = rows[i].suites;
		while (conf.suites_n < 3 && rows[i].suites[conf.suites_n])
			conf.suites_n++;
		conf.min_version = rows[i].min;
		conf.max_version = rows[i].max;
		if (rows[i].error) {
			assert_int_equal(listener_tls_new(&conf, &tls, &e), ST_INVALID);
			if (!strstr(e.text, rows[i].error))
				fail_msg("row %zu: %s", i, e.text);
			continue;
		}
		struct stage s;
		struct wire w;
		stage_start_with(&s, roomy(), 1, "127.0.0.1:0", &conf);
		if (wire_open(&w, s.port, &(struct wire_opts){ .max = rows[i].open_max, .tls12_suites = "ALL" }) !=
		    rows[i].opens)
			fail_msg("row %zu: opened %d", i, !rows[i].opens);
		wire_close(&w);
		stage_stop(&s);
	}
	struct listener_tls_conf conf = tls_conf();
	struct error e = ERROR_INIT;
	SSL_CTX *tls;
	conf.key = pki.client.key;
	assert_int_equal(listener_tls_new(&conf, &tls, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "do not belong together"));
}

/* -- many ----------------------------------------------------------------------------------------------------- */

/* A place is free again soon after a connection ended; "soon" is when the listener's thread comes round. */
static bool opens_in_the_end(struct wire *w, int port)
{
	for (int i = 0; i < 2000; i++) {
		if (wire_open(w, port, NULL))
			return true;
		wire_close(w);
	}
	return false;
}

static void connection_caps(void **state)
{
	(void)state;
	for (int per_address = 0; per_address < 2; per_address++) {
		struct listener_limits limits = roomy();
		struct stage s;
		struct wire one, two, three;
		char byte;
		limits.connections = per_address ? 100 : 2;
		limits.connections_spare = 0;
		limits.connections_per_address = per_address ? 2 : 0;
		stage_start(&s, limits, 2);
		assert_true(wire_open(&one, s.port, NULL));
		assert_true(wire_open(&two, s.port, NULL));
		assert_int_equal(listener_connections(s.l), 2);
		int fd = wire_dial(s.port); /* the kernel accepts it; we do not */
		assert_true(recv(fd, &byte, 1, 0) <= 0);
		close(fd);
		wait_for(&s, &s.refused, 1);
		assert_non_null(strstr(s.why, per_address ? "from this address" : "too many connections"));
		assert_int_equal(s.refusal, LISTENER_FULL);
		wait_for(&s, &s.greeted, 2);
		wire_close(&one);
		assert_true(opens_in_the_end(&three, s.port));
		wire_close(&three);
		wire_close(&two);
		stage_stop(&s);
	}
}

static void hold_one(struct stage *s, struct wire *w)
{
	int n = s->held_n;
	assert_true(wire_puts(w, GET("/hold") "\r\n"));
	wait_for(s, &s->held_n, n + 1);
}

/* The server is full: who serves nobody makes room; where there is none such, one gets a spare place, the next none. */
static void a_full_server(void **state)
{
	struct listener_limits limits = roomy();
	struct stage s;
	struct wire kept, busy, next, spare;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	char byte;
	(void)state;
	limits.connections = 2;
	limits.connections_spare = 1;
	stage_start(&s, limits, 1);
	assert_true(wire_open(&busy, s.port, NULL));
	hold_one(&s, &busy);
	assert_true(wire_open(&kept, s.port, NULL));
	assert_true(wire_puts(&kept, GET("/") "\r\n") && wire_read_answer(&kept, false, &got));
	assert_int_equal(listener_connections(s.l), 2);

	/* Until then the kept one has not been idle for longer than the thread takes to look after everybody. */
	for (int tries = 0;; tries++) {
		buf_reset(&got);
		assert_true(wire_open(&next, s.port, NULL));
		assert_true(wire_puts(&next, GET("/spare") "\r\n") && wire_read_answer(&next, false, &got));
		if (strstr(buf_cstr(&got), "a place of its own") || tries == 1000)
			break;
		wire_close(&next);
	}
	assert_has(&got, "a place of its own");
	assert_has_not(&got, "Connection: close");
	buf_reset(&got);
	assert_true(wire_read_all(&kept, &got)); /* close_notify */
	wire_close(&kept);
	assert_int_equal(listener_count(s.l, LISTENER_EVICTED), 1);

	hold_one(&s, &next);
	assert_true(wire_open(&spare, s.port, NULL));
	assert_true(wire_puts(&spare, GET("/spare") "\r\n") && wire_read_answer(&spare, false, &got));
	assert_has(&got, "a spare place");
	assert_has(&got, "Connection: close\r\n");
	wire_close(&spare);
	assert_true(opens_in_the_end(&spare, s.port));
	hold_one(&s, &spare);
	int fd = wire_dial(s.port);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	wait_for(&s, &s.refused, 1);
	assert_non_null(strstr(s.why, "too many connections"));
	assert_int_equal(listener_count(s.l, LISTENER_EVICTED), 1);
	while (s.held_n)
		answer(s.held[--s.held_n], 200, "at last");
	assert_true(wire_read_answer(&busy, false, &got));
	wire_close(&busy);
	wire_close(&next);
	wire_close(&spare);
	stage_stop(&s);
}

/* The thread that counts may be behind what the client sees. */
static void counts_to(struct stage *s, enum listener_count what, int64_t n)
{
	for (int i = 0; i < 10000 && listener_count(s->l, what) < n; i++)
		usleep(1000);
	assert_int_equal(listener_count(s->l, what), n);
}

static void who_goes_on_with_the_handshake_is_cut_off(void **state)
{
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	struct stage s;
	struct wire w;
	(void)state;
	stage_start(&s, roomy(), 1);
	assert_true(wire_open(&w, s.port, NULL));
	for (int i = 0; i < 4; i++) { /* few are borne */
		assert_int_equal(SSL_key_update(w.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(w.ssl), 1);
	}
	assert_true(wire_puts(&w, GET("/") "\r\n") && wire_read_answer(&w, false, &got));
	assert_int_equal(listener_count(s.l, LISTENER_RESTLESS), 0);
	SSL_key_update(w.ssl, SSL_KEY_UPDATE_REQUESTED);
	SSL_do_handshake(w.ssl);
	buf_reset(&got);
	(void)wire_read_all(&w, &got);
	assert_int_equal(got.n, 0);
	wire_close(&w);
	counts_to(&s, LISTENER_RESTLESS, 1);

	assert_true(wire_open(&w, s.port, &(struct wire_opts){ .max = TLS1_2_VERSION }));
	assert_true(wire_puts(&w, GET("/") "\r\n") && wire_read_answer(&w, false, &got));
	SSL_renegotiate(w.ssl);
	assert_int_not_equal(SSL_do_handshake(w.ssl), 1);
	(void)wire_read_all(&w, &got);
	counts_to(&s, LISTENER_RESTLESS, 2);
	wire_drop(&w);
	stage_stop(&s);
}

static void too_many_certificates(void **state)
{
	struct cred many = { .key = pki.client.key };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	struct stage s;
	struct wire w;
	(void)state;
	assert_int_equal(chain_add(&many.chain, pki.client.chain.v[0], &e), ST_OK);
	for (size_t n = 0; n <= 32 << 10; n += cert_facts(pki.inter.chain.v[0])->der.n)
		assert_int_equal(chain_add(&many.chain, pki.inter.chain.v[0], &e), ST_OK);
	stage_start(&s, roomy(), 1);
	if (wire_open(&w, s.port, &(struct wire_opts){ .cred = &many })) /* TLS 1.3 tells later */
		assert_false(wire_puts(&w, GET("/") "\r\n") && wire_read_answer(&w, false, &got));
	wait_for(&s, &s.refused, 1);
	assert_non_null(strstr(s.why, "excessive message size"));
	assert_int_equal(s.handled, 0);
	wire_close(&w);
	chain_done(&many.chain);
	stage_stop(&s);
}

enum { CROWD = 100, ROUNDS = 5 };

static void a_crowd_that_stays(void **state)
{
	static struct wire crowd[CROWD];
	struct stage s;
	(void)state;
	stage_start(&s, roomy(), 2);
	for (int i = 0; i < CROWD; i++)
		assert_true(wire_open(&crowd[i], s.port, &(struct wire_opts){ .cred = i % 2 ? &pki.client : NULL }));
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CROWD; i++)
			assert_true(wire_puts(&crowd[i], i % 3 ? GET("/all") "\r\n" : GET("/thread") "\r\n"));
		for (int i = 0; i < CROWD; i++) {
			AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
			assert_true(wire_read_answer(&crowd[i], false, &got));
			assert_has(&got, i % 3 == 0 ? "another thread" : i % 2 ? "peer=client" : "peer=none");
		}
	}
	for (int i = 0; i < CROWD; i++)
		wire_close(&crowd[i]);
	wait_for(&s, &s.done, CROWD * ROUNDS);
	assert_int_equal(s.handled, CROWD * ROUNDS);
	stage_stop(&s);
}

/* -- stopping ------------------------------------------------------------------------------------------------- */

static void *stop(void *listener)
{
	listener_stop(listener);
	return NULL;
}

static void stopping_lets_requests_finish(void **state)
{
	struct stage s;
	struct wire busy, idle, half;
	pthread_t stopper;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start(&s, roomy(), 2);
	assert_true(wire_open(&idle, s.port, NULL));
	assert_true(wire_open(&busy, s.port, NULL));
	assert_true(wire_puts(&busy, GET("/hold") "\r\n"));
	assert_true(wire_open(&half, s.port, NULL));
	assert_true(wire_puts(&half, GET("/half") "A: b\r\nExpect: x\r\n"));
	assert_true(wire_puts(&idle, GET("/") "\r\n") && wire_read_answer(&idle, false, &got));
	wait_for(&s, &s.held_n, 1);
	buf_reset(&got);
	assert_int_equal(pthread_create(&stopper, NULL, stop, s.l), 0);
	assert_true(wire_read_all(&idle, &got)); /* close_notify: the stop has begun */
	assert_int_equal(got.n, 0);
	wire_close(&idle);
	answer(s.held[0], 200, "finished");
	assert_true(wire_read_all(&busy, &got));
	assert_has(&got, "finished");
	wire_close(&busy);
	(void)wire_puts(
		&half, "\r\n"); /* its head had begun, where the listener had read of it: served or closed, not stuck */
	wire_drop(&half);
	pthread_join(stopper, NULL);
	assert_int_equal(wire_dial(s.port), -1);
	assert_int_equal(s.freed, s.handled);
	SSL_CTX_free(s.tls);
}

/* drain_ms is over: the connection is cut, and the handler's answer, later still, only frees its request. */
static void stopping_does_not_wait_for_ever(void **state)
{
	struct listener_limits limits = roomy();
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	limits.drain_ms = 50;
	stage_start(&s, limits, 1);
	assert_true(wire_open(&w, s.port, &(struct wire_opts){ .cred = &pki.client }));
	assert_true(wire_puts(&w, GET("/hold") "\r\n"));
	wait_for(&s, &s.held_n, 1);
	listener_stop(s.l);
	wire_read_all(&w, &got);
	assert_int_equal(got.n, 0);
	wire_close(&w);
	assert_int_equal(s.done, 0);
	assert_string_equal(request_path(s.held[0]), "/hold");
	assert_string_equal(cert_facts(request_peer(s.held[0]))->common_name, "client");
	answer(s.held[0], 200, "nobody listens");
	assert_int_equal(s.freed, 1);
	assert_int_equal(s.done, 0);
	SSL_CTX_free(s.tls);
}

/* -- starting ------------------------------------------------------------------------------------------------- */

static void addresses(void **state)
{
	struct stage s;
	char taken[32];
	const struct {
		const char *address, *error;
		enum status st;
	} rows[] = {
		{ taken, "bind: address already in use", ST_IO }, { "127.0.0.1", "missing port", ST_INVALID },
		{ "127.0.0.1:x", "invalid port", ST_INVALID },    { "", "missing port", ST_INVALID },
		{ "192.0.2.1:0", "192.0.2.1:0: bind: ", ST_IO },
	};
	(void)state;
	stage_start(&s, roomy(), 1);
	snprintf(taken, sizeof taken, "127.0.0.1:%d", s.port);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct listener_conf conf = { .address = rows[i].address,
			                      .threads = 1,
			                      .limits = roomy(),
			                      .clock = &clock_system,
			                      .handler = handle,
			                      .tls = give_tls,
			                      .ctx = &s };
		struct error e = ERROR_INIT;
		struct listener *l;
		assert_int_equal(listener_start(&conf, &l, &e), rows[i].st);
		if (!strstr(e.text, rows[i].error))
			fail_msg("row %zu: %s", i, e.text);
	}
	stage_stop(&s);
}

static void any_address_takes_ipv4(void **state)
{
	struct listener_tls_conf tls = tls_conf();
	struct stage s;
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	(void)state;
	stage_start_with(&s, roomy(), 1, ":0", &tls);
	assert_true(wire_open(&w, s.port, NULL));
	assert_true(wire_puts(&w, GET("/hold") "\r\n"));
	wait_for(&s, &s.held_n, 1);
	assert_memory_equal(request_remote(s.held[0]), "127.0.0.1:", 10);
	assert_string_equal(request_protocol(s.held[0]), "HTTP/1.1");
	answer(s.held[0], 200, "");
	assert_true(wire_read_answer(&w, false, &got));
	wire_close(&w);
	stage_stop(&s);
}

/* Every allocation of ours fails once while the listener starts: an error, nothing leaks, the port is free again. */
static void starting_without_memory(void **state)
{
	struct listener_tls_conf tls = tls_conf();
	struct stage s = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	struct listener_conf conf = { .address = "127.0.0.1:0",
		                      .threads = 3,
		                      .limits = roomy(),
		                      .clock = &clock_system,
		                      .handler = handle,
		                      .tls = give_tls,
		                      .ctx = &s };
	struct error e = ERROR_INIT;
	(void)state;
	assert_int_equal(listener_tls_new(&tls, &s.tls, &e), ST_OK);
	for (unsigned n = 1;; n++) {
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = listener_start(&conf, &s.l, &e);
		bool hit = fail_disarm();
		if (!hit) {
			assert_int_equal(st, ST_OK);
			assert_in_range(n, 5, 1000);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
	}
	listener_stop(s.l);
	SSL_CTX_free(s.tls);
}

/* Every allocation fails once while a request is served: the client hears an error or nothing, and the next one is
 * served. */
static void serving_without_memory(void **state)
{
	struct stage s;
	bool hit = true;
	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* the counter of fail.h is shared without a lock */
#endif
	stage_start(&s, roomy(), 1);
	for (unsigned n = 1; hit; n++) {
		AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
		struct wire w;
		char bytes[2048];
		int k = -1;
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		if (wire_open(&w, s.port, &(struct wire_opts){ .cred = &pki.client }) &&
		    wire_puts(&w, "POST / HTTP/1.1\r\nHost: ca\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"))
			k = SSL_read(w.ssl, bytes, sizeof bytes);
		wire_close(&w);
		hit = fail_disarm();
		if (!hit) {
			assert_in_range(k, 1, sizeof bytes);
			assert_memory_equal(bytes, "HTTP/1.1 200 ", 13);
			assert_in_range(n, 5, 1000);
		}
		assert_true(wire_open(&w, s.port, NULL) && wire_puts(&w, GET("/") "\r\n"));
		assert_true(wire_read_answer(&w, false, &got));
		wire_close(&w);
	}
	stage_stop(&s);
}

/* Asks until the answer is this one; the runner's time limit ends a listener that never gives it. */
static void await_alive(struct stage *s, bool wanted)
{
	while (listener_alive(s->l) != wanted)
		sched_yield();
}

static bool is_answered(struct stage *s, const char *request, const char *status)
{
	struct wire w;
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	bool came = wire_open(&w, s->port, NULL) && wire_puts(&w, request) && wire_read_answer(&w, false, &got);
	wire_close(&w);
	return came && strstr(buf_cstr(&got), status);
}

/* Until it is; the runner's time limit ends a listener that never does. */
static void await_answer(struct stage *s, const char *request, const char *status)
{
	while (!is_answered(s, request, status))
		sched_yield();
}

static void limits_change_while_it_runs(void **state)
{
	static const char ten[] = "POST /x HTTP/1.1\r\nHost: ca\r\nContent-Length: 10\r\n\r\n0123456789";
	struct listener_limits limits = roomy(), small = roomy();
	struct stage s;
	struct wire one;
	(void)state;
	stage_start(&s, limits, 2);
	assert_true(is_answered(&s, ten, "200 OK"));
	assert_true(wire_open(&one, s.port, NULL));
	small.body_bytes = 9;
	small.connections = 2;
	small.connections_spare = 0;
	listener_set_limits(s.l, &small);
	await_answer(&s, ten, "413 ");
	small.connections = 1;
	listener_set_limits(s.l, &small);
	assert_false(is_answered(&s, GET("/") "\r\n", "200 OK")); /* `one` is there */
	listener_set_limits(s.l, &limits);
	await_answer(&s, ten, "200 OK");
	/* who was there all the time goes by the new ones too, once his thread has looked */
	await_alive(&s, true);
	await_alive(&s, true);
	assert_true(wire_puts(&one, ten));
	AUTO(buf_done) struct buf got = BUF_INIT(1 << 16);
	assert_true(wire_read_answer(&one, false, &got));
	assert_has(&got, "body=10");
	wire_close(&one);
	stage_stop(&s);
}

static void a_stuck_thread_is_noticed(void **state)
{
	(void)state;
	struct stage s;
	struct wire w;
	stage_start(&s, roomy(), 2);
	await_alive(&s, true);
	assert_true(wire_open(&w, s.port, NULL));
	wait_for(&s, &s.greeted, 1); /* which needs the lock too */
	pthread_mutex_lock(&s.lock); /* the handler waits for it */
	assert_true(wire_puts(&w, GET("/hold") "\r\n"));
	while (!s.arrived)
		sched_yield();
	await_alive(&s, false);
	for (int i = 0; i < 3; i++)
		assert_false(listener_alive(s.l));
	pthread_mutex_unlock(&s.lock);
	await_alive(&s, true);
	wait_for(&s, &s.held_n, 1);
	answer(s.held[0], 200, "");
	wire_close(&w);
	stage_stop(&s);
}

static int make(void **state)
{
	(void)state;
	pki_make(&pki);
	return 0;
}

static int use_slim(void **state)
{
	(void)state;
	slim = true;
	return 0;
}

static int use_default(void **state)
{
	(void)state;
	slim = false;
	return 0;
}

#define IN_BOTH_CONTEXTS(f)                                                                                            \
	cmocka_unit_test_setup(f, use_default),                                                                        \
	{                                                                                                              \
#f " (slim)", f, use_slim, use_default, NULL                                                           \
	}

static int unmake(void **state)
{
	(void)state;
	pki_done(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_BOTH_CONTEXTS(answers),
		cmocka_unit_test(what_comes_together_is_gathered),
		cmocka_unit_test(request_id_is_a_uuid),
		cmocka_unit_test(pipelining),
		cmocka_unit_test(continues_when_asked),
		cmocka_unit_test(half_close),
		cmocka_unit_test(the_end_comes_with_the_last_bytes),
		cmocka_unit_test(hostile_requests),
		cmocka_unit_test(body_too_large),
		cmocka_unit_test(refusal_behind_a_good_request),
		cmocka_unit_test(plain_http),
		IN_BOTH_CONTEXTS(shared_bodies),
		cmocka_unit_test(plain_listener),
		cmocka_unit_test(unix_listener),
		cmocka_unit_test(slow_clients),
		cmocka_unit_test(handshake_that_does_not_come),
		cmocka_unit_test(handler_that_is_late),
		cmocka_unit_test(clients_that_leave),
		IN_BOTH_CONTEXTS(client_certificates),
		IN_BOTH_CONTEXTS(key_of_another_kind),
		IN_BOTH_CONTEXTS(slim_context_is_used),
		IN_BOTH_CONTEXTS(peer_outlives_its_connection),
		IN_BOTH_CONTEXTS(tls_terms),
		IN_BOTH_CONTEXTS(tls_settings),
		cmocka_unit_test(connection_caps),
		cmocka_unit_test(a_full_server),
		cmocka_unit_test(who_goes_on_with_the_handshake_is_cut_off),
		cmocka_unit_test(too_many_certificates),
		IN_BOTH_CONTEXTS(a_crowd_that_stays),
		cmocka_unit_test(stopping_lets_requests_finish),
		cmocka_unit_test(stopping_does_not_wait_for_ever),
		cmocka_unit_test(a_stuck_thread_is_noticed),
		cmocka_unit_test(limits_change_while_it_runs),
		cmocka_unit_test(starting_without_memory),
		IN_BOTH_CONTEXTS(serving_without_memory),
		cmocka_unit_test(addresses),
		cmocka_unit_test(any_address_takes_ipv4),
	};
	return cmocka_run_group_tests(tests, make, unmake);
}
