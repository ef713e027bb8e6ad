/* caconf.h - ca.json (spec/server.md §4): read whole or refused, naming the path of the bad value and the remedy. One
 * schema table (carows.c) says for every key of the peer what we do with it: use it, warn, disable the provisioner, or
 * stop. docs/design/config.md tells the rule and prints the table. */
#pragma once
#include "authority/authority.h"
#include "net/listener.h"
#include "os/log.h"
#include "crypto/keyfile.h"
#include "store/store.h"

struct caconf {
	json_t *json; /* the whole file as loaded */
	char *path;
	char **roots, **federated; /* files */
	size_t roots_n, federated_n;
	char *crt, *key;                                    /* files */
	char *password;                                     /* key password in the file; NULL where none */
	char *address, *insecure_address, *metrics_address; /* the latter two NULL where absent */
	char *admin_socket;                                 /* NULL where absent: see caconf_admin_socket */
	char **dns_names;
	size_t dns_n;
	char *common_name;
	enum log_format log_format;
	bool log_access;         /* no logger stanza: no access log, as in the peer */
	char *trace_header;      /* NULL where none */
	struct store_conf store; /* clock is left to the caller; folder, source and database are owned by caconf */
	char *store_source, *store_database; /* dataSource may hold a password: never shown */
	char **tls_suites; /* never empty */
	size_t tls_suites_n;
	struct {
		bool enabled, on_revoke;
		int64_t cache_s, renew_s; /* renew_s <= cache_s */
		char *idp_url;            /* NULL where absent */
	} crl;
	double tls_min, tls_max; /* 1.2 or 1.3 */
	bool tls_renegotiation;  /* always false */
	struct listener_limits limits;
	char **exempt_texts; /* as written; never looked at again */
	size_t exempt_n;
	struct netset exempt;
	struct {
		int renewals_per_hour; /* of one line; 0: no bound */
		int64_t busy_ms;       /* a loop that is further behind turns away who can wait; 0: nobody */
	} overload;
	int threads; /* 0: one per core */
	/* authority */
	struct claims claims;
	int64_t backdate_ns, renewal_window_ns;
	struct {
		char *country, *organization, *organizational_unit, *locality, *province, *street_address,
			*serial_number, *common_name;
	} subject;
	bool disable_issued_at_check, renew_without_provisioner;
	struct provisioner *provs;
	size_t provs_n;
	char **warnings; /* what was ignored, each a sentence */
	size_t warnings_n;
};
void caconf_free(struct caconf *c);
static inline void caconf_free_p(struct caconf **c)
{
	caconf_free(*c);
}

enum { CACONF_MAX = 4 << 20, CRL_URL_MAX = 2000 };

/* text is the file's content; path only names it. ST_INVALID: "authority.provisioners[2].claims.maxTLSCertDuration:
 * ...". Provisioners that we cannot serve come back disabled with a reason, and in warnings; those of kinds that nobody
 * knows are left out with a warning. A provisioner's json is what GET /provisioners may show: SCEP's secrets are struck
 * out. Reads no further file. */
MUST_USE enum status caconf_parse(struct slice text, const char *path, struct caconf **ret, struct error *e);
/* The error then begins with the path of the file. ST_MISSING where there is none. */
MUST_USE enum status caconf_load(const char *path, struct caconf **ret, struct error *e);

/* Appends a warning for each provisioner that renews after expiry without a bound, which a peer's file cannot have.
 * caconf_build does so too; this is for who does not build. */
MUST_USE enum status caconf_warn_of_expiry(struct caconf *c, struct error *e);

/* Reads roots, issuer chain and key (with the password) and builds the snapshot. Checks that the key fits, that the
 * chain leads to a root, and warns of what will expire (warnings are appended to c). The source's password
 * (it may be NULL) is tried before that of ca.json, unless it asks a person. c keeps what it has and may be built again.
 *   ST_INVALID a file that is not what its key says; ST_EXPIRED issuer or root; ST_DENIED wrong password, or no path to
 *   a root; ST_MISSING no such file, or no password */
MUST_USE enum status caconf_build(struct caconf *c, const struct password_source *password, struct wall now,
                                  struct authority **ret, struct error *e);

/* Where this CA has its admin socket: what ca.json says, else admin.sock in runtime_dir ($RUNTIME_DIRECTORY, of which
 * the first counts; NULL where it is not set), else beside the database. Appends; nothing where it has none. */
#define CACONF_NO_SOCKET "off"
#define CACONF_ADMIN_SOCKET "admin.sock"
MUST_USE enum status caconf_admin_socket(const struct caconf *c, const char *runtime_dir, struct buf *ret,
                                         struct error *e);

/* The schema as documentation: every key with type, range, default, what we do, and why. */
enum caconf_doc { CACONF_DOC_TEXT, CACONF_DOC_MARKDOWN };
enum { CACONF_DOC_MAX = 256 * 1024 };
void caconf_schema_text(struct buf *out, enum caconf_doc form);
