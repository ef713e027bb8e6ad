#include "store/apply.h"

#include "store/line.h"

/* Every condition is the answer of a statement, a row or none:
 *
 *   token ──new──> credential good? ──> key blocked? ──no──> parent revoked? ──no──> line closed? ──no──> (after its
 *     │               │ no                │ yes                │ yes                   │ yes    expiry: superseded?)
 *     │               │                   │                    │                       │          │ yes     │ no
 *     │used           └───────────────────┴────────────────────┴───────────────────────┴──────────┤         v
 *     │                                         the token stays used, without a serial <──────────┘  certificate: DONE
 *     ├─ by this very certificate: DONE (a retry after a commit whose answer was lost)
 *     └─ else TOKEN_USED                                                                                       */

static const char *text_or_empty(const char *s)
{
	return s ? s : "";
}

static bool serial_ok(const char *s)
{
	size_t n = strnlen(s, SERIAL_TEXT);
	return n > 0 && n < SERIAL_TEXT && strspn(s, "0123456789") == n;
}

/* Serials made here are random, so that a serial found again means the same change; those of a revocation are chosen by
 * the caller and mean nothing. */
static bool gives_certificate(enum change_kind k)
{
	return k == CHANGE_ISSUE || k == CHANGE_RENEW || k == CHANGE_REKEY;
}

static enum status change_check(const struct change *c, struct error *e)
{
	if ((unsigned)c->kind >= CHANGE_COUNT)
		return error_set(e, ST_BUG, "a change of unknown kind %d", (int)c->kind);
	if (c->kind == CHANGE_BURN && !c->token_id)
		return error_set(e, ST_BUG, "nothing to burn: the change has no token");
	if ((c->kind == CHANGE_REVOKE || c->kind == CHANGE_REVOKE_LINE) && !serial_ok(c->serial))
		return error_set(e, ST_INVALID, "the revoked serial is not a decimal number");
	if (!gives_certificate(c->kind))
		return ST_OK;
	if (!serial_ok(c->cert.serial) || c->cert.der.n == 0)
		return error_set(e, ST_INVALID, "the certificate has no serial or no DER");
	if (c->kind != CHANGE_ISSUE && !serial_ok(c->cert.parent))
		return error_set(e, ST_INVALID, "certificate %s has no parent", c->cert.serial);
	return ST_OK;
}

/* *ret_used: the token was there before; *ret_own: and gave this very certificate. */
static enum status token_use(struct db *db, const struct change *c, bool *ret_used, bool *ret_own, struct error *e)
{
	const char *serial = gives_certificate(c->kind) ? c->cert.serial : NULL;
	/* Whatever a token says of its end, it is remembered from now on for as long as any other. */
	int64_t exp = c->token_exp.s > c->at.s ? c->token_exp.s : c->at.s;
	bool added, found;
	{
		AUTO(query_done) struct query q = query_of(db, SQL_TOKEN_ADD);
		query_text(&q, c->token_id);
		query_text(&q, serial);
		query_int(&q, exp);
		if (query_row(&q, &added, e))
			return e->status;
	}
	*ret_used = !added;
	*ret_own = false;
	if (added || !serial)
		return ST_OK;
	AUTO(query_done) struct query q = query_of(db, SQL_TOKEN_SERIAL);
	query_text(&q, c->token_id);
	if (query_row(&q, &found, e))
		return e->status;
	*ret_own = found && strcmp(query_get_text(&q, 0), serial) == 0;
	return ST_OK;
}

struct descent {
	int64_t line, generation; /* line 0: not yet there */
	const char *name;         /* of the line */
	bool closed, known;       /* known: the parent's row is here */
	int64_t began, ends;      /* the parent's validity; the beginning of time where it is not known */
};

static enum status line_find(struct db *db, struct descent *d, struct error *e)
{
	bool found;
	AUTO(query_done) struct query q = query_of(db, SQL_LINE);
	query_text(&q, d->name);
	if (query_row(&q, &found, e))
		return e->status;
	if (found) {
		d->line = query_get_int(&q, 0);
		d->closed = query_get_int(&q, 1);
	}
	return ST_OK;
}

/* The parent's row: of this serial and of this key. A certificate of another issuer below the same root may bear a
 * serial of ours, and would come into the line of a certificate that it has nothing to do with. */
