/* The client against servers that behave and servers that do not, all on loopback. */
#include "net/https.h"
#include "base/duration.h"
#include "fail.h"
#include "net/auto.h"
#include "net/listener.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pki pki;

#define LIT(s) s, sizeof(s) - 1

/* -- a server that says what the test tells it ------------------------------------------------------------------ */

enum ending { BYE /* close_notify */, CUT /* FIN without it */, STALL /* until the client goes */ };

struct script {
	bool tls;
	const struct cred *cred; /* NULL: pki.server */
	const char *answer;
	size_t n, repeat; /* the answer's last byte that often more */
	enum ending ending;
	const struct cred *asks[3]; /* the authorities that are named to the client; none: no certificate is asked for */
	/* filled by the thread */
	int client_certs;
	char request[4096];
	int listen_fd, port;
	pthread_t thread;
};

static int listen_local(int backlog, int *ret_port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

static void wait_for_client_to_go(int fd)
{
	char bytes[512];
	while (recv(fd, bytes, sizeof bytes, 0) > 0)
		;
}

static void say_plainly(struct script *s, int fd)
{
	send(fd, s->answer, s->n, MSG_NOSIGNAL);
	if (s->ending == BYE) {
		shutdown(fd, SHUT_WR);
		wait_for_client_to_go(fd);
	} else if (s->ending == STALL) {
		wait_for_client_to_go(fd);
	}
}

static SSL_CTX *server_context(const struct cred *cred)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(ctx, cert_x509(cred->chain.v[0]));
	SSL_CTX_use_PrivateKey(ctx, cred->key);
	for (size_t i = 1; i < cred->chain.n; i++)
		SSL_CTX_add1_chain_cert(ctx, cert_x509(cred->chain.v[i]));
	return ctx;
}

static int take_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static void say_over_tls(struct script *s, int fd)
{
	AUTO(SSL_CTX_free_p) SSL_CTX *ctx = server_context(s->cred ? s->cred : &pki.server);
	AUTO(SSL_free_p) SSL *ssl = SSL_new(ctx);
	size_t at = 0;
	SSL_set_fd(ssl, fd);
	if (s->asks[0])
		SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, take_any);
	for (size_t i = 0; i < COUNT_OF(s->asks) && s->asks[i]; i++)
		SSL_add_client_CA(ssl, cert_x509(s->asks[i]->chain.v[0]));
	if (SSL_accept(ssl) != 1)
		return;
	if (SSL_get0_peer_certificate(ssl)) /* at this end it is not in the chain */
		s->client_certs = 1 + sk_X509_num(SSL_get_peer_cert_chain(ssl));
	while (!strstr(s->request, "\r\n\r\n") && at < sizeof s->request - 1) {
		int n = SSL_read(ssl, s->request + at, (int)(sizeof s->request - 1 - at));
		if (n <= 0)
			return;
		at += (size_t)n;
	}
	if (s->n)
		SSL_write(ssl, s->answer, (int)s->n);
	static char more[65536];
	memset(more, s->n ? s->answer[s->n - 1] : 'x', sizeof more);
	for (size_t left = s->repeat; left;) {
		size_t n = left < sizeof more ? left : sizeof more;
		if (SSL_write(ssl, more, (int)n) <= 0)
			return;
		left -= n;
	}
	if (s->ending == BYE)
		SSL_shutdown(ssl);
	else if (s->ending == STALL)
		wait_for_client_to_go(fd);
}

static void *serve_script(void *arg)
{
	struct script *s = arg;
	int fd = accept(s->listen_fd, NULL, NULL);
	if (fd < 0)
		return NULL;
	if (s->tls)
		say_over_tls(s, fd);
	else
		say_plainly(s, fd);
	close(fd);
	return NULL;
}

static void script_start(struct script *s)
{
	s->listen_fd = listen_local(8, &s->port);
	assert_int_equal(pthread_create(&s->thread, NULL, serve_script, s), 0);
}

static void script_stop(struct script *s)
{
	shutdown(s->listen_fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listen_fd);
}

/* -- a CONNECT proxy -------------------------------------------------------------------------------------------- */

struct proxy {
	const char *answer; /* to CONNECT */
	int target;         /* where 200 leads */
	char request[2048];
	int listen_fd, port;
	pthread_t thread;
};

