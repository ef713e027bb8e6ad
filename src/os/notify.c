#include "os/notify.h"

#include "os/auto.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* sd_notify(3): the variable holds a path, or '@' and a name in the abstract name space. Whatever goes wrong, the
 * service is not to suffer from it. */
void notify_send(const char *state)
{
	const char *to = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = to ? strlen(to) : 0;
	if (n < 2 || n >= sizeof a.sun_path || (to[0] != '/' && to[0] != '@'))
		return;
	memcpy(a.sun_path, to, n);
	if (to[0] == '@')
		a.sun_path[0] = '\0';
	AUTO(fd_close_p) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A name in the abstract space ends where the address ends, a path with its NUL. */
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (to[0] == '/'));
	ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&a, size);
	(void)sent;
}
