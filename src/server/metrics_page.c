/* GET /metrics, on an address of its own: what the CA does and how it is, for Prometheus. Nothing here waits for the
 * database; docs/metrics.md is the list. */
#include "crypto/digest.h"
#include "os/usage.h"
#include "server/census.h"
#include "server/crl.h"
#include "server/promtext.h"
#include "server/state.h"
#include "store/gauges.h"

/* A family with one sample; left out where the value is not known (< 0). */
static void gauge(struct buf *out, const char *name, const char *help, int64_t v)
{
	if (v < 0)
		return;
	prom_family(out, name, PROM_GAUGE, help);
	prom_int(out, name, PROM_NONE, v);
}

static void counter(struct buf *out, const char *name, const char *help, int64_t v)
{
	prom_family(out, name, PROM_COUNTER, help);
	prom_int(out, name, PROM_NONE, v);
}

static void write_connections(struct exchange *x)
{
	static const char name[] = "step_ca_connection_events_total";
	struct listener *l = x->server->fronts[FRONT_CA].listener;
	struct buf *out = &x->body;
	gauge(out, "step_ca_connections", "Open HTTPS connections.", listener_connections(l));
	gauge(out, "step_ca_connections_limit", "As many are taken.", x->snap->conf->limits.connections);
	prom_family(out, name, PROM_COUNTER, "HTTPS connections that were treated as a crowd asks for.");
	for (size_t i = 0; i < LISTENER_COUNTS; i++)
		prom_int(out, name, PROM_LABELS({ "event", listener_count_name(i) }), listener_count(l, i));
}

static void write_program(struct exchange *x)
{
	struct server *s = x->server;
	struct buf *out = &x->body;
	prom_family(out, "step_ca_build_info", PROM_GAUGE, "The version, as a label.");
	prom_int(out, "step_ca_build_info", PROM_LABELS({ "version", PERENNIAL_VERSION }), 1);
	prom_family(out, "step_ca_uptime_seconds", PROM_GAUGE, "Seconds since the start.");
	prom_seconds(out, "step_ca_uptime_seconds", PROM_NONE, clock_mono(s->conf.clock).ns - s->started_mono.ns);
	gauge(out, "step_ca_time_seconds", "The CA's clock, in seconds since 1970.", x->now.s);
}

/* -- the CA's own certificates ------------------------------------------------------------------------------- */

#define ENDS "step_ca_chain_not_after_timestamp_seconds"

static void write_end(struct exchange *x, const char *kind, const struct cert *c)
{
	char fingerprint[SHA256_HEX];
	struct error e;
	if (cert_fingerprint(c, fingerprint, &e))
		return;
	fingerprint[16] = '\0';
	prom_int(&x->body, ENDS,
	         PROM_LABELS({ "kind", kind }, { "name", cert_facts(c)->common_name }, { "fingerprint", fingerprint }),
	         cert_facts(c)->not_after.s);
}

static void write_ends(struct exchange *x)
{
	struct server *s = x->server;
	const struct authority *a = x->snap->auth;
	prom_family(&x->body, ENDS, PROM_GAUGE, "When the CA's own certificates end, in seconds since 1970.");
	for (size_t i = 0; i < a->roots.n; i++)
		write_end(x, "root", a->roots.v[i]);
	for (size_t i = 0; i < a->issuers.n; i++)
		write_end(x, "intermediate", a->issuers.v[i]);
	pthread_mutex_lock(&s->lock);
	struct cert *leaf = cert_ref(s->leaf);
	pthread_mutex_unlock(&s->lock);
	write_end(x, "listener", leaf);
	cert_unref(leaf);
}

/* -- the store ------------------------------------------------------------------------------------------------ */

static const char *const lefts[] = {
	[STORE_LEFT_NONE] = "-1d",    [STORE_LEFT_HOUR] = "1h",     [STORE_LEFT_6_HOURS] = "6h",
	[STORE_LEFT_DAY] = "1d",      [STORE_LEFT_3_DAYS] = "3d",   [STORE_LEFT_WEEK] = "7d",
	[STORE_LEFT_30_DAYS] = "30d", [STORE_LEFT_90_DAYS] = "90d", [STORE_LEFT_ALL] = "any",
};
_Static_assert(COUNT_OF(lefts) == STORE_LEFTS, "a span has no name");

