#include "base/error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[ST_OK] = "ok",
	[ST_INVALID] = "invalid",
	[ST_DENIED] = "denied",
	[ST_MISSING] = "missing",
	[ST_CONFLICT] = "conflict",
	[ST_EXPIRED] = "expired",
	[ST_LIMIT] = "limit",
	[ST_AGAIN] = "again",
	[ST_NOMEM] = "nomem",
	[ST_IO] = "io",
	[ST_CRYPTO] = "crypto",
	[ST_PEER] = "peer",
	[ST_USAGE] = "usage",
	[ST_BUG] = "bug",
};
_Static_assert(COUNT_OF(names) == ST_COUNT, "a status has no name");

const char *status_name(enum status st)
{
	return (unsigned)st < ST_COUNT ? names[st] : "?";
}

const char *errno_text(int os, char *out, unsigned long n)
{
	char raw[128];
	const char *s = strerror_r(os, raw, sizeof raw);
	snprintf(out, n, "%s", s);
	/* The peer is a Go program: its messages begin in lower case, except for acronyms. */
	if (n > 1 && isupper((unsigned char)out[0]) && !isupper((unsigned char)out[1]))
		out[0] = (char)tolower((unsigned char)out[0]);
	return out;
}

static enum status vset(struct error *e, enum status st, int os, const char *fmt, va_list ap)
{
	e->status = st;
	e->os = os;
	e->hint[0] = '\0';
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	return st;
}

enum status error_set(struct error *e, enum status st, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vset(e, st, 0, fmt, ap);
	va_end(ap);
	return st;
}

enum status error_os(struct error *e, int os, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vset(e, ST_IO, os, fmt, ap);
	va_end(ap);
	size_t n = strlen(e->text);
	char why[128];
	snprintf(e->text + n, sizeof e->text - n, ": %s", errno_text(os, why, sizeof why));
	return ST_IO;
}

enum status error_nomem(struct error *e)
{
	return error_set(e, ST_NOMEM, "out of memory");
}

enum status error_wrap(struct error *e, const char *fmt, ...)
{
	char noun[sizeof e->text], old[sizeof e->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(noun, sizeof noun, fmt, ap);
	va_end(ap);
	snprintf(old, sizeof old, "%s", e->text);
	/* The cause matters more than the outermost noun: where both do not fit, the noun is cut. */
	size_t room = sizeof e->text - 1, keep = strlen(old);
	if (keep + 2 > room)
		keep = room - 2;
	snprintf(e->text, sizeof e->text, "%.*s: %.*s", (int)(room - keep - 2), noun, (int)keep, old);
	return e->status;
}

enum status error_hint(struct error *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof e->hint, fmt, ap);
	va_end(ap);
	return e->status;
}
