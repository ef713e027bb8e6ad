/* HTTP/1.1 messages: what is read, and above all what is not. */
#include "net/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LIT(s) s, sizeof(s) - 1
#define OK_LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: ca\r\n"

static void requests_that_are_read(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *method, *path, *query;
		enum http1_framing framing;
		uint64_t length;
		bool keep_alive, expect;
	} rows[] = {
		{ LIT(OK_LINE HOST "\r\n"), "GET", "/", "", HTTP1_EMPTY, 0, true, false },
		{ LIT("POST /1.0/sign?x=%zz&y HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n"), "POST", "/1.0/sign",
		  "x=%zz&y", HTTP1_LENGTH, 12, true, false },
		{ LIT("POST /a%2Fb HTTP/1.1\r\nhOST:ca:443\r\nContent-Length: 0\r\n\r\n"), "POST", "/a%2Fb", "",
		  HTTP1_EMPTY, 0, true, false },
		{ LIT("POST / HTTP/1.1\r\n" HOST "transfer-encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n"), "POST",
		  "/", "", HTTP1_CHUNKED, 0, true, true },
		{ LIT(OK_LINE HOST "Connection: x, CLOSE\r\n\r\n"), "GET", "/", "", HTTP1_EMPTY, 0, false, false },
		{ LIT(OK_LINE HOST "Connection: x\r\nConnection: close\r\n\r\n"), "GET", "/", "", HTTP1_EMPTY, 0, false,
		  false },
		{ LIT("GET / HTTP/1.0\r\n\r\n"), "GET", "/", "", HTTP1_EMPTY, 0, false, false },
		{ LIT("GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n"), "GET", "/", "",
		  HTTP1_EMPTY, 0, true, false },
		{ LIT("GET https://ca.example:443/x?y HTTP/1.1\r\n" HOST "\r\n"), "GET", "/x", "y", HTTP1_EMPTY, 0,
		  true, false },
		{ LIT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), "OPTIONS", "*", "", HTTP1_EMPTY, 0, true, false },
		{ LIT("M-SEARCH /? HTTP/1.1\r\nHost: [::1]:9000\r\nA:\r\nB: \t \r\nC: \xc3\xa9\tx \r\n\r\n"),
		  "M-SEARCH", "/", "", HTTP1_EMPTY, 0, true, false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct http1_head h;
		enum status st = http1_parse_request(slice_of(rows[i].bytes, rows[i].n), &h, &e);
		if (st)
			fail_msg("row %zu: %s", i, e.text);
		assert_true(slice_is(h.method, rows[i].method));
		assert_true(slice_is(h.path, rows[i].path));
		assert_true(slice_is(h.query, rows[i].query));
		assert_int_equal(h.framing, rows[i].framing);
		assert_int_equal(h.length, rows[i].length);
		assert_int_equal(h.keep_alive, rows[i].keep_alive);
		assert_int_equal(h.expect_continue, rows[i].expect);
	}
}

