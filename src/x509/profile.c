#include "x509/profile.h"

#include "crypto/keys.h"

static const char *const tls_usages[] = { OID_SERVER_AUTH, OID_CLIENT_AUTH };

enum status profile_leaf(EVP_PKEY *key, struct slice spki, struct slice issuer_key_id, const struct san_list *sans,
                         bool subject_is_empty, const char *crl_url, const struct provisioner_ext *prov,
                         struct buf *out, struct error *e)
{
	bool rsa = key_facts_of(key).kind == KEY_RSA;
	ext_add_key_usage(out, KU_DIGITAL_SIGNATURE | (rsa ? KU_KEY_ENCIPHERMENT : 0));
	ext_add_ext_key_usage(out, tls_usages, COUNT_OF(tls_usages));
	if (ext_add_subject_key_id(out, spki, e))
		return e->status;
	if (issuer_key_id.n)
		ext_add_authority_key_id(out, issuer_key_id);
	/* RFC 5280 §4.2.1.6: "If the subject field contains an empty sequence, then the issuing CA MUST include a
	 * subjectAltName extension that is marked as critical." */
	if (sans && sans->n && ext_add_san(out, sans, subject_is_empty, e))
		return e->status;
	if (crl_url)
		ext_add_crl_point(out, crl_url);
	if (prov)
		ext_add_provisioner(out, prov);
	return buf_check(out, e);
}

enum status profile_ca(struct slice spki, int path_len, struct slice issuer_key_id, struct buf *out, struct error *e)
{
	ext_add_key_usage(out, KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	ext_add_basic_constraints(out, true, path_len);
	if (ext_add_subject_key_id(out, spki, e))
		return e->status;
	if (issuer_key_id.n)
		ext_add_authority_key_id(out, issuer_key_id);
	return buf_check(out, e);
}

/* Before this extension the CRL's place belongs: in place of the old one, else as a new certificate has it. */
static enum status find_point_place(struct slice rest, struct slice *ret, struct error *e)
{
	struct ext x;
	bool old = false;
	while (rest.n && !old) {
		if (ext_next(&rest, &x, e))
			return e->status;
		old = !strcmp(x.oid, OID_CRL_POINTS);
		if (old || !strcmp(x.oid, OID_PROVISIONER))
			*ret = x.whole;
	}
	return ST_OK;
}

enum status profile_renewed(const struct cert *parent, struct slice issuer_key_id, struct slice rekeyed_spki,
                            const char *crl_url, struct buf *out, struct error *e)
{
	struct slice rest = cert_facts(parent)->extensions, place = SLICE_NONE;
	struct ext x;
	if ((rekeyed_spki.n && ext_add_subject_key_id(out, rekeyed_spki, e)) ||
	    (crl_url && find_point_place(rest, &place, e)))
		return e->status;
	if (issuer_key_id.n)
		ext_add_authority_key_id(out, issuer_key_id);
	while (rest.n) {
		if (ext_next(&rest, &x, e))
			return e->status;
		if (crl_url && x.whole.p == place.p)
			ext_add_crl_point(out, crl_url);
		bool made_anew = !strcmp(x.oid, OID_AUTHORITY_KEY_ID) ||
		                 (rekeyed_spki.n && !strcmp(x.oid, OID_SUBJECT_KEY_ID)) ||
		                 (crl_url && !strcmp(x.oid, OID_CRL_POINTS));
		if (!made_anew)
			buf_add_slice(out, x.whole);
	}
	if (crl_url && !place.n)
		ext_add_crl_point(out, crl_url);
	return buf_check(out, e);
}
