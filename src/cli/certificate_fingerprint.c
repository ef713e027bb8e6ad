#include "base/b64.h"
#include "cli/certfile.h"
#include "cli/commands.h"
#include "crypto/digest.h"

struct fingerprint_args {
	const char *format, *roots, *servername;
	bool bundle, sha1, insecure;
};

static const struct opt opts[] = {
	OPT_FLAG(struct fingerprint_args, bundle, .name = "bundle",
	         .help = "Print every certificate of the file or server, one numbered line each"),
	OPT_STR(struct fingerprint_args, format, .name = "format", .arg = "<format>",
	        .choices = "hex base64 base64-url base64-raw base64-url-raw", .help = "How to print; by default hex"),
	OPT_FLAG(struct fingerprint_args, sha1, .name = "sha1", .help = "Use SHA-1; needs `--insecure`"),
	OPT_FLAG(struct fingerprint_args, insecure, .name = "insecure",
	         .help = "Allow `--sha1`, and do not verify a server"),
	OPT_STR(struct fingerprint_args, roots, .name = "roots", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Verify a server by the roots in this file, folder or comma-separated list of files"),
	OPT_STR(struct fingerprint_args, servername, .name = "servername", .arg = "<name>",
	        .help = "The name that a server is asked for and verified by"),
	OPT_END
};

static const struct positional pos[] = {
	{ "crt-file", "A certificate or request, `-` or nothing for standard input, or a server such as `https://ca`.",
	  OPT_FILE },
	{ 0 }
};
static const struct example examples[] = { { "The fingerprint that `step ca bootstrap` wants:",
	                                     "step certificate fingerprint $(step path)/certs/root_ca.crt" },
	                                   { 0 } };

static const struct {
	const char *name;
	enum b64_form form;
} base64_forms[] = {
	{ "base64", B64_STD },
	{ "base64-url", B64_URL },
	{ "base64-raw", B64_STD_RAW },
	{ "base64-url-raw", B64_URL_RAW },
};

static enum status add(struct buf *out, struct slice der, const struct fingerprint_args *a, struct error *e)
{
	uint8_t raw[DIGEST_MAX];
	enum status st = a->sha1 ? digest_sha1(der, raw, e) : digest_sha256(der, raw, e);
	if (st)
		return st;
	struct slice digest = slice_of(raw, a->sha1 ? SHA1_BYTES : SHA256_BYTES);
	size_t i = 0;
	while (opt_is_set(a->format) && i < COUNT_OF(base64_forms) && strcmp(a->format, base64_forms[i].name) != 0)
		i++;
	if (opt_is_set(a->format) && i < COUNT_OF(base64_forms))
		b64_encode(out, digest, base64_forms[i].form);
	else
		hex_encode(out, digest);
	buf_addc(out, '\n');
	return buf_check(out, e);
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct fingerprint_args *a = INV_ARGS(inv, fingerprint_args);
	AUTO(cert_file_done) struct cert_file f = { 0 };
	if (a->sha1 && !a->insecure)
		return usage_requires("sha1", "insecure", e);
	inv_crypto(inv);
	const struct cert_server how = { .roots = a->roots, .servername = a->servername, .insecure = a->insecure };
	enum status st = cert_file_read(inv, inv_pos(inv, 0), &how, a->bundle, &f, e);
	if (!st && f.is_csr)
		return add(&inv->out, buf_slice(&f.csr.der), a, e);
	for (size_t i = 0; !st && i < (a->bundle ? f.certs.n : 1); i++) {
		if (a->bundle)
			buf_addf(&inv->out, "%zu: ", i);
		st = add(&inv->out, cert_facts(f.certs.v[i])->der, a, e);
	}
	return st;
}

const struct command cmd_certificate_fingerprint = {
	.path = "certificate fingerprint",
	.summary = "print the SHA-256 of a certificate",
	.usage = "[<crt-file>]",
	.positionals = pos,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct fingerprint_args),
	.examples = examples,
	.run = run,
};
