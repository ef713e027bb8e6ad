#include "base/error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[ST_OK] = "ok",		  [ST_INVALID] = "invalid",   [ST_DENIED] = "denied",
	[ST_MISSING] = "missing", [ST_CONFLICT] = "conflict", [ST_EXPIRED] = "expired",
	[ST_LIMIT] = "limit",	  [ST_AGAIN] = "again",	      [ST_NOMEM] = "nomem",
	[ST_IO] = "io",		  [ST_CRYPTO] = "crypto",     [ST_PEER] = "peer",
	[ST_USAGE] = "usage",	  [ST_BUG] = "bug",
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

/* The arguments may be texts of e itself, so it is written last. */
PRINTF_LIKE(4, 0)
static enum status vset(struct error *e, enum status st, int os, const char *fmt, va_list ap)
{
	char text[sizeof e->text];
	vsnprintf(text, sizeof text, fmt, ap);
	e->status = st;
	e->os = os;
	e->hint[0] = '\0';
	memcpy(e->text, text, strlen(text) + 1);
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
	char why[128];
	/* The reason matters more than the end of a long path. */
	size_t most = sizeof e->text - strlen(errno_text(os, why, sizeof why)) - 3, n = strlen(e->text);
	n = n < most ? n : most;
	snprintf(e->text + n, sizeof e->text - n, ": %s", why);
	return ST_IO;
}

enum status error_nomem(struct error *e)
{
	return error_set(e, ST_NOMEM, "out of memory");
}

enum { NOUN_LEAST = 64 };

enum status error_wrap(struct error *e, const char *fmt, ...)
{
	char noun[sizeof e->text], old[sizeof e->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(noun, sizeof noun, fmt, ap);
	va_end(ap);
	snprintf(old, sizeof old, "%s", e->text);
	/* The cause stands at the end and matters most: where both do not fit, the noun is cut, and then the cause's
	 * head. */
	size_t room = sizeof e->text - 3, noun_n = strlen(noun), old_n = strlen(old), skip = 0;
	if (noun_n + old_n > room)
		noun_n = old_n + NOUN_LEAST > room ? (noun_n < NOUN_LEAST ? noun_n : NOUN_LEAST) : room - old_n;
	if (noun_n + old_n > room)
		skip = noun_n + old_n - room;
	snprintf(e->text, sizeof e->text, "%.*s: %s", (int)noun_n, noun, old + skip);
	return e->status;
}

enum status error_hint(struct error *e, const char *fmt, ...)
{
	char hint[sizeof e->hint];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(hint, sizeof hint, fmt, ap);
	va_end(ap);
	memcpy(e->hint, hint, strlen(hint) + 1);
	return e->status;
}
