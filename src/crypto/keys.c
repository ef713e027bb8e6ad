#include "crypto/keys.h"
#include "crypto/auto.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/sign.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { RSA_MIN = 1024, RSA_FLOOR = 2048, RSA_MAX = 16384 };

static const struct curve {
	const char *name, *group; /* ours (RFC 7518 §6.2.1.1), OpenSSL's */
	bool generate;
} curves[] = {
	{ "P-256", "prime256v1", true },
	{ "P-384", "secp384r1", true },
	{ "P-521", "secp521r1", true },
	{ "P-224", "secp224r1", false },
};

static const struct curve *curve_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (strcmp(curves[i].name, name) == 0)
			return &curves[i];
	return NULL;
}

static const struct curve *curve_by_group(const char *group)
{
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (strcmp(curves[i].group, group) == 0)
			return &curves[i];
	return NULL;
}

static enum status wrong_curve(const char *kty, const char *crv, const char *options, struct error *e)
{
	return error_set(e, ST_USAGE,
	                 "flag '--kty %s' is incompatible with flag '--curve %s'\n\n  Option(s): --curve %s", kty, crv,
	                 options);
}

static enum status rsa_size(int64_t size, bool insecure, int *ret, struct error *e)
{
	if (size == 0)
		size = RSA_FLOOR;
	if (size < RSA_FLOOR && !insecure)
		return error_set(e, ST_USAGE, "flag '--size' requires at least %d unless '--insecure' flag is provided",
		                 RSA_FLOOR);
	if (size < RSA_MIN || size > RSA_MAX)
		return error_set(e, ST_USAGE, "flag '--size' must be from %d to %d", RSA_MIN, RSA_MAX);
	*ret = (int)size;
	return ST_OK;
}

enum status key_spec_make(const char *kty, const char *crv, int64_t size, bool insecure, struct key_spec *ret,
                          struct error *e)
{
	struct key_spec spec = KEY_SPEC_DEFAULT;

	if (!kty && crv)
		return error_set(e, ST_USAGE, "flag '--curve' requires the '--kty' flag");
	if (!kty && size)
		return error_set(e, ST_USAGE, "flag '--size' requires the '--kty' flag");
	if (kty && strcmp(kty, "RSA") == 0) {
		if (crv)
			return error_set(e, ST_USAGE, "flag '--curve' is incompatible with '--kty RSA'");
		spec = (struct key_spec){ .kind = KEY_RSA };
		if (rsa_size(size, insecure, &spec.bits, e))
			return e->status;
	} else if (kty && size && (strcmp(kty, "EC") == 0 || strcmp(kty, "OKP") == 0)) {
		return error_set(e, ST_USAGE, "flag '--size' is incompatible with '--kty %s'", kty);
	} else if (kty && strcmp(kty, "OKP") == 0) {
		if (crv && strcmp(crv, "Ed25519") != 0)
			return wrong_curve(kty, crv, "Ed25519", e);
		spec = (struct key_spec){ .kind = KEY_OKP, .curve = "Ed25519" };
	} else if (kty && strcmp(kty, "EC") == 0 && crv) {
		const struct curve *curve = curve_by_name(crv);
		if (!curve || !curve->generate)
			return wrong_curve(kty, crv, "P-256, P-384, P-521", e);
		snprintf(spec.curve, sizeof spec.curve, "%s", curve->name);
	} else if (kty && strcmp(kty, "EC") != 0) {
		return error_set(e, ST_USAGE, "invalid value '%s' for flag '--kty'; options are RSA, EC, OKP", kty);
	}
	*ret = spec;
	return ST_OK;
}

enum status key_generate(const struct key_spec *spec, EVP_PKEY **ret, struct error *e)
{
	EVP_PKEY *key = NULL;
	if (spec->kind == KEY_EC && curve_by_name(spec->curve))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve_by_name(spec->curve)->group);
	else if (spec->kind == KEY_RSA)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)spec->bits);
	else if (spec->kind == KEY_OKP)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (!key)
		return error_ossl(e, ST_CRYPTO, "cannot generate the key");
	*ret = key;
	return ST_OK;
}

/* RFC 5480 §2.1.1: "specifiedCurve ... MUST NOT be used in PKIX". OpenSSL would take such a curve for the named one. */
static bool spelled_out(const EVP_PKEY *key)
{
	int explicit = 0;
	return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit) == 1 && explicit;
}

struct key_facts key_facts_of(const EVP_PKEY *key)
{
	struct key_facts f = { .kind = KEY_OTHER, .bits = EVP_PKEY_get_bits(key) };
	char group[64];
	const struct curve *curve = NULL;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 && !spelled_out(key))
			curve = curve_by_group(group);
		if (curve) {
			f.kind = KEY_EC;
			snprintf(f.curve, sizeof f.curve, "%s", curve->name);
		}
		snprintf(f.label, sizeof f.label, "ECDSA %s", curve ? curve->name : "unknown curve");
		break;
	case EVP_PKEY_RSA:
		f.kind = KEY_RSA;
		snprintf(f.label, sizeof f.label, "RSA %d", f.bits);
		break;
	case EVP_PKEY_ED25519:
		f.kind = KEY_OKP;
		snprintf(f.curve, sizeof f.curve, "Ed25519");
		snprintf(f.label, sizeof f.label, "Ed25519 256");
		break;
	default: {
		const char *name = EVP_PKEY_get0_type_name(key);
		snprintf(f.label, sizeof f.label, "%s %d", name ? name : "unknown", f.bits);
	}
	}
	ossl_forget_errors();
	return f;
}

