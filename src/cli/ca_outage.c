/* If the CA stopped now: what would expire, and when. A certificate counts that its holder would renew: the newest of
 * its line, and not revoked. */
#include "cli/ca_admin.h"
#include "cli/commands.h"
#include "jose/auto.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	EXIT_WOULD_EXPIRE = 2,
	NAMES = 10,
	NAMES_MAX = 100000,
	SPANS_MAX = 96, /* lines of the histogram: hours, and where that would be more, days or longer */
	BAR = 40,
	NAME_SHOWN = 40,
};
#define FOR_MAX_S (INT64_C(100) * 366 * 86400)

struct ca_outage_args {
	struct admin_flags admin;
	struct opt_duration span;
	struct opt_int names;
	bool json;
};

struct outage {
	struct invocation *inv;
	struct admin_query q;
	struct wall now, until;
	int64_t names; /* still to be told */
	int64_t total, spans[SPANS_MAX];
	size_t spans_n;
	struct buf first, list; /* a certificate; the names: lines, or JSON */
	struct wall first_at;
	bool json;
};

static void outage_done(struct outage *o)
{
	buf_done(&o->first);
	buf_done(&o->list);
}

/* ---- gathering ---- */

static enum status add_name(struct outage *o, const struct admin_cert *c, struct error *e)
{
	AUTO(buf_done) struct buf name = BUF_INIT(16 * NAME_SHOWN);
	char t[WALL_TEXT], left[ADMIN_SPAN];
	if (o->json) {
		if (o->list.n)
			buf_adds(&o->list, ",");
		return admin_add_json(&o->list, c, e);
	}
	admin_add_name(&name, c, NAME_SHOWN);
	buf_addf(&o->list, "  %s  %8s  ", wall_rfc3339(c->not_after, t), admin_left(c->not_after, o->now, left));
	admin_add_cell(&o->list, buf_cstr(&name), NAME_SHOWN);
	buf_addf(&o->list, "%.*s\n", SLICE_FMT(c->serial));
	return buf_check(&o->list, e);
}

/* The certificate that ends first. */
static enum status take_first(struct outage *o, const struct admin_cert *c, struct error *e)
{
	if (o->first.n)
		return ST_OK;
	o->first_at = c->not_after;
	if (o->json)
		return admin_add_json(&o->first, c, e);
	admin_add_name(&o->first, c, NAME_SHOWN);
	return buf_check(&o->first, e);
}

/* To be told in full; the first is in any case. */
static int rows_for(const struct outage *o)
{
	int64_t rows = o->names ? o->names : !o->first.n;
	return rows < ADMIN_ROWS_MAX ? (int)rows : ADMIN_ROWS_MAX;
}

static enum status each_page(void *ctx, const struct admin_page *p, bool *ret_stop, struct error *e)
{
	struct outage *o = ctx;
	(void)ret_stop;
	for (size_t i = 0; i < p->counts_n; i++) {
		if (p->counts[i].span >= (int64_t)o->spans_n)
			return error_set(e, ST_PEER, "the CA's answer counts what was not asked for");
		o->spans[p->counts[i].span] += p->counts[i].n;
		o->total += p->counts[i].n;
	}
	for (size_t i = 0; i < p->n; i++)
		if (take_first(o, &p->v[i], e) || (o->names > 0 && add_name(o, &p->v[i], e)))
			return e->status;
		else
			o->names -= o->names > 0;
	o->q.rows = rows_for(o);
	return ST_OK;
}

static enum status only_first(void *ctx, const struct admin_page *p, bool *ret_stop, struct error *e)
{
	*ret_stop = p->n > 0;
	return p->n ? take_first(ctx, &p->v[0], e) : ST_OK;
}

/* Where nothing expires in the span, what comes first behind it is worth knowing. */
static enum status gather(struct outage *o, const char *socket, struct error *e)
{
	if (admin_pages(socket, &o->q, each_page, o, e))
		return e->status;
	if (o->first.n)
		return ST_OK;
	o->q.has_before = false;
	o->q.from.s = o->until.s;
	o->q.width_s = 0;
	o->q.rows = 1;
	return admin_pages(socket, &o->q, only_first, o, e);
}

/* ---- telling ---- */

static void print_histogram(struct outage *o)
{
	struct buf *out = &o->inv->out;
	int64_t most = 1, so_far = 0;
	for (size_t i = 0; i < o->spans_n; i++)
		most = o->spans[i] > most ? o->spans[i] : most;
	buf_addf(out, "\n  %-20s  %9s  %9s\n", "FROM", "EXPIRE", "IN ALL");
	for (size_t i = 0; i < o->spans_n; i++) {
		char t[WALL_TEXT], bar[BAR + 1];
		size_t n = (size_t)(o->spans[i] * BAR / most);
		n += !n && o->spans[i];
		memset(bar, '#', n);
		bar[n] = '\0';
		so_far += o->spans[i];
		buf_addf(out, "  %-20s  %9lld  %9lld%s%s\n",
		         wall_rfc3339((struct wall){ o->now.s + (int64_t)i * o->q.width_s }, t), (long long)o->spans[i],
		         (long long)so_far, n ? "  " : "", bar);
	}
}

