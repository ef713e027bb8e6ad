/* ca_common.h - what the `step ca` commands share: the flags that name a CA, trust in it, tokens for it, and files that
 * are known to be writable before the CA is asked for anything. */
#pragma once
#include "cli/cli.h"
#include "client/bootstrap.h"
#include "client/ca.h"
#include "client/token.h"
#include "os/filetx.h"
#include "os/term.h"

struct ca_flags {
	const char *url, *root;
	struct opt_duration timeout;
};

#define CA_URL_OPT(type)                                                                                               \
	OPT_STR(type, ca.url, .name = "ca-url", .arg = "<uri>",                                                        \
	        .help = "The CA's address, `https://host[:port]`, or several parted by commas: nodes of one CA, "      \
	                "tried in turn; default: the one in defaults.json"),                                                          \
		OPT_DURATION(type, ca.timeout, .name = "timeout", .arg = "<duration>",                                 \
	                     .help = "How long the CA may take for one answer; default: 15s")
#define CA_ROOT_OPT(type)                                                                                              \
	OPT_STR(type, ca.root, .name = "root", .arg = "<file>", .flags = OPT_FILE,                                     \
	        .help = "File with the CA's root certificate; default: the one in defaults.json, else "                \
	                "$(step path)/certs/root_ca.crt")
#define FORCE_OPT(type)                                                                                                \
	OPT_FLAG(type, force, .name = "force", .letter = 'f', .env = "STEP_F", .help = "Replace files without asking")

/* Sets c->url from --ca-url, and what belongs to the way there: proxy and --timeout. ST_INVALID: no URL given, or not
 * https; no time given. */
MUST_USE enum status ca_set_url(struct invocation *inv, const struct ca_flags *f, struct ca *c, struct error *e);
/* Loads the roots, unless c has some: --root (a file, several with commas, or a folder), else certs/root_ca.crt of the
 * step path. */
MUST_USE enum status ca_set_roots(struct invocation *inv, const struct ca_flags *f, struct ca *c, struct error *e);
/* Both. */
MUST_USE enum status ca_open(struct invocation *inv, const struct ca_flags *f, struct ca *c, struct error *e);

/* Makes the error that a call left fit for a person: the CA's own message stands alone and gets the peer's second line;
 * before every other, what was tried is named where doing is not NULL. */
enum status ca_fail(const struct invocation *inv, const struct ca *c, const char *doing, struct error *e);

/* ---- tokens ---- */

struct token_flags {
	const char *provisioner, *kid, *password_file, *provisioner_password_file, *key, *ca_config;
	const char *x5c_cert, *x5c_key, *x5c_chain;
	bool offline;
};

#define TOKEN_OPTS(type)                                                                                               \
	OPT_STR(type, token.provisioner, .name = "provisioner", .alias = "issuer", .arg = "<name>",                    \
	        .help = "Provisioner that makes the token"),                                                           \
		OPT_STR(type, token.kid, .name = "kid", .arg = "<id>", .help = "Key of the provisioner, by its id"),   \
		OPT_STR(type, token.provisioner_password_file, .name = "provisioner-password-file", .arg = "<file>",   \
	                .flags = OPT_FILE, .help = "File with the password of the provisioner's key"),                 \
		OPT_STR(type, token.password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,        \
	                .help = "The same, and the password of a key that another flag names"),                \
		OPT_STR(type, token.x5c_cert, .name = "x5c-cert", .arg = "<file>", .flags = OPT_FILE,                  \
	                .help = "Make the token with this certificate, which an X5C provisioner trusts"),              \
		OPT_STR(type, token.x5c_key, .name = "x5c-key", .arg = "<file>", .flags = OPT_FILE,                    \
	                .help = "Its private key"),                                                                    \
		OPT_STR(type, token.x5c_chain, .name = "x5c-chain", .arg = "<file>", .flags = OPT_FILE,                \
	                .help = "Certificates between it and the provisioner's root, where its own file lacks them")

#define OFFLINE_OPTS(type)                                                                                             \
	OPT_FLAG(type, token.offline, .name = "offline",                                                               \
	         .help = "Do it without a CA that runs, on the CA's machine, with its files; `--password-file` then "  \
	                 "names the password of the CA's key, too"),                                                   \
		OPT_STR(type, token.ca_config, .name = "ca-config", .arg = "<file>", .flags = OPT_FILE,                \
	                .help = "The CA's configuration for `--offline`; default: $(step path)/config/ca.json")

