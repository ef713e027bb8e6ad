/* A URI in parts (RFC 3986 §3), and what Go makes of each:
 *
 *   scheme : opaque                                   kept as it is
 *   scheme : // user @ host path ? query # fragment   user, host, path, fragment are unescaped and escaped again */
#include "x509/uri.h"

#include "x509/ip.h"

enum part { PART_HOST, PART_USER, PART_PATH, PART_FRAGMENT };

struct uri {
	struct slice scheme, opaque, user, host, path, query, fragment;
	bool has_user, has_authority, has_query;
};

static bool alpha(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool among(uint8_t c, const char *set)
{
	return c && strchr(set, c);
}

static int hex_value(uint8_t c)
{
	if (digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Characters that stand for themselves in a part; all others are written as %XX. */
static bool plain(uint8_t c, enum part part)
{
	static const char *const more[] = {
		[PART_HOST] = "!$&'()*+,;=:[]<>\"",
		[PART_USER] = "$&+,;=",
		[PART_PATH] = "$&+,/:;=@",
		[PART_FRAGMENT] = "$&+,/:;=?@!()*",
	};
	return alpha(c) || digit(c) || among(c, "-_.~") || among(c, more[part]);
}

static struct slice from(struct slice s, size_t i)
{
	return slice_of(s.p + i, s.n - i);
}

static struct slice upto(struct slice s, size_t i)
{
	return slice_of(s.p, i);
}

/* Cuts s at the first c; false where there is none. */
static bool cut(struct slice *s, uint8_t c, struct slice *ret_after)
{
	size_t i = slice_find(*s, c);
	if (i == s->n)
		return false;
	*ret_after = from(*s, i + 1);
	*s = upto(*s, i);
	return true;
}

static size_t find_last(struct slice s, uint8_t c)
{
	const uint8_t *hit = s.n ? memrchr(s.p, c, s.n) : NULL;
	return hit ? (size_t)(hit - s.p) : s.n;
}

/* RFC 3986 §3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool take_scheme(struct slice *rest, struct slice *ret)
{
	size_t i = 0;
	while (i < rest->n && (alpha(rest->p[i]) || (i && (digit(rest->p[i]) || among(rest->p[i], "+-.")))))
		i++;
	if (!i || i == rest->n || rest->p[i] != ':')
		return false;
	*ret = upto(*rest, i);
	*rest = from(*rest, i + 1);
	return true;
}

/* Every %XX is one; in a host only %25 and what is above ASCII may be escaped. */
static bool escapes_fit(struct slice s, enum part part)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			if (s.n - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
				return false;
			if (part == PART_HOST && hex_value(s.p[i + 1]) < 8 && memcmp(s.p + i, "%25", 3) != 0)
				return false;
			i += 2;
		} else if (part == PART_HOST && !plain(s.p[i], part)) {
			return false;
		}
	}
	return true;
}

static bool port_fits(struct slice s)
{
	if (!s.n)
		return true;
	for (size_t i = 1; i < s.n; i++)
		if (!digit(s.p[i]))
			return false;
	return s.p[0] == ':';
}

static bool host_fits(struct slice host)
{
	uint8_t ip[16];
	if (host.n && host.p[0] == '[') {
		size_t end = find_last(host, ']');
		if (end == host.n || !port_fits(from(host, end + 1)))
			return false;
		struct slice inside = slice_of(host.p + 1, end - 1);
		const uint8_t *percent = memmem(inside.p, inside.n, "%25", 3);
		struct slice zone = percent ? from(inside, (size_t)(percent - inside.p)) : SLICE_NONE;
		inside.n -= zone.n;
		return slice_find(inside, ':') < inside.n && ip_parse(inside, ip) && escapes_fit(zone, PART_HOST);
	}
	size_t colon = find_last(host, ':');
	return port_fits(from(host, colon)) && escapes_fit(host, PART_HOST);
}

static bool user_fits(struct slice user)
{
	for (size_t i = 0; i < user.n; i++)
		if (!alpha(user.p[i]) && !digit(user.p[i]) && !among(user.p[i], "-._:~!$&'()*+,;=%@"))
			return false;
	return escapes_fit(user, PART_USER);
}

static bool take_authority(struct slice *rest, struct uri *u)
{
	*rest = from(*rest, 2);
	size_t end = slice_find(*rest, '/');
	struct slice authority = upto(*rest, end);
	*rest = from(*rest, end);
	size_t at = find_last(authority, '@');
	u->has_user = at < authority.n;
	if (u->has_user)
		u->user = upto(authority, at);
	u->host = u->has_user ? from(authority, at + 1) : authority;
	u->has_authority = true;
	return host_fits(u->host) && user_fits(u->user);
}

static bool split(struct slice rest, struct uri *u)
{
	cut(&rest, '#', &u->fragment);
	if (!escapes_fit(u->fragment, PART_FRAGMENT) || !take_scheme(&rest, &u->scheme))
		return false;
	u->has_query = cut(&rest, '?', &u->query);
	if (!rest.n || rest.p[0] != '/') {
		u->opaque = rest;
		return true;
	}
	if (rest.n >= 2 && rest.p[1] == '/' && !take_authority(&rest, u))
		return false;
	u->path = rest;
	return escapes_fit(rest, PART_PATH);
}

static void add_escaped(struct buf *out, struct slice s, enum part part)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '%') {
			c = (uint8_t)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
			i += 2;
		}
		if (plain(c, part)) {
			buf_addc(out, (char)c);
			continue;
		}
		buf_addc(out, '%');
		buf_addc(out, digits[c >> 4]);
		buf_addc(out, digits[c & 15]);
	}
}

/* A path or fragment that is escaped well already is kept as it was written; else it is unescaped and escaped anew. */
static void add_kept(struct buf *out, struct slice s, enum part part)
{
	for (size_t i = 0; i < s.n; i++)
		if (!plain(s.p[i], part) && !among(s.p[i], "!'()*[]%")) {
			add_escaped(out, s, part);
			return;
		}
	buf_add_slice(out, s);
}

static void add_user(struct buf *out, struct slice user)
{
	struct slice password;
	bool has_password = cut(&user, ':', &password);
	add_escaped(out, user, PART_USER);
	if (has_password) {
		buf_addc(out, ':');
		add_escaped(out, password, PART_USER);
	}
	buf_addc(out, '@');
}

static void add_hierarchy(struct buf *out, const struct uri *u)
{
	if (u->has_authority && (u->host.n || u->path.n || u->has_user))
		buf_adds(out, "//");
	if (u->has_user)
		add_user(out, u->user);
	if (u->host.n && u->host.p[0] == '[')
		buf_add_slice(out, u->host);
	else
		add_escaped(out, u->host, PART_HOST);
	add_kept(out, u->path, PART_PATH);
}

bool uri_normalize(struct slice text, struct buf *out)
{
	struct uri u = { 0 };
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	if (!split(text, &u))
		return false;
	for (size_t i = 0; i < u.scheme.n; i++)
		buf_addc(out, (char)(alpha(u.scheme.p[i]) ? u.scheme.p[i] | 0x20 : u.scheme.p[i]));
	buf_addc(out, ':');
	if (u.opaque.n)
		buf_add_slice(out, u.opaque);
	else
		add_hierarchy(out, &u);
	if (u.has_query) {
		buf_addc(out, '?');
		buf_add_slice(out, u.query);
	}
	if (u.fragment.n) {
		buf_addc(out, '#');
		add_kept(out, u.fragment, PART_FRAGMENT);
	}
	return true;
}
