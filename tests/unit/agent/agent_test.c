/* The daemon's loop on a clock of the test's own: suspend, clocks that are set, power, a record that cannot be stored.
 * Files are real; the CA is always away. */
#include "agent/agent.h"

#include "scratch.h"
#include "testca.h"

enum { MIN = 60, HOUR = 3600, DAY = 86400, MOST = 400, PAIRS = 40 };

#define ISSUED INT64_C(1900000000)

struct bench {
	int64_t now;
	size_t waits;
	int64_t slept[MOST], attempts[MOST];
	size_t attempts_n;
	struct buf log;
	/* what happens while it sleeps: sets b->now */
	enum agent_event (*sleep)(struct bench *b, int64_t until);
	int64_t stop_at; /* wall time; 0: the script stops it */
	struct plan_rule rule;
	const struct deploy *deploy;
	int phase;
};

static struct testca *testca;
static EVP_PKEY *key;

static struct wall bench_now(void *ctx)
{
	return (struct wall){ ((struct bench *)ctx)->now };
}

static enum status bench_wait(void *ctx, struct wall until, enum agent_event *ret, struct error *e)
{
	struct bench *b = ctx;
	(void)e;
	assert_true(b->waits < MOST);
	assert_true(until.s >= b->now);
	b->slept[b->waits++] = until.s - b->now;
	*ret = b->sleep(b, until.s);
	if (b->stop_at && b->now >= b->stop_at)
		*ret = AGENT_STOP;
	return ST_OK;
}

static enum agent_event undisturbed(struct bench *b, int64_t until)
{
	b->now = until > b->now ? until : b->now + 1;
	return AGENT_LOOK;
}

static enum status no_ca(void *ctx, struct ca *ret, struct error *e)
{
	struct bench *b = ctx;
	(void)ret;
	assert_true(b->attempts_n < MOST);
	b->attempts[b->attempts_n++] = b->now;
	return error_set(e, ST_IO, "nobody there");
}

static void keep_line(void *ctx, enum voice_level level, const char *text)
{
	struct bench *b = ctx;
	buf_addf(&b->log, "%s %s\n", level == VOICE_ERROR ? "ERROR" : "INFO", text);
}

static void write_pair(const char *crt, const char *key_path, int64_t at)
{
	struct error e = ERROR_INIT;
	struct issued got;
	AUTO(buf_done) struct buf pem = BUF_INIT(1 << 16), key_pem = BUF_SECRET(1 << 16);
	testca_issue(testca, key, "foo.example", (struct wall){ at }, &got);
	struct cert *v[] = { got.cert };
	chain_format_pem(&(struct chain){ v, 1 }, &pem);
	assert_int_equal(keyfile_format(key, KEYFILE_NATIVE, SLICE_NONE, &key_pem, &e), ST_OK);
	unlink(crt);
	put_file(crt, buf_cstr(&pem), 0600);
	put_file(key_path, buf_cstr(&key_pem), 0600);
	issued_done(&got);
}

static struct bench bench_new(enum agent_event (*sleep)(struct bench *b, int64_t until), int64_t stop_at)
{
	return (struct bench){ .now = ISSUED, .sleep = sleep, .stop_at = stop_at, .log = BUF_INIT(1 << 20) };
}

static void bench_done(struct bench *b)
{
	buf_done(&b->log);
}

static void run_n(struct bench *b, const char *const *crts, const char *const *keys, size_t n)
{
	const struct clock clock = { .wall = bench_now, .ctx = b };
	const struct agent_world world = { &clock, bench_wait, b };
	const struct voice voice = { keep_line, b };
	struct pair_conf confs[PAIRS] = { 0 };
	const struct pair_conf *list[PAIRS];
	struct error e = ERROR_INIT;
	for (size_t i = 0; i < n; i++) {
		confs[i] = (struct pair_conf){ .crt = crts[i],
			                       .key = keys[i],
			                       .remember = true,
			                       .clock = &clock,
			                       .rule = b->rule,
			                       .deploy = b->deploy,
			                       .open_ca = no_ca,
			                       .ctx = b,
			                       .voice = &voice };
		list[i] = &confs[i];
	}
	if (agent_run_in(&world, list, n, &voice, &e))
		fail_msg("%s", e.text);
}

