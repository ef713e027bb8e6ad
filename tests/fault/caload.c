/* caload - clients of a real CA, each on TLS connections of its own: sign, renew, rekey, revoke without pause.
 * Remembers what they were told, prints it when told to stop, and tries it again at the front door when told to check.
 *
 * usage: caload [-f] [-k PID:N] [-p MS] URL ROOT KEY PROVISIONER KID CLIENTS SEED
 *
 *   -f        the CA's disk may fail: 503 is an answer, a broken connection is not
 *   -k PID:N  kills that process a random instant after the N-th answer
 *   -p MS     each client rests so long, at most, between two requests
 *
 * Commands on stdin, one a line; answers on stdout:
 *   count  "count ANSWERS LATER WRONG"
 *   stop   what was told, then "end":
 *            signed CLIENT SERIAL SHA256     a certificate by a token
 *            renewed CLIENT SERIAL SHA256    also rekeyed
 *            revoked CLIENT SERIAL
 *            unanswered CLIENT               a token that was sent and got no answer, or "later"
 *            later CLIENT MESSAGE            503
 *            wrong CLIENT TEXT               an answer that nothing excuses
 *   check  of each kind at most CHECKS, by the seed: used tokens are refused, revoked certificates are not renewed,
 * others are, an unanswered token works once or not at all. "wrong ..." lines, "checked TOKENS REVOKED LIVE
 * UNANSWERED", "issued N" (how many certificates this made), "end" */
#include "client/token.h"
#include "crypto/digest.h"
#include "crypto/keys.h"
#include "os/clock.h"
#include "os/file.h"
#include "x509/name.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 256,
	CHECKS = 24,
	TRIES = 300,
	TEXT = 200,
	KILL_WITHIN_US = 5000,
	LATER_US = 10000,
	HEX = 2 * SHA256_BYTES + 1
};

enum deed_kind { SIGNED, RENEWED, REVOKED, UNANSWERED, LATER, WRONG, DEED_COUNT };
static const char *const deed_names[DEED_COUNT] = { "signed", "renewed", "revoked", "unanswered", "later", "wrong" };

struct deed {
	enum deed_kind kind;
	char serial[SERIAL_TEXT], sha[HEX], text[TEXT];
	char *token;        /* SIGNED, UNANSWERED */
	struct chain chain; /* REVOKED: the certificate */
	EVP_PKEY *key;      /* its key */
};

struct client {
	int number;
	uint64_t random;
	char name[32];
	struct ca ca;
	EVP_PKEY *key;
	struct chain chain; /* what it holds */
	bool doubtful;      /* it asked for its revocation and got no answer */
	struct deed *deeds;
	size_t n, max;
	pthread_t thread;
};

static struct {
	const char *url, *provisioner, *kid;
	EVP_PKEY *key; /* of the provisioner */
	bool failing;
	pid_t victim;
	unsigned kill_after, clients, rest_ms;
	struct client v[CLIENTS_MAX];
	atomic_bool stop;
	atomic_uint answers, later, wrong;
} load;

static void must(bool ok, const char *what, const struct error *e)
{
	if (ok)
		return;
	fprintf(stderr, "caload: %s: %s\n", what, e ? e->text : "");
	exit(1);
}

static uint64_t random_next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dULL >> 20;
}

static struct deed *note(struct client *c, enum deed_kind kind)
{
	if (c->n == c->max) {
		c->max = c->max ? 2 * c->max : 64;
		c->deeds = reallocarray(c->deeds, c->max, sizeof *c->deeds);
		must(c->deeds, "out of memory", NULL);
	}
	struct deed *d = &c->deeds[c->n++];
	*d = (struct deed){ .kind = kind };
	return d;
}

/* --- what a client sends ------------------------------------------------------------------------------------------ */

static char *make_token(const struct client *c, enum token_kind kind, const char *subject)
{
	struct error e;
	char audience[256];
	AUTO(buf_done) struct buf out = BUF_INIT(TOKEN_MAX);
	snprintf(audience, sizeof audience, "%s/1.0/%s", load.url, kind == TOKEN_REVOKE ? "revoke" : "sign");
	struct wall now = clock_wall(&clock_system);
	const struct token_draft d = { .kind = kind,
		                       .audience = audience,
		                       .provisioner = load.provisioner,
		                       .kid = load.kid,
		                       .subject = subject ? subject : c->name,
		                       .offline = true,
		                       .span = { now, { now.s + 300 } },
		                       .now = now };
	must(!token_sign(&d, load.key, &out, &e), "token", &e);
	return buf_take(&out);
}

