#include "sample.h"
#include "config/caschema.h"
#include "fail.h"
#include "tmpdir.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* ---- a file of the peer's shape ---- */

static void a_file_of_the_peers_shape_loads(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(caconf_free_p) struct caconf *c = NULL;
	assert_ok(caconf_parse(slice_cstr(sample_json), "ca.json", &c, &e));
	assert_int_equal(c->warnings_n, 0);
	assert_string_equal(c->path, "ca.json");
	assert_int_equal(c->roots_n, 1);
	assert_string_equal(c->roots[0], "/etc/step-ca/certs/root_ca.crt");
	assert_int_equal(c->federated_n, 0);
	assert_string_equal(c->crt, "/etc/step-ca/certs/intermediate_ca.crt");
	assert_string_equal(c->key, "/etc/step-ca/secrets/intermediate_ca_key");
	assert_null(c->password);
	assert_string_equal(c->address, ":443");
	assert_int_equal(c->dns_n, 2);
	assert_string_equal(c->dns_names[1], "10.0.0.1");
	assert_string_equal(c->common_name, "Step Online CA");
	assert_int_equal(c->log_format, LOG_TEXT);
	assert_true(c->log_access);
	assert_int_equal(c->store.kind, STORE_SQLITE);
	assert_string_equal(c->store.folder, "/etc/step-ca/db");
	/* "ops" renews after expiry, without a bound: what can be renewed is kept */
	assert_int_equal(c->store.keep_expired_s, -1);
	assert_int_equal(c->store.prune_interval_s, 3600);
	assert_int_equal(c->tls_suites_n, 2);
	assert_true(c->tls_min == 1.2 && c->tls_max == 1.3 && !c->tls_renegotiation);
	assert_int_equal(c->backdate_ns, DURATION_MIN);
	assert_true(c->renew_without_provisioner);
	assert_false(c->disable_issued_at_check);
	assert_int_equal(c->provs_n, 2);
	assert_string_equal(c->provs[0].name, "admin");
	assert_string_equal(c->provs[0].id, "admin:one");
	assert_string_equal(c->provs[0].encrypted_key, "eyJ.a.b.c.d");
	assert_int_equal(strlen(c->provs[0].uid), 40);
	assert_memory_equal(c->provs[1].uid, "00000001", 8);
	assert_null(c->provs[0].disabled);
	assert_null(c->provs[1].encrypted_key);
	assert_null(c->provs[1].disabled);
	assert_int_equal(c->provs[0].claims.max_ns, 24 * DURATION_H);
	assert_int_equal(c->provs[1].claims.max_ns, 720 * DURATION_H);
	assert_true(c->provs[1].claims.allow_renewal_after_expiry);
	assert_string_equal(json_string_value(json_object_get(c->provs[1].json, "type")), "jwk"); /* as loaded */
}

static void assert_claims(const struct claims *a, const struct claims *b)
{
	assert_int_equal(a->min_ns, b->min_ns);
	assert_int_equal(a->max_ns, b->max_ns);
	assert_int_equal(a->default_ns, b->default_ns);
	assert_int_equal(a->disable_renewal, b->disable_renewal);
	assert_int_equal(a->allow_renewal_after_expiry, b->allow_renewal_after_expiry);
	assert_int_equal(a->disable_extensions, b->disable_extensions);
	assert_int_equal(a->renewal_after_expiry_ns, b->renewal_after_expiry_ns);
}

