#include "net/url.h"

#include "base/b64.h"
#include "base/num.h"
#include "net/https.h"

#include <arpa/inet.h>
#include <ctype.h>

static struct slice from(struct slice s, size_t at)
{
	return slice_of(s.p + at, s.n - at);
}

bool url_host_is_ip(const char *host, unsigned char ret[16], size_t *ret_n)
{
	bool v4 = inet_pton(AF_INET, host, ret) == 1;
	if (!v4 && inet_pton(AF_INET6, host, ret) != 1)
		return false;
	*ret_n = v4 ? 4 : 16;
	return true;
}

/* A name as DNS and /etc/hosts have it; an underscore is common inside companies. */
static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80 || (!isalnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_'))
			return false;
	return true;
}

static enum status set_host(struct slice s, bool bracketed, struct url *u, struct error *e)
{
	unsigned char ip[16];
	size_t n;
	if (s.n >= sizeof u->host)
		return error_set(e, ST_INVALID, "host name is too long");
	memcpy(u->host, s.p, s.n);
	u->host[s.n] = '\0';
	if (bracketed ? strlen(u->host) != s.n || !url_host_is_ip(u->host, ip, &n) || n != 16 : !is_name(s))
		return error_set(e, ST_INVALID, "invalid host name");
	return ST_OK;
}

static enum status set_port(struct slice s, int64_t min, struct url *u, struct error *e)
{
	int64_t port;
	if (!s.n || !isdigit(s.p[0]) || num_parse(s, min, 65535, &port, e))
		return error_set(e, ST_INVALID, "invalid port");
	u->port = (int)port;
	return ST_OK;
}

/* host, host:port, [v6], [v6]:port; u->port stays as it is where none is given. */
static enum status set_authority(struct slice s, int64_t min_port, struct url *u, struct error *e)
{
	bool bracketed = s.n && s.p[0] == '[';
	size_t end = slice_find(s, bracketed ? ']' : ':');

	if (bracketed && end == s.n)
		return error_set(e, ST_INVALID, "missing ']' in host");
	if (set_host(bracketed ? slice_of(s.p + 1, end - 1) : slice_of(s.p, end), bracketed, u, e))
		return e->status;
	struct slice rest = from(s, end + bracketed);
	if (!rest.n)
		return ST_OK;
	if (rest.p[0] != ':')
		return error_set(e, ST_INVALID, "invalid host name");
	return set_port(from(rest, 1), min_port, u, e);
}

/* What stands before "://", or empty. */
static struct slice cut_scheme(struct slice *s)
{
	for (size_t i = 0; i + 2 < s->n; i++) {
		if (memcmp(s->p + i, "://", 3) == 0) {
			struct slice scheme = slice_of(s->p, i);
			*s = from(*s, i + 3);
			return scheme;
		}
		if (!isalnum(s->p[i]) && !strchr("+-.", s->p[i]))
			break;
	}
	return SLICE_NONE;
}

static enum status check_bytes(struct slice s, struct error *e)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == '#')
			return error_set(e, ST_INVALID, "invalid character in URL");
	return ST_OK;
}

static enum status set_rest(struct slice s, struct url *u, struct error *e)
{
	size_t end = slice_find(s, '/'), mark = slice_find(s, '?');
	if (mark < end)
		return error_set(e, ST_INVALID, "URL without a path before its query");
	u->target = end < s.n ? from(s, end) : SLICE_LIT("/");

	struct slice authority = slice_of(s.p, end);
	for (size_t at = authority.n; at-- > 0;) { /* the last "@": a password may hold one */
		if (authority.p[at] == '@') {
			u->userinfo = slice_of(authority.p, at);
			authority = from(authority, at + 1);
			break;
		}
	}
	if (set_authority(authority, 1, u, e))
		return e->status;
	return u->host[0] ? ST_OK : error_set(e, ST_INVALID, "URL without a host");
}

static enum status parse_scheme(const char *text, const char *wanted, int port, struct url *ret, struct error *e)
{
	struct url u = { .port = port };
	struct slice s = slice_cstr(text), scheme = cut_scheme(&s);

	if (!slice_eq_nocase(scheme, slice_cstr(wanted)))
		return error_set(e, ST_INVALID, "unsupported protocol scheme: the URL must begin with %s://", wanted);
	if (check_bytes(s, e) || set_rest(s, &u, e))
		return e->status;
	if (u.userinfo.p)
		return error_set(e, ST_INVALID, "user information in URL");
	*ret = u;
	return ST_OK;
}

enum status url_parse_https(const char *text, struct url *ret, struct error *e)
{
	return parse_scheme(text, "https", 443, ret, e);
}

enum status url_parse_http(const char *text, struct url *ret, struct error *e)
{
	return parse_scheme(text, "http", 80, ret, e);
}

enum status url_parse_proxy(const char *text, struct url *ret, struct error *e)
{
	struct url u = { .port = 80 };
	struct slice s = slice_cstr(text), scheme = cut_scheme(&s);

