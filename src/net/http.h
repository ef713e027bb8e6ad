/* http.h - one HTTP request without TLS, waited for: over a unix socket to a server on this machine, whose socket file
 * says who may ask; or over TCP for what is signed (CRLs). The answer is read as strictly as any other (net/http1.h),
 * and bounded. */
#pragma once
#include "base/buf.h"

enum { HTTP_BODY_MAX = 8 << 20 };

struct http_request {
	const char *socket; /* the file; NULL: TCP to host and port */
	const char *host;
	int port;
	const char *method; /* "GET", "POST" */
	const char *target; /* "/path" */
	struct slice body;  /* JSON; empty: none */
	int64_t timeout_ms; /* for the whole call; 0: 60 s */
};

struct http_response {
	int status;
	struct buf body;
};
void http_response_done(struct http_response *r);

/* ret is initialised by the call. Any HTTP status is success.
 * ST_MISSING: no such socket, or nobody listens; ST_DENIED: no right to it; ST_AGAIN: no answer in time; ST_PEER: it
 * makes no sense; ST_LIMIT: it is too large; ST_IO, ST_NOMEM. */
MUST_USE enum status http_call(const struct http_request *q, struct http_response *ret, struct error *e);
