#include "testing.h"

#include "samples.h"
#include "x509/inspect.h"

#include "fail.h"
#include <errno.h>

static struct made root, ca, leaf;

static int set_up(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf ext = BUF_INIT(BIG);
	AUTO(san_list_done) struct san_list sans = { 0 };
	root = make((struct recipe){ .name = "Speedy Root CA", .ca = true, .path_len = 1 });
	ca = make((struct recipe){ .name = "Speedy Intermediate CA", .ca = true, .issuer = &root });
	add_sans(&sans, "https://foo/bar me@x.org 10.0.0.1 foobar a.local ::1 a.local");
	ext_add_key_usage(&ext, KU_DIGITAL_SIGNATURE);
	assert_ok(ext_add_san(&ext, &sans, false, &e));
	ext_add_provisioner(&ext, &(struct provisioner_ext){ 1, "admin", "s3HGabcdefSJcc" });
	leaf = make((struct recipe){
		.name = "foobar",
		.issuer = &ca,
		.to_s = 86460,
		.extensions = buf_slice(&ext),
		.serial = SLICE_LIT("\x44\x70\xbf\x7f\x27\x2f\x37\xe1\x4d\xd8\x62\x3d\x11\x16\x98\x76") });
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

/* spec/client.md §8.1, to the byte */
static void short_form(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_ok(inspect_short(leaf.cert, &out, &e));
	assert_string_equal(buf_cstr(&out), "X.509v3 TLS Certificate (ECDSA P-256) [Serial: 9097...5350]\n"
	                                    "  Subject:     foobar\n"
	                                    "               a.local\n"
	                                    "               a.local\n"
	                                    "               10.0.0.1\n"
	                                    "               ::1\n"
	                                    "               me@x.org\n"
	                                    "               https://foo/bar\n"
	                                    "  Issuer:      Speedy Intermediate CA\n"
	                                    "  Provisioner: admin [ID: s3HG...SJcc]\n"
	                                    "  Valid from:  2026-11-23T10:51:57Z\n"
	                                    "          to:  2026-11-24T10:52:57Z\n");
}

static void short_forms_of_others(void **state)
{
	(void)state;
	AUTO(made_done) struct made no_cn = make((struct recipe){ .issuer = &ca, .sans = "::1 b a" });
	AUTO(made_done) struct made nothing = make((struct recipe){ .issuer = &ca });
	AUTO(made_done)
	struct made rsa = make((struct recipe){ .name = "r", .curve = "RSA", .serial = SLICE_LIT("\x05\xf5\xe0\xff") });
	AUTO(made_done)
	struct made ed =
		make((struct recipe){ .name = "e", .curve = "Ed25519", .serial = SLICE_LIT("\x05\xf5\xe1\x00") });
	AUTO(made_done)
	struct made fake = make((struct recipe){ .name = "Speedy Root CA", .ca = true, .issuer = &root });
	AUTO(buf_done) struct buf x5c = BUF_INIT(BIG);
	ext_add_provisioner(&x5c, &(struct provisioner_ext){ 7, "x5c\x1b[0m", "" });
	AUTO(made_done)
	struct made prov = make((struct recipe){ .name = "p", .issuer = &ca, .extensions = buf_slice(&x5c) });
	const struct {
		const struct made *m;
		const char *has;
	} rows[] = {
		{ &root, "X.509v3 Root CA Certificate (ECDSA P-256) [Serial: 1]\n" },
		{ &ca, "X.509v3 Intermediate CA Certificate (" },
		{ &fake, "X.509v3 Intermediate CA Certificate (" }, /* names itself, signed by another */
		{ &no_cn, "  Subject:     b\n               a\n               ::1\n  Issuer:" },
		{ &nothing, "  Subject: \n  Issuer:" },
		{ &rsa, "Certificate (RSA 2048) [Serial: 99999999]\n" },
		{ &ed, "Certificate (Ed25519 256) [Serial: 1000...0000]\n" },
		{ &prov, "  Provisioner: x5c?[0m\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		assert_ok(inspect_short(rows[i].m->cert, &out, &e));
		if (!contains(buf_slice(&out), rows[i].has))
			fail_msg("row %zu:\n%s", i, buf_cstr(&out));
	}
}

static void requests(void **state)
{
	(void)state;
	struct error e;
	AUTO(csr_done) struct csr c = { 0 };
	AUTO(buf_done) struct buf brief = BUF_INIT(BIG), text = BUF_INIT(BIG), json = BUF_INIT(BIG);
	assert_ok(csr_parse(slice_cstr(sample_csr), false, &c, &e));
	assert_ok(inspect_csr_short(&c, &brief, &e));
	assert_string_equal(buf_cstr(&brief),
	                    "X.509v3 Certificate Signing Request (ECDSA P-256)\n"
	                    "  Subject:     Sample\n               a.local\n               10.0.0.1\n");
	assert_ok(inspect_csr_text(&c, &text, &e));
	assert_true(contains(buf_slice(&text), "Certificate Request:\n    Data:\n        Version: 1 (0x0)\n"
	                                       "        Subject: C=DE,O=Speedy,OU=R\xc3\xa4"
	                                       "der\\, Reifen,CN=Sample\n"
	                                       "        Subject Public Key Info:\n"));
	assert_true(contains(buf_slice(&text), "        Requested Extensions:\n"
	                                       "            X509v3 Subject Alternative Name:\n"
	                                       "                DNS:a.local\n                IP Address:10.0.0.1\n"));
	assert_ok(inspect_csr_json(&c, &json, &e));
	assert_true(contains(buf_slice(&json), "    \"valid\": true\n"));
	assert_true(contains(buf_slice(&json),
	                     "\"names\": [\n    \"Sample\",\n    \"a.local\",\n    \"10.0.0.1\"\n  ]\n}\n"));
}

static void full_text(void **state)
{
	(void)state;
	struct error e;
	AUTO(cert_unref_p) struct cert *c = sample(sample_full);
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_ok(inspect_text(c, &out, &e));
	static const char *const parts[] = {
		"Certificate:\n"
		"    Data:\n"
		"        Version: 3 (0x2)\n"
		"        Serial Number: 1339673755198158349044581307228491536 (0x102030405060708090a0b0c0d0e0f10)\n"
		"        Signature Algorithm: ECDSA-SHA256\n"
		"        Issuer: C=DE,O=Speedy,OU=R\xc3\xa4"
		"der\\, Reifen,CN=Sample\n"
		"        Validity\n"
		"            Not Before: Nov 23 13:28:22 2026 UTC\n"
		"            Not After : Nov 20 13:28:22 2036 UTC\n"
		"        Subject: C=DE,O=Speedy,OU=R\xc3\xa4"
		"der\\, Reifen,CN=Sample\n"
		"        Subject Public Key Info:\n"
		"            Public Key Algorithm: ECDSA\n"
		"                Public-Key: (256 bit)\n"
		"                X:\n"
		"                    ",
		"                Curve: P-256\n"
		"        X509v3 extensions:\n"
		"            X509v3 Basic Constraints: critical\n"
		"                CA:TRUE, pathlen:3\n"
		"            X509v3 Key Usage: critical\n"
		"                Digital Signature, Certificate Sign, CRL Sign\n"
		"            X509v3 Extended Key Usage:\n"
		"                Server Authentication, Client Authentication, 1.2.3.4.5\n"
		"            X509v3 Subject Key Identifier:\n"
		"                32:9A:72:39:C0:71:85:5B:81:16:9C:02:0A:D2:7E:3E:19:8D:C0:5E\n"
		"            X509v3 Subject Alternative Name:\n"
		"                DNS:a.local, DNS:Sample\n"
		"                email:me@x.org\n"
		"                IP Address:10.0.0.1, IP Address:::1\n"
		"                URI:https://foo/bar\n"
		"                otherName\n"
		"            X509v3 Certificate Policies:\n"
		"                Policy: 1.2.3.4\n"
		"                Policy: 2.23.140.1.2.1\n"
		"            Authority Information Access:\n"
		"                OCSP - URI:http://ocsp.x/\n"
		"                CA Issuers - URI:http://ca.x/i.crt\n"
		"            X509v3 CRL Distribution Points:\n"
		"                URI:http://crl.x/c.crl\n"
		"            X509v3 Name Constraints:\n"
		"                Permitted:\n"
		"                  DNS:.x.org\n"
		"                Excluded:\n"
		"                  IP:10.0.0.0/255.0.0.0\n"
		"            1.3.6.1.4.1.99999.1: critical\n"
		"                04:03:01:02:03\n"
		"    Signature Algorithm: ECDSA-SHA256\n"
		"         30:44:02:20:19:2f:7a:b4:d1:dc:7e:18:4a:39:3e:92:c3:36:\n"
		"         d1:7c:",
		":87:a1:90:36:54:cd\n",
	};
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (!contains(buf_slice(&out), parts[i]))
			fail_msg("part %zu is not in\n%s", i, buf_cstr(&out));
	/* 15 bytes a line */
	const char *x = strstr(buf_cstr(&out), "X:\n");
	assert_int_equal(strcspn(x + 3, "\n"), 20 + 15 * 3);
}

static void full_text_of_others(void **state)
{
	(void)state;
	static const struct {
		const char *pem, *has;
	} rows[] = {
		{ sample_rsa, "            Public Key Algorithm: RSA\n                Public-Key: (2048 bit)\n"
		              "                Modulus:\n                    " },
		{ sample_rsa, "                Exponent: 65537 (0x10001)\n" },
		{ sample_rsa, "            X509v3 Authority Key Identifier:\n                D1:B0:" },
		{ sample_ed, "                Public-Key: (32 bit)\n                    " },
		{ sample_ed, "Serial Number: 0 (0x0)\n" },
		{ sample_v1, "        Version: 1 (0x0)\n" },
		{ sample_sha1, "    Signature Algorithm: SHA1-RSA\n         " },
		{ sample_pss, "    Signature Algorithm: SHA256-RSAPSS\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(cert_unref_p) struct cert *c = sample(rows[i].pem);
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		assert_ok(inspect_text(c, &out, &e));
		if (!contains(buf_slice(&out), rows[i].has))
			fail_msg("row %zu:\n%s", i, buf_cstr(&out));
		assert_false(contains(buf_slice(&out), "Modulus:\n                    00:")); /* no leading 00 */
	}
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_ok(inspect_text(leaf.cert, &out, &e));
	assert_true(contains(buf_slice(&out), "            X509v3 Step Provisioner:\n                Type: JWK\n"
	                                      "                Name: admin\n"
	                                      "                CredentialID: s3HGabcdefSJcc\n"));
}

static void json(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_ok(inspect_json(leaf.cert, &out, &e));
	static const char *const parts[] = {
		"{\n  \"version\": 3,\n  \"serial_number\": \"90972924975868115615313805009936095350\",\n"
		"  \"signature_algorithm\": {\n    \"name\": \"ECDSA-SHA256\",\n    \"oid\": \"1.2.840.10045.4.3.2\"\n "
		" },\n"
		"  \"issuer\": {\n    \"common_name\": [\n      \"Speedy Intermediate CA\"\n    ]\n  },\n"
		"  \"issuer_dn\": \"CN=Speedy Intermediate CA\",\n"
		"  \"validity\": {\n    \"start\": \"2026-11-23T10:51:57Z\",\n    \"end\": \"2026-11-24T10:52:57Z\",\n"
		"    \"length\": 86460\n  },\n",
		"    \"key_algorithm\": {\n      \"name\": \"ECDSA\"\n    },\n    \"ecdsa_public_key\": {\n"
		"      \"curve\": \"P-256\",\n      \"length\": 256,\n      \"x\": \"",
		"    \"key_usage\": {\n      \"value\": 1,\n      \"digital_signature\": true\n    },\n",
		"      \"dns_names\": [\n        \"foobar\",\n        \"a.local\",\n        \"a.local\"\n      ],\n",
		"    \"step_provisioner\": {\n      \"type\": \"JWK\",\n      \"name\": \"admin\",\n"
		"      \"credential_id\": \"s3HGabcdefSJcc\"\n    }\n  },\n",
		"    \"self_signed\": false\n  },\n",
		"  \"names\": [\n    \"foobar\",\n    \"a.local\",\n    \"10.0.0.1\",\n    \"::1\",\n    "
		"\"me@x.org\",\n"
		"    \"https://foo/bar\"\n  ]\n}\n",
	};
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (!contains(buf_slice(&out), parts[i]))
			fail_msg("part %zu is not in\n%s", i, buf_cstr(&out));
}

static void json_of_a_bundle(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done)
	struct buf one = BUF_INIT(BIG),
		   two = BUF_INIT(BIG), single = BUF_INIT(BIG), none = BUF_INIT(BIG);
	AUTO(chain_done) struct chain c = { 0 };
	assert_ok(inspect_chain_json(&c, &none, &e));
	assert_string_equal(buf_cstr(&none), "[]\n");
	assert_ok(chain_add(&c, leaf.cert, &e));
	assert_ok(inspect_chain_json(&c, &one, &e));
	assert_ok(inspect_json(leaf.cert, &single, &e));
	assert_string_equal(buf_cstr(&one), buf_cstr(&single));
	assert_ok(chain_add(&c, root.cert, &e));
	assert_ok(inspect_chain_json(&c, &two, &e));
	assert_int_equal(strncmp(buf_cstr(&two), "[\n  {\n    \"version\": 3,\n", 24), 0);
	assert_true(contains(buf_slice(&two), "\n  },\n  {\n    \"version\": 3,\n"));
	assert_true(contains(buf_slice(&two), "\n    ]\n  }\n]\n"));
	assert_true(contains(buf_slice(&two), "      \"valid\": true,\n      \"self_signed\": true\n"));
	AUTO(cert_unref_p) struct cert *full = sample(sample_full);
	AUTO(buf_done) struct buf rich = BUF_INIT(BIG);
	assert_ok(inspect_json(full, &rich, &e));
	assert_true(contains(buf_slice(&rich), "      \"unknown\": [\n        \"1.2.3.4.5\"\n      ]\n"));
	assert_true(contains(buf_slice(&rich), "      \"id\": \"1.3.6.1.4.1.99999.1\",\n      \"critical\": true,\n"
	                                       "      \"value\": \"BAMBAgM=\"\n"));
	assert_true(contains(buf_slice(&rich), "    \"country\": [\n      \"DE\"\n    ],\n"));
	assert_true(contains(buf_slice(&rich), "\"subject_dn\": \"C=DE,O=Speedy,OU=R\xc3\xa4"
	                                       "der\\\\, Reifen,CN=Sample\""));
}

/* Nothing that a certificate says reaches the terminal raw, in any form. */
static void hostile_content(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf ext = BUF_INIT(BIG);
	ext_add_provisioner(&ext, &(struct provisioner_ext){ 99, "\x1b]0;evil\x07\n\x80\"", "\r\n\x1b[2J\"abcdef" });
	ext_add(&ext, "2.5.29.31", false, SLICE_LIT("\x30\x08\x86\x06\x1b[2J\n!"));
	ext_add(&ext, "2.5.29.30", false, SLICE_LIT("\x30\x0b\xa0\x09\x30\x07\x82\x05\x1b[2J\n"));
	ext_add(&ext, "2.5.29.32", false, SLICE_LIT("\x30\xff broken \x1b"));
	ext_add(&ext, "1.3.6.1.5.5.7.1.1", false,
	        SLICE_LIT("\x30\x10\x30\x0e\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x02\x1b\x9b"));
	AUTO(made_done)
	struct made m = make((struct recipe){ .name = "\x1b[31m\"\\\n\xe2\x80\xae"
	                                              "cn",
	                                      .extensions = buf_slice(&ext) });
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_ok(inspect_short(m.cert, &out, &e));
	assert_ok(inspect_text(m.cert, &out, &e));
	size_t json_at = out.n;
	assert_ok(inspect_json(m.cert, &out, &e));
	for (size_t i = 0; i < out.n; i++) {
		if ((out.p[i] < 0x20 && out.p[i] != '\n') || out.p[i] >= 0x7f)
			fail_msg("byte 0x%02x at %zu in\n%s", out.p[i], i, buf_cstr(&out));
	}
	assert_true(contains(buf_slice(&out), "  Subject:     ?[31m\"\\??cn\n"));
	assert_true(contains(buf_slice(&out), "Type: 99\n                Name: ?]0;evil???\"\n"));
	assert_true(
		contains(buf_slice(&out), "                30:ff:20:62:72:6f:6b:65:6e:20:1b\n")); /* shown as bytes */
	const char *text = buf_cstr(&out) + json_at;
	assert_non_null(strstr(text, "\"?[31m\\\"\\\\??cn\""));
	assert_non_null(strstr(text, "\"type\": 99,"));
	assert_non_null(strstr(text, "\"credential_id\": \"???[2J\\\"abcdef\""));
}

static void ceilings_and_allocations(void **state)
{
	(void)state;
	AUTO(cert_unref_p) struct cert *c = sample(sample_full);
	typedef enum status form(const struct cert *, struct buf *, struct error *);
	static form *const forms[] = { inspect_short, inspect_text, inspect_json };
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf small = BUF_INIT(200);
		assert_fails(forms[i](c, &small, &e), ST_LIMIT);
		for (unsigned n = 1;; n++) {
			AUTO(buf_done) struct buf out = BUF_INIT(BIG);
			fail_arm(FAIL_ALLOC, n, ENOMEM);
			enum status st = forms[i](c, &out, &e);
			if (!fail_disarm()) {
				assert_int_equal(st, ST_OK);
				assert_in_range(n, 2, 300);
				break;
			}
			assert_int_equal(st, ST_NOMEM);
		}
	}
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_form),
		cmocka_unit_test(short_forms_of_others),
		cmocka_unit_test(requests),
		cmocka_unit_test(full_text),
		cmocka_unit_test(full_text_of_others),
		cmocka_unit_test(json),
		cmocka_unit_test(json_of_a_bundle),
		cmocka_unit_test(hostile_content),
		cmocka_unit_test(ceilings_and_allocations),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
