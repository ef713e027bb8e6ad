#include "server/promtext.h"

#include "base/utf8.h"

#include <inttypes.h>

void prom_family(struct buf *out, const char *name, enum prom_type type, const char *help)
{
	static const char *const types[] = {
		[PROM_COUNTER] = "counter", [PROM_GAUGE] = "gauge", [PROM_HISTOGRAM] = "histogram"
	};
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

static void add_escaped(struct buf *out, const char *value)
{
	struct slice s = slice_cstr(value);
	while (s.n) {
		uint32_t c = 0;
		size_t n = utf8_next(s, &c);
		bool whole = n && !utf8_is_hostile(c);
		if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", (char)c);
		else if (whole)
			buf_add(out, s.p, n);
		else
			buf_addf(out, "\\\\x%02x", *s.p);
		n = whole ? n : 1;
		s = slice_of(s.p + n, s.n - n);
	}
}

/* le: a further label; NULL: none */
static void add_labels(struct buf *out, const struct prom_label *labels, const char *le)
{
	char before = '{';
	for (; labels->name; labels++) {
		buf_addf(out, "%c%s=\"", before, labels->name);
		add_escaped(out, labels->value);
		buf_addc(out, '"');
		before = ',';
	}
	if (le)
		buf_addf(out, "%cle=\"%s\"", before, le);
	if (le || before == ',')
		buf_addc(out, '}');
}

/* v / unit, without zeros at the end. unit: a power of ten, at most 1e9. */
static const char *decimal(int64_t v, int64_t unit, char out[48])
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	int n = snprintf(out, 48, "%s%" PRIu64, v < 0 ? "-" : "", u / (uint64_t)unit);
	uint64_t rest = u % (uint64_t)unit;
	if (!rest)
		return out;
	out[n++] = '.';
	for (uint64_t digit = (uint64_t)unit / 10; rest; digit /= 10) {
		out[n++] = (char)('0' + rest / digit);
		rest %= digit;
	}
	out[n] = '\0';
	return out;
}

static void add_sample(struct buf *out, const char *name, const struct prom_label *labels, int64_t v, int64_t unit)
{
	char text[48];
	buf_adds(out, name);
	add_labels(out, labels, NULL);
	buf_addf(out, " %s\n", decimal(v, unit, text));
}

void prom_int(struct buf *out, const char *name, const struct prom_label *labels, int64_t v)
{
	add_sample(out, name, labels, v, 1);
}

void prom_seconds(struct buf *out, const char *name, const struct prom_label *labels, int64_t ns)
{
	add_sample(out, name, labels, ns, 1000000000);
}

void prom_histogram(struct buf *out, const char *name, const struct prom_label *labels, const struct prom_histogram *h)
{
	uint64_t so_far = 0;
	char text[48];
	for (size_t i = 0; i <= h->n; i++) {
		so_far += h->counts[i];
		buf_addf(out, "%s_bucket", name);
		add_labels(out, labels, i < h->n ? decimal(h->bounds[i], h->unit, text) : "+Inf");
		buf_addf(out, " %" PRIu64 "\n", so_far);
	}
	buf_addf(out, "%s_sum", name);
	add_labels(out, labels, NULL);
	buf_addf(out, " %s\n", decimal((int64_t)h->sum, h->unit, text));
	buf_addf(out, "%s_count", name);
	add_labels(out, labels, NULL);
	buf_addf(out, " %" PRIu64 "\n", so_far);
}
