/* writer.c - the one thread that writes. It takes whatever waits, up to BATCH_MAX changes, decides them in one
 * transaction, and answers when COMMIT has returned, which with synchronous=FULL means fsync'ed.
 *
 *   wait ──changes──> decide ──> answer ──log is long──> checkpoint ─┐
 *    ^ ├───task─────> run, wake its caller ──────────────────────────┤
 *    │ ├─idle, due──> one pruning step ──────────────────────────────┤
 *    │ └─disk full──> is there room again? (room.c) ─────────────────┤
 *    └──────────────────────────────────────────────────────────────┘
 *
 * After an I/O error the connection is closed, and opened anew before the next batch. Opening then brings the whole log
 * into the database file and empties it: pages whose fsync failed may sit in the kernel's cache marked clean, and a
 * commit appended behind such a page would be lost with it in a power cut. */
#include "store/inner.h"

#include "base/duration.h"
#include "store/apply.h"
#include "store/schema.h"
#include <stdlib.h>
#include <time.h>

enum work { WORK_BATCH, WORK_TASK, WORK_PRUNE, WORK_ROOM, WORK_END };

static const struct error no_error;

enum status writer_ready(struct store *s, struct error *e)
{
	if (s->db && db_alive(s->db))
		return ST_OK;
	db_free(TAKE(s->db));
	AUTO(db_free_p) struct db *db = NULL;
	const struct db_where where = store_where(s);
	if (db_new(&where, DB_WRITER, &db, e) || schema_check(db, e) || db_set_durable(db, e) ||
	    db_tidy(db, DB_TIDY_WHOLE, e)) {
		/* It was ours when we opened it: now the disk, or the server, is at fault, and not the request. */
		if (e->status != ST_NOMEM)
			e->status = ST_IO;
		return store_named(s, e);
	}
	s->db = TAKE(db);
	s->away = false;
	readers_back(s);
	return ST_OK;
}

enum status writer_lost(struct store *s, struct error *e)
{
	db_rollback(s->db);
	if (s->kind != STORE_MEMORY && !db_sound(s->db))
		db_free(TAKE(s->db));
	return store_named(s, e);
}

/* How many of them are decided; the rest is refused for want of room. */
static size_t batch_sift(const struct store *s, struct batch *b)
{
	size_t taken = 0;
	for (size_t i = 0; i < b->n; i++) {
		b->taken[i] = room_takes(s, b->v[i].change->kind);
		taken += b->taken[i];
		if (!b->taken[i])
			b->st[i] = room_refuse(s, &b->e[i]);
	}
	return taken;
}

/* All of the batch fails for one reason, which is none of the request's. */
static void batch_fail(struct batch *b, struct error *e)
{
	error_hint(e, STORE_HINT);
	for (size_t i = 0; i < b->n; i++) {
		if (!b->taken[i])
			continue;
		b->st[i] = e->status;
		b->e[i] = *e;
	}
}

static void batch_answer(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		bool ok = b->st[i] == ST_OK;
		b->v[i].done(b->v[i].ctx, b->st[i], ok ? b->outcome[i] : OUTCOME_COUNT, ok ? &no_error : &b->e[i]);
		change_free(b->v[i].change);
	}
	b->n = 0;
}

static void batch_count(struct store *s, int64_t n, bool committed)
{
	int bound = 0;
	while (bound < STORE_BATCH_BOUNDS - 1 && n > 1 << bound)
		bound++;
	pthread_mutex_lock(&s->lock);
	s->failed += !committed;
	s->counters.commits += committed;
	s->counters.changes += committed ? n : 0;
	s->batches[bound] += committed;
	if (committed && n > s->counters.largest_batch)
		s->counters.largest_batch = n;
	pthread_mutex_unlock(&s->lock);
}

static void batch_run(struct store *s, struct batch *b)
{
	struct error e;
	enum status st = ST_OK;
	pthread_mutex_lock(&s->db_lock);
	size_t taken;
	int attempt = 0;
	while ((taken = batch_sift(s, b)) > 0 && (st = batch_apply(s, b, &e)) && room_make(s, attempt, &e))
		attempt++;
	pthread_mutex_unlock(&s->db_lock);
	if (taken && st)
		batch_fail(b, &e);
	if (taken)
		batch_count(s, (int64_t)taken, st == ST_OK);
	batch_answer(b);
}

/* After the answers, so that nobody waits for it who was already served. What cannot be brought over stays in the log,
 * and the next batch, opening anew, tells why. */
