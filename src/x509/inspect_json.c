#include "x509/inspect_parts.h"

#include "base/b64.h"
#include "crypto/digest.h"
#include "x509/name.h"
#include "x509/show.h"

#include <inttypes.h>

/* A writer of indented JSON. Keys are ours, or object identifiers; only values need escaping. */
struct json {
	struct buf *out;
	unsigned depth;
	bool empty; /* nothing stands yet in the innermost object or array */
};

static void begin_value(struct json *j, const char *key)
{
	if (j->depth)
		buf_addf(j->out, "%s\n%*s", j->empty ? "" : ",", 2 * j->depth, "");
	j->empty = false;
	if (key)
		buf_addf(j->out, "\"%s\": ", key);
}

static void open_value(struct json *j, const char *key, char bracket)
{
	begin_value(j, key);
	buf_addc(j->out, bracket);
	j->depth++;
	j->empty = true;
}

static void close_value(struct json *j, char bracket)
{
	j->depth--;
	if (!j->empty)
		buf_addf(j->out, "\n%*s", 2 * j->depth, "");
	buf_addc(j->out, bracket);
	j->empty = false;
}

static void add_text(struct json *j, const char *key, struct slice text)
{
	begin_value(j, key);
	show_add_json(j->out, text);
}

static void add_cstr(struct json *j, const char *key, const char *text)
{
	add_text(j, key, slice_cstr(text));
}

static void add_number(struct json *j, const char *key, int64_t n)
{
	begin_value(j, key);
	buf_addf(j->out, "%" PRId64, n);
}

static void add_bool(struct json *j, const char *key, bool b)
{
	begin_value(j, key);
	buf_adds(j->out, b ? "true" : "false");
}

static void add_base64(struct json *j, const char *key, struct slice s)
{
	begin_value(j, key);
	buf_addc(j->out, '"');
	b64_encode(j->out, s, B64_STD);
	buf_addc(j->out, '"');
}

static void add_hex(struct json *j, const char *key, struct slice s)
{
	begin_value(j, key);
	buf_addc(j->out, '"');
	hex_encode(j->out, s);
	buf_addc(j->out, '"');
}

static enum status add_sha256(struct json *j, const char *key, struct slice s, struct error *e)
{
	char hex[SHA256_HEX];
	if (digest_sha256_hex(s, hex, e))
		return e->status;
	add_cstr(j, key, hex);
	return ST_OK;
}

static enum status add_sha1(struct json *j, const char *key, struct slice s, struct error *e)
{
	uint8_t digest[SHA1_BYTES];
	if (digest_sha1(s, digest, e))
		return e->status;
	add_hex(j, key, slice_of(digest, sizeof digest));
	return ST_OK;
}

static void add_alg(struct json *j, const char *key, struct slice alg)
{
	char oid[OID_TEXT];
	open_value(j, key, '{');
	add_cstr(j, "name", alg_name(alg, oid));
	add_cstr(j, "oid", alg_oid_text(alg, oid));
	close_value(j, '}');
}

static enum status add_attr_values(struct json *j, struct slice name, const struct name_attr *of, struct error *e)
{
	struct name_reader r;
	struct name_attr a;
	enum status st;
	open_value(j, of->key, '[');
	if (name_open(name, &r, e))
		return e->status;
	while ((st = name_next(&r, &a, e)) == ST_OK) {
		if (strcmp(a.oid, of->oid))
			continue;
		AUTO(buf_done) struct buf text = BUF_INIT(4 * CERT_MAX);
		name_add_value(&a, &text);
		if (buf_check(&text, e))
			return e->status;
		add_text(j, NULL, buf_slice(&text));
	}
	close_value(j, ']');
	return st == ST_MISSING ? ST_OK : st;
}

/* Whether an attribute before the seen-th has this type. */
static bool came_before(struct slice name, size_t seen, const char *oid)
{
	struct error ignored;
	struct name_reader r;
	struct name_attr a;
	if (name_open(name, &r, &ignored))
		return false;
	while (!name_next(&r, &a, &ignored) && r.seen < seen)
		if (!strcmp(a.oid, oid))
			return true;
	return false;
}

