/* The calls over real TLS: a listener on loopback answers by a script and keeps what it was asked. */
#include "common.h"
#include "client/bootstrap.h"
#include "client/token.h"
#include "config/cainit.h"
#include "jose/jwe.h"
#include "jose/ott.h"
#include "net/listener.h"
#include "pki.h"
#include "testca.h"

#include <ctype.h>
#include <pthread.h>
#include <openssl/ssl.h>

enum { TEXT = 8192, ANSWERS = 4 };

struct answer {
	const char *path; /* with query; NULL: any */
	int status;
	const char *body;
	const char *header, *value;
};

/* The script is set and the record read while no request is under way; the lock is for the sanitizer's peace. */
static struct {
	pthread_mutex_t lock;
	struct answer answers[ANSWERS];
	int calls;
	char method[16], path[TEXT], body[TEXT], authorization[TEXT], content_type[128], agent[128], id[64], peer[256];
	struct listener *listener;
	SSL_CTX *tls;
	struct pki pki;
	char url[64];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void copy_header(struct request *r, const char *name, char *out, size_t n)
{
	const char *v = request_header(r, name);
	snprintf(out, n, "%s", v ? v : "");
}

static void record(struct request *r)
{
	struct slice body = request_body(r);
	const char *query = request_query(r);
	fake.calls++;
	snprintf(fake.method, sizeof fake.method, "%s", request_method(r));
	snprintf(fake.path, sizeof fake.path, "%s%s%s", request_path(r), *query ? "?" : "", query);
	snprintf(fake.body, sizeof fake.body, "%.*s", (int)body.n, body.p ? (const char *)body.p : "");
	copy_header(r, "Authorization", fake.authorization, sizeof fake.authorization);
	copy_header(r, "Content-Type", fake.content_type, sizeof fake.content_type);
	copy_header(r, "User-Agent", fake.agent, sizeof fake.agent);
	copy_header(r, "X-Request-Id", fake.id, sizeof fake.id);
	snprintf(fake.peer, sizeof fake.peer, "%s", request_peer(r) ? cert_facts(request_peer(r))->common_name : "");
}

static void handle(void *ctx, struct request *r)
{
	(void)ctx;
	pthread_mutex_lock(&fake.lock);
	record(r);
	struct response resp = { .status = 599, .body = SLICE_LIT("no answer in the script") };
	for (size_t i = 0; i < ANSWERS; i++) {
		const struct answer *a = &fake.answers[i];
		if (!a->status || (a->path && strcmp(a->path, fake.path)))
			continue;
		resp = (struct response){ .status = a->status,
			                  .content_type = "application/json",
			                  .body = slice_cstr(a->body),
			                  .headers = { { a->header, a->value } } };
		break;
	}
	request_reply(r, &resp);
	pthread_mutex_unlock(&fake.lock);
}

static SSL_CTX *tls(void *ctx)
{
	(void)ctx;
	SSL_CTX_up_ref(fake.tls);
	return fake.tls;
}

static int setup(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	pki_make(&fake.pki);
	const struct listener_tls_conf t = { .chain = &fake.pki.server.chain,
		                             .key = fake.pki.server.key,
		                             .client_roots = &fake.pki.client_roots };
	assert_ok(listener_tls_new(&t, &fake.tls, &e));
	const struct listener_conf c = { .address = "127.0.0.1:0",
		                         .threads = 1,
		                         .limits = LISTENER_LIMITS_DEFAULT,
		                         .clock = &clock_system,
		                         .handler = handle,
		                         .tls = tls };
	assert_ok(listener_start(&c, &fake.listener, &e));
	snprintf(fake.url, sizeof fake.url, "https://127.0.0.1:%d", listener_port(fake.listener));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	listener_stop(fake.listener);
	SSL_CTX_free(fake.tls);
	pki_done(&fake.pki);
	return 0;
}

static void script(const struct answer *a, size_t n)
{
	pthread_mutex_lock(&fake.lock);
	memset(fake.answers, 0, sizeof fake.answers);
	memcpy(fake.answers, a, n * sizeof *a);
	fake.calls = 0;
	pthread_mutex_unlock(&fake.lock);
}
#define SCRIPT(...) script((const struct answer[]){ __VA_ARGS__ }, COUNT_OF(((const struct answer[]){ __VA_ARGS__ })))

static void client(struct ca *c)
{
	struct error e = ERROR_INIT;
	*c = (struct ca){ .url = text_dup(slice_cstr(fake.url)), .timeout_ms = 10000 };
	for (size_t i = 0; i < fake.pki.roots.n; i++)
		assert_ok(chain_add(&c->roots, fake.pki.roots.v[i], &e));
}

/* {"crt": ..., "ca": ..., "certChain": [...]} of the pki's client certificate. */
static void chain_json(struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *list = json_array();
	for (size_t i = 0; i < fake.pki.client.chain.n; i++) {
		AUTO(buf_done) struct buf pem = BUF_INIT(CERT_BUNDLE_MAX);
		cert_format_pem(fake.pki.client.chain.v[i], &pem);
		json_array_append_new(list, json_string(buf_cstr(&pem)));
	}
	AUTO(json_decref_p) json_t *o = json_pack("{s:O, s:O}", "certChain", list, "crt", json_array_get(list, 0));
	assert_ok(jsonio_format(o, out, &e));
}

static void root_json(struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf pem = BUF_INIT(CERT_BUNDLE_MAX);
	cert_format_pem(fake.pki.root.chain.v[0], &pem);
	AUTO(json_decref_p) json_t *o = json_pack("{s:s}", "ca", buf_cstr(&pem));
	assert_ok(jsonio_format(o, out, &e));
}

/* ---- what every call carries ---- */

static void every_call_says_who_it_is(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	char first[CA_REQUEST_ID];
	client(&c);
	SCRIPT({ "/health", 200, "{\"status\":\"ok\"}\n", NULL, NULL });
	assert_ok(ca_health(&c, &e));
	assert_string_equal(fake.method, "GET");
	assert_string_equal(fake.agent, ca_user_agent);
	assert_text(ca_user_agent, "Perennial CLI/" PERENNIAL_VERSION " (linux/*");
	assert_string_equal(fake.body, "");
	assert_string_equal(fake.peer, "");
	/* xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx */
	assert_int_equal(strlen(fake.id), 36);
	assert_int_equal(fake.id[14], '4');
	assert_non_null(strchr("89ab", fake.id[19]));
	for (size_t i = 0; i < 36; i++)
		assert_true(i == 8 || i == 13 || i == 18 || i == 23 ? fake.id[i] == '-'
		                                                    : isxdigit((unsigned char)fake.id[i]));
	assert_string_equal(fake.id, c.answer.request_id);
	snprintf(first, sizeof first, "%s", fake.id);
	assert_ok(ca_health(&c, &e));
	assert_string_not_equal(fake.id, first);
	assert_int_equal(c.answer.http, 200);
	assert_false(c.answer.from_ca);
}

static void a_stranger_is_not_trusted(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	struct cred other = cred_make(NULL, &(struct cred_spec){ .cn = "other", .ca = true });
	SCRIPT({ NULL, 200, "{\"status\":\"ok\"}", NULL, NULL });
	client(&c);
	chain_done(&c.roots);
	assert_ok(chain_add(&c.roots, other.chain.v[0], &e));
	assert_int_equal(ca_health(&c, &e), ST_DENIED);
	assert_int_equal(c.answer.http, 0);
	assert_int_equal(c.answer.net.failure, HTTPS_UNTRUSTED);
	assert_int_equal(c.answer.retry_after_s, -1);
	assert_false(c.answer.from_ca);
	assert_int_equal(fake.calls, 0);
	/* nor is anybody, where nothing is trusted */
	chain_done(&c.roots);
	assert_true(ca_health(&c, &e) != ST_OK);
	assert_int_equal(fake.calls, 0);
	cred_done(&other);
}

static void a_ca_that_is_down_is_no_answer(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	client(&c);
	free(c.url);
	c.url = text_dup(SLICE_LIT("https://127.0.0.1:1"));
	assert_int_equal(ca_health(&c, &e), ST_IO);
	assert_int_equal(c.answer.http, 0);
	assert_int_equal(c.answer.net.failure, HTTPS_CONNECT);
	assert_text(e.text, "client GET https://127.0.0.1:1/health failed: *");
}

/* The first that can be reached is asked, and asked first from then on. */
static void the_next_node_is_tried(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char typed[200];
	AUTO(ca_done) struct ca c = { .timeout_ms = 10000 };
	AUTO(ca_done) struct ca down = { .timeout_ms = 10000 };
	AUTO(ca_done) struct ca with_roots;
	AUTO(buf_done) struct buf urls = BUF_INIT(1000);
	client(&with_roots);
	snprintf(typed, sizeof typed, "127.0.0.1:1, https://127.0.0.1:2/x,%s", fake.url);
	assert_ok(ca_set_urls(&c, typed, &e));
	c.roots = with_roots.roots;
	with_roots.roots = (struct chain){ 0 };
	SCRIPT({ "/health", 200, "{\"status\":\"ok\"}", NULL, NULL });
	assert_ok(ca_health(&c, &e));
	assert_string_equal(c.url, fake.url);
	assert_ok(ca_add_urls(&c, &urls, &e));
	snprintf(typed, sizeof typed, "%s,https://127.0.0.1:1,https://127.0.0.1:2", fake.url);
	assert_string_equal(buf_cstr(&urls), typed);
	/* what the CA refuses is refused, and 503 is not */
	SCRIPT({ "/health", 401, "{}", NULL, NULL });
	assert_int_equal(ca_health(&c, &e), ST_DENIED);
	assert_int_equal(fake.calls, 1);
	assert_string_equal(c.url, fake.url);
	SCRIPT({ "/health", 503, "{}", NULL, NULL });
	assert_int_equal(ca_health(&c, &e), ST_AGAIN); /* the others are not there, which says less */
	assert_int_equal(c.answer.http, 503);
	assert_int_equal(fake.calls, 1);
	assert_ok(ca_set_urls(&down, "127.0.0.1:1,127.0.0.1:2", &e));
	assert_int_equal(ca_health(&down, &e), ST_IO);
}

static void bad_lists_of_urls(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ",", "a,", ",a", "a,,b", "a,http://b", "a b,c", "1,2,3,4,5,6,7,8,9" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error e = ERROR_INIT;
		AUTO(ca_done) struct ca c = { 0 };
		if (ca_set_urls(&c, bad[i], &e) != ST_USAGE)
			fail_msg("'%s' was taken", bad[i]);
	}
}

