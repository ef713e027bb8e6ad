#include "os/journal.h"

#include "scratch.h"

static const struct journal sample = {
	.n = 3,
	.entry = { { .path = SLICE_LIT("/etc/x/a b\n.crt"),
	             .mode = 0644,
	             .was = JOURNAL_KNOWN,
	             .old = SLICE_LIT("old\n\0!"),
	             .new = SLICE_LIT("new") },
	           { .path = SLICE_LIT("/k"),
	             .mode = 0600,
	             .was = JOURNAL_ABSENT,
	             .new = SLICE_LIT(""),
	             .dress = { .has_group = true, .group = 33, .has_mode = true, .mode = 0640 } },
	           { .path = SLICE_LIT("/u"), .mode = 0, .was = JOURNAL_UNKNOWN, .new = SLICE_LIT("end 0\n") } },
};

static void what_is_written_is_read(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(JOURNAL_MAX);
	journal_format(&text, &sample);
	struct journal j;
	assert_int_equal(journal_parse(buf_slice(&text), &j, &e), ST_OK);
	assert_int_equal(j.n, sample.n);
	for (size_t i = 0; i < j.n; i++) {
		const struct journal_entry *a = &j.entry[i], *b = &sample.entry[i];
		assert_true(slice_eq(a->path, b->path) && slice_eq(a->old, b->old) && slice_eq(a->new, b->new));
		assert_int_equal(a->mode, b->mode);
		assert_int_equal(a->was, b->was);
		assert_memory_equal(&a->dress, &b->dress, sizeof a->dress);
	}
}

/* The words behind the path's length: none, or three of which one says something. */
static void dresses(void **state)
{
	(void)state;
	static const struct {
		const char *words;
		bool good;
		struct target_dress d;
	} rows[] = {
		{ "", true, { 0 } },
		{ " 0 - -", true, { .has_owner = true } },
		{ " 4294967294 33 0777", true, { true, true, true, 4294967294u, 33, 0777 } },
		{ " - - 0000", true, { .has_mode = true } },
		{ " - - -", false, { 0 } },
		{ " -", false, { 0 } },
		{ " - 33", false, { 0 } },
		{ " - 33 0640 1", false, { 0 } },
		{ " 4294967295 - -", false, { 0 } },
		{ " -1 - -", false, { 0 } },
		{ " - - 4755", false, { 0 } },
		{ " - - 640", false, { 0 } },
		{ " root - -", false, { 0 } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct journal j;
		AUTO(buf_done) struct buf text = BUF_INIT(1024);
		buf_addf(&text, "perennial-journal 1\nfiles 1\nfile 0600 - 1 2%s\n/k\n\nx\n", rows[i].words);
		uint64_t sum = UINT64_C(0xcbf29ce484222325);
		for (size_t k = 0; k < text.n; k++)
			sum = (sum ^ text.p[k]) * UINT64_C(0x100000001b3);
		buf_addf(&text, "end %016llx\n", (unsigned long long)sum);
		enum status st = journal_parse(buf_slice(&text), &j, &e);
		if ((st == ST_OK) != rows[i].good)
			fail_msg("'%s': %d", rows[i].words, st);
		if (!st)
			assert_memory_equal(&j.entry[0].dress, &rows[i].d, sizeof rows[i].d);
	}
}

static void every_damage_is_seen(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(JOURNAL_MAX);
	journal_format(&text, &sample);
	struct journal j;
	for (size_t n = 0; n < text.n; n++)
		assert_int_equal(journal_parse(slice_of(text.p, n), &j, &e), ST_INVALID);
	for (size_t i = 0; i < text.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			text.p[i] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(journal_parse(buf_slice(&text), &j, &e), ST_OK);
			text.p[i] ^= (uint8_t)(1u << bit);
		}
	}
	buf_addc(&text, '\n');
	assert_int_equal(journal_parse(buf_slice(&text), &j, &e), ST_INVALID);
}

