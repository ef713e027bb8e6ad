/* Lists are written as OpenSSL writes them, and read as strictly as certificates. */
#include "testing.h"

#include "fail.h"
#include "x509/crl.h"

#include <errno.h>
#include <openssl/x509v3.h>

DEFINE_AUTO(X509_CRL *, X509_CRL_free);

#define URL "http://ca.example/1.0/crl"

struct entry {
	const char *serial; /* decimal */
	int64_t at_s;
	int reason;
	int said; /* what the list says of it: 0 where it says nothing */
};

struct input {
	const char *curve, *url;
	int64_t number, this_s, next_s;
	struct entry entries[8];
	bool no_key_id;
};

static const struct input inputs[] = {
	{ .curve = "P-256", .number = 0, .this_s = 1795431117, .next_s = 1795517517 },
	{ .curve = "P-256",
	  .url = URL,
	  .number = 127,
	  .this_s = 1795431117,
	  .next_s = 1795517517,
	  .entries = { { "1", 1795431000, 0, 0 },
	               { "340282366920938463463374607431768211455", 1795431001, 1, 1 },
	               { "128", 2524607999, 6, 6 },
	               { "255", 2524608000, 10, 10 },
	               { "730750818665451459101842416358141509827966271487", 0, 5, 5 } } },
	{ .curve = "P-384",
	  .number = 128,
	  .this_s = 2524607999,
	  .next_s = 2524608000,
	  .entries = { { "7", 1795431000, 4, 4 } },
	  .no_key_id = true },
	/* What a full list cannot say */
	{ .curve = "P-521",
	  .number = INT64_MAX,
	  .this_s = 1795431117,
	  .next_s = 253402300799,
	  .entries = { { "10", 1795431000, 8, 0 },
	               { "11", 1795431000, 7, 0 },
	               { "12", 1795431000, 11, 0 },
	               { "13", 1795431000, -1, 0 },
	               { "14", 1795431000, 9, 9 } } },
	{ .curve = "RSA", .url = URL, .number = 1 << 20, .this_s = 1, .next_s = 2, .entries = { { "7", 1, 2, 2 } } },
	{ .curve = "Ed25519", .number = 255, .this_s = 1, .next_s = 2, .entries = { { "7", 1, 3, 3 } } },
};

/* A CA with its signer, and the draft of one row. */
struct kit {
	struct made ca;
	struct signer *signer;
	struct crl_draft draft;
};

static void kit_done(struct kit *k)
{
	made_done(&k->ca);
	signer_free(k->signer);
}

static void kit_make(const struct input *in, struct kit *k)
{
	struct error e;
	enum sign_alg alg;
	*k = (struct kit){ .ca = make((struct recipe){ .name = "Issuer", .ca = true, .curve = in->curve }) };
	assert_ok(sign_alg_for_key(k->ca.key, &alg, &e));
	assert_ok(signer_new(k->ca.key, alg, &k->signer, &e));
	const struct cert_facts *f = cert_facts(k->ca.cert);
	k->draft = (struct crl_draft){ .issuer = f->subject,
		                       .issuer_key_id = in->no_key_id ? SLICE_NONE : f->subject_key_id,
		                       .this_update = { in->this_s },
		                       .next_update = { in->next_s },
		                       .number = in->number,
		                       .idp_url = in->url };
}

static enum status write(const struct kit *k, const struct entry *entries, size_t n, struct buf *out, struct error *e)
{
	struct crl_writer w;
	uint8_t bytes[SERIAL_OCTETS];
	struct slice serial;
	crl_begin(&w, &k->draft, k->signer, out);
	for (size_t i = 0; i < n && entries[i].serial; i++) {
		if (serial_octets(entries[i].serial, bytes, &serial, e))
			return e->status;
		crl_add(&w, serial, (struct wall){ entries[i].at_s }, entries[i].reason);
	}
	return crl_end(&w, e);
}

/* ---- against OpenSSL ---- */

