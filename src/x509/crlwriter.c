/* CertificateList ::= SEQUENCE {                                  RFC 5280 §5.1
 *   tbsCertList SEQUENCE { version (1), signature, issuer, thisUpdate, nextUpdate,
 *                          revokedCertificates SEQUENCE OF { userCertificate, revocationDate, crlEntryExtensions }
 * OPTIONAL, [0] crlExtensions }, signatureAlgorithm, signatureValue BIT STRING } */
#include "x509/crl.h"

static const char *const reasons[] = {
	[0] = "unspecified",        [1] = "keyCompromise",
	[2] = "cACompromise",       [3] = "affiliationChanged",
	[4] = "superseded",         [5] = "cessationOfOperation",
	[6] = "certificateHold",    [CRL_REASON_REMOVE] = "removeFromCRL",
	[9] = "privilegeWithdrawn", [CRL_REASON_LAST] = "aACompromise",
};

const char *crl_reason_name(int reason)
{
	return reason >= 0 && (size_t)reason < COUNT_OF(reasons) ? reasons[reason] : NULL;
}

void crl_begin(struct crl_writer *w, const struct crl_draft *d, const struct signer *s, struct buf *out)
{
	*w = (struct crl_writer){ .d = d, .s = s, .out = out, .start = out->n };
	der_add_uint(out, SLICE_LIT("\x01")); /* v2 */
	buf_add_slice(out, sign_alg_der(signer_alg(s)));
	buf_add_slice(out, d->issuer);
	der_add_time(out, d->this_update);
	der_add_time(out, d->next_update);
	w->list = out->n;
}

/* RFC 5280 §5.3.1: "the reason code CRL entry extension SHOULD be absent instead of using the unspecified (0)
 * reasonCode value"; "The removeFromCRL (8) reasonCode value may only appear in delta CRLs". */
static void add_reason(struct buf *out, int reason)
{
	uint8_t value[] = { 0x0a, 1, (uint8_t)reason }; /* ENUMERATED */
	if (reason == 0 || reason == CRL_REASON_REMOVE || !crl_reason_name(reason))
		return;
	size_t start = out->n;
	ext_add(out, OID_CRL_REASON, false, slice_of(value, sizeof value));
	der_wrap(out, start, DER_SEQUENCE);
}

void crl_add(struct crl_writer *w, struct slice serial, struct wall revoked_at, int reason)
{
	size_t start = w->out->n;
	der_add_uint(w->out, serial);
	der_add_time(w->out, revoked_at);
	add_reason(w->out, reason);
	der_wrap(w->out, start, DER_SEQUENCE);
}

static void add_number(struct buf *out, int64_t number)
{
	AUTO(buf_done) struct buf v = BUF_INIT(16);
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> 8 * (7 - i));
	der_add_uint(&v, slice_of(bytes, sizeof bytes));
	if (v.failed)
		out->failed = v.failed;
	ext_add(out, OID_CRL_NUMBER, false, buf_slice(&v));
}

static void add_extensions(struct buf *out, const struct crl_draft *d)
{
	size_t start = out->n;
	if (d->issuer_key_id.n)
		ext_add_authority_key_id(out, d->issuer_key_id);
	add_number(out, d->number);
	if (d->idp_url)
		ext_add_issuing_point(out, d->idp_url);
	der_wrap(out, start, DER_SEQUENCE);
	der_wrap(out, start, 0xa0);
}

static enum status check(const struct crl_draft *d, struct error *e)
{
	struct der name;
	if (der_only(d->issuer, DER_SEQUENCE, &name, e))
		return der_broken(e, "issuer");
	if (d->next_update.s <= d->this_update.s)
		return error_set(e, ST_INVALID, "the list would end before it begins");
	if (d->number < 0)
		return error_set(e, ST_INVALID, "its number is negative");
	return ST_OK;
}

enum status crl_end(struct crl_writer *w, struct error *e)
{
	struct buf *out = w->out;
	AUTO(buf_done) struct buf signature = BUF_INIT(CERT_MAX);
	if (check(w->d, e))
		return error_wrap(e, "CRL");
	/* §5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be absent." */
	if (out->n > w->list)
		der_wrap(out, w->list, DER_SEQUENCE);
	add_extensions(out, w->d);
	der_wrap(out, w->start, DER_SEQUENCE);
	buf_addc(&signature, '\0'); /* no unused bits */
	if (buf_check(out, e) || signer_sign(w->s, slice_of(out->p + w->start, out->n - w->start), &signature, e))
		return error_wrap(e, "CRL");
	buf_add_slice(out, sign_alg_der(signer_alg(w->s)));
	der_add(out, DER_BIT_STRING, buf_slice(&signature));
	der_wrap(out, w->start, DER_SEQUENCE);
	return buf_check(out, e) ? error_wrap(e, "CRL") : ST_OK;
}
