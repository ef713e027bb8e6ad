#include "client/admin.h"
#include "config/caconf.h"
#include "jose/auto.h"
#include "net/http.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Where the unit that is shipped (data/systemd/step-ca.service) has it. */
#define UNIT_SOCKET "/run/step-ca/" CACONF_ADMIN_SOCKET

enum { REQUEST_MAX = 64 << 10 };

/* ---- one call ---- */

/* The JSON that answers; body NULL: GET. */
static enum status call(const char *socket, const char *target, json_t *taken_body, struct http_response *resp,
                        struct ca_reply *ret, struct error *e)
{
	AUTO(json_decref_p) json_t *body = taken_body;
	AUTO(buf_done) struct buf text = BUF_INIT(REQUEST_MAX);
	bool from_ca;
	int64_t retry_after_s;
	if (body && jsonio_format(body, &text, e))
		return e->status;
	const struct http_request q = {
		.socket = socket, .method = text.n ? "POST" : "GET", .target = target, .body = buf_slice(&text)
	};
	enum status st = http_call(&q, resp, e);
	if (st == ST_MISSING)
		return error_set(e, st, "no CA listens on %s: start step-ca, or name its socket with '--admin-socket'",
		                 socket);
	if (st == ST_DENIED)
		return error_set(e, st, "no right to %s: only root and the user that runs the CA may use it", socket);
	if (st)
		return st;
	*ret = (struct ca_reply){ .status = resp->status, .body = buf_slice(&resp->body) };
	return reply_check(ret, &from_ca, &retry_after_s, e);
}

/* ---- where it is ---- */

/* It is there, or we may not know. */
static bool may_exist(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 || errno == EACCES;
}

static enum status check_config(const char *socket, const char *ca_json, struct error *e)
{
	AUTO(http_response_done) struct http_response resp = { 0 };
	AUTO(json_decref_p) json_t *o = NULL;
	struct ca_reply r;
	char real[PATH_MAX];
	if (call(socket, "/info", NULL, &resp, &r, e) || reply_object(&r, &o, e))
		return e->status;
	struct slice theirs = jsonio_text(jsonio_field(o, "config"));
	if (!realpath(ca_json, real) || slice_is(theirs, real))
		return ST_OK;
	AUTO(buf_done) struct buf shown = BUF_INIT(8192);
	text_escape(&shown, theirs, 300);
	return error_set(
		e, ST_CONFLICT,
		"the CA on %s was started with %s, not with %s; name the one that is meant with '--admin-socket' or "
		"'--ca-config'",
		socket, buf_cstr(&shown), real);
}

/* By what ca.json says; where it leaves it open, the CA may have been started by hand or by its unit. */
static enum status find_by_config(const char *ca_json, struct buf *ret, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *c = NULL;
	if (caconf_load(ca_json, &c, e) || caconf_admin_socket(c, NULL, ret, e))
		return e->status;
	bool said = c->admin_socket && *c->admin_socket;
	if (said && !ret->n)
		return error_set(e, ST_MISSING, "%s switches the admin socket off (adminSocket)", ca_json);
	if (said || (ret->n && may_exist(buf_cstr(ret))))
		return ST_OK;
	if (!may_exist(UNIT_SOCKET))
		return error_set(e, ST_MISSING,
		                 "no CA with %s runs on this machine: there is neither %s nor " UNIT_SOCKET
		                 "; start it, or name its socket with '--admin-socket'",
		                 ca_json, ret->n ? buf_cstr(ret) : "an adminSocket in it");
	buf_reset(ret);
	buf_adds(ret, UNIT_SOCKET);
	return ST_OK;
}

enum status admin_find(const char *named, const char *ca_json, char ret[ADMIN_PATH], struct error *e)
{
	AUTO(buf_done) struct buf path = BUF_INIT(ADMIN_PATH - 1);
	bool is_named = named && *named;
	bool has_config = !is_named && may_exist(ca_json);
	if (is_named)
		buf_adds(&path, named);
	else if (has_config ? find_by_config(ca_json, &path, e) : ST_OK)
		return e->status;
	else if (!has_config && !may_exist(UNIT_SOCKET))
		return error_set(e, ST_MISSING,
		                 "this machine has no CA: there is neither %s nor " UNIT_SOCKET
		                 "; run this where the CA runs, as root or as its user, or name its socket with "
		                 "'--admin-socket'",
		                 ca_json);
	else if (!has_config)
		buf_adds(&path, UNIT_SOCKET);
	if (buf_check(&path, e) || (has_config && check_config(buf_cstr(&path), ca_json, e)))
		return e->status;
	snprintf(ret, ADMIN_PATH, "%s", buf_cstr(&path));
	return ST_OK;
}

