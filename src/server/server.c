/* The life of step-ca: start, reload, stop. */
#include "crypto/digest.h"
#include "os/file.h"
#include "os/notify.h"
#include "server/census.h"
#include "server/crl.h"
#include "server/state.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum status load(const struct server_conf *conf, struct snapshot **ret, struct error *e)
{
	AUTO(caconf_free_p) struct caconf *c = NULL;
	struct authority *a = NULL;
	if (caconf_load(conf->config_path, &c, e) || caconf_build(c, conf->password, clock_wall(conf->clock), &a, e))
		return e->status;
	return snapshot_new(TAKE(c), a, ret, e);
}

/* Counts by provisioner are kept from here on. */
static void name_provisioners(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->auth->provs_n; i++)
		metrics_provisioner(snap->auth->provs[i].name);
}

/* In the form that the configuration asks for. */
static void tell_warnings(const struct server_conf *conf, const struct caconf *c)
{
	log_setup(c->log_format, STDERR_FILENO);
	for (size_t i = 0; i < c->warnings_n; i++)
		LOG_EVENT(LOG_WARN, c->warnings[i], LF_STR("file", conf->config_path));
}

static int core_count(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

static SSL_CTX *current_tls(void *ctx)
{
	struct server *s = ((struct front *)ctx)->server;
	pthread_mutex_lock(&s->lock);
	SSL_CTX *tls = s->tls_;
	SSL_CTX_up_ref(tls);
	pthread_mutex_unlock(&s->lock);
	return tls;
}

static void log_room(void *ctx, enum store_room room, const char *why)
{
	(void)ctx;
	static const struct {
		enum log_level level;
		const char *text, *remedy;
	} lines[] = {
		[STORE_ROOM_ENOUGH] = { LOG_INFO_, "there is room on the disk again: certificates are issued", NULL },
		[STORE_ROOM_RESERVE] = { LOG_ERROR,
		                         "the disk is full: nothing is issued or renewed, only revocations are "
		                         "recorded",
		                         "free some space on it; no restart is needed" },
		[STORE_ROOM_NONE] = { LOG_ERROR,
		                      "the disk is full and the reserve is used up: not even revocations are recorded",
		                      "free some space on it; no restart is needed" },
	};
	_Static_assert(COUNT_OF(lines) == STORE_ROOM_COUNT, "a line for each");
	notify_status(lines[room].text);
	LOG_EVENT(lines[room].level, lines[room].text, LF_STR("error", *why ? why : NULL),
	          LF_STR("remedy", lines[room].remedy));
}

static void log_notice(void *ctx, const char *text)
{
	(void)ctx;
	log_line(LOG_WARN, "%s", text);
}

enum { DATABASE_WAIT_S = 60 }; /* shorter than systemd's patience with a start */

static enum status open_store(struct server *s, struct error *e)
{
	struct store_conf conf = s->now_->conf->store;
	conf.clock = s->conf.clock;
	conf.room = log_room;
	conf.notice = log_notice;
	conf.start_wait_s = DATABASE_WAIT_S;
	if (conf.kind == STORE_MEMORY)
		log_line(LOG_WARN,
		         "no database is configured: used tokens are forgotten at the end of this process and "
		         "nothing can be revoked; add a \"db\" stanza of type \"sqlite\" to keep them");
	return store_open(&conf, &s->store, e);
}

static enum status open_listener(struct server *s, struct error *e)
{
	const struct caconf *c = s->now_->conf;
	bool alone = s->conf.socket > 0;
	struct listener_conf conf = {
		.address = alone ? NULL : c->address,
		.socket = s->conf.socket,
		.threads = alone ? 1 : c->threads > 0 ? c->threads : core_count(),
		.limits = c->limits,
		.exempt = &c->exempt,
		.clock = s->conf.clock,
		.handler = router_handle,
		.tls = current_tls,
		.done = exchange_log,
		.refused = exchange_log_refused,
		.gathered = exchange_commit,
		.greeted = exchange_note_handshake,
		.ctx = &s->fronts[FRONT_CA],
	};
	overload_fit_descriptors(&conf.limits, front_others(c));
	return listener_start(&conf, &s->fronts[FRONT_CA].listener, e);
}

static void banner(struct server *s)
{
	const struct authority *a = s->now_->auth;
	struct error e = ERROR_INIT;
	char fp[SHA256_HEX];
	if (s->conf.quiet)
		return;
	log_line(LOG_INFO_, "Perennial CA %s, config %s", PERENNIAL_VERSION, s->conf.config_path);
	for (size_t i = 0; i < a->roots.n; i++)
		if (!cert_fingerprint(a->roots.v[i], fp, &e))
			log_line(LOG_INFO_, "X.509 root fingerprint: %s", fp);
}

static enum status write_port(struct server *s, struct error *e)
{
	char text[16];
	if (!s->conf.port_file)
		return ST_OK;
	snprintf(text, sizeof text, "%d\n", server_port(s));
	return file_replace(s->conf.port_file, slice_cstr(text), 0644, e);
}

/* Nobody but the one client comes to a socket that was given. */
static enum status open_others(struct server *s, struct error *e)
{
	if (s->conf.socket)
		return ST_OK;
	return front_open_sides(s, e) ? e->status : admin_open(s, e);
}

/* Who serves one client for one command makes no list: what it revokes comes on that of the CA. */
static enum status start_crl(struct server *s, struct error *e)
{
	return s->conf.socket ? ST_OK : crl_service_start(s->crl, e);
}

enum status server_start(const struct server_conf *conf, struct server **ret, struct error *e)
{
	struct server *s = calloc(1, sizeof *s);
	if (!s)
		return error_nomem(e);
	s->conf = *conf;
	pthread_mutex_init(&s->lock, NULL);
	front_init(s);
	s->started = clock_wall(conf->clock);
	s->started_mono = clock_mono(conf->clock);
	if (load(conf, &s->now_, e))
		goto fail;
	tell_warnings(conf, s->now_->conf);
	name_provisioners(s->now_);
	banner(s);
	if (overload_new(&s->overload, e) || open_store(s, e) || crl_service_new(s, &s->crl, e) ||
	    start_crl(s, e) || leaf_renew(s, s->now_, e) || open_listener(s, e) ||
	    open_others(s, e) || write_port(s, e))
		goto fail;
	if (!s->conf.socket) {
		log_line(LOG_INFO_, "Serving HTTPS on %s (port %d) ...", s->now_->conf->address, server_port(s));
		front_announce(s);
		notify_sendf("READY=1\nSTATUS=Serving HTTPS on port %d", server_port(s));
	}
	*ret = s;
	return ST_OK;
fail:
	server_stop(s);
	return e->status;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* What a running process cannot change: where it listens and what it stores to. */
static enum status check_unchanged(const struct caconf *old, const struct caconf *new, struct error *e)
{
	bool same_store = old->store.kind == new->store.kind &&
	                  same_text(old->store_source, new->store_source) &&
	                  same_text(old->store_database, new->store_database);
	if (!same_store)
		return error_set(e, ST_CONFLICT, "db: cannot be changed while the CA runs; restart it");
	if (strcmp(old->address, new->address) != 0)
		return error_set(e, ST_CONFLICT, "address: cannot be changed while the CA runs; restart it");
	return ST_OK;
}

/* What would not weaken the CA by staying as it was until a restart. */
static void tell_kept(const struct caconf *old, const struct caconf *new)
{
	if (memcmp(&old->exempt, &new->exempt, sizeof old->exempt))
		log_line(LOG_WARN,
		         "limits.exemptAddresses: changed in the configuration; the old ones hold until a restart");
	if (old->store.queue_max != new->store.queue_max)
		log_line(LOG_WARN, "limits.storeQueue: changed in the configuration; the old one holds until a restart");
	front_tell_kept(old, new);
	admin_tell_kept(old, new);
	if (old->store.reserve_bytes != new->store.reserve_bytes)
		log_line(LOG_WARN, "db.reserveBytes: changed in the configuration; the old one holds until a restart");
	if (old->threads != new->threads)
		log_line(LOG_WARN, "threads: changed in the configuration; the old number holds until a restart");
}

enum status server_reload(struct server *s, struct error *e)
{
	struct snapshot *new = NULL;
	if (load(&s->conf, &new, e))
		return e->status;
	if (check_unchanged(s->now_->conf, new->conf, e) || leaf_renew(s, new, e)) {
		snapshot_unref(new);
		return e->status;
	}
	name_provisioners(new);
	pthread_mutex_lock(&s->lock);
	struct snapshot *old = s->now_;
	s->now_ = new;
	pthread_mutex_unlock(&s->lock);
	tell_warnings(&s->conf, new->conf);
	tell_kept(old->conf, new->conf);
	store_set_rule(s->store, &new->conf->store);
	front_set_limits(s);
	snapshot_unref(old);
	struct error why = ERROR_INIT;
	if (start_crl(s, &why))
		LOG_EVENT(LOG_ERROR, "no revocation list", LF_STR("error", why.text));
	return ST_OK;
}

int server_port(const struct server *s)
{
	return listener_port(s->fronts[FRONT_CA].listener);
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	front_close(s);
	census_stop(s->census);
	admin_close(s);
	crl_service_stop(s->crl);
	if (s->store)
		store_close(s->store);
	crl_service_free(s->crl); /* the last changes of the store could still have told it something */
	SSL_CTX_free(s->tls_);
	cert_unref(s->leaf);
	overload_free(s->overload);
	snapshot_unref(s->now_);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static sigset_t handled(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1); /* ignored, as in the peer */
	sigaddset(&set, SIGUSR2);
	return set;
}

void server_block_signals(void)
{
	sigset_t set = handled();
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void reload(struct server *s)
{
	struct error e = ERROR_INIT;
	char status[sizeof e.text + 64];
	/* sd_notify(3): the time tells systemd (from 253) which of two reloads has begun. */
	notify_sendf("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_mono(s->conf.clock).ns / DURATION_US));
	bool failed = server_reload(s, &e) != ST_OK;
	metrics_count(failed ? METRIC_RELOADS_FAILED : METRIC_RELOADS);
	if (failed) {
		LOG_EVENT(LOG_ERROR, "configuration not reloaded: the old one stays in force", LF_STR("error", e.text));
		snprintf(status, sizeof status, "Configuration not reloaded, the old one is in force: %s", e.text);
	} else {
		log_line(LOG_INFO_, "configuration reloaded");
		snprintf(status, sizeof status, "Serving HTTPS on port %d", server_port(s));
	}
	notify_status(status);
	notify_send("READY=1");
}

/* The service manager's watchdog: fed while the threads that serve are alive, so that a CA that hangs is restarted. */
struct watchdog {
	int64_t every_ns; /* 0: nobody watches */
	struct mono due;
};

static void watchdog_feed(struct watchdog *w, struct server *s)
{
	struct mono now = clock_mono(s->conf.clock);
	if (!w->every_ns || now.ns < w->due.ns)
		return;
	w->due.ns = now.ns + w->every_ns;
	if (listener_alive(s->fronts[FRONT_CA].listener))
		notify_send("WATCHDOG=1");
	else
		log_line(LOG_ERROR, "a thread that serves connections has not answered for %lld s",
		         (long long)(w->every_ns / DURATION_S));
}

/* The wall clock may jump, so no sleep is longer than this. */
enum { LONGEST_SLEEP_S = 60 };

static struct timespec next_sleep(const struct watchdog *w, struct server *s)
{
	int64_t left = server_tend(s).s - clock_wall(s->conf.clock).s;
	int64_t ns = (left < 1 ? 1 : left < LONGEST_SLEEP_S ? left : LONGEST_SLEEP_S) * DURATION_S;
	int64_t watched = w->every_ns ? w->due.ns - clock_mono(s->conf.clock).ns : ns;
	ns = watched < 0 ? 0 : watched < ns ? watched : ns;
	return (struct timespec){ .tv_sec = ns / DURATION_S, .tv_nsec = ns % DURATION_S };
}

void server_run(struct server *s)
{
	struct watchdog watchdog = { .every_ns = notify_watchdog_ns() };
	sigset_t set = handled();
	for (;;) {
		watchdog_feed(&watchdog, s);
		struct timespec wait = next_sleep(&watchdog, s);
		int sig = sigtimedwait(&set, NULL, &wait);
		if (sig == SIGINT || sig == SIGTERM)
			break;
		if (sig == SIGHUP)
			reload(s);
	}
	notify_send("STOPPING=1\nSTATUS=Finishing running requests");
	log_line(LOG_INFO_, "stopping: no new connections; running requests are finished");
	server_stop(s);
}