static bool in_subgroup(unsigned residue, unsigned p)
{
	unsigned power = 1;
	do {
		if (power == residue)
			return true;
		power = power * (65537 % p) % p;
	} while (power != 1);
	return false;
}

/* ROCA (CVE-2017-15361): the keys of a family of chips, which can be factored. Their modulus is a power of 65537 modulo
 * each of the first primes; another modulus is so by a chance of 2^-154. */
static bool roca(const BIGNUM *n)
{
	static const uint8_t primes[] = { 3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
		                          47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
		                          107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167 };
	for (size_t i = 0; i < COUNT_OF(primes); i++)
		if (!in_subgroup((unsigned)BN_mod_word(n, primes[i]), primes[i]))
			return false;
	return true;
}

static enum status rsa_supported(const EVP_PKEY *key, int bits, struct error *e)
{
	AUTO(BN_clear_free_p) BIGNUM *n = NULL;
	AUTO(BN_clear_free_p) BIGNUM *exponent = NULL;
	if (bits < RSA_MIN || bits > RSA_MAX)
		return error_set(e, ST_INVALID, "an RSA key of %d bits: must have from %d to %d", bits, RSA_MIN,
		                 RSA_MAX);
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
		return error_ossl(e, ST_CRYPTO, "cannot read the RSA key");
	if (!BN_is_odd(exponent) || BN_is_one(exponent) || BN_num_bits(exponent) > 64)
		return error_set(e, ST_INVALID, "an RSA key with an exponent that is 1, even, or longer than 64 bits");
	if (!BN_is_odd(n) || roca(n))
		return error_set(e, ST_INVALID, "a weak RSA key: its modulus can be factored (CVE-2017-15361)");
	return ST_OK;
}

enum status key_supported(const EVP_PKEY *key, struct error *e)
{
	struct key_facts f = key_facts_of(key);
	if (f.kind == KEY_OTHER)
		return error_set(e, ST_INVALID,
		                 "%s keys are not supported; use EC P-256, P-384 or P-521, RSA or Ed25519", f.label);
	if (f.kind == KEY_RSA)
		return rsa_supported(key, f.bits, e);
	return ST_OK;
}

static const char no_pair[] = "private and public half of the key do not belong together";

/* OpenSSL's own check looks for primes (40 ms); that what one half signs verifies with the other is what we ask for. */
static enum status check_rsa_pair(EVP_PKEY *key, struct error *e)
{
	static const struct slice text = SLICE_LIT("a pair?");
	AUTO(signer_free_p) struct signer *s = NULL;
	AUTO(buf_done) struct buf signature = BUF_INIT(RSA_MAX / 8);
	if (signer_new(key, SIGN_RSA_SHA256, &s, e))
		return e->status;
	enum status st = signer_sign(s, text, &signature, e);
	if (!st)
		st = sign_verify(key, SIGN_RSA_SHA256, text, buf_slice(&signature), e);
	if (st && st != ST_NOMEM)
		return error_set(e, ST_INVALID, "%s", no_pair);
	return st;
}

enum status key_check_pair(EVP_PKEY *key, struct error *e)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return check_rsa_pair(key, e);
	AUTO(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!ctx)
		return error_ossl(e, ST_CRYPTO, "cannot check the key");
	if (EVP_PKEY_pairwise_check(ctx) != 1)
		return error_ossl(e, ST_INVALID, "%s", no_pair);
	return ST_OK;
}

enum status key_public_of(const EVP_PKEY *key, EVP_PKEY **ret, struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(64 * 1024);
	if (key_spki(key, &der, e))
		return e->status;
	return key_of_spki(buf_slice(&der), ret, e);
}

bool key_equal(const EVP_PKEY *a, const EVP_PKEY *b)
{
	bool equal = EVP_PKEY_eq(a, b) == 1;
	ossl_forget_errors();
	return equal;
}

enum status key_spki(const EVP_PKEY *key, struct buf *out, struct error *e)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	if (n <= 0)
		return error_ossl(e, ST_CRYPTO, "cannot encode the public key");
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_check(out, e);
}

enum status key_of_spki(struct slice der, EVP_PKEY **ret, struct error *e)
{
	const unsigned char *p = der.p;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = der.n > INT32_MAX ? NULL : d2i_PUBKEY(NULL, &p, (long)der.n);
	if (!key)
		return error_ossl(e, ST_INVALID, "not a public key");
	if (p != der.p + der.n)
		return error_set(e, ST_INVALID, "not a public key: bytes behind it");
	if (key_supported(key, e))
		return e->status;
	*ret = TAKE(key);
	return ST_OK;
}

enum status key_fingerprint(const EVP_PKEY *key, uint8_t out[32], struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(64 * 1024);
	if (key_spki(key, &der, e))
		return e->status;
	return digest_sha256(buf_slice(&der), out, e);
}
