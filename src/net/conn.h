/* conn.h - inside the listener: threads, connections and requests. For listener.c, conn.c and request.c only.
 *
 * A worker is a thread with its event base; a connection belongs to one worker and is touched by its thread alone. A
 * request is the handler's from the moment it is handed over until request_reply, which puts it into the worker's
 * mailbox. A connection that dies meanwhile only forgets its request. */
#pragma once
#include "net/auto.h"
#include "net/http1.h"
#include "net/listener.h"
#include "net/quota.h"
#include "net/stream.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

enum { REQUEST_ID_MAX = 64, REPLY_MAX = 64 << 20, REMOTE_TEXT = INET6_ADDRSTRLEN + 10 };

/* Where other threads leave answered requests. Outlives the listener while requests are out: counted. */
struct mailbox {
	pthread_mutex_t lock;
	int refs, wake_fd;
	bool closed; /* the listener is gone: an answer goes nowhere */
	bool stop;   /* the worker is asked to stop */
	bool asked;  /* whether it is alive, and it has not looked yet */
	bool has_limits; /* that are to hold from now on */
	struct listener_limits limits;
	struct request *first, **last;
};
MUST_USE enum status mailbox_new(struct mailbox **ret, struct error *e);
void mailbox_unref(struct mailbox *m);
void mailbox_post_stop(struct mailbox *m);
void mailbox_post_limits(struct mailbox *m, const struct listener_limits *limits);
/* Has the worker looked since it was asked last? Asks again. */
bool mailbox_ask(struct mailbox *m);
/* Everything that lies in it; *ret_stop where the worker is asked to stop; *limits is set where there are new ones. */
struct request *mailbox_empty(struct mailbox *m, bool *ret_stop, struct listener_limits *limits);

/* What a connection waits for that serves nobody at the moment: in a full server it can give its place to another. */
enum wait {
	WAIT_GONE,   /* LINGER: it has had its answer */
	WAIT_IDLE,   /* IDLE after an answer: it is kept for another request */
	WAIT_SILENT, /* SILENT: it has not sent a byte */
	WAIT_CLIENT, /* HANDSHAKE, IDLE before the first request, HEAD, BODY, WRITING: the client should go on */
	WAIT_KINDS,
	WAIT_NONE = WAIT_KINDS, /* it is being served */
};
TAILQ_HEAD(waiters, conn);

struct worker {
	struct listener *l;
	pthread_t thread;
	struct event_base *base;
	struct stream_room *room;
	struct mailbox *box;
	struct listener_limits limits; /* its own copy, which its thread alone looks at */
	struct event *accept_ev, *accept_again_ev, *wake_ev, *reap_ev, *drain_ev, *lag_ev, *calm_ev, *late_ev;
	struct conn *conns, *dead;          /* doubly linked by next and prev; singly by next */
	struct waiters waiting[WAIT_KINDS]; /* the longest first */
	struct mono probed;                 /* when lag_ev was set off; 0: it is not under way */
	bool gathering;                     /* somebody asked, and conf.gathered has not been called */
	struct mono lag_seen;
	int64_t lag_ns;
	size_t requests; /* handed to the handler and not ended */
	bool stopping;
};

struct listener {
	struct listener_conf conf;
	char *address;
	int fd, port;
	struct quota *quota;
	struct netset exempt;
	_Atomic int64_t counts[LISTENER_COUNTS];
	struct worker *workers;
	size_t workers_n;
};

static inline void listener_note(struct listener *l, enum listener_count c)
{
	atomic_fetch_add_explicit(&l->counts[c], 1, memory_order_relaxed);
}

/* True in the worker's own thread. */
bool worker_is_here(const struct worker *w);
/* Something is to be done: measures how long the loop takes to come to it (request_lag_ms). */
void worker_probe(struct worker *w);
/* Ends the loop of a stopping worker that has nothing left to do. */
void worker_check_idle(struct worker *w);

