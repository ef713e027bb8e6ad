/* Several nodes on one PostgreSQL: stores in one process, each with connections of its own, as in several processes.
 * tests/lib/with-pg starts the server. */
#include "fixture.h"

#include "base/macros.h"
#include "store/gauges.h"
#include "store/libpq.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { NODES = 3, TRIES = 4 };

static struct store *node_open(struct world *w, const char *source)
{
	struct error e = ERROR_INIT;
	struct store *s = NULL;
	struct store_conf conf = w->conf;
	conf.source = source ? source : conf.source;
	if (store_open(&conf, &s, &e))
		fail_msg("store_open: %s", e.text);
	return s;
}

static enum outcome node_apply(struct store *s, struct change *c)
{
	enum outcome o = OUTCOME_COUNT;
	struct error e = ERROR_INIT;
	if (store_apply(s, c, &o, &e)) { /* in any thread, so not by cmocka's long jump */
		fprintf(stderr, "store_apply: %s: %s\n", status_name(e.status), e.text);
		exit(1);
	}
	return o;
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

struct starter {
	struct world *w;
	struct store *s;
	enum status st;
	struct error e;
};

static void *start(void *ctx)
{
	struct starter *n = ctx;
	n->st = store_open(&n->w->conf, &n->s, &n->e);
	return NULL;
}

/* The tables are made once, whoever comes first, and all tell the same beginning. */
static void nodes_start_at_once(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct starter n[6];
	pthread_t t[COUNT_OF(n)];
	for (size_t i = 0; i < COUNT_OF(n); i++) {
		n[i] = (struct starter){ .w = w };
		pthread_create(&t[i], NULL, start, &n[i]);
	}
	for (size_t i = 0; i < COUNT_OF(n); i++) {
		pthread_join(t[i], NULL);
		if (n[i].st)
			fail_msg("node %zu: %s", i, n[i].e.text);
	}
	w->wall_s += 1000;
	world_open(w); /* a late one */
	for (size_t i = 0; i < COUNT_OF(n); i++) {
		assert_int_equal(store_created(n[i].s).s, NOW_S);
		store_close(n[i].s);
	}
	assert_int_equal(store_created(w->store).s, NOW_S);
	assert_int_equal(world_number(w, "SELECT count(*) FROM meta"), 1);
	world_end(w);
}

/* --- races -------------------------------------------------------------------------------------------------------- */

struct runner {
	struct store *s;
	void (*run)(struct runner *r);
	int me, round, pause_us;
	pthread_barrier_t *go;
	size_t done, refused;
	enum outcome last;
};

static void *run(void *ctx)
{
	struct runner *r = ctx;
	pthread_barrier_wait(r->go);
	r->run(r);
	return NULL;
}

/* Runs n of them at once. */
static void at_once(struct runner *r, size_t n)
{
	pthread_t t[16];
	pthread_barrier_t go;
	pthread_barrier_init(&go, NULL, (unsigned)n);
	for (size_t i = 0; i < n; i++) {
		r[i].go = &go;
		pthread_create(&t[i], NULL, run, &r[i]);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&go);
}

enum { TOKENS = 40 };

/* All tokens at every node, in an order of its own. */
static void use_tokens(struct runner *r)
{
	for (int i = 0; i < TOKENS; i++) {
		char token[32], serial[32];
		int k = r->me % 2 ? TOKENS - 1 - i : i;
		snprintf(token, sizeof token, "token-%d", k);
		snprintf(serial, sizeof serial, "%d%03d", 1 + r->me, k);
		enum outcome o = node_apply(r->s, change_issue(token, serial));
		r->done += o == OUTCOME_DONE;
		r->refused += o == OUTCOME_TOKEN_USED;
	}
}

static void a_token_gives_one_certificate(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct runner r[NODES * TRIES];
	struct store *nodes[NODES];
	size_t done = 0, refused = 0;
	for (int i = 0; i < NODES; i++)
		nodes[i] = node_open(w, NULL);
	for (size_t i = 0; i < COUNT_OF(r); i++)
		r[i] = (struct runner){ .s = nodes[i % NODES], .run = use_tokens, .me = (int)i };
	at_once(r, COUNT_OF(r));
	for (size_t i = 0; i < COUNT_OF(r); i++) {
		done += r[i].done;
		refused += r[i].refused;
	}
	for (int i = 0; i < NODES; i++)
		store_close(nodes[i]);
	assert_int_equal(done, TOKENS);
	assert_int_equal(done + refused, COUNT_OF(r) * TOKENS);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), TOKENS);
	assert_int_equal(world_number(w, "SELECT count(*) FROM tokens t JOIN certs c ON c.serial = t.serial"), TOKENS);
	world_end(w);
}

