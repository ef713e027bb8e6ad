#include "crypto/keyfile.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "crypto/pbkdf2.h"
#include "crypto/pem.h"
#include "crypto/random.h"

#include "base/b64.h"
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <stdio.h>

DEFINE_AUTO(PKCS8_PRIV_KEY_INFO *, PKCS8_PRIV_KEY_INFO_free);
DEFINE_AUTO(X509_SIG *, X509_SIG_free);
DEFINE_AUTO(X509_ALGOR *, X509_ALGOR_free);
DEFINE_AUTO(X509 *, X509_free);
DEFINE_AUTO(X509_REQ *, X509_REQ_free);
DEFINE_AUTO(PBE2PARAM *, PBE2PARAM_free);
DEFINE_AUTO(PBKDF2PARAM *, PBKDF2PARAM_free);
DEFINE_AUTO(EVP_CIPHER *, EVP_CIPHER_free);

enum { PBES2_SALT = 16, PBES2_ITERATIONS = 600 * 1000 };

static const char wrong_password[] = "wrong password: the key could not be decrypted";

/* The ciphers of RFC 1423 headers and of PBES2. All have CBC's IV: one block. */
static const struct cipher {
	const char *name; /* as in DEK-Info, and OpenSSL's */
	int nid, key_bytes, iv_bytes;
	bool legacy; /* OpenSSL 3 keeps it in its "legacy" provider */
} ciphers[] = {
	{ "AES-256-CBC", NID_aes_256_cbc, 32, 16, false },
	{ "AES-192-CBC", NID_aes_192_cbc, 24, 16, false },
	{ "AES-128-CBC", NID_aes_128_cbc, 16, 16, false },
	{ "DES-EDE3-CBC", NID_des_ede3_cbc, 24, 8, false },
	{ "DES-CBC", NID_des_cbc, 8, 8, true },
};

static const struct cipher *cipher_by_name(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		if (slice_is(name, ciphers[i].name))
			return &ciphers[i];
	return NULL;
}

static const struct cipher *cipher_by_nid(int nid)
{
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		if (ciphers[i].nid == nid)
			return &ciphers[i];
	return NULL;
}

/* The library context for a cipher. DES lives in a provider that nothing else needs: it gets a context of its own, so
 * that the process's default one does not change under other threads. */
struct home {
	OSSL_LIB_CTX *lib; /* NULL: the default context */
	OSSL_PROVIDER *legacy, *base;
};

static void home_done(struct home *h)
{
	if (h->legacy)
		OSSL_PROVIDER_unload(h->legacy);
	if (h->base)
		OSSL_PROVIDER_unload(h->base);
	OSSL_LIB_CTX_free(h->lib);
}

static enum status home_init(struct home *h, const struct cipher *cipher, struct error *e)
{
	if (!cipher->legacy)
		return ST_OK;
	h->lib = OSSL_LIB_CTX_new();
	if (!h->lib)
		return error_nomem(e);
	h->legacy = OSSL_PROVIDER_load(h->lib, "legacy");
	h->base = OSSL_PROVIDER_load(h->lib, "default");
	if (!h->legacy || !h->base) {
		ossl_forget_errors();
		return error_set(e, ST_CRYPTO,
		                 "the key is encrypted with %s, which needs OpenSSL's legacy provider, and that is not "
		                 "installed; encrypt the key anew with AES elsewhere (openssl pkey -aes256)",
		                 cipher->name);
	}
	return ST_OK;
}

/* --- passwords --- */

enum status password_try(const struct password_source *source,
                         enum status (*use)(void *ctx, struct slice password, struct error *e), void *ctx,
                         struct error *e)
{
	if (!source || !source->get)
		return error_set(e, ST_MISSING, "it is encrypted and no password was given");
	for (int attempt = 0; attempt < PASSWORD_TRIES; attempt++) {
		AUTO(buf_done) struct buf password = BUF_SECRET(PASSWORD_MAX);
		struct error refusal = *e; /* of the attempt before */
		enum status st = source->get(source->ctx, attempt, &password, e);
		if (st == ST_MISSING && attempt > 0) {
			*e = refusal;
			return ST_DENIED;
		}
		if (st)
			return st;
		if (buf_check(&password, e))
			return error_wrap(e, "password");
		st = use(ctx, buf_slice(&password), e);
		if (st != ST_DENIED)
			return st;
	}
	return ST_DENIED;
}

/* --- plain DER --- */

