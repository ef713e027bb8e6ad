#include "x509/name.h"

#include "base/b64.h"
#include "x509/show.h"

/* In the order of encoding; the offsets are into struct name_attrs. */
static const struct {
	const char *oid, *label, *key;
	size_t offset;
} types[] = {
	{ "2.5.4.6", "C", "country", offsetof(struct name_attrs, country) },
	{ "2.5.4.10", "O", "organization", offsetof(struct name_attrs, organization) },
	{ "2.5.4.11", "OU", "organizational_unit", offsetof(struct name_attrs, organizational_unit) },
	{ "2.5.4.7", "L", "locality", offsetof(struct name_attrs, locality) },
	{ "2.5.4.8", "ST", "province", offsetof(struct name_attrs, province) },
	{ "2.5.4.9", "STREET", "street_address", offsetof(struct name_attrs, street_address) },
	{ "2.5.4.17", "POSTALCODE", "postal_code", offsetof(struct name_attrs, postal_code) },
	{ "2.5.4.3", "CN", "common_name", offsetof(struct name_attrs, common_name) },
	{ "2.5.4.5", "SERIALNUMBER", "serial_number", offsetof(struct name_attrs, serial_number) },
};

/* Read, never written. */
static const struct {
	const char *oid, *label, *key;
} more_types[] = {
	{ "2.5.4.4", "SN", "surname" },
	{ "2.5.4.12", "TITLE", "title" },
	{ "2.5.4.42", "GN", "given_name" },
	{ "2.5.4.97", "organizationIdentifier", "organization_id" },
	{ "1.2.840.113549.1.9.1", "emailAddress", "email_address" },
	{ "0.9.2342.19200300.100.1.1", "UID", "uid" },
	{ "0.9.2342.19200300.100.1.25", "DC", "domain_component" },
};

/* X.680 §41.4 */
static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!alnum && (!c || !strchr(" '()+,-./:=?", c)))
			return false;
	}
	return true;
}

static enum status check_value(const char *label, struct slice s, struct error *e)
{
	if (s.n > NAME_VALUE_MAX)
		return error_set(e, ST_INVALID, "subject: %s is longer than %d bytes", label, NAME_VALUE_MAX);
	while (s.n)
		if (show_rune(&s) < 0)
			return error_set(e, ST_INVALID, "subject: %s is not UTF-8", label);
	return ST_OK;
}

static void add_rdn(struct buf *out, const char *oid, struct slice value)
{
	size_t start = out->n;
	der_add_oid(out, oid);
	der_add(out, printable(value) ? DER_PRINTABLE : DER_UTF8, value);
	der_wrap(out, start, DER_SEQUENCE);
	der_wrap(out, start, DER_SET);
}

static struct slice value_of(const struct name_attrs *a, size_t type)
{
	return slice_cstr(*(const char *const *)((const char *)a + types[type].offset));
}

enum status name_encode(const struct name_attrs *a, struct buf *out, struct error *e)
{
	size_t start = out->n;
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (check_value(types[i].label, value_of(a, i), e))
			return e->status;
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (value_of(a, i).n)
			add_rdn(out, types[i].oid, value_of(a, i));
	der_wrap(out, start, DER_SEQUENCE);
	return buf_check(out, e);
}

enum status name_open(struct slice der, struct name_reader *ret, struct error *e)
{
	struct der d;
	if (der_only(der, DER_SEQUENCE, &d, e))
		return error_wrap(e, "name");
	*ret = (struct name_reader){ .rdns = d.body };
	return ST_OK;
}

static void find_type(struct name_attr *a)
{
	a->label = a->key = a->oid;
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (!strcmp(types[i].oid, a->oid))
			a->label = types[i].label, a->key = types[i].key;
	for (size_t i = 0; i < COUNT_OF(more_types); i++)
		if (!strcmp(more_types[i].oid, a->oid))
			a->label = more_types[i].label, a->key = more_types[i].key;
}

enum status name_next(struct name_reader *r, struct name_attr *ret, struct error *e)
{
	struct der d;
	ret->joined = r->set.n > 0;
	if (!r->set.n) {
		if (!r->rdns.n)
			return error_set(e, ST_MISSING, "no further attribute");
		if (der_expect(&r->rdns, DER_SET, &d, e))
			return error_wrap(e, "name");
		r->set = d.body;
	}
	if (++r->seen > NAME_ATTRS_MAX)
		return error_set(e, ST_LIMIT, "name: more than %d attributes", NAME_ATTRS_MAX);
	/* RFC 5280 §4.1.2.4: SET SIZE (1..MAX), so that an empty set is an error here */
	if (der_expect(&r->set, DER_SEQUENCE, &d, e))
		return der_broken(e, "name");
	struct slice attr = d.body;
	if (der_expect(&attr, DER_OID, &d, e) || der_read_oid(d.body, ret->oid, e) || der_next(&attr, &ret->value, e) ||
	    der_end(attr, e))
		return der_broken(e, "name");
	find_type(ret);
	return ST_OK;
}

