/* store.h - what the CA must not forget. Implements authority/change.h on SQLite (WAL, synchronous=FULL) or PostgreSQL.
 *
 * Writes: one thread owns the writing connection and commits whatever is waiting as one transaction (group commit);
 * conditions are checked inside it, and one refusal does not spoil the batch. Reads: any thread; facts that do not
 * change once written. A lock file keeps a second CA off the same folder. */
#pragma once
#include "authority/change.h"
#include "os/clock.h"

enum store_kind {
	STORE_SQLITE, /* folder */
	STORE_POSTGRESQL, /* source, database: shared with other nodes */
	STORE_MEMORY, /* no db stanza: forgotten at the end; keeps no revocations (OUTCOME_UNSUPPORTED) */
};

/* Is there room on the disk? A store of files keeps a reserve (design), so that a full disk does not stop revocation. */
enum store_room {
	STORE_ROOM_ENOUGH,
	STORE_ROOM_RESERVE, /* the disk is full: only revocations and burnt tokens are taken, from the reserve; the rest is
	                       refused with ST_IO and a hint until there is room again, which the store finds by itself */
	STORE_ROOM_NONE,    /* the reserve is used up too */
	STORE_ROOM_COUNT
};

/* Told of each change, and of a start without enough room, by the store's thread or store_open's. why: what was missing; ""
 * where there is room again. Must not call back into the store. */
typedef void store_room_fn(void *ctx, enum store_room room, const char *why);

struct store_conf {
	enum store_kind kind;
	const char *folder; /* created 0700 where missing */
	/* PostgreSQL: URL or libpq's key=value words; the database's name, or NULL where source has it. */
	const char *source, *database;
	int64_t start_wait_s; /* PostgreSQL: how long store_open waits for a server that is not there (yet) */
	/* May be NULL. Told in one line what the operator should know while store_open runs. */
	void (*notice)(void *ctx, const char *text);
	void *notice_ctx;
	const struct clock *clock;
	/* Pruning, in small steps in the background; never of what still protects (design). */
	int64_t keep_expired_s;      /* certificates stay this long after expiry; < 0: for ever */
	int64_t prune_interval_s;    /* <= 0: only by store_prune */
	int64_t renewable_after_expiry_s; /* how long after its expiry a certificate could still be renewed, or belongs on
	                                     a CRL: a revocation lives at least as long; < 0: no bound, revocations are
	                                     kept for ever */
	size_t queue_max;            /* changes waiting; more are refused with ST_AGAIN. 0: 4096 */
	int64_t reserve_bytes;       /* kept free for revocations; <= 0: none */
	store_room_fn *room;         /* may be NULL */
	void *room_ctx;
};

struct store;

/* ST_CONFLICT: another process holds it (named); ST_IO; ST_INVALID: not our database or of a newer version; ST_DENIED:
 * the server does not let us in; ST_MISSING: no libpq. */
MUST_USE enum status store_open(const struct store_conf *conf, struct store **ret, struct error *e);
void store_close(struct store *s); /* finishes what is queued */

/* What is pruned from now on: keep_expired_s and renewable_after_expiry_s of another configuration. */
void store_set_rule(struct store *s, const struct store_conf *conf);

/* When this store was created: tokens older than that are refused. */
struct wall store_created(const struct store *s);
bool store_keeps_revocations(const struct store *s);

/* Called once, from the store's thread, when the change is durable (ST_OK and an outcome) or has failed (error, with a
 * hint for the remote caller; the outcome means nothing). Must not block, nor call back into the store except by
 * store_submit; typically it posts to the connection's loop. ST_IO: nothing of the change was acknowledged, but after a
 * failed commit it may still turn out to stand; the store recovers by itself when the disk does. ST_INVALID,
 * ST_CONFLICT: this change alone was bad. */
typedef void store_done_fn(void *ctx, enum status st, enum outcome outcome, const struct error *e);

/* Takes the change in every case. The callback comes exactly once. Where all who wait fit into one transaction, in the
 * order of submission; where not, the more urgent go first (change->urgency, authority/waitlist.h). ST_AGAIN: the queue
 * is full, and of those who are less urgent than some newcomer this was the last to come, or it is itself no more
 * urgent than they: then the callback comes in the thread of whoever submits, before store_submit returns. */
void store_submit(struct store *s, struct change *taken, store_done_fn *done, void *ctx);
/* The same for one of several that are to share a commit: it waits until store_flush, or somebody's store_submit. */
void store_enqueue(struct store *s, struct change *taken, store_done_fn *done, void *ctx);
void store_flush(struct store *s);

/* The same, waiting for the answer. */
MUST_USE enum status store_apply(struct store *s, struct change *taken, enum outcome *ret, struct error *e);

/* Any thread. ST_MISSING where the serial is unknown. */
MUST_USE enum status store_find_cert(struct store *s, const char *serial, struct cert_row *ret, struct error *e);
MUST_USE enum status store_is_revoked(struct store *s, const char *serial, bool *ret, struct error *e);
MUST_USE enum status store_token_used(struct store *s, const char *token_id, bool *ret, struct error *e);

/* What a CHANGE_REVOKE_LINE with this serial and scope would take now, which is for a dry run: what is renewed in
 * between is taken too. */
enum { STORE_LINE_SHOWN = 1000 };
struct store_line_cert {
	char serial[SERIAL_TEXT], line[SERIAL_TEXT];
	char subject[128]; /* cut */
	struct wall not_before, not_after;
	bool revoked;       /* already */
	bool same_key_only; /* of another line: its key is blocked, so that it cannot be renewed */
};
struct store_line {
	struct store_line_cert *v; /* what has not expired; the first STORE_LINE_SHOWN */
	size_t n;
	int64_t more, expired; /* not shown */
	bool closed;           /* already */
};
void store_line_done(struct store_line *l);
/* ret is empty where the serial is unknown. */
MUST_USE enum status store_find_line(struct store *s, const char *serial, enum line_scope scope, struct store_line *ret,
                                     struct error *e);

/* `step-ca db import`: revocations known from elsewhere, all or none. Counts what was new. ST_DENIED: this store keeps
 * none. */
struct store_revocation {
	char serial[SERIAL_TEXT];
	int reason_code;
	const char *reason;
	struct wall at;
};
MUST_USE enum status store_import_revocations(struct store *s, const struct store_revocation *v, size_t n,
                                              size_t *ret_new, struct error *e);

/* Any thread; waits for nobody. */
enum store_room store_room(const struct store *s);
/* The same, as the refusal that a change which gives a certificate would meet now: to be asked before one is signed. */
MUST_USE enum status store_has_room(const struct store *s, struct error *e);

struct store_stats {
	int64_t certificates, revocations, tokens, commits, changes, largest_batch, queue, pruned;
};
MUST_USE enum status store_stats(struct store *s, struct store_stats *ret, struct error *e);
/* One pruning step now, by the rules above. 0: a whole sweep found nothing more to remove. */
MUST_USE enum status store_prune(struct store *s, int64_t *ret_removed, struct error *e);
