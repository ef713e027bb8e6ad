#include "testing.h"

#include "x509/ext.h"

static void key_usage(void **state)
{
	(void)state;
	static const struct {
		unsigned mask;
		const char *bits;
	} rows[] = {
		{ KU_DIGITAL_SIGNATURE, "03020780" },
		{ KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT, "030205a0" },
		{ KU_KEY_CERT_SIGN | KU_CRL_SIGN, "03020106" },
		{ KU_ENCIPHER_ONLY, "03020001" },
		{ KU_DECIPHER_ONLY, "0303070080" },
		{ 0, "030100" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		struct ext x;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		ext_add_key_usage(&out, rows[i].mask);
		struct slice rest = buf_slice(&out);
		assert_ok(ext_next(&rest, &x, &e));
		assert_string_equal(x.oid, OID_KEY_USAGE);
		assert_true(x.critical);
		assert_hex(x.value, rows[i].bits);
		assert_true(slice_eq(x.whole, buf_slice(&out)));
		assert_fails(ext_next(&rest, &x, &e), ST_MISSING);
	}
}

static void basic_constraints(void **state)
{
	(void)state;
	static const struct {
		bool ca;
		int path_len;
		const char *der;
	} rows[] = {
		{ true, 0, "30120603551d130101ff040830060101ff020100" },
		{ true, 1, "30120603551d130101ff040830060101ff020101" },
		{ true, -1, "300f0603551d130101ff040530030101ff" },
		{ true, 200, "30130603551d130101ff040930070101ff020200c8" },
		{ false, 3, "300c0603551d130101ff04023000" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		ext_add_basic_constraints(&out, rows[i].ca, rows[i].path_len);
		assert_hex(buf_slice(&out), rows[i].der);
	}
}

static void usages_and_key_ids(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG), in = BUF_INIT(0);
	ext_add_ext_key_usage(&out, (const char *const[]){ OID_SERVER_AUTH, OID_CLIENT_AUTH }, 2);
	assert_hex(buf_slice(&out), "301d0603551d250416301406082b0601050507030106082b06010505070302");
	buf_reset(&out);
	/* SHA-1 of "abc", without the octet that counts unused bits */
	assert_ok(ext_add_subject_key_id(&out, unhex("300d 3005 06032b6570 0304 00616263", &in), &e));
	assert_hex(buf_slice(&out), "301d0603551d0e04160414a9993e364706816aba3e25717850c26c9cd0d89d");
	buf_reset(&out);
	ext_add_authority_key_id(&out, SLICE_LIT("\x01\x02"));
	assert_hex(buf_slice(&out), "300d0603551d230406300480020102");
	static const char *const bad[] = { "",
		                           "3000",
		                           "3002 0500",
		                           "3007 3005 06032b6570",
		                           "3009 3005 06032b6570 0300",
		                           "300d 3005 06032b6570 0304 09616263",
		                           "300e 3005 06032b6570 0304 00616263 00" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		AUTO(buf_done) struct buf b = BUF_INIT(0);
		assert_fails(ext_add_subject_key_id(&out, unhex(bad[i], &b), &e), ST_INVALID);
	}
}

/* spec/server.md §3.5: seen from the peer */
static void provisioner(void **state)
{
	(void)state;
	struct error e;
	struct ext x;
	struct provisioner_ext p = { .type = 1,
		                     .name = "admin@example.com",
		                     .credential_id = "AvBQdFhDlM9abcdefghijklmnopqrstuvwxyz7j6asA" },
			       back;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG), in = BUF_INIT(0), again = BUF_INIT(BIG);
	ext_add_provisioner(&out, &p);
	struct slice rest = buf_slice(&out);
	assert_ok(ext_next(&rest, &x, &e));
	assert_string_equal(x.oid, OID_PROVISIONER);
	assert_false(x.critical);
	assert_hex(slice_of(x.value.p, 5), "3043 020101");
	assert_hex(slice_of(x.value.p + 5, 21), "0411 61646d696e406578616d706c652e636f6d 042b");
	assert_int_equal(x.value.n, 69);
	assert_ok(ext_parse_provisioner(x.value, &back, &e));
	assert_int_equal(back.type, 1);
	assert_string_equal(back.name, p.name);
	assert_string_equal(back.credential_id, p.credential_id);

	struct slice x5c = unhex("300a 020107 0403783563 0400", &in);
	assert_ok(ext_parse_provisioner(x5c, &back, &e));
	assert_int_equal(back.type, 7);
	assert_string_equal(back.name, "x5c");
	assert_string_equal(back.credential_id, "");
	ext_add_provisioner(&again, &back);
	assert_true(contains(buf_slice(&again), "\x04\x03x5c\x04"));
	assert_string_equal(provisioner_type_name(7), "X5C");
	assert_string_equal(provisioner_type_name(11), "Nebula");
	assert_null(provisioner_type_name(0));
	assert_null(provisioner_type_name(12));
	assert_null(provisioner_type_name(-1));
}

