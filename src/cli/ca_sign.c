#include "cli/ca_offline.h"
#include "crypto/digest.h"
#include "jose/ott.h"
#include "base/b64.h"
#include "os/file.h"

struct ca_sign_args {
	struct ca_flags ca;
	struct token_flags token;
	const char *ott, *not_before, *not_after;
	bool force;
};

static enum status load_csr(const char *path, struct csr *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CSR_MAX);
	if (file_read(path, &text, e))
		return e->status;
	if (csr_parse(buf_slice(&text), true, ret, e) || csr_verify(ret, e))
		return error_wrap(e, "error reading certificate request %s", path);
	return ST_OK;
}

/* A token for just this request: its names, and bound to it by cnf. */
static enum status make_token(struct invocation *inv, const struct ca_sign_args *o, const struct csr *csr,
                              struct ca_offline *offline, struct ca *c, struct buf *ret, struct error *e)
{
	AUTO(buf_done) struct buf cnf = BUF_INIT(128);
	AUTO(text_list_done) struct text_list sans = { 0 };
	uint8_t sum[SHA256_BYTES];
	const char *subject = csr->common_name;
	if (ca_reach(inv, &o->ca, &o->token, offline, c, e) || digest_sha256(buf_slice(&csr->der), sum, e))
		return e->status;
	b64_encode(&cnf, slice_of(sum, sizeof sum), B64_URL_RAW);
	sans.v = calloc(csr->sans.n + 1, sizeof *sans.v);
	if (!sans.v || buf_check(&cnf, e))
		return error_nomem(e);
	for (; sans.n < csr->sans.n; sans.n++)
		sans.v[sans.n] = csr->sans.v[sans.n].text;
	if (!*subject && csr->sans.n)
		subject = csr->sans.v[0].text;
	if (!*subject)
		return error_set(e, ST_INVALID,
		                 "the certificate request names nobody: it has neither a common name nor "
		                 "subject alternative names");
	struct token_ask ask = {
		.kind = TOKEN_SIGN, .subject = subject, .sans = sans.v, .sans_n = sans.n, .cnf = buf_cstr(&cnf)
	};
	return ca_token(inv, c, &o->token, &ask, ret, e);
}

static enum status take_token(struct invocation *inv, const struct ca_sign_args *o, const struct csr *csr, struct ca *c,
                              struct buf *ret, struct error *e)
{
	AUTO(ott_done) struct ott ott = { 0 };
	if (ott_parse(slice_cstr(o->ott), &ott, e))
		return e->status;
	const char *sub = ott.sub ? ott.sub : "";
	if (*csr->common_name && !slice_eq_nocase(slice_cstr(sub), slice_cstr(csr->common_name)))
		return error_set(e, ST_INVALID, "token subject '%s' and CSR CommonName '%s' do not match", sub,
		                 csr->common_name);
	buf_adds(ret, o->ott);
	return buf_check(ret, e) ? e->status : ca_trust_token(inv, &o->ca, o->ott, c, e);
}

static enum status obtain(struct invocation *inv, const struct ca_sign_args *o, const struct csr *csr,
                          struct filetx *tx, struct error *e)
{
	AUTO(ca_offline_done) struct ca_offline offline = CA_OFFLINE_NONE;
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	AUTO(chain_done) struct chain got = { 0 };
	enum status st =
		opt_is_set(o->ott) ? take_token(inv, o, csr, &c, &token, e)
				   : make_token(inv, o, csr, &offline, &c, &token, e);
	if (st)
		return st;
	term_tick("CA", "%s", c.url);
	struct ca_sign_request q = {
		.csr = csr, .ott = buf_cstr(&token), .not_before = o->not_before, .not_after = o->not_after
	};
	if (ca_sign(&c, &q, &got, NULL, e))
		return ca_fail(inv, &c, NULL, e);
	return check_answer(inv, &c, &got, NULL, csr->key, e) || stage_chain(tx, 0, &got, e) ? e->status
	                                                                                     : filetx_commit(tx, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_sign_args *o = INV_ARGS(inv, ca_sign_args);
	struct filetx_file file = { .path = inv_pos(inv, 1), .mode = 0600 };
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	AUTO(csr_done) struct csr csr = { 0 };
	inv_crypto(inv);
	if (o->token.offline && opt_is_set(o->ott))
		return usage_incompatible("offline", "token", e);
	if (load_csr(inv_pos(inv, 0), &csr, e) ||
	    ask_and_open_files(inv, &file, 1, o->force, &tx, e) || obtain(inv, o, &csr, tx, e))
		return e->status;
	term_tick("Certificate", "%s", file.path);
	return ST_OK;
}

static const struct opt opts[] = {
	OPT_STR(struct ca_sign_args, ott, .name = "token", .arg = "<token>", .flags = OPT_SECRET,
	        .help = "One-time token; else one is made with the provisioner's password"),
	TOKEN_OPTS(struct ca_sign_args),
	OPT_STR(struct ca_sign_args, not_before, .name = "not-before", .arg = "<time|duration>",
	        .help = "When the certificate begins: a time (RFC 3339), or a duration from now; by default the CA's "
	                "backdate before now"),
	OPT_STR(struct ca_sign_args, not_after, .name = "not-after", .arg = "<time|duration>",
	        .help = "When it ends: a time (RFC 3339), or a duration from `--not-before`, else from now; "
	                "the provisioner's limits apply"),
	OFFLINE_OPTS(struct ca_sign_args),
	CA_URL_OPT(struct ca_sign_args),
	CA_ROOT_OPT(struct ca_sign_args),
	FORCE_OPT(struct ca_sign_args),
	OPT_END,
};

const struct command cmd_ca_sign = {
	.path = "ca sign",
	.summary = "get a certificate for a request",
	.usage = "<csr-file> <crt-file>",
	.description = "Sends a certificate request to the CA and writes the certificate and its intermediate. The "
		       "private key stays where it "
		       "is.",
	.positionals =
		(const struct positional[]){ { "csr-file", "Certificate request (PEM or DER)", OPT_FILE },
	                                     { "crt-file", "File for certificate and intermediate (PEM)", OPT_FILE },
	                                     { 0 } },
	.pos_min = 2,
	.pos_max = 2,
	.opts = opts,
	.args_size = sizeof(struct ca_sign_args),
	.needs_defaults = true,
	.examples =
		(const struct example[]){ { "With a token", "step ca sign --token $TOKEN foo.csr foo.crt" }, { 0 } },
	.run = run,
};
