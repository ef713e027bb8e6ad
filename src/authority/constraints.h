/* constraints.h - name constraints of the issuers (RFC 5280 §4.2.1.10). A certificate that they do not permit would be
 * refused by whoever verifies it, so it does not leave. */
#pragma once
#include "authority/authority.h"

/* By every issuer and by the root that the last of them leads to. Refuses with REFUSAL_FORBIDDEN and a bare message
 * that names the first name at fault. ST_INVALID: an issuer's extension cannot be read. */
MUST_USE enum status constraints_check(const struct authority *a, const struct cert *leaf, struct verdict *v,
                                       struct error *e);
