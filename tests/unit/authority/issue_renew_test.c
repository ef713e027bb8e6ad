#include "decide.h"
#include "authority/urgency.h"
#include "fail.h"

#include "x509/certwriter.h"
#include "x509/name.h"
#include "x509/trust.h"

#include <stdlib.h>

#define YEAR_S (365 * INT64_C(86400))

/* --- may it? --- */

static const struct parent_facts unknown = { 0 };

static struct parent_facts known(const char *provisioner_id)
{
	struct parent_facts f = { .known = true, .granted_s = 86460, .line = "1", .generation = 3 };
	snprintf(f.provisioner_id, sizeof f.provisioner_id, "%s", provisioner_id);
	return f;
}

/* What may be changed between the issuing of a certificate by "ops" and its renewal. */
struct renewal {
	int64_t after_s; /* issuing, to now */
	bool by_token;
	const char *iss; /* of the token; NULL: the client program */
	bool forgotten;
	bool without_extension;
	const char *stored_id; /* NULL: not in the store */
	const char *renamed;   /* what "ops" is called now */
	const char *rekeyed;   /* what its id is now */
	bool unprovisioned_ok;
	bool disabled;
	struct claims claims;
};

static void decide(const struct renewal *x, const struct provisioner **ret_prov, struct verdict *v)
{
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued i = { 0 };
	struct provisioner *ops = &t->a->provs[TESTCA_OPS];
	struct parent_facts facts = x->stored_id ? known(x->stored_id) : unknown;

	ops->claims.disable_extensions = x->without_extension;
	testca_issue(t, key, "a.example", TESTCA_NOW, &i);
	if (x->stored_id && !strcmp(x->stored_id, "OPS"))
		snprintf(facts.provisioner_id, sizeof facts.provisioner_id, "%s", ops->id);
	ops->claims = x->claims;
	if (x->renamed) {
		free(ops->name);
		ops->name = text_dup(slice_cstr(x->renamed));
	}
	if (x->rekeyed) {
		free(ops->id);
		ops->id = text_dup(slice_cstr(x->rekeyed));
	}
	if (x->disabled)
		ops->disabled = text_dup(slice_cstr("a webhook"));
	t->a->renew_without_provisioner = x->unprovisioned_ok;
	const struct provisioner *p = ops + 1;
	const struct renew_token token = { .ott.iss = x->iss ? x->iss : "step-ca-client/1.0" };
	facts.forgotten = x->forgotten;
	assert_ok(renew_decide(t->a, i.cert, &facts, (struct wall){ TESTCA_NOW.s + x->after_s },
	                       x->by_token ? &token : NULL, &p, v, &e));
	if (v->refusal)
		assert_ptr_equal(p, ops + 1); /* untouched */
	*ret_prov = p == ops ? ops : p ? p : NULL;
	assert_true(v->refusal || p == ops || p == NULL);
}