static void openssl_entry(X509_CRL *crl, const struct entry *entry)
{
	X509_REVOKED *r = X509_REVOKED_new();
	BIGNUM *n = NULL;
	ASN1_TIME *at = ASN1_TIME_set(NULL, entry->at_s);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	assert_true(BN_dec2bn(&n, entry->serial));
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(n, NULL);
	assert_true(X509_REVOKED_set_serialNumber(r, serial) && X509_REVOKED_set_revocationDate(r, at) &&
	            ASN1_ENUMERATED_set(reason, entry->said));
	if (entry->said)
		assert_true(X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0));
	assert_true(X509_CRL_add0_revoked(crl, r));
	ASN1_INTEGER_free(serial);
	ASN1_ENUMERATED_free(reason);
	ASN1_TIME_free(at);
	BN_free(n);
}

static void openssl_extensions(X509_CRL *crl, const struct crl_draft *d)
{
	AUTHORITY_KEYID *key_id = AUTHORITY_KEYID_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	assert_true(ASN1_INTEGER_set_int64(number, d->number));
	if (d->issuer_key_id.n) {
		key_id->keyid = ASN1_OCTET_STRING_new();
		assert_true(ASN1_OCTET_STRING_set(key_id->keyid, d->issuer_key_id.p, (int)d->issuer_key_id.n));
		assert_true(X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, key_id, 0, 0));
	}
	assert_true(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0));
	if (d->idp_url) {
		X509_EXTENSION *x =
			X509V3_EXT_conf_nid(NULL, NULL, NID_issuing_distribution_point, "critical,fullname:URI:" URL);
		assert_non_null(x);
		assert_true(X509_CRL_add_ext(crl, x, -1));
		X509_EXTENSION_free(x);
	}
	ASN1_INTEGER_free(number);
	AUTHORITY_KEYID_free(key_id);
}

/* The same by OpenSSL's API, signed by the same key. */
static X509_CRL *openssl_crl(const struct kit *k, const struct input *in)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *this = ASN1_TIME_set(NULL, in->this_s), *next = ASN1_TIME_set(NULL, in->next_s);
	assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	            X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(k->ca.cert))) &&
	            X509_CRL_set1_lastUpdate(crl, this) && X509_CRL_set1_nextUpdate(crl, next));
	for (size_t i = 0; in->entries[i].serial; i++)
		openssl_entry(crl, &in->entries[i]);
	openssl_extensions(crl, &k->draft);
	int bits = EVP_PKEY_get_base_id(k->ca.key) == EVP_PKEY_EC ? EVP_PKEY_get_bits(k->ca.key) : 256;
	bool pure = EVP_PKEY_get_base_id(k->ca.key) == EVP_PKEY_ED25519;
	assert_true(X509_CRL_sign(crl, k->ca.key,
	                          pure         ? NULL
	                          : bits > 384 ? EVP_sha512()
	                          : bits > 256 ? EVP_sha384()
	                                       : EVP_sha256()) > 0);
	ASN1_TIME_free(this);
	ASN1_TIME_free(next);
	return crl;
}

static X509_CRL *openssl_read(struct slice der)
{
	const uint8_t *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	assert_non_null(crl);
	assert_ptr_equal(p, der.p + der.n);
	return crl;
}

static void equals_openssls(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(inputs); i++) {
		struct error e;
		AUTO(kit_done) struct kit k = { 0 };
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		struct crl_facts f;
		kit_make(&inputs[i], &k);
		buf_adds(&out, "kept");
		assert_ok(write(&k, inputs[i].entries, COUNT_OF(inputs[i].entries), &out, &e));
		assert_memory_equal(out.p, "kept", 4);
		struct slice der = slice_of(out.p + 4, out.n - 4);
		assert_ok(crl_parse(der, &f, &e));
		AUTO(X509_CRL_free_p) X509_CRL *theirs = openssl_crl(&k, &inputs[i]), *ours = openssl_read(der);
		uint8_t *tbs = NULL;
		int n = i2d_re_X509_CRL_tbs(theirs, &tbs);
		assert_int_equal(f.tbs.n, n);
		assert_memory_equal(f.tbs.p, tbs, (size_t)n);
		OPENSSL_free(tbs);
		assert_int_equal(X509_CRL_verify(ours, k.ca.key), 1);
		assert_ok(crl_signed_by(&f, k.ca.cert, &e));
	}
}

