#include "store/apply.h"

#include "store/line.h"

/* Every condition is the answer of a statement, a row or none, and every answer says which step is next. They stand
 * here once, for a change that is decided alone and for a batch of them in step (instep.c):
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

/* --- where a decision goes next ----------------------------------------------------------------------------------- */

static void answer(struct decision *d, enum outcome o)
{
	d->outcome = o;
	d->next = STEP_END;
}

/* The token stays used; it gave nothing, and says so where it named a certificate. */
static void refuse(struct decision *d, enum outcome o)
{
	answer(d, o);
	if (d->c->token_id && gives_certificate(d->c->kind))
		d->next = STEP_TOKEN_CLEAR;
}

/* What the change is for, behind token and credential. */
static void purpose(struct decision *d)
{
	const struct change *c = d->c;
	if (c->kind == CHANGE_ISSUE) {
		d->line_name = c->cert.serial;
		d->next = STEP_ALLOWED;
	} else if (gives_certificate(c->kind)) {
		d->next = STEP_PARENT;
	} else if (!d->keeps_revocations) {
		answer(d, OUTCOME_UNSUPPORTED);
	} else if (c->kind == CHANGE_REVOKE_LINE) {
		d->next = STEP_REVOKE_LINE;
	} else {
		d->next = c->own_only ? STEP_OWN : STEP_REVOKE;
	}
}

static void behind_token(struct decision *d)
{
	if (d->c->kind == CHANGE_BURN)
		answer(d, OUTCOME_DONE);
	else if (d->c->has_credential)
		d->next = STEP_CREDENTIAL;
	else
		purpose(d);
}

/* The line is known, and nothing else is against it. */
static void in_line(struct decision *d)
{
	if (d->closed)
		refuse(d, OUTCOME_LINE_CLOSED);
	else if (d->c->after_expiry)
		d->next = STEP_GRANDCHILD;
	else
		d->next = d->c->kind == CHANGE_ISSUE ? STEP_CERT : STEP_CHILD;
}

/* --- the token ---------------------------------------------------------------------------------------------------- */

static void token_bind(struct query *q, void *item)
{
	const struct change *c = ((const struct decision *)item)->c;
	query_text(q, c->token_id);
	query_text(q, gives_certificate(c->kind) ? c->cert.serial : NULL);
	/* Whatever a token says of its end, it is remembered from now on for as long as any other. */
	query_int(q, c->token_exp.s > c->at.s ? c->token_exp.s : c->at.s);
}

static enum status token_take(struct query *q, bool added, void *item, struct error *e)
{
	struct decision *d = item;
	(void)q;
	(void)e;
	if (added)
		behind_token(d);
	else if (gives_certificate(d->c->kind))
		d->next = STEP_TOKEN_OWN;
	else
		answer(d, OUTCOME_TOKEN_USED);
	return ST_OK;
}

static void token_id_bind(struct query *q, void *item)
{
	query_text(q, ((const struct decision *)item)->c->token_id);
}

/* It was there before: for this very certificate? */
static enum status token_own_take(struct query *q, bool found, void *item, struct error *e)
{
	struct decision *d = item;
	(void)e;
	bool own = found && strcmp(query_get_text(q, 0), d->c->cert.serial) == 0;
	answer(d, own ? OUTCOME_DONE : OUTCOME_TOKEN_USED);
	return ST_OK;
}

static enum status token_clear_take(struct query *q, bool none, void *item, struct error *e)
{
	struct decision *d = item;
	(void)q;
	(void)none;
	(void)e;
	answer(d, d->outcome);
	return ST_OK;
}

static void credential_bind(struct query *q, void *item)
{
	const struct change *c = ((const struct decision *)item)->c;
	query_blob(q, slice_of(c->credential_key, sizeof(c->credential_key)));
	query_text(q, c->credential);
}

static enum status credential_take(struct query *q, bool bad, void *item, struct error *e)
{
	(void)q;
	(void)e;
	if (bad)
		refuse(item, OUTCOME_CREDENTIAL_REVOKED);
	else
		purpose(item);
	return ST_OK;
}

/* --- the line ----------------------------------------------------------------------------------------------------- */

static void parent_bind(struct query *q, void *item)
{
	query_text(q, ((const struct decision *)item)->c->cert.parent);
}

/* No row of the parent's: what is going to be issued, or ended, below this name comes one after the other. */
static void parent_unknown(struct decision *d)
{
	const struct cert_row *r = &d->c->cert;
	bool other = r->line[0] && strcmp(r->line, r->serial) != 0 && strcmp(r->line, r->parent) != 0;
	d->line_name = other ? r->line : r->parent;
	d->next = d->shared ? STEP_HOLD_PARENT : STEP_LINE;
}

