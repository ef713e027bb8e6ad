#include "os/entropy.h"

#include <errno.h>
#include <sys/random.h>

static enum status fill(void *ctx, uint8_t *out, size_t n, struct error *e)
{
	(void)ctx;
	for (size_t done = 0; done < n;) {
		ssize_t got = getrandom(out + done, n - done, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_os(e, got < 0 ? errno : EIO, "reading random bytes from the kernel failed");
		done += (size_t)got;
	}
	return ST_OK;
}

const struct entropy entropy_system = { .fill = fill };
