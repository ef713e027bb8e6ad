/* authorize_renew.c - renew tokens (spec/server.md §2.5). The peer's checks and words, except that a wrong signature or
 * audience is the caller's fault (401) and not ours (500). */
#include "authority/authorize_internal.h"

#include "authority/change.h"
#include "crypto/digest.h"

enum { BEFORE_END_S = 60 }; /* the instant at which the peer looks at the chain */

#define TOLD "error validating renew token"

void renew_token_done(struct renew_token *t)
{
	chain_done(&t->certs);
	ott_done(&t->ott);
	*t = (struct renew_token){ 0 };
}

enum status renew_token_book(const struct renew_token *t, struct change *c, struct error *e)
{
	if (!(c->token_id = text_dup(slice_cstr(t->token_id))))
		return error_nomem(e);
	c->token_exp = t->token_exp;
	return ST_OK;
}

/* The instant at which the chain is judged: a minute before the certificate's end. A certificate that lives shorter
 * than that, or whose issuer is younger, is judged later, at its end at the latest. */
static struct wall look_at(const struct chain *certs)
{
	struct wall end = cert_facts(certs->v[0])->not_after, at = { end.s - BEFORE_END_S };
	for (size_t i = 0; i < certs->n; i++) {
		struct wall from = cert_facts(certs->v[i])->not_before;
		at = from.s > at.s ? from : at;
	}
	return at.s > end.s ? end : at;
}

/* A certificate for servers alone has no other way to renew itself, so either usage is good. */
static enum trust_use use_of(const struct cert_facts *f)
{
	return f->has_ext_key_usage && !f->eku_client_auth && !f->eku_any ? TRUST_SERVER : TRUST_CLIENT;
}

static enum status check_chain(const struct authority *a, const struct chain *certs, struct verdict *v, struct error *e)
{
	const struct cert_facts *f = cert_facts(certs->v[0]);
	enum status st = trust_verify(a->client_trust, certs->v[0], certs, look_at(certs), use_of(f), e);
	if (st) {
		st = authorize_refuse_or_fail(st, "renew token: certificate", v, e);
		verdict_tell(v, TOLD);
	} else if (f->has_key_usage && !(f->key_usage & KU_DIGITAL_SIGNATURE)) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "renew token: the certificate's key may not sign "
		               "(keyUsage lacks digitalSignature)");
		verdict_tell(v, TOLD);
	}
	return st;
}

static bool check_claims(const struct authority *a, const struct renew_token *t, struct wall now,
                         struct wall store_created, struct verdict *v)
{
	static const char *const faults[] = {
		[TOKEN_IN_TIME] = NULL,
		[TOKEN_ENDLESS] = "token without expiry (exp)",
		[TOKEN_EXPIRED] = "token is expired (exp)",
		[TOKEN_TOO_EARLY] = "token not valid yet (nbf)",
		[TOKEN_FROM_FUTURE] = "token issued in the future (iat)",
		[TOKEN_TOO_OLD] = "token issued before this certificate authority's database (iat)",
	};
	_Static_assert(COUNT_OF(faults) == TOKEN_FAULT_COUNT, "a fault has no words");
	const char *name = cert_facts(t->certs.v[0])->common_name;
	if (*name && (!t->ott.sub || strcmp(t->ott.sub, name))) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "renew token: subject (sub) is not the certificate's common name");
		verdict_tell(v, TOLD ": invalid subject claim (sub)");
		return false;
	}
	enum token_fault fault = authorize_time(a, &t->ott, now, store_created, v);
	if (fault) {
		verdict_tell(v, TOLD ": %s", faults[fault]);
		return false;
	}
	if (!authorize_audience(a, 1u << OP_RENEW, &t->ott, NULL)) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "renew token: audience (aud) %.200s is not the renewal of this CA",
		               t->ott.aud_n ? t->ott.aud[0] : "(none)");
		verdict_tell(v, TOLD ": invalid audience claim (aud)");
		verdict_advise(v, "dnsNames lists the CA's names");
		return false;
	}
	return true;
}

/* By the key and not by the certificate: in the JSON form the header that carries the certificate need not be signed,
 * and one key has many certificates. */
static enum status make_id(struct renew_token *t, struct error *e)
{
	char key[SHA256_HEX];
	AUTO(buf_done) struct buf whose = BUF_INIT(128);
	if (digest_sha256_hex(cert_facts(t->certs.v[0])->spki, key, e))
		return e->status;
	buf_addf(&whose, "renew/%s", key);
	enum status st = buf_check(&whose, e);
	return st ? st : authorize_token_id(buf_slice(&whose), &t->ott, t->token_id, e);
}

enum status authorize_renew_token(const struct authority *a, struct slice token, struct wall now,
                                  struct wall store_created, struct renew_token *ret, struct verdict *v,
                                  struct error *e)
{
	AUTO(renew_token_done) struct renew_token t = { 0 };
	enum status st;

	*v = VERDICT_GRANTED;
	if ((st = ott_parse(token, &t.ott, e)) || (st = credential_parse(&t.ott, "x5cInsecure", &t.certs, e))) {
		st = authorize_refuse_or_fail(st, "renew token", v, e);
		verdict_tell(v, TOLD);
		return st;
	}
	if ((st = check_chain(a, &t.certs, v, e)) || v->refusal)
		return st;
	if ((st = jws_verify(&t.ott.jws, cert_key(t.certs.v[0]), e))) {
		st = authorize_refuse_or_fail(st, "renew token: signature", v, e);
		verdict_tell(v, TOLD);
		return st;
	}
	if (!check_claims(a, &t, now, store_created, v))
		return ST_OK;
	if ((st = make_id(&t, e)))
		return st;
	t.token_exp = t.ott.exp.s > WALL_MAX_S ? (struct wall){ WALL_MAX_S } : t.ott.exp;
	*ret = t;
	t = (struct renew_token){ 0 };
	return ST_OK;
}
