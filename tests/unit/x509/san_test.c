#include "testing.h"

#include "x509/ip.h"
#include "x509/san.h"

static void classified_as_the_peer_does(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum san_type type;
		const char *text; /* NULL: as given */
	} rows[] = {
		{ "foo.local", SAN_DNS, NULL },
		{ "FOO.local", SAN_DNS, NULL }, /* case is kept */
		{ "*.foo.local", SAN_DNS, NULL },
		{ "with space", SAN_DNS, NULL },
		{ "under_score", SAN_DNS, NULL },
		{ "10.0.0.1:80", SAN_DNS, NULL }, /* digits first: no scheme */
		{ "/a/b", SAN_DNS, NULL },
		{ "a/b:c", SAN_DNS, NULL },
		{ ":foo", SAN_DNS, NULL },
		{ "010.0.0.1", SAN_DNS, NULL }, /* leading zero: no address */
		{ "10.0.0", SAN_DNS, NULL },
		{ "10.0.0.256", SAN_DNS, NULL },
		{ "10.0.0.0/8", SAN_DNS, NULL },
		{ "1.2.3.4.", SAN_DNS, NULL },
		{ "http://[bad", SAN_DNS, NULL }, /* what fails to parse as a URL is none */
		{ "http://h:port", SAN_DNS, NULL },
		{ "http://a b", SAN_DNS, NULL },
		{ "http://h/%zz", SAN_DNS, NULL },
		{ "http://h/#%zz", SAN_DNS, NULL },
		{ "http://%41/", SAN_DNS, NULL }, /* ASCII may not be escaped in a host */
		{ "http://[1.2.3.4]/", SAN_DNS, NULL },
		{ "http://[::1]x/", SAN_DNS, NULL },
		{ "me@x.org", SAN_EMAIL, NULL },
		{ "@", SAN_EMAIL, NULL },
		{ "1foo:b@x", SAN_EMAIL, NULL },
		{ "http://a b@c", SAN_EMAIL, NULL }, /* no URL, but an @ */
		{ "10.0.0.1", SAN_IP, NULL },
		{ "::1", SAN_IP, NULL },
		{ "0:0:0:0:0:0:0:1", SAN_IP, "::1" },
		{ "2001:DB8::A", SAN_IP, "2001:db8::a" },
		{ "::ffff:10.0.0.1", SAN_IP, "10.0.0.1" },
		{ "::10.0.0.1", SAN_IP, "::a00:1" },
		{ "foo:80", SAN_URI, NULL },
		{ "mailto:x@y", SAN_URI, NULL },
		{ "urn:uuid:1", SAN_URI, NULL },
		{ "fe80::1%eth0", SAN_URI, NULL },
		{ "HTTPS://Foo/Bar", SAN_URI, "https://Foo/Bar" },
		{ "x:", SAN_URI, NULL },
		{ "x://", SAN_URI, "x:" },
		{ "x:/a", SAN_URI, NULL },
		{ "x:///a", SAN_URI, NULL },
		{ "x:////a", SAN_URI, NULL },
		{ "spiffe://d/ns/a", SAN_URI, NULL },
		{ "https://h/a b", SAN_URI, "https://h/a%20b" },
		{ "https://h/a%2fb", SAN_URI, NULL }, /* escaped well: kept */
		{ "https://h/a%2fb c", SAN_URI, "https://h/a/b%20c" },
		{ "https://h/[x]!'()*", SAN_URI, NULL },
		{ "https://h?", SAN_URI, NULL },
		{ "https://h?q=a b", SAN_URI, NULL }, /* queries are kept */
		{ "https://h/#", SAN_URI, "https://h/" },
		{ "https://h/#a b", SAN_URI, "https://h/#a%20b" },
		{ "https://u@h", SAN_URI, NULL },
		{ "https://u:p@h", SAN_URI, NULL },
		{ "https://a@b@h", SAN_URI, "https://a%40b@h" },
		{ "https://u!@h", SAN_URI, "https://u%21@h" },
		{ "https://h:8443", SAN_URI, NULL },
		{ "https://h:", SAN_URI, NULL },
		{ "https://[::1]:8443/x", SAN_URI, NULL },
		{ "https://[fe80::1%25eth0]/", SAN_URI, NULL },
		{ "a+b-c.d:x", SAN_URI, NULL },
		{ "C:\\dir", SAN_URI, "c:\\dir" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(san_list_done) struct san_list l = { 0 };
		assert_ok(san_list_add(&l, slice_cstr(rows[i].in), &e));
		assert_int_equal(l.n, 1);
		if (l.v[0].type != rows[i].type)
			fail_msg("%s is of type %d", rows[i].in, l.v[0].type);
		assert_string_equal(l.v[0].text, rows[i].text ? rows[i].text : rows[i].in);
	}
}

