#include "os/place.h"

#include "fail.h"
#include "scratch.h"

#include <errno.h>

static void lay_out(void)
{
	assert_int_equal(mkdir(in_scratch("a"), 0755), 0);
	assert_int_equal(mkdir(in_scratch("a/b"), 0755), 0);
	put_file(in_scratch("a/file"), "x", 0644);
	assert_int_equal(symlink("file", in_scratch("a/link")), 0);
	assert_int_equal(symlink("b/../link", in_scratch("a/chain")), 0);
	assert_int_equal(symlink("b", in_scratch("a/folder")), 0);
	assert_int_equal(symlink(in_scratch("a"), in_scratch("a/b/absolute")), 0);
	assert_int_equal(symlink("nothing", in_scratch("a/dangling")), 0);
	assert_int_equal(symlink("none/nothing", in_scratch("a/lost")), 0);
	assert_int_equal(symlink("loop", in_scratch("a/loop")), 0);
}

static void paths_lead_where_they_should(void **state)
{
	(void)state;
	lay_out();
	static const struct {
		const char *path, *want;
		bool exists;
	} cases[] = {
		{ "a/file", "a/file", true },         { "a//./b/../file", "a/file", true },
		{ "a/new", "a/new", false },          { "a/link", "a/file", true },
		{ "a/chain", "a/file", true },        { "a/folder/../file", "a/file", true },
		{ "a/folder/new", "a/b/new", false }, { "a/b/absolute/b/absolute/link", "a/file", true },
		{ "a/dangling", "a/nothing", false },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		AUTO(place_done) struct place p = PLACE_NONE;
		if (place_find(in_scratch(cases[i].path), PLACE_FOLLOW, &p, &e))
			fail_msg("%s", e.text);
		assert_string_equal(p.path, in_scratch(cases[i].want));
		assert_string_equal(p.name, strrchr(p.path, '/') + 1);
		assert_int_equal(p.exists, cases[i].exists);
		struct stat st;
		assert_int_equal(fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0, cases[i].exists);
	}
}

static void relative_paths_become_absolute(void **state)
{
	(void)state;
	lay_out();
	struct error e = ERROR_INIT;
	char was[PATH_MAX];
	assert_non_null(getcwd(was, sizeof was));
	assert_int_equal(chdir(in_scratch("a/b")), 0);
	AUTO(place_done) struct place up = PLACE_NONE, here = PLACE_NONE, gone = PLACE_NONE;
	assert_int_equal(place_find("../link", PLACE_FOLLOW, &up, &e), ST_OK);
	assert_string_equal(up.path, in_scratch("a/file"));
	assert_int_equal(place_find("new", PLACE_FOLLOW, &here, &e), ST_OK);
	assert_string_equal(here.path, in_scratch("a/b/new"));
	assert_int_equal(unlink("absolute"), 0);
	assert_int_equal(rmdir(in_scratch("a/b")), 0);
	assert_int_equal(place_find("new", PLACE_FOLLOW, &gone, &e), ST_IO);
	assert_int_equal(chdir("/"), 0);
	place_done(&gone);
	assert_int_equal(place_find("new-in-root", PLACE_FOLLOW, &gone, &e), ST_OK);
	assert_string_equal(gone.path, "/new-in-root");
	assert_int_equal(chdir(was), 0);
}

static void no(const char *path, enum place_links links, enum status want, const char *text)
{
	struct error e = ERROR_INIT;
	AUTO(place_done) struct place p = PLACE_NONE;
	unsigned fds = open_fds();
	enum status st = place_find(path, links, &p, &e);
	if (st != want || !strstr(e.text, text) || strncmp(e.text, "open ", 5) != 0)
		fail_msg("%s: %s: %s, wanted %s", path, status_name(st), e.text, text);
	assert_int_equal(p.dir, -1);
	assert_int_equal(open_fds(), fds);
}

static void bad_paths_are_refused(void **state)
{
	(void)state;
	lay_out();
	char name[300], path[PATH_MAX * 3];
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	memset(path, '/', sizeof path);
	path[sizeof path - 1] = '\0';
	no("", PLACE_FOLLOW, ST_MISSING, "no such file or directory");
	no("/", PLACE_FOLLOW, ST_INVALID, "is a directory");
	no(".", PLACE_FOLLOW, ST_INVALID, "is a directory");
	no(in_scratch("a"), PLACE_FOLLOW, ST_INVALID, "is a directory");
	no(in_scratch("a/folder"), PLACE_FOLLOW, ST_INVALID, "is a directory");
	no(in_scratch("a/file/"), PLACE_FOLLOW, ST_MISSING, "not a directory");
	no(in_scratch("a/file/x"), PLACE_FOLLOW, ST_MISSING, "not a directory");
	no(in_scratch("a/none/x"), PLACE_FOLLOW, ST_MISSING, "no such file or directory");
	no(in_scratch("a/lost"), PLACE_FOLLOW, ST_MISSING, "no such file or directory");
	no(in_scratch("a/loop"), PLACE_FOLLOW, ST_IO, "too many levels of symbolic links");
	no(in_scratch(name), PLACE_FOLLOW, ST_IO, "file name too long");
	no(in_scratch("a/link"), PLACE_NO_LINKS, ST_DENIED, "stands where none was");
	no(in_scratch("a/folder/new"), PLACE_NO_LINKS, ST_DENIED, "stands where none was");
	struct error e = ERROR_INIT;
	struct place p = PLACE_NONE;
	assert_int_equal(place_find(path, PLACE_FOLLOW, &p, &e), ST_LIMIT);
}

