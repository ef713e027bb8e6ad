#include "sample.h"

static enum status run(struct invocation *inv, struct error *e)
{
	(void)inv;
	(void)e;
	return ST_OK;
}

static const struct opt renew_opts[] = {
	OPT_STR(struct renew_args, out, .name = "out", .alias = "output-file", .arg = "<file>", .flags = OPT_FILE,
		.help = "Write the new certificate here; by default the old one is replaced"),
	OPT_FLAG(struct renew_args, force, .name = "force", .letter = 'f', .env = "STEP_F",
		 .help = "Replace files without asking"),
	OPT_STR(struct renew_args, token, .name = "token", .arg = "<token>", .help = "The one-time token",
		.flags = OPT_SECRET),
	OPT_LIST(struct renew_args, san, .name = "san", .arg = "<name>", .help = "A further name: it's one of [a:b]"),
	OPT_INT(struct renew_args, size, .name = "size", .arg = "<bits>", .help = "Bits of the key"),
	OPT_DURATION(struct renew_args, before, .name = "expires-in", .arg = "<duration>", .help = "When due"),
	OPT_STR(struct renew_args, format, .name = "format", .arg = "<format>", .choices = "text json pem",
		.help = "How to print"),
	OPT_STR(struct renew_args, ca_url, .name = "ca-url", .arg = "<uri>", .help = "Where the CA is"),
	OPT_FLAG(struct renew_args, bundle, .name = "bundle", .help = "never shown", .flags = OPT_HIDDEN | OPT_NO_ENV),
	OPT_END
};

static const struct positional renew_pos[] = { { "crt-file", "The certificate", OPT_FILE },
					       { "key-file", "Its key", OPT_FILE },
					       { 0 } };
static const struct example renew_examples[] = { { "Renew a certificate:", "step ca renew foo.crt foo.key" }, { 0 } };

static const struct command root = { .path = "", .summary = "a private CA's client", .run = run };
static const struct command group = { .path = "ca", .summary = "talk to a CA" };
static const struct command help = { .path = "help", .summary = "show help" };
static const struct command renew = {
	.path = "ca renew",
	.summary = "renew a certificate",
	.usage = "<crt-file> <key-file>",
	.description =
		"`step ca renew` renews the certificate that is given, which has to be valid still, and writes the "
		"new one.\n\n\tpre formatted\n\t  `twice`\n\nThird paragraph.",
	.positionals = renew_pos,
	.pos_min = 2,
	.pos_max = 2,
	.opts = renew_opts,
	.args_size = sizeof(struct renew_args),
	.exit_codes = "0 where it worked, 1 where not.",
	.environment = "`STEP_SAMPLE` is heeded.",
	.examples = renew_examples,
	.run = run,
};
static const struct command secret = { .path = "ca secret", .summary = "hidden", .hidden = true, .run = run };
static const struct command path = { .path = "path", .summary = "print the path", .run = run, .pos_max = -1u };

static const struct command *const commands[] = { &root, &help, &path, &group, &renew, &secret, NULL };
static const struct opt global[] = { OPT_STR(struct sample_globals, config, .name = "config", .arg = "<file>",
					     .help = "Read defaults from here", .flags = OPT_FILE),
				     OPT_END };
const struct command_set sample_set = { .program = "step", .commands = commands, .global = global };
const struct command *const sample_renew = &renew;
