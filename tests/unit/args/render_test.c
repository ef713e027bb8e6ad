#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <jansson.h>

static const char want_help[] = "NAME\n"
				"      step ca renew -- renew a certificate\n"
				"\n"
				"USAGE\n"
				"      step ca renew <crt-file> <key-file> [--out=<file>] [--force]\n"
				"      [--token=<token>] [--san=<name>]... [--size=<bits>]\n"
				"      [--expires-in=<duration>] [--format=<format>] [--ca-url=<uri>]\n"
				"\n"
				"DESCRIPTION\n"
				"      step ca renew renews the certificate that is given, which has to be valid\n"
				"      still, and writes the new one.\n"
				"\n"
				"      \tpre formatted\n"
				"      \t  twice\n"
				"\n"
				"      Third paragraph.\n"
				"\n"
				"POSITIONAL ARGUMENTS\n"
				"      crt-file\n"
				"          The certificate\n"
				"\n"
				"      key-file\n"
				"          Its key\n"
				"\n"
				"OPTIONS\n"
				"      --out=file, --output-file=file\n"
				"          Write the new certificate here; by default the old one is replaced.\n"
				"\n"
				"      -f, --force\n"
				"          Replace files without asking.\n"
				"\n"
				"      --token=token\n"
				"          The one-time token.\n"
				"\n"
				"      --san=name\n"
				"          A further name: it's one of [a:b]. May be given more than once.\n"
				"\n"
				"      --size=bits\n"
				"          Bits of the key.\n"
				"\n"
				"      --expires-in=duration\n"
				"          When due.\n"
				"\n"
				"      --format=format\n"
				"          How to print. Options are text, json, pem.\n"
				"\n"
				"      --ca-url=uri\n"
				"          Where the CA is.\n"
				"\n"
				"      --config=file\n"
				"          Read defaults from here.\n"
				"\n"
				"      -h, --help\n"
				"          Show this help.\n"
				"\n"
				"EXIT CODES\n"
				"      0 where it worked, 1 where not.\n"
				"\n"
				"ENVIRONMENT\n"
				"      STEP_SAMPLE is heeded.\n"
				"\n"
				"EXAMPLES\n"
				"      Renew a certificate:\n"
				"\n"
				"          $ step ca renew foo.crt foo.key\n";

static void help_of_a_command(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 16);
	render_help(&sample_set, sample_renew, &out);
	assert_string_equal(buf_cstr(&out), want_help);
}

static void help_of_groups(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 16);
	render_help(&sample_set, command_find(&sample_set, SLICE_LIT("ca")), &out);
	assert_non_null(strstr(buf_cstr(&out), "\nCOMMANDS\n      renew  renew a certificate\n"));
	assert_non_null(strstr(buf_cstr(&out), "      step ca <command> [<arguments>] [<options>]\n"));
	assert_null(strstr(buf_cstr(&out), "secret"));
	buf_reset(&out);
	render_help(&sample_set, command_find(&sample_set, SLICE_NONE), &out);
	assert_ptr_equal(strstr(buf_cstr(&out), "NAME\n      step -- a private CA's client\n"), buf_cstr(&out));
	assert_non_null(strstr(buf_cstr(&out), "\nCOMMANDS\n      help  show help\n      path  print the path\n"
					       "      ca    talk to a CA\n"));
	assert_null(strstr(buf_cstr(&out), "renew"));
}

static void says_when_it_is_cut(void **state)
{
	(void)state;
	for (size_t max = 0; max < sizeof want_help; max += 97) {
		AUTO(buf_done) struct buf out = BUF_INIT(max);
		render_help(&sample_set, sample_renew, &out);
		assert_int_equal(out.failed, ST_LIMIT);
	}
}

