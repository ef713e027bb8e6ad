#include "os/term.h"

#include "base/num.h"
#include "os/auto.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <termios.h>

enum { ANSWER_MAX = 4096, TRIES = 100, KEY_INTR = 3, KEY_EOF = 4, KEY_KILL = 21, KEY_ESC = 27, KEY_DEL = 127 };

/* --- what the terminal is ----------------------------------------------------------------------------------------- */

static bool is_set(const char *name)
{
	const char *v = getenv(name);
	return v && v[0];
}

static bool forbidden(void)
{
	const char *v = getenv("STEP_NON_INTERACTIVE");
	return v && v[0] && strcmp(v, "0") != 0 && strcasecmp(v, "false") != 0;
}

bool term_colours(int fd)
{
	const char *force = getenv("CLICOLOR_FORCE"), *kind = getenv("TERM");
	if (is_set("NO_COLOR"))
		return false;
	if (force && force[0] && strcmp(force, "0") != 0)
		return true;
	return isatty(fd) && (!kind || strcmp(kind, "dumb") != 0);
}

/* Standard input if it is a terminal, else the controlling one: a piped standard input is never read for answers. */
static int open_terminal(void)
{
	if (isatty(STDIN_FILENO))
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

bool term_interactive(void)
{
	AUTO(fd_close_p) int fd = forbidden() ? -1 : open_terminal();
	return fd >= 0;
}

/* --- reading keys --------------------------------------------------------------------------------------------------
 * Keys are read one by one with the terminal's own line editing, echo and signals off, so that Ctrl-C is an answer like
 * any other and a password can be masked. Signals that would end the process wait until the terminal is restored. */

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

struct session {
	int fd;
	struct termios was;
	bool changed;
	sigset_t mask;
	struct sigaction old[COUNT_OF(deadly)];
};

static void session_done(struct session *s)
{
	if (s->changed) {
		/* Not TCSAFLUSH: who answers several questions in one go is not to lose the later ones. */
		tcsetattr(s->fd, TCSADRAIN, &s->was);
		for (size_t i = 0; i < COUNT_OF(deadly); i++)
			sigaction(deadly[i], &s->old[i], NULL);
		pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
		if (caught)
			raise(caught);
	}
	fd_close_p(&s->fd);
}

static void hold_signals(struct session *s)
{
	sigset_t hold;
	sigemptyset(&hold);
	for (size_t i = 0; i < COUNT_OF(deadly); i++)
		sigaddset(&hold, deadly[i]);
	pthread_sigmask(SIG_BLOCK, &hold, &s->mask);
	caught = 0;
	const struct sigaction act = { .sa_handler = on_signal };
	for (size_t i = 0; i < COUNT_OF(deadly); i++) {
		sigaction(deadly[i], NULL, &s->old[i]);
		/* nohup(1) and the like stay in force. */
		if (s->old[i].sa_handler != SIG_IGN)
			sigaction(deadly[i], &act, NULL);
	}
}

static enum status session_begin(struct session *s, const char *label, struct error *e)
{
	if (forbidden())
		return error_set(e, ST_MISSING, "%s: not asked, because STEP_NON_INTERACTIVE is set", label);
	s->fd = open_terminal();
	if (s->fd < 0) {
		error_os(e, errno, "error allocating terminal: open /dev/tty");
		return e->status = ST_MISSING;
	}
	if (tcgetattr(s->fd, &s->was))
		return error_os(e, errno, "error allocating terminal");
	hold_signals(s);
	s->changed = true;
	struct termios raw = s->was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
	raw.c_iflag |= ICRNL;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(s->fd, TCSADRAIN, &raw))
		return error_os(e, errno, "error allocating terminal");
	return ST_OK;
}

/* *ret_key is KEY_EOF also where the terminal went away. */
static enum status next_key(struct session *s, uint8_t *ret_key, struct error *e)
{
	for (;;) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		/* The held signals are let in here and nowhere else, so none can slip in between test and wait. */
		int n = ppoll(&p, 1, NULL, &s->mask);
		if (caught)
			return error_set(e, ST_DENIED, "signal: %s", strsignal(caught));
		if (n < 0 && errno != EINTR)
			return error_os(e, errno, "reading the terminal failed");
		if (n <= 0)
			continue;
		ssize_t got = read(s->fd, ret_key, 1);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			*ret_key = KEY_EOF;
		return ST_OK;
	}
}

static void say(const char *text)
{
	struct error e = ERROR_INIT;
	st_ignore(fd_write_all(STDERR_FILENO, slice_cstr(text), "standard error", &e),
		  "there is nowhere left to tell it");
}

static void erase_last(struct buf *b, bool shown)
{
	if (!b->n)
		return;
	/* A whole UTF-8 character: its continuation bytes, then its lead. */
	while (b->n > 1 && (b->p[b->n - 1] & 0xc0) == 0x80)
		b->n--;
	b->p[--b->n] = '\0';
	if (shown)
		say("\b \b");
}

