#include "x509/ext.h"

#include "crypto/digest.h"
#include "x509/spki.h"

/* spec/server.md §3.5 */
static const char *const provisioner_types[] = {
	NULL, "JWK", "OIDC", "GCP", "AWS", "Azure", "ACME", "X5C", "K8sSA", "SSHPOP", "SCEP", "Nebula",
};

enum {
	EXT_SMALL = 1024, /* values that are made here and are short by nature */
	EXT_URL = 4096,
};

void ext_add(struct buf *out, const char *oid, bool critical, struct slice value)
{
	size_t start = out->n;
	der_add_oid(out, oid);
	if (critical) /* DEFAULT FALSE is not encoded (X.690 §11.5) */
		der_add(out, DER_BOOLEAN, SLICE_LIT("\xff"));
	der_add(out, DER_OCTET_STRING, value);
	der_wrap(out, start, DER_SEQUENCE);
}

/* As ext_add with what was written into value; a failure of its is out's. */
static void add_made(struct buf *out, const char *oid, bool critical, const struct buf *value)
{
	if (value->failed && !out->failed)
		out->failed = value->failed;
	ext_add(out, oid, critical, buf_slice(value));
}

void ext_add_key_usage(struct buf *out, unsigned mask)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_SMALL);
	/* X.690 §11.2.2: a named bit list ends at its last one bit */
	int last = 8;
	while (last >= 0 && !(mask >> last & 1))
		last--;
	uint8_t bits[3] = { (uint8_t)(last < 0 ? 0 : 7 - last % 8) };
	for (int i = 0; i <= last; i++)
		if (mask >> i & 1)
			bits[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
	der_add(&v, DER_BIT_STRING, slice_of(bits, last < 0 ? 1 : (size_t)(2 + last / 8)));
	add_made(out, OID_KEY_USAGE, true, &v);
}

void ext_add_ext_key_usage(struct buf *out, const char *const *oids, size_t n)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_SMALL);
	for (size_t i = 0; i < n; i++)
		der_add_oid(&v, oids[i]);
	der_wrap(&v, 0, DER_SEQUENCE);
	add_made(out, OID_EXT_KEY_USAGE, false, &v);
}

static void add_int(struct buf *out, unsigned n)
{
	uint8_t b[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	der_add_uint(out, slice_of(b, sizeof b));
}

void ext_add_basic_constraints(struct buf *out, bool is_ca, int path_len)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_SMALL);
	if (is_ca)
		der_add(&v, DER_BOOLEAN, SLICE_LIT("\xff"));
	if (is_ca && path_len >= 0)
		add_int(&v, (unsigned)path_len);
	der_wrap(&v, 0, DER_SEQUENCE);
	add_made(out, OID_BASIC_CONSTRAINTS, true, &v);
}

enum status ext_key_id(struct slice spki, uint8_t out[KEY_ID_BYTES], struct error *e)
{
	struct spki key;
	return spki_read(spki, &key, e) ? e->status : digest_sha1(key.bits, out, e);
}

enum status ext_add_subject_key_id(struct buf *out, struct slice spki, struct error *e)
{
	uint8_t id[KEY_ID_BYTES];
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_SMALL);
	if (ext_key_id(spki, id, e))
		return e->status;
	der_add(&v, DER_OCTET_STRING, slice_of(id, sizeof id));
	add_made(out, OID_SUBJECT_KEY_ID, false, &v);
	return buf_check(out, e);
}

void ext_add_authority_key_id(struct buf *out, struct slice issuer_key_id)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_SMALL);
	der_add(&v, 0x80, issuer_key_id);
	der_wrap(&v, 0, DER_SEQUENCE);
	add_made(out, OID_AUTHORITY_KEY_ID, false, &v);
}

enum status ext_add_san(struct buf *out, const struct san_list *l, bool critical, struct error *e)
{
	AUTO(buf_done) struct buf v = BUF_INIT(out->max);
	if (san_list_encode(l, &v, e))
		return e->status;
	add_made(out, OID_SUBJECT_ALT_NAME, critical, &v);
	return buf_check(out, e);
}

/* DistributionPointName { fullName [0] GeneralNames { uniformResourceIdentifier [6] } }, in its own [0] */
static void add_point(struct buf *v, const char *url)
{
	size_t start = v->n;
	der_add(v, 0x86, slice_cstr(url));
	der_wrap(v, start, 0xa0);
	der_wrap(v, start, 0xa0);
	der_wrap(v, start, DER_SEQUENCE);
}

void ext_add_crl_point(struct buf *out, const char *url)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_URL);
	add_point(&v, url);
	der_wrap(&v, 0, DER_SEQUENCE);
	add_made(out, OID_CRL_POINTS, false, &v);
}

void ext_add_issuing_point(struct buf *out, const char *url)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_URL);
	add_point(&v, url);
	add_made(out, OID_ISSUING_POINT, true, &v);
}

enum status ext_crl_points(struct slice value, struct slice *ret_rest, struct error *e)
{
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return error_wrap(e, "CRL distribution points");
	*ret_rest = d.body;
	return ST_OK;
}

