/* A batch in step gives what its changes give one after the other: the same outcomes, and the same rows. Both are done
 * in transactions from the same state; serials are small numbers here, so that sums tell the tables apart. */
#include "fixture.h"

#include "base/macros.h"
#include "store/apply.h"
#include "store/db.h"
#include "store/pgconn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 256 };

struct bench {
	struct world *w;
	struct pgconn pg;
	struct pg_mark mark;
	struct db *db;
};

static void bench_begin(struct bench *b)
{
	struct error e = ERROR_INIT;
	*b = (struct bench){ .w = world_begin(STORE_SQLITE) };
	world_open(b->w); /* makes the tables */
	world_close(b->w);
	struct db_where where = { .file = b->w->database };
	if (b->w->conf.kind == STORE_POSTGRESQL) {
		assert_int_equal(pgconn_parse(b->w->conf.source, NULL, &b->pg, &e), ST_OK);
		where = (struct db_where){ .pg = &b->pg, .mark = &b->mark };
	}
	if (db_new(&where, DB_WRITER, &b->db, &e))
		fail_msg("%s", e.text);
}

static void bench_end(struct bench *b)
{
	db_free(b->db);
	pgconn_done(&b->pg);
	world_end(b->w);
}

#define SUM(of, from) "SELECT CAST(coalesce(sum(" of "), 0) AS BIGINT) FROM " from
#define N(column) "CAST(coalesce(" column ", '0') AS BIGINT)"

static const char *const sums[] = {
	SUM(N("serial") " * (1 + 101 * again + 1009 * new_key + 10007 * generation)", "certs"),
	SUM(N("serial") " * (1 + " N("parent") ")", "certs"),
	SUM(N("c.serial") " * " N("l.serial"), "certs c JOIN lines l ON l.id = c.line"),
	SUM(N("substr(id, 2)") " * (1 + " N("serial") ")", "tokens"),
	SUM("1", "certs"),
	SUM("1", "tokens"),
	SUM(N("serial") " * (1 + 7 * reason_code + 1009 * " N("substr(token, 2)") ")", "revocations"),
	SUM("1", "revocations"),
	SUM(N("serial") " * CASE WHEN closed_at IS NULL THEN 1 ELSE 1009 END", "lines"),
	SUM("1", "lines"),
	SUM("1", "blocked_keys"),
};

struct result {
	enum status st;
	enum outcome outcome[MANY];
	unsigned round[MANY];
	int64_t sums[COUNT_OF(sums)];
};

static void look(struct bench *b, struct result *r)
{
	struct error e = ERROR_INIT;
	for (size_t i = 0; i < COUNT_OF(sums); i++)
		if (db_number(b->db, sums[i], &r->sums[i], &e))
			fail_msg("%s: %s", sums[i], e.text);
}

static void in_step(struct bench *b, struct change **c, size_t n, struct result *r)
{
	struct error e = ERROR_INIT;
	assert_int_equal(db_begin(b->db, &e), ST_OK);
	r->st = apply_batch(b->db, (const struct change *const *)c, n, true, r->outcome, r->round, &e);
	if (!r->st)
		look(b, r);
	db_rollback(b->db);
}

/* In the order that the batch in step says it had. */
static void one_by_one(struct bench *b, struct change **c, size_t n, const unsigned *round, bool keep, struct result *r)
{
	struct error e = ERROR_INIT;
	size_t done = 0;
	assert_int_equal(db_begin(b->db, &e), ST_OK);
	r->st = ST_OK;
	for (unsigned now = 0; !r->st && done < n; now++) {
		assert_true(now <= n);
		for (size_t i = 0; !r->st && i < n; i++) {
			if (round[i] != now)
				continue;
			r->st = apply_change(b->db, c[i], true, &r->outcome[i], &e);
			done++;
		}
	}
	if (!r->st)
		look(b, r);
	if (r->st || !keep || db_commit(b->db, &e))
		db_rollback(b->db);
}

static bool same(const char *a, const char *b)
{
	return a && b && a[0] && !strcmp(a, b);
}

