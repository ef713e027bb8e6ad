#include "store/inner.h"

#include <time.h>

/* A place among READERS_MAX; *ret is an idle connection, or NULL where one is to be opened. */
static void place_take(struct readers *r, struct db **ret)
{
	pthread_mutex_lock(&r->lock);
	while (r->out_n == READERS_MAX)
		pthread_cond_wait(&r->given, &r->lock);
	r->out_n++;
	for (*ret = NULL; r->idle_n && !*ret;) {
		*ret = r->idle[--r->idle_n];
		if (!db_alive(*ret)) /* the server was restarted, say */
			db_free(TAKE(*ret));
	}
	pthread_mutex_unlock(&r->lock);
}

static void place_give(struct readers *r, struct db *db)
{
	pthread_mutex_lock(&r->lock);
	r->out_n--;
	if (db)
		r->idle[r->idle_n++] = db;
	pthread_cond_signal(&r->given);
	pthread_mutex_unlock(&r->lock);
}

/* Where the database is not to be reached, one caller finds out, and for a while the others are told at once: these
 * are the threads that serve everybody. */
static enum status reader_new(struct store *s, struct db **ret, struct error *e)
{
	struct timespec now;
	struct readers *r = &s->readers;
	const struct db_where where = store_where(s);
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&r->lock);
	bool away = now.tv_sec < r->away_until_s;
	if (r->away_until_s && !away)
		r->away_until_s = now.tv_sec + READERS_AWAY_S;
	pthread_mutex_unlock(&r->lock);
	if (away)
		return error_set(e, ST_IO, "not to be reached since a moment ago");
	enum status st = db_new(&where, DB_READER, ret, e);
	if (!where.pg)
		return st;
	pthread_mutex_lock(&r->lock);
	r->away_until_s = st ? now.tv_sec + READERS_AWAY_S : 0;
	pthread_mutex_unlock(&r->lock);
	if (st && st != ST_NOMEM)
		e->status = ST_IO;
	return st ? e->status : ST_OK;
}

enum status readers_take(struct store *s, struct db **ret, struct error *e)
{
	if (s->kind == STORE_MEMORY) {
		pthread_mutex_lock(&s->db_lock);
		*ret = s->db;
		return ST_OK;
	}
	struct db *db;
	place_take(&s->readers, &db);
	if (!db && reader_new(s, &db, e)) {
		place_give(&s->readers, NULL);
		return store_named(s, e);
	}
	*ret = db;
	return ST_OK;
}

void readers_give(struct store *s, struct db *db, bool sound)
{
	if (s->kind == STORE_MEMORY) {
		pthread_mutex_unlock(&s->db_lock);
		return;
	}
	if (!sound)
		db_free(TAKE(db));
	place_give(&s->readers, db);
}

void readers_back(struct store *s)
{
	pthread_mutex_lock(&s->readers.lock);
	s->readers.away_until_s = 0;
	pthread_mutex_unlock(&s->readers.lock);
}

void readers_done(struct store *s)
{
	while (s->readers.idle_n > 0)
		db_free(s->readers.idle[--s->readers.idle_n]);
}
