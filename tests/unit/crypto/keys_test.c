#include "check.h"
#include "keyfile_samples.h"
#include "crypto/auto.h"
#include "crypto/keyfile.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"

#include <openssl/evp.h>

static void spec_made(void **state)
{
	static const struct {
		const char *kty, *crv;
		int64_t size;
		bool insecure;
		struct key_spec want;
	} rows[] = {
		{ NULL, NULL, 0, false, { KEY_EC, "P-256", 0 } },
		{ "EC", NULL, 0, false, { KEY_EC, "P-256", 0 } },
		{ "EC", "P-256", 0, false, { KEY_EC, "P-256", 0 } },
		{ "EC", "P-384", 0, false, { KEY_EC, "P-384", 0 } },
		{ "EC", "P-521", 0, true, { KEY_EC, "P-521", 0 } },
		{ "RSA", NULL, 0, false, { KEY_RSA, "", 2048 } },
		{ "RSA", NULL, 0, true, { KEY_RSA, "", 2048 } },
		{ "RSA", NULL, 3072, false, { KEY_RSA, "", 3072 } },
		{ "RSA", NULL, 1024, true, { KEY_RSA, "", 1024 } },
		{ "OKP", NULL, 0, false, { KEY_OKP, "Ed25519", 0 } },
		{ "OKP", "Ed25519", 0, false, { KEY_OKP, "Ed25519", 0 } },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct key_spec spec;
		assert_ok(key_spec_make(rows[i].kty, rows[i].crv, rows[i].size, rows[i].insecure, &spec, &e));
		assert_int_equal(rows[i].want.kind, spec.kind);
		assert_string_equal(rows[i].want.curve, spec.curve);
		assert_int_equal(rows[i].want.bits, spec.bits);
	}
}

