#include "base/b64.h"
#include "unit.h"

static void encodes(void **state)
{
	(void)state;
	/* RFC 4648 §10, and bytes that tell the alphabets apart */
	static const struct {
		const char *raw, *std, *std_raw, *url, *url_raw;
	} rows[] = {
		{ "", "", "", "", "" },
		{ "f", "Zg==", "Zg", "Zg==", "Zg" },
		{ "fo", "Zm8=", "Zm8", "Zm8=", "Zm8" },
		{ "foo", "Zm9v", "Zm9v", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg==", "Zm9vYg", "Zm9vYg==", "Zm9vYg" },
		{ "fooba", "Zm9vYmE=", "Zm9vYmE", "Zm9vYmE=", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy", "Zm9vYmFy", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "+//+", "+//+", "-__-", "-__-" },
		{ "\xff", "/w==", "/w", "_w==", "_w" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *const texts[] = { [B64_STD] = rows[i].std,
					      [B64_STD_RAW] = rows[i].std_raw,
					      [B64_URL] = rows[i].url,
					      [B64_URL_RAW] = rows[i].url_raw };
		for (enum b64_form f = B64_URL_RAW; f <= B64_STD; f++) {
			/* ceilings that fit to the byte */
			AUTO(buf_done) struct buf coded = BUF_INIT(strlen(texts[f]));
			AUTO(buf_done) struct buf raw = BUF_INIT(strlen(rows[i].raw));
			struct error e = ERROR_INIT;
			b64_encode(&coded, slice_cstr(rows[i].raw), f);
			assert_int_equal(coded.failed, ST_OK);
			assert_string_equal(buf_cstr(&coded), texts[f]);
			assert_int_equal(b64_decode(&raw, slice_cstr(texts[f]), f, &e), ST_OK);
			assert_true(slice_is(buf_slice(&raw), rows[i].raw));
		}
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum b64_form form;
		const char *why;
	} rows[] = {
		{ "Zg=", B64_STD, "bad padding" },	  { "Zg", B64_STD, "bad padding" },
		{ "Zg", B64_URL, "bad padding" },	  { "Zg==", B64_URL_RAW, "bad character" },
		{ "Zm8=", B64_STD_RAW, "bad character" }, { "Z", B64_URL_RAW, "bad length" },
		{ "Zm9vY", B64_STD_RAW, "bad length" },	  { "====", B64_STD, "bad character" },
		{ "Z===", B64_STD, "bad character" },	  { "Zg==Zg==", B64_STD, "bad character" },
		{ "Zh==", B64_STD, "bad character" },	  { "Zm9=", B64_STD, "bad character" },
		{ "Zh", B64_URL_RAW, "bad character" },	  { "Zm9vYmF=", B64_URL, "bad character" },
		{ "-_", B64_STD_RAW, "bad character" },	  { "+/", B64_URL_RAW, "bad character" },
		{ "Zm 9v", B64_STD_RAW, "bad length" },	  { "Zm9v\n", B64_STD_RAW, "bad length" },
		{ "Zm\n=", B64_STD, "bad character" },	  { "Zm9\x80", B64_STD, "bad character" },
		{ "=", B64_STD, "bad padding" },	  { "==", B64_URL_RAW, "bad character" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf raw = BUF_INIT(64);
		struct error e = ERROR_INIT;
		buf_adds(&raw, "kept");
		print_message("# %zu\n", i);
		assert_int_equal(b64_decode(&raw, slice_cstr(rows[i].text), rows[i].form, &e), ST_INVALID);
		assert_non_null(strstr(e.text, rows[i].why));
		assert_string_equal(buf_cstr(&raw), "kept");
	}
}

static void reads_hex(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf raw = BUF_INIT(4);
	AUTO(buf_done) struct buf text = BUF_INIT(8);
	struct error e = ERROR_INIT;
	assert_int_equal(hex_decode(&raw, SLICE_LIT("00fFA5"), &e), ST_OK);
	assert_memory_equal(raw.p, "\x00\xff\xa5", 3);
	hex_encode(&text, buf_slice(&raw));
	assert_string_equal(buf_cstr(&text), "00ffa5");
	static const char *const bad[] = { "0", "0g", "g0", "0x", " 0", "00 ", "@0", "0`", "/0", ":0", "\xc1\x80" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(hex_decode(&raw, slice_cstr(bad[i]), &e), ST_INVALID);
		assert_int_equal(raw.n, 3);
	}
	assert_int_equal(hex_decode(&raw, SLICE_LIT("0011"), &e), ST_LIMIT);
}

static void keeps_to_the_ceiling(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(3);
	b64_encode(&out, SLICE_LIT("foo"), B64_STD);
	assert_int_equal(out.failed, ST_LIMIT);
	buf_reset(&out);
	assert_int_equal(b64_decode(&out, SLICE_LIT("Zm9vYg=="), B64_STD, &e), ST_LIMIT);
	buf_reset(&out);
	hex_encode(&out, SLICE_LIT("ab"));
	assert_int_equal(out.failed, ST_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(encodes), cmocka_unit_test(refuses),
					    cmocka_unit_test(reads_hex), cmocka_unit_test(keeps_to_the_ceiling) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
