#include "cli/ca_common.h"
#include "crypto/auto.h"
#include "crypto/digest.h"
#include "base/b64.h"
#include "os/file.h"

struct ca_token_args {
	struct ca_flags ca;
	struct token_flags token;
	struct text_list sans;
	const char *not_before, *not_after, *output_file, *cnf, *cnf_file;
	bool force, revoke, renew, rekey, ssh;
	struct line_flags line;
};

/* A renew token is made by the certificate's own key; no provisioner is asked (spec/client.md §4). */
static enum status renew_token(struct invocation *inv, const struct ca_token_args *o, struct buf *out, struct error *e)
{
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(chain_done) struct chain certs = { 0 };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(buf_done) struct buf audience = BUF_INIT(4096);
	struct ask_password asking = { .file = o->token.password_file,
		                       .flag = "--password-file",
		                       .label = "Please enter the password to decrypt the key" };
	if (!opt_is_set(o->token.x5c_cert))
		return usage_required(inv, "x5c-cert", e);
	if (!opt_is_set(o->token.x5c_key))
		return usage_required(inv, "x5c-key", e);
	enum status st = ca_set_url(inv, &o->ca, &c, e);
	if (st || load_chain(o->token.x5c_cert, &certs, e) || read_key(o->token.x5c_key, &asking, &key, e))
		return e->status;
	if (strcmp(inv_pos(inv, 0), cert_facts(certs.v[0])->common_name) != 0)
		return error_set(e, ST_INVALID, "positional argument <subject> must match the certificate common name");
	buf_addf(&audience, "%s/1.0/renew", c.url);
	return token_renew(&certs, key, buf_cstr(&audience), inv_now(inv), out, e);
}

/* The fingerprint of a request, for --cnf-file. */
static enum status cnf_of(const char *path, struct buf *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CSR_MAX);
	AUTO(csr_done) struct csr csr = { 0 };
	uint8_t sum[SHA256_BYTES];
	if (file_read(path, &text, e) || csr_parse(buf_slice(&text), true, &csr, e) ||
	    digest_sha256(buf_slice(&csr.der), sum, e))
		return error_wrap(e, "%s", path);
	b64_encode(ret, slice_of(sum, sizeof sum), B64_URL_RAW);
	return buf_check(ret, e);
}

static enum status make(struct invocation *inv, const struct ca_token_args *o, struct buf *out, struct error *e)
{
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(buf_done) struct buf cnf = BUF_INIT(128);
	if (!o->token.offline && ca_open(inv, &o->ca, &c, e))
		return e->status;
	if (opt_is_set(o->cnf_file) && cnf_of(o->cnf_file, &cnf, e))
		return e->status;
	struct token_ask ask = {
		.kind = line_scope(&o->line) ? TOKEN_REVOKE_LINE
		        : o->revoke          ? TOKEN_REVOKE
		                             : TOKEN_SIGN,
		.scope = line_scope(&o->line),
		.subject = inv_pos(inv, 0),
		.sans = o->sans.v,
		.sans_n = o->sans.n,
		.not_before = o->not_before,
		.not_after = o->not_after,
		.cnf = cnf.n ? buf_cstr(&cnf) : o->cnf,
	};
	return ca_token(inv, &c, &o->token, &ask, out, e);
}

static enum status check(const struct ca_token_args *o, struct error *e)
{
	if (o->revoke && o->renew)
		return usage_incompatible("revoke", "renew", e);
	if (line_scope(&o->line) && !o->revoke)
		return usage_requires(line_scope(&o->line), "revoke", e);
	if (line_check(&o->line, e))
		return e->status;
	if (o->revoke && o->sans.n)
		return usage_incompatible("revoke", "san", e);
	if (o->renew && o->token.offline)
		return usage_incompatible("renew", "offline", e);
	if (opt_is_set(o->cnf) && opt_is_set(o->cnf_file))
		return usage_exclusive("cnf", "cnf-file", e);
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	static const char *const not_built[] = { "ssh", NULL };
	const struct ca_token_args *o = INV_ARGS(inv, ca_token_args);
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	struct filetx_file file = { .path = o->output_file, .mode = 0600 };
	inv_crypto(inv);
	enum status st = usage_not_built(inv, not_built, e);
	if (!st)
		st = check(o, e);
	if (!st && opt_is_set(o->output_file))
		st = ask_and_open_files(inv, &file, 1, o->force, &tx, e);
	if (!st)
		st = o->renew ? renew_token(inv, o, &token, e) : make(inv, o, &token, e);
	if (st)
		return st;
	if (tx)
		return filetx_stage(tx, 0, buf_slice(&token), e) ? e->status : filetx_commit(tx, e);
	buf_add_slice(&inv->out, buf_slice(&token));
	buf_addc(&inv->out, '\n');
	return buf_check(&inv->out, e);
}

