#include "check.h"
#include "keyfile_samples.h"
#include "crypto/auto.h"
#include "crypto/keyfile.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "crypto/pem.h"
#include "fail.h"

#include <openssl/evp.h>

/* Answers its passwords in turn, then ST_MISSING, as a password file (one) or a person (several) does. */
struct answers {
	const char *passwords[4];
	int asked;
	enum status instead; /* of an answer, where not ST_OK */
};

static enum status answer(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	struct answers *a = ctx;
	assert_int_equal(a->asked, attempt);
	assert_true(ret->secret);
	a->asked++;
	if (a->instead)
		return error_set(e, a->instead, "the source failed");
	if (attempt >= (int)COUNT_OF(a->passwords) || !a->passwords[attempt])
		return error_set(e, ST_MISSING, "use --password-file");
	buf_adds(ret, a->passwords[attempt]);
	return ST_OK;
}

static EVP_PKEY *ec, *rsa, *ed;

static int load_keys(void **state)
{
	struct error e = ERROR_INIT;
	(void)state;
	assert_ok(keyfile_parse(slice_cstr(SAMPLE_EC), NULL, &ec, &e));
	assert_ok(keyfile_parse(slice_cstr(SAMPLE_RSA), NULL, &rsa, &e));
	assert_ok(keyfile_parse(slice_cstr(SAMPLE_ED), NULL, &ed, &e));
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
	return 0;
}

static void reads_plain_files(void **state)
{
	const struct {
		const char *text;
		EVP_PKEY *want;
	} rows[] = {
		{ SAMPLE_EC, ec },
		{ SAMPLE_EC_P8, ec },
		{ SAMPLE_EC_PARAMS, ec }, /* with openssl's EC PARAMETERS block before it */
		{ "key of the CA\n" SAMPLE_EC, ec },
		{ SAMPLE_CRT SAMPLE_EC, ec },
		{ SAMPLE_RSA, rsa },
		{ SAMPLE_RSA_P8, rsa },
		{ SAMPLE_ED, ed },
		{ SAMPLE_EC SAMPLE_RSA, ec }, /* the first one */
	};
	struct answers never = { .asked = 1000 };
	const struct password_source source = { answer, &never };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		assert_ok(keyfile_parse(slice_cstr(rows[i].text), &source, &key, &e));
		assert_true(key_equal(key, rows[i].want));
	}
	assert_int_equal(1000, never.asked); /* nobody is asked for a password that is not needed */
}

static void reads_der(void **state)
{
	static const char *const texts[] = { SAMPLE_EC, SAMPLE_EC_P8, SAMPLE_RSA, SAMPLE_RSA_P8, SAMPLE_ED };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		AUTO(pem_block_done) struct pem_block b = { 0 };
		AUTO(EVP_PKEY_free_p) EVP_PKEY *of_pem = NULL;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *of_der = NULL;
		EVP_PKEY *none = NULL;
		struct slice rest = slice_cstr(texts[i]);
		assert_ok(pem_next(&rest, &b, &e));
		assert_ok(keyfile_parse(slice_cstr(texts[i]), NULL, &of_pem, &e));
		assert_ok(keyfile_parse(buf_slice(&b.der), NULL, &of_der, &e));
		assert_true(key_equal(of_pem, of_der));
		for (size_t n = 0; n < b.der.n; n += 7)
			assert_st(ST_INVALID, keyfile_parse(slice_of(b.der.p, n), NULL, &none, &e));
	}
}

/* Every form, with the right password at once and at the third attempt. */
static void reads_encrypted_files(void **state)
{
	const struct {
		const char *text;
		EVP_PKEY *want;
	} rows[] = {
		{ SAMPLE_EC_AES128, ec },    { SAMPLE_EC_AES192, ec },     { SAMPLE_EC_AES256, ec },
		{ SAMPLE_EC_DES3, ec },      { SAMPLE_EC_DES, ec },        { SAMPLE_RSA_AES256, rsa },
		{ SAMPLE_EC_PBES2, ec },     { SAMPLE_EC_PBES2_SHA1, ec }, { SAMPLE_EC_PBES2_DES3, ec },
		{ SAMPLE_EC_PBES2_DES, ec }, { SAMPLE_ED_PBES2, ed },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(EVP_PKEY_free_p) EVP_PKEY *once = NULL;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *thrice = NULL;
		struct answers file = { { "s3cret" }, 0, ST_OK }, person = { { "S3cret", "", "s3cret" }, 0, ST_OK };
		assert_ok(
			keyfile_parse(slice_cstr(rows[i].text), &(struct password_source){ answer, &file }, &once, &e));
		assert_true(key_equal(once, rows[i].want));
		assert_int_equal(1, file.asked);
		assert_ok(keyfile_parse(slice_cstr(rows[i].text), &(struct password_source){ answer, &person }, &thrice,
		                        &e));
		assert_true(key_equal(thrice, rows[i].want));
		assert_int_equal(3, person.asked);
	}
}