static void relay(int a, int b)
{
	struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };
	char bytes[4096];
	while (poll(p, 2, 10000) > 0) {
		for (int i = 0; i < 2; i++) {
			if (!p[i].revents)
				continue;
			ssize_t n = recv(p[i].fd, bytes, sizeof bytes, 0);
			if (n <= 0 || send(p[!i].fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
				return;
		}
	}
}

static void *serve_proxy(void *arg)
{
	struct proxy *p = arg;
	int fd = accept(p->listen_fd, NULL, NULL);
	size_t at = 0;
	if (fd < 0)
		return NULL;
	while (!strstr(p->request, "\r\n\r\n") && at < sizeof p->request - 1) {
		ssize_t n = recv(fd, p->request + at, sizeof p->request - 1 - at, 0);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	send(fd, p->answer, strlen(p->answer), MSG_NOSIGNAL);
	if (p->target) {
		int to = wire_dial(p->target);
		relay(fd, to);
		close(to);
	} else {
		shutdown(fd, SHUT_WR);
		wait_for_client_to_go(fd);
	}
	close(fd);
	return NULL;
}

/* -- our own listener ------------------------------------------------------------------------------------------- */

static SSL_CTX *give_tls(void *ctx)
{
	SSL_CTX_up_ref(ctx);
	return ctx;
}

static void echo(void *ctx, struct request *r)
{
	struct cert *peer = request_peer(r);
	char text[1024];
	(void)ctx;
	const char *type = request_header(r, "Content-Type"), *extra = request_header(r, "X-Extra"),
		   *agent = request_header(r, "User-Agent"), *length = request_header(r, "Content-Length");
	int n = snprintf(text, sizeof text, "%s %s?%s host=%s type=%s extra=%s agent=%s length=%s peer=%s body=%.*s",
	                 request_method(r), request_path(r), request_query(r), request_header(r, "Host"),
	                 type ? type : "-", extra ? extra : "-", agent ? agent : "-", length ? length : "-",
	                 peer ? cert_facts(peer)->common_name : "none", (int)request_body(r).n,
	                 (const char *)request_body(r).p);
	request_reply(r, &(struct response){ .status = strcmp(request_path(r), "/moved") ? 201 : 302,
	                                     .content_type = "text/x-echo; charset=utf-8",
	                                     .body = slice_of(text, (size_t)n) });
}

struct house {
	struct listener *l;
	SSL_CTX *tls;
	int port;
};

static void house_open(struct house *h)
{
	struct listener_tls_conf tls = { .chain = &pki.server.chain,
		                         .key = pki.server.key,
		                         .client_roots = &pki.client_roots };
	struct error e = ERROR_INIT;
	if (listener_tls_new(&tls, &h->tls, &e))
		fail_msg("%s", e.text);
	struct listener_conf conf = { .address = "127.0.0.1:0",
		                      .threads = 1,
		                      .limits = LISTENER_LIMITS_DEFAULT,
		                      .clock = &clock_system,
		                      .handler = echo,
		                      .tls = give_tls,
		                      .ctx = h->tls };
	if (listener_start(&conf, &h->l, &e))
		fail_msg("%s", e.text);
	h->port = listener_port(h->l);
}

static void house_close(struct house *h)
{
	listener_stop(h->l);
	SSL_CTX_free(h->tls);
}

/* -- the calls -------------------------------------------------------------------------------------------------- */

struct result {
	enum status st;
	struct https_response resp;
	struct https_outcome outcome;
	struct error e;
};

static struct result call(struct https_conf conf, const char *method, const char *host, int port, const char *path)
{
	char url[256];
	snprintf(url, sizeof url, "https://%s:%d%s", host, port, path);
	struct https_request q = { .method = method, .url = url };
	struct result r = { .e = ERROR_INIT };
	r.st = https_call(&conf, &q, &r.resp, &r.outcome, &r.e);
	assert_int_equal(r.st == ST_OK, r.outcome.failure == HTTPS_OK);
	if (r.st) {
		assert_int_equal(r.e.status, r.st);
		assert_null(r.resp.body.p);
		assert_int_equal(r.resp.peer.n, 0);
	}
	return r;
}

static void assert_says(const struct result *r, enum https_failure failure, const char *what)
{
	if (r->outcome.failure != failure || !strstr(r->e.text, what))
		fail_msg("failure %d: '%s' (wanted %d, '%s')", r->outcome.failure, r->e.text, failure, what);
}

static struct https_conf trusting(void)
{
	return (struct https_conf){ .roots = &pki.roots, .timeout_ms = 10000 };
}

static void good_calls(void **state)
{
	struct house h;
	char url[128], want[512];
	(void)state;
	house_open(&h);
	static const struct {
		const char *method, *host, *path, *type, *extra, *body, *agent;
		bool with_client;
		int status;
		const char *has;
	} rows[] = {
		{ "GET", "127.0.0.1", "/health", NULL, NULL, "", NULL, false, 201,
		  "GET /health? host=127.0.0.1:%d type=- extra=- agent=- length=- peer=none body=" },
		{ "POST", "localhost", "/renew?x=1", "application/json", NULL, "", "me/1.0", true, 201,
		  "POST /renew?x=1 host=localhost:%d type=application/json extra=- agent=me/1.0 length=0 peer=client "
		  "body=" },
		{ "POST", "localhost", "", NULL, "one", "{\"a\":1}", NULL, false, 201,
		  "POST /? host=localhost:%d type=- extra=one agent=- length=7 peer=none body={\"a\":1}" },
		{ "GET", "127.0.0.1", "/moved", NULL, NULL, "", NULL, false, 302, "GET /moved? host=127.0.0.1:%d" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct https_conf conf = trusting();
		struct https_request q = { .method = rows[i].method,
			                   .url = url,
			                   .content_type = rows[i].type,
			                   .body = slice_cstr(rows[i].body) };
		struct result r = { .e = ERROR_INIT };
		conf.user_agent = rows[i].agent;
		if (rows[i].with_client) {
			conf.client_chain = &pki.client.chain;
			conf.client_key = pki.client.key;
		}
		if (rows[i].extra) {
			q.headers[0].name = "X-Extra";
			q.headers[0].value = rows[i].extra;
		}
		snprintf(url, sizeof url, "https://%s:%d%s", rows[i].host, h.port, rows[i].path);
		if (https_call(&conf, &q, &r.resp, &r.outcome, &r.e))
			fail_msg("row %zu: %s", i, r.e.text);
		assert_int_equal(r.resp.status, rows[i].status);
		assert_string_equal(r.resp.content_type, "text/x-echo; charset=utf-8");
		_Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
			snprintf(want, sizeof want, rows[i].has, h.port);
		if (strncmp(buf_cstr(&r.resp.body), want, strlen(want)) != 0)
			fail_msg("row %zu: %s", i, buf_cstr(&r.resp.body));
		assert_int_equal(r.resp.peer.n, 2); /* as sent: leaf and intermediate */
		assert_string_equal(cert_facts(r.resp.peer.v[0])->common_name, "ca");
		https_response_done(&r.resp);
	}
	struct result r = call(trusting(), "HEAD", "localhost", h.port, "/");
	assert_int_equal(r.st, ST_OK);
	assert_int_equal(r.resp.body.n, 0);
	https_response_done(&r.resp);
	house_close(&h);
}

/* What makes an answer and what does not. */
static void answers(void **state)
{
	static const struct {
		const char *answer;
		size_t n, repeat;
		enum ending ending;
		enum https_failure failure;
		const char *says; /* the body, or the error */
		int status;
	} rows[] = {
		{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0, STALL, HTTPS_OK, "ok", 200 },
		{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0, CUT, HTTPS_OK, "ok", 200 },
		{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore"), 0, BYE, HTTPS_OK, "ok", 200 },
		{ LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), 0,
		  STALL, HTTPS_OK, "hello", 200 },
		{ LIT("HTTP/1.0 200 OK\r\n\r\nto the end"), 0, BYE, HTTPS_OK, "to the end", 200 },
		{ LIT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 "
		      "Created\r\nContent-Length: 1\r\n\r\nx"),
		  0, STALL, HTTPS_OK, "x", 201 },
		{ LIT("HTTP/1.1 204 No Content\r\n\r\n"), 0, STALL, HTTPS_OK, "", 204 },
		{ LIT("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"), 0, BYE,
		  HTTPS_OK, "<html>", 502 },
		{ LIT("HTTP/1.0 200 OK\r\n\r\nto the"), 0, CUT, HTTPS_PROTOCOL,
		  "connection closed while reading the answer", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), 0, BYE, HTTPS_PROTOCOL,
		  "connection closed while reading the answer", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"), 0, BYE, HTTPS_PROTOCOL,
		  "connection closed while reading the answer", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), 0, STALL, HTTPS_PROTOCOL,
		  "malformed HTTP response: malformed chunked body", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nContent-Le"), 0, BYE, HTTPS_PROTOCOL,
		  "connection closed while waiting for the answer", 0 },
		{ LIT(""), 0, BYE, HTTPS_PROTOCOL, "connection closed while waiting for the answer", 0 },
		{ LIT(""), 0, CUT, HTTPS_PROTOCOL, "connection closed while waiting for the answer", 0 },
		{ LIT("<html>\n\n<body>"), 0, STALL, HTTPS_PROTOCOL, "malformed HTTP response", 0 },
		{ LIT("SSH-2.0-OpenSSH_9.2\r\n\r\n"), 0, STALL, HTTPS_PROTOCOL, "malformed HTTP response", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), 0, STALL, HTTPS_PROTOCOL,
		  "more than one Content-Length", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\nx"), 0, STALL, HTTPS_PROTOCOL,
		  "larger than 4194304 bytes", 0 },
		{ LIT("HTTP/1.0 200 OK\r\n\r\nx"), HTTPS_BODY_MAX, STALL, HTTPS_PROTOCOL, "larger than 4194304 bytes",
		  0 },
		{ LIT("HTTP/1.0 200 OK\r\n\r\nx"), HTTPS_BODY_MAX - 1, BYE, HTTPS_OK, NULL, 200 },
		{ LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\nx"), HTTPS_BODY_MAX, STALL,
		  HTTPS_PROTOCOL, "larger than 4194304 bytes", 0 },
		{ LIT("HTTP/1.1 200 OK\r\nA: x"), 70000, STALL, HTTPS_PROTOCOL, "the header of the answer is larger",
		  0 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct script s = { .tls = true,
			            .answer = rows[i].answer,
			            .n = rows[i].n,
			            .repeat = rows[i].repeat,
			            .ending = rows[i].ending };
		script_start(&s);
		struct result r = call(trusting(), "GET", "localhost", s.port, "/x");
		if (r.outcome.failure != rows[i].failure)
			fail_msg("row %zu: failure %d: %s", i, r.outcome.failure, r.e.text);
		if (rows[i].failure) {
			assert_says(&r, rows[i].failure, rows[i].says);
			assert_memory_equal(r.e.text, "client GET https://localhost:", 29);
			assert_non_null(strstr(r.e.text, "/x failed: "));
		} else {
			assert_int_equal(r.resp.status, rows[i].status);
			if (rows[i].says)
				assert_string_equal(buf_cstr(&r.resp.body), rows[i].says);
			else
				assert_int_equal(r.resp.body.n, HTTPS_BODY_MAX);
			https_response_done(&r.resp);
		}
		script_stop(&s);
		assert_non_null(strstr(s.request, "GET /x HTTP/1.1\r\nHost: localhost:"));
	}
}

