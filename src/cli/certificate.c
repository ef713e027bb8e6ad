#include "cli/commands.h"

const struct command cmd_certificate = {
	.path = "certificate",
	.summary = "look at, check, make and convert certificates in files",
};
