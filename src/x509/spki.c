#include "x509/spki.h"

static enum status bad(struct error *e, const char *what)
{
	return error_set(e, ST_INVALID, "not DER: %s", what);
}

/* RFC 8017 A.1.1: a positive INTEGER in its shortest form; ret has no leading zero. */
static enum status read_positive(struct slice *rest, struct slice *ret, struct error *e)
{
	struct der d;
	if (der_expect(rest, DER_INTEGER, &d, e))
		return e->status;
	struct slice v = d.body;
	bool zero = v.n > 1 && v.p[0] == 0;
	if (!v.n || (v.p[0] & 0x80) || (zero && !(v.p[1] & 0x80)) || (v.n == 1 && v.p[0] == 0))
		return bad(e, "number of an RSA key");
	*ret = slice_of(v.p + zero, v.n - zero);
	return ST_OK;
}

static enum status read_rsa(struct spki *k, struct error *e)
{
	struct der d;
	if (der_only(k->bits, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (read_positive(&rest, &k->n, e) || read_positive(&rest, &k->exponent, e))
		return e->status;
	return der_end(rest, e);
}

/* RFC 5480 §2.2: 04 || X || Y */
static enum status read_point(struct spki *k, struct error *e)
{
	if (k->bits.n < 3 || k->bits.n % 2 == 0 || k->bits.p[0] != 4)
		return error_set(e, ST_INVALID, "its point is not in uncompressed form");
	size_t half = k->bits.n / 2;
	k->x = slice_of(k->bits.p + 1, half);
	k->y = slice_of(k->bits.p + 1 + half, half);
	return ST_OK;
}

static const struct family {
	struct slice oid; /* the first bytes of the encoded OID; the rest of it is any */
	size_t more;      /* how many bytes follow */
	int parameters;   /* the tag they must have, alone; 0: there are none; < 0: any */
	enum status (*read)(struct spki *k, struct error *e);
} families[] = {
	{ SLICE_LIT("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"), 0, DER_OID, read_point },        /* ecPublicKey */
	{ SLICE_LIT("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), 0, DER_NULL, read_rsa }, /* rsaEncryption */
	{ SLICE_LIT("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), 0, -1, read_rsa },       /* RSASSA-PSS */
	{ SLICE_LIT("\x06\x03\x2b\x65"), 1, 0, NULL },                                        /* 1.3.101: Ed25519 ... */
};

static const struct family *family_of(struct slice oid)
{
	for (size_t i = 0; i < COUNT_OF(families); i++)
		if (oid.n == families[i].oid.n + families[i].more &&
		    !memcmp(oid.p, families[i].oid.p, families[i].oid.n))
			return &families[i];
	return NULL;
}

static enum status check_parameters(const struct family *f, struct slice rest, struct error *e)
{
	struct der d;
	if (f->parameters < 0)
		return ST_OK;
	if (f->parameters && der_expect(&rest, (uint8_t)f->parameters, &d, e))
		return e->status;
	if (f->parameters == DER_NULL && d.body.n)
		return bad(e, "parameters");
	return der_end(rest, e);
}

static enum status read(struct slice der, struct spki *ret, struct error *e)
{
	struct spki k = { 0 };
	struct der whole, alg, d;
	unsigned unused;
	if (der_only(der, DER_SEQUENCE, &whole, e))
		return e->status;
	struct slice rest = whole.body;
	if (der_expect(&rest, DER_SEQUENCE, &alg, e) || der_expect(&rest, DER_BIT_STRING, &d, e) || der_end(rest, e) ||
	    der_read_bits(d.body, &k.bits, &unused, e))
		return e->status;
	if (unused)
		return bad(e, "bit string is not of whole octets");
	rest = alg.body;
	if (der_expect(&rest, DER_OID, &d, e))
		return e->status;
	const struct family *f = family_of(d.whole);
	if (f && (check_parameters(f, rest, e) || (f->read && f->read(&k, e))))
		return e->status;
	*ret = k;
	return ST_OK;
}

enum status spki_read(struct slice der, struct spki *ret, struct error *e)
{
	return read(der, ret, e) ? der_broken(e, "public key") : ST_OK;
}
