/* Streams over a socketpair, against libssl at the other end, both in this thread: what arrives in pieces or in heaps,
 * who reads too late, and the ends. */
#include "net/stream.h"
#include "net/listener.h"
#include "net/tls.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG = 1 << 20, ROUNDS = 200000, PIECES = 50 };

static struct pki pki;

/* Both ends, and what the near one was told. */
struct pair {
	struct event_base *base;
	struct stream_room *room;
	struct stream *s;
	SSL_CTX *near_ctx, *far_ctx;
	SSL *near, *far;
	int fd[2];
	int opened, sent, eofs, failed;
	size_t told;      /* bytes */
	bool hold;        /* stop reading at each input */
	bool take;        /* drain what is told */
	const char *echo; /* answered to each input, as the last thing */
	uint8_t sum;
};

static void told(void *ctx, enum stream_event event)
{
	struct pair *p = ctx;
	struct evbuffer *in = stream_input(p->s);
	assert_int_equal(p->failed, 0); /* the last one */
	if (event == STREAM_KNOCK)
		assert_true(stream_secure(p->s, p->near));
	p->opened += event == STREAM_OPEN;
	p->sent += event == STREAM_SENT;
	p->eofs += event == STREAM_EOF;
	p->failed += event == STREAM_FAILED;
	if (event != STREAM_INPUT)
		return;
	assert_int_equal(p->eofs, 0);
	if (p->hold)
		stream_enable(p->s, false);
	if (p->take) {
		size_t n = evbuffer_get_length(in);
		const uint8_t *bytes = evbuffer_pullup(in, -1);
		for (size_t i = 0; i < n; i++)
			p->sum = (uint8_t)(p->sum * 31 + bytes[i]);
		p->told += n;
		evbuffer_drain(in, n);
	}
	if (p->echo) {
		assert_int_equal(evbuffer_add(stream_output(p->s), p->echo, strlen(p->echo)), 0);
		stream_send(p->s, true);
	}
}

static void turn(struct pair *p)
{
	event_base_loop(p->base, EVLOOP_NONBLOCK);
}

