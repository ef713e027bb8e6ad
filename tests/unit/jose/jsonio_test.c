#include "../crypto/check.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "fail.h"

#include <stdlib.h>

static json_t *parsed(const char *text)
{
	struct error e = ERROR_INIT;
	json_t *v = NULL;
	assert_ok(jsonio_parse(slice_cstr(text), JSONIO_STRICT, &v, &e));
	return v;
}

static void repeat(struct buf *out, const char *what, int n)
{
	for (int i = 0; i < n; i++)
		buf_adds(out, what);
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "not JSON" },
		{ "{", "not JSON" },
		{ "[1,]", "not JSON" },
		{ "{\"a\":1,}", "not JSON" },
		{ "{a:1}", "not JSON" },
		{ "'a'", "not JSON" },
		{ "nul", "not JSON" },
		{ "01", "not JSON" },
		{ "+1", "not JSON" },
		{ "NaN", "not JSON" },
		{ "{} x", "not JSON" },
		{ "{}{}", "not JSON" },
		{ "\"a\nb\"", "not JSON" },
		{ "\"\\u0000\"", "not JSON" },
		{ "{\"a\\u0000\":1}", "not JSON" },
		{ "\"\xff\"", "not JSON" },
		{ "\"\xc0\x80\"", "not JSON" },
		{ "\"\\ud800\"", "not JSON" },
		{ "99999999999999999999", "not JSON" },
		{ "1e999", "not JSON" },
		{ "{\"a\":1,\"a\":2}", "duplicate" },
		{ "{\"a\":1,\"\\u0061\":2}", "duplicate" },
		{ "{\"b\":{\"a\":1,\"a\":1}}", "duplicate" },
		{ "// comment\n{}", "line 1, column 1" },
		{ "{\n\"a\": x}", "line 2, column 6" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		json_t *v = NULL;
		if (jsonio_parse(slice_cstr(rows[i].text), JSONIO_STRICT, &v, &e) != ST_INVALID)
			fail_msg("%s was not refused", rows[i].text);
		assert_says(rows[i].says);
		assert_null(v);
	}
	json_t *v = NULL;
	assert_st(ST_INVALID, jsonio_parse(SLICE_NONE, JSONIO_FIRST, &v, &e));
	assert_st(ST_INVALID, jsonio_parse(SLICE_LIT("{}\0"), JSONIO_STRICT, &v, &e));
	assert_st(ST_INVALID, jsonio_parse(SLICE_LIT("\"a\0b\""), JSONIO_STRICT, &v, &e));
}

static void errors_do_not_quote(void **state)
{
	static const char *const rows[] = { "{\"password\":\"s3cret\" x}", "{\"a\":\"s3cret", "[s3cret]",
		                            "{\"s3cret\":1,\"s3cret\":2}", "\"s3cret\" \"s3cret\"" };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		json_t *v = NULL;
		assert_st(ST_INVALID, jsonio_parse(slice_cstr(rows[i]), JSONIO_STRICT, &v, &e));
		assert_null(strstr(e.text, "s3cret"));
	}
}

static void first_value_only(void **state)
{
	static const char *const rows[] = { "{\"a\":1}", "{\"a\":1} ", "{\"a\":1}garbage", "{\"a\":1}{\"a\":2",
		                            "{\"a\":1}]]]]" };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(json_decref_p) json_t *v = NULL;
		assert_ok(jsonio_parse(slice_cstr(rows[i]), JSONIO_FIRST, &v, &e));
		assert_int_equal(1, json_integer_value(json_object_get(v, "a")));
	}
	/* what follows may be as deep as it likes */
	AUTO(buf_done) struct buf text = BUF_INIT(JSONIO_MAX);
	AUTO(json_decref_p) json_t *v = NULL;
	buf_adds(&text, "{\"a\":1}");
	repeat(&text, "[", 1000);
	assert_ok(jsonio_parse(buf_slice(&text), JSONIO_FIRST, &v, &e));
}

