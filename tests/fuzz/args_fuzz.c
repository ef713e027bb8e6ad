#include "../unit/args/sample.h"

#include <assert.h>

enum { WORDS = 64 };

/* The input is argv, words ending in NUL; what stands behind a word "\x01" is the environment's value of every option.
 */
struct input {
	char *argv[WORDS + 1];
	int argc;
	const char *env;
};

static void split(char *text, size_t n, struct input *in)
{
	for (size_t at = 0; at < n && in->argc < WORDS; at += strlen(text + at) + 1) {
		if (!strcmp(text + at, "\x01")) {
			in->env = at + 2 < n ? text + at + 2 : NULL;
			break;
		}
		in->argv[in->argc++] = text + at;
	}
}

static const char *env(void *ctx, const char *name)
{
	assert(!strncmp(name, "STEP_", 5));
	return ((struct input *)ctx)->env;
}

static void check(const struct input *in, const struct command *c)
{
	struct error e = ERROR_INIT;
	struct args_source src = { NULL, env, NULL, (void *)(uintptr_t)in };
	AUTO(args_done) struct args a = { 0 };
	if (args_parse(&sample_set, c, in->argc, in->argv, &src, &a, &e)) {
		assert(e.text[0]);
		for (const char *s = e.text; *s; s++) /* one line, nothing for the terminal */
			assert((unsigned char)*s >= 0x20 && *s != 0x7f);
		return;
	}
	assert(a.pos_n >= c->pos_min && a.pos_n <= c->pos_max && !a.pos[a.pos_n]);
	if (c != sample_renew)
		return;
	const struct renew_args *v = a.values;
	assert(!args_given(&a, "san") || v->san.n || in->env);
	assert(args_given(&a, "out") == (v->out != NULL) && args_given(&a, "size") == v->size.set);
	/* Spelled out in one canonical order, the same values come back. */
	char size[64], span[80], text[DURATION_TEXT];
	const char *again[8] = { "ca", "renew" };
	int n = 2;
	if (v->force)
		again[n++] = "--force";
	if (v->size.set) {
		snprintf(size, sizeof size, "-size=%lld", (long long)v->size.v);
		again[n++] = size;
	}
	if (v->before.set) {
		snprintf(span, sizeof span, "--expires-in=%s", duration_format(v->before.ns, text));
		again[n++] = span;
	}
	again[n++] = "--";
	again[n++] = "a";
	again[n++] = "b";
	AUTO(args_done) struct args b = { 0 };
	assert(!args_parse(&sample_set, c, n, (char **)(uintptr_t)again, NULL, &b, &e));
	const struct renew_args *w = b.values;
	assert(w->force == v->force && w->size.v == v->size.v && w->before.ns == v->before.ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct input in = { 0 };
	struct args_target t;
	AUTO(text_free_p) char *text = text_dup(slice_of(p, n));
	assert(text);
	split(text, n, &in);
	check(&in, sample_renew);
	if (!args_find(&sample_set, in.argc, in.argv, &t, &e))
		check(&in, t.command);
	else
		assert(e.status == ST_MISSING);
	return 0;
}
