#include "testing.h"

#include <openssl/bn.h>

#define MAX160 "1461501637330902918203684832716283019655932542975"

static void normalized_as_go_reads_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{ "0", "0" },
		{ "123", "123" },
		{ "+5", "5" },
		{ "0x7b", "123" },
		{ "0X7B", "123" },
		{ "0xaBcD", "43981" },
		{ "0b101", "5" },
		{ "0B11", "3" },
		{ "0o17", "15" },
		{ "0O7", "7" },
		{ "017", "15" },
		{ "00", "0" },
		{ "0_7", "7" },
		{ "1_000", "1000" },
		{ "0x_1", "1" },
		{ "0x1_f", "31" },
		{ MAX160, MAX160 },
		{ "0xffffffffffffffffffffffffffffffffffffffff", MAX160 },
		{ "0x0000000000000000000000000000000000000000000000000000001", "1" },
		{ "259912041642344523121664", "259912041642344523121664" },
		{ "", NULL },
		{ "zz", NULL },
		{ "-1", NULL },
		{ "-0", NULL },
		{ "08", NULL },
		{ "0x", NULL },
		{ "0b", NULL },
		{ "0o", NULL },
		{ "0b2", NULL },
		{ "0o8", NULL },
		{ "0xg", NULL },
		{ "_1", NULL },
		{ "1_", NULL },
		{ "1__0", NULL },
		{ "0x_", NULL },
		{ "0__7", NULL },
		{ "+", NULL },
		{ "++1", NULL },
		{ " 1", NULL },
		{ "1 ", NULL },
		{ "1.0", NULL },
		{ "1e3", NULL },
		{ "ff", NULL },
		{ "\x1b[2J", NULL },
		{ "1461501637330902918203684832716283019655932542976", NULL },
		{ "0x10000000000000000000000000000000000000000", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		char out[SERIAL_TEXT] = "untouched";
		enum status st = serial_normalize(slice_cstr(rows[i].in), out, &e);
		if (!!st != !rows[i].out)
			fail_msg("'%s': %s", rows[i].in, status_name(st));
		assert_string_equal(out, rows[i].out ? rows[i].out : "untouched");
		assert_false(contains(slice_cstr(e.text), "\x1b"));
	}
	struct error e;
	char out[SERIAL_TEXT], zeros[400];
	memset(zeros, '0', sizeof zeros);
	assert_fails(serial_normalize(slice_of(zeros, sizeof zeros), out, &e), ST_INVALID); /* too long to look at */
	assert_fails(serial_normalize(SLICE_LIT("1\0"), out, &e), ST_INVALID);
	assert_fails(serial_normalize(SLICE_LIT("zz"), out, &e), ST_INVALID);
	assert_string_equal(e.text, "'zz' is not a valid serial number - use a base 10 representation or a base 16 "
	                            "representation with '0x' prefix");
}

static void formatted(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *text;
	} rows[] = {
		{ "", "0" },
		{ "00", "0" },
		{ "0000", "0" },
		{ "01", "1" },
		{ "0a", "10" },
		{ "ff", "255" },
		{ "00ff", "255" },
		{ "0100", "256" },
		{ "ffffffffffffffffffffffffffffffff", "340282366920938463463374607431768211455" },
		{ "00ffffffffffffffffffffffffffffffffffffffff", MAX160 },
		{ "010000000000000000000000000000000000000000", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		char out[SERIAL_TEXT], again[SERIAL_TEXT];
		AUTO(buf_done) struct buf in = BUF_INIT(0);
		struct slice magnitude = unhex(rows[i].hex, &in);
		if (!rows[i].text) {
			assert_fails(serial_format(magnitude, out, &e), ST_INVALID);
			continue;
		}
		assert_ok(serial_format(magnitude, out, &e));
		assert_string_equal(out, rows[i].text);
		assert_ok(serial_normalize(slice_cstr(out), again, &e));
		assert_string_equal(again, out);
	}
}

/* Always 39 digits, in the order of their seconds as numbers and as text, and 88 bits that nobody touched. */
static void stamped(void **state)
{
	(void)state;
	static const struct {
		int64_t s, tick_ns;
		const char *front;
	} rows[] = {
		{ 0, 0, "6000000000" },
		{ 0, 31249999, "6000000000" },
		{ 0, 31250000, "6000000001" },
		{ 0, INT64_C(7999999999), "600000001f" },
		{ 1, 5, "6000000020" },
		{ 1800000000, 500000000, "6d693a4010" },
		{ UINT32_MAX, 999999999, "7fffffffff" },
		{ INT64_C(1) << 32, 0, "6000000000" },
	};
	static const uint8_t random[2][11] = { { 0 }, { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } };
	char before[SERIAL_TEXT] = "";
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t r = 0; r < 2; r++) {
			struct error e;
			char text[SERIAL_TEXT];
			uint8_t serial[SERIAL_NEW];
			AUTO(buf_done) struct buf front = BUF_INIT(0);
			memcpy(serial + 5, random[r], sizeof random[r]);
			serial_stamp(serial, (struct wall){ rows[i].s }, (struct mono){ rows[i].tick_ns });
			assert_true(slice_eq(slice_of(serial, 5), unhex(rows[i].front, &front)));
			assert_memory_equal(serial + 5, random[r], sizeof random[r]);
			assert_ok(serial_format(slice_of(serial, sizeof serial), text, &e));
			assert_int_equal(strlen(text), 39);
			if (i && rows[i].s > rows[i - 1].s && rows[i].s <= UINT32_MAX)
				assert_true(strcmp(before, text) < 0);
			if (r)
				memcpy(before, text, sizeof text);
		}
	}
}

/* Of every length, against OpenSSL's numbers. */
static void formatted_as_openssl_does(void **state)
{
	(void)state;
	uint8_t octets[20];
	for (uint32_t round = 0, x = 1; round < 4000; round++) {
		struct error e;
		char out[SERIAL_TEXT];
		size_t n = round % (sizeof octets + 1);
		for (size_t i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			octets[i] = x >> 30 ? (uint8_t)(x >> 16) : 0; /* many zeros */
		}
		assert_ok(serial_format(slice_of(octets, n), out, &e));
		AUTO(BN_clear_free_p) BIGNUM *bn = BN_bin2bn(octets, (int)n, NULL);
		char *expected = BN_bn2dec(bn);
		assert_string_equal(out, expected);
		OPENSSL_free(expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formatted_as_openssl_does),
		cmocka_unit_test(normalized_as_go_reads_numbers),
		cmocka_unit_test(formatted),
		cmocka_unit_test(stamped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
