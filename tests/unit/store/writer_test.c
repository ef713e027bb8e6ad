#include "fixture.h"

#include "base/macros.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* --- one token, many hands ---------------------------------------------------------------------------------------- */

enum { HANDS = 8, ROUNDS = 40 };

struct hand {
	struct world *w;
	int number;
	pthread_barrier_t *start;
	int done[ROUNDS]; /* 1: OUTCOME_DONE, 0: OUTCOME_TOKEN_USED, -1: anything else */
};

static void *hand_main(void *arg)
{
	struct hand *h = arg;
	for (int r = 0; r < ROUNDS; r++) {
		char token[32], serial[32];
		enum outcome o = OUTCOME_COUNT;
		struct error e;
		snprintf(token, sizeof(token), "token-%d", r);
		snprintf(serial, sizeof(serial), "%d", 1000 + r * HANDS + h->number);
		pthread_barrier_wait(h->start);
		enum status st = store_apply(h->w->store, change_issue(token, serial), &o, &e);
		h->done[r] = st ? -1 : o == OUTCOME_DONE ? 1 : o == OUTCOME_TOKEN_USED ? 0 : -1;
	}
	return NULL;
}

static void race(enum store_kind kind)
{
	struct world *w = world_begin(kind);
	struct hand hands[HANDS];
	pthread_t threads[HANDS];
	pthread_barrier_t start;
	pthread_barrier_init(&start, NULL, HANDS);
	world_open(w);
	for (int i = 0; i < HANDS; i++) {
		hands[i] = (struct hand){ .w = w, .number = i, .start = &start };
		assert_int_equal(pthread_create(&threads[i], NULL, hand_main, &hands[i]), 0);
	}
	for (int i = 0; i < HANDS; i++)
		pthread_join(threads[i], NULL);
	for (int r = 0; r < ROUNDS; r++) {
		int won = 0;
		for (int i = 0; i < HANDS; i++) {
			assert_int_not_equal(hands[i].done[r], -1);
			won += hands[i].done[r];
		}
		assert_int_equal(won, 1);
	}
	struct store_stats stats;
	struct error e;
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.certificates, ROUNDS);
	assert_int_equal(stats.tokens, ROUNDS);
	pthread_barrier_destroy(&start);
	world_end(w);
}

static void test_race_for_a_token(void **state)
{
	(void)state;
	race(STORE_SQLITE);
}

static void test_race_for_a_token_in_memory(void **state)
{
	(void)state;
	race(STORE_MEMORY);
}

/* A revocation and a renewal of the same parent race: if the renewal was answered DONE, it came first. */
struct rival {
	struct world *w;
	pthread_barrier_t *start;
};

static void *revoker_main(void *arg)
{
	struct rival *v = arg;
	for (int r = 0; r < ROUNDS; r++) {
		char serial[32];
		snprintf(serial, sizeof(serial), "%d", 1000 + r);
		pthread_barrier_wait(v->start);
		world_apply(v->w, change_revoke(NULL, serial));
	}
	return NULL;
}

static void test_revocation_against_renewal(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	pthread_barrier_t start;
	pthread_t thread;
	struct rival rival = { w, &start };
	world_open(w);
	for (int r = 0; r < ROUNDS; r++) {
		char serial[32];
		snprintf(serial, sizeof(serial), "%d", 1000 + r);
		world_apply(w, change_issue(NULL, serial));
	}
	pthread_barrier_init(&start, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, revoker_main, &rival), 0);
	for (int r = 0; r < ROUNDS; r++) {
		char parent[32], serial[32], sql[200];
		snprintf(parent, sizeof(parent), "%d", 1000 + r);
		snprintf(serial, sizeof(serial), "%d", 5000 + r);
		pthread_barrier_wait(&start);
		enum outcome o = world_apply(w, change_renew(NULL, parent, serial));
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM certs WHERE serial = '%s'", serial);
		assert_int_equal(world_number(w, sql), o == OUTCOME_DONE);
		assert_true(o == OUTCOME_DONE || o == OUTCOME_PARENT_REVOKED);
	}
	pthread_join(thread, NULL);
	for (int r = 0; r < ROUNDS; r++) {
		char parent[32];
		snprintf(parent, sizeof(parent), "%d", 1000 + r);
		assert_int_equal(world_apply(w, change_renew(NULL, parent, "9999")), OUTCOME_PARENT_REVOKED);
	}
	pthread_barrier_destroy(&start);
	world_end(w);
}