/* What was written is what is read. */
static void read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(inputs); i++) {
		const struct input *in = &inputs[i];
		struct error e;
		AUTO(kit_done) struct kit k = { 0 };
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		struct crl_facts f;
		struct crl_entry entry;
		bool found;
		kit_make(in, &k);
		assert_ok(write(&k, in->entries, COUNT_OF(in->entries), &out, &e));
		assert_ok(crl_parse(buf_slice(&out), &f, &e));
		assert_int_equal(f.this_update.s, in->this_s);
		assert_int_equal(f.next_update.s, in->next_s);
		assert_true(f.has_next_update);
		assert_false(f.partial);
		assert_true(slice_eq(f.issuer, k.draft.issuer));
		assert_true(slice_eq(f.authority_key_id, k.draft.issuer_key_id));
		assert_true(in->url ? slice_is(f.idp_url, in->url) : f.idp_url.n == 0);
		uint64_t number = 0;
		for (size_t j = 0; j < f.number.n; j++)
			number = number << 8 | f.number.p[j];
		assert_true(number == (uint64_t)in->number);
		struct slice rest = f.entries;
		size_t n = 0;
		for (; in->entries[n].serial; n++) {
			assert_ok(crl_next(&rest, &entry, &e));
			assert_string_equal(entry.serial, in->entries[n].serial);
			assert_int_equal(entry.revoked_at.s, in->entries[n].at_s);
			assert_int_equal(entry.reason, in->entries[n].said);
			assert_ok(crl_find(&f, in->entries[n].serial, &found, &entry, &e));
			assert_true(found);
		}
		assert_int_equal(f.n, n);
		assert_fails(crl_next(&rest, &entry, &e), ST_MISSING);
		assert_ok(crl_find(&f, "999", &found, &entry, &e));
		assert_false(found);
		assert_fails(crl_find(&f, "x", &found, &entry, &e), ST_INVALID);
	}
}

enum { MANY = 100000 };

static void hundred_thousand(void **state)
{
	(void)state;
	struct error e;
	AUTO(kit_done) struct kit k = { 0 };
	AUTO(buf_done) struct buf out = BUF_INIT(CRL_MAX);
	struct crl_writer w;
	struct crl_facts f;
	struct crl_entry entry;
	bool found;
	uint8_t serial[16] = { 0x40 };
	kit_make(&inputs[0], &k);
	crl_begin(&w, &k.draft, k.signer, &out);
	for (uint32_t i = 0; i < MANY; i++) {
		for (size_t j = 0; j < 4; j++)
			serial[12 + j] = (uint8_t)(i >> 8 * (3 - j));
		crl_add(&w, slice_of(serial, sizeof serial), T0, 1 + (int)(i % 6));
	}
	assert_ok(crl_end(&w, &e));
	assert_ok(crl_parse(buf_slice(&out), &f, &e));
	assert_int_equal(f.n, MANY);
	assert_ok(crl_signed_by(&f, k.ca.cert, &e));
	/* 0x40 and then zeros, and 99999 at its end */
	assert_ok(crl_find(&f, "85070591730234615865843651857942152863", &found, &entry, &e));
	assert_true(found);
	AUTO(X509_CRL_free_p) X509_CRL *theirs = openssl_read(buf_slice(&out));
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(theirs)), MANY);
	assert_int_equal(X509_CRL_verify(theirs, k.ca.key), 1);
	AUTO(buf_done) struct buf small = BUF_INIT(out.n / 2);
	crl_begin(&w, &k.draft, k.signer, &small);
	for (uint32_t i = 0; i < MANY; i++)
		crl_add(&w, slice_of(serial, sizeof serial), T0, 1);
	assert_fails(crl_end(&w, &e), ST_LIMIT);
}