/* Must these two keep their order? As a client sees it. */
static bool meet(const struct change *a, const struct change *b)
{
	bool ends = a->kind == CHANGE_REVOKE_LINE || b->kind == CHANGE_REVOKE_LINE;
	return same(a->token_id, b->token_id) || ends || same(a->cert.serial, b->cert.serial) ||
	       same(a->cert.serial, b->cert.parent) || same(a->cert.parent, b->cert.serial) ||
	       same(a->cert.parent, b->cert.parent) || same(a->serial, b->serial) || same(a->serial, b->cert.serial) ||
	       same(a->serial, b->cert.parent) || same(a->serial, b->credential) || same(a->cert.serial, b->serial) ||
	       same(a->cert.parent, b->serial) || same(a->credential, b->serial);
}

static const char *text(const char *s)
{
	return s && s[0] ? s : "-";
}

static void show(struct change **c, size_t n, const struct result *x, const struct result *y)
{
	for (size_t i = 0; i < n; i++)
		print_message(
			"# %zu: kind %d token %s serial %s parent %s line %s revokes %s credential %s late %d scope %d "
			"own %d round %u: %s, one by one %s\n",
			i, (int)c[i]->kind, text(c[i]->token_id), text(c[i]->cert.serial), text(c[i]->cert.parent),
			text(c[i]->cert.line), text(c[i]->serial), text(c[i]->credential), c[i]->after_expiry,
			(int)c[i]->scope, c[i]->own_only, x->round[i], x->st ? "" : outcome_name(x->outcome[i]),
			y->st ? "" : outcome_name(y->outcome[i]));
}

/* Frees the changes. keep: the next batch finds what this one made. Returns whether it went well. */
static bool compare(struct bench *b, struct change **c, size_t n, bool keep)
{
	static struct result x, y;
	x = y = (struct result){ 0 };
	in_step(b, c, n, &x);
	if (x.st) /* then any order has to meet the bad one */
		memset(x.round, 0, sizeof(x.round));
	one_by_one(b, c, n, x.round, keep, &y);
	bool right = !x.st == !y.st;
	for (size_t i = 0; right && !x.st && i < n; i++) {
		right = x.outcome[i] == y.outcome[i];
		for (size_t k = 0; right && k < i; k++)
			right = !meet(c[k], c[i]) || x.round[k] < x.round[i];
	}
	if (right && !x.st)
		right = !memcmp(x.sums, y.sums, sizeof(x.sums));
	if (!right) {
		show(c, n, &x, &y);
		for (size_t i = 0; i < COUNT_OF(sums); i++)
			if (x.sums[i] != y.sums[i])
				print_message("# %s: %lld, %lld\n", sums[i], (long long)x.sums[i],
				              (long long)y.sums[i]);
		fail_msg("in step %s, one by one %s", status_name(x.st), status_name(y.st));
	}
	for (size_t i = 0; i < n; i++)
		change_free(c[i]);
	return !x.st;
}

static size_t below(uint64_t *seed, size_t n)
{
	return (size_t)(seed_next(seed) % n);
}

/* --- each pair ---------------------------------------------------------------------------------------------------- */

static const struct one {
	enum change_kind kind;
	const char *token, *serial, *parent, *credential;
	bool late, own;
	enum line_scope scope;
} ones[] = {
	{ CHANGE_ISSUE, NULL, "5" },
	{ CHANGE_ISSUE, "t1", "5" },
	{ CHANGE_ISSUE, "t1", "6" },
	{ CHANGE_ISSUE, "t2", "5", .credential = "1" },
	{ CHANGE_RENEW, NULL, "5", "1" },
	{ CHANGE_RENEW, NULL, "6", "1" },
	{ CHANGE_RENEW, NULL, "5", "2" },
	{ CHANGE_RENEW, NULL, "6", "1", .late = true },
	{ CHANGE_RENEW, NULL, "6", "2", .late = true },
	{ CHANGE_RENEW, NULL, "6", "5" },
	{ CHANGE_RENEW, NULL, "6", "7" },
	{ CHANGE_RENEW, NULL, "5", "7" },
	{ CHANGE_RENEW, "t1", "6", "1" },
	{ CHANGE_RENEW, "t1", "6", "4" },
	{ CHANGE_RENEW, "t2", "6", "5" },
	{ CHANGE_REKEY, NULL, "6", "1" },
	{ CHANGE_REKEY, NULL, "6", "5" },
	{ CHANGE_REKEY, "t1", "5", "2", .late = true },
	{ CHANGE_REVOKE, NULL, "1" },
	{ CHANGE_REVOKE, NULL, "5" },
	{ CHANGE_REVOKE, "t1", "5" },
	{ CHANGE_REVOKE, "t1", "7" },
	{ CHANGE_REVOKE, "t2", "5", .own = true },
	{ CHANGE_REVOKE, "t2", "2", .credential = "1" },
	{ CHANGE_REVOKE_LINE, NULL, "1", .scope = SCOPE_LINEAGE },
	{ CHANGE_REVOKE_LINE, NULL, "7", .scope = SCOPE_LINEAGE },
	{ CHANGE_REVOKE_LINE, "t1", "5", .scope = SCOPE_LINEAGE },
	{ CHANGE_REVOKE_LINE, "t1", "1", .scope = SCOPE_DESCENDANTS },
	{ CHANGE_REVOKE_LINE, NULL, "5", .scope = SCOPE_DESCENDANTS },
	{ CHANGE_BURN, "t1" },
	{ CHANGE_BURN, "t2" },
};

