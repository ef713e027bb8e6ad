/* ca.h - typed calls to a CA (spec/server.md §1, spec/client.md §5-6). Errors carry the CA's message as the peer's
 * client prints it; a body that is not JSON is answered with its first line and the name of a likely culprit (a proxy).
 * Reading an answer is client/reply.h's; this is the way there and back. */
#pragma once
#include "jose/jsonio.h"
#include "net/https.h"
#include "x509/cert.h"
#include "x509/csr.h"

/* "linux/amd64", in Go's words; "Perennial CLI/0.1.0 (linux/amd64)" */
extern const char ca_platform[], ca_user_agent[];

enum { CA_REQUEST_ID = 37 };

/* What a call to the CA met; for the recovery ladder, exit codes and the line behind an error. */
struct ca_answer {
	int http; /* 0: no HTTP answer */
	struct https_outcome net;
	bool from_ca; /* the error's text is the CA's own message: the CLI adds "Re-run with STEPDEBUG=1 for more info."
	               */
	int64_t retry_after_s; /* of a 429 or 503: when the CA wants to be asked again; -1 where it does not say */
	struct wall date;      /* the CA's clock, by the Date of its answer; 0: not said */
	char request_id[CA_REQUEST_ID]; /* X-Request-Id that was sent: the CA's log has it too */
};

enum { CA_URLS_MAX = 8 };

struct ca {
	char *url; /* "https://host[:port]", no trailing slash; owned */
	/* Other nodes of the same CA, in turn where one cannot be reached, or answers 503; owned. The one that answered
	 * last is `url`: the next call begins there. */
	char *others[CA_URLS_MAX - 1];
	size_t others_n;
	struct chain roots;
	const char *user_agent;               /* borrowed; NULL: ca_user_agent */
	const char *proxy_env, *no_proxy_env; /* borrowed; NULL where unset */
	const char *socket_path;              /* borrowed; where the CA listens on a unix socket, else NULL */
	int64_t timeout_ms;                   /* 0: 15 s */
	struct ca_answer answer;              /* of the last call, whichever it was */
};
void ca_done(struct ca *c);

/* Scheme optional, path and trailing slash dropped, bare IPv6 bracketed; another scheme is refused with the peer's
 * words. */
MUST_USE enum status ca_url_clean(const char *typed, struct buf *ret, struct error *e);

/* One address, or several parted by commas. */
MUST_USE enum status ca_set_urls(struct ca *c, const char *typed, struct error *e);
/* All of them, the same way. */
MUST_USE enum status ca_add_urls(const struct ca *c, struct buf *out, struct error *e);

/* A fingerprint as typed: lower-cased, dashes and colons removed, 64 hexadecimal digits. */
enum { FINGERPRINT_TEXT = 65 };
MUST_USE enum status fingerprint_clean(const char *typed, char ret[FINGERPRINT_TEXT], struct error *e);

/* In all calls: ST_INVALID 400, ST_DENIED 401 and 403, ST_MISSING 404, ST_CONFLICT 409, ST_AGAIN 429 and 503, ST_PEER
 * what makes no sense and other statuses; without an HTTP answer, https_call's. The struct ca_answer pointers may be
 * NULL; c->answer holds the same. */

MUST_USE enum status ca_health(struct ca *c, struct error *e);
/* What time it is at this URL, whoever answers there: nothing is verified, so it is good for a hint alone. ST_MISSING:
 * it does not say. */
MUST_USE enum status ca_hearsay_date(struct ca *c, struct wall *ret, struct error *e);
/* GET /root/<fingerprint> without TLS verification; the certificate's SHA-256 must be the fingerprint (ST_DENIED). */
MUST_USE enum status ca_root(struct ca *c, const char *fingerprint, struct cert **ret, struct error *e);
enum ca_bundle { CA_ROOTS, CA_FEDERATION, CA_INTERMEDIATES };
MUST_USE enum status ca_bundle(struct ca *c, enum ca_bundle which, struct chain *ret, struct error *e);

/* All pages; a JSON array of provisioner objects, a new reference. */
MUST_USE enum status ca_provisioners(struct ca *c, json_t **ret, struct error *e);
/* Appends the compact JWE. */
MUST_USE enum status ca_encrypted_key(struct ca *c, const char *kid, struct buf *ret, struct error *e);

struct ca_sign_request {
	const struct csr *csr;
	const char *ott, *not_before, *not_after; /* the latter two may be NULL */
};
/* ret: leaf first. */
MUST_USE enum status ca_sign(struct ca *c, const struct ca_sign_request *q, struct chain *ret, struct ca_answer *a,
                             struct error *e);
/* mTLS with chain and key; or, token not NULL, "Authorization: Bearer". */
MUST_USE enum status ca_renew(struct ca *c, const struct chain *client, EVP_PKEY *key, const char *token,
                              struct chain *ret, struct ca_answer *a, struct error *e);
/* Would it be renewed, as things stand? Over mTLS; ours alone: ST_MISSING from a CA that does not know how. */
MUST_USE enum status ca_renewable(struct ca *c, const struct chain *client, EVP_PKEY *key, struct error *e);
MUST_USE enum status ca_rekey(struct ca *c, const struct chain *client, EVP_PKEY *key, const struct csr *csr,
                              struct chain *ret, struct ca_answer *a, struct error *e);
struct ca_revoke_request {
	const char *serial, *ott, *reason; /* the latter two may be NULL */
	int reason_code;
};
/* client NULL: by token. */
MUST_USE enum status ca_revoke(struct ca *c, const struct ca_revoke_request *q, const struct chain *client,
                               EVP_PKEY *key, struct ca_answer *a, struct error *e);

/* A whole line (ours; ST_MISSING from a CA that does not know how). ott: made for it. */
struct ca_revoke_line_request {
	const char *serial, *ott, *scope, *reason; /* reason may be NULL */
	int reason_code;
	bool dry_run;
};
struct ca_line_cert {
	char serial[SERIAL_TEXT], line[SERIAL_TEXT];
	char subject[256]; /* fit for a terminal */
	struct wall not_after;
	bool revoked;       /* before */
	bool same_key_only; /* of another line, whose key is blocked with this one */
};
struct ca_line {
	struct ca_line_cert *v; /* what has not expired */
	size_t n;
	int64_t more, expired; /* not listed */
	bool closed;           /* before */
};
void ca_line_done(struct ca_line *l);
MUST_USE enum status ca_revoke_line(struct ca *c, const struct ca_revoke_line_request *q, struct ca_line *ret,
                                    struct ca_answer *a, struct error *e);
