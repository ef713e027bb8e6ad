#include "testing.h"

#include "samples.h"
#include "x509/trust.h"

#include "fail.h"
#include <errno.h>

/* One PKI for all tests: root, intermediate, and what hangs under them. */
static struct made root, ca, leaf, stranger;

static int set_up(void **state)
{
	(void)state;
	root = make((struct recipe){ .name = "Root", .ca = true, .path_len = 1, .to_s = 10 * YEAR_S });
	ca = make((struct recipe){ .name = "CA", .ca = true, .issuer = &root, .to_s = 5 * YEAR_S });
	leaf = make(
		(struct recipe){ .name = "leaf", .issuer = &ca, .sans = "a.local *.wild.org 10.0.0.1 ::1 me@x.org" });
	stranger = make((struct recipe){ .name = "Root", .ca = true, .path_len = 1 });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	made_done(&root);
	made_done(&ca);
	made_done(&leaf);
	made_done(&stranger);
	return 0;
}

static void chain_of(struct chain *c, struct made *a, struct made *b)
{
	struct error e;
	*c = (struct chain){ 0 };
	if (a)
		assert_ok(chain_add(c, a->cert, &e));
	if (b)
		assert_ok(chain_add(c, b->cert, &e));
}

/* Verifies under one anchor with up to one untrusted certificate. */
static enum status verify(struct made *anchor, bool partial, struct made *which, struct made *between, int64_t at_s,
                          enum trust_use use, struct error *e)
{
	AUTO(chain_done) struct chain anchors, untrusted;
	AUTO(trust_free_p) struct trust *t = NULL;
	chain_of(&anchors, anchor, NULL);
	chain_of(&untrusted, between, NULL);
	assert_int_equal(trust_new(&anchors, partial, &t, e), ST_OK);
	return trust_verify(t, which->cert, between ? &untrusted : NULL, (struct wall){ T0.s + at_s }, use, e);
}

