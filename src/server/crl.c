/* The thread that keeps the list fresh:
 *
 *   sleep ─> look at the stored list ─> newer than ours? take it ─> due? ─ no ──────────────────> sleep
 *    ^                                                               │ yes
 *    │                                            begin (number and right, one transaction)
 *    │                                               │ mine                  │ another node's
 *    │                                  read, write, sign, keep, serve       │
 *    └──── revoked, nudged, or the time has come ────┴───────────────────────┘                                       */
#include "server/crl.h"

#include "base/b64.h"
#include "crypto/digest.h"
#include "crypto/pem.h"
#include "server/state.h"
#include "store/crl.h"
#include "x509/crl.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum {
	LEASE_S = 60,             /* a list of a hundred thousand entries takes a second or two */
	LONGEST_SLEEP_MS = 60000, /* the wall clock may jump */
	POLL_MS = 10000,          /* other nodes make lists and revoke */
	OTHERS_TURN_MS = 2000,    /* another node makes one now */
	GATHER_MS = 1000,         /* revocations that follow one another make one list */
	REST_TIMES = 10,          /* no more than a tenth of the time goes into lists for revocations */
	EXPIRED_FOR_S = 3600,     /* the peer's least */
	SPARE_BYTES = 256 << 10,  /* a full disk has room for lists up to this, and keeps the rest for revocations */
	CLOCK_SLACK_S = 60,       /* between nodes */
};

/* ---- lists ---- */

struct crl_doc {
	int refs;
	pthread_mutex_t lock; /* of pem */
	struct buf der, pem;
	struct crl_doc_facts facts;
	struct crl_facts parsed;
};

void crl_doc_unref(struct crl_doc *d)
{
	if (!d || __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&d->lock);
	buf_done(&d->der);
	buf_done(&d->pem);
	free(d);
}

static void crl_doc_unref_p(struct crl_doc **d)
{
	crl_doc_unref(*d);
}

static struct crl_doc *doc_ref(struct crl_doc *d)
{
	if (d)
		__atomic_add_fetch(&d->refs, 1, __ATOMIC_RELAXED);
	return d;
}

/* Takes c->der. Only what this CA has signed is served. */
static enum status doc_new(struct store_crl *c, const struct cert *issuer, struct crl_doc **ret, struct error *e)
{
	AUTO(crl_doc_unref_p) struct crl_doc *d = calloc(1, sizeof *d);
	if (!d)
		return error_nomem(e);
	d->refs = 1;
	pthread_mutex_init(&d->lock, NULL);
	d->der = c->der;
	d->pem = BUF_INIT(2 * (size_t)CRL_MAX);
	c->der = BUF_INIT(CRL_MAX);
	if (crl_parse(buf_slice(&d->der), &d->parsed, e) || crl_signed_by(&d->parsed, issuer, e))
		return error_wrap(e, "the list in the database");
	d->facts = (struct crl_doc_facts){ .number = c->number,
		                           .entries = (int64_t)d->parsed.n,
		                           .this_update = d->parsed.this_update,
		                           .next_update = d->parsed.next_update,
		                           .der = buf_slice(&d->der) };
	*ret = TAKE(d);
	return ST_OK;
}

const struct crl_doc_facts *crl_doc_facts(const struct crl_doc *d)
{
	return &d->facts;
}

enum status crl_doc_pem(struct crl_doc *d, struct slice *ret, struct error *e)
{
	pthread_mutex_lock(&d->lock);
	if (!d->pem.n)
		pem_format(&d->pem, "X509 CRL", buf_slice(&d->der));
	enum status st = buf_check(&d->pem, e);
	if (st)
		buf_reset(&d->pem);
	else
		*ret = buf_slice(&d->pem);
	pthread_mutex_unlock(&d->lock);
	return st;
}

/* ---- arithmetic ---- */

struct wall crl_renew_at(struct wall this_update, int64_t cache_s, int64_t renew_s)
{
	int64_t reserve = cache_s / 20 > 1 ? cache_s / 20 : 1, latest = cache_s - reserve;
	return (struct wall){ this_update.s + (renew_s < latest ? renew_s : latest) };
}

struct wall crl_ended_before(struct wall now, int64_t cache_s, bool has_previous, struct wall previous)
{
	int64_t before = now.s - (cache_s > EXPIRED_FOR_S ? cache_s : EXPIRED_FOR_S);
	return (struct wall){ has_previous && previous.s < before ? previous.s : before };
}

int64_t crl_retry_ms(unsigned failures)
{
	return failures > 6 ? LONGEST_SLEEP_MS : INT64_C(1000) << (failures ? failures - 1 : 0);
}

/* ---- the service ---- */

