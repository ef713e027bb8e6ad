/* cli.h - what a command of `step` gets and the few things it does to the outside: results on stdout, talk on stderr,
 * settings from the step path. One file per command: its table, its run(), nothing else (HACKING at commands.c).
 *
 * Nothing costs before it is used: defaults.json is read when an option is looked up in it, OpenSSL is started by
 * inv_crypto(), the clock is read once. */
#pragma once
#include "args/parse.h"
#include "args/render.h"
#include "base/wall.h"
#include "config/defaults.h"
#include "crypto/keyfile.h"

enum {
	CLI_OUT_MAX = 64 << 20, /* bytes of results that one command may print */
	CLI_UNKNOWN = 3,        /* exit status where there is no such command (spec/client.md §1.6) */
	CLI_DETAILED_USAGE = 2, /* of wrong usage, with --detailed-exit-code; else 1 */
};

struct cli_globals {
	const char *config, *context;
};

struct invocation {
	const struct command_set *set;
	const struct command *command;
	struct args args;
	int exit_code; /* of run(); see struct command */
	struct buf out;
	/* the step path, once asked for */
	struct buf base_, path_;
	/* defaults.json, once asked for */
	const char *config_; /* --config */
	bool defaults_read_;
	struct defaults defaults_;
	struct error defaults_error_;
	bool debug; /* STEPDEBUG is set */
	struct wall now_;
};

/* Runs one command line (behind the program's name) and returns the exit status. */
int cli_run(const struct command_set *set, int argc, char *const argv[]);

/* The commands of `step` (commands.c). */
extern const struct command_set step_commands;

/* ---- results and talk ---- */

/* Results are kept in inv->out and written to stdout when run() has ended, whatever it returned; a failure to write
 * makes the exit status 1. A command that prints as it goes flushes by itself. */
MUST_USE enum status inv_flush(struct invocation *inv, struct error *e);
/* One line to stderr. */
void inv_say(struct invocation *inv, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- options ---- */

/* The struct that the command's options landed in. */
#define INV_ARGS(inv, type) ((const struct type *)(inv)->args.values)
const struct cli_globals *inv_globals(const struct invocation *inv);
/* True where the text is given and not empty: an option set to "" is as good as absent. */
static inline bool opt_is_set(const char *text)
{
	return text && text[0];
}
/* The n-th positional argument; NULL where there are fewer. */
const char *inv_pos(const struct invocation *inv, size_t n);

/* Refusals in the peer's words (spec/client.md §1.8). All return ST_INVALID. */
enum status usage_required(const struct invocation *inv, const char *flag, struct error *e);
enum status usage_requires(const char *flag, const char *other, struct error *e);
enum status usage_incompatible(const char *flag, const char *other, struct error *e);
enum status usage_exclusive(const char *flag, const char *other, struct error *e);
enum status usage_bad_value(const char *flag, const char *value, struct error *e);
/* For options that the table knows so that a script meets a clear text: fails where one of these (NULL-terminated) was
 * given. */
MUST_USE enum status usage_not_built(const struct invocation *inv, const char *const *flags, struct error *e);

/* ---- the outside ---- */

/* Starts OpenSSL. First thing in a command that needs it. */
void inv_crypto(struct invocation *inv);
struct wall inv_now(struct invocation *inv);

/* RFC 3339, or a duration relative to now (spec/client.md §1.5). flag: for the error. */
MUST_USE enum status inv_time(struct invocation *inv, const char *flag, const char *text, struct wall *ret,
                              struct error *e);

/* `step path --base` and `step path`; valid as long as inv. ST_INVALID where contexts are in use, which are not built.
 */
MUST_USE enum status inv_base(struct invocation *inv, const char **ret, struct error *e);
MUST_USE enum status inv_path(struct invocation *inv, const char **ret, struct error *e);
/* A file under the step path: "certs/root_ca.crt". */
MUST_USE enum status inv_file(struct invocation *inv, const char *below, struct buf *ret, struct error *e);

/* Where lock and journal of a pair may go when its folder is not writable: $STATE_DIRECTORY (its first entry) or
 * $STEPPATH/renew. Empty where neither is known. */
void inv_state_dir(struct invocation *inv, struct buf *ret);

/* ---- files with questions ---- */

/* May this file be replaced? ST_OK where it does not exist, where force is set or a person says yes. ST_CONFLICT on
 * "no"; without a terminal ST_MISSING that names --force. */
MUST_USE enum status ask_overwrite(const char *path, bool force, struct error *e);

/* A password for a key file: from the password file where one is named (one try), else from a person (three tries). For
 * password_source.ctx; lives on the caller's stack. */
struct ask_password {
	const char *file;  /* NULL or "": ask */
	const char *flag;  /* "--password-file", named where nobody can be asked; NULL: there is none */
	const char *label; /* "Please enter the password to decrypt foo.key" */
	bool then_ask;     /* the file's password may be another's: where it is wrong, a person is asked */
};
struct password_source ask_password_source(struct ask_password *a);
/* A new password, for what is about to be encrypted. ret: BUF_SECRET. An empty one is ST_INVALID. */
MUST_USE enum status ask_new_password(const struct ask_password *a, struct buf *ret, struct error *e);

/* 32 characters that one can type, shown once on stderr. */
MUST_USE enum status make_password(struct invocation *inv, struct buf *ret, struct error *e);
/* As ask_new_password, but a person who leaves it empty gets one that is made. */
MUST_USE enum status ask_or_make_password(struct invocation *inv, const struct ask_password *a, struct buf *ret,
                                          struct error *e);

/* Reads the private key in a file (PEM or DER, "-" for stdin). */
MUST_USE enum status read_key(const char *path, struct ask_password *a, EVP_PKEY **ret, struct error *e);
