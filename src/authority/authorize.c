/* authorize.c - one-time tokens (spec/server.md §2). Order: which provisioner does the token claim to come from; did
 * that provisioner sign it; is it in its time; is it meant for this operation. Nothing is stored here: the token's id
 * goes into the change, and the store's transaction says whether it was used. */
#include "authority/authorize_internal.h"

#include "authority/change.h"
#include "crypto/digest.h"
#include "jose/jsonio.h"

#include <stdlib.h>

void authorization_done(struct authorization *a)
{
	chain_done(&a->credential);
	ott_done(&a->ott);
	*a = (struct authorization){ 0 };
}

enum status authorization_book(const struct authorization *a, struct change *c, struct error *e)
{
	if (!(c->token_id = text_dup(slice_cstr(a->token_id))))
		return error_nomem(e);
	c->token_exp = a->token_exp;
	if (!a->credential.n)
		return ST_OK;
	const struct cert_facts *f = cert_facts(a->credential.v[0]);
	c->has_credential = true;
	if (a->credential_ours)
		memcpy(c->credential, f->serial_text, sizeof c->credential);
	return digest_sha256(f->spki, c->credential_key, e);
}

/* --- audiences ---------------------------------------------------------------------------------------------------- */

static const char legacy_audience[] = "step-certificate-authority";

static const struct {
	bool legacy; /* the legacy audience is good too */
	const char *paths[4];
} audiences[] = {
	[OP_SIGN] = { true, { "/1.0/sign", "/sign", "/1.0/ssh/sign", "/ssh/sign" } },
	[OP_RENEW] = { false, { "/1.0/renew", "/renew" } },
	[OP_REKEY] = { false, { "/1.0/rekey", "/rekey" } },
	[OP_REVOKE] = { true, { "/1.0/revoke", "/revoke" } },
	[OP_REVOKE_LINE] = { false, { "/1.0/revoke-line", "/revoke-line" } },
};
_Static_assert(COUNT_OF(audiences) == OP_COUNT, "an operation has no audiences");

static struct slice tail(struct slice s, size_t from)
{
	return slice_of(s.p + from, s.n - from);
}

