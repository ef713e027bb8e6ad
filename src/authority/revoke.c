#include "authority/revoke.h"

#include <stdio.h>

enum { REASON_CODE_MAX = 10 }; /* RFC 5280 §5.3.1: aACompromise */

enum status revoke_check(const struct revoke_request *r, char ret_serial[SERIAL_TEXT], struct verdict *v,
                         struct error *e)
{
	char serial[SERIAL_TEXT];
	*v = VERDICT_GRANTED;
	if (!r->serial.n) {
		verdict_refuse_told(v, REFUSAL_MALFORMED, "missing serial");
		return ST_OK;
	}
	enum status st = serial_normalize(r->serial, serial, e);
	if (st == ST_INVALID || st == ST_LIMIT) {
		verdict_refuse_told(v, REFUSAL_MALFORMED,
		                    "'%.*s' is not a valid serial number - use a base 10 representation or a base 16 "
		                    "representation with '0x' prefix",
		                    r->serial.n < 128 ? (int)r->serial.n : 128, (const char *)r->serial.p);
		return ST_OK;
	}
	if (st)
		return st;
	if (r->reason_code < 0 || r->reason_code > REASON_CODE_MAX) {
		verdict_refuse_told(v, REFUSAL_MALFORMED, "reasonCode out of bounds");
		return ST_OK;
	}
	if (!r->passive) {
		verdict_refuse(v, REFUSAL_UNSUPPORTED, "only passive revocation is implemented");
		verdict_advise(v, "send \"passive\": true");
		return ST_OK;
	}
	memcpy(ret_serial, serial, SERIAL_TEXT);
	return ST_OK;
}

static bool fits(const char *serial, const char *authorized, const char *noun, struct verdict *v)
{
	if (!strcmp(serial, authorized))
		return true;
	verdict_refuse_told(v, REFUSAL_FORBIDDEN, "request serial number \"%s\" and %s \"%.128s\" do not match", serial,
	                    noun, authorized);
	return false;
}

/* The provisioner that a change is booked under: the token's, or the one in the certificate. */
static char *provisioner_id_of(const struct authorization *auth, const struct cert *peer)
{
	AUTO(buf_done) struct buf id = BUF_INIT(4096);
	if (auth) {
		buf_adds(&id, auth->prov->id);
	} else {
		const struct cert_facts *f = cert_facts(peer);
		if (f->has_provisioner)
			provisioner_format_id(&id, f->provisioner.type, f->provisioner.name,
			                      f->provisioner.credential_id);
	}
	return buf_take(&id);
}

static enum status new_change(enum change_kind kind, const struct authorization *auth, const struct cert *peer,
                              struct wall now, struct change **ret, struct error *e)
{
	AUTO(change_free_p) struct change *c = change_new(kind);
	if (!c)
		return error_nomem(e);
	c->at = now;
	c->mtls = peer != NULL;
	if (!(c->provisioner_id = provisioner_id_of(auth, peer)))
		return error_nomem(e);
	enum status st = auth ? authorization_book(auth, c, e) : ST_OK;
	if (st)
		return st;
	*ret = TAKE(c);
	return ST_OK;
}

enum status revoke_decide(const struct revoke_request *r, const char *serial, const struct authorization *auth,
                          const struct cert *peer, struct wall now, struct change **ret, struct verdict *v,
                          struct error *e)
{
	AUTO(change_free_p) struct change *c = NULL;
	enum status st;

	if (!auth == !peer)
		return error_set(e, ST_BUG, "a revocation comes by a token or by a certificate, not by both or none");
	*v = VERDICT_GRANTED;
	bool allowed = auth ? fits(serial, auth->ott.sub, "token subject", v)
	                    : fits(serial, cert_facts(peer)->serial_text, "certificate serial number", v);
	if (!allowed && peer) {
		*ret = NULL;
		return ST_OK;
	}
	/* A token that was good stays used, whatever it was used for. */
	if ((st = new_change(allowed ? CHANGE_REVOKE : CHANGE_BURN, auth, peer, now, &c, e)))
		return st;
	if (allowed) {
		snprintf(c->serial, sizeof c->serial, "%s", serial);
		c->reason_code = (int)r->reason_code;
		c->own_only = auth && auth->prov->type == PROV_X5C; /* a certificate is no administrator */
		if (!(c->reason = text_dup(r->reason)))
			return error_nomem(e);
	}
	*ret = TAKE(c);
	return ST_OK;
}

