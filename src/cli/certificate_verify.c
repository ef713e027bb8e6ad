#include "cli/certcrl.h"
#include "cli/commands.h"

struct verify_args {
	const char *roots, *host, *servername, *issuing_ca, *ocsp_endpoint, *crl_endpoint;
	bool verbose, insecure, ocsp, crl;
};

static const struct opt opts[] = {
	OPT_STR(struct verify_args, roots, .name = "roots", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The roots to trust: a file, a folder or a comma-separated list of files; by default the "
	                "system's"),
	OPT_STR(struct verify_args, host, .name = "host", .arg = "<name>",
	        .help = "Check that the certificate is for this host name or address, too"),
	OPT_STR(struct verify_args, servername, .name = "servername", .arg = "<name>",
	        .help = "The name that a server is asked for"),
	OPT_FLAG(struct verify_args, verbose, .name = "verbose", .letter = 'v', .help = "Say that it is valid"),
	OPT_FLAG(struct verify_args, insecure, .name = "insecure", .flags = OPT_HIDDEN, .help = "Accepted"),
	OPT_FLAG(struct verify_args, crl, .name = "verify-crl",
	         .help = "Check that the certificate is not on its issuer's revocation list, too"),
	OPT_STR(struct verify_args, crl_endpoint, .name = "crl-endpoint", .arg = "<url>", .flags = OPT_FILE,
	        .help = "Where the revocation list is: a URL (http:// or https://) or a file; by default where the "
	                "certificate says"),
	OPT_STR(struct verify_args, issuing_ca, .name = "issuing-ca", .arg = "<file>", .flags = OPT_FILE,
	        .help = "The certificate that signs the revocation list; by default looked for beside the certificate "
	                "and in '--roots'"),
	OPT_FLAG(struct verify_args, ocsp, .name = "verify-ocsp", .flags = OPT_HIDDEN | OPT_NO_ENV),
	OPT_STR(struct verify_args, ocsp_endpoint, .name = "ocsp-endpoint", .flags = OPT_HIDDEN | OPT_NO_ENV),
	OPT_END
};

static const struct positional pos[] = {
	{ "crt-file",
	  "The certificate; further ones in the file count as intermediates. Or a server such as `https://ca`.",
	  OPT_FILE },
	{ 0 }
};
static const struct example examples[] = {
	{ "Against the root of a private authority:",
	  "step certificate verify foo.crt --roots $(step path)/certs/root_ca.crt --host foo.example.com" },
	{ "Not revoked, either:",
	  "step certificate verify foo.crt --roots $(step path)/certs/root_ca.crt --verify-crl --crl-endpoint "
	  "https://ca.example.com/1.0/crl" },
	{ 0 }
};

static enum status check(struct invocation *inv, const struct chain *certs, const struct verify_args *a,
                         struct error *e)
{
	AUTO(trust_free_p) struct trust *trust = NULL;
	enum status st = cert_roots(a->roots, &trust, e);
	if (st)
		return st;
	st = trust_verify(trust, certs->v[0], certs, inv_now(inv), TRUST_ANY, e);
	if (!st && opt_is_set(a->host))
		st = cert_matches_host(certs->v[0], a->host, e);
	if (!st && (a->crl || opt_is_set(a->crl_endpoint)))
		st = cert_check_crl(inv,
		                    &(struct crl_question){ .endpoint = a->crl_endpoint,
		                                            .issuing_ca = a->issuing_ca,
		                                            .certs = certs,
		                                            .roots = a->roots },
		                    e);
	return st ? error_wrap(e, "failed to verify certificate") : ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	static const char *const not_built[] = { "verify-ocsp", "ocsp-endpoint", NULL };
	const struct verify_args *a = INV_ARGS(inv, verify_args);
	AUTO(chain_done) struct chain certs = { 0 };
	enum status st = usage_not_built(inv, not_built, e);
	if (st)
		return st;
	inv_crypto(inv);
	const struct cert_server how = { .servername = a->servername, .chain_only = true };
	st = cert_chain_read(inv, inv_pos(inv, 0), &how, true, &certs, e);
	if (!st)
		st = check(inv, &certs, a, e);
	if (!st && a->verbose)
		buf_adds(&inv->out, "certificate is valid\n");
	return st;
}

const struct command cmd_certificate_verify = {
	.path = "certificate verify",
	.summary = "check that a certificate leads to a root that is trusted",
	.usage = "<crt-file>",
	.description = "Silent where it does: a path by RFC 5280, within its time. Revocation is looked at with "
		       "'--verify-crl' or '--crl-endpoint' only.",
	.positionals = pos,
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct verify_args),
	.examples = examples,
	.run = run,
};
