#include "testing.h"

#include "samples.h"

#include "fail.h"
#include <errno.h>
#include <openssl/pem.h>

static void facts_of_a_rich_certificate(void **state)
{
	(void)state;
	AUTO(cert_unref_p) struct cert *c = sample(sample_full);
	const struct cert_facts *f = cert_facts(c);
	assert_int_equal(f->version, 3);
	assert_string_equal(f->serial_text, "1339673755198158349044581307228491536");
	assert_string_equal(f->common_name, "Sample");
	assert_string_equal(f->issuer_common_name, "Sample");
	assert_true(f->self_issued);
	assert_true(f->is_ca);
	assert_int_equal(f->path_len, 3);
	assert_true(f->has_key_usage);
	assert_int_equal(f->key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_true(f->has_ext_key_usage && f->eku_server_auth && f->eku_client_auth);
	assert_false(f->eku_any);
	assert_int_equal(f->subject_key_id.n, 20);
	assert_int_equal(f->authority_key_id.n, 0);
	assert_false(f->has_provisioner);
	assert_int_equal(f->sans->n, 7);
	assert_true(san_list_has(f->sans, SAN_OTHER, "otherName"));
	assert_true(san_list_has(f->sans, SAN_URI, "https://foo/bar"));
	char text[WALL_TEXT];
	assert_string_equal(wall_rfc3339(f->not_before, text), "2026-11-23T13:28:22Z");
	assert_int_equal(f->not_after.s - f->not_before.s, INT64_C(3650) * 86400);
	assert_non_null(cert_key(c));
	/* every span lies in der, and is what it says */
	const struct slice spans[] = { f->tbs, f->serial, f->issuer, f->subject, f->spki, f->extensions, f->signature };
	for (size_t i = 0; i < COUNT_OF(spans); i++)
		assert_true(spans[i].p > f->der.p && spans[i].p + spans[i].n <= f->der.p + f->der.n);
	struct error e;
	AUTO(buf_done) struct buf spki = BUF_INIT(BIG);
	assert_ok(key_spki(cert_key(c), &spki, &e));
	assert_true(slice_eq(buf_slice(&spki), f->spki));
}

static void facts_of_others(void **state)
{
	(void)state;
	static const struct {
		const char *pem, *serial, *alg;
		int version;
		enum sign_alg sign;
	} rows[] = {
		{ sample_rsa, "5", "SHA256-RSA", 3, SIGN_RSA_SHA256 },
		{ sample_ed, "0", "Ed25519", 3, SIGN_ED25519 },
		{ sample_v1, "7", "ECDSA-SHA256", 1, SIGN_ECDSA_SHA256 },
		{ sample_pss, "9", "SHA256-RSAPSS", 3, SIGN_PSS_SHA256 }, /* OpenSSL's parameters differ from Go's */
		{ sample_sha1, "9", "SHA1-RSA", 3, SIGN_ALG_COUNT },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		enum sign_alg alg;
		char name[OID_TEXT];
		AUTO(cert_unref_p) struct cert *c = sample(rows[i].pem);
		const struct cert_facts *f = cert_facts(c);
		assert_string_equal(f->serial_text, rows[i].serial);
		assert_int_equal(f->version, rows[i].version);
		assert_string_equal(alg_name(f->signature_alg, name), rows[i].alg);
		assert_int_equal(f->path_len, -1);
		if (rows[i].version == 1)
			assert_false(f->extensions.n || f->is_ca || f->sans->n || f->subject_key_id.n);
		if (rows[i].sign == SIGN_ALG_COUNT) {
			assert_fails(cert_sign_alg(c, &alg, &e), ST_INVALID);
			continue;
		}
		assert_ok(cert_sign_alg(c, &alg, &e));
		assert_int_equal(alg, rows[i].sign);
		assert_ok(cert_signed_by(c, c, &e));
		if (rows[i].sign == SIGN_RSA_SHA256)
			assert_true(f->subject_key_id.n == 20 && slice_eq(f->subject_key_id, f->authority_key_id));
	}
	struct error e;
	AUTO(cert_unref_p) struct cert *a = sample(sample_full), *b = sample(sample_v1), *other = sample(sample_rsa);
	assert_ok(cert_signed_by(a, b, &e)); /* same key */
	assert_fails(cert_signed_by(a, other, &e), ST_DENIED);
}

static void same_from_openssl(void **state)
{
	(void)state;
	struct error e;
	char a[65], b[65];
	AUTO(cert_unref_p) struct cert *c = sample(sample_full), *again = NULL;
	assert_ok(cert_of_x509(cert_x509(c), &again, &e));
	assert_ptr_equal(cert_x509(again), cert_x509(c));
	assert_ok(cert_fingerprint(c, a, &e));
	assert_ok(cert_fingerprint(again, b, &e));
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 64);
	struct cert *second = cert_ref(c);
	cert_unref(second);
	assert_string_equal(cert_facts(c)->common_name, "Sample");
	cert_unref(NULL);
}

