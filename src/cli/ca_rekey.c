#include "cli/ca_renewal.h"
#include "crypto/keys.h"

struct ca_rekey_args {
	struct ca_flags ca;
	struct renewal_flags r;
	struct key_flags key;
	const char *out_cert, *out_key, *private_key;
};

static void saved(const struct renewal *r)
{
	const struct pair_conf *c = &r->conf;
	term_tick("Certificate", "%s", pair_out(c));
	if (!c->keep_key_file)
		term_tick("Private Key", "%s", c->out_key ? c->out_key : c->key);
}

static enum status check_flags(const struct ca_rekey_args *o, struct error *e)
{
	if (opt_is_set(o->private_key) && opt_is_set(o->key.kty))
		return usage_incompatible("private-key", "kty", e);
	/* It would be the same key each time. */
	if (opt_is_set(o->private_key) && o->r.daemon)
		return usage_incompatible("private-key", "daemon", e);
	return ST_OK;
}

static enum status choose_key(const struct ca_rekey_args *o, EVP_PKEY **ret_given, struct key_spec *ret,
                              struct error *e)
{
	struct ask_password asking = { .file = o->r.password_file,
		                       .flag = "--password-file",
		                       .label = "Please enter the password to decrypt the new private key" };
	const struct key_flags *k = &o->key;
	if (opt_is_set(o->private_key))
		return read_key(o->private_key, &asking, ret_given, e);
	if (key_spec_make(opt_is_set(k->kty) ? k->kty : NULL, opt_is_set(k->curve) ? k->curve : NULL,
	                  k->size.set ? k->size.v : 0, k->insecure, ret, e))
		return e->status = ST_INVALID; /* a wrong value, not wrong syntax */
	return ST_OK;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_rekey_args *o = INV_ARGS(inv, ca_rekey_args);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *given = NULL;
	struct renewal r = {
		.inv = inv,
		.flags = &o->r,
		.ca = &o->ca,
		.period_flag = "rekey-period",
		.done = "rekeyed",
		.doing = "error rekeying certificate",
		.conf = { .crt = inv_pos(inv, 0),
		          .key = inv_pos(inv, 1),
		          .out_crt = opt_is_set(o->out_cert) ? o->out_cert : NULL,
		          .out_key = opt_is_set(o->out_key) ? o->out_key : NULL,
		          .rekey = true,
		          .keep_key_file = opt_is_set(o->private_key) && !opt_is_set(o->out_key) },
		.saved = saved,
	};
	inv_crypto(inv);
	if (check_flags(o, e) || choose_key(o, &given, &r.conf.new_key, e))
		return renewal_misused(inv, &o->r, e);
	r.conf.given_key = given;
	return renewal_run(&r, e);
}

static const struct opt opts[] = {
	RENEWAL_OPTS(struct ca_rekey_args, "a rekey", "rekey-period"),
	OPT_STR(struct ca_rekey_args, out_cert, .name = "out-cert", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the new certificate there; default: replace the old one"),
	OPT_STR(struct ca_rekey_args, out_key, .name = "out-key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Write the new key there; default: replace the old one"),
	OPT_STR(struct ca_rekey_args, private_key, .name = "private-key", .arg = "<file>", .flags = OPT_FILE,
	        .help = "Use this key as the new one"),
	KEY_OPTS(struct ca_rekey_args),
	CA_URL_OPT(struct ca_rekey_args),
	CA_ROOT_OPT(struct ca_rekey_args),
	OPT_END,
};

const struct command cmd_ca_rekey = {
	.path = "ca rekey",
	.summary = "renew a certificate with a new key",
	.usage = "<crt-file> <key-file>",
	.description =
		"Makes a new key and asks the CA for a certificate with the old names for it. Certificate and key "
		"change "
		"as one transaction: after a crash at any instant they belong together, or the next run makes them "
		"so.\n\n"
		"With `--daemon` it stays and does so again and again, each time with a new key; schedule, retries and "
		"what follows are those of `step ca renew`.",
	.positionals =
		(const struct positional[]){ { "crt-file", "The certificate (PEM or DER), with its chain", OPT_FILE },
	                                     { "key-file", "Its private key", OPT_FILE },
	                                     { 0 } },
	.pos_min = 2,
	.pos_max = 2,
	.opts = opts,
	.args_size = sizeof(struct ca_rekey_args),
	.exit_codes = RENEWAL_EXIT_CODES,
	.needs_defaults = true,
	.examples = (const struct example[]){ { "A new key now", "step ca rekey --force foo.crt foo.key" },
	                                      { "A new key each day",
	                                        "step ca rekey --daemon --rekey-period 24h foo.crt foo.key" },
	                                      { "Certificate and key that change in the same instant",
	                                        "step ca rekey --daemon --pair-dir /etc/foo/tls foo.crt foo.key" },
	                                      { 0 } },
	.run = run,
};
