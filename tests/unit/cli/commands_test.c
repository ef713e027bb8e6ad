#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What the list of commands must keep: the table is the manual. */

static const struct command *const *all(void)
{
	return step_commands.commands;
}

static bool sentence(const char *s)
{
	return s && s[0] && s[strlen(s) - 1] != ' ';
}

static void paths_are_one_tree(void **state)
{
	(void)state;
	assert_non_null(command_find(&step_commands, SLICE_NONE));
	for (const struct command *const *c = all(); *c; c++) {
		print_message("# %s\n", (*c)->path);
		assert_ptr_equal(command_find(&step_commands, slice_cstr((*c)->path)), *c); /* no path twice */
		const char *space = strrchr((*c)->path, ' ');
		struct slice parent = space ? slice_of((*c)->path, (size_t)(space - (*c)->path)) : SLICE_NONE;
		assert_non_null(command_find(&step_commands, parent));
		assert_true((*c)->run || command_is_group(&step_commands, *c) || !strcmp((*c)->path, "help"));
		assert_true(sentence((*c)->summary) && (*c)->summary[strlen((*c)->summary) - 1] != '.');
		assert_true(!(*c)->opts || (*c)->args_size);
	}
}

static void check_row(const struct opt *o, const struct opt *rows, size_t n)
{
	struct opt_names names, others;
	opt_names_of(o, &names);
	if (!(o->flags & OPT_HIDDEN)) {
		assert_true(sentence(o->help) && o->help[strlen(o->help) - 1] != '.');
		assert_true(o->type == OPT_TYPE_FLAG || (o->arg && o->arg[0] == '<'));
	}
	/* one spelling of the letter's environment name in all commands */
	assert_true(strcmp(o->name, "force") != 0 || (o->letter == 'f' && o->env && !strcmp(o->env, "STEP_F")));
	for (size_t i = 0; i < n; i++) {
		opt_names_of(&rows[i], &others);
		for (size_t a = 0; a < names.n && &rows[i] != o; a++)
			for (size_t b = 0; b < others.n; b++)
				assert_string_not_equal(names.v[a], others.v[b]);
	}
}

static void options_are_told_apart(void **state)
{
	(void)state;
	for (const struct command *const *c = all(); *c; c++) {
		size_t n = opt_count((*c)->opts);
		for (size_t i = 0; i < n; i++) {
			print_message("# %s --%s\n", (*c)->path, (*c)->opts[i].name);
			check_row(&(*c)->opts[i], (*c)->opts, n);
		}
	}
}

static void help_and_man_name_every_option(void **state)
{
	(void)state;
	for (const struct command *const *c = all(); *c; c++) {
		AUTO(buf_done) struct buf help = BUF_INIT(1 << 18);
		AUTO(buf_done) struct buf man = BUF_INIT(1 << 18);
		render_help(&step_commands, *c, &help);
		render_man(&step_commands, *c, "2026-11-23", &man);
		assert_int_equal(help.failed | man.failed, 0);
		for (size_t i = 0; i < opt_count((*c)->opts); i++) {
			const struct opt *o = &(*c)->opts[i];
			char name[96];
			snprintf(name, sizeof name, "\n      %s%s", o->env ? "" : "--", o->env ? "" : o->name);
			char flag[64];
			snprintf(flag, sizeof flag, "--%s", o->name);
			print_message("# %s %s\n", (*c)->path, flag);
			if (o->flags & OPT_HIDDEN)
				assert_null(strstr(buf_cstr(&help), flag));
			else
				assert_true(strstr(buf_cstr(&help), name) && strstr(buf_cstr(&help), flag));
		}
	}
}

/* Nothing is wider than a terminal but what must not be broken: examples, and single words. */
static void help_fits_a_terminal(void **state)
{
	(void)state;
	for (const struct command *const *c = all(); *c; c++) {
		AUTO(buf_done) struct buf help = BUF_INIT(1 << 18);
		render_help(&step_commands, *c, &help);
		for (const char *line = buf_cstr(&help); *line;) {
			size_t n = strcspn(line, "\n");
			const char *text = line + strspn(line, " ");
			if (n > 80 && text[0] != '$')
				fail_msg("%s: %.*s", (*c)->path, (int)n, line);
			line += n + (line[n] == '\n');
		}
	}
}

static void examples_name_commands(void **state)
{
	(void)state;
	for (const struct command *const *c = all(); *c; c++) {
		for (const struct example *x = (*c)->examples; x && x->line; x++) {
			AUTO(buf_done) struct buf call = BUF_INIT(256);
			buf_addf(&call, "step %s", (*c)->path);
			print_message("# %s\n", x->line);
			assert_non_null(strstr(x->line, buf_cstr(&call)));
			assert_true(sentence(x->about));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_one_tree),
		cmocka_unit_test(options_are_told_apart),
		cmocka_unit_test(help_and_man_name_every_option),
		cmocka_unit_test(help_fits_a_terminal),
		cmocka_unit_test(examples_name_commands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
