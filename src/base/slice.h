/* slice.h - borrowed bytes. A slice never owns, may hold NULs, and is passed by value. */
#pragma once
#include "base/macros.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *p;
	size_t n;
};

#define SLICE_LIT(literal) ((struct slice){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
#define SLICE_NONE ((struct slice){ NULL, 0 })

/* For "%.*s". The bytes must be known to be printable text. */
#define SLICE_FMT(s) (int)(s).n, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){ p, n };
}

/* The bytes of a C string; NULL gives an empty slice. */
static inline struct slice slice_cstr(const char *s)
{
	return s ? (struct slice){ (const uint8_t *)s, strlen(s) } : SLICE_NONE;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *s)
{
	return slice_eq(a, slice_cstr(s));
}

/* ASCII only. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Without leading and trailing white space (space, \t, \r, \n, \v, \f). */
struct slice slice_trim(struct slice s);

/* Offset of the first byte c, or s.n. */
size_t slice_find(struct slice s, uint8_t c);

/* True in a time that depends on the lengths only. */
bool slice_eq_consttime(struct slice a, struct slice b);
