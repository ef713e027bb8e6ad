#include "base/b64.h"
#include "cli/ca_admin.h"
#include "cli/commands.h"
#include "crypto/auto.h"
#include "crypto/digest.h"
#include "crypto/keys.h"
#include "os/file.h"

#include <stdio.h>
#include <unistd.h>

enum { NAME_SHOWN = 32, PROVISIONER_SHOWN = 14, NAMES_SHOWN = 4096 };

struct ca_list_args {
	struct admin_flags admin;
	const char *provisioner, *key, *serial, *line, *parent, *expiring_before;
	bool revoked, not_renewed, expired, all, json;
	struct opt_int limit;
};

struct list {
	struct invocation *inv;
	bool json, table;
	int64_t left, shown; /* left < 0: no limit */
	struct wall now;
};

/* ---- one certificate ---- */

static void add_header(struct buf *out)
{
	buf_addf(out, "%-*s  %-*s  %-7s  %-20s  %8s  %4s  %s\n", NAME_SHOWN, "NAME", PROVISIONER_SHOWN, "PROVISIONER",
	         "STATE", "NOT AFTER", "LEFT", "GEN", "SERIAL");
}

static void add_row(struct buf *out, const struct admin_cert *c, struct wall now)
{
	AUTO(buf_done) struct buf name = BUF_INIT(16 * NAME_SHOWN), provisioner = BUF_INIT(16 * PROVISIONER_SHOWN);
	char t[WALL_TEXT], left[ADMIN_SPAN];
	admin_add_name(&name, c, NAME_SHOWN - 3);
	text_escape(&provisioner, c->provisioner, PROVISIONER_SHOWN - 3);
	admin_add_cell(out, buf_cstr(&name), NAME_SHOWN);
	admin_add_cell(out, buf_cstr(&provisioner), PROVISIONER_SHOWN);
	buf_addf(out, "%-7.*s  %-20s  %8s  %4lld  %.*s\n", SLICE_FMT(c->state), wall_rfc3339(c->not_after, t),
	         admin_left(c->not_after, now, left), (long long)c->generation, SLICE_FMT(c->serial));
}

/* Tabs between columns, none of which is ever missing or broken over lines. */
static void add_columns(struct buf *out, const struct admin_cert *c, struct wall now)
{
	char from[WALL_TEXT], to[WALL_TEXT];
	buf_addf(out, "%.*s\t", SLICE_FMT(c->serial));
	text_escape(out, c->subject, NAMES_SHOWN);
	buf_addc(out, '\t');
	for (size_t i = 0; i < json_array_size(c->sans); i++) {
		if (i)
			buf_addc(out, ',');
		text_escape(out, jsonio_text(json_array_get(c->sans, i)), NAMES_SHOWN);
	}
	buf_addc(out, '\t');
	text_escape(out, c->provisioner, NAMES_SHOWN);
	buf_addf(out, "\t%s\t%s\t%lld\t%.*s\t%lld\t%.*s\t%.*s\t%.*s\n", wall_rfc3339(c->not_before, from),
	         wall_rfc3339(c->not_after, to), (long long)(c->not_after.s - now.s), SLICE_FMT(c->state),
	         (long long)c->generation, SLICE_FMT(c->line), SLICE_FMT(c->parent), SLICE_FMT(c->key));
}

static enum status add_one(struct list *l, const struct admin_cert *c, struct error *e)
{
	struct buf *out = &l->inv->out;
	if (l->json) {
		buf_adds(out, l->shown ? ",\n" : "[\n");
		if (admin_add_json(out, c, e))
			return e->status;
	} else if (l->table) {
		if (!l->shown)
			add_header(out);
		add_row(out, c, l->now);
	} else {
		add_columns(out, c, l->now);
	}
	l->shown++;
	return buf_check(out, e);
}

/* Each page is printed before the next is asked for. */
static enum status each_page(void *ctx, const struct admin_page *p, bool *ret_stop, struct error *e)
{
	struct list *l = ctx;
	for (size_t i = 0; i < p->n && l->left; i++, l->left -= l->left > 0)
		if (add_one(l, &p->v[i], e))
			return e->status;
	*ret_stop = !l->left;
	return inv_flush(l->inv, e);
}

/* ---- what is asked for ---- */

