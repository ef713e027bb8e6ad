/* One hook of one event:
 *
 *   owed_raise()                 owed_ran(NULL)
 *      |        +-------------------------------------> crossed off
 *      v        |
 *   [ owed ] ---+  owed_ran(error): attempts + 1, next later  --+
 *      ^   \                                                    |
 *      |    \  owed_review(): its time is over ---> given up    |
 *      +--------------------------------------------------------+
 *
 * A probe that fails for the second time puts the whole deployment back to [ owed ]. */
#include "renewal/owed.h"

#include "crypto/digest.h"
#include "renewal/arith.h"

#include <assert.h>

enum { ATTEMPTS_MAX = 1000000, ID_TEXT_MAX = 1 << 20, SOON_OVER_S = 60 };

static const struct {
	const char *name;
	enum owed_when when;
} events[] = {
	[OWED_RENEWED] = { "renewed", OWED_ON_DEPLOY },
	[OWED_REKEYED] = { "rekeyed", OWED_ON_DEPLOY },
	[OWED_FAILED] = { "failed", OWED_ON_FAILURE },
	[OWED_EXPIRING] = { "expiring", OWED_ON_EXPIRING },
};
_Static_assert(COUNT_OF(events) == OWED_EVENTS, "an event without a name");

const char *owed_event_name(enum owed_event ev)
{
	return events[ev].name;
}

enum status owed_id_make(enum owed_when when, const char *kind, const char *const *words, size_t n, struct owed_id *ret,
                         struct error *e)
{
	static const char *const whens[] = {
		[OWED_ON_DEPLOY] = "deploy", [OWED_ON_FAILURE] = "failure", [OWED_ON_EXPIRING] = "expiring"
	};
	_Static_assert(COUNT_OF(whens) == OWED_WHENS, "a when without a name");
	_Static_assert(sizeof ret->b == SHA256_BYTES, "an id is a SHA-256");
	AUTO(buf_done) struct buf text = BUF_INIT(ID_TEXT_MAX);
	/* Each with its NUL, so that no two commands read alike. */
	buf_add(&text, whens[when], strlen(whens[when]) + 1);
	buf_add(&text, kind, strlen(kind) + 1);
	for (size_t i = 0; i < n; i++)
		buf_add(&text, words[i], strlen(words[i]) + 1);
	struct owed_id id;
	if (buf_check(&text, e) || digest_sha256(buf_slice(&text), id.b, e))
		return e->status;
	*ret = id;
	return ST_OK;
}

/* --- entries --- */

static bool same_id(const struct owed_id *a, const struct owed_id *b)
{
	return !memcmp(a->b, b->b, sizeof a->b);
}

static struct owed *entry(struct record *r, const struct owed_id *id)
{
	for (size_t i = 0; i < r->owed_n; i++)
		if (same_id(&r->owed[i].id, id))
			return &r->owed[i];
	return NULL;
}

const struct owed *owed_find(const struct record *r, const struct owed_id *id)
{
	for (size_t i = 0; i < r->owed_n; i++)
		if (same_id(&r->owed[i].id, id))
			return &r->owed[i];
	return NULL;
}

static const struct owed_hook *hook_of(const struct owed_hooks *h, const struct owed_id *id)
{
	for (size_t i = 0; i < h->n; i++)
		if (same_id(&h->v[i].id, id))
			return &h->v[i];
	return NULL;
}

static bool has_hooks(const struct owed_hooks *h, enum owed_when when)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].when == when)
			return true;
	return false;
}

static void drop(struct record *r, size_t i)
{
	memmove(&r->owed[i], &r->owed[i + 1], (r->owed_n - i - 1) * sizeof r->owed[0]);
	r->owed_n--;
}

/* Where there is no room, the entry goes that is nobody's here and over first. Our own never fill the record. */
static void make_room(struct record *r, const struct owed_hooks *h)
{
	size_t victim = RECORD_OWED;
	for (size_t i = 0; i < r->owed_n; i++)
		if (!hook_of(h, &r->owed[i].id) &&
		    (victim == RECORD_OWED || r->owed[i].until.s < r->owed[victim].until.s))
			victim = i;
	if (r->owed_n == RECORD_OWED && victim < RECORD_OWED)
		drop(r, victim);
}

static struct owed *add(struct record *r, const struct owed_hooks *h, const struct owed_id *id)
{
	struct owed *o = entry(r, id);
	if (o)
		return o;
	make_room(r, h);
	assert(r->owed_n < RECORD_OWED);
	o = &r->owed[r->owed_n++];
	*o = (struct owed){ .id = *id };
	return o;
}

/* --- what is owed --- */

static struct wall until(enum owed_event ev, struct wall not_after, struct wall now)
{
	if (events[ev].when != OWED_ON_DEPLOY)
		return (struct wall){ now.s + OWED_NOTICE_S };
	return not_after.s > now.s + SOON_OVER_S ? not_after : (struct wall){ now.s + SOON_OVER_S };
}

static void drop_overtaken(struct record *r, const struct owed_hooks *h)
{
	bool deploys = has_hooks(h, OWED_ON_DEPLOY);
	for (size_t i = r->owed_n; i-- > 0;) {
		const struct owed *o = &r->owed[i];
		bool is_notice = events[o->event].when != OWED_ON_DEPLOY;
		if (is_notice || (deploys && !o->elsewhere && !hook_of(h, &o->id)))
			drop(r, i);
	}
}

