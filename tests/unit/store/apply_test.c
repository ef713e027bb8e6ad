#include "fixture.h"

#include "base/macros.h"

/* What the database knows before the rows below: a closed line, a certificate of it, and a blocked key. */
static const char before[] =
	"INSERT INTO lines (id, serial, closed_at) VALUES (70, '700', 1);"
	"INSERT INTO certs (serial, subject, sans, provisioner_id, provisioner_name, provisioner_type, key_fp, new_key,"
	" not_before, not_after, granted_s, parent, line, generation, created, der)"
	" VALUES ('701', '', '', '', '', 0, x'00', 1, 0, 9999999999, 0, NULL, 70, 3, 0, x'00');"
	"INSERT INTO blocked_keys (key_fp, reason, blocked_at)"
	" VALUES (CAST('BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB' AS BLOB), 'leaked', 1);";

/* Each row stands on the rows above it. */
static const struct row {
	enum change_kind kind;
	const char *token, *serial, *parent;
	enum outcome want;
	enum status want_st; /* not ST_OK: a bad change, whose outcome means nothing */
	char key;            /* 0: 'K' */
	char parent_key;     /* the same */
	size_t der;          /* length; 0: 900 */
} rows[] = {
	{ CHANGE_ISSUE, "t1", "100", NULL, OUTCOME_DONE },
	{ CHANGE_ISSUE, "t1", "101", NULL, OUTCOME_TOKEN_USED },
	{ CHANGE_ISSUE, "t1", "100", NULL, OUTCOME_DONE }, /* tried again after an answer was lost */
	{ CHANGE_ISSUE, NULL, "102", NULL, OUTCOME_DONE },
	{ CHANGE_ISSUE, NULL, "102", NULL, OUTCOME_DONE },
	{ CHANGE_ISSUE, "t2", "103", NULL, OUTCOME_KEY_BLOCKED, .key = 'B' },
	{ CHANGE_ISSUE, "t2", "103", NULL, OUTCOME_TOKEN_USED }, /* a refused request's token stays used */
	/* a serial of another certificate: a bad change, and its token is still good */
	{ CHANGE_ISSUE, "t3", "100", NULL, .want_st = ST_CONFLICT, .der = 901 },
	{ CHANGE_ISSUE, "t3", "104", NULL, OUTCOME_DONE },
	{ CHANGE_ISSUE, "t4", "", NULL, .want_st = ST_INVALID },
	{ CHANGE_ISSUE, "t4", "0x10", NULL, .want_st = ST_INVALID },
	{ CHANGE_ISSUE, "t4", "-5", NULL, .want_st = ST_INVALID },
	{ CHANGE_ISSUE, "t4", "105", NULL, OUTCOME_DONE },
	{ CHANGE_COUNT, "t5", "106", NULL, .want_st = ST_BUG },

	{ CHANGE_RENEW, NULL, "110", "100", OUTCOME_DONE },
	{ CHANGE_RENEW, NULL, "110", "100", OUTCOME_DONE },
	{ CHANGE_RENEW, NULL, "110", "100", .want_st = ST_CONFLICT, .der = 902 },
	{ CHANGE_RENEW, NULL, "111", NULL, .want_st = ST_INVALID },
	{ CHANGE_RENEW, NULL, "111", "100", OUTCOME_DONE_SECOND }, /* a second child of the same parent */
	{ CHANGE_RENEW, "n1", "112", "110", OUTCOME_DONE },
	{ CHANGE_RENEW, "n1", "112", "110", OUTCOME_DONE },
	{ CHANGE_RENEW, "n1", "113", "110", OUTCOME_TOKEN_USED },
	{ CHANGE_RENEW, "t1", "113", "110", OUTCOME_TOKEN_USED },
	{ CHANGE_RENEW, NULL, "114", "110", OUTCOME_KEY_BLOCKED, .key = 'B' },
	{ CHANGE_RENEW, NULL, "115", "555", OUTCOME_DONE }, /* imported: known to nobody */
	{ CHANGE_RENEW, NULL, "116", "555", OUTCOME_DONE_SECOND },
	{ CHANGE_RENEW, NULL, "117", "700", OUTCOME_LINE_CLOSED }, /* parent unknown, its line is not */
	{ CHANGE_RENEW, NULL, "117", "701", OUTCOME_LINE_CLOSED },
	{ CHANGE_RENEW, "n2", "117", "701", OUTCOME_LINE_CLOSED },
	{ CHANGE_RENEW, "n2", "118", "100", OUTCOME_TOKEN_USED },

	{ CHANGE_REKEY, "k1", "120", "112", OUTCOME_DONE, .key = 'N' },
	{ CHANGE_REKEY, "k1", "120", "112", OUTCOME_DONE, .key = 'N' },
	{ CHANGE_REKEY, "k1", "121", "112", OUTCOME_TOKEN_USED, .key = 'N' },
	{ CHANGE_REKEY, NULL, "121", "112", OUTCOME_KEY_BLOCKED, .key = 'B' },

	/* a parent of another issuer, with a serial of ours: 100 is the first of a line, 112 is not, 701's line is
	   closed */
	{ CHANGE_RENEW, NULL, "150", "100", OUTCOME_DONE, .key = 'F', .parent_key = 'F' },
	{ CHANGE_RENEW, NULL, "150", "100", OUTCOME_DONE, .key = 'F', .parent_key = 'F' },
	{ CHANGE_REKEY, NULL, "151", "112", OUTCOME_DONE, .key = 'G', .parent_key = 'F' },
	{ CHANGE_RENEW, NULL, "152", "701", OUTCOME_LINE_CLOSED, .key = 'F', .parent_key = 'F' },

	{ CHANGE_REVOKE, "r1", "110", NULL, OUTCOME_DONE },
	{ CHANGE_REVOKE, "r1", "110", NULL, OUTCOME_TOKEN_USED }, /* no retry: anybody can name this serial again */
	{ CHANGE_REVOKE, "r2", "110", NULL, OUTCOME_ALREADY_REVOKED },
	{ CHANGE_REVOKE, "r2", "111", NULL, OUTCOME_TOKEN_USED },
	{ CHANGE_REVOKE, NULL, "110", NULL, OUTCOME_ALREADY_REVOKED },
	{ CHANGE_REVOKE, "t1", "111", NULL, OUTCOME_TOKEN_USED },
	{ CHANGE_REVOKE, NULL, "999", NULL, OUTCOME_DONE }, /* known to nobody */
	{ CHANGE_REVOKE, "r3", "", NULL, .want_st = ST_INVALID },
	{ CHANGE_REVOKE, "r3", "zz", NULL, .want_st = ST_INVALID },
	{ CHANGE_REVOKE, "r3", "998", NULL, OUTCOME_DONE },
	{ CHANGE_RENEW, NULL, "130", "110", OUTCOME_PARENT_REVOKED },
	{ CHANGE_REKEY, NULL, "130", "110", OUTCOME_PARENT_REVOKED },
	{ CHANGE_RENEW, "n3", "130", "110", OUTCOME_PARENT_REVOKED },
	{ CHANGE_RENEW, "n3", "130", "111", OUTCOME_TOKEN_USED },
	{ CHANGE_RENEW, NULL, "130", "999", OUTCOME_PARENT_REVOKED },
	{ CHANGE_RENEW, "n1", "112", "110", OUTCOME_DONE },        /* what was answered stands */
	{ CHANGE_RENEW, NULL, "131", "112", OUTCOME_DONE_SECOND }, /* a child of the revoked one is not revoked */

	{ CHANGE_BURN, "b1", NULL, NULL, OUTCOME_DONE },
	{ CHANGE_BURN, "b1", NULL, NULL, OUTCOME_TOKEN_USED },
	{ CHANGE_ISSUE, "b1", "140", NULL, OUTCOME_TOKEN_USED },
	{ CHANGE_BURN, "t1", NULL, NULL, OUTCOME_TOKEN_USED },
	{ CHANGE_BURN, NULL, NULL, NULL, .want_st = ST_BUG },
};

