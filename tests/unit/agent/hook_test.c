#include "agent/hook.h"

#include "scratch.h"

#include <errno.h>
#include <signal.h>

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Lines as they came, joined by '|'. */
struct heard {
	struct buf text;
	unsigned lines;
};

static void hear(void *ctx, struct slice line)
{
	struct heard *h = ctx;
	buf_addf(&h->text, "%.*s|", SLICE_FMT(line));
	h->lines++;
}

static void output_is_told_by_line(void **state)
{
	(void)state;
	static const struct {
		const char *script, *told;
	} cases[] = {
		{ "echo a; echo b >&2", "a|b|" },
		{ "printf 'no newline'", "no newline|" },
		{ "true", "" },
		{ "echo; echo x", "|x|" },
		{ "cat", "" },                       /* stdin is empty */
		{ "(sleep 1000 & echo up)", "up|" }, /* what it leaves behind is not waited for */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct heard heard = { .text = BUF_INIT(1000) };
		struct error e = ERROR_INIT;
		struct hook_end end;
		struct hook h = { .argv = ARGV("sh", "-c", cases[i].script), .line = hear, .ctx = &heard };
		if (hook_run(&h, &end, &e))
			fail_msg("%s: %s", cases[i].script, e.text);
		assert_int_equal(hook_judge(&h, &end, &e), ST_OK);
		if (strcmp(buf_cstr(&heard.text), cases[i].told) != 0)
			fail_msg("%s: %s", cases[i].script, buf_cstr(&heard.text));
		buf_done(&heard.text);
	}
}

static void a_long_line_is_told_in_pieces(void **state)
{
	(void)state;
	struct heard heard = { .text = BUF_INIT(100000) };
	struct error e = ERROR_INIT;
	struct hook_end end;
	struct hook h = { .argv = ARGV("sh", "-c", "head -c 10000 /dev/zero | tr '\\0' x"),
		          .line = hear,
		          .ctx = &heard };
	assert_int_equal(hook_run(&h, &end, &e), ST_OK);
	assert_int_equal(heard.lines, 3);
	assert_int_equal(heard.text.n, 10003);
	buf_done(&heard.text);
}