/* { "common_name": [...] } with a key per type, and its text form beside it. */
static enum status add_name(struct json *j, const char *key, const char *dn_key, struct slice name, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(8 * CERT_MAX);
	struct name_reader r;
	struct name_attr a;
	enum status st;
	open_value(j, key, '{');
	if (name_open(name, &r, e))
		return e->status;
	while ((st = name_next(&r, &a, e)) == ST_OK)
		if (!came_before(name, r.seen, a.oid) && add_attr_values(j, name, &a, e))
			return e->status;
	close_value(j, '}');
	if (st != ST_MISSING || name_text(name, &text, e))
		return e->status;
	add_text(j, dn_key, buf_slice(&text));
	return ST_OK;
}

static void add_validity(struct json *j, const struct cert_facts *f)
{
	char text[WALL_TEXT];
	open_value(j, "validity", '{');
	add_cstr(j, "start", wall_rfc3339(f->not_before, text));
	add_cstr(j, "end", wall_rfc3339(f->not_after, text));
	add_number(j, "length", f->not_after.s - f->not_before.s);
	close_value(j, '}');
}

static void add_rsa(struct json *j, const struct key_parts *p)
{
	uint64_t exponent = key_parts_exponent(p);
	open_value(j, "rsa_public_key", '{');
	if (exponent && exponent <= INT64_MAX)
		add_number(j, "exponent", (int64_t)exponent);
	add_base64(j, "modulus", p->spki.n);
	add_number(j, "length", p->facts.bits);
	close_value(j, '}');
}

static enum status add_key(struct json *j, const EVP_PKEY *key, struct slice spki, struct error *e)
{
	struct key_parts p;
	if (key_parts_read(key, spki, &p, e))
		return e->status;
	open_value(j, "subject_key_info", '{');
	open_value(j, "key_algorithm", '{');
	add_cstr(j, "name", p.algorithm);
	close_value(j, '}');
	if (p.spki.x.n) {
		open_value(j, "ecdsa_public_key", '{');
		add_cstr(j, "curve", p.facts.curve);
		add_number(j, "length", p.facts.bits);
		add_base64(j, "x", p.spki.x);
		add_base64(j, "y", p.spki.y);
		close_value(j, '}');
	} else if (p.spki.n.n) {
		add_rsa(j, &p);
	} else {
		add_base64(j, "public_key", p.spki.bits);
	}
	if (add_sha256(j, "fingerprint_sha256", spki, e))
		return e->status;
	close_value(j, '}');
	return ST_OK;
}

static enum status json_key_usage(struct json *j, const struct cert_facts *f, struct slice value, struct error *e)
{
	(void)value, (void)e;
	open_value(j, "key_usage", '{');
	add_number(j, "value", f->key_usage);
	for (size_t i = 0; i < KEY_USAGES; i++)
		if (f->key_usage >> i & 1)
			add_bool(j, key_usage_names[i].key, true);
	close_value(j, '}');
	return ST_OK;
}

/* The usages that have a name, or those that have none. */
static enum status add_eku(struct json *j, struct slice rest, bool known, struct error *e)
{
	char oid[OID_TEXT];
	bool any = false;
	struct der d;
	while (rest.n) {
		if (der_expect(&rest, DER_OID, &d, e) || der_read_oid(d.body, oid, e))
			return e->status;
		const struct key_usage_name *name = ext_key_usage_name(oid);
		if (known && name)
			add_bool(j, name->key, true);
		if (known || name)
			continue;
		if (!any)
			open_value(j, "unknown", '[');
		any = true;
		add_cstr(j, NULL, oid);
	}
	if (any)
		close_value(j, ']');
	return ST_OK;
}

static enum status json_ext_key_usage(struct json *j, const struct cert_facts *f, struct slice value, struct error *e)
{
	(void)f;
	struct der d;
	if (der_only(value, DER_SEQUENCE, &d, e))
		return e->status;
	open_value(j, "extended_key_usage", '{');
	if (add_eku(j, d.body, true, e) || add_eku(j, d.body, false, e))
		return e->status;
	close_value(j, '}');
	return ST_OK;
}

static enum status json_basic_constraints(struct json *j, const struct cert_facts *f, struct slice value,
                                          struct error *e)
{
	(void)value, (void)e;
	open_value(j, "basic_constraints", '{');
	add_bool(j, "is_ca", f->is_ca);
	if (f->path_len >= 0)
		add_number(j, "max_path_len", f->path_len);
	close_value(j, '}');
	return ST_OK;
}

