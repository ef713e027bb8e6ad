/* inspect_parts.h - what the three forms of inspect share. */
#pragma once
#include "crypto/keys.h"
#include "x509/inspect.h"
#include "x509/spki.h"

/* Bits of key usage in order: "Digital Signature", "digital_signature". */
enum { KEY_USAGES = 9 };
extern const struct key_usage_name {
	const char *text, *key;
} key_usage_names[KEY_USAGES];

/* "Server Authentication", "server_auth" of an extended key usage; NULL where the OID is none of the known. */
const struct key_usage_name *ext_key_usage_name(const char *oid);

/* The kinds of names in the order that people see: DNS, IP, e-mail, URI, other. */
enum { SAN_KINDS = 5 };
extern const enum san_type san_shown_order[SAN_KINDS];

/* A public key in pieces, spans of the SubjectPublicKeyInfo. */
struct key_parts {
	struct key_facts facts;
	char algorithm[32]; /* "ECDSA" */
	struct spki spki;
};
MUST_USE enum status key_parts_read(const EVP_PKEY *key, struct slice spki, struct key_parts *ret, struct error *e);

/* The exponent as a number; 0 where it needs more than 64 bits. */
uint64_t key_parts_exponent(const struct key_parts *p);

/* Self-issued and signed by its own key. */
bool inspect_self_signed(const struct cert *c);

/* The dotted OID of an AlgorithmIdentifier; "" where it is broken. */
const char *alg_oid_text(struct slice alg, char out[OID_TEXT]);
