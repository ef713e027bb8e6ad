#include "agent/pair.h"

#include "agent/outputs.h"
#include "client/token.h"
#include "crypto/auto.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "renewal/facts.h"
#include "x509/csr.h"
#include "x509/name.h"

#include <stdlib.h>
#include <unistd.h>

enum { FACTS_MAX = 1 << 18, ERROR_LINE_MAX = 1000 };

uint64_t pair_chance(void)
{
	uint64_t chance = 0;
	struct error e = ERROR_INIT;
	st_ignore(entropy_fill(&entropy_system, (uint8_t *)&chance, sizeof chance, &e), "jitter is a courtesy");
	return chance;
}

struct wall pair_time(const struct pair_conf *c)
{
	return clock_wall(c->clock ? c->clock : &clock_system);
}

struct plan_now pair_now(const struct pair_conf *c)
{
	return (struct plan_now){ .wall = pair_time(c), .chance = pair_chance(), .built = c->built };
}

/* ---- reading ---- */

static enum status load_chain(const char *path, struct chain *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	enum status st = file_read_regular(path, &text, e);
	if (!st && chain_parse(buf_slice(&text), ret, e))
		st = error_wrap(e, "%s", path);
	return st;
}

enum status pair_load_chain(const struct pair_conf *c, struct chain *ret, const char **ret_path, struct error *e)
{
	AUTO(chain_done) struct chain first = { 0 };
	AUTO(chain_done) struct chain out = { 0 };
	const char *out_path = pair_out(c);
	struct error ignored = ERROR_INIT;
	enum status st = load_chain(c->crt, &first, e);
	if (st)
		return error_wrap(e, "error reading certificate chain");
	bool newer = strcmp(out_path, c->crt) != 0 && !load_chain(out_path, &out, &ignored) &&
	             cert_facts(out.v[0])->not_after.s > cert_facts(first.v[0])->not_after.s &&
	             (c->rekey || key_equal(cert_key(out.v[0]), cert_key(first.v[0])));
	struct chain *chosen = newer ? &out : &first;
	*ret = *chosen;
	*chosen = (struct chain){ 0 };
	*ret_path = newer ? out_path : c->crt;
	return ST_OK;
}

static enum status load_key(const char *path, const struct password_source *password, EVP_PKEY **ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(KEYFILE_MAX);
	enum status st = file_read_regular(path, &text, e);
	if (!st && keyfile_parse(buf_slice(&text), password, ret, e))
		st = error_wrap(e, "error reading %s", path);
	return st ? error_wrap(e, "error loading private key") : ST_OK;
}

enum status pair_load_key(const struct pair_conf *c, EVP_PKEY **ret, struct error *e)
{
	return load_key(c->key, c->password, ret, e);
}

/* With --out-key the key of the out file's certificate is there. */
static enum status load_fitting_key(struct turn *t, const char *crt_path, struct error *e)
{
	const struct pair_conf *c = t->conf;
	const char *path = crt_path == c->crt || !c->out_key ? c->key : c->out_key;
	enum status st = load_key(path, c->password, &t->key, e);
	if (st || key_equal(cert_key(t->chain.v[0]), t->key))
		return st;
	return error_set(e, ST_INVALID, "the private key in %s does not belong to the certificate in %s", path,
	                 crt_path);
}

/* The out file is an output first: where its key is not at hand (a rekey with --private-key wrote it, say), the pair
 * that was named is the one to go by. */
static enum status load_pair(struct turn *t, struct error *e)
{
	const struct pair_conf *c = t->conf;
	const char *path;
	if (pair_load_chain(c, &t->chain, &path, e))
		return e->status;
	enum status st = load_fitting_key(t, path, e);
	if (!st || path == c->crt)
		return st;
	chain_done(&t->chain);
	EVP_PKEY_free(TAKE(t->key));
	if (load_chain(c->crt, &t->chain, e))
		return error_wrap(e, "error reading certificate chain");
	return load_fitting_key(t, c->crt, e);
}

/* ---- the record ---- */

static void tell_record(struct turn *t, struct error *e)
{
	if (e->status != ST_MISSING)
		voice_say(t->conf->voice, VOICE_ERROR, "%s", e->text);
}

static void load_record(struct turn *t)
{
	const struct pair_conf *c = t->conf;
	struct error e = ERROR_INIT;
	t->record = RECORD_NONE;
	enum status st = recordfile_load(c->crt, c->state_dir, &t->file, &t->record, &e);
	if (!st)
		return;
	t->record = RECORD_NONE;
	t->record_usable = t->record_usable && (st == ST_INVALID || st == ST_CONFLICT || st == ST_LIMIT);
	tell_record(t, &e);
}

