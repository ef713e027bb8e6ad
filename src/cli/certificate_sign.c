#include "cli/certfile.h"
#include "cli/commands.h"
#include "cli/local_ca.h"
#include "x509/auto.h"
#include "x509/csr.h"
#include "x509/ext.h"
#include "x509/profile.h"

struct sign_args {
	const char *profile, *not_before, *not_after, *password_file, *template, *set_file, *kms;
	struct text_list set;
	struct opt_int path_len;
	bool omit_cn_san, bundle;
};

static const struct opt opts[] = {
	OPT_STR(struct sign_args, profile, .name = "profile", .arg = "<profile>", .choices = "leaf intermediate-ca csr",
	        .help = "What the certificate is for; `csr` takes every extension of the request as it is; by default "
	                "leaf"),
	OPT_STR(struct sign_args, not_before, .name = "not-before", .arg = "<time|duration>",
	        .help = "When it begins: a time (RFC 3339), or a duration from now; by default now"),
	OPT_STR(struct sign_args, not_after, .name = "not-after", .arg = "<time|duration>",
	        .help = "When it ends: a time (RFC 3339), or a duration from now; by default after a day, an "
	                "authority's "
	                "after ten years"),
	OPT_INT(struct sign_args, path_len, .name = "path-len", .arg = "<number>",
	        .help = "How many authorities may stand below an intermediate; by default 0, and -1 sets no bound"),
	OPT_FLAG(struct sign_args, omit_cn_san, .name = "omit-cn-san",
	         .help = "Do not add the request's common name to the certified names"),
	OPT_FLAG(struct sign_args, bundle, .name = "bundle",
	         .help = "Print the issuer's certificate behind the new one"),
	OPT_STR(struct sign_args, password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The password of the issuer's key"),
	OPT_STR(struct sign_args, template, .name = "template", .flags = OPT_HIDDEN),
	OPT_LIST(struct sign_args, set, .name = "set", .flags = OPT_HIDDEN),
	OPT_STR(struct sign_args, set_file, .name = "set-file", .flags = OPT_HIDDEN),
	OPT_STR(struct sign_args, kms, .name = "kms", .flags = OPT_HIDDEN),
	OPT_END
};

static const struct positional pos[] = { { "csr-file", "The certificate request.", OPT_FILE },
	                                 { "crt-file", "The issuer's certificate.", OPT_FILE },
	                                 { "key-file", "The issuer's private key.", OPT_FILE },
	                                 { 0 } };
static const struct example examples[] = {
	{ "A certificate for a day:", "step certificate sign foo.csr ca.crt ca.key > foo.crt" },
	{ "An intermediate:", "step certificate sign --profile intermediate-ca ca.csr root_ca.crt root_ca.key" },
	{ 0 }
};

static enum status read_request(struct invocation *inv, const char *path, struct cert_file *f, struct error *e)
{
	enum status st = cert_file_read(inv, path, &(struct cert_server){ 0 }, false, f, e);
	if (st)
		return st;
	if (!f->is_csr)
		return error_set(e, ST_INVALID, "file %s holds a certificate, not a certificate request", path);
	return csr_verify(&f->csr, e) ? error_wrap(e, "certificate request %s", path) : ST_OK;
}

static enum status leaf(const struct sign_args *a, const struct csr *csr, struct slice issuer, struct buf *out,
                        struct error *e)
{
	AUTO(san_list_done) struct san_list sans = { 0 };
	enum status st = ST_OK;
	bool has_name = csr->common_name[0] != '\0';
	for (size_t i = 0; !st && i < csr->sans.n; i++) {
		if (csr->sans.v[i].type == SAN_OTHER)
			return error_set(e, ST_INVALID,
			                 "the request asks for a name of kind %s, which is not supported",
			                 csr->sans.v[i].text);
		st = san_list_add(&sans, slice_cstr(csr->sans.v[i].text), e);
		has_name = has_name && strcmp(csr->sans.v[i].text, csr->common_name) != 0;
	}
	if (!st && has_name && !a->omit_cn_san)
		st = san_list_add(&sans, slice_cstr(csr->common_name), e);
	return st ? st
	          : profile_leaf(csr->key, buf_slice(&csr->spki), issuer, &sans, !csr->common_name[0], NULL, NULL, out, e);
}

static enum status intermediate(const struct sign_args *a, const struct local_ca *ca, const struct csr *csr,
                                struct buf *out, struct error *e)
{
	int64_t len = a->path_len.set ? a->path_len.v : 0;
	if (len < -1 || len > 100)
		return error_set(e, ST_INVALID, "invalid value '%lld' for flag '--path-len'", (long long)len);
	enum status st = local_ca_check_path_len(ca, (int)len, e);
	return st ? st : profile_ca(buf_slice(&csr->spki), (int)len, local_ca_key_id(ca), out, e);
}

static void free_extensions(STACK_OF(X509_EXTENSION) * *list)
{
	sk_X509_EXTENSION_pop_free(*list, X509_EXTENSION_free);
}

/* Key identifiers are made anew: they are the issuer's to say. */
static enum status as_requested(const struct csr *csr, struct slice issuer, struct buf *out, struct error *e)
{
	AUTO(free_extensions) STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(csr->req);
	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *x = sk_X509_EXTENSION_value(list, i);
		int kind = OBJ_obj2nid(X509_EXTENSION_get_object(x));
		if (kind == NID_subject_key_identifier || kind == NID_authority_key_identifier)
			continue;
		unsigned char *der = NULL;
		int n = i2d_X509_EXTENSION(x, &der);
		if (n < 0)
			return error_set(e, ST_INVALID, "the request holds an extension that cannot be written");
		buf_add(out, der, (size_t)n);
		OPENSSL_free(der);
	}
	enum status st = ext_add_subject_key_id(out, buf_slice(&csr->spki), e);
	if (!st && issuer.n)
		ext_add_authority_key_id(out, issuer);
	return st ? st : buf_check(out, e);
}

