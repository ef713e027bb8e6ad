/* issue_renew.c - a certificate from an older one (spec/server.md §1.2, §3.7). */
#include "authority/issue_internal.h"
#include "authority/urgency.h"

#include "crypto/digest.h"
#include "x509/profile.h"

#include <stdio.h>

/* --- may it? ------------------------------------------------------------------------------------------------------ */

/* Whose certificate is it? The store knows the id it was issued under; where that provisioner is gone, one of the name
 * in the certificate will do, so that a provisioner that was made anew goes on renewing. Refuses where it came from a
 * provisioner that is no more; *ret is NULL where nothing says that it came from any. */
static bool find_provisioner(const struct authority *a, const struct cert_facts *f, const struct parent_facts *facts,
                             const struct provisioner **ret, struct verdict *v)
{
	bool recorded = facts->known && *facts->provisioner_id;
	*ret = recorded ? authority_find_provisioner(a, facts->provisioner_id) : NULL;
	if (!*ret && f->has_provisioner)
		*ret = authority_find_provisioner_named(a, f->provisioner.name);
	if (*ret || (!recorded && !f->has_provisioner))
		return true;
	verdict_refuse(v, REFUSAL_UNAUTHORIZED, "the certificate's provisioner \"%s\" does not exist any more",
	               f->has_provisioner ? f->provisioner.name : facts->provisioner_id);
	verdict_advise(v, "get a new certificate with a token, or add a provisioner of that name");
	return false;
}

static bool check_unprovisioned(const struct authority *a, bool by_token, struct verdict *v)
{
	if (by_token) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED,
		               "a certificate without provisioner information cannot be renewed with a token");
		verdict_advise(v, "renew it over TLS with the certificate itself, or get a new one");
	} else if (!a->renew_without_provisioner) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "the certificate carries no provisioner information");
		verdict_advise(v, "set authority.renewWithoutProvisioner in ca.json, or get a new "
		                  "certificate with a token");
	}
	return !v->refusal;
}

static bool check_provisioner(const struct provisioner *p, struct verdict *v)
{
	if (p->disabled) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "provisioner \"%s\" is disabled: %s", p->name, p->disabled);
		verdict_tell(v, "provisioner \"%s\" is disabled due to an initialization error", p->name);
		verdict_advise(v, "correct the provisioner in ca.json and reload");
	} else if (p->claims.disable_renewal) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "renewal is disabled for provisioner \"%s\" (%s)", p->name,
		               p->id);
		verdict_advise(v, "claims.disableRenewal of the provisioner forbids it; get a new certificate");
	}
	return !v->refusal;
}

static bool refuse_expired(struct wall not_after, const char *why, const char *remedy, struct verdict *v)
{
	char t[WALL_TEXT];
	wall_go(not_after, t);
	verdict_refuse(v, REFUSAL_UNAUTHORIZED, "certificate expired on %s%s", t, why);
	/* This one text has the frame that the peer gives no other 401. */
	verdict_tell(v, "The request lacked necessary authorization to be completed: certificate expired on %s", t);
	verdict_advise(v, "%s", remedy);
	return false;
}

static bool check_time(const struct cert_facts *f, const struct parent_facts *facts, const struct provisioner *p,
                       struct wall now, bool by_token, struct verdict *v)
{
	char t[WALL_TEXT];
	int64_t since_s = now.s - f->not_after.s;
	if (now.s < f->not_before.s) {
		verdict_refuse(v, REFUSAL_UNAUTHORIZED, "certificate is not valid before %s",
		               wall_go(f->not_before, t));
		verdict_advise(v, "compare the clocks of the CA and of the client");
		return false;
	}
	if (since_s <= 0)
		return true;
	if (!by_token)
		return refuse_expired(f->not_after, "",
		                      "an expired certificate is renewed with a token, where the "
		                      "provisioner allows it",
		                      v);
	if (!p->claims.allow_renewal_after_expiry)
		return refuse_expired(f->not_after, "",
		                      "claims.allowRenewalAfterExpiry of the provisioner would allow it; "
		                      "get a new certificate",
		                      v);
	if (p->claims.renewal_after_expiry_ns && since_s > p->claims.renewal_after_expiry_ns / DURATION_S)
		return refuse_expired(f->not_after, ", longer ago than the provisioner allows",
		                      "get a new certificate with a token", v);
	/* Whether it was superseded is not known any more. */
	if (facts->forgotten)
		return refuse_expired(f->not_after, " and is not in the database any more",
		                      "get a new certificate with a token; db.prune.keepExpired of ca.json says how "
		                      "long certificates are remembered",
		                      v);
	return true;
}

/* Renew tokens name the client program, or the provisioner that the certificate came from. */
static bool check_issuer(const struct renew_token *t, const struct provisioner *p, struct verdict *v)
{
	const char *iss = t->ott.iss ? t->ott.iss : "";
	if (!strcmp(iss, "step-ca-client/1.0") || !strcmp(iss, p->name))
		return true;
	verdict_refuse(v, REFUSAL_UNAUTHORIZED, "renew token: issuer (iss) is \"%.64s\"", iss);
	verdict_tell(v, "error validating renew token: invalid issuer claim (iss)");
	return false;
}

