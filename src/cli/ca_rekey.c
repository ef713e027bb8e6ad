#include "cli/ca_renewal.h"
#include "crypto/keys.h"
#include "x509/name.h"

struct ca_rekey_args {
	struct ca_flags ca;
	struct key_flags key;
	const char *out_cert, *out_key, *private_key, *password_file;
	struct opt_duration expires_in;
	bool force, offline;
};

/* The files of the transaction. Lock and journal go by the pair's own certificate, wherever the output goes. */
struct plan {
	struct filetx_file files[3];
	size_t n, crt, key;
	bool writes_key;
};

static struct plan plan_of(const char *crt, const char *key, const struct ca_rekey_args *o)
{
	struct plan p = { .n = 1, .files[0] = { .path = crt, .mode = 0600 } };
	const char *out_crt = opt_is_set(o->out_cert) ? o->out_cert : crt;
	const char *out_key = opt_is_set(o->out_key) ? o->out_key : key;
	p.writes_key = !opt_is_set(o->private_key) || opt_is_set(o->out_key);
	if (strcmp(out_crt, crt) != 0) {
		p.crt = p.n++;
		p.files[p.crt] = (struct filetx_file){ .path = out_crt, .mode = 0600 };
	}
	if (p.writes_key) {
		p.key = p.n++;
		p.files[p.key] = (struct filetx_file){ .path = out_key, .mode = 0600 };
	}
	return p;
}

static enum status new_key(const struct ca_rekey_args *o, EVP_PKEY **ret, struct error *e)
{
	struct ask_password asking = { .file = o->password_file,
		                       .flag = "--password-file",
		                       .label = "Please enter the password to decrypt the new private key" };
	return opt_is_set(o->private_key) ? read_key(o->private_key, &asking, ret, e) : key_from_flags(&o->key, ret, e);
}

/* The CA takes only the key of the request: subject and names stay those of the certificate. */
static enum status empty_csr(EVP_PKEY *key, struct csr *ret, struct error *e)
{
	AUTO(buf_done) struct buf name = BUF_INIT(64), der = BUF_INIT(CSR_MAX);
	struct name_attrs nobody = { 0 };
	if (name_encode(&nobody, &name, e) || csr_make(key, buf_slice(&name), NULL, &der, e))
		return e->status;
	return csr_parse(buf_slice(&der), true, ret, e);
}

static enum status rekey(struct invocation *inv, const struct ca_rekey_args *o, struct ca *c, const struct pair *pair,
                         const struct plan *p, struct filetx *tx, struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(chain_done) struct chain got = { 0 };

	if (new_key(o, &key, e))
		return e->status;
	/* On disk before the CA knows it: the new key is never in memory alone. */
	if (p->writes_key && stage_key(tx, p->key, key, e))
		return e->status;
	if (empty_csr(key, &csr, e))
		return e->status;
	if (ca_rekey(c, &pair->chain, pair->key, &csr, &got, NULL, e))
		return ca_fail(inv, c, "error rekeying certificate", e);
	return check_answer(inv, c, &got, pair->chain.v[0], key, e) || stage_chain(tx, p->crt, &got, e)
	               ? e->status
	               : filetx_commit(tx, e);
}

static enum status check_flags(struct invocation *inv, const struct ca_rekey_args *o, struct error *e)
{
	static const char *const not_built[] = { "offline", NULL };
	if (usage_not_built(inv, not_built, e))
		return e->status;
	if (opt_is_set(o->private_key) && opt_is_set(o->key.kty))
		return usage_incompatible("private-key", "kty", e);
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_rekey_args *o = INV_ARGS(inv, ca_rekey_args);
	struct plan p = plan_of(inv_pos(inv, 0), inv_pos(inv, 1), o);
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(pair_done) struct pair pair = { 0 };
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	struct error files_error = ERROR_INIT;
	bool due;

	inv_crypto(inv);
	if (check_flags(inv, o, e) || ca_set_url(inv, &o->ca, &c, e))
		return e->status;
	enum status writable = open_files(inv, p.files, p.n, &tx, &files_error);
	if (pair_load(inv_pos(inv, 0), inv_pos(inv, 1), o->password_file, &pair, e) ||
	    check_within_validity("expires-in", &o->expires_in, pair.chain.v[0], e) || ca_set_roots(inv, &o->ca, &c, e))
		return e->status;
	if (cert_facts(pair.chain.v[0])->not_after.s < inv_now(inv).s)
		return error_set(e, ST_EXPIRED, "cannot rekey an expired certificate");
	if (is_due(inv, &o->expires_in, pair.chain.v[0], "rekeyed", &due, e))
		return e->status;
	if (!due)
		return ST_OK;
	if (writable) {
		*e = files_error;
		return writable;
	}
	if (ask_overwrite(p.files[p.crt].path, o->force, e) ||
	    (p.writes_key && ask_overwrite(p.files[p.key].path, o->force, e)) || rekey(inv, o, &c, &pair, &p, tx, e))
		return e->status;
	term_tick("Certificate", "%s", p.files[p.crt].path);
	if (p.writes_key)
		term_tick("Private Key", "%s", p.files[p.key].path);
	return ST_OK;
}

static const struct opt opts[] = {
	FORCE_OPT(struct ca_rekey_args),
	OPT_DURATION(struct ca_rekey_args, expires_in, .name = "expires-in", .arg = "<duration>",
	             .help = "Rekey only where the certificate ends within this time, plus a random part of up to a "
	                     "twentieth"),
	OPT_STR(struct ca_rekey_args, out_cert, .name = "out-cert", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the new certificate there; default: replace the old one"),
	OPT_STR(struct ca_rekey_args, out_key, .name = "out-key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the new key there; default: replace the old one"),
	OPT_STR(struct ca_rekey_args, private_key, .name = "private-key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Use this key as the new one"),
	OPT_STR(struct ca_rekey_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "File with the password of the private key"),
	KEY_OPTS(struct ca_rekey_args),
	OPT_FLAG(struct ca_rekey_args, offline, .name = "offline", .flags = OPT_HIDDEN, .help = "Not built"),
	CA_URL_OPT(struct ca_rekey_args),
	CA_ROOT_OPT(struct ca_rekey_args),
	OPT_END,
};

const struct command cmd_ca_rekey = {
	.path = "ca rekey",
	.summary = "renew a certificate with a new key",
	.usage = "<crt-file> <key-file>",
	.description = "Makes a new key and asks the CA for a certificate with the old names for it. Certificate and "
	               "key change as one "
		       "transaction: after a crash at any instant they belong together, or the next run makes them so.",
	.positionals =
		(const struct positional[]){ { "crt-file", "The certificate (PEM or DER), with its chain", OPT_FILE },
	                                     { "key-file", "Its private key", OPT_FILE },
	                                     { 0 } },
	.pos_min = 2,
	.pos_max = 2,
	.opts = opts,
	.args_size = sizeof(struct ca_rekey_args),
	.exit_codes = "0 rekeyed, or not due; 1 any error.",
	.needs_defaults = true,
	.examples = (const struct example[]){ { "A new key now", "step ca rekey --force foo.crt foo.key" }, { 0 } },
	.run = run,
};
