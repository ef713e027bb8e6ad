/* From configuration and files to the authority's snapshot. What is wrong with the files is said here, at start-up or
 * reload, in terms of the key that names them; what will go wrong soon is a warning. */
#include "config/caconf.h"
#include "config/caschema.h"
#include "crypto/auto.h"
#include "crypto/keys.h"
#include "os/file.h"

#include <stdlib.h>

enum { WARN_DAYS = 30, DAY_S = 86400 };

/* ---- files ---- */

static enum status add_file(const char *key, const char *path, struct chain *ret, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_INIT(CERT_BUNDLE_MAX);
	AUTO(chain_done) struct chain got = { 0 };
	if (file_read(path, &text, e))
		return error_wrap(e, "%s", key);
	if (chain_parse(buf_slice(&text), &got, e))
		return error_wrap(e, "%s: %s", key, path);
	for (size_t i = 0; i < got.n; i++)
		if (chain_add(ret, got.v[i], e))
			return e->status;
	return ST_OK;
}

static enum status add_files(const char *key, char *const *paths, size_t n, struct chain *ret, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		size_t from = ret->n;
		if (add_file(key, paths[i], ret, e))
			return e->status;
		for (; from < ret->n; from++)
			if (!cert_facts(ret->v[from])->is_ca)
				return error_set(e, ST_INVALID, "%s: %s: \"%s\" is not a CA certificate", key, paths[i],
				                 cert_facts(ret->v[from])->common_name);
	}
	return ST_OK;
}

/* ca.json's password, and the caller's source: a file that was named before it, as in the peer, a person behind it. */
struct passwords {
	const char *own;
	const struct password_source *source;
};

static enum status next_password(void *ctx, int attempt, struct buf *ret, struct error *e)
{
	const struct passwords *p = ctx;
	int own_at = !p->own ? -1 : p->source && !p->source->asks ? 1 : 0;
	if (attempt == own_at) {
		buf_adds(ret, p->own);
		return buf_check(ret, e);
	}
	if (p->source)
		return p->source->get(p->source->ctx, attempt - (p->own && attempt > own_at), ret, e);
	return error_set(e, ST_MISSING,
	                 "the key is encrypted; name a file that holds its password with --password-file");
}

static enum status load_key(const struct caconf *c, const struct password_source *source, EVP_PKEY **ret,
                            struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(KEYFILE_MAX);
	struct passwords p = { .own = c->password && *c->password ? c->password : NULL, .source = source };
	struct password_source both = { .get = next_password, .ctx = &p };
	if (file_read(c->key, &text, e))
		return error_wrap(e, "key");
	if (keyfile_parse(buf_slice(&text), &both, ret, e))
		return error_wrap(e, "key: %s", c->key);
	return ST_OK;
}

/* ---- checks ---- */

static enum status check_issuer(const struct caconf *c, const struct cert *issuer, EVP_PKEY *key, struct wall now,
                                struct error *e)
{
	const struct cert_facts *f = cert_facts(issuer);
	char when[WALL_TEXT];
	if (!f->is_ca || (f->has_key_usage && !(f->key_usage & KU_KEY_CERT_SIGN)))
		return error_set(
			e, ST_INVALID,
			"crt: %s: \"%s\" may not sign certificates (it is no CA, or lacks keyCertSign); name the "
			"intermediate's certificate",
			c->crt, f->common_name);
	if (!key_equal(key, cert_key(issuer)))
		return error_set(
			e, ST_INVALID,
			"key: %s is not the key of the first certificate in %s, \"%s\"; name the pair that belongs "
			"together",
			c->key, c->crt, f->common_name);
	if (c->crl.enabled && f->has_key_usage && !(f->key_usage & KU_CRL_SIGN))
		return error_set(
			e, ST_INVALID,
			"crl.enabled: \"%s\" in %s may not sign lists (it lacks cRLSign); name an intermediate "
			"that may in crt, or set false",
			f->common_name, c->crt);
	if (f->not_after.s < now.s)
		return error_set(
			e, ST_EXPIRED,
			"crt: %s: \"%s\" expired at %s; sign a new intermediate with the root (`step certificate "
			"create --profile intermediate-ca`) and name it here",
			c->crt, f->common_name, wall_rfc3339(f->not_after, when));
	if (f->not_before.s > now.s)
		return error_set(e, ST_EXPIRED,
		                 "crt: %s: \"%s\" is not valid before %s; is this machine's clock right?", c->crt,
		                 f->common_name, wall_rfc3339(f->not_before, when));
	return ST_OK;
}

static enum status check_path(const struct caconf *c, const struct authority *a, struct wall now, struct error *e)
{
	AUTO(trust_free_p) struct trust *roots = NULL;
	if (trust_new(&a->roots, false, &roots, e))
		return error_wrap(e, "root");
	if (trust_verify(roots, a->issuers.v[0], &a->issuers, now, TRUST_ANY, e)) {
		enum status st = e->status;
		if (st == ST_DENIED || st == ST_EXPIRED)
			return error_wrap(e, "crt: %s does not lead to a certificate of root", c->crt);
		return st;
	}
	return ST_OK;
}

