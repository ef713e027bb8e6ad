#include "cli/ca_renewal.h"

#include "agent/agent.h"
#include "base/num.h"
#include "cli/ca_offline.h"
#include "cli/version.h"
#include "crypto/keys.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "os/versions.h"
#include "renewal/due.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

/* ---- the pair as `ca revoke` reads it ---- */

void pair_done(struct pair *p)
{
	chain_done(&p->chain);
	EVP_PKEY_free(p->key);
	*p = (struct pair){ 0 };
}

enum status pair_load(const char *crt, const char *key, const char *password_file, struct pair *ret, struct error *e)
{
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(buf_done) struct buf label = BUF_INIT(8192);
	buf_addf(&label, "Please enter the password to decrypt %s", key);
	struct ask_password asking = { .file = password_file, .flag = "--password-file", .label = buf_cstr(&label) };

	if (load_chain(crt, &p.chain, e))
		return error_wrap(e, "error reading certificate chain");
	if (read_key(key, &asking, &p.key, e))
		return error_wrap(e, "error loading private key");
	if (!key_equal(cert_key(p.chain.v[0]), p.key))
		return error_set(e, ST_INVALID, "the private key in %s does not belong to the certificate in %s", key,
		                 crt);
	*ret = p;
	p = (struct pair){ 0 };
	return ST_OK;
}

/* ---- the flags ---- */

static enum status check_periods(const struct renewal *r, struct error *e)
{
	const struct renewal_flags *f = r->flags;
	if (f->expires_in.ns > 0 && f->period.ns > 0)
		return usage_incompatible("expires-in", r->period_flag, e);
	if (f->period.ns > 0 && !f->daemon)
		return usage_requires(r->period_flag, "daemon", e);
	return ST_OK;
}

static enum status bad_number(const char *flag, int64_t value, struct error *e)
{
	return error_set(e, ST_INVALID, "invalid value '%lld' for flag '--%s'", (long long)value, flag);
}

static enum status check_signal(const struct renewal_flags *f, struct error *e)
{
	enum { PID_MAX = 0x7fffffff };
	pid_t pid;
	if (f->pid.set && opt_is_set(f->pid_file))
		return usage_exclusive("pid", "pid-file", e);
	if (f->pid.set && (f->pid.v <= 0 || f->pid.v > PID_MAX))
		return bad_number("pid", f->pid.v, e);
	/* Read again when it is needed; a wrong name is told now. */
	if (opt_is_set(f->pid_file) && pid_file_read(f->pid_file, &pid, e))
		return e->status;
	if (f->signal.set && (f->signal.v <= 0 || f->signal.v > 64))
		return bad_number("signal", f->signal.v, e);
	return ST_OK;
}

static enum status check_others(const struct renewal_flags *f, struct error *e)
{
	if (opt_is_set(f->p12_out) && !opt_is_set(f->p12_password_file))
		return usage_requires("p12-out", "p12-password-file", e);
	if (f->daemon && f->offline)
		return usage_incompatible("daemon", "offline", e);
	if (f->keep_versions.set && (f->keep_versions.v < 1 || f->keep_versions.v > VERSIONS_KEEP_MAX))
		return bad_number("keep-versions", f->keep_versions.v, e);
	if (f->daemon && f->check)
		return usage_incompatible("daemon", "check", e);
	if (f->daemon && f->json)
		return usage_incompatible("daemon", "json", e);
	return ST_OK;
}

static enum status add_commands(struct deploy *d, enum owed_when when, const char *flag, const struct text_list *l,
                                struct error *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (opt_is_set(l->v[i]) && deploy_add_exec(d, when, flag, l->v[i], e))
			return e->status;
	return ST_OK;
}