static struct pair *pair_new(bool tls, int max_version)
{
	struct pair *p = calloc(1, sizeof *p);
	struct error e = ERROR_INIT;
	assert_non_null(p);
	struct listener_tls_conf conf = { .chain = &pki.server.chain,
		                          .key = pki.server.key,
		                          .client_roots = &pki.client_roots };
	int flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	assert_int_equal(socketpair(AF_UNIX, flags, 0, p->fd), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(setsockopt(p->fd[i], SOL_SOCKET, SO_SNDBUF, &(int){ 32768 }, sizeof(int)), 0);
	p->base = event_base_new();
	p->room = stream_room_new();
	if (tls) {
		assert_int_equal(listener_tls_new(&conf, &p->near_ctx, &e), ST_OK);
		p->far_ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_max_proto_version(p->far_ctx, max_version);
		p->near = SSL_new(p->near_ctx);
		p->far = SSL_new(p->far_ctx);
		SSL_set_fd(p->far, p->fd[1]);
		SSL_set_connect_state(p->far);
	}
	p->take = true;
	p->s = stream_new(p->base, p->room, p->fd[0], p->near != NULL, told, p);
	assert_non_null(p->s);
	return p;
}

static void far_close(struct pair *p)
{
	if (p->fd[1] >= 0)
		close(p->fd[1]);
	p->fd[1] = -1;
}

static void pair_free(struct pair *p)
{
	stream_stop(p->s);
	stream_free(p->s);
	SSL_free(p->near);
	SSL_free(p->far);
	SSL_CTX_free(p->near_ctx);
	SSL_CTX_free(p->far_ctx);
	stream_room_free(p->room);
	event_base_free(p->base);
	close(p->fd[0]);
	far_close(p);
	free(p);
}

static struct pair *pair_open(int max_version)
{
	struct pair *p = pair_new(true, max_version);
	for (int i = 0; i < ROUNDS && !(p->opened && SSL_is_init_finished(p->far)); i++) {
		SSL_do_handshake(p->far);
		turn(p);
	}
	assert_int_equal(p->opened, 1);
	return p;
}

static void far_write(struct pair *p, const void *bytes, size_t n)
{
	size_t done;
	for (int i = 0; i < ROUNDS; i++) {
		if (p->far ? SSL_write_ex(p->far, bytes, n, &done) == 1 : write(p->fd[1], bytes, n) == (ssize_t)n)
			return;
		turn(p);
	}
	fail_msg("cannot write");
}

/* Reads n bytes. */
static void far_read(struct pair *p, size_t n, uint8_t each)
{
	uint8_t bytes[8192];
	size_t got = 0, some;
	for (int i = 0; i < ROUNDS && got < n; i++) {
		if (p->far) {
			some = SSL_read_ex(p->far, bytes, sizeof bytes, &some) == 1 ? some : 0;
		} else {
			ssize_t m = read(p->fd[1], bytes, sizeof bytes);
			some = m > 0 ? (size_t)m : 0;
		}
		for (size_t k = 0; k < some; k++)
			assert_int_equal(bytes[k], each);
		got += some;
		if (!some)
			turn(p);
	}
	assert_int_equal(got, n);
}

static bool far_got_close_notify(struct pair *p)
{
	char byte;
	size_t n;
	for (int i = 0; i < ROUNDS; i++) {
		if (SSL_read_ex(p->far, &byte, 1, &n) == 1)
			return false;
		if (SSL_get_error(p->far, 0) != SSL_ERROR_WANT_READ)
			return SSL_get_error(p->far, 0) == SSL_ERROR_ZERO_RETURN;
		turn(p);
	}
	return false;
}

static void wait_told(struct pair *p, size_t n)
{
	for (int i = 0; i < ROUNDS && p->told < n; i++)
		turn(p);
	assert_int_equal(p->told, n);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* The far end's bytes one by one: the handshake, a record, close_notify. */
static void drips(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct pair *p = pair_new(true, versions[v]);
		BIO *out = BIO_new(BIO_s_mem()), *in = BIO_new_socket(p->fd[1], BIO_NOCLOSE);
		SSL_set_bio(p->far, in, out);
		for (int step = 0; step < ROUNDS && !p->eofs; step++) {
			char byte;
			if (!SSL_is_init_finished(p->far))
				SSL_do_handshake(p->far);
			else if (!p->told && BIO_pending(out) == 0 && p->opened)
				SSL_write(p->far, "0123456789", 10);
			else if (p->told == 10 && !(SSL_get_shutdown(p->far) & SSL_SENT_SHUTDOWN))
				SSL_shutdown(p->far);
			if (BIO_read(out, &byte, 1) == 1)
				assert_int_equal(write(p->fd[1], &byte, 1), 1);
			turn(p);
		}
		assert_int_equal(p->opened, 1);
		assert_int_equal(p->told, 10);
		assert_int_equal(p->eofs, 1);
		assert_int_equal(p->failed, 0);
		pair_free(p);
	}
}

/* Who reads only one piece at a time gets all of what came in one, and its end behind it. */
static void heaps(void **state)
{
	(void)state;
	for (size_t v = 0; v <= COUNT_OF(versions); v++) {
		struct pair *p = v < COUNT_OF(versions) ? pair_open(versions[v]) : pair_new(false, 0);
		uint8_t sum = 0, byte;
		p->hold = true;
		for (int i = 0; i < PIECES; i++) {
			byte = (uint8_t)(i * 7);
			sum = (uint8_t)(sum * 31 + byte);
			far_write(p, &byte, 1);
		}
		if (p->far)
			SSL_shutdown(p->far);
		shutdown(p->fd[1], SHUT_WR);
		for (int i = 0; i < ROUNDS && !p->eofs; i++) {
			stream_enable(p->s, true);
			turn(p);
		}
		assert_int_equal(p->told, PIECES);
		assert_int_equal(p->sum, sum);
		assert_int_equal(p->eofs, 1);
		pair_free(p);
	}
}

/* Nothing is read, nor lost, while it is off; and the loop does not spin over it. */
static void off_and_on(void **state)
{
	(void)state;
	for (size_t v = 0; v <= COUNT_OF(versions); v++) {
		struct pair *p = v < COUNT_OF(versions) ? pair_open(versions[v]) : pair_new(false, 0);
		stream_enable(p->s, false);
		far_write(p, "abc", 3);
		for (int i = 0; i < 10; i++)
			turn(p);
		assert_int_equal(p->told, 0);
		assert_int_equal(event_base_get_num_events(p->base, EVENT_BASE_COUNT_ADDED), 0);
		stream_enable(p->s, true);
		wait_told(p, 3);
		pair_free(p);
	}
}

/* Input that nobody takes is bounded, and goes on once it is taken. */
static void not_taken(void **state)
{
	static uint8_t bytes[4096];
	(void)state;
	for (size_t v = 0; v <= COUNT_OF(versions); v++) {
		struct pair *p = v < COUNT_OF(versions) ? pair_open(versions[v]) : pair_new(false, 0);
		size_t wrote = 0, done;
		p->take = false;
		for (int idle = 0; idle < 100; idle++) {
			while (p->far ? SSL_write_ex(p->far, bytes, sizeof bytes, &done) == 1
			              : (done = (size_t)write(p->fd[1], bytes, sizeof bytes)) != SIZE_MAX) {
				wrote += done;
				idle = 0;
			}
			turn(p);
		}
		assert_in_range(evbuffer_get_length(stream_input(p->s)), STREAM_INPUT_MAX, STREAM_INPUT_MAX + 16384);
		assert_true(wrote > STREAM_INPUT_MAX);
		p->take = true;
		p->told = evbuffer_get_length(stream_input(p->s));
		evbuffer_drain(stream_input(p->s), p->told);
		stream_enable(p->s, true);
		for (int i = 0; i < ROUNDS && p->told < wrote; i++)
			turn(p);
		assert_in_range(p->told, wrote, wrote + sizeof bytes); /* a record that was begun */
		pair_free(p);
	}
}

/* A large answer to who does not read: sent as it is read, told once, close_notify behind it. */
static void slow_reader(void **state)
{
	static uint8_t bytes[BIG];
	(void)state;
	memset(bytes, 'x', sizeof bytes);
	for (size_t v = 0; v <= COUNT_OF(versions); v++) {
		struct pair *p = v < COUNT_OF(versions) ? pair_open(versions[v]) : pair_new(false, 0);
		assert_int_equal(evbuffer_add(stream_output(p->s), bytes, sizeof bytes), 0);
		stream_send(p->s, true);
		for (int i = 0; i < 10; i++)
			turn(p);
		assert_int_equal(p->sent, 0);
		stream_close_notify(p->s); /* not now */
		far_read(p, sizeof bytes, 'x');
		for (int i = 0; i < ROUNDS && !p->sent; i++)
			turn(p);
		assert_int_equal(p->sent, 1);
		assert_true(!p->far || far_got_close_notify(p));
		pair_free(p);
	}
}

/* Requests in one piece, each answered from inside: no nesting, all answers, one after the other. */
static void answers_from_inside(void **state)
{
	(void)state;
	struct pair *p = pair_open(TLS1_3_VERSION);
	p->echo = "y";
	far_write(p, "q", 1);
	far_read(p, 1, 'y');
	assert_int_equal(p->sent, 1);
	assert_true(far_got_close_notify(p));
	stream_close_notify(p->s); /* was said */
	pair_free(p);
}

/* A client that asks for new keys again and again and does not read the answers is not read any more either. */
static void key_updates(void **state)
{
	(void)state;
	struct pair *p = pair_open(TLS1_3_VERSION);
	int asked = 0;
	SSL_set_mode(p->far, SSL_MODE_AUTO_RETRY);
	for (int idle = 0; idle < 100 && asked < 100000; idle++) {
		if (SSL_key_update(p->far, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(p->far) == 1) {
			asked++;
			idle = 0;
		}
		turn(p);
	}
	assert_true(asked > 10 && asked < 100000);
	assert_int_equal(p->failed, 0);
	pair_free(p);
}

static void garbage(void **state)
{
	(void)state;
	struct pair *p = pair_new(true, 0);
	uint8_t alert[16];
	assert_int_equal(write(p->fd[1], "\x16\x03\x01\x00\x07GARBAGE", 12), 12);
	for (int i = 0; i < ROUNDS && !p->failed; i++)
		turn(p);
	assert_int_equal(p->failed, 1);
	assert_int_equal(p->opened + p->eofs, 0);
	assert_int_equal(read(p->fd[1], alert, sizeof alert), 7);
	assert_int_equal(alert[0], 21);
	pair_free(p);
}

static void garbage_later(void **state)
{
	(void)state;
	struct pair *p = pair_open(TLS1_3_VERSION);
	assert_int_equal(write(p->fd[1], "\x17\x03\x03\x00\x20GARBAGE GARBAGE GARBAGE GARBAGE.", 37), 37);
	for (int i = 0; i < ROUNDS && !p->failed; i++)
		turn(p);
	assert_int_equal(p->failed, 1);
	assert_int_equal(p->told, 0);
	pair_free(p);
}

static void ends(void **state)
{
	(void)state;
	struct pair *p = pair_new(true, 0); /* before a byte */
	far_close(p);
	for (int i = 0; i < ROUNDS && !p->eofs; i++)
		turn(p);
	assert_int_equal(p->eofs, 1);
	assert_int_equal(p->failed + p->opened, 0);
	pair_free(p);

	p = pair_open(TLS1_3_VERSION); /* without close_notify, in the middle of an answer */
	static const uint8_t bytes[BIG];
	assert_int_equal(evbuffer_add(stream_output(p->s), bytes, sizeof bytes), 0);
	stream_send(p->s, false);
	far_close(p);
	for (int i = 0; i < ROUNDS && !p->failed && !p->eofs; i++)
		turn(p);
	assert_int_equal(p->sent, 0);
	pair_free(p);

	p = pair_open(TLS1_2_VERSION); /* stopped: nothing more is told */
	far_write(p, "q", 1);
	stream_stop(p->s);
	for (int i = 0; i < 10; i++)
		turn(p);
	stream_send(p->s, false);
	stream_enable(p->s, true);
	stream_close_notify(p->s);
	turn(p);
	assert_int_equal(p->told + (size_t)p->sent, 0);
	pair_free(p);
}

static int setup(void **state)
{
	(void)state;
	pki_make(&pki);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_done(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drips),       cmocka_unit_test(heaps),       cmocka_unit_test(off_and_on),
		cmocka_unit_test(not_taken),   cmocka_unit_test(slow_reader), cmocka_unit_test(answers_from_inside),
		cmocka_unit_test(key_updates), cmocka_unit_test(garbage),     cmocka_unit_test(garbage_later),
		cmocka_unit_test(ends),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
