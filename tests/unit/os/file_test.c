#include "os/file.h"

#include "fail.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>

static void files_are_read_whole_and_errors_read_as_the_peers(void **state)
{
	(void)state;
	put_file(in_scratch("file"), "0123456789", 0644);
	put_file(in_scratch("empty"), "", 0644);
	static const struct {
		const char *name;
		size_t max;
		enum status st;
		const char *text; /* content, or the error behind the path */
	} cases[] = {
		{ "file", 100, ST_OK, "0123456789" },
		{ "file", 10, ST_OK, "0123456789" },
		{ "empty", 0, ST_OK, "" },
		{ "file", 9, ST_LIMIT, "read %s failed: larger than 9 bytes" },
		{ "file", 0, ST_LIMIT, "read %s failed: larger than 0 bytes" },
		{ "none", 10, ST_MISSING, "open %s failed: no such file or directory" },
		{ "file/x", 10, ST_IO, "open %s failed: not a directory" },
		{ ".", 10, ST_IO, "read %s failed: is a directory" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf b = BUF_INIT(cases[i].max);
		assert_int_equal(file_read(in_scratch(cases[i].name), &b, &e), cases[i].st);
		if (!cases[i].st) {
			assert_string_equal(buf_cstr(&b), cases[i].text);
			continue;
		}
		char want[sizeof e.text], name[PATH_MAX];
		snprintf(name, sizeof name, "%s", in_scratch(cases[i].name));
		const char *at = strstr(cases[i].text, "%s");
		snprintf(want, sizeof want, "%.*s%s%s", (int)(at - cases[i].text), cases[i].text, name, at + 2);
		assert_string_equal(e.text, want);
	}
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf b = BUF_INIT(10);
	assert_int_equal(file_read(in_scratch("none"), &b, &e), ST_MISSING);
	assert_int_equal(e.os, ENOENT);
	assert_true(file_exists(in_scratch("file")));
	assert_false(file_exists(in_scratch("none")));
}

static void pipes_and_standard_input_are_read(void **state)
{
	(void)state;
	int p[2], was = dup(STDIN_FILENO);
	assert_int_equal(pipe(p), 0);
	static char big[20000];
	memset(big, 'x', sizeof big);
	assert_int_equal(write(p[1], big, sizeof big), sizeof big);
	close(p[1]);
	assert_true(dup2(p[0], STDIN_FILENO) >= 0);
	close(p[0]);
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf b = BUF_INIT(sizeof big);
	assert_int_equal(file_read("-", &b, &e), ST_OK);
	assert_int_equal(b.n, sizeof big);
	if (was >= 0) {
		dup2(was, STDIN_FILENO);
		close(was);
	}
}

static void passwords_lose_white_space_at_their_end_only(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} cases[] = { { "p4ss\n", "p4ss" }, { " p4 ss \t\r\n\n", " p4 ss" }, { "\n", "" }, { "", "" }, { "p", "p" } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf b = BUF_INIT(100);
		put_file(in_scratch("file"), cases[i].text, 0600);
		assert_int_equal(file_read_password(in_scratch("file"), &b, &e), ST_OK);
		assert_true(b.secret);
		assert_string_equal(buf_cstr(&b), cases[i].want);
	}
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf b = BUF_INIT(100);
	assert_int_equal(file_read_password(in_scratch("none"), &b, &e), ST_MISSING);
}

static void a_file_is_made_and_replaced(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	const char *path = in_scratch("file");
	mode_t was = umask(077);
	assert_int_equal(file_replace(path, SLICE_LIT("one"), 0644, &e), ST_OK);
	umask(was);
	assert_string_equal(get_file(path), "one");
	assert_int_equal(mode_of(path), 0644);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(file_replace(path, SLICE_LIT("number two"), 0600, &e), ST_OK);
	assert_string_equal(get_file(path), "number two");
	assert_int_equal(mode_of(path), 0640);
	assert_int_equal(file_replace(path, SLICE_NONE, 0600, &e), ST_OK);
	assert_string_equal(get_file(path), "");
	assert_int_equal(symlink("file", in_scratch("link")), 0);
	assert_int_equal(file_replace(in_scratch("link"), SLICE_LIT("three"), 0600, &e), ST_OK);
	assert_string_equal(get_file(in_scratch("file")), "three");
	struct stat st;
	assert_int_equal(lstat(in_scratch("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(count_entries(scratch_dir), 2);
}

static void bad_targets_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum status st;
		const char *text;
	} cases[] = {
		{ ".", ST_INVALID, "failed: is a directory" },
		{ "none/file", ST_MISSING, "failed: no such file or directory" },
		{ "fifo", ST_INVALID, "failed: not a regular file" },
	};
	assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		assert_int_equal(file_replace(in_scratch(cases[i].name), SLICE_LIT("x"), 0600, &e), cases[i].st);
		assert_non_null(strstr(e.text, cases[i].text));
		assert_int_equal(strncmp(e.text, "open ", 5), 0);
	}
	assert_int_equal(count_entries(scratch_dir), 1);
}

