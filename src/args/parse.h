/* parse.h - from argv to a command's struct. Flags anywhere, `--f v`, `--f=v`, `-f v`, `-force`; `--` ends flags; booleans
 * take =true/false/1/0/t/f and never the next word (spec/client.md §1.4; its reordering quirks are not copied).
 *
 * argv is always what stands behind the program's name, the words of the command's path included: the parser skips
 * them, so that global options may stand before, between and behind. */
#pragma once
#include "args/command.h"

enum {
	ARGS_LIST_MAX = 4096,   /* values of one list option */
	ARGS_VALUE_MAX = 1 << 20, /* bytes of one value */
};

struct args_source { /* each function may be NULL */
	/* Called once, when the command line is read and before the others are asked: the global options so far (which file
	 * holds the defaults). */
	void (*line_read)(void *ctx, const void *globals);
	const char *(*getenv)(void *ctx, const char *name);          /* NULL where unset */
	const char *(*defaults)(void *ctx, const char *option_name); /* text of defaults.json's value; NULL where unset */
	void *ctx;
};

/* The command that argv names: longest path first; global options may stand between its words. "help", "h" (in front of
 * or between the path's words), -h and --help (anywhere before "--", unless they are the value of an option) are seen
 * here. A word that is no command's is a positional argument where the command so far takes some, else ST_MISSING with
 * the peer's "No help topic for 'X'" (exit status 3). */
struct args_target {
	const struct command *command; /* may be a group; NULL after ST_MISSING */
	bool help;
};
MUST_USE enum status args_find(const struct command_set *set, int argc, char *const argv[], struct args_target *ret,
                               struct error *e);

enum args_origin { ARGS_UNSET, ARGS_LINE, ARGS_ENV, ARGS_DEFAULTS };

struct args {
	void *values;     /* args_size bytes, as the command's rows say */
	void *globals;    /* as the set's global rows say; NULL where there are none */
	const char **pos; /* pos[pos_n] is NULL */
	size_t pos_n;
	void *internal;
};
void args_done(struct args *a);

/* Texts in ret are borrowed from argv, from the environment and from the defaults; all else is its own (args_done).
 *
 * ST_USAGE where the syntax is wrong, with the peer's text ("flag provided but not defined: -bogus"): the caller shows
 * the help. ST_INVALID where a value or the number of positional arguments is. ST_LIMIT, ST_NOMEM. No error shows the
 * value of an OPT_SECRET option or holds control characters. */
MUST_USE enum status args_parse(const struct command_set *set, const struct command *c, int argc, char *const argv[],
                                const struct args_source *source, struct args *ret, struct error *e);

/* Where the option's value came from; name is its first name. ARGS_UNSET also for a name the command does not have. */
enum args_origin args_origin(const struct args *a, const char *name);

/* Was this option given (by any source)? */
bool args_given(const struct args *a, const char *name);
