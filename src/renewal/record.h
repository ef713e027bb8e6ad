/* record.h - what a pair remembers from one run to the next: a plain value, and its text (JSON). It sits beside the
 * certificate, is read by daemon, timer, cron and a person alike, and never holds a command: hooks are named in it by
 * hash. Who may write such a file, and where it is, is the shell's business.
 *
 * A broken record is no reason to stop: tell the error, go on with RECORD_NONE, and store the next one over it. */
#pragma once
#include "base/wall.h"
#include "x509/cert.h"

enum {
	RECORD_MAX = 64 * 1024, /* bytes of its text */
	RECORD_OWED = 24,       /* hooks owed at a time */
	RECORD_TEXT = 256,      /* of an error that is kept, with its NUL */
	RECORD_HOOK_ID = 32,    /* SHA-256 */
	RECORD_THRESHOLDS = 4,
};

/* Percent of life left at which a failing renewal is told of: 50, 25, 10, 0. */
extern const int record_threshold[RECORD_THRESHOLDS];

/* Which certificate a record (or a plan) speaks of. */
struct pair_cert {
	char serial[SERIAL_TEXT]; /* decimal; "": none */
	struct wall not_before, not_after;
};
struct pair_cert pair_cert_of(const struct cert_facts *f);
bool pair_cert_same(const struct pair_cert *a, const struct pair_cert *b);

/* How the last attempt ended; decides the rhythm of the next ones (retry.h). */
enum retry_kind {
	RETRY_SOON,   /* it may work any minute: CA away, busy, an error on our side */
	RETRY_SELDOM, /* the CA has said no, and will go on doing so until a person acts */
	RETRY_KINDS
};

enum owed_event { OWED_RENEWED, OWED_REKEYED, OWED_FAILED, OWED_EXPIRING, OWED_EVENTS };

struct owed_id {
	uint8_t b[RECORD_HOOK_ID];
};

/* A hook that has to run, and has not yet run with success (owed.h). */
struct owed {
	struct owed_id id;
	enum owed_event event;
	int attempts;      /* that failed */
	struct wall next;  /* not before */
	struct wall until; /* given up then */
	bool elsewhere; /* somebody else runs it, as systemd does an ExecStartPost: no hook of ours takes its place */
};

enum record_served { SERVED_UNKNOWN, SERVED_NEW, SERVED_OTHER, SERVED_SILENT, SERVED_STATES };

/* A wall time of 0 means: never, none. The fields are set by plan.h and owed.h; others read. */
struct record {
	struct pair_cert cert; /* what the schedule, the failures and the thresholds belong to */
	bool drawn;
	uint64_t chance;   /* drawn once per certificate: its jitter */
	struct wall since; /* when the certificate was first seen: the schedule counts from there */
	struct wall seen;  /* the latest time that a trusted clock showed; to know one that has gone back */
	struct wall due; /* planned renewal or next attempt, as last computed: for status, never read back to decide */

	struct wall renewed; /* the last success here */
	int failures;        /* in a row */
	int repeats;         /* of them, those of the same kind up to now */
	enum retry_kind kind;
	struct wall failed, retry; /* the last failure; not again before */
	char error[RECORD_TEXT];   /* of the last failure; kept after a success, with its time */

	unsigned told; /* 1 << i: record_threshold[i] was told */

	struct owed owed[RECORD_OWED];
	size_t owed_n;
	char hook_error[RECORD_TEXT]; /* the last one */
	struct wall hook_failed;

	enum record_served served; /* what --verify saw last */
	struct wall served_at;
};
#define RECORD_NONE ((struct record){ 0 })

/* ST_INVALID: not our JSON, a field of the wrong type or out of bounds; ST_CONFLICT: a version that we do not know;
 * ST_LIMIT: longer than RECORD_MAX or too much in it; ST_NOMEM. Unknown members are left out of the value. */
MUST_USE enum status record_parse(struct slice text, struct record *ret, struct error *e);

/* Appends; ends with a newline. ST_LIMIT, ST_NOMEM. */
MUST_USE enum status record_format(const struct record *r, struct buf *out, struct error *e);

/* An error's text as it is kept: cut at a whole character, control characters and what is not UTF-8 as '?'. */
void record_text(char out[RECORD_TEXT], const char *text);

/* Does a deployment remain to be done (needs-renewal answers 0 then)? */
bool record_owes_deployment(const struct record *r);