struct crl_service {
	struct server *server;
	char node[CRL_NODE];
	pthread_t thread;
	bool running; /* main thread only */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under lock */
	bool stopping, nudged, revoked, asked; /* asked: by a reader who found none */
	struct crl_doc *doc;
	/* the thread's own, and before it runs its starter's */
	char issuer[CRL_ISSUER];
	int64_t known;      /* number of the stored list that was looked at; -1: none */
	const void *judged; /* the configuration that a list was compared with: once each, or two nodes that do not have
	                       the same for a while would make lists against each other */
	bool started;       /* a list was taken or made since the start */
	unsigned failures;
	struct mono rest_until; /* no list for revocations before */
};

struct crl_doc *crl_doc_get(struct server *s, struct wall now)
{
	struct crl_service *c = s->crl;
	pthread_mutex_lock(&c->lock);
	struct crl_doc *d = c->doc && now.s < c->doc->facts.next_update.s ? doc_ref(c->doc) : NULL;
	if (!d) {
		c->asked = true;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
	return d;
}

static void install(struct crl_service *c, struct crl_doc *taken)
{
	pthread_mutex_lock(&c->lock);
	struct crl_doc *old = c->doc;
	c->doc = taken;
	pthread_mutex_unlock(&c->lock);
	crl_doc_unref(old);
}

/* ---- making one ---- */

struct making {
	struct crl_writer writer;
	int64_t n;
};

static enum status add_entry(void *ctx, const struct store_revoked *r, struct error *e)
{
	struct making *m = ctx;
	uint8_t bytes[SERIAL_OCTETS];
	struct slice serial;
	if (serial_octets(r->serial, bytes, &serial, e))
		return error_wrap(e, "revocation of %s", r->serial);
	crl_add(&m->writer, serial, r->at, r->reason_code);
	m->n++;
	return buf_check(m->writer.out, e) ? error_wrap(e, "with %lld entries", (long long)m->n) : ST_OK;
}

static enum status write_list(struct crl_service *c, const struct snapshot *snap, struct store_crl *crl,
                              struct error *e)
{
	const struct caconf *conf = snap->conf;
	const struct cert_facts *issuer = cert_facts(snap->auth->issuers.v[0]);
	struct wall now = clock_wall(c->server->conf.clock);
	const struct crl_draft draft = { .issuer = issuer->subject,
		                         .issuer_key_id = issuer->subject_key_id,
		                         .this_update = now,
		                         .next_update = { now.s + conf->crl.cache_s },
		                         .number = crl->number,
		                         .idp_url = conf->crl.idp_url };
	struct wall ended_before =
		crl_ended_before(now, conf->crl.cache_s, c->doc, c->doc ? c->doc->facts.this_update : now);
	struct making m = { .n = 0 };
	crl_begin(&m.writer, &draft, snap->auth->signer, &crl->der);
	if (store_read_revoked(c->server->store, ended_before, add_entry, &m, e) || crl_end(&m.writer, e))
		return e->status;
	crl->entries = m.n;
	crl->this_update = draft.this_update;
	crl->next_update = draft.next_update;
	return ST_OK;
}

static void tell_made(const struct crl_doc *d, const char *why, int64_t took_ns)
{
	char to[WALL_TEXT];
	LOG_EVENT(LOG_INFO_, "revocation list made", LF_STR("why", why), LF_INT("number", d->facts.number),
	          LF_INT("entries", d->facts.entries), LF_INT("bytes", (int64_t)d->facts.der.n),
	          LF_INT("duration-ns", took_ns), LF_STR("valid-to", wall_rfc3339(d->facts.next_update, to)));
}

/* The right is ours: whatever fails now gives it back. */
static enum status make_list(struct crl_service *c, const struct snapshot *snap, int64_t number, const char *why,
                             struct error *e)
{
	struct mono began = clock_mono(c->server->conf.clock);
	AUTO(crl_doc_unref_p) struct crl_doc *d = NULL;
	AUTO(store_crl_done) struct store_crl crl = { .number = number, .der = BUF_INIT(CRL_MAX) };
	bool kept;
	if (write_list(c, snap, &crl, e) || store_finish_crl(c->server->store, c->issuer, c->node, &crl, &kept, e)) {
		struct error ignored;
		st_ignore(store_abandon_crl(c->server->store, c->issuer, c->node, &ignored),
		          "the lease ends by itself");
		return e->status;
	}
	if (!kept)
		return ST_OK; /* it took longer than the lease; the next look finds the other node's */
	if (doc_new(&crl, snap->auth->issuers.v[0], &d, e))
		return e->status;
	int64_t took_ns = clock_mono(c->server->conf.clock).ns - began.ns;
	tell_made(d, why, took_ns);
	c->known = number;
	c->started = true;
	c->judged = snap->conf;
	c->rest_until.ns = began.ns + (REST_TIMES + 1) * took_ns;
	install(c, TAKE(d));
	return ST_OK;
}

/* ---- looking ---- */

/* Who signs: the name and the key. */
static enum status name_issuer(const struct cert *issuer, char ret[CRL_ISSUER], struct error *e)
{
	AUTO(buf_done) struct buf both = BUF_INIT(2 * CERT_MAX);
	AUTO(buf_done) struct buf hex = BUF_INIT(CRL_ISSUER);
	uint8_t digest[32];
	buf_add_slice(&both, cert_facts(issuer)->subject);
	buf_add_slice(&both, cert_facts(issuer)->spki);
	if (buf_check(&both, e) || digest_sha256(buf_slice(&both), digest, e))
		return e->status;
	hex_encode(&hex, slice_of(digest, sizeof digest));
	if (buf_check(&hex, e))
		return e->status;
	memcpy(ret, buf_cstr(&hex), CRL_ISSUER);
	return ST_OK;
}

static enum status follow_issuer(struct crl_service *c, const struct cert *issuer, struct error *e)
{
	char name[CRL_ISSUER];
	if (name_issuer(issuer, name, e))
		return e->status;
	if (strcmp(name, c->issuer) == 0)
		return ST_OK;
	memcpy(c->issuer, name, sizeof name);
	c->known = -1;
	install(c, NULL);
	return ST_OK;
}

/* A list that cannot be read any more is no list: the next one is made now. */
static void take_stored(struct crl_service *c, struct store_crl *crl, const struct cert *issuer)
{
	struct error e;
	struct crl_doc *d = NULL;
	if (crl->number == c->known)
		return;
	c->known = crl->number;
	if (crl->number < 0 || !crl->der.n)
		return;
	if (doc_new(crl, issuer, &d, &e))
		LOG_EVENT(LOG_ERROR, "stored revocation list not usable: another is made", LF_STR("error", e.text));
	install(c, d);
}

/* Was it made under another configuration? */
static bool is_outdated(const struct crl_doc *d, const struct caconf *conf)
{
	struct slice url = slice_cstr(conf->crl.idp_url ? conf->crl.idp_url : "");
	return !slice_eq(d->parsed.idp_url, url) ||
	       d->facts.next_update.s - d->facts.this_update.s != conf->crl.cache_s;
}

/* Why a list is to be made now; NULL: none is. *ret_ms: until it will be. */
static const char *is_due(struct crl_service *c, const struct caconf *conf, bool behind, int64_t *ret_ms)
{
	struct wall now = clock_wall(c->server->conf.clock);
	const struct crl_doc *d = c->doc;
	if (!d)
		return "there is none";
	if (c->judged != conf && is_outdated(d, conf))
		return "the configuration has changed";
	if (now.s < d->facts.this_update.s - CLOCK_SLACK_S)
		return "the clock was put back";
	int64_t left_s = crl_renew_at(d->facts.this_update, conf->crl.cache_s, conf->crl.renew_s).s - now.s;
	if (left_s <= 0)
		return "its time has come";
	*ret_ms = left_s < LONGEST_SLEEP_MS / 1000 ? left_s * 1000 : LONGEST_SLEEP_MS;
	if (!behind || (!conf->crl.on_revoke && c->started))
		return NULL;
	if (d->facts.der.n > SPARE_BYTES && store_room(c->server->store) != STORE_ROOM_ENOUGH)
		return NULL;
	int64_t rest_ms = (c->rest_until.ns - clock_mono(c->server->conf.clock).ns) / DURATION_MS;
	if (rest_ms <= 0)
		return "something was revoked";
	*ret_ms = rest_ms < *ret_ms ? rest_ms : *ret_ms;
	return NULL;
}

static enum status tend(struct crl_service *c, const struct snapshot *snap, int64_t *ret_ms, struct error *e)
{
	struct store *store = c->server->store;
	const struct cert *issuer = snap->auth->issuers.v[0];
	AUTO(store_crl_done) struct store_crl stored = { .der = BUF_INIT(CRL_MAX) };
	int64_t number;
	bool mine;
	if (follow_issuer(c, issuer, e) || store_find_crl(store, c->issuer, c->known, &stored, e))
		return e->status;
	take_stored(c, &stored, issuer);
	const char *why = is_due(c, snap->conf, stored.behind, ret_ms);
	if (!why) {
		c->started = true;
		c->judged = snap->conf;
		return ST_OK;
	}
	if (store_begin_crl(store, c->issuer, c->node, c->known, LEASE_S, &mine, &number, e))
		return e->status;
	*ret_ms = OTHERS_TURN_MS;
	if (!mine)
		return ST_OK;
	*ret_ms = 0; /* look again for when the next is due */
	return make_list(c, snap, number, why, e);
}

static void tell_failed(struct crl_service *c, const struct error *e)
{
	char to[WALL_TEXT] = "";
	if (c->doc)
		wall_rfc3339(c->doc->facts.next_update, to);
	metrics_count(METRIC_CRL_FAILED);
	LOG_EVENT(LOG_ERROR, "revocation list not made: it is tried again", LF_STR("error", e->text),
	          LF_STR("last-valid-to", *to ? to : NULL));
}

/* One turn. Returns how long to sleep. */
static int64_t look(struct crl_service *c)
{
	struct error e = ERROR_INIT;
	struct snapshot *snap = server_snapshot(c->server);
	int64_t ms = LONGEST_SLEEP_MS;
	enum status st = ST_OK;
	if (snap->conf->crl.enabled) {
		st = tend(c, snap, &ms, &e);
		if (snap->conf->store.kind != STORE_SQLITE && ms > POLL_MS)
			ms = POLL_MS;
	} else {
		install(c, NULL);
		c->known = -1;
	}
	snapshot_unref(snap);
	c->failures = st ? c->failures + 1 : 0;
	if (!st)
		return ms;
	tell_failed(c, &e);
	return crl_retry_ms(c->failures);
}

/* ---- the thread ---- */

static struct timespec after_ms(int64_t ms)
{
	struct timespec t; /* how long to sleep is the kernel's business, hence its clock */
	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t ns = t.tv_nsec + ms % 1000 * DURATION_MS;
	return (struct timespec){ t.tv_sec + ms / 1000 + ns / DURATION_S, ns % DURATION_S };
}

/* Sleeps for so long, or until it is told something; a revocation shortens it to the time in which others follow.
 * Readers do not shorten the pause after a failure. */
static void sleep_for(struct crl_service *c, int64_t ms)
{
	struct timespec until = after_ms(ms);
	bool gathering = false;
	while (!c->stopping && !c->nudged && !(c->asked && !c->failures)) {
		if (c->revoked && !gathering) {
			gathering = true;
			until = after_ms(ms < GATHER_MS ? ms : GATHER_MS);
		}
		if (pthread_cond_timedwait(&c->wake, &c->lock, &until))
			return;
	}
}

static void *service_main(void *arg)
{
	struct crl_service *c = arg;
	int64_t ms = 0;
	pthread_mutex_lock(&c->lock);
	while (!c->stopping) {
		if (ms > 0)
			sleep_for(c, ms);
		c->nudged = c->revoked = c->asked = false;
		pthread_mutex_unlock(&c->lock);
		ms = look(c);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void tell(struct crl_service *c, bool *what)
{
	pthread_mutex_lock(&c->lock);
	*what = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

void crl_service_revoked(struct crl_service *c)
{
	tell(c, &c->revoked);
}

void crl_service_nudge(struct crl_service *c)
{
	tell(c, &c->nudged);
}

enum status crl_service_new(struct server *s, struct crl_service **ret, struct error *e)
{
	uint8_t chance[(CRL_NODE - 1) / 2];
	pthread_condattr_t monotonic;
	AUTO(buf_done) struct buf hex = BUF_INIT(CRL_NODE);
	if (entropy_fill(s->conf.entropy, chance, sizeof chance, e))
		return e->status;
	hex_encode(&hex, slice_of(chance, sizeof chance));
	struct crl_service *c = calloc(1, sizeof *c);
	if (!c || buf_check(&hex, e)) {
		free(c);
		return error_nomem(e);
	}
	c->server = s;
	c->known = -1;
	memcpy(c->node, buf_cstr(&hex), CRL_NODE);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret = c;
	return ST_OK;
}

void crl_service_free(struct crl_service *c)
{
	if (!c)
		return;
	crl_doc_unref(c->doc);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

enum status crl_service_start(struct crl_service *c, struct error *e)
{
	sigset_t all, before;
	struct snapshot *snap = server_snapshot(c->server);
	bool enabled = snap->conf->crl.enabled;
	snapshot_unref(snap);
	if (c->running)
		crl_service_nudge(c);
	if (c->running || !enabled)
		return ST_OK;
	look(c);          /* so that there is a list when the first request comes */
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&c->thread, NULL, service_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	c->running = !failed;
	return failed ? error_os(e, failed, "start the thread of the revocation list") : ST_OK;
}

void crl_service_stop(struct crl_service *c)
{
	if (!c || !c->running)
		return;
	tell(c, &c->stopping);
	pthread_join(c->thread, NULL);
	c->running = false;
}