/* Arrow keys and the like arrive as ESC [ ... letter; nothing here moves a cursor. */
static enum status skip_escape(struct session *s, struct error *e)
{
	uint8_t key = 0;
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	if (poll(&p, 1, 20) <= 0)
		return ST_OK;
	enum status st = next_key(s, &key, e);
	if (st || (key != '[' && key != 'O'))
		return st;
	do
		st = next_key(s, &key, e);
	while (!st && key >= 0x20 && key < 0x40);
	return st;
}

static void type(struct buf *b, uint8_t key, bool masked)
{
	if (key < 0x20 || b->n >= b->max)
		return;
	buf_addc(b, (char)key);
	const char echo[2] = { (char)key, '\0' };
	if (!masked)
		say(echo);
	else if ((key & 0xc0) != 0x80)
		say("*");
}

static enum status edit(struct session *s, struct buf *b, bool masked, struct error *e)
{
	for (;;) {
		uint8_t key;
		enum status st = next_key(s, &key, e);
		if (st)
			return st;
		if (key == '\n' || key == '\r')
			return buf_check(b, e);
		if (key == KEY_INTR)
			return error_set(e, ST_DENIED, "^C");
		if (key == KEY_EOF && !b->n)
			return error_set(e, ST_DENIED, "^D");
		if (key == KEY_ESC)
			st = skip_escape(s, e);
		else if (key == KEY_DEL || key == '\b')
			erase_last(b, true);
		else if (key == KEY_KILL)
			while (b->n)
				erase_last(b, true);
		else
			type(b, key, masked);
		if (st)
			return st;
	}
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void say_label(const char *label)
{
	bool colours = term_colours(STDERR_FILENO);
	say(colours ? "\033[34m?\033[0m \033[1m" : "? ");
	say(label);
	say(colours ? "\033[0m\033[1m:\033[0m " : ": ");
}

static enum status ask(const char *label, struct buf *ret, bool masked, struct error *e)
{
	AUTO(session_done) struct session s = { .fd = -1 };
	enum status st = session_begin(&s, label, e);
	if (st)
		return st;
	buf_reset(ret);
	say_label(label);
	st = edit(&s, ret, masked, e);
	say("\n");
	return st;
}

enum status term_line(const char *label, struct buf *ret, struct error *e)
{
	return ask(label, ret, false, e);
}

enum status term_password(const char *label, struct buf *ret, struct error *e)
{
	ret->secret = true;
	enum status st = ask(label, ret, true, e);
	while (!st && ret->n && strchr(" \t\r\n\v\f", ret->p[ret->n - 1]))
		ret->p[--ret->n] = '\0';
	return st;
}

static void say_invalid(const struct buf *answer)
{
	say(">> ");
	say(buf_cstr(answer));
	say(" is not a valid answer\n");
}

enum status term_yes_no(const char *question, bool *ret, struct error *e)
{
	static const struct {
		const char *word;
		bool yes;
	} words[] = { { "y", true }, { "yes", true }, { "n", false }, { "no", false } };
	AUTO(buf_done) struct buf answer = BUF_INIT(ANSWER_MAX);
	for (unsigned i = 0; i < TRIES; i++) {
		enum status st = term_line(question, &answer, e);
		if (st)
			return st;
		struct slice said = slice_trim(buf_slice(&answer));
		for (size_t w = 0; w < COUNT_OF(words); w++) {
			if (slice_eq_nocase(said, slice_cstr(words[w].word))) {
				*ret = words[w].yes;
				return ST_OK;
			}
		}
		say_invalid(&answer);
	}
	return error_set(e, ST_DENIED, "%s: no valid answer", question);
}

enum status term_choose(const char *label, const char *const *options, size_t n, size_t *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(ANSWER_MAX);
	for (unsigned i = 0; i < TRIES; i++) {
		/* Asked first whether there is anybody: nothing is shown to a log. */
		if (!term_interactive())
			return term_line(label, &text, e);
		for (size_t o = 0; o < n; o++) {
			buf_reset(&text);
			buf_addf(&text, "  %zu) %s\n", o + 1, options[o]);
			say(buf_cstr(&text));
		}
		enum status st = term_line(label, &text, e);
		if (st)
			return st;
		int64_t number;
		struct error invalid = ERROR_INIT;
		if (num_parse(slice_trim(buf_slice(&text)), 1, (int64_t)n, &number, &invalid) == ST_OK) {
			*ret = (size_t)number - 1;
			return ST_OK;
		}
		say_invalid(&text);
	}
	return error_set(e, ST_DENIED, "%s: no valid answer", label);
}

void term_tick(const char *name, const char *fmt, ...)
{
	AUTO(buf_done) struct buf line = BUF_INIT(1 << 16);
	if (term_colours(STDERR_FILENO))
		buf_addf(&line, "\033[32m\033[32m\xe2\x9c\x94\033[0m \033[1m%s\033[0m\033[1m:\033[0m ", name);
	else
		buf_addf(&line, "\xe2\x9c\x94 %s: ", name);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	say(buf_cstr(&line));
}
