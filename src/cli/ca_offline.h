/* ca_offline.h - `--offline`: the command is done by a CA of its own, which is step-ca, started on the CA's files for
 * this one command and reached over a private socket. It serves as ever, so that what it may do and what it records is
 * decided in one place; the store's lock keeps it off a CA that runs. */
#pragma once
#include "cli/ca_common.h"
#include "os/process.h"

struct ca_offline {
	struct process child;
	struct buf dir, socket; /* paths; the folder is ours alone */
};
#define CA_OFFLINE_NONE ((struct ca_offline){ .dir = BUF_INIT(4096), .socket = BUF_INIT(4096) })
void ca_offline_done(struct ca_offline *o); /* ends it, waits for it, removes the socket. For AUTO */

/* Fills c's address, roots and socket from the CA's configuration and starts it. What is wrong with its files, its
 * password or its database is told by itself on stderr. ST_MISSING: no step-ca. Where it runs already,
 * only c is filled. */
MUST_USE enum status ca_offline_start(struct invocation *inv, const struct token_flags *f, struct ca_offline *ret,
                                      struct ca *c, struct error *e);

/* Either that, or the CA that the flags name. */
MUST_USE enum status ca_reach(struct invocation *inv, const struct ca_flags *f, const struct token_flags *t,
                              struct ca_offline *offline, struct ca *c, struct error *e);
