#include "testing.h"

#include "samples.h"
#include "x509/csr.h"

#include "fail.h"
#include <errno.h>

static void openssls_request(void **state)
{
	(void)state;
	struct error e;
	AUTO(csr_done) struct csr c = { 0 }, der = { 0 };
	AUTO(buf_done) struct buf pem = BUF_INIT(BIG);
	AUTO(cert_unref_p) struct cert *cert = sample(sample_full);
	assert_ok(csr_parse(slice_cstr(sample_csr), false, &c, &e));
	assert_ok(csr_verify(&c, &e));
	assert_string_equal(c.common_name, "Sample");
	assert_int_equal(c.sans.n, 2);
	assert_true(san_list_has(&c.sans, SAN_DNS, "a.local"));
	assert_true(san_list_has(&c.sans, SAN_IP, "10.0.0.1"));
	assert_true(slice_eq(buf_slice(&c.spki), cert_facts(cert)->spki));
	assert_true(slice_eq(buf_slice(&c.subject), cert_facts(cert)->subject));
	assert_int_equal(EVP_PKEY_eq(c.key, cert_key(cert)), 1);
	csr_format_pem(&c, &pem);
	assert_string_equal(buf_cstr(&pem), sample_csr);
	assert_ok(csr_parse(buf_slice(&c.der), true, &der, &e));
	assert_true(slice_eq(buf_slice(&der.der), buf_slice(&c.der)));
	struct csr none = { 0 };
	assert_fails(csr_parse(buf_slice(&c.der), false, &none, &e), ST_INVALID); /* bare DER where PEM is asked for */
}

static void round_trip(void **state)
{
	(void)state;
	static const char *const curves[] = { "P-256", "P-384", "P-521", "RSA", "Ed25519" };
	static const char *const sans[] = { "", "a.local 10.0.0.1 u:1 a@b" };
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		for (size_t k = 0; k < COUNT_OF(sans); k++) {
			struct error e;
			AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key(curves[i]);
			AUTO(san_list_done) struct san_list l = { 0 };
			AUTO(buf_done) struct buf subject = BUF_INIT(BIG), der = BUF_INIT(BIG);
			AUTO(csr_done) struct csr c = { 0 };
			add_sans(&l, sans[k]);
			assert_ok(name_encode(&(struct name_attrs){ .common_name = "foo" }, &subject, &e));
			assert_ok(csr_make(key, buf_slice(&subject), &l, &der, &e));
			assert_ok(csr_parse(buf_slice(&der), true, &c, &e));
			assert_ok(csr_verify(&c, &e));
			assert_int_equal(X509_REQ_verify(c.req, key), 1);
			assert_int_equal(X509_REQ_get_version(c.req), 0);
			assert_string_equal(c.common_name, "foo");
			assert_int_equal(c.sans.n, l.n);
			for (enum san_type t = SAN_DNS; t <= SAN_URI; t++)
				assert_true(san_list_same(&c.sans, &l, t));
		}
}

static void any_label_and_the_first_block(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf pem = BUF_INIT(BIG);
	AUTO(csr_done) struct csr c = { 0 };
	struct slice body = slice_cstr(sample_csr);
	body = slice_of(body.p + strlen("-----BEGIN CERTIFICATE REQUEST-----\n"),
	                body.n - strlen("-----BEGIN CERTIFICATE REQUEST-----\n") -
	                        strlen("-----END CERTIFICATE REQUEST-----\n"));
	buf_adds(&pem, "talk\n-----BEGIN NEW CERTIFICATE REQUEST-----\n");
	buf_add_slice(&pem, body);
	buf_adds(&pem, "-----END NEW CERTIFICATE REQUEST-----\n");
	buf_adds(&pem, sample_v1);
	assert_ok(csr_parse(buf_slice(&pem), false, &c, &e));
	struct csr none = { 0 };
	assert_fails(csr_parse(slice_cstr(sample_v1), false, &none, &e), ST_INVALID); /* a certificate is none */
}

static void signature_of_somebody_else(void **state)
{
	(void)state;
	struct error e;
	AUTO(csr_done) struct csr c = { 0 }, changed = { 0 };
	assert_ok(csr_parse(slice_cstr(sample_csr), false, &c, &e));
	AUTO(buf_done) struct buf der = BUF_INIT(BIG);
	buf_add_slice(&der, buf_slice(&c.der));
	uint8_t *name = memmem(der.p, der.n, "Sample", 6);
	assert_non_null(name);
	name[0] = 'T';
	assert_ok(csr_parse(buf_slice(&der), true, &changed, &e));
	assert_string_equal(changed.common_name, "Tample");
	assert_fails(csr_verify(&changed, &e), ST_DENIED);
}

static void truncated_grown_and_changed(void **state)
{
	(void)state;
	struct error e;
	struct csr none = { 0 };
	AUTO(csr_done) struct csr c = { 0 };
	assert_ok(csr_parse(slice_cstr(sample_csr), false, &c, &e));
	for (size_t n = 0; n < c.der.n; n++) {
		char *cut = malloc(n ? n : 1);
		memcpy(cut, c.der.p, n);
		assert_fails(csr_parse(slice_of(cut, n), true, &none, &e), ST_INVALID);
		free(cut);
	}
	AUTO(buf_done) struct buf der = BUF_INIT(BIG);
	buf_add_slice(&der, buf_slice(&c.der));
	buf_addc(&der, 0);
	assert_fails(csr_parse(buf_slice(&der), true, &none, &e), ST_INVALID);
	for (size_t i = 0; i < c.der.n; i++)
		for (unsigned flip = 1; flip < 256; flip <<= 1) {
			AUTO(csr_done) struct csr got = { 0 };
			der.p[i] ^= (uint8_t)flip;
			enum status st = csr_parse(slice_of(der.p, c.der.n), true, &got, &e);
			assert_true(st == ST_OK || st == ST_INVALID);
			assert_int_equal(!st, got.key != NULL);
			if (!st) /* what still reads does not verify, whichever bit it was */
				assert_fails(csr_verify(&got, &e), ST_DENIED);
			der.p[i] ^= (uint8_t)flip;
		}
}

