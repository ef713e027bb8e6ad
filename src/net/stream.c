/* Between two events a stream holds `left` (received, not yet wanted) and `late` (made, not yet taken by the kernel);
 * both are empty nearly always. While one is at work (pump), they lie in the room's scratch:
 *
 *   socket ──recv──> room->in ──bio_read──> libssl ──> room->plain ──> input ──told──> owner
 *   socket <──send── room->out <─bio_write── libssl <──────────────── output <──────── owner
 *
 * pump goes round until nothing moves: what the owner starts from inside `told` is done by the same loop, so that a row
 * of requests in one piece does not nest. */
#include "net/stream.h"

#include "crypto/ossl.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	RECORD = 16 << 10,           /* RFC 8446 §5.1: "The length MUST NOT exceed 2^14 bytes." */
	RECORD_ROOM = RECORD + 1024, /* with what encryption may add */
	OUT_MAX = 4 * RECORD_ROOM,
};

struct span {
	uint8_t *p; /* malloc'ed */
	size_t at, n;
};

struct stream_room {
	struct stream *user; /* whose bytes are in it */
	size_t in_at, in_n, out_n;
	uint8_t in[RECORD], plain[RECORD], out[OUT_MAX];
};

struct stream {
	struct stream_room *room;
	struct event_base *base;
	struct event *readable, *writable; /* the second one only once it was needed */
	struct evbuffer *input, *output;
	stream_fn *told;
	void *ctx;
	SSL *ssl;
	int fd;
	struct span left, late;
	bool registered; /* readable */
	bool fresh;      /* plain: there is input that was not told */
	bool waits;      /* for STREAM_KNOCK */
	bool enabled, open, stopped;
	bool eof, eof_told; /* of the socket or of TLS */
	bool sending, last; /* asked by stream_send */
	bool notified;      /* close_notify was made */
};

struct stream_room *stream_room_new(void)
{
	return calloc(1, sizeof(struct stream_room));
}

void stream_room_free(struct stream_room *room)
{
	free(room);
}

static void span_drop(struct span *s)
{
	free(s->p);
	*s = (struct span){ 0 };
}

/* What is left of it, and then the n bytes at p. */
static bool span_keep(struct span *s, const uint8_t *p, size_t n)
{
	size_t rest = s->n - s->at;
	if (!n)
		return true;
	uint8_t *all = malloc(rest + n);
	if (!all)
		return false;
	if (rest)
		memcpy(all, s->p + s->at, rest);
	memcpy(all + rest, p, n);
	free(s->p);
	*s = (struct span){ .p = all, .n = rest + n };
	return true;
}

/* -- towards the socket --------------------------------------------------------------------------------------- */

static bool is_late(const struct stream *s)
{
	return s->late.p;
}

static void on_writable(evutil_socket_t fd, short what, void *arg);

static bool wait_writable(struct stream *s)
{
	if (!s->writable)
		s->writable = event_new(s->base, s->fd, EV_WRITE, on_writable, s);
	return s->writable && !event_add(s->writable, NULL);
}

static bool is_passing(int os)
{
	return os == EAGAIN || os == EINTR;
}

/* Returns how many bytes the kernel took; < 0: the socket is of no use any more. */
static ssize_t give(struct stream *s, const uint8_t *p, size_t n)
{
	ssize_t sent = n ? send(s->fd, p, n, MSG_NOSIGNAL) : 0;
	return sent < 0 && is_passing(errno) ? 0 : sent;
}

static bool push_late(struct stream *s)
{
	ssize_t sent = give(s, s->late.p + s->late.at, s->late.n - s->late.at);
	if (sent < 0)
		return false;
	s->late.at += (size_t)sent;
	if (s->late.at == s->late.n)
		span_drop(&s->late);
	return !is_late(s) || wait_writable(s);
}

/* Whatever is to be sent, in as few pieces as can be. What the kernel does not take is late. False: the stream is
 * broken.
 */
