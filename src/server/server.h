/* server.h - step-ca as a running program: configuration, store, listener and the life of its own certificate. */
#pragma once
#include "authority/authority.h"
#include "config/caconf.h"
#include "net/listener.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "store/store.h"

struct server;

struct server_conf {
	const char *config_path;
	const struct password_source *password; /* asked at start and at each reload; NULL: only what ca.json holds */
	const struct clock *clock;
	const struct entropy *entropy;
	bool quiet;                  /* no banner */
	const char *port_file;       /* the port that was bound is written there once it serves; NULL: not */
	/* A unix socket, bound, listening, not blocking, in place of every address in the configuration: for one client
	 * that started this server for itself (`step ... --offline`). Taken. 0: none. */
	int socket;
};

/* Loads the configuration, opens the store, signs the listener's certificate and starts to serve.
 * ST_INVALID/ST_DENIED/ST_MISSING: configuration, keys, password; ST_CONFLICT: store held; ST_IO: address in use. */
MUST_USE enum status server_start(const struct server_conf *conf, struct server **ret, struct error *e);

/* Reads configuration, certificates and keys again. On any error the old ones stay in force. Connections are kept. */
MUST_USE enum status server_reload(struct server *s, struct error *e);

/* Renews the listener's certificate where that is due and returns when to call again (spec/server.md §5.1). */
struct wall server_tend(struct server *s);

int server_port(const struct server *s);

/* Stops accepting, finishes what runs, closes the store. */
void server_stop(struct server *s);

/* Blocks the signals that server_run handles; before any thread is started. */
void server_block_signals(void);

/* Serves until SIGINT or SIGTERM; SIGHUP reloads. Returns when everything is down. */
void server_run(struct server *s);
