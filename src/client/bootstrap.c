#include "client/bootstrap.h"
#include "client/reply.h"
#include "jose/ott.h"

#include <stdlib.h>

enum { HINT_TEXT_MAX = 4096 };

void token_hint_done(struct token_hint *h)
{
	buf_done(&h->url);
	buf_done(&h->subject);
}

static bool is_url(const char *aud)
{
	return !strncmp(aud, "http://", 7) || !strncmp(aud, "https://", 8);
}

static enum status take_url(const struct ott *t, struct token_hint *h, struct error *e)
{
	for (size_t i = 0; i < t->aud_n; i++) {
		struct error why = ERROR_INIT;
		if (!is_url(t->aud[i]))
			continue;
		if (!ca_url_clean(t->aud[i], &h->url, &why))
			return ST_OK;
		if (why.status == ST_NOMEM)
			return error_nomem(e);
		AUTO(buf_done) struct buf shown = BUF_INIT(1024);
		text_escape(&shown, slice_cstr(t->aud[i]), 100);
		return error_set(e, ST_INVALID, "the token's audience '%s' does not name a CA", buf_cstr(&shown));
	}
	return ST_OK;
}

enum status token_hint_read(struct slice token, struct token_hint *ret, struct error *e)
{
	AUTO(ott_done) struct ott t = { 0 };
	AUTO(token_hint_done)
	struct token_hint h = { .url = BUF_INIT(HINT_TEXT_MAX), .subject = BUF_INIT(HINT_TEXT_MAX) };
	if (ott_parse(token, &t, e))
		return error_wrap(e, "error parsing token");
	if (t.sub)
		buf_adds(&h.subject, t.sub);
	if (buf_check(&h.subject, e) || take_url(&t, &h, e))
		return error_wrap(e, "error parsing token");
	if (t.sha && *t.sha && h.url.n && fingerprint_clean(t.sha, h.fingerprint, e))
		return error_wrap(e, "error parsing token: sha");
	*ret = h;
	h = (struct token_hint){ 0 };
	return ST_OK;
}

enum status bootstrap_by_fingerprint(struct ca *c, const char *fingerprint, struct cert **ret_root, struct error *e)
{
	AUTO(cert_unref_p) struct cert *root = NULL;
	AUTO(chain_done) struct chain roots = { 0 };
	if (ca_root(c, fingerprint, &root, e))
		return error_wrap(e, "error downloading root certificate");
	if (chain_add(&roots, root, e))
		return e->status;
	chain_done(&c->roots);
	c->roots = roots;
	roots = (struct chain){ 0 };
	if (ret_root)
		*ret_root = TAKE(root);
	return ST_OK;
}

enum status bootstrap_by_hint(struct ca *c, const struct token_hint *h, struct error *e)
{
	if (!*h->fingerprint)
		return error_set(e, ST_MISSING, "the token does not name the CA's root; give it with --root");
	if (!c->url && !h->url.n)
		return error_set(e, ST_MISSING, "the token does not say where the CA is; give --ca-url");
	if (!c->url && !(c->url = text_dup(buf_slice(&h->url))))
		return error_nomem(e);
	return bootstrap_by_fingerprint(c, h->fingerprint, NULL, e);
}
