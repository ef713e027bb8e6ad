/* Renewal and revocation over the wire, in one process: a server whose clock the test moves, and the client. */
#include "client/ca.h"
#include "client/token.h"
#include "crypto/auto.h"
#include "crypto/keyfile.h"
#include "jose/auto.h"
#include "jose/ott.h"
#include "server/server.h"
#include "testca.h"
#include "tmpdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

#define UNAUTHORIZED                                                                                                   \
	"The request lacked necessary authorization to be completed. Please see the certificate authority logs for "   \
	"more info."

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

/* --- the world ---------------------------------------------------------------------------------------------------- */

struct world {
	char dir[TMPDIR_PATH];
	struct testca *t;
	struct wall born;
	int64_t after_s;           /* the server's clock: born plus this */
	int64_t leap_ns, leapt_ns; /* the server's other clock leaps so far each time that somebody looks */
	const char *limits;        /* of ca.json, with a comma behind; NULL: none */
	struct clock clock;
	struct server *server;
	struct ca ca;
};

static struct wall world_wall(void *ctx)
{
	struct world *w = ctx;
	return (struct wall){ w->born.s + __atomic_load_n(&w->after_s, __ATOMIC_SEQ_CST) };
}

static struct mono world_mono(void *ctx)
{
	struct world *w = ctx;
	int64_t leap_ns = __atomic_load_n(&w->leap_ns, __ATOMIC_SEQ_CST);
	return (struct mono){ clock_mono(&clock_system).ns +
		              __atomic_add_fetch(&w->leapt_ns, leap_ns, __ATOMIC_SEQ_CST) };
}

static void save(const struct world *w, const char *name, const struct buf *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text->p, 1, text->n, f), text->n);
	fclose(f);
}

/* claims: of the provisioner, as JSON. */
static void write_config(const struct world *w, const char *claims)
{
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	char *key = json_dumps(json_object_get(w->t->a->provs[TESTCA_OPS].json, "key"), 0);
	buf_addf(&text,
	         "{\"root\":\"%s/root\",\"crt\":\"%s/crt\",\"key\":\"%s/key\",\"address\":\"127.0.0.1:0\","
	         "\"dnsNames\":[\"localhost\"],\"threads\":1,%s\"db\":{\"type\":\"sqlite\",\"dataSource\":\"%s/db\"},"
	         "\"authority\":{\"provisioners\":[{\"type\":\"JWK\",\"name\":\"ops\",\"key\":%s,\"claims\":%s}]}}",
	         w->dir, w->dir, w->dir, w->limits ? w->limits : "", w->dir, key, claims);
	save(w, "ca.json", &text);
	free(key);
}

/* The listener's certificate is made at birth: the client's clock is not ours to move. */
static void start(struct world *w)
{
	struct error e = ERROR_INIT;
	int64_t after_s = w->after_s;
	char path[128];
	snprintf(path, sizeof path, "%s/ca.json", w->dir);
	struct server_conf conf = {
		.config_path = path, .clock = &w->clock, .entropy = &entropy_system, .quiet = true
	};
	w->after_s = 0;
	assert_ok(server_start(&conf, &w->server, &e));
	w->after_s = after_s;
	free(w->ca.url);
	w->ca.url = malloc(64);
	snprintf(w->ca.url, 64, "https://localhost:%d", server_port(w->server));
}