/* Who owns the link, who owns its folder and with which mode: what we follow. */
static void links_are_followed_only_where_nobody_could_plant_them(void **state)
{
	(void)state;
	NEEDS_ROOT();
	enum { ME = 0, OTHER = NOBODY, GROUP = 12345 };
	static const struct {
		uid_t link, folder;
		gid_t group;
		mode_t mode;
		const char *why; /* NULL: followed */
	} cases[] = {
		{ ME, ME, 0, 0755, NULL },
		{ ME, ME, 0, 0700, NULL },
		{ ME, ME, 0, 0775, NULL }, /* our own group */
		{ OTHER, ME, 0, 0755, "belongs to another user" },
		{ OTHER, OTHER, 0, 0755, "belongs to another user" },
		{ OTHER, ME, 0, 01777, "belongs to another user" },
		{ ME, ME, 0, 0777, "others may write" },
		{ ME, ME, 0, 01777, "others may write" },
		{ ME, ME, GROUP, 0775, "others may write" },
		{ ME, OTHER, 0, 0755, "others may write" },
	};
	lay_out();
	assert_int_equal(mkdir(in_scratch("trap"), 0755), 0);
	assert_int_equal(symlink("../a/file", in_scratch("trap/link")), 0);
	assert_int_equal(symlink("../a", in_scratch("trap/folder")), 0);
	static const char *const paths[] = { "trap/link", "trap/folder/file" };
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		const char *path = in_scratch(paths[i % 2]), *why = cases[i / 2].why;
		assert_int_equal(lchown(in_scratch("trap/link"), cases[i / 2].link, 0), 0);
		assert_int_equal(lchown(in_scratch("trap/folder"), cases[i / 2].link, 0), 0);
		assert_int_equal(chown(in_scratch("trap"), cases[i / 2].folder, cases[i / 2].group), 0);
		assert_int_equal(chmod(in_scratch("trap"), cases[i / 2].mode), 0);
		struct error e = ERROR_INIT;
		AUTO(place_done) struct place p = PLACE_NONE;
		enum status st = place_find(path, PLACE_FOLLOW, &p, &e);
		if (!why != !st)
			fail_msg("case %zu: %s", i / 2, e.text);
		if (!why)
			continue;
		assert_int_equal(st, ST_DENIED);
		assert_non_null(strstr(e.text, why));
		assert_non_null(strstr(e.text, path));
		assert_non_null(strstr(e.text, "name the file it points to"));
	}
	/* Another user may follow his own links and root's. */
	assert_int_equal(chown(scratch_dir, OTHER, 0), 0);
	assert_int_equal(chown(in_scratch("trap"), OTHER, 0), 0);
	assert_int_equal(chmod(in_scratch("trap"), 0755), 0);
	static const uid_t owners[] = { ME, OTHER, 4242 };
	for (size_t i = 0; i < COUNT_OF(owners); i++) {
		assert_int_equal(lchown(in_scratch("trap/link"), owners[i], 0), 0);
		struct error e = ERROR_INIT;
		AUTO(place_done) struct place p = PLACE_NONE;
		assert_int_equal(seteuid(OTHER), 0);
		enum status st = place_find(in_scratch("trap/link"), PLACE_FOLLOW, &p, &e);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(st, owners[i] == 4242 ? ST_DENIED : ST_OK);
	}
}

static void failing_calls_leak_nothing(void **state)
{
	(void)state;
	lay_out();
	static const unsigned kinds[] = { FAIL_ALLOC, FAIL_OPEN };
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (unsigned n = 1;; n++) {
			struct error e = ERROR_INIT;
			struct place p = PLACE_NONE;
			unsigned fds = open_fds();
			fail_arm(kinds[k], n, EMFILE);
			enum status st = place_find(in_scratch("a/b/absolute/chain"), PLACE_FOLLOW, &p, &e);
			if (!fail_disarm()) {
				assert_int_equal(st, ST_OK);
				place_done(&p);
				assert_true(n > 3);
				break;
			}
			assert_int_not_equal(st, ST_OK);
			assert_true(e.text[0]);
			assert_int_equal(open_fds(), fds);
		}
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(paths_lead_where_they_should), CASE(relative_paths_become_absolute),
		CASE(bad_paths_are_refused),        CASE(links_are_followed_only_where_nobody_could_plant_them),
		CASE(failing_calls_leak_nothing),
	};
	return cmocka_run_group_tests_name("os/place", tests, NULL, NULL);
}