static bool could_owe(const struct pair_conf *c)
{
	return c->deploy && c->deploy->n;
}

void turn_remember(struct turn *t)
{
	struct error e = ERROR_INIT;
	if (t->tx && filetx_unsettled(t->tx))
		return; /* it stands with the new files, or in their journal */
	if (t->record_usable && t->tx && recordfile_save(&t->file, &t->record, &e))
		voice_say(t->conf->voice, VOICE_ERROR, "what was done cannot be remembered: %s", e.text);
}

/* ---- opening ---- */

static enum status open_files(struct turn *t, bool wait, struct error *e)
{
	const struct pair_conf *c = t->conf;
	struct outputs o;
	enum status found = recordfile_find(c->crt, c->state_dir, &t->file, e);
	t->record_usable = !found && (c->remember || c->remember_failures || could_owe(c) || t->file.exists);
	outputs_plan(c, NULL, &o); /* the record comes last, when it is known to be ours */
	if (t->record_usable) {
		struct record ignored;
		struct recordfile f;
		enum status st = recordfile_load(c->crt, c->state_dir, &f, &ignored, e);
		t->record_usable = !st || st == ST_INVALID || st == ST_CONFLICT || st == ST_LIMIT;
	}
	if (t->record_usable)
		outputs_plan(c, t->file.path, &o);
	enum status st = filetx_open(o.files, o.n, c->state_dir, wait, &t->tx, &t->recovered, &t->files_error);
	if (st == ST_AGAIN) {
		*e = t->files_error;
		return st;
	}
	if (!st)
		t->files_error = ERROR_INIT; /* of a lock that was not to be had at once */
	if (!st && c->keep_versions)
		filetx_keep(t->tx, c->keep_versions);
	if (!st && t->recovered)
		voice_say(c->voice, VOICE_INFO, "An interrupted run for %s was completed first.", c->crt);
	if (!st && filetx_note(t->tx))
		voice_say(c->voice, VOICE_INFO, "Note: %s", filetx_note(t->tx));
	return ST_OK;
}

enum status turn_open(const struct pair_conf *c, bool wait, struct turn *t, struct error *e)
{
	*t = (struct turn){ .conf = c, .files_error = ERROR_INIT, .attempt.retry_after_s = -1 };
	enum status st = open_files(t, wait, e);
	if (!st)
		st = load_pair(t, e);
	if (st)
		return st;
	t->cert = pair_cert_of(cert_facts(t->chain.v[0]));
	t->now = pair_time(c);
	load_record(t);
	return ST_OK;
}

void turn_done(struct turn *t)
{
	filetx_close(t->tx);
	chain_done(&t->chain);
	EVP_PKEY_free(t->key);
	t->tx = NULL;
	t->key = NULL;
}

/* ---- asking the CA ---- */

static struct ladder_answer answer_of(const struct ca_answer *a)
{
	static const enum ladder_net net[] = {
		[HTTPS_OK] = LADDER_LOCAL,
		[HTTPS_RESOLVE] = LADDER_UNREACHABLE,
		[HTTPS_CONNECT] = LADDER_UNREACHABLE,
		[HTTPS_TIMEOUT] = LADDER_UNREACHABLE,
		[HTTPS_UNTRUSTED] = LADDER_UNTRUSTED,
		[HTTPS_ALERT] = LADDER_ALERT,
		[HTTPS_PROXY] = LADDER_UNREACHABLE,
		[HTTPS_PROTOCOL] = LADDER_UNREACHABLE,
		[HTTPS_LOCAL] = LADDER_LOCAL,
	};
	return (struct ladder_answer){ .net = a->http ? LADDER_ANSWERED : net[a->net.failure],
		                       .alert = a->net.alert,
		                       .http = a->http,
		                       .from_ca = a->from_ca };
}

/* The CA takes only the key of the request: subject and names stay those of the certificate. */
static enum status empty_csr(EVP_PKEY *key, struct csr *ret, struct error *e)
{
	AUTO(buf_done) struct buf name = BUF_INIT(64);
	AUTO(buf_done) struct buf der = BUF_INIT(CSR_MAX);
	struct name_attrs nobody = { 0 };
	if (name_encode(&nobody, &name, e) || csr_make(key, buf_slice(&name), NULL, &der, e))
		return e->status;
	return csr_parse(buf_slice(&der), true, ret, e);
}

