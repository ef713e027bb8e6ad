#include "store/pgconn.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/slice.h"
#include "store/libpq.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may stand in dataSource. What is not here is refused: `options` and `service` could bring in settings that undo
 * ours, the others do nothing for a CA. */
static const char *const allowed[] = {
	"host",
	"hostaddr",
	"port",
	"dbname",
	"user",
	"password",
	"passfile",
	"require_auth",
	"channel_binding",
	"connect_timeout",
	"target_session_attrs",
	"application_name",
	"keepalives",
	"keepalives_idle",
	"keepalives_interval",
	"keepalives_count",
	"tcp_user_timeout",
	"sslmode",
	"sslcert",
	"sslkey",
	"sslpassword",
	"sslrootcert",
	"sslcrl",
	"sslcrldir",
	"sslsni",
	"ssl_min_protocol_version",
	"ssl_max_protocol_version",
	"requirepeer",
	"gssencmode",
	"krbsrvname",
};

/* A dead host is found in seconds, not in the kernel's hours; a standby is no place to write. */
static const struct {
	const char *key, *value;
} ours[] = {
	{ "target_session_attrs", "read-write" }, { "connect_timeout", "3" },  { "keepalives_idle", "5" },
	{ "keepalives_interval", "2" },           { "keepalives_count", "3" }, { "tcp_user_timeout", "8000" },
	{ "application_name", "step-ca" },
};

static const char *find(const struct pgconn *c, const char *key)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->keys[i], key))
			return c->values[i];
	return NULL;
}

static void wipe(const char *value)
{
	OPENSSL_clear_free((char *)(uintptr_t)value, strlen(value) + 1);
}

void pgconn_done(struct pgconn *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free((char *)(uintptr_t)c->keys[i]);
		wipe(c->values[i]);
	}
	*c = (struct pgconn){ 0 };
}

static enum status add(struct pgconn *c, const char *key, const char *value, struct error *e)
{
	if (c->n == PGCONN_MAX)
		return error_set(e, ST_LIMIT, "db.dataSource: too many parameters");
	char *k = strdup(key), *v = OPENSSL_strdup(value);
	if (!k || !v) {
		free(k);
		if (v)
			wipe(v);
		return error_nomem(e);
	}
	c->keys[c->n] = k;
	c->values[c->n++] = v;
	return ST_OK;
}

static enum status check(const char *key, const char *value, struct error *e)
{
	bool known = false;
	int64_t seconds;
	for (size_t i = 0; i < COUNT_OF(allowed); i++)
		known |= !strcmp(key, allowed[i]);
	if (!known)
		return error_set(e, ST_INVALID, "db.dataSource: the parameter %s is not taken here; remove it", key);
	if (!strcmp(key, "target_session_attrs") && strcmp(value, "read-write") != 0 && strcmp(value, "primary") != 0)
		return error_set(e, ST_INVALID,
		                 "db.dataSource: target_session_attrs: the CA writes; set read-write or leave it out");
	if (!strcmp(key, "connect_timeout") && num_parse(slice_cstr(value), 1, 60, &seconds, e))
		return error_wrap(e, "db.dataSource: connect_timeout, in seconds");
	return ST_OK;
}

/* libpq's own words may repeat the whole of its input, password and all, so only the one that cannot is passed on. */
static enum status unreadable(const char *said, struct error *e)
{
	static const char *const harmless[] = { "invalid URI query parameter: \"", "invalid connection option \"" };
	for (size_t i = 0; i < COUNT_OF(harmless); i++) {
		const char *name = said ? strstr(said, harmless[i]) : NULL;
		if (!name)
			continue;
		name += strlen(harmless[i]);
		size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (name[n] == '"' && n < 64)
			return error_set(e, ST_INVALID, "db.dataSource: libpq knows no parameter %.*s; remove it",
			                 (int)n, name);
	}
	return error_set(e, ST_INVALID,
	                 "db.dataSource: not an address that libpq understands; write "
	                 "postgresql://USER@HOST/DATABASE?sslmode=verify-full, with special characters as %%XX");
}

static enum status take(const PQconninfoOption *options, const char *database, struct pgconn *c, struct error *e)
{
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (!o->val || !o->val[0] || (database && !strcmp(o->keyword, "dbname")))
			continue;
		if (check(o->keyword, o->val, e) || add(c, o->keyword, o->val, e))
			return e->status;
	}
	if (database && add(c, "dbname", database, e))
		return e->status;
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		if (!find(c, ours[i].key) && add(c, ours[i].key, ours[i].value, e))
			return e->status;
	return ST_OK;
}

static bool near(const char *host)
{
	return host[0] == '/' || host[0] == '@' || !host[0] || !strcmp(host, "localhost") || !strcmp(host, "::1") ||
	       !strncmp(host, "127.", 4);
}

