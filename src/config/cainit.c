#include "config/cainit.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwe.h"
#include "jose/jwk.h"
#include "jose/jws.h"

#include <openssl/evp.h>

/* The two TLS 1.2 suites, as the peer writes them out. */
static const char *const suites[] = {
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
};

static enum status seal_key(const struct jwk *k, struct slice password, int p2c, struct buf *out, struct error *e)
{
	AUTO(json_decref_p) json_t *private = NULL;
	AUTO(buf_done) struct buf text = BUF_SECRET(JWE_MAX);
	if (jwk_format(k, true, &private, e) || jsonio_format(private, &text, e))
		return e->status;
	return jwe_seal(buf_slice(&text), password, p2c, out, e);
}

enum status provisioner_new_json(const char *name, EVP_PKEY *key, struct slice password, int p2c, json_t **ret,
                                 struct error *e)
{
	AUTO(json_decref_p) json_t *public = NULL;
	AUTO(buf_done) struct buf sealed = BUF_INIT(JWE_MAX);
	char kid[JWK_THUMBPRINT], use[] = "sig", alg[16];
	const char *alg_name = jws_alg_for_key(key);
	if (!alg_name)
		return error_set(e, ST_INVALID, "the provisioner's key cannot sign tokens");
	snprintf(alg, sizeof alg, "%s", alg_name);
	if (jwk_thumbprint(key, kid, e))
		return e->status;
	struct jwk k = { .key = key, .is_private = true, .kid = kid, .alg = alg, .use = use }; /* all borrowed */
	if (jwk_format(&k, false, &public, e) || seal_key(&k, password, p2c, &sealed, e) || buf_check(&sealed, e))
		return e->status;
	json_t *object = json_pack("{s:s, s:s, s:O, s:s}", "type", "JWK", "name", name, "key", public, "encryptedKey",
	                           buf_cstr(&sealed));
	if (!object)
		return error_set(e, ST_INVALID, "the provisioner's name \"%s\" is not UTF-8", name);
	*ret = object;
	return ST_OK;
}

static json_t *text_array(const char *const *v, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; list && i < n; i++) {
		if (json_array_append_new(list, json_string(v[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *provisioner_array(const struct caconf_draft *d)
{
	json_t *list = json_array();
	for (size_t i = 0; list && i < d->provisioners_n; i++) {
		if (json_array_append(list, d->provisioners[i])) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

enum status caconf_new_text(const struct caconf_draft *d, struct buf *out, struct error *e)
{
	/* Every "o" takes its reference, also where json_pack fails. */
	json_t *db = d->db_folder ? json_pack("{s:s, s:s, s:s}", "type", "sqlite", "dataSource", d->db_folder,
	                                      "badgerFileLoadingMode", "")
	                          : NULL;
	AUTO(json_decref_p)
	json_t *file = json_pack("{s:s, s:n, s:s, s:s, s:s, s:s, s:o, s:{s:s}, s:o*, s:{s:o}, s:{s:o, s:f, s:f, s:b}}",
	                         "root", d->root, "federatedRoots", "crt", d->crt, "key", d->key, "address", d->address,
	                         "insecureAddress", "", "dnsNames", text_array(d->dns_names, d->dns_n), "logger",
	                         "format", "text", "db", db, "authority", "provisioners", provisioner_array(d), "tls",
	                         "cipherSuites", text_array(suites, COUNT_OF(suites)), "minVersion", 1.2, "maxVersion",
	                         1.3, "renegotiation", 0);
	if (!file || (d->db_folder && !db))
		return error_set(e, ST_INVALID, "ca.json: out of memory, or a path, name or address that is not UTF-8");
	return jsonio_format_indent(file, JSONIO_TAB, out, e);
}

enum status defaults_new_text(const struct defaults_draft *d, enum defaults_form form, struct buf *out, struct error *e)
{
	AUTO(json_decref_p)
	json_t *file = json_pack("{s:s*, s:s*, s:s*, s:s*}", "ca-url", d->ca_url, "ca-config", d->ca_config,
	                         "fingerprint", d->fingerprint, "root", d->root);
	if (!file)
		return error_set(e, ST_INVALID, "defaults.json: out of memory, or a path that is not UTF-8");
	return jsonio_format_indent(file, form == DEFAULTS_INIT ? JSONIO_TAB : 2, out, e);
}
