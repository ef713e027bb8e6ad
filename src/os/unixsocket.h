/* unixsocket.h - a unix socket as a file: made so that only its owner and root can connect, never twice at one path,
 * and gone with its maker.
 *
 * The folder is found as place.h finds it and must not be writable by others, who could put a socket of their own
 * there. What a killed process left is replaced; what is in use is not. Paths may be longer than sun_path. */
#pragma once
#include "os/lock.h"

struct unix_socket {
	int fd; /* listening, not blocking; to be moved out with FD_TAKE where somebody else closes it */
	int dir;
	char name[256];
	dev_t dev;
	ino_t ino;
	struct lock lock; /* NAME.lock beside it: two that start at once do not take each other's for a left one */
};
#define UNIX_SOCKET_NONE ((struct unix_socket){ .fd = -1, .dir = -1, .lock = LOCK_NONE })

/* ST_CONFLICT: somebody listens there, or something that is no socket of ours stands there; ST_DENIED: the folder;
 * ST_MISSING: no such folder; ST_IO. */
MUST_USE enum status unix_socket_listen(const char *path, struct unix_socket *ret, struct error *e);

/* Closes it and removes its file, unless that is another's by now. For AUTO. */
void unix_socket_done(struct unix_socket *s);

/* A connected socket, blocking. ST_MISSING: no such file, or nobody listens there; ST_DENIED: no right to it. */
MUST_USE enum status unix_socket_connect(const char *path, int *ret_fd, struct error *e);
