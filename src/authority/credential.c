/* credential.c - tokens that bring the certificate of the key that signed them. */
#include "authority/authorize_internal.h"

#include "base/b64.h"
#include "jose/jsonio.h"

enum { CREDENTIAL_CERTS_MAX = 16 };

static enum status add_cert(const json_t *text, struct chain *ret, struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	AUTO(cert_unref_p) struct cert *c = NULL;
	if (!json_is_string(text))
		return error_set(e, ST_INVALID, "not text");
	enum status st = b64_decode(&der, jsonio_text(text), B64_STD, e);
	if (!st)
		st = cert_parse(buf_slice(&der), &c, e);
	return st ? st : chain_add(ret, c, e);
}

enum status credential_parse(const struct ott *t, const char *member, struct chain *ret, struct error *e)
{
	AUTO(chain_done) struct chain certs = { 0 };
	const json_t *list = json_object_get(t->jws.header, member);
	size_t n = json_array_size(list);
	if (!n)
		return error_set(e, ST_INVALID, "the header has no certificates in %s", member);
	if (n > CREDENTIAL_CERTS_MAX)
		return error_set(e, ST_LIMIT, "%s has more than %d certificates", member, CREDENTIAL_CERTS_MAX);
	for (size_t i = 0; i < n; i++)
		if (add_cert(json_array_get(list, i), &certs, e))
			return error_wrap(e, "%s[%zu]", member, i);
	*ret = certs;
	certs = (struct chain){ 0 };
	return ST_OK;
}

/* Did this CA issue it? Then the store knows whether it is revoked. A path now, not a name: names are free. */
static enum status ours(const struct authority *a, const struct chain *certs, struct wall now, bool *ret,
                        struct error *e)
{
	struct error why = ERROR_INIT;
	enum status st = trust_verify(a->client_trust, certs->v[0], certs, now, TRUST_ANY, &why);
	if (st && st != ST_DENIED && st != ST_EXPIRED) {
		*e = why;
		return st;
	}
	*ret = !st;
	return ST_OK;
}

enum status credential_take(const struct authority *a, struct authorization *auth, struct wall now, struct verdict *v,
                            struct error *e)
{
	enum status st;
	if ((st = credential_parse(&auth->ott, "x5c", &auth->credential, e)))
		return authorize_refuse_or_fail(st, "token", v, e);
	const struct cert_facts *f = cert_facts(auth->credential.v[0]);
	if ((st = trust_verify(auth->prov->credentials, auth->credential.v[0], &auth->credential, now, TRUST_CLIENT,
	                       e)))
		return authorize_refuse_or_fail(st, "token certificate", v, e);
	/* As strict as the peer: what may make certificates says so itself. */
	if (!f->has_key_usage || !(f->key_usage & KU_DIGITAL_SIGNATURE)) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "token certificate %s (%.64s): its key usage lacks digitalSignature", f->serial_text,
		               f->common_name);
		return ST_OK;
	}
	return ours(a, &auth->credential, now, &auth->credential_ours, e);
}
