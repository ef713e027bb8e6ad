/* A CA that was away, and 100,000 certificates that were due meanwhile, on a virtual clock. Each client is plan_next()
 * and plan_failed() of src/renewal and nothing else; the CA is urgency.h and waitlist.h between an accept queue and a
 * database of given speeds, as src/server has them. Deterministic; the histograms are printed as TAP comments.
 *
 *   client ──> accept queue (4096; beyond it nobody answers) ──> so many handshakes a second ──> urgency_admits
 *          ──> waitlist ──> so many commits a second ──> renewed
 *   turned away: urgency_retry_s */
#include "authority/urgency.h"
#include "authority/waitlist.h"
#include "renewal/plan.h"
#include "renewal/retry.h"

#include "../renewal/dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
	CLIENTS = 100000,
	MIN = 60,
	HOUR = 3600,
	LIFE_S = 24 * HOUR,
	BACKLOG = 4096, /* net.core.somaxconn */
	QUEUE = 4096,   /* limits.storeQueue */
	BATCH = 256,
	BUSY_MS = 1000,    /* limits.busyAfter */
	RUN_S = 12 * HOUR, /* after the return at most */
	TENTHS = 10,
	LONGEST_DELAY_S = RETRY_DYING_S + RETRY_DYING_S / 4, /* in the last tenth of a life */
};

#define START INT64_C(1900000000)

struct scene {
	const char *name;
	int64_t born_from_s, born_to_s; /* certificates are issued in this span before the outage begins */
	int64_t away_s;
	bool at_once;            /* all of them ask in the second of the return, whatever their plan says */
	int handshakes, commits; /* a second */
};

/* What plan.h needs of a record, without its texts. */
struct client {
	int64_t not_after_s, since_s, seen_s, failed_s, retry_s;
	uint64_t chance;
	int failures, repeats;
	bool done, lost;
	int64_t left_at_return_s;
	uint32_t next; /* in the list of its second, or in the accept queue */
};

struct sum {
	int64_t asked, unanswered, turned_away, displaced, renewed, expired_before, lost, lost_savable;
	int per_second_max, asked_per_second_max;
	int64_t last_s;            /* the last renewal, after the return */
	double wait_s[TENTHS + 1]; /* by tenths of LIFE_S left at the return; the last is the sum of counts */
	int64_t waited[TENTHS];
	int64_t closest_s;
};

struct world {
	const struct scene *sc;
	struct client *c;
	uint32_t *seconds; /* first client of each second's list */
	int64_t horizon_s;
	uint32_t queue_first, queue_last;
	int queued;
	struct waitlist *waiting;
	struct dice dice;
	struct sum sum;
	int *asked, *served; /* each second */
};

enum { NOBODY = UINT32_MAX };

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);
	assert_non_null(p);
	return p;
}

/* The rest of a record stays empty. */
static struct record *load(const struct client *c, struct pair_cert *cert)
{
	static struct record r;
	*cert = (struct pair_cert){ .serial = "1",
		                    .not_before = { c->not_after_s - LIFE_S - MIN },
		                    .not_after = { c->not_after_s } };
	r.cert = *cert;
	r.drawn = true;
	r.chance = c->chance;
	r.since.s = c->since_s;
	r.seen.s = c->seen_s;
	r.renewed.s = 0;
	r.failures = c->failures;
	r.repeats = c->repeats;
	r.kind = RETRY_SOON;
	r.failed.s = c->failed_s;
	r.retry.s = c->retry_s;
	r.told = 0;
	return &r;
}

static void save(struct client *c, const struct record *r)
{
	c->chance = r->chance;
	c->since_s = r->since.s;
	c->seen_s = r->seen.s;
	c->failures = r->failures;
	c->repeats = r->repeats;
	c->failed_s = r->failed.s;
	c->retry_s = r->retry.s;
}

static void wake_at(struct world *w, uint32_t i, int64_t s)
{
	if (s >= w->horizon_s)
		return;
	w->c[i].next = w->seconds[s];
	w->seconds[s] = i;
}