/* ---- bootstrap ---- */

static void a_root_comes_by_its_fingerprint(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char fp[FINGERPRINT_TEXT], path[128], upper[FINGERPRINT_TEXT];
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16);
	AUTO(ca_done) struct ca c = { .url = text_dup(slice_cstr(fake.url)) };
	AUTO(cert_unref_p) struct cert *root = NULL;
	root_json(&body);
	assert_ok(cert_fingerprint(fake.pki.root.chain.v[0], fp, &e));
	snprintf(path, sizeof path, "/root/%s", fp);
	SCRIPT({ path, 200, buf_cstr(&body), NULL, NULL });
	for (size_t i = 0; i < sizeof upper; i++)
		upper[i] = (char)toupper((unsigned char)fp[i]);
	assert_ok(bootstrap_by_fingerprint(&c, upper, &root, &e));
	assert_true(slice_eq(cert_facts(root)->der, cert_facts(fake.pki.root.chain.v[0])->der));
	assert_int_equal(c.roots.n, 1);
	/* and from here on TLS is verified */
	SCRIPT({ "/health", 200, "{\"status\":\"ok\"}", NULL, NULL });
	assert_ok(ca_health(&c, &e));
}

static void another_root_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char fp[FINGERPRINT_TEXT];
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16);
	AUTO(ca_done) struct ca c = { .url = text_dup(slice_cstr(fake.url)) };
	root_json(&body);
	assert_ok(cert_fingerprint(fake.pki.inter.chain.v[0], fp, &e));
	SCRIPT({ NULL, 200, buf_cstr(&body), NULL, NULL });
	assert_int_equal(bootstrap_by_fingerprint(&c, fp, NULL, &e), ST_DENIED);
	assert_text(e.text,
	            "error downloading root certificate: the root certificate that was sent has the fingerprint *");
	assert_int_equal(c.roots.n, 0);
	SCRIPT({ NULL, 404, "{\"status\":404,\"message\":\"not found\"}", NULL, NULL });
	assert_int_equal(bootstrap_by_fingerprint(&c, fp, NULL, &e), ST_MISSING);
	assert_string_equal(e.text, "error downloading root certificate: not found");
	assert_true(c.answer.from_ca);
	fake.calls = 0;
	assert_int_equal(bootstrap_by_fingerprint(&c, "abc", NULL, &e), ST_INVALID);
	assert_int_equal(fake.calls, 0);
}

