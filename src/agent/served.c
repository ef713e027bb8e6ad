#include "agent/served.h"

#include "base/num.h"
#include "crypto/ossl.h"
#include "os/auto.h"
#include "os/clock.h"
#include "base/duration.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { TALK_MAX = 16384 };

DEFINE_AUTO(SSL *, SSL_free);
DEFINE_AUTO(SSL_CTX *, SSL_CTX_free);

static const char *const starttls_names[] = {
	[SERVED_SMTP] = "smtp", [SERVED_IMAP] = "imap",         [SERVED_POP3] = "pop3",
	[SERVED_LDAP] = "ldap", [SERVED_POSTGRES] = "postgres",
};

/* ---- the address ---- */

static enum status bad(const char *text, const char *why, struct error *e)
{
	return error_set(e, ST_INVALID, "invalid value '%s' for flag '--verify'; %s", text, why);
}

static bool put(char *out, size_t n, struct slice s)
{
	if (!s.n || s.n >= n)
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

static bool parse_starttls(struct slice v, struct served *ret)
{
	for (size_t i = 0; i < COUNT_OF(starttls_names); i++)
		if (starttls_names[i] && slice_is(v, starttls_names[i])) {
			ret->starttls = (enum served_starttls)i;
			return true;
		}
	return false;
}

static enum status parse_word(const char *text, struct slice w, struct served *ret, struct error *e)
{
	size_t eq = slice_find(w, '=');
	struct slice name = slice_of(w.p, eq), value = eq < w.n ? slice_of(w.p + eq + 1, w.n - eq - 1) : SLICE_NONE;
	if (slice_is(name, "name") && put(ret->name, sizeof ret->name, value))
		return ST_OK;
	if (slice_is(name, "starttls") && parse_starttls(value, ret))
		return ST_OK;
	return bad(text, "behind the address stand starttls=smtp|imap|pop3|ldap|postgres and name=NAME", e);
}

static enum status parse_address(const char *text, struct slice a, struct served *ret, struct error *e)
{
	static const char form[] = "it is HOST:PORT or unix:PATH";
	struct error why = ERROR_INIT;
	int64_t port;
	if (a.n > 5 && memcmp(a.p, "unix:", 5) == 0)
		return put(ret->host, sizeof((struct sockaddr_un){ 0 }).sun_path, slice_of(a.p + 5, a.n - 5))
		               ? ST_OK
		               : bad(text, "the path is too long", e);
	size_t colon = a.n;
	while (colon && a.p[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return bad(text, form, e);
	struct slice host = slice_of(a.p, colon - 1), digits = slice_of(a.p + colon, a.n - colon);
	if (host.p[0] == '[' && host.p[host.n - 1] == ']' && host.n > 1)
		host = slice_of(host.p + 1, host.n - 2);
	else if (slice_find(host, ':') < host.n)
		return bad(text, "an IPv6 address stands in brackets", e);
	if (num_parse(digits, 1, 65535, &port, &why) || !put(ret->host, sizeof ret->host, host))
		return bad(text, form, e);
	snprintf(ret->port, sizeof ret->port, "%d", (int)port);
	return ST_OK;
}

enum status served_parse(const char *text, struct served *ret, struct error *e)
{
	struct served s = { 0 };
	struct slice rest = slice_cstr(text);
	for (bool first = true; first || rest.n; first = false) {
		size_t n = slice_find(rest, ',');
		struct slice word = slice_of(rest.p, n);
		enum status st = first ? parse_address(text, word, &s, e) : parse_word(text, word, &s, e);
		if (st)
			return st;
		rest = n < rest.n ? slice_of(rest.p + n + 1, rest.n - n - 1) : SLICE_NONE;
	}
	*ret = s;
	return ST_OK;
}

/* ---- the connection ---- */

struct talk {
	int fd;
	int64_t until_ns; /* monotonic */
	struct buf in;    /* read and not yet used */
};

static void talk_done(struct talk *t)
{
	fd_close_p(&t->fd);
	buf_done(&t->in);
}

static enum status wait_for(const struct talk *t, short events, struct error *e)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	for (;;) {
		int64_t left = (t->until_ns - clock_mono(&clock_system).ns) / DURATION_MS;
		int n = left > 0 ? poll(&p, 1, left < 60000 ? (int)left : 60000) : 0;
		if (n > 0)
			return ST_OK;
		if (n == 0 && left <= 0)
			return error_set(e, ST_AGAIN, "no answer in time");
		if (n < 0 && errno != EINTR)
			return error_os(e, errno, "poll");
	}
}

static enum status connect_to(struct talk *t, const struct sockaddr *to, socklen_t n, struct error *e)
{
	int os = 0;
	socklen_t size = sizeof os;
	fd_close_p(&t->fd);
	t->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return error_os(e, errno, "socket");
	if (connect(t->fd, to, n) == 0)
		return ST_OK;
	if (errno != EINPROGRESS)
		return error_os(e, errno, "connect");
	enum status st = wait_for(t, POLLOUT, e);
	if (st)
		return st;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &os, &size))
		os = errno;
	return os ? error_os(e, os, "connect") : ST_OK;
}