/* Is every host of the list on this machine? */
static bool all_near(const char *hosts)
{
	for (struct slice rest = slice_cstr(hosts); rest.n;) {
		char one[128];
		const uint8_t *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
		snprintf(one, sizeof(one), "%.*s", (int)n, (const char *)rest.p);
		if (!near(one))
			return false;
		rest = slice_of(rest.p + n + (comma != NULL), rest.n - n - (comma != NULL));
	}
	return true;
}

static void describe(struct pgconn *c)
{
	const char *host = find(c, "host"), *address = find(c, "hostaddr"), *port = find(c, "port");
	const char *name = find(c, "dbname"), *mode = find(c, "sslmode");
	const char *at = host ? host : address ? address : "this machine";
	snprintf(c->shown, sizeof(c->shown), "%.100s on %.120s%s%.20s", name ? name : "of the user's name", at,
	         port ? ":" : "", port ? port : "");
	bool far = (host && !all_near(host)) || (address && !all_near(address));
	if (far && (!mode || strcmp(mode, "verify-full") != 0))
		snprintf(c->warning, sizeof(c->warning),
		         "db.dataSource: sslmode is %.20s, so whoever is between the CA and the database can read and "
		         "change what it knows; set sslmode=verify-full and sslrootcert",
		         mode ? mode : "prefer");
}

enum status pgconn_parse(const char *source, const char *database, struct pgconn *ret, struct error *e)
{
	AUTO(pgconn_done) struct pgconn c = { 0 };
	char *said = NULL;
	PQconninfoOption *options = libpq.conninfoParse(source, &said);
	enum status st = options ? take(options, database, &c, e) : unreadable(said, e);
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (o->val)
			OPENSSL_cleanse(o->val, strlen(o->val));
	if (options)
		libpq.conninfoFree(options);
	if (said) {
		OPENSSL_cleanse(said, strlen(said));
		libpq.freemem(said);
	}
	if (st)
		return st;
	describe(&c);
	*ret = c;
	c = (struct pgconn){ 0 };
	return ST_OK;
}

/* --- one of several ----------------------------------------------------------------------------------------------- */

static size_t items(const char *list)
{
	size_t n = list != NULL;
	for (const char *p = list; p && (p = strchr(p, ',')); p++)
		n++;
	return n;
}

/* The i-th; of a list of one, that. False: it has no such, or is too long. */
static bool item(const char *list, size_t i, char *ret, size_t n)
{
	for (size_t k = items(list) == 1 ? 0 : i; k && list; k--) {
		list = strchr(list, ',');
		list += list != NULL;
	}
	return list && snprintf(ret, n, "%.*s", (int)strcspn(list, ","), list) < (int)n;
}

size_t pgconn_hosts(const struct pgconn *c)
{
	const char *host = find(c, "host"), *address = find(c, "hostaddr"), *port = find(c, "port");
	struct pgconn_one one;
	size_t n = items(address ? address : host);
	if (n < 2 || (address && host && items(host) != n) || (items(port) > 1 && items(port) != n))
		return 1;
	for (size_t i = 0; i < n; i++)
		if ((host && !item(host, i, one.host, sizeof(one.host))) ||
		    (address && !item(address, i, one.hostaddr, sizeof(one.hostaddr))) ||
		    (port && !item(port, i, one.port, sizeof(one.port))))
			return 1;
	return n;
}

void pgconn_one(const struct pgconn *c, size_t i, struct pgconn_one *ret)
{
	struct {
		const char *key;
		char *to;
		size_t size;
	} lists[] = {
		{ "host", ret->host, sizeof(ret->host) },
		{ "hostaddr", ret->hostaddr, sizeof(ret->hostaddr) },
		{ "port", ret->port, sizeof(ret->port) },
	};
	bool several = pgconn_hosts(c) > 1;
	ret->host[0] = ret->hostaddr[0] = ret->port[0] = '\0';
	memcpy(ret->keys, c->keys, sizeof(ret->keys));
	memcpy(ret->values, c->values, sizeof(ret->values));
	for (size_t k = 0; several && k < c->n; k++)
		for (size_t l = 0; l < COUNT_OF(lists); l++)
			if (!strcmp(c->keys[k], lists[l].key) && item(c->values[k], i, lists[l].to, lists[l].size))
				ret->values[k] = lists[l].to;
	if (several)
		snprintf(ret->shown, sizeof(ret->shown), "%s%s%s", ret->host[0] ? ret->host : ret->hostaddr,
		         ret->port[0] ? ":" : "", ret->port);
	else
		snprintf(ret->shown, sizeof(ret->shown), "%s", c->shown);
}
