/* hook.h - one program run because of a certificate: with a time limit, killed as a group, without our secrets, its
 * output told line by line. */
#pragma once
#include "base/buf.h"
#include "base/duration.h"
#include "os/process.h"

enum {
	HOOK_ENV_MAX = 1 << 20,
	HOOK_LINE_MAX = 4096, /* a longer line is told in pieces */
	HOOK_PULSE_MS = 5000,
};

#define HOOK_TIMEOUT_NS (2 * DURATION_MIN)

/* What a hook learns of the certificate, as environment variables (hook_env). A NULL is left out. */
struct hook_facts {
	const char *cert_file, *key_file, *chain_file, *bundle_file;
	const char *serial, *common_name;
	const char *names;     /* one a line, control characters escaped */
	const char *not_after; /* RFC 3339 */
	const char *event;     /* "renewed", "rekeyed", "failed", "expiring" */
	const char *error;     /* of a failure */
	int attempt;           /* from 1 */
};

/* An environment: vars is NULL-terminated and points into text. */
struct hook_env {
	struct buf text;
	const char **vars;
};
void hook_env_done(struct hook_env *env);

/* Ours without what is secret (STEP_* that name a password, token or secret) and without what belongs to us alone
 * (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*), plus STEP_HOOK_CERT_FILE, _KEY_FILE, _CHAIN_FILE, _BUNDLE_FILE, _SERIAL,
 * _COMMON_NAME, _NAMES, _NOT_AFTER, _EVENT, _ERROR and _ATTEMPT. ours: NULL-terminated. */
MUST_USE enum status hook_env_make(const char *const *ours, const struct hook_facts *f, struct hook_env *ret,
                                   struct error *e);

/* Would hook_env_make pass this variable ("NAME=value") on? */
bool hook_env_passes(const char *variable);

struct hook {
	const char *const *argv; /* NULL-terminated */
	const char *const *env;  /* NULL: ours, as it is */
	int64_t timeout_ms;      /* 0: none */
	bool attached; /* stdin, stdout, stderr and terminal are ours; else output goes to line(), stdin is /dev/null */
	void (*line)(void *ctx, struct slice line); /* without its newline; may be NULL */
	void (*pulse)(void *ctx);                   /* about every HOOK_PULSE_MS while it runs; may be NULL */
	void *ctx;
};

struct hook_end {
	struct process_end how;
	bool timed_out; /* and was killed, with all that it had started */
};

/* Runs it and waits for its end; output of what it leaves behind is not waited for. ST_OK: it ran, ret tells how it
 * ended. ST_MISSING, ST_IO: it could not be started, in the peer's words. */
MUST_USE enum status hook_run(const struct hook *h, struct hook_end *ret, struct error *e);

/* "exit status 3", "signal: killed", "killed after 2m0s": ST_OK where it succeeded, else ST_IO. */
MUST_USE enum status hook_judge(const struct hook *h, const struct hook_end *end, struct error *e);
