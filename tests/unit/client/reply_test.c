#include "common.h"
#include "client/reply.h"
#include "testca.h"

static struct testca *ca;
static struct issued leaf;
static char root_fp[FINGERPRINT_TEXT];

static int setup(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	ca = testca_new(NULL);
	testca_issue(ca, ca->prov_key, "leaf.example", TESTCA_NOW, &leaf);
	assert_ok(cert_fingerprint(ca->root, root_fp, &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	issued_done(&leaf);
	testca_free(ca);
	return 0;
}

/* JSON text in which %L, %I and %R are the PEM of leaf, intermediate and root as JSON strings. */
static void expand(const char *text, struct buf *out)
{
	for (const char *p = text; *p; p++) {
		const struct cert *c = p[0] != '%'   ? NULL
		                       : p[1] == 'L' ? leaf.cert
		                       : p[1] == 'I' ? ca->issuer
		                       : p[1] == 'R' ? ca->root
		                                     : NULL;
		if (!c) {
			buf_addc(out, *p);
			continue;
		}
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf pem = BUF_INIT(CERT_BUNDLE_MAX);
		cert_format_pem(c, &pem);
		AUTO(json_decref_p) json_t *s = json_string(buf_cstr(&pem));
		assert_ok(jsonio_format(s, out, &e));
		p++;
	}
}

/* ---- refusals ---- */

static const struct refusal_row {
	int http;
	const char *body, *retry_after;
	enum status st;
	bool from_ca;
	int64_t retry_after_s;
	const char *text;
} refusals[] = {
#define PROXY "; is there a proxy between this machine and the CA (HTTPS_PROXY, NO_PROXY)?"
	{ 401, "{\"status\":401,\"message\":\"The request lacked authorization.\"}", NULL, ST_DENIED, true, -1,
	  "The request lacked authorization." },
	{ 401, "{\"type\":\"unauthorized\",\"detail\":\"unauthorized\",\"message\":\"bad iss\"}\n", NULL, ST_DENIED,
	  true, -1, "bad iss" },
	{ 401, "{\"type\":\"unauthorized\",\"detail\":\"only this\"}", NULL, ST_DENIED, true, -1, "only this" },
	{ 401, "{\"Status\":401,\"Message\":\"Go takes any case\"}", NULL, ST_DENIED, true, -1, "Go takes any case" },
	{ 400, "{\"message\":\"m\"} trailing", NULL, ST_INVALID, true, -1, "m" },
	{ 403, "{\"message\":\"m\"}", NULL, ST_DENIED, true, -1, "m" },
	{ 404, "{\"message\":\"m\"}", NULL, ST_MISSING, true, -1, "m" },
	{ 409, "{\"message\":\"m\"}", NULL, ST_CONFLICT, true, -1, "m" },
	{ 500, "{\"message\":\"m\"}", NULL, ST_PEER, true, -1, "m" },
	{ 501, "{\"message\":\"m\"}", NULL, ST_PEER, true, -1, "m" },
	{ 302, "{\"message\":\"m\"}", NULL, ST_PEER, true, -1, "m" },
	{ 204, "", NULL, ST_PEER, false, -1, "the answer has HTTP status 204 and no content" PROXY },
	/* when to come again */
	{ 503, "{\"message\":\"m\"}", "120", ST_AGAIN, true, 120, "m" },
	{ 429, "{\"message\":\"m\"}", " 5 ", ST_AGAIN, true, 5, "m" },
	{ 429, "{\"message\":\"m\"}", "0", ST_AGAIN, true, 0, "m" },
	{ 503, "{\"message\":\"m\"}", NULL, ST_AGAIN, true, -1, "m" },
	{ 503, "{\"message\":\"m\"}", "-1", ST_AGAIN, true, -1, "m" },
	{ 503, "{\"message\":\"m\"}", "99999999999", ST_AGAIN, true, -1, "m" },
	{ 503, "{\"message\":\"m\"}", "Fri, 31 Dec 1999 23:59:59 GMT", ST_AGAIN, true, -1, "m" },
	{ 500, "{\"message\":\"m\"}", "120", ST_PEER, true, -1, "m" },
	{ 503, "<html>", "7", ST_AGAIN, false, 7,
	  "the answer has HTTP status 503 and is not JSON, as a CA's would be: <html>" PROXY },
	/* not JSON */
	{ 502, "<html>\r\n<head><title>502 Bad Gateway</title>", NULL, ST_PEER, false, -1,
	  "the answer has HTTP status 502 and is not JSON, as a CA's would be: <html>" PROXY },
	{ 404, "404 page not found\n", NULL, ST_MISSING, false, -1,
	  "the answer has HTTP status 404 and is not JSON, as a CA's would be: 404 page not found" PROXY },
	{ 403, "\n\n  \t", NULL, ST_DENIED, false, -1, "the answer has HTTP status 403 and no content" PROXY },
	{ 400, "[1]", NULL, ST_INVALID, false, -1,
	  "the answer has HTTP status 400 and is not JSON, as a CA's would be: [1]" PROXY },
	{ 400, "\x1b[31mred\x07\x7f\xc2\x9b!\xff", NULL, ST_INVALID, false, -1,
	  "the answer has HTTP status 400 and is not JSON, as a CA's would be: "
	  "\\x1b[31mred\\x07\\x7f\\xc2\\x9b!\\xff" PROXY },
	{ 400, "gr\xc3\xbc\xc3\x9f", NULL, ST_INVALID, false, -1,
	  "the answer has HTTP status 400 and is not JSON, as a CA's would be: gr\xc3\xbc\xc3\x9f" PROXY },
	/* JSON that says nothing, or too much */
	{ 500, "{}", NULL, ST_PEER, false, -1, "the CA answered with HTTP status 500 and no message" },
	{ 500, "{\"message\":\" \\n\"}", NULL, ST_PEER, false, -1,
	  "the CA answered with HTTP status 500 and no message" },
	{ 500, "{\"message\":7,\"detail\":[]}", NULL, ST_PEER, false, -1,
	  "the CA answered with HTTP status 500 and no message" },
	{ 400, "{\"message\":\"a\\u001b]0;x\\u0007b\\nc\"}", NULL, ST_INVALID, true, -1, "a\\x1b]0;x\\x07b\\x0ac" },
};

static void a_refusal_is_the_cas_message_or_a_hint(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		const struct refusal_row *r = &refusals[i];
		struct error e = ERROR_INIT;
		bool from_ca = !r->from_ca;
		int64_t retry_after_s = 77;
		struct ca_reply reply = { r->http, slice_cstr(r->body), r->retry_after };
		assert_int_equal(reply_check(&reply, &from_ca, &retry_after_s, &e), r->st);
		assert_string_equal(e.text, r->text);
		assert_int_equal(from_ca, r->from_ca);
		assert_int_equal(retry_after_s, r->retry_after_s);
	}
}

static void success_is_200_and_201(void **state)
{
	(void)state;
	static const int good[] = { 200, 201 };
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct error e = ERROR_INIT;
		bool from_ca = true;
		int64_t retry_after_s = 0;
		struct ca_reply reply = { good[i], SLICE_LIT("whatever"), "9" };
		assert_ok(reply_check(&reply, &from_ca, &retry_after_s, &e));
		assert_false(from_ca);
		assert_int_equal(retry_after_s, -1);
	}
}

