/* notify.h - sd_notify by hand (sd_notify(3)): silent where NOTIFY_SOCKET is unset. */
#pragma once
#include "base/macros.h"
#include <stdint.h>

void notify_send(const char *state); /* "READY=1\nSTATUS=..." */
/* The same by a format; what it prints may be of any origin but for the lines' own ends: use notify_status for such. */
void notify_sendf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* "STATUS=..." of text of any origin and length: control characters become spaces. */
void notify_status(const char *text);

/* How often WATCHDOG=1 must be sent at the least (half of what the manager allows, sd_watchdog_enabled(3)), in
 * nanoseconds; 0: it does not watch us. */
int64_t notify_watchdog_ns(void);
