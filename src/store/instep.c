/* instep.c - the changes of a batch, decided in step: a step's statement is sent for all of them that are there, then
 * the answers are read. The outcome is that of one after the other, because two that could meet never are in the same
 * round:
 *
 *   tokens of all ──> ┌ round: those that no earlier one, still undecided, could meet ─────────────────────────┐
 *                     │   credential ─> parent, line ─> (one of each line) ─> allowed ─> .. ─> certificate ...  │
 *                     └──────────── once more, until all are decided <─────────────────────────────────────────┘
 *
 * Using a token asks nothing but whether it is there, and no later step adds or removes one: so all tokens can come
 * first. What else two could meet in is a name (the token, whose certificate the first may yet leave; serials: their
 * own, the parent's, the line's, the revoked, the credential's), and these are known beforehand; but a line may turn
 * out to be another than the change was told, so there is a second look when it is locked. Keys are blocked, and lines
 * closed, by CHANGE_REVOKE_LINE alone, and that goes alone.
 *
 * Certificates, revocations and the ends of lines are rounds apart, so every transaction takes its locks in the same
 * order on every node: tokens, lines, revocations. A round behind the first finds the lines that it needs locked, since
 * it was kept back for their sake. */
#include "store/apply.h"

#include "base/macros.h"
#include <stdlib.h>
#include <string.h>

enum {
	BATCH_LIMIT = 256,
	NAMES_MAX = 5,
	SEEN_SLOTS = 4096, /* a power of two, more than twice all names and lines */
};

struct mate {
	struct decision d;
	uint64_t names[NAMES_MAX]; /* hashes of what it could meet others in; two alike keep apart what need not be */
	size_t names_n;
	bool free;
	unsigned round; /* in which it was decided; 0: not yet, even where its token has said all */
};

struct party {
	struct mate *v;
	size_t n;
	uint64_t seen[SEEN_SLOTS]; /* 0: none */
	struct decision *group[BATCH_LIMIT];
};

static void party_free(struct party **p)
{
	if (*p)
		free((*p)->v);
	free(*p);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* FNV-1a; never 0. */
static uint64_t name_hash(char kind, const char *name)
{
	uint64_t h = (UINT64_C(0xcbf29ce484222325) ^ (uint8_t)kind) * UINT64_C(0x100000001b3);
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}

static void name_add(struct mate *m, char kind, const char *name)
{
	if (!name || !name[0])
		return;
	uint64_t hash = name_hash(kind, name);
	for (size_t i = 0; i < m->names_n; i++)
		if (m->names[i] == hash)
			return;
	m->names[m->names_n++] = hash;
}

static void mate_name(struct mate *m)
{
	const struct change *c = m->d.c;
	name_add(m, 't', c->token_id);
	if (c->kind == CHANGE_REVOKE_LINE) {
		name_add(m, 'l', "any");
	} else if (c->kind == CHANGE_REVOKE) {
		name_add(m, 's', c->serial);
		name_add(m, 's', c->has_credential ? c->credential : NULL);
	} else if (c->kind != CHANGE_BURN) { /* a credential is only read by those that give certificates */
		name_add(m, 's', c->cert.serial);
		name_add(m, 's', c->kind == CHANGE_ISSUE ? NULL : c->cert.parent);
		name_add(m, 's', c->kind == CHANGE_ISSUE ? NULL : c->cert.line);
	}
}

static void seen_none(struct party *p)
{
	memset(p->seen, 0, sizeof(p->seen));
}

/* Was it there before? */
static bool seen_add(struct party *p, uint64_t hash)
{
	size_t i = hash ^ hash >> 32;
	for (;; i++) {
		uint64_t *at = &p->seen[i % SEEN_SLOTS];
		if (*at == hash)
			return true;
		if (!*at) {
			*at = hash;
			return false;
		}
	}
}

/* --- who may go --------------------------------------------------------------------------------------------------- */

/* Adds its names; is one of them known already? */
static bool meets(struct party *p, const struct mate *m)
{
	bool met = false;
	for (size_t i = 0; i < m->names_n; i++)
		met |= seen_add(p, m->names[i]);
	return met;
}

/* Those that meet no earlier one that is undecided, up to the first of another class. */
static void free_by_name(struct party *p)
{
	const struct mate *first = NULL;
	bool apart = false;
	seen_none(p);
	for (size_t i = 0; i < p->n; i++) {
		struct mate *m = &p->v[i];
		m->free = false;
		if (m->round)
			continue;
		first = first ? first : m;
		apart |= apply_class(m->d.c) != apply_class(first->d.c);
		m->free = !apart && !meets(p, m);
	}
}

/* Of those that are free, and know their line, the first of each line. */
static void free_by_line(struct party *p)
{
	seen_none(p);
	for (size_t i = 0; i < p->n; i++) {
		struct mate *m = &p->v[i];
		if (m->free && m->d.next == STEP_ALLOWED && m->d.line && seen_add(p, (uint64_t)m->d.line))
			m->free = false;
	}
}

/* --- the rounds --------------------------------------------------------------------------------------------------- */

/* Nodes that were given the same tokens take them in the same order, whatever else the changes hold. Of the same token,
 * the first of the batch goes first. */
static int by_token(const void *a, const void *b)
{
	const struct decision *x = *(struct decision *const *)a, *y = *(struct decision *const *)b;
	int by = strcmp(x->c->token_id, y->c->token_id);
	return by ? by : x < y ? -1 : x > y;
}

static size_t gather(struct party *p, enum step step)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].d.next == step && (step == STEP_TOKEN || p->v[i].free))
			p->group[n++] = &p->v[i].d;
	return n;
}