static void renewable(void **state)
{
	(void)state;
	static const struct {
		struct renewal x;
		bool unprovisioned;
	} rows[] = {
		{ { 0 }, false },
		{ { .by_token = true }, false },
		{ { .stored_id = "OPS" }, false },
		{ { .after_s = 86400 }, false }, /* the last second */
		{ { .after_s = -60 }, false },   /* the first */
		/* by the stored id, whatever the name is now; without an extension too */
		{ { .stored_id = "OPS", .renamed = "new" }, false },
		{ { .stored_id = "OPS", .without_extension = true }, false },
		{ { .stored_id = "OPS", .without_extension = true, .by_token = true }, false },
		/* the id is gone: by the name, type and key do not count */
		{ { .stored_id = "OPS", .rekeyed = "ops:other" }, false },
		{ { .stored_id = "gone", .by_token = true }, false },
		{ { .stored_id = "" }, false },
		/* by a token of the provisioner's name */
		{ { .by_token = true, .iss = "ops" }, false },
		{ { .by_token = true, .iss = "new", .stored_id = "OPS", .renamed = "new" }, false },
		{ { .by_token = true, .forgotten = true }, false }, /* it has not expired */
		/* nothing says that it came from any provisioner */
		{ { .without_extension = true, .unprovisioned_ok = true }, true },
		{ { .without_extension = true, .unprovisioned_ok = true, .stored_id = "" }, true },
		/* after expiry, where that is allowed */
		{ { .after_s = 86401, .by_token = true, .claims.allow_renewal_after_expiry = true }, false },
		{ { .after_s = YEAR_S, .by_token = true, .claims.allow_renewal_after_expiry = true }, false },
		{ { .after_s = 86400 + 3600,
		    .by_token = true,
		    .claims = { .allow_renewal_after_expiry = true, .renewal_after_expiry_ns = DURATION_H } },
		  false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		const struct provisioner *p;
		decide(&rows[i].x, &p, &v);
		if (v.refusal)
			fail_msg("row %zu: %s", i, v.reason);
		assert_int_equal(p == NULL, rows[i].unprovisioned);
	}
}

#define EXPIRED(t) "The request lacked necessary authorization to be completed: certificate expired on " t " +0000 UTC"

static void not_renewable(void **state)
{
	(void)state;
	static const struct {
		struct renewal x;
		const char *message, *reason;
	} rows[] = {
		/* removed */
		{ { .renamed = "new" }, "", "provisioner \"ops\" does not exist any more" },
		{ { .stored_id = "gone", .renamed = "new" }, "", "provisioner \"ops\" does not exist any more" },
		{ { .stored_id = "gone", .without_extension = true, .unprovisioned_ok = true },
		  "",
		  "provisioner \"gone\" does not exist any more" },
		/* without provisioner */
		{ { .without_extension = true }, "", "carries no provisioner information" },
		{ { .without_extension = true, .by_token = true }, "", "cannot be renewed with a token" },
		{ { .without_extension = true, .by_token = true, .unprovisioned_ok = true },
		  "",
		  "cannot be renewed with a token" },
		{ { .without_extension = true, .after_s = 86401, .unprovisioned_ok = true },
		  EXPIRED("2030-03-18 17:46:40"),
		  "expired" },
		/* forbidden */
		{ { .claims.disable_renewal = true }, "", "renewal is disabled for provisioner \"ops\"" },
		{ { .claims.disable_renewal = true, .by_token = true }, "", "renewal is disabled" },
		{ { .claims.disable_renewal = true, .after_s = 86401 }, "", "renewal is disabled" },
		{ { .disabled = true }, "provisioner \"ops\" is disabled due to an initialization error", "a webhook" },
		{ { .disabled = true, .claims.disable_renewal = true },
		  "provisioner \"ops\" is disabled due to an initialization error",
		  "a webhook" },
		/* too early */
		{ { .after_s = -61 }, "", "not valid before 2030-03-17 17:45:40 +0000 UTC" },
		{ { .after_s = -61, .by_token = true }, "", "not valid before" },
		/* too late */
		{ { .after_s = 86401 }, EXPIRED("2030-03-18 17:46:40"), "expired" },
		{ { .after_s = 86401, .by_token = true }, EXPIRED("2030-03-18 17:46:40"), "expired" },
		{ { .after_s = 86401, .claims.allow_renewal_after_expiry = true },
		  EXPIRED("2030-03-18 17:46:40"),
		  "expired" },
		{ { .after_s = 86400 + 3601,
		    .by_token = true,
		    .claims = { .allow_renewal_after_expiry = true, .renewal_after_expiry_ns = DURATION_H } },
		  EXPIRED("2030-03-18 17:46:40"),
		  "longer ago than the provisioner allows" },
		{ { .after_s = 86401, .by_token = true, .forgotten = true, .claims.allow_renewal_after_expiry = true },
		  EXPIRED("2030-03-18 17:46:40"),
		  "not in the database any more" },
		/* a bound without the permission is no permission */
		{ { .after_s = 86401, .by_token = true, .claims.renewal_after_expiry_ns = DURATION_H },
		  EXPIRED("2030-03-18 17:46:40"),
		  "expired" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v;
		const struct provisioner *p;
		decide(&rows[i].x, &p, &v);
		assert_refused(v, REFUSAL_UNAUTHORIZED, rows[i].message, rows[i].reason);
		assert_int_equal(v.bare, *rows[i].message != '\0');
		assert_true(*v.remedy);
	}
}

/* The texts of the peer, for whoever reads them; no remedy, as it is the program that is wrong. */
static void wrong_issuer(void **state)
{
	(void)state;
	static const char *const issuers[] = { "", "other", "acme", "OPS", "step-ca-client", "step-ca-client/1.0 " };
	for (size_t i = 0; i < COUNT_OF(issuers); i++) {
		struct verdict v;
		const struct provisioner *p;
		decide(&(struct renewal){ .by_token = true, .iss = issuers[i] }, &p, &v);
		assert_refused(v, REFUSAL_UNAUTHORIZED, "error validating renew token: invalid issuer claim (iss)",
		               "issuer (iss) is \"");
	}
}

static void ca_certificates(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	const struct cert *cas[] = { t->root, t->issuer };
	struct parent_facts as_ours = known(t->a->provs[TESTCA_OPS].id);
	for (size_t i = 0; i < 2 * COUNT_OF(cas); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		const struct provisioner *p = NULL;
		assert_ok(renew_decide(t->a, cas[i / 2], i % 2 ? &as_ours : &unknown, TESTCA_NOW, NULL, &p, &v, &e));
		assert_refused(v, REFUSAL_FORBIDDEN, "a certificate of a certificate authority cannot be renewed", "");
	}
}

/* --- the new one --- */

/* Everything that must survive: an unusual subject, extensions in an order of their own, critical or not, unknown ones,
 * AKI in the middle, no provisioner. */
static struct cert *foreign_leaf(const struct testca *t, EVP_PKEY *key, struct wall from, struct wall to)
{
	struct error e = ERROR_INIT;
	struct cert *cert;
	AUTO(buf_done) struct buf subject = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf spki = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf x = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf der = BUF_INIT(CERT_MAX);
	AUTO(san_list_done) struct san_list sans = { 0 };
	static const char *const usages[] = { "1.2.3.4", OID_CLIENT_AUTH };
	struct name_attrs names = {
		.country = "DE", .organization = "Other", .serial_number = "7", .common_name = "x"
	};

	assert_ok(name_encode(&names, &subject, &e));
	assert_ok(key_spki(key, &spki, &e));
	assert_ok(san_list_add(&sans, SLICE_LIT("x.example"), &e));
	ext_add(&x, "1.3.6.1.4.1.99999.1", false,
	        SLICE_LIT("\x04\x03"
	                  "abc"));
	assert_ok(ext_add_san(&x, &sans, true, &e));
	ext_add_authority_key_id(&x, SLICE_LIT("an older issuer's"));
	assert_ok(ext_add_subject_key_id(&x, buf_slice(&spki), &e));
	ext_add_ext_key_usage(&x, usages, COUNT_OF(usages));
	ext_add(&x, "1.3.6.1.4.1.99999.2", false, SLICE_LIT("\x05\x00"));
	ext_add_key_usage(&x, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT);
	ext_add_basic_constraints(&x, false, -1);
	struct cert_draft d = { .serial = SLICE_LIT("\x01\x02\x03"),
		                .issuer = cert_facts(t->issuer)->subject,
		                .subject = buf_slice(&subject),
		                .spki = buf_slice(&spki),
		                .not_before = from,
		                .not_after = to,
		                .extensions = buf_slice(&x) };
	assert_ok(cert_write(&d, t->a->signer, &der, &e));
	assert_ok(cert_parse(buf_slice(&der), &cert, &e));
	return cert;
}

/* The extensions but those of these OIDs, as bytes. */
static void without(const struct cert *c, const char *oid1, const char *oid2, struct buf *out)
{
	struct error e = ERROR_INIT;
	struct ext x;
	for (struct slice rest = cert_facts(c)->extensions; rest.n;) {
		assert_ok(ext_next(&rest, &x, &e));
		if (strcmp(x.oid, oid1) && strcmp(x.oid, oid2))
			buf_add_slice(out, x.whole);
	}
}

static void oids(const struct cert *c, struct buf *out)
{
	struct error e = ERROR_INIT;
	struct ext x;
	for (struct slice rest = cert_facts(c)->extensions; rest.n;) {
		assert_ok(ext_next(&rest, &x, &e));
		buf_addf(out, "%s%s", out->n ? " " : "", x.oid);
	}
}

static void renew(const struct testca *t, const struct cert *parent, const struct csr *csr, struct issued *ret)
{
	struct error e = ERROR_INIT;
	struct verdict v;
	assert_ok(issue_renewed(t->a, parent, &unknown, NULL, csr, TESTCA_NOW, test_serial, ret, &v, &e));
	assert_granted(v);
}

#define REST "1.3.6.1.4.1.99999.1 2.5.29.17 2.5.29.37 1.3.6.1.4.1.99999.2 2.5.29.15 2.5.29.19"

/* Renewed, renewed again, rekeyed, rekeyed again: what is copied is copied to the byte. */
static void copies(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key2 = testca_key(KEY_RSA, NULL, 2048);
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(cert_unref_p)
	struct cert *parent =
		foreign_leaf(t, key, (struct wall){ TESTCA_NOW.s - 1000 }, (struct wall){ TESTCA_NOW.s + 1000 });
	AUTO(trust_free_p) struct trust *trust = NULL;
	struct issued i[4] = { 0 };
	static const char *const want[] = {
		"2.5.29.35 1.3.6.1.4.1.99999.1 2.5.29.17 2.5.29.14 2.5.29.37 1.3.6.1.4.1.99999.2 2.5.29.15 2.5.29.19",
		"2.5.29.35 1.3.6.1.4.1.99999.1 2.5.29.17 2.5.29.14 2.5.29.37 1.3.6.1.4.1.99999.2 2.5.29.15 2.5.29.19",
		"2.5.29.14 2.5.29.35 " REST,
		"2.5.29.14 2.5.29.35 " REST,
	};

	testca_csr(key2, "ignored", (const char *[]){ "ignored.example" }, 1, &csr);
	assert_ok(trust_new(&t->a->roots, false, &trust, &e));
	const struct cert *from = parent;
	for (size_t n = 0; n < COUNT_OF(i); n++) {
		bool rekey = n >= 2;
		AUTO(buf_done) struct buf order = BUF_INIT(4096);
		AUTO(buf_done) struct buf old = BUF_INIT(CERT_MAX);
		AUTO(buf_done) struct buf new = BUF_INIT(CERT_MAX);
		renew(t, from, rekey ? &csr : NULL, &i[n]);
		const struct cert_facts *f = cert_facts(i[n].cert), *p = cert_facts(parent);
		oids(i[n].cert, &order);
		assert_string_equal(buf_cstr(&order), want[n]);
		without(parent, OID_AUTHORITY_KEY_ID, rekey ? OID_SUBJECT_KEY_ID : "", &old);
		without(i[n].cert, OID_AUTHORITY_KEY_ID, rekey ? OID_SUBJECT_KEY_ID : "", &new);
		assert_true(slice_eq(buf_slice(&old), buf_slice(&new)));
		assert_true(slice_eq(f->subject, p->subject));
		assert_true(slice_eq(f->authority_key_id, cert_facts(t->issuer)->subject_key_id));
		assert_true(slice_eq(f->subject_key_id, p->subject_key_id) == !rekey);
		assert_true(key_equal(cert_key(i[n].cert), rekey ? key2 : key));
		assert_true(slice_eq(f->serial, slice_of(test_serial, sizeof test_serial)));
		assert_int_equal(f->not_before.s, TESTCA_NOW.s - 60);
		assert_int_equal(f->not_after.s, f->not_before.s + 2000);
		assert_ok(trust_verify(trust, i[n].cert, &t->a->issuers, TESTCA_NOW, TRUST_CLIENT, &e));
		from = i[n].cert;
	}
	for (size_t n = 0; n < COUNT_OF(i); n++)
		issued_done(&i[n]);
}

/* What our own profile issues, renewal keeps, provisioner extension and all. */
static void our_own(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_OKP, "Ed25519", 0);
	AUTO(issued_done) struct issued first = { 0 };
	AUTO(issued_done) struct issued second = { 0 };
	AUTO(buf_done) struct buf order = BUF_INIT(4096);
	testca_issue(t, key, "a.example", TESTCA_NOW, &first);
	renew(t, first.cert, NULL, &second);
	oids(second.cert, &order);
	assert_string_equal(buf_cstr(&order),
	                    OID_AUTHORITY_KEY_ID " " OID_KEY_USAGE " " OID_EXT_KEY_USAGE " " OID_SUBJECT_KEY_ID
	                                         " " OID_SUBJECT_ALT_NAME " " OID_PROVISIONER);
	assert_string_equal(cert_facts(second.cert)->provisioner.name, "ops");
	assert_string_equal(cert_facts(second.cert)->provisioner.credential_id, t->kid);
}

/* An issuer without a key id, or another than before. */
static void issuer_changed(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *old = testca_new(NULL);
	AUTO(testca_free_p) struct testca *new = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued first = { 0 };
	AUTO(issued_done) struct issued second = { 0 };
	AUTO(trust_free_p) struct trust *trust = NULL;
	testca_issue(old, key, "a.example", TESTCA_NOW, &first);
	renew(new, first.cert, NULL, &second);
	assert_true(slice_eq(cert_facts(second.cert)->authority_key_id, cert_facts(new->issuer)->subject_key_id));
	assert_ok(trust_new(&new->a->roots, false, &trust, &e));
	assert_ok(trust_verify(trust, second.cert, &new->a->issuers, TESTCA_NOW, TRUST_ANY, &e));
}

static void spans(void **state)
{
	(void)state;
	static const struct {
		int64_t issuer_left_s, from, to; /* of the parent, relative to now */
		bool known;
		int64_t granted_s;
		int64_t want_to, want_granted_s;
		bool clamped;
	} rows[] = {
		{ 0, -1000, 1000, false, 0, 1940, 2000, false },
		/* the store remembers more than the certificate shows: it had been clamped */
		{ 0, -1000, 1000, true, 5000, 4940, 5000, false },
		{ 3000, -1000, 1000, true, 5000, 3000, 5000, true },
		{ 0, -1000, 1000, true, 2000, 1940, 2000, false },
		/* a row without the fact, or not to be believed */
		{ 0, -1000, 1000, true, 0, 1940, 2000, false },
		{ 0, -1000, 1000, true, -5, 1940, 2000, false },
		{ 0, -1000, 1000, false, 5000, 1940, 2000, false },
		/* clamped to the very second */
		{ 1940, -1000, 1000, false, 0, 1940, 2000, false },
		{ 1939, -1000, 1000, false, 0, 1939, 2000, true },
		/* RFC 5280 §4.1.2.5: 99991231235959Z, "no well-defined expiration" */
		{ 0, -1000, WALL_MAX_S - 1900000000, false, 0, 10 * YEAR_S, WALL_MAX_S - (1900000000 - 60), true },
		{ 0, -1000, 1000, true, INT64_MAX, 10 * YEAR_S, WALL_MAX_S - (1900000000 - 60), true },
		/* an expired parent keeps its span */
		{ 0, -3000, -1000, false, 0, 1940, 2000, false },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(testca_free_p)
		struct testca *t = testca_new(&(struct testca_opts){ .issuer_left_s = rows[i].issuer_left_s });
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
		AUTO(cert_unref_p)
		struct cert *parent = foreign_leaf(t, key, (struct wall){ TESTCA_NOW.s + rows[i].from },
		                                   (struct wall){ TESTCA_NOW.s + rows[i].to });
		AUTO(issued_done) struct issued out = { 0 };
		struct parent_facts facts = { .known = rows[i].known, .granted_s = rows[i].granted_s };
		assert_ok(issue_renewed(t->a, parent, &facts, NULL, NULL, TESTCA_NOW, test_serial, &out, &v, &e));
		assert_granted(v);
		assert_int_equal(cert_facts(out.cert)->not_before.s, TESTCA_NOW.s - 60);
		assert_int_equal(cert_facts(out.cert)->not_after.s - TESTCA_NOW.s, rows[i].want_to);
		assert_int_equal(out.clamped, rows[i].clamped);
		assert_int_equal(out.change->cert.granted_s, rows[i].want_granted_s);
		assert_int_equal(out.asked_not_after.s, TESTCA_NOW.s - 60 + rows[i].want_granted_s);
	}
}

static void lines(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(cert_unref_p)
	struct cert *parent =
		foreign_leaf(t, key, (struct wall){ TESTCA_NOW.s - 1000 }, (struct wall){ TESTCA_NOW.s + 1000 });
	AUTO(csr_done) struct csr csr = { 0 };
	const char *serial = cert_facts(parent)->serial_text; /* 66051 */
	static const struct {
		struct parent_facts facts;
		bool with_prov, rekey;
		const char *line;
		int64_t generation;
	} rows[] = {
		{ { .known = true, .line = "42", .generation = 7 }, true, false, "42", 8 },
		{ { .known = true, .line = "42", .generation = 0 }, true, true, "42", 1 },
		{ { .known = false, .line = "42", .generation = 7 }, false, false, "66051", 1 },
		{ { .known = false }, true, true, "66051", 1 },
		{ { .known = true, .line = "" }, false, false, "66051", 1 },
	};
	assert_string_equal(serial, "66051");
	testca_csr(key, "", NULL, 0, &csr);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(issued_done) struct issued out = { 0 };
		const struct provisioner *p = rows[i].with_prov ? &t->a->provs[TESTCA_OPS] : NULL;
		assert_ok(issue_renewed(t->a, parent, &rows[i].facts, p, rows[i].rekey ? &csr : NULL, TESTCA_NOW,
		                        test_serial, &out, &v, &e));
		assert_granted(v);
		const struct change *c = out.change;
		assert_int_equal(c->kind, rows[i].rekey ? CHANGE_REKEY : CHANGE_RENEW);
		assert_null(c->token_id);
		assert_int_equal(c->at.s, TESTCA_NOW.s);
		assert_string_equal(c->cert.serial, cert_facts(out.cert)->serial_text);
		assert_string_equal(c->cert.parent, serial);
		assert_int_equal(c->urgency, urgency_of_life(cert_facts(parent)->not_before,
		                                             cert_facts(parent)->not_after, TESTCA_NOW));
		assert_true(c->urgency != URGENCY_NEW); /* which change_new has set */
		assert_string_equal(c->cert.line, rows[i].line);
		assert_int_equal(c->cert.generation, rows[i].generation);
		assert_string_equal(c->cert.provisioner_id, p ? p->id : "");
		assert_string_equal(c->cert.provisioner_name, p ? "ops" : "");
		assert_int_equal(c->cert.provisioner_type, p ? PROV_JWK : 0);
	}
}

