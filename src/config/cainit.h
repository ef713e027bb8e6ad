/* cainit.h - what `step ca init` and `step ca bootstrap` write: ca.json, defaults.json, a first provisioner, in the
 * form and key order of the peer (spec/client.md §2, §3). Bytes only; files are the caller's. */
#pragma once
#include "base/buf.h"
#include <jansson.h>
#include <openssl/types.h>

/* A JWK provisioner as ca.json holds it: {"type":"JWK","name":...,"key":{...},"encryptedKey":"..."}. The private key
 * goes under the password with p2c iterations (JWE_P2C_WRITE, less in tests); kid is the thumbprint.
 * ret is a new reference. */
MUST_USE enum status provisioner_new_json(const char *name, EVP_PKEY *key, struct slice password, int p2c, json_t **ret,
                                          struct error *e);

struct caconf_draft {
	const char *root, *crt, *key, *address;
	const char *const *dns_names;
	size_t dns_n;
	const char *db_folder;       /* NULL: no db stanza */
	json_t *const *provisioners; /* borrowed */
	size_t provisioners_n;
};

/* Tab indent, no final newline. Appends. */
MUST_USE enum status caconf_new_text(const struct caconf_draft *d, struct buf *out, struct error *e);

struct defaults_draft { /* NULL: left out */
	const char *ca_url, *ca_config, *fingerprint, *root;
};

enum defaults_form {
	DEFAULTS_INIT,      /* tab indent */
	DEFAULTS_BOOTSTRAP, /* two spaces */
};
/* No final newline. Appends. */
MUST_USE enum status defaults_new_text(const struct defaults_draft *d, enum defaults_form form, struct buf *out,
                                       struct error *e);
