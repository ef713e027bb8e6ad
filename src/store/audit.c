#include "base/duration.h"
#include "crypto/digest.h"
#include "store/look.h"
#include "store/upkeep.h"
#include "x509/cert.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	SHOWN_MAX = 20, /* certificates that do not fit their row */
	LATE_S = 300,   /* a request that was under way when the line was closed */
	AHEAD_S = 300,  /* of the clock: a restored database refuses tokens of the next minute too */
	KEPT_S = 7200,  /* a certificate that is kept so long outlives its token's record */
};

struct audit {
	struct db *db;
	upkeep_found_fn *found;
	void *ctx;
	int64_t n;
};

static void find(struct audit *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void find(struct audit *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->n++;
	a->found(a->ctx, text);
}

static void audit_whole(struct audit *a)
{
	struct error e;
	AUTO(query_done) struct query q = query_of(a->db, SQL_AUDIT_WHOLE);
	for (bool row;;) {
		if (query_row(&q, &row, &e)) {
			find(a, "the database cannot be read: %s", e.text);
			return;
		}
		if (!row)
			return;
		if (strcmp(query_get_text(&q, 0), "ok") != 0)
			find(a, "damaged: %.400s", query_get_text(&q, 0));
	}
}

/* The rules as questions; `what` follows the number. */
static void audit_rule(struct audit *a, enum sql sql, bool has_arg, int64_t arg, const char *what)
{
	struct error e;
	bool row;
	AUTO(query_done) struct query q = query_of(a->db, sql);
	if (has_arg)
		query_int(&q, arg);
	if (query_row(&q, &row, &e))
		find(a, "%s: cannot be checked: %s", what, e.text);
	else if (row && query_get_int(&q, 0) > 0)
		find(a, "%lld %s, the first is %s", (long long)query_get_int(&q, 0), what, query_get_text(&q, 1));
}

static const char *row_differs(const struct cert_row *r, const struct cert_facts *f)
{
	uint8_t key[SHA256_BYTES];
	struct error e;
	if (strcmp(r->serial, f->serial_text) != 0)
		return "another serial";
	if (r->not_before.s != f->not_before.s || r->not_after.s != f->not_after.s)
		return "other dates";
	if (digest_sha256(f->spki, key, &e) || memcmp(key, r->key_fingerprint, sizeof(key)) != 0)
		return "another key";
	return NULL;
}

/* Does the row say what the certificate says? */
static enum status audit_cert(void *audit, const struct cert_row *r, struct error *e)
{
	struct audit *a = audit;
	AUTO(cert_unref_p) struct cert *c = NULL;
	if (a->n > SHOWN_MAX)
		return ST_OK;
	if (cert_parse_facts(buf_slice(&r->der), &c, e)) {
		if (e->status == ST_NOMEM)
			return e->status;
		find(a, "certificate %s cannot be read: %s", r->serial, e->text);
		return ST_OK;
	}
	const char *differs = row_differs(r, cert_facts(c));
	if (differs)
		find(a, "the row of certificate %s holds %s", r->serial, differs);
	return ST_OK;
}

enum status upkeep_check(const struct store_conf *conf, struct wall now, upkeep_found_fn *found, void *ctx,
                         int64_t *ret_n, struct error *e)
{
	AUTO(look_done) struct look l = { 0 };
	if (look_open(conf, &l, e))
		return e->status;
	struct audit a = { .db = l.db, .found = found, .ctx = ctx };
	audit_whole(&a);
	audit_rule(&a, SQL_AUDIT_META, true, now.s + AHEAD_S, "rows too many or too few, or from the future");
	audit_rule(&a, SQL_AUDIT_LINE, false, 0, "certificates without a line");
	audit_rule(&a, SQL_AUDIT_DESCENT, false, 0, "certificates whose line or generation is not their parent's");
	if (conf->keep_expired_s < 0 || conf->keep_expired_s >= KEPT_S)
		audit_rule(&a, SQL_AUDIT_TOKEN, true, now.s - KEPT_S, "used tokens whose certificate is not there");
	audit_rule(&a, SQL_AUDIT_CLOSED, true, LATE_S, "certificates issued from a closed line");
	audit_rule(&a, SQL_AUDIT_KEY, false, 0, "certificates of a closed line whose key is not blocked");
	audit_rule(&a, SQL_AUDIT_NEW_KEY, false, 0, "certificates whose key the index does not know");
	audit_rule(&a, SQL_AUDIT_REVOCATION, true, SERIAL_TEXT - 1, "revocations that no list can name");
	audit_rule(&a, SQL_AUDIT_CRL_NUMBER, true, INT64_MAX / 2,
	           "numbers of the next CRL that leave none behind them");
	const struct upkeep_reader certs = { .cert = audit_cert, .ctx = &a };
	if (upkeep_read(l.db, &certs, e)) {
		if (e->status == ST_NOMEM)
			return e->status;
		find(&a, "the database cannot be read: %s", e->text);
	}
	*ret_n = a.n;
	return ST_OK;
}