static void drafts_refused(void **state)
{
	(void)state;
	AUTO(kit_done) struct kit k = { 0 };
	kit_make(&inputs[0], &k);
	const struct crl_draft good = k.draft;
	struct crl_draft rows[6];
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		rows[i] = good;
	rows[0].issuer = SLICE_NONE;
	rows[1].issuer = SLICE_LIT("\x31\x00");
	rows[2].next_update = rows[2].this_update;
	rows[3].number = -1;
	rows[4].next_update.s = WALL_MAX_S + 1;
	rows[5].this_update.s = WALL_MIN_S - 1;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		k.draft = rows[i];
		assert_fails(write(&k, NULL, 0, &out, &e), i < 4 ? ST_INVALID : ST_LIMIT);
	}
}

/* ---- hostile ---- */

#define ALG "300a06082a8648ce3d040302"
#define SIG ALG "030100"
#define THIS "170d3236313132333130353135375a"
#define HEAD "020101" ALG "3000" THIS

struct hostile {
	const char *hex, *why;
};

/* Lengths are put in by the test: "(" and ")" around hex stand for a SEQUENCE, "[" and "]" for its [0]. */
static void build(const char **p, struct buf *out)
{
	while (**p && **p != ')' && **p != ']') {
		if (**p == '(' || **p == '[') {
			uint8_t tag = **p == '(' ? DER_SEQUENCE : 0xa0;
			size_t start = out->n;
			(*p)++;
			build(p, out);
			assert_true(**p);
			(*p)++;
			der_wrap(out, start, tag);
		} else if (**p == ' ') {
			(*p)++;
		} else {
			struct error e;
			size_t n = strspn(*p, "0123456789abcdef");
			assert_ok(hex_decode(out, slice_of(*p, n), &e));
			*p += n;
		}
	}
}

