#include "renewal/ladder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void facts(void **state)
{
	(void)state;
	static const struct {
		struct cert_facts f;
		int64_t now;
		struct ladder_facts want;
	} rows[] = {
		{ { .not_after = { 100 }, .common_name = "a" }, 100, { 0 } },
		{ { .not_after = { 100 }, .common_name = "a" }, 101, { .expired = true } },
		{ { .not_after = { 100 }, .common_name = "" }, 0, { .no_name = true } },
		{ { .not_after = { 100 }, .common_name = "a", .has_ext_key_usage = true, .eku_server_auth = true },
		  0,
		  { .no_client_auth = true } },
		{ { .not_after = { 100 }, .common_name = "a", .has_ext_key_usage = true, .eku_client_auth = true },
		  0,
		  { 0 } },
		{ { .not_after = { 100 }, .common_name = "a", .has_ext_key_usage = true, .eku_any = true }, 0, { 0 } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ladder_facts got = ladder_facts_of(&rows[i].f, false, false, (struct wall){ rows[i].now });
		assert_memory_equal(&got, &rows[i].want, sizeof got);
	}
	struct ladder_facts got = ladder_facts_of(&rows[0].f, true, true, (struct wall){ 0 });
	assert_true(got.no_mtls && got.rekey);
}

static void first_rung(void **state)
{
	(void)state;
	static const struct {
		struct ladder_facts f;
		enum ladder_rung want;
		const char *why;
	} rows[] = {
		{ { 0 }, LADDER_MTLS, "the certificate is valid" },
		{ { .no_name = true }, LADDER_MTLS, "the certificate is valid" },
		{ { .expired = true }, LADDER_TOKEN, "the certificate has expired" },
		{ { .no_mtls = true }, LADDER_TOKEN, "mTLS is switched off" },
		{ { .no_client_auth = true },
		  LADDER_TOKEN,
		  "the certificate must not be used as a TLS client's (no clientAuth)" },
		{ { .expired = true, .no_mtls = true, .no_client_auth = true }, LADDER_TOKEN, "mTLS is switched off" },
		{ { .expired = true, .no_name = true },
		  LADDER_END,
		  "a renew token needs the certificate's common name, and it has none" },
		{ { .no_mtls = true, .no_name = true },
		  LADDER_END,
		  "a renew token needs the certificate's common name, and it has none" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ladder_verdict v = ladder_first(&rows[i].f);
		assert_int_equal(v.rung, rows[i].want);
		assert_string_equal(v.why, rows[i].why);
	}
}

#define M LADDER_MTLS
#define T LADDER_TOKEN

static void next_rung(void **state)
{
	(void)state;
	static const struct {
		struct ladder_answer a;
		enum ladder_rung after_mtls, after_token;
	} rows[] = {
		{ { LADDER_UNREACHABLE, 0, 0, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_UNTRUSTED, 0, 0, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_LOCAL, 0, 0, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_BAD_ANSWER, 0, 201, true }, LADDER_END, LADDER_END },
		/* alerts */
		{ { LADDER_ALERT, 40, 0, false }, T, LADDER_LATER },            /* handshake_failure */
		{ { LADDER_ALERT, 42, 0, false }, T, LADDER_LATER },            /* bad_certificate: Go's word for all */
		{ { LADDER_ALERT, 43, 0, false }, T, LADDER_LATER },            /* unsupported_certificate */
		{ { LADDER_ALERT, 44, 0, false }, LADDER_END, LADDER_LATER },   /* certificate_revoked */
		{ { LADDER_ALERT, 45, 0, false }, T, LADDER_LATER },            /* certificate_expired */
		{ { LADDER_ALERT, 46, 0, false }, T, LADDER_LATER },            /* certificate_unknown */
		{ { LADDER_ALERT, 48, 0, false }, T, LADDER_LATER },            /* unknown_ca */
		{ { LADDER_ALERT, 49, 0, false }, T, LADDER_LATER },            /* access_denied */
		{ { LADDER_ALERT, 51, 0, false }, LADDER_END, LADDER_LATER },   /* decrypt_error */
		{ { LADDER_ALERT, 116, 0, false }, T, LADDER_END },             /* certificate_required */
		{ { LADDER_ALERT, 47, 0, false }, LADDER_LATER, LADDER_LATER }, /* illegal_parameter */
		{ { LADDER_ALERT, 70, 0, false }, LADDER_LATER, LADDER_LATER }, /* protocol_version */
		{ { LADDER_ALERT, 80, 0, false }, LADDER_LATER, LADDER_LATER }, /* internal_error */
		{ { LADDER_ALERT, 112, 0, false }, LADDER_LATER, LADDER_LATER }, /* unrecognized_name */
		{ { LADDER_ALERT, 0, 0, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ALERT, 255, 0, false }, LADDER_LATER, LADDER_LATER },
		/* answers of the CA */
		{ { LADDER_ANSWERED, 0, 400, true }, T, LADDER_END }, /* "missing client certificate" */
		{ { LADDER_ANSWERED, 0, 401, true }, LADDER_END, LADDER_END },
		{ { LADDER_ANSWERED, 0, 403, true }, LADDER_END, LADDER_END },
		{ { LADDER_ANSWERED, 0, 404, true }, LADDER_END, LADDER_END },
		{ { LADDER_ANSWERED, 0, 408, true }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 429, true }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 500, true }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 503, true }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 201, true }, LADDER_LATER, LADDER_LATER },
		/* pages of a proxy before it */
		{ { LADDER_ANSWERED, 0, 400, false }, T, LADDER_END },
		{ { LADDER_ANSWERED, 0, 401, false }, T, LADDER_END },
		{ { LADDER_ANSWERED, 0, 403, false }, T, LADDER_END },
		{ { LADDER_ANSWERED, 0, 404, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 302, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 200, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 502, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 0, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, -1, false }, LADDER_LATER, LADDER_LATER },
		{ { LADDER_ANSWERED, 0, 70000, true }, LADDER_LATER, LADDER_LATER },
	};
	const struct ladder_facts f = { 0 }, nameless = { .no_name = true };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ladder_verdict m = ladder_next(&f, M, &rows[i].a), t = ladder_next(&f, T, &rows[i].a);
		if (m.rung != rows[i].after_mtls || t.rung != rows[i].after_token)
			fail_msg("row %zu: %d, %d", i, m.rung, t.rung);
		assert_true(*m.why && *t.why);
		/* Without a common name there is no token. */
		m = ladder_next(&nameless, M, &rows[i].a);
		assert_int_equal(m.rung, rows[i].after_mtls == T ? LADDER_END : rows[i].after_mtls);
	}
}