static void paths(void **state)
{
	(void)state;
	static const struct {
		struct made *anchor, *leaf, *between;
		bool partial;
		int64_t at_s;
		enum status st;
		const char *says;
	} rows[] = {
		{ &root, &leaf, &ca, false, 60, ST_OK, NULL },
		{ &root, &leaf, &ca, false, 0, ST_OK, NULL },
		{ &root, &leaf, &ca, false, YEAR_S, ST_OK, NULL },
		{ &ca, &leaf, NULL, true, 60, ST_OK, NULL },
		{ &root, &ca, NULL, false, 60, ST_OK, NULL },
		{ &root, &root, NULL, false, 60, ST_OK, NULL },
		{ &leaf, &leaf, NULL, true, 60, ST_OK, NULL },
		{ &ca, &leaf, NULL, false, 60, ST_DENIED, "x509: certificate signed by unknown authority (CN=CA)" },
		{ &root, &leaf, NULL, false, 60, ST_DENIED, "x509: certificate signed by unknown authority (CN=leaf)" },
		{ &stranger, &leaf, &ca, false, 60, ST_DENIED, "x509: certificate" }, /* same name, other key */
		{ &stranger, &root, NULL, false, 60, ST_DENIED, "unknown authority (CN=Root)" },
		{ &leaf, &ca, NULL, false, 60, ST_DENIED, "unknown authority" },
		{ &root, &leaf, &ca, false, YEAR_S + 1, ST_EXPIRED, "is after 2027-11-23T10:51:57Z (CN=leaf)" },
		{ &root, &leaf, &ca, false, -1, ST_EXPIRED,
		  "x509: certificate has expired or is not yet valid: current time 2026-11-23T10:51:56Z is before "
		  "2026-11-23T10:51:57Z" },
		{ &ca, &leaf, NULL, true, 6 * YEAR_S, ST_EXPIRED, "has expired" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		enum status st = verify(rows[i].anchor, rows[i].partial, rows[i].leaf, rows[i].between, rows[i].at_s,
		                        TRUST_ANY, &e);
		if (st != rows[i].st || (rows[i].says && !strstr(e.text, rows[i].says)))
			fail_msg("row %zu: %s %s", i, status_name(st), e.text);
	}
}

static void a_leaf_is_no_issuer(void **state)
{
	(void)state;
	struct error e;
	AUTO(made_done) struct made below = make((struct recipe){ .name = "below", .issuer = &leaf });
	AUTO(chain_done) struct chain anchors, untrusted;
	AUTO(trust_free_p) struct trust *t = NULL;
	chain_of(&anchors, &root, NULL);
	chain_of(&untrusted, &leaf, &ca);
	assert_ok(trust_new(&anchors, false, &t, &e));
	assert_fails(trust_verify(t, below.cert, &untrusted, T0, TRUST_ANY, &e), ST_DENIED);
	/* and the path length of the intermediate (0) holds */
	AUTO(made_done) struct made deeper = make((struct recipe){ .name = "deeper", .ca = true, .issuer = &ca });
	AUTO(made_done) struct made last = make((struct recipe){ .name = "last", .issuer = &deeper });
	AUTO(chain_done) struct chain two;
	chain_of(&two, &deeper, &ca);
	assert_fails(trust_verify(t, last.cert, &two, T0, TRUST_ANY, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "path length"));
}

static void depth_is_bounded(void **state)
{
	(void)state;
	enum { DEEP = 14 };
	struct error e;
	struct made links[DEEP];
	AUTO(chain_done) struct chain anchors = { 0 }, untrusted = { 0 };
	AUTO(trust_free_p) struct trust *t = NULL;
	for (size_t i = 0; i < DEEP; i++) {
		char name[16];
		snprintf(name, sizeof name, "CA %zu", i);
		links[i] = make((struct recipe){
			.name = name, .ca = true, .path_len = -1, .issuer = i ? &links[i - 1] : NULL });
		assert_ok(chain_add(i ? &untrusted : &anchors, links[i].cert, &e));
	}
	assert_ok(trust_new(&anchors, false, &t, &e));
	assert_ok(trust_verify(t, links[8].cert, &untrusted, T0, TRUST_ANY, &e));
	assert_fails(trust_verify(t, links[DEEP - 1].cert, &untrusted, T0, TRUST_ANY, &e), ST_DENIED);
	for (size_t i = 0; i < DEEP; i++)
		made_done(&links[i]);
}

static void uses(void **state)
{
	(void)state;
	static const struct {
		const char *eku; /* NULL: no extension */
		bool client, server;
	} rows[] = {
		{ NULL, true, true },
		{ OID_CLIENT_AUTH, true, false },
		{ OID_SERVER_AUTH, false, true },
		{ OID_ANY_EXT_KEY_USAGE, true, true },
		{ "1.3.6.1.5.5.7.3.3", false, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf ext = BUF_INIT(BIG);
		ext_add(&ext, "1.2.3", false, SLICE_NONE);
		if (rows[i].eku)
			ext_add_ext_key_usage(&ext, &rows[i].eku, 1);
		AUTO(made_done)
		struct made m = make((struct recipe){ .name = "m", .issuer = &ca, .extensions = buf_slice(&ext) });
		assert_int_equal(verify(&root, false, &m, &ca, 60, TRUST_ANY, &e), ST_OK);
		assert_int_equal(verify(&root, false, &m, &ca, 60, TRUST_CLIENT, &e),
		                 rows[i].client ? ST_OK : ST_DENIED);
		assert_int_equal(verify(&root, false, &m, &ca, 60, TRUST_SERVER, &e),
		                 rows[i].server ? ST_OK : ST_DENIED);
		if (!rows[i].server)
			assert_string_equal(e.text, "x509: certificate specifies an incompatible key usage (CN=m)");
	}
}

static void an_issuers_use_limits_too(void **state)
{
	(void)state;
	struct error e;
	const char *server = OID_SERVER_AUTH;
	AUTO(buf_done) struct buf ext = BUF_INIT(BIG);
	ext_add_key_usage(&ext, KU_KEY_CERT_SIGN);
	ext_add_basic_constraints(&ext, true, 0);
	ext_add_ext_key_usage(&ext, &server, 1);
	AUTO(made_done)
	struct made only = make((struct recipe){ .name = "S", .issuer = &root, .extensions = buf_slice(&ext) });
	AUTO(made_done) struct made m = make((struct recipe){ .name = "m", .issuer = &only });
	assert_int_equal(verify(&root, false, &m, &only, 60, TRUST_SERVER, &e), ST_OK);
	assert_int_equal(verify(&root, false, &m, &only, 60, TRUST_CLIENT, &e), ST_DENIED);
}

static void critical_unknown_and_weak(void **state)
{
	(void)state;
	struct error e;
	AUTO(buf_done) struct buf ext = BUF_INIT(BIG);
	ext_add(&ext, "1.2.3", true, SLICE_NONE);
	AUTO(made_done)
	struct made m = make((struct recipe){ .name = "m", .issuer = &ca, .extensions = buf_slice(&ext) });
	assert_fails(verify(&root, false, &m, &ca, 60, TRUST_ANY, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "unhandled critical extension"));
	/* SHA-1 is no signature any more, except an anchor's own */
	AUTO(cert_unref_p) struct cert *sha1 = sample(sample_sha1);
	struct made weak = { .cert = sha1 };
	assert_int_equal(verify(&weak, false, &weak, NULL, 86400, TRUST_ANY, &e), ST_OK);
	/* a signature that somebody changed */
	AUTO(buf_done) struct buf der = BUF_INIT(BIG);
	AUTO(cert_unref_p) struct cert *bad = NULL;
	buf_add_slice(&der, cert_facts(leaf.cert)->der);
	uint8_t *name = memmem(der.p, der.n, "a.local", 7);
	name[0] = 'b';
	assert_ok(cert_parse(buf_slice(&der), &bad, &e));
	struct made forged = { .cert = bad };
	assert_fails(verify(&root, false, &forged, &ca, 60, TRUST_ANY, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "signature"));
}

static void hostile_subjects_are_shown_safely(void **state)
{
	(void)state;
	struct error e;
	AUTO(made_done) struct made m = make((struct recipe){ .name = "a\x1b[31m\nb", .issuer = &ca });
	assert_fails(verify(&root, false, &m, NULL, 60, TRUST_ANY, &e), ST_DENIED);
	assert_string_equal(e.text, "x509: certificate signed by unknown authority (CN=a?[31m?b)");
	AUTO(made_done) struct made none = make((struct recipe){ .issuer = &ca, .sans = "x" });
	assert_fails(verify(&root, false, &none, NULL, 60, TRUST_ANY, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "(no subject)"));
}

static void system_store(void **state)
{
	(void)state;
	struct error e;
	AUTO(trust_free_p) struct trust *t = NULL;
	assert_ok(trust_new_system(&t, &e));
	assert_fails(trust_verify(t, leaf.cert, NULL, T0, TRUST_ANY, &e), ST_DENIED);
	trust_free(NULL);
}

static void hosts(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		bool good;
	} rows[] = {
		{ "a.local", true },       { "A.LOCAL", true },    { "a.local.", true },
		{ "x.wild.org", true },    { "10.0.0.1", true },   { "::1", true },
		{ "[::1]", true },         { "0:0::1", true },     { "::ffff:10.0.0.1", true },
		{ "b.local", false },      { "x.a.local", false }, { "wild.org", false },
		{ "x.y.wild.org", false }, { "10.0.0.2", false },  { "::2", false },
		{ "leaf", false }, /* the CN */
		{ "me@x.org", false },     { "", false },          { ".", false },
		{ "[::1", false },         { "*.wild.org", true }, { "a.local\x1b", false },
		{ "a.local..", false },    { ".wild.org", false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		enum status st = cert_matches_host(leaf.cert, rows[i].host, &e);
		if (st != (rows[i].good ? ST_OK : ST_DENIED))
			fail_msg("'%s': %s", rows[i].host, status_name(st));
		assert_null(strchr(e.text, '\x1b'));
	}
	struct error e;
	assert_fails(cert_matches_host(leaf.cert, "b", &e), ST_DENIED);
	assert_string_equal(e.text, "x509: certificate is valid for a.local, *.wild.org, 10.0.0.1, ::1, not b");
	assert_fails(cert_matches_host(root.cert, "Root", &e), ST_DENIED);
	assert_string_equal(e.text, "x509: certificate is not valid for any names, but wanted to match Root");
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	AUTO(chain_done) struct chain anchors;
	chain_of(&anchors, &root, NULL);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(chain_done) struct chain untrusted = { 0 };
		AUTO(trust_free_p) struct trust *t = NULL;
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = chain_add(&untrusted, ca.cert, &e);
		if (!st)
			st = trust_new(&anchors, false, &t, &e);
		if (!st)
			st = trust_verify(t, leaf.cert, &untrusted, T0, TRUST_CLIENT, &e);
		if (!fail_disarm()) {
			assert_int_equal(st, ST_OK);
			assert_in_range(n, 5, 300);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
	}
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(a_leaf_is_no_issuer),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(uses),
		cmocka_unit_test(an_issuers_use_limits_too),
		cmocka_unit_test(critical_unknown_and_weak),
		cmocka_unit_test(hostile_subjects_are_shown_safely),
		cmocka_unit_test(system_store),
		cmocka_unit_test(hosts),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
