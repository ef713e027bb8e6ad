/* GET /provisioners, paged by cursor, and the encrypted keys (spec/server.md §1.5). */
#include "base/num.h"
#include "jose/jsonio.h"
#include "server/state.h"

#include <stdio.h>
#include <stdlib.h>

enum { UID = 40, PAGE_DEFAULT = 20, PAGE_MAX = 100 };

/* Value of a query parameter, its %XX left as they are (our values need none). False where it is absent. */
static bool query_value(const char *query, const char *name, char *out, size_t n)
{
	size_t len = strlen(name);
	for (const char *p = query; p && *p; p = strchr(p, '&'), p = p ? p + 1 : NULL) {
		if (strncmp(p, name, len) || p[len] != '=')
			continue;
		snprintf(out, n, "%.*s", (int)strcspn(p + len + 1, "&"), p + len + 1);
		return true;
	}
	return false;
}

/* The provisioner's object as loaded, with state and reason where it cannot serve. */
static enum status add_item(struct buf *out, const struct provisioner *p, struct error *e)
{
	if (!p->disabled)
		return jsonio_format(p->json, out, e);
	json_t *o = json_object();
	enum status st = o ? jsonio_add_missing(o, p->json, e) : error_nomem(e);
	if (!st && (json_object_set_new(o, "state", json_string("Uninitialized")) ||
	            json_object_set_new(o, "stateReason", json_string(p->disabled))))
		st = error_nomem(e);
	if (!st)
		st = jsonio_format(o, out, e);
	json_decref(o);
	return st;
}

void resource_provisioners(struct exchange *x, const char *arg)
{
	(void)arg;
	const struct authority *a = x->snap->auth;
	char text[64] = "", cursor[UID + 1];
	int64_t limit = 0;
	size_t i = 0, shown = 0;

	if (query_value(request_query(x->request), "limit", text, sizeof text) && *text &&
	    num_parse(slice_cstr(text), INT64_MIN, INT64_MAX, &limit, &x->error)) {
		verdict_refuse_told(&x->verdict, REFUSAL_MALFORMED, "limit '%s' is not an integer", text);
		exchange_refuse(x);
		return;
	}
	if (limit <= 0)
		limit = PAGE_DEFAULT;
	if (limit > PAGE_MAX)
		limit = PAGE_MAX;
	*text = '\0';
	query_value(request_query(x->request), "cursor", text, sizeof text);
	size_t given = strlen(text);
	if (given > UID)
		given = UID;
	memset(cursor, '0', UID - given);
	memcpy(cursor + UID - given, text, given);
	cursor[UID] = '\0';

	while (i < a->provs_n && strcmp(a->provs[i].uid, cursor) < 0)
		i++;
	buf_adds(&x->body, "{\"provisioners\":[");
	for (; i < a->provs_n && shown < (size_t)limit; i++, shown++) {
		if (shown)
			buf_addc(&x->body, ',');
		if (add_item(&x->body, &a->provs[i], &x->error)) {
			exchange_fail(x);
			return;
		}
	}
	buf_adds(&x->body, "],\"nextCursor\":\"");
	if (i < a->provs_n)
		buf_adds(&x->body, a->provs[i].uid + strspn(a->provs[i].uid, "0"));
	buf_adds(&x->body, "\"}\n");
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_json(x, 200, buf_slice(&x->body));
}

void resource_encrypted_key(struct exchange *x, const char *kid)
{
	const struct authority *a = x->snap->auth;
	const char *key = NULL;
	for (size_t i = 0; i < a->provs_n; i++) /* of two that share a kid, the last wins, as in the peer */
		if (a->provs[i].encrypted_key && a->provs[i].key.kid && !strcmp(a->provs[i].key.kid, kid))
			key = a->provs[i].encrypted_key;
	if (!key) {
		verdict_refuse(&x->verdict, REFUSAL_MISSING, "no encrypted key with kid \"%s\"", kid);
		exchange_refuse(x);
		return;
	}
	buf_adds(&x->body, "{\"key\":");
	body_add_text(&x->body, slice_cstr(key));
	buf_adds(&x->body, "}\n");
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_json(x, 200, buf_slice(&x->body));
}
