#include "config/caedit.h"

#include "base/duration.h"
#include "config/caconf.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jws.h"

#include <string.h>

/* ---- the file ---- */

static json_t *authority_of(const json_t *file)
{
	return jsonio_field(file, "authority");
}

static json_t *list_of(const json_t *file)
{
	return jsonio_field(authority_of(file), "provisioners");
}

/* The object behind a key, made where it is absent or null. */
static enum status demand(json_t *object, const char *key, bool is_list, const char *shown, struct error *e)
{
	json_t *v = jsonio_field(object, key);
	if (v && !json_is_null(v) && (is_list ? !json_is_array(v) : !json_is_object(v)))
		return error_set(e, ST_INVALID, "%s: not %s", shown, is_list ? "a list" : "an object");
	if (v && !json_is_null(v))
		return ST_OK;
	return caedit_set(object, key, is_list ? json_array() : json_object(), e);
}

enum status caedit_parse(struct slice text, json_t **ret, struct error *e)
{
	AUTO(json_decref_p) json_t *file = NULL;
	if (jsonio_parse(text, JSONIO_STRICT, &file, e))
		return e->status;
	if (!json_is_object(file))
		return error_set(e, ST_INVALID, "not a JSON object");
	if (demand(file, "authority", false, "authority", e) ||
	    demand(authority_of(file), "provisioners", true, "authority.provisioners", e))
		return e->status;
	*ret = TAKE(file);
	return ST_OK;
}

enum status caedit_format(const json_t *file, struct buf *out, struct error *e)
{
	if (jsonio_format_indent(file, JSONIO_TAB, out, e))
		return e->status;
	buf_addc(out, '\n');
	return buf_check(out, e);
}

bool caedit_is_remote(const json_t *file)
{
	return json_is_true(jsonio_field(authority_of(file), "enableAdmin"));
}

/* ---- provisioners ---- */

/* Index of the first of this name, or the list's length; *ret_n: how many there are. */
static size_t index_of(const json_t *list, const char *name, size_t *ret_n)
{
	size_t at = json_array_size(list);
	*ret_n = 0;
	for (size_t i = json_array_size(list); i-- > 0;) {
		if (!slice_is(jsonio_text(jsonio_field(json_array_get(list, i), "name")), name))
			continue;
		at = i;
		++*ret_n;
	}
	return at;
}

static enum status find_one(const json_t *file, const char *name, size_t *ret, struct error *e)
{
	size_t n;
	*ret = index_of(list_of(file), name, &n);
	if (!n)
		return error_set(e, ST_MISSING, "no provisioner is called \"%s\"", name);
	if (n > 1)
		return error_set(e, ST_CONFLICT, "%zu provisioners are called \"%s\"; edit the file by hand", n, name);
	return ST_OK;
}

static enum status demand_free(const json_t *file, const char *name, struct error *e)
{
	size_t n;
	index_of(list_of(file), name, &n);
	return n ? error_set(e, ST_CONFLICT, "a provisioner is called \"%s\" already", name) : ST_OK;
}

enum status caedit_find(json_t *file, const char *name, json_t **ret, struct error *e)
{
	size_t at;
	if (find_one(file, name, &at, e))
		return e->status;
	*ret = json_array_get(list_of(file), at);
	return ST_OK;
}

enum status caedit_add(json_t *file, json_t *provisioner, struct error *e)
{
	const char *name = json_string_value(json_object_get(provisioner, "name"));
	if (!name)
		return error_set(e, ST_BUG, "provisioner without a name");
	if (demand_free(file, name, e))
		return e->status;
	return json_array_append(list_of(file), provisioner) ? error_nomem(e) : ST_OK;
}

enum status caedit_remove(json_t *file, const char *name, struct error *e)
{
	size_t at;
	if (find_one(file, name, &at, e))
		return e->status;
	return json_array_remove(list_of(file), at) ? error_nomem(e) : ST_OK;
}

static enum status check_name(const char *name, struct error *e)
{
	enum { LONGEST = sizeof((struct provisioner_ext *)0)->name - 1 };
	if (!*name)
		return error_set(e, ST_INVALID, "a provisioner needs a name");
	if (strlen(name) > LONGEST)
		return error_set(e, ST_INVALID, "the provisioner's name is longer than %d bytes", LONGEST);
	if (!jsonio_text_ok(slice_cstr(name)))
		return error_set(e, ST_INVALID, "the provisioner's name is not UTF-8");
	return ST_OK;
}

