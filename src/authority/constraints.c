#include "authority/constraints.h"

#include "crypto/ossl.h"
#include "x509/auto.h"
#include <openssl/x509v3.h>

DEFINE_AUTO(NAME_CONSTRAINTS *, NAME_CONSTRAINTS_free);
DEFINE_AUTO(GENERAL_NAMES *, GENERAL_NAMES_free);

/* X509_V_OK, or what is wrong. OpenSSL looks at names that it has cached: X509_check_purpose makes it do so. */
static int check(X509 *x, NAME_CONSTRAINTS *nc)
{
	X509_check_purpose(x, -1, -1);
	int code = NAME_CONSTRAINTS_check(x, nc);
	ossl_forget_errors();
	return code;
}

/* One name alone, in a certificate that is nothing else. */
static enum status check_name(const struct san *name, NAME_CONSTRAINTS *nc, int *ret_code, struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	AUTO(GENERAL_NAMES_free_p) GENERAL_NAMES *names = NULL;
	AUTO(X509_free_p) X509 *x = X509_new();
	struct san copy = *name;
	enum status st = san_list_encode(&(struct san_list){ &copy, 1 }, &der, e);
	if (st)
		return st;
	const uint8_t *p = der.p;
	if (!x || !(names = d2i_GENERAL_NAMES(NULL, &p, (long)der.n)) ||
	    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
		return error_ossl(e, ST_CRYPTO, "name constraints");
	*ret_code = check(x, nc);
	return ST_OK;
}

static void refuse(struct verdict *v, const char *noun, const char *name, int code)
{
	bool excluded = code == X509_V_ERR_EXCLUDED_VIOLATION;
	verdict_refuse_told(v, REFUSAL_FORBIDDEN, "%s \"%.200s\" is %s constraint", noun, name,
	                    excluded ? "excluded by a" : "not permitted by any");
	v->bare = true; /* as in the peer */
	verdict_advise(v, "the issuer's certificate limits the names; see its X509v3 Name Constraints");
}

/* It is known that something is not permitted: what? */
static enum status blame(const struct cert *leaf, NAME_CONSTRAINTS *nc, int code, struct verdict *v, struct error *e)
{
	static const char *const nouns[] = {
		[SAN_DNS] = "DNS name",
		[SAN_EMAIL] = "email address",
		[SAN_IP] = "IP address",
		[SAN_URI] = "URI",
	};
	const struct cert_facts *f = cert_facts(leaf);
	for (size_t i = 0; i < f->sans->n; i++) {
		const struct san *name = &f->sans->v[i];
		int of_name;
		if (name->type == SAN_OTHER)
			continue;
		enum status st = check_name(name, nc, &of_name, e);
		if (st)
			return st;
		if (of_name != X509_V_OK) {
			refuse(v, nouns[name->type], name->text, of_name);
			return ST_OK;
		}
	}
	refuse(v, "subject", f->common_name, code);
	return ST_OK;
}

static enum status check_by(const struct cert *ca, const struct cert *leaf, struct verdict *v, struct error *e)
{
	int found;
	AUTO(NAME_CONSTRAINTS_free_p)
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(cert_x509(ca), NID_name_constraints, &found, NULL);
	if (!nc && found == -1)
		return ST_OK;
	if (!nc)
		return error_ossl(e, ST_INVALID, "name constraints of %s", cert_facts(ca)->common_name);
	X509 *form = cert_x509(leaf);
	if (!form)
		return error_ossl(e, ST_INVALID, "certificate");
	int code = check(form, nc);
	return code == X509_V_OK ? ST_OK : blame(leaf, nc, code, v, e);
}

enum status constraints_check(const struct authority *a, const struct cert *leaf, struct verdict *v, struct error *e)
{
	const struct cert_facts *last = cert_facts(a->issuers.v[a->issuers.n - 1]);
	enum status st;
	for (size_t i = 0; i < a->issuers.n; i++)
		if ((st = check_by(a->issuers.v[i], leaf, v, e)) || v->refusal)
			return st;
	for (size_t i = 0; i < a->roots.n; i++)
		if (slice_eq(cert_facts(a->roots.v[i])->subject, last->issuer) &&
		    ((st = check_by(a->roots.v[i], leaf, v, e)) || v->refusal))
			return st;
	return ST_OK;
}