static void man_page(void **state)
{
	(void)state;
	static const char *const wanted[] = {
		".TH STEP\\-CA\\-RENEW 1 \"2026-11-23\" ",
		"\n.SH NAME\nstep\\-ca\\-renew \\- renew a certificate\n",
		"\\fBstep ca renew\\fR \\fI<crt\\-file> <key\\-file>\\fR\n",
		"\n.TP\n\\fB\\-f\\fR, \\fB\\-\\-force\\fR\nReplace files without asking.\n",
		"it\\(aqs one of [a:b]",
		"\\fBstep ca renew\\fR renews",
		"\n.nf\n\tpre formatted\n\t  \\fBtwice\\fR\n.fi\n",
		"Options are \\fBtext\\fR, \\fBjson\\fR, \\fBpem\\fR.",
		"$ step ca renew foo.crt foo.key",
		"\n.SH ENVIRONMENT\n\\fBSTEP_SAMPLE\\fR is heeded.\n",
	};
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 16);
	render_man(&sample_set, sample_renew, "2026-11-23", &out);
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		print_message("# wanted %zu\n", i);
		assert_non_null(strstr(buf_cstr(&out), wanted[i]));
	}
	assert_null(strstr(buf_cstr(&out), "bundle")); /* hidden */
	buf_reset(&out);
	render_man(&sample_set, command_find(&sample_set, SLICE_NONE), "2026-11-23", &out);
	assert_null(strstr(buf_cstr(&out), "ENVIRONMENT")); /* it says nothing of it */
	assert_non_null(strstr(buf_cstr(&out), "\n.TP\n\\fBstep\\-path\\fR(1)\nprint the path.\n"));
	struct command_set daemon = sample_set;
	daemon.man_section = 8;
	buf_reset(&out);
	render_man(&daemon, sample_renew, "2026-11-23", &out);
	assert_non_null(strstr(buf_cstr(&out), ".TH STEP\\-CA\\-RENEW 8 "));
	assert_non_null(strstr(buf_cstr(&out), ".BR step (8)\n"));
}

static void completion(void **state)
{
	(void)state;
	static const struct {
		enum render_shell shell;
		const char *wanted[6];
	} rows[] = {
		{ RENDER_BASH,
		  { "complete -F _step step\n", "\t'ca renew')", "--out|--output-file) kind=file ;;",
		    "--format) words='text json pem' ;;", "-h --help --out --output-file -f --force --token",
		    "'ca'|'ca renew'" } },
		{ RENDER_ZSH,
		  { "#compdef step\n", "'(--out --output-file)--output-file=[Write",
		    "'*--san=[A further name\\: it'\\''s one of \\[a\\:b\\]]:name:'",
		    "'(-f --force)-f[Replace files without asking]'", "'renew:renew a certificate'",
		    ":format:(text json pem)'" } },
		{ RENDER_FISH,
		  { "complete -c step -n '__step_at \"ca renew\"' -l out -l output-file -r -F -d 'Write",
		    "complete -c step -n '__step_at \"\"' -f -a path -d 'print the path'\n",
		    "-s f -l force -d 'Replace", "A further name: it\\'s one of [a:b]",
		    "-l format -x -a 'text json pem'", "function __step_at" } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(buf_done) struct buf out = BUF_INIT(1 << 18);
		render_completion(&sample_set, rows[i].shell, &out);
		assert_int_equal(out.failed, ST_OK);
		for (size_t k = 0; k < COUNT_OF(rows[i].wanted); k++) {
			print_message("# row %zu, wanted %zu\n", i, k);
			assert_non_null(strstr(buf_cstr(&out), rows[i].wanted[k]));
		}
		assert_null(strstr(buf_cstr(&out), "bundle"));
		assert_null(strstr(buf_cstr(&out), "secret"));
	}
}

static void json(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf out = BUF_INIT(1 << 18);
	render_json(&sample_set, &out);
	json_error_t je;
	json_t *j = json_loadb(buf_cstr(&out), out.n, JSON_REJECT_DUPLICATES, &je);
	print_message("# %s\n", j ? "" : je.text);
	assert_non_null(j);
	json_t *commands = json_object_get(j, "commands");
	assert_int_equal(json_array_size(commands), 6);
	json_t *renew = json_array_get(commands, 4);
	assert_string_equal(json_string_value(json_object_get(renew, "path")), "ca renew");
	assert_int_equal(json_array_size(json_object_get(renew, "options")), 9);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_of_a_command),   cmocka_unit_test(help_of_groups),
		cmocka_unit_test(says_when_it_is_cut), cmocka_unit_test(man_page),
		cmocka_unit_test(completion),	       cmocka_unit_test(json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
