#include "net/input.h"

size_t input_head_size(struct evbuffer *in, size_t *scanned)
{
	size_t n = evbuffer_get_length(in);
	struct evbuffer_ptr from, good, bare;

	evbuffer_ptr_set(in, &from, *scanned, EVBUFFER_PTR_SET);
	good = evbuffer_search(in, "\n\r\n", 3, &from);
	bare = evbuffer_search_range(in, "\n\n", 2, &from, good.pos < 0 ? NULL : &good);
	if (bare.pos >= 0)
		return (size_t)bare.pos + 2;
	if (good.pos >= 0)
		return (size_t)good.pos + 3;
	*scanned = n > 2 ? n - 2 : 0;
	return 0;
}

/* Uses some of the n bytes at p. */
static enum status take(const void *p, size_t n, const struct http1_head *head, struct http1_chunked *chunked,
                        struct buf *body, size_t *ret_used, struct error *e)
{
	if (head->framing == HTTP1_CHUNKED)
		return http1_chunked_feed(chunked, slice_of(p, n), body, ret_used, e);
	if (head->framing == HTTP1_LENGTH && n > head->length - body->n)
		n = (size_t)head->length - body->n;
	buf_add(body, p, n);
	*ret_used = n;
	return buf_check(body, e);
}

static bool is_whole(const struct http1_head *head, const struct http1_chunked *chunked, const struct buf *body)
{
	switch (head->framing) {
	case HTTP1_EMPTY:
		return true;
	case HTTP1_LENGTH:
		return body->n == head->length;
	case HTTP1_CHUNKED:
		return chunked->done;
	case HTTP1_UNTIL_CLOSE:
		return false;
	}
	return false;
}

enum status input_take_body(struct evbuffer *in, const struct http1_head *head, struct http1_chunked *chunked,
                            struct buf *body, bool *ret_whole, struct error *e)
{
	struct evbuffer_iovec v;
	while (!is_whole(head, chunked, body) && evbuffer_peek(in, -1, NULL, &v, 1) > 0 && v.iov_len) {
		size_t used;
		if (take(v.iov_base, v.iov_len, head, chunked, body, &used, e))
			return e->status;
		evbuffer_drain(in, used);
	}
	*ret_whole = is_whole(head, chunked, body);
	return ST_OK;
}
