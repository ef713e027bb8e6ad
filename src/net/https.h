/* https.h - the HTTPS client: one request over a TLS connection of its own, on libevent's bufferevents. TLS >= 1.2, SNI and
 * host name check, CONNECT through a proxy, bounded answers, one deadline for the whole call. All addresses of a name are
 * tried. Redirects are answers like any other. */
#pragma once
#include "base/buf.h"
#include "x509/cert.h"
#include <openssl/types.h>

enum { HTTPS_BODY_MAX = 4 << 20 };

struct https_conf {
	const struct chain *roots;        /* anchors; NULL with insecure */
	bool insecure;                    /* no verification: bootstrap only, which checks a fingerprint itself */
	const struct chain *client_chain; /* leaf first (of which only the leaf is sent where that is enough); NULL: none */
	EVP_PKEY *client_key;
	int64_t timeout_ms;               /* 0: 15 s */
	const char *user_agent;
	const char *proxy;                /* "http://[user:pass@]host:port" or NULL; see https_proxy_for */
	const char *socket_path;          /* a unix socket to connect to; the URL still says who must answer. NULL: none */
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
	struct buf body;          /* at most HTTPS_BODY_MAX */
	char content_type[128];
	char retry_after[64];     /* the header's value; "" where absent */
	struct wall date;         /* what the server's clock showed (Date); 0: it did not say */
	struct chain peer;        /* the server's chain as sent */
};
void https_response_done(struct https_response *r);

/* Why a call gave no HTTP answer; for the recovery ladder. */
enum https_failure {
	HTTPS_OK, HTTPS_RESOLVE, HTTPS_CONNECT, HTTPS_TIMEOUT, HTTPS_UNTRUSTED /* we refuse the server */,
	HTTPS_ALERT /* the server refuses us: see alert */, HTTPS_PROXY /* cannot be reached, or says no */, HTTPS_PROTOCOL, HTTPS_LOCAL
};
struct https_outcome {
	enum https_failure failure;
	int alert; /* TLS alert number received, or 0 */
};

/* Waits. ret is initialised by the call (and needs https_response_done only where it succeeds). Any HTTP status is success
 * here. Errors read as the peer's ("client POST https://h/renew failed: dial tcp 127.0.0.1:443: connect: connection
 * refused"). SIGPIPE is ignored while it waits.
 * Status by failure: RESOLVE, CONNECT ST_IO; TIMEOUT ST_AGAIN; UNTRUSTED ST_DENIED; ALERT, PROXY, PROTOCOL ST_PEER (an
 * answer that is too large: ST_LIMIT); LOCAL ST_INVALID, ST_CRYPTO, ST_NOMEM. ret_outcome is set in every case. */
MUST_USE enum status https_call(const struct https_conf *c, const struct https_request *q, struct https_response *ret,
                                struct https_outcome *ret_outcome, struct error *e);

/* The same on a loop that somebody else runs. Everything in c and q is copied before it returns, and done is called exactly
 * once, from the loop, unless https_cancel comes first. Resolving the name waits (getaddrinfo). The program must ignore
 * SIGPIPE. On failure there is no job and done is not called. */
struct https_job;
struct event_base;
/* st and e: as https_call's. r is done's to keep or to free where st is ST_OK, and empty else. The job is gone. */
typedef void https_done(void *arg, enum status st, struct https_response *r, const struct https_outcome *o,
                        const struct error *e);
MUST_USE enum status https_start(struct event_base *base, const struct https_conf *c, const struct https_request *q,
                                 https_done *done, void *arg, struct https_job **ret, struct error *e);
void https_cancel(struct https_job *j);

/* Proxy for a URL by HTTPS_PROXY/https_proxy and NO_PROXY rules, or NULL; the
 * value as it is. NO_PROXY is a list of "*", names (with all names below), ".name" (only those below), addresses and
 * networks ("10.0.0.0/8"), each with ":port" where it is to count. This machine is never reached by proxy. Values come in;
 * nothing is read here. */
const char *https_proxy_for(const char *url, const char *https_proxy, const char *no_proxy);
