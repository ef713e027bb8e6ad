#include "store/inner.h"

#include "base/duration.h"
#include "store/apply.h"
#include "store/libpq.h"
#include "store/line.h"
#include "store/schema.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { START_PAUSE_MS = 500 };

/* --- life --------------------------------------------------------------------------------------------------------- */

static void locks_init(struct store *s)
{
	pthread_condattr_t monotonic;
	pthread_mutex_init(&s->db_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&s->task_done, NULL);
	pthread_mutex_init(&s->readers.lock, NULL);
	pthread_cond_init(&s->readers.given, NULL);
}

static void store_free(struct store *s)
{
	if (!s)
		return;
	readers_done(s); /* first: the last connection to close brings the log into the database and removes it */
	db_free(s->db);
	reserve_done(&s->room.reserve);
	folder_done(&s->folder);
	pgconn_done(&s->pg);
	waitlist_free(s->waiting);
	free(s->batch);
	pthread_cond_destroy(&s->readers.given);
	pthread_mutex_destroy(&s->readers.lock);
	pthread_cond_destroy(&s->task_done);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->db_lock);
	free(s);
}

static void store_free_p(struct store **s)
{
	store_free(*s);
}

static struct prune_rule rule_of(const struct store_conf *conf)
{
	return (struct prune_rule){ conf->keep_expired_s, conf->renewable_after_expiry_s };
}

static enum status store_alloc(const struct store_conf *conf, struct store **ret, struct error *e)
{
	struct store *s = calloc(1, sizeof(*s));
	if (!s)
		return error_nomem(e);
	s->kind = conf->kind;
	s->clock = conf->clock;
	s->rule = rule_of(conf);
	s->prune_interval_ns = conf->prune_interval_s > 0 ? conf->prune_interval_s * DURATION_S : 0;
	s->folder = FOLDER_NONE;
	s->room = (struct room){ .reserve = RESERVE_NONE, .told = conf->room, .ctx = conf->room_ctx };
	s->waiting_max = conf->queue_max ? conf->queue_max : QUEUE_DEFAULT;
	locks_init(s);
	s->batch = calloc(1, sizeof(*s->batch));
	if (!s->batch || waitlist_new(s->waiting_max, sizeof(struct pending), &s->waiting, e)) {
		store_free(s);
		return error_nomem(e);
	}
	*ret = s;
	return ST_OK;
}

struct db_where store_where(struct store *s)
{
	bool pg = s->kind == STORE_POSTGRESQL;
	return (struct db_where){ .file = s->folder.database, .pg = pg ? &s->pg : NULL, .mark = &s->mark };
}

enum status store_named(const struct store *s, struct error *e)
{
	const char *name = s->kind == STORE_POSTGRESQL ? s->pg.shown : s->folder.database;
	return s->kind == STORE_MEMORY ? error_wrap(e, "database in memory") : error_wrap(e, "database %s", name);
}

static enum status database_open(struct store *s, struct error *e)
{
	const struct db_where where = store_where(s);
	bool first = s->kind == STORE_SQLITE; /* its log, before the tables; the others have no use for it without */
	if (db_new(&where, DB_WRITER, &s->db, e) || schema_check(s->db, e) || (first && db_set_durable(s->db, e)) ||
	    schema_migrate(s->db, clock_wall(s->clock), e) ||
	    (!first && s->kind != STORE_MEMORY && db_set_durable(s->db, e)) || schema_created(s->db, &s->created, e)) {
		db_free(TAKE(s->db));
		return e->status;
	}
	return ST_OK;
}

/* A database server may come up later than the CA: after a power cut, say. What is wrong in a way that time does not
 * mend is not waited for. */