static enum status key_of_file(const char *path, char hex[SHA256_HEX], struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_SECRET(1 << 20);
	AUTO(buf_done) struct buf out = BUF_INIT(SHA256_HEX);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	struct ask_password ask = { .flag = "key", .label = "Please enter the password to decrypt the key" };
	struct password_source source = ask_password_source(&ask);
	uint8_t fp[32];
	if (file_read(path, &pem, e))
		return e->status;
	if (keyfile_parse_public(buf_slice(&pem), &source, &key, e))
		return error_wrap(e, "%s", path);
	if (key_fingerprint(key, fp, e))
		return e->status;
	hex_encode(&out, slice_of(fp, sizeof fp));
	snprintf(hex, SHA256_HEX, "%s", buf_cstr(&out));
	return ST_OK;
}

/* 64 hexadecimal digits, else a file. */
static enum status read_key_flag(const char *typed, char hex[SHA256_HEX], struct error *e)
{
	AUTO(buf_done) struct buf raw = BUF_INIT(32);
	struct error ignored = ERROR_INIT;
	if (strlen(typed) != SHA256_HEX - 1 || hex_decode(&raw, slice_cstr(typed), &ignored))
		return key_of_file(typed, hex, e);
	snprintf(hex, SHA256_HEX, "%s", typed);
	return ST_OK;
}

static enum status check_flags(const struct ca_list_args *o, struct error *e)
{
	static const char *const names[] = { "revoked", "not-renewed", "expired" };
	const bool given[] = { o->revoked, o->not_renewed, o->expired };
	const char *first = NULL;
	for (size_t i = 0; i < COUNT_OF(given); i++) {
		if (given[i] && first)
			return usage_exclusive(first, names[i], e);
		first = given[i] ? names[i] : first;
	}
	if (o->not_renewed && o->all)
		return usage_exclusive("not-renewed", "all", e);
	if (o->limit.set && o->limit.v < 1)
		return error_set(e, ST_INVALID, "flag '--limit' must be at least 1");
	return ST_OK;
}

static bool all_of(const struct ca_list_args *o)
{
	return o->all || opt_is_set(o->key) || opt_is_set(o->serial) || opt_is_set(o->line) || opt_is_set(o->parent);
}

/* What has been renewed or has expired is shown where it is asked for: by --all, or by naming a key, a line or a
 * certificate. */
static void set_states(const struct ca_list_args *o, struct admin_query *q)
{
	bool all =
		o->all || opt_is_set(o->key) || opt_is_set(o->serial) || opt_is_set(o->line) || opt_is_set(o->parent);
	size_t skip = 0;
	if (!all && !o->revoked)
		q->skip[skip++] = "renewed";
	if (!all && !o->expired)
		q->skip[skip++] = "expired";
	q->only[0] = o->revoked ? "revoked" : o->not_renewed ? "due" : o->expired ? "expired" : NULL;
}

static enum status make_query(struct invocation *inv, const struct ca_list_args *o, char key[SHA256_HEX],
                              struct admin_query *q, struct error *e)
{
	*q = (struct admin_query){
		.serial = o->serial,
		.line = o->line,
		.parent = o->parent,
		.name = inv_pos(inv, 0),
		.provisioner = o->provisioner,
		.has_before = opt_is_set(o->expiring_before),
		.rows = o->limit.set && o->limit.v < ADMIN_ROWS_MAX ? (int)o->limit.v : 0,
	};
	if (q->has_before && inv_time(inv, "expiring-before", o->expiring_before, &q->before, e))
		return e->status;
	if (opt_is_set(o->key)) {
		if (read_key_flag(o->key, key, e))
			return e->status;
		q->key = key;
	}
	if (o->expired && (!q->has_before || q->before.s > inv_now(inv).s)) {
		q->has_before = true;
		q->before = inv_now(inv);
	}
	set_states(o, q);
	/* the end of life is what the inventory is ordered by: no need to look at what has expired */
	q->has_from = !all_of(o) && !o->expired;
	q->from = inv_now(inv);
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_list_args *o = INV_ARGS(inv, ca_list_args);
	char socket[ADMIN_PATH], key[SHA256_HEX];
	struct admin_query q;
	if (check_flags(o, e))
		return e->status;
	inv_crypto(inv);
	if (make_query(inv, o, key, &q, e) || admin_open(inv, &o->admin, socket, e))
		return e->status;
	struct list l = { .inv = inv,
		          .json = o->json,
		          .table = isatty(STDOUT_FILENO),
		          .left = o->limit.set ? o->limit.v : -1,
		          .now = inv_now(inv) };
	if (admin_pages(socket, &q, each_page, &l, e))
		return e->status;
	if (l.json)
		buf_adds(&inv->out, l.shown ? "\n]\n" : "[]\n");
	else if (!l.shown && l.table)
		inv_say(inv, "No certificate is like that.");
	return buf_check(&inv->out, e);
}