static void a_failed_replace_leaves_the_old_file(void **state)
{
	(void)state;
	static const struct {
		unsigned kind;
		int os;
	} faults[] = { { FAIL_ALLOC, ENOMEM },
		       { FAIL_WRITE, ENOSPC },
		       { FAIL_SYNC, EIO },
		       { FAIL_RENAME, EIO },
		       { FAIL_OPEN, EMFILE } };
	for (size_t f = 0; f < COUNT_OF(faults); f++) {
		for (unsigned n = 1;; n++) {
			struct error e = ERROR_INIT;
			put_file(in_scratch("file"), "old", 0640);
			unsigned fds = open_fds();
			fail_arm(faults[f].kind, n, faults[f].os);
			enum status st = file_replace(in_scratch("file"), SLICE_LIT("new"), 0600, &e);
			bool hit = fail_disarm();
			assert_int_equal(open_fds(), fds);
			const char *now = get_file(in_scratch("file"));
			assert_true(strcmp(now, "new") == 0 || (st && strcmp(now, "old") == 0));
			assert_int_equal(mode_of(in_scratch("file")), 0640);
			assert_int_equal(count_entries(scratch_dir), 1);
			if (!hit) {
				assert_int_equal(st, ST_OK);
				assert_true(n > 1);
				break;
			}
		}
	}
	/* Where no rename is possible the file is written where it is. */
	static const int no_rename[] = { EBUSY, EXDEV, EPERM, EACCES };
	for (size_t i = 0; i < COUNT_OF(no_rename); i++) {
		struct error e = ERROR_INIT;
		struct stat was, now;
		put_file(in_scratch("file"), "a longer old text", 0640);
		assert_int_equal(stat(in_scratch("file"), &was), 0);
		fail_arm(FAIL_RENAME, 1, no_rename[i]);
		assert_int_equal(file_replace(in_scratch("file"), SLICE_LIT("new"), 0600, &e), ST_OK);
		assert_true(fail_disarm());
		assert_int_equal(stat(in_scratch("file"), &now), 0);
		assert_int_equal(now.st_ino, was.st_ino);
		assert_string_equal(get_file(in_scratch("file")), "new");
		assert_int_equal(count_entries(scratch_dir), 1);
	}
}

static void kill_before_rename(void)
{
	struct error e = ERROR_INIT;
	pid_t child = fork();
	if (child == 0) {
		fail_arm_kill(FAIL_RENAME, 1);
		_exit(file_replace(in_scratch("file"), SLICE_LIT("lost"), 0600, &e) ? 1 : 0);
	}
	int how;
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_int_equal(WEXITSTATUS(how), 137);
}

static void make_old(const char *name)
{
	const struct timespec then[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	assert_int_equal(utimensat(AT_FDCWD, in_scratch(name), then, 0), 0);
}

static void what_a_killed_replace_left_is_swept_when_it_is_old(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	char left[NAME_MAX + 1] = "";
	static const char other[] = ".other.0123456789abcdef.0123456789ab.tmp";
	put_file(in_scratch("file"), "old", 0600);
	put_file(in_scratch(other), "", 0600);
	make_old(other);
	kill_before_rename();
	DIR *d = opendir(scratch_dir);
	assert_non_null(d);
	for (struct dirent *f; (f = readdir(d));)
		if (!strncmp(f->d_name, ".file.", 6))
			snprintf(left, sizeof left, "%s", f->d_name);
	closedir(d);
	assert_true(left[0]);

	/* It could be somebody's who is about to rename it. */
	assert_int_equal(file_replace(in_scratch("file"), SLICE_LIT("new"), 0600, &e), ST_OK);
	assert_true(file_exists(in_scratch(left)));
	make_old(left);
	assert_int_equal(file_replace(in_scratch("file"), SLICE_LIT("newer"), 0600, &e), ST_OK);
	assert_false(file_exists(in_scratch(left)));
	assert_true(file_exists(in_scratch(other)));
	assert_string_equal(get_file(in_scratch("file")), "newer");
	assert_int_equal(count_entries(scratch_dir), 2);
}

static void folders_are_made_with_their_mode(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	mode_t was = umask(0777);
	enum status st = file_mkdirs(in_scratch("a//b/./c/"), 0750, &e);
	umask(was);
	assert_int_equal(st, ST_OK);
	static const char *const made[] = { "a", "a/b", "a/b/c" };
	for (size_t i = 0; i < COUNT_OF(made); i++)
		assert_int_equal(mode_of(in_scratch(made[i])), 0750);
	assert_int_equal(file_mkdirs(in_scratch("a/b"), 0700, &e), ST_OK);
	assert_int_equal(mode_of(in_scratch("a/b")), 0750);
	assert_int_equal(file_mkdirs("/", 0700, &e), ST_OK);
	put_file(in_scratch("file"), "", 0600);
	assert_int_equal(file_mkdirs(in_scratch("file"), 0700, &e), ST_IO);
	assert_non_null(strstr(e.text, "not a directory"));
	assert_int_not_equal(file_mkdirs(in_scratch("file/x"), 0700, &e), ST_OK);
	assert_int_equal(file_mkdirs("", 0700, &e), ST_IO);
}

static void a_broken_pipe_is_told(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, SLICE_LIT("x"), "standard output", &e), ST_IO);
	assert_string_equal(e.text, "write standard output failed: no space left on device");
	assert_int_equal(fd_write_all(fd, SLICE_NONE, "standard output", &e), ST_OK);
	close(fd);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(files_are_read_whole_and_errors_read_as_the_peers),
		CASE(pipes_and_standard_input_are_read),
		CASE(passwords_lose_white_space_at_their_end_only),
		CASE(a_file_is_made_and_replaced),
		CASE(bad_targets_are_refused),
		CASE(a_failed_replace_leaves_the_old_file),
		CASE(what_a_killed_replace_left_is_swept_when_it_is_old),
		CASE(folders_are_made_with_their_mode),
		CASE(a_broken_pipe_is_told),
	};
	return cmocka_run_group_tests_name("os/file", tests, NULL, NULL);
}
