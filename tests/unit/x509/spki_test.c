#include "testing.h"

#include "crypto/keys.h"
#include "x509/spki.h"

#include <openssl/evp.h>

/* One key, one encoding: what makes the digest of a key differ while OpenSSL reads the same key is refused. */
static void one_encoding(void **state)
{
	(void)state;
#define P256 "06082a8648ce3d030107"
#define EC "06072a8648ce3d0201"
#define RSA "06092a864886f70d010101"
#define PSS "06092a864886f70d01010a"
	static const struct {
		const char *hex;
		bool good;
	} rows[] = {
		{ "3019 3013" EC P256 "0302 0004", false }, /* a point of no coordinates */
		{ "301b 3013" EC P256 "0304 0004aabb", true },
		{ "301b 3013" EC P256 "0304 0003aabb", false },   /* compressed */
		{ "301b 3013" EC P256 "0304 0006aabb", false },   /* hybrid */
		{ "301c 3013" EC P256 "0305 0004aabbcc", false }, /* half a coordinate more */
		{ "301b 3013" EC P256 "0304 0104aaba", false },   /* an unused bit */
		{ "3013 300b" EC "3000 0304 0004aabb", false },   /* explicit curve */
		{ "301d 3015" EC P256 "0500 0304 0004aabb", false },
		{ "301d 3013" EC P256 "0304 0004aabb 0500", false },
		{ "3018 300d" RSA "0500 0307 003004 020103", false }, /* cut */
		{ "301a 300d" RSA "0500 0309 003006 020103 020103", true },
		{ "3018 300b" RSA "0309 003006 020103 020103", false }, /* no NULL */
		{ "301b 300e" RSA "050100 0309 003006 020103 020103", false },
		{ "301b 300d" RSA "0500 030a 003007 02020003 020103", false }, /* a zero too many */
		{ "301b 300d" RSA "0500 030a 00308106 020103 020103", false }, /* length not minimal */
		{ "301c 300d" RSA "0500 030b 003080 020103 020103 0000", false },
		{ "301a 300d" RSA "0500 0309 003006 020183 020103", false }, /* negative */
		{ "301a 300d" RSA "0500 0309 003006 020103 020100", false },
		{ "301c 300d" RSA "0500 030b 003008 020103 020103 0500", false },
		{ "3018 300b" PSS "0309 003006 020103 020103", true },
		{ "301a 300d" PSS "3000 0309 003006 020103 020103", true },
		{ "300b 3005 06032b6570 0302 00aa", true },
		{ "300d 3007 06032b65700500 0302 00aa", false },
		{ "300b 3005 06032b657a 0302 00aa", true }, /* not known here: the frame only */
		{ "300b 3005 06032a6570 0302 01aa", false },
		{ "3006 3000 0302 00aa", false },
		{ "3007 3005 06032a6570", false },
		{ "", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct spki k;
		AUTO(buf_done) struct buf b = BUF_INIT(0);
		enum status st = spki_read(unhex(rows[i].hex, &b), &k, &e);
		if (st != (rows[i].good ? ST_OK : ST_INVALID))
			fail_msg("row %zu: %s", i, st ? e.text : "was read");
	}
}

static void what_openssl_writes(void **state)
{
	(void)state;
	static const struct key_spec specs[] = { { .kind = KEY_EC, .curve = "P-256" },
		                                 { .kind = KEY_EC, .curve = "P-521" },
		                                 { .kind = KEY_RSA, .bits = 2048 },
		                                 { .kind = KEY_OKP, .curve = "Ed25519" } };
	for (size_t i = 0; i < COUNT_OF(specs); i++) {
		struct error e;
		struct spki k;
		EVP_PKEY *key = NULL;
		AUTO(buf_done) struct buf der = BUF_INIT(4096);
		assert_ok(key_generate(&specs[i], &key, &e));
		assert_ok(key_spki(key, &der, &e));
		assert_ok(spki_read(buf_slice(&der), &k, &e));
		assert_int_equal(k.x.n > 0, specs[i].kind == KEY_EC);
		assert_int_equal(k.n.n, specs[i].kind == KEY_RSA ? 256 : 0);
		EVP_PKEY_free(key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_encoding),
		cmocka_unit_test(what_openssl_writes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
