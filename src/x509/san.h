/* san.h - subject alternative names (RFC 5280 §4.2.1.6), classified as the peer does (spec/server.md §3.2): IP, else
 * URI with a scheme, else e-mail with an @, else DNS. */
#pragma once
#include "base/buf.h"

enum san_type { SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SAN_OTHER };

struct san {
	enum san_type type;
	char *text;     /* as printed; IP in canonical form. Holds no NUL and no control characters */
	uint8_t ip[16]; /* network order */
	uint8_t ip_n;   /* 4 or 16 for SAN_IP */
};

enum { SAN_TEXT_MAX = 2048, SAN_LIST_MAX = 1000 };

struct san_list {
	struct san *v;
	size_t n;
};

void san_list_done(struct san_list *l);

/* Classifies and appends; an empty text is skipped (as HEAD does). ST_INVALID: control characters, non-ASCII (DNS,
 * e-mail, URI), longer than 2048 bytes. ST_LIMIT: more than 1000 names. */
MUST_USE enum status san_list_add(struct san_list *l, struct slice text, struct error *e);
bool san_list_has(const struct san_list *l, enum san_type type, const char *text);

/* The set of names of one type in a equals that in b (duplicates and order do not count; text compared exactly). */
bool san_list_same(const struct san_list *a, const struct san_list *b, enum san_type type);

/* Content of the extension's OCTET STRING (GeneralNames): all DNS, then e-mail, IP, URI, order kept inside each. */
MUST_USE enum status san_list_encode(const struct san_list *l, struct buf *out, struct error *e);
/* Reads GeneralNames as they stand in a certificate. Kinds that we do not print become SAN_OTHER with a text such as
 * "otherName". ST_INVALID: broken, an address of neither 4 nor 16 bytes, a name that is not printable ASCII;
 * ST_LIMIT: more than SAN_LIST_MAX. */
MUST_USE enum status san_list_decode(struct slice general_names, struct san_list *ret, struct error *e);
