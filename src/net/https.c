/* One call is a job that walks through phases; whatever ends it goes through end(), and the loop then tells the caller.
 *
 *   DIAL   dial_next -> on_dial: one address after the other
 *   PROXY  on_proxy_read: CONNECT and its answer (RFC 9110 §9.3.6), where there is a proxy
 *   TLS    on_tls_event
 *   HEAD   read_head: interim answers are skipped
 *   BODY   read_body */
#include "net/https.h"

#include "base/b64.h"
#include "base/duration.h"
#include "crypto/ossl.h"
#include "net/input.h"
#include "net/tls.h"
#include "net/url.h"
#include "os/auto.h"
#include "os/clock.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>

enum { TIMEOUT_MS = 15000, DIAL_LEAST_MS = 2000, HEAD_MAX = 64 << 10, REQUEST_MAX = 8 << 20 };

enum phase { DIAL, PROXY, TLS, HEAD, BODY, ENDED };

static const char *const waiting_for[] = {
	[DIAL] = "connecting",
	[PROXY] = "waiting for the proxy",
	[TLS] = "waiting for the TLS handshake",
	[HEAD] = "waiting for the answer",
	[BODY] = "reading the answer",
	[ENDED] = "",
};

struct https_job {
	struct event_base *base;
	https_done *done;
	void *arg;
	enum phase phase;
	char *method, *url_text;
	struct url url, proxy;
	bool has_proxy, insecure;
	struct buf connect, request; /* bytes to send */
	int64_t timeout_ms;
	struct mono until;
	struct addrinfo *addresses, *at;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct bufferevent *bev;
	struct event *deadline_ev, *dial_ev, *look_ev, *end_ev;
	struct evbuffer *in;
	size_t scanned;
	char *head_bytes; /* what head's slices point into */
	struct http1_head head;
	struct http1_chunked chunked;
	bool clean_eof, write_failed;
	int alert;
	char untrusted[512]; /* why the server's certificate was refused */
	struct https_response resp;
	struct https_outcome outcome;
	enum status status;
	struct error error;
};

void https_response_done(struct https_response *r)
{
	buf_done(&r->body);
	chain_done(&r->peer);
}

/* -- the end -------------------------------------------------------------------------------------------------- */

static void hang_up(struct https_job *j)
{
	if (j->bev) {
		bufferevent_setcb(j->bev, NULL, NULL, NULL, NULL);
		bufferevent_free(j->bev);
	}
	j->bev = NULL;
	SSL_free(TAKE(j->ssl));
	fd_close_p(&j->fd);
	j->fd = -1;
}

static void job_free(struct https_job *j)
{
	struct event *events[] = { j->deadline_ev, j->dial_ev, j->look_ev, j->end_ev };
	for (size_t i = 0; i < COUNT_OF(events); i++)
		if (events[i])
			event_free(events[i]);
	hang_up(j);
	if (j->in)
		evbuffer_free(j->in);
	if (j->addresses)
		freeaddrinfo(j->addresses);
	SSL_CTX_free(j->ctx);
	buf_done(&j->connect);
	buf_done(&j->request);
	https_response_done(&j->resp);
	free(j->method);
	free(j->url_text);
	free(j->head_bytes);
	free(j);
}

static void job_free_p(struct https_job **j)
{
	if (*j)
		job_free(*j);
}

void https_cancel(struct https_job *j)
{
	if (j)
		job_free(j);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	struct https_response resp = { .body = BUF_INIT(HTTPS_BODY_MAX) };
	struct https_outcome outcome = j->outcome;
	struct error e = j->error;
	enum status st = j->status;
	https_done *done = j->done;
	(void)fd;
	(void)what;

	if (st) {
		error_wrap(&e, "client %s %s failed", j->method, j->url_text);
	} else {
		resp = j->resp;
		j->resp = (struct https_response){ 0 };
	}
	void *done_arg = j->arg;
	job_free(j);
	done(done_arg, st, &resp, &outcome, &e);
}

/* The first end counts. The job itself goes when the loop comes round, since its callbacks may be under us. */
static void end(struct https_job *j, enum https_failure failure, enum status st)
{
	if (j->phase == ENDED)
		return;
	j->phase = ENDED;
	j->status = st;
	j->outcome = (struct https_outcome){ .failure = failure, .alert = failure == HTTPS_ALERT ? j->alert : 0 };
	if (j->bev) {
		bufferevent_setcb(j->bev, NULL, NULL, NULL, NULL);
		bufferevent_disable(j->bev, EV_READ | EV_WRITE);
	}
	event_del(j->deadline_ev);
	event_active(j->end_ev, EV_TIMEOUT, 0);
}

