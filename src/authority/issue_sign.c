/* issue_sign.c - a first certificate from a token and a request. What the certificate says comes from the token; the
 * request gives the key, and is refused where it asks for something else (spec/server.md §3.1, §3.2). */
#include "authority/issue_internal.h"

#include "base/b64.h"
#include "crypto/digest.h"
#include "x509/name.h"
#include "x509/profile.h"

#include <stdio.h>

/* --- what the request may say ------------------------------------------------------------------------------------- */

/* The request is the one that the token was made for (cnf."x5rt#S256"). */
static enum status check_cnf(const struct ott *t, const struct csr *csr, struct verdict *v, struct error *e)
{
	AUTO(buf_done) struct buf is = BUF_INIT(64);
	uint8_t sum[SHA256_BYTES];
	enum status st;
	if (!t->cnf_x5rt)
		return ST_OK;
	if ((st = digest_sha256(buf_slice(&csr->der), sum, e)))
		return st;
	b64_encode(&is, slice_of(sum, sizeof sum), B64_URL_RAW);
	if ((st = buf_check(&is, e)))
		return st;
	if (!slice_eq_consttime(buf_slice(&is), slice_cstr(t->cnf_x5rt)))
		verdict_refuse_told(v, REFUSAL_FORBIDDEN, "certificate request fingerprint does not match \"%.128s\"",
		                    t->cnf_x5rt);
	return ST_OK;
}

/* A list as Go prints a slice, "[a b]", cut at whole names. */
struct go_list {
	char text[208];
	size_t n;
	bool full;
};

static void go_list_add(struct go_list *l, const char *name)
{
	enum { TAIL = sizeof " ...]" };
	size_t need = strlen(name) + 1;
	if (l->full)
		return;
	if (l->n + need + TAIL > sizeof l->text) {
		name = "...";
		l->full = true;
	}
	l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s%s", l->n ? " " : "[", name);
}

static const char *go_list_end(struct go_list *l)
{
	snprintf(l->text + l->n, sizeof l->text - l->n, "%s", l->n ? "]" : "[]");
	return l->text;
}

static bool names_include(const struct ott *t, const char *name)
{
	for (size_t i = 0; i < t->sans_n; i++)
		if (!strcmp(t->sans[i], name))
			return true;
	return !strcmp(t->sub, name);
}

/* Of a JWK token any name; of an X5C token the subject alone. */
static bool check_common_name(const struct authorization *auth, const struct csr *csr, struct verdict *v)
{
	const struct ott *t = &auth->ott;
	bool any = auth->prov->type == PROV_JWK;
	struct go_list want = { 0 };
	if (!*csr->common_name || (any ? names_include(t, csr->common_name) : !strcmp(t->sub, csr->common_name)))
		return true;
	if (!any) {
		verdict_refuse_told(
			v, REFUSAL_FORBIDDEN,
			"certificate request does not contain the valid common name - got %.200s, want %.200s",
			csr->common_name, t->sub);
		return false;
	}
	go_list_add(&want, t->sub);
	for (size_t i = 0; i < t->sans_n; i++)
		if (strcmp(t->sans[i], t->sub))
			go_list_add(&want, t->sans[i]);
	verdict_refuse_told(v, REFUSAL_FORBIDDEN,
	                    "certificate request does not contain the valid common name - got %.200s, want %s",
	                    csr->common_name, go_list_end(&want));
	return false;
}

static const char *list_names(const struct san_list *l, enum san_type type, struct go_list *out)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].type == type)
			go_list_add(out, l->v[i].text);
	return go_list_end(out);
}

static bool has_type(const struct san_list *l, enum san_type type)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].type == type)
			return true;
	return false;
}

/* Per type, and only where the request has names of that type: the two sets must be equal. */
static bool check_sans(const struct san_list *want, const struct san_list *got, struct verdict *v)
{
	static const struct {
		enum san_type type;
		const char *noun;
	} types[] = {
		{ SAN_DNS, "DNS names" },
		{ SAN_EMAIL, "email addresses" },
		{ SAN_IP, "IP addresses" },
		{ SAN_URI, "URIs" },
	};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct go_list g = { 0 }, w = { 0 };
		if (!has_type(got, types[i].type) || san_list_same(got, want, types[i].type))
			continue;
		verdict_refuse_told(
			v, REFUSAL_FORBIDDEN, "certificate request does not contain the valid %s - got %s, want %s",
			types[i].noun, list_names(got, types[i].type, &g), list_names(want, types[i].type, &w));
		return false;
	}
	return true;
}

/* The token's names as a certificate carries them: sans, else [sub]. */
static enum status names_of_token(const struct ott *t, struct san_list *ret, struct verdict *v, struct error *e)
{
	enum status st = ST_OK;
	if (!t->sans_n)
		st = san_list_add(ret, slice_cstr(t->sub), e);
	for (size_t i = 0; !st && i < t->sans_n; i++)
		st = san_list_add(ret, slice_cstr(t->sans[i]), e);
	if (st == ST_INVALID || st == ST_LIMIT) {
		verdict_refuse_told(v, REFUSAL_MALFORMED, "token names: %s", e->text);
		verdict_advise(v, "names in certificates are ASCII; write international domain names as xn--...");
		return ST_OK;
	}
	return st;
}

