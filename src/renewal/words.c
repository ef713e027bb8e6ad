#include "renewal/words.h"

#include <stdlib.h>

void words_done(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	*w = (struct words){ 0 };
}

/* --- words from text --- */

struct reader {
	struct slice in;
	size_t at;
	struct buf word;
	bool in_word; /* also where it is empty up to now: '' */
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool next(struct reader *r, uint8_t *ret)
{
	if (r->at == r->in.n)
		return false;
	*ret = r->in.p[r->at++];
	return true;
}

/* '...' */
static enum status read_single(struct reader *r, struct error *e)
{
	size_t opened = r->at;
	for (uint8_t c; next(r, &c);) {
		if (c == '\'')
			return ST_OK;
		buf_addc(&r->word, (char)c);
	}
	return error_set(e, ST_INVALID, "the quote ' at byte %zu is not closed", opened);
}

/* XCU 2.2.3: "The <backslash> shall retain its special meaning as an escape character only when followed by one of the
 * following characters when considered special: $ ` " \ <newline>" */
static enum status read_double(struct reader *r, struct error *e)
{
	size_t opened = r->at;
	for (uint8_t c; next(r, &c);) {
		if (c == '"')
			return ST_OK;
		uint8_t escaped;
		if (c != '\\' || !next(r, &escaped)) {
			buf_addc(&r->word, (char)c);
			continue;
		}
		if (!strchr("$`\"\\\n", escaped))
			buf_addc(&r->word, '\\');
		if (escaped != '\n')
			buf_addc(&r->word, (char)escaped);
	}
	return error_set(e, ST_INVALID, "the quote \" at byte %zu is not closed", opened);
}

/* XCU 2.2.1: "If a <newline> follows the <backslash>, the shell shall interpret this as line continuation." */
static enum status read_escaped(struct reader *r, struct error *e)
{
	uint8_t c;
	if (!next(r, &c))
		return error_set(e, ST_INVALID, "a backslash at the end escapes nothing");
	if (c == '\n')
		return ST_OK;
	r->in_word = true;
	buf_addc(&r->word, (char)c);
	return ST_OK;
}

static enum status push(struct words *w, struct buf *word, struct error *e)
{
	if (w->n == WORDS_MAX)
		return error_set(e, ST_LIMIT, "more than %d words", WORDS_MAX);
	if (buf_check(word, e))
		return e->status;
	char **v = realloc(w->v, (w->n + 2) * sizeof *v);
	if (!v)
		return error_nomem(e);
	w->v = v;
	v[w->n] = text_dup(buf_slice(word));
	if (!v[w->n])
		return error_nomem(e);
	v[++w->n] = NULL;
	buf_reset(word);
	return ST_OK;
}

static enum status read_byte(struct reader *r, uint8_t c, struct words *w, struct error *e)
{
	if (is_blank(c)) {
		bool ended = r->in_word;
		r->in_word = false;
		return ended ? push(w, &r->word, e) : ST_OK;
	}
	if (c == '\\')
		return read_escaped(r, e);
	r->in_word = true;
	if (c == '\'')
		return read_single(r, e);
	if (c == '"')
		return read_double(r, e);
	buf_addc(&r->word, (char)c);
	return ST_OK;
}

static enum status read_words(struct reader *r, struct words *w, struct error *e)
{
	for (uint8_t c; next(r, &c);)
		if (read_byte(r, c, w, e))
			return e->status;
	if (r->in_word && push(w, &r->word, e))
		return e->status;
	return w->n ? ST_OK : error_set(e, ST_INVALID, "there is no word in it");
}

enum status words_parse(struct slice text, struct words *ret, struct error *e)
{
	AUTO(words_done) struct words w = { 0 };
	struct reader r = { .in = text, .word = BUF_INIT(WORDS_BYTES) };
	if (text.n > WORDS_BYTES)
		return error_set(e, ST_LIMIT, "longer than %d bytes", WORDS_BYTES);
	if (slice_find(text, '\0') < text.n)
		return error_set(e, ST_INVALID, "a NUL cannot be part of it");
	enum status st = read_words(&r, &w, e);
	buf_done(&r.word);
	if (st)
		return st;
	*ret = w;
	w = (struct words){ 0 };
	return ST_OK;
}

/* --- text from words --- */

static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_@%+=:,./-", c));
}

void words_quote(struct buf *out, struct slice word)
{
	size_t plain = 0;
	while (plain < word.n && is_plain(word.p[plain]))
		plain++;
	if (word.n && plain == word.n) {
		buf_add_slice(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, (char)word.p[i]);
	}
	buf_addc(out, '\'');
}

void words_format(struct buf *out, const struct words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (i)
			buf_addc(out, ' ');
		words_quote(out, slice_cstr(w->v[i]));
	}
}
