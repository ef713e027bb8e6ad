#include "os/journal.h"

#include <inttypes.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(struct slice text)
{
	struct error e = ERROR_INIT;
	struct journal a, b;
	if (journal_parse(text, &a, &e))
		return;
	AUTO(buf_done) struct buf again = BUF_INIT(JOURNAL_MAX);
	journal_format(&again, &a);
	if (again.failed || journal_parse(buf_slice(&again), &b, &e) || a.n != b.n)
		abort();
	for (size_t i = 0; i < a.n; i++) {
		const struct journal_entry *x = &a.entry[i], *y = &b.entry[i];
		if (!slice_eq(x->path, y->path) || !slice_eq(x->old, y->old) || !slice_eq(x->new, y->new) ||
		    x->was != y->was || x->mode != y->mode || memcmp(&x->dress, &y->dress, sizeof x->dress) != 0)
			abort();
		if (journal_judge(x, true, true, x->new) != JOURNAL_IS_NEW)
			abort();
	}
}

/* As it is, and with the sum that it should have: without that no fuzzer gets far. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	check(slice_of(p, n));
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	AUTO(buf_done) struct buf whole = BUF_INIT(JOURNAL_MAX);
	buf_add(&whole, p, n);
	buf_addf(&whole, "end %016" PRIx64 "\n", sum);
	check(buf_slice(&whole));
	return 0;
}
