#include "authority/issue_internal.h"

#include "authority/constraints.h"
#include "crypto/keys.h"
#include "x509/name.h"
#include "x509/profile.h"
#include <openssl/evp.h>

#include <stdlib.h>

enum { RSA_BITS_MIN = 2048, LISTENER_BACKDATE_S = 60, LISTENER_LIFE_S = 24 * 3600 };

void issued_done(struct issued *i)
{
	cert_unref(i->cert);
	change_free(i->change);
	*i = (struct issued){ 0 };
}

struct wall issue_add_ns(struct wall t, int64_t ns)
{
	int64_t s = ns / DURATION_S;
	return (struct wall){ t.s + s - (ns % DURATION_S < 0) };
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* The peer tells the key's type by its Go name. */
static const char *go_type_name(const EVP_PKEY *key)
{
	static const struct {
		int id;
		const char *name;
	} names[] = {
		{ EVP_PKEY_DSA, "*dsa.PublicKey" },
		{ EVP_PKEY_EC, "*ecdsa.PublicKey" },
		{ EVP_PKEY_RSA, "*rsa.PublicKey" },
		{ EVP_PKEY_X25519, "*ecdh.PublicKey" },
	};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (EVP_PKEY_get_base_id(key) == names[i].id)
			return names[i].name;
	return "<nil>";
}

enum status issue_check_key(const struct csr *csr, struct verdict *v, struct error *e)
{
	struct key_facts k = key_facts_of(csr->key);
	if (k.kind == KEY_RSA && k.bits < RSA_BITS_MIN) {
		verdict_refuse_told(v, REFUSAL_FORBIDDEN,
		                    "certificate request RSA key must be at least %d bits (%d bytes)", RSA_BITS_MIN,
		                    RSA_BITS_MIN / 8);
		return ST_OK;
	}
	enum status st = key_supported(csr->key, e);
	if (st != ST_INVALID)
		return st;
	verdict_refuse(v, REFUSAL_MALFORMED, "certificate request key: %s", e->text);
	verdict_tell(v, "certificate request key of type '%s' is not supported", go_type_name(csr->key));
	verdict_advise(v, "make the request with a new key: EC P-256, P-384 or P-521, RSA, or Ed25519");
	return ST_OK;
}

/* --- validity ----------------------------------------------------------------------------------------------------- */

static const struct cert_facts *issuer_facts(const struct authority *a)
{
	return cert_facts(a->issuers.v[0]);
}

bool issue_clamp(const struct authority *a, struct wall now, struct validity *val, struct verdict *v)
{
	char nb[WALL_TEXT], na[WALL_TEXT];
	struct wall end = issuer_facts(a)->not_after;
	if (end.s < now.s) {
		verdict_refuse(v, REFUSAL_INTERNAL, "this CA's issuer certificate expired on %s", wall_go(end, na));
		verdict_advise(v, "make a new intermediate certificate, set crt and key in ca.json to it, and reload");
		return false;
	}
	if (val->not_before.s > end.s) {
		verdict_refuse_told(v, REFUSAL_MALFORMED,
		                    "notBefore cannot be after the expiration of the issuer; nb=%s, issuer=%s",
		                    wall_go(val->not_before, nb), wall_go(end, na));
		return false;
	}
	val->not_after = val->granted_until.s > end.s ? end : val->granted_until;
	return true;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

enum status issue_write(const struct authority *a, struct cert_draft *d, struct cert **ret, struct verdict *v,
                        struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	AUTO(cert_unref_p) struct cert *cert = NULL;
	enum status st;
	d->issuer = issuer_facts(a)->subject;
	if ((st = cert_write(d, a->signer, &der, e)) || (st = cert_parse_facts(buf_slice(&der), &cert, e)))
		return st;
	if ((st = constraints_check(a, cert, v, e)) || v->refusal)
		return st;
	*ret = TAKE(cert);
	return ST_OK;
}

static enum status name_provisioner(struct cert_row *row, const struct provisioner *p, struct error *e)
{
	AUTO(text_free_p) char *id = text_dup(slice_cstr(p->id));
	AUTO(text_free_p) char *name = text_dup(slice_cstr(p->name));
	if (!id || !name)
		return error_nomem(e);
	free(row->provisioner_id);
	free(row->provisioner_name);
	row->provisioner_id = TAKE(id);
	row->provisioner_name = TAKE(name);
	row->provisioner_type = p->type;
	return ST_OK;
}

enum status issue_change(enum change_kind kind, const struct cert *cert, const struct provisioner *prov,
                         const struct validity *val, struct wall now, struct change **ret, struct error *e)
{
	AUTO(change_free_p) struct change *c = change_new(kind);
	enum status st;
	if (!c)
		return error_nomem(e);
	if ((st = cert_row_of(cert, now, &c->cert, e)))
		return st;
	/* The extension may be disabled, and a renewed one keeps the words of an older configuration. */
	if (prov && (st = name_provisioner(&c->cert, prov, e)))
		return st;
	c->cert.granted_s = val->granted_until.s - val->not_before.s;
	c->at = now;
	*ret = TAKE(c);
	return ST_OK;
}

/* --- the CA's own certificate ------------------------------------------------------------------------------------- */

/* dnsNames of ca.json: a bracketed IPv6 address is an IP. */
static enum status listener_sans(const struct authority *a, struct san_list *ret, struct error *e)
{
	AUTO(san_list_done) struct san_list l = { 0 };
	for (size_t i = 0; i < a->dns_n; i++) {
		struct slice name = slice_cstr(a->dns_names[i]);
		if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
			name = slice_of(name.p + 1, name.n - 2);
		enum status st = san_list_add(&l, name, e);
		if (st)
			return error_wrap(e, "dnsNames[%zu]", i);
	}
	*ret = l;
	l = (struct san_list){ 0 };
	return ST_OK;
}

static enum status listener_validity(const struct authority *a, struct wall now, struct validity *ret, struct error *e)
{
	struct verdict v = VERDICT_GRANTED;
	struct validity val = { .not_before = { now.s - LISTENER_BACKDATE_S },
		                .granted_until = { now.s + LISTENER_LIFE_S } };
	if (!issue_clamp(a, now, &val, &v))
		return error_set(e, ST_EXPIRED, "%s: %s", v.reason, v.remedy);
	*ret = val;
	return ST_OK;
}

enum status issue_listener(const struct authority *a, EVP_PKEY *key, struct wall now,
                           const uint8_t serial[ISSUE_SERIAL_BYTES], struct cert **ret, struct error *e)
{
	AUTO(san_list_done) struct san_list sans = { 0 };
	AUTO(buf_done) struct buf subject = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf spki = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf extensions = BUF_INIT(CERT_MAX);
	struct name_attrs names = { .common_name = a->listener_common_name };
	struct validity val = { 0 };
	struct verdict v = VERDICT_GRANTED;
	enum status st;

	if ((st = listener_validity(a, now, &val, e)) || (st = listener_sans(a, &sans, e)))
		return st;
	if ((st = name_encode(&names, &subject, e)))
		return error_wrap(e, "commonName");
	if ((st = key_spki(key, &spki, e)))
		return st;
	if ((st = profile_leaf(key, buf_slice(&spki), issuer_facts(a)->subject_key_id, &sans,
	                       !a->listener_common_name || !*a->listener_common_name, a->crl_url, NULL, &extensions,
	                       e)))
		return st;
	struct cert_draft d = { .serial = slice_of(serial, ISSUE_SERIAL_BYTES),
		                .subject = buf_slice(&subject),
		                .spki = buf_slice(&spki),
		                .not_before = val.not_before,
		                .not_after = val.not_after,
		                .extensions = buf_slice(&extensions) };
	st = issue_write(a, &d, ret, &v, e);
	return st || !v.refusal ? st : error_set(e, ST_DENIED, "%s: %s", v.reason, v.remedy);
}
