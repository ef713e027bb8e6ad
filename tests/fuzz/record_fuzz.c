#include "renewal/owed.h"
#include "renewal/plan.h"

#include <assert.h>

/* A file that anybody may have written: refused, or a record that every decision can be made from. */
static void decide(struct record *r, int64_t now_s)
{
	static const struct owed_hook v[] = { { { { 1 } }, OWED_ON_DEPLOY, false },
		                              { { { 2 } }, OWED_ON_FAILURE, false } };
	const struct owed_hooks h = { v, COUNT_OF(v) };
	const struct plan_now now = { { now_s }, r->chance, { 0 } };
	const struct plan_failure f = { RETRY_SOON, -1, r->error };
	const struct plan_rule third = { 0 };
	struct pair_cert c = r->cert;
	struct plan p;
	size_t given_up, i;

	plan_next(&third, &c, &now, r, &p);
	assert(p.wake.s >= now_s && p.wake.s <= now_s + PLAN_SLEEP_MAX_S);
	owed_review(r, &h, now.wall, &given_up);
	if (owed_due(r, &h, now.wall, &i))
		owed_ran(r, &h, i, "no", now.wall, r->chance);
	plan_failed(r, &c, &f, &now);
	owed_raise(r, &h, OWED_RENEWED, &c, now.wall);
	assert(r->owed_n <= RECORD_OWED && record_owes_deployment(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	struct record r, again;
	AUTO(buf_done) struct buf text = BUF_INIT(RECORD_MAX);
	AUTO(buf_done) struct buf twice = BUF_INIT(RECORD_MAX);
	if (record_parse(slice_of(p, n), &r, &e)) {
		assert(*e.text);
		return 0;
	}
	assert(!record_format(&r, &text, &e) && !record_parse(buf_slice(&text), &again, &e));
	assert(!record_format(&again, &twice, &e) && slice_eq(buf_slice(&text), buf_slice(&twice)));
	decide(&r, 1900000000);
	decide(&again, again.retry.s);
	buf_reset(&text);
	assert(!record_format(&r, &text, &e) && !record_parse(buf_slice(&text), &again, &e));
	return 0;
}
