#include "agent/recordfile.h"

#include "scratch.h"

static const char *crt, *state_file;

static int make(void **state)
{
	scratch_make(state);
	crt = in_scratch("a.crt");
	state_file = in_scratch(".a.crt.state");
	put_file(crt, "x", 0644);
	return 0;
}

static void save_one(const char *state_dir)
{
	struct error e = ERROR_INIT;
	struct recordfile f;
	struct record r = RECORD_NONE;
	assert_int_equal(recordfile_load(crt, state_dir, &f, &r, &e), ST_OK);
	snprintf(r.cert.serial, sizeof r.cert.serial, "77");
	r.failures = 3;
	if (recordfile_save(&f, &r, &e))
		fail_msg("%s", e.text);
	assert_true(f.exists);
}

static void it_lies_beside_the_certificate(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct recordfile f;
	struct record r;
	assert_int_equal(recordfile_load(crt, NULL, &f, &r, &e), ST_OK);
	assert_false(f.exists);
	assert_string_equal(f.path, state_file);
	assert_string_equal(r.cert.serial, "");
	save_one(NULL);
	assert_int_equal(mode_of(state_file), 0600);
	assert_int_equal(recordfile_load(crt, NULL, &f, &r, &e), ST_OK);
	assert_true(f.exists);
	assert_string_equal(r.cert.serial, "77");
	assert_int_equal(r.failures, 3);
}

/* By whichever name: timer, cron and daemon meet. */
static void a_link_leads_to_the_same_record(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct recordfile f;
	struct record r;
	save_one(NULL);
	assert_int_equal(symlink(crt, in_scratch("link.crt")), 0);
	assert_int_equal(recordfile_load(in_scratch("link.crt"), NULL, &f, &r, &e), ST_OK);
	assert_string_equal(f.path, state_file);
	assert_string_equal(r.cert.serial, "77");
}

static void become(uid_t uid)
{
	assert_int_equal(seteuid(uid), 0);
}

static void without_a_right_to_the_folder_it_lies_in_the_state_folder(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const char *home = in_scratch("home");
	assert_int_equal(mkdir(home, 0700) | chown(home, NOBODY, NOBODY) | chmod(scratch_dir, 0755), 0);
	struct error e = ERROR_INIT;
	struct recordfile f;
	become(NOBODY);
	enum status none = recordfile_find(crt, NULL, &f, &e), some = recordfile_find(crt, home, &f, &e);
	if (!some)
		save_one(home);
	become(0);
	assert_int_equal(none, ST_IO);
	assert_int_equal(some, ST_OK);
	assert_memory_equal(f.path, home, strlen(home));
	assert_non_null(strstr(f.path, "/.a.crt."));
	assert_true(is_file(f.path));
	assert_int_equal(count_entries(home), 1);
}

static void what_is_not_to_be_trusted_is_not_read(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static const struct {
		mode_t mode;
		uid_t owner;
		bool second_name;
		enum status st;
		const char *text;
	} cases[] = {
		{ 0600, 0, false, ST_OK, "" },
		{ 0644, 0, false, ST_OK, "" },
		{ 0600, 77, false, ST_OK, "" }, /* the certificate's owner */
		{ 0600, 78, false, ST_DENIED, "it belongs to another user (user 78, mode 0600)" },
		{ 0620, 0, false, ST_DENIED, "others may have written it" },
		{ 0602, 0, false, ST_DENIED, "others may have written it" },
		{ 0600, 0, true, ST_DENIED, "others may have written it" },
	};
	assert_int_equal(chown(crt, 77, 77), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		struct recordfile f;
		struct record r;
		unlink(state_file);
		unlink(in_scratch("second"));
		save_one(NULL);
		assert_int_equal(chmod(state_file, cases[i].mode) | chown(state_file, cases[i].owner, 0), 0);
		if (cases[i].second_name)
			assert_int_equal(link(state_file, in_scratch("second")), 0);
		assert_int_equal(recordfile_load(crt, NULL, &f, &r, &e), cases[i].st);
		if (!strstr(e.text, cases[i].text))
			fail_msg("%zu: %s", i, e.text);
		assert_false(recordfile_owes(crt, NULL));
	}
	struct error e = ERROR_INIT;
	struct recordfile f;
	struct record r;
	unlink(state_file);
	assert_int_equal(symlink(in_scratch("second"), state_file), 0);
	assert_int_equal(recordfile_load(crt, NULL, &f, &r, &e), ST_DENIED);
}

static void what_is_broken_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum status st;
	} cases[] = {
		{ "", ST_INVALID }, { "{", ST_INVALID }, { "[]", ST_INVALID }, { "{\"version\": 99}", ST_CONFLICT }
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		struct recordfile f;
		struct record r;
		put_file(state_file, cases[i].text, 0600);
		assert_int_equal(recordfile_load(crt, NULL, &f, &r, &e), cases[i].st);
		assert_non_null(strstr(e.text, ".a.crt.state"));
		r = RECORD_NONE;
		assert_int_equal(recordfile_save(&f, &r, &e), ST_OK);
		assert_int_equal(recordfile_load(crt, NULL, &f, &r, &e), ST_OK);
	}
}

static void no_certificate_no_record(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct recordfile f;
	assert_int_equal(recordfile_find(in_scratch("none/a.crt"), NULL, &f, &e), ST_MISSING);
	assert_false(recordfile_owes(in_scratch("none/a.crt"), NULL));
	assert_int_equal(recordfile_find(in_scratch("new.crt"), NULL, &f, &e), ST_OK); /* it may come yet */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_lies_beside_the_certificate),
		CASE(a_link_leads_to_the_same_record),
		CASE(without_a_right_to_the_folder_it_lies_in_the_state_folder),
		CASE(what_is_not_to_be_trusted_is_not_read),
		CASE(what_is_broken_is_named),
		CASE(no_certificate_no_record),
	};
	return cmocka_run_group_tests_name("agent/recordfile", tests, NULL, NULL);
}
