/* The journal of a transaction, version 1. Lines end with \n; bytes are counted, so that any path and any content fits.
 *
 *   perennial-journal 1
 *   files 2
 *   file 0644 1704 1710 16        mode of a new file, old size, new size, length of the path
 *   /etc/x/foo.crt\n              path, \n
 *   <1704 bytes>\n                old content, \n      (old size "-": there was no file; "?": not readable; then
 *   <1710 bytes>\n                new content, \n       no bytes, but the \n stands)
 *   file 0600 - 227 14 - 33 0640  then, where they were asked for: owner, group and mode ("-": not)
 *   ...
 *   end 8f3a9c0011223344          FNV-1a, 64 bits, of everything before this line
 *
 * The sum tells a torn write from a whole one. It proves nothing about who wrote it: that is what the file's owner is
 * for (filetx.c). */
#include "os/journal.h"

#include "base/num.h"

#include <inttypes.h>

enum { LINE = 64 };

static uint64_t sum_of(struct slice s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void format_id(struct buf *out, bool has, unsigned id)
{
	if (has)
		buf_addf(out, " %u", id);
	else
		buf_adds(out, " -");
}

static void format_dress(struct buf *out, const struct target_dress *d)
{
	if (!d->has_owner && !d->has_group && !d->has_mode)
		return;
	format_id(out, d->has_owner, d->owner);
	format_id(out, d->has_group, d->group);
	if (d->has_mode)
		buf_addf(out, " %04o", (unsigned)d->mode & 0777);
	else
		buf_adds(out, " -");
}

static void format_entry(struct buf *out, const struct journal_entry *j)
{
	buf_addf(out, "file %04o ", (unsigned)j->mode & 0777);
	if (j->was == JOURNAL_KNOWN)
		buf_addf(out, "%zu", j->old.n);
	else
		buf_addc(out, j->was == JOURNAL_ABSENT ? '-' : '?');
	buf_addf(out, " %zu %zu", j->new.n, j->path.n);
	format_dress(out, &j->dress);
	buf_addc(out, '\n');
	const struct slice parts[] = { j->path, j->was == JOURNAL_KNOWN ? j->old : SLICE_NONE, j->new };
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		buf_add_slice(out, parts[i]);
		buf_addc(out, '\n');
	}
}

void journal_format(struct buf *out, const struct journal *j)
{
	size_t start = out->n;
	buf_addf(out, "perennial-journal 1\nfiles %zu\n", j->n);
	for (size_t i = 0; i < j->n; i++)
		format_entry(out, &j->entry[i]);
	if (!out->failed)
		buf_addf(out, "end %016" PRIx64 "\n", sum_of(slice_of(out->p + start, out->n - start)));
}

static enum status torn(struct error *e)
{
	return error_set(e, ST_INVALID, "the journal is damaged or was not written to its end");
}

/* The next line, without its end; false where there is none. */
static bool take_line(struct slice *rest, struct slice *ret)
{
	struct slice head = slice_of(rest->p, rest->n < LINE ? rest->n : LINE);
	size_t n = slice_find(head, '\n');
	if (n == head.n)
		return false;
	*ret = slice_of(rest->p, n);
	*rest = slice_of(rest->p + n + 1, rest->n - n - 1);
	return true;
}

static bool take_bytes(struct slice *rest, size_t n, struct slice *ret)
{
	if (rest->n <= n || rest->p[n] != '\n')
		return false;
	*ret = slice_of(rest->p, n);
	*rest = slice_of(rest->p + n + 1, rest->n - n - 1);
	return true;
}

static struct slice take_word(struct slice *line)
{
	size_t n = slice_find(*line, ' '), skip = n < line->n ? n + 1 : n;
	struct slice word = slice_of(line->p, n);
	*line = slice_of(line->p + skip, line->n - skip);
	return word;
}

static bool take_number(struct slice *line, int64_t min, int64_t max, int64_t *ret)
{
	struct error e = ERROR_INIT;
	return num_parse(take_word(line), min, max, ret, &e) == ST_OK;
}

static bool take_mode(struct slice *line, mode_t *ret)
{
	struct slice word = take_word(line);
	mode_t mode = 0;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '7')
			return false;
		mode = mode << 3 | (mode_t)(word.p[i] - '0');
	}
	*ret = mode;
	return word.n == 4 && mode <= 0777;
}

