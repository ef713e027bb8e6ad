#include "cli/commands.h"

const struct command cmd_ca = {
	.path = "ca",
	.summary = "make a certificate authority, and get, renew and revoke its certificates",
};