static void make_csr(const struct client *c, EVP_PKEY *key, struct csr *ret)
{
	struct error e;
	AUTO(buf_done) struct buf name = BUF_INIT(1024), der = BUF_INIT(CSR_MAX);
	AUTO(san_list_done) struct san_list sans = { 0 };
	must(!san_list_add(&sans, slice_cstr(c->name), &e) &&
	             !name_encode(&(struct name_attrs){ .common_name = c->name }, &name, &e) &&
	             !csr_make(key, buf_slice(&name), &sans, &der, &e) && !csr_parse(buf_slice(&der), true, ret, &e),
	     "request", &e);
}

static EVP_PKEY *make_key(void)
{
	struct error e;
	EVP_PKEY *key;
	must(!key_generate(&KEY_SPEC_DEFAULT, &key, &e), "key", &e);
	return key;
}

static void kill_victim(struct client *c)
{
	usleep((useconds_t)(random_next(&c->random) % KILL_WITHIN_US));
	kill(load.victim, SIGKILL);
}

static void answered(struct client *c)
{
	if (atomic_fetch_add(&load.answers, 1) + 1 == load.kill_after)
		kill_victim(c);
}

/* What an answer that is no success was. False: the client has come to its end. */
static bool excused(struct client *c, const struct ca_answer *a, const struct error *e, const char *what)
{
	if (!a->http && !load.failing)
		return false; /* it was killed */
	bool later = load.failing && a->http == 503 && a->from_ca && a->retry_after_s > 0;
	struct deed *d = note(c, later ? LATER : WRONG);
	snprintf(d->text, TEXT, "%s: %d %s", what, a->http, e->text);
	d->text[strcspn(d->text, "\n")] = '\0';
	atomic_fetch_add(later ? &load.later : &load.wrong, 1);
	if (later)
		usleep(LATER_US); /* Retry-After in small */
	return later;
}

static void note_cert(struct client *c, enum deed_kind kind, struct chain *taken, char *token_taken)
{
	struct error e;
	const struct cert_facts *f = cert_facts(taken->v[0]);
	struct deed *d = note(c, kind);
	snprintf(d->serial, SERIAL_TEXT, "%s", f->serial_text);
	must(!digest_sha256_hex(f->der, d->sha, &e), "digest", &e);
	d->token = token_taken;
	chain_done(&c->chain);
	c->chain = *taken;
	c->doubtful = false;
	answered(c);
}

static enum status send_sign(struct client *c, const char *token, struct chain *ret, struct ca_answer *a,
                             struct error *e)
{
	AUTO(csr_done) struct csr csr = { 0 };
	make_csr(c, c->key, &csr);
	return ca_sign(&c->ca, &(struct ca_sign_request){ .csr = &csr, .ott = token }, ret, a, e);
}

static bool do_sign(struct client *c)
{
	struct error e;
	struct ca_answer a;
	struct chain got;
	char *token = make_token(c, TOKEN_SIGN, NULL);
	if (send_sign(c, token, &got, &a, &e)) {
		note(c, UNANSWERED)->token = token;
		return excused(c, &a, &e, "sign");
	}
	note_cert(c, SIGNED, &got, token);
	return true;
}

static bool do_renew(struct client *c)
{
	struct error e;
	struct ca_answer a;
	struct chain got;
	if (ca_renew(&c->ca, &c->chain, c->key, NULL, &got, &a, &e))
		return excused(c, &a, &e, "renew");
	note_cert(c, RENEWED, &got, NULL);
	return true;
}

static bool do_rekey(struct client *c)
{
	struct error e;
	struct ca_answer a;
	struct chain got;
	EVP_PKEY *key = make_key();
	AUTO(csr_done) struct csr csr = { 0 };
	make_csr(c, key, &csr);
	if (ca_rekey(&c->ca, &c->chain, c->key, &csr, &got, &a, &e)) {
		EVP_PKEY_free(key);
		return excused(c, &a, &e, "rekey");
	}
	EVP_PKEY_free(c->key);
	c->key = key;
	note_cert(c, RENEWED, &got, NULL);
	return true;
}