static void hostile_lists(void **state)
{
	(void)state;
	static const struct hostile rows[] = {
		{ "", "empty" },
		{ "(", NULL },
		{ "(()" SIG ")", "CRL" },
		{ "((" HEAD ") " SIG ") 00", "trailing" },
		{ "((" HEAD ") " ALG "030100 0500)", "trailing" },
		{ "((" HEAD ") " ALG ")", "CRL" },
		{ "((" HEAD ") " ALG "03020101)", "bit string" },
		{ "((" HEAD ") 300506032b6570 030100)", "differ" },
		{ "((020102" ALG "3000" THIS ") " SIG ")", "version" },
		{ "((020100" ALG "3000" THIS ") " SIG ")", "version" },
		{ "((" ALG "3000" THIS "[(0600)]) " SIG ")", "version 1" },
		{ "((" HEAD "0500) " SIG ")", "CRL" },
		{ "((020101" ALG "3000"
		  "170c3236313132333130353135375a"
		  ") " SIG ")",
		  "" },
		/* entries */
		{ "((" HEAD "(())) " SIG ")", "entry" },
		{ "((" HEAD "((020101))) " SIG ")", "entry" },
		{ "((" HEAD "((0201ff" THIS "))) " SIG ")", "negative" },
		{ "((" HEAD "((02020001" THIS "))) " SIG ")", "not DER" },
		{ "((" HEAD "((0215010000000000000000000000000000000000000000" THIS "))) " SIG ")", "longer than 20" },
		{ "((" HEAD "((020101" THIS "0500))) " SIG ")", "entry" },
		{ "((" HEAD "((020101" THIS "((0603551d15 0400)))))" SIG ")", "entry" },
		{ "((" HEAD "((020101" THIS "((0603551d15 04030a0181)))))" SIG ")", "entry" },
		{ "((" HEAD "((020101" THIS "((0603551d15 04030a0101) (0603551d15 04030a0101))))) " SIG ")", "twice" },
		{ "((" HEAD "(0500)) " SIG ")", "tag" },
		/* extensions */
		{ "((" HEAD "[0500]) " SIG ")", "" },
		{ "((" HEAD "[()] 0500) " SIG ")", "trailing" },
		{ "((" HEAD "[((0603551d14 0403020101) (0603551d14 0403020101))]) " SIG ")", "twice" },
		{ "((" HEAD "[((0603551d14 04030201ff))]) " SIG ")", "2.5.29.20" },
		{ "((" HEAD "[((0603551d14 0400))]) " SIG ")", "2.5.29.20" },
		{ "((" HEAD "[((0603551d1c 04020500))]) " SIG ")", "2.5.29.28" },
		{ "((" HEAD "[((0603551d23 04020500))]) " SIG ")", "2.5.29.35" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		struct crl_facts f = { .n = 77 };
		AUTO(buf_done) struct buf der = BUF_INIT(BIG);
		const char *p = rows[i].hex;
		if (rows[i].why)
			build(&p, &der);
		else
			buf_addc(&der, '0');
		enum status st = crl_parse(buf_slice(&der), &f, &e);
		if (st != ST_INVALID || (rows[i].why && !strstr(e.text, rows[i].why)))
			fail_msg("row %zu: %s: %s", i, status_name(st), st ? e.text : "");
		assert_int_equal(f.n, 77); /* untouched */
	}
}

/* What a list says that a leaf's verifier must not take for the whole truth. */
static void partial_lists(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		bool partial;
	} rows[] = {
		{ "((" HEAD ") " SIG ")", false },
		{ "((" ALG "3000" THIS ") " SIG ")", false },
		{ "((" HEAD "[((0603551d1c 04053003 8101ff))]) " SIG ")", false }, /* user certificates only */
		{ "((" HEAD "[((0603551d1c 04053003 8201ff))]) " SIG ")", true },
		{ "((" HEAD "[((0603551d1c 040630048302 0640))]) " SIG ")", true },
		{ "((" HEAD "[((0603551d1c 04053003 8401ff))]) " SIG ")", true },
		{ "((" HEAD "[((0603551d1b 0403020101))]) " SIG ")", true },
		{ "((" HEAD "[((06032a0304 0101ff 0400))]) " SIG ")", true },
		{ "((" HEAD "[((06032a0304 0400))]) " SIG ")", false },
		{ "((" HEAD "((020101" THIS "((0603551d1d 0101ff 0400))))) " SIG ")",
		  true }, /* another's certificate */
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e;
		struct crl_facts f;
		AUTO(buf_done) struct buf der = BUF_INIT(BIG);
		const char *p = rows[i].hex;
		build(&p, &der);
		if (crl_parse(buf_slice(&der), &f, &e))
			fail_msg("row %zu: %s", i, e.text);
		assert_int_equal(f.partial, rows[i].partial);
	}
}

static void foreign_signatures(void **state)
{
	(void)state;
	struct error e;
	AUTO(kit_done) struct kit k = { 0 }, other = { 0 };
	AUTO(buf_done) struct buf out = BUF_INIT(BIG), leaf_ext = BUF_INIT(BIG);
	struct crl_facts f;
	kit_make(&inputs[0], &k);
	kit_make(&inputs[0], &other); /* of the same name */
	assert_ok(write(&k, inputs[1].entries, 1, &out, &e));
	assert_ok(crl_parse(buf_slice(&out), &f, &e));
	assert_fails(crl_signed_by(&f, other.ca.cert, &e), ST_DENIED);
	AUTO(made_done) struct made stranger = make((struct recipe){ .name = "Stranger", .ca = true });
	assert_fails(crl_signed_by(&f, stranger.cert, &e), ST_DENIED);
	out.p[f.tbs.p - out.p + 40] ^= 1;
	assert_fails(crl_signed_by(&f, k.ca.cert, &e), ST_DENIED);
	ext_add_key_usage(&leaf_ext, KU_KEY_CERT_SIGN);
	AUTO(made_done)
	struct made mute = make((struct recipe){ .name = "Issuer", .extensions = buf_slice(&leaf_ext) });
	assert_fails(crl_signed_by(&f, mute.cert, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "cRLSign"));
}

