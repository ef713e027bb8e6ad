/* POST /renew and /rekey, and GET /renewable, a question (spec/server.md §1.2, §1.3): an older certificate, presented by
 * its key, gives a new one. The key speaks in the TLS handshake or, for /renew, by a token that it has signed (§2.5).
 */
#include "jose/auto.h"
#include "server/state.h"

#include <stdio.h>

/* What the store knows of the parent. A row with the serial of another certificate (another CA's, say) is not it. */
static enum status find_parent(struct exchange *x, struct parent_facts *ret, struct error *e)
{
	const struct cert_facts *f = cert_facts(x->parent);
	struct cert_row row = { 0 };
	*ret = (struct parent_facts){ 0 };
	enum status st = store_find_cert(x->server->store, f->serial_text, &row, e);
	ret->forgotten = st == ST_MISSING && store_created(x->server->store).s < f->not_before.s;
	if (st)
		return st == ST_MISSING ? ST_OK : st;
	if (slice_eq(buf_slice(&row.der), f->der)) {
		ret->known = true;
		ret->granted_s = row.granted_s;
		ret->generation = row.generation;
		snprintf(ret->line, sizeof ret->line, "%s", row.line);
		snprintf(ret->provisioner_id, sizeof ret->provisioner_id, "%s", row.provisioner_id);
	}
	cert_row_done(&row);
	return ST_OK;
}

/* A token that was good stays used. */
static void refuse(struct exchange *x)
{
	if (x->by_token)
		exchange_burn(x, x->renewing.token_id, x->renewing.token_exp);
	else
		exchange_refuse(x);
}

static void note_provisioner(struct exchange *x, const struct provisioner *prov)
{
	if (prov)
		snprintf(x->log_provisioner, sizeof x->log_provisioner, "%s", prov->name);
	else
		LOG_EVENT(LOG_WARN, "renewing a certificate that carries no provisioner",
		          LF_STR("parent", cert_facts(x->parent)->serial_text),
		          LF_STR("remedy", "set authority.renewWithoutProvisioner to false to refuse these"));
}

static void submit(struct exchange *x)
{
	sign_answer(x);
	sign_note(x);
	if (buf_check(&x->body, &x->error) ||
	    (x->by_token && renew_token_book(&x->renewing, x->issued.change, &x->error)))
		exchange_fail(x);
	else
		exchange_submit(x, TAKE(x->issued.change), 201);
}

static void renew(struct exchange *x, const struct csr *csr)
{
	struct error *e = &x->error;
	const struct authority *a = x->snap->auth;
	const struct provisioner *prov = NULL;
	struct parent_facts facts;
	uint8_t serial[ISSUE_SERIAL_BYTES];

	snprintf(x->log_subject, sizeof x->log_subject, "%s", cert_facts(x->parent)->common_name);
	snprintf(x->log_parent, sizeof x->log_parent, "%s", cert_facts(x->parent)->serial_text);
	if (find_parent(x, &facts, e) ||
	    renew_decide(a, x->parent, &facts, x->now, x->by_token ? &x->renewing : NULL, &prov, &x->verdict, e)) {
		exchange_fail(x);
		return;
	}
	if (x->verdict.refusal) {
		refuse(x);
		return;
	}
	if (!overload_admit_renewal(x, facts.line))
		return;
	note_provisioner(x, prov);
	if (server_serial(x->server, x->now, serial, e) ||
	    issue_renewed(a, x->parent, &facts, prov, csr, x->now, serial, &x->issued, &x->verdict, e))
		exchange_fail(x);
	else if (x->verdict.refusal)
		refuse(x);
	else
		submit(x);
}

/* The TLS layer has verified the certificate; without one there is nothing to renew. */
static bool take_peer(struct exchange *x)
{
	struct cert *peer = request_peer(x->request);
	if (!peer) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing client certificate");
		return false;
	}
	x->parent = cert_ref(peer);
	return true;
}

static bool starts(const char *text, const char *with)
{
	return text && strncmp(text, with, strlen(with)) == 0;
}

static void renew_by_token(struct exchange *x, const char *token)
{
	if (authorize_renew_token(x->snap->auth, slice_cstr(token), x->now, store_created(x->server->store),
	                          &x->renewing, &x->verdict, &x->error)) {
		exchange_fail(x);
		return;
	}
	if (x->verdict.refusal) {
		exchange_refuse(x);
		return;
	}
	x->by_token = true;
	x->parent = cert_ref(x->renewing.certs.v[0]);
	snprintf(x->log_token, sizeof x->log_token, "%.16s", x->renewing.token_id);
	renew(x, NULL);
}

void resource_renew(struct exchange *x, const char *arg)
{
	static const char bearer[] = "Bearer "; /* in this case only, as in the peer */
	const char *authorization = request_header(x->request, "Authorization");
	(void)arg; /* the body is ignored entirely, as in the peer */
	if (!request_peer(x->request) && starts(authorization, bearer))
		renew_by_token(x, authorization + strlen(bearer));
	else if (take_peer(x))
		renew(x, NULL);
}

/* What the store would say. Only a renewal decides; this is a look at what it would be now. A blocked key is not looked
 * for. */
static enum status look_ahead(struct exchange *x, enum outcome *ret, struct error *e)
{
	const char *serial = cert_facts(x->parent)->serial_text;
	struct store_line line = { 0 };
	bool revoked = false;
	enum status st = store_is_revoked(x->server->store, serial, &revoked, e);
	if (!st)
		st = store_find_line(x->server->store, serial, SCOPE_LINEAGE, &line, e);
	*ret = revoked ? OUTCOME_PARENT_REVOKED : line.closed ? OUTCOME_LINE_CLOSED : OUTCOME_DONE;
	store_line_done(&line);
	return st;
}

/* GET /renewable: would it be renewed? For `step ca renew --check`, long before it matters. */
void resource_renewable(struct exchange *x, const char *arg)
{
	const struct provisioner *prov = NULL;
	struct parent_facts facts;
	enum outcome o = OUTCOME_DONE;
	(void)arg;
	if (!take_peer(x))
		return;
	snprintf(x->log_parent, sizeof x->log_parent, "%s", cert_facts(x->parent)->serial_text);
	if (find_parent(x, &facts, &x->error) ||
	    renew_decide(x->snap->auth, x->parent, &facts, x->now, NULL, &prov, &x->verdict, &x->error) ||
	    look_ahead(x, &o, &x->error))
		exchange_fail(x);
	else if (x->verdict.refusal)
		exchange_refuse(x);
	else if (o != OUTCOME_DONE)
		exchange_refuse_outcome(x, o);
	else
		exchange_json(x, 200, SLICE_LIT("{\"status\":\"ok\"}\n"));
}

void resource_rekey(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	AUTO(csr_done) struct csr csr = { 0 };

	if (!take_peer(x))
		return;
	if (body_object(x, &body, &x->error) || body_csr(body, &csr, &x->error)) {
		exchange_malformed(x);
	} else if (!csr.req) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing csr");
	} else if (csr_verify(&csr, &x->error)) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "invalid csr");
	} else {
		renew(x, &csr);
	}
}
