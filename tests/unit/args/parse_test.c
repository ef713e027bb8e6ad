#include "sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "fail.h"

enum { WORDS = 16 };

static int count(const char *const argv[])
{
	int n = 0;
	while (argv[n])
		n++;
	return n;
}

/* main()'s argv is not const, and ours is */
static char **words(const char *const argv[])
{
	return (char **)(uintptr_t)argv;
}

#define W(...)                                                                                                         \
	{                                                                                                              \
		__VA_ARGS__, NULL                                                                                      \
	}

/* ---- which command ---- */

static void finds_the_command(void **state)
{
	(void)state;
	static const struct {
		const char *argv[WORDS];
		const char *path; /* NULL: no such topic */
		bool help;
		const char *text;
	} rows[] = {
		{ W("ca", "renew", "a", "b"), "ca renew", false, NULL },
		{ W("--config", "x", "ca", "--config=y", "renew"), "ca renew", false, NULL },
		{ W("--config", "ca", "path"), "path", false, NULL },
		{ { NULL }, "", false, NULL },
		{ W("--version"), "", false, NULL },
		{ W("ca"), "ca", true, NULL },
		{ W("help"), "", true, NULL },
		{ W("h"), "", true, NULL },
		{ W("help", "ca", "renew"), "ca renew", true, NULL },
		{ W("h", "ca"), "ca", true, NULL },
		{ W("ca", "help", "renew"), "ca renew", true, NULL },
		{ W("ca", "h"), "ca", true, NULL },
		{ W("ca", "renew", "-h"), "ca renew", true, NULL },
		{ W("ca", "renew", "a", "--help", "b", "c"), "ca renew", true, NULL },
		{ W("ca", "-h", "renew"), "ca", true, NULL },
		{ W("-h"), "", true, NULL },
		{ W("ca", "-h", "nosuch"), "ca", true, NULL },
		{ W("help", "help"), "help", true, NULL },
		{ W("help", "ca", "renew", "extra"), "ca renew", true, NULL },
		/* not help: a positional argument, a value, behind the dashes */
		{ W("ca", "renew", "help"), "ca renew", false, NULL },
		{ W("path", "help"), "path", false, NULL },
		{ W("ca", "renew", "--token", "-h"), "ca renew", false, NULL },
		{ W("ca", "renew", "--", "-h"), "ca renew", false, NULL },
		{ W("nosuch"), NULL, false, "No help topic for 'nosuch'" },
		{ W("ca", "nosuch"), NULL, false, "No help topic for 'nosuch'" },
		{ W("nosuch", "renew"), NULL, false, "No help topic for 'nosuch'" },
		{ W("help", "nosuch"), NULL, false, "No help topic for 'step nosuch'" },
		{ W("help", "ca", "nosuch"), NULL, false, "No help topic for 'step ca nosuch'" },
		{ W("renew", "ca"), NULL, false, "No help topic for 'renew'" },
		{ W(""), NULL, false, "No help topic for ''" },
		{ W("ca renew"), NULL, false, "No help topic for 'ca renew'" },
		{ W("CA"), NULL, false, "No help topic for 'CA'" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct args_target t = { 0 };
		enum status st = args_find(&sample_set, count(rows[i].argv), words(rows[i].argv), &t, &e);
		print_message("# row %zu %s\n", i, e.text);
		if (!rows[i].path) {
			assert_int_equal(st, ST_MISSING);
			assert_string_equal(e.text, rows[i].text);
			continue;
		}
		assert_int_equal(st, ST_OK);
		assert_string_equal(t.command->path, rows[i].path);
		assert_int_equal(t.help, rows[i].help);
	}
}

/* ---- values ---- */

struct source {
	const char *env[4][2], *defaults[4][2];
};

#define NOWHERE                                                                                                        \
	{                                                                                                              \
		.env = { { NULL } }                                                                                    \
	}

static const char *look(const char *const (*pairs)[2], const char *name)
{
	for (size_t i = 0; i < 4; i++)
		if (pairs[i][0] && !strcmp(pairs[i][0], name))
			return pairs[i][1];
	return NULL;
}

static const char *from_env(void *ctx, const char *name)
{
	return look(((const struct source *)ctx)->env, name);
}

static const char *from_defaults(void *ctx, const char *name)
{
	return look(((const struct source *)ctx)->defaults, name);
}

static enum status parse(const char *const argv[], struct source *s, struct args *ret, struct error *e)
{
	struct args_source src = { NULL, from_env, from_defaults, s };
	return args_parse(&sample_set, sample_renew, count(argv), words(argv), s ? &src : NULL, ret, e);
}

/* One line that says all that was parsed. */
static const char *told(const struct args *a, char out[512])
{
	const struct renew_args *v = a->values;
	const struct sample_globals *g = a->globals;
	size_t n = 0;
#define TELL(...) n += (size_t)snprintf(out + n, 512 - n, __VA_ARGS__)
	for (size_t i = 0; i < a->pos_n; i++)
		TELL("%s ", a->pos[i]);
	if (v->force)
		TELL("force ");
	if (v->bundle)
		TELL("bundle ");
	if (v->out)
		TELL("out=%s ", v->out);
	if (v->token)
		TELL("token=%s ", v->token);
	if (v->format)
		TELL("format=%s ", v->format);
	if (v->ca_url)
		TELL("ca-url=%s ", v->ca_url);
	for (size_t i = 0; i < v->san.n; i++)
		TELL("san=%s ", v->san.v[i]);
	if (v->size.set)
		TELL("size=%lld ", (long long)v->size.v);
	if (v->before.set)
		TELL("before=%llds ", (long long)(v->before.ns / DURATION_S));
	if (g->config)
		TELL("config=%s ", g->config);
	out[n ? n - 1 : 0] = '\0';
	return out;
}

static void reads_values(void **state)
{
	(void)state;
	static const struct {
		const char *argv[WORDS];
		struct source source;
		const char *want;
	} rows[] = {
		{ W("ca", "renew", "a", "b"), NOWHERE, "a b" },
		{ W("ca", "renew", "--force", "a", "b"), NOWHERE,
		  "a b force" }, /* a flag does not take the next word */
		{ W("ca", "renew", "a", "--force", "b"), NOWHERE, "a b force" },
		{ W("ca", "renew", "a", "b", "-f"), NOWHERE, "a b force" },
		{ W("ca", "renew", "-force", "a", "b"), NOWHERE, "a b force" },
		{ W("ca", "renew", "--f", "a", "b"), NOWHERE, "a b force" },
		{ W("ca", "renew", "--force=false", "a", "b"), NOWHERE, "a b" },
		{ W("ca", "renew", "--force", "--force=0", "a", "b"), NOWHERE, "a b" }, /* the last one wins */
		{ W("ca", "renew", "-f=T", "a", "b"), NOWHERE, "a b force" },
		{ W("ca", "renew", "a", "b", "--out", "x"), NOWHERE, "a b out=x" },
		{ W("ca", "renew", "a", "b", "-out=x=y"), NOWHERE, "a b out=x=y" },
		{ W("ca", "renew", "a", "b", "-output-file", "--force"), NOWHERE, "a b out=--force" },
		{ W("ca", "renew", "a", "b", "--out="), NOWHERE, "a b out=" },
		{ W("ca", "renew", "a", "b", "--out=1", "--out=2"), NOWHERE, "a b out=2" },
		{ W("ca", "renew", "--", "--force", "-"), NOWHERE, "--force -" },
		{ W("ca", "renew", "-", "--"), NOWHERE, NULL },
		{ W("ca", "renew", "-", "a"), NOWHERE, "- a" },
		{ W("ca", "renew", "a", "b", "--san", "x,y", "--san=z"), NOWHERE, "a b san=x,y san=z" },
		{ W("ca", "renew", "a", "b", "--size", "-12"), NOWHERE, "a b size=-12" },
		{ W("ca", "renew", "a", "b", "--expires-in", "1h30m"), NOWHERE, "a b before=5400s" },
		{ W("ca", "renew", "a", "b", "--format=json"), NOWHERE, "a b format=json" },
		{ W("--config", "c", "ca", "renew", "a", "b"), NOWHERE, "a b config=c" },
		{ W("ca", "renew", "a", "b", "--config=d"), NOWHERE, "a b config=d" },
		{ W("ca", "renew", "ca", "renew"), NOWHERE, "ca renew" },
		{ W("ca", "renew", "a", "b", "--bundle"), NOWHERE, "a b bundle" },
		/* precedence: line, environment, defaults */
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_OUT", "e" } }, .defaults = { { "out", "d" } } },
		  "a b out=e" },
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_OUT", "" } }, .defaults = { { "out", "d" } } },
		  "a b out=" },
		{ W("ca", "renew", "a", "b"), { .defaults = { { "out", "d" } } }, "a b out=d" },
		{ W("ca", "renew", "a", "b"), { .defaults = { { "output-file", "d" } } }, "a b out=d" },
		{ W("ca", "renew", "a", "b", "--out=l"), { .env = { { "STEP_OUT", "e" } } }, "a b out=l" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_CA_URL", "u" } } }, "a b ca-url=u" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_CONFIG", "u" } } }, "a b config=u" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_OUTPUT_FILE", "u" } } }, "a b" }, /* first name only */
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_F", "1" } } }, "a b force" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_FORCE", "true" } } }, "a b force" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_F", "0" }, { "STEP_FORCE", "1" } } }, "a b" },
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_F", "" } }, .defaults = { { "force", "true" } } },
		  "a b" },
		{ W("ca", "renew", "a", "b", "--force=false"), { .defaults = { { "force", "true" } } }, "a b" },
		{ W("ca", "renew", "a", "b"), { .defaults = { { "f", "true" } } }, "a b force" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_SAN", "x, y,,z" } } }, "a b san=x san=y san= san=z" },
		{ W("ca", "renew", "a", "b"), { .defaults = { { "san", "x,y" } } }, "a b san=x san=y" },
		{ W("ca", "renew", "a", "b", "--san=l"), { .env = { { "STEP_SAN", "x" } } }, "a b san=l" },
		{ W("ca", "renew", "a", "b"), { .env = { { "STEP_FORMAT", "" } } }, "a b format=" },
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_BUNDLE", "1" } }, .defaults = { { "bundle", "true" } } },
		  "a b" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(args_done) struct args a = { 0 };
		char got[512];
		struct source source = rows[i].source;
		enum status st = parse(rows[i].argv, &source, &a, &e);
		print_message("# row %zu %s\n", i, e.text);
		if (!rows[i].want) {
			assert_int_equal(st, ST_INVALID);
			continue;
		}
		assert_int_equal(st, ST_OK);
		assert_string_equal(told(&a, got), rows[i].want);
		assert_null(a.pos[a.pos_n]);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *argv[WORDS];
		struct source source;
		enum status st;
		const char *text;
	} rows[] = {
		{ W("ca", "renew", "-bogus"), NOWHERE, ST_USAGE, "flag provided but not defined: -bogus" },
		{ W("ca", "renew", "a", "b", "--bogus=x"), NOWHERE, ST_USAGE, "flag provided but not defined: -bogus" },
		{ W("ca", "renew", "a", "b", "--tokne=topsecret"), NOWHERE, ST_USAGE,
		  "flag provided but not defined: -tokne" },
		{ W("ca", "renew", "--Force", "a", "b"), NOWHERE, ST_USAGE, "flag provided but not defined: -Force" },
		{ W("ca", "renew", "-fx", "a", "b"), NOWHERE, ST_USAGE, "flag provided but not defined: -fx" },
		{ W("ca", "renew", "-5", "a", "b"), NOWHERE, ST_USAGE, "flag provided but not defined: -5" },
		{ W("ca", "renew", "a", "b", "--token"), NOWHERE, ST_USAGE, "flag needs an argument: -token" },
		{ W("ca", "renew", "a", "b", "-out"), NOWHERE, ST_USAGE, "flag needs an argument: -out" },
		{ W("ca", "renew", "---out", "a"), NOWHERE, ST_USAGE, "bad flag syntax: ---out" },
		{ W("ca", "renew", "--=x", "a"), NOWHERE, ST_USAGE, "bad flag syntax: --" },
		{ W("ca", "renew", "-=topsecret", "a"), NOWHERE, ST_USAGE, "bad flag syntax: -" },
		{ W("ca", "renew", "--out", "a", "--output-file", "b"), NOWHERE, ST_USAGE,
		  "Cannot use two forms of the same flag: output-file out" },
		{ W("ca", "renew", "--output-file", "a", "--out", "b"), NOWHERE, ST_USAGE,
		  "Cannot use two forms of the same flag: output-file out" },
		{ W("ca", "renew", "--force", "-f"), NOWHERE, ST_USAGE,
		  "Cannot use two forms of the same flag: force f" },
		{ W("ca", "renew", "--force=maybe", "a", "b"), NOWHERE, ST_USAGE,
		  "invalid boolean value \"maybe\" for -force: parse error" },
		{ W("ca", "renew", "-f=", "a", "b"), NOWHERE, ST_USAGE,
		  "invalid boolean value \"\" for -f: parse error" },
		{ W("ca", "renew", "-f=tRue", "a", "b"), NOWHERE, ST_USAGE,
		  "invalid boolean value \"tRue\" for -f: parse error" },
		{ W("ca", "renew", "--size", "abc", "a", "b"), NOWHERE, ST_USAGE,
		  "invalid value \"abc\" for flag -size: parse error" },
		{ W("ca", "renew", "--size", "99999999999999999999", "a", "b"), NOWHERE, ST_USAGE,
		  "invalid value \"99999999999999999999\" for flag -size: parse error" },
		{ W("ca", "renew", "--size=", "a", "b"), NOWHERE, ST_USAGE,
		  "invalid value \"\" for flag -size: parse error" },
		{ W("ca", "renew", "--expires-in", "1d", "a", "b"), NOWHERE, ST_INVALID,
		  "invalid value '1d' for flag '--expires-in'" },
		{ W("ca", "renew", "--expires-in=5", "a", "b"), NOWHERE, ST_INVALID,
		  "invalid value '5' for flag '--expires-in'" },
		{ W("ca", "renew", "--format", "yaml", "a", "b"), NOWHERE, ST_INVALID,
		  "invalid value 'yaml' for flag '--format'; options are text, json, pem" },
		{ W("ca", "renew", "--format", "text json", "a", "b"), NOWHERE, ST_INVALID,
		  "invalid value 'text json' for flag '--format'; options are text, json, pem" },
		{ W("ca", "renew", "--format=", "a", "b"), NOWHERE, ST_INVALID,
		  "invalid value '' for flag '--format'; options are text, json, pem" },
		{ W("ca", "renew", "--format=js", "a", "b"), NOWHERE, ST_INVALID,
		  "invalid value 'js' for flag '--format'; options are text, json, pem" },
		{ W("ca", "renew"), NOWHERE, ST_INVALID,
		  "not enough positional arguments were provided in 'step ca renew <crt-file> <key-file>'" },
		{ W("ca", "renew", "a"), NOWHERE, ST_INVALID,
		  "not enough positional arguments were provided in 'step ca renew <crt-file> <key-file>'" },
		{ W("ca", "renew", "a", "b", "c"), NOWHERE, ST_INVALID,
		  "too many positional arguments were provided in 'step ca renew <crt-file> <key-file>'" },
		{ W("ca", "renew", "a\n\x1b[2Jb", "b", "-\n"), NOWHERE, ST_USAGE, "flag provided but not defined: -?" },
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_F", "X" } } },
		  ST_USAGE,
		  "could not parse X as bool value for flag f,force: invalid syntax" },
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_SIZE", "big" } } },
		  ST_USAGE,
		  "could not parse big as int value for flag size: invalid syntax" },
		{ W("ca", "renew", "a", "b"),
		  { .env = { { "STEP_FORMAT", "X" } } },
		  ST_INVALID,
		  "invalid value 'X' for flag '--format'; options are text, json, pem" },
		{ W("ca", "renew", "a", "b"),
		  { .defaults = { { "force", "yes" } } },
		  ST_INVALID,
		  "invalid value 'yes' for flag '--force' in defaults.json" },
		{ W("ca", "renew", "a", "b"),
		  { .defaults = { { "size", "[1 2]" } } },
		  ST_INVALID,
		  "invalid value '[1 2]' for flag '--size' in defaults.json" },
		{ W("ca", "renew", "a", "b"),
		  { .defaults = { { "expires-in", "4" } } },
		  ST_INVALID,
		  "invalid value '4' for flag '--expires-in'" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		struct args a = { .pos_n = 77 };
		struct source source = rows[i].source;
		enum status st = parse(rows[i].argv, &source, &a, &e);
		print_message("# row %zu %s\n", i, e.text);
		assert_int_equal(st, rows[i].st);
		assert_string_equal(e.text, rows[i].text);
		assert_int_equal(a.pos_n, 77); /* untouched */
	}
}