enum status renew_decide(const struct authority *a, const struct cert *parent, const struct parent_facts *facts,
                         struct wall now, const struct renew_token *token, const struct provisioner **ret_prov,
                         struct verdict *v, struct error *e)
{
	const struct cert_facts *f = cert_facts(parent);
	const struct provisioner *p;

	(void)e; /* part of every decide function's shape; this one cannot fail */
	*v = VERDICT_GRANTED;
	if (f->is_ca) {
		verdict_refuse_told(v, REFUSAL_FORBIDDEN, "a certificate of a certificate authority cannot be renewed");
		return ST_OK;
	}
	if (!find_provisioner(a, f, facts, &p, v) ||
	    !(p ? check_provisioner(p, v) : check_unprovisioned(a, token, v)) || (token && !check_issuer(token, p, v)))
		return ST_OK;
	if (check_time(f, facts, p, now, token, v))
		*ret_prov = p;
	return ST_OK;
}

/* --- the new one -------------------------------------------------------------------------------------------------- */

/* The old span is kept: what was granted, where the store remembers it, as an issuer near its end may have cut the
 * certificate short; else what the certificate shows. */
static bool renewed_validity(const struct authority *a, const struct cert_facts *f, const struct parent_facts *facts,
                             struct wall now, struct validity *ret, struct verdict *v)
{
	struct validity val = { .not_before = issue_add_ns(now, -a->backdate_ns) };
	int64_t span_s = facts->known && facts->granted_s > 0 ? facts->granted_s : f->not_after.s - f->not_before.s;
	val.granted_until.s = span_s < WALL_MAX_S - val.not_before.s ? val.not_before.s + span_s : WALL_MAX_S;
	if (!issue_clamp(a, now, &val, v))
		return false;
	*ret = val;
	return true;
}

static void put_into_line(struct cert_row *row, const struct cert_facts *parent, const struct parent_facts *facts)
{
	bool lined = facts->known && *facts->line;
	snprintf(row->parent, sizeof row->parent, "%s", parent->serial_text);
	snprintf(row->line, sizeof row->line, "%s", lined ? facts->line : parent->serial_text);
	row->generation = lined ? facts->generation + 1 : 1;
}

static enum status write_renewed(const struct authority *a, const struct cert *parent, const struct csr *csr,
                                 const struct validity *val, const uint8_t serial[ISSUE_SERIAL_BYTES],
                                 struct cert **ret, struct verdict *v, struct error *e)
{
	AUTO(buf_done) struct buf extensions = BUF_INIT(CERT_MAX);
	const struct cert_facts *f = cert_facts(parent);
	struct slice new_key = csr ? buf_slice(&csr->spki) : SLICE_NONE;
	enum status st = profile_renewed(parent, cert_facts(a->issuers.v[0])->subject_key_id, new_key, a->crl_url,
	                                 &extensions, e);
	if (st)
		return st;
	struct cert_draft d = { .serial = slice_of(serial, ISSUE_SERIAL_BYTES),
		                .subject = f->subject,
		                .spki = csr ? new_key : f->spki,
		                .not_before = val->not_before,
		                .not_after = val->not_after,
		                .extensions = buf_slice(&extensions) };
	return issue_write(a, &d, ret, v, e);
}

enum status issue_renewed(const struct authority *a, const struct cert *parent, const struct parent_facts *facts,
                          const struct provisioner *prov, const struct csr *csr, struct wall now,
                          const uint8_t serial[ISSUE_SERIAL_BYTES], struct issued *ret, struct verdict *v,
                          struct error *e)
{
	AUTO(issued_done) struct issued out = { 0 };
	struct validity val = { 0 };
	enum status st;

	*v = VERDICT_GRANTED;
	if (csr && ((st = issue_check_key(csr, v, e)) || v->refusal))
		return st;
	if (!renewed_validity(a, cert_facts(parent), facts, now, &val, v))
		return ST_OK;
	if ((st = write_renewed(a, parent, csr, &val, serial, &out.cert, v, e)) || v->refusal)
		return st;
	if ((st = issue_change(csr ? CHANGE_REKEY : CHANGE_RENEW, out.cert, prov, &val, now, &out.change, e)))
		return st;
	put_into_line(&out.change->cert, cert_facts(parent), facts);
	if ((st = digest_sha256(cert_facts(parent)->spki, out.change->parent_key, e)))
		return st;
	out.change->urgency = urgency_of_life(cert_facts(parent)->not_before, cert_facts(parent)->not_after, now);
	out.change->after_expiry = now.s > cert_facts(parent)->not_after.s;
	out.change->window_s = a->renewal_window_ns / DURATION_S;
	out.clamped = val.not_after.s < val.granted_until.s;
	out.asked_not_after = val.granted_until;
	*ret = out;
	out = (struct issued){ 0 };
	return ST_OK;
}