static void print_text(struct outage *o)
{
	struct buf *out = &o->inv->out;
	char span[ADMIN_SPAN], left[ADMIN_SPAN], t[WALL_TEXT];
	admin_span(o->until.s - o->now.s, span);
	if (o->total)
		buf_addf(out, "If the CA stopped now, %lld %s would expire within %s.\n", (long long)o->total,
		         o->total == 1 ? "certificate" : "certificates", span);
	else
		buf_addf(out, "If the CA stopped now, no certificate would expire within %s.\n", span);
	if (o->first.n)
		buf_addf(out, "The first would at %s, in %s: %s\n", wall_rfc3339(o->first_at, t),
		         admin_left(o->first_at, o->now, left), buf_cstr(&o->first));
	else
		buf_adds(out, "There is no certificate that could expire.\n");
	if (!o->total)
		return;
	print_histogram(o);
	if (o->list.n)
		buf_addf(out, "\n%s", buf_cstr(&o->list));
}

static void print_json(struct outage *o)
{
	struct buf *out = &o->inv->out;
	char now[WALL_TEXT], until[WALL_TEXT], t[WALL_TEXT];
	bool any = false;
	buf_addf(out, "{\"now\":\"%s\",\"until\":\"%s\",\"expiring\":%lld,\"first\":%s,\"width\":%lld,\"counts\":[",
	         wall_rfc3339(o->now, now), wall_rfc3339(o->until, until), (long long)o->total,
	         o->first.n ? buf_cstr(&o->first) : "null", (long long)o->q.width_s);
	for (size_t i = 0; i < o->spans_n; i++) {
		if (!o->spans[i])
			continue;
		buf_addf(out, "%s{\"from\":\"%s\",\"certificates\":%lld}", any ? "," : "",
		         wall_rfc3339((struct wall){ o->now.s + (int64_t)i * o->q.width_s }, t),
		         (long long)o->spans[i]);
		any = true;
	}
	buf_addf(out, "],\"certificates\":[%s]}\n", buf_cstr(&o->list));
}

/* ---- */

static enum status check_flags(const struct ca_outage_args *a, struct error *e)
{
	if (a->span.set && (a->span.ns < 60 * DURATION_S || a->span.ns / DURATION_S > FOR_MAX_S))
		return error_set(e, ST_INVALID,
		                 "flag '--for' must be at least a minute, and not longer than a century");
	if (a->names.set && (a->names.v < 0 || a->names.v > NAMES_MAX))
		return error_set(e, ST_INVALID, "flag '--names' must lie between 0 and %d", NAMES_MAX);
	return ST_OK;
}

/* An hour, else a day, else what gives no more lines than that. */
static int64_t width_for(int64_t span_s)
{
	int64_t whole[] = { 3600, 86400 };
	for (size_t i = 0; i < COUNT_OF(whole); i++)
		if (span_s <= whole[i] * (i ? SPANS_MAX : 72))
			return whole[i];
	return ((span_s + SPANS_MAX - 1) / SPANS_MAX + 86399) / 86400 * 86400;
}

static enum status run(struct invocation *inv, struct error *e)
{
	const struct ca_outage_args *a = INV_ARGS(inv, ca_outage_args);
	AUTO(outage_done) struct outage o = { .inv = inv, .json = a->json, .names = a->names.set ? a->names.v : NAMES };
	char socket[ADMIN_PATH];
	int64_t span_s = a->span.set ? a->span.ns / DURATION_S : 86400;
	if (check_flags(a, e) || admin_open(inv, &a->admin, socket, e))
		return e->status;
	o.now = inv_now(inv);
	o.until.s = o.now.s + span_s;
	o.first = o.list = BUF_INIT(CLI_OUT_MAX);
	o.q = (struct admin_query){ .has_from = true,
		                    .from = o.now,
		                    .has_before = true,
		                    .before = o.until,
		                    .skip = { "renewed", "revoked", "closed", "expired" },
		                    .rows = rows_for(&o),
		                    .width_s = width_for(span_s) };
	o.spans_n = (size_t)((span_s + o.q.width_s - 1) / o.q.width_s);
	int64_t width_s = o.q.width_s;
	if (gather(&o, socket, e))
		return e->status;
	o.q.width_s = width_s;
	if (o.json)
		print_json(&o);
	else
		print_text(&o);
	inv->exit_code = o.total ? EXIT_WOULD_EXPIRE : 0;
	return buf_check(&inv->out, e);
}

static const struct opt opts[] = {
	OPT_DURATION(struct ca_outage_args, span, .name = "for", .arg = "<duration>", .flags = OPT_NO_ENV,
	             .help = "How long the CA would be away; default: 24h"),
	OPT_INT(struct ca_outage_args, names, .name = "names", .arg = "<number>", .flags = OPT_NO_ENV,
	        .help = "How many certificates to name, those that would expire first; default: 10"),
	OPT_FLAG(struct ca_outage_args, json, .name = "json", .flags = OPT_NO_ENV, .help = "Print the result as JSON"),
	ADMIN_OPTS(struct ca_outage_args),
	OPT_END,
};

const struct command cmd_ca_outage = {
	.path = "ca outage",
	.summary = "tell what would expire if the CA stopped now",
	.description = "Asks the CA on this machine, over its admin socket, as root or as the user that runs the CA. "
		       "Counts the "
		       "certificates that their holders could not renew in time: of each line the newest, unless it is "
		       "revoked or "
		       "its line closed. Hours with none are counted too; above three days it counts by days.",
	.opts = opts,
	.args_size = sizeof(struct ca_outage_args),
	.exit_codes =
		"0 where no certificate would expire within the time; 2 where one would; 1 where that could not be "
		"found out.",
	.examples = (const struct example[]){ { "May the CA be down over night?", "step ca outage --for 12h" },
	                                      { "How long may it?",
	                                        "step ca outage --for 24h --json --names 0 | jq -r .first.notAfter" },
	                                      { 0 } },
	.run = run,
};