static int set_up(void **state)
{
	struct error e = ERROR_INIT;
	struct world *w = calloc(1, sizeof *w);
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	w->born.s = time(NULL);
	w->clock = (struct clock){ world_wall, world_mono, w };
	w->t = testca_new(&(struct testca_opts){ .now = w->born });
	tmpdir_make(w->dir);
	cert_format_pem(w->t->root, &text);
	save(w, "root", &text);
	buf_reset(&text);
	cert_format_pem(w->t->issuer, &text);
	save(w, "crt", &text);
	buf_reset(&text);
	assert_ok(keyfile_format(w->t->issuer_key, KEYFILE_NATIVE, SLICE_NONE, &text, &e));
	save(w, "key", &text);
	assert_ok(chain_add(&w->ca.roots, w->t->root, &e));
	write_config(w, "{}");
	start(w);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	server_stop(w->server);
	ca_done(&w->ca);
	testca_free(w->t);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* Another configuration, by a restart: its end is the end of what was answered. */
static void restart(struct world *w, const char *claims)
{
	server_stop(TAKE(w->server));
	write_config(w, claims);
	start(w);
}

/* --- certificates ------------------------------------------------------------------------------------------------- */

struct pair {
	EVP_PKEY *key;
	struct chain chain;
};

static void pair_done(struct pair *p)
{
	EVP_PKEY_free(p->key);
	chain_done(&p->chain);
}

static void issue(struct world *w, const char *name, struct pair *ret)
{
	struct error e = ERROR_INIT;
	static unsigned count;
	char jti[32];
	AUTO(buf_done) struct buf aud = BUF_INIT(128);
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	AUTO(csr_done) struct csr csr = { 0 };
	struct wall now = world_wall(w);
	snprintf(jti, sizeof jti, "sign-%u", count++);
	buf_addf(&aud, "%s/1.0/sign", w->ca.url);
	struct ott_draft d = { .aud = buf_cstr(&aud),
		               .iss = "ops",
		               .sub = name,
		               .jti = jti,
		               .iat = now,
		               .nbf = now,
		               .exp = { now.s + 300 } };
	testca_token(w->t, &d, &token);
	ret->key = testca_key(KEY_EC, "P-256", 0);
	testca_csr(ret->key, name, NULL, 0, &csr);
	struct ca_sign_request q = { .csr = &csr, .ott = buf_cstr(&token) };
	assert_ok(ca_sign(&w->ca, &q, &ret->chain, NULL, &e));
}

static void token_of(struct world *w, const struct chain *certs, EVP_PKEY *key, struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf aud = BUF_INIT(128);
	buf_addf(&aud, "%s/renew", w->ca.url);
	assert_ok(token_renew(certs, key, buf_cstr(&aud), world_wall(w), out, &e));
}

/* Renews by a token. said NULL: it must be granted; else it must be refused so. */
static void renew(struct world *w, const struct chain *certs, EVP_PKEY *key, struct chain *ret, const char *said)
{
	struct error e = ERROR_INIT;
	AUTO(chain_done) struct chain got = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	token_of(w, certs, key, &token);
	enum status st = ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e);
	if (said) {
		assert_int_equal(st, ST_DENIED);
		assert_int_equal(w->ca.answer.http, 401);
		if (!strstr(e.text, said))
			fail_msg("\"%s\", not \"...%s...\"", e.text, said);
		return;
	}
	if (st)
		fail_msg("refused: %s", e.text);
	assert_int_equal(cert_facts(got.v[0])->not_before.s, world_wall(w).s - 60);
	if (ret) {
		*ret = got;
		got = (struct chain){ 0 };
	}
}

static int64_t number(const struct world *w, const char *sql)
{
	char path[128];
	sqlite3 *h = NULL;
	sqlite3_stmt *s = NULL;
	snprintf(path, sizeof path, "%s/db/perennial.db", w->dir);
	assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(h, 5000);
	assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &s, NULL), SQLITE_OK);
	int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
	sqlite3_finalize(s);
	sqlite3_close(h);
	return n;
}

/* --- stories ------------------------------------------------------------------------------------------------------ */

static void a_token_renews_once(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(chain_done) struct chain got = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	issue(w, "a.example", &p);
	token_of(w, &p.chain, p.key, &token);
	assert_ok(ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e));
	assert_true(key_equal(cert_key(got.v[0]), p.key));
	assert_int_equal(number(w, "SELECT count(*) FROM certs WHERE parent IS NOT NULL AND generation = 1"), 1);
	assert_int_equal(ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e), ST_DENIED);
	assert_string_equal(e.text, UNAUTHORIZED);
	/* not after a restart either */
	restart(w, "{}");
	assert_int_equal(ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e), ST_DENIED);
	assert_int_equal(number(w, "SELECT count(*) FROM certs"), 2);
}

/* Behind TLS that a proxy ended, or without a clientAuth usage, the certificate is not seen: only the token is. Where
 * TLS has verified one, the header is not looked at. */
