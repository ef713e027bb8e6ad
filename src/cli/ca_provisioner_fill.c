/* From flags to the members of a provisioner object. */
#include "cli/ca_provisioner.h"
#include "config/cainit.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "base/b64.h"
#include "jose/auto.h"
#include "jose/jsonio.h"
#include "jose/jwe.h"
#include "os/file.h"

/* ---- JWK ---- */

static enum status parse_jwk(struct slice text, struct jwk *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *json = NULL;
	return jsonio_parse(text, JSONIO_STRICT, &json, e) ? e->status : jwk_parse(json, ret, e);
}

static bool is_json(struct slice text)
{
	return slice_trim(text).n && slice_trim(text).p[0] == '{';
}

static enum status read_public(const char *path, struct jwk *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(KEYFILE_MAX);
	if (file_read(path, &text, e))
		return e->status;
	enum status st = is_json(buf_slice(&text)) ? parse_jwk(buf_slice(&text), ret, e)
	                                           : keyfile_parse_public(buf_slice(&text), NULL, &ret->key, e);
	return st ? error_wrap(e, "error reading %s", path) : ST_OK;
}

/* A JWE as `step crypto jwk create` writes it (RFC 7516 §7.2.2), in its compact form (§7.1). */
static enum status compact_jwe(const json_t *jwe, struct buf *out, struct error *e)
{
	static const char *const parts[] = { "protected", "encrypted_key", "iv", "ciphertext", "tag" };
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		struct slice part = jsonio_text(json_object_get(jwe, parts[i]));
		if (!part.n)
			return error_set(e, ST_INVALID, "a JWE without \"%s\"", parts[i]);
		buf_adds(out, i ? "." : "");
		buf_add_slice(out, part);
	}
	return buf_check(out, e);
}

/* An encrypted key is taken as it is. ST_OK with ret empty where the text is something else. */
static enum status encrypted_already(struct slice text, struct buf *ret, struct error *e)
{
	size_t dots = 0;
	for (size_t i = 0; i < text.n; i++)
		dots += text.p[i] == '.';
	if (dots == 4 && text.p[0] == 'e') {
		buf_add_slice(ret, text);
		return buf_check(ret, e);
	}
	AUTO(json_decref_p) json_t *json = NULL;
	if (!is_json(text))
		return ST_OK;
	if (jsonio_parse(text, JSONIO_STRICT, &json, e))
		return e->status;
	return json_object_get(json, "ciphertext") ? compact_jwe(json, ret, e) : ST_OK;
}

static enum status parse_private(const char *path, struct slice text, EVP_PKEY **ret, struct error *e)
{
	struct ask_password ask = { .label = "Please enter the password to decrypt the private key" };
	struct jwk k = { 0 };
	if (!is_json(text)) {
		struct password_source source = ask_password_source(&ask);
		return keyfile_parse(text, &source, ret, e);
	}
	enum status st = parse_jwk(text, &k, e);
	if (!st && !k.is_private)
		st = error_set(e, ST_INVALID, "%s holds no private key", path);
	if (!st)
		*ret = TAKE(k.key);
	jwk_done(&k);
	return st;
}

static enum status set_encrypted(struct invocation *inv, const struct provisioner_flags *f, EVP_PKEY *key,
                                 json_t *object, struct error *e)
{
	AUTO(buf_done) struct buf password = BUF_SECRET(PASSWORD_MAX);
	AUTO(json_decref_p) json_t *made = NULL;
	struct ask_password ask = {
		.file = f->password_file,
		.flag = "--password-file",
		.label = "Please enter a password to encrypt the provisioner private key? [leave empty and "
			 "we'll generate one]"
	};
	if (ask_or_make_password(inv, &ask, &password, e) ||
	    provisioner_new_json("made", key, buf_slice(&password), JWE_P2C_WRITE, &made, e))
		return e->status;
	return caedit_set(object, "encryptedKey", json_incref(json_object_get(made, "encryptedKey")), e);
}

static enum status set_private(struct invocation *inv, const struct provisioner_flags *f, const EVP_PKEY *public,
                               json_t *object, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(JWE_MAX), sealed = BUF_INIT(JWE_MAX);
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	const char *path = f->private_key;
	if (file_read(path, &text, e))
		return e->status;
	struct slice trimmed = slice_trim(buf_slice(&text));
	if (encrypted_already(trimmed, &sealed, e))
		return error_wrap(e, "error reading %s", path);
	if (sealed.n)
		return caedit_set(object, "encryptedKey", json_string(buf_cstr(&sealed)), e);
	if (parse_private(path, trimmed, &key, e))
		return error_wrap(e, "error reading %s", path);
	if (!key_equal(key, public))
		return error_set(e, ST_INVALID, "the private key in %s does not belong to the public key in %s", path,
		                 f->public_key);
	return set_encrypted(inv, f, key, object, e);
}