static enum status use_tokens(struct party *p, struct db *db, struct error *e)
{
	size_t n = gather(p, STEP_TOKEN);
	qsort(p->group, n, sizeof(p->group[0]), by_token);
	return decision_step(db, STEP_TOKEN, p->group, n, e);
}

/* The first undecided one is always free, so each round decides one at least. */
static enum status party_round(struct party *p, unsigned round, struct db *db, struct error *e)
{
	free_by_name(p);
	for (enum step step = STEP_TOKEN + 1; step < STEP_END; step++) {
		if (step == STEP_ALLOWED)
			free_by_line(p);
		if (decision_step(db, step, p->group, gather(p, step), e))
			return e->status;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].free)
			p->v[i].round = round;
	return ST_OK;
}

static bool undecided(const struct party *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].round)
			return true;
	return false;
}

enum status apply_batch(struct db *db, const struct change *const *c, size_t n, bool keeps_revocations,
                        enum outcome *ret, unsigned *ret_round, struct error *e)
{
	if (n > BATCH_LIMIT)
		return error_set(e, ST_BUG, "a batch of %zu changes", n);
	if (n == 1) {
		if (ret_round)
			ret_round[0] = 1;
		return apply_change(db, c[0], keeps_revocations, ret, e);
	}
	AUTO(party_free) struct party *p = calloc(1, sizeof(*p));
	if (!p || !(p->v = calloc(n ? n : 1, sizeof(*p->v))))
		return error_nomem(e);
	for (p->n = 0; p->n < n; p->n++) {
		if (decision_begin(&p->v[p->n].d, db, c[p->n], keeps_revocations, e))
			return e->status;
		mate_name(&p->v[p->n]);
	}
	if (use_tokens(p, db, e))
		return e->status;
	for (unsigned round = 1; undecided(p); round++)
		if (party_round(p, round, db, e))
			return e->status;
	for (size_t i = 0; i < n; i++) {
		ret[i] = p->v[i].d.outcome;
		if (ret_round)
			ret_round[i] = p->v[i].round;
	}
	return ST_OK;
}