static void depth(void **state)
{
	static const struct {
		const char *open, *shut;
	} rows[] = { { "[", "]" }, { "{\"a\":", "}" } };
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int n = JSONIO_DEPTH; n <= 100 * 1000; n = n == JSONIO_DEPTH ? n + 1 : n * 10) {
			AUTO(buf_done) struct buf text = BUF_INIT(JSONIO_MAX);
			AUTO(json_decref_p) json_t *v = NULL;
			repeat(&text, rows[i].open, n);
			buf_adds(&text, "1");
			repeat(&text, rows[i].shut, n);
			if (n == JSONIO_DEPTH)
				assert_ok(jsonio_parse(buf_slice(&text), JSONIO_STRICT, &v, &e));
			else
				assert_st(ST_LIMIT, jsonio_parse(buf_slice(&text), JSONIO_STRICT, &v, &e));
		}
	}
	/* brackets inside strings, and quotes escaped in them, do not count */
	AUTO(buf_done) struct buf text = BUF_INIT(JSONIO_MAX);
	AUTO(json_decref_p) json_t *v = NULL;
	buf_adds(&text, "[\"\\\"");
	repeat(&text, "[", 1000);
	buf_adds(&text, "\"]");
	assert_ok(jsonio_parse(buf_slice(&text), JSONIO_STRICT, &v, &e));
}

static void size(void **state)
{
	AUTO(buf_done) struct buf text = BUF_INIT(JSONIO_MAX + 10);
	AUTO(json_decref_p) json_t *v = NULL;
	json_t *none = NULL;
	struct error e = ERROR_INIT;
	(void)state;
	repeat(&text, " ", JSONIO_MAX - 1);
	buf_adds(&text, "1");
	assert_ok(jsonio_parse(buf_slice(&text), JSONIO_STRICT, &v, &e));
	buf_adds(&text, " ");
	assert_st(ST_LIMIT, jsonio_parse(buf_slice(&text), JSONIO_STRICT, &none, &e));
}

/* As Go prints each, save reals of 1e18 and more, and -0 (see write_real). */
static void writes(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "{}", "{}" },
		{ "[]", "[]" },
		{ " { \"b\" : 1 , \"a\" : [ true , false , null ] } ", "{\"b\":1,\"a\":[true,false,null]}" },
		{ "\"<a>&'/\"", "\"\\u003ca\\u003e\\u0026'/\"" },
		{ "{\"<\":\"\"}", "{\"\\u003c\":\"\"}" },
		{ "\"\\\" \\\\ \\/ \\b\\f\\n\\r\\t\"", "\"\\\" \\\\ / \\b\\f\\n\\r\\t\"" },
		{ "\"\\u0001\\u001f\\u007f\"", "\"\\u0001\\u001f\x7f\"" },
		{ "\"\\u2027\\u2028\\u2029\\u202a\"", "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"" },
		{ "\"\\u00e4\\ud83d\\ude00\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "[0,-1,9223372036854775807,-9223372036854775808]",
		  "[0,-1,9223372036854775807,-9223372036854775808]" },
		{ "[1.2,1.3,0.1,-0.5,100.25,1e6,3.0,1e17]", "[1.2,1.3,0.1,-0.5,100.25,1000000,3,100000000000000000]" },
		{ "[1e20,1e21,1.5e300,1e-6,1e-7,1.25e-9]", "[1e+20,1e+21,1.5e+300,0.000001,1e-7,1.25e-9]" },
		{ "[0.30000000000000004,5e-324,1.7976931348623157e308,0.0,-0.0]",
		  "[0.30000000000000004,5e-324,1.7976931348623157e+308,0,0]" },
		{ "1700000000.5", "1700000000.5" },
	};
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(json_decref_p) json_t *v = parsed(rows[i].in);
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		assert_ok(jsonio_format(v, &out, &e));
		assert_string_equal(rows[i].out, buf_cstr(&out));
	}
}

static void writes_indented(void **state)
{
	AUTO(json_decref_p)
	json_t *v = parsed("{\"root\":\"r\",\"list\":[1,[],{}],\"empty\":{},\"in\":{\"a\":{\"b\":[{\"c\":1}]}}}");
	AUTO(buf_done) struct buf out = BUF_INIT(1000);
	struct error e = ERROR_INIT;
	(void)state;
	assert_ok(jsonio_format_indent(v, JSONIO_TAB, &out, &e));
	assert_string_equal("{\n"
	                    "\t\"root\": \"r\",\n"
	                    "\t\"list\": [\n\t\t1,\n\t\t[],\n\t\t{}\n\t],\n"
	                    "\t\"empty\": {},\n"
	                    "\t\"in\": {\n\t\t\"a\": {\n\t\t\t\"b\": [\n\t\t\t\t{\n\t\t\t\t\t\"c\": 1\n\t\t\t\t}\n"
	                    "\t\t\t]\n\t\t}\n\t}\n"
	                    "}",
	                    buf_cstr(&out));
	AUTO(json_decref_p) json_t *small = parsed("{\"a\":[1]}");
	buf_reset(&out);
	assert_ok(jsonio_format_indent(small, 2, &out, &e));
	assert_string_equal("{\n  \"a\": [\n    1\n  ]\n}", buf_cstr(&out));
}

