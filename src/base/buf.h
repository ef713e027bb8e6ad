/* buf.h - owned bytes that grow up to a ceiling given at birth.
 *
 * Writers are sticky: after the first failure (ceiling reached, out of memory) `failed` is set and later appends do
 * nothing, so a whole run of appends needs one check at its end. While !failed, p[n] is always '\0' once anything was
 * appended, so text can be handed to C. A buffer born BUF_SECRET wipes every block that it lets go. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <stdarg.h>

struct buf {
	uint8_t *p;
	size_t n, cap, max;
	enum status failed; /* ST_OK, ST_LIMIT or ST_NOMEM */
	bool secret;
};

#define BUF_INIT(max_bytes) ((struct buf){ .max = (max_bytes) })
#define BUF_SECRET(max_bytes) ((struct buf){ .max = (max_bytes), .secret = true })

/* Frees (and wipes where secret); the buffer is empty and usable afterwards. For AUTO(buf_done). */
void buf_done(struct buf *b);

/* Empties without freeing; wipes where secret. Clears `failed`. */
void buf_reset(struct buf *b);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_slice(struct buf *b, struct slice s);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Room for n more bytes; returns where to write them, or NULL (failed). The caller then adds to b->n what it wrote
 * and calls nothing in between. */
uint8_t *buf_reserve(struct buf *b, size_t n);

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->n };
}

/* The text so far; "" when empty. Valid until the next append. */
const char *buf_cstr(const struct buf *b);

/* ST_NOMEM or ST_LIMIT where an append failed, else ST_OK. */
MUST_USE enum status buf_check(const struct buf *b, struct error *e);

/* Hands the bytes to the caller (free()), NUL-terminated, and empties the buffer. NULL where failed. */
char *buf_take(struct buf *b);

/* free() after wiping a C string; NULL is fine. */
void text_wipe_free(char *s);
static inline void text_wipe_free_p(char **s)
{
	text_wipe_free(*s);
}
/* for AUTO on char * */
void text_free_p(char **s);

/* malloc'ed copy of the bytes, NUL-terminated; NULL when out of memory. */
char *text_dup(struct slice s);
