/* The table. Rows stand in the order of the peer's documentation; ours, which the peer ignores, stand at the end of
 * their object. What a row says to do follows one rule: what limits or shapes issuance and is not built fails closed.
 */
#include "config/caschema.h"

#include <stddef.h>

#define CONF(member)                                                                                                   \
	.home = HOME_CONF, .at = offsetof(struct caconf, member), .size = sizeof(((struct caconf *)0)->member)
#define CONF_LIST(member, count) CONF(member), .extra = offsetof(struct caconf, count)
#define DRAFT(member)                                                                                                  \
	.home = HOME_DRAFT, .at = offsetof(struct ca_draft, member), .size = sizeof(((struct ca_draft *)0)->member)
#define PROV(member)                                                                                                   \
	.home = HOME_PROVISIONER, .at = offsetof(struct provisioner_draft, member),                                    \
	.size = sizeof(((struct provisioner_draft *)0)->member)

/* ---- checks of single values ---- */

static enum status check_address(const char *shown, const json_t *v, struct error *e)
{
	const char *s = json_string_value(v), *colon = strrchr(s, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
	if (!*s)
		return ST_OK;
	if (!digits || colon[1 + digits] || digits > 5)
		return error_set(e, ST_INVALID,
		                 "%s: \"%s\" has no port; write host:port, such as :443 or 127.0.0.1:9000", shown, s);
	long port = strtol(colon + 1, NULL, 10);
	if (port > 65535)
		return error_set(e, ST_INVALID, "%s: there is no port %ld", shown, port);
	if (memchr(s, ':', (size_t)(colon - s)) && (*s != '[' || colon[-1] != ']'))
		return error_set(e, ST_INVALID, "%s: write an IPv6 address in brackets: [::1]:443", shown);
	return ST_OK;
}

/* It goes into certificates and lists as an IA5String, and readers fetch from it. */
static enum status check_url(const char *shown, const json_t *v, struct error *e)
{
	const char *s = json_string_value(v), *rest = strstr(s, "://");
	bool good = !*s || (rest && rest > s && rest[3] && strlen(s) <= CRL_URL_MAX);
	for (const char *p = s; good && *p; p++)
		good = *p > ' ' && *p < 0x7f;
	return good ? ST_OK
	            : error_set(e, ST_INVALID,
	                        "%s: \"%.64s\" is not a URL of at most %d ASCII characters, such as "
	                        "http://ca.example/1.0/crl",
	                        shown, s, CRL_URL_MAX);
}

static enum status check_key(const char *shown, const json_t *v, struct error *e)
{
	static const char *const schemes[] = { "awskms:", "azurekms:", "capi:",        "cloudkms:", "mackms:",
		                               "pkcs11:", "softkms:",  "sshagentkms:", "tpmkms:",   "yubikey:" };
	for (size_t i = 0; i < COUNT_OF(schemes); i++)
		if (!strncmp(json_string_value(v), schemes[i], strlen(schemes[i])))
			return error_set(e, ST_INVALID,
			                 "%s: keys in a KMS or HSM (%s) are not built yet; name a key file", shown,
			                 schemes[i]);
	return ST_OK;
}

static enum status check_dns_names(const char *shown, const json_t *v, struct error *e)
{
	if (!json_array_size(v))
		return error_set(e, ST_INVALID,
		                 "%s: empty; name at least one host name or address of this CA, or remove "
		                 "the key for localhost",
		                 shown);
	for (size_t i = 0; i < json_array_size(v); i++) {
		const char *s = json_string_value(json_array_get(v, i));
		if (strpbrk(s, " /\"\\"))
			return error_set(e, ST_INVALID, "%s[%zu]: \"%s\" is not a host name or address", shown, i, s);
	}
	return ST_OK;
}

static enum status check_admin_socket(const char *shown, const json_t *v, struct error *e)
{
	const char *s = json_string_value(v);
	if (!*s || *s == '/' || !strcmp(s, CACONF_NO_SOCKET))
		return ST_OK;
	return error_set(e, ST_INVALID, "%s: \"%.200s\" is no absolute path; `step` has to find it from elsewhere",
	                 shown, s);
}

static enum status check_roots(const char *shown, const json_t *v, struct error *e)
{
	if (json_is_array(v) && !json_array_size(v))
		return error_set(e, ST_INVALID, "%s: empty; name the file of the root certificate", shown);
	return ST_OK;
}

static enum status check_db_type(const char *shown, const json_t *v, struct error *e)
{
	static const char *const peers[] = { "badger", "badgerv1", "badgerv2", "bbolt", "mysql" };
	struct slice type = slice_cstr(json_string_value(v));
	if (slice_eq_nocase(type, SLICE_LIT("sqlite")) || slice_eq_nocase(type, SLICE_LIT("postgresql")))
		return ST_OK;
	for (size_t i = 0; i < COUNT_OF(peers); i++)
		if (slice_eq_nocase(type, slice_cstr(peers[i])))
			return error_set(
				e, ST_INVALID,
				"%s: \"%s\" cannot be read here; set \"type\": \"sqlite\" and leave \"dataSource\" as "
				"it "
				"is or name a new folder. Used tokens and revocations do not come along by themselves: "
				"`step-ca db import FILE` takes a list of serials or a CRL",
				shown, peers[i]);
	return error_set(e, ST_INVALID, "%s: no such database; set \"type\" to \"sqlite\" or \"postgresql\"", shown);
}

/* Off, or one of the words that say what we do anyway. */
static enum status check_word(const char *shown, const json_t *v, const char *const *words, size_t n, const char *why,
                              struct error *e)
{
	const char *s = json_string_value(v);
	if (!s)
		return error_set(e, ST_INVALID, "%s: not a string", shown);
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(slice_cstr(s), slice_cstr(words[i])))
			return ST_OK;
	return error_set(e, ST_INVALID, "%s: \"%.40s\": %s", shown, s, why);
}

