#include "jose/ott.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

#include "crypto/digest.h"

void ott_done(struct ott *t)
{
	jws_done(&t->jws);
	json_decref(t->claims);
	*t = (struct ott){ 0 };
}

/* --- reading: JSON null counts as absent, as it does for the peer --- */

static enum status text_claim(const json_t *v, const char *name, const char **ret, struct error *e)
{
	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_string(v))
		return error_set(e, ST_INVALID, "token: claim %s is not text", name);
	*ret = json_string_value(v);
	return ST_OK;
}

/* RFC 7519 §2, NumericDate: seconds, "non-integer values can be represented". */
static enum status time_claim(const json_t *v, const char *name, bool *ret_has, struct wall *ret, struct error *e)
{
	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_number(v))
		return error_set(e, ST_INVALID, "token: claim %s is not a number", name);
	double rough = json_number_value(v);
	if (!(rough >= (double)WALL_MIN_S && rough <= (double)WALL_MAX_S))
		return error_set(e, ST_INVALID, "token: claim %s is not a time between the years 1 and 9999", name);
	ret->s = json_is_integer(v) ? json_integer_value(v) : (int64_t)rough;
	if ((double)ret->s > rough) /* towards the past, also before 1970 */
		ret->s--;
	*ret_has = true;
	return ST_OK;
}

static enum status list_claim(const json_t *v, const char *name, const char **ret, size_t max, size_t *ret_n,
                              struct error *e)
{
	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_array(v))
		return error_set(e, ST_INVALID, "token: claim %s is not a list", name);
	size_t n = json_array_size(v);
	if (n > max)
		return error_set(e, ST_LIMIT, "token: claim %s has more than %zu entries", name, max);
	for (size_t i = 0; i < n; i++) {
		if (!json_is_string(json_array_get(v, i)))
			return error_set(e, ST_INVALID, "token: claim %s has an entry that is not text", name);
		ret[i] = json_string_value(json_array_get(v, i));
	}
	*ret_n = n;
	return ST_OK;
}

/* RFC 7519 §4.1.3: a list, or one text. */
static enum status audience(const json_t *v, struct ott *t, struct error *e)
{
	if (!json_is_string(v))
		return list_claim(v, "aud", t->aud, OTT_AUD_MAX, &t->aud_n, e);
	t->aud[0] = json_string_value(v);
	t->aud_n = 1;
	return ST_OK;
}

static enum status confirmation(const json_t *v, struct ott *t, struct error *e)
{
	if (!v || json_is_null(v))
		return ST_OK;
	if (!json_is_object(v))
		return error_set(e, ST_INVALID, "token: claim cnf is not an object");
	return text_claim(json_object_get(v, "x5rt#S256"), "cnf.x5rt#S256", &t->cnf_x5rt, e);
}

/* {"revoke":{"scope":"lineage"}}; the peer's members of step are not looked at. */
static enum status step_claim(const json_t *v, struct ott *t, struct error *e)
{
	const json_t *revoke = json_object_get(v, "revoke");
	if (!revoke || json_is_null(revoke))
		return ST_OK;
	if (!json_is_object(revoke))
		return error_set(e, ST_INVALID, "token: claim step.revoke is not an object");
	return text_claim(json_object_get(revoke, "scope"), "step.revoke.scope", &t->revoke_scope, e);
}

static enum status read_claims(struct ott *t, struct error *e)
{
	const struct {
		const char *name, **ret;
	} texts[] = { { "iss", &t->iss }, { "sub", &t->sub }, { "jti", &t->jti }, { "sha", &t->sha } };
	const struct {
		const char *name;
		bool *has;
		struct wall *ret;
	} times[] = { { "exp", &t->has_exp, &t->exp },
		      { "nbf", &t->has_nbf, &t->nbf },
		      { "iat", &t->has_iat, &t->iat } };

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (text_claim(json_object_get(t->claims, texts[i].name), texts[i].name, texts[i].ret, e))
			return e->status;
	for (size_t i = 0; i < COUNT_OF(times); i++)
		if (time_claim(json_object_get(t->claims, times[i].name), times[i].name, times[i].has, times[i].ret, e))
			return e->status;
	if (audience(json_object_get(t->claims, "aud"), t, e) ||
	    list_claim(json_object_get(t->claims, "sans"), "sans", t->sans, OTT_SAN_MAX, &t->sans_n, e) ||
	    step_claim(json_object_get(t->claims, "step"), t, e))
		return e->status;
	return confirmation(json_object_get(t->claims, "cnf"), t, e);
}