static void refused(void **state)
{
	(void)state;
	static char longest[SAN_TEXT_MAX + 2];
	memset(longest, 'a', SAN_TEXT_MAX + 1);
	const struct slice rows[] = {
		SLICE_LIT("a\0b"),      SLICE_LIT("a\n"),  SLICE_LIT("\x1b[31m"),          SLICE_LIT("a\x7f"),
		SLICE_LIT("f\xc3\xbc"), SLICE_LIT("\xff"), SLICE_LIT("http://h/\xc3\xa4"), SLICE_LIT("1.2.3.4\0"),
		slice_cstr(longest),
	};
	struct error e;
	AUTO(san_list_done) struct san_list l = { 0 };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_fails(san_list_add(&l, rows[i], &e), ST_INVALID);
		for (const char *p = e.text; *p; p++)
			assert_true(*p >= 0x20 || *p < 0); /* nothing raw in the message */
	}
	assert_int_equal(l.n, 0);
	assert_ok(san_list_add(&l, SLICE_NONE, &e)); /* empty ones are skipped */
	assert_int_equal(l.n, 0);
	longest[SAN_TEXT_MAX] = '\0';
	assert_ok(san_list_add(&l, slice_cstr(longest), &e));
}

static void a_thousand_and_no_more(void **state)
{
	(void)state;
	struct error e;
	AUTO(san_list_done) struct san_list l = { 0 }, back = { 0 };
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	char name[16];
	for (int i = 0; i < SAN_LIST_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i % 999);
		assert_ok(san_list_add(&l, slice_cstr(name), &e));
	}
	assert_fails(san_list_add(&l, SLICE_LIT("x"), &e), ST_LIMIT);
	assert_ok(san_list_encode(&l, &out, &e));
	assert_ok(san_list_decode(buf_slice(&out), &back, &e));
	assert_int_equal(back.n, SAN_LIST_MAX);
	assert_true(san_list_same(&l, &back, SAN_DNS));

	AUTO(buf_done) struct buf more = BUF_INIT(BIG);
	for (int i = 0; i <= SAN_LIST_MAX; i++)
		der_add(&more, 0x82, SLICE_LIT("x"));
	der_wrap(&more, 0, DER_SEQUENCE);
	AUTO(san_list_done) struct san_list none = { 0 };
	assert_fails(san_list_decode(buf_slice(&more), &none, &e), ST_LIMIT);
	assert_null(none.v);
}

static void encoded_kind_by_kind(void **state)
{
	(void)state;
	struct error e;
	AUTO(san_list_done) struct san_list l = { 0 }, back = { 0 };
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	add_sans(&l, "u:1 10.0.0.1 b a@x ::1 a b");
	assert_ok(san_list_encode(&l, &out, &e));
	assert_hex(buf_slice(&out), "302b 820162 820161 820162 8103614078 87040a000001"
	                            "871000000000000000000000000000000001 8603753a31");
	assert_ok(san_list_decode(buf_slice(&out), &back, &e));
	assert_int_equal(back.n, 7);
	for (enum san_type t = SAN_DNS; t <= SAN_URI; t++)
		assert_true(san_list_same(&l, &back, t));
	assert_true(san_list_has(&back, SAN_IP, "::1"));
	assert_false(san_list_has(&back, SAN_DNS, "::1"));
	assert_false(san_list_has(&back, SAN_DNS, "B"));
}

static void sets_are_compared_per_kind(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool dns, ip;
	} rows[] = {
		{ "", "", true, true },
		{ "a b", "b a", true, true },
		{ "a a b", "b a", true, true },
		{ "a", "a b", false, true },
		{ "a b", "a", false, true },
		{ "a", "A", false, true },
		{ "a 1.1.1.1", "a", true, false },
		{ "a", "1.1.1.1 a", true, false },
		{ "a c", "a b", false, true },
		{ "::ffff:1.1.1.1", "1.1.1.1", true, true },
		{ "a a", "a b", false, true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(san_list_done) struct san_list a = { 0 }, b = { 0 };
		add_sans(&a, rows[i].a);
		add_sans(&b, rows[i].b);
		assert_int_equal(san_list_same(&a, &b, SAN_DNS), rows[i].dns);
		assert_int_equal(san_list_same(&a, &b, SAN_IP), rows[i].ip);
	}
}

