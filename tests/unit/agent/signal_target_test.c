#include "agent/signal_target.h"

#include "scratch.h"

#include <signal.h>
#include <sys/wait.h>

static void pid_files_are_read_as_the_peer_does(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		enum status st;
		const char *text;
	} cases[] = {
		{ "123\n", ST_OK, "" },
		{ " 123 ", ST_OK, "" },
		{ "0", ST_INVALID, "invalid value '0' for flag '--pid-file'" },
		{ "-5", ST_INVALID, "invalid value '-5' for flag '--pid-file'" },
		{ "nginx", ST_INVALID, "error converting nginx to integer process id: " },
		{ "", ST_INVALID, "error converting  to integer process id: " },
		{ "12 13", ST_INVALID, "error converting 12 13 to integer process id: " },
		{ "99999999999999999999", ST_INVALID, "error converting " },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		pid_t pid = 0;
		put_file(in_scratch("pid"), cases[i].content, 0600);
		assert_int_equal(pid_file_read(in_scratch("pid"), &pid, &e), cases[i].st);
		if (strncmp(e.text, cases[i].text, strlen(cases[i].text)) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(pid, cases[i].st ? 0 : 123);
	}
	struct error e = ERROR_INIT;
	pid_t pid;
	assert_int_equal(pid_file_read(in_scratch("none"), &pid, &e), ST_MISSING);
	assert_non_null(strstr(e.text, "none failed: no such file or directory"));
}

static pid_t sleeper(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static int signal_of(pid_t pid)
{
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how));
	return WTERMSIG(how);
}

static void the_file_is_read_when_the_signal_is_sent(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct signal_target t = SIGNAL_TARGET_NONE;
	t.file = in_scratch("pid");
	t.sig = SIGUSR1;
	for (int i = 0; i < 2; i++) { /* a process, then the one that took its place */
		char text[16];
		pid_t pid = sleeper();
		snprintf(text, sizeof text, "%d\n", (int)pid);
		put_file(t.file, text, 0600);
		assert_int_equal(signal_target_send(&t, &e), ST_OK);
		assert_int_equal(signal_of(pid), SIGUSR1);
	}
	assert_int_equal(signal_target_send(&t, &e), ST_IO);
	assert_non_null(strstr(e.text, " with signal 10 failed: no such process"));
}

static void a_held_process_is_the_one_that_is_meant(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct signal_target t = SIGNAL_TARGET_NONE;
	pid_t pid = sleeper();
	t.pid = pid;
	t.sig = SIGTERM;
	signal_target_hold(&t);
	assert_true(t.pidfd >= 0);
	assert_int_equal(signal_target_send(&t, &e), ST_OK);
	assert_int_equal(signal_of(pid), SIGTERM);
	/* the number is free now; whoever gets it is not meant */
	assert_int_equal(signal_target_send(&t, &e), ST_IO);
	signal_target_done(&t);
	assert_int_equal(t.pidfd, -1);
}

static void nobody_there_is_told_in_the_peers_words(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct signal_target t = SIGNAL_TARGET_NONE;
	t.pid = 999999999;
	t.sig = 1;
	signal_target_hold(&t);
	assert_int_equal(t.pidfd, -1);
	assert_int_equal(signal_target_send(&t, &e), ST_IO);
	assert_string_equal(e.text, "kill 999999999 with signal 1 failed: no such process");
	t.pid = getpid();
	t.sig = 1000;
	assert_int_equal(signal_target_send(&t, &e), ST_IO);
	assert_non_null(strstr(e.text, "invalid argument"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pid_files_are_read_as_the_peer_does),
		CASE(the_file_is_read_when_the_signal_is_sent),
		CASE(a_held_process_is_the_one_that_is_meant),
		CASE(nobody_there_is_told_in_the_peers_words),
	};
	return cmocka_run_group_tests_name("agent/signal_target", tests, NULL, NULL);
}
