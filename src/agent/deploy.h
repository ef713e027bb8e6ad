/* deploy.h - what follows a renewal, in this order: the signal, the commands, the units, the looks at what is served;
 * and the commands for a failure and for a certificate near its end. What has to run and how often is renewal/owed.h's
 * business; this runs one. */
#pragma once
#include "agent/hook.h"
#include "agent/served.h"
#include "agent/signal_target.h"
#include "agent/voice.h"
#include "renewal/owed.h"
#include "renewal/words.h"

enum deploy_kind { DEPLOY_SIGNAL, DEPLOY_EXEC, DEPLOY_RELOAD, DEPLOY_VERIFY };

enum { DEPLOY_SETTLE_MS = 10000 /* how long a service may take until it serves the new certificate */ };

struct deploy_step {
	enum deploy_kind kind;
	struct words words; /* exec: an argv; reload: the unit */
	struct signal_target target;
	struct served served;
};

struct deploy {
	struct deploy_step v[OWED_HOOKS_MAX];
	struct owed_hook hooks[OWED_HOOKS_MAX]; /* of the same index */
	size_t n;
	int64_t exec_timeout_ms; /* 0: none */
	bool attached;           /* commands have our terminal and output (hook.h) */
};
void deploy_done(struct deploy *d);

static inline struct owed_hooks deploy_hooks(const struct deploy *d)
{
	return (struct owed_hooks){ d->hooks, d->n };
}

/* Added in the order in which they are to run. ST_LIMIT beyond OWED_HOOKS_MAX; ST_INVALID names the flag. */
MUST_USE enum status deploy_add_exec(struct deploy *d, enum owed_when when, const char *flag, const char *command,
                                     struct error *e);
MUST_USE enum status deploy_add_signal(struct deploy *d, pid_t pid, const char *pid_file, int sig, struct error *e);
MUST_USE enum status deploy_add_reload(struct deploy *d, const char *unit, struct error *e);
MUST_USE enum status deploy_add_verify(struct deploy *d, const char *where, struct error *e);

/* For a process that lives long: --pid means the process that has the number now (signal_target.h). */
void deploy_hold(struct deploy *d);

struct deploy_context {
	struct hook_facts facts;
	const struct cert *cert; /* that has to be served */
	const struct voice *voice;
	void (*pulse)(void); /* while waiting; may be NULL */
};

/* Runs one. ST_OK: it has succeeded. ret_end: of a command that ran and failed; zero else. */
MUST_USE enum status deploy_run(const struct deploy *d, size_t i, const struct deploy_context *c,
                                struct hook_end *ret_end, struct error *e);
