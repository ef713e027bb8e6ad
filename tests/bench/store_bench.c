/* store_bench - what a renewal's record costs: rows per second and CPU per row, with so many clients waiting, each for
 * its own answer. usage: bench_store [FOLDER [SECONDS]]; the folder should be on the disk in question, and is left
 * empty. Where PERENNIAL_PG names an empty database, it is PostgreSQL's cost (tests/lib/with-pg). */
#include "os/clock.h"
#include "store/store.h"

#include "base/macros.h"
#include "base/num.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64, DER_BYTES = 1100, SECONDS = 3 };

struct client {
	pthread_t thread;
	struct store *store;
	int number;
	int64_t rows;
	bool failed;
};

static bool stopping;

static void serial_of(char out[SERIAL_TEXT], int client, int64_t row)
{
	/* scattered like random ones */
	uint64_t mix = ((uint64_t)client << 40 | (uint64_t)row) * UINT64_C(0x9e3779b97f4a7c15);
	snprintf(out, SERIAL_TEXT, "%llu%018llu", (unsigned long long)(mix >> 3), (unsigned long long)(mix * 31 >> 5));
}

static struct change *renewal(int client, int64_t row)
{
	struct change *c = change_new(row ? CHANGE_RENEW : CHANGE_ISSUE);
	if (!c)
		return NULL;
	struct cert_row *r = &c->cert;
	serial_of(r->serial, client, row);
	if (row)
		serial_of(r->parent, client, row - 1);
	r->der = BUF_INIT(4096);
	uint8_t *der = buf_reserve(&r->der, DER_BYTES);
	if (der) {
		memset(der, 'D', DER_BYTES);
		r->der.n += DER_BYTES;
	}
	r->subject = text_dup(SLICE_LIT("host.example.internal"));
	r->sans = text_dup(SLICE_LIT("host.example.internal\nwww.example.internal"));
	r->provisioner_id = text_dup(SLICE_LIT("admin:5w6D5WhcwFuVZhZVNXX2QSTQnzMZAXYqSNL5Nf6BzVU"));
	r->provisioner_name = text_dup(SLICE_LIT("admin"));
	memset(r->key_fingerprint, client, sizeof(r->key_fingerprint));
	memset(c->parent_key, client, sizeof(c->parent_key));
	r->not_after.s = 1800000000 + row;
	return c;
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
		struct error e;
		enum outcome o;
		struct change *change = renewal(c->number, c->rows);
		if (!change || store_apply(c->store, change, &o, &e) || o != OUTCOME_DONE) {
			c->failed = true;
			break;
		}
		c->rows++;
	}
	return NULL;
}

static double cpu_us(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int run(struct store *s, int clients, int base, unsigned seconds)
{
	static struct client c[CLIENTS_MAX];
	struct store_stats before, after;
	struct error e = ERROR_INIT;
	int64_t rows = 0, start = clock_mono(&clock_system).ns;
	double cpu = cpu_us();
	bool failed = store_stats(s, &before, &e) != ST_OK;
	stopping = false;
	for (int i = 0; i < clients; i++) {
		c[i] = (struct client){ .store = s, .number = base + i };
		if (pthread_create(&c[i].thread, NULL, client_main, &c[i]))
			return 1;
	}
	sleep(seconds);
	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	for (int i = 0; i < clients; i++) {
		pthread_join(c[i].thread, NULL);
		rows += c[i].rows;
		failed |= c[i].failed;
	}
	double passed = (double)(clock_mono(&clock_system).ns - start) / 1e9;
	cpu = cpu_us() - cpu;
	failed |= store_stats(s, &after, &e) != ST_OK;
	if (failed || !rows) {
		fprintf(stderr, "store_bench: a change failed; %s\n", e.text);
		return 1;
	}
	printf("%2d waiting: %7.0f rows/s, %5.1f us CPU a row, %5.1f rows a commit\n", clients, (double)rows / passed,
	       cpu / (double)rows, (double)rows / (double)(after.commits - before.commits));
	return fflush(stdout) ? 1 : 0;
}

static void remove_files(const char *folder, bool with_folder)
{
	static const char *const names[] = { "perennial.db", "perennial.lock" };
	char path[4096];
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	if (with_folder)
		rmdir(folder);
}

int main(int argc, char **argv)
{
	char made[] = "/var/tmp/perennial-bench-XXXXXX";
	const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
	int64_t seconds = SECONDS;
	struct error e = ERROR_INIT;
	if (!folder || (argc > 2 && num_parse(slice_cstr(argv[2]), 1, 3600, &seconds, &e))) {
		fprintf(stderr, "usage: bench_store [FOLDER [SECONDS]]\n");
		return 2;
	}
	struct store_conf conf = {
		.kind = STORE_SQLITE, .folder = folder, .clock = &clock_system, .keep_expired_s = -1
	};
	if (getenv("PERENNIAL_PG")) {
		conf.kind = STORE_POSTGRESQL;
		conf.source = getenv("PERENNIAL_PG");
	}
	struct store *s = NULL;
	if (store_open(&conf, &s, &e)) {
		fprintf(stderr, "store_bench: %s\n", e.text);
		return 1;
	}
	static const int clients[] = { 1, 16, 64 };
	int failed = 0;
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		failed |= run(s, clients[i], (int)(i * CLIENTS_MAX), (unsigned)seconds);
	store_close(s);
	remove_files(folder, argc < 2);
	return failed;
}
