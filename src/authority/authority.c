#include "authority/authority.h"

#include "base/b64.h"
#include "crypto/digest.h"
#include "jose/jsonio.h"

#include <stdlib.h>

struct authority *authority_new(void)
{
	struct authority *a = calloc(1, sizeof *a);
	if (a)
		a->refs = 1;
	return a;
}

struct authority *authority_ref(struct authority *a)
{
	__atomic_add_fetch(&a->refs, 1, __ATOMIC_RELAXED);
	return a;
}

void provisioner_done(struct provisioner *p)
{
	free(p->name);
	free(p->id);
	free(p->uid);
	jwk_done(&p->key);
	chain_done(&p->roots);
	trust_free(p->credentials);
	free(p->encrypted_key);
	free(p->disabled);
	json_decref(p->json);
	*p = (struct provisioner){ 0 };
}

static void destroy(struct authority *a)
{
	chain_done(&a->issuers);
	signer_free(a->signer);
	chain_done(&a->roots);
	chain_done(&a->federated);
	trust_free(a->client_trust);
	for (size_t i = 0; i < a->provs_n; i++)
		provisioner_done(&a->provs[i]);
	free(a->provs);
	for (size_t i = 0; i < a->dns_n; i++)
		free(a->dns_names[i]);
	free(a->dns_names);
	free(a->listener_common_name);
	free(a->crl_url);
	char *attrs[] = { a->subject.country,       a->subject.organization, a->subject.organizational_unit,
		          a->subject.locality,      a->subject.province,     a->subject.street_address,
		          a->subject.serial_number, a->subject.common_name };
	for (size_t i = 0; i < COUNT_OF(attrs); i++)
		free(attrs[i]);
	free(a);
}

void authority_unref(struct authority *a)
{
	if (a && __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) == 0)
		destroy(a);
}

const struct provisioner *authority_find_provisioner(const struct authority *a, const char *id)
{
	for (size_t i = 0; i < a->provs_n; i++)
		if (!strcmp(a->provs[i].id, id))
			return &a->provs[i];
	return NULL;
}

const struct provisioner *authority_find_provisioner_named(const struct authority *a, const char *name)
{
	for (size_t i = 0; i < a->provs_n; i++)
		if (!strcmp(a->provs[i].name, name))
			return &a->provs[i];
	return NULL;
}

/* How each type forms its id (spec/server.md §2.3) and where its credential stands in its JSON. */
static const struct id_form {
	const char *prefix; /* "x5c/NAME" */
	const char *fixed;  /* the whole id */
	bool name_first;    /* "NAME:CREDENTIAL"; else, without the two above, the credential alone */
	const char *member; /* JSON member with the credential, or NULL */
} id_forms[] = {
	[PROV_JWK] = { .name_first = true },     [PROV_OIDC] = { .member = "clientID" },
	[PROV_GCP] = { .prefix = "gcp/" },       [PROV_AWS] = { .prefix = "aws/" },
	[PROV_AZURE] = { .member = "tenantID" }, [PROV_ACME] = { .prefix = "acme/" },
	[PROV_X5C] = { .prefix = "x5c/" },       [PROV_K8SSA] = { .fixed = "k8ssa/k8sSA-default" },
	[PROV_SSHPOP] = { .prefix = "sshpop/" }, [PROV_SCEP] = { .prefix = "scep/" },
	[PROV_NEBULA] = { .prefix = "nebula/" },
};

static const struct id_form *form_of(int type)
{
	return type > 0 && type < (int)COUNT_OF(id_forms) ? &id_forms[type] : NULL;
}

void provisioner_format_id(struct buf *out, int type, const char *name, const char *credential_id)
{
	const struct id_form *f = form_of(type);
	if (!f)
		buf_adds(out, name);
	else if (f->fixed)
		buf_adds(out, f->fixed);
	else if (f->prefix)
		buf_addf(out, "%s%s", f->prefix, name);
	else if (f->name_first)
		buf_addf(out, "%s:%s", name, credential_id);
	else
		buf_adds(out, credential_id);
}

/* "" where the type has none. Borrowed from p. */
static const char *credential_of(const struct provisioner *p)
{
	const struct id_form *f = form_of(p->type);
	const char *s = NULL;
	if (p->type == PROV_JWK)
		s = p->key.kid ? p->key.kid : json_string_value(jsonio_field(jsonio_field(p->json, "key"), "kid"));
	else if (f && f->member)
		s = json_string_value(jsonio_field(p->json, f->member));
	return s ? s : "";
}

/* 8 hex digits of the index and the last 32 of the SHA-1 of the id: sorts in the order of the configuration. */
static enum status make_uid(const char *id, size_t index, struct buf *out, struct error *e)
{
	uint8_t sum[SHA1_BYTES];
	enum status st = digest_sha1(slice_cstr(id), sum, e);
	if (st)
		return st;
	buf_addf(out, "%08x", (unsigned)index);
	hex_encode(out, slice_of(sum + SHA1_BYTES - 16, 16));
	return buf_check(out, e);
}

enum { EXTENSION_TEXT_MAX = sizeof(((struct provisioner_ext *)0)->name) - 1 };

enum status provisioner_name_ids(struct provisioner *p, size_t index, struct error *e)
{
	AUTO(buf_done) struct buf id = BUF_INIT(4096);
	AUTO(buf_done) struct buf uid = BUF_INIT(64);
	const char *credential = credential_of(p);
	enum status st;

	if (p->type == PROV_JWK && !*credential && !p->disabled)
		return error_set(e, ST_INVALID, "provisioner %.64s: its key has no kid", p->name);
	if (strlen(p->name) > EXTENSION_TEXT_MAX || strlen(credential) > EXTENSION_TEXT_MAX)
		return error_set(e, ST_LIMIT, "provisioner %.64s...: name or key id longer than %d bytes", p->name,
		                 (int)EXTENSION_TEXT_MAX);
	provisioner_format_id(&id, p->type, p->name, credential);
	if ((st = buf_check(&id, e)))
		return st;
	if ((st = make_uid(buf_cstr(&id), index, &uid, e)))
		return st;
	free(p->id);
	free(p->uid);
	p->id = buf_take(&id);
	p->uid = buf_take(&uid);
	return p->id && p->uid ? ST_OK : error_nomem(e);
}

struct provisioner_ext provisioner_extension(const struct provisioner *p)
{
	struct provisioner_ext x = { .type = p->type };
	snprintf(x.name, sizeof x.name, "%s", p->name);
	if (p->type == PROV_JWK)
		snprintf(x.credential_id, sizeof x.credential_id, "%s", credential_of(p));
	return x;
}