/* The parent's row: of this serial and of this key. A certificate of another issuer below the same root may bear a
 * serial of ours, and would come into the line of a certificate that it has nothing to do with; its renewal begins a
 * line. What the row says wins over what the change was told before. From here on the line stays as it is to the end of
 * the transaction: whoever wants to close it waits, and whoever has begun to is waited for. */
static enum status parent_take(struct query *q, bool found, void *item, struct error *e)
{
	struct decision *d = item;
	const struct change *c = d->c;
	(void)e;
	d->next = STEP_ALLOWED;
	d->known = found && slice_eq(query_get_blob(q, 5), slice_of(c->parent_key, sizeof(c->parent_key)));
	d->closed = found && query_get_int(q, 2); /* a serial that may not be renewed says no, whosever it is */
	if (d->known) {
		d->line = query_get_int(q, 0);
		d->generation = query_get_int(q, 1) + 1;
		d->began = query_get_int(q, 3);
		d->ends = query_get_int(q, 4);
		return ST_OK;
	}
	d->began = d->ends = INT64_MIN;
	d->generation = c->cert.generation > 0 ? c->cert.generation : 1;
	if (found)
		d->line_name = c->cert.serial;
	else
		parent_unknown(d);
	return ST_OK;
}

static enum status hold_parent_take(struct query *q, bool row, void *item, struct error *e)
{
	struct decision *d = item;
	(void)q;
	(void)row;
	(void)e;
	d->next = d->line_name == d->c->cert.parent ? STEP_LINE : STEP_HOLD_LINE;
	return ST_OK;
}

static enum status hold_line_take(struct query *q, bool row, void *item, struct error *e)
{
	(void)q;
	(void)row;
	(void)e;
	((struct decision *)item)->next = STEP_LINE;
	return ST_OK;
}

static void line_bind(struct query *q, void *item)
{
	query_text(q, ((const struct decision *)item)->line_name);
}

static void line_note(struct decision *d, struct query *q, bool found)
{
	if (!found)
		return;
	d->line = query_get_int(q, 0);
	d->closed = query_get_int(q, 1);
}

static enum status line_take(struct query *q, bool found, void *item, struct error *e)
{
	(void)e;
	line_note(item, q, found);
	((struct decision *)item)->next = STEP_ALLOWED;
	return ST_OK;
}

/* The line that nobody knew: a new one, or that of an imported or pruned parent. */
static enum status line_add_take(struct query *q, bool added, void *item, struct error *e)
{
	struct decision *d = item;
	(void)e;
	d->next = STEP_LINE_AGAIN;
	if (added) {
		d->line = query_get_int(q, 0);
		in_line(d);
	}
	return ST_OK;
}

static enum status line_again_take(struct query *q, bool found, void *item, struct error *e)
{
	(void)e;
	line_note(item, q, found);
	in_line(item);
	return ST_OK;
}

/* --- the certificate ---------------------------------------------------------------------------------------------- */

static void allowed_bind(struct query *q, void *item)
{
	const struct change *c = ((const struct decision *)item)->c;
	bool first = c->kind == CHANGE_ISSUE;
	struct slice key = slice_of(c->cert.key_fingerprint, KEY_FINGERPRINT);
	query_blob(q, key);
	query_blob(q, first ? key : slice_of(c->parent_key, KEY_FINGERPRINT));
	query_text(q, first ? NULL : c->cert.parent);
}

/* What is known besides the line. */
static enum status allowed_take(struct query *q, bool row, void *item, struct error *e)
{
	struct decision *d = item;
	(void)row;
	(void)e;
	if (query_get_int(q, 0))
		refuse(d, OUTCOME_KEY_BLOCKED);
	else if (query_get_int(q, 1))
		refuse(d, OUTCOME_PARENT_REVOKED);
	else if (!d->line && !d->closed)
		d->next = STEP_LINE_ADD;
	else
		in_line(d);
	return ST_OK;
}

enum {
	CHILD_LOOK_MAX = 64, /* a first renewal stands next to its parent */
	GRANDCHILD_LOOK_MAX = 1000,
};

static void look_bind(struct query *q, const struct decision *d, int64_t from, int64_t max)
{
	query_int(q, d->line);
	query_int(q, from);
	query_text(q, d->c->cert.parent);
	query_int(q, max);
}

