#include "renewal/record.h"

#include "dice.h"
#include "fail.h"
#include "renewal/owed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define T INT64_C(1900000000) /* 2030-03-17T17:46:40Z */

static const char full_text[] =
	"{\n"
	"  \"version\": 1,\n"
	"  \"serial\": \"340282366920938463463374607431768211455\",\n"
	"  \"notBefore\": \"2030-03-17T17:45:40Z\",\n"
	"  \"notAfter\": \"2030-03-18T17:46:40Z\",\n"
	"  \"since\": \"2030-03-17T17:46:40Z\",\n"
	"  \"seen\": \"2030-03-17T17:46:45Z\",\n"
	"  \"due\": \"2030-03-18T08:00:00Z\",\n"
	"  \"renewed\": \"2030-03-17T17:46:40Z\",\n"
	"  \"failures\": 3,\n"
	"  \"repeats\": 2,\n"
	"  \"kind\": \"seldom\",\n"
	"  \"failed\": \"2030-03-17T17:46:41Z\",\n"
	"  \"retry\": \"2030-03-17T17:46:42Z\",\n"
	"  \"error\": \"error renewing certificate: \\\"no\\\" \\\\ \xc3\xa9\",\n"
	"  \"hookError\": \"exit status 1\",\n"
	"  \"hookFailed\": \"2030-03-17T17:46:43Z\",\n"
	"  \"served\": \"other\",\n"
	"  \"servedAt\": \"2030-03-17T17:46:44Z\",\n"
	"  \"chance\": \"0123456789abcdef\",\n"
	"  \"told\": [\n"
	"    25,\n"
	"    0\n"
	"  ],\n"
	"  \"owed\": [\n"
	"    {\n"
	"      \"hook\": \"ab00000000000000000000000000000000000000000000000000000000000001\",\n"
	"      \"event\": \"rekeyed\",\n"
	"      \"attempts\": 2,\n"
	"      \"next\": \"2030-03-17T17:46:40Z\",\n"
	"      \"until\": \"2030-03-18T17:46:40Z\",\n"
	"      \"elsewhere\": true\n"
	"    }\n"
	"  ]\n"
	"}\n";

static struct record full_record(void)
{
	return (struct record){
		.cert = { "340282366920938463463374607431768211455", { T - 60 }, { T + 86400 } },
		.drawn = true,
		.chance = UINT64_C(0x0123456789abcdef),
		.since = { T },
		.seen = { T + 5 },
		.due = { T + 51200 },
		.renewed = { T },
		.failures = 3,
		.repeats = 2,
		.kind = RETRY_SELDOM,
		.failed = { T + 1 },
		.retry = { T + 2 },
		.error = "error renewing certificate: \"no\" \\ \xc3\xa9",
		.told = 1 << 1 | 1 << 3,
		.owed = { { { { [0] = 0xab, [31] = 1 } }, OWED_REKEYED, 2, { T }, { T + 86400 }, true } },
		.owed_n = 1,
		.hook_error = "exit status 1",
		.hook_failed = { T + 3 },
		.served = SERVED_OTHER,
		.served_at = { T + 4 },
	};
}

static void assert_same(const struct record *a, const struct record *b)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf x = BUF_INIT(RECORD_MAX);
	AUTO(buf_done) struct buf y = BUF_INIT(RECORD_MAX);
	assert_int_equal(record_format(a, &x, &e), ST_OK);
	assert_int_equal(record_format(b, &y, &e), ST_OK);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
}

static void text_of_a_record(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	struct record full = full_record(), got, none = RECORD_NONE;
	assert_int_equal(record_format(&full, &text, &e), ST_OK);
	assert_string_equal(buf_cstr(&text), full_text);
	assert_int_equal(record_parse(buf_slice(&text), &got, &e), ST_OK);
	assert_same(&full, &got);
	assert_int_equal(got.chance, full.chance);
	assert_true(got.drawn);
	assert_int_equal(got.told, full.told);
	assert_memory_equal(got.owed, full.owed, sizeof full.owed[0]);
	assert_string_equal(got.error, full.error);
	buf_reset(&text);
	assert_int_equal(record_format(&none, &text, &e), ST_OK);
	assert_string_equal(buf_cstr(&text), "{\n  \"version\": 1\n}\n");
	assert_int_equal(record_parse(buf_slice(&text), &got, &e), ST_OK);
	assert_false(got.drawn);
	assert_same(&none, &got);
}

