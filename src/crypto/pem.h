/* pem.h - PEM blocks (RFC 7468; encapsulated headers of RFC 1421 are tolerated on reading). */
#pragma once
#include "base/buf.h"

enum { PEM_LABEL = 64 };

struct pem_block {
	char label[PEM_LABEL]; /* "CERTIFICATE" */
	struct buf headers;    /* "Proc-Type: ..." lines, empty when none */
	struct buf der;	       /* decoded body; wiped on done */
};

void pem_block_done(struct pem_block *b);

/* Takes the next block off the front of *rest, skipping text before it. Initialise *ret with { 0 } once; each call
 * replaces its content. ST_MISSING: no further block; ST_INVALID: a block that is broken (rest is then moved past
 * its BEGIN line, so that a caller may go on). A block that is empty is broken. */
MUST_USE enum status pem_next(struct slice *rest, struct pem_block *ret, struct error *e);

/* The value of a header line ("DEK-Info"), trimmed; empty where there is none. Borrowed from b. */
struct slice pem_header(const struct pem_block *b, const char *name);

/* Appends "-----BEGIN label-----", 64-column base64, "-----END label-----\n". */
void pem_format(struct buf *out, const char *label, struct slice der);

/* The same with header lines (each ending in "\n") and the empty line behind them. */
void pem_format_headers(struct buf *out, const char *label, const char *headers, struct slice der);
