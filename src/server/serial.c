/* Serial numbers of new certificates. */
#include "server/state.h"

enum status server_serial(const struct server *s, struct wall now, uint8_t ret[ISSUE_SERIAL_BYTES], struct error *e)
{
	if (entropy_fill(s->conf.entropy, ret, ISSUE_SERIAL_BYTES, e))
		return e->status;
	serial_stamp(ret, now, clock_mono(s->conf.clock));
	return ST_OK;
}
