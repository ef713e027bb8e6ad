#include "crypto/pem.h"

#include <assert.h>

/* What is written of a block is read back as that block. */
static void again(const struct pem_block *b)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_INIT(4 << 20);
	AUTO(pem_block_done) struct pem_block back = { 0 };
	pem_format_headers(&out, b->label, buf_cstr(&b->headers), buf_slice(&b->der));
	struct slice rest = buf_slice(&out);
	assert(!pem_next(&rest, &back, &e) && rest.n == 0);
	assert(strcmp(b->label, back.label) == 0);
	assert(slice_eq(buf_slice(&b->headers), buf_slice(&back.headers)));
	assert(slice_eq(buf_slice(&b->der), buf_slice(&back.der)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct slice rest = slice_of(p, n);
	AUTO(pem_block_done) struct pem_block b = { 0 };
	enum status st;
	do {
		size_t before = rest.n;
		st = pem_next(&rest, &b, &e);
		assert(st == ST_MISSING || rest.n < before); /* or a caller that goes on would not end */
		if (!st && !memchr(b.headers.p ? b.headers.p : p, 0, b.headers.n))
			again(&b);
	} while (st != ST_MISSING);
	return 0;
}
