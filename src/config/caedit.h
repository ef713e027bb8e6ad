/* caedit.h - changes to ca.json: text in, text out. Key order and everything that we do not know stay as they are; the
 * form is the peer's (tab indent, a newline at the end). Pure; reading, locking and writing are the caller's.
 *
 * A provisioner is found by its name. The form of what is written is that of `step ca provisioner add` and `update` of
 * the peer (spec/client.md §10.2); the one key of ours is claims.renewalAfterExpiry. */
#pragma once
#include "base/buf.h"
#include "jose/jwk.h"
#include <jansson.h>

/* ---- the file ---- */

/* ST_INVALID where it is not a JSON object, or has no authority.provisioners that could be edited. An absent or null
 * list is made. ret: a new reference. */
MUST_USE enum status caedit_parse(struct slice text, json_t **ret, struct error *e);
/* Appends. */
MUST_USE enum status caedit_format(const json_t *file, struct buf *out, struct error *e);

/* Provisioners live in the CA's database, and those of the file are not looked at (authority.enableAdmin). */
bool caedit_is_remote(const json_t *file);

/* ---- provisioners ---- */

/* Borrowed. ST_MISSING; ST_CONFLICT where several have this name. */
MUST_USE enum status caedit_find(json_t *file, const char *name, json_t **ret, struct error *e);
/* Behind the others. ST_CONFLICT where the name is taken. Takes a reference of its own. */
MUST_USE enum status caedit_add(json_t *file, json_t *provisioner, struct error *e);
MUST_USE enum status caedit_remove(json_t *file, const char *name, struct error *e);
/* ST_CONFLICT where the new name is taken. */
MUST_USE enum status caedit_rename(json_t *file, const char *name, const char *to, struct error *e);

/* Sets a member, under the spelling it has already (Go compares names without regard to case). Takes the value, also on
 * failure; NULL, which is what jansson makes where memory ran out, is ST_NOMEM. */
MUST_USE enum status caedit_set(json_t *object, const char *key, json_t *taken_value, struct error *e);
void caedit_unset(json_t *object, const char *key);

/* Adds texts to a list (made where there is none, each text once), and takes others out; an empty list goes. */
MUST_USE enum status caedit_set_texts(json_t *object, const char *key, const char *const *add, size_t add_n,
                                      const char *const *remove, size_t remove_n, struct error *e);

/* A new one: {"type", "name"} in this order. ST_INVALID: a name that is empty, too long for a certificate's provisioner
 * extension, or not UTF-8. */
MUST_USE enum status caedit_new(const char *type, const char *name, json_t **ret, struct error *e);

/* "key" of a JWK provisioner: the public half, with use, alg and kid (k's, else the thumbprint). */
MUST_USE enum status caedit_public_key(const struct jwk *k, json_t **ret, struct error *e);

/* ---- claims ---- */

struct caedit_claim {
	const char *key; /* "maxTLSCertDuration" */
	bool is_span;
	bool on;    /* where it is no span */
	int64_t ns; /* written as Go prints it */
};

/* Sets claims of a provisioner, given in the order of the peer's file. Where it has none yet they get the peer's four
 * booleans too, with ssh as enableSSHCA. allowRenewalAfterExpiry true brings renewalAfterExpiry of CAEDIT_AFTER_EXPIRY
 * unless one stands there or is given; false takes it away. A renewalAfterExpiry of 0 is taken away: no bound. */
#define CAEDIT_AFTER_EXPIRY "720h0m0s"
MUST_USE enum status caedit_claims(json_t *provisioner, const struct caedit_claim *v, size_t n, bool ssh,
                                   struct error *e);

/* ---- before it is written ---- */

/* Would step-ca take the new text, and does the provisioner (NULL: none in particular) work there? ST_INVALID says why
 * not, unless the old text would be refused for the same reason. Appends sentences for the user to notes: a file that
 * was bad before, a provisioner that loads disabled. path: for messages. */
MUST_USE enum status caedit_check(struct slice old, struct slice new, const char *path, const char *name,
                                  struct buf *notes, struct error *e);
