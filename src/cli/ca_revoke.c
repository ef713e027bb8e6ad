#include "base/num.h"
#include "cli/ca_admin.h"
#include "cli/ca_offline.h"
#include "cli/ca_renewal.h"
#include "jose/ott.h"

struct ca_revoke_args {
	struct ca_flags ca;
	struct token_flags token;
	struct line_flags line;
	struct admin_flags admin;
	const char *cert, *key, *ott, *reason, *reason_code;
	bool dry_run, by_admin;
};

/* RFC 5280 §5.3.1; 7 is not used. */
static const char *const reasons[] = { "unspecified",   "keycompromise",        "cacompromise",    "affiliationchanged",
	                               "superseded",    "cessationofoperation", "certificatehold", NULL,
	                               "removefromcrl", "privilegewithdrawn",   "aacompromise" };

static enum status parse_reason(const char *text, int *ret, struct error *e)
{
	int64_t number;
	struct error not_number = ERROR_INIT;
	if (!opt_is_set(text))
		return ST_OK;
	if (!num_parse(slice_cstr(text), INT32_MIN, INT32_MAX, &number, &not_number)) {
		if (number < 0 || number > 10)
			return error_set(e, ST_INVALID,
			                 "reasonCode out of bounds. Got %d, but want value between 0 and 10",
			                 (int)number);
		*ret = (int)number;
		return ST_OK;
	}
	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		if (!reasons[i] || !slice_eq_nocase(slice_cstr(reasons[i]), slice_cstr(text)))
			continue;
		*ret = (int)i;
		return ST_OK;
	}
	return error_set(e, ST_INVALID, "unrecognized revocation reason code '%s'", text);
}

static enum status open_ca(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c, struct error *e)
{
	return c->url ? ST_OK : ca_open(inv, &o->ca, c, e); /* --offline has set it */
}

/* By the certificate itself, over mTLS. */
static enum status by_pair(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c,
                           struct ca_revoke_request *q, char serial[SERIAL_TEXT], struct error *e)
{
	AUTO(pair_done) struct pair pair = { 0 };
	if (open_ca(inv, o, c, e) || pair_load(o->cert, o->key, o->token.password_file, &pair, e))
		return e->status;
	snprintf(serial, SERIAL_TEXT, "%s", cert_facts(pair.chain.v[0])->serial_text);
	q->serial = serial;
	term_tick("CA", "%s", c->url);
	return ca_revoke(c, q, &pair.chain, pair.key, NULL, e) ? ca_fail(inv, c, NULL, e) : ST_OK;
}

static enum status check_token(const char *text, const char *serial, struct error *e)
{
	AUTO(ott_done) struct ott ott = { 0 };
	if (ott_parse(slice_cstr(text), &ott, e))
		return e->status;
	if (ott.sub && !strcmp(ott.sub, serial))
		return ST_OK;
	return error_set(e, ST_INVALID, "token subject '%s' and serial number '%s' do not match",
	                 ott.sub ? ott.sub : "", serial);
}

static enum status typed_serial(const struct invocation *inv, char serial[SERIAL_TEXT], struct error *e)
{
	const char *typed = inv_pos(inv, 0);
	if (!serial_normalize(slice_cstr(typed), serial, e))
		return ST_OK;
	return error_set(e, ST_INVALID,
	                 "'%s' is not a valid serial number - use a base 10 representation or add a "
	                 "prefix indicating the base",
	                 typed);
}

/* The serial as typed, and a token for it: the given one, or a new one. */
static enum status serial_and_token(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c,
                                    char serial[SERIAL_TEXT], struct buf *token, struct error *e)
{
	const char *scope = line_scope(&o->line);
	if (typed_serial(inv, serial, e))
		return e->status;
	if (opt_is_set(o->ott)) {
		buf_adds(token, o->ott);
		if (check_token(o->ott, serial, e) || ca_trust_token(inv, &o->ca, o->ott, c, e))
			return e->status;
	} else {
		struct token_ask ask = { .kind = scope ? TOKEN_REVOKE_LINE : TOKEN_REVOKE,
			                 .subject = serial,
			                 .scope = scope };
		if (open_ca(inv, o, c, e) || ca_token(inv, c, &o->token, &ask, token, e))
			return e->status;
	}
	return buf_check(token, e);
}

static enum status by_token(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c,
                            struct ca_revoke_request *q, char serial[SERIAL_TEXT], struct error *e)
{
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	if (serial_and_token(inv, o, c, serial, &token, e))
		return e->status;
	q->serial = serial;
	q->ott = buf_cstr(&token);
	term_tick("CA", "%s", c->url);
	return ca_revoke(c, q, NULL, NULL, NULL, e) ? ca_fail(inv, c, NULL, e) : ST_OK;
}

/* ---- a line ---- */

