#include "args/render.h"

/* The scripts stand on their own: they hold the table and never ask the program. Each walks the words before the
 * cursor to find the command, then offers that command's options, their values, its subcommands or files. */

static void identifier(struct buf *out, const char *program)
{
	for (const char *s = program; *s; s++)
		buf_addc(out, *s == '-' ? '_' : *s);
}

/* Inside single quotes of a POSIX-like shell. */
static void quoted(struct buf *out, const char *s)
{
	for (; *s; s++)
		if (*s == '\'')
			buf_adds(out, "'\\''");
		else if (*s != '`')
			buf_addc(out, *s);
}

static bool takes_file(unsigned flags)
{
	return flags & (OPT_FILE | OPT_DIR);
}

struct rows {
	const struct opt *part[2];
};

static struct rows rows_of(const struct command_set *set, const struct command *c)
{
	return (struct rows){ { c->opts, set->global } };
}

typedef void each_fn(struct buf *out, const struct opt *o, const void *ctx);

static void each_option(struct buf *out, struct rows rows, each_fn *fn, const void *ctx)
{
	for (size_t k = 0; k < COUNT_OF(rows.part); k++)
		for (size_t i = 0; i < opt_count(rows.part[k]); i++)
			if (!(rows.part[k][i].flags & OPT_HIDDEN))
				fn(out, &rows.part[k][i], ctx);
}

/* "'ca'|'ca renew'": every path, for a shell's case. Without help, so that "step help ca" goes on with ca's. */
static void all_paths(const struct command_set *set, const char *between, struct buf *out)
{
	bool first = true;
	for (const struct command *const *c = set->commands; *c; c++) {
		if (!(*c)->path[0] || (*c)->hidden || !strcmp((*c)->path, "help"))
			continue;
		buf_addf(out, "%s'%s'", first ? "" : between, (*c)->path);
		first = false;
	}
}

/* ---- bash ---- */

static void bash_names(struct buf *out, const struct opt *o, const char *between)
{
	struct opt_names names;
	opt_names_of(o, &names);
	for (size_t i = 0; i < names.n; i++)
		buf_addf(out, "%s%s%s", i ? between : "", names.v[i][1] ? "--" : "-", names.v[i]);
}

static void bash_value(struct buf *out, const struct opt *o, const void *ctx)
{
	(void)ctx;
	if (o->type == OPT_TYPE_FLAG)
		return;
	buf_adds(out, "\t\t");
	bash_names(out, o, "|");
	if (o->choices)
		buf_addf(out, ") words='%s' ;;\n", o->choices);
	else
		buf_adds(out, o->flags & OPT_DIR     ? ") kind=folder ;;\n"
			      : takes_file(o->flags) ? ") kind=file ;;\n"
						     : ") kind=none ;;\n");
}

static void bash_word(struct buf *out, const struct opt *o, const void *ctx)
{
	(void)ctx;
	buf_addc(out, ' ');
	bash_names(out, o, " ");
}

static void bash_command(const struct command_set *set, const struct command *c, struct buf *out)
{
	buf_addf(out, "\t'%s')\n\t\tcase \"$prev\" in\n", c->path);
	each_option(out, rows_of(set, c), bash_value, NULL);
	buf_adds(out, "\t\t*)\n\t\t\tif [[ $cur == -* ]]; then\n\t\t\t\twords='-h --help");
	each_option(out, rows_of(set, c), bash_word, NULL);
	buf_adds(out, "'\n");
	if (command_is_group(set, c)) {
		buf_adds(out, "\t\t\telse\n\t\t\t\twords='");
		for (const struct command *const *k = set->commands; *k; k++)
			if (command_is_child(c, *k) && !(*k)->hidden)
				buf_addf(out, "%s ", command_name(*k));
		buf_adds(out, "'\n");
	} else if (c->positionals && c->positionals->name) {
		buf_adds(out, "\t\t\telse\n\t\t\t\tkind=file\n");
	}
	buf_adds(out, "\t\t\tfi ;;\n\t\tesac ;;\n");
}