/* ---- warnings ---- */

static enum status warn_of_end(struct caconf *c, const char *key, const struct cert *cert, struct wall now,
                               struct error *e)
{
	const struct cert_facts *f = cert_facts(cert);
	char when[WALL_TEXT];
	int64_t left_s = f->not_after.s - now.s;
	if (left_s >= (int64_t)WARN_DAYS * DAY_S)
		return ST_OK;
	if (left_s < 0)
		return caconf_warn(c, e, "%s: \"%s\" expired at %s; replace it", key, f->common_name,
		                   wall_rfc3339(f->not_after, when));
	return caconf_warn(c, e, "%s: \"%s\" expires in %lld days, at %s; replace it before", key, f->common_name,
	                   (long long)(left_s / DAY_S), wall_rfc3339(f->not_after, when));
}

static enum status warn_of_claims(struct caconf *c, const struct cert *issuer, struct wall now, struct error *e)
{
	int64_t left_s = cert_facts(issuer)->not_after.s - now.s;
	char most[DURATION_TEXT], when[WALL_TEXT];
	for (size_t i = 0; i < c->provs_n; i++) {
		const struct provisioner *p = &c->provs[i];
		if (p->disabled || p->claims.max_ns / DURATION_S <= left_s)
			continue;
		if (caconf_warn(c, e,
		                "authority.provisioners: \"%s\" allows certificates of %s, but the issuer in crt ends "
		                "before "
		                "that, at %s; longer ones will be cut to its end",
		                p->name, duration_format(p->claims.max_ns, most),
		                wall_rfc3339(cert_facts(issuer)->not_after, when)))
			return e->status;
	}
	return ST_OK;
}

static enum status warn_of_order(struct caconf *c, const struct chain *issuers, struct error *e)
{
	for (size_t i = 0; i + 1 < issuers->n; i++) {
		struct error why = ERROR_INIT;
		if (!cert_signed_by(issuers->v[i], issuers->v[i + 1], &why))
			continue;
		if (why.status == ST_NOMEM)
			return error_nomem(e);
		return caconf_warn(c, e,
		                   "crt: certificate %zu of %s did not sign certificate %zu; clients get the chain as "
		                   "it stands there",
		                   i + 2, c->crt, i + 1);
	}
	return ST_OK;
}

static bool shares_a_cert(const struct chain *a, const struct chain *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++)
			if (slice_eq(cert_facts(a->v[i])->der, cert_facts(b->v[j])->der))
				return true;
	return false;
}

/* Whoever has any certificate of ours could then get one for any name. */
static enum status warn_of_own_root(struct caconf *c, const struct authority *a, struct error *e)
{
	for (size_t i = 0; i < c->provs_n; i++) {
		const struct provisioner *p = &c->provs[i];
		if (p->disabled || (!shares_a_cert(&p->roots, &a->roots) && !shares_a_cert(&p->roots, &a->issuers)))
			continue;
		if (caconf_warn(c, e,
		                "authority.provisioners: the roots of \"%s\" hold this CA's own certificate: whoever "
		                "has any certificate of this CA can get one for any name; name the root of those who "
		                "may",
		                p->name))
			return e->status;
	}
	return ST_OK;
}

enum status caconf_warn_of_expiry(struct caconf *c, struct error *e)
{
	for (size_t i = 0; i < c->provs_n; i++) {
		const struct provisioner *p = &c->provs[i];
		if (p->disabled || !p->claims.allow_renewal_after_expiry || p->claims.renewal_after_expiry_ns)
			continue;
		if (caconf_warn(c, e,
		                "authority.provisioners: \"%s\" renews certificates however long ago they expired, and "
		                "all are kept in the database for it; set claims.renewalAfterExpiry, such as 720h",
		                p->name))
			return e->status;
	}
	return ST_OK;
}

static enum status warn_all(struct caconf *c, const struct authority *a, struct wall now, struct error *e)
{
	for (size_t i = 0; i < a->roots.n; i++)
		if (warn_of_end(c, "root", a->roots.v[i], now, e))
			return e->status;
	for (size_t i = 0; i < a->issuers.n; i++)
		if (warn_of_end(c, "crt", a->issuers.v[i], now, e))
			return e->status;
	if (warn_of_order(c, &a->issuers, e) || warn_of_own_root(c, a, e) || caconf_warn_of_expiry(c, e))
		return e->status;
	return warn_of_claims(c, a->issuers.v[0], now, e);
}

/* ---- parts of the snapshot ---- */

/* An RSA issuer signs as it was signed itself, if that was RSA with a digest of today (spec/server.md §3.1). */
static enum status issuer_alg(const struct cert *issuer, EVP_PKEY *key, enum sign_alg *ret, struct error *e)
{
	enum sign_alg own;
	struct error why = ERROR_INIT;
	if (sign_alg_for_key(key, ret, e))
		return error_wrap(e, "key");
	if (key_facts_of(key).kind == KEY_RSA && !cert_sign_alg(issuer, &own, &why) && own >= SIGN_RSA_SHA256 &&
	    own <= SIGN_PSS_SHA512)
		*ret = own;
	return ST_OK;
}

