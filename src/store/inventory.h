/* inventory.h - which certificates there are: asked for in pages, each of which looks at a bounded number of rows and
 * says where the next goes on, however many certificates there are and however few are found.
 *
 * What changes between two pages is seen as it is then; no certificate that stays is left out or given twice, as the
 * order (the end of life, then the row) never changes. */
#pragma once
#include "store/store.h"

/* What a certificate is besides being there. */
enum inventory_is {
	INVENTORY_RENEWED = 1 << 0, /* or rekeyed: another certificate took its place */
	INVENTORY_REVOKED = 1 << 1,
	INVENTORY_CLOSED = 1 << 2, /* its line is closed: it cannot be renewed */
	INVENTORY_EXPIRED = 1 << 3,
	INVENTORY_DUE = 1 << 4, /* two thirds of its life are over, and it is none of the others */
};

struct inventory_filter {
	/* Decimal serials; NULL: any. line: of any certificate of it */
	const char *serial, *line, *parent;
	/* Patterns (see inventory_matches); NULL: any. name: the common name or one of the SANs */
	const char *name, *provisioner;
	bool has_key;
	uint8_t key[KEY_FINGERPRINT];
	struct wall from, before; /* that end in [from, before) */
	unsigned skip;            /* inventory_is: none of these */
	unsigned only;            /* inventory_is: all of these */
	struct wall now;
};

/* The filter's whole range. */
#define INVENTORY_EVER_FROM ((struct wall){ WALL_MIN_S })
#define INVENTORY_EVER_BEFORE ((struct wall){ WALL_MAX_S + 1 })

/* Does the text match? '*' stands for any text, '?' for one byte; letters in either case (ASCII). A pattern with
 * neither matches where it occurs. */
bool inventory_matches(const char *pattern, struct slice text);

/* Behind the certificate with this end and row. */
struct inventory_cursor {
	int64_t not_after_s, id;
};
#define INVENTORY_START ((struct inventory_cursor){ INT64_MIN, INT64_MIN })

struct inventory_cert {
	char serial[SERIAL_TEXT], parent[SERIAL_TEXT] /* "" */, line[SERIAL_TEXT];
	char *subject, *sans /* joined by '\n' */, *provisioner;
	uint8_t key[KEY_FINGERPRINT];
	struct wall not_before, not_after, created;
	int64_t generation;
	unsigned is;
	struct wall revoked_at; /* where it is */
	int reason_code;
	struct inventory_cursor at;
};

enum {
	INVENTORY_LOOK = 4000, /* rows that one page looks at */
	INVENTORY_ROWS = 500,  /* and looks up in full, or gives, at most */
};
struct inventory_page {
	struct inventory_cert *v;
	size_t n;
	bool more; /* there may be: go on at next */
	struct inventory_cursor next;
};
void inventory_page_done(struct inventory_page *p);

/* Whether a certificate was renewed is looked for among the INVENTORY_NEAR that end next in its line, which is where
 * its successor stands; where a line has more of them with the same end (an issuer's), it may be missed.
 * max: rows, at most INVENTORY_ROWS. */
enum { INVENTORY_NEAR = 64 };
MUST_USE enum status store_inventory(struct store *s, const struct inventory_filter *f, struct inventory_cursor from,
                                     size_t max, struct inventory_page *ret, struct error *e);