static void what_is_absent_gets_its_default(void **state)
{
	(void)state;
	static const char least[] = "{\"root\":[\"r1\",\"r2\"],\"crt\":\"c\",\"key\":\"k\",\"address\":\"[::1]:9000\","
				    "\"authority\":{}}";
	const struct listener_limits limits = LISTENER_LIMITS_DEFAULT;
	struct error e = ERROR_INIT;
	AUTO(caconf_free_p) struct caconf *c = NULL;
	assert_ok(caconf_parse(slice_cstr(least), "ca.json", &c, &e));
	assert_int_equal(c->roots_n, 2);
	assert_int_equal(c->store.kind, STORE_MEMORY);
	assert_null(c->store.folder);
	assert_int_equal(c->store.renewable_after_expiry_s, -1);
	assert_int_equal(c->store.queue_max, 4096);
	assert_int_equal(c->dns_n, 3);
	assert_string_equal(c->dns_names[0], "localhost");
	assert_string_equal(c->dns_names[1], "127.0.0.1");
	assert_string_equal(c->dns_names[2], "::1");
	assert_string_equal(c->common_name, "Step Online CA");
	assert_false(c->log_access);
	assert_int_equal(c->tls_suites_n, 2);
	assert_string_equal(c->tls_suites[1], "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	assert_claims(&c->claims, &claims_builtin);
	assert_int_equal(c->threads, 0);
	assert_int_equal(c->limits.body_bytes, limits.body_bytes);
	assert_int_equal(c->limits.header_bytes, limits.header_bytes);
	assert_int_equal(c->limits.connections, limits.connections);
	assert_int_equal(c->limits.connections_per_address, limits.connections_per_address);
	assert_int_equal(c->limits.connections_spare, limits.connections_spare);
	assert_int_equal(c->exempt.n, 0);
	assert_int_equal(c->overload.renewals_per_hour, 120);
	assert_int_equal(c->overload.busy_ms, 1000);
	assert_int_equal(c->limits.handshake_ms, limits.handshake_ms);
	assert_int_equal(c->limits.header_ms, limits.header_ms);
	assert_int_equal(c->limits.request_ms, limits.request_ms);
	assert_int_equal(c->limits.idle_ms, limits.idle_ms);
	assert_int_equal(c->limits.drain_ms, limits.drain_ms);
	assert_false(c->crl.enabled || c->crl.on_revoke);
	assert_int_equal(c->crl.cache_s, 24 * 3600);
	assert_int_equal(c->crl.renew_s, 16 * 3600);
	assert_null(c->crl.idp_url);
	assert_int_equal(c->provs_n, 0);
	assert_int_equal(c->warnings_n, 1);
	assert_string_equal(c->warnings[0], "authority.provisioners: there is none: nobody can get a certificate");
}

static void where_the_admin_socket_is(void **state)
{
	(void)state;
	static const struct {
		const char *set, *db, *runtime_dir, *want;
	} rows[] = {
		{ NULL, "sqlite", NULL, "/etc/step-ca/db/admin.sock" },
		{ NULL, "sqlite", "", "/etc/step-ca/db/admin.sock" },
		{ NULL, "sqlite", "/run/step-ca", "/run/step-ca/admin.sock" },
		{ NULL, "sqlite", "/run/a:/run/b", "/run/a/admin.sock" },
		{ "\"\"", "sqlite", "/run/step-ca", "/run/step-ca/admin.sock" },
		{ "\"/x/y\"", "sqlite", "/run/step-ca", "/x/y" },
		{ "\"off\"", "sqlite", "/run/step-ca", "" },
		{ NULL, NULL, NULL, "" },
		{ NULL, NULL, "/run/step-ca", "/run/step-ca/admin.sock" },
		{ "\"/x/y\"", NULL, NULL, "/x/y" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(caconf_free_p) struct caconf *c = NULL;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20), got = BUF_INIT(256);
		AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
		sample_set(file, "adminSocket", rows[i].set);
		if (!rows[i].db)
			sample_set(file, "db", NULL);
		assert_ok(jsonio_format(file, &text, &e));
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_ok(caconf_admin_socket(c, rows[i].runtime_dir, &got, &e));
		assert_string_equal(buf_cstr(&got), rows[i].want);
	}
}

static void every_setting_is_taken(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "ROOT", "\"r\"" }, /* Go matches keys in any case; "root" is removed below */
		{ "federatedRoots", "[\"f1\",\"f2\"]" },
		{ "insecureAddress", "\":80\"" },
		{ "metricsAddress", "\"127.0.0.1:9090\"" },
		{ "adminSocket", "\"/run/ca/s\"" },
		{ "password", "\"pass\\tword\"" },
		{ "crl",
		  "{\"enabled\":true,\"generateOnRevoke\":true,\"cacheDuration\":\"500h\",\"renewPeriod\":\"10s\","
		  "\"idpURL\":\"http://ca/crl\"}" },
		{ "commonName", "\"Our CA\"" },
		{ "logger", "{\"format\":\"JSON\",\"traceHeader\":\"X-Trace\"}" },
		{ "db.prune", "{\"keepExpired\":\"forever\",\"interval\":\"10m\"}" },
		{ "tls.minVersion", "1.3" },
		{ "threads", "3" },
		{ "limits", "{\"bodyBytes\":2048,\"headerBytes\":4096,\"connections\":7,\"connectionsPerAddress\":2,"
		            "\"connectionsSpare\":3,\"exemptAddresses\":[\"10.0.0.0/8\",\"::1\"],"
		            "\"renewalsPerHour\":9,\"busyAfter\":\"2s\",\"storeQueue\":11,"
		            "\"handshakeTimeout\":\"1s\",\"headerTimeout\":\"2s\",\"requestTimeout\":\"3s\","
		            "\"idleTimeout\":\"4s\",\"drainTimeout\":\"5s\"}" },
		{ "authority.claims", "{\"minTLSCertDuration\":\"1m\",\"maxTLSCertDuration\":\"48h\","
		                      "\"defaultTLSCertDuration\":\"2h\",\"disableRenewal\":true,"
		                      "\"allowRenewalAfterExpiry\":true,\"disableSmallstepExtensions\":true,"
		                      "\"renewalAfterExpiry\":\"240h\"}" },
		{ "authority.provisioners[1].claims.renewalAfterExpiry", "\"480h\"" },
		{ "authority.backdate", "\"0s\"" },
		{ "authority.disableIssuedAtCheck", "true" },
		{ "authority.renewWithoutProvisioner", "false" },
		{ "authority.template", "{\"country\":\"NL\",\"organization\":\"O\",\"organizationalUnit\":\"OU\","
		                        "\"locality\":\"L\",\"province\":\"P\",\"streetAddress\":\"S\","
		                        "\"serialNumber\":\"N\",\"commonName\":\"CN\"}" },
		{ "authority.deploymentType", "\"Standalone\"" },
		{ "authority.type", "\"softcas\"" },
		{ "kms", "{\"type\":\"softkms\",\"uri\":\"\"}" },
	};
	struct error e = ERROR_INIT;
	AUTO(caconf_free_p) struct caconf *c = NULL;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
	sample_set(file, "root", NULL);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		sample_set(file, rows[i][0], rows[i][1]);
	assert_ok(jsonio_format(file, &text, &e));
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_int_equal(c->warnings_n, 0);
	assert_string_equal(c->roots[0], "r");
	assert_int_equal(c->federated_n, 2);
	assert_string_equal(c->federated[1], "f2");
	assert_string_equal(c->insecure_address, ":80");
	assert_string_equal(c->metrics_address, "127.0.0.1:9090");
	assert_string_equal(c->admin_socket, "/run/ca/s");
	assert_string_equal(c->password, "pass\tword");
	assert_true(c->crl.enabled && c->crl.on_revoke);
	assert_int_equal(c->crl.cache_s, 500 * 3600);
	assert_int_equal(c->crl.renew_s, 10);
	assert_string_equal(c->crl.idp_url, "http://ca/crl");
	assert_string_equal(c->common_name, "Our CA");
	assert_int_equal(c->log_format, LOG_JSON);
	assert_string_equal(c->trace_header, "X-Trace");
	assert_int_equal(c->store.keep_expired_s, -1);
	assert_int_equal(c->store.prune_interval_s, 600);
	assert_int_equal(c->store.renewable_after_expiry_s, 1001 * 3600); /* the lists want it longer */
	assert_true(c->tls_min == 1.3);
	assert_int_equal(c->threads, 3);
	assert_int_equal(c->limits.body_bytes, 2048);
	assert_int_equal(c->limits.header_bytes, 4096);
	assert_int_equal(c->limits.connections, 7);
	assert_int_equal(c->limits.connections_per_address, 2);
	assert_int_equal(c->limits.connections_spare, 3);
	assert_int_equal(c->exempt.n, 2);
	assert_int_equal(c->overload.renewals_per_hour, 9);
	assert_int_equal(c->store.queue_max, 11);
	assert_int_equal(c->overload.busy_ms, 2000);
	assert_int_equal(c->limits.handshake_ms, 1000);
	assert_int_equal(c->limits.header_ms, 2000);
	assert_int_equal(c->limits.request_ms, 3000);
	assert_int_equal(c->limits.idle_ms, 4000);
	assert_int_equal(c->limits.drain_ms, 5000);
	const struct claims want = { .min_ns = DURATION_MIN,
		                     .max_ns = 48 * DURATION_H,
		                     .default_ns = 2 * DURATION_H,
		                     .disable_renewal = true,
		                     .allow_renewal_after_expiry = true,
		                     .disable_extensions = true,
		                     .renewal_after_expiry_ns = 240 * DURATION_H };
	assert_claims(&c->claims, &want);
	assert_int_equal(c->provs[0].claims.default_ns, 2 * DURATION_H); /* inherited */
	assert_true(c->provs[0].claims.disable_renewal);
	assert_false(c->provs[1].claims.disable_renewal); /* overridden */
	assert_int_equal(c->provs[1].claims.max_ns, 720 * DURATION_H);
	assert_int_equal(c->backdate_ns, 0);
	assert_true(c->disable_issued_at_check);
	assert_false(c->renew_without_provisioner);
	assert_string_equal(c->subject.country, "NL");
	assert_string_equal(c->subject.organization, "O");
	assert_string_equal(c->subject.organizational_unit, "OU");
	assert_string_equal(c->subject.locality, "L");
	assert_string_equal(c->subject.province, "P");
	assert_string_equal(c->subject.street_address, "S");
	assert_string_equal(c->subject.serial_number, "N");
	assert_string_equal(c->subject.common_name, "CN");
}