static void a_long_line_is_cut(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	bool from_ca;
	int64_t retry;
	char body[500], want[512];
	memset(body, 'x', sizeof body);
	struct ca_reply reply = { 502, slice_of(body, sizeof body), NULL };
	assert_int_equal(reply_check(&reply, &from_ca, &retry, &e), ST_PEER);
	snprintf(want, sizeof want,
	         "the answer has HTTP status 502 and is not JSON, as a CA's would be: %.*s...; is there a proxy*",
	         REPLY_LINE_MAX, body);
	assert_text(e.text, want);
}

static const struct escape_row {
	const char *in;
	size_t max;
	const char *out;
} escapes[] = {
	{ "", 10, "" },
	{ "abc", 3, "abc" },
	{ "abcd", 3, "abc..." },
	{ "\xc3\xbc\xc3\xbc", 1, "\xc3\xbc..." },
	{ "\t\r\n", 10, "\\x09\\x0d\\x0a" },
	{ "\xc2\x80\xc2\x9f\xc2\xa0", 10, "\\xc2\\x80\\xc2\\x9f\xc2\xa0" },
	{ "\xe2\x82\xac", 10, "\xe2\x82\xac" },
	{ "\xf0\x9f\x94\x91", 10, "\xf0\x9f\x94\x91" },
	{ "\xed\xa0\x80", 10, "\\xed\\xa0\\x80" },          /* a surrogate */
	{ "\xc0\xaf", 10, "\\xc0\\xaf" },                   /* overlong */
	{ "\xe0\x80\xaf", 10, "\\xe0\\x80\\xaf" },          /* overlong */
	{ "\xf4\x90\x80\x80", 10, "\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
	{ "\xe2\x82", 10, "\\xe2\\x82" },                   /* cut off */
	{ "\xf0\x9f\x94", 10, "\\xf0\\x9f\\x94" },
	{ "\x80", 10, "\\x80" },
};

static void text_for_a_terminal_steers_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(escapes); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1000);
		text_escape(&out, slice_cstr(escapes[i].in), escapes[i].max);
		assert_string_equal(buf_cstr(&out), escapes[i].out);
	}
}

