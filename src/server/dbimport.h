/* dbimport.h - `step-ca db import`: revocations known from elsewhere (another CA program's database, a CRL). */
#pragma once
#include "config/caconf.h"

struct dbimport_list {
	struct store_revocation *v;
	size_t n, cap;
	int64_t crl_number; /* of the CRL that was read; 0: of none */
};
void dbimport_list_done(struct dbimport_list *l);

/* in: a CRL (PEM or DER), lines of `step-ca db export`, or text with one serial a line, decimal or 0x...; '#' begins a
 * comment; behind the serial may stand a reason code 0..10. now: time of revocation where the input has none. Pure. Adds
 * to ret, which may hold something on failure. ST_INVALID names the line. */
MUST_USE enum status dbimport_read(struct slice in, struct wall now, struct dbimport_list *ret, struct error *e);

/* Reads and records. The store must not be in use. */
MUST_USE enum status dbimport_run(const struct caconf *conf, const struct clock *clock, struct slice in,
                                  size_t *ret_read, size_t *ret_new, struct error *e);
