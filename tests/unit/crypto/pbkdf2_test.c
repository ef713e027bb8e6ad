#include "check.h"
#include "vectors.h"
#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/ossl.h"
#include "crypto/pbkdf2.h"

#include <openssl/evp.h>

static void as_openssl_does(void **state)
{
	static const size_t lengths[] = { 0, 1, 8, 31, 32, 55, 56, 63, 64, 65, 119, 128, 200 };
	uint8_t text[200], ours[100], theirs[100];
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7 + 1);
	for (size_t p = 0; p < COUNT_OF(lengths); p++) {
		for (size_t s = 0; s < COUNT_OF(lengths); s++) {
			int iterations = (int)(p + s) % 4 + 1;
			size_t n = 1 + (p * 13 + s * 7) % sizeof ours;
			assert_int_equal(1,
			                 PKCS5_PBKDF2_HMAC((const char *)text, (int)lengths[p], text, (int)lengths[s],
			                                   iterations, EVP_sha256(), (int)n, theirs));
			assert_ok(pbkdf2_sha256(slice_of(text, lengths[p]), slice_of(text, lengths[s]), iterations,
			                        ours, n, &e));
			assert_memory_equal(theirs, ours, n);
		}
	}
}

static void bounds(void **state)
{
	static const int refused[] = { 0, -1, INT32_MIN, PBKDF2_ITERATIONS_MAX + 1, INT32_MAX };
	uint8_t out[16];
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		assert_st(ST_LIMIT, pbkdf2_sha256(SLICE_LIT("p"), SLICE_LIT("s"), refused[i], out, sizeof out, &e));
}

static struct slice hex(const json_t *test, const char *name, struct buf *into)
{
	struct error e = ERROR_INIT;
	assert_ok(hex_decode(into, slice_cstr(json_string_value(json_object_get(test, name))), &e));
	return buf_slice(into);
}

static void wycheproof_pbkdf2(void **state)
{
	json_t *group, *test;
	size_t i, k, seen = 0;
	struct error e = ERROR_INIT;
	(void)state;
	json_t *all = vectors_load("pbkdf2_hmacsha256_test.json");
	json_array_foreach(json_object_get(all, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			AUTO(buf_done) struct buf password = BUF_INIT(4096);
			AUTO(buf_done) struct buf salt = BUF_INIT(4096);
			AUTO(buf_done) struct buf dk = BUF_INIT(4096);
			uint8_t out[512];
			hex(test, "dk", &dk);
			assert_true(dk.n <= sizeof out);
			assert_ok(pbkdf2_sha256(hex(test, "password", &password), hex(test, "salt", &salt),
			                        (int)json_integer_value(json_object_get(test, "iterationCount")), out,
			                        dk.n, &e));
			assert_true(vectors_valid(test) == slice_eq(buf_slice(&dk), slice_of(out, dk.n)));
			seen++;
		}
	}
	assert_int_equal(json_integer_value(json_object_get(all, "numberOfTests")), seen);
	json_decref(all);
}

/* PBES2 with HMAC-SHA-256 and AES-128-CBC: the derivation is ours, the cipher OpenSSL's. */
static void wycheproof_pbes2(void **state)
{
	json_t *group, *test;
	size_t i, k, seen = 0;
	struct error e = ERROR_INIT;
	(void)state;
	json_t *all = vectors_load("pbes2_hmacsha256_aes_128_test.json");
	json_array_foreach(json_object_get(all, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			AUTO(buf_done) struct buf password = BUF_INIT(4096);
			AUTO(buf_done) struct buf salt = BUF_INIT(4096);
			AUTO(buf_done) struct buf iv = BUF_INIT(4096);
			AUTO(buf_done) struct buf msg = BUF_INIT(4096);
			AUTO(buf_done) struct buf ct = BUF_INIT(4096);
			AUTO(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
			uint8_t key[16], out[4096];
			int n = 0, last = 0;
			assert_ok(pbkdf2_sha256(hex(test, "password", &password), hex(test, "salt", &salt),
			                        (int)json_integer_value(json_object_get(test, "iterationCount")), key,
			                        sizeof key, &e));
			hex(test, "msg", &msg);
			hex(test, "ct", &ct);
			assert_int_equal(
				1, EVP_DecryptInit_ex2(ctx, EVP_aes_128_cbc(), key, hex(test, "iv", &iv).p, NULL));
			bool ok = EVP_DecryptUpdate(ctx, out, &n, ct.p, (int)ct.n) == 1 &&
			          EVP_DecryptFinal_ex(ctx, out + n, &last) == 1 &&
			          slice_eq(buf_slice(&msg), slice_of(out, (size_t)(n + last)));
			assert_true(vectors_valid(test) == ok);
			seen++;
		}
	}
	assert_int_equal(json_integer_value(json_object_get(all, "numberOfTests")), seen);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_openssl_does),
		cmocka_unit_test(bounds),
		cmocka_unit_test(wycheproof_pbkdf2),
		cmocka_unit_test(wycheproof_pbes2),
	};
	ossl_start();
	return cmocka_run_group_tests_name("pbkdf2", tests, NULL, NULL);
}
