/* crl.h - the revocation list of this CA (spec/server.md §1.6): made off the path of requests by a thread of its own,
 * by one node at a time, stored, and served by all. docs/design/crl.md tells when one is made, and why. */
#pragma once
#include "base/wall.h"
#include "config/caconf.h"

struct server;

/* One list, shared by whoever sends it. Immutable but for its PEM form. */
struct crl_doc;
/* The newest list in counted form, NULL where there is none. A list is never given past its end: then, and before the
 * first, the thread is asked to make one. */
struct crl_doc *crl_doc_get(struct server *s, struct wall now);
void crl_doc_unref(struct crl_doc *d);

struct crl_doc_facts {
	int64_t number, entries;
	struct wall this_update, next_update;
	struct slice der;
};
const struct crl_doc_facts *crl_doc_facts(const struct crl_doc *d);
/* Made when it is first asked for. */
MUST_USE enum status crl_doc_pem(struct crl_doc *d, struct slice *ret, struct error *e);

struct crl_service;
MUST_USE enum status crl_service_new(struct server *s, struct crl_service **ret, struct error *e);
void crl_service_free(struct crl_service *c); /* stopped, and nothing that could wake it runs */

/* Where the configuration in force has a CRL: loads the stored list, or makes one where that is due, and starts the
 * thread. A list that cannot be made is no reason not to serve: it is logged, and tried again. */
MUST_USE enum status crl_service_start(struct crl_service *c, struct error *e);
void crl_service_stop(struct crl_service *c);

/* Something was revoked: the next list is made soon where crl.generateOnRevoke says so. Any thread; does not block. */
void crl_service_revoked(struct crl_service *c);
/* Look now: the configuration has changed. */
void crl_service_nudge(struct crl_service *c);

/* When the next list is made: renew_s after this one, but before its last twentieth (a second at least) begins, in
 * which readers would have none should something fail. */
struct wall crl_renew_at(struct wall this_update, int64_t cache_s, int64_t renew_s);

/* Certificates that ended before this do not belong on the list: RFC 5280 §3.3 wants a revoked certificate on one
 * regular list that is issued after its end. previous: this_update of the last list; has_previous false: none. */
struct wall crl_ended_before(struct wall now, int64_t cache_s, bool has_previous, struct wall previous);

/* How long after a failure it is tried again, the nth in a row (from 1): from a second up to a minute. */
int64_t crl_retry_ms(unsigned failures);