static enum status make_deploy(const struct renewal_flags *f, struct deploy *d, struct error *e)
{
	int sig = f->signal.set ? (int)f->signal.v : 1;
	const char *pid_file = opt_is_set(f->pid_file) ? f->pid_file : NULL;
	d->exec_timeout_ms = (f->exec_timeout.set ? f->exec_timeout.ns : HOOK_TIMEOUT_NS) / DURATION_MS;
	d->attached = !f->daemon;
	if ((f->pid.set || pid_file) && deploy_add_signal(d, (pid_t)f->pid.v, pid_file, sig, e))
		return e->status;
	if (add_commands(d, OWED_ON_DEPLOY, "exec", &f->exec, e) ||
	    add_commands(d, OWED_ON_FAILURE, "exec-failure", &f->exec_failure, e) ||
	    add_commands(d, OWED_ON_EXPIRING, "exec-expiring", &f->exec_expiring, e))
		return e->status;
	for (size_t i = 0; i < f->reload_unit.n; i++)
		if (deploy_add_reload(d, f->reload_unit.v[i], e))
			return e->status;
	for (size_t i = 0; i < f->verify.n; i++)
		if (deploy_add_verify(d, f->verify.v[i], e))
			return e->status;
	if (f->daemon)
		deploy_hold(d);
	return ST_OK;
}

static enum status parse_mode(const char *flag, const char *text, struct target_dress *d, struct error *e)
{
	char *end = NULL;
	if (!opt_is_set(text))
		return ST_OK;
	unsigned long mode = strtoul(text, &end, 8);
	if (text[0] < '0' || text[0] > '7' || *end || mode > 0777 || !(mode & 0400))
		return usage_bad_value(flag, text, e);
	d->has_mode = true;
	d->mode = (mode_t)mode;
	return ST_OK;
}

/* A name, else a number. */
static enum status find_owner(const struct renewal_flags *f, struct target_dress *d, struct error *e)
{
	struct error ignored = ERROR_INIT;
	int64_t id;
	if (opt_is_set(f->owner)) {
		const struct passwd *p = getpwnam(f->owner);
		if (!p && num_parse(slice_cstr(f->owner), 0, UINT32_MAX - 1, &id, &ignored))
			return error_set(e, ST_INVALID, "invalid value '%s' for flag '--owner'; there is no such user",
			                 f->owner);
		d->has_owner = true;
		d->owner = p ? p->pw_uid : (uid_t)id;
	}
	if (opt_is_set(f->group)) {
		const struct group *g = getgrnam(f->group);
		if (!g && num_parse(slice_cstr(f->group), 0, UINT32_MAX - 1, &id, &ignored))
			return error_set(e, ST_INVALID, "invalid value '%s' for flag '--group'; there is no such group",
			                 f->group);
		d->has_group = true;
		d->group = g ? g->gr_gid : (gid_t)id;
	}
	return ST_OK;
}

static enum status make_dress(const struct renewal_flags *f, struct pair_conf *c, struct error *e)
{
	struct target_dress d = { 0 };
	if (find_owner(f, &d, e) || parse_mode("mode", f->mode, &d, e))
		return e->status;
	c->dress = c->public_dress = d;
	return parse_mode("cert-mode", f->cert_mode, &c->public_dress, e);
}

static const char *given(const char *text)
{
	return opt_is_set(text) ? text : NULL;
}

static enum status open_ca(void *ctx, struct ca *ret, struct error *e)
{
	struct renewal *r = ctx;
	ret->roots = r->roots;
	r->roots = (struct chain){ 0 };
	const struct token_flags t = { .offline = r->flags->offline,
		                       .ca_config = r->flags->ca_config,
		                       .password_file = r->flags->password_file };
	return ca_reach(r->inv, r->ca, &t, r->offline, ret, e);
}

static void plain_line(void *ctx, enum voice_level level, const char *text)
{
	(void)level;
	inv_say(ctx, "%s", text);
}

/* No true clock shows a day before the one on which this program was made. */
static struct wall built(void)
{
	char day[VERSION_DATE], text[VERSION_DATE + 16];
	struct error ignored = ERROR_INIT;
	struct wall w = { 0 };
	snprintf(text, sizeof text, "%sT00:00:00Z", version_date(day));
	if (wall_parse_rfc3339(slice_cstr(text), &w, &ignored))
		return (struct wall){ 0 };
	return (struct wall){ w.s - 86400 };
}

