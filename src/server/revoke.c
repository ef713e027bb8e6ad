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

static void decide(struct exchange *x, const struct revoke_request *q, const char *serial, struct slice ott)
{
	struct error *e = &x->error;
	AUTO(change_free_p) struct change *change = NULL;
	const struct cert *peer = NULL;

	if (ott.n) {
		if (authorize_token(x->snap->auth, OP_REVOKE, ott, x->now, store_created(x->server->store), &x->auth,
		                    &x->verdict, e)) {
			exchange_fail(x);
			return;
		}
		if (x->verdict.refusal) {
			exchange_refuse(x);
			return;
		}
		x->authorized = true;
		snprintf(x->log_provisioner, sizeof x->log_provisioner, "%s", x->auth.prov->name);
		snprintf(x->log_token, sizeof x->log_token, "%.16s", x->auth.token_id);
	} else if (!(peer = request_peer(x->request))) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing ott or client certificate");
		return;
	}
	if (revoke_decide(q, serial, x->authorized ? &x->auth : NULL, peer, x->now, &change, &x->verdict, e)) {
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
	char serial[SERIAL_TEXT];

	if (decode(x, &body, &q, &ott)) {
		exchange_malformed(x);
	} else if (revoke_check(&q, serial, &x->verdict, &x->error)) {
		exchange_fail(x);
	} else if (x->verdict.refusal) {
		exchange_refuse(x);
	} else {
		snprintf(x->log_serial, sizeof x->log_serial, "%s", serial);
		decide(x, &q, serial, ott);
	}
}

/* The same over the admin socket, where whoever may connect needs nothing more. */
void resource_admin_revoke(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	AUTO(change_free_p) struct change *change = NULL;
	struct revoke_request q = { 0 };
	struct slice ott = SLICE_NONE;
	char serial[SERIAL_TEXT];

	if (decode(x, &body, &q, &ott)) {
		exchange_malformed(x);
	} else if (revoke_check(&q, serial, &x->verdict, &x->error)) {
		exchange_fail(x);
	} else if (x->verdict.refusal) {
		exchange_refuse(x);
	} else {
		snprintf(x->log_serial, sizeof x->log_serial, "%s", serial);
		admin_name(x);
		buf_adds(&x->body, "{\"status\":\"ok\"}\n");
		if (revoke_by_admin(&q, serial, x->log_provisioner, x->now, &change, &x->error) ||
		    buf_check(&x->body, &x->error))
			exchange_fail(x);
		else
			exchange_submit(x, TAKE(change), 200);
	}
}
