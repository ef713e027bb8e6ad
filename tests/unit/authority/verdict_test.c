#include "decide.h"

static void texts(void **state)
{
	(void)state;
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "line\nfeed\ttab\x7f", "line?feed?tab?" },
		{ "\x1b[31mred", "?[31mred" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe2\x82\xac \xf0\x9f\x94\x92", "\xe2\x82\xac \xf0\x9f\x94\x92" },
		{ "latin \xfc!", "latin ?!" },
		{ "cut \xe2\x82", "cut ??" },
		{ "overlong \xc0\xaf", "overlong ??" },
		{ "surrogate \xed\xa0\x80", "surrogate ???" },
		{ "beyond \xf4\x90\x80\x80", "beyond ????" },
		{ "\x80\xbf", "??" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v = VERDICT_GRANTED;
		verdict_refuse(&v, REFUSAL_FORBIDDEN, "%s", rows[i].in);
		verdict_tell(&v, "%s", rows[i].in);
		verdict_advise(&v, "%s", rows[i].in);
		assert_string_equal(v.reason, rows[i].want);
		assert_string_equal(v.message, rows[i].want);
		assert_string_equal(v.remedy, rows[i].want);
	}
}

/* What does not fit is cut between characters: JSON must hold it. */
static void long_texts(void **state)
{
	(void)state;
	static const char *const characters[] = { "x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x94\x92" };
	for (size_t c = 0; c < COUNT_OF(characters); c++) {
		size_t n = strlen(characters[c]);
		for (size_t pad = 0; pad < 4; pad++) {
			struct verdict v = VERDICT_GRANTED;
			AUTO(buf_done) struct buf b = BUF_INIT(4096);
			buf_add(&b, "....", pad);
			while (b.n < 1000)
				buf_adds(&b, characters[c]);
			verdict_refuse(&v, REFUSAL_FORBIDDEN, "%s", buf_cstr(&b));
			assert_int_equal(strlen(v.reason), pad + (sizeof v.reason - 1 - pad) / n * n);
			assert_memory_equal(v.reason, buf_cstr(&b), strlen(v.reason));
		}
	}
}

static void frames(void **state)
{
	(void)state;
	static const struct {
		enum refusal r;
		bool bare;
	} rows[] = {
		{ REFUSAL_MALFORMED, false },  { REFUSAL_FORBIDDEN, false }, { REFUSAL_UNAUTHORIZED, true },
		{ REFUSAL_MISSING, true },     { REFUSAL_INTERNAL, true },   { REFUSAL_UNSUPPORTED, true },
		{ REFUSAL_UNAVAILABLE, true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		memset(&v, 0xa5, sizeof v);
		verdict_refuse(&v, rows[i].r, "r");
		assert_int_equal(v.refusal, rows[i].r);
		assert_string_equal(v.message, "");
		assert_string_equal(v.remedy, "");
		assert_false(v.bare);
		verdict_tell(&v, "m %d", 1);
		assert_string_equal(v.reason, "r");
		assert_int_equal(v.bare, rows[i].bare);
		memset(&v, 0xa5, sizeof v);
		verdict_refuse_told(&v, rows[i].r, "both %d", 2);
		assert_string_equal(v.message, "both 2");
		assert_string_equal(v.reason, "both 2");
		assert_string_equal(v.remedy, "");
		assert_int_equal(v.bare, rows[i].bare);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
