#include "agent/recordfile.h"
#include "cli/certfile.h"
#include "cli/commands.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "os/filetx.h"
#include "renewal/due.h"

#include <errno.h>
#include <sys/stat.h>

struct due_args {
	const char *expires_in, *roots, *servername, *key, *password_file;
	bool bundle, verbose, exec_condition;
};

static const struct opt opts[] = {
	OPT_STR(struct due_args, expires_in, .name = "expires-in", .arg = "<percent|duration>",
	        .help = "Due where this percentage of its life is used (`75%`) or this much or less remains (`4h`); by "
	                "default 66%"),
	OPT_FLAG(struct due_args, bundle, .name = "bundle",
	         .help = "Look at every certificate of the file, not the first"),
	OPT_STR(struct due_args, key, .name = "key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Due also where this private key is not the certificate's"),
	OPT_STR(struct due_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The password of an encrypted `--key`"),
	OPT_FLAG(struct due_args, exec_condition, .name = "exec-condition",
	         .help = "Answer 255 in place of 2 where there is no such file: systemd takes 1 to 254 of an "
	                 "ExecCondition for nothing to do"),
	OPT_FLAG(struct due_args, verbose, .name = "verbose", .letter = 'v', .help = "Say the answer in words"),
	OPT_STR(struct due_args, roots, .name = "roots", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Verify a server by the roots in this file, folder or comma-separated list of files"),
	OPT_STR(struct due_args, servername, .name = "servername", .arg = "<name>",
	        .help = "The name that a server is asked for and verified by"),
	OPT_END
};

static const struct positional pos[] = {
	{ "crt-file", "A certificate in PEM or DER, or a server such as `https://ca.example.com`.", OPT_FILE }, { 0 }
};
static const struct example examples[] = {
	{ "In a systemd unit:", "ExecCondition=/usr/bin/step certificate needs-renewal /etc/step/certs/foo.crt" },
	{ "In a script, where less than an hour is left:",
	  "step certificate needs-renewal --expires-in 1h foo.crt && ..." },
	{ 0 }
};

enum { DUE = 0, FRESH = 1, NO_FILE = 2, FAILED = 255 };

static enum status load(struct invocation *inv, const char *name, struct chain *ret, struct error *e)
{
	const struct due_args *a = INV_ARGS(inv, due_args);
	const struct cert_server how = { .roots = a->roots, .servername = a->servername, .facts_only = true };
	struct stat info;
	if (strcmp(name, "-") != 0 && !cert_is_url(name) && stat(name, &info) && errno == ENOENT) {
		inv->exit_code = a->exec_condition ? FAILED : NO_FILE;
		return error_os(e, errno, "stat %s", name);
	}
	return cert_chain_read(inv, name, &how, a->bundle, ret, e);
}

/* The next start of a renewal completes an open journal, and what the last one owes; so one has to come. */
static bool is_pending(struct invocation *inv, const char *name)
{
	AUTO(buf_done) struct buf state = BUF_INIT(1 << 13);
	if (cert_is_url(name) || !strcmp(name, "-"))
		return false;
	inv_state_dir(inv, &state);
	const char *folder = state.n ? buf_cstr(&state) : NULL;
	return filetx_pending(name, folder) || recordfile_owes(name, folder);
}

static enum status key_differs(struct invocation *inv, const struct cert *c, bool *ret, struct error *e)
{
	const struct due_args *a = INV_ARGS(inv, due_args);
	if (!opt_is_set(a->key))
		return ST_OK;
	struct ask_password ask = { .file = a->password_file,
		                    .flag = "--password-file",
		                    .label = "Please enter the password of the private key" };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	enum status st = read_key(a->key, &ask, &key, e);
	if (!st)
		*ret = !cert_key(c) || !key_equal(key, cert_key(c));
	return st;
}

static enum status decide(struct invocation *inv, const char *name, bool *ret, struct error *e)
{
	const struct due_args *a = INV_ARGS(inv, due_args);
	struct due_rule rule = DUE_DEFAULT;
	AUTO(chain_done) struct chain certs = { 0 };
	bool due = false;
	enum status st = opt_is_set(a->expires_in) ? due_parse(slice_cstr(a->expires_in), &rule, e) : ST_OK;
	/* Before the file is read: it may be half written, or not be there yet. */
	if (!st && is_pending(inv, name)) {
		*ret = true;
		return ST_OK;
	}
	if (!st)
		st = load(inv, name, &certs, e);
	if (!st)
		st = key_differs(inv, certs.v[0], &due, e);
	if (st)
		return st;
	for (size_t i = 0; i < (a->bundle ? certs.n : 1); i++) {
		const struct cert_facts *f = cert_facts(certs.v[i]);
		due = due || due_needs_renewal(&rule, f->not_before, f->not_after, inv_now(inv));
	}
	*ret = due;
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	bool due;
	inv_crypto(inv);
	inv->exit_code = FAILED;
	enum status st = decide(inv, inv_pos(inv, 0), &due, e);
	if (st)
		return st;
	inv->exit_code = due ? DUE : FRESH;
	if (INV_ARGS(inv, due_args)->verbose && due)
		buf_adds(&inv->out, "certificate needs renewal\n");
	else if (INV_ARGS(inv, due_args)->verbose)
		inv_say(inv, "certificate does not need renewal");
	return ST_OK;
}

const struct command cmd_certificate_needs_renewal = {
	.path = "certificate needs-renewal",
	.summary = "ask whether a certificate is due for renewal",
	.usage = "<crt-file>",
	.description =
		"Answers by its exit status, for timers and scripts. A percentage counts what is used, a duration what "
		"remains. An expired certificate is due, one that is not valid yet is not.\n\nDue is also a "
		"certificate whose last renewal was interrupted between its files, or still owes a command or signal "
		"that has failed, whatever its "
		"age: the next `step ca renew` completes it.",
	.positionals = pos,
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct due_args),
	.exit_codes = "0: it needs renewal. 1: it does not (also: an option that does not exist). 2: there is no such "
	              "file (255 "
		      "with `--exec-condition`). 255: anything else.",
	.error_exit = FAILED,
	.examples = examples,
	.run = run,
};