/* ---- refusals ---- */

#define P0 "authority.provisioners[0]"
#define P1 "authority.provisioners[1]"

static const struct refusal_row {
	const char *path, *value, *text;
} refused[] = {
	/* shape */
	{ "root", NULL, "root: missing; give the file or files of the root certificates" },
	{ "root", "\"\"", "root: missing; give the file or files of the root certificates" },
	{ "root", "[]", "root: empty; name the file of the root certificate" },
	{ "root", "7", "root: not a string or an array of strings" },
	{ "root", "[\"a\",7]", "root[1]: not a string" },
	{ "root", "[\"a\",\"\"]", "root[1]: empty" },
	{ "federatedRoots", "\"a\"", "federatedRoots: not an array of strings" },
	{ "crt", NULL, "crt: missing; give the file of the issuing certificate, followed by its chain" },
	{ "crt", "[\"a\"]", "crt: not a string" },
	{ "crt", "\"a\\nb\"", "crt: holds a control character" },
	{ "key", "null", "key: missing; give the file of the issuing certificate's key" },
	{ "key", "\"pkcs11:token=a\"", "key: keys in a KMS or HSM (pkcs11:) are not built yet; name a key file" },
	{ "address", NULL, "address: missing; give host:port to listen on, such as :443" },
	{ "address", "\"localhost\"",
	  "address: \"localhost\" has no port; write host:port, such as :443 or 127.0.0.1:9000" },
	{ "address", "\"localhost:https\"",
	  "address: \"localhost:https\" has no port; write host:port, such as :443 or 127.0.0.1:9000" },
	{ "address", "\":65536\"", "address: there is no port 65536" },
	{ "adminSocket", "\"admin.sock\"",
	  "adminSocket: \"admin.sock\" is no absolute path; `step` has to find it from elsewhere" },
	{ "address", "\"::1:443\"", "address: write an IPv6 address in brackets: [::1]:443" },
	{ "crl", "7", "crl: not an object" },
	{ "crl.enabled", "\"yes\"", "crl.enabled: neither true nor false" },
	{ "crl.cacheDuration", "\"-1h\"", "crl.cacheDuration: must be between 1s and 876000h0m0s" },
	{ "crl.cacheDuration", "24", "crl.cacheDuration: not a duration such as 24h" },
	{ "crl.renewPeriod", "\"-1s\"", "crl.renewPeriod: must be between 0s and 876000h0m0s" },
	{ "crl.renewPeriod", "\"25h\"",
	  "crl.renewPeriod: longer than crl.cacheDuration: lists would end before the next is made" },
	{ "crl.idpURL", "\"ca.example/crl\"",
	  "crl.idpURL: \"ca.example/crl\" is not a URL of at most 2000 ASCII characters, such as "
	  "http://ca.example/1.0/crl" },
	{ "crl.idpURL", "\"http://a b\"",
	  "crl.idpURL: \"http://a b\" is not a URL of at most 2000 ASCII characters, such as "
	  "http://ca.example/1.0/crl" },
	{ "crl.idpURL", "\"http://\"",
	  "crl.idpURL: \"http://\" is not a URL of at most 2000 ASCII characters, such as http://ca.example/1.0/crl" },
	{ "insecureAddress", "\"x\"",
	  "insecureAddress: \"x\" has no port; write host:port, such as :443 or 127.0.0.1:9000" },
	{ "dnsNames", "[]",
	  "dnsNames: empty; name at least one host name or address of this CA, or remove the key for localhost" },
	{ "dnsNames", "[\"a\",\"b c\"]", "dnsNames[1]: \"b c\" is not a host name or address" },
	{ "dnsNames", "[\"\"]", "dnsNames[0]: empty" },
	{ "ROOT", "\"b\"", "root: given twice (upper and lower case are the same key)" },
	{ "logger", "\"text\"", "logger: not an object" },
	{ "logger.format", "\"xml\"", "logger.format: \"xml\": not a format; give text or json" },
	{ "logger.format", "5", "logger.format: not a string" },
	{ "tls.minVersion", "\"1.2\"", "tls.minVersion: not a number" },
	{ "tls.minVersion", "1.25", "tls.minVersion: not a TLS version; give 1.2 or 1.3" },
	{ "tls.maxVersion", "1.1", "tls.maxVersion: TLS before 1.2 is not served; give 1.2 or 1.3" },
	{ "tls", "{\"minVersion\":1.3,\"maxVersion\":1.2}", "tls.minVersion: higher than tls.maxVersion" },
	{ "tls.clientAuth", "true",
	  "tls.clientAuth: not a key of this place, where it could be meant as a limit; check its spelling, or remove "
	  "it" },
	{ "authority", NULL, "authority: missing; give the object that holds the provisioners" },
	{ "authority", "[]", "authority: not an object" },
	/* database */
	{ "db.type", NULL,
	  "db.type: missing; give sqlite, or postgresql for several nodes (docs/postgresql.md). The peer's badger, "
	  "badgerv1, badgerv2, bbolt and mysql stop start-up" },
	{ "db.type", "\"badgerv2\"",
	  "db.type: \"badgerv2\" cannot be read here; set \"type\": \"sqlite\" and leave \"dataSource\" as it is or "
	  "name a "
	  "new folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a "
	  "list "
	  "of serials or a CRL" },
	{ "db.type", "\"Badger\"",
	  "db.type: \"badger\" cannot be read here; set \"type\": \"sqlite\" and leave \"dataSource\" as it is or name "
	  "a "
	  "new folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a "
	  "list "
	  "of serials or a CRL" },
	{ "db.type", "\"badgerv1\"",
	  "db.type: \"badgerv1\" cannot be read here; set \"type\": \"sqlite\" and leave \"dataSource\" as it is or "
	  "name a "
	  "new folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a "
	  "list "
	  "of serials or a CRL" },
	{ "db.type", "\"bbolt\"",
	  "db.type: \"bbolt\" cannot be read here; set \"type\": \"sqlite\" and leave \"dataSource\" as it is or name "
	  "a new "
	  "folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a list "
	  "of "
	  "serials or a CRL" },
	{ "db.type", "\"mysql\"",
	  "db.type: \"mysql\" cannot be read here; set \"type\": \"sqlite\" and leave \"dataSource\" as it is or name "
	  "a new "
	  "folder. Used tokens and revocations do not come along by themselves: `step-ca db import FILE` takes a list "
	  "of "
	  "serials or a CRL" },
	{ "db.type", "\"oracle\"", "db.type: no such database; set \"type\" to \"sqlite\" or \"postgresql\"" },
	{ "db.dataSource", "\"\"",
	  "db.dataSource: missing; give sqlite: the folder that holds the database; postgresql: "
	  "postgresql://USER@HOST/DATABASE?sslmode=.." },
	{ "db.dataSource", "\"postgresql://ca@db/ca\"",
	  "db.dataSource: the address of a PostgreSQL database, with type \"sqlite\"; set db.type to \"postgresql\", "
	  "or "
	  "name a folder" },
	{ "authority.renewWithoutProvisioner", "0", "authority.renewWithoutProvisioner: neither true nor false" },
	{ "authority.renewWithoutProvisioner", "\"\"", "authority.renewWithoutProvisioner: neither true nor false" },
	{ "db.prune.keepExpired", "\"30d\"", "db.prune.keepExpired: not a duration such as 24h, nor \"forever\"" },
	{ "db.prune.keepExpired", "\"-1h\"", "db.prune.keepExpired: must be between 0s and 876000h0m0s" },
	{ "db.prune.interval", "\"forever\"", "db.prune.interval: not a duration such as 24h" },
	{ "db.prune.interval", "\"10ms\"", "db.prune.interval: must be between 1s and 8760h0m0s" },
	{ "db.prune.keepexpird", "\"1h\"",
	  "db.prune.keepexpird: not a key of this place, where it could be meant as a limit; check its spelling, or "
	  "remove "
	  "it" },
	/* our settings */
	{ "threads", "257", "threads: must be between 0 and 256" },
	{ "threads", "1.5", "threads: not a whole number" },
	{ "limits.renewalsPerHour", "-1", "limits.renewalsPerHour: must be between 0 and 1000000" },
	{ "limits.busyAfter", "\"2m\"", "limits.busyAfter: must be between 0s and 1m0s" },
	{ "limits.exemptAddresses", "[\"10.0.0.0/33\"]",
	  "limits.exemptAddresses[0]: \"10.0.0.0/33\": the prefix must be a number from 0 to 32" },
	{ "limits.exemptAddresses", "[\"::1\",\"10.0.0.1/8\"]",
	  "limits.exemptAddresses[1]: \"10.0.0.1/8\": the address has bits behind the prefix; write the network's "
	  "own" },
	{ "limits.exemptAddresses", "[\"proxy\"]",
	  "limits.exemptAddresses[0]: \"proxy\" is no address or network, such as 192.0.2.7 or 10.0.0.0/8" },
	{ "limits.exemptAddresses", "\"::1\"", "limits.exemptAddresses: not an array of strings" },
	{ "limits.connections", "0", "limits.connections: must be between 1 and 1000000" },
	{ "limits.bodyBytes", "\"1M\"", "limits.bodyBytes: not a whole number" },
	{ "limits.idleTimeout", "15", "limits.idleTimeout: not a duration such as 24h" },
	{ "limits.idleTimeout", "\"1ms\"", "limits.idleTimeout: must be between 100ms and 1h0m0s" },
	{ "limits.idleTimout", "\"1s\"",
	  "limits.idleTimout: not a key of this place, where it could be meant as a limit; check its spelling, or "
	  "remove "
	  "it" },
	/* what limits issuance, at authority level */
	{ "kms.type", "\"pkcs11\"",
	  "kms.type: \"pkcs11\": keys in a KMS or HSM are not built yet; remove kms and name a key file in key" },
	{ "kms.type", "1", "kms.type: not a string" },
	{ "kms.slot", "1",
	  "kms.slot: not a key of this place, where it could be meant as a limit; check its spelling, or remove it" },
	{ "authority.type", "\"stepcas\"",
	  "authority.type: \"stepcas\": registration authorities (RA modes) are not built yet; remove the key to issue "
	  "from "
	  "crt and key" },
	{ "authority.deploymentType", "\"linked\"",
	  "authority.deploymentType: \"linked\": linked and hosted authorities are not built; set \"standalone\" or "
	  "remove "
	  "the key" },
	{ "authority.polcy", "{}",
	  "authority.polcy: not a key of this place, where it could be meant as a limit; check its spelling, or remove "
	  "it" },
	{ "authority.backdate", "\"-1s\"", "authority.backdate: must be at least 0s" },
	{ "authority.backdate", "60", "authority.backdate: not a duration such as 24h" },
	{ "authority.template.postalCode", "\"1\"",
	  "authority.template.postalCode: not a key of this place, where it could be meant as a limit; check its "
	  "spelling, "
	  "or remove it" },
	{ "authority.template.country", "[\"NL\"]", "authority.template.country: not a string" },
	{ "authority.claims.maxTLSCertDuration", "\"1d\"",
	  "authority.claims.maxTLSCertDuration: not a duration such as 24h" },
	{ "authority.claims.maxTLSCertDuration", "\"\"",
	  "authority.claims.maxTLSCertDuration: not a duration such as 24h" },
	{ "authority.claims.maxTLSCertDuration", "\"1m\"",
	  "authority.claims: minTLSCertDuration: 5m0s is more than maxTLSCertDuration (1m0s)" },
	{ "authority.claims.minTLSCertDuration", "\"0s\"",
	  "authority.claims: minTLSCertDuration: must be more than 0" },
	{ "authority.claims.disableRenewal", "\"true\"", "authority.claims.disableRenewal: neither true nor false" },
	{ "authority.claims.renewalAfterExpiry", "\"0s\"", "authority.claims.renewalAfterExpiry: must be at least 1s" },
	{ "authority.claims.maxTLSCertDuraton", "\"1h\"",
	  "authority.claims.maxTLSCertDuraton: not a key of this place, where it could be meant as a limit; check its "
	  "spelling, or remove it" },
	/* at the wrong place, where the peer ignores them */
	{ "policy", "{\"x509\":{\"allow\":{\"dns\":[\"a\"]}}}",
	  "policy: has no effect here; move it to authority.policy, or remove it" },
	{ "Claims", "{}", "Claims: has no effect here; move it to authority.claims, or remove it" },
	/* provisioners */
	{ "authority.provisioners", "{}", "authority.provisioners: not an array of objects" },
	{ "authority.provisioners", "[null]", P0 ": not an object" },
	{ P1 ".type", NULL,
	  P1 ".type: missing; give JWK or X5C; other kinds are listed and disabled, kinds that nobody knows are left "
	     "out with a "
	     "warning" },
	{ P1 ".name", "\"\"", P1 ".name: missing; give its name, the issuer of its tokens; unique" },
	{ P1 ".name", "\"a\\u001bb\"", P1 ".name: holds a control character" },
	{ P1 ".name", "\"admin\"", P1 ".name: another provisioner is called \"admin\"; names are unique" },
	{ P1 ".key", NULL, P1 ".key: missing; give the provisioner's public key as a JWK" },
	{ P1 ".key", "\"x\"", P1 ".key: not an object" },
	{ P1 ".key", "{}", P1 ".key: JWK: member kty must be EC, RSA or OKP" },
	{ P1 ".key", "{\"kty\":\"EC\",\"crv\":\"P-256\"," SAMPLE_XY "}",
	  P1 ".key.kid: missing; tokens name their key by it" },
	{ P1 ".key.d", "\"" SAMPLE_D "\"",
	  P1
	  ".key: holds a private key, and GET /provisioners shows it to everybody; leave out d (and p, q, dp, dq, qi), "
	  "and put the private key under a password into encryptedKey" },
	{ P1 ".encryptedKey", "{}", P1 ".encryptedKey: not a string" },
	{ P1 ".claims", "[]", P1 ".claims: not an object" },
	{ P1 ".claims.maxTLSCertDuration", "\"720\"", P1 ".claims.maxTLSCertDuration: not a duration such as 24h" },
	{ P1 ".claims.minTLSCertDuration", "300", P1 ".claims.minTLSCertDuration: not a duration such as 24h" },
	{ P1 ".options", "7", P1 ".options: not an object" },
	{ P1 ".options.x509", "[1]", P1 ".options.x509: not an object" },
};

