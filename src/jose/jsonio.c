#include "jose/jsonio.h"
#include "jose/auto.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <threads.h>

/* --- memory ---
 *
 * jansson 2.14 drops a byte of a string where memory runs out while it reads, and goes on: a name would lose a letter.
 * Its allocations come through here, so that a parse that was starved can be told. What it lets go is wiped, since
 * private keys are JSON, too. */

static once_flag hooked = ONCE_FLAG_INIT;
static _Thread_local bool starved;

static void *take(size_t n)
{
	void *p = malloc(n);
	if (!p)
		starved = true;
	return p;
}

static void wipe_and_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void hook(void)
{
	json_set_alloc_funcs(take, wipe_and_free);
}

/* jansson parses recursively, down to 2048 levels; this looks first. Brackets inside strings do not count, and in
 * JSONIO_FIRST what follows the first value is not looked at. */
static bool too_deep(struct slice in)
{
	int depth = 0;
	bool text = false;
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];
		if (text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				text = false;
		} else if (c == '"') {
			text = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSONIO_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && --depth <= 0) {
			return false;
		}
	}
	return false;
}

enum status jsonio_parse(struct slice in, enum jsonio_mode mode, json_t **ret, struct error *e)
{
	json_error_t why;
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	if (in.n > JSONIO_MAX)
		return error_set(e, ST_LIMIT, "JSON text longer than %d bytes", JSONIO_MAX);
	if (too_deep(in))
		return error_set(e, ST_LIMIT, "JSON text nested deeper than %d levels", JSONIO_DEPTH);
	if (mode == JSONIO_FIRST)
		flags |= JSON_DISABLE_EOF_CHECK;
	call_once(&hooked, hook);
	starved = false;
	json_t *v = json_loadb(in.n ? (const char *)in.p : "", in.n, flags, &why);
	if (starved) {
		json_decref(v);
		return error_nomem(e);
	}
	if (!v) {
		/* "... near '"s3cret"'": the text may be a configuration with a password in it, or a private key. */
		char *quote = strstr(why.text, " near '");
		if (quote)
			*quote = '\0';
		return error_set(e, ST_INVALID, "not JSON: line %d, column %d: %s", why.line, why.column, why.text);
	}
	*ret = v;
	return ST_OK;
}

/* --- writing, as Go's encoding/json does --- */

struct writer {
	struct buf *out;
	int indent; /* 0: compact */
	int depth;
};

static void newline(struct writer *w)
{
	if (!w->indent)
		return;
	buf_addc(w->out, '\n');
	for (int i = 0; i < w->depth; i++) {
		if (w->indent == JSONIO_TAB)
			buf_addc(w->out, '\t');
		else
			buf_addf(w->out, "%*s", w->indent, "");
	}
}

static const char *short_escape(uint8_t c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

/* U+2028 and U+2029 are line ends to JavaScript, and Go escapes them. */
static bool line_separator(struct slice s, size_t i)
{
	return i + 2 < s.n && s.p[i] == 0xe2 && s.p[i + 1] == 0x80 && (s.p[i + 2] & 0xfe) == 0xa8;
}

static void write_text(struct writer *w, struct slice s)
{
	buf_addc(w->out, '"');
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		const char *brief = short_escape(c);
		if (brief) {
			buf_adds(w->out, brief);
		} else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
			buf_addf(w->out, "\\u%04x", c);
		} else if (line_separator(s, i)) {
			buf_addf(w->out, "\\u202%x", s.p[i + 2] & 0xfu);
			i += 2;
		} else {
			buf_addc(w->out, (char)c);
		}
	}
	buf_addc(w->out, '"');
}

/* The fewest digits that read back as the same number, plain or with an exponent as Go does; but Go's plain form up to
 * 1e21 and its -0 would not be read back as they are by jansson, to which a number without a point is an int64. */