static enum status check_kms_type(const char *shown, const json_t *v, struct error *e)
{
	static const char *const words[] = { "", "softkms" };
	return check_word(shown, v, words, COUNT_OF(words),
	                  "keys in a KMS or HSM are not built yet; remove kms and name a key file in key", e);
}

static enum status check_cas_type(const char *shown, const json_t *v, struct error *e)
{
	static const char *const words[] = { "", "softcas" };
	return check_word(
		shown, v, words, COUNT_OF(words),
		"registration authorities (RA modes) are not built yet; remove the key to issue from crt and key", e);
}

static enum status check_deployment(const char *shown, const json_t *v, struct error *e)
{
	static const char *const words[] = { "", "standalone" };
	return check_word(shown, v, words, COUNT_OF(words),
	                  "linked and hosted authorities are not built; set \"standalone\" or remove the key", e);
}

static enum status check_log_format(const char *shown, const json_t *v, struct error *e)
{
	static const char *const words[] = { "", "text", "json", "common" };
	return check_word(shown, v, words, COUNT_OF(words), "not a format; give text or json", e);
}

static enum status check_tls_version(const char *shown, const json_t *v, struct error *e)
{
	double d = json_number_value(v);
	if (d != 0 && d != 1.0 && d != 1.1 && d != 1.2 && d != 1.3)
		return error_set(e, ST_INVALID, "%s: not a TLS version; give 1.2 or 1.3", shown);
	return ST_OK;
}

/* ---- claims, which stand in two places ---- */

_Static_assert(offsetof(struct ca_draft, claims) > 0 && offsetof(struct provisioner_draft, claims) > 0,
               "extra is never 0");

#define CLAIM_(where, name, type_, member, has_member, dflt_, help_)                                                   \
	.path = where ".claims." name, .type = type_, .at = offsetof(struct CLAIM_DRAFT_, claims.v.member),            \
	.size = sizeof(((struct CLAIM_DRAFT_ *)0)->claims.v.member),                                                   \
	.extra = offsetof(struct CLAIM_DRAFT_, claims.has_member), .dflt = dflt_, .help = help_
#define CLAIM_SPAN(home_, where, name, member, has_member, dflt_, help_)                                               \
	{                                                                                                              \
		.home = home_, .unit = 1, .min = INT64_MIN, .max = INT64_MAX, /* claims_merge judges */                \
			CLAIM_(where, name, CKEY_DURATION, member, has_member, dflt_, help_)                           \
	}
