/* One pair's life, as plan_next sees it at each wake-up:
 *
 *            +--------- another certificate on disk: adopt(), all below begins anew <--------------------+
 *            v                                                                                           |
 *        [ drawn ]  draw(): jitter and first sight, once a certificate                                   |
 *            |                                                                                           |
 *            v             now < due            plan_renewed()                                           |
 *   +->  [ waiting ] ------------------> sleep   ---------->  [ renewed ] --- new certificate -----------+
 *   |        | now >= due                        |                |
 *   |        v                                   |                +-- floor: due is not before renewed + floor
 *   |    [ asking ] -----------------------------+
 *   |        | plan_failed(): failures + 1, retry = now + retry_delay_s()
 *   |        v
 *   +--- [ failing ]  due = retry; thresholds() tells 50, 25, 10, 0 % of life left, once each
 *
 * A clock before the certificate's begin holds everything where it is (PLAN_CLOCK). */
#include "renewal/plan.h"

#include "renewal/arith.h"
#include "renewal/retry.h"

enum { FAILURES_MAX = 1000000 };

static int64_t validity_s(const struct pair_cert *c)
{
	return arith_clamp(c->not_after.s - c->not_before.s, 1, WALL_MAX_S);
}

static int64_t left_s(const struct pair_cert *c, struct wall now)
{
	return c->not_after.s - now.s;
}

int64_t plan_delay_ns(const struct plan_rule *rule, const struct pair_cert *c, struct wall now, uint64_t chance)
{
	int64_t v = arith_ns_of_s(validity_s(c)), left = arith_ns_of_s(left_s(c, now)), d;
	if (rule->renew_period_ns > 0)
		return left > rule->renew_period_ns ? rule->renew_period_ns : 0;
	int64_t before = rule->expires_in_ns > 0 ? rule->expires_in_ns : v / 3;
	if (__builtin_sub_overflow(left, before, &d) || d <= 0)
		return 0;
	return d < v / 20 ? arith_below(chance, d) : d - arith_below(chance, v / 20);
}

int64_t plan_floor_s(const struct plan_rule *rule, const struct pair_cert *c, struct wall renewed)
{
	int64_t floor = arith_min(validity_s(c) / 100, left_s(c, renewed) / 2);
	if (rule->renew_period_ns > 0)
		floor = arith_min(floor, rule->renew_period_ns / DURATION_S);
	return floor < 1 ? 1 : floor;
}

/* --- the certificate --- */

static bool adopt(struct record *r, const struct pair_cert *c)
{
	if (pair_cert_same(&r->cert, c))
		return false;
	r->cert = *c;
	r->drawn = false;
	r->since = r->retry = r->due = (struct wall){ 0 };
	r->failures = r->repeats = 0;
	r->told = 0;
	return true;
}

static bool draw(struct record *r, const struct plan_now *now)
{
	bool ahead = r->since.s > now->wall.s + PLAN_CLOCK_SLACK_S; /* seen first by a clock that was wrong */
	if (r->drawn && !ahead)
		return false;
	if (!r->drawn)
		r->chance = now->chance;
	r->drawn = true;
	r->since = now->wall;
	return true;
}

/* --- the clock --- */

