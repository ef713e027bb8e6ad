#include "crypto/sign.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

/* RFC 4055 §3.1: hash, MGF1 with the same hash, salt as long as the hash, trailer by default; the hashes with NULL. */
#define PSS_DER(hash, salt)                                                                                            \
	SLICE_LIT("\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48"   \
	          "\x01\x65\x03\x04\x02" hash "\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"       \
	          "\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" hash "\x05\x00\xa2\x03\x02\x01" salt)
/* RFC 5758 §3.2: without parameters; RFC 8017 A.2.4: with NULL. */
#define ECDSA_DER(last) SLICE_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" last)
#define RSA_DER(last) SLICE_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" last "\x05\x00")

static const struct alg {
	enum key_kind kind;
	const char *digest; /* NULL: the algorithm has its own */
	bool pss;
	const char *name;
	struct slice der;
} algs[] = {
	[SIGN_ECDSA_SHA256] = { KEY_EC, "SHA256", false, "ECDSA-SHA256", ECDSA_DER("\x02") },
	[SIGN_ECDSA_SHA384] = { KEY_EC, "SHA384", false, "ECDSA-SHA384", ECDSA_DER("\x03") },
	[SIGN_ECDSA_SHA512] = { KEY_EC, "SHA512", false, "ECDSA-SHA512", ECDSA_DER("\x04") },
	[SIGN_RSA_SHA256] = { KEY_RSA, "SHA256", false, "SHA256-RSA", RSA_DER("\x0b") },
	[SIGN_RSA_SHA384] = { KEY_RSA, "SHA384", false, "SHA384-RSA", RSA_DER("\x0c") },
	[SIGN_RSA_SHA512] = { KEY_RSA, "SHA512", false, "SHA512-RSA", RSA_DER("\x0d") },
	[SIGN_PSS_SHA256] = { KEY_RSA, "SHA256", true, "SHA256-RSAPSS", PSS_DER("\x01", "\x20") },
	[SIGN_PSS_SHA384] = { KEY_RSA, "SHA384", true, "SHA384-RSAPSS", PSS_DER("\x02", "\x30") },
	[SIGN_PSS_SHA512] = { KEY_RSA, "SHA512", true, "SHA512-RSAPSS", PSS_DER("\x03", "\x40") },
	[SIGN_ED25519] = { KEY_OKP, NULL, false, "Ed25519", SLICE_LIT("\x30\x05\x06\x03\x2b\x65\x70") },
};
_Static_assert(COUNT_OF(algs) == SIGN_ALG_COUNT, "an algorithm has no row");

static const struct {
	const char *curve;
	enum sign_alg alg;
} by_curve[] = {
	{ "P-256", SIGN_ECDSA_SHA256 },
	{ "P-384", SIGN_ECDSA_SHA384 },
	{ "P-521", SIGN_ECDSA_SHA512 },
	{ "Ed25519", SIGN_ED25519 },
};

enum status sign_alg_for_key(const EVP_PKEY *key, enum sign_alg *ret, struct error *e)
{
	struct key_facts f = key_facts_of(key);
	if (f.kind == KEY_RSA) {
		*ret = SIGN_RSA_SHA256;
		return ST_OK;
	}
	for (size_t i = 0; i < COUNT_OF(by_curve); i++) {
		if (strcmp(f.curve, by_curve[i].curve) == 0) {
			*ret = by_curve[i].alg;
			return ST_OK;
		}
	}
	return error_set(e, ST_INVALID, "a key of type %s cannot sign", f.label);
}

struct slice sign_alg_der(enum sign_alg alg)
{
	return (unsigned)alg < SIGN_ALG_COUNT ? algs[alg].der : SLICE_NONE;
}

const char *sign_alg_name(enum sign_alg alg)
{
	return (unsigned)alg < SIGN_ALG_COUNT ? algs[alg].name : "unknown";
}

static enum status suits(const EVP_PKEY *key, enum sign_alg alg, struct error *e)
{
	struct key_facts f = key_facts_of(key);
	if ((unsigned)alg >= SIGN_ALG_COUNT)
		return error_set(e, ST_INVALID, "unknown signature algorithm");
	if (algs[alg].kind != f.kind)
		return error_set(e, ST_INVALID, "%s does not suit a key of type %s", algs[alg].name, f.label);
	return ST_OK;
}

/* For a signature or its check. RFC 7518 §3.5 and RFC 4055 agree on a salt as long as the hash. */
static enum status context_init(EVP_MD_CTX *ctx, EVP_PKEY *key, enum sign_alg alg, bool verify, struct error *e)
{
	EVP_PKEY_CTX *pctx = NULL; /* ctx's own */
	const char *digest = algs[alg].digest;
	int ok = verify ? EVP_DigestVerifyInit_ex(ctx, &pctx, digest, NULL, NULL, key, NULL)
	                : EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL, key, NULL);
	if (ok == 1 && algs[alg].pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	if (ok != 1)
		return error_ossl(e, ST_INVALID, "cannot use the key for %s", algs[alg].name);
	return ST_OK;
}

struct signer {
	EVP_PKEY *key;
	enum sign_alg alg;
	EVP_MD_CTX *primed;
};

void signer_free(struct signer *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->primed);
	EVP_PKEY_free(s->key);
	free(s);
}

enum status signer_new(EVP_PKEY *key, enum sign_alg alg, struct signer **ret, struct error *e)
{
	if (suits(key, alg, e))
		return e->status;
	AUTO(signer_free_p) struct signer *s = calloc(1, sizeof *s);
	if (!s || !(s->primed = EVP_MD_CTX_new()))
		return error_nomem(e);
	EVP_PKEY_up_ref(key);
	s->key = key;
	s->alg = alg;
	if (context_init(s->primed, key, alg, false, e))
		return e->status;
	*ret = TAKE(s);
	return ST_OK;
}

enum sign_alg signer_alg(const struct signer *s)
{
	return s->alg;
}

EVP_PKEY *signer_key(const struct signer *s)
{
	return s->key;
}

/* Copying costs 3 us less than EVP_DigestSignInit and leaves the primed context as it was: it is only read, and what it
 * points to is counted atomically, so threads need no lock. */
enum status signer_sign(const struct signer *s, struct slice tbs, struct buf *out, struct error *e)
{
	AUTO(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return error_nomem(e);
	size_t n = (size_t)EVP_PKEY_get_size(s->key);
	uint8_t *at = buf_reserve(out, n);
	if (!at)
		return buf_check(out, e);
	if (EVP_MD_CTX_copy_ex(ctx, s->primed) != 1)
		return error_ossl(e, ST_CRYPTO, "cannot sign");
	EVP_MD_CTX_set_flags(ctx, EVP_MD_CTX_FLAG_FINALISE); /* one signature each: OpenSSL need not copy once more */
	if (EVP_DigestSign(ctx, at, &n, tbs.p, tbs.n) != 1) {
		at[0] = '\0';
		return error_ossl(e, ST_CRYPTO, "cannot sign");
	}
	out->n += n;
	out->p[out->n] = '\0';
	return ST_OK;
}

enum status sign_verify(EVP_PKEY *key, enum sign_alg alg, struct slice tbs, struct slice signature, struct error *e)
{
	if (suits(key, alg, e))
		return e->status;
	AUTO(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return error_nomem(e);
	if (context_init(ctx, key, alg, true, e))
		return e->status;
	if (EVP_DigestVerify(ctx, signature.p, signature.n, tbs.p, tbs.n) != 1) {
		ossl_forget_errors();
		return error_set(e, ST_DENIED, "the signature does not verify");
	}
	return ST_OK;
}
