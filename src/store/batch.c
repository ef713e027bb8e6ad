/* batch.c - a batch of changes becomes one transaction.
 *
 * SQLite: once, each change in a savepoint; what fails fails. PostgreSQL is shared and far away, so there a batch is
 * insisted on, for a few seconds: no client is told of a deadlock with another node, of a fail-over, or of a commit
 * whose answer was lost on the way.
 *
 *   connected? ──no──> wait, connect ──patience over──> all fail (503), and at once until the database is back
 *      │ yes             ^  │ and the COMMIT that was lost stands: done
 *      v                 │  v
 *   decide all ──lost────┘ ──others in the way──> once more, and then each change alone ──still──> it fails (503)
 *      │ done                ──one change bad───> each change alone ──> it fails, the others are done */
#include "store/inner.h"

#include "store/apply.h"
#include <stdlib.h>
#include <time.h>

enum {
	TRIES = 3,
	PATIENCE_MS = 5000, /* with a database that went away; a client waits longer than that */
	PAUSE_MS = 50,      /* before connecting again, and twice that the next time.. */
	PAUSE_MAX_MS = 500,
	AWAY_MS = 1000, /* between two looks for a database that has been given up */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&t, NULL);
}

/* Each in a savepoint. */
static enum status decide_each(struct store *s, struct batch *b, size_t at, size_t n, struct error *e)
{
	for (size_t k = at; k < at + n; k++) {
		size_t i = b->order[k];
		b->st[i] = apply_change(s->db, b->v[i].change, s->kind != STORE_MEMORY, &b->outcome[i], &b->e[i]);
		if (apply_fatal(b->st[i])) {
			*e = b->e[i];
			return e->status;
		}
	}
	return ST_OK;
}

static enum status decide_in_step(struct store *s, struct batch *b, size_t at, size_t n, struct error *e)
{
	const struct change *c[BATCH_MAX] = { NULL };
	enum outcome outcome[BATCH_MAX];
	for (size_t k = 0; k < n; k++)
		c[k] = b->v[b->order[at + k]].change;
	if (apply_batch(s->db, c, n, true, outcome, NULL, e))
		return e->status;
	for (size_t k = 0; k < n; k++) {
		b->st[b->order[at + k]] = ST_OK;
		b->outcome[b->order[at + k]] = outcome[k];
	}
	return ST_OK;
}

/* Changes at..at+n of the order. */
static enum status range_decide(struct store *s, struct batch *b, size_t at, size_t n, struct error *e)
{
	if (db_begin(s->db, e))
		return e->status;
	if (db_savepoints(s->db) ? decide_each(s, b, at, n, e) : decide_in_step(s, b, at, n, e))
		return e->status;
	return db_commit_batch(s->db, e);
}

/* What another node may hold too: the line by its last certificate, the token, the revoked serial. */
static const char *held(const struct change *c)
{
	return c->kind == CHANGE_RENEW || c->kind == CHANGE_REKEY                          ? c->cert.parent
	       : c->kind == CHANGE_REVOKE || c->kind == CHANGE_REVOKE_LINE || !c->token_id ? c->serial
	                                                                                   : c->token_id;
}

/* In the order of what they hold: two nodes that were given the same take it in the same order, so that one waits for
 * the other and not each for each (instep.c). All of a batch are at the same time, so any order will do. */
static int by_held(const void *a, const void *b, void *ctx)
{
	const struct batch *of = ctx;
	size_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
	const struct change *cx = of->v[x].change, *cy = of->v[y].change;
	int by = apply_class(cx) - apply_class(cy);
	by = by ? by : strcmp(held(cx), held(cy));
	return by ? by : (int)x - (int)y;
}

static enum status once(struct store *s, struct batch *b, struct error *e)
{
	if (writer_ready(s, e))
		return e->status;
	return range_decide(s, b, 0, b->order_n, e) ? writer_lost(s, e) : ST_OK;
}

struct insist {
	size_t at, width; /* decided so far; how many at a time */
	int tries;        /* at these, with others in the way */
	bool unsure;      /* their COMMIT was sent */
	int64_t end_ms, pause_ms;
};

/* After a connection was lost, or not made. False: no longer. */
static bool wait_for_database(struct store *s, struct insist *in)
{
	int64_t now = now_ms();
	if (!in->end_ms)
		in->end_ms = s->away ? now : now + PATIENCE_MS;
	if (now >= in->end_ms) {
		s->away = true;
		s->away_ms = now;
		return false;
	}
	pause_ms(in->pause_ms);
	in->pause_ms = in->pause_ms * 2 < PAUSE_MAX_MS ? in->pause_ms * 2 : PAUSE_MAX_MS;
	return true;
}

/* Fails what stands at the range's place, which is one change. */
static void fail_one(struct batch *b, struct insist *in, const struct error *e)
{
	size_t i = b->order[in->at++];
	b->st[i] = e->status;
	b->e[i] = *e;
	if (e->status == ST_AGAIN)
		error_hint(&b->e[i], "the certificate authority is busy; try again later");
	in->tries = 0;
}

/* One go at the range. ST_OK: on with what in says; else the rest of the batch fails. */
static enum status insist_once(struct store *s, struct batch *b, struct insist *in, struct error *e)
{
	size_t n = b->order_n - in->at < in->width ? b->order_n - in->at : in->width;
	enum status st = writer_ready(s, e);
	if (st)
		return wait_for_database(s, in) ? ST_OK : st;
	bool stands = in->unsure && s->mark.stands;
	in->unsure = s->mark.stands = false;
	st = stands ? ST_OK : range_decide(s, b, in->at, n, e);
	if (!st) {
		in->at += n;
		in->tries = 0;
		return ST_OK;
	}
	bool sound = db_sound(s->db);
	in->unsure = s->mark.unsure;
	st = writer_lost(s, e);
	if (!sound)
		return wait_for_database(s, in) ? ST_OK : st;
	if (st == ST_NOMEM || st == ST_IO)
		return st;
	if (st == ST_AGAIN && ++in->tries < TRIES)
		return ST_OK;
	if (n > 1)
		in->width = 1;
	else
		fail_one(b, in, e);
	return ST_OK;
}

static enum status insist(struct store *s, struct batch *b, struct error *e)
{
	struct insist in = { .width = b->order_n, .pause_ms = PAUSE_MS };
	if (s->away && now_ms() - s->away_ms < AWAY_MS) {
		error_set(e, ST_IO, "not to be reached since a moment ago");
		return store_named(s, e);
	}
	qsort_r(b->order, b->order_n, sizeof(b->order[0]), by_held, b);
	while (in.at < b->order_n) {
		enum status st = insist_once(s, b, &in, e);
		if (st && !in.at) /* nothing was committed, says the count */
			return st;
		for (; st && in.at < b->order_n; in.at++) {
			b->st[b->order[in.at]] = st;
			b->e[b->order[in.at]] = *e;
			error_hint(&b->e[b->order[in.at]], STORE_HINT);
		}
	}
	return ST_OK;
}

enum status batch_apply(struct store *s, struct batch *b, struct error *e)
{
	b->order_n = 0;
	for (size_t i = 0; i < b->n; i++)
		if (b->taken[i])
			b->order[b->order_n++] = (uint16_t)i;
	return s->kind == STORE_POSTGRESQL ? insist(s, b, e) : once(s, b, e);
}