static void write_census(struct exchange *x)
{
	struct store_census c;
	struct wall at;
	struct buf *out = &x->body;
	if (!census_get(x->server->census, &c, &at))
		return;
	prom_family(
		out, "step_ca_certificates", PROM_GAUGE,
		"Newest certificates of their lines that end within this time; -1d: that ended within the last day.");
	for (size_t i = 0; i < STORE_LEFTS; i++)
		prom_int(out, "step_ca_certificates", PROM_LABELS({ "left", lefts[i] }), c.n[i]);
	gauge(out, "step_ca_certificates_counted_timestamp_seconds",
	      "When step_ca_certificates was counted, in seconds since 1970.", at.s);
}

static void write_commits(struct buf *out, const struct store_gauges *g)
{
	static const char name[] = "step_ca_store_commit_changes";
	int64_t bounds[STORE_BATCH_BOUNDS];
	uint64_t counts[STORE_BATCH_BOUNDS + 1] = { 0 };
	for (int i = 0; i < STORE_BATCH_BOUNDS; i++) {
		bounds[i] = INT64_C(1) << i;
		counts[i] = (uint64_t)g->batches[i];
	}
	prom_family(out, name, PROM_HISTOGRAM, "Changes in one commit.");
	prom_histogram(out, name, PROM_NONE,
	               &(struct prom_histogram){ bounds, counts, COUNT_OF(bounds), (uint64_t)g->changes, 1 });
}

static void write_store(struct exchange *x)
{
	struct store_gauges g;
	struct buf *out = &x->body;
	store_gauges(x->server->store, &g);
	gauge(out, "step_ca_store_queue", "Changes that wait for the store.", g.queue);
	gauge(out, "step_ca_store_queue_limit", "As many may wait.", g.queue_max);
	write_commits(out, &g);
	counter(out, "step_ca_store_failed_commits_total", "Commits that were lost.", g.failed);
	counter(out, "step_ca_store_pruned_rows_total", "Rows that were removed because nobody needs them.", g.pruned);
	gauge(out, "step_ca_store_database_bytes", "Size of the database file.", g.database_bytes);
	gauge(out, "step_ca_store_log_bytes", "Size of the database's write-ahead log.", g.log_bytes);
	gauge(out, "step_ca_store_disk_free_bytes", "Room on the database's disk.", g.free_bytes);
	gauge(out, "step_ca_store_disk_full", "1: nothing is issued, revocations are recorded; 2: neither.", g.room);
}

/* -- the revocation list --------------------------------------------------------------------------------------- */

static void write_crl(struct exchange *x)
{
	struct buf *out = &x->body;
	if (!x->snap->conf->crl.enabled)
		return;
	/* Without a list that is good: zero, so that a rule on what is left of it speaks up. */
	struct crl_doc *doc = crl_doc_get(x->server, x->now);
	const struct crl_doc_facts none = { 0 }, *f = doc ? crl_doc_facts(doc) : &none;
	gauge(out, "step_ca_crl_next_update_timestamp_seconds",
	      "When the revocation list that is served ends, in seconds since 1970; 0: none is.", f->next_update.s);
	gauge(out, "step_ca_crl_this_update_timestamp_seconds", "When it was made.", f->this_update.s);
	gauge(out, "step_ca_crl_number", "Its number.", f->number);
	gauge(out, "step_ca_crl_entries", "Revocations on it.", f->entries);
	crl_doc_unref(doc);
}

/* -- the process ---------------------------------------------------------------------------------------------- */

static void write_process(struct exchange *x)
{
	struct usage u;
	struct buf *out = &x->body;
	usage_read(&u);
	prom_family(out, "process_cpu_seconds_total", PROM_COUNTER, "CPU time, user and system.");
	prom_seconds(out, "process_cpu_seconds_total", PROM_NONE, u.cpu_ns);
	gauge(out, "process_resident_memory_bytes", "Memory that is in use.", u.resident_bytes);
	gauge(out, "process_virtual_memory_bytes", "Address space.", u.virtual_bytes);
	gauge(out, "process_open_fds", "Open file descriptors.", u.fds);
	gauge(out, "process_max_fds", "As many may be open.", u.fds_max);
	gauge(out, "process_start_time_seconds", "The start, in seconds since 1970.", x->server->started.s);
}

void resource_metrics(struct exchange *x, const char *arg)
{
	(void)arg;
	write_program(x);
	write_connections(x);
	write_ends(x);
	metrics_write(&x->body);
	write_census(x);
	write_store(x);
	write_crl(x);
	write_process(x);
	if (buf_check(&x->body, &x->error))
		exchange_fail(x);
	else
		exchange_text(x, 200, PROMTEXT_TYPE, buf_slice(&x->body));
}
