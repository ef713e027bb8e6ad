/* The immutable part of a running server, and the answers that follow from it alone. */
#include "server/state.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MAX = 4 << 20 };

static void add_certs(struct buf *out, const struct chain *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (i)
			buf_addc(out, ',');
		body_add_cert(out, c->v[i]);
	}
}

static void add_bundle(struct buf *out, const struct chain *a, const struct chain *b)
{
	buf_adds(out, "{\"crts\":[");
	add_certs(out, a);
	if (b && b->n) {
		if (a->n)
			buf_addc(out, ',');
		add_certs(out, b);
	}
	buf_adds(out, "]}\n");
}

static void add_issuers(struct snapshot *s)
{
	const struct chain *c = &s->auth->issuers;
	add_certs(&s->issuers_json, &(struct chain){ .v = c->v, .n = 1 });
	s->issuer_n = s->issuers_json.n;
	buf_reset(&s->issuers_json);
	add_certs(&s->issuers_json, c);
}

static void add_tls_options(struct buf *out, const struct caconf *c)
{
	buf_adds(out, "{\"cipherSuites\":[");
	for (size_t i = 0; i < c->tls_suites_n; i++) {
		if (i)
			buf_addc(out, ',');
		body_add_text(out, slice_cstr(c->tls_suites[i]));
	}
	buf_addf(out, "],\"minVersion\":%.1f,\"maxVersion\":%.1f,\"renegotiation\":%s}", c->tls_min, c->tls_max,
	         c->tls_renegotiation ? "true" : "false");
}

enum status snapshot_new(struct caconf *taken_conf, struct authority *taken_auth, struct snapshot **ret,
                         struct error *e)
{
	struct snapshot *s = calloc(1, sizeof *s);
	if (!s) {
		caconf_free(taken_conf);
		authority_unref(taken_auth);
		return error_nomem(e);
	}
	*s = (struct snapshot){ .refs = 1, .conf = taken_conf, .auth = taken_auth };
	struct buf *all[] = { &s->roots_json,      &s->roots_pem,    &s->intermediates_json, &s->intermediates_pem,
		              &s->federation_json, &s->issuers_json, &s->tls_options_json };
	for (size_t i = 0; i < COUNT_OF(all); i++)
		*all[i] = BUF_INIT(ANSWER_MAX);
	add_bundle(&s->roots_json, &s->auth->roots, NULL);
	chain_format_pem(&s->auth->roots, &s->roots_pem);
	add_bundle(&s->intermediates_json, &s->auth->issuers, NULL);
	chain_format_pem(&s->auth->issuers, &s->intermediates_pem);
	add_bundle(&s->federation_json, &s->auth->roots, &s->auth->federated);
	add_issuers(s);
	add_tls_options(&s->tls_options_json, s->conf);
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (buf_check(all[i], e)) {
			snapshot_unref(s);
			return error_wrap(e, "public answers");
		}
	}
	*ret = s;
	return ST_OK;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	authority_unref(s->auth);
	caconf_free(s->conf);
	buf_done(&s->roots_json);
	buf_done(&s->roots_pem);
	buf_done(&s->intermediates_json);
	buf_done(&s->intermediates_pem);
	buf_done(&s->federation_json);
	buf_done(&s->issuers_json);
	buf_done(&s->tls_options_json);
	free(s);
}

struct snapshot *server_snapshot(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	struct snapshot *now = snapshot_ref(s->now_);
	pthread_mutex_unlock(&s->lock);
	return now;
}
