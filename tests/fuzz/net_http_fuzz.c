/* Heads of requests and responses, and chunked bodies: what was accepted means the same when written out and read
 * again, and does not depend on how the bytes arrive. */
#include "net/http1.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void write_fields(const struct http1_head *h, struct buf *b)
{
	for (size_t i = 0; i < h->fields_n; i++) {
		struct slice name = h->fields[i].name, value = h->fields[i].value;
		assert(http1_is_token(name) && http1_is_value(value));
		buf_add_slice(b, name);
		buf_adds(b, ": ");
		buf_add_slice(b, value);
		buf_adds(b, "\r\n");
	}
	buf_adds(b, "\r\n");
	assert(!b->failed);
}

static void same(const struct http1_head *a, const struct http1_head *b)
{
	assert(a->fields_n == b->fields_n && a->framing == b->framing && a->length == b->length);
	assert(a->minor == b->minor && a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue);
	assert(a->status == b->status && slice_eq(a->reason, b->reason) && slice_eq(a->method, b->method));
	assert(slice_eq(a->path, b->path) && slice_eq(a->query, b->query));
	for (size_t i = 0; i < a->fields_n; i++)
		assert(slice_eq(a->fields[i].name, b->fields[i].name) &&
		       slice_eq(a->fields[i].value, b->fields[i].value));
}

static void request(struct slice in)
{
	AUTO(buf_done) struct buf b = BUF_INIT(1 << 22);
	struct error e = ERROR_INIT;
	struct http1_head h, again;

	if (http1_parse_request(in, &h, &e))
		return;
	assert(h.path.n && (h.path.p[0] == '/' || slice_is(h.path, "*")));
	assert(h.framing != HTTP1_UNTIL_CLOSE && slice_find(h.path, '\0') == h.path.n);
	buf_add_slice(&b, h.method);
	buf_addc(&b, ' ');
	buf_add_slice(&b, h.path);
	if (h.query.n) {
		buf_addc(&b, '?');
		buf_add_slice(&b, h.query);
	}
	buf_addf(&b, " HTTP/1.%d\r\n", h.minor);
	write_fields(&h, &b);
	assert(!http1_parse_request(buf_slice(&b), &again, &e));
	same(&h, &again);
}

static void response(struct slice in, bool to_head)
{
	AUTO(buf_done) struct buf b = BUF_INIT(1 << 22);
	struct error e = ERROR_INIT;
	struct http1_head h, again;

	if (http1_parse_response(in, to_head, &h, &e))
		return;
	buf_addf(&b, "HTTP/1.%d %d ", h.minor, h.status);
	buf_add_slice(&b, h.reason);
	buf_adds(&b, "\r\n");
	write_fields(&h, &b);
	assert(!http1_parse_response(buf_slice(&b), to_head, &again, &e));
	same(&h, &again);
}

static void chunked(struct slice in)
{
	AUTO(buf_done) struct buf whole = BUF_INIT(4096), bytewise = BUF_INIT(4096);
	struct http1_chunked a = HTTP1_CHUNKED_INIT, b = HTTP1_CHUNKED_INIT;
	struct error e = ERROR_INIT;
	enum status st = http1_chunked_feed(&a, in, &whole, &(size_t){ 0 }, &e), st_b = ST_OK;

	for (size_t i = 0; i < in.n && !st_b && !b.done; i++) {
		size_t used;
		st_b = http1_chunked_feed(&b, slice_of(in.p + i, 1), &bytewise, &used, &e);
	}
	assert(st == st_b);
	if (!st)
		assert(a.done == b.done && slice_eq(buf_slice(&whole), buf_slice(&bytewise)));
}

static void date(struct slice in)
{
	struct error e = ERROR_INIT;
	struct wall t;
	char again[HTTP1_DATE];
	if (!http1_parse_date(in, &t, &e))
		assert(slice_is(in, http1_date(t, again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = slice_of(p, n);
	request(in);
	response(in, false);
	response(in, true);
	chunked(in);
	date(in);
	return 0;
}