enum status caedit_rename(json_t *file, const char *name, const char *to, struct error *e)
{
	json_t *p;
	if (caedit_find(file, name, &p, e) || check_name(to, e))
		return e->status;
	if (!strcmp(name, to))
		return ST_OK;
	return demand_free(file, to, e) ? e->status : caedit_set(p, "name", json_string(to), e);
}

/* The spelling that a key has in the object: exact first, as jsonio_field() finds it; NULL where it is absent. */
static const char *spelling(json_t *object, const char *key)
{
	const char *spelt, *found = NULL;
	json_t *v;
	if (json_object_get(object, key))
		return key;
	json_object_foreach(object, spelt, v)
	{
		if (slice_eq_nocase(slice_cstr(spelt), slice_cstr(key)))
			found = spelt;
	}
	return found;
}

enum status caedit_set(json_t *object, const char *key, json_t *taken_value, struct error *e)
{
	const char *spelt = spelling(object, key);
	return json_object_set_new(object, spelt ? spelt : key, taken_value) ? error_nomem(e) : ST_OK;
}

void caedit_unset(json_t *object, const char *key)
{
	const char *spelt;
	while ((spelt = spelling(object, key)))
		json_object_del(object, spelt);
}

/* ---- texts ---- */

static bool holds(const char *const *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i], text))
			return true;
	return false;
}

static enum status append_text(json_t *list, const char *text, struct error *e)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (slice_is(jsonio_text(json_array_get(list, i)), text))
			return ST_OK;
	if (!jsonio_text_ok(slice_cstr(text)))
		return error_set(e, ST_INVALID, "a value is not UTF-8");
	return json_array_append_new(list, json_string(text)) ? error_nomem(e) : ST_OK;
}

enum status caedit_set_texts(json_t *object, const char *key, const char *const *add, size_t add_n,
                             const char *const *remove, size_t remove_n, struct error *e)
{
	const json_t *old = jsonio_field(object, key);
	AUTO(json_decref_p) json_t *list = json_array();
	if (!list)
		return error_nomem(e);
	for (size_t i = 0; i < json_array_size(old); i++) {
		const char *text = json_string_value(json_array_get(old, i));
		if (text && !holds(remove, remove_n, text) && append_text(list, text, e))
			return e->status;
	}
	for (size_t i = 0; i < add_n; i++)
		if (append_text(list, add[i], e))
			return e->status;
	if (json_array_size(list))
		return caedit_set(object, key, json_incref(list), e);
	caedit_unset(object, key);
	return ST_OK;
}

enum status caedit_new(const char *type, const char *name, json_t **ret, struct error *e)
{
	if (check_name(name, e))
		return e->status;
	json_t *p = json_pack("{s:s, s:s}", "type", type, "name", name);
	if (!p)
		return error_nomem(e);
	*ret = p;
	return ST_OK;
}

enum status caedit_public_key(const struct jwk *k, json_t **ret, struct error *e)
{
	char kid[JWK_THUMBPRINT], use[] = "sig", alg[16];
	const char *alg_name = jws_alg_for_key(k->key);
	if (!alg_name)
		return error_set(e, ST_INVALID, "this key cannot sign tokens");
	if (jwk_thumbprint(k->key, kid, e))
		return e->status;
	snprintf(alg, sizeof alg, "%s", alg_name);
	struct jwk public = { .key = k->key, /* all borrowed */
		              .kid = k->kid && *k->kid ? k->kid : kid,
		              .alg = k->alg ? k->alg : alg,
		              .use = k->use ? k->use : use };
	return jwk_format(&public, false, ret, e);
}

/* ---- claims ---- */

#define AFTER "allowRenewalAfterExpiry"
#define AFTER_BOUND "renewalAfterExpiry"

