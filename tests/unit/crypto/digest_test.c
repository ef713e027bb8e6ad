#include "check.h"
#include "base/b64.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/random.h"

static void assert_hex(const char *want, const uint8_t *p, size_t n)
{
	AUTO(buf_done) struct buf hex = BUF_INIT(2 * DIGEST_MAX);
	hex_encode(&hex, slice_of(p, n));
	assert_string_equal(want, buf_cstr(&hex));
}

/* FIPS 180-4's examples (and the empty text) */
static void known_answers(void **state)
{
	static const struct {
		const char *in, *sha1, *sha256;
	} rows[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t sha1[SHA1_BYTES], sha256[SHA256_BYTES];
		char hex[SHA256_HEX];
		assert_ok(digest_sha1(slice_cstr(rows[i].in), sha1, &e));
		assert_hex(rows[i].sha1, sha1, sizeof sha1);
		assert_ok(digest_sha256(slice_cstr(rows[i].in), sha256, &e));
		assert_hex(rows[i].sha256, sha256, sizeof sha256);
		assert_ok(digest_sha256_hex(slice_cstr(rows[i].in), hex, &e));
		assert_string_equal(rows[i].sha256, hex);
	}
}

static void nul_is_a_byte(void **state)
{
	struct error e = ERROR_INIT;
	char a[SHA256_HEX], b[SHA256_HEX];
	(void)state;
	assert_ok(digest_sha256_hex(SLICE_LIT("a\0b"), a, &e));
	assert_ok(digest_sha256_hex(SLICE_LIT("a\0c"), b, &e));
	assert_string_not_equal(a, b);
}

static void chance(void **state)
{
	struct error e = ERROR_INIT;
	uint8_t a[32] = { 0 }, b[32] = { 0 }, zero[32] = { 0 };
	(void)state;
	assert_ok(random_bytes(a, sizeof a, &e));
	assert_ok(random_bytes(b, sizeof b, &e));
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a, zero, sizeof a);
	assert_ok(random_bytes(a, 0, &e));
	assert_st(ST_LIMIT, random_bytes(a, (size_t)INT32_MAX + 1, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(nul_is_a_byte),
		cmocka_unit_test(chance),
	};
	ossl_start();
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
