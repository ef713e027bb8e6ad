#include "x509/inspect_parts.h"

#include <stdio.h>

const struct key_usage_name key_usage_names[KEY_USAGES] = {
	{ "Digital Signature", "digital_signature" },
	{ "Content Commitment", "content_commitment" },
	{ "Key Encipherment", "key_encipherment" },
	{ "Data Encipherment", "data_encipherment" },
	{ "Key Agreement", "key_agreement" },
	{ "Certificate Sign", "certificate_sign" },
	{ "CRL Sign", "crl_sign" },
	{ "Encipher Only", "encipher_only" },
	{ "Decipher Only", "decipher_only" },
};

const enum san_type san_shown_order[SAN_KINDS] = { SAN_DNS, SAN_IP, SAN_EMAIL, SAN_URI, SAN_OTHER };

static const struct {
	const char *oid;
	struct key_usage_name name;
} ext_usages[] = {
	{ OID_ANY_EXT_KEY_USAGE, { "Any Extended Key Usage", "any" } },
	{ OID_SERVER_AUTH, { "Server Authentication", "server_auth" } },
	{ OID_CLIENT_AUTH, { "Client Authentication", "client_auth" } },
	{ "1.3.6.1.5.5.7.3.3", { "Code Signing", "code_signing" } },
	{ "1.3.6.1.5.5.7.3.4", { "Email Protection", "email_protection" } },
	{ "1.3.6.1.5.5.7.3.5", { "IPSec End System", "ipsec_end_system" } },
	{ "1.3.6.1.5.5.7.3.6", { "IPSec Tunnel", "ipsec_tunnel" } },
	{ "1.3.6.1.5.5.7.3.7", { "IPSec User", "ipsec_user" } },
	{ "1.3.6.1.5.5.7.3.8", { "Time Stamping", "time_stamping" } },
	{ "1.3.6.1.5.5.7.3.9", { "OCSP Signing", "ocsp_signing" } },
	{ "1.3.6.1.4.1.311.10.3.3", { "Microsoft Server Gated Crypto", "microsoft_server_gated_crypto" } },
	{ "2.16.840.1.113730.4.1", { "Netscape Server Gated Crypto", "netscape_server_gated_crypto" } },
};

const struct key_usage_name *ext_key_usage_name(const char *oid)
{
	for (size_t i = 0; i < COUNT_OF(ext_usages); i++)
		if (!strcmp(ext_usages[i].oid, oid))
			return &ext_usages[i].name;
	return NULL;
}

enum status key_parts_read(const EVP_PKEY *key, struct slice spki, struct key_parts *ret, struct error *e)
{
	struct key_parts p = { .facts = key_facts_of(key) };
	if (spki_read(spki, &p.spki, e))
		return e->status;
	snprintf(p.algorithm, sizeof p.algorithm, "%.*s", (int)strcspn(p.facts.label, " "), p.facts.label);
	*ret = p;
	return ST_OK;
}

uint64_t key_parts_exponent(const struct key_parts *p)
{
	uint64_t v = 0;
	for (size_t i = 0; i < p->spki.exponent.n; i++)
		v = v << 8 | p->spki.exponent.p[i];
	return p->spki.exponent.n <= 8 ? v : 0;
}

bool inspect_self_signed(const struct cert *c)
{
	struct error ignored;
	return cert_facts(c)->self_issued && !cert_signed_by(c, c, &ignored);
}

const char *alg_oid_text(struct slice alg, char out[OID_TEXT])
{
	struct error e;
	struct der d;
	out[0] = '\0';
	if (der_only(alg, DER_SEQUENCE, &d, &e))
		return out;
	struct slice rest = d.body;
	if (!der_expect(&rest, DER_OID, &d, &e) && der_read_oid(d.body, out, &e))
		out[0] = '\0';
	return out;
}