static enum status json_subject_key_id(struct json *j, const struct cert_facts *f, struct slice value, struct error *e)
{
	(void)value, (void)e;
	add_hex(j, "subject_key_id", f->subject_key_id);
	return ST_OK;
}

static enum status json_authority_key_id(struct json *j, const struct cert_facts *f, struct slice value,
                                         struct error *e)
{
	(void)value, (void)e;
	add_hex(j, "authority_key_id", f->authority_key_id);
	return ST_OK;
}

static void add_sans(struct json *j, const struct san_list *l)
{
	static const struct {
		enum san_type type;
		const char *key;
	} kinds[] = {
		{ SAN_DNS, "dns_names" },     { SAN_EMAIL, "email_addresses" },
		{ SAN_IP, "ip_addresses" },   { SAN_URI, "uniform_resource_identifiers" },
		{ SAN_OTHER, "other_names" },
	};
	open_value(j, "subject_alt_name", '{');
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		bool any = false;
		for (size_t i = 0; i < l->n; i++) {
			if (l->v[i].type != kinds[k].type)
				continue;
			if (!any)
				open_value(j, kinds[k].key, '[');
			any = true;
			add_cstr(j, NULL, l->v[i].text);
		}
		if (any)
			close_value(j, ']');
	}
	close_value(j, '}');
}

static enum status json_sans(struct json *j, const struct cert_facts *f, struct slice value, struct error *e)
{
	(void)value, (void)e;
	add_sans(j, f->sans);
	return ST_OK;
}

static enum status json_provisioner(struct json *j, const struct cert_facts *f, struct slice value, struct error *e)
{
	(void)value, (void)e;
	const char *type = provisioner_type_name(f->provisioner.type);
	open_value(j, "step_provisioner", '{');
	if (type)
		add_cstr(j, "type", type);
	else
		add_number(j, "type", f->provisioner.type);
	add_cstr(j, "name", f->provisioner.name);
	if (f->provisioner.credential_id[0])
		add_cstr(j, "credential_id", f->provisioner.credential_id);
	close_value(j, '}');
	return ST_OK;
}

typedef enum status ext_writer(struct json *j, const struct cert_facts *f, struct slice value, struct error *e);

static const struct {
	const char *oid;
	ext_writer *write;
} writers[] = {
	{ OID_KEY_USAGE, json_key_usage },
	{ OID_EXT_KEY_USAGE, json_ext_key_usage },
	{ OID_BASIC_CONSTRAINTS, json_basic_constraints },
	{ OID_SUBJECT_KEY_ID, json_subject_key_id },
	{ OID_AUTHORITY_KEY_ID, json_authority_key_id },
	{ OID_SUBJECT_ALT_NAME, json_sans },
	{ OID_PROVISIONER, json_provisioner },
};

static ext_writer *writer_of(const char *oid)
{
	for (size_t i = 0; i < COUNT_OF(writers); i++)
		if (!strcmp(writers[i].oid, oid))
			return writers[i].write;
	return NULL;
}

static enum status add_known(struct json *j, const struct cert_facts *f, struct error *e)
{
	struct ext x;
	open_value(j, "extensions", '{');
	for (struct slice rest = f->extensions; rest.n;) {
		if (ext_next(&rest, &x, e))
			return e->status;
		ext_writer *write = writer_of(x.oid);
		if (write && write(j, f, x.value, e))
			return e->status;
	}
	close_value(j, '}');
	return ST_OK;
}

static enum status add_unknown(struct json *j, const struct cert_facts *f, struct error *e)
{
	struct ext x;
	bool any = false;
	for (struct slice rest = f->extensions; rest.n;) {
		if (ext_next(&rest, &x, e))
			return e->status;
		if (writer_of(x.oid))
			continue;
		if (!any)
			open_value(j, "unknown_extensions", '[');
		any = true;
		open_value(j, NULL, '{');
		add_cstr(j, "id", x.oid);
		add_bool(j, "critical", x.critical);
		add_base64(j, "value", x.value);
		close_value(j, '}');
	}
	if (any)
		close_value(j, ']');
	return ST_OK;
}

static void add_signature(struct json *j, struct slice alg, struct slice signature)
{
	open_value(j, "signature", '{');
	add_alg(j, "signature_algorithm", alg);
	add_base64(j, "value", signature);
}