/* Renews along the line until it is refused. */
static void renew_on(struct runner *r)
{
	char parent[32], serial[32];
	snprintf(parent, sizeof parent, "%d", 1000 + r->round);
	for (int i = 0; i < 400; i++) {
		snprintf(serial, sizeof serial, "%d%02d%04d", 1 + r->round, 10 + r->me, i);
		struct change *c = change_renew(NULL, parent, serial);
		memset(c->parent_key, 'K', sizeof c->parent_key);
		enum outcome o = node_apply(r->s, c);
		if (!outcome_granted(o)) {
			r->refused++;
			r->last = o;
			return;
		}
		r->done++;
		snprintf(parent, sizeof parent, "%s", serial);
	}
}

static void end_line(struct runner *r)
{
	char serial[32];
	snprintf(serial, sizeof serial, "%d", 1000 + r->round);
	usleep((useconds_t)(r->pause_us)); /* somewhere into it */
	struct change *c = change_revoke(NULL, serial);
	c->kind = CHANGE_REVOKE_LINE;
	c->scope = r->round % 2 ? SCOPE_DESCENDANTS : SCOPE_LINEAGE;
	c->mtls = false;
	r->last = node_apply(r->s, c);
}

/* Whatever was issued from a line before it ended, is revoked; and nothing is issued after. known: the first
 * certificate is ours; else it was imported, and there is no row that could be locked. */
static void end_against_renewal(bool known, int rounds)
{
	struct world *w = world_begin(STORE_SQLITE);
	struct store *nodes[NODES];
	for (int i = 0; i < NODES; i++)
		nodes[i] = node_open(w, NULL);
	for (int round = 0; round < rounds; round++) {
		struct runner r[NODES * 2];
		char serial[32];
		snprintf(serial, sizeof serial, "%d", 1000 + round);
		if (known)
			node_apply(nodes[0], change_issue(NULL, serial));
		for (size_t i = 0; i < COUNT_OF(r); i++)
			r[i] = (struct runner){ .s = nodes[i % NODES],
				                .run = i ? renew_on : end_line,
				                .me = (int)i,
				                .round = round,
				                .pause_us = round * (known ? 1700 : 170) % (known ? 20000 : 2000) };
		at_once(r, COUNT_OF(r));
		assert_int_equal(r[0].last, OUTCOME_DONE);
		for (size_t i = 1; i < COUNT_OF(r); i++)
			if (!r[i].refused)
				fail_msg("round %d, runner %zu: renewed %zu times and never refused", round, i,
				         r[i].done);
	}
	for (int i = 0; i < NODES; i++)
		store_close(nodes[i]);
	int64_t alive = world_number(w, "SELECT count(*) FROM certs c WHERE NOT EXISTS"
	                                " (SELECT 1 FROM revocations r WHERE r.serial = c.serial)");
	assert_int_equal(alive, 0);
	assert_true(world_number(w, "SELECT count(*) FROM certs") > 0);
	world_end(w);
}

static int rounds_of(int sample)
{
	return getenv("PERENNIAL_TORTURE") ? 40 * sample : sample;
}

static void no_open_child_of_an_ended_line(void **state)
{
	(void)state;
	end_against_renewal(true, rounds_of(12));
}

static void no_open_child_of_an_ended_import(void **state)
{
	(void)state;
	end_against_renewal(false, rounds_of(100));
}

/* --- the same things at once --------------------------------------------------------------------------------------- */

enum { LINES = 24, BURSTS = 5 };

struct burst {
	pthread_mutex_t lock;
	pthread_cond_t all;
	int left, failed;
};

static void burst_note(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	struct burst *b = ctx;
	(void)o;
	if (st)
		fprintf(stderr, "# %s\n", e->text);
	pthread_mutex_lock(&b->lock);
	b->failed += st != ST_OK;
	if (--b->left == 0)
		pthread_cond_signal(&b->all);
	pthread_mutex_unlock(&b->lock);
}

