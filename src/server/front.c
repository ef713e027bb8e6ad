/* The ways into the server: which address has which resources, and what bounds its clients. HTTPS has the threads; each
 * other way is a listener of its own with one thread, so that a crowd there takes nothing from those who renew. */
#include "server/census.h"
#include "server/state.h"

/* Tools of the operator, a handful of them, with small requests. */
#define SIDE_LIMITS                                                                                                    \
	((struct listener_limits){ .body_bytes = 64 << 10,                                                             \
	                           .header_bytes = 8 << 10,                                                            \
	                           .connections = 64,                                                                  \
	                           .header_ms = 5000,                                                                  \
	                           .request_ms = 10000,                                                                \
	                           .idle_ms = 60000,                                                                   \
	                           .drain_ms = 2000 })

static const char *metrics_address(const struct caconf *c)
{
	return c->metrics_address && *c->metrics_address ? c->metrics_address : NULL;
}

static const char *insecure_address(const struct caconf *c)
{
	return c->crl.enabled && c->insecure_address && *c->insecure_address ? c->insecure_address : NULL;
}

/* All but HTTPS, which is always there, and the admin socket, which is no address (admin.c). */
static const struct side {
	const char *what;                               /* "Serving WHAT on ..." */
	const char *key;                                /* of ca.json */
	const char *(*address)(const struct caconf *c); /* host:port of plain HTTP; NULL: closed */
	const struct route *routes;
	bool open_to_all;                               /* the same limits as HTTPS has, but for their number */
} sides[FRONT_COUNT] = {
	[FRONT_METRICS] = { "metrics over plain HTTP", "metricsAddress", metrics_address, routes_metrics },
	[FRONT_INSECURE] = { "revocation lists over plain HTTP", "insecureAddress", insecure_address, routes_insecure,
	                     true },
	[FRONT_ADMIN] = { .key = "adminSocket", .routes = routes_admin },
};

void front_init(struct server *s)
{
	for (size_t i = 0; i < FRONT_COUNT; i++) {
		struct front *f = &s->fronts[i];
		*f = (struct front){ .server = s, .routes = i == FRONT_CA ? routes_ca : sides[i].routes };
		for (size_t k = 0; f->routes[k].path && k < COUNT_OF(f->endpoints); k++)
			f->endpoints[k] = (unsigned char)metrics_endpoint(f->routes[k].path);
	}
}

enum { OPEN_SHARE = 8, OPEN_MOST = 512 };

/* A part of what HTTPS has: a flood of the open port must not use up the descriptors of those who renew. */
int front_others(const struct caconf *c)
{
	int n = c->limits.connections / OPEN_SHARE;
	return !insecure_address(c) ? 0 : n < 1 ? 1 : n > OPEN_MOST ? OPEN_MOST : n;
}

static struct listener_limits limits_of(const struct caconf *c, const struct side *side)
{
	struct listener_limits l = side->open_to_all ? c->limits : SIDE_LIMITS;
	if (side->open_to_all) {
		l.connections = front_others(c);
		l.connections_spare = 0;
	}
	return l;
}

static enum status open_side(struct front *f, const struct side *side, struct error *e)
{
	struct listener_conf conf = {
		.address = side->address(f->server->now_->conf),
		.threads = 1,
		.limits = limits_of(f->server->now_->conf, side),
		.clock = f->server->conf.clock,
		.handler = router_handle,
		.done = exchange_log,
		.refused = exchange_log_refused,
		.gathered = exchange_commit,
		.ctx = f,
	};
	if (!conf.address)
		return ST_OK;
	return listener_start(&conf, &f->listener, e) ? error_wrap(e, "%s", side->key) : ST_OK;
}

enum status front_open_sides(struct server *s, struct error *e)
{
	if (metrics_address(s->now_->conf) && census_start(s->store, s->conf.clock, &s->census, e))
		return error_wrap(e, "metricsAddress");
	for (size_t i = FRONT_CA + 1; i < FRONT_ADMIN; i++)
		if (open_side(&s->fronts[i], &sides[i], e))
			return e->status;
	return ST_OK;
}

void front_announce(const struct server *s)
{
	for (size_t i = FRONT_CA + 1; i < FRONT_ADMIN; i++)
		if (s->fronts[i].listener)
			log_line(LOG_INFO_, "Serving %s on %s (port %d) ...", sides[i].what,
			         sides[i].address(s->now_->conf), listener_port(s->fronts[i].listener));
}

void front_set_limits(struct server *s)
{
	const struct caconf *c = s->now_->conf;
	struct listener_limits limits = c->limits;
	overload_fit_descriptors(&limits, front_others(c));
	listener_set_limits(s->fronts[FRONT_CA].listener, &limits);
	for (size_t i = FRONT_CA + 1; i < FRONT_ADMIN; i++) {
		if (!s->fronts[i].listener || !sides[i].open_to_all)
			continue;
		limits = limits_of(c, &sides[i]);
		if (!limits.connections) /* its feature was switched off: it answers so until a restart */
			limits.connections = 1;
		listener_set_limits(s->fronts[i].listener, &limits);
	}
}

void front_close(struct server *s)
{
	for (size_t i = FRONT_COUNT; i-- > 0;) {
		listener_stop(s->fronts[i].listener);
		s->fronts[i].listener = NULL;
	}
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

void front_tell_kept(const struct caconf *old, const struct caconf *new)
{
	for (size_t i = FRONT_CA + 1; i < FRONT_ADMIN; i++)
		if (!same_text(sides[i].address(old), sides[i].address(new)))
			log_line(LOG_WARN, "%s: changed in the configuration; the old one holds until a restart",
			         sides[i].key);
}
