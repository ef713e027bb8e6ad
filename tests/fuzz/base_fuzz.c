#include "base/b64.h"
#include "base/duration.h"
#include "base/num.h"
#include "base/wall.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct slice in = slice_of(p, n);
	int64_t v;
	struct wall t;
	char text[DURATION_TEXT], again[WALL_TEXT];

	if (!duration_parse(in, &v, &e)) { /* what we print, we read */
		int64_t back;
		assert(!duration_parse(slice_cstr(duration_format(v, text)), &back, &e) && back == v);
	}
	if (!wall_parse_rfc3339(in, &t, &e) && t.s >= WALL_MIN_S && t.s <= WALL_MAX_S) {
		struct wall back;
		assert(!wall_parse_rfc3339(slice_cstr(wall_rfc3339(t, again)), &back, &e) && back.s == t.s);
	}
	st_ignore(num_parse(in, -1000, 1000, &v, &e), "survival only");
	for (enum b64_form form = B64_URL_RAW; form <= B64_STD; form++) { /* one value, one spelling */
		AUTO(buf_done) struct buf raw = BUF_INIT(1 << 20);
		AUTO(buf_done) struct buf coded = BUF_INIT(2 << 20);
		if (b64_decode(&raw, in, form, &e))
			continue;
		b64_encode(&coded, buf_slice(&raw), form);
		assert(slice_eq(buf_slice(&coded), in));
	}
	return 0;
}
