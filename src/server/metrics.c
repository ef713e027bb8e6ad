#include "server/metrics.h"

#include "server/promtext.h"

#include <stdlib.h>
#include <string.h>

#define ADD(counter, n) __atomic_fetch_add(&(counter), (uint64_t)(n), __ATOMIC_RELAXED)
#define GET(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

/* -- plain counters ------------------------------------------------------------------------------------------- */

/* Rows of one family stand together. */
static const struct {
	const char *family, *help;
	struct prom_label label; /* name NULL: none */
} rows[] = {
#define REFUSED "step_ca_connections_refused_total", "Connections that ended before their first request."
	[METRIC_CONNECTIONS_OVER_CAP] = { REFUSED, { "reason", "limit" } },
	[METRIC_CONNECTIONS_HANDSHAKE_LATE] = { REFUSED, { "reason", "handshake_timeout" } },
	[METRIC_CONNECTIONS_HANDSHAKE_FAILED] = { REFUSED, { "reason", "handshake" } },
	[METRIC_STORE_REFUSED] = { "step_ca_store_refused_total",
	                           "Changes turned away because too many waited.",
	                           { 0 } },
	[METRIC_STORE_FAILED] = { "step_ca_store_errors_total", "Changes that the store could not record.", { 0 } },
#define TURNED_AWAY "step_ca_turned_away_total", "Requests told to come again later, before anything was decided."
	[METRIC_TURNED_AWAY_FULL] = { TURNED_AWAY, { "reason", "full" } },
	[METRIC_TURNED_AWAY_BUSY] = { TURNED_AWAY, { "reason", "busy" } },
	[METRIC_TURNED_AWAY_TOO_OFTEN] = { TURNED_AWAY, { "reason", "too_often" } },
	[METRIC_RELOADS] = { "step_ca_reloads_total", "Reloads of the configuration.", { "success", "true" } },
	[METRIC_RELOADS_FAILED] = { "step_ca_reloads_total", "Reloads of the configuration.", { "success", "false" } },
	[METRIC_CRL_FAILED] = { "step_ca_crl_failures_total", "Revocation lists that could not be made.", { 0 } },
};
_Static_assert(COUNT_OF(rows) == METRIC_COUNT, "a counter has no name");

static uint64_t counters[METRIC_COUNT];

void metrics_count(enum metric m)
{
	ADD(counters[m], 1);
}

static void write_counters(struct buf *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct prom_label labels[] = { rows[i].label, { NULL, NULL } };
		if (!i || strcmp(rows[i].family, rows[i - 1].family) != 0)
			prom_family(out, rows[i].family, PROM_COUNTER, rows[i].help);
		prom_int(out, rows[i].family, labels, (int64_t)GET(counters[i]));
	}
}

static uint64_t outcomes[OUTCOME_COUNT];

void metrics_outcome(enum outcome o)
{
	ADD(outcomes[o], 1);
}

static void write_outcomes(struct buf *out)
{
	static const char name[] = "step_ca_changes_total";
	prom_family(out, name, PROM_COUNTER, "Changes decided by the store, by outcome.");
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		prom_int(out, name, PROM_LABELS({ "outcome", outcome_name(i) }), (int64_t)GET(outcomes[i]));
}

/* -- durations ------------------------------------------------------------------------------------------------ */

#define MS INT64_C(1000000)
static const int64_t bounds[] = { MS / 4,   MS / 2,   MS,       5 * MS / 2, 5 * MS,    10 * MS,   25 * MS,   50 * MS,
	                          100 * MS, 250 * MS, 500 * MS, 1000 * MS,  2500 * MS, 5000 * MS, 10000 * MS };

struct histogram {
	uint64_t counts[COUNT_OF(bounds) + 1], sum_ns;
};

static struct histogram by_endpoint[METRICS_ENDPOINTS_MAX], handshakes, store_waits;

