#include "decide.h"
#include "fail.h"

#include "base/b64.h"
#include "crypto/digest.h"
#include "x509/name.h"
#include "x509/trust.h"

/* --- helpers --- */

struct attempt {
	struct issued issued;
	struct authorization auth;
	struct csr csr;
	struct verdict v;
};

static void attempt_done(struct attempt *a)
{
	issued_done(&a->issued);
	authorization_done(&a->auth);
	csr_done(&a->csr);
}

struct names {
	const char *v[6];
};

static size_t count(const struct names *n)
{
	size_t i = 0;
	while (i < COUNT_OF(n->v) && n->v[i])
		i++;
	return i;
}

static void authorize(const struct testca *t, const struct ott_draft *d, struct authorization *ret)
{
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	testca_token(t, d, &token);
	assert_ok(authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, ret, &v, &e));
	assert_granted(v);
}

/* A token for sub and sans, a request by key for cn and csr_sans, and the answer. */
static void attempt(const struct testca *t, EVP_PKEY *key, const char *sub, const struct names *sans, const char *cn,
                    const struct names *csr_sans, const char *not_before, const char *not_after, struct attempt *ret)
{
	struct error e = ERROR_INIT;
	struct ott_draft d = testca_draft(sub);
	d.sans_n = count(sans);
	d.sans = d.sans_n ? sans->v : NULL;
	*ret = (struct attempt){ 0 };
	authorize(t, &d, &ret->auth);
	testca_csr(key, cn, csr_sans->v, count(csr_sans), &ret->csr);
	struct sign_request q = { &ret->csr, slice_cstr(not_before), slice_cstr(not_after) };
	assert_ok(issue_sign(t->a, &ret->auth, &q, TESTCA_NOW, test_serial, &ret->issued, &ret->v, &e));
	assert_int_equal(ret->issued.cert == NULL, ret->v.refusal != REFUSAL_NONE);
	assert_int_equal(ret->issued.change == NULL, ret->v.refusal != REFUSAL_NONE);
}

static const struct names nothing = { { NULL } };

static void attempt_times(const struct testca *t, EVP_PKEY *key, const char *not_before, const char *not_after,
                          struct attempt *ret)
{
	attempt(t, key, "a.example", &nothing, "a.example", &nothing, not_before, not_after, ret);
}

/* --- what the request may say --- */

