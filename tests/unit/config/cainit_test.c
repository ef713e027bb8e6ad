#include "sample.h"
#include "config/cainit.h"
#include "config/caconf.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "jose/jwe.h"
#include "testca.h"

#include <stdio.h>

static json_t *provisioner(EVP_PKEY *key, const char *password)
{
	struct error e = ERROR_INIT;
	json_t *p = NULL;
	assert_ok(provisioner_new_json("admin", key, slice_cstr(password), JWE_P2C_MIN, &p, &e));
	return p;
}

static const char *const names[] = { "localhost", "::1" };

static struct caconf_draft draft(json_t **p)
{
	return (struct caconf_draft){ .root = "/s/certs/root_ca.crt",
		                      .crt = "/s/certs/intermediate_ca.crt",
		                      .key = "/s/secrets/intermediate_ca_key",
		                      .address = ":443",
		                      .dns_names = names,
		                      .dns_n = COUNT_OF(names),
		                      .db_folder = "/s/db",
		                      .provisioners = p,
		                      .provisioners_n = 1 };
}

static void the_text_is_the_peers(void **state)
{
	(void)state;
	static const char want[] = "{\n"
				   "\t\"root\": \"/s/certs/root_ca.crt\",\n"
				   "\t\"federatedRoots\": null,\n"
				   "\t\"crt\": \"/s/certs/intermediate_ca.crt\",\n"
				   "\t\"key\": \"/s/secrets/intermediate_ca_key\",\n"
				   "\t\"address\": \":443\",\n"
				   "\t\"insecureAddress\": \"\",\n"
				   "\t\"dnsNames\": [\n"
				   "\t\t\"localhost\",\n"
				   "\t\t\"::1\"\n"
				   "\t],\n"
				   "\t\"logger\": {\n"
				   "\t\t\"format\": \"text\"\n"
				   "\t},\n"
				   "\t\"db\": {\n"
				   "\t\t\"type\": \"sqlite\",\n"
				   "\t\t\"dataSource\": \"/s/db\",\n"
				   "\t\t\"badgerFileLoadingMode\": \"\"\n"
				   "\t},\n"
				   "\t\"authority\": {\n"
				   "\t\t\"provisioners\": [\n"
				   "\t\t\t{\n"
				   "\t\t\t\t\"type\": \"JWK\",\n"
				   "\t\t\t\t\"name\": \"admin\",\n"
				   "\t\t\t\t\"key\": {\n"
				   "\t\t\t\t\t\"use\": \"sig\",\n"
				   "\t\t\t\t\t\"kty\": \"EC\",\n"
				   "\t\t\t\t\t\"kid\": \"one\",\n"
				   "\t\t\t\t\t\"crv\": \"P-256\",\n"
				   "\t\t\t\t\t\"alg\": \"ES256\",\n"
				   "\t\t\t\t\t\"x\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\n"
				   "\t\t\t\t\t\"y\": \"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"\n"
				   "\t\t\t\t},\n"
				   "\t\t\t\t\"encryptedKey\": \"eyJ\"\n"
				   "\t\t\t}\n"
				   "\t\t]\n"
				   "\t},\n"
				   "\t\"tls\": {\n"
				   "\t\t\"cipherSuites\": [\n"
				   "\t\t\t\"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\",\n"
				   "\t\t\t\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"\n"
				   "\t\t],\n"
				   "\t\t\"minVersion\": 1.2,\n"
				   "\t\t\"maxVersion\": 1.3,\n"
				   "\t\t\"renegotiation\": false\n"
				   "\t}\n"
				   "}";
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 20);
	AUTO(json_decref_p)
	json_t *p = json_loads(
		"{\"type\":\"JWK\",\"name\":\"admin\",\"key\":" SAMPLE_KEY("one") ",\"encryptedKey\":\"eyJ\"}", 0,
		NULL);
	const struct caconf_draft d = draft(&p);
	assert_ok(caconf_new_text(&d, &out, &e));
	assert_string_equal(buf_cstr(&out), want);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	static const char *const folders[] = { "/s/db", NULL };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(json_decref_p) json_t *p = provisioner(key, "pass");
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		struct caconf_draft d = draft(&p);
		d.db_folder = folders[i];
		assert_ok(caconf_new_text(&d, &out, &e));
		assert_ok(caconf_parse(buf_slice(&out), "ca.json", &c, &e));
		assert_int_equal(c->warnings_n, 0);
		assert_int_equal(c->store.kind, folders[i] ? STORE_SQLITE : STORE_MEMORY);
		assert_int_equal(c->provs_n, 1);
		assert_string_equal(c->provs[0].name, "admin");
		assert_null(c->provs[0].disabled);
		assert_true(key_equal(c->provs[0].key.key, key));
		assert_string_equal(c->dns_names[1], "::1");
		assert_string_equal(c->crt, d.crt);
		/* and written again, it is the same */
		AUTO(buf_done) struct buf again = BUF_INIT(1 << 20);
		assert_ok(jsonio_format_indent(c->json, JSONIO_TAB, &again, &e));
		assert_string_equal(buf_cstr(&again), buf_cstr(&out));
	}
}

