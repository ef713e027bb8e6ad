#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwk.h"

#include <assert.h>

/* JSON that was read is written, and read back as the same value, written the same. */
static void again(const json_t *v)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf once = BUF_INIT(8 << 20);
	AUTO(buf_done) struct buf indented = BUF_INIT(16 << 20);
	AUTO(buf_done) struct buf twice = BUF_INIT(8 << 20);
	AUTO(json_decref_p) json_t *back = NULL;
	assert(!jsonio_format(v, &once, &e) && !jsonio_format_indent(v, JSONIO_TAB, &indented, &e));
	assert(!jsonio_parse(buf_slice(&indented), JSONIO_STRICT, &back, &e));
	assert(!jsonio_format(back, &twice, &e));
	assert(slice_eq(buf_slice(&once), buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *v = NULL;
	AUTO(json_decref_p) json_t *out = NULL;
	AUTO(jwk_done) struct jwk k = { 0 };
	AUTO(jwk_done) struct jwk back = { 0 };
	char a[JWK_THUMBPRINT], b[JWK_THUMBPRINT];
	ossl_start();
	if (jsonio_parse(slice_of(p, n), JSONIO_STRICT, &v, &e))
		return 0;
	again(v);
	if (jwk_parse(v, &k, &e))
		return 0;
	assert(!jwk_format(&k, k.is_private, &out, &e) && !jwk_parse(out, &back, &e));
	assert(key_equal(k.key, back.key) && k.is_private == back.is_private);
	assert(!jwk_thumbprint(k.key, a, &e) && !jwk_thumbprint(back.key, b, &e) && strcmp(a, b) == 0);
	return 0;
}
