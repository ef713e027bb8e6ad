/* inner.h - what the store's parts share. Lock order: db_lock, then lock; never the other way round. */
#pragma once
#include "authority/waitlist.h"
#include "store/db.h"
#include "store/folder.h"
#include "store/gauges.h"
#include "store/pgconn.h"
#include "store/prune.h"
#include "store/reserve.h"
#include "store/store.h"
#include <pthread.h>

enum {
	BATCH_MAX = 256, /* changes in one transaction */
	QUEUE_DEFAULT = 4096,
	READERS_AWAY_S = 2,
	READERS_MAX = 4, /* connections; a read takes microseconds, more threads wait for their turn */
};

struct pending {
	struct change *change;
	store_done_fn *done;
	void *ctx;
};

/* The batch that is being decided. Errors stand last and apart: their pages are touched only when there is one. */
struct batch {
	size_t n;
	struct pending v[BATCH_MAX];
	bool taken[BATCH_MAX]; /* else refused for want of room */
	uint16_t order[BATCH_MAX]; /* in which those are decided */
	size_t order_n;
	enum status st[BATCH_MAX];
	enum outcome outcome[BATCH_MAX];
	struct error e[BATCH_MAX];
};

/* Work of another kind for the writer's thread, waited for by the caller, on whose stack it lies. */
struct task {
	enum status (*run)(struct store *s, void *ctx, struct error *e);
	void *ctx;
	struct error *e;
	enum status st;
	bool done;
	struct task *next;
};

struct readers {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct db *idle[READERS_MAX];
	size_t idle_n, out_n;
	int64_t away_until_s; /* PostgreSQL: not before then is it tried again */
};

/* The writer's view of the disk (room.c). */
struct room {
	struct reserve reserve;
	struct mono look_at; /* when to look for room again, while there is not enough */
	store_room_fn *told;
	void *ctx;
};

struct store {
	enum store_kind kind;
	const struct clock *clock;
	struct prune_rule rule;
	int64_t prune_interval_ns; /* 0: only when asked */
	struct folder folder;	/* SQLite */
	struct pgconn pg;	/* PostgreSQL */
	struct wall created;

	/* The writer's connection; NULL after an I/O error, until the next batch. A store in memory has no other. */
	pthread_mutex_t db_lock;
	struct db *db;
	struct pg_mark mark;
	bool away; /* PostgreSQL was not to be reached at away_ms, and nobody is to wait for it */
	int64_t away_ms;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake, task_done;
	struct waitlist *waiting; /* of struct pending */
	size_t waiting_max;
	bool due; /* what waits is to be committed now */
	struct task *tasks;
	bool closing;
	enum store_room room_now; /* atomic; the writer changes it */
	struct store_stats counters; /* commits, changes, largest_batch, pruned */
	int64_t failed, batches[STORE_BATCH_BOUNDS];

	/* The writer's own */
	pthread_t thread;
	struct batch *batch;
	struct prune_cursor cursor;
	bool prune_more;
	struct room room;
	struct mono prune_at;

	struct readers readers;
};

/* Where its connections lead; borrowed from the store. */
struct db_where store_where(struct store *s);
/* Prepends which database it was; the text never tells a password. */
enum status store_named(const struct store *s, struct error *e);

#define STORE_HINT "the certificate authority cannot record this now; try again later"

/* batch.c: decides what is taken of the batch, under db_lock, and commits it; outcomes and errors are then in b.
 * Else all of it failed for one reason. */
MUST_USE enum status batch_apply(struct store *s, struct batch *b, struct error *e);

/* writer.c */
void *writer_main(void *store);
/* Runs the task on the writer's thread and waits for it. */
enum status writer_run(struct store *s, struct task *t);
/* For tasks, under db_lock: a connection that works, opened anew where the last one failed. */
MUST_USE enum status writer_ready(struct store *s, struct error *e);
/* After a failure that lost a transaction. Tells the store's file in e. */
enum status writer_lost(struct store *s, struct error *e);
enum status writer_prune(struct store *s, int64_t *ret_removed, bool *ret_more, struct error *e);

/* room.c. In memory there is always room. */
/* After a failure, and before the connection is opened anew. True: it was for want of room, and there is some now; try
 * again. attempt: how often that was done for the same work. */
bool room_make(struct store *s, int attempt, const struct error *e);
/* Is this kind of change taken now? */
bool room_takes(const struct store *s, enum change_kind kind);
enum status room_refuse(const struct store *s, struct error *e); /* for what is not */
/* At the start, the database being open: makes the reserve. */
void room_begin(struct store *s);
/* While there is not enough, from time to time: is there again? ret_wait_ns: until the next look; -1: never. */
bool room_due(const struct store *s, int64_t *ret_wait_ns);
void room_look(struct store *s);

/* readers.c: a connection for reading, for the time between take and give. sound: false where it failed. */
MUST_USE enum status readers_take(struct store *s, struct db **ret, struct error *e);
void readers_give(struct store *s, struct db *db, bool sound);
/* The writer has reached the database: readers may try at once. */
void readers_back(struct store *s);
void readers_done(struct store *s);
