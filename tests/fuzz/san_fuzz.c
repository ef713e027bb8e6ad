#include "x509/cert.h"
#include "x509/san.h"

#include <assert.h>

/* One name a line: classified, encoded, decoded, the same. */
static void from_text(struct slice in)
{
	struct error e = ERROR_INIT;
	AUTO(san_list_done) struct san_list l = { 0 };
	AUTO(san_list_done) struct san_list back = { 0 };
	AUTO(buf_done) struct buf der = BUF_INIT(8 << 20);
	while (in.n) {
		size_t end = slice_find(in, '\n');
		st_ignore(san_list_add(&l, slice_of(in.p, end), &e), "what is refused is not in the list");
		end += end < in.n;
		in = slice_of(in.p + end, in.n - end);
	}
	assert(!san_list_encode(&l, &der, &e) && !san_list_decode(buf_slice(&der), &back, &e));
	assert(l.n == back.n);
	for (enum san_type t = SAN_DNS; t <= SAN_OTHER; t++)
		assert(san_list_same(&l, &back, t));
	for (size_t i = 0; i < l.n; i++) {
		AUTO(san_list_done) struct san_list one = { 0 };
		assert(san_list_has(&back, l.v[i].type, l.v[i].text));
		if (l.v[i].type == SAN_URI) /* as in Go, what was escaped anew may read otherwise */
			continue;
		assert(!san_list_add(&one, slice_cstr(l.v[i].text), &e));
		assert(one.v[0].type == l.v[i].type && !strcmp(one.v[0].text, l.v[i].text));
	}
}

static void from_der(struct slice in)
{
	struct error e = ERROR_INIT;
	AUTO(san_list_done) struct san_list l = { 0 };
	AUTO(buf_done) struct buf der = BUF_INIT(8 << 20);
	if (san_list_decode(in, &l, &e))
		return;
	for (size_t i = 0; i < l.n; i++)
		for (const char *c = l.v[i].text; *c; c++)
			assert(*c >= 0x20 && *c < 0x7f);
	st_ignore(san_list_encode(&l, &der, &e), "kinds that are not kept cannot be written");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	char serial[SERIAL_TEXT], again[SERIAL_TEXT];
	from_text(slice_of(p, n));
	from_der(slice_of(p, n));
	if (!serial_normalize(slice_of(p, n), serial, &e))
		assert(!serial_normalize(slice_cstr(serial), again, &e) && !strcmp(serial, again));
	return 0;
}