/* ---- certificates ---- */

static const struct chain_row {
	const char *body;
	size_t n; /* 0: refused */
	const char *text;
} chains[] = {
	{ "{\"crt\":%L,\"ca\":%I,\"certChain\":[%L,%I],\"tlsOptions\":{}}", 2, NULL },
	{ "{\"certChain\":[%L,%I]}", 2, NULL },
	{ "{\"certChain\":[%L]}", 1, NULL },
	{ "{\"crt\":%L,\"ca\":%I}", 2, NULL },
	{ "{\"crt\":%L,\"ca\":null,\"certChain\":null}", 1, NULL },
	{ "{\"crt\":%L,\"ca\":\"\"}", 1, NULL },
	{ "{\"Crt\":%L,\"CERTCHAIN\":[]}", 1, NULL },
	{ "{\"crt\":%L,\"extra\":[[[]]]}\n{", 1, NULL },
	{ "", 0, "the answer has HTTP status 201 and no content*" },
	{ "[]", 0, "the answer has HTTP status 201 and is not JSON*" },
	{ "{}", 0, "the CA's answer has no certificate in crt" },
	{ "{\"crt\":7}", 0, "the CA's answer has no certificate in crt" },
	{ "{\"crt\":\"\"}", 0, "the CA's answer: crt: *" },
	{ "{\"crt\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"}", 0,
	  "the CA's answer: crt: *" },
	{ "{\"crt\":%L,\"ca\":\"junk\"}", 0, "the CA's answer: ca: *" },
	{ "{\"crt\":%L,\"ca\":[]}", 0, "the CA's answer has no certificate in ca" },
	{ "{\"certChain\":[%L,null]}", 0, "the CA's answer has no certificate in certChain[1]" },
	{ "{\"certChain\":[%L,\"x\"]}", 0, "the CA's answer: certChain[1]: *" },
	{ "{\"crt\":%I,\"certChain\":[%L,%I]}", 0,
	  "the CA's answer contradicts itself: crt is not the first of certChain" },
	{ "{\"certChain\":[%I,%L]}", 0, "the CA's answer begins with a CA certificate, \"Test Intermediate CA\"" },
	{ "{\"crt\":%R}", 0, "the CA's answer begins with a CA certificate, \"Test Root CA\"" },
	{ "{\"crt\":%L,\"crt\":%L}", 0, "the answer has HTTP status 201 and is not JSON*" },
};