/* Whatever a byte is changed to, it is refused or read within its bounds (the sanitizers watch). */
static void truncated_grown_and_changed(void **state)
{
	(void)state;
	struct error e;
	struct cert *none = NULL;
	AUTO(cert_unref_p) struct cert *c = sample(sample_full);
	struct slice der = cert_facts(c)->der;
	for (size_t n = 0; n < der.n; n++) {
		char *cut = malloc(n ? n : 1); /* exactly as long, so that reading on is seen */
		memcpy(cut, der.p, n);
		assert_fails(cert_parse(slice_of(cut, n), &none, &e), ST_INVALID);
		free(cut);
	}
	AUTO(buf_done) struct buf longer = BUF_INIT(BIG);
	buf_add_slice(&longer, der);
	buf_addc(&longer, '\0');
	assert_fails(cert_parse(buf_slice(&longer), &none, &e), ST_INVALID);
	assert_null(none);
	for (size_t i = 0; i < der.n; i++)
		for (unsigned flip = 1; flip < 256; flip <<= 1) {
			AUTO(cert_unref_p) struct cert *got = NULL;
			longer.p[i] ^= (uint8_t)flip;
			enum status st = cert_parse(slice_of(longer.p, der.n), &got, &e);
			assert_true(st == ST_OK || st == ST_INVALID || st == ST_LIMIT);
			assert_int_equal(!st, got != NULL);
			longer.p[i] ^= (uint8_t)flip;
		}
}

/* TBSCertificate in hex pieces; NULL takes a good one. The signature is never looked at by cert_parse. */
struct pieces {
	const char *version, *serial, *alg, *issuer, *validity, *subject, *tail, *outer_alg, *signature;
};

static void add_hex_piece(struct buf *out, const char *hex, const char *otherwise)
{
	AUTO(buf_done) struct buf b = BUF_INIT(0);
	buf_add_slice(out, unhex(hex ? hex : otherwise, &b));
}

static void assemble(const struct pieces *p, struct buf *out)
{
	static const char alg[] = "300a 06082a8648ce3d040302";
	AUTO(cert_unref_p) struct cert *c = sample(sample_v1);
	*out = BUF_INIT(BIG);
	add_hex_piece(out, p->version, "a003020102");
	add_hex_piece(out, p->serial, "020101");
	add_hex_piece(out, p->alg, alg);
	add_hex_piece(out, p->issuer, "3000");
	add_hex_piece(out, p->validity, "301e 170d3236313132333130353135375a 170d3237313132333130353135375a");
	add_hex_piece(out, p->subject, "300c 310a 3008 0603550403 130161");
	buf_add_slice(out, cert_facts(c)->spki);
	add_hex_piece(out, p->tail, "");
	der_wrap(out, 0, DER_SEQUENCE);
	add_hex_piece(out, p->outer_alg ? p->outer_alg : p->alg, alg);
	add_hex_piece(out, p->signature, "0309 00 3006 020101 020101");
	der_wrap(out, 0, DER_SEQUENCE);
}

