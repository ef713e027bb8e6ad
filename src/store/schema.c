#include "store/schema.h"

/* "PREN" in the file's header: file(1) shows it, and we know our own. */
#define APPLICATION_ID 0x5052454e

/* Step i leads from version i to i + 1. A step that was released is never edited. Plain rowid tables: WITHOUT ROWID
 * costs 2.6 times as much with rows of this size. Times are seconds since 1970, serials decimal text. */
static const char *const steps[] = {
	[0] = "CREATE TABLE meta ("
	      " id INTEGER PRIMARY KEY CHECK (id = 1),"
	      " instance TEXT NOT NULL,"
	      " created INTEGER NOT NULL"
	      ") STRICT;"
	      "CREATE TABLE lines ("
	      " id INTEGER PRIMARY KEY,"
	      " serial TEXT NOT NULL UNIQUE," /* of its first certificate */
	      " closed_at INTEGER,"
	      " closed_by TEXT"
	      ") STRICT;"
	      "CREATE TABLE certs ("
	      " id INTEGER PRIMARY KEY,"
	      " serial TEXT NOT NULL UNIQUE,"
	      " subject TEXT NOT NULL,"
	      " sans TEXT NOT NULL,"
	      " provisioner_id TEXT NOT NULL,"
	      " provisioner_name TEXT NOT NULL,"
	      " provisioner_type INTEGER NOT NULL,"
	      " key_fp BLOB NOT NULL,"
	      " new_key INTEGER NOT NULL," /* 0: its parent's, whose row is here */
	      " not_before INTEGER NOT NULL,"
	      " not_after INTEGER NOT NULL,"
	      " granted_s INTEGER NOT NULL,"
	      " parent TEXT," /* NULL: the first of its line */
	      " line INTEGER NOT NULL,"
	      " generation INTEGER NOT NULL,"
	      " created INTEGER NOT NULL,"
	      " der BLOB NOT NULL"
	      ") STRICT;"
	      "CREATE INDEX certs_line ON certs (line, not_after);"
	      "CREATE INDEX certs_not_after ON certs (not_after);"
	      /* Renewals keep their key, and the first of their line with it stays as long as they do: one entry is
	       * enough, and none is written on the path that runs most. */
	      "CREATE INDEX certs_key ON certs (key_fp) WHERE new_key = 1;"
	      "CREATE TABLE revocations ("
	      " serial TEXT NOT NULL UNIQUE,"
	      " reason_code INTEGER NOT NULL,"
	      " reason TEXT NOT NULL,"
	      " provisioner TEXT NOT NULL,"
	      " mtls INTEGER NOT NULL,"
	      " token TEXT,"
	      " revoked_at INTEGER NOT NULL,"
	      " not_after INTEGER" /* of the certificate; NULL: not known here */
	      ") STRICT;"
	      "CREATE INDEX revocations_not_after ON revocations (not_after);"
	      "CREATE TABLE tokens ("
	      " id TEXT NOT NULL UNIQUE,"
	      " serial TEXT," /* of the certificate that it gave; NULL: none */
	      " exp INTEGER NOT NULL"
	      ") STRICT;"
	      "CREATE INDEX tokens_exp ON tokens (exp);"
	      "CREATE TABLE blocked_keys ("
	      " key_fp BLOB NOT NULL UNIQUE,"
	      " reason TEXT NOT NULL,"
	      " blocked_at INTEGER NOT NULL"
	      ") STRICT;",
	/* 0: the first renewal of its parent; 1: a retry of that, within the window; 2: another one, see the log */
	[1] = "ALTER TABLE certs ADD COLUMN again INTEGER NOT NULL DEFAULT 0;",
};

static enum status schema_version(struct db *db, int64_t *ret, struct error *e)
{
	int64_t version, application, tables;
	if (db_number(db, "PRAGMA user_version", &version, e) ||
	    db_number(db, "PRAGMA application_id", &application, e) ||
	    db_number(db, "SELECT count(*) FROM sqlite_schema", &tables, e))
		return e->status;
	if (application == 0 && version == 0 && tables == 0) {
		*ret = 0;
		return ST_OK;
	}
	if (application != APPLICATION_ID || version < 1)
		return error_set(e, ST_INVALID, "it belongs to another program; give the CA a folder of its own");
	if (version > (int64_t)COUNT_OF(steps))
		return error_set(
			e, ST_INVALID,
			"written by a newer version (schema %d; this program knows %d); install that or a newer one",
			(int)version, (int)COUNT_OF(steps));
	*ret = version;
	return ST_OK;
}

enum status schema_check(struct db *db, struct error *e)
{
	int64_t version;
	return schema_version(db, &version, e);
}

static enum status schema_steps(struct db *db, struct wall now, struct error *e)
{
	int64_t version;
	if (schema_version(db, &version, e))
		return e->status;
	if (version == (int64_t)COUNT_OF(steps))
		return ST_OK;
	for (size_t i = (size_t)version; i < COUNT_OF(steps); i++)
		if (db_exec(db, steps[i], e))
			return e->status;
	char sql[192];
	if (version == 0) {
		snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES (1, lower(hex(randomblob(16))), %lld)",
		         (long long)now.s);
		if (db_exec(db, sql, e))
			return e->status;
	}
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID,
	         COUNT_OF(steps));
	return db_exec(db, sql, e);
}

enum status schema_migrate(struct db *db, struct wall now, struct error *e)
{
	if (db_exec(db, "BEGIN IMMEDIATE", e))
		return e->status;
	if (!schema_steps(db, now, e) && !db_exec(db, "COMMIT", e))
		return ST_OK;
	struct error ignored;
	st_ignore(db_exec(db, "ROLLBACK", &ignored), "the first error is the one to tell; SQLite may have rolled back");
	return e->status;
}

enum status schema_created(struct db *db, struct wall *ret, struct error *e)
{
	return db_number(db, "SELECT created FROM meta", &ret->s, e);
}
