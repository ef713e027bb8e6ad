/* notify.h - sd_notify by hand (sd_notify(3)): silent where NOTIFY_SOCKET is unset. */
#pragma once
void notify_send(const char *state); /* "READY=1\nSTATUS=..." */
