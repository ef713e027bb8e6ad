#include "cli/ca_common.h"
#include "cli/certfile.h"
#include "cli/commands.h"
#include "cli/local_ca.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "os/filetx.h"
#include "x509/csr.h"
#include "x509/name.h"
#include "x509/profile.h"

struct create_args {
	const char *profile, *not_before, *not_after, *ca, *ca_key, *ca_password_file, *key, *password_file, *kty, *crv;
	const char *template, *set_file, *kms, *ca_kms;
	struct text_list san, set;
	struct opt_int size;
	bool csr, no_password, insecure, subtle, bundle, force, skip_csr_signature;
};

static const struct opt opts[] = {
	OPT_STR(struct create_args, profile, .name = "profile", .arg = "<profile>",
	        .choices = "leaf intermediate-ca root-ca self-signed", .help = "What it is for; by default leaf"),
	OPT_FLAG(struct create_args, csr, .name = "csr", .help = "Make a certificate request instead of a certificate"),
	OPT_LIST(struct create_args, san, .name = "san", .arg = "<name>",
	         .help = "A DNS name, address, e-mail address or URI to certify; by default the subject"),
	OPT_STR(struct create_args, not_before, .name = "not-before", .arg = "<time|duration>",
	        .help = "When it begins: a time (RFC 3339), or a duration from now; by default now"),
	OPT_STR(struct create_args, not_after, .name = "not-after", .arg = "<time|duration>",
	        .help = "When it ends: a time (RFC 3339), or a duration from now; by default after a day, an "
	                "authority's "
	                "after ten years"),
	OPT_STR(struct create_args, ca, .name = "ca", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The issuer's certificate"),
	OPT_STR(struct create_args, ca_key, .name = "ca-key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The issuer's private key"),
	OPT_STR(struct create_args, ca_password_file, .name = "ca-password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The password of `--ca-key`"),
	OPT_STR(struct create_args, key, .name = "key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Certify this private key instead of a new one"),
	OPT_STR(struct create_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The password that encrypts the new private key, or decrypts `--key`"),
	OPT_FLAG(struct create_args, no_password, .name = "no-password",
	         .help = "Do not encrypt the private key; needs `--insecure`"),
	OPT_FLAG(struct create_args, insecure, .name = "insecure", .help = "Allow `--no-password` and small RSA keys"),
	OPT_FLAG(struct create_args, subtle, .name = "subtle", .help = "Allow `--profile self-signed`"),
	OPT_FLAG(struct create_args, bundle, .name = "bundle",
	         .help = "Put the issuer's certificate behind the new one"),
	OPT_STR(struct create_args, kty, .name = "kty", .arg = "<type>", .choices = "EC RSA OKP", .flags = OPT_NO_CHECK,
	        .help = "The new key's type; by default EC"),
	OPT_STR(struct create_args, crv, .name = "crv", .alias = "curve", .arg = "<curve>",
	        .choices = "P-256 P-384 P-521 Ed25519", .flags = OPT_NO_CHECK, .help = "The new key's curve"),
	OPT_INT(struct create_args, size, .name = "size", .arg = "<bits>", .help = "The size of a new RSA key"),
	OPT_FLAG(struct create_args, force, .name = "force", .letter = 'f', .env = "STEP_F",
	         .help = "Replace files without asking"),
	OPT_STR(struct create_args, template, .name = "template", .flags = OPT_HIDDEN),
	OPT_LIST(struct create_args, set, .name = "set", .flags = OPT_HIDDEN),
	OPT_STR(struct create_args, set_file, .name = "set-file", .flags = OPT_HIDDEN),
	OPT_STR(struct create_args, kms, .name = "kms", .flags = OPT_HIDDEN),
	OPT_STR(struct create_args, ca_kms, .name = "ca-kms", .flags = OPT_HIDDEN),
	OPT_FLAG(struct create_args, skip_csr_signature, .name = "skip-csr-signature", .flags = OPT_HIDDEN),
	OPT_END
};

static const struct positional pos[] = { { "subject",
	                                   "The common name; also the certified name where no `--san` is given.", 0 },
	                                 { "crt-file", "Where the certificate (or request) goes.", OPT_FILE },
	                                 { "key-file", "Where the private key goes; not with `--key`.", OPT_FILE },
	                                 { 0 } };
static const struct example examples[] = {
	{ "A root:", "step certificate create --profile root-ca \"Example Root CA\" root_ca.crt root_ca.key" },
	{ "An intermediate under it:", "step certificate create --profile intermediate-ca --ca root_ca.crt --ca-key "
	                               "root_ca.key \"Example CA\" ca.crt "
	                               "ca.key" },
	{ "A certificate for a server:", "step certificate create --ca ca.crt --ca-key ca.key --no-password --insecure "
	                                 "foo.example.com foo.crt foo.key" },
	{ "A request:", "step certificate create --csr foo.example.com foo.csr foo.key" },
	{ 0 }
};

/* Which files each profile wants, and how long it lives. */
static const struct profile {
	const char *name;
	bool has_issuer, is_ca;
	int path_len;
	int64_t span_s;
} profiles[] = {
	{ "leaf", true, false, -1, LEAF_SPAN_S },
	{ "self-signed", false, false, -1, LEAF_SPAN_S },
	{ "root-ca", false, true, 1, CA_SPAN_S },
	{ "intermediate-ca", true, true, 0, CA_SPAN_S },
};

struct create {
	struct invocation *inv;
	const struct create_args *a;
	const struct profile *profile;
	const char *subject, *cert_path, *key_path; /* key_path NULL: no new key */
	struct local_ca ca;
	struct local_life life;
	EVP_PKEY *key;
	struct buf password, name, spki, cert_pem, key_pem;
	struct san_list sans;
};

static void create_done(struct create *c)
{
	local_ca_done(&c->ca);
	EVP_PKEY_free(c->key);
	buf_done(&c->password);
	buf_done(&c->name);
	buf_done(&c->spki);
	buf_done(&c->cert_pem);
	buf_done(&c->key_pem);
	san_list_done(&c->sans);
}

/* ---- what was asked for ---- */

static const struct profile *find_profile(const char *name)
{
	for (size_t i = 0; opt_is_set(name) && i < COUNT_OF(profiles); i++)
		if (!strcmp(name, profiles[i].name))
			return &profiles[i];
	return &profiles[0];
}

static enum status with_profile(const struct create *c, const char *needs, const char *flag, struct error *e)
{
	return error_set(e, ST_INVALID, "'--profile %s' %s the '--%s' flag", c->profile->name, needs, flag);
}

static enum status check_issuer_flags(const struct create *c, struct error *e)
{
	const struct create_args *a = c->a;
	bool wanted = c->profile->has_issuer && !a->csr;
	if (wanted && !opt_is_set(a->ca))
		return with_profile(c, "requires", "ca", e);
	if (wanted && !opt_is_set(a->ca_key))
		return with_profile(c, "requires", "ca-key", e);
	if (!wanted && opt_is_set(a->ca))
		return a->csr ? usage_incompatible("csr", "ca", e) : with_profile(c, "is incompatible with", "ca", e);
	if (!wanted && opt_is_set(a->ca_key))
		return a->csr ? usage_incompatible("csr", "ca-key", e)
		              : with_profile(c, "is incompatible with", "ca-key", e);
	if (!wanted && a->bundle)
		return a->csr ? usage_incompatible("csr", "bundle", e)
		              : with_profile(c, "is incompatible with", "bundle", e);
	if (!strcmp(c->profile->name, "self-signed") && !a->csr && !a->subtle)
		return with_profile(c, "requires", "subtle", e);
	return ST_OK;
}

static enum status check_key_flags(const struct create *c, struct error *e)
{
	static const char *const new_only[] = { "kty", "crv", "size", "no-password" };
	const struct create_args *a = c->a;
	if (a->no_password && !a->insecure)
		return usage_requires("no-password", "insecure", e);
	if (a->no_password && opt_is_set(a->password_file))
		return usage_incompatible("no-password", "password-file", e);
	for (size_t i = 0; opt_is_set(a->key) && i < COUNT_OF(new_only); i++)
		if (args_origin(&c->inv->args, new_only[i]) == ARGS_LINE)
			return usage_incompatible("key", new_only[i], e);
	return ST_OK;
}

static enum status check_positionals(const struct create *c, struct error *e)
{
	size_t wanted = opt_is_set(c->a->key) ? 2 : 3, n = c->inv->args.pos_n;
	const struct command *cmd = c->inv->command;
	if (n != wanted)
		return error_set(e, ST_INVALID, "%s positional arguments were provided in '%s %s %s'",
		                 n < wanted ? "not enough" : "too many", c->inv->set->program, cmd->path, cmd->usage);
	if (c->key_path && !strcmp(c->cert_path, c->key_path))
		return error_set(e, ST_INVALID,
		                 "positional arguments <<crt-file>> and <<key-file>> cannot be equal in '%s %s %s'",
		                 c->inv->set->program, cmd->path, cmd->usage);
	return ST_OK;
}

static enum status check(const struct create *c, struct error *e)
{
	static const char *const not_built[] = { "template", "set", "set-file", "kms", "ca-kms", NULL };
	enum status st = usage_not_built(c->inv, not_built, e);
	if (!st)
		st = check_positionals(c, e);
	if (!st)
		st = check_key_flags(c, e);
	return st ? st : check_issuer_flags(c, e);
}

/* ---- its parts ---- */

enum { CRT, KEY, FILES };

/* Both or neither. The certificate comes first: the pair's lock and journal go by its name. */
static size_t files_of(const struct create *c, struct filetx_file ret[FILES])
{
	ret[CRT] = (struct filetx_file){ .path = c->cert_path, .mode = 0600 };
	ret[KEY] = (struct filetx_file){ .path = c->key_path, .mode = 0600 };
	return c->key_path ? 2 : 1;
}

static enum status ask_files(const struct create *c, struct error *e)
{
	struct filetx_file files[FILES];
	size_t n = files_of(c, files);
	enum status st = finish_interrupted(c->inv, files, n, e);
	if (!st)
		st = ask_overwrite(c->cert_path, c->a->force, e);
	return st || !c->key_path ? st : ask_overwrite(c->key_path, c->a->force, e);
}

static enum status load_issuer(struct create *c, struct error *e)
{
	if (!opt_is_set(c->a->ca))
		return ST_OK;
	struct ask_password ask = { .file = c->a->ca_password_file,
		                    .flag = "--ca-password-file",
		                    .label = "Please enter the password to decrypt the issuer's key" };
	enum status st = local_ca_load(c->inv, c->a->ca, c->a->ca_key, &ask, &c->ca, e);
	return st || !c->profile->is_ca ? st : local_ca_check_path_len(&c->ca, c->profile->path_len, e);
}

static enum status load_key(struct create *c, struct error *e)
{
	struct ask_password ask = { .file = c->a->password_file,
		                    .flag = "--password-file",
		                    .label = "Please enter the password to decrypt the private key" };
	return read_key(c->a->key, &ask, &c->key, e);
}

static enum status make_key(struct create *c, struct error *e)
{
	const struct create_args *a = c->a;
	const struct ask_password ask = { .file = a->password_file,
		                          .flag = "--password-file' or '--no-password --insecure",
		                          .label = "Please enter the password to encrypt the private key" };
	struct key_spec spec;
	enum status st = key_spec_make(a->kty, a->crv, a->size.set ? a->size.v : 0, a->insecure, &spec, e);
	if (!st && !a->no_password)
		st = ask_new_password(&ask, &c->password, e);
	if (!st)
		st = key_generate(&spec, &c->key, e);
	return st ? st : keyfile_format(c->key, KEYFILE_NATIVE, buf_slice(&c->password), &c->key_pem, e);
}

static enum status make_names(struct create *c, struct error *e)
{
	const struct name_attrs name = { .common_name = c->subject };
	enum status st = name_encode(&name, &c->name, e);
	for (size_t i = 0; !st && i < c->a->san.n; i++)
		st = san_list_add(&c->sans, slice_cstr(c->a->san.v[i]), e);
	if (!st && !c->a->san.n && !c->profile->is_ca)
		st = san_list_add(&c->sans, slice_cstr(c->subject), e);
	return st ? st : key_spki(c->key, &c->spki, e);
}

/* ---- certificate or request ---- */

static enum status make_extensions(const struct create *c, struct buf *out, struct error *e)
{
	struct slice issuer = c->profile->has_issuer ? local_ca_key_id(&c->ca) : SLICE_NONE;
	if (!c->profile->is_ca)
		return profile_leaf(c->key, buf_slice(&c->spki), issuer, &c->sans, !*c->subject, NULL, NULL, out, e);
	enum status st = profile_ca(buf_slice(&c->spki), c->profile->path_len, issuer, out, e);
	return st || !c->sans.n ? st : ext_add_san(out, &c->sans, false, e);
}

static enum status make_cert(struct create *c, struct error *e)
{
	AUTO(buf_done) struct buf extensions = BUF_INIT(CERT_MAX);
	AUTO(cert_unref_p) struct cert *cert = NULL;
	enum status st = make_extensions(c, &extensions, e);
	const struct local_draft draft = {
		.ca = c->profile->has_issuer ? &c->ca : NULL,
		.key = c->key,
		.subject = buf_slice(&c->name),
		.spki = buf_slice(&c->spki),
		.extensions = buf_slice(&extensions),
		.life = c->life,
	};
	if (!st)
		st = local_sign(c->inv, &draft, &cert, e);
	if (st)
		return st;
	cert_format_pem(cert, &c->cert_pem);
	if (c->a->bundle)
		chain_format_pem(&c->ca.chain, &c->cert_pem);
	return buf_check(&c->cert_pem, e);
}

static enum status make_request(struct create *c, struct error *e)
{
	AUTO(buf_done) struct buf der = BUF_INIT(CSR_MAX);
	AUTO(csr_done) struct csr csr = { 0 };
	enum status st = csr_make(c->key, buf_slice(&c->name), &c->sans, &der, e);
	if (!st)
		st = csr_parse(buf_slice(&der), true, &csr, e);
	if (st)
		return st;
	csr_format_pem(&csr, &c->cert_pem);
	return buf_check(&c->cert_pem, e);
}

static enum status save(struct create *c, struct error *e)
{
	struct filetx_file files[FILES];
	AUTO(filetx_close_p) struct filetx *tx = NULL;
	size_t n = files_of(c, files);
	enum status st = open_files(c->inv, files, n, &tx, e);
	if (!st)
		st = filetx_stage(tx, CRT, buf_slice(&c->cert_pem), e);
	if (!st && c->key_path)
		st = filetx_stage(tx, KEY, buf_slice(&c->key_pem), e);
	return st ? st : filetx_commit(tx, e);
}

static enum status make(struct create *c, struct error *e)
{
	enum status st = local_life_make(c->inv, c->a->not_before, c->a->not_after, c->profile->span_s, &c->life, e);
	if (!st)
		st = ask_files(c, e);
	if (!st)
		st = load_issuer(c, e);
	if (!st)
		st = opt_is_set(c->a->key) ? load_key(c, e) : make_key(c, e);
	if (!st)
		st = make_names(c, e);
	if (!st)
		st = c->a->csr ? make_request(c, e) : make_cert(c, e);
	return st ? st : save(c, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct create_args *a = INV_ARGS(inv, create_args);
	AUTO(create_done)
	struct create c = {
		.inv = inv,
		.a = a,
		.profile = find_profile(a->profile),
		.subject = inv_pos(inv, 0),
		.cert_path = inv_pos(inv, 1),
		.key_path = inv_pos(inv, 2),
		.password = BUF_SECRET(PASSWORD_MAX),
		.name = BUF_INIT(CERT_MAX),
		.spki = BUF_INIT(KEYFILE_MAX),
		.cert_pem = BUF_INIT(CERT_BUNDLE_MAX),
		.key_pem = BUF_SECRET(KEYFILE_MAX),
	};
	enum status st = check(&c, e);
	if (!st) {
		inv_crypto(inv);
		st = make(&c, e);
	}
	if (st)
		return st;
	inv_say(inv, "Your certificate %shas been saved in %s.", a->csr ? "signing request " : "", c.cert_path);
	if (c.key_path)
		inv_say(inv, "Your private key has been saved in %s.", c.key_path);
	return ST_OK;
}

const struct command cmd_certificate_create = {
	.path = "certificate create",
	.summary = "make a certificate or a certificate request",
	.usage = "<subject> <crt-file> <key-file>",
	.description =
		"Works with files alone; no authority is asked. Certificate and key are written as one: after a crash "
		"there are both or neither.\n\nThe private key is encrypted with the password of `--password-file`, or "
		"one that is asked for.",
	.positionals = pos,
	.pos_min = 2,
	.pos_max = 3,
	.opts = opts,
	.args_size = sizeof(struct create_args),
	.examples = examples,
	.run = run,
};
