#include "sample.h"
#include "base/b64.h"
#include "config/caconf.h"
#include "crypto/keyfile.h"
#include "fail.h"
#include "testca.h"
#include "tmpdir.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { DAY_S = 86400 };

/* ---- a CA's folder ---- */

struct home {
	char dir[TMPDIR_PATH];
	struct testca *ca, *other;
};

static const char *const names[] = { "root",     "crt",      "key",  "locked", "pkcs8", "otherroot",
	                             "othercrt", "otherkey", "both", "leaf",   "junk",  "swapped" };

static const char *file(const struct home *h, const char *name)
{
	static char path[2][128];
	static int at;
	at = !at;
	snprintf(path[at], sizeof path[at], "%s/%s", h->dir, name);
	return path[at];
}

static void save(const struct home *h, const char *name, struct buf *text)
{
	FILE *f = fopen(file(h, name), "w");
	assert_non_null(f);
	fwrite(text->p, 1, text->n, f);
	fclose(f);
	buf_reset(text);
}

static void save_cert(const struct home *h, const char *name, const struct cert *a, const struct cert *b)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	cert_format_pem(a, &text);
	if (b)
		cert_format_pem(b, &text);
	save(h, name, &text);
}

static void save_key(const struct home *h, const char *name, EVP_PKEY *key, enum keyfile_form form,
                     const char *password)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_SECRET(KEYFILE_MAX);
	assert_ok(keyfile_format(key, form, slice_cstr(password), &text, &e));
	save(h, name, &text);
}

static void home_make(struct home *h, const struct testca_opts *opts)
{
	AUTO(buf_done) struct buf junk = BUF_INIT(64);
	struct issued leaf = { 0 };
	tmpdir_make(h->dir);
	h->ca = testca_new(opts);
	h->other = testca_new(NULL);
	save_cert(h, "root", h->ca->root, NULL);
	save_cert(h, "crt", h->ca->issuer, NULL);
	save_cert(h, "both", h->ca->issuer, h->ca->root);
	save_cert(h, "swapped", h->ca->root, h->ca->issuer);
	save_key(h, "key", h->ca->issuer_key, KEYFILE_NATIVE, "");
	save_key(h, "locked", h->ca->issuer_key, KEYFILE_NATIVE, "pass");
	save_key(h, "pkcs8", h->ca->issuer_key, KEYFILE_PKCS8, "pass");
	save_cert(h, "otherroot", h->other->root, NULL);
	save_cert(h, "othercrt", h->other->issuer, NULL);
	save_key(h, "otherkey", h->other->issuer_key, KEYFILE_NATIVE, "");
	testca_issue(h->other, h->other->prov_key, "leaf.example", TESTCA_NOW, &leaf);
	save_cert(h, "leaf", leaf.cert, NULL);
	issued_done(&leaf);
	buf_adds(&junk, "not PEM\n");
	save(h, "junk", &junk);
}

static void home_done(struct home *h)
{
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(file(h, names[i]));
	rmdir(h->dir);
	testca_free(h->ca);
	testca_free(h->other);
}

/* A configuration whose files are these; extra is further JSON members. */
static struct caconf *conf(const struct home *h, const char *root, const char *crt, const char *key, const char *extra)
{
	struct error e = ERROR_INIT;
	struct caconf *c = NULL;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 16);
	buf_addf(&text,
	         "{\"root\":\"%s/%s\",\"crt\":\"%s/%s\",\"key\":\"%s/%s\",\"address\":\":443\",\"authority\":{"
	         "\"provisioners\":[{\"type\":\"JWK\",\"name\":\"ops\",\"key\":" SAMPLE_KEY(
			 "one") "},"
	                        "{\"type\":\"ACME\",\"name\":\"acme\"}]}%s}",
	         h->dir, root, h->dir, crt, h->dir, key, extra);
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	free(c->warnings[0]); /* acme is disabled */
	c->warnings_n = 0;
	return c;
}