static enum status copy_text(char **to, const char *from, struct error *e)
{
	if (from && !(*to = text_dup(slice_cstr(from))))
		return error_nomem(e);
	return ST_OK;
}

static enum status copy_provisioner(const struct provisioner *p, struct provisioner *to, struct error *e)
{
	to->type = p->type;
	to->claims = p->claims;
	to->json = json_incref(p->json); /* never changed after loading */
	if (copy_text(&to->name, p->name, e) || copy_text(&to->id, p->id, e) || copy_text(&to->uid, p->uid, e) ||
	    copy_text(&to->encrypted_key, p->encrypted_key, e) || copy_text(&to->disabled, p->disabled, e) ||
	    copy_text(&to->key.kid, p->key.kid, e) || copy_text(&to->key.alg, p->key.alg, e) ||
	    copy_text(&to->key.use, p->key.use, e))
		return e->status;
	to->key.is_private = p->key.is_private;
	to->key.no_sign = p->key.no_sign;
	to->key.no_verify = p->key.no_verify;
	if (p->key.key && EVP_PKEY_up_ref(p->key.key))
		to->key.key = p->key.key;
	for (size_t i = 0; i < p->roots.n; i++)
		if (chain_add(&to->roots, p->roots.v[i], e))
			return e->status;
	return p->roots.n ? trust_new(&to->roots, false, &to->credentials, e) : ST_OK;
}

static enum status copy_settings(const struct caconf *c, struct authority *a, struct error *e)
{
	a->backdate_ns = c->backdate_ns;
	a->renewal_window_ns = c->renewal_window_ns;
	a->disable_issued_at_check = c->disable_issued_at_check;
	a->store_forgets = c->store.kind == STORE_MEMORY;
	a->renew_without_provisioner = c->renew_without_provisioner;
	a->provs = calloc(c->provs_n ? c->provs_n : 1, sizeof *a->provs);
	a->dns_names = calloc(c->dns_n ? c->dns_n : 1, sizeof *a->dns_names);
	if (!a->provs || !a->dns_names)
		return error_nomem(e);
	for (; a->provs_n < c->provs_n; a->provs_n++) {
		enum status st = copy_provisioner(&c->provs[a->provs_n], &a->provs[a->provs_n], e);
		if (st) {
			a->provs_n++;
			return st;
		}
	}
	for (; a->dns_n < c->dns_n; a->dns_n++)
		if (copy_text(&a->dns_names[a->dns_n], c->dns_names[a->dns_n], e))
			return e->status;
	const struct {
		char **to;
		const char *from;
	} texts[] = {
		{ &a->listener_common_name, c->common_name },
		{ &a->crl_url, c->crl.enabled ? c->crl.idp_url : NULL },
		{ &a->subject.country, c->subject.country },
		{ &a->subject.organization, c->subject.organization },
		{ &a->subject.organizational_unit, c->subject.organizational_unit },
		{ &a->subject.locality, c->subject.locality },
		{ &a->subject.province, c->subject.province },
		{ &a->subject.street_address, c->subject.street_address },
		{ &a->subject.serial_number, c->subject.serial_number },
		{ &a->subject.common_name, c->subject.common_name },
	};
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (copy_text(texts[i].to, texts[i].from, e))
			return e->status;
	return ST_OK;
}

static enum status make_client_trust(struct authority *a, struct error *e)
{
	AUTO(chain_done) struct chain anchors = { 0 };
	for (size_t i = 0; i < a->roots.n; i++)
		if (chain_add(&anchors, a->roots.v[i], e))
			return e->status;
	for (size_t i = 0; i < a->issuers.n; i++)
		if (chain_add(&anchors, a->issuers.v[i], e))
			return e->status;
	return trust_new(&anchors, true, &a->client_trust, e);
}

static void drop_authority(struct authority **a)
{
	if (*a)
		authority_unref(*a);
}

enum status caconf_build(struct caconf *c, const struct password_source *password, struct wall now,
                         struct authority **ret, struct error *e)
{
	AUTO(drop_authority) struct authority *a = authority_new();
	AUTO(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	enum sign_alg alg;
	if (!a)
		return error_nomem(e);
	if (add_files("root", c->roots, c->roots_n, &a->roots, e) ||
	    add_files("federatedRoots", c->federated, c->federated_n, &a->federated, e) ||
	    add_file("crt", c->crt, &a->issuers, e) || load_key(c, password, &key, e))
		return e->status;
	if (check_issuer(c, a->issuers.v[0], key, now, e) || check_path(c, a, now, e))
		return e->status;
	if (issuer_alg(a->issuers.v[0], key, &alg, e) || signer_new(key, alg, &a->signer, e) ||
	    make_client_trust(a, e) || copy_settings(c, a, e) || warn_all(c, a, now, e))
		return e->status;
	*ret = TAKE(a);
	return ST_OK;
}