/* --- the queue ---------------------------------------------------------------------------------------------------- */

struct tally {
	int answers;
	int when; /* the last one came: counted over all of them */
	enum status last;
	enum outcome outcome;
	char text[256], hint[256];
	pthread_t thread;
};

static void note(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	struct tally *t = ctx;
	static _Atomic int all;
	t->answers++;
	t->when = ++all;
	t->last = st;
	t->outcome = o;
	t->thread = pthread_self();
	snprintf(t->text, sizeof(t->text), "%s", e->text);
	snprintf(t->hint, sizeof(t->hint), "%s", e->hint);
}

static void test_queue_full(void **state)
{
	(void)state;
	enum { ROOM = 5 };
	struct world *w = world_begin(STORE_SQLITE);
	struct tally waiting[ROOM] = { 0 }, refused = { 0 };
	struct gate gate;
	char serial[32];
	w->conf.queue_max = ROOM;
	world_open(w);
	gate_shut(&gate, w);
	for (int i = 0; i < ROOM; i++) {
		snprintf(serial, sizeof(serial), "%d", 100 + i);
		store_submit(w->store, change_issue(NULL, serial), note, &waiting[i]);
	}
	store_submit(w->store, change_issue(NULL, "200"), note, &refused);
	assert_int_equal(refused.answers, 1); /* at once, and here */
	assert_int_equal(refused.last, ST_AGAIN);
	assert_true(pthread_equal(refused.thread, pthread_self()));
	assert_non_null(strstr(refused.text, "queue is full (5 changes wait)"));
	assert_true(refused.hint[0]);
	struct error e = ERROR_INIT;
	enum outcome o;
	assert_int_equal(store_apply(w->store, change_issue(NULL, "201"), &o, &e), ST_AGAIN);
	assert_int_equal(e.status, ST_AGAIN);
	gate_open(&gate);
	world_close(w); /* finishes what is queued */
	for (int i = 0; i < ROOM; i++) {
		assert_int_equal(waiting[i].answers, 1);
		assert_int_equal(waiting[i].last, ST_OK);
		assert_int_equal(waiting[i].outcome, OUTCOME_DONE);
		assert_string_equal(waiting[i].text, "");
		assert_false(pthread_equal(waiting[i].thread, pthread_self()));
	}
	world_open(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), ROOM);
	assert_int_equal(world_apply(w, change_issue(NULL, "200")), OUTCOME_DONE);
	world_end(w);
}

/* What is enqueued waits for a flush, or for somebody who submits; and then shares one commit. */
static void test_flush(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct tally all = { 0 };
	struct store_stats before, stats;
	struct error e = ERROR_INIT;
	int64_t removed;
	world_open(w);
	world_apply(w, change_burn("first"));
	assert_int_equal(store_stats(w->store, &before, &e), ST_OK);
	for (int round = 0; round < 2; round++) {
		store_enqueue(w->store, change_burn(round ? "d" : "a"), note, &all);
		store_enqueue(w->store, change_burn(round ? "e" : "b"), note, &all);
		store_enqueue(w->store, change_burn(round ? "f" : "c"), note, &all);
		for (int i = 0; i < 20; i++) /* its thread is awake, and looks what else there is */
			assert_int_equal(store_prune(w->store, &removed, &e), ST_OK);
		assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
		assert_int_equal(stats.queue, 3);
		assert_int_equal(stats.commits, before.commits + round);
		if (!round) {
			store_flush(w->store);
			do
				assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
			while (stats.commits == before.commits);
		} else {
			world_apply(w, change_burn("last"));
		}
	}
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.commits, before.commits + 2);
	assert_int_equal(stats.tokens, 8);
	store_enqueue(w->store, change_burn("g"), note, &all);
	world_close(w); /* finishes what is enqueued */
	assert_int_equal(all.answers, 7);
	world_open(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM tokens"), 9);
	world_end(w);
}

