#include "testca.h"

#include "crypto/auto.h"
#include "crypto/ossl.h"
#include "crypto/pem.h"
#include "jose/auto.h"
#include "x509/certwriter.h"
#include "x509/der.h"
#include "x509/name.h"
#include "x509/profile.h"

#include <stdio.h>
#include <stdlib.h>

static void must_at(enum status st, const struct error *e, int line)
{
	if (!st)
		return;
	fprintf(stderr, "# testca.c:%d: %s: %s\n", line, status_name(st), e->text);
	abort();
}
#define must(call) must_at((call), &e, __LINE__)

static void *have_at(void *p, int line)
{
	if (p)
		return p;
	fprintf(stderr, "# testca.c:%d: out of memory\n", line);
	abort();
}
#define have(p) have_at((p), __LINE__)

EVP_PKEY *testca_key(enum key_kind kind, const char *curve, int bits)
{
	struct error e = ERROR_INIT;
	struct key_spec spec = { .kind = kind, .bits = bits };
	EVP_PKEY *key = NULL;
	snprintf(spec.curve, sizeof spec.curve, "%s", curve ? curve : "");
	must(key_generate(&spec, &key, &e));
	return key;
}

/* --- the two CA certificates --- */

struct ca_draft {
	const char *name;
	EVP_PKEY *key, *signing_key;
	const struct cert *issuer; /* NULL: itself */
	int path_len;
	const char *permitted_dns;
	uint8_t serial;
	struct wall not_before, not_after;
};

/* NameConstraints ::= SEQUENCE { permittedSubtrees [0] { SEQUENCE { base [2] dNSName } } } */
static void add_name_constraint(struct buf *out, const char *dns)
{
	AUTO(buf_done) struct buf value = BUF_INIT(512);
	der_add(&value, 0x82, slice_cstr(dns));
	der_wrap(&value, 0, DER_SEQUENCE);
	der_wrap(&value, 0, 0xa0);
	der_wrap(&value, 0, DER_SEQUENCE);
	ext_add(out, "2.5.29.30", true, buf_slice(&value));
}

static struct cert *make_ca(const struct ca_draft *d)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf subject = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf spki = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf extensions = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	AUTO(signer_free_p) struct signer *signer = NULL;
	struct name_attrs names = { .organization = "Test", .common_name = d->name };
	const struct cert_facts *issuer = d->issuer ? cert_facts(d->issuer) : NULL;
	enum sign_alg alg;
	struct cert *cert;

	must(sign_alg_for_key(d->signing_key, &alg, &e));
	must(signer_new(d->signing_key, alg, &signer, &e));
	must(name_encode(&names, &subject, &e));
	must(key_spki(d->key, &spki, &e));
	must(profile_ca(buf_slice(&spki), d->path_len, issuer ? issuer->subject_key_id : SLICE_NONE, &extensions, &e));
	if (d->permitted_dns)
		add_name_constraint(&extensions, d->permitted_dns);
	struct cert_draft draft = { .serial = slice_of(&d->serial, 1),
		                    .issuer = issuer ? issuer->subject : buf_slice(&subject),
		                    .subject = buf_slice(&subject),
		                    .spki = buf_slice(&spki),
		                    .not_before = d->not_before,
		                    .not_after = d->not_after,
		                    .extensions = buf_slice(&extensions) };
	must(cert_write(&draft, signer, &der, &e));
	must(cert_parse(buf_slice(&der), &cert, &e));
	return cert;
}

