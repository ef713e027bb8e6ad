/* authority.h - the CA as a value: an immutable, counted snapshot of what configuration and key files say. Decide
 * functions take it, an instant and bytes of chance, and give back a verdict and a change for the store. */
#pragma once
#include "authority/claims.h"
#include "authority/verdict.h"
#include "base/buf.h"
#include "base/wall.h"
#include "crypto/sign.h"
#include "jose/jwk.h"
#include "x509/cert.h"
#include "x509/trust.h"
#include <jansson.h>

/* clang-format off */
enum provisioner_type { /* numbers of the certificate extension */
	PROV_JWK = 1, PROV_OIDC, PROV_GCP, PROV_AWS, PROV_AZURE, PROV_ACME, PROV_X5C, PROV_K8SSA, PROV_SSHPOP,
	PROV_SCEP, PROV_NEBULA
};
/* clang-format on */

struct provisioner {
	enum provisioner_type type;
	char *name;
	char *id;                  /* "NAME:KID", "x5c/NAME", ... (spec/server.md §2.3) */
	char *uid;                 /* 40 hex digits for paging (§1.5) */
	struct jwk key;            /* JWK provisioners */
	char *encrypted_key;       /* compact JWE or NULL */
	struct chain roots;        /* X5C: what the certificates that sign its tokens lead to */
	struct trust *credentials; /* the same for trust_verify, owned; NULL where there are none */
	struct claims claims;
	char *disabled; /* reason, or NULL where it works */
	json_t *json;   /* as loaded, for GET /provisioners */
};

struct authority {
	struct chain issuers; /* the crt file: [0] signs, all are sent */
	struct signer *signer;
	struct chain roots, federated;
	struct trust *client_trust; /* roots and the issuers, for tokens with chains */
	struct provisioner *provs;
	size_t provs_n;
	char **dns_names;
	size_t dns_n;
	int64_t backdate_ns;
	char *listener_common_name;
	struct { /* authority.template: fills empty subject attributes */
		char *country, *organization, *organizational_unit, *locality, *province, *street_address,
			*serial_number, *common_name;
	} subject;
	bool disable_issued_at_check;
	bool store_forgets;             /* used tokens are forgotten at the program's end: a token has to say its age */
	bool renew_without_provisioner; /* certificates that carry no provisioner information */
	char *crl_url;                  /* where the CRL lies, for the certificates; NULL: they do not say */
	int64_t renewal_window_ns;      /* a second renewal of one certificate within it is a retry; 0: none is */
	int refs;
};

struct authority *authority_new(void);                /* all zero, one reference; NULL: out of memory */
struct authority *authority_ref(struct authority *a); /* atomic */
void authority_unref(struct authority *a);
void provisioner_done(struct provisioner *p);

const struct provisioner *authority_find_provisioner(const struct authority *a, const char *id);
const struct provisioner *authority_find_provisioner_named(const struct authority *a, const char *name);

/* Fills id and uid of provisioner number `index` from its type, name and key (json, where it is disabled and has none).
 * ST_INVALID: a key without kid; ST_LIMIT: name or credential longer than the certificate extension holds (255). */
MUST_USE enum status provisioner_name_ids(struct provisioner *p, size_t index, struct error *e);

/* Appends the id of a provisioner of this type, name and credential id (JWK: kid), as provisioner_name_ids makes it. */
void provisioner_format_id(struct buf *out, int type, const char *name, const char *credential_id);

/* What a certificate from this provisioner says about it. */
struct provisioner_ext provisioner_extension(const struct provisioner *p);
