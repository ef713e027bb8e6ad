/* The commands below `step-ca db` that look at the database, copy it and put a copy back. */
#include "step-ca-db.h"

#include "server/dbexport.h"
#include "store/upkeep.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	EXIT_FOUND = 1,
	EXIT_CONFIG = 2,
	EXIT_UNKNOWN_SPAN = 3, /* restored, but something is lost that has to be done again */
};

struct db_args {
	const char *config;
};

static enum status load(struct invocation *inv, struct caconf **ret, struct error *e)
{
	const struct db_args *o = INV_ARGS(inv, db_args);
	AUTO(buf_done) struct buf path = BUF_INIT(4096);
	inv_crypto(inv);
	if (opt_is_set(o->config) ? (buf_adds(&path, o->config), buf_check(&path, e))
	                          : inv_file(inv, "config/ca.json", &path, e))
		return e->status;
	return caconf_load(buf_cstr(&path), ret, e);
}

static void say_found(void *inv, const char *text)
{
	buf_addf(&((struct invocation *)inv)->out, "%s.\n", text);
}

static enum status run_db_check(struct invocation *inv, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *conf = NULL;
	int64_t n;
	if (load(inv, &conf, e)) {
		inv->exit_code = EXIT_CONFIG;
		return e->status;
	}
	if (upkeep_check(&conf->store, inv_now(inv), say_found, inv, &n, e))
		return e->status;
	if (n)
		inv->exit_code = EXIT_FOUND;
	else
		buf_adds(&inv->out, "The database is sound.\n");
	return buf_check(&inv->out, e);
}

static enum status run_db_backup(struct invocation *inv, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *conf = NULL;
	struct upkeep_copied copied;
	if (load(inv, &conf, e) || upkeep_backup(&conf->store, inv_pos(inv, 0), inv_now(inv), &copied, e))
		return e->status;
	buf_addf(&inv->out, "%s holds %" PRId64 " certificates and %" PRId64 " revocations.\n", inv_pos(inv, 0),
	         copied.certificates, copied.revocations);
	return buf_check(&inv->out, e);
}

enum { EXPORT_FLUSH = 1 << 16 };

static enum status print_line(void *ctx, struct buf *line, struct error *e)
{
	struct invocation *inv = ctx;
	buf_add_slice(&inv->out, buf_slice(line));
	if (buf_check(&inv->out, e))
		return e->status;
	return inv->out.n < EXPORT_FLUSH ? ST_OK : inv_flush(inv, e);
}

static enum status run_db_export(struct invocation *inv, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *conf = NULL;
	return load(inv, &conf, e) ? e->status : dbexport_run(conf, print_line, inv, e);
}

static void tell_unknown(struct invocation *inv, const struct upkeep_restored *r)
{
	char from[WALL_TEXT], until[WALL_TEXT];
	buf_addf(&inv->out,
	         "\nThe replaced database is not whole: %s.\n"
	         "What was issued, used and revoked from %s to %s and could not be read from it is unknown:\n"
	         "- Revocations of that time have to be made again: with `step-ca db import` from the last CRL, an "
	         "export\n"
	         "  or a list of serials, or with `step ca revoke`.\n"
	         "- Tokens made before now are refused, as some may be used. New ones work in a minute. Tokens without "
	         "iat,\n"
	         "  and all where authority.disableIssuedAtCheck is set, are accepted until they expire.\n"
	         "- Certificates of that time can be renewed; they begin new lines.\n",
	         r->cause, wall_rfc3339(r->made, from), wall_rfc3339(r->until, until));
	inv->exit_code = EXIT_UNKNOWN_SPAN;
}

static enum status run_db_restore(struct invocation *inv, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *conf = NULL;
	struct upkeep_restored r;
	char made[WALL_TEXT];
	if (load(inv, &conf, e) || upkeep_restore(&conf->store, inv_pos(inv, 0), inv_now(inv), &r, e))
		return e->status;
	buf_addf(&inv->out,
	         "Restored the backup of %s; the database holds %" PRId64 " certificates and %" PRId64
	         " revocations.\n",
	         wall_rfc3339(r.made, made), r.certificates, r.revocations);
	if (*r.kept)
		buf_addf(&inv->out,
		         "Taken over from the replaced database: %" PRId64 " certificates, %" PRId64
		         " revocations, %" PRId64 " used tokens, %" PRId64
		         " closed lines and blocked keys.\nIt is kept as %s.\n",
		         r.taken_certificates, r.taken_revocations, r.taken_tokens, r.taken_closed, r.kept);
	if (!r.complete)
		tell_unknown(inv, &r);
	return buf_check(&inv->out, e);
}

static const struct opt db_opts[] = {
	OPT_STR(struct db_args, config, .name = "config", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "The CA's configuration; default: $(step path)/config/ca.json"),
	OPT_END,
};

#define DB_COMMAND(name_, run_) .path = "db " name_, .opts = db_opts, .args_size = sizeof(struct db_args), .run = run_

const struct command cmd_db_check = {
	DB_COMMAND("check", run_db_check),
	.summary = "is the database whole?",
	.description =
		"Reads the whole database: whether its file is sound, whether its tables keep their rules (each "
		"certificate "
		"in its line, each used token with its certificate, closed lines closed, their keys blocked), and "
		"whether "
		"each row says what its certificate says. Prints what it finds, one sentence a line. The CA may run.",
	.exit_codes = "0 where the database is sound; 1 where something was found, or it cannot be read; 2 for a "
		      "configuration "
		      "that cannot be read.",
};

const struct command cmd_db_backup = {
	DB_COMMAND("backup", run_db_backup),
	.summary = "copy the database while the CA runs",
	.usage = "<file>",
	.description = "Makes a copy of one moment in one file (mode 0600), checks it, brings it to the disk, and only "
		       "then gives "
		       "it its name; a backup of that name is replaced. For SQLite; a PostgreSQL database has pg_dump.",
	.positionals = (const struct positional[]){ { "file", "The copy", OPT_FILE }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.examples =
		(const struct example[]){ { "Every night, by a timer", "step-ca db backup /var/backups/step-ca.db" },
	                                  { 0 } },
};

const struct command cmd_db_restore = {
	DB_COMMAND("restore", run_db_restore),
	.summary = "put a backup in the place of the database",
	.usage = "<file>",
	.description = "Puts the backup in the place of the database. What the database knows and the backup does not "
		       "is taken over: "
		       "certificates, revocations, closed lines, blocked keys, used tokens. So an old backup revives "
		       "nothing that "
		       "was revoked. What cannot be read from the database is told, and what has to be done again. The "
		       "database "
		       "is kept beside the new one. The CA must not be running. For SQLite; a PostgreSQL database has "
		       "pg_restore.",
	.positionals = (const struct positional[]){ { "file", "A backup", OPT_FILE }, { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.exit_codes =
		"0 where all was taken over; 3 where the backup was restored, and something that happened since is "
		"unknown; 1 where nothing was changed.",
};

const struct command cmd_db_export = {
	DB_COMMAND("export", run_db_export),
	.summary = "print certificates and revocations as JSON",
	.description = "Prints one JSON object a line: certificates, revocations, closed lines, blocked keys. Used "
		       "tokens, which mean "
		       "nothing elsewhere, are left out. The CA may run. `step-ca db import` reads its revocations.",
	.examples = (const struct example[]){ { "The serials of what is revoked",
	                                        "step-ca db export | jq -r 'select(.type == \"revocation\").serial'" },
	                                      { 0 } },
};
