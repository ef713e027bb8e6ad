#include "client/token.h"
#include "base/b64.h"
#include "crypto/keys.h"
#include "crypto/random.h"
#include "jose/auto.h"
#include "jose/jwe.h"
#include "jose/ott.h"

enum {
	SPAN_DEFAULT_S = 5 * 60,
	SPAN_MIN_S = 10,
	SPAN_MAX_S = 60 * 60,
	DELAY_MAX_S = 30 * 60,
	JTI_BYTES = 32,
	AUDIENCE_MAX = 1024,
	DER_TEXT_MAX = 2 * CERT_MAX,
};

/* ---- time ---- */

enum status token_time_parse(const char *typed, struct wall now, struct wall *ret, struct error *e)
{
	struct error why = ERROR_INIT;
	int64_t ns;
	if (!wall_parse_rfc3339(slice_cstr(typed), ret, &why))
		return ST_OK;
	if (duration_parse(slice_cstr(typed), &ns, &why))
		return error_set(e, ST_INVALID,
		                 "'%s' is neither a time such as 2026-11-23T10:51:57Z nor a duration such as 24h",
		                 typed);
	*ret = (struct wall){ now.s + ns / DURATION_S };
	return ST_OK;
}

static enum status flag_time(const char *flag, const char *typed, struct wall now, struct wall *ret, struct error *e)
{
	struct error why = ERROR_INIT;
	if (token_time_parse(typed, now, ret, &why))
		return error_set(e, ST_USAGE, "invalid value '%s' for flag '--%s'", typed, flag);
	return ST_OK;
}

enum status token_span_make(const char *not_before, const char *not_after, struct wall now, struct token_span *ret,
                            struct error *e)
{
	struct token_span s = { .nbf = now };
	char is[DURATION_TEXT], bound[DURATION_TEXT], nbf[WALL_TEXT], exp[WALL_TEXT];
	if (not_before && flag_time("not-before", not_before, now, &s.nbf, e))
		return e->status;
	s.exp.s = s.nbf.s + SPAN_DEFAULT_S;
	if (not_after && flag_time("not-after", not_after, now, &s.exp, e))
		return e->status;
	int64_t span_s = s.exp.s - s.nbf.s, delay_s = s.nbf.s - now.s;
	if (span_s <= 0)
		return error_set(e, ST_USAGE, "nbf < exp: the token would end (%s) before it begins (%s)",
		                 wall_rfc3339(s.exp, exp), wall_rfc3339(s.nbf, nbf));
	if (span_s < SPAN_MIN_S)
		return error_set(e, ST_USAGE, "requested token validity is too short: %s, at least %s",
		                 duration_format(span_s * DURATION_S, is),
		                 duration_format(SPAN_MIN_S * DURATION_S, bound));
	if (span_s > SPAN_MAX_S)
		return error_set(e, ST_USAGE, "requested token validity is too long: %s, at most %s",
		                 span_s > INT64_MAX / DURATION_S ? "centuries"
		                                                 : duration_format(span_s * DURATION_S, is),
		                 duration_format(SPAN_MAX_S * DURATION_S, bound));
	if (delay_s > DELAY_MAX_S)
		return error_set(e, ST_USAGE, "requested validity delay is too long: %s, at most %s",
		                 delay_s > INT64_MAX / DURATION_S ? "centuries"
		                                                  : duration_format(delay_s * DURATION_S, is),
		                 duration_format(DELAY_MAX_S * DURATION_S, bound));
	*ret = s;
	return ST_OK;
}

/* ---- tokens ---- */

static enum status make_jti(char out[2 * JTI_BYTES + 1], struct error *e)
{
	uint8_t raw[JTI_BYTES];
	AUTO(buf_done) struct buf hex = BUF_INIT(2 * JTI_BYTES);
	if (random_bytes(raw, sizeof raw, e))
		return e->status;
	hex_encode(&hex, slice_of(raw, sizeof raw));
	if (buf_check(&hex, e))
		return e->status;
	memcpy(out, buf_cstr(&hex), 2 * JTI_BYTES + 1);
	return ST_OK;
}

/* RFC 7515 §4.1.6: "Each string in the array is a base64-encoded (Section 4 of [RFC4648] -- not base64url-encoded) DER
 * PKIX certificate value." */
