#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void let_go(struct buf *b)
{
	if (b->p && b->secret)
		explicit_bzero(b->p, b->cap);
	free(b->p);
}

void buf_done(struct buf *b)
{
	let_go(b);
	b->p = NULL;
	b->n = b->cap = 0;
	b->failed = ST_OK;
}

void buf_reset(struct buf *b)
{
	if (b->p && b->secret)
		explicit_bzero(b->p, b->cap);
	b->n = 0;
	b->failed = ST_OK;
	if (b->p)
		b->p[0] = '\0';
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	if (b->failed)
		return NULL;
	size_t max = b->max < SIZE_MAX ? b->max : SIZE_MAX - 1; /* room for the closing NUL */
	if (n > max || b->n > max - n) {
		b->failed = ST_LIMIT;
		return NULL;
	}
	size_t need = b->n + n + 1;
	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 64;
		while (cap < need)
			cap = cap > SIZE_MAX / 2 ? need : cap * 2;
		if (cap > max + 1)
			cap = max + 1;
		/* Not realloc: a block that held a secret is wiped before it goes back. */
		uint8_t *p = malloc(cap);
		if (!p) {
			b->failed = ST_NOMEM;
			return NULL;
		}
		if (b->n)
			memcpy(p, b->p, b->n);
		let_go(b);
		b->p = p;
		b->cap = cap;
	}
	b->p[b->n] = '\0';
	return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *at = buf_reserve(b, n);
	if (!at)
		return;
	if (n)
		memcpy(at, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_add_slice(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.n);
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list twice;
	va_copy(twice, ap);
	int n = vsnprintf(NULL, 0, fmt, twice);
	va_end(twice);
	if (n < 0) {
		b->failed = ST_LIMIT;
		return;
	}
	uint8_t *at = buf_reserve(b, (size_t)n);
	if (!at)
		return;
	vsnprintf((char *)at, (size_t)n + 1, fmt, ap);
	b->n += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

const char *buf_cstr(const struct buf *b)
{
	return b->p ? (const char *)b->p : "";
}

enum status buf_check(const struct buf *b, struct error *e)
{
	if (b->failed == ST_LIMIT)
		return error_set(e, ST_LIMIT, "larger than %zu bytes", b->max);
	return b->failed ? error_nomem(e) : ST_OK;
}

char *buf_take(struct buf *b)
{
	if (b->failed || (!b->p && !buf_reserve(b, 0)))
		return NULL;
	char *p = (char *)b->p;
	*b = (struct buf){ .max = b->max, .secret = b->secret };
	return p;
}

void text_wipe_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void text_free_p(char **s)
{
	free(*s);
}

char *text_dup(struct slice s)
{
	char *p = malloc(s.n + 1);
	if (!p)
		return NULL;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}