static void a_hint_is_followed(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16);
	AUTO(token_hint_done) struct token_hint h = { .url = BUF_INIT(100), .subject = BUF_INIT(100) };
	AUTO(ca_done) struct ca c = { 0 };
	assert_int_equal(bootstrap_by_hint(&c, &h, &e), ST_MISSING);
	assert_string_equal(e.text, "the token does not name the CA's root; give it with --root");
	root_json(&body);
	SCRIPT({ NULL, 200, buf_cstr(&body), NULL, NULL });
	assert_ok(cert_fingerprint(fake.pki.root.chain.v[0], h.fingerprint, &e));
	assert_int_equal(bootstrap_by_hint(&c, &h, &e), ST_MISSING);
	assert_string_equal(e.text, "the token does not say where the CA is; give --ca-url");
	buf_adds(&h.url, fake.url);
	assert_ok(bootstrap_by_hint(&c, &h, &e));
	assert_string_equal(c.url, fake.url);
	assert_int_equal(c.roots.n, 1);
	/* a URL that was given wins */
	AUTO(ca_done) struct ca given = { .url = text_dup(slice_cstr(fake.url)) };
	buf_reset(&h.url);
	buf_adds(&h.url, "https://127.0.0.1:1");
	assert_ok(bootstrap_by_hint(&given, &h, &e));
	assert_string_equal(given.url, fake.url);
}

