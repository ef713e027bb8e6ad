/* pgconn.h - from what ca.json says of a PostgreSQL database to what libpq is given. */
#pragma once
#include "base/error.h"

enum { PGCONN_MAX = 64 };

struct pgconn {
	/* libpq's parameters, NULL at the end. They hold the password: never logged, wiped at the end. */
	const char *keys[PGCONN_MAX + 1], *values[PGCONN_MAX + 1];
	size_t n;
	char shown[256];   /* "ca on db1:5432": for errors */
	char warning[320]; /* "", or what the operator should know */
};

/* source: a URL or libpq's key=value words; database: NULL, or the peer's key of that name, which wins.
 * Sets what keeps a CA safe where the source does not (docs/postgresql.md), and refuses what could undo it.
 * libpq_load() was called. ST_INVALID, and the text tells nothing that could be the password. */
MUST_USE enum status pgconn_parse(const char *source, const char *database, struct pgconn *ret, struct error *e);
void pgconn_done(struct pgconn *c);

/* How many servers it names, to be tried one by one. 1 also where its lists do not fit each other: libpq tells that. */
size_t pgconn_hosts(const struct pgconn *c);

/* What libpq is given for one of them alone. It borrows from c. */
struct pgconn_one {
	const char *keys[PGCONN_MAX + 1], *values[PGCONN_MAX + 1];
	char host[256], hostaddr[256], port[16];
	char shown[320]; /* "db1:5432": for errors */
};
void pgconn_one(const struct pgconn *c, size_t i, struct pgconn_one *ret);
