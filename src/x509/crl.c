/* The reader. crlwriter.c shows the structure. */
#include "x509/crl.h"

static enum status take_whole(struct slice *rest, uint8_t tag, struct slice *ret, struct error *e)
{
	struct der d;
	if (der_expect(rest, tag, &d, e))
		return e->status;
	*ret = d.whole;
	return ST_OK;
}

static bool has_time(struct slice rest)
{
	return der_has(rest, DER_UTC_TIME) || der_has(rest, DER_GENERALIZED_TIME);
}

static enum status take_time(struct slice *rest, struct wall *ret, struct error *e)
{
	struct der d;
	return der_next(rest, &d, e) ? e->status : der_read_time(&d, ret, e);
}

/* INTEGER that is not negative; its magnitude. */
static enum status take_magnitude(struct slice *rest, struct slice *ret, struct error *e)
{
	struct der d;
	if (der_expect(rest, DER_INTEGER, &d, e))
		return e->status;
	if (!d.body.n || (d.body.n > 1 && d.body.p[0] == 0 && !(d.body.p[1] & 0x80)) || (d.body.p[0] & 0x80))
		return error_set(e, ST_INVALID, "a number that is negative or not DER");
	*ret = d.body;
	return ST_OK;
}

/* ---- extensions of the list ---- */

static enum status read_key_id(struct crl_facts *f, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (!der_has(rest, 0x80))
		return ST_OK;
	if (der_expect(&rest, 0x80, &d, e))
		return e->status;
	f->authority_key_id = d.body;
	return ST_OK;
}

static enum status read_number(struct crl_facts *f, struct slice value, struct error *e)
{
	return take_magnitude(&value, &f->number, e) ? e->status : der_end(value, e);
}

/* [0] DistributionPointName { [0] GeneralNames { [6] URI } }, as far as that is what it is. */
static enum status read_point_url(struct slice point, struct slice *ret, struct error *e)
{
	struct der d;
	if (!der_has(point, 0xa0))
		return ST_OK;
	if (der_only(point, 0xa0, &d, e))
		return e->status;
	struct slice names = d.body;
	if (!der_has(names, 0x86))
		return ST_OK;
	if (der_expect(&names, 0x86, &d, e))
		return e->status;
	if (!names.n)
		*ret = d.body;
	return ST_OK;
}

/* IssuingDistributionPoint (§5.2.5). [1] onlyContainsUserCerts takes nothing from a leaf; whatever else stands there
 * makes the list a part. */
static enum status read_issuing_point(struct crl_facts *f, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	for (struct slice rest = d.body; rest.n;) {
		if (der_next(&rest, &d, e))
			return e->status;
		if (d.tag == 0xa0 && read_point_url(d.body, &f->idp_url, e))
			return e->status;
		f->partial |= d.tag != 0xa0 && d.tag != 0x81;
	}
	return ST_OK;
}

static enum status read_delta(struct crl_facts *f, struct slice value, struct error *e)
{
	(void)value;
	(void)e;
	f->partial = true;
	return ST_OK;
}

static const struct {
	const char *oid;
	enum status (*read)(struct crl_facts *f, struct slice value, struct error *e);
} readers[] = {
	{ OID_AUTHORITY_KEY_ID, read_key_id },
	{ OID_CRL_NUMBER, read_number },
	{ OID_ISSUING_POINT, read_issuing_point },
	{ OID_DELTA_CRL, read_delta },
};

static enum status read_extension(void *facts, const struct ext *x, struct error *e)
{
	struct crl_facts *f = facts;
	for (size_t i = 0; i < COUNT_OF(readers); i++)
		if (!strcmp(x->oid, readers[i].oid))
			return readers[i].read(f, x->value, e) ? der_broken(e, x->oid) : ST_OK;
	f->partial |= x->critical;
	return ST_OK;
}

/* [0] EXPLICIT Extensions */
static enum status read_extensions(struct crl_facts *f, struct slice rest, struct error *e)
{
	struct der d;
	if (!rest.n)
		return ST_OK;
	if (der_expect(&rest, 0xa0, &d, e) || der_end(rest, e) || der_only(d.body, DER_SEQUENCE, &d, e))
		return e->status;
	f->extensions = d.body;
	return ext_each(f->extensions, read_extension, f, e);
}

/* ---- entries ---- */

struct raw_entry {
	struct slice serial;
	struct wall at;
	int reason;
	bool odd; /* a critical extension that we do not know: another issuer's certificate, say (§5.3.3) */
};

static enum status read_reason(struct slice value, int *ret, struct error *e)
{
	struct der d;
	return der_only(value, 0x0a, &d, e) ? e->status : der_read_small(d.body, ret, e);
}

static enum status read_entry_extension(void *entry, const struct ext *x, struct error *e)
{
	struct raw_entry *r = entry;
	if (!strcmp(x->oid, OID_CRL_REASON))
		return read_reason(x->value, &r->reason, e);
	r->odd |= x->critical;
	return ST_OK;
}

static enum status read_entry_extensions(struct slice rest, struct raw_entry *ret, struct error *e)
{
	struct der d;
	if (!rest.n)
		return ST_OK;
	return der_only(rest, DER_SEQUENCE, &d, e) ? e->status : ext_each(d.body, read_entry_extension, ret, e);
}