/* More than a batch holds, round the ring more than once. */
static void test_many_batches(void **state)
{
	(void)state;
	enum { N = 1500 };
	struct world *w = world_begin(STORE_SQLITE);
	struct tally all = { 0 };
	struct store_stats stats;
	struct error e;
	w->conf.queue_max = 700;
	world_open(w);
	for (int i = 0; i < N; i += 500) {
		struct gate gate;
		gate_shut(&gate, w);
		for (int k = i; k < i + 500; k++) {
			char token[32];
			snprintf(token, sizeof(token), "t%d", k);
			store_submit(w->store, change_burn(token), note, &all);
		}
		gate_open(&gate);
		world_apply(w, change_burn("after"));
	}
	assert_int_equal(all.answers, N);
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.tokens, N + 2);
	assert_int_equal(stats.largest_batch, 256);
	world_end(w);
}

/* A full queue: the least urgent of those who wait, and not the newcomer; and then the urgent ones first. */
static void test_urgent_first(void **state)
{
	(void)state;
	enum { ROOM = 600, BATCH = 256 };
	struct world *w = world_begin(STORE_SQLITE);
	struct tally plain = { 0 }, victim = { 0 }, revoked = { 0 }, refused = { 0 };
	struct gate gate;
	char serial[32];
	w->conf.queue_max = ROOM;
	world_open(w);
	world_apply(w, change_issue(NULL, "1"));
	gate_shut(&gate, w);
	for (int i = 1; i < ROOM; i++) {
		struct change *c;
		snprintf(serial, sizeof serial, "t%d", i);
		c = change_burn(serial);
		c->urgency = 40;
		store_submit(w->store, c, note, &plain);
	}
	struct change *least = change_burn("least");
	least->urgency = 41;
	store_submit(w->store, least, note, &victim);
	assert_int_equal(victim.answers, 0);
	store_submit(w->store, change_revoke(NULL, "1"), note, &revoked);
	assert_int_equal(victim.answers, 1);
	assert_int_equal(victim.last, ST_AGAIN);
	least = change_burn("least");
	least->urgency = 41;
	store_submit(w->store, least, note, &refused);
	assert_int_equal(refused.last, ST_AGAIN);
	gate_open(&gate);
	world_close(w); /* waits for all */
	assert_int_equal(plain.answers, ROOM - 1);
	assert_int_equal(revoked.outcome, OUTCOME_DONE);
	assert_true(revoked.when < plain.when - (ROOM - BATCH)); /* in the first batch, though it came last */
	world_open(w);
	world_end(w);
}

/* Submitting from within the callback, as a server that answers one change with another does. */
struct chain_link {
	struct world *w;
	int left;
	sem_t ended;
};

static void link_on(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	struct chain_link *l = ctx;
	char token[32];
	(void)e;
	if (st || o != OUTCOME_DONE || --l->left == 0) {
		sem_post(&l->ended);
		return;
	}
	snprintf(token, sizeof(token), "chain-%d", l->left);
	store_submit(l->w->store, change_burn(token), link_on, l);
}

static void test_submit_from_callback(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct chain_link l = { .w = w, .left = 20 };
	sem_init(&l.ended, 0, 0);
	world_open(w);
	store_submit(w->store, change_burn("chain"), link_on, &l);
	sem_wait(&l.ended);
	assert_int_equal(l.left, 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM tokens"), 20);
	world_end(w);
}

/* The log is brought into the database as it grows, by the writer, and does not grow without end. */
static void test_log_is_bounded(void **state)
{
	(void)state;
	sqlite_only();
	struct world *w = world_begin(STORE_SQLITE);
	char wal[220];
	world_open(w);
	for (int i = 0; i < 600; i++) {
		char serial[32];
		snprintf(serial, sizeof(serial), "%d", 1000 + i);
		struct change *c = change_issue(NULL, serial);
		change_fill_der(c, 60000);
		assert_int_equal(world_apply(w, c), OUTCOME_DONE);
	}
	snprintf(wal, sizeof(wal), "%s-wal", w->database);
	FILE *f = fopen(wal, "re");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	long size = ftell(f);
	fclose(f);
	assert_true(size < 12 << 20); /* of 36 MB written */
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 600);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race_for_a_token),
		cmocka_unit_test(test_race_for_a_token_in_memory),
		cmocka_unit_test(test_revocation_against_renewal),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_urgent_first),
		cmocka_unit_test(test_many_batches),
		cmocka_unit_test(test_submit_from_callback),
		cmocka_unit_test(test_log_is_bounded),
	};
	return cmocka_run_group_tests_name("store/writer", tests, NULL, NULL);
}
