/* step-ca - the certificate authority. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "client/ca.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "os/log.h"
#include "os/term.h"
#include "server/dbimport.h"
#include "server/server.h"
#include "step-ca-db.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_START = 2 }; /* configuration, key, database or address does not allow to start (spec/server.md §5.3) */

struct ca_args {
	const char *password_file, *pidfile, *port_file, *context, *resolver, *token, *issuer_password_file,
		*ssh_host_password_file, *ssh_user_password_file;
	bool quiet, insecure, version, on_socket;
};

/* Password of the CA key: the file, else a person. What a person typed is kept for reloads, as in the peer. */
struct password {
	const char *file;
	struct buf typed;
};

static enum status password_get(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	struct password *p = ctx;
	if (p->file && attempt)
		return error_set(e, ST_MISSING, "the password in %s is wrong", p->file);
	if (p->file) {
		if (file_read_password(p->file, ret, e))
			return e->status;
		return ret->n ? ST_OK : error_set(e, ST_INVALID, "the password in %s is empty", p->file);
	}
	if (attempt || !p->typed.n) {
		buf_reset(&p->typed);
		if (term_password("Please enter the password to decrypt the CA key", &p->typed, e))
			return e->status == ST_MISSING ?
			               error_set(e, ST_MISSING, "the CA key is encrypted: give its password with "
			                                        "--password-file, or \"password\" in ca.json") :
			               e->status;
	}
	buf_add_slice(ret, buf_slice(&p->typed));
	return buf_check(ret, e);
}

/* The named file, else $STEPPATH/config/ca.json. */
static enum status config_path(struct invocation *inv, const char *named, struct buf *ret, struct error *e)
{
	if (!named)
		return inv_file(inv, "config/ca.json", ret, e);
	buf_adds(ret, named);
	return buf_check(ret, e);
}

static enum status write_pidfile(const char *path, struct error *e)
{
	char text[16];
	if (!path)
		return ST_OK;
	snprintf(text, sizeof text, "%d\n", (int)getpid());
	return file_replace(path, slice_cstr(text), 0644, e);
}

/* Started by `step ... --offline` for itself: a listening socket is descriptor 3 (cli/ca_offline.c). What goes wrong is
 * told, the rest is between the two. When step ends otherwise than by saying so (SIGTERM), this ends at once: SIGINT is
 * not held as it is in a server. */
enum { GIVEN_SOCKET = 3 };

static enum status serve_parent(struct error *e)
{
	int listens = 0;
	socklen_t n = sizeof listens;
	if (getsockopt(GIVEN_SOCKET, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) || !listens)
		return error_set(e, ST_INVALID, "flag '--on-socket' is for 'step ... --offline' alone");
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	fcntl(GIVEN_SOCKET, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGINT);
	log_set_least(LOG_ERROR);
	return ST_OK;
}

/* Options of the peer that limit or change what is issued and are not built are refused, never ignored. */
static enum status check_unbuilt(const struct ca_args *o, struct error *e)
{
	const struct {
		const char *name, *value;
	} unbuilt[] = {
		{ "context", o->context },
		{ "resolver", o->resolver },
		{ "token", o->token },
		{ "issuer-password-file", o->issuer_password_file },
		{ "ssh-host-password-file", o->ssh_host_password_file },
		{ "ssh-user-password-file", o->ssh_user_password_file },
	};
	for (size_t i = 0; i < COUNT_OF(unbuilt); i++)
		if (unbuilt[i].value)
			return error_set(e, ST_INVALID, "flag '--%s' belongs to a part that is not built yet; leave it out",
			                 unbuilt[i].name);
	return ST_OK;
}

static enum status run_version(struct invocation *inv, struct error *e)
{
	buf_addf(&inv->out, "Perennial CA/%s (%s)\n", PERENNIAL_VERSION, ca_platform);
	return buf_check(&inv->out, e);
}

static enum status run_ca(struct invocation *inv, struct error *e)
{
	const struct ca_args *o = INV_ARGS(inv, ca_args);
	AUTO(buf_done) struct buf path = BUF_INIT(4096);
	struct password password = { .file = o->password_file, .typed = BUF_SECRET(PASSWORD_MAX) };
	struct password_source source = { .get = password_get, .ctx = &password, .asks = !o->password_file };
	struct server *server = NULL;