static void wrong_passwords(void **state)
{
	static const char *const texts[] = { SAMPLE_EC_AES256, SAMPLE_EC_DES3, SAMPLE_EC_PBES2, SAMPLE_RSA_AES256 };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		EVP_PKEY *key = NULL;
		struct slice text = slice_cstr(texts[i]);
		struct answers one = { { "wrong" }, 0, ST_OK }, none = { { 0 }, 0, ST_OK },
			       broken = { { 0 }, 0, ST_IO }, two = { { "wrong", "s3cret " }, 0, ST_OK };
		assert_st(ST_DENIED, keyfile_parse(text, &(struct password_source){ answer, &one }, &key, &e));
		assert_text("wrong password: the key could not be decrypted");
		assert_int_equal(2, one.asked);
		assert_st(ST_DENIED, keyfile_parse(text, &(struct password_source){ answer, &two }, &key, &e));
		/* what the source says of a missing password reaches the person */
		assert_st(ST_MISSING, keyfile_parse(text, &(struct password_source){ answer, &none }, &key, &e));
		assert_text("use --password-file");
		assert_st(ST_IO, keyfile_parse(text, &(struct password_source){ answer, &broken }, &key, &e));
		assert_text("the source failed");
		assert_st(ST_MISSING, keyfile_parse(text, NULL, &key, &e));
		assert_says("no password was given");
		assert_null(key);
	}
}

static enum status always_wrong(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	int *asked = ctx;
	(void)attempt;
	(void)e;
	++*asked;
	buf_adds(ret, "wrong");
	return ST_OK;
}

static enum status too_long(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	(void)ctx;
	(void)attempt;
	(void)e;
	for (size_t i = 0; i <= PASSWORD_MAX; i++)
		buf_addc(ret, 'x');
	return ST_OK;
}

static void a_source_without_end(void **state)
{
	int asked = 0;
	EVP_PKEY *key = NULL;
	struct error e = ERROR_INIT;
	(void)state;
	assert_st(ST_DENIED, keyfile_parse(slice_cstr(SAMPLE_EC_AES256),
	                                   &(struct password_source){ always_wrong, &asked }, &key, &e));
	assert_int_equal(PASSWORD_TRIES, asked);
	assert_st(ST_LIMIT,
	          keyfile_parse(slice_cstr(SAMPLE_EC_AES256), &(struct password_source){ too_long, NULL }, &key, &e));
	assert_says("password");
}