/* A new pair, and the daemon on it until the bench stops. */
static void run(struct bench *b)
{
	const char *crt = in_scratch("a.crt"), *key_path = in_scratch("a.key");
	run_n(b, &crt, &key_path, 1);
}

static void fresh(void)
{
	write_pair(in_scratch("a.crt"), in_scratch("a.key"), ISSUED);
	unlink(in_scratch(".a.crt.state"));
}

static size_t said(struct bench *b, const char *text)
{
	size_t n = 0;
	for (const char *at = b->log.n ? buf_cstr(&b->log) : ""; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void sleeps_are_short_and_the_deadline_is_kept(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(undisturbed, ISSUED + 17 * HOUR);
	fresh();
	run(&b);
	for (size_t i = 0; i < b.waits; i++)
		assert_in_range(b.slept[i], 0, PLAN_SLEEP_MAX_S);
	assert_true(b.attempts_n >= 2);
	/* two thirds of 24h1m, less a jitter of a twentieth */
	assert_in_range(b.attempts[0], ISSUED + 57580 - 4323, ISSUED + 57580);
	assert_in_range(b.attempts[1] - b.attempts[0], 45, 75);
	assert_int_equal(said(&b, "INFO first renewal in 1"), 1);
	/* waking up costs nothing: a quarter of an hour each, and the attempts */
	assert_in_range(b.waits, 60, 64 + b.attempts_n + 6);
}

/* The lid is closed at the first wake-up and opened 20 hours later: a timer on wall time has expired meanwhile. */
static enum agent_event lid(struct bench *b, int64_t until)
{
	if (b->phase++ == 3) {
		b->now += 20 * HOUR;
		return AGENT_LOOK;
	}
	return undisturbed(b, until);
}

static void suspend_over_the_deadline(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(lid, ISSUED + 21 * HOUR);
	fresh();
	run(&b);
	assert_true(b.attempts_n >= 1);
	int64_t woke = ISSUED + 20 * HOUR;
	for (size_t i = 0; i < 3; i++)
		woke += b.slept[i] ? b.slept[i] : 1;
	assert_int_equal(b.attempts[0], woke);
}

/* Set back by three years, found out a while later, set right. */
static enum agent_event set_back(struct bench *b, int64_t until)
{
	enum { BACK = 3 * 365 * DAY };
	switch (b->phase++) {
	case 2:
		b->now -= BACK;
		return AGENT_CLOCK_SET;
	case 5:
		b->now += BACK;
		return AGENT_CLOCK_SET;
	default:
		return undisturbed(b, until);
	}
}

static void clock_set_back_and_right_again(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(set_back, ISSUED + 16 * HOUR);
	fresh();
	run(&b);
	assert_int_equal(said(&b, "ERROR the clock says 2027-03-"), 1);
	assert_int_equal(said(&b, "but the certificate begins at"), 1);
	/* while in doubt it looks every minute, and asks nobody */
	assert_int_equal(b.slept[3], PLAN_DOUBT_SLEEP_S);
	assert_int_equal(b.slept[4], PLAN_DOUBT_SLEEP_S);
	assert_true(b.attempts_n >= 1);
	assert_in_range(b.attempts[0], ISSUED + 57580 - 4323, ISSUED + 57580);
}

/* A machine that came up behind its time: NTP sets it ahead, over the deadline. */
static enum agent_event set_ahead(struct bench *b, int64_t until)
{
	if (b->phase++ == 2) {
		b->now = ISSUED + 20 * HOUR;
		return AGENT_CLOCK_SET;
	}
	return undisturbed(b, until);
}

static void clock_set_ahead_over_the_deadline(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(set_ahead, ISSUED + 20 * HOUR + MIN);
	fresh();
	run(&b);
	assert_true(b.attempts_n >= 1);
	assert_int_equal(b.attempts[0], ISSUED + 20 * HOUR);
}

/* The record is not ours to write: what was drawn and what has failed is kept in memory. */
static void a_record_that_cannot_be_stored(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(undisturbed, ISSUED + 19 * HOUR);
	const char *record = in_scratch(".a.crt.state");
	fresh();
	put_file(record, "{\"version\":1}", 0666);
	assert_int_equal(chmod(record, 0666), 0);
	run(&b);
	assert_int_equal(said(&b, "others may have written it"), said(&b, "is not used"));
	assert_true(said(&b, "is not used") >= 1);
	assert_in_range(b.attempts[0], ISSUED + 57580 - 4323, ISSUED + 57580);
	/* three hours of failures, doubled from a minute: some ten, not one at each look */
	assert_in_range(b.attempts_n, 6, 14);
	assert_true(b.attempts[5] - b.attempts[4] > 2 * (b.attempts[1] - b.attempts[0]));
	char text[64] = "";
	FILE *f = fopen(record, "r");
	assert_true(f && fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "{\"version\":1}");
}

/* Once it can be stored, it is, with what was in memory. */
static enum agent_event made_ours(struct bench *b, int64_t until)
{
	if (b->attempts_n == 4 && b->phase++ == 0)
		unlink(in_scratch(".a.crt.state"));
	return undisturbed(b, until);
}

static void a_record_that_can_be_stored_again(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(made_ours, ISSUED + 19 * HOUR);
	struct error e = ERROR_INIT;
	struct recordfile file;
	struct record r;
	fresh();
	put_file(in_scratch(".a.crt.state"), "{\"version\":1}", 0666);
	assert_int_equal(chmod(in_scratch(".a.crt.state"), 0666), 0);
	run(&b);
	assert_in_range(b.attempts_n, 6, 14);
	assert_int_equal(recordfile_load(in_scratch("a.crt"), NULL, &file, &r, &e), ST_OK);
	assert_true(file.exists);
	assert_int_equal(r.failures, b.attempts_n);
	assert_int_equal(mode_of(in_scratch(".a.crt.state")), 0600);
}

static enum agent_event a_second(struct bench *b, int64_t until)
{
	(void)until;
	b->now++;
	return AGENT_LOOK;
}

/* Power off in the middle of failures, and on again: the record knows when the next attempt is due. */
static void a_restart_asks_no_sooner(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(undisturbed, ISSUED + 18 * HOUR);
	fresh();
	run(&b);
	size_t before = b.attempts_n;
	assert_in_range(before, 4, 12);
	for (int i = 0; i < 20; i++) {
		b.sleep = a_second;
		b.stop_at = b.now + 2;
		run(&b);
	}
	assert_in_range(b.attempts_n, before, before + 1); /* in 40 seconds */
	assert_int_equal(said(&b, "first renewal in"), 21);
}

static enum agent_event somebody_renews(struct bench *b, int64_t until)
{
	if (b->phase++ == 5)
		write_pair(in_scratch("a.crt"), in_scratch("a.key"), b->now);
	if (b->phase == 10)
		unlink(in_scratch("a.key"));
	return undisturbed(b, until);
}

static void another_process_renews_and_a_key_goes(void **state)
{
	(void)state;
	AUTO(bench_done) struct bench b = bench_new(somebody_renews, ISSUED + 6 * HOUR);
	fresh();
	run(&b);
	assert_int_equal(said(&b, "INFO foo.example certificate was renewed by another process, next in 1"), 1);
	/* without its key it is not asked for, and that is told once, not each minute */
	assert_int_equal(b.attempts_n, 0);
	assert_int_equal(said(&b, "ERROR error loading private key: open "), 1);
}

static void add(struct deploy *d, enum owed_when when, const char *word)
{
	struct error e = ERROR_INIT;
	char command[PATH_MAX];
	snprintf(command, sizeof command,
	         "sh -c 'echo \"%s $STEP_HOOK_EVENT $STEP_HOOK_COMMON_NAME $STEP_HOOK_ERROR\" >>%s'", word,
	         in_scratch("hooks"));
	if (deploy_add_exec(d, when, "exec", command, &e))
		fail_msg("%s", e.text);
}

/* The CA stays away: the commands for it run once each, at the first failure and at each threshold behind the planned
 * renewal, and what follows a renewal does not. */
static void a_dying_certificate_is_told(void **state)
{
	(void)state;
	static const struct {
		int64_t expires_in_ns;
		size_t want;
		const char *left[4];
	} rows[] = {
		{ 0, 3, { "less than 25 %", "less than 10 %", "has expired" } },
		{ 20 * DURATION_H, 4, { "less than 50 %", "less than 25 %", "less than 10 %", "has expired" } },
		{ DURATION_H, 1, { "has expired" } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(bench_done) struct bench b = bench_new(undisturbed, ISSUED + 24 * HOUR + 20 * MIN);
		struct deploy d = { .exec_timeout_ms = 60000 };
		add(&d, OWED_ON_DEPLOY, "deploy");
		add(&d, OWED_ON_FAILURE, "failure");
		add(&d, OWED_ON_EXPIRING, "expiring");
		fresh();
		unlink(in_scratch("hooks"));
		b.rule.expires_in_ns = rows[i].expires_in_ns;
		b.deploy = &d;
		run(&b);
		for (size_t k = 0; k < rows[i].want; k++)
			assert_int_equal(said(&b, rows[i].left[k]), 1);
		assert_int_equal(said(&b, " of its life is left") + said(&b, "has expired"), rows[i].want);
		FILE *f = fopen(in_scratch("hooks"), "r");
		char line[512];
		size_t failed = 0, expiring = 0;
		while (f && fgets(line, sizeof line, f)) {
			failed += strcmp(line, "failure failed foo.example nobody there\n") == 0;
			expiring += strcmp(line, "expiring expiring foo.example nobody there\n") == 0;
			assert_null(strstr(line, "deploy"));
		}
		if (f)
			fclose(f);
		assert_int_equal(failed, 1);
		assert_int_equal(expiring, rows[i].want);
		deploy_done(&d);
	}
}

static enum agent_event hup(struct bench *b, int64_t until)
{
	(void)until;
	b->now += 10;
	return b->phase++ < 3 ? AGENT_RENEW_NOW : AGENT_STOP;
}

static void many_pairs_each_at_its_time(void **state)
{
	(void)state;
	static char names[2 * PAIRS][PATH_MAX];
	const char *crts[PAIRS], *keys[PAIRS];
	for (size_t i = 0; i < PAIRS; i++) {
		char name[32];
		snprintf(name, sizeof name, "p%zu.crt", i);
		snprintf(names[2 * i], PATH_MAX, "%s", in_scratch(name));
		snprintf(name, sizeof name, "p%zu.key", i);
		snprintf(names[2 * i + 1], PATH_MAX, "%s", in_scratch(name));
		crts[i] = names[2 * i];
		keys[i] = names[2 * i + 1];
		/* in an order that is nobody's: 7 and 40 have no common divisor */
		write_pair(crts[i], keys[i], ISSUED - (int64_t)(i * 7 % PAIRS) * 10 * MIN);
	}
	AUTO(bench_done) struct bench b = bench_new(undisturbed, ISSUED + 9 * HOUR + 1);
	b.stop_at = ISSUED + 9 * HOUR;
	run_n(&b, crts, keys, PAIRS);
	/* the oldest began 6.5 hours ago: due in 8.3 to 9.5 hours; none of the young ones is */
	for (size_t i = 0; i < b.attempts_n; i++)
		assert_true(b.attempts[i] >= ISSUED + 57580 - 4323 - 39 * 10 * MIN);
	assert_in_range(said(&b, "first renewal in"), PAIRS, PAIRS);
	AUTO(bench_done) struct bench now = bench_new(hup, 0);
	run_n(&now, crts, keys, PAIRS);
	assert_int_equal(now.attempts_n, 3 * PAIRS); /* each of them, at each SIGHUP */
}

static int make(void **state)
{
	struct error e = ERROR_INIT;
	const struct key_spec p256 = { .kind = KEY_EC, .curve = "P-256" };
	testca = testca_new(NULL);
	return key_generate(&p256, &key, &e) || scratch_make(state);
}

static int drop(void **state)
{
	testca_free(testca);
	EVP_PKEY_free(key);
	return scratch_drop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps_are_short_and_the_deadline_is_kept),
		cmocka_unit_test(suspend_over_the_deadline),
		cmocka_unit_test(clock_set_back_and_right_again),
		cmocka_unit_test(clock_set_ahead_over_the_deadline),
		cmocka_unit_test(a_record_that_cannot_be_stored),
		cmocka_unit_test(a_record_that_can_be_stored_again),
		cmocka_unit_test(a_restart_asks_no_sooner),
		cmocka_unit_test(another_process_renews_and_a_key_goes),
		cmocka_unit_test(a_dying_certificate_is_told),
		cmocka_unit_test(many_pairs_each_at_its_time),
	};
	return cmocka_run_group_tests(tests, make, drop);
}