static enum status connect_unix(struct talk *t, const char *path, struct error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, path, strlen(path) + 1);
	return connect_to(t, (const struct sockaddr *)&a, sizeof a, e);
}

static enum status connect_tcp(struct talk *t, const struct served *s, struct error *e)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list;
	int no = getaddrinfo(s->host, s->port, &want, &list);
	if (no)
		return error_set(e, ST_IO, "lookup %s: %s", s->host, gai_strerror(no));
	enum status st = ST_MISSING;
	for (struct addrinfo *a = list; a && st; a = a->ai_next)
		st = connect_to(t, a->ai_addr, a->ai_addrlen, e);
	freeaddrinfo(list);
	return st;
}

/* ---- plain talk before TLS ---- */

static enum status send_all(struct talk *t, struct slice s, struct error *e)
{
	while (s.n) {
		ssize_t n = send(t->fd, s.p, s.n, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return error_os(e, errno, "send");
		if (n < 0 && wait_for(t, POLLOUT, e))
			return e->status;
		if (n > 0)
			s = slice_of(s.p + n, s.n - (size_t)n);
	}
	return ST_OK;
}

/* One byte at a time, so that nothing of the TLS that follows is taken. */
static enum status read_byte(struct talk *t, uint8_t *ret, struct error *e)
{
	for (;;) {
		ssize_t n = recv(t->fd, ret, 1, 0);
		if (n == 1)
			return ST_OK;
		if (n == 0)
			return error_set(e, ST_PEER, "the connection was closed");
		if (errno != EAGAIN && errno != EINTR)
			return error_os(e, errno, "receive");
		if (wait_for(t, POLLIN, e))
			return e->status;
	}
}

/* Without CR and LF. Stays valid until the next line. */
static enum status read_line(struct talk *t, const char **ret, struct error *e)
{
	uint8_t c;
	buf_reset(&t->in);
	for (;;) {
		if (read_byte(t, &c, e))
			return e->status;
		if (c == '\n')
			break;
		if (c != '\r')
			buf_addc(&t->in, (char)c);
		if (buf_check(&t->in, e))
			return e->status;
	}
	*ret = buf_cstr(&t->in);
	return ST_OK;
}

static enum status refused(const char *line, struct error *e)
{
	AUTO(buf_done) struct buf clean = BUF_INIT(256);
	for (const char *p = line; *p && clean.n < 120; p++)
		buf_addc(&clean, *p >= ' ' && *p < 127 ? *p : '?');
	return error_set(e, ST_PEER, "STARTTLS is refused: %s", buf_cstr(&clean));
}

/* RFC 5321 §4.2.1: the last line of a reply has a space behind its code. */
static enum status smtp_reply(struct talk *t, const char *code, struct error *e)
{
	const char *line;
	for (int i = 0; i < SERVED_LINES_MAX; i++) {
		if (read_line(t, &line, e))
			return e->status;
		if (strncmp(line, code, 3) != 0)
			return refused(line, e);
		if (line[3] != '-')
			return ST_OK;
	}
	return error_set(e, ST_PEER, "the greeting has no end");
}

/* RFC 3207 */
static enum status start_smtp(struct talk *t, struct error *e)
{
	if (smtp_reply(t, "220", e) || send_all(t, SLICE_LIT("EHLO localhost\r\n"), e) || smtp_reply(t, "250", e) ||
	    send_all(t, SLICE_LIT("STARTTLS\r\n"), e))
		return e->status;
	return smtp_reply(t, "220", e);
}

/* RFC 3501 §6.2.1 */
static enum status start_imap(struct talk *t, struct error *e)
{
	const char *line;
	if (read_line(t, &line, e) || send_all(t, SLICE_LIT("a1 STARTTLS\r\n"), e))
		return e->status;
	for (int i = 0; i < SERVED_LINES_MAX; i++) {
		if (read_line(t, &line, e))
			return e->status;
		if (strncmp(line, "a1 ", 3) == 0)
			return strncasecmp(line + 3, "OK", 2) == 0 ? ST_OK : refused(line, e);
	}
	return error_set(e, ST_PEER, "STARTTLS has no answer");
}

/* RFC 2595 §4 */
static enum status start_pop3(struct talk *t, struct error *e)
{
	const char *line;
	if (read_line(t, &line, e))
		return e->status;
	if (strncmp(line, "+OK", 3) != 0)
		return refused(line, e);
	if (send_all(t, SLICE_LIT("STLS\r\n"), e) || read_line(t, &line, e))
		return e->status;
	return strncmp(line, "+OK", 3) == 0 ? ST_OK : refused(line, e);
}

/* RFC 4511 §4.14.1: an ExtendedRequest with the OID of StartTLS; the answer's resultCode (an ENUMERATED) must be 0. */
static enum status start_ldap(struct talk *t, struct error *e)
{
	static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
				      "1.3.6.1.4.1.1466.20037";
	uint8_t head[2], body[256];
	size_t n = 0;
	if (send_all(t, slice_of(request, sizeof request - 1), e) || read_byte(t, &head[0], e) ||
	    read_byte(t, &head[1], e))
		return e->status;
	size_t want = head[1];
	if (head[0] != 0x30)
		return error_set(e, ST_PEER, "the answer is not LDAP");
	if (want & 0x80) { /* a long length of few bytes */
		size_t bytes = want & 0x7f;
		want = 0;
		for (uint8_t b; bytes; bytes--) {
			if (read_byte(t, &b, e))
				return e->status;
			want = want << 8 | b;
			if (want >= sizeof body)
				return error_set(e, ST_PEER, "the answer is too long");
		}
	}
	while (n < want && n < sizeof body)
		if (read_byte(t, &body[n++], e))
			return e->status;
	for (size_t i = 0; i + 2 < n; i++)
		if (body[i] == 0x0a && body[i + 1] == 1)
			return body[i + 2] == 0
			               ? ST_OK
			               : error_set(e, ST_PEER, "STARTTLS is refused: LDAP result %d", body[i + 2]);
	return error_set(e, ST_PEER, "the answer holds no LDAP result");
}

/* PostgreSQL's SSLRequest: length 8, code 80877103; the answer is one byte. */
static enum status start_postgres(struct talk *t, struct error *e)
{
	static const char request[] = "\0\0\0\x08\x04\xd2\x16\x2f";
	uint8_t answer;
	if (send_all(t, slice_of(request, 8), e) || read_byte(t, &answer, e))
		return e->status;
	return answer == 'S' ? ST_OK : error_set(e, ST_PEER, "the server does not offer TLS");
}

static enum status start_tls(struct talk *t, enum served_starttls how, struct error *e)
{
	switch (how) {
	case SERVED_SMTP:
		return start_smtp(t, e);
	case SERVED_IMAP:
		return start_imap(t, e);
	case SERVED_POP3:
		return start_pop3(t, e);
	case SERVED_LDAP:
		return start_ldap(t, e);
	case SERVED_POSTGRES:
		return start_postgres(t, e);
	case SERVED_TLS:
		break;
	}
	return ST_OK;
}

/* ---- the handshake ---- */

/* Who it is matters, not whether somebody vouches for it: the certificate is taken as soon as it is shown. */
static int on_verify(X509_STORE_CTX *store, void *arg)
{
	X509 **leaf = arg, *shown = X509_STORE_CTX_get0_cert(store);
	if (shown && !*leaf) {
		X509_up_ref(shown);
		*leaf = shown;
	}
	return 1;
}

static enum status shake_hands(struct talk *t, SSL *ssl, X509 *const *leaf, struct error *e)
{
	for (;;) {
		int n = SSL_connect(ssl);
		int why = SSL_get_error(ssl, n), os = errno;
		if (n == 1 || *leaf) {
			ossl_forget_errors();
			return ST_OK;
		}
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
			if (why == SSL_ERROR_SYSCALL && os) {
				ossl_forget_errors();
				return error_os(e, os, "TLS handshake");
			}
			return error_ossl(e, ST_PEER, "TLS handshake");
		}
		if (wait_for(t, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, e))
			return e->status;
	}
}

