/* How an exchange ends: an answer, a refusal, or a failure; and what the log says of it. */
#include "server/crl.h"
#include "server/state.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	int status;
	const char *stock;  /* the sentence when nothing more may be said */
	const char *prefix; /* before a specific message */
} refusals[] = {
	[REFUSAL_NONE] = { 500, "", "" },
	[REFUSAL_MALFORMED] = { 400, "The request could not be completed; malformed or missing data.",
	                        "The request could not be completed: " },
	[REFUSAL_UNAUTHORIZED] = { 401, "The request lacked necessary authorization to be completed.", "" },
	[REFUSAL_FORBIDDEN] = { 403, "The request was forbidden by the certificate authority.",
	                        "The request was forbidden by the certificate authority: " },
	[REFUSAL_MISSING] = { 404, "The requested resource could not be found.", "" },
	[REFUSAL_TOO_OFTEN] = { 429, "The request came too often; try again later.", "" },
	[REFUSAL_INTERNAL] = { 500, "The certificate authority encountered an Internal Server Error.", "" },
	[REFUSAL_UNSUPPORTED] = { 501, "The requested method is not implemented by the certificate authority.", "" },
	[REFUSAL_UNAVAILABLE] = { 503, "The certificate authority cannot record its answer at the moment; try again.",
	                          "" },
};
_Static_assert(COUNT_OF(refusals) == REFUSAL_COUNT, "a refusal has no answer");

#define SEE_LOGS " Please see the certificate authority logs for more info."

void exchange_text(struct exchange *x, int status, const char *content_type, struct slice body)
{
	struct response resp = { .status = status, .content_type = content_type, .body = body };
	char after[24];
	if (status == 503 || status == 429) {
		snprintf(after, sizeof after, "%lld", (long long)overload_retry_s(x));
		resp.headers[0].name = "Retry-After";
		resp.headers[0].value = after;
	}
	request_reply(x->request, &resp);
}

void exchange_json(struct exchange *x, int status, struct slice body)
{
	exchange_text(x, status, "application/json", body);
}

void exchange_refuse(struct exchange *x)
{
	const struct verdict *v = &x->verdict;
	char message[1024];
	AUTO(buf_done) struct buf body = BUF_INIT(16 << 10);

	if (!*v->message)
		snprintf(message, sizeof message, "%s" SEE_LOGS, refusals[v->refusal].stock);
	else if (v->bare || !*refusals[v->refusal].prefix)
		snprintf(message, sizeof message, "%s", v->message);
	else
		snprintf(message, sizeof message, "%s%s.", refusals[v->refusal].prefix, v->message);
	buf_addf(&body, "{\"status\":%d,\"message\":", refusals[v->refusal].status);
	body_add_text(&body, slice_cstr(message));
	buf_adds(&body, "}\n");
	exchange_json(x, refusals[v->refusal].status, buf_slice(&body));
}

void exchange_refuse_as(struct exchange *x, enum refusal r, const char *message)
{
	verdict_refuse_told(&x->verdict, r, "%s", message);
	exchange_refuse(x);
}

void exchange_malformed(struct exchange *x)
{
	verdict_refuse(&x->verdict, REFUSAL_MALFORMED, "%s", x->error.text);
	verdict_tell(&x->verdict, "error decoding json");
	exchange_refuse(x);
}

void exchange_fail(struct exchange *x)
{
	enum refusal r = x->error.status == ST_IO || x->error.status == ST_AGAIN || x->error.status == ST_NOMEM
	                         ? REFUSAL_UNAVAILABLE
	                         : REFUSAL_INTERNAL;
	verdict_refuse(&x->verdict, r, "%s", x->error.text);
	if (*x->error.hint)
		verdict_tell(&x->verdict, "%s", x->error.hint);
	exchange_refuse(x);
}

bool exchange_authorize(struct exchange *x, enum operation op, struct slice ott)
{
	if (authorize_token(x->snap->auth, op, ott, x->now, store_created(x->server->store), &x->auth, &x->verdict,
	                    &x->error)) {
		exchange_fail(x);
		return false;
	}
	if (x->verdict.refusal) {
		exchange_refuse(x);
		return false;
	}
	x->authorized = true;
	snprintf(x->log_provisioner, sizeof x->log_provisioner, "%s", x->auth.prov->name);
	snprintf(x->log_token, sizeof x->log_token, "%.16s", x->auth.token_id);
	return true;
}

