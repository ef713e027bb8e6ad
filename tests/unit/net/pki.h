/* pki.h - certificates for the tests of src/net, made by OpenSSL's own writer, valid around the system's time. */
#pragma once
#include "x509/cert.h"
#include <openssl/types.h>

struct cred {
	struct chain chain; /* leaf first, without the root */
	EVP_PKEY *key;
};

struct cred_spec {
	const char *key;                 /* "RSA" (2048), "P-384", "ED25519", ...; NULL: P-256 */
	const char *cn, *san, *eku, *ku; /* OpenSSL's notation; NULL: without */
	bool ca;
	long from_s, until_s; /* from now; 0, 0: -60 .. 3600 */
};

/* issuer NULL: self-signed. Ends the test program where it fails. */
struct cred cred_make(const struct cred *issuer, const struct cred_spec *spec);
void cred_done(struct cred *c);

/* What most tests need, made once: root -> intermediate -> leaf each. */
struct pki {
	struct cred root, inter, server /* localhost, 127.0.0.1, ::1 */, client;
	struct chain client_roots; /* root and intermediate */
	struct chain roots;        /* root */
};
void pki_make(struct pki *p);
void pki_done(struct pki *p);
