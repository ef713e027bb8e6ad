/* A full disk: what is taken from the reserve, what is put off, and the way back. */
#include "faultvfs.h"
#include "fixture.h"

#include "base/duration.h"
#include "base/macros.h"
#include "store/gauges.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESERVE = 1 << 20 };

/* What the store told, in order: one letter a state. */
static char told[32];
static char why[256];

static void note(void *ctx, enum store_room room, const char *text)
{
	(void)ctx;
	size_t n = strlen(told);
	assert_true(n + 1 < sizeof(told));
	told[n] = room == STORE_ROOM_ENOUGH ? 'E' : room == STORE_ROOM_RESERVE ? 'R' : 'N';
	told[n + 1] = '\0';
	snprintf(why, sizeof(why), "%s", text);
}

static struct world *begin(void)
{
	struct world *w = world_begin(STORE_SQLITE);
	w->conf.reserve_bytes = RESERVE;
	w->conf.room = note;
	told[0] = why[0] = '\0';
	return w;
}

static int64_t kept(const struct world *w)
{
	char path[220];
	struct stat st;
	snprintf(path, sizeof(path), "%s/perennial.reserve", w->folder);
	if (stat(path, &st))
		return -errno;
	return (int64_t)st.st_blocks * 512 < st.st_size ? -1 : st.st_size;
}

static void put_off(struct world *w, struct change *c, const char *hint)
{
	struct error e;
	enum outcome o;
	assert_int_equal(store_apply(w->store, c, &o, &e), ST_IO);
	assert_non_null(strstr(e.text, "perennial.db: the disk is full; free some space, no restart is needed"));
	assert_non_null(strstr(e.hint, hint));
}

#define FULL "disk is full and it can only revoke"

static void taken(struct world *w, struct change *c)
{
	assert_int_equal(world_apply(w, c), OUTCOME_DONE);
}

/* The store looks behind each batch, when a second has gone by. */
static void look(struct world *w)
{
	static int n;
	char token[32];
	snprintf(token, sizeof(token), "look-%d", ++n);
	__atomic_fetch_add(&w->mono_ns, DURATION_S, __ATOMIC_SEQ_CST);
	taken(w, change_burn(token));
}

static void note_answer(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	(void)e;
	*(int *)ctx = st ? -(int)st : (int)o;
}

