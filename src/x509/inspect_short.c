#include "x509/inspect_parts.h"

#include "x509/show.h"

/* "9097...2593": what is longer than 8 bytes loses its middle. */
static void add_abbreviated(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	if (n <= 8) {
		show_add(out, slice_of(s, n));
		return;
	}
	show_add(out, slice_of(s, 4));
	buf_adds(out, "...");
	show_add(out, slice_of(s + n - 4, 4));
}

static void add_subject(struct buf *out, const char *common_name, const struct san_list *sans)
{
	static const char first[] = "  Subject:     ", next[] = "               ";
	const char *indent = first;
	if (common_name[0]) {
		buf_addf(out, "%s%s\n", indent, common_name);
		indent = next;
	}
	for (size_t k = 0; k < SAN_KINDS; k++)
		for (size_t i = 0; i < sans->n; i++) {
			const struct san *s = &sans->v[i];
			if (s->type != san_shown_order[k] || s->type == SAN_OTHER || !strcmp(s->text, common_name))
				continue;
			buf_addf(out, "%s%s\n", indent, s->text);
			indent = next;
		}
	if (indent == first)
		buf_adds(out, "  Subject: \n");
}

static void add_provisioner(struct buf *out, const struct provisioner_ext *p)
{
	buf_adds(out, "  Provisioner: ");
	show_add(out, slice_cstr(p->name));
	if (p->credential_id[0]) {
		buf_adds(out, " [ID: ");
		add_abbreviated(out, p->credential_id);
		buf_addc(out, ']');
	}
	buf_addc(out, '\n');
}

/* The key's kind from its SubjectPublicKeyInfo, without OpenSSL for the kinds that everybody has: this runs every few
 * minutes on small devices. */
static void add_key_label(struct buf *out, const struct cert *c)
{
	static const struct {
		const char *oid, *parameter, *label;
	} known[] = {
		{ "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "ECDSA P-256" },
		{ "1.2.840.10045.2.1", "1.3.132.0.34", "ECDSA P-384" },
		{ "1.2.840.10045.2.1", "1.3.132.0.35", "ECDSA P-521" },
		{ "1.3.101.112", "", "Ed25519 256" },
	};
	char oid[OID_TEXT] = "", parameter[OID_TEXT] = "";
	struct slice rest = cert_facts(c)->spki;
	struct error ignored;
	struct der d, alg, p;
	if (!der_expect(&rest, DER_SEQUENCE, &d, &ignored)) {
		rest = d.body;
		if (!der_expect(&rest, DER_SEQUENCE, &alg, &ignored)) {
			alg_oid_text(alg.whole, oid);
			rest = alg.body;
			if (!der_next(&rest, &p, &ignored) && !der_expect(&rest, DER_OID, &p, &ignored))
				st_ignore(der_read_oid(p.body, parameter, &ignored), "an unknown curve is named below");
		}
	}
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (strcmp(oid, known[i].oid) != 0 || strcmp(parameter, known[i].parameter) != 0)
			continue;
		buf_adds(out, known[i].label);
		return;
	}
	EVP_PKEY *key = cert_key(c);
	buf_adds(out, key ? key_facts_of(key).label : "unknown");
}

enum status inspect_short(const struct cert *c, struct buf *out, struct error *e)
{
	const struct cert_facts *f = cert_facts(c);
	const char *kind = !f->is_ca ? "TLS" : inspect_self_signed(c) ? "Root CA" : "Intermediate CA";
	char from[WALL_TEXT], to[WALL_TEXT];
	buf_addf(out, "X.509v3 %s Certificate (", kind);
	add_key_label(out, c);
	buf_adds(out, ") [Serial: ");
	add_abbreviated(out, f->serial_text);
	buf_adds(out, "]\n");
	add_subject(out, f->common_name, f->sans);
	buf_addf(out, "  Issuer:      %s\n", f->issuer_common_name);
	if (f->has_provisioner)
		add_provisioner(out, &f->provisioner);
	buf_addf(out, "  Valid from:  %s\n          to:  %s\n", wall_rfc3339(f->not_before, from),
	         wall_rfc3339(f->not_after, to));
	return buf_check(out, e);
}

enum status inspect_csr_short(const struct csr *c, struct buf *out, struct error *e)
{
	buf_addf(out, "X.509v3 Certificate Signing Request (%s)\n", key_facts_of(c->key).label);
	add_subject(out, c->common_name, &c->sans);
	return buf_check(out, e);
}
