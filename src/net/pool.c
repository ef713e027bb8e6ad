/* Sizes are classes: malloc's own up to 1 KiB (24, 40, 56 ...), then four to a doubling up to 32 KiB. A piece of a
 * class has room for the class's size at least: what is asked for is rounded up to it, and what is freed goes by
 * malloc_usable_size, rounded down. So it does not matter where a piece came from.
 *
 * A thread has a stack for each class: the piece that was freed last is the one in the processor's cache. Nothing is
 * written into a free piece, so that whoever writes there later changes no list of ours. */
#include "net/pool.h"

#include "base/macros.h"

#include <event2/event.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0 /* clang's way to ask */
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
	__has_feature(thread_sanitizer)
static const bool watched = true;
#else
static const bool watched = false;
#endif

enum {
	STEP = 16,
	LEAST = 24,
	FINE = 63, /* classes of 24, 40 .. 1016 */
	FINE_MAX = LEAST + (FINE - 1) * STEP,
	COARSE = 4 * 5, /* 1280, 1536, 1792, 2048, 2560 .. 32768 */
	CLASSES = FINE + COARSE,
	LARGEST = 32 << 10,
	CLASS_KEPT = 16 << 10, /* bytes of a class that a thread keeps */
	DEPTH_MIN = 2,
	DEPTH_MAX = 512,
};

struct stack {
	uint32_t n, max;
	void **v;
};

struct depot {
	struct stack of[CLASSES];
	void *slots[];
};

static _Thread_local struct depot *mine;
static _Thread_local bool ended; /* the thread is past its destructor */
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static size_t size_of(size_t class)
{
	size_t coarse = class - FINE;
	return class < FINE ? LEAST + class * STEP : ((size_t)1024 << coarse / 4) / 4 * (5 + coarse % 4);
}

/* The smallest class that has room for n bytes; CLASSES: none. */
static size_t class_for(size_t n)
{
	if (n <= FINE_MAX)
		return n <= LEAST ? 0 : (n - LEAST + STEP - 1) / STEP;
	if (n > LARGEST)
		return CLASSES;
	size_t last = n <= 1024 ? 1024 : n - 1;
	size_t doubling = (size_t)(63 - __builtin_clzl(last)) - 10; /* 1025 .. 2048: 0 */
	return FINE + doubling * 4 + ((last >> (8 + doubling)) & 3);
}

/* The largest class that a piece of n bytes has room for; CLASSES: none, or far too much room. */
static size_t class_of(size_t n)
{
	if (n < LEAST || n > LARGEST + LARGEST / 4)
		return CLASSES;
	if (n <= FINE_MAX)
		return (n - LEAST) / STEP;
	size_t class = n > LARGEST ? CLASSES : class_for(n);
	return class < CLASSES && size_of(class) <= n ? class : class - 1;
}

static size_t depth_of(size_t class)
{
	size_t depth = CLASS_KEPT / size_of(class);
	return depth < DEPTH_MIN ? DEPTH_MIN : depth > DEPTH_MAX ? DEPTH_MAX : depth;
}

static struct depot *depot_new(void)
{
	size_t slots = 0;
	for (size_t c = 0; c < CLASSES; c++)
		slots += depth_of(c);
	struct depot *d = calloc(1, sizeof *d + slots * sizeof *d->slots);
	void **at = d ? d->slots : NULL;
	for (size_t c = 0; d && c < CLASSES; c++) {
		d->of[c] = (struct stack){ .max = (uint32_t)depth_of(c), .v = at };
		at += depth_of(c);
	}
	return d;
}

static void depot_free(void *arg)
{
	struct depot *d = arg;
	ended = true;
	mine = NULL;
	for (size_t c = 0; c < CLASSES; c++)
		while (d->of[c].n)
			free(d->of[c].v[--d->of[c].n]);
	free(d);
}

static void make_key(void)
{
	have_key = pthread_key_create(&key, depot_free) == 0;
}

/* This thread's; NULL where memory is out or the thread is ending. */
static struct depot *depot(void)
{
	if (ended)
		return NULL;
	pthread_once(&once, make_key);
	struct depot *d = have_key ? depot_new() : NULL;
	if (d && pthread_setspecific(key, d)) {
		free(d);
		d = NULL;
	}
	mine = d;
	return d;
}

void *pool_alloc(size_t n)
{
	struct depot *d = mine;
	size_t class = class_for(n);
	if (class == CLASSES)
		return malloc(n);
	if (d && d->of[class].n)
		return d->of[class].v[--d->of[class].n];
	return malloc(size_of(class));
}

void pool_free(void *p)
{
	if (!p)
		return;
	struct depot *d = mine ? mine : depot();
	size_t class = class_of(malloc_usable_size(p));
	if (!d || class == CLASSES || d->of[class].n == d->of[class].max) {
		free(p);
		return;
	}
	struct stack *s = &d->of[class];
	if (s->n && s->v[s->n - 1] == p)
		abort(); /* freed twice */
	s->v[s->n++] = p;
}

void *pool_resize(void *p, size_t n)
{
	if (!p)
		return pool_alloc(n);
	if (!n) { /* as OpenSSL and libevent mean it */
		pool_free(p);
		return NULL;
	}
	size_t has = malloc_usable_size(p);
	if (n <= has && n > has / 2)
		return p;
	void *q = pool_alloc(n);
	if (!q)
		return NULL;
	memcpy(q, p, n < has ? n : has);
	pool_free(p);
	return q;
}

static void *for_openssl(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n ? pool_alloc(n) : NULL; /* as CRYPTO_malloc does */
}

static void *again_for_openssl(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return pool_resize(p, n);
}

static void from_openssl(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	pool_free(p);
}

void pool_use(void)
{
	if (!watched && CRYPTO_set_mem_functions(for_openssl, again_for_openssl, from_openssl))
		event_set_mem_functions(pool_alloc, pool_resize, pool_free);
}