/* The padding check of CBC passes one wrong password in 256; none may come out as another failure, or as a key. */
static void no_wrong_password_slips_through(void **state)
{
	static const char *const texts[] = { SAMPLE_EC_AES128, SAMPLE_EC_DES3 };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		for (int k = 0; k < 1500; k++) {
			char password[16];
			EVP_PKEY *key = NULL;
			snprintf(password, sizeof password, "p%d", k);
			struct answers a = { { password }, 0, ST_OK };
			assert_st(ST_DENIED, keyfile_parse(slice_cstr(texts[i]),
			                                   &(struct password_source){ answer, &a }, &key, &e));
		}
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		enum status want;
		const char *says;
	} rows[] = {
		{ "", ST_INVALID, "no PRIVATE KEY block" },
		{ "hello", ST_INVALID, "no PRIVATE KEY block" },
		{ SAMPLE_CRT, ST_INVALID, "no PRIVATE KEY block" },
		{ SAMPLE_PUB, ST_INVALID, "no PRIVATE KEY block" },
		{ "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", ST_INVALID,
		  "not a private key" },
		{ "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", ST_INVALID, "not a private key" },
		{ "-----BEGIN EC PRIVATE KEY-----\n!\n-----END EC PRIVATE KEY-----\n", ST_INVALID, "not base64" },
		{ SAMPLE_OSSH, ST_INVALID, "ssh-keygen -p -m PEM" },
		{ SAMPLE_DSA, ST_INVALID, "DSA" },
		{ SAMPLE_EC_EXPLICIT, ST_INVALID, "not supported" },
		{ SAMPLE_EC_K1, ST_INVALID, "not supported" },
		{ SAMPLE_RSA512, ST_INVALID, "768 bits" },
		{ SAMPLE_EC_MIXED, ST_INVALID, "do not belong together" },
		{ SAMPLE_EC_SCRYPT, ST_INVALID, "other than PBKDF2 is not supported; encrypt the key anew" },
		{ SAMPLE_EC_PBES1, ST_INVALID, "other than PBES2 is not supported; encrypt the key anew" },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", ST_INVALID,
		  "not an encrypted private key" },
	};
	struct answers a = { { "s3cret" }, 0, ST_OK };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		EVP_PKEY *key = NULL;
		a.asked = 0;
		assert_st(rows[i].want,
		          keyfile_parse(slice_cstr(rows[i].text), &(struct password_source){ answer, &a }, &key, &e));
		assert_says(rows[i].says);
		assert_null(key);
		assert_int_equal(0, a.asked); /* no password is asked for in vain */
	}
}

static void refuses_headers(void **state)
{
	static const struct {
		const char *headers, *says;
	} rows[] = {
		{ "Proc-Type: 4,ENCRYPTED\n", "bad encryption header" },
		{ "DEK-Info: AES-256-CBC,00112233445566778899aabbccddeeff\n", "bad encryption header" },
		{ "Proc-Type: 4,CLEAR\nDEK-Info: AES-256-CBC,00112233445566778899aabbccddeeff\n",
		  "bad encryption header" },
		{ "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC\n", "bad encryption header" },
		{ "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-GCM,00112233445566778899aabbccddeeff\n", "not supported" },
		{ "Proc-Type: 4,ENCRYPTED\nDEK-Info: ,00\n", "not supported" },
		{ "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n", "32 hexadecimal digits" },
		{ "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,zz112233445566778899aabbccddeeff\n",
		  "32 hexadecimal digits" },
		{ "Proc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00112233445566778899aabbccddeeff\n",
		  "16 hexadecimal digits" },
	};
	struct answers a = { { "s3cret" }, 0, ST_OK };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf text = BUF_INIT(1000);
		EVP_PKEY *key = NULL;
		pem_format_headers(&text, "EC PRIVATE KEY", rows[i].headers, SLICE_LIT("0123456789abcdef"));
		assert_st(ST_INVALID,
		          keyfile_parse(buf_slice(&text), &(struct password_source){ answer, &a }, &key, &e));
		assert_says(rows[i].says);
		assert_int_equal(0, a.asked);
	}
}

static void bounds(void **state)
{
	AUTO(buf_done) struct buf big = BUF_INIT(2 * KEYFILE_MAX);
	AUTO(pem_block_done) struct pem_block b = { 0 };
	struct error e = ERROR_INIT;
	EVP_PKEY *key = NULL;
	struct slice rest = slice_cstr(SAMPLE_EC_PBES2);
	(void)state;
	while (big.n <= KEYFILE_MAX)
		buf_adds(&big, "\n");
	assert_st(ST_LIMIT, keyfile_parse(buf_slice(&big), NULL, &key, &e));
	assert_st(ST_LIMIT, keyfile_parse_public(buf_slice(&big), NULL, &key, &e));

	/* the same key file, asking for 2^31 - 1 iterations: INTEGER of 4 bytes instead of 2 */
	static const uint8_t iterations[] = { 0x02, 0x02, 0x08, 0x00 };
	assert_ok(pem_next(&rest, &b, &e));
	uint8_t *at = memmem(b.der.p, b.der.n, iterations, sizeof iterations);
	assert_non_null(at);
	at[2] = 0x7f; /* 32512: fine, and the password wrong for it */
	AUTO(buf_done) struct buf text = BUF_INIT(4096);
	struct answers a = { { "s3cret" }, 0, ST_OK };
	pem_format(&text, "ENCRYPTED PRIVATE KEY", buf_slice(&b.der));
	assert_st(ST_DENIED, keyfile_parse(buf_slice(&text), &(struct password_source){ answer, &a }, &key, &e));
	at[2] = 0xff; /* negative */
	a.asked = 0;
	buf_reset(&text);
	pem_format(&text, "ENCRYPTED PRIVATE KEY", buf_slice(&b.der));
	assert_st(ST_LIMIT, keyfile_parse(buf_slice(&text), &(struct password_source){ answer, &a }, &key, &e));
	assert_int_equal(0, a.asked);
}

