/*   front (slim_context)          behind
 *   ┌──────────────┐   query   ┌────────────┐
 *   │ "slim"       │ ────────> │ "default"  │   The algorithms are default's, with default's own state (provctx),
 *   │ few of some  │           │ everything │   so they do not notice who asked for them.
 *   └──────────────┘           └────────────┘
 *
 * For each public key OpenSSL 3.0 copies the list of all algorithms that the context has met (two hundred) to find the
 * key managers among them, and then tries them with all decoders. So what matters is how few there are. */
#include "net/slim.h"

#include "base/macros.h"
#include "crypto/ossl.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <string.h>

enum { KEPT_MAX = 16, OPENSSL_3_2 = 0x30200000 };

static const struct rule {
	int operation;
	const char *property; /* in the definition of each that is kept */
	const char *names[KEPT_MAX];
} rules[] = {
	{ OSSL_OP_DECODER, "input=der,structure=SubjectPublicKeyInfo", { "EC", "RSA", "ED25519" } },
	/* Also those of the key exchange; without RSA-PSS, RSA keys could not sign in TLS 1.3; HMAC is for the suites
	 * of TLS 1.2 that are no AEAD. */
	{ OSSL_OP_KEYMGMT, "", { "EC", "RSA", "RSA-PSS", "ED25519", "X25519", "X448", "HMAC" } },
	/* What net/suites.c may name. */
	{ OSSL_OP_CIPHER,
	  "",
	  { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305", "AES-128-CBC", "AES-256-CBC", "AES-128-CBC-HMAC-SHA1",
	    "AES-256-CBC-HMAC-SHA1", "AES-128-CBC-HMAC-SHA256", "AES-256-CBC-HMAC-SHA256", "DES-EDE3-CBC" } },
	/* MD5 since libssl makes no context without it; SHA-1 for CBC suites and key identifiers. */
	{ OSSL_OP_DIGEST, "", { "SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "MD5", "MD5-SHA1" } },
	{ OSSL_OP_MAC, "", { "HMAC" } },
	{ OSSL_OP_KDF, "", { "HKDF", "TLS13-KDF", "TLS1-PRF" } },
	{ OSSL_OP_RAND, "", { "CTR-DRBG", "SEED-SRC" } },
	{ OSSL_OP_KEYEXCH, "", { "ECDH", "X25519", "X448" } },
	{ OSSL_OP_SIGNATURE, "", { "ECDSA", "RSA", "ED25519", "HMAC" } }, /* HMAC: as for its key manager */
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static OSSL_LIB_CTX *front;
static OSSL_PROVIDER *behind;
static OSSL_ALGORITHM kept[COUNT_OF(rules)][KEPT_MAX + 1]; /* each ends with an empty one */

/* Algorithms may have other names behind a colon; the first one tells. */
static bool is_wanted(const struct rule *r, const OSSL_ALGORITHM *a)
{
	size_t n = strcspn(a->algorithm_names, ":");
	if (!strstr(a->property_definition, r->property))
		return false;
	for (size_t i = 0; i < KEPT_MAX && r->names[i]; i++)
		if (strlen(r->names[i]) == n && strncmp(a->algorithm_names, r->names[i], n) == 0)
			return true;
	return false;
}

static bool choose(const struct rule *r, OSSL_ALGORITHM out[KEPT_MAX + 1])
{
	int no_store;
	size_t n = 0;
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(behind, r->operation, &no_store);
	for (; a && a->algorithm_names && n < KEPT_MAX; a++)
		if (is_wanted(r, a))
			out[n++] = *a;
	return n > 0;
}

static bool choose_all(void)
{
	for (size_t i = 0; i < COUNT_OF(rules); i++)
		if (!choose(&rules[i], kept[i]))
			return false;
	return true;
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_store)
{
	(void)provctx;
	*no_store = 0;
	for (size_t i = 0; i < COUNT_OF(rules); i++)
		if (rules[i].operation == operation)
			return kept[i];
	return OSSL_PROVIDER_query_operation(behind, operation, no_store);
}

/* The TLS groups are told here. */
static int get_capabilities(void *provctx, const char *capability, OSSL_CALLBACK *cb, void *arg)
{
	(void)provctx;
	return OSSL_PROVIDER_get_capabilities(behind, capability, cb, arg);
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **provctx)
{
	static const OSSL_DISPATCH ours[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities },
		{ 0, NULL },
	};
	(void)handle;
	(void)in;
	*out = ours;
	*provctx = OSSL_PROVIDER_get0_provider_ctx(behind);
	return 1;
}

static void make(void)
{
	ossl_start();
	if (OpenSSL_version_num() >= OPENSSL_3_2)
		return;
	OSSL_LIB_CTX *back = OSSL_LIB_CTX_new();
	OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();
	behind = back ? OSSL_PROVIDER_load(back, "default") : NULL;
	if (behind && made && choose_all() && OSSL_PROVIDER_add_builtin(made, "slim", provider_init) &&
	    OSSL_PROVIDER_load(made, "slim")) {
		front = made;
	} else {
		OSSL_LIB_CTX_free(made); /* first: what it may hold points into the other */
		OSSL_LIB_CTX_free(back);
	}
	ossl_forget_errors();
}

OSSL_LIB_CTX *slim_context(void)
{
	return CRYPTO_THREAD_run_once(&once, make) ? front : NULL;
}
