/* POST /revoke-line (ours): a certificate with all that were renewed before and after it, or after it only, by a token
 * that was made for it. {"serial","ott","scope","reasonCode","reason","dryRun"} gives {"status","certificates",...}. */
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "server/state.h"

#include <stdio.h>

struct line_body {
	struct revoke_line_request q;
	struct slice ott;
	bool dry_run;
};

static enum status decode(struct exchange *x, json_t **ret_body, struct line_body *b)
{
	struct error *e = &x->error;
	if (body_object(x, ret_body, e) || body_text(*ret_body, "serial", &b->q.serial, e) ||
	    body_text(*ret_body, "ott", &b->ott, e) || body_text(*ret_body, "scope", &b->q.scope, e) ||
	    body_text(*ret_body, "reason", &b->q.reason, e))
		return e->status;
	const json_t *code = jsonio_field(*ret_body, "reasonCode"), *dry = jsonio_field(*ret_body, "dryRun");
	if ((code && !json_is_null(code) && !json_is_integer(code)) ||
	    (dry && !json_is_null(dry) && !json_is_boolean(dry)))
		return error_set(e, ST_INVALID, "request body: reasonCode or dryRun is of a wrong type");
	b->q.reason_code = code ? json_integer_value(code) : 0;
	b->dry_run = json_is_true(dry);
	return ST_OK;
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "\"%s\":", name);
	body_add_text(out, slice_cstr(text));
	buf_addc(out, ',');
}

static void add_cert(struct buf *out, const struct store_line_cert *c)
{
	char t[WALL_TEXT];
	buf_addc(out, '{');
	add_member(out, "serial", c->serial);
	add_member(out, "line", c->line);
	add_member(out, "subject", c->subject);
	add_member(out, "notBefore", wall_rfc3339(c->not_before, t));
	add_member(out, "notAfter", wall_rfc3339(c->not_after, t));
	buf_addf(out, "\"revoked\":%s,\"sameKeyOnly\":%s}", c->revoked ? "true" : "false",
	         c->same_key_only ? "true" : "false");
}

static enum status answer(struct exchange *x, enum line_scope scope)
{
	AUTO(store_line_done) struct store_line l = { 0 };
	if (store_find_line(x->server->store, x->log_serial, scope, &l, &x->error))
		return x->error.status;
	x->log_count = (int64_t)l.n + l.more;
	buf_adds(&x->body, "{\"status\":\"ok\",\"certificates\":[");
	for (size_t i = 0; i < l.n; i++) {
		if (i)
			buf_addc(&x->body, ',');
		add_cert(&x->body, &l.v[i]);
	}
	buf_addf(&x->body, "],\"more\":%lld,\"expired\":%lld,\"closed\":%s}\n", (long long)l.more, (long long)l.expired,
	         l.closed ? "true" : "false");
	return buf_check(&x->body, &x->error);
}

/* Shows the same as the real thing and changes nothing: the token stays good. */
static void rehearse(struct exchange *x, enum line_scope scope)
{
	bool used;
	if (store_token_used(x->server->store, x->auth.token_id, &used, &x->error)) {
		exchange_fail(x);
	} else if (used) {
		verdict_refuse(&x->verdict, REFUSAL_UNAUTHORIZED, "token has been used already");
		exchange_refuse(x);
	} else if (answer(x, scope)) {
		exchange_fail(x);
	} else {
		exchange_json(x, 200, buf_slice(&x->body));
	}
}

/* What is to be revoked. False: the request says nothing that could be, and is answered. */
static bool read_request(struct exchange *x, json_t **ret_body, struct line_body *b, enum line_scope *ret_scope)
{
	if (decode(x, ret_body, b)) {
		exchange_malformed(x);
	} else if (revoke_line_check(&b->q, x->log_serial, ret_scope, &x->verdict, &x->error)) {
		exchange_fail(x);
	} else if (x->verdict.refusal) {
		exchange_refuse(x);
	} else {
		return true;
	}
	return false;
}

static void decide(struct exchange *x, const struct line_body *b, enum line_scope scope)
{
	struct error *e = &x->error;
	AUTO(change_free_p) struct change *change = NULL;

	if (!exchange_authorize(x, OP_REVOKE_LINE, b->ott))
		return;
	if (revoke_line_decide(&b->q, x->log_serial, scope, &x->auth, x->now, &change, &x->verdict, e)) {
		exchange_fail(x);
	} else if (x->verdict.refusal) {
		exchange_burn(x, x->auth.token_id, x->auth.token_exp);
	} else if (b->dry_run) {
		rehearse(x, scope);
	} else if (answer(x, scope)) {
		exchange_fail(x);
	} else {
		x->log_scope = line_scope_name(scope);
		exchange_submit(x, TAKE(change), 200);
	}
}

void resource_revoke_line(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	struct line_body b = { 0 };
	enum line_scope scope;

	if (!read_request(x, &body, &b, &scope))
		return;
	if (b.ott.n)
		decide(x, &b, scope);
	else
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing ott");
}

/* --- over the admin socket ---------------------------------------------------------------------------------------- */

static void decide_as_admin(struct exchange *x, const struct line_body *b, enum line_scope scope)
{
	AUTO(change_free_p) struct change *change = NULL;
	admin_name(x);
	if (answer(x, scope)) {
		exchange_fail(x);
	} else if (b->dry_run) {
		exchange_json(x, 200, buf_slice(&x->body));
	} else if (revoke_line_by_admin(&b->q, x->log_serial, scope, x->log_provisioner, x->now, &change, &x->error)) {
		exchange_fail(x);
	} else {
		x->log_scope = line_scope_name(scope);
		exchange_submit(x, TAKE(change), 200);
	}
}

void resource_admin_revoke_line(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	struct line_body b = { 0 };
	enum line_scope scope;

	if (read_request(x, &body, &b, &scope))
		decide_as_admin(x, &b, scope);
}
