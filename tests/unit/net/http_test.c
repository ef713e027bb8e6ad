/* The client over a unix socket, against servers that behave and servers that do not. */
#include "net/http.h"
#include "net/listener.h"
#include "os/auto.h"
#include "os/unixsocket.h"
#include "tmpdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[TMPDIR_PATH], path[TMPDIR_PATH + 8];

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof path, "%s/sock", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

/* -- a server that says what the test tells it ------------------------------------------------------------------ */

struct script {
	const char *answer;
	size_t repeat; /* the answer's last byte that often more */
	bool stall;    /* keeps the connection until the client goes; else it ends behind the answer */
	struct unix_socket at;
	char request[4096];
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct script *s = arg;
	struct pollfd p = { .fd = s->at.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 10000), 1);
	AUTO(fd_close_p) int fd = accept(s->at.fd, NULL, NULL);
	size_t n = 0;
	while (n < sizeof s->request - 1 && !strstr(s->request, "\r\n\r\n") && !strstr(s->request, "}\n"))
		n += (size_t)recv(fd, s->request + n, sizeof s->request - 1 - n, 0);
	if (send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL) < 0)
		return NULL;
	char block[4096];
	memset(block, *s->answer ? s->answer[strlen(s->answer) - 1] : 0, sizeof block);
	for (size_t left = s->repeat; left;) {
		ssize_t sent = send(fd, block, left < sizeof block ? left : sizeof block, MSG_NOSIGNAL);
		if (sent < 0)
			break;
		left -= (size_t)sent;
	}
	while (s->stall && recv(fd, block, sizeof block, 0) > 0)
		;
	return NULL;
}

static void script_start(struct script *s)
{
	struct error e = ERROR_INIT;
	s->at = UNIX_SOCKET_NONE;
	if (unix_socket_listen(path, &s->at, &e))
		fail_msg("%s", e.text);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void script_stop(struct script *s)
{
	pthread_join(s->thread, NULL);
	unix_socket_done(&s->at);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void answers(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		size_t repeat;
		bool stall;
		enum status st;
		int http;
		const char *body; /* or what the error says */
	} rows[] = {
		{ OK "Content-Length: 2\r\n\r\nok", 0, true, ST_OK, 200, "ok" },
		{ "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 0, true, ST_OK, 403, "no" },
		{ OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0, true, ST_OK, 200, "ok" },
		{ OK "\r\nok", 0, false, ST_OK, 200, "ok" },
		{ OK "Content-Length: 0\r\n\r\n", 0, true, ST_OK, 200, "" },
		{ "", 0, false, ST_PEER, 0, "the connection ended before the answer" },
		{ OK, 0, false, ST_PEER, 0, "the connection ended before the answer" },
		{ OK "Content-Length: 3\r\n\r\nok", 0, false, ST_PEER, 0, "the connection ended within the answer" },
		{ OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", 0, true, ST_PEER, 0, "malformed HTTP response" },
		{ "SSH-2.0-x\r\n\r\n", 0, true, ST_PEER, 0, "malformed HTTP response" },
		{ OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nok", 0, true, ST_PEER, 0,
		  "malformed HTTP response" },
		{ OK "A: b", 70000, true, ST_PEER, 0, "the answer's header is too large" },
		{ OK "\r\nx", HTTP_BODY_MAX, true, ST_LIMIT, 0, "" },
		{ OK "Content-Length: 9000000\r\n\r\nx", 9000000, true, ST_LIMIT, 0, "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct script s = { .answer = rows[i].answer, .repeat = rows[i].repeat, .stall = rows[i].stall };
		AUTO(http_response_done) struct http_response r = { 0 };
		struct error e = ERROR_INIT;
		script_start(&s);
		const struct http_request q = {
			.socket = path, .method = "POST", .target = "/x", .body = SLICE_LIT("{}\n"), .timeout_ms = 10000
		};
		enum status st = http_call(&q, &r, &e);
		script_stop(&s);
		if (st != rows[i].st ||
		    (!st && (r.status != rows[i].http || strcmp(buf_cstr(&r.body), rows[i].body) != 0)) ||
		    (st && !strstr(e.text, rows[i].body)))
			fail_msg("row %zu: %s %d '%s' %s", i, status_name(st), r.status, buf_cstr(&r.body), e.text);
		assert_non_null(strstr(s.request, "POST /x HTTP/1.1\r\nHost: localhost\r\n"));
		assert_non_null(strstr(s.request, "Content-Length: 3\r\nConnection: close\r\n\r\n{}\n"));
	}
}

static void no_answer_in_time(void **state)
{
	(void)state;
	static const char *const parts[] = { "", OK, OK "Content-Length: 3\r\n\r\nok" };
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		struct script s = { .answer = parts[i], .stall = true };
		struct http_response r;
		struct error e = ERROR_INIT;
		script_start(&s);
		const struct http_request q = { .socket = path, .method = "GET", .target = "/", .timeout_ms = 30 };
		assert_int_equal(http_call(&q, &r, &e), ST_AGAIN);
		script_stop(&s);
		assert_non_null(strstr(e.text, "no answer in time"));
		assert_null(r.body.p);
	}
}

static void nobody_there(void **state)
{
	(void)state;
	struct http_response r;
	struct error e = ERROR_INIT;
	const struct http_request q = { .socket = path, .method = "GET", .target = "/" };
	assert_int_equal(http_call(&q, &r, &e), ST_MISSING);
}

/* -- and our own ------------------------------------------------------------------------------------------------ */

static void echo(void *ctx, struct request *r)
{
	(void)ctx;
	request_reply(r, &(struct response){ .status = 200, .body = request_body(r) });
}

static void our_own_listener(void **state)
{
	(void)state;
	struct unix_socket at = UNIX_SOCKET_NONE;
	struct listener *l = NULL;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf big = BUF_INIT(1 << 20);
	assert_int_equal(unix_socket_listen(path, &at, &e), ST_OK);
	const struct listener_conf conf = { .socket = FD_TAKE(at.fd),
		                            .threads = 1,
		                            .limits = LISTENER_LIMITS_DEFAULT,
		                            .clock = &clock_system,
		                            .handler = echo };
	assert_int_equal(listener_start(&conf, &l, &e), ST_OK);
	for (int i = 0; i < 700000; i++)
		buf_addc(&big, (char)('a' + i % 26));
	const struct slice bodies[] = { SLICE_NONE, SLICE_LIT("x"), buf_slice(&big) };
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		AUTO(http_response_done) struct http_response r = { 0 };
		const struct http_request q = { .socket = path, .method = "POST", .target = "/", .body = bodies[i] };
		if (http_call(&q, &r, &e))
			fail_msg("%s", e.text);
		assert_int_equal(r.status, 200);
		assert_true(slice_eq(buf_slice(&r.body), bodies[i]));
	}
	listener_stop(l);
	unix_socket_done(&at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(no_answer_in_time),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(our_own_listener),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