/* A row whose choices are checked may be a secret: then the error does not hold what was typed. */
static void hides_secrets(void **state)
{
	(void)state;
	static const struct opt rows[] = {
		OPT_STR(struct renew_args, token, .name = "token", .choices = "a b", .flags = OPT_SECRET),
		OPT_INT(struct renew_args, size, .name = "pin", .flags = OPT_SECRET),
		OPT_DURATION(struct renew_args, before, .name = "span", .flags = OPT_SECRET), OPT_END
	};
	static const struct command c = { .path = "", .opts = rows, .args_size = sizeof(struct renew_args) };
	static const char *const lines[][2] = { { "--token=hunter2" }, { "--pin=hunter2" }, { "--span=hunter2" } };
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct error e = ERROR_INIT;
		AUTO(args_done) struct args a = { 0 };
		assert_int_not_equal(args_parse(&sample_set, &c, 1, words(lines[i]), NULL, &a, &e), ST_OK);
		assert_null(strstr(e.text, "hunter2"));
		assert_non_null(strstr(e.text, "not shown"));
	}
	struct source sources[] = { { .env = { { "STEP_PIN", "hunter2" } } },
		                    { .defaults = { { "pin", "hunter2" } } } };
	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		struct error e = ERROR_INIT;
		AUTO(args_done) struct args a = { 0 };
		struct args_source src = { NULL, from_env, from_defaults, &sources[i] };
		assert_int_not_equal(args_parse(&sample_set, &c, 0, NULL, &src, &a, &e), ST_OK);
		assert_null(strstr(e.text, "hunter2"));
	}
}

