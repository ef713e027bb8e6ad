/* A person at a pseudo-terminal: the test plays the person, a child with that terminal asks. */
#include "os/term.h"

#include "os/file.h"
#include "scratch.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

enum { SHOWN = 8192, OK = 0 };

static struct {
	char shown[SHOWN]; /* on the terminal, everything */
	char answer[256];  /* what the call returned: "status text" */
	int exit, signal;
	bool same_terminal; /* as it was before */
} result;

enum call { LINE, PASSWORD, YES_NO, CHOOSE };

static void call_it(enum call what, int answer_fd)
{
	static const char *const options[] = { "EC", "RSA", "OKP" };
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf b = BUF_INIT(64);
	bool yes = false;
	size_t chosen = 99;
	enum status st = ST_BUG;
	switch (what) {
	case LINE:
		st = term_line("Name", &b, &e);
		break;
	case PASSWORD:
		st = term_password("Password", &b, &e);
		break;
	case YES_NO:
		st = term_yes_no("Overwrite [y/n]", &yes, &e);
		buf_adds(&b, yes ? "yes" : "no");
		break;
	case CHOOSE:
		st = term_choose("Key type", options, COUNT_OF(options), &chosen, &e);
		buf_addf(&b, "%zu", chosen);
		break;
	}
	char text[256];
	int n = snprintf(text, sizeof text, "%s %s", status_name(st), st ? e.text : buf_cstr(&b));
	if (write(answer_fd, text, (size_t)n) != n)
		_exit(9);
}

static void read_all(int fd, char *out, size_t max)
{
	size_t n = 0;
	for (ssize_t got; n < max - 1 && (got = read(fd, out + n, max - 1 - n)) > 0;)
		n += (size_t)got;
	out[n] = '\0';
}

/* Waits until the terminal shows a prompt's end; what was shown stays in result.shown. */
static void wait_for_prompt(int master)
{
	size_t n = 0;
	while (!strstr(result.shown, ": ") && !strstr(result.shown, ":\033[0m ")) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		if (poll(&p, 1, 20000) != 1)
			fail_msg("the terminal shows only: %s", result.shown);
		ssize_t got = read(master, result.shown + n, SHOWN - 1 - n);
		if (got <= 0)
			return;
		n += (size_t)got;
		result.shown[n] = '\0';
	}
}

/* keys go in once the prompt is there; sig goes to the child instead, where it is not 0. */
static void play(enum call what, bool piped_stdin, const char *keys, int sig)
{
	int master, slave, answer[2];
	struct termios before, after;
	memset(&result, 0, sizeof result);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Whatever goes wrong, it is not to outlive the test: with the master closed it is hung up. */
		alarm(60);
		close(master);
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		int null = open("/dev/null", O_RDONLY);
		dup2(piped_stdin ? null : slave, STDIN_FILENO);
		dup2(slave, STDERR_FILENO);
		call_it(what, answer[1]);
		_exit(0);
	}
	close(answer[1]);
	wait_for_prompt(master);
	if (sig)
		kill(pid, sig);
	else
		assert_int_equal(write(master, keys, strlen(keys)), strlen(keys));
	read_all(answer[0], result.answer, sizeof result.answer);
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	result.exit = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
	result.signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
	assert_int_equal(tcgetattr(slave, &after), 0);
	result.same_terminal = memcmp(&before, &after, sizeof before) == 0;
	fcntl(master, F_SETFL, O_NONBLOCK);
	size_t n = strlen(result.shown);
	read_all(master, result.shown + n, SHOWN - n);
	close(master);
	close(slave);
	close(answer[0]);
}

static int quiet_environment(void **state)
{
	(void)state;
	static const char *const names[] = { "STEP_NON_INTERACTIVE", "NO_COLOR", "CLICOLOR_FORCE", "TERM" };
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unsetenv(names[i]);
	return 0;
}

