#include "crypto/pbkdf2.h"
#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

/* SHA256_Init and its kin are deprecated in favour of EVP, which has no call for the bare compression function. They
 * stay in every OpenSSL 3; pbkdf2_test holds this file against PKCS5_PBKDF2_HMAC and published vectors. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { BLOCK = SHA256_CBLOCK };

/* The hash states after the key's inner and outer block: RFC 2104 §4. */
struct hmac_key {
	SHA256_CTX inner, outer;
};

static void hmac_key_init(struct hmac_key *k, struct slice password)
{
	uint8_t pad[BLOCK] = { 0 };
	if (password.n > BLOCK) {
		SHA256_Init(&k->inner);
		SHA256_Update(&k->inner, password.p, password.n);
		SHA256_Final(pad, &k->inner);
	} else if (password.n) {
		memcpy(pad, password.p, password.n);
	}
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	SHA256_Init(&k->inner);
	SHA256_Update(&k->inner, pad, BLOCK);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&k->outer);
	SHA256_Update(&k->outer, pad, BLOCK);
	OPENSSL_cleanse(pad, sizeof pad);
}

static void put_words(uint8_t *out, const SHA_LONG h[8])
{
	for (size_t i = 0; i < 8; i++) {
		out[4 * i] = (uint8_t)(h[i] >> 24);
		out[4 * i + 1] = (uint8_t)(h[i] >> 16);
		out[4 * i + 2] = (uint8_t)(h[i] >> 8);
		out[4 * i + 3] = (uint8_t)h[i];
	}
}

/* HMAC of a 32-byte message that stands, already padded, in block; the result replaces the message. */
static void hmac_again(const struct hmac_key *k, uint8_t block[BLOCK], SHA_LONG ret[8])
{
	SHA256_CTX c = k->inner;
	SHA256_Transform(&c, block);
	put_words(block, c.h);
	c = k->outer;
	SHA256_Transform(&c, block);
	put_words(block, c.h);
	memcpy(ret, c.h, 8 * sizeof *ret);
}

/* RFC 8018 §5.2: T_i = U_1 \xor U_2 \xor ... \xor U_c */
static void output_block(const struct hmac_key *k, struct slice salt, uint32_t index, int iterations,
                         uint8_t out[SHA256_BYTES])
{
	/* message, the bit 1, and the length of key block and message in bits */
	uint8_t block[BLOCK] = { [SHA256_BYTES] = 0x80, [BLOCK - 2] = (BLOCK + SHA256_BYTES) * 8 >> 8 };
	const uint8_t be[4] = { (uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index };
	SHA_LONG u[8], t[8];
	SHA256_CTX c = k->inner;

	SHA256_Update(&c, salt.p, salt.n);
	SHA256_Update(&c, be, sizeof be);
	SHA256_Final(block, &c);
	c = k->outer;
	SHA256_Transform(&c, block);
	put_words(block, c.h);
	memcpy(t, c.h, sizeof t);
	for (int i = 1; i < iterations; i++) {
		hmac_again(k, block, u);
		for (size_t w = 0; w < 8; w++)
			t[w] ^= u[w];
	}
	put_words(out, t);
	OPENSSL_cleanse(block, sizeof block);
	OPENSSL_cleanse(u, sizeof u);
	OPENSSL_cleanse(t, sizeof t);
	OPENSSL_cleanse(&c, sizeof c);
}

enum status pbkdf2_sha256(struct slice password, struct slice salt, int iterations, uint8_t *out, size_t n,
                          struct error *e)
{
	struct hmac_key k;
	uint8_t block[SHA256_BYTES];

	if (iterations < 1 || iterations > PBKDF2_ITERATIONS_MAX)
		return error_set(e, ST_LIMIT, "%d PBKDF2 iterations: must be from 1 to %d", iterations,
		                 PBKDF2_ITERATIONS_MAX);
	hmac_key_init(&k, password);
	for (uint32_t index = 1; n; index++) {
		size_t part = n < sizeof block ? n : sizeof block;
		output_block(&k, salt, index, iterations, block);
		memcpy(out, block, part);
		out += part;
		n -= part;
	}
	OPENSSL_cleanse(&k, sizeof k);
	OPENSSL_cleanse(block, sizeof block);
	return ST_OK;
}
