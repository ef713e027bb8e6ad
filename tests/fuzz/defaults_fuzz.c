#include "config/defaults.h"
#include "jose/jsonio.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A cleaned path is clean. */
static void check_path(const char *path)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf once = BUF_INIT(1 << 16);
	AUTO(buf_done) struct buf twice = BUF_INIT(1 << 16);
	if (steppath_of(path, NULL, &once, &e))
		return;
	assert(once.n && (once.n == 1 || once.p[once.n - 1] != '/') && !strstr(buf_cstr(&once), "//"));
	assert((*path == '/') == (once.p[0] == '/'));
	assert(!steppath_of(buf_cstr(&once), NULL, &twice, &e));
	assert(slice_eq(buf_slice(&once), buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(defaults_done) struct defaults d = { 0 };
	AUTO(defaults_done) struct defaults again = { 0 };
	AUTO(buf_done) struct buf text = BUF_INIT(4 << 20);
	const char *key;
	json_t *v;
	char *path = text_dup(slice_of(p, n));
	if (path)
		check_path(path);
	free(path);
	if (defaults_parse(slice_of(p, n), "defaults.json", &d, &e) || jsonio_format(d.json, &text, &e))
		return 0;
	/* Values are text already: written and read again they are the same. */
	assert(!defaults_parse(buf_slice(&text), "defaults.json", &again, &e));
	json_object_foreach(d.json, key, v) assert(!strcmp(defaults_get(&d, key), defaults_get(&again, key)));
	return 0;
}
