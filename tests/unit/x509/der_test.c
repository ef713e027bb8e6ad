#include "testing.h"

#include "x509/der.h"

static void reads(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum status st;
		size_t body, left;
	} rows[] = {
		{ "0500", ST_OK, 0, 0 },
		{ "0401aa", ST_OK, 1, 0 },
		{ "0401aabb", ST_OK, 1, 1 },
		{ "", ST_MISSING, 0, 0 },
		{ "04", ST_INVALID, 0, 0 },
		{ "0401", ST_INVALID, 0, 0 },
		{ "0402aa", ST_INVALID, 0, 0 },
		{ "048101aa", ST_INVALID, 0, 0 }, /* length not minimal */
		{ "04820001aa", ST_INVALID, 0, 0 },
		{ "0481", ST_INVALID, 0, 0 },
		{ "048200", ST_INVALID, 0, 0 },
		{ "0480aa0000", ST_INVALID, 0, 0 }, /* indefinite */
		{ "0485000000000 1aa", ST_INVALID, 0, 0 },
		{ "0484ffffffff", ST_INVALID, 0, 0 },
		{ "04ff", ST_INVALID, 0, 0 },
		{ "1f8101 00", ST_INVALID, 0, 0 }, /* several tag octets */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf b = BUF_INIT(0);
		struct slice rest = unhex(rows[i].hex, &b), before = rest;
		struct der d;
		assert_int_equal(der_next(&rest, &d, &e), rows[i].st);
		if (rows[i].st) {
			assert_ptr_equal(rest.p, before.p); /* nothing is taken by a failure */
			assert_int_equal(rest.n, before.n);
			continue;
		}
		assert_int_equal(d.body.n, rows[i].body);
		assert_int_equal(rest.n, rows[i].left);
		assert_int_equal(d.whole.n + rest.n, before.n);
	}
}

static void expects(void **state)
{
	(void)state;
	struct error e;
	struct der d;
	struct slice rest = SLICE_LIT("\x02\x01\x05\x05\x00");
	assert_fails(der_expect(&rest, DER_SEQUENCE, &d, &e), ST_INVALID);
	assert_int_equal(rest.n, 5);
	assert_ok(der_expect(&rest, DER_INTEGER, &d, &e));
	assert_true(der_has(rest, DER_NULL));
	assert_false(der_has(rest, DER_INTEGER));
	assert_false(der_has(SLICE_NONE, 0));
	assert_fails(der_end(rest, &e), ST_INVALID);
	assert_ok(der_only(rest, DER_NULL, &d, &e));
	assert_fails(der_only(SLICE_NONE, DER_NULL, &d, &e), ST_INVALID);
	assert_fails(der_only(SLICE_LIT("\x05\x00\x00"), DER_NULL, &d, &e), ST_INVALID);
}

static void lengths_round_trip(void **state)
{
	(void)state;
	static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 70000 };
	static uint8_t body[70000];
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct error e;
		struct der d;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		buf_adds(&out, "before");
		der_add(&out, DER_OCTET_STRING, slice_of(body, lengths[i]));
		assert_ok(buf_check(&out, &e));
		assert_ok(der_only(slice_of(out.p + 6, out.n - 6), DER_OCTET_STRING, &d, &e));
		assert_int_equal(d.body.n, lengths[i]);
	}
}

static void writer_keeps_to_its_ceiling(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(4);
	der_add(&out, DER_OCTET_STRING, SLICE_LIT("abc"));
	assert_fails(buf_check(&out, &e), ST_LIMIT);
}

static void oids(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *text; /* text NULL: refused */
	} rows[] = {
		{ "550403", "2.5.4.3" },
		{ "2a864886f70d010101", "1.2.840.113549.1.1.1" },
		{ "2b06010401 82a464 c628 40 01", "1.3.6.1.4.1.37476.9000.64.1" },
		{ "00", "0.0" },
		{ "27", "0.39" },
		{ "28", "1.0" },
		{ "8837 03", "2.999.3" },
		{ "69 ffffffff ffffffff ffffffff ffffffff ffff7f", NULL }, /* beyond 128 bits */
		{ "", NULL },
		{ "80", NULL },
		{ "5580 03", NULL }, /* padded */
		{ "5504 83", NULL }, /* ends inside a number */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		char text[OID_TEXT];
		AUTO(buf_done) struct buf b = BUF_INIT(0), again = BUF_INIT(BIG);
		struct slice in = unhex(rows[i].hex, &b);
		if (!rows[i].text) {
			assert_fails(der_read_oid(in, text, &e), ST_INVALID);
			continue;
		}
		assert_ok(der_read_oid(in, text, &e));
		assert_string_equal(text, rows[i].text);
		der_add_oid(&again, text);
		assert_true(slice_eq(slice_of(again.p + 2, again.n - 2), in));
	}
	/* arcs as long as a UUID (2.25.*) fit, a text that is too long does not */
	struct error e;
	char text[OID_TEXT];
	AUTO(buf_done) struct buf uuid = BUF_INIT(BIG), longer = BUF_INIT(BIG);
	der_add_oid(&uuid, "2.25.340282366920938463463374607431768211455");
	assert_ok(der_read_oid(slice_of(uuid.p + 2, uuid.n - 2), text, &e));
	assert_string_equal(text, "2.25.340282366920938463463374607431768211455");
	for (int i = 0; i < 100; i++)
		buf_addc(&longer, 1);
	assert_fails(der_read_oid(buf_slice(&longer), text, &e), ST_INVALID);
}