static enum status set_public(const struct jwk *k, json_t *object, struct error *e)
{
	AUTO(json_decref_p) json_t *public = NULL;
	return caedit_public_key(k, &public, e) ? e->status : caedit_set(object, "key", json_incref(public), e);
}

static enum status create_key(struct invocation *inv, const struct provisioner_flags *f, json_t *object,
                              struct error *e)
{
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	if (key_generate(&KEY_SPEC_DEFAULT, &key, e) || set_public(&(struct jwk){ .key = key }, object, e))
		return e->status;
	return set_encrypted(inv, f, key, object, e);
}

static enum status fill_jwk(struct invocation *inv, const struct provisioner_flags *f, bool is_new, json_t *object,
                            struct error *e)
{
	if (f->create && opt_is_set(f->public_key))
		return usage_incompatible("create", "public-key", e);
	if (f->create && opt_is_set(f->private_key))
		return usage_incompatible("create", "private-key", e);
	if (f->create)
		return create_key(inv, f, object, e);
	if (opt_is_set(f->private_key) && !opt_is_set(f->public_key))
		return usage_requires("private-key", "public-key", e);
	if (!opt_is_set(f->public_key))
		return is_new ? error_set(e, ST_INVALID,
		                          "a JWK provisioner needs a key: use '--create' for a new one, or "
		                          "'--public-key'")
		              : ST_OK;
	struct jwk k = { 0 };
	enum status st = read_public(f->public_key, &k, e);
	if (!st)
		st = set_public(&k, object, e);
	caedit_unset(object, "encryptedKey");
	if (!st && opt_is_set(f->private_key))
		st = set_private(inv, f, k.key, object, e);
	jwk_done(&k);
	return st;
}

/* ---- X5C ---- */

static enum status add_roots(const char *path, struct buf *pem, struct error *e)
{
	AUTO(chain_done) struct chain roots = { 0 };
	if (load_chain(path, &roots, e))
		return e->status;
	for (size_t i = 0; i < roots.n; i++) {
		const struct cert_facts *c = cert_facts(roots.v[i]);
		if (!c->is_ca || (c->has_key_usage && !(c->key_usage & KU_KEY_CERT_SIGN)))
			return error_set(e, ST_INVALID, "%s: certificate %zu of it may not sign certificates", path,
			                 i + 1);
		cert_format_pem(roots.v[i], pem);
	}
	return buf_check(pem, e);
}

static enum status fill_x5c(struct invocation *inv, const struct provisioner_flags *f, bool is_new, json_t *object,
                            struct error *e)
{
	AUTO(buf_done) struct buf pem = BUF_INIT(1 << 20), text = BUF_INIT(2 << 20);
	(void)inv;
	if (!f->x5c_roots.n)
		return is_new ? error_set(e, ST_INVALID, "an X5C provisioner needs roots: use '--x5c-roots'") : ST_OK;
	for (size_t i = 0; i < f->x5c_roots.n; i++)
		if (add_roots(f->x5c_roots.v[i], &pem, e))
			return e->status;
	b64_encode(&text, buf_slice(&pem), B64_STD);
	return buf_check(&text, e) ? e->status : caedit_set(object, "roots", json_string(buf_cstr(&text)), e);
}

/* ---- ACME ---- */

static enum status set_flag(struct invocation *inv, const char *flag, const char *key, bool on, bool is_new,
                            json_t *object, struct error *e)
{
	if (!args_given(&inv->args, flag) || (is_new && !on))
		return ST_OK;
	return caedit_set(object, key, json_boolean(on), e);
}

static enum status fill_acme(struct invocation *inv, const struct provisioner_flags *f, bool is_new, json_t *object,
                             struct error *e)
{
	static const char *const known[] = { "http-01", "dns-01", "tls-alpn-01", "device-attest-01" };
	for (size_t i = 0; i < f->challenges.n; i++) {
		bool ok = false;
		for (size_t k = 0; k < COUNT_OF(known); k++)
			ok |= !strcmp(f->challenges.v[i], known[k]);
		if (!ok)
			return usage_bad_value("challenge", f->challenges.v[i], e);
	}
	if (set_flag(inv, "force-cn", "forceCN", f->force_cn, is_new, object, e) ||
	    set_flag(inv, "require-eab", "requireEAB", f->require_eab, is_new, object, e))
		return e->status;
	if (!f->challenges.n && !f->no_challenges.n)
		return ST_OK;
	return caedit_set_texts(object, "challenges", f->challenges.v, f->challenges.n, f->no_challenges.v,
	                        f->no_challenges.n, e);
}

/* ---- kinds ---- */

static const struct kind {
	const char *name;
	enum status (*fill)(struct invocation *inv, const struct provisioner_flags *f, bool is_new, json_t *object,
	                    struct error *e);
	const char *flags[6];
} kinds[] = {
	{ "JWK", fill_jwk, { "create", "public-key", "private-key" } },
	{ "X5C", fill_x5c, { "x5c-roots" } },
	{ "ACME", fill_acme, { "force-cn", "require-eab", "challenge", "remove-challenge" } },
};

