#include "os/process.h"

#include "os/auto.h"
#include "os/file.h"
#include "scratch.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void run(struct process_spec s, int status, int sig)
{
	struct error e = ERROR_INIT;
	AUTO(process_done) struct process p = PROCESS_NONE;
	struct process_end end = { -1, -1 };
	if (process_spawn(&s, &p, &e))
		fail_msg("%s", e.text);
	assert_int_equal(process_wait(&p, &end, &e), ST_OK);
	assert_int_equal(end.status, status);
	assert_int_equal(end.signal, sig);
	assert_int_equal(p.pid, 0);
}

static const struct process_spec quiet = { .in = -1, .out = -1, .err = -1, .fd3 = -1 };

static void the_end_is_reported(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		int status, signal;
	} cases[] = {
		{ "exit 0", 0, 0 }, { "exit 7", 7, 0 }, { "kill -9 $$", 0, SIGKILL }, { "kill -15 $$", 0, SIGTERM }
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct process_spec s = quiet;
		s.argv = ARGV("sh", "-c", cases[i].script);
		run(s, cases[i].status, cases[i].signal);
	}
}

static void what_cannot_run_is_told_as_the_peer_does(void **state)
{
	(void)state;
	put_file(in_scratch("plain"), "#!/bin/sh\n", 0644);
	put_file(in_scratch("orphan"), "#!/none/such\n", 0755);
	const struct {
		const char *program;
		enum status st;
		const char *text;
	} cases[] = {
		{ "perennial-nosuch", ST_MISSING, "exec: \"perennial-nosuch\": executable file not found in $PATH" },
		{ in_scratch("plain"), ST_IO, "permission denied" },
		{ in_scratch("none"), ST_MISSING, "no such file or directory" },
		{ in_scratch("orphan"), ST_MISSING, "no such file or directory" },
		{ scratch_dir, ST_IO, "permission denied" },
	};
	unsigned fds = open_fds();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct error e = ERROR_INIT;
		struct process p = PROCESS_NONE;
		struct process_spec s = quiet;
		s.argv = ARGV(cases[i].program);
		enum status st = process_spawn(&s, &p, &e);
		if (st != cases[i].st || !strstr(e.text, cases[i].text))
			fail_msg("%s: %s", cases[i].program, e.text);
		assert_int_equal(p.pid, 0);
		process_done(&p);
	}
	assert_int_equal(open_fds(), fds);
}

/* Arguments reach the child as they are; no shell reads them. */
static void descriptors_arguments_and_environment_arrive(void **state)
{
	(void)state;
	const char *out = in_scratch("out");
	int fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), leak = open(out, O_RDONLY); /* not close-on-exec */
	assert_true(fd >= 0 && leak >= 0);
	struct process_spec s = quiet;
	s.out = s.err = fd;
	s.argv = ARGV("sh", "-c", "printf '%s|' \"$@\" \"$A\" \"$HOME\"; ls /proc/self/fd | tr '\\n' ' '; echo bad >&2",
	              "sh", "$(id)", "a b", "");
	s.env = ARGV("A=1", "PATH=/usr/bin:/bin");
	run(s, 0, 0);
	/* ls itself has the folder open as 3. */
	assert_string_equal(get_file(out), "$(id)|a b||1||0 1 2 3 bad\n");
	close(fd);
	close(leak);
}

static void a_socket_becomes_descriptor_3(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	AUTO(process_done) struct process p = PROCESS_NONE;
	struct process_spec s = quiet;
	s.argv = ARGV("sh", "-c", "read line <&3; echo \"got $line\" >&3");
	s.fd3 = pair[1];
	assert_int_equal(process_spawn(&s, &p, &e), ST_OK);
	close(pair[1]);
	assert_int_equal(fd_write_all(pair[0], SLICE_LIT("hello\n"), "socket", &e), ST_OK);
	AUTO(buf_done) struct buf got = BUF_INIT(100);
	assert_int_equal(fd_read_all(pair[0], &got, "socket", &e), ST_OK);
	assert_string_equal(buf_cstr(&got), "got hello\n");
	close(pair[0]);
	struct process_end end;
	assert_int_equal(process_wait(&p, &end, &e), ST_OK);
	assert_int_equal(process_wait(&p, &end, &e), ST_BUG);
}

