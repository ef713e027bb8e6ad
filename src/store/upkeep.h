/* upkeep.h - the database seen from outside the CA that uses it: `step-ca db check`, `backup`, `restore`, `export`
 * (docs/database.md). Looking and copying go on beside a running CA; restoring needs it stopped. */
#pragma once
#include "store/store.h"

/* Told of each finding, as a sentence without its full stop. */
typedef void upkeep_found_fn(void *ctx, const char *text);

/* Is the database whole, and does it keep the store's own rules? *ret_n: findings. A page that cannot be read is a
 * finding, not an error. ST_MISSING: there is no database; ST_INVALID: not ours, or memory. */
MUST_USE enum status upkeep_check(const struct store_conf *conf, struct wall now, upkeep_found_fn *found, void *ctx,
                                  int64_t *ret_n, struct error *e);

/* Everything that outlives a restart, but used tokens, which are hashes that mean nothing elsewhere. What is written
 * while this runs may be seen or not. Any of the three may be NULL. A failure of theirs ends it. */
struct upkeep_revocation {
	const char *serial, *reason, *provisioner;
	int reason_code;
	struct wall at;
};
struct upkeep_closed {
	const char *serial; /* the line's name, that of its first certificate; NULL: a key */
	uint8_t key[KEY_FINGERPRINT];
	const char *by; /* the provisioner; a key: the reason */
	struct wall at;
};
struct upkeep_reader {
	enum status (*cert)(void *ctx, const struct cert_row *row, struct error *e);
	enum status (*revocation)(void *ctx, const struct upkeep_revocation *r, struct error *e);
	enum status (*closed)(void *ctx, const struct upkeep_closed *c, struct error *e);
	void *ctx;
};
MUST_USE enum status upkeep_export(const struct store_conf *conf, const struct upkeep_reader *r, struct error *e);

/* A copy in one file (0600), checked and on the disk before it gets its name; it replaces a backup of that name.
 * ST_CONFLICT: something else has it; ST_INVALID: the name is the database's own; not SQLite. */
struct upkeep_copied {
	int64_t certificates, revocations;
};
MUST_USE enum status upkeep_backup(const struct store_conf *conf, const char *to, struct wall now,
                                   struct upkeep_copied *ret, struct error *e);

/* Puts a backup in the place of the database, and takes over from that what the backup does not know: certificates,
 * revocations, closed lines, blocked keys, used tokens. What it cannot read is unknown from then on: tokens made before
 * this moment are refused, as a used one is not to be told from another, and revocations have to be made again. The
 * database that was there is kept beside. SQLite only. ST_CONFLICT: a CA runs; ST_INVALID: the file is no sound backup,
 * or of a newer version: nothing was changed then. */
struct upkeep_restored {
	struct wall made;                  /* when the backup was; its newest row where it does not say */
	int64_t certificates, revocations; /* now in the database */
	int64_t taken_certificates, taken_revocations, taken_tokens, taken_closed; /* from the one that was replaced */
	bool complete; /* else what happened from `made` to `until` is unknown */
	struct wall until;
	char cause[256]; /* why; "" where complete */
	char kept[4096]; /* the replaced database; "" where there was none */
};
MUST_USE enum status upkeep_restore(const struct store_conf *conf, const char *from, struct wall now,
                                    struct upkeep_restored *ret, struct error *e);