static enum status x5c_of(const struct chain *certs, json_t *list, struct error *e)
{
	for (size_t i = 0; i < certs->n; i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(DER_TEXT_MAX);
		b64_encode(&text, cert_facts(certs->v[i])->der, B64_STD);
		if (buf_check(&text, e))
			return e->status;
		if (json_array_append_new(list, json_string(buf_cstr(&text))))
			return error_nomem(e);
	}
	return ST_OK;
}

static enum status put_x5c(json_t *header, const struct chain *certs, const EVP_PKEY *key, struct error *e)
{
	json_t *list = json_array();
	if (json_object_set_new(header, "x5c", list))
		return error_nomem(e);
	if (!key_equal(key, cert_key(certs->v[0])))
		return error_set(e, ST_INVALID, "the key is not the certificate's");
	return x5c_of(certs, list, e);
}

enum status token_sign(const struct token_draft *d, EVP_PKEY *key, struct buf *out, struct error *e)
{
	char jti[2 * JTI_BYTES + 1];
	bool sign = d->kind == TOKEN_SIGN, own = sign && d->sans && d->sans_n;
	AUTO(json_decref_p) json_t *header = json_pack("{s:s}", "kid", d->kid);
	if (!header)
		return error_set(e, ST_INVALID, "the key id is not UTF-8");
	if ((d->x5c && put_x5c(header, d->x5c, key, e)) || make_jti(jti, e))
		return e->status;
	struct ott_draft ott = {
		.aud = d->audience,
		.iss = d->provisioner,
		.sub = d->subject,
		.jti = jti,
		.sha = d->sha,
		.cnf_x5rt = sign ? d->cnf : NULL,
		.revoke_scope = d->kind == TOKEN_REVOKE_LINE ? d->scope : NULL,
		.sans = own    ? d->sans
		        : sign ? &d->subject
		               : NULL,
		.sans_n = own ? d->sans_n : sign,
		.iat = d->now,
		.nbf = d->span.nbf,
		.exp = d->span.exp,
		.with_user = sign && !d->offline,
	};
	return ott_format(&ott, header, key, out, e);
}

enum status token_renew(const struct chain *certs, EVP_PKEY *key, const char *audience, struct wall now,
                        struct buf *out, struct error *e)
{
	char jti[2 * JTI_BYTES + 1], kid[JWK_THUMBPRINT];
	if (!certs->n)
		return error_set(e, ST_INVALID, "there is no certificate to renew");
	const char *subject = cert_facts(certs->v[0])->common_name;
	if (!*subject)
		return error_set(e, ST_INVALID, "subject cannot be empty");
	if (!key_equal(key, cert_key(certs->v[0])))
		return error_set(e, ST_INVALID, "the key is not the certificate's");
	if (jwk_thumbprint(key, kid, e))
		return e->status;
	json_t *x5c = json_array();
	AUTO(json_decref_p) json_t *header = json_pack("{s:s, s:o}", "kid", kid, "x5cInsecure", x5c);
	if (!header)
		return error_nomem(e);
	/* A jti keeps two attempts within one second apart: a token counts once. */
	if (x5c_of(certs, x5c, e) || make_jti(jti, e))
		return e->status;
	struct ott_draft ott = {
		.aud = audience,
		.iss = "step-ca-client/1.0",
		.sub = subject,
		.jti = jti,
		.iat = now,
		.nbf = now,
		.exp = { now.s + SPAN_DEFAULT_S },
	};
	return ott_format(&ott, header, key, out, e);
}

/* ---- all of it ---- */

/* Where provisioners come from: the CA, or its file. */
static enum status list_of(struct ca *c, const struct offline *o, json_t **ret, struct error *e)
{
	if (c)
		return ca_provisioners(c, ret, e);
	*ret = json_incref((json_t *)(uintptr_t)o->provisioners);
	return ST_OK;
}

static enum status encrypted_key_of(struct ca *c, const json_t *provisioner, struct buf *jwe, struct error *e)
{
	struct slice kid = jsonio_text(jsonio_field(jsonio_field(provisioner, "key"), "kid"));
	struct slice own = jsonio_text(jsonio_field(provisioner, "encryptedKey"));
	if (c) { /* jansson's strings end in NUL, and jsonio refuses NULs within */
		enum status st = ca_encrypted_key(c, kid.p ? (const char *)kid.p : "", jwe, e);
		if (st != ST_MISSING)
			return st;
		c->answer.from_ca = false;
	} else if (own.n) {
		buf_add_slice(jwe, own);
		return buf_check(jwe, e);
	}
	return error_set(e, ST_MISSING, "the provisioner has no encrypted key; give its key with --key");
}