/* DistributionPoint ::= SEQUENCE { [0] DistributionPointName, [1] reasons, [2] cRLIssuer }, each of them optional */
enum status ext_next_crl_point(struct slice *rest, struct slice *ret, struct error *e)
{
	struct der d;
	struct slice url = SLICE_NONE;
	if (der_next(rest, &d, e))
		return e->status;
	struct slice point = d.body;
	if (!der_has(point, 0xa0)) {
		*ret = url;
		return ST_OK;
	}
	if (der_expect(&point, 0xa0, &d, e))
		return der_broken(e, "CRL distribution point");
	for (struct slice names = der_has(d.body, 0xa0) && !der_only(d.body, 0xa0, &d, e) ? d.body : SLICE_NONE;
	     names.n && !url.n;) {
		if (der_next(&names, &d, e))
			return der_broken(e, "CRL distribution point");
		if (d.tag == 0x86)
			url = d.body;
	}
	*ret = point.n ? SLICE_NONE : url;
	return ST_OK;
}

void ext_add_provisioner(struct buf *out, const struct provisioner_ext *p)
{
	AUTO(buf_done) struct buf v = BUF_INIT(EXT_SMALL);
	add_int(&v, (unsigned)p->type);
	der_add(&v, DER_OCTET_STRING, slice_cstr(p->name));
	der_add(&v, DER_OCTET_STRING, slice_cstr(p->credential_id));
	der_wrap(&v, 0, DER_SEQUENCE);
	add_made(out, OID_PROVISIONER, false, &v);
}

/* An OCTET STRING without NULs into a C string. */
static enum status take_text(struct slice *rest, char *out, size_t n, struct error *e)
{
	struct der d;
	if (der_expect(rest, DER_OCTET_STRING, &d, e))
		return e->status;
	if (d.body.n >= n)
		return error_set(e, ST_INVALID, "a text of %zu bytes where %zu are the most", d.body.n, n - 1);
	if (slice_find(d.body, 0) < d.body.n)
		return error_set(e, ST_INVALID, "a text holds NUL");
	if (d.body.n)
		memcpy(out, d.body.p, d.body.n);
	out[d.body.n] = '\0';
	return ST_OK;
}

enum status ext_parse_provisioner(struct slice value, struct provisioner_ext *ret, struct error *e)
{
	struct provisioner_ext p;
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return error_wrap(e, "provisioner extension");
	struct slice rest = d.body;
	bool broken = der_expect(&rest, DER_INTEGER, &d, e) || der_read_small(d.body, &p.type, e) ||
	              take_text(&rest, p.name, sizeof p.name, e) ||
	              take_text(&rest, p.credential_id, sizeof p.credential_id, e) ||
	              /* key and value pairs of cloud provisioners are not looked at */
	              (rest.n && der_expect(&rest, DER_SEQUENCE, &d, e)) || der_end(rest, e);
	if (broken)
		return der_broken(e, "provisioner extension");
	*ret = p;
	return ST_OK;
}

const char *provisioner_type_name(int type)
{
	return type > 0 && (size_t)type < COUNT_OF(provisioner_types) ? provisioner_types[type] : NULL;
}

enum status ext_next(struct slice *rest, struct ext *ret, struct error *e)
{
	struct der d;
	if (der_next(rest, &d, e))
		return e->status;
	if (d.tag != DER_SEQUENCE)
		return error_set(e, ST_INVALID, "an extension is no SEQUENCE");
	struct slice in = d.body;
	*ret = (struct ext){ .whole = d.whole };
	if (der_expect(&in, DER_OID, &d, e) || der_read_oid(d.body, ret->oid, e))
		goto broken;
	ret->oid_der = d.body;
	if (der_has(in, DER_BOOLEAN) &&
	    (der_expect(&in, DER_BOOLEAN, &d, e) || der_read_bool(d.body, &ret->critical, e)))
		goto broken;
	if (der_expect(&in, DER_OCTET_STRING, &d, e) || der_end(in, e))
		goto broken;
	ret->value = d.body;
	return ST_OK;
broken:
	return der_broken(e, ret->oid[0] ? ret->oid : "extension");
}

enum status ext_each(struct slice extensions, ext_fn *fn, void *ctx, struct error *e)
{
	struct slice seen[EXTENSIONS_MAX];
	struct ext x;
	size_t n = 0;
	for (struct slice rest = extensions; rest.n; n++) {
		if (n == EXTENSIONS_MAX)
			return error_set(e, ST_INVALID, "more than %d extensions", EXTENSIONS_MAX);
		if (ext_next(&rest, &x, e))
			return e->status;
		for (size_t i = 0; i < n; i++)
			if (slice_eq(seen[i], x.oid_der))
				return error_set(e, ST_INVALID, "extension %s stands twice", x.oid);
		seen[n] = x.oid_der;
		if (fn(ctx, &x, e))
			return e->status;
	}
	return ST_OK;
}
