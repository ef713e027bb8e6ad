#include "os/notify.h"

#include "base/duration.h"
#include "base/num.h"
#include "os/auto.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STATE_MAX = 2048 };

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

void notify_sendf(const char *fmt, ...)
{
	char state[STATE_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(state, sizeof state, fmt, ap);
	va_end(ap);
	notify_send(state);
}

void notify_status(const char *text)
{
	char state[STATE_MAX];
	snprintf(state, sizeof state, "STATUS=%s", text);
	for (char *p = state; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	notify_send(state);
}

int64_t notify_watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	struct error e = ERROR_INIT;
	int64_t allowed_us, whose;
	if (!usec || num_parse(slice_cstr(usec), 1, INT64_MAX / DURATION_US, &allowed_us, &e))
		return 0;
	if (pid && (num_parse(slice_cstr(pid), 1, INT32_MAX, &whose, &e) || whose != getpid()))
		return 0;
	return allowed_us * DURATION_US / 2;
}