static void parses_what_others_write(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{\"version\":1}",
		" {\"version\":1} ",
		"{\"version\":1,\"later\":{\"a\":[1,2]},\"failures\":0}", /* a newer program's member */
		"{\"version\":1,\"told\":[]}",
		"{\"version\":1,\"told\":[50,50]}",
		"{\"version\":1,\"owed\":[]}",
		"{\"version\":1,\"kind\":\"soon\",\"served\":\"unknown\"}",
		"{\"version\":1,\"chance\":\"0000000000000000\"}",
	};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct error e = ERROR_INIT;
		struct record r;
		assert_int_equal(record_parse(slice_cstr(texts[i]), &r, &e), ST_OK);
		assert_int_equal(r.owed_n, 0);
		assert_int_equal(r.failures, 0);
	}
}

#define HOOK "\"hook\":\"ab00000000000000000000000000000000000000000000000000000000000001\""
#define TIMES "\"next\":\"2030-03-17T17:46:40Z\",\"until\":\"2030-03-17T17:46:40Z\""

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum status st;
		const char *why; /* how it begins; NULL: another module's words */
	} rows[] = {
		{ "", ST_INVALID, NULL },
		{ "{", ST_INVALID, NULL },
		{ "{\"version\":1}{", ST_INVALID, NULL },
		{ "{\"version\":1,\"version\":1}", ST_INVALID, NULL },
		{ "{\"version\":1,\"error\":\"\xff\"}", ST_INVALID, NULL },
		{ "{\"version\":1,\"error\":\"\\u0000\"}", ST_INVALID, NULL },
		{ "null", ST_INVALID, "not a record: no version" },
		{ "[]", ST_INVALID, "not a record: no version" },
		{ "1", ST_INVALID, "not a record: no version" },
		{ "{}", ST_INVALID, "not a record: no version" },
		{ "{\"version\":\"1\"}", ST_INVALID, "not a record: no version" },
		{ "{\"version\":1.0}", ST_INVALID, "not a record: no version" },
		{ "{\"version\":2}", ST_CONFLICT, "version 2 is not known here" },
		{ "{\"version\":0}", ST_CONFLICT, "version 0 is not known here" },
		{ "{\"version\":-1}", ST_CONFLICT, "version -1 is not known here" },
		{ "{\"version\":1,\"serial\":\"\"}", ST_INVALID, "'serial': not a decimal number" },
		{ "{\"version\":1,\"serial\":5}", ST_INVALID, "'serial': not a decimal number" },
		{ "{\"version\":1,\"serial\":\"0x5\"}", ST_INVALID, "'serial': not a decimal number" },
		{ "{\"version\":1,\"serial\":\"1234567890123456789012345678901234567890123456789012345678901234\"}",
		  ST_INVALID, "'serial': not a decimal number" },
		{ "{\"version\":1,\"notAfter\":\"yesterday\"}", ST_INVALID, "'notAfter': " },
		{ "{\"version\":1,\"notAfter\":1900000000}", ST_INVALID, "'notAfter': " },
		{ "{\"version\":1,\"notAfter\":null}", ST_INVALID, "'notAfter': " },
		{ "{\"version\":1,\"failures\":-1}", ST_INVALID, "'failures': not a number between 0 and 1000000" },
		{ "{\"version\":1,\"failures\":1000001}", ST_INVALID, "'failures': not a number" },
		{ "{\"version\":1,\"failures\":9223372036854775807}", ST_INVALID, "'failures': not a number" },
		{ "{\"version\":1,\"repeats\":1.5}", ST_INVALID, "'repeats': not a number" },
		{ "{\"version\":1,\"repeats\":\"1\"}", ST_INVALID, "'repeats': not a number" },
		{ "{\"version\":1,\"kind\":\"often\"}", ST_INVALID, "'kind': none of the words known here" },
		{ "{\"version\":1,\"kind\":1}", ST_INVALID, "'kind': none of the words known here" },
		{ "{\"version\":1,\"error\":[]}", ST_INVALID, "'error': not a string" },
		{ "{\"version\":1,\"served\":\"NEW\"}", ST_INVALID, "'served': none of the words known here" },
		{ "{\"version\":1,\"chance\":\"0\"}", ST_INVALID, "'chance': " },
		{ "{\"version\":1,\"chance\":\"00000000000000\"}", ST_INVALID, "'chance': not 16 hexadecimal digits" },
		{ "{\"version\":1,\"chance\":\"0123456789abcdef01\"}", ST_INVALID, "'chance': " },
		{ "{\"version\":1,\"chance\":7}", ST_INVALID, "'chance': not 16 hexadecimal digits" },
		{ "{\"version\":1,\"told\":50}", ST_INVALID, "'told': not a list" },
		{ "{\"version\":1,\"told\":[51]}", ST_INVALID, "'told': none of 50, 25, 10, 0" },
		{ "{\"version\":1,\"told\":[\"50\"]}", ST_INVALID, "'told': none of 50, 25, 10, 0" },
		{ "{\"version\":1,\"owed\":{}}", ST_INVALID, "'owed': not a list" },
		{ "{\"version\":1,\"owed\":[1]}", ST_INVALID, "'owed', entry 1: not 64 hexadecimal digits" },
		{ "{\"version\":1,\"owed\":[{}]}", ST_INVALID, "'owed', entry 1: not 64 hexadecimal digits" },
		{ "{\"version\":1,\"owed\":[{\"hook\":\"rm -rf /\"}]}", ST_INVALID, "'owed', entry 1: " },
		{ "{\"version\":1,\"owed\":[{" HOOK "}]}", ST_INVALID, "'owed', entry 1: none of the words" },
		{ "{\"version\":1,\"owed\":[{" HOOK ",\"event\":\"deployed\",\"attempts\":0," TIMES "}]}", ST_INVALID,
		  "'owed', entry 1: none of the words" },
		{ "{\"version\":1,\"owed\":[{" HOOK ",\"event\":\"renewed\"," TIMES "}]}", ST_INVALID,
		  "'owed', entry 1: not a number" },
		{ "{\"version\":1,\"owed\":[{" HOOK ",\"event\":\"renewed\",\"attempts\":0}]}", ST_INVALID,
		  "'owed', entry 1: " },
		{ "{\"version\":1,\"owed\":[{" HOOK ",\"event\":\"renewed\",\"attempts\":0," TIMES "},{" HOOK
		  ",\"event\":\"failed\",\"attempts\":0," TIMES "}]}",
		  ST_INVALID, "'owed', entry 2: twice" },
		{ "{\"version\":1,\"owed\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", ST_LIMIT,
		  "'owed': more than 24" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct record r = { .failures = 77 };
		enum status st = record_parse(slice_cstr(rows[i].text), &r, &e);
		if (st != rows[i].st || (rows[i].why && strncmp(e.text, rows[i].why, strlen(rows[i].why)) != 0))
			fail_msg("row %zu: %s: %s", i, status_name(st), e.text);
		assert_true(*e.text);
		assert_int_equal(r.failures, 77);
	}
}