static void chains_begin_with_the_leaf(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(chains); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf body = BUF_INIT(1 << 20);
		AUTO(chain_done) struct chain got = { 0 };
		expand(chains[i].body, &body);
		struct ca_reply reply = { 201, buf_slice(&body), NULL };
		enum status st = reply_chain(&reply, &got, &e);
		assert_int_equal(got.n, chains[i].n);
		if (!chains[i].n) {
			assert_int_equal(st, ST_PEER);
			assert_text(e.text, chains[i].text);
			continue;
		}
		assert_ok(st);
		assert_true(slice_eq(cert_facts(got.v[0])->der, cert_facts(leaf.cert)->der));
	}
}

static void an_endless_chain_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 20);
	AUTO(chain_done) struct chain got = { 0 };
	buf_adds(&body, "{\"certChain\":[");
	for (int i = 0; i <= REPLY_CERTS_MAX; i++) {
		if (i)
			buf_addc(&body, ',');
		expand("%L", &body);
	}
	buf_adds(&body, "]}");
	struct ca_reply reply = { 201, buf_slice(&body), NULL };
	assert_int_equal(reply_chain(&reply, &got, &e), ST_PEER);
	assert_string_equal(e.text, "the CA's answer has more than 100 certificates");
}

static const struct chain_row bundles[] = {
	{ "{\"crts\":[%R]}", 1, NULL },
	{ "{\"crts\":[%R,%I]}", 2, NULL },
	{ "{\"crts\":[]}", 0, "the CA's answer has no certificates in crts" },
	{ "{\"crts\":null}", 0, "the CA's answer has no certificates in crts" },
	{ "{\"crts\":%R}", 0, "the CA's answer has no certificates in crts" },
	{ "{\"crts\":[{}]}", 0, "the CA's answer has no certificate in crts[0]" },
	{ "nonsense", 0, "the answer has HTTP status 201 and is not JSON, as a CA's would be: nonsense*" },
};

static void bundles_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bundles); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf body = BUF_INIT(1 << 20);
		AUTO(chain_done) struct chain got = { 0 };
		expand(bundles[i].body, &body);
		struct ca_reply reply = { 201, buf_slice(&body), NULL };
		enum status st = reply_bundle(&reply, &got, &e);
		assert_int_equal(got.n, bundles[i].n);
		if (!bundles[i].n) {
			assert_int_equal(st, ST_PEER);
			assert_text(e.text, bundles[i].text);
		} else {
			assert_ok(st);
		}
	}
}

static const struct root_row {
	const char *body;
	enum status st;
	const char *text;
} roots[] = {
	{ "{\"ca\":%R}", ST_OK, NULL },
	{ "{\"ca\":%I}", ST_DENIED, "the root certificate that was sent has the fingerprint *" },
	{ "{\"ca\":null}", ST_PEER, "the CA's answer has no certificate in ca" },
	{ "{}", ST_PEER, "the CA's answer has no certificate in ca" },
	{ "{\"ca\":\"x\"}", ST_PEER, "the CA's answer: ca: *" },
};

static void the_root_is_the_fingerprints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(roots); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf body = BUF_INIT(1 << 20);
		AUTO(cert_unref_p) struct cert *got = NULL;
		expand(roots[i].body, &body);
		struct ca_reply reply = { 200, buf_slice(&body), NULL };
		assert_int_equal(reply_root(&reply, root_fp, &got, &e), roots[i].st);
		assert_int_equal(!got, roots[i].st != ST_OK);
		if (roots[i].text)
			assert_text(e.text, roots[i].text);
	}
}

static void two_roots_are_not_one(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf pem = BUF_INIT(1 << 20);
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 20);
	cert_format_pem(ca->root, &pem);
	cert_format_pem(ca->issuer, &pem);
	AUTO(json_decref_p) json_t *o = json_pack("{s:s}", "ca", buf_cstr(&pem));
	assert_ok(jsonio_format(o, &body, &e));
	struct ca_reply reply = { 200, buf_slice(&body), NULL };
	struct cert *got = NULL;
	assert_int_equal(reply_root(&reply, root_fp, &got, &e), ST_PEER);
	assert_string_equal(e.text, "the CA's answer has 2 certificates where one root was asked for");
}