static bool starts(struct slice s, const char *with)
{
	size_t n = strlen(with);
	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* The offset of the first of these bytes, or s.n. */
static size_t find_any(struct slice s, const char *bytes)
{
	size_t at = s.n;
	for (; *bytes; bytes++) {
		size_t i = slice_find(s, (uint8_t)*bytes);
		at = i < at ? i : at;
	}
	return at;
}

/* ":9000", ":" or nothing. */
static bool is_port(struct slice s)
{
	if (s.n && s.p[0] != ':')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

/* "ca.example" of "ca.example:9000", "[::1]" of "[::1]:9000"; empty where it is neither: "::1" has no brackets, so
 * what is its port cannot be said. */
static struct slice host_without_port(struct slice authority)
{
	size_t end;
	if (authority.n && authority.p[0] == '[') {
		end = slice_find(authority, ']');
		if (end == authority.n)
			return SLICE_NONE;
		end++;
	} else {
		end = slice_find(authority, ':');
	}
	return is_port(tail(authority, end)) ? slice_of(authority.p, end) : SLICE_NONE;
}

/* One of ca.json's dnsNames is this host of a URL. A name that is a bare IPv6 address wants the brackets. */
static bool name_is_host(const char *name, struct slice host)
{
	struct slice n = slice_cstr(name);
	size_t colon = slice_find(n, ':');
	bool bare_ip6 = n.n && n.p[0] != '[' && colon < n.n && slice_find(tail(n, colon + 1), ':') < n.n - colon - 1;
	if (bare_ip6)
		return host.n == n.n + 2 && host.p[0] == '[' && slice_eq(slice_of(host.p + 1, n.n), n);
	n = host_without_port(n);
	return n.n && slice_eq(n, host);
}

static bool path_matches(enum operation op, struct slice path)
{
	for (size_t i = 0; i < COUNT_OF(audiences[op].paths) && audiences[op].paths[i]; i++)
		if (slice_is(path, audiences[op].paths[i]))
			return true;
	return false;
}

/* What follows the first '#'; false where there is none. */
static bool cut_fragment(struct slice *url, struct slice *ret)
{
	size_t at = slice_find(*url, '#');
	if (at == url->n)
		return false;
	*ret = tail(*url, at + 1);
	url->n = at;
	return true;
}

bool audience_matches(const struct authority *a, enum operation op, const char *aud, const char *fragment)
{
	struct slice url = slice_cstr(aud), fragment_is = SLICE_NONE;
	bool has_fragment = cut_fragment(&url, &fragment_is);

	if (has_fragment != (fragment != NULL) || (fragment && !slice_is(fragment_is, fragment)))
		return false;
	/* Resolved against a URL with a fragment, the legacy name becomes a path. */
	if (slice_is(has_fragment && starts(url, "/") ? tail(url, 1) : url, legacy_audience))
		return audiences[op].legacy && has_fragment == starts(url, "/");
	if (!starts(url, "https://"))
		return false;
	url = tail(url, strlen("https://"));
	size_t end = find_any(url, "/?");
	struct slice host = host_without_port(slice_of(url.p, end));
	if (!host.n || !path_matches(op, tail(url, end)))
		return false;
	for (size_t i = 0; i < a->dns_n; i++)
		if (name_is_host(a->dns_names[i], host))
			return true;
	return false;
}

bool authorize_audience(const struct authority *a, unsigned ops, const struct ott *t, const char *fragment)
{
	for (size_t i = 0; i < t->aud_n; i++)
		for (enum operation op = 0; op < OP_COUNT; op++)
			if ((ops & 1u << op) && audience_matches(a, op, t->aud[i], fragment))
				return true;
	return false;
}

/* --- the provisioner ---------------------------------------------------------------------------------------------- */

static const char *first_fragment(const struct ott *t)
{
	for (size_t i = 0; i < t->aud_n; i++) {
		const char *hash = strchr(t->aud[i], '#');
		if (hash && hash[1])
			return hash + 1;
	}
	return NULL;
}

static enum status find_by_iss_and_kid(const struct authority *a, const struct ott *t, const struct provisioner **ret,
                                       struct error *e)
{
	AUTO(buf_done) struct buf id = BUF_INIT(JWS_MAX);
	enum status st;
	buf_adds(&id, t->iss ? t->iss : "");
	buf_addc(&id, ':');
	buf_add_slice(&id, jws_kid(&t->jws));
	if ((st = buf_check(&id, e)))
		return st;
	*ret = authority_find_provisioner(a, buf_cstr(&id));
	return ST_OK;
}

/* OIDC and cloud tokens name their provisioner by azp, aud or tid. None of these types is served here: finding them
 * only makes for a better refusal. */
static const struct provisioner *find_by_client_id(const struct authority *a, const struct ott *t)
{
	const char *ids[] = { json_string_value(json_object_get(t->claims, "azp")), t->aud_n ? t->aud[0] : NULL,
		              json_string_value(json_object_get(t->claims, "tid")) };
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		const struct provisioner *p = ids[i] ? authority_find_provisioner(a, ids[i]) : NULL;
		if (p && p->type != PROV_JWK)
			return p;
	}
	return NULL;
}

/* spec/server.md §2.3. *ret is NULL where there is none. Trusts nothing: the signature has not been looked at. */
static enum status find_provisioner(const struct authority *a, const struct ott *t, const struct provisioner **ret,
                                    struct error *e)
{
	const char *fragment = first_fragment(t);
	*ret = NULL;
	if (!authorize_audience(a, ~0u, t, fragment))
		*ret = find_by_client_id(a, t);
	else if (fragment)
		*ret = authority_find_provisioner(a, fragment);
	else
		return find_by_iss_and_kid(a, t, ret, e);
	return ST_OK;
}

/* Types whose tokens we verify, and types that have no token flow at all, whatever their configuration. */
static bool has_token_flow(const struct provisioner *p)
{
	return p->type == PROV_JWK || p->type == PROV_X5C;
}

static bool never_has_token_flow(const struct provisioner *p)
{
	return p->type == PROV_ACME || p->type == PROV_SCEP || p->type == PROV_SSHPOP;
}

static bool serves_tokens(const struct provisioner *p, struct verdict *v)
{
	const char *disabled = p->disabled                              ? p->disabled
	                       : p->type == PROV_JWK && !p->key.key     ? "it has no key"
	                       : p->type == PROV_X5C && !p->credentials ? "it has no roots"
	                                                                : NULL;
	if (never_has_token_flow(p) || (!disabled && !has_token_flow(p))) {
		verdict_refuse(v, REFUSAL_MALFORMED, "provisioner \"%s\" (%s) has no token flow", p->name, p->id);
		verdict_tell(v, "token flow is not supported");
		return false;
	}
	if (disabled) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "provisioner \"%s\" is disabled: %s", p->name, disabled);
		verdict_tell(v, "provisioner \"%s\" is disabled due to an initialization error", p->name);
		verdict_advise(v, "correct the provisioner in ca.json and reload");
		return false;
	}
	return true;
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

static enum token_fault refuse_time(enum token_fault fault, struct verdict *v, const char *what, struct wall t)
{
	char text[WALL_TEXT];
	if (t.s < WALL_MIN_S || t.s > WALL_MAX_S)
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "token %s %lld", what, (long long)t.s);
	else
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "token %s %s", what, wall_go(t, text));
	return fault;
}