/* When it acts next by its plan; true: now. */
static bool look(struct world *w, uint32_t i, int64_t s)
{
	static const struct plan_rule third;
	const struct plan_now now = { { START + s }, dice_roll(&w->dice), { 0 } };
	struct pair_cert cert;
	struct plan p;
	struct record *r = load(&w->c[i], &cert);
	plan_next(&third, &cert, &now, r, &p);
	save(&w->c[i], r);
	if (p.step == PLAN_RENEW)
		return true;
	/* Until it is due nothing else happens to it: the looks between are left out. */
	int64_t due = p.due.s > START + s ? p.due.s - START : p.wake.s - START;
	wake_at(w, i, due > s ? due : s + 1);
	return false;
}

static void fails(struct world *w, uint32_t i, int64_t s, int64_t retry_after_s)
{
	const struct plan_now now = { { START + s }, dice_roll(&w->dice), { 0 } };
	const struct plan_failure f = { RETRY_SOON, retry_after_s, "" };
	struct pair_cert cert;
	struct record *r = load(&w->c[i], &cert);
	plan_failed(r, &cert, &f, &now);
	save(&w->c[i], r);
	wake_at(w, i, s + 1);
}

static void turn_away(struct world *w, uint32_t i, int64_t s)
{
	fails(w, i, s, urgency_retry_s(w->c[i].not_after_s - START - s, dice_roll(&w->dice)));
}

/* Its turn in the accept queue has come. */
static void handshake(struct world *w, uint32_t i, int64_t s, int64_t lag_ms)
{
	const struct client *c = &w->c[i];
	uint32_t out;
	int urgency = urgency_of_life((struct wall){ c->not_after_s - LIFE_S - MIN }, (struct wall){ c->not_after_s },
	                              (struct wall){ START + s });
	if (!urgency_admits(urgency, lag_ms, BUSY_MS)) {
		w->sum.turned_away++;
		turn_away(w, i, s);
		return;
	}
	enum waitlist_put put = waitlist_put(w->waiting, &i, urgency, &out);
	if (put == WAITLIST_TAKEN)
		return;
	w->sum.displaced++;
	turn_away(w, put == WAITLIST_INSTEAD ? out : i, s);
}

static void renewed(struct world *w, uint32_t i, int64_t s)
{
	struct client *c = &w->c[i];
	int64_t left = c->not_after_s - START - s, back = s - w->sc->away_s;
	c->done = true;
	c->lost |= left < 0;
	w->sum.renewed++;
	w->sum.last_s = back;
	if (left >= 0 && left < w->sum.closest_s)
		w->sum.closest_s = left;
	if (c->left_at_return_s >= 0 && c->left_at_return_s < LIFE_S) {
		int64_t t = c->left_at_return_s * TENTHS / LIFE_S;
		w->sum.wait_s[t] += (double)back;
		w->sum.waited[t]++;
	}
}

static void serve(struct world *w, int64_t s)
{
	uint32_t batch[BATCH];
	for (int n = 0; n < w->sc->handshakes && w->queue_first != NOBODY; n++) {
		uint32_t i = w->queue_first;
		int64_t lag_ms = (int64_t)w->queued * 1000 / w->sc->handshakes;
		w->queue_first = w->c[i].next;
		w->queued--;
		handshake(w, i, s, lag_ms);
	}
	for (int left = w->sc->commits; left > 0;) {
		size_t n = waitlist_take(w->waiting, batch, left < BATCH ? (size_t)left : BATCH);
		for (size_t k = 0; k < n; k++)
			renewed(w, batch[k], s);
		w->served[s] += (int)n;
		left -= n ? (int)n : left;
	}
}

static void ask(struct world *w, uint32_t i, int64_t s)
{
	w->sum.asked += s >= w->sc->away_s;
	w->asked[s]++;
	if (s < w->sc->away_s || w->queued == BACKLOG) {
		w->sum.unanswered += s >= w->sc->away_s;
		fails(w, i, s, -1);
		return;
	}
	w->c[i].next = NOBODY;
	if (!w->queued)
		w->queue_first = i;
	else
		w->c[w->queue_last].next = i;
	w->queue_last = i;
	w->queued++;
}

