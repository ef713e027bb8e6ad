#include "os/unixsocket.h"

#include "os/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A name of at most this length has room behind "/proc/self/fd/N/" in sun_path, and ".lock" behind it. */
enum { SOCKET_NAME_MAX = 64, BACKLOG = 64 };

/* The canonical path where it fits, so that ss(8) shows it; else by way of the open folder. */
static void address_of(const struct place *p, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(p->path) < sizeof ret->sun_path)
		snprintf(ret->sun_path, sizeof ret->sun_path, "%s", p->path);
	else
		snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%.*s", p->dir, SOCKET_NAME_MAX,
		         p->name);
}

static enum status find(const char *path, struct place *ret, struct error *e)
{
	if (place_find(path, PLACE_FOLLOW, ret, e))
		return e->status;
	if (strlen(ret->name) > SOCKET_NAME_MAX)
		return error_set(e, ST_INVALID, "socket %s: its name is longer than %d bytes", path, SOCKET_NAME_MAX);
	return ST_OK;
}

/* errno of a connect that did not wait; 0: somebody listens. */
static int try_connect(const struct place *p)
{
	struct sockaddr_un a;
	AUTO(fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	address_of(p, &a);
	if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 || errno == EAGAIN /* its backlog is full */)
		return 0;
	return errno;
}

static enum status check_folder(const struct place *p, struct error *e)
{
	if (!folder_is_shared(&p->folder))
		return ST_OK;
	return error_set(e, ST_DENIED,
	                 "socket %s: others may write in its folder; name a folder that is this user's alone",
	                 p->given);
}

/* Removes what a killed process left. Under the lock, so nobody is between his bind and his listen. */
static enum status clear(const struct place *p, struct error *e)
{
	if (!p->exists)
		return ST_OK;
	if (!S_ISSOCK(p->st.st_mode))
		return error_set(e, ST_CONFLICT, "socket %s: a file that is no socket stands there; move it away",
		                 p->given);
	int os = try_connect(p);
	if (!os)
		return error_set(e, ST_CONFLICT,
		                 "socket %s: another program listens there; end it, or name another path", p->given);
	if (os != ECONNREFUSED && os != ENOENT)
		return error_os(e, os, "socket %s: connect", p->given);
	if (unlinkat(p->dir, p->name, 0) && errno != ENOENT)
		return error_os(e, errno, "socket %s: remove what is left of it", p->given);
	return ST_OK;
}

/* Nobody can connect before listen: the mode is right by then. */
static enum status bind_and_listen(const struct place *p, struct unix_socket *s, struct error *e)
{
	struct sockaddr_un a;
	struct stat st;
	address_of(p, &a);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (const struct sockaddr *)&a, sizeof a))
		return error_os(e, errno, "socket %s: bind", p->given);
	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW))
		return error_os(e, errno, "socket %s", p->given);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	if (fchmodat(p->dir, p->name, 0600, 0) || listen(s->fd, BACKLOG))
		return error_os(e, errno, "socket %s", p->given);
	return ST_OK;
}

static enum status take_lock(const struct place *p, struct unix_socket *s, struct error *e)
{
	char name[SOCKET_NAME_MAX + 8];
	snprintf(name, sizeof name, "%.*s.lock", SOCKET_NAME_MAX, p->name);
	enum status st = lock_take(p->dir, name, p->given, geteuid(), false, &s->lock, e);
	if (st == ST_AGAIN)
		return error_set(e, ST_CONFLICT,
		                 "socket %s: another program listens there; end it, or name another path", p->given);
	return st ? error_wrap(e, "socket %s", p->given) : ST_OK;
}

enum status unix_socket_listen(const char *path, struct unix_socket *ret, struct error *e)
{
	AUTO(unix_socket_done) struct unix_socket s = UNIX_SOCKET_NONE;
	AUTO(place_done) struct place p = PLACE_NONE;
	if (find(path, &p, e) || check_folder(&p, e) || take_lock(&p, &s, e) || clear(&p, e) ||
	    bind_and_listen(&p, &s, e))
		return e->status;
	snprintf(s.name, sizeof s.name, "%s", p.name);
	s.dir = FD_TAKE(p.dir);
	*ret = s;
	s = UNIX_SOCKET_NONE;
	return ST_OK;
}

void unix_socket_done(struct unix_socket *s)
{
	struct stat st;
	fd_close_p(&s->fd);
	if (s->dir >= 0 && fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlinkat(s->dir, s->name, 0);
	fd_close_p(&s->dir);
	lock_drop(&s->lock);
	*s = UNIX_SOCKET_NONE;
}

enum status unix_socket_connect(const char *path, int *ret_fd, struct error *e)
{
	AUTO(place_done) struct place p = PLACE_NONE;
	struct sockaddr_un a;
	if (find(path, &p, e))
		return e->os == EACCES ? (e->status = ST_DENIED) : e->status; /* its folder is not open to us */
	AUTO(fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_os(e, errno, "socket %s", path);
	address_of(&p, &a);
	if (connect(fd, (const struct sockaddr *)&a, sizeof a)) {
		int os = errno;
		enum status st = os == EACCES ? ST_DENIED : os == ENOENT || os == ECONNREFUSED ? ST_MISSING : ST_IO;
		error_os(e, os, "socket %s: connect", path);
		return e->status = st;
	}
	*ret_fd = FD_TAKE(fd);
	return ST_OK;
}
