#include "crypto/digest.h"
#include "crypto/ossl.h"

#include <openssl/evp.h>

static enum status digest(const EVP_MD *md, struct slice in, uint8_t *out, struct error *e)
{
	if (EVP_Digest(in.p, in.n, out, NULL, md, NULL) != 1)
		return error_ossl(e, ST_CRYPTO, "digest");
	return ST_OK;
}

enum status digest_sha256(struct slice in, uint8_t out[SHA256_BYTES], struct error *e)
{
	return digest(EVP_sha256(), in, out, e);
}

enum status digest_sha1(struct slice in, uint8_t out[SHA1_BYTES], struct error *e)
{
	return digest(EVP_sha1(), in, out, e);
}

enum status digest_sha256_hex(struct slice in, char out[SHA256_HEX], struct error *e)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[SHA256_BYTES];
	enum status st = digest_sha256(in, raw, e);
	if (st)
		return st;
	for (size_t i = 0; i < sizeof raw; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[2 * sizeof raw] = '\0';
	return ST_OK;
}