/* After decryption: did the right password come out? A DER SEQUENCE that fills the text to its last byte is no
 * accident, while OpenSSL's check of the padding passes one wrong password in 256. */
static bool one_sequence(struct slice der)
{
	size_t head = 2, n;
	if (der.n < 2 || der.p[0] != 0x30)
		return false;
	n = der.p[1];
	if (n & 0x80) {
		size_t octets = n & 0x7f;
		if (octets < 1 || octets > 2 || der.n < 2 + octets)
			return false;
		for (n = 0; head < 2 + octets; head++)
			n = n << 8 | der.p[head];
	}
	return der.n - head == n;
}

static enum status finish(EVP_PKEY *taken, EVP_PKEY **ret, struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = taken;
	if (key_supported(key, e) || key_check_pair(key, e))
		return e->status;
	*ret = TAKE(key);
	return ST_OK;
}

/* SEC1, PKCS#1 or PKCS#8, found out from its content. */
static enum status parse_der(struct slice der, EVP_PKEY **ret, struct error *e)
{
	const unsigned char *p = der.p;
	EVP_PKEY *key = one_sequence(der) ? d2i_AutoPrivateKey(NULL, &p, (long)der.n) : NULL;
	if (!key)
		return error_ossl(e, ST_INVALID, "not a private key");
	if (p != der.p + der.n) {
		EVP_PKEY_free(key);
		return error_set(e, ST_INVALID, "not a private key: bytes behind it");
	}
	return finish(key, ret, e);
}

/* --- RFC 1423: "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,<IV>" --- */

struct legacy_key {
	const struct cipher *cipher;
	uint8_t iv[16];
	struct slice body;
	EVP_PKEY *key;
};

