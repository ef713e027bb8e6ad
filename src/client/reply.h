/* reply.h - what a CA answers, read (spec/server.md §0-§1). Pure: an answer is a value, taken for hostile; what it says
 * that goes to a terminal is stripped of control characters. */
#pragma once
#include "client/ca.h"

struct ca_reply {
	int status;
	struct slice body;
	const char *retry_after; /* the header's value; NULL where absent */
};

enum {
	REPLY_CERTS_MAX = 100, /* certificates in one answer */
	REPLY_CURSOR_MAX = 256,
	REPLY_PAGE_MAX = 1000, /* provisioners on one page: the peer sends 100 at most */
	REPLY_LINE_MAX = 120,  /* shown of a body that is not JSON */
};

/* ST_OK for 200 and 201. Otherwise sets *from_ca, *retry_after_s (-1 where not said) and the error. */
MUST_USE enum status reply_check(const struct ca_reply *r, bool *from_ca, int64_t *retry_after_s, struct error *e);

/* The body, which must be an object. ST_PEER. A new reference. */
MUST_USE enum status reply_object(const struct ca_reply *r, json_t **ret, struct error *e);

/* {"crt","ca","certChain"}: certChain, else crt and ca; leaf first. Where both are there they begin alike. */
MUST_USE enum status reply_chain(const struct ca_reply *r, struct chain *ret, struct error *e);
/* {"crts":[...]} */
MUST_USE enum status reply_bundle(const struct ca_reply *r, struct chain *ret, struct error *e);
/* {"ca":"..."} whose SHA-256 must be this clean fingerprint. ST_DENIED where it is not. */
MUST_USE enum status reply_root(const struct ca_reply *r, const char fingerprint[FINGERPRINT_TEXT], struct cert **ret,
                                struct error *e);
/* {"status":"ok"} */
MUST_USE enum status reply_ok(const struct ca_reply *r, struct error *e);
/* {"key":"..."}; appends. */
MUST_USE enum status reply_encrypted_key(const struct ca_reply *r, struct buf *ret, struct error *e);
/* {"provisioners":[...],"nextCursor":"..."}: appends to the array `all`; next is "" at the end. */
MUST_USE enum status reply_page(const struct ca_reply *r, json_t *all, char next[REPLY_CURSOR_MAX], struct error *e);

/* {"status":"ok","certificates":[...],"more","expired","closed"} of POST /revoke-line. */
enum { REPLY_LINE_CERTS_MAX = 100000 };
MUST_USE enum status reply_line(const struct ca_reply *r, struct ca_line *ret, struct error *e);

/* Appends at most max characters of text for a terminal: what is hostile (base/utf8.h) or not UTF-8 as \xNN. */
void text_escape(struct buf *out, struct slice text, size_t max);
