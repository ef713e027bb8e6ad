/* issue.h - new certificates from a token and a request, and from an older certificate (spec/server.md §3). Pure: the
 * serial's bytes and the time are arguments; the result is a signed certificate and the change that must be durable
 * before anyone sees it. */
#pragma once
#include "authority/authorize.h"
#include "authority/change.h"
#include "x509/csr.h"

struct issued {
	struct cert *cert;
	struct change *change; /* owned */
	bool clamped;          /* notAfter was cut to the issuer's */
	struct wall asked_not_after;
};
void issued_done(struct issued *i);

enum { ISSUE_SERIAL_BYTES = SERIAL_NEW };

struct sign_request {
	const struct csr *csr;              /* signature already verified */
	struct slice not_before, not_after; /* text of the request; empty: unset */
};

/* The request's times can be read: for the server to ask before the token is looked at, as a bad one is a malformed
 * body (400 `error decoding json`) that must not cost the token. v is set in either case. */
bool issue_check_times(const struct sign_request *req, struct verdict *v);

/* Checks, in the peer's order: cnf, common name, key, SANs, validity. Profile and extension as in §3.1-3.5.
 * A leaf never outlives its issuer: notAfter is clamped, the row keeps the span that was granted.
 *   ret   owned, issued_done(); set only where v grants. ret->change is CHANGE_ISSUE with the token's id. */
MUST_USE enum status issue_sign(const struct authority *a, const struct authorization *auth,
                                const struct sign_request *req, struct wall now,
                                const uint8_t serial[ISSUE_SERIAL_BYTES], struct issued *ret, struct verdict *v,
                                struct error *e);

/* The parent's facts that only the store knows. known == false: not in the store (imported, or no database). */
struct parent_facts {
	bool known;
	int64_t granted_s;
	char line[SERIAL_TEXT];
	int64_t generation;
	char provisioner_id[512]; /* "" where none */
	bool forgotten;           /* not known, though this store is older than the certificate: it was pruned */
};

/* May this certificate be renewed now? (§1.2; the revocation check is the store's.) *ret_prov is set where v grants; it
 * is NULL for a certificate without provisioner information, where that is allowed (never by a token).
 *   token  the renew token that is the way in, whose issuer is judged here; NULL: TLS has verified the certificate */
MUST_USE enum status renew_decide(const struct authority *a, const struct cert *parent,
                                  const struct parent_facts *facts, struct wall now, const struct renew_token *token,
                                  const struct provisioner **ret_prov, struct verdict *v, struct error *e);

/* Renews (csr NULL) or rekeys (csr: only its key counts; the strength is demanded that issue_sign demands). §3.7
 * prov: what renew_decide gave. ret->change is CHANGE_RENEW or CHANGE_REKEY without a token: a caller that came by a
 * token puts token_id and token_exp in. */
MUST_USE enum status issue_renewed(const struct authority *a, const struct cert *parent,
                                   const struct parent_facts *facts, const struct provisioner *prov,
                                   const struct csr *csr, struct wall now, const uint8_t serial[ISSUE_SERIAL_BYTES],
                                   struct issued *ret, struct verdict *v, struct error *e);

/* The CA's own listener certificate (§5.1): new P-256 key, CN, dnsNames as SANs, now-1min .. now+24h clamped.
 * ST_EXPIRED: the issuer has expired; ST_INVALID: a name that no certificate can hold; ST_DENIED: a name that the
 * issuer's name constraints do not permit. */
MUST_USE enum status issue_listener(const struct authority *a, EVP_PKEY *key, struct wall now,
                                    const uint8_t serial[ISSUE_SERIAL_BYTES], struct cert **ret, struct error *e);