/* ---- the password of an encrypted key ---- */

/* Asked for once: a daemon reads the key again and again, and nobody is there any more. */
struct kept_password {
	struct ask_password asking;
	struct buf typed; /* BUF_SECRET; empty: nothing typed yet */
	bool alone;       /* nobody can be asked any more */
};

static enum status get_password(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	struct kept_password *k = ctx;
	if (attempt == 0 && k->typed.n) {
		buf_add_slice(ret, buf_slice(&k->typed));
		return buf_check(ret, e);
	}
	if (k->alone && (attempt > 0 || !opt_is_set(k->asking.file)))
		return error_set(e, ST_MISSING, "the key's password has changed: start the daemon again");
	struct password_source source = ask_password_source(&k->asking);
	enum status st = source.get(source.ctx, attempt, ret, e);
	if (!st && !opt_is_set(k->asking.file)) {
		buf_reset(&k->typed);
		buf_add_slice(&k->typed, buf_slice(ret));
	}
	return st;
}

/* ---- one run ---- */

enum outcome { DONE, COMPLETED, NOT_DUE, REFUSED, UNREACHABLE, HOOK_OWED, EXPIRED, WAITING, FAILED, OUTCOMES };

static const struct {
	const char *name;
	int detailed_exit;
} outcomes[] = {
	[DONE] = { NULL, 0 },         [COMPLETED] = { "completed", 0 },     [NOT_DUE] = { "not-due", 10 },
	[REFUSED] = { "refused", 3 }, [UNREACHABLE] = { "unreachable", 4 }, [HOOK_OWED] = { "hook-owed", 5 },
	[EXPIRED] = { "expired", 6 }, [WAITING] = { "waiting", 7 },         [FAILED] = { "error", 1 },
};
_Static_assert(COUNT_OF(outcomes) == OUTCOMES, "");

static enum status check_within_validity(const char *flag, const struct opt_duration *d, bool or_equal,
                                         const struct cert_facts *f, struct error *e)
{
	int64_t validity_ns = duration_of_s(f->not_after.s - f->not_before.s);
	char a[DURATION_TEXT], b[DURATION_TEXT];
	if (!d->set || d->ns < validity_ns || (or_equal && d->ns == validity_ns))
		return ST_OK;
	return error_set(e, ST_INVALID,
	                 "flag '--%s' must be within (lower than) the certificate validity period; %s=%s, "
	                 "cert-validity-period=%s",
	                 flag, flag, duration_format_s(d->ns, a), duration_format_s(validity_ns, b));
}

static enum status check_spans(const struct renewal *r, const struct cert *leaf, struct error *e)
{
	const struct cert_facts *f = cert_facts(leaf);
	if (check_within_validity(r->period_flag, &r->flags->period, false, f, e))
		return e->status;
	/* The peer's rekey does not check --expires-in; a span that is never reached is no less wrong there. */
	return check_within_validity("expires-in", &r->flags->expires_in, true, f, e);
}

static bool is_due(const struct renewal *r, const struct turn *t)
{
	const struct opt_duration *d = &r->flags->expires_in;
	return !d->set || due_expires_in(d->ns, pair_chance(), t->cert.not_after, t->now);
}

/* What the last renewal owes is done without a new one, unless that is due as well, or wanted now. */
static bool only_completes(const struct renewal *r, const struct turn *t)
{
	const struct due_rule usual = DUE_DEFAULT;
	const struct renewal_flags *f = r->flags;
	if (!record_owes_deployment(&t->record))
		return false;
	if (f->expires_in.ns > 0)
		return !is_due(r, t);
	return (f->owed_first || !f->force) &&
	       !due_needs_renewal(&usual, t->cert.not_before, t->cert.not_after, t->now);
}

