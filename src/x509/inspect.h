/* inspect.h - a certificate or request for people and scripts (spec/client.md §8.1). All append to out. Whatever the
 * certificate says, no control character, no broken UTF-8 and nothing invisible or direction-changing is written ('?'
 * stands in its place); names are escaped as name.h says. ST_NOMEM, ST_LIMIT where out is too small. */
#pragma once
#include "x509/cert.h"
#include "x509/csr.h"

/* One value a line, never wrapped:
 *   X.509v3 TLS Certificate (ECDSA P-256) [Serial: 9097...2593]
 *     Subject:     foobar
 *                  a.local
 *     Issuer:      Speedy Intermediate CA
 *     Provisioner: admin [ID: s3HG...SJcc]
 *     Valid from:  2026-11-23T10:51:57Z
 *             to:  2026-11-24T10:52:57Z                   (the request: first line and Subject) */
MUST_USE enum status inspect_short(const struct cert *c, struct buf *out, struct error *e);
MUST_USE enum status inspect_csr_short(const struct csr *c, struct buf *out, struct error *e);

/* As `openssl x509 -text` lays it out, in the peer's words. */
MUST_USE enum status inspect_text(const struct cert *c, struct buf *out, struct error *e);
MUST_USE enum status inspect_csr_text(const struct csr *c, struct buf *out, struct error *e);

/* JSON (RFC 8259), two spaces a step, final newline. Absent things have no key; key names are those of the peer's
 * (zcrypto's) form as far as they go. hex is lower case, base64 is padded.
 *
 * {
 *   "version": 3,
 *   "serial_number": "9097...",                           decimal
 *   "signature_algorithm": { "name": "ECDSA-SHA256", "oid": "1.2.840.10045.4.3.2" },
 *   "issuer": { "common_name": ["..."], "organization": ["..."] },   keys as name.h names them, else the dotted OID
 *   "issuer_dn": "O=Speedy,CN=Speedy Intermediate CA",
 *   "validity": { "start": "2026-11-23T10:51:57Z", "end": "...", "length": 86460 },          seconds
 *   "subject": { }, "subject_dn": "CN=foobar",
 *   "subject_key_info": {
 *     "key_algorithm": { "name": "ECDSA" },               ECDSA, RSA, Ed25519, DSA, ...
 *     "ecdsa_public_key": { "curve": "P-256", "length": 256, "x": base64, "y": base64 },
 *     "rsa_public_key": { "exponent": 65537, "modulus": base64, "length": 2048 },
 *     "public_key": base64,                               the bit string of any other key
 *     "fingerprint_sha256": hex },                        of the SubjectPublicKeyInfo
 *   "extensions": {
 *     "key_usage": { "value": 1, "digital_signature": true },         the mask of ext.h, then what is set
 *     "extended_key_usage": { "server_auth": true, "unknown": ["1.2.3"] },
 *     "basic_constraints": { "is_ca": true, "max_path_len": 0 },
 *     "subject_key_id": hex, "authority_key_id": hex,
 *     "subject_alt_name": { "dns_names": [], "email_addresses": [], "ip_addresses": [],
 *                           "uniform_resource_identifiers": [], "other_names": ["otherName"] },
 *     "step_provisioner": { "type": "JWK", "name": "admin", "credential_id": "..." } },    type: a number where unknown
 *   "unknown_extensions": [{ "id": "1.2.3", "critical": false, "value": base64 }],
 *   "signature": { "signature_algorithm": { }, "value": base64, "valid": true, "self_signed": true },
 *   "fingerprint_sha1": hex, "fingerprint_sha256": hex, "spki_subject_fingerprint": hex, "tbs_fingerprint": hex,
 *   "names": ["..."]                                      common name and SANs, each once
 * }
 *
 * "signature".valid: the signature verifies under the certificate's own key, known for self-signed ones only.
 * A request has version 1, signature_algorithm, subject, subject_dn, subject_key_info, extensions with
 * subject_alt_name, signature (valid: it verifies), fingerprint_sha1, fingerprint_sha256 and names. */
MUST_USE enum status inspect_json(const struct cert *c, struct buf *out, struct error *e);
MUST_USE enum status inspect_csr_json(const struct csr *c, struct buf *out, struct error *e);
/* An array of the above, for --bundle; the object alone where there is one certificate. */
MUST_USE enum status inspect_chain_json(const struct chain *c, struct buf *out, struct error *e);
