/* POST /revoke (spec/server.md §1.4): passive; the next renewal is refused. */
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "server/state.h"

#include <stdio.h>

static enum status decode(struct exchange *x, json_t **ret_body, struct revoke_request *q, struct slice *ott)
{
	struct error *e = &x->error;
	if (body_object(x, ret_body, e) || body_text(*ret_body, "serial", &q->serial, e) ||
	    body_text(*ret_body, "ott", ott, e) || body_text(*ret_body, "reason", &q->reason, e))
		return e->status;
	const json_t *code = jsonio_field(*ret_body, "reasonCode"), *passive = jsonio_field(*ret_body, "passive");
	if ((code && !json_is_null(code) && !json_is_integer(code)) ||
	    (passive && !json_is_null(passive) && !json_is_boolean(passive)))
		return error_set(e, ST_INVALID, "request body: reasonCode or passive is of a wrong type");
	q->reason_code = code ? json_integer_value(code) : 0;
	q->passive = json_is_true(passive);
	return ST_OK;
}

/* What is to be revoked. False: the request says nothing that could be, and is answered. */
static bool read_request(struct exchange *x, json_t **ret_body, struct revoke_request *q, struct slice *ott)
{
	if (decode(x, ret_body, q, ott)) {
		exchange_malformed(x);
	} else if (revoke_check(q, x->log_serial, &x->verdict, &x->error)) {
		exchange_fail(x);
	} else if (x->verdict.refusal) {
		exchange_refuse(x);
	} else {
		return true;
	}
	return false;
}

static void decide(struct exchange *x, const struct revoke_request *q, struct slice ott)
{
	struct error *e = &x->error;
	AUTO(change_free_p) struct change *change = NULL;
	const struct cert *peer = NULL;

	if (ott.n) {
		if (!exchange_authorize(x, OP_REVOKE, ott))
			return;
	} else if (!(peer = request_peer(x->request))) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing ott or client certificate");
		return;
	}
	if (revoke_decide(q, x->log_serial, x->authorized ? &x->auth : NULL, peer, x->now, &change, &x->verdict, e)) {
		exchange_fail(x);
	} else if (x->verdict.refusal) {
		if (x->authorized)
			exchange_burn(x, x->auth.token_id, x->auth.token_exp);
		else
			exchange_refuse(x);
	} else {
		buf_adds(&x->body, "{\"status\":\"ok\"}\n");
		if (buf_check(&x->body, e))
			exchange_fail(x);
		else
			exchange_submit(x, TAKE(change), 200);
	}
}

void resource_revoke(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	struct revoke_request q = { 0 };
	struct slice ott = SLICE_NONE;

	if (read_request(x, &body, &q, &ott))
		decide(x, &q, ott);
}

/* The same over the admin socket, where whoever may connect needs nothing more. */
void resource_admin_revoke(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	AUTO(change_free_p) struct change *change = NULL;
	struct revoke_request q = { 0 };
	struct slice ott = SLICE_NONE;

	if (!read_request(x, &body, &q, &ott))
		return;
	admin_name(x);
	buf_adds(&x->body, "{\"status\":\"ok\"}\n");
	if (revoke_by_admin(&q, x->log_serial, x->log_provisioner, x->now, &change, &x->error) ||
	    buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_submit(x, TAKE(change), 200);
}