static void print_line(struct invocation *inv, const struct ca_line *l)
{
	char t[WALL_TEXT];
	for (size_t i = 0; i < l->n; i++) {
		const struct ca_line_cert *c = &l->v[i];
		buf_addf(&inv->out, "%s  %s  until %s%s%s\n", c->serial, *c->subject ? c->subject : "-",
		         wall_rfc3339(c->not_after, t), c->revoked ? "  revoked before" : "",
		         c->same_key_only ? "  another line's, with a key that is blocked" : "");
	}
}

static void say_line(struct invocation *inv, const struct ca_revoke_args *o, const char *serial,
                     const struct ca_line *l)
{
	const char *would = o->dry_run ? "would be" : "have been";
	long long all = (long long)l->n + (long long)l->more;
	if (l->more)
		inv_say(inv, "%lld more are not listed.", (long long)l->more);
	if (o->line.lineage)
		inv_say(inv,
		        "The line of Certificate with Serial Number %s, its keys and %lld unexpired certificates %s "
		        "revoked: none of them can be renewed or rekeyed, nor can the keys get a new certificate. "
		        "%lld more have expired.",
		        serial, all, would, (long long)l->expired);
	else
		inv_say(inv,
		        "Certificate with Serial Number %s and its descendants %s revoked: %lld unexpired, %lld "
		        "expired.",
		        serial, would, all, (long long)l->expired);
	if (o->line.lineage && l->closed)
		inv_say(inv, "The line was closed before.");
	if (!all && !l->expired)
		inv_say(inv, "The CA's database does not know this serial number.");
}

static enum status by_line(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c, int reason_code,
                           struct error *e)
{
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	AUTO(ca_line_done) struct ca_line line = { 0 };
	char serial[SERIAL_TEXT];
	if (serial_and_token(inv, o, c, serial, &token, e))
		return e->status;
	struct ca_revoke_line_request q = { .serial = serial,
		                            .ott = buf_cstr(&token),
		                            .scope = line_scope(&o->line),
		                            .reason = o->reason,
		                            .reason_code = reason_code,
		                            .dry_run = o->dry_run };
	term_tick("CA", "%s", c->url);
	if (ca_revoke_line(c, &q, &line, NULL, e))
		return ca_fail(inv, c, NULL, e);
	print_line(inv, &line);
	if (buf_check(&inv->out, e))
		return e->status;
	say_line(inv, o, serial, &line);
	return ST_OK;
}

/* On the CA's machine, where the right to its admin socket is enough. */
static enum status by_admin(struct invocation *inv, const struct ca_revoke_args *o, struct ca_revoke_request *q,
                            struct error *e)
{
	AUTO(ca_line_done) struct ca_line line = { 0 };
	char serial[SERIAL_TEXT], socket[ADMIN_PATH];
	struct admin_flags where = { .socket = o->admin.socket, .ca_config = o->token.ca_config };
	if (typed_serial(inv, serial, e) || admin_open(inv, &where, socket, e))
		return e->status;
	q->serial = serial;
	term_tick("CA", "%s", socket);
	if (!line_scope(&o->line)) {
		if (admin_revoke(socket, q, e))
			return e->status;
		inv_say(inv, "Certificate with Serial Number %s has been revoked.", serial);
		return ST_OK;
	}
	struct ca_revoke_line_request l = { .serial = serial,
		                            .scope = line_scope(&o->line),
		                            .reason = o->reason,
		                            .reason_code = q->reason_code,
		                            .dry_run = o->dry_run };
	if (admin_revoke_line(socket, &l, &line, e))
		return e->status;
	print_line(inv, &line);
	if (buf_check(&inv->out, e))
		return e->status;
	say_line(inv, o, serial, &line);
	return ST_OK;
}

static enum status check_line(const struct ca_revoke_args *o, struct error *e)
{
	const char *scope = line_scope(&o->line);
	if (o->dry_run && !scope)
		return error_set(e, ST_INVALID,
		                 "flag '--dry-run' requires the '--lineage' or the '--descendants' flag");
	/* A certificate speaks for itself alone. */
	if (scope && (opt_is_set(o->cert) || opt_is_set(o->key)))
		return usage_incompatible(scope, "cert", e);
	return line_check(&o->line, e);
}