static void refusals_name_the_path_and_the_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		const struct refusal_row *r = &refused[i];
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_text(r->path, r->value, &text);
		if (!caconf_parse(buf_slice(&text), "ca.json", &c, &e))
			fail_msg("%s = %s was taken", r->path, r->value ? r->value : "(none)");
		assert_null(c);
		assert_int_equal(e.status, ST_INVALID);
		assert_string_equal(e.text, r->text);
	}
}

static void what_is_no_json_object_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "",
		                           "{",
		                           "[]",
		                           "\"x\"",
		                           "null",
		                           "{} {}",
		                           "{\"root\":\"a\",\"root\":\"b\"}",
		                           "{/* no */}",
		                           "{\"root\":\"a\",}",
		                           "\xff{}" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error e = ERROR_INIT;
		struct caconf *c = NULL;
		assert_int_equal(caconf_parse(slice_cstr(bad[i]), "ca.json", &c, &e), ST_INVALID);
		assert_null(c);
		assert_true(*e.text);
	}
}

static void the_same_id_twice_is_refused(void **state)
{
	(void)state;
	/* K8sSA has one id, whatever its name. */
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	struct caconf *c = NULL;
	sample_text("authority.provisioners",
	            "[{\"type\":\"K8sSA\",\"name\":\"a\"},{\"type\":\"K8SSA\",\"name\":\"b\"}]", &text);
	assert_int_equal(caconf_parse(buf_slice(&text), "ca.json", &c, &e), ST_INVALID);
	assert_string_equal(e.text, P1 ": the provisioner \"a\" has the same id, k8ssa/k8sSA-default; ids are unique");
}

