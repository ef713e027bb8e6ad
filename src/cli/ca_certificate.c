#include "cli/ca_offline.h"
#include "cli/pair_dir.h"
#include "crypto/auto.h"
#include "jose/ott.h"
#include "os/versions.h"
#include "x509/name.h"

struct ca_certificate_args {
	struct ca_flags ca;
	struct token_flags token;
	struct key_flags key;
	struct text_list sans;
	const char *ott, *not_before, *not_after, *pair_dir;
	bool force;
};

/* Names of the request: --san or what the token says, else the subject. */
static enum status collect_sans(const struct ca_certificate_args *o, const char *subject, const struct ott *ott,
                                struct san_list *ret, struct error *e)
{
	enum status st = ST_OK;
	for (size_t i = 0; !st && i < o->sans.n; i++)
		st = san_list_add(ret, slice_cstr(o->sans.v[i]), e);
	for (size_t i = 0; !st && i < ott->sans_n; i++)
		st = san_list_add(ret, slice_cstr(ott->sans[i]), e);
	if (!st && !ret->n)
		st = san_list_add(ret, slice_cstr(subject), e);
	return st;
}

static enum status make_csr(const char *subject, const struct san_list *sans, EVP_PKEY *key, struct csr *ret,
                            struct error *e)
{
	AUTO(buf_done) struct buf name = BUF_INIT(4096), der = BUF_INIT(CSR_MAX);
	struct name_attrs attrs = { .common_name = subject };
	if (name_encode(&attrs, &name, e) || csr_make(key, buf_slice(&name), sans, &der, e) ||
	    csr_parse(buf_slice(&der), true, ret, e))
		return error_wrap(e, "certificate request for %s", subject);
	return ST_OK;
}

/* The given token, checked against the subject, with the trust that it brings; or a new one from a provisioner. */
static enum status get_token(struct invocation *inv, const struct ca_certificate_args *o, const char *subject,
                             struct ca_offline *offline, struct ca *c, struct buf *ret, struct error *e)
{
	if (opt_is_set(o->ott)) {
		buf_adds(ret, o->ott);
		return buf_check(ret, e) ? e->status : ca_trust_token(inv, &o->ca, o->ott, c, e);
	}
	struct token_ask ask = { .kind = TOKEN_SIGN, .subject = subject, .sans = o->sans.v, .sans_n = o->sans.n };
	return ca_reach(inv, &o->ca, &o->token, offline, c, e) ? e->status
	                                                       : ca_token(inv, c, &o->token, &ask, ret, e);
}

static enum status check_subject(const struct ott *ott, const char *subject, struct error *e)
{
	const char *sub = ott->sub ? ott->sub : "";
	if (slice_eq_nocase(slice_cstr(sub), slice_cstr(subject)))
		return ST_OK;
	return error_set(e, ST_INVALID, "token subject '%s' and argument '%s' do not match", sub, subject);
}

enum { CRT, KEY };

static enum status obtain(struct invocation *inv, const struct ca_certificate_args *o, struct filetx *tx,
                          const char *subject, struct error *e)
{
	AUTO(ca_offline_done) struct ca_offline offline = CA_OFFLINE_NONE;
	AUTO(ca_done) struct ca c = { 0 };
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	AUTO(ott_done) struct ott ott = { 0 };
	AUTO(san_list_done) struct san_list sans = { 0 };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(csr_done) struct csr csr = { 0 };
	AUTO(chain_done) struct chain got = { 0 };

	/* The key is on disk before the CA is asked: it is never in memory alone. */
	if (key_from_flags(&o->key, &key, e) || stage_key(tx, KEY, key, e) ||
	    get_token(inv, o, subject, &offline, &c, &token, e) || ott_parse(buf_slice(&token), &ott, e) ||
	    check_subject(&ott, subject, e) || collect_sans(o, subject, &ott, &sans, e) ||
	    make_csr(ott.sub, &sans, key, &csr, e))
		return e->status;
	term_tick("CA", "%s", c.url);
	struct ca_sign_request q = {
		.csr = &csr, .ott = buf_cstr(&token), .not_before = o->not_before, .not_after = o->not_after
	};
	if (ca_sign(&c, &q, &got, NULL, e))
		return ca_fail(inv, &c, NULL, e);
	return check_answer(inv, &c, &got, NULL, key, e) || stage_chain(tx, CRT, &got, e) ? e->status
	                                                                                  : filetx_commit(tx, e);
}

