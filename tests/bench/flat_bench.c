/* flat_bench - does a renewal's record cost the same however many there are? Fills a database to so many certificates
 * and then measures renewals, 16 at a time, each with the look at its parent that the server takes: CPU time, bytes
 * that went to the disk for it, and resident memory. Ten certificates to a line; lines in turn, and drawn by lot.
 *
 *     bench_flat FOLDER RENEWALS stamped|random ROWS...
 *
 * FOLDER is on the disk in question; its database is filled further by each ROWS, and is left there. Serials are
 * stamped as the server makes them, or random in all their bits, for the comparison. The resident memory is without the
 * table of lines here. */
#include "os/clock.h"
#include "store/store.h"

#include "base/duration.h"
#include "base/macros.h"
#include "base/num.h"
#include "x509/cert.h"
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
	LINE_LENGTH = 10,
	DER_BYTES = 760, /* a P-256 leaf with two names and the provisioner extension */
	FILL_WINDOW = 1024,
	WINDOW = 16,
	APART = 64, /* a line is not drawn again among so many: its parent may not be recorded yet */
	ROWS_MAX = 20000000,
	ROWS_PER_S = 1000,
};

static struct {
	struct store *store;
	bool stamped;
	int64_t rows;
	uint32_t *newest; /* row of the newest certificate of each line */
	size_t lines, lines_max;
	sem_t room;
	bool failed;
} b;

