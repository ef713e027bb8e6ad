#include "testing.h"

#include "fail.h"
#include <errno.h>
#include <openssl/x509v3.h>

struct input {
	const char *curve, *common_name;
	struct slice serial;
	int64_t from_s, to_s;
	bool extensions;
};

static const struct input inputs[] = {
	{ "P-256", "foo.local", SLICE_LIT("\x01"), 1795431117, 1795517577, true },
	{ "P-256", "*.foo", SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0, 86400,
	  true },
	{ "P-384", "zero", SLICE_LIT("\0\0\0\0"), 2524607999, 2524608000,
	  true }, /* the last UTCTime, the first other */
	{ "P-521", NULL, SLICE_LIT("\0\x80"), -631152000, -631151999, true },
	{ "RSA", "rsa", SLICE_LIT("\x7f"), 1795431117, 253402300799, true },
	{ "P-256", "bare", SLICE_LIT("\x05"), 1795431117, 1795517577, false },
};

/* All that a certificate of this input is made of. */
struct kit {
	EVP_PKEY *key;
	struct signer *signer;
	struct buf subject, issuer, spki, extensions;
	struct cert_draft draft;
};

static void kit_done(struct kit *k)
{
	EVP_PKEY_free(k->key);
	signer_free(k->signer);
	buf_done(&k->subject);
	buf_done(&k->issuer);
	buf_done(&k->spki);
	buf_done(&k->extensions);
}

static void kit_make(const struct input *in, struct kit *k)
{
	struct error e;
	enum sign_alg alg;
	AUTO(san_list_done) struct san_list sans = { 0 };
	add_sans(&sans, "a.local 10.0.0.1 me@x https://h/p");
	*k = (struct kit){ .key = new_key(in->curve),
		           .subject = BUF_INIT(BIG),
		           .issuer = BUF_INIT(BIG),
		           .spki = BUF_INIT(BIG),
		           .extensions = BUF_INIT(BIG) };
	assert_ok(sign_alg_for_key(k->key, &alg, &e));
	assert_ok(signer_new(k->key, alg, &k->signer, &e));
	assert_ok(name_encode(&(struct name_attrs){ .common_name = in->common_name }, &k->subject, &e));
	assert_ok(name_encode(&(struct name_attrs){ .organization = "Speedy", .common_name = "Speedy Root CA" },
	                      &k->issuer, &e));
	assert_ok(key_spki(k->key, &k->spki, &e));
	if (in->extensions)
		assert_ok(profile_leaf(k->key, buf_slice(&k->spki), SLICE_LIT("issuer"), &sans, !in->common_name,
		                       NULL, &(struct provisioner_ext){ 1, "admin", "kid" }, &k->extensions, &e));
	k->draft = (struct cert_draft){
		in->serial,     buf_slice(&k->issuer), buf_slice(&k->subject),   buf_slice(&k->spki),
		{ in->from_s }, { in->to_s },          buf_slice(&k->extensions)
	};
}

static X509_NAME *name_of(struct slice der)
{
	const uint8_t *p = der.p;
	return d2i_X509_NAME(NULL, &p, (long)der.n);
}

/* The same by OpenSSL's API, signed by the same key; returns the TBS. */
static void openssl_tbs(const struct kit *k, struct buf *out)
{
	AUTO(X509_free_p) X509 *x = X509_new();
	X509_NAME *issuer = name_of(k->draft.issuer), *subject = name_of(k->draft.subject);
	AUTO(BN_clear_free_p) BIGNUM *serial = BN_bin2bn(k->draft.serial.p, (int)k->draft.serial.n, NULL);
	assert_true(X509_set_version(x, 2) && X509_set_issuer_name(x, issuer) && X509_set_subject_name(x, subject) &&
	            BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) && X509_set_pubkey(x, k->key) &&
	            ASN1_TIME_set(X509_getm_notBefore(x), k->draft.not_before.s) &&
	            ASN1_TIME_set(X509_getm_notAfter(x), k->draft.not_after.s));
	X509_NAME_free(issuer);
	X509_NAME_free(subject);
	struct error e;
	struct ext ext;
	for (struct slice rest = k->draft.extensions; rest.n;) {
		assert_ok(ext_next(&rest, &ext, &e));
		const uint8_t *p = ext.whole.p;
		X509_EXTENSION *one = d2i_X509_EXTENSION(NULL, &p, (long)ext.whole.n);
		assert_true(X509_add_ext(x, one, -1));
		X509_EXTENSION_free(one);
	}
	int bits = EVP_PKEY_get_base_id(k->key) == EVP_PKEY_EC ? EVP_PKEY_get_bits(k->key) : 256;
	assert_true(X509_sign(x, k->key, bits > 384 ? EVP_sha512() : bits > 256 ? EVP_sha384() : EVP_sha256()) > 0);
	uint8_t *der = NULL;
	int n = i2d_re_X509_tbs(x, &der);
	assert_true(n > 0);
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
}

