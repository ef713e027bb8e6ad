/* Texts in JSON bodies. */
#include "jose/auto.h"
#include "server/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void escapes_as_go_does(void **state)
{
	static const struct {
		struct slice in;
		const char *out;
	} rows[] = {
		{ SLICE_LIT(""), "\"\"" },
		{ SLICE_LIT("plain"), "\"plain\"" },
		{ SLICE_LIT("\n"), "\"\\n\"" },
		{ SLICE_LIT("a\nb\n"), "\"a\\nb\\n\"" },
		{ SLICE_LIT("\"\\"), "\"\\\"\\\\\"" },
		{ SLICE_LIT("<a&b>"), "\"\\u003ca\\u0026b\\u003e\"" },
		{ SLICE_LIT("\0\t\r\x1f\x7f"), "\"\\u0000\\u0009\\u000d\\u001f\\u007f\"" },
		{ SLICE_LIT(" /~\xc3\xa4"), "\" /~\xc3\xa4\"" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		body_add_text(&out, rows[i].in);
		assert_string_equal(buf_cstr(&out), rows[i].out);
	}
}

/* Every character, first, last and between others: jansson reads what went in. */
static void reads_back(void **state)
{
	(void)state;
	for (int c = 1; c < 0x80; c++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		AUTO(json_decref_p) json_t *read = NULL;
		char text[] = { (char)c, 'x', (char)c, (char)c, 'y', (char)c, '\0' };
		body_add_text(&out, slice_cstr(text));
		read = json_loadb((const char *)out.p, out.n, JSON_DECODE_ANY, NULL);
		assert_string_equal(json_string_value(read), text);
	}
}

static void too_much_is_remembered(void **state)
{
	AUTO(buf_done) struct buf out = BUF_INIT(7);
	struct error e;
	(void)state;
	body_add_text(&out, SLICE_LIT("seven\nmore"));
	assert_int_equal(buf_check(&out, &e), ST_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_as_go_does),
		cmocka_unit_test(reads_back),
		cmocka_unit_test(too_much_is_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