static enum status check_request(const struct authorization *auth, const struct csr *csr, struct san_list *ret_names,
                                 struct verdict *v, struct error *e)
{
	const struct ott *t = &auth->ott;
	enum status st;
	if ((st = check_cnf(t, csr, v, e)) || v->refusal)
		return st;
	if (!check_common_name(auth, csr, v))
		return ST_OK;
	if ((st = issue_check_key(csr, v, e)) || v->refusal)
		return st;
	if ((st = names_of_token(t, ret_names, v, e)) || v->refusal)
		return st;
	check_sans(ret_names, &csr->sans, v);
	return ST_OK;
}

/* --- validity (spec/server.md §3.3) ------------------------------------------------------------------------------- */

struct when {
	enum { WHEN_UNSET, WHEN_AT, WHEN_AFTER } kind;
	struct wall at;
	int64_t after_ns;
};

/* RFC 3339, or a duration; a duration of 0 is as good as none, as in the peer. */
static bool when_parse(struct slice s, struct when *ret)
{
	struct error e = ERROR_INIT;
	struct when w = { WHEN_UNSET, { 0 }, 0 };
	if (!s.n) {
		*ret = w;
		return true;
	}
	if (!wall_parse_rfc3339(s, &w.at, &e))
		w.kind = WHEN_AT;
	else if (!duration_parse(s, &w.after_ns, &e))
		w.kind = w.after_ns ? WHEN_AFTER : WHEN_UNSET;
	else
		return false;
	*ret = w;
	return true;
}

static bool times_parse(const struct sign_request *req, struct when *not_before, struct when *not_after,
                        struct verdict *v)
{
	if (when_parse(req->not_before, not_before) && when_parse(req->not_after, not_after))
		return true;
	verdict_refuse(v, REFUSAL_MALFORMED, "notBefore or notAfter is neither a time nor a duration");
	verdict_tell(v, "error decoding json");
	return false;
}

bool issue_check_times(const struct sign_request *req, struct verdict *v)
{
	struct when nb, na;
	*v = VERDICT_GRANTED;
	return times_parse(req, &nb, &na, v);
}

static struct wall when_from(const struct when *w, struct wall base)
{
	return w->kind == WHEN_AT ? w->at : issue_add_ns(base, w->after_ns);
}

static bool refuse_span(struct verdict *v, const char *than, int64_t span_ns, const char *bound, int64_t bound_ns)
{
	char span[DURATION_TEXT], limit[DURATION_TEXT];
	verdict_refuse_told(v, REFUSAL_FORBIDDEN,
	                    "requested duration of %s is %s than the authorized %s certificate duration of %s",
	                    duration_format(span_ns, span), than, bound, duration_format(bound_ns, limit));
	verdict_advise(v, "ask for another span, or change %sTLSCertDuration in the provisioner's claims",
	               *bound == 'm' && bound[1] == 'i' ? "min" : "max");
	return false;
}

/* The peer's order; the bounds count the backdate, on one side only. */
static bool check_span(const struct authority *a, const struct claims *c, const struct validity *val, struct wall now,
                       struct verdict *v)
{
	char na[WALL_TEXT], nb[WALL_TEXT];
	int64_t span_ns, max_ns;
	if (val->granted_until.s < now.s) {
		verdict_refuse_told(v, REFUSAL_MALFORMED, "notAfter cannot be in the past; na=%s",
		                    wall_go(val->granted_until, na));
		return false;
	}
	if (val->granted_until.s < val->not_before.s) {
		verdict_refuse_told(v, REFUSAL_MALFORMED, "notAfter cannot be before notBefore; na=%s, nb=%s",
		                    wall_go(val->granted_until, na), wall_go(val->not_before, nb));
		return false;
	}
	bool endless = __builtin_mul_overflow(val->granted_until.s - val->not_before.s, DURATION_S, &span_ns);
	if (endless)
		span_ns = INT64_MAX;
	if (__builtin_add_overflow(c->max_ns, a->backdate_ns, &max_ns))
		max_ns = INT64_MAX;
	if (span_ns < c->min_ns)
		return refuse_span(v, "less", span_ns, "minimum", c->min_ns);
	if (endless || span_ns > max_ns)
		return refuse_span(v, "more", span_ns, "maximum", max_ns);
	return true;
}

