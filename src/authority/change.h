/* change.h - the one thing a request may do to the store: a typed change whose conditions the database checks in the
 * transaction that applies it (design: "the transaction decides"). This header is the port; src/store implements it. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"
#include "x509/cert.h"

enum change_kind {
	CHANGE_ISSUE,  /* token unused, key not blocked, credential (if any) good -> token, certificate, new line */
	CHANGE_RENEW,  /* line open, parent not revoked, its key not blocked, token (if any) unused, after_expiry: not
	                  superseded -> certificate of the parent's line */
	CHANGE_REKEY,  /* the same, with a new key */
	CHANGE_REVOKE, /* not yet revoked, token (if any) unused, credential (if any) good -> revocation */
	CHANGE_REVOKE_LINE, /* line not closed, token unused -> revocations, and for SCOPE_LINEAGE the line closed and
	                       its keys blocked */
	CHANGE_BURN,        /* token unused -> token */
	CHANGE_COUNT
};

enum outcome {
	OUTCOME_DONE,
	OUTCOME_DONE_AGAIN,  /* the parent was renewed before, by the same key and within the window: a retry */
	OUTCOME_DONE_SECOND, /* the parent was renewed before: two hold its key, or one was restored from a copy */
	OUTCOME_TOKEN_USED,
	OUTCOME_PARENT_REVOKED,
	OUTCOME_PARENT_SUPERSEDED, /* after expiry: a certificate that was renewed from it has itself been renewed */
	OUTCOME_LINE_CLOSED,
	OUTCOME_KEY_BLOCKED,
	OUTCOME_CREDENTIAL_REVOKED, /* the certificate whose key signed the token, or its line, or its key */
	OUTCOME_FOREIGN,            /* not issued through the provisioner that may revoke nothing else */
	OUTCOME_ALREADY_REVOKED,
	OUTCOME_UNSUPPORTED, /* this store keeps no revocations */
	OUTCOME_COUNT
};
const char *outcome_name(enum outcome o);
static inline bool outcome_granted(enum outcome o)
{
	return o == OUTCOME_DONE || o == OUTCOME_DONE_AGAIN || o == OUTCOME_DONE_SECOND;
}

/* How much a CHANGE_REVOKE_LINE takes. */
enum line_scope {
	SCOPE_LINEAGE,     /* all of the line, before and after, and its keys; nothing is issued from it any more */
	SCOPE_DESCENDANTS, /* the certificate, and what was renewed or rekeyed from it */
	SCOPE_COUNT
};
const char *line_scope_name(enum line_scope s); /* "lineage", "descendants" */

enum { KEY_FINGERPRINT = 32 }; /* SHA-256 of a SubjectPublicKeyInfo */

/* A certificate as the store keeps it. Serials are decimal text, as in the peer's tables. All strings owned, never
 * NULL once cert_row_of has filled them; sans are joined by '\n'. */
struct cert_row {
	char serial[SERIAL_TEXT];
	struct buf der;
	char *subject; /* common name */
	char *sans;
	char *provisioner_id, *provisioner_name;
	int provisioner_type; /* 0: none */
	uint8_t key_fingerprint[KEY_FINGERPRINT];
	struct wall not_before, not_after;
	int64_t granted_s;        /* the span that was granted, before clamping to the issuer */
	char parent[SERIAL_TEXT]; /* "" for the first of a line */
	char line[SERIAL_TEXT];   /* serial of the first certificate of the line */
	int64_t generation;       /* 0 for the first */
	struct wall created;
};

struct change {
	enum change_kind kind;
	char *token_id; /* key of the used-token record, or NULL: no token is the way in */
	struct wall token_exp;
	struct cert_row cert; /* ISSUE, RENEW, REKEY */
	/* RENEW, REKEY */
	uint8_t parent_key[KEY_FINGERPRINT]; /* with its serial it says which certificate the parent is */
	bool after_expiry;                   /* the parent has expired */
	int64_t window_s;                    /* after the parent's first renewal, for retries */
	/* REVOKE, REVOKE_LINE */
	char serial[SERIAL_TEXT];
	enum line_scope scope; /* REVOKE_LINE */
	int reason_code;
	char *reason, *provisioner_id; /* never NULL in these two */
	bool mtls;
	bool own_only; /* REVOKE: only what was issued through provisioner_id */
	/* ISSUE, REVOKE: the certificate whose key signed the token */
	bool has_credential;
	char credential[SERIAL_TEXT]; /* "" where another CA issued it, whose serials are not ours */
	uint8_t credential_key[KEY_FINGERPRINT];
	struct wall at; /* when the change was decided */
	int urgency;    /* urgency.h: who goes first where not all can; set by change_new for the kind */
};

struct change *change_new(enum change_kind kind); /* NULL: out of memory */
void change_free(struct change *c);
static inline void change_free_p(struct change **c)
{
	change_free(*c);
}
void cert_row_done(struct cert_row *r);

/* Fills a row's facts (serial, DER, subject, SANs, key fingerprint, dates, and the provisioner as far as the
 * certificate's extension tells) from a certificate; parent, line, generation and granted_s are set for the first of a
 * line. */
MUST_USE enum status cert_row_of(const struct cert *c, struct wall created, struct cert_row *ret, struct error *e);
