/* revoke.h - passive revocation (spec/server.md §1.4, §2.6). */
#pragma once
#include "authority/authorize.h"
#include "authority/change.h"

struct revoke_request {
	struct slice serial; /* as sent */
	int64_t reason_code;
	struct slice reason;
	bool passive;
};

/* Shape of the request, before any authority is looked at: serial present and a number, reasonCode 0..10, passive.
 * ret_serial: decimal. */
MUST_USE enum status revoke_check(const struct revoke_request *r, char ret_serial[SERIAL_TEXT], struct verdict *v,
				  struct error *e);

/* Exactly one of auth (token) and peer (mTLS certificate) is not NULL (else ST_BUG). A token whose sub does not fit is
 * refused, and the change is then a CHANGE_BURN for it (v says why); a peer that does not fit is refused and *ret is
 * NULL; else CHANGE_REVOKE. serial: what revoke_check gave. */
MUST_USE enum status revoke_decide(const struct revoke_request *r, const char *serial, const struct authorization *auth,
				   const struct cert *peer, struct wall now, struct change **ret, struct verdict *v,
				   struct error *e);
