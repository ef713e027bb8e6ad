/* vectors.h - public test vectors, read at run time from $PERENNIAL_VECTORS; a test that finds none skips itself. */
#pragma once
#include "check.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static inline json_t *vectors_load(const char *name)
{
	const char *folder = getenv("PERENNIAL_VECTORS");
	char path[4096];
	json_error_t why;
	snprintf(path, sizeof path, "%s/wycheproof/%s", folder ? folder : "", name);
	FILE *f = folder ? fopen(path, "rb") : NULL;
	if (!f) {
		print_message("# SKIP %s is not there\n", name);
		skip();
	}
	json_t *all = json_loadf(f, 0, &why);
	fclose(f);
	if (!all)
		fail_msg("%s: %s", path, why.text);
	return all;
}

/* "acceptable" means that a reader may choose; whether we take such a case is for each test to say. None of the files
 * that we use has one, and a new one shall not pass unseen. */
static inline bool vectors_valid(const json_t *test)
{
	const char *result = json_string_value(json_object_get(test, "result"));
	if (!result || (strcmp(result, "valid") != 0 && strcmp(result, "invalid") != 0))
		fail_msg("result \"%s\": decide what we do with it", result ? result : "");
	return result && strcmp(result, "valid") == 0;
}