/* What the store said, as the caller hears it, and as the log does. */
static const struct {
	enum refusal refusal;
	const char *reason, *remedy;
} outcomes[] = {
	[OUTCOME_DONE] = { REFUSAL_NONE, "", "" },
	[OUTCOME_DONE_AGAIN] = { REFUSAL_NONE, "", "" },
	[OUTCOME_DONE_SECOND] = { REFUSAL_NONE, "", "" },
	[OUTCOME_TOKEN_USED] = { REFUSAL_UNAUTHORIZED, "token has been used already", "" },
	[OUTCOME_PARENT_REVOKED] = { REFUSAL_UNAUTHORIZED, "certificate has been revoked",
	                             "get a new certificate with a token" },
	[OUTCOME_PARENT_SUPERSEDED] = { REFUSAL_UNAUTHORIZED,
	                                "certificate has expired, and what was renewed from it has been renewed itself",
	                                "the holder of the newer certificate goes on; else get a new one with a "
	                                "token" },
	[OUTCOME_LINE_CLOSED] = { REFUSAL_UNAUTHORIZED, "the certificate's line has been closed",
	                          "get a new certificate for a new key with a token" },
	[OUTCOME_KEY_BLOCKED] = { REFUSAL_UNAUTHORIZED, "the key has been blocked, as a line that used it was closed",
	                          "get a new certificate for a new key with a token" },
	[OUTCOME_CREDENTIAL_REVOKED] = { REFUSAL_UNAUTHORIZED,
	                                 "the certificate that signed the token has been revoked, or its line or key",
	                                 "" },
	[OUTCOME_FOREIGN] = { REFUSAL_FORBIDDEN, "certificate was not issued through the token's provisioner",
	                      "revoke it with a JWK provisioner's token" },
	[OUTCOME_ALREADY_REVOKED] = { REFUSAL_MALFORMED, "certificate is already revoked", "" },
	[OUTCOME_UNSUPPORTED] = { REFUSAL_UNSUPPORTED, "no database is configured: revocations cannot be kept",
	                          "add a \"db\" stanza of type \"sqlite\" to ca.json" },
};
_Static_assert(COUNT_OF(outcomes) == OUTCOME_COUNT, "an outcome has no answer");

struct pending {
	struct exchange *x;
	int status;
	bool burn; /* the verdict is a refusal already */
	bool revokes;
	struct mono submitted;
};

void exchange_refuse_outcome(struct exchange *x, enum outcome o)
{
	struct verdict *v = &x->verdict;
	verdict_refuse(v, outcomes[o].refusal, "%s", outcomes[o].reason);
	if (o == OUTCOME_ALREADY_REVOKED)
		verdict_tell(v, "certificate with serial number '%s' is already revoked", x->log_serial);
	if (o == OUTCOME_FOREIGN)
		verdict_tell(v, "certificate with serial number '%s' was not issued through this provisioner",
		             x->log_serial);
	if (*outcomes[o].remedy)
		verdict_advise(v, "%s", outcomes[o].remedy);
	exchange_refuse(x);
}

/* What an operator should know even without an access log. */
static void note_outcome(const struct exchange *x, enum outcome o)
{
	if (o == OUTCOME_DONE_AGAIN)
		LOG_EVENT(LOG_INFO_,
		          "certificate renewed again: taken for a retry, as it was within "
		          "authority.renewalWindow and by the same key",
		          LF_STR("parent", x->log_parent), LF_STR("serial", x->log_serial),
		          LF_STR("subject", x->log_subject), LF_STR("request-id", request_id(x->request)));
	if (o == OUTCOME_DONE_SECOND)
		LOG_EVENT(LOG_WARN, "certificate renewed a second time: its key may be in two places",
		          LF_STR("parent", x->log_parent), LF_STR("serial", x->log_serial),
		          LF_STR("subject", x->log_subject), LF_STR("remote-address", request_remote(x->request)),
		          LF_STR("request-id", request_id(x->request)),
		          LF_STR("remedy",
		                 "if only one host should hold it, `step ca revoke --lineage --dry-run` shows "
		                 "what descends from it and `step ca revoke --lineage` ends all of it"));
	if (x->log_scope)
		LOG_EVENT(LOG_WARN, "line revoked", LF_STR("serial", x->log_serial), LF_STR("scope", x->log_scope),
		          LF_INT("certificates", x->log_count), LF_STR("provisioner", x->log_provisioner),
		          LF_STR("remote-address", request_remote(x->request)),
		          LF_STR("request-id", request_id(x->request)));
}

static void settle(struct pending *p, enum outcome o)
{
	struct exchange *x = p->x;
	if (!outcome_granted(o)) {
		exchange_refuse_outcome(x, o);
	} else if (p->burn) {
		exchange_refuse(x);
	} else {
		x->recorded = true;
		note_outcome(x, o);
		if (p->revokes)
			crl_service_revoked(x->server->crl);
		exchange_json(x, p->status, buf_slice(&x->body));
	}
}

/* In the store's thread: the exchange is this callback's alone until the reply. */
static void recorded(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	struct pending *p = ctx;
	metrics_store_wait(clock_mono(p->x->server->conf.clock).ns - p->submitted.ns);
	if (st == ST_OK)
		metrics_outcome(o);
	else
		metrics_count(st == ST_AGAIN ? METRIC_STORE_REFUSED : METRIC_STORE_FAILED);
	if (st) {
		p->x->error = *e;
		exchange_fail(p->x);
	} else {
		settle(p, o);
	}
	free(p);
}