static void writes(void **state)
{
	const struct {
		EVP_PKEY *key;
		enum keyfile_form form;
		const char *want;
	} rows[] = {
		{ ec, KEYFILE_NATIVE, SAMPLE_EC },   { ec, KEYFILE_PKCS8, SAMPLE_EC_P8 },
		{ rsa, KEYFILE_NATIVE, SAMPLE_RSA }, { rsa, KEYFILE_PKCS8, SAMPLE_RSA_P8 },
		{ ed, KEYFILE_NATIVE, SAMPLE_ED },   { ed, KEYFILE_PKCS8, SAMPLE_ED },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_SECRET(KEYFILE_MAX);
		assert_ok(keyfile_format(rows[i].key, rows[i].form, SLICE_NONE, &out, &e));
		assert_string_equal(rows[i].want, buf_cstr(&out));
	}
}

static bool lower_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") == n;
}

static void writes_encrypted(void **state)
{
	static const char native[] = "-----BEGIN %s PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,";
	const struct {
		EVP_PKEY *key;
		enum keyfile_form form;
		const char *legacy; /* label, or NULL for PBES2 */
	} rows[] = {
		{ ec, KEYFILE_NATIVE, "EC" },
		{ ec, KEYFILE_PKCS8, NULL },
		{ rsa, KEYFILE_NATIVE, "RSA" },
		{ ed, KEYFILE_NATIVE, NULL },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_SECRET(KEYFILE_MAX);
		AUTO(buf_done) struct buf again = BUF_SECRET(KEYFILE_MAX);
		AUTO(EVP_PKEY_free_p) EVP_PKEY *back = NULL;
		struct answers right = { { "p4ss word" }, 0, ST_OK }, wrong = { { "p4ssword" }, 0, ST_OK };
		EVP_PKEY *none = NULL;
		assert_ok(keyfile_format(rows[i].key, rows[i].form, SLICE_LIT("p4ss word"), &out, &e));
		if (rows[i].legacy) {
			char head[120];
			int n = snprintf(head, sizeof head, native, rows[i].legacy);
			assert_memory_equal(head, out.p, (size_t)n);
			assert_true(lower_hex((const char *)out.p + n, 32));
			assert_memory_equal("\n\n", out.p + n + 32, 2);
			/* a fresh IV each time; and no wrong password (of PBES2 the samples show both, sooner) */
			assert_ok(keyfile_format(rows[i].key, rows[i].form, SLICE_LIT("p4ss word"), &again, &e));
			assert_string_not_equal(buf_cstr(&out), buf_cstr(&again));
			assert_st(ST_DENIED, keyfile_parse(buf_slice(&out), &(struct password_source){ answer, &wrong },
			                                   &none, &e));
		} else {
			assert_memory_equal("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", out.p, 38);
		}
		assert_ok(keyfile_parse(buf_slice(&out), &(struct password_source){ answer, &right }, &back, &e));
		assert_true(key_equal(back, rows[i].key));
	}
	AUTO(buf_done) struct buf out = BUF_SECRET(KEYFILE_MAX);
	char password[PASSWORD_MAX + 1] = { 0 };
	assert_st(ST_LIMIT, keyfile_format(ec, KEYFILE_NATIVE, slice_of(password, sizeof password), &out, &e));
	assert_int_equal(0, out.n);
}

