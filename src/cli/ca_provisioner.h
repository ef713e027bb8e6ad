/* ca_provisioner.h - what `ca provisioner add`, `update` and `remove` share: their flags, the edited ca.json as a
 * transaction, and what each kind of provisioner is made of. */
#pragma once
#include "cli/ca_common.h"
#include "config/caedit.h"

struct provisioner_flags {
	const char *ca_config, *password_file, *public_key, *private_key;
	bool create;
	struct text_list x5c_roots, challenges, no_challenges;
	bool force_cn, require_eab;
	struct opt_duration x509_min, x509_max, x509_default, ssh_user_min, ssh_user_max, ssh_user_default,
		ssh_host_min, ssh_host_max, ssh_host_default, after_expiry;
	bool disable_renewal, allow_after_expiry, disable_extensions, ssh;
	const char *unbuilt;
};

#define CA_CONFIG_OPT(type)                                                                                            \
	OPT_STR(type, f.ca_config, .name = "ca-config", .arg = "<file>", .flags = OPT_FILE,                            \
	        .help = "The CA's configuration; default: $(step path)/config/ca.json")

#define PROVISIONER_SPAN_(type, field, name_, help_)                                                                   \
	OPT_DURATION(type, f.field, .name = name_, .arg = "<duration>", .help = help_)
#define PROVISIONER_UNBUILT_(type, name_)                                                                              \
	OPT_STR(type, f.unbuilt, .name = name_, .arg = "<value>", .flags = OPT_HIDDEN, .help = "Not built yet")

#define PROVISIONER_SSH_ "Written down; SSH certificates are not issued yet"

/* Without OPT_END. */
#define PROVISIONER_OPTS(type)                                                                                         \
	CA_CONFIG_OPT(type), OPT_FLAG(type, f.create, .name = "create", .help = "JWK: make a new key pair"),           \
		OPT_STR(type, f.public_key, .name = "public-key", .arg = "<file>", .flags = OPT_FILE,                  \
	                .help = "JWK: the public key, as JWK or PEM"),                                                 \
		OPT_STR(type, f.private_key, .name = "private-key", .arg = "<file>", .flags = OPT_FILE,                \
	                .help = "JWK: the private key, as JWK, JWE or PEM; it is kept in ca.json under a password"),   \
		OPT_STR(type, f.password_file, .name = "password-file", .arg = "<file>", .flags = OPT_FILE,            \
	                .help = "JWK: file with the password for the private key"),                                    \
		OPT_LIST(type, f.x5c_roots, .name = "x5c-roots", .alias = "x5c-root", .arg = "<file>",                 \
	                 .flags = OPT_FILE, .help = "X5C: roots whose certificates may sign tokens"),                  \
		OPT_FLAG(type, f.force_cn, .name = "force-cn", .help = "ACME: take a name for the common name"),       \
		OPT_FLAG(type, f.require_eab, .name = "require-eab", .help = "ACME: demand account binding"),          \
		OPT_LIST(type, f.challenges, .name = "challenge", .arg = "<type>",                                     \
	                 .help = "ACME: a challenge that may be used, such as `http-01`"),                             \
		PROVISIONER_SPAN_(type, x509_min, "x509-min-dur", "The shortest life of a certificate"),               \
		PROVISIONER_SPAN_(type, x509_max, "x509-max-dur", "The longest life of a certificate"),                \
		PROVISIONER_SPAN_(type, x509_default, "x509-default-dur",                                              \
	                          "The life of a certificate whose request names none"),                               \
		PROVISIONER_SPAN_(type, ssh_user_min, "ssh-user-min-dur", PROVISIONER_SSH_),                           \
		PROVISIONER_SPAN_(type, ssh_user_max, "ssh-user-max-dur", PROVISIONER_SSH_),                           \
		PROVISIONER_SPAN_(type, ssh_user_default, "ssh-user-default-dur", PROVISIONER_SSH_),                   \
		PROVISIONER_SPAN_(type, ssh_host_min, "ssh-host-min-dur", PROVISIONER_SSH_),                           \
		PROVISIONER_SPAN_(type, ssh_host_max, "ssh-host-max-dur", PROVISIONER_SSH_),                           \
		PROVISIONER_SPAN_(type, ssh_host_default, "ssh-host-default-dur", PROVISIONER_SSH_),                   \
		OPT_FLAG(type, f.ssh, .name = "ssh", .help = PROVISIONER_SSH_),                                        \
		OPT_FLAG(type, f.disable_renewal, .name = "disable-renewal", .help = "Certificates are not renewed"),  \
		OPT_FLAG(type, f.allow_after_expiry, .name = "allow-renewal-after-expiry",                             \
	                 .help = "Expired certificates may renew themselves; adds risk"),                              \
		PROVISIONER_SPAN_(type, after_expiry, "renewal-after-expiry",                                          \
	                          "How long after expiry that holds; by default 720h, 0 for ever"),                    \
		OPT_FLAG(type, f.disable_extensions, .name = "disable-smallstep-extensions",                           \
	                 .help = "Certificates do not name their provisioner"),                                        \
		PROVISIONER_UNBUILT_(type, "x509-template"), PROVISIONER_UNBUILT_(type, "x509-template-data"),         \
		PROVISIONER_UNBUILT_(type, "ssh-template"), PROVISIONER_UNBUILT_(type, "ssh-template-data"),           \
		PROVISIONER_UNBUILT_(type, "attestation-format"), PROVISIONER_UNBUILT_(type, "attestation-roots"),     \
		PROVISIONER_UNBUILT_(type, "admin-cert"), PROVISIONER_UNBUILT_(type, "admin-key"),                     \
		PROVISIONER_UNBUILT_(type, "admin-subject"), PROVISIONER_UNBUILT_(type, "admin-provisioner"),          \
		PROVISIONER_UNBUILT_(type, "admin-password-file")

/* ---- ca.json as a transaction ---- */

struct ca_edit {
	struct buf path, old; /* old: BUF_SECRET, there may be a password in it */
	json_t *file;
	struct filetx *tx;
};
/* For AUTO. */
void ca_edit_done(struct ca_edit *c);
/* Locks and reads it. ST_INVALID where its provisioners are kept elsewhere, or a flag is given that is not built. */
MUST_USE enum status ca_edit_open(struct invocation *inv, const char *ca_config, struct ca_edit *ret, struct error *e);
/* Writes it, if step-ca would take it. name: the provisioner that must work there; NULL: none. */
MUST_USE enum status ca_edit_save(struct invocation *inv, struct ca_edit *c, const char *name, struct error *e);

/* ---- provisioners ---- */

/* "JWK", "X5C" or "ACME" of what was typed; ST_INVALID for others. */
MUST_USE enum status provisioner_kind(const char *typed, const char **ret, struct error *e);

/* Writes what the flags say of this kind into the object. is_new: what it cannot be without is demanded. */
MUST_USE enum status provisioner_fill(struct invocation *inv, const struct provisioner_flags *f, const char *kind,
                                      bool is_new, json_t *object, struct error *e);
/* The claims' flags; tells what adds risk. is_new: also where none was given. */
MUST_USE enum status provisioner_fill_claims(struct invocation *inv, const struct provisioner_flags *f, bool is_new,
                                             json_t *object, struct error *e);
