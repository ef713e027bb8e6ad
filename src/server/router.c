/* Which resource answers which path. Every core route exists at /X and at /1.0/X (spec/server.md §0). */
#include "server/state.h"

#include <stdio.h>
#include <stdlib.h>

enum { GET = ROUTE_GET, POST = ROUTE_POST };

const struct route routes_ca[] = {
	{ GET, "/health", resource_health },
	{ GET, "/version", resource_version },
	{ GET, "/root/*", resource_root },
	{ GET, "/roots", resource_roots },
	{ GET, "/roots.pem", resource_roots_pem },
	{ GET, "/intermediates", resource_intermediates },
	{ GET, "/intermediates.pem", resource_intermediates_pem },
	{ GET, "/federation", resource_federation },
	{ GET, "/provisioners", resource_provisioners },
	{ GET, "/provisioners/*/encrypted-key", resource_encrypted_key },
	{ GET, "/crl", resource_crl },
	{ POST, "/sign", resource_sign },
	{ POST, "/renew", resource_renew },
	{ POST, "/re-sign", resource_renew },
	{ POST, "/rekey", resource_rekey },
	{ POST, "/revoke", resource_revoke },
	{ POST, "/revoke-line", resource_revoke_line }, /* ours */
	{ GET, "/renewable", resource_renewable },      /* ours */
	{ 0 },
};

/* Over plain HTTP: what anybody may read, and is signed. */
const struct route routes_insecure[] = {
	{ GET, "/crl", resource_crl },
	{ 0 },
};

const struct route routes_metrics[] = {
	{ GET, "/metrics", resource_metrics },
	{ 0 },
};

const struct route routes_admin[] = {
	{ GET, "/info", resource_admin_info },
	{ POST, "/certificates", resource_admin_certificates },
	{ POST, "/revoke", resource_admin_revoke },
	{ POST, "/revoke-line", resource_admin_revoke_line },
	{ 0 },
};

enum { SEGMENT_MAX = 512 };

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* One path segment with its %XX resolved. False: too long, a broken escape, or a NUL. */
static bool segment(const char **path, char out[SEGMENT_MAX])
{
	size_t n = 0;
	const char *p = *path;
	for (; *p && *p != '/'; p++) {
		int c = (unsigned char)*p;
		if (c == '%') {
			int hi = hex_value(p[1]), lo = hi < 0 ? -1 : hex_value(p[2]);
			if (lo < 0 || !(hi | lo))
				return false;
			c = hi << 4 | lo;
			p += 2;
		}
		if (n + 1 >= SEGMENT_MAX)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	*path = p;
	return n > 0;
}

static bool route_matches(const char *pattern, const char *path, char arg[SEGMENT_MAX])
{
	while (*pattern) {
		if (*pattern == '*') {
			if (!segment(&path, arg))
				return false;
			pattern++;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*path;
}

static unsigned method_of(const char *name)
{
	if (!strcmp(name, "GET") || !strcmp(name, "HEAD")) /* the listener drops the body of a HEAD's answer */
		return GET;
	return !strcmp(name, "POST") ? POST : 0;
}

static void exchange_free(void *p)
{
	struct exchange *x = p;
	if (x->authorized)
		authorization_done(&x->auth);
	renew_token_done(&x->renewing);
	cert_unref(x->parent);
	issued_done(&x->issued);
	buf_done(&x->body);
	snapshot_unref(x->snap);
	free(x);
}

static void answer_plain(struct request *r, int status, const char *text, const char *allow)
{
	struct response resp = { .status = status, .body = slice_cstr(text) };
	if (*text)
		resp.content_type = "text/plain; charset=utf-8";
	if (allow) {
		resp.headers[0].name = "Allow";
		resp.headers[0].value = allow;
	}
	request_reply(r, &resp);
}

void router_handle(void *front, struct request *r)
{
	const struct front *f = front;
	const char *path = request_path(r);
	char arg[SEGMENT_MAX] = "";
	const struct route *hit = NULL;
	unsigned allowed = 0, method = method_of(request_method(r));

	if (!strncmp(path, "/1.0/", 5))
		path += 4;
	for (const struct route *at = f->routes; at->path && !hit; at++) {
		if (!route_matches(at->path, path, arg))
			continue;
		allowed |= at->method;
		if (at->method & method)
			hit = at;
	}
	if (!allowed) {
		answer_plain(r, 404, "404 page not found\n", NULL);
		return;
	}
	if (!hit) {
		answer_plain(r, 405, "", allowed == GET ? "GET, HEAD" : "POST");
		return;
	}
	if (!overload_admit_spare(r, hit->run == resource_health))
		return;
	struct exchange *x = calloc(1, sizeof *x);
	if (!x) {
		answer_plain(r, 503, "out of memory\n", NULL);
		return;
	}
	x->server = f->server;
	x->request = r;
	x->endpoint = f->endpoints[hit - f->routes];
	x->snap = server_snapshot(f->server);
	x->now = clock_wall(x->server->conf.clock);
	x->verdict = VERDICT_GRANTED;
	x->body = BUF_INIT(4 << 20);
	request_set_context(r, x, exchange_free);
	hit->run(x, arg);
}