/* ---- what is not served ---- */

/* One row for each row of the schema that is not simply used: how it shows. */
static const struct unserved_row {
	const char *schema, *value;
	enum ckey_use use;
	const char *text; /* STOP: the error; WARN: the warning; DISABLE: the reason; INERT: NULL */
} unserved[] = {
#define RA_TEXT "registration authorities (RA modes) are not built yet; remove the key to issue from crt and key"
#define KMS_TEXT "keys in a KMS or HSM are not built yet; remove kms and name a key file in key"
#define SSH_CLAIMS(where)                                                                                              \
	{ where ".minUserSSHCertDuration", "\"1h\"", CKEY_INERT, NULL },                                               \
		{ where ".maxUserSSHCertDuration", "\"1h\"", CKEY_INERT, NULL },                                       \
		{ where ".defaultUserSSHCertDuration", "\"1h\"", CKEY_INERT, NULL },                                   \
		{ where ".minHostSSHCertDuration", "\"1h\"", CKEY_INERT, NULL },                                       \
		{ where ".maxHostSSHCertDuration", "\"1h\"", CKEY_INERT, NULL },                                       \
		{ where ".defaultHostSSHCertDuration", "\"1h\"", CKEY_INERT, NULL },                                   \
	{                                                                                                              \
		where ".enableSSHCA", "true", CKEY_INERT, NULL                                                         \
	}
#define FOREIGN(name, who)                                                                                             \
	{                                                                                                              \
		"authority.provisioners[]." name, "[1]", CKEY_DISABLE, name ": belongs to " who ", not built yet"      \
	}
	{ "kms.uri", "\"pkcs11:\"", CKEY_STOP, "kms.uri: " KMS_TEXT },
	{ "kms.credentialsFile", "\"x\"", CKEY_STOP, "kms.credentialsFile: " KMS_TEXT },
	{ "kms.region", "\"x\"", CKEY_STOP, "kms.region: " KMS_TEXT },
	{ "kms.profile", "\"x\"", CKEY_STOP, "kms.profile: " KMS_TEXT },
	{ "kms.pin", "\"x\"", CKEY_STOP, "kms.pin: " KMS_TEXT },
	{ "kms.managementKey", "\"x\"", CKEY_STOP, "kms.managementKey: " KMS_TEXT },
	{ "kms.storageDirectory", "\"x\"", CKEY_STOP, "kms.storageDirectory: " KMS_TEXT },
	{ "ssh", "{\"hostKey\":\"x\"}", CKEY_STOP,
	  "ssh: SSH certificates are not built yet; remove the key to run without them" },
	{ "db.valueDir", "\"x\"", CKEY_WARN, "db.valueDir: ignored: sqlite keeps everything in dataSource" },
	{ "db.badgerFileLoadingMode", "\"FileIO\"", CKEY_WARN,
	  "db.badgerFileLoadingMode: ignored: says how badger reads its files, which is not used here" },
	{ "monitoring", "{\"type\":\"newrelic\"}", CKEY_WARN,
	  "monitoring: ignored: New Relic monitoring is not built" },
	{ "tls.renegotiation", "true", CKEY_WARN, "tls.renegotiation: ignored: renegotiation is never allowed" },
	{ "templates", "{\"ssh\":{}}", CKEY_INERT, NULL },
	SSH_CLAIMS("authority.provisioners[].claims"),
	{ "authority.provisioners[].options.x509.template", "\"{}\"", CKEY_DISABLE,
	  "options.x509.template: templates are not built yet" },
	{ "authority.provisioners[].options.x509.templateFile", "\"f\"", CKEY_DISABLE,
	  "options.x509.templateFile: templates are not built yet" },
	{ "authority.provisioners[].options.x509.templateData", "{\"a\":1}", CKEY_WARN,
	  P0 ".options.x509.templateData: ignored: only a template could use it, and there is none" },
	{ "authority.provisioners[].options.ssh", "{\"template\":\"x\"}", CKEY_INERT, NULL },
	{ "authority.provisioners[].options.webhooks", "[{\"kind\":\"AUTHORIZING\"}]", CKEY_DISABLE,
	  "options.webhooks: webhooks are not built yet" },
	{ "authority.provisioners[].options.wire", "{\"a\":1}", CKEY_DISABLE, "options.wire: Wire is not built" },
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
	SSH_CLAIMS("authority.claims"),
	{ "authority.policy", "{\"x509\":{\"deny\":{\"dns\":[\"a\"]}}}", CKEY_STOP,
	  "authority.policy: name policies are not built yet, and without it names would be issued that it forbids; "
	  "remove "
	  "it to run without" },
	{ "authority.enableAdmin", "true", CKEY_STOP,
	  "authority.enableAdmin: the admin API is not built yet, and its database holds the provisioners; put them "
	  "into "
	  "authority.provisioners and set false" },
	{ "authority.disableGetSSHHosts", "true", CKEY_INERT, NULL },
	{ "authority.authorityId", "\"x\"", CKEY_WARN,
	  "authority.authorityId: ignored: only a linked authority has one" },
	{ "authority.certificateAuthority", "\"x\"", CKEY_STOP, "authority.certificateAuthority: " RA_TEXT },
	{ "authority.certificateAuthorityFingerprint", "\"x\"", CKEY_STOP,
	  "authority.certificateAuthorityFingerprint: " RA_TEXT },
	{ "authority.certificateIssuer", "{\"type\":\"x5c\"}", CKEY_STOP, "authority.certificateIssuer: " RA_TEXT },
	{ "authority.credentialsFile", "\"x\"", CKEY_STOP, "authority.credentialsFile: " RA_TEXT },
	{ "authority.config", "{\"a\":1}", CKEY_STOP, "authority.config: " RA_TEXT },
};

