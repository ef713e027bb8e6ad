#include "agent/served.h"

#include "crypto/ossl.h"
#include "pki.h"
#include "scratch.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct pki pki;

static void addresses_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum status st;
		const char *host, *port, *name;
		enum served_starttls starttls;
	} cases[] = {
		{ "localhost:443", ST_OK, "localhost", "443", "", SERVED_TLS },
		{ "127.0.0.1:1", ST_OK, "127.0.0.1", "1", "", SERVED_TLS },
		{ "[::1]:8443", ST_OK, "::1", "8443", "", SERVED_TLS },
		{ "unix:/run/x.sock", ST_OK, "/run/x.sock", "", "", SERVED_TLS },
		{ "a:25,starttls=smtp", ST_OK, "a", "25", "", SERVED_SMTP },
		{ "a:143,starttls=imap,name=b.c", ST_OK, "a", "143", "b.c", SERVED_IMAP },
		{ "a:110,name=b,starttls=pop3", ST_OK, "a", "110", "b", SERVED_POP3 },
		{ "a:389,starttls=ldap", ST_OK, "a", "389", "", SERVED_LDAP },
		{ "unix:/s/.s.PGSQL.5432,starttls=postgres", ST_OK, "/s/.s.PGSQL.5432", "", "", SERVED_POSTGRES },
		{ .text = "", .st = ST_INVALID },
		{ .text = "localhost", .st = ST_INVALID },
		{ .text = ":443", .st = ST_INVALID },
		{ .text = "a:", .st = ST_INVALID },
		{ .text = "a:0", .st = ST_INVALID },
		{ .text = "a:65536", .st = ST_INVALID },
		{ .text = "a:https", .st = ST_INVALID },
		{ .text = "::1:443", .st = ST_INVALID },
		{ .text = "[]:443", .st = ST_INVALID },
		{ .text = "unix:", .st = ST_INVALID },
		{ .text = "a:1,starttls=", .st = ST_INVALID },
		{ .text = "a:1,starttls=ftp", .st = ST_INVALID },
		{ .text = "a:1,starttls", .st = ST_INVALID },
		{ .text = "a:1,name=", .st = ST_INVALID },
		{ .text = "a:1,sni=x", .st = ST_INVALID },
		{ .text = "a:1,,name=x", .st = ST_INVALID },
		{ .text = "unix:/"
		          "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
		          "89012345678901234567890",
		  .st = ST_INVALID },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		struct served s = { .host = "untouched" };
		if (served_parse(cases[i].text, &s, &e) != cases[i].st)
			fail_msg("%s: %s", cases[i].text, e.text);
		if (cases[i].st) {
			assert_string_equal(s.host, "untouched");
			assert_non_null(strstr(e.text, "' for flag '--verify'; "));
			continue;
		}
		assert_string_equal(s.host, cases[i].host);
		assert_string_equal(s.port, cases[i].port);
		assert_string_equal(s.name, cases[i].name);
		assert_int_equal(s.starttls, cases[i].starttls);
	}
}

/* A server of one connection: says and expects what stands in the script ("<" expect a line or bytes, ">" say), then
 * TLS with this certificate. */
struct line {
	char way;
	const char *text;
	size_t n; /* 0: strlen */
};

struct server {
	const struct line *script;
	const struct cred *cred; /* NULL: hang up instead */
	bool wants_client, unix_socket;
};

static int accept_tls(const struct server *s, int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(ctx, cert_x509(s->cred->chain.v[0]));
	SSL_CTX_use_PrivateKey(ctx, s->cred->key);
	if (s->wants_client)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	int ok = SSL_accept(ssl) == 1;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	int named = name && strcmp(name, "localhost") == 0;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return named ? (ok ? 0 : 2) : 3;
}

static int serve(const struct server *s, int listener)
{
	int fd = accept(listener, NULL, NULL);
	for (const struct line *l = s->script; l && l->way; l++) {
		size_t n = l->n ? l->n : strlen(l->text);
		char got[200];
		if (l->way == '>') {
			if (send(fd, l->text, n, MSG_NOSIGNAL) != (ssize_t)n)
				return 4;
		} else if (recv(fd, got, n, MSG_WAITALL) != (ssize_t)n || memcmp(got, l->text, n) != 0) {
			return 5;
		}
	}
	int end = s->cred ? accept_tls(s, fd) : 0;
	close(fd);
	return end;
}

static int listen_on(const struct server *s, struct served *ret)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof in;
	int fd = socket(s->unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->unix_socket) {
		snprintf(ret->host, sizeof ret->host, "%s", in_scratch("socket"));
		memcpy(un.sun_path, ret->host, strlen(ret->host) + 1);
		assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	} else {
		assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
		snprintf(ret->host, sizeof ret->host, "127.0.0.1");
		snprintf(ret->port, sizeof ret->port, "%d", ntohs(in.sin_port));
	}
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* served_check against this server; the server's own verdict in *ret_end. */
static enum status check(const struct server *s, enum served_starttls starttls, const struct cert *ours, int *ret_end,
                         struct error *e)
{
	struct served at = { .starttls = starttls };
	int listener = listen_on(s, &at), how;
	pid_t pid = fork();
	if (pid == 0)
		_exit(serve(s, listener));
	close(listener);
	enum status st = served_check(&at, ours, 5000, e);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	*ret_end = WIFEXITED(how) ? WEXITSTATUS(how) : 99;
	return st;
}

static const struct line smtp[] = { { '>', "220-mx\r\n220 hello\r\n" },
	                            { '<', "EHLO localhost\r\n" },
	                            { '>', "250-mx\r\n250-STARTTLS\r\n250 HELP\r\n" },
	                            { '<', "STARTTLS\r\n" },
	                            { '>', "220 go\r\n" },
	                            { 0 } };
