/* ca.json into struct caconf: the schema walks the file, this judges what spans more than one key. */
#include "config/caconf.h"
#include "base/b64.h"
#include "config/caschema.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void texts_free(char **v, size_t n)
{
	while (n)
		free(v[--n]);
	free(v);
}

void caconf_free(struct caconf *c)
{
	if (!c)
		return;
	while (c->provs_n)
		provisioner_done(&c->provs[--c->provs_n]);
	free(c->provs);
	texts_free(c->roots, c->roots_n);
	texts_free(c->federated, c->federated_n);
	texts_free(c->dns_names, c->dns_n);
	texts_free(c->tls_suites, c->tls_suites_n);
	texts_free(c->exempt_texts, c->exempt_n);
	texts_free(c->warnings, c->warnings_n);
	text_wipe_free(c->password);
	text_wipe_free(c->store_source);
	char *texts[] = { c->path,
		          c->crt,
		          c->key,
		          c->address,
		          c->insecure_address,
		          c->metrics_address,
		          c->admin_socket,
		          c->crl.idp_url,
		          c->common_name,
		          c->trace_header,
		          c->store_database,
		          c->subject.country,
		          c->subject.organization,
		          c->subject.organizational_unit,
		          c->subject.locality,
		          c->subject.province,
		          c->subject.street_address,
		          c->subject.serial_number,
		          c->subject.common_name };
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		free(texts[i]);
	json_decref(c->json);
	free(c);
}

static void ca_draft_done(struct ca_draft *d)
{
	free(d->db_type);
	free(d->logger_format);
}

static void provisioner_draft_done(struct provisioner_draft *d)
{
	free(d->type);
	free(d->name);
	free(d->encrypted_key);
	free(d->roots);
}

enum status caconf_admin_socket(const struct caconf *c, const char *runtime_dir, struct buf *ret, struct error *e)
{
	size_t runtime_n = runtime_dir ? strcspn(runtime_dir, ":") : 0;
	if (c->admin_socket && *c->admin_socket)
		buf_adds(ret, strcmp(c->admin_socket, CACONF_NO_SOCKET) ? c->admin_socket : "");
	else if (runtime_n)
		buf_addf(ret, "%.*s/" CACONF_ADMIN_SOCKET, (int)runtime_n, runtime_dir);
	else if (c->store.kind == STORE_SQLITE)
		buf_addf(ret, "%s/" CACONF_ADMIN_SOCKET, c->store.folder);
	return buf_check(ret, e) ? error_wrap(e, "adminSocket: the path") : ST_OK;
}

/* ---- provisioners ---- */

static int type_of(const char *name)
{
	for (int t = PROV_JWK; t <= PROV_NEBULA; t++)
		if (slice_eq_nocase(slice_cstr(name), slice_cstr(provisioner_type_name(t))))
			return t;
	return 0;
}

/* What GET /provisioners may show of the object: the peer strikes SCEP's secrets out (spec/server.md §1.5). */
static enum status public_json(enum provisioner_type type, json_t *object, json_t **ret, struct error *e)
{
	static const char *const secrets[] = { "challenge", "decrypterKeyPEM", "decrypterKey", "decrypterKeyPassword" };
	const char *key;
	json_t *v;
	if (type != PROV_SCEP) {
		*ret = json_incref(object);
		return ST_OK;
	}
	AUTO(json_decref_p) json_t *copy = json_object();
	if (!copy)
		return error_nomem(e);
	json_object_foreach(object, key, v)
	{ /* json_copy would drop what it has no memory for */
		bool secret = false;
		for (size_t i = 0; i < COUNT_OF(secrets); i++)
			secret |= slice_eq_nocase(slice_cstr(key), slice_cstr(secrets[i]));
		if (secret ? json_object_set_new(copy, key, json_string("*** REDACTED ***"))
		           : json_object_set(copy, key, v))
			return error_nomem(e);
	}
	*ret = TAKE(copy);
	return ST_OK;
}

static enum status take_jwk(struct provisioner_draft *d, const char *shown, struct provisioner *p, struct error *e)
{
	if (!d->key)
		return error_set(e, ST_INVALID, "%s.key: missing; give the provisioner's public key as a JWK", shown);
	if (jwk_parse(d->key, &p->key, e))
		return error_wrap(e, "%s.key", shown);
	if (p->key.is_private)
		return error_set(
			e, ST_INVALID,
			"%s.key: holds a private key, and GET /provisioners shows it to everybody; leave out d (and "
			"p, q, dp, dq, qi), and put the private key under a password into encryptedKey",
			shown);
	if (p->key.no_verify)
		provisioner_disable(d, "key: its use or key_ops reserve it for something other than signatures");
	if (!p->key.kid || !*p->key.kid)
		return error_set(e, ST_INVALID, "%s.key.kid: missing; tokens name their key by it", shown);
	return ST_OK;
}

