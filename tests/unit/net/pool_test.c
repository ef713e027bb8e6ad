/* What the pool gives is as large as asked, belongs to one owner, and comes from malloc. */
#include "net/pool.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 50000, LIVE = 2000, STEPS = 200000 };

/* Twice, so that the second one comes out of what was kept. */
static void every_size(void **state)
{
	(void)state;
	for (size_t n = 0; n < LARGEST; n++)
		for (int again = 0; again < 2; again++) {
			uint8_t *p = pool_alloc(n);
			assert_non_null(p);
			assert_true((uintptr_t)p % 16 == 0);
			assert_true(malloc_usable_size(p) >= n);
			assert_true(malloc_usable_size(p) <= n + n / 4 + 320);
			memset(p, (int)n, n);
			pool_free(p);
		}
	pool_free(NULL);
}

struct piece {
	uint8_t *p;
	size_t n;
	uint8_t mark;
};

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *seed >> 33;
}

static void check(const struct piece *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->p[i] != a->mark)
			abort(); /* in a thread too */
}

static size_t some_size(uint64_t *seed)
{
	size_t limit = next(seed) % 8 ? 600 : 40000;
	return next(seed) % limit + 1;
}

static void replace(struct piece *a, uint64_t *seed)
{
	size_t n = some_size(seed);
	check(a);
	if (a->p && next(seed) % 4 == 0) {
		uint8_t *p = pool_resize(a->p, n);
		struct piece kept = { p, n < a->n ? n : a->n, a->mark };
		check(&kept);
		a->p = p;
	} else if (a->p && next(seed) % 8 == 0) {
		free(a->p); /* it is malloc's */
		a->p = malloc(n);
	} else {
		pool_free(a->p);
		a->p = pool_alloc(n);
	}
	a->n = n;
	a->mark = (uint8_t)next(seed);
	memset(a->p, a->mark, n);
}

static void *play(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	struct piece *live = calloc(LIVE, sizeof *live);
	for (int i = 0; i < STEPS; i++)
		replace(&live[next(&seed) % LIVE], &seed);
	return live;
}

static void let_go(struct piece *live)
{
	for (size_t i = 0; i < LIVE; i++) {
		check(&live[i]);
		pool_free(live[i].p);
	}
	free(live);
}

/* Nobody's bytes change, whatever the others do; what one thread took, another gives back; what a thread kept is gone
 * with it (LeakSanitizer would tell). */
static void by_chance(void **state)
{
	pthread_t thread[3];
	void *live;
	(void)state;
	for (uintptr_t i = 0; i < COUNT_OF(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, play, (void *)(i + 1)), 0);
	for (size_t i = 0; i < COUNT_OF(thread); i++) {
		assert_int_equal(pthread_join(thread[i], &live), 0);
		let_go(live);
	}
}

static void resized(void **state)
{
	(void)state;
	uint8_t *p = pool_resize(NULL, 100);
	memset(p, 7, 100);
	p = pool_resize(p, 30000);
	p = pool_resize(p, 60);
	for (int i = 0; i < 60; i++)
		assert_int_equal(p[i], 7);
	assert_true(malloc_usable_size(p) < 30000);
	assert_null(pool_resize(p, 0));
}

/* The newest is given first, and what is kept has a bound: a burst of it goes back to malloc. */
static void kept(void **state)
{
	static void *burst[1000];
	(void)state;
	void *p = pool_alloc(5000);
	pool_free(p);
	assert_ptr_equal(pool_alloc(5000), p);
	pool_free(p);
	size_t before = mallinfo2().uordblks;
	for (size_t i = 0; i < COUNT_OF(burst); i++)
		burst[i] = pool_alloc(20000);
	for (size_t i = 0; i < COUNT_OF(burst); i++)
		pool_free(burst[i]);
	assert_true(mallinfo2().uordblks <= before + POOL_KEPT_MAX + (64 << 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(by_chance),
		cmocka_unit_test(resized),
		cmocka_unit_test(kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
