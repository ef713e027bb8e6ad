#include "crypto/ossl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>

static CRYPTO_ONCE started = CRYPTO_ONCE_STATIC_INIT;

/* OpenSSL looks algorithms of certificates and PKCS#8/#12 files up by name in a table that it fills with all it knows
 * (0.3 ms). We fill in what such files may hold here; algorithms that are fetched do not need the table. */
static void start(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
	                            OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_ATEXIT,
	                    NULL);
	const EVP_MD *const digests[] = {
		EVP_md5(), EVP_sha1(), EVP_sha224(), EVP_sha256(), EVP_sha384(), EVP_sha512()
	};
	for (size_t i = 0; i < COUNT_OF(digests); i++)
		EVP_add_digest(digests[i]);
	const EVP_CIPHER *const ciphers[] = { EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc(),
		                              EVP_des_ede3_cbc() };
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		EVP_add_cipher(ciphers[i]);
}

void ossl_start(void)
{
	CRYPTO_THREAD_run_once(&started, start);
}

/* "ASN1 lib", "nested asn1 error": where it passed through, not what was wrong. */
static bool tells_nothing(unsigned long code)
{
	return ERR_COMMON_ERROR(code) && !ERR_FATAL_ERROR(code) && ERR_GET_REASON(code) != ERR_R_UNSUPPORTED;
}

enum status error_ossl(struct error *e, enum status st, const char *fmt, ...)
{
	enum { REASONS = 2 };
	unsigned long code, any = 0;
	const char *said = NULL;
	va_list ap;

	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	e->status = st;
	e->os = 0;
	e->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	for (int n = 0; (code = ERR_get_error());) {
		if (!any)
			any = code;
		const char *why = ERR_reason_error_string(code);
		if (!why || n == REASONS || tells_nothing(code) || (said && strcmp(said, why) == 0))
			continue;
		size_t at = strlen(e->text);
		snprintf(e->text + at, sizeof e->text - at, ": %s", why);
		said = why;
		n++;
	}
	if (any && !said) {
		const char *why = ERR_reason_error_string(any);
		size_t at = strlen(e->text);
		snprintf(e->text + at, sizeof e->text - at, ": %s", why ? why : "no reason given");
	}
	return st;
}

void ossl_forget_errors(void)
{
	ERR_clear_error();
}
