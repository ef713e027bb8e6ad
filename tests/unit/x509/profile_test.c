#include "testing.h"

/* "2.5.29.15!,2.5.29.37": the extensions in order, '!' where critical. */
static void order_of(struct slice rest, struct buf *out)
{
	struct error e;
	struct ext x;
	buf_reset(out);
	while (rest.n) {
		assert_ok(ext_next(&rest, &x, &e));
		buf_addf(out, "%s%s%s", out->n ? "," : "", x.oid, x.critical ? "!" : "");
	}
}

static struct slice value_of(struct slice rest, const char *oid)
{
	struct error e;
	struct ext x;
	while (rest.n) {
		assert_ok(ext_next(&rest, &x, &e));
		if (!strcmp(x.oid, oid))
			return x.value;
	}
	fail_msg("no extension %s", oid);
	return SLICE_NONE;
}

/* spec/server.md §3.1, §3.5 */
static void leaf(void **state)
{
	(void)state;
	static const struct {
		const char *curve, *sans, *usage, *order;
		bool empty_subject, provisioner;
		const char *crl_url;
	} rows[] = {
		{ "P-256", "a", "03020780", "2.5.29.15!,2.5.29.37,2.5.29.14,2.5.29.35,2.5.29.17," OID_PROVISIONER,
		  false, true },
		{ "RSA", "a", "030205a0", "2.5.29.15!,2.5.29.37,2.5.29.14,2.5.29.35,2.5.29.17", false, false },
		{ "Ed25519", "a", "03020780", "2.5.29.15!,2.5.29.37,2.5.29.14,2.5.29.35,2.5.29.17!", true, false },
		{ "P-384", "", "03020780", "2.5.29.15!,2.5.29.37,2.5.29.14,2.5.29.35," OID_PROVISIONER, false, true },
		{ "P-256", "a", "03020780",
		  "2.5.29.15!,2.5.29.37,2.5.29.14,2.5.29.35,2.5.29.17," OID_CRL_POINTS "," OID_PROVISIONER, false, true,
		  "http://ca/crl" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key(rows[i].curve);
		AUTO(san_list_done) struct san_list sans = { 0 };
		AUTO(buf_done) struct buf spki = BUF_INIT(BIG), out = BUF_INIT(BIG), order = BUF_INIT(BIG);
		struct provisioner_ext p = { 1, "admin", "kid" };
		uint8_t id[KEY_ID_BYTES];
		add_sans(&sans, rows[i].sans);
		assert_ok(key_spki(key, &spki, &e));
		assert_ok(profile_leaf(key, buf_slice(&spki), SLICE_LIT("issuer"), &sans, rows[i].empty_subject,
		                       rows[i].crl_url, rows[i].provisioner ? &p : NULL, &out, &e));
		order_of(buf_slice(&out), &order);
		assert_string_equal(buf_cstr(&order), rows[i].order);
		assert_hex(value_of(buf_slice(&out), OID_KEY_USAGE), rows[i].usage);
		assert_hex(value_of(buf_slice(&out), OID_EXT_KEY_USAGE),
		           "301406082b0601050507030106082b06010505070302");
		assert_hex(value_of(buf_slice(&out), OID_AUTHORITY_KEY_ID), "30088006697373756572");
		assert_ok(ext_key_id(buf_slice(&spki), id, &e));
		struct slice ski = value_of(buf_slice(&out), OID_SUBJECT_KEY_ID);
		assert_true(ski.n == 22 && !memcmp(ski.p + 2, id, sizeof id));
	}
}

/* The dump of spec/server.md §3.5 inside a whole certificate. */
static void provisioner_in_a_leaf(void **state)
{
	(void)state;
	struct error e;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key("P-256");
	AUTO(buf_done) struct buf spki = BUF_INIT(BIG), out = BUF_INIT(BIG);
	struct provisioner_ext p = { 1, "admin@example.com", "AvBQdFhDlM9abcdefghijklmnopqrstuvwxyz7j6asA" };
	assert_ok(key_spki(key, &spki, &e));
	assert_ok(profile_leaf(key, buf_slice(&spki), SLICE_LIT("issuer"), NULL, true, NULL, &p, &out, &e));
	struct slice value = value_of(buf_slice(&out), OID_PROVISIONER);
	assert_hex(slice_of(value.p, 28), "3043 020101 0411 61646d696e406578616d706c652e636f6d 042b 4176");
	assert_hex(slice_of(out.p + out.n - value.n - 18, 18), "3055 060c 2b060104 0182a464 c6284001 0445");
	AUTO(made_done) struct made m = make((struct recipe){ .name = "x", .extensions = buf_slice(&out) });
	assert_true(cert_facts(m.cert)->has_provisioner);
	assert_string_equal(cert_facts(m.cert)->provisioner.name, p.name);
	assert_string_equal(cert_facts(m.cert)->provisioner.credential_id, p.credential_id);
}

/* spec/server.md §3.6 */
static void authorities(void **state)
{
	(void)state;
	struct error e;
	AUTO(made_done) struct made root = make((struct recipe){ .name = "root", .ca = true, .path_len = 1 });
	AUTO(made_done) struct made ca = make((struct recipe){ .name = "ca", .ca = true, .issuer = &root });
	AUTO(buf_done) struct buf order = BUF_INIT(BIG);
	order_of(cert_facts(root.cert)->extensions, &order);
	assert_string_equal(buf_cstr(&order), "2.5.29.15!,2.5.29.19!,2.5.29.14");
	order_of(cert_facts(ca.cert)->extensions, &order);
	assert_string_equal(buf_cstr(&order), "2.5.29.15!,2.5.29.19!,2.5.29.14,2.5.29.35");
	assert_hex(value_of(cert_facts(ca.cert)->extensions, OID_KEY_USAGE), "03020106");
	assert_int_equal(cert_facts(root.cert)->path_len, 1);
	assert_int_equal(cert_facts(ca.cert)->path_len, 0);
	assert_true(slice_eq(cert_facts(ca.cert)->authority_key_id, cert_facts(root.cert)->subject_key_id));
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_fails(profile_ca(SLICE_NONE, 0, SLICE_NONE, &out, &e), ST_INVALID);
}

/* spec/server.md §3.7 */
static void renewed(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf old = BUF_INIT(BIG), order = BUF_INIT(BIG);
	ext_add(&old, "1.2.3.4", true, SLICE_LIT("odd"));
	ext_add(&old, OID_SUBJECT_KEY_ID, false, SLICE_LIT("\x04\x03old"));
	ext_add_authority_key_id(&old, SLICE_LIT("gone"));
	ext_add_key_usage(&old, KU_DIGITAL_SIGNATURE);
	ext_add(&old, "1.2.3.5", false, SLICE_LIT("more"));
	AUTO(made_done) struct made parent = make((struct recipe){ .name = "x", .extensions = buf_slice(&old) });

	AUTO(buf_done) struct buf renew = BUF_INIT(BIG), rekey = BUF_INIT(BIG), twice = BUF_INIT(BIG);
	assert_ok(profile_renewed(parent.cert, SLICE_LIT("new"), SLICE_NONE, NULL, &renew, &e));
	order_of(buf_slice(&renew), &order);
	assert_string_equal(buf_cstr(&order), "2.5.29.35,1.2.3.4!,2.5.29.14,2.5.29.15!,1.2.3.5");
	assert_hex(value_of(buf_slice(&renew), OID_AUTHORITY_KEY_ID), "300580036e6577");
	assert_hex(value_of(buf_slice(&renew), OID_SUBJECT_KEY_ID), "04036f6c64");
	assert_true(slice_is(value_of(buf_slice(&renew), "1.2.3.4"), "odd"));

	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = new_key("RSA");
	AUTO(buf_done) struct buf spki = BUF_INIT(BIG);
	uint8_t id[KEY_ID_BYTES];
	assert_ok(key_spki(key, &spki, &e));
	assert_ok(profile_renewed(parent.cert, SLICE_LIT("new"), buf_slice(&spki), NULL, &rekey, &e));
	order_of(buf_slice(&rekey), &order);
	assert_string_equal(buf_cstr(&order), "2.5.29.14,2.5.29.35,1.2.3.4!,2.5.29.15!,1.2.3.5");
	assert_ok(ext_key_id(buf_slice(&spki), id, &e));
	assert_int_equal(memcmp(value_of(buf_slice(&rekey), OID_SUBJECT_KEY_ID).p + 2, id, sizeof id), 0);
	assert_hex(value_of(buf_slice(&rekey), OID_KEY_USAGE), "03020780"); /* copied, though the key is RSA now */

	/* a second renewal keeps the order */
	AUTO(made_done) struct made child = make((struct recipe){ .name = "x", .extensions = buf_slice(&renew) });
	assert_ok(profile_renewed(child.cert, SLICE_LIT("new"), SLICE_NONE, NULL, &twice, &e));
	assert_true(slice_eq(buf_slice(&twice), buf_slice(&renew)));
}

/* Where the list lies is the CA's to say, not the old certificate's. */
static void renewed_with_a_crl(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after;
	} rows[] = {
		{ "1.2.3.4 " OID_PROVISIONER, "2.5.29.35,1.2.3.4," OID_CRL_POINTS "," OID_PROVISIONER },
		{ OID_CRL_POINTS " 1.2.3.4 " OID_PROVISIONER, "2.5.29.35," OID_CRL_POINTS ",1.2.3.4," OID_PROVISIONER },
		{ OID_PROVISIONER " 1.2.3.4 " OID_CRL_POINTS, "2.5.29.35," OID_PROVISIONER ",1.2.3.4," OID_CRL_POINTS },
		{ "1.2.3.4", "2.5.29.35,1.2.3.4," OID_CRL_POINTS },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done)
		struct buf old = BUF_INIT(BIG),
			   out = BUF_INIT(BIG), same = BUF_INIT(BIG), order = BUF_INIT(BIG), point = BUF_INIT(BIG);
		for (const char *p = rows[i].before; *p; p += strspn(p, " ")) {
			char oid[OID_TEXT];
			snprintf(oid, sizeof oid, "%.*s", (int)strcspn(p, " "), p);
			p += strlen(oid);
			if (!strcmp(oid, OID_PROVISIONER))
				ext_add_provisioner(&old, &(struct provisioner_ext){ 1, "admin", "kid" });
			else
				ext_add(&old, oid, false, SLICE_LIT("old"));
		}
		AUTO(made_done)
		struct made parent = make((struct recipe){ .name = "x", .extensions = buf_slice(&old) });
		assert_ok(profile_renewed(parent.cert, SLICE_LIT("new"), SLICE_NONE, "http://ca/crl", &out, &e));
		order_of(buf_slice(&out), &order);
		assert_string_equal(buf_cstr(&order), rows[i].after);
		ext_add_crl_point(&point, "http://ca/crl");
		assert_non_null(memmem(out.p, out.n, point.p, point.n));
		/* and where it says nothing, the old one stays */
		assert_ok(profile_renewed(parent.cert, SLICE_NONE, SLICE_NONE, NULL, &same, &e));
		assert_true(slice_eq(buf_slice(&same), buf_slice(&old)));
	}
}

static void renewed_without_identifiers(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf old = BUF_INIT(BIG), out = BUF_INIT(BIG);
	ext_add(&old, "1.2.3.4", false, SLICE_NONE);
	AUTO(made_done) struct made parent = make((struct recipe){ .name = "x", .extensions = buf_slice(&old) });
	assert_ok(profile_renewed(parent.cert, SLICE_NONE, SLICE_NONE, NULL, &out, &e));
	assert_true(slice_eq(buf_slice(&out), buf_slice(&old)));
	buf_reset(&out);
	assert_fails(profile_renewed(parent.cert, SLICE_LIT("new"), SLICE_LIT("\x30\x00"), NULL, &out, &e), ST_INVALID);
	AUTO(buf_done) struct buf small = BUF_INIT(20);
	assert_fails(profile_renewed(parent.cert, SLICE_LIT("new"), SLICE_NONE, NULL, &small, &e), ST_LIMIT);
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaf),
		cmocka_unit_test(provisioner_in_a_leaf),
		cmocka_unit_test(authorities),
		cmocka_unit_test(renewed),
		cmocka_unit_test(renewed_with_a_crl),
		cmocka_unit_test(renewed_without_identifiers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
