#include "decide.h"

#include "authority/revoke.h"
#include "fail.h"

static void shapes(void **state)
{
	(void)state;
	static const struct {
		const char *serial;
		int64_t reason;
		bool passive;
		enum refusal refusal;
		const char *want; /* serial, or message */
	} rows[] = {
		{ "123", 0, true, REFUSAL_NONE, "123" },
		{ "0x7b", 10, true, REFUSAL_NONE, "123" },
		{ "0X7B", 7, true, REFUSAL_NONE, "123" },
		{ "0b1111011", 4, true, REFUSAL_NONE, "123" },
		{ "0o173", 4, true, REFUSAL_NONE, "123" },
		{ "0173", 4, true, REFUSAL_NONE, "123" },
		{ "1_000", 4, true, REFUSAL_NONE, "1000" },
		{ "0", 4, true, REFUSAL_NONE, "0" },
		{ "0xffffffffffffffffffffffffffffffff", 4, true, REFUSAL_NONE,
		  "340282366920938463463374607431768211455" },

		{ "", 0, true, REFUSAL_MALFORMED, "missing serial" },
		{ NULL, 99, false, REFUSAL_MALFORMED, "missing serial" },
		{ "zz", 0, true, REFUSAL_MALFORMED,
		  "'zz' is not a valid serial number - use a base 10 representation or a base 16 representation with "
		  "'0x' prefix" },
		{ "12 ", 0, true, REFUSAL_MALFORMED,
		  "'12 ' is not a valid serial number - use a base 10 representation or a base 16 representation with "
		  "'0x' "
		  "prefix" },
		{ "7b", 0, true, REFUSAL_MALFORMED,
		  "'7b' is not a valid serial number - use a base 10 representation or a base 16 representation with "
		  "'0x' prefix" },
		{ "0x", 99, false, REFUSAL_MALFORMED,
		  "'0x' is not a valid serial number - use a base 10 representation or a base 16 representation with "
		  "'0x' prefix" },
		{ "1\n2", 0, true, REFUSAL_MALFORMED,
		  "'1?2' is not a valid serial number - use a base 10 representation or a base 16 representation with "
		  "'0x' "
		  "prefix" },
		{ "1", -1, true, REFUSAL_MALFORMED, "reasonCode out of bounds" },
		{ "1", 11, true, REFUSAL_MALFORMED, "reasonCode out of bounds" },
		{ "1", INT64_MAX, false, REFUSAL_MALFORMED, "reasonCode out of bounds" },
		{ "1", 0, false, REFUSAL_UNSUPPORTED, "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		char serial[SERIAL_TEXT] = "untouched";
		struct revoke_request r = { slice_cstr(rows[i].serial), rows[i].reason, SLICE_NONE, rows[i].passive };
		assert_ok(revoke_check(&r, serial, &v, &e));
		assert_refused(v, rows[i].refusal, rows[i].refusal ? rows[i].want : "", "");
		assert_string_equal(serial, rows[i].refusal ? "untouched" : rows[i].want);
		assert_false(v.bare);
	}
}

static void endless_serial(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	char serial[SERIAL_TEXT] = "untouched", digits[1000];
	memset(digits, '9', sizeof digits);
	struct revoke_request r = { slice_of(digits, sizeof digits), 0, SLICE_NONE, true };
	assert_ok(revoke_check(&r, serial, &v, &e));
	assert_int_equal(v.refusal, REFUSAL_MALFORMED);
	assert_non_null(strstr(v.message, "' is not a valid serial number"));
	assert_string_equal(serial, "untouched");
}

static void authorize(const struct testca *t, const char *sub, struct authorization *ret)
{
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	struct ott_draft d = testca_draft(sub);
	d.aud = "https://ca.example:9000/1.0/revoke";
	testca_token(t, &d, &token);
	assert_ok(authorize_token(t->a, OP_REVOKE, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, ret, &v, &e));
	assert_granted(v);
}

static const struct revoke_request request = {
	{ (const uint8_t *)"0x7b", 4 }, 4, { (const uint8_t *)"left", 4 }, true
};

static void by_token(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	static const struct {
		const char *sub, *message;
	} rows[] = {
		{ "123", NULL },
		{ "124", "request serial number \"123\" and token subject \"124\" do not match" },
		{ "0x7b", "request serial number \"123\" and token subject \"0x7b\" do not match" },
		{ "0123", "request serial number \"123\" and token subject \"0123\" do not match" },
		{ "a.example", "request serial number \"123\" and token subject \"a.example\" do not match" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(authorization_done) struct authorization auth = { 0 };
		AUTO(change_free_p) struct change *c = NULL;
		authorize(t, rows[i].sub, &auth);
		assert_ok(revoke_decide(&request, "123", &auth, NULL, TESTCA_NOW, &c, &v, &e));
		assert_refused(v, rows[i].message ? REFUSAL_FORBIDDEN : REFUSAL_NONE,
		               rows[i].message ? rows[i].message : "", "");
		/* good or not, the token is used */
		assert_int_equal(c->kind, rows[i].message ? CHANGE_BURN : CHANGE_REVOKE);
		assert_string_equal(c->token_id, auth.token_id);
		assert_int_equal(c->token_exp.s, TESTCA_NOW.s + 300);
		assert_int_equal(c->at.s, TESTCA_NOW.s);
		assert_string_equal(c->provisioner_id, auth.prov->id);
		assert_false(c->mtls);
		assert_string_equal(c->serial, rows[i].message ? "" : "123");
		if (rows[i].message)
			continue;
		assert_int_equal(c->reason_code, 4);
		assert_string_equal(c->reason, "left");
	}
}

static void by_certificate(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = testca_key(KEY_EC, "P-256", 0);
	AUTO(issued_done) struct issued i = { 0 };
	AUTO(change_free_p) struct change *c = NULL;
	char want[256];

	testca_issue(t, key, "a.example", TESTCA_NOW, &i);
	const char *serial = cert_facts(i.cert)->serial_text;
	assert_ok(revoke_decide(&request, serial, NULL, i.cert, TESTCA_NOW, &c, &v, &e));
	assert_granted(v);
	assert_int_equal(c->kind, CHANGE_REVOKE);
	assert_string_equal(c->serial, serial);
	assert_null(c->token_id);
	assert_true(c->mtls);
	assert_string_equal(c->provisioner_id, t->a->provs[TESTCA_OPS].id);
	assert_string_equal(c->reason, "left");
	change_free(TAKE(c));

	c = (struct change *)&e; /* must become NULL: there is no token to burn */
	enum status st = revoke_decide(&request, "123", NULL, i.cert, TESTCA_NOW, &c, &v, &e);
	struct change *got = TAKE(c);
	assert_ok(st);
	assert_null(got);
	snprintf(want, sizeof want, "request serial number \"123\" and certificate serial number \"%s\" do not match",
	         serial);
	assert_refused(v, REFUSAL_FORBIDDEN, want, "");

	/* a certificate of unknown origin revokes itself too */
	assert_ok(revoke_decide(&request, "1", NULL, t->root, TESTCA_NOW, &c, &v, &e));
	assert_granted(v);
	assert_string_equal(c->provisioner_id, "");
}

static void exactly_one(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(authorization_done) struct authorization auth = { 0 };
	struct change *c = NULL;
	authorize(t, "123", &auth);
	assert_int_equal(revoke_decide(&request, "123", NULL, NULL, TESTCA_NOW, &c, &v, &e), ST_BUG);
	assert_int_equal(revoke_decide(&request, "123", &auth, t->root, TESTCA_NOW, &c, &v, &e), ST_BUG);
	assert_null(c);
}

static void memory_runs_out(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(authorization_done) struct authorization auth = { 0 };
	authorize(t, "123", &auth);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(change_free_p) struct change *c = NULL;
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = revoke_decide(&request, "123", &auth, NULL, TESTCA_NOW, &c, &v, &e);
		bool reached = fail_disarm();
		assert_int_equal(st, reached ? ST_NOMEM : ST_OK);
		assert_int_equal(c != NULL, !reached);
		if (!reached) {
			assert_true(n > 3);
			break;
		}
	}
}

/* --- lines --- */

static void line_shapes(void **state)
{
	(void)state;
	static const struct {
		const char *serial, *scope;
		int64_t reason;
		const char *message; /* NULL: granted */
		enum line_scope want;
	} rows[] = {
		{ "0x7b", "lineage", 1, NULL, SCOPE_LINEAGE },
		{ "123", "descendants", 10, NULL, SCOPE_DESCENDANTS },
		{ "123", "", 0, "scope must be \"lineage\" or \"descendants\"", 0 },
		{ "123", NULL, 0, "scope must be \"lineage\" or \"descendants\"", 0 },
		{ "123", "Lineage", 0, "scope must be \"lineage\" or \"descendants\"", 0 },
		{ "123", "?", 0, "scope must be \"lineage\" or \"descendants\"", 0 },
		{ "", "lineage", 0, "missing serial", 0 },
		{ "123", "lineage", 11, "reasonCode out of bounds", 0 },
		{ "123", "lineage", -1, "reasonCode out of bounds", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		char serial[SERIAL_TEXT] = "untouched";
		enum line_scope scope = SCOPE_COUNT;
		struct revoke_line_request q = { slice_cstr(rows[i].serial), slice_cstr(rows[i].scope), rows[i].reason,
			                         SLICE_NONE };
		assert_ok(revoke_line_check(&q, serial, &scope, &v, &e));
		if (rows[i].message) {
			assert_refused(v, REFUSAL_MALFORMED, rows[i].message, "");
			assert_string_equal(serial, "untouched");
		} else {
			assert_granted(v);
			assert_string_equal(serial, "123");
			assert_int_equal(scope, rows[i].want);
		}
	}
}

static void line_authority(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	static const struct {
		const char *sub, *made_for;
		enum line_scope scope;
		const char *message; /* NULL: granted */
	} rows[] = {
		{ "123", "lineage", SCOPE_LINEAGE, NULL },
		{ "123", "descendants", SCOPE_DESCENDANTS, NULL },
		{ "123", "descendants", SCOPE_LINEAGE, "the token was not made to revoke with the scope \"lineage\"" },
		{ "123", "lineage", SCOPE_DESCENDANTS,
		  "the token was not made to revoke with the scope \"descendants\"" },
		{ "123", NULL, SCOPE_LINEAGE, "the token was not made to revoke with the scope \"lineage\"" },
		{ "123", "", SCOPE_LINEAGE, "the token was not made to revoke with the scope \"lineage\"" },
		{ "124", "lineage", SCOPE_LINEAGE,
		  "request serial number \"123\" and token subject \"124\" do not match" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		AUTO(authorization_done) struct authorization auth = { 0 };
		AUTO(change_free_p) struct change *c = NULL;
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		struct ott_draft d = testca_draft(rows[i].sub);
		const struct revoke_line_request q = { SLICE_LIT("123"), SLICE_NONE, 1, SLICE_LIT("lost") };
		d.aud = "https://ca.example:9000/1.0/revoke-line";
		d.revoke_scope = rows[i].made_for;
		testca_token(t, &d, &token);
		assert_ok(authorize_token(t->a, OP_REVOKE_LINE, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED,
		                          &auth, &v, &e));
		assert_granted(v);
		assert_ok(revoke_line_decide(&q, "123", rows[i].scope, &auth, TESTCA_NOW, &c, &v, &e));
		assert_refused(v, rows[i].message ? REFUSAL_FORBIDDEN : REFUSAL_NONE,
		               rows[i].message ? rows[i].message : "", "");
		assert_int_equal(c->kind, rows[i].message ? CHANGE_BURN : CHANGE_REVOKE_LINE);
		assert_string_equal(c->token_id, auth.token_id);
		if (rows[i].message)
			continue;
		assert_string_equal(c->serial, "123");
		assert_int_equal(c->scope, rows[i].scope);
		assert_int_equal(c->reason_code, 1);
		assert_string_equal(c->reason, "lost");
		assert_string_equal(c->provisioner_id, auth.prov->id);
	}
}

/* A token for one operation is not one for the other. */
static void line_tokens_are_apart(void **state)
{
	(void)state;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	static const struct {
		const char *aud;
		enum operation op;
	} rows[] = {
		{ "https://ca.example/1.0/revoke", OP_REVOKE_LINE },
		{ "step-certificate-authority", OP_REVOKE_LINE },
		{ "https://ca.example/1.0/sign", OP_REVOKE_LINE },
		{ "https://ca.example/1.0/revoke-line", OP_REVOKE },
		{ "https://ca.example/revoke-line", OP_SIGN },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct verdict v;
		struct authorization auth = { 0 };
		AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		struct ott_draft d = testca_draft("123");
		d.aud = rows[i].aud;
		d.revoke_scope = "lineage";
		testca_token(t, &d, &token);
		assert_ok(authorize_token(t->a, rows[i].op, buf_slice(&token), TESTCA_NOW, TESTCA_STORE_CREATED, &auth,
		                          &v, &e));
		assert_refused(v, REFUSAL_UNAUTHORIZED, "", "not for this operation");
	}
}

/* A certificate is no administrator, whatever its token claims. */
static void line_by_a_certificate(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct verdict v;
	AUTO(testca_free_p) struct testca *t = testca_new(NULL);
	AUTO(change_free_p) struct change *c = NULL;
	struct authorization auth = { .prov = &t->a->provs[TESTCA_X5C], .token_id = "t" };
	const struct revoke_line_request q = { SLICE_LIT("123"), SLICE_NONE, 1, SLICE_NONE };
	auth.ott.sub = "123";
	auth.ott.revoke_scope = "lineage";
	assert_ok(revoke_line_decide(&q, "123", SCOPE_LINEAGE, &auth, TESTCA_NOW, &c, &v, &e));
	assert_refused(v, REFUSAL_FORBIDDEN, "only a JWK provisioner's token can revoke a line", "");
	assert_int_equal(c->kind, CHANGE_BURN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(endless_serial),
		cmocka_unit_test(by_token),
		cmocka_unit_test(by_certificate),
		cmocka_unit_test(exactly_one),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(line_shapes),
		cmocka_unit_test(line_authority),
		cmocka_unit_test(line_tokens_are_apart),
		cmocka_unit_test(line_by_a_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
