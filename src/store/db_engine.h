/* db_engine.h - what an engine gives to db.h; included by the engines and db.c alone.
 *
 * An engine's connection begins with its struct db. A failure of any kind is kept in the query (struct query.rc, which
 * only the engine reads) until its first row is asked for. */
#pragma once
#include "store/db.h"

struct db_engine {
	enum db_kind kind;
	/* A change that is bad spoils only itself: undo takes it back, and the transaction goes on. */
	bool savepoints;

	void (*free)(struct db *db);
	enum status (*exec)(struct db *db, const char *sql, struct error *e);
	enum status (*number)(struct db *db, const char *sql, int64_t *ret, struct error *e);
	enum status (*begin)(struct db *db, struct error *e);
	enum status (*commit)(struct db *db, struct error *e);
	enum status (*commit_batch)(struct db *db, struct error *e); /* NULL: as commit */
	void (*rollback)(struct db *db);
	bool (*sound)(struct db *db);
	bool (*alive)(struct db *db); /* NULL: always */
	enum status (*hold)(struct db *db, const char *name, struct error *e); /* NULL: nobody else writes */
	enum status (*set_durable)(struct db *db, struct error *e);
	enum status (*tidy)(struct db *db, enum db_tidy how, struct error *e);
	/* Steps of schema.c that this database has taken. 0: it is empty. ST_INVALID: another program's. */
	enum status (*schema_version)(struct db *db, int64_t *ret, struct error *e);
	enum status (*schema_lock)(struct db *db, struct error *e); /* NULL: begin keeps others out */
	enum status (*schema_set)(struct db *db, int64_t version, struct error *e);

	enum status (*prune_lock)(struct db *db, bool *ret_mine, struct error *e); /* NULL: always ours */

	void (*start)(struct query *q, enum sql id);
	void (*done)(struct query *q);
	void (*bind_text)(struct query *q, const char *s);
	void (*bind_int)(struct query *q, int64_t v);
	void (*bind_blob)(struct query *q, struct slice s);
	enum status (*row)(struct query *q, bool *ret_row, struct error *e);
	int64_t (*changes)(struct query *q);
	int64_t (*get_int)(struct query *q, int column);
	const char *(*get_text)(struct query *q, int column);
	struct slice (*get_blob)(struct query *q, int column);
	enum status (*each)(struct db *db, const struct db_ask *ask, void *const *items, size_t n, struct error *e);
};

/* Of every statement: the text that both engines take, with parameters ?1, ?2..; or SQLite's and PostgreSQL's. */
struct sql_text {
	const char *sqlite, *pg; /* pg NULL: the same */
};
extern const struct sql_text sql_texts[SQL_COUNT];

MUST_USE enum status db_sqlite_new(const struct db_where *where, enum db_role role, struct db **ret, struct error *e);
MUST_USE enum status db_pg_new(const struct db_where *where, enum db_role role, struct db **ret, struct error *e);
