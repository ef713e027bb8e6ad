/* fail.h - makes the n-th fallible call fail, or kills the process there. Linked by --wrap into calls of our own code
 * (not of libraries). Counting is per process and off until armed.
 *
 *   for (unsigned n = 1; ; n++) {
 *           fail_arm(FAIL_ALLOC | FAIL_WRITE, n, ENOSPC);
 *           st = the_thing();
 *           if (!fail_disarm())      // fewer than n calls were made: every point was visited
 *                   break;
 *           ... st is an error, nothing leaked, the invariant holds ...
 *   } */
#pragma once
#include <stdbool.h>

enum {
	FAIL_ALLOC = 1 << 0,  /* malloc, calloc, realloc return NULL (errno ENOMEM) */
	FAIL_WRITE = 1 << 1,  /* write, pwrite, ftruncate */
	FAIL_SYNC = 1 << 2,   /* fsync, fdatasync */
	FAIL_RENAME = 1 << 3, /* rename, renameat, linkat, unlinkat */
	FAIL_OPEN = 1 << 4,   /* open, openat */
	FAIL_ATTR = 1 << 5,   /* fchmod, fchown */
	FAIL_FILE = FAIL_WRITE | FAIL_SYNC | FAIL_RENAME | FAIL_OPEN | FAIL_ATTR,
	FAIL_ALL = FAIL_ALLOC | FAIL_FILE,
};

/* The n-th call (from 1) of these kinds fails with errno os; the calls after it work again. */
void fail_arm(unsigned kinds, unsigned n, int os);
/* Instead of failing, the n-th call does not happen and the process ends at once with _exit(137): for tests that fork. */
void fail_arm_kill(unsigned kinds, unsigned n);
/* True where the n-th call was reached. */
bool fail_disarm(void);