static enum status take_roots(struct provisioner_draft *d, const char *shown, struct provisioner *p, struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_INIT(CERT_BUNDLE_MAX);
	if (!d->roots || !*d->roots)
		return error_set(e, ST_INVALID, "%s.roots: missing; give the base64 of a PEM file of root certificates",
		                 shown);
	if (b64_decode(&pem, slice_cstr(d->roots), B64_STD, e) || chain_parse(buf_slice(&pem), &p->roots, e) ||
	    trust_new(&p->roots, false, &p->credentials, e))
		return error_wrap(e, "%s.roots", shown);
	for (size_t i = 0; i < p->roots.n; i++)
		if (!cert_facts(p->roots.v[i])->is_ca)
			return error_set(e, ST_INVALID, "%s.roots: \"%s\" is not a CA certificate", shown,
			                 cert_facts(p->roots.v[i])->common_name);
	return ST_OK;
}

/* The types that are served, and what each has of its own; what belongs to the other means a limit that somebody
 * believes in. */
static enum status take_own(enum provisioner_type type, struct provisioner_draft *d, const char *shown,
                            struct provisioner *p, struct error *e)
{
	if (type == PROV_JWK && d->roots && *d->roots)
		provisioner_disable(d, "roots: belongs to X5C and Nebula provisioners");
	if (type == PROV_X5C && (d->key || (d->encrypted_key && *d->encrypted_key)))
		provisioner_disable(d, "key, encryptedKey: belong to JWK provisioners");
	return type == PROV_JWK ? take_jwk(d, shown, p, e) : take_roots(d, shown, p, e);
}

static bool served(enum provisioner_type type)
{
	return type == PROV_JWK || type == PROV_X5C;
}

/* Invalid combinations disable the provisioner, as in the peer (spec/server.md §3.4). */
static enum status take_claims(const struct caconf *c, struct provisioner_draft *d, struct provisioner *p,
                               struct error *e)
{
	struct error why = ERROR_INIT;
	if (!claims_merge(&c->claims, &d->claims, &p->claims, &why))
		return ST_OK;
	if (why.status != ST_INVALID) {
		*e = why;
		return e->status;
	}
	p->claims = c->claims;
	provisioner_disable(d, "claims: %s", why.text);
	return ST_OK;
}

static enum status fill_provisioner(struct walk *w, struct provisioner_draft *d, enum provisioner_type type,
                                    const char *shown, json_t *object, struct provisioner *p, struct error *e)
{
	if (!served(type))
		provisioner_disable(d, "%s provisioners are not built yet", provisioner_type_name((int)type));
	if (strlen(d->name) >= sizeof((struct provisioner_ext *)0)->name)
		return error_set(e, ST_INVALID, "%s.name: longer than %zu bytes", shown,
		                 sizeof((struct provisioner_ext *)0)->name - 1);
	if (served(type) && take_own(type, d, shown, p, e))
		return e->status;
	if (public_json(type, object, &p->json, e) || take_claims(w->c, d, p, e))
		return e->status;
	p->type = type;
	p->name = TAKE(d->name);
	p->encrypted_key = TAKE(d->encrypted_key);
	if (*d->disabled && !(p->disabled = text_dup(slice_cstr(d->disabled))))
		return error_nomem(e);
	/* The uid counts what is loaded, so that pages stay in order. */
	if (provisioner_name_ids(p, w->c->provs_n, e))
		return error_wrap(e, "%s", shown);
	return ST_OK;
}

static enum status demand_unique(const struct caconf *c, const struct provisioner *p, const char *shown,
                                 struct error *e)
{
	for (size_t i = 0; i < c->provs_n; i++) {
		if (!strcmp(c->provs[i].name, p->name))
			return error_set(e, ST_INVALID,
			                 "%s.name: another provisioner is called \"%s\"; names are unique", shown,
			                 p->name);
		if (!strcmp(c->provs[i].id, p->id))
			return error_set(e, ST_INVALID,
			                 "%s: the provisioner \"%s\" has the same id, %s; ids are unique", shown,
			                 c->provs[i].name, p->id);
	}
	return ST_OK;
}

static enum status add_provisioner(struct walk *w, struct provisioner_draft *d, const char *shown, json_t *object,
                                   struct error *e)
{
	const char *type_text = json_string_value(jsonio_field(object, "type"));
	enum provisioner_type type = (enum provisioner_type)(type_text ? type_of(type_text) : 0);
	w->foreign = !served(type);
	w->home[HOME_PROVISIONER] = d;
	enum status st = caschema_walk(w, "authority.provisioners[]", shown, object, CKEY_DISABLE, e);
	w->home[HOME_PROVISIONER] = NULL;
	w->foreign = false;
	if (st)
		return st;
	if (!type)
		return caconf_warn(w->c, e, "%s.type: there are no %s provisioners; \"%s\" is left out", shown, d->type,
		                   d->name);
	struct provisioner *p = &w->c->provs[w->c->provs_n];
	st = fill_provisioner(w, d, type, shown, object, p, e);
	if (!st)
		st = demand_unique(w->c, p, shown, e);
	w->c->provs_n++; /* freed with the others, whatever became of it */
	if (st || !p->disabled)
		return st;
	return caconf_warn(w->c, e, "%s: the provisioner \"%s\" is disabled: %s", shown, p->name, p->disabled);
}

