#include "store/inner.h"

/* A place among READERS_MAX; *ret is an idle connection, or NULL where one is to be opened. */
static void place_take(struct readers *r, struct db **ret)
{
	pthread_mutex_lock(&r->lock);
	while (r->out_n == READERS_MAX)
		pthread_cond_wait(&r->given, &r->lock);
	r->out_n++;
	*ret = r->idle_n ? r->idle[--r->idle_n] : NULL;
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

enum status readers_take(struct store *s, struct db **ret, struct error *e)
{
	if (s->kind == STORE_MEMORY) {
		pthread_mutex_lock(&s->db_lock);
		*ret = s->db;
		return ST_OK;
	}
	struct db *db;
	place_take(&s->readers, &db);
	const struct db_where where = store_where(s);
	if (!db && db_new(&where, DB_READER, &db, e)) {
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

void readers_done(struct store *s)
{
	while (s->readers.idle_n > 0)
		db_free(s->readers.idle[--s->readers.idle_n]);
}
