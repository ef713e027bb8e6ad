#include "fixture.h"

#include "base/buf.h"
#include "base/num.h"
#include "store/libpq.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct wall world_wall(void *ctx)
{
	return (struct wall){ __atomic_load_n(&((struct world *)ctx)->wall_s, __ATOMIC_SEQ_CST) };
}

static struct mono world_mono(void *ctx)
{
	return (struct mono){ __atomic_load_n(&((struct world *)ctx)->mono_ns, __ATOMIC_SEQ_CST) };
}

/* --- PostgreSQL --------------------------------------------------------------------------------------------------- */

static PGconn *pg_outside(const char *where)
{
	static const char *const keys[] = { "dbname", "options", NULL };
	const char *const values[] = { where, "-c search_path=perennial,public -c client_min_messages=error", NULL };
	struct error e = ERROR_INIT;
	if (libpq_load(&e))
		fail_msg("%s", e.text);
	PGconn *h = libpq.connectdbParams(keys, values, 1);
	if (libpq.status(h) != CONNECTION_OK)
		fail_msg("%s: %s", where, libpq.errorMessage(h));
	return h;
}

/* SQLite's way to write bytes is that of PostgreSQL for bits. */
static char *pg_words(const char *sql)
{
	struct buf b = BUF_INIT(1 << 20);
	while (*sql) {
		size_t hex = sql[0] == 'x' && sql[1] == '\'' ? strspn(sql + 2, "0123456789ABCDEF") : 0;
		if (hex && sql[2 + hex] == '\'') {
			buf_addf(&b, "'\\x%.*s'::bytea", (int)hex, sql + 2);
			sql += hex + 3;
		} else if (!strncmp(sql, "AS BLOB", 7)) {
			buf_addf(&b, "AS BYTEA");
			sql += 7;
		} else {
			buf_addf(&b, "%c", *sql++);
		}
	}
	return buf_take(&b);
}

static void pg_text_of(const char *where, const char *sql, char *out, size_t n)
{
	PGconn *h = pg_outside(where);
	char *words = pg_words(sql);
	PGresult *res = NULL;
	if (!libpq.sendQuery(h, words))
		fail_msg("%s: %s", words, libpq.errorMessage(h));
	for (PGresult *next; (next = libpq.getResult(h)); res = next) {
		ExecStatusType st = libpq.resultStatus(next);
		if (st != PGRES_TUPLES_OK && st != PGRES_COMMAND_OK)
			fail_msg("%s: %s", words, libpq.errorMessage(h));
		libpq.clear(res);
	}
	bool row = libpq.ntuples(res) > 0;
	snprintf(out, n, "%s", !row ? "" : libpq.getisnull(res, 0, 0) ? "-" : libpq.getvalue(res, 0, 0));
	libpq.clear(res);
	libpq.finish(h);
	free(words);
}

static const char *pg_place(void)
{
	return getenv("PERENNIAL_PG");
}

void sqlite_only(void)
{
	if (pg_place())
		skip();
}

/* --- worlds ------------------------------------------------------------------------------------------------------- */

