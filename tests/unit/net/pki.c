#include "pki.h"

#include "x509/auto.h"

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define MUST(x)                                                                                                        \
	do {                                                                                                           \
		if (!(x)) {                                                                                            \
			fprintf(stderr, "pki.c:%d: %s failed\n", __LINE__, #x);                                        \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(ext && X509_add_ext(x, ext, -1));
	X509_EXTENSION_free(ext);
}

static void name_it(X509 *x, const char *cn)
{
	uint64_t serial;
	MUST(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
	MUST(X509_set_version(x, 2) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1 | 1));
	MUST(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1,
	                                -1, 0));
}

static EVP_PKEY *make_key(const char *kind)
{
	if (!kind)
		return EVP_EC_gen("P-256");
	if (strncmp(kind, "P-", 2) == 0)
		return EVP_EC_gen(kind);
	return strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

struct cred cred_make(const struct cred *issuer, const struct cred_spec *spec)
{
	struct cred c = { .key = make_key(spec->key) };
	struct error e = ERROR_INIT;
	AUTO(X509_free_p) X509 *x = X509_new();
	bool times = spec->from_s || spec->until_s;

	MUST(c.key && x);
	name_it(x, spec->cn);
	X509 *by = issuer ? cert_x509(issuer->chain.v[0]) : x;
	MUST(X509_set_issuer_name(x, X509_get_subject_name(by)) && X509_set_pubkey(x, c.key));
	X509_gmtime_adj(X509_getm_notBefore(x), times ? spec->from_s : -60);
	X509_gmtime_adj(X509_getm_notAfter(x), times ? spec->until_s : 3600);
	extend(x, by, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : NULL);
	extend(x, by, NID_key_usage, spec->ca ? "critical,keyCertSign,cRLSign" : spec->ku);
	extend(x, by, NID_ext_key_usage, spec->eku);
	extend(x, by, NID_subject_key_identifier, "hash");
	extend(x, by, NID_subject_alt_name, spec->san);
	MUST(X509_sign(x, issuer ? issuer->key : c.key, EVP_sha256()));

	AUTO(cert_unref_p) struct cert *cert = NULL;
	MUST(!cert_of_x509(x, &cert, &e) && !chain_add(&c.chain, cert, &e));
	if (issuer && issuer->chain.n && !cert_facts(issuer->chain.v[0])->self_issued)
		for (size_t i = 0; i < issuer->chain.n; i++)
			MUST(!chain_add(&c.chain, issuer->chain.v[i], &e));
	return c;
}

void cred_done(struct cred *c)
{
	chain_done(&c->chain);
	EVP_PKEY_free(c->key);
	*c = (struct cred){ 0 };
}

void pki_make(struct pki *p)
{
	struct error e = ERROR_INIT;
	p->root = cred_make(NULL, &(struct cred_spec){ .cn = "Test Root", .ca = true });
	p->inter = cred_make(&p->root, &(struct cred_spec){ .cn = "Test Intermediate", .ca = true });
	p->server = cred_make(&p->inter, &(struct cred_spec){ .cn = "ca",
	                                                      .eku = "serverAuth,clientAuth",
	                                                      .ku = "critical,digitalSignature",
	                                                      .san = "DNS:localhost,IP:127.0.0.1,IP:::1" });
	p->client = cred_make(&p->inter, &(struct cred_spec){ .cn = "client",
	                                                      .eku = "serverAuth,clientAuth",
	                                                      .ku = "critical,digitalSignature",
	                                                      .san = "DNS:client" });
	MUST(!chain_add(&p->roots, p->root.chain.v[0], &e));
	MUST(!chain_add(&p->client_roots, p->root.chain.v[0], &e));
	MUST(!chain_add(&p->client_roots, p->inter.chain.v[0], &e));
}

void pki_done(struct pki *p)
{
	cred_done(&p->root);
	cred_done(&p->inter);
	cred_done(&p->server);
	cred_done(&p->client);
	chain_done(&p->client_roots);
	chain_done(&p->roots);
}