/* server.md §4.7: PBES2, PBKDF2-HMAC-SHA256, salt of 16 bytes, 600000 iterations, AES-256-CBC */
static void pbes2_parameters(void **state)
{
	static const uint8_t salt_head[] = { 0x04, 0x10 };
	static const uint8_t rest[] = { 0x02, 0x03, 0x09, 0x27, 0xc0, /* 600000 */
		                        0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		                        0x02, 0x09, 0x05, 0x00, 0x30, 0x1d, 0x06, 0x09, 0x60, 0x86,
		                        0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10 };
	AUTO(buf_done) struct buf out = BUF_SECRET(KEYFILE_MAX);
	AUTO(pem_block_done) struct pem_block b = { 0 };
	struct error e = ERROR_INIT;
	(void)state;
	assert_ok(keyfile_format(ed, KEYFILE_NATIVE, SLICE_LIT("x"), &out, &e));
	struct slice text = buf_slice(&out);
	assert_ok(pem_next(&text, &b, &e));
	const uint8_t *at = memmem(b.der.p, b.der.n, rest, sizeof rest);
	assert_non_null(at);
	assert_memory_equal(salt_head, at - 18, sizeof salt_head);
}

static void public_keys(void **state)
{
	const struct {
		const char *text;
		EVP_PKEY *want;
	} rows[] = {
		{ SAMPLE_PUB, ec },       { SAMPLE_EC, ec },        { SAMPLE_EC_P8, ec },          { SAMPLE_CRT, ec },
		{ SAMPLE_CSR, ec },       { SAMPLE_RSAPUB, rsa },   { SAMPLE_RSA, rsa },           { SAMPLE_ED, ed },
		{ SAMPLE_EC_PARAMS, ec }, { SAMPLE_EC_AES256, ec }, { SAMPLE_PUB SAMPLE_RSA, ec },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		AUTO(buf_done) struct buf out = BUF_SECRET(KEYFILE_MAX);
		struct answers a = { { "s3cret" }, 0, ST_OK };
		assert_ok(keyfile_parse_public(slice_cstr(rows[i].text), &(struct password_source){ answer, &a }, &key,
		                               &e));
		assert_true(key_equal(key, rows[i].want));
		assert_st(ST_CRYPTO,
		          keyfile_format(key, KEYFILE_PKCS8, SLICE_NONE, &out, &e)); /* no private half in it */
	}
	AUTO(buf_done) struct buf out = BUF_INIT(KEYFILE_MAX);
	assert_ok(keyfile_format_public(ec, &out, &e));
	assert_string_equal(SAMPLE_PUB, buf_cstr(&out));
}

static void no_public_keys(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "no public key" },
		{ "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "no public key" },
		{ "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key" },
		{ "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n", "not an RSA public key" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a certificate" },
		{ "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
		  "not a certificate request" },
		{ "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", "not base64" },
		{ SAMPLE_OSSH, "ssh-keygen" },
		{ SAMPLE_DSA, "DSA" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		EVP_PKEY *key = NULL;
		assert_st(ST_INVALID, keyfile_parse_public(slice_cstr(rows[i].text), NULL, &key, &e));
		assert_says(rows[i].says);
		assert_null(key);
	}
}

/* Each allocation of ours fails once: an error or a whole result, and no leak. */
static void out_of_memory(void **state)
{
	static const char *const texts[] = { SAMPLE_EC, SAMPLE_EC_AES256, SAMPLE_EC_PBES2 };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		for (unsigned n = 1;; n++) {
			AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
			AUTO(buf_done) struct buf out = BUF_SECRET(KEYFILE_MAX);
			struct answers a = { { "s3cret" }, 0, ST_OK };
			fail_arm(FAIL_ALLOC, n, 0);
			enum status st =
				keyfile_parse(slice_cstr(texts[i]), &(struct password_source){ answer, &a }, &key, &e);
			if (!st)
				st = keyfile_format(key, KEYFILE_NATIVE, SLICE_LIT("s3cret"), &out, &e);
			if (!fail_disarm()) {
				assert_int_equal(ST_OK, st);
				assert_true(n > 5);
				break;
			}
			assert_int_equal(ST_NOMEM, st);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_plain_files),
		cmocka_unit_test(reads_der),
		cmocka_unit_test(reads_encrypted_files),
		cmocka_unit_test(wrong_passwords),
		cmocka_unit_test(a_source_without_end),
		cmocka_unit_test(no_wrong_password_slips_through),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_headers),
		cmocka_unit_test(bounds),
		cmocka_unit_test(writes),
		cmocka_unit_test(writes_encrypted),
		cmocka_unit_test(pbes2_parameters),
		cmocka_unit_test(public_keys),
		cmocka_unit_test(no_public_keys),
		cmocka_unit_test(out_of_memory),
	};
	ossl_start();
	return cmocka_run_group_tests_name("keyfile", tests, load_keys, free_keys);
}
