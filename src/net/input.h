/* input.h - HTTP messages out of an evbuffer; both ends of src/net use it. */
#pragma once
#include "net/http1.h"
#include <event2/buffer.h>

/* How long the head at the start of in is, or 0 while its end has not come. *scanned remembers what was searched: 0 for a
 * new head. An end made of bare LFs counts too: the parser refuses it then, and nobody waits for a better one. */
size_t input_head_size(struct evbuffer *in, size_t *scanned);

/* Moves what has come of the body into body. *ret_whole: that was all of it (never with HTTP1_UNTIL_CLOSE).
 * As http1_chunked_feed: ST_INVALID, ST_LIMIT, ST_NOMEM. */
MUST_USE enum status input_take_body(struct evbuffer *in, const struct http1_head *head, struct http1_chunked *chunked,
                                     struct buf *body, bool *ret_whole, struct error *e);
