#include "base/b64.h"
#include "crypto/ossl.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwe.h"

#include <assert.h>

/* p2c is the text's to say, and each iteration costs: dear ones are passed over. */
static bool dear(struct slice in)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(JWE_MAX);
	AUTO(json_decref_p) json_t *header = NULL;
	in = slice_trim(in);
	if (b64_decode(&text, slice_of(in.p, slice_find(in, '.')), B64_URL_RAW, &e) ||
	    jsonio_parse(buf_slice(&text), JSONIO_STRICT, &header, &e))
		return false;
	return json_integer_value(json_object_get(header, "p2c")) > 2 * JWE_P2C_MIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct slice in = slice_of(p, n), password = SLICE_LIT("password");
	AUTO(buf_done) struct buf out = BUF_SECRET(JWE_MAX);
	AUTO(buf_done) struct buf sealed = BUF_INIT(2 * JWE_MAX);
	AUTO(buf_done) struct buf back = BUF_SECRET(JWE_MAX);
	ossl_start();
	if (!dear(in) && jwe_open(in, password, &out, &e))
		assert(out.n == 0);
	/* any text can be sealed and opened again, where it is not too long */
	if (n > 1000)
		return 0;
	assert(!jwe_seal(in, password, JWE_P2C_MIN, &sealed, &e));
	assert(!jwe_open(buf_slice(&sealed), password, &back, &e) && slice_eq(in, buf_slice(&back)));
	return 0;
}