/* ---- the inventory ---- */

void admin_page_done(struct admin_page *p)
{
	json_decref(p->json);
	free(p->v);
	free(p->counts);
	*p = (struct admin_page){ 0 };
}

static enum status malformed(const char *what, struct error *e)
{
	return error_set(e, ST_PEER, "the CA's answer has no %s that makes sense", what);
}

static bool consists_of(struct slice s, const char *bytes)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(bytes, s.p[i]))
			return false;
	return true;
}

static bool is_decimal(struct slice s)
{
	return s.n && s.n < SERIAL_TEXT && consists_of(s, "0123456789");
}

static enum status read_cert(const json_t *o, struct admin_cert *ret, struct error *e)
{
	struct error why = ERROR_INIT;
	struct admin_cert c = {
		.json = o,
		.sans = jsonio_field(o, "sans"),
		.serial = jsonio_text(jsonio_field(o, "serial")),
		.line = jsonio_text(jsonio_field(o, "line")),
		.parent = jsonio_text(jsonio_field(o, "parent")),
		.subject = jsonio_text(jsonio_field(o, "subject")),
		.provisioner = jsonio_text(jsonio_field(o, "provisioner")),
		.state = jsonio_text(jsonio_field(o, "state")),
		.key = jsonio_text(jsonio_field(o, "key")),
		.generation = json_integer_value(jsonio_field(o, "generation")),
	};
	if (!is_decimal(c.serial) || !is_decimal(c.line) || (c.parent.n && !is_decimal(c.parent)))
		return malformed("serial, line or parent", e);
	if (wall_parse_rfc3339(jsonio_text(jsonio_field(o, "notBefore")), &c.not_before, &why) ||
	    wall_parse_rfc3339(jsonio_text(jsonio_field(o, "notAfter")), &c.not_after, &why))
		return malformed("notBefore or notAfter", e);
	if (!json_is_array(c.sans) || !c.state.n || !consists_of(c.state, "abcdefghijklmnopqrstuvwxyz") ||
	    !consists_of(c.key, "0123456789abcdef"))
		return malformed("sans, state or key", e);
	*ret = c;
	return ST_OK;
}

static enum status read_certs(const json_t *list, struct admin_page *p, struct error *e)
{
	size_t n = json_array_size(list);
	if (!json_is_array(list) || n > ADMIN_ROWS_MAX)
		return malformed("list of certificates", e);
	if (!(p->v = calloc(n ? n : 1, sizeof *p->v)))
		return error_nomem(e);
	for (; p->n < n; p->n++)
		if (read_cert(json_array_get(list, p->n), &p->v[p->n], e))
			return e->status;
	return ST_OK;
}

static enum status read_counts(const json_t *list, struct admin_page *p, struct error *e)
{
	size_t n = json_array_size(list);
	if (!list)
		return ST_OK;
	if (!json_is_array(list) || n > ADMIN_ROWS_MAX)
		return malformed("counts", e);
	if (!(p->counts = calloc(n ? n : 1, sizeof *p->counts)))
		return error_nomem(e);
	for (; p->counts_n < n; p->counts_n++) {
		const json_t *pair = json_array_get(list, p->counts_n), *span = json_array_get(pair, 0),
			     *count = json_array_get(pair, 1);
		if (!json_is_integer(span) || !json_is_integer(count) || json_integer_value(span) < 0 ||
		    json_integer_value(count) < 1 || json_integer_value(count) > ADMIN_ROWS_MAX)
			return malformed("counts", e);
		p->counts[p->counts_n] = (struct admin_count){ json_integer_value(span), json_integer_value(count) };
	}
	return ST_OK;
}