static enum status database_wait(struct store *s, const struct store_conf *conf, struct error *e)
{
	for (int64_t waited_ms = 0;; waited_ms += START_PAUSE_MS) {
		const struct timespec pause = { START_PAUSE_MS / 1000, START_PAUSE_MS % 1000 * 1000000 };
		if (!database_open(s, e))
			return ST_OK;
		bool wait = s->kind == STORE_POSTGRESQL && (e->status == ST_IO || e->status == ST_AGAIN);
		store_named(s, e);
		if (!wait || waited_ms >= conf->start_wait_s * 1000)
			return e->status;
		if (waited_ms == 0 && conf->notice)
			conf->notice(conf->notice_ctx, e->text);
		nanosleep(&pause, NULL);
	}
}

/* The place where it is, without going there yet. */
static enum status place_open(struct store *s, const struct store_conf *conf, struct error *e)
{
	switch (conf->kind) {
	case STORE_SQLITE:
		return folder_take(conf->folder, &s->folder, e)
		               ? e->status
		               : reserve_open(s->folder.path, conf->reserve_bytes, &s->room.reserve, e);
	case STORE_POSTGRESQL:
		if (libpq_load(e))
			return error_wrap(e, "db.type postgresql");
		if (pgconn_parse(conf->source, conf->database, &s->pg, e))
			return e->status;
		if (s->pg.warning[0] && conf->notice)
			conf->notice(conf->notice_ctx, s->pg.warning);
		return ST_OK;
	case STORE_MEMORY:
		break;
	}
	return ST_OK;
}

/* Signals belong to the program's own threads. */
static enum status thread_start(struct store *s, struct error *e)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&s->thread, NULL, writer_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? error_os(e, rc, "start the store's thread") : ST_OK;
}

enum status store_open(const struct store_conf *conf, struct store **ret, struct error *e)
{
	AUTO(store_free_p) struct store *s = NULL;
	if (store_alloc(conf, &s, e))
		return e->status;
	if (place_open(s, conf, e))
		return e->status;
	s->prune_at.ns = clock_mono(s->clock).ns + s->prune_interval_ns;
	for (int attempt = 0; database_wait(s, conf, e); attempt++)
		if (!room_make(s, attempt, e))
			return e->status;
	room_begin(s);
	if (thread_start(s, e))
		return e->status;
	*ret = TAKE(s);
	return ST_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	store_free(s);
}

/* Under the lock that a pruning step holds: none goes by half a rule. */
void store_set_rule(struct store *s, const struct store_conf *conf)
{
	pthread_mutex_lock(&s->db_lock);
	s->rule = rule_of(conf);
	pthread_mutex_unlock(&s->db_lock);
}

struct wall store_created(const struct store *s)
{
	return s->created;
}