static bool push(struct stream *s)
{
	struct stream_room *r = s->room;
	size_t n = r->out_n;
	r->out_n = 0;
	if (is_late(s))
		return push_late(s) && (!n || (span_keep(&s->late, r->out, n) && wait_writable(s)));
	ssize_t sent = give(s, r->out, n);
	if (sent < 0 || !span_keep(&s->late, r->out + sent, n - (size_t)sent))
		return false;
	return !is_late(s) || wait_writable(s);
}

/* -- the BIO under libssl ------------------------------------------------------------------------------------- */

static int bio_write(BIO *bio, const char *p, int n)
{
	struct stream *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (!s || n <= 0)
		return -1;
	struct stream_room *r = s->room;
	if ((size_t)n > sizeof r->out - r->out_n && (!push(s) || is_late(s) || (size_t)n > sizeof r->out)) {
		BIO_set_retry_write(bio);
		return -1;
	}
	memcpy(r->out + r->out_n, p, (size_t)n);
	r->out_n += (size_t)n;
	return n;
}

static size_t take(uint8_t *from, size_t *at, size_t n, char *to, size_t to_n)
{
	size_t m = n - *at < to_n ? n - *at : to_n;
	memcpy(to, from + *at, m);
	*at += m;
	return m;
}

static int bio_read(BIO *bio, char *p, int n)
{
	struct stream *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (!s || n <= 0)
		return -1;
	if (s->left.p) {
		size_t m = take(s->left.p, &s->left.at, s->left.n, p, (size_t)n);
		if (s->left.at == s->left.n)
			span_drop(&s->left);
		return (int)m;
	}
	if (s->room->in_at < s->room->in_n)
		return (int)take(s->room->in, &s->room->in_at, s->room->in_n, p, (size_t)n);
	if (s->eof)
		return 0;
	BIO_set_retry_read(bio);
	return -1;
}

static long bio_ctrl(BIO *bio, int what, long num, void *ptr)
{
	const struct stream *s = BIO_get_data(bio);
	(void)num;
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return !s || s->eof;
	case BIO_C_GET_FD:
		if (s && ptr)
			*(int *)ptr = s->fd;
		return s ? s->fd : -1;
	default:
		return 0;
	}
}

static BIO_METHOD *bio_method;
static CRYPTO_ONCE bio_once = CRYPTO_ONCE_STATIC_INIT;

static void make_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "stream");
	if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) && BIO_meth_set_ctrl(m, bio_ctrl))
		bio_method = m;
	else
		BIO_meth_free(m);
}