static void malformed_provisioners(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"3000",
		"3003 020101",
		"3006 020101 040161",
		"0a0101",
		"300a 020107 0403783563 040000", /* bytes behind */
		"300a 020107 0403780063 0400",   /* NUL in the name */
		"300a 0201ff 0403783563 0400",   /* negative */
		"300a 020107 0c03783563 0400",
		"300c 020107 0403783563 0400 0500", /* no SEQUENCE */
		"300e 020500ffffffff 0403783563 0400",
	};
	struct error e;
	struct provisioner_ext p;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		AUTO(buf_done) struct buf in = BUF_INIT(0);
		assert_fails(ext_parse_provisioner(unhex(bad[i], &in), &p, &e), ST_INVALID);
	}
	AUTO(buf_done) struct buf in = BUF_INIT(0), longer = BUF_INIT(BIG);
	assert_ok(ext_parse_provisioner(unhex("300c 020103 0403783563 0400 3000", &in), &p, &e)); /* key-value pairs */
	buf_add_slice(&longer, SLICE_LIT("\x02\x01\x01"));
	static const char name[256] = { [0 ... 255] = 'n' };
	der_add(&longer, DER_OCTET_STRING, slice_of(name, 256));
	der_add(&longer, DER_OCTET_STRING, SLICE_NONE);
	der_wrap(&longer, 0, DER_SEQUENCE);
	assert_fails(ext_parse_provisioner(buf_slice(&longer), &p, &e), ST_INVALID);
}

static void walking(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum status st;
		bool critical;
	} rows[] = {
		{ "3007 06022a03 040100", ST_OK, false },
		{ "300a 06022a03 0101ff 040100", ST_OK, true },
		{ "300a 06022a03 010100 040100", ST_OK, false }, /* DEFAULT spelt out: seen in the wild */
		{ "", ST_MISSING, false },
		{ "3000", ST_INVALID, false },
		{ "3004 06022a03", ST_INVALID, false },
		{ "3007 06022a83 040100", ST_INVALID, false },
		{ "300a 06022a03 010101 040100", ST_INVALID, false },
		{ "3007 06022a03 030100", ST_INVALID, false },
		{ "3009 06022a03 040100 0500", ST_INVALID, false },
		{ "0500", ST_INVALID, false },
		{ "3007 06022a03 0401", ST_INVALID, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct ext x;
		AUTO(buf_done) struct buf in = BUF_INIT(0);
		struct slice rest = unhex(rows[i].hex, &in);
		assert_int_equal(ext_next(&rest, &x, &e), rows[i].st);
		if (!rows[i].st)
			assert_int_equal(x.critical, rows[i].critical);
	}
}

static void a_full_buffer_is_told(void **state)
{
	(void)state;
	struct error e;
	size_t need = 60;
	for (size_t max = need; max-- > 0;) {
		AUTO(buf_done) struct buf out = BUF_INIT(max);
		ext_add_basic_constraints(&out, true, 0);
		ext_add_provisioner(&out, &(struct provisioner_ext){ .type = 1, .name = "n" });
		if (max == 59)
			need = out.n;
		assert_int_equal(buf_check(&out, &e), max < need ? ST_LIMIT : ST_OK);
	}
	assert_in_range(need, 40, 58);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_usage),
		cmocka_unit_test(basic_constraints),
		cmocka_unit_test(usages_and_key_ids),
		cmocka_unit_test(provisioner),
		cmocka_unit_test(malformed_provisioners),
		cmocka_unit_test(walking),
		cmocka_unit_test(a_full_buffer_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