static enum status take_entry(struct slice *rest, struct raw_entry *ret, struct error *e)
{
	struct der d;
	*ret = (struct raw_entry){ 0 };
	if (der_expect(rest, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice in = d.body;
	if (take_magnitude(&in, &ret->serial, e) || take_time(&in, &ret->at, e) || read_entry_extensions(in, ret, e))
		return der_broken(e, "entry");
	while (ret->serial.n && !ret->serial.p[0])
		ret->serial.p++, ret->serial.n--;
	if (ret->serial.n > SERIAL_OCTETS)
		return error_set(e, ST_INVALID, "entry: serial number is longer than %d octets", SERIAL_OCTETS);
	return ST_OK;
}

enum status crl_next(struct slice *rest, struct crl_entry *ret, struct error *e)
{
	struct raw_entry raw;
	if (take_entry(rest, &raw, e))
		return e->status;
	ret->revoked_at = raw.at;
	ret->reason = raw.reason;
	return serial_format(raw.serial, ret->serial, e);
}

static enum status read_entries(struct crl_facts *f, struct error *e)
{
	struct raw_entry raw;
	for (struct slice rest = f->entries; rest.n; f->n++) {
		if (take_entry(&rest, &raw, e))
			return e->status;
		f->partial |= raw.odd;
	}
	return ST_OK;
}

/* ---- the list ---- */

static enum status read_version(struct slice *rest, int *ret, struct error *e)
{
	struct der d;
	*ret = 0; /* absent: version 1 */
	if (!der_has(*rest, DER_INTEGER))
		return ST_OK;
	if (der_expect(rest, DER_INTEGER, &d, e) || der_read_small(d.body, ret, e))
		return e->status;
	return *ret == 1 ? ST_OK : error_set(e, ST_INVALID, "version %d is unknown", *ret + 1);
}

static enum status read_tbs(struct crl_facts *f, struct slice rest, struct error *e)
{
	int version;
	struct slice alg = SLICE_NONE;
	struct der d;
	if (read_version(&rest, &version, e) || take_whole(&rest, DER_SEQUENCE, &alg, e) ||
	    take_whole(&rest, DER_SEQUENCE, &f->issuer, e) || take_time(&rest, &f->this_update, e))
		return e->status;
	if (!slice_eq(alg, f->signature_alg))
		return error_set(e, ST_INVALID, "inner and outer signature algorithm differ");
	f->has_next_update = has_time(rest);
	if (f->has_next_update && take_time(&rest, &f->next_update, e))
		return e->status;
	if (der_has(rest, DER_SEQUENCE)) {
		if (der_expect(&rest, DER_SEQUENCE, &d, e))
			return e->status;
		f->entries = d.body;
	}
	if (version == 0 && rest.n)
		return error_set(e, ST_INVALID, "extensions in a list of version 1");
	return read_entries(f, e) ? e->status : read_extensions(f, rest, e);
}

enum status crl_parse(struct slice der, struct crl_facts *ret, struct error *e)
{
	struct crl_facts f = { .der = der };
	struct der d, tbs;
	unsigned unused;
	if (der.n > CRL_MAX)
		return error_set(e, ST_LIMIT, "CRL: larger than %d bytes", CRL_MAX);
	if (der_only(der, DER_SEQUENCE, &d, e))
		return error_wrap(e, "CRL");
	struct slice rest = d.body;
	if (der_expect(&rest, DER_SEQUENCE, &tbs, e) || take_whole(&rest, DER_SEQUENCE, &f.signature_alg, e) ||
	    der_expect(&rest, DER_BIT_STRING, &d, e) || der_read_bits(d.body, &f.signature, &unused, e) ||
	    der_end(rest, e))
		return der_broken(e, "CRL");
	f.tbs = tbs.whole;
	if (read_tbs(&f, tbs.body, e))
		return der_broken(e, "CRL");
	*ret = f;
	return ST_OK;
}

enum status crl_find(const struct crl_facts *f, const char *serial, bool *ret_found, struct crl_entry *ret,
                     struct error *e)
{
	struct crl_entry entry = { 0 };
	uint8_t bytes[SERIAL_OCTETS];
	struct slice want;
	if (serial_octets(serial, bytes, &want, e))
		return e->status;
	*ret_found = false;
	for (struct slice rest = f->entries; rest.n;) {
		struct raw_entry raw;
		if (take_entry(&rest, &raw, e))
			return e->status;
		if (!slice_eq(raw.serial, want) || raw.reason == CRL_REASON_REMOVE)
			continue;
		entry = (struct crl_entry){ .revoked_at = raw.at, .reason = raw.reason };
		if (serial_format(raw.serial, entry.serial, e))
			return e->status;
		*ret = entry;
		*ret_found = true;
		return ST_OK;
	}
	return ST_OK;
}

enum status crl_signed_by(const struct crl_facts *f, const struct cert *issuer, struct error *e)
{
	const struct cert_facts *by = cert_facts(issuer);
	enum sign_alg alg;
	if (!slice_eq(f->issuer, by->subject))
		return error_set(e, ST_DENIED, "CRL: it was not issued by \"%s\"", by->common_name);
	if (by->has_key_usage && !(by->key_usage & KU_CRL_SIGN))
		return error_set(e, ST_DENIED, "CRL: \"%s\" may not sign lists (no cRLSign)", by->common_name);
	if (sign_alg_of(f->signature_alg, &alg, e) || sign_verify(cert_key(issuer), alg, f->tbs, f->signature, e))
		return error_wrap(e, "CRL");
	return ST_OK;
}