	if (o->version)
		return run_version(inv, e);
	inv_crypto(inv);
	enum status st = check_unbuilt(o, e);
	if (!st && !(st = config_path(inv, inv_pos(inv, 0), &path, e))) {
		struct server_conf conf = {
			.config_path = buf_cstr(&path),
			.password = &source,
			.clock = &clock_system,
			.entropy = &entropy_system,
			.quiet = o->quiet || o->on_socket,
			.port_file = o->port_file,
			.socket = o->on_socket ? GIVEN_SOCKET : 0,
		};
		server_block_signals();
		st = o->on_socket ? serve_parent(e) : ST_OK;
		if (!st)
			st = server_start(&conf, &server, e);
		if (st)
			inv->exit_code = EXIT_START;
	}
	if (server && (st = write_pidfile(o->pidfile, e))) {
		server_stop(server);
		inv->exit_code = EXIT_START;
	} else if (server) {
		server_run(server);
		if (o->pidfile)
			unlink(o->pidfile);
	}
	buf_done(&password.typed);
	return st;
}

struct import_args {
	const char *config;
};

static enum status run_import(struct invocation *inv, struct error *e)
{
	const struct import_args *o = INV_ARGS(inv, import_args);
	AUTO(caconf_free_p) struct caconf *conf = NULL;
	AUTO(buf_done) struct buf path = BUF_INIT(4096);
	AUTO(buf_done) struct buf in = BUF_INIT(64 << 20);
	size_t read = 0, new = 0;

	inv_crypto(inv);
	if (config_path(inv, o->config, &path, e) || file_read(inv_pos(inv, 0), &in, e) ||
	    caconf_load(buf_cstr(&path), &conf, e) || dbimport_run(conf, &clock_system, buf_slice(&in), &read, &new, e))
		return e->status;
	buf_addf(&inv->out, "%zu revocations read, %zu of them new.\n", read, new);
	return buf_check(&inv->out, e);
}

static enum status run_check(struct invocation *inv, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *conf = NULL;
	AUTO(buf_done) struct buf path = BUF_INIT(4096);
	inv_crypto(inv);
	if (config_path(inv, inv_pos(inv, 0), &path, e) || caconf_load(buf_cstr(&path), &conf, e)) {
		inv->exit_code = EXIT_START;
		return e->status;
	}
	if (caconf_warn_of_expiry(conf, e))
		return e->status;
	for (size_t i = 0; i < conf->warnings_n; i++)
		inv_say(inv, "warning: %s", conf->warnings[i]);
	buf_addf(&inv->out, "%s is good.\n", buf_cstr(&path));
	return buf_check(&inv->out, e);
}