/* SILENT -first byte-> HANDSHAKE; then
 * HANDSHAKE -> IDLE -first byte-> HEAD -> BODY -> RUNNING -request_reply-> WRITING -> IDLE
 *     |                             `-----`--refused--------------------------^  `-> LINGER -> DEAD
 *     `-failed-> LINGER                                         any -> DEAD */
enum conn_state {
	CONN_SILENT,
	CONN_HANDSHAKE,
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_RUNNING,
	CONN_WRITING,
	CONN_LINGER,
	CONN_DEAD
};

struct conn {
	struct worker *w;
	struct conn *next, *prev;
	enum conn_state state;
	int fd;
	SSL *ssl;
	struct stream *stream;
	struct event *timer, *linger_ev;
	struct in6_addr from;
	char remote[REMOTE_TEXT];
	bool has_user; /* over a unix socket */
	uid_t user;
	bool served;  /* it has had an answer */
	bool spare;   /* beyond the cap: the handler answers it as cheaply as it can */
	int restless; /* messages of the handshake after its end */
	enum wait wait;
	struct mono since; /* it waits so */
	TAILQ_ENTRY(conn) waiters;
	struct cert *peer;
	struct mono begun; /* first byte of the request; before the handshake: accept */
	size_t scanned;    /* bytes of input known to hold no end of a head */
	size_t lingered;   /* bytes thrown away */
	struct http1_chunked chunked;
	struct request *req; /* from HEAD's end; in RUNNING the handler has it too */
	bool close;          /* after what is being written */
	bool refused;        /* and there may be more of the request on its way */
};

/* Takes the accepted descriptor, and the place in the quota that it has. */
void conn_open(struct worker *w, int fd, const struct in6_addr *from, int port, bool spare);
/* Ends a connection of the worker that serves nobody, so that its place is free. False: all are being served, or have
 * not had the time that they may take. */
bool conn_evict(struct worker *w);
/* For a stopping worker: connections that serve nobody end now, the others after their answer. */
void conn_drain(struct conn *c);
/* Ends it without ceremony. It is freed when the loop comes round (conn_reap). */
void conn_kill(struct conn *c);
void conn_reap(struct worker *w);
/* An answered request comes home: in the worker's thread. */
void conn_take_reply(struct request *r);

struct request {
	struct request *next; /* in the mailbox */
	struct worker *w;     /* not to be used once box->closed */
	struct mailbox *box;
	struct conn *conn; /* NULL: it died; worker's thread only */
	char *bytes;       /* the head, cut into strings */
	struct http1_head head;
	const char *method, *path, *query;
	struct buf body;
	char id[REQUEST_ID_MAX + 1], remote[REMOTE_TEXT];
	bool has_user;
	uid_t user;
	struct mono begun;
	struct cert *peer;
	bool spare;
	bool handed_over; /* the handler has seen it */
	void *context;
	void (*context_free)(void *);
	/* the handler's answer */
	struct buf reply;
	struct response
		tail; /* of which only the body is meant, where it is not in reply; body_free NULL: nothing here */
	int status;
	size_t body_n;
	bool close;
	/* what the client was told when the handler took too long; 0: nothing. Worker's thread only */
	int late_status;
	size_t late_body_n;
};

/* A request of this connection; head_bytes is copied and parsed. On failure *ret still is a request (of which nothing
 * is known), so that the refusal has something to answer; NULL only where memory is out. */
MUST_USE enum status request_new(struct conn *c, struct slice head_bytes, struct request **ret, struct error *e);
/* Appends the answer's bytes and returns how many of them are body. */
size_t request_format_reply(const struct request *r, const struct response *resp, bool close, struct wall now,
                            struct buf *out);
/* Formats it into r->reply, and what goes with it. */
void request_set_reply(struct request *r, const struct response *resp, struct wall now);
/* Tells `done` and frees. */
void request_end(struct request *r, int status, size_t body_bytes);
void request_free(struct request *r);
/* The body that is not in r->reply, where nobody has taken it. */
void request_free_tail(struct request *r);
