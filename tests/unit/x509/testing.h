/* testing.h - what the tests of x509 share: short assertions, keys and certificates made on the spot. */
#pragma once
#include "base/b64.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "x509/auto.h"
#include "x509/cert.h"
#include "x509/certwriter.h"
#include "x509/name.h"
#include "x509/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { BIG = 4 << 20 };
#define YEAR_S INT64_C(31536000)
#define T0 ((struct wall){ 1795431117 }) /* 2026-11-23T10:51:57Z */

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		if ((call) != ST_OK)                                                                                   \
			fail_msg("%s: %s", #call, e.text);                                                             \
	} while (0)

#define assert_fails(call, expected)                                                                                   \
	do {                                                                                                           \
		enum status got_ = (call);                                                                             \
		if (got_ != (expected))                                                                                \
			fail_msg("%s: %s (%s)", #call, status_name(got_), got_ ? e.text : "");                         \
		assert_int_equal(e.status, expected);                                                                  \
		assert_string_not_equal(e.text, "");                                                                   \
	} while (0)

/* Bytes of hex text with spaces, appended to b. */
static inline struct slice unhex(const char *text, struct buf *b)
{
	struct error e;
	AUTO(buf_done) struct buf tight = BUF_INIT(BIG);
	for (; *text; text++)
		if (*text != ' ')
			buf_addc(&tight, *text);
	*b = BUF_INIT(BIG);
	assert_ok(hex_decode(b, buf_slice(&tight), &e));
	return buf_slice(b);
}

static inline void assert_hex(struct slice got, const char *expected)
{
	AUTO(buf_done) struct buf text = BUF_INIT(BIG);
	AUTO(buf_done) struct buf tight = BUF_INIT(BIG);
	hex_encode(&text, got);
	for (; *expected; expected++)
		if (*expected != ' ')
			buf_addc(&tight, *expected);
	assert_string_equal(buf_cstr(&text), buf_cstr(&tight));
}

static inline bool contains(struct slice in, const char *what)
{
	return memmem(in.p, in.n, what, strlen(what)) != NULL;
}

/* The sample's certificate; unref it. */
static inline struct cert *sample(const char *pem)
{
	struct error e;
	AUTO(chain_done) struct chain c = { 0 };
	assert_ok(chain_parse(slice_cstr(pem), &c, &e));
	assert_int_equal(c.n, 1);
	return cert_ref(c.v[0]);
}

static inline EVP_PKEY *new_key(const char *curve)
{
	struct error e;
	struct key_spec spec = { .kind = KEY_EC };
	EVP_PKEY *key = NULL;
	ossl_start();
	if (!strcmp(curve, "Ed25519"))
		spec.kind = KEY_OKP;
	if (!strncmp(curve, "RSA", 3))
		spec = (struct key_spec){ .kind = KEY_RSA, .bits = 2048 };
	else
		snprintf(spec.curve, sizeof spec.curve, "%s", curve);
	assert_ok(key_generate(&spec, &key, &e));
	return key;
}

/* A certificate with its key. */
struct made {
	EVP_PKEY *key;
	struct cert *cert;
};

static inline void made_done(struct made *m)
{
	EVP_PKEY_free(m->key);
	cert_unref(m->cert);
}

/* What make() writes; zeroes are good defaults. */
struct recipe {
	const char *name;          /* common name; NULL: empty subject */
	const struct made *issuer; /* NULL: self-signed */
	const char *curve;         /* NULL: P-256 */
	int64_t from_s, to_s;      /* from T0; to_s 0: a year */
	bool ca;
	int path_len;            /* with ca */
	const char *sans;        /* separated by spaces */
	struct slice extensions; /* in place of the profile's where not empty */
	struct slice serial;     /* empty: 1 */
};

static inline void add_sans(struct san_list *l, const char *text)
{
	struct error e;
	while (text && *text) {
		size_t n = strcspn(text, " ");
		assert_ok(san_list_add(l, slice_of(text, n), &e));
		text += n + strspn(text + n, " ");
	}
}

static inline void make_extensions(const struct recipe *r, EVP_PKEY *key, struct slice spki, struct slice issuer_key_id,
                                   struct buf *out)
{
	struct error e;
	AUTO(san_list_done) struct san_list sans = { 0 };
	add_sans(&sans, r->sans);
	if (r->extensions.n)
		buf_add_slice(out, r->extensions);
	else if (r->ca)
		assert_ok(profile_ca(spki, r->path_len, issuer_key_id, out, &e));
	else
		assert_ok(profile_leaf(key, spki, issuer_key_id, &sans, !r->name, NULL, NULL, out, &e));
}

/* The DER of a certificate by this recipe under this key. */
static inline void make_der(const struct recipe *r, EVP_PKEY *key, struct buf *out)
{
	struct error e;
	AUTO(buf_done) struct buf name = BUF_INIT(BIG), spki = BUF_INIT(BIG), extensions = BUF_INIT(BIG);
	AUTO(signer_free_p) struct signer *signer = NULL;
	enum sign_alg alg;
	EVP_PKEY *by = r->issuer ? r->issuer->key : key;
	assert_ok(name_encode(&(struct name_attrs){ .common_name = r->name }, &name, &e));
	assert_ok(key_spki(key, &spki, &e));
	make_extensions(r, key, buf_slice(&spki), r->issuer ? cert_facts(r->issuer->cert)->subject_key_id : SLICE_NONE,
	                &extensions);
	assert_ok(sign_alg_for_key(by, &alg, &e));
	assert_ok(signer_new(by, alg, &signer, &e));
	struct cert_draft d = {
		.serial = r->serial.n ? r->serial : SLICE_LIT("\x01"),
		.issuer = r->issuer ? cert_facts(r->issuer->cert)->subject : buf_slice(&name),
		.subject = buf_slice(&name),
		.spki = buf_slice(&spki),
		.not_before = { T0.s + r->from_s },
		.not_after = { T0.s + (r->to_s ? r->to_s : YEAR_S) },
		.extensions = buf_slice(&extensions),
	};
	assert_ok(cert_write(&d, signer, out, &e));
}

static inline struct made make(struct recipe r)
{
	struct error e;
	struct made m = { .key = new_key(r.curve ? r.curve : "P-256") };
	AUTO(buf_done) struct buf der = BUF_INIT(BIG);
	make_der(&r, m.key, &der);
	assert_ok(cert_parse(buf_slice(&der), &m.cert, &e));
	return m;
}