/* "authority.provisioners[].x" at the first provisioner. */
static const char *at_first(const char *schema, char out[256])
{
	const char *open = strstr(schema, "[]");
	if (!open)
		return schema;
	snprintf(out, 256, "%.*s[0]%s", (int)(open - schema), schema, open + 2);
	return out;
}

static void check_unserved(const struct unserved_row *r)
{
	struct error e = ERROR_INIT;
	char path[256], warning[512];
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	sample_text(at_first(r->schema, path), r->value, &text);
	enum status st = caconf_parse(buf_slice(&text), "ca.json", &c, &e);
	if (r->use == CKEY_STOP) {
		assert_int_equal(st, ST_INVALID);
		assert_string_equal(e.text, r->text);
		return;
	}
	assert_ok(st);
	assert_int_equal(c->warnings_n, r->use != CKEY_INERT);
	assert_null(c->provs[1].disabled);
	if (r->use != CKEY_DISABLE) {
		assert_null(c->provs[0].disabled);
		if (r->text)
			assert_string_equal(c->warnings[0], r->text);
		return;
	}
	assert_string_equal(c->provs[0].disabled, r->text);
	snprintf(warning, sizeof warning, P0 ": the provisioner \"admin\" is disabled: %s", r->text);
	assert_string_equal(c->warnings[0], warning);
}

static void what_is_not_served_fails_closed_or_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(unserved); i++)
		check_unserved(&unserved[i]);
}

static void every_unserved_key_of_the_schema_is_tested(void **state)
{
	(void)state;
	size_t n;
	const struct ckey *rows = caschema_rows(&n);
	for (size_t i = 0; i < n; i++) {
		bool found = rows[i].use == CKEY_USE;
		for (size_t k = 0; !found && k < COUNT_OF(unserved); k++)
			found = !strcmp(unserved[k].schema, rows[i].path) && unserved[k].use == rows[i].use;
		if (!found)
			fail_msg("%s has no test row", rows[i].path);
		assert_non_null(rows[i].help);
		for (size_t k = i + 1; k < n; k++)
			assert_string_not_equal(rows[i].path, rows[k].path);
	}
}

/* What the peer writes out for "off" must not stop anybody. */
static void off_is_off(void **state)
{
	(void)state;
	static const char *const off[] = { "null", "false", "0", "\"\"", "[]", "{}" };
	for (size_t i = 0; i < COUNT_OF(unserved); i++) {
		for (size_t k = 0; k < COUNT_OF(off); k++) {
			char path[256];
			struct error e = ERROR_INIT;
			AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
			AUTO(caconf_free_p) struct caconf *c = NULL;
			sample_text(at_first(unserved[i].schema, path), off[k], &text);
			assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
			assert_int_equal(c->warnings_n, 0);
			assert_null(c->provs[0].disabled);
		}
	}
}

/* Aggregates only, but whoever listens in reads them. */
static void metrics_in_the_open_are_warned_about(void **state)
{
	static const struct {
		const char *address;
		bool warned;
	} rows[] = {
		{ "\"127.0.0.1:9090\"", false },
		{ "\"127.3.4.5:9090\"", false },
		{ "\"localhost:9090\"", false },
		{ "\"[::1]:9090\"", false },
		{ "\"\"", false },
		{ "\":9090\"", true },
		{ "\"0.0.0.0:9090\"", true },
		{ "\"[::]:9090\"", true },
		{ "\"localhost.example:9090\"", true },
		{ "\"10.127.0.1:9090\"", true },
		{ "\"127.example:9090\"", true },
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_text("metricsAddress", rows[i].address, &text);
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_int_equal(c->warnings_n, rows[i].warned);
		if (rows[i].warned)
			assert_non_null(strstr(c->warnings[0], "is not a loopback address"));
	}
}

static const struct unknown_row {
	const char *path, *warning, *disabled;
} unknown[] = {
	{ "extra", "extra: not a key of this place; ignored", NULL },
	{ "logger.extra", "logger.extra: not a key of this place; ignored", NULL },
	{ "db.extra", "db.extra: not a key of this place; ignored", NULL },
	{ "crl.extra", "crl.extra: not a key of this place; ignored", NULL },
	{ "authority.provisioners[0].extra",
	  P0 ": the provisioner \"admin\" is disabled: extra: not a key of this place",
	  "extra: not a key of this place" },
	{ "authority.provisioners[0].claims.extra",
	  P0 ": the provisioner \"admin\" is disabled: claims.extra: not a key of this place",
	  "claims.extra: not a key of this place" },
	{ "authority.provisioners[0].options.extra",
	  P0 ": the provisioner \"admin\" is disabled: options.extra: not a key of this place",
	  "options.extra: not a key of this place" },
	{ "authority.provisioners[0].options.x509.extra",
	  P0 ": the provisioner \"admin\" is disabled: options.x509.extra: not a key of this place",
	  "options.x509.extra: not a key of this place" },
	/* comments */
	{ "_comment", NULL, NULL },
	{ "#", NULL, NULL },
	{ "//", NULL, NULL },
	{ "$schema", NULL, NULL },
	{ "authority._why", NULL, NULL },
	{ "authority.provisioners[0].claims._why", NULL, NULL },
};

static void unknown_keys_are_judged_by_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(unknown); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_text(unknown[i].path, "\"on\"", &text);
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_int_equal(c->warnings_n, !!unknown[i].warning);
		if (unknown[i].warning)
			assert_string_equal(c->warnings[0], unknown[i].warning);
		if (unknown[i].disabled)
			assert_string_equal(c->provs[0].disabled, unknown[i].disabled);
		else
			assert_null(c->provs[0].disabled);
	}
}

static void a_hostile_key_does_not_reach_the_terminal(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(caconf_free_p) struct caconf *c = NULL;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
	json_object_set_new(file, "a\x1b[2J\nb", json_true());
	assert_ok(jsonio_format(file, &text, &e));
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_string_equal(c->warnings[0], "a?[2J?b: not a key of this place; ignored");
}

