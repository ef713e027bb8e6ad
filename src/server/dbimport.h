/* dbimport.h - `step-ca db import`: revocations known from elsewhere (another CA program's database, a CRL). */
#pragma once
#include "config/caconf.h"

/* in: a CRL (PEM or DER), lines of `step-ca db export`, or text with one serial a line, decimal or 0x...; '#' begins a comment; behind the serial may
 * stand a reason code 0..10. now: time of revocation where the input has none. The store must not be in use. */
MUST_USE enum status dbimport_run(const struct caconf *conf, const struct clock *clock, struct slice in,
                                  size_t *ret_read, size_t *ret_new, struct error *e);
