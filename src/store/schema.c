#include "store/schema.h"

/* Step i leads from version i to i + 1. A step that was released is never edited. Plain rowid tables: WITHOUT ROWID
 * costs 2.6 times as much with rows of this size. Times are seconds since 1970, serials decimal text; lines.serial is
 * that of its first certificate. One text for both engines, with the words in which they differ. COLLATE "C": an
 * index must not depend on the C library of the database's host. */
#define STEP_0(ROW_ID, INT, TEXT, BLOB, END)                                                                           \
	"CREATE TABLE meta ("                                                                                          \
	" id " INT " PRIMARY KEY CHECK (id = 1),"                                                                      \
	" instance " TEXT " NOT NULL,"                                                                                 \
	" created " INT " NOT NULL"                                                                                    \
	")" END ";"                                                                                                    \
	"CREATE TABLE lines ("                                                                                         \
	" id " ROW_ID ","                                                                                              \
	" serial " TEXT " NOT NULL UNIQUE," /* of its first certificate */                                             \
	" closed_at " INT ","                                                                                          \
	" closed_by " TEXT ")" END ";"                                                                                 \
	"CREATE TABLE certs ("                                                                                         \
	" id " ROW_ID ","                                                                                              \
	" serial " TEXT " NOT NULL UNIQUE,"                                                                            \
	" subject " TEXT " NOT NULL,"                                                                                  \
	" sans " TEXT " NOT NULL,"                                                                                     \
	" provisioner_id " TEXT " NOT NULL,"                                                                           \
	" provisioner_name " TEXT " NOT NULL,"                                                                         \
	" provisioner_type " INT " NOT NULL,"                                                                          \
	" key_fp " BLOB " NOT NULL,"                                                                                   \
	" new_key " INT " NOT NULL," /* 0: its parent's, whose row is here */                                          \
	" not_before " INT " NOT NULL,"                                                                                \
	" not_after " INT " NOT NULL,"                                                                                 \
	" granted_s " INT " NOT NULL,"                                                                                 \
	" parent " TEXT "," /* NULL: the first of its line */                                                          \
	" line " INT " NOT NULL,"                                                                                      \
	" generation " INT " NOT NULL,"                                                                                \
	" created " INT " NOT NULL,"                                                                                   \
	" der " BLOB " NOT NULL"                                                                                       \
	")" END ";"                                                                                                    \
	"CREATE INDEX certs_line ON certs (line, not_after);"                                                          \
	"CREATE INDEX certs_not_after ON certs (not_after);" /* Renewals keep their key, and the first of their line   \
	                                                      * with it stays as long as they do: one entry is enough, \
	                                                      * and none is written on the path that runs most. */     \
	"CREATE INDEX certs_key ON certs (key_fp) WHERE new_key = 1;"                                                  \
	"CREATE TABLE revocations ("                                                                                   \
	" serial " TEXT " NOT NULL UNIQUE,"                                                                            \
	" reason_code " INT " NOT NULL,"                                                                               \
	" reason " TEXT " NOT NULL,"                                                                                   \
	" provisioner " TEXT " NOT NULL,"                                                                              \
	" mtls " INT " NOT NULL,"                                                                                      \
	" token " TEXT ","                                                                                             \
	" revoked_at " INT " NOT NULL,"                                                                                \
	" not_after " INT /* of the certificate; NULL: not known here */                                               \
	")" END ";"                                                                                                    \
	"CREATE INDEX revocations_not_after ON revocations (not_after);"                                               \
	"CREATE TABLE tokens ("                                                                                        \
	" id " TEXT " NOT NULL UNIQUE,"                                                                                \
	" serial " TEXT "," /* of the certificate that it gave; NULL: none */                                          \
	" exp " INT " NOT NULL"                                                                                        \
	")" END ";"                                                                                                    \
	"CREATE INDEX tokens_exp ON tokens (exp);"                                                                     \
	"CREATE TABLE blocked_keys ("                                                                                  \
	" key_fp " BLOB " NOT NULL UNIQUE,"                                                                            \
	" reason " TEXT " NOT NULL,"                                                                                   \
	" blocked_at " INT " NOT NULL"                                                                                 \
	")" END ";"