static const struct {
	const char *sql, *want;
} after[] = {
	{ "SELECT group_concat(serial) FROM (SELECT serial FROM certs ORDER BY serial) o",
	  "100,102,104,105,110,111,112,115,116,120,131,150,151,701" },
	{ "SELECT group_concat(serial) FROM (SELECT serial FROM lines ORDER BY serial) o",
	  "100,102,104,105,150,151,555,700" },
	{ "SELECT serial FROM tokens WHERE id = 't1'", "100" },
	{ "SELECT serial FROM tokens WHERE id = 't2'", "-" },
	{ "SELECT serial FROM tokens WHERE id = 't3'", "104" },
	{ "SELECT serial FROM tokens WHERE id = 'n2'", "-" },
	{ "SELECT serial FROM tokens WHERE id = 'n3'", "-" },
	{ "SELECT serial FROM tokens WHERE id = 'k1'", "120" },
	{ "SELECT serial FROM tokens WHERE id = 'r2'", "-" },
	{ "SELECT count(*) FROM tokens WHERE id = 't5'", "0" },
	{ "SELECT exp FROM tokens WHERE id = 't1'", "1800000300" },
	{ "SELECT l.serial || ' ' || c.generation || ' ' || c.parent FROM certs c JOIN lines l ON l.id = c.line"
	  " WHERE c.serial = '120'",
	  "100 3 112" },
	{ "SELECT l.serial || ' ' || c.generation || ' ' || c.parent FROM certs c JOIN lines l ON l.id = c.line"
	  " WHERE c.serial = '116'",
	  "555 1 555" },
	{ "SELECT group_concat(c.serial || ' ' || l.serial || ' ' || c.generation || ' ' || c.parent)"
	  " FROM certs c JOIN lines l ON l.id = c.line WHERE c.serial LIKE '15_'",
	  "150 150 1 100,151 151 1 112" },
	{ "SELECT coalesce(parent, 'none') || ' ' || generation FROM certs WHERE serial = '100'", "none 0" },
	{ "SELECT hex(substr(key_fp, 1, 2)) FROM certs WHERE serial = '120'", "4E4E" },
	{ "SELECT length(der) FROM certs WHERE serial = '100'", "900" },
	{ "SELECT group_concat(serial) FROM (SELECT serial FROM certs WHERE new_key = 1 ORDER BY serial) o",
	  "100,102,104,105,115,116,120,150,151,701" },
	{ "SELECT reason_code || ' ' || reason || ' ' || provisioner || ' ' || mtls || ' ' || token || ' ' || "
	  "revoked_at"
	  " || ' ' || not_after FROM revocations WHERE serial = '110'",
	  "4 superseded admin:KID 0 r1 1800000000 1800003600" },
	{ "SELECT mtls || coalesce(token, '-') || coalesce(CAST(not_after AS TEXT), '-') FROM revocations WHERE serial = '999'",
	  "1--" },
	{ "SELECT count(*) FROM revocations", "3" },
};