	if (scheme.p && !slice_eq_nocase(scheme, SLICE_LIT("http")))
		return error_set(e, ST_INVALID, "unsupported proxy scheme: only http:// is");
	if (check_bytes(s, e) || set_rest(s, &u, e))
		return e->status;
	*ret = u;
	return ST_OK;
}

enum status url_parse_listen(const char *text, struct url *ret, struct error *e)
{
	struct url u = { .port = -1 };
	if (set_authority(slice_cstr(text), 0, &u, e))
		return e->status;
	if (u.port < 0)
		return error_set(e, ST_INVALID, "missing port in address");
	*ret = u;
	return ST_OK;
}

const char *url_authority(const struct url *u, int default_port, char out[AUTHORITY_MAX])
{
	bool v6 = strchr(u->host, ':') != NULL;
	int n = snprintf(out, AUTHORITY_MAX, "%s%s%s", v6 ? "[" : "", u->host, v6 ? "]" : "");
	if (u->port != default_port)
		snprintf(out + n, (size_t)(AUTHORITY_MAX - n), ":%d", u->port);
	return out;
}

enum status url_unescape(struct slice s, struct buf *out, struct error *e)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_addc(out, (char)s.p[i]);
			continue;
		}
		if (s.n - i < 3)
			return error_set(e, ST_INVALID, "broken escape in URL");
		if (hex_decode(out, slice_of(s.p + i + 1, 2), e))
			return e->status == ST_INVALID ? error_set(e, ST_INVALID, "broken escape in URL") : e->status;
		i += 2;
	}
	return buf_check(out, e);
}

/* The first n bits are equal. */
static bool same_bits(const unsigned char *a, const unsigned char *b, size_t n)
{
	if (memcmp(a, b, n / 8))
		return false;
	unsigned mask = (0xff00u >> (n % 8)) & 0xff;
	return n % 8 == 0 || (a[n / 8] & mask) == (b[n / 8] & mask);
}

/* rule: "10.0.0.0/8", "::1", "192.168.1.7" */
static bool ip_matches(const char *rule, const char *host)
{
	unsigned char a[16], b[16];
	size_t a_n, b_n;
	int64_t bits;
	char net[HOST_MAX];
	struct error e = ERROR_INIT;
	size_t slash = strcspn(rule, "/");

	snprintf(net, sizeof net, "%.*s", (int)slash, rule);
	if (!url_host_is_ip(net, a, &a_n) || !url_host_is_ip(host, b, &b_n) || a_n != b_n)
		return false;
	bits = (int64_t)(8 * a_n);
	if (rule[slash] && num_parse(slice_cstr(rule + slash + 1), 0, bits, &bits, &e))
		return false;
	return same_bits(a, b, (size_t)bits);
}

/* "example.com" and ".example.com" cover the names below, the former also the name itself. */
static bool name_matches(const char *rule, const char *host)
{
	size_t host_n = strlen(host), rule_n;
	bool below_only = false;
	if (rule[0] == '.') {
		below_only = true;
		rule++;
	}
	rule_n = strlen(rule);
	if (!rule_n || rule_n > host_n || !slice_eq_nocase(slice_cstr(rule), slice_cstr(host + host_n - rule_n)))
		return false;
	return rule_n == host_n ? !below_only : host[host_n - rule_n - 1] == '.';
}

static bool rule_matches(struct slice text, const struct url *u)
{
	struct url r = { .port = -1 };
	struct error e = ERROR_INIT;
	char rule[AUTHORITY_MAX];

	if (!text.n || text.n >= sizeof rule)
		return false;
	snprintf(rule, sizeof rule, "%.*s", SLICE_FMT(text));
	if (strcmp(rule, "*") == 0 || ip_matches(rule, u->host))
		return true;
	const char *name = rule + (rule[0] == '*' && rule[1] == '.'); /* "*.example.com" is ".example.com" */
	if (set_authority(slice_cstr(name), 1, &r, &e) || (r.port >= 0 && r.port != u->port))
		return false;
	return ip_matches(r.host, u->host) || name_matches(r.host, u->host);
}

/* As the peer: a proxy is of no use to reach this machine. */
static bool is_loopback(const char *host)
{
	unsigned char ip[16];
	size_t n;
	if (slice_eq_nocase(slice_cstr(host), SLICE_LIT("localhost")))
		return true;
	return url_host_is_ip(host, ip, &n) && (n == 4 ? ip[0] == 127 : ip_matches("::1", host));
}

const char *https_proxy_for(const char *url, const char *https_proxy, const char *no_proxy)
{
	struct url u;
	struct error e = ERROR_INIT;

	if (!https_proxy || !*https_proxy || url_parse_https(url, &u, &e) || is_loopback(u.host))
		return NULL;
	for (struct slice rest = slice_cstr(no_proxy); rest.n;) {
		size_t comma = slice_find(rest, ',');
		if (rule_matches(slice_trim(slice_of(rest.p, comma)), &u))
			return NULL;
		rest = from(rest, comma < rest.n ? comma + 1 : comma);
	}
	return https_proxy;
}
