#include "cli/ca_renewal.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

/* What --check has found: a line each, or a member of the JSON array. */
struct report {
	const struct renewal *r;
	json_t *list; /* --json */
	size_t failed;
};

static void add(struct report *p, const char *name, bool ok, const char *text)
{
	p->failed += !ok;
	if (p->list)
		json_array_append_new(p->list, json_pack("{s:s, s:b, s:s}", "name", name, "ok", ok, "detail", text));
	else
		buf_addf(&p->r->inv->out, "%s %s: %s\n", ok ? "ok    " : "FAILED", name, text);
}

static void add_error(struct report *p, const char *name, enum status st, const struct error *e, const char *good)
{
	add(p, name, !st, st ? e->text : good);
}

static void check_dates(struct report *p, const struct turn *t)
{
	char text[256], until[WALL_TEXT], left[DURATION_TEXT];
	bool over = t->now.s > t->cert.not_after.s;
	wall_rfc3339(t->cert.not_after, until);
	if (over)
		snprintf(text, sizeof text, "expired on %s: only a CA that allows renewal after expiry will renew it",
		         until);
	else
		snprintf(text, sizeof text, "serial %s, until %s (%s left)", t->cert.serial, until,
		         duration_format_s(duration_of_s(t->cert.not_after.s - t->now.s), left));
	add(p, "certificate and key", !over, text);
}

/* What the clock is held against: the certificate, the day this program was made, and the CA's answer. A clock that is
 * wrong may be why the CA is not trusted; then its Date, which anybody could send, is told all the same. */
static void check_clock(struct report *p, const struct turn *t, struct ca *ca)
{
	AUTO(buf_done) struct buf words = BUF_INIT(1024);
	struct error ignored = ERROR_INIT;
	struct wall date = ca->answer.date;
	bool untrusted = ca->url && ca->answer.net.failure == HTTPS_UNTRUSTED;
	struct plan_now now = pair_now(t->conf);
	struct record r = t->record;
	struct plan plan;
	plan_next(&t->conf->rule, &t->cert, &now, &r, &plan);
	if (plan.clock != CLOCK_FINE)
		plan_clock_words(&plan, now.wall, &words);
	else if (untrusted && ca_hearsay_date(ca, &date, &ignored))
		date = (struct wall){ 0 };
	if (plan.clock == CLOCK_FINE && date.s)
		plan_skew_words(now.wall, date, PLAN_SKEW_S, &words);
	add(p, "clock", !words.n,
	    words.n  ? buf_cstr(&words)
	    : date.s ? "fits the certificate and the CA's clock"
	             : "fits the certificate; the CA's clock is not known");
}

/* The provisioner's own claim; what the CA says of all of them is not told to clients. */
static void check_provisioner(struct report *p, const struct turn *t, struct ca *ca, bool would)
{
	const struct cert_facts *f = cert_facts(t->chain.v[0]);
	AUTO(json_decref_p) json_t *all = NULL;
	struct error e = ERROR_INIT;
	char name[300], text[600];
	size_t i;
	json_t *one;
	if (!f->has_provisioner || ca_provisioners(ca, &all, &e))
		return;
	snprintf(name, sizeof name, "%s", f->provisioner.name);
	json_array_foreach(all, i, one)
	{
		if (!slice_is(jsonio_text(jsonio_field(one, "name")), name))
			continue;
		json_t *claims = jsonio_field(one, "claims");
		bool off = json_is_true(jsonio_field(claims, "disableRenewal"));
		bool late = json_is_true(jsonio_field(claims, "allowRenewalAfterExpiry"));
		snprintf(text, sizeof text, "provisioner %s %s%s%s", name,
		         off ? "does not renew (claim disableRenewal)" : "renews",
		         late ? ", also after expiry" : ", not after expiry",
		         would ? "; the CA would renew this certificate now" : "");
		add(p, "renewal allowed", !off, text);
		return;
	}
	snprintf(text, sizeof text, "the CA has no provisioner %s any more, which made this certificate", name);
	add(p, "renewal allowed", false, text);
}