static enum status ask_by_token(struct turn *t, struct ca *ca, struct chain *ret, struct error *e)
{
	AUTO(buf_done) struct buf token = BUF_SECRET(TOKEN_MAX);
	AUTO(buf_done) struct buf audience = BUF_INIT(4096);
	buf_addf(&audience, "%s/renew", ca->url);
	enum status st = buf_check(&audience, e);
	if (!st)
		st = token_renew(&t->chain, t->key, buf_cstr(&audience), t->now, &token, e);
	return st ? st : ca_renew(ca, &t->chain, t->key, buf_cstr(&token), ret, NULL, e);
}

static enum status ask_by_mtls(struct turn *t, struct ca *ca, EVP_PKEY *key, struct chain *ret, struct error *e)
{
	AUTO(csr_done) struct csr csr = { 0 };
	if (!t->conf->rekey)
		return ca_renew(ca, &t->chain, t->key, NULL, ret, NULL, e);
	if (empty_csr(key, &csr, e))
		return e->status;
	return ca_rekey(ca, &t->chain, t->key, &csr, ret, NULL, e);
}

/* What an attempt came back with. */
struct gain {
	struct chain chain;
	EVP_PKEY *key; /* of the new certificate */
};

static void gain_done(struct gain *g)
{
	chain_done(&g->chain);
	EVP_PKEY_free(g->key);
}

/* The key that the new certificate will have. A new one is on disk before the CA hears of it. */
static enum status prepare_key(struct turn *t, const struct outputs *o, EVP_PKEY **ret, struct error *e)
{
	const struct pair_conf *c = t->conf;
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = c->given_key ? c->given_key : NULL;
	enum status st = ST_OK;
	if (key)
		EVP_PKEY_up_ref(key);
	else
		st = key_generate(&c->new_key, &key, e);
	if (!st)
		st = outputs_stage_key(o, t->tx, key, e);
	if (!st)
		*ret = TAKE(key);
	return st;
}

static enum status ask_at(struct turn *t, const struct outputs *o, struct ca *ca, enum ladder_rung rung,
                          struct gain *ret, struct error *e)
{
	AUTO(gain_done) struct gain g = { 0 };
	bool rekeys = t->conf->rekey && rung == LADDER_MTLS;
	ca->answer = (struct ca_answer){ .net.failure = HTTPS_LOCAL, .retry_after_s = -1 };
	enum status st = ST_OK;
	if (rekeys) {
		st = prepare_key(t, o, &g.key, e);
	} else {
		EVP_PKEY_up_ref(t->key);
		g.key = t->key;
	}
	if (!st)
		st = rung == LADDER_TOKEN ? ask_by_token(t, ca, &g.chain, e) : ask_by_mtls(t, ca, g.key, &g.chain, e);
	t->ca_date = ca->answer.date;
	t->asked = pair_time(t->conf);
	if (st)
		return st;
	*ret = g;
	g = (struct gain){ 0 };
	return ST_OK;
}

static void note_failure(struct turn *t, const struct ladder_verdict *v, const struct ladder_answer *a,
                         const struct ca *ca)
{
	t->attempt = (struct pair_attempt){ .end = v->rung,
		                            .answer = *a,
		                            .asking = ca != NULL,
		                            .retry_after_s = ca ? ca->answer.retry_after_s : -1,
		                            .ca_said_no = ca && ca->answer.from_ca };
}

static enum status climb(struct turn *t, const struct outputs *o, struct ca *ca, struct gain *ret, struct error *e)
{
	struct ladder_facts f = ladder_facts_of(cert_facts(t->chain.v[0]), t->conf->no_mtls, t->conf->rekey, t->now);
	struct ladder_verdict v = ladder_first(&f);
	struct ladder_answer a = { .net = LADDER_LOCAL };
	enum status st = ST_OK;
	if (v.rung == LADDER_END)
		st = error_set(e, ST_EXPIRED, "%s", v.why);
	while (v.rung == LADDER_MTLS || v.rung == LADDER_TOKEN) {
		enum ladder_rung tried = v.rung;
		st = ask_at(t, o, ca, tried, ret, e);
		if (!st)
			return ST_OK;
		a = answer_of(&ca->answer);
		v = ladder_next(&f, tried, &a);
		if (v.rung == LADDER_TOKEN)
			voice_say(t->conf->voice, VOICE_INFO, "%s; asking with a token (%s)", e->text, v.why);
	}
	note_failure(t, &v, &a, ca);
	return st;
}