static struct change *burst_change(const struct runner *r, int k, int kind)
{
	char parent[32], serial[32], token[32];
	snprintf(token, sizeof token, "b%d-%d", r->round, k);
	snprintf(serial, sizeof serial, "%d%02d%02d%03d", 1 + r->me, 10 + r->round, kind, k);
	snprintf(parent, sizeof parent, "%d", 2000 + 7 * k % LINES); /* of ours; or nobody's, of which all make one */
	if (kind == 0)
		return change_issue(token, serial);
	if (kind == 1)
		return change_renew(NULL, parent, serial);
	if (kind == 2)
		snprintf(parent, sizeof parent, "%d%02d", 3000 + 11 * k % LINES, r->round);
	return kind == 2 ? change_renew(NULL, parent, serial) : change_revoke(NULL, parent);
}

/* Everything that others do too, in an order of its own, without waiting. */
static void burst(struct runner *r)
{
	struct burst b = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 4 * LINES, 0 };
	for (int i = 0; i < 4 * LINES; i++) {
		int at = (i * (2 * r->me + 5) + r->me * 17) % (4 * LINES); /* 5, 7, 11: prime to 96 */
		struct change *c = burst_change(r, at / 4, at % 4);
		if (at % 4 == 3) /* who is revoked is of this round alone: the lines are to be renewed on */
			snprintf(c->serial, sizeof c->serial, "%d%02d", 4000 + at / 4, r->round);
		store_submit(r->s, c, burst_note, &b);
	}
	pthread_mutex_lock(&b.lock);
	while (b.left)
		pthread_cond_wait(&b.all, &b.lock);
	pthread_mutex_unlock(&b.lock);
	r->refused += (size_t)b.failed;
}

/* Nodes that are given the same tokens, lines, imported certificates and revocations take them in the same order. */
static void no_deadlocks(void **state)
{
	(void)state;
	static const int mes[NODES] = { 0, 1, 3 };
	static const char count[] = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
	struct world *w = world_begin(STORE_SQLITE);
	struct store *nodes[NODES];
	int64_t before = world_number(w, count);
	for (int i = 0; i < NODES; i++)
		nodes[i] = node_open(w, NULL);
	for (int k = 0; k < LINES; k++) {
		char serial[32];
		snprintf(serial, sizeof serial, "%d", 2000 + k);
		node_apply(nodes[0], change_issue(NULL, serial));
	}
	for (int round = 0; round < rounds_of(BURSTS); round++) {
		struct runner r[NODES];
		for (int i = 0; i < NODES; i++)
			r[i] = (struct runner){ .s = nodes[i], .run = burst, .me = mes[i], .round = round };
		at_once(r, NODES);
		for (int i = 0; i < NODES; i++)
			assert_int_equal(r[i].refused, 0);
	}
	for (int i = 0; i < NODES; i++)
		store_close(nodes[i]); /* with which the servers' processes tell what they counted */
	assert_int_equal(world_number(w, "SELECT count(*) FROM tokens"), rounds_of(BURSTS) * LINES);
	assert_int_equal(world_number(w, count), before);
	world_end(w);
}

/* --- answers that are lost ---------------------------------------------------------------------------------------- */

/* Between a store and the server: forwards, until it is told to lose the answer to a COMMIT, or the COMMIT itself. */
struct wire {
	char dir[128], real[128];
	int listener;
	pthread_t thread;
	bool end; /* by __atomic */
	enum lose { LOSE_NOTHING, LOSE_ANSWER, LOSE_COMMIT } lose; /* by __atomic */
	int lost;
};

static int wire_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool pass(int from, int to, char *buf, ssize_t *n)
{
	*n = read(from, buf, 65536);
	return *n > 0 && (to < 0 || send(to, buf, (size_t)*n, MSG_NOSIGNAL) == *n);
}

