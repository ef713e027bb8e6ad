/* db_pg.c - PostgreSQL. The connection works in pipeline mode: what needs no answer of its own (BEGIN, preparing a
 * statement) is sent along with the statement behind it, so that each costs one journey.
 *
 * A transaction that failed in any way is gone as a whole (no savepoints; batch.c tries again). Of a commit whose
 * answer was lost the next connection asks whether it stands, see settle(). */
#include "store/db_engine.h"

#include "base/buf.h"
#include "base/duration.h"
#include "base/num.h"
#include "store/libpq.h"
#include "store/pgconn.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PARAMS_MAX = 20,
	ANSWER_MS = 15000, /* longer than the server's own bounds below; then it is held for dead */
	OLDEST_SERVER = 130000,
	SCHEMA_LOCK = 0x5052454e, /* "PREN" */
	PRUNE_LOCK = SCHEMA_LOCK + 1,
};

/* Types of PostgreSQL's catalogue (pg_type.dat), which never change. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };

struct statement {
	bool prepared;
	int n;
	Oid types[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX], formats[PARAMS_MAX];
	int64_t integers[PARAMS_MAX];
	PGresult *res;
	int row;
};

struct pg {
	struct db db;
	PGconn *h;
	struct pg_mark *mark;   /* of the writer */
	struct pg_mark *shared; /* of all connections: see there what is atomic */
	int64_t era, silences;  /* when it was made */
	bool broken;
	bool begin;  /* is to be sent along with the next statement */
	bool open;   /* a transaction is */
	bool warned; /* by the server, since the last statement was sent */
	struct statement statements[SQL_COUNT];
};

static const struct db_engine engine;

static struct pg *pg_of(struct db *db)
{
	return (struct pg *)db;
}

/* --- which history ------------------------------------------------------------------------------------------------ */

/* A standby that is promoted begins a timeline of a higher number, so of two servers of one cluster that both take
 * writes, the one with the lower number is an old primary that came back, and lacks what was answered since. An era is
 * both in one number: what tells the cluster above, the timeline in the lower half. A server that tells neither (some
 * are PostgreSQL in name) has era 0 and is not judged. */
#define ERA                                                                                                            \
	"SELECT system_identifier << 32 | ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint"    \
	" FROM pg_control_system()"

static bool is_older(int64_t a, int64_t b)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b;
	return x && y && x >> 32 == y >> 32 && (uint32_t)x < (uint32_t)y;
}

static int64_t known_era(const struct pg *p)
{
	return __atomic_load_n(&p->shared->era, __ATOMIC_RELAXED);
}

/* --- failures ----------------------------------------------------------------------------------------------------- */

/* By the beginning of SQLSTATE (PostgreSQL's manual, appendix A); the first that fits. ST_AGAIN: the same once more may
 * work. broken: the connection is of no more use. */
static const struct {
	const char *state;
	enum status st;
	bool broken;
	const char *text;
} meanings[] = {
	{ "40", ST_AGAIN, false, "another node wanted the same rows" },
	{ "55P03", ST_AGAIN, false, "another node, or program, keeps rows locked" },
	{ "57014", ST_AGAIN, false, "took too long" },
	{ "22012", ST_AGAIN, true, "this writer was given up" }, /* fence, see MARK */
	{ "25006", ST_IO, true, "the server has become a standby" },
	{ "25P03", ST_IO, true, "the server ended an idle transaction" },
	{ "57P", ST_IO, true, "the server stops or restarts" },
	{ "08", ST_IO, true, "the connection was lost" },
	{ "53100", ST_IO, false, "the server's disk is full; free some space there" },
	{ "53", ST_IO, true, "the server has no room" },
	{ "58", ST_IO, true, "the server's system failed" },
	{ "XX", ST_IO, true, "the server failed" },
	{ "42501", ST_IO, false, "the role lacks a right" },
	{ "42", ST_IO, false, "its tables are not what this program expects" },
	{ "23", ST_CONFLICT, false, "a rule of the table is broken" },
	{ "22", ST_INVALID, false, "a value that cannot be stored" },
};