static void decoding(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum status st;
		const char *first;
	} rows[] = {
		{ "3003 820161", ST_OK, "a" },
		{ "3002 8200", ST_OK, "" },
		{ "3007 a005 06012a a000", ST_OK, "otherName" },
		{ "3004 88022a03", ST_OK, "registeredID" },
		{ "3004 a4023000", ST_OK, "directoryName" },
		{ "3012 8710 00000000000000000000ffff0a000001", ST_OK, "10.0.0.1" },
		{ "", ST_INVALID, NULL },
		{ "3003 820261", ST_INVALID, NULL },
		{ "3003 82016100", ST_INVALID, NULL },
		{ "3103 820161", ST_INVALID, NULL },
		{ "3005 8203610062", ST_INVALID, NULL }, /* NUL */
		{ "3003 82011b", ST_INVALID, NULL },
		{ "3003 8201e4", ST_INVALID, NULL },
		{ "3003 81010a", ST_INVALID, NULL },
		{ "3003 86017f", ST_INVALID, NULL },
		{ "3003 870101", ST_INVALID, NULL },
		{ "3007 87050a00000100", ST_INVALID, NULL },
		{ "3002 8700", ST_INVALID, NULL },
		{ "3002 8900", ST_INVALID, NULL },
		{ "3002 0c00", ST_INVALID, NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf in = BUF_INIT(0);
		AUTO(san_list_done) struct san_list l = { 0 };
		enum status st = san_list_decode(unhex(rows[i].hex, &in), &l, &e);
		assert_int_equal(st, rows[i].st);
		assert_int_equal(l.n, st ? 0 : 1);
		if (!st)
			assert_string_equal(l.v[0].text, rows[i].first);
	}
	struct error e;
	AUTO(buf_done) struct buf in = BUF_INIT(0), out = BUF_INIT(BIG);
	AUTO(san_list_done) struct san_list other = { 0 };
	assert_ok(san_list_decode(unhex("3007 a005 06012a a000", &in), &other, &e));
	assert_fails(san_list_encode(&other, &out, &e), ST_INVALID); /* its content is not kept */
}

static void addresses_in_canonical_form(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "::", "::" },
		{ "1::", "1::" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "1:0:0:2:0:0:3:4", "1::2:0:0:3:4" },    /* the first of equals */
		{ "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7" }, /* one group is not shortened */
		{ "0:0:1:2:3:4:0:0", "::1:2:3:4:0:0" },
		{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
		{ "ABCD:00EF::", "abcd:ef::" },
		{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
		{ "255.255.255.255", "255.255.255.255" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t ip[16], again[16];
		char text[IP_TEXT];
		uint8_t n = ip_parse(slice_cstr(rows[i][0]), ip);
		assert_true(n == 4 || n == 16);
		assert_string_equal(ip_text(ip, n, text), rows[i][1]);
		assert_int_equal(ip_parse(slice_cstr(text), again), n);
		assert_memory_equal(ip, again, n);
	}
	static const char *const bad[] = {
		"",         ":",         ":::",   "1:2:3:4:5:6:7",    "1:2:3:4:5:6:7:8:9", "::1%lo",   "1::2::3",
		"12345::",  "g::",       "1.2.3", "1.2.3.4.5",        "01.2.3.4",          "1.2.3.-4", " 1.2.3.4",
		"1.2.3.4 ", "0x1.2.3.4", "[::1]", "1:2:3:4:5:6:7:8::"
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		uint8_t ip[16];
		assert_int_equal(ip_parse(slice_cstr(bad[i]), ip), 0);
	}
	uint8_t ip[16];
	assert_int_equal(ip_parse(SLICE_LIT("1.2.3.4\0x"), ip), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classified_as_the_peer_does), cmocka_unit_test(refused),
		cmocka_unit_test(a_thousand_and_no_more),      cmocka_unit_test(encoded_kind_by_kind),
		cmocka_unit_test(sets_are_compared_per_kind),  cmocka_unit_test(decoding),
		cmocka_unit_test(addresses_in_canonical_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