/* Those of one second come in no order. */
static void come(struct world *w, int64_t s)
{
	static uint32_t crowd[CLIENTS];
	size_t n = 0;
	for (uint32_t i = w->seconds[s], next; i != NOBODY; i = next) {
		next = w->c[i].next;
		crowd[n++] = i;
	}
	for (size_t k = n; k > 1; k--) {
		size_t j = (size_t)dice_below(&w->dice, (int64_t)k);
		uint32_t t = crowd[k - 1];
		crowd[k - 1] = crowd[j];
		crowd[j] = t;
	}
	for (size_t k = 0; k < n; k++)
		if (look(w, crowd[k], s))
			ask(w, crowd[k], s);
}

/* At the return: what is left, and who is lost whatever the CA does. */
static void note_return(struct world *w)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct client *c = &w->c[i];
		c->left_at_return_s = c->not_after_s - START - w->sc->away_s;
		w->sum.expired_before += c->left_at_return_s < 0;
	}
}

static void begin(struct world *w)
{
	const struct scene *sc = w->sc;
	for (int64_t s = 0; s < w->horizon_s; s++)
		w->seconds[s] = NOBODY;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		int64_t born = -sc->born_from_s + dice_below(&w->dice, sc->born_from_s - sc->born_to_s);
		w->c[i] = (struct client){ .not_after_s = START + born + LIFE_S,
			                   .since_s = START + born,
			                   .seen_s = START + born,
			                   .chance = dice_roll(&w->dice) };
		wake_at(w, i, 0);
	}
	w->queue_first = NOBODY;
}

/* At least what it takes: to commit all of them, and the longest delay of one who is about to lose his certificate. */
static int64_t necessary_s(const struct scene *sc)
{
	int slower = sc->commits < sc->handshakes ? sc->commits : sc->handshakes;
	return CLIENTS / slower + LONGEST_DELAY_S + MIN;
}

static void count_lost(struct world *w)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct client *c = &w->c[i];
		bool lost = !c->done || c->lost;
		w->sum.lost += lost && c->left_at_return_s >= 0;
		w->sum.lost_savable += lost && c->left_at_return_s > necessary_s(w->sc);
	}
}

static void print_histogram(const struct world *w)
{
	static const int64_t ends[] = { 1,        10,       30,       MIN,      2 * MIN, 5 * MIN,
		                        10 * MIN, 20 * MIN, 30 * MIN, 40 * MIN, HOUR,    2 * HOUR };
	int64_t s = w->sc->away_s;
	printf("# %s; away for %lld s\n#   until    asked   served, a second\n", w->sc->name, (long long)s);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		int64_t from = s, asked = 0, served = 0;
		for (; s < w->sc->away_s + ends[i]; s++) {
			asked += w->asked[s];
			served += w->served[s];
		}
		printf("# %6lld s %8.1f %8.1f ", (long long)ends[i], (double)asked / (double)(s - from),
		       (double)served / (double)(s - from));
		for (int64_t k = 0; k < served / (s - from) / 20; k++)
			putchar('#');
		putchar('\n');
	}
	printf("# wait by tenths of the life that was left:");
	for (int t = 0; t < TENTHS; t++)
		if (w->sum.waited[t])
			printf(" %d: %.0f s", t, w->sum.wait_s[t] / (double)w->sum.waited[t]);
	printf("\n# %lld asked, %lld unanswered, %lld turned away, %lld displaced, %lld renewed (the last after %lld "
	       "s), %lld "
	       "had expired before, %lld lost, of them %lld that could be saved; at most %d asked and %d served in a "
	       "second; "
	       "closest %lld s\n",
	       (long long)w->sum.asked, (long long)w->sum.unanswered, (long long)w->sum.turned_away,
	       (long long)w->sum.displaced, (long long)w->sum.renewed, (long long)w->sum.last_s,
	       (long long)w->sum.expired_before, (long long)w->sum.lost, (long long)w->sum.lost_savable,
	       w->sum.asked_per_second_max, w->sum.per_second_max, (long long)w->sum.closest_s);
}