static enum status check_flags(struct invocation *inv, const struct ca_revoke_args *o, struct error *e)
{
	bool pair = opt_is_set(o->cert) || opt_is_set(o->key);
	if (check_line(o, e))
		return e->status;
	if (o->token.offline && opt_is_set(o->ott))
		return usage_incompatible("offline", "token", e);
	if (o->by_admin && (pair || opt_is_set(o->ott) || o->token.offline))
		return usage_incompatible("admin", pair ? "cert" : o->token.offline ? "offline" : "token", e);
	if (pair && !opt_is_set(o->cert))
		return usage_requires("key", "cert", e);
	if (pair && !opt_is_set(o->key))
		return usage_requires("cert", "key", e);
	if (pair && opt_is_set(o->ott))
		return usage_exclusive("cert", "token", e);
	if (pair && inv->args.pos_n)
		return error_set(e, ST_INVALID,
		                 "the serial number is that of '--cert': leave the positional argument out");
	if (!pair && !inv->args.pos_n)
		return error_set(e, ST_INVALID,
		                 "not enough positional arguments were provided in '%s %s [<serial-number>]'",
		                 inv->set->program, inv->command->path);
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_revoke_args *o = INV_ARGS(inv, ca_revoke_args);
	AUTO(ca_offline_done) struct ca_offline offline = CA_OFFLINE_NONE;
	AUTO(ca_done) struct ca c = { 0 };
	struct ca_revoke_request q = { .reason = o->reason };
	char serial[SERIAL_TEXT];

	inv_crypto(inv);
	if (check_flags(inv, o, e) || parse_reason(o->reason_code, &q.reason_code, e) ||
	    (o->token.offline && ca_offline_start(inv, &o->token, &offline, &c, e)))
		return e->status;
	if (o->by_admin)
		return by_admin(inv, o, &q, e);
	if (line_scope(&o->line))
		return by_line(inv, o, &c, q.reason_code, e);
	enum status st = opt_is_set(o->cert) ? by_pair(inv, o, &c, &q, serial, e) : by_token(inv, o, &c, &q, serial, e);
	if (!st)
		inv_say(inv, "Certificate with Serial Number %s has been revoked.", serial);
	return st;
}

static const struct opt opts[] = {
	OPT_STR(struct ca_revoke_args, cert, .name = "cert", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The certificate to revoke, which authenticates this itself"),
	OPT_STR(struct ca_revoke_args, key, .name = "key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Its private key"),
	OPT_STR(struct ca_revoke_args, ott, .name = "token", .arg = "<token>", .flags = OPT_SECRET,
	        .help = "Token made with `step ca token --revoke`; else one is made with the provisioner's password"),
	LINE_OPTS(struct ca_revoke_args, "Revoke"),
	OPT_FLAG(struct ca_revoke_args, dry_run, .name = "dry-run",
	         .help = "With one of these: list what would be revoked, and change nothing"),
	TOKEN_OPTS(struct ca_revoke_args),
	OPT_FLAG(struct ca_revoke_args, by_admin, .name = "admin", .flags = OPT_NO_ENV,
	         .help = "On the CA's machine, as root or as the CA's user: neither token nor password is needed"),
	ADMIN_SOCKET_OPT(struct ca_revoke_args),
	OPT_STR(struct ca_revoke_args, reason, .name = "reason", .arg = "<text>", .help = "Why, in words"),
	OPT_STR(struct ca_revoke_args, reason_code, .name = "reasonCode", .arg = "<code>",
	        .help = "Why, as a number from 0 to 10 or a name such as `keyCompromise` (RFC 5280)"),
	OFFLINE_OPTS(struct ca_revoke_args),
	CA_URL_OPT(struct ca_revoke_args),
	CA_ROOT_OPT(struct ca_revoke_args),
	OPT_END,
};

const struct command cmd_ca_revoke = {
	.path = "ca revoke",
	.summary = "revoke a certificate: it will not be renewed again",
	.usage = "[<serial-number>]",
	.description =
		"Revocation is passive: the certificate ends when it ends, and cannot be renewed or rekeyed any "
		"more. Name it by its "
		"serial number, with a token or the provisioner's password, or give certificate and key. Whoever "
		"has a stolen key may have renewed its certificate: `--lineage` ends all that come from the same "
		"first certificate. That needs a token, the provisioner's password, or the CA's machine (`--admin`), "
	        "never a certificate.",
	.positionals =
		(const struct positional[]){
			{ "serial-number", "Decimal, or with a prefix such as 0x; not together with `--cert`", 0 },
			{ 0 } },
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct ca_revoke_args),
	.needs_defaults = true,
	.examples =
		(const struct example[]){
			{ "By the certificate itself",
	                  "step ca revoke --cert foo.crt --key foo.key --reasonCode superseded" },
			{ "By serial number",
	                  "step ca revoke 308893286343609293989051180431574390766 --reason laptop\\ lost" },
			{ "What may have come of a stolen key",
	                  "step ca revoke --lineage --dry-run 308893286343609293989051180431574390766" },
			{ "The end of all that",
	                  "step ca revoke --lineage --reasonCode 1 308893286343609293989051180431574390766" },
			{ "The same on the CA's machine, without a password",
	                  "sudo step ca revoke --admin --lineage 308893286343609293989051180431574390766" },
			{ 0 } },
	.run = run,
};