/* splitmix64 */
static uint64_t scatter(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct wall time_of(int64_t row)
{
	return (struct wall){ 1800000000 + row / ROWS_PER_S };
}

static bool serial_of(int64_t row, char out[SERIAL_TEXT])
{
	struct error e;
	uint64_t parts[2] = { scatter((uint64_t)row * 2), scatter((uint64_t)row * 2 + 1) };
	uint8_t serial[SERIAL_NEW];
	memcpy(serial, parts, sizeof serial);
	if (b.stamped)
		serial_stamp(serial, time_of(row), (struct mono){ row % ROWS_PER_S * (DURATION_S / ROWS_PER_S) });
	return !serial_format(slice_of(serial, sizeof serial), out, &e);
}

static bool fill_in(struct cert_row *r, int64_t row, size_t line)
{
	char name[64], names[160];
	r->der = BUF_INIT(4096);
	uint64_t *der = (uint64_t *)buf_reserve(&r->der, DER_BYTES);
	if (!der || !serial_of(row, r->serial))
		return false;
	for (size_t i = 0; i < DER_BYTES / sizeof *der; i++)
		der[i] = scatter((uint64_t)row << 8 | i);
	r->der.n += DER_BYTES;
	snprintf(name, sizeof name, "host-%zu.example.internal", line);
	snprintf(names, sizeof names, "%s\nwww.%s", name, name);
	r->subject = text_dup(slice_cstr(name));
	r->sans = text_dup(slice_cstr(names));
	r->provisioner_id = text_dup(SLICE_LIT("admin:5w6D5WhcwFuVZhZVNXX2QSTQnzMZAXYqSNL5Nf6BzVU"));
	r->provisioner_name = text_dup(SLICE_LIT("admin"));
	for (size_t i = 0; i < sizeof r->key_fingerprint / sizeof *der; i++)
		((uint64_t *)(void *)r->key_fingerprint)[i] = scatter((uint64_t)line << 8 | i | UINT64_C(1) << 63);
	r->created = time_of(row);
	r->not_before.s = r->created.s - 60;
	r->not_after.s = r->created.s + 24 * 3600;
	r->granted_s = 24 * 3600;
	return r->subject && r->sans && r->provisioner_id && r->provisioner_name;
}

static void done(void *ctx, enum status st, enum outcome o, const struct error *e)
{
	(void)ctx;
	if (st || (o != OUTCOME_DONE && o != OUTCOME_DONE_SECOND)) {
		fprintf(stderr, "flat_bench: outcome %d; %s\n", (int)o, st ? e->text : "");
		b.failed = true;
	}
	sem_post(&b.room);
}

/* The next row: the first certificate of a line, or a renewal of its newest one. */
static bool add(size_t line, bool look)
{
	bool first = line == b.lines;
	struct change *c = change_new(first ? CHANGE_ISSUE : CHANGE_RENEW);
	struct cert_row parent = { 0 };
	struct error e = ERROR_INIT;
	bool good = c && fill_in(&c->cert, b.rows, line) && (first || serial_of(b.newest[line], c->cert.parent));
	if (good && look && !first) {
		good = !store_find_cert(b.store, c->cert.parent, &parent, &e);
		cert_row_done(&parent);
	}
	if (!good) {
		fprintf(stderr, "flat_bench: %s\n", e.text);
		change_free(c);
		return false;
	}
	memcpy(c->parent_key, c->cert.key_fingerprint, sizeof c->parent_key);
	b.newest[line] = (uint32_t)b.rows++;
	b.lines += first;
	store_submit(b.store, c, done, NULL);
	return true;
}

static void wait_for_room(int n)
{
	for (int i = 0; i < n; i++)
		while (sem_wait(&b.room))
			;
}

/* Ten generations, each line renewed in its turn, as a fleet with one lifetime does. */
static bool fill(int64_t rows)
{
	size_t turn = 0, lines = (size_t)rows / LINE_LENGTH;
	sem_init(&b.room, 0, FILL_WINDOW);
	while (b.rows < rows && !b.failed) {
		wait_for_room(1);
		if (!add(b.lines < lines ? b.lines : turn++ % lines, false))
			return false;
	}
	wait_for_room(FILL_WINDOW);
	return !b.failed;
}

static size_t drawn_line(const size_t drawn[APART])
{
	static uint64_t at;
	for (;;) {
		size_t line = scatter(++at << 8) % b.lines;
		bool again = false;
		for (size_t k = 0; k < APART; k++)
			again |= drawn[k] == line;
		if (!again)
			return line;
	}
}

/* By lot: of lines that have nothing to do with each other. In turn: as they were renewed before. */
static bool renew(int64_t n, bool by_lot)
{
	static size_t turn;
	size_t drawn[APART] = { 0 };
	sem_init(&b.room, 0, WINDOW);
	for (int64_t i = 0; i < n && !b.failed; i++) {
		size_t line = by_lot ? drawn_line(drawn) : turn++ % b.lines;
		drawn[i % APART] = line;
		wait_for_room(1);
		if (!add(line, true))
			return false;
	}
	wait_for_room(WINDOW);
	return !b.failed;
}

static double cpu_us(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The number behind a name in a file of /proc. */
static int64_t number_in(const char *path, const char *name)
{
	char line[256];
	int64_t n = -1;
	FILE *f = fopen(path, "r");
	while (f && n < 0 && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			n = strtoll(line + strlen(name), NULL, 10);
	if (f)
		fclose(f);
	return n;
}

static bool measure(const char *folder, int64_t renewals, bool by_lot)
{
	struct store_stats before, after;
	struct error e = ERROR_INIT;
	struct stat file;
	char path[4096];
	int64_t rows = b.rows;
	if (!renew(renewals / 4, by_lot) || store_stats(b.store, &before, &e))
		return false;
	double cpu = cpu_us();
	int64_t bytes = number_in("/proc/self/io", "write_bytes:");
	if (!renew(renewals, by_lot) || store_stats(b.store, &after, &e))
		return false;
	cpu = cpu_us() - cpu;
	bytes = number_in("/proc/self/io", "write_bytes:") - bytes;
	snprintf(path, sizeof path, "%s/perennial.db", folder);
	if (stat(path, &file))
		return false;
	int64_t own_kib = (int64_t)(b.lines_max * sizeof *b.newest / 1024);
	double resident = (double)(number_in("/proc/self/status", "VmRSS:") - own_kib) / 1024;
	printf("%9lld rows %s: %6.1f us CPU, %6.0f bytes a renewal, %4.1f a commit; file %6.0f MiB, resident %5.1f "
	       "MiB\n",
	       (long long)rows, by_lot ? "by lot " : "in turn", cpu / (double)renewals,
	       (double)bytes / (double)renewals, (double)renewals / (double)(after.commits - before.commits),
	       (double)file.st_size / (1 << 20), resident);
	return fflush(stdout) == 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_flat FOLDER RENEWALS stamped|random ROWS...\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	int64_t renewals, rows;
	if (argc < 5 || num_parse(slice_cstr(argv[2]), 1, 1000000, &renewals, &e) ||
	    num_parse(slice_cstr(argv[argc - 1]), 1, ROWS_MAX, &rows, &e))
		return usage();
	b.stamped = strcmp(argv[3], "stamped") == 0;
	b.lines_max = (size_t)rows / LINE_LENGTH + 1;
	b.newest = calloc(b.lines_max, sizeof *b.newest);
	struct store_conf conf = {
		.kind = STORE_SQLITE, .folder = argv[1], .clock = &clock_system, .keep_expired_s = -1
	};
	if (!b.newest || store_open(&conf, &b.store, &e)) {
		fprintf(stderr, "flat_bench: %s\n", e.text);
		return 1;
	}
	bool good = true;
	for (int i = 4; i < argc && good; i++)
		good = !num_parse(slice_cstr(argv[i]), LINE_LENGTH * APART * 3 / 2, ROWS_MAX, &rows, &e) &&
		       fill(rows) && measure(argv[1], renewals, false) && measure(argv[1], renewals, true);
	store_close(b.store);
	free(b.newest);
	return good ? 0 : 1;
}