static enum status add_provisioners(struct walk *w, json_t *list, struct error *e)
{
	size_t n = json_array_size(list);
	w->c->provs = calloc(n ? n : 1, sizeof *w->c->provs);
	if (!w->c->provs)
		return error_nomem(e);
	for (size_t i = 0; i < n; i++) {
		char shown[64];
		struct provisioner_draft d = { 0 };
		json_t *object = json_array_get(list, i);
		snprintf(shown, sizeof shown, "authority.provisioners[%zu]", i);
		if (!json_is_object(object))
			return error_set(e, ST_INVALID, "%s: not an object", shown);
		enum status st = add_provisioner(w, &d, shown, object, e);
		provisioner_draft_done(&d);
		if (st)
			return st;
	}
	if (!w->c->provs_n)
		return caconf_warn(w->c, e, "authority.provisioners: there is none: nobody can get a certificate");
	return ST_OK;
}

/* ---- what spans several keys ---- */

static enum status judge_tls(struct caconf *c, struct error *e)
{
	if (c->tls_max < 1.2)
		return error_set(e, ST_INVALID, "tls.maxVersion: TLS before 1.2 is not served; give 1.2 or 1.3");
	if (c->tls_min > c->tls_max)
		return error_set(e, ST_INVALID, "tls.minVersion: higher than tls.maxVersion");
	if (c->tls_min >= 1.2)
		return ST_OK;
	c->tls_min = 1.2;
	return caconf_warn(c, e, "tls.minVersion: TLS before 1.2 is not served; 1.2 is the least");
}

static enum status judge_logger(struct caconf *c, const struct ca_draft *d, struct error *e)
{
	c->log_access = json_is_object(jsonio_field(c->json, "logger"));
	struct slice format = slice_cstr(d->logger_format);
	c->log_format = slice_eq_nocase(format, SLICE_LIT("json")) ? LOG_JSON : LOG_TEXT;
	if (slice_eq_nocase(format, SLICE_LIT("common")))
		return caconf_warn(c, e, "logger.format: \"common\" is not built; text is written");
	return ST_OK;
}

static bool is_loopback(const char *address)
{
	static const char *const hosts[] = { "localhost:", "[::1]:" };
	for (size_t i = 0; i < COUNT_OF(hosts); i++)
		if (strncmp(address, hosts[i], strlen(hosts[i])) == 0)
			return true;
	return strncmp(address, "127.", 4) == 0 && address[strspn(address, "0123456789.")] == ':';
}

static enum status judge_metrics(struct caconf *c, struct error *e)
{
	if (!c->metrics_address || !*c->metrics_address || is_loopback(c->metrics_address))
		return ST_OK;
	return caconf_warn(c, e,
	                   "metricsAddress: %s is not a loopback address: whoever reaches it reads the figures, over "
	                   "plain HTTP; bind it to 127.0.0.1 or keep others off it",
	                   c->metrics_address);
}

static enum status judge_crl(struct caconf *c, struct error *e)
{
	if (c->crl.renew_s > c->crl.cache_s)
		return error_set(e, ST_INVALID,
		                 "crl.renewPeriod: longer than crl.cacheDuration: lists would end before "
		                 "the next is made");
	if (!c->crl.renew_s)
		c->crl.renew_s = c->crl.cache_s > 1 ? c->crl.cache_s * 2 / 3 : 1;
	if (c->crl.idp_url && !*c->crl.idp_url)
		free(TAKE(c->crl.idp_url));
	if (c->crl.enabled && !c->store_source)
		return error_set(e, ST_INVALID,
		                 "crl.enabled: without a database nothing can be revoked; add a \"db\" "
		                 "stanza of type \"sqlite\", or set false");
	return ST_OK;
}

/* RFC 5280 §3.3: "An entry MUST NOT be removed from the CRL until it appears on one regularly scheduled CRL issued
 * beyond the revoked certificate's validity period." */
static int64_t listed_after_expiry_s(const struct caconf *c)
{
	return c->crl.enabled ? 2 * c->crl.cache_s + 3600 : 0;
}

/* How long a revocation must be kept beyond its certificate: as long as any provisioner, also one that is disabled
 * today, might renew it then. Where no bound is set that is for ever, whether or not renewal after expiry is allowed at
 * present: allowing it later must not bring revoked certificates back. */
