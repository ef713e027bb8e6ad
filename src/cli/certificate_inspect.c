#include "cli/certfile.h"
#include "cli/commands.h"
#include "x509/inspect.h"

struct inspect_args {
	const char *format, *roots, *servername;
	bool brief, bundle, insecure;
};

static const struct opt opts[] = {
	OPT_STR(struct inspect_args, format, .name = "format", .arg = "<format>", .choices = "text json pem",
	        .help = "How to print; by default text"),
	OPT_FLAG(struct inspect_args, brief, .name = "short", .help = "Print only what matters most"),
	OPT_FLAG(struct inspect_args, bundle, .name = "bundle",
	         .help = "Print every certificate of the file or server, not only the first"),
	OPT_STR(struct inspect_args, roots, .name = "roots", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Verify a server by the roots in this file, folder or comma-separated list of files"),
	OPT_STR(struct inspect_args, servername, .name = "servername", .arg = "<name>",
	        .help = "The name that a server is asked for and verified by"),
	OPT_FLAG(struct inspect_args, insecure, .name = "insecure", .help = "Do not verify the server"),
	OPT_END
};

static const struct positional pos[] = {
	{ "crt-file",
	  "A certificate or certificate request in PEM or DER, `-` or nothing for standard input, or a "
	  "server such as `https://ca.example.com` (also `tls://`, `smtps://`, `ldaps://`).",
	  OPT_FILE },
	{ 0 }
};
static const struct example examples[] = { { "The most important lines of a certificate:",
	                                     "step certificate inspect --short foo.crt" },
	                                   { "All of a server's chain as JSON:",
	                                     "step certificate inspect --bundle --format json https://ca.example.com" },
	                                   { 0 } };

typedef enum status cert_printer(const struct cert *c, struct buf *out, struct error *e);

static enum status print_pem(const struct cert *c, struct buf *out, struct error *e)
{
	cert_format_pem(c, out);
	return buf_check(out, e);
}

static enum status print_request(struct invocation *inv, const struct inspect_args *a, const struct csr *csr,
                                 struct error *e)
{
	if (!strcmp(a->format, "pem")) {
		csr_format_pem(csr, &inv->out);
		return buf_check(&inv->out, e);
	}
	if (!strcmp(a->format, "json"))
		return inspect_csr_json(csr, &inv->out, e);
	return a->brief ? inspect_csr_short(csr, &inv->out, e) : inspect_csr_text(csr, &inv->out, e);
}

static enum status print_certs(struct invocation *inv, const struct inspect_args *a, const struct chain *certs,
                               struct error *e)
{
	const struct chain shown = { certs->v, a->bundle ? certs->n : 1 };
	if (!strcmp(a->format, "json"))
		return inspect_chain_json(&shown, &inv->out, e);
	cert_printer *print = !strcmp(a->format, "pem") ? print_pem : a->brief ? inspect_short : inspect_text;
	enum status st = ST_OK;
	for (size_t i = 0; !st && i < shown.n; i++)
		st = print(shown.v[i], &inv->out, e);
	return st;
}

static enum status run(struct invocation *inv, struct error *e)
{
	struct inspect_args a = *INV_ARGS(inv, inspect_args);
	AUTO(cert_file_done) struct cert_file file = { 0 };
	if (!opt_is_set(a.format))
		a.format = "text";
	if (a.brief && strcmp(a.format, "text") != 0)
		return error_set(e, ST_INVALID, "flag '--short' is incompatible with '--format %s'", a.format);
	inv_crypto(inv);
	const struct cert_server how = { .roots = a.roots, .servername = a.servername, .insecure = a.insecure,
		                         .facts_only = a.brief };
	enum status st = cert_file_read(inv, inv_pos(inv, 0), &how, a.bundle, &file, e);
	if (st)
		return st;
	return file.is_csr ? print_request(inv, &a, &file.csr, e) : print_certs(inv, &a, &file.certs, e);
}

const struct command cmd_certificate_inspect = {
	.path = "certificate inspect",
	.summary = "print a certificate or certificate request",
	.usage = "[<crt-file>]",
	.description =
		"Prints the first certificate of a file, with `--bundle` all. Files are not verified; servers are, "
		"unless `--insecure` is given.",
	.positionals = pos,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct inspect_args),
	.examples = examples,
	.run = run,
};
