#include "config/caconf.h"
#include "jose/jsonio.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is served is whole. */
static void check(const struct caconf *c)
{
	assert(c->roots_n && c->crt && *c->crt && c->key && *c->key && c->address && *c->address);
	assert(c->dns_n && c->tls_suites_n && c->common_name && *c->common_name);
	assert(c->tls_min >= 1.2 && c->tls_min <= c->tls_max && c->tls_max <= 1.3);
	assert(c->backdate_ns >= 0 && c->claims.min_ns > 0 && c->claims.min_ns <= c->claims.max_ns);
	assert((c->store.kind == STORE_SQLITE) == (c->store.folder && *c->store.folder));
	for (size_t i = 0; i < c->provs_n; i++) {
		const struct provisioner *v = &c->provs[i];
		assert(v->name && *v->name && v->id && v->uid && strlen(v->uid) == 40 && v->json);
		assert(v->disabled || (v->type == PROV_JWK && v->key.key && !v->key.is_private && v->key.kid));
		assert(v->claims.min_ns <= v->claims.default_ns && v->claims.default_ns <= v->claims.max_ns);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct error e = ERROR_INIT;
	AUTO(caconf_free_p) struct caconf *c = NULL;
	AUTO(caconf_free_p) struct caconf *again = NULL;
	AUTO(buf_done) struct buf text = BUF_INIT(8 * CACONF_MAX);
	enum status st = caconf_parse(slice_of(p, n), "ca.json", &c, &e);
	assert(!st == !!c && (!st || *e.text));
	if (st)
		return 0;
	check(c);
	/* Written and read again it says the same. */
	if (jsonio_format(c->json, &text, &e) || text.n > CACONF_MAX)
		return 0;
	assert(!caconf_parse(buf_slice(&text), "ca.json", &again, &e));
	assert(again->provs_n == c->provs_n && again->warnings_n == c->warnings_n);
	for (size_t i = 0; i < c->warnings_n; i++)
		assert(!strcmp(c->warnings[i], again->warnings[i]));
	return 0;
}