/* ---- the rest ---- */

static const struct ok_row {
	const char *body, *text; /* text NULL: good */
} oks[] = {
	{ "{\"status\":\"ok\"}\n", NULL },
	{ "{\"Status\":\"ok\",\"more\":1}", NULL },
	{ "{\"status\":\"OK\"}", "the CA's status is \"OK\", not \"ok\"" },
	{ "{\"status\":\"\\u001b[2J\"}", "the CA's status is \"\\x1b[2J\", not \"ok\"" },
	{ "{}", "the CA's status is \"\", not \"ok\"" },
	{ "ok", "the answer has HTTP status 200 and is not JSON*" },
};

static void health_is_ok_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(oks); i++) {
		struct error e = ERROR_INIT;
		struct ca_reply reply = { 200, slice_cstr(oks[i].body), NULL };
		assert_int_equal(reply_ok(&reply, &e), oks[i].text ? ST_PEER : ST_OK);
		if (oks[i].text)
			assert_text(e.text, oks[i].text);
	}
}

#define MEMBER(more)                                                                                                   \
	"{\"serial\":\"12\",\"line\":\"7\",\"subject\":\"a\\u001b[2J\",\"notBefore\":\"x\","                           \
	"\"notAfter\":\"2030-03-17T17:46:40Z\"" more "}"

static void a_line_is_listed(void **state)
{
	(void)state;
	static const struct {
		const char *body, *text; /* text NULL: good */
	} rows[] = {
		{ "{\"status\":\"ok\",\"certificates\":[" MEMBER(",\"revoked\":true,\"sameKeyOnly\":true") "," MEMBER(
			  "") "],\"more\":3,\"expired\":4,\"closed\":true}",
		  NULL },
		{ "{\"status\":\"ok\"}", "the CA's answer does not list the line" },
		{ "{\"status\":\"no\",\"certificates\":[]}", "the CA's answer does not list the line" },
		{ "{\"status\":\"ok\",\"certificates\":{}}", "the CA's answer does not list the line" },
		{ "{\"status\":\"ok\",\"certificates\":[1]}", "the CA's answer has no serial number in serial" },
		{ "{\"status\":\"ok\",\"certificates\":[{\"serial\":\"1\"}]}",
		  "the CA's answer has no serial number in line" },
		{ "{\"status\":\"ok\",\"certificates\":[{\"serial\":\"1\",\"line\":\"1\"}]}",
		  "the CA's answer has no time in notAfter" },
		{ "[]", "the answer has HTTP status 200 and is not JSON*" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(ca_line_done) struct ca_line l = { 0 };
		struct ca_reply r = { .status = 200, .body = slice_cstr(rows[i].body) };
		enum status st = reply_line(&r, &l, &e);
		if (rows[i].text) {
			assert_int_equal(st, ST_PEER);
			assert_text(e.text, rows[i].text);
			continue;
		}
		assert_ok(st);
		assert_int_equal(l.n, 2);
		assert_string_equal(l.v[0].serial, "12");
		assert_string_equal(l.v[0].line, "7");
		assert_string_equal(l.v[0].subject, "a\\x1b[2J");
		assert_int_equal(l.v[0].not_after.s, 1900000000);
		assert_true(l.v[0].revoked && l.v[0].same_key_only && l.closed);
		assert_false(l.v[1].revoked || l.v[1].same_key_only);
		assert_int_equal(l.more, 3);
		assert_int_equal(l.expired, 4);
	}
}

static void an_encrypted_key_is_text(void **state)
{
	(void)state;
	static const char *const bad[] = { "{}", "{\"key\":null}", "{\"key\":\"\"}", "{\"key\":{}}", "x" };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf got = BUF_INIT(100);
	struct ca_reply reply = { 200, SLICE_LIT("{\"key\":\"a.b.c.d.e\"}"), NULL };
	assert_ok(reply_encrypted_key(&reply, &got, &e));
	assert_string_equal(buf_cstr(&got), "a.b.c.d.e");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		reply.body = slice_cstr(bad[i]);
		assert_int_equal(reply_encrypted_key(&reply, &got, &e), ST_PEER);
	}
}