static void too_long_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct record r;
	AUTO(buf_done) struct buf text = BUF_INIT(2 * RECORD_MAX);
	buf_adds(&text, "{\"version\":1}");
	while (text.n < RECORD_MAX)
		buf_addc(&text, ' ');
	assert_int_equal(record_parse(buf_slice(&text), &r, &e), ST_OK);
	buf_addc(&text, ' ');
	assert_int_equal(record_parse(buf_slice(&text), &r, &e), ST_LIMIT);
}

/* Every record that can be is shorter than the bound, and survives its text. */
static void largest_record_fits(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct record r = full_record(), back;
	memset(r.error, '"', sizeof r.error - 1);
	memset(r.hook_error, '<', sizeof r.hook_error - 1);
	r.told = 15;
	r.failures = r.repeats = 1000000;
	for (r.owed_n = 0; r.owed_n < RECORD_OWED; r.owed_n++)
		r.owed[r.owed_n] = (struct owed){
			{ { (uint8_t)r.owed_n } }, OWED_EXPIRING, 1000000, { WALL_MAX_S }, { WALL_MIN_S }
		};
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	assert_int_equal(record_format(&r, &text, &e), ST_OK);
	assert_int_equal(record_parse(buf_slice(&text), &back, &e), ST_OK);
	assert_same(&r, &back);
	AUTO(buf_done) struct buf small = BUF_INIT(100);
	assert_int_equal(record_format(&r, &small, &e), ST_LIMIT);
}

