/* change.h - the one thing a request may do to the store: a typed change whose conditions the database checks in the
 * transaction that applies it (design: "the transaction decides"). This header is the port; src/store implements it. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"
#include "x509/cert.h"

enum change_kind {
	CHANGE_ISSUE,  /* token unused, key not blocked -> token, certificate, new line */
	CHANGE_RENEW,  /* line open, parent not revoked, token (if any) unused -> certificate of the parent's line */
	CHANGE_REKEY,  /* the same, with a new key */
	CHANGE_REVOKE, /* not yet revoked, token (if any) unused -> revocation */
	CHANGE_BURN,   /* token unused -> token */
	CHANGE_COUNT
};

enum outcome {
	OUTCOME_DONE,
	OUTCOME_TOKEN_USED,
	OUTCOME_PARENT_REVOKED,
	OUTCOME_LINE_CLOSED,
	OUTCOME_KEY_BLOCKED,
	OUTCOME_ALREADY_REVOKED,
	OUTCOME_UNSUPPORTED, /* this store keeps no revocations */
	OUTCOME_COUNT
};
const char *outcome_name(enum outcome o);

/* A certificate as the store keeps it. Serials are decimal text, as in the peer's tables. All strings owned, never
 * NULL once cert_row_of has filled them; sans are joined by '\n'. */
struct cert_row {
	char serial[SERIAL_TEXT];
	struct buf der;
	char *subject; /* common name */
	char *sans;
	char *provisioner_id, *provisioner_name;
	int provisioner_type; /* 0: none */
	uint8_t key_fingerprint[32];
	struct wall not_before, not_after;
	int64_t granted_s;	  /* the span that was granted, before clamping to the issuer */
	char parent[SERIAL_TEXT]; /* "" for the first of a line */
	char line[SERIAL_TEXT];	  /* serial of the first certificate of the line */
	int64_t generation;	  /* 0 for the first */
	struct wall created;
};

struct change {
	enum change_kind kind;
	char *token_id; /* key of the used-token record, or NULL: no token is the way in */
	struct wall token_exp;
	struct cert_row cert; /* ISSUE, RENEW, REKEY */
	/* REVOKE */
	char serial[SERIAL_TEXT];
	int reason_code;
	char *reason, *provisioner_id; /* never NULL in a REVOKE */
	bool mtls;
	struct wall at; /* when the change was decided */
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
