#include "cli/version.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "client/ca.h"

#ifndef PERENNIAL_RELEASE_DATE
#define PERENNIAL_RELEASE_DATE "unknown"
#endif

void version_print(struct buf *out)
{
	buf_addf(out, "%s\nRelease Date: %s\n", ca_user_agent, PERENNIAL_RELEASE_DATE);
}

const char *version_date(char out[VERSION_DATE])
{
	bool known = strlen(PERENNIAL_RELEASE_DATE) >= VERSION_DATE - 1;
	snprintf(out, VERSION_DATE, "%s", known ? PERENNIAL_RELEASE_DATE : "");
	return out;
}

static enum status run(struct invocation *inv, struct error *e)
{
	(void)e;
	version_print(&inv->out);
	return ST_OK;
}

const struct command cmd_version = {
	.path = "version",
	.summary = "print the version",
	.pos_max = -1u,
	.run = run,
};