static void refused(void **state)
{
	(void)state;
	static const struct {
		int64_t issuer_left_s;
		int rsa_bits;
		enum refusal refusal;
		const char *message, *reason;
	} rows[] = {
		{ 0, 1024, REFUSAL_FORBIDDEN, "certificate request RSA key must be at least 2048 bits (256 bytes)",
		  "" },
		{ -1, 0, REFUSAL_INTERNAL, "", "issuer certificate expired on 2030-03-17 17:46:39 +0000 UTC" },
		{ -1, 2048, REFUSAL_INTERNAL, "", "issuer certificate expired" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(testca_free_p)
		struct testca *t = testca_new(&(struct testca_opts){ .issuer_left_s = rows[i].issuer_left_s });
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
		AUTO(EVP_PKEY_free_p)
		EVP_PKEY *rsa = rows[i].rsa_bits ? testca_key(KEY_RSA, NULL, rows[i].rsa_bits) : NULL;
		AUTO(cert_unref_p)
		struct cert *parent = foreign_leaf(t, key, (struct wall){ TESTCA_NOW.s - 1000 },
		                                   (struct wall){ TESTCA_NOW.s + 1000 });
		AUTO(csr_done) struct csr csr = { 0 };
		AUTO(issued_done) struct issued out = { 0 };
		if (rsa)
			testca_csr(rsa, "", NULL, 0, &csr);
		assert_ok(issue_renewed(t->a, parent, &unknown, NULL, rsa ? &csr : NULL, TESTCA_NOW, test_serial, &out,
		                        &v, &e));
		assert_refused(v, rows[i].refusal, rows[i].message, rows[i].reason);
		assert_null(out.cert);
		assert_null(out.change);
	}
}

static void memory_runs_out(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued first = { 0 };
	AUTO(csr_done) struct csr csr = { 0 };
	testca_issue(t, key, "a.example", TESTCA_NOW, &first);
	testca_csr(key, "", NULL, 0, &csr);
	for (int rekey = 0; rekey < 2; rekey++) {
		for (unsigned n = 1;; n++) {
			struct error e = ERROR_INIT;
			struct verdict v;
			AUTO(issued_done) struct issued out = { 0 };
			fail_arm(FAIL_ALLOC, n, ENOMEM);
			enum status st = issue_renewed(t->a, first.cert, &unknown, &t->a->provs[TESTCA_OPS],
			                               rekey ? &csr : NULL, TESTCA_NOW, test_serial, &out, &v, &e);
			bool reached = fail_disarm();
			assert_int_equal(st, reached ? ST_NOMEM : ST_OK);
			assert_int_equal(out.cert != NULL, !reached);
			if (!reached) {
				assert_true(n > 10);
				break;
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renewable),       cmocka_unit_test(not_renewable),   cmocka_unit_test(wrong_issuer),
		cmocka_unit_test(ca_certificates), cmocka_unit_test(copies),          cmocka_unit_test(our_own),
		cmocka_unit_test(issuer_changed),  cmocka_unit_test(spans),           cmocka_unit_test(lines),
		cmocka_unit_test(refused),         cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