/* True: the pair goes on. */
static bool wire_step(struct wire *w, int client, int server, bool *losing)
{
	static char buf[65536];
	struct pollfd p[] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	ssize_t n;
	if (poll(p, 2, 10) <= 0)
		return true;
	if (p[1].revents) /* swallowed, where it is the answer to lose */
		return pass(server, *losing ? -1 : client, buf, &n) && !*losing;
	if (!p[0].revents)
		return true;
	n = read(client, buf, sizeof buf);
	if (n <= 0)
		return false;
	enum lose lose = __atomic_load_n(&w->lose, __ATOMIC_SEQ_CST);
	if (lose && memmem(buf, (size_t)n, "COMMIT", 6)) {
		__atomic_store_n(&w->lose, LOSE_NOTHING, __ATOMIC_SEQ_CST);
		w->lost++;
		if (lose == LOSE_COMMIT)
			return false;
		*losing = true;
	}
	return send(server, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

enum { PAIRS = 8 };

static void *wire_main(void *ctx)
{
	struct wire *w = ctx;
	struct {
		int client, server;
		bool losing;
	} v[PAIRS];
	size_t n = 0;
	while (!__atomic_load_n(&w->end, __ATOMIC_SEQ_CST)) {
		struct pollfd p = { w->listener, POLLIN, 0 };
		if (n < PAIRS && poll(&p, 1, n ? 0 : 10) > 0) {
			v[n].client = accept(w->listener, NULL, NULL);
			v[n].server = wire_connect(w->real);
			v[n++].losing = false;
		}
		for (size_t i = 0; i < n;) {
			if (wire_step(w, v[i].client, v[i].server, &v[i].losing)) {
				i++;
				continue;
			}
			close(v[i].client);
			close(v[i].server);
			v[i] = v[--n];
		}
	}
	for (size_t i = 0; i < n; i++) {
		close(v[i].client);
		close(v[i].server);
	}
	return NULL;
}

/* source: of a store behind the wire. */
static void wire_begin(struct wire *w, char *source, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *dir = getenv("PG_DIR");
	assert_non_null(dir);
	snprintf(w->dir, sizeof w->dir, "%s/wire", dir);
	snprintf(w->real, sizeof w->real, "%s/.s.PGSQL.%s", dir, strstr(getenv("PERENNIAL_PG"), "port=") + 5);
	snprintf(source, n, "postgresql://step@/ca?host=%s/wire&port=7", dir);
	mkdir(w->dir, 0755);
	snprintf(a.sun_path, sizeof a.sun_path, "%s/.s.PGSQL.7", w->dir);
	unlink(a.sun_path);
	w->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(w->listener, 8), 0);
	pthread_create(&w->thread, NULL, wire_main, w);
}

static void wire_end(struct wire *w)
{
	__atomic_store_n(&w->end, true, __ATOMIC_SEQ_CST);
	pthread_join(w->thread, NULL);
	close(w->listener);
}

static void wire_lose(struct wire *w, enum lose lose)
{
	__atomic_store_n(&w->lose, lose, __ATOMIC_SEQ_CST);
}

/* Every kind of change is answered as if nothing had happened, and was made once. */
static void lost_answers(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct wire wire = { 0 };
	char source[300];
	wire_begin(&wire, source, sizeof source);
	struct store *s = node_open(w, source);
	node_apply(s, change_issue("t0", "1"));
	node_apply(s, change_issue("t00", "2"));
	for (int i = 0; i < 2; i++) {
		enum lose lose = i ? LOSE_COMMIT : LOSE_ANSWER;
		char token[8][16], serial[3][16];
		for (int k = 0; k < 8; k++)
			snprintf(token[k], sizeof token[k], "t%d%d", i + 1, k);
		for (int k = 0; k < 3; k++)
			snprintf(serial[k], sizeof serial[k], "%d%d", i + 5, k);
		struct change *renewal = change_renew(NULL, "1", serial[1]),
			      *late = change_renew(token[1], "2", serial[2]);
		memset(renewal->parent_key, 'K', sizeof renewal->parent_key);
		memset(late->parent_key, 'K', sizeof late->parent_key);
		struct change *line = change_revoke(token[3], serial[1]);
		line->kind = CHANGE_REVOKE_LINE;
		line->scope = SCOPE_DESCENDANTS;
		const struct {
			struct change *c;
			enum outcome want;
		} rows[] = {
			{ change_issue(token[0], serial[0]), OUTCOME_DONE },
			{ change_issue(token[0], "999"), OUTCOME_TOKEN_USED },
			{ renewal, i ? OUTCOME_DONE_SECOND : OUTCOME_DONE },
			{ late, i ? OUTCOME_DONE_SECOND : OUTCOME_DONE },
			{ change_revoke(token[2], serial[0]), OUTCOME_DONE },
			{ change_revoke(NULL, serial[2]), OUTCOME_DONE },
			{ line, OUTCOME_DONE },
			{ change_burn(token[4]), OUTCOME_DONE },
		};
		for (size_t k = 0; k < COUNT_OF(rows); k++) {
			wire_lose(&wire, lose);
			enum outcome o = node_apply(s, rows[k].c);
			if (o != rows[k].want)
				fail_msg("pass %d, row %zu: %s, not %s", i, k, outcome_name(o),
				         outcome_name(rows[k].want));
		}
	}
	assert_int_equal(wire.lost, 16);
	store_close(s);
	wire_end(&wire);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 8);
	assert_int_equal(world_number(w, "SELECT count(*) FROM tokens"), 2 + 2 * 5);
	assert_int_equal(world_number(w, "SELECT count(*) FROM revocations"), 2 * 3);
	world_end(w);
}

