/* voice.h - how what happens to a pair is told: the daemon's dated lines, a command's plain ones. */
#pragma once
#include "base/macros.h"

enum voice_level { VOICE_INFO, VOICE_ERROR };

struct voice {
	void (*line)(void *ctx, enum voice_level level, const char *text); /* without newline */
	void *ctx;
};

/* Control characters become '?'. */
void voice_say(const struct voice *v, enum voice_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "INFO: 2026/11/23 10:44:42 text" on stdout, "ERROR: ..." on stderr, local time, one write(2) each
 * (spec/client.md §6.4). A stream that is the journal's gets the priority in front, "<3>" or "<6>". */
extern const struct voice voice_daemon;
