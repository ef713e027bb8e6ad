#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

int wire_dial(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 10 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	close(fd);
	return -1;
}

static void on_info(const SSL *ssl, int where, int ret)
{
	if (where == SSL_CB_READ_ALERT)
		SSL_set_app_data((SSL *)(uintptr_t)ssl, (void *)(uintptr_t)(ret & 0xff));
}

int wire_alert(const struct wire *w)
{
	return (int)(uintptr_t)SSL_get_app_data(w->ssl);
}

bool wire_open(struct wire *w, int port, const struct wire_opts *opts)
{
	static const struct wire_opts plain;
	const struct wire_opts *o = opts ? opts : &plain;
	*w = (struct wire){ .fd = wire_dial(port) };
	if (w->fd < 0)
		return false;
	w->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(w->ctx, o->min);
	SSL_CTX_set_max_proto_version(w->ctx, o->max);
	if (o->min && o->min < TLS1_2_VERSION)
		SSL_CTX_set_security_level(w->ctx, 0);
	if (o->tls12_suites)
		SSL_CTX_set_cipher_list(w->ctx, o->tls12_suites);
	if (o->alpn)
		SSL_CTX_set_alpn_protos(w->ctx, (const uint8_t *)o->alpn, (unsigned)strlen(o->alpn));
	if (o->cred) {
		SSL_CTX_use_certificate(w->ctx, cert_x509(o->cred->chain.v[0]));
		SSL_CTX_use_PrivateKey(w->ctx, o->cred->key);
		for (size_t i = 1; i < o->cred->chain.n && !o->leaf_only; i++)
			SSL_CTX_add1_chain_cert(w->ctx, cert_x509(o->cred->chain.v[i]));
	}
	w->ssl = SSL_new(w->ctx);
	SSL_set_info_callback(w->ssl, on_info);
	SSL_set_fd(w->ssl, w->fd);
	return SSL_connect(w->ssl) == 1;
}

static void wire_free(struct wire *w)
{
	SSL_free(w->ssl);
	SSL_CTX_free(w->ctx);
	if (w->fd >= 0)
		close(w->fd);
	ERR_clear_error();
	*w = (struct wire){ .fd = -1 };
}

void wire_close(struct wire *w)
{
	if (w->ssl && SSL_is_init_finished(w->ssl))
		SSL_shutdown(w->ssl);
	wire_free(w);
}

void wire_drop(struct wire *w)
{
	struct linger now = { .l_onoff = 1 };
	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	wire_free(w);
}

bool wire_write(struct wire *w, const void *p, size_t n)
{
	return SSL_write(w->ssl, p, (int)n) == (int)n;
}

bool wire_puts(struct wire *w, const char *s)
{
	return wire_write(w, s, strlen(s));
}

bool wire_read_all(struct wire *w, struct buf *out)
{
	char bytes[4096];
	int n;
	while ((n = SSL_read(w->ssl, bytes, sizeof bytes)) > 0)
		buf_add(out, bytes, (size_t)n);
	bool clean = SSL_get_error(w->ssl, n) == SSL_ERROR_ZERO_RETURN;
	ERR_clear_error();
	return clean;
}

bool wire_read_answer(struct wire *w, bool to_head, struct buf *out)
{
	char c;
	const char *length;
	buf_reset(out);
	while (!strstr(buf_cstr(out), "\r\n\r\n")) {
		if (SSL_read(w->ssl, &c, 1) != 1)
			return false;
		buf_addc(out, c);
	}
	length = strcasestr(buf_cstr(out), "\r\nContent-Length: ");
	for (long n = length && !to_head ? strtol(length + 18, NULL, 10) : 0; n > 0; n--) {
		if (SSL_read(w->ssl, &c, 1) != 1)
			return false;
		buf_addc(out, c);
	}
	return true;
}
