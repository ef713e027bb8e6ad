#include "os/log.h"

#include "fail.h"
#include "os/file.h"
#include "scratch.h"

static const struct wall noon = { 1795431117 }; /* 2026-11-23T10:51:57Z */

static const char *record(enum log_format format, enum log_level level, const char *message, const struct log_field *f,
                          size_t n)
{
	static struct buf out;
	buf_done(&out);
	out = BUF_INIT(1 << 20);
	log_format_record(&out, format, noon, 123456789, level, message, f, n);
	return buf_cstr(&out);
}

static void records_read_as_logrus_writes_them(void **state)
{
	(void)state;
	const struct log_field f[] = { LF_STR("path", "/1.0/sign"), LF_STR("none", NULL),   LF_STR("referer", ""),
		                       LF_INT("status", 201),       LF_INT("n", INT64_MIN), LF_BOOL("ok", true),
		                       LF_BOOL("bad", 0),           LF_STR("who", "a b") };
	assert_string_equal(record(LOG_TEXT, LOG_INFO_, "hello", f, COUNT_OF(f)),
	                    "time=\"2026-11-23T10:51:57Z\" level=info msg=hello path=/1.0/sign referer= status=201 "
	                    "n=-9223372036854775808 ok=true bad=false who=\"a b\"\n");
	assert_string_equal(
		record(LOG_JSON, LOG_WARN, "hello there", f, COUNT_OF(f)),
		"{\"time\":\"2026-11-23T10:51:57.123456Z\",\"level\":\"warning\",\"msg\":\"hello there\",\"path\":"
		"\"/1.0/sign\",\"referer\":\"\",\"status\":201,\"n\":-9223372036854775808,\"ok\":true,\"bad\":false,"
		"\"who\":\"a b\"}\n");
	assert_non_null(strstr(record(LOG_TEXT, LOG_DEBUG_, "x", NULL, 0), " level=debug "));
	assert_non_null(strstr(record(LOG_TEXT, LOG_ERROR, "x", NULL, 0), " level=error "));
}

static void hostile_bytes_are_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *in, *text, *json;
	} cases[] = {
		{ "a\nlevel=error", "\"a\\nlevel=error\"", "\"a\\nlevel=error\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
		{ "\x1b[2J", "\"\\x1b[2J\"", "\"\\u001b[2J\"" },
		{ "\r\t\b\f", "\"\\r\\t\\b\\f\"", "\"\\r\\t\\b\\f\"" },
		{ "\x01\x7f", "\"\\x01\\x7f\"", "\"\\u0001\\u007f\"" },
		{ "\xff", "\"\\xff\"", "\"\\ufffd\"" },
		{ "\xc0\xaf", "\"\\xc0\\xaf\"", "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x82", "\"\\xe2\\x82\"", "\"\\ufffd\\ufffd\"" },
		{ "\xc2\x9b"
		  "2J",
		  "\"\\u009b2J\"", "\"\\u009b2J\"" },
		{ "\xe2\x80\xae"
		  "abc",
		  "\"\\u202eabc\"", "\"\\u202eabc\"" },
		{ "\xe2\x80\xa8", "\"\\u2028\"", "\"\\u2028\"" },
		{ "\xf3\xa0\x80\x81", "\"\\U000e0001\"", "\"\\udb40\\udc01\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\"",
		  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\"" },
		{ "a=b", "\"a=b\"", "\"a=b\"" },
		{ "a{", "\"a{\"", "\"a{\"" },
		{ "aZ09-._/@^+", "aZ09-._/@^+", "\"aZ09-._/@^+\"" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char want[256];
		snprintf(want, sizeof want, " v=%s after=1\n", cases[i].text);
		const struct log_field f[] = { LF_STR("v", cases[i].in), LF_INT("after", 1) };
		const char *got = record(LOG_TEXT, LOG_INFO_, "m", f, 2);
		if (!strstr(got, want))
			fail_msg("case %zu: %s", i, got);
		snprintf(want, sizeof want, ",\"v\":%s,\"after\":1}\n", cases[i].json);
		got = record(LOG_JSON, LOG_INFO_, "m", f, 2);
		if (!strstr(got, want))
			fail_msg("case %zu: %s", i, got);
		/* The message is a value like any other. */
		got = record(LOG_TEXT, LOG_INFO_, cases[i].in, NULL, 0);
		assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
		assert_null(strchr(got, '\x1b'));
	}
}

static void long_values_are_cut_and_said_so(void **state)
{
	(void)state;
	static char big[100000];
	memset(big, 'x', sizeof big - 1);
	const struct log_field f[] = { LF_STR("v", big) };
	const char *got = record(LOG_TEXT, LOG_INFO_, "m", f, 1);
	assert_true(strlen(got) < 20000);
	assert_non_null(strstr(got, "xxx... (99999 bytes)\"\n"));
}

/* Through the sink: one write a record, whatever fails. */
static void records_go_out_as_one_line(void **state)
{
	(void)state;
	const char *path = in_scratch("log");
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(setenv("JOURNAL_STREAM", "0:0", 1), 0);
	log_setup(LOG_TEXT, fd);
	LOG_EVENT(LOG_INFO_, "issued", LF_STR("serial", "12"), LF_INT("status", 201));
	log_line(LOG_ERROR, "%s %d", "number", 7);
	const char *got = get_file(path);
	assert_int_equal(strncmp(got, "time=\"20", 8), 0);
	assert_non_null(strstr(got, "level=info msg=issued serial=12 status=201\n"));
	assert_non_null(strstr(got, "level=error msg=\"number 7\"\n"));

	/* The journal's stream is told the level; another descriptor is not. */
	struct stat st;
	char stream[64];
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_setup(LOG_JSON, fd);
	static const struct {
		enum log_level level;
		const char *want;
	} levels[] = { { LOG_DEBUG_, "<7>{" }, { LOG_INFO_, "<6>{" }, { LOG_WARN, "<4>{" }, { LOG_ERROR, "<3>{" } };
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		log_line(levels[i].level, "x");
		assert_int_equal(strncmp(get_file(path), levels[i].want, 4), 0);
	}
	unsetenv("JOURNAL_STREAM");
	log_setup(LOG_TEXT, fd);

	/* Out of memory: a line says that a record is missing. */
	for (unsigned n = 1;; n++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		fail_arm(FAIL_ALLOC, n, 0);
		LOG_EVENT(LOG_INFO_, "issued", LF_STR("serial", "12"));
		bool hit = fail_disarm();
		got = get_file(path);
		assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
		if (!hit)
			break;
		assert_true(strstr(got, "was lost") || strstr(got, "fields-left-out=true"));
	}
	close(fd);
	log_setup(LOG_TEXT, STDERR_FILENO);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(records_read_as_logrus_writes_them),
		CASE(hostile_bytes_are_escaped),
		CASE(long_values_are_cut_and_said_so),
		CASE(records_go_out_as_one_line),
	};
	int failed = cmocka_run_group_tests_name("os/log", tests, NULL, NULL);
	(void)record(LOG_TEXT, LOG_INFO_, "", NULL, 0);
	return failed;
}