static enum status parent_find(struct db *db, const struct change *c, struct descent *ret, bool *ret_foreign,
                               struct error *e)
{
	bool found;
	AUTO(query_done) struct query q = query_of(db, SQL_PARENT);
	query_text(&q, c->cert.parent);
	if (query_row(&q, &found, e))
		return e->status;
	ret->known = found && slice_eq(query_get_blob(&q, 5), slice_of(c->parent_key, sizeof(c->parent_key)));
	*ret_foreign = found && !ret->known;
	ret->closed = found && query_get_int(&q, 2); /* a serial that may not be renewed says no, whosever it is */
	if (!ret->known)
		return ST_OK;
	ret->line = query_get_int(&q, 0);
	ret->generation = query_get_int(&q, 1) + 1;
	ret->began = query_get_int(&q, 3);
	ret->ends = query_get_int(&q, 4);
	return ST_OK;
}

/* The line that nobody knew: a new one, or that of an imported or pruned parent. */
static enum status line_open(struct db *db, struct descent *d, struct error *e)
{
	bool added;
	{
		AUTO(query_done) struct query q = query_of(db, SQL_LINE_ADD);
		query_text(&q, d->name);
		if (query_row(&q, &added, e))
			return e->status;
		if (added)
			d->line = query_get_int(&q, 0);
	}
	return added ? ST_OK : line_find(db, d, e);
}

/* No row of the parent's: what is going to be issued, or ended, below this name comes one after the other. */
static enum status descent_unknown(struct db *db, const struct cert_row *r, struct descent *d, struct error *e)
{
	bool other = r->line[0] && strcmp(r->line, r->serial) != 0 && strcmp(r->line, r->parent) != 0;
	d->name = other ? r->line : r->parent;
	if (db_hold(db, r->parent, e) || (other && db_hold(db, r->line, e)))
		return e->status;
	return line_find(db, d, e);
}

/* What the parent's row says wins over what the change was told before. A foreign parent's renewal begins a line. From
 * here on the line stays as it is to the end of the transaction: whoever wants to close it waits, and whoever has begun
 * to is waited for. */
static enum status descent_find(struct db *db, const struct change *c, struct descent *ret, struct error *e)
{
	const struct cert_row *r = &c->cert;
	if (c->kind == CHANGE_ISSUE) {
		ret->name = r->serial;
		return ST_OK;
	}
	bool foreign = false;
	if (parent_find(db, c, ret, &foreign, e))
		return e->status;
	if (ret->known || ret->closed)
		return ST_OK;
	ret->began = ret->ends = INT64_MIN;
	ret->generation = r->generation > 0 ? r->generation : 1;
	if (!foreign)
		return descent_unknown(db, r, ret, e);
	ret->name = r->serial;
	return ST_OK;
}

enum {
	CHILD_LOOK_MAX = 64, /* a first renewal stands next to its parent */
	GRANDCHILD_LOOK_MAX = 1000,
};

/* Has a certificate that was renewed from the parent been renewed itself? Then somebody has gone on from it, and the
 * parent is not what was last in use. Yes too where there are more to look at than any host makes. */
static enum status superseded(struct db *db, const struct change *c, const struct descent *d, bool *ret,
                              struct error *e)
{
	bool row;
	AUTO(query_done) struct query q = query_of(db, SQL_GRANDCHILD);
	query_int(&q, d->line);
	query_int(&q, d->began);
	query_text(&q, c->cert.parent);
	query_int(&q, GRANDCHILD_LOOK_MAX);
	if (query_row(&q, &row, e))
		return e->status;
	*ret = query_get_int(&q, 0) >= GRANDCHILD_LOOK_MAX || query_get_int(&q, 1);
	return ST_OK;
}

/* The parent's first renewal decides what another one is: a retry of it, or a second. */
static enum status renewed_before(struct db *db, const struct change *c, const struct descent *d, enum outcome *ret,
                                  struct error *e)
{
	bool found;
	*ret = OUTCOME_DONE;
	if (c->kind == CHANGE_ISSUE)
		return ST_OK;
	AUTO(query_done) struct query q = query_of(db, SQL_CHILD);
	query_int(&q, d->line);
	query_int(&q, d->ends);
	query_text(&q, c->cert.parent);
	query_int(&q, CHILD_LOOK_MAX);
	if (query_row(&q, &found, e))
		return e->status;
	if (!found || strcmp(query_get_text(&q, 0), c->cert.serial) == 0)
		return ST_OK;
	struct slice key = slice_of(c->cert.key_fingerprint, sizeof(c->cert.key_fingerprint));
	bool retry = c->window_s > 0 && slice_eq(query_get_blob(&q, 1), key) &&
	             c->at.s - query_get_int(&q, 2) <= c->window_s;
	*ret = retry ? OUTCOME_DONE_AGAIN : OUTCOME_DONE_SECOND;
	return ST_OK;
}

