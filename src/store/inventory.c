#include "store/inventory.h"

#include "store/inner.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* --- what is asked for -------------------------------------------------------------------------------------------- */

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Goes back to the last '*' only: no pattern costs more than its length times the text's. */
static bool glob(const char *p, struct slice text)
{
	const char *star = NULL, *t = (const char *)text.p, *end = t + text.n, *from = t;
	while (t < end) {
		if (*p == '*') {
			star = ++p;
			from = t;
		} else if (*p == '?' || (*p && same(*p, *t))) {
			p++;
			t++;
		} else if (star) {
			p = star;
			t = ++from;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

static bool occurs(struct slice what, struct slice in)
{
	for (size_t i = 0; i + what.n <= in.n; i++)
		if (slice_eq_nocase(what, slice_of(in.p + i, what.n)))
			return true;
	return false;
}

bool inventory_matches(const char *pattern, struct slice text)
{
	return strpbrk(pattern, "*?") ? glob(pattern, text) : occurs(slice_cstr(pattern), text);
}

static bool one_matches(const char *pattern, const char *lines)
{
	for (;; lines++) {
		size_t n = strcspn(lines, "\n");
		if (n && inventory_matches(pattern, slice_of(lines, n)))
			return true;
		lines += n;
		if (!*lines)
			return false;
	}
}

/* The columns of SQL_INVENTORY*. */
enum {
	COL_ID,
	COL_NOT_AFTER,
	COL_SERIAL,
	COL_PARENT,
	COL_SUBJECT,
	COL_SANS,
	COL_PROVISIONER,
	COL_KEY,
	COL_NOT_BEFORE,
	COL_GENERATION,
	COL_CREATED,
	COL_LINE
};

/* By what stands in the row itself: most rows are turned away here, before anything is copied or asked. */
static bool row_fits(struct query *q, const struct inventory_filter *f)
{
	if (f->serial && strcmp(f->serial, query_get_text(q, COL_SERIAL)) != 0)
		return false;
	if (f->parent && strcmp(f->parent, query_get_text(q, COL_PARENT)) != 0)
		return false;
	if (f->provisioner && !inventory_matches(f->provisioner, slice_cstr(query_get_text(q, COL_PROVISIONER))))
		return false;
	if (f->has_key && !slice_eq(slice_of(f->key, sizeof f->key), query_get_blob(q, COL_KEY)))
		return false;
	return !f->name || one_matches(f->name, query_get_text(q, COL_SUBJECT)) ||
	       one_matches(f->name, query_get_text(q, COL_SANS));
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void cert_done(struct inventory_cert *c)
{
	free(c->subject);
	free(c->sans);
	free(c->provisioner);
	*c = (struct inventory_cert){ 0 };
}

void inventory_page_done(struct inventory_page *p)
{
	while (p->n)
		cert_done(&p->v[--p->n]);
	free(p->v);
	*p = (struct inventory_page){ 0 };
}

static void serial_column(struct query *q, int column, char ret[SERIAL_TEXT])
{
	snprintf(ret, SERIAL_TEXT, "%s", query_get_text(q, column));
}

/* ret_line: its row */
static enum status cert_of_row(struct query *q, struct inventory_cert *ret, int64_t *ret_line, struct error *e)
{
	struct inventory_cert c = { 0 };
	c.subject = text_dup(slice_cstr(query_get_text(q, COL_SUBJECT)));
	c.sans = text_dup(slice_cstr(query_get_text(q, COL_SANS)));
	c.provisioner = text_dup(slice_cstr(query_get_text(q, COL_PROVISIONER)));
	if (!c.subject || !c.sans || !c.provisioner) {
		cert_done(&c);
		return error_nomem(e);
	}
	serial_column(q, COL_SERIAL, c.serial);
	serial_column(q, COL_PARENT, c.parent);
	struct slice key = query_get_blob(q, COL_KEY);
	if (key.n == sizeof c.key)
		memcpy(c.key, key.p, sizeof c.key);
	c.not_before.s = query_get_int(q, COL_NOT_BEFORE);
	c.not_after.s = query_get_int(q, COL_NOT_AFTER);
	c.created.s = query_get_int(q, COL_CREATED);
	c.generation = query_get_int(q, COL_GENERATION);
	c.at = (struct inventory_cursor){ c.not_after.s, query_get_int(q, COL_ID) };
	*ret_line = query_get_int(q, COL_LINE);
	*ret = c;
	return ST_OK;
}

static bool is_due(const struct inventory_cert *c, struct wall now)
{
	int64_t life = c->not_after.s - c->not_before.s;
	return !c->is && now.s >= c->not_after.s - life / 3;
}

/* What stands in other tables and rows: the line, a revocation, a successor. */
static enum status find_state(struct db *db, int64_t line, struct wall now, struct inventory_cert *c, struct error *e)
{
	bool found;
	AUTO(query_done) struct query q = query_of(db, SQL_INVENTORY_STATE);
	query_text(&q, c->serial);
	query_int(&q, line);
	query_int(&q, c->not_after.s);
	query_int(&q, INVENTORY_NEAR);
	if (query_row(&q, &found, e))
		return e->status;
	if (!found)
		return ST_OK; /* pruned since */
	serial_column(&q, 0, c->line);
	c->is = (query_get_int(&q, 1) ? INVENTORY_CLOSED : 0) | (query_get_int(&q, 2) ? INVENTORY_REVOKED : 0) |
	        (query_get_int(&q, 5) ? INVENTORY_RENEWED : 0);
	c->revoked_at.s = query_get_int(&q, 3);
	c->reason_code = (int)query_get_int(&q, 4);
	if (c->not_after.s < now.s)
		c->is |= INVENTORY_EXPIRED;
	if (is_due(c, now))
		c->is |= INVENTORY_DUE;
	return ST_OK;
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

struct scan {
	struct db *db;
	const struct inventory_filter *f;
	int64_t line; /* 0: all */
	size_t max;   /* of the page */
	size_t until; /* so many rows are in it, judged or not, when it is time to judge */
	size_t looked, judged;
	struct inventory_page page;
	int64_t *lines; /* of page.v */
};

static void scan_done(struct scan *s)
{
	inventory_page_done(&s->page);
	free(s->lines);
}

static bool is_full(const struct scan *s)
{
	return s->page.n == s->until || s->looked == INVENTORY_LOOK;
}

/* One statement's rows, until there are no more or the page is full. */
static enum status take_rows(struct scan *s, struct query *q, struct error *e)
{
	for (bool row; !is_full(s);) {
		if (query_row(q, &row, e))
			return e->status;
		if (!row)
			return ST_OK;
		s->looked++;
		s->page.next = (struct inventory_cursor){ query_get_int(q, COL_NOT_AFTER), query_get_int(q, COL_ID) };
		if (!row_fits(q, s->f))
			continue;
		if (cert_of_row(q, &s->page.v[s->page.n], &s->lines[s->page.n], e))
			return e->status;
		s->page.n++;
	}
	return ST_OK;
}

/* Those that end when the cursor's does first, then those that end later: with a condition over both columns SQLite
 * would read all that end at the same time (an issuer's end cuts off thousands) for each page anew. */
static enum status take_page(struct scan *s, struct inventory_cursor from, struct error *e)
{
	const struct inventory_filter *f = s->f;
	static const enum sql sql[2][2] = { { SQL_INVENTORY_SAME, SQL_INVENTORY_LATER },
		                            { SQL_INVENTORY_LINE_SAME, SQL_INVENTORY_LINE_LATER } };
	bool begun = from.not_after_s >= f->from.s;
	for (int later = !begun; later < 2 && !is_full(s); later++) {
		AUTO(query_done) struct query q = query_of(s->db, sql[s->line != 0][later]);
		query_int(&q, !later || begun ? from.not_after_s : f->from.s - 1);
		query_int(&q, later ? f->before.s : from.id);
		query_int(&q, (int64_t)(INVENTORY_LOOK - s->looked));
		if (s->line)
			query_int(&q, s->line);
		if (take_rows(s, &q, e))
			return e->status;
	}
	s->page.more = is_full(s);
	return ST_OK;
}

/* What the other tables say decides about those from `kept` on; the rows that go close up. */
static enum status judge_rows(struct scan *s, size_t kept, struct error *e)
{
	struct inventory_page *p = &s->page;
	s->judged += p->n - kept;
	for (size_t i = kept; i < p->n; i++) {
		struct inventory_cert *c = &p->v[i];
		if (find_state(s->db, s->lines[i], s->f->now, c, e))
			return e->status;
		bool fits = *c->line && !(c->is & s->f->skip) && (c->is & s->f->only) == s->f->only;
		struct inventory_cert moved = *c;
		*c = (struct inventory_cert){ 0 };
		if (fits)
			p->v[kept++] = moved;
		else
			cert_done(&moved);
	}
	p->n = kept;
	return ST_OK;
}

/* What is too much comes again with the next page. */
static void cut_page(struct scan *s)
{
	struct inventory_page *p = &s->page;
	if (p->n <= s->max)
		return;
	while (p->n > s->max)
		cert_done(&p->v[--p->n]);
	p->next = p->v[p->n - 1].at;
	p->more = true;
}

/* Most rows may go when they are judged: then more are taken each time, so that who asks for one certificate does not
 * ask once for each that is none. */
static enum status fill_page(struct scan *s, struct inventory_cursor from, struct error *e)
{
	struct inventory_page *p = &s->page;
	for (size_t some = s->max;; some *= 2) {
		size_t kept = p->n, most = INVENTORY_ROWS - s->judged;
		s->until = kept + (some < most ? some : most);
		if (take_page(s, from, e) || judge_rows(s, kept, e))
			return e->status;
		if (p->n >= s->max || !p->more || s->looked == INVENTORY_LOOK || s->judged == INVENTORY_ROWS)
			break;
		from = p->next;
	}
	cut_page(s);
	return ST_OK;
}

static enum status find_line(struct scan *s, bool *ret_none, struct error *e)
{
	const struct inventory_filter *f = s->f;
	const char *serial = f->line ? f->line : f->parent ? f->parent : f->serial;
	bool found = true;
	if (serial) {
		AUTO(query_done) struct query q = query_of(s->db, SQL_PLACE);
		query_text(&q, serial);
		if (query_row(&q, &found, e))
			return e->status;
		s->line = found ? query_get_int(&q, 0) : 0;
	}
	*ret_none = !found;
	return ST_OK;
}

static enum status read_page(struct scan *s, struct inventory_cursor from, struct error *e)
{
	bool none = false;
	s->page.v = calloc(INVENTORY_ROWS, sizeof *s->page.v);
	s->lines = calloc(INVENTORY_ROWS, sizeof *s->lines);
	if (!s->page.v || !s->lines)
		return error_nomem(e);
	if (find_line(s, &none, e) || none)
		return none ? ST_OK : e->status;
	return fill_page(s, from, e);
}

/* One transaction for the page, that its rows and what is said of them belong together, and since thousands of them would
 * cost more than the reading. */
static enum status read_whole(struct scan *s, struct inventory_cursor from, struct error *e)
{
	bool sqlite = db_kind(s->db) == DB_SQLITE; /* where a transaction sees one state anyway */
	if (db_exec(s->db, sqlite ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e))
		return e->status;
	if (read_page(s, from, e)) {
		db_rollback(s->db);
		return e->status;
	}
	return db_exec(s->db, "COMMIT", e);
}

enum status store_inventory(struct store *store, const struct inventory_filter *f, struct inventory_cursor from,
                            size_t max, struct inventory_page *ret, struct error *e)
{
	struct db *db;
	AUTO(scan_done) struct scan s = { .f = f, .max = max && max < INVENTORY_ROWS ? max : INVENTORY_ROWS };
	if (readers_take(store, &db, e))
		return e->status;
	s.db = db;
	enum status st = read_whole(&s, from, e);
	readers_give(store, db, st == ST_OK);
	if (st)
		return st;
	*ret = s.page;
	s.page = (struct inventory_page){ 0 };
	return ST_OK;
}