static bool attach(struct stream *s)
{
	BIO *bio = CRYPTO_THREAD_run_once(&bio_once, make_bio_method) && bio_method ? BIO_new(bio_method) : NULL;
	if (!bio)
		return false;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_mode(s->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_accept_state(s->ssl);
	return true;
}

/* -- at work -------------------------------------------------------------------------------------------------- */

static void tell(struct stream *s, enum stream_event event)
{
	if (!s->stopped)
		s->told(s->ctx, event);
}

/* What TLS has to say about it (an alert) is sent first. */
static void fail(struct stream *s)
{
	bool sent = push(s);
	if (s->stopped)
		return;
	if (!sent)
		s->eof = true;
	enum stream_event event = s->eof && !s->open ? STREAM_EOF : STREAM_FAILED;
	stream_stop(s);
	s->told(s->ctx, event);
}

/* ret: of the call to libssl. False where it only waits for the other side. */
static bool is_failure(struct stream *s, int ret)
{
	int why = SSL_get_error(s->ssl, ret);
	return why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
}

static bool shake(struct stream *s)
{
	ERR_clear_error();
	int ret = SSL_do_handshake(s->ssl);
	if (ret == 1) {
		s->open = true;
		if (push(s))
			tell(s, STREAM_OPEN);
		else
			fail(s);
		return true;
	}
	if (is_failure(s, ret) || !push(s))
		fail(s);
	return false;
}

static bool has_room(const struct stream *s)
{
	return s->enabled && !s->stopped && evbuffer_get_length(s->input) < STREAM_INPUT_MAX;
}

static bool add_input(struct stream *s, size_t n)
{
	if (!evbuffer_add(s->input, s->room->plain, n))
		return true;
	fail(s);
	return false;
}

/* All that has come, and then one word about it. True where the owner may have changed something. */
static bool read_tls(struct stream *s)
{
	bool some = false;
	size_t n;
	while (has_room(s) && !is_late(s)) {
		ERR_clear_error();
		if (SSL_read_ex(s->ssl, s->room->plain, sizeof s->room->plain, &n) == 1) {
			some = true;
			if (!add_input(s, n))
				return false;
			continue;
		}
		int why = SSL_get_error(s->ssl, 0);
		if (why == SSL_ERROR_ZERO_RETURN)
			s->eof = true;
		else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return fail(s), false;
		break;
	}
	if (s->room->out_n && !push(s)) /* the answer to a key update */
		return fail(s), false;
	if (some)
		tell(s, STREAM_INPUT);
	return some;
}

static bool read_plain(struct stream *s)
{
	if (!s->fresh)
		return false;
	s->fresh = false;
	tell(s, STREAM_INPUT);
	return true;
}

static bool take_in(struct stream *s)
{
	if (s->stopped || !s->enabled)
		return false;
	bool moved = !s->ssl ? read_plain(s) : !s->open ? shake(s) : read_tls(s);
	if (!moved && !s->stopped && s->eof && !s->eof_told && s->enabled && (s->open || !s->ssl)) {
		s->eof_told = moved = true;
		tell(s, STREAM_EOF);
	}
	return moved;
}

/* One record's worth. False: it must wait. */
static bool encrypt(struct stream *s)
{
	size_t n = evbuffer_get_length(s->output), done;
	if (n > RECORD)
		n = RECORD;
	const uint8_t *p = evbuffer_pullup(s->output, (ev_ssize_t)n);
	ERR_clear_error();
	int ret = p ? SSL_write_ex(s->ssl, p, n, &done) : 0;
	if (ret == 1) {
		evbuffer_drain(s->output, done);
		return true;
	}
	if (!p || is_failure(s, ret))
		fail(s);
	return false;
}

static bool write_plain(struct stream *s)
{
	while (evbuffer_get_length(s->output)) {
		int n = evbuffer_write(s->output, s->fd);
		if (n >= 0 || errno == EINTR)
			continue;
		if (errno != EAGAIN || !wait_writable(s))
			fail(s);
		return false;
	}
	return true;
}

static bool write_tls(struct stream *s)
{
	while (evbuffer_get_length(s->output)) {
		if (is_late(s) || !encrypt(s))
			return false;
		if (sizeof s->room->out - s->room->out_n < RECORD_ROOM && !push(s))
			return fail(s), false;
	}
	if (s->last && !s->notified) {
		s->notified = true;
		SSL_shutdown(s->ssl);
		ossl_forget_errors();
	}
	if (!push(s))
		return fail(s), false;
	return !is_late(s);
}

static bool send_out(struct stream *s)
{
	if (s->stopped || !s->sending || is_late(s) || !(s->ssl ? write_tls(s) : write_plain(s)))
		return false;
	s->sending = false;
	tell(s, STREAM_SENT);
	return true;
}

/* One at a time in a room: a second one has its turn from the loop. */
static void pump(struct stream *s)
{
	struct stream_room *r = s->room;
	if (s->stopped || r->user == s)
		return;
	if (r->user) {
		event_active(s->readable, EV_TIMEOUT, 0);
		return;
	}
	r->user = s;
	while (send_out(s) || take_in(s))
		;
	if (!s->stopped && (!span_keep(&s->left, r->in + r->in_at, r->in_n - r->in_at) || (r->out_n && !push(s))))
		fail(s);
	r->user = NULL;
	r->in_at = r->in_n = r->out_n = 0;
}

static void listen_again(struct stream *s)
{
	if (!s->registered && s->enabled && !s->stopped && !s->eof)
		s->registered = !event_add(s->readable, NULL);
}

static void listen_no_more(struct stream *s)
{
	event_del(s->readable);
	s->registered = false;
}

/* False where nothing has changed, or where it is over. */
static bool receive(struct stream *s)
{
	struct stream_room *r = s->room;
	if (!has_room(s) || is_late(s)) {
		listen_no_more(s); /* until it is wanted again */
		return false;
	}
	ssize_t n = s->ssl ? recv(s->fd, r->in, sizeof r->in, 0) : evbuffer_read(s->input, s->fd, RECORD);
	if (n < 0 && is_passing(errno))
		return false;
	if (n > 0) {
		r->in_n = s->ssl ? (size_t)n : 0;
		s->fresh = !s->ssl;
		return true;
	}
	s->eof = true;
	listen_no_more(s);
	if (n < 0)
		fail(s);
	return n == 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	(void)fd;
	if (!s->stopped && s->waits) {
		s->waits = false;
		s->told(s->ctx, STREAM_KNOCK);
		s->open = !s->ssl;
	}
	if (!s->stopped && (!(what & EV_READ) || receive(s)))
		pump(s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	(void)fd;
	(void)what;
	if (s->stopped)
		return;
	if (is_late(s) && !push_late(s)) {
		fail(s);
		return;
	}
	if (!is_late(s)) {
		listen_again(s);
		pump(s);
	}
}

/* -- for the owner -------------------------------------------------------------------------------------------- */

struct stream *stream_new(struct event_base *base, struct stream_room *room, int fd, bool waits, stream_fn *told,
                          void *ctx)
{
	struct stream *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	*s = (struct stream){ .room = room, .base = base, .fd = fd, .waits = waits, .told = told, .ctx = ctx };
	s->enabled = true;
	s->open = !waits;
	s->input = evbuffer_new();
	s->output = evbuffer_new();
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (s->input && s->output && s->readable)
		listen_again(s);
	if (!s->registered) {
		stream_free(s);
		return NULL;
	}
	return s;
}

bool stream_secure(struct stream *s, SSL *ssl)
{
	s->ssl = ssl;
	return attach(s);
}

void stream_stop(struct stream *s)
{
	s->stopped = true;
	s->enabled = false;
	event_del(s->readable);
	if (s->writable)
		event_del(s->writable);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	BIO *bio = s->ssl ? SSL_get_rbio(s->ssl) : NULL;
	if (bio) /* it lives as long as the SSL object */
		BIO_set_data(bio, NULL);
	if (s->readable)
		event_free(s->readable);
	if (s->writable)
		event_free(s->writable);
	if (s->input)
		evbuffer_free(s->input);
	if (s->output)
		evbuffer_free(s->output);
	span_drop(&s->left);
	span_drop(&s->late);
	free(s);
}

struct evbuffer *stream_input(struct stream *s)
{
	return s->input;
}

struct evbuffer *stream_output(struct stream *s)
{
	return s->output;
}

void stream_enable(struct stream *s, bool on)
{
	s->enabled = on && !s->stopped;
	if (!s->enabled)
		return;
	listen_again(s);
	bool waits = s->left.p || s->fresh || (s->eof && !s->eof_told) || (s->ssl && SSL_has_pending(s->ssl));
	if (waits && s->room->user != s)
		event_active(s->readable, EV_TIMEOUT, 0);
}

void stream_send(struct stream *s, bool last)
{
	s->sending = true;
	s->last |= last;
	pump(s);
}

void stream_close_notify(struct stream *s)
{
	if (!s->ssl || !s->open || s->stopped || s->notified || s->sending || is_late(s))
		return;
	s->notified = true;
	SSL_shutdown(s->ssl);
	ossl_forget_errors();
	if (!push(s))
		stream_stop(s); /* the owner closes it anyway */
}