static enum status cert_add(struct db *db, const struct change *c, const struct descent *d, enum outcome o,
                            bool *ret_added, struct error *e)
{
	const struct cert_row *r = &c->cert;
	AUTO(query_done) struct query q = query_of(db, SQL_CERT_ADD);
	query_text(&q, r->serial);
	query_blob(&q, buf_slice(&r->der));
	query_text(&q, text_or_empty(r->subject));
	query_text(&q, text_or_empty(r->sans));
	query_text(&q, text_or_empty(r->provisioner_id));
	query_text(&q, text_or_empty(r->provisioner_name));
	query_int(&q, r->provisioner_type);
	query_blob(&q, slice_of(r->key_fingerprint, sizeof(r->key_fingerprint)));
	query_int(&q, r->not_before.s);
	query_int(&q, r->not_after.s);
	query_int(&q, r->granted_s);
	query_text(&q, c->kind == CHANGE_ISSUE ? NULL : r->parent);
	query_int(&q, d->line);
	query_int(&q, d->generation);
	query_int(&q, r->created.s);
	query_int(&q, c->kind != CHANGE_RENEW || !d->known);
	query_int(&q, o == OUTCOME_DONE_AGAIN ? 1 : o == OUTCOME_DONE_SECOND ? 2 : 0);
	return query_row(&q, ret_added, e);
}

/* The serial is taken. A change without a token that is tried again finds itself; anything else is a broken source of
 * random numbers. */
static enum status cert_is_own(struct db *db, const struct cert_row *r, struct error *e)
{
	bool found;
	AUTO(query_done) struct query q = query_of(db, SQL_CERT_DER);
	query_text(&q, r->serial);
	if (query_row(&q, &found, e))
		return e->status;
	if (found && slice_eq(query_get_blob(&q, 0), buf_slice(&r->der)))
		return ST_OK;
	return error_set(e, ST_CONFLICT, "serial %s belongs to another certificate", r->serial);
}

/* What is known besides the line; DONE where nothing is against it. */
static enum status cert_allowed(struct db *db, const struct change *c, enum outcome *ret, struct error *e)
{
	bool row, first = c->kind == CHANGE_ISSUE;
	struct slice key = slice_of(c->cert.key_fingerprint, KEY_FINGERPRINT);
	AUTO(query_done) struct query q = query_of(db, SQL_ALLOWED);
	query_blob(&q, key);
	query_blob(&q, first ? key : slice_of(c->parent_key, KEY_FINGERPRINT));
	query_text(&q, first ? NULL : c->cert.parent);
	if (query_row(&q, &row, e))
		return e->status;
	*ret = query_get_int(&q, 0)   ? OUTCOME_KEY_BLOCKED
	       : query_get_int(&q, 1) ? OUTCOME_PARENT_REVOKED
	                              : OUTCOME_DONE;
	return ST_OK;
}

static enum status cert_give(struct db *db, const struct change *c, enum outcome *ret, struct error *e)
{
	struct descent d = { 0 };
	bool old = false, added;
	/* The line first: with it in our hands, what the others say holds to the end. */
	if (descent_find(db, c, &d, e) || cert_allowed(db, c, ret, e))
		return e->status;
	if (*ret != OUTCOME_DONE)
		return ST_OK;
	if ((!d.line && !d.closed && line_open(db, &d, e)) || (c->after_expiry && superseded(db, c, &d, &old, e)))
		return e->status;
	if (d.closed || old) {
		*ret = d.closed ? OUTCOME_LINE_CLOSED : OUTCOME_PARENT_SUPERSEDED;
		return ST_OK;
	}
	if (renewed_before(db, c, &d, ret, e) || cert_add(db, c, &d, *ret, &added, e))
		return e->status;
	return added ? ST_OK : cert_is_own(db, &c->cert, e);
}