/* OpenSSL's derivation: one round of MD5 over password and the first 8 bytes of the IV. */
static enum status legacy_crypt(const struct cipher *cipher, const uint8_t *iv, struct slice password, bool encrypt,
                                struct slice in, struct buf *out, struct error *e)
{
	AUTO(home_done) struct home home = { 0 };
	if (home_init(&home, cipher, e))
		return e->status;
	AUTO(EVP_CIPHER_free_p) EVP_CIPHER *evp = EVP_CIPHER_fetch(home.lib, cipher->name, NULL);
	AUTO(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[EVP_MAX_KEY_LENGTH];
	if (!evp || !ctx)
		return error_ossl(e, ST_CRYPTO, "cannot use %s", cipher->name);
	uint8_t *at = buf_reserve(out, in.n + EVP_MAX_BLOCK_LENGTH);
	if (!at)
		return buf_check(out, e);
	int n = 0, last = 0;
	bool ok = EVP_BytesToKey(evp, EVP_md5(), iv, password.p, (int)password.n, 1, key, NULL) == cipher->key_bytes &&
	          EVP_CipherInit_ex2(ctx, evp, key, iv, encrypt, NULL) == 1 &&
	          EVP_CipherUpdate(ctx, at, &n, in.p, (int)in.n) == 1;
	OPENSSL_cleanse(key, sizeof key);
	if (!ok)
		return error_ossl(e, ST_CRYPTO, "cannot use %s", cipher->name);
	if (EVP_CipherFinal_ex(ctx, at + n, &last) != 1) {
		ossl_forget_errors();
		return error_set(e, ST_DENIED, "%s", wrong_password);
	}
	out->n += (size_t)(n + last);
	return ST_OK;
}

static enum status legacy_open(void *ctx, struct slice password, struct error *e)
{
	struct legacy_key *k = ctx;
	AUTO(buf_done) struct buf der = BUF_SECRET(KEYFILE_MAX);
	if (legacy_crypt(k->cipher, k->iv, password, false, k->body, &der, e))
		return e->status;
	if (!one_sequence(buf_slice(&der)))
		return error_set(e, ST_DENIED, "%s", wrong_password);
	return parse_der(buf_slice(&der), &k->key, e);
}

static enum status parse_legacy(const struct pem_block *b, const struct password_source *source, EVP_PKEY **ret,
                                struct error *e)
{
	struct slice info = pem_header(b, "DEK-Info");
	size_t comma = slice_find(info, ',');
	struct legacy_key k = { .cipher = cipher_by_name(slice_of(info.p, comma)), .body = buf_slice(&b->der) };
	if (!slice_is(pem_header(b, "Proc-Type"), "4,ENCRYPTED") || comma == info.n)
		return error_set(e, ST_INVALID, "bad encryption header: Proc-Type or DEK-Info");
	if (!k.cipher)
		return error_set(e, ST_INVALID,
		                 "encrypted with a cipher that is not supported; encrypt the key anew with "
		                 "AES-256-CBC (openssl pkey -aes256)");
	AUTO(buf_done) struct buf iv = BUF_INIT(sizeof k.iv);
	struct slice hex = slice_trim(slice_of(info.p + comma + 1, info.n - comma - 1));
	if (hex.n == 2 * (size_t)k.cipher->iv_bytes && hex_decode(&iv, hex, e) == ST_NOMEM)
		return e->status;
	if (iv.n != (size_t)k.cipher->iv_bytes)
		return error_set(e, ST_INVALID,
		                 "bad encryption header: the IV of DEK-Info is not %d hexadecimal digits",
		                 2 * k.cipher->iv_bytes);
	memcpy(k.iv, iv.p, iv.n);
	if (password_try(source, legacy_open, &k, e))
		return e->status;
	*ret = k.key;
	return ST_OK;
}

/* --- PKCS#8, plain and PBES2 (RFC 5208, RFC 8018 §6.2) --- */

static enum status of_pkcs8(const PKCS8_PRIV_KEY_INFO *info, EVP_PKEY **ret, struct error *e)
{
	EVP_PKEY *key = EVP_PKCS82PKEY(info);
	if (!key)
		return error_ossl(e, ST_INVALID, "not a private key of a supported kind");
	return finish(key, ret, e);
}

/* The cipher, and bounds on the work, before any password is tried. */
static enum status pbes2_facts(const X509_SIG *sig, const struct cipher **ret, struct error *e)
{
	static const char remedy[] = "encrypt the key anew (openssl pkcs8 -topk8 -v2 aes-256-cbc)";
	const X509_ALGOR *alg = NULL;
	X509_SIG_get0(sig, &alg, NULL);
	if (OBJ_obj2nid(alg->algorithm) != NID_pbes2)
		return error_set(e, ST_INVALID, "password encryption other than PBES2 is not supported; %s", remedy);
	AUTO(PBE2PARAM_free_p)
	PBE2PARAM *pbe = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), alg->parameter);
	if (!pbe)
		return error_ossl(e, ST_INVALID, "bad PBES2 parameters");
	if (OBJ_obj2nid(pbe->keyfunc->algorithm) != NID_id_pbkdf2)
		return error_set(e, ST_INVALID, "key derivation other than PBKDF2 is not supported; %s", remedy);
	AUTO(PBKDF2PARAM_free_p)
	PBKDF2PARAM *kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), pbe->keyfunc->parameter);
	int64_t iterations = 0;
	if (!kdf || ASN1_INTEGER_get_int64(&iterations, kdf->iter) != 1)
		return error_ossl(e, ST_INVALID, "bad PBKDF2 parameters");
	if (iterations < 1 || iterations > PBKDF2_ITERATIONS_MAX)
		return error_set(e, ST_LIMIT, "the key asks for more than %d PBKDF2 iterations", PBKDF2_ITERATIONS_MAX);
	*ret = cipher_by_nid(OBJ_obj2nid(pbe->encryption->algorithm));
	if (!*ret)
		return error_set(e, ST_INVALID, "encrypted with a cipher that is not supported; %s", remedy);
	return ST_OK;
}

struct pbes2_key {
	const X509_SIG *sig;
	struct home home;
	EVP_PKEY *key;
};

static enum status pbes2_open(void *ctx, struct slice password, struct error *e)
{
	struct pbes2_key *k = ctx;
	AUTO(PKCS8_PRIV_KEY_INFO_free_p)
	PKCS8_PRIV_KEY_INFO *info = PKCS8_decrypt_ex(k->sig, password.n ? (const char *)password.p : "",
	                                             (int)password.n, k->home.lib, NULL);
	if (!info) {
		ossl_forget_errors();
		return error_set(e, ST_DENIED, "%s", wrong_password);
	}
	return of_pkcs8(info, &k->key, e);
}

static enum status parse_pbes2(struct slice der, const struct password_source *source, EVP_PKEY **ret, struct error *e)
{
	const unsigned char *p = der.p;
	const struct cipher *cipher = NULL;
	AUTO(X509_SIG_free_p) X509_SIG *sig = d2i_X509_SIG(NULL, &p, (long)der.n);
	if (!sig || p != der.p + der.n)
		return error_ossl(e, ST_INVALID, "not an encrypted private key");
	if (pbes2_facts(sig, &cipher, e))
		return e->status;
	struct pbes2_key k = { .sig = sig };
	if (!home_init(&k.home, cipher, e) && !password_try(source, pbes2_open, &k, e))
		*ret = k.key;
	else
		k.key = NULL;
	home_done(&k.home);
	return k.key ? ST_OK : e->status;
}