static void judge_clock(const struct pair_cert *c, const struct plan_now *now, const struct record *r, struct plan *p)
{
	const struct {
		enum clock_doubt doubt;
		struct wall ref;
		int64_t slack_s;
	} tests[] = {
		{ CLOCK_BEFORE_CERT, c->not_before, PLAN_CLOCK_SLACK_S },
		{ CLOCK_WENT_BACK, r->seen, PLAN_CLOCK_BACK_S },
		{ CLOCK_BEFORE_BUILD, now->built, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(tests) && !p->clock; i++)
		if (tests[i].ref.s && now->wall.s < tests[i].ref.s - tests[i].slack_s) {
			p->clock = tests[i].doubt;
			p->clock_ref = tests[i].ref;
		}
}

static bool crossed(const struct pair_cert *c, int percent, struct wall now, struct wall *ret_at)
{
	/* A certificate is valid through its last second. */
	ret_at->s = percent ? c->not_after.s - validity_s(c) * percent / 100 : c->not_after.s + 1;
	return now.s >= ret_at->s;
}

/* What a clock that ran ahead has written does not count. */
static void forgive_clock(struct record *r, struct wall now)
{
	struct wall at;
	for (size_t i = 0; i < RECORD_THRESHOLDS; i++)
		if (!crossed(&r->cert, record_threshold[i], now, &at))
			r->told &= ~(1u << i);
	if (r->renewed.s > now.s)
		r->renewed = now;
	r->seen = now;
}

/* --- the plan --- */

static void set_due(const struct plan_rule *rule, const struct plan_now *now, const struct record *r,
                    struct wall planned, struct plan *p)
{
	p->why = PLAN_SCHEDULE;
	p->due = planned;
	if (r->failures) {
		bool bounded = r->retry.s <= now->wall.s + retry_bound_s(validity_s(&r->cert));
		p->why = PLAN_RETRY;
		p->due = bounded ? r->retry : now->wall;
	} else if (r->renewed.s) {
		struct wall earliest = { r->renewed.s + plan_floor_s(rule, &r->cert, r->renewed) };
		if (planned.s < earliest.s) {
			p->why = PLAN_FLOOR;
			p->due = earliest;
		}
	}
}

/* Thresholds before the planned renewal are no news: a certificate has to pass them. */
static void thresholds(struct record *r, struct wall planned, struct wall now, struct plan *p)
{
	for (size_t i = 0; r->failures && i < RECORD_THRESHOLDS; i++) {
		struct wall at;
		bool is_crossed = crossed(&r->cert, record_threshold[i], now, &at);
		if (at.s < planned.s || r->told & 1u << i)
			continue;
		if (!is_crossed) {
			p->wake.s = arith_min(p->wake.s, at.s);
			continue;
		}
		r->told |= 1u << i;
		p->left = record_threshold[i];
		p->changed = true;
	}
}

void plan_next(const struct plan_rule *rule, const struct pair_cert *c, const struct plan_now *now, struct record *r,
               struct plan *ret)
{
	struct plan p = { .left = PLAN_LEFT_NONE };
	p.adopted = r->cert.serial[0] && !pair_cert_same(&r->cert, c);
	p.changed = adopt(r, c);
	judge_clock(c, now, r, &p);
	if (p.clock == CLOCK_BEFORE_CERT) {
		p.why = PLAN_CLOCK;
		p.wake.s = now->wall.s + PLAN_DOUBT_SLEEP_S;
		*ret = p;
		return;
	}
	if (p.clock == CLOCK_WENT_BACK) {
		forgive_clock(r, now->wall);
		p.changed = true;
	}
	p.changed |= draw(r, now);
	struct wall planned = { r->since.s + plan_delay_ns(rule, c, r->since, r->chance) / DURATION_S };
	set_due(rule, now, r, planned, &p);
	p.step = now->wall.s >= p.due.s ? PLAN_RENEW : PLAN_WAIT;
	p.wake.s = arith_min(p.due.s, now->wall.s + (p.clock ? PLAN_DOUBT_SLEEP_S : PLAN_SLEEP_MAX_S));
	thresholds(r, planned, now->wall, &p);
	if (p.wake.s < now->wall.s)
		p.wake = now->wall;
	if (r->due.s != p.due.s || now->wall.s - r->seen.s >= validity_s(c) / 10)
		p.changed = true;
	r->due = p.due;
	/* Only with what is stored anyway: the latest time seen need not be exact, and no wake-up is to cost a write.
	 */
	if (p.changed && r->seen.s < now->wall.s)
		r->seen = now->wall;
	*ret = p;
}

void plan_clock_words(const struct plan *p, struct wall now, struct buf *out)
{
	static const struct {
		const char *before, *after;
	} words[CLOCK_DOUBTS] = {
		[CLOCK_FINE] = { "", "" },
		[CLOCK_BEFORE_BUILD] = { "but this program was made at", ": the clock is behind" },
		[CLOCK_BEFORE_CERT] = { "but the certificate begins at",
		                        ": the clock is behind, or the certificate is not yet valid" },
		[CLOCK_WENT_BACK] = { "but it has shown", " before: it was wrong then, or is now" },
	};
	char a[WALL_TEXT], b[WALL_TEXT];
	if (p->clock)
		buf_addf(out, "the clock says %s, %s %s%s", wall_rfc3339(now, a), words[p->clock].before,
		         wall_rfc3339(p->clock_ref, b), words[p->clock].after);
}

bool plan_skew_words(struct wall ours, struct wall ca, int64_t slack_s, struct buf *out)
{
	int64_t s = ours.s > ca.s ? ours.s - ca.s : ca.s - ours.s;
	char a[WALL_TEXT], b[WALL_TEXT], by[DURATION_TEXT];
	if (s <= slack_s)
		return false;
	buf_addf(out,
	         "this machine's clock is %s %s the CA's (%s against %s): set the one that is wrong, and keep it right "
	         "(timedatectl set-ntp true)",
	         duration_format_s(duration_of_s(s), by), ours.s < ca.s ? "behind" : "ahead of", wall_rfc3339(ours, a),
	         wall_rfc3339(ca, b));
	return true;
}

/* --- how it went --- */

void plan_renewed(struct record *r, const struct pair_cert *c, const struct plan_now *now)
{
	adopt(r, c);
	r->failures = r->repeats = 0;
	r->renewed = now->wall;
	if (r->seen.s < now->wall.s)
		r->seen = now->wall;
}

bool plan_holds_back(const struct record *r, const struct pair_cert *c, struct wall now, struct wall *ret_until)
{
	bool dying = left_s(c, now) < validity_s(c) / 10;
	bool believed = r->failed.s <= now.s && r->retry.s <= now.s + retry_bound_s(validity_s(c));
	if (!r->failures || !pair_cert_same(&r->cert, c) || !believed)
		return false;
	ret_until->s = dying ? arith_min(r->retry.s, r->failed.s + PLAN_POLL_S) : r->retry.s;
	return now.s < ret_until->s;
}

bool plan_failed(struct record *r, const struct pair_cert *c, const struct plan_failure *f, const struct plan_now *now)
{
	adopt(r, c);
	bool news = !r->failures || f->kind != r->kind;
	r->repeats = news ? 1 : (int)arith_min(r->repeats + 1, FAILURES_MAX);
	r->failures = (int)arith_min(r->failures + 1, FAILURES_MAX);
	r->kind = f->kind;
	const struct retry_case k = { f->kind, r->repeats, validity_s(c), left_s(c, now->wall), f->retry_after_s };
	r->failed = now->wall;
	r->retry.s = now->wall.s + retry_delay_s(&k, now->chance);
	record_text(r->error, f->text);
	return news;
}
