#include "args/parse.h"
#include "args/table.h"

bool flag_word_read(const char *word, struct flag_word *ret)
{
	if (word[0] != '-' || !word[1] || !strcmp(word, "--"))
		return false;
	const char *name = word + (word[1] == '-' ? 2 : 1);
	const char *eq = strchr(name, '=');
	*ret = (struct flag_word){ .name = slice_of(name, eq ? (size_t)(eq - name) : strlen(name)),
				   .value = eq ? eq + 1 : NULL };
	return true;
}

static bool row_has_name(const struct opt *o, struct slice name)
{
	struct opt_names names;
	opt_names_of(o, &names);
	for (size_t i = 0; i < names.n; i++)
		if (slice_is(name, names.v[i]))
			return true;
	return false;
}

const struct opt *opt_find(const struct opt *rows, struct slice name)
{
	for (const struct opt *o = rows; o && o->type != OPT_TYPE_END; o++)
		if (row_has_name(o, name))
			return o;
	return NULL;
}

bool opt_takes_word(const struct opt *o, const struct flag_word *w)
{
	return o->type != OPT_TYPE_FLAG && !w->value;
}

bool is_help_flag(struct slice name)
{
	return slice_is(name, "h") || slice_is(name, "help");
}

struct find {
	const struct command_set *set;
	const struct command *at; /* the longest path so far */
	bool help_word;		  /* "help" stood before or between the path's words */
	bool path_ends;		  /* the words from here on are the command's own */
	bool help;
};

/* The child of the command so far that has this name. */
static const struct command *child(const struct find *f, const char *name)
{
	for (const struct command *const *c = f->set->commands; *c; c++)
		if (command_is_child(f->at, *c) && !strcmp(command_name(*c), name))
			return *c;
	return NULL;
}

/* "step nosuch": the word; "step help a b": everything that was asked for. */
static enum status unknown(const struct find *f, const char *word, struct error *e)
{
	if (!f->help_word)
		return error_set(e, ST_MISSING, "No help topic for '%s'", word);
	return error_set(e, ST_MISSING, "No help topic for '%s%s%s %s'", f->set->program, f->at->path[0] ? " " : "",
			 f->at->path, word);
}

static enum status take_word(struct find *f, const char *word, struct error *e)
{
	if (f->path_ends)
		return ST_OK;
	const struct command *next = child(f, word);
	bool asks = !strcmp(word, "help") || !strcmp(word, "h");
	if (asks && !f->help_word && command_is_group(f->set, f->at)) {
		f->help_word = true;
		return ST_OK;
	}
	if (next) {
		f->at = next;
		return ST_OK;
	}
	f->path_ends = true;
	if (f->at->run && f->at->pos_max && !f->help_word)
		return ST_OK;
	if (f->help_word && !command_is_group(f->set, f->at) && f->at->path[0])
		return ST_OK; /* words behind the command that help was asked for */
	return f->help ? ST_OK : unknown(f, word, e);
}

/* Returns how many words the flag takes: 1 or 2. */
static int take_flag(struct find *f, const struct flag_word *w)
{
	const struct opt *own = opt_find(f->at->opts, w->name), *global = opt_find(f->set->global, w->name);
	const struct opt *o = own ? own : global;
	if (!o && is_help_flag(w->name))
		f->help = true;
	/* Only what stands behind the whole path can be the command's own: "step --force ca renew" names no command. */
	if (!global)
		f->path_ends = true;
	return o && opt_takes_word(o, w) ? 2 : 1;
}

enum status args_find(const struct command_set *set, int argc, char *const argv[], struct args_target *ret,
		      struct error *e)
{
	struct find f = { .set = set, .at = command_find(set, SLICE_NONE) };
	enum status st = f.at ? ST_OK : error_set(e, ST_BUG, "the command table has no program");
	for (int i = 0; !st && i < argc && strcmp(argv[i], "--") != 0;) {
		struct flag_word w;
		if (flag_word_read(argv[i], &w))
			i += take_flag(&f, &w);
		else
			st = take_word(&f, argv[i++], e);
	}
	if (st)
		return st;
	*ret = (struct args_target){ .command = f.at, .help = f.help || f.help_word || !f.at->run };
	return ST_OK;
}
