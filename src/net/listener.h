/* listener.h - the TLS side of the server: HTTP/1.1 over TLS 1.2/1.3 on libevent, one event loop per
 * thread, all accepting from one listening socket. Messages are read by net/http1.h, which refuses what readers could
 * disagree about (two Content-Lengths, no Host, folded headers, control bytes); every wait is bounded by a timer of its
 * own, so that no drip of bytes prolongs it; close_notify is sent.
 *
 * Refused here, with a text/plain body and the end of the connection: 400 malformed, 408 not complete in time, 413 body
 * too large, 431 header too large, 501 unknown method, 503 the handler took longer than request_ms. Plain HTTP gets a
 * plain answer that says so.
 *
 * Overload (docs/design/overload.md): a connection over its address's cap is closed at once. One over the cap of all
 * takes the place of one that serves nobody; where there is none it gets a spare place, on which request_is_spare()
 * asks the handler to answer at once and cheaply, or not at all.
 *
 * A request lives on its connection's thread. The handler may answer at once or later, from any thread. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"
#include "x509/netset.h"
#include "os/clock.h"
#include "x509/cert.h"
#include <openssl/types.h>
#include <sys/types.h>

struct listener_limits { /* every one a setting of ca.json */
	size_t body_bytes, header_bytes;
	int connections;             /* in all */
	int connections_spare;       /* beyond them, for request_is_spare() */
	int connections_per_address; /* 0: no bound; of IPv6 a /64 is one address */
	int64_t handshake_ms, header_ms, request_ms /* from first byte to answer */, idle_ms;
	int64_t drain_ms; /* graceful stop */
};
#define LISTENER_LIMITS_DEFAULT                                                                                        \
	((struct listener_limits){ .body_bytes = 1 << 20,                                                              \
	                           .header_bytes = 64 << 10,                                                           \
	                           .connections = 10000,                                                               \
	                           .connections_spare = 64,                                                            \
	                           .connections_per_address = 0,                                                       \
	                           .handshake_ms = 15000,                                                              \
	                           .header_ms = 15000,                                                                 \
	                           .request_ms = 30000,                                                                \
	                           .idle_ms = 15000,                                                                   \
	                           .drain_ms = 60000 })

struct request; /* opaque; the handler's until request_reply, which every request must get */

const char *request_method(const struct request *r);                   /* "POST" */
const char *request_path(const struct request *r);                     /* raw, without query */
const char *request_query(const struct request *r);                    /* raw; "" where none */
const char *request_header(const struct request *r, const char *name); /* the first of that name; NULL where absent */
struct slice request_body(const struct request *r);
struct cert *request_peer(const struct request *r);  /* verified client certificate, borrowed; NULL where none */
const char *request_remote(const struct request *r); /* "127.0.0.1:4711"; over a unix socket "uid 0 pid 4711" */
/* Who connected over a unix socket, as the kernel knows it (SO_PEERCRED). False over any other. */
bool request_user(const struct request *r, uid_t *ret);
const char *request_id(const struct request *r);       /* X-Request-Id, X-Smallstep-Id or a new UUIDv4 */
const char *request_protocol(const struct request *r); /* "HTTP/1.1" */
struct mono request_begun(const struct request *r);
/* It came over a spare connection: the server is full. */
bool request_is_spare(const struct request *r);
/* How long who comes now would wait before this thread looks at it: in the accept queue and for a turn of the loop. Any
 * request of the thread, in the thread. */
int64_t request_lag_ms(const struct request *r);
/* For work that costs less together, such as a commit: conf.gathered is called once for all requests of this thread that
 * asked, when nobody else is seen to be on the way with one, at the latest GATHER_MS after the first asked. In the
 * request's thread only. */
void request_gather(const struct request *r);
/* Room for the handler's own state, freed with free_fn after the reply. */
void request_set_context(struct request *r, void *ctx, void (*free_fn)(void *));
void *request_context(const struct request *r);

struct response {
	int status;
	const char *content_type; /* NULL: none */
	struct slice body;
	struct {
		const char *name, *value;
	} headers[8]; /* ends with name NULL; X-Request-Id is added by itself */
	bool close;   /* end the connection after it */
	/* Where set, the body is not copied: it stays as it is until this is called, once, from any thread. For bodies
	 * that are large and sent to many. */
	void (*body_free)(const void *body, size_t n, void *owner);
	void *body_owner;
};

