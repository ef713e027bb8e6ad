/* journal.h - the text of a transaction's journal: what every file was and what it is to become. The format stands at
 * the top of journal.c. Pure: bytes to values and back. */
#pragma once
#include "base/buf.h"
#include "os/target.h"

enum {
	JOURNAL_FILES = 8,
	JOURNAL_BYTES = 1 << 20 /* of one file */,
	JOURNAL_MAX = 2 * JOURNAL_FILES * (JOURNAL_BYTES + 8192)
};

enum journal_was {
	JOURNAL_ABSENT,  /* there was no file */
	JOURNAL_UNKNOWN, /* there was one that we had no right to read */
	JOURNAL_KNOWN,
};

/* Slices are borrowed: from whoever formats, or from the text that was parsed. */
struct journal_entry {
	struct slice path; /* canonical: absolute, without NUL */
	mode_t mode;       /* of a file that was absent */
	enum journal_was was;
	struct slice old, new;
	struct target_dress dress; /* that it is to get; as far as whoever applies it has the right */
};

struct journal {
	size_t n;
	struct journal_entry entry[JOURNAL_FILES];
};

void journal_format(struct buf *out, const struct journal *j);

/* ST_INVALID where torn, damaged or longer than its end, ST_CONFLICT where of another version. */
MUST_USE enum status journal_parse(struct slice text, struct journal *ret, struct error *e);

enum journal_stand {
	JOURNAL_IS_NEW,   /* done already */
	JOURNAL_IS_OLD,   /* the old content, or a mixture that a half-done write in place leaves */
	JOURNAL_IS_OTHER, /* somebody else has written it since */
};

/* How a file stands against its entry. exists, readable: what was found; content: where readable. */
enum journal_stand journal_judge(const struct journal_entry *j, bool exists, bool readable, struct slice content);
