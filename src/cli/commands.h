/* commands.h - the commands, for commands.c and nobody else. */
#pragma once
#include "args/command.h"

extern const struct command cmd_root, cmd_help, cmd_path, cmd_completion, cmd_version, cmd_internal_docs;

extern const struct command cmd_certificate, cmd_certificate_inspect, cmd_certificate_needs_renewal,
	cmd_certificate_fingerprint, cmd_certificate_verify, cmd_certificate_create, cmd_certificate_sign,
	cmd_certificate_bundle, cmd_certificate_p12, cmd_certificate_key, cmd_certificate_format;

extern const struct command cmd_ca, cmd_ca_init, cmd_ca_bootstrap, cmd_ca_health, cmd_ca_token, cmd_ca_certificate,
	cmd_ca_sign, cmd_ca_renew, cmd_ca_rekey, cmd_ca_revoke, cmd_ca_root, cmd_ca_roots, cmd_ca_federation,
	cmd_ca_provisioner, cmd_ca_provisioner_list, cmd_ca_provisioner_add, cmd_ca_provisioner_update,
	cmd_ca_provisioner_remove, cmd_ca_provisioner_jwe_key, cmd_ca_unit_result, cmd_ca_list, cmd_ca_outage;