/* Servers that are none, or not ours. */
static void strangers(void **state)
{
	struct cred other_root = cred_make(NULL, &(struct cred_spec){ .cn = "Other Root", .ca = true });
	struct cred creds[] = {
		cred_make(&other_root, &(struct cred_spec){ .cn = "x", .san = "DNS:localhost" }),
		cred_make(NULL, &(struct cred_spec){ .cn = "x", .san = "DNS:localhost" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "localhost", .san = "DNS:ca.example,IP:127.0.0.9" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "localhost" }),
		cred_make(&pki.inter,
		          &(struct cred_spec){ .cn = "x", .san = "DNS:localhost", .from_s = -7200, .until_s = -60 }),
		cred_make(&pki.inter,
		          &(struct cred_spec){ .cn = "x", .san = "DNS:localhost", .from_s = 600, .until_s = 7200 }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "x", .san = "DNS:localhost", .eku = "clientAuth" }),
		cred_make(&pki.inter,
		          &(struct cred_spec){ .cn = "x", .san = "DNS:localhost", .eku = "anyExtendedKeyUsage" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "x", .san = "DNS:*.example,DNS:127.0.0.1" }),
	};
	static const struct {
		const char *host, *says; /* NULL: trusted */
	} rows[] = {
		{ "localhost", "tls: failed to verify certificate: x509: certificate signed by unknown authority" },
		{ "localhost", "x509: certificate signed by unknown authority" },
		{ "localhost", "x509: certificate is valid for ca.example, 127.0.0.9, not localhost" },
		{ "localhost", "x509: certificate is not valid for any names, but wanted to match localhost" },
		{ "localhost", "x509: certificate has expired or is not yet valid: current time 20" },
		{ "localhost", "Z is before 20" },
		{ "localhost", "x509: certificate specifies an incompatible key usage" },
		{ "localhost", NULL },
		{ "127.0.0.1", "x509: certificate is valid for *.example, 127.0.0.1, not 127.0.0.1" },
	};
	(void)state;
	_Static_assert(COUNT_OF(rows) == COUNT_OF(creds), "a row without a certificate");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int insecure = 0; insecure < 2; insecure++) {
			struct script s = { .tls = true,
				            .cred = &creds[i],
				            .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
				            .n = 38,
				            .ending = BYE };
			struct https_conf conf = trusting();
			conf.insecure = insecure;
			script_start(&s);
			struct result r = call(conf, "GET", rows[i].host, s.port, "/");
			if (rows[i].says && !insecure) {
				assert_says(&r, HTTPS_UNTRUSTED, rows[i].says);
				assert_int_equal(r.st, ST_DENIED);
			} else {
				if (r.st)
					fail_msg("row %zu: %s", i, r.e.text);
				assert_in_range(r.resp.peer.n, 1, 2);
				https_response_done(&r.resp);
			}
			script_stop(&s);
			if (r.st) /* not a byte of the request went to a stranger */
				assert_string_equal(s.request, "");
		}
	}
	for (size_t i = 0; i < COUNT_OF(creds); i++)
		cred_done(&creds[i]);
	cred_done(&other_root);
}