static void tidy(struct store *s)
{
	struct error e;
	enum db_tidy how = s->room_now == STORE_ROOM_ENOUGH ? DB_TIDY_LONG : DB_TIDY_SHORT;
	pthread_mutex_lock(&s->db_lock);
	if (s->db && db_tidy(s->db, how, &e))
		st_ignore(writer_lost(s, &e), "nobody waits for this; the next batch meets the same error");
	pthread_mutex_unlock(&s->db_lock);
}

enum status writer_prune(struct store *s, int64_t *ret_removed, bool *ret_more, struct error *e)
{
	pthread_mutex_lock(&s->db_lock);
	enum status st = writer_ready(s, e);
	if (!st) {
		st = prune_step(s->db, &s->rule, clock_wall(s->clock), &s->cursor, ret_removed, ret_more, e);
		if (st)
			st = writer_lost(s, e);
	}
	pthread_mutex_unlock(&s->db_lock);
	if (!st) {
		pthread_mutex_lock(&s->lock);
		s->counters.pruned += *ret_removed;
		pthread_mutex_unlock(&s->lock);
	}
	return st;
}

static void prune_in_background(struct store *s)
{
	struct error e;
	int64_t removed;
	if (writer_prune(s, &removed, &s->prune_more, &e))
		s->prune_more = false; /* the next interval tries again */
	if (!s->prune_more)
		s->prune_at.ns = clock_mono(s->clock).ns + s->prune_interval_ns;
}

static bool prune_due(const struct store *s, int64_t *ret_wait_ns)
{
	*ret_wait_ns = -1;
	if (!s->prune_interval_ns || s->room_now != STORE_ROOM_ENOUGH)
		return false;
	*ret_wait_ns = s->prune_at.ns - clock_mono(s->clock).ns;
	return s->prune_more || *ret_wait_ns <= 0;
}

/* Sleeps until woken, or for wait_ns (< 0: no bound). How long to sleep is the kernel's business, hence its clock. */
static void sleep_for(struct store *s, int64_t wait_ns)
{
	struct timespec until;
	if (wait_ns < 0) {
		pthread_cond_wait(&s->wake, &s->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + wait_ns % DURATION_S;
	until.tv_sec += wait_ns / DURATION_S + ns / DURATION_S;
	until.tv_nsec = ns % DURATION_S;
	pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static enum work next_work(struct store *s, struct task **ret_task)
{
	enum work work;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		int64_t prune_ns, room_ns;
		if (s->tasks) {
			*ret_task = s->tasks;
			s->tasks = s->tasks->next;
			work = WORK_TASK;
			break;
		}
		if (s->due || s->closing)
			s->batch->n = waitlist_take(s->waiting, s->batch->v, BATCH_MAX);
		s->due = s->batch->n == BATCH_MAX;
		if (s->batch->n) {
			work = WORK_BATCH;
			break;
		}
		if (s->closing) {
			work = WORK_END;
			break;
		}
		if (room_due(s, &room_ns)) {
			work = WORK_ROOM;
			break;
		}
		if (prune_due(s, &prune_ns)) {
			work = WORK_PRUNE;
			break;
		}
		sleep_for(s, room_ns >= 0 ? room_ns : prune_ns); /* never both */
	}
	pthread_mutex_unlock(&s->lock);
	return work;
}

static void task_run(struct store *s, struct task *t)
{
	enum status st = t->run(s, t->ctx, t->e);
	pthread_mutex_lock(&s->lock);
	t->st = st;
	t->done = true;
	pthread_cond_broadcast(&s->task_done);
	pthread_mutex_unlock(&s->lock);
}

void *writer_main(void *store)
{
	struct store *s = store;
	struct task *task = NULL;
	int64_t ignored_ns;
	for (;;) {
		switch (next_work(s, &task)) {
		case WORK_BATCH:
			batch_run(s, s->batch);
			break;
		case WORK_TASK:
			task_run(s, task);
			break;
		case WORK_PRUNE:
			prune_in_background(s);
			break;
		case WORK_ROOM:
			break;
		case WORK_END:
			return NULL;
		}
		tidy(s);
		if (room_due(s, &ignored_ns))
			room_look(s);
	}
}

enum status writer_run(struct store *s, struct task *t)
{
	pthread_mutex_lock(&s->lock);
	struct task **last = &s->tasks;
	while (*last)
		last = &(*last)->next;
	*last = t;
	pthread_cond_signal(&s->wake);
	while (!t->done)
		pthread_cond_wait(&s->task_done, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return t->st;
}
