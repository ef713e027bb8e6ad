#include "crypto/auto.h"
#include "crypto/keyfile.h"
#include "crypto/keys.h"
#include "crypto/ossl.h"

#include <assert.h>

/* PBES2's iterations are the file's to say: behind its label no password is known, so that only the reading is tried.
 */
static enum status password(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	const struct slice *in = ctx;
	static const char pbes2[] = "ENCRYPTED PRIVATE KEY";
	if (attempt > 0 || memmem(in->p, in->n, pbes2, sizeof pbes2 - 1))
		return error_set(e, ST_MISSING, "no password");
	buf_adds(ret, "s3cret");
	return ST_OK;
}

static void again(EVP_PKEY *key, struct slice secret)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf out = BUF_SECRET(2 * KEYFILE_MAX);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *back = NULL;
	struct slice nothing = SLICE_LIT("no label");
	assert(!keyfile_format(key, KEYFILE_NATIVE, secret, &out, &e));
	assert(!keyfile_parse(buf_slice(&out), &(struct password_source){ password, &nothing }, &back, &e));
	assert(key_equal(key, back));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct slice in = slice_of(p, n);
	const struct password_source source = { password, &in };
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *pub = NULL;
	ossl_start();
	if (!keyfile_parse(in, &source, &key, &e)) {
		again(key, SLICE_NONE);
		if (key_facts_of(key).kind != KEY_OKP) /* which is PBES2, and slow */
			again(key, SLICE_LIT("s3cret"));
	}
	if (!keyfile_parse_public(in, &source, &pub, &e)) {
		AUTO(buf_done) struct buf out = BUF_INIT(2 * KEYFILE_MAX);
		AUTO(EVP_PKEY_free_p) EVP_PKEY *back = NULL;
		assert(!keyfile_format_public(pub, &out, &e));
		assert(!keyfile_parse_public(buf_slice(&out), NULL, &back, &e) && key_equal(pub, back));
	}
	return 0;
}