static void note(struct histogram *h, int64_t took_ns)
{
	size_t i = 0;
	took_ns = took_ns < 0 ? 0 : took_ns;
	while (i < COUNT_OF(bounds) && took_ns > bounds[i])
		i++;
	ADD(h->counts[i], 1);
	ADD(h->sum_ns, took_ns);
}

void metrics_handshake(int64_t took_ns)
{
	note(&handshakes, took_ns);
}

void metrics_store_wait(int64_t took_ns)
{
	note(&store_waits, took_ns);
}

static void write_histogram(struct buf *out, const char *name, const struct prom_label *labels, struct histogram *h)
{
	uint64_t counts[COUNT_OF(bounds) + 1];
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		counts[i] = GET(h->counts[i]);
	prom_histogram(out, name, labels,
	               &(struct prom_histogram){ .bounds = bounds,
	                                         .counts = counts,
	                                         .n = COUNT_OF(bounds),
	                                         .sum = GET(h->sum_ns),
	                                         .unit = 1000 * MS });
}

/* -- requests ------------------------------------------------------------------------------------------------- */

/* The last one is for whatever else. 0: nobody was there to be answered. */
static const short codes[] = { 200, 201, 400, 401, 403, 404, 405, 408, 413, 429, 431, 500, 501, 503, 0, -1 };
enum { CODES = COUNT_OF(codes) };

struct tally {
	uint64_t v[METRICS_ENDPOINTS_MAX][CODES];
};

/* Places are only added, by one thread, and published by their count. */
static const char *endpoints[METRICS_ENDPOINTS_MAX] = { [METRICS_ENDPOINT_OTHER] = "other" };
static size_t endpoints_n = 1;

enum { NO_PROVISIONER, OTHER_PROVISIONER, FIRST_PROVISIONER };
static struct tally none, other;
static struct {
	const char *name;
	struct tally *tally;
} provisioners[FIRST_PROVISIONER + METRICS_PROVISIONERS_MAX] = {
	[NO_PROVISIONER] = { "", &none },
	[OTHER_PROVISIONER] = { "(other)", &other },
};
static size_t provisioners_n = FIRST_PROVISIONER;