static void end_nomem(struct https_job *j)
{
	end(j, HTTPS_LOCAL, error_nomem(&j->error));
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	char limit[DURATION_TEXT];
	(void)fd;
	(void)what;
	error_set(&j->error, ST_AGAIN, "no answer within %s (%s)", duration_format(j->timeout_ms * DURATION_MS, limit),
	          waiting_for[j->phase]);
	end(j, HTTPS_TIMEOUT, ST_AGAIN);
}

/* -- reading the answer --------------------------------------------------------------------------------------- */

static void malformed(struct https_job *j, const struct error *e)
{
	if (e->status == ST_NOMEM)
		end_nomem(j);
	else
		end(j, HTTPS_PROTOCOL, error_set(&j->error, ST_PEER, "malformed HTTP response: %s", e->text));
}

static void too_large(struct https_job *j, const char *what, size_t max)
{
	end(j, HTTPS_PROTOCOL, error_set(&j->error, ST_LIMIT, "%s of the answer is larger than %zu bytes", what, max));
}

/* The head's bytes, taken out of the input, or NULL while they have not come or the job has ended. */
static char *take_head(struct https_job *j, size_t *ret_n)
{
	size_t n = input_head_size(j->in, &j->scanned);
	if (n > HEAD_MAX || (!n && evbuffer_get_length(j->in) > HEAD_MAX)) {
		too_large(j, "the header", HEAD_MAX);
		return NULL;
	}
	if (!n)
		return NULL;
	char *bytes = malloc(n);
	if (!bytes) {
		end_nomem(j);
		return NULL;
	}
	evbuffer_remove(j->in, bytes, n);
	j->scanned = 0;
	*ret_n = n;
	free(j->head_bytes);
	return j->head_bytes = bytes;
}

static bool read_head(struct https_job *j)
{
	struct error e = ERROR_INIT;
	size_t n;
	const char *bytes = take_head(j, &n);
	if (!bytes)
		return false;
	if (http1_parse_response(slice_of(bytes, n), strcmp(j->method, "HEAD") == 0, &j->head, &e)) {
		malformed(j, &e);
		return false;
	}
	if (j->head.status < 200 && j->head.status != 101) /* RFC 9110 §15.2: "MAY ignore unexpected 1xx responses" */
		return true;
	const struct http1_field *type = http1_find(&j->head, "Content-Type");
	if (type)
		snprintf(j->resp.content_type, sizeof j->resp.content_type, "%.*s", SLICE_FMT(type->value));
	j->resp.status = j->head.status;
	j->phase = BODY;
	return true;
}

static bool read_body(struct https_job *j)
{
	struct error e = ERROR_INIT;
	bool whole;
	enum status st = j->head.framing == HTTP1_LENGTH && j->head.length > HTTPS_BODY_MAX
	                         ? ST_LIMIT
	                         : input_take_body(j->in, &j->head, &j->chunked, &j->resp.body, &whole, &e);
	if (st == ST_LIMIT)
		too_large(j, "the body", HTTPS_BODY_MAX);
	else if (st)
		malformed(j, &e);
	else if (whole || (j->head.framing == HTTP1_UNTIL_CLOSE && j->clean_eof))
		end(j, HTTPS_OK, ST_OK);
	return false;
}

static void read_answer(struct https_job *j)
{
	if (j->bev)
		evbuffer_add_buffer(j->in, bufferevent_get_input(j->bev));
	while (j->phase == HEAD && read_head(j))
		;
	if (j->phase == BODY)
		read_body(j);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_answer(arg);
}

/* -- TLS ------------------------------------------------------------------------------------------------------ */

static void on_info(const SSL *ssl, int where, int ret)
{
	enum { CLOSE_NOTIFY = 0, USER_CANCELED = 90 };
	struct https_job *j = SSL_get_app_data(ssl);
	int alert = ret & 0xff;
	if (j && where == SSL_CB_READ_ALERT && alert != CLOSE_NOTIFY && alert != USER_CANCELED)
		j->alert = alert;
}