/* ---- lists ---- */

static void bundles_have_their_paths(void **state)
{
	(void)state;
	static const char *const paths[] = { "/roots", "/federation", "/intermediates" };
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(buf_done) struct buf one = BUF_INIT(1 << 16), body = BUF_INIT(1 << 16);
	client(&c);
	root_json(&one); /* {"ca":"..."} */
	buf_addf(&body, "{\"crts\":[%.*s]}", (int)(one.n - strlen("{\"ca\":}")),
	         (const char *)one.p + strlen("{\"ca\":"));
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		AUTO(chain_done) struct chain got = { 0 };
		SCRIPT({ paths[i], 201, buf_cstr(&body), NULL, NULL });
		assert_ok(ca_bundle(&c, (enum ca_bundle)i, &got, &e));
		assert_int_equal(got.n, 1);
	}
}

static void pages_are_followed(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(json_decref_p) json_t *all = NULL;
	client(&c);
	SCRIPT({ "/provisioners?limit=100", 200, "{\"provisioners\":[{\"name\":\"a\"}],\"nextCursor\":\"1f\"}", NULL,
	         NULL },
	       { "/provisioners?limit=100&cursor=1f", 200, "{\"provisioners\":[{\"name\":\"b\"}],\"nextCursor\":\"\"}",
	         NULL, NULL });
	assert_ok(ca_provisioners(&c, &all, &e));
	assert_int_equal(json_array_size(all), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(all, 1), "name")), "b");
	assert_int_equal(fake.calls, 2);
}

static void pages_that_never_end_do(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	json_t *all = NULL;
	client(&c);
	SCRIPT({ NULL, 200, "{\"provisioners\":[],\"nextCursor\":\"1f\"}", NULL, NULL });
	assert_int_equal(ca_provisioners(&c, &all, &e), ST_PEER);
	assert_string_equal(e.text, "the CA's list of provisioners goes in circles");
	SCRIPT({ "/provisioners?limit=100&cursor=b", 200, "{\"nextCursor\":\"a\"}", NULL, NULL },
	       { NULL, 200, "{\"nextCursor\":\"b\"}", NULL, NULL });
	assert_int_equal(ca_provisioners(&c, &all, &e), ST_PEER);
	assert_string_equal(e.text, "the CA's list of provisioners has no end (200 pages)");
	assert_int_equal(fake.calls, 200);
	assert_null(all);
}

