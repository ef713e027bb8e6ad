/* GET /crl (spec/server.md §1.6), over HTTPS and on insecureAddress. */
#include "server/crl.h"

#include "net/http1.h"
#include "server/state.h"

#include <stdio.h>

/* The peer looks only whether the name is there. */
static bool has_parameter(const char *query, const char *name)
{
	size_t n = strlen(name);
	for (; *query; query += strcspn(query, "&") + (query[strcspn(query, "&")] == '&'))
		if (strncmp(query, name, n) == 0 && strchr("=&", query[n]))
			return true;
	return false;
}

/* RFC 9110 §13.1.2: a list of tags; the weak comparison is the one for GET. */
static bool matches(const char *if_none_match, const char *etag)
{
	for (const char *p = if_none_match; p && *p;) {
		p += strspn(p, " \t,");
		size_t n = strcspn(p, " \t,");
		const char *tag = n > 2 && strncmp(p, "W/", 2) == 0 ? p + 2 : p;
		size_t tag_n = n - (size_t)(tag - p);
		if ((n == 1 && *p == '*') || (tag_n == strlen(etag) && memcmp(tag, etag, tag_n) == 0))
			return true;
		p += n;
	}
	return false;
}

/* "Mon, 23 Nov 2026 15:04:05 UTC": the peer's form, which a cache takes for a time that is over. That is as it should
 * be, since a newer list may be there at any time; Cache-Control says it in words. */
static const char *expires(struct wall t, char out[HTTP1_DATE])
{
	char *zone = strstr(http1_date(t, out), "GMT");
	if (zone)
		memcpy(zone, "UTC", 3);
	return out;
}

static void body_free(const void *body, size_t n, void *doc)
{
	(void)body;
	(void)n;
	crl_doc_unref(doc);
}

/* Takes the list. */
static void answer(struct exchange *x, struct crl_doc *doc, bool pem, struct slice body)
{
	const struct crl_doc_facts *f = crl_doc_facts(doc);
	char date[HTTP1_DATE], etag[64];
	snprintf(etag, sizeof etag, "\"%lld-%lld%s\"", (long long)f->number, (long long)f->this_update.s,
	         pem ? "-pem" : "");
	struct response resp = {
		.status = 200,
		.content_type = pem ? "application/x-pem-file" : "application/pkix-crl",
		.body = body,
		.headers = { { "Content-Disposition",
		               pem ? "attachment; filename=\"crl.pem\"" : "attachment; filename=\"crl.crl\"" },
		             { "Expires", expires(f->next_update, date) },
		             { "ETag", etag },
		             { "Cache-Control", "no-cache" } },
		.body_free = body_free,
		.body_owner = doc,
	};
	if (matches(request_header(x->request, "If-None-Match"), etag)) {
		resp.status = 304;
		resp.content_type = NULL;
	}
	request_reply(x->request, &resp);
}

void resource_crl(struct exchange *x, const char *arg)
{
	(void)arg;
	bool pem = has_parameter(request_query(x->request), "pem");
	if (!x->snap->conf->crl.enabled) {
		verdict_refuse(&x->verdict, REFUSAL_MISSING, "crl.enabled is not set");
		verdict_tell(&x->verdict, "The certificate authority received an unexpected HTTP status code - '404'. "
		                          "Please see the certificate authority logs for more info.");
		exchange_refuse(x);
		return;
	}
	struct crl_doc *doc = crl_doc_get(x->server, x->now);
	if (!doc) {
		verdict_refuse(&x->verdict, REFUSAL_UNAVAILABLE, "there is no revocation list that is still good");
		verdict_tell(&x->verdict, "the certificate revocation list is being made; try again");
		verdict_advise(&x->verdict, "see above in this log why the next one was not made");
		exchange_refuse(x);
		return;
	}
	struct slice body = crl_doc_facts(doc)->der;
	if (pem && crl_doc_pem(doc, &body, &x->error)) {
		crl_doc_unref(doc);
		exchange_fail(x);
		return;
	}
	answer(x, doc, pem, body);
}
