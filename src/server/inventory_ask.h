/* inventory_ask.h - what a question for the inventory asks: {"serial","line","parent": decimal; "name","provisioner":
 * patterns; "key": SHA-256 in hex; "from","before": seconds since 1970, ends of life in [from, before); "skip","only":
 * ["renewed", ...]; "rows": how many at most; "width": seconds; "cursor": of the page before}, all optional. Pure. */
#pragma once
#include "jose/jsonio.h"
#include "store/inventory.h"

/* The first that holds is the state. */
struct inventory_kind {
	enum inventory_is is;
	const char *name;
};
enum { INVENTORY_KINDS = 5 };
extern const struct inventory_kind inventory_kinds[INVENTORY_KINDS];

struct inventory_ask {
	struct inventory_filter f; /* whose texts are the JSON's, or stand in serials: this struct is not to be moved */
	char serials[3][SERIAL_TEXT];
	struct inventory_cursor from;
	size_t rows;     /* to be shown */
	int64_t width_s; /* 0: no counts */
};

/* ST_INVALID names the member. */
MUST_USE enum status inventory_ask_read(const json_t *o, struct wall now, struct inventory_ask *ret, struct error *e);