enum token_fault authorize_time(const struct authority *a, const struct ott *t, struct wall now,
                                struct wall store_created, struct verdict *v)
{
	if (!t->has_exp) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "token has no exp claim: it would be good for ever");
		verdict_advise(v, "make tokens with `step ca token`, or set exp");
		return TOKEN_ENDLESS;
	}
	if (now.s - TOKEN_LEEWAY_S > t->exp.s)
		return refuse_time(TOKEN_EXPIRED, v, "expired (exp) on", t->exp);
	if (t->has_nbf && now.s + TOKEN_LEEWAY_S < t->nbf.s)
		return refuse_time(TOKEN_TOO_EARLY, v, "is not valid before (nbf)", t->nbf);
	if (t->has_iat && now.s + TOKEN_LEEWAY_S < t->iat.s)
		return refuse_time(TOKEN_FROM_FUTURE, v, "was issued in the future (iat), at", t->iat);
	if (t->has_iat && t->iat.s < store_created.s && !a->disable_issued_at_check) {
		refuse_time(TOKEN_TOO_OLD, v, "is older than this CA's store (iat), of", t->iat);
		verdict_advise(v, "make a new token; authority.disableIssuedAtCheck lifts this check");
		return TOKEN_TOO_OLD;
	}
	if (!t->has_iat && a->store_forgets && !a->disable_issued_at_check) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "token has no iat claim: without a database it could be used again after a restart");
		verdict_advise(v, "make tokens with `step ca token`, or set iat, or add a \"db\" stanza to ca.json");
		return TOKEN_TOO_OLD;
	}
	return TOKEN_IN_TIME;
}

static bool claims_are_good(const struct authority *a, enum operation op, const struct authorization *auth,
                            struct wall now, struct wall store_created, struct verdict *v)
{
	const struct ott *t = &auth->ott;
	if (!t->iss || strcmp(t->iss, auth->prov->name)) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "token issuer (iss) is not the provisioner's name");
		return false;
	}
	if (authorize_time(a, t, now, store_created, v))
		return false;
	/* A JWK provisioner is found by key; any other is named by the fragment of the audience. */
	if (!authorize_audience(a, 1u << op, t, auth->prov->type == PROV_JWK ? NULL : auth->prov->id)) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "token audience (aud) %.200s is not for this operation of this CA",
		               t->aud_n ? t->aud[0] : "(none)");
		verdict_advise(v, "make the token for this CA's URL and this operation; dnsNames lists the CA's names");
		return false;
	}
	if (!t->sub || !*t->sub) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "token subject (sub) is empty");
		return false;
	}
	return true;
}

/* --- */

enum status authorize_token_id(struct slice whose, const struct ott *t, char out[TOKEN_ID_TEXT], struct error *e)
{
	AUTO(buf_done) struct buf b = BUF_INIT(2 * JWS_MAX);
	enum status st;
	buf_add_slice(&b, whose);
	buf_addc(&b, '\0');
	buf_adds(&b, t->jti && *t->jti ? t->jti : t->id);
	if ((st = buf_check(&b, e)))
		return st;
	return digest_sha256_hex(buf_slice(&b), out, e);
}

enum status authorize_refuse_or_fail(enum status st, const char *what, struct verdict *v, const struct error *e)
{
	if (st != ST_INVALID && st != ST_DENIED && st != ST_LIMIT && st != ST_MISSING && st != ST_EXPIRED)
		return st;
	verdict_refuse(v, REFUSAL_UNAUTHORIZED, "%s: %s", what, e->text);
	return ST_OK;
}

static enum status verify(const struct authority *a, struct authorization *auth, struct wall now, struct verdict *v,
                          struct error *e)
{
	EVP_PKEY *key = auth->prov->key.key;
	enum status st;
	if (auth->prov->type == PROV_X5C) {
		if ((st = credential_take(a, auth, now, v, e)) || v->refusal)
			return st;
		key = cert_key(auth->credential.v[0]);
	}
	if ((st = jws_verify(&auth->ott.jws, key, e)))
		return authorize_refuse_or_fail(st, "token signature", v, e);
	return ST_OK;
}

enum status authorize_token(const struct authority *a, enum operation op, struct slice token, struct wall now,
                            struct wall store_created, struct authorization *ret, struct verdict *v, struct error *e)
{
	AUTO(authorization_done) struct authorization auth = { 0 };
	enum status st;

	*v = VERDICT_GRANTED;
	if ((st = ott_parse(token, &auth.ott, e)) == ST_LIMIT) { /* nobody's credentials are at fault */
		verdict_refuse_told(v, REFUSAL_MALFORMED, "%s", e->text);
		return ST_OK;
	}
	if (st)
		return authorize_refuse_or_fail(st, "token", v, e);
	if ((st = find_provisioner(a, &auth.ott, &auth.prov, e)))
		return st;
	if (!auth.prov) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "no provisioner fits the token's aud, iss (%.64s) and kid (%.*s)",
		               auth.ott.iss ? auth.ott.iss : "", SLICE_FMT(jws_kid(&auth.ott.jws)));
		return ST_OK;
	}
	if (!serves_tokens(auth.prov, v))
		return ST_OK;
	if ((st = verify(a, &auth, now, v, e)) || v->refusal)
		return st;
	if (!claims_are_good(a, op, &auth, now, store_created, v))
		return ST_OK;
	if ((st = authorize_token_id(slice_cstr(auth.prov->id), &auth.ott, auth.token_id, e)))
		return st;
	auth.token_exp = auth.ott.exp.s > WALL_MAX_S ? (struct wall){ WALL_MAX_S } : auth.ott.exp;
	*ret = auth;
	auth = (struct authorization){ 0 };
	return ST_OK;
}
