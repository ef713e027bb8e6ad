#include "authority/verdict.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Length of the UTF-8 character at p (RFC 3629), or 0 where there is none. A NUL is a continuation of nothing, so a
 * character that was cut at the end of the text is found too. */
static size_t utf8_length(const uint8_t *p)
{
	static const struct {
		uint8_t first, last; /* of the leading byte */
		uint8_t low, high;   /* of the second */
		uint8_t n;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	if (*p < 0x80)
		return 1;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if (*p < forms[i].first || *p > forms[i].last || p[1] < forms[i].low || p[1] > forms[i].high)
			continue;
		size_t n = 2;
		while (n < forms[i].n && (p[n] & 0xc0) == 0x80)
			n++;
		return n == forms[i].n ? n : 0;
	}
	return 0;
}

/* In place; cut: the text did not fit, so a broken last character is our doing and is dropped. */
static void make_printable(char *text, bool cut)
{
	uint8_t *p = (uint8_t *)text;
	while (*p) {
		size_t n = utf8_length(p);
		if (n > 1) {
			p += n;
			continue;
		}
		size_t left = strlen((const char *)p);
		if (cut && n == 0 && left < 4 && *p >= 0xc2)
			*p = '\0';
		else if (n == 0 || *p < 0x20 || *p == 0x7f)
			*p++ = '?';
		else
			p++;
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
