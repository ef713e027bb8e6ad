#include "renewal/answer.h"

#include "crypto/auto.h"
#include "testca.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

/* A CA, a pair of its making, and the terms that its renewal must meet. */
struct pair {
	struct testca *ca;
	EVP_PKEY *key;
	struct issued old;
	struct trust *trust;
	struct answer_terms terms;
};

static struct pair make_pair(void)
{
	struct error e = ERROR_INIT;
	struct pair p = { .ca = testca_new(NULL), .key = testca_key(KEY_EC, "P-256", 0) };
	testca_issue(p.ca, p.key, "a.example", TESTCA_NOW, &p.old);
	assert_ok(trust_new(&p.ca->a->roots, false, &p.trust, &e));
	p.terms = (struct answer_terms){ p.old.cert, p.key, p.trust, TESTCA_NOW };
	return p;
}

static void pair_done(struct pair *p)
{
	testca_free(p->ca);
	EVP_PKEY_free(p->key);
	issued_done(&p->old);
	trust_free(p->trust);
}

/* The chain as a CA sends it: leaf, then its issuers. */
static void answer_of(const struct testca *ca, struct cert *leaf, struct chain *ret)
{
	struct error e = ERROR_INIT;
	assert_ok(chain_add(ret, leaf, &e));
	assert_ok(chain_add(ret, ca->issuer, &e));
}

static void renew(const struct testca *ca, const struct cert *old, struct wall now, struct issued *ret)
{
	struct error e = ERROR_INIT;
	struct verdict v;
	static const uint8_t serial[ISSUE_SERIAL_BYTES] = { 1, 2, 3 };
	struct parent_facts facts = { 0 };
	assert_ok(issue_renewed(ca->a, old, &facts, NULL, NULL, now, serial, ret, &v, &e));
	assert_int_equal(v.refusal, REFUSAL_NONE);
}

static void good(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = make_pair();
	AUTO(issued_done) struct issued new = { 0 };
	AUTO(chain_done) struct chain got = { 0 };
	struct answer_notes notes;

	renew(p.ca, p.old.cert, TESTCA_NOW, &new);
	answer_of(p.ca, new.cert, &got);
	assert_ok(answer_check(&got, &p.terms, &notes, &e));
	assert_false(notes.shorter || notes.not_yet_valid);
	assert_int_equal(notes.old_life_s, 86460);
	assert_int_equal(notes.new_life_s, 86460);
	p.terms.old = NULL; /* a first issuance */
	assert_ok(answer_check(&got, &p.terms, &notes, &e));
	assert_int_equal(notes.old_life_s, 0);
	assert_false(notes.shorter);
	p.terms.trust = NULL;
	assert_ok(answer_check(&got, &p.terms, &notes, &e));
}

