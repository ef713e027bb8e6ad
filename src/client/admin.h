/* admin.h - typed calls to the CA on this machine, over its admin socket: for root and the user that runs it. What
 * comes back is read as strictly as from any other CA; names in it are what somebody chose and not fit for a terminal
 * (text_escape). */
#pragma once
#include "client/reply.h"

enum { ADMIN_PATH = 4096 };

/* Finds the socket of the CA on this machine and makes sure that it is the right one.
 *   named    the socket itself; NULL or "": as the CA with this configuration would choose it
 *   ca_json  its configuration; need not exist. Where it does, the CA that answers must have been started with it
 *   ST_MISSING no CA runs here, or none that was found: the text says where it was looked for; ST_DENIED no right
 *   ST_CONFLICT another CA answers */
MUST_USE enum status admin_find(const char *named, const char *ca_json, char ret[ADMIN_PATH], struct error *e);

enum { ADMIN_WORDS = 6, ADMIN_CURSOR = 64, ADMIN_ROWS_MAX = 500 };
struct admin_query {
	const char *serial, *line, *parent, *name, *provisioner, *key; /* NULL: any; key: SHA-256 in hex */
	bool has_from, has_before;
	struct wall from, before; /* ends of life in [from, before) */
	const char *skip[ADMIN_WORDS],
		*only[ADMIN_WORDS]; /* "renewed", "revoked", "closed", "expired", "due"; end with NULL */
	int rows;                   /* at most; 0: as many as fit (and none where width_s is set) */
	int64_t width_s;            /* > 0: count by spans of this many seconds behind `from` */
};

/* Slices and json are the page's. */
struct admin_cert {
	const json_t *json, *sans; /* the whole object; its array of strings */
	struct slice serial, line, parent, subject, provisioner, state, key;
	struct wall not_before, not_after;
	int64_t generation;
};
struct admin_count {
	int64_t span, n;
};
struct admin_page {
	json_t *json;
	struct admin_cert *v;
	size_t n;
	struct admin_count *counts;
	size_t counts_n;
	char next[ADMIN_CURSOR]; /* "": this was the last page */
};
void admin_page_done(struct admin_page *p);

/* cursor "": the first page. A page may be empty and yet not the last. */
MUST_USE enum status admin_certificates(const char *socket, const struct admin_query *q, const char *cursor,
                                        struct admin_page *ret, struct error *e);
/* The answer to it. Pure. ST_PEER. */
MUST_USE enum status admin_read_page(const struct ca_reply *r, struct admin_page *ret, struct error *e);

/* As ca_revoke and ca_revoke_line, without a token. */
MUST_USE enum status admin_revoke(const char *socket, const struct ca_revoke_request *q, struct error *e);
MUST_USE enum status admin_revoke_line(const char *socket, const struct ca_revoke_line_request *q, struct ca_line *ret,
                                       struct error *e);
