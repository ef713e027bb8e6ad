/* The CA's URL as people type it. */
#include "client/ca.h"
#include "base/num.h"
#include <stdio.h>

enum { HOST_PORT_MAX = 300 };

static enum status bad_value(const char *typed, const char *why, struct error *e)
{
	return error_set(e, ST_USAGE, "invalid value '%s' for flag '--ca-url'; %s", typed, why);
}

static bool host_is_fit(struct slice host)
{
	for (size_t i = 0; i < host.n; i++) {
		uint8_t c = host.p[i];
		bool fit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
		           c == '.' || c == '_';
		if (!fit)
			return false;
	}
	return host.n;
}

static bool ipv6_is_fit(struct slice host)
{
	size_t colons = 0;
	for (size_t i = 0; i < host.n; i++) {
		uint8_t c = host.p[i];
		colons += c == ':';
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
		      c == '.'))
			return false;
	}
	return colons >= 2;
}

static bool port_is_fit(struct slice port)
{
	struct error why = ERROR_INIT;
	int64_t n;
	return port.n && port.p[0] >= '0' && port.p[0] <= '9' && !num_parse(port, 1, 65535, &n, &why);
}

/* "host", "host:port", "[v6]", "[v6]:port" or a bare v6 address. */
static bool add_authority(struct slice s, struct buf *out)
{
	size_t end = s.n && s.p[0] == '[' ? slice_find(s, ']') : 0;
	if (ipv6_is_fit(s)) {
		buf_addf(out, "[%.*s]", SLICE_FMT(s));
		return true;
	}
	struct slice host = end ? slice_of(s.p + 1, end - 1) : slice_of(s.p, slice_find(s, ':'));
	size_t used = end ? end + 1 : host.n;
	if (used > s.n || (end ? !ipv6_is_fit(host) : !host_is_fit(host)))
		return false;
	if (used < s.n && (s.p[used] != ':' || !port_is_fit(slice_of(s.p + used + 1, s.n - used - 1))))
		return false;
	buf_add_slice(out, s);
	return true;
}

enum status ca_url_clean(const char *typed, struct buf *ret, struct error *e)
{
	AUTO(buf_done) struct buf clean = BUF_INIT(HOST_PORT_MAX);
	struct slice s = slice_trim(slice_cstr(typed));
	const char *after = strstr(typed, "://");
	if (after) {
		const char *from = (const char *)s.p;
		if (after < from || !slice_eq_nocase(slice_of(s.p, (size_t)(after - from)), SLICE_LIT("https")))
			return bad_value(typed, "must have https scheme", e);
		s = slice_of(after + 3, s.n - (size_t)(after + 3 - from));
	}
	for (size_t i = 0; i < s.n; i++)
		if (strchr("/?#", s.p[i]))
			s.n = i;
	buf_adds(&clean, "https://");
	if (!add_authority(s, &clean))
		return bad_value(typed, "not a URL such as https://ca.example.com:9000", e);
	if (buf_check(&clean, e))
		return error_wrap(e, "--ca-url");
	buf_add_slice(ret, buf_slice(&clean));
	return buf_check(ret, e);
}

enum status ca_set_urls(struct ca *c, const char *typed, struct error *e)
{
	for (struct slice rest = slice_cstr(typed);;) {
		AUTO(buf_done) struct buf clean = BUF_INIT(HOST_PORT_MAX);
		char one[HOST_PORT_MAX];
		size_t n = slice_find(rest, ',');
		bool last = n == rest.n;
		snprintf(one, sizeof one, "%.*s", (int)(n < sizeof one ? n : sizeof one), (const char *)rest.p);
		if (n >= sizeof one || (c->url && c->others_n == CA_URLS_MAX - 1))
			return bad_value(typed, "too long, or more than 8 addresses", e);
		if (ca_url_clean(one, &clean, e))
			return e->status;
		char *url = buf_take(&clean);
		if (!url)
			return error_nomem(e);
		if (c->url)
			c->others[c->others_n++] = url;
		else
			c->url = url;
		if (last)
			return ST_OK;
		rest = slice_of(rest.p + n + 1, rest.n - n - 1);
	}
}

enum status ca_add_urls(const struct ca *c, struct buf *out, struct error *e)
{
	buf_adds(out, c->url);
	for (size_t i = 0; i < c->others_n; i++)
		buf_addf(out, ",%s", c->others[i]);
	return buf_check(out, e);
}
