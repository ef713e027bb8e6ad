/* PFX: an authenticated safe of two contents, and a MAC over both (RFC 7292 §4).
 *
 *   encrypted content: one CertBag per certificate; the leaf's bears a localKeyID
 *   plain content:     one PKCS8ShroudedKeyBag with the same localKeyID (absent in a trust store) */
#include "x509/p12.h"

#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "x509/auto.h"
#include "x509/name.h"

#include <openssl/provider.h>

/* Java takes a certificate for an anchor where it bears this attribute with anyExtendedKeyUsage. */
#define OID_JAVA_TRUSTED_KEY_USAGE "2.16.840.1.113894.746875.1.1"

enum { P12_ITERATIONS = 2048, P12_SALT = 16, P12_LEGACY_SALT = 8, P12_PASSWORD_MAX = 1024 };

typedef STACK_OF(PKCS12_SAFEBAG) bags;
typedef STACK_OF(PKCS7) contents;

static void bags_free(bags *b)
{
	sk_PKCS12_SAFEBAG_pop_free(b, PKCS12_SAFEBAG_free);
}
DEFINE_AUTO(bags *, bags_free);

static void contents_free(contents *c)
{
	sk_PKCS7_pop_free(c, PKCS7_free);
}
DEFINE_AUTO(contents *, contents_free);
DEFINE_AUTO(PKCS8_PRIV_KEY_INFO *, PKCS8_PRIV_KEY_INFO_free);
DEFINE_AUTO(ASN1_OBJECT *, ASN1_OBJECT_free);

/* How a file is made: modern, or legacy for readers of another age. */
struct style {
	OSSL_LIB_CTX *lib; /* NULL: the default one */
	OSSL_PROVIDER *legacy, *plain;
	int cert_pbe, key_pbe, salt_n;
	const EVP_MD *mac;
};

static void style_done(struct style *s)
{
	if (s->legacy)
		OSSL_PROVIDER_unload(s->legacy);
	if (s->plain)
		OSSL_PROVIDER_unload(s->plain);
	OSSL_LIB_CTX_free(s->lib);
}

/* RC2 lives in OpenSSL's legacy provider, a file of its own that need not be installed. It is loaded into a context of
 * this call, so that the rest of the program goes on without RC2. */
static enum status style_legacy(struct style *s, struct error *e)
{
	*s = (struct style){ .lib = OSSL_LIB_CTX_new(),
		             .cert_pbe = NID_pbe_WithSHA1And40BitRC2_CBC,
		             .key_pbe = NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
		             .salt_n = P12_LEGACY_SALT,
		             .mac = EVP_sha1() };
	if (!s->lib)
		return error_nomem(e);
	s->legacy = OSSL_PROVIDER_load(s->lib, "legacy");
	s->plain = OSSL_PROVIDER_load(s->lib, "default");
	if (s->legacy && s->plain)
		return ST_OK;
	return error_ossl(e, ST_MISSING,
	                  "a legacy PKCS#12 file needs OpenSSL's legacy provider, which cannot be loaded here; "
	                  "leave '--legacy' away, or install it");
}

static enum status style_make(bool legacy, struct style *ret, struct error *e)
{
	if (legacy)
		return style_legacy(ret, e);
	*ret = (struct style){
		.cert_pbe = NID_aes_256_cbc, .key_pbe = NID_aes_256_cbc, .salt_n = P12_SALT, .mac = EVP_sha256()
	};
	return ST_OK;
}

static enum status failed(struct error *e)
{
	return error_ossl(e, ST_CRYPTO, "cannot make the PKCS#12 file");
}

static enum status name_anchor(PKCS12_SAFEBAG *bag, const struct cert *c, struct error *e)
{
	AUTO(buf_done) struct buf name = BUF_INIT(4 * CERT_MAX);
	AUTO(ASN1_OBJECT_free_p) ASN1_OBJECT *any = OBJ_txt2obj(OID_ANY_EXT_KEY_USAGE, 1);
	char fingerprint[SHA256_HEX];
	if (cert_fingerprint(c, fingerprint, e) || name_text_reversed(cert_facts(c)->subject, &name, e))
		return e->status;
	buf_addf(&name, " - %s", fingerprint);
	if (buf_check(&name, e))
		return e->status;
	if (!any || !PKCS12_add_friendlyname_utf8(bag, buf_cstr(&name), (int)name.n) ||
	    !PKCS12_add1_attr_by_txt(bag, OID_JAVA_TRUSTED_KEY_USAGE, V_ASN1_OBJECT, (const unsigned char *)any, -1))
		return failed(e);
	return ST_OK;
}