#define CLAIM_FLAG(home_, where, name, member, has_member, dflt_, help_)                                               \
	{                                                                                                              \
		.home = home_, CLAIM_(where, name, CKEY_BOOL, member, has_member, dflt_, help_)                        \
	}
#define CLAIM_SSH(where, name)                                                                                         \
	{                                                                                                              \
		.path = where ".claims." name, .type = CKEY_ANY, .use = CKEY_INERT,                                    \
		.help = "limits SSH certificates, of which none are issued"                                            \
	}
#define CLAIM_ROWS(home_, where)                                                                                       \
	CLAIM_SPAN(home_, where, "minTLSCertDuration", min_ns, has_min, CLAIM_DEFAULT_("5m"),                          \
	           "the shortest life that may be asked for"),                                                         \
		CLAIM_SPAN(home_, where, "maxTLSCertDuration", max_ns, has_max, CLAIM_DEFAULT_("24h"),                 \
	                   "the longest life that may be asked for"),                                                  \
		CLAIM_SPAN(home_, where, "defaultTLSCertDuration", default_ns, has_default, CLAIM_DEFAULT_("24h"),     \
	                   "the life of a certificate whose request names none"),                                      \
		CLAIM_SSH(where, "minUserSSHCertDuration"), CLAIM_SSH(where, "maxUserSSHCertDuration"),                \
		CLAIM_SSH(where, "defaultUserSSHCertDuration"), CLAIM_SSH(where, "minHostSSHCertDuration"),            \
		CLAIM_SSH(where, "maxHostSSHCertDuration"), CLAIM_SSH(where, "defaultHostSSHCertDuration"),            \
		CLAIM_SSH(where, "enableSSHCA"),                                                                       \
		CLAIM_FLAG(home_, where, "disableRenewal", disable_renewal, has_disable_renewal,                       \
	                   CLAIM_DEFAULT_("false"), "certificates are not renewed"),                                   \
		CLAIM_FLAG(home_, where, "allowRenewalAfterExpiry", allow_renewal_after_expiry, has_after_expiry,      \
	                   CLAIM_DEFAULT_("false"), "an expired certificate may renew itself with a renew token"),     \
		CLAIM_FLAG(home_, where, "disableSmallstepExtensions", disable_extensions, has_disable_extensions,     \
	                   CLAIM_DEFAULT_("false"), "certificates carry no provisioner extension"),                    \
	{                                                                                                              \
		.ours = true, .home = home_, .unit = 1, .min = DURATION_S, .max = INT64_MAX,                           \
		CLAIM_(where, "renewalAfterExpiry", CKEY_DURATION, renewal_after_expiry_ns, has_after_expiry_ns, NULL, \
		       "how long after expiry allowRenewalAfterExpiry holds, and revocations are kept; unset: for "    \
		       "ever")                                                                                         \
	}

/* ---- the rest of what repeats itself ---- */

#define OBJECT(path_, inside_, help_)                                                                                  \
	{                                                                                                              \
		.path = path_, .type = CKEY_OBJECT, .inside = inside_, .help = help_                                   \
	}
#define NOT_SERVED(path_, use_, help_)                                                                                 \
	{                                                                                                              \
		.path = path_, .type = CKEY_ANY, .use = use_, .help = help_                                            \
	}
#define SUBJECT(name, member)                                                                                          \
	{                                                                                                              \
		.path = "authority.template." name, .type = CKEY_TEXT, CONF(subject.member),                           \
		.help = "fills this attribute of a subject that lacks it"                                              \
	}
#define KMS_KEY(name)                                                                                                  \
	NOT_SERVED("kms." name, CKEY_STOP,                                                                             \
	           "keys in a KMS or HSM are not built yet; remove kms and name a key file in key")
#define RA_KEY(name)                                                                                                   \
	NOT_SERVED("authority." name, CKEY_STOP,                                                                       \
	           "registration authorities (RA modes) are not built yet; remove the key to issue from crt and key")
#define FOREIGN(name, type_)                                                                                           \
	NOT_SERVED("authority.provisioners[]." name, CKEY_DISABLE, "belongs to " type_ ", not built yet")
#define LIMIT_INT(name, member, least, most, dflt_, help_)                                                             \
	{                                                                                                              \
		.path = "limits." name, .type = CKEY_INT, .ours = true, CONF(limits.member), .min = least,             \
		.max = most, .dflt = dflt_, .help = help_                                                              \
	}
