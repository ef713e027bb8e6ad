#include "cli/ca_renewal.h"

struct ca_renew_args {
	struct ca_flags ca;
	const char *out, *password_file;
	struct opt_duration expires_in;
	bool force, mtls, offline;
};

/* mTLS, or where that cannot be (the certificate has ended, --mtls=false) a token signed by the certificate's key. */
static enum status ask_ca(struct invocation *inv, const struct ca_renew_args *o, struct ca *c, const struct pair *p,
                          struct chain *ret, struct error *e)
{
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	AUTO(buf_done) struct buf audience = BUF_INIT(4096);
	bool by_token =
		(args_given(&inv->args, "mtls") && !o->mtls) || cert_facts(p->chain.v[0])->not_after.s < inv_now(inv).s;
	if (by_token)
		buf_addf(&audience, "%s/renew", c->url);
	if ((by_token && token_renew(&p->chain, p->key, buf_cstr(&audience), inv_now(inv), &token, e)) ||
	    ca_renew(c, &p->chain, p->key, by_token ? buf_cstr(&token) : NULL, ret, NULL, e))
		return ca_fail(inv, c, "error renewing certificate", e);
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	static const char *const not_built[] = { "offline", NULL };
	const struct ca_renew_args *o = INV_ARGS(inv, ca_renew_args);
	const char *crt = inv_pos(inv, 0), *key = inv_pos(inv, 1), *out = opt_is_set(o->out) ? o->out : crt;
	struct filetx_file files[] = { { .path = crt, .mode = 0600 }, { .path = out, .mode = 0600 } };
	size_t target = out != crt && strcmp(out, crt) != 0;
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(pair_done) struct pair pair = { 0 };
	AUTO(chain_done) struct chain got = { 0 };
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	struct error files_error = ERROR_INIT;
	bool due;

	inv_crypto(inv);
	if (usage_not_built(inv, not_built, e) || ca_set_url(inv, &o->ca, &c, e))
		return e->status;
	/* First the files: an interrupted run is finished before the pair is read. That they cannot be written matters
	 * only where something is due. */
	enum status writable = open_files(inv, files, target + 1, &tx, &files_error);
	if (pair_load(crt, key, o->password_file, &pair, e) ||
	    check_within_validity("expires-in", &o->expires_in, pair.chain.v[0], e) ||
	    ca_set_roots(inv, &o->ca, &c, e) || is_due(inv, &o->expires_in, pair.chain.v[0], "renewed", &due, e))
		return e->status;
	if (!due)
		return ST_OK;
	if (writable) {
		*e = files_error;
		return writable;
	}
	if (ask_overwrite(out, o->force, e) || ask_ca(inv, o, &c, &pair, &got, e) ||
	    check_answer(inv, &c, &got, pair.chain.v[0], pair.key, e) || stage_chain(tx, target, &got, e) ||
	    filetx_commit(tx, e))
		return e->status;
	inv_say(inv, "Your certificate has been saved in %s.", out);
	return ST_OK;
}

static const struct opt opts[] = {
	FORCE_OPT(struct ca_renew_args),
	OPT_DURATION(struct ca_renew_args, expires_in, .name = "expires-in", .arg = "<duration>",
	             .help = "Renew only where the certificate ends within this time, plus a random part of up to a "
	                     "twentieth"),
	OPT_STR(struct ca_renew_args, out, .name = "out", .alias = "output-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the new certificate there; default: replace the old one"),
	OPT_STR(struct ca_renew_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "File with the password of the private key"),
	OPT_FLAG(struct ca_renew_args, mtls, .name = "mtls",
	         .help = "`--mtls=false` renews with a token in place of a TLS client certificate, as is done by "
	                 "itself after "
	                 "the certificate's end"),
	OPT_FLAG(struct ca_renew_args, offline, .name = "offline", .flags = OPT_HIDDEN, .help = "Not built"),
	CA_URL_OPT(struct ca_renew_args),
	CA_ROOT_OPT(struct ca_renew_args),
	OPT_END,
};

const struct command cmd_ca_renew = {
	.path = "ca renew",
	.summary = "renew a certificate",
	.usage = "<crt-file> <key-file>",
	.description = "Asks the CA for a new certificate with the same names, key and lifetime, authenticated by the "
	               "old one. The answer is "
		       "checked (key, names, chain, dates) before it replaces the file; a file is replaced whole or "
	               "not at all and "
		       "keeps its owner and mode. Nothing is asked of the CA before it is known that the answer can be "
	               "kept.\n\n"
		       "With `--expires-in` the command fits cron: it renews only what is near its end, and says so "
	               "and ends with 0 "
		       "where it does not.",
	.positionals =
		(const struct positional[]){ { "crt-file", "The certificate (PEM or DER), with its chain", OPT_FILE },
	                                     { "key-file", "Its private key", OPT_FILE },
	                                     { 0 } },
	.pos_min = 2,
	.pos_max = 2,
	.opts = opts,
	.args_size = sizeof(struct ca_renew_args),
	.exit_codes = "0 renewed, or not due; 1 any error.",
	.needs_defaults = true,
	.examples = (const struct example[]){ { "Renew now", "step ca renew --force foo.crt foo.key" },
	                                      { "Renew where less than four hours are left",
	                                        "step ca renew --force --expires-in 4h foo.crt foo.key" },
	                                      { 0 } },
	.run = run,
};
