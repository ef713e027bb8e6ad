/* A token through authorize_token against a fixed authority. First byte 's': the rest are claims, which the provisioner
 * signs, so that what comes after the signature is reached; else the input is the token. The keys are new in each
 * process: a token that nobody signed here must never be granted. */
#include "testca.h"

#include <assert.h>

/* More than a token may hold: 400, not 401. */
static bool is_beyond_limits(struct slice token)
{
	struct error e = ERROR_INIT;
	AUTO(ott_done) struct ott ott = { 0 };
	return ott_parse(token, &ott, &e) == ST_LIMIT;
}

static void judge(const struct testca *t, struct slice token, bool is_signed, char ret_id[65])
{
	struct error e = ERROR_INIT;
	struct verdict v;
	struct authorization auth = { 0 };
	ret_id[0] = '\0';
	if (authorize_token(t->a, OP_SIGN, token, TESTCA_NOW, TESTCA_STORE_CREATED, &auth, &v, &e)) {
		assert(e.status == ST_NOMEM || e.status == ST_CRYPTO);
		return;
	}
	if (v.refusal) {
		assert(!auth.prov && !auth.ott.claims && *v.reason);
		assert(v.refusal == REFUSAL_UNAUTHORIZED || v.refusal == REFUSAL_MALFORMED);
		assert(v.refusal == REFUSAL_UNAUTHORIZED || !strcmp(v.message, "token flow is not supported") ||
		       is_beyond_limits(token));
		return;
	}
	assert(is_signed);
	assert(auth.prov == &t->a->provs[TESTCA_OPS] && !strcmp(auth.ott.iss, "ops") && *auth.ott.sub);
	assert(auth.ott.has_exp && auth.ott.exp.s + TOKEN_LEEWAY_S >= TESTCA_NOW.s);
	assert(auth.token_exp.s <= auth.ott.exp.s && auth.token_exp.s <= WALL_MAX_S);
	snprintf(ret_id, 65, "%s", auth.token_id);
	assert(strlen(ret_id) == 64);
	authorization_done(&auth);
}

/* What nobody signed with a certificate's key renews nothing. */
static void judge_renewal(const struct testca *t, struct slice token)
{
	struct error e = ERROR_INIT;
	struct verdict v;
	struct renew_token r = { 0 };
	if (authorize_renew_token(t->a, token, TESTCA_NOW, TESTCA_STORE_CREATED, &r, &v, &e)) {
		assert(e.status == ST_NOMEM || e.status == ST_CRYPTO);
		return;
	}
	assert(v.refusal == REFUSAL_UNAUTHORIZED && *v.reason && !r.certs.n);
	assert(!strncmp(v.message, "error validating renew token", 28));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct testca *t;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf claims = BUF_INIT(JWS_MAX);
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(buf_done) struct buf again = BUF_INIT(JWS_MAX);
	char id[65], id_again[65];

	if (!t)
		t = testca_new(NULL);
	if (!n || p[0] != 's') {
		judge(t, slice_of(p, n), false, id);
		judge_renewal(t, slice_of(p, n));
		return 0;
	}
	buf_add(&claims, p + 1, n - 1);
	if (buf_check(&claims, &e) || n > JWS_MAX / 2 || memchr(p, 0, n))
		return 0;
	testca_claims_token(t, NULL, NULL, buf_cstr(&claims), &token);
	testca_claims_token(t, NULL, NULL, buf_cstr(&claims), &again); /* another signature, the same token */
	judge(t, buf_slice(&token), true, id);
	judge(t, buf_slice(&again), true, id_again);
	assert(!strcmp(id, id_again));
	return 0;
}
