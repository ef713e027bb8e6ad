/* job.h - inside the HTTPS client: one call as a job that walks through phases on an event loop. For https.c and job_*.c.
 *
 *   DIAL   job_dial.c: one address after the other; then through the proxy, where there is one
 *   PROXY  job_dial.c: CONNECT and its answer (RFC 9110 §9.3.6)
 *   TLS    job_tls.c
 *   HEAD   job_answer.c: interim answers are skipped
 *   BODY   job_answer.c
 *
 * Whatever ends it goes through job_end; the loop then tells the caller (https.c). */
#pragma once
#include "net/auto.h"
#include "net/http1.h"
#include "net/https.h"
#include "net/url.h"
#include <event2/buffer.h>

struct addrinfo;

enum job_phase { JOB_DIAL, JOB_PROXY, JOB_TLS, JOB_HEAD, JOB_BODY, JOB_ENDED };

struct https_job {
	struct event_base *base;
	https_done *done;
	void *arg;
	enum job_phase phase;
	char *method, *url_text;
	struct url url, proxy;
	bool has_proxy, insecure;
	struct buf connect, request; /* bytes to send */
	int64_t timeout_ms;
	struct mono until;
	const char *socket_path; /* borrowed while the job starts */
	struct addrinfo *addresses, *at;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct bufferevent *bev;
	struct event *deadline_ev, *dial_ev, *look_ev, *end_ev;
	struct evbuffer *in;
	size_t scanned;
	char *head_bytes; /* what head's slices point into */
	struct http1_head head;
	struct http1_chunked chunked;
	bool clean_eof, write_failed;
	int alert;
	char untrusted[512]; /* why the server's certificate was refused */
	struct https_response resp;
	struct https_outcome outcome;
	enum status status;
	struct error error;
};

/* "waiting for the answer", by phase */
extern const char *const job_waiting_for[];

/* The first end counts. The job itself goes when the loop comes round, since its callbacks may be under us. The error
 * stands in j->error. */
void job_end(struct https_job *j, enum https_failure failure, enum status st);
void job_end_nomem(struct https_job *j);
/* Drops the connection. Not from a callback of the TLS bufferevent. */
void job_hang_up(struct https_job *j);

/* Resolves and connects. */
void job_dial(struct https_job *j);
/* On the connected descriptor. */
void job_start_tls(struct https_job *j);
/* The events dial_ev and look_ev: the connection stands or failed; nothing more can come. */
void job_on_dial(evutil_socket_t fd, short what, void *job);
void job_on_look(evutil_socket_t fd, short what, void *job);
/* Looks at what has come. */
void job_read_answer(struct https_job *j);
/* The head's bytes, taken out of the input, or NULL while they have not come or the job has ended. */
char *job_take_head(struct https_job *j, size_t *ret_n);

/* The bytes to send, and what to send them with; once, before the job starts. */
MUST_USE enum status job_write_request(struct https_job *j, const struct https_conf *c, const struct https_request *q,
                                       struct error *e);
MUST_USE enum status job_write_connect(struct https_job *j, const struct https_conf *c, struct error *e);
MUST_USE enum status job_make_context(struct https_job *j, const struct https_conf *c, struct error *e);
