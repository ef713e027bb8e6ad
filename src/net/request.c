#include "net/conn.h"

#include "os/entropy.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* -- mailbox -------------------------------------------------------------------------------------------------- */

enum status mailbox_new(struct mailbox **ret, struct error *e)
{
	struct mailbox *m = calloc(1, sizeof *m);
	if (!m)
		return error_nomem(e);
	m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->wake_fd < 0) {
		free(m);
		return error_os(e, errno, "eventfd");
	}
	pthread_mutex_init(&m->lock, NULL);
	m->refs = 1;
	m->last = &m->first;
	*ret = m;
	return ST_OK;
}

static struct mailbox *mailbox_ref(struct mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	m->refs++;
	pthread_mutex_unlock(&m->lock);
	return m;
}

void mailbox_unref(struct mailbox *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	bool last = --m->refs == 0;
	pthread_mutex_unlock(&m->lock);
	if (!last)
		return;
	close(m->wake_fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static void wake(struct mailbox *m)
{
	uint64_t one = 1;
	/* It fails only where the counter is full, and then the worker is woken already. */
	ssize_t n = write(m->wake_fd, &one, sizeof one);
	(void)n;
}

void mailbox_post_stop(struct mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_mutex_unlock(&m->lock);
	wake(m);
}

bool mailbox_ask(struct mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	bool looked = !m->asked;
	m->asked = true;
	pthread_mutex_unlock(&m->lock);
	wake(m);
	return looked;
}

/* False where the listener is gone. */
static bool mailbox_post(struct mailbox *m, struct request *r)
{
	pthread_mutex_lock(&m->lock);
	bool open = !m->closed, was_empty = !m->first;
	if (open) {
		*m->last = r;
		m->last = &r->next;
		if (was_empty)
			wake(m); /* under the lock: afterwards the worker may have freed r, and r its place in m */
	}
	pthread_mutex_unlock(&m->lock);
	return open;
}

void mailbox_post_limits(struct mailbox *m, const struct listener_limits *limits)
{
	pthread_mutex_lock(&m->lock);
	m->limits = *limits;
	m->has_limits = true;
	pthread_mutex_unlock(&m->lock);
	wake(m);
}

struct request *mailbox_empty(struct mailbox *m, bool *ret_stop, struct listener_limits *limits)
{
	uint64_t count;
	ssize_t n = read(m->wake_fd, &count, sizeof count);
	(void)n;
	pthread_mutex_lock(&m->lock);
	struct request *first = m->first;
	m->first = NULL;
	m->last = &m->first;
	m->asked = false;
	*ret_stop = m->stop;
	if (m->has_limits)
		*limits = m->limits;
	m->has_limits = false;
	pthread_mutex_unlock(&m->lock);
	return first;
}

/* -- request -------------------------------------------------------------------------------------------------- */

/* What may stand in a log and come back in a header: no white space, no control bytes. */
static bool is_sane_id(const char *s)
{
	size_t n = 0;
	for (; s && s[n]; n++)
		if (s[n] <= 0x20 || s[n] >= 0x7f || n == REQUEST_ID_MAX)
			return false;
	return n > 0;
}

/* RFC 9562 §5.4: 122 random bits, version 4, variant 10. */
static enum status make_uuid(char out[REQUEST_ID_MAX + 1], struct error *e)
{
	uint8_t b[16];
	if (entropy_fill(&entropy_system, b, sizeof b, e))
		return e->status;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(out, REQUEST_ID_MAX + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
	         b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return ST_OK;
}

static enum status set_id(struct request *r, struct error *e)
{
	static const char *const from[] = { "X-Request-Id", "X-Smallstep-Id" };
	for (size_t i = 0; i < COUNT_OF(from); i++) {
		const char *id = request_header(r, from[i]);
		if (is_sane_id(id)) {
			snprintf(r->id, sizeof r->id, "%s", id);
			return ST_OK;
		}
	}
	return make_uuid(r->id, e);
}

/* Ends the span with a NUL in place of the byte behind it: a space, "?", ":" or the line's end, all of them parsed. */
static const char *cut(struct request *r, struct slice s)
{
	size_t at = (size_t)(s.p - (const uint8_t *)r->bytes);
	r->bytes[at + s.n] = '\0';
	return r->bytes + at;
}

static enum status parse(struct request *r, struct slice head_bytes, struct error *e)
{
	r->bytes = text_dup(head_bytes);
	if (!r->bytes)
		return error_nomem(e);
	if (http1_parse_request(slice_of(r->bytes, head_bytes.n), &r->head, e))
		return e->status;
	r->method = cut(r, r->head.method);
	r->path = cut(r, r->head.path);
	r->query = cut(r, r->head.query);
	for (size_t i = 0; i < r->head.fields_n; i++) {
		cut(r, r->head.fields[i].name);
		cut(r, r->head.fields[i].value);
	}
	return ST_OK;
}

enum status request_new(struct conn *c, struct slice head_bytes, struct request **ret, struct error *e)
{
	struct request *r = calloc(1, sizeof *r);
	*ret = r;
	if (!r)
		return error_nomem(e);
	r->w = c->w;
	r->box = mailbox_ref(c->w->box);
	r->conn = c;
	r->method = r->path = r->query = "";
	r->begun = c->begun;
	r->body = BUF_INIT(c->w->limits.body_bytes);
	r->reply = BUF_INIT(REPLY_MAX);
	r->peer = c->peer ? cert_ref(c->peer) : NULL;
	memcpy(r->remote, c->remote, sizeof r->remote);
	r->has_user = c->has_user;
	r->user = c->user;
	enum status st = head_bytes.n ? parse(r, head_bytes, e) : ST_OK;
	if (st)
		r->head = (struct http1_head){ 0 };
	struct error ignored = ERROR_INIT; /* the first error is the one to tell */
	return set_id(r, st ? &ignored : e) && !st ? e->status : st;
}

void request_free_tail(struct request *r)
{
	if (r->tail.body_free)
		r->tail.body_free(r->tail.body.p, r->tail.body.n, r->tail.body_owner);
	r->tail.body_free = NULL;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	request_free_tail(r);
	if (r->context_free)
		r->context_free(r->context);
	cert_unref(r->peer);
	buf_done(&r->body);
	buf_done(&r->reply);
	free(r->bytes);
	mailbox_unref(r->box);
	free(r);
}

void request_end(struct request *r, int status, size_t body_bytes)
{
	struct worker *w = r->w;
	const struct listener_conf *conf = &w->l->conf;
	if (conf->done)
		conf->done(conf->ctx, r, status, body_bytes);
	if (r->handed_over)
		w->requests--;
	request_free(r);
	worker_check_idle(w);
}

const char *request_method(const struct request *r)
{
	return r->method;
}

const char *request_path(const struct request *r)
{
	return r->path;
}

const char *request_query(const struct request *r)
{
	return r->query;
}

const char *request_header(const struct request *r, const char *name)
{
	const struct http1_field *f = http1_find(&r->head, name);
	return f ? (const char *)f->value.p : NULL;
}

struct slice request_body(const struct request *r)
{
	return buf_slice(&r->body);
}

struct cert *request_peer(const struct request *r)
{
	return r->peer;
}

const char *request_remote(const struct request *r)
{
	return r->remote;
}

bool request_user(const struct request *r, uid_t *ret)
{
	*ret = r->user;
	return r->has_user;
}

const char *request_id(const struct request *r)
{
	return r->id;
}

const char *request_protocol(const struct request *r)
{
	return r->head.minor ? "HTTP/1.1" : "HTTP/1.0";
}

struct mono request_begun(const struct request *r)
{
	return r->begun;
}

bool request_is_spare(const struct request *r)
{
	return r->spare;
}

void request_set_context(struct request *r, void *ctx, void (*free_fn)(void *))
{
	r->context = ctx;
	r->context_free = free_fn;
}

void *request_context(const struct request *r)
{
	return r->context;
}

/* -- answer --------------------------------------------------------------------------------------------------- */

size_t request_format_reply(const struct request *r, const struct response *resp, bool close, struct wall now,
                            struct buf *out)
{
	bool bodiless = resp->status == 204 || resp->status == 304; /* RFC 9110 §6.4.1, §8.6 */
	char date[HTTP1_DATE];

	buf_addf(out, "HTTP/1.1 %d %s\r\n", resp->status, http1_reason(resp->status));
	http1_add_field(out, "Date", http1_date(now, date));
	if (resp->content_type)
		http1_add_field(out, "Content-Type", resp->content_type);
	if (!bodiless)
		buf_addf(out, "Content-Length: %zu\r\n", resp->body.n);
	if (r->id[0])
		http1_add_field(out, "X-Request-Id", r->id);
	for (size_t i = 0; i < COUNT_OF(resp->headers) && resp->headers[i].name; i++)
		http1_add_field(out, resp->headers[i].name, resp->headers[i].value);
	if (close)
		buf_adds(out, "Connection: close\r\n");
	else if (r->head.minor == 0)
		buf_adds(out, "Connection: keep-alive\r\n");
	buf_adds(out, "\r\n");
	if (bodiless || strcmp(r->method, "HEAD") == 0)
		return 0;
	if (!resp->body_free)
		buf_add_slice(out, resp->body);
	return resp->body.n;
}

void request_set_reply(struct request *r, const struct response *resp, struct wall now)
{
	r->status = resp->status;
	r->close = resp->close || r->spare || !r->head.keep_alive;
	r->body_n = request_format_reply(r, resp, r->close, now, &r->reply);
	if (!r->body_n)
		request_free_tail(r);
}

void request_reply(struct request *r, const struct response *resp)
{
	pthread_mutex_lock(&r->box->lock);
	bool closed = r->box->closed;
	bool here = !closed && worker_is_here(r->w);
	struct wall now = closed ? (struct wall){ 0 } : clock_wall(r->w->l->conf.clock);
	pthread_mutex_unlock(&r->box->lock);

	r->tail = *resp;
	if (!closed)
		request_set_reply(r, resp, now);
	if (here)
		conn_take_reply(r);
	else if (closed || !mailbox_post(r->box, r))
		request_free(r);
}
