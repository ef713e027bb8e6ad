/* Certificate ::= SEQUENCE {                                      RFC 5280 §4.1
 *   tbsCertificate SEQUENCE { [0] version, serialNumber, signature, issuer, validity { notBefore, notAfter },
 *                             subject, subjectPublicKeyInfo, [3] extensions },
 *   signatureAlgorithm, signatureValue BIT STRING }                                                            */
#include "x509/certwriter.h"

#include "x509/cert.h"
#include "x509/der.h"

static enum status check_part(struct slice part, const char *noun, struct error *e)
{
	struct der d;
	return der_only(part, DER_SEQUENCE, &d, e) ? der_broken(e, noun) : ST_OK;
}

static enum status check(const struct cert_draft *d, struct error *e)
{
	char serial[SERIAL_TEXT];
	if (check_part(d->issuer, "issuer", e) || check_part(d->subject, "subject", e) ||
	    check_part(d->spki, "public key", e))
		return e->status;
	if (!d->serial.n)
		return error_set(e, ST_INVALID, "no serial number");
	if (d->not_after.s < d->not_before.s)
		return error_set(e, ST_INVALID, "the certificate would end before it begins");
	return serial_format(d->serial, serial, e);
}

static void add_tbs(struct buf *out, const struct cert_draft *d, enum sign_alg alg)
{
	size_t start = out->n;
	buf_add_slice(out, SLICE_LIT("\xa0\x03\x02\x01\x02")); /* v3, with or without extensions, as the peer */
	der_add_uint(out, d->serial);
	buf_add_slice(out, sign_alg_der(alg));
	buf_add_slice(out, d->issuer);
	size_t validity = out->n;
	der_add_time(out, d->not_before);
	der_add_time(out, d->not_after);
	der_wrap(out, validity, DER_SEQUENCE);
	buf_add_slice(out, d->subject);
	buf_add_slice(out, d->spki);
	if (d->extensions.n) {
		size_t extensions = out->n;
		der_add(out, DER_SEQUENCE, d->extensions);
		der_wrap(out, extensions, 0xa3);
	}
	der_wrap(out, start, DER_SEQUENCE);
}

enum status cert_write(const struct cert_draft *d, const struct signer *s, struct buf *out, struct error *e)
{
	AUTO(buf_done) struct buf tbs = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf signature = BUF_INIT(CERT_MAX);
	if (check(d, e))
		return error_wrap(e, "certificate");
	add_tbs(&tbs, d, signer_alg(s));
	buf_addc(&signature, '\0'); /* no unused bits */
	if (buf_check(&tbs, e) || signer_sign(s, buf_slice(&tbs), &signature, e))
		return error_wrap(e, "certificate");
	size_t start = out->n;
	buf_add_slice(out, buf_slice(&tbs));
	buf_add_slice(out, sign_alg_der(signer_alg(s)));
	der_add(out, DER_BIT_STRING, buf_slice(&signature));
	der_wrap(out, start, DER_SEQUENCE);
	return buf_check(out, e);
}