static const struct opt opts[] = {
	TOKEN_OPTS(struct ca_token_args),
	OPT_STR(struct ca_token_args, token.key, .name = "key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Sign with this private key (PEM) instead of asking the CA for the provisioner's"),
	OPT_LIST(struct ca_token_args, sans, .name = "san", .arg = "<name>",
	         .help = "Name, address, e-mail or URI that the certificate is for; default: the subject"),
	OPT_STR(struct ca_token_args, not_before, .name = "not-before", .arg = "<time|duration>",
	        .help = "When the token begins: a time (RFC 3339), or a duration from now; by default now"),
	OPT_STR(struct ca_token_args, not_after, .name = "not-after", .arg = "<time|duration>",
	        .help = "When the token ends: a time (RFC 3339), or a duration from now; by default five minutes after "
	                "its start"),
	OPT_STR(struct ca_token_args, output_file, .name = "output-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the token there (0600) and print nothing"),
	OPT_FLAG(struct ca_token_args, revoke, .name = "revoke",
	         .help = "A token that revokes; the subject is the certificate's serial number"),
	LINE_OPTS(struct ca_token_args, "With `--revoke`: the token revokes"),
	OPT_FLAG(struct ca_token_args, renew, .name = "renew",
	         .help = "A token that renews the certificate of `--x5c-cert`, also after its end where the CA allows "
	                 "that"),
	OPT_FLAG(struct ca_token_args, rekey, .name = "rekey", .help = "Accepted; an ordinary token serves"),
	OPT_STR(struct ca_token_args, cnf, .name = "cnf", .arg = "<fingerprint>",
	        .help = "The token is good for the request with this fingerprint only"),
	OPT_STR(struct ca_token_args, cnf_file, .name = "cnf-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The same, from the request's file"),
	OPT_FLAG(struct ca_token_args, token.offline, .name = "offline",
	         .help = "Read provisioner and key from the CA's configuration instead of asking the CA"),
	OPT_STR(struct ca_token_args, token.ca_config, .name = "ca-config", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The CA's configuration for `--offline`; default: $(step path)/config/ca.json"),
	OPT_FLAG(struct ca_token_args, ssh, .name = "ssh", .flags = OPT_HIDDEN, .help = "Not built"),
	CA_URL_OPT(struct ca_token_args),
	CA_ROOT_OPT(struct ca_token_args),
	FORCE_OPT(struct ca_token_args),
	OPT_END,
};

const struct command cmd_ca_token = {
	.path = "ca token",
	.summary = "make a one-time token",
	.usage = "<subject>",
	.description =
		"Prints a token with which a host or a person may ask the CA once for a certificate for `subject`, "
		"within five "
		"minutes. The provisioner's key is fetched from the CA, encrypted, and opened with its password here.",
	.positionals = (const struct positional[]){ { "subject",
	                                              "Common name of the certificate, or with `--revoke` its "
	                                              "serial number",
	                                              0 },
	                                            { 0 } },
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct ca_token_args),
	.needs_defaults = true,
	.examples =
		(const struct example[]){
			{ "A token for foo.local", "step ca token --password-file password.txt foo.local" },
			{ "For two names", "step ca token --san foo.local --san 10.0.0.1 foo.local" },
			{ 0 } },
	.run = run,
};