/* Who polls (--expires-in from cron, say) keeps to the rhythm that a failure has set; a person does not, nor one who
 * wants it now. It is an error all the same: the certificate is due, and is not renewed. */
static enum status hold_back(const struct renewal *r, struct turn *t, enum outcome *ret, struct error *e)
{
	struct error ignored = ERROR_INIT;
	struct wall until;
	char ago[DURATION_TEXT], in[DURATION_TEXT];
	if (r->flags->expires_in.ns <= 0 || term_interactive() ||
	    !plan_holds_back(&t->record, &t->cert, t->now, &until))
		return ST_OK;
	*ret = WAITING;
	error_set(e, ST_AGAIN, "certificate not %s: the attempt %s ago has failed (%s); the next is due in %s", r->done,
	          duration_format_s(duration_of_s(t->now.s - t->record.failed.s), ago), t->record.error,
	          duration_format_s(duration_of_s(until.s - t->now.s), in));
	st_ignore(turn_deploy(t, false, &ignored), "each failure was told, and is owed");
	return e->status;
}

static enum outcome outcome_of_failure(const struct turn *t)
{
	const struct ladder_answer *a = &t->attempt.answer;
	bool said_no = t->attempt.end == LADDER_END || (a->net == LADDER_ANSWERED && a->http < 500 && a->from_ca);
	if (t->now.s > t->cert.not_after.s && t->attempt.end == LADDER_END)
		return EXPIRED;
	if (a->net == LADDER_UNREACHABLE || a->net == LADDER_UNTRUSTED || (a->net == LADDER_ANSWERED && !said_no))
		return UNREACHABLE;
	return said_no || a->net == LADDER_ALERT ? REFUSED : FAILED;
}

static enum status may_overwrite(const struct renewal *r, struct error *e)
{
	const struct pair_conf *c = &r->conf;
	const char *const paths[] = {
		pair_out(c),       c->rekey && !c->keep_key_file ? (c->out_key ? c->out_key : c->key) : NULL,
		c->outputs.bundle, c->outputs.p12,
		c->outputs.der,    c->outputs.chain
	};
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		if (paths[i] && ask_overwrite(paths[i], r->flags->force, e))
			return e->status;
	return ST_OK;
}

/* The CA's own message stands alone (spec/client.md §1.8). */
static enum status tell_failure(const struct renewal *r, const struct turn *t, struct error *e)
{
	size_t n;
	if (!t->attempt.ca_said_no)
		return t->attempt.asking ? error_wrap(e, "%s", r->doing) : e->status;
	n = strlen(e->text);
	if (!r->inv->debug)
		snprintf(e->text + n, sizeof e->text - n, "\nRe-run with STEPDEBUG=1 for more info.");
	return e->status;
}

static enum status renew_now(const struct renewal *r, struct turn *t, enum outcome *ret, struct error *e)
{
	struct error hook_error = ERROR_INIT;
	*ret = FAILED;
	if (t->files_error.status) {
		*e = t->files_error;
		return e->status;
	}
	if (may_overwrite(r, e))
		return e->status;
	if (!turn_renew(t, e)) {
		*ret = DONE;
		r->saved(r);
		return ST_OK;
	}
	*ret = outcome_of_failure(t);
	turn_failed(t, e);
	st_ignore(turn_deploy(t, true, &hook_error), "the renewal's own error is the one to tell");
	return tell_failure(r, t, e);
}

/* What follows; each failure was told. The exit status is the failed command's (spec/client.md §6.6). */
static enum status follow_up(const struct renewal *r, struct turn *t, enum outcome *ret, struct error *e)
{
	struct process_end how;
	if (!turn_deploy(t, true, e))
		return ST_OK;
	*ret = HOOK_OWED;
	how = t->hook_end.how;
	r->inv->exit_code = t->hook_end.timed_out ? 1 : how.signal ? 255 : how.status ? how.status : 1;
	return e->status;
}

