/* POST /sign (spec/server.md §1.1): a token and a request give a certificate. */
#include "jose/auto.h"
#include "server/state.h"

#include <stdio.h>

void sign_answer(struct exchange *x)
{
	const struct snapshot *s = x->snap;
	AUTO(buf_done) struct buf leaf = BUF_INIT(CERT_MAX * 2);
	struct slice issuers = buf_slice(&s->issuers_json);

	body_add_cert(&leaf, x->issued.cert);
	if (leaf.failed)
		x->body.failed = leaf.failed;
	buf_adds(&x->body, "{\"crt\":");
	buf_add_slice(&x->body, buf_slice(&leaf));
	buf_adds(&x->body, ",\"ca\":");
	buf_add_slice(&x->body, slice_of(issuers.p, s->issuer_n));
	buf_adds(&x->body, ",\"certChain\":[");
	buf_add_slice(&x->body, buf_slice(&leaf));
	buf_addc(&x->body, ',');
	buf_add_slice(&x->body, issuers);
	buf_adds(&x->body, "],\"tlsOptions\":");
	buf_add_slice(&x->body, buf_slice(&s->tls_options_json));
	buf_adds(&x->body, "}\n");
}

void sign_note(struct exchange *x)
{
	const struct cert_facts *f = cert_facts(x->issued.cert);
	snprintf(x->log_subject, sizeof x->log_subject, "%s", f->common_name);
	snprintf(x->log_serial, sizeof x->log_serial, "%s", f->serial_text);
	if (x->issued.clamped) {
		char cut[WALL_TEXT], asked[WALL_TEXT];
		LOG_EVENT(LOG_WARN, "certificate cut to its issuer's end", LF_STR("serial", f->serial_text),
		          LF_STR("valid-to", wall_rfc3339(f->not_after, cut)),
		          LF_STR("asked", wall_rfc3339(x->issued.asked_not_after, asked)),
		          LF_STR("request-id", request_id(x->request)),
		          LF_STR("remedy", "renew the intermediate certificate before it ends"));
	}
}

static enum status decode(struct exchange *x, json_t **ret_body, struct csr *csr, struct sign_request *q,
                          struct slice *ott)
{
	struct error *e = &x->error;
	if (body_object(x, ret_body, e) || body_csr(*ret_body, csr, e) || body_text(*ret_body, "ott", ott, e) ||
	    body_text(*ret_body, "notBefore", &q->not_before, e) || body_text(*ret_body, "notAfter", &q->not_after, e))
		return e->status;
	return ST_OK;
}

static void decide(struct exchange *x, const struct sign_request *q, struct slice ott)
{
	struct error *e = &x->error;
	const struct authority *a = x->snap->auth;
	uint8_t serial[ISSUE_SERIAL_BYTES];

	if (!exchange_authorize(x, OP_SIGN, ott))
		return;
	if (server_serial(x->server, x->now, serial, e) ||
	    issue_sign(a, &x->auth, q, x->now, serial, &x->issued, &x->verdict, e)) {
		exchange_fail(x);
		return;
	}
	if (x->verdict.refusal) {
		exchange_burn(x, x->auth.token_id, x->auth.token_exp);
		return;
	}
	sign_answer(x);
	sign_note(x);
	if (buf_check(&x->body, e))
		exchange_fail(x);
	else
		exchange_submit(x, TAKE(x->issued.change), 201);
}

void resource_sign(struct exchange *x, const char *arg)
{
	(void)arg;
	AUTO(json_decref_p) json_t *body = NULL;
	AUTO(csr_done) struct csr csr = { 0 };
	struct sign_request q = { .csr = &csr };
	struct slice ott = SLICE_NONE;

	if (!overload_admit_new(x))
		return;
	if (decode(x, &body, &csr, &q, &ott)) {
		exchange_malformed(x);
	} else if (!issue_check_times(&q, &x->verdict)) {
		exchange_refuse(x);
	} else if (!csr.req) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing csr");
	} else if (csr_verify(&csr, &x->error)) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "invalid csr");
	} else if (!ott.n) {
		exchange_refuse_as(x, REFUSAL_MALFORMED, "missing ott");
	} else {
		decide(x, &q, ott);
	}
}
