#include "config/defaults.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "os/file.h"

#include <stdio.h>

enum { STEPPATH_MAX = 4096 };

/* Drops the last element of what was written since `start`; false where there is none, or it is "..". */
static bool drop_last(struct buf *out, size_t start)
{
	if (out->n == start || (out->n - start >= 2 && !memcmp(out->p + out->n - 2, "..", 2) &&
	                        (out->n - start == 2 || out->p[out->n - 3] == '/')))
		return false;
	while (out->n > start && out->p[out->n - 1] != '/')
		out->n--;
	if (out->n > start)
		out->n--; /* the slash */
	return true;
}

/* As Go's filepath.Clean: no "//", no ".", ".." taken back where there is something to take back. */
static void path_clean(struct slice path, struct buf *out)
{
	bool rooted = path.n && path.p[0] == '/';
	if (rooted)
		buf_addc(out, '/');
	size_t start = out->n;
	for (size_t at = 0; at < path.n && !out->failed;) {
		struct slice rest = slice_of(path.p + at, path.n - at);
		struct slice element = slice_of(rest.p, slice_find(rest, '/'));
		at += element.n + 1;
		if (!element.n || slice_is(element, "."))
			continue;
		if (slice_is(element, "..") && (drop_last(out, start) || rooted))
			continue;
		if (out->n > start)
			buf_addc(out, '/');
		buf_add_slice(out, element);
	}
	if (!out->n)
		buf_addc(out, '.');
	if (out->p && !out->failed)
		out->p[out->n] = '\0'; /* drop_last took bytes back */
}

enum status steppath_of(const char *steppath, const char *home, struct buf *ret, struct error *e)
{
	AUTO(buf_done) struct buf raw = BUF_INIT(STEPPATH_MAX);
	AUTO(buf_done) struct buf clean = BUF_INIT(STEPPATH_MAX);
	if (steppath && *steppath)
		buf_adds(&raw, steppath);
	else if (home && *home)
		buf_addf(&raw, "%s/.step", home);
	else
		return error_set(e, ST_MISSING,
		                 "error obtaining home directory, please define environment variable HOME");
	path_clean(buf_slice(&raw), &clean);
	if (buf_check(&raw, e) || buf_check(&clean, e))
		return error_wrap(e, "STEPPATH");
	buf_add_slice(ret, buf_slice(&clean));
	return buf_check(ret, e);
}

void defaults_done(struct defaults *d)
{
	json_decref(d->json);
	*d = (struct defaults){ 0 };
}

/* Appends a scalar as option text; false for what has none. */
static bool add_scalar(struct buf *out, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		buf_adds(out, json_string_value(v));
		return true;
	case JSON_INTEGER:
		buf_addf(out, "%lld", (long long)json_integer_value(v));
		return true;
	case JSON_REAL: {
		double d = json_real_value(v);
		if (d > -1e15 && d < 1e15 && d == (double)(int64_t)d)
			buf_addf(out, "%.0f", d);
		else
			buf_addf(out, "%.15g", d);
		return true;
	}
	case JSON_TRUE:
	case JSON_FALSE:
		buf_adds(out, json_is_true(v) ? "true" : "false");
		return true;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return false;
}

static bool add_value(struct buf *out, const json_t *v)
{
	if (!json_is_array(v))
		return add_scalar(out, v);
	for (size_t i = 0; i < json_array_size(v); i++) {
		if (i)
			buf_addc(out, ',');
		if (!add_scalar(out, json_array_get(v, i)))
			return false;
	}
	return true;
}

static void add_note(struct defaults *d, const char *key)
{
	size_t n = strlen(d->notes);
	snprintf(d->notes + n, sizeof d->notes - n, "%scannot set '%s' attribute in config files", n ? "\n" : "", key);
}

static enum status take_members(const json_t *file, struct defaults *d, struct error *e)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)file, key, v)
	{
		AUTO(buf_done) struct buf text = BUF_INIT(DEFAULTS_MAX);
		if (!strcmp(key, "context") || !strcmp(key, "profile") || !strcmp(key, "authority")) {
			add_note(d, key);
			continue;
		}
		if (!add_value(&text, v))
			continue;
		if (buf_check(&text, e))
			return e->status;
		if (json_object_set_new(d->json, key, json_string(buf_cstr(&text))))
			return error_nomem(e);
	}
	return ST_OK;
}

enum status defaults_parse(struct slice text, const char *path, struct defaults *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *file = NULL;
	if (jsonio_parse(text, JSONIO_STRICT, &file, e))
		return error_wrap(e, "failed loading context configuration: error parsing %s", path);
	if (!json_is_object(file))
		return error_set(e, ST_INVALID,
		                 "failed loading context configuration: error parsing %s: not a JSON object", path);
	struct defaults d = { .json = json_object() };
	enum status st = d.json ? take_members(file, &d, e) : error_nomem(e);
	if (st) {
		defaults_done(&d);
		return st;
	}
	*ret = d;
	return ST_OK;
}

enum status defaults_load(const char *path, struct defaults *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(DEFAULTS_MAX);
	if (!file_read(path, &text, e))
		return defaults_parse(buf_slice(&text), path, ret, e);
	if (e->status != ST_MISSING)
		return e->status;
	*ret = (struct defaults){ 0 };
	return ST_OK;
}

const char *defaults_get(const struct defaults *d, const char *name)
{
	return json_string_value(json_object_get(d->json, name));
}