static void add_names(struct json *j, const char *common_name, const struct san_list *l)
{
	open_value(j, "names", '[');
	if (common_name[0])
		add_cstr(j, NULL, common_name);
	for (size_t k = 0; k < SAN_KINDS; k++)
		for (size_t i = 0; i < l->n; i++) {
			const struct san *s = &l->v[i];
			bool told = s->type == SAN_OTHER || !strcmp(s->text, common_name);
			for (size_t before = 0; before < i && !told; before++)
				told = l->v[before].type == s->type && !strcmp(l->v[before].text, s->text);
			if (s->type == san_shown_order[k] && !told)
				add_cstr(j, NULL, s->text);
		}
	close_value(j, ']');
}

static enum status add_spki_subject(struct json *j, const struct cert_facts *f, struct error *e)
{
	AUTO(buf_done) struct buf both = BUF_INIT(CERT_MAX);
	buf_add_slice(&both, f->spki);
	buf_add_slice(&both, f->subject);
	if (buf_check(&both, e))
		return e->status;
	return add_sha256(j, "spki_subject_fingerprint", buf_slice(&both), e);
}

static enum status add_cert(struct json *j, const struct cert *c, struct error *e)
{
	const struct cert_facts *f = cert_facts(c);
	bool self_signed = inspect_self_signed(c);
	open_value(j, NULL, '{');
	add_number(j, "version", f->version);
	add_cstr(j, "serial_number", f->serial_text);
	add_alg(j, "signature_algorithm", f->signature_alg);
	if (add_name(j, "issuer", "issuer_dn", f->issuer, e))
		return e->status;
	add_validity(j, f);
	if (add_name(j, "subject", "subject_dn", f->subject, e) || add_key(j, cert_key(c), f->spki, e) ||
	    add_known(j, f, e) || add_unknown(j, f, e))
		return e->status;
	add_signature(j, f->signature_alg, f->signature);
	if (self_signed)
		add_bool(j, "valid", true);
	add_bool(j, "self_signed", self_signed);
	close_value(j, '}');
	if (add_sha1(j, "fingerprint_sha1", f->der, e) || add_sha256(j, "fingerprint_sha256", f->der, e) ||
	    add_spki_subject(j, f, e) || add_sha256(j, "tbs_fingerprint", f->tbs, e))
		return e->status;
	add_names(j, f->common_name, f->sans);
	close_value(j, '}');
	return ST_OK;
}

enum status inspect_json(const struct cert *c, struct buf *out, struct error *e)
{
	struct json j = { .out = out, .empty = true };
	if (add_cert(&j, c, e))
		return e->status;
	buf_addc(out, '\n');
	return buf_check(out, e);
}

enum status inspect_chain_json(const struct chain *c, struct buf *out, struct error *e)
{
	struct json j = { .out = out, .empty = true };
	if (c->n == 1)
		return inspect_json(c->v[0], out, e);
	open_value(&j, NULL, '[');
	for (size_t i = 0; i < c->n; i++)
		if (add_cert(&j, c->v[i], e))
			return e->status;
	close_value(&j, ']');
	buf_addc(out, '\n');
	return buf_check(out, e);
}

enum status inspect_csr_json(const struct csr *c, struct buf *out, struct error *e)
{
	struct json j = { .out = out, .empty = true };
	open_value(&j, NULL, '{');
	add_number(&j, "version", 1);
	add_alg(&j, "signature_algorithm", c->signature_alg);
	if (add_name(&j, "subject", "subject_dn", buf_slice(&c->subject), e) ||
	    add_key(&j, c->key, buf_slice(&c->spki), e))
		return e->status;
	open_value(&j, "extensions", '{');
	if (c->sans.n)
		add_sans(&j, &c->sans);
	close_value(&j, '}');
	add_signature(&j, c->signature_alg, c->signature);
	add_bool(&j, "valid", !csr_verify(c, e));
	close_value(&j, '}');
	if (add_sha1(&j, "fingerprint_sha1", buf_slice(&c->der), e) ||
	    add_sha256(&j, "fingerprint_sha256", buf_slice(&c->der), e))
		return e->status;
	add_names(&j, c->common_name, &c->sans);
	close_value(&j, '}');
	buf_addc(out, '\n');
	return buf_check(out, e);
}