/* From any first rung, by any answers, a climb takes two attempts at most, and ends with LATER or END. */
static void climbs_end(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 32; bits++)
		for (int net = 0; net < LADDER_NETS; net++)
			for (int code = -1; code <= 600; code++) {
				const struct ladder_facts f = { bits & 1, bits & 2, bits & 4, bits & 8, bits & 16 };
				const struct ladder_answer a = { (enum ladder_net)net, code, code, code % 2 };
				struct ladder_verdict v = ladder_first(&f);
				assert_int_not_equal(v.rung, LADDER_LATER);
				int attempts = 0;
				for (; v.rung == M || v.rung == T; attempts++)
					v = ladder_next(&f, v.rung, &a);
				assert_true(attempts <= 2);
				assert_int_equal(ladder_retry(v.rung),
				                 v.rung == LADDER_END ? RETRY_SELDOM : RETRY_SOON);
			}
}

static void says_why(void **state)
{
	(void)state;
	static const struct {
		struct ladder_facts f;
		enum ladder_rung tried;
		struct ladder_answer a;
		const char *why;
	} rows[] = {
		{ { 0 }, M, { LADDER_ANSWERED, 0, 401, true }, "the CA refuses" },
		{ { .expired = true },
		  T,
		  { LADDER_ANSWERED, 0, 401, true },
		  "the CA does not renew a certificate after its end (claim allowRenewalAfterExpiry), or not this "
		  "one" },
		{ { .expired = true }, T, { LADDER_ANSWERED, 0, 403, false }, "a proxy refuses" },
		{ { 0 },
		  M,
		  { LADDER_ANSWERED, 0, 400, true },
		  "the certificate did not reach the CA, as where a proxy ends TLS" },
		{ { 0 }, M, { LADDER_ALERT, 44, 0, false }, "the CA says that the certificate is revoked" },
		{ { 0 },
		  M,
		  { LADDER_UNTRUSTED, 0, 0, false },
		  "the CA cannot be trusted: look at the root and at the clock" },
		{ { 0 }, M, { LADDER_LOCAL, 0, 0, false }, "it has failed on this side" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(ladder_next(&rows[i].f, rows[i].tried, &rows[i].a).why, rows[i].why);
}

static void help(void **state)
{
	(void)state;
	struct san one[] = { { .type = SAN_DNS, .text = (char[]){ "a.example" } } };
	struct san more[] = { { .type = SAN_DNS, .text = (char[]){ "a.example" } },
		              { .type = SAN_DNS, .text = (char[]){ "*.example" } },
		              { .type = SAN_OTHER, .text = (char[]){ "otherName" } },
		              { .type = SAN_IP, .text = (char[]){ "::1" } } };
	struct san odd[] = { { .type = SAN_DNS, .text = (char[]){ "a\x1b[2J" } } };
	const struct san_list l1 = { one, 1 }, l3 = { more, COUNT_OF(more) }, lo = { odd, 1 };
	const struct {
		const char *name;
		const struct san_list *sans;
		const char *crt, *key, *want;
	} rows[] = {
		{ NULL, NULL, "a.crt", "a.key", "step ca certificate --force NAME a.crt a.key" },
		{ "a.example", NULL, "a.crt", "a.key", "step ca certificate --force a.example a.crt a.key" },
		{ "a.example", &l1, "a.crt", "a.key", "step ca certificate --force a.example a.crt a.key" },
		{ "b.example", &l1, "a.crt", "a.key",
		  "step ca certificate --force --san a.example b.example a.crt a.key" },
		{ "a.example", &l3, "my cert.crt", "it's.key",
		  "step ca certificate --force --san a.example --san '*.example' --san ::1 a.example 'my cert.crt' "
		  "'it'\\''s.key'" },
		{ "", &l1, "a.crt", "a.key", "step ca certificate --force --san a.example NAME a.crt a.key" },
		{ "a\nb", &lo, "a.crt", "a.key", "step ca certificate --force NAME a.crt a.key" },
		{ "--token=x", NULL, "a.crt", "a.key", "step ca certificate --force -- --token=x a.crt a.key" },
		{ "a", NULL, "-crt", "a.key", "step ca certificate --force -- a -crt a.key" },
		{ "$(id)", NULL, "a.crt", "a.key", "step ca certificate --force '$(id)' a.crt a.key" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		const struct cert_facts f = { .common_name = rows[i].name, .sans = rows[i].sans };
		ladder_help(rows[i].name ? &f : NULL, rows[i].crt, rows[i].key, &out);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts),      cmocka_unit_test(first_rung), cmocka_unit_test(next_rung),
		cmocka_unit_test(climbs_end), cmocka_unit_test(says_why),   cmocka_unit_test(help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