static enum status once(const struct renewal *r, struct turn *t, enum outcome *ret, struct error *e)
{
	char left[DURATION_TEXT];
	enum status st;
	if (only_completes(r, t)) {
		*ret = COMPLETED;
		inv_say(r->inv, "certificate not %s: first what its last renewal still owes", r->done);
		return follow_up(r, t, ret, e);
	}
	if (!is_due(r, t)) {
		*ret = NOT_DUE;
		inv_say(r->inv, "certificate not %s: expires in %s", r->done,
		        duration_format_s(duration_of_s(t->cert.not_after.s - t->now.s), left));
		return ST_OK;
	}
	st = hold_back(r, t, ret, e);
	if (!st)
		st = renew_now(r, t, ret, e);
	return st ? st : follow_up(r, t, ret, e);
}

static enum status print_json(const struct renewal *r, const struct turn *t, enum outcome o, const char *why)
{
	struct error je = ERROR_INIT;
	char from[WALL_TEXT], until[WALL_TEXT];
	const struct pair_cert *c = &t->cert;
	size_t owed = 0;
	for (size_t i = 0; i < t->record.owed_n; i++)
		owed += t->record.owed[i].event == OWED_RENEWED || t->record.owed[i].event == OWED_REKEYED;
	AUTO(json_decref_p)
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "result", outcomes[o].name ? outcomes[o].name : r->done,
	                      "certificate", pair_out(&r->conf), "serial", c->serial, "notBefore",
	                      wall_rfc3339(c->not_before, from), "notAfter", wall_rfc3339(c->not_after, until), "owed",
	                      (json_int_t)owed);
	if (j && why[0])
		json_object_set_new(j, "error", json_string(why));
	enum status st = jsonio_format(j, &r->inv->out, &je);
	buf_addc(&r->inv->out, '\n');
	return st;
}

static enum status run_once(struct renewal *r, struct error *e)
{
	struct turn t;
	enum outcome o = FAILED;
	AUTO(ca_done) struct ca first = { 0 };
	const bool expired_ends = r->conf.rekey;
	enum status st = turn_open(&r->conf, true, &t, e);
	if (!st)
		st = check_spans(r, t.chain.v[0], e);
	if (!st)
		st = ca_set_roots(r->inv, r->ca, &first, e);
	r->roots = first.roots; /* which may be a pipe, to be read once */
	first.roots = (struct chain){ 0 };
	if (!st && expired_ends && t.cert.not_after.s < t.now.s) {
		o = EXPIRED;
		st = error_set(e, ST_EXPIRED, "cannot rekey an expired certificate");
	}
	if (!st)
		st = once(r, &t, &o, e);
	if (r->flags->json)
		st_ignore(print_json(r, &t, o, st ? e->text : ""), "the run counts, not the report");
	if (r->flags->detailed_exit_code)
		r->inv->exit_code = outcomes[o].detailed_exit;
	if (o == HOOK_OWED)
		e->text[0] = '\0'; /* told when it happened */
	chain_done(&r->roots);
	turn_done(&t);
	return st;
}

/* ---- the daemon ---- */

/* What would be wrong for ever is told at once, as by the peer; what may change is tried until it works. */
static enum status check_start(struct renewal *r, struct error *e)
{
	struct turn t;
	AUTO(ca_done) struct ca roots = { 0 };
	enum status st = turn_open(&r->conf, true, &t, e);
	if (!st)
		st = check_spans(r, t.chain.v[0], e);
	if (!st)
		st = ca_set_roots(r->inv, r->ca, &roots, e);
	if (!st && t.files_error.status)
		voice_say(r->conf.voice, VOICE_ERROR, "%s", t.files_error.text);
	turn_done(&t);
	return st;
}

static enum status run_daemon(struct renewal *r, struct kept_password *password, struct error *e)
{
	const struct pair_conf *const pairs[] = { &r->conf };
	r->conf.voice = &voice_daemon;
	r->conf.remember = true;
	r->conf.pulse = agent_pulse;
	if (check_start(r, e))
		return e->status;
	password->alone = true;
	return agent_run(pairs, COUNT_OF(pairs), &voice_daemon, e);
}

