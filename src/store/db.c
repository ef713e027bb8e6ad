#include "store/db_engine.h"

/* A new statement: text that both engines take, and only where there is none, one for each.
 *
 * Both take ON CONFLICT DO NOTHING, RETURNING, FILTER, row values, WITH .. AS MATERIALIZED, window functions. Both need
 * a name behind a subquery in FROM. Integers are 64 bit; a sum() of them is not one in PostgreSQL: cast it (AS BIGINT).
 * Truth is no number there: no max(EXISTS ..), but CASE. PostgreSQL runs a statement whole before its first row is
 * read, so bound what could be long with LIMIT. And there other nodes write at the same time, each seeing what was
 * committed before its statement began: what is read and then acted on has to be locked, see apply.c. */
#define PLACE                                                                                                          \
	"SELECT l.id, l.closed_at IS NOT NULL FROM lines l WHERE l.id ="                                               \
	" coalesce((SELECT line FROM certs WHERE serial = ?1), (SELECT id FROM lines WHERE serial = ?1))"

#define INVENTORY_COLUMNS                                                                                              \
	"SELECT id, not_after, serial, parent, subject, sans, provisioner_name, key_fp, not_before, generation,"       \
	" created, line FROM certs"

#define LEFT_UNDER(seconds) " count(*) FILTER (WHERE open AND ends > ?3 AND ends <= ?3 + " seconds "),"