static void cannot_write(void **state)
{
	AUTO(json_decref_p) json_t *v = parsed("[\"0123456789\"]");
	AUTO(buf_done) struct buf small = BUF_INIT(8);
	AUTO(buf_done) struct buf out = BUF_INIT(10000);
	struct error e = ERROR_INIT;
	(void)state;
	assert_st(ST_LIMIT, jsonio_format(v, &small, &e));
	assert_st(ST_NOMEM, jsonio_format(NULL, &out, &e));
	AUTO(json_decref_p) json_t *deep = json_array();
	for (int i = 0; i < JSONIO_DEPTH + 5; i++) {
		json_t *outer = json_array();
		json_array_append_new(outer, deep);
		deep = outer;
	}
	assert_st(ST_LIMIT, jsonio_format(deep, &out, &e));
}

static void fields(void **state)
{
	AUTO(json_decref_p) json_t *v = parsed("{\"CSR\":1,\"Ott\":2,\"ott\":3,\"x\":\"t\"}");
	(void)state;
	assert_int_equal(1, json_integer_value(jsonio_field(v, "csr")));
	assert_int_equal(3, json_integer_value(jsonio_field(v, "ott")));
	assert_null(jsonio_field(v, "cs"));
	assert_null(jsonio_field(v, "csrx"));
	assert_null(jsonio_field(NULL, "csr"));
	assert_null(jsonio_field(json_object_get(v, "x"), "csr"));
	assert_slice(slice_cstr("t"), jsonio_text(jsonio_field(v, "X")));
	assert_int_equal(0, jsonio_text(jsonio_field(v, "CSR")).n);
	assert_int_equal(0, jsonio_text(NULL).n);
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "", true },
		{ "a\x7f", true },
		{ "\xc2\x80\xdf\xbf", true },
		{ "\xe0\xa0\x80\xef\xbf\xbf", true },
		{ "\xed\x9f\xbf\xee\x80\x80", true },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true },
		{ "\x80", false },
		{ "\xc0\x80", false },
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xed\xa0\x80", false }, /* a surrogate */
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xc2", false },
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "a\xe2\x82z", false },
		{ "\xff", false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice s = slice_cstr(rows[i].text);
		json_t *as_jansson_says = json_stringn((const char *)s.p, s.n);
		assert_int_equal(rows[i].ok, jsonio_text_ok(s));
		assert_int_equal(rows[i].ok, as_jansson_says != NULL);
		json_decref(as_jansson_says);
	}
	assert_false(jsonio_text_ok(SLICE_LIT("a\0b")));
}

/* jansson itself would lose a byte of the long text and say nothing. */
static void out_of_memory(void **state)
{
	static const struct slice text =
		SLICE_LIT("{\"a\":[1,\"two\",{\"b\":3.5}],\"long\":\"0123456789012345678901234\"}");
	struct error e = ERROR_INIT;
	(void)state;
	for (unsigned n = 1;; n++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		json_t *v = NULL;
		fail_arm(FAIL_ALLOC, n, 0);
		enum status st = jsonio_parse(text, JSONIO_STRICT, &v, &e);
		if (!st)
			st = jsonio_format(v, &out, &e);
		bool more = fail_disarm();
		json_decref(v);
		if (!more) {
			assert_int_equal(ST_OK, st);
			assert_true(slice_eq(text, buf_slice(&out)));
			assert_true(n > 10);
			break;
		}
		assert_int_equal(ST_NOMEM, st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(errors_do_not_quote),
		cmocka_unit_test(first_value_only),
		cmocka_unit_test(depth),
		cmocka_unit_test(size),
		cmocka_unit_test(writes),
		cmocka_unit_test(writes_indented),
		cmocka_unit_test(cannot_write),
		cmocka_unit_test(fields),
		cmocka_unit_test(utf8),
		cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests_name("jsonio", tests, NULL, NULL);
}
