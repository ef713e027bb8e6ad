/* parse.h - from argv to a command's struct. Flags anywhere, `--f v`, `--f=v`, `-f v`, `-force`; `--` ends flags; booleans
 * take =true/false/1/0/t/f (spec/client.md §1.4; its reordering quirks are not copied). */
#pragma once
#include "args/command.h"

struct args_source { /* either function may be NULL */
	const char *(*getenv)(void *ctx, const char *name);          /* NULL where unset */
	const char *(*defaults)(void *ctx, const char *option_name); /* text of defaults.json's value; NULL where unset */
	void *ctx;
};

/* The command that argv names (longest path first), and how many words its path took. "help", -h and --help anywhere
 * before "--" are seen here. ST_MISSING: unknown word; e->text is the peer's "No help topic for 'X'". */
struct args_target {
	const struct command *command; /* may be a group */
	int words;
	bool help;
	const char *topic; /* of ST_MISSING */
};
MUST_USE enum status args_find(const struct command_set *set, int argc, char *const argv[], struct args_target *ret,
                               struct error *e);

struct args { /* owns what the struct and positionals point to */
	void *values;             /* args_size bytes, as the rows say */
	const char **pos;
	size_t pos_n;
	struct buf arena_;        /* internal */
	void *internal;
};
void args_done(struct args *a);

/* ST_USAGE with the peer's text ("flag provided but not defined: -bogus"). argv starts behind the command's path. */
MUST_USE enum status args_parse(const struct command *c, const struct opt *global, int argc, char *const argv[],
                                const struct args_source *source, struct args *ret, struct error *e);

/* Was this option given (by any source)? name is the first name. */
bool args_given(const struct args *a, const char *name);
