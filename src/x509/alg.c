/* Signature algorithms by their AlgorithmIdentifier. Declared in cert.h. */
#include "x509/cert.h"

/* Those that we read and never make; the names are Go's. */
static const struct {
	const char *oid, *name;
} others[] = {
	{ "1.2.840.113549.1.1.4", "MD5-RSA" },      { "1.2.840.113549.1.1.5", "SHA1-RSA" },
	{ "1.2.840.113549.1.1.10", "RSAPSS" },      { "1.2.840.10040.4.3", "DSA-SHA1" },
	{ "2.16.840.1.101.3.4.3.2", "DSA-SHA256" }, { "1.2.840.10045.4.1", "ECDSA-SHA1" },
	{ "1.2.840.10045.4.3.1", "ECDSA-SHA224" },  { "1.3.101.113", "Ed448" },
};

static const struct {
	const char *hash;
	enum sign_alg alg;
} pss[] = {
	{ "2.16.840.1.101.3.4.2.1", SIGN_PSS_SHA256 },
	{ "2.16.840.1.101.3.4.2.2", SIGN_PSS_SHA384 },
	{ "2.16.840.1.101.3.4.2.3", SIGN_PSS_SHA512 },
};

static enum status alg_oid(struct slice alg, char oid[OID_TEXT], struct slice *ret_params, struct error *e)
{
	struct der d;
	if (der_only(alg, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (der_expect(&rest, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
		return e->status;
	*ret_params = rest;
	return ST_OK;
}

/* RFC 4055 §3.1: [0] EXPLICIT hashAlgorithm; whether it carries a NULL differs between writers. */
static bool find_pss(struct slice params, enum sign_alg *ret)
{
	struct error e;
	struct der d;
	char oid[OID_TEXT];
	if (der_only(params, DER_SEQUENCE, &d, &e))
		return false;
	params = d.body;
	if (der_expect(&params, 0xa0, &d, &e) || alg_oid(d.body, oid, &params, &e))
		return false;
	for (size_t i = 0; i < COUNT_OF(pss); i++)
		if (!strcmp(pss[i].hash, oid)) {
			*ret = pss[i].alg;
			return true;
		}
	return false;
}

static bool find(struct slice der, enum sign_alg *ret)
{
	struct error e;
	struct slice params;
	char oid[OID_TEXT];
	for (enum sign_alg alg = 0; alg < SIGN_ALG_COUNT; alg++)
		if (slice_eq(der, sign_alg_der(alg))) {
			*ret = alg;
			return true;
		}
	return !alg_oid(der, oid, &params, &e) && !strcmp(oid, "1.2.840.113549.1.1.10") && find_pss(params, ret);
}

enum status sign_alg_of(struct slice der, enum sign_alg *ret, struct error *e)
{
	char name[OID_TEXT];
	if (find(der, ret))
		return ST_OK;
	return error_set(e, ST_INVALID, "signature algorithm %s is not supported", alg_name(der, name));
}

enum status cert_sign_alg(const struct cert *c, enum sign_alg *ret, struct error *e)
{
	return sign_alg_of(cert_facts(c)->signature_alg, ret, e) ? error_wrap(e, "certificate") : ST_OK;
}

const char *alg_name(struct slice der, char out[OID_TEXT])
{
	struct error e;
	enum sign_alg alg;
	struct slice params;
	if (find(der, &alg))
		return sign_alg_name(alg);
	if (alg_oid(der, out, &params, &e))
		return "unknown";
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (!strcmp(others[i].oid, out))
			return others[i].name;
	return out;
}
