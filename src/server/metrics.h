/* metrics.h - what the server counts for /metrics: of the whole process, from any thread, a few relaxed atomic
 * additions each. docs/metrics.md lists what comes of it.
 *
 * What labels can hold is bounded: endpoints are those of the route tables, provisioners those of the configuration
 * (the first METRICS_PROVISIONERS_MAX since the start), status codes a fixed list; everything else is counted as
 * "other". */
#pragma once
#include "authority/change.h"
#include "base/buf.h"

/* Plain counters; a row each in metrics.c says name, labels and help. */
enum metric {
	METRIC_CONNECTIONS_OVER_CAP,
	METRIC_CONNECTIONS_HANDSHAKE_LATE,
	METRIC_CONNECTIONS_HANDSHAKE_FAILED,
	METRIC_STORE_REFUSED,
	METRIC_STORE_FAILED,
	METRIC_TURNED_AWAY_FULL,
	METRIC_TURNED_AWAY_BUSY,
	METRIC_TURNED_AWAY_TOO_OFTEN,
	METRIC_RELOADS,
	METRIC_RELOADS_FAILED,
	METRIC_CRL_FAILED,
	METRIC_COUNT
};
void metrics_count(enum metric m);

enum { METRICS_ENDPOINTS_MAX = 64, METRICS_PROVISIONERS_MAX = 64 };

/* By the main thread alone. The same path or name again is the same place. path must stay good. */
unsigned metrics_endpoint(const char *path);
void metrics_provisioner(const char *name);

/* The place of requests that no route answers. */
enum { METRICS_ENDPOINT_OTHER };

/* A request that has ended. provisioner: "" where none was found out. status 0: the client went away. */
void metrics_request(unsigned endpoint, const char *provisioner, int status, int64_t took_ns);
void metrics_handshake(int64_t took_ns);
void metrics_store_wait(int64_t took_ns); /* from submitting a change to its answer */
void metrics_outcome(enum outcome o);     /* of a change that was decided */

/* Appends the families of all that is counted here. */
void metrics_write(struct buf *out);
