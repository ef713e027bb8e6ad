/* state.h - what the server's files share: the snapshot a request works with, and the request's own state. */
#pragma once
#include <pthread.h>

#include "authority/issue.h"
#include "authority/revoke.h"
#include "server/metrics.h"
#include "server/overload.h"
#include "server/server.h"

/* Everything that comes from configuration and key files; immutable, counted. A reload makes a new one, and requests
 * that run keep the old one until they end. */
struct snapshot {
	int refs;
	struct caconf *conf;
	struct authority *auth;
	/* Answers that do not change, made once. */
	struct buf roots_json, roots_pem, intermediates_json, intermediates_pem, federation_json;
	struct buf issuers_json;     /* the issuers as JSON strings, comma-separated */
	size_t issuer_n;             /* of which the first takes so many bytes */
	struct buf tls_options_json;
};

MUST_USE enum status snapshot_new(struct caconf *taken_conf, struct authority *taken_auth, struct snapshot **ret,
                                  struct error *e);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);

/* Which resources an address has (front.c). The listener's handler gets it as its context. */
enum front_id { FRONT_CA, FRONT_METRICS, FRONT_INSECURE, FRONT_ADMIN, FRONT_COUNT };
struct front {
	struct server *server;
	const struct route *routes;
	unsigned char endpoints[METRICS_ENDPOINTS_MAX]; /* of each route, for the metrics */
	struct listener *listener;                      /* NULL where it is closed */
};

struct server {
	struct server_conf conf;
	struct store *store;
	struct front fronts[FRONT_COUNT];
	struct census *census; /* where metrics are told */
	struct wall started;
	struct mono started_mono;
	struct admin *admin;       /* NULL: no admin socket */
	struct overload *overload;
	struct crl_service *crl;   /* always there, also where there is no CRL */
	struct snapshot *now_;     /* guarded by lock: use server_snapshot() */
	SSL_CTX *tls_;             /* guarded by lock */
	pthread_mutex_t lock;
	struct cert *leaf;         /* the listener's certificate; set by the main thread, guarded by lock */
	struct wall leaf_due;
};

/* A counted reference to the snapshot in force. */
struct snapshot *server_snapshot(struct server *s);

/* The bytes of a new certificate's serial number (serial.c). */
MUST_USE enum status server_serial(const struct server *s, struct wall now, uint8_t ret[ISSUE_SERIAL_BYTES],
                                   struct error *e);

/* The listener's certificate (leaf.c): signs a new one for the snapshot and puts it into service. */
MUST_USE enum status leaf_renew(struct server *s, struct snapshot *snap, struct error *e);
/* When to look at it again: renewed at two thirds of its life, less a random 20th; else a 40th to a 20th of the life from
 * now. Never sooner than in a minute. chance: 64 random bits. */
struct wall leaf_next(const struct cert_facts *f, struct wall now, bool renewed, uint64_t chance);
bool leaf_is_due(const struct cert_facts *f, struct wall due, struct wall now);

void front_init(struct server *s);
/* Opens what the configuration names beside HTTPS. */
MUST_USE enum status front_open_sides(struct server *s, struct error *e);
/* Connections that the open port beside HTTPS may have. */
int front_others(const struct caconf *c);
void front_announce(const struct server *s);
/* Those of the snapshot in force. */
void front_set_limits(struct server *s);
/* Stops all listeners, HTTPS last: the others look at it. */
void front_close(struct server *s);
/* Warns of addresses that a reload cannot change. */
void front_tell_kept(const struct caconf *old, const struct caconf *new);

/* The admin socket (admin.c). One that ca.json names must open; the default one is missed with a warning. */
MUST_USE enum status admin_open(struct server *s, struct error *e);
void admin_close(struct server *s); /* once its front is closed */
/* Warns of what a reload cannot change. */
void admin_tell_kept(const struct caconf *old, const struct caconf *new);
struct exchange;
/* Sets x->log_provisioner to who acts, which goes into the record of what is changed: "admin uid 0". */
void admin_name(struct exchange *x);

/* One request on its way (exchange.c). Owned by the request; the store's callback and the access log use it. */
struct exchange {
	struct server *server;
	struct snapshot *snap;
	struct request *request;
	unsigned endpoint; /* for the metrics */
	struct wall now;
	struct authorization auth;
	bool authorized;
	struct cert *parent;       /* renew, rekey: the certificate presented */
	struct renew_token renewing; /* renew: the token that presented it */
	bool by_token;
	struct issued issued;
	bool recorded; /* what is asked for was granted, and the store has it */
	struct verdict verdict;
	struct error error;
	int64_t retry_s;           /* Retry-After of a refusal that is one of time; 0: by the life that is left */
	struct buf body;           /* of the answer, ready before the store is asked */
	char log_serial[SERIAL_TEXT];  /* of the certificate that is to be revoked, or is issued */
	char log_parent[SERIAL_TEXT];  /* of the certificate that is renewed or rekeyed */
	char log_provisioner[256];
	char log_token[17];        /* the token's id, shortened; never the token */
	char log_subject[256];
	const char *log_scope;     /* of a line that is revoked; else NULL */
	int64_t log_count;         /* of its certificates that have not expired */
	bool log_quiet;            /* admin: not worth a record of its own where it succeeds */
};