/* With a token, or by the certificate itself. The client holds nothing afterwards. */
static bool do_revoke(struct client *c)
{
	struct error e;
	struct ca_answer a;
	const char *serial = cert_facts(c->chain.v[0])->serial_text;
	bool by_token = random_next(&c->random) % 2;
	AUTO(text_free_p) char *token = by_token ? make_token(c, TOKEN_REVOKE, serial) : NULL;
	const struct ca_revoke_request q = { .serial = serial, .ott = token, .reason_code = 4, .reason = "test" };
	c->doubtful = true;
	if (ca_revoke(&c->ca, &q, by_token ? NULL : &c->chain, by_token ? NULL : c->key, &a, &e))
		return excused(c, &a, &e, "revoke");
	struct deed *d = note(c, REVOKED);
	snprintf(d->serial, SERIAL_TEXT, "%s", serial);
	d->chain = c->chain;
	d->key = c->key;
	EVP_PKEY_up_ref(d->key);
	c->chain = (struct chain){ 0 };
	answered(c);
	return true;
}

static bool do_something(struct client *c)
{
	unsigned dice = (unsigned)(random_next(&c->random) % 10);
	if (!c->chain.n || c->doubtful)
		return do_sign(c);
	return dice < 5 ? do_renew(c) : dice < 7 ? do_rekey(c) : dice < 9 ? do_revoke(c) : do_sign(c);
}

static void *client_main(void *client)
{
	struct client *c = client;
	while (!atomic_load(&load.stop) && do_something(c))
		if (load.rest_ms)
			usleep((useconds_t)(random_next(&c->random) % load.rest_ms * 1000));
	return NULL;
}

/* --- what it was told, at the front door -------------------------------------------------------------------------- */

static int issued;

static void wrong(const char *what, const char *serial, const struct ca_answer *a, const struct error *e)
{
	printf("wrong - %s %s: %d %s\n", what, serial, a->http, a->http == 201 ? "" : e->text);
}

/* What failed may take a moment to come back: an answer of 503 is then no answer yet. */
static bool again(const struct ca_answer *a, int *tries)
{
	if (!load.failing || a->http != 503 || ++*tries == TRIES)
		return false;
	usleep(100 * 1000);
	return true;
}

static bool works(struct client *c, const char *token, struct ca_answer *a, struct error *e)
{
	AUTO(chain_done) struct chain got = { 0 };
	bool ok;
	int tries = 0;
	do
		ok = !send_sign(c, token, &got, a, e);
	while (!ok && again(a, &tries));
	issued += ok;
	return ok;
}

static bool renews(struct client *c, const struct chain *chain, EVP_PKEY *key, struct ca_answer *a, struct error *e)
{
	AUTO(chain_done) struct chain got = { 0 };
	bool ok;
	int tries = 0;
	do
		ok = !ca_renew(&c->ca, chain, key, NULL, &got, a, e);
	while (!ok && again(a, &tries));
	issued += ok;
	return ok;
}

static void check_token(struct client *c, const struct deed *d)
{
	struct error e = ERROR_INIT;
	struct ca_answer a;
	if (works(c, d->token, &a, &e) || a.http != 401)
		wrong("the token works again that gave", d->serial, &a, &e);
}

static void check_unanswered(struct client *c, const struct deed *d)
{
	struct error e = ERROR_INIT;
	struct ca_answer a;
	bool first = works(c, d->token, &a, &e);
	if (!first && a.http != 401)
		wrong("a token that was not answered", "", &a, &e);
	if (first && (works(c, d->token, &a, &e) || a.http != 401))
		wrong("a token that was not answered works twice", "", &a, &e);
}

static void check_revoked(struct client *c, const struct deed *d)
{
	struct error e = ERROR_INIT;
	struct ca_answer a;
	if (renews(c, &d->chain, d->key, &a, &e) || a.http != 401)
		wrong("it was revoked and is renewed:", d->serial, &a, &e);
}

static bool check_live(struct client *c)
{
	struct error e = ERROR_INIT;
	struct ca_answer a;
	if (!c->chain.n || c->doubtful)
		return false;
	if (!renews(c, &c->chain, c->key, &a, &e))
		wrong("not renewed:", cert_facts(c->chain.v[0])->serial_text, &a, &e);
	return true;
}