static void hostile_certificates(void **state)
{
	(void)state;
	static const struct {
		struct pieces p;
		const char *says; /* NULL: passes */
	} rows[] = {
		{ { 0 }, NULL },
		{ { .serial = "020100" }, NULL },
		{ { .serial = "0214 7fffffffffffffffffffffffffffffffffffffff" }, NULL },
		{ { .serial = "0215 00ffffffffffffffffffffffffffffffffffffffff" }, NULL },
		{ { .serial = "0215 010000000000000000000000000000000000000000" }, "longer than 20 octets" },
		{ { .serial = "0216 00010000000000000000000000000000000000000000" }, "serial number is not DER" },
		{ { .serial = "0201ff" }, "negative" },
		{ { .serial = "0214 8000000000000000000000000000000000000000" }, "negative" },
		{ { .serial = "0200" }, "serial number is not DER" },
		{ { .serial = "02020001" }, "serial number is not DER" },
		{ { .serial = "0401 01" }, "tag 0x04" },
		{ { .version = "a003020103" }, "version 4" },
		{ { .version = "a003020180" }, "negative" },
		{ { .version = "a0050201020500" }, "trailing" },
		{ { .version = "" }, NULL }, /* version 1 */
		{ { .outer_alg = "300a 06082a8648ce3d040303" }, "algorithm differ" },
		{ { .validity = "300f 170d3236313132333130353135375a" }, "no further" },
		{ { .validity = "3020 170d3236313132333130353135375a 170d3237313132333130353135375a 0500" },
		  "trailing" },
		{ { .validity = "301e 170d3236313332333130353135375a 170d3237313132333130353135375a" }, "time" },
		{ { .validity = "301e 160d3236313132333130353135375a 170d3237313132333130353135375a" }, "time" },
		{ { .subject = "3000" }, NULL },
		{ { .subject = "300c 310a 3008 0603550403 130061" }, "DER" },
		{ { .issuer = "3002 0500" }, "DER expected" },
		{ { .signature = "0308 3006 020101 020101" }, "bit string" },
		{ { .signature = "0400" }, "tag 0x04" },
		{ { .tail = "8102 00ff 8202 00ff" }, NULL }, /* unique identifiers */
		{ { .tail = "0500" }, "DER expected" },
		{ { .tail = "a302 3000" }, NULL },
		{ { .tail = "a302 3000 0500" }, "trailing" },
		{ { .tail = "a304 3000 0500" }, "trailing" },
		{ { .version = "", .tail = "a302 3000" }, "version 1" },
		/* key usage twice */
		{ { .tail = "a31e 301c 300c 0603551d0f 0403 03010003 300c 0603551d0f 0403 030100" }, "DER" },
		{ { .tail = "a31c 301a 300b 0603551d0f 0404 03020780 300b 0603551d0f 0404 03020780" }, "twice" },
		{ { .tail = "a30e 300c 300a 06022a03 0101ff 040100" }, NULL },
		{ { .tail = "a30b 3009 3007 0603551d0f 0400" }, "2.5.29.15" },
		{ { .tail = "a30d 300b 3009 0603551d0f 0402 0500" }, "2.5.29.15" },
		{ { .tail = "a30d 300b 3009 0603551d25 0402 0500" }, "2.5.29.37" },
		{ { .tail = "a30f 300d 300b 0603551d25 0404 30020500" }, "2.5.29.37" },
		{ { .tail = "a310 300e 300c 0603551d13 0405 3003010101" }, "2.5.29.19" },
		{ { .tail = "a313 3011 300f 0603551d13 0408 30060101ff020180" }, "2.5.29.19" },
		{ { .tail = "a312 3010 300e 0603551d13 0407 30050101ff0500" }, "2.5.29.19" },
		{ { .tail = "a30d 300b 3009 0603551d0e 0402 0500" }, "2.5.29.14" },
		{ { .tail = "a30d 300b 3009 0603551d23 0402 3000" }, NULL }, /* an AKI without key identifier */
		{ { .tail = "a30e 300c 300a 0603551d23 0403 300180" }, "2.5.29.35" },
		{ { .tail = "a310 300e 300c 0603551d11 0405 3003820100" }, "control" }, /* NUL in a name */
		{ { .tail = "a310 300e 300c 0603551d11 0405 30038201ff" }, "not ASCII" },
		{ { .tail = "a310 300e 300c 0603551d11 0405 3003870101" }, "IP address of 1" },
		{ { .tail = "a30d 300b 3009 0603551d11 0402 0500" }, "2.5.29.17" },
		{ { .tail = "a315 3013 3011 060c2b0601040182a464c6284001 0401 05" }, "provisioner" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf der = BUF_INIT(0);
		AUTO(cert_unref_p) struct cert *c = NULL;
		assemble(&rows[i].p, &der);
		enum status st = cert_parse(buf_slice(&der), &c, &e);
		if (!rows[i].says) {
			if (st)
				fail_msg("row %zu: %s", i, e.text);
			continue;
		}
		assert_int_equal(st, ST_INVALID);
		if (!strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void hostile_common_names(void **state)
{
	(void)state;
	static const struct {
		const char *subject, *common_name;
	} rows[] = {
		{ "300e 310c 300a 0603550403 0c03 610062", "a?b" },
		{ "300e 310c 300a 0603550403 0c03 1b5b6d", "?[m" },
		{ "300e 310c 300a 0603550403 1303 0d0a61", "??a" },
		{ "3000", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf der = BUF_INIT(0);
		AUTO(cert_unref_p) struct cert *c = NULL;
		assemble(&(struct pieces){ .subject = rows[i].subject }, &der);
		assert_ok(cert_parse(buf_slice(&der), &c, &e));
		assert_string_equal(cert_facts(c)->common_name, rows[i].common_name);
	}
}

static void bounds(void **state)
{
	(void)state;
	struct error e;
	struct cert *c = NULL;
	AUTO(buf_done) struct buf big = BUF_INIT(BIG), many = BUF_INIT(BIG);
	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		char oid[32];
		snprintf(oid, sizeof oid, "1.2.%d", i);
		ext_add(&many, oid, false, SLICE_NONE);
	}
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key("P-256");
	make_der(&(struct recipe){ .name = "many", .extensions = buf_slice(&many) }, key, &big);
	assert_fails(cert_parse(buf_slice(&big), &c, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "extensions"));
	buf_reset(&big);
	for (int i = 0; i <= CERT_MAX; i++)
		buf_addc(&big, '0');
	assert_fails(cert_parse(buf_slice(&big), &c, &e), ST_LIMIT);
	/* beyond a thousand names */
	buf_reset(&many);
	for (int i = 0; i <= SAN_LIST_MAX; i++)
		der_add(&many, 0x82, SLICE_LIT("x"));
	der_wrap(&many, 0, DER_SEQUENCE);
	AUTO(buf_done) struct buf sans = BUF_INIT(BIG);
	ext_add(&sans, OID_SUBJECT_ALT_NAME, false, buf_slice(&many));
	buf_reset(&big);
	make_der(&(struct recipe){ .name = "many", .extensions = buf_slice(&sans) }, key, &big);
	assert_fails(cert_parse(buf_slice(&big), &c, &e), ST_LIMIT);
}

static void a_key_that_nobody_can_read(void **state)
{
	(void)state;
	struct error e;
	struct cert *none = NULL;
	AUTO(cert_unref_p) struct cert *c = sample(sample_full);
	AUTO(buf_done) struct buf der = BUF_INIT(BIG);
	buf_add_slice(&der, cert_facts(c)->der);
	uint8_t *spki = der.p + (cert_facts(c)->spki.p - cert_facts(c)->der.p);
	spki[cert_facts(c)->spki.n - 1] ^= 1; /* the point is on the curve no more */
	assert_fails(cert_parse(buf_slice(&der), &none, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "public key"));
}

static void chains(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf pem = BUF_INIT(BIG), again = BUF_INIT(BIG);
	AUTO(chain_done) struct chain c = { 0 }, back = { 0 }, one = { 0 };
	buf_adds(&pem, "text before\n");
	buf_adds(&pem, sample_v1);
	buf_adds(&pem, "-----BEGIN OTHER-----\nAAAA\n-----END OTHER-----\n");
	buf_adds(&pem, sample_rsa);
	buf_adds(&pem, sample_ed);
	assert_ok(chain_parse(buf_slice(&pem), &c, &e));
	assert_int_equal(c.n, 3);
	assert_string_equal(cert_facts(c.v[1])->common_name, "rsa");
	chain_format_pem(&c, &again);
	assert_ok(chain_parse(buf_slice(&again), &back, &e));
	assert_int_equal(back.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(slice_eq(cert_facts(back.v[i])->der, cert_facts(c.v[i])->der));
	assert_ok(chain_parse(cert_facts(c.v[0])->der, &one, &e)); /* DER */
	assert_int_equal(one.n, 1);
}

static void chains_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"nothing here",
		"-----BEGIN OTHER-----\nAAAA\n-----END OTHER-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMAA=\n",
		"0\x82",
	};
	struct error e;
	struct chain none = { 0 };
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_fails(chain_parse(slice_cstr(rows[i]), &none, &e), ST_INVALID);
	assert_fails(chain_parse(SLICE_LIT("x"), &none, &e), ST_INVALID);
	assert_string_equal(e.text, "does not contain a valid PEM encoded certificate");
	AUTO(buf_done) struct buf half = BUF_INIT(BIG);
	buf_adds(&half, sample_v1); /* one good, one broken: refused whole */
	buf_add(&half, sample_v1, 200);
	assert_fails(chain_parse(buf_slice(&half), &none, &e), ST_INVALID);
	uint8_t *big = calloc(1, CERT_BUNDLE_MAX + 1);
	assert_fails(chain_parse(slice_of(big, CERT_BUNDLE_MAX + 1), &none, &e), ST_LIMIT);
	free(big);
	AUTO(buf_done) struct buf many = BUF_INIT(BIG);
	for (int i = 0; i <= CERT_CHAIN_MAX; i++)
		buf_adds(&many, sample_v1);
	assert_fails(chain_parse(buf_slice(&many), &none, &e), ST_LIMIT);
	assert_null(none.v);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf pem = BUF_INIT(BIG);
	for (int i = 0; i < 6; i++)
		buf_adds(&pem, sample_full);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(chain_done) struct chain c = { 0 };
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = chain_parse(buf_slice(&pem), &c, &e);
		if (!fail_disarm()) {
			assert_int_equal(st, ST_OK);
			assert_in_range(n, 50, 1000);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
		assert_int_equal(c.n, 0);
	}
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_of_a_rich_certificate),
		cmocka_unit_test(facts_of_others),
		cmocka_unit_test(same_from_openssl),
		cmocka_unit_test(truncated_grown_and_changed),
		cmocka_unit_test(hostile_certificates),
		cmocka_unit_test(hostile_common_names),
		cmocka_unit_test(bounds),
		cmocka_unit_test(a_key_that_nobody_can_read),
		cmocka_unit_test(chains),
		cmocka_unit_test(chains_refused),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
