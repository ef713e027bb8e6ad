#include "check.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "crypto/sign.h"
#include "fail.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>

enum { EC256, EC384, EC521, RSA2048, ED, KEYS };
static EVP_PKEY *keys[KEYS];

static const struct {
	int key;
	enum sign_alg alg;
	const char *name;
} suits[] = {
	{ EC256, SIGN_ECDSA_SHA256, "ECDSA-SHA256" },
	{ EC256, SIGN_ECDSA_SHA384, "ECDSA-SHA384" },
	{ EC384, SIGN_ECDSA_SHA384, "ECDSA-SHA384" },
	{ EC521, SIGN_ECDSA_SHA512, "ECDSA-SHA512" },
	{ RSA2048, SIGN_RSA_SHA256, "SHA256-RSA" },
	{ RSA2048, SIGN_RSA_SHA384, "SHA384-RSA" },
	{ RSA2048, SIGN_RSA_SHA512, "SHA512-RSA" },
	{ RSA2048, SIGN_PSS_SHA256, "SHA256-RSAPSS" },
	{ RSA2048, SIGN_PSS_SHA384, "SHA384-RSAPSS" },
	{ RSA2048, SIGN_PSS_SHA512, "SHA512-RSAPSS" },
	{ ED, SIGN_ED25519, "Ed25519" },
};

static int make_keys(void **state)
{
	static const struct key_spec specs[KEYS] = {
		[EC256] = { KEY_EC, "P-256", 0 },  [EC384] = { KEY_EC, "P-384", 0 }, [EC521] = { KEY_EC, "P-521", 0 },
		[RSA2048] = { KEY_RSA, "", 2048 }, [ED] = { KEY_OKP, "Ed25519", 0 },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		assert_ok(key_generate(&specs[i], &keys[i], &e));
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	return 0;
}

static void signs_and_verifies(void **state)
{
	static const struct slice text = SLICE_LIT("to be signed");
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(suits); i++) {
		AUTO(signer_free_p) struct signer *s = NULL;
		EVP_PKEY *key = keys[suits[i].key];
		assert_ok(signer_new(key, suits[i].alg, &s, &e));
		assert_ptr_equal(key, signer_key(s));
		assert_int_equal(suits[i].alg, signer_alg(s));
		assert_string_equal(suits[i].name, sign_alg_name(suits[i].alg));
		for (int again = 0; again < 3; again++) { /* the primed context is not used up */
			AUTO(buf_done) struct buf sig = BUF_INIT(1024);
			buf_adds(&sig, "before");
			assert_ok(signer_sign(s, text, &sig, &e));
			struct slice only = slice_of(sig.p + 6, sig.n - 6);
			assert_ok(sign_verify(key, suits[i].alg, text, only, &e));
			assert_st(ST_DENIED, sign_verify(key, suits[i].alg, SLICE_LIT("to be signeD"), only, &e));
			assert_st(ST_DENIED, sign_verify(key, suits[i].alg, SLICE_NONE, only, &e));
			assert_st(ST_DENIED, sign_verify(key, suits[i].alg, text, SLICE_NONE, &e));
			assert_st(ST_DENIED, sign_verify(key, suits[i].alg, text, slice_of(only.p, only.n - 1), &e));
			sig.p[sig.n - 1] ^= 1;
			assert_st(ST_DENIED, sign_verify(key, suits[i].alg, text, only, &e));
		}
	}
}

static void every_byte_counts(void **state)
{
	static const struct slice text = SLICE_LIT("x");
	struct error e = ERROR_INIT;
	AUTO(signer_free_p) struct signer *s = NULL;
	AUTO(buf_done) struct buf sig = BUF_INIT(1024);
	(void)state;
	assert_ok(signer_new(keys[EC256], SIGN_ECDSA_SHA256, &s, &e));
	assert_ok(signer_sign(s, text, &sig, &e));
	for (size_t i = 0; i < sig.n; i++) {
		sig.p[i] ^= 0x80;
		assert_st(ST_DENIED, sign_verify(keys[EC256], SIGN_ECDSA_SHA256, text, buf_slice(&sig), &e));
		sig.p[i] ^= 0x80;
	}
	assert_ok(sign_verify(keys[EC256], SIGN_ECDSA_SHA256, text, buf_slice(&sig), &e));
	buf_addc(&sig, 0);
	assert_st(ST_DENIED, sign_verify(keys[EC256], SIGN_ECDSA_SHA256, text, buf_slice(&sig), &e));
}