/* Next code point of a string of this tag; *rest is not empty. */
static int32_t value_rune(uint8_t tag, struct slice *rest)
{
	size_t width = tag == 0x1e ? 2 : tag == 0x1c ? 4 : 1; /* BMPString, UniversalString */
	if (tag == DER_UTF8)
		return show_rune(rest);
	if (rest->n < width) {
		rest->n = 0;
		return -1;
	}
	uint32_t v = 0;
	for (size_t i = 0; i < width; i++)
		v = v << 8 | rest->p[i];
	rest->p += width;
	rest->n -= width;
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return -1;
	/* TeletexString is read as Latin-1, as everybody does; the others are ASCII */
	return v >= 0x80 && width == 1 && tag != 0x14 ? -1 : (int32_t)v;
}

static bool is_string(uint8_t tag)
{
	/* UTF8, Numeric, Printable, Teletex, IA5, Visible, Universal, BMP */
	static const uint8_t strings[] = { 0x0c, 0x12, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e };
	return memchr(strings, tag, sizeof strings) != NULL;
}

static void add_value(const struct name_attr *a, bool escape, struct buf *out)
{
	struct slice s = a->value.body;
	if (!is_string(a->value.tag)) {
		buf_addc(out, '#');
		hex_encode(out, a->value.whole);
		return;
	}
	size_t start = out->n;
	while (s.n && !out->failed) {
		int32_t r = value_rune(a->value.tag, &s);
		bool edge = out->n == start || !s.n;
		if (escape && r > 0 && r < 0x80 &&
		    (strchr(",+\"\\<>;", (char)r) || (r == '#' && out->n == start) || (r == ' ' && edge)))
			buf_addc(out, '\\');
		show_add_rune(out, r);
	}
}

void name_add_value(const struct name_attr *a, struct buf *out)
{
	add_value(a, false, out);
}

enum status name_common_name(struct slice der, struct buf *out, struct error *e)
{
	struct name_reader r;
	struct name_attr a;
	enum status st;
	bool found = false;
	if (name_open(der, &r, e))
		return e->status;
	/* To the end, so that a name is known to be well-formed whichever of its parts was asked for. */
	while ((st = name_next(&r, &a, e)) == ST_OK) {
		if (found || strcmp(a.label, "CN"))
			continue;
		name_add_value(&a, out);
		found = true;
	}
	return st == ST_MISSING ? buf_check(out, e) : st;
}

/* Appends the attributes of r that belong to one RDN, or all where there are several. */
static enum status add_text(struct name_reader *r, bool first, struct buf *out, struct error *e)
{
	struct name_attr a;
	enum status st;
	while ((st = name_next(r, &a, e)) == ST_OK) {
		if (!first)
			buf_addc(out, a.joined ? '+' : ',');
		first = false;
		buf_addf(out, "%s=", a.label);
		add_value(&a, true, out);
	}
	return st == ST_MISSING ? buf_check(out, e) : st;
}

enum status name_text(struct slice der, struct buf *out, struct error *e)
{
	struct name_reader r;
	if (name_open(der, &r, e))
		return e->status;
	return add_text(&r, true, out, e);
}

enum status name_text_reversed(struct slice der, struct buf *out, struct error *e)
{
	struct name_reader r;
	struct slice rdns[NAME_ATTRS_MAX];
	size_t n = 0;
	struct der d;
	if (name_open(der, &r, e))
		return e->status;
	for (; r.rdns.n; rdns[n++] = d.whole) {
		if (n == NAME_ATTRS_MAX)
			return error_set(e, ST_LIMIT, "name: more than %d attributes", NAME_ATTRS_MAX);
		if (der_expect(&r.rdns, DER_SET, &d, e))
			return error_wrap(e, "name");
	}
	for (size_t i = n; i-- > 0;) {
		struct name_reader one = { .rdns = rdns[i] };
		if (add_text(&one, i + 1 == n, out, e))
			return e->status;
	}
	return buf_check(out, e);
}
