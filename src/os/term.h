/* term.h - talking with a person. Prompts go to stderr and are read from stdin if that is a terminal, else from
 * /dev/tty (spec/client.md §1.10); without a terminal, or with STEP_NON_INTERACTIVE, nothing is ever asked: ST_MISSING.
 */
#pragma once
#include "base/buf.h"

bool term_interactive(void);
bool term_colours(int fd); /* a terminal, no NO_COLOR, TERM not "dumb"; CLICOLOR_FORCE forces */

/* All of these: ST_MISSING without a terminal, ST_DENIED with the text "^C" or "^D" where the person gave up; the
 * terminal is as it was before, then and also where a signal ends the process. */

/* "Would you like to overwrite FILE [y/n]": y, yes, n, no in any case; anything else is asked again. "n" is an answer:
 * ST_OK and *ret false. */
MUST_USE enum status term_yes_no(const char *question, bool *ret, struct error *e);
/* One line. */
MUST_USE enum status term_line(const char *label, struct buf *ret, struct error *e);
/* Without echo; ret is BUF_SECRET; trailing white space trimmed. */
MUST_USE enum status term_password(const char *label, struct buf *ret, struct error *e);
/* Choice by number; options are shown one a line. */
MUST_USE enum status term_choose(const char *label, const char *const *options, size_t n, size_t *ret, struct error *e);

/* "✔ Name: value" on stderr, coloured only on a terminal (spec/client.md §1.9). */
void term_tick(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);
