#include "cli/certfile.h"
#include "cli/commands.h"
#include "crypto/auto.h"
#include "os/file.h"

struct key_args {
	const char *out;
	bool force;
};

static const struct opt opts[] = { OPT_STR(struct key_args, out, .name = "out", .alias = "output-file", .arg = "<file>",
	                                   .flags = OPT_FILE,
	                                   .help = "Write the key here; by default to standard output"),
	                           OPT_FLAG(struct key_args, force, .name = "force", .letter = 'f', .env = "STEP_F",
	                                    .help = "Replace the file without asking"),
	                           OPT_END };
static const struct positional pos[] = {
	{ "crt-file", "A certificate or certificate request in PEM or DER.", OPT_FILE }, { 0 }
};
static const struct example examples[] = { { "Print a certificate's public key:", "step certificate key foo.crt" },
	                                   { 0 } };

static enum status run(struct invocation *inv, struct error *e)
{
	const struct key_args *a = INV_ARGS(inv, key_args);
	AUTO(cert_file_done) struct cert_file f = { 0 };
	AUTO(buf_done) struct buf pem = BUF_INIT(KEYFILE_MAX);
	inv_crypto(inv);
	enum status st = cert_file_read(inv, inv_pos(inv, 0), &(struct cert_server){ 0 }, false, &f, e);
	if (!st)
		st = keyfile_format_public(f.is_csr ? f.csr.key : cert_key(f.certs.v[0]), &pem, e);
	if (st)
		return st;
	if (!opt_is_set(a->out)) {
		buf_add_slice(&inv->out, buf_slice(&pem));
		return ST_OK;
	}
	st = ask_overwrite(a->out, a->force, e);
	if (!st)
		st = file_replace(a->out, buf_slice(&pem), 0600, e);
	if (!st)
		inv_say(inv, "The public key has been saved in %s.", a->out);
	return st;
}

const struct command cmd_certificate_key = {
	.path = "certificate key",
	.summary = "print the public key of a certificate",
	.usage = "<crt-file>",
	.positionals = pos,
	.pos_min = 1,
	.pos_max = 1,
	.opts = opts,
	.args_size = sizeof(struct key_args),
	.examples = examples,
	.run = run,
};
