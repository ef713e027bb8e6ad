/* certcrl.h - `certificate verify --verify-crl`: is a certificate on its issuer's revocation list? */
#pragma once
#include "cli/certfile.h"

struct crl_question {
	const char *endpoint;      /* a file, or an http:// or https:// URL; NULL or "": where the certificate says */
	const char *issuing_ca;    /* a file; NULL or "": looked for among certs and roots */
	const struct chain *certs; /* the certificate first, and what came along */
	const char *roots;         /* as --roots: the issuer may be there */
};

/* Whose list it is and that it is good now is checked by its signature, so it does not matter how it came. ST_DENIED:
 * the certificate is revoked, or the list is another's, or names not all that is revoked; ST_EXPIRED: the list is not
 * good at this time; ST_MISSING: nobody says where it is, or who signs it. */
MUST_USE enum status cert_check_crl(struct invocation *inv, const struct crl_question *q, struct error *e);
