/* Both ends of the inventory: the question as the CA reads it, the answer as step does. */
#include "client/admin.h"
#include "jose/auto.h"
#include "server/inventory_ask.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void ask(const json_t *o)
{
	static const struct wall now = { 1800000000 };
	struct inventory_ask a, again;
	struct error e = ERROR_INIT;
	if (inventory_ask_read(o, now, &a, &e)) {
		assert(e.status == ST_INVALID && *e.text);
		return;
	}
	assert(a.rows <= INVENTORY_ROWS && (a.rows || a.width_s) && a.width_s >= 0);
	assert(a.from.id >= 0 || a.from.id == INVENTORY_START.id);
	assert(!a.f.name || !inventory_matches(a.f.name, SLICE_NONE) || strspn(a.f.name, "*") == strlen(a.f.name));
	/* a serial is brought into one form, in which it is itself */
	if (!a.f.serial)
		return;
	AUTO(json_decref_p) json_t *same = json_pack("{s:s}", "serial", a.f.serial);
	assert(!inventory_ask_read(same, now, &again, &e) && !strcmp(again.f.serial, a.f.serial));
}

static void answer(struct slice in)
{
	const struct ca_reply r = { .status = 200, .body = in };
	AUTO(admin_page_done) struct admin_page page = { 0 };
	struct error e = ERROR_INIT;
	if (admin_read_page(&r, &page, &e)) {
		assert(*e.text);
		return;
	}
	assert(page.n <= ADMIN_ROWS_MAX && page.counts_n <= ADMIN_ROWS_MAX);
	for (size_t i = 0; i < page.n; i++)
		assert(page.v[i].serial.n && page.v[i].serial.n < SERIAL_TEXT && page.v[i].state.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *o = NULL;
	if (!jsonio_parse(slice_of(p, n), JSONIO_FIRST, &o, &e) && json_is_object(o))
		ask(o);
	answer(slice_of(p, n));
	return 0;
}