static void ends_are_judged_in_the_peers_words(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		int64_t timeout_ms;
		const char *text;
	} cases[] = {
		{ "exit 3", 0, "exit status 3" },
		{ "exit 255", 60000, "exit status 255" },
		{ "kill -9 $$", 0, "signal: killed" },
		{ "kill -15 $$", 0, "signal: terminated" },
		{ "kill -1 $$", 0, "signal: hangup" },
		{ "sleep 1000", 50, "sh: killed after 50ms" },
		{ "trap '' TERM; sleep 0.2", 50, "sh: killed after 50ms" }, /* late is late, however it ends */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		struct hook_end end;
		struct hook h = { .argv = ARGV("sh", "-c", cases[i].script), .timeout_ms = cases[i].timeout_ms };
		assert_int_equal(hook_run(&h, &end, &e), ST_OK);
		assert_int_equal(hook_judge(&h, &end, &e), ST_IO);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void what_cannot_start_is_told(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct hook_end end;
	struct hook h = { .argv = ARGV("perennial-nosuch") };
	unsigned fds = open_fds();
	assert_int_equal(hook_run(&h, &end, &e), ST_MISSING);
	assert_string_equal(e.text, "exec: \"perennial-nosuch\": executable file not found in $PATH");
	h.argv = ARGV("/dev/null");
	assert_int_equal(hook_run(&h, &end, &e), ST_IO);
	assert_string_equal(e.text, "fork/exec /dev/null: permission denied");
	assert_int_equal(open_fds(), fds);
}

/* The grandchild holds a FIFO open: once it is gone too, reading ends. */
static void the_time_limit_kills_the_whole_group(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct hook_end end;
	char script[PATH_MAX + 100];
	const char *fifo = in_scratch("fifo");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	snprintf(script, sizeof script, "sleep 1000 >%s & wait", fifo);
	struct hook h = { .argv = ARGV("sh", "-c", script), .timeout_ms = 300 };
	assert_int_equal(hook_run(&h, &end, &e), ST_OK);
	assert_true(end.timed_out);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	char c;
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
}

static void it_runs_in_a_session_of_its_own_without_our_descriptors(void **state)
{
	(void)state;
	struct heard heard = { .text = BUF_INIT(1000) };
	struct error e = ERROR_INIT;
	struct hook_end end;
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
	struct hook h = { .argv = ARGV("sh", "-c",
		                       "set -- $(cat /proc/self/stat); [ $5 = $$ ] && [ $6 = $$ ] && echo own; ls "
		                       "/proc/self/fd | tr '\\n' ' '"),
		          .line = hear,
		          .ctx = &heard };
	assert_int_equal(hook_run(&h, &end, &e), ST_OK);
	close(leak);
	assert_string_equal(buf_cstr(&heard.text), "own|0 1 2 3 |"); /* 3 is the folder that ls reads */
	buf_done(&heard.text);
}

static void secrets_stay_here(void **state)
{
	(void)state;
	static const struct {
		const char *variable;
		bool passes;
	} cases[] = {
		{ "PATH=/bin", true },
		{ "HOME=/", true },
		{ "STEPPATH=/etc/step", true },
		{ "STEP_CA_URL=https://ca", true },
		{ "STEP_ROOT=/a/PASSWORD", true }, /* the name counts */
		{ "MY_TOKEN=1", true },
		{ "STEP_TOKEN=x", false },
		{ "STEP_PASSWORD_FILE=/x", false },
		{ "STEP_PROVISIONER_PASSWORD_FILE=/x", false },
		{ "STEP_P12_PASSWORD_FILE=/x", false },
		{ "STEP_ANY_SECRET=x", false },
		{ "STEP_TOKEN", false },
		{ "NOTIFY_SOCKET=/run/x", false },
		{ "WATCHDOG_USEC=1", false },
		{ "WATCHDOG_PID=1", false },
		{ "LISTEN_FDS=1", false },
		{ "STEP_HOOK_ERROR=of somebody else", false },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (hook_env_passes(cases[i].variable) != cases[i].passes)
			fail_msg("%s", cases[i].variable);
}

static void facts_arrive_as_they_are(void **state)
{
	(void)state;
	struct heard heard = { .text = BUF_INIT(2000) };
	struct error e = ERROR_INIT;
	struct hook_env env = { 0 };
	struct hook_end end;
	const struct hook_facts facts = { .cert_file = "/a b/\"x\".crt",
		                          .key_file = "k",
		                          .serial = "12",
		                          .names = "a\nb",
		                          .not_after = "2030-01-01T00:00:00Z",
		                          .event = "renewed",
		                          .attempt = 2 };
	assert_int_equal(hook_env_make(ARGV("PATH=/usr/bin:/bin", "STEP_TOKEN=x", "A="), &facts, &env, &e), ST_OK);
	struct hook h = { .argv = ARGV("env"), .env = env.vars, .line = hear, .ctx = &heard };
	assert_int_equal(hook_run(&h, &end, &e), ST_OK);
	assert_string_equal(buf_cstr(&heard.text),
	                    "PATH=/usr/bin:/bin|A=|STEP_HOOK_CERT_FILE=/a b/\"x\".crt|STEP_HOOK_KEY_FILE=k|"
	                    "STEP_HOOK_SERIAL=12|STEP_HOOK_NAMES=a|b|STEP_HOOK_NOT_AFTER=2030-01-01T00:00:00Z|"
	                    "STEP_HOOK_EVENT=renewed|STEP_HOOK_ATTEMPT=2|");
	hook_env_done(&env);
	buf_done(&heard.text);
}

static void an_attached_hook_has_our_output(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct hook_end end = { 0 };
	const char *out = in_scratch("out");
	int saved = dup(1), fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fflush(stdout);
	dup2(fd, 1);
	struct hook h = { .argv = ARGV("sh", "-c", "echo here; exit 4"), .attached = true };
	enum status st = hook_run(&h, &end, &e);
	dup2(saved, 1);
	close(saved);
	close(fd);
	assert_int_equal(st, ST_OK);
	assert_int_equal(end.how.status, 4);
	assert_string_equal(get_file(out), "here\n");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(output_is_told_by_line),
		CASE(a_long_line_is_told_in_pieces),
		CASE(ends_are_judged_in_the_peers_words),
		CASE(what_cannot_start_is_told),
		CASE(the_time_limit_kills_the_whole_group),
		CASE(it_runs_in_a_session_of_its_own_without_our_descriptors),
		CASE(secrets_stay_here),
		CASE(facts_arrive_as_they_are),
		CASE(an_attached_hook_has_our_output),
	};
	return cmocka_run_group_tests_name("agent/hook", tests, NULL, NULL);
}