static struct wall wall_of_asn1(const ASN1_TIME *t)
{
	struct tm tm;
	struct wall w = { 0 };
	if (ASN1_TIME_to_tm(t, &tm)) {
		struct civil c = { .year = tm.tm_year + 1900,
			           .month = tm.tm_mon + 1,
			           .day = tm.tm_mday,
			           .hour = tm.tm_hour,
			           .minute = tm.tm_min,
			           .second = tm.tm_sec };
		wall_of_civil(&c, &w);
	}
	return w;
}

static void say_out_of_time(struct https_job *j, X509 *x)
{
	char now_text[WALL_TEXT], limit[WALL_TEXT];
	struct wall now = clock_wall(&clock_system), after = wall_of_asn1(X509_get0_notAfter(x)),
		    before = wall_of_asn1(X509_get0_notBefore(x));
	bool late = now.s > after.s;
	snprintf(j->untrusted, sizeof j->untrusted,
	         "certificate has expired or is not yet valid: current time %s is %s %s", wall_rfc3339(now, now_text),
	         late ? "after" : "before", wall_rfc3339(late ? after : before, limit));
}

static void say_wrong_name(struct https_job *j, X509 *x)
{
	struct error e = ERROR_INIT;
	AUTO(cert_unref_p) struct cert *c = NULL;
	AUTO(buf_done) struct buf names = BUF_INIT(sizeof j->untrusted / 2);

	if (!cert_of_x509(x, &c, &e)) {
		const struct san_list *sans = cert_facts(c)->sans;
		for (size_t i = 0; i < sans->n; i++)
			if (sans->v[i].type == SAN_DNS || sans->v[i].type == SAN_IP)
				buf_addf(&names, "%s%s", names.n ? ", " : "", sans->v[i].text);
	}
	if (names.n)
		snprintf(j->untrusted, sizeof j->untrusted, "certificate is valid for %s%s, not %s", buf_cstr(&names),
		         names.failed ? ", ..." : "", j->url.host);
	else
		snprintf(j->untrusted, sizeof j->untrusted,
		         "certificate is not valid for any names, but wanted to match %s", j->url.host);
}

static void say_untrusted(struct https_job *j, X509_STORE_CTX *store)
{
	int why = X509_STORE_CTX_get_error(store);
	const char *text = X509_verify_cert_error_string(why);
	X509 *current = X509_STORE_CTX_get_current_cert(store);

	switch (why) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		if (current) {
			say_out_of_time(j, current);
			return;
		}
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		say_wrong_name(j, X509_STORE_CTX_get0_cert(store));
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		text = "certificate signed by unknown authority";
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		text = "certificate specifies an incompatible key usage";
		break;
	default:
		break;
	}
	snprintf(j->untrusted, sizeof j->untrusted, "%s", text);
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct https_job *j = SSL_get_app_data(ssl);
	if (tls_verify(ok, store))
		return 1;
	say_untrusted(j, store);
	return 0;
}

static bool keep_peer(struct https_job *j)
{
	STACK_OF(X509) *sent = SSL_get_peer_cert_chain(j->ssl);
	for (int i = 0; i < sk_X509_num(sent); i++) {
		AUTO(cert_unref_p) struct cert *c = NULL;
		if (cert_of_x509(sk_X509_value(sent, i), &c, &j->error) || chain_add(&j->resp.peer, c, &j->error)) {
			end(j, HTTPS_PROTOCOL, error_wrap(&j->error, "certificate of the server"));
			return false;
		}
	}
	return true;
}

static void send_request(struct https_job *j)
{
	if (!keep_peer(j))
		return;
	j->phase = HEAD;
	if (bufferevent_write(j->bev, j->request.p, j->request.n))
		end_nomem(j);
}

/* Why the connection broke, from what the bufferevent has gathered: OpenSSL's reasons, the last one first, and behind
 * them SSL_get_error's number. */
static void say_broken(struct https_job *j, int os)
{
	unsigned long reason = 0;
	bool syscall = false;
	for (unsigned long code; (code = bufferevent_get_openssl_error(j->bev));) {
		if (ERR_GET_LIB(code) == ERR_LIB_SSL)
			reason = code;
		syscall |= code == SSL_ERROR_SYSCALL;
	}
	const char *text = reason ? ERR_reason_error_string(reason) : NULL;
	int why = ERR_GET_REASON(reason);

	if (reason && (why == SSL_R_WRONG_VERSION_NUMBER || why == SSL_R_HTTP_REQUEST) && j->phase == TLS)
		error_set(&j->error, ST_PEER, "tls: the server does not speak TLS");
	else if (reason && why != SSL_R_UNEXPECTED_EOF_WHILE_READING && text)
		error_set(&j->error, ST_PEER, "tls: %s", text);
	else if (syscall && os && os != EAGAIN)
		error_os(&j->error, os, "connection broke");
	else
		error_set(&j->error, ST_PEER, "connection closed while %s", waiting_for[j->phase]);
	j->error.status = ST_PEER;
}

