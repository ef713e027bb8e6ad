#include "decide.h"

#include <stdlib.h>

static char *dup_of(const char *s)
{
	return s ? text_dup(slice_cstr(s)) : NULL;
}

/* The uids are SHA-1 sums made elsewhere. */
static void ids(void **state)
{
	(void)state;
	static const struct {
		enum provisioner_type type;
		const char *kid, *disabled, *json;
		size_t index;
		const char *id, *uid;
	} rows[] = {
		{ PROV_JWK, "KID", NULL, "{}", 0, "ops:KID", "00000000119d0fe0bf021b2c9cfe57fc434488c6" },
		{ PROV_JWK, "KID", NULL, "{\"key\":{\"kid\":\"JSONKID\"}}", 0, "ops:KID",
		  "00000000119d0fe0bf021b2c9cfe57fc434488c6" },
		{ PROV_JWK, NULL, "bad key", "{\"key\":{\"kid\":\"JSONKID\"}}", 2, "ops:JSONKID",
		  "0000000224d16c5d2f57af82f48a3fca34f68b62" },
		{ PROV_JWK, NULL, "no key", "{}", 5, "ops:", "00000005cacf0956f9c554b46adf3839ed4c35d5" },
		{ PROV_JWK, NULL, "no key", NULL, 5, "ops:", "00000005cacf0956f9c554b46adf3839ed4c35d5" },
		{ PROV_X5C, NULL, NULL, "{}", 255, "x5c/ops", "000000ffa192e531d74a86c9fd696cf20b8de308" },
		{ PROV_ACME, NULL, NULL, "{}", 1, "acme/ops", "00000001d87ffcc7d12f5435b0117b2ae002c6d5" },
		{ PROV_OIDC, NULL, NULL, "{\"clientID\":\"client-1\"}", 2, "client-1",
		  "0000000276adfa8308d25677d52087b3f67fbb67" },
		{ PROV_AZURE, NULL, NULL, "{\"tenantID\":\"tenant-1\"}", 3, "tenant-1",
		  "000000032f5ef19b07cb48c65b179747e39a177d" },
		{ PROV_K8SSA, NULL, NULL, "{}", 4, "k8ssa/k8sSA-default", "00000004d9236391c53031ade4f6a1e373282be8" },
		{ PROV_SSHPOP, NULL, NULL, "{}", 6, "sshpop/ops", "0000000681a3638ad9698f2f2b71caee861e3658" },
		{ PROV_SCEP, NULL, NULL, "{}", 7, "scep/ops", "000000073ef35279555cf0df3c5d6d949d6a6b81" },
		{ PROV_GCP, NULL, NULL, "{}", 8, "gcp/ops", "0000000804288b5e4674a1d4459603ff0d7895af" },
		{ PROV_AWS, NULL, NULL, "{}", 9, "aws/ops", "00000009afab2baf192b363257931005eabab30e" },
		{ PROV_NEBULA, NULL, NULL, "{}", 0x1000, "nebula/ops", "00001000dd22bbb43df81e6132b6b8eddfb4b5a4" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct provisioner p = { .type = rows[i].type,
			                 .name = dup_of("ops"),
			                 .key.kid = dup_of(rows[i].kid),
			                 .disabled = dup_of(rows[i].disabled),
			                 .json = rows[i].json ? json_loads(rows[i].json, 0, NULL) : NULL };
		assert_ok(provisioner_name_ids(&p, rows[i].index, &e));
		assert_string_equal(p.id, rows[i].id);
		assert_string_equal(p.uid, rows[i].uid);
		assert_ok(provisioner_name_ids(&p, rows[i].index, &e)); /* again: replaces */
		assert_string_equal(p.uid, rows[i].uid);
		provisioner_done(&p);
		assert_null(p.id);
	}
}

static void bad_ids(void **state)
{
	(void)state;
	char longest[257], too_long[258];
	memset(longest, 'n', 255);
	longest[255] = '\0';
	memset(too_long, 'n', 256);
	too_long[256] = '\0';
	const struct {
		const char *name, *kid;
		enum status want;
	} rows[] = {
		{ "ops", NULL, ST_INVALID },   { "ops", "", ST_INVALID },   { too_long, "kid", ST_LIMIT },
		{ "ops", too_long, ST_LIMIT }, { longest, longest, ST_OK },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct provisioner p = { .type = PROV_JWK,
			                 .name = dup_of(rows[i].name),
			                 .key.kid = dup_of(rows[i].kid) };
		assert_int_equal(provisioner_name_ids(&p, 0, &e), rows[i].want);
		assert_int_equal(p.id != NULL, rows[i].want == ST_OK);
		if (rows[i].want == ST_OK) { /* the extension holds all of it */
			assert_string_equal(provisioner_extension(&p).name, longest);
			assert_string_equal(provisioner_extension(&p).credential_id, longest);
		}
		provisioner_done(&p);
	}
}

/* Whatever type it is, what provisioner_name_ids makes is what a row's id is compared with. */
static void extensions(void **state)
{
	(void)state;
	static const struct {
		enum provisioner_type type;
		const char *credential; /* in the certificate */
	} rows[] = { { PROV_JWK, "KID" }, { PROV_X5C, "" }, { PROV_ACME, "" }, { PROV_SCEP, "" }, { PROV_K8SSA, "" } };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf id = BUF_INIT(4096);
		struct provisioner p = { .type = rows[i].type, .name = dup_of("ops"), .key.kid = dup_of("KID") };
		struct provisioner_ext x = provisioner_extension(&p);
		assert_ok(provisioner_name_ids(&p, 0, &e));
		assert_int_equal(x.type, rows[i].type);
		assert_string_equal(x.name, "ops");
		assert_string_equal(x.credential_id, rows[i].credential);
		provisioner_format_id(&id, x.type, x.name, x.credential_id);
		assert_string_equal(buf_cstr(&id), p.id);
		provisioner_done(&p);
	}
	AUTO(buf_done) struct buf id = BUF_INIT(4096);
	provisioner_format_id(&id, 99, "ops", "x"); /* of a future version */
	assert_string_equal(buf_cstr(&id), "ops");
}

static void finds(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	char id[64];
	snprintf(id, sizeof id, "ops:%s", t->kid);
	assert_ptr_equal(authority_find_provisioner(t->a, id), &t->a->provs[TESTCA_OPS]);
	assert_ptr_equal(authority_find_provisioner(t->a, "acme/acme"), &t->a->provs[TESTCA_ACME]);
	assert_null(authority_find_provisioner(t->a, "ops"));
	assert_null(authority_find_provisioner(t->a, "ops:"));
	assert_null(authority_find_provisioner(t->a, ""));
	assert_null(authority_find_provisioner(t->a, "ACME/acme"));
	assert_ptr_equal(authority_find_provisioner_named(t->a, "ops"), &t->a->provs[TESTCA_OPS]);
	assert_null(authority_find_provisioner_named(t->a, "Ops"));
	assert_null(authority_find_provisioner_named(t->a, ""));
}

/* The sanitizers see to it that the last one frees, and only the last. */
static void counts(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	struct authority *second = authority_ref(t->a);
	assert_ptr_equal(second, t->a);
	authority_unref(t->a);
	assert_string_equal(second->provs[0].name, "ops");
	authority_unref(NULL);
	authority_unref(authority_new());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),   cmocka_unit_test(bad_ids), cmocka_unit_test(extensions),
		cmocka_unit_test(finds), cmocka_unit_test(counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
