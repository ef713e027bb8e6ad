/* sample.h - a ca.json of the peer's shape (spec/server.md §4), and a way to change one value of it. */
#pragma once
#include "base/buf.h"
#include "jose/auto.h"
#include "jose/jsonio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#define assert_ok(call)                                                                                                \
	do {                                                                                                           \
		enum status st_ = (call);                                                                              \
		if (st_)                                                                                               \
			fail_msg("%s: %s: %s", #call, status_name(st_), e.text);                                       \
	} while (0)

/* RFC 7515 appendix A.3 */
#define SAMPLE_XY                                                                                                      \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define SAMPLE_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define SAMPLE_KEY(kid)                                                                                                \
	"{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"" kid "\",\"crv\":\"P-256\",\"alg\":\"ES256\"," SAMPLE_XY "}"

/* As `step ca init` and one `step ca provisioner add` of the peer leave it, but for db.type. */
static const char sample_json[] =
	"{\n"
	"\t\"root\": \"/etc/step-ca/certs/root_ca.crt\",\n"
	"\t\"federatedRoots\": null,\n"
	"\t\"crt\": \"/etc/step-ca/certs/intermediate_ca.crt\",\n"
	"\t\"key\": \"/etc/step-ca/secrets/intermediate_ca_key\",\n"
	"\t\"address\": \":443\",\n"
	"\t\"insecureAddress\": \"\",\n"
	"\t\"dnsNames\": [\n\t\t\"ca.example.com\",\n\t\t\"10.0.0.1\"\n\t],\n"
	"\t\"logger\": {\n\t\t\"format\": \"text\"\n\t},\n"
	"\t\"db\": {\n\t\t\"type\": \"sqlite\",\n\t\t\"dataSource\": \"/etc/step-ca/db\",\n"
	"\t\t\"badgerFileLoadingMode\": \"\"\n\t},\n"
	"\t\"authority\": {\n"
	"\t\t\"provisioners\": [\n"
	"\t\t\t{\"type\":\"JWK\",\"name\":\"admin\",\"key\":" SAMPLE_KEY(
		"one") ",\"encryptedKey\":\"eyJ.a.b.c.d\"},\n"
		       "\t\t\t{\"type\":\"jwk\",\"name\":\"ops\",\"key\":" SAMPLE_KEY(
			       "two") ",\n"
				      "\t\t\t "
				      "\"claims\":{\"maxTLSCertDuration\":\"720h0m0s\",\"enableSSHCA\":true,"
				      "\"disableRenewal\":false,\n"
				      "\t\t\t             "
				      "\"allowRenewalAfterExpiry\":true,\"disableSmallstepExtensions\":false},\n"
				      "\t\t\t \"options\":{\"x509\":{},\"ssh\":{}}}\n"
				      "\t\t],\n"
				      "\t\t\"template\": {},\n"
				      "\t\t\"backdate\": \"1m0s\"\n"
				      "\t},\n"
				      "\t\"tls\": {\n"
				      "\t\t\"cipherSuites\": [\n"
				      "\t\t\t\"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\",\n"
				      "\t\t\t\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"\n"
				      "\t\t],\n"
				      "\t\t\"minVersion\": 1.2,\n\t\t\"maxVersion\": 1.3,\n\t\t\"renegotiation\": "
				      "false\n\t},\n"
				      "\t\"commonName\": \"Step Online CA\"\n"
				      "}";

/* Sets the value at "a.b[2].c" to this JSON text; NULL removes it. Objects on the way are made. */
static inline void sample_set(json_t *at, const char *path, const char *value)
{
	char part[128];
	while (true) {
		size_t n = strcspn(path, ".[");
		json_t *next;
		if (*path == '[') {
			next = json_array_get(at, strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
			path += *path == '.';
			at = next;
			continue;
		}
		snprintf(part, sizeof part, "%.*s", (int)n, path);
		path += n + (path[n] == '.');
		if (!*path)
			break;
		next = json_object_get(at, part);
		if (!next && *path != '[')
			json_object_set_new(at, part, next = json_object());
		at = next;
	}
	if (!value)
		json_object_del(at, part);
	else
		assert_int_equal(json_object_set_new(at, part, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
}

/* The sample with one value changed (path NULL: none), as text. */
static inline void sample_text(const char *path, const char *value, struct buf *out)
{
	struct error e = ERROR_INIT;
	AUTO(json_decref_p) json_t *file = json_loads(sample_json, 0, NULL);
	assert_non_null(file);
	if (path)
		sample_set(file, path, value);
	assert_ok(jsonio_format(file, out, &e));
}
