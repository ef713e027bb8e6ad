/* token.h - one-time tokens as the client makes them (spec/client.md §4): choose a provisioner, open its key, write and
 * sign the claims. Provisioners come from the CA or, offline, from its ca.json. */
#pragma once
#include "base/duration.h"
#include "client/ca.h"
#include "crypto/keyfile.h"
#include "jose/jwk.h"

enum {
	TOKEN_MAX = 256 * 1024,
	TOKEN_TRIES = 3, /* passwords for a provisioner key */
};

/* ---- time ---- */

/* RFC 3339, or a duration from now ("-1h" too). ST_INVALID. */
MUST_USE enum status token_time_parse(const char *typed, struct wall now, struct wall *ret, struct error *e);

struct token_span {
	struct wall nbf, exp;
};
/* From --not-before and --not-after as typed; NULL: now, and five minutes after the first. At least 10 s, at most 1 h,
 * beginning at most 30 min from now. ST_USAGE with the peer's words. */
MUST_USE enum status token_span_make(const char *not_before, const char *not_after, struct wall now,
                                     struct token_span *ret, struct error *e);

/* ---- provisioners ---- */

struct provisioner_filter {
	const char *name, *kid; /* NULL: any */
	bool x5c;               /* X5C provisioners and not JWK ones */
};

/* Asks a person; labels are as provisioner_label makes them. NULL in its place: more than one that fits is an error. */
typedef enum status token_choose_fn(void *ctx, const char *const *labels, size_t n, size_t *ret, struct error *e);

/* "admin (JWK) [kid: ...]", "name (OIDC) [client: id]", "name (Azure) [tenant: id]", "name (TYPE)"; made fit for a
 * terminal. Appends. */
void provisioner_label(const json_t *provisioner, struct buf *out);

/* One object out of the array (borrowed). Only JWK (or X5C) provisioners are candidates, and not those that the CA says it
 * cannot serve, unless the filter names them. One left: it; more: choose. ST_MISSING: no provisioner at all; ST_USAGE:
 * "invalid value 'x' for flag '--provisioner'"; ST_INVALID: nothing that can make a token here. */
MUST_USE enum status provisioner_choose(const json_t *list, const struct provisioner_filter *f, token_choose_fn *choose,
                                        void *ctx, const json_t **ret, struct error *e);

/* Opens a provisioner's encrypted key, asking for a password up to TOKEN_TRIES times. The key must be the private half
 * of what the provisioner says is its public one. ST_DENIED: "failed to decrypt JWE: invalid password". */
MUST_USE enum status provisioner_open_key(const json_t *provisioner, struct slice jwe,
                                          const struct password_source *password, struct jwk *ret, struct error *e);

/* ---- tokens ---- */

enum token_kind { TOKEN_SIGN, TOKEN_REVOKE, TOKEN_REVOKE_LINE };

struct token_draft {
	enum token_kind kind;
	const char *audience;          /* "https://ca:9000/1.0/sign" */
	const char *provisioner, *kid; /* iss, header */
	const char *subject;           /* revoke: the serial as typed */
	const char *const *sans;       /* TOKEN_SIGN: NULL or none: the subject */
	size_t sans_n;
	const char *sha; /* root fingerprint; NULL: left out */
	const char *cnf; /* --cnf; NULL: left out */
	const char *scope;       /* TOKEN_REVOKE_LINE: "lineage" or "descendants" */
	const struct chain *x5c; /* certificates of the key, which go along; NULL: none */
	bool offline;    /* no "user" claim, as in the peer */
	struct token_span span;
	struct wall now;
};
/* Appends the compact form, signed by key. ST_INVALID: a key that is not that of the first certificate of x5c. */
MUST_USE enum status token_sign(const struct token_draft *d, EVP_PKEY *key, struct buf *out, struct error *e);

/* A renew token: signed with the certificate's own key, which it carries in x5cInsecure (spec/client.md §4, §6.5).
 * audience: "<ca-url>/renew", or "<ca-url>/1.0/renew" for `ca token --renew`. ST_INVALID: "subject cannot be empty" for
 * a certificate without common name; a key that does not fit. */
MUST_USE enum status token_renew(const struct chain *certs, EVP_PKEY *key, const char *audience, struct wall now,
                                 struct buf *out, struct error *e);

/* ---- offline ---- */

struct offline {
	json_t *json;               /* ca.json */
	const json_t *provisioners; /* array, borrowed from json */
	const char *root;           /* file, borrowed; the first of `root`; NULL where absent */
	struct buf host;            /* first dnsName, bracketed where it is IPv6 */
};
void offline_done(struct offline *o);
/* Reads what tokens need of a ca.json, ours or the peer's. text is its content. */
MUST_USE enum status offline_parse(struct slice text, struct offline *ret, struct error *e);
MUST_USE enum status offline_load(const char *path, struct offline *ret, struct error *e);

/* ---- all of it ---- */

struct token_ask {
	enum token_kind kind;
	const char *subject;
	const char *const *sans;
	size_t sans_n;
	const char *not_before, *not_after; /* as typed; NULL: default */
	const char *sha, *cnf;
	struct provisioner_filter filter;
	const struct password_source *password;
	EVP_PKEY *key; /* --key: sign with it; its thumbprint is the kid unless the filter has one. NULL: fetch */
	const struct chain *x5c; /* an X5C token: these certificates of key (which is not NULL then) go along */
	const char *scope;       /* as in token_draft */
	token_choose_fn *choose;                      /* may be NULL */
	void (*chosen)(void *ctx, const char *label); /* told once, before a password is asked for; may be NULL */
	void *ctx;
	struct wall now;
};
/* From the CA (c) or from its file (o): exactly one is not NULL. Appends the token. */
MUST_USE enum status token_get(struct ca *c, const struct offline *o, const struct token_ask *ask, struct buf *out,
                               struct error *e);