static void spec_refused(void **state)
{
	static const char ec[] = "flag '--kty EC' is incompatible with flag '--curve Ed25519'\n\n"
				 "  Option(s): --curve P-256, P-384, P-521";
	static const struct {
		const char *kty, *crv;
		int64_t size;
		bool insecure;
		const char *text;
	} rows[] = {
		{ NULL, "P-256", 0, false, "flag '--curve' requires the '--kty' flag" },
		{ NULL, NULL, 2048, false, "flag '--size' requires the '--kty' flag" },
		{ "FOO", NULL, 0, false, "invalid value 'FOO' for flag '--kty'; options are RSA, EC, OKP" },
		{ "", NULL, 0, false, "invalid value '' for flag '--kty'; options are RSA, EC, OKP" },
		{ "ec", NULL, 0, false, "invalid value 'ec' for flag '--kty'; options are RSA, EC, OKP" },
		{ "FOO", "P-256", 2048, false, "invalid value 'FOO' for flag '--kty'; options are RSA, EC, OKP" },
		{ "EC", "Ed25519", 0, false, ec },
		{ "EC", "P-224", 0, false,
		  "flag '--kty EC' is incompatible with flag '--curve P-224'\n\n  Option(s): --curve P-256, P-384, "
		  "P-521" },
		{ "EC", NULL, 256, false, "flag '--size' is incompatible with '--kty EC'" },
		{ "OKP", "P-256", 0, false,
		  "flag '--kty OKP' is incompatible with flag '--curve P-256'\n\n  Option(s): --curve Ed25519" },
		{ "OKP", NULL, 256, false, "flag '--size' is incompatible with '--kty OKP'" },
		{ "RSA", "P-256", 0, false, "flag '--curve' is incompatible with '--kty RSA'" },
		{ "RSA", NULL, 2047, false,
		  "flag '--size' requires at least 2048 unless '--insecure' flag is provided" },
		{ "RSA", NULL, -1, false, "flag '--size' requires at least 2048 unless '--insecure' flag is provided" },
		{ "RSA", NULL, 1023, true, "flag '--size' must be from 1024 to 16384" },
		{ "RSA", NULL, -1, true, "flag '--size' must be from 1024 to 16384" },
		{ "RSA", NULL, INT64_C(1) << 40, false, "flag '--size' must be from 1024 to 16384" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct key_spec spec = { .bits = 7 };
		assert_st(ST_USAGE, key_spec_make(rows[i].kty, rows[i].crv, rows[i].size, rows[i].insecure, &spec, &e));
		assert_text(rows[i].text);
		assert_int_equal(7, spec.bits);
	}
}

static void generated(void **state)
{
	static const struct {
		struct key_spec spec;
		const char *label;
	} rows[] = {
		{ { KEY_EC, "P-256", 0 }, "ECDSA P-256" },    { { KEY_EC, "P-384", 0 }, "ECDSA P-384" },
		{ { KEY_EC, "P-521", 0 }, "ECDSA P-521" },    { { KEY_RSA, "", 1024 }, "RSA 1024" },
		{ { KEY_OKP, "Ed25519", 0 }, "Ed25519 256" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(EVP_PKEY_free_p) EVP_PKEY *a = NULL;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *b = NULL;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *pub = NULL;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *back = NULL;
		AUTO(buf_done) struct buf spki = BUF_INIT(4096);
		uint8_t of_a[32], of_b[32], of_pub[32];
		assert_ok(key_generate(&rows[i].spec, &a, &e));
		assert_ok(key_generate(&rows[i].spec, &b, &e));
		struct key_facts f = key_facts_of(a);
		assert_int_equal(rows[i].spec.kind, f.kind);
		assert_string_equal(rows[i].spec.curve, f.curve);
		assert_string_equal(rows[i].label, f.label);
		assert_ok(key_supported(a, &e));
		assert_ok(key_check_pair(a, &e));

		assert_ok(key_public_of(a, &pub, &e));
		assert_true(key_equal(a, pub));
		assert_false(key_equal(a, b));
		assert_st(ST_INVALID, key_check_pair(pub, &e)); /* there is no private half */
		assert_ok(key_spki(a, &spki, &e));
		assert_ok(key_of_spki(buf_slice(&spki), &back, &e));
		assert_true(key_equal(a, back));
		assert_ok(key_fingerprint(a, of_a, &e));
		assert_ok(key_fingerprint(b, of_b, &e));
		assert_ok(key_fingerprint(pub, of_pub, &e));
		assert_memory_equal(of_a, of_pub, 32);
		assert_memory_not_equal(of_a, of_b, 32);
	}
}

static void not_generated(void **state)
{
	static const struct key_spec rows[] = { { KEY_OTHER, "", 0 }, { KEY_EC, "P-999", 0 }, { KEY_RSA, "", 1 } };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		EVP_PKEY *key = NULL;
		assert_st(ST_CRYPTO, key_generate(&rows[i], &key, &e));
		assert_null(key);
	}
}

/* The kinds that OpenSSL can make and we do not take. */
static void other_kinds(void **state)
{
	struct error e = ERROR_INIT;
	(void)state;
	static const struct {
		const char *type, *group, *says;
	} rows[] = {
		{ "X25519", NULL, "X25519 253 keys are not supported" },
		{ "ED448", NULL, "ED448 456 keys are not supported" },
		{ "EC", "secp256k1", "ECDSA unknown curve keys are not supported" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(EVP_PKEY_free_p)
		EVP_PKEY *key = rows[i].group ? EVP_PKEY_Q_keygen(NULL, NULL, rows[i].type, rows[i].group)
		                              : EVP_PKEY_Q_keygen(NULL, NULL, rows[i].type);
		AUTO(buf_done) struct buf spki = BUF_INIT(4096);
		EVP_PKEY *back = NULL;
		assert_non_null(key);
		assert_int_equal(KEY_OTHER, key_facts_of(key).kind);
		assert_st(ST_INVALID, key_supported(key, &e));
		assert_says(rows[i].says);
		assert_ok(key_spki(key, &spki, &e));
		assert_st(ST_INVALID, key_of_spki(buf_slice(&spki), &back, &e));
		assert_null(back);
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *p224 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224");
	assert_string_equal("ECDSA P-224", key_facts_of(p224).label);
	assert_ok(key_supported(p224, &e));
}

static void spki_broken(void **state)
{
	struct error e = ERROR_INIT;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(buf_done) struct buf spki = BUF_INIT(4096);
	EVP_PKEY *back = NULL;
	(void)state;
	assert_ok(key_generate(&KEY_SPEC_DEFAULT, &key, &e));
	assert_ok(key_spki(key, &spki, &e));
	for (size_t n = 0; n < spki.n; n++)
		assert_st(ST_INVALID, key_of_spki(slice_of(spki.p, n), &back, &e));
	spki.p[spki.n - 1] ^= 1; /* off the curve */
	assert_st(ST_INVALID, key_of_spki(buf_slice(&spki), &back, &e));
	spki.p[spki.n - 1] ^= 1;
	buf_addc(&spki, 0);
	assert_st(ST_INVALID, key_of_spki(buf_slice(&spki), &back, &e));
	assert_says("bytes behind it");
	assert_null(back);
}

/* SubjectPublicKeyInfo of an RSA key with a modulus of 1024 bits, 0x80 then fill, then the last two bytes */
static void rsa_spki(struct buf *out, const char *n_tail, const char *e_der)
{
	struct buf n = BUF_INIT(200), key = BUF_INIT(300);
	buf_add(&n, "\x00\x80", 2);
	for (size_t i = 0; i < 128 - 3; i++)
		buf_addc(&n, 0x55);
	buf_add(&n, n_tail, 2);
	buf_add(&key, "\x02\x81\x81", 3);
	buf_add_slice(&key, buf_slice(&n));
	buf_add(&key, e_der, 2 + (size_t)e_der[1]);
	buf_add(out, "\x30\x81", 2);
	buf_addc(out, (char)(15 + 3 + 1 + 3 + key.n));
	buf_add(out, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x81", 17);
	buf_addc(out, (char)(1 + 3 + key.n));
	buf_add(out, "\x00\x30\x81", 3);
	buf_addc(out, (char)key.n);
	buf_add_slice(out, buf_slice(&key));
	buf_done(&n);
	buf_done(&key);
}

static void rsa_numbers(void **state)
{
	static const struct {
		const char *n_tail, *e_der;
		enum status want;
		const char *says;
	} rows[] = {
		{ "\x55\x57", "\x02\x03\x01\x00\x01", ST_OK, "" },
		{ "\x55\x57", "\x02\x01\x03", ST_OK, "" },
		{ "\x55\x57", "\x02\x01\x01", ST_INVALID, "exponent that is 1" },
		{ "\x55\x57", "\x02\x01\x00", ST_INVALID, "exponent" },
		{ "\x55\x57", "\x02\x03\x01\x00\x00", ST_INVALID, "exponent" },
		{ "\x55\x57", "\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x01", ST_INVALID, "longer than 64 bits" },
		{ "\x55\x56", "\x02\x03\x01\x00\x01", ST_INVALID, "factored" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf der = BUF_INIT(400);
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		rsa_spki(&der, rows[i].n_tail, rows[i].e_der);
		enum status st = key_of_spki(buf_slice(&der), &key, &e);
		if (st != rows[i].want)
			fail_msg("row %zu: %s %s", i, status_name(st), e.text);
		if (st)
			assert_says(rows[i].says);
	}
}

/* A file can put any public half beside a private one. */
static void halves_that_do_not_belong_together(void **state)
{
	struct error e = ERROR_INIT;
	EVP_PKEY *key = NULL;
	(void)state;
	assert_st(ST_INVALID, keyfile_parse(slice_cstr(SAMPLE_EC_MIXED), NULL, &key, &e));
	assert_says("do not belong together");
	assert_null(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spec_made),   cmocka_unit_test(spec_refused),
		cmocka_unit_test(generated),   cmocka_unit_test(not_generated),
		cmocka_unit_test(other_kinds), cmocka_unit_test(spki_broken),
		cmocka_unit_test(rsa_numbers), cmocka_unit_test(halves_that_do_not_belong_together),
	};
	ossl_start();
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
