/* room.c - a full disk.
 *
 *   ENOUGH ──a write finds no room: a part of the reserve is given back──> RESERVE ──used up──> NONE
 *     ^                                                                      │                   │
 *     └──────────── the reserve could be made whole, and more is free ───────┴───────────────────┘
 *
 * Whoever comes for a certificate can come again; who revokes one may not be able to wait. Not every full disk is told
 * by statvfs (quotas), so that room is what can be taken. */
#include "store/inner.h"

#include "base/duration.h"
#include <errno.h>

enum { LOOK_EVERY_S = 1 };

static bool is_full(const struct error *e)
{
	return e->os == ENOSPC || e->os == EDQUOT;
}

static void room_set(struct store *s, enum store_room room, const char *why)
{
	if (room == s->room_now)
		return;
	__atomic_store_n(&s->room_now, room, __ATOMIC_RELAXED);
	s->room.look_at.ns = clock_mono(s->clock).ns + LOOK_EVERY_S * DURATION_S;
	if (s->room.told)
		s->room.told(s->room.ctx, room, why);
}

bool room_make(struct store *s, int attempt, const struct error *e)
{
	if (s->room.reserve.fd < 0 || !is_full(e))
		return false;
	if (attempt == 0 && s->room_now != STORE_ROOM_ENOUGH)
		return true; /* a connection that is opened anew empties the log, which may be room enough */
	bool given = reserve_give(&s->room.reserve);
	room_set(s, given ? STORE_ROOM_RESERVE : STORE_ROOM_NONE, e->text);
	return given;
}

bool room_takes(const struct store *s, enum change_kind kind)
{
	return s->room_now == STORE_ROOM_ENOUGH || kind == CHANGE_REVOKE || kind == CHANGE_REVOKE_LINE ||
	       kind == CHANGE_BURN;
}

enum status room_refuse(const struct store *s, struct error *e)
{
	error_set(e, ST_IO,
	          "the disk is full; free some space, no restart is needed (only revocations are recorded "
	          "until then)");
	e->os = ENOSPC;
	error_hint(e, "the certificate authority's disk is full and it can only revoke; try again later");
	return store_named(s, e);
}

enum store_room store_room(const struct store *s)
{
	return __atomic_load_n(&s->room_now, __ATOMIC_RELAXED);
}

enum status store_has_room(const struct store *s, struct error *e)
{
	return store_room(s) == STORE_ROOM_ENOUGH ? ST_OK : room_refuse(s, e);
}

void room_begin(struct store *s)
{
	struct error e;
	if (s->room_now != STORE_ROOM_ENOUGH || !reserve_fill(&s->room.reserve, &e))
		return;
	error_wrap(&e, "reserve in %s", s->folder.path);
	room_set(s, STORE_ROOM_RESERVE, e.text);
}

bool room_due(const struct store *s, int64_t *ret_wait_ns)
{
	*ret_wait_ns = -1;
	if (s->room_now == STORE_ROOM_ENOUGH)
		return false;
	*ret_wait_ns = s->room.look_at.ns - clock_mono(s->clock).ns;
	return *ret_wait_ns <= 0;
}

void room_look(struct store *s)
{
	struct error e;
	s->room.look_at.ns = clock_mono(s->clock).ns + LOOK_EVERY_S * DURATION_S;
	if (!reserve_fill(&s->room.reserve, &e))
		room_set(s, STORE_ROOM_ENOUGH, "");
}
