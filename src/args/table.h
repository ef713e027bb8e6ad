/* table.h - looking up rows; for the files of this folder only. */
#pragma once
#include "args/command.h"

/* A word of argv as a flag: "--out=x" is the name "out" with the value "x". */
struct flag_word {
	struct slice name;
	const char *value; /* NULL where there is no '=' */
};
/* False for a positional argument, "-" and "--" among them. */
bool flag_word_read(const char *word, struct flag_word *ret);

/* The row that has this name among the rows (NULL: none). */
const struct opt *opt_find(const struct opt *rows, struct slice name);

/* Does the flag, spelled like this, take the next word? */
bool opt_takes_word(const struct opt *o, const struct flag_word *w);

bool is_help_flag(struct slice name);