static void a_kid_is_escaped(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(buf_done) struct buf got = BUF_INIT(100);
	client(&c);
	SCRIPT({ NULL, 200, "{\"key\":\"a.b.c.d.e\"}", NULL, NULL });
	assert_ok(ca_encrypted_key(&c, "a-_.~/..?#% \xc3\xbc", &got, &e));
	assert_string_equal(fake.path, "/provisioners/a-_.~%2F..%3F%23%25%20%C3%BC/encrypted-key");
	assert_string_equal(buf_cstr(&got), "a.b.c.d.e");
}

/* ---- certificates ---- */

static void make_csr(EVP_PKEY *key, struct csr *ret)
{
	testca_csr(key, "x.example", NULL, 0, ret);
}

static void sign_sends_the_request(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16), pem = BUF_INIT(1 << 16);
	AUTO(chain_done) struct chain got = { 0 };
	struct ca_answer a;
	client(&c);
	chain_json(&body);
	make_csr(fake.pki.client.key, &csr);
	csr_format_pem(&csr, &pem);
	SCRIPT({ "/sign", 201, buf_cstr(&body), NULL, NULL });
	const struct ca_sign_request q = { .csr = &csr, .ott = "the.to.ken", .not_after = "5m" };
	assert_ok(ca_sign(&c, &q, &got, &a, &e));
	assert_int_equal(got.n, fake.pki.client.chain.n);
	assert_int_equal(a.http, 201);
	assert_string_equal(fake.method, "POST");
	assert_string_equal(fake.content_type, "application/json");
	assert_string_equal(fake.peer, "");
	AUTO(json_decref_p) json_t *sent = json_loads(fake.body, 0, NULL);
	AUTO(json_decref_p)
	json_t *want = json_pack("{s:s, s:s, s:s}", "csr", buf_cstr(&pem), "ott", "the.to.ken", "notAfter", "5m");
	assert_true(json_equal(sent, want));
}

static void a_refusal_is_told_as_the_ca_says_it(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(csr_done) struct csr csr = { 0 };
	struct chain got = { 0 };
	struct ca_answer a;
	client(&c);
	make_csr(fake.pki.client.key, &csr);
	const struct ca_sign_request q = { .csr = &csr, .ott = "t" };
	SCRIPT({ "/sign", 401, "{\"status\":401,\"message\":\"No.\"}\n", NULL, NULL });
	assert_int_equal(ca_sign(&c, &q, &got, &a, &e), ST_DENIED);
	assert_string_equal(e.text, "No.");
	assert_true(a.from_ca);
	assert_int_equal(a.http, 401);
	assert_int_equal(a.net.failure, HTTPS_OK);
	SCRIPT({ "/sign", 502, "<html><body>nginx", NULL, NULL });
	assert_int_equal(ca_sign(&c, &q, &got, &a, &e), ST_PEER);
	assert_text(e.text, "the answer has HTTP status 502 and is not JSON, as a CA's would be: <html><body>nginx; *");
	assert_false(a.from_ca);
	SCRIPT({ "/sign", 201, "{}", NULL, NULL });
	assert_int_equal(ca_sign(&c, &q, &got, NULL, &e), ST_PEER);
	assert_int_equal(got.n, 0);
}

static void what_is_not_utf8_is_not_sent(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(csr_done) struct csr csr = { 0 };
	struct chain got = { 0 };
	client(&c);
	make_csr(fake.pki.client.key, &csr);
	SCRIPT({ NULL, 201, "{}", NULL, NULL });
	const struct ca_sign_request q = { .csr = &csr, .ott = "t\xff" };
	assert_int_equal(ca_sign(&c, &q, &got, NULL, &e), ST_INVALID);
	assert_int_equal(fake.calls, 0);
}

static void renew_shows_the_certificate(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16);
	AUTO(chain_done) struct chain got = { 0 };
	struct ca_answer a;
	client(&c);
	chain_json(&body);
	SCRIPT({ "/renew", 201, buf_cstr(&body), NULL, NULL });
	assert_ok(ca_renew(&c, &fake.pki.client.chain, fake.pki.client.key, NULL, &got, &a, &e));
	assert_string_equal(fake.peer, cert_facts(fake.pki.client.chain.v[0])->common_name);
	assert_string_equal(fake.authorization, "");
	assert_string_equal(fake.method, "POST");
	assert_string_equal(fake.body, "");
	assert_int_equal(got.n, fake.pki.client.chain.n);
}