/* The CA's own answer for this very certificate, where it gives one. */
static void check_renewable(struct report *p, const struct turn *t, struct ca *ca)
{
	const struct pair_conf *c = t->conf;
	struct error e = ERROR_INIT;
	struct ladder_facts f = ladder_facts_of(cert_facts(t->chain.v[0]), c->no_mtls, c->rekey, t->now);
	struct ladder_verdict v = ladder_first(&f);
	enum status st = v.rung == LADDER_MTLS ? ca_renewable(ca, &t->chain, t->key, &e) : ST_MISSING;
	/* 400: no certificate came with the question. A renewal asks with a token then. */
	bool reached = ca->answer.http != 400;
	if (st && st != ST_MISSING && reached)
		add_error(p, "renewal allowed", st, &e, "");
	else
		check_provisioner(p, t, ca, !st);
}

static void check_ca(struct report *p, const struct turn *t)
{
	AUTO(ca_done) struct ca ca = { 0 };
	struct error e = ERROR_INIT;
	char text[512];
	enum status st = p->r->conf.open_ca(p->r->conf.ctx, &ca, &e);
	if (!st)
		st = ca_health(&ca, &e);
	snprintf(text, sizeof text, "%s is well and leads to our root", ca.url ? ca.url : "");
	add_error(p, "CA", st, &e, text);
	check_clock(p, t, &ca);
	if (!st)
		check_renewable(p, t, &ca);
}

static void check_rungs(struct report *p, const struct turn *t)
{
	const struct pair_conf *c = t->conf;
	struct ladder_facts f = ladder_facts_of(cert_facts(t->chain.v[0]), c->no_mtls, c->rekey, t->now);
	struct ladder_verdict v = ladder_first(&f);
	const char *const way[LADDER_RUNGS] = {
		[LADDER_MTLS] = "mTLS", [LADDER_TOKEN] = "a token", [LADDER_END] = "none"
	};
	char text[256];
	snprintf(text, sizeof text, "%s (%s)", way[v.rung] ? way[v.rung] : "", v.why);
	add(p, "way to the CA", v.rung != LADDER_END, text);
}

static void check_deployment(struct report *p, const struct turn *t)
{
	const struct deploy *d = t->conf->deploy;
	char text[RECORD_TEXT + 64];
	snprintf(text, sizeof text, "%s%s",
	         record_owes_deployment(&t->record) ? "the last renewal still owes a command: " : "nothing is owed",
	         record_owes_deployment(&t->record) ? t->record.hook_error : "");
	add(p, "deployment", !record_owes_deployment(&t->record), text);
	for (size_t i = 0; i < d->n; i++) {
		struct error e = ERROR_INIT;
		if (d->v[i].kind == DEPLOY_VERIFY)
			add_error(p, "served", served_check(&d->v[i].served, t->chain.v[0], 0, &e), &e,
			          "the certificate on disk is the one that is served");
	}
}

static enum status finish(struct report *p, struct error *e)
{
	AUTO(json_decref_p) json_t *all = NULL;
	if (p->failed)
		p->r->inv->exit_code = 1;
	if (!p->list)
		return ST_OK;
	all = json_pack("{s:b, s:O}", "ok", p->failed == 0, "checks", p->list);
	enum status st = jsonio_format(all, &p->r->inv->out, e);
	buf_addc(&p->r->inv->out, '\n');
	return st;
}

enum status renewal_check(struct renewal *r, struct error *e)
{
	struct turn t;
	struct error why = ERROR_INIT;
	AUTO(json_decref_p) json_t *list = r->flags->json ? json_array() : NULL;
	struct report p = { .r = r, .list = list };
	enum status st = turn_open(&r->conf, true, &t, &why);
	if (r->flags->json && !list)
		st = error_nomem(&why);
	if (st)
		add(&p, "certificate and key", false, why.text);
	else
		check_dates(&p, &t);
	add_error(&p, "files can be written", t.files_error.status, &t.files_error,
	          "certificate and all further outputs");
	if (!st) {
		check_rungs(&p, &t);
		check_ca(&p, &t);
		check_deployment(&p, &t);
	}
	turn_done(&t);
	return finish(&p, e);
}