/* 0: the first renewal of its parent; 1: a retry of that, within the window; 2: another one, see the log */
#define STEP_1(ROW_ID, INT, TEXT, BLOB, END) "ALTER TABLE certs ADD COLUMN again " INT " NOT NULL DEFAULT 0;"

/* Whether a revocation is on a list: crl.c. A list belongs to an issuer; a number to no issuer, so that it goes up even
 * where one of the same name follows another. */
#define STEP_2(ROW_ID, INT, TEXT, BLOB, END)                                                                           \
	"ALTER TABLE revocations ADD COLUMN listed " INT " NOT NULL DEFAULT 0;"                                        \
	"CREATE INDEX revocations_unlisted ON revocations (serial) WHERE listed = 0;"                                  \
	"CREATE TABLE crl_number ("                                                                                    \
	" id " INT " PRIMARY KEY CHECK (id = 1),"                                                                      \
	" next " INT " NOT NULL"                                                                                       \
	")" END ";"                                                                                                    \
	"INSERT INTO crl_number VALUES (1, 0);"                                                                        \
	"CREATE TABLE crls ("                                                                                          \
	" issuer " TEXT " NOT NULL UNIQUE,"                                                                            \
	" number " INT " NOT NULL," /* -1: none yet */                                                                 \
	" this_update " INT " NOT NULL,"                                                                               \
	" next_update " INT " NOT NULL,"                                                                               \
	" entries " INT " NOT NULL,"                                                                                   \
	" der " BLOB " NOT NULL,"                                                                                      \
	" lease_by " TEXT " NOT NULL," /* who makes the next; '': nobody has begun */                                  \
	" lease_until " INT " NOT NULL"                                                                                \
	")" END ";"

#define STEPS(...)                                                                                                     \
	{                                                                                                              \
		STEP_0(__VA_ARGS__), STEP_1(__VA_ARGS__), STEP_2(__VA_ARGS__)                                          \
	}

enum { VERSION = 3 };

static const char *const steps[DB_KINDS][VERSION] = {
	[DB_SQLITE] = STEPS("INTEGER PRIMARY KEY", "INTEGER", "TEXT", "BLOB", " STRICT"),
	[DB_POSTGRESQL] = STEPS("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "BIGINT", "TEXT COLLATE \"C\"",
	                        "BYTEA", ""),
};

/* A name of 32 random hexadecimal digits. */
static const char *const instance[DB_KINDS] = {
	[DB_SQLITE] = "lower(hex(randomblob(16)))",
	[DB_POSTGRESQL] = "replace(gen_random_uuid()::text, '-', '')",
};

static enum status schema_version(struct db *db, int64_t *ret, struct error *e)
{
	if (db_schema_version(db, ret, e))
		return e->status;
	if (*ret <= VERSION)
		return ST_OK;
	return error_set(e, ST_INVALID,
	                 "written by a newer version (schema %lld; this program knows %d); install that or a newer one",
	                 (long long)*ret, VERSION);
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
	if (version == VERSION)
		return ST_OK;
	for (int64_t i = version; i < VERSION; i++)
		if (db_exec(db, steps[db_kind(db)][i], e))
			return e->status;
	char sql[192];
	snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES (1, %s, %lld)", instance[db_kind(db)], (long long)now.s);
	if (version == 0 && db_exec(db, sql, e))
		return e->status;
	return db_schema_set(db, VERSION, e);
}

enum status schema_migrate(struct db *db, struct wall now, struct error *e)
{
	if (db_begin(db, e))
		return e->status;
	if (!db_schema_lock(db, e) && !schema_steps(db, now, e) && !db_commit(db, e))
		return ST_OK;
	db_rollback(db);
	return e->status;
}

enum status schema_created(struct db *db, struct wall *ret, struct error *e)
{
	return db_number(db, "SELECT created FROM meta", &ret->s, e);
}
