#include "x509/inspect_parts.h"

#include "x509/ip.h"
#include "x509/name.h"
#include "x509/show.h"

#include <inttypes.h>

enum { KEY_LINE = 15, SIGNATURE_LINE = 18, DUMP_LINE = 16, NEST_MAX = 8 };

/* Bytes as "ab:cd:", some a line, each line indented; the last byte without a colon. */
static void add_lines(struct buf *out, struct slice s, size_t per_line, int indent)
{
	for (size_t i = 0; i < s.n; i++) {
		if (i % per_line == 0)
			buf_addf(out, "%s%*s", i ? "\n" : "", indent, "");
		buf_addf(out, i + 1 < s.n ? "%02x:" : "%02x", s.p[i]);
	}
	buf_addc(out, '\n');
}

/* Key identifiers are written in capitals, as OpenSSL does. */
static void add_key_id(struct buf *out, struct slice s)
{
	buf_addf(out, "%16s", "");
	for (size_t i = 0; i < s.n; i++)
		buf_addf(out, i ? ":%02X" : "%02X", s.p[i]);
	buf_addc(out, '\n');
}

static const char *sep(bool *first)
{
	const char *s = *first ? "                " : ", ";
	*first = false;
	return s;
}

static enum status text_key_usage(struct buf *out, struct slice value, struct error *e)
{
	struct der d;
	struct slice bits;
	unsigned unused;
	bool first = true;
	if (der_only(value, DER_BIT_STRING, &d, e) || der_read_bits(d.body, &bits, &unused, e))
		return e->status;
	for (size_t i = 0; i < KEY_USAGES && i / 8 < bits.n; i++)
		if (bits.p[i / 8] & 0x80 >> i % 8)
			buf_addf(out, "%s%s", sep(&first), key_usage_names[i].text);
	buf_adds(out, first ? "                None\n" : "\n");
	return ST_OK;
}

static enum status text_ext_key_usage(struct buf *out, struct slice value, struct error *e)
{
	char oid[OID_TEXT];
	bool first = true;
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	for (struct slice rest = d.body; rest.n;) {
		if (der_expect(&rest, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
			return e->status;
		const struct key_usage_name *known = ext_key_usage_name(oid);
		buf_addf(out, "%s%s", sep(&first), known ? known->text : oid);
	}
	buf_addc(out, '\n');
	return ST_OK;
}

static enum status text_basic_constraints(struct buf *out, struct slice value, struct error *e)
{
	struct der d;
	bool ca = false;
	int path_len = -1;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (der_has(rest, DER_BOOLEAN) && (der_expect(&rest, DER_BOOLEAN, &d, e) || der_read_bool(d.body, &ca, e)))
		return e->status;
	if (rest.n && (der_expect(&rest, DER_INTEGER, &d, e) || der_read_small(d.body, &path_len, e)))
		return e->status;
	buf_addf(out, "%16sCA:%s", "", ca ? "TRUE" : "FALSE");
	if (path_len >= 0)
		buf_addf(out, ", pathlen:%d", path_len);
	buf_addc(out, '\n');
	return ST_OK;
}

static enum status text_subject_key_id(struct buf *out, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_OCTET_STRING, &d, e))
		return e->status;
	add_key_id(out, d.body);
	return ST_OK;
}

static enum status text_authority_key_id(struct buf *out, struct slice value, struct error *e)
{
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	struct slice rest = d.body;
	if (der_expect(&rest, 0x80, &d, e))
		return e->status;
	add_key_id(out, d.body);
	return ST_OK;
}

static const char *const san_labels[] = {
	[SAN_DNS] = "DNS:", [SAN_EMAIL] = "email:", [SAN_IP] = "IP Address:", [SAN_URI] = "URI:", [SAN_OTHER] = "",
};

static enum status text_sans(struct buf *out, struct slice value, struct error *e)
{
	static const enum san_type order[] = { SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SAN_OTHER };
	AUTO(san_list_done) struct san_list l = { 0 };
	if (san_list_decode(value, &l, e))
		return e->status;
	for (size_t k = 0; k < COUNT_OF(order); k++) {
		bool first = true;
		for (size_t i = 0; i < l.n; i++)
			if (l.v[i].type == order[k])
				buf_addf(out, "%s%s%s", sep(&first), san_labels[order[k]], l.v[i].text);
		if (!first)
			buf_addc(out, '\n');
	}
	return ST_OK;
}

static enum status text_provisioner(struct buf *out, struct slice value, struct error *e)
{
	struct provisioner_ext p;
	if (ext_parse_provisioner(value, &p, e))
		return e->status;
	const char *type = provisioner_type_name(p.type);
	if (type)
		buf_addf(out, "%16sType: %s\n%16sName: ", "", type, "");
	else
		buf_addf(out, "%16sType: %d\n%16sName: ", "", p.type, "");
	show_add(out, slice_cstr(p.name));
	buf_addc(out, '\n');
	if (p.credential_id[0]) {
		buf_addf(out, "%16sCredentialID: ", "");
		show_add(out, slice_cstr(p.credential_id));
		buf_addc(out, '\n');
	}
	return ST_OK;
}

