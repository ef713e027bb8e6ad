/* reserve.h - room on the disk that is kept for what must go on when the disk is full: a file beside the database,
 * whose blocks are given back step by step. Used by the writer's thread alone. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct reserve {
	int fd; /* -1: none is kept */
	int64_t bytes, left;
};
#define RESERVE_NONE ((struct reserve){ .fd = -1 })

/* Opens or makes the file (0600) in the folder; bytes <= 0: none, and a file that an earlier start kept goes. It may
 * hold less than it should: reserve_fill. ST_IO. */
MUST_USE enum status reserve_open(const char *folder, int64_t bytes, struct reserve *ret, struct error *e);
void reserve_done(struct reserve *r);

/* Makes it whole. ST_LIMIT where the disk would not have a quarter of it free besides: it would be full again at once.
 * ST_IO. */
MUST_USE enum status reserve_fill(struct reserve *r, struct error *e);

/* Gives a part back to the disk. false: nothing is left to give. */
bool reserve_give(struct reserve *r);