bool store_keeps_revocations(const struct store *s)
{
	return s->kind != STORE_MEMORY;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void turn_away(const struct store *s, struct pending p)
{
	struct error e;
	error_set(&e, ST_AGAIN, "the store's queue is full (%zu changes wait)", s->waiting_max);
	error_hint(&e, "the certificate authority is busy; try again later");
	change_free(p.change);
	p.done(p.ctx, ST_AGAIN, OUTCOME_COUNT, &e);
}

void store_enqueue(struct store *s, struct change *taken, store_done_fn *done, void *ctx)
{
	struct pending p = { taken, done, ctx }, out = p;
	pthread_mutex_lock(&s->lock);
	enum waitlist_put put = s->closing ? WAITLIST_FULL : waitlist_put(s->waiting, &p, taken->urgency, &out);
	pthread_mutex_unlock(&s->lock);
	if (put != WAITLIST_TAKEN)
		turn_away(s, out);
}

void store_flush(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->due = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void store_submit(struct store *s, struct change *taken, store_done_fn *done, void *ctx)
{
	store_enqueue(s, taken, done, ctx);
	store_flush(s);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	enum status st;
	enum outcome outcome;
	struct error *e;
};

static void waiter_answer(void *ctx, enum status st, enum outcome outcome, const struct error *e)
{
	struct waiter *w = ctx;
	pthread_mutex_lock(&w->lock);
	w->st = st;
	w->outcome = outcome;
	if (st)
		*w->e = *e;
	w->done = true;
	pthread_cond_signal(&w->answered);
	pthread_mutex_unlock(&w->lock);
}

enum status store_apply(struct store *s, struct change *taken, enum outcome *ret, struct error *e)
{
	struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER, .e = e };
	store_submit(s, taken, waiter_answer, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.answered, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.answered);
	pthread_mutex_destroy(&w.lock);
	if (!w.st)
		*ret = w.outcome;
	return w.st;
}

/* --- reads -------------------------------------------------------------------------------------------------------- */

static enum status text_column(struct query *q, int column, char **ret, struct error *e)
{
	*ret = text_dup(slice_cstr(query_get_text(q, column)));
	return *ret ? ST_OK : error_nomem(e);
}

static void serial_column(struct query *q, int column, char ret[SERIAL_TEXT])
{
	snprintf(ret, SERIAL_TEXT, "%s", query_get_text(q, column));
}

static enum status cert_of_row(struct query *q, const char *serial, struct cert_row *r, struct error *e)
{
	r->der = BUF_INIT(CERT_MAX);
	buf_add_slice(&r->der, query_get_blob(q, 0));
	if (buf_check(&r->der, e) || text_column(q, 1, &r->subject, e) || text_column(q, 2, &r->sans, e) ||
	    text_column(q, 3, &r->provisioner_id, e) || text_column(q, 4, &r->provisioner_name, e))
		return e->status;
	snprintf(r->serial, SERIAL_TEXT, "%s", serial);
	r->provisioner_type = (int)query_get_int(q, 5);
	struct slice key = query_get_blob(q, 6);
	if (key.n == sizeof(r->key_fingerprint))
		memcpy(r->key_fingerprint, key.p, key.n);
	r->not_before.s = query_get_int(q, 7);
	r->not_after.s = query_get_int(q, 8);
	r->granted_s = query_get_int(q, 9);
	serial_column(q, 10, r->parent);
	serial_column(q, 11, r->line);
	r->generation = query_get_int(q, 12);
	r->created.s = query_get_int(q, 13);
	return ST_OK;
}

static enum status cert_read(struct db *db, const void *serial, void *ret, struct error *e)
{
	bool found;
	AUTO(cert_row_done) struct cert_row r = { 0 };
	AUTO(query_done) struct query q = query_of(db, SQL_CERT);
	query_text(&q, serial);
	if (query_row(&q, &found, e))
		return e->status;
	if (!found)
		return error_set(e, ST_MISSING, "no certificate with serial %s in the database", (const char *)serial);
	if (cert_of_row(&q, serial, &r, e))
		return e->status;
	*(struct cert_row *)ret = r;
	r = (struct cert_row){ 0 };
	return ST_OK;
}

static enum status row_exists(struct db *db, enum sql id, const char *key, bool *ret, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, id);
	query_text(&q, key);
	return query_row(&q, ret, e);
}

static enum status revocation_read(struct db *db, const void *serial, void *ret, struct error *e)
{
	return row_exists(db, SQL_REVOCATION, serial, ret, e);
}

static enum status token_read(struct db *db, const void *id, void *ret, struct error *e)
{
	return row_exists(db, SQL_TOKEN_SERIAL, id, ret, e);
}

static enum status stats_read(struct db *db, const void *none, void *ret, struct error *e)
{
	(void)none;
	struct store_stats *stats = ret;
	bool row;
	AUTO(query_done) struct query q = query_of(db, SQL_STATS);
	if (query_row(&q, &row, e))
		return e->status;
	stats->certificates = query_get_int(&q, 0);
	stats->revocations = query_get_int(&q, 1);
	stats->tokens = query_get_int(&q, 2);
	return ST_OK;
}

typedef enum status read_fn(struct db *db, const void *key, void *ret, struct error *e);

static enum status store_read(struct store *s, read_fn *read, const void *key, void *ret, struct error *e)
{
	struct db *db;
	if (readers_take(s, &db, e))
		return e->status;
	enum status st = read(db, key, ret, e);
	readers_give(s, db, st == ST_OK || st == ST_MISSING);
	return st;
}

