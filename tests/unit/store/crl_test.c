#include "fixture.h"

#include "base/macros.h"
#include "store/crl.h"

#include <pthread.h>
#include <stdio.h>

#define ISSUER "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct error e;

static struct store_crl look(struct world *w, int64_t known)
{
	struct store_crl c = { 0 };
	if (store_find_crl(w->store, ISSUER, known, &c, &e))
		fail_msg("%s", e.text);
	return c;
}

static bool begin_as(struct world *w, const char *issuer, const char *node, int64_t known, int64_t *ret_number)
{
	bool mine = false;
	if (store_begin_crl(w->store, issuer, node, known, 60, &mine, ret_number, &e))
		fail_msg("%s", e.text);
	return mine;
}

static bool finish_as(struct world *w, const char *issuer, const char *node, int64_t number, size_t bytes)
{
	bool kept = false;
	AUTO(store_crl_done)
	struct store_crl c = { .number = number,
		               .this_update = { w->wall_s },
		               .next_update = { w->wall_s + 100 },
		               .entries = 7,
		               .der = BUF_INIT(1 << 20) };
	for (size_t i = 0; i < bytes; i++)
		buf_addc(&c.der, (char)(number + 'a'));
	if (store_finish_crl(w->store, issuer, node, &c, &kept, &e))
		fail_msg("%s", e.text);
	return kept;
}

static int64_t make_list(struct world *w, int64_t known)
{
	int64_t number = -7;
	assert_true(begin_as(w, ISSUER, "node", known, &number));
	assert_true(finish_as(w, ISSUER, "node", number, 10));
	return number;
}

/* "12 ,7 ,": serials as they are read, each from 0 to 9 at most once */
struct seen {
	bool serial[10];
	int64_t at[10];
	int reason[10];
	size_t n, stop_at;
};

static enum status see(void *ctx, const struct store_revoked *r, struct error *err)
{
	struct seen *s = ctx;
	if (s->stop_at && s->n == s->stop_at)
		return error_set(err, ST_LIMIT, "enough");
	s->n++;
	s->serial[r->serial[0] - '0'] = true;
	s->at[r->serial[0] - '0'] = r->at.s;
	s->reason[r->serial[0] - '0'] = r->reason_code;
	return ST_OK;
}

static struct seen read_all(struct world *w, int64_t ended_before_s)
{
	struct seen s = { 0 };
	if (store_read_revoked(w->store, (struct wall){ ended_before_s }, see, &s, &e))
		fail_msg("%s", e.text);
	return s;
}

static void nothing_yet(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	(void)state;
	world_open(w);
	struct store_crl c = look(w, -1);
	assert_int_equal(c.number, -1);
	assert_false(c.behind);
	assert_int_equal(c.der.n, 0);
	assert_int_equal(read_all(w, 0).n, 0);
	store_crl_done(&c);
	world_end(w);
}

static void a_list_is_kept(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	(void)state;
	world_open(w);
	assert_int_equal(make_list(w, -1), 0);
	assert_int_equal(make_list(w, 0), 1);
	world_close(w);
	world_open(w);
	struct store_crl c = look(w, 0);
	assert_int_equal(c.number, 1);
	assert_int_equal(c.this_update.s, w->wall_s);
	assert_int_equal(c.next_update.s, w->wall_s + 100);
	assert_int_equal(c.entries, 7);
	assert_false(c.behind);
	assert_string_equal(buf_cstr(&c.der), "bbbbbbbbbb");
	store_crl_done(&c);
	c = look(w, 1);
	assert_int_equal(c.der.n, 0);
	assert_int_equal(c.number, 1);
	store_crl_done(&c);
	world_end(w);
}

static bool behind(struct world *w)
{
	struct store_crl c = look(w, -1);
	store_crl_done(&c);
	return c.behind;
}

