/* cert.h - a certificate, parsed once and immutable; counted, so that threads and requests may share it. */
#pragma once
#include "base/buf.h"
#include "base/wall.h"
#include "crypto/sign.h"
#include "x509/ext.h"
#include "x509/san.h"
#include <openssl/types.h>

enum {
	CERT_MAX = 64 * 1024,      /* one certificate's DER */
	CERT_BUNDLE_MAX = 4 << 20, /* a PEM file */
	CERT_CHAIN_MAX = 1000,     /* certificates in a file */
	SERIAL_TEXT = 64,
	SERIAL_OCTETS = 20,
};

struct cert;

/* Everything borrowed from the certificate. */
struct cert_facts {
	struct slice der, tbs, serial /* INTEGER content */, issuer, subject, spki; /* DER, spans of der */
	struct slice signature_alg;                                                 /* DER AlgorithmIdentifier */
	struct slice signature;                                                     /* the bits */
	struct slice extensions;                       /* content of the Extensions SEQUENCE; empty where none */
	struct slice subject_key_id, authority_key_id; /* contents; empty where absent */
	struct wall not_before, not_after;
	int version;                                  /* 1, 2 or 3 */
	char serial_text[SERIAL_TEXT];                /* decimal */
	const char *common_name, *issuer_common_name; /* "" where none */
	const struct san_list *sans;
	bool is_ca, has_key_usage, has_ext_key_usage, eku_server_auth, eku_client_auth, eku_any;
	int path_len;       /* -1: none */
	unsigned key_usage; /* mask */
	bool has_provisioner;
	struct provisioner_ext provisioner;
	bool self_issued; /* subject equals issuer */
};

/* Reads one certificate (RFC 5280 §4.1); everything in it is taken for hostile.
 * ST_INVALID: not one certificate in strict DER, trailing bytes, serial longer than 20 octets (§4.1.2.2) or negative
 * (zero passes), the same extension twice or more than EXTENSIONS_MAX of them (§4.2), an extension that is shown
 * in the facts and is malformed, a public key that OpenSSL cannot read. ST_LIMIT: larger than CERT_MAX, too many
 * names. */
MUST_USE enum status cert_parse(struct slice der, struct cert **ret, struct error *e);
/* The same without OpenSSL, where dates and names are enough: cert_x509() and cert_key() read it when they are first asked,
 * and give NULL where it cannot be read. For commands whose start-up counts, and for what we have written ourselves. */
MUST_USE enum status cert_parse_facts(struct slice der, struct cert **ret, struct error *e);
MUST_USE enum status cert_of_x509(X509 *x, struct cert **ret, struct error *e); /* takes its own reference */
struct cert *cert_ref(struct cert *c);
void cert_unref(struct cert *c);
static inline void cert_unref_p(struct cert **c)
{
	cert_unref(*c);
}

const struct cert_facts *cert_facts(const struct cert *c);
X509 *cert_x509(const struct cert *c);    /* borrowed */
EVP_PKEY *cert_key(const struct cert *c); /* borrowed; the public key, never NULL */

/* The algorithm it was signed with, from its AlgorithmIdentifier. ST_INVALID where it is none of ours. */
MUST_USE enum status cert_sign_alg(const struct cert *c, enum sign_alg *ret, struct error *e);
/* The same for a DER AlgorithmIdentifier. */
MUST_USE enum status sign_alg_of(struct slice der, enum sign_alg *ret, struct error *e);
/* "ECDSA-SHA256", "SHA1-RSA", ...: the name of a DER AlgorithmIdentifier as `inspect` prints it, into out where it is
 * none of ours (the dotted OID). */
const char *alg_name(struct slice alg, char out[OID_TEXT]);

/* The certificate's signature verifies under issuer's key. ST_DENIED where not. */
MUST_USE enum status cert_signed_by(const struct cert *c, const struct cert *issuer, struct error *e);

/* SHA-256 over the DER, hex. */
MUST_USE enum status cert_fingerprint(const struct cert *c, char out[65], struct error *e);

/* Certificates in order, leaf first where it is a chain. Owns its references. */
struct chain {
	struct cert **v;
	size_t n;
};
void chain_done(struct chain *c);
MUST_USE enum status chain_add(struct chain *c, struct cert *cert /* referenced */, struct error *e);

/* The first CERT_CHAIN_MAX certificates at most (ST_LIMIT beyond): all CERTIFICATE blocks of PEM text (other blocks are
 * skipped), or one DER certificate. ST_INVALID: none ("does not contain a valid PEM encoded certificate") or a broken
 * one. */
MUST_USE enum status chain_parse(struct slice in, struct chain *ret, struct error *e);
void chain_format_pem(const struct chain *c, struct buf *out);
void cert_format_pem(const struct cert *c, struct buf *out);

/* Decimal text of a serial from "123", "0x7b", "0b..", "0o..", leading-0 octal and _ separators (spec/server.md §1.4).
 * ST_INVALID where it is none or longer than 20 octets. */
MUST_USE enum status serial_normalize(struct slice in, char out[SERIAL_TEXT], struct error *e);
/* Decimal text of a big-endian magnitude of at most 20 octets (leading zeros do not count). ST_INVALID beyond. */
MUST_USE enum status serial_format(struct slice magnitude, char out[SERIAL_TEXT], struct error *e);
/* The magnitude of a decimal text, without leading zeros: *ret lies in out. ST_INVALID: not one, or too long. */
MUST_USE enum status serial_octets(const char *decimal, uint8_t out[SERIAL_OCTETS], struct slice *ret, struct error *e);

/* Puts the time in front of the 88 bits that stay as they are: those are to be random. Serials made one after the other
 * then stand next to each other, as text too (always 39 digits), and an index over millions of them is written in one
 * place instead of everywhere. Two made by the same clocks compare like their seconds (until 2106, when it begins anew);
 * within a second they stand together, in no order that means anything.
 *
 *    3 bits   32 bits             5 bits          88 bits
 *   | 011 | seconds since 1970 | 32nds of mono | random | */
enum { SERIAL_NEW = 16 };
void serial_stamp(uint8_t serial[SERIAL_NEW], struct wall now, struct mono tick);
