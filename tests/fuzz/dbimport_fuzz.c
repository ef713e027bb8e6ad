/* What `step-ca db import` reads: CRLs, exports, lists. */
#include "server/dbimport.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct wall now = { 1800000000 };
	struct dbimport_list l = { 0 };
	struct error e = ERROR_INIT;
	enum status st = dbimport_read(slice_of(p, n), now, &l, &e);
	assert(!st || *e.text);
	for (size_t i = 0; i < l.n; i++) {
		size_t digits = strlen(l.v[i].serial);
		assert(digits && strspn(l.v[i].serial, "0123456789") == digits);
		assert(l.v[i].reason_code >= 0 && l.v[i].reason_code <= 10 && l.v[i].reason);
		assert(l.v[i].at.s >= WALL_MIN_S && l.v[i].at.s <= WALL_MAX_S);
	}
	dbimport_list_done(&l);
	return 0;
}
