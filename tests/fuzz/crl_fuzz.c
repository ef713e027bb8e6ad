#include "crypto/ossl.h"
#include "x509/crl.h"

#include <assert.h>
#include <openssl/x509.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct crl_facts f;
	struct crl_entry entry, found;
	size_t count = 0;
	ossl_start();
	if (crl_parse(slice_of(p, n), &f, &e))
		return 0;
	/* every entry that was counted is read, and found by its serial, unless it is taken off the list */
	for (struct slice rest = f.entries; rest.n; count++) {
		bool is = false;
		assert(!crl_next(&rest, &entry, &e));
		assert(!crl_find(&f, entry.serial, &is, &found, &e));
		assert(is || entry.reason == CRL_REASON_REMOVE);
	}
	assert(count == f.n);
	/* OpenSSL, where it can read it, sees as many */
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)n);
	if (crl) {
		int many = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
		assert((many < 0 ? 0 : (size_t)many) == f.n);
	}
	X509_CRL_free(crl);
	ossl_forget_errors();
	return 0;
}