enum status ott_parse(struct slice in, struct ott *ret, struct error *e)
{
	AUTO(ott_done) struct ott t = { 0 };
	if (jws_parse(in, &t.jws, e))
		return error_wrap(e, "token");
	if (jsonio_parse(buf_slice(&t.jws.payload), JSONIO_STRICT, &t.claims, e))
		return error_wrap(e, "token: claims");
	if (!json_is_object(t.claims))
		return error_set(e, ST_INVALID, "token: the claims are not an object");
	if (read_claims(&t, e) || digest_sha256_hex(buf_slice(&t.jws.signed_part), t.id, e))
		return e->status;
	*ret = t;
	t = (struct ott){ 0 };
	return ST_OK;
}

/* --- writing --- */

/* False where memory ran out. NULL is left out. */
static bool put_text(json_t *object, const char *name, const char *text)
{
	return !text || json_object_set_new(object, name, json_string(text)) == 0;
}

static bool put_time(json_t *object, const char *name, struct wall t)
{
	return json_object_set_new(object, name, json_integer(t.s)) == 0;
}

static bool put_list(json_t *object, const char *name, const char *const *texts, size_t n)
{
	if (!texts)
		return true;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, json_string(texts[i])) != 0) {
			json_decref(list);
			return false;
		}
	}
	return json_object_set_new(object, name, list) == 0;
}

static bool put_cnf(json_t *object, const char *x5rt)
{
	if (!x5rt)
		return true;
	json_t *cnf = json_object();
	if (!put_text(cnf, "x5rt#S256", x5rt)) {
		json_decref(cnf);
		return false;
	}
	return json_object_set_new(object, "cnf", cnf) == 0;
}

static bool put_step(json_t *object, const char *scope)
{
	if (!scope)
		return true;
	json_t *step = json_pack("{s:{s:s}}", "revoke", "scope", scope);
	return json_object_set_new(object, "step", step) == 0;
}

static enum status check_texts(const struct ott_draft *d, struct error *e)
{
	const char *const texts[] = { d->aud, d->iss, d->sub, d->jti, d->sha, d->cnf_x5rt,
		                      d->revoke_scope };
	bool ok = true;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		ok &= jsonio_text_ok(slice_cstr(texts[i]));
	for (size_t i = 0; d->sans && i < d->sans_n; i++)
		ok &= jsonio_text_ok(slice_cstr(d->sans[i]));
	return ok ? ST_OK : error_set(e, ST_INVALID, "token: a subject, name or other text is not UTF-8");
}

static bool put_claims(json_t *c, const struct ott_draft *d)
{
	return put_text(c, "aud", d->aud) && put_cnf(c, d->cnf_x5rt) && put_time(c, "exp", d->exp) &&
	       put_time(c, "iat", d->iat) && put_text(c, "iss", d->iss) && put_text(c, "jti", d->jti) &&
	       put_time(c, "nbf", d->nbf) && put_list(c, "sans", d->sans, d->sans_n) && put_text(c, "sha", d->sha) &&
	       put_step(c, d->revoke_scope) && put_text(c, "sub", d->sub) && (!d->with_user || json_object_set_new(c, "user", json_object()) == 0);
}

/* The members of header and typ, in alphabetical order: a Go map's. */
static enum status sort_header(json_t *out, const json_t *header, struct error *e)
{
	AUTO(json_decref_p) json_t *left = json_object();
	if (!left || !put_text(left, "typ", "JWT"))
		return error_nomem(e);
	if (jsonio_add_missing(left, header, e))
		return e->status;
	while (json_object_size(left)) {
		const char *least = NULL;
		for (void *at = json_object_iter(left); at; at = json_object_iter_next(left, at))
			if (!least || strcmp(json_object_iter_key(at), least) < 0)
				least = json_object_iter_key(at);
		if (json_object_set(out, least, json_object_get(left, least)) != 0 || json_object_del(left, least) != 0)
			return error_nomem(e);
	}
	return ST_OK;
}

enum status ott_format(const struct ott_draft *d, const json_t *header, EVP_PKEY *key, struct buf *out, struct error *e)
{
	AUTO(json_decref_p) json_t *claims = json_object();
	AUTO(json_decref_p) json_t *full = json_object();
	AUTO(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	if (check_texts(d, e))
		return e->status;
	if (!put_claims(claims, d))
		return error_nomem(e);
	if (sort_header(full, header, e) || jsonio_format(claims, &payload, e))
		return e->status;
	return jws_sign(key, full, buf_slice(&payload), out, e);
}