static void equals_openssls(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(inputs); i++) {
		struct error e;
		AUTO(kit_done) struct kit k = { 0 };
		AUTO(buf_done) struct buf out = BUF_INIT(BIG), tbs = BUF_INIT(BIG);
		AUTO(cert_unref_p) struct cert *c = NULL;
		kit_make(&inputs[i], &k);
		buf_adds(&out, "kept");
		assert_ok(cert_write(&k.draft, k.signer, &out, &e));
		openssl_tbs(&k, &tbs);
		assert_memory_equal(out.p, "kept", 4);
		assert_ok(cert_parse(slice_of(out.p + 4, out.n - 4), &c, &e));
		const struct cert_facts *f = cert_facts(c);
		assert_int_equal(f->tbs.n, tbs.n);
		assert_memory_equal(f->tbs.p, tbs.p, tbs.n);
		assert_int_equal(X509_verify(cert_x509(c), k.key), 1);
		assert_int_equal(f->version, 3);
		assert_int_equal(f->not_before.s, inputs[i].from_s);
		assert_int_equal(f->not_after.s, inputs[i].to_s);
		assert_true(slice_eq(f->spki, k.draft.spki));
		assert_true(slice_eq(f->extensions, k.draft.extensions));
	}
}

static void ed25519(void **state)
{
	(void)state;
	struct error e;
	AUTO(made_done) struct made m = make((struct recipe){ .name = "ed", .curve = "Ed25519" });
	assert_int_equal(X509_verify(cert_x509(m.cert), m.key), 1);
	assert_ok(cert_signed_by(m.cert, m.cert, &e));
}

static void drafts_refused(void **state)
{
	(void)state;
	static const uint8_t twenty_one[21] = { 1 };
	AUTO(kit_done) struct kit k = { 0 };
	kit_make(&inputs[0], &k);
	struct cert_draft rows[10];
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		rows[i] = k.draft;
	rows[0].serial = SLICE_NONE;
	rows[1].serial = slice_of(twenty_one, 21);
	rows[2].not_after.s = rows[2].not_before.s - 1;
	rows[3].issuer = SLICE_NONE;
	rows[4].issuer = SLICE_LIT("\x31\x00");
	rows[5].subject = SLICE_NONE;
	rows[6].subject = SLICE_LIT("\x30\x00\x00");
	rows[7].spki = SLICE_LIT("\x30\x01");
	rows[8].not_after.s = WALL_MAX_S + 1;
	rows[9].not_before.s = WALL_MIN_S - 1;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum status st = cert_write(&rows[i], k.signer, &out, &e);
		assert_int_equal(st, i < 8 ? ST_INVALID : ST_LIMIT);
		assert_int_equal(out.n, 0);
	}
	rows[0] = k.draft;
	AUTO(buf_done) struct buf small = BUF_INIT(100);
	assert_fails(cert_write(&rows[0], k.signer, &small, &e), ST_LIMIT);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	AUTO(kit_done) struct kit k = { 0 };
	kit_make(&inputs[0], &k);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = cert_write(&k.draft, k.signer, &out, &e);
		if (!fail_disarm()) {
			assert_int_equal(st, ST_OK);
			assert_in_range(n, 3, 100);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
	}
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_openssls),
		cmocka_unit_test(ed25519),
		cmocka_unit_test(drafts_refused),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
