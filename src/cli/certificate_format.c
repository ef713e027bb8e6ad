#include "cli/certfile.h"
#include "cli/commands.h"
#include "os/file.h"

#include <sys/stat.h>

struct format_args {
	const char *out;
	bool force;
};

static const struct opt opts[] = { OPT_STR(struct format_args, out, .name = "out", .alias = "output-file",
	                                   .arg = "<file>", .flags = OPT_FILE,
	                                   .help = "Write the result here; by default to standard output"),
	                           OPT_FLAG(struct format_args, force, .name = "force", .letter = 'f', .env = "STEP_F",
	                                    .help = "Replace the file without asking"),
	                           OPT_END };
static const struct positional pos[] = {
	{ "crt-file", "A certificate or certificate request in PEM or DER; `-` or nothing for standard input.",
	  OPT_FILE },
	{ 0 }
};
static const struct example examples[] = { { "From PEM to DER:", "step certificate format foo.pem --out foo.der" },
	                                   { 0 } };

enum { DER_SEQUENCE_TAG = 0x30 };

static void convert(const struct cert_file *f, bool from_der, struct buf *out)
{
	if (f->is_csr && from_der)
		csr_format_pem(&f->csr, out);
	else if (f->is_csr)
		buf_add_slice(out, buf_slice(&f->csr.der));
	else if (from_der)
		cert_format_pem(f->certs.v[0], out);
	else
		buf_add_slice(out, cert_facts(f->certs.v[0])->der);
}

static mode_t mode_of(const char *path)
{
	struct stat info;
	return strcmp(path, "-") && !stat(path, &info) ? info.st_mode & 0777 : 0600;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct format_args *a = INV_ARGS(inv, format_args);
	const char *from = inv_pos(inv, 0) ? inv_pos(inv, 0) : "-";
	AUTO(cert_file_done) struct cert_file f = { 0 };
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	AUTO(buf_done) struct buf out = BUF_INIT(CERT_BUNDLE_MAX);
	inv_crypto(inv);
	enum status st = file_read(from, &text, e);
	if (!st)
		st = cert_file_parse(buf_slice(&text), from, false, true, &f, e);
	if (st)
		return st;
	convert(&f, text.p[0] == DER_SEQUENCE_TAG, &out);
	st = buf_check(&out, e);
	if (!st && !opt_is_set(a->out)) {
		buf_add_slice(&inv->out, buf_slice(&out));
		return ST_OK;
	}
	if (!st)
		st = ask_overwrite(a->out, a->force, e);
	if (!st)
		st = file_replace(a->out, buf_slice(&out), mode_of(from), e);
	if (!st)
		inv_say(inv, "Your certificate has been saved in %s", a->out); /* the peer's has no full stop */
	return st;
}

const struct command cmd_certificate_format = {
	.path = "certificate format",
	.summary = "turn a certificate from PEM into DER, or back",
	.usage = "[<crt-file>]",
	.positionals = pos,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct format_args),
	.examples = examples,
	.run = run,
};
