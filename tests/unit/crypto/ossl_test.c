#include "check.h"
#include "crypto/ossl.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static void reasons(void **state)
{
	static const struct {
		struct {
			int lib, reason;
		} put[4];
		enum status want;
		const char *text;
	} rows[] = {
		{ { { 0 } }, ST_INVALID, "key foo" },
		{ { { ERR_LIB_EVP, EVP_R_BAD_DECRYPT } }, ST_INVALID, "key foo: bad decrypt" },
		/* the deepest first, each once, at most two, and none that only says where it passed through */
		{ { { ERR_LIB_EVP, EVP_R_BAD_DECRYPT },
		    { ERR_LIB_EVP, EVP_R_BAD_DECRYPT },
		    { ERR_LIB_ASN1, ERR_R_NESTED_ASN1_ERROR },
		    { ERR_LIB_PEM, ERR_R_EVP_LIB } },
		  ST_INVALID,
		  "key foo: bad decrypt" },
		{ { { ERR_LIB_EVP, EVP_R_BAD_DECRYPT },
		    { ERR_LIB_EVP, EVP_R_DECODE_ERROR },
		    { ERR_LIB_EVP, EVP_R_KEY_SETUP_FAILED } },
		  ST_INVALID,
		  "key foo: bad decrypt: decode error" },
		{ { { ERR_LIB_PEM, ERR_R_EVP_LIB } }, ST_INVALID, "key foo: EVP lib" },
		{ { { ERR_LIB_EVP, ERR_R_MALLOC_FAILURE } }, ST_INVALID, "key foo: malloc failure" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = { .hint = "old", .os = 5 };
		for (size_t k = 0; k < COUNT_OF(rows[i].put) && rows[i].put[k].lib; k++)
			ERR_raise(rows[i].put[k].lib, rows[i].put[k].reason);
		assert_st(rows[i].want, error_ossl(&e, ST_INVALID, "key %s", "foo"));
		assert_text(rows[i].text);
		assert_string_equal("", e.hint);
		assert_int_equal(0, e.os);
		assert_int_equal(0, ERR_peek_error());
	}
}

static void forgets(void **state)
{
	(void)state;
	ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
	ossl_forget_errors();
	assert_int_equal(0, ERR_peek_error());
}

static void long_text_is_cut(void **state)
{
	struct error e = ERROR_INIT;
	char noun[sizeof e.text + 50];
	(void)state;
	memset(noun, 'x', sizeof noun - 1);
	noun[sizeof noun - 1] = '\0';
	ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
	assert_st(ST_IO, error_ossl(&e, ST_IO, "%s", noun));
	assert_int_equal(sizeof e.text - 1, strlen(e.text));
}

/* Certificates and PKCS#8 files look these up by name; an algorithm that is missing here is refused in them. */
static void names_that_files_use(void **state)
{
	static const char *const digests[] = { "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "MD5" };
	static const char *const ciphers[] = { "AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "DES-EDE3-CBC" };
	(void)state;
	ossl_start(); /* once more is harmless */
	for (size_t i = 0; i < COUNT_OF(digests); i++)
		assert_non_null(EVP_get_digestbyname(digests[i]));
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		assert_non_null(EVP_get_cipherbyname(ciphers[i]));
	assert_null(EVP_get_cipherbyname("CAMELLIA-128-CBC")); /* else the table was filled after all */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons),
		cmocka_unit_test(forgets),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(names_that_files_use),
	};
	ossl_start();
	return cmocka_run_group_tests_name("ossl", tests, NULL, NULL);
}