const struct sql_text sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = { "BEGIN IMMEDIATE" },
	[SQL_COMMIT] = { "COMMIT" },
	[SQL_ROLLBACK] = { "ROLLBACK" },
	[SQL_SAVEPOINT] = { "SAVEPOINT change" },
	[SQL_RELEASE] = { "RELEASE change" },
	[SQL_UNDO] = { "ROLLBACK TO change" },

	[SQL_HOLD] = { NULL, "SELECT pg_advisory_xact_lock(hashtextextended(?1, 0))::text" },
	[SQL_TOKEN_ADD] = { "INSERT INTO tokens (id, serial, exp) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING RETURNING "
	                    "1" },
	[SQL_TOKEN_SERIAL] = { "SELECT serial FROM tokens WHERE id = ?1" },
	[SQL_TOKEN_CLEAR] = { "UPDATE tokens SET serial = NULL WHERE id = ?1" },
	/* Two keys, and the parent's serial: is a key blocked, is the parent revoked? */
	[SQL_ALLOWED] = { "SELECT EXISTS (SELECT 1 FROM blocked_keys WHERE key_fp = ?1)"
	                  " OR EXISTS (SELECT 1 FROM blocked_keys WHERE key_fp = ?2),"
	                  " EXISTS (SELECT 1 FROM revocations WHERE serial = ?3)" },
	[SQL_REVOCATION] = { "SELECT 1 FROM revocations WHERE serial = ?1" },
	[SQL_REVOCATION_ADD] = { "INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, token, "
	                         "revoked_at, not_after)"
	                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT not_after FROM certs WHERE serial = ?1))"
	                         " ON CONFLICT DO NOTHING RETURNING 1" },
	/* ?1 key, ?2 serial ("" where it is not ours) */
	[SQL_CREDENTIAL_BAD] = { "SELECT 1 WHERE EXISTS (SELECT 1 FROM blocked_keys WHERE key_fp = ?1)"
	                         " OR EXISTS (SELECT 1 FROM revocations WHERE serial = ?2)"
	                         " OR EXISTS (SELECT 1 FROM certs c JOIN lines l ON l.id = c.line"
	                         " WHERE c.serial = ?2 AND l.closed_at IS NOT NULL)"
	                         " OR EXISTS (SELECT 1 FROM lines WHERE serial = ?2 AND closed_at IS NOT NULL)" },
	[SQL_OWN] = { "SELECT 1 FROM certs WHERE serial = ?1 AND provisioner_id = ?2" },
	[SQL_PARENT] = { "SELECT c.line, c.generation, l.closed_at IS NOT NULL, c.not_before, c.not_after, c.key_fp"
	                 " FROM certs c JOIN lines l ON l.id = c.line WHERE c.serial = ?1",
	                 "SELECT c.line, c.generation, l.closed_at IS NOT NULL, c.not_before, c.not_after, c.key_fp"
	                 " FROM certs c JOIN lines l ON l.id = c.line WHERE c.serial = ?1"
	                 " FOR NO KEY UPDATE OF l" },
	/* Both look at no more than ?4 certificates: a client can make a line as long as it likes, and this is the
	 * writer's time. The first that was renewed from ?3; one ends no earlier (?2) than its parent. */
	[SQL_CHILD] = { "SELECT serial, key_fp, created FROM (SELECT serial, key_fp, created, parent FROM certs"
	                " WHERE line = ?1 AND not_after >= ?2 ORDER BY not_after, id LIMIT ?4) near WHERE parent = ?3 "
	                "LIMIT 1" },
	/* How many were looked at, and whether one of them was renewed from a certificate that was renewed from ?3.
	 * Nothing ends before its parent's parent began (?2), whatever the issuer cut off. */
	[SQL_GRANDCHILD] = { "SELECT count(*), "
	                     " max(CASE WHEN EXISTS (SELECT 1 FROM certs c WHERE c.serial = g.parent AND c.parent = "
	                     "?3) THEN 1 ELSE 0 END)"
	                     " FROM (SELECT parent FROM certs WHERE line = ?1 AND not_after >= ?2"
	                     " ORDER BY not_after, id LIMIT ?4) g" },
	/* The line of a serial: its row's, else the one that bears its name (an imported certificate). */
	[SQL_PLACE] = { PLACE },
	[SQL_PLACE_HOLD] = { PLACE, PLACE " FOR NO KEY UPDATE" },
	[SQL_LINE] = { "SELECT id, closed_at IS NOT NULL FROM lines WHERE serial = ?1",
	               "SELECT id, closed_at IS NOT NULL FROM lines WHERE serial = ?1"
	               " FOR NO KEY UPDATE" },
	[SQL_LINE_ADD] = { "INSERT INTO lines (serial) VALUES (?1) ON CONFLICT DO NOTHING RETURNING id" },
	[SQL_LINE_CLOSE] = { "UPDATE lines SET closed_at = ?2, closed_by = ?3 WHERE id = ?1 AND closed_at IS NULL"
	                     " RETURNING 1" },
	[SQL_LINE_BLOCK_KEYS] = { "INSERT INTO blocked_keys (key_fp, reason, blocked_at)"
	                          " SELECT DISTINCT key_fp, ?2, ?3 FROM certs WHERE line = ?1 ON CONFLICT DO NOTHING" },
	[SQL_LINE_REVOKE] = { "INSERT INTO revocations (serial, reason_code, reason, provisioner, mtls, token, "
	                      "revoked_at, not_after)"
	                      " SELECT serial, ?2, ?3, ?4, 0, ?5, ?6, not_after FROM certs WHERE line = ?1 AND "
	                      "not_after >= ?6"
	                      " ON CONFLICT DO NOTHING" },
	[SQL_LINE_CERTS] = { "SELECT c.serial, c.parent, c.subject, c.not_before, c.not_after,"
	                     " EXISTS (SELECT 1 FROM revocations r WHERE r.serial = c.serial), l.serial"
	                     " FROM certs c JOIN lines l ON l.id = c.line WHERE c.line = ?1 ORDER BY c.generation, "
	                     "c.id" },
	[SQL_LINE_KEY_CERTS] = { "WITH k AS MATERIALIZED (SELECT DISTINCT key_fp FROM certs WHERE line = ?1)"
	                         " SELECT c.serial, c.parent, c.subject, c.not_before, c.not_after,"
	                         " EXISTS (SELECT 1 FROM revocations r WHERE r.serial = c.serial), l.serial"
	                         " FROM certs c JOIN lines l ON l.id = c.line WHERE c.line <> ?1 AND c.key_fp IN "
	                         "(SELECT key_fp FROM k)"
	                         " AND c.line IN (SELECT o.line FROM certs o WHERE o.new_key = 1 AND o.key_fp IN "
	                         "(SELECT key_fp FROM k))"
	                         " ORDER BY c.line, c.id" },
	[SQL_CERT] = { "SELECT c.der, c.subject, c.sans, c.provisioner_id, c.provisioner_name, c.provisioner_type, "
	               "c.key_fp,"
	               " c.not_before, c.not_after, c.granted_s, c.parent, l.serial, c.generation, c.created"
	               " FROM certs c JOIN lines l ON l.id = c.line WHERE c.serial = ?1" },
	[SQL_CERT_DER] = { "SELECT der FROM certs WHERE serial = ?1" },
	[SQL_CERT_ADD] = { "INSERT INTO certs (serial, der, subject, sans, provisioner_id, provisioner_name,"
	                   " provisioner_type, key_fp, not_before, not_after, granted_s, parent, line, generation, "
	                   "created, new_key, again)"
	                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
	                   " ON CONFLICT DO NOTHING RETURNING 1" },

	/* The policy is in prune.c. */
	[SQL_PRUNE_TOKENS] = { "DELETE FROM tokens WHERE rowid IN (SELECT rowid FROM tokens WHERE exp < ?1 ORDER BY "
	                       "exp LIMIT ?2)",
	                       "DELETE FROM tokens WHERE ctid IN (SELECT ctid FROM tokens WHERE exp < ?1 ORDER BY exp "
	                       "LIMIT ?2)" },
	[SQL_PRUNE_REVOCATIONS] = { "DELETE FROM revocations WHERE rowid IN (SELECT r.rowid FROM revocations r WHERE "
	                            "r.not_after < ?1"
	                            " AND NOT EXISTS (SELECT 1 FROM certs c WHERE c.serial = r.serial) LIMIT ?2)",
	                            "DELETE FROM revocations WHERE ctid IN (SELECT r.ctid FROM revocations r WHERE "
	                            "r.not_after < ?1"
	                            " AND NOT EXISTS (SELECT 1 FROM certs c WHERE c.serial = r.serial) LIMIT ?2)" },
	[SQL_PRUNE_LOOK] = { "SELECT c.id, c.not_after, c.line, NOT EXISTS (SELECT 1 FROM certs d WHERE d.line = "
	                     "c.line AND"
	                     " d.not_after >= CASE WHEN l.closed_at IS NULL THEN ?3 ELSE ?4 END)"
	                     " FROM certs c CROSS JOIN lines l ON l.id = c.line WHERE (c.not_after, c.id) > (?1, ?2) "
	                     "AND "
	                     "c.not_after < ?3"
	                     " ORDER BY c.not_after, c.id LIMIT ?5",
	                     "SELECT c.id, c.not_after, c.line, NOT EXISTS (SELECT 1 FROM certs d WHERE d.line = "
	                     "c.line AND"
	                     " d.not_after >= CASE WHEN l.closed_at IS NULL THEN ?3 ELSE ?4 END)"
	                     " FROM certs c JOIN lines l ON l.id = c.line WHERE (c.not_after, c.id) > (?1, ?2) AND "
	                     "c.not_after < ?3"
	                     " ORDER BY c.not_after, c.id LIMIT ?5" },
	[SQL_PRUNE_CERT] = { "DELETE FROM certs WHERE id = ?1" },
	/* Behind whoever is issuing from it, so that the next statement sees what came of that. */
	[SQL_PRUNE_LINE_HOLD] = { NULL, "SELECT 1 FROM lines WHERE id = ?1 FOR UPDATE" },
	[SQL_PRUNE_LINE] = { "DELETE FROM lines WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM certs WHERE line = ?1)" },
	/* Rules that every database of ours keeps (audit.c): how many rows break one, and which is the first. ?1 an
	   instant */
	[SQL_AUDIT_WHOLE] = { "PRAGMA integrity_check(20)", "SELECT 'ok'" },
	[SQL_AUDIT_LINE] = { "SELECT count(*), min(serial) FROM certs c WHERE NOT EXISTS"
	                     " (SELECT 1 FROM lines l WHERE l.id = c.line)" },
	/* But for what was renewed from another issuer's certificate with a serial of ours, which begins a line. */
	[SQL_AUDIT_DESCENT] = { "SELECT count(*), min(c.serial) FROM certs c JOIN certs p ON p.serial = c.parent"
	                        " JOIN lines l ON l.id = c.line"
	                        " WHERE (c.line <> p.line OR c.generation <> p.generation + 1) AND l.serial <> "
	                        "c.serial" },
	[SQL_AUDIT_TOKEN] = { "SELECT count(*), min(serial) FROM tokens t WHERE serial IS NOT NULL AND exp >= ?1"
	                      " AND NOT EXISTS (SELECT 1 FROM certs c WHERE c.serial = t.serial)" },
	[SQL_AUDIT_CLOSED] = { "SELECT count(*), min(c.serial) FROM lines l JOIN certs c ON c.line = l.id"
	                       " WHERE l.closed_at IS NOT NULL AND c.created > l.closed_at + ?1" },
	[SQL_AUDIT_KEY] = { "SELECT count(*), min(c.serial) FROM lines l JOIN certs c ON c.line = l.id"
	                    " WHERE l.closed_at IS NOT NULL AND NOT EXISTS"
	                    " (SELECT 1 FROM blocked_keys b WHERE b.key_fp = c.key_fp)" },
	[SQL_AUDIT_NEW_KEY] = { "SELECT count(*), min(c.serial) FROM certs c WHERE c.new_key = 0 AND NOT EXISTS"
	                        " (SELECT 1 FROM certs o WHERE o.key_fp = c.key_fp AND o.new_key = 1 AND o.line = "
	                        "c.line)" },
	[SQL_AUDIT_META] = { "SELECT abs(1 - count(*)) + coalesce(sum(CASE WHEN created > ?1 THEN 1 ELSE 0 END), 0), "
	                     "'meta'"
	                     " FROM meta" },
	/* What no revocation list could name, or count on from. ?1 is a number here. */
	[SQL_AUDIT_REVOCATION] = { "SELECT count(*), min(serial) FROM revocations WHERE serial GLOB '*[^0-9]*'"
	                           " OR length(serial) NOT BETWEEN 1 AND ?1 OR reason_code NOT BETWEEN 0 AND 10",
	                           "SELECT count(*), min(serial) FROM revocations WHERE serial !~ '^[0-9]+$'"
	                           " OR length(serial) NOT BETWEEN 1 AND ?1 OR reason_code NOT BETWEEN 0 AND 10" },
	[SQL_AUDIT_CRL_NUMBER] = { "SELECT count(*), min(next) FROM crl_number WHERE next NOT BETWEEN 0 AND ?1" },

	/* In pages, behind ?1: a long read would keep SQLite's log from being emptied. */
	[SQL_DUMP_CERTS] = { "SELECT c.id, c.serial, c.der, c.subject, c.sans, c.provisioner_id, c.provisioner_name,"
	                     " c.provisioner_type, c.key_fp, c.not_before, c.not_after, c.granted_s, c.parent, "
	                     "l.serial,"
	                     " c.generation, c.created FROM certs c LEFT JOIN lines l ON l.id = c.line"
	                     " WHERE c.id > ?1 ORDER BY c.id LIMIT ?2" },
	[SQL_DUMP_REVOCATIONS] = { "SELECT serial, reason_code, reason, provisioner, revoked_at FROM revocations"
	                           " WHERE serial > ?1 ORDER BY serial LIMIT ?2" },
	[SQL_DUMP_LINES] = { "SELECT id, serial, closed_by, closed_at FROM lines WHERE id > ?1 AND closed_at IS NOT "
	                     "NULL"
	                     " ORDER BY id LIMIT ?2" },
	[SQL_DUMP_KEYS] = { "SELECT key_fp, reason, blocked_at FROM blocked_keys WHERE key_fp > ?1 ORDER BY key_fp "
	                    "LIMIT ?2" },
	[SQL_STATS] = { "SELECT (SELECT count(*) FROM certs), (SELECT count(*) FROM revocations),"
	                " (SELECT count(*) FROM tokens)" },

	/* The next ?2 lines behind ?1 at ?3: how many, the last one, and what enum store_left says. */
	[SQL_CENSUS] = { "SELECT count(*), max(id),"
	                 " count(*) FILTER (WHERE open AND ends <= ?3 AND ends > ?3 - 86400)," LEFT_UNDER(
				 "3600") LEFT_UNDER("21600") LEFT_UNDER("86400") LEFT_UNDER("259200")
	                         LEFT_UNDER("604800") LEFT_UNDER("2592000") LEFT_UNDER(
					 "7776000") " count(*) FILTER (WHERE open AND ends > ?3)"
	                                            " FROM (SELECT l.id, l.closed_at IS NULL AS open,"
	                                            " (SELECT max(c.not_after) FROM certs c WHERE c.line = l.id) AS "
	                                            "ends"
	                                            " FROM lines l WHERE l.id > ?1 ORDER BY l.id LIMIT ?2) newest" },

	/* Pages: ?1 an end, ?2 a row or the last end, ?3 how many, ?4 the line. The columns stand in inventory.c. */
	[SQL_INVENTORY_SAME] = { INVENTORY_COLUMNS " WHERE not_after = ?1 AND id > ?2 ORDER BY id LIMIT ?3" },
	[SQL_INVENTORY_LATER] = { INVENTORY_COLUMNS " WHERE not_after > ?1 AND not_after < ?2 ORDER BY not_after, id"
	                                            " LIMIT ?3" },
	[SQL_INVENTORY_LINE_SAME] = { INVENTORY_COLUMNS " WHERE line = ?4 AND not_after = ?1 AND id > ?2 ORDER BY id"
	                                                " LIMIT ?3" },
	[SQL_INVENTORY_LINE_LATER] = { INVENTORY_COLUMNS " WHERE line = ?4 AND not_after > ?1 AND not_after < ?2"
	                                                 " ORDER BY not_after, id LIMIT ?3" },
	/* Of certificate ?1 in line ?2, which ends at ?3. What was renewed from it is looked for as in SQL_CHILD. */
	[SQL_INVENTORY_STATE] = { "SELECT l.serial, l.closed_at IS NOT NULL, r.serial IS NOT NULL, r.revoked_at,"
	                          " r.reason_code, EXISTS (SELECT 1 FROM (SELECT parent FROM certs"
	                          " WHERE line = ?2 AND not_after >= ?3 ORDER BY not_after, id LIMIT ?4) near"
	                          " WHERE near.parent = ?1)"
	                          " FROM lines l LEFT JOIN revocations r ON r.serial = ?1 WHERE l.id = ?2" },

	/* ?2: the number that is known */
	[SQL_CRL] = { "SELECT number, this_update, next_update, entries, lease_by,"
	              " CASE WHEN number = ?2 THEN NULL ELSE der END FROM crls WHERE issuer = ?1" },
	[SQL_CRL_UNLISTED] = { "SELECT 1 FROM revocations WHERE listed = 0 LIMIT 1" },
	/* ?2 who, ?3 until when, ?4 now, ?5 the number that is known, ?6 no list */
	[SQL_CRL_CLAIM] = { "INSERT INTO crls (issuer, number, this_update, next_update, entries, der, lease_by,"
	                    " lease_until) VALUES (?1, -1, 0, 0, 0, ?6, ?2, ?3)"
	                    " ON CONFLICT (issuer) DO UPDATE SET lease_by = ?2, lease_until = ?3"
	                    " WHERE crls.number = ?5 AND (crls.lease_by = ?2 OR crls.lease_until < ?4"
	                    " OR crls.lease_until > ?3)" /* by a clock that was wrong */
	                    " RETURNING 1" },
	[SQL_CRL_NUMBER] = { "UPDATE crl_number SET next = next + 1 RETURNING next - 1" },
	[SQL_CRL_LIST] = { "UPDATE revocations SET listed = 1 WHERE listed = 0" },
	[SQL_CRL_ENTRIES] = { "SELECT serial, revoked_at, reason_code FROM revocations"
	                      " WHERE not_after IS NULL OR not_after >= ?1" },
	[SQL_CRL_KEEP] = { "UPDATE crls SET number = ?3, this_update = ?4, next_update = ?5, entries = ?6, der = ?7,"
	                   " lease_by = '', lease_until = 0 WHERE issuer = ?1 AND lease_by = ?2 RETURNING 1" },
	/* The name stays: nobody has made what was begun. */
	[SQL_CRL_ABANDON] = { "UPDATE crls SET lease_until = 0 WHERE issuer = ?1 AND lease_by = ?2" },
	[SQL_CRL_RAISE] = { "UPDATE crl_number SET next = ?1 WHERE next < ?1" },
};