/* The peer's order, and its four booleans in a provisioner that has no claims yet. */
static const struct {
	const char *key;
	bool always;
} claim_order[] = {
	{ "minTLSCertDuration", false },
	{ "maxTLSCertDuration", false },
	{ "defaultTLSCertDuration", false },
	{ "minUserSSHCertDuration", false },
	{ "maxUserSSHCertDuration", false },
	{ "defaultUserSSHCertDuration", false },
	{ "minHostSSHCertDuration", false },
	{ "maxHostSSHCertDuration", false },
	{ "defaultHostSSHCertDuration", false },
	{ "enableSSHCA", true },
	{ "disableRenewal", true },
	{ AFTER, true },
	{ "disableSmallstepExtensions", true },
	{ AFTER_BOUND, false },
};

static const struct caedit_claim *given(const struct caedit_claim *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].key, key))
			return &v[i];
	return NULL;
}

static enum status set_claim(json_t *claims, const struct caedit_claim *c, struct error *e)
{
	char text[DURATION_TEXT];
	if (!c->is_span)
		return caedit_set(claims, c->key, json_boolean(c->on), e);
	if (c->ns <= 0 && !strcmp(c->key, AFTER_BOUND)) {
		caedit_unset(claims, c->key);
		return ST_OK;
	}
	return caedit_set(claims, c->key, json_string(duration_format(c->ns, text)), e);
}

static enum status bound_after_expiry(json_t *claims, const struct caedit_claim *v, size_t n, struct error *e)
{
	const struct caedit_claim *after = given(v, n, AFTER);
	if (!after || (after->on && (given(v, n, AFTER_BOUND) || jsonio_field(claims, AFTER_BOUND))))
		return ST_OK;
	if (after->on)
		return caedit_set(claims, AFTER_BOUND, json_string(CAEDIT_AFTER_EXPIRY), e);
	caedit_unset(claims, AFTER_BOUND);
	return ST_OK;
}

enum status caedit_claims(json_t *provisioner, const struct caedit_claim *v, size_t n, bool ssh, struct error *e)
{
	json_t *claims = jsonio_field(provisioner, "claims");
	bool new = !json_object_size(claims);
	if (demand(provisioner, "claims", false, "claims", e))
		return e->status;
	claims = jsonio_field(provisioner, "claims");
	for (size_t i = 0; i < COUNT_OF(claim_order); i++) {
		struct caedit_claim fallback = { .key = claim_order[i].key,
			                         .on = ssh && !strcmp(claim_order[i].key, "enableSSHCA") };
		const struct caedit_claim *c = given(v, n, claim_order[i].key);
		if (!c && new &&claim_order[i].always)
			c = &fallback;
		if (c && set_claim(claims, c, e))
			return e->status;
	}
	return bound_after_expiry(claims, v, n, e);
}

/* ---- before it is written ---- */

static const struct provisioner *loaded(const struct caconf *c, const char *name)
{
	for (size_t i = 0; name && i < c->provs_n; i++)
		if (!strcmp(c->provs[i].name, name))
			return &c->provs[i];
	return NULL;
}

enum status caedit_check(struct slice old, struct slice new, const char *path, const char *name, struct buf *notes,
                         struct error *e)
{
	AUTO(caconf_free_p) struct caconf *before = NULL, *after = NULL;
	struct error bad = ERROR_INIT, was_bad = ERROR_INIT;
	if (caconf_parse(new, path, &after, &bad)) {
		if (bad.status == ST_NOMEM || !caconf_parse(old, path, &before, &was_bad) ||
		    strcmp(bad.text, was_bad.text) != 0) {
			*e = bad;
			return error_wrap(e, "%s would be refused by step-ca and stays as it is", path);
		}
		buf_addf(notes, "Note: %s is refused by step-ca, as it was before: %s\n", path, bad.text);
		return buf_check(notes, e);
	}
	const struct provisioner *p = loaded(after, name);
	/* Claims that contradict each other only disable their provisioner; here is the person who can correct them. */
	const char *claims = p && p->disabled ? strstr(p->disabled, "claims: ") : NULL;
	if (claims)
		return error_set(e, ST_INVALID, "the provisioner \"%s\" would not work, and %s stays as it is: %s",
		                 name, path, claims);
	if (p && p->disabled)
		buf_addf(notes, "Note: step-ca loads the provisioner \"%s\" disabled: %s\n", name, p->disabled);
	return buf_check(notes, e);
}