/* A source with one password. */
static enum status one_password(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	if (attempt)
		return error_set(e, ST_MISSING, "no more passwords");
	buf_adds(ret, ctx);
	return buf_check(ret, e);
}

static void drop(struct authority **a)
{
	if (*a)
		authority_unref(*a);
}

/* ---- tests ---- */

static void a_snapshot_has_everything(void **state)
{
	const struct home *h = *state;
	struct error e = ERROR_INIT;
	AUTO(caconf_free_p)
	struct caconf *c =
		conf(h, "root", "both", "key", ",\"dnsNames\":[\"ca.example\",\"10.0.0.1\"],\"commonName\":\"Our CA\"");
	AUTO(drop) struct authority *a = NULL;
	assert_ok(caconf_build(c, NULL, TESTCA_NOW, &a, &e));
	assert_int_equal(c->warnings_n, 0);
	assert_int_equal(a->refs, 1);
	assert_int_equal(a->roots.n, 1);
	assert_int_equal(a->issuers.n, 2);
	assert_int_equal(a->federated.n, 0);
	assert_int_equal(signer_alg(a->signer), SIGN_ECDSA_SHA256);
	assert_true(key_equal(signer_key(a->signer), cert_key(a->issuers.v[0])));
	assert_string_equal(a->listener_common_name, "Our CA");
	assert_int_equal(a->dns_n, 2);
	assert_string_equal(a->dns_names[1], "10.0.0.1");
	assert_int_equal(a->backdate_ns, DURATION_MIN);
	assert_true(a->renew_without_provisioner);
	assert_int_equal(a->provs_n, 2);
	const struct provisioner *ops = authority_find_provisioner(a, "ops:one");
	assert_non_null(ops);
	assert_null(ops->disabled);
	assert_string_equal(ops->key.kid, "one");
	assert_string_equal(ops->uid, c->provs[0].uid);
	assert_non_null(authority_find_provisioner_named(a, "acme")->disabled);

	/* The snapshot outlives the configuration, which may be built again. */
	AUTO(drop) struct authority *again = NULL;
	assert_ok(caconf_build(c, NULL, TESTCA_NOW, &again, &e));
	caconf_free(TAKE(c));
	assert_string_equal(ops->name, "ops");
	assert_string_equal(json_string_value(json_object_get(ops->json, "name")), "ops");

	/* Tokens with chains: our leaf alone leads to an anchor, another CA's does not. */
	struct issued own = { 0 }, foreign = { 0 };
	testca_issue(h->ca, h->ca->prov_key, "leaf.example", TESTCA_NOW, &own);
	testca_issue(h->other, h->other->prov_key, "leaf.example", TESTCA_NOW, &foreign);
	assert_ok(trust_verify(a->client_trust, own.cert, NULL, TESTCA_NOW, TRUST_CLIENT, &e));
	assert_int_equal(trust_verify(a->client_trust, foreign.cert, NULL, TESTCA_NOW, TRUST_CLIENT, &e), ST_DENIED);
	issued_done(&own);
	issued_done(&foreign);
}

/* One X5C provisioner whose roots are these, or one JWK provisioner with these claims. */
static struct caconf *conf_of(const struct home *h, const struct chain *roots, const char *claims)
{
	struct error e = ERROR_INIT;
	struct caconf *c = NULL;
	AUTO(buf_done) struct buf pem = BUF_INIT(1 << 16);
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 18);
	buf_addf(&text,
	         "{\"root\":\"%s/root\",\"crt\":\"%s/crt\",\"key\":\"%s/key\",\"address\":\":443\","
	         "\"authority\":{\"renewalWindow\":\"90s\",\"provisioners\":[{\"name\":\"p\",",
	         h->dir, h->dir, h->dir);
	if (roots) {
		chain_format_pem(roots, &pem);
		buf_adds(&text, "\"type\":\"X5C\",\"roots\":\"");
		b64_encode(&text, buf_slice(&pem), B64_STD);
		buf_adds(&text, "\"}]}}");
	} else {
		buf_addf(&text, "\"type\":\"JWK\",\"key\":" SAMPLE_KEY("one") ",\"claims\":%s}]}}", claims);
	}
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_int_equal(c->warnings_n, 0);
	return c;
}

