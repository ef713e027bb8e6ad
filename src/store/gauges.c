#include "store/gauges.h"

#include "store/inner.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

static int64_t size_of(const char *path, const char *suffix)
{
	char name[4096 + 8];
	struct stat st;
	int n = snprintf(name, sizeof name, "%s%s", path, suffix);
	return n < (int)sizeof name && stat(name, &st) == 0 ? (int64_t)st.st_size : -1;
}

static int64_t free_beside(const char *path)
{
	struct statvfs v;
	return statvfs(path, &v) ? -1 : (int64_t)(v.f_bavail * v.f_frsize);
}

void store_gauges(struct store *s, struct store_gauges *ret)
{
	struct store_gauges g = {
		.queue_max = (int64_t)s->waiting_max, .database_bytes = -1, .log_bytes = -1, .free_bytes = -1
	};
	pthread_mutex_lock(&s->lock);
	g.queue = (int64_t)waitlist_count(s->waiting);
	g.changes = s->counters.changes;
	g.commits = s->counters.commits;
	g.failed = s->failed;
	g.pruned = s->counters.pruned;
	g.room = store_room(s);
	memcpy(g.batches, s->batches, sizeof g.batches);
	pthread_mutex_unlock(&s->lock);
	if (s->folder.database) {
		g.database_bytes = size_of(s->folder.database, "");
		g.log_bytes = size_of(s->folder.database, "-wal");
		g.free_bytes = free_beside(s->folder.database);
	}
	*ret = g;
}

static enum status count_lines(struct db *db, struct wall now, int max, struct store_census *io, bool *ret_more,
                               struct error *e)
{
	bool row;
	AUTO(query_done) struct query q = query_of(db, SQL_CENSUS);
	query_int(&q, io->line);
	query_int(&q, max);
	query_int(&q, now.s);
	if (query_row(&q, &row, e))
		return e->status;
	*ret_more = row && query_get_int(&q, 0) == max;
	if (!row || !query_get_int(&q, 0))
		return ST_OK;
	io->line = query_get_int(&q, 1);
	for (int i = 0; i < STORE_LEFTS; i++)
		io->n[i] += query_get_int(&q, 2 + i);
	return ST_OK;
}

enum status store_count(struct store *s, struct wall now, int max, struct store_census *io, bool *ret_more,
                        struct error *e)
{
	struct db *db;
	if (readers_take(s, &db, e))
		return e->status;
	enum status st = count_lines(db, now, max, io, ret_more, e);
	readers_give(s, db, st == ST_OK);
	return st ? store_named(s, e) : ST_OK;
}