/* Gets a one-time token. With f->offline c may have no URL; its roots are not needed then. ask: kind, subject, sans,
 * times and cnf; the rest is filled in here. Appends to out (BUF_SECRET). */
MUST_USE enum status ca_token(struct invocation *inv, struct ca *c, const struct token_flags *f, struct token_ask *ask,
                              struct buf *out, struct error *e);

/* How much a revocation takes. */
struct line_flags {
	bool lineage, descendants;
};
#define LINE_OPTS(type, does)                                                                                          \
	OPT_FLAG(type, line.lineage, .name = "lineage",                                                                \
	         .help = does " the whole line: all certificates that were renewed or rekeyed from the same first "    \
	                      "one, and their keys; no more can be had for them"),                                     \
		OPT_FLAG(type, line.descendants, .name = "descendants",                                                \
	                 .help = does " the certificate and all that were renewed or rekeyed from it")
/* "lineage", "descendants", or NULL where neither is set. */
const char *line_scope(const struct line_flags *f);
/* Not both. */
MUST_USE enum status line_check(const struct line_flags *f, struct error *e);

/* A token that was given on the command line: c gets URL (unless set) and root from it where it carries a fingerprint,
 * else from flags and defaults. */
MUST_USE enum status ca_trust_token(struct invocation *inv, const struct ca_flags *f, const char *token, struct ca *c,
                                    struct error *e);

/* ---- certificates ---- */

/* First certificates of a file, leaf first. */
MUST_USE enum status load_chain(const char *path, struct chain *ret, struct error *e);

struct key_flags {
	const char *kty, *curve;
	struct opt_int size;
	bool insecure;
};
#define KEY_OPTS(type)                                                                                                 \
	OPT_STR(type, key.kty, .name = "kty", .arg = "<kty>",                                                          \
	        .help = "Kind of key: `EC`, `RSA` or `OKP`; default EC"),                                              \
		OPT_STR(type, key.curve, .name = "crv", .alias = "curve", .arg = "<curve>",                            \
	                .help = "Curve: `P-256`, `P-384`, `P-521` or `Ed25519`"),                                      \
		OPT_INT(type, key.size, .name = "size", .arg = "<bits>", .help = "Bits of an RSA key, at least 2048"), \
		OPT_FLAG(type, key.insecure, .name = "insecure", .flags = OPT_HIDDEN, .help = "Allow short RSA keys")
MUST_USE enum status key_from_flags(const struct key_flags *f, EVP_PKEY **ret, struct error *e);

/* Checks what the CA sent before it may touch a file, and tells what the user should know of it.
 * old: NULL for a first certificate. */
MUST_USE enum status check_answer(struct invocation *inv, const struct ca *c, const struct chain *got,
                                  const struct cert *old, const EVP_PKEY *key, struct error *e);

/* ---- files ---- */

/* Opens the files of one transaction: finishes what a killed run left (and says so), checks that each can be kept.
 * Nothing is asked of a person yet. */
MUST_USE enum status open_files(struct invocation *inv, const struct filetx_file *files, size_t n, struct filetx **ret,
                                struct error *e);
/* Finishes what a killed run left of these files, where it left something, and says so. Comes before any question
 * whether they may be replaced: half of them may be there, or only their journal. */
MUST_USE enum status finish_interrupted(struct invocation *inv, const struct filetx_file *files, size_t n,
                                        struct error *e);
/* Finishes what was interrupted, asks for each existing file unless forced, then opens. */
MUST_USE enum status ask_and_open_files(struct invocation *inv, const struct filetx_file *files, size_t n, bool force,
                                        struct filetx **ret, struct error *e);
MUST_USE enum status stage_chain(struct filetx *tx, size_t index, const struct chain *c, struct error *e);
MUST_USE enum status stage_key(struct filetx *tx, size_t index, EVP_PKEY *key, struct error *e);
/* PEM of one bundle to a file (0600, asked for unless forced) or, file NULL, to stdout. */
MUST_USE enum status save_or_print(struct invocation *inv, const char *file, const struct chain *c, bool force,
                                   struct error *e);
