/* fixture.h - a store in a folder of its own, under a clock of its own, and changes to feed it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "authority/change.h"
#include "store/store.h"
#include <semaphore.h>
#include <sqlite3.h>

struct world {
	char dir[128]; /* removed by world_end */
	char folder[160], database[200];
	struct clock clock;
	int64_t wall_s, mono_ns; /* what the clock says; set while no change waits */
	struct store_conf conf;
	struct store *store;
};

enum { NOW_S = 1800000000 };

/* A new folder and a clock that stands at NOW_S; nothing is opened yet. Where PERENNIAL_PG names an empty database,
 * STORE_SQLITE is a store in there (tests/lib/with-pg): the same rows for both engines. */
struct world *world_begin(enum store_kind kind);
void world_end(struct world *w); /* closes what is open */
void world_open(struct world *w);
void world_close(struct world *w);

/* A look at the database, or a hand in it, from outside the store; w may be open. "" or "-" for NULL. */
void world_exec(struct world *w, const char *sql);
void world_text(struct world *w, const char *sql, char *out, size_t n);
int64_t world_number(struct world *w, const char *sql);
/* For cases that look into SQLite's files: skips them on another engine. */
void sqlite_only(void);
/* The database is sound by its own judgement. */
void world_check(struct world *w);

/* Changes as the authority makes them; token and parent may be NULL. All expire an hour from NOW_S. */
struct change *change_issue(const char *token, const char *serial);
struct change *change_renew(const char *token, const char *parent, const char *serial);
struct change *change_revoke(const char *token, const char *serial);
struct change *change_burn(const char *token);
/* A DER of n bytes that tells the serial. */
void change_fill_der(struct change *c, size_t n);

/* store_apply; the status must be ST_OK. */
enum outcome world_apply(struct world *w, struct change *c);

/* Keeps the writer busy in a callback, so that what is submitted meanwhile lands in one batch. */
struct gate {
	sem_t entered, open;
};
void gate_shut(struct gate *g, struct world *w);
void gate_open(struct gate *g);

/* A seed from the environment (PERENNIAL_SEED) or the clock, printed. */
uint64_t seed_start(const char *what);
uint64_t seed_next(uint64_t *seed);