static void bash(const struct command_set *set, struct buf *out)
{
	buf_addf(out, "# bash completion for %s\n_", set->program);
	identifier(out, set->program);
	buf_adds(out, "()\n"
		      "{\n"
		      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at='' words='' kind='' "
		      "word i\n"
		      "\tCOMPREPLY=()\n"
		      "\t# bash takes --name=value apart at the equals sign\n"
		      "\tif [[ $cur == '=' ]]; then\n"
		      "\t\tcur=''\n"
		      "\telif [[ $prev == '=' ]] && ((COMP_CWORD > 2)); then\n"
		      "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		      "\tfi\n"
		      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		      "\t\tword=${at:+$at }${COMP_WORDS[i]}\n"
		      "\t\tcase \"$word\" in\n"
		      "\t\t");
	all_paths(set, "|", out);
	buf_adds(out, ") at=$word ;;\n"
		      "\t\tesac\n"
		      "\tdone\n"
		      "\tcase \"$at\" in\n");
	for (const struct command *const *c = set->commands; *c; c++)
		if (!(*c)->hidden)
			bash_command(set, *c, out);
	buf_adds(out, "\tesac\n"
		      "\tcase \"$kind\" in\n"
		      "\tfile) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
		      "\tfolder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
		      "\tnone) ;;\n"
		      "\t*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
		      "\tesac\n"
		      "}\n"
		      "complete -F _");
	identifier(out, set->program);
	buf_addf(out, " %s\n", set->program);
}

/* ---- zsh ---- */

/* Text between [ and ] of an _arguments specification, inside single quotes. */
static void zsh_text(struct buf *out, const char *s)
{
	for (; s && *s; s++) {
		if (*s == '[' || *s == ']' || *s == ':')
			buf_addc(out, '\\');
		quoted(out, (const char[]){ *s, '\0' });
	}
}

static void zsh_option(struct buf *out, const struct opt *o, const void *ctx)
{
	(void)ctx;
	struct opt_names names;
	opt_names_of(o, &names);
	for (size_t i = 0; i < names.n; i++) {
		buf_adds(out, " \\\n\t\t\t'");
		if (o->type == OPT_TYPE_LIST) {
			buf_addc(out, '*');
		} else if (names.n > 1) {
			buf_addc(out, '(');
			bash_names(out, o, " ");
			buf_addc(out, ')');
		}
		buf_addf(out, "%s%s%s[", names.v[i][1] ? "--" : "-", names.v[i], o->type == OPT_TYPE_FLAG ? "" : "=");
		zsh_text(out, o->help);
		buf_addc(out, ']');
		struct slice word = opt_value_word(o);
		if (word.n)
			buf_addf(out, ":%.*s:", SLICE_FMT(word));
		if (word.n && o->choices)
			buf_addf(out, "(%s)", o->choices);
		else if (word.n && takes_file(o->flags))
			buf_adds(out, o->flags & OPT_DIR ? "_files -/" : "_files");
		buf_addc(out, '\'');
	}
}

static void zsh_command(const struct command_set *set, const struct command *c, struct buf *out)
{
	buf_addf(out, "\t'%s')\n", c->path);
	if (command_is_group(set, c)) {
		buf_adds(out, "\t\tsubs=(");
		for (const struct command *const *k = set->commands; *k; k++) {
			if (!command_is_child(c, *k) || (*k)->hidden)
				continue;
			buf_addf(out, "\n\t\t\t'%s:", command_name(*k));
			quoted(out, (*k)->summary);
			buf_addc(out, '\'');
		}
		buf_adds(out, ")\n");
	}
	buf_adds(out, "\t\t_arguments -S '(-h --help)'{-h,--help}'[show the help]'");
	each_option(out, rows_of(set, c), zsh_option, NULL);
	if (command_is_group(set, c))
		buf_adds(out, " \\\n\t\t\t'*: : _describe -t commands command subs'");
	else if (c->positionals && c->positionals->name)
		buf_adds(out, " \\\n\t\t\t'*:file:_files'");
	buf_adds(out, " ;;\n");
}

