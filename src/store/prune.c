#include "store/prune.h"

#include "base/macros.h"

/* What goes, and when. `now` is the start of the step.
 *
 *   token         exp + leeway + 1 h is over: nobody would accept it any more
 *   revocation    its certificate is known, is no longer kept here, and could not be renewed even if late
 *   certificate   expired for longer than the rule keeps it, as is every certificate of its line: while one lives, its
 *                 ancestors say where it came from. Of a closed line: also could not be renewed even if late, because
 *                 its row is what ties its serial to the closed line
 *   line          with its last certificate */
enum {
	REMOVE_MAX = 200, /* rows of a kind that one step takes */
	LOOK_MAX = 1000,  /* expired certificates that one step looks at */
	TOKEN_LEEWAY_S = 60,
	TOKEN_GRACE_S = 3600,
};

/* The instant before which things are old enough; never where the span is unbounded. */
static int64_t cutoff(struct wall now, int64_t span_s)
{
	int64_t at;
	return span_s < 0 || __builtin_sub_overflow(now.s, span_s, &at) ? INT64_MIN : at;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static enum status prune_older(struct db *db, enum sql id, int64_t before, int64_t *removed, struct error *e)
{
	bool row;
	if (before == INT64_MIN)
		return ST_OK;
	AUTO(query_done) struct query q = query_of(db, id);
	query_int(&q, before);
	query_int(&q, REMOVE_MAX);
	if (query_row(&q, &row, e))
		return e->status;
	*removed += query_changes(&q);
	return ST_OK;
}

struct doomed {
	size_t n;
	struct {
		int64_t id, line;
	} v[REMOVE_MAX];
};

/* Looks at the next expired certificates; the cursor ends behind the last one that was looked at. */
static enum status prune_look(struct db *db, int64_t open_before, int64_t closed_before, struct prune_cursor *c,
                              struct doomed *d, bool *ret_more, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_PRUNE_LOOK);
	query_int(&q, c->not_after);
	query_int(&q, c->id);
	query_int(&q, open_before);
	query_int(&q, closed_before);
	query_int(&q, LOOK_MAX);
	for (int looked = 0;; looked++) {
		bool row;
		if (query_row(&q, &row, e))
			return e->status;
		if (!row) {
			*ret_more = looked == LOOK_MAX;
			return ST_OK;
		}
		c->id = query_get_int(&q, 0);
		c->not_after = query_get_int(&q, 1);
		if (!query_get_int(&q, 3))
			continue;
		d->v[d->n].id = c->id;
		d->v[d->n].line = query_get_int(&q, 2);
		if (++d->n == COUNT_OF(d->v)) {
			*ret_more = true;
			return ST_OK;
		}
	}
}

static enum status delete_row(struct db *db, enum sql id, int64_t key, int64_t *removed, struct error *e)
{
	bool row;
	AUTO(query_done) struct query q = query_of(db, id);
	query_int(&q, key);
	if (query_row(&q, &row, e))
		return e->status;
	*removed += query_changes(&q);
	return ST_OK;
}

static enum status hold_line(struct db *db, int64_t line, struct error *e)
{
	bool row;
	if (db_kind(db) == DB_SQLITE)
		return ST_OK;
	AUTO(query_done) struct query q = query_of(db, SQL_PRUNE_LINE_HOLD);
	query_int(&q, line);
	return query_row(&q, &row, e);
}

static enum status prune_certs(struct db *db, int64_t open_before, int64_t closed_before, struct prune_cursor *c,
                               int64_t *removed, bool *ret_more, struct error *e)
{
	struct doomed d = { 0 };
	*ret_more = false;
	if (open_before == INT64_MIN)
		return ST_OK;
	if (prune_look(db, open_before, closed_before, c, &d, ret_more, e))
		return e->status;
	int64_t lines = 0; /* they go along, uncounted */
	for (size_t i = 0; i < d.n; i++)
		if (hold_line(db, d.v[i].line, e) || delete_row(db, SQL_PRUNE_CERT, d.v[i].id, removed, e) ||
		    delete_row(db, SQL_PRUNE_LINE, d.v[i].line, &lines, e))
			return e->status;
	return ST_OK;
}

static enum status prune_rows(struct db *db, const struct prune_rule *rule, struct wall now, struct prune_cursor *c,
                              int64_t *removed, bool *ret_more, struct error *e)
{
	int64_t kept = cutoff(now, rule->keep_expired_s), renewable = cutoff(now, rule->renewable_after_expiry_s);
	if (prune_older(db, SQL_PRUNE_TOKENS, cutoff(now, TOKEN_LEEWAY_S + TOKEN_GRACE_S), removed, e))
		return e->status;
	if (prune_older(db, SQL_PRUNE_REVOCATIONS, earlier(kept, renewable), removed, e))
		return e->status;
	bool full = *removed >= REMOVE_MAX;
	if (prune_certs(db, kept, earlier(kept, renewable), c, removed, ret_more, e))
		return e->status;
	*ret_more |= full;
	return ST_OK;
}

enum status prune_step(struct db *db, const struct prune_rule *rule, struct wall now, struct prune_cursor *c,
                       int64_t *ret_removed, bool *ret_more, struct error *e)
{
	struct prune_cursor next = c->sweeping ? *c : (struct prune_cursor){ .sweeping = true, .not_after = INT64_MIN };
	int64_t removed = 0;
	bool more = false;
	if (db_begin(db, e))
		return e->status;
	bool mine;
	if (db_prune_lock(db, &mine, e) || (mine && prune_rows(db, rule, now, &next, &removed, &more, e)) ||
	    db_commit(db, e)) {
		db_rollback(db);
		return e->status;
	}
	next.sweeping = more;
	*c = next;
	*ret_removed = removed;
	*ret_more = more;
	return ST_OK;
}
