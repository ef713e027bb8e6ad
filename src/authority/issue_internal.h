/* issue_internal.h - what every way to a certificate shares. For issue*.c only. */
#pragma once
#include "authority/issue.h"
#include "x509/certwriter.h"

struct validity {
	struct wall not_before;
	struct wall granted_until; /* what the rules gave */
	struct wall not_after;     /* what the issuer's own end left of it */
};

/* Refuses a key that no certificate should hold: RSA under 2048 bits, and what key_supported() does not know. */
MUST_USE enum status issue_check_key(const struct csr *csr, struct verdict *v, struct error *e);

/* Fills val->not_after. Refuses where the issuer has expired, or ends before the certificate would begin. */
bool issue_clamp(const struct authority *a, struct wall now, struct validity *val, struct verdict *v);

/* Writes and signs; the draft's issuer is filled in here. What the issuer's name constraints do not permit is refused.
 */
MUST_USE enum status issue_write(const struct authority *a, struct cert_draft *d, struct cert **ret, struct verdict *v,
                                 struct error *e);

/* The change that must be durable before cert leaves: the row of the first of a line. Takes nothing. */
MUST_USE enum status issue_change(enum change_kind kind, const struct cert *cert, const struct provisioner *prov,
                                  const struct validity *val, struct wall now, struct change **ret, struct error *e);

/* t + ns, whole seconds downwards. */
struct wall issue_add_ns(struct wall t, int64_t ns);