/* --- files --- */

static enum status parse_block(const struct pem_block *b, const struct password_source *source, EVP_PKEY **ret,
                               struct error *e)
{
	if (strcmp(b->label, "OPENSSH PRIVATE KEY") == 0)
		return error_set(e, ST_INVALID,
		                 "a key in OpenSSH's own format is not supported; convert it with "
		                 "ssh-keygen -p -m PEM -f FILE");
	if (strcmp(b->label, "ENCRYPTED PRIVATE KEY") == 0)
		return parse_pbes2(buf_slice(&b->der), source, ret, e);
	if (pem_header(b, "Proc-Type").n || pem_header(b, "DEK-Info").n)
		return parse_legacy(b, source, ret, e);
	return parse_der(buf_slice(&b->der), ret, e);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

static enum status too_long(struct slice in, struct error *e)
{
	if (in.n > KEYFILE_MAX)
		return error_set(e, ST_LIMIT, "not a key file: longer than %d bytes", KEYFILE_MAX);
	return ST_OK;
}

enum status keyfile_parse(struct slice in, const struct password_source *source, EVP_PKEY **ret, struct error *e)
{
	AUTO(pem_block_done) struct pem_block b = { 0 };
	if (too_long(in, e))
		return e->status;
	if (one_sequence(in))
		return parse_der(in, ret, e);
	do {
		if (pem_next(&in, &b, e)) {
			if (e->status == ST_MISSING)
				return error_set(e, ST_INVALID, "not a private key: no PRIVATE KEY block");
			return e->status;
		}
	} while (!ends_with(b.label, "PRIVATE KEY"));
	return parse_block(&b, source, ret, e);
}

static enum status public_of_certificate(struct slice der, EVP_PKEY **ret, struct error *e)
{
	const unsigned char *p = der.p;
	AUTO(X509_free_p) X509 *crt = d2i_X509(NULL, &p, (long)der.n);
	EVP_PKEY *key = crt ? X509_get0_pubkey(crt) : NULL;
	if (!key)
		return error_ossl(e, ST_INVALID, "not a certificate with a usable key");
	return key_public_of(key, ret, e);
}

static enum status public_of_request(struct slice der, EVP_PKEY **ret, struct error *e)
{
	const unsigned char *p = der.p;
	AUTO(X509_REQ_free_p) X509_REQ *csr = d2i_X509_REQ(NULL, &p, (long)der.n);
	EVP_PKEY *key = csr ? X509_REQ_get0_pubkey(csr) : NULL;
	if (!key)
		return error_ossl(e, ST_INVALID, "not a certificate request with a usable key");
	return key_public_of(key, ret, e);
}

static enum status public_of_pkcs1(struct slice der, EVP_PKEY **ret, struct error *e)
{
	const unsigned char *p = der.p;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
	if (!key || p != der.p + der.n)
		return error_ossl(e, ST_INVALID, "not an RSA public key");
	return key_public_of(key, ret, e);
}

static const struct {
	const char *label;
	enum status (*parse)(struct slice der, EVP_PKEY **ret, struct error *e);
} public_blocks[] = {
	{ "PUBLIC KEY", key_of_spki },
	{ "RSA PUBLIC KEY", public_of_pkcs1 },
	{ "CERTIFICATE", public_of_certificate },
	{ "CERTIFICATE REQUEST", public_of_request },
	{ "NEW CERTIFICATE REQUEST", public_of_request },
};

enum status keyfile_parse_public(struct slice in, const struct password_source *source, EVP_PKEY **ret, struct error *e)
{
	AUTO(pem_block_done) struct pem_block b = { 0 };
	if (too_long(in, e))
		return e->status;
	while (!pem_next(&in, &b, e)) {
		for (size_t i = 0; i < COUNT_OF(public_blocks); i++)
			if (strcmp(b.label, public_blocks[i].label) == 0)
				return public_blocks[i].parse(buf_slice(&b.der), ret, e);
		if (!ends_with(b.label, "PRIVATE KEY"))
			continue;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		if (parse_block(&b, source, &key, e))
			return e->status;
		return key_public_of(key, ret, e);
	}
	if (e->status == ST_MISSING)
		return error_set(e, ST_INVALID, "no public key, private key, certificate or request in it");
	return e->status;
}

/* --- writing --- */

static enum status add_der(struct buf *out, unsigned char *der, int n, struct error *e)
{
	if (n <= 0)
		return error_ossl(e, ST_CRYPTO, "cannot encode the key");
	buf_add(out, der, (size_t)n);
	OPENSSL_clear_free(der, (size_t)n);
	return buf_check(out, e);
}

static enum status native_der(EVP_PKEY *key, struct buf *out, struct error *e)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(key, &der);
	return add_der(out, der, n, e);
}