/* Any of our descriptors may become any of the child's, crosswise as well. */
static void descriptors_may_cross(void **state)
{
	(void)state;
	int files[4], saved[4];
	const char *names[4] = { "f0", "f1", "f2", "f3" };
	for (int i = 0; i < 4; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		char text[] = { (char)('0' + i), '\n', '\0' };
		put_file(in_scratch(names[i]), text, 0600);
		files[i] = open(in_scratch(names[i]), O_RDWR | O_APPEND | O_CLOEXEC);
	}
	for (int i = 0; i < 4; i++) {
		int high = fcntl(files[i], F_DUPFD_CLOEXEC, 200);
		close(files[i]);
		files[i] = high;
	}
	for (int i = 0; i < 4; i++)
		dup2(files[i], i);
	struct error e = ERROR_INIT;
	struct process p = PROCESS_NONE;
	struct process_end end = { -1, -1 };
	const struct process_spec s = { .argv = ARGV("sh", "-c",
		                                     "read x; echo $x to1; echo $x to2 >&2; echo $x to3 >&3"),
		                        .in = 3,
		                        .out = 2,
		                        .err = 0,
		                        .fd3 = 1 };
	enum status st = process_spawn(&s, &p, &e);
	if (!st)
		st = process_wait(&p, &end, &e);
	for (int i = 0; i < 4; i++) {
		if (saved[i] >= 0)
			dup2(saved[i], i), close(saved[i]);
		else
			close(i);
		close(files[i]);
	}
	assert_int_equal(st, ST_OK);
	assert_int_equal(end.status, 0);
	assert_string_equal(get_file(in_scratch("f2")), "2\n3 to1\n");
	assert_string_equal(get_file(in_scratch("f0")), "0\n3 to2\n");
	assert_string_equal(get_file(in_scratch("f1")), "1\n3 to3\n");
}

static void signals_start_afresh(void **state)
{
	(void)state;
	sigset_t block, was;
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &was);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	struct process_spec s = quiet;
	s.argv = ARGV("sh", "-c",
	              "grep -q '^SigBlk:.0*$' /proc/self/status && grep -q '^SigIgn:.*0000000$' /proc/self/status");
	run(s, 0, 0);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

static void a_child_is_killed_and_reaped(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct process p = PROCESS_NONE;
	struct process_spec s = quiet;
	s.argv = ARGV("sleep", "1000");
	bool ended = true;
	struct process_end end;
	process_kill(&p, SIGKILL); /* nobody yet */
	process_done(&p);
	assert_int_equal(process_spawn(&s, &p, &e), ST_OK);
	assert_int_equal(process_poll(&p, &ended, &end, &e), ST_OK);
	assert_false(ended);
	process_kill(&p, SIGTERM);
	assert_int_equal(process_wait(&p, &end, &e), ST_OK);
	assert_int_equal(end.signal, SIGTERM);
	assert_int_equal(process_spawn(&s, &p, &e), ST_OK);
	pid_t pid = p.pid;
	process_done(&p);
	assert_int_equal(p.pid, 0);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* What it started goes with it: the group's last member closes the pipe. */
static void a_session_is_killed_as_a_whole(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct process p = PROCESS_NONE;
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct process_spec s = quiet;
	s.out = ends[1];
	s.session = true;
	s.argv = ARGV("sh", "-c", "sleep 1000 & echo up; wait");
	assert_int_equal(process_spawn(&s, &p, &e), ST_OK);
	close(ends[1]);
	char text[3];
	assert_int_equal(read(ends[0], text, sizeof text), 3);
	assert_int_equal(getsid(p.pid), p.pid);
	process_done(&p);
	assert_int_equal(read(ends[0], text, sizeof text), 0);
	close(ends[0]);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_end_is_reported),
		CASE(what_cannot_run_is_told_as_the_peer_does),
		CASE(descriptors_arguments_and_environment_arrive),
		CASE(a_socket_becomes_descriptor_3),
		CASE(descriptors_may_cross),
		CASE(signals_start_afresh),
		CASE(a_child_is_killed_and_reaped),
		CASE(a_session_is_killed_as_a_whole),
	};
	return cmocka_run_group_tests_name("os/process", tests, NULL, NULL);
}
