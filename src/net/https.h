/* https.h - the HTTPS client: one request over its own or a kept TLS connection, on libevent's evhttp. TLS >= 1.2, SNI and
 * host name check, CONNECT through a proxy, bounded answers, one deadline for the whole call. */
#pragma once
#include "base/buf.h"
#include "x509/cert.h"
#include <openssl/types.h>

enum { HTTPS_BODY_MAX = 4 << 20 };

struct https_conf {
	const struct chain *roots;        /* anchors; NULL with insecure */
	bool insecure;                    /* no verification: bootstrap only, which checks a fingerprint itself */
	const struct chain *client_chain; /* leaf first; NULL: no client certificate */
	EVP_PKEY *client_key;
	int64_t timeout_ms;               /* 0: 15 s */
	const char *user_agent;
	const char *proxy;                /* "http://[user:pass@]host:port" or NULL; see https_proxy_for */
};

struct https_request {
	const char *method; /* "GET", "POST" */
	const char *url;    /* "https://host[:port]/path?query" */
	struct {
		const char *name, *value;
	} headers[8];       /* ends with name NULL */
	const char *content_type;
	struct slice body;
};

struct https_response {
	int status;
	struct buf body;          /* born with HTTPS_BODY_MAX */
	char content_type[128];
	struct chain peer;        /* the server's chain as sent */
};
void https_response_done(struct https_response *r);

/* Why a call gave no HTTP answer; for the recovery ladder. */
enum https_failure {
	HTTPS_OK, HTTPS_RESOLVE, HTTPS_CONNECT, HTTPS_TIMEOUT, HTTPS_UNTRUSTED /* we refuse the server */,
	HTTPS_ALERT /* the server refuses us: see alert */, HTTPS_PROXY, HTTPS_PROTOCOL, HTTPS_LOCAL
};
struct https_outcome {
	enum https_failure failure;
	int alert; /* TLS alert number received, or 0 */
};

/* Waits. ret is initialised by the call. Any HTTP status is success here. Errors read as the peer's
 * ("client POST https://h/renew failed: dial tcp 127.0.0.1:443: connect: connection refused"). */
MUST_USE enum status https_call(const struct https_conf *c, const struct https_request *q, struct https_response *ret,
                                struct https_outcome *ret_outcome, struct error *e);

/* Proxy for a URL by HTTPS_PROXY/https_proxy and NO_PROXY rules, or NULL. Values come in; nothing is read here. */
const char *https_proxy_for(const char *url, const char *https_proxy, const char *no_proxy);
