/* process.h - a child program, started by its argument vector; no shell ever sees it. The child gets the descriptors
 * named here and no other, default signal dispositions and an empty signal mask. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_spec {
	const char *const *argv; /* NULL-terminated; argv[0] without a slash is looked up in PATH */
	const char *const *env;  /* NULL-terminated; NULL: our own environment */
	/* Borrowed descriptors of ours, which become 0, 1, 2 and 3 of the child; -1: /dev/null (for fd3: nothing). */
	int in, out, err, fd3;
	bool session; /* setsid(2): no terminal of ours, and process_kill reaches all that it starts */
};

/* Born as PROCESS_NONE; embedded by the caller. */
struct process {
	pid_t pid; /* 0: none, or reaped */
	bool group;
};
#define PROCESS_NONE ((struct process){ 0 })

struct process_end {
	int status; /* exit status, where signal is 0 */
	int signal; /* that killed it, or 0 */
};

/* ST_MISSING where the program is not found, ST_IO otherwise; texts as the peer's (spec/client.md §6.6):
 * `exec: "nosuch": executable file not found in $PATH`, `fork/exec ./x: permission denied`. */
MUST_USE enum status process_spawn(const struct process_spec *s, struct process *ret, struct error *e);

/* Waits until the child ends, and reaps it. Nobody else may reap it (no SIGCHLD set to SIG_IGN). */
MUST_USE enum status process_wait(struct process *p, struct process_end *ret, struct error *e);

/* Has it ended? Reaps it then. Never waits. */
MUST_USE enum status process_poll(struct process *p, bool *ret_ended, struct process_end *ret, struct error *e);

/* Sends a signal, to all of its process group where it has a session of its own; a child that has been reaped, or was
 * never started, gets none. */
void process_kill(const struct process *p, int sig);

/* Kills (SIGKILL) and reaps what still runs. For AUTO. */
void process_done(struct process *p);

/* How many descriptors this process may have open: the soft limit, raised towards `want` as far as the hard one goes.
 * INT64_MAX: no bound. */
int64_t process_descriptors(int64_t want);