static void make_cas(struct testca *t, const struct testca_opts *o)
{
	static const int64_t year_s = 365 * 86400;
	const struct key_spec *k = &o->key;
	bool given = k->curve[0] || k->bits;
	int64_t left_s = o->issuer_left_s ? o->issuer_left_s : 10 * year_s;
	struct wall now = o->now.s ? o->now : TESTCA_NOW;
	struct wall begin = { now.s - year_s };

	t->root_key = testca_key(given ? k->kind : KEY_EC, given ? k->curve : "P-256", k->bits);
	t->issuer_key = testca_key(given ? k->kind : KEY_EC, given ? k->curve : "P-256", k->bits);
	t->root = make_ca(&(struct ca_draft){ .name = "Test Root CA",
	                                      .key = t->root_key,
	                                      .signing_key = t->root_key,
	                                      .path_len = 1,
	                                      .permitted_dns = o->root_permitted_dns,
	                                      .serial = 1,
	                                      .not_before = begin,
	                                      .not_after = { now.s + 20 * year_s } });
	t->issuer = make_ca(&(struct ca_draft){ .name = "Test Intermediate CA",
	                                        .key = t->issuer_key,
	                                        .signing_key = t->root_key,
	                                        .issuer = t->root,
	                                        .path_len = 0,
	                                        .permitted_dns = o->permitted_dns,
	                                        .serial = 2,
	                                        .not_before = begin,
	                                        .not_after = { now.s + left_s } });
}

/* --- provisioners --- */

static char *dup_text(const char *s)
{
	return have(text_dup(slice_cstr(s)));
}

static void make_provisioner(struct testca *t, size_t i, enum provisioner_type type, const char *name)
{
	struct error e = ERROR_INIT;
	struct provisioner *p = &t->a->provs[i];
	p->type = type;
	p->name = dup_text(name);
	p->claims = claims_builtin;
	p->json = have(json_pack("{s:s, s:s}", "type", provisioner_type_name(type), "name", name));
	if (type == PROV_JWK) {
		json_t *jwk = NULL;
		must(key_public_of(t->prov_key, &p->key.key, &e));
		p->key.kid = dup_text(t->kid);
		p->key.alg = dup_text("ES256");
		p->key.use = dup_text("sig");
		must(jwk_format(&p->key, false, &jwk, &e));
		json_object_set_new(p->json, "key", jwk);
	}
	must(provisioner_name_ids(p, i, &e));
}

static void make_client_trust(struct authority *a)
{
	struct error e = ERROR_INIT;
	AUTO(chain_done) struct chain anchors = { 0 };
	must(chain_add(&anchors, a->roots.v[0], &e));
	must(chain_add(&anchors, a->issuers.v[0], &e));
	must(trust_new(&anchors, true, &a->client_trust, &e));
}

/* Certificates of this CA may make tokens through it, which a test can change. */
static void make_x5c(struct testca *t)
{
	struct error e = ERROR_INIT;
	struct provisioner *p = &t->a->provs[TESTCA_X5C];
	make_provisioner(t, TESTCA_X5C, PROV_X5C, "x5c");
	must(chain_add(&p->roots, t->root, &e));
	must(trust_new(&p->roots, false, &p->credentials, &e));
}

static void make_authority(struct testca *t)
{
	static const char *const names[] = { "ca.example", "127.0.0.1", "::1" };
	struct error e = ERROR_INIT;
	struct authority *a = t->a = have(authority_new());
	enum sign_alg alg;

	must(chain_add(&a->issuers, t->issuer, &e));
	must(chain_add(&a->roots, t->root, &e));
	must(sign_alg_for_key(t->issuer_key, &alg, &e));
	must(signer_new(t->issuer_key, alg, &a->signer, &e));
	a->dns_names = have(calloc(COUNT_OF(names), sizeof *a->dns_names));
	for (; a->dns_n < COUNT_OF(names); a->dns_n++)
		a->dns_names[a->dns_n] = dup_text(names[a->dns_n]);
	a->backdate_ns = DURATION_MIN;
	a->listener_common_name = dup_text("Step Online CA");
	a->renew_without_provisioner = true;
	a->provs = have(calloc(4, sizeof *a->provs));
	a->provs_n = 4;
	make_client_trust(a);
	make_provisioner(t, TESTCA_OPS, PROV_JWK, "ops");
	make_provisioner(t, TESTCA_ACME, PROV_ACME, "acme");
	make_provisioner(t, TESTCA_BROKEN, PROV_JWK, "broken");
	a->provs[TESTCA_BROKEN].disabled = dup_text("options.x509.template is not supported");
	make_x5c(t);
}

