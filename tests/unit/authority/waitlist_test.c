#include "authority/waitlist.h"

#include "authority/urgency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct item {
	int urgency, number;
};

static struct waitlist *list(size_t max)
{
	struct waitlist *w;
	struct error e = ERROR_INIT;
	assert_int_equal(waitlist_new(max, sizeof(struct item), &w, &e), ST_OK);
	return w;
}

static enum waitlist_put put(struct waitlist *w, int urgency, int number, struct item *out)
{
	struct item it = { urgency, number };
	return waitlist_put(w, &it, urgency, out);
}

static void who_all_have_a_place_come_in_their_order(void **state)
{
	static const int urgencies[] = { 63, 0, 5, 63, 0, 9, 1, 62 };
	struct waitlist *w = list(8);
	struct item out[16];
	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(put(w, urgencies[i], i, out), WAITLIST_TAKEN);
	assert_int_equal(waitlist_count(w), 8);
	assert_int_equal(waitlist_take(w, out, 16), 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(out[i].number, i);
	assert_int_equal(waitlist_count(w), 0);
	assert_int_equal(waitlist_take(w, out, 16), 0);
	waitlist_free(w);
}

static void the_most_urgent_first_and_an_eighth_by_age(void **state)
{
	struct waitlist *w = list(100);
	struct item out[16];
	(void)state;
	for (int i = 0; i < 100; i++)
		put(w, 60 - i / 2, i, out);
	assert_int_equal(waitlist_take(w, out, 16), 16);
	assert_int_equal(out[0].number, 0); /* the two oldest */
	assert_int_equal(out[1].number, 1);
	for (int i = 2; i < 16; i++) { /* of each pair the first to come goes first */
		assert_int_equal(out[i].urgency, 11 + (i - 2) / 2);
		assert_int_equal(out[i].number, 98 - (i - 2) / 2 * 2 + i % 2);
	}
	assert_int_equal(waitlist_count(w), 84);
	waitlist_free(w);
}

static void a_full_one_lets_the_least_urgent_go(void **state)
{
	struct waitlist *w = list(3);
	struct item out = { -1, -1 };
	(void)state;
	put(w, 40, 1, &out);
	put(w, 40, 2, &out);
	put(w, 10, 3, &out);
	assert_int_equal(put(w, 40, 4, &out), WAITLIST_FULL); /* as urgent as the least: who came first stays */
	assert_int_equal(put(w, 63, 5, &out), WAITLIST_FULL);
	assert_int_equal(out.number, -1);
	assert_int_equal(put(w, 39, 6, &out), WAITLIST_INSTEAD);
	assert_int_equal(out.number, 2);
	assert_int_equal(put(w, 0, 7, &out), WAITLIST_INSTEAD);
	assert_int_equal(out.number, 1);
	assert_int_equal(put(w, -5, 8, &out), WAITLIST_INSTEAD);
	assert_int_equal(out.number, 6);
	assert_int_equal(put(w, 1000, 9, &out), WAITLIST_FULL);
	assert_int_equal(waitlist_count(w), 3);
	waitlist_free(w);
}

/* However many urgent ones come, who came first is out within the bound. */
static void nobody_starves(void **state)
{
	enum { MAX = 64, TURN = 8 };
	struct waitlist *w = list(MAX);
	struct item out[TURN], gone;
	int turns = 0;
	bool served = false;
	(void)state;
	for (int i = 0; i < MAX - TURN; i++)
		put(w, 30, -1, &gone);
	put(w, 63, 777, &gone); /* the 57th */
	while (!served) {
		for (int i = 0; i < TURN && waitlist_count(w) < MAX; i++)
			put(w, 1, turns, &gone);
		size_t n = waitlist_take(w, out, TURN);
		for (size_t i = 0; i < n; i++)
			served |= out[i].number == 777;
		assert_in_range(++turns, 1, 8 * (MAX - TURN + 1) / TURN);
	}
	waitlist_free(w);
}

/* Against the plainest thing that does the same. */
static void as_an_array_would_do_it(void **state)
{
	enum { MAX = 37 };
	struct waitlist *w = list(MAX);
	static struct item model[MAX], out[MAX], gone;
	size_t n = 0;
	unsigned dice = 1;
	(void)state;
	for (int step = 0; step < 200000; step++) {
		dice = dice * 1664525 + 1013904223;
		if (dice >> 24 < 230) {
			struct item it = { (int)(dice >> 8 & 63), step };
			enum waitlist_put want = n < MAX ? WAITLIST_TAKEN : WAITLIST_FULL;
			size_t victim = 0;
			for (size_t i = 0; i < n; i++)
				if (model[i].urgency >= model[victim].urgency)
					victim = i;
			if (n == MAX && model[victim].urgency > it.urgency)
				want = WAITLIST_INSTEAD;
			assert_int_equal(waitlist_put(w, &it, it.urgency, &gone), want);
			if (want == WAITLIST_INSTEAD) {
				assert_int_equal(gone.number, model[victim].number);
				memmove(&model[victim], &model[victim + 1], (--n - victim) * sizeof *model);
			}
			if (want != WAITLIST_FULL)
				model[n++] = it;
			continue;
		}
		size_t most = 1 + (dice >> 8) % MAX, waiting = n, got = waitlist_take(w, out, most);
		assert_int_equal(got, waiting < most ? waiting : most);
		for (size_t k = 0; k < got; k++) {
			size_t pick = 0;
			for (size_t i = 0; waiting > most && k >= (most + 7) / 8 && i < n; i++)
				if (model[i].urgency < model[pick].urgency)
					pick = i;
			assert_int_equal(out[k].number, model[pick].number);
			memmove(&model[pick], &model[pick + 1], (--n - pick) * sizeof *model);
		}
		assert_int_equal(waitlist_count(w), n);
	}
	waitlist_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_all_have_a_place_come_in_their_order),
		cmocka_unit_test(the_most_urgent_first_and_an_eighth_by_age),
		cmocka_unit_test(a_full_one_lets_the_least_urgent_go),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(as_an_array_would_do_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
