/* url.h - the few kinds of address that src/net reads. Pure. */
#pragma once
#include "base/buf.h"

enum { HOST_MAX = 254, AUTHORITY_MAX = HOST_MAX + 10 };

struct url {
	char host[HOST_MAX]; /* a name or an address, without brackets; "" only where the caller allowed it */
	int port;
	struct slice userinfo; /* before the "@", still percent-encoded; empty where none */
	struct slice target;   /* path and query; "/" where the URL has none */
};

/* "https://host[:port][/path][?query]". ST_INVALID: another scheme, user information, a fragment, bytes that do not
 * belong in a URL. Slices borrow from text. */
MUST_USE enum status url_parse_https(const char *text, struct url *ret, struct error *e);

/* The same with "http://". */
MUST_USE enum status url_parse_http(const char *text, struct url *ret, struct error *e);

/* "[http://][user[:password]@]host:port[/]", as in HTTPS_PROXY. */
MUST_USE enum status url_parse_proxy(const char *text, struct url *ret, struct error *e);

/* "host:port", ":port", "[v6]:port": where to listen. Port 0 is allowed. */
MUST_USE enum status url_parse_listen(const char *text, struct url *ret, struct error *e);

/* "host:port", with brackets around an IPv6 address; without the port where it is default_port. */
const char *url_authority(const struct url *u, int default_port, char out[AUTHORITY_MAX]);

/* The host is an IPv4 or IPv6 address; ret gets its 4 or 16 bytes, *ret_n their number. */
bool url_host_is_ip(const char *host, unsigned char ret[16], size_t *ret_n);

/* Replaces %XX by its byte. ST_INVALID: a broken escape. */
MUST_USE enum status url_unescape(struct slice s, struct buf *out, struct error *e);
