/* csr.h - PKCS#10 requests (RFC 2986). Immutable once parsed. */
#pragma once
#include "base/buf.h"
#include "x509/san.h"
#include <openssl/x509.h>

enum { CSR_MAX = 64 * 1024 };

struct csr {
	X509_REQ *req;
	EVP_PKEY *key;
	struct buf der, spki, subject; /* spki, subject: DER */
	struct slice extensions;       /* content of the requested Extensions, a span of der; empty where none */
	struct slice signature_alg, signature; /* spans of der: AlgorithmIdentifier, and the bits */
	char *common_name;                     /* "" where none */
	struct san_list sans;                  /* from the extensionRequest attribute */
};
void csr_done(struct csr *c);

/* First PEM block whatever its label (spec/server.md §0), or DER where der_too. Does not check the signature.
 * ST_INVALID. */
MUST_USE enum status csr_parse(struct slice in, bool der_too, struct csr *ret, struct error *e);
/* Its own signature. ST_DENIED where it does not verify. */
MUST_USE enum status csr_verify(const struct csr *c, struct error *e);

/* Makes and signs a request; subject is a DER Name, sans may be NULL. Appends DER. */
MUST_USE enum status csr_make(EVP_PKEY *key, struct slice subject, const struct san_list *sans, struct buf *out,
                              struct error *e);
void csr_format_pem(const struct csr *c, struct buf *out);