/* No root at all trusts nobody. */
static void without_roots(void **state)
{
	struct house h;
	struct https_conf conf = { .timeout_ms = 10000 };
	(void)state;
	house_open(&h);
	struct result r = call(conf, "GET", "localhost", h.port, "/");
	assert_says(&r, HTTPS_UNTRUSTED, "unknown authority");
	house_close(&h);
}

static void not_tls(void **state)
{
	static const struct {
		const char *bytes;
		enum ending ending;
		const char *says;
	} rows[] = {
		{ "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", BYE, "the server does not speak TLS" },
		{ "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", STALL, "the server does not speak TLS" },
		{ "", BYE, "connection closed while waiting for the TLS handshake" },
		{ "", CUT, "connection " },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct script s = { .answer = rows[i].bytes, .n = strlen(rows[i].bytes), .ending = rows[i].ending };
		script_start(&s);
		struct result r = call(trusting(), "GET", "127.0.0.1", s.port, "/");
		assert_says(&r, HTTPS_PROTOCOL, rows[i].says);
		assert_int_equal(r.st, ST_PEER);
		script_stop(&s);
	}
}

/* In TLS 1.3 our handshake is over before the server has looked at our certificate: the alert comes in the answer's
 * place. */
static void alerts(void **state)
{
	struct cred stranger = cred_make(NULL, &(struct cred_spec){ .cn = "Stranger", .ca = true });
	struct cred creds[] = {
		cred_make(&pki.inter,
		          &(struct cred_spec){ .cn = "c", .eku = "clientAuth", .from_s = -7200, .until_s = -60 }),
		cred_make(&stranger, &(struct cred_spec){ .cn = "c", .eku = "clientAuth" }),
		cred_make(&pki.inter, &(struct cred_spec){ .cn = "c", .eku = "serverAuth" }),
	};
	static const struct {
		int alert;
		const char *says;
	} rows[] = {
		{ 45, "failed: remote error: tls: expired certificate" },
		{ 48, "failed: remote error: tls: unknown certificate authority" },
		{ 43, "failed: remote error: tls: unsupported certificate" },
	};
	struct house h;
	(void)state;
	house_open(&h);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct https_conf conf = trusting();
		conf.client_chain = &creds[i].chain;
		conf.client_key = creds[i].key;
		struct result r = call(conf, "POST", "localhost", h.port, "/renew");
		assert_says(&r, HTTPS_ALERT, rows[i].says);
		assert_int_equal(r.outcome.alert, rows[i].alert);
		assert_int_equal(r.st, ST_PEER);
	}
	house_close(&h);
	for (size_t i = 0; i < COUNT_OF(creds); i++)
		cred_done(&creds[i]);
	cred_done(&stranger);
}

