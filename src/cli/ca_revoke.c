#include "cli/ca_renewal.h"
#include "base/num.h"
#include "jose/ott.h"

struct ca_revoke_args {
	struct ca_flags ca;
	struct token_flags token;
	const char *cert, *key, *ott, *reason, *reason_code;
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

/* By the certificate itself, over mTLS. */
static enum status by_pair(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c,
                           struct ca_revoke_request *q, char serial[SERIAL_TEXT], struct error *e)
{
	AUTO(pair_done) struct pair pair = { 0 };
	if (ca_open(inv, &o->ca, c, e) || pair_load(o->cert, o->key, NULL, &pair, e))
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

static enum status by_token(struct invocation *inv, const struct ca_revoke_args *o, struct ca *c,
                            struct ca_revoke_request *q, char serial[SERIAL_TEXT], struct error *e)
{
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	const char *typed = inv_pos(inv, 0);
	if (serial_normalize(slice_cstr(typed), serial, e))
		return error_set(e, ST_INVALID,
		                 "'%s' is not a valid serial number - use a base 10 representation or add a "
		                 "prefix indicating the base",
		                 typed);
	q->serial = serial;
	if (opt_is_set(o->ott)) {
		buf_adds(&token, o->ott);
		if (check_token(o->ott, serial, e) || ca_trust_token(inv, &o->ca, o->ott, c, e))
			return e->status;
	} else {
		struct token_ask ask = { .kind = TOKEN_REVOKE, .subject = serial };
		if (ca_open(inv, &o->ca, c, e) || ca_token(inv, c, &o->token, &ask, &token, e))
			return e->status;
	}
	if (buf_check(&token, e))
		return e->status;
	q->ott = buf_cstr(&token);
	term_tick("CA", "%s", c->url);
	return ca_revoke(c, q, NULL, NULL, NULL, e) ? ca_fail(inv, c, NULL, e) : ST_OK;
}

static enum status check_flags(struct invocation *inv, const struct ca_revoke_args *o, struct error *e)
{
	bool pair = opt_is_set(o->cert) || opt_is_set(o->key);
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
	static const char *const not_built[] = { "offline", NULL };
	const struct ca_revoke_args *o = INV_ARGS(inv, ca_revoke_args);
	AUTO(ca_done) struct ca c = { 0 };
	struct ca_revoke_request q = { .reason = o->reason };
	char serial[SERIAL_TEXT];

	inv_crypto(inv);
	if (usage_not_built(inv, not_built, e) || check_flags(inv, o, e) ||
	    parse_reason(o->reason_code, &q.reason_code, e))
		return e->status;
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
	TOKEN_OPTS(struct ca_revoke_args),
	OPT_STR(struct ca_revoke_args, reason, .name = "reason", .arg = "<text>", .help = "Why, in words"),
	OPT_STR(struct ca_revoke_args, reason_code, .name = "reasonCode", .arg = "<code>",
	        .help = "Why, as a number from 0 to 10 or a name such as `keyCompromise` (RFC 5280)"),
	OPT_FLAG(struct ca_revoke_args, token.offline, .name = "offline", .flags = OPT_HIDDEN, .help = "Not built"),
	CA_URL_OPT(struct ca_revoke_args),
	CA_ROOT_OPT(struct ca_revoke_args),
	OPT_END,
};

const struct command cmd_ca_revoke = {
	.path = "ca revoke",
	.summary = "revoke a certificate: it will not be renewed again",
	.usage = "[<serial-number>]",
	.description = "Revocation is passive: the certificate ends when it ends, and cannot be renewed or rekeyed any "
	               "more. Name it by its "
		       "serial number, with a token or the provisioner's password, or give certificate and key.",
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
			{ 0 } },
	.run = run,
};