static const struct page_row {
	const char *body;
	size_t n;
	const char *next, *text; /* text: refused */
} pages[] = {
	{ "{\"provisioners\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"nextCursor\":\"\"}", 2, "", NULL },
	{ "{\"provisioners\":[{}],\"nextCursor\":\"1f2e\"}", 1, "1f2e", NULL },
	{ "{\"provisioners\":null}", 0, "", NULL },
	{ "{}", 0, "", NULL },
	{ "{\"provisioners\":[{}],\"nextCursor\":null}", 1, "", NULL },
	{ "{\"provisioners\":{}}", 0, "", "the CA's list of provisioners is none" },
	{ "{\"provisioners\":[{},7]}", 0, "", "the CA's provisioner 1 is not an object" },
	{ "{\"provisioners\":[],\"nextCursor\":\"a&limit=1\"}", 0, "", "the CA's nextCursor is not one" },
	{ "{\"provisioners\":[],\"nextCursor\":\"a\\r\\nX: y\"}", 0, "", "the CA's nextCursor is not one" },
	{ "{\"provisioners\":[],\"nextCursor\":\"a b\"}", 0, "", "the CA's nextCursor is not one" },
	{ "<html>", 0, "", "the answer has HTTP status 200 and is not JSON*" },
};

static void pages_have_provisioners_and_a_cursor(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		struct error e = ERROR_INIT;
		char next[REPLY_CURSOR_MAX] = "unset";
		AUTO(json_decref_p) json_t *all = json_array();
		struct ca_reply reply = { 200, slice_cstr(pages[i].body), NULL };
		enum status st = reply_page(&reply, all, next, &e);
		if (pages[i].text) {
			assert_int_equal(st, ST_PEER);
			assert_text(e.text, pages[i].text);
			continue;
		}
		assert_ok(st);
		assert_int_equal(json_array_size(all), pages[i].n);
		assert_string_equal(next, pages[i].next);
	}
}

static void pages_are_bounded(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char next[REPLY_CURSOR_MAX];
	AUTO(json_decref_p) json_t *all = json_array();
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 20);
	buf_adds(&body, "{\"provisioners\":[{}");
	for (int i = 0; i < REPLY_PAGE_MAX; i++)
		buf_adds(&body, ",{}");
	buf_adds(&body, "]}");
	struct ca_reply reply = { 200, buf_slice(&body), NULL };
	assert_int_equal(reply_page(&reply, all, next, &e), ST_PEER);
	assert_string_equal(e.text, "the CA sent more than 1000 provisioners at once");

	buf_reset(&body);
	buf_addf(&body, "{\"nextCursor\":\"%0*d\"}", REPLY_CURSOR_MAX, 0);
	reply.body = buf_slice(&body);
	assert_int_equal(reply_page(&reply, all, next, &e), ST_PEER);
	assert_string_equal(e.text, "the CA's nextCursor is longer than 255 bytes");
}

/* ---- what is typed ---- */

