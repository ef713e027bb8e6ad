#include "decide.h"

#define M DURATION_MIN
#define H DURATION_H

static void merges(void **state)
{
	(void)state;
	static const struct {
		struct claims base;
		struct claims_patch patch;
		int64_t min, max, dflt;
	} rows[] = {
		/* nothing given */
		{ { 5 * M, 24 * H, 24 * H }, { 0 }, 5 * M, 24 * H, 24 * H },
		/* each alone */
		{ { 5 * M, 24 * H, 24 * H }, { .has_min = true, .v.min_ns = 10 * M }, 10 * M, 24 * H, 24 * H },
		{ { 5 * M, 24 * H, 24 * H }, { .has_max = true, .v.max_ns = 48 * H }, 5 * M, 48 * H, 24 * H },
		{ { 5 * M, 24 * H, 24 * H }, { .has_default = true, .v.default_ns = 8 * H }, 5 * M, 24 * H, 8 * H },
		/* the bound follows the default, up and down, and at the edges does not move */
		{ { 5 * M, 24 * H, 24 * H }, { .has_default = true, .v.default_ns = 48 * H }, 5 * M, 48 * H, 48 * H },
		{ { 5 * M, 24 * H, 24 * H }, { .has_default = true, .v.default_ns = 1 * M }, 1 * M, 24 * H, 1 * M },
		{ { 5 * M, 24 * H, 24 * H }, { .has_default = true, .v.default_ns = 5 * M }, 5 * M, 24 * H, 5 * M },
		{ { 5 * M, 24 * H, 24 * H },
		  { .has_default = true, .v.default_ns = 24 * H + 1 },
		  5 * M,
		  24 * H + 1,
		  24 * H + 1 },
		/* the bound that is not given follows, beside one that is */
		{ { 5 * M, 24 * H, 24 * H },
		  { .has_default = true, .has_max = true, .v.default_ns = 1 * M, .v.max_ns = 2 * M },
		  1 * M,
		  2 * M,
		  1 * M },
		/* all three */
		{ { 5 * M, 24 * H, 24 * H },
		  { .has_min = true, .has_max = true, .has_default = true, .v = { 1 * H, 3 * H, 2 * H } },
		  1 * H,
		  3 * H,
		  2 * H },
		/* what is not given is not read */
		{ { 5 * M, 24 * H, 24 * H }, { .v = { -1, -1, -1 } }, 5 * M, 24 * H, 24 * H },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct claims c;
		assert_ok(claims_merge(&rows[i].base, &rows[i].patch, &c, &e));
		assert_int_equal(c.min_ns, rows[i].min);
		assert_int_equal(c.max_ns, rows[i].max);
		assert_int_equal(c.default_ns, rows[i].dflt);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		struct claims_patch patch;
		const char *why;
	} rows[] = {
		{ { .has_min = true }, "minTLSCertDuration: must be more than 0" },
		{ { .has_min = true, .v.min_ns = -1 }, "minTLSCertDuration: must be more than 0" },
		{ { .has_max = true, .v.max_ns = 0 }, "maxTLSCertDuration: must be more than 0" },
		{ { .has_max = true, .v.max_ns = -H }, "maxTLSCertDuration: must be more than 0" },
		{ { .has_default = true, .has_min = true, .v.min_ns = 1 },
		  "defaultTLSCertDuration: must be more than 0" },
		{ { .has_default = true, .has_min = true, .v = { 1, 0, -5 } },
		  "defaultTLSCertDuration: must be more than 0" },
		{ { .has_min = true, .v.min_ns = 25 * H },
		  "minTLSCertDuration: 25h0m0s is more than maxTLSCertDuration (24h0m0s)" },
		{ { .has_max = true, .v.max_ns = 1 * M },
		  "minTLSCertDuration: 5m0s is more than maxTLSCertDuration (1m0s)" },
		{ { .has_max = true, .v.max_ns = 23 * H },
		  "defaultTLSCertDuration: 24h0m0s is more than maxTLSCertDuration (23h0m0s)" },
		{ { .has_default = true, .v.default_ns = -1 }, "defaultTLSCertDuration: must be more than 0" },
		{ { .has_min = true, .has_default = true, .v = { 2 * H, 0, 1 * H } },
		  "minTLSCertDuration: 2h0m0s is more than defaultTLSCertDuration (1h0m0s)" },
		{ { .has_max = true, .has_default = true, .v = { 0, 2 * H, 3 * H } },
		  "defaultTLSCertDuration: 3h0m0s is more than maxTLSCertDuration (2h0m0s)" },
		{ { .has_after_expiry_ns = true, .v.renewal_after_expiry_ns = -1 },
		  "renewalAfterExpiry: must not be negative" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct claims c = { .min_ns = 77 };
		assert_int_equal(claims_merge(&claims_builtin, &rows[i].patch, &c, &e), ST_INVALID);
		assert_string_equal(e.text, rows[i].why);
		assert_int_equal(c.min_ns, 77);
	}
}

static void flags(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct claims base = claims_builtin, c;
	struct claims_patch all = { .has_disable_renewal = true,
		                    .has_after_expiry = true,
		                    .has_disable_extensions = true,
		                    .has_after_expiry_ns = true };

	assert_int_equal(base.min_ns, 5 * M);
	assert_int_equal(base.max_ns, 24 * H);
	assert_int_equal(base.default_ns, 24 * H);
	assert_false(base.disable_renewal || base.allow_renewal_after_expiry || base.disable_extensions);
	all.v = (struct claims){ .disable_renewal = true,
		                 .allow_renewal_after_expiry = true,
		                 .disable_extensions = true,
		                 .renewal_after_expiry_ns = H };
	assert_ok(claims_merge(&base, &all, &c, &e));
	assert_true(c.disable_renewal && c.allow_renewal_after_expiry && c.disable_extensions);
	assert_int_equal(c.renewal_after_expiry_ns, H);
	/* inherited where not given, overridden by false where given */
	base = c;
	assert_ok(claims_merge(&base, &(struct claims_patch){ 0 }, &c, &e));
	assert_true(c.disable_renewal && c.allow_renewal_after_expiry && c.disable_extensions);
	assert_int_equal(c.renewal_after_expiry_ns, H);
	all.v = (struct claims){ 0 };
	assert_ok(claims_merge(&base, &all, &c, &e));
	assert_false(c.disable_renewal || c.allow_renewal_after_expiry || c.disable_extensions);
	assert_int_equal(c.renewal_after_expiry_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges),
		cmocka_unit_test(refuses),
		cmocka_unit_test(flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
