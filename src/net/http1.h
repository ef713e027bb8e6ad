/* http1.h - HTTP/1.1 messages (RFC 9112) as values. Pure: bytes in, values out; both ends of src/net use it.
 *
 * The parser is strict where leniency lets two readers of one message disagree: every line ends in CRLF, no folded
 * lines, no white space before a colon, no control bytes, one Host, at most one Content-Length, never Content-Length
 * beside Transfer-Encoding, no coding but chunked. What it refuses is answered and the connection is closed; nothing is
 * repaired. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"

enum { HTTP1_FIELDS_MAX = 100, HTTP1_DATE = 32 };

struct http1_field {
	struct slice name, value; /* value without white space around it */
};

/* Everything is a span of the parsed bytes. */
struct http1_head {
	struct slice method, path,
		query; /* of a request; path is raw and begins with "/" (or is "*"), query without "?" */
	int status;    /* of a response */
	struct slice reason;
	int minor; /* HTTP/1.<minor>: 0 or 1 */
	struct http1_field fields[HTTP1_FIELDS_MAX];
	size_t fields_n;
	enum http1_framing { HTTP1_EMPTY, HTTP1_LENGTH, HTTP1_CHUNKED, HTTP1_UNTIL_CLOSE } framing;
	uint64_t length;      /* with HTTP1_LENGTH */
	bool keep_alive;      /* by version and Connection (RFC 9112 §9.3) */
	bool expect_continue; /* Expect: 100-continue */
};

/* A head: the first line, the fields and the empty line, and nothing behind it.
 * ST_INVALID: malformed, the text says how; ST_LIMIT: more than HTTP1_FIELDS_MAX fields. */
MUST_USE enum status http1_parse_request(struct slice head, struct http1_head *ret, struct error *e);
/* to_head: it answers a HEAD request, which never has a body. */
MUST_USE enum status http1_parse_response(struct slice head, bool to_head, struct http1_head *ret, struct error *e);

/* The first field of that name (ASCII case does not count), or NULL. */
const struct http1_field *http1_find(const struct http1_head *h, const char *name);

/* RFC 9110 §5.6.2 token; §5.5 field value: no control bytes but HTAB. */
bool http1_is_token(struct slice s);
bool http1_is_value(struct slice s);

/* Decoder of the chunked coding (RFC 9112 §7.1), fed with what there is. Extensions and trailers are dropped, and
 * bounded. */
struct http1_chunked {
	int state;
	uint64_t left;  /* of the chunk */
	unsigned count; /* digits, bytes of an extension, bytes of all trailers */
	bool done;
};
#define HTTP1_CHUNKED_INIT ((struct http1_chunked){ 0 })

/* Appends the data to out and says how many bytes were used (all of them unless it is done). ST_INVALID: not the
 * coding; ST_LIMIT: more than out takes; ST_NOMEM. */
MUST_USE enum status http1_chunked_feed(struct http1_chunked *c, struct slice in, struct buf *out, size_t *ret_used,
                                        struct error *e);

/* "Not Found"; "Unknown" for a status without a phrase here. */
const char *http1_reason(int status);

/* IMF-fixdate (RFC 9110 §5.6.7): "Mon, 23 Nov 2026 10:51:57 GMT". */
const char *http1_date(struct wall t, char out[HTTP1_DATE]);

/* The same read. RFC 9110 §5.6.7 knows two obsolete forms beside it, which no server of today sends: ST_INVALID, as is
 * all else that is not exactly this, a wrong name of the day included. */
MUST_USE enum status http1_parse_date(struct slice s, struct wall *ret, struct error *e);

/* Appends "name: value\r\n". A control byte in the value becomes "?", so that no value can end its line. */
void http1_add_field(struct buf *out, const char *name, const char *value);
