#include "store/line.h"

#include "store/apply.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

/* Where a serial belongs. id 0: no line knows it. */
struct place {
	int64_t id;
	bool closed;
};

static enum status place_look(struct db *db, enum sql sql, const char *serial, struct place *ret, struct error *e)
{
	bool found;
	*ret = (struct place){ 0 };
	AUTO(query_done) struct query q = query_of(db, sql);
	query_text(&q, serial);
	if (query_row(&q, &found, e))
		return e->status;
	if (found)
		*ret = (struct place){ query_get_int(&q, 0), query_get_int(&q, 1) };
	return ST_OK;
}

/* Nothing is issued below it from here to the end of the transaction, and what was is there to be read. */
static enum status place_hold(struct db *db, const char *serial, struct place *ret, struct error *e)
{
	if (place_look(db, SQL_PLACE_HOLD, serial, ret, e))
		return e->status;
	if (ret->id || db_kind(db) == DB_SQLITE)
		return ST_OK;
	return db_hold(db, serial, e) ? e->status : place_look(db, SQL_PLACE_HOLD, serial, ret, e);
}

/* --- the certificates of a line ----------------------------------------------------------------------------------- */

struct member {
	struct store_line_cert cert;
	char parent[SERIAL_TEXT];
	bool hit;
};

struct members {
	struct member *v;
	size_t n, max;
};

static void members_done(struct members *m)
{
	free(m->v);
}

static enum status members_room(struct members *m, struct error *e)
{
	if (m->n < m->max)
		return ST_OK;
	size_t max = m->max ? 2 * m->max : 16;
	struct member *v = reallocarray(m->v, max, sizeof *v);
	if (!v)
		return error_nomem(e);
	m->v = v;
	m->max = max;
	return ST_OK;
}

/* Adds what the query gives; in a line, parents come before their children. */
static enum status members_load(struct db *db, enum sql sql, int64_t line, bool same_key, struct members *m,
                                struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, sql);
	query_int(&q, line);
	for (bool row;;) {
		if (query_row(&q, &row, e) || (row && members_room(m, e)))
			return e->status;
		if (!row)
			return ST_OK;
		struct member *to = &m->v[m->n++];
		*to = (struct member){ .hit = same_key, .cert.same_key_only = same_key };
		snprintf(to->cert.serial, SERIAL_TEXT, "%s", query_get_text(&q, 0));
		snprintf(to->parent, SERIAL_TEXT, "%s", query_get_text(&q, 1));
		snprintf(to->cert.subject, sizeof to->cert.subject, "%s", query_get_text(&q, 2));
		to->cert.not_before.s = query_get_int(&q, 3);
		to->cert.not_after.s = query_get_int(&q, 4);
		to->cert.revoked = query_get_int(&q, 5);
		snprintf(to->cert.line, SERIAL_TEXT, "%s", query_get_text(&q, 6));
	}
}