/* The sum is right, the values are not. */
static void impossible_values_are_refused(void **state)
{
	(void)state;
	static const struct slice paths[] = { SLICE_LIT("k"), SLICE_LIT("/"), SLICE_LIT(""), SLICE_LIT("/a\0b"),
		                              SLICE_LIT("etc/x") };
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct error e = ERROR_INIT;
		struct journal j = { .n = 1, .entry = { { .path = paths[i], .new = SLICE_LIT("x") } } };
		AUTO(buf_done) struct buf text = BUF_INIT(JOURNAL_MAX);
		journal_format(&text, &j);
		assert_int_equal(journal_parse(buf_slice(&text), &j, &e), ST_INVALID);
	}
	static const char *const heads[] = {
		"",
		"\n",
		"perennial-journal",
		"perennial-journal 1\nfiles 0\n",
		"perennial-journal 1\nfiles 9\n",
		"x 1\n",
		"perennial-journal 1\nfiles 1 1\n",
		"perennial-journal 1\nfiles -1\n",
	};
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		struct error e = ERROR_INIT;
		struct journal j;
		assert_int_equal(journal_parse(slice_cstr(heads[i]), &j, &e), ST_INVALID);
	}
	struct error e = ERROR_INIT;
	struct journal j;
	assert_int_equal(journal_parse(SLICE_LIT("perennial-journal 2\n"), &j, &e), ST_CONFLICT);
	/* Nothing at all, and more files than there is room for. */
	AUTO(buf_done) struct buf text = BUF_INIT(JOURNAL_MAX);
	j = (struct journal){ 0 };
	journal_format(&text, &j);
	assert_int_equal(journal_parse(buf_slice(&text), &j, &e), ST_INVALID);
}

static void a_file_stands_as_old_new_or_other(void **state)
{
	(void)state;
	static const struct {
		const char *old, *new, *now; /* NULL: no file */
		enum journal_stand want;
	} cases[] = {
		{ "old", "new", "old", JOURNAL_IS_OLD },        { "old", "new", "new", JOURNAL_IS_NEW },
		{ "old", "new", "nld", JOURNAL_IS_OLD },        { "old", "new", "ne", JOURNAL_IS_OLD },
		{ "old", "new", "", JOURNAL_IS_OLD },           { "old", "new", "other", JOURNAL_IS_OTHER },
		{ "old", "new", "oth", JOURNAL_IS_OTHER },      { "old", "newer", "newe", JOURNAL_IS_OLD },
		{ "old", "newer", "newer!", JOURNAL_IS_OTHER }, { "old", "newer", "older", JOURNAL_IS_OLD },
		{ "older", "new", "newer", JOURNAL_IS_OLD },    { "old", "new", NULL, JOURNAL_IS_OTHER },
		{ NULL, "new", NULL, JOURNAL_IS_OLD },          { NULL, "new", "new", JOURNAL_IS_NEW },
		{ NULL, "new", "ne", JOURNAL_IS_OTHER },        { "same", "same", "same", JOURNAL_IS_NEW },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct journal_entry j = { .was = cases[i].old ? JOURNAL_KNOWN : JOURNAL_ABSENT,
			                         .old = slice_cstr(cases[i].old),
			                         .new = slice_cstr(cases[i].new) };
		enum journal_stand is = journal_judge(&j, cases[i].now, cases[i].now, slice_cstr(cases[i].now));
		if (is != cases[i].want)
			fail_msg("case %zu: %d", i, is);
	}
	const struct journal_entry j = { .was = JOURNAL_KNOWN, .old = SLICE_LIT("old"), .new = SLICE_LIT("new") };
	const struct journal_entry unknown = { .was = JOURNAL_UNKNOWN, .new = SLICE_LIT("new") };
	assert_int_equal(journal_judge(&j, true, true, SLICE_LIT("n\0\0")), JOURNAL_IS_OLD);
	assert_int_equal(journal_judge(&j, true, false, SLICE_NONE), JOURNAL_IS_OLD);
	assert_int_equal(journal_judge(&unknown, true, true, SLICE_LIT("anything")), JOURNAL_IS_OLD);
	assert_int_equal(journal_judge(&unknown, true, true, SLICE_LIT("new")), JOURNAL_IS_NEW);
	assert_int_equal(journal_judge(&unknown, false, false, SLICE_NONE), JOURNAL_IS_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(dresses),
		cmocka_unit_test(every_damage_is_seen),
		cmocka_unit_test(impossible_values_are_refused),
		cmocka_unit_test(a_file_stands_as_old_new_or_other),
	};
	return cmocka_run_group_tests_name("os/journal", tests, NULL, NULL);
}