/* ---- provisioners of other kinds ---- */

static const struct kind_row {
	const char *json, *id, *reason;
} kinds[] = {
	{ "{\"type\":\"ACME\",\"name\":\"acme\",\"requireEAB\":true,\"challenges\":[\"http-01\"]}", "acme/acme",
	  "ACME provisioners are not built yet" },
	{ "{\"type\":\"Nebula\",\"name\":\"n\",\"roots\":\"LS0t\"}", "nebula/n",
	  "Nebula provisioners are not built yet" },
	{ "{\"type\":\"JWK\",\"name\":\"j\",\"key\":" SAMPLE_KEY("k") ",\"roots\":\"LS0t\"}", "j:k",
	  "roots: belongs to X5C and Nebula provisioners" },
	{ "{\"type\":\"SSHPOP\",\"name\":\"sshpop\",\"claims\":{\"enableSSHCA\":true}}", "sshpop/sshpop",
	  "SSHPOP provisioners are not built yet" },
	{ "{\"type\":\"OIDC\",\"name\":\"Google\",\"clientID\":\"abc\",\"whatever\":true}", "abc",
	  "OIDC provisioners are not built yet" },
	{ "{\"type\":\"SCEP\",\"name\":\"s\",\"challenge\":\"secret\",\"Decrypterkeypassword\":\"secret\"}", "scep/s",
	  "SCEP provisioners are not built yet" },
};

static void other_kinds_are_listed_and_disabled(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct error e = ERROR_INIT;
		char warning[256];
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(buf_done) struct buf shown = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		buf_addf(&shown, "[%s]", kinds[i].json);
		sample_text("authority.provisioners", buf_cstr(&shown), &text);
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_int_equal(c->provs_n, 1);
		assert_string_equal(c->provs[0].id, kinds[i].id);
		assert_string_equal(c->provs[0].disabled, kinds[i].reason);
		assert_int_equal(c->warnings_n, 1);
		snprintf(warning, sizeof warning, P0 ": the provisioner \"%s\" is disabled: %s", c->provs[0].name,
		         kinds[i].reason);
		assert_string_equal(c->warnings[0], warning);
		buf_reset(&shown);
		assert_ok(jsonio_format(c->provs[0].json, &shown, &e));
		assert_null(strstr(buf_cstr(&shown), "secret"));
	}
}

static void scep_secrets_are_struck_out(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	sample_text("authority.provisioners", "[{\"type\":\"SCEP\",\"name\":\"s\",\"challenge\":\"secret\"}]", &text);
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_string_equal(json_string_value(json_object_get(c->provs[0].json, "challenge")), "*** REDACTED ***");
}

static void a_kind_nobody_knows_is_left_out(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	sample_text(P0 ".type", "\"Quantum\"", &text);
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_int_equal(c->provs_n, 1);
	assert_string_equal(c->provs[0].name, "ops");
	assert_memory_equal(c->provs[0].uid, "00000000", 8);
	assert_int_equal(c->warnings_n, 1);
	assert_string_equal(c->warnings[0], P0 ".type: there are no Quantum provisioners; \"admin\" is left out");
}

static void claims_that_contradict_disable_their_provisioner(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	sample_text(P0 ".claims", "{\"minTLSCertDuration\":\"48h\"}", &text);
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_string_equal(c->provs[0].disabled,
	                    "claims: minTLSCertDuration: 48h0m0s is more than maxTLSCertDuration (24h0m0s)");
	assert_null(c->provs[1].disabled);
}

static void a_key_for_encryption_disables_its_provisioner(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	sample_text(P0 ".key.use", "\"enc\"", &text);
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_string_equal(c->provs[0].disabled,
	                    "key: its use or key_ops reserve it for something other than signatures");
}

static void all_reasons_are_told(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	sample_text(P0 ".options", "{\"x509\":{\"template\":\"x\"},\"webhooks\":[{}]}", &text);
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_string_equal(
		c->provs[0].disabled,
		"options.x509.template: templates are not built yet; options.webhooks: webhooks are not built yet");
	assert_int_equal(c->warnings_n, 1);
}

static void many_reasons_do_not_overflow(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
	AUTO(caconf_free_p) struct caconf *c = NULL;
	AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
	json_t *p = json_array_get(json_object_get(json_object_get(file, "authority"), "provisioners"), 0);
	for (int i = 0; i < 40; i++) {
		char key[32];
		snprintf(key, sizeof key, "some unknown key %d", i);
		json_object_set_new(p, key, json_true());
	}
	assert_ok(jsonio_format(file, &text, &e));
	assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
	assert_int_equal(strlen(c->provs[0].disabled), sizeof((struct provisioner_draft *)0)->disabled - 1);
}

/* ---- small judgements ---- */

static const struct warned_row {
	const char *path, *value, *text;
} warned[] = {
	{ "logger.format", "\"common\"", "logger.format: \"common\" is not built; text is written" },
	{ "tls.minVersion", "1.0", "tls.minVersion: TLS before 1.2 is not served; 1.2 is the least" },
};

static void less_is_warned_about(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(warned); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_text(warned[i].path, warned[i].value, &text);
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_int_equal(c->warnings_n, 1);
		assert_string_equal(c->warnings[0], warned[i].text);
		assert_true(c->tls_min == 1.2);
		assert_int_equal(c->log_format, LOG_TEXT);
	}
}

static const struct bound_row {
	const char *path, *value;
	int64_t seconds;
} bounds[] = {
	{ NULL, NULL, -1 },                                              /* unset: for ever */
	{ "authority.claims.renewalAfterExpiry", "\"48h\"", 48 * 3600 }, /* all inherit it */
	{ P1 ".claims.renewalAfterExpiry", "\"48h\"", -1 },              /* the others are unbounded */
};

static void revocations_are_kept_as_long_as_anyone_could_renew(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bounds); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_text(bounds[i].path, bounds[i].value, &text);
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_int_equal(c->store.renewable_after_expiry_s, bounds[i].seconds);
	}
}

/* Certificates are kept as long as they can be renewed, whatever keepExpired says. */
static void what_can_be_renewed_is_kept(void **state)
{
	(void)state;
	static const struct {
		const char *claims;
		int64_t seconds;
	} rows_kept[] = {
		{ "{}", 7200 },
		{ "{\"allowRenewalAfterExpiry\":false,\"renewalAfterExpiry\":\"9h\"}", 7200 },
		{ "{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"1h\"}", 7200 },
		{ "{\"allowRenewalAfterExpiry\":true,\"renewalAfterExpiry\":\"9h\"}", 9 * 3600 },
		{ "{\"allowRenewalAfterExpiry\":true}", -1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows_kept); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_set(file, "authority.provisioners[1].claims", rows_kept[i].claims);
		sample_set(file, "db.prune.keepExpired", "\"2h\"");
		assert_ok(jsonio_format(file, &text, &e));
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_int_equal(c->store.keep_expired_s, rows_kept[i].seconds);
	}
}

