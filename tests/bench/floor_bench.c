/* What a renewal over a new TLS 1.3 connection cannot do without, N times: two P-256 signatures, two verifications, an
 * X25519 key and its use. For callgrind: the difference between two N is the floor in instructions. The same calls as
 * `openssl speed`, which gives it in time.   usage: bench_floor N */
#include "base/num.h"
#include "crypto/auto.h"
#include "crypto/ossl.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { DIGEST = 32, SIGNATURE_MAX = 80 };

static bool floor_once(EVP_PKEY_CTX *sign, EVP_PKEY_CTX *verify, EVP_PKEY_CTX *derive)
{
	uint8_t digest[DIGEST] = { 1, 2, 3 }, signature[SIGNATURE_MAX], secret[DIGEST];
	for (int i = 0; i < 2; i++) {
		size_t signature_n = sizeof signature, secret_n = sizeof secret;
		if (EVP_PKEY_sign(sign, signature, &signature_n, digest, sizeof digest) != 1 ||
		    EVP_PKEY_verify(verify, signature, signature_n, digest, sizeof digest) != 1 ||
		    EVP_PKEY_derive(derive, secret, &secret_n) != 1)
			return false;
	}
	return true;
}

int main(int argc, char *argv[])
{
	struct error e = ERROR_INIT;
	int64_t n;
	if (argc != 2 || num_parse(slice_cstr(argv[1]), 1, 1000000, &n, &e)) {
		fprintf(stderr, "usage: bench_floor N\n");
		return 2;
	}
	ossl_start();
	AUTO(EVP_PKEY_free_p) EVP_PKEY *ec = EVP_EC_gen("P-256");
	AUTO(EVP_PKEY_free_p) EVP_PKEY *ours = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	AUTO(EVP_PKEY_free_p) EVP_PKEY *theirs = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	AUTO(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(ec, NULL);
	AUTO(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *verify = EVP_PKEY_CTX_new(ec, NULL);
	AUTO(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *derive = EVP_PKEY_CTX_new(ours, NULL);
	if (EVP_PKEY_sign_init(sign) != 1 || EVP_PKEY_verify_init(verify) != 1 || EVP_PKEY_derive_init(derive) != 1 ||
	    EVP_PKEY_derive_set_peer(derive, theirs) != 1)
		return 1;
	for (int64_t i = 0; i < n; i++)
		if (!floor_once(sign, verify, derive))
			return 1;
	return 0;
}