static void remembers_the_origin(void **state)
{
	(void)state;
	const char *argv[] = W("ca", "renew", "a", "b", "-f=false");
	struct source s = { .env = { { "STEP_OUT", "" } }, .defaults = { { "token", "t" } } };
	struct error e = ERROR_INIT;
	AUTO(args_done) struct args a = { 0 };
	assert_int_equal(parse(argv, &s, &a, &e), ST_OK);
	assert_int_equal(args_origin(&a, "force"), ARGS_LINE);
	assert_int_equal(args_origin(&a, "out"), ARGS_ENV);
	assert_int_equal(args_origin(&a, "token"), ARGS_DEFAULTS);
	assert_int_equal(args_origin(&a, "san"), ARGS_UNSET);
	assert_int_equal(args_origin(&a, "output-file"), ARGS_UNSET);
	assert_true(args_given(&a, "out"));
	assert_false(args_given(&a, "nosuch"));
}

static void keep_config(void *ctx, const void *globals)
{
	*(const char **)ctx = ((const struct sample_globals *)globals)->config;
}

/* The defaults of `--config FILE` can only be found once FILE is known. */
static const char *config_decides(void *ctx, const char *name)
{
	const char *config = *(const char **)ctx;
	return config && !strcmp(config, "other.json") && !strcmp(name, "out") ? "from-other" : NULL;
}