static const struct {
	enum key_kind kind;
	const char *curve;
	int bits;
	const char *alg;
} keys[] = { { KEY_EC, "P-256", 0, "ES256" },
	     { KEY_EC, "P-384", 0, "ES384" },
	     { KEY_OKP, "Ed25519", 0, "EdDSA" },
	     { KEY_RSA, NULL, 2048, "RS256" } };

static void the_key_goes_under_the_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct error e = ERROR_INIT;
		char kid[JWK_THUMBPRINT];
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(keys[i].kind, keys[i].curve, keys[i].bits);
		AUTO(json_decref_p) json_t *p = provisioner(key, "pass");
		AUTO(json_decref_p) json_t *opened = NULL;
		AUTO(buf_done) struct buf text = BUF_SECRET(JWE_MAX);
		AUTO(jwk_done) struct jwk private = { 0 };
		AUTO(jwk_done) struct jwk public = { 0 };
		struct slice jwe = jsonio_text(json_object_get(p, "encryptedKey"));
		assert_int_equal(jwe_open(jwe, SLICE_LIT("other"), &text, &e), ST_DENIED);
		assert_ok(jwe_open(jwe, SLICE_LIT("pass"), &text, &e));
		assert_ok(jsonio_parse(buf_slice(&text), JSONIO_STRICT, &opened, &e));
		assert_ok(jwk_parse(opened, &private, &e));
		assert_true(private.is_private && key_equal(private.key, key));
		assert_ok(jwk_parse(json_object_get(p, "key"), &public, &e));
		assert_false(public.is_private);
		assert_ok(jwk_thumbprint(key, kid, &e));
		assert_string_equal(public.kid, kid);
		assert_string_equal(private.kid, kid);
		assert_string_equal(public.alg, keys[i].alg);
		assert_string_equal(public.use, "sig");
	}
}

static void what_is_not_utf8_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 20);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(json_decref_p) json_t *p = provisioner(key, "pass");
	json_t *none = NULL;
	assert_int_equal(provisioner_new_json("a\xff", key, SLICE_LIT("x"), JWE_P2C_MIN, &none, &e), ST_INVALID);
	assert_null(none);
	struct caconf_draft d = draft(&p);
	d.address = "\xff";
	assert_int_equal(caconf_new_text(&d, &out, &e), ST_INVALID);
	d = draft(&p);
	d.db_folder = "\xff";
	assert_int_equal(caconf_new_text(&d, &out, &e), ST_INVALID);
	static const char *const bad[] = { "a\xff" };
	d = draft(&p);
	d.dns_names = bad;
	d.dns_n = 1;
	assert_int_equal(caconf_new_text(&d, &out, &e), ST_INVALID);
	assert_int_equal(out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_the_peers),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_key_goes_under_the_password),
		cmocka_unit_test(what_is_not_utf8_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
