/* promtext.h - the text exposition format of Prometheus, version 0.0.4, as a writer. Pure.
 *
 * A family is begun once with its help and type, and its samples follow it. Names are the program's own ([a-z0-9_:],
 * not checked here); values of labels may hold anything and are escaped. Bytes that are not UTF-8, and characters that
 * nobody should see, are shown as \xNN, so that different values stay different. Times are nanoseconds inside and
 * seconds in the text. */
#pragma once
#include "base/buf.h"

#define PROMTEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prom_label {
	const char *name, *value; /* a list ends with name NULL */
};
/* PROM_LABELS({ "a", v }, { "b", w }) */
#define PROM_LABELS(...) ((const struct prom_label[]){ __VA_ARGS__, { NULL, NULL } })
#define PROM_NONE ((const struct prom_label[]){ { NULL, NULL } })

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

void prom_family(struct buf *out, const char *name, enum prom_type type, const char *help);
void prom_int(struct buf *out, const char *name, const struct prom_label *labels, int64_t v);
void prom_seconds(struct buf *out, const char *name, const struct prom_label *labels, int64_t ns);

/* bounds[n] ascending; counts[n + 1], each of what lies above the bound before it, the last of what lies above all.
 * unit: 1e9 where bounds and sum are nanoseconds that are to be shown as seconds, else 1. */
struct prom_histogram {
	const int64_t *bounds;
	const uint64_t *counts;
	size_t n;
	uint64_t sum;
	int64_t unit;
};
void prom_histogram(struct buf *out, const char *name, const struct prom_label *labels, const struct prom_histogram *h);
