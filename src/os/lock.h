/* lock.h - one process at a time, by an OFD lock (fcntl(2)) on a file that exists only while it is held. The kernel
 * drops the lock with its holder, however that one ends; the file tells who holds it. */
#pragma once
#include "base/error.h"
#include "os/place.h"

struct lock {
	int fd, dir;
	char name[256];
};
#define LOCK_NONE ((struct lock){ .fd = -1, .dir = -1 })

/* Locks dir/name, made 0600 where it is not there. what: the noun of the message "WHAT is being renewed by process 123"
 * (ST_AGAIN, unless wait). owner: whom a lock file made by root is given to, so that this user meets the same lock
 * later. A lock file of anybody but root, us and the owner, or with a second name, is refused (ST_DENIED). */
MUST_USE enum status lock_take(int dir, const char *name, const char *what, uid_t owner, bool wait, struct lock *ret,
			       struct error *e);

/* For AUTO. */
void lock_drop(struct lock *l);