/* However the revocation came. */
static void a_revocation_leaves_the_list_behind(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	struct store_revocation imported = { .serial = "5", .reason = "imported", .at = { NOW_S } };
	size_t added;
	(void)state;
	world_open(w);
	int64_t number = make_list(w, -1);
	world_apply(w, change_issue("t", "1"));
	world_apply(w, change_burn("u"));
	assert_false(behind(w));

	world_apply(w, change_revoke(NULL, "1"));
	assert_true(behind(w));
	number = make_list(w, number);
	assert_false(behind(w));
	assert_int_equal(world_apply(w, change_revoke(NULL, "1")), OUTCOME_ALREADY_REVOKED);
	assert_false(behind(w));

	if (store_import_revocations(w->store, &imported, 1, &added, &e))
		fail_msg("%s", e.text);
	assert_true(behind(w));
	number = make_list(w, number);

	world_apply(w, change_issue("v", "2"));
	world_apply(w, change_renew(NULL, "2", "3"));
	struct change *line = change_revoke(NULL, "3");
	line->kind = CHANGE_REVOKE_LINE;
	line->scope = SCOPE_LINEAGE;
	assert_int_equal(world_apply(w, line), OUTCOME_DONE);
	assert_true(behind(w));
	make_list(w, number);
	assert_false(behind(w));
	struct seen s = read_all(w, 0);
	assert_int_equal(s.n, 4);
	assert_true(s.serial[1] && s.serial[2] && s.serial[3] && s.serial[5]);
	world_end(w);
}

/* While a list is made it is the next one's. */
static void a_revocation_between(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	int64_t number;
	(void)state;
	world_open(w);
	assert_true(begin_as(w, ISSUER, "node", -1, &number));
	world_apply(w, change_revoke(NULL, "1"));
	assert_true(finish_as(w, ISSUER, "node", number, 1));
	assert_true(behind(w));
	make_list(w, number);
	assert_false(behind(w));
	world_end(w);
}

static void one_node_at_a_time(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	int64_t a = -7, b = -7;
	(void)state;
	world_open(w);
	assert_true(begin_as(w, ISSUER, "a", -1, &a));
	assert_false(begin_as(w, ISSUER, "b", -1, &b));
	assert_true(begin_as(w, ISSUER, "a", -1, &a)); /* who forgot may begin again, with another number */
	assert_int_equal(a, 1);
	w->wall_s += 60;
	assert_false(begin_as(w, ISSUER, "b", -1, &b));
	w->wall_s++;
	assert_true(begin_as(w, ISSUER, "b", -1, &b));
	assert_int_equal(b, 2);
	assert_false(finish_as(w, ISSUER, "a", a, 1)); /* too late */
	assert_true(finish_as(w, ISSUER, "b", b, 1));
	assert_false(finish_as(w, ISSUER, "b", b, 1));
	/* who still knows the older list has to look first */
	assert_false(begin_as(w, ISSUER, "a", -1, &a));
	assert_true(begin_as(w, ISSUER, "a", b, &a));
	assert_int_equal(a, 3);
	/* from a clock that was a year ahead */
	assert_true(finish_as(w, ISSUER, "a", a, 1));
	w->wall_s += 31536000;
	assert_true(begin_as(w, ISSUER, "a", a, &a));
	w->wall_s -= 31536000;
	assert_true(begin_as(w, ISSUER, "b", 3, &b));
	world_end(w);
}

static void what_was_begun_and_not_finished(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	int64_t number;
	(void)state;
	world_open(w);
	number = make_list(w, -1);
	world_apply(w, change_revoke(NULL, "1"));
	assert_true(begin_as(w, ISSUER, "a", number, &number));
	assert_true(behind(w)); /* its revocation counts as listed, and no list has it */
	world_close(w);
	world_open(w);
	assert_true(behind(w));
	if (store_abandon_crl(w->store, ISSUER, "other", &e) || begin_as(w, ISSUER, "b", 0, &number))
		fail_msg("another's right was given up: %s", e.text);
	if (store_abandon_crl(w->store, ISSUER, "a", &e))
		fail_msg("%s", e.text);
	assert_true(behind(w));
	assert_true(begin_as(w, ISSUER, "b", 0, &number));
	assert_true(finish_as(w, ISSUER, "b", number, 1));
	assert_false(behind(w));
	world_end(w);
}

static void numbers_go_up_whoever_issues(void **state)
{
	static const char other[] = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct world *w = world_begin(STORE_SQLITE);
	int64_t number = -7;
	(void)state;
	world_open(w);
	assert_int_equal(make_list(w, -1), 0);
	assert_true(begin_as(w, other, "node", -1, &number));
	assert_int_equal(number, 1);
	assert_true(finish_as(w, other, "node", number, 3));
	struct store_crl c = look(w, -1);
	assert_int_equal(c.number, 0);
	store_crl_done(&c);
	assert_int_equal(make_list(w, 0), 2);
	world_end(w);
}

