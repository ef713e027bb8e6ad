#include "cli/cli.h"
#include "crypto/ossl.h"
#include "os/clock.h"
#include "os/file.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

const struct cli_globals *inv_globals(const struct invocation *inv)
{
	static const struct cli_globals none;
	return inv->set->global ? inv->args.globals : &none; /* step-ca has none */
}

const char *inv_pos(const struct invocation *inv, size_t n)
{
	return n < inv->args.pos_n ? inv->args.pos[n] : NULL;
}

void inv_say(struct invocation *inv, const char *fmt, ...)
{
	(void)inv;
	AUTO(buf_done) struct buf line = BUF_INIT(1 << 16);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	struct error e = ERROR_INIT;
	st_ignore(fd_write_all(STDERR_FILENO, buf_slice(&line), "standard error", &e),
	          "there is no other place to tell");
}

/* ---- refusals ---- */

enum status usage_required(const struct invocation *inv, const char *flag, struct error *e)
{
	return error_set(e, ST_INVALID, "'%s %s' requires the '--%s' flag", inv->set->program, inv->command->path,
	                 flag);
}

enum status usage_requires(const char *flag, const char *other, struct error *e)
{
	return error_set(e, ST_INVALID, "flag '--%s' requires the '--%s' flag", flag, other);
}

enum status usage_incompatible(const char *flag, const char *other, struct error *e)
{
	return error_set(e, ST_INVALID, "flag '--%s' is incompatible with '--%s'", flag, other);
}

enum status usage_exclusive(const char *flag, const char *other, struct error *e)
{
	return error_set(e, ST_INVALID, "flag '--%s' and flag '--%s' are mutually exclusive", flag, other);
}

enum status usage_bad_value(const char *flag, const char *value, struct error *e)
{
	return error_set(e, ST_INVALID, "invalid value '%s' for flag '--%s'", value, flag);
}

enum status usage_not_built(const struct invocation *inv, const char *const *flags, struct error *e)
{
	for (; *flags; flags++)
		if (args_given(&inv->args, *flags))
			return error_set(e, ST_INVALID,
			                 "flag '--%s' is not supported by this program; '%s help %s' lists what is",
			                 *flags, inv->set->program, inv->command->path);
	return ST_OK;
}

/* ---- the outside ---- */

void inv_crypto(struct invocation *inv)
{
	(void)inv;
	ossl_start();
}

struct wall inv_now(struct invocation *inv)
{
	if (!inv->now_.s)
		inv->now_ = clock_wall(&clock_system);
	return inv->now_;
}

enum status inv_time(struct invocation *inv, const char *flag, const char *text, struct wall *ret, struct error *e)
{
	struct error ignored = ERROR_INIT;
	int64_t ns;
	if (!wall_parse_rfc3339(slice_cstr(text), ret, &ignored))
		return ST_OK;
	if (duration_parse(slice_cstr(text), &ns, &ignored))
		return usage_bad_value(flag, text, e);
	*ret = (struct wall){ inv_now(inv).s + ns / DURATION_S };
	return ST_OK;
}

/* $HOME, else the passwd entry, which is asked only then: it maps the name service's libraries. */
static const char *home(void)
{
	const char *h = getenv("HOME");
	if (opt_is_set(h))
		return h;
	const struct passwd *p = getpwuid(getuid());
	return p ? p->pw_dir : NULL;
}

enum status inv_base(struct invocation *inv, const char **ret, struct error *e)
{
	const char *steppath = getenv("STEPPATH");
	if (!inv->base_.n) {
		enum status st = steppath_of(steppath, opt_is_set(steppath) ? NULL : home(), &inv->base_, e);
		if (st)
			return st;
	}
	*ret = buf_cstr(&inv->base_);
	return ST_OK;
}

static bool is_empty_object(const char *file)
{
	AUTO(buf_done) struct buf text = BUF_INIT(4096);
	struct error ignored = ERROR_INIT;
	return !file_read(file, &text, &ignored) && slice_is(slice_trim(buf_slice(&text)), "{}");
}

/* With a current context the step path is another folder (spec/client.md §1.1): going on in the wrong one would be
 * worse than stopping. */
static enum status refuse_contexts(const char *base, struct error *e)
{
	static const char *const names[] = { "current-context.json", "contexts.json" };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		AUTO(buf_done) struct buf file = BUF_INIT(1 << 14);
		buf_addf(&file, "%s/%s", base, names[i]);
		if (buf_check(&file, e))
			return e->status;
		if (file_exists(buf_cstr(&file)) && !is_empty_object(buf_cstr(&file)))
			return error_set(
				e, ST_INVALID,
				"%s: contexts are in use, which this program does not support: set STEPPATH to the "
				"authority's own folder (%s/authorities/NAME)",
				buf_cstr(&file), base);
	}
	return ST_OK;
}

enum status inv_path(struct invocation *inv, const char **ret, struct error *e)
{
	const char *base;
	enum status st = inv_base(inv, &base, e);
	if (!st && !inv->path_.n) {
		st = refuse_contexts(base, e);
		if (st)
			return st;
		buf_adds(&inv->path_, base);
		st = buf_check(&inv->path_, e);
	}
	if (!st)
		*ret = buf_cstr(&inv->path_);
	return st;
}

enum status inv_file(struct invocation *inv, const char *below, struct buf *ret, struct error *e)
{
	const char *path;
	enum status st = inv_path(inv, &path, e);
	if (st)
		return st;
	buf_addf(ret, "%s%s%s", path, strcmp(path, "/") ? "/" : "", below);
	return buf_check(ret, e);
}

void inv_state_dir(struct invocation *inv, struct buf *ret)
{
	struct error e = ERROR_INIT;
	const char *given = getenv("STATE_DIRECTORY"), *path;
	buf_reset(ret);
	if (opt_is_set(given))
		buf_add(ret, given, slice_find(slice_cstr(given), ':'));
	else if (!inv_path(inv, &path, &e))
		buf_addf(ret, "%s/renew", path);
}
