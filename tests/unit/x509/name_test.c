#include "testing.h"

#include "x509/name.h"
#include "x509/show.h"

static void encodes_like_the_peer(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	assert_ok(name_encode(&(struct name_attrs){ .common_name = "foo.local" }, &out, &e));
	assert_hex(buf_slice(&out), "3014 3112 3010 0603550403 1309 666f6f2e6c6f63616c");
	buf_reset(&out);
	assert_ok(name_encode(&(struct name_attrs){ .common_name = "*.x" }, &out, &e)); /* '*' is no PrintableString */
	assert_hex(buf_slice(&out), "300e 310c 300a 0603550403 0c03 2a2e78");
	buf_reset(&out);
	assert_ok(name_encode(&(struct name_attrs){ 0 }, &out, &e));
	assert_hex(buf_slice(&out), "3000");
}

static void order_is_the_peers(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG), text = BUF_INIT(BIG), reversed = BUF_INIT(BIG);
	struct name_attrs a = { .country = "C",
		                .organization = "O",
		                .organizational_unit = "OU",
		                .locality = "L",
		                .province = "ST",
		                .street_address = "S",
		                .postal_code = "P",
		                .common_name = "CN",
		                .serial_number = "SN" };
	assert_ok(name_encode(&a, &out, &e));
	assert_ok(name_text(buf_slice(&out), &text, &e));
	assert_string_equal(buf_cstr(&text), "C=C,O=O,OU=OU,L=L,ST=ST,STREET=S,POSTALCODE=P,CN=CN,SERIALNUMBER=SN");
	assert_ok(name_text_reversed(buf_slice(&out), &reversed, &e));
	assert_string_equal(buf_cstr(&reversed), "SERIALNUMBER=SN,CN=CN,POSTALCODE=P,STREET=S,ST=ST,L=L,OU=OU,O=O,C=C");
}

static void strings_by_their_characters(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint8_t tag;
	} rows[] = {
		{ "Az09 '()+,-./:=?", DER_PRINTABLE },
		{ "a@b", DER_UTF8 },
		{ "a_b", DER_UTF8 },
		{ "a&b", DER_UTF8 },
		{ "*", DER_UTF8 },
		{ "\xc3\xa4", DER_UTF8 },
		{ "a\nb", DER_UTF8 },
		{ "a;b", DER_UTF8 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		struct name_reader r;
		struct name_attr a;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		assert_ok(name_encode(&(struct name_attrs){ .organization = rows[i].text }, &out, &e));
		assert_ok(name_open(buf_slice(&out), &r, &e));
		assert_ok(name_next(&r, &a, &e));
		assert_int_equal(a.value.tag, rows[i].tag);
		assert_true(slice_is(a.value.body, rows[i].text));
		assert_string_equal(a.key, "organization");
		assert_fails(name_next(&r, &a, &e), ST_MISSING);
	}
}

static void refuses_what_is_no_text(void **state)
{
	(void)state;
	static char longest[NAME_VALUE_MAX + 2];
	memset(longest, 'a', NAME_VALUE_MAX + 1);
	const char *const bad[] = { "\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", longest };
	struct error e;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	buf_adds(&out, "kept");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_fails(name_encode(&(struct name_attrs){ .country = "DE", .common_name = bad[i] }, &out, &e),
		             ST_INVALID);
		assert_string_equal(buf_cstr(&out), "kept");
	}
	longest[NAME_VALUE_MAX] = '\0';
	assert_ok(name_encode(&(struct name_attrs){ .common_name = longest }, &out, &e));
}

/* CN=<value> with any tag */
static void one_attr(struct buf *out, uint8_t tag, const char *body_hex)
{
	AUTO(buf_done) struct buf b = BUF_INIT(0);
	struct slice body = unhex(body_hex, &b);
	*out = BUF_INIT(BIG);
	der_add_oid(out, "2.5.4.3");
	der_add(out, tag, body);
	der_wrap(out, 0, DER_SEQUENCE);
	der_wrap(out, 0, DER_SET);
	der_wrap(out, 0, DER_SEQUENCE);
}

