/* words.h - a command line cut into words as a POSIX shell does (XCU 2.2, 2.3), without a shell: blanks and newlines
 * separate; '...' is literal; in "..." a backslash escapes $ ` " \ and newline; elsewhere it escapes any character, and
 * with a newline it vanishes. Nothing is expanded, and no character is an operator: $HOME, *, ; and | are themselves.
 * What the peer splits on single spaces is split alike here, except that two spaces do not make an empty word. */
#pragma once
#include "base/buf.h"

enum { WORDS_BYTES = 64 * 1024, WORDS_MAX = 1024 };

struct words {
	char **v; /* n of them, then NULL: an argv */
	size_t n;
};
void words_done(struct words *w);

/* ST_INVALID: an open quote, a backslash at the end, a NUL, no word at all; ST_LIMIT; ST_NOMEM. */
MUST_USE enum status words_parse(struct slice text, struct words *ret, struct error *e);

/* The word, quoted only where a shell needs it. Appends. */
void words_quote(struct buf *out, struct slice word);
/* All of them, a space between; words_parse gives them back. */
void words_format(struct buf *out, const struct words *w);
