/* jsonio.h - JSON text to jansson values and back, under one set of rules: duplicate keys are refused, depth and size
 * are bounded (jansson: 2048 levels are cut to JSONIO_DEPTH), NULs in strings are refused. */
#pragma once
#include "base/buf.h"
#include <jansson.h>

enum { JSONIO_MAX = 4 * 1024 * 1024, JSONIO_DEPTH = 64 };

enum jsonio_mode {
	JSONIO_STRICT, /* one value and nothing behind it */
	JSONIO_FIRST,  /* the peer's request bodies: what follows the first value is ignored (spec/server.md §0) */
};

MUST_USE enum status jsonio_parse(struct slice in, enum jsonio_mode mode, json_t **ret, struct error *e);

/* Compact, with <, >, & and U+2028/9 escaped as Go's encoding/json does. Key order is the order of insertion. v may be
 * NULL, which is what jansson makes where memory ran out: ST_NOMEM. ST_LIMIT: out is full, or nested too deep. */
MUST_USE enum status jsonio_format(const json_t *v, struct buf *out, struct error *e);
/* The same with indent (spaces 1..31; or JSONIO_TAB for ca.json's tabs), as Go's json.MarshalIndent: ": " between name
 * and value, {} and [] where empty, no newline at the end. */
enum { JSONIO_TAB = 100 };
MUST_USE enum status jsonio_format_indent(const json_t *v, int indent, struct buf *out, struct error *e);

/* Field of an object by name, exact match first, then ASCII case-insensitive as Go decodes. NULL if absent. Borrowed.
 */
json_t *jsonio_field(const json_t *object, const char *name);

/* Sets the members of from that into has not. ST_NOMEM. (json_copy and json_object_update_missing of jansson 2.14 lose
 * members without a word where memory runs out: do not use them.) */
MUST_USE enum status jsonio_add_missing(json_t *into, const json_t *from, struct error *e);

/* Text of a string value; empty slice for NULL or another type. Borrowed from v. */
struct slice jsonio_text(const json_t *v);

/* UTF-8 without NUL: what json_string() takes. It answers NULL for other text as it does where memory ran out, so text
 * that was typed or read is asked about first. */
bool jsonio_text_ok(struct slice text);
