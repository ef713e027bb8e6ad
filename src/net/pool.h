/* pool.h - freed memory kept at hand, for OpenSSL and libevent in a server. A TLS handshake takes and returns two
 * thousand pieces of memory, always of the same sizes; malloc keeps seven of each size at hand for a thread and
 * searches, splits and joins for all others.
 *
 * The pieces are malloc's own and may be given to free() and realloc() as well. What a thread keeps is bounded
 * (POOL_KEPT_MAX bytes at the very most) and given back when it ends. */
#pragma once
#include <stddef.h>

enum { POOL_KEPT_MAX = 3 << 19 };

/* Makes OpenSSL and libevent use it. Before the first call of either; does nothing in programs that are built to watch
 * their memory (ASan, TSan). */
void pool_use(void);

void *pool_alloc(size_t n);
void *pool_resize(void *p, size_t n);
void pool_free(void *p);
