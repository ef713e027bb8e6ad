#include "x509/der.h"
#include "x509/ext.h"
#include "x509/name.h"

#include <assert.h>

/* What was read is written again to the same bytes: one value, one encoding. */
static void scalar(const struct der *d)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf again = BUF_INIT(1 << 20);
	char oid[OID_TEXT];
	struct wall t;
	if (d->tag == DER_OID && !der_read_oid(d->body, oid, &e))
		der_add_oid(&again, oid);
	else if (!der_read_time(d, &t, &e))
		der_add_time(&again, t);
	else
		return;
	struct der back;
	assert(!der_only(buf_slice(&again), again.p[0], &back, &e));
	/* GeneralizedTime before 2050 reads, though we would write UTCTime */
	if (back.tag == d->tag)
		assert(slice_eq(back.whole, d->whole));
}

static void walk(struct slice rest, int depth)
{
	struct error e = ERROR_INIT;
	struct der d;
	enum status st;
	while ((st = der_next(&rest, &d, &e)) == ST_OK) {
		AUTO(buf_done) struct buf again = BUF_INIT(1 << 21);
		der_add(&again, d.tag, d.body);
		assert(slice_eq(buf_slice(&again), d.whole));
		scalar(&d);
		if ((d.tag & 0x20) && depth < 20)
			walk(d.body, depth + 1);
	}
	assert(st == ST_INVALID || (st == ST_MISSING && !rest.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct slice in = slice_of(p, n);
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 22);
	AUTO(buf_done) struct buf reversed = BUF_INIT(1 << 22);
	struct provisioner_ext prov;
	walk(in, 0);
	if (!name_text(in, &text, &e)) { /* the same attributes in either order */
		assert(!name_text_reversed(in, &reversed, &e));
		assert(text.n == reversed.n);
	}
	if (!ext_parse_provisioner(in, &prov, &e)) {
		AUTO(buf_done) struct buf ext = BUF_INIT(4096);
		struct provisioner_ext back;
		struct ext x;
		ext_add_provisioner(&ext, &prov);
		struct slice rest = buf_slice(&ext);
		assert(!ext_next(&rest, &x, &e) && !ext_parse_provisioner(x.value, &back, &e));
		assert(back.type == prov.type && !strcmp(back.name, prov.name));
	}
	return 0;
}