static void another_key_or_algorithm(void **state)
{
	static const struct slice text = SLICE_LIT("x");
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(suits); i++) {
		AUTO(signer_free_p) struct signer *s = NULL;
		AUTO(buf_done) struct buf sig = BUF_INIT(1024);
		assert_ok(signer_new(keys[suits[i].key], suits[i].alg, &s, &e));
		assert_ok(signer_sign(s, text, &sig, &e));
		for (size_t k = 0; k < COUNT_OF(suits); k++) {
			if (suits[k].key == suits[i].key && suits[k].alg == suits[i].alg)
				continue;
			assert_st(ST_DENIED, sign_verify(keys[suits[k].key], suits[k].alg, text, buf_slice(&sig), &e));
		}
	}
}

static void unsuited(void **state)
{
	static const struct {
		int key;
		enum sign_alg alg;
	} rows[] = {
		{ EC256, SIGN_RSA_SHA256 }, { EC256, SIGN_ED25519 },        { RSA2048, SIGN_ECDSA_SHA256 },
		{ RSA2048, SIGN_ED25519 },  { ED, SIGN_ECDSA_SHA256 },      { ED, SIGN_PSS_SHA256 },
		{ ED, SIGN_ALG_COUNT },     { EC256, (enum sign_alg) - 1 },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct signer *s = NULL;
		assert_st(ST_INVALID, signer_new(keys[rows[i].key], rows[i].alg, &s, &e));
		assert_null(s);
		assert_st(ST_INVALID, sign_verify(keys[rows[i].key], rows[i].alg, SLICE_LIT("x"), SLICE_LIT("y"), &e));
	}
	assert_int_equal(0, sign_alg_der(SIGN_ALG_COUNT).n);
	assert_string_equal("unknown", sign_alg_name(SIGN_ALG_COUNT));
}

static void algorithm_of_a_key(void **state)
{
	static const enum sign_alg want[KEYS] = {
		[EC256] = SIGN_ECDSA_SHA256, [EC384] = SIGN_ECDSA_SHA384, [EC521] = SIGN_ECDSA_SHA512,
		[RSA2048] = SIGN_RSA_SHA256, [ED] = SIGN_ED25519,
	};
	struct error e = ERROR_INIT;
	enum sign_alg alg = SIGN_ALG_COUNT;
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		assert_ok(sign_alg_for_key(keys[i], &alg, &e));
		assert_int_equal(want[i], alg);
	}
	static const char *const others[] = { "P-224", "secp256k1" };
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", others[i]);
		assert_st(ST_INVALID, sign_alg_for_key(key, &alg, &e));
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	assert_st(ST_INVALID, sign_alg_for_key(x, &alg, &e));
}

/* OpenSSL signs a certificate with the same key and algorithm: the same AlgorithmIdentifier stands in it, and our
 * verification takes its signature, as its takes ours. That also shows that its names are registered. */
