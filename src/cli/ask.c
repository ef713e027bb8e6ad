#include "cli/cli.h"
#include "crypto/random.h"
#include "os/file.h"
#include "os/term.h"

enum { TRIES = 3 };

enum status ask_overwrite(const char *path, bool force, struct error *e)
{
	if (force || !file_exists(path))
		return ST_OK;
	if (!term_interactive())
		return error_set(e, ST_MISSING, "%s exists already: use '--force' to replace it", path);
	char question[4200];
	bool yes = false;
	snprintf(question, sizeof question, "Would you like to overwrite %s [y/n]", path);
	enum status st = term_yes_no(question, &yes, e);
	if (st)
		return st;
	return yes ? ST_OK : error_set(e, ST_CONFLICT, "%s: file exists", path);
}

static enum status from_file(const struct ask_password *a, struct buf *ret, struct error *e)
{
	if (file_read_password(a->file, ret, e))
		return e->status;
	return ret->n ? ST_OK : error_set(e, ST_INVALID, "the password in %s is empty", a->file);
}

static enum status nobody(const struct ask_password *a, struct error *e)
{
	return error_set(e, ST_MISSING, "a password is needed and there is no terminal to ask for it%s%s%s",
	                 a->flag ? ": use '" : "", a->flag ? a->flag : "", a->flag ? "'" : "");
}

/* password_source.get */
static enum status get(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	const struct ask_password *a = ctx;
	if (opt_is_set(a->file) && attempt == 0)
		return from_file(a, ret, e);
	if (opt_is_set(a->file) && !(a->then_ask && term_interactive()))
		return error_set(e, ST_MISSING, "the password in %s is wrong", a->file);
	if (!term_interactive())
		return nobody(a, e);
	return attempt < TRIES + opt_is_set(a->file) ? term_password(a->label, ret, e)
	                                             : error_set(e, ST_MISSING, "too many wrong passwords");
}

struct password_source ask_password_source(struct ask_password *a)
{
	return (struct password_source){ get, a };
}

enum status ask_new_password(const struct ask_password *a, struct buf *ret, struct error *e)
{
	enum status st = opt_is_set(a->file)  ? from_file(a, ret, e)
	                 : term_interactive() ? term_password(a->label, ret, e)
	                                      : nobody(a, e);
	if (!st && !ret->n)
		return error_set(e, ST_INVALID, "the password%s%s is empty", opt_is_set(a->file) ? " in " : "",
		                 opt_is_set(a->file) ? a->file : "");
	return st;
}

enum status make_password(struct invocation *inv, struct buf *ret, struct error *e)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_+=.,:@";
	uint8_t chance[32];
	if (random_bytes(chance, sizeof chance, e))
		return e->status;
	for (size_t i = 0; i < sizeof chance; i++)
		buf_addc(ret, letters[chance[i] & 63]);
	explicit_bzero(chance, sizeof chance);
	inv_say(inv, "Password: %s", buf_cstr(ret));
	return buf_check(ret, e);
}

enum status ask_or_make_password(struct invocation *inv, const struct ask_password *a, struct buf *ret, struct error *e)
{
	if (opt_is_set(a->file) || !term_interactive())
		return ask_new_password(a, ret, e);
	enum status st = term_password(a->label, ret, e);
	return st || ret->n ? st : make_password(inv, ret, e);
}

enum status read_key(const char *path, struct ask_password *a, EVP_PKEY **ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(KEYFILE_MAX);
	enum status st = file_read(path, &text, e);
	if (st)
		return st;
	struct password_source source = ask_password_source(a);
	return keyfile_parse(buf_slice(&text), &source, ret, e) ? error_wrap(e, "error reading %s", path) : ST_OK;
}
