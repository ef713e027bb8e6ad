#include "x509/cert.h"

#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/pem.h"
#include "x509/auto.h"
#include "x509/name.h"
#include "x509/spki.h"

#include <stdatomic.h>
#include <stdlib.h>

struct cert {
	atomic_uint refs;
	_Atomic(X509 *) x; /* made when it is first asked for */
	struct cert *self; /* the way to x from a const value */
	struct buf der;
	char *common_name, *issuer_common_name;
	struct san_list sans;
	struct cert_facts f;
};

struct cert *cert_ref(struct cert *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void cert_unref(struct cert *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(atomic_load(&c->x));
	buf_done(&c->der);
	free(c->common_name);
	free(c->issuer_common_name);
	san_list_done(&c->sans);
	free(c);
}

static enum status read_key_usage(struct cert *c, struct slice value, struct error *e)
{
	struct der d;
	struct slice bits;
	unsigned unused;
	if (der_only(value, DER_BIT_STRING, &d, e) || der_read_bits(d.body, &bits, &unused, e))
		return e->status;
	for (size_t i = 0; i < 9 && i / 8 < bits.n; i++)
		if (bits.p[i / 8] & 0x80 >> i % 8)
			c->f.key_usage |= 1u << i;
	c->f.has_key_usage = true;
	return ST_OK;
}

static enum status read_ext_key_usage(struct cert *c, struct slice value, struct error *e)
{
	struct der d;
	char oid[OID_TEXT];
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	for (struct slice rest = d.body; rest.n;) {
		if (der_expect(&rest, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
			return e->status;
		c->f.eku_server_auth |= !strcmp(oid, OID_SERVER_AUTH);
		c->f.eku_client_auth |= !strcmp(oid, OID_CLIENT_AUTH);
		c->f.eku_any |= !strcmp(oid, OID_ANY_EXT_KEY_USAGE);
	}
	c->f.has_ext_key_usage = true;
	return ST_OK;
}

static enum status read_basic_constraints(struct cert *c, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (der_has(rest, DER_BOOLEAN) &&
	    (der_expect(&rest, DER_BOOLEAN, &d, e) || der_read_bool(d.body, &c->f.is_ca, e)))
		return e->status;
	if (rest.n && (der_expect(&rest, DER_INTEGER, &d, e) || der_read_small(d.body, &c->f.path_len, e)))
		return e->status;
	return der_end(rest, e);
}

static enum status read_subject_key_id(struct cert *c, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_OCTET_STRING, &d, e))
		return e->status;
	c->f.subject_key_id = d.body;
	return ST_OK;
}

static enum status read_authority_key_id(struct cert *c, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (!der_has(rest, 0x80))
		return ST_OK; /* it may name the issuer by name and serial instead */
	if (der_expect(&rest, 0x80, &d, e))
		return e->status;
	c->f.authority_key_id = d.body;
	return ST_OK;
}

static enum status read_sans(struct cert *c, struct slice value, struct error *e)
{
	return san_list_decode(value, &c->sans, e);
}

static enum status read_provisioner(struct cert *c, struct slice value, struct error *e)
{
	c->f.has_provisioner = true;
	return ext_parse_provisioner(value, &c->f.provisioner, e);
}

static const struct {
	const char *oid;
	enum status (*read)(struct cert *c, struct slice value, struct error *e);
} readers[] = {
	{ OID_KEY_USAGE, read_key_usage },
	{ OID_EXT_KEY_USAGE, read_ext_key_usage },
	{ OID_BASIC_CONSTRAINTS, read_basic_constraints },
	{ OID_SUBJECT_KEY_ID, read_subject_key_id },
	{ OID_AUTHORITY_KEY_ID, read_authority_key_id },
	{ OID_SUBJECT_ALT_NAME, read_sans },
	{ OID_PROVISIONER, read_provisioner },
};

static enum status read_extension(void *cert, const struct ext *x, struct error *e)
{
	struct cert *c = cert;
	for (size_t i = 0; i < COUNT_OF(readers); i++)
		if (!strcmp(x->oid, readers[i].oid) && readers[i].read(c, x->value, e))
			return der_broken(e, x->oid);
	return ST_OK;
}

static enum status read_serial(struct cert *c, struct slice *rest, struct error *e)
{
	struct der d;
	if (der_expect(rest, DER_INTEGER, &d, e))
		return e->status;
	c->f.serial = d.body;
	if (!d.body.n || (d.body.n > 1 && d.body.p[0] == 0 && !(d.body.p[1] & 0x80)))
		return error_set(e, ST_INVALID, "serial number is not DER");
	if (d.body.p[0] & 0x80)
		return error_set(e, ST_INVALID, "serial number is negative");
	return serial_format(d.body, c->f.serial_text, e);
}

static enum status read_validity(struct cert *c, struct slice *rest, struct error *e)
{
	struct der d;
	if (der_expect(rest, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice in = d.body;
	if (der_next(&in, &d, e) || der_read_time(&d, &c->f.not_before, e) || der_next(&in, &d, e) ||
	    der_read_time(&d, &c->f.not_after, e))
		return e->status;
	return der_end(in, e);
}

static enum status take_sequence(struct slice *rest, struct slice *ret_whole, struct error *e)
{
	struct der d;
	if (der_expect(rest, DER_SEQUENCE, &d, e))
		return e->status;
	*ret_whole = d.whole;
	return ST_OK;
}

/* [0] EXPLICIT INTEGER DEFAULT v1(0) */
static enum status read_version(struct slice *rest, int *ret, struct error *e)
{
	struct der d;
	*ret = 0;
	if (!der_has(*rest, 0xa0))
		return ST_OK;
	if (der_expect(rest, 0xa0, &d, e) || der_only(d.body, DER_INTEGER, &d, e) || der_read_small(d.body, ret, e))
		return e->status;
	return *ret > 2 ? error_set(e, ST_INVALID, "version %d is unknown", *ret + 1) : ST_OK;
}

/* What may follow the key: [1], [2] unique identifiers, [3] EXPLICIT Extensions. */
static enum status read_tail(struct cert *c, int version, struct slice rest, struct error *e)
{
	struct der d;
	for (uint8_t tag = 0x81; tag <= 0x82; tag++)
		if (der_has(rest, tag) && der_expect(&rest, tag, &d, e))
			return e->status;
	if (!rest.n)
		return ST_OK;
	if (version < 2)
		return error_set(e, ST_INVALID, "extensions in a certificate of version %d", version + 1);
	if (der_expect(&rest, 0xa3, &d, e) || der_end(rest, e) || der_only(d.body, DER_SEQUENCE, &d, e))
		return e->status;
	c->f.extensions = d.body;
	return ext_each(c->f.extensions, read_extension, c, e);
}

static enum status read_tbs(struct cert *c, struct slice rest, struct error *e)
{
	int version; /* from 0 */
	struct spki key;
	struct slice alg = SLICE_NONE;
	if (read_version(&rest, &version, e) || read_serial(c, &rest, e) || take_sequence(&rest, &alg, e) ||
	    take_sequence(&rest, &c->f.issuer, e) || read_validity(c, &rest, e) ||
	    take_sequence(&rest, &c->f.subject, e) || take_sequence(&rest, &c->f.spki, e) ||
	    spki_read(c->f.spki, &key, e))
		return e->status;
	/* RFC 5280 §4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field" */
	if (!slice_eq(alg, c->f.signature_alg))
		return error_set(e, ST_INVALID, "inner and outer signature algorithm differ");
	c->f.version = version + 1;
	return read_tail(c, version, rest, e);
}

static enum status read_spans(struct cert *c, struct error *e)
{
	struct der d, tbs;
	unsigned unused;
	c->f.der = buf_slice(&c->der);
	c->f.path_len = -1;
	if (der_only(c->f.der, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (der_expect(&rest, DER_SEQUENCE, &tbs, e) || take_sequence(&rest, &c->f.signature_alg, e) ||
	    der_expect(&rest, DER_BIT_STRING, &d, e) || der_read_bits(d.body, &c->f.signature, &unused, e) ||
	    der_end(rest, e))
		return e->status;
	c->f.tbs = tbs.whole;
	return read_tbs(c, tbs.body, e);
}

static enum status common_name(struct slice name, char **ret, const char **ret_fact, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(3 * CERT_MAX);
	if (name_common_name(name, &text, e))
		return e->status;
	*ret = buf_take(&text);
	*ret_fact = *ret;
	return *ret ? ST_OK : error_nomem(e);
}

static enum status read_facts(struct cert *c, struct error *e)
{
	if (read_spans(c, e) || common_name(c->f.subject, &c->common_name, &c->f.common_name, e) ||
	    common_name(c->f.issuer, &c->issuer_common_name, &c->f.issuer_common_name, e))
		return der_broken(e, "certificate");
	c->f.sans = &c->sans;
	c->f.self_issued = slice_eq(c->f.subject, c->f.issuer);
	return ST_OK;
}

/* OpenSSL's form. Two threads may make it at once; the second gives way. */
static X509 *openssl_form(const struct cert *c)
{
	X509 *x = atomic_load_explicit(&c->self->x, memory_order_acquire), *none = NULL;
	const uint8_t *p = c->der.p;
	if (x)
		return x;
	x = d2i_X509(NULL, &p, (long)c->der.n);
	if (x && !atomic_compare_exchange_strong(&c->self->x, &none, x)) {
		X509_free(x);
		x = none;
	}
	return x;
}

static enum status check_openssl(const struct cert *c, struct error *e)
{
	X509 *x = openssl_form(c);
	if (!x)
		return error_ossl(e, ST_INVALID, "certificate");
	if (!X509_get0_pubkey(x))
		return error_ossl(e, ST_INVALID, "certificate: its public key cannot be read");
	return ST_OK;
}

/* x: NULL, or the parsed form of der, of which a reference is taken on success. Ours reads first: what is not DER never
 * reaches OpenSSL. */
static enum status make(struct slice der, X509 *x, struct cert **ret, struct error *e)
{
	if (der.n > CERT_MAX)
		return error_set(e, ST_LIMIT, "certificate: larger than %d bytes", CERT_MAX);
	AUTO(cert_unref_p) struct cert *c = calloc(1, sizeof *c);
	if (!c)
		return error_nomem(e);
	atomic_init(&c->refs, 1);
	c->self = c;
	c->der = BUF_INIT(CERT_MAX);
	buf_add_slice(&c->der, der);
	if (buf_check(&c->der, e) || read_facts(c, e))
		return e->status;
	if (x && X509_up_ref(x))
		atomic_init(&c->x, x);
	*ret = TAKE(c);
	return ST_OK;
}

enum status cert_parse_facts(struct slice der, struct cert **ret, struct error *e)
{
	return make(der, NULL, ret, e);
}

/* The value is the caller's only where OpenSSL can read it too. */
static enum status make_checked(struct slice der, X509 *x, struct cert **ret, struct error *e)
{
	AUTO(cert_unref_p) struct cert *c = NULL;
	if (make(der, x, &c, e) || check_openssl(c, e))
		return e->status;
	*ret = TAKE(c);
	return ST_OK;
}

enum status cert_parse(struct slice der, struct cert **ret, struct error *e)
{
	return make_checked(der, NULL, ret, e);
}

enum status cert_of_x509(X509 *x, struct cert **ret, struct error *e)
{
	uint8_t *der = NULL;
	int n = i2d_X509(x, &der);
	if (n <= 0)
		return error_ossl(e, ST_INVALID, "certificate");
	enum status st = make_checked(slice_of(der, (size_t)n), x, ret, e);
	OPENSSL_free(der);
	return st;
}

const struct cert_facts *cert_facts(const struct cert *c)
{
	return &c->f;
}

X509 *cert_x509(const struct cert *c)
{
	return openssl_form(c);
}

EVP_PKEY *cert_key(const struct cert *c)
{
	return X509_get0_pubkey(openssl_form(c));
}

enum status cert_signed_by(const struct cert *c, const struct cert *issuer, struct error *e)
{
	X509 *x = openssl_form(c);
	EVP_PKEY *key = cert_key(issuer);
	if (x && key && X509_verify(x, key) == 1)
		return ST_OK;
	return error_ossl(e, ST_DENIED, "certificate: its signature does not verify");
}

enum status cert_fingerprint(const struct cert *c, char out[65], struct error *e)
{
	return digest_sha256_hex(c->f.der, out, e);
}

void cert_format_pem(const struct cert *c, struct buf *out)
{
	pem_format(out, "CERTIFICATE", c->f.der);
}
