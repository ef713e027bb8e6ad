#include "cli/cli.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* From a command line to an exit status.
 *
 *   find the command -> help? -> parse -> run -> write the results
 *
 * Wrong syntax shows the help (spec/client.md §1.4); every other error is one line on stderr. */

static void run_done(struct invocation *inv)
{
	args_done(&inv->args);
	buf_done(&inv->out);
	buf_done(&inv->base_);
	buf_done(&inv->path_);
	defaults_done(&inv->defaults_);
}

static int tell(const struct invocation *inv, const struct error *e, int exit_code)
{
	if (e->text[0])
		dprintf(STDERR_FILENO, "%s\n", e->text);
	if (inv->debug)
		dprintf(STDERR_FILENO, "STEPDEBUG: status %s, errno %d, exit status %d\n", status_name(e->status),
		        e->os, exit_code);
	return exit_code;
}

/* A descriptor below 3 that is closed would be given to the next file that is opened, and results be written into it.
 * What was closed stays unusable: the peer of this is the dynamic linker's for set-user-id programs. */
static void keep_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

enum status inv_flush(struct invocation *inv, struct error *e)
{
	enum status st = buf_check(&inv->out, e);
	if (!st && inv->out.n)
		st = fd_write_all(STDOUT_FILENO, buf_slice(&inv->out), "standard output", e);
	buf_reset(&inv->out);
	return st;
}

/* Flushes; a result that could not be written is a failure, whatever the command thought. */
static int finish(struct invocation *inv, int exit_code)
{
	struct error e = ERROR_INIT;
	return inv_flush(inv, &e) ? tell(inv, &e, exit_code ? exit_code : 1) : exit_code;
}

static int show_help(struct invocation *inv)
{
	render_help(inv->set, inv->command, &inv->out);
	return finish(inv, 0);
}

/* The line could not be parsed, so it is looked through by eye: a script that wants to tell wrong usage from a refusal
 * says so on each of its lines. */
static bool wants_detail(const struct command *c, int argc, char *const argv[])
{
	static const char name[] = "detailed-exit-code";
	const struct opt *o = c->opts;
	bool given = getenv("STEP_DETAILED_EXIT_CODE") != NULL;
	while (o && o->type != OPT_TYPE_END && strcmp(o->name, name) != 0)
		o++;
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		given |= argv[i][0] == '-' && !strcmp(argv[i] + 1 + (argv[i][1] == '-'), name);
	return given && o && o->type != OPT_TYPE_END;
}

static int refuse_usage(struct invocation *inv, int exit_code, const struct error *e)
{
	buf_addf(&inv->out, "Incorrect Usage: %s\n\n", e->text);
	render_help(inv->set, inv->command, &inv->out);
	return tell(inv, e, finish(inv, exit_code));
}

static const char *from_env(void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

static void line_read(void *ctx, const void *globals)
{
	struct invocation *inv = ctx;
	if (inv->set->global) /* step-ca has none */
		inv->config_ = ((const struct cli_globals *)globals)->config;
}

static enum status load_defaults(struct invocation *inv, struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(1 << 16);
	if (opt_is_set(inv->config_))
		return defaults_load(inv->config_, &inv->defaults_, e);
	enum status st = inv_file(inv, "config/defaults.json", &path, e);
	return st ? st : defaults_load(buf_cstr(&path), &inv->defaults_, e);
}

/* A file that is broken counts as empty here; command.needs_defaults decides whether that is an error. */
static const char *from_defaults(void *ctx, const char *name)
{
	struct invocation *inv = ctx;
	if (!inv->defaults_read_) {
		inv->defaults_read_ = true;
		struct error e = ERROR_INIT;
		if (load_defaults(inv, &e))
			inv->defaults_error_ = e;
		else if (inv->defaults_.notes[0])
			dprintf(STDERR_FILENO, "%s\n", inv->defaults_.notes);
	}
	return defaults_get(&inv->defaults_, name);
}

static int run(struct invocation *inv, int argc, char *const argv[])
{
	struct error e = ERROR_INIT;
	struct args_source source = { inv->set->global ? line_read : NULL, from_env, from_defaults, inv };
	enum status st = args_parse(inv->set, inv->command, argc, argv, &source, &inv->args, &e);
	bool misused = st && wants_detail(inv->command, argc, argv);
	if (st == ST_USAGE)
		return refuse_usage(inv, misused ? CLI_DETAILED_USAGE : 1, &e);
	if (misused)
		return tell(inv, &e, CLI_DETAILED_USAGE);
	if (!st && inv->command->needs_defaults && inv->defaults_error_.status) {
		e = inv->defaults_error_;
		st = e.status;
	}
	if (st)
		return tell(inv, &e, inv->command->error_exit ? inv->command->error_exit : 1);
	st = inv->command->run(inv, &e);
	if (!st)
		return finish(inv, inv->exit_code);
	int exit_code = finish(inv, inv->exit_code ? inv->exit_code : 1);
	return tell(inv, &e, exit_code);
}

/* A file that may not grow (ulimit -f) is an error to tell, not a death between two files. Children get the default. */
static void outlive_file_limits(void)
{
	signal(SIGXFSZ, SIG_IGN);
}

int cli_run(const struct command_set *set, int argc, char *const argv[])
{
	AUTO(run_done)
	struct invocation inv = {
		.set = set,
		.out = BUF_SECRET(CLI_OUT_MAX), /* tokens among them */
		.base_ = BUF_INIT(1 << 14),
		.path_ = BUF_INIT(1 << 14),
		.debug = getenv("STEPDEBUG") != NULL,
	};
	struct error e = ERROR_INIT;
	struct args_target target;

	keep_standard_streams();
	outlive_file_limits();
	enum status st = args_find(set, argc, argv, &target, &e);
	if (st)
		return tell(&inv, &e, st == ST_MISSING ? CLI_UNKNOWN : 1);
	inv.command = target.command;
	return target.help ? show_help(&inv) : run(&inv, argc, argv);
}