/* --- a whole line ------------------------------------------------------------------------------------------------- */

static bool scope_parse(struct slice text, enum line_scope *ret)
{
	for (enum line_scope s = 0; s < SCOPE_COUNT; s++) {
		if (!slice_is(text, line_scope_name(s)))
			continue;
		*ret = s;
		return true;
	}
	return false;
}

enum status revoke_line_check(const struct revoke_line_request *r, char ret_serial[SERIAL_TEXT],
                              enum line_scope *ret_scope, struct verdict *v, struct error *e)
{
	const struct revoke_request one = { r->serial, r->reason_code, r->reason, true };
	enum line_scope scope;
	char serial[SERIAL_TEXT];
	enum status st = revoke_check(&one, serial, v, e);
	if (st || v->refusal)
		return st;
	if (!scope_parse(r->scope, &scope)) {
		verdict_refuse_told(v, REFUSAL_MALFORMED, "scope must be \"lineage\" or \"descendants\"");
		return ST_OK;
	}
	memcpy(ret_serial, serial, SERIAL_TEXT);
	*ret_scope = scope;
	return ST_OK;
}

/* Only a token that was made for it: a revocation token is for one certificate, and a certificate speaks for itself
 * alone. */
static bool line_allowed(const char *serial, enum line_scope scope, const struct authorization *auth, struct verdict *v)
{
	if (auth->prov->type != PROV_JWK) {
		verdict_refuse_told(v, REFUSAL_FORBIDDEN, "only a JWK provisioner's token can revoke a line");
		return false;
	}
	if (!auth->ott.revoke_scope || strcmp(auth->ott.revoke_scope, line_scope_name(scope)) != 0) {
		verdict_refuse_told(v, REFUSAL_FORBIDDEN, "the token was not made to revoke with the scope \"%s\"",
		                    line_scope_name(scope));
		verdict_advise(v, "make it with `step ca token --revoke --%s`", line_scope_name(scope));
		return false;
	}
	return fits(serial, auth->ott.sub, "token subject", v);
}

enum status revoke_line_decide(const struct revoke_line_request *r, const char *serial, enum line_scope scope,
                               const struct authorization *auth, struct wall now, struct change **ret,
                               struct verdict *v, struct error *e)
{
	AUTO(change_free_p) struct change *c = NULL;
	enum status st;

	*v = VERDICT_GRANTED;
	bool allowed = line_allowed(serial, scope, auth, v);
	if ((st = new_change(allowed ? CHANGE_REVOKE_LINE : CHANGE_BURN, auth, NULL, now, &c, e)))
		return st;
	if (allowed) {
		snprintf(c->serial, sizeof c->serial, "%s", serial);
		c->scope = scope;
		c->reason_code = (int)r->reason_code;
		if (!(c->reason = text_dup(r->reason)))
			return error_nomem(e);
	}
	*ret = TAKE(c);
	return ST_OK;
}

/* --- by an administrator of the CA's machine ---------------------------------------------------------------------- */

static enum status new_admin_change(enum change_kind kind, const char *who, struct wall now, struct change **ret,
                                    struct error *e)
{
	AUTO(change_free_p) struct change *c = change_new(kind);
	if (!c || !(c->provisioner_id = text_dup(slice_cstr(who))))
		return error_nomem(e);
	c->at = now;
	*ret = TAKE(c);
	return ST_OK;
}

enum status revoke_by_admin(const struct revoke_request *r, const char *serial, const char *who, struct wall now,
                            struct change **ret, struct error *e)
{
	AUTO(change_free_p) struct change *c = NULL;
	if (new_admin_change(CHANGE_REVOKE, who, now, &c, e))
		return e->status;
	snprintf(c->serial, sizeof c->serial, "%s", serial);
	c->reason_code = (int)r->reason_code;
	if (!(c->reason = text_dup(r->reason)))
		return error_nomem(e);
	*ret = TAKE(c);
	return ST_OK;
}

enum status revoke_line_by_admin(const struct revoke_line_request *r, const char *serial, enum line_scope scope,
                                 const char *who, struct wall now, struct change **ret, struct error *e)
{
	const struct revoke_request one = { .reason_code = r->reason_code, .reason = r->reason };
	AUTO(change_free_p) struct change *c = NULL;
	if (revoke_by_admin(&one, serial, who, now, &c, e))
		return e->status;
	c->kind = CHANGE_REVOKE_LINE;
	c->scope = scope;
	*ret = TAKE(c);
	return ST_OK;
}