static size_t published(const size_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

static void publish(size_t *n)
{
	__atomic_store_n(n, *n + 1, __ATOMIC_RELEASE);
}

unsigned metrics_endpoint(const char *path)
{
	for (size_t i = 0; i < endpoints_n; i++)
		if (!strcmp(endpoints[i], path))
			return (unsigned)i;
	if (endpoints_n == METRICS_ENDPOINTS_MAX)
		return METRICS_ENDPOINT_OTHER;
	endpoints[endpoints_n] = path;
	publish(&endpoints_n);
	return (unsigned)(endpoints_n - 1);
}

static size_t find_provisioner(const char *name)
{
	size_t n = published(&provisioners_n);
	if (!*name)
		return NO_PROVISIONER;
	for (size_t i = OTHER_PROVISIONER; i < n; i++)
		if (!strcmp(provisioners[i].name, name))
			return i;
	return OTHER_PROVISIONER;
}

/* Without memory it stays among the others. */
void metrics_provisioner(const char *name)
{
	if (find_provisioner(name) != OTHER_PROVISIONER || provisioners_n == COUNT_OF(provisioners) ||
	    !strcmp(name, provisioners[OTHER_PROVISIONER].name))
		return;
	char *copy = text_dup(slice_cstr(name));
	struct tally *tally = copy ? calloc(1, sizeof *tally) : NULL;
	if (!tally) {
		free(copy);
		return;
	}
	provisioners[provisioners_n].name = copy;
	provisioners[provisioners_n].tally = tally;
	publish(&provisioners_n);
}

static size_t code_of(int status)
{
	size_t i = 0;
	while (i < CODES - 1 && codes[i] != status)
		i++;
	return i;
}

void metrics_request(unsigned endpoint, const char *provisioner, int status, int64_t took_ns)
{
	ADD(provisioners[find_provisioner(provisioner)].tally->v[endpoint][code_of(status)], 1);
	note(&by_endpoint[endpoint], took_ns);
}

static void write_tally(struct buf *out, const char *family, size_t provisioner, size_t endpoint)
{
	for (size_t i = 0; i < CODES; i++) {
		uint64_t v = GET(provisioners[provisioner].tally->v[endpoint][i]);
		char code[8];
		snprintf(code, sizeof code, codes[i] > 0 ? "%d" : codes[i] ? "other" : "gone", codes[i]);
		if (v)
			prom_int(out, family,
			         PROM_LABELS({ "endpoint", endpoints[endpoint] },
			                     { "provisioner", provisioners[provisioner].name }, { "code", code }),
			         (int64_t)v);
	}
}

static void write_requests(struct buf *out)
{
	static const char requests[] = "step_ca_requests_total", durations[] = "step_ca_request_duration_seconds";
	size_t endpoints_now = published(&endpoints_n), provisioners_now = published(&provisioners_n);
	prom_family(out, requests, PROM_COUNTER, "Requests that have ended, by route, provisioner and HTTP status.");
	for (size_t p = 0; p < provisioners_now; p++)
		for (size_t i = 0; i < endpoints_now; i++)
			write_tally(out, requests, p, i);
	prom_family(out, durations, PROM_HISTOGRAM, "From a request's first byte to the last byte of its answer.");
	for (size_t i = 0; i < endpoints_now; i++)
		write_histogram(out, durations, PROM_LABELS({ "endpoint", endpoints[i] }), &by_endpoint[i]);
}

/* What the peer's dashboards ask for. */
static const struct {
	const char *family, *help, *paths[2];
} grants[] = {
	{ "step_ca_x509_signed_total", "Requests to sign a certificate.", { "/sign" } },
	{ "step_ca_x509_renewed_total", "Requests to renew a certificate.", { "/renew", "/re-sign" } },
	{ "step_ca_x509_rekeyed_total", "Requests to renew a certificate with a new key.", { "/rekey" } },
};

static void count_grants(size_t provisioner, const char *path, uint64_t ret[2])
{
	size_t n = published(&endpoints_n), i = 0;
	while (i < n && strcmp(endpoints[i], path) != 0)
		i++;
	for (size_t c = 0; i < n && c < CODES; c++)
		ret[codes[c] == 201] += GET(provisioners[provisioner].tally->v[i][c]);
}

static void write_grants(struct buf *out)
{
	size_t provisioners_now = published(&provisioners_n);
	for (size_t g = 0; g < COUNT_OF(grants); g++) {
		prom_family(out, grants[g].family, PROM_COUNTER, grants[g].help);
		for (size_t p = 0; p < provisioners_now; p++) {
			uint64_t n[2] = { 0 };
			for (size_t i = 0; i < COUNT_OF(grants[g].paths) && grants[g].paths[i]; i++)
				count_grants(p, grants[g].paths[i], n);
			for (size_t ok = 0; ok < 2; ok++)
				prom_int(out, grants[g].family,
				         PROM_LABELS({ "provisioner", provisioners[p].name },
				                     { "success", ok ? "true" : "false" }),
				         (int64_t)n[ok]);
		}
	}
}

void metrics_write(struct buf *out)
{
	write_grants(out);
	write_requests(out);
	prom_family(out, "step_ca_tls_handshake_duration_seconds", PROM_HISTOGRAM,
	            "From accepting a connection to the end of its TLS handshake.");
	write_histogram(out, "step_ca_tls_handshake_duration_seconds", PROM_NONE, &handshakes);
	prom_family(out, "step_ca_store_wait_seconds", PROM_HISTOGRAM,
	            "From handing a change to the store to its answer.");
	write_histogram(out, "step_ca_store_wait_seconds", PROM_NONE, &store_waits);
	write_outcomes(out);
	write_counters(out);
}