static void a_certificate_in_the_handshake_goes_first(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 };
	issue(w, "a.example", &p);
	struct https_conf conf = { .roots = &w->ca.roots,
		                   .client_chain = &p.chain,
		                   .client_key = p.key,
		                   .timeout_ms = 15000,
		                   .user_agent = "test" };
	static const struct {
		const char *authorization;
		bool with_cert;
		int status;
	} rows[] = {
		{ "Bearer x", true, 201 }, { NULL, true, 201 },        { "Bearer x", false, 401 },
		{ NULL, false, 400 },      { "bearer x", false, 400 }, { "Basic x", false, 400 },
		{ "Bearer", false, 400 },  { "Bearer ", false, 400 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		AUTO(https_response_done) struct https_response resp = { 0 };
		struct https_outcome net = { 0 };
		AUTO(buf_done) struct buf url = BUF_INIT(128);
		buf_addf(&url, "%s/1.0/renew", w->ca.url);
		struct https_request q = { .method = "POST",
			                   .url = buf_cstr(&url),
			                   .headers = { { rows[i].authorization ? "Authorization" : NULL,
			                                  rows[i].authorization } } };
		struct https_conf c = conf;
		if (!rows[i].with_cert) {
			c.client_chain = NULL;
			c.client_key = NULL;
		}
		assert_ok(https_call(&c, &q, &resp, &net, &e));
		if (resp.status != rows[i].status)
			fail_msg("row %zu: %d", i, resp.status);
	}
}

static void after_expiry(void **state)
{
	struct world *w = *state;
	AUTO(pair_done) struct pair p = { 0 };
	issue(w, "a.example", &p);
	w->after_s = DAY + 1;
	renew(w, &p.chain, p.key, NULL,
	      "The request lacked necessary authorization to be completed: certificate expired on ");
	restart(w, "{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"1h\"}");
	w->after_s = DAY + HOUR + 1;
	renew(w, &p.chain, p.key, NULL, "certificate expired on ");
	w->after_s = DAY + HOUR;
	AUTO(chain_done) struct chain got = { 0 };
	renew(w, &p.chain, p.key, &got, NULL);
	assert_int_equal(cert_facts(got.v[0])->not_after.s, world_wall(w).s + DAY);
}

static void not_once_its_child_was_renewed(void **state)
{
	struct world *w = *state;
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(chain_done) struct chain child = { 0 };
	restart(w, "{\"allowRenewalAfterExpiry\":true}");
	issue(w, "a.example", &p);
	w->after_s = 2 * DAY;
	renew(w, &p.chain, p.key, &child, NULL);
	renew(w, &p.chain, p.key, NULL, NULL); /* a child is no reason */
	renew(w, &child, p.key, NULL, NULL);
	renew(w, &p.chain, p.key, NULL, UNAUTHORIZED);
	w->after_s = 9 * DAY;
	renew(w, &child, p.key, NULL, NULL);
}

static void not_when_revoked_or_forgotten(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair revoked = { 0 };
	AUTO(pair_done) struct pair forgotten = { 0 };
	AUTO(pair_done) struct pair imported = { 0 };
	restart(w, "{\"allowRenewalAfterExpiry\":true}");
	w->after_s = HOUR; /* the store is older than they are */
	issue(w, "r.example", &revoked);
	issue(w, "f.example", &forgotten);
	issue(w, "i.example", &imported);
	struct ca_revoke_request q = { .serial = cert_facts(revoked.chain.v[0])->serial_text };
	assert_ok(ca_revoke(&w->ca, &q, &revoked.chain, revoked.key, NULL, &e));
	number(w, "DELETE FROM certs WHERE subject = 'f.example'");
	w->after_s = 3 * DAY;
	renew(w, &revoked.chain, revoked.key, NULL, UNAUTHORIZED);
	renew(w, &forgotten.chain, forgotten.key, NULL, "certificate expired on ");
	/* what is older than the store came from elsewhere */
	number(w, "DELETE FROM certs WHERE subject = 'i.example'");
	server_stop(TAKE(w->server));
	number(w, "UPDATE meta SET created = created + 7200");
	start(w);
	renew(w, &imported.chain, imported.key, NULL, NULL);
}

