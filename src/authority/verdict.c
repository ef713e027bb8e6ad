#include "authority/verdict.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* In place; cut: the text did not fit, so a broken last character is our doing and is dropped. */
static void make_printable(char *text, bool cut)
{
	for (struct slice rest = slice_cstr(text); rest.n;) {
		uint8_t *p = (uint8_t *)text + strlen(text) - rest.n;
		uint32_t c;
		size_t n = utf8_next(rest, &c);
		if (cut && !n && rest.n < 4 && *p >= 0xc2) {
			*p = '\0';
			return;
		}
		if (!n || utf8_is_hostile(c))
			memset(p, '?', n ? n : 1);
		rest = slice_of(rest.p + (n ? n : 1), rest.n - (n ? n : 1));
	}
}

static void PRINTF_LIKE(3, 0) put(char *out, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, size, fmt, ap);
	make_printable(out, n >= (int)size);
}

static void start(struct verdict *v, enum refusal r)
{
	v->refusal = r;
	v->bare = false;
	v->message[0] = v->reason[0] = v->remedy[0] = '\0';
}

static void PRINTF_LIKE(2, 0) tell(struct verdict *v, const char *fmt, va_list ap)
{
	put(v->message, sizeof v->message, fmt, ap);
	v->bare = v->refusal != REFUSAL_MALFORMED && v->refusal != REFUSAL_FORBIDDEN;
}

void verdict_refuse(struct verdict *v, enum refusal r, const char *fmt, ...)
{
	va_list ap;
	start(v, r);
	va_start(ap, fmt);
	put(v->reason, sizeof v->reason, fmt, ap);
	va_end(ap);
}

void verdict_tell(struct verdict *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tell(v, fmt, ap);
	va_end(ap);
}

void verdict_refuse_told(struct verdict *v, enum refusal r, const char *fmt, ...)
{
	va_list ap;
	start(v, r);
	va_start(ap, fmt);
	tell(v, fmt, ap);
	va_end(ap);
	memcpy(v->reason, v->message, sizeof v->reason);
}
_Static_assert(sizeof((struct verdict *)0)->reason == sizeof((struct verdict *)0)->message,
               "one is copied to the other");

void verdict_advise(struct verdict *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	put(v->remedy, sizeof v->remedy, fmt, ap);
	va_end(ap);
}