static bool take_none(struct slice *line)
{
	struct slice rest = *line;
	bool none = slice_is(take_word(&rest), "-");
	if (none)
		*line = rest;
	return none;
}

static bool take_id(struct slice *line, bool *ret_has, unsigned *ret)
{
	int64_t id = 0;
	*ret_has = !take_none(line);
	if (*ret_has && !take_number(line, 0, UINT32_MAX - 1, &id))
		return false;
	*ret = (unsigned)id;
	return true;
}

static bool take_dress(struct slice *line, struct target_dress *ret)
{
	*ret = (struct target_dress){ 0 };
	if (!line->n)
		return true;
	if (!take_id(line, &ret->has_owner, &ret->owner) || !take_id(line, &ret->has_group, &ret->group))
		return false;
	ret->has_mode = !take_none(line);
	return (!ret->has_mode || take_mode(line, &ret->mode)) && (ret->has_owner || ret->has_group || ret->has_mode);
}

static bool take_was(struct slice *line, enum journal_was *ret, int64_t *ret_n)
{
	*ret_n = 0;
	*ret = JOURNAL_KNOWN;
	if (line->n && (line->p[0] == '-' || line->p[0] == '?')) {
		struct slice word = take_word(line);
		*ret = word.p[0] == '-' ? JOURNAL_ABSENT : JOURNAL_UNKNOWN;
		return word.n == 1;
	}
	return take_number(line, 0, JOURNAL_BYTES, ret_n);
}

static bool take_entry(struct slice *rest, struct journal_entry *ret)
{
	struct slice line;
	int64_t old, new, path;
	return take_line(rest, &line) && slice_is(take_word(&line), "file") && take_mode(&line, &ret->mode) &&
	       take_was(&line, &ret->was, &old) && take_number(&line, 0, JOURNAL_BYTES, &new) &&
	       take_number(&line, 2, 8192, &path) && take_dress(&line, &ret->dress) && line.n == 0 &&
	       take_bytes(rest, (size_t)path, &ret->path) && take_bytes(rest, (size_t)old, &ret->old) &&
	       take_bytes(rest, (size_t) new, &ret->new) && ret->path.p[0] == '/' &&
	       slice_find(ret->path, '\0') == ret->path.n;
}

enum status journal_parse(struct slice text, struct journal *ret, struct error *e)
{
	struct slice rest = text, line;
	if (!take_line(&rest, &line) || !slice_is(take_word(&line), "perennial-journal"))
		return torn(e);
	if (!slice_is(line, "1"))
		return error_set(e, ST_CONFLICT,
		                 "the journal is of another version; let the program that wrote it finish");
	struct journal j = { 0 };
	int64_t n;
	if (!take_line(&rest, &line) || !slice_is(take_word(&line), "files") ||
	    !take_number(&line, 1, JOURNAL_FILES, &n) || line.n)
		return torn(e);
	for (j.n = 0; j.n < (size_t)n; j.n++)
		if (!take_entry(&rest, &j.entry[j.n]))
			return torn(e);
	char end[LINE];
	snprintf(end, sizeof end, "end %016" PRIx64, sum_of(slice_of(text.p, text.n - rest.n)));
	if (!take_line(&rest, &line) || !slice_is(line, end) || rest.n)
		return torn(e);
	*ret = j;
	return ST_OK;
}

/* Written from the front, a file holds new bytes, then old ones; a power cut may leave blocks of zeroes, and any end.
 */
static bool is_mixture(const struct journal_entry *j, struct slice now)
{
	if (now.n > j->old.n && now.n > j->new.n)
		return false;
	for (size_t i = 0; i < now.n; i++) {
		bool old = i < j->old.n && now.p[i] == j->old.p[i], new = i < j->new.n &&now.p[i] == j->new.p[i];
		if (!old && !new &&now.p[i])
			return false;
	}
	return true;
}

enum journal_stand journal_judge(const struct journal_entry *j, bool exists, bool readable, struct slice content)
{
	if (!exists)
		return j->was == JOURNAL_ABSENT ? JOURNAL_IS_OLD : JOURNAL_IS_OTHER;
	if (readable && slice_eq(content, j->new))
		return JOURNAL_IS_NEW;
	if (j->was == JOURNAL_UNKNOWN || !readable)
		return JOURNAL_IS_OLD;
	return j->was == JOURNAL_KNOWN && is_mixture(j, content) ? JOURNAL_IS_OLD : JOURNAL_IS_OTHER;
}