static void a_second_renewal_is_written_down(void **state)
{
	struct world *w = *state;
	AUTO(pair_done) struct pair p = { 0 };
	static const struct {
		int64_t after_s;
		const char *sql;
		int64_t want;
	} rows[] = {
		{ 0, "SELECT count(*) FROM certs WHERE again = 0", 2 },
		{ 600, "SELECT count(*) FROM certs WHERE again = 1", 1 }, /* authority.renewalWindow: 10m */
		{ 601, "SELECT count(*) FROM certs WHERE again = 2", 1 },
	};
	issue(w, "a.example", &p);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		w->after_s = rows[i].after_s;
		renew(w, &p.chain, p.key, NULL, NULL);
		assert_int_equal(number(w, rows[i].sql), rows[i].want);
	}
}

/* A token that was good is used, whatever became of the request. */
static void a_refused_request_costs_its_token(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(chain_done) struct chain got = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	issue(w, "a.example", &p);
	w->after_s = DAY + 1;
	token_of(w, &p.chain, p.key, &token);
	assert_int_equal(ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e), ST_DENIED);
	restart(w, "{\"allowRenewalAfterExpiry\":true}");
	assert_int_equal(ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e), ST_DENIED);
	assert_string_equal(e.text, UNAUTHORIZED);
	renew(w, &p.chain, p.key, NULL, NULL);
}

/* The disk refuses for a moment: the store's words reach the client, and nothing is lost when it is well again. */
static void a_full_disk_is_told(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(chain_done) struct chain got = { 0 };
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	struct rlimit before, none;
	issue(w, "a.example", &p);
	token_of(w, &p.chain, p.key, &token);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none = (struct rlimit){ 0, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &none);
	enum status st = ca_renew(&w->ca, NULL, NULL, buf_cstr(&token), &got, NULL, &e);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(st, ST_AGAIN);
	assert_int_equal(w->ca.answer.http, 503);
	assert_in_range(w->ca.answer.retry_after_s, 900, 1800); /* by the life that is left */
	assert_string_equal(e.text, "the certificate authority cannot record this now; try again later");
	renew(w, &p.chain, p.key, NULL, NULL);
}

/* --- overload ----------------------------------------------------------------------------------------------------- */

static enum status renew_over_tls(struct world *w, const struct pair *p, struct error *e)
{
	AUTO(chain_done) struct chain got = { 0 };
	return ca_renew(&w->ca, &p->chain, p->key, NULL, &got, NULL, e);
}

/* One an hour, and four retries: then its line waits, and no other. */
static void who_renews_in_a_loop_waits(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 }, other = { 0 };
	AUTO(chain_done) struct chain child = { 0 };
	w->limits = "\"limits\":{\"renewalsPerHour\":1},";
	restart(w, "{}");
	issue(w, "a.example", &p);
	issue(w, "b.example", &other);
	assert_ok(ca_renew(&w->ca, &p.chain, p.key, NULL, &child, NULL, &e));
	for (int i = 0; i < 4; i++)
		assert_ok(renew_over_tls(w, &p, &e));
	const struct pair young = { p.key, child };
	for (int i = 0; i < 2; i++) { /* an older and a younger one of the line */
		assert_int_equal(renew_over_tls(w, i ? &young : &p, &e), ST_AGAIN);
		assert_int_equal(w->ca.answer.http, 429);
		assert_in_range(w->ca.answer.retry_after_s, 3500, 4600);
		assert_non_null(strstr(e.text, "renewed too often (1 within an hour are allowed)"));
	}
	assert_ok(renew_over_tls(w, &other, &e));
	w->limits = "\"limits\":{\"renewalsPerHour\":0},";
	restart(w, "{}");
	for (int i = 0; i < 7; i++)
		assert_ok(renew_over_tls(w, &p, &e));
}