static const struct url_row {
	const char *typed, *want; /* want NULL: not https; "": no URL */
} urls[] = {
	{ "https://ca.example:9000", "https://ca.example:9000" },
	{ "ca.example", "https://ca.example" },
	{ "ca.example:9000", "https://ca.example:9000" },
	{ "localhost:9000/", "https://localhost:9000" },
	{ "https://ca.example/1.0/sign?x=y#z", "https://ca.example" },
	{ "HTTPS://Ca.Example/", "https://Ca.Example" },
	{ " ca.example ", "https://ca.example" },
	{ "10.0.0.1", "https://10.0.0.1" },
	{ "::1", "https://[::1]" },
	{ "https://fe80::1/x", "https://[fe80::1]" },
	{ "[::1]", "https://[::1]" },
	{ "[::1]:9000", "https://[::1]:9000" },
	{ "https://[::1]:9000/renew", "https://[::1]:9000" },
	{ "ca_1.example", "https://ca_1.example" },
	{ "http://ca.example", NULL },
	{ "ftp://ca.example", NULL },
	{ "://ca.example", NULL },
	{ "", "" },
	{ "https://", "" },
	{ "https:///x", "" },
	{ "/x", "" },
	{ ":9000", "" },
	{ "ca.example:", "" },
	{ "ca.example:0", "" },
	{ "ca.example:65536", "" },
	{ "ca.example:+1", "" },
	{ "ca.example:a", "" },
	{ "user:pass@ca.example", "" },
	{ "user@ca.example", "" },
	{ "ca example", "" },
	{ "ca\r\nexample", "" },
	{ "[::1", "" },
	{ "[ca.example]", "" },
	{ "[::1]x", "" },
	{ "[]", "" },
	{ "ca.example\\x", "" },
};

static void urls_are_cleaned(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		struct error e = ERROR_INIT;
		char want[256];
		AUTO(buf_done) struct buf got = BUF_INIT(1000);
		enum status st = ca_url_clean(urls[i].typed, &got, &e);
		if (urls[i].want && *urls[i].want) {
			assert_ok(st);
			assert_string_equal(buf_cstr(&got), urls[i].want);
			continue;
		}
		snprintf(want, sizeof want, "invalid value '%s' for flag '--ca-url'; %s", urls[i].typed,
		         urls[i].want ? "not a URL such as https://ca.example.com:9000" : "must have https scheme");
		if (st != ST_USAGE)
			fail_msg("'%s' was taken as '%s'", urls[i].typed, buf_cstr(&got));
		assert_string_equal(e.text, want);
		assert_int_equal(got.n, 0);
	}
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
static const struct fingerprint_row {
	const char *typed;
	bool good;
} fingerprints[] = {
	{ HEX "f", true },
	{ "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", true },
	{ "01234567-89abcdef-01234567-89abcdef-01234567-89abcdef-01234567-89abcdef", true },
	{ "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:ab:cd:ef", true },
	{ "", false },
	{ "----", false },
	{ HEX, false },
	{ HEX "ff", false },
	{ HEX "g", false },
	{ HEX " ", false },
	{ HEX "f ", false },
	{ HEX "/", false },
	{ "sha256:" HEX "f", false },
};

static void fingerprints_are_cleaned(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(fingerprints); i++) {
		struct error e = ERROR_INIT;
		char got[FINGERPRINT_TEXT] = "unset";
		enum status st = fingerprint_clean(fingerprints[i].typed, got, &e);
		assert_int_equal(st, fingerprints[i].good ? ST_OK : ST_INVALID);
		assert_string_equal(got, fingerprints[i].good ? HEX "f" : "unset");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_the_cas_message_or_a_hint),
		cmocka_unit_test(success_is_200_and_201),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(text_for_a_terminal_steers_nothing),
		cmocka_unit_test(chains_begin_with_the_leaf),
		cmocka_unit_test(an_endless_chain_is_refused),
		cmocka_unit_test(bundles_are_read),
		cmocka_unit_test(the_root_is_the_fingerprints),
		cmocka_unit_test(two_roots_are_not_one),
		cmocka_unit_test(health_is_ok_and_nothing_else),
		cmocka_unit_test(a_line_is_listed),
		cmocka_unit_test(an_encrypted_key_is_text),
		cmocka_unit_test(pages_have_provisioners_and_a_cursor),
		cmocka_unit_test(pages_are_bounded),
		cmocka_unit_test(urls_are_cleaned),
		cmocka_unit_test(fingerprints_are_cleaned),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