static struct change *change_of(const struct one *o)
{
	struct change *c;
	if (o->kind == CHANGE_BURN)
		return change_burn(o->token);
	if (o->kind == CHANGE_REVOKE || o->kind == CHANGE_REVOKE_LINE)
		c = change_revoke(o->token, o->serial);
	else if (o->kind == CHANGE_ISSUE)
		c = change_issue(o->token, o->serial);
	else
		c = change_renew(o->token, o->parent, o->serial);
	c->kind = o->kind;
	c->scope = o->scope;
	c->own_only = o->own;
	c->after_expiry = o->late;
	c->window_s = o->kind == CHANGE_RENEW ? 600 : 0;
	c->has_credential = o->credential;
	snprintf(c->credential, sizeof(c->credential), "%s", o->credential ? o->credential : "");
	memset(c->credential_key, 'C', sizeof(c->credential_key));
	return c;
}

/* 1 and its renewal 2; 4 is nobody's line's, 7 is known to nobody. */
static void stock(struct bench *b)
{
	struct change *c[] = { change_issue(NULL, "1"), change_renew(NULL, "1", "2"), change_issue(NULL, "4") };
	assert_true(compare(b, c, COUNT_OF(c), true));
}

static void each_pair(void **state)
{
	(void)state;
	struct bench b;
	bench_begin(&b);
	stock(&b);
	bool all = b.w->conf.kind != STORE_POSTGRESQL || getenv("PERENNIAL_TORTURE");
	uint64_t seed = seed_start("store/instep, pairs");
	for (size_t i = 0; i < COUNT_OF(ones); i++)
		for (size_t k = 0; k < COUNT_OF(ones); k++) {
			if (!all && below(&seed, 5)) /* with SQLite all are; there the gates are the same */
				continue;
			struct change *c[] = { change_of(&ones[i]), change_of(&ones[k]) };
			compare(&b, c, 2, false);
		}
	bench_end(&b);
}

/* --- many at random ----------------------------------------------------------------------------------------------- */

static const char *number(char out[24], const char *before, size_t n)
{
	snprintf(out, 24, "%s%zu", before, n);
	return out;
}

static void key_of(uint8_t key[KEY_FINGERPRINT], size_t n)
{
	memset(key, 'A', KEY_FINGERPRINT);
	memcpy(key, &n, sizeof(n));
}

/* As the server does: what is known of the parent when the request comes. */
static void know_parent(struct bench *b, struct change *c)
{
	struct error e = ERROR_INIT;
	bool found;
	AUTO(query_done) struct query q = query_of(b->db, SQL_CERT);
	query_text(&q, c->cert.parent);
	if (query_row(&q, &found, &e))
		fail_msg("%s", e.text);
	if (!found)
		return;
	memcpy(c->parent_key, query_get_blob(&q, 6).p, sizeof(c->parent_key));
	snprintf(c->cert.line, sizeof(c->cert.line), "%s", query_get_text(&q, 11));
}

