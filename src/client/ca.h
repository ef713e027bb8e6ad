/* ca.h - typed calls to a CA (spec/server.md §1, spec/client.md §5-6). Errors carry the CA's message as the peer's client
 * prints it; a body that is not JSON is answered with its first line and the name of a likely culprit (a proxy). */
#pragma once
#include "jose/jsonio.h"
#include "net/https.h"
#include "x509/cert.h"
#include "x509/csr.h"

struct ca {
	char *url;                 /* "https://host[:port]", no trailing slash */
	struct chain roots;
	const char *user_agent, *proxy_env, *no_proxy_env; /* borrowed */
	int64_t timeout_ms;
};
void ca_done(struct ca *c);

/* Scheme optional, path and trailing slash dropped, bare IPv6 bracketed; another scheme is refused with the peer's words. */
MUST_USE enum status ca_url_clean(const char *typed, struct buf *ret, struct error *e);

/* What the last call to the CA met; for the recovery ladder and exit codes. */
struct ca_answer {
	int http;                  /* 0: no HTTP answer */
	struct https_outcome net;
};

MUST_USE enum status ca_health(struct ca *c, struct error *e);
/* GET /root/<fingerprint> without TLS verification; the certificate's SHA-256 must be the fingerprint. */
MUST_USE enum status ca_root(struct ca *c, const char *fingerprint, struct cert **ret, struct error *e);
enum ca_bundle { CA_ROOTS, CA_FEDERATION, CA_INTERMEDIATES };
MUST_USE enum status ca_bundle(struct ca *c, enum ca_bundle which, struct chain *ret, struct error *e);

/* All pages; a JSON array of provisioner objects. */
MUST_USE enum status ca_provisioners(struct ca *c, json_t **ret, struct error *e);
MUST_USE enum status ca_encrypted_key(struct ca *c, const char *kid, struct buf *ret, struct error *e);

struct ca_sign_request {
	const struct csr *csr;
	const char *ott, *not_before, *not_after; /* the latter two may be NULL */
};
/* ret: leaf first. */
MUST_USE enum status ca_sign(struct ca *c, const struct ca_sign_request *q, struct chain *ret, struct ca_answer *a,
                             struct error *e);
/* mTLS with chain and key; or, token not NULL, "Authorization: Bearer". */
MUST_USE enum status ca_renew(struct ca *c, const struct chain *client, EVP_PKEY *key, const char *token,
                              struct chain *ret, struct ca_answer *a, struct error *e);
MUST_USE enum status ca_rekey(struct ca *c, const struct chain *client, EVP_PKEY *key, const struct csr *csr,
                              struct chain *ret, struct ca_answer *a, struct error *e);
struct ca_revoke_request {
	const char *serial, *ott, *reason;
	int reason_code;
};
/* client NULL: by token. */
MUST_USE enum status ca_revoke(struct ca *c, const struct ca_revoke_request *q, const struct chain *client,
                               EVP_PKEY *key, struct ca_answer *a, struct error *e);
