/* testca.h - a whole CA in memory, at a fixed time, for tests: root, intermediate, a JWK provisioner; its tokens,
 * requests and leafs. Helpers that fail end the program with the reason: they are not what is under test. */
#pragma once
#include "authority/issue.h"
#include "crypto/keys.h"
#include "jose/ott.h"

#define TESTCA_NOW ((struct wall){ 1900000000 }) /* 2030-03-17T17:46:40Z */
#define TESTCA_STORE_CREATED ((struct wall){ 1900000000 - 3600 })
#define TESTCA_AUD "https://ca.example:9000/1.0/sign"

/* Names: ca.example, 127.0.0.1, ::1. Backdate 1m, claims_builtin, certificates without provisioner renew.
 * Provisioners, in this order: "ops" (JWK), "acme" (ACME), "broken" (JWK of the same key, disabled), "x5c"
 * (X5C, whose roots are this CA's own). */
struct testca {
	struct authority *a; /* one reference; change its claims and settings as the test wants */
	EVP_PKEY *root_key, *issuer_key;
	EVP_PKEY *prov_key; /* the private key of "ops" */
	struct cert *root, *issuer;
	char kid[JWK_THUMBPRINT];
};

struct testca_opts {
	struct wall now;                /* the CA certificates began a year before; 0: TESTCA_NOW */
	struct key_spec key;            /* of root and intermediate; all zero: P-256 */
	int64_t issuer_left_s;          /* what is left of the intermediate at that time (may be < 0); 0: ten years */
	const char *permitted_dns;      /* name constraint of the intermediate; NULL: none */
	const char *root_permitted_dns; /* the same of the root */
};

struct testca *testca_new(const struct testca_opts *opts); /* NULL: the defaults */
void testca_free(struct testca *t);
static inline void testca_free_p(struct testca **t)
{
	testca_free(*t);
}

enum { TESTCA_OPS, TESTCA_ACME, TESTCA_BROKEN, TESTCA_X5C };

EVP_PKEY *testca_key(enum key_kind kind, const char *curve, int bits); /* owned by the caller */

/* A good sign token's draft: aud TESTCA_AUD, iss "ops", a new jti each time, valid from TESTCA_NOW for five minutes. */
struct ott_draft testca_draft(const char *sub);
/* Appends the token of this draft, signed by "ops". */
void testca_token(const struct testca *t, const struct ott_draft *d, struct buf *out);
/* The same for claims as JSON text, of whatever shape; kid NULL: that of "ops"; key NULL: that of "ops". */
void testca_claims_token(const struct testca *t, const char *kid, EVP_PKEY *key, const char *claims, struct buf *out);

/* A request by this key; cn may be "". Free with csr_done(). */
void testca_csr(EVP_PKEY *key, const char *cn, const char *const *sans, size_t sans_n, struct csr *ret);

/* A certificate for `name` by "ops" at `now`, through authorize_token and issue_sign. Free with issued_done(). */
void testca_issue(const struct testca *t, EVP_PKEY *key, const char *name, struct wall now, struct issued *ret);