/* Nothing more can come: is the answer whole all the same? */
static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	char alert[32], bytes[4096];
	(void)fd;
	(void)what;

	/* A server that refuses early answers, or sends its alert, and closes; our write fails then before we have
	 * read. */
	for (int n; j->write_failed && j->phase != ENDED && (n = SSL_read(j->ssl, bytes, sizeof bytes)) > 0;)
		evbuffer_add(j->in, bytes, (size_t)n);
	ossl_forget_errors();
	read_answer(j);
	if (j->phase == ENDED)
		return;
	if (j->alert)
		end(j, HTTPS_ALERT,
		    error_set(&j->error, ST_PEER, "remote error: tls: %s", tls_alert_text(j->alert, alert)));
	else if (j->untrusted[0])
		end(j, HTTPS_UNTRUSTED,
		    error_set(&j->error, ST_DENIED, "tls: failed to verify certificate: x509: %s", j->untrusted));
	else
		end(j, HTTPS_PROTOCOL, ST_PEER);
}

static void on_tls_event(struct bufferevent *bev, short what, void *arg)
{
	struct https_job *j = arg;
	int os = errno;
	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		if (j->phase == TLS)
			send_request(j);
		return;
	}
	/* libevent tells of the end before it shows the bytes that came in the same read. */
	say_broken(j, os);
	j->clean_eof = (what & BEV_EVENT_EOF) != 0;
	j->write_failed = (what & BEV_EVENT_WRITING) != 0;
	event_active(j->look_ev, EV_TIMEOUT, 0);
}

/* RFC 6066 §3: a server name is a DNS name, never an address. RFC 6125: the certificate must name the host; as in the
 * peer the common name does not count. */
static bool set_host(struct https_job *j)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(j->ssl);
	unsigned char ip[16];
	size_t n;
	if (url_host_is_ip(j->url.host, ip, &n))
		return X509_VERIFY_PARAM_set1_ip(param, ip, n) == 1;
	X509_VERIFY_PARAM_set_hostflags(param,
	                                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(param, j->url.host, 0) == 1 &&
	       SSL_set_tlsext_host_name(j->ssl, j->url.host) == 1;
}

static void start_tls(struct https_job *j)
{
	j->phase = TLS;
	j->ssl = SSL_new(j->ctx);
	if (j->ssl)
		j->bev = bufferevent_openssl_socket_new(j->base, j->fd, j->ssl, BUFFEREVENT_SSL_CONNECTING, 0);
	if (!j->bev || !set_host(j)) {
		end(j, HTTPS_LOCAL, error_ossl(&j->error, ST_CRYPTO, "TLS"));
		return;
	}
	SSL_set_app_data(j->ssl, j);
	SSL_set_info_callback(j->ssl, on_info);
	SSL_set_verify(j->ssl, j->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, j->insecure ? NULL : on_verify);
	bufferevent_setcb(j->bev, on_read, NULL, on_tls_event, j);
	bufferevent_enable(j->bev, EV_READ | EV_WRITE);
}

/* -- proxy ---------------------------------------------------------------------------------------------------- */

static void proxy_said(struct https_job *j, const char *what)
{
	char proxy[AUTHORITY_MAX], host[AUTHORITY_MAX];
	error_set(&j->error, ST_PEER, "proxy %s: CONNECT %s: %s", url_authority(&j->proxy, 0, proxy),
	          url_authority(&j->url, 0, host), what);
	end(j, HTTPS_PROXY, ST_PEER);
}

static void on_proxy_read(struct bufferevent *bev, void *arg)
{
	struct https_job *j = arg;
	struct error e = ERROR_INIT;
	char text[160];
	size_t n;

	evbuffer_add_buffer(j->in, bufferevent_get_input(bev));
	const char *bytes = take_head(j, &n);
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
		start_tls(j);
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
	j->phase = PROXY;
	j->bev = bufferevent_socket_new(j->base, j->fd, 0);
	if (!j->bev || bufferevent_write(j->bev, j->connect.p, j->connect.n)) {
		end_nomem(j);
		return;
	}
	bufferevent_setcb(j->bev, on_proxy_read, NULL, on_proxy_event, j);
	bufferevent_enable(j->bev, EV_READ | EV_WRITE);
}