enum status db_new(const struct db_where *where, enum db_role role, struct db **ret, struct error *e)
{
	return where->pg ? db_pg_new(where, role, ret, e) : db_sqlite_new(where, role, ret, e);
}

enum db_kind db_kind(const struct db *db)
{
	return db->engine->kind;
}

bool db_shared(const struct db *db)
{
	return db->engine->hold;
}

bool db_savepoints(const struct db *db)
{
	return db->engine->savepoints;
}

void db_free(struct db *db)
{
	if (db)
		db->engine->free(db);
}

enum status db_exec(struct db *db, const char *sql, struct error *e)
{
	return db->engine->exec(db, sql, e);
}

enum status db_number(struct db *db, const char *sql, int64_t *ret, struct error *e)
{
	return db->engine->number(db, sql, ret, e);
}

enum status db_run(struct db *db, enum sql id, struct error *e)
{
	bool row;
	AUTO(query_done) struct query q = { .db = db };
	db->engine->start(&q, id);
	return db->engine->row(&q, &row, e);
}

enum status db_begin(struct db *db, struct error *e)
{
	return db->engine->begin(db, e);
}

enum status db_commit(struct db *db, struct error *e)
{
	return db->engine->commit(db, e);
}

enum status db_commit_batch(struct db *db, struct error *e)
{
	return db->engine->commit_batch ? db->engine->commit_batch(db, e) : db->engine->commit(db, e);
}