static void zsh(const struct command_set *set, struct buf *out)
{
	buf_addf(out, "#compdef %s\n# zsh completion for %s\n_", set->program, set->program);
	identifier(out, set->program);
	buf_adds(out, "() {\n"
		      "\tlocal at='' word\n"
		      "\tlocal -a subs\n"
		      "\tlocal -i i last=1\n"
		      "\tfor ((i = 2; i < CURRENT; i++)); do\n"
		      "\t\tword=${at:+$at }$words[i]\n"
		      "\t\tcase \"$word\" in\n"
		      "\t\t(");
	all_paths(set, "|", out);
	buf_adds(out, ") at=$word; last=$i ;;\n"
		      "\t\tesac\n"
		      "\tdone\n"
		      "\tshift $((last - 1)) words\n"
		      "\t((CURRENT -= last - 1))\n"
		      "\tcase \"$at\" in\n");
	for (const struct command *const *c = set->commands; *c; c++)
		if (!(*c)->hidden)
			zsh_command(set, *c, out);
	buf_adds(out, "\tesac\n}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n\t_");
	identifier(out, set->program);
	buf_adds(out, " \"$@\"\nelse\n\tcompdef _");
	identifier(out, set->program);
	buf_addf(out, " %s\nfi\n", set->program);
}

/* ---- fish ---- */

static void fish_quoted(struct buf *out, const char *s)
{
	buf_addc(out, '\'');
	for (; s && *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf_addc(out, '\\');
		if (*s != '`')
			buf_addc(out, *s);
	}
	buf_addc(out, '\'');
}

struct fish {
	const char *program;
	const char *path;
};

static void fish_when(struct buf *out, const char *program, const char *path)
{
	buf_addf(out, "complete -c %s -n '__", program);
	identifier(out, program);
	buf_addf(out, "_at \"%s\"'", path);
}

static void fish_option(struct buf *out, const struct opt *o, const void *ctx)
{
	const struct fish *f = ctx;
	struct opt_names names;
	opt_names_of(o, &names);
	fish_when(out, f->program, f->path);
	for (size_t i = 0; i < names.n; i++)
		buf_addf(out, " -%c %s", names.v[i][1] ? 'l' : 's', names.v[i]);
	if (o->choices)
		buf_addf(out, " -x -a '%s'", o->choices);
	else if (o->flags & OPT_DIR)
		buf_adds(out, " -x -a '(__fish_complete_directories)'");
	else if (o->type != OPT_TYPE_FLAG)
		buf_adds(out, takes_file(o->flags) ? " -r -F" : " -x");
	buf_adds(out, " -d ");
	fish_quoted(out, o->help);
	buf_addc(out, '\n');
}

static void fish_command(const struct command_set *set, const struct command *c, struct buf *out)
{
	struct fish f = { set->program, c->path };
	for (const struct command *const *k = set->commands; *k; k++) {
		if (!command_is_child(c, *k) || (*k)->hidden)
			continue;
		fish_when(out, set->program, c->path);
		buf_addf(out, " -f -a %s -d ", command_name(*k));
		fish_quoted(out, (*k)->summary);
		buf_addc(out, '\n');
	}
	fish_when(out, set->program, c->path);
	buf_adds(out, c->positionals && c->positionals->name ? "" : " -f");
	buf_adds(out, " -s h -l help -d 'Show the help'\n");
	each_option(out, rows_of(set, c), fish_option, &f);
}

static void fish(const struct command_set *set, struct buf *out)
{
	buf_addf(out, "# fish completion for %s\nfunction __", set->program);
	identifier(out, set->program);
	buf_adds(out, "_at\n"
		      "\tset -l at ''\n"
		      "\tset -l paths ");
	all_paths(set, " ", out);
	buf_adds(out, "\n"
		      "\tset -l line (commandline -opc)\n"
		      "\tfor word in $line[2..-1]\n"
		      "\t\tset -l next (string trim -- \"$at $word\")\n"
		      "\t\tcontains -- \"$next\" $paths; and set at $next\n"
		      "\tend\n"
		      "\ttest \"$at\" = \"$argv[1]\"\n"
		      "end\n");
	for (const struct command *const *c = set->commands; *c; c++)
		if (!(*c)->hidden)
			fish_command(set, *c, out);
}

void render_completion(const struct command_set *set, enum render_shell shell, struct buf *out)
{
	static void (*const writers[])(const struct command_set *set, struct buf *out) = {
		[RENDER_BASH] = bash,
		[RENDER_ZSH] = zsh,
		[RENDER_FISH] = fish,
	};
	writers[shell](set, out);
}