static void audience_of(const struct ca *c, const struct offline *o, enum token_kind kind, struct buf *out)
{
	static const char *const operation[] = {
		[TOKEN_SIGN] = "sign", [TOKEN_REVOKE] = "revoke", [TOKEN_REVOKE_LINE] = "revoke-line"
	};
	if (c)
		buf_addf(out, "%s/1.0/%s", c->url, operation[kind]);
	else
		buf_addf(out, "https://%s/%s", buf_cstr(&o->host), operation[kind]);
}

struct issuer { /* who signs */
	char *name, *kid;
	struct jwk key; /* empty with --key */
};

static void issuer_done(struct issuer *i)
{
	text_free_p(&i->name);
	text_free_p(&i->kid);
	jwk_done(&i->key);
}

static enum status issuer_name(struct issuer *i, struct slice name, struct slice kid, struct error *e)
{
	i->name = text_dup(name);
	i->kid = text_dup(kid);
	return i->name && i->kid ? ST_OK : error_nomem(e);
}

static enum status find_issuer(struct ca *c, const struct offline *o, const struct token_ask *ask, const char *kid,
                               struct issuer *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *list = NULL;
	AUTO(buf_done) struct buf label = BUF_INIT(2048);
	AUTO(buf_done) struct buf jwe = BUF_INIT(JWE_MAX);
	const json_t *p;
	struct provisioner_filter f = { .name = ask->filter.name, .kid = ask->x5c ? NULL : kid, .x5c = ask->x5c };
	if (list_of(c, o, &list, e) || provisioner_choose(list, &f, ask->choose, ask->ctx, &p, e))
		return e->status;
	struct slice own = jsonio_text(jsonio_field(jsonio_field(p, "key"), "kid"));
	if (issuer_name(ret, jsonio_text(jsonio_field(p, "name")), ask->x5c ? slice_cstr(kid) : own, e))
		return e->status;
	provisioner_label(p, &label);
	if (ask->chosen)
		ask->chosen(ask->ctx, buf_cstr(&label));
	if (ask->key)
		return ST_OK;
	if (encrypted_key_of(c, p, &jwe, e))
		return e->status;
	return provisioner_open_key(p, buf_slice(&jwe), ask->password, &ret->key, e);
}

/* --key with the provisioner's name needs nothing from anybody. */
static enum status issuer_of(struct ca *c, const struct offline *o, const struct token_ask *ask, struct issuer *ret,
                             struct error *e)
{
	char thumbprint[JWK_THUMBPRINT];
	const char *kid = ask->filter.kid;
	if (ask->key && !kid) {
		if (jwk_thumbprint(ask->key, thumbprint, e))
			return e->status;
		kid = thumbprint;
	}
	if (ask->key && ask->filter.name)
		return issuer_name(ret, slice_cstr(ask->filter.name), slice_cstr(kid), e);
	return find_issuer(c, o, ask, kid, ret, e);
}

enum status token_get(struct ca *c, const struct offline *o, const struct token_ask *ask, struct buf *out,
                      struct error *e)
{
	AUTO(issuer_done) struct issuer who = { 0 };
	AUTO(buf_done) struct buf audience = BUF_INIT(AUDIENCE_MAX);
	struct token_span span;
	/* What was typed is judged before anybody is asked for anything. */
	if (token_span_make(ask->not_before, ask->not_after, ask->now, &span, e))
		return e->status;
	audience_of(c, o, ask->kind, &audience);
	if (issuer_of(c, o, ask, &who, e))
		return e->status;
	if (ask->x5c) /* other types than JWK are named by the audience (spec/client.md §4) */
		buf_addf(&audience, "#x5c/%s", who.name);
	if (buf_check(&audience, e))
		return e->status;
	struct token_draft d = {
		.kind = ask->kind,
		.audience = buf_cstr(&audience),
		.provisioner = who.name,
		.kid = who.kid,
		.subject = ask->subject,
		.sans = ask->sans,
		.sans_n = ask->sans_n,
		.sha = ask->sha,
		.cnf = ask->cnf,
		.scope = ask->scope,
		.x5c = ask->x5c,
		.offline = !c,
		.span = span,
		.now = ask->now,
	};
	return token_sign(&d, ask->key ? ask->key : who.key.key, out, e);
}