static void a_renew_token_goes_without_the_certificate(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16);
	AUTO(chain_done) struct chain got = { 0 };
	client(&c);
	chain_json(&body);
	SCRIPT({ "/renew", 201, buf_cstr(&body), NULL, NULL });
	assert_ok(ca_renew(&c, &fake.pki.client.chain, fake.pki.client.key, "a.b.c", &got, NULL, &e));
	assert_string_equal(fake.peer, "");
	assert_string_equal(fake.authorization, "Bearer a.b.c");
}

static void rekey_sends_a_request_over_mtls(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(buf_done) struct buf body = BUF_INIT(1 << 16), pem = BUF_INIT(1 << 16);
	AUTO(chain_done) struct chain got = { 0 };
	client(&c);
	chain_json(&body);
	make_csr(fake.pki.client.key, &csr);
	csr_format_pem(&csr, &pem);
	SCRIPT({ "/rekey", 201, buf_cstr(&body), NULL, NULL });
	assert_ok(ca_rekey(&c, &fake.pki.client.chain, fake.pki.client.key, &csr, &got, NULL, &e));
	assert_string_equal(fake.peer, cert_facts(fake.pki.client.chain.v[0])->common_name);
	AUTO(json_decref_p) json_t *sent = json_loads(fake.body, 0, NULL);
	AUTO(json_decref_p) json_t *want = json_pack("{s:s}", "csr", buf_cstr(&pem));
	assert_true(json_equal(sent, want));
}

static void revoke_is_passive(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	struct ca_answer a;
	client(&c);
	SCRIPT({ "/revoke", 200, "{\"status\":\"ok\"}\n", NULL, NULL });
	struct ca_revoke_request q = { .serial = "123", .ott = "t", .reason = "because", .reason_code = 4 };
	assert_ok(ca_revoke(&c, &q, NULL, NULL, &a, &e));
	assert_string_equal(
		fake.body,
		"{\"serial\":\"123\",\"ott\":\"t\",\"reasonCode\":4,\"reason\":\"because\",\"passive\":true}");
	assert_string_equal(fake.peer, "");
	q = (struct ca_revoke_request){ .serial = "123" };
	assert_ok(ca_revoke(&c, &q, &fake.pki.client.chain, fake.pki.client.key, &a, &e));
	assert_string_equal(fake.body,
	                    "{\"serial\":\"123\",\"ott\":\"\",\"reasonCode\":0,\"reason\":\"\",\"passive\":true}");
	assert_string_equal(fake.peer, cert_facts(fake.pki.client.chain.v[0])->common_name);
	SCRIPT({ "/revoke", 400, "{\"status\":400,\"message\":\"already revoked\"}", NULL, NULL });
	assert_int_equal(ca_revoke(&c, &q, NULL, NULL, &a, &e), ST_INVALID);
	assert_string_equal(e.text, "already revoked");
}

/* The size of the whole list is bounded too: each page may be large. */
static void a_list_without_measure_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(ca_done) struct ca c;
	AUTO(buf_done) struct buf a = BUF_INIT(8 << 20), b = BUF_INIT(8 << 20);
	json_t *all = NULL;
	client(&c);
	buf_addf(&a, "{\"nextCursor\":\"a\",\"x\":\"%0*d\"}", 3 << 20, 0);
	buf_addf(&b, "{\"nextCursor\":\"b\",\"x\":\"%0*d\"}", 3 << 20, 0);
	SCRIPT({ "/provisioners?limit=100&cursor=b", 200, buf_cstr(&a), NULL, NULL },
	       { NULL, 200, buf_cstr(&b), NULL, NULL });
	assert_int_equal(ca_provisioners(&c, &all, &e), ST_PEER);
	assert_string_equal(e.text, "the CA's list of provisioners is larger than 16777216 bytes");
	assert_true(fake.calls < 10);
	assert_null(all);
}

/* ---- a token from a CA ---- */

static enum status the_password(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	(void)ctx;
	(void)attempt;
	buf_adds(ret, "pass");
	return buf_check(ret, e);
}

