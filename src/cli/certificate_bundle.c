#include "cli/certfile.h"
#include "cli/commands.h"
#include "os/file.h"

struct bundle_args {
	bool force;
};

static const struct opt opts[] = { OPT_FLAG(struct bundle_args, force, .name = "force", .letter = 'f', .env = "STEP_F",
	                                    .help = "Replace the file without asking"),
	                           OPT_END };
static const struct positional pos[] = { { "crt-file", "The certificate.", OPT_FILE },
	                                 { "ca", "The certificate of the authority that issued it.", OPT_FILE },
	                                 { "bundle-file", "Where both go.", OPT_FILE },
	                                 { 0 } };
static const struct example examples[] = { { "What most servers want as their certificate:",
	                                     "step certificate bundle foo.crt intermediate_ca.crt foo.pem" },
	                                   { 0 } };

static enum status run(struct invocation *inv, struct error *e)
{
	const char *to = inv_pos(inv, 2);
	AUTO(buf_done) struct buf out = BUF_INIT(CERT_BUNDLE_MAX);
	enum status st = ST_OK;
	inv_crypto(inv);
	for (size_t i = 0; !st && i < 2; i++) {
		AUTO(chain_done) struct chain one = { 0 };
		st = cert_chain_read(inv, inv_pos(inv, i), &(struct cert_server){ 0 }, false, &one, e);
		if (!st)
			cert_format_pem(one.v[0], &out);
	}
	if (!st)
		st = buf_check(&out, e);
	if (!st)
		st = ask_overwrite(to, INV_ARGS(inv, bundle_args)->force, e);
	if (!st)
		st = file_replace(to, buf_slice(&out), 0600, e);
	if (!st)
		inv_say(inv, "Your certificate has been saved in %s.", to);
	return st;
}

const struct command cmd_certificate_bundle = {
	.path = "certificate bundle",
	.summary = "put a certificate and its issuer's into one file",
	.usage = "<crt-file> <ca> <bundle-file>",
	.description = "Takes the first certificate of either file.",
	.positionals = pos,
	.pos_min = 3,
	.pos_max = 3,
	.opts = opts,
	.args_size = sizeof(struct bundle_args),
	.examples = examples,
	.run = run,
};
