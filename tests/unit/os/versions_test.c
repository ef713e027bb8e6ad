#include "os/versions.h"
#include "fail.h"

#include "os/auto.h"
#include "os/file.h"
#include "os/filetx.h"
#include "scratch.h"

#include <errno.h>

static const struct target_dress plain;

static void write_text(const char *name, const char *text)
{
	FILE *f = fopen(in_scratch(name), "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

static const char *text_of(const char *name)
{
	static char text[FILE_BYTES];
	FILE *f = fopen(in_scratch(name), "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return f ? text : NULL;
}

static const char *link_of(const char *name)
{
	static char to[PATH_MAX];
	ssize_t n = readlink(in_scratch(name), to, sizeof to - 1);
	to[n > 0 ? n : 0] = '\0';
	return to;
}

static mode_t bits_of(const char *name)
{
	struct stat st;
	assert_int_equal(stat(in_scratch(name), &st), 0);
	return st.st_mode & 07777;
}

static size_t count(const char *name)
{
	AUTO(closedir_p) DIR *d = opendir(in_scratch(name));
	size_t n = 0;
	for (struct dirent *f; d && (f = readdir(d));)
		n += strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0;
	return n;
}

static void make_dir(const char *name)
{
	struct error e = ERROR_INIT;
	if (versions_make(in_scratch(name), &plain, &e))
		fail_msg("%s", e.text);
}

enum { CRT, KEY };

/* A transaction for DIR/current/crt and key; the second content NULL: as it is. */
static enum status write_pair(const char *dir, const char *crt, const char *key, size_t keep, struct error *e)
{
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	char paths[2][PATH_MAX];
	bool recovered;
	snprintf(paths[CRT], PATH_MAX, "%s/current/crt", in_scratch(dir));
	snprintf(paths[KEY], PATH_MAX, "%s/current/key", in_scratch(dir));
	const struct filetx_file files[] = { { .path = paths[CRT], .mode = 0644 },
		                             { .path = paths[KEY], .mode = 0600 } };
	enum status st = filetx_open(files, 2, NULL, true, &tx, &recovered, e);
	if (st)
		return st;
	filetx_keep(tx, keep);
	st = filetx_stage(tx, CRT, slice_cstr(crt), e);
	if (!st && key)
		st = filetx_stage(tx, KEY, slice_cstr(key), e);
	return st ? st : filetx_commit(tx, e);
}

static void wrote(const char *dir, const char *crt, const char *key)
{
	struct error e = ERROR_INIT;
	if (write_pair(dir, crt, key, VERSIONS_KEEP, &e))
		fail_msg("%s", e.text);
}

static void files_change_together(void **state)
{
	(void)state;
	struct stat old, now;
	make_dir("a");
	make_dir("a"); /* and once more does nothing */
	assert_string_equal(link_of("a/current"), "versions/000000");
	assert_int_equal(bits_of("a"), 0700);
	wrote("a", "crt 1", "key 1");
	assert_string_equal(link_of("a/current"), "versions/000001");
	assert_string_equal(text_of("a/current/crt"), "crt 1");
	assert_int_equal(bits_of("a/current/crt"), 0644);
	assert_int_equal(bits_of("a/current/key"), 0600);
	/* Who has opened the folder goes on reading what belongs together. */
	AUTO(fd_close_p) int reader = open(in_scratch("a/current"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	write_text("a/current/extra", "kept");
	wrote("a", "crt 2", "key 2");
	assert_int_equal(fstatat(reader, "key", &old, 0), 0);
	assert_string_equal(text_of("a/versions/000001/key"), "key 1");
	assert_string_equal(text_of("a/versions/000001/crt"), "crt 1");
	assert_string_equal(text_of("a/current/key"), "key 2");
	assert_string_equal(text_of("a/current/extra"), "kept");
	/* A renewal leaves the key; modes are kept. */
	assert_int_equal(chmod(in_scratch("a/current/key"), 0640), 0);
	assert_int_equal(chmod(in_scratch("a/current"), 0750), 0);
	assert_int_equal(stat(in_scratch("a/current/key"), &old), 0);
	wrote("a", "crt 3", NULL);
	assert_int_equal(stat(in_scratch("a/current/key"), &now), 0);
	assert_int_equal(now.st_ino, old.st_ino);
	assert_string_equal(text_of("a/current/crt"), "crt 3");
	assert_int_equal(bits_of("a/current"), 0750);
	wrote("a", "crt 4", "key 4");
	assert_int_equal(bits_of("a/current/key"), 0640);
	assert_int_equal(bits_of("a/current/crt"), 0644);
	assert_string_equal(text_of("a/versions/000003/key"), "key 2");
	assert_int_equal(count("a"), 2); /* no lock, nothing temporary */
}

/* Whatever fails, current is there, with what belongs together. Returns how many calls of the kind there are. */
static unsigned fail_each(unsigned kind, const char *dir)
{
	make_dir(dir);
	wrote(dir, "crt 0", "key 0");
	char crt[32], key[32], was[16] = "0", name[2][64];
	snprintf(name[CRT], sizeof name[CRT], "%s/current/crt", dir);
	snprintf(name[KEY], sizeof name[KEY], "%s/current/key", dir);
	for (unsigned at = 1;; at++) {
		struct error e = ERROR_INIT;
		snprintf(crt, sizeof crt, "crt %u", at);
		snprintf(key, sizeof key, "key %u", at);
		fail_arm(kind, at, EIO);
		enum status st = write_pair(dir, crt, key, VERSIONS_KEEP, &e);
		bool hit = fail_disarm();
		const char *now = text_of(name[CRT]);
		assert_non_null(now);
		if (!strcmp(now, crt))
			snprintf(was, sizeof was, "%u", at);
		else
			assert_int_not_equal(st, ST_OK);
		assert_string_equal(now + 4, was);
		assert_string_equal(text_of(name[KEY]) + 4, was);
		if (!hit)
			return at - 1;
	}
}

static void a_failed_call_leaves_current_whole(void **state)
{
	(void)state;
	assert_true(fail_each(FAIL_RENAME, "failing") > 2);
	/* No test can cut the power: both files, their folder, that of the versions, and that of the link. */
	assert_int_equal(fail_each(FAIL_SYNC, "unsynced"), 5);
}

static void what_was_not_committed_is_gone(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	bool recovered;
	make_dir("b");
	wrote("b", "crt 1", "key 1");
	/* what kill -9 leaves: before the switch, behind the new name, in the middle of pruning */
	assert_int_equal(mkdir(in_scratch("b/versions/.0123456789ab.new"), 0700), 0);
	write_text("b/versions/.0123456789ab.new/key", "key 2");
	assert_int_equal(mkdir(in_scratch("b/versions/.0123456789ab.old"), 0700), 0);
	assert_int_equal(mkdir(in_scratch("b/versions/000002"), 0700), 0);
	assert_int_equal(symlink("versions/000002", in_scratch("b/.current.0123456789ab.new")), 0);
	/* and what is somebody else's */
	assert_int_equal(mkdir(in_scratch("b/versions/mine"), 0700), 0);
	assert_int_equal(mkdir(in_scratch("b/versions/.0123456789ab.new.bak"), 0700), 0);
	write_text("b/.current.new", "mine");
	const struct filetx_file file = { .path = in_scratch("b/current/crt"), .mode = 0600 };
	struct filetx *tx = NULL;
	assert_int_equal(filetx_open(&file, 1, NULL, true, &tx, &recovered, &e), ST_OK);
	assert_false(recovered);
	assert_int_equal(filetx_stage(tx, 0, SLICE_LIT("never"), &e), ST_OK);
	filetx_close(tx);
	assert_string_equal(text_of("b/current/crt"), "crt 1");
	assert_null(text_of("b/versions/.0123456789ab.new/key"));
	assert_int_equal(count("b/versions"), 5); /* 000000 .. 000002 and two that are not ours */
	assert_int_equal(count("b"), 3);
	/* The next version's number is none that was there. */
	wrote("b", "crt 3", "key 3");
	assert_string_equal(link_of("b/current"), "versions/000003");
	assert_string_equal(text_of("b/.current.new"), "mine");
}

static void old_versions_go(void **state)
{
	(void)state;
	static const struct {
		size_t keep, want;
	} rows[] = { { 1, 2 }, { 2, 3 }, { 3, 4 }, { 1000, 11 } };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char dir[16], all[32];
		struct error e = ERROR_INIT;
		snprintf(dir, sizeof dir, "c%zu", i);
		snprintf(all, sizeof all, "%s/versions", dir);
		make_dir(dir);
		for (int k = 1; k <= 10; k++)
			assert_int_equal(write_pair(dir, "crt", "key", rows[i].keep, &e), ST_OK);
		assert_int_equal(count(all), rows[i].want);
	}
	/* Somebody went back to an older one: that is the one which is replaced, and which stays. */
	struct error e = ERROR_INIT;
	make_dir("d");
	for (int k = 1; k <= 4; k++)
		wrote("d", "crt", "key");
	assert_int_equal(unlink(in_scratch("d/current")), 0);
	assert_int_equal(symlink("versions/000002", in_scratch("d/current")), 0);
	assert_int_equal(write_pair("d", "crt 5", "key 5", 1, &e), ST_OK);
	assert_string_equal(link_of("d/current"), "versions/000005");
	assert_int_equal(count("d/versions"), 2);
	assert_string_equal(text_of("d/versions/000002/crt"), "crt");
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	bool recovered;
	struct filetx *tx = NULL;
	make_dir("e");
	wrote("e", "crt 1", "key 1");
	write_text("e/versions/plain", "");
	wrote("e", "crt 2", "key 2");
	write_text("outside", "");
	char crt[PATH_MAX], other[PATH_MAX];
	snprintf(crt, sizeof crt, "%s", in_scratch("e/current/crt"));
	snprintf(other, sizeof other, "%s", in_scratch("outside"));
	/* another file elsewhere, or in an old version; or the old version by its name */
	const struct filetx_file two[] = { { .path = crt, .mode = 0600 }, { .path = other, .mode = 0600 } };
	assert_int_equal(filetx_open(two, 2, NULL, true, &tx, &recovered, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "with which all files change at once: name it "));
	snprintf(other, sizeof other, "%s", in_scratch("e/versions/000001/key"));
	assert_int_equal(filetx_open(two, 2, NULL, true, &tx, &recovered, &e), ST_INVALID);
	const struct filetx_file old = { .path = other, .mode = 0600 };
	assert_int_equal(filetx_open(&old, 1, NULL, true, &tx, &recovered, &e), ST_INVALID);
	/* but what lies aside may be in DIR */
	const struct filetx_file aside[] = { { .path = crt, .mode = 0600 },
		                             { .path = in_scratch("e/.record"), .mode = 0600, .aside = true } };
	assert_int_equal(filetx_open(aside, 2, NULL, true, &tx, &recovered, &e), ST_OK);
	assert_int_equal(filetx_stage(tx, 1, SLICE_LIT("r"), &e), ST_OK);
	assert_int_equal(filetx_commit(tx, &e), ST_OK);
	filetx_close(tx);
	assert_string_equal(text_of("e/.record"), "r");
	assert_string_equal(link_of("e/current"), "versions/000002"); /* nothing in it has changed */
	/* a folder, too many files */
	assert_int_equal(mkdir(in_scratch("e/current/sub"), 0700), 0);
	assert_int_equal(write_pair("e", "crt 3", "key 3", 3, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "/e/current/sub is a folder"));
	assert_int_equal(rmdir(in_scratch("e/current/sub")), 0);
	for (int i = 0; i < VERSIONS_FILES; i++) {
		char name[64];
		snprintf(name, sizeof name, "e/current/more%d", i);
		write_text(name, "");
	}
	assert_int_equal(write_pair("e", "crt 3", "key 3", 3, &e), ST_LIMIT);
	assert_string_equal(text_of("e/current/crt"), "crt 2");
	assert_int_equal(count("e"), 3); /* current, versions, .record */
}

static void a_directory_that_others_write_in_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	assert_int_equal(mkdir(in_scratch("f"), 0700), 0);
	assert_int_equal(chmod(in_scratch("f"), 0777), 0);
	assert_int_equal(versions_make(in_scratch("f"), &plain, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "others may write in it"));
	assert_int_equal(count("f"), 0);
	/* also where it was made so afterwards, by its path with and without the link */
	make_dir("g");
	wrote("g", "crt 1", "key 1");
	assert_int_equal(chmod(in_scratch("g"), 0777), 0);
	assert_int_equal(write_pair("g", "crt 2", "key 2", 3, &e), ST_DENIED);
	bool recovered;
	struct filetx *tx = NULL;
	const struct filetx_file direct = { .path = in_scratch("g/versions/000001/crt"), .mode = 0600 };
	assert_int_equal(filetx_open(&direct, 1, NULL, true, &tx, &recovered, &e), ST_DENIED);
	/* or the folder in it; a version that others may write in is followed by one that they may not */
	assert_int_equal(chmod(in_scratch("g"), 0700), 0);
	assert_int_equal(chmod(in_scratch("g/versions"), 0777), 0);
	assert_int_equal(write_pair("g", "crt 2", "key 2", 3, &e), ST_DENIED);
	assert_non_null(strstr(e.text, "g/versions is not used"));
	assert_int_equal(count("g/versions"), 2);
	assert_int_equal(chmod(in_scratch("g/versions"), 0700), 0);
	assert_int_equal(chmod(in_scratch("g/current"), 0777), 0);
	wrote("g", "crt 2", "key 2");
	assert_int_equal(bits_of("g/current"), 0755);
	/* something else has the name */
	assert_int_equal(mkdir(in_scratch("h"), 0700), 0);
	write_text("h/current", "a file");
	assert_int_equal(versions_make(in_scratch("h"), &plain, &e), ST_CONFLICT);
	assert_int_equal(unlink(in_scratch("h/current")), 0);
	assert_int_equal(symlink("/etc", in_scratch("h/current")), 0);
	assert_int_equal(versions_make(in_scratch("h"), &plain, &e), ST_CONFLICT);
}

/* A folder that looks like it and is not one: plain files, as ever. */
static void numbers_alone_make_no_versions(void **state)
{
	(void)state;
	static const char *const links[] = {
		NULL,         "/etc",         "versions",      "versions/",
		"versions/x", "versions/7/8", "../versions/7", "versions/0000000000000007"
	};
	for (size_t i = 0; i < COUNT_OF(links); i++) {
		char dir[16], name[64];
		AUTO(place_done) struct place p = PLACE_NONE;
		struct error e = ERROR_INIT;
		char lead[PATH_MAX];
		snprintf(dir, sizeof dir, "n%zu", i);
		snprintf(name, sizeof name, "%s/versions/7", dir);
		assert_int_equal(file_mkdirs(in_scratch(name), 0700, &e), ST_OK);
		snprintf(name, sizeof name, "%s/current", dir);
		if (links[i])
			assert_int_equal(symlink(links[i], in_scratch(name)), 0);
		snprintf(name, sizeof name, "%s/versions/7/crt", dir);
		write_text(name, "x");
		assert_int_equal(place_find(in_scratch(name), PLACE_FOLLOW, &p, &e), ST_OK);
		assert_false(versions_lead(&p, lead));
	}
}

/* The next number has one digit more than a version's name may have. */
static void a_number_without_a_next_one_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	make_dir("k");
	wrote("k", "crt 1", "key 1");
	assert_int_equal(mkdir(in_scratch("k/versions/999999999999999"), 0700), 0);
	assert_int_equal(write_pair("k", "crt 2", "key 2", 3, &e), ST_LIMIT);
	assert_non_null(strstr(e.text, "k/versions/999999999999999 leaves no number"));
	assert_string_equal(link_of("k/current"), "versions/000001");
	assert_int_equal(rmdir(in_scratch("k/versions/999999999999999")), 0);
	wrote("k", "crt 2", "key 2");
	assert_string_equal(link_of("k/current"), "versions/000002");
}

static void a_group_is_let_in(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	const struct target_dress group = { .has_group = true, .group = getegid(), .has_mode = true, .mode = 0640 };
	const struct target_dress world = { .has_mode = true, .mode = 0644 };
	assert_int_equal(versions_make(in_scratch("i"), &group, &e), ST_OK);
	assert_int_equal(bits_of("i"), 0750);
	assert_int_equal(bits_of("i/versions"), 0750);
	assert_int_equal(bits_of("i/current"), 0750);
	/* later, by the dress of a file */
	make_dir("j");
	wrote("j", "crt 1", "key 1");
	bool recovered;
	struct filetx *tx = NULL;
	const struct filetx_file file = { .path = in_scratch("j/current/crt"), .mode = 0600, .dress = world };
	assert_int_equal(filetx_open(&file, 1, NULL, true, &tx, &recovered, &e), ST_OK);
	assert_int_equal(filetx_stage(tx, 0, SLICE_LIT("crt 2"), &e), ST_OK);
	assert_int_equal(filetx_commit(tx, &e), ST_OK);
	filetx_close(tx);
	assert_int_equal(bits_of("j"), 0755);
	assert_int_equal(bits_of("j/current"), 0755);
	assert_int_equal(bits_of("j/current/crt"), 0644);
	assert_int_equal(bits_of("j/current/key"), 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_change_together),
		cmocka_unit_test(a_failed_call_leaves_current_whole),
		cmocka_unit_test(what_was_not_committed_is_gone),
		cmocka_unit_test(old_versions_go),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(a_directory_that_others_write_in_is_refused),
		cmocka_unit_test(numbers_alone_make_no_versions),
		cmocka_unit_test(a_number_without_a_next_one_is_refused),
		cmocka_unit_test(a_group_is_let_in),
	};
	return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
