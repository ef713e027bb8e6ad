/* Which provisioner a token is from, and its key. */
#include "client/reply.h"
#include "client/token.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "jose/auto.h"
#include "jose/jwe.h"

#include <stdlib.h>

enum { LABEL_MAX = 2048 };

static struct slice member(const json_t *o, const char *name)
{
	return jsonio_text(jsonio_field(o, name));
}

static struct slice kid_of(const json_t *provisioner)
{
	return member(jsonio_field(provisioner, "key"), "kid");
}

static bool type_is(const json_t *provisioner, const char *type)
{
	return slice_eq_nocase(member(provisioner, "type"), slice_cstr(type));
}

void provisioner_label(const json_t *provisioner, struct buf *out)
{
	static const struct {
		const char *type, *noun, *field;
	} more[] = { { "OIDC", "client", "clientID" }, { "Azure", "tenant", "tenantID" } };
	text_escape(out, member(provisioner, "name"), 256);
	buf_adds(out, " (");
	text_escape(out, member(provisioner, "type"), 32);
	buf_addc(out, ')');
	if (type_is(provisioner, "JWK")) {
		buf_adds(out, " [kid: ");
		text_escape(out, kid_of(provisioner), 256);
		buf_addc(out, ']');
	}
	for (size_t i = 0; i < COUNT_OF(more); i++) {
		if (!type_is(provisioner, more[i].type))
			continue;
		buf_addf(out, " [%s: ", more[i].noun);
		text_escape(out, member(provisioner, more[i].field), 256);
		buf_addc(out, ']');
	}
}

/* The list narrowed down by one filter; borrowed objects. */
struct candidates {
	const json_t **v;
	size_t n;
};

static void candidates_done(struct candidates *c)
{
	free(c->v);
}

typedef bool keep_fn(const json_t *provisioner, const char *wanted);

static bool keep_named(const json_t *p, const char *wanted)
{
	return slice_is(member(p, "name"), wanted);
}

static bool keep_kid(const json_t *p, const char *wanted)
{
	return slice_is(kid_of(p), wanted);
}

static bool keep_type(const json_t *p, const char *type)
{
	return type_is(p, type);
}

static bool keep_served(const json_t *p, const char *unused)
{
	(void)unused;
	return !slice_is(member(p, "state"), "Uninitialized");
}

static size_t narrow(struct candidates *c, keep_fn *keep, const char *wanted)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (keep(c->v[i], wanted))
			c->v[n++] = c->v[i];
	c->n = n;
	return n;
}

static enum status no_match(const char *flag, const char *value, struct error *e)
{
	return error_set(e, ST_USAGE, "invalid value '%s' for flag '--%s'", value, flag);
}

static enum status not_served(const json_t *p, struct error *e)
{
	AUTO(buf_done) struct buf label = BUF_INIT(LABEL_MAX);
	AUTO(buf_done) struct buf why = BUF_INIT(LABEL_MAX);
	provisioner_label(p, &label);
	text_escape(&why, member(p, "stateReason"), 200);
	return error_set(e, ST_INVALID, "the CA has disabled the provisioner %s%s%s", buf_cstr(&label),
	                 why.n ? ": " : "", buf_cstr(&why));
}

static enum status ask_person(const struct candidates *c, token_choose_fn *choose, void *ctx, const json_t **ret,
                              struct error *e)
{
	if (!choose)
		return error_set(e, ST_MISSING, "the CA has %zu provisioners; choose one with --provisioner or --kid",
		                 c->n);
	char **labels = calloc(c->n, sizeof *labels);
	enum status st = labels ? ST_OK : error_nomem(e);
	size_t at = 0, made = 0;
	for (; !st && made < c->n; made++) {
		AUTO(buf_done) struct buf label = BUF_INIT(LABEL_MAX);
		provisioner_label(c->v[made], &label);
		st = buf_check(&label, e);
		if (!st && !(labels[made] = buf_take(&label)))
			st = error_nomem(e);
	}
	if (!st)
		st = choose(ctx, (const char *const *)labels, c->n, &at, e);
	if (!st && at >= c->n)
		st = error_set(e, ST_BUG, "no provisioner %zu", at);
	if (!st)
		*ret = c->v[at];
	while (labels && made)
		free(labels[--made]);
	free(labels);
	return st;
}

