/* Every command of `step`, listed by hand: what is not here does not exist.
 *
 * To add one:
 *   1. src/cli/ca_health.c: an args struct, its OPT_* rows, the `const struct command cmd_ca_health`, and run(), in
 * this order and nothing else. What it does lives in client/, renewal/ or x509/; what several commands share in a
 *      helper of this folder (ask.c, certfile.c, invocation.c).
 *   2. Declare it in commands.h, name it in the list below (help shows them in this order), and the file in
 * meson.build. A new group ("ssh") is a command without run().
 *   3. A case in tests/e2e, and in the unit tests where it decides something.
 * Help, man page, completion and the JSON dump follow from the table. Results go into inv->out, talk to inv_say();
 * run() returns a status, and inv->exit_code only where the peer's exit status is not 0 or 1. Commands that talk to a
 * CA set .needs_defaults, so that a broken defaults.json stops them. */
#include "cli/commands.h"
#include "cli/cli.h"

static const struct opt global_opts[] = {
	OPT_STR(struct cli_globals, config, .name = "config", .arg = "<file>", .flags = OPT_FILE | OPT_NO_ENV,
	        .help = "Read option values from this file instead of `$(step path)/config/defaults.json`"),
	OPT_STR(struct cli_globals, context, .name = "context", .arg = "<name>", .flags = OPT_NO_ENV | OPT_HIDDEN,
	        .help = "Ignored, as where no contexts are in use"),
	OPT_END
};

static const struct command *const commands[] = {
	&cmd_root,
	&cmd_help,
	&cmd_path,
	&cmd_ca,
	&cmd_ca_init,
	&cmd_ca_bootstrap,
	&cmd_ca_health,
	&cmd_ca_token,
	&cmd_ca_certificate,
	&cmd_ca_sign,
	&cmd_ca_renew,
	&cmd_ca_rekey,
	&cmd_ca_revoke,
	&cmd_ca_list,
	&cmd_ca_outage,
	&cmd_ca_unit_result,
	&cmd_ca_root,
	&cmd_ca_roots,
	&cmd_ca_federation,
	&cmd_ca_provisioner,
	&cmd_ca_provisioner_list,
	&cmd_ca_provisioner_add,
	&cmd_ca_provisioner_update,
	&cmd_ca_provisioner_remove,
	&cmd_ca_provisioner_jwe_key,
	&cmd_certificate,
	&cmd_certificate_inspect,
	&cmd_certificate_needs_renewal,
	&cmd_certificate_fingerprint,
	&cmd_certificate_verify,
	&cmd_certificate_create,
	&cmd_certificate_sign,
	&cmd_certificate_bundle,
	&cmd_certificate_p12,
	&cmd_certificate_key,
	&cmd_certificate_format,
	&cmd_completion,
	&cmd_version,
	&cmd_internal_docs,
	NULL,
};

const struct command_set step_commands = { .program = "step", .commands = commands, .global = global_opts };