/* The loop is five seconds behind: who has plenty of life is told to come again, and nobody else. */
static void who_can_wait_waits(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 };
	issue(w, "a.example", &p);
	assert_ok(renew_over_tls(w, &p, &e));
	__atomic_store_n(&w->leap_ns, 5 * DURATION_S, __ATOMIC_SEQ_CST);
	assert_int_equal(renew_over_tls(w, &p, &e), ST_AGAIN);
	assert_int_equal(w->ca.answer.http, 503);
	assert_in_range(w->ca.answer.retry_after_s, 900, 1800);
	assert_non_null(strstr(e.text, "more urgent requests go first"));
	assert_int_equal(number(w, "SELECT count(*) FROM certs"), 2);
	assert_ok(ca_health(&w->ca, &e));
	struct ca_revoke_request q = { .serial = "1" };
	assert_int_not_equal(ca_revoke(&w->ca, &q, NULL, NULL, NULL, &e), ST_AGAIN);
	w->after_s = DAY - HOUR;
	assert_ok(renew_over_tls(w, &p, &e));
	w->after_s = 0;
	__atomic_store_n(&w->leap_ns, 0, __ATOMIC_SEQ_CST);
	assert_ok(renew_over_tls(w, &p, &e));
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static enum status revoke_line(struct world *w, const char *serial, const char *scope, const char *made_for, bool dry,
                               struct ca_line *ret, struct error *e)
{
	static unsigned count;
	char jti[32];
	AUTO(buf_done) struct buf aud = BUF_INIT(128);
	AUTO(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	struct wall now = world_wall(w);
	snprintf(jti, sizeof jti, "line-%u", count++);
	buf_addf(&aud, "%s/1.0/revoke-line", w->ca.url);
	struct ott_draft d = { .aud = buf_cstr(&aud),
		               .iss = "ops",
		               .sub = serial,
		               .jti = jti,
		               .iat = now,
		               .nbf = now,
		               .exp = { now.s + 300 },
		               .revoke_scope = made_for };
	testca_token(w->t, &d, &token);
	struct ca_revoke_line_request q = { .serial = serial, .ott = buf_cstr(&token), .scope = scope, .dry_run = dry };
	return ca_revoke_line(&w->ca, &q, ret, NULL, e);
}

static void a_line_ends(void **state)
{
	struct world *w = *state;
	struct error e = ERROR_INIT;
	AUTO(pair_done) struct pair p = { 0 };
	AUTO(chain_done) struct chain child = { 0 };
	AUTO(ca_line_done) struct ca_line seen = { 0 };
	AUTO(ca_line_done) struct ca_line taken = { 0 };
	issue(w, "a.example", &p);
	renew(w, &p.chain, p.key, &child, NULL);
	const char *serial = cert_facts(child.v[0])->serial_text, *first = cert_facts(p.chain.v[0])->serial_text;
	struct ca_line none = { 0 };
	assert_int_equal(revoke_line(w, serial, "lineage", "descendants", false, &none, &e), ST_DENIED);
	assert_string_equal(e.text, "The request was forbidden by the certificate authority: the token was not made to "
	                            "revoke with the scope \"lineage\".");
	assert_int_equal(revoke_line(w, serial, "all", "all", false, &none, &e), ST_INVALID);
	assert_ok(revoke_line(w, serial, "lineage", "lineage", true, &seen, &e));
	renew(w, &p.chain, p.key, NULL, NULL);
	assert_ok(revoke_line(w, serial, "lineage", "lineage", false, &taken, &e));
	assert_int_equal(seen.n, 2);
	assert_int_equal(taken.n, 3);
	assert_string_equal(taken.v[0].serial, first);
	assert_string_equal(taken.v[1].line, first);
	assert_string_equal(taken.v[1].subject, "a.example");
	renew(w, &p.chain, p.key, NULL, UNAUTHORIZED);
	renew(w, &child, p.key, NULL, UNAUTHORIZED);
	assert_int_equal(revoke_line(w, serial, "lineage", "lineage", false, &none, &e), ST_INVALID);
	assert_non_null(strstr(e.text, "is already revoked"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_token_renews_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_certificate_in_the_handshake_goes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_expiry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_once_its_child_was_renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_when_revoked_or_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_renewal_is_written_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_request_costs_its_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_renews_in_a_loop_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_can_wait_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_line_ends, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