static const struct opt opts[] = {
	OPT_STR(struct ca_list_args, provisioner, .name = "provisioner", .arg = "<name>", .flags = OPT_NO_ENV,
	        .help = "Only those that this provisioner issued; a pattern as for the name"),
	OPT_STR(struct ca_list_args, key, .name = "key", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "Only those with the key in this file, a key or a certificate; or the SHA-256 of the public "
	                "key in "
	                "hexadecimal. Includes what has expired or been renewed"),
	OPT_STR(struct ca_list_args, serial, .name = "serial", .arg = "<number>", .flags = OPT_NO_ENV,
	        .help = "The one with this serial number"),
	OPT_STR(struct ca_list_args, line, .name = "line", .arg = "<number>", .flags = OPT_NO_ENV,
	        .help = "All that were renewed or rekeyed from the same first certificate as the one with this serial "
	                "number"),
	OPT_STR(struct ca_list_args, parent, .name = "parent", .arg = "<number>", .flags = OPT_NO_ENV,
	        .help = "Those that were renewed or rekeyed from this one"),
	OPT_STR(struct ca_list_args, expiring_before, .name = "expiring-before", .arg = "<time|duration>",
	        .flags = OPT_NO_ENV, .help = "Only those that end before this time, or within this duration from now"),
	OPT_FLAG(struct ca_list_args, not_renewed, .name = "not-renewed", .flags = OPT_NO_ENV,
	         .help = "Only those that should have been renewed: two thirds of their life are over"),
	OPT_FLAG(struct ca_list_args, revoked, .name = "revoked", .flags = OPT_NO_ENV,
	         .help = "Only revoked ones, whether or not they were renewed before"),
	OPT_FLAG(struct ca_list_args, expired, .name = "expired", .flags = OPT_NO_ENV,
	         .help = "Only those that expired and were not renewed before"),
	OPT_FLAG(struct ca_list_args, all, .name = "all", .flags = OPT_NO_ENV,
	         .help = "Also what has expired or been renewed"),
	OPT_INT(struct ca_list_args, limit, .name = "limit", .arg = "<number>", .flags = OPT_NO_ENV,
	        .help = "No more than this many: those that end first"),
	OPT_FLAG(struct ca_list_args, json, .name = "json", .flags = OPT_NO_ENV, .help = "Print a JSON array"),
	ADMIN_OPTS(struct ca_list_args),
	OPT_END,
};

const struct command cmd_ca_list = {
	.path = "ca list",
	.summary = "list the certificates that the CA has issued",
	.usage = "[<name>]",
	.description =
		"Asks the CA on this machine, over its admin socket, as root or as the user that runs the CA. Without "
		"a name: "
		"every certificate that has neither expired nor been renewed, those that end first above.\n\n"
		"On a terminal it prints a table. Elsewhere it prints a line for each certificate, with tabs between: "
		"serial "
		"number, common name, names (commas between), provisioner, not before, not after, seconds left, state, "
		"generation, serial number of the line's first certificate, serial number of the parent, SHA-256 of "
		"the public "
		"key.\n\n"
		"The state is `revoked`, `closed` (its line is: it cannot be renewed), `expired`, `renewed` (another "
		"took its "
		"place), `due` (two thirds of its life are over) or `active`.",
	.positionals =
		(const struct positional[]){
			{ "name", "Only those with this in a name; `*` and `?` stand for any text and any character",
	                  0 },
			{ 0 } },
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct ca_list_args),
	.examples = (const struct example[]){ { "What should have been renewed", "step ca list --not-renewed" },
	                                      { "What ends within the day", "step ca list --expiring-before 24h" },
	                                      { "Whatever was issued for a key that was stolen",
	                                        "step ca list --key web.key --json" },
	                                      { 0 } },
	.run = run,
};
