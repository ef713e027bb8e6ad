#include "os/log.h"

#include "base/utf8.h"
#include "os/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A value longer than this is cut and marked; a record that still does not fit is told by its message alone. */
enum { VALUE_MAX = 16384, RECORD_MAX = 1 << 18, LINE_MAX_ = 4096 };

static struct {
	_Atomic int fd, format, least;
	atomic_bool prefix;
} sink = { .fd = STDERR_FILENO, .format = LOG_TEXT };

/* The names are logrus's, the numbers syslog's. */
static const struct {
	const char *name, *prefix;
} levels[] = {
	[LOG_DEBUG_] = { "debug", "<7>" },
	[LOG_INFO_] = { "info", "<6>" },
	[LOG_WARN] = { "warning", "<4>" },
	[LOG_ERROR] = { "error", "<3>" },
};

/* systemd.exec(5): JOURNAL_STREAM holds "device:inode" of the stream it gave us; a redirected one is not it. */
bool log_is_journal(int fd)
{
	const char *want = getenv("JOURNAL_STREAM");
	struct stat st;
	if (!want || fstat(fd, &st))
		return false;
	char have[64];
	snprintf(have, sizeof have, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(want, have) == 0;
}

void log_setup(enum log_format format, int fd)
{
	atomic_store(&sink.format, (int)format);
	atomic_store(&sink.fd, fd);
	atomic_store(&sink.prefix, log_is_journal(fd));
}

void log_set_least(enum log_level level)
{
	atomic_store(&sink.least, (int)level);
}

static void add_escape(struct buf *out, uint32_t c, bool json)
{
	static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
		if (c == (uint8_t)letters[i]) {
			buf_addc(out, '\\');
			buf_addc(out, letters[i + 1]);
			return;
		}
	}
	if (c > 0xffff && json)
		buf_addf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
	else if (c > 0xffff)
		buf_addf(out, "\\U%08x", c);
	else if (c < 0x80 && !json)
		buf_addf(out, "\\x%02x", c);
	else
		buf_addf(out, "\\u%04x", c);
}

/* In quotes, as Go's %q and as JSON do it. */
static void add_quoted(struct buf *out, struct slice s, bool json)
{
	size_t whole = s.n;
	if (s.n > VALUE_MAX)
		s.n = VALUE_MAX;
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n;) {
		uint32_t c;
		size_t n = utf8_next(slice_of(s.p + i, s.n - i), &c);
		if (!n)
			buf_addf(out, json ? "\\ufffd" : "\\x%02x", s.p[i]);
		else if (utf8_is_hostile(c) || c == '"' || c == '\\')
			add_escape(out, c, json);
		else
			buf_add(out, s.p + i, n);
		i += n ? n : 1;
	}
	if (whole > s.n)
		buf_addf(out, "... (%zu bytes)", whole);
	buf_addc(out, '"');
}

/* logrus quotes a value unless it is made of these. */
static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!word && (!c || !strchr("-._/@^+", c)))
			return false;
	}
	return s.n <= VALUE_MAX;
}

static void add_value(struct buf *out, const struct log_field *f, bool json)
{
	if (f->type == LOG_INT)
		buf_addf(out, "%" PRId64, f->i);
	else if (f->type == LOG_BOOL)
		buf_adds(out, f->i ? "true" : "false");
	else if (json || !is_plain(slice_cstr(f->s)))
		add_quoted(out, slice_cstr(f->s), json);
	else
		buf_adds(out, f->s);
}

static void add_field(struct buf *out, const struct log_field *f, bool json)
{
	if (f->type == LOG_STR && !f->s)
		return;
	bool first = out->n == 0 || out->p[out->n - 1] == '{';
	if (!first)
		buf_addc(out, json ? ',' : ' ');
	if (json) {
		add_quoted(out, slice_cstr(f->name), true);
		buf_addc(out, ':');
	} else {
		buf_addf(out, "%s=", f->name);
	}
	add_value(out, f, json);
}

void log_format_record(struct buf *out, enum log_format format, struct wall t, int64_t ns, enum log_level level,
                       const char *message, const struct log_field *fields, size_t n)
{
	bool json = format == LOG_JSON;
	char day[WALL_TEXT], when[WALL_TEXT + 16];
	snprintf(when, sizeof when, "%s", wall_rfc3339(t, day));
	/* The peer's text form has whole seconds; in JSON the order of records is worth six digits more. */
	if (json && ns >= 0 && ns < 1000000000 && when[0])
		snprintf(when + strlen(when) - 1, 16, ".%06" PRId64 "Z", ns / 1000);
	AUTO(buf_done) struct buf line = BUF_INIT(out->max);
	if (json)
		buf_addc(&line, '{');
	add_field(&line, &LF_STR("time", when), json);
	add_field(&line, &LF_STR("level", levels[level].name), json);
	add_field(&line, &LF_STR("msg", message), json);
	for (size_t i = 0; i < n; i++)
		add_field(&line, &fields[i], json);
	buf_adds(&line, json ? "}\n" : "\n");
	if (line.failed)
		out->failed = line.failed;
	buf_add_slice(out, buf_slice(&line));
}

static void put(struct slice s)
{
	while (s.n) {
		ssize_t n = write(atomic_load(&sink.fd), s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nowhere to tell it */
		s = slice_of(s.p + n, s.n - (size_t)n);
	}
}

void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
	int64_t ns;
	if ((int)level < atomic_load(&sink.least))
		return;
	struct wall t = clock_now(&ns);
	enum log_format format = (enum log_format)atomic_load(&sink.format);
	AUTO(buf_done) struct buf out = BUF_INIT(RECORD_MAX);
	if (atomic_load(&sink.prefix))
		buf_adds(&out, levels[level].prefix);
	log_format_record(&out, format, t, ns, level, message, fields, n);
	if (out.failed) {
		out.failed = ST_OK;
		log_format_record(&out, format, t, ns, level, message, &LF_BOOL("fields-left-out", true), 1);
	}
	put(out.failed ? SLICE_LIT("level=error msg=\"out of memory: a log record was lost\"\n") : buf_slice(&out));
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_event(level, text, NULL, 0);
}
