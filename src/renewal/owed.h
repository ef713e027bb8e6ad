/* owed.h - which hooks have to run? An event makes the hooks for it owed: they are written into the record, and stay
 * there until they have succeeded or their time is over. Pure: the shell runs them and tells how it went.
 *
 *   owed_raise(r, hooks, OWED_RENEWED, ...)          after plan_renewed(); store r, so that a crash forgets nothing
 *   while (owed_due(r, hooks, now, &i))              run hooks[i]; owed_ran(); store r
 *   sleep until owed_wake(r, hooks) at the latest
 *
 * A deployment is complete when none of its hooks is owed. Each hook stands for itself: one that fails does not keep
 * the others from running. Probes (--verify) come after all others have been tried; where one fails, the whole
 * deployment is owed again, since what was done did not help. */
#pragma once
#include "renewal/record.h"

enum {
	OWED_HOOKS_MAX = 16, /* that a pair may have: fewer than the record has room for */
	OWED_FIRST_S = 30,   /* first retry of a hook; doubled ... */
	OWED_LAST_S = 900,   /* ... up to this, and to an eighth of the time until it is given up */
	OWED_LEAST_S = 5,
	OWED_NOTICE_S = 86400, /* a notice (failed, expiring) that cannot be delivered is given up after a day */
};

enum owed_when { OWED_ON_DEPLOY /* renewed, rekeyed */, OWED_ON_FAILURE, OWED_ON_EXPIRING, OWED_WHENS };

struct owed_hook {
	struct owed_id id;
	enum owed_when when;
	bool probe; /* looks whether the deployment worked; OWED_ON_DEPLOY only */
};
struct owed_hooks {
	const struct owed_hook *v; /* in the order in which they run */
	size_t n;                  /* at most OWED_HOOKS_MAX */
};

/* SHA-256 over when, kind ("exec", "signal", "reload-unit", "verify": the caller's word) and all words: the only thing
 * that a record says of a command. ST_CRYPTO, ST_NOMEM. */
MUST_USE enum status owed_id_make(enum owed_when when, const char *kind, const char *const *words, size_t n,
                                  struct owed_id *ret, struct error *e);

/* "renewed", "rekeyed", "failed", "expiring": in the record and for hooks. */
const char *owed_event_name(enum owed_event ev);

/* All hooks for this event are owed from now on, the deployment's until the certificate (c) ends. A new deployment
 * takes the place of the one before, and drops notices that have been overtaken; what somebody else runs stays owed,
 * for the new certificate. */
void owed_raise(struct record *r, const struct owed_hooks *h, enum owed_event ev, const struct pair_cert *c,
                struct wall now);

/* At start and before owed_due. Drops what is over; a hook that is not configured any more is replaced: where a
 * deployment is owed and any deploy hook is configured now, those are owed (a typo put right does not lose the reload).
 * Where none is, it stays: it may be another program's. Returns whether r has changed; *ret_given_up: hooks dropped
 * because their time is over. */
bool owed_review(struct record *r, const struct owed_hooks *h, struct wall now, size_t *ret_given_up);

/* The next hook to run now: its index in h. */
bool owed_due(const struct record *r, const struct owed_hooks *h, struct wall now, size_t *ret);
/* Its entry in the record (event, attempts); NULL where it is not owed. */
const struct owed *owed_find(const struct record *r, const struct owed_id *id);

/* error NULL: it has succeeded. chance: uniform, spreads the next attempt. */
void owed_ran(struct record *r, const struct owed_hooks *h, size_t i, const char *error, struct wall now,
              uint64_t chance);

/* When to look again; false where none of h is owed. */
bool owed_wake(const struct record *r, const struct owed_hooks *h, struct wall *ret);

/* A person (or a timer) wants it now: the retries' times do not count. Entries of hooks that are not h's stay as they
 * are. */
void owed_hurry(struct record *r, const struct owed_hooks *h, struct wall now);

/* Entries for what somebody else runs (elsewhere), as a unit keeps them for its ExecStartPost: owed from now until the
 * certificate ends, and crossed off. owed_mark keeps the count of an entry that is there. */
void owed_mark(struct record *r, const struct owed_id *id, enum owed_event ev, const struct pair_cert *c,
               struct wall now);
void owed_cross_off(struct record *r, const struct owed_id *id);
