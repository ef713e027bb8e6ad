#include "sample.h"
#include "config/cainit.h"
#include "config/defaults.h"
#include "tmpdir.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct path_row {
	const char *steppath, *home, *want;
} paths[] = {
	{ NULL, "/home/mo", "/home/mo/.step" },
	{ "", "/home/mo", "/home/mo/.step" },
	{ "/etc/step-ca", "/home/mo", "/etc/step-ca" },
	{ "./rel", NULL, "rel" },
	{ "a//b/./c/", NULL, "a/b/c" },
	{ "a/b/..", NULL, "a" },
	{ "a/../..", NULL, ".." },
	{ "../../a", NULL, "../../a" },
	{ "a/..", NULL, "." },
	{ ".", NULL, "." },
	{ "/", NULL, "/" },
	{ "//", NULL, "/" },
	{ "/..", NULL, "/" },
	{ "/../../a/../b", NULL, "/b" },
	{ "/a/../../b/", NULL, "/b" },
	{ "..a/..", NULL, "." },
	{ "a../..", NULL, "." },
	{ NULL, "/home/mo/", "/home/mo/.step" },
};

static void paths_are_cleaned(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		assert_ok(steppath_of(paths[i].steppath, paths[i].home, &out, &e));
		assert_string_equal(buf_cstr(&out), paths[i].want);
	}
}

static void without_home_there_is_no_path(void **state)
{
	(void)state;
	static const char *const homes[] = { NULL, "" };
	for (size_t i = 0; i < COUNT_OF(homes); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf out = BUF_INIT(4096);
		assert_int_equal(steppath_of(NULL, homes[i], &out, &e), ST_MISSING);
		assert_string_equal(e.text, "error obtaining home directory, please define environment variable HOME");
		assert_int_equal(out.n, 0);
	}
}

static void a_path_too_long_is_refused(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 20);
	char *path = malloc(10000);
	memset(path, 'a', 9999);
	path[9999] = '\0';
	assert_int_equal(steppath_of(path, NULL, &out, &e), ST_LIMIT);
	free(path);
}

static const struct value_row {
	const char *key, *want;
} values[] = {
	{ "ca-url", "https://ca.example:9000" },
	{ "force", "true" },
	{ "quiet", "false" },
	{ "size", "2048" },
	{ "big", "1000000" },
	{ "fraction", "0.5" },
	{ "whole", "4" },
	{ "empty", "" },
	{ "san", "a.example,b.example,7,true" },
	{ "none", "" },
	{ "null", NULL },
	{ "object", NULL },
	{ "mixed", NULL },
	{ "absent", NULL },
	{ "CA-URL", NULL },
	{ "context", NULL },
	{ "profile", NULL },
	{ "authority", NULL },
};

static void values_are_option_text(void **state)
{
	(void)state;
	static const char text[] =
		"{\"ca-url\":\"https://ca.example:9000\",\"force\":true,\"quiet\":false,\"size\":2048,\"big\":1000000,"
		"\"fraction\":0.5,\"whole\":4.0,\"empty\":\"\",\"san\":[\"a.example\",\"b.example\",7,true],\"none\":[]"
		","
		"\"null\":null,\"object\":{\"a\":1},\"mixed\":[\"a\",{}],\"context\":\"x\",\"authority\":\"y\","
		"\"profile\":\"z\"}";
	struct error e = ERROR_INIT;
	AUTO(defaults_done) struct defaults d = { 0 };
	assert_ok(defaults_parse(slice_cstr(text), "f", &d, &e));
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		const char *got = defaults_get(&d, values[i].key);
		if (!values[i].want)
			assert_null(got);
		else
			assert_string_equal(got, values[i].want);
	}
	assert_string_equal(d.notes, "cannot set 'context' attribute in config files\n"
	                             "cannot set 'authority' attribute in config files\n"
	                             "cannot set 'profile' attribute in config files");
}

static const struct bad_row {
	const char *text, *start;
} bad[] = {
	{ "", "failed loading context configuration: error parsing /x/defaults.json: " },
	{ "{", "failed loading context configuration: error parsing /x/defaults.json: " },
	{ "{\"a\":1,\"a\":2}", "failed loading context configuration: error parsing /x/defaults.json: " },
	{ "{} x", "failed loading context configuration: error parsing /x/defaults.json: " },
	{ "[]", "failed loading context configuration: error parsing /x/defaults.json: not a JSON object" },
	{ "null", "failed loading context configuration: error parsing /x/defaults.json: not a JSON object" },
};

static void a_broken_file_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error e = ERROR_INIT;
		struct defaults d = { 0 };
		assert_true(defaults_parse(slice_cstr(bad[i].text), "/x/defaults.json", &d, &e) != ST_OK);
		assert_memory_equal(e.text, bad[i].start, strlen(bad[i].start));
		assert_null(d.json);
	}
}

static void files_are_loaded(void **state)
{
	(void)state;
	char dir[TMPDIR_PATH], path[TMPDIR_PATH + 8];
	struct error e = ERROR_INIT;
	AUTO(defaults_done) struct defaults d = { 0 };
	tmpdir_make(dir);
	snprintf(path, sizeof path, "%s/d.json", dir);

	assert_ok(defaults_load(path, &d, &e)); /* missing: empty */
	assert_null(d.json);
	assert_null(defaults_get(&d, "root"));

	FILE *f = fopen(path, "w");
	fputs("{\"root\":\"r\"}", f);
	fclose(f);
	assert_ok(defaults_load(path, &d, &e));
	assert_string_equal(defaults_get(&d, "root"), "r");

	remove(path);
	mkdir(path, 0700);
	struct defaults none = { 0 };
	assert_true(defaults_load(path, &none, &e) != ST_OK); /* unreadable: said, not ignored */
	assert_non_null(strstr(e.text, path));
	rmdir(path);
	rmdir(dir);
}

static void what_init_and_bootstrap_write(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(4096);
	const struct defaults_draft all = { .ca_url = "https://localhost",
		                            .ca_config = "/s/config/ca.json",
		                            .fingerprint = "ab",
		                            .root = "/s/certs/root_ca.crt" };
	assert_ok(defaults_new_text(&all, DEFAULTS_INIT, &out, &e));
	assert_string_equal(buf_cstr(&out), "{\n\t\"ca-url\": \"https://localhost\",\n"
	                                    "\t\"ca-config\": \"/s/config/ca.json\",\n"
	                                    "\t\"fingerprint\": \"ab\",\n"
	                                    "\t\"root\": \"/s/certs/root_ca.crt\"\n}");
	buf_reset(&out);
	const struct defaults_draft some = { .ca_url = "https://h:9000", .fingerprint = "cd", .root = "/r" };
	assert_ok(defaults_new_text(&some, DEFAULTS_BOOTSTRAP, &out, &e));
	assert_string_equal(buf_cstr(&out), "{\n  \"ca-url\": \"https://h:9000\",\n  \"fingerprint\": \"cd\",\n"
	                                    "  \"root\": \"/r\"\n}");
	buf_reset(&out);
	const struct defaults_draft broken = { .root = "\xff" };
	assert_int_equal(defaults_new_text(&broken, DEFAULTS_INIT, &out, &e), ST_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_cleaned),
		cmocka_unit_test(without_home_there_is_no_path),
		cmocka_unit_test(a_path_too_long_is_refused),
		cmocka_unit_test(values_are_option_text),
		cmocka_unit_test(a_broken_file_is_named),
		cmocka_unit_test(files_are_loaded),
		cmocka_unit_test(what_init_and_bootstrap_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