/* ---- keeping the answer ---- */

static enum status check(struct turn *t, const struct ca *ca, const struct gain *g, struct error *e)
{
	AUTO(trust_free_p) struct trust *trust = NULL;
	struct answer_notes notes = { 0 };
	const struct voice *v = t->conf->voice;
	char a[DURATION_TEXT], b[DURATION_TEXT], w[WALL_TEXT];
	if (trust_new(&ca->roots, false, &trust, e))
		return e->status;
	struct answer_terms terms = { .old = t->chain.v[0], .key = g->key, .trust = trust, .now = pair_time(t->conf) };
	if (answer_check(&g->chain, &terms, &notes, e)) {
		struct ladder_answer bad = { .net = LADDER_BAD_ANSWER };
		struct ladder_facts f =
			ladder_facts_of(cert_facts(t->chain.v[0]), t->conf->no_mtls, t->conf->rekey, t->now);
		struct ladder_verdict verdict = ladder_next(&f, LADDER_TOKEN, &bad);
		note_failure(t, &verdict, &bad, NULL);
		return error_wrap(e, "the CA's answer is not used");
	}
	if (notes.shorter)
		voice_say(v, VOICE_INFO,
		          "Note: the new certificate lives %s, the old one lived %s: the CA's own certificate may be "
		          "near its end.",
		          duration_format_s(duration_of_s(notes.new_life_s), a),
		          duration_format_s(duration_of_s(notes.old_life_s), b));
	if (notes.not_yet_valid)
		voice_say(v, VOICE_INFO,
		          "Note: the certificate is valid from %s, which lies ahead of this machine's clock.",
		          wall_rfc3339(cert_facts(g->chain.v[0])->not_before, w));
	return ST_OK;
}

/* The record is written with the files, so that a crash right behind the commit still owes the hooks. */
static enum status keep(struct turn *t, const struct outputs *o, const struct gain *g, struct error *e)
{
	const struct pair_conf *c = t->conf;
	struct pair_cert cert = pair_cert_of(cert_facts(g->chain.v[0]));
	struct record r = t->record;
	struct plan_now now = pair_now(c);
	bool rekeyed = g->key != t->key;
	plan_renewed(&r, &cert, &now);
	bool worth = c->remember || could_owe(c) || t->file.exists;
	struct owed_hooks hooks = { 0 };
	if (c->deploy)
		hooks = deploy_hooks(c->deploy);
	owed_raise(&r, &hooks, rekeyed ? OWED_REKEYED : OWED_RENEWED, &cert, now.wall);
	if (outputs_stage(o, t->tx, c, &g->chain, g->key, e) || (worth && outputs_stage_record(o, t->tx, &r, e)) ||
	    filetx_commit(t->tx, e))
		return e->status;
	t->record = r;
	t->cert = cert;
	return ST_OK;
}

enum status turn_renew(struct turn *t, struct error *e)
{
	AUTO(ca_done) struct ca ca = { 0 };
	AUTO(gain_done) struct gain g = { 0 };
	struct outputs o;
	struct ladder_verdict local = { LADDER_LATER, "" };
	struct ladder_answer none = { .net = LADDER_LOCAL };
	note_failure(t, &local, &none, NULL);
	if (!t->tx) {
		*e = t->files_error;
		return e->status;
	}
	outputs_plan(t->conf, t->record_usable ? t->file.path : NULL, &o);
	if (t->conf->open_ca(t->conf->ctx, &ca, e) || climb(t, &o, &ca, &g, e) || check(t, &ca, &g, e) ||
	    keep(t, &o, &g, e))
		return e->status;
	chain_done(&t->chain);
	EVP_PKEY_free(t->key);
	t->chain = g.chain;
	t->key = g.key;
	g = (struct gain){ 0 };
	return ST_OK;
}

bool turn_failed(struct turn *t, const struct error *why)
{
	const struct pair_conf *c = t->conf;
	struct plan_now now = pair_now(c);
	struct plan_failure f = { .kind = ladder_retry(t->attempt.end),
		                  .retry_after_s = t->attempt.retry_after_s,
		                  .text = why->text };
	bool news = plan_failed(&t->record, &t->cert, &f, &now);
	if (news && could_owe(c)) {
		struct owed_hooks hooks = deploy_hooks(c->deploy);
		owed_raise(&t->record, &hooks, OWED_FAILED, &t->cert, now.wall);
	}
	turn_remember(t);
	return news;
}

/* ---- what follows ---- */

