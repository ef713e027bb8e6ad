/* ext.h - certificate extensions (RFC 5280 §4.2) as complete DER `Extension` values, appended to a buf one after the
 * other, so that a profile is a run of calls and a renewal copies bytes. */
#pragma once
#include "base/buf.h"
#include "x509/der.h"
#include "x509/san.h"

#define OID_KEY_USAGE "2.5.29.15"
#define OID_EXT_KEY_USAGE "2.5.29.37"
#define OID_BASIC_CONSTRAINTS "2.5.29.19"
#define OID_SUBJECT_KEY_ID "2.5.29.14"
#define OID_AUTHORITY_KEY_ID "2.5.29.35"
#define OID_SUBJECT_ALT_NAME "2.5.29.17"
#define OID_CRL_NUMBER "2.5.29.20"
#define OID_CRL_REASON "2.5.29.21"
#define OID_DELTA_CRL "2.5.29.27"
#define OID_ISSUING_POINT "2.5.29.28"
#define OID_CRL_POINTS "2.5.29.31"
#define OID_PROVISIONER "1.3.6.1.4.1.37476.9000.64.1"
#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define OID_ANY_EXT_KEY_USAGE "2.5.29.37.0"

enum key_usage { /* bit numbers of RFC 5280 §4.2.1.3, as a mask 1 << n */
	         KU_DIGITAL_SIGNATURE = 1 << 0,
	         KU_CONTENT_COMMITMENT = 1 << 1,
	         KU_KEY_ENCIPHERMENT = 1 << 2,
	         KU_DATA_ENCIPHERMENT = 1 << 3,
	         KU_KEY_AGREEMENT = 1 << 4,
	         KU_KEY_CERT_SIGN = 1 << 5,
	         KU_CRL_SIGN = 1 << 6,
	         KU_ENCIPHER_ONLY = 1 << 7,
	         KU_DECIPHER_ONLY = 1 << 8,
};

void ext_add(struct buf *out, const char *oid, bool critical, struct slice value);
void ext_add_key_usage(struct buf *out, unsigned mask); /* critical */
void ext_add_ext_key_usage(struct buf *out, const char *const *oids, size_t n);
void ext_add_basic_constraints(struct buf *out, bool is_ca, int path_len); /* critical; path_len < 0: none */
/* SHA-1 of the subjectPublicKey bits (§4.2.1.2 (1)). */
enum { KEY_ID_BYTES = 20 };
MUST_USE enum status ext_key_id(struct slice spki, uint8_t out[KEY_ID_BYTES], struct error *e);
MUST_USE enum status ext_add_subject_key_id(struct buf *out, struct slice spki, struct error *e); /* §4.2.1.2 (1) */
void ext_add_authority_key_id(struct buf *out, struct slice issuer_key_id);
MUST_USE enum status ext_add_san(struct buf *out, const struct san_list *l, bool critical, struct error *e);

/* Where the CRL lies: in a certificate (§4.2.1.13), and, critical, in the list itself (§5.2.5). One name, a URI. */
void ext_add_crl_point(struct buf *out, const char *url);
void ext_add_issuing_point(struct buf *out, const char *url);
/* rest: the value of a certificate's distribution points, first of all; then what is left of them. *ret: the next
 * point's first URI, empty where it has none, or where it is a place for some reasons or of another issuer's list.
 * ST_MISSING at the end. */
MUST_USE enum status ext_next_crl_point(struct slice *rest, struct slice *ret, struct error *e);
MUST_USE enum status ext_crl_points(struct slice value, struct slice *ret_rest, struct error *e);

/* The provisioner extension (spec/server.md §3.5). */
struct provisioner_ext {
	int type; /* 1 JWK ... 11 Nebula */
	char name[256];
	char credential_id[256]; /* "" where none */
};
void ext_add_provisioner(struct buf *out, const struct provisioner_ext *p);
MUST_USE enum status ext_parse_provisioner(struct slice value, struct provisioner_ext *ret, struct error *e);
const char *provisioner_type_name(int type); /* "JWK"; NULL where unknown */

/* One extension of a certificate, as walked. */
struct ext {
	char oid[OID_TEXT];   /* dotted */
	struct slice oid_der; /* content of the OBJECT IDENTIFIER */
	bool critical;
	struct slice value; /* OCTET STRING content */
	struct slice whole; /* the complete Extension */
};
/* rest: content of the Extensions SEQUENCE. ST_MISSING at the end. */
MUST_USE enum status ext_next(struct slice *rest, struct ext *ret, struct error *e);

/* All of them in order. ST_INVALID: the same one twice (RFC 5280 §4.2: "A certificate MUST NOT include more than one
 * instance of a particular extension"; it would be a matter of the reader which one counts), more than EXTENSIONS_MAX,
 * or what the function says. */
enum { EXTENSIONS_MAX = 128 };
typedef enum status ext_fn(void *ctx, const struct ext *x, struct error *e);
MUST_USE enum status ext_each(struct slice extensions, ext_fn *fn, void *ctx, struct error *e);
