#include "agent/voice.h"

#include "base/buf.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/log.h"

#include <unistd.h>

enum { LINE_MAX_ = 16384 };

void voice_say(const struct voice *v, enum voice_level level, const char *fmt, ...)
{
	AUTO(buf_done) struct buf text = BUF_INIT(LINE_MAX_);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] == 127)
			text.p[i] = text.p[i] == '\n' || text.p[i] == '\t' ? ' ' : '?';
	v->line(v->ctx, level, buf_cstr(&text));
}

static void dated_line(void *ctx, enum voice_level level, const char *text)
{
	AUTO(buf_done) struct buf line = BUF_INIT(LINE_MAX_ + 64);
	struct error e = ERROR_INIT;
	time_t now = (time_t)clock_wall(&clock_system).s;
	struct tm tm = { 0 };
	char date[32] = "";
	int fd = level == VOICE_ERROR ? STDERR_FILENO : STDOUT_FILENO;
	(void)ctx;
	if (localtime_r(&now, &tm))
		strftime(date, sizeof date, "%Y/%m/%d %H:%M:%S", &tm);
	if (log_is_journal(fd))
		buf_adds(&line, level == VOICE_ERROR ? "<3>" : "<6>");
	buf_addf(&line, "%s: %s %s\n", level == VOICE_ERROR ? "ERROR" : "INFO", date, text);
	st_ignore(fd_write_all(fd, buf_slice(&line), "log", &e), "there is no other place to tell");
}

const struct voice voice_daemon = { .line = dated_line };
