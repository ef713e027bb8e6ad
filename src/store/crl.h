/* crl.h - the revocation list as the store keeps it: one row for each issuer with the newest list, the number that the
 * next one gets, and who makes it. Any thread.
 *
 * Making one: store_begin_crl takes the number and the right to make it, in one transaction; store_read_revoked gives
 * what belongs on it; store_finish_crl keeps it. Whoever dies between loses the right after lease_s, and the number. */
#pragma once
#include "store/store.h"

enum { CRL_ISSUER = 65, CRL_NODE = 33 }; /* texts with their NUL */

struct store_crl {
	int64_t number; /* -1: none was made yet */
	struct wall this_update, next_update;
	int64_t entries;
	bool behind;    /* something was revoked since the last one was begun, or that was not finished */
	struct buf der; /* empty where its number is the one that the caller knows */
};
void store_crl_done(struct store_crl *c);

/* issuer: names the key and the name that sign the list. known: number of the list that the caller has; -1: none. */
MUST_USE enum status store_find_crl(struct store *s, const char *issuer, int64_t known, struct store_crl *ret,
                                    struct error *e);

/* *ret_mine is false where another node makes one now, or has made one after `known`. Numbers go up by one, and are
 * never given twice, whatever the issuer. node: this process, for store_finish_crl. */
MUST_USE enum status store_begin_crl(struct store *s, const char *issuer, const char *node, int64_t known,
                                     int64_t lease_s, bool *ret_mine, int64_t *ret_number, struct error *e);

/* *ret_kept is false where the right has gone to another node meanwhile. `behind` is not looked at. */
MUST_USE enum status store_finish_crl(struct store *s, const char *issuer, const char *node, const struct store_crl *c,
                                      bool *ret_kept, struct error *e);

/* The list could not be made: another node may try at once. */
MUST_USE enum status store_abandon_crl(struct store *s, const char *issuer, const char *node, struct error *e);

/* The next list gets this number at least. */
MUST_USE enum status store_raise_crl_number(struct store *s, int64_t least, struct error *e);

/* What is revoked, but for certificates that are known to have ended before ended_before; in no order, and called with
 * a connection held. each's failure ends it. */
struct store_revoked {
	const char *serial; /* decimal */
	struct wall at;
	int reason_code;
};
typedef enum status store_revoked_fn(void *ctx, const struct store_revoked *r, struct error *e);
MUST_USE enum status store_read_revoked(struct store *s, struct wall ended_before, store_revoked_fn *each, void *ctx,
                                        struct error *e);