static void as_in_certificates(void **state)
{
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(suits); i++) {
		static const char *const digests[] = {
			[SIGN_ECDSA_SHA256] = "SHA256", [SIGN_ECDSA_SHA384] = "SHA384", [SIGN_ECDSA_SHA512] = "SHA512",
			[SIGN_RSA_SHA256] = "SHA256",   [SIGN_RSA_SHA384] = "SHA384",   [SIGN_RSA_SHA512] = "SHA512",
			[SIGN_PSS_SHA256] = "SHA256",   [SIGN_PSS_SHA384] = "SHA384",   [SIGN_PSS_SHA512] = "SHA512",
		};
		EVP_PKEY *key = keys[suits[i].key];
		enum sign_alg alg = suits[i].alg;
		X509 *crt = X509_new();
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		EVP_PKEY_CTX *pctx = NULL;
		const X509_ALGOR *id = NULL;
		const ASN1_BIT_STRING *sig = NULL;
		unsigned char *tbs = NULL, *der = NULL;

		ASN1_INTEGER_set(X509_get_serialNumber(crt), 1);
		assert_int_equal(1, X509_set_pubkey(crt, key));
		assert_int_equal(1, EVP_DigestSignInit_ex(ctx, &pctx, alg == SIGN_ED25519 ? NULL : digests[alg], NULL,
		                                          NULL, key, NULL));
		if (alg >= SIGN_PSS_SHA256 && alg <= SIGN_PSS_SHA512) {
			EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
			EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
		}
		assert_true(X509_sign_ctx(crt, ctx) > 0);
		assert_int_equal(1, X509_verify(crt, key));
		X509_get0_signature(&sig, &id, crt);
		int n = i2d_X509_ALGOR(id, &der);
		assert_slice(sign_alg_der(alg), slice_of(der, (size_t)n));
		int tbs_n = i2d_re_X509_tbs(crt, &tbs);
		assert_ok(sign_verify(key, alg, slice_of(tbs, (size_t)tbs_n), slice_of(sig->data, (size_t)sig->length),
		                      &e));
		OPENSSL_free(der);
		OPENSSL_free(tbs);
		EVP_MD_CTX_free(ctx);
		X509_free(crt);
	}
}

enum { THREADS = 4, ROUNDS = 50 };

static void *sign_many(void *arg)
{
	const struct signer *s = arg;
	struct error e = ERROR_INIT;
	for (size_t i = 0; i < ROUNDS; i++) {
		AUTO(buf_done) struct buf sig = BUF_INIT(1024);
		uint8_t text[8];
		memset(text, (int)i, sizeof text);
		if (signer_sign(s, slice_of(text, sizeof text), &sig, &e) ||
		    sign_verify(signer_key(s), signer_alg(s), slice_of(text, sizeof text), buf_slice(&sig), &e))
			return NULL;
	}
	return arg;
}

static void threads_share_a_signer(void **state)
{
	static const size_t used[] = { 0, 4, 7, 10 };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(used); i++) {
		AUTO(signer_free_p) struct signer *s = NULL;
		pthread_t threads[THREADS];
		assert_ok(signer_new(keys[suits[used[i]].key], suits[used[i]].alg, &s, &e));
		for (size_t k = 0; k < THREADS; k++)
			assert_int_equal(0, pthread_create(&threads[k], NULL, sign_many, s));
		for (size_t k = 0; k < THREADS; k++) {
			void *ret = NULL;
			pthread_join(threads[k], &ret);
			assert_ptr_equal(s, ret);
		}
	}
}

static void no_room(void **state)
{
	struct error e = ERROR_INIT;
	AUTO(signer_free_p) struct signer *s = NULL;
	(void)state;
	assert_ok(signer_new(keys[EC256], SIGN_ECDSA_SHA256, &s, &e));
	AUTO(buf_done) struct buf small = BUF_INIT(10);
	assert_st(ST_LIMIT, signer_sign(s, SLICE_LIT("x"), &small, &e));
	for (unsigned n = 1;; n++) {
		AUTO(signer_free_p) struct signer *other = NULL;
		AUTO(buf_done) struct buf sig = BUF_INIT(1024);
		fail_arm(FAIL_ALLOC, n, 0);
		enum status st = signer_new(keys[EC256], SIGN_ECDSA_SHA256, &other, &e);
		if (!st)
			st = signer_sign(other, SLICE_LIT("x"), &sig, &e);
		if (!fail_disarm()) {
			assert_int_equal(ST_OK, st);
			break;
		}
		assert_int_equal(ST_NOMEM, st);
		assert_int_equal(0, sig.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_and_verifies),       cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(another_key_or_algorithm), cmocka_unit_test(unsuited),
		cmocka_unit_test(algorithm_of_a_key),       cmocka_unit_test(as_in_certificates),
		cmocka_unit_test(threads_share_a_signer),   cmocka_unit_test(no_room),
	};
	ossl_start();
	return cmocka_run_group_tests_name("sign", tests, make_keys, free_keys);
}