static void grandchild_bind(struct query *q, void *item)
{
	look_bind(q, item, ((const struct decision *)item)->began, GRANDCHILD_LOOK_MAX);
}

/* Has a certificate that was renewed from the parent been renewed itself? Then somebody has gone on from it, and the
 * parent is not what was last in use. Yes too where there are more to look at than any host makes. */
static enum status grandchild_take(struct query *q, bool row, void *item, struct error *e)
{
	struct decision *d = item;
	(void)row;
	(void)e;
	if (query_get_int(q, 0) >= GRANDCHILD_LOOK_MAX || query_get_int(q, 1))
		refuse(d, OUTCOME_PARENT_SUPERSEDED);
	else
		d->next = d->c->kind == CHANGE_ISSUE ? STEP_CERT : STEP_CHILD;
	return ST_OK;
}

static void child_bind(struct query *q, void *item)
{
	look_bind(q, item, ((const struct decision *)item)->ends, CHILD_LOOK_MAX);
}

/* The parent's first renewal decides what another one is: a retry of it, or a second. */
static enum status child_take(struct query *q, bool found, void *item, struct error *e)
{
	struct decision *d = item;
	const struct change *c = d->c;
	(void)e;
	d->next = STEP_CERT;
	if (!found || strcmp(query_get_text(q, 0), c->cert.serial) == 0)
		return ST_OK;
	struct slice key = slice_of(c->cert.key_fingerprint, sizeof(c->cert.key_fingerprint));
	bool retry =
		c->window_s > 0 && slice_eq(query_get_blob(q, 1), key) && c->at.s - query_get_int(q, 2) <= c->window_s;
	d->outcome = retry ? OUTCOME_DONE_AGAIN : OUTCOME_DONE_SECOND;
	return ST_OK;
}

static void cert_bind(struct query *q, void *item)
{
	const struct decision *d = item;
	const struct change *c = d->c;
	const struct cert_row *r = &c->cert;
	query_text(q, r->serial);
	query_blob(q, buf_slice(&r->der));
	query_text(q, text_or_empty(r->subject));
	query_text(q, text_or_empty(r->sans));
	query_text(q, text_or_empty(r->provisioner_id));
	query_text(q, text_or_empty(r->provisioner_name));
	query_int(q, r->provisioner_type);
	query_blob(q, slice_of(r->key_fingerprint, sizeof(r->key_fingerprint)));
	query_int(q, r->not_before.s);
	query_int(q, r->not_after.s);
	query_int(q, r->granted_s);
	query_text(q, c->kind == CHANGE_ISSUE ? NULL : r->parent);
	query_int(q, d->line);
	query_int(q, d->generation);
	query_int(q, r->created.s);
	query_int(q, c->kind != CHANGE_RENEW || !d->known);
	query_int(q, d->outcome == OUTCOME_DONE_AGAIN ? 1 : d->outcome == OUTCOME_DONE_SECOND ? 2 : 0);
}

static enum status cert_take(struct query *q, bool added, void *item, struct error *e)
{
	(void)q;
	(void)e;
	((struct decision *)item)->next = added ? STEP_END : STEP_CERT_OWN;
	return ST_OK;
}

static void serial_bind(struct query *q, void *item)
{
	query_text(q, ((const struct decision *)item)->c->cert.serial);
}

/* The serial is taken. A change without a token that is tried again finds itself; anything else is a broken source of
 * random numbers. */
static enum status cert_own_take(struct query *q, bool found, void *item, struct error *e)
{
	struct decision *d = item;
	const struct cert_row *r = &d->c->cert;
	d->next = STEP_END;
	if (found && slice_eq(query_get_blob(q, 0), buf_slice(&r->der)))
		return ST_OK;
	return error_set(e, ST_CONFLICT, "serial %s belongs to another certificate", r->serial);
}

/* --- revocations -------------------------------------------------------------------------------------------------- */

static void own_bind(struct query *q, void *item)
{
	const struct change *c = ((const struct decision *)item)->c;
	query_text(q, c->serial);
	query_text(q, c->provisioner_id);
}

static enum status own_take(struct query *q, bool own, void *item, struct error *e)
{
	struct decision *d = item;
	(void)q;
	(void)e;
	if (own)
		d->next = STEP_REVOKE;
	else
		answer(d, OUTCOME_FOREIGN);
	return ST_OK;
}

static void revocation_bind(struct query *q, const struct revocation *r)
{
	query_text(q, r->serial);
	query_int(q, r->reason_code);
	query_text(q, text_or_empty(r->reason));
	query_text(q, text_or_empty(r->provisioner));
	query_int(q, r->mtls);
	query_text(q, r->token);
	query_int(q, r->at.s);
}