static void numbers_go_on_from_elsewhere(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	(void)state;
	world_open(w);
	if (store_raise_crl_number(w->store, 41, &e) || store_raise_crl_number(w->store, 7, &e))
		fail_msg("%s", e.text);
	assert_int_equal(make_list(w, -1), 41);
	assert_int_equal(make_list(w, 41), 42);
	world_end(w);
}

static void what_belongs_on_a_list(void **state)
{
	struct world *w = world_begin(STORE_SQLITE);
	struct change *c;
	(void)state;
	world_open(w);
	world_apply(w, change_issue("t", "1")); /* ends at NOW_S + 3600 */
	c = change_revoke(NULL, "1");
	c->reason_code = 4;
	c->at.s = NOW_S + 5;
	world_apply(w, c);
	world_apply(w, change_revoke(NULL, "2")); /* nobody knows when that ends */
	struct seen s = read_all(w, NOW_S + 3600);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.reason[1], 4);
	assert_int_equal(s.at[1], NOW_S + 5);
	s = read_all(w, NOW_S + 3601);
	assert_int_equal(s.n, 1);
	assert_true(s.serial[2]);
	struct seen few = { .stop_at = 1 };
	assert_int_equal(store_read_revoked(w->store, (struct wall){ 0 }, see, &few, &e), ST_LIMIT);
	assert_string_equal(e.text, "enough");
	assert_int_equal(read_all(w, 0).n, 2); /* the connection was given back well */
	world_end(w);
}

struct racer {
	struct world *w;
	char node[8];
	int64_t number;
	bool mine;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct error err;
	if (store_begin_crl(r->w->store, ISSUER, r->node, -1, 60, &r->mine, &r->number, &err))
		r->mine = false;
	return NULL;
}

static void of_many_one(void **state)
{
	enum { RACERS = 8 };
	struct world *w = world_begin(STORE_SQLITE);
	struct racer r[RACERS];
	pthread_t t[RACERS];
	int mine = 0;
	(void)state;
	world_open(w);
	for (int i = 0; i < RACERS; i++) {
		r[i] = (struct racer){ .w = w };
		snprintf(r[i].node, sizeof r[i].node, "n%d", i);
		assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
	}
	for (int i = 0; i < RACERS; i++) {
		pthread_join(t[i], NULL);
		mine += r[i].mine;
	}
	assert_int_equal(mine, 1);
	assert_int_equal(world_number(w, "SELECT next FROM crl_number"), 1);
	world_end(w);
}

static void nothing_is_lost_with_the_disk(void **state)
{
	sqlite_only();
	struct world *w = world_begin(STORE_SQLITE);
	int64_t number;
	bool mine;
	(void)state;
	world_open(w);
	make_list(w, -1);
	world_exec(w, "DROP TABLE crl_number");
	assert_int_not_equal(store_begin_crl(w->store, ISSUER, "a", 0, 60, &mine, &number, &e), ST_OK);
	world_exec(w, "CREATE TABLE crl_number (id INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT");
	assert_int_equal(store_begin_crl(w->store, ISSUER, "a", 0, 60, &mine, &number, &e), ST_IO);
	world_exec(w, "INSERT INTO crl_number VALUES (1, 40)");
	assert_false(behind(w)); /* the right was not taken either */
	assert_int_equal(make_list(w, 0), 40);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_yet),
		cmocka_unit_test(a_list_is_kept),
		cmocka_unit_test(a_revocation_leaves_the_list_behind),
		cmocka_unit_test(a_revocation_between),
		cmocka_unit_test(one_node_at_a_time),
		cmocka_unit_test(what_was_begun_and_not_finished),
		cmocka_unit_test(numbers_go_up_whoever_issues),
		cmocka_unit_test(numbers_go_on_from_elsewhere),
		cmocka_unit_test(what_belongs_on_a_list),
		cmocka_unit_test(of_many_one),
		cmocka_unit_test(nothing_is_lost_with_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