static const struct line imap[] = {
	{ '>', "* OK imap\r\n" }, { '<', "a1 STARTTLS\r\n" }, { '>', "* CAPABILITY x\r\na1 OK go\r\n" }, { 0 }
};
static const struct line pop3[] = { { '>', "+OK pop3\r\n" }, { '<', "STLS\r\n" }, { '>', "+OK\r\n" }, { 0 } };
static const struct line ldap[] = { { '<',
	                              "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
	                              "1.3.6.1.4.1.1466.20037",
	                              31 },
	                            { '>', "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14 },
	                            { 0 } };
static const struct line postgres[] = { { '<', "\0\0\0\x08\x04\xd2\x16\x2f", 8 }, { '>', "S" }, { 0 } };

static void every_protocol_shows_the_certificate(void **state)
{
	(void)state;
	const struct line *const scripts[] = {
		[SERVED_TLS] = NULL,  [SERVED_SMTP] = smtp, [SERVED_IMAP] = imap,
		[SERVED_POP3] = pop3, [SERVED_LDAP] = ldap, [SERVED_POSTGRES] = postgres,
	};
	for (size_t i = 0; i < COUNT_OF(scripts); i++)
		for (int on_unix = 0; on_unix < 2; on_unix++) {
			struct error e = ERROR_INIT;
			int end;
			struct server s = { .script = scripts[i], .cred = &pki.server, .unix_socket = on_unix };
			if (check(&s, (enum served_starttls)i, pki.server.chain.v[0], &end, &e))
				fail_msg("%zu: %s", i, e.text);
			if (end == 3 || end > 3)
				fail_msg("%zu: the server ended with %d", i, end);
			unlink(in_scratch("socket"));
		}
}

static void another_certificate_is_told(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	int end;
	struct cred other = cred_make(&pki.inter, &(struct cred_spec){ .cn = "localhost", .san = "DNS:localhost" });
	struct server s = { .cred = &other };
	assert_int_equal(check(&s, SERVED_TLS, pki.server.chain.v[0], &end, &e), ST_PEER);
	assert_non_null(strstr(e.text, " does not serve the new certificate, but the one with serial "));
	cred_done(&other);
}

static void a_service_that_wants_a_client_certificate_is_seen_too(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	int end;
	struct server s = { .cred = &pki.server, .wants_client = true };
	assert_int_equal(check(&s, SERVED_TLS, pki.server.chain.v[0], &end, &e), ST_OK);
}

static void refusals_are_told(void **state)
{
	(void)state;
	static const struct {
		enum served_starttls starttls;
		struct line script[4];
		const char *text;
	} cases[] = {
		{ SERVED_TLS, { { 0 } }, "TLS handshake" },
		{ SERVED_TLS, { { '>', "220 plain text is no TLS record\r\n" } }, "TLS handshake" },
		{ SERVED_SMTP, { { '>', "554 no\r\n" } }, "STARTTLS is refused: 554 no" },
		{ SERVED_SMTP, { { '>', "22\x1b[31m\n" } }, "STARTTLS is refused: 22?[31m" },
		{ SERVED_IMAP,
		  { { '>', "* OK\r\n" }, { '<', "a1 STARTTLS\r\n" }, { '>', "a1 BAD no\r\n" } },
		  "STARTTLS is refused: a1 BAD no" },
		{ SERVED_POP3, { { '>', "-ERR\r\n" } }, "STARTTLS is refused: -ERR" },
		{ SERVED_POP3, { { '>', "+OK" } }, "the connection was closed" },
		{ SERVED_LDAP, { { '>', "HTTP/1.1 400" } }, "the answer is not LDAP" },
		{ SERVED_LDAP,
		  { { '>', "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", 14 } },
		  "STARTTLS is refused: LDAP result 2" },
		{ SERVED_LDAP, { { '>', "\x30\x84\x7f\xff\xff\xff", 6 } }, "the answer is too long" },
		{ SERVED_POSTGRES, { { '>', "N" } }, "the server does not offer TLS" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		int end;
		struct server s = { .script = cases[i].script };
		enum status st = check(&s, cases[i].starttls, pki.server.chain.v[0], &end, &e);
		if (!st || !strstr(e.text, cases[i].text))
			fail_msg("%zu: %s", i, e.text);
	}
}

static void nobody_there_and_nobody_answering_are_told(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct server silent = { 0 };
	struct served at = { 0 };
	int listener = listen_on(&silent, &at);
	assert_int_equal(served_check(&at, pki.server.chain.v[0], 50, &e), ST_AGAIN);
	assert_non_null(strstr(e.text, "no answer in time"));
	close(listener);
	assert_int_equal(served_check(&at, pki.server.chain.v[0], 1000, &e), ST_IO);
	assert_non_null(strstr(e.text, "connect: connection refused"));
	at = (struct served){ .host = "/none/such" };
	assert_int_equal(served_check(&at, pki.server.chain.v[0], 1000, &e), ST_IO);
	assert_string_equal(e.text, "unix:/none/such: connect: no such file or directory");
}

static int make(void **state)
{
	ossl_start();
	signal(SIGPIPE, SIG_IGN);
	pki_make(&pki);
	return scratch_make(state);
}

static int drop(void **state)
{
	pki_done(&pki);
	return scratch_drop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(every_protocol_shows_the_certificate),
		cmocka_unit_test(another_certificate_is_told),
		cmocka_unit_test(a_service_that_wants_a_client_certificate_is_seen_too),
		cmocka_unit_test(refusals_are_told),
		cmocka_unit_test(nobody_there_and_nobody_answering_are_told),
	};
	return cmocka_run_group_tests_name("agent/served", tests, make, drop);
}