/* One line, without the dot at the end that some have. */
static void one_line(const char *said, char *out, size_t n)
{
	snprintf(out, n, "%s", said ? said : "");
	for (char *p = out; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	for (size_t i = strlen(out); i > 0 && (out[i - 1] == ' ' || out[i - 1] == '.'); i--)
		out[i - 1] = '\0';
}

static enum status pg_lost(struct pg *p, struct error *e)
{
	char said[400];
	p->broken = true;
	one_line(libpq.errorMessage(p->h), said, sizeof(said));
	return error_set(e, ST_IO, "the connection was lost%s%s", said[0] ? ": " : "", said);
}

static enum status pg_fail(struct pg *p, const PGresult *res, struct error *e)
{
	char said[400];
	const char *state = libpq.resultErrorField(res, PG_DIAG_SQLSTATE);
	if (!state || libpq.status(p->h) != CONNECTION_OK)
		return pg_lost(p, e);
	one_line(libpq.resultErrorField(res, PG_DIAG_MESSAGE_PRIMARY), said, sizeof(said));
	for (size_t i = 0; i < COUNT_OF(meanings); i++) {
		if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) != 0)
			continue;
		p->broken |= meanings[i].broken;
		return error_set(e, meanings[i].st, "%s (%s, SQLSTATE %s)", meanings[i].text, said, state);
	}
	return error_set(e, ST_IO, "PostgreSQL: %s (SQLSTATE %s)", said, state);
}