struct world *world_begin(enum store_kind kind)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	const char *tmp = getenv("TMPDIR");
	snprintf(w->dir, sizeof(w->dir), "%s/perennial-store-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->folder, sizeof(w->folder), "%s/db", w->dir);
	snprintf(w->database, sizeof(w->database), "%s/perennial.db", w->folder);
	w->clock = (struct clock){ world_wall, world_mono, w };
	w->wall_s = NOW_S;
	w->conf = (struct store_conf){
		.kind = kind,
		.folder = w->folder,
		.clock = &w->clock,
		.keep_expired_s = -1,
		.renewable_after_expiry_s = -1,
	};
	if (kind == STORE_SQLITE && pg_place()) {
		char none[8];
		w->conf.kind = STORE_POSTGRESQL;
		w->conf.source = pg_place();
		pg_text_of(pg_place(),
		           "DROP SCHEMA IF EXISTS perennial CASCADE;"
		           "CREATE OR REPLACE FUNCTION public.comma(text, text) RETURNS text LANGUAGE sql AS"
		           " $$ SELECT concat_ws(',', $1, $2) $$;"
		           "CREATE OR REPLACE FUNCTION public.hex(bytea) RETURNS text LANGUAGE sql AS"
		           " $$ SELECT upper(encode($1, 'hex')) $$;"
		           "CREATE OR REPLACE AGGREGATE public.group_concat(text)"
		           " (SFUNC = public.comma, STYPE = text)",
		           none, sizeof(none));
	}
	return w;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void world_end(struct world *w)
{
	world_close(w);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
}

void world_open(struct world *w)
{
	struct error e = ERROR_INIT;
	if (store_open(&w->conf, &w->store, &e))
		fail_msg("store_open: %s", e.text);
}

void world_close(struct world *w)
{
	store_close(TAKE(w->store));
}

static sqlite3 *outside(struct world *w)
{
	sqlite3 *h = NULL;
	assert_int_equal(sqlite3_open_v2(w->database, &h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(h, 5000);
	return h;
}

void world_exec(struct world *w, const char *sql)
{
	char none[8];
	if (w->conf.kind == STORE_POSTGRESQL) {
		pg_text_of(w->conf.source, sql, none, sizeof(none));
		return;
	}
	sqlite3 *h = outside(w);
	if (sqlite3_exec(h, sql, NULL, NULL, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(h));
	sqlite3_close(h);
}

void world_text(struct world *w, const char *sql, char *out, size_t n)
{
	if (w->conf.kind == STORE_POSTGRESQL) {
		pg_text_of(w->conf.source, sql, out, n);
		return;
	}
	sqlite3 *h = outside(w);
	sqlite3_stmt *s = NULL;
	if (sqlite3_prepare_v2(h, sql, -1, &s, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(h));
	int rc = sqlite3_step(s);
	const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : "";
	snprintf(out, n, "%s", text ? text : "-");
	sqlite3_finalize(s);
	sqlite3_close(h);
}

int64_t world_number(struct world *w, const char *sql)
{
	char text[64];
	struct error e = ERROR_INIT;
	int64_t n = 0;
	world_text(w, sql, text, sizeof(text));
	if (num_parse(slice_cstr(text), INT64_MIN, INT64_MAX, &n, &e))
		fail_msg("%s: \"%s\" is no number", sql, text);
	return n;
}

void world_check(struct world *w)
{
	char text[256];
	if (w->conf.kind == STORE_POSTGRESQL)
		return;
	world_text(w, "PRAGMA integrity_check", text, sizeof(text));
	assert_string_equal(text, "ok");
}

static char *copy(const char *s)
{
	char *p = text_dup(slice_cstr(s));
	assert_non_null(p);
	return p;
}

static struct change *change_of(enum change_kind kind, const char *token)
{
	struct change *c = change_new(kind);
	assert_non_null(c);
	if (token)
		c->token_id = copy(token);
	c->token_exp.s = NOW_S + 300;
	c->at.s = NOW_S;
	return c;
}

void change_fill_der(struct change *c, size_t n)
{
	buf_done(&c->cert.der);
	c->cert.der = BUF_INIT(1 << 20);
	while (c->cert.der.n < n)
		buf_addf(&c->cert.der, "%s.", c->cert.serial);
	c->cert.der.n = n;
}

struct change *change_issue(const char *token, const char *serial)
{
	struct change *c = change_of(CHANGE_ISSUE, token);
	struct cert_row *r = &c->cert;
	snprintf(r->serial, sizeof(r->serial), "%s", serial);
	snprintf(r->line, sizeof(r->line), "%s", serial);
	r->subject = copy("host.example");
	r->sans = copy("host.example\n10.0.0.1");
	r->provisioner_id = copy("admin:KID");
	r->provisioner_name = copy("admin");
	r->provisioner_type = 1;
	memset(r->key_fingerprint, 'K', sizeof(r->key_fingerprint));
	r->not_before.s = NOW_S - 60;
	r->not_after.s = NOW_S + 3600;
	r->granted_s = 3660;
	r->created.s = NOW_S;
	change_fill_der(c, 900);
	return c;
}

struct change *change_renew(const char *token, const char *parent, const char *serial)
{
	struct change *c = change_issue(token, serial);
	c->kind = CHANGE_RENEW;
	snprintf(c->cert.parent, sizeof(c->cert.parent), "%s", parent ? parent : "");
	snprintf(c->cert.line, sizeof(c->cert.line), "%s", parent ? parent : "");
	memset(c->parent_key, 'K', sizeof(c->parent_key));
	c->cert.generation = 1;
	return c;
}

struct change *change_revoke(const char *token, const char *serial)
{
	struct change *c = change_of(CHANGE_REVOKE, token);
	snprintf(c->serial, sizeof(c->serial), "%s", serial);
	c->reason_code = 4;
	c->reason = copy("superseded");
	c->provisioner_id = copy("admin:KID");
	c->mtls = !token;
	return c;
}

struct change *change_burn(const char *token)
{
	return change_of(CHANGE_BURN, token);
}

enum outcome world_apply(struct world *w, struct change *c)
{
	enum outcome o = OUTCOME_COUNT;
	struct error e = ERROR_INIT;
	if (store_apply(w->store, c, &o, &e))
		fail_msg("store_apply: %s", e.text);
	return o;
}

static void gate_keeper(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	struct gate *g = ctx;
	(void)st;
	(void)o;
	(void)e;
	sem_post(&g->entered);
	sem_wait(&g->open);
}

void gate_shut(struct gate *g, struct world *w)
{
	sem_init(&g->entered, 0, 0);
	sem_init(&g->open, 0, 0);
	store_submit(w->store, change_burn("gate"), gate_keeper, g);
	sem_wait(&g->entered);
}

void gate_open(struct gate *g)
{
	sem_post(&g->open);
}

uint64_t seed_start(const char *what)
{
	const char *given = getenv("PERENNIAL_SEED");
	struct error e;
	int64_t seed;
	if (!given || num_parse(slice_cstr(given), 1, INT64_MAX, &seed, &e))
		seed = (int64_t)time(NULL) * 1000003 + getpid();
	print_message("# %s: PERENNIAL_SEED=%lld\n", what, (long long)seed);
	return (uint64_t)seed;
}

/* splitmix64 */
uint64_t seed_next(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