static void answers_are_read_and_the_terminal_restored(void **state)
{
	(void)state;
	static const struct {
		enum call what;
		const char *keys, *answer;
	} cases[] = {
		{ LINE, "hello\n", "ok hello" },
		{ LINE, "hello\r", "ok hello" },
		{ LINE, "\n", "ok " },
		{ LINE, "ab\177c\n", "ok ac" },
		{ LINE, "\177\177a\bb\n", "ok b" },
		{ LINE, "wrong\025right\n", "ok right" },
		{ LINE, "\xc3\xa9\177e\n", "ok e" },
		{ LINE, "a\033[Db\033[3~c\033OAd\n", "ok abcd" },
		{ LINE, "a\001\tb\n", "ok ab" },
		{ LINE, "ab\004c\n", "ok abc" },
		{ LINE, "0123456789012345678901234567890123456789012345678901234567890123456789\n",
		  "ok 0123456789012345678901234567890123456789012345678901234567890123" },
		{ LINE, "half\003", "denied ^C" },
		{ LINE, "\004", "denied ^D" },
		{ PASSWORD, "p4ss word \t\n", "ok p4ss word" },
		{ PASSWORD, "\xc3\xa4\n", "ok \xc3\xa4" },
		{ PASSWORD, "secret\003", "denied ^C" },
		{ PASSWORD, "\004", "denied ^D" },
		{ YES_NO, "y\n", "ok yes" },
		{ YES_NO, " YES \n", "ok yes" },
		{ YES_NO, "n\n", "ok no" },
		{ YES_NO, "No\n", "ok no" },
		{ YES_NO, "q\n\nyep\ny\n", "ok yes" },
		{ YES_NO, "\003", "denied ^C" },
		{ CHOOSE, "1\n", "ok 0" },
		{ CHOOSE, "0\n4\n-1\nEC\n3\n", "ok 2" },
		{ CHOOSE, "\003", "denied ^C" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (int piped = 0; piped < 2; piped++) {
			play(cases[i].what, piped, cases[i].keys, 0);
			if (strcmp(result.answer, cases[i].answer) != 0 || result.exit || !result.same_terminal)
				fail_msg("case %zu: %s (exit %d, %d): %s", i, result.answer, result.exit,
				         result.same_terminal, result.shown);
		}
	}
}

static void what_is_shown(void **state)
{
	(void)state;
	play(PASSWORD, false, "secret\n", 0);
	assert_null(strstr(result.shown, "secret"));
	assert_non_null(strstr(result.shown, "Password"));
	assert_non_null(strstr(result.shown, "******"));
	play(LINE, false, "visible\n", 0);
	assert_non_null(strstr(result.shown, "\033[34m?\033[0m \033[1mName\033[0m\033[1m:\033[0m visible"));
	play(YES_NO, false, "q\nn\n", 0);
	assert_non_null(strstr(result.shown, ">> q is not a valid answer"));
	play(CHOOSE, false, "1\n", 0);
	assert_non_null(strstr(result.shown, "1) EC"));
	assert_non_null(strstr(result.shown, "3) OKP"));
	assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
	play(LINE, false, "visible\n", 0);
	assert_non_null(strstr(result.shown, "? Name: visible"));
	assert_null(strchr(result.shown, '\033'));
}

static void a_signal_restores_the_terminal_first(void **state)
{
	(void)state;
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		signal(signals[i], SIG_DFL); /* whoever runs the tests may ignore it, as nohup does */
		play(PASSWORD, false, NULL, signals[i]);
		assert_int_equal(result.signal, signals[i]);
		assert_true(result.same_terminal);
	}
}

/* In a session without a terminal. */
static void alone(const char *non_interactive, const char *want)
{
	int answer[2];
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setsid();
		if (non_interactive)
			setenv("STEP_NON_INTERACTIVE", non_interactive, 1);
		int null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(answer[1], STDERR_FILENO);
		for (enum call c = LINE; c <= CHOOSE; c++)
			call_it(c, answer[1]);
		_exit(term_interactive());
	}
	close(answer[1]);
	static char got[2048];
	read_all(answer[0], got, sizeof got);
	close(answer[0]);
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	unsigned times = 0;
	for (const char *at = got; (at = strstr(at, want)); at++)
		times++;
	/* All four say so, and none shows a prompt first. */
	if (times != 4 || strstr(got, "1) EC"))
		fail_msg("%s", got);
}

static void without_a_terminal_nothing_is_asked(void **state)
{
	(void)state;
	alone(NULL, "missing error allocating terminal: open /dev/tty: no such device or address");
	alone("0", "missing error allocating terminal: open /dev/tty: no such device or address");
	alone("1", "because STEP_NON_INTERACTIVE is set");
}

static void interactive_means_a_terminal_and_leave_to_use_it(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool want;
	} cases[] = { { NULL, true }, { "", true },      { "0", true },   { "false", true }, { "FALSE", true },
		      { "1", false }, { "true", false }, { "no", false }, { "x", false } };
	int master, slave, was = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_true(dup2(slave, STDIN_FILENO) >= 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsetenv("STEP_NON_INTERACTIVE");
		if (cases[i].value)
			setenv("STEP_NON_INTERACTIVE", cases[i].value, 1);
		assert_int_equal(term_interactive(), cases[i].want);
	}
	unsetenv("STEP_NON_INTERACTIVE");
	/* Colours: a terminal, unless told otherwise. */
	assert_true(term_colours(slave));
	setenv("TERM", "dumb", 1);
	assert_false(term_colours(slave));
	setenv("TERM", "xterm", 1);
	assert_true(term_colours(slave));
	setenv("NO_COLOR", "", 1);
	assert_true(term_colours(slave));
	setenv("CLICOLOR_FORCE", "1", 1);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(term_colours(null));
	setenv("CLICOLOR_FORCE", "0", 1);
	assert_false(term_colours(null));
	setenv("NO_COLOR", "1", 1);
	assert_false(term_colours(slave));
	close(null), close(master), close(slave);
	if (was >= 0)
		dup2(was, STDIN_FILENO), close(was);
	else
		close(STDIN_FILENO);
}

static void ticks_are_plain_where_nobody_looks(void **state)
{
	(void)state;
	int was = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	int fd = open(in_scratch("err"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && was >= 0);
	dup2(fd, STDERR_FILENO);
	term_tick("CA", "%s", "https://ca.example.com");
	setenv("CLICOLOR_FORCE", "1", 1);
	term_tick("CA", "%d", 7);
	dup2(was, STDERR_FILENO);
	close(was), close(fd);
	assert_string_equal(get_file(in_scratch("err")),
	                    "\xe2\x9c\x94 CA: https://ca.example.com\n"
	                    "\033[32m\033[32m\xe2\x9c\x94\033[0m \033[1mCA\033[0m\033[1m:\033[0m 7\n");
}

static int set_up(void **state)
{
	return quiet_environment(state) || scratch_make(state);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, scratch_drop)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(answers_are_read_and_the_terminal_restored),
		CASE(what_is_shown),
		CASE(a_signal_restores_the_terminal_first),
		CASE(without_a_terminal_nothing_is_asked),
		CASE(interactive_means_a_terminal_and_leave_to_use_it),
		CASE(ticks_are_plain_where_nobody_looks),
	};
	return cmocka_run_group_tests_name("os/term", tests, NULL, NULL);
}
