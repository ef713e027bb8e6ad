#include "renewal/words.h"

#include "fail.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void parses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *want[6];
	} rows[] = {
		{ "true", { "true" } },
		{ "kill -HUP 123", { "kill", "-HUP", "123" } },
		{ "  a \t b\nc  ", { "a", "b", "c" } }, /* the peer makes empty words of the second space */
		{ "sh -c 'nginx -t && nginx -s reload'", { "sh", "-c", "nginx -t && nginx -s reload" } },
		{ "a \"b c\" d", { "a", "b c", "d" } },
		{ "a 'b'\"c\"d\\ e", { "a", "bcd e" } },
		{ "a '' \"\"", { "a", "", "" } },
		{ "''", { "" } },
		{ "a\\'b", { "a'b" } },
		{ "'a\"b' \"a'b\"", { "a\"b", "a'b" } },
		{ "'a\\b'", { "a\\b" } },
		{ "'a\\'", { "a\\" } },
		{ "'it'\\''s'", { "it's" } },
		/* XCU 2.2.3: in double quotes a backslash escapes five characters, and is itself else */
		{ "\"\\$ \\` \\\" \\\\ \\n \\'\"", { "$ ` \" \\ \\n \\'" } },
		{ "a\\\nb", { "ab" } },
		{ "a \\\n b", { "a", "b" } },
		{ "\"a\\\nb\"", { "ab" } },
		{ "'a\\\nb'", { "a\\\nb" } },
		{ "a\\\\b", { "a\\b" } },
		/* nothing is expanded, nothing is an operator */
		{ "echo $HOME `id` $(id) * ~ {a,b}", { "echo", "$HOME", "`id`", "$(id)", "*", "~" } },
		{ "a;b|c&d>e<f", { "a;b|c&d>e<f" } },
		{ "a # b", { "a", "#", "b" } },
		{ "A=b c", { "A=b", "c" } },
		{ "a\rb", { "a\rb" } },
		{ "\xc3\xa9 \xff", { "\xc3\xa9", "\xff" } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(words_done) struct words w = { 0 };
		size_t n = 0;
		assert_int_equal(words_parse(slice_cstr(rows[i].text), &w, &e), ST_OK);
		while (n < COUNT_OF(rows[i].want) && rows[i].want[n]) {
			assert_true(n < w.n);
			assert_string_equal(w.v[n], rows[i].want[n]);
			n++;
		}
		if (n < COUNT_OF(rows[i].want))
			assert_int_equal(w.n, n);
		assert_null(w.v[w.n]);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		struct slice text;
		const char *why;
	} rows[] = {
		{ { NULL, 0 }, "there is no word in it" },
		{ SLICE_LIT(" \t\n"), "there is no word in it" },
		{ SLICE_LIT("\\\n"), "there is no word in it" },
		{ SLICE_LIT("echo 'a"), "the quote ' at byte 6 is not closed" },
		{ SLICE_LIT("echo \"a"), "the quote \" at byte 6 is not closed" },
		{ SLICE_LIT("'"), "the quote ' at byte 1 is not closed" },
		{ SLICE_LIT("'a\\'b'"), "the quote ' at byte 6 is not closed" },
		{ SLICE_LIT("\"a\\\""), "the quote \" at byte 1 is not closed" },
		{ SLICE_LIT("\"\\"), "the quote \" at byte 1 is not closed" },
		{ SLICE_LIT("a\\"), "a backslash at the end escapes nothing" },
		{ SLICE_LIT("\\"), "a backslash at the end escapes nothing" },
		{ SLICE_LIT("a\0b"), "a NUL cannot be part of it" },
		{ SLICE_LIT("'a\0'"), "a NUL cannot be part of it" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct words w = { .n = 77 };
		assert_int_equal(words_parse(rows[i].text, &w, &e), ST_INVALID);
		assert_string_equal(e.text, rows[i].why);
		assert_int_equal(w.n, 77);
	}
}

static void bounds(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(2 * WORDS_BYTES);
	AUTO(words_done) struct words w = { 0 };
	for (int i = 0; i < WORDS_MAX; i++)
		buf_adds(&text, "a ");
	assert_int_equal(words_parse(buf_slice(&text), &w, &e), ST_OK);
	assert_int_equal(w.n, WORDS_MAX);
	buf_adds(&text, "a");
	struct words none = { 0 };
	assert_int_equal(words_parse(buf_slice(&text), &none, &e), ST_LIMIT);
	buf_reset(&text);
	while (text.n < WORDS_BYTES)
		buf_addc(&text, 'a');
	words_done(&w);
	assert_int_equal(words_parse(buf_slice(&text), &w, &e), ST_OK);
	assert_int_equal(strlen(w.v[0]), WORDS_BYTES);
	buf_addc(&text, 'a');
	assert_int_equal(words_parse(buf_slice(&text), &none, &e), ST_LIMIT);
	assert_null(none.v);
}

static void quotes(void **state)
{
	(void)state;
	static const struct {
		const char *word, *want;
	} rows[] = {
		{ "foo.crt", "foo.crt" },
		{ "/etc/step/a_b-c@d%e+f=g:h,i.crt", "/etc/step/a_b-c@d%e+f=g:h,i.crt" },
		{ "", "''" },
		{ "a b", "'a b'" },
		{ "it's", "'it'\\''s'" },
		{ "'", "''\\'''" },
		{ "$HOME", "'$HOME'" },
		{ "~", "'~'" },
		{ "*.example.com", "'*.example.com'" },
		{ "a\nb", "'a\nb'" },
		{ "\\", "'\\'" },
		{ "\xc3\xa9", "'\xc3\xa9'" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(256);
		AUTO(words_done) struct words w = { 0 };
		words_quote(&out, slice_cstr(rows[i].word));
		assert_string_equal(buf_cstr(&out), rows[i].want);
		assert_int_equal(words_parse(buf_slice(&out), &w, &e), ST_OK);
		assert_int_equal(w.n, 1);
		assert_string_equal(w.v[0], rows[i].word);
	}
}

static void survives_want_of_memory(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(words_done) struct words w = { 0 };
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = words_parse(SLICE_LIT("sh -c 'a b' \"c\""), &w, &e);
		if (!fail_disarm()) {
			assert_int_equal(st, ST_OK);
			assert_int_equal(w.n, 4);
			assert_true(n > 5);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
		assert_null(w.v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(bounds),
		cmocka_unit_test(quotes),
		cmocka_unit_test(survives_want_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