static enum status format_legacy(struct slice der, const char *label, struct slice password, struct buf *out,
                                 struct error *e)
{
	const struct cipher *cipher = &ciphers[0];
	uint8_t iv[16];
	char headers[96];
	AUTO(buf_done) struct buf hex = BUF_INIT(2 * sizeof iv);
	AUTO(buf_done) struct buf body = BUF_INIT(KEYFILE_MAX);
	if (random_bytes(iv, sizeof iv, e) || legacy_crypt(cipher, iv, password, true, der, &body, e))
		return e->status;
	hex_encode(&hex, slice_of(iv, sizeof iv));
	if (buf_check(&hex, e))
		return e->status;
	snprintf(headers, sizeof headers, "Proc-Type: 4,ENCRYPTED\nDEK-Info: %s,%s\n", cipher->name, buf_cstr(&hex));
	pem_format_headers(out, label, headers, buf_slice(&body));
	return buf_check(out, e);
}

static enum status pbes2_der(PKCS8_PRIV_KEY_INFO *info, struct slice password, struct buf *out, struct error *e)
{
	uint8_t salt[PBES2_SALT], iv[16];
	if (random_bytes(salt, sizeof salt, e) || random_bytes(iv, sizeof iv, e))
		return e->status;
	AUTO(X509_ALGOR_free_p)
	X509_ALGOR *alg =
		PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), PBES2_ITERATIONS, salt, sizeof salt, iv, NID_hmacWithSHA256);
	if (!alg)
		return error_ossl(e, ST_CRYPTO, "cannot encrypt the key");
	AUTO(X509_SIG_free_p)
	X509_SIG *sig = PKCS8_set0_pbe((const char *)password.p, (int)password.n, info, alg);
	if (!sig)
		return error_ossl(e, ST_CRYPTO, "cannot encrypt the key");
	alg = NULL; /* sig's now */
	unsigned char *der = NULL;
	int n = i2d_X509_SIG(sig, &der);
	return add_der(out, der, n, e);
}

static enum status format_pkcs8(EVP_PKEY *key, struct slice password, struct buf *out, struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_SECRET(KEYFILE_MAX);
	AUTO(PKCS8_PRIV_KEY_INFO_free_p) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	if (!info)
		return error_ossl(e, ST_CRYPTO, "cannot encode the key");
	if (password.n) {
		if (pbes2_der(info, password, &der, e))
			return e->status;
	} else {
		unsigned char *plain = NULL;
		int n = i2d_PKCS8_PRIV_KEY_INFO(info, &plain);
		if (add_der(&der, plain, n, e))
			return e->status;
	}
	pem_format(out, password.n ? "ENCRYPTED PRIVATE KEY" : "PRIVATE KEY", buf_slice(&der));
	return buf_check(out, e);
}

enum status keyfile_format(EVP_PKEY *key, enum keyfile_form form, struct slice password, struct buf *out,
                           struct error *e)
{
	struct key_facts f = key_facts_of(key);
	if (password.n > PASSWORD_MAX)
		return error_set(e, ST_LIMIT, "a password longer than %d bytes", PASSWORD_MAX);
	if (form == KEYFILE_PKCS8 || f.kind == KEY_OKP)
		return format_pkcs8(key, password, out, e);
	if (f.kind == KEY_OTHER)
		return key_supported(key, e);

	const char *label = f.kind == KEY_EC ? "EC PRIVATE KEY" : "RSA PRIVATE KEY";
	AUTO(buf_done) struct buf der = BUF_SECRET(KEYFILE_MAX);
	if (native_der(key, &der, e))
		return e->status;
	if (password.n)
		return format_legacy(buf_slice(&der), label, password, out, e);
	pem_format(out, label, buf_slice(&der));
	return buf_check(out, e);
}

enum status keyfile_format_public(const EVP_PKEY *key, struct buf *out, struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(KEYFILE_MAX);
	if (key_spki(key, &der, e))
		return e->status;
	pem_format(out, "PUBLIC KEY", buf_slice(&der));
	return buf_check(out, e);
}