static void submit(struct exchange *x, struct change *taken, int status, bool burn)
{
	struct pending *p = calloc(1, sizeof *p);
	if (!p) {
		change_free(taken);
		st_ignore(error_nomem(&x->error), "answered below");
		exchange_fail(x);
		return;
	}
	*p = (struct pending){ .x = x, .status = status, .burn = burn, .submitted = clock_mono(x->server->conf.clock) };
	p->revokes = taken->kind == CHANGE_REVOKE || taken->kind == CHANGE_REVOKE_LINE;
	request_gather(x->request); /* before: the answer may be there at once, and the request gone with it */
	store_enqueue(x->server->store, taken, recorded, p);
}

void exchange_submit(struct exchange *x, struct change *taken, int status)
{
	submit(x, taken, status, false);
}

void exchange_burn(struct exchange *x, const char *token_id, struct wall token_exp)
{
	AUTO(change_free_p) struct change *c = change_new(CHANGE_BURN);
	if (!c || !(c->token_id = text_dup(slice_cstr(token_id)))) {
		st_ignore(error_nomem(&x->error), "answered below");
		exchange_fail(x);
		return;
	}
	c->token_exp = token_exp;
	c->at = x->now;
	submit(x, TAKE(c), 0, true);
}

static enum log_level level_of(int status)
{
	return status >= 500 ? LOG_ERROR : status >= 400 || status == 0 ? LOG_WARN : LOG_INFO_;
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

void exchange_log_refused(void *front, const char *remote, enum listener_refusal kind, const char *why)
{
	static const enum metric counters[] = {
		[LISTENER_FULL] = METRIC_CONNECTIONS_OVER_CAP,
		[LISTENER_HANDSHAKE_LATE] = METRIC_CONNECTIONS_HANDSHAKE_LATE,
		[LISTENER_HANDSHAKE_FAILED] = METRIC_CONNECTIONS_HANDSHAKE_FAILED,
	};
	metrics_count(counters[kind]);
	struct server *s = ((struct front *)front)->server;
	struct snapshot *snap = server_snapshot(s);
	int64_t untold = 0;
	bool tell = snap->conf->log_access && overload_may_tell(s->overload, clock_mono(s->conf.clock), &untold);
	if (untold)
		LOG_EVENT(LOG_WARN, "connections without a request that were not told of one by one",
		          LF_STR("name", "ca"), LF_INT("connections", untold));
	if (tell)
		LOG_EVENT(LOG_INFO_, "connection without a request", LF_STR("name", "ca"),
		          LF_STR("remote-address", remote), LF_STR("error", why));
	snapshot_unref(snap);
}

/* A certificate that was made and not recorded was given to nobody. */
static const char *serial_to_tell(const struct exchange *x)
{
	return x->issued.cert && !x->recorded ? NULL : or_null(x->log_serial);
}

void exchange_note_handshake(void *front, int64_t took_ns)
{
	(void)front;
	metrics_handshake(took_ns);
}

void exchange_commit(void *front)
{
	store_flush(((struct front *)front)->server->store);
}

void exchange_log(void *front, struct request *r, int status, size_t body_bytes)
{
	struct server *s = ((struct front *)front)->server;
	struct exchange *x = request_context(r);
	int64_t took_ns = clock_mono(s->conf.clock).ns - request_begun(r).ns;
	metrics_request(x ? x->endpoint : METRICS_ENDPOINT_OTHER, x ? x->log_provisioner : "", status, took_ns);
	struct snapshot *snap = x ? snapshot_ref(x->snap) : server_snapshot(s);
	if (snap->conf->log_access) {
		static const struct verdict granted = { .refusal = REFUSAL_NONE };
		const struct verdict *v = x ? &x->verdict : &granted;
		const struct cert_facts *f = x && x->issued.cert && x->recorded ? cert_facts(x->issued.cert) : NULL;
		char from[WALL_TEXT], to[WALL_TEXT];
		LOG_EVENT(level_of(status), status ? "request" : "request: the client went away", LF_STR("name", "ca"),
		          LF_STR("method", request_method(r)), LF_STR("path", request_path(r)),
		          LF_INT("status", status), LF_INT("size", (int64_t)body_bytes), LF_INT("duration-ns", took_ns),
		          LF_STR("protocol", request_protocol(r)), LF_STR("remote-address", request_remote(r)),
		          LF_STR("request-id", request_id(r)), LF_STR("user-agent", request_header(r, "User-Agent")),
		          LF_STR("error", or_null(v->reason)), LF_STR("remedy", or_null(v->remedy)),
		          LF_STR("provisioner", x ? or_null(x->log_provisioner) : NULL),
		          LF_STR("token", x ? or_null(x->log_token) : NULL),
		          LF_STR("serial", x ? serial_to_tell(x) : NULL),
		          LF_STR("parent", x ? or_null(x->log_parent) : NULL),
		          LF_STR("subject", x ? or_null(x->log_subject) : NULL),
		          LF_STR("valid-from", f ? wall_rfc3339(f->not_before, from) : NULL),
		          LF_STR("valid-to", f ? wall_rfc3339(f->not_after, to) : NULL));
	}
	snapshot_unref(snap);
}
