/* The TLS side of a call: what is trusted, why it broke. */
#include "net/job.h"

#include "crypto/ossl.h"
#include "net/tls.h"
#include "os/clock.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	job_read_answer(arg);
}

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
			job_end(j, HTTPS_PROTOCOL, error_wrap(&j->error, "certificate of the server"));
			return false;
		}
	}
	return true;
}

static void send_request(struct https_job *j)
{
	if (!keep_peer(j))
		return;
	j->phase = JOB_HEAD;
	if (bufferevent_write(j->bev, j->request.p, j->request.n))
		job_end_nomem(j);
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

	if (reason && (why == SSL_R_WRONG_VERSION_NUMBER || why == SSL_R_HTTP_REQUEST) && j->phase == JOB_TLS)
		error_set(&j->error, ST_PEER, "tls: the server does not speak TLS");
	else if (reason && why != SSL_R_UNEXPECTED_EOF_WHILE_READING && text)
		error_set(&j->error, ST_PEER, "tls: %s", text);
	else if (syscall && os && os != EAGAIN)
		error_os(&j->error, os, "connection broke");
	else
		error_set(&j->error, ST_PEER, "connection closed while %s", job_waiting_for[j->phase]);
	j->error.status = ST_PEER;
}

/* Nothing more can come: is the answer whole all the same? */
void job_on_look(evutil_socket_t fd, short what, void *arg)
{
	struct https_job *j = arg;
	char alert[32], bytes[4096];
	(void)fd;
	(void)what;

	/* A server that refuses early answers, or sends its alert, and closes; our write fails then before we have
	 * read. */
	for (int n; j->write_failed && j->phase != JOB_ENDED && (n = SSL_read(j->ssl, bytes, sizeof bytes)) > 0;)
		evbuffer_add(j->in, bytes, (size_t)n);
	ossl_forget_errors();
	job_read_answer(j);
	if (j->phase == JOB_ENDED)
		return;
	if (j->alert)
		job_end(j, HTTPS_ALERT,
		        error_set(&j->error, ST_PEER, "remote error: tls: %s", tls_alert_text(j->alert, alert)));
	else if (j->untrusted[0])
		job_end(j, HTTPS_UNTRUSTED,
		        error_set(&j->error, ST_DENIED, "tls: failed to verify certificate: x509: %s", j->untrusted));
	else
		job_end(j, HTTPS_PROTOCOL, ST_PEER);
}

static void on_tls_event(struct bufferevent *bev, short what, void *arg)
{
	struct https_job *j = arg;
	int os = errno;
	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		if (j->phase == JOB_TLS)
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

void job_start_tls(struct https_job *j)
{
	j->phase = JOB_TLS;
	j->ssl = SSL_new(j->ctx);
	if (j->ssl)
		j->bev = bufferevent_openssl_socket_new(j->base, j->fd, j->ssl, BUFFEREVENT_SSL_CONNECTING, 0);
	if (!j->bev || !set_host(j)) {
		job_end(j, HTTPS_LOCAL, error_ossl(&j->error, ST_CRYPTO, "TLS"));
		return;
	}
	SSL_set_app_data(j->ssl, j);
	SSL_set_info_callback(j->ssl, on_info);
	SSL_set_verify(j->ssl, j->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, j->insecure ? NULL : on_verify);
	bufferevent_setcb(j->bev, on_read, NULL, on_tls_event, j);
	bufferevent_enable(j->bev, EV_READ | EV_WRITE);
}

/* RFC 8446 §4.4.2: "a certificate that specifies a trust anchor MAY be omitted from the chain". A server that names our
 * leaf's issuer among its authorities has that certificate, and reading it once more is a twentieth of what a renewal
 * costs it. Both CAs, this one and the peer, name root and intermediate. */
static int send_what_is_needed(SSL *ssl, void *arg)
{
	const STACK_OF(X509_NAME) *named = SSL_get0_peer_CA_list(ssl);
	X509 *leaf = SSL_get_certificate(ssl);
	(void)arg;
	for (int i = 0; leaf && i < sk_X509_NAME_num(named); i++)
		if (X509_NAME_cmp(X509_get_issuer_name(leaf), sk_X509_NAME_value(named, i)) == 0)
			return SSL_clear_chain_certs(ssl);
	return 1;
}

enum status job_make_context(struct https_job *j, const struct https_conf *c, struct error *e)
{
	if (tls_context(NULL, TLS_client_method(), TLS1_2_VERSION, 0, &j->ctx, e))
		return e->status;
	if (c->client_chain && tls_use_pair(NULL, j->ctx, c->client_chain, c->client_key, e))
		return error_wrap(e, "client certificate");
	SSL_CTX_set_cert_cb(j->ctx, send_what_is_needed, NULL);
	j->insecure = c->insecure;
	return c->insecure || !c->roots ? ST_OK : tls_add_anchors(NULL, j->ctx, c->roots, e);
}