/* A body that is larger than what the socket takes, to a server that refuses after the header and ends. */
static void refused_while_writing(void **state)
{
	static char body[6 << 20];
	struct house h;
	char url[64];
	struct https_conf conf = trusting();
	struct result r = { .e = ERROR_INIT };
	(void)state;
	house_open(&h);
	snprintf(url, sizeof url, "https://localhost:%d/", h.port);
	struct https_request q = { .method = "POST", .url = url, .body = slice_of(body, sizeof body) };
	r.st = https_call(&conf, &q, &r.resp, &r.outcome, &r.e);
	if (r.st)
		fail_msg("%s", r.e.text);
	assert_int_equal(r.resp.status, 413);
	https_response_done(&r.resp);
	house_close(&h);
}

/* -- time ------------------------------------------------------------------------------------------------------- */

/* The limit grows until this machine gets as far as the row says before it is over. */
static void time_outs(void **state)
{
	static const struct {
		bool tls;
		const char *answer, *phase;
	} rows[] = {
		{ false, "", "waiting for the TLS handshake" },
		{ true, "", "waiting for the answer" },
		{ true, "HTTP/1.1 100 Continue\r\n\r\n", "waiting for the answer" },
		{ true, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "reading the answer" },
		{ true, "HTTP/1.0 200 OK\r\n\r\nall", "reading the answer" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct https_conf conf = trusting();
		bool as_said = false;
		char says[96], limit[DURATION_TEXT];
		for (conf.timeout_ms = 40; !as_said && conf.timeout_ms < 10000; conf.timeout_ms *= 2) {
			struct script s = { .tls = rows[i].tls,
				            .answer = rows[i].answer,
				            .n = strlen(rows[i].answer),
				            .ending = STALL };
			script_start(&s);
			struct result r = call(conf, "GET", "localhost", s.port, "/");
			script_stop(&s);
			assert_says(&r, HTTPS_TIMEOUT, "failed: no answer within ");
			assert_int_equal(r.st, ST_AGAIN);
			snprintf(says, sizeof says, "no answer within %s (%s)",
			         duration_format(conf.timeout_ms * DURATION_MS, limit), rows[i].phase);
			as_said = strstr(r.e.text, says) != NULL;
		}
		if (!as_said)
			fail_msg("row %zu never was %s", i, rows[i].phase);
	}
}

/* The queue of a listening socket is full, so the kernel lets our connection wait. */
static void time_out_while_connecting(void **state)
{
	int port, fd = listen_local(0, &port), waiting[8];
	struct https_conf conf = trusting();
	(void)state;
	for (size_t i = 0; i < COUNT_OF(waiting); i++) {
		struct sockaddr_in sa = { .sin_family = AF_INET,
			                  .sin_port = htons((uint16_t)port),
			                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(waiting[i], (struct sockaddr *)&sa, sizeof sa);
	}
	conf.timeout_ms = 60;
	struct result r = call(conf, "GET", "127.0.0.1", port, "/");
	assert_says(&r, HTTPS_TIMEOUT, "no answer within 60ms (connecting)");
	for (size_t i = 0; i < COUNT_OF(waiting); i++)
		close(waiting[i]);
	close(fd);
}

/* -- getting there ---------------------------------------------------------------------------------------------- */

static void nobody_there(void **state)
{
	int port, fd = listen_local(1, &port);
	char says[128];
	(void)state;
	close(fd); /* a port that is free now */
	struct result r = call(trusting(), "POST", "127.0.0.1", port, "/renew");
	snprintf(says, sizeof says,
	         "client POST https://127.0.0.1:%d/renew failed: dial tcp 127.0.0.1:%d: connect: connection refused",
	         port, port);
	assert_int_equal(r.outcome.failure, HTTPS_CONNECT);
	assert_string_equal(r.e.text, says);
	assert_int_equal(r.st, ST_IO);
	assert_int_equal(r.e.os, ECONNREFUSED);
	/* a label of 64 octets is no name for any resolver, so nobody is asked */
	r = call(trusting(), "GET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid", 1, "/");
	assert_says(&r, HTTPS_RESOLVE, "failed: dial tcp: lookup aaaa");
}

static void bad_requests(void **state)
{
	struct https_conf good = trusting(), pair = trusting(), proxied = trusting(), socks = trusting();
	(void)state;
	pair.client_chain = &pki.client.chain;
	pair.client_key = pki.server.key;
	proxied.proxy = "http://u%zz@127.0.0.1:1";
	socks.proxy = "socks5://127.0.0.1:1";
	const struct {
		const struct https_conf *conf;
		struct https_request q;
		const char *says;
	} rows[] = {
		{ &good, { .method = "GET", .url = "http://localhost/" }, "must begin with https://" },
		{ &good, { .method = "GET", .url = "localhost" }, "must begin with https://" },
		{ &good, { .method = "GET", .url = "https://u:p@localhost/" }, "user information" },
		{ &good, { .method = "GET", .url = "https://localhost/a b" }, "invalid character" },
		{ &good, { .method = "GET /", .url = "https://localhost/" }, "invalid method" },
		{ &good, { .method = "GET", .url = "https://localhost/", .content_type = "a\r\nb" }, "Content-Type" },
		{ &good,
		  { .method = "GET", .url = "https://localhost/", .headers = { { "A", "b\nc" } } },
		  "header field A" },
		{ &good,
		  { .method = "GET", .url = "https://localhost/", .headers = { { "A b", "c" } } },
		  "header field A b" },
		{ &pair, { .method = "GET", .url = "https://localhost/" }, "do not belong together" },
		{ &proxied, { .method = "GET", .url = "https://localhost/" }, "broken escape" },
		{ &socks, { .method = "GET", .url = "https://localhost/" }, "unsupported proxy scheme" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct result r = { .e = ERROR_INIT };
		r.st = https_call(rows[i].conf, &rows[i].q, &r.resp, &r.outcome, &r.e);
		if (r.st != ST_INVALID)
			fail_msg("row %zu: %s", i, r.e.text);
		assert_says(&r, HTTPS_LOCAL, rows[i].says);
	}
}

/* The intermediate is left out where the server says that it has it, and only there. */
static void only_the_leaf_where_its_issuer_is_named(void **state)
{
	const struct {
		const struct cred *asks[3];
		int sent;
	} rows[] = {
		{ { &pki.inter }, 1 },
		{ { &pki.root, &pki.inter }, 1 },
		{ { &pki.root }, 2 },
		{ { &pki.server, &pki.client }, 2 },
		{ { NULL }, 0 },
	};
	static const char empty[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct script s = { .tls = true, .answer = empty, .n = sizeof empty - 1 };
		struct https_conf conf = trusting();
		memcpy(s.asks, rows[i].asks, sizeof s.asks);
		conf.client_chain = &pki.client.chain;
		conf.client_key = pki.client.key;
		script_start(&s);
		struct result r = call(conf, "GET", "localhost", s.port, "/");
		script_stop(&s);
		assert_int_equal(r.st, ST_OK);
		assert_int_equal(s.client_certs, rows[i].sent);
		https_response_done(&r.resp);
	}
}

static void through_a_proxy(void **state)
{
	static const struct {
		const char *userinfo, *answer;
		bool leads;
		const char *says, *asked; /* the error or NULL; what the proxy saw */
	} rows[] = {
		{ "", "HTTP/1.1 200 Connection established\r\n\r\n", true, NULL, "\r\n\r\n" },
		{ "", "HTTP/1.0 200\r\nVia: x\r\n\r\n", true, NULL, "User-Agent: me\r\n\r\n" },
		{ "", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true, NULL, "CONNECT localhost:" },
		{ "user:pa%40ss@", "HTTP/1.1 200 OK\r\n\r\n", true, NULL,
		  "Proxy-Authorization: Basic dXNlcjpwYUBzcw==\r\n" },
		{ "user@", "HTTP/1.1 200 OK\r\n\r\n", true, NULL, "Proxy-Authorization: Basic dXNlcjo=\r\n" },
		{ "", "HTTP/1.1 407 Whatever\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", false,
		  "407 Proxy Authentication Required", "CONNECT" },
		{ "", "HTTP/1.1 403 Forbidden\r\n\r\n<html>", false, "403 Forbidden", "CONNECT" },
		{ "", "<html>go away</html>\r\n\r\n", false, "malformed answer", "CONNECT" },
		{ "", "HTTP/1.1 200 OK\r\n\r\nextra", false, "bytes behind the answer", "CONNECT" },
		{ "", "HTTP/1.1 2", false, "connection closed", "CONNECT" },
		{ "", "", false, "connection closed", "CONNECT" },
	};
	struct house h;
	(void)state;
	house_open(&h);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct proxy p = { .answer = rows[i].answer, .target = rows[i].leads ? h.port : 0 };
		struct https_conf conf = trusting();
		char url[128], asked[64];
		p.listen_fd = listen_local(8, &p.port);
		assert_int_equal(pthread_create(&p.thread, NULL, serve_proxy, &p), 0);
		snprintf(url, sizeof url, "http://%s127.0.0.1:%d", rows[i].userinfo, p.port);
		conf.proxy = url;
		conf.user_agent = "me";
		struct result r = call(conf, "GET", "localhost", h.port, "/via");
		if (rows[i].says) {
			assert_says(&r, HTTPS_PROXY, rows[i].says);
			assert_non_null(strstr(r.e.text, "failed: proxy 127.0.0.1:"));
		} else {
			if (r.st)
				fail_msg("row %zu: %s", i, r.e.text);
			assert_non_null(strstr(buf_cstr(&r.resp.body), "GET /via?"));
			https_response_done(&r.resp);
		}
		pthread_join(p.thread, NULL);
		close(p.listen_fd);
		snprintf(asked, sizeof asked, "CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n", h.port,
		         h.port);
		assert_memory_equal(p.request, asked, strlen(asked));
		assert_non_null(strstr(p.request, rows[i].asked));
	}
	int port, fd = listen_local(1, &port);
	char url[64];
	struct https_conf conf = trusting();
	close(fd);
	snprintf(url, sizeof url, "127.0.0.1:%d", port);
	conf.proxy = url;
	struct result r = call(conf, "GET", "localhost", h.port, "/");
	assert_says(&r, HTTPS_PROXY, "failed: proxyconnect tcp: dial tcp 127.0.0.1:");
	house_close(&h);
}

/* -- on a loop of somebody else --------------------------------------------------------------------------------- */

struct tally {
	int done, good;
};

static void count_done(void *arg, enum status st, struct https_response *r, const struct https_outcome *o,
                       const struct error *e)
{
	struct tally *t = arg;
	(void)o;
	(void)e;
	t->done++;
	t->good += st == ST_OK && r->status == 201;
	https_response_done(r);
}

static void on_a_shared_loop(void **state)
{
	struct house h;
	char url[64];
	struct https_conf conf = trusting();
	struct tally t = { 0 };
	(void)state;
	house_open(&h);
	struct event_base *base = event_base_new();
	for (int i = 0; i < 10; i++) {
		struct https_request q = { .method = "GET", .url = url };
		struct https_job *job;
		struct error e = ERROR_INIT;
		snprintf(url, sizeof url, "https://localhost:%d/%d", h.port, i);
		assert_int_equal(https_start(base, &conf, &q, count_done, &t, &job, &e), ST_OK);
	}
	memset(url, 'x', sizeof url); /* nothing of it is needed any more */
	assert_int_equal(t.done, 0);
	event_base_dispatch(base);
	assert_int_equal(t.done, 10);
	assert_int_equal(t.good, 10);
	event_base_free(base);
	house_close(&h);
}

/* Cancelled after n rounds of the loop, for every n until one is answered first. */
static void cancelled_anywhere(void **state)
{
	struct house h;
	char url[64];
	struct https_conf conf = trusting();
	struct tally t = { 0 };
	(void)state;
	house_open(&h);
	snprintf(url, sizeof url, "https://localhost:%d/", h.port);
	for (int n = 0; n < 100 && !t.done; n++) {
		struct https_request q = { .method = "GET", .url = url };
		struct event_base *base = event_base_new();
		struct https_job *job;
		struct error e = ERROR_INIT;
		assert_int_equal(https_start(base, &conf, &q, count_done, &t, &job, &e), ST_OK);
		for (int i = 0; i < n && !t.done; i++)
			event_base_loop(base, EVLOOP_ONCE);
		if (!t.done) {
			https_cancel(job);
			event_base_dispatch(base);
			assert_int_equal(t.done, 0);
		}
		event_base_free(base);
	}
	assert_int_equal(t.good, 1);
	house_close(&h);
}

/* Every allocation of ours fails once: an error, no leak, no half result. The server is a process of its own, so that
 * only the client's calls are counted. */
static void out_of_memory(void **state)
{
	int port_pipe[2], port;
	unsigned failed = 0;
	(void)state;
	assert_int_equal(pipe(port_pipe), 0);
	pid_t child = fork();
	if (child == 0) {
		struct house h;
		house_open(&h);
		if (write(port_pipe[1], &h.port, sizeof h.port) != sizeof h.port)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(port_pipe[0], &port, sizeof port), sizeof port);
	for (unsigned n = 1;; n++) {
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		struct result r = call(trusting(), "GET", "localhost", port, "/x");
		bool hit = fail_disarm();
		if (r.st == ST_OK)
			https_response_done(&r.resp);
		else
			failed++;
		if (!hit) {
			assert_int_equal(r.st, ST_OK);
			break;
		}
		assert_int_not_equal(r.outcome.failure, HTTPS_UNTRUSTED);
	}
	assert_in_range(failed, 4, 1000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(port_pipe[0]);
	close(port_pipe[1]);
}

static int make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_make(&pki);
	return 0;
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
		cmocka_unit_test(out_of_memory), /* first: it forks, and there are no threads yet */
		cmocka_unit_test(good_calls),
		cmocka_unit_test(answers),
		cmocka_unit_test(strangers),
		cmocka_unit_test(without_roots),
		cmocka_unit_test(not_tls),
		cmocka_unit_test(alerts),
		cmocka_unit_test(refused_while_writing),
		cmocka_unit_test(time_outs),
		cmocka_unit_test(time_out_while_connecting),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(only_the_leaf_where_its_issuer_is_named),
		cmocka_unit_test(through_a_proxy),
		cmocka_unit_test(on_a_shared_loop),
		cmocka_unit_test(cancelled_anywhere),
	};
	return cmocka_run_group_tests(tests, make, unmake);
}