/* Exactly once per request; any thread. Copies what it needs before it returns. */
void request_reply(struct request *r, const struct response *resp);

/* Why a connection ended before its first request. */
enum listener_refusal { LISTENER_FULL, LISTENER_HANDSHAKE_LATE, LISTENER_HANDSHAKE_FAILED };

struct listener;
typedef void listener_handler(void *ctx, struct request *r);

/* Which SSL_CTX new connections get; called on each accept, so that a renewed certificate or a reloaded configuration
 * takes effect at once. Returns an owned reference. */
typedef SSL_CTX *listener_tls(void *ctx);

struct listener_conf {
	const char *address; /* "host:port", ":443", "[::1]:0"; NULL: the socket is there already */
	int socket;          /* a unix socket, bound, listening, not blocking; taken, whatever comes of it */
	int threads;         /* >= 1 */
	struct listener_limits limits;
	const struct netset *exempt; /* from connections_per_address; copied; NULL: nobody */
	const struct clock *clock;
	listener_handler *handler;
	listener_tls *tls; /* NULL: plain HTTP, for what anybody may read and is signed (CRLs) */
	/* Told once for each request, after its reply went out (or the connection died first: status 0): for the access
	 * log. Also for requests that were refused here: their context is NULL, and where the header was malformed
	 * method and path are "". Not told any more once listener_stop has returned. May be NULL. */
	void (*done)(void *ctx, struct request *r, int status, size_t body_bytes);
	/* Told of a connection that ended before it could make a request (failed handshake, over a cap, no TLS), which
	 * no access record would show. May be NULL. */
	void (*refused)(void *ctx, const char *remote, enum listener_refusal kind, const char *why);
	/* Told of each handshake that was done. May be NULL. */
	void (*greeted)(void *ctx, int64_t took_ns);
	/* Told in a thread, once, after request_gather. NULL where the handler never calls that. */
	void (*gathered)(void *ctx);
	void *ctx;
};

/* Binds, listens, starts the threads. ":443" listens on IPv4 and IPv6. The handler, done and refused are called in the
 * threads; conf's pointers (but address) must stay good until listener_stop. From then on SIGPIPE is ignored. ST_IO
 * names the address. */
MUST_USE enum status listener_start(const struct listener_conf *conf, struct listener **ret, struct error *e);
/* From now on, for new connections and for what comes next on those that are open. A timer that runs goes on. */
void listener_set_limits(struct listener *l, const struct listener_limits *limits);
int listener_port(const struct listener *l);
int listener_connections(struct listener *l); /* that are open now */

/* What has happened since the start. Any thread. */
enum listener_count {
	LISTENER_SPARE,    /* accepted beyond the cap */
	LISTENER_CROWDED,  /* closed at once: over its address's cap */
	LISTENER_EVICTED,  /* gave its place to another: served nobody at that time */
	LISTENER_RESTLESS, /* cut off: renegotiation, or key updates without end */
	LISTENER_COUNTS
};
const char *listener_count_name(enum listener_count c); /* "accepted", ... */
int64_t listener_count(const struct listener *l, enum listener_count c);

/* Has every thread's loop turned since the last call (true the first time)? Asks them again. For a watchdog. */
bool listener_alive(struct listener *l);
/* Stops accepting, closes idle connections, lets running requests finish (at most drain_ms), joins the threads, frees.
 * A request that has still not been answered then stays valid for its handler; request_reply only frees it. */
void listener_stop(struct listener *l);

/* The server's TLS settings as a context (spec/server.md §5.1): no tickets, no renegotiation, ALPN http/1.1, QUICKACK
 * at the handshake's end, client certificates verified when given (32 KiB of them at
 * most). A client that goes on with the handshake after its end (renegotiation, key updates) is cut off. suites: Go
 * names of ca.json; empty: the default. */
struct listener_tls_conf {
	const struct chain *chain; /* leaf first */
	EVP_PKEY *key;
	const struct chain
		*client_roots; /* anchors for client certificates, named to clients; partial chains allowed */
	const char *const *suites;
	size_t suites_n;
	int min_version, max_version; /* TLS1_2_VERSION, ...; 0: TLS 1.2 and 1.3 */
	bool slim;                    /* spare OpenSSL its search for decoders (net/slim.h) */
};
/* ST_INVALID: an unknown or useless suite (named), versions that contradict each other, a key that does not fit. */
MUST_USE enum status listener_tls_new(const struct listener_tls_conf *conf, SSL_CTX **ret, struct error *e);