/* Of all clients' deeds of a kind about CHECKS, evenly. How many. */
static int check_kind(enum deed_kind kind, uint64_t *random, void (*check)(struct client *c, const struct deed *d))
{
	uint64_t all = 0;
	int done = 0;
	for (unsigned i = 0; i < load.clients; i++)
		for (size_t k = 0; k < load.v[i].n; k++)
			all += load.v[i].deeds[k].kind == kind;
	for (unsigned i = 0; i < load.clients; i++) {
		for (size_t k = 0; k < load.v[i].n; k++) {
			const struct deed *d = &load.v[i].deeds[k];
			if (d->kind != kind || random_next(random) % all >= CHECKS)
				continue;
			check(&load.v[i], d);
			done++;
		}
	}
	return done;
}

static void check_all(uint64_t *random)
{
	int tokens = check_kind(SIGNED, random, check_token);
	int revoked = check_kind(REVOKED, random, check_revoked);
	int unanswered = check_kind(UNANSWERED, random, check_unanswered);
	int live = 0;
	for (unsigned i = 0; i < load.clients; i++)
		live += check_live(&load.v[i]);
	printf("checked %d %d %d %d\nissued %d\nend\n", tokens, revoked, live, unanswered, issued);
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static void print_deeds(const struct client *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct deed *d = &c->deeds[i];
		printf("%s %d%s%s%s%s%s%s\n", deed_names[d->kind], c->number, *d->serial ? " " : "", d->serial,
		       *d->sha ? " " : "", d->sha, *d->text ? " " : "", d->text);
	}
}

static void stop(void)
{
	atomic_store(&load.stop, true);
	for (unsigned i = 0; i < load.clients; i++)
		pthread_join(load.v[i].thread, NULL);
	for (unsigned i = 0; i < load.clients; i++)
		print_deeds(&load.v[i]);
	puts("end");
}

static void client_begin(struct client *c, int number, uint64_t seed, struct slice root)
{
	struct error e;
	c->number = number;
	c->random = (seed + (uint64_t)number + 1) * 0x9e3779b97f4a7c15ULL | 1;
	c->key = make_key();
	snprintf(c->name, sizeof c->name, "client%d.local", number);
	c->ca = (struct ca){ .url = text_dup(slice_cstr(load.url)), .timeout_ms = 60000 };
	must(c->ca.url && !chain_parse(root, &c->ca.roots, &e), "root", &e);
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "r");
	must(f, path, NULL);
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	must(key, path, NULL);
	return key;
}

static void commands(uint64_t *random)
{
	char line[32];
	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "count\n"))
			printf("count %u %u %u\n", load.answers, load.later, load.wrong);
		else if (!strcmp(line, "stop\n"))
			stop();
		else if (!strcmp(line, "check\n"))
			check_all(random);
		fflush(stdout);
	}
}

int main(int argc, char *argv[])
{
	struct error e;
	AUTO(buf_done) struct buf root = BUF_INIT(1 << 20);
	for (int o; (o = getopt(argc, argv, "fk:p:")) != -1;) {
		if (o == 'f')
			load.failing = true;
		else if (o == 'p')
			load.rest_ms = (unsigned)strtoul(optarg, NULL, 10);
		else
			must(o == 'k' && sscanf(optarg, "%d:%u", &load.victim, &load.kill_after) == 2, "-k PID:N",
			     NULL);
	}
	argv += optind;
	must(argc - optind == 7, "seven arguments", NULL);
	load.url = argv[0];
	must(!file_read(argv[1], &root, &e), "root", &e);
	load.key = read_key(argv[2]);
	load.provisioner = argv[3];
	load.kid = argv[4];
	load.clients = (unsigned)strtoul(argv[5], NULL, 10);
	uint64_t seed = strtoull(argv[6], NULL, 10);
	must(load.clients && load.clients <= CLIENTS_MAX, "number of clients", NULL);
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < load.clients; i++)
		client_begin(&load.v[i], (int)i, seed, buf_slice(&root));
	for (unsigned i = 0; i < load.clients; i++)
		must(!pthread_create(&load.v[i].thread, NULL, client_main, &load.v[i]), "thread", NULL);
	commands(&(uint64_t){ seed | 1 });
	fflush(stdout);
	_exit(0); /* the clients may still run, and what they hold goes with them */
}