/* The disk is full under a batch: what must be recorded is, in the same go. */
static void test_batch(void **state)
{
	(void)state;
	struct world *w = begin();
	struct gate gate;
	int issue = 99, revoke = 99, renew = 99, line = 99;
	world_open(w);
	assert_string_equal(told, "");
	assert_int_equal(kept(w), RESERVE);
	taken(w, change_issue("t0", "100"));
	gate_shut(&gate, w);
	faultvfs_arm(FAULT_WRITE, 1, 1, FAULT_FULL);
	store_submit(w->store, change_issue("t1", "101"), note_answer, &issue);
	store_submit(w->store, change_revoke(NULL, "100"), note_answer, &revoke);
	store_submit(w->store, change_renew(NULL, "100", "102"), note_answer, &renew);
	struct change *c = change_revoke("r1", "555");
	c->kind = CHANGE_REVOKE_LINE;
	store_submit(w->store, c, note_answer, &line);
	gate_open(&gate);
	taken(w, change_burn("b1"));
	assert_int_equal(faultvfs_disarm(), 1);
	assert_int_equal(issue, -ST_IO);
	assert_int_equal(renew, -ST_IO);
	assert_int_equal(revoke, OUTCOME_DONE);
	assert_int_equal(line, OUTCOME_DONE);
	assert_string_equal(told, "R");
	assert_non_null(strstr(why, "the disk is full"));
	assert_int_equal(store_room(w->store), STORE_ROOM_RESERVE);
	struct store_gauges g;
	store_gauges(w->store, &g);
	assert_int_equal(g.room, STORE_ROOM_RESERVE);
	assert_int_equal(kept(w), RESERVE - RESERVE / 4);

	/* Nothing is issued, though it could be, until the reserve is whole again. */
	put_off(w, change_issue("t1", "101"), FULL);
	put_off(w, change_renew(NULL, "100", "102"), FULL);
	taken(w, change_revoke("r2", "999"));
	look(w);
	taken(w, change_issue("t1", "101")); /* its token was not used */
	assert_string_equal(told, "RE");
	assert_string_equal(why, "");
	assert_int_equal(kept(w), RESERVE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM certs"), 2);
	assert_int_equal(world_number(w, "SELECT count(*) FROM revocations"), 3);
	world_check(w);
	world_end(w);
}

/* The disk stays full although the reserve is given back. */
static void test_used_up(void **state)
{
	(void)state;
	struct world *w = begin();
	world_open(w);
	faultvfs_arm(FAULT_WRITE, 1, 1000, FAULT_FULL);
	put_off(w, change_revoke("r1", "100"), "cannot record this now");
	assert_string_equal(told, "RN");
	assert_int_equal(store_room(w->store), STORE_ROOM_NONE);
	assert_int_equal(kept(w), 0);
	put_off(w, change_issue("t1", "101"), FULL);
	put_off(w, change_revoke("r1", "100"), "cannot record this now");
	assert_true(faultvfs_disarm() > 0);
	taken(w, change_revoke("r1", "100"));
	look(w);
	taken(w, change_issue("t1", "101"));
	assert_string_equal(told, "RNE");
	assert_int_equal(kept(w), RESERVE);
	world_check(w);
	world_end(w);
}

/* Another error is none of its business. */
static void test_other_failure(void **state)
{
	(void)state;
	struct world *w = begin();
	struct error e;
	enum outcome o;
	world_open(w);
	faultvfs_arm(FAULT_WRITE, 1, 1, FAULT_EIO);
	assert_int_equal(store_apply(w->store, change_issue("t1", "101"), &o, &e), ST_IO);
	faultvfs_disarm();
	taken(w, change_issue("t1", "101"));
	assert_string_equal(told, "");
	assert_int_equal(kept(w), RESERVE);
	world_end(w);
}

/* A start on a disk without room for the reserve. */
static void test_start(void **state)
{
	(void)state;
	struct world *w = begin();
	w->conf.reserve_bytes = (int64_t)1 << 50;
	world_open(w);
	assert_string_equal(told, "R");
	assert_non_null(strstr(why, "reserve in "));
	put_off(w, change_issue("t1", "101"), FULL);
	taken(w, change_revoke("r1", "100"));
	look(w);
	put_off(w, change_issue("t1", "101"), FULL);
	world_close(w);

	w->conf.reserve_bytes = RESERVE;
	told[0] = '\0';
	world_open(w);
	assert_string_equal(told, "");
	taken(w, change_issue("t1", "101"));
	world_close(w);

	w->conf.reserve_bytes = 0; /* turned off: the file goes */
	world_open(w);
	assert_int_equal(kept(w), -ENOENT);
	faultvfs_arm(FAULT_WRITE, 1, 1, FAULT_FULL);
	put_off(w, change_revoke("r3", "102"), "cannot record this now");
	faultvfs_disarm();
	taken(w, change_issue("t3", "103"));
	assert_string_equal(told, "");
	world_end(w);
}

/* There is nothing yet that could be given back. */
static void test_first_start(void **state)
{
	(void)state;
	struct world *w = begin();
	struct error e;
	faultvfs_arm(FAULT_WRITE, 1, 1, FAULT_FULL);
	assert_int_equal(store_open(&w->conf, &w->store, &e), ST_IO);
	assert_int_equal(faultvfs_disarm(), 1);
	assert_non_null(strstr(e.text, "the disk is full"));
	world_open(w);
	taken(w, change_issue("t1", "101"));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch), cmocka_unit_test(test_used_up),     cmocka_unit_test(test_other_failure),
		cmocka_unit_test(test_start), cmocka_unit_test(test_first_start),
	};
	faultvfs_install();
	return cmocka_run_group_tests_name("store/room", tests, NULL, NULL);
}
