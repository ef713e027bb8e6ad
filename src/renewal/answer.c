#include "renewal/answer.h"

#include "crypto/keys.h"

enum { SHORTER_BY_S = 60 }; /* less is the backdate's rounding */

static const char *const type_nouns[] = {
	[SAN_DNS] = "DNS names", [SAN_EMAIL] = "email addresses", [SAN_IP] = "IP addresses",
	[SAN_URI] = "URIs",      [SAN_OTHER] = "other names",
};

static enum status check_names(const struct cert_facts *got, const struct cert_facts *old, struct error *e)
{
	if (strcmp(got->common_name, old->common_name))
		return error_set(e, ST_PEER, "the new certificate's common name is '%s', the old one's '%s'",
		                 got->common_name, old->common_name);
	for (enum san_type t = 0; t < COUNT_OF(type_nouns); t++)
		if (!san_list_same(got->sans, old->sans, t))
			return error_set(e, ST_PEER, "the new certificate's %s are not those of the old one",
			                 type_nouns[t]);
	return ST_OK;
}

/* At our clock, or where that runs behind the CA's, at the beginning of the certificate. */
static enum status check_chain(const struct chain *got, const struct cert_facts *leaf, const struct answer_terms *t,
                               struct error *e)
{
	struct chain rest = { got->v + 1, got->n - 1 };
	struct wall at = t->now.s < leaf->not_before.s ? leaf->not_before : t->now;
	enum status st = trust_verify(t->trust, got->v[0], &rest, at, TRUST_ANY, e);
	if (st != ST_DENIED && st != ST_EXPIRED)
		return st;
	e->status = ST_PEER;
	return error_wrap(e, "the new certificate does not lead to our root");
}

enum status answer_check(const struct chain *got, const struct answer_terms *t, struct answer_notes *ret,
                         struct error *e)
{
	char when[WALL_TEXT];
	enum status st;

	if (!got->n)
		return error_set(e, ST_PEER, "the answer holds no certificate");
	const struct cert_facts *f = cert_facts(got->v[0]);
	const struct cert_facts *old = t->old ? cert_facts(t->old) : NULL;
	if (f->is_ca)
		return error_set(e, ST_PEER, "the answer's first certificate is that of a CA");
	if (old && slice_eq(f->der, old->der))
		return error_set(e, ST_PEER, "it is the certificate that is to be renewed");
	if (!key_equal(cert_key(got->v[0]), t->key))
		return error_set(e, ST_PEER, "the new certificate is not for our key");
	if (f->not_after.s < t->now.s)
		return error_set(e, ST_PEER, "the new certificate expired on %s already",
		                 wall_rfc3339(f->not_after, when));
	if (old && (st = check_names(f, old, e)))
		return st;
	if (t->trust && (st = check_chain(got, f, t, e)))
		return st;
	struct answer_notes n = { .new_life_s = f->not_after.s - f->not_before.s,
		                  .not_yet_valid = f->not_before.s > t->now.s };
	if (old) {
		n.old_life_s = old->not_after.s - old->not_before.s;
		n.shorter = n.new_life_s < n.old_life_s - SHORTER_BY_S;
	}
	*ret = n;
	return ST_OK;
}
