#include "cli/certfile.h"
#include "cli/commands.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "os/file.h"
#include "x509/p12.h"

struct p12_args {
	struct text_list ca;
	const char *password_file;
	bool no_password, insecure, legacy, force;
};

static const struct opt opts[] = {
	OPT_LIST(struct p12_args, ca, .name = "ca", .arg = "<file>", .flags = OPT_FILE,
	         .help = "Certificates of authorities to put in, too"),
	OPT_STR(struct p12_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The password of the new file, and of the private key where that is encrypted"),
	OPT_FLAG(struct p12_args, no_password, .name = "no-password",
	         .help = "Use the empty password; needs `--insecure`"),
	OPT_FLAG(struct p12_args, insecure, .name = "insecure", .help = "Allow `--no-password`"),
	OPT_FLAG(struct p12_args, legacy, .name = "legacy",
	         .help = "Use the weak ciphers that old readers want: RC2, 3DES and SHA-1"),
	OPT_FLAG(struct p12_args, force, .name = "force", .letter = 'f', .env = "STEP_F",
	         .help = "Replace the file without asking"),
	OPT_END
};
static const struct positional pos[] = { { "p12-file", "The file to write.", OPT_FILE },
	                                 { "crt-file", "The certificate, further ones of its chain behind it.",
	                                   OPT_FILE },
	                                 { "key-file", "Its private key.", OPT_FILE },
	                                 { 0 } };
static const struct example examples[] = { { "A certificate, its chain and its key:",
	                                     "step certificate p12 foo.p12 foo.crt foo.key" },
	                                   { "A trust store:", "step certificate p12 trust.p12 --ca root_ca.crt" },
	                                   { 0 } };

static enum status check(struct invocation *inv, const struct p12_args *a, struct error *e)
{
	if (inv->args.pos_n == 2)
		return error_set(e, ST_INVALID, "not enough positional arguments were provided in '%s %s %s'",
		                 inv->set->program, inv->command->path, inv->command->usage);
	if (inv->args.pos_n == 1 && !a->ca.n)
		return error_set(e, ST_INVALID,
		                 "flag '--ca' must be provided when no <crt-file> and <key-file> are present");
	if (a->no_password && !a->insecure)
		return usage_requires("no-password", "insecure", e);
	if (a->no_password && opt_is_set(a->password_file))
		return usage_incompatible("no-password", "password-file", e);
	return ST_OK;
}

static bool has(const struct chain *c, const struct cert *cert)
{
	for (size_t i = 0; i < c->n; i++)
		if (slice_eq(cert_facts(c->v[i])->der, cert_facts(cert)->der))
			return true;
	return false;
}

/* Each once, also where the certificate's own file holds it already. */
static enum status read_cas(struct invocation *inv, const struct text_list *names, const struct chain *chain,
                            struct chain *ret, struct error *e)
{
	enum status st = ST_OK;
	for (size_t i = 0; !st && i < names->n; i++) {
		AUTO(chain_done) struct chain some = { 0 };
		st = cert_chain_read(inv, names->v[i], &(struct cert_server){ 0 }, true, &some, e);
		for (size_t k = 0; !st && k < some.n; k++)
			if (!has(chain, some.v[k]) && !has(ret, some.v[k]))
				st = chain_add(ret, some.v[k], e);
	}
	return st;
}

static enum status read_pair(struct invocation *inv, const struct p12_args *a, struct chain *chain, EVP_PKEY **key,
                             struct error *e)
{
	if (inv->args.pos_n == 1)
		return ST_OK;
	struct ask_password ask = { .file = a->password_file,
		                    .label = "Please enter the password to decrypt the private key",
		                    .then_ask = true };
	enum status st = cert_chain_read(inv, inv_pos(inv, 1), &(struct cert_server){ 0 }, true, chain, e);
	if (!st)
		st = read_key(inv_pos(inv, 2), &ask, key, e);
	if (!st && !key_equal(*key, cert_key(chain->v[0])))
		return error_set(e, ST_INVALID, "the private key in %s does not belong to the certificate in %s",
		                 inv_pos(inv, 2), inv_pos(inv, 1));
	return st;
}

static enum status new_password(const struct p12_args *a, struct buf *ret, struct error *e)
{
	const struct ask_password ask = { .file = a->password_file,
		                          .flag = "--password-file",
		                          .label = "Please enter a password to encrypt the .p12 file" };
	return a->no_password ? ST_OK : ask_new_password(&ask, ret, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct p12_args *a = INV_ARGS(inv, p12_args);
	const char *to = inv_pos(inv, 0);
	AUTO(chain_done) struct chain chain = { 0 };
	AUTO(chain_done) struct chain cas = { 0 };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(buf_done) struct buf password = BUF_SECRET(PASSWORD_MAX);
	AUTO(buf_done) struct buf out = BUF_SECRET(CERT_BUNDLE_MAX);
	inv_crypto(inv);
	enum status st = check(inv, a, e);
	if (!st)
		st = read_pair(inv, a, &chain, &key, e);
	if (!st)
		st = read_cas(inv, &a->ca, &chain, &cas, e);
	if (!st)
		st = ask_overwrite(to, a->force, e);
	if (!st)
		st = new_password(a, &password, e);
	const struct p12_draft draft = { .chain = chain.n ? &chain : NULL,
		                         .cas = cas.n ? &cas : NULL,
		                         .key = key,
		                         .password = buf_slice(&password),
		                         .legacy = a->legacy };
	if (!st)
		st = p12_format(&draft, &out, e);
	if (!st)
		st = file_replace(to, buf_slice(&out), 0600, e);
	if (!st)
		inv_say(inv, "Your .p12 bundle has been saved as %s.", to);
	return st;
}

const struct command cmd_certificate_p12 = {
	.path = "certificate p12",
	.summary = "put certificate and key, or a set of roots, into a PKCS#12 file",
	.usage = "<p12-file> [<crt-file> <key-file>]",
	.positionals = pos,
	.pos_min = 1,
	.pos_max = 3,
	.opts = opts,
	.args_size = sizeof(struct p12_args),
	.examples = examples,
	.run = run,
};