/* The directory is made where there is none. */
static enum status find_in_pair_dir(struct pair_dir *p, const char **crt, const char **key, struct error *e)
{
	const struct target_dress plain = { 0 };
	if (!opt_is_set(p->dir))
		return ST_OK;
	if (versions_make(p->dir, &plain, e) || pair_dir_name(p, crt, e) || pair_dir_name(p, key, e) ||
	    pair_dir_check(p, *crt, e))
		return e->status;
	return pair_dir_check(p, *key, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_certificate_args *o = INV_ARGS(inv, ca_certificate_args);
	const char *subject = inv_pos(inv, 0), *crt = inv_pos(inv, 1), *key = inv_pos(inv, 2);
	AUTO(pair_dir_done) struct pair_dir pair_dir = { .dir = o->pair_dir };
	AUTO(filetx_close_p) struct filetx *tx = NULL;

	inv_crypto(inv);
	if (o->token.offline && opt_is_set(o->ott))
		return usage_incompatible("offline", "token", e);
	if (opt_is_set(o->ott) && o->sans.n)
		return usage_exclusive("token", "san", e);
	if (!*subject)
		return error_set(e, ST_INVALID, "positional argument <subject> cannot be empty");
	if (!strcmp(crt, key))
		return error_set(e, ST_INVALID,
		                 "positional arguments <crt-file> and <key-file> cannot be equal in '%s %s'",
		                 inv->set->program, inv->command->path);
	if (find_in_pair_dir(&pair_dir, &crt, &key, e))
		return e->status;
	const struct filetx_file files[] = {
		[CRT] = { .path = crt, .mode = 0600 }, [KEY] = { .path = key, .mode = 0600 }
	};
	if (ask_and_open_files(inv, files, COUNT_OF(files), o->force, &tx, e) || obtain(inv, o, tx, subject, e))
		return e->status;
	term_tick("Certificate", "%s", crt);
	term_tick("Private Key", "%s", key);
	return ST_OK;
}

static const struct opt opts[] = {
	OPT_STR(struct ca_certificate_args, ott, .name = "token", .arg = "<token>", .flags = OPT_SECRET,
	        .help = "One-time token; else one is made with the provisioner's password"),
	TOKEN_OPTS(struct ca_certificate_args),
	OPT_LIST(struct ca_certificate_args, sans, .name = "san", .arg = "<name>",
	         .help = "Name, address, e-mail or URI that the certificate is for; default: the subject"),
	OPT_STR(struct ca_certificate_args, not_before, .name = "not-before", .arg = "<time|duration>",
	        .help = "When the certificate begins: a time (RFC 3339), or a duration from now; by default the CA's "
	                "backdate before now"),
	OPT_STR(struct ca_certificate_args, not_after, .name = "not-after", .arg = "<time|duration>",
	        .help = "When it ends: a time (RFC 3339), or a duration from `--not-before`, else from now; "
	                "the provisioner's limits apply"),
	OPT_STR(struct ca_certificate_args, pair_dir, .name = "pair-dir", .arg = "<directory>", .flags = OPT_DIR,
	        .help = PAIR_DIR_HELP ". It is made where there is none"),
	KEY_OPTS(struct ca_certificate_args),
	OFFLINE_OPTS(struct ca_certificate_args),
	CA_URL_OPT(struct ca_certificate_args),
	CA_ROOT_OPT(struct ca_certificate_args),
	FORCE_OPT(struct ca_certificate_args),
	OPT_END,
};

const struct command cmd_ca_certificate = {
	.path = "ca certificate",
	.summary = "make a key pair and get a certificate for it",
	.usage = "<subject> <crt-file> <key-file>",
	.description = "Makes a new key pair, asks the CA for a certificate, and writes both files as one transaction: "
		       "after a crash at "
		       "any instant key and certificate belong together, or the next run makes them so. Nothing is "
		       "asked of the CA "
		       "before it is known that both files can be written.",
	.positionals =
		(const struct positional[]){ { "subject", "Common name of the certificate", 0 },
	                                     { "crt-file", "File for certificate and intermediate (PEM)", OPT_FILE },
	                                     { "key-file", "File for the private key (PEM, 0600)", OPT_FILE },
	                                     { 0 } },
	.pos_min = 3,
	.pos_max = 3,
	.opts = opts,
	.args_size = sizeof(struct ca_certificate_args),
	.needs_defaults = true,
	.examples =
		(const struct example[]){
			{ "With a token", "step ca certificate foo.local foo.crt foo.key --token $TOKEN" },
			{ "With the provisioner's password, for five minutes",
	                  "step ca certificate foo.local foo.crt foo.key "
	                  "--provisioner-password-file password.txt --not-after 5m" },
			{ "Into a directory whose files change together",
	                  "step ca certificate foo.local foo.crt foo.key --pair-dir /etc/foo/tls" },
			{ 0 } },
	.run = run,
};