static void hostile_values_are_shown_safely(void **state)
{
	(void)state;
	static const struct {
		uint8_t tag;
		const char *hex, *common_name, *text;
	} rows[] = {
		{ DER_UTF8, "61 00 62", "a?b", "CN=a?b" },           /* NUL */
		{ DER_UTF8, "1b 5b 33 31 6d", "?[31m", "CN=?[31m" }, /* terminal escape */
		{ DER_UTF8, "c2 9b 31", "?1", "CN=?1" },             /* C1 control */
		{ DER_UTF8, "61 e2 80 ae 62", "a?b", "CN=a?b" },     /* right-to-left override */
		{ DER_UTF8, "ff 61", "?a", "CN=?a" },                /* not UTF-8 */
		{ DER_UTF8, "c3 a4", "\xc3\xa4", "CN=\xc3\xa4" },
		{ DER_PRINTABLE, "61 e4", "a?", "CN=a?" },
		{ 0x14, "61 e4", "a\xc3\xa4", "CN=a\xc3\xa4" },            /* TeletexString */
		{ 0x1e, "0061 00e4 d83d", "a\xc3\xa4?", "CN=a\xc3\xa4?" }, /* BMPString */
		{ 0x1e, "0061 00", "a?", "CN=a?" },
		{ 0x1c, "0001f600 7fffffff", "\xf0\x9f\x98\x80?", "CN=\xf0\x9f\x98\x80?" },
		{ DER_UTF8, "61 2c 43 4e 3d 62", "a,CN=b", "CN=a\\,CN=b" }, /* one name, not two */
		{ DER_UTF8, "23 61 20", "#a ", "CN=\\#a\\ " },
		{ DER_INTEGER, "05", "#020105", "CN=#020105" },
		{ DER_UTF8, "", "", "CN=" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf der = BUF_INIT(0), cn = BUF_INIT(BIG), text = BUF_INIT(BIG);
		one_attr(&der, rows[i].tag, rows[i].hex);
		assert_ok(name_common_name(buf_slice(&der), &cn, &e));
		assert_string_equal(buf_cstr(&cn), rows[i].common_name);
		assert_ok(name_text(buf_slice(&der), &text, &e));
		assert_string_equal(buf_cstr(&text), rows[i].text);
	}
}

static void several_values(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf in = BUF_INIT(0), cn = BUF_INIT(BIG), text = BUF_INIT(BIG), reversed = BUF_INIT(BIG);
	/* O=x + CN=a, CN=b, 1.2.3=c */
	struct slice der = unhex("302c"
	                         "3114 3008 060355040a 130178 3008 0603550403 130161"
	                         "310a 3008 0603550403 130162"
	                         "3109 3007 06022a03 0c0163",
	                         &in);
	in.p[1] = (uint8_t)(in.n - 2);
	assert_ok(name_common_name(der, &cn, &e));
	assert_string_equal(buf_cstr(&cn), "a"); /* the first */
	assert_ok(name_text(der, &text, &e));
	assert_string_equal(buf_cstr(&text), "O=x+CN=a,CN=b,1.2.3=c");
	assert_ok(name_text_reversed(der, &reversed, &e));
	assert_string_equal(buf_cstr(&reversed), "1.2.3=c,CN=b,O=x+CN=a");
}

static void malformed_names(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"30",
		"3001",
		"300000",
		"3100",
		"3002 3000",
		"3002 3100",
		"3004 3102 3000",
		"3009 3107 3005 0603550403",           /* no value */
		"300c 310a 3008 0603550403 130161 00", /* bytes behind */
		"300c 310a 3008 0403550403 130161",
		"300c 310a 3008 0603558003 130161",
		"300c 310a 3008 0603550403 130561",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf in = BUF_INIT(0), out = BUF_INIT(BIG);
		struct slice der = unhex(rows[i], &in);
		assert_fails(name_common_name(der, &out, &e), ST_INVALID);
		assert_fails(name_text(der, &out, &e), ST_INVALID);
	}
	struct error e;
	AUTO(buf_done) struct buf many = BUF_INIT(BIG), out = BUF_INIT(BIG);
	for (int i = 0; i <= NAME_ATTRS_MAX; i++)
		buf_add_slice(&many, SLICE_LIT("\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01z"));
	der_wrap(&many, 0, DER_SEQUENCE);
	assert_fails(name_text(buf_slice(&many), &out, &e), ST_LIMIT);
	assert_fails(name_text_reversed(buf_slice(&many), &out, &e), ST_LIMIT);
}

static void json_and_cut(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf out = BUF_INIT(BIG);
	show_add_json(&out, SLICE_LIT("a\"b\\c\n\x1b\xff\xc3\xa4/"));
	assert_string_equal(buf_cstr(&out), "\"a\\\"b\\\\c???\xc3\xa4/\"");
	char cut[8];
	assert_string_equal(show_cut(SLICE_LIT("1234567"), cut, sizeof cut), "1234567");
	assert_string_equal(show_cut(SLICE_LIT("12345678"), cut, sizeof cut), "1234...");
	assert_string_equal(show_cut(SLICE_LIT("123\xc3\xa4yyyyy"), cut, sizeof cut), "123...");
	assert_string_equal(show_cut(SLICE_NONE, cut, sizeof cut), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_like_the_peer),
		cmocka_unit_test(order_is_the_peers),
		cmocka_unit_test(strings_by_their_characters),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(hostile_values_are_shown_safely),
		cmocka_unit_test(several_values),
		cmocka_unit_test(malformed_names),
		cmocka_unit_test(json_and_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