struct testca *testca_new(const struct testca_opts *opts)
{
	struct error e = ERROR_INIT;
	struct testca *t = have(calloc(1, sizeof *t));
	ossl_start();
	make_cas(t, opts ? opts : &(struct testca_opts){ 0 });
	t->prov_key = testca_key(KEY_EC, "P-256", 0);
	must(jwk_thumbprint(t->prov_key, t->kid, &e));
	make_authority(t);
	return t;
}

void testca_free(struct testca *t)
{
	if (!t)
		return;
	authority_unref(t->a);
	cert_unref(t->root);
	cert_unref(t->issuer);
	EVP_PKEY_free(t->root_key);
	EVP_PKEY_free(t->issuer_key);
	EVP_PKEY_free(t->prov_key);
	free(t);
}

/* --- tokens, requests, leafs --- */

struct ott_draft testca_draft(const char *sub)
{
	static char jtis[8][24];
	static unsigned count;
	char *jti = jtis[count % COUNT_OF(jtis)];
	snprintf(jti, sizeof jtis[0], "jti-%u", count++);
	return (struct ott_draft){ .aud = TESTCA_AUD,
		                   .iss = "ops",
		                   .sub = sub,
		                   .jti = jti,
		                   .iat = TESTCA_NOW,
		                   .nbf = TESTCA_NOW,
		                   .exp = { TESTCA_NOW.s + 300 } };
}

void testca_token(const struct testca *t, const struct ott_draft *d, struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *header = have(json_pack("{s:s}", "kid", t->kid));
	must(ott_format(d, header, t->prov_key, out, &e));
}

void testca_claims_token(const struct testca *t, const char *kid, EVP_PKEY *key, const char *claims, struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *header = have(json_pack("{s:s}", "kid", kid ? kid : t->kid));
	must(jws_sign(key ? key : t->prov_key, header, slice_cstr(claims), out, &e));
}

void testca_csr(EVP_PKEY *key, const char *cn, const char *const *sans, size_t sans_n, struct csr *ret)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf subject = BUF_INIT(CSR_MAX);
	AUTO(buf_done) struct buf der = BUF_INIT(CSR_MAX);
	AUTO(buf_done) struct buf pem = BUF_INIT(2 * CSR_MAX);
	AUTO(san_list_done) struct san_list l = { 0 };
	struct name_attrs names = { .common_name = cn };

	for (size_t i = 0; i < sans_n; i++)
		must(san_list_add(&l, slice_cstr(sans[i]), &e));
	must(name_encode(&names, &subject, &e));
	must(csr_make(key, buf_slice(&subject), sans_n ? &l : NULL, &der, &e));
	pem_format(&pem, "CERTIFICATE REQUEST", buf_slice(&der));
	must(csr_parse(buf_slice(&pem), false, ret, &e));
}

void testca_issue(const struct testca *t, EVP_PKEY *key, const char *name, struct wall now, struct issued *ret)
{
	static uint8_t serial[ISSUE_SERIAL_BYTES] = { 0x7e };
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(csr_done) struct csr csr = { 0 };
	struct authorization auth = { 0 };
	struct ott_draft d = testca_draft(name);

	d.iat = d.nbf = now;
	d.exp.s = now.s + 300;
	serial[ISSUE_SERIAL_BYTES - 1]++;
	testca_csr(key, name, NULL, 0, &csr);
	testca_token(t, &d, &token);
	must(authorize_token(t->a, OP_SIGN, buf_slice(&token), now, (struct wall){ 0 }, &auth, &v, &e));
	if (!v.refusal)
		must(issue_sign(t->a, &auth, &(struct sign_request){ .csr = &csr }, now, serial, ret, &v, &e));
	authorization_done(&auth);
	if (v.refusal) {
		fprintf(stderr, "# testca_issue: refused: %s\n", v.reason);
		abort();
	}
}