static void a_token_is_made_with_the_cas_help(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char kid[JWK_THUMBPRINT], path[256], want[128];
	AUTO(ca_done) struct ca c;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(json_decref_p) json_t *p = NULL;
	AUTO(buf_done) struct buf list = BUF_INIT(1 << 16), jwe = BUF_INIT(1 << 16), token = BUF_INIT(TOKEN_MAX);
	AUTO(ott_done) struct ott t = { 0 };
	client(&c);
	assert_ok(provisioner_new_json("ops", key, SLICE_LIT("pass"), JWE_P2C_MIN, &p, &e));
	AUTO(json_decref_p) json_t *o = json_pack("{s:[O], s:s}", "provisioners", p, "nextCursor", "");
	AUTO(json_decref_p) json_t *k = json_pack("{s:O}", "key", json_object_get(p, "encryptedKey"));
	assert_ok(jsonio_format(o, &list, &e));
	assert_ok(jsonio_format(k, &jwe, &e));
	assert_ok(jwk_thumbprint(key, kid, &e));
	snprintf(path, sizeof path, "/provisioners/%s/encrypted-key", kid);
	SCRIPT({ "/provisioners?limit=100", 200, buf_cstr(&list), NULL, NULL },
	       { path, 200, buf_cstr(&jwe), NULL, NULL });
	struct password_source source = { the_password, NULL };
	const struct token_ask ask = { .kind = TOKEN_REVOKE, .subject = "123", .password = &source, .now = TESTCA_NOW };
	assert_ok(token_get(&c, NULL, &ask, &token, &e));
	assert_int_equal(fake.calls, 2);
	assert_ok(ott_parse(buf_slice(&token), &t, &e));
	assert_ok(jws_verify(&t.jws, key, &e));
	snprintf(want, sizeof want, "%s/1.0/revoke", fake.url);
	assert_string_equal(t.aud[0], want);
	assert_string_equal(t.iss, "ops");
	/* a key that the CA does not hand out */
	SCRIPT({ "/provisioners?limit=100", 200, buf_cstr(&list), NULL, NULL },
	       { path, 404, "{\"status\":404,\"message\":\"The requested resource could not be found.\"}", NULL,
	         NULL });
	assert_int_equal(token_get(&c, NULL, &ask, &token, &e), ST_MISSING);
	assert_string_equal(e.text, "the provisioner has no encrypted key; give its key with --key");
	assert_false(c.answer.from_ca);
	SCRIPT({ "/provisioners?limit=100", 200, buf_cstr(&list), NULL, NULL },
	       { path, 503, "{\"status\":503,\"message\":\"Later.\"}", NULL, NULL });
	assert_int_equal(token_get(&c, NULL, &ask, &token, &e), ST_AGAIN);
	assert_string_equal(e.text, "Later.");
	assert_true(c.answer.from_ca);
	/* what was typed wrong is known before the CA is asked */
	const struct token_ask wrong = { .subject = "s", .not_after = "2h", .password = &source, .now = TESTCA_NOW };
	fake.calls = 0;
	assert_int_equal(token_get(&c, NULL, &wrong, &token, &e), ST_USAGE);
	assert_int_equal(fake.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_says_who_it_is),
		cmocka_unit_test(a_stranger_is_not_trusted),
		cmocka_unit_test(a_ca_that_is_down_is_no_answer),
		cmocka_unit_test(the_next_node_is_tried),
		cmocka_unit_test(bad_lists_of_urls),
		cmocka_unit_test(a_root_comes_by_its_fingerprint),
		cmocka_unit_test(another_root_is_refused),
		cmocka_unit_test(a_hint_is_followed),
		cmocka_unit_test(bundles_have_their_paths),
		cmocka_unit_test(pages_are_followed),
		cmocka_unit_test(pages_that_never_end_do),
		cmocka_unit_test(a_kid_is_escaped),
		cmocka_unit_test(a_list_without_measure_is_refused),
		cmocka_unit_test(sign_sends_the_request),
		cmocka_unit_test(a_refusal_is_told_as_the_ca_says_it),
		cmocka_unit_test(what_is_not_utf8_is_not_sent),
		cmocka_unit_test(renew_shows_the_certificate),
		cmocka_unit_test(a_renew_token_goes_without_the_certificate),
		cmocka_unit_test(rekey_sends_a_request_over_mtls),
		cmocka_unit_test(revoke_is_passive),
		cmocka_unit_test(a_token_is_made_with_the_cas_help),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