#define LIMIT_SPAN(name, member, most, dflt_, help_)                                                                   \
	{                                                                                                              \
		.path = "limits." name, .type = CKEY_DURATION, .ours = true, CONF(limits.member), .unit = DURATION_MS, \
		.min = 100 * DURATION_MS, .max = most, .dflt = dflt_, .help = help_                                    \
	}

static const struct ckey rows[] = {
	{ .path = "root",
	  .type = CKEY_TEXT_OR_TEXTS,
	  .required = true,
	  CONF_LIST(roots, roots_n),
	  .check = check_roots,
	  .help = "the file or files of the root certificates" },
	{ .path = "federatedRoots",
	  .type = CKEY_TEXTS,
	  CONF_LIST(federated, federated_n),
	  .help = "files of further roots, published and not trusted" },
	{ .path = "crt",
	  .type = CKEY_TEXT,
	  .required = true,
	  CONF(crt),
	  .help = "the file of the issuing certificate, followed by its chain" },
	{ .path = "key",
	  .type = CKEY_TEXT,
	  .required = true,
	  CONF(key),
	  .check = check_key,
	  .help = "the file of the issuing certificate's key" },
	{ .path = "address",
	  .type = CKEY_TEXT,
	  .required = true,
	  CONF(address),
	  .check = check_address,
	  .help = "host:port to listen on, such as :443" },
	{ .path = "insecureAddress",
	  .type = CKEY_TEXT,
	  CONF(insecure_address),
	  .check = check_address,
	  .help = "host:port of plain HTTP for the CRL; opened where crl.enabled is true (SCEP is not built yet)" },
	{ .path = "dnsNames",
	  .type = CKEY_TEXTS,
	  CONF_LIST(dns_names, dns_n),
	  .check = check_dns_names,
	  .dflt = "localhost 127.0.0.1 ::1",
	  .help = "names of the listener certificate and of token audiences" },

	OBJECT("kms", CKEY_STOP, "where keys live"),
	{ .path = "kms.type",
	  .type = CKEY_ANY,
	  .check = check_kms_type,
	  .help = "softkms or nothing; keys in a KMS or HSM are not built yet and stop start-up" },
	KMS_KEY("uri"),
	KMS_KEY("credentialsFile"),
	KMS_KEY("region"),
	KMS_KEY("profile"),
	KMS_KEY("pin"),
	KMS_KEY("managementKey"),
	KMS_KEY("storageDirectory"),
	NOT_SERVED("ssh", CKEY_STOP, "SSH certificates are not built yet; remove the key to run without them"),

	{ .path = "logger", .type = CKEY_OBJECT, .inside = CKEY_WARN, .help = "present: requests are logged" },
	{ .path = "logger.format",
	  .type = CKEY_TEXT,
	  DRAFT(logger_format),
	  .check = check_log_format,
	  .help = "text (default) or json; common is not built, text is written instead" },
	{ .path = "logger.traceHeader",
	  .type = CKEY_TEXT,
	  CONF(trace_header),
	  .help = "request header whose value is the request id" },

	{ .path = "db",
	  .type = CKEY_OBJECT,
	  .inside = CKEY_WARN,
	  .help = "where certificates, used tokens and revocations are kept; absent: in memory, without revocation" },
	{ .path = "db.type",
	  .type = CKEY_TEXT,
	  .required = true,
	  DRAFT(db_type),
	  .check = check_db_type,
	  .help = "sqlite, or postgresql for several nodes (docs/postgresql.md). The peer's badger, badgerv1, "
	          "badgerv2, "
	          "bbolt and mysql stop start-up" },
	{ .path = "db.dataSource",
	  .type = CKEY_SECRET,
	  .required = true,
	  CONF(store_source),
	  .help = "sqlite: the folder that holds the database; postgresql: "
	          "postgresql://USER@HOST/DATABASE?sslmode=.." },
	NOT_SERVED("db.valueDir", CKEY_WARN, "sqlite keeps everything in dataSource"),
	{ .path = "db.database",
	  .type = CKEY_TEXT,
	  CONF(store_database),
	  .help = "postgresql: the database's name, instead of the one in dataSource" },
	NOT_SERVED("db.badgerFileLoadingMode", CKEY_WARN, "says how badger reads its files, which is not used here"),
	{ .path = "db.prune",
	  .type = CKEY_OBJECT,
	  .inside = CKEY_STOP,
	  .ours = true,
	  .help = "what is removed in the background; never what still protects" },
	{ .path = "db.prune.keepExpired",
	  .type = CKEY_DURATION_OR_FOREVER,
	  .ours = true,
	  CONF(store.keep_expired_s),
	  .unit = DURATION_S,
	  .min = 0,
	  .max = 876000 * DURATION_H,
	  .dflt = "720h",
	  .help = "how long a certificate is kept after it expired" },
	{ .path = "db.prune.interval",
	  .type = CKEY_DURATION,
	  .ours = true,
	  CONF(store.prune_interval_s),
	  .unit = DURATION_S,
	  .min = DURATION_S,
	  .max = 8760 * DURATION_H,
	  .dflt = "1h",
	  .help = "time between two prunings" },
	{ .path = "db.reserveBytes",
	  .type = CKEY_INT,
	  .ours = true,
	  CONF(store.reserve_bytes),
	  .min = 0,
	  .max = (int64_t)1 << 40,
	  .dflt = "16777216",
	  .help = "kept free on the disk, so that a full one does not stop revocations; without it, nothing is issued. "
	          "0: none" },
	NOT_SERVED("monitoring", CKEY_WARN, "New Relic monitoring is not built"),

	OBJECT("tls", CKEY_STOP, "TLS of the listener"),
	{ .path = "tls.cipherSuites",
	  .type = CKEY_TEXTS,
	  CONF_LIST(tls_suites, tls_suites_n),
	  .dflt = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	  .help = "TLS 1.2 suites by the names that Go gives them" },
	{ .path = "tls.minVersion",
	  .type = CKEY_NUMBER,
	  CONF(tls_min),
	  .check = check_tls_version,
	  .dflt = "1.2",
	  .help = "1.2 or 1.3; 1.0 and 1.1 are served as 1.2, with a warning" },
	{ .path = "tls.maxVersion",
	  .type = CKEY_NUMBER,
	  CONF(tls_max),
	  .check = check_tls_version,
	  .dflt = "1.3",
	  .help = "1.2 or 1.3" },
	NOT_SERVED("tls.renegotiation", CKEY_WARN, "renegotiation is never allowed"),
	{ .path = "password",
	  .type = CKEY_SECRET,
	  CONF(password),
	  .help = "password of the key file; a file named by --password-file is the better place" },
	NOT_SERVED("templates", CKEY_INERT, "configuration templates for SSH, which is not built yet"),
	{ .path = "commonName",
	  .type = CKEY_TEXT,
	  CONF(common_name),
	  .dflt = "Step Online CA",
	  .help = "common name of the listener certificate" },

	OBJECT("crl", CKEY_WARN, "certificate revocation lists"),
	{ .path = "crl.enabled",
	  .type = CKEY_BOOL,
	  CONF(crl.enabled),
	  .dflt = "false",
	  .help = "a list of what is revoked is kept and served at /crl; needs a db" },
	{ .path = "crl.generateOnRevoke",
	  .type = CKEY_BOOL,
	  CONF(crl.on_revoke),
	  .dflt = "false",
	  .help = "a new list soon after a revocation; several at once make one list" },
	{ .path = "crl.cacheDuration",
	  .type = CKEY_DURATION,
	  CONF(crl.cache_s),
	  .unit = DURATION_S,
	  .min = DURATION_S,
	  .max = 876000 * DURATION_H,
	  .dflt = "24h",
	  .help = "how long a list is good for (nextUpdate)" },
	{ .path = "crl.renewPeriod",
	  .type = CKEY_DURATION,
	  CONF(crl.renew_s),
	  .unit = DURATION_S,
	  .min = 0,
	  .max = 876000 * DURATION_H,
	  .help = "how old a list becomes before the next is made; default two thirds of cacheDuration" },
	{ .path = "crl.idpURL",
	  .type = CKEY_TEXT,
	  CONF(crl.idp_url),
	  .check = check_url,
	  .help = "where the list lies: said in it (critical) and in every certificate from then on; absent: in "
	          "neither" },
	{ .path = "metricsAddress",
	  .type = CKEY_TEXT,
	  CONF(metrics_address),
	  .check = check_address,
	  .help = "host:port of /metrics, for Prometheus over plain HTTP; absent: closed" },
	{ .path = "adminSocket",
	  .type = CKEY_TEXT,
	  .ours = true,
	  CONF(admin_socket),
	  .check = check_admin_socket,
	  .help = "unix socket for `step ca list` and the like, for root and the CA's own user; off: none. Default: "
	          "admin.sock in $RUNTIME_DIRECTORY, else beside the database" },

	{ .path = "threads",
	  .type = CKEY_INT,
	  .ours = true,
	  CONF(threads),
	  .min = 0,
	  .max = 256,
	  .dflt = "0",
	  .help = "event loops; 0: one for each processor" },
	{ .path = "limits",
	  .type = CKEY_OBJECT,
	  .inside = CKEY_STOP,
	  .ours = true,
	  .help = "bounds on what clients may cost" },
	LIMIT_INT("bodyBytes", body_bytes, 1024, 64 << 20, "1048576", "largest request body"),
	LIMIT_INT("headerBytes", header_bytes, 1024, 1 << 20, "65536", "largest request line and headers together"),
	LIMIT_INT("connections", connections, 1, 1000000, "10000", "open connections, in all"),
	LIMIT_INT("connectionsPerAddress", connections_per_address, 0, 1000000, "0",
	          "open connections of one address; 0: no bound"),
	LIMIT_INT("connectionsSpare", connections_spare, 0, 10000, "64",
	          "connections beyond those: answer health and holders of certificates, 503 to others"),
	{ .path = "limits.exemptAddresses",
	  .type = CKEY_TEXTS,
	  .ours = true,
	  CONF_LIST(exempt_texts, exempt_n),
	  .help = "networks (10.0.0.0/8) that connectionsPerAddress does not bind: load balancers, proxies" },
	{ .path = "limits.renewalsPerHour",
	  .type = CKEY_INT,
	  .ours = true,
	  CONF(overload.renewals_per_hour),
	  .min = 0,
	  .max = 1000000,
	  .dflt = "120",
	  .help = "renewals of one line of certificates; more are answered 429; 0: no bound" },
	{ .path = "limits.storeQueue",
	  .type = CKEY_INT,
	  .ours = true,
	  CONF(store.queue_max),
	  .min = 1,
	  .max = 1000000,
	  .dflt = "4096",
	  .help = "changes that wait for the database; beyond it the least urgent is answered 503" },
	{ .path = "limits.busyAfter",
	  .type = CKEY_DURATION,
	  .ours = true,
	  CONF(overload.busy_ms),
	  .unit = DURATION_MS,
	  .min = 0,
	  .max = DURATION_MIN,
	  .dflt = "1s",
	  .help = "a server that is further behind answers 503 to who has plenty of life left; 0s: never" },
	LIMIT_SPAN("handshakeTimeout", handshake_ms, DURATION_H, "15s", "from accept to the end of the TLS handshake"),
	LIMIT_SPAN("headerTimeout", header_ms, DURATION_H, "15s",
	           "from a request's first byte to the end of its headers"),
	LIMIT_SPAN("requestTimeout", request_ms, DURATION_H, "30s", "from a request's first byte to the answer"),
	LIMIT_SPAN("idleTimeout", idle_ms, DURATION_H, "15s", "a connection without a request"),
	LIMIT_SPAN("drainTimeout", drain_ms, 24 * DURATION_H, "1m", "what runs may finish for this long after SIGTERM"),

	{ .path = "authority",
	  .type = CKEY_OBJECT,
	  .inside = CKEY_STOP,
	  .required = true,
	  .help = "the object that holds the provisioners" },
	{ .path = "authority.provisioners",
	  .type = CKEY_LIST,
	  DRAFT(provisioners),
	  .inside = CKEY_DISABLE,
	  .help = "who may ask for certificates" },

	/* Every kind */
	{ .path = "authority.provisioners[].type",
	  .type = CKEY_TEXT,
	  .required = true,
	  PROV(type),
	  .help = "JWK or X5C; other kinds are listed and disabled, kinds that nobody knows are left out with a "
	          "warning" },
	{ .path = "authority.provisioners[].name",
	  .type = CKEY_TEXT,
	  .required = true,
	  PROV(name),
	  .help = "its name, the issuer of its tokens; unique" },
	OBJECT("authority.provisioners[].claims", CKEY_DISABLE, "overrides authority.claims"),
#define CLAIM_DRAFT_ provisioner_draft
#define CLAIM_DEFAULT_(text) NULL
	CLAIM_ROWS(HOME_PROVISIONER, "authority.provisioners[]"),
#undef CLAIM_DRAFT_
#undef CLAIM_DEFAULT_
	OBJECT("authority.provisioners[].options", CKEY_DISABLE, "what shapes certificates"),
	OBJECT("authority.provisioners[].options.x509", CKEY_DISABLE, "X.509 templates"),
	NOT_SERVED("authority.provisioners[].options.x509.template", CKEY_DISABLE, "templates are not built yet"),
	NOT_SERVED("authority.provisioners[].options.x509.templateFile", CKEY_DISABLE, "templates are not built yet"),
	NOT_SERVED("authority.provisioners[].options.x509.templateData", CKEY_WARN,
	           "only a template could use it, and there is none"),
	NOT_SERVED("authority.provisioners[].options.ssh", CKEY_INERT,
	           "shapes SSH certificates, of which none are issued"),
	NOT_SERVED("authority.provisioners[].options.webhooks", CKEY_DISABLE, "webhooks are not built yet"),
	NOT_SERVED("authority.provisioners[].options.wire", CKEY_DISABLE, "Wire is not built"),

	/* JWK */
	{ .path = "authority.provisioners[].key",
	  .type = CKEY_JSON,
	  PROV(key),
	  .help = "JWK: the public key, with a kid" },
	{ .path = "authority.provisioners[].encryptedKey",
	  .type = CKEY_TEXT,
	  PROV(encrypted_key),
	  .help = "JWK: the private key under a password (compact JWE), which anybody may download" },

	/* X5C */
	{ .path = "authority.provisioners[].roots",
	  .type = CKEY_TEXT,
	  PROV(roots),
	  .help = "X5C: the certificates (PEM, the whole in base64) that those who make its tokens lead to" },

	/* What other kinds have, and ours must not pretend to have */
	FOREIGN("forceCN", "ACME and SCEP provisioners"),
	FOREIGN("termsOfService", "ACME provisioners"),
	FOREIGN("website", "ACME provisioners"),
	FOREIGN("caaIdentities", "ACME provisioners"),
	FOREIGN("requireEAB", "ACME provisioners"),
	FOREIGN("challenges", "ACME provisioners"),
	FOREIGN("attestationFormats", "ACME provisioners"),
	FOREIGN("attestationRoots", "ACME provisioners"),
	FOREIGN("clientID", "OIDC provisioners"),
	FOREIGN("clientSecret", "OIDC provisioners"),
	FOREIGN("configurationEndpoint", "OIDC provisioners"),
	FOREIGN("tenantID", "OIDC and Azure provisioners"),
	FOREIGN("admins", "OIDC provisioners"),
	FOREIGN("domains", "OIDC provisioners"),
	FOREIGN("groups", "OIDC provisioners"),
	FOREIGN("listenAddress", "OIDC provisioners"),
	FOREIGN("scopes", "OIDC provisioners"),
	FOREIGN("authParams", "OIDC provisioners"),
	FOREIGN("serviceAccounts", "GCP provisioners"),
	FOREIGN("projectIDs", "GCP provisioners"),
	FOREIGN("organizationID", "GCP provisioners"),
	FOREIGN("disableCustomSANs", "cloud provisioners"),
	FOREIGN("disableTrustOnFirstUse", "cloud provisioners"),
	FOREIGN("disableSSHCAUser", "GCP provisioners"),
	FOREIGN("disableSSHCAHost", "GCP provisioners"),
	FOREIGN("instanceAge", "cloud provisioners"),
	FOREIGN("accounts", "AWS provisioners"),
	FOREIGN("imdsVersions", "AWS provisioners"),
	FOREIGN("iidRoots", "AWS provisioners"),
	FOREIGN("resourceGroups", "Azure provisioners"),
	FOREIGN("subscriptionIDs", "Azure provisioners"),
	FOREIGN("objectIDs", "Azure provisioners"),
	FOREIGN("audience", "Azure provisioners"),
	FOREIGN("publicKeys", "K8sSA provisioners"),
	FOREIGN("challenge", "SCEP provisioners"),
	FOREIGN("capabilities", "SCEP provisioners"),
	FOREIGN("includeRoot", "SCEP provisioners"),
	FOREIGN("excludeIntermediate", "SCEP provisioners"),
	FOREIGN("minimumPublicKeyLength", "SCEP provisioners"),
	FOREIGN("decrypterCertificate", "SCEP provisioners"),
	FOREIGN("decrypterKeyPEM", "SCEP provisioners"),
	FOREIGN("decrypterKey", "SCEP provisioners"),
	FOREIGN("decrypterKeyPassword", "SCEP provisioners"),
	FOREIGN("encryptionAlgorithmIdentifier", "SCEP provisioners"),

	OBJECT("authority.claims", CKEY_STOP, "what every provisioner's certificates may be"),
#define CLAIM_DRAFT_ ca_draft
#define CLAIM_DEFAULT_(text) text
	CLAIM_ROWS(HOME_DRAFT, "authority"),
#undef CLAIM_DRAFT_
#undef CLAIM_DEFAULT_
	NOT_SERVED(
		"authority.policy", CKEY_STOP,
		"name policies are not built yet, and without it names would be issued that it forbids; remove it to "
		"run without"),
	OBJECT("authority.template", CKEY_STOP, "attributes of every subject"),
	SUBJECT("country", country),
	SUBJECT("organization", organization),
	SUBJECT("organizationalUnit", organizational_unit),
	SUBJECT("locality", locality),
	SUBJECT("province", province),
	SUBJECT("streetAddress", street_address),
	SUBJECT("serialNumber", serial_number),
	SUBJECT("commonName", common_name),
	{ .path = "authority.backdate",
	  .type = CKEY_DURATION,
	  CONF(backdate_ns),
	  .unit = 1,
	  .min = 0,
	  .max = INT64_MAX,
	  .dflt = "1m",
	  .help = "how far before now a certificate begins" },
	NOT_SERVED("authority.enableAdmin", CKEY_STOP,
	           "the admin API is not built yet, and its database holds the provisioners; put them into "
	           "authority.provisioners and set false"),
	{ .path = "authority.disableIssuedAtCheck",
	  .type = CKEY_BOOL,
	  CONF(disable_issued_at_check),
	  .dflt = "false",
	  .help = "take tokens that are older than the database" },
	NOT_SERVED("authority.disableGetSSHHosts", CKEY_INERT, "belongs to SSH, not built yet"),
	NOT_SERVED("authority.authorityId", CKEY_WARN, "only a linked authority has one"),
	{ .path = "authority.deploymentType",
	  .type = CKEY_ANY,
	  .check = check_deployment,
	  .help = "standalone; linked and hosted stop start-up" },
	{ .path = "authority.type",
	  .type = CKEY_ANY,
	  .check = check_cas_type,
	  .help = "softcas or nothing; stepcas, cloudcas and vaultcas stop start-up" },
	RA_KEY("certificateAuthority"),
	RA_KEY("certificateAuthorityFingerprint"),
	RA_KEY("certificateIssuer"),
	RA_KEY("credentialsFile"),
	RA_KEY("config"),
	{ .path = "authority.renewalWindow",
	  .type = CKEY_DURATION,
	  .ours = true,
	  CONF(renewal_window_ns),
	  .unit = 1,
	  .min = 0,
	  .max = 24 * DURATION_H,
	  .dflt = "10m",
	  .help = "a certificate renewed again by the same key this soon is taken for a retry; later it is logged as a "
	          "second holder's" },
	{ .path = "authority.renewWithoutProvisioner",
	  .type = CKEY_BOOL,
	  .ours = true,
	  CONF(renew_without_provisioner),
	  .dflt = "true",
	  .help = "certificates that name no provisioner may be renewed over mTLS, as the peer does" },
};

const struct ckey *caschema_rows(size_t *ret_n)
{
	*ret_n = COUNT_OF(rows);
	return rows;
}
