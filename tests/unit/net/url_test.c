/* URLs, proxies, listening addresses and the rules of NO_PROXY. */
#include "net/https.h"
#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

typedef enum status parser(const char *text, struct url *ret, struct error *e);

static void addresses_that_are_read(void **state)
{
	static const struct {
		parser *parse;
		const char *text, *host;
		int port;
		const char *target, *userinfo, *authority;
	} rows[] = {
		{ url_parse_https, "https://ca.example", "ca.example", 443, "/", "", "ca.example" },
		{ url_parse_https, "HTTPS://ca:9000/root/ab?x=1", "ca", 9000, "/root/ab?x=1", "", "ca:9000" },
		{ url_parse_https, "https://[::1]:9000/", "::1", 9000, "/", "", "[::1]:9000" },
		{ url_parse_https, "https://[fe80::1]", "fe80::1", 443, "/", "", "[fe80::1]" },
		{ url_parse_http, "http://ca.example/1.0/crl", "ca.example", 80, "/1.0/crl", "", "ca.example:80" },
		{ url_parse_http, "HTTP://[::1]:8080/?pem", "::1", 8080, "/?pem", "", "[::1]:8080" },
		{ url_parse_https, "https://127.0.0.1:443/a@b:c", "127.0.0.1", 443, "/a@b:c", "", "127.0.0.1" },
		{ url_parse_proxy, "http://p:3128", "p", 3128, "/", "", "p:3128" },
		{ url_parse_proxy, "p", "p", 80, "/", "", "p:80" },
		{ url_parse_proxy, "http://u:p@x@p:1/", "p", 1, "/", "u:p@x", "p:1" },
		{ url_parse_listen, ":443", "", 443, NULL, "", "" },
		{ url_parse_listen, "[::1]:0", "::1", 0, NULL, "", "[::1]:0" },
		{ url_parse_listen, "localhost:65535", "localhost", 65535, NULL, "", "localhost:65535" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct url u;
		char text[AUTHORITY_MAX];
		if (rows[i].parse(rows[i].text, &u, &e))
			fail_msg("row %zu: %s", i, e.text);
		assert_string_equal(u.host, rows[i].host);
		assert_int_equal(u.port, rows[i].port);
		if (rows[i].target)
			assert_true(slice_is(u.target, rows[i].target));
		assert_true(slice_is(u.userinfo, rows[i].userinfo));
		assert_string_equal(url_authority(&u, 443, text), rows[i].authority);
	}
}

#define LABEL64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void addresses_that_are_refused(void **state)
{
	static const struct {
		parser *parse;
		const char *text;
	} rows[] = {
		{ url_parse_https, "" },
		{ url_parse_https, "ca.example" },
		{ url_parse_https, "http://ca" },
		{ url_parse_https, "ftp://ca" },
		{ url_parse_https, "https:/ca" },
		{ url_parse_https, "https://" },
		{ url_parse_https, "https:///x" },
		{ url_parse_https, "https://:443" },
		{ url_parse_https, "https://ca:" },
		{ url_parse_https, "https://ca:0" },
		{ url_parse_https, "https://ca:65536" },
		{ url_parse_https, "https://ca:+1" },
		{ url_parse_https, "https://ca:4x" },
		{ url_parse_https, "https://ca:1:2" },
		{ url_parse_https, "https://::1" },
		{ url_parse_https, "https://[::1" },
		{ url_parse_https, "https://[::1]x" },
		{ url_parse_https, "https://[127.0.0.1]" },
		{ url_parse_https, "https://[]" },
		{ url_parse_https, "https://u@ca" },
		{ url_parse_https, "https://u:p@ca/" },
		{ url_parse_https, "https://@ca/" },
		{ url_parse_https, "https://ca/a b" },
		{ url_parse_https, "https://ca/a\r\nHost: x" },
		{ url_parse_http, "https://ca/" },
		{ url_parse_http, "http://u:p@ca/" },
		{ url_parse_http, "http://ca/a\r\nHost: x" },
		{ url_parse_http, "ca/" },
		{ url_parse_https, "https://ca/#top" },
		{ url_parse_https, "https://ca?x" },
		{ url_parse_https, "https://c\xc3\xa4" },
		{ url_parse_https, "https://c%61" },
		{ url_parse_https, "https://" LABEL64 LABEL64 LABEL64 LABEL64 },
		{ url_parse_proxy, "" },
		{ url_parse_proxy, "https://p:1" },
		{ url_parse_proxy, "socks5://p:1" },
		{ url_parse_proxy, "http://u:p@" },
		{ url_parse_proxy, "http://p:1/\n" },
		{ url_parse_listen, "" },
		{ url_parse_listen, "443" },
		{ url_parse_listen, "ca" },
		{ url_parse_listen, "ca:" },
		{ url_parse_listen, "ca:x" },
		{ url_parse_listen, ":-1" },
		{ url_parse_listen, ":70000" },
		{ url_parse_listen, "::1:443" },
		{ url_parse_listen, "a/b:443" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct url u;
		if (rows[i].parse(rows[i].text, &u, &e) != ST_INVALID)
			fail_msg("row %zu was not refused: %s", i, rows[i].text);
		assert_true(e.text[0]);
	}
}

static void escapes(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = { { "", "" },    { "a%20b%3A", "a b:" }, { "%41%62", "Ab" },
		     { "%", NULL }, { "%4", NULL },         { "%4x", NULL } };
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(64);
		struct error e = ERROR_INIT;
		enum status st = url_unescape(slice_cstr(rows[i].in), &out, &e);
		assert_int_equal(st, rows[i].out ? ST_OK : ST_INVALID);
		if (!st)
			assert_string_equal(buf_cstr(&out), rows[i].out);
	}
}

static void when_the_proxy_is_used(void **state)
{
	static const struct {
		const char *url, *no_proxy;
		bool used;
	} rows[] = {
		{ "https://ca.corp:9000/", NULL, true },
		{ "https://ca.corp:9000/", "", true },
		{ "https://ca.corp:9000/", "other.corp,a.corp, ", true },
		{ "https://ca.corp:9000/", "*", false },
		{ "https://ca.corp:9000/", "x, * ,y", false },
		{ "https://ca.corp:9000/", "ca.corp", false },
		{ "https://CA.corp:9000/", "x,Ca.Corp", false },
		{ "https://ca.corp:9000/", "corp", false },
		{ "https://ca.corp:9000/", ".corp", false },
		{ "https://ca.corp:9000/", "*.corp", false },
		{ "https://ca.corp:9000/", ".ca.corp", true },
		{ "https://ca.corp:9000/", "*.ca.corp", true },
		{ "https://ca.corp:9000/", "a.corp", true },
		{ "https://ca.corp:9000/", "ca.corp.uk", true },
		{ "https://ca.corp:9000/", "ca.corp:9000", false },
		{ "https://ca.corp:9000/", "ca.corp:9001", true },
		{ "https://ca.corp/", "ca.corp:443", false },
		{ "https://ca.corp/", ".", true },
		{ "https://ca.corp/", "*.", true },
		{ "https://10.1.2.3/", "10.0.0.0/8", false },
		{ "https://10.1.2.3/", "10.1.2.2/31", false },
		{ "https://10.1.2.3/", "10.1.2.4/31", true },
		{ "https://10.1.2.3/", "11.0.0.0/8", true },
		{ "https://10.1.2.3/", "0.0.0.0/0", false },
		{ "https://10.1.2.3/", "10.0.0.0/33", true },
		{ "https://10.1.2.3/", "10.0.0.0/x", true },
		{ "https://10.1.2.3/", "10.1.2.3", false },
		{ "https://10.1.2.3/", "10.1.2.3:443", false },
		{ "https://10.1.2.3/", "10.1.2.3:80", true },
		{ "https://10.1.2.3/", "2.3", false }, /* as names go: a suffix; the peer has it so too */
		{ "https://[2001:db8::1]/", "2001:db8::/32", false },
		{ "https://[2001:db8::1]/", "2001:db9::/32", true },
		{ "https://[2001:db8::1]/", "2001:db8::1", false },
		{ "https://[2001:db8::1]:1/", "[2001:db8::1]:1", false },
		{ "https://[2001:db8::1]:1/", "[2001:db8::1]:2", true },
		{ "https://localhost/", NULL, false },
		{ "https://127.9.9.9/", NULL, false },
		{ "https://[::1]/", NULL, false },
		{ "http://ca.corp/", NULL, false },
	};
	static const char proxy[] = "http://proxy:3128";
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (https_proxy_for(rows[i].url, proxy, rows[i].no_proxy) != (rows[i].used ? proxy : NULL))
			fail_msg("row %zu: %s with %s", i, rows[i].url, rows[i].no_proxy ? rows[i].no_proxy : "NULL");
	assert_null(https_proxy_for("https://ca.corp/", NULL, NULL));
	assert_null(https_proxy_for("https://ca.corp/", "", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_are_read),
		cmocka_unit_test(addresses_that_are_refused),
		cmocka_unit_test(escapes),
		cmocka_unit_test(when_the_proxy_is_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
