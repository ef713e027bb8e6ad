/* name.h - distinguished names (RFC 5280 §4.1.2.4). */
#pragma once
#include "base/buf.h"
#include "x509/der.h"

struct name_attrs { /* each NULL or "" where absent; encoded in this order (spec/server.md §3.1) */
	const char *country, *organization, *organizational_unit, *locality, *province, *street_address, *postal_code,
		*common_name, *serial_number;
};

enum { NAME_VALUE_MAX = 1024, NAME_ATTRS_MAX = 256 };

/* Appends a DER Name: PrintableString where the characters allow it, else UTF8String. ST_INVALID for text that is not
 * UTF-8, holds NUL or is longer than 1024 bytes. */
MUST_USE enum status name_encode(const struct name_attrs *a, struct buf *out, struct error *e);

/* First commonName of a DER Name as UTF-8 (control characters replaced by '?'); empty where there is none. */
MUST_USE enum status name_common_name(struct slice der, struct buf *out, struct error *e);

/* "O=Speedy,CN=Speedy Root CA", as `certificate inspect` prints (Go's pkix order: as encoded). Attributes of one RDN
 * are joined by '+', `,+"\<>;` and a leading '#' are escaped by a backslash (RFC 4514 §2.4), so that one name has one
 * reading; unknown types stand as dotted OID. */
MUST_USE enum status name_text(struct slice der, struct buf *out, struct error *e);
/* The same, last RDN first (RFC 4514 §2.1), as Go's Name.String(). */
MUST_USE enum status name_text_reversed(struct slice der, struct buf *out, struct error *e);

/* One attribute of a name, as walked. */
struct name_attr {
	char oid[OID_TEXT];
	const char *label; /* "CN"; the OID where unknown. Valid as long as the struct */
	const char *key;   /* "common_name"; the OID where unknown */
	bool joined;       /* of the same RDN as the attribute before */
	struct der value;
};
struct name_reader {
	struct slice rdns, set;
	size_t seen;
};
MUST_USE enum status name_open(struct slice der, struct name_reader *ret, struct error *e);
/* ST_MISSING at the end; ST_LIMIT after NAME_ATTRS_MAX. */
MUST_USE enum status name_next(struct name_reader *r, struct name_attr *ret, struct error *e);
/* Appends the value as UTF-8, unfit characters replaced by '?'; "#" and hex of its DER where it is no string. */
void name_add_value(const struct name_attr *a, struct buf *out);
