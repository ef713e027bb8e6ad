#include "args/command.h"

#include <stdlib.h>

void text_list_done(struct text_list *l)
{
	free(l->v);
	*l = (struct text_list){ 0 };
}

/* "STEP_F" names the letter of `f,force`. */
static bool letter_first(const struct opt *o)
{
	size_t n = o->env ? strlen(o->env) : 0;
	return o->letter && n > 2 && o->env[n - 2] == '_' && (o->env[n - 1] | 0x20) == (o->letter | 0x20);
}

void opt_names_of(const struct opt *o, struct opt_names *ret)
{
	*ret = (struct opt_names){ .letter_ = { o->letter, '\0' } };
	if (letter_first(o))
		ret->v[ret->n++] = ret->letter_;
	ret->v[ret->n++] = o->name;
	if (o->alias)
		ret->v[ret->n++] = o->alias;
	if (o->letter && !letter_first(o))
		ret->v[ret->n++] = ret->letter_;
}

void opt_names_join(const struct opt *o, struct buf *out)
{
	struct opt_names names;
	opt_names_of(o, &names);
	for (size_t i = 0; i < names.n; i++)
		buf_addf(out, "%s%s", i ? "," : "", names.v[i]);
}

struct slice opt_value_word(const struct opt *o)
{
	if (o->type == OPT_TYPE_FLAG)
		return SLICE_NONE;
	struct slice s = slice_cstr(o->arg ? o->arg : "value");
	if (s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		return slice_of(s.p + 1, s.n - 2);
	return s;
}

size_t opt_count(const struct opt *rows)
{
	size_t n = 0;
	while (rows && rows[n].type != OPT_TYPE_END)
		n++;
	return n;
}

const struct command *command_find(const struct command_set *set, struct slice path)
{
	for (const struct command *const *c = set->commands; *c; c++)
		if (slice_is(path, (*c)->path))
			return *c;
	return NULL;
}

bool command_is_child(const struct command *group, const struct command *c)
{
	size_t n = strlen(group->path);
	if (!c->path[0] || strncmp(c->path, group->path, n) != 0)
		return false;
	if (n && c->path[n] != ' ')
		return false;
	return !strchr(c->path + n + (n > 0), ' ');
}

bool command_is_group(const struct command_set *set, const struct command *c)
{
	for (const struct command *const *k = set->commands; *k; k++)
		if (command_is_child(c, *k))
			return true;
	return false;
}

const char *command_name(const struct command *c)
{
	const char *space = strrchr(c->path, ' ');
	return space ? space + 1 : c->path;
}