static enum status text_policies(struct buf *out, struct slice value, struct error *e)
{
	char oid[OID_TEXT];
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	for (struct slice rest = d.body; rest.n;) {
		if (der_expect(&rest, DER_SEQUENCE, &d, e))
			return e->status;
		struct slice in = d.body;
		if (der_expect(&in, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
			return e->status;
		buf_addf(out, "%16sPolicy: %s\n", "", oid);
	}
	return ST_OK;
}

/* Every URI ([6]) at any depth of constructed values. */
static enum status add_uris(struct buf *out, const char *label, struct slice rest, int depth, struct error *e)
{
	struct der d;
	while (rest.n) {
		if (der_next(&rest, &d, e))
			return e->status;
		if (d.tag == 0x86) {
			buf_addf(out, "%16s%sURI:", "", label);
			show_add(out, d.body);
			buf_addc(out, '\n');
		} else if ((d.tag & 0x20) && depth < NEST_MAX && add_uris(out, label, d.body, depth + 1, e)) {
			return e->status;
		}
	}
	return ST_OK;
}

static enum status text_crl_points(struct buf *out, struct slice value, struct error *e)
{
	return add_uris(out, "", value, 0, e);
}

static enum status text_authority_info(struct buf *out, struct slice value, struct error *e)
{
	char oid[OID_TEXT];
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	for (struct slice rest = d.body; rest.n;) {
		if (der_expect(&rest, DER_SEQUENCE, &d, e))
			return e->status;
		struct slice in = d.body;
		if (der_expect(&in, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
			return e->status;
		bool ocsp = !strcmp(oid, "1.3.6.1.5.5.7.48.1"), issuers = !strcmp(oid, "1.3.6.1.5.5.7.48.2");
		if (add_uris(out, ocsp ? "OCSP - " : issuers ? "CA Issuers - " : "", in, 0, e))
			return e->status;
	}
	return ST_OK;
}

/* A name of a constraint (RFC 5280 §4.2.1.10): an address comes with its mask, a name may be empty. */
static void add_constraint(struct buf *out, const struct der *base)
{
	char ip[IP_TEXT], mask[IP_TEXT];
	const char *label = base->tag == 0x82   ? "DNS:"
	                    : base->tag == 0x81 ? "email:"
	                    : base->tag == 0x86 ? "URI:"
	                                        : NULL;
	buf_addf(out, "%18s", "");
	if (base->tag == 0x87 && (base->body.n == 8 || base->body.n == 32)) {
		size_t half = base->body.n / 2;
		buf_addf(out, "IP:%s/%s\n", ip_text(base->body.p, half, ip), ip_text(base->body.p + half, half, mask));
		return;
	}
	if (label) {
		buf_adds(out, label);
		show_add(out, base->body);
	} else {
		buf_addf(out, "tag %u", base->tag);
	}
	buf_addc(out, '\n');
}

static enum status text_name_constraints(struct buf *out, struct slice value, struct error *e)
{
	struct der d, base;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	for (struct slice rest = d.body; rest.n;) {
		if (der_next(&rest, &d, e))
			return e->status;
		buf_addf(out, "%16s%s:\n", "", d.tag == 0xa0 ? "Permitted" : "Excluded");
		for (struct slice trees = d.body; trees.n;) {
			if (der_expect(&trees, DER_SEQUENCE, &d, e))
				return e->status;
			struct slice in = d.body;
			if (der_next(&in, &base, e))
				return e->status;
			add_constraint(out, &base);
		}
	}
	return ST_OK;
}

static const struct {
	const char *oid, *title;
	enum status (*text)(struct buf *out, struct slice value, struct error *e);
} extensions[] = {
	{ OID_KEY_USAGE, "X509v3 Key Usage", text_key_usage },
	{ OID_EXT_KEY_USAGE, "X509v3 Extended Key Usage", text_ext_key_usage },
	{ OID_BASIC_CONSTRAINTS, "X509v3 Basic Constraints", text_basic_constraints },
	{ OID_SUBJECT_KEY_ID, "X509v3 Subject Key Identifier", text_subject_key_id },
	{ OID_AUTHORITY_KEY_ID, "X509v3 Authority Key Identifier", text_authority_key_id },
	{ OID_SUBJECT_ALT_NAME, "X509v3 Subject Alternative Name", text_sans },
	{ OID_PROVISIONER, "X509v3 Step Provisioner", text_provisioner },
	{ "2.5.29.30", "X509v3 Name Constraints", text_name_constraints },
	{ "2.5.29.31", "X509v3 CRL Distribution Points", text_crl_points },
	{ "2.5.29.32", "X509v3 Certificate Policies", text_policies },
	{ "1.3.6.1.5.5.7.1.1", "Authority Information Access", text_authority_info },
};

static enum status add_extension(struct buf *out, const struct ext *x, struct error *e)
{
	size_t k = 0;
	while (k < COUNT_OF(extensions) && strcmp(extensions[k].oid, x->oid))
		k++;
	bool known = k < COUNT_OF(extensions);
	buf_addf(out, "%12s%s:%s\n", "", known ? extensions[k].title : x->oid, x->critical ? " critical" : "");
	size_t start = out->n;
	if (known && !extensions[k].text(out, x->value, e))
		return ST_OK;
	if (known && e->status == ST_NOMEM)
		return ST_NOMEM;
	if (!out->failed)
		out->n = start; /* what cannot be read is shown as it is */
	add_lines(out, x->value, DUMP_LINE, 16);
	return ST_OK;
}

static enum status add_extensions(struct buf *out, const char *title, struct slice rest, struct error *e)
{
	struct ext x;
	if (rest.n)
		buf_addf(out, "%8s%s:\n", "", title);
	while (rest.n) {
		if (ext_next(&rest, &x, e) || add_extension(out, &x, e))
			return e->status;
	}
	return ST_OK;
}

static void add_big(struct buf *out, const char *title, struct slice s)
{
	buf_addf(out, "%16s%s:\n", "", title);
	add_lines(out, s, KEY_LINE, 20);
}

static enum status add_key(struct buf *out, const EVP_PKEY *key, struct slice spki, struct error *e)
{
	struct key_parts p;
	if (key_parts_read(key, spki, &p, e))
		return e->status;
	int bits = p.facts.kind == KEY_OKP ? (int)p.spki.bits.n : p.facts.bits; /* the peer counts Ed25519 in bytes */
	buf_addf(out, "%8sSubject Public Key Info:\n%12sPublic Key Algorithm: %s\n%16sPublic-Key: (%d bit)\n", "", "",
	         p.algorithm, "", bits);
	if (p.spki.x.n) {
		add_big(out, "X", p.spki.x);
		add_big(out, "Y", p.spki.y);
		buf_addf(out, "%16sCurve: %s\n", "", p.facts.curve);
	} else if (p.spki.n.n) {
		add_big(out, "Modulus", p.spki.n);
		uint64_t exponent = key_parts_exponent(&p);
		if (exponent)
			buf_addf(out, "%16sExponent: %" PRIu64 " (0x%" PRIx64 ")\n", "", exponent, exponent);
		else
			add_big(out, "Exponent", p.spki.exponent);
	} else {
		add_lines(out, p.spki.bits, KEY_LINE, 20);
	}
	return ST_OK;
}

static void add_serial(struct buf *out, const struct cert_facts *f)
{
	struct slice s = f->serial;
	buf_addf(out, "%8sSerial Number: %s (0x", "", f->serial_text);
	while (s.n > 1 && !s.p[0])
		s.p++, s.n--;
	for (size_t i = 0; i < s.n; i++)
		buf_addf(out, i ? "%02x" : "%x", s.p[i]);
	buf_adds(out, ")\n");
}

static void add_time(struct buf *out, const char *title, struct wall t)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct civil c = civil_of_wall(t);
	buf_addf(out, "%12s%s: %s %d %02d:%02d:%02d %04d UTC\n", "", title, months[c.month - 1], c.day, c.hour,
	         c.minute, c.second, c.year);
}

static enum status add_name(struct buf *out, const char *title, struct slice name, struct error *e)
{
	buf_addf(out, "%8s%s: ", "", title);
	if (name_text(name, out, e))
		return e->status;
	buf_addc(out, '\n');
	return ST_OK;
}

static void add_signature(struct buf *out, struct slice alg, struct slice signature)
{
	char oid[OID_TEXT];
	buf_addf(out, "%4sSignature Algorithm: %s\n", "", alg_name(alg, oid));
	add_lines(out, signature, SIGNATURE_LINE, 9);
}

enum status inspect_text(const struct cert *c, struct buf *out, struct error *e)
{
	const struct cert_facts *f = cert_facts(c);
	char oid[OID_TEXT];
	buf_addf(out, "Certificate:\n%4sData:\n%8sVersion: %d (0x%x)\n", "", "", f->version, f->version - 1);
	add_serial(out, f);
	buf_addf(out, "%8sSignature Algorithm: %s\n", "", alg_name(f->signature_alg, oid));
	if (add_name(out, "Issuer", f->issuer, e))
		return e->status;
	buf_addf(out, "%8sValidity\n", "");
	add_time(out, "Not Before", f->not_before);
	add_time(out, "Not After ", f->not_after);
	if (add_name(out, "Subject", f->subject, e) || add_key(out, cert_key(c), f->spki, e) ||
	    add_extensions(out, "X509v3 extensions", f->extensions, e))
		return e->status;
	add_signature(out, f->signature_alg, f->signature);
	return buf_check(out, e);
}

enum status inspect_csr_text(const struct csr *c, struct buf *out, struct error *e)
{
	buf_addf(out, "Certificate Request:\n%4sData:\n%8sVersion: 1 (0x0)\n", "", "");
	if (add_name(out, "Subject", buf_slice(&c->subject), e) || add_key(out, c->key, buf_slice(&c->spki), e) ||
	    add_extensions(out, "Requested Extensions", c->extensions, e))
		return e->status;
	add_signature(out, c->signature_alg, c->signature);
	return buf_check(out, e);
}
