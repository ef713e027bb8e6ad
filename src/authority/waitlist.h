/* waitlist.h - those who wait for something that serves few at a time: a bounded queue that knows who is urgent
 * (urgency.h). Pure but for its memory, all of which is had at the start; not for two threads at once.
 *
 * While all who wait can be served at once, they are in the order in which they came. Where not, the most urgent go first,
 * among equals the one who came first; but an eighth of each turn is for those who have waited longest, whoever they are:
 * who is n-th in the order of coming is served within 8 n / turn turns. */
#pragma once
#include "base/error.h"
#include <stddef.h>

struct waitlist;

/* Items are item_size bytes, copied in and out. */
MUST_USE enum status waitlist_new(size_t max, size_t item_size, struct waitlist **ret, struct error *e);
void waitlist_free(struct waitlist *w);
size_t waitlist_count(const struct waitlist *w);

enum waitlist_put {
	WAITLIST_TAKEN,
	WAITLIST_INSTEAD, /* it was full: of those who are less urgent the last to come has left; *ret_out is him */
	WAITLIST_FULL,    /* nobody is less urgent; nothing has changed */
};
enum waitlist_put waitlist_put(struct waitlist *w, const void *item, int urgency, void *ret_out);

/* Takes out at most `most` for one turn; returns how many. */
size_t waitlist_take(struct waitlist *w, void *ret_items, size_t most);
