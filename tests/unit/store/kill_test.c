/* kill -9 at any instant: what the child acknowledged before it died is in the database. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 20, HANDS = 4, DER = 20000 };

static struct {
	struct world *w;
	int out;
	int round;
} child;

/* Each acknowledgement is one short line, which a pipe takes whole. */
static void say(const char *what, const char *serial)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %s\n", what, serial);
	if (write(child.out, line, (size_t)n) != n)
		_exit(1);
}

static void do_or_die(struct change *c, const char *what, const char *serial)
{
	struct error e;
	enum outcome o;
	if (store_apply(child.w->store, c, &o, &e) || o != OUTCOME_DONE)
		_exit(2);
	say(what, serial);
}

static void *hand_main(void *arg)
{
	int hand = (int)(intptr_t)arg;
	for (int i = 0;; i++) {
		char token[48], first[48], second[48];
		snprintf(token, sizeof(token), "t-%d-%d-%d", child.round, hand, i);
		snprintf(first, sizeof(first), "1%03d%d%06d", child.round, hand, i);
		snprintf(second, sizeof(second), "2%03d%d%06d", child.round, hand, i);
		struct change *c = change_issue(token, first);
		change_fill_der(c, DER);
		do_or_die(c, "issued", first);
		do_or_die(change_renew(NULL, first, second), "issued", second);
		do_or_die(change_revoke(NULL, first), "revoked", first);
		snprintf(token, sizeof(token), "b-%d-%d-%d", child.round, hand, i);
		do_or_die(change_burn(token), "burnt", token);
	}
	return NULL;
}

static void child_main(struct world *w, int out, int round)
{
	pthread_t threads[HANDS];
	struct error e;
	child.w = w;
	child.out = out;
	child.round = round;
	if (store_open(&w->conf, &w->store, &e))
		_exit(3);
	for (int i = 0; i < HANDS; i++)
		if (pthread_create(&threads[i], NULL, hand_main, (void *)(intptr_t)i))
			_exit(4);
	pthread_join(threads[0], NULL);
	_exit(5);
}

static void check_line(struct world *w, const char *what, const char *key)
{
	struct error e;
	bool there = false;
	struct cert_row r = { 0 };
	enum status st = ST_OK;
	if (strcmp(what, "issued") == 0) {
		st = store_find_cert(w->store, key, &r, &e);
		there = !st && r.der.n > 0;
		cert_row_done(&r);
	} else if (strcmp(what, "revoked") == 0) {
		st = store_is_revoked(w->store, key, &there, &e);
	} else if (strcmp(what, "burnt") == 0) {
		st = store_token_used(w->store, key, &there, &e);
	}
	if (st || !there)
		fail_msg("%s %s was acknowledged and is lost", what, key);
}

/* Reads acknowledgements, kills after so many of them, reads what was still said. */
static FILE *run_and_kill(struct world *w, int round, uint64_t after)
{
	int fds[2];
	char line[64];
	assert_int_equal(pipe(fds), 0);
	FILE *said = tmpfile();
	assert_non_null(said);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_main(w, fds[1], round);
	}
	close(fds[1]);
	FILE *in = fdopen(fds[0], "r");
	for (uint64_t n = 0; fgets(line, sizeof(line), in); n++) {
		if (strchr(line, '\n'))
			fputs(line, said);
		if (n == after)
			kill(pid, SIGKILL);
	}
	fclose(in);
	int status;
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		fail_msg("the child ended by itself with %d", WEXITSTATUS(status));
	rewind(said);
	return said;
}

static void test_kill(void **state)
{
	(void)state;
	uint64_t seed = seed_start("store/kill");
	struct world *w = world_begin(STORE_SQLITE);
	for (int round = 0; round < KILLS; round++) {
		char what[16], key[48];
		int lines = 0;
		/* a few rounds run long enough for the log to be brought into the database under them */
		FILE *said = run_and_kill(w, round, seed_next(&seed) % (round % 5 ? 60 : 1600));
		world_open(w);
		for (; fscanf(said, "%15s %47s", what, key) == 2; lines++)
			check_line(w, what, key);
		assert_true(lines > 0);
		fclose(said);
		world_check(w);
		assert_int_equal(world_number(w, "SELECT count(*) FROM tokens t WHERE serial IS NOT NULL AND NOT EXISTS"
		                                 " (SELECT 1 FROM certs c WHERE c.serial = t.serial)"),
		                 0);
		world_close(w);
	}
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill),
	};
	return cmocka_run_group_tests_name("store/kill", tests, NULL, NULL);
}
