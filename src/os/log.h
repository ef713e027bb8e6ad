/* log.h - the sink of log records: an event with typed fields, one line, as text (logfmt) or JSON, on stderr. Only
 * floors 6 to 9 write records. Values are escaped, so that no input can forge a line. "<N>" priority prefixes appear
 * only where JOURNAL_STREAM is our stderr. Thread-safe: one write(2) a record. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_format format, int fd);
/* What is less than this is not written; at first everything is. */
void log_set_least(enum log_level level);

/* Is this descriptor the stream to the journal that the service manager gave us? Lines on it may begin with "<N>"
 * (sd-daemon(3)). */
bool log_is_journal(int fd);

struct log_field {
	const char *name;
	enum { LOG_STR, LOG_INT, LOG_BOOL } type;
	const char *s;
	int64_t i;
};
#define LF_STR(name_, value_) ((struct log_field){ .name = name_, .type = LOG_STR, .s = value_ })
#define LF_INT(name_, value_) ((struct log_field){ .name = name_, .type = LOG_INT, .i = value_ })
#define LF_BOOL(name_, value_) ((struct log_field){ .name = name_, .type = LOG_BOOL, .i = value_ })

/* A field whose string is NULL is left out. */
void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t n);
#define LOG_EVENT(level, message, ...)                                                                                 \
	log_event(level, message, (const struct log_field[]){ __VA_ARGS__ },                                           \
	          COUNT_OF(((const struct log_field[]){ __VA_ARGS__ })))
/* The same without fields. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The pure part: one record's bytes, newline included. */
void log_format_record(struct buf *out, enum log_format format, struct wall t, int64_t ns, enum log_level level,
                       const char *message, const struct log_field *fields, size_t n);
