/* command.h - one table per command: from it come the parser, --help, the man page, completion and a JSON dump.
 *
 * A command's options land in its own struct; each OPT_* row names the field, and its type is checked at compile time.
 * Values come, in this order, from the command line, the environment (STEP_ + first name, '-' -> '_'), defaults.json,
 * and the struct's zero value (spec/client.md §1.3). Pure: environment and defaults come in as functions. */
#pragma once
#include "base/buf.h"
#include "base/duration.h"
#include <stddef.h>

struct text_list {
	const char **v;
	size_t n;
};
void text_list_done(struct text_list *l); /* frees the array; the texts are not its own */

struct opt_int {
	bool set;
	int64_t v;
};
struct opt_duration {
	bool set;
	int64_t ns;
};

enum opt_type { OPT_TYPE_END, OPT_TYPE_FLAG, OPT_TYPE_STR, OPT_TYPE_LIST, OPT_TYPE_INT, OPT_TYPE_DURATION };

enum {
	OPT_HIDDEN = 1 << 0,  /* not in help, man page or completion */
	OPT_NO_ENV = 1 << 1,  /* neither environment nor defaults.json */
	OPT_FILE = 1 << 2,    /* value is a file name: completion */
	OPT_DIR = 1 << 3,
	OPT_SECRET = 1 << 4,  /* value is never shown in errors */
	OPT_NO_SPLIT = 1 << 6, /* a list: environment and defaults.json hold one value, commas and all */
	OPT_NO_CHECK = 1 << 5 /* choices are for completion and help only; run() checks */
};

struct opt {
	enum opt_type type;
	size_t at;          /* offset of the field */
	const char *name;   /* first name; also the environment's and defaults.json's */
	const char *alias;  /* second name or NULL */
	char letter;        /* 'f' for -f; 0: none */
	const char *env;    /* a further environment name, asked before STEP_<NAME>: "STEP_F" for the peer's `f,force`. Where
	                       it names the letter, the letter is also listed first */
	const char *arg;    /* "<file>": value word in help */
	const char *help;   /* a sentence, without the full stop */
	const char *choices;/* "text json pem" for completion and the check; NULL: free */
	unsigned flags;
};

#define OPT_ROW_(kind, ctype, type_, field, ...)                                                                   \
	{                                                                                                          \
		.type = kind,                                                                                      \
		.at = offsetof(type_, field) +                                                                     \
		      0 * sizeof(struct { _Static_assert(_Generic(((type_ *)0)->field, ctype : 1, default : 0),    \
		                                         "field has another type than its option"); int i_; }),    \
		__VA_ARGS__                                                                                        \
	}
#define OPT_FLAG(type, field, ...) OPT_ROW_(OPT_TYPE_FLAG, bool, type, field, __VA_ARGS__)
#define OPT_STR(type, field, ...) OPT_ROW_(OPT_TYPE_STR, const char *, type, field, __VA_ARGS__)
#define OPT_LIST(type, field, ...) OPT_ROW_(OPT_TYPE_LIST, struct text_list, type, field, __VA_ARGS__)
#define OPT_INT(type, field, ...) OPT_ROW_(OPT_TYPE_INT, struct opt_int, type, field, __VA_ARGS__)
#define OPT_DURATION(type, field, ...) OPT_ROW_(OPT_TYPE_DURATION, struct opt_duration, type, field, __VA_ARGS__)
#define OPT_END { .type = OPT_TYPE_END }

struct positional {
	const char *name; /* "crt-file" */
	const char *help;
	unsigned flags;   /* OPT_FILE, ... */
};

struct example {
	const char *about, *line;
};

struct invocation; /* what run() gets; defined by cli (floor 8) */

struct command {
	const char *path;        /* "ca renew"; "" is the program itself */
	const char *summary;     /* one line, no full stop */
	const char *usage;       /* "<crt-file> <key-file>": behind the path */
	const char *description; /* paragraphs separated by blank lines; `code` in back quotes */
	const struct positional *positionals; /* ends with name NULL; may be NULL */
	unsigned pos_min, pos_max;
	const struct opt *opts;  /* ends with OPT_END; may be NULL */
	size_t args_size;        /* sizeof of the options' struct */
	const char *exit_codes;  /* text or NULL */
	const char *environment; /* the same; the program itself tells what holds for its commands */
	const struct example *examples; /* ends with line NULL; may be NULL */
	bool hidden;
	bool needs_defaults;     /* a broken defaults.json is an error here, not a missing one */
	int error_exit;          /* exit status of wrong values and counts, found before run(); 0: 1 */
	/* ST_OK: inv->exit_code (0 unless set). Otherwise the error is printed and the exit status is 1, or
	 * inv->exit_code where that was set. */
	enum status (*run)(struct invocation *inv, struct error *e);
};

/* A program's commands; ends with NULL. Groups ("ca", "certificate") are commands without run. */
struct command_set {
	const char *program;         /* "step" */
	const struct command *const *commands;
	const struct opt *global;    /* options every command takes (--help is built in); their fields are those of a
	                                struct of their own (args.globals); may be NULL */
	int man_section;             /* 0: 1. step-ca(8) is not the page of `step ca`, which is step-ca(1) */
};

/* How a command takes its options as text: every name, the one that the environment goes by first. */
struct opt_names {
	const char *v[3];
	size_t n;
	char letter_[2];
};
void opt_names_of(const struct opt *o, struct opt_names *ret);
/* "out,output-file": as the peer names a flag in errors. */
void opt_names_join(const struct opt *o, struct buf *out);
/* "file" of "<file>"; "value" where the row has none, "" for a flag. */
struct slice opt_value_word(const struct opt *o);
/* Number of rows before OPT_END; 0 for NULL. */
size_t opt_count(const struct opt *rows);
/* The command with this path; NULL where there is none. */
const struct command *command_find(const struct command_set *set, struct slice path);
/* Is c a direct child of the group ("" : the program)? */
bool command_is_child(const struct command *group, const struct command *c);
/* Has it children at all? */
bool command_is_group(const struct command_set *set, const struct command *c);
/* The path's last word. */
const char *command_name(const struct command *c);
