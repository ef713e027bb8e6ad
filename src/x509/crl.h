/* crl.h - certificate revocation lists, version 2 (RFC 5280 §5): a writer that appends entry after entry, and a strict
 * reader. Full lists only; no deltas. */
#pragma once
#include "x509/cert.h"

enum { CRL_MAX = 32 << 20 }; /* DER: some 600,000 entries */

/* Reason codes of RFC 5280 §5.3.1; 7 is not used. */
enum { CRL_REASON_REMOVE = 8, CRL_REASON_LAST = 10 };

/* "keyCompromise"; NULL where there is no such reason. */
const char *crl_reason_name(int reason);

/* ---- writing ---- */

struct crl_draft {
	struct slice issuer;        /* DER Name */
	struct slice issuer_key_id; /* empty: no authority key identifier */
	struct wall this_update, next_update;
	int64_t number; /* >= 0, and larger than of every list of this issuer before */
	const char
		*idp_url; /* issuing distribution point, critical (§5.2.5); NULL: none. Certificates of its scope then
	                     need the same URL in theirs (ext_add_crl_point), or OpenSSL finds no list for them */
};

/* One list on its way; nothing else may be appended to out until crl_end. d and s are borrowed until then. */
struct crl_writer {
	const struct crl_draft *d;
	const struct signer *s;
	struct buf *out;
	size_t start, list;
};

void crl_begin(struct crl_writer *w, const struct crl_draft *d, const struct signer *s, struct buf *out);
/* serial: unsigned magnitude, big-endian. A reason that a full list cannot say (0, 7, removeFromCRL, and what is none)
 * is left out, which means "unspecified": a reader would take removeFromCRL for "not revoked". */
void crl_add(struct crl_writer *w, struct slice serial, struct wall revoked_at, int reason);
/* Signs. ST_INVALID: dates or issuer; ST_LIMIT: longer than out may become. */
MUST_USE enum status crl_end(struct crl_writer *w, struct error *e);

/* ---- reading ---- */

/* Everything borrowed from the DER. */
struct crl_facts {
	struct slice der, tbs, signature_alg, signature;
	struct slice issuer; /* DER Name */
	struct wall this_update, next_update;
	bool has_next_update;
	struct slice entries;    /* for crl_next */
	size_t n;                /* how many */
	struct slice extensions; /* content of the Extensions SEQUENCE; empty where none */
	struct slice authority_key_id;
	struct slice number;  /* magnitude; empty where it has none */
	struct slice idp_url; /* the one URI of the issuing distribution point; empty where there is none */
	/* Not every revoked certificate of the issuer is on it: only some kinds or reasons, or others' certificates
	 * too, or it is a delta, or an extension is critical and unknown. Who is not on it may be revoked all the same.
	 */
	bool partial;
};

/* Reads one list; everything in it is taken for hostile. Does not verify its signature. ST_INVALID: not one list in
 * strict DER, trailing bytes, an entry that is broken; ST_LIMIT: larger than CRL_MAX. */
MUST_USE enum status crl_parse(struct slice der, struct crl_facts *ret, struct error *e);

struct crl_entry {
	char serial[SERIAL_TEXT]; /* decimal */
	struct wall revoked_at;
	int reason; /* 0 where it has none */
};
/* rest: facts.entries at first. ST_MISSING at the end. */
MUST_USE enum status crl_next(struct slice *rest, struct crl_entry *ret, struct error *e);

/* *ret_found: this serial (decimal) is on the list, and not as removeFromCRL. */
MUST_USE enum status crl_find(const struct crl_facts *f, const char *serial, bool *ret_found, struct crl_entry *ret,
                              struct error *e);

/* Its issuer is this certificate's subject, which may sign lists, and the signature verifies under its key. ST_DENIED
 * where not. */
MUST_USE enum status crl_signed_by(const struct crl_facts *f, const struct cert *issuer, struct error *e);