/* The ends of an exchange. Each leads to exactly one request_reply. */
void exchange_json(struct exchange *x, int status, struct slice body);
void exchange_text(struct exchange *x, int status, const char *content_type, struct slice body);
void exchange_refuse(struct exchange *x); /* by x->verdict */
void exchange_refuse_as(struct exchange *x, enum refusal r, const char *message);
/* By the store's answer to a change; the message names x->log_serial. */
void exchange_refuse_outcome(struct exchange *x, enum outcome o);
void exchange_malformed(struct exchange *x); /* a body that cannot be decoded; x->error says why, to the log only */
void exchange_fail(struct exchange *x);   /* by x->error: could not decide, or could not record */

/* Fills x->auth from the token. False: it was not good for the operation, and the request is answered. */
bool exchange_authorize(struct exchange *x, enum operation op, struct slice ott);

/* Submits the change; where the outcome grants it answers `status` with x->body, else refuses as the outcome says. */
void exchange_submit(struct exchange *x, struct change *taken, int status);
/* The token was good, the request is refused: records the token as used, then refuses by x->verdict. */
void exchange_burn(struct exchange *x, const char *token_id, struct wall token_exp);

/* Writes the access record (listener's done callback; ctx: the front). */
void exchange_log(void *front, struct request *r, int status, size_t body_bytes);
/* The listener's refused callback: a client whose certificate expired, say, never gets as far as a request, and this is
 * all that its operator finds here. */
void exchange_log_refused(void *front, const char *remote, enum listener_refusal kind, const char *why);
void exchange_note_handshake(void *front, int64_t took_ns);
/* The listener's thread has gathered what it can: the store may commit it. */
void exchange_commit(void *front);

/* Body helpers (body.c). A JSON string with Go's escapes; PEM of a certificate as a JSON string. */
void body_add_text(struct buf *out, struct slice s);
void body_add_cert(struct buf *out, const struct cert *c);
/* The request's body as a JSON object. ST_INVALID. */
MUST_USE enum status body_object(struct exchange *x, json_t **ret, struct error *e);
/* A string member: empty where absent or null. ST_INVALID for another type. */
MUST_USE enum status body_text(const json_t *o, const char *name, struct slice *ret, struct error *e);
/* "" and "null" are absent too; ST_INVALID where it does not parse. ret->req stays NULL where absent. */
MUST_USE enum status body_csr(const json_t *o, struct csr *ret, struct error *e);

/* Resources: each file answers its routes (router.c lists them). */
void resource_health(struct exchange *x, const char *arg);
void resource_version(struct exchange *x, const char *arg);
void resource_root(struct exchange *x, const char *fingerprint);
void resource_roots(struct exchange *x, const char *arg);
void resource_roots_pem(struct exchange *x, const char *arg);
void resource_intermediates(struct exchange *x, const char *arg);
void resource_intermediates_pem(struct exchange *x, const char *arg);
void resource_federation(struct exchange *x, const char *arg);
void resource_provisioners(struct exchange *x, const char *arg);
void resource_encrypted_key(struct exchange *x, const char *kid);
void resource_sign(struct exchange *x, const char *arg);
void resource_renew(struct exchange *x, const char *arg);
void resource_renewable(struct exchange *x, const char *arg);
void resource_rekey(struct exchange *x, const char *arg);
void resource_revoke(struct exchange *x, const char *arg);
void resource_crl(struct exchange *x, const char *arg);
void resource_revoke_line(struct exchange *x, const char *arg);
void resource_metrics(struct exchange *x, const char *arg);
void resource_admin_info(struct exchange *x, const char *arg);
void resource_admin_certificates(struct exchange *x, const char *arg);
void resource_admin_revoke(struct exchange *x, const char *arg);
void resource_admin_revoke_line(struct exchange *x, const char *arg);

/* A front's resources; a list ends with path NULL. */
enum { ROUTE_GET = 1 /* and HEAD */, ROUTE_POST = 2 };
struct route {
	unsigned method;
	const char *path; /* '*' stands for one non-empty segment, handed to the resource */
	void (*run)(struct exchange *x, const char *arg);
};
extern const struct route routes_ca[], routes_metrics[], routes_insecure[], routes_admin[];

/* The listener's handler: finds the resource and starts the exchange. */
void router_handle(void *front, struct request *r);

/* Answer to sign, renew and rekey (spec/server.md §1.1) for the leaf in x->issued. */
void sign_answer(struct exchange *x);
/* A new certificate is about to be recorded: tells where it had to be cut, and who it is for. */
void sign_note(struct exchange *x);