/* Each row spoils one thing. */
static void bad(void **state)
{
	(void)state;
	enum spoilt {
		EMPTY,
		CA_CERT,
		OTHER_KEY,
		EXPIRED,
		OTHER_CN,
		OTHER_SANS,
		OTHER_ROOT,
		NO_CHAIN,
		OLD_ISSUER,
		SAME
	};
	static const struct {
		enum spoilt spoilt;
		const char *why;
	} rows[] = {
		{ EMPTY, "the answer holds no certificate" },
		{ CA_CERT, "the answer's first certificate is that of a CA" },
		{ OTHER_KEY, "the new certificate is not for our key" },
		{ SAME, "it is the certificate that is to be renewed" },
		{ EXPIRED, "the new certificate expired on 2030-03-18T17:46:40Z already" },
		{ OTHER_CN, "the new certificate's common name is 'b.example', the old one's 'a.example'" },
		{ OTHER_SANS, "the new certificate's DNS names are not those of the old one" },
		{ OTHER_ROOT, "the new certificate does not lead to our root: " },
		{ NO_CHAIN, "the new certificate does not lead to our root: " },
		{ OLD_ISSUER, "the new certificate does not lead to our root: " },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(pair_done) struct pair p = make_pair();
		AUTO(testca_free_p) struct testca *other = testca_new(NULL);
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
		AUTO(issued_done) struct issued new = { 0 };
		AUTO(chain_done) struct chain got = { 0 };
		struct answer_notes notes = { .old_life_s = 77 };

		switch (rows[i].spoilt) {
		case EMPTY:
			break;
		case CA_CERT:
			assert_ok(chain_add(&got, p.ca->issuer, &e));
			break;
		case OTHER_KEY:
			p.terms.key = key;
			renew(p.ca, p.old.cert, TESTCA_NOW, &new);
			answer_of(p.ca, new.cert, &got);
			break;
		case EXPIRED:
			p.terms.now.s += 86401;
			renew(p.ca, p.old.cert, TESTCA_NOW, &new);
			answer_of(p.ca, new.cert, &got);
			break;
		case OTHER_CN:
			testca_issue(p.ca, p.key, "b.example", TESTCA_NOW, &new);
			answer_of(p.ca, new.cert, &got);
			break;
		case OTHER_SANS: {
			/* the common name stays, a name is added */
			struct verdict v;
			struct authorization auth = { 0 };
			AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
			AUTO(csr_done) struct csr csr = { 0 };
			struct ott_draft d = testca_draft("a.example");
			const char *sans[] = { "a.example", "evil.example" };
			static const uint8_t serial[ISSUE_SERIAL_BYTES] = { 9 };
			d.sans = sans;
			d.sans_n = COUNT_OF(sans);
			testca_token(p.ca, &d, &token);
			testca_csr(p.key, "a.example", NULL, 0, &csr);
			assert_ok(authorize_token(p.ca->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED,
			                          &auth, &v, &e));
			assert_ok(issue_sign(p.ca->a, &auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, serial,
			                     &new, &v, &e));
			authorization_done(&auth);
			answer_of(p.ca, new.cert, &got);
			break;
		}
		case OTHER_ROOT:
			renew(other, p.old.cert, TESTCA_NOW, &new);
			answer_of(other, new.cert, &got);
			break;
		case NO_CHAIN:
			renew(p.ca, p.old.cert, TESTCA_NOW, &new);
			assert_ok(chain_add(&got, new.cert, &e));
			break;
		case OLD_ISSUER: /* sent with the issuer that another CA has under the same name */
			renew(p.ca, p.old.cert, TESTCA_NOW, &new);
			answer_of(other, new.cert, &got);
			break;
		case SAME:
			answer_of(p.ca, p.old.cert, &got);
			break;
		}
		assert_int_equal(answer_check(&got, &p.terms, &notes, &e), ST_PEER);
		if (strncmp(e.text, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("\"%s\" instead of \"%s\"", e.text, rows[i].why);
		assert_int_equal(e.status, ST_PEER);
		assert_int_equal(notes.old_life_s, 77);
	}
}

/* For the user, and no reason to refuse. */
static void notes_are_told(void **state)
{
	(void)state;
	static const struct {
		int64_t issuer_left_s, clock_s; /* ours, against the CA's */
		bool shorter, not_yet_valid;
	} rows[] = {
		{ 0, 0, false, false },         { 86400 - 60, 0, false, false }, /* a minute is the backdate's */
		{ 86400 - 61, 0, true, false }, { 3600, 0, true, false },        { 0, -60, false, false },
		{ 0, -61, false, true },        { 0, -1900000000, false, true }, /* a clock that starts at 1970 */
		{ 3600, -3600, true, true },    { 0, 86399, false, false }, /* the last second that OpenSSL takes */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(pair_done) struct pair p = make_pair();
		AUTO(testca_free_p)
		struct testca *later = testca_new(&(struct testca_opts){ .issuer_left_s = rows[i].issuer_left_s });
		AUTO(trust_free_p) struct trust *trust = NULL;
		AUTO(issued_done) struct issued new = { 0 };
		AUTO(chain_done) struct chain got = { 0 };
		struct answer_notes notes;
		assert_ok(trust_new(&later->a->roots, false, &trust, &e));
		renew(later, p.old.cert, TESTCA_NOW, &new);
		answer_of(later, new.cert, &got);
		p.terms.trust = trust;
		p.terms.now.s += rows[i].clock_s;
		assert_ok(answer_check(&got, &p.terms, &notes, &e));
		assert_int_equal(notes.shorter, rows[i].shorter);
		assert_int_equal(notes.not_yet_valid, rows[i].not_yet_valid);
		assert_int_equal(notes.new_life_s,
		                 cert_facts(new.cert)->not_after.s - cert_facts(new.cert)->not_before.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(notes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