static bool is_address(const char *name)
{
	unsigned char out[16];
	return inet_pton(AF_INET, name, out) == 1 || inet_pton(AF_INET6, name, out) == 1;
}

static enum status look(struct talk *t, const char *name, X509 **leaf, struct error *e)
{
	AUTO(SSL_CTX_free_p) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return error_ossl(e, ST_CRYPTO, "TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, leaf);
	AUTO(SSL_free_p) SSL *ssl = SSL_new(ctx);
	if (!ssl || SSL_set_fd(ssl, t->fd) != 1)
		return error_ossl(e, ST_CRYPTO, "TLS");
	/* RFC 6066 §3: an address is no server name. */
	char host[SERVED_HOST_MAX]; /* the macro wants one that it could write to */
	snprintf(host, sizeof host, "%s", name ? name : "");
	if (host[0] && !is_address(host) && SSL_set_tlsext_host_name(ssl, host) != 1)
		return error_ossl(e, ST_CRYPTO, "server name %s", name);
	return shake_hands(t, ssl, leaf, e);
}

static enum status fetch(const struct served *s, const char *name, int64_t timeout_ms, X509 **leaf, struct error *e)
{
	int64_t ms = timeout_ms ? timeout_ms : SERVED_TIMEOUT_MS;
	AUTO(talk_done)
	struct talk t = { .fd = -1,
		          .in = BUF_INIT(TALK_MAX),
		          .until_ns = clock_mono(&clock_system).ns + ms * DURATION_MS };
	enum status st = s->port[0] ? connect_tcp(&t, s, e) : connect_unix(&t, s->host, e);
	if (!st)
		st = start_tls(&t, s->starttls, e);
	return st ? st : look(&t, s->name[0] ? s->name : name, leaf, e);
}

/* "localhost:443" */
static const char *address(const struct served *s, char out[SERVED_HOST_MAX + 16])
{
	snprintf(out, SERVED_HOST_MAX + 16, "%s%s%s", s->port[0] ? s->host : "unix:", s->port[0] ? ":" : s->host,
	         s->port);
	return out;
}

enum status served_fetch(const struct served *s, const char *name, int64_t timeout_ms, struct cert **ret,
                         struct error *e)
{
	char where[SERVED_HOST_MAX + 16];
	X509 *leaf = NULL;
	enum status st = fetch(s, name, timeout_ms, &leaf, e);
	if (!st && !leaf)
		st = error_set(e, ST_PEER, "it shows no certificate");
	if (!st)
		st = cert_of_x509(leaf, ret, e);
	X509_free(leaf);
	return st ? error_wrap(e, "%s", address(s, where)) : ST_OK;
}

/* A name that the certificate is good for; "" where it has none. A wildcard is asked for by one name below it. */
static void name_to_ask(const struct cert *c, char out[SERVED_HOST_MAX])
{
	const struct san_list *l = cert_facts(c)->sans;
	out[0] = '\0';
	for (size_t i = 0; i < l->n && !out[0]; i++) {
		const char *text = l->v[i].text;
		bool wild = strncmp(text, "*.", 2) == 0;
		if (l->v[i].type == SAN_DNS && strlen(text) + 3 < SERVED_HOST_MAX)
			snprintf(out, SERVED_HOST_MAX, "%s%s", wild ? "www" : "", text + wild);
	}
}

enum status served_check(const struct served *s, const struct cert *ours, int64_t timeout_ms, struct error *e)
{
	AUTO(cert_unref_p) struct cert *shown = NULL;
	char where[SERVED_HOST_MAX + 16], until[WALL_TEXT], name[SERVED_HOST_MAX];
	name_to_ask(ours, name);
	enum status st = served_fetch(s, name, timeout_ms, &shown, e);
	if (st)
		return st;
	const struct cert_facts *f = cert_facts(shown);
	if (slice_eq(f->der, cert_facts(ours)->der))
		return ST_OK;
	return error_set(e, ST_PEER, "%s does not serve the new certificate, but the one with serial %s (until %s)",
	                 address(s, where), f->serial_text, wall_rfc3339(f->not_after, until));
}