static void revoke_bind(struct query *q, void *item)
{
	const struct change *c = ((const struct decision *)item)->c;
	const struct revocation r = { c->serial, c->reason, c->provisioner_id, c->token_id, c->reason_code,
		                      c->mtls,   c->at };
	revocation_bind(q, &r);
}

static enum status revoke_take(struct query *q, bool added, void *item, struct error *e)
{
	(void)q;
	(void)e;
	answer(item, added ? OUTCOME_DONE : OUTCOME_ALREADY_REVOKED);
	return ST_OK;
}

enum status revocation_add(struct db *db, const struct revocation *r, bool *ret_added, struct error *e)
{
	AUTO(query_done) struct query q = query_of(db, SQL_REVOCATION_ADD);
	revocation_bind(&q, r);
	return query_row(&q, ret_added, e);
}

/* --- the steps ---------------------------------------------------------------------------------------------------- */

static const struct db_ask steps[STEP_END] = {
	[STEP_TOKEN] = { SQL_TOKEN_ADD, true, token_bind, token_take },
	[STEP_TOKEN_OWN] = { SQL_TOKEN_SERIAL, false, token_id_bind, token_own_take },
	[STEP_CREDENTIAL] = { SQL_CREDENTIAL_BAD, false, credential_bind, credential_take },
	/* The line first: with it in our hands, what the others say holds to the end. */
	[STEP_PARENT] = { SQL_PARENT, true, parent_bind, parent_take },
	[STEP_HOLD_PARENT] = { SQL_HOLD, true, parent_bind, hold_parent_take },
	[STEP_HOLD_LINE] = { SQL_HOLD, true, line_bind, hold_line_take },
	[STEP_LINE] = { SQL_LINE, true, line_bind, line_take },
	[STEP_ALLOWED] = { SQL_ALLOWED, false, allowed_bind, allowed_take },
	[STEP_LINE_ADD] = { SQL_LINE_ADD, true, line_bind, line_add_take },
	[STEP_LINE_AGAIN] = { SQL_LINE, true, line_bind, line_again_take },
	[STEP_GRANDCHILD] = { SQL_GRANDCHILD, false, grandchild_bind, grandchild_take },
	[STEP_CHILD] = { SQL_CHILD, false, child_bind, child_take },
	[STEP_CERT] = { SQL_CERT_ADD, false, cert_bind, cert_take }, /* no other node gives this serial */
	[STEP_CERT_OWN] = { SQL_CERT_DER, false, serial_bind, cert_own_take },
	[STEP_OWN] = { SQL_OWN, false, own_bind, own_take },
	[STEP_REVOKE] = { SQL_REVOCATION_ADD, true, revoke_bind, revoke_take },
	[STEP_TOKEN_CLEAR] = { SQL_TOKEN_CLEAR, false, token_id_bind, token_clear_take },
};

enum status decision_begin(struct decision *d, struct db *db, const struct change *c, bool keeps_revocations,
                           struct error *e)
{
	if (change_check(c, e))
		return e->status;
	*d = (struct decision){ .c = c, .keeps_revocations = keeps_revocations, .shared = db_shared(db) };
	d->next = STEP_TOKEN;
	if (!c->token_id)
		behind_token(d);
	return ST_OK;
}

static enum status end_lines(struct db *db, struct decision *const *d, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		d[i]->next = STEP_END;
		if (line_revoke(db, d[i]->c, &d[i]->outcome, e))
			return e->status;
	}
	return ST_OK;
}

enum status decision_step(struct db *db, enum step step, struct decision *const *d, size_t n, struct error *e)
{
	return step == STEP_REVOKE_LINE ? end_lines(db, d, n, e) : db_each(db, &steps[step], (void *const *)d, n, e);
}

static enum status decide(struct db *db, struct decision *d, struct error *e)
{
	while (d->next != STEP_END)
		if (decision_step(db, d->next, &d, 1, e))
			return e->status;
	return ST_OK;
}

enum status apply_change(struct db *db, const struct change *c, bool keeps_revocations, enum outcome *ret,
                         struct error *e)
{
	struct decision d;
	if (decision_begin(&d, db, c, keeps_revocations, e) || (db_savepoints(db) && db_run(db, SQL_SAVEPOINT, e)))
		return e->status;
	enum status st = decide(db, &d, e);
	if (!st)
		*ret = d.outcome;
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