/* ---- all of it ---- */

static enum status check_flags(struct renewal *r, struct deploy *d, struct ca *url, struct error *e)
{
	const struct renewal_flags *f = r->flags;
	if ((!f->offline && ca_set_url(r->inv, r->ca, url, e)) || check_periods(r, e) || check_signal(f, e) ||
	    check_others(f, e) || make_deploy(f, d, e))
		return e->status;
	return make_dress(f, &r->conf, e);
}

/* All that is read and written, in the current version. */
static enum status find_in_pair_dir(struct renewal *r, struct pair_dir *p, struct error *e)
{
	struct pair_conf *c = &r->conf;
	const char **const names[] = {
		&c->crt,         &c->key,         &c->out_crt,       &c->out_key, &c->outputs.bundle,
		&c->outputs.p12, &c->outputs.der, &c->outputs.chain,
	};
	_Static_assert(COUNT_OF(names) == PAIR_DIR_NAMES, "");
	p->dir = r->flags->pair_dir;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (pair_dir_name(p, names[i], e))
			return e->status;
	return pair_dir_check(p, c->crt, e);
}

static void deploy_close(struct deploy *d)
{
	deploy_done(d);
}

static void password_done(struct kept_password *k)
{
	buf_done(&k->typed);
}

enum status renewal_misused(struct invocation *inv, const struct renewal_flags *f, const struct error *e)
{
	if (f->detailed_exit_code)
		inv->exit_code = CLI_DETAILED_USAGE;
	return e->status;
}

enum status renewal_run(struct renewal *r, struct error *e)
{
	const struct renewal_flags *f = r->flags;
	AUTO(ca_offline_done) struct ca_offline offline = CA_OFFLINE_NONE;
	AUTO(ca_done) struct ca url = { 0 };
	AUTO(deploy_close) struct deploy deploy = { 0 };
	AUTO(buf_done) struct buf state = BUF_INIT(1 << 14);
	AUTO(buf_done) struct buf label = BUF_INIT(8192);
	AUTO(pair_dir_done) struct pair_dir pair_dir = { 0 };
	AUTO(password_done) struct kept_password password = { .typed = BUF_SECRET(PASSWORD_MAX) };
	const struct voice plain = { plain_line, r->inv };
	struct password_source source = { get_password, &password };
	struct pair_conf *c = &r->conf;

	r->offline = &offline;
	inv_crypto(r->inv);
	if (f->non_interactive && setenv("STEP_NON_INTERACTIVE", "1", 1))
		return error_nomem(e);
	if (check_flags(r, &deploy, &url, e))
		return renewal_misused(r->inv, f, e);
	c->outputs = (struct pair_outputs){ given(f->bundle_out), given(f->p12_out), given(f->p12_password_file),
		                            given(f->der_out), given(f->chain_out) };
	if (find_in_pair_dir(r, &pair_dir, e))
		return e->status;
	c->keep_versions = f->keep_versions.set ? (size_t)f->keep_versions.v : 0;
	buf_addf(&label, "Please enter the password to decrypt %s", c->key);
	password.asking =
		(struct ask_password){ .file = f->password_file, .flag = "--password-file", .label = buf_cstr(&label) };
	inv_state_dir(r->inv, &state);
	c->rule = (struct plan_rule){ f->expires_in.ns, f->period.ns };
	c->remember_failures = f->expires_in.ns > 0;
	c->password = &source;
	c->state_dir = state.n ? buf_cstr(&state) : NULL;
	c->deploy = &deploy;
	c->built = built();
	c->open_ca = open_ca;
	c->ctx = r;
	c->voice = &plain;
	if (f->check)
		return renewal_check(r, e);
	return f->daemon ? run_daemon(r, &password, e) : run_once(r, e);
}
