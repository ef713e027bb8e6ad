#include "testing.h"

#include "x509/p12.h"

#include "fail.h"
#include <errno.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

static struct made root, ca, leaf;

static int set_up(void **state)
{
	(void)state;
	root = make((struct recipe){ .name = "Root", .ca = true, .path_len = 1 });
	ca = make((struct recipe){ .name = "CA", .ca = true, .issuer = &root });
	leaf = make((struct recipe){ .name = "leaf", .issuer = &ca, .sans = "a" });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	made_done(&root);
	made_done(&ca);
	made_done(&leaf);
	return 0;
}

static void chain_of(struct chain *c, const struct made *a, const struct made *b)
{
	struct error e;
	*c = (struct chain){ 0 };
	assert_ok(chain_add(c, a->cert, &e));
	if (b)
		assert_ok(chain_add(c, b->cert, &e));
}

static PKCS12 *read_p12(const struct buf *b)
{
	const uint8_t *p = b->p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)b->n);
	assert_non_null(p12);
	assert_ptr_equal(p, b->p + b->n);
	return p12;
}

static bool has_oid(const struct buf *b, const char *oid)
{
	AUTO(buf_done) struct buf der = BUF_INIT(BIG);
	der_add_oid(&der, oid);
	return memmem(b->p, b->n, der.p, der.n) != NULL;
}

#define OID_PBES2 "1.2.840.113549.1.5.13"
#define OID_HMAC_SHA256 "1.2.840.113549.2.9"
#define OID_AES256_CBC "2.16.840.1.101.3.4.1.42"
#define OID_SHA256 "2.16.840.1.101.3.4.2.1"
#define OID_RC2_40 "1.2.840.113549.1.12.1.6"
#define OID_3DES "1.2.840.113549.1.12.1.3"