/* leaf_id: the localKeyID, or NULL; anchor: an entry of a trust store. */
static enum status add_cert(bags **to, const struct cert *c, const uint8_t *leaf_id, bool anchor, struct error *e)
{
	PKCS12_SAFEBAG *bag = PKCS12_add_cert(to, cert_x509(c));
	uint8_t id[SHA1_BYTES];
	if (!bag)
		return failed(e);
	if (anchor)
		return name_anchor(bag, c, e);
	if (!leaf_id)
		return ST_OK;
	memcpy(id, leaf_id, sizeof id); /* the call below takes no const */
	return PKCS12_add_localkeyid(bag, id, sizeof id) ? ST_OK : failed(e);
}

static enum status cert_bags(const struct p12_draft *d, const uint8_t leaf_id[SHA1_BYTES], bags **to, struct error *e)
{
	for (size_t i = 0; d->chain && i < d->chain->n; i++)
		if (add_cert(to, d->chain->v[i], i ? NULL : leaf_id, !d->key, e))
			return e->status;
	for (size_t i = 0; d->cas && i < d->cas->n; i++)
		if (add_cert(to, d->cas->v[i], NULL, !d->key, e))
			return e->status;
	return ST_OK;
}

static const char *password_of(const struct p12_draft *d)
{
	return d->password.n ? (const char *)d->password.p : "";
}

/* Pushes what it is given (which may be NULL after a failure). */
static enum status push(contents *to, PKCS7 *content, struct error *e)
{
	if (content && sk_PKCS7_push(to, content))
		return ST_OK;
	PKCS7_free(content);
	return failed(e);
}

static enum status add_cert_content(const struct p12_draft *d, const struct style *s, const uint8_t *leaf_id,
                                    contents *to, struct error *e)
{
	AUTO(bags_free_p) bags *b = NULL;
	if (cert_bags(d, leaf_id, &b, e))
		return e->status;
	return push(to,
	            PKCS12_pack_p7encdata_ex(s->cert_pbe, password_of(d), (int)d->password.n, NULL, s->salt_n,
	                                     P12_ITERATIONS, b, s->lib, NULL),
	            e);
}

static enum status add_key_content(const struct p12_draft *d, const struct style *s, uint8_t leaf_id[SHA1_BYTES],
                                   contents *to, struct error *e)
{
	AUTO(bags_free_p) bags *b = sk_PKCS12_SAFEBAG_new_null();
	AUTO(PKCS8_PRIV_KEY_INFO_free_p) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(d->key);
	if (!b || !plain)
		return failed(e);
	PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_pkcs8_encrypt_ex(
		s->key_pbe, password_of(d), (int)d->password.n, NULL, s->salt_n, P12_ITERATIONS, plain, s->lib, NULL);
	if (!bag || !sk_PKCS12_SAFEBAG_push(b, bag)) {
		PKCS12_SAFEBAG_free(bag);
		return failed(e);
	}
	if (!PKCS12_add_localkeyid(bag, leaf_id, SHA1_BYTES))
		return failed(e);
	return push(to, PKCS12_pack_p7data(b), e);
}

static enum status seal(const struct p12_draft *d, const struct style *s, contents *c, struct buf *out, struct error *e)
{
	AUTO(PKCS12_free_p) PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, s->lib, NULL);
	uint8_t *der = NULL;
	if (!p12 || !PKCS12_pack_authsafes(p12, c) ||
	    !PKCS12_set_mac(p12, password_of(d), (int)d->password.n, NULL, s->salt_n, P12_ITERATIONS, s->mac))
		return failed(e);
	int n = i2d_PKCS12(p12, &der);
	if (n <= 0)
		return failed(e);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_check(out, e);
}

static enum status check(const struct p12_draft *d, struct error *e)
{
	size_t leafs = d->chain ? d->chain->n : 0, cas = d->cas ? d->cas->n : 0;
	if (d->key ? !leafs : !leafs && !cas)
		return error_set(e, ST_INVALID, "a PKCS#12 file needs a certificate");
	if (d->key && EVP_PKEY_eq(d->key, cert_key(d->chain->v[0])) != 1)
		return error_ossl(e, ST_INVALID, "private key does not match the certificate");
	if (d->password.n > P12_PASSWORD_MAX || slice_find(d->password, 0) < d->password.n)
		return error_set(e, ST_INVALID, "the password holds NUL or is longer than %d bytes", P12_PASSWORD_MAX);
	return ST_OK;
}

enum status p12_format(const struct p12_draft *d, struct buf *out, struct error *e)
{
	AUTO(style_done) struct style s = { 0 };
	AUTO(contents_free_p) contents *c = sk_PKCS7_new_null();
	uint8_t leaf_id[SHA1_BYTES] = { 0 };
	if (!c)
		return error_nomem(e);
	if (check(d, e) || style_make(d->legacy, &s, e) ||
	    (d->key && digest_sha1(cert_facts(d->chain->v[0])->der, leaf_id, e)) ||
	    add_cert_content(d, &s, leaf_id, c, e) || (d->key && add_key_content(d, &s, leaf_id, c, e)))
		return e->status;
	return seal(d, &s, c, out, e);
}
