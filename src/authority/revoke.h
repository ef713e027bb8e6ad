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

/* Who administers the CA on its machine needs neither token nor certificate. who: for the record, "admin uid 0". */
MUST_USE enum status revoke_by_admin(const struct revoke_request *r, const char *serial, const char *who,
                                     struct wall now, struct change **ret, struct error *e);

/* --- a whole line (ours) --- */

struct revoke_line_request {
	struct slice serial; /* of any certificate of the line, as sent */
	struct slice scope;  /* as sent */
	int64_t reason_code;
	struct slice reason;
};

/* Shape of the request, as revoke_check. */
MUST_USE enum status revoke_line_check(const struct revoke_line_request *r, char ret_serial[SERIAL_TEXT],
                                       enum line_scope *ret_scope, struct verdict *v, struct error *e);

/* auth: a token for OP_REVOKE_LINE. It must be a JWK provisioner's, name this serial, and carry
 * {"step":{"revoke":{"scope":...}}} with this scope. Refused, the change is a CHANGE_BURN for it (v says why); else
 * CHANGE_REVOKE_LINE. */
MUST_USE enum status revoke_line_decide(const struct revoke_line_request *r, const char *serial, enum line_scope scope,
                                        const struct authorization *auth, struct wall now, struct change **ret,
                                        struct verdict *v, struct error *e);

MUST_USE enum status revoke_line_by_admin(const struct revoke_line_request *r, const char *serial,
                                          enum line_scope scope, const char *who, struct wall now, struct change **ret,
                                          struct error *e);
