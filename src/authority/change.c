#include "authority/change.h"

#include "authority/authority.h"
#include "authority/urgency.h"
#include "crypto/digest.h"

#include <stdlib.h>

static const char *const outcome_names[] = {
	[OUTCOME_DONE] = "done",
	[OUTCOME_DONE_AGAIN] = "done-again",
	[OUTCOME_DONE_SECOND] = "done-second",
	[OUTCOME_TOKEN_USED] = "token-used",
	[OUTCOME_PARENT_REVOKED] = "parent-revoked",
	[OUTCOME_PARENT_SUPERSEDED] = "parent-superseded",
	[OUTCOME_LINE_CLOSED] = "line-closed",
	[OUTCOME_KEY_BLOCKED] = "key-blocked",
	[OUTCOME_CREDENTIAL_REVOKED] = "credential-revoked",
	[OUTCOME_FOREIGN] = "foreign",
	[OUTCOME_ALREADY_REVOKED] = "already-revoked",
	[OUTCOME_UNSUPPORTED] = "unsupported",
};
_Static_assert(COUNT_OF(outcome_names) == OUTCOME_COUNT, "an outcome has no name");

const char *outcome_name(enum outcome o)
{
	return (unsigned)o < OUTCOME_COUNT ? outcome_names[o] : "?";
}

static const char *const scope_names[] = {
	[SCOPE_LINEAGE] = "lineage",
	[SCOPE_DESCENDANTS] = "descendants",
};
_Static_assert(COUNT_OF(scope_names) == SCOPE_COUNT, "a scope has no name");

const char *line_scope_name(enum line_scope s)
{
	return (unsigned)s < SCOPE_COUNT ? scope_names[s] : "?";
}

struct change *change_new(enum change_kind kind)
{
	struct change *c = calloc(1, sizeof *c);
	if (c) {
		c->kind = kind;
		c->urgency = kind == CHANGE_REVOKE || kind == CHANGE_REVOKE_LINE ? URGENCY_REVOKE : URGENCY_NEW;
	}
	return c;
}

void cert_row_done(struct cert_row *r)
{
	buf_done(&r->der);
	free(r->subject);
	free(r->sans);
	free(r->provisioner_id);
	free(r->provisioner_name);
	*r = (struct cert_row){ 0 };
}

void change_free(struct change *c)
{
	if (!c)
		return;
	cert_row_done(&c->cert);
	free(c->token_id);
	free(c->reason);
	free(c->provisioner_id);
	free(c);
}

static char *join_sans(const struct san_list *l)
{
	AUTO(buf_done) struct buf b = BUF_INIT(4 << 20);
	for (size_t i = 0; i < l->n; i++)
		buf_addf(&b, "%s%s", i ? "\n" : "", l->v[i].text);
	return buf_take(&b);
}

static char *extension_id(const struct cert_facts *f)
{
	AUTO(buf_done) struct buf b = BUF_INIT(4096);
	if (f->has_provisioner)
		provisioner_format_id(&b, f->provisioner.type, f->provisioner.name, f->provisioner.credential_id);
	return buf_take(&b);
}

enum status cert_row_of(const struct cert *c, struct wall created, struct cert_row *ret, struct error *e)
{
	const struct cert_facts *f = cert_facts(c);
	AUTO(cert_row_done) struct cert_row r = { .der = BUF_INIT(CERT_MAX) };
	enum status st;

	memcpy(r.serial, f->serial_text, sizeof r.serial);
	memcpy(r.line, f->serial_text, sizeof r.line);
	buf_add_slice(&r.der, f->der);
	if ((st = buf_check(&r.der, e)))
		return error_wrap(e, "certificate");
	if ((st = digest_sha256(f->spki, r.key_fingerprint, e)))
		return st;
	r.subject = text_dup(slice_cstr(f->common_name));
	r.sans = join_sans(f->sans);
	r.provisioner_id = extension_id(f);
	r.provisioner_name = text_dup(slice_cstr(f->has_provisioner ? f->provisioner.name : ""));
	if (!r.subject || !r.sans || !r.provisioner_id || !r.provisioner_name)
		return error_nomem(e);
	r.provisioner_type = f->has_provisioner ? f->provisioner.type : 0;
	r.not_before = f->not_before;
	r.not_after = f->not_after;
	r.granted_s = f->not_after.s - f->not_before.s;
	r.created = created;
	*ret = r;
	r = (struct cert_row){ 0 };
	return ST_OK;
}