static void distribution_point(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf ours = BUF_INIT(BIG);
	uint8_t *theirs = NULL;
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_crl_distribution_points, "URI:" URL);
	assert_non_null(x);
	ext_add_crl_point(&ours, URL);
	assert_int_equal(i2d_X509_EXTENSION(x, &theirs), ours.n);
	assert_memory_equal(theirs, ours.p, ours.n);
	OPENSSL_free(theirs);
	X509_EXTENSION_free(x);
}

/* The URIs of "point point", '-' where a point has none that counts. */
static void distribution_points_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *urls; /* urls NULL: refused */
	} rows[] = {
		{ "(([[8603612f62]]))", "a/b" },
		{ "(([[860161]]) ([[860162]]))", "a b" },
		{ "(([[8101788601618601 62]]))", "a" }, /* among other names */
		{ "()", "" },
		{ "(())", "-" },
		{ "(([8101 61]))", "-" },            /* relative to the issuer */
		{ "(([[860161]] 8102 0780))", "-" }, /* for some reasons only */
		{ "(([[860161]] 8200))", "-" },      /* another issuer's */
		{ "(([[]]))", "-" },
		{ "0500", NULL },
		{ "() 00", NULL },
		{ "(([[8605 61]]))", NULL },
		{ "(30)", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf der = BUF_INIT(BIG), got = BUF_INIT(BIG);
		struct slice rest = SLICE_NONE, url;
		const char *p = rows[i].hex;
		build(&p, &der);
		enum status st = ext_crl_points(buf_slice(&der), &rest, &e);
		while (!st && rest.n && !(st = ext_next_crl_point(&rest, &url, &e))) {
			buf_adds(&got, got.n ? " " : "");
			buf_add_slice(&got, url.n ? url : SLICE_LIT("-"));
		}
		if (st ? rows[i].urls != NULL || st != ST_INVALID
		       : !rows[i].urls || strcmp(buf_cstr(&got), rows[i].urls))
			fail_msg("row %zu: %s %s", i, st ? e.text : "", buf_cstr(&got));
	}
	struct error e;
	AUTO(buf_done) struct buf made = BUF_INIT(BIG);
	struct ext x;
	struct slice rest, url;
	ext_add_crl_point(&made, URL);
	rest = buf_slice(&made);
	assert_ok(ext_next(&rest, &x, &e));
	assert_ok(ext_crl_points(x.value, &rest, &e));
	assert_ok(ext_next_crl_point(&rest, &url, &e));
	assert_true(slice_is(url, URL));
	assert_fails(ext_next_crl_point(&rest, &url, &e), ST_MISSING);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	AUTO(kit_done) struct kit k = { 0 };
	kit_make(&inputs[1], &k);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(BIG);
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = write(&k, inputs[1].entries, COUNT_OF(inputs[1].entries), &out, &e);
		if (!fail_disarm()) {
			assert_int_equal(st, ST_OK);
			assert_in_range(n, 3, 200);
			break;
		}
		assert_int_equal(st, ST_NOMEM);
	}
}

static void reason_names(void **state)
{
	(void)state;
	assert_string_equal(crl_reason_name(1), "keyCompromise");
	assert_string_equal(crl_reason_name(10), "aACompromise");
	assert_null(crl_reason_name(7));
	assert_null(crl_reason_name(11));
	assert_null(crl_reason_name(-1));
}

int main(void)
{
	ossl_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_openssls),
		cmocka_unit_test(read_back),
		cmocka_unit_test(hundred_thousand),
		cmocka_unit_test(drafts_refused),
		cmocka_unit_test(hostile_lists),
		cmocka_unit_test(partial_lists),
		cmocka_unit_test(foreign_signatures),
		cmocka_unit_test(distribution_point),
		cmocka_unit_test(distribution_points_are_read),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(reason_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
