#include "cli/cli.h"

#include <signal.h>

int main(int argc, char *argv[])
{
	/* A reader that went away is an error to tell, not a silent death. */
	signal(SIGPIPE, SIG_IGN);
	return cli_run(&step_commands, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
}