static void tells_the_globals_first(void **state)
{
	(void)state;
	const char *argv[] = W("ca", "renew", "a", "b", "--config", "other.json");
	const char *config = NULL;
	struct args_source src = { keep_config, NULL, config_decides, &config };
	struct error e = ERROR_INIT;
	AUTO(args_done) struct args a = { 0 };
	assert_int_equal(args_parse(&sample_set, sample_renew, 6, words(argv), &src, &a, &e), ST_OK);
	assert_string_equal(((struct renew_args *)a.values)->out, "from-other");
}

static void bounds_lists(void **state)
{
	(void)state;
	enum { N = ARGS_LIST_MAX + 1 };
	static const char *argv[N + 5] = { "ca", "renew", "a", "b" };
	for (size_t i = 0; i < N; i++)
		argv[4 + i] = "--san=x";
	struct error e = ERROR_INIT;
	AUTO(args_done) struct args a = { 0 };
	assert_int_equal(parse(argv, NULL, &a, &e), ST_LIMIT);
	argv[N + 3] = NULL;
	assert_int_equal(parse(argv, NULL, &a, &e), ST_OK);
	assert_int_equal(((struct renew_args *)a.values)->san.n, ARGS_LIST_MAX);

	AUTO(text_free_p) char *lots = calloc(1, ARGS_VALUE_MAX + 2);
	AUTO(text_free_p) char *long_san = calloc(1, 2 * N + 1);
	memset(lots, 'x', ARGS_VALUE_MAX + 1);
	memset(long_san, ',', 2 * N);
	const char *one[] = W("ca", "renew", "a", "b", "--out", lots);
	AUTO(args_done) struct args b = { 0 };
	assert_int_equal(parse(one, NULL, &b, &e), ST_LIMIT);
	const char *two[] = W("ca", "renew", "a", "b");
	struct source s = { .env = { { "STEP_SAN", long_san } } };
	assert_int_equal(parse(two, &s, &b, &e), ST_LIMIT);
}

static void survives_no_memory(void **state)
{
	(void)state;
	const char *argv[] = W("ca", "renew", "a", "b", "--san=1", "--san=2", "--san=3");
	const char *env_only[] = W("ca", "renew", "a", "b");
	struct source s = { .env = { { "STEP_SAN", "x,y,z" } } };
	unsigned failures = 0;
	for (unsigned n = 1; n < 100; n++) {
		struct error e = ERROR_INIT;
		AUTO(args_done) struct args a = { 0 };
		AUTO(args_done) struct args b = { 0 };
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = parse(argv, &s, &a, &e);
		enum status st2 = parse(env_only, &s, &b, &e);
		if (!fail_disarm())
			break;
		assert_true(st == ST_NOMEM || st2 == ST_NOMEM);
		failures++;
	}
	assert_in_range(failures, 10, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_command),
		cmocka_unit_test(reads_values),
		cmocka_unit_test(refuses),
		cmocka_unit_test(hides_secrets),
		cmocka_unit_test(remembers_the_origin),
		cmocka_unit_test(bounds_lists),
		cmocka_unit_test(tells_the_globals_first),
		cmocka_unit_test(survives_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