static struct change *change_of_row(const struct row *r)
{
	struct change *c;
	switch ((int)r->kind) {
	case CHANGE_RENEW:
	case CHANGE_REKEY:
		c = change_renew(r->token, r->parent, r->serial);
		break;
	case CHANGE_REVOKE:
		c = change_revoke(r->token, r->serial);
		break;
	case CHANGE_BURN:
		c = change_burn(r->token);
		break;
	default:
		c = change_issue(r->token, r->serial);
	}
	c->kind = r->kind;
	if (r->key)
		memset(c->cert.key_fingerprint, r->key, sizeof(c->cert.key_fingerprint));
	if (r->parent_key)
		memset(c->parent_key, r->parent_key, sizeof(c->parent_key));
	if (r->der)
		change_fill_der(c, r->der);
	return c;
}

struct answer {
	bool there;
	size_t order;
	enum status st;
	enum outcome outcome;
	char text[256];
};

static void check_answer(size_t i, const struct answer *a)
{
	const struct row *r = &rows[i];
	if (!a->there || a->st != r->want_st || (!a->st && a->outcome != r->want))
		fail_msg("row %zu (%s %s): %s, %s %s", i, r->token ? r->token : "-", r->serial ? r->serial : "-",
		         status_name(a->st), a->st ? "" : outcome_name(a->outcome), a->text);
	assert_true(!a->st || a->text[0]);
}