/* A torn or overwritten file is refused or is a record; it is never a crash. */
static void damaged_text(void **state)
{
	(void)state;
	struct dice dice = { 8 };
	for (size_t n = 0; n < sizeof full_text - 2; n++) {
		struct error e = ERROR_INIT;
		struct record r;
		if (n < sizeof full_text - 3)
			assert_int_not_equal(record_parse(slice_of(full_text, n), &r, &e), ST_OK);
		for (int k = 0; k < 8; k++) {
			char text[sizeof full_text];
			memcpy(text, full_text, sizeof text);
			text[n] = (char)dice_below(&dice, 256);
			if (!record_parse(slice_of(text, sizeof text - 1), &r, &e)) {
				AUTO(buf_done) struct buf again = BUF_INIT(RECORD_MAX);
				assert_int_equal(record_format(&r, &again, &e), ST_OK);
			}
		}
	}
}

static void text_that_is_kept(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "plain \\ \"text\"", "plain \\ \"text\"" },
		{ "a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xc2\x9b"
		  "31m",
		  "?31m" }, /* CSI as one character: a terminal obeys it */
		{ "\xc2\xa0", "\xc2\xa0" },
		{ "\xff\xfe", "??" },
		{ "\xc3", "?" },
		{ "\xe2\x82", "??" },
		{ "\xc0\xaf", "??" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "\x80", "?" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[RECORD_TEXT];
		record_text(out, rows[i].text);
		assert_string_equal(out, rows[i].want);
	}
	/* Cut at a whole character. */
	char in[2 * RECORD_TEXT], out[RECORD_TEXT];
	memset(in, 'a', sizeof in);
	in[sizeof in - 1] = '\0';
	record_text(out, in);
	assert_int_equal(strlen(out), RECORD_TEXT - 1);
	memcpy(in + RECORD_TEXT - 2, "\xc3\xa9", 2);
	record_text(out, in);
	assert_int_equal(strlen(out), RECORD_TEXT - 2);
}

static void says_whether_a_deployment_is_owed(void **state)
{
	(void)state;
	struct record r = RECORD_NONE;
	assert_false(record_owes_deployment(&r));
	r.owed_n = 2;
	r.owed[0].event = OWED_FAILED;
	r.owed[1].event = OWED_EXPIRING;
	assert_false(record_owes_deployment(&r));
	r.owed[1].event = OWED_RENEWED;
	assert_true(record_owes_deployment(&r));
	r.owed[1].event = OWED_REKEYED;
	assert_true(record_owes_deployment(&r));
}

static void certificates_are_told_apart(void **state)
{
	(void)state;
	const struct cert_facts f = { .serial_text = "12", .not_before = { 1 }, .not_after = { 2 } };
	const struct pair_cert a = pair_cert_of(&f);
	static const struct pair_cert others[] = { { "13", { 1 }, { 2 } },
		                                   { "12", { 0 }, { 2 } },
		                                   { "12", { 1 }, { 3 } } };
	assert_string_equal(a.serial, "12");
	assert_int_equal(a.not_before.s, 1);
	assert_int_equal(a.not_after.s, 2);
	assert_true(pair_cert_same(&a, &a));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_false(pair_cert_same(&a, &others[i]));
}

static void survives_want_of_memory(void **state)
{
	(void)state;
	const struct record full = full_record();
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		struct record r = { .failures = 77 };
		AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status wrote = record_format(&full, &text, &e);
		enum status read = wrote ? wrote : record_parse(buf_slice(&text), &r, &e);
		if (!fail_disarm()) {
			assert_int_equal(read, ST_OK);
			assert_same(&full, &r);
			assert_true(n > 20);
			break;
		}
		assert_int_equal(read, ST_NOMEM);
		assert_int_equal(r.failures, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_a_record),
		cmocka_unit_test(parses_what_others_write),
		cmocka_unit_test(refuses),
		cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(largest_record_fits),
		cmocka_unit_test(damaged_text),
		cmocka_unit_test(text_that_is_kept),
		cmocka_unit_test(says_whether_a_deployment_is_owed),
		cmocka_unit_test(certificates_are_told_apart),
		cmocka_unit_test(survives_want_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