bool db_alive(struct db *db)
{
	return !db->engine->alive || db->engine->alive(db);
}

bool db_sound(struct db *db)
{
	return db->engine->sound(db);
}

enum status db_hold(struct db *db, const char *name, struct error *e)
{
	return db->engine->hold ? db->engine->hold(db, name, e) : ST_OK;
}

enum status db_prune_lock(struct db *db, bool *ret_mine, struct error *e)
{
	*ret_mine = true;
	return db->engine->prune_lock ? db->engine->prune_lock(db, ret_mine, e) : ST_OK;
}

enum status db_schema_lock(struct db *db, struct error *e)
{
	return db->engine->schema_lock ? db->engine->schema_lock(db, e) : ST_OK;
}

void db_rollback(struct db *db)
{
	db->engine->rollback(db);
}

enum status db_set_durable(struct db *db, struct error *e)
{
	return db->engine->set_durable(db, e);
}

enum status db_tidy(struct db *db, enum db_tidy how, struct error *e)
{
	return db->engine->tidy(db, how, e);
}

enum status db_schema_version(struct db *db, int64_t *ret, struct error *e)
{
	return db->engine->schema_version(db, ret, e);
}

enum status db_schema_set(struct db *db, int64_t version, struct error *e)
{
	return db->engine->schema_set(db, version, e);
}

struct query query_of(struct db *db, enum sql id)
{
	struct query q = { .db = db };
	db->engine->start(&q, id);
	return q;
}

void query_done(struct query *q)
{
	q->db->engine->done(q);
}

void query_text(struct query *q, const char *s)
{
	q->db->engine->bind_text(q, s);
}

void query_int(struct query *q, int64_t v)
{
	q->db->engine->bind_int(q, v);
}

void query_blob(struct query *q, struct slice s)
{
	q->db->engine->bind_blob(q, s);
}

enum status query_row(struct query *q, bool *ret_row, struct error *e)
{
	return q->db->engine->row(q, ret_row, e);
}

int64_t query_changes(struct query *q)
{
	return q->db->engine->changes(q);
}

int64_t query_get_int(struct query *q, int column)
{
	return q->db->engine->get_int(q, column);
}

const char *query_get_text(struct query *q, int column)
{
	return q->db->engine->get_text(q, column);
}

struct slice query_get_blob(struct query *q, int column)
{
	return q->db->engine->get_blob(q, column);
}

enum status db_each(struct db *db, const struct db_ask *ask, void *const *items, size_t n, struct error *e)
{
	return db->engine->each(db, ask, items, n, e);
}
