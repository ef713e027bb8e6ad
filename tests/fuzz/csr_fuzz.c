#include "crypto/ossl.h"
#include "x509/inspect.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(csr_done) struct csr c = { 0 };
	AUTO(csr_done) struct csr again = { 0 };
	AUTO(buf_done) struct buf pem = BUF_INIT(1 << 20);
	AUTO(buf_done) struct buf out = BUF_INIT(8 << 20);
	ossl_start();
	if (csr_parse(slice_of(p, n), true, &c, &e)) {
		assert(!c.req && !c.key && !c.der.p); /* nothing half done */
		return 0;
	}
	st_ignore(csr_verify(&c, &e), "survival only");
	assert(!inspect_csr_short(&c, &out, &e) && !inspect_csr_text(&c, &out, &e) && !inspect_csr_json(&c, &out, &e));
	for (size_t i = 0; i < out.n; i++)
		assert((out.p[i] >= 0x20 || out.p[i] == '\n') && out.p[i] != 0x7f);
	csr_format_pem(&c, &pem);
	assert(!csr_parse(buf_slice(&pem), false, &again, &e));
	assert(slice_eq(buf_slice(&again.der), buf_slice(&c.der)) && !strcmp(again.common_name, c.common_name));
	return 0;
}
