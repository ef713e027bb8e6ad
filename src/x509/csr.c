/* CertificationRequest ::= SEQUENCE {                             RFC 2986 §4
 *   SEQUENCE { version INTEGER (0), subject Name, subjectPKInfo, attributes [0] SET OF Attribute },
 *   signatureAlgorithm, signature BIT STRING }                                                     */
#include "x509/csr.h"

#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "crypto/pem.h"
#include "crypto/sign.h"
#include "x509/auto.h"
#include "x509/ext.h"
#include "x509/name.h"
#include "x509/spki.h"

#include <stdlib.h>

#define OID_EXTENSION_REQUEST "1.2.840.113549.1.9.14" /* RFC 2985 §5.4.2 */

void csr_done(struct csr *c)
{
	X509_REQ_free(c->req);
	buf_done(&c->der);
	buf_done(&c->spki);
	buf_done(&c->subject);
	free(c->common_name);
	san_list_done(&c->sans);
	*c = (struct csr){ 0 };
}

static enum status read_extension(void *csr, const struct ext *x, struct error *e)
{
	struct csr *c = csr;
	return strcmp(x->oid, OID_SUBJECT_ALT_NAME) ? ST_OK : san_list_decode(x->value, &c->sans, e);
}

static enum status read_attributes(struct csr *c, struct slice rest, struct error *e)
{
	char oid[OID_TEXT];
	bool seen = false;
	struct der d;
	while (rest.n) {
		if (der_expect(&rest, DER_SEQUENCE, &d, e))
			return e->status;
		struct slice in = d.body;
		if (der_expect(&in, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
			return e->status;
		if (strcmp(oid, OID_EXTENSION_REQUEST))
			continue;
		if (seen)
			return error_set(e, ST_INVALID, "extensions are requested twice");
		seen = true;
		if (der_expect(&in, DER_SET, &d, e) || der_end(in, e) || der_only(d.body, DER_SEQUENCE, &d, e))
			return e->status;
		c->extensions = d.body;
	}
	return ext_each(c->extensions, read_extension, c, e);
}

static enum status read_info(struct csr *c, struct slice rest, struct error *e)
{
	struct der d, subject, spki;
	struct spki key;
	AUTO(buf_done) struct buf name = BUF_INIT(3 * CSR_MAX);
	if (der_expect(&rest, DER_INTEGER, &d, e) || der_expect(&rest, DER_SEQUENCE, &subject, e) ||
	    der_expect(&rest, DER_SEQUENCE, &spki, e) || spki_read(spki.whole, &key, e))
		return e->status;
	buf_add_slice(&c->subject, subject.whole);
	buf_add_slice(&c->spki, spki.whole);
	if (name_common_name(subject.whole, &name, e))
		return e->status;
	c->common_name = buf_take(&name);
	if (!c->common_name || c->subject.failed || c->spki.failed)
		return error_nomem(e);
	if (!rest.n) /* some writers leave the attributes out */
		return ST_OK;
	if (der_expect(&rest, 0xa0, &d, e) || der_end(rest, e))
		return e->status;
	return read_attributes(c, d.body, e);
}

static enum status read_der(struct csr *c, struct error *e)
{
	struct der d, info;
	unsigned unused;
	if (der_only(buf_slice(&c->der), DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (der_expect(&rest, DER_SEQUENCE, &info, e) || read_info(c, info.body, e) ||
	    der_expect(&rest, DER_SEQUENCE, &d, e))
		return e->status;
	c->signature_alg = d.whole;
	if (der_expect(&rest, DER_BIT_STRING, &d, e) || der_read_bits(d.body, &c->signature, &unused, e))
		return e->status;
	return der_end(rest, e);
}

static enum status parse_der(struct slice der, struct csr *ret, struct error *e)
{
	AUTO(csr_done)
	struct csr c = { .der = BUF_INIT(CSR_MAX), .spki = BUF_INIT(CSR_MAX), .subject = BUF_INIT(CSR_MAX) };
	buf_add_slice(&c.der, der);
	if (buf_check(&c.der, e) || read_der(&c, e))
		return der_broken(e, "certificate request");
	const uint8_t *p = c.der.p;
	c.req = d2i_X509_REQ(NULL, &p, (long)c.der.n);
	if (!c.req)
		return error_ossl(e, ST_INVALID, "certificate request");
	c.key = X509_REQ_get0_pubkey(c.req);
	if (!c.key)
		return error_ossl(e, ST_INVALID, "certificate request: its public key cannot be read");
	*ret = c;
	c = (struct csr){ 0 };
	return ST_OK;
}

enum status csr_parse(struct slice in, bool der_too, struct csr *ret, struct error *e)
{
	AUTO(pem_block_done) struct pem_block block = { 0 };
	if (in.n > 2 * CSR_MAX)
		return error_set(e, ST_LIMIT, "certificate request: larger than %d bytes", CSR_MAX);
	if (der_too && in.n >= 2 && in.p[0] == DER_SEQUENCE && in.p[1] >= 0x80)
		return parse_der(in, ret, e);
	if (pem_next(&in, &block, e)) {
		if (e->status == ST_MISSING)
			return error_set(e, ST_INVALID, "does not contain a PEM encoded certificate request");
		return e->status;
	}
	/* The label decides nothing, but tells what was given by mistake. */
	enum status st = parse_der(buf_slice(&block.der), ret, e);
	if (st == ST_INVALID && !strstr(block.label, "CERTIFICATE REQUEST"))
		return error_set(e, ST_INVALID, "holds %s, not a certificate request", block.label);
	return st;
}

enum status csr_verify(const struct csr *c, struct error *e)
{
	if (X509_REQ_verify(c->req, c->key) == 1)
		return ST_OK;
	return error_ossl(e, ST_DENIED, "certificate request: its signature does not verify");
}

static enum status add_attributes(struct buf *out, const struct san_list *sans, struct error *e)
{
	size_t start = out->n;
	if (sans && sans->n) {
		size_t attribute = out->n;
		der_add_oid(out, OID_EXTENSION_REQUEST);
		size_t values = out->n;
		if (ext_add_san(out, sans, false, e))
			return e->status;
		der_wrap(out, values, DER_SEQUENCE);
		der_wrap(out, values, DER_SET);
		der_wrap(out, attribute, DER_SEQUENCE);
	}
	der_wrap(out, start, 0xa0);
	return ST_OK;
}

static enum status add_info(struct buf *out, EVP_PKEY *key, struct slice subject, const struct san_list *sans,
                            struct error *e)
{
	size_t start = out->n;
	struct der d;
	if (der_only(subject, DER_SEQUENCE, &d, e))
		return der_broken(e, "subject");
	der_add_uint(out, SLICE_NONE); /* version 0 */
	buf_add_slice(out, subject);
	if (key_spki(key, out, e) || add_attributes(out, sans, e))
		return e->status;
	der_wrap(out, start, DER_SEQUENCE);
	return buf_check(out, e);
}

enum status csr_make(EVP_PKEY *key, struct slice subject, const struct san_list *sans, struct buf *out, struct error *e)
{
	AUTO(signer_free_p) struct signer *signer = NULL;
	AUTO(buf_done) struct buf info = BUF_INIT(CSR_MAX);
	AUTO(buf_done) struct buf signature = BUF_INIT(CSR_MAX);
	enum sign_alg alg;
	buf_addc(&signature, '\0'); /* no unused bits */
	if (sign_alg_for_key(key, &alg, e) || signer_new(key, alg, &signer, e) ||
	    add_info(&info, key, subject, sans, e) || signer_sign(signer, buf_slice(&info), &signature, e))
		return error_wrap(e, "certificate request");
	size_t start = out->n;
	buf_add_slice(out, buf_slice(&info));
	buf_add_slice(out, sign_alg_der(alg));
	der_add(out, DER_BIT_STRING, buf_slice(&signature));
	der_wrap(out, start, DER_SEQUENCE);
	return buf_check(out, e);
}

void csr_format_pem(const struct csr *c, struct buf *out)
{
	pem_format(out, "CERTIFICATE REQUEST", buf_slice(&c->der));
}
