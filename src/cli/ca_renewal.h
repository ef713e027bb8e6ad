/* ca_renewal.h - what `ca renew` and `ca rekey` share: flags, checks and the three ways to run: once, as a daemon, and
 * --check. The work is in agent/ and renewal/. */
#pragma once
#include "agent/pair.h"
#include "cli/ca_common.h"
#include "cli/pair_dir.h"
#include "crypto/auto.h"

struct pair {
	struct chain chain; /* leaf first */
	EVP_PKEY *key;
};
void pair_done(struct pair *p);

/* Loads certificate and key and checks that they belong together. ST_INVALID where not. */
MUST_USE enum status pair_load(const char *crt, const char *key, const char *password_file, struct pair *ret,
                               struct error *e);

/* ---- the flags that both have ---- */

struct renewal_flags {
	const char *password_file;
	struct opt_duration expires_in, period;
	bool force, owed_first, daemon, check, json, detailed_exit_code, non_interactive, offline;
	struct text_list exec, exec_failure, exec_expiring, reload_unit, verify;
	struct opt_duration exec_timeout;
	struct opt_int pid, signal;
	const char *pid_file;
	const char *bundle_out, *p12_out, *p12_password_file, *der_out, *chain_out;
	const char *owner, *group, *mode, *cert_mode, *ca_config, *pair_dir;
	struct opt_int keep_versions;
};

#define RENEWAL_OPTS(type, noun, period_name)                                                                          \
	OPT_FLAG(type, r.force, .name = "force", .letter = 'f', .env = "STEP_F",                                       \
	         .help = "Replace files without asking, and renew now, also where the last renewal still owes "        \
	                 "something; `--daemon` implies it"),                                                          \
		OPT_FLAG(type, r.owed_first, .name = "owed-first",                                                     \
	                 .help = "Where the last renewal still owes something and the certificate is not due, do "     \
	                         "that and ask for no certificate, `--force` or not: for timers"),                     \
		OPT_DURATION(type, r.expires_in, .name = "expires-in", .arg = "<duration>",                            \
	                     .help = "Only where the certificate ends within this time, plus a random part of up to "  \
	                             "a twentieth; with `--daemon`: this long before its end"),                        \
		OPT_FLAG(type, r.daemon, .name = "daemon",                                                             \
	                 .help = "Stay, and keep the certificate renewed; a SIGHUP renews now"),                       \
		OPT_DURATION(type, r.period, .name = period_name, .arg = "<duration>",                                 \
	                     .help = "With `--daemon`: do it this often"),                                             \
		OPT_LIST(type, r.exec, .name = "exec", .arg = "<command>", .flags = OPT_NO_SPLIT,                      \
	                 .help = "Run this after " noun ". Words are cut as by a shell, with its quotes, but no "      \
	                         "shell runs"),                                                                        \
		OPT_INT(type, r.pid, .name = "pid", .arg = "<pid>",                                                    \
	                .help = "Send a signal to this process after " noun),                                          \
		OPT_STR(type, r.pid_file, .name = "pid-file", .arg = "<file>", .flags = OPT_FILE,                      \
	                .help = "Send a signal to the process whose number is in this file then"),                     \
		OPT_INT(type, r.signal, .name = "signal", .arg = "<number>",                                           \
	                .help = "The signal for `--pid` and `--pid-file`; default 1 (SIGHUP)"),                        \
		OPT_LIST(type, r.reload_unit, .name = "reload-unit", .arg = "<unit>",                                  \
	                 .help = "Have systemd reload, or restart, this unit after " noun),                            \
		OPT_LIST(type, r.verify, .name = "verify", .arg = "<address>", .flags = OPT_NO_SPLIT,                  \
	                 .help = "See by a TLS handshake that the new certificate is served: `HOST:PORT` or "          \
	                         "`unix:PATH`, then `,starttls=smtp|imap|pop3|ldap|postgres` and `,name=NAME` "        \
	                         "where needed"),                                                                      \
		OPT_DURATION(type, r.exec_timeout, .name = "exec-timeout", .arg = "<duration>",                        \
	                     .help = "How long a command may run before it is killed with all that it started; "       \
	                             "default 2m, 0 is for ever"),                                                     \
		OPT_LIST(type, r.exec_failure, .name = "exec-failure", .arg = "<command>", .flags = OPT_NO_SPLIT,      \
	                 .help = "Run this when it begins to fail"),                                                   \
		OPT_LIST(type, r.exec_expiring, .name = "exec-expiring", .arg = "<command>", .flags = OPT_NO_SPLIT,    \
	                 .help = "With `--daemon`: run this when 50, 25 and 10 percent of the life are left and "      \
	                         "when it is over, while it fails"),                                                   \
		OPT_STR(type, r.bundle_out, .name = "bundle-out", .arg = "<file>", .flags = OPT_FILE,                  \
	                .help = "Write key and chain into this PEM file, too"),                                        \
		OPT_STR(type, r.chain_out, .name = "chain-out", .arg = "<file>", .flags = OPT_FILE,                    \
	                .help = "Write the chain without the certificate into this PEM file, too"),                    \
		OPT_STR(type, r.der_out, .name = "der-out", .arg = "<file>", .flags = OPT_FILE,                        \
	                .help = "Write the certificate as DER, too"),                                                  \
		OPT_STR(type, r.p12_out, .name = "p12-out", .arg = "<file>", .flags = OPT_FILE,                        \
	                .help = "Write key and chain into this PKCS#12 file, too"),                                    \
		OPT_STR(type, r.p12_password_file, .name = "p12-password-file", .arg = "<file>", .flags = OPT_FILE,    \
	                .help = "File with the password for `--p12-out`"),                                             \
		OPT_STR(type, r.pair_dir, .name = "pair-dir", .arg = "<directory>", .flags = OPT_DIR,                  \
	                .help = PAIR_DIR_HELP),                                                                        \
		OPT_INT(type, r.keep_versions, .name = "keep-versions", .arg = "<number>",                             \
	                .help = "With `--pair-dir`: how many older versions stay; default 3"),                         \
		OPT_STR(type, r.owner, .name = "owner", .arg = "<user>",                                               \
	                .help = "Give the files that are written to this user; default: they keep theirs"),            \
		OPT_STR(type, r.group, .name = "group", .arg = "<group>",                                              \
	                .help = "Give the files that are written to this group; default: they keep theirs"),           \
		OPT_STR(type, r.mode, .name = "mode", .arg = "<octal>",                                                \
	                .help = "Mode of the files that are written; default: they keep theirs"),                      \
		OPT_STR(type, r.cert_mode, .name = "cert-mode", .arg = "<octal>",                                      \
	                .help = "The same, for those without a key in them"),                                          \
		OPT_STR(type, r.password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,            \
	                .help = "File with the password of the private key"),                                          \
		OPT_FLAG(type, r.check, .name = "check",                                                               \
	                 .help = "Only see whether it would work: files, clock, CA and what the CA allows"),           \
		OPT_FLAG(type, r.json, .name = "json", .help = "Print the result as JSON"),                            \
		OPT_FLAG(type, r.detailed_exit_code, .name = "detailed-exit-code",                                     \
	                 .help = "Tell by the exit status how it ended"),                                              \
		OPT_FLAG(type, r.non_interactive, .name = "non-interactive", .help = "Never ask anything"),            \
		OPT_FLAG(type, r.offline, .name = "offline",                                                           \
	                 .help = "Do it without a CA that runs, on the CA's machine, with its files; "                 \
	                         "`--password-file` then names the password of the CA's key, too"),                    \
		OPT_STR(type, r.ca_config, .name = "ca-config", .arg = "<file>", .flags = OPT_FILE,                    \
	                .help = "The CA's configuration for `--offline`; default: $(step path)/config/ca.json")

