#include "base/wall.h"
#include "unit.h"

static void reads(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t s;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-23T10:51:57Z", 1795431117 },
		{ "2026-11-23t10:51:57z", 1795431117 },
		{ "2026-11-23T10:51:57.999999999Z", 1795431117 },
		{ "2026-11-23T11:51:57+01:00", 1795431117 },
		{ "2026-11-23T05:21:57-05:30", 1795431117 },
		{ "2000-02-29T12:00:00Z", 951825600 },
		{ "2100-02-28T23:59:59Z", 4107542399 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2016-12-31T23:59:60Z", 1483228799 }, /* a leap second */
		{ "0001-01-01T00:00:00Z", WALL_MIN_S },
		{ "9999-12-31T23:59:59Z", WALL_MAX_S },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct wall t;
		print_message("# row %zu\n", i);
		assert_int_equal(wall_parse_rfc3339(slice_cstr(rows[i].text), &t, &e), ST_OK);
		assert_int_equal(t.s, rows[i].s);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"2026-11-23",
		"2026-11-23T10:51:57",
		"2026-11-23 10:51:57Z",
		"2026-11-23T10:51Z",
		"2026-11-23T10:51:57Z ",
		" 2026-11-23T10:51:57Z",
		"2026-11-23T10:51:57.Z",
		"2026-11-23T10:51:57,5Z",
		"2026-11-23T10:51:57+0100",
		"2026-11-23T10:51:57+01",
		"2026-11-23T10:51:57+24:00",
		"2026-11-23T10:51:57+01:60",
		"2026-11-23T10:51:57*01:00",
		"2026-11-23T24:00:00Z",
		"2026-11-23T10:60:00Z",
		"2026-11-23T10:51:61Z",
		"2026-13-23T10:51:57Z",
		"2026-00-23T10:51:57Z",
		"2026-11-00T10:51:57Z",
		"2026-11-31T10:51:57Z",
		"2026-02-29T10:51:57Z",
		"2100-02-29T10:51:57Z",
		"1900-02-29T10:51:57Z",
		"0000-01-01T00:00:00Z",
		"+026-11-23T10:51:57Z",
		"2026-1-23T10:51:57Z",
		"12026-11-23T10:51:57Z",
		"1795431117",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct wall t = { 77 };
		print_message("# row %zu\n", i);
		assert_int_equal(wall_parse_rfc3339(slice_cstr(rows[i]), &t, &e), ST_INVALID);
		assert_int_equal(t.s, 77);
	}
}

static void prints(void **state)
{
	(void)state;
	char out[WALL_TEXT];
	struct wall t = { 1795431117 };
	assert_string_equal(wall_rfc3339(t, out), "2026-11-23T10:51:57Z");
	assert_string_equal(wall_go(t, out), "2026-11-23 10:51:57 +0000 UTC");
	assert_string_equal(wall_rfc3339((struct wall){ WALL_MIN_S }, out), "0001-01-01T00:00:00Z");
	assert_string_equal(wall_go((struct wall){ WALL_MAX_S }, out), "9999-12-31 23:59:59 +0000 UTC");
	/* far outside: the text is bounded */
	assert_in_range(strlen(wall_go((struct wall){ INT64_MAX }, out)), 20, WALL_TEXT - 1);
	assert_in_range(strlen(wall_go((struct wall){ INT64_MIN }, out)), 20, WALL_TEXT - 1);
}

/* Every day of the years 1 to 9999 comes back, in order, with the weekdays in turn. */
static void walks_the_calendar(void **state)
{
	(void)state;
	int weekday = 1; /* 0001-01-01 was a Monday */
	for (int64_t s = WALL_MIN_S; s <= WALL_MAX_S; s += 86400) {
		struct civil c = civil_of_wall((struct wall){ s });
		struct wall back;
		if (!wall_of_civil(&c, &back) || back.s != s || c.weekday != weekday)
			fail_msg("%d-%d-%d", c.year, c.month, c.day);
		weekday = (weekday + 1) % 7;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads), cmocka_unit_test(refuses),
					    cmocka_unit_test(prints), cmocka_unit_test(walks_the_calendar) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