/* -- dial ----------------------------------------------------------------------------------------------------- */

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

static void on_dial(evutil_socket_t fd, short what, void *arg);

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
	if (event_assign(j->dial_ev, j->base, fd, EV_WRITE, on_dial, j) || event_add(j->dial_ev, &share)) {
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
	end(j, j->has_proxy ? HTTPS_PROXY : HTTPS_CONNECT, j->error.status);
}

static void on_dial(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	int os = ETIMEDOUT;
	socklen_t n = sizeof os;
	if (what & EV_WRITE)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &os, &n);
	if (os) {
		note_dial_error(j, os);
		hang_up(j);
		j->at = j->at->ai_next;
		dial_next(j);
		return;
	}
	j->error = ERROR_INIT;
	if (j->has_proxy)
		start_proxy(j);
	else
		start_tls(j);
}

/* Waits for the resolver. What it says is told from the loop, like all that the network says. */
static void resolve(struct https_job *j)
{
	const struct url *to = j->has_proxy ? &j->proxy : &j->url;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	char port[8];
	snprintf(port, sizeof port, "%d", to->port);
	int failed = getaddrinfo(to->host, port, &hints, &j->addresses);
	if (failed) {
		bool none = failed == EAI_NONAME || failed == EAI_NODATA;
		error_set(&j->error, ST_IO, "%sdial tcp: lookup %s: %s", j->has_proxy ? "proxyconnect tcp: " : "",
		          to->host, none ? "no such host" : gai_strerror(failed));
		end(j, j->has_proxy ? HTTPS_PROXY : HTTPS_RESOLVE, ST_IO);
		return;
	}
	j->at = j->addresses;
	dial_next(j);
}

/* -- the beginning -------------------------------------------------------------------------------------------- */

static enum status add_field(struct buf *b, const char *name, const char *value, struct error *e)
{
	if (!http1_is_token(slice_cstr(name)) || !http1_is_value(slice_cstr(value)))
		return error_set(e, ST_INVALID, "invalid header field %.64s", name);
	http1_add_field(b, name, value);
	return ST_OK;
}

static enum status write_request(struct https_job *j, const struct https_conf *c, const struct https_request *q,
                                 struct error *e)
{
	struct buf *b = &j->request;
	char host[AUTHORITY_MAX];
	bool get = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;

	if (!http1_is_token(slice_cstr(q->method)))
		return error_set(e, ST_INVALID, "invalid method");
	buf_addf(b, "%s %.*s HTTP/1.1\r\nHost: %s\r\n", q->method, SLICE_FMT(j->url.target),
	         url_authority(&j->url, 443, host));
	if (c->user_agent && add_field(b, "User-Agent", c->user_agent, e))
		return e->status;
	if (q->content_type && add_field(b, "Content-Type", q->content_type, e))
		return e->status;
	for (size_t i = 0; i < COUNT_OF(q->headers) && q->headers[i].name; i++)
		if (add_field(b, q->headers[i].name, q->headers[i].value, e))
			return e->status;
	if (!get || q->body.n)
		buf_addf(b, "Content-Length: %zu\r\n", q->body.n);
	buf_adds(b, "Connection: close\r\n\r\n");
	buf_add_slice(b, q->body);
	return buf_check(b, e);
}

/* RFC 7617: base64 of user:password. */
static enum status write_proxy_auth(struct https_job *j, struct error *e)
{
	AUTO(buf_done) struct buf plain = BUF_SECRET(1024);
	bool colon = slice_find(j->proxy.userinfo, ':') < j->proxy.userinfo.n;
	if (url_unescape(j->proxy.userinfo, &plain, e))
		return e->status;
	if (!colon)
		buf_addc(&plain, ':');
	if (buf_check(&plain, e))
		return e->status;
	buf_adds(&j->connect, "Proxy-Authorization: Basic ");
	b64_encode(&j->connect, buf_slice(&plain), B64_STD);
	buf_adds(&j->connect, "\r\n");
	return ST_OK;
}