static enum status make_extensions(const struct sign_args *a, const struct local_ca *ca, const struct csr *csr,
                                   struct buf *out, struct error *e)
{
	if (opt_is_set(a->profile) && !strcmp(a->profile, "intermediate-ca"))
		return intermediate(a, ca, csr, out, e);
	if (a->path_len.set)
		return error_set(e, ST_INVALID, "flag '--path-len' requires '--profile intermediate-ca'");
	if (opt_is_set(a->profile) && !strcmp(a->profile, "csr"))
		return as_requested(csr, local_ca_key_id(ca), out, e);
	return leaf(a, csr, local_ca_key_id(ca), out, e);
}

static enum status load_issuer(struct invocation *inv, struct local_ca *ret, struct error *e)
{
	struct ask_password ask = { .file = INV_ARGS(inv, sign_args)->password_file,
		                    .flag = "--password-file",
		                    .label = "Please enter the password to decrypt the issuer's key" };
	return local_ca_load(inv, inv_pos(inv, 1), inv_pos(inv, 2), &ask, ret, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	static const char *const not_built[] = { "template", "set", "set-file", "kms", NULL };
	const struct sign_args *a = INV_ARGS(inv, sign_args);
	bool is_ca = opt_is_set(a->profile) && !strcmp(a->profile, "intermediate-ca");
	AUTO(cert_file_done) struct cert_file request = { 0 };
	AUTO(local_ca_done) struct local_ca ca = { 0 };
	AUTO(buf_done) struct buf extensions = BUF_INIT(CERT_MAX);
	AUTO(cert_unref_p) struct cert *cert = NULL;
	struct local_draft draft = { .ca = &ca };

	enum status st = usage_not_built(inv, not_built, e);
	if (!st)
		st = local_life_make(inv, a->not_before, a->not_after, is_ca ? CA_SPAN_S : LEAF_SPAN_S, &draft.life, e);
	if (st)
		return st;
	inv_crypto(inv);
	st = read_request(inv, inv_pos(inv, 0), &request, e);
	if (!st)
		st = load_issuer(inv, &ca, e);
	if (!st)
		st = make_extensions(a, &ca, &request.csr, &extensions, e);
	draft.subject = buf_slice(&request.csr.subject);
	draft.spki = buf_slice(&request.csr.spki);
	draft.extensions = buf_slice(&extensions);
	if (!st)
		st = local_sign(inv, &draft, &cert, e);
	if (st)
		return st;
	cert_format_pem(cert, &inv->out);
	if (a->bundle)
		chain_format_pem(&ca.chain, &inv->out);
	return buf_check(&inv->out, e);
}

const struct command cmd_certificate_sign = {
	.path = "certificate sign",
	.summary = "make a certificate from a certificate request",
	.usage = "<csr-file> <crt-file> <key-file>",
	.description =
		"Prints the certificate. The request's signature, the issuer's right to sign and its path length are "
		"checked.",
	.positionals = pos,
	.pos_min = 3,
	.pos_max = 3,
	.opts = opts,
	.args_size = sizeof(struct sign_args),
	.examples = examples,
	.run = run,
};