enum status store_find_cert(struct store *s, const char *serial, struct cert_row *ret, struct error *e)
{
	return store_read(s, cert_read, serial, ret, e);
}

enum status store_is_revoked(struct store *s, const char *serial, bool *ret, struct error *e)
{
	return store_read(s, revocation_read, serial, ret, e);
}

enum status store_token_used(struct store *s, const char *token_id, bool *ret, struct error *e)
{
	return store_read(s, token_read, token_id, ret, e);
}

struct line_key {
	const char *serial;
	enum line_scope scope;
	struct wall now;
};

static enum status read_line(struct db *db, const void *key, void *ret, struct error *e)
{
	const struct line_key *k = key;
	return line_read(db, k->serial, k->scope, k->now, ret, e);
}

enum status store_find_line(struct store *s, const char *serial, enum line_scope scope, struct store_line *ret,
                            struct error *e)
{
	const struct line_key k = { serial, scope, clock_wall(s->clock) };
	return store_read(s, read_line, &k, ret, e);
}

enum status store_stats(struct store *s, struct store_stats *ret, struct error *e)
{
	struct store_stats stats = { 0 };
	if (store_read(s, stats_read, NULL, &stats, e))
		return e->status;
	pthread_mutex_lock(&s->lock);
	stats.commits = s->counters.commits;
	stats.changes = s->counters.changes;
	stats.largest_batch = s->counters.largest_batch;
	stats.pruned = s->counters.pruned;
	stats.queue = (int64_t)waitlist_count(s->waiting);
	pthread_mutex_unlock(&s->lock);
	*ret = stats;
	return ST_OK;
}

/* --- tasks of the writer ------------------------------------------------------------------------------------------ */

struct import {
	const struct store_revocation *v;
	size_t n, added;
};

static enum status import_rows(struct db *db, struct import *im, struct error *e)
{
	size_t added = 0;
	if (db_begin(db, e))
		return e->status;
	for (size_t i = 0; i < im->n; i++) {
		bool is_new;
		const struct store_revocation *r = &im->v[i];
		if (apply_revocation(db, r->serial, r->reason_code, r->reason, r->at, &is_new, e))
			return error_wrap(e, "revocation %zu", i + 1);
		added += is_new;
	}
	if (db_commit(db, e))
		return e->status;
	im->added = added;
	return ST_OK;
}

static enum status import_try(struct store *s, struct import *im, struct error *e)
{
	if (writer_ready(s, e))
		return e->status;
	return import_rows(s->db, im, e) ? writer_lost(s, e) : ST_OK;
}

static enum status import_task(struct store *s, void *ctx, struct error *e)
{
	enum status st;
	int attempt = 0;
	pthread_mutex_lock(&s->db_lock);
	while ((st = import_try(s, ctx, e)) && room_make(s, attempt, e))
		attempt++;
	pthread_mutex_unlock(&s->db_lock);
	return st;
}

enum status store_import_revocations(struct store *s, const struct store_revocation *v, size_t n, size_t *ret_new,
                                     struct error *e)
{
	if (s->kind == STORE_MEMORY)
		return error_set(e, ST_DENIED, "a database in memory keeps no revocations; set db in ca.json");
	struct import im = { v, n, 0 };
	struct task t = { .run = import_task, .ctx = &im, .e = e };
	enum status st = writer_run(s, &t);
	if (!st)
		*ret_new = im.added;
	return st;
}

/* A step that only looked is followed by the next, so that 0 says that nothing is left to remove. */
static enum status prune_task(struct store *s, void *ctx, struct error *e)
{
	int64_t *removed = ctx;
	bool more = true;
	for (*removed = 0; more && *removed == 0;)
		if (writer_prune(s, removed, &more, e))
			return e->status;
	return ST_OK;
}

enum status store_prune(struct store *s, int64_t *ret_removed, struct error *e)
{
	int64_t removed;
	struct task t = { .run = prune_task, .ctx = &removed, .e = e };
	enum status st = writer_run(s, &t);
	if (!st)
		*ret_removed = removed;
	return st;
}
