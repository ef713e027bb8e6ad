/* A revocation is born unlisted, whoever writes it, and store_begin_crl marks all that it can see as listed, before the
 * list is read: what commits later stays unlisted and makes the list "behind". No lock is needed for that. */
#include "store/crl.h"

#include "store/inner.h"
#include "x509/crl.h"

/* --- reading ------------------------------------------------------------------------------------------------------ */

void store_crl_done(struct store_crl *c)
{
	buf_done(&c->der);
}

typedef enum status read_fn(struct db *db, void *ctx, struct error *e);

static enum status reading(struct store *s, read_fn *read, void *ctx, struct error *e)
{
	struct db *db;
	if (readers_take(s, &db, e))
		return e->status;
	enum status st = read(db, ctx, e);
	readers_give(s, db, st == ST_OK);
	return st ? store_named(s, e) : ST_OK;
}

struct find {
	const char *issuer;
	int64_t known;
	struct store_crl crl;
};

static enum status is_unlisted(struct db *db, bool *ret, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_UNLISTED);
	return query_row(&q, ret, e);
}

static enum status find(struct db *db, void *ctx, struct error *e)
{
	struct find *f = ctx;
	struct store_crl *c = &f->crl;
	bool found, unlisted;
	if (is_unlisted(db, &unlisted, e))
		return e->status;
	AUTO(query_done) struct query q = query_of(db, SQL_CRL);
	query_text(&q, f->issuer);
	query_int(&q, f->known);
	if (query_row(&q, &found, e))
		return e->status;
	c->behind = unlisted;
	if (!found)
		return ST_OK;
	c->number = query_get_int(&q, 0);
	c->this_update.s = query_get_int(&q, 1);
	c->next_update.s = query_get_int(&q, 2);
	c->entries = query_get_int(&q, 3);
	c->behind |= query_get_text(&q, 4)[0] != '\0';
	struct slice der = query_get_blob(&q, 5);
	if (der.n <= CRL_MAX) /* else not ours, and as good as none */
		buf_add_slice(&c->der, der);
	return buf_check(&c->der, e);
}

enum status store_find_crl(struct store *s, const char *issuer, int64_t known, struct store_crl *ret, struct error *e)
{
	struct find f = { issuer, known, { .number = -1, .der = BUF_INIT(CRL_MAX) } };
	enum status st = reading(s, find, &f, e);
	if (st)
		store_crl_done(&f.crl);
	else
		*ret = f.crl;
	return st;
}

struct each {
	struct wall ended_before;
	store_revoked_fn *fn;
	void *ctx;
	enum status said; /* by fn */
};

static enum status read_revoked(struct db *db, void *ctx, struct error *e)
{
	struct each *each = ctx;
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_ENTRIES);
	query_int(&q, each->ended_before.s);
	for (bool row;;) {
		if (query_row(&q, &row, e))
			return e->status;
		if (!row)
			return ST_OK;
		struct store_revoked r = { .serial = query_get_text(&q, 0),
			                   .at = { query_get_int(&q, 1) },
			                   .reason_code = (int)query_get_int(&q, 2) };
		each->said = each->fn(each->ctx, &r, e);
		if (each->said)
			return ST_OK; /* the connection is well */
	}
}

enum status store_read_revoked(struct store *s, struct wall ended_before, store_revoked_fn *fn, void *ctx,
                               struct error *e)
{
	struct each each = { ended_before, fn, ctx, ST_OK };
	enum status st = reading(s, read_revoked, &each, e);
	return st ? st : each.said;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct write {
	enum status (*run)(struct db *db, struct write *w, struct error *e);
	const char *issuer, *node;
	int64_t known, now_s, lease_s;
	const struct store_crl *crl;
	bool mine;
	int64_t number;
};

static enum status in_transaction(struct db *db, struct write *w, struct error *e)
{
	return db_begin(db, e) || w->run(db, w, e) || db_commit(db, e) ? e->status : ST_OK;
}

static enum status write_task(struct store *s, void *ctx, struct error *e)
{
	pthread_mutex_lock(&s->db_lock);
	enum status st = writer_ready(s, e);
	if (!st && (st = in_transaction(s->db, ctx, e)))
		st = writer_lost(s, e);
	pthread_mutex_unlock(&s->db_lock);
	return st;
}

static enum status writing(struct store *s, struct write *w, struct error *e)
{
	struct task t = { .run = write_task, .ctx = w, .e = e };
	return writer_run(s, &t);
}

static enum status claim(struct db *db, struct write *w, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_CLAIM);
	query_text(&q, w->issuer);
	query_text(&q, w->node);
	query_int(&q, w->now_s + w->lease_s);
	query_int(&q, w->now_s);
	query_int(&q, w->known);
	query_blob(&q, SLICE_NONE);
	return query_row(&q, &w->mine, e);
}

static enum status take_number(struct db *db, struct write *w, struct error *e)
{
	bool row;
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_NUMBER);
	if (query_row(&q, &row, e))
		return e->status;
	if (!row)
		return error_set(e, ST_IO, "the table of CRL numbers is empty");
	w->number = query_get_int(&q, 0);
	return ST_OK;
}

static enum status begin(struct db *db, struct write *w, struct error *e)
{
	if (claim(db, w, e) || (w->mine && (take_number(db, w, e) || db_run(db, SQL_CRL_LIST, e))))
		return e->status;
	return ST_OK;
}

enum status store_begin_crl(struct store *s, const char *issuer, const char *node, int64_t known, int64_t lease_s,
                            bool *ret_mine, int64_t *ret_number, struct error *e)
{
	struct write w = { .run = begin,
		           .issuer = issuer,
		           .node = node,
		           .known = known,
		           .now_s = clock_wall(s->clock).s,
		           .lease_s = lease_s };
	enum status st = writing(s, &w, e);
	if (st)
		return st;
	*ret_mine = w.mine;
	*ret_number = w.number;
	return ST_OK;
}

static enum status finish(struct db *db, struct write *w, struct error *e)
{
	const struct store_crl *c = w->crl;
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_KEEP);
	query_text(&q, w->issuer);
	query_text(&q, w->node);
	query_int(&q, c->number);
	query_int(&q, c->this_update.s);
	query_int(&q, c->next_update.s);
	query_int(&q, c->entries);
	query_blob(&q, buf_slice(&c->der));
	return query_row(&q, &w->mine, e);
}

enum status store_finish_crl(struct store *s, const char *issuer, const char *node, const struct store_crl *c,
                             bool *ret_kept, struct error *e)
{
	struct write w = { .run = finish, .issuer = issuer, .node = node, .crl = c };
	enum status st = writing(s, &w, e);
	if (!st)
		*ret_kept = w.mine;
	return st;
}

static enum status abandon(struct db *db, struct write *w, struct error *e)
{
	bool none;
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_ABANDON);
	query_text(&q, w->issuer);
	query_text(&q, w->node);
	return query_row(&q, &none, e);
}

enum status store_abandon_crl(struct store *s, const char *issuer, const char *node, struct error *e)
{
	struct write w = { .run = abandon, .issuer = issuer, .node = node };
	return writing(s, &w, e);
}

static enum status raise_number(struct db *db, struct write *w, struct error *e)
{
	bool none;
	AUTO(query_done) struct query q = query_of(db, SQL_CRL_RAISE);
	query_int(&q, w->number);
	return query_row(&q, &none, e);
}

enum status store_raise_crl_number(struct store *s, int64_t least, struct error *e)
{
	struct write w = { .run = raise_number, .number = least };
	return writing(s, &w, e);
}
