/* retry.h - how long after a failure is the next attempt? Numbers only; plan.h keeps the count.
 *
 * SOON    a minute, doubled with each failure, at most an hour and an eighth of the life that is left; never more than
 *         five minutes while less than a tenth of it is left. After the end at most a tenth of the validity, within a
 *         minute and five. At least a thirtieth of the validity, within 1 s and 10 s. Retry-After moves it later, up to
 *         half of the way to the last tenth, and in that to five minutes.
 * SELDOM  a 24th of the validity, within a minute and 15; doubled, at most an hour: the CA has refused.
 * All are spread by a quarter to either side; what the CA said, only to the later one. */
#pragma once
#include "renewal/record.h"

enum { RETRY_FIRST_S = 60, RETRY_LAST_S = 3600, RETRY_DYING_S = 300, RETRY_SELDOM_S = 900, RETRY_LEAST_S = 10 };

struct retry_case {
	enum retry_kind kind;
	int repeats;           /* failures of this kind in a row, this one included: from 1 */
	int64_t validity_s;    /* notAfter - notBefore */
	int64_t left_s;        /* notAfter - now; <= 0: expired */
	int64_t retry_after_s; /* < 0: the CA did not say */
};

/* 1 .. RETRY_LAST_S and a quarter; more only where the CA asks for it. */
int64_t retry_delay_s(const struct retry_case *c, uint64_t chance);

/* No delay that retry_delay_s can have given is longer: what lies further ahead was written by another clock. */
int64_t retry_bound_s(int64_t validity_s);