static enum status write_connect(struct https_job *j, const struct https_conf *c, struct error *e)
{
	char host[AUTHORITY_MAX];
	if (url_parse_proxy(c->proxy, &j->proxy, e))
		return error_wrap(e, "proxy");
	j->has_proxy = true;
	url_authority(&j->url, 0, host);
	buf_addf(&j->connect, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", host, host);
	if (c->user_agent && add_field(&j->connect, "User-Agent", c->user_agent, e))
		return e->status;
	if (j->proxy.userinfo.n && write_proxy_auth(j, e))
		return e->status;
	buf_adds(&j->connect, "\r\n");
	j->proxy.userinfo = SLICE_NONE; /* it borrows from c */
	return buf_check(&j->connect, e);
}

static enum status make_context(struct https_job *j, const struct https_conf *c, struct error *e)
{
	if (tls_context(TLS_client_method(), TLS1_2_VERSION, 0, &j->ctx, e))
		return e->status;
	if (c->client_chain && tls_use_pair(j->ctx, c->client_chain, c->client_key, e))
		return error_wrap(e, "client certificate");
	j->insecure = c->insecure;
	return c->insecure || !c->roots ? ST_OK : tls_add_anchors(j->ctx, c->roots, e);
}

static enum status make_events(struct https_job *j, struct error *e)
{
	struct timeval tv = { .tv_sec = j->timeout_ms / 1000, .tv_usec = j->timeout_ms % 1000 * 1000 };
	j->in = evbuffer_new();
	j->deadline_ev = evtimer_new(j->base, on_deadline, j);
	j->dial_ev = evtimer_new(j->base, on_dial, j);
	j->look_ev = evtimer_new(j->base, on_look, j);
	j->end_ev = evtimer_new(j->base, on_end, j);
	if (!j->in || !j->deadline_ev || !j->dial_ev || !j->look_ev || !j->end_ev || event_add(j->deadline_ev, &tv))
		return error_nomem(e);
	return ST_OK;
}

enum status https_start(struct event_base *base, const struct https_conf *c, const struct https_request *q,
                        https_done *done, void *arg, struct https_job **ret, struct error *e)
{
	AUTO(job_free_p) struct https_job *j = calloc(1, sizeof *j);
	if (!j)
		return error_nomem(e);
	*j = (struct https_job){ .base = base,
		                 .done = done,
		                 .arg = arg,
		                 .fd = -1,
		                 .timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS,
		                 .connect = BUF_SECRET(8192),
		                 .request = BUF_SECRET(REQUEST_MAX),
		                 .resp.body = BUF_INIT(HTTPS_BODY_MAX) };
	j->until.ns = clock_mono(&clock_system).ns + j->timeout_ms * DURATION_MS;
	j->method = text_dup(slice_cstr(q->method));
	j->url_text = text_dup(slice_cstr(q->url));
	if (!j->method || !j->url_text)
		return error_nomem(e);
	if (url_parse_https(j->url_text, &j->url, e) || write_request(j, c, q, e) ||
	    (c->proxy && write_connect(j, c, e)) || make_context(j, c, e) || make_events(j, e))
		return error_wrap(e, "client %s %s failed", q->method, q->url);
	resolve(j);
	*ret = TAKE(j);
	return ST_OK;
}

/* -- waiting -------------------------------------------------------------------------------------------------- */

struct call {
	enum status st;
	struct https_response *resp;
	struct https_outcome *outcome;
	struct error *e;
};

static void on_call_done(void *arg, enum status st, struct https_response *r, const struct https_outcome *o,
                         const struct error *e)
{
	struct call *call = arg;
	call->st = st;
	*call->resp = *r;
	*call->outcome = *o;
	*call->e = *e;
}

enum status https_call(const struct https_conf *c, const struct https_request *q, struct https_response *ret,
                       struct https_outcome *ret_outcome, struct error *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct https_job *job;
	struct call call = { .st = ST_BUG, .resp = ret, .outcome = ret_outcome, .e = e };
	AUTO(event_base_free_p) struct event_base *base = event_base_new();

	*ret = (struct https_response){ .body = BUF_INIT(HTTPS_BODY_MAX) };
	*ret_outcome = (struct https_outcome){ .failure = HTTPS_LOCAL };
	if (!base)
		return error_set(e, ST_IO, "event loop cannot be made");
	if (https_start(base, c, q, on_call_done, &call, &job, e))
		return e->status;
	sigaction(SIGPIPE, &ignore, &old);
	event_base_dispatch(base); /* until the job has no event left: it has told us */
	sigaction(SIGPIPE, &old, NULL);
	return call.st;
}