static const struct opt ca_opts[] = {
	OPT_STR(struct ca_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "File with the password of the intermediate key"),
	OPT_FLAG(struct ca_args, quiet, .name = "quiet", .env = "STEP_CA_QUIET", .help = "Do not print the banner"),
	OPT_STR(struct ca_args, pidfile, .name = "pidfile", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "Write the process id there; removed at the end"),
	OPT_STR(struct ca_args, port_file, .name = "port-file", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "Write the port that was bound there once the CA serves; useful with port 0 in the address"),
	OPT_FLAG(struct ca_args, version, .name = "version", .letter = 'v', .flags = OPT_NO_ENV, .help = "Print the version"),
	OPT_FLAG(struct ca_args, on_socket, .name = "on-socket", .flags = OPT_HIDDEN | OPT_NO_ENV,
	         .help = "Serve the program that left a listening socket as descriptor 3, and end with it"),
	OPT_FLAG(struct ca_args, insecure, .name = "insecure", .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Accepted for the peer's sake"),
	OPT_STR(struct ca_args, context, .name = "context", .env = "STEP_CA_CONTEXT", .arg = "<name>",
	        .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Not built yet"),
	OPT_STR(struct ca_args, resolver, .name = "resolver", .arg = "<address>", .flags = OPT_HIDDEN | OPT_NO_ENV,
	        .help = "Not built yet"),
	OPT_STR(struct ca_args, token, .name = "token", .env = "STEP_CA_TOKEN", .arg = "<token>",
	        .flags = OPT_HIDDEN | OPT_SECRET, .help = "Not built yet"),
	OPT_STR(struct ca_args, issuer_password_file, .name = "issuer-password-file", .arg = "<file>",
	        .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Not built yet"),
	OPT_STR(struct ca_args, ssh_host_password_file, .name = "ssh-host-password-file", .arg = "<file>",
	        .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Not built yet"),
	OPT_STR(struct ca_args, ssh_user_password_file, .name = "ssh-user-password-file", .arg = "<file>",
	        .flags = OPT_HIDDEN | OPT_NO_ENV, .help = "Not built yet"),
	OPT_END,
};

static const struct opt import_opts[] = {
	OPT_STR(struct import_args, config, .name = "config", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "The CA's configuration; default: $(step path)/config/ca.json"),
	OPT_END,
};

static const struct command cmd_serve = {
	.path = "",
	.summary = "the certificate authority",
	.usage = "[config.json]",
	.description = "Serves the CA that `config.json` describes; default: $(step path)/config/ca.json.\n\n"
	               "SIGHUP reads configuration, certificates and keys again; SIGINT and SIGTERM finish what runs and end.",
	.positionals = (const struct positional[]){ { "config.json", "The CA's configuration", OPT_FILE }, { 0 } },
	.pos_max = 1,
	.opts = ca_opts,
	.args_size = sizeof(struct ca_args),
	.exit_codes = "0 after a signal; 1 for a wrong flag; 2 where the configuration, a key, the database or the address "
	              "does not allow to start.",
	.environment = "`STEPPATH` says where `config/ca.json` is looked for; else that is `.step` in the home folder. "
	               "Of systemd `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `RUNTIME_DIRECTORY` (of the admin socket) and "
	               "`JOURNAL_STREAM` are heeded. Of the options `--quiet` alone is looked up there, as `STEP_CA_QUIET`.",
	.examples = (const struct example[]){ { "Start with the password of the intermediate key in a file",
	                                        "step-ca $(step path)/config/ca.json --password-file password.txt" },
	                                      { 0 } },
	.run = run_ca,
};

static const struct command cmd_print_version = { .path = "version", .summary = "print the version", .run = run_version };

static const struct command cmd_check = {
	.path = "check",
	.summary = "read the configuration as a start would, and say what is wrong",
	.usage = "[config.json]",
	.description = "Reads `config.json` alone; default: $(step path)/config/ca.json. The certificates, keys and "
	               "database that it names are not opened: whether they fit is seen at the start.",
	.positionals = (const struct positional[]){ { "config.json", "The CA's configuration", OPT_FILE }, { 0 } },
	.pos_max = 1,
	.exit_codes = "0 where it is good, warnings or not; 1 for a wrong flag; 2 for a configuration that a start "
	              "would refuse.",
	.run = run_check,
};

static const struct command cmd_db = { .path = "db", .summary = "the CA's database" };

static const struct command cmd_import = {
	.path = "db import",
	.summary = "take over revocations from elsewhere",
	.usage = "<file>",
	.description = "Reads a CRL (PEM or DER), what `step-ca db export` printed, or text with one serial number a line (decimal or 0x...), optionally followed by "
	               "a reason code, and records what is not yet known as revoked. The CA must not be running.",
	.positionals = (const struct positional[]){ { "file", "CRL, export or list of serial numbers", OPT_FILE }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.opts = import_opts,
	.args_size = sizeof(struct import_args),
	.run = run_import,
};

static const struct command *const commands[] = { &cmd_serve,  &cmd_check,         &cmd_db,
	                                        &cmd_import, &cmd_db_check, &cmd_db_backup,
	                                        &cmd_db_restore, &cmd_db_export, &cmd_print_version, &cmd_internal_docs,
	                                        NULL };
static const struct command_set set = { .program = "step-ca", .commands = commands, .man_section = 8 };

/* Key material must not reach a core file or another process of this user. */
static void protect_memory(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char *argv[])
{
	protect_memory();
	return cli_run(&set, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
}