static int by_serial(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep(void *borrowed)
{
	(void)borrowed;
}

/* Marks the named certificate and what descends from it; its own row may be missing (imported, pruned). */
static enum status mark_descendants(struct members *m, const char *serial, struct error *e)
{
	void *hits = NULL;
	enum status st = tsearch(serial, &hits, by_serial) ? ST_OK : error_nomem(e);
	for (size_t i = 0; !st && i < m->n; i++) {
		struct member *c = &m->v[i];
		c->hit = strcmp(c->cert.serial, serial) == 0 || tfind(c->parent, &hits, by_serial);
		if (c->hit && !tsearch(c->cert.serial, &hits, by_serial))
			st = error_nomem(e);
	}
	tdestroy(hits, keep);
	return st;
}

static enum status members_find(struct db *db, int64_t line, const char *serial, enum line_scope scope,
                                struct members *m, struct error *e)
{
	if (!line)
		return ST_OK;
	if (members_load(db, SQL_LINE_CERTS, line, false, m, e))
		return e->status;
	if (scope == SCOPE_DESCENDANTS)
		return mark_descendants(m, serial, e);
	for (size_t i = 0; i < m->n; i++)
		m->v[i].hit = true;
	return members_load(db, SQL_LINE_KEY_CERTS, line, true, m, e);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

void store_line_done(struct store_line *l)
{
	free(l->v);
	*l = (struct store_line){ 0 };
}

enum status line_read(struct db *db, const char *serial, enum line_scope scope, struct wall now, struct store_line *ret,
                      struct error *e)
{
	AUTO(members_done) struct members m = { 0 };
	AUTO(store_line_done) struct store_line l = { 0 };
	struct place at;
	if (place_look(db, SQL_PLACE, serial, &at, e) || members_find(db, at.id, serial, scope, &m, e))
		return e->status;
	size_t max = m.n < STORE_LINE_SHOWN ? m.n : STORE_LINE_SHOWN;
	l.v = calloc(max ? max : 1, sizeof *l.v);
	if (!l.v)
		return error_nomem(e);
	l.closed = at.closed;
	for (size_t i = 0; i < m.n; i++) {
		if (!m.v[i].hit)
			continue;
		if (m.v[i].cert.not_after.s < now.s)
			l.expired++;
		else if (l.n == max)
			l.more++;
		else
			l.v[l.n++] = m.v[i].cert;
	}
	*ret = l;
	l = (struct store_line){ 0 };
	return ST_OK;
}

/* --- ending ------------------------------------------------------------------------------------------------------- */

static enum status revoke_one(struct db *db, const struct change *c, const char *serial, bool *any, struct error *e)
{
	const struct revocation r = { serial, c->reason, c->provisioner_id, c->token_id, c->reason_code, false, c->at };
	bool added;
	if (revocation_add(db, &r, &added, e))
		return e->status;
	*any |= added;
	return ST_OK;
}

static enum status revoke_descendants(struct db *db, const struct change *c, bool *ret_any, struct error *e)
{
	AUTO(members_done) struct members m = { 0 };
	struct place at;
	if (place_hold(db, c->serial, &at, e) || members_find(db, at.id, c->serial, c->scope, &m, e) ||
	    revoke_one(db, c, c->serial, ret_any, e))
		return e->status;
	for (size_t i = 0; i < m.n; i++)
		if (m.v[i].hit && revoke_one(db, c, m.v[i].cert.serial, ret_any, e))
			return e->status;
	return ST_OK;
}

static enum status line_add(struct db *db, const char *serial, int64_t *ret, struct error *e)
{
	bool found;
	AUTO(query_done) struct query q = query_of(db, SQL_LINE_ADD);
	query_text(&q, serial);
	if (query_row(&q, &found, e))
		return e->status;
	*ret = query_get_int(&q, 0);
	return ST_OK;
}

static enum status close_line(struct db *db, const struct change *c, int64_t line, bool *ret_closed, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_LINE_CLOSE);
	query_int(&q, line);
	query_int(&q, c->at.s);
	query_text(&q, c->provisioner_id);
	return query_row(&q, ret_closed, e);
}

static enum status block_keys(struct db *db, const struct change *c, int64_t line, struct error *e)
{
	bool none;
	AUTO(query_done) struct query q = query_of(db, SQL_LINE_BLOCK_KEYS);
	query_int(&q, line);
	query_text(&q, c->reason);
	query_int(&q, c->at.s);
	return query_row(&q, &none, e);
}

static enum status revoke_members(struct db *db, const struct change *c, int64_t line, struct error *e)
{
	bool none;
	AUTO(query_done) struct query q = query_of(db, SQL_LINE_REVOKE);
	query_int(&q, line);
	query_int(&q, c->reason_code);
	query_text(&q, c->reason);
	query_text(&q, c->provisioner_id);
	query_text(&q, c->token_id);
	query_int(&q, c->at.s);
	return query_row(&q, &none, e);
}

/* Nothing is issued from a closed line, so its expired certificates need no revocation of their own. A serial that
 * nobody knows gets a line, closed before its first renewal. */
static enum status revoke_lineage(struct db *db, const struct change *c, bool *ret_any, struct error *e)
{
	struct place at;
	bool named = false;
	if (place_hold(db, c->serial, &at, e) || (!at.id && line_add(db, c->serial, &at.id, e)) ||
	    close_line(db, c, at.id, ret_any, e))
		return e->status;
	if (!*ret_any)
		return ST_OK;
	if (revoke_one(db, c, c->serial, &named, e) || revoke_members(db, c, at.id, e))
		return e->status;
	return block_keys(db, c, at.id, e);
}

enum status line_revoke(struct db *db, const struct change *c, enum outcome *ret, struct error *e)
{
	bool any = false;
	enum status st =
		c->scope == SCOPE_LINEAGE ? revoke_lineage(db, c, &any, e) : revoke_descendants(db, c, &any, e);
	if (!st)
		*ret = any ? OUTCOME_DONE : OUTCOME_ALREADY_REVOKED;
	return st;
}
