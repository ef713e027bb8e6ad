/* The admin socket: who may use it, where it is, and the record of what was done with it. It is a file, not an address:
 * only root and the CA's own user get there, and each request is told with the user and process that sent it. */
#include "server/state.h"

#include "os/auto.h"
#include "os/unixsocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A few tools of the operator; none of them is in a hurry. */
#define ADMIN_LIMITS                                                                                                   \
	((struct listener_limits){ .body_bytes = 64 << 10,                                                             \
	                           .header_bytes = 8 << 10,                                                            \
	                           .connections = 16,                                                                  \
	                           .header_ms = 5000,                                                                  \
	                           .request_ms = 60000,                                                                \
	                           .idle_ms = 15000,                                                                   \
	                           .drain_ms = 2000 })

enum { QUERY_SHOWN = 1024, PATH_BYTES = 8192 };

struct admin {
	struct unix_socket socket;
	char *config; /* the path of ca.json as it really is; "" where it cannot be told */
};

static void admin_free(struct admin *a)
{
	if (!a)
		return;
	unix_socket_done(&a->socket);
	free(a->config);
	free(a);
}

static void admin_free_p(struct admin **a)
{
	admin_free(*a);
}

/* The file's mode says the same; this holds also where somebody has widened it, or may pass by modes. */
static bool may_use(const struct request *r)
{
	uid_t uid;
	return request_user(r, &uid) && (uid == 0 || uid == geteuid());
}

static void admin_handle(void *front, struct request *r)
{
	static const char refusal[] = "{\"status\":403,\"message\":\"only root and the user that runs the certificate "
				      "authority may use its admin socket\"}\n";
	if (may_use(r))
		router_handle(front, r);
	else
		request_reply(r, &(struct response){ .status = 403,
		                                     .content_type = "application/json",
		                                     .body = slice_cstr(refusal),
		                                     .close = true });
}

/* Whatever the access log is set to. The pages behind a list's first one are not told again. */
static void admin_log(void *front, struct request *r, int status, size_t body_bytes)
{
	struct exchange *x = request_context(r);
	char query[QUERY_SHOWN];
	(void)front;
	(void)body_bytes;
	if (x && x->log_quiet && status == 200)
		return;
	snprintf(query, sizeof query, "%.*s",
	         (int)(request_body(r).n < sizeof query ? request_body(r).n : sizeof query - 1),
	         (const char *)request_body(r).p);
	LOG_EVENT(status >= 400 || !status ? LOG_WARN : LOG_INFO_, "admin request", LF_STR("name", "admin"),
	          LF_STR("from", request_remote(r)), LF_STR("method", request_method(r)),
	          LF_STR("path", request_path(r)), LF_STR("query", *query ? query : NULL), LF_INT("status", status),
	          LF_STR("error", x && *x->verdict.reason ? x->verdict.reason : NULL),
	          LF_STR("request-id", request_id(r)));
}

void admin_name(struct exchange *x)
{
	uid_t uid;
	bool known = request_user(x->request, &uid);
	snprintf(x->log_provisioner, sizeof x->log_provisioner, "admin uid %d", known ? (int)uid : -1);
}

void resource_admin_info(struct exchange *x, const char *arg)
{
	(void)arg;
	x->log_quiet = true; /* it comes before each of the others */
	buf_adds(&x->body, "{\"config\":");
	body_add_text(&x->body, slice_cstr(x->server->admin->config));
	buf_addf(&x->body, ",\"version\":\"%s\",\"pid\":%d}\n", PERENNIAL_VERSION, (int)getpid());
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_json(x, 200, buf_slice(&x->body));
}

static enum status open_at(struct server *s, const char *path, struct error *e)
{
	AUTO(admin_free_p) struct admin *a = calloc(1, sizeof *a);
	if (!a)
		return error_nomem(e);
	a->socket = UNIX_SOCKET_NONE;
	a->config = realpath(s->conf.config_path, NULL);
	if (!a->config && !(a->config = text_dup(SLICE_NONE)))
		return error_nomem(e);
	if (unix_socket_listen(path, &a->socket, e))
		return e->status;
	struct front *f = &s->fronts[FRONT_ADMIN];
	struct listener_conf conf = {
		.socket = FD_TAKE(a->socket.fd),
		.threads = 1,
		.limits = ADMIN_LIMITS,
		.clock = s->conf.clock,
		.handler = admin_handle,
		.done = admin_log,
		.refused = exchange_log_refused,
		.gathered = exchange_commit,
		.ctx = f,
	};
	s->admin = TAKE(a); /* a request may come before listener_start returns */
	return listener_start(&conf, &f->listener, e);
}

enum status admin_open(struct server *s, struct error *e)
{
	const struct caconf *c = s->now_->conf;
	AUTO(buf_done) struct buf path = BUF_INIT(PATH_BYTES);
	if (caconf_admin_socket(c, getenv("RUNTIME_DIRECTORY"), &path, e))
		return e->status;
	if (!path.n && !(c->admin_socket && *c->admin_socket))
		log_line(LOG_INFO_,
		         "no admin socket: neither $RUNTIME_DIRECTORY nor a folder of the database has a place for "
		         "it; name one in adminSocket to use `step ca list`");
	if (!path.n)
		return ST_OK;
	if (!open_at(s, buf_cstr(&path), e)) {
		log_line(LOG_INFO_, "Serving administration on %s ...", buf_cstr(&path));
		return ST_OK;
	}
	if (c->admin_socket && *c->admin_socket)
		return error_wrap(e, "adminSocket");
	admin_close(s); /* nobody listens on it, so it is not to lie there */
	log_line(LOG_WARN, "no admin socket, `step ca list` will not work: %s; name a path in adminSocket", e->text);
	return ST_OK;
}

void admin_close(struct server *s)
{
	admin_free(TAKE(s->admin));
}

void admin_tell_kept(const struct caconf *old, const struct caconf *new)
{
	const char *a = old->admin_socket ? old->admin_socket : "", *b = new->admin_socket ? new->admin_socket : "";
	if (strcmp(a, b) != 0)
		log_line(LOG_WARN, "adminSocket: changed in the configuration; the old one holds until a restart");
}
