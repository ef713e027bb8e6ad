/* pair.h - one certificate with its key: what it is, how it is read, and one turn of work on it.
 *
 *   turn_open    lock, finish what a killed run left, read certificate, key and record from disk
 *   turn_renew   ladder -> CA -> check the answer -> stage every output and the record (which owes the hooks) -> commit
 *   turn_deploy  run what is owed, write down how it went
 *   turn_done    drop the lock
 *
 * The daemon makes a turn when something is due; a command makes one. Between turns nothing of the pair is in memory.
 */
#pragma once
#include "agent/deploy.h"
#include "agent/recordfile.h"
#include "client/ca.h"
#include "crypto/keyfile.h"
#include "crypto/keys.h"
#include "os/clock.h"
#include "os/filetx.h"
#include "renewal/answer.h"
#include "renewal/ladder.h"
#include "renewal/plan.h"

/* Further files, written in the same transaction. NULL: not wanted. */
struct pair_outputs {
	const char *bundle; /* key and chain as PEM */
	const char *p12, *p12_password_file;
	const char *der;   /* the leaf */
	const char *chain; /* PEM, without the leaf */
};

/* Everything borrowed. */
struct pair_conf {
	const char *crt, *key;
	const char *out_crt, *out_key; /* NULL: crt, key */
	struct pair_outputs outputs;
	size_t keep_versions;                    /* of a versioned directory; 0: the default */
	struct target_dress dress, public_dress; /* owner, group, mode of files with a key in them, and of the others */
	bool rekey, no_mtls;
	struct key_spec new_key; /* rekey */
	EVP_PKEY *given_key;     /* rekey: in place of a new one; NULL: make one */
	bool keep_key_file;      /* rekey: given_key is a file already and is not written */
	struct plan_rule rule;
	const struct password_source *password; /* of the key */
	const char *state_dir;                  /* may be NULL */
	bool remember;                          /* keep a record even where no hook could be owed */
	bool remember_failures;                 /* the same, once an attempt has failed */
	const struct deploy *deploy;
	const struct clock *clock; /* NULL: the system's */
	struct wall built;         /* no true clock is before that; 0: not known */
	/* A CA with its roots as they stand now; called for each attempt. */
	enum status (*open_ca)(void *ctx, struct ca *ret, struct error *e);
	void *ctx;
	const struct voice *voice;
	void (*pulse)(void); /* about every few seconds of long work; may be NULL */
};

/* Where the certificate is written, and, once there is one that is newer, read: --out. */
static inline const char *pair_out(const struct pair_conf *c)
{
	return c->out_crt ? c->out_crt : c->crt;
}

/* Certificate (leaf first) as on disk now. Where --out names another file that holds a newer certificate for the same
 * key, that one. ret_path: which. Errors as the peer's (spec/client.md §6.2). */
MUST_USE enum status pair_load_chain(const struct pair_conf *c, struct chain *ret, const char **ret_path,
                                     struct error *e);
MUST_USE enum status pair_load_key(const struct pair_conf *c, EVP_PKEY **ret, struct error *e);

/* Which way to the CA an attempt came to its end. */
struct pair_attempt {
	enum ladder_rung end;        /* LADDER_LATER or LADDER_END where it failed */
	struct ladder_answer answer; /* of the last call */
	int64_t retry_after_s;       /* < 0: not said */
	bool asking;                 /* it was the asking that failed, not what comes before or after it */
	bool ca_said_no;             /* the error's text is the CA's own message */
};

struct turn {
	const struct pair_conf *conf;
	struct filetx *tx; /* NULL: see files_error */
	struct error files_error;
	bool recovered;
	struct chain chain;
	EVP_PKEY *key;
	struct pair_cert cert; /* of the chain's leaf, old or new */
	struct recordfile file;
	struct record record;
	bool record_usable; /* file is ours to write */
	struct wall now;
	struct pair_attempt attempt;
	struct wall ca_date, asked; /* the CA's clock when it answered last, and ours then; 0: not known */
	struct hook_end hook_end;   /* of the first command that failed in turn_deploy */
	struct error deploy_error;  /* the first one's */
	size_t failed_hooks;
};

/* wait: for somebody who works on the pair now; else ST_AGAIN. That the files cannot be written is no error here, but
 * t->files_error: it matters only where something is due. Errors: the pair cannot be read, or does not fit. */
MUST_USE enum status turn_open(const struct pair_conf *c, bool wait, struct turn *t, struct error *e);
void turn_done(struct turn *t);

/* Renews (rekeys); the new certificate is on disk and in t, and what follows it is owed, where it returns ST_OK.
 * On failure t->attempt tells how far it came; the failure is not yet in the record (turn_failed). */
MUST_USE enum status turn_renew(struct turn *t, struct error *e);

/* Writes a failed attempt down; failure hooks are owed where it is news. Returns whether it is. */
bool turn_failed(struct turn *t, const struct error *why);

/* Runs what is owed and due; hurry: due or not. ST_OK: nothing that was tried failed. Otherwise t->deploy_error,
 * t->hook_end and t->failed_hooks tell; each failure has been told. */
MUST_USE enum status turn_deploy(struct turn *t, bool hurry, struct error *e);

/* Stores t->record where it can be. Failure is told, not returned: the pair on disk is what counts. */
void turn_remember(struct turn *t);

/* A uniform number. 0 where the kernel gives none. */
uint64_t pair_chance(void);
struct wall pair_time(const struct pair_conf *c);
struct plan_now pair_now(const struct pair_conf *c);