/* A warning at COMMIT is the server saying that it did not wait for its standby. */
static void noticed(void *ctx, const PGresult *res)
{
	const char *severity = libpq.resultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	if (severity && !strcmp(severity, "WARNING"))
		((struct pg *)ctx)->warned = true;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the answer is there, or the server is held for dead. */
static enum status pg_wait(struct pg *p, struct error *e)
{
	int64_t end = now_ms() + ANSWER_MS;
	for (;;) {
		int unsent = libpq.flush(p->h);
		if (unsent < 0)
			return pg_lost(p, e);
		if (!libpq.isBusy(p->h))
			return ST_OK;
		struct pollfd fd = { .fd = libpq.socket(p->h), .events = (short)(POLLIN | (unsent ? POLLOUT : 0)) };
		int64_t left = end - now_ms();
		int n = left > 0 ? poll(&fd, 1, (int)left) : 0;
		if (n == 0) {
			p->broken = true;
			__atomic_add_fetch(&p->shared->silences, 1, __ATOMIC_RELAXED);
			return error_set(e, ST_IO, "no answer within %d s", ANSWER_MS / 1000);
		}
		if ((n < 0 && errno != EINTR) || (n > 0 && !libpq.consumeInput(p->h)))
			return pg_lost(p, e);
	}
}

/* The next result; NULL between two statements, and at the end. */
static enum status pg_result(struct pg *p, PGresult **ret, struct error *e)
{
	if (pg_wait(p, e))
		return e->status;
	*ret = libpq.getResult(p->h);
	return ST_OK;
}

/* Is given each answer that went well, in order, and owns it. */
typedef enum status answer_fn(void *ctx, PGresult *res, struct error *e);

/* Reads what the sent statements gave, always to the sync point unless the connection is lost: what is left unread
 * would be taken for the next one's. The first failure, also fn's, is the one that is told; fn gets none after it. */
static enum status pg_answers(struct pg *p, answer_fn *fn, void *ctx, struct error *e)
{
	enum status st = ST_OK;
	for (bool synced = false; !synced && !p->broken;) {
		PGresult *res = NULL;
		struct error later;
		if (pg_result(p, &res, st ? &later : e)) {
			st = st ? st : e->status;
			break;
		}
		if (!res && libpq.status(p->h) != CONNECTION_OK)
			st = st ? st : pg_lost(p, e);
		if (!res)
			continue;
		ExecStatusType got = libpq.resultStatus(res);
		synced = got == PGRES_PIPELINE_SYNC;
		if (!st && (got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK)) {
			st = fn(ctx, res, e);
			continue;
		}
		/* Aborted is what stands behind the one that failed. */
		if (!synced && got != PGRES_PIPELINE_ABORTED && !st)
			st = pg_fail(p, res, e);
		libpq.clear(res);
	}
	return st ? st : p->broken ? pg_lost(p, e) : ST_OK;
}

struct last {
	PGresult *res;
	int done;
};

static enum status keep_last(void *ctx, PGresult *res, struct error *e)
{
	struct last *l = ctx;
	(void)e;
	libpq.clear(l->res);
	l->res = res;
	l->done++;
	return ST_OK;
}

/* *ret_last: the last one's result, where all went well. ret_done, where not NULL: how many did. */
static enum status pg_collect(struct pg *p, PGresult **ret_last, int *ret_done, struct error *e)
{
	struct last l = { 0 };
	enum status st = pg_answers(p, keep_last, &l, e);
	if (ret_done)
		*ret_done = l.done;
	if (st)
		libpq.clear(l.res);
	else
		*ret_last = l.res;
	return st;
}

static enum status pg_pipeline(struct pg *p, struct error *e)
{
	if (p->broken)
		return error_set(e, ST_IO, "the connection was lost before");
	p->warned = false;
	if (libpq.pipelineStatus(p->h) == PQ_PIPELINE_OFF && !libpq.enterPipelineMode(p->h))
		return pg_lost(p, e);
	return ST_OK;
}

static bool send_plain(struct pg *p, const char *sql, int n, const char *const *values)
{
	return libpq.sendQueryParams(p->h, sql, n, NULL, values, NULL, NULL, 0);
}

/* --- text, for what runs seldom ----------------------------------------------------------------------------------- */

static enum status simple(struct pg *p, const char *sql, PGresult **ret, struct error *e)
{
	PGresult *res = NULL, *last = NULL;
	enum status st = ST_OK;
	if (p->broken)
		return error_set(e, ST_IO, "the connection was lost before");
	if (libpq.pipelineStatus(p->h) != PQ_PIPELINE_OFF && !libpq.exitPipelineMode(p->h))
		return pg_lost(p, e);
	if (!libpq.sendQuery(p->h, sql))
		return pg_lost(p, e);
	for (;;) {
		struct error later;
		if (pg_result(p, &res, st ? &later : e)) {
			libpq.clear(last);
			return e->status;
		}
		if (!res)
			break;
		ExecStatusType got = libpq.resultStatus(res);
		if (got != PGRES_COMMAND_OK && got != PGRES_TUPLES_OK && got != PGRES_EMPTY_QUERY && !st)
			st = pg_fail(p, res, e);
		libpq.clear(last);
		last = res;
	}
	if (!st && ret)
		*ret = TAKE(last);
	libpq.clear(last);
	return st;
}

static enum status pg_begin_now(struct pg *p, struct error *e)
{
	if (!p->begin)
		return ST_OK;
	if (simple(p, "BEGIN", NULL, e))
		return e->status;
	p->begin = false;
	p->open = true;
	return ST_OK;
}

static enum status pg_exec(struct db *db, const char *sql, struct error *e)
{
	struct pg *p = pg_of(db);
	return pg_begin_now(p, e) ? e->status : simple(p, sql, NULL, e);
}

static enum status pg_number(struct db *db, const char *sql, int64_t *ret, struct error *e)
{
	struct pg *p = pg_of(db);
	PGresult *res = NULL;
	if (pg_begin_now(p, e) || simple(p, sql, &res, e))
		return e->status;
	enum status st = libpq.ntuples(res) == 1 && libpq.nfields(res) == 1
	                         ? num_parse(slice_cstr(libpq.getvalue(res, 0, 0)), INT64_MIN, INT64_MAX, ret, e)
	                         : error_set(e, ST_BUG, "no answer to %s", sql);
	libpq.clear(res);
	return st;
}

/* --- transactions ------------------------------------------------------------------------------------------------- */

/* The writer's row tells which of its batches was the last to be committed. `fenced` is what settle() sets: a batch of
 * that number can no longer be, even if its COMMIT is still on its way somewhere; dividing by zero is how a statement
 * ends a transaction. */
#define MARK                                                                                                           \
	"WITH m AS (UPDATE writers SET batch = $2::bigint, seen = extract(epoch FROM now())::bigint"                   \
	" WHERE id = $1::text AND batch < $2::bigint AND fenced < $2::bigint RETURNING 1)"                             \
	" SELECT 1 / count(*) FROM m"
#define SETTLE                                                                                                         \
	"INSERT INTO writers (id, fenced) VALUES ($1::text, $2::bigint)"                                               \
	" ON CONFLICT (id) DO UPDATE SET fenced = excluded.fenced RETURNING batch = $2::bigint"

static enum status pg_begin(struct db *db, struct error *e)
{
	struct pg *p = pg_of(db);
	if (p->broken)
		return error_set(e, ST_IO, "the connection was lost before");
	p->begin = true;
	return ST_OK;
}

static enum status commit(struct pg *p, struct pg_mark *mark, struct error *e)
{
	char batch[24];
	PGresult *res = NULL;
	if (p->begin || !p->open) { /* nothing was said since */
		p->begin = false;
		return ST_OK;
	}
	if (pg_pipeline(p, e))
		return e->status;
	if (mark) {
		snprintf(batch, sizeof(batch), "%lld", (long long)++mark->batch);
		const char *values[] = { mark->writer, batch };
		if (!send_plain(p, MARK, 2, values))
			return pg_lost(p, e);
		mark->unsure = true;
	}
	if (!send_plain(p, "COMMIT", 0, NULL) || !libpq.pipelineSync(p->h))
		return pg_lost(p, e);
	if (pg_collect(p, &res, NULL, e)) {
		if (mark)
			mark->unsure = p->broken;
		return e->status;
	}
	bool committed = !strcmp(libpq.cmdStatus(res), "COMMIT");
	libpq.clear(res);
	p->open = false;
	if (p->warned) {
		p->broken = true;
		return error_set(e, ST_IO, "the server did not wait for its standby");
	}
	if (mark)
		mark->unsure = false;
	return committed ? ST_OK : error_set(e, ST_BUG, "the transaction was undone");
}

static enum status pg_commit(struct db *db, struct error *e)
{
	return commit(pg_of(db), NULL, e);
}

static enum status pg_commit_batch(struct db *db, struct error *e)
{
	return commit(pg_of(db), pg_of(db)->mark, e);
}

static void pg_rollback(struct db *db)
{
	struct pg *p = pg_of(db);
	struct error e;
	bool open = p->open;
	p->begin = p->open = false;
	if (open && !p->broken && simple(p, "ROLLBACK", NULL, &e))
		p->broken = true;
}

static bool pg_sound(struct db *db)
{
	return !pg_of(db)->broken;
}

/* A server that ended the connection has said so, or at least closed it: there is something to read. It speaks unasked
 * for little else, and a new connection is cheap. One that froze, and was replaced by a standby maybe, has said
 * nothing: one wait for it is enough, and not one for each connection. */
static bool pg_alive(struct db *db)
{
	struct pg *p = pg_of(db);
	struct pollfd fd = { .fd = libpq.socket(p->h), .events = POLLIN };
	p->broken |= poll(&fd, 1, 0) != 0 || is_older(p->era, known_era(p)) ||
	             p->silences != __atomic_load_n(&p->shared->silences, __ATOMIC_RELAXED);
	return !p->broken;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

static void pg_start(struct query *q, enum sql id)
{
	struct statement *s = &pg_of(q->db)->statements[id];
	libpq.clear(TAKE(s->res));
	s->n = 0;
	s->row = -1;
	q->s = s;
}

static void pg_done(struct query *q)
{
	struct statement *s = q->s;
	if (s)
		libpq.clear(TAKE(s->res));
	q->s = NULL;
}

/* The place for the next parameter; the last one, and a failure kept, where there is none. */
static int next_param(struct query *q, Oid type, const char *value, size_t n, bool binary)
{
	struct statement *s = q->s;
	if (s->n == PARAMS_MAX || n > INT32_MAX) {
		q->rc = 1;
		return PARAMS_MAX - 1;
	}
	s->types[s->n] = type;
	s->values[s->n] = value;
	s->lengths[s->n] = (int)n;
	s->formats[s->n] = binary;
	return s->n++;
}

static void pg_text(struct query *q, const char *text)
{
	next_param(q, OID_TEXT, text, 0, false);
}

static void pg_int(struct query *q, int64_t v)
{
	struct statement *s = q->s;
	int i = next_param(q, OID_INT8, NULL, sizeof(v), true);
	s->integers[i] = (int64_t)htobe64((uint64_t)v);
	s->values[i] = (const char *)&s->integers[i];
}

static void pg_blob(struct query *q, struct slice b)
{
	next_param(q, OID_BYTEA, b.n ? (const char *)b.p : "", b.n, true);
}

enum { NAME_MAX_BYTES = 16 };

static const char *name_of(enum sql id, char name[NAME_MAX_BYTES])
{
	snprintf(name, NAME_MAX_BYTES, "s%d", (int)id);
	return name;
}

/* The table's ?1 is $1 here. */
static enum status pg_prepare(struct pg *p, struct statement *s, enum sql id, struct error *e)
{
	char text[2048], name[NAME_MAX_BYTES];
	const char *sql = sql_texts[id].pg ? sql_texts[id].pg : sql_texts[id].sqlite;
	if ((size_t)snprintf(text, sizeof(text), "%s", sql) >= sizeof(text))
		return error_set(e, ST_BUG, "statement %d is too long", (int)id);
	for (char *c = text; (c = strchr(c, '?'));)
		*c = '$';
	return libpq.sendPrepare(p->h, name_of(id, name), text, s->n, s->types) ? ST_OK : pg_lost(p, e);
}

/* What has to be sent before a bound statement: *ret_n pieces. */
static enum status pg_ahead(struct pg *p, struct statement *s, enum sql id, int *ret_n, struct error *e)
{
	*ret_n = 0;
	if (pg_pipeline(p, e))
		return e->status;
	if (p->begin) {
		if (!send_plain(p, "BEGIN", 0, NULL))
			return pg_lost(p, e);
		p->begin = false;
		p->open = true;
		++*ret_n;
	}
	if (!s->prepared) {
		if (pg_prepare(p, s, id, e))
			return e->status;
		++*ret_n;
	}
	return ST_OK;
}

static enum status pg_send(struct pg *p, struct statement *s, enum sql id, struct error *e)
{
	char name[NAME_MAX_BYTES];
	return libpq.sendQueryPrepared(p->h, name_of(id, name), s->n, s->values, s->lengths, s->formats, 1)
	               ? ST_OK
	               : pg_lost(p, e);
}

static enum status pg_run(struct pg *p, struct statement *s, enum sql id, struct error *e)
{
	int before, done;
	if (pg_ahead(p, s, id, &before, e) || pg_send(p, s, id, e))
		return e->status;
	if (!libpq.pipelineSync(p->h))
		return pg_lost(p, e);
	enum status st = pg_collect(p, &s->res, &done, e);
	s->prepared |= done >= before;
	return st;
}

static enum status too_much(struct error *e)
{
	return error_set(e, ST_INVALID, "a statement with too much in it");
}

static enum status pg_row(struct query *q, bool *ret_row, struct error *e)
{
	struct pg *p = pg_of(q->db);
	struct statement *s = q->s;
	if (q->rc)
		return too_much(e);
	if (s->row < 0 && pg_run(p, s, (enum sql)(s - p->statements), e))
		return e->status;
	*ret_row = ++s->row < libpq.ntuples(s->res);
	return ST_OK;
}

static int64_t pg_changes(struct query *q)
{
	struct statement *s = q->s;
	struct error e;
	int64_t n = 0;
	st_ignore(num_parse(slice_cstr(libpq.cmdTuples(s->res)), 0, INT64_MAX, &n, &e),
	          "\"\" where it changes nothing");
	return n;
}

/* Binary: smallint, integer and bigint, and one byte of truth. NULL is 0. */
static int64_t pg_get_int(struct query *q, int column)
{
	struct statement *s = q->s;
	const uint8_t *v = (const uint8_t *)libpq.getvalue(s->res, s->row, column);
	int n = libpq.getlength(s->res, s->row, column);
	uint64_t bits = n > 1 && v[0] & 0x80 ? UINT64_MAX : 0;
	for (int i = 0; i < n && i < 8; i++)
		bits = bits << 8 | v[i];
	return (int64_t)bits;
}

static const char *pg_get_text(struct query *q, int column)
{
	struct statement *s = q->s;
	return libpq.getvalue(s->res, s->row, column); /* "" for NULL */
}

static struct slice pg_get_blob(struct query *q, int column)
{
	struct statement *s = q->s;
	return slice_of(libpq.getvalue(s->res, s->row, column), (size_t)libpq.getlength(s->res, s->row, column));
}

struct asked {
	const struct db_ask *ask;
	void *const *items;
	struct query q;
	int before, done;
	bool unwanted;
};

static enum status take_next(void *ctx, PGresult *res, struct error *e)
{
	struct asked *a = ctx;
	struct statement *s = a->q.s;
	enum status st = ST_OK;
	s->res = res;
	s->row = 0;
	if (a->done++ >= a->before && !a->unwanted)
		st = a->ask->take(&a->q, libpq.ntuples(res) > 0, a->items[a->done - 1 - a->before], e);
	libpq.clear(TAKE(s->res));
	return st;
}

/* Sends all. The connection does not block: what the socket does not take stays with libpq, and pg_wait reads and
 * writes at the same time, so the server never waits for us while we wait for it. */
static enum status pg_ask(struct pg *p, struct asked *a, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		struct statement *s = a->q.s;
		pg_start(&a->q, a->ask->id);
		a->ask->bind(&a->q, a->items[i]);
		if (a->q.rc)
			return too_much(e);
		if ((i == 0 && pg_ahead(p, s, a->ask->id, &a->before, e)) || pg_send(p, s, a->ask->id, e))
			return e->status;
		if (a->ask->waits && i + 1 < n && !libpq.sendFlushRequest(p->h))
			return pg_lost(p, e);
	}
	return ST_OK;
}

static enum status pg_each(struct db *db, const struct db_ask *ask, void *const *items, size_t n, struct error *e)
{
	struct pg *p = pg_of(db);
	struct statement *s = &p->statements[ask->id];
	struct asked a = { .ask = ask, .items = items, .q = { .db = db, .s = s } };
	if (!n)
		return ST_OK;
	if (pg_pipeline(p, e))
		return e->status;
	enum status st = pg_ask(p, &a, n, e);
	struct error later;
	if (p->broken)
		return st;
	if (!libpq.pipelineSync(p->h))
		return pg_lost(p, e);
	a.unwanted = st; /* but read all the same */
	enum status answered = pg_answers(p, take_next, &a, st ? &later : e);
	s->prepared |= a.done >= a.before;
	return st ? st : answered;
}

/* Two who name the same thing, which has no row to be locked, come one after the other. */
static enum status pg_hold(struct db *db, const char *name, struct error *e)
{
	bool row;
	AUTO(query_done) struct query q = query_of(db, SQL_HOLD);
	query_text(&q, name);
	return query_row(&q, &row, e);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void pg_free(struct db *db)
{
	struct pg *p = pg_of(db);
	for (size_t i = 0; i < COUNT_OF(p->statements); i++)
		if (p->statements[i].res)
			libpq.clear(p->statements[i].res);
	if (p->h)
		libpq.finish(p->h);
	free(p);
}

/* Is it what dataSource says that is wrong, so that waiting is no help? libpq has no codes for this. */
static bool refused(const struct pgconn *c, const char *said)
{
	static const char *const passing[] = { "read-only", "too many", "starting up", "shutting down" };
	for (size_t i = 0; i < COUNT_OF(passing); i++)
		if (strstr(said, passing[i]))
			return false;
	if (strstr(said, "SSL error") || strstr(said, "certificate"))
		return true;
	PGPing ping = libpq.pingParams(c->keys, c->values, 0);
	return ping == PQPING_OK || ping == PQPING_NO_ATTEMPT;
}

/* One server, into p. ST_IO: it is not to be had, or not to be used. */
static enum status connect_one(struct pg *p, const struct pgconn_one *one, struct error *e)
{
	char said[400];
	p->broken = false;
	p->era = 0;
	p->h = libpq.connectdbParams(one->keys, one->values, 0);
	if (!p->h)
		return error_nomem(e);
	if (libpq.status(p->h) != CONNECTION_OK || libpq.setnonblocking(p->h, 1)) {
		one_line(libpq.errorMessage(p->h), said, sizeof(said));
		return error_set(e, ST_IO, "%s", said);
	}
	libpq.setNoticeReceiver(p->h, noticed, p);
	if (pg_number(&p->db, ERA, &p->era, e) && p->broken)
		return e->status;
	if (!is_older(p->era, known_era(p)))
		return ST_OK;
	return error_set(
		e, ST_IO,
		"%s: an old primary that takes writes again (timeline %u, and %u was in use): it lacks what was "
		"answered since; stop it, or, if it is what you want, restart step-ca",
		one->shown, (unsigned)(uint32_t)p->era, (unsigned)(uint32_t)known_era(p));
}

/* What each server said that is not to be used. */
struct refusals {
	char text[600];
};

static void refusal_add(struct refusals *r, const struct error *e)
{
	size_t n = strlen(r->text);
	snprintf(r->text + n, sizeof(r->text) - n, "%s%s", n ? "; " : "", e->text);
}

/* Of the servers that are named, the first that may be used; all: the one that is furthest on. ST_OK with p->h NULL:
 * there is none. ST_NOMEM */
static enum status find_server(struct pg *p, const struct pgconn *c, bool all, struct refusals *no, struct error *e)
{
	PGconn *best = NULL;
	int64_t era = 0;
	enum status st = ST_OK;
	for (size_t i = 0; i < pgconn_hosts(c) && st != ST_NOMEM && (all || !best); i++) {
		struct pgconn_one one;
		pgconn_one(c, i, &one);
		st = connect_one(p, &one, e);
		bool better = !st && (!best || is_older(era, p->era));
		PGconn *other = better ? best : p->h;
		if (better) {
			best = p->h;
			era = p->era;
		}
		if (other)
			libpq.finish(other);
		if (st)
			refusal_add(no, e);
	}
	p->h = best;
	p->era = era;
	p->broken = !best;
	return st == ST_NOMEM ? st : ST_OK;
}

/* first: of this process */
static enum status pg_connect(struct pg *p, const struct pgconn *c, bool writer, bool first, struct error *e)
{
	struct refusals no = { "" };
	if (find_server(p, c, writer || !known_era(p), &no, e))
		return e->status;
	return p->h ? ST_OK : error_set(e, first && refused(c, no.text) ? ST_DENIED : ST_IO, "%s", no.text);
}

/* The session's rules, whatever the role's or the database's are: what was answered is on disk (and at the standby,
 * where the server has a synchronous one), and nothing hangs for ever. */
static const char session[] =
	"SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply'"
	" THEN 'remote_apply' ELSE 'on' END, false);"
	"SET search_path = perennial, pg_temp;"
	"SET statement_timeout = '10s';"
	"SET lock_timeout = '4s';"
	"SET idle_in_transaction_session_timeout = '10s';"
	"SET client_min_messages = warning;"
	"SET client_encoding = 'UTF8';"
	"SET default_transaction_isolation = 'read committed';"
	"SET default_transaction_read_only = off;"
	"SET jit = off;";

static enum status check_server(struct pg *p, struct error *e)
{
	int64_t version, bad;
	if (pg_number(&p->db, "SELECT current_setting('server_version_num')::int", &version, e))
		return e->status;
	if (version < OLDEST_SERVER)
		return error_set(e, ST_INVALID, "PostgreSQL %d is too old; 13 or newer is needed",
		                 (int)(version / 10000));
	if (pg_number(&p->db, "SELECT (current_setting('fsync') = 'off')::int", &bad, e))
		return e->status;
	if (bad)
		return error_set(e, ST_INVALID,
		                 "the server runs with fsync off, so that a power cut loses what was answered; "
		                 "set fsync = on in its postgresql.conf");
	if (pg_number(&p->db, "SELECT (current_setting('server_encoding') <> 'UTF8')::int", &bad, e))
		return e->status;
	return bad ? error_set(e, ST_INVALID, "its encoding is not UTF8; create it with --encoding=UTF8") : ST_OK;
}

/* After a commit whose answer did not come. Waits for the row where the old transaction still holds it, and has it
 * written, so that a standby that the old commit did not wait for has both. A row that is not there was forgotten, or a
 * standby that was behind took over; then the batch is not there either, and the row is made anew. */
static enum status settle(struct pg *p, struct error *e)
{
	char batch[24];
	PGresult *res = NULL;
	snprintf(batch, sizeof(batch), "%lld", (long long)p->mark->batch);
	const char *values[] = { p->mark->writer, batch };
	if (pg_pipeline(p, e))
		return e->status;
	if (!send_plain(p, SETTLE, 2, values) || !libpq.pipelineSync(p->h))
		return pg_lost(p, e);
	if (pg_collect(p, &res, NULL, e))
		return e->status;
	p->mark->stands = libpq.ntuples(res) == 1 && libpq.getvalue(res, 0, 0)[0] == 't';
	p->mark->unsure = false;
	libpq.clear(res);
	if (!p->warned)
		return ST_OK;
	p->mark->unsure = p->broken = true;
	return error_set(e, ST_IO, "the server did not wait for its standby");
}

/* The writer's row, before its first batch. */
static enum status enlist(struct pg *p, struct error *e)
{
	char sql[160];
	PGresult *res = NULL;
	snprintf(sql, sizeof(sql), "INSERT INTO writers (id) VALUES ('%s') ON CONFLICT DO NOTHING", p->mark->writer);
	if (p->mark->writer[0]) /* but it may have been forgotten meanwhile */
		return simple(p, sql, NULL, e);
	if (simple(p, "INSERT INTO writers (id) VALUES (gen_random_uuid()::text) RETURNING id", &res, e))
		return e->status;
	snprintf(p->mark->writer, sizeof(p->mark->writer), "%s", libpq.getvalue(res, 0, 0));
	libpq.clear(res);
	return ST_OK;
}

/* The writer only, once the tables are there. */
static enum status pg_set_durable(struct db *db, struct error *e)
{
	struct pg *p = pg_of(db);
	if (!p->mark)
		return ST_OK;
	if (p->mark->unsure)
		return settle(p, e);
	return enlist(p, e);
}

static enum status pg_tidy(struct db *db, enum db_tidy how, struct error *e)
{
	(void)db;
	(void)how;
	(void)e;
	return ST_OK;
}

enum status db_pg_new(const struct db_where *where, enum db_role role, struct db **ret, struct error *e)
{
	struct pg *p = calloc(1, sizeof(*p));
	if (!p)
		return error_nomem(e);
	p->db.engine = &engine;
	AUTO(db_free_p) struct db *db = &p->db;
	bool first = role == DB_WRITER && !where->mark->writer[0];
	p->shared = where->mark;
	p->silences = __atomic_load_n(&p->shared->silences, __ATOMIC_RELAXED);
	if (pg_connect(p, where->pg, role == DB_WRITER, first, e) || simple(p, session, NULL, e) || check_server(p, e))
		return e->status;
	if (role == DB_READER && simple(p, "SET default_transaction_read_only = on", NULL, e))
		return e->status;
	p->mark = role == DB_WRITER ? where->mark : NULL;
	if (p->mark && p->era)
		__atomic_store_n(&p->mark->era, p->era, __ATOMIC_RELAXED);
	*ret = TAKE(db);
	return ST_OK;
}

/* --- schema ------------------------------------------------------------------------------------------------------- */

/* In a schema of its own, beside what else is in the database. Its version stands in a table. */
static enum status pg_schema_version(struct db *db, int64_t *ret, struct error *e)
{
	/* Not by to_regclass(), which may answer from before the lock was waited for. */
	static const char count[] = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
				    " WHERE n.nspname = 'perennial'";
	static const char is_known[] = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
				       " WHERE n.nspname = 'perennial' AND c.relname = 'version'";
	int64_t tables, known;
	if (db_number(db, count, &tables, e) || db_number(db, is_known, &known, e))
		return e->status;
	*ret = 0;
	if (!tables)
		return ST_OK;
	if (!known)
		return error_set(e, ST_INVALID,
		                 "its schema \"perennial\" belongs to another program; "
		                 "give the CA a database of its own");
	return db_number(db, "SELECT steps FROM perennial.version", ret, e);
}

static enum status pg_schema_lock(struct db *db, struct error *e)
{
	char sql[96];
	int64_t there;
	snprintf(sql, sizeof(sql), "SELECT pg_advisory_xact_lock(%d)", SCHEMA_LOCK);
	if (db_exec(db, "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '60s'", e) ||
	    db_exec(db, sql, e) ||
	    db_number(db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'perennial'", &there, e))
		return e->status;
	if (!there && db_exec(db, "CREATE SCHEMA perennial", e))
		return error_wrap(e, "create the schema perennial (GRANT CREATE ON DATABASE, or have it made: CREATE "
		                     "SCHEMA perennial AUTHORIZATION the role)");
	return ST_OK;
}

static enum status pg_schema_set(struct db *db, int64_t version, struct error *e)
{
	char sql[640];
	snprintf(sql, sizeof(sql),
	         "CREATE TABLE IF NOT EXISTS version (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), steps BIGINT "
	         "NOT "
	         "NULL);"
	         "CREATE TABLE IF NOT EXISTS writers (id TEXT COLLATE \"C\" PRIMARY KEY, batch BIGINT NOT NULL DEFAULT "
	         "0,"
	         " fenced BIGINT NOT NULL DEFAULT 0, seen BIGINT NOT NULL DEFAULT extract(epoch FROM now())::bigint)"
	         " WITH (fillfactor = 50);"
	         "INSERT INTO version (steps) VALUES (%lld) ON CONFLICT (one) DO UPDATE SET steps = excluded.steps",
	         (long long)version);
	return db_exec(db, sql, e);
}

/* Of all nodes, one prunes at a time. */
static enum status pg_prune_lock(struct db *db, bool *ret_mine, struct error *e)
{
	char sql[96];
	int64_t mine;
	snprintf(sql, sizeof(sql), "SELECT pg_try_advisory_xact_lock(%d)::int", PRUNE_LOCK);
	if (db_number(db, sql, &mine, e))
		return e->status;
	*ret_mine = mine;
	return mine ? db_exec(db, "DELETE FROM writers WHERE seen < extract(epoch FROM now()) - 30 * 86400", e) : ST_OK;
}

static const struct db_engine engine = {
	.kind = DB_POSTGRESQL,
	.savepoints = false,
	.free = pg_free,
	.exec = pg_exec,
	.number = pg_number,
	.begin = pg_begin,
	.commit = pg_commit,
	.commit_batch = pg_commit_batch,
	.rollback = pg_rollback,
	.sound = pg_sound,
	.alive = pg_alive,
	.hold = pg_hold,
	.set_durable = pg_set_durable,
	.tidy = pg_tidy,
	.schema_lock = pg_schema_lock,
	.schema_version = pg_schema_version,
	.schema_set = pg_schema_set,
	.prune_lock = pg_prune_lock,
	.start = pg_start,
	.done = pg_done,
	.bind_text = pg_text,
	.bind_int = pg_int,
	.bind_blob = pg_blob,
	.row = pg_row,
	.changes = pg_changes,
	.get_int = pg_get_int,
	.get_text = pg_get_text,
	.get_blob = pg_get_blob,
	.each = pg_each,
};