static void opens_again(void **state)
{
	(void)state;
	static const struct {
		struct slice password;
		bool legacy;
	} rows[] = {
		{ SLICE_LIT("p4ssw\xc3\xb6rd"), false },
		{ SLICE_NONE, false },
		{ SLICE_LIT("secret"), true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(chain_done) struct chain chain, cas;
		AUTO(buf_done) struct buf out = BUF_SECRET(BIG);
		chain_of(&chain, &leaf, &ca);
		chain_of(&cas, &root, NULL);
		struct p12_draft d = { &chain, &cas, leaf.key, rows[i].password, rows[i].legacy };
		assert_ok(p12_format(&d, &out, &e));
		assert_int_equal(has_oid(&out, OID_RC2_40) && has_oid(&out, OID_3DES), rows[i].legacy);
		assert_int_equal(has_oid(&out, OID_PBES2) && has_oid(&out, OID_HMAC_SHA256) &&
		                         has_oid(&out, OID_AES256_CBC) && has_oid(&out, OID_SHA256),
		                 !rows[i].legacy);
		OSSL_PROVIDER *legacy = rows[i].legacy ? OSSL_PROVIDER_load(NULL, "legacy") : NULL;
		OSSL_PROVIDER *plain = OSSL_PROVIDER_load(NULL, "default");
		AUTO(PKCS12_free_p) PKCS12 *p12 = read_p12(&out);
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		AUTO(X509_free_p) X509 *cert = NULL;
		STACK_OF(X509) *others = NULL;
		assert_false(PKCS12_verify_mac(p12, "wrong", 5));
		assert_true(PKCS12_parse(p12, rows[i].password.n ? (const char *)rows[i].password.p : "", &key, &cert,
		                         &others));
		assert_int_equal(EVP_PKEY_eq(key, leaf.key), 1);
		assert_int_equal(X509_cmp(cert, cert_x509(leaf.cert)), 0);
		assert_int_equal(sk_X509_num(others), 2);
		sk_X509_pop_free(others, X509_free);
		if (legacy)
			OSSL_PROVIDER_unload(legacy);
		OSSL_PROVIDER_unload(plain);
		ossl_forget_errors();
	}
}

static void parameters_of_the_peer(void **state)
{
	(void)state;
	struct error e;
	AUTO(chain_done) struct chain chain;
	AUTO(buf_done) struct buf out = BUF_SECRET(BIG);
	chain_of(&chain, &leaf, NULL);
	assert_ok(p12_format(&(struct p12_draft){ .chain = &chain, .key = leaf.key, .password = SLICE_LIT("x") }, &out,
	                     &e));
	AUTO(PKCS12_free_p) PKCS12 *p12 = read_p12(&out);
	const ASN1_OCTET_STRING *mac, *salt;
	const X509_ALGOR *alg;
	const ASN1_INTEGER *iterations;
	PKCS12_get0_mac(&mac, &alg, &salt, &iterations, p12);
	assert_int_equal(ASN1_STRING_length(salt), 16);
	assert_int_equal(ASN1_STRING_length(mac), 32);
	assert_int_equal(ASN1_INTEGER_get(iterations), 2048);
	/* PBKDF2 parameters: OCTET STRING of 16, INTEGER 2048, twice (certificates, key) */
	size_t found = 0;
	for (size_t i = 0; i + 22 <= out.n; i++)
		found += out.p[i] == 4 && out.p[i + 1] == 16 && !memcmp(out.p + i + 18, "\x02\x02\x08\x00", 4);
	assert_int_equal(found, 3); /* and the MAC's */
}

static void trust_store(void **state)
{
	(void)state;
	struct error e;
	char fingerprint[65];
	AUTO(chain_done) struct chain cas;
	AUTO(buf_done) struct buf out = BUF_SECRET(BIG), expected = BUF_INIT(BIG);
	chain_of(&cas, &root, &ca);
	assert_ok(p12_format(&(struct p12_draft){ .cas = &cas, .password = SLICE_LIT("x") }, &out, &e));
	AUTO(PKCS12_free_p) PKCS12 *p12 = read_p12(&out);
	assert_true(PKCS12_verify_mac(p12, "x", 1));
	STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
	assert_int_equal(sk_PKCS7_num(safes), 1);
	STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(sk_PKCS7_value(safes, 0), "x", 1);
	assert_int_equal(sk_PKCS12_SAFEBAG_num(bags), 2);
	for (int i = 0; i < 2; i++) {
		PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
		char *name = PKCS12_get_friendlyname(bag);
		buf_reset(&expected);
		assert_ok(cert_fingerprint(cas.v[i], fingerprint, &e));
		buf_addf(&expected, "CN=%s - %s", i ? "CA" : "Root", fingerprint);
		assert_string_equal(name, buf_cstr(&expected));
		OPENSSL_free(name);
		/* Java's mark of an anchor */
		const STACK_OF(X509_ATTRIBUTE) *attributes = PKCS12_SAFEBAG_get0_attrs(bag);
		bool marked = false;
		for (int k = 0; k < sk_X509_ATTRIBUTE_num(attributes); k++) {
			X509_ATTRIBUTE *a = sk_X509_ATTRIBUTE_value(attributes, k);
			char oid[64], value[64];
			OBJ_obj2txt(oid, sizeof oid, X509_ATTRIBUTE_get0_object(a), 1);
			if (strcmp(oid, "2.16.840.1.113894.746875.1.1"))
				continue;
			ASN1_TYPE *t = X509_ATTRIBUTE_get0_type(a, 0);
			assert_int_equal(t->type, V_ASN1_OBJECT);
			OBJ_obj2txt(value, sizeof value, t->value.object, 1);
			marked = !strcmp(value, OID_ANY_EXT_KEY_USAGE);
		}
		assert_true(marked);
	}
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	sk_PKCS7_pop_free(safes, PKCS7_free);
}

static void refused(void **state)
{
	(void)state;
	static const char longest[1025] = { [0 ... 1024] = 'a' };
	struct error e;
	AUTO(chain_done) struct chain chain, empty = { 0 };
	chain_of(&chain, &leaf, NULL);
	const struct p12_draft rows[] = {
		{ .key = leaf.key },
		{ .chain = &empty, .key = leaf.key },
		{ 0 },
		{ .chain = &empty, .cas = &empty },
		{ .chain = &chain, .key = root.key }, /* another's key */
		{ .chain = &chain, .key = leaf.key, .password = SLICE_LIT("a\0b") },
		{ .chain = &chain, .key = leaf.key, .password = slice_of(longest, sizeof longest) },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		assert_fails(p12_format(&rows[i], &out, &e), ST_INVALID);
		assert_int_equal(out.n, 0);
	}
	AUTO(buf_done) struct buf small = BUF_INIT(100);
	assert_fails(p12_format(&(struct p12_draft){ .chain = &chain, .key = leaf.key }, &small, &e), ST_LIMIT);
}

/* Without legacy.so the file is refused with the way out, and nothing else changes. */
static void legacy_provider_is_missing(void **state)
{
	(void)state;
	struct error e;
	AUTO(chain_done) struct chain chain;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	chain_of(&chain, &leaf, NULL);
	setenv("OPENSSL_MODULES", "/nonexistent", 1);
	assert_fails(p12_format(&(struct p12_draft){ .chain = &chain, .key = leaf.key, .legacy = true }, &out, &e),
	             ST_MISSING);
	unsetenv("OPENSSL_MODULES");
	assert_non_null(strstr(e.text, "'--legacy'"));
	assert_ok(p12_format(&(struct p12_draft){ .chain = &chain, .key = leaf.key, .legacy = true }, &out, &e));
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	AUTO(chain_done) struct chain cas;
	chain_of(&cas, &root, &ca);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = p12_format(&(struct p12_draft){ .cas = &cas }, &out, &e);
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
		cmocka_unit_test(opens_again),
		cmocka_unit_test(parameters_of_the_peer),
		cmocka_unit_test(trust_store),
		cmocka_unit_test(refused),
		cmocka_unit_test(legacy_provider_is_missing),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
