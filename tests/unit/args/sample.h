/* A small program's table, as the tests of this folder use it. */
#pragma once
#include "args/parse.h"
#include "args/render.h"

struct renew_args {
	bool force, bundle;
	const char *out, *token, *format, *ca_url;
	struct text_list san;
	struct opt_int size;
	struct opt_duration before;
};

extern const struct command_set sample_set;
extern const struct command *const sample_renew;
struct sample_globals {
	const char *config;
};