/* The connection is cut, and nobody lets the store in again: what waited for that is a failed commit, and not a good
 * one. */
static void a_database_that_stays_away_is_counted(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct wire wire = { 0 };
	struct error e = ERROR_INIT;
	struct store_gauges before, after;
	enum outcome o;
	char source[300];
	wire_begin(&wire, source, sizeof source);
	struct store *s = node_open(w, source);
	node_apply(s, change_issue("t1", "1"));
	store_gauges(s, &before);
	wire_end(&wire);
	assert_int_equal(store_apply(s, change_issue("t2", "2"), &o, &e), ST_IO);
	assert_string_equal(e.hint, "the certificate authority cannot record this now; try again later");
	store_gauges(s, &after);
	assert_int_equal(before.failed, 0);
	assert_int_equal(after.failed, 1);
	assert_int_equal(after.commits, before.commits);
	assert_int_equal(after.changes, before.changes);
	assert_memory_equal(after.batches, before.batches, sizeof after.batches);
	store_close(s);
	world_end(w);
}

/* By a pruning on another node, after 30 days without a change; or by a standby that was behind and took over. */
static void a_writer_that_was_forgotten(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct wire wire = { 0 };
	char source[300];
	wire_begin(&wire, source, sizeof source);
	struct store *s = node_open(w, source);
	node_apply(s, change_issue("t1", "1"));
	world_exec(w, "DELETE FROM writers");
	assert_int_equal(node_apply(s, change_issue("t2", "2")), OUTCOME_DONE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM writers WHERE batch > fenced"), 1);
	world_exec(w, "DELETE FROM writers");
	wire_lose(&wire, LOSE_COMMIT);
	assert_int_equal(node_apply(s, change_issue("t3", "3")), OUTCOME_DONE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 3);
	store_close(s);
	wire_end(&wire);
	world_end(w);
}

struct reply {
	enum status st;
	enum outcome o;
};

static void note_reply(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	(void)e;
	*(struct reply *)ctx = (struct reply){ st, o };
}

/* A batch in which one change is bad, and one after another is refused: the rest is done. */
static void a_bad_change_fails_alone(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	struct store *s = node_open(w, NULL);
	struct gate gate;
	w->store = s;
	gate_shut(&gate, w);
	struct reply got[5] = { 0 };
	struct change *bad = change_issue("b", "3");
	bad->cert.subject[0] = (char)0xff; /* no UTF-8: PostgreSQL takes none of it */
	store_submit(s, change_issue("a", "1"), note_reply, &got[0]);
	store_submit(s, bad, note_reply, &got[1]);
	store_submit(s, change_issue("a", "2"), note_reply, &got[2]);
	store_submit(s, change_issue("b", "4"), note_reply, &got[3]);
	store_submit(s, change_burn("c"), note_reply, &got[4]);
	gate_open(&gate);
	assert_int_equal(node_apply(s, change_burn("last")), OUTCOME_DONE);
	assert_int_equal(got[0].st, ST_OK);
	assert_int_equal(got[0].o, OUTCOME_DONE);
	assert_int_equal(got[1].st, ST_INVALID);
	assert_int_equal(got[2].o, OUTCOME_TOKEN_USED);
	assert_int_equal(got[3].o, OUTCOME_DONE); /* the bad one left its token alone */
	assert_int_equal(got[4].o, OUTCOME_DONE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 2);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_start_at_once),
		cmocka_unit_test(a_token_gives_one_certificate),
		cmocka_unit_test(no_open_child_of_an_ended_line),
		cmocka_unit_test(no_open_child_of_an_ended_import),
		cmocka_unit_test(no_deadlocks),
		cmocka_unit_test(lost_answers),
		cmocka_unit_test(a_database_that_stays_away_is_counted),
		cmocka_unit_test(a_writer_that_was_forgotten),
		cmocka_unit_test(a_bad_change_fails_alone),
	};
	return cmocka_run_group_tests_name("store/nodes", tests, NULL, NULL);
}
