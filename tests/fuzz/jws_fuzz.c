#include "base/b64.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"
#include "jose/jws.h"
#include "jose/ott.h"

#include <assert.h>

/* The compact form of what was read, read again, says the same. */
static void again(const struct jws *j)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(2 * JWS_MAX);
	AUTO(jws_done) struct jws back = { 0 };
	buf_add_slice(&text, buf_slice(&j->signed_part));
	buf_addc(&text, '.');
	b64_encode(&text, buf_slice(&j->signature), B64_URL_RAW);
	assert(!jws_parse(buf_slice(&text), &back, &e));
	assert(slice_eq(jws_alg(j), jws_alg(&back)));
	assert(slice_eq(buf_slice(&j->signed_part), buf_slice(&back.signed_part)));
	assert(slice_eq(buf_slice(&j->payload), buf_slice(&back.payload)));
	assert(slice_eq(buf_slice(&j->signature), buf_slice(&back.signature)));
}

/* A key that nobody has: no input has a good signature by it. */
static EVP_PKEY *stranger(enum key_kind kind)
{
	static const struct key_spec specs[] = {
		[KEY_EC] = KEY_SPEC_DEFAULT,
		[KEY_RSA] = { KEY_RSA, "", 2048 },
		[KEY_OKP] = { KEY_OKP, "Ed25519", 0 },
	};
	static EVP_PKEY *keys[COUNT_OF(specs)];
	struct error e = ERROR_INIT;
	if (!keys[kind])
		assert(!key_generate(&specs[kind], &keys[kind], &e));
	return keys[kind];
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(jws_done) struct jws j = { 0 };
	AUTO(ott_done) struct ott t = { 0 };
	ossl_start();
	if (!jws_parse(slice_of(p, n), &j, &e)) {
		again(&j);
		for (enum key_kind kind = KEY_EC; kind <= KEY_OKP; kind++)
			assert(jws_verify(&j, stranger(kind), &e) != ST_OK);
	}
	if (!ott_parse(slice_of(p, n), &t, &e))
		assert(j.header && strlen(t.id) == 64 && t.aud_n <= OTT_AUD_MAX && t.sans_n <= OTT_SAN_MAX);
	return 0;
}
