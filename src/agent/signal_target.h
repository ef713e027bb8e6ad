/* signal_target.h - the process that gets a signal after a renewal, by number or by a file that holds the number. The
 * file is read when the signal is sent; the process is held by a pidfd, so that a number that has passed to another
 * process meanwhile gets nothing. */
#pragma once
#include "base/error.h"
#include <sys/types.h>

/* The number in a pid file, trimmed. ST_INVALID in the peer's words: "error converting x to integer process id: ...",
 * "invalid value '0' for flag '--pid-file'"; ST_MISSING, ST_IO: "open F failed: ...". */
MUST_USE enum status pid_file_read(const char *path, pid_t *ret, struct error *e);

struct signal_target {
	pid_t pid;        /* 0: by file */
	const char *file; /* borrowed; NULL: by number */
	int sig;
	int pidfd; /* of the process that had the number when signal_target_hold was called; -1: held by nobody */
};
#define SIGNAL_TARGET_NONE ((struct signal_target){ .pidfd = -1 })

/* For one who will live long: pid means the process that has the number now. Where there is none yet, whoever has it
 * when the signal is sent. */
void signal_target_hold(struct signal_target *t);
void signal_target_done(struct signal_target *t);

/* ST_IO: "kill 999999 with signal 1 failed: no such process". */
MUST_USE enum status signal_target_send(const struct signal_target *t, struct error *e);