enum status admin_read_page(const struct ca_reply *r, struct admin_page *ret, struct error *e)
{
	AUTO(admin_page_done) struct admin_page p = { 0 };
	if (reply_object(r, &p.json, e) || read_certs(jsonio_field(p.json, "certificates"), &p, e) ||
	    read_counts(jsonio_field(p.json, "counts"), &p, e))
		return e->status;
	struct slice next = jsonio_text(jsonio_field(p.json, "cursor"));
	if (next.n >= sizeof p.next)
		return malformed("cursor", e);
	snprintf(p.next, sizeof p.next, "%.*s", SLICE_FMT(next));
	*ret = p;
	p = (struct admin_page){ 0 };
	return ST_OK;
}

static int set_text(json_t *o, const char *name, const char *text)
{
	return text && *text ? json_object_set_new(o, name, json_string(text)) : 0;
}

static int set_words(json_t *o, const char *name, const char *const *words)
{
	json_t *list = json_array();
	int bad = 0;
	for (size_t i = 0; i < ADMIN_WORDS && words[i]; i++)
		bad |= json_array_append_new(list, json_string(words[i]));
	return json_object_set_new(o, name, list) | bad;
}

static int set_number(json_t *o, const char *name, bool has, int64_t n)
{
	return has ? json_object_set_new(o, name, json_integer(n)) : 0;
}

static enum status query_json(const struct admin_query *q, const char *cursor, json_t **ret, struct error *e)
{
	AUTO(json_decref_p) json_t *o = json_object();
	const char *const texts[] = { q->serial, q->line, q->parent, q->name, q->provisioner, q->key };
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (texts[i] && !jsonio_text_ok(slice_cstr(texts[i])))
			return error_set(e, ST_INVALID, "an argument is not UTF-8");
	int bad = set_text(o, "serial", q->serial) | set_text(o, "line", q->line) | set_text(o, "parent", q->parent) |
	          set_text(o, "name", q->name) | set_text(o, "provisioner", q->provisioner) |
	          set_text(o, "key", q->key) | set_text(o, "cursor", cursor) |
	          set_number(o, "from", q->has_from, q->from.s) | set_number(o, "before", q->has_before, q->before.s) |
	          set_words(o, "skip", q->skip) | set_words(o, "only", q->only) |
	          set_number(o, "rows", q->rows || q->width_s, q->rows) |
	          set_number(o, "width", q->width_s > 0, q->width_s);
	if (!o || bad)
		return error_nomem(e);
	*ret = TAKE(o);
	return ST_OK;
}

enum status admin_certificates(const char *socket, const struct admin_query *q, const char *cursor,
                               struct admin_page *ret, struct error *e)
{
	AUTO(http_response_done) struct http_response resp = { 0 };
	struct ca_reply r;
	json_t *body;
	if (query_json(q, cursor, &body, e) || call(socket, "/certificates", body, &resp, &r, e))
		return e->status;
	return admin_read_page(&r, ret, e);
}

/* ---- revocation ---- */

static enum status post(const char *socket, const char *target, json_t *taken_body, struct http_response *resp,
                        struct ca_reply *ret, struct error *e)
{
	if (!taken_body)
		return error_set(e, ST_INVALID, "the request cannot be written as JSON: is an argument not UTF-8?");
	return call(socket, target, taken_body, resp, ret, e);
}

enum status admin_revoke(const char *socket, const struct ca_revoke_request *q, struct error *e)
{
	AUTO(http_response_done) struct http_response resp = { 0 };
	struct ca_reply r;
	json_t *body = json_pack("{s:s, s:i, s:s, s:b}", "serial", q->serial, "reasonCode", q->reason_code, "reason",
	                         q->reason ? q->reason : "", "passive", true);
	return post(socket, "/revoke", body, &resp, &r, e) || reply_ok(&r, e) ? e->status : ST_OK;
}

enum status admin_revoke_line(const char *socket, const struct ca_revoke_line_request *q, struct ca_line *ret,
                              struct error *e)
{
	AUTO(http_response_done) struct http_response resp = { 0 };
	struct ca_reply r;
	json_t *body = json_pack("{s:s, s:s, s:i, s:s, s:b}", "serial", q->serial, "scope", q->scope, "reasonCode",
	                         q->reason_code, "reason", q->reason ? q->reason : "", "dryRun", q->dry_run);
	return post(socket, "/revoke-line", body, &resp, &r, e) || reply_line(&r, ret, e) ? e->status : ST_OK;
}