static void x5c_provisioners_load(void **state)
{
	const struct home *h = *state;
	struct chain foreign[] = { { &h->other->root, 1 },
		                   { (struct cert *[]){ h->other->issuer, h->other->root }, 2 } };
	struct chain own[] = { { &h->ca->root, 1 }, { (struct cert *[]){ h->other->root, h->ca->issuer }, 2 } };
	for (size_t i = 0; i < COUNT_OF(foreign); i++) {
		struct error e = ERROR_INIT;
		AUTO(caconf_free_p) struct caconf *c = conf_of(h, &foreign[i], NULL);
		AUTO(drop) struct authority *a = NULL;
		assert_ok(caconf_build(c, NULL, TESTCA_NOW, &a, &e));
		assert_int_equal(c->warnings_n, 0);
		assert_int_equal(a->renewal_window_ns, 90 * DURATION_S);
		caconf_free(TAKE(c));
		const struct provisioner *p = authority_find_provisioner(a, "x5c/p");
		assert_non_null(p);
		assert_null(p->disabled);
		assert_int_equal(p->roots.n, foreign[i].n);
		struct issued leaf = { 0 }, ours = { 0 };
		struct chain with = { &h->other->issuer, 1 };
		testca_issue(h->other, h->other->prov_key, "leaf.example", TESTCA_NOW, &leaf);
		testca_issue(h->ca, h->ca->prov_key, "leaf.example", TESTCA_NOW, &ours);
		assert_ok(trust_verify(p->credentials, leaf.cert, &with, TESTCA_NOW, TRUST_CLIENT, &e));
		assert_int_equal(trust_verify(p->credentials, ours.cert, &with, TESTCA_NOW, TRUST_CLIENT, &e),
		                 ST_DENIED);
		issued_done(&leaf);
		issued_done(&ours);
	}
	for (size_t i = 0; i < COUNT_OF(own); i++) {
		struct error e = ERROR_INIT;
		AUTO(caconf_free_p) struct caconf *c = conf_of(h, &own[i], NULL);
		AUTO(drop) struct authority *a = NULL;
		assert_ok(caconf_build(c, NULL, TESTCA_NOW, &a, &e));
		assert_int_equal(c->warnings_n, 1);
		assert_string_equal(
			c->warnings[0],
			"authority.provisioners: the roots of \"p\" hold this CA's own certificate: whoever "
			"has any certificate of this CA can get one for any name; name the root of those who "
			"may");
	}
}