static struct change *any_change(struct bench *b, uint64_t *seed, size_t serials)
{
	static const enum change_kind kinds[] = {
		CHANGE_ISSUE, CHANGE_ISSUE, CHANGE_RENEW, CHANGE_RENEW,  CHANGE_RENEW,
		CHANGE_RENEW, CHANGE_RENEW, CHANGE_REKEY, CHANGE_REVOKE, CHANGE_BURN
	};
	char token[24], serial[24], parent[24], credential[24];
	size_t s = 1 + below(seed, serials), at = 1 + below(seed, serials);
	struct one o = {
		.kind = below(seed, 40) ? kinds[below(seed, COUNT_OF(kinds))] : CHANGE_REVOKE_LINE,
		.serial = number(serial, "", s),
		.parent = number(parent, "", at),
		.token = below(seed, 3) ? NULL : number(token, "t", 1 + below(seed, 2 * serials)),
		.credential = below(seed, 6) ? NULL : number(credential, "", 1 + below(seed, serials)),
		.late = !below(seed, 3),
		.own = !below(seed, 4),
		.scope = below(seed, 2) ? SCOPE_LINEAGE : SCOPE_DESCENDANTS,
	};
	if (o.kind == CHANGE_BURN && !o.token)
		o.token = "t1";
	struct change *c = change_of(&o);
	key_of(c->cert.key_fingerprint, s);
	if (c->kind == CHANGE_RENEW || c->kind == CHANGE_REKEY) {
		key_of(c->parent_key, at);
		know_parent(b, c);
		if (c->kind == CHANGE_RENEW)
			memcpy(c->cert.key_fingerprint, c->parent_key, sizeof(c->parent_key));
		if (!below(seed, 12))
			memset(c->parent_key, 'Z', sizeof(c->parent_key)); /* another issuer's */
		if (!below(seed, 12))
			number(c->cert.line, "", 1 + below(seed, serials)); /* told wrong */
	}
	c->cert.not_after.s += (int64_t)below(seed, 3);
	if (!c->cert.serial[0])
		return c;
	if (!below(seed, 200))
		change_fill_der(c, 901); /* a bad one, where the serial is taken */
	return c;
}

static void many_at_random(void **state)
{
	(void)state;
	struct bench b;
	uint64_t seed = seed_start("store/instep");
	size_t well = 0;
	bench_begin(&b);
	bool far = b.w->conf.kind == STORE_POSTGRESQL;
	size_t rounds = (far ? 40 : 300) * (getenv("PERENNIAL_TORTURE") ? 20 : 1);
	for (size_t i = 0; i < rounds; i++) {
		struct change *c[MANY];
		size_t n = i % 20 == 19 ? MANY : 2 + below(&seed, 30);
		if (i % 6 == 0)
			world_exec(b.w,
			           "DELETE FROM certs; DELETE FROM lines; DELETE FROM tokens; DELETE FROM revocations;"
			           "DELETE FROM blocked_keys");
		for (size_t k = 0; k < n; k++)
			c[k] = any_change(&b, &seed, n == MANY ? 1500 : 4 + 2 * n);
		well += compare(&b, c, n, true);
	}
	assert_true(well * 2 > rounds); /* else it is the bad ones alone that are tried */
	bench_end(&b);
}

/* --- more than all buffers hold ----------------------------------------------------------------------------------- */

/* Megabytes there while nothing is read, and as many back: neither side may wait for the other. The second time the
 * changes find themselves, by certificates that are read again. */
static void more_than_buffers_hold(void **state)
{
	(void)state;
	struct bench b;
	char serial[24];
	bench_begin(&b);
	for (int twice = 0; twice < 2; twice++) {
		struct change *c[MANY];
		for (size_t i = 0; i < MANY; i++) {
			c[i] = change_issue(NULL, number(serial, "", 1 + i));
			change_fill_der(c[i], 40000);
		}
		assert_true(compare(&b, c, MANY, true));
	}
	bench_end(&b);
}

/* --- what could be kept apart, is not ----------------------------------------------------------------------------- */

static void strangers_go_together(void **state)
{
	(void)state;
	struct bench b;
	struct change *c[MANY];
	static struct result r;
	char token[24], serial[24];
	bench_begin(&b);
	for (size_t i = 0; i < MANY; i++)
		c[i] = i % 2 ? change_issue(number(token, "t", i), number(serial, "", 100 + i))
		             : change_renew(NULL, number(token, "", 1000 + i), number(serial, "", 100 + i));
	in_step(&b, c, MANY, &r);
	assert_int_equal(r.st, ST_OK);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(r.outcome[i], OUTCOME_DONE);
		assert_int_equal(r.round[i], 1);
		change_free(c[i]);
	}
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pair),
		cmocka_unit_test(many_at_random),
		cmocka_unit_test(more_than_buffers_hold),
		cmocka_unit_test(strangers_go_together),
	};
	return cmocka_run_group_tests_name("store/instep", tests, NULL, NULL);
}