/* What a certificate vouches for does not begin before it nor end after it (spec/server.md §2.4). */
static bool check_credential(const struct authorization *auth, struct wall begin, const struct when *not_after,
                             struct validity *val, struct verdict *v)
{
	char asked[WALL_TEXT], limit[WALL_TEXT];
	if (!auth->credential.n)
		return true;
	const struct cert_facts *f = cert_facts(auth->credential.v[0]);
	if (begin.s < f->not_before.s) {
		verdict_refuse_told(v, REFUSAL_FORBIDDEN,
		                    "requested certificate notBefore (%s) is before the active validity window of the "
		                    "provisioning credential (%s)",
		                    wall_go(begin, asked), wall_go(f->not_before, limit));
		return false;
	}
	if (val->granted_until.s <= f->not_after.s)
		return true;
	if (not_after->kind != WHEN_UNSET) {
		verdict_refuse_told(v, REFUSAL_FORBIDDEN,
		                    "requested certificate notAfter (%s) is after the expiration of the provisioning "
		                    "credential (%s)",
		                    wall_go(val->granted_until, asked), wall_go(f->not_after, limit));
		return false;
	}
	val->granted_until = f->not_after;
	return true;
}

static bool decide_validity(const struct authority *a, const struct authorization *auth, const struct sign_request *req,
                            struct wall now, struct validity *ret, struct verdict *v)
{
	const struct claims *c = &auth->prov->claims;
	struct validity val = { 0 };
	struct when nb, na;
	if (!times_parse(req, &nb, &na, v))
		return false;
	struct wall begin = nb.kind == WHEN_UNSET ? now : when_from(&nb, now);
	val.granted_until = na.kind == WHEN_UNSET ? issue_add_ns(begin, c->default_ns) : when_from(&na, begin);
	val.not_before = nb.kind == WHEN_UNSET ? issue_add_ns(begin, -a->backdate_ns) : begin;
	if (!check_credential(auth, begin, &na, &val, v) || !check_span(a, c, &val, now, v) ||
	    !issue_clamp(a, now, &val, v))
		return false;
	*ret = val;
	return true;
}

/* --- */

/* authority.template fills what the token does not say. */
static enum status subject_of(const struct authority *a, const char *common_name, struct buf *out, struct verdict *v,
                              struct error *e)
{
	struct name_attrs n = {
		.country = a->subject.country,
		.organization = a->subject.organization,
		.organizational_unit = a->subject.organizational_unit,
		.locality = a->subject.locality,
		.province = a->subject.province,
		.street_address = a->subject.street_address,
		.serial_number = a->subject.serial_number,
		.common_name = *common_name ? common_name : a->subject.common_name,
	};
	enum status st = name_encode(&n, out, e);
	if (st != ST_INVALID)
		return st;
	verdict_refuse_told(v, REFUSAL_MALFORMED, "%s", e->text);
	return ST_OK;
}

static enum status write_leaf(const struct authority *a, const struct authorization *auth, const struct csr *csr,
                              const struct san_list *names, const struct validity *val,
                              const uint8_t serial[ISSUE_SERIAL_BYTES], struct cert **ret, struct verdict *v,
                              struct error *e)
{
	AUTO(buf_done) struct buf subject = BUF_INIT(CERT_MAX);
	AUTO(buf_done) struct buf extensions = BUF_INIT(CERT_MAX);
	struct provisioner_ext x = provisioner_extension(auth->prov);
	enum status st;

	if ((st = subject_of(a, auth->ott.sub, &subject, v, e)) || v->refusal)
		return st;
	if ((st = profile_leaf(csr->key, buf_slice(&csr->spki), cert_facts(a->issuers.v[0])->subject_key_id, names,
	                       false, a->crl_url, auth->prov->claims.disable_extensions ? NULL : &x, &extensions, e)))
		return st;
	struct cert_draft d = { .serial = slice_of(serial, ISSUE_SERIAL_BYTES),
		                .subject = buf_slice(&subject),
		                .spki = buf_slice(&csr->spki),
		                .not_before = val->not_before,
		                .not_after = val->not_after,
		                .extensions = buf_slice(&extensions) };
	return issue_write(a, &d, ret, v, e);
}

enum status issue_sign(const struct authority *a, const struct authorization *auth, const struct sign_request *req,
                       struct wall now, const uint8_t serial[ISSUE_SERIAL_BYTES], struct issued *ret, struct verdict *v,
                       struct error *e)
{
	AUTO(issued_done) struct issued out = { 0 };
	AUTO(san_list_done) struct san_list names = { 0 };
	struct validity val = { 0 };
	enum status st;

	*v = VERDICT_GRANTED;
	if ((st = check_request(auth, req->csr, &names, v, e)) || v->refusal)
		return st;
	if (!decide_validity(a, auth, req, now, &val, v))
		return ST_OK;
	if ((st = write_leaf(a, auth, req->csr, &names, &val, serial, &out.cert, v, e)) || v->refusal)
		return st;
	if ((st = issue_change(CHANGE_ISSUE, out.cert, auth->prov, &val, now, &out.change, e)))
		return st;
	if ((st = authorization_book(auth, out.change, e)))
		return st;
	out.clamped = val.not_after.s < val.granted_until.s;
	out.asked_not_after = val.granted_until;
	*ret = out;
	out = (struct issued){ 0 };
	return ST_OK;
}
