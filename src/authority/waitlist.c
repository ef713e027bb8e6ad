/* Each place is in two lists: of all, by time of coming, and of its class. A word of bits tells which classes are
 * there. */
#include "authority/waitlist.h"

#include "authority/urgency.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX, OLDEST_SHARE = 8 };

enum { BY_AGE, BY_CLASS, LINKS };

struct place {
	uint32_t next[LINKS], prev[LINKS];
	int class;
};

struct list {
	uint32_t first, last;
};

struct waitlist {
	size_t max, n, item_size;
	struct list all, classes[URGENCY_CLASSES];
	uint64_t there; /* bit c: class c is not empty */
	uint32_t free;  /* linked by next[BY_AGE] */
	struct place *places;
	uint8_t *items;
};

_Static_assert(URGENCY_CLASSES <= 64, "more classes than bits");

enum status waitlist_new(size_t max, size_t item_size, struct waitlist **ret, struct error *e)
{
	struct waitlist *w = calloc(1, sizeof *w);
	if (!w || max >= NONE || !(w->places = calloc(max, sizeof *w->places)) ||
	    !(w->items = calloc(max, item_size))) {
		waitlist_free(w);
		return error_nomem(e);
	}
	w->max = max;
	w->item_size = item_size;
	w->all = (struct list){ NONE, NONE };
	for (size_t i = 0; i < URGENCY_CLASSES; i++)
		w->classes[i] = (struct list){ NONE, NONE };
	for (size_t i = 0; i < max; i++)
		w->places[i].next[BY_AGE] = i + 1 < max ? (uint32_t)i + 1 : NONE;
	*ret = w;
	return ST_OK;
}

void waitlist_free(struct waitlist *w)
{
	if (!w)
		return;
	free(w->places);
	free(w->items);
	free(w);
}

size_t waitlist_count(const struct waitlist *w)
{
	return w->n;
}

static void append(struct waitlist *w, struct list *l, int by, uint32_t i)
{
	struct place *p = &w->places[i];
	p->prev[by] = l->last;
	p->next[by] = NONE;
	if (l->last == NONE)
		l->first = i;
	else
		w->places[l->last].next[by] = i;
	l->last = i;
}

static void detach(struct waitlist *w, struct list *l, int by, uint32_t i)
{
	struct place *p = &w->places[i];
	if (p->prev[by] == NONE)
		l->first = p->next[by];
	else
		w->places[p->prev[by]].next[by] = p->next[by];
	if (p->next[by] == NONE)
		l->last = p->prev[by];
	else
		w->places[p->next[by]].prev[by] = p->prev[by];
}

static void put(struct waitlist *w, const void *item, int class)
{
	uint32_t i = w->free;
	w->free = w->places[i].next[BY_AGE];
	w->places[i].class = class;
	append(w, &w->all, BY_AGE, i);
	append(w, &w->classes[class], BY_CLASS, i);
	w->there |= UINT64_C(1) << class;
	memcpy(w->items + i * w->item_size, item, w->item_size);
	w->n++;
}

static void take(struct waitlist *w, uint32_t i, void *ret_item)
{
	struct place *p = &w->places[i];
	memcpy(ret_item, w->items + i * w->item_size, w->item_size);
	detach(w, &w->all, BY_AGE, i);
	detach(w, &w->classes[p->class], BY_CLASS, i);
	if (w->classes[p->class].first == NONE)
		w->there &= ~(UINT64_C(1) << p->class);
	p->next[BY_AGE] = w->free;
	w->free = i;
	w->n--;
}

enum waitlist_put waitlist_put(struct waitlist *w, const void *item, int urgency, void *ret_out)
{
	int class = urgency < 0 ? 0 : urgency >= URGENCY_CLASSES ? URGENCY_CLASSES - 1 : urgency;
	bool full = w->n == w->max;
	if (full) {
		int least = 63 - __builtin_clzll(w->there | 1);
		if (least <= class)
			return WAITLIST_FULL;
		take(w, w->classes[least].last, ret_out);
	}
	put(w, item, class);
	return full ? WAITLIST_INSTEAD : WAITLIST_TAKEN;
}

size_t waitlist_take(struct waitlist *w, void *ret_items, size_t most)
{
	size_t n = w->n < most ? w->n : most, oldest = w->n <= most ? n : (most + OLDEST_SHARE - 1) / OLDEST_SHARE;
	uint8_t *out = ret_items;
	for (size_t k = 0; k < n; k++, out += w->item_size)
		take(w, k < oldest ? w->all.first : w->classes[__builtin_ctzll(w->there)].first, out);
	return n;
}