enum status revocation_add(struct db *db, const struct revocation *r, bool *ret_added, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_REVOCATION_ADD);
	query_text(&q, r->serial);
	query_int(&q, r->reason_code);
	query_text(&q, text_or_empty(r->reason));
	query_text(&q, text_or_empty(r->provisioner));
	query_int(&q, r->mtls);
	query_text(&q, r->token);
	query_int(&q, r->at.s);
	return query_row(&q, ret_added, e);
}

static enum status is_own(struct db *db, const struct change *c, bool *ret, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_OWN);
	query_text(&q, c->serial);
	query_text(&q, c->provisioner_id);
	return query_row(&q, ret, e);
}

static enum status revoke(struct db *db, const struct change *c, enum outcome *ret, struct error *e)
{
	const struct revocation r = { c->serial, c->reason, c->provisioner_id, c->token_id, c->reason_code,
		                      c->mtls,   c->at };
	bool own = true, added = false;
	if (c->own_only && is_own(db, c, &own, e))
		return e->status;
	if (own && revocation_add(db, &r, &added, e))
		return e->status;
	*ret = !own ? OUTCOME_FOREIGN : added ? OUTCOME_DONE : OUTCOME_ALREADY_REVOKED;
	return ST_OK;
}

static enum status credential_bad(struct db *db, const struct change *c, bool *ret, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_CREDENTIAL_BAD);
	query_blob(&q, slice_of(c->credential_key, sizeof(c->credential_key)));
	query_text(&q, c->credential);
	return query_row(&q, ret, e);
}

/* What the change is for, behind its token. */
static enum status perform(struct db *db, const struct change *c, bool keeps_revocations, enum outcome *ret,
                           struct error *e)
{
	bool bad = false;
	if (c->has_credential && credential_bad(db, c, &bad, e))
		return e->status;
	if (bad) {
		*ret = OUTCOME_CREDENTIAL_REVOKED;
		return ST_OK;
	}
	if (gives_certificate(c->kind))
		return cert_give(db, c, ret, e);
	if (!keeps_revocations) {
		*ret = OUTCOME_UNSUPPORTED;
		return ST_OK;
	}
	return c->kind == CHANGE_REVOKE ? revoke(db, c, ret, e) : line_revoke(db, c, ret, e);
}

static enum status decide(struct db *db, const struct change *c, bool keeps_revocations, enum outcome *ret,
                          struct error *e)
{
	bool used = false, own = false, cleared;
	if (c->token_id && token_use(db, c, &used, &own, e))
		return e->status;
	*ret = used && !own ? OUTCOME_TOKEN_USED : OUTCOME_DONE;
	if (used || c->kind == CHANGE_BURN)
		return ST_OK;
	enum status st = perform(db, c, keeps_revocations, ret, e);
	if (st || outcome_granted(*ret) || !c->token_id || !gives_certificate(c->kind))
		return st;
	AUTO(query_done) struct query q = query_of(db, SQL_TOKEN_CLEAR); /* used, but it gave nothing */
	query_text(&q, c->token_id);
	return query_row(&q, &cleared, e);
}

enum status apply_change(struct db *db, const struct change *c, bool keeps_revocations, enum outcome *ret,
                         struct error *e)
{
	enum outcome outcome = OUTCOME_COUNT;
	if (change_check(c, e) || (db_savepoints(db) && db_run(db, SQL_SAVEPOINT, e)))
		return e->status;
	enum status st = decide(db, c, keeps_revocations, &outcome, e);
	if (!st)
		*ret = outcome;
	if (apply_fatal(st) || !db_savepoints(db))
		return st;
	struct error undo;
	if ((st && db_run(db, SQL_UNDO, &undo)) || db_run(db, SQL_RELEASE, &undo)) {
		*e = undo;
		return error_wrap(e, "savepoint");
	}
	return st;
}

enum status apply_revocation(struct db *db, const char *serial, int reason_code, const char *reason, struct wall at,
                             bool *ret_new, struct error *e)
{
	const struct revocation r = { .serial = serial, .reason = reason, .reason_code = reason_code, .at = at };
	if (!serial_ok(serial))
		return error_set(e, ST_INVALID, "the revoked serial is not a decimal number");
	return revocation_add(db, &r, ret_new, e);
}
