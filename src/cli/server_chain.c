#include "cli/certfile.h"
#include "crypto/ossl.h"
#include "os/auto.h"
#include "os/clock.h"
#include "x509/auto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

/* A TLS handshake for its certificates: no HTTP, since the peer of a mail or directory server speaks none. Nothing is
 * sent behind the handshake. */

DEFINE_AUTO(SSL_CTX *, SSL_CTX_free);
DEFINE_AUTO(SSL *, SSL_free);
DEFINE_AUTO(struct addrinfo *, freeaddrinfo);

enum { CONNECT_MS = 15000, HOST_MAX = 256 };

static const struct {
	const char *scheme, *port;
} schemes[] = {
	{ "https://", "443" }, { "tls://", "443" }, { "tcp://", "443" }, { "smtps://", "465" }, { "ldaps://", "636" }
};

struct endpoint {
	char host[HOST_MAX], port[8];
};

static const char *default_port(const char *url)
{
	for (size_t i = 0; i < COUNT_OF(schemes); i++)
		if (!strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)))
			return schemes[i].port;
	return NULL;
}

bool cert_is_url(const char *name)
{
	return default_port(name) != NULL;
}

static bool copy(char *out, size_t room, struct slice s)
{
	if (!s.n || s.n >= room || slice_find(s, '\0') < s.n)
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

/* "https://host", "https://host:8443/path", "tls://[::1]:636". */
static enum status read_url(const char *url, struct endpoint *ret, struct error *e)
{
	const char *at = strstr(url, "://") + 3;
	struct slice rest = slice_of(at, strcspn(at, "/?#")), host = rest, port = slice_cstr(default_port(url));
	size_t close = rest.n && rest.p[0] == '[' ? slice_find(rest, ']') : rest.n;
	if (close < rest.n) {
		host = slice_of(rest.p + 1, close - 1);
		rest = slice_of(rest.p + close + 1, rest.n - close - 1);
	} else {
		host.n = slice_find(rest, ':');
		rest = slice_of(rest.p + host.n, rest.n - host.n);
	}
	if (rest.n)
		port = slice_of(rest.p + 1, rest.n - 1);
	if ((rest.n && rest.p[0] != ':') || !copy(ret->host, sizeof ret->host, host) ||
	    !copy(ret->port, sizeof ret->port, port))
		return error_set(e, ST_INVALID, "failed to connect: %s is not a URL such as https://ca.example.com:443",
		                 url);
	return ST_OK;
}

/* Waits until fd is ready; false when the deadline has passed. */
static bool ready(int fd, short events, struct mono deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	for (;;) {
		int64_t left = (deadline.ns - clock_mono(&clock_system).ns) / 1000000;
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (n > 0 || (n < 0 && errno != EINTR))
			return n > 0;
		if (n == 0)
			return false;
	}
}

static enum status connect_one(const struct addrinfo *a, struct mono deadline, int *ret, struct error *e)
{
	AUTO(fd_close_p) int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	int os = 0;
	socklen_t n = sizeof os;
	if (fd < 0)
		return error_os(e, errno, "socket");
	if (connect(fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS)
		return error_os(e, errno, "connect");
	if (!ready(fd, POLLOUT, deadline))
		return error_os(e, ETIMEDOUT, "connect");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &os, &n) || os)
		return error_os(e, os ? os : errno, "connect");
	*ret = FD_TAKE(fd);
	return ST_OK;
}

static enum status connect_any(const struct endpoint *to, struct mono deadline, int *ret, struct error *e)
{
	AUTO(freeaddrinfo_p) struct addrinfo *list = NULL;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	int why = getaddrinfo(to->host, to->port, &hints, &list);
	if (why)
		return error_set(e, ST_IO, "lookup %s: %s", to->host, gai_strerror(why));
	enum status st = ST_IO;
	for (const struct addrinfo *a = list; st && a; a = a->ai_next)
		st = connect_one(a, deadline, ret, e);
	return st;
}

static enum status shake(SSL *ssl, int fd, struct mono deadline, struct error *e)
{
	for (;;) {
		int n = SSL_connect(ssl), why = n == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);
		if (n == 1)
			return ST_OK;
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return why == SSL_ERROR_SYSCALL ? error_set(e, ST_PEER, "tls: the server closed the connection")
			                                : error_ossl(e, ST_PEER, "tls: handshake failed");
		if (!ready(fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline))
			return error_os(e, ETIMEDOUT, "tls: handshake");
	}
}

static bool is_address(const char *host)
{
	uint8_t raw[16];
	return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

static enum status chain_of(SSL *ssl, struct chain *ret, struct error *e)
{
	AUTO(chain_done) struct chain got = { 0 };
	const STACK_OF(X509) *stack = SSL_get_peer_cert_chain(ssl);
	enum status st = ST_OK;
	for (int i = 0; !st && i < sk_X509_num(stack); i++) {
		AUTO(cert_unref_p) struct cert *c = NULL;
		st = cert_of_x509(sk_X509_value(stack, i), &c, e);
		if (!st)
			st = chain_add(&got, c, e);
	}
	if (!st && !got.n)
		return error_set(e, ST_PEER, "the server shows no certificate");
	if (!st) {
		*ret = got;
		got = (struct chain){ 0 };
	}
	return st;
}

static enum status fetch(const struct endpoint *to, const char *name, struct chain *ret, struct error *e)
{
	struct mono deadline = { clock_mono(&clock_system).ns + CONNECT_MS * INT64_C(1000000) };
	AUTO(SSL_CTX_free_p) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	AUTO(SSL_free_p) SSL *ssl = NULL;
	AUTO(fd_close_p) int fd = -1;
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !(ssl = SSL_new(ctx)))
		return error_ossl(e, ST_CRYPTO, "tls");
	/* The chain is verified by our own rules once it is here; the handshake proves that the server has the key. */
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	char sni[HOST_MAX]; /* OpenSSL's macro wants it writable */
	if (!copy(sni, sizeof sni, slice_cstr(name)))
		return error_set(e, ST_INVALID, "the server name is empty or too long");
	if (!is_address(sni) && !SSL_set_tlsext_host_name(ssl, sni))
		return error_ossl(e, ST_INVALID, "server name %s", sni);
	enum status st = connect_any(to, deadline, &fd, e);
	if (!st && !SSL_set_fd(ssl, fd))
		return error_ossl(e, ST_CRYPTO, "tls");
	if (!st)
		st = shake(ssl, fd, deadline, e);
	return st ? st : chain_of(ssl, ret, e);
}

static enum status check(struct invocation *inv, const struct chain *got, const char *name, const char *roots,
                         struct error *e)
{
	AUTO(trust_free_p) struct trust *trust = NULL;
	enum status st = cert_roots(roots, &trust, e);
	if (!st)
		st = trust_verify(trust, got->v[0], got, inv_now(inv), TRUST_SERVER, e);
	return st ? st : cert_matches_host(got->v[0], name, e);
}

enum status cert_of_server(struct invocation *inv, const char *url, const struct cert_server *how, struct chain *ret,
                           struct error *e)
{
	AUTO(chain_done) struct chain got = { 0 };
	struct endpoint to;
	enum status st = read_url(url, &to, e);
	if (st)
		return st;
	const char *name = opt_is_set(how->servername) ? how->servername : to.host;
	st = fetch(&to, name, &got, e);
	if (!st && !how->insecure && !how->chain_only)
		st = check(inv, &got, name, how->roots, e);
	if (st)
		return error_wrap(e, "failed to connect");
	*ret = got;
	got = (struct chain){ 0 };
	return ST_OK;
}