static void write_real(struct writer *w, double v)
{
	enum { PLAIN_FROM = -6, PLAIN_BELOW = 18 };
	char text[40] = "";
	int digits = 1;
	for (; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*e", digits - 1, v);
		if (strtod(text, NULL) == v)
			break;
	}
	char *e = strchr(text, 'e');
	if (!e || v == 0) {
		buf_addc(w->out, '0');
		return;
	}
	long exponent = strtol(e + 1, NULL, 10);
	if (exponent >= PLAIN_FROM && exponent < PLAIN_BELOW) {
		long decimals = digits - 1 - exponent;
		buf_addf(w->out, "%.*f", (int)(decimals > 0 ? decimals : 0), v);
	} else {
		*e = '\0';
		buf_addf(w->out, "%se%c%ld", text, exponent < 0 ? '-' : '+', labs(exponent));
	}
}

static void write_value(struct writer *w, const json_t *v);

static void write_object(struct writer *w, const json_t *v)
{
	bool first = true;
	/* jansson's iterators take a json_t that is not const; they do not change it */
	json_t *object = json_incref((json_t *)(uintptr_t)v);
	buf_addc(w->out, '{');
	w->depth++;
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at), first = false) {
		if (!first)
			buf_addc(w->out, ',');
		newline(w);
		write_text(w, slice_cstr(json_object_iter_key(at)));
		buf_adds(w->out, w->indent ? ": " : ":");
		write_value(w, json_object_iter_value(at));
	}
	w->depth--;
	if (!first)
		newline(w);
	buf_addc(w->out, '}');
	json_decref(object);
}

static void write_array(struct writer *w, const json_t *v)
{
	size_t n = json_array_size(v);
	buf_addc(w->out, '[');
	w->depth++;
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(w->out, ',');
		newline(w);
		write_value(w, json_array_get(v, i));
	}
	w->depth--;
	if (n)
		newline(w);
	buf_addc(w->out, ']');
}

static void write_value(struct writer *w, const json_t *v)
{
	if (w->depth > JSONIO_DEPTH) {
		w->out->failed = ST_LIMIT;
		return;
	}
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		write_object(w, v);
		break;
	case JSON_ARRAY:
		write_array(w, v);
		break;
	case JSON_STRING:
		write_text(w, jsonio_text(v));
		break;
	case JSON_INTEGER:
		buf_addf(w->out, "%" PRId64, (int64_t)json_integer_value(v));
		break;
	case JSON_REAL:
		write_real(w, json_real_value(v));
		break;
	case JSON_TRUE:
		buf_adds(w->out, "true");
		break;
	case JSON_FALSE:
		buf_adds(w->out, "false");
		break;
	case JSON_NULL:
		buf_adds(w->out, "null");
		break;
	}
}

enum status jsonio_format_indent(const json_t *v, int indent, struct buf *out, struct error *e)
{
	struct writer w = { .out = out, .indent = indent };
	if (!v)
		return error_nomem(e);
	write_value(&w, v);
	return buf_check(out, e);
}

enum status jsonio_format(const json_t *v, struct buf *out, struct error *e)
{
	return jsonio_format_indent(v, 0, out, e);
}

/* --- reading values --- */

json_t *jsonio_field(const json_t *object, const char *name)
{
	json_t *v = json_object_get(object, name);
	if (v || !json_is_object(object))
		return v;
	json_t *o = (json_t *)(uintptr_t)object; /* see write_object */
	for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at))
		if (slice_eq_nocase(slice_cstr(json_object_iter_key(at)), slice_cstr(name)))
			return json_object_iter_value(at);
	return NULL;
}

enum status jsonio_add_missing(json_t *into, const json_t *from, struct error *e)
{
	json_t *o = (json_t *)(uintptr_t)from; /* see write_object */
	for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at)) {
		const char *name = json_object_iter_key(at);
		if (!json_object_get(into, name) && json_object_set(into, name, json_object_iter_value(at)) != 0)
			return error_nomem(e);
	}
	return ST_OK;
}

struct slice jsonio_text(const json_t *v)
{
	return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

bool jsonio_text_ok(struct slice text)
{
	uint32_t c;
	for (size_t n; text.n; text.p += n, text.n -= n)
		if (!(n = utf8_next(text, &c)) || !c)
			return false;
	return true;
}
