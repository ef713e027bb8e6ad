/* One reader of UTF-8 for everybody. */
#include "base/utf8.h"

#include "base/macros.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NONE 0xffffffff

static void test_characters(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n, taken;
		uint32_t c;
	} rows[] = {
		{ "a", 1, 1, 'a' },
		{ "\0", 1, 1, 0 },
		{ "\x7f", 1, 1, 0x7f },
		{ "\xc2\x80x", 3, 2, 0x80 },
		{ "\xdf\xbf", 2, 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 3, 0x800 },
		{ "\xed\x9f\xbf", 3, 3, 0xd7ff },
		{ "\xee\x80\x80", 3, 3, 0xe000 },
		{ "\xef\xbf\xbf", 3, 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff },
		{ "", 0, 0, NONE },
		{ "\x80", 1, 0, NONE },
		{ "\xbf\x80", 2, 0, NONE },
		{ "\xc0\x80", 2, 0, NONE }, /* overlong */
		{ "\xc1\xbf", 2, 0, NONE },
		{ "\xe0\x80\x80", 3, 0, NONE },
		{ "\xe0\x9f\xbf", 3, 0, NONE },
		{ "\xf0\x8f\xbf\xbf", 4, 0, NONE },
		{ "\xed\xa0\x80", 3, 0, NONE }, /* surrogates */
		{ "\xed\xbf\xbf", 3, 0, NONE },
		{ "\xf4\x90\x80\x80", 4, 0, NONE },     /* beyond the last */
		{ "\xf8\x88\x80\x80\x80", 5, 0, NONE }, /* of five bytes */
		{ "\xff", 1, 0, NONE },
		{ "\xc2", 1, 0, NONE }, /* cut */
		{ "\xe2\x82", 2, 0, NONE },
		{ "\xf0\x90\x80", 3, 0, NONE },
		{ "\xc2x", 2, 0, NONE },
		{ "\xe2\x82x", 3, 0, NONE },
		{ "\xe2\xc2\x80", 3, 0, NONE },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint32_t c = NONE;
		size_t n = utf8_next(slice_of(rows[i].bytes, rows[i].n), &c);
		if (n != rows[i].taken || c != rows[i].c)
			fail_msg("row %zu: %zu bytes, U+%04X", i, n, (unsigned)c);
	}
}

static void test_hostile(void **state)
{
	(void)state;
	static const uint32_t hostile[] = { 0,      0x07,   0x0a,   0x1b,   0x1f,    0x7f,    0x85,
		                            0x9b,   0x9f,   0xad,   0x61c,  0x180e,  0x200b,  0x200e,
		                            0x200f, 0x2028, 0x202a, 0x202e, 0x2060,  0x2066,  0x2069,
		                            0x206f, 0xfeff, 0xfff9, 0xfffb, 0xe0001, 0xe007f, 0x10ffff };
	static const uint32_t fine[] = { ' ',   '~',    0xa0,   0xac,   0xae,   0xe9,
		                         0x3b1, 0x2014, 0x20ac, 0x4e2d, 0xfffd, 0x1f512 };
	for (size_t i = 0; i < COUNT_OF(hostile); i++)
		if (!utf8_is_hostile(hostile[i]))
			fail_msg("U+%04X", (unsigned)hostile[i]);
	for (size_t i = 0; i < COUNT_OF(fine); i++)
		if (utf8_is_hostile(fine[i]))
			fail_msg("U+%04X", (unsigned)fine[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
