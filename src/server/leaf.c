/* The listener's own certificate (spec/server.md §5.1): in memory only, renewed in process at two thirds of its life.
 */
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "server/state.h"

#include <openssl/ssl.h>
#include <stdlib.h>

static int tls_version(double v)
{
	return v > 1.25 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/* Should the slim context ever be in the way, its switch needs no new program. */
static bool wants_slim(void)
{
	const char *said = getenv("STEP_CA_SLIM");
	return !said || strcmp(said, "off") != 0;
}

static enum status make_tls(const struct snapshot *snap, struct cert *leaf, EVP_PKEY *key, SSL_CTX **ret,
                            struct error *e)
{
	AUTO(chain_done) struct chain chain = { 0 };
	AUTO(chain_done) struct chain anchors = { 0 };
	const struct authority *a = snap->auth;

	if (chain_add(&chain, leaf, e))
		return e->status;
	for (size_t i = 0; i < a->issuers.n; i++)
		if (chain_add(&chain, a->issuers.v[i], e) || chain_add(&anchors, a->issuers.v[i], e))
			return e->status;
	for (size_t i = 0; i < a->roots.n; i++)
		if (chain_add(&anchors, a->roots.v[i], e))
			return e->status;
	struct listener_tls_conf conf = {
		.chain = &chain,
		.key = key,
		.client_roots = &anchors,
		.suites = (const char *const *)snap->conf->tls_suites,
		.suites_n = snap->conf->tls_suites_n,
		.min_version = tls_version(snap->conf->tls_min),
		.max_version = tls_version(snap->conf->tls_max),
		.slim = wants_slim(),
	};
	return listener_tls_new(&conf, ret, e);
}

/* How soon it is tried again, however short the certificate lives: an issuer near its end can give no longer one. */
enum { LEAF_PAUSE_S = 60 };

struct wall leaf_next(const struct cert_facts *f, struct wall now, bool renewed, uint64_t chance)
{
	int64_t life = f->not_after.s - f->not_before.s, first = now.s + LEAF_PAUSE_S, spread = life / (renewed ? 20 : 40);
	int64_t jitter = spread > 0 ? (int64_t)(chance % (uint64_t)spread) : 0;
	int64_t due = renewed ? f->not_before.s + life * 2 / 3 - jitter : now.s + life / 40 + jitter;
	return (struct wall){ due > first ? due : first };
}

bool leaf_is_due(const struct cert_facts *f, struct wall due, struct wall now)
{
	/* Before its beginning: the clock has been put back since, and nobody else takes the certificate for valid. */
	return now.s >= due.s || now.s < f->not_before.s;
}

static uint64_t chance(const struct server *s)
{
	uint64_t v = 0;
	struct error e = ERROR_INIT;
	return entropy_fill(s->conf.entropy, (uint8_t *)&v, sizeof v, &e) ? 0 : v;
}

enum status leaf_renew(struct server *s, struct snapshot *snap, struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	AUTO(cert_unref_p) struct cert *leaf = NULL;
	SSL_CTX *tls = NULL;
	uint8_t serial[ISSUE_SERIAL_BYTES];
	struct wall now = clock_wall(s->conf.clock);

	if (key_generate(&KEY_SPEC_DEFAULT, &key, e) || server_serial(s, now, serial, e) ||
	    issue_listener(snap->auth, key, now, serial, &leaf, e) || make_tls(snap, leaf, key, &tls, e))
		return error_wrap(e, "listener certificate");

	pthread_mutex_lock(&s->lock);
	SSL_CTX *old = s->tls_;
	struct cert *old_leaf = s->leaf;
	s->tls_ = tls;
	s->leaf = cert_ref(leaf);
	pthread_mutex_unlock(&s->lock);
	SSL_CTX_free(old);
	cert_unref(old_leaf);
	s->leaf_due = leaf_next(cert_facts(leaf), now, true, chance(s));
	return ST_OK;
}

struct wall server_tend(struct server *s)
{
	struct wall now = clock_wall(s->conf.clock);
	if (!leaf_is_due(cert_facts(s->leaf), s->leaf_due, now))
		return s->leaf_due;
	struct error e = ERROR_INIT;
	struct snapshot *snap = server_snapshot(s);
	if (leaf_renew(s, snap, &e)) {
		s->leaf_due = leaf_next(cert_facts(s->leaf), now, false, chance(s));
		LOG_EVENT(LOG_ERROR, "listener certificate not renewed", LF_STR("error", e.text));
	} else {
		char to[WALL_TEXT];
		LOG_EVENT(LOG_INFO_, "listener certificate renewed",
		          LF_STR("valid-to", wall_rfc3339(cert_facts(s->leaf)->not_after, to)));
	}
	snapshot_unref(snap);
	return s->leaf_due;
}