static void requests_that_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} rows[] = {
		{ LIT(""), "without an end" },
		{ LIT("GET / HTTP/1.1\r\n"), "without an end" },
		{ LIT(OK_LINE HOST "\r\nX"), "bytes behind" },
		{ LIT(OK_LINE "\r\n"), "missing required Host" },
		{ LIT(OK_LINE HOST HOST "\r\n"), "too many Host" },
		{ LIT("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), "too many Host" },
		{ LIT(OK_LINE "Host:\r\n\r\n"), "malformed Host" },
		{ LIT(OK_LINE "Host: a b\r\n\r\n"), "malformed Host" },
		{ LIT(OK_LINE "Host: a/b\r\n\r\n"), "malformed Host" },
		{ LIT(OK_LINE "Host: a,b@c\r\n\r\n"), "malformed Host" },
		{ LIT(OK_LINE HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), "more than one Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: 1\r\ncontent-length: 2\r\n\r\n"), "more than one Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: 1, 1\r\n\r\n"), "invalid Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: +1\r\n\r\n"), "invalid Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: -1\r\n\r\n"), "invalid Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: 0x1\r\n\r\n"), "invalid Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length:\r\n\r\n"), "invalid Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: 99999999999999999999\r\n\r\n"), "invalid Content-Length" },
		{ LIT(OK_LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "both" },
		{ LIT(OK_LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), "other than chunked" },
		{ LIT(OK_LINE HOST "Transfer-Encoding: identity\r\n\r\n"), "other than chunked" },
		{ LIT(OK_LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  "other than chunked" },
		{ LIT("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "HTTP/1.0" },
		{ LIT(OK_LINE HOST "A: b\r\n c\r\n\r\n"), "folded" },
		{ LIT(OK_LINE HOST "A: b\r\n\tc\r\n\r\n"), "folded" },
		{ LIT(OK_LINE " " HOST "\r\n"), "folded" },
		{ LIT(OK_LINE HOST "A: b\0c\r\n\r\n"), "invalid header value" },
		{ LIT(OK_LINE HOST "A: b\x01\r\n\r\n"), "invalid header value" },
		{ LIT(OK_LINE HOST "A: b\x7f\r\n\r\n"), "invalid header value" },
		{ LIT(OK_LINE HOST "A: b\rc\r\n\r\n"), "invalid header value" },
		{ LIT(OK_LINE HOST "A : b\r\n\r\n"), "invalid header name" },
		{ LIT(OK_LINE HOST ": b\r\n\r\n"), "invalid header name" },
		{ LIT(OK_LINE HOST "A\0: b\r\n\r\n"), "invalid header name" },
		{ LIT(OK_LINE HOST "\xc3\xa9: b\r\n\r\n"), "invalid header name" },
		{ LIT(OK_LINE HOST "no colon\r\n\r\n"), "without a colon" },
		{ LIT("GET / HTTP/1.1\n" HOST "\r\n"), "CR LF" },
		{ LIT(OK_LINE "Host: ca\n\r\n"), "CR LF" },
		{ LIT(OK_LINE HOST "\n"), "CR LF" },
		{ LIT("\r\n" OK_LINE HOST "\r\n"), "request line" },
		{ LIT("GET /\r\n" HOST "\r\n"), "request line" },
		{ LIT("GET\r\n\r\n"), "request line" },
		{ LIT(" / HTTP/1.1\r\n" HOST "\r\n"), "request line" },
		{ LIT("G{T / HTTP/1.1\r\n" HOST "\r\n"), "request line" },
		{ LIT("GET / HTTP/1.1 \r\n" HOST "\r\n"), "version" },
		{ LIT("GET / / HTTP/1.1\r\n" HOST "\r\n"), "version" },
		{ LIT("GET / HTTP/1.2\r\n" HOST "\r\n"), "version" },
		{ LIT("GET / http/1.1\r\n" HOST "\r\n"), "version" },
		{ LIT("PRI * HTTP/2.0\r\n\r\n"), "version" },
		{ LIT("GET  HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET x HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET * HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET https:///x HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET https://h HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET /a\tb HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET /%z1 HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("GET /%1 HTTP/1.1\r\n" HOST "\r\n"), "target" },
		{ LIT("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"), "target" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct http1_head h;
		if (http1_parse_request(slice_of(rows[i].bytes, rows[i].n), &h, &e) != ST_INVALID)
			fail_msg("row %zu was not refused: %s", i, rows[i].bytes);
		if (!strstr(e.text, rows[i].why))
			fail_msg("row %zu: '%s' does not say '%s'", i, e.text, rows[i].why);
	}
}

static void fields_are_counted(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		AUTO(buf_done) struct buf b = BUF_INIT(1 << 16);
		struct error e = ERROR_INIT;
		struct http1_head h;
		buf_adds(&b, OK_LINE HOST);
		for (int i = 1; i < HTTP1_FIELDS_MAX + extra; i++)
			buf_adds(&b, "A: b\r\n");
		buf_adds(&b, "\r\n");
		assert_int_equal(http1_parse_request(buf_slice(&b), &h, &e), extra ? ST_LIMIT : ST_OK);
	}
}

static void fields_are_found(void **state)
{
	struct error e = ERROR_INIT;
	struct http1_head h;
	(void)state;
	assert_int_equal(http1_parse_request(slice_of(LIT(OK_LINE HOST "X-A: one\r\nx-a: two\r\n\r\n")), &h, &e),
	                 ST_OK);
	assert_true(slice_is(http1_find(&h, "X-a")->value, "one"));
	assert_null(http1_find(&h, "X-"));
	assert_null(http1_find(&h, "X-AB"));
}

static void responses(void **state)
{
	static const struct {
		const char *bytes;
		bool to_head;
		enum status st;
		int status;
		enum http1_framing framing;
		const char *reason;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, ST_OK, 200, HTTP1_LENGTH, "OK" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, ST_OK, 200, HTTP1_EMPTY, "OK" },
		{ "HTTP/1.1 201\r\nTransfer-Encoding: chunked\r\n\r\n", false, ST_OK, 201, HTTP1_CHUNKED, "" },
		{ "HTTP/1.0 404 Not Found\r\n\r\n", false, ST_OK, 404, HTTP1_UNTIL_CLOSE, "Not Found" },
		{ "HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", false, ST_OK, 204, HTTP1_EMPTY, "" },
		{ "HTTP/1.1 100 Continue\r\n\r\n", false, ST_OK, 100, HTTP1_EMPTY, "Continue" },
		{ "HTTP/1.1 304 x\r\n\r\n", false, ST_OK, 304, HTTP1_EMPTY, "x" },
		{ "HTTP/1.1 099 x\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 +20 x\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 20 OK\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 2000 OK\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1  200 OK\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/2 200 OK\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "<html>\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 200 O\x01K\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", false, ST_INVALID, 0, 0, "" },
		{ "HTTP/1.1 200 OK\n\n", false, ST_INVALID, 0, 0, "" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct http1_head h;
		enum status st = http1_parse_response(slice_cstr(rows[i].bytes), rows[i].to_head, &h, &e);
		if (st != rows[i].st)
			fail_msg("row %zu: %s", i, e.text);
		if (st)
			continue;
		assert_int_equal(h.status, rows[i].status);
		assert_int_equal(h.framing, rows[i].framing);
		assert_true(slice_is(h.reason, rows[i].reason));
	}
}

static void chunked_bodies(void **state)
{
	static const struct {
		const char *in, *body;
		enum status st;
		bool done;
		size_t left; /* bytes not used */
	} rows[] = {
		{ "0\r\n\r\n", "", ST_OK, true, 0 },
		{ "5\r\nhello\r\n0\r\n\r\n", "hello", ST_OK, true, 0 },
		{ "5;a=b\r\nhello\r\n6 ; x\r\n world\r\n00\r\nT: v\r\nU: w\r\n\r\nGET", "hello world", ST_OK, true, 3 },
		{ "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", ST_OK, true, 0 },
		{ "5\r\nhel", "hel", ST_OK, false, 0 },
		{ "", "", ST_OK, false, 0 },
		{ "\r\n", NULL, ST_INVALID, false, 0 },
		{ " 5\r\nhello\r\n", NULL, ST_INVALID, false, 0 },
		{ "-5\r\nhello\r\n", NULL, ST_INVALID, false, 0 },
		{ "0x5\r\nhello\r\n", NULL, ST_INVALID, false, 0 },
		{ "g\r\n", NULL, ST_INVALID, false, 0 },
		{ "5\nhello\n", NULL, ST_INVALID, false, 0 },
		{ "5\r\rhello", NULL, ST_INVALID, false, 0 },
		{ "5;\x01\r\nhello\r\n", NULL, ST_INVALID, false, 0 },
		{ "5\r\nhello!\n", NULL, ST_INVALID, false, 0 },
		{ "5\r\nhello\r!", NULL, ST_INVALID, false, 0 },
		{ "5\r\nhello0\r\n\r\n", NULL, ST_INVALID, false, 0 },
		{ "0\r\nT: \x02\r\n\r\n", NULL, ST_INVALID, false, 0 },
		{ "0\r\n\r!", NULL, ST_INVALID, false, 0 },
		{ "0\r\nT: v\r!", NULL, ST_INVALID, false, 0 },
		{ "1000000000000000\r\n", NULL, ST_INVALID, false, 0 },
		{ "FFFFFFFFFFFFFFFF\r\n", NULL, ST_INVALID, false, 0 },
		{ "21\r\n012345678901234567890123456789012", NULL, ST_LIMIT, false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(32);
		struct http1_chunked c = HTTP1_CHUNKED_INIT;
		struct error e = ERROR_INIT;
		size_t used = 0, n = strlen(rows[i].in);
		enum status st = http1_chunked_feed(&c, slice_cstr(rows[i].in), &out, &used, &e);
		if (st != rows[i].st)
			fail_msg("row %zu: %s %s", i, status_name(st), e.text);
		if (st)
			continue;
		assert_string_equal(buf_cstr(&out), rows[i].body);
		assert_int_equal(c.done, rows[i].done);
		assert_int_equal(n - used, rows[i].left);
	}
}

/* Endless extensions and trailers are no way around the body's limit. */
static void chunk_overhead_is_bounded(void **state)
{
	static const char *const starts[] = { "5;", "0\r\nT: ", "0\r\n" };
	static const char *const more[] = { "x", "x", "T: v\r\n" };
	(void)state;
	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(32);
		struct http1_chunked c = HTTP1_CHUNKED_INIT;
		struct error e = ERROR_INIT;
		size_t used, fed = 0;
		assert_int_equal(http1_chunked_feed(&c, slice_cstr(starts[i]), &out, &used, &e), ST_OK);
		while (fed < 20000 && !http1_chunked_feed(&c, slice_cstr(more[i]), &out, &used, &e))
			fed += used;
		assert_in_range(fed, 100, 19999);
	}
}

static void texts(void **state)
{
	char date[HTTP1_DATE];
	AUTO(buf_done) struct buf b = BUF_INIT(256);
	(void)state;
	assert_string_equal(http1_date((struct wall){ 0 }, date), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(http1_date((struct wall){ 1795431117 }, date), "Mon, 23 Nov 2026 10:51:57 GMT");
	assert_string_equal(http1_reason(404), "Not Found");
	assert_string_equal(http1_reason(299), "Unknown");
	http1_add_field(&b, "A", "b\r\nEvil: 1");
	assert_string_equal(buf_cstr(&b), "A: b??Evil: 1\r\n");
}

static void dates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t s; /* -1: refused */
	} rows[] = {
		{ "Mon, 23 Nov 2026 10:51:57 GMT", 1795431117 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "", -1 },
		{ "Mon, 23 Nov 2026 10:51:57 GMT ", -1 },
		{ "Tue, 23 Nov 2026 10:51:57 GMT", -1 }, /* was a Monday */
		{ "Mon, 23 nov 2026 10:51:57 GMT", -1 }, /* RFC 9110 §5.6.7: case counts */
		{ "Mon, 23 Nov 2026 10:51:57 UTC", -1 },
		{ "Mon, 23 Nov 2026 24:51:57 GMT", -1 },
		{ "Mon, 23 Nov 2026 10:60:57 GMT", -1 },
		{ "Mon, 31 Nov 2026 10:51:57 GMT", -1 },
		{ "Thu, 29 Feb 2023 23:59:59 GMT", -1 },
		{ "Mon, -3 Nov 2026 10:51:57 GMT", -1 },
		{ "Mon, 23 XXX 2026 10:51:57 GMT", -1 },
		{ "Mon, 23-Nov-2026 10:51:57 GMT", -1 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", -1 }, /* obsolete */
		{ "Sun Nov  6 08:49:37 1994", -1 },
		{ "1795431117", -1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct wall t = { -7 };
		struct error e = ERROR_INIT;
		enum status st = http1_parse_date(slice_cstr(rows[i].text), &t, &e);
		if ((st == ST_OK) != (rows[i].s >= 0) || t.s != (st ? -7 : rows[i].s))
			fail_msg("%s: %d, %lld", rows[i].text, st, (long long)t.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_that_are_read),
		cmocka_unit_test(requests_that_are_refused),
		cmocka_unit_test(fields_are_counted),
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(responses),
		cmocka_unit_test(chunked_bodies),
		cmocka_unit_test(chunk_overhead_is_bounded),
		cmocka_unit_test(texts),
		cmocka_unit_test(dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