enum status provisioner_choose(const json_t *list, const struct provisioner_filter *f, token_choose_fn *choose,
                               void *ctx, const json_t **ret, struct error *e)
{
	size_t n = json_array_size(list);
	AUTO(candidates_done) struct candidates c = { calloc(n ? n : 1, sizeof *c.v), n };
	if (!c.v)
		return error_nomem(e);
	for (size_t i = 0; i < n; i++)
		c.v[i] = json_array_get(list, i);
	if (!n)
		return error_set(e, ST_MISSING,
		                 "cannot create a new token: the CA does not have any provisioner configured");
	if (f->kid && !narrow(&c, keep_kid, f->kid))
		return no_match("kid", f->kid, e);
	if (f->name && !narrow(&c, keep_named, f->name))
		return no_match("provisioner", f->name, e);
	const json_t *first = c.v[0];
	const char *type = f->x5c ? "X5C" : "JWK";
	if (!narrow(&c, keep_type, type)) {
		AUTO(buf_done) struct buf label = BUF_INIT(LABEL_MAX);
		provisioner_label(first, &label);
		return error_set(
			e, ST_INVALID,
			"cannot create a new token: only %s provisioners make tokens %s, and there is none but %s%s",
			type, f->x5c ? "of a certificate's key" : "here", buf_cstr(&label),
			n > 1 && !f->kid && !f->name ? " and others" : "");
	}
	first = c.v[0];
	if (!narrow(&c, keep_served, NULL))
		return not_served(first, e);
	if (c.n > 1)
		return ask_person(&c, choose, ctx, ret, e);
	*ret = c.v[0];
	return ST_OK;
}

/* ---- its key ---- */

/* ST_DENIED after the last wrong password; what the source says where it has none to begin with. */
static enum status open_jwe(struct slice jwe, const struct password_source *source, struct buf *out, struct error *e)
{
	for (int attempt = 0; attempt < TOKEN_TRIES; attempt++) {
		AUTO(buf_done) struct buf password = BUF_SECRET(PASSWORD_MAX);
		enum status st = source ? source->get(source->ctx, attempt, &password, e)
		                        : error_set(e, ST_MISSING,
		                                    "the provisioner's key is encrypted; name a file that holds "
		                                    "its password with --provisioner-password-file");
		if (st == ST_MISSING && attempt)
			break; /* a file has one try */
		if (st)
			return st;
		buf_reset(out);
		st = jwe_open(jwe, buf_slice(&password), out, e);
		if (st != ST_DENIED)
			return st ? error_wrap(e, "failed to decrypt JWE") : ST_OK;
	}
	return error_set(e, ST_DENIED, "failed to decrypt JWE: invalid password");
}

enum status provisioner_open_key(const json_t *provisioner, struct slice jwe, const struct password_source *password,
                                 struct jwk *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(JWE_MAX);
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(jwk_done) struct jwk key = { 0 };
	AUTO(jwk_done) struct jwk public = { 0 };
	if (open_jwe(jwe, password, &text, e))
		return e->status;
	if (jsonio_parse(buf_slice(&text), JSONIO_STRICT, &json, e) || jwk_parse(json, &key, e))
		return error_wrap(e, "the provisioner's encrypted key");
	if (!key.is_private)
		return error_set(e, ST_PEER, "the provisioner's encrypted key holds no private key");
	const json_t *shown = jsonio_field(provisioner, "key");
	if (jwk_parse(shown, &public, e))
		return error_wrap(e, "the provisioner's key");
	if (!key_equal(key.key, public.key))
		return error_set(e, ST_PEER, "the provisioner's encrypted key is not the private half of its key");
	*ret = key;
	key = (struct jwk){ 0 };
	return ST_OK;
}