static void renewal_after_expiry_without_end_is_warned_about(void **state)
{
	const struct home *h = *state;
	static const struct {
		const char *claims;
		size_t warnings;
	} rows[] = {
		{ "{}", 0 },
		{ "{\"renewalAfterExpiry\":\"720h\"}", 0 },
		{ "{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"720h\"}", 0 },
		{ "{\"allowRenewalAfterExpiry\":true}", 1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(caconf_free_p) struct caconf *c = conf_of(h, NULL, rows[i].claims);
		AUTO(drop) struct authority *a = NULL;
		assert_ok(caconf_build(c, NULL, TESTCA_NOW, &a, &e));
		assert_int_equal(c->warnings_n, rows[i].warnings);
		if (c->warnings_n)
			assert_non_null(strstr(c->warnings[0], "set claims.renewalAfterExpiry, such as 720h"));
	}
}

static const struct bad_row {
	const char *root, *crt, *key, *extra;
	int64_t after_s; /* TESTCA_NOW plus this */
	enum status st;
	const char *text; /* %D is the folder; a trailing * means: begins so */
} bad[] = {
	{ "none", "crt", "key", "", 0, ST_MISSING, "root: open %D/none failed: no such file or directory" },
	{ "root", "none", "key", "", 0, ST_MISSING, "crt: open %D/none failed: no such file or directory" },
	{ "root", "crt", "none", "", 0, ST_MISSING, "key: open %D/none failed: no such file or directory" },
	{ "junk", "crt", "key", "", 0, ST_INVALID, "root: %D/junk: *" },
	{ "root", "junk", "key", "", 0, ST_INVALID, "crt: %D/junk: *" },
	{ "root", "crt", "junk", "", 0, ST_INVALID, "key: %D/junk: *" },
	{ "root", "crt", "locked", "", 0, ST_MISSING,
	  "key: %D/locked: the key is encrypted; name a file that holds its password with --password-file" },
	{ "root", "crt", "locked", ",\"password\":\"wrong\"", 0, ST_DENIED, "key: %D/locked: *" },
	{ "leaf", "crt", "key", "", 0, ST_INVALID, "root: %D/leaf: \"leaf.example\" is not a CA certificate" },
	{ "root", "crt", "key", ",\"federatedRoots\":[\"%D/leaf\"]", 0, ST_INVALID,
	  "federatedRoots: %D/leaf: \"leaf.example\" is not a CA certificate" },
	{ "root", "leaf", "key", "", 0, ST_INVALID,
	  "crt: %D/leaf: \"leaf.example\" may not sign certificates (it is no CA, or lacks keyCertSign); name the "
	  "intermediate's certificate" },
	{ "root", "crt", "otherkey", "", 0, ST_INVALID,
	  "key: %D/otherkey is not the key of the first certificate in %D/crt, \"Test Intermediate CA\"; name the pair "
	  "that "
	  "belongs together" },
	{ "root", "swapped", "key", "", 0, ST_INVALID,
	  "key: %D/key is not the key of the first certificate in %D/swapped, \"Test Root CA\"; name the pair that "
	  "belongs "
	  "together" },
	{ "otherroot", "crt", "key", "", 0, ST_DENIED, "crt: %D/crt does not lead to a certificate of root: *" },
	{ "root", "crt", "key", "", (int64_t)3650 * DAY_S + 1, ST_EXPIRED,
	  "crt: %D/crt: \"Test Intermediate CA\" expired at 2040-03-14T17:46:40Z; sign a new intermediate with the "
	  "root "
	  "(`step certificate create --profile intermediate-ca`) and name it here" },
	{ "root", "crt", "key", "", (int64_t)-366 * DAY_S, ST_EXPIRED,
	  "crt: %D/crt: \"Test Intermediate CA\" is not valid before 2029-03-17T17:46:40Z; is this machine's clock "
	  "right?" },
};

static void expand(const struct home *h, const char *text, struct buf *out)
{
	for (const char *p = text; *p; p++) {
		if (p[0] == '%' && p[1] == 'D') {
			buf_adds(out, h->dir);
			p++;
		} else {
			buf_addc(out, *p);
		}
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct home *h = *state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf want = BUF_INIT(4096);
		AUTO(buf_done) struct buf extra = BUF_INIT(4096);
		expand(h, bad[i].text, &want);
		expand(h, bad[i].extra, &extra);
		AUTO(caconf_free_p) struct caconf *c = conf(h, bad[i].root, bad[i].crt, bad[i].key, buf_cstr(&extra));
		struct authority *a = NULL;
		struct wall now = { TESTCA_NOW.s + bad[i].after_s };
		enum status st = caconf_build(c, NULL, now, &a, &e);
		if (st != bad[i].st)
			fail_msg("row %zu: %s: %s", i, status_name(st), e.text);
		assert_null(a);
		if (want.p[want.n - 1] != '*')
			assert_string_equal(e.text, buf_cstr(&want));
		else if (strncmp(e.text, buf_cstr(&want), want.n - 1))
			fail_msg("\"%s\" is not \"%s\"", e.text, buf_cstr(&want));
	}
}

static const struct password_row {
	const char *key, *extra, *given; /* given NULL: no source */
	enum status st;
} passwords[] = {
	{ "key", "", NULL, ST_OK },
	{ "key", ",\"password\":\"wrong\"", "wrong", ST_OK },
	{ "locked", "", "pass", ST_OK },
	{ "locked", "", "wrong", ST_DENIED },
	{ "locked", "", "", ST_DENIED },
	{ "locked", ",\"password\":\"pass\"", NULL, ST_OK },
	{ "locked", ",\"password\":\"pass\"", "wrong", ST_OK },
	{ "locked", ",\"password\":\"wrong\"", "pass", ST_OK },
	{ "locked", ",\"password\":\"wrong\"", "wrong", ST_DENIED },
	{ "locked", ",\"password\":\"\"", "pass", ST_OK },
	{ "pkcs8", "", "pass", ST_OK },
	{ "pkcs8", "", "wrong", ST_DENIED },
};

static void the_password_comes_from_the_file_or_the_source(void **state)
{
	const struct home *h = *state;
	for (size_t i = 0; i < COUNT_OF(passwords); i++) {
		struct error e = ERROR_INIT;
		char given[16];
		snprintf(given, sizeof given, "%s", passwords[i].given ? passwords[i].given : "");
		struct password_source source = { .get = one_password, .ctx = given };
		AUTO(caconf_free_p) struct caconf *c = conf(h, "root", "crt", passwords[i].key, passwords[i].extra);
		AUTO(drop) struct authority *a = NULL;
		enum status st = caconf_build(c, passwords[i].given ? &source : NULL, TESTCA_NOW, &a, &e);
		if (st != passwords[i].st)
			fail_msg("row %zu: %s: %s", i, status_name(st), e.text);
	}
}

struct counted_source {
	const char *password;
	int asked;
};

static enum status count_and_give(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	struct counted_source *s = ctx;
	s->asked++;
	if (attempt)
		return error_set(e, ST_MISSING, "no more passwords");
	buf_adds(ret, s->password);
	return buf_check(ret, e);
}

/* Once ca.json's came first whatever the source was. */
static void a_password_file_comes_before_ca_json_and_a_person_behind_it(void **state)
{
	const struct home *h = *state;
	static const struct {
		const char *own, *given;
		bool asks;
		int asked;
	} rows[] = {
		{ ",\"password\":\"pass\"", "pass", false, 1 },
		{ ",\"password\":\"wrong\"", "pass", false, 1 },
		{ ",\"password\":\"pass\"", "wrong", false, 1 },
		{ ",\"password\":\"pass\"", "pass", true, 0 },
		{ ",\"password\":\"wrong\"", "pass", true, 1 },
		{ "", "pass", true, 1 },
		{ "", "pass", false, 1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct counted_source counted = { rows[i].given, 0 };
		struct password_source source = { .get = count_and_give, .ctx = &counted, .asks = rows[i].asks };
		AUTO(caconf_free_p) struct caconf *c = conf(h, "root", "crt", "locked", rows[i].own);
		AUTO(drop) struct authority *a = NULL;
		if (caconf_build(c, &source, TESTCA_NOW, &a, &e))
			fail_msg("row %zu: %s", i, e.text);
		assert_int_equal(counted.asked, rows[i].asked);
	}
}

static void what_ends_soon_is_warned_about(void **state)
{
	const struct home *h = *state;
	static const struct {
		int64_t before_end_s;
		const char *claims, *first, *second;
	} rows[] = {
		{ 30 * DAY_S, "", NULL, NULL },
		{ 30 * DAY_S - 1, "",
		  "crt: \"Test Intermediate CA\" expires in 29 days, at 2040-03-14T17:46:40Z; replace it before",
		  NULL },
		{ 3600, "",
		  "crt: \"Test Intermediate CA\" expires in 0 days, at 2040-03-14T17:46:40Z; replace it before",
		  "authority.provisioners: \"ops\" allows certificates of 24h0m0s, but the issuer in crt ends before "
		  "that, at "
		  "2040-03-14T17:46:40Z; longer ones will be cut to its end" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(caconf_free_p) struct caconf *c = conf(h, "root", "crt", "key", "");
		AUTO(drop) struct authority *a = NULL;
		struct wall now = { TESTCA_NOW.s + (int64_t)3650 * DAY_S - rows[i].before_end_s };
		assert_ok(caconf_build(c, NULL, now, &a, &e));
		assert_int_equal(c->warnings_n, !!rows[i].first + !!rows[i].second);
		if (rows[i].first)
			assert_string_equal(c->warnings[0], rows[i].first);
		if (rows[i].second)
			assert_string_equal(c->warnings[1], rows[i].second);
	}
}

static void federated_roots_are_published_and_not_trusted(void **state)
{
	const struct home *h = *state;
	struct error e = ERROR_INIT;
	char extra[256];
	snprintf(extra, sizeof extra, ",\"federatedRoots\":[\"%s/otherroot\"]", h->dir);
	AUTO(caconf_free_p) struct caconf *c = conf(h, "root", "crt", "key", extra);
	AUTO(drop) struct authority *a = NULL;
	assert_ok(caconf_build(c, NULL, TESTCA_NOW, &a, &e));
	assert_int_equal(a->federated.n, 1);
	assert_int_equal(c->warnings_n, 0);
	/* Federated roots are no anchors. */
	struct issued foreign = { 0 };
	testca_issue(h->other, h->other->prov_key, "leaf.example", TESTCA_NOW, &foreign);
	assert_int_equal(trust_verify(a->client_trust, foreign.cert, NULL, TESTCA_NOW, TRUST_CLIENT, &e), ST_DENIED);
	issued_done(&foreign);
}

static const struct {
	struct key_spec key;
	enum sign_alg alg;
} algs[] = {
	{ { .kind = KEY_EC, .curve = "P-384" }, SIGN_ECDSA_SHA384 },
	{ { .kind = KEY_OKP, .curve = "Ed25519" }, SIGN_ED25519 },
	{ { .kind = KEY_RSA, .bits = 2048 }, SIGN_RSA_SHA256 },
};

static void the_issuer_signs_as_its_key_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(algs); i++) {
		struct error e = ERROR_INIT;
		struct home h = { 0 };
		home_make(&h, &(struct testca_opts){ .key = algs[i].key });
		struct caconf *c = conf(&h, "root", "crt", "key", "");
		struct authority *a = NULL;
		assert_ok(caconf_build(c, NULL, TESTCA_NOW, &a, &e));
		assert_int_equal(signer_alg(a->signer), algs[i].alg);
		authority_unref(a);
		caconf_free(c);
		home_done(&h);
	}
}

static void running_out_of_memory_is_an_error(void **state)
{
	const struct home *h = *state;
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(caconf_free_p) struct caconf *c = conf(h, "root", "crt", "key", "");
		AUTO(drop) struct authority *a = NULL;
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = caconf_build(c, NULL, TESTCA_NOW, &a, &e);
		bool reached = fail_disarm();
		if (!reached) {
			assert_int_equal(st, ST_OK);
			assert_true(n > 20);
			return;
		}
		assert_true(st != ST_OK && !a);
	}
}

static int setup(void **state)
{
	static struct home h;
	home_make(&h, NULL);
	*state = &h;
	return 0;
}

static int teardown(void **state)
{
	home_done(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_has_everything),
		cmocka_unit_test(x5c_provisioners_load),
		cmocka_unit_test(renewal_after_expiry_without_end_is_warned_about),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(the_password_comes_from_the_file_or_the_source),
		cmocka_unit_test(a_password_file_comes_before_ca_json_and_a_person_behind_it),
		cmocka_unit_test(what_ends_soon_is_warned_about),
		cmocka_unit_test(federated_roots_are_published_and_not_trusted),
		cmocka_unit_test(the_issuer_signs_as_its_key_does),
		cmocka_unit_test(running_out_of_memory_is_an_error),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