static void integers(void **state)
{
	(void)state;
	static const struct {
		const char *magnitude, *der;
	} writes[] = {
		{ "", "020100" },   { "00", "020100" },   { "0000", "020100" },   { "01", "020101" },
		{ "7f", "02017f" }, { "80", "02020080" }, { "0080", "02020080" }, { "00ff00", "020300ff00" },
	};
	for (size_t i = 0; i < COUNT_OF(writes); i++) {
		AUTO(buf_done) struct buf in = BUF_INIT(0), out = BUF_INIT(BIG);
		der_add_uint(&out, unhex(writes[i].magnitude, &in));
		assert_hex(buf_slice(&out), writes[i].der);
	}
	static const struct {
		const char *body;
		int value; /* -1: refused */
	} reads_[] = {
		{ "00", 0 },  { "7f", 127 },  { "0080", 128 }, { "7fffffff", INT32_MAX }, { "", -1 },
		{ "80", -1 }, { "0001", -1 }, { "ff", -1 },    { "0080000000", -1 },      { "0100000000", -1 },
	};
	for (size_t i = 0; i < COUNT_OF(reads_); i++) {
		struct error e;
		int v = -1;
		AUTO(buf_done) struct buf in = BUF_INIT(0);
		enum status st = der_read_small(unhex(reads_[i].body, &in), &v, &e);
		assert_int_equal(st, reads_[i].value < 0 ? ST_INVALID : ST_OK);
		assert_int_equal(v, reads_[i].value);
	}
}

static void bits_and_booleans(void **state)
{
	(void)state;
	struct error e;
	struct slice bits;
	unsigned unused;
	bool b;
	static const struct {
		const char *body;
		enum status st;
	} rows[] = {
		{ "00", ST_OK },      { "0780", ST_OK },      { "00ff", ST_OK },      { "", ST_INVALID },
		{ "01", ST_INVALID }, { "0880", ST_INVALID }, { "0781", ST_INVALID }, { "ff80", ST_INVALID },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf in = BUF_INIT(0);
		assert_int_equal(der_read_bits(unhex(rows[i].body, &in), &bits, &unused, &e), rows[i].st);
	}
	assert_ok(der_read_bool(SLICE_LIT("\xff"), &b, &e));
	assert_true(b);
	assert_ok(der_read_bool(SLICE_LIT("\x00"), &b, &e));
	assert_false(b);
	assert_fails(der_read_bool(SLICE_LIT("\x01"), &b, &e), ST_INVALID);
	assert_fails(der_read_bool(SLICE_NONE, &b, &e), ST_INVALID);
	assert_fails(der_read_bool(SLICE_LIT("\xff\xff"), &b, &e), ST_INVALID);
}

static enum status read_time(uint8_t tag, const char *text, struct wall *ret, struct error *e)
{
	struct der d = { .tag = tag, .body = slice_cstr(text) };
	return der_read_time(&d, ret, e);
}

static void times(void **state)
{
	(void)state;
	static const struct {
		const char *rfc3339;
		uint8_t tag;
		const char *text;
	} rows[] = {
		{ "2026-11-23T10:51:57Z", DER_UTC_TIME, "261123105157Z" },
		{ "1950-01-01T00:00:00Z", DER_UTC_TIME, "500101000000Z" },
		{ "2049-12-31T23:59:59Z", DER_UTC_TIME, "491231235959Z" },
		{ "2050-01-01T00:00:00Z", DER_GENERALIZED_TIME, "20500101000000Z" },
		{ "1949-12-31T23:59:59Z", DER_GENERALIZED_TIME, "19491231235959Z" },
		{ "9999-12-31T23:59:59Z", DER_GENERALIZED_TIME, "99991231235959Z" },
		{ "0001-01-01T00:00:00Z", DER_GENERALIZED_TIME, "00010101000000Z" },
	};
	struct error e;
	struct wall t, back;
	struct der d;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		assert_ok(wall_parse_rfc3339(slice_cstr(rows[i].rfc3339), &t, &e));
		der_add_time(&out, t);
		assert_ok(der_only(buf_slice(&out), rows[i].tag, &d, &e));
		assert_true(slice_is(d.body, rows[i].text));
		assert_ok(der_read_time(&d, &back, &e));
		assert_int_equal(back.s, t.s);
	}
	static const struct {
		uint8_t tag;
		const char *text;
	} bad[] = {
		{ DER_UTC_TIME, "" },
		{ DER_UTC_TIME, "Z" },
		{ DER_UTC_TIME, "2611231051Z" }, /* no seconds */
		{ DER_UTC_TIME, "261123105157+0100" },
		{ DER_UTC_TIME, "261123105157" },
		{ DER_UTC_TIME, "261123105160Z" }, /* a leap second */
		{ DER_UTC_TIME, "261323105157Z" },
		{ DER_UTC_TIME, "260230105157Z" },
		{ DER_UTC_TIME, "26112310515 Z" },
		{ DER_UTC_TIME, "20261123105157Z" },
		{ DER_GENERALIZED_TIME, "261123105157Z" },
		{ DER_GENERALIZED_TIME, "20261123105157.5Z" },
		{ DER_GENERALIZED_TIME, "00001123105157Z" },
		{ DER_OCTET_STRING, "261123105157Z" },
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_fails(read_time(bad[i].tag, bad[i].text, &t, &e), ST_INVALID);
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	der_add_time(&out, (struct wall){ WALL_MAX_S + 1 });
	assert_fails(buf_check(&out, &e), ST_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(expects),
		cmocka_unit_test(lengths_round_trip),
		cmocka_unit_test(writer_keeps_to_its_ceiling),
		cmocka_unit_test(oids),
		cmocka_unit_test(integers),
		cmocka_unit_test(bits_and_booleans),
		cmocka_unit_test(times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