void owed_raise(struct record *r, const struct owed_hooks *h, enum owed_event ev, const struct pair_cert *c,
                struct wall now)
{
	enum owed_when when = events[ev].when;
	assert(h->n <= OWED_HOOKS_MAX);
	if (when == OWED_ON_DEPLOY) {
		drop_overtaken(r, h);
		/* What is left is somebody else's, and owed for this certificate now. */
		for (size_t i = 0; i < r->owed_n; i++)
			r->owed[i].until = until(ev, c->not_after, now);
		r->served = SERVED_UNKNOWN;
	}
	for (size_t i = 0; i < h->n; i++) {
		if (h->v[i].when != when)
			continue;
		struct owed *o = add(r, h, &h->v[i].id);
		/* A notice that cannot be delivered keeps its back-off: a second one makes it no better. */
		int attempts = when == OWED_ON_DEPLOY ? 0 : o->attempts;
		struct wall next = attempts ? o->next : now;
		*o = (struct owed){ h->v[i].id, ev, attempts, next, until(ev, c->not_after, now), false };
	}
}

void owed_mark(struct record *r, const struct owed_id *id, enum owed_event ev, const struct pair_cert *c,
               struct wall now)
{
	struct owed *o = add(r, &(struct owed_hooks){ 0 }, id);
	*o = (struct owed){ *id, ev, o->attempts, now, until(ev, c->not_after, now), true };
}

void owed_cross_off(struct record *r, const struct owed_id *id)
{
	struct owed *o = entry(r, id);
	if (o)
		drop(r, (size_t)(o - r->owed));
}

/* --- review --- */

struct lost {
	bool is;
	struct owed like;
};

/* Entries of hooks that are not configured, where others are in their place. */
static bool take_lost(struct record *r, const struct owed_hooks *h, struct lost lost[OWED_WHENS])
{
	bool any = false;
	for (size_t i = r->owed_n; i-- > 0;) {
		struct owed o = r->owed[i];
		enum owed_when when = events[o.event].when;
		if (o.elsewhere || hook_of(h, &o.id) || !has_hooks(h, when))
			continue;
		lost[when] = (struct lost){ true, o };
		drop(r, i);
		any = true;
	}
	return any;
}

bool owed_review(struct record *r, const struct owed_hooks *h, struct wall now, size_t *ret_given_up)
{
	struct lost lost[OWED_WHENS] = { 0 };
	size_t n = r->owed_n;
	bool changed = false;
	for (size_t i = r->owed_n; i-- > 0;) {
		struct owed *o = &r->owed[i];
		if (o->until.s <= now.s) {
			drop(r, i);
		} else if (o->next.s > now.s + OWED_LAST_S + OWED_LAST_S / 4) { /* written by a clock that ran ahead */
			o->next = now;
			changed = true;
		}
	}
	*ret_given_up = n - r->owed_n;
	changed |= n != r->owed_n;
	changed |= take_lost(r, h, lost);
	for (size_t i = 0; i < h->n; i++) {
		const struct lost *l = &lost[h->v[i].when];
		if (l->is && !entry(r, &h->v[i].id))
			*add(r, h, &h->v[i].id) =
				(struct owed){ h->v[i].id, l->like.event, 0, now, l->like.until, false };
	}
	return changed;
}

/* --- running --- */

void owed_hurry(struct record *r, const struct owed_hooks *h, struct wall now)
{
	for (size_t i = 0; i < h->n; i++) {
		struct owed *o = entry(r, &h->v[i].id);
		if (o && o->next.s > now.s)
			o->next = now;
	}
}

bool owed_due(const struct record *r, const struct owed_hooks *h, struct wall now, size_t *ret)
{
	for (int probe = 0; probe <= 1; probe++)
		for (size_t i = 0; i < h->n; i++) {
			const struct owed *o = h->v[i].probe == probe ? owed_find(r, &h->v[i].id) : NULL;
			if (o && o->next.s <= now.s) {
				*ret = i;
				return true;
			}
		}
	return false;
}

static int64_t delay_s(const struct owed *o, bool probe, struct wall now, uint64_t chance)
{
	int64_t s = OWED_FIRST_S;
	if (probe && o->attempts == 1)
		return OWED_LEAST_S; /* a service may take a moment to reload */
	for (int i = 1; i < o->attempts && s < OWED_LAST_S; i++)
		s *= 2;
	s = arith_clamp((o->until.s - now.s) / 8, OWED_LEAST_S, arith_min(s, OWED_LAST_S));
	return s - s / 4 + arith_below(chance, s / 2 + 1);
}

/* What was done did not help: do it again, when the probe looks again. */
static void deploy_again(struct record *r, const struct owed_hooks *h, const struct owed *probe)
{
	const struct owed like = *probe;
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].when == OWED_ON_DEPLOY && !entry(r, &h->v[i].id)) {
			struct owed *o = add(r, h, &h->v[i].id);
			*o = (struct owed){ h->v[i].id, like.event, like.attempts, like.next, like.until, false };
		}
}

void owed_ran(struct record *r, const struct owed_hooks *h, size_t i, const char *error, struct wall now,
              uint64_t chance)
{
	struct owed *o = entry(r, &h->v[i].id);
	if (!error || !o) {
		owed_cross_off(r, &h->v[i].id);
		return;
	}
	o->attempts = (int)arith_min(o->attempts + 1, ATTEMPTS_MAX);
	o->next.s = now.s + delay_s(o, h->v[i].probe, now, chance);
	record_text(r->hook_error, error);
	r->hook_failed = now;
	if (h->v[i].probe && o->attempts > 1)
		deploy_again(r, h, o);
}

bool owed_wake(const struct record *r, const struct owed_hooks *h, struct wall *ret)
{
	bool any = false;
	struct wall at = { 0 };
	for (size_t i = 0; i < h->n; i++) {
		const struct owed *o = owed_find(r, &h->v[i].id);
		if (!o)
			continue;
		at.s = any ? arith_min(at.s, o->next.s) : o->next.s;
		any = true;
	}
	if (any)
		*ret = at;
	return any;
}