struct facts_text {
	struct buf crt, key, bundle, chain, names, error;
	char not_after[WALL_TEXT];
};

static void facts_done(struct facts_text *f)
{
	buf_done(&f->crt);
	buf_done(&f->key);
	buf_done(&f->bundle);
	buf_done(&f->chain);
	buf_done(&f->names);
	buf_done(&f->error);
}

/* A hook may go to another folder. */
static const char *absolute(struct buf *out, const char *path)
{
	char *here = path && path[0] != '/' ? getcwd(NULL, 0) : NULL;
	if (!path)
		return NULL;
	if (here)
		buf_addf(out, "%s/", strcmp(here, "/") ? here : "");
	buf_adds(out, path);
	free(here);
	return buf_cstr(out);
}

static struct hook_facts facts_of(const struct turn *t, const struct owed *o, struct facts_text *text)
{
	const struct pair_conf *c = t->conf;
	const struct cert_facts *f = cert_facts(t->chain.v[0]);
	*text = (struct facts_text){ BUF_INIT(8192), BUF_INIT(8192),      BUF_INIT(8192),
		                     BUF_INIT(8192), BUF_INIT(FACTS_MAX), BUF_INIT(4096) };
	bool bad_news = o->event == OWED_FAILED || o->event == OWED_EXPIRING;
	facts_names(f, &text->names);
	if (bad_news)
		facts_line(&text->error, t->record.error, ERROR_LINE_MAX);
	wall_rfc3339(f->not_after, text->not_after);
	return (struct hook_facts){
		.cert_file = absolute(&text->crt, pair_out(c)),
		.key_file = absolute(&text->key, c->rekey && c->out_key ? c->out_key : c->key),
		.bundle_file = absolute(&text->bundle, c->outputs.bundle),
		.chain_file = absolute(&text->chain, c->outputs.chain),
		.serial = f->serial_text,
		.common_name = f->common_name,
		.names = buf_cstr(&text->names),
		.not_after = text->not_after,
		.event = owed_event_name(o->event),
		.error = bad_news ? buf_cstr(&text->error) : NULL,
		.attempt = o->attempts + 1,
	};
}

static void note_served(struct turn *t, enum status st, struct wall now)
{
	t->record.served = !st ? SERVED_NEW : st == ST_PEER ? SERVED_OTHER : SERVED_SILENT;
	t->record.served_at = now;
}

static void run_one(struct turn *t, size_t i)
{
	const struct pair_conf *c = t->conf;
	struct owed_hooks hooks = deploy_hooks(c->deploy);
	struct error e = ERROR_INIT;
	struct hook_end end = { 0 };
	AUTO(facts_done) struct facts_text text = { 0 };
	const struct owed *o = owed_find(&t->record, &hooks.v[i].id);
	struct deploy_context context = {
		.facts = facts_of(t, o, &text), .cert = t->chain.v[0], .voice = c->voice, .pulse = c->pulse
	};
	enum status st = deploy_run(c->deploy, i, &context, &end, &e);
	struct wall now = pair_time(c);
	if (c->deploy->v[i].kind == DEPLOY_VERIFY)
		note_served(t, st, now);
	owed_ran(&t->record, &hooks, i, st ? e.text : NULL, now, pair_chance());
	turn_remember(t);
	if (!st)
		return;
	voice_say(c->voice, VOICE_ERROR, "%s", e.text);
	if (t->failed_hooks++ == 0) {
		t->deploy_error = e;
		t->hook_end = end;
	}
}

enum status turn_deploy(struct turn *t, bool hurry, struct error *e)
{
	const struct pair_conf *c = t->conf;
	size_t given_up = 0, i;
	if (!could_owe(c))
		return ST_OK;
	struct owed_hooks hooks = deploy_hooks(c->deploy);
	t->failed_hooks = 0;
	if (owed_review(&t->record, &hooks, pair_time(c), &given_up))
		turn_remember(t);
	if (hurry)
		owed_hurry(&t->record, &hooks, pair_time(c));
	if (given_up)
		voice_say(c->voice, VOICE_ERROR, "%zu command(s) that never succeeded for %s are given up", given_up,
		          pair_out(c));
	/* Each once a turn, even where the others took so long that one which has failed is due again. */
	for (unsigned ran = 0; owed_due(&t->record, &hooks, pair_time(c), &i) && !(ran & 1u << i); ran |= 1u << i)
		run_one(t, i);
	if (!t->failed_hooks)
		return ST_OK;
	*e = t->deploy_error;
	return e->status;
}