/* Somebody has started them all: their plans are forgotten. */
static void all_ask(struct world *w, int64_t s)
{
	for (int64_t t = s; t < w->horizon_s; t++)
		w->seconds[t] = NOBODY;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		w->c[i].retry_s = w->c[i].failed_s = 0;
		w->c[i].failures = w->c[i].repeats = 0;
		ask(w, i, s);
	}
}

static struct sum run(const struct scene *sc)
{
	struct error e = ERROR_INIT;
	struct world w = { .sc = sc, .horizon_s = sc->away_s + RUN_S, .dice = { 1 }, .sum.closest_s = LIFE_S };
	w.c = zeroed(CLIENTS, sizeof *w.c);
	w.seconds = zeroed((size_t)w.horizon_s, sizeof *w.seconds);
	w.asked = zeroed((size_t)w.horizon_s, sizeof *w.asked);
	w.served = zeroed((size_t)w.horizon_s, sizeof *w.served);
	assert_int_equal(waitlist_new(QUEUE, sizeof(uint32_t), &w.waiting, &e), ST_OK);
	begin(&w);
	for (int64_t s = 0; s < w.horizon_s && w.sum.renewed < CLIENTS; s++) {
		if (s == sc->away_s) {
			note_return(&w);
			if (sc->at_once)
				all_ask(&w, s);
		}
		come(&w, s);
		if (s >= sc->away_s) {
			serve(&w, s);
			w.sum.per_second_max = w.served[s] > w.sum.per_second_max ? w.served[s] : w.sum.per_second_max;
			w.sum.asked_per_second_max =
				w.asked[s] > w.sum.asked_per_second_max ? w.asked[s] : w.sum.asked_per_second_max;
		}
	}
	count_lost(&w);
	print_histogram(&w);
	waitlist_free(w.waiting);
	free(w.c);
	free(w.seconds);
	free(w.asked);
	free(w.served);
	return w.sum;
}

static void judge(const struct scene *sc, int most_asked)
{
	struct sum sum = run(sc);
	int slower = sc->commits < sc->handshakes ? sc->commits : sc->handshakes;
	assert_int_equal(sum.renewed, CLIENTS); /* who has expired too: the provisioner allows it */
	assert_int_equal(sum.lost_savable, 0);
	assert_in_range(sum.per_second_max, 1, slower);
	assert_in_range(sum.asked_per_second_max, 1, most_asked);
	for (int t = 0; t + 1 < TENTHS; t++) /* who has less left waits less */
		if (sum.waited[t] > 1000 && sum.waited[t + 1] > 1000)
			assert_true(sum.wait_s[t] / (double)sum.waited[t] <=
			            sum.wait_s[t + 1] / (double)sum.waited[t + 1]);
}

/* By their own plan: jitter over 72 minutes is 23 a second; who came in vain adds to that, and nobody comes as one of a
 * crowd. The longer the outage, the less is left and the shorter their delays. */
static void daemons_by_their_plan(void **state)
{
	static const struct {
		struct scene scene;
		int most_asked; /* a second */
	} rows[] = {
		{ { "daemons of one age", 15 * HOUR, 15 * HOUR - 600, 2 * HOUR, false, 1000, 1000 }, 100 },
		{ { "daemons of one age", 15 * HOUR, 15 * HOUR - 600, 6 * HOUR, false, 1000, 600 }, 160 },
		{ { "daemons of one age, 20 to 30 min before the end", 15 * HOUR, 15 * HOUR - 600, 9 * HOUR - 1200,
		    false, 1000, 600 },
		  750 },
		{ { "daemons of all ages, some expired", 20 * HOUR, 8 * HOUR, 5 * HOUR, false, 1000, 600 }, 400 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		judge(&rows[i].scene, rows[i].most_asked);
}

/* A power cut: machines and CA come back in the same second, and all of them ask at once. */
static void all_at_once(void **state)
{
	static const struct scene rows[] = {
		{ "all at once, 1 to 8 h before the end", 15 * HOUR, 8 * HOUR, 8 * HOUR, true, 1000, 1000 },
		{ "all at once, 0 to 1 h before the end", 16 * HOUR, 15 * HOUR, 8 * HOUR, true, 1000, 600 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		judge(&rows[i], CLIENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daemons_by_their_plan),
		cmocka_unit_test(all_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