#define RENEWAL_EXIT_CODES                                                                                             \
	"0 done, or not due; 1 any error; the command's own where `--exec` failed (255: by a signal).\n\n"             \
	"With `--detailed-exit-code`: 0 done, 10 not due, 2 wrong usage, 3 the CA has refused, 4 the CA cannot be "    \
	"reached or trusted, 5 it is done but a command, signal or look that follows has failed and is owed, 6 the "   \
	"certificate has expired and cannot be renewed, 7 an attempt has failed before and the next is not due, 1 "    \
	"any other error."

/* ---- what a command makes of them ---- */

struct ca_offline;
struct renewal {
	struct invocation *inv;
	const struct renewal_flags *flags;
	const struct ca_flags *ca;
	struct ca_offline *offline;
	struct chain roots;      /* for the next CA that is opened; none: they are read then */
	const char *period_flag; /* "renew-period" */
	const char *done;        /* "renewed" */
	const char *doing;       /* "error renewing certificate" */
	struct pair_conf conf; /* crt, key, out_crt, out_key, rekey, no_mtls, new_key, given_key: set by the command */
	void (*saved)(const struct renewal *r); /* tells what was written */
};

/* Checks the flags in the peer's order (spec/client.md §6.2) and runs. */
MUST_USE enum status renewal_run(struct renewal *r, struct error *e);

/* Flags that do not fit: sets the exit status, returns e's. */
MUST_USE enum status renewal_misused(struct invocation *inv, const struct renewal_flags *f, const struct error *e);

/* --check: one line (or JSON member) for each thing that has to be right. ca_renewal_check.c */
MUST_USE enum status renewal_check(struct renewal *r, struct error *e);