static void x5c_wants_roots(void **state)
{
	(void)state;
	static const struct {
		const char *json, *text;
	} bad[] = {
		{ "{\"type\":\"X5C\",\"name\":\"x\"}",
		  P0 ".roots: missing; give the base64 of a PEM file of root certificates" },
		{ "{\"type\":\"X5C\",\"name\":\"x\",\"roots\":\"\"}",
		  P0 ".roots: missing; give the base64 of a PEM file of root certificates" },
		{ "{\"type\":\"X5C\",\"name\":\"x\",\"roots\":[\"LS0t\"]}", P0 ".roots: not a string" },
		{ "{\"type\":\"X5C\",\"name\":\"x\",\"roots\":\"LS0t\"}",
		  P0 ".roots: does not contain a valid PEM encoded certificate" },
		{ "{\"type\":\"X5C\",\"name\":\"x\",\"roots\":\"-----BEGIN CERTIFICATE-----\"}", P0 ".roots: " },
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(buf_done) struct buf list = BUF_INIT(1 << 20);
		struct caconf *c = NULL;
		buf_addf(&list, "[%s]", bad[i].json);
		sample_text("authority.provisioners", buf_cstr(&list), &text);
		assert_int_equal(caconf_parse(buf_slice(&text), "ca.json", &c, &e), ST_INVALID);
		assert_int_equal(strncmp(e.text, bad[i].text, strlen(bad[i].text)), 0);
	}
}

static void empty_values_stay_at_their_default(void **state)
{
	(void)state;
	static const char *const rows[][2] = { { "commonName", "\"\"" },
		                               { "tls.cipherSuites", "[]" },
		                               { "tls.minVersion", "0" },
		                               { "crl.idpURL", "\"\"" },
		                               { "db.prune.keepExpired", "\"\"" } };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error e = ERROR_INIT;
		AUTO(buf_done) struct buf text = BUF_INIT(1 << 20);
		AUTO(caconf_free_p) struct caconf *c = NULL;
		sample_text(rows[i][0], rows[i][1], &text);
		assert_ok(caconf_parse(buf_slice(&text), "ca.json", &c, &e));
		assert_string_equal(c->common_name, "Step Online CA");
		assert_int_equal(c->tls_suites_n, 2);
		assert_true(c->tls_min == 1.2);
		assert_null(c->crl.idp_url);
		assert_int_equal(c->store.keep_expired_s, -1);
	}
}

static void load_names_the_file(void **state)
{
	(void)state;
	char dir[TMPDIR_PATH], path[TMPDIR_PATH + 8], want[256];
	struct error e = ERROR_INIT;
	struct caconf *c = NULL;
	tmpdir_make(dir);
	snprintf(path, sizeof path, "%s/ca.json", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("{}", f);
	fclose(f);
	assert_int_equal(caconf_load(path, &c, &e), ST_INVALID);
	snprintf(want, sizeof want, "%s: root: missing; give the file or files of the root certificates", path);
	assert_string_equal(e.text, want);
	remove(path);
	assert_int_equal(caconf_load(path, &c, &e), ST_MISSING);
	snprintf(want, sizeof want, "open %s failed: no such file or directory", path);
	rmdir(dir);
	assert_string_equal(e.text, want);
}

static void running_out_of_memory_is_an_error(void **state)
{
	(void)state;
	/* From the JSON value on: jansson's own parser does not survive this. */
	AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
	for (unsigned n = 1;; n++) {
		struct error e = ERROR_INIT;
		struct caconf *c = NULL;
		fail_arm(FAIL_ALLOC, n, ENOMEM);
		enum status st = caconf_of_json(file, "ca.json", &c, &e);
		bool reached = fail_disarm();
		caconf_free(c);
		if (!reached) {
			assert_int_equal(st, ST_OK);
			assert_true(n > 50);
			return;
		}
		if (st == ST_OK)
			fail_msg("the failure of allocation %u was not seen", n);
	}
}

/* ---- the manual ---- */

static void the_schema_prints_itself(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf text = BUF_INIT(CACONF_DOC_MAX);
	caconf_schema_text(&text, CACONF_DOC_TEXT);
	assert_int_equal(text.failed, ST_OK);
	const char *t = buf_cstr(&text);
	assert_non_null(strstr(t, "\nlimits.connections (ours)\n      whole number 1 to 1000000; default 10000; used\n"
	                          "      open connections, in all\n"));
	assert_non_null(strstr(t, "\nauthority.policy\n      any; start-up refused\n"));
	for (const char *line = t; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 120);
}

/* docs/design/config.md holds the table as it is today. */
static void the_page_shows_the_table(void **state)
{
	(void)state;
	AUTO(buf_done) struct buf table = BUF_INIT(CACONF_DOC_MAX);
	static char page[CACONF_DOC_MAX];
	FILE *f = fopen(CONFIG_PAGE, "r");
	assert_non_null(f);
	size_t n = fread(page, 1, sizeof page - 1, f);
	fclose(f);
	page[n] = '\0';
	caconf_schema_text(&table, CACONF_DOC_MARKDOWN);
	if (!strstr(page, buf_cstr(&table)))
		fail_msg("%s is behind src/config/carows.c; it should end with:\n%s", CONFIG_PAGE, buf_cstr(&table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_of_the_peers_shape_loads),
		cmocka_unit_test(what_is_absent_gets_its_default),
		cmocka_unit_test(every_setting_is_taken),
		cmocka_unit_test(where_the_admin_socket_is),
		cmocka_unit_test(refusals_name_the_path_and_the_remedy),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(the_same_id_twice_is_refused),
		cmocka_unit_test(what_is_not_served_fails_closed_or_is_told),
		cmocka_unit_test(every_unserved_key_of_the_schema_is_tested),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(metrics_in_the_open_are_warned_about),
		cmocka_unit_test(unknown_keys_are_judged_by_their_place),
		cmocka_unit_test(a_hostile_key_does_not_reach_the_terminal),
		cmocka_unit_test(other_kinds_are_listed_and_disabled),
		cmocka_unit_test(scep_secrets_are_struck_out),
		cmocka_unit_test(a_kind_nobody_knows_is_left_out),
		cmocka_unit_test(claims_that_contradict_disable_their_provisioner),
		cmocka_unit_test(a_key_for_encryption_disables_its_provisioner),
		cmocka_unit_test(all_reasons_are_told),
		cmocka_unit_test(many_reasons_do_not_overflow),
		cmocka_unit_test(less_is_warned_about),
		cmocka_unit_test(revocations_are_kept_as_long_as_anyone_could_renew),
		cmocka_unit_test(what_can_be_renewed_is_kept),
		cmocka_unit_test(x5c_wants_roots),
		cmocka_unit_test(empty_values_stay_at_their_default),
		cmocka_unit_test(load_names_the_file),
		cmocka_unit_test(running_out_of_memory_is_an_error),
		cmocka_unit_test(the_schema_prints_itself),
		cmocka_unit_test(the_page_shows_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