static int64_t renewable_after_expiry_s(const struct caconf *c)
{
	int64_t most = c->claims.renewal_after_expiry_ns;
	bool bounded = most > 0;
	for (size_t i = 0; i < c->provs_n; i++) {
		int64_t ns = c->provs[i].claims.renewal_after_expiry_ns;
		bounded = bounded && ns > 0;
		if (ns > most)
			most = ns;
	}
	return bounded ? most / DURATION_S : -1;
}

/* A certificate that can be renewed after its expiry today is kept until then: what was renewed from it says whether
 * it still may. */
static void keep_renewable(struct caconf *c)
{
	for (size_t i = 0; i < c->provs_n && c->store.keep_expired_s >= 0; i++) {
		const struct claims *k = &c->provs[i].claims;
		int64_t bound_s = k->renewal_after_expiry_ns ? k->renewal_after_expiry_ns / DURATION_S : -1;
		if (k->allow_renewal_after_expiry && (bound_s < 0 || bound_s > c->store.keep_expired_s))
			c->store.keep_expired_s = bound_s;
	}
}

static enum status judge_exempt(struct caconf *c, struct error *e)
{
	for (size_t i = 0; i < c->exempt_n; i++)
		if (netset_add(&c->exempt, slice_cstr(c->exempt_texts[i]), e))
			return error_wrap(e, "limits.exemptAddresses[%zu]", i);
	return ST_OK;
}

static enum store_kind store_kind(const struct caconf *c, const struct ca_draft *d)
{
	if (!c->store_source)
		return STORE_MEMORY;
	return slice_eq_nocase(slice_cstr(d->db_type), SLICE_LIT("postgresql")) ? STORE_POSTGRESQL : STORE_SQLITE;
}

static enum status judge_store(struct caconf *c, const struct ca_draft *d, struct error *e)
{
	keep_renewable(c);
	c->store.kind = store_kind(c, d);
	/* A folder of that name would be made, and be empty: no revocation would hold. */
	if (c->store.kind == STORE_SQLITE && (!strncmp(c->store_source, "postgresql://", strlen("postgresql://")) ||
	                                      !strncmp(c->store_source, "postgres://", strlen("postgres://"))))
		return error_set(e, ST_INVALID,
		                 "db.dataSource: the address of a PostgreSQL database, with type \"sqlite\"; set "
		                 "db.type to \"postgresql\", or name a folder");
	c->store.folder = c->store.source = c->store_source;
	c->store.database = c->store_database;
	int64_t renewable_s = renewable_after_expiry_s(c), listed_s = listed_after_expiry_s(c);
	c->store.renewable_after_expiry_s = renewable_s >= 0 && renewable_s < listed_s ? listed_s : renewable_s;
	return c->store.kind == STORE_SQLITE && c->store_database
	               ? caconf_warn(c, e, "db.database: ignored: sqlite has one database in a folder")
	               : ST_OK;
}

static enum status fill(struct caconf *c, struct ca_draft *d, struct error *e)
{
	struct walk w = { .c = c, .home = { [HOME_CONF] = c, [HOME_DRAFT] = d } };
	if (caschema_defaults(&w, e) || caschema_walk(&w, "", "", c->json, CKEY_WARN, e))
		return e->status;
	if (claims_merge(&claims_builtin, &d->claims, &c->claims, e))
		return error_wrap(e, "authority.claims");
	if (add_provisioners(&w, d->provisioners, e) || judge_tls(c, e) || judge_exempt(c, e) ||
	    judge_logger(c, d, e) || judge_metrics(c, e) || judge_crl(c, e))
		return e->status;
	return judge_store(c, d, e);
}

enum status caconf_of_json(json_t *file, const char *path, struct caconf **ret, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *c = calloc(1, sizeof *c);
	struct ca_draft d = { 0 };
	if (!json_is_object(file))
		return error_set(e, ST_INVALID, "not a JSON object");
	if (!c || !(c->path = text_dup(slice_cstr(path))))
		return error_nomem(e);
	c->json = json_incref(file);
	enum status st = fill(c, &d, e);
	ca_draft_done(&d);
	if (st)
		return st;
	*ret = TAKE(c);
	return ST_OK;
}

enum status caconf_parse(struct slice text, const char *path, struct caconf **ret, struct error *e)
{
	AUTO(json_decref_p) json_t *file = NULL;
	if (jsonio_parse(text, JSONIO_STRICT, &file, e))
		return e->status;
	return caconf_of_json(file, path, ret, e);
}

enum status caconf_load(const char *path, struct caconf **ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(CACONF_MAX);
	if (file_read(path, &text, e))
		return e->status;
	if (caconf_parse(buf_slice(&text), path, ret, e))
		return error_wrap(e, "%s", path);
	return ST_OK;
}
