/* plan.h - when does a pair act next? Every question is answered from wall time anew, so suspend, clock steps and a
 * power-off over the deadline need no care of their own: wake up, read the pair, ask again (docs/design/renewal.md).
 *
 *   r = record beside the certificate, or RECORD_NONE
 *   plan_next(&rule, &cert, now, &r, &plan)  -> store r where plan.changed; sleep until plan.wake, or
 *                                               PLAN_RENEW: ask the CA, then plan_renewed() or plan_failed(), store r
 *
 * Nothing here fails. r is in and out; a record about another certificate is taken over for this one. */
#pragma once
#include "renewal/record.h"

enum {
	PLAN_SLEEP_MAX_S = 900,   /* no sleep is longer, whatever the timer promises */
	PLAN_DOUBT_SLEEP_S = 60,  /* while the clock is not to be believed */
	PLAN_CLOCK_SLACK_S = 300, /* before the certificate's begin by more than this: the clock is wrong */
	PLAN_CLOCK_BACK_S = 600,  /* gone back by more than this: it was wrong, or is */
	PLAN_POLL_S = 240,        /* longest wait for one who looks by every five minutes, near the end */
	PLAN_LEFT_NONE = -1,
};

struct plan_rule {
	int64_t expires_in_ns;   /* --expires-in; <= 0: a third of the validity */
	int64_t renew_period_ns; /* --renew-period; <= 0: none */
};

struct plan_now {
	struct wall wall;
	uint64_t chance;   /* uniform; used where something has to be drawn */
	struct wall built; /* no true clock is before that; 0: not known */
};

/* Delay to the renewal as the peer computes it where there is no history (spec/client.md §6.4): E = expires-in or V/3;
 * d = remaining - E; d <= 0: 0; d < V/20: uniform [0, d); else d - uniform [0, V/20). A renew-period P: P, or 0 where
 * no more than P remains. Never negative. */
int64_t plan_delay_ns(const struct plan_rule *rule, const struct pair_cert *c, struct wall now, uint64_t chance);

/* The least time between two successful renewals by plan, from the first of them (which gave c) on: a hundredth of the
 * validity, or the renew-period where that is less, and at most half of what was left then; a second at least. */
int64_t plan_floor_s(const struct plan_rule *rule, const struct pair_cert *c, struct wall renewed);

enum clock_doubt {
	CLOCK_FINE,
	CLOCK_BEFORE_BUILD, /* before this program was made */
	CLOCK_BEFORE_CERT, /* before the certificate begins: the clock is behind, or the certificate is not yet valid */
	CLOCK_WENT_BACK,   /* behind what it showed before; said once, then the new time is taken for true */
	CLOCK_DOUBTS
};

enum plan_step { PLAN_WAIT, PLAN_RENEW };
enum plan_why {
	PLAN_SCHEDULE, /* the rule's time */
	PLAN_RETRY,    /* a failure's */
	PLAN_FLOOR,    /* the rule says now, but we have renewed just before */
	PLAN_CLOCK,    /* the clock is behind the certificate: nothing can be planned */
	PLAN_WHYS
};

struct plan {
	enum plan_step step;
	enum plan_why why;
	struct wall due;        /* renewal or next attempt; 0 with PLAN_CLOCK */
	struct wall wake;       /* look again then at the latest; now with PLAN_RENEW */
	enum clock_doubt clock; /* to be told */
	struct wall clock_ref;  /* what the clock was held against; 0 where fine */
	bool adopted;           /* another certificate than the record's: somebody else has renewed */
	bool changed;           /* store the record */
	/* Percent of life left that was crossed just now while renewal is failing: 50, 25, 10, 0 (expired), or
	 * PLAN_LEFT_NONE. Each is told once a certificate, and only those that lie behind the planned renewal; of
	 * several crossed at once the last. */
	int left;
};

void plan_next(const struct plan_rule *rule, const struct pair_cert *c, const struct plan_now *now, struct record *r,
               struct plan *ret);

/* "the clock says 1970-01-01T00:00:07Z, but the certificate begins at 2026-...: the clock is behind, or ..."; nothing
 * where it is fine. Appends. */
void plan_clock_words(const struct plan *p, struct wall now, struct buf *out);

enum { PLAN_SKEW_S = 60 /* certificates begin, and tokens are forgiven, by a minute */ };
/* "this machine's clock is 2h0m0s behind the CA's (... against ...)" with the remedy, where the two differ by more than
 * slack_s; false and nothing where not. Appends. */
bool plan_skew_words(struct wall ours, struct wall ca, int64_t slack_s, struct buf *out);

/* The new certificate is on disk. */
void plan_renewed(struct record *r, const struct pair_cert *c, const struct plan_now *now);

/* Should one who only looks by (cron, a timer of somebody's own) leave it for now, because an attempt has failed and
 * the next is not due? ret_until: when it is. While less than a tenth of the life is left, never for more than four
 * minutes after a failure, so that whoever comes every five always finds the door open. */
bool plan_holds_back(const struct record *r, const struct pair_cert *c, struct wall now, struct wall *ret_until);

struct plan_failure {
	enum retry_kind kind;
	int64_t retry_after_s; /* the CA's Retry-After; < 0: not said */
	const char *text;
};
/* An attempt has failed (also one that never reached the CA). Returns whether this is news for a person: the first
 * failure in a row, or of another kind than the one before. */
bool plan_failed(struct record *r, const struct pair_cert *c, const struct plan_failure *f, const struct plan_now *now);