/* A request with these attributes (content of [0]) under a key, signed well. */
static void with_attributes(const char *hex, struct buf *out)
{
	struct error e;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key("P-256");
	AUTO(signer_free_p) struct signer *s = NULL;
	AUTO(buf_done) struct buf in = BUF_INIT(0), info = BUF_INIT(BIG), signature = BUF_INIT(BIG);
	*out = BUF_INIT(BIG);
	buf_add_slice(&info, SLICE_LIT("\x02\x01\x00\x30\x00"));
	assert_ok(key_spki(key, &info, &e));
	if (hex)
		der_add(&info, 0xa0, unhex(hex, &in));
	der_wrap(&info, 0, DER_SEQUENCE);
	assert_ok(signer_new(key, SIGN_ECDSA_SHA256, &s, &e));
	buf_addc(&signature, 0);
	assert_ok(signer_sign(s, buf_slice(&info), &signature, &e));
	buf_add_slice(out, buf_slice(&info));
	buf_add_slice(out, sign_alg_der(SIGN_ECDSA_SHA256));
	der_add(out, DER_BIT_STRING, buf_slice(&signature));
	der_wrap(out, 0, DER_SEQUENCE);
}

static void hostile_attributes(void **state)
{
	(void)state;
#define EXT_REQ "06092a864886f70d01090e"
#define SAN_A "300c 0603551d11 0405 3003820161"
	static const struct {
		const char *attributes;
		bool good;
		size_t sans;
	} rows[] = {
		{ NULL, true, 0 }, /* left out */
		{ "", true, 0 },
		{ "301d " EXT_REQ " 3110 300e " SAN_A, true, 1 },
		{ "3006 06022a03 3100", true, 0 },                       /* a challenge password or the like */
		{ "302b " EXT_REQ " 311e 301c " SAN_A SAN_A, false, 0 }, /* names twice */
		{ "3029 " EXT_REQ " 311c 301a 300b 0603551d0f 0404 03020780 300b 0603551d0f 0404 03020780", false, 0 },
		{ "301d " EXT_REQ " 3110 300e " SAN_A "301d " EXT_REQ " 3110 300e " SAN_A, false, 0 },
		{ "301f " EXT_REQ " 3112 300e " SAN_A "3000", false, 0 }, /* two values */
		{ "300d " EXT_REQ " 3100", false, 0 },
		{ "300f " EXT_REQ " 3102 0500", false, 0 },
		{ "301d " EXT_REQ " 3110 300e 300c 0603551d11 0405 3003820100", false, 0 }, /* NUL in a name */
		{ "301d " EXT_REQ " 3110 300e 300c 0603551d11 0405 3003820261", false, 0 },
		{ "0500", false, 0 },
		{ "3002 0500", false, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf der = BUF_INIT(0);
		AUTO(csr_done) struct csr c = { 0 };
		with_attributes(rows[i].attributes, &der);
		enum status st = csr_parse(buf_slice(&der), true, &c, &e);
		if (st != (rows[i].good ? ST_OK : ST_INVALID))
			fail_msg("row %zu: %s %s", i, status_name(st), e.text);
		assert_int_equal(c.sans.n, rows[i].sans);
		if (!st && rows[i].attributes)
			assert_ok(csr_verify(&c, &e));
		if (!st)
			assert_string_equal(c.common_name, "");
	}
}

static void refused(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "null", "x", "-----BEGIN X-----\n-----END X-----\n",
		                            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n" };
	struct error e;
	struct csr none = { 0 };
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_fails(csr_parse(slice_cstr(rows[i]), true, &none, &e), ST_INVALID);
	uint8_t *big = calloc(1, 2 * CSR_MAX + 1);
	assert_fails(csr_parse(slice_of(big, 2 * CSR_MAX + 1), true, &none, &e), ST_LIMIT);
	free(big);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key("P-256");
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_fails(csr_make(key, SLICE_LIT("\x31\x00"), NULL, &out, &e), ST_INVALID);
	assert_fails(csr_make(key, SLICE_NONE, NULL, &out, &e), ST_INVALID);
	assert_int_equal(out.n, 0);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key("P-256");
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		AUTO(csr_done) struct csr c = { 0 };
		AUTO(san_list_done) struct san_list l = { 0 };
		add_sans(&l, "a b");
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = csr_make(key, SLICE_LIT("\x30\x00"), &l, &out, &e);
		if (!st)
			st = csr_parse(buf_slice(&out), true, &c, &e);
		if (!fail_disarm()) {
			assert_int_equal(st, ST_OK);
			assert_in_range(n, 10, 200);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
	}
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssls_request),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(any_label_and_the_first_block),
		cmocka_unit_test(signature_of_somebody_else),
		cmocka_unit_test(truncated_grown_and_changed),
		cmocka_unit_test(hostile_attributes),
		cmocka_unit_test(refused),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