static void names_are_granted(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	static const struct {
		const char *sub;
		struct names sans;
		const char *cn;
		struct names csr_sans;
		const char *want; /* the row's sans: DNS, e-mail, IP, URI */
	} rows[] = {
		{ "a", { { 0 } }, "a", { { "a" } }, "a" },
		{ "a", { { 0 } }, "", { { 0 } }, "a" },
		{ "a", { { "b", "c" } }, "a", { { 0 } }, "b\nc" },
		{ "a", { { "b", "c" } }, "c", { { 0 } }, "b\nc" },
		{ "a", { { "b", "c" } }, "", { { "c", "b" } }, "b\nc" },
		{ "a", { { "b", "c" } }, "", { { "c", "b", "c" } }, "b\nc" },
		{ "a", { { "b", "b" } }, "", { { "b" } }, "b\nb" },
		/* a type that the request has none of is not compared */
		{ "a", { { "b", "10.0.0.1" } }, "", { { "b" } }, "b\n10.0.0.1" },
		{ "a", { { "b", "10.0.0.1" } }, "", { { "10.0.0.1" } }, "b\n10.0.0.1" },
		{ "a",
		  { { "https://x/y", "10.0.0.1", "m@x", "b" } },
		  "b",
		  { { "b", "m@x", "10.0.0.1", "https://x/y" } },
		  "b\nm@x\n10.0.0.1\nhttps://x/y" },
		{ "a", { { "::ffff:10.0.0.1" } }, "", { { "10.0.0.1" } }, "10.0.0.1" },
		{ "a", { { "", "b" } }, "", { { 0 } }, "b" },
		{ "a", { { "" } }, "", { { 0 } }, "" },
		{ "10.0.0.1", { { 0 } }, "10.0.0.1", { { "10.0.0.1" } }, "10.0.0.1" },
		{ "*.example", { { 0 } }, "*.example", { { 0 } }, "*.example" },
		{ "B\xc3\xbc\xc3\x9f", { { "b" } }, "B\xc3\xbc\xc3\x9f", { { 0 } }, "b" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(attempt_done) struct attempt r;
		attempt(t, key, rows[i].sub, &rows[i].sans, rows[i].cn, &rows[i].csr_sans, NULL, NULL, &r);
		assert_granted(r.v);
		assert_string_equal(r.issued.change->cert.sans, rows[i].want);
		/* never from the request: the common name is the token's subject */
		assert_string_equal(cert_facts(r.issued.cert)->common_name, rows[i].sub);
	}
}

static void names_are_refused(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	static const struct {
		const char *sub;
		struct names sans;
		const char *cn;
		struct names csr_sans;
		enum refusal refusal;
		const char *message;
	} rows[] = {
		{ "a",
		  { { 0 } },
		  "b",
		  { { 0 } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid common name - got b, want [a]" },
		{ "a",
		  { { "b", "c" } },
		  "d",
		  { { 0 } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid common name - got d, want [a b c]" },
		{ "a",
		  { { "a", "b" } },
		  "A",
		  { { 0 } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid common name - got A, want [a b]" },
		{ "a",
		  { { "b", "c" } },
		  "",
		  { { "a" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid DNS names - got [a], want [b c]" },
		{ "a",
		  { { "b", "c" } },
		  "",
		  { { "b" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid DNS names - got [b], want [b c]" },
		{ "a",
		  { { "b" } },
		  "",
		  { { "b", "c" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid DNS names - got [b c], want [b]" },
		{ "a",
		  { { "b" } },
		  "",
		  { { "B" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid DNS names - got [B], want [b]" },
		{ "a",
		  { { "10.0.0.1" } },
		  "",
		  { { "b" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid DNS names - got [b], want []" },
		{ "a",
		  { { "b" } },
		  "",
		  { { "m@x" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid email addresses - got [m@x], want []" },
		{ "a",
		  { { "m@x", "n@x" } },
		  "",
		  { { "n@x" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid email addresses - got [n@x], want [m@x n@x]" },
		{ "a",
		  { { "10.0.0.1", "b" } },
		  "",
		  { { "10.0.0.2", "::1" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid IP addresses - got [10.0.0.2 ::1], want [10.0.0.1]" },
		{ "a",
		  { { "b" } },
		  "",
		  { { "https://x/y" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid URIs - got [https://x/y], want []" },
		/* the first type that differs, in the order DNS, e-mail, IP, URI */
		{ "a",
		  { { "b" } },
		  "",
		  { { "https://x", "10.0.0.1", "m@x" } },
		  REFUSAL_FORBIDDEN,
		  "certificate request does not contain the valid email addresses - got [m@x], want []" },
		/* as in the peer, no certificate for names that are not ASCII; it was no fault of ours (500), as it is there */
		{ "b\xc3\xbc\xc3\x9f.example",
		  { { 0 } },
		  "",
		  { { 0 } },
		  REFUSAL_MALFORMED,
		  "token names: subject alternative name 'b\xc3\xbc\xc3\x9f.example' holds a character that is not ASCII" },
		{ "a",
		  { { "b\xc3\xbc\xc3\x9f.example" } },
		  "",
		  { { 0 } },
		  REFUSAL_MALFORMED,
		  "token names: subject alternative name 'b\xc3\xbc\xc3\x9f.example' holds a character that is not ASCII" },
		{ "a",
		  { { "m\xc3\xbc@x" } },
		  "",
		  { { 0 } },
		  REFUSAL_MALFORMED,
		  "token names: subject alternative name 'm\xc3\xbc@x' holds a character that is not ASCII" },
		{ "a",
		  { { "b\nc" } },
		  "",
		  { { 0 } },
		  REFUSAL_MALFORMED,
		  "token names: subject alternative name 'b?c' holds a character that is a control" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(attempt_done) struct attempt r;
		attempt(t, key, rows[i].sub, &rows[i].sans, rows[i].cn, &rows[i].csr_sans, NULL, NULL, &r);
		assert_refused(r.v, rows[i].refusal, rows[i].message, "");
		assert_false(r.v.bare);
		assert_true(*r.v.reason);
	}
}

/* Lists that are too long for a message are cut at whole names. */
static void long_lists(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	static char names[6][111];
	struct names sans = { { 0 } };
	AUTO(attempt_done) struct attempt r;
	char want[512];
	for (int i = 0; i < 6; i++) {
		memset(names[i], 'a' + i, 110);
		sans.v[i] = names[i];
	}
	attempt(t, key, "sub", &sans, "", &(struct names){ { "x" } }, NULL, NULL, &r);
	snprintf(want, sizeof want, "certificate request does not contain the valid DNS names - got [x], want [%s ...]",
	         names[0]);
	assert_refused(r.v, REFUSAL_FORBIDDEN, want, "");
}

static void cnf(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(buf_done) struct buf good = BUF_INIT(64);
	uint8_t sum[SHA256_BYTES];
	struct error e = ERROR_INIT;

	testca_csr(key, "other", NULL, 0, &csr); /* its name is wrong too: cnf is looked at first */
	assert_ok(digest_sha256(buf_slice(&csr.der), sum, &e));
	b64_encode(&good, slice_of(sum, sizeof sum), B64_URL_RAW);
	const struct {
		const char *cnf, *message;
	} rows[] = {
		{ "", "certificate request fingerprint does not match \"\"" },
		{ "AAAA", "certificate request fingerprint does not match \"AAAA\"" },
		{ "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
		  "certificate request fingerprint does not match \"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"" },
		{ buf_cstr(&good), "certificate request does not contain the valid common name - got other, want [a]" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(attempt_done) struct attempt r = { 0 };
		struct ott_draft d = testca_draft("a");
		d.cnf_x5rt = rows[i].cnf;
		authorize(t, &d, &r.auth);
		assert_ok(issue_sign(t->a, &r.auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, test_serial,
		                     &r.issued, &r.v, &e));
		assert_refused(r.v, REFUSAL_FORBIDDEN, rows[i].message, "");
	}
	AUTO(attempt_done) struct attempt r = { 0 };
	struct ott_draft d = testca_draft("other");
	d.cnf_x5rt = buf_cstr(&good);
	authorize(t, &d, &r.auth);
	assert_ok(issue_sign(t->a, &r.auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, test_serial, &r.issued,
	                     &r.v, &e));
	assert_granted(r.v);
}

/* --- keys --- */

static EVP_PKEY *public_key(const char *b64)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf der = BUF_INIT(4096);
	assert_ok(b64_decode(&der, slice_cstr(b64), B64_STD, &e));
	const uint8_t *p = der.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);
	assert_non_null(key);
	return key;
}

static void keys(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	/* DSA of 1024 bits, and P-256 with its parameters written out */
	static const char dsa[] = "MIIBvzCCATMGByqGSM44BAEwggEmAoGBAKFtBJdEUXIe9njJI/r4PJ1UqnBuDoaW/"
				  "YIWgsHN6IDfkQsAPzP5u0uXkzdIjz6NgKH/oNbe7KY"
				  "qNi3kzLse+o5LKPWAnr4FVbZFjvY6KNJWhosA2KIGHP1F6SW9sB/"
				  "7+unB9YtjKT70WA0BbIFoWjvfUXqeJvBLY+CeT33wplpXAh0AmYxi9P"
				  "by58+olJhbACApomN9jGnoA4lb78s4xQKBgCG+Dq8a1JURAd8BfTkAyE4vwfpzJMqaQ+"
				  "jMgskWBrjaR7LAAT9xoWtIfqhJ7/gaYwM2m3oxZ"
				  "Mzr+AE2EStgMF2ucWDLyNlwc0T1kV1zj61yHmk+"
				  "FEW1giqlvyJh9pEKJ8wJZgt7Q8vSFleI1mcPOsPahDbRcd6c4/YYSoXAhi/hA4GFAAKB"
				  "gQCWvftQlb21GW3rL2prrgpOe5SdUhZ3CnyqQKHcj9uCfF7jW2EPd7gqGgWIe04RNSJX9iLXGsVLsF07sK7L"
				  "GkKa7v9tWmkUQu/QiqRMtRt"
				  "qOkVvc8AiZJYm517R0Ud150w5O3XvzBpP1CRn+UTm2ZjRQzrBE9KNS/8RqEzenEHg7Q==";
	static const char explicit_p256[] =
		"MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////MFsEIP////"
		"8AAAA"
		"BAAAAAAAAAAAAAAAA///////////////"
		"8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn3"
		"6QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////"
		"8AAAAA/"
		"/////////"
		"+85vqtpxeehPO5ysL8YyVRAgEBA0IABGkXBu4U+VEEh30Mdm7BFj0IcHzhXLC6HKSRAO47QM5l9g2CnLaryRbN5Zg9nAZgL4bs"
		"n08O0XDc/Eo5PTqUWUE=";
	const struct {
		EVP_PKEY *key; /* taken */
		enum refusal refusal;
		const char *message;
	} rows[] = {
		{ EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), REFUSAL_FORBIDDEN,
		  "certificate request RSA key must be at least 2048 bits (256 bytes)" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2040), REFUSAL_FORBIDDEN,
		  "certificate request RSA key must be at least 2048 bits (256 bytes)" },
		{ public_key(dsa), REFUSAL_MALFORMED,
		  "certificate request key of type '*dsa.PublicKey' is not supported" },
		{ public_key(explicit_p256), REFUSAL_MALFORMED,
		  "certificate request key of type '*ecdsa.PublicKey' is not supported" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), REFUSAL_MALFORMED,
		  "certificate request key of type '*ecdsa.PublicKey' is not supported" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), REFUSAL_MALFORMED,
		  "certificate request key of type '*ecdh.PublicKey' is not supported" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), REFUSAL_MALFORMED,
		  "certificate request key of type '<nil>' is not supported" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), REFUSAL_NONE, "" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224"), REFUSAL_NONE, "" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), REFUSAL_NONE, "" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), REFUSAL_NONE, "" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), REFUSAL_NONE, "" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), REFUSAL_NONE, "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		char no_name[] = "";
		AUTO(EVP_PKEY_free_p) EVP_PKEY *key = rows[i].key;
		AUTO(buf_done) struct buf spki = BUF_INIT(CSR_MAX);
		AUTO(attempt_done) struct attempt r = { 0 };
		struct ott_draft d = testca_draft("a");
		uint8_t *der = NULL;
		int n = i2d_PUBKEY(key, &der);
		assert_true(n > 0);
		buf_add(&spki, der, (size_t)n);
		OPENSSL_free(der);
		/* made by hand: csr_make does not sign with all of these */
		struct csr csr = { .key = key, .spki = spki, .common_name = no_name };
		authorize(t, &d, &r.auth);
		assert_ok(issue_sign(t->a, &r.auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, test_serial,
		                     &r.issued, &r.v, &e));
		assert_refused(r.v, rows[i].refusal, rows[i].message, "");
		if (rows[i].refusal)
			continue;
		bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
		assert_true(slice_eq(cert_facts(r.issued.cert)->spki, buf_slice(&spki)));
		assert_int_equal(cert_facts(r.issued.cert)->key_usage,
		                 KU_DIGITAL_SIGNATURE | (rsa ? KU_KEY_ENCIPHERMENT : 0));
	}
}

/* --- validity --- */

static void times_are_granted(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	static const struct {
		const char *not_before, *not_after;
		int64_t from, to; /* relative to now, 2030-03-17T17:46:40Z */
	} rows[] = {
		{ NULL, NULL, -60, 86400 },
		{ "", "", -60, 86400 },
		{ "", "8h", -60, 8 * 3600 },
		{ "", "4m", -60, 240 }, /* with the backdate it is five */
		{ "", "24h", -60, 86400 },
		{ "", "0s", -60, 86400 }, /* as good as none */
		{ "0", "1h", -60, 3600 },
		{ "1h", "", 3600, 3600 + 86400 },
		{ "1h", "2h", 3600, 3 * 3600 }, /* relative to notBefore, and no backdate */
		{ "-1h", "2h", -3600, 3600 },
		{ "", "2030-03-17T18:46:40Z", -60, 3600 },
		{ "", "2030-03-17T19:46:40+01:00", -60, 3600 },
		{ "", "2030-03-17T18:46:40.999Z", -60, 3600 },
		{ "2030-03-17T18:46:40Z", "1h", 3600, 7200 },
		{ "2030-03-17T17:46:40Z", "2030-03-18T17:47:40Z", 0, 86460 }, /* the maximum counts the backdate */
		{ "", "1h0.9s", -60, 3600 },
		{ "-0.5s", "1h", -1, 3599 },
		{ "720h", "", 720 * 3600, 744 * 3600 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(attempt_done) struct attempt r;
		struct verdict v;
		attempt_times(t, key, rows[i].not_before, rows[i].not_after, &r);
		assert_granted(r.v);
		const struct cert_facts *f = cert_facts(r.issued.cert);
		assert_int_equal(f->not_before.s - TESTCA_NOW.s, rows[i].from);
		assert_int_equal(f->not_after.s - TESTCA_NOW.s, rows[i].to);
		assert_int_equal(r.issued.change->cert.granted_s, rows[i].to - rows[i].from);
		assert_false(r.issued.clamped);
		assert_int_equal(r.issued.asked_not_after.s, f->not_after.s);
		assert_true(issue_check_times(
			&(struct sign_request){ NULL, slice_cstr(rows[i].not_before), slice_cstr(rows[i].not_after) },
			&v));
	}
}

static void times_are_refused(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	static const struct {
		const char *not_before, *not_after;
		enum refusal refusal;
		const char *message;
	} rows[] = {
		{ "", "3m59s", REFUSAL_FORBIDDEN,
		  "requested duration of 4m59s is less than the authorized minimum certificate duration of 5m0s" },
		{ "", "1m", REFUSAL_FORBIDDEN,
		  "requested duration of 2m0s is less than the authorized minimum certificate duration of 5m0s" },
		{ "1m", "4m", REFUSAL_FORBIDDEN,
		  "requested duration of 4m0s is less than the authorized minimum certificate duration of 5m0s" },
		{ "", "2030-03-17T17:46:40Z", REFUSAL_FORBIDDEN,
		  "requested duration of 1m0s is less than the authorized minimum certificate duration of 5m0s" },
		{ "", "100h", REFUSAL_FORBIDDEN,
		  "requested duration of 100h1m0s is more than the authorized maximum certificate duration of "
		  "24h1m0s" },
		{ "", "24h0m1s", REFUSAL_FORBIDDEN,
		  "requested duration of 24h1m1s is more than the authorized maximum certificate duration of 24h1m0s" },
		{ "1h", "24h1m1s", REFUSAL_FORBIDDEN,
		  "requested duration of 24h1m1s is more than the authorized maximum certificate duration of 24h1m0s" },
		{ "-48h", "49h", REFUSAL_FORBIDDEN,
		  "requested duration of 49h0m0s is more than the authorized maximum certificate duration of 24h1m0s" },
		{ "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", REFUSAL_FORBIDDEN,
		  "requested duration of 2562047h47m16.854775807s is more than the authorized maximum certificate "
		  "duration "
		  "of 24h1m0s" },
		{ "", "2562047h", REFUSAL_FORBIDDEN,
		  "requested duration of 2562047h1m0s is more than the authorized maximum certificate duration of "
		  "24h1m0s" },
		{ "", "2026-01-01T00:00:00Z", REFUSAL_MALFORMED,
		  "notAfter cannot be in the past; na=2026-01-01 00:00:00 +0000 UTC" },
		{ "", "-1s", REFUSAL_MALFORMED, "notAfter cannot be in the past; na=2030-03-17 17:46:39 +0000 UTC" },
		{ "-25h", "", REFUSAL_MALFORMED, "notAfter cannot be in the past; na=2030-03-17 16:46:40 +0000 UTC" },
		{ "2h", "-1h", REFUSAL_MALFORMED,
		  "notAfter cannot be before notBefore; na=2030-03-17 18:46:40 +0000 UTC, nb=2030-03-17 19:46:40 +0000 "
		  "UTC" },
		{ "2030-03-19T00:00:00Z", "2030-03-18T00:00:00Z", REFUSAL_MALFORMED,
		  "notAfter cannot be before notBefore; na=2030-03-18 00:00:00 +0000 UTC, nb=2030-03-19 00:00:00 +0000 "
		  "UTC" },
		/* ten years are left of the issuer */
		{ "2040-03-15T00:00:00Z", "1h", REFUSAL_MALFORMED,
		  "notBefore cannot be after the expiration of the issuer; nb=2040-03-15 00:00:00 +0000 UTC, "
		  "issuer=2040-03-14 17:46:40 +0000 UTC" },
		{ "9999-12-31T23:59:59Z", "", REFUSAL_MALFORMED,
		  "notBefore cannot be after the expiration of the issuer; nb=9999-12-31 23:59:59 +0000 UTC, "
		  "issuer=2040-03-14 17:46:40 +0000 UTC" },
		{ "", "1d", REFUSAL_MALFORMED, "error decoding json" },
		{ "", "soon", REFUSAL_MALFORMED, "error decoding json" },
		{ "", "24", REFUSAL_MALFORMED, "error decoding json" },
		{ "", " 1h", REFUSAL_MALFORMED, "error decoding json" },
		{ "", "2030-03-17", REFUSAL_MALFORMED, "error decoding json" },
		{ "", "2030-02-30T00:00:00Z", REFUSAL_MALFORMED, "error decoding json" },
		{ "", "99999999999h", REFUSAL_MALFORMED, "error decoding json" },
		{ "tomorrow", "1h", REFUSAL_MALFORMED, "error decoding json" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(attempt_done) struct attempt r;
		struct verdict v;
		attempt_times(t, key, rows[i].not_before, rows[i].not_after, &r);
		assert_refused(r.v, rows[i].refusal, rows[i].message, "");
		assert_int_equal(issue_check_times(&(struct sign_request){ NULL, slice_cstr(rows[i].not_before),
		                                                           slice_cstr(rows[i].not_after) },
		                                   &v),
		                 strcmp(rows[i].message, "error decoding json") != 0);
		assert_string_equal(v.message, v.refusal ? "error decoding json" : "");
	}
}

/* Claims and backdate of the configuration, and not the built-in ones, are what counts. */
static void claims_count(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	struct claims *c = &t->a->provs[TESTCA_OPS].claims;
	*c = (struct claims){ .min_ns = 90 * DURATION_S, .max_ns = 2 * DURATION_H, .default_ns = 90500 * DURATION_MS };
	t->a->backdate_ns = 1500 * DURATION_MS;
	static const struct {
		const char *not_after, *message;
	} rows[] = {
		{ "", "" },
		{ "2h", "" },
		{ "86s",
		  "requested duration of 1m28s is less than the authorized minimum certificate duration of 1m30s" },
		{ "3h",
		  "requested duration of 3h0m2s is more than the authorized maximum certificate duration of 2h0m1.5s" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(attempt_done) struct attempt r;
		attempt_times(t, key, "", rows[i].not_after, &r);
		if (i == 1) { /* two hours and two seconds: the backdate is rounded down, and then over the bound */
			assert_refused(r.v, REFUSAL_FORBIDDEN,
			               "requested duration of 2h0m2s is more than the authorized maximum certificate "
			               "duration of "
			               "2h0m1.5s",
			               "");
			continue;
		}
		assert_refused(r.v, *rows[i].message ? REFUSAL_FORBIDDEN : REFUSAL_NONE, rows[i].message, "");
	}
}

static void clamped(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	static const struct {
		int64_t issuer_left_s;
		const char *not_after;
		int64_t to;
		bool clamped;
	} rows[] = {
		{ 3600, "", 3600, true },     { 3600, "1h", 3600, false }, { 3600, "1h0m1s", 3600, true },
		{ 3600, "59m", 3540, false }, { 1, "", 1, true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(testca_free_p)
		struct testca *t = testca_new(&(struct testca_opts){ .issuer_left_s = rows[i].issuer_left_s });
		AUTO(attempt_done) struct attempt r;
		attempt_times(t, key, "", rows[i].not_after, &r);
		assert_granted(r.v);
		assert_int_equal(r.issued.clamped, rows[i].clamped);
		assert_int_equal(cert_facts(r.issued.cert)->not_after.s - TESTCA_NOW.s, rows[i].to);
		int64_t asked_s = r.issued.asked_not_after.s - TESTCA_NOW.s;
		assert_true(rows[i].clamped ? asked_s > rows[i].to : asked_s == rows[i].to);
		/* the row remembers what was granted */
		assert_int_equal(r.issued.change->cert.granted_s, asked_s + 60);
		assert_int_equal(r.issued.change->cert.not_after.s - TESTCA_NOW.s, rows[i].to);
	}
}

static void issuer_expired(void **state)
{
	(void)state;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(testca_free_p) struct testca *t = testca_new(&(struct testca_opts){ .issuer_left_s = -1 });
	AUTO(attempt_done) struct attempt r;
	attempt_times(t, key, "", "", &r);
	assert_refused(r.v, REFUSAL_INTERNAL, "",
	               "this CA's issuer certificate expired on 2030-03-17 17:46:39 +0000 UTC");
	assert_non_null(strstr(r.v.remedy, "intermediate"));
}

/* --- what a certificate is --- */

static void check_extensions(const struct cert *c, const char *const *want, size_t n)
{
	struct error e = ERROR_INIT;
	struct ext x;
	size_t i = 0;
	for (struct slice rest = cert_facts(c)->extensions; rest.n; i++) {
		assert_ok(ext_next(&rest, &x, &e));
		assert_true(i < n);
		assert_string_equal(x.oid, want[i]);
		assert_int_equal(x.critical, !strcmp(x.oid, OID_KEY_USAGE));
	}
	assert_int_equal(i, n);
}

static void check_profile(struct testca *t, const struct trust *trust, EVP_PKEY *key)
{
	static const char *const with[] = { OID_KEY_USAGE,        OID_EXT_KEY_USAGE,    OID_SUBJECT_KEY_ID,
		                            OID_AUTHORITY_KEY_ID, OID_SUBJECT_ALT_NAME, OID_PROVISIONER };
	struct error e = ERROR_INIT;
	const struct names sans = { { "a.example", "10.0.0.1" } };
	AUTO(attempt_done) struct attempt r;
	AUTO(attempt_done) struct attempt bare;

	attempt(t, key, "a.example", &sans, "", &nothing, NULL, NULL, &r);
	assert_granted(r.v);
	const struct cert_facts *f = cert_facts(r.issued.cert);
	assert_ok(trust_verify(trust, r.issued.cert, &t->a->issuers, TESTCA_NOW, TRUST_SERVER, &e));
	assert_ok(trust_verify(trust, r.issued.cert, &t->a->issuers, TESTCA_NOW, TRUST_CLIENT, &e));
	check_extensions(r.issued.cert, with, COUNT_OF(with));
	assert_true(f->eku_server_auth && f->eku_client_auth && !f->eku_any && !f->is_ca);
	assert_true(slice_eq(f->issuer, cert_facts(t->issuer)->subject));
	assert_true(slice_eq(f->authority_key_id, cert_facts(t->issuer)->subject_key_id));
	assert_true(slice_eq(f->serial, slice_of(test_serial, sizeof test_serial)));
	assert_true(key_equal(cert_key(r.issued.cert), key));
	assert_int_equal(f->provisioner.type, PROV_JWK);
	assert_string_equal(f->provisioner.name, "ops");
	assert_string_equal(f->provisioner.credential_id, t->kid);

	t->a->provs[TESTCA_OPS].claims.disable_extensions = true;
	attempt(t, key, "a.example", &sans, "", &nothing, NULL, NULL, &bare);
	t->a->provs[TESTCA_OPS].claims.disable_extensions = false;
	assert_granted(bare.v);
	check_extensions(bare.issued.cert, with, COUNT_OF(with) - 1);
}

/* Whatever the CA's and the leaf's keys: the certificate verifies up to the root, and is the profile and nothing else.
 */
static void profile(void **state)
{
	(void)state;
	static const struct key_spec specs[] = { { .kind = KEY_EC, .curve = "P-256" },
		                                 { .kind = KEY_EC, .curve = "P-384" },
		                                 { .kind = KEY_RSA, .bits = 2048 },
		                                 { .kind = KEY_OKP, .curve = "Ed25519" } };
	EVP_PKEY *keys_of[COUNT_OF(specs)];
	for (size_t i = 0; i < COUNT_OF(specs); i++)
		keys_of[i] = testca_key(specs[i].kind, specs[i].curve, specs[i].bits);
	for (size_t ca = 0; ca < COUNT_OF(specs); ca++) {
		struct error e = ERROR_INIT;
		AUTO(testca_free_p) struct testca *t = testca_new(&(struct testca_opts){ .key = specs[ca] });
		AUTO(trust_free_p) struct trust *trust = NULL;
		assert_ok(trust_new(&t->a->roots, false, &trust, &e));
		for (size_t i = 0; i < COUNT_OF(specs); i++)
			check_profile(t, trust, keys_of[i]);
	}
	for (size_t i = 0; i < COUNT_OF(specs); i++)
		EVP_PKEY_free(keys_of[i]);
}

static void change_is_complete(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	for (int disabled = 0; disabled < 2; disabled++) {
		AUTO(attempt_done) struct attempt r;
		t->a->provs[TESTCA_OPS].claims.disable_extensions = disabled; /* the row knows all the same */
		attempt_times(t, key, NULL, NULL, &r);
		assert_granted(r.v);
		const struct change *c = r.issued.change;
		assert_int_equal(c->kind, CHANGE_ISSUE);
		assert_string_equal(c->token_id, r.auth.token_id);
		assert_int_equal(c->token_exp.s, TESTCA_NOW.s + 300);
		assert_int_equal(c->at.s, TESTCA_NOW.s);
		assert_int_equal(c->cert.created.s, TESTCA_NOW.s);
		assert_string_equal(c->cert.serial, cert_facts(r.issued.cert)->serial_text);
		assert_string_equal(c->cert.line, c->cert.serial);
		assert_string_equal(c->cert.parent, "");
		assert_int_equal(c->cert.generation, 0);
		assert_string_equal(c->cert.provisioner_id, t->a->provs[TESTCA_OPS].id);
		assert_string_equal(c->cert.provisioner_name, "ops");
		assert_int_equal(c->cert.provisioner_type, PROV_JWK);
		assert_true(slice_eq(buf_slice(&c->cert.der), cert_facts(r.issued.cert)->der));
	}
}

/* authority.template fills what is empty; the common name never is. */
static void subject_template(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(attempt_done) struct attempt r;
	t->a->subject.country = text_dup(slice_cstr("DE"));
	t->a->subject.organization = text_dup(slice_cstr("Acme"));
	t->a->subject.common_name = text_dup(slice_cstr("unused"));
	AUTO(buf_done) struct buf want = BUF_INIT(1024);
	struct name_attrs names = { .country = "DE", .organization = "Acme", .common_name = "a.example" };
	assert_ok(name_encode(&names, &want, &e));
	attempt_times(t, key, NULL, NULL, &r);
	assert_granted(r.v);
	assert_true(slice_eq(cert_facts(r.issued.cert)->subject, buf_slice(&want)));
}

/* A name that no certificate can hold. */
static void endless_subject(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(attempt_done) struct attempt r;
	static char sub[2000];
	memset(sub, 'x', sizeof sub - 1);
	attempt(t, key, sub, &(struct names){ { "a" } }, "", &nothing, NULL, NULL, &r);
	assert_refused(r.v, REFUSAL_MALFORMED, "subject: CN is longer than 1024 bytes", "");
}

/* --- */

static void memory_runs_out(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	struct ott_draft d = testca_draft("a.example");
	const char *sans[] = { "a.example", "10.0.0.1", "https://x/y" };
	unsigned n = 1;

	d.sans = sans;
	d.sans_n = COUNT_OF(sans);
	testca_csr(key, "a.example", sans, COUNT_OF(sans), &csr);
	testca_token(t, &d, &token);
	for (;; n++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(attempt_done) struct attempt r = { 0 };
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = authorize_token(t->a, OP_SIGN, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED,
		                                 &r.auth, &v, &e);
		if (!st && !v.refusal)
			st = issue_sign(t->a, &r.auth, &(struct sign_request){ .csr = &csr }, TESTCA_NOW, test_serial,
			                &r.issued, &v, &e);
		bool reached = fail_disarm();
		/* It could not be decided, and so nothing was: no verdict hides it. */
		assert_int_equal(st, reached ? ST_NOMEM : ST_OK);
		assert_int_equal(v.refusal, REFUSAL_NONE);
		assert_int_equal(r.issued.cert != NULL, !reached);
		assert_int_equal(r.issued.change != NULL, !reached);
		if (!reached)
			break;
	}
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_granted),
		cmocka_unit_test(names_are_refused),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(cnf),
		cmocka_unit_test(keys),
		cmocka_unit_test(times_are_granted),
		cmocka_unit_test(times_are_refused),
		cmocka_unit_test(claims_count),
		cmocka_unit_test(clamped),
		cmocka_unit_test(issuer_expired),
		cmocka_unit_test(profile),
		cmocka_unit_test(change_is_complete),
		cmocka_unit_test(subject_template),
		cmocka_unit_test(endless_subject),
		cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