static void check_after(struct world *w)
{
	for (size_t i = 0; i < COUNT_OF(after); i++) {
		char text[256];
		world_text(w, after[i].sql, text, sizeof(text));
		if (strcmp(text, after[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", after[i].sql, text, after[i].want);
	}
	world_check(w);
}

static void test_one_by_one(void **state)
{
	(void)state;
	struct world *w = world_begin(STORE_SQLITE);
	world_open(w);
	world_exec(w, before);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct answer a = { .there = true };
		struct error e = ERROR_INIT;
		a.st = store_apply(w->store, change_of_row(&rows[i]), &a.outcome, &e);
		snprintf(a.text, sizeof(a.text), "%s", e.text);
		check_answer(i, &a);
	}
	check_after(w);
	world_end(w);
}

static size_t answered;

static void note_answer(void *ctx, enum status st, enum outcome outcome, const struct error *e)
{
	struct answer *a = ctx;
	a->there = true;
	a->order = answered++;
	a->st = st;
	a->outcome = outcome;
	snprintf(a->text, sizeof(a->text), "%s", e->text);
}

/* One refusal, or one bad change, does not spoil the batch: all rows in one transaction, answered in order. */
static void test_one_batch(void **state)
{
	(void)state;
	sqlite_only(); /* a batch on PostgreSQL has an order of its own */
	struct world *w = world_begin(STORE_SQLITE);
	static struct answer answers[COUNT_OF(rows)];
	struct store_stats stats;
	struct error e = ERROR_INIT;
	struct gate gate;
	world_open(w);
	world_exec(w, before);
	answered = 0;
	gate_shut(&gate, w);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		store_submit(w->store, change_of_row(&rows[i]), note_answer, &answers[i]);
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.queue, COUNT_OF(rows));
	gate_open(&gate);
	assert_int_equal(world_apply(w, change_burn("last")), OUTCOME_DONE); /* answered after all before it */
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_answer(i, &answers[i]);
		assert_int_equal(answers[i].order, i);
	}
	assert_int_equal(store_stats(w->store, &stats, &e), ST_OK);
	assert_int_equal(stats.queue, 0);
	assert_true(stats.largest_batch >= (int64_t)COUNT_OF(rows));
	assert_true(stats.commits <= 3);
	assert_int_equal(stats.changes, COUNT_OF(rows) + 2);
	check_after(w);
	world_end(w);
}

/* A store without revocations says so, also where the token was used before. */
static void test_memory(void **state)
{
	(void)state;
	static const struct row mem[] = {
		{ CHANGE_ISSUE, "t1", "100", NULL, OUTCOME_DONE },
		{ CHANGE_ISSUE, "t1", "101", NULL, OUTCOME_TOKEN_USED },
		{ CHANGE_ISSUE, "t1", "100", NULL, OUTCOME_DONE },
		{ CHANGE_RENEW, NULL, "102", "100", OUTCOME_DONE },
		{ CHANGE_REVOKE, NULL, "100", NULL, OUTCOME_UNSUPPORTED },
		{ CHANGE_REVOKE, "r1", "100", NULL, OUTCOME_UNSUPPORTED },
		{ CHANGE_REVOKE, "r1", "100", NULL, OUTCOME_TOKEN_USED },
		{ CHANGE_RENEW, NULL, "103", "100", OUTCOME_DONE_SECOND },
		{ CHANGE_BURN, "t1", NULL, NULL, OUTCOME_TOKEN_USED },
		{ CHANGE_BURN, "b1", NULL, NULL, OUTCOME_DONE },
	};
	struct world *w = world_begin(STORE_MEMORY);
	w->conf.folder = NULL;
	world_open(w);
	for (size_t i = 0; i < COUNT_OF(mem); i++)
		assert_int_equal(world_apply(w, change_of_row(&mem[i])), mem[i].want);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_one_batch),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests_name("store/apply", tests, NULL, NULL);
}