enum status provisioner_kind(const char *typed, const char **ret, struct error *e)
{
	static const char *const others[] = { "OIDC", "GCP", "AWS", "Azure", "K8SSA", "SSHPOP", "SCEP", "Nebula" };
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (slice_eq_nocase(slice_cstr(typed), slice_cstr(kinds[i].name))) {
			*ret = kinds[i].name;
			return ST_OK;
		}
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (slice_eq_nocase(slice_cstr(typed), slice_cstr(others[i])))
			return error_set(e, ST_INVALID,
			                 "%s provisioners are not built yet; there are JWK, X5C and ACME", others[i]);
	return usage_bad_value("type", typed, e);
}

enum status provisioner_fill(struct invocation *inv, const struct provisioner_flags *f, const char *kind, bool is_new,
                             json_t *object, struct error *e)
{
	const struct kind *mine = NULL;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!strcmp(kinds[i].name, kind)) {
			mine = &kinds[i];
			continue;
		}
		for (const char *const *flag = kinds[i].flags; *flag; flag++)
			if (args_given(&inv->args, *flag))
				return error_set(e, ST_INVALID,
				                 "flag '--%s' is for %s provisioners, and this one is of type "
				                 "%s",
				                 *flag, kinds[i].name, kind);
	}
	return mine ? mine->fill(inv, f, is_new, object, e)
	            : error_set(e, ST_INVALID, "%s provisioners cannot be edited here", kind);
}

/* ---- claims ---- */

#define SPAN(flag_, key_, field)                                                                                       \
	{                                                                                                              \
		.flag = flag_, .key = key_, .at = offsetof(struct provisioner_flags, field), .is_span = true           \
	}
#define BOOL(flag_, key_, field)                                                                                       \
	{                                                                                                              \
		.flag = flag_, .key = key_, .at = offsetof(struct provisioner_flags, field)                            \
	}
static const struct {
	const char *flag, *key;
	size_t at;
	bool is_span;
} claim_flags[] = {
	SPAN("x509-min-dur", "minTLSCertDuration", x509_min),
	SPAN("x509-max-dur", "maxTLSCertDuration", x509_max),
	SPAN("x509-default-dur", "defaultTLSCertDuration", x509_default),
	SPAN("ssh-user-min-dur", "minUserSSHCertDuration", ssh_user_min),
	SPAN("ssh-user-max-dur", "maxUserSSHCertDuration", ssh_user_max),
	SPAN("ssh-user-default-dur", "defaultUserSSHCertDuration", ssh_user_default),
	SPAN("ssh-host-min-dur", "minHostSSHCertDuration", ssh_host_min),
	SPAN("ssh-host-max-dur", "maxHostSSHCertDuration", ssh_host_max),
	SPAN("ssh-host-default-dur", "defaultHostSSHCertDuration", ssh_host_default),
	BOOL("ssh", "enableSSHCA", ssh),
	BOOL("disable-renewal", "disableRenewal", disable_renewal),
	BOOL("allow-renewal-after-expiry", "allowRenewalAfterExpiry", allow_after_expiry),
	BOOL("disable-smallstep-extensions", "disableSmallstepExtensions", disable_extensions),
	SPAN("renewal-after-expiry", "renewalAfterExpiry", after_expiry),
};

static size_t collect(struct invocation *inv, const struct provisioner_flags *f, struct caedit_claim *out)
{
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(claim_flags); i++) {
		const char *at = (const char *)f + claim_flags[i].at;
		struct caedit_claim c = { .key = claim_flags[i].key, .is_span = claim_flags[i].is_span };
		if (!args_given(&inv->args, claim_flags[i].flag))
			continue;
		if (c.is_span)
			c.ns = ((const struct opt_duration *)(const void *)at)->ns;
		else
			c.on = *(const bool *)at;
		out[n++] = c;
	}
	return n;
}

static void tell_risk(struct invocation *inv, const json_t *object)
{
	const char *bound = json_string_value(jsonio_field(jsonio_field(object, "claims"), "renewalAfterExpiry"));
	inv_say(inv,
	        "Note: renewal after expiry adds risk: whoever finds an old key with its certificate can renew it %s%s "
	        "after it expired. Revoke what is retired, and allow it for as few as possible.",
	        bound ? "for " : "for ever", bound ? bound : "");
}

enum status provisioner_fill_claims(struct invocation *inv, const struct provisioner_flags *f, bool is_new,
                                    json_t *object, struct error *e)
{
	struct caedit_claim claims[COUNT_OF(claim_flags)];
	size_t n = collect(inv, f, claims);
	bool ssh = is_new && !args_given(&inv->args, "ssh");
	if (!n && !is_new)
		return ST_OK;
	if (caedit_claims(object, claims, n, ssh, e))
		return e->status;
	if (f->allow_after_expiry)
		tell_risk(inv, object);
	return ST_OK;
}
